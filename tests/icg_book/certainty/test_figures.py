"""The chapter's figures, tables and summaries, on small made data."""

import copy

import pytest
import torch
from matplotlib.figure import Figure

import icg
from icg_book.certainty import claims, figures, holes
from icg_book.scenarios import glyphs

PICTURES = glyphs.examples().images


@pytest.fixture(scope="module")
def arms():
    return icg.artifacts.load_result("certainty-ablation")["arms"]


def rows(table):
    return table.data.count("<tr") - 1  # without the head


def shares(n, seed=0):
    return torch.rand(n, 5, generator=torch.Generator().manual_seed(seed)).softmax(1)


def test_answers_to_fills():
    _, filled = holes.tear(glyphs.examples(), 7, 6)
    one = {"ordinary network": shares(5)}
    figure = figures.answers_to_fills(filled, 6, one)
    assert isinstance(figure, Figure) and len(figure.axes) == 10
    assert [text.get_text() for text in figure.legends[0].texts] == ["ordinary network"]
    two = figures.answers_to_fills(filled, 6, one | {"network with certainty": shares(5, 1)}, shares(1)[0])
    assert {text.get_text() for text in two.legends[0].texts} == {*figures.NETWORK_COLOURS, "counted"}
    assert len(two.axes[5].patches) == 10  # two bars for each sign


def test_the_learnt_expectation():
    counted = torch.eye(5)
    who = {"counted": counted, "certainty network": counted, "ordinary, rest others": counted.roll(1, 0)}
    judged = {"16 px": who, "window": who}
    assert len(figures.given_against_counted(judged).axes) == 3
    text = figures.distances_from_counted(judged).splitlines()
    assert text[2].split()[-2:] == ["0.00", "0.00"] and text[3].split()[-2:] == ["1.00", "1.00"]
    assert text[4].split()[-2:] == ["5", "5"]


def test_credit_of_patches():
    sums = {name: torch.arange(18.0).view(2, 9) * sign for name, sign in (("up", 1), ("down", -1))}
    figure = figures.credit_of_patches(PICTURES[:2], sums)
    assert len(figure.axes) == 6
    assert [text.get_text() for text in figure.axes[1].texts][:2] == ["+0.00", "+1.00"]
    assert figures.correlations(sums, [("up", "down")]).splitlines()[1].endswith("correlate by -1.00")


def test_figure_3_has_all_its_panels():
    image, flat = PICTURES[:1], PICTURES[0, 0]
    figure = figures.figure_3(image, image, image, image, image, flat, -flat)
    assert len(figure.axes) == 1 + 5 + 1 + 5 + 10 + 1
    titles = [ax.get_title() for ax in figure.axes]
    assert titles.count("picture") == 2 and titles.count("α = 0.25") == 2 and {"IG", "ICG"} <= set(titles)


def test_damage_extents():
    extents = {name: torch.rand(50) for name in ("cᵢ uniform", "λ uniform", "mean uniform")}
    figure = figures.damage_extents(lambda lam: lam, lambda mean: mean, extents)
    density, curve, histogram = figure.axes
    assert (len(density.lines), len(curve.lines), len(histogram.patches)) == (5, 3, 3)
    with pytest.raises(ValueError):
        figures.damage_extents(lambda lam: lam, lambda mean: mean, extents | {"one more": torch.rand(50)})


def test_absence_and_neutrality_in_words():
    p = torch.full((4, 5), 0.2)
    lines = figures.at_certainty_zero({"network": {"noise": (p, 0.125)}}).splitlines()
    assert lines[1] == "network" and lines[2].split()[1:4] == ["0.200", "±", "0.0000"] and lines[2].endswith("0.1250")
    q = p.clone()
    q[0] = torch.tensor([0.0, 1.0, 0.0, 0.0, 0.0])
    (line,) = (line for line in figures.hidden_half({"network": (p, q)}).splitlines() if line.startswith("network"))
    assert line.split()[1:] == ["0.080", "0.80", "25.0%"]


def test_figure_7_marks_bands():
    image, flat = PICTURES[:1], PICTURES[0, 0] - 0.5
    tests = {
        "hidden": (None, image, holes.rows(image, 6, 9), 1),
        "known": (None, image, holes.rows(image, 0, 0), 1),
    }
    panels = [ax for ax in figures.figure_7(tests, [[flat] * 4] * 2).axes if ax.images][:10]
    assert [len(ax.lines) for ax in panels] == [2] * 5 + [0] * 5
    assert [len(ax.patches) for ax in panels] == [1] + [0] * 9
    with pytest.raises(ValueError):
        figures.figure_7(tests, [[flat] * 4])


def test_band_shares():
    text = figures.band_shares({"network": [0.1, 0.2, 0.3, 0.4]}, [0.5, 0.6, 0.7, 0.8])
    assert "  network                       0.100  0.200    0.300  0.400" in text
    assert "  our weights                   0.500  0.600    0.700  0.800" in text
    with pytest.raises(ValueError):
        figures.band_shares({"network": [0.1]}, [0.5, 0.6, 0.7, 0.8])


def test_tables_of_the_ablation(arms):
    assert figures.recipes(arms).data.count("<li>") == len(arms)
    for table in (figures.training_table(arms), figures.attribution_table(arms)):
        assert rows(table) == len(arms) and table.data.count("<th scope='col'") == 7
    for ax, n in zip(figures.learning_curves(arms).axes, (6, 6), strict=True):
        assert len(ax.get_legend().texts) == n


def test_a_level_that_was_never_reached_and_a_measure_that_is_missing(arms):
    arms = copy.deepcopy(arms)
    before = figures.training_table(arms).data.count("<b>never</b>")
    arms["full mix"]["measures"]["steps to 95 %"] = {"mean": None, "low": None, "high": None, "values": [None] * 3}
    assert figures.training_table(arms).data.count("<b>never</b>") == before + 1
    for arm in arms.values():
        del arm["measures"]["absence"]
    assert figures.training_table(arms).data.count("<th scope='col'") == 6


def test_verdicts(arms):
    verdicts = claims.judge_all(arms)
    made = figures.verdicts_table(arms, claims.CLAIMS, verdicts)
    assert rows(made) == len(claims.CLAIMS)
    for verdict, mark in figures.MARKS.items():
        assert made.data.count(mark) == sum(v.verdict == verdict for v in verdicts.values())


def test_both_paints_and_their_shares(arms):
    painted = {"dark": PICTURES[:2], "light": PICTURES[2:4]}
    maps = {paint: {"one": images - 0.5, "two": 0.5 - images} for paint, images in painted.items()}
    figure = figures.both_paints(painted, maps, torch.tensor([1, 2]))
    assert len([ax for ax in figure.axes if ax.images]) == 6 * 2 + 1  # and the scale
    lines = figures.ink_shares({"gated": [(0.25, 1.0), (0.5, 0.9)]}).splitlines()
    assert lines[2].split() == ["gated", "0.250", "(100%)", "0.500", "(90%)"]
    assert len(figures.more_credit_on_black(arms, ["gated", "full mix"]).splitlines()) == 3
