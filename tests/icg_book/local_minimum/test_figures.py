"""Figures and tables of the chapter: what is drawn for small made data, and for the results that it ships."""

import copy

import pytest
import torch
from matplotlib.figure import Figure

from icg.artifacts import load_card, load_result
from icg_book.local_minimum import figures
from icg_book.local_minimum.experiment import METHODS
from icg_book.local_minimum.findings import MEASURES
from icg_book.scenarios.local_minimum import PAPER_INPUT

NAMES = ["0.1", "0.2", "0.3", "0.6", "0.7", "0.9"]


@pytest.fixture(scope="module")
def result():
    return load_result("local-minimum")


# ---- the scenario and the network


def test_figure_5_has_a_dot_for_each_component_in_the_colour_of_its_score():
    figure = figures.figure_5(PAPER_INPUT)
    (ax,) = figure.axes
    assert isinstance(figure, Figure)
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert [dot.get_color() for dot in dots] == [figures.BLUE] * 3 + [figures.ORANGE] * 3
    assert [text.get_text() for text in ax.texts] == [*NAMES, "local minimum"]
    with pytest.raises(ValueError, match="values"):
        figures.figure_5(PAPER_INPUT + 1)


def test_credit_of_one_component():
    (ax,) = figures.credit_of_one({"AGN": -0.25, "ICG": 0.5}).axes
    assert [bar.get_width() for bar in ax.patches] == [-0.25, 0.5]
    assert [text.get_text() for text in ax.texts] == ["−0.250", "+0.500"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["AGN", "ICG"]


def test_a_row_for_each_seed(result):
    html = figures.seeds_table(result, load_card("local-minimum")).data
    assert html.count("<tr>") == 1 + len(result["seeds"]) + 1  # head and paper
    without = copy.deepcopy(result)
    without["seeds"]["0"]["curve"] = None  # a network that was trained by another command
    assert figures.seeds_table(without, load_card("local-minimum")).data.count("–") == html.count("–") + 2


def test_a_dot_for_each_coalition():
    truth, size = torch.linspace(0, 1, 64), torch.arange(64) % 7
    (ax,) = figures.game_learnt(truth, truth, size).axes
    shown = [line for line in ax.lines if line.get_marker() == "o"]
    assert [line.get_label() for line in shown] == list("0123456")
    assert sum(len(line.get_xdata()) for line in shown) == 64


def test_credit_is_gathered_by_the_trapezoid_rule():
    gamma = torch.linspace(0, 1, 11)
    slopes = torch.stack([torch.ones(11), 2 * gamma], 1)
    torch.testing.assert_close(figures.gathered(slopes), torch.stack([gamma, gamma**2], 1), atol=1e-6, rtol=0)


def test_along_certainty():
    gamma = torch.linspace(0, 1, 11)
    slopes = torch.arange(6.0).repeat(11, 1)
    both = {"ideal": slopes, "network": 2 * slopes}
    left, right = figures.along_certainty(gamma, {"ideal": gamma, "network": gamma / 2}, both).axes
    assert [line.get_label() for line in left.lines] == ["ideal", "network"]
    ends = {line.get_label(): line.get_ydata()[-1] for line in right.lines if line.get_label().startswith(".")}
    assert ends == {".9": pytest.approx(10), ".7": pytest.approx(8), ".1": 0}  # of the network


# ---- table 2


def test_table_2_has_the_papers_numbers_below_ours(result):
    html = figures.table_2(result, NAMES).data
    assert html.count("<tr>") == 1 + 6 and html.count("scope='col'") == 1 + len(figures.TABLE_2)
    assert html.count("opacity:.65") == 6 * 8  # two columns are not in the paper
    last = html.split("<tr>")[-1]
    assert "<b>1.00</b><br><small style='opacity:.65'>1.00</small>" in last  # the scaled score of 0.9
    with pytest.raises(ValueError, match="shorter|longer"):
        figures.table_2(result, NAMES[:5])


@pytest.mark.parametrize(
    "column, expected",
    [
        ([-0.5, 1.0, 2.0], [-0.25, 0.5, 1.0]),
        ([-2.0, -1.0, 0.1], [-1.0, -0.5, 0.05]),  # nothing is clearly positive
        ([-2.0, -1.0, -4.0], [-0.5, -0.25, -1.0]),
    ],
)
def test_columns_are_scaled_as_in_the_paper(column, expected):
    assert figures.scaled(column).tolist() == pytest.approx(expected)


# ---- what Shapley says, and the claim in numbers


def test_joining_states_the_mean_of_each_curve():
    gains = torch.zeros(6, 6, dtype=torch.float64)
    gains[0], gains[4, 0] = -0.25, 0.6
    (ax,) = figures.joining(gains).axes
    assert [text.get_text() for text in ax.texts] == ["mean −0.2500", "mean +0.0000", "mean +0.1000"]


def test_one_component_swept_has_a_panel_for_each_curve_and_no_line_across_a_jump():
    place = torch.linspace(0, 1, 101).double()
    figure = figures.one_component_swept(place, {"flat": 0 * place, "jump": (place > 0.8).double()})
    assert [ax.get_title() for ax in figure.axes] == ["flat", "jump"]
    gaps = [sum(int(torch.tensor(line.get_ydata()).isnan().sum()) for line in ax.lines[2:6]) for ax in figure.axes]
    assert gaps == [0, 1]


def test_every_method_is_in_the_comparison(result):
    for reference in ("exact SHAP", "score"):
        html = figures.comparison_table(result, reference).data
        assert html.count("<tr>") == 1 + len(METHODS) and f"<b>{reference}</b>" in html
    figure = figures.comparison(result)
    assert len(figure.axes) == len(MEASURES) * len(result["comparison"])
    dots = [sum(line.get_marker() == "o" for line in ax.lines) for ax in figure.axes]
    itself = {"BShap", "certainty-SHAP"}  # a method is not compared with itself
    assert dots == [len(METHODS) - (reference in itself) for _ in MEASURES for reference in result["comparison"]]


def test_beside_the_boundary():
    levels = torch.linspace(0.49, 0.51, 5)
    figure = figures.beside_the_boundary(levels, torch.rand(5, 3), [0.9, 0.8, 0.1], 0.5)
    assert [ax.get_title().split("\n")[0] for ax in figure.axes] == list(MEASURES)
    assert all([text.get_text() for text in ax.texts] == ["ours", "paper's"] for ax in figure.axes)
    with pytest.raises(ValueError, match="zip"):
        figures.beside_the_boundary(levels, torch.rand(5, 2), [0.9, 0.8, 0.1], 0.5)
