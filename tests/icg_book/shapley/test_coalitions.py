"""The coalition board, as far as Python goes; tests/browser/test_coalitions_page.py opens it."""

from dataclasses import replace

import pytest
import torch
from pages import payload

from icg_book.kit.page.explorable import png_bytes
from icg_book.scenarios import games
from icg_book.scenarios.games import GAMES
from icg_book.shapley.coalitions import coalition_board, static_picture


def test_presets_travel_with_their_values_in_binary_order():
    packed = payload(coalition_board())["games"]
    assert [p["name"] for p in packed] == [g.name for g in GAMES.values()]
    for p, game in zip(packed, GAMES.values(), strict=True):
        for k, value in enumerate(p["values"]):
            members = [i for i in range(game.n) if k >> i & 1]
            assert value == game.worth(members)
        assert p["players"] == list(game.players) and p["story"] == game.story


def test_static_picture_and_alt_text_are_of_the_first_game():
    board = coalition_board([GAMES["network"], GAMES["glove"]])
    assert board.fallback.startswith(b"\x89PNG") and "Dark, Square, Triangle, Large" in board.alt
    assert board.fallback != coalition_board([GAMES["glove"]]).fallback
    other = coalition_board([GAMES["glove"]], title="Other", alt="An alt.", fallback=board.fallback)
    assert (other.title, other.alt, other.fallback) == ("Other", "An alt.", board.fallback)


def test_static_picture_draws_every_marginal_and_the_averages():
    figure = static_picture(GAMES["glove"], [0.0, 0, 0, 0, 0, 1, 1, 1])
    words = [t.get_text() for ax in figure.axes for t in ax.texts]
    assert words.count("+1") == 6 and words.count("0") == 12
    assert words.count("0.167") == 2 and words.count("0.667") == 1
    assert {"A B C", "A C B", "B A C", "B C A", "C A B", "C B A"} <= set(words)
    assert png_bytes(static_picture(GAMES["additive"], [0.0] * 8)).startswith(b"\x89PNG")  # nothing to share


def test_the_page_holds_no_address_and_its_own_style():
    text = coalition_board()._repr_html_()
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert ".icg-c-lattice" in text and len(text) < 250_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "at least one game"),
        ([lambda m: m.sum(1)], "game 0: expected a Game, got function"),
        ([GAMES["glove"], games.additive((1,))], r"game 1 \(additive\): expected 2 to 4 players, got 1"),
        ([games.additive((1,) * 5, "ABCDE")], "2 to 4 players, got 5"),
        ([games.additive((1, 2))], r"different letters, got \['Worker 1', 'Worker 2'\]"),
        ([games.additive((1, 2), ["Ann", "amy"])], "different letters"),
        ([games.additive((1, 2), ["Ann", ""])], "different letters"),
        ([games.additive((1, float("nan")), "AB")], "4 finite values"),
        ([replace(GAMES["glove"], function=lambda m: m)], "8 finite values"),
    ],
)
def test_bad_games_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        coalition_board(arguments)


def test_any_small_game_will_do():
    game = replace(GAMES["glove"], name="mine", function=lambda masks: masks.sum(1) ** 2 - torch.ones(len(masks)))
    assert payload(coalition_board([game]))["games"][0]["values"] == [-1, 0, 0, 3, 0, 3, 3, 8]
