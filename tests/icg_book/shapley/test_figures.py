"""Figures, tables and reports of the Shapley chapter, on small data."""

import pytest
import torch

from icg_book.scenarios.games import GAMES
from icg_book.scenarios.landscapes import LANDSCAPES
from icg_book.shapley import figures

PAIR = torch.tensor([0.25, 0.75], dtype=torch.float64)
RUNS = {(paired, m): (PAIR, PAIR / m) for paired in (False, True) for m in (2, 4, 8, 16, 32, 256)}


def rows(table):
    """Of a table: its rows, without the head."""
    return table.data.count("<tr") - 1


def test_owned_and_fair_shares_has_six_numbered_bars_in_each_panel():
    games = [GAMES["glove"], GAMES["majority"]]
    fair = {game.name: torch.tensor([0.1, 0.2, 0.7]) for game in games}
    axes = figures.owned_and_fair_shares(games, fair).axes
    assert [len(ax.patches) for ax in axes] == [6, 6]
    assert [text.get_text() for text in axes[1].texts] == ["0.49", "0.48", "0.03", "0.10", "0.20", "0.70"]


def test_orderings_table_has_a_row_for_each_ordering_and_the_means():
    found = figures.orderings_table(GAMES["glove"])
    assert rows(found) == 7 and "<b>mean</b>" in found.data and "2/3" in found.data


def test_games_table_says_where_a_closed_form_is_known():
    two = {key: (GAMES[key], torch.zeros(GAMES[key].n)) for key in ("glove", "network")}
    found = figures.games_table(two).data
    assert found.index(">yes<") < found.index(">no<") and "Dark 0, Square 0" in found


def test_rules_table_marks_what_is_broken():
    found = figures.rules_table({"a": {"efficiency": True, "symmetry": False}}).data
    assert found.count("✓") == found.count("✗") == 1 and "symmetry" in found


def test_section_a13_has_the_papers_numbers_below_ours():
    values = {name: torch.arange(4.0) for name in ("BShap", "SHAP")}
    found = figures.section_a13(values, {name: -PAIR for name in values})
    assert rows(found) == 2 and "−0.250<br><small>-0.11" in found.data
    with pytest.raises(ValueError, match="zip"):
        figures.section_a13(values, {name: torch.ones(1) for name in values})


def test_credits_text():
    assert figures.credits_text({"IG": PAIR[None] - 0.5}) == "IG     x1 −0.250, x2 0.250"


def test_figure_6_has_three_panels_and_the_input_in_each():
    axes = figures.figure_6(LANDSCAPES["cross"], (0.6, 0.42)).axes
    assert [[text.get_text() for text in ax.texts] for ax in axes] == [["$x$", "$x'$"], ["$x$", "$x'$"], ["$x$"]]


def test_bumps_table():
    found = figures.bumps_table({"here": {"IG": 0.0, "SHAP": 0.5}, "there": {"IG": -0.1, "SHAP": 0.0}})
    assert rows(found) == 2 and ">0<" in found.data and ">−0.100<" in found.data


def test_sampling_is_drawn_and_reported():
    figure = figures.sampling_errors(RUNS, PAIR + 0.25)
    assert len(figure.axes) == 2 and len(figure.axes[1].lines) == 4
    lines = figures.sampling_report(RUNS, PAIR + 0.25).split("\n")
    assert len(lines) == 11 and lines[2].split() == ["4", "0.140", "0.250", "50%"]
    assert lines[7].endswith("by 4.00") and lines[8].endswith("by 1.00") and lines[9].endswith(": 1.000000")


def test_meanings_table_adds_up():
    assert ">1.000<" in figures.meanings_table({"zero": PAIR[None]}, ["Dark", "Large"]).data


def test_cost_of_exact_values():
    lines = figures.cost_of_exact_values([3, 4], pixels=10).split("\n")
    assert len(lines) == 3 and " 16 coalitions" in lines[1] and lines[2].endswith("with 4 digits")
