"""Divisions: each of the four alternatives breaks one rule, and another one than the others; Shapley breaks none."""

import pytest
import torch

from icg_book.scenarios.games import GAMES
from icg_book.shapley import divisions

BROKEN = {
    "leave one out": {"efficiency"},
    "one ordering": {"symmetry"},
    "equal shares": {"null player"},
    "equal, if active": {"linearity"},
    "Shapley": set(),
}


@pytest.mark.parametrize("name", divisions.DIVISIONS)
def test_every_rule_is_broken_by_one_division(name):
    kept = divisions.rules_kept(divisions.DIVISIONS[name], n_games=20)
    assert {rule for rule, ok in kept.items() if not ok} == BROKEN[name]


def test_divisions_of_the_gloves():
    values = GAMES["glove"](torch.arange(8)[:, None] >> torch.arange(3) & 1 == 1)
    assert divisions.leave_one_out(values).tolist() == [0, 0, 1]
    assert divisions.one_ordering(values).tolist() == [0, 0, 1]
    assert divisions.equal_shares(values).tolist() == pytest.approx([1 / 3] * 3)
    assert divisions.as_fractions(divisions.shapley(values)) == ["1/6", "1/6", "2/3"]
    assert divisions.equal_if_active(torch.tensor([[0.0, 0, 2, 2, 0, 0, 2, 2]])).tolist() == [[0, 2, 0]]
