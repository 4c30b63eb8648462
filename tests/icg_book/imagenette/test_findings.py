"""The verdicts of the chapter follow from intervals, and its sentences from what was measured."""

import copy

import pytest

from icg_book.imagenette import findings
from icg_book.imagenette.findings import EG, ICG, LESS, better, sides, smaller, tally, tighter
from icg_book.imagenette.networks import GATED, LARGE, SMALL, shipped_cards, shipped_results

FEWER = {"mean": -0.2, "low": -0.3, "high": -0.1, "n": 9}
MORE = {"mean": 0.2, "low": 0.1, "high": 0.3, "n": 9}
UNCLEAR = {"mean": 0.1, "low": -0.1, "high": 0.3, "n": 9}


@pytest.fixture
def cards():
    return shipped_cards()


@pytest.fixture
def results():
    return {SMALL: copy.deepcopy(shipped_results()[SMALL])}


@pytest.mark.parametrize(
    "difference, verdict",
    [
        (FEWER, "first"),
        (MORE, "second"),
        (UNCLEAR, "can't be told"),
        ({"mean": 0.1, "low": 0.0, "high": 0.2}, "can't be told"),
        (None, "not measured"),
        ({"mean": None, "low": None, "high": None}, "not measured"),
    ],
)
def test_smaller(difference, verdict):
    assert smaller(difference, "first", "second") == verdict


def test_sides_leave_out_icg_itself_and_what_cannot_be_told():
    methods = {
        "a": {LESS: FEWER},
        "b": {LESS: MORE},
        "c": {LESS: UNCLEAR},
        "d": {},
        "e": {LESS: FEWER},
        ICG: {LESS: FEWER},
    }
    assert sides(methods, lambda m: m, "tighter", "wider") == {"tighter": ["a", "e"], "wider": ["b"]}


def test_a_large_area_is_good_at_insertion_and_bad_at_deletion(results):
    eg = results[SMALL]["methods"][EG]
    for way in ("deletion", "insertion"):
        eg[way]["certainty"]["area"][LESS] = MORE
    assert better(results[SMALL], "deletion", "certainty") == "ICG"
    assert better(results[SMALL], "insertion", "certainty") == EG
    for name, measured in results[SMALL]["methods"].items():
        for way in ("deletion", "insertion"):
            measured[way]["certainty"]["area"][LESS] = MORE if name == "AGN" else UNCLEAR
    text = findings.on_deletion(results)
    assert "deletion, certainty taken: better: none; worse: AGN" in text
    assert "insertion, certainty taken: better: AGN; worse: none" in text


def test_tightness(results):
    for measured in results[SMALL]["methods"].values():
        for measure in findings.MEASURES:
            for form in ("raw", "blurred"):
                measured[measure][form][LESS] = UNCLEAR
    eg = results[SMALL]["methods"][EG]
    eg["spread"]["raw"][LESS], eg["entropy"]["blurred"][LESS] = FEWER, MORE
    verdicts = tighter(results[SMALL])
    assert len(verdicts) == 6 and verdicts["spread", "raw"] == EG and verdicts["entropy", "blurred"] == "ICG"
    assert tally(verdicts.values()) == "ICG tighter 1, EG tighter 1, undecided 4"
    lines = findings.on_tightness(results).splitlines()
    assert "  spread, raw; tighter than ICG averaged: EG; less tight: none" in lines
    assert "  entropy, blurred; tighter than ICG averaged: none; less tight: EG" in lines


def test_where_others_are_ahead_says_nothing_where_nobody_is(results):
    methods = results[SMALL]["methods"]
    for name in [name for name in methods if name not in (ICG, EG)]:
        del methods[name]
    eg = methods[EG]
    for found in (eg[k][form] for k in findings.MEASURES for form in ("raw", "blurred")):
        found[LESS] = MORE
    for way, kind in findings.WAYS:
        eg[way][kind]["area"][LESS] = MORE if way == "deletion" else FEWER
    for kind in ("black borders", "other borders"):
        eg[kind][LESS] = MORE
    eg["evaluations"] = methods[ICG]["evaluations"]
    assert len(findings.where_others_are_ahead(results).splitlines()) == 1
    eg["insertion"]["blurring"]["area"][LESS] = MORE
    eg["black borders"][LESS] = FEWER
    eg["evaluations"] -= 1
    assert findings.where_others_are_ahead(results).splitlines()[1:] == [
        "  insertion, blurred: EG better",
        "  black borders: less credit by EG",
        "  gradients for a map, 60: fewer for EG",
    ]


def test_borders_that_no_photograph_has_are_left_out(results):
    result = results[SMALL]
    assert findings.kinds_of_borders(result) == ["black borders", "other borders"]
    result["borders"]["other borders"]["area"] = None
    assert findings.kinds_of_borders(result) == ["black borders"]
    result["methods"][EG]["black borders"][LESS] = UNCLEAR
    text = findings.on_borders(results).replace("\n    ", " ")
    assert "ResNet-18, black borders" in text and "ResNet-18, other borders" not in text
    assert "Less credit on it: can't be told." in text


def test_accuracy(cards):
    text = findings.on_accuracy(cards, paper=0.0)
    assert text.count("paper's accuracy         met") == 4 and "not shipped" not in text
    assert findings.on_accuracy(cards, paper=0.999).count("paper's accuracy         NOT met") == 4
    ahead = 100 * (cards[GATED]["metrics"]["accuracy"]["all"] - cards[SMALL]["metrics"]["accuracy"]["all"])
    assert f"ResNet-18, gated, less ResNet-18, in the end: {ahead:+.1f} points" in text
    at = cards[SMALL]["metrics"]["accuracy"]["all"]
    assert "NOT met (within the interval)" in findings.on_accuracy(cards, paper=at + 1e-4)
    few = findings.on_accuracy({SMALL: cards[SMALL]}, paper=0.824)
    assert "ResNet-50: not shipped" in few and "plain twin: not shipped" in few and "points" not in few


def test_how_much_certainty_is_enough(cards):
    card = copy.deepcopy(cards[LARGE])
    card["metrics"]["accuracy against certainty"] |= {
        "certainty": [0.0, 0.5, 0.8, 1.0],
        "uniform": [0.2, 0.71, 0.73, 0.8],
        "another photograph": [0.1, 0.2, 0.5, 0.8],
    }
    text = findings.on_little_certainty({LARGE: card}).replace("\n    ", " ")
    assert "certain to 80%" in text and "20% with the photograph in front of it, 10% with another one" in text


def test_sanity_has_a_line_for_each_map(results):
    lines = findings.on_sanity(results).splitlines()
    measured = [name for name, found in results[SMALL]["methods"].items() if "sanity" in found]
    assert [line[2:22].strip() for line in lines[1:-1]] == measured and "random" not in measured


def test_lines_fit_the_page(cards, results):
    texts = [
        findings.on_tightness(results),
        findings.on_borders(results),
        findings.on_deletion(results),
        findings.where_others_are_ahead(results),
        findings.on_little_certainty(cards),
    ]
    assert max(len(line) for text in texts for line in text.splitlines()) <= 76
