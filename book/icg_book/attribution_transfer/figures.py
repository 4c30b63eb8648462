"""The pictures, tables and summaries of the chapter on attribution transfer."""

import re
import textwrap
from itertools import product

import torch
from matplotlib.patches import Circle
from torch import Tensor

from icg_book.attribution_transfer.landscape import FEATURES, draw_ground, draw_path
from icg_book.kit.drawing import Figure
from icg_book.kit.intervals import mean_interval
from icg_book.kit.tables import table
from icg_book.scenarios.landscapes import KNOTS, LANDSCAPES

INK = "#1d2733"

# ---- texts


def pair(values: Tensor) -> str:
    """Two attributions in brackets, to three decimals."""
    x1, x2 = (round(v, 3) + 0.0 for v in values.tolist())  # + 0.0: no minus zero
    return f"({x1:g}, {x2:g})"


def wrapped(text) -> str:
    """A sentence in lines that fit the page; what is in brackets stays together."""
    whole = re.sub(r"\(.*?\)", lambda match: match[0].replace(" ", "\u00a0"), str(text))
    return textwrap.fill(whole, 70, subsequent_indent="    ").replace("\u00a0", " ")


def _minus(text: str) -> str:
    return text.replace("-", "−")


# ---- the cross


def _output(f, place) -> str:
    return f"{f(torch.tensor([place], dtype=torch.float64)).item():.0f}"


def cross_and_path(cross, x: Tensor) -> Figure:
    """The cross with the straight path from the origin to ``x`` ``(1, 2)``, and its outputs at the four corners."""
    figure = Figure(figsize=(3.9, 3.6), layout="constrained")
    ax = figure.add_subplot()
    draw_ground(ax, cross)
    x1, x2 = x[0].tolist()
    ax.plot([0, x1], [0, x2], color=INK, linewidth=1.3)
    for place in product((0, x1), (0, x2)):
        ax.plot(*place, "o", color=INK, markeredgecolor="white", clip_on=False)
        beside = (8, 7) if any(place) else (20, 3)
        ax.annotate(_output(cross, place), place, beside, textcoords="offset points", fontsize=11)
    ax.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    return figure


def figure_2(cross, a: Tensor, b: Tensor) -> Figure:
    """Figure 2 of the paper: paths to ``a`` and ``b`` ``(1, 2)``, and what changes of one feature alone do at ``a``."""
    figure = Figure(figsize=(8.8, 4.6), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(2.1, 1))
    main = figure.add_subplot(grid[:, 0])
    draw_ground(main, cross)
    for name, x in (("A", a), ("B", b)):
        draw_path(main, cross, (0, 0), x[0])
        main.annotate(name, x[0].tolist(), (9, 4), textcoords="offset points", fontsize=13)
    main.annotate("$x'$", (0, 0), (24, 2), textcoords="offset points", fontsize=13)
    main.add_patch(Circle((0.275, 0.185), 0.105, fill=False, linestyle="--", zorder=5))
    for i in range(2):
        _changes_of_one(figure.add_subplot(grid[i, 1]), cross, a[0].tolist(), i)
    return figure


def _changes_of_one(ax, cross, x: list[float], i: int) -> None:
    """Feature i set from 0 to its value, with the other one at 0 and at its own value."""
    draw_ground(ax, cross)
    ax.set_title(f"{i + 1}: changes of $x_{i + 1}$ alone", fontsize=10, color=FEATURES[i])
    for other in (0.0, x[1 - i]):
        start, end = [other, other], [other, other]
        start[i], end[i] = 0.0, x[i]
        style = {"arrowstyle": "-|>", "color": FEATURES[i], "linewidth": 2, "shrinkA": 5, "shrinkB": 5}
        ax.annotate("", end, start, arrowprops=style)
        for place in (start, end):
            ax.plot(*place, "o", color="white", markeredgecolor=INK, clip_on=False)
            ax.annotate(_output(cross, place), place, (7, 6), textcoords="offset points")
    ax.set_xticks([0, 0.5, 1])
    ax.set_yticks([0, 0.5, 1])


def table_1(paper: dict, ours: dict, exact: dict):
    """Table 1 of the paper, printed, computed and exact; all are ``{input: {method: two attributions}}``."""
    rows, shades = [], []
    for name, by_method in ours.items():
        for method, found in by_method.items():
            printed, true = paper[name][method], exact[name][method]
            off = max(abs(p - float(e)) for p, e in zip(printed, true, strict=True))
            shades.append("rgba(235, 131, 23, .18)" if off > 0.0051 else "")
            cells = (
                "({:g}, {:g})".format(*printed),
                "({:.4f}, {:.4f})".format(*(round(v, 4) + 0.0 for v in found.tolist())),
                "({}, {})<br><small>({:.4f}, {:.4f})</small>".format(*true, *map(float, true)),
            )
            rows.append([f"{name}, {method}", *map(_minus, cells)])
    caption = "Table 1: attributions of x₁ and x₂. Shaded: further off than rounding allows."
    return table(["", "paper", "ours", "exact"], rows, caption, nowrap=True, shades=shades)


