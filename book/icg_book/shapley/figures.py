"""Figures, tables and reports of the chapter on Shapley values: each function takes what was computed, and shows it."""

import time
from itertools import permutations
from math import factorial, floor, log10

import torch
from IPython.display import HTML
from torch import Tensor

from icg.shapley import shapley_values
from icg_book.kit.drawing import Figure
from icg_book.kit.figures import DOT, NEGATIVE, POSITIVE
from icg_book.kit.tables import table
from icg_book.scenarios.games import Game
from icg_book.scenarios.landscapes import Landscape
from icg_book.shapley.divisions import as_fractions

ORANGE, BLUE, GREY = POSITIVE[3], NEGATIVE[4], "#9aa4ae"


def _number(value: float) -> str:
    """Text of a number, with a real minus sign, and a plain 0 for nothing at all."""
    return "0" if abs(value) < 1e-9 else f"{value:.3f}".replace("-", "−")


# What the players of the first two games own, as shares; and what to call that.
OWNED = {"gloves": ("one glove each", (1 / 3, 1 / 3, 1 / 3)), "majority": ("49, 48 and 3 seats", (0.49, 0.48, 0.03))}


def owned_and_fair_shares(games: list[Game], fair: dict[str, Tensor]) -> Figure:
    """Bars for each game in ``OWNED``: what its players own, and their Shapley values, ``(3,)`` by the game's name."""
    figure = Figure(figsize=(8, 3.1), layout="constrained")
    for ax, game in zip(figure.subplots(1, len(games), sharey=True), games, strict=True):
        title, owned = OWNED[game.name]
        for shift, values, colour, label in (
            (-0.2, owned, "#c9d0d6", "share of what they own"),
            (0.2, fair[game.name].tolist(), ORANGE, "fair share of what they achieve"),
        ):
            at = [player + shift for player in range(game.n)]
            ax.bar(at, values, width=0.38, color=colour, label=label)
            for x, value in zip(at, values, strict=True):
                ax.text(x, value + 0.01, f"{value:.2f}", ha="center", fontsize=9)
        ax.set_xticks(range(game.n), game.players)
        ax.set_title(title, fontsize=11)
        ax.spines[["top", "right"]].set_visible(False)
        ax.set_ylim(0, 0.8)
    figure.axes[0].legend(fontsize=8.5, loc="upper left", frameon=False)
    return figure


def orderings_table(game: Game) -> HTML:
    """All orderings of a game, what each player adds when it joins, and the means."""
    rows, gains = [], torch.zeros(factorial(game.n), game.n)
    for k, ordering in enumerate(permutations(range(game.n))):
        for place, player in enumerate(ordering):
            joined, before = ordering[: place + 1], ordering[:place]
            gains[k, player] = game.worth(joined) - game.worth(before)
        names = ", ".join(game.players[p] for p in ordering)
        rows.append([names, *(f"{g:g}" for g in gains[k]), f"{gains[k].sum():g}"])
    means = gains.mean(0)
    rows.append(["<b>mean</b>", *as_fractions([*means, means.sum()])])
    return table(["they join in this order", *(f"{p} adds" for p in game.players), "sum"], rows, game.story)


def games_table(found: dict[str, tuple[Game, Tensor]]) -> HTML:
    """Games with their Shapley values ``(n,)``, and whether a closed form is known."""
    rows = []
    for game, values in found.values():
        shares = ", ".join(f"{p} {_number(x)}" for p, x in zip(game.players, values.tolist(), strict=True))
        rows.append([game.name, shares, "no" if game.shapley is None else "yes"])
    return table(["game", "Shapley values", "closed form"], rows, align="left")


def rules_table(verdicts: dict[str, dict[str, bool]]) -> HTML:
    """Which rules each division keeps: a tick, or a cross where a counterexample was found."""
    rows = [[name, *("✓" if ok else "<b>✗</b>" for ok in kept.values())] for name, kept in verdicts.items()]
    return table(["division", *next(iter(verdicts.values()))], rows, align="center")


# Section A.1.3 of the paper: values at nobody, x1, x2, both; then what they give.
PAPER = {"BShap": ((0, 0, 1, 1), (0, 1)), "SHAP": ((0.434, 0.25, 1, 1), (-0.11, 0.66))}


