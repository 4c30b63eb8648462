"""Each table of the chapter has a row for what was measured, with the numbers that were measured."""

import copy
import re

import pytest

from icg_book.imagenette import tables
from icg_book.imagenette.findings import EG, ICG
from icg_book.imagenette.networks import LARGE, SMALL, TWIN, shipped_cards, shipped_results


@pytest.fixture
def cards():
    return shipped_cards()


@pytest.fixture
def result():
    return copy.deepcopy(shipped_results()[SMALL])


def cells(made):
    """The texts of all rows under the head, without tags."""
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", made.data.split("<tbody>")[1], re.S)
    return [[re.sub(r"<[^>]+>", " ", cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in rows]


def test_networks(cards):
    cards[TWIN] = copy.deepcopy(cards[TWIN]) | {"device": "<cpu>"}
    made = tables.networks(cards, 0.824)
    rows = {name.strip(): values for name, *values in cells(made)}
    assert len(rows) == 12 and all(len(values) == 5 for values in rows.values())
    assert rows["accuracy"][-1] == "82.4%" and rows["accuracy"][0].startswith(
        f" {cards[SMALL]['metrics']['accuracy']['all']:.1%}"
    )
    assert rows["weights"][0] == f"{cards[SMALL]['parameters']:,}" and rows["weights"][-1] == "ResNet-50"
    assert rows["trained on"][1] == "&lt;cpu&gt;"


def test_at_certainty_zero(cards):
    rows = cells(tables.at_certainty_zero({LARGE: cards[LARGE]}))
    assert [float(value) for _, value in rows] == pytest.approx(
        [cards[LARGE]["metrics"][a][b] for a, b in (("absence", "sd"), ("absence", "max"), ("neutrality", "all"))],
        abs=5e-4,
    )


def test_tables_with_a_row_for_each_method(result):
    made = [
        tables.tightness(SMALL, result, "raw"),
        tables.areas_under_curves(SMALL, result),
        tables.luck_and_cost(SMALL, result),
        tables.credit_on_borders(SMALL, result, "black borders"),
    ]
    for one in made:
        assert [row[0] for row in cells(one)] == list(result["methods"])
    assert f"{result['methods'][EG]['entropy']['blurred']['mean']:.3f}" in str(
        cells(tables.tightness(SMALL, result, "blurred"))
    )


def test_what_was_not_measured_is_a_dash(result):
    rows = {name: values for name, *values in cells(tables.luck_and_cost(SMALL, result))}
    assert rows["random"][3:] == ["–", "–", "–"] and rows["gradient"][:2] == ["–", "–"]
    assert "–" not in rows[ICG]
    del result["methods"]["AGN"]["black borders"]
    rows = {name: values for name, *values in cells(tables.credit_on_borders(SMALL, result, "black borders"))}
    assert "AGN" not in rows and rows[ICG][-1] == "–" and rows[EG][-1] != "–"


def test_eg_less_icg(result):
    rows = cells(tables.eg_less_icg(SMALL, result))
    assert len(rows) == 6 and {row[2] for row in rows} <= {"EG", "ICG", "can't be told"}


def test_claims(cards, result):
    made = cells(tables.claims(cards, {SMALL: result}))
    assert len(made) == 5 and made[0][1] == "ResNet-50: 82.4% top-1" and made[1][2].endswith("of 6 measures")
    result["borders"]["other borders"]["area"] = None
    assert len(cells(tables.claims(cards, {SMALL: result}))) == 4
