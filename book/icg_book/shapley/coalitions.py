"""Explorable "coalition board": edit what coalitions achieve, walk through the orderings, watch the averages settle."""

from itertools import permutations

import numpy as np

from icg.shapley import coalitions
from icg_book.kit.figures import signed_cmap, signed_lut
from icg_book.kit.page.explorable import Explorable, script_beside
from icg_book.scenarios.games import GAMES, Game


def coalition_board(
    games=None,
    *,
    title: str = "Coalition board",
    alt: str | None = None,
    fallback=None,
) -> Explorable:
    """Show games of two to four players as a board: coalitions with values to edit, orderings to walk, averages.

    Args:
        games: the presets, each a `Game` of 2 to 4 players whose names begin with different letters (the letter is the
            player's token); by default all of ``GAMES``.
        title, alt: heading and description of the static picture; by default ``alt`` is made from the first game.
        fallback: static picture (PNG bytes, path or figure); by default the table of orderings of the first game.

    Raises:
        ValueError: no game, no `Game`, too few or too many players, two players with one letter, values that are not
            finite; the message names the game.
    """
    games = list(GAMES.values() if games is None else games)
    if not games:
        raise ValueError("expected at least one game, got none")
    packed = [_pack(game, f"game {k}") for k, game in enumerate(games)]
    first, values = games[0], packed[0]["values"]
    if alt is None:
        alt = (
            f"{first.story} A table lists, for each order in which {', '.join(first.players)} can join, what each of "
            "them adds; the averages of its columns are drawn as bars and are the Shapley values."
        )
    return Explorable(script_beside(__file__), {"games": packed}, title, alt, fallback or static_picture(first, values))


def _pack(game, where: str) -> dict:
    if not isinstance(game, Game):
        raise ValueError(f"{where}: expected a Game, got {type(game).__name__}")
    where = f"{where} ({game.name})"
    if not 2 <= game.n <= 4:
        raise ValueError(f"{where}: expected 2 to 4 players, got {game.n}")
    letters = [name[:1].upper() for name in game.players]
    if not all(letters) or len(set(letters)) < game.n:
        raise ValueError(f"{where}: expected names that begin with different letters, got {list(game.players)}")
    values = game(coalitions(game.n))
    if values.shape != (2**game.n,) or not values.isfinite().all():
        raise ValueError(f"{where}: expected {2**game.n} finite values, got {values.tolist()}")
    return {"name": game.name, "players": list(game.players), "story": game.story, "values": values.tolist()}


def static_picture(game: Game, values):
    """The table of orderings of one game, its averages as bars below."""
    from matplotlib.figure import Figure

    orderings = list(permutations(range(game.n)))
    marginals = np.zeros((len(orderings), game.n))
    for row, ordering in enumerate(orderings):
        coalition = 0
        for player in ordering:
            marginals[row, player] = values[coalition | 1 << player] - values[coalition]
            coalition |= 1 << player
    means, letters = marginals.mean(0), [name[0].upper() for name in game.players]

    figure = Figure(figsize=(5.6, 1.9 + 0.19 * len(orderings)), facecolor="white", layout="constrained")
    table, bars = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [0.19 * len(orderings) + 0.4, 1.3]})
    faint = 2.5 * (np.abs(marginals).max() or 1.0)  # tints that leave the numbers readable
    table.imshow(marginals, cmap=signed_cmap(), vmin=-faint, vmax=faint, aspect="auto")
    for row, ordering in enumerate(orderings):
        table.text(-1, row, " ".join(letters[p] for p in ordering), ha="center", va="center", fontsize=9)
        for player in range(game.n):
            marginal = marginals[row, player]
            words = f"{marginal:+.3g}" if marginal else "0"
            table.text(player, row, words, ha="center", va="center", fontsize=9)
    table.text(-1, -1.3, "they join in\nthis order", ha="center", va="center", fontsize=8, color="#5a6673")
    for player, name in enumerate(game.players):
        table.text(player, -1.3, f"{name}\nadds", ha="center", va="center", fontsize=9, weight="bold")
    table.set(xlim=(-1.5, game.n - 0.5), ylim=(len(orderings) - 0.4, -2.0))
    table.set_axis_off()

    lut = signed_lut() / 255
    bars.bar(range(game.n), means, width=0.45, color=[lut[127 + (64 if m >= 0 else -64)] for m in means])
    bars.plot([-0.4, game.n - 0.6], [0, 0], color="#5a6673", linewidth=0.8)
    for player, mean in enumerate(means):
        bars.text(player, mean, f"{mean:.3f}", ha="center", va="bottom" if mean >= 0 else "top", fontsize=9)
    bars.text(-1, means.max() / 2, "average", ha="center", va="center", fontsize=8, color="#5a6673")
    bars.margins(y=0.25)
    bars.set_axis_off()
    return figure
