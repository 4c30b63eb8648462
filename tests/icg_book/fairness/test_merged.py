"""Ledgers become one: what is better, case by case and curve by curve."""

import copy

import pytest

from icg_book.fairness.merged import COST, MADE, ROUNDED, WHOSE, alike, merged

DIGITS, SNACKS = ("MNIST", "mnist", None, "logit"), ("Burnt Snacks", "burnt-snacks", "dark square", "probability")


def ledger(date, cases, *, curves=(), weights="w"):
    """``cases``: ``{(scenario, network, set, output): (n, methods)}``; numbers are dates, so that one sees whose."""
    names = {whose: dict(zip(WHOSE, whose, strict=True)) for whose in cases}
    networks = {whose[1] for whose in cases}
    result = {part: [] for part in ("games", "credit", "examples")}
    result["references"] = [name | {"noise": date} for whose, name in names.items() if cases[whose][0]]
    result["rows"] = [
        name | {"method": method, "reference": "network", "distance": {"mean": date, "n": cases[whose][0]}}
        for whose, name in names.items()
        for method in cases[whose][1]
    ]
    result["curves"] = [
        dict(zip(WHOSE, whose, strict=True)) | {"method": method, "inputs": n, "distance": [{"mean": date}]}
        for whose, method, n in curves
    ]
    settings = {
        "inputs": [name | {"n": cases[whose][0]} for whose, name in names.items()],
        "evaluations": 64,
        COST: dict.fromkeys(networks, date),
        "references": {"exact": "up to 20 players", "largest error": {"MNIST": 0.02}},
        "precision": {"bfloat16": ["EG"], ROUNDED: dict.fromkeys(networks, date)},
        "missing": [],
    }
    made = {name: date for name in MADE}
    return result | {"settings": settings, "weights": dict.fromkeys(networks, weights), **made}


def dates(found, part="rows"):
    """Whose entries there are: ``{(network, method): date}``."""
    mean = {"rows": lambda row: row["distance"]["mean"], "curves": lambda row: row["distance"][0]["mean"]}[part]
    return {(row["network"], row["method"]): mean(row) for row in found[part]}


@pytest.mark.parametrize(
    "old, new, wanted",
    [
        ((5, ["ICG"]), (5, ["ICG"]), 2),
        ((5, ["ICG"]), (6, ["ICG"]), 2),
        ((6, ["ICG"]), (5, ["ICG", "EG"]), 1),
        ((5, ["ICG", "EG"]), (5, ["ICG"]), 1),  # not the one that lacks a row
        ((5, ["ICG", "EG"]), (6, ["ICG"]), 1),
        ((5, ["ICG"]), (6, ["ICG", "EG"]), 2),
        ((5, ["ICG"]), (0, []), 1),
        ((0, []), (5, ["ICG"]), 2),
    ],
)
def test_a_case_comes_whole_from_one_run(old, new, wanted):
    found = merged(ledger(1, {DIGITS: old}), ledger(2, {DIGITS: new}))
    source = {1: old, 2: new}[wanted]
    assert dates(found) == {("mnist", method): wanted for method in source[1]}
    [entry] = found["settings"]["inputs"]
    assert entry["n"] == source[0] and entry["made"] == dict.fromkeys(MADE, wanted)
    assert [reference["noise"] for reference in found["references"]] == [wanted]
    assert found["date"] == 2


@pytest.mark.parametrize("part, name", [("games", "game"), ("examples", "number"), ("rows", "reference")])
def test_a_case_that_lacks_an_entry_of_any_kind_is_not_better(part, name):
    before, now = ledger(1, {DIGITS: (5, ["ICG"])}), ledger(2, {DIGITS: (5, ["ICG"])})
    before[part].append(before["rows"][0] | {name: 7})
    assert set(dates(merged(before, now)).values()) == {1}
    now[part].append(now["rows"][0] | {name: 7})
    assert set(dates(merged(before, now)).values()) == {2}


