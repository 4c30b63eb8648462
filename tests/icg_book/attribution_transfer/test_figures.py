"""The chapter's figures, tables and summaries, on small made data."""

from fractions import Fraction

import pytest
import torch
from matplotlib.figure import Figure

from icg_book.attribution_transfer import axioms, figures
from icg_book.scenarios.landscapes import LANDSCAPES

CROSS = LANDSCAPES["cross"]
A, B = (torch.tensor([x], dtype=torch.float64) for x in ((0.6, 0.42), (0.7, 0.9)))


def rows(table):
    return table.data.count("<tr") - 1  # without the head


def test_the_cold_open_has_the_outputs_of_all_corners():
    figure = figures.cross_and_path(CROSS, A)
    (ax,) = figure.axes
    assert isinstance(figure, Figure)
    assert [text.get_text() for text in ax.texts] == ["0", "1", "0", "1"]


def test_figure_2_has_a_main_panel_and_one_for_each_feature():
    figure = figures.figure_2(CROSS, A, B)
    assert len(figure.axes) == 3
    outputs = [[text.get_text() for text in ax.texts if text.get_text()] for ax in figure.axes[1:]]
    assert outputs == [["0", "0", "1", "1"], ["0", "1", "0", "1"]]  # x1 alone changes nothing, x2 everything


def test_table_1_shades_what_rounding_does_not_explain():
    paper = {"A": {"BShap": (0, 1), "IG": (-0.11, 0.66)}}
    true = {"A": {"BShap": [Fraction(0), Fraction(1)], "IG": [Fraction(-9, 100), Fraction(66, 100)]}}
    ours = {"A": {name: torch.tensor([float(v) for v in pair]) for name, pair in true["A"].items()}}
    made = figures.table_1(paper, ours, true)
    assert rows(made) == 2
    assert made.data.count("background") == 1 and made.data.index("background") > made.data.index("A, BShap")
    assert "−9/100" in made.data


def test_credit_moved_is_drawn_and_counted():
    moved = {key: torch.full((4, 4), size) for key, size in (("cross", 1.0), ("corner", 0.5), ("additive", 0.0))}
    assert len(figures.credit_moved(moved).axes) == 4  # and the scale
    text = figures.credit_moved_shares(moved).splitlines()
    assert [line.split()[2] for line in text[1:]] == ["100%", "100%", "0%"]
    assert [line.split()[-2] for line in text[1:]] == ["100%", "0%", "0%"]


def test_verdicts_stand_in_axioms_by_methods():
    verdict = axioms.Verdict("completeness", True, 7, 0, None)
    failed = axioms.Verdict("completeness", False, 7, 3, {})
    made = figures.verdicts_table(
        {("one", "IG"): verdict, ("one", "BShap"): failed, ("two", "IG"): failed, ("two", "BShap"): verdict}
    )
    assert rows(made) == 2
    assert made.data.count("✓ <small>7 tests") == 2 and made.data.count("3 of 7 tests") == 2
    with pytest.raises(KeyError):
        figures.verdicts_table({("one", "IG"): verdict, ("two", "BShap"): verdict})


def test_closed_forms_stand_beside_numbers():
    values = {"product": torch.tensor([0.6, 1.8])}
    made = figures.closed_forms_table({"product": [(1, 0), (2, 1)]}, {"product": [Fraction(3, 5), 2]}, values, values)
    assert rows(made) == 1
    for text in ("(1, 0) → (2, 1)", "(3/5, 2)", "(0.6000, 1.8000)", "(0.6, 1.8)"):
        assert text in made.data


def test_reversals_and_what_is_paid_for_nothing():
    row = {"cancels": 0.25, "cancels, pixels": 0.5, "reversed": 0.0}
    lines = figures.reversals({"logit": [row, row, row | {"reversed": 1.0}]}, torch.tensor([1, 1, 0])).splitlines()
    assert lines[0].startswith("3 images") and "logit of a dark square:" in lines
    assert "   25% [25%, 25%] of the credit of objects cancels" in lines
    assert lines[-2].strip() == "0% in the 2 images with a dark square"
    assert lines[-1].strip() == "100% in the 1 images without"
    text = figures.paid_for_nothing([["light"], [], ["light", "dark"], ["light"]])
    assert text.startswith("75%") and text.endswith("3 light squares, 1 dark squares, 0 triangles")


def test_sentences_are_broken_outside_of_brackets():
    text = figures.wrapped("word " * 12 + "and a point (0.123, 0.456) that must stay together")
    assert max(map(len, text.splitlines())) <= 70 and "(0.123, 0.456)" in text
    assert figures.pair(torch.tensor([-0.0001, 0.75])) == "(0, 0.75)"
