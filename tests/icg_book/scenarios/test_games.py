"""The games of the Shapley chapter have the values that their stories tell, and their closed forms are right."""

from itertools import permutations
from math import factorial

import pytest
import torch

from icg.shapley import coalitions, shapley_values
from icg_book.scenarios import games
from icg_book.scenarios.games import GAMES


def by_orderings(game):
    """Independent of the engine: walk through all orderings, one coalition at a time."""
    total = [0.0] * game.n
    for ordering in permutations(range(game.n)):
        for k, player in enumerate(ordering):
            total[player] += game.worth(ordering[: k + 1]) - game.worth(ordering[:k])
    return [t / factorial(game.n) for t in total]


@pytest.mark.parametrize("key", GAMES)
def test_presets_by_orderings_and_by_the_engine(key):
    game = GAMES[key]
    expected = by_orderings(game)
    assert shapley_values(game, game.n).tolist() == pytest.approx(expected, abs=1e-12)
    if game.shapley is not None:
        assert game.shapley == pytest.approx(expected, abs=1e-12)
    assert sum(expected) == pytest.approx(game.worth(range(game.n)) - game.worth([]), abs=1e-12)


def test_closed_forms_that_the_chapter_names():
    assert GAMES["glove"].shapley == pytest.approx((1 / 6, 1 / 6, 4 / 6))
    assert GAMES["airport"].shapley == pytest.approx((2 / 4, 2 / 4 + 2 / 3, 2 / 4 + 2 / 3 + 4 / 2, 2 / 4 + 2 / 3 + 6))
    assert by_orderings(GAMES["majority"]) == pytest.approx((1 / 3, 1 / 3, 1 / 3))  # 49, 48 and 3 seats alike
    assert by_orderings(games.majority((40, 30, 20, 10))) == pytest.approx((5 / 12, 3 / 12, 3 / 12, 1 / 12))


@pytest.mark.parametrize(
    "game",
    [
        games.glove(1, 4),
        games.glove(4, 1),
        games.glove(1, 1),
        games.glove(3, 3),
        games.airport((5.0, 1.0, 5.0, 0.0, 2.5)),
        games.additive((1, -2, 0.5)),
    ],
)
def test_closed_forms_of_other_sizes(game):
    assert game.shapley == pytest.approx(by_orderings(game), abs=1e-12)


def test_no_closed_form_is_claimed_where_none_is_known():
    assert games.glove(2, 3).shapley is None and games.majority((1, 1)).shapley is None


def test_values_are_those_of_the_story():
    glove = GAMES["glove"]
    assert glove(coalitions(3)).tolist() == [0, 0, 0, 0, 0, 1, 1, 1]
    assert glove(coalitions(3)).dtype == torch.float64
    assert games.glove(2, 2).worth({0, 1, 2, 3}) == 2
    assert GAMES["airport"].worth([0, 2]) == 8
    assert games.majority((2, 1, 1)).worth([0]) == 0  # half is no majority


def test_an_airport_of_a_hundred_planes_has_its_closed_form():
    game = games.airport(range(1, 101))
    assert game.players[-1] == "Plane 100"
    assert sum(game.shapley) == pytest.approx(100) and game.shapley[0] == pytest.approx(1 / 100)


def test_snack_network_needs_dark_and_square_together():
    worth = GAMES["network"].worth
    assert worth([]) == worth([0]) == worth([1]) == pytest.approx(1 / (1 + torch.e**2))
    assert worth([0, 1]) > 0.9 > worth([0, 1, 2]) > 0.5 > worth([0, 2])
    points = torch.rand(5, 4, requires_grad=True)
    games.snack_network(points).sum().backward()
    assert points.grad.shape == (5, 4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: games.glove(0, 1), "at least one left and one right glove, got 0 and 1"),
        (lambda: games.airport([]), "at least one cost"),
        (lambda: games.airport([1, -1]), r"none negative, got \[1, -1\]"),
        (lambda: games.airport([1, 2], ["a"]), "2 names of players, got 1"),
        (lambda: games.majority([]), "at least one party"),
        (lambda: games.majority([3, -1]), "no negative seats"),
        (lambda: GAMES["glove"](torch.zeros(2, 3)), r"boolean masks of shape \(M, 3\), got torch.float32"),
        (lambda: GAMES["glove"](torch.zeros(2, 2, dtype=bool)), r"\(M, 3\), got torch.bool \(2, 2\)"),
        (lambda: GAMES["glove"].worth({3}), r"from 0 to 2, got \[3\]"),
        (lambda: GAMES["glove"].worth([-1]), r"from 0 to 2, got \[-1\]"),
        (lambda: games.snack_network(torch.zeros(4)), r"\(N, 4\), got \(4,\)"),
    ],
)
def test_bad_input_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