def section_a13(values: dict[str, Tensor], credits: dict[str, Tensor]) -> HTML:
    """The games of BShap and SHAP at input A, values ``(4,)`` and credits ``(2,)``, above the paper's numbers."""
    rows = []
    for name, (their_values, their_credits) in PAPER.items():
        ours = [*values[name].tolist(), *credits[name].tolist()]
        theirs = [*their_values, *their_credits]
        rows.append([name, *(f"{_number(a)}<br><small>{b}</small>" for a, b in zip(ours, theirs, strict=True))])
    head = ["", "v({})", "v({1})", "v({2})", "v({1, 2})", "credit x₁", "credit x₂"]
    return table(head, rows, "Input A. Small: what the paper prints.")


def credits_text(found: dict[str, Tensor]) -> str:
    """A line for each method: its credits ``(1, 2)``."""
    pairs = {name: map(_number, maps[0].tolist()) for name, maps in found.items()}
    return "\n".join(f"{name:6s} x1 {a}, x2 {b}" for name, (a, b) in pairs.items())


def figure_6(landscape: Landscape, point: tuple[float, float]) -> Figure:
    """Figure 6 of the paper on a landscape with its baseline at (0, 0): where BShap, IG and SHAP look at it."""
    figure = Figure(figsize=(9, 3.3), layout="constrained")
    corners, line, lines = figure.subplots(1, 3)
    x1, x2 = point
    thick = {"color": DOT, "linewidth": 3.5, "solid_capstyle": "round", "alpha": 0.9}
    _ground(corners, landscape, "A: BShap")
    corners.plot([0, x1, x1, 0, 0], [0, 0, x2, x2, 0], ":", color=DOT, linewidth=1.2)
    for corner in ((x1, 0), (0, x2)):
        _dot(corners, corner)
    _ground(line, landscape, "B: Integrated Gradients")
    line.plot([0, x1], [0, x2], **thick)
    _ground(lines, landscape, "C: SHAP")
    lines.fill([0, 1, 1, 0], [0, 0, 1, 1], color=DOT, alpha=0.22, linewidth=0)
    lines.plot([0, 1], [x2, x2], **thick)
    lines.plot([x1, x1], [0, 1], **thick)
    for ax in (corners, line, lines):
        _dot(ax, point, "$x$")
    for ax in (corners, line):
        _dot(ax, (0, 0), "$x'$", shift=(7, 8))
    corners.set_ylabel("$x_2$", labelpad=2)
    return figure


def _ground(ax, landscape: Landscape, title: str) -> None:
    """The landscape in grey on the unit square."""
    grid = (torch.arange(200) + 0.5) / 200
    picture = landscape(torch.cartesian_prod(grid, grid)).reshape(200, 200).T
    ax.imshow(picture, origin="lower", extent=(0, 1, 0, 1), cmap="Greys", vmin=0, vmax=1.9)
    ax.set(xlim=(-0.09, 1.04), ylim=(-0.09, 1.04), xticks=[], yticks=[])
    ax.set_title(title, fontsize=11)
    ax.set_xlabel("$x_1$", labelpad=2)
    ax.spines[:].set_visible(False)
    ax.plot([0, 1, 1, 0, 0], [0, 0, 1, 1, 0], color="0.75", linewidth=0.8)


def _dot(ax, at: tuple[float, float], name: str = "", shift: tuple[int, int] = (7, 6)) -> None:
    ax.plot(*at, "o", color=DOT, markersize=11, markeredgecolor="white", zorder=5)
    if name:
        ax.annotate(name, at, shift, textcoords="offset points", fontsize=12, zorder=6)


def bumps_table(changes: dict[str, dict[str, float]]) -> HTML:
    """Where a bump was put, and by how much it moved each method's attributions."""
    rows = [[place, *map(_number, change.values())] for place, change in changes.items()]
    methods = next(iter(changes.values()))
    return table(["a bump", *methods], rows, "Largest change of an attribution; 0 is exact.")