def credit_moved(moved: dict[str, Tensor]) -> Figure:
    """Maps of the credit moved, ``(n, n)`` with x1 along the first dimension, by the landscape's key."""
    figure = Figure(figsize=(8.8, 3.1), layout="constrained")
    axes = figure.subplots(1, len(moved), sharey=True)
    for ax, (key, values) in zip(axes, moved.items(), strict=True):
        drawn = ax.imshow(values.T, origin="lower", extent=(0, 1, 0, 1), cmap="Greys", vmin=0, vmax=1)
        ax.set_title(f"{LANDSCAPES[key].name}: ${LANDSCAPES[key].formula}$", fontsize=10)
        ax.set_xlabel("$x_1$ of the input", color=FEATURES[0])
        for knot in KNOTS:
            for line in (ax.axvline, ax.axhline):
                line(knot, color="0.6", linewidth=0.5, linestyle=":")
    axes[0].set_ylabel("$x_2$ of the input", color=FEATURES[1])
    figure.colorbar(drawn, ax=axes, label=r"credit moved, $|\tau|$", shrink=0.9)
    return figure


def credit_moved_shares(moved: dict[str, Tensor]) -> str:
    """The share of inputs for which half a unit or a whole unit is moved, and the mean, by the landscape's key."""
    lines = ["credit moved:   half a unit or more   a whole unit   in the mean"]
    for key, values in moved.items():
        half, whole = ((values > least - 0.02).double().mean() for least in (0.5, 1))
        lines.append(f"{LANDSCAPES[key].name:14s} {half:10.0%} of the inputs {whole:13.0%} {values.mean():14.2f}")
    return "\n".join(lines)


# ---- the axioms


def verdicts_table(verdicts: dict):
    """Axioms in rows and methods in columns, from ``{(axiom, method): Verdict}``."""
    axioms, methods = (list(dict.fromkeys(names)) for names in zip(*verdicts, strict=True))
    rows = [[axiom, *(_mark(verdicts[axiom, method]) for method in methods)] for axiom in axioms]
    return table(["axiom", *methods], rows, "✓: no counterexample found. ✗: in how many tests the axiom fails.")


def _mark(verdict) -> str:
    if verdict.holds:
        return f"✓ <small>{verdict.cases} tests</small>"
    return f"<b>✗</b> <small>{verdict.violations} of {verdict.cases} tests</small>"


FORMULAS = {
    "square": "x₁ x₂²",
    "product": "x₁ x₂",
    "sines": "sin(πx₁) sin(2πx₂)",
    "cosine": "cos(2πx₁) x₂",
}


def closed_forms_table(ends: dict, closed: dict, found: dict, by_corners: dict):
    """Attributions of the article's functions, all by the landscape's key.

    Args:
        ends: the path, two points. closed: IG by hand, two expressions. found, by_corners: IG by quadrature and BShap,
            ``(2,)``.
    """
    rows = []
    for key, (start, end) in ends.items():
        cells = (
            f"{start} → {end}",
            f"({', '.join(map(str, closed[key]))})",
            "({:.4f}, {:.4f})".format(*(round(v, 9) + 0.0 for v in found[key].tolist())),
            pair(by_corners[key]),
        )
        rows.append([FORMULAS[key], *map(_minus, cells)])
    head = ["", "path", "IG, closed form", "IG, quadrature", "BShap"]
    return table(head, rows, "Attributions of x₁ and x₂, in closed form and computed.", size=85, nowrap=True)


# ---- on the way through a network

QUESTIONS = {
    "cancels": "of the credit of objects cancels",
    "cancels, pixels": "of the credit of single pixels cancels",
    "reversed": "of the objects are reversed",
}
KINDS = {"light": "light squares", "dark": "dark squares", "triangles": "triangles"}


def reversals(measured: dict[str, list[dict]], labels: Tensor) -> str:
    """Means over images with 95 % intervals, for each output; a dict of :data:`QUESTIONS` for each image.

    ``labels`` ``(N,)`` are 1 for images with a dark square.
    """
    lines = [f"{len(labels)} images; means over images with 95 % intervals"]
    for output, rows in measured.items():
        lines.append(f"\n{output} of a dark square:")
        for column, words in QUESTIONS.items():
            values = torch.tensor([row[column] for row in rows], dtype=torch.float64)
            mean, low, high, _ = mean_interval(values)
            lines.append(f"  {mean:4.0%} [{low:.0%}, {high:.0%}] {words}")
            for label, name in ((1, "with a dark square"), (0, "without")):
                part = values[labels == label]
                lines.append(f"       {part.mean():4.0%} in the {len(part)} images {name}")
    return "\n".join(lines)


def paid_for_nothing(idle: list[list[str]]) -> str:
    """The share of images with an object that is paid for nothing; ``idle`` has the kinds of each image's."""
    mean, low, high, _ = mean_interval(torch.tensor([float(bool(kinds)) for kinds in idle]))
    everything = sum(idle, [])
    found = ", ".join(f"{everything.count(kind)} {words}" for kind, words in KINDS.items())
    return f"{mean:.0%} [{low:.0%}, {high:.0%}] of the images have an object that is paid for nothing:\n  {found}"
