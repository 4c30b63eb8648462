"""What chapters take from the fairness ledger, on a small made-up one."""

import re

import pytest

from icg_book.kit.ledger import fair_table, fairest, how_fair, ranked, rows

CASE = ("Toy", "toy-network")


def around(mean, half=0.05):
    return {"mean": mean, "low": None if mean is None else mean - half, "high": mean and mean + half, "n": 1234}


def row(method, distance, output="probability", reference="network", scenario="Toy", images=None):
    return {
        "scenario": scenario,
        "network": "toy-network",
        "set": images,
        "output": output,
        "method": method,
        "evaluations": 2048,
        "reference": reference,
        "distance": around(distance),
        "correlation": around(-0.5),
        "bystanders": around(None),
    }


def made(distances):
    """A ledger of one scenario; what else is in it would be fairer than all."""
    asked = [row(method, distance) for method, distance in distances.items()]
    others = [row("EG", 0.0, "logit"), row("EG", 0.0, reference="own game"), row("EG", 0.0, images="class 1")]
    return {"rows": [*others, *asked, row("EG", 0.0, scenario="Other")], "credit": [{"method": "EG", "dark": 0.5}]}


def text(table):
    """Rows as lists of texts."""
    found = re.findall(r"<tr.*?</tr>", table.data)
    return [[re.sub(r"<[^>]*>", " ", cell).split() for cell in re.findall(r"<t[hd].*?</t[hd]>", one)] for one in found]


def test_rows_match_all_that_is_asked():
    ledger = made({"ICG": 0.4, "EG": 0.9})
    found = rows(ledger, method="EG", reference="network", scenario="Toy", output="probability")
    assert [one["distance"]["mean"] for one in found] == [0.0, 0.9]
    assert rows(ledger, scenario="Nowhere") == []
    assert rows(ledger, "credit", method="EG") == [{"method": "EG", "dark": 0.5}]


def test_the_table_begins_with_the_fairest_and_has_this_case_alone():
    table = fair_table(made({"EG": 0.9, "ICG": 0.4, "AGN": None}), *CASE)
    head, first, second = text(table)  # AGN was not measured
    assert [first[0], second[0]] == [["ICG"], ["EG"]]
    assert first[1:] == [["2,048"], ["0.40", "[0.35,", "0.45]"], ["−0.50", "[−0.55,", "−0.45]"], ["–"]]
    assert "<b>Toy, probability</b>, 1,234 inputs." in table.data and "Shapley" in table.data
    assert len(head) == 5


def test_outputs_and_sets_are_chosen():
    assert list(ranked(made({"ICG": 0.4}), *CASE, output="logit")) == ["EG"]
    assert ranked(made({"ICG": 0.4}), *CASE, "class 1")["EG"]["set"] == "class 1"


@pytest.mark.parametrize("case", [("Nowhere", "toy-network"), ("Toy", "another"), (*CASE, "class 2")])
def test_an_empty_choice_is_an_error(case):
    for function in (ranked, fair_table, fairest):
        with pytest.raises(ValueError, match=f"expected rows of the ledger for {', '.join(case)}"):
            function(made({"ICG": 0.4}), *case)


def test_words_say_who_is_fairest_and_tell_apart_only_what_intervals_do():
    assert fairest(made({"permutation sampling": 0.1, "random": 0.2, "EG": 0.9, "ICG": 0.4, "AGN": 1.0}), *CASE) == (
        "Fairest map: ICG, 0.40. Fairest without certainty: EG, 0.90. "
        "ICG is measurably fairer than all of the 2 methods without certainty."
    )
    words = fairest(made({"ICG": 0.4, "EG": 0.2, "AGN": 0.45, "SIG": 0.9, "random-path": 0.35}), *CASE)
    assert words == (
        "Fairest map: EG, 0.20. "
        "ICG is measurably fairer than 1 of the 3 methods without certainty, and less fair than EG."
    )
    words = fairest(made({"ICG": 0.4, "random-path": 0.42, "EG": 0.52}), *CASE)
    assert words.startswith(
        "Fairest map: ICG, 0.40, which can't be told from random-path. Fairest without certainty: EG, 0.52."
    )
    assert fairest(made({"EG": 0.2}), *CASE) == "Fairest map: EG, 0.20."
    assert fairest(made({"permutation sampling": 0.2}), *CASE) == ""


def test_both_outputs_with_their_sentences_or_a_note():
    shown = how_fair(made({"ICG": 0.4}), *CASE).data
    assert shown.count("<table") == 2 and shown.count("Fairest map") == 2
    assert shown.index("Toy, probability") < shown.index("Toy, logit")
    nothing = how_fair(made({"ICG": None}), "Nowhere", "toy-network").data
    assert "<table" not in nothing and "has no row of Nowhere" in nothing and "chapter on fairness" in nothing
