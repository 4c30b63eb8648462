"""Figures and tables of the chapter: what is drawn for small made data."""

import copy

import pytest
import torch
from matplotlib.figure import Figure

from icg.artifacts import load_card, load_result
from icg_book.burnt_snacks import figures
from icg_book.burnt_snacks.tracing import Square, SquaresOnPath
from icg_book.scenarios.burnt_snacks import BurntSnacks


def snacks(n, *, dark=True):
    """``n`` images of a dark and a light square, or of a light one alone."""
    objects = torch.zeros(2, n, 1, 50, 50, dtype=torch.uint8)
    objects[0, ..., 8:14, 8:14] = int(dark)
    objects[1, ..., 30:38, 28:36] = 2
    images = 0.3 * (objects[0] > 0) + 0.9 * (objects[1] > 0)
    labels = torch.full((n,), int(dark))
    return BurntSnacks(images, labels, objects[0], objects[1], torch.zeros_like(objects[0]))


def dots(ax):
    return [(line.get_xdata()[0], line.get_ydata()[0]) for line in ax.lines if line.get_marker() == "o"]


@pytest.fixture(scope="module")
def result():
    return load_result("burnt-snacks")


@pytest.fixture(scope="module")
def card():
    return load_card("burnt-snacks")


# ---- maps


def test_erasing_one_square():
    snack = snacks(1)
    versions = torch.cat([snack.images, snack.images * (snack.dark == 0), snack.images * (snack.light == 0)])
    figure = figures.erasing_one_square(snack, versions, torch.tensor([0.9, 0.1, 0.8]))
    assert isinstance(figure, Figure)
    assert [ax.get_title() for ax in figure.axes] == [
        "the image\np = 0.900",
        "dark square erased\np = 0.100",
        "light square erased\np = 0.800",
    ]
    assert [dots(ax) for ax in figure.axes] == [[(10.5, 10.5)], [], [(10.5, 10.5)]]  # not where it has been erased


def test_maps_are_summed_over_channels():
    maps = {"one": torch.ones(1, 1, 50, 50), "two": torch.ones(1, 2, 50, 50)}
    figure = figures.maps_of_one_image(snacks(1), maps)
    assert len(figure.axes) == 3 + 1  # and the scale
    assert [ax.get_title() for ax in figure.axes[:3]] == ["input", "one", "two"]
    assert [ax.get_xlabel() for ax in figure.axes[1:3]] == ["max |value| 1", "max |value| 2"]
    assert dots(figure.axes[0]) and not dots(figures.maps_of_one_image(snacks(1, dark=False), maps).axes[0])


def test_figure_4_has_a_row_for_each_method():
    maps = {name: torch.rand(8, 50, 50) for name in ("zero", "ICG")}
    figure = figures.figure_4(snacks(4), snacks(4, dark=False), maps)
    assert len(figure.axes) == 3 * 8 + 1
    assert [bool(dots(ax)) for ax in figure.axes[:8]] == [True] * 4 + [False] * 4
    with pytest.raises(ValueError, match="equal length"):
        figures.figure_4(snacks(4), snacks(4, dark=False), {"ICG": torch.rand(7, 50, 50)})


# ---- curves


def test_two_paths_draws_a_column_for_each():
    positions = torch.linspace(0, 1, 5)
    one, other = Square("dark square", 0.3, positions), Square("light square", 0.9, -positions)
    walks = {"A": SquaresOnPath(positions, positions, [one, other]), "B": SquaresOnPath(positions, positions, [other])}
    figure = figures.two_paths(walks)
    assert len(figure.axes) == 6 and [ax.get_title() for ax in figure.axes[:2]] == ["A", "B"]
    assert [[line.get_label() for line in ax.lines] for ax in figure.axes[:2]] == [
        ["dark square", "light square"],
        ["light square"],
    ]
    assert figure.axes[0].lines[1].get_ydata()[-1] == pytest.approx(0.9)  # a square is as light as it is in the image
    assert list(figure.axes[5].lines[0].get_ydata()) == list(-positions)


def test_the_way_along_certainty_counts_what_turns_back():
    certainty = torch.tensor([0, 0.5, 1])
    curves = {
        "straight": torch.tensor([[0.5, 0.5], [0.75, 0.25], [1, 0]]),
        "back and forth": torch.tensor([[0.5, 0.5], [1, 0], [0.5, 0.5]]),
    }
    figure = figures.along_certainty(certainty, curves, torch.tensor([1, 0]))
    assert [ax.get_title().split(": ")[1] for ax in figure.axes] == ["0.50 on average", "1.00 on average"]
    assert [line.get_color() for line in figure.axes[0].lines[:2]] == [figures.ORANGE, figures.BLUE]
    with pytest.raises(ValueError, match="zip"):
        figures.along_certainty(certainty, curves, torch.tensor([1, 0, 0]))


