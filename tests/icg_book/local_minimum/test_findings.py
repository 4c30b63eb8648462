"""What is said of the results follows from their intervals."""

import copy

import pytest

from icg.artifacts import load_card, load_result
from icg_book.local_minimum import findings


def around(mean, half=0.01):
    return {"mean": mean, "low": mean - half, "high": mean + half}


@pytest.fixture
def result():
    return copy.deepcopy(load_result("local-minimum"))


@pytest.mark.parametrize("a, b, verdict", [(0.9, 0.8, 1), (0.8, 0.9, -1), (0.9, 0.89, 0)])
def test_closer_needs_intervals_apart(a, b, verdict):
    comparison = {"exact SHAP": {"A": {"correlation": around(a)}, "B": {"correlation": around(b)}}}
    assert findings.closer(comparison, "A", "B", "correlation") == verdict


def test_a_smaller_difference_is_closer():
    measure = "largest difference"
    comparison = {"score": {"A": {measure: around(0.1)}, "B": {measure: around(0.5)}}}
    assert findings.closer(comparison, "A", "B", measure, "score") == 1
    assert findings.closer(comparison, "B", "A", measure, "score") == -1


def test_baselines_that_are_not_beaten_are_named(result):
    assert findings.icg_against_baselines(result).count("yes, than all of them") == 6
    icg = result["comparison"]["exact SHAP"]["ICG"]["correlation"]
    for method in ("EG", "AGN"):
        result["comparison"]["exact SHAP"][method]["correlation"] = dict(icg)
    lines = findings.icg_against_baselines(result).split("\n")
    assert lines[1] == "  correlation: not than EG, AGN."
    assert lines[2] == "  sign agreement: yes, than all of them."


def test_networks_in_which_icg_win_are_counted(result):
    for found in result["seeds"].values():
        found["to exact SHAP"]["ICG"]["largest difference"]["mean"] = 9.0
    lines = findings.icg_against_boundary(result).split("\n")
    assert lines[-2] == f"  largest difference: 0 of {len(result['seeds'])}."


def test_accuracies_and_raw_values(result):
    card = load_card("local-minimum")
    for seed, found in result["seeds"].items():
        found["accuracy"] = 0.5 if seed == "0" else 0.99
    text = findings.accuracies(result, card)
    assert text.startswith("4 of 5 seeds reach 98 %; from 50.00% to 99.00%.")
    assert max(map(len, text.split("\n"))) <= 72
    result["table"]["AGN"] = [-1.0, 0.25, 0, 0, 0, 0]
    names = list("abcdef")
    lines = findings.raw_values(result, names).split("\n")
    assert "  AGN                +0.250   sum -0.750" in lines
    assert [line[2] for line in lines[-6:]] == names
    with pytest.raises(ValueError, match="zip"):
        findings.raw_values(result, names[:5])