Runs = dict[tuple[bool, int], tuple[Tensor, Tensor]]  # antithetic or not, orderings -> estimates and errors, (n,) each


def _rms(values: Tensor) -> float:
    return values.square().mean().sqrt().item()


def sampling_errors(runs: Runs, truth: Tensor) -> Figure:
    """Estimates from 256 orderings beside the truth ``(n,)``; actual and reported errors against the orderings."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.15, 1])
    order = truth.argsort()
    estimate, error = (part[order] for part in runs[False, 256])
    at = torch.arange(len(truth))
    label = "estimate, ± 2 standard errors"
    left.errorbar(at, estimate, 2 * error, fmt="o", markersize=3.5, color=GREY, elinewidth=1, label=label)
    left.plot(at, truth[order], color=ORANGE, linewidth=2, label="closed form")
    left.set_title("estimates from 256 orderings", fontsize=10.5)
    left.set(xlabel="planes, from small to large", ylabel="share of the cost")
    left.legend(frameon=False, fontsize=9, loc="upper left")
    for antithetic, colour, label in (
        (False, GREY, "independent orderings"),
        (True, BLUE, "pairs: an ordering and its reverse"),
    ):
        found = {m: run for (paired, m), run in runs.items() if paired == antithetic}
        actual = [_rms(values - truth) for values, _ in found.values()]
        right.loglog(list(found), actual, "o", color=colour, label=f"error, {label}")
        reported = [_rms(errors) for _, errors in found.values()]
        right.loglog(list(found), reported, "-", color=colour, label="standard error reported")
    right.set_title("error against the number of orderings", fontsize=10.5)
    right.set(xlabel="orderings", ylabel="root mean square over planes")
    right.set_yticks([0.1, 0.2, 0.5, 1.0], ["0.1", "0.2", "0.5", "1"])
    right.legend(frameon=False, fontsize=8)
    for ax in (left, right):
        ax.spines[["top", "right"]].set_visible(False)
    return figure


def sampling_report(runs: Runs, truth: Tensor) -> str:
    """The errors in numbers: how they shrink, what pairs gain, what the estimates add up to, what was asked."""
    counts, n = [m for paired, m in runs if not paired], len(truth)
    lines = ["orderings  standard error  actual error  inside two standard errors"]
    for m in counts:
        values, errors = runs[False, m]
        inside = ((values - truth).abs() <= 2 * errors).double().mean()
        lines.append(f"{m:9d} {_rms(errors):15.3f} {_rms(values - truth):13.3f} {inside:12.0%}")
    error = {key: _rms(errors) for key, (_, errors) in runs.items()}
    few, most = counts[0], counts[-1]
    halved, paired = error[False, counts[2]] / error[False, counts[4]], error[False, most] / error[True, most]
    lines += [
        f"four times as many orderings divide the standard error by {halved:.2f}",
        f"pairs of an ordering and its reverse divide it by {paired:.2f}",
        f"sum of the estimates from {few} orderings: {runs[False, few][0].sum():.6f}",
        f"coalitions asked: {most * (n - 1):,d} at most, of {2**n:,d}",
    ]
    return "\n".join(lines)


def meanings_table(found: dict[str, Tensor], players: list[str]) -> HTML:
    """Attributions ``(1, n)`` of one prediction under several meanings of "missing", with their sums."""
    rows = [[name, *map(_number, [*maps[0].tolist(), maps.sum().item()])] for name, maps in found.items()]
    caption = "The small network of the explorable, one prediction, four explanations."
    return table(["", *players, "sum"], rows, caption)


def cost_of_exact_values(numbers_of_players: list[int], pixels: int) -> str:
    """How long exact Shapley values take here, and how large the number of coalitions of an image's pixels is."""
    lines = []
    for players in numbers_of_players:
        start = time.perf_counter()
        shapley_values(lambda masks: masks.sum(1) ** 2, players)
        seconds = time.perf_counter() - start
        lines.append(f"{players:4d} players: {2**players:9,d} coalitions, {seconds:.2f} s")
    digits = floor(pixels * log10(2)) + 1
    return "\n".join([*lines, f"{pixels:4d} pixels: a number of coalitions with {digits} digits"])