# ---- numbers


@pytest.mark.parametrize("output", ["probability", "logit"])
def test_the_table_has_every_method_once(result, output):
    made = [figures.methods_table(result, output, columns).data for columns in figures.COLUMNS]
    assert all(html in figures.methods_compared(result, output).data for html in made), "folded under the chart"
    html = made[1]
    methods = [row["method"] for row in result["rows"] if row["output"] == output and row["class"] == 1]
    assert html.count("<tr>") == 1 + len(methods) and len(set(methods)) == len(methods)
    for method in methods:
        assert html.count(f">{method}</th>") == 1
    hit = figures.measured(result, "ICG", output, "hit")
    theirs = result["authors"][output]["ICG"]["hit"]
    assert f"<b>{hit['mean']:.3f}</b><br><small>[{hit['low']:.2f}, {hit['high']:.2f}]" in html
    assert f"{theirs:.3f}" in html


def test_a_measure_that_is_missing_is_a_dash_in_the_table_and_refused_in_the_text(result):
    without = copy.deepcopy(result)
    row = next(r for r in without["rows"] if r["method"] == "ICG" and r["output"] == "logit" and r["class"] == 1)
    del row["hit"], row["gap"]
    found = figures.COLUMNS[1]
    dashes = [figures.methods_table(r, "logit", found).data.count("–") for r in (result, without)]
    assert dashes[1] == dashes[0] + 2
    for asked in (("ICG", "logit", "hit"), ("ICG", "odds", "hit"), ("none", "logit", "hit")):
        with pytest.raises(ValueError, match="expected a measured method"):
            figures.measured(without, *asked)


@pytest.mark.parametrize("output", ["probability", "logit"])
def test_the_chart_has_our_number_and_the_authors(result, output):
    html = figures.methods_compared(result, output).data
    light = figures.measured(result, "EG", output, "light")
    assert f"EG, this network: {light['mean']:.3f} [{light['low']:.3f}, {light['high']:.3f}]" in html
    assert f"EG, the authors’ weights: {result['authors'][output]['EG']['light']:.3f}<" in html


def test_each_claim_stands_beside_its_numbers(result, card):
    lines = figures.claims_of_the_paper(result, card).split("\n")
    for claim, column, method, output in figures.CLAIMS:
        number = lines[lines.index(claim) + 1]
        ours = figures.measured(result, method, output, column)["mean"]
        assert f"{column}: {ours:.3f} here" in number
        assert f"{result['authors'][output][method][column]:.3f} on theirs" in number
    assert "1, 2, 3 of them: 1.00, 2.00, 3.00" in lines[-1]


def test_damage_compared_has_both_networks(result):
    lines = figures.damage_compared(result).split("\n")
    assert len(lines) == 2 * 7
    paper = figures.measured(result, "ICG (paper's damage)", "probability", "dark")["mean"]
    blocks = figures.measured(result, "ICG", "probability", "dark")["mean"]
    assert lines[1].split() == ["dark", f"{paper:.3f}", f"{blocks:.3f}"]


def test_what_is_known_of_certainty(card):
    text = figures.known_of_certainty(card)
    metrics = card["metrics"]
    for name in (*metrics["at certainty 0"], *metrics["accuracy under damage"]):
        assert text.count(f"  {name} ") == 1
    shuffled = next(line for line in text.split("\n") if "shuffled" in line)
    assert "authors" not in shuffled  # that was not measured on theirs


def test_credit_divided_keeps_signs_and_names_who_gives_out_the_least():
    shares = {"fair": (0.7, -0.03), "EG": (0.1, 0.4), "AGN": (0.03, -0.03), "AGN, other class": (9, 9)}
    credit = [
        {"network": "burnt-snacks", "set": "dark square", "output": "probability", "method": name}
        | {"dark": dark, "light": light, "triangles": 0.0, "rest": -0.01}
        for name, (dark, light) in shares.items()
    ]
    credit[-1] |= {"method": "AGN", "set": "no dark square"}
    head, fair, *methods, last = figures.credit_divided({"credit": credit}).splitlines()
    assert head.split() == ["probability", "dark", "light", "triangles", "rest"]
    assert fair.split() == ["fair", "+0.70", "−0.03", "+0.00", "−0.01"]
    assert [line.split()[:3] for line in methods] == [["EG", "+0.10", "+0.40"], ["AGN", "+0.03", "−0.03"]]
    assert last == "AGN gives out the least: 9% of what is due, signs aside."  # 0.07 of 0.74
    assert figures.credit_divided({"credit": []}) == ""