def test_cases_of_each_stay():
    before, now = ledger(1, {SNACKS: (5, ["EG"])}), ledger(2, {DIGITS: (3, ["EG"])})
    kept = copy.deepcopy((before, now))
    found = merged(before, now)
    assert list(dates(found).items()) == [(("mnist", "EG"), 2), (("burnt-snacks", "EG"), 1)]
    assert found["weights"] == {"mnist": "w", "burnt-snacks": "w"}
    assert found["settings"][COST] == {"mnist": 2, "burnt-snacks": 1} == found["settings"]["precision"][ROUNDED]
    assert (before, now) == kept
    again = merged(found, ledger(3, {SNACKS: (0, []), DIGITS: (3, ["EG"])}))  # how a case was made stays with it
    assert [entry["network"] for entry in again["settings"]["inputs"]] == ["burnt-snacks", "mnist"]  # as now has them
    assert again["settings"][COST] == {"mnist": 3, "burnt-snacks": 3}  # what is measured last
    assert {e["network"]: e["made"]["date"] for e in again["settings"]["inputs"]} == {"mnist": 3, "burnt-snacks": 1}


def test_curves_that_stand_together_are_over_the_same_inputs():
    def curves(*of_old, now=()):
        cases = {DIGITS: (9, ["EG"])}
        old = ledger(1, cases, curves=[(DIGITS, *curve) for curve in of_old])
        return merged(old, ledger(2, {DIGITS: (3, ["EG"])}, curves=[(DIGITS, *curve) for curve in now]))

    found = curves(("EG", 5), ("zero IG", 5), now=[("ICG", 5), ("EG", 5)])
    assert list(dates(found, "curves").items()) == [  # as the legend has them
        (("mnist", "zero IG"), 1),
        (("mnist", "EG"), 2),
        (("mnist", "ICG"), 2),
    ]
    assert dates(found) == {("mnist", "EG"): 1}
    more = curves(("EG", 9), ("ICG", 4), ("zero IG", 4), now=[("AGN", 9)])
    assert dates(more, "curves") == {("mnist", "EG"): 1, ("mnist", "AGN"): 2}  # as many curves, and more inputs
    assert set(dates(curves(("EG", 9), now=[("ICG", 4), ("AGN", 4)]), "curves").values()) == {2}
    assert set(dates(curves(("EG", 4), ("AGN", 4), now=[("ICG", 9)]), "curves").values()) == {1}
    assert curves()["curves"] == []


def test_of_fair_shares_found_otherwise_nothing_stays():
    both = {DIGITS: (5, ["EG"]), SNACKS: (5, ["EG"])}
    before = ledger(1, both, curves=[(DIGITS, "EG", 5), (SNACKS, "EG", 5)])
    now = ledger(2, {DIGITS: (3, ["EG"]), SNACKS: (0, [])}, curves=[(DIGITS, "ICG", 3)])
    now["settings"]["references"]["largest error"] = {"MNIST": 0.01}
    found = merged(before, now)  # the other scenario is as it was
    assert dates(found) == {("mnist", "EG"): 2, ("burnt-snacks", "EG"): 1}
    assert dates(found, "curves") == {("mnist", "ICG"): 2, ("burnt-snacks", "EG"): 1}
    now["settings"]["references"]["exact"] = "up to 10 players"  # said of all
    assert dates(merged(before, now)) == {("mnist", "EG"): 2}


def test_of_other_weights_nothing_stays():
    before = ledger(1, {SNACKS: (5, ["EG"]), DIGITS: (5, ["EG"])})
    now = ledger(2, {DIGITS: (3, ["ICG"])})
    now["weights"] |= {"mnist": "new", "burnt-snacks": "w", "never measured": "w"}
    found = merged(before, now)
    assert dates(found) == {("mnist", "ICG"): 2, ("burnt-snacks", "EG"): 1}
    assert found["weights"] == {"mnist": "new", "burnt-snacks": "w"}
    now["weights"]["burnt-snacks"] = "new"  # trained again, and not measured since
    found = merged(before, now)
    assert {entry["network"] for part in ("rows", "references") for entry in found[part]} == {"mnist"}
    settings = found["settings"]
    assert set(settings[COST]) == set(settings["precision"][ROUNDED]) == set(found["weights"]) == {"mnist"}
    assert [entry["network"] for entry in settings["inputs"]] == ["mnist"]


def test_of_other_settings_nothing_stays():
    before, now = ledger(1, {SNACKS: (5, ["EG"])}), ledger(2, {DIGITS: (3, ["EG"])})
    before["settings"]["evaluations"] = (64,)
    now["settings"]["evaluations"] = [64]  # as read from a file
    before["settings"] = dict(reversed(before["settings"].items()))
    assert alike(before, now)
    now["settings"]["evaluations"] = [32]
    assert not alike(before, now) and dates(merged(before, now)) == {("mnist", "EG"): 2}
    now["settings"]["evaluations"], now["settings"]["precision"]["bfloat16"] = [64], []
    assert not alike(before, now)
