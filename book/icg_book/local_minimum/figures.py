"""Figures and tables of the chapter on Local Minimum."""

import torch
from torch import Tensor

from icg_book.kit.drawing import Figure
from icg_book.kit.tables import table, with_interval
from icg_book.local_minimum.experiment import METHODS
from icg_book.local_minimum.findings import MEASURES
from icg_book.scenarios.local_minimum import PAPER_BASELINE, component_score

ORANGE, BLUE, DARK, GREEN, PURPLE = "#c6670f", "#2064c4", "#1d2733", "#1b7837", "#7b3294"


def _sized(width: float, height: float, rows: int = 1, columns: int = 1, **shared):
    """A white figure of so many inches, and its axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **shared)


def _minus(text: str) -> str:
    return text.replace("-", "−")


# ---- the scenario


def figure_5(values: Tensor):
    """Figure 5 of the paper: the score of a component against its value, and the six components ``(1, 1, 6)``."""
    figure, ax = _sized(6.4, 3.0)
    ax.axhline(0, color="0.75", linewidth=0.8)
    grid = torch.linspace(0, 1, 2001, dtype=torch.float64)
    for part in (grid <= 0.5, grid > 0.5):
        ax.plot(grid[part], component_score(grid[part]), color=DARK, linewidth=1.8)
    ax.plot([0.5, 0.5], [-0.75, 1], ":", color="0.55", linewidth=1)
    for v in values.flatten():
        score = component_score(v)
        ax.plot(v, score, "o", color=ORANGE if score > 0 else BLUE, markeredgecolor="white", markersize=8)
        above = (0, 8) if score > 0 else (0, 9)
        ax.annotate(f"{v:.1f}", (v, score), above, textcoords="offset points", ha="center")
    arrow = {"arrowstyle": "->", "color": "0.4"}
    ax.annotate("local minimum", (0.75, 0.5), (0.75, 0.13), ha="center", arrowprops=arrow)
    ax.set_xlabel("value of a component")
    ax.set_ylabel("its score")
    ax.set_xlim(0, 1)
    ax.set_ylim(-0.95, 1.2)
    return figure


def credit_of_one(credit: dict[str, float], name: str = ".7"):
    """Bars: what each method gives to one component, orange for the alarm and blue against it."""
    figure, ax = _sized(6.4, 2.6)
    for row, share in enumerate(credit.values()):
        ax.barh(row, share, color=ORANGE if share > 0 else BLUE, height=0.6)
        ax.annotate(
            _minus(f"{share:+.3f}"),
            (share, row),
            (5 if share > 0 else -5, 0),
            textcoords="offset points",
            va="center",
            ha="left" if share > 0 else "right",
            fontsize=9,
        )
    ax.axvline(0, color="0.4", linewidth=0.8)
    ax.set_yticks(range(len(credit)), credit)
    ax.invert_yaxis()
    ax.margins(x=0.2)
    ax.set_xlabel(f"credit of the component {name} for the alarm, in probability")
    return figure


# ---- the network


def seeds_table(result: dict, card: dict):
    """Every training seed: accuracy, when it got there, and how close ICG and certainty-SHAP are to exact SHAP."""
    rows = []
    for seed, found in result["seeds"].items():
        close = (f"{found['to exact SHAP'][m]['correlation']['mean']:.3f}" for m in ("ICG", "certainty-SHAP"))
        reached = (_first_reach(found.get("curve"), level) for level in (0.9, 0.98))
        rows.append([seed, f"{found['accuracy']:.2%}", *reached, *close])
    rows.append(["paper", f"{result['paper']['accuracy']:.0%}", *["–"] * 4])
    return table(
        ["seed", "accuracy", "90 %<br>at step", "98 %<br>at step", "ICG", "certainty-<br>SHAP"],
        rows,
        f"Accuracy on {card['metrics']['accuracy']['images']:,} fresh inputs; step at which the learning curve first "
        "reached two levels; mean correlation with exact SHAP, explained below.",
    )


def _first_reach(curve: dict | None, level: float) -> str:
    """Step at which a learning curve first reaches a level."""
    steps = zip(curve["steps"], curve["accuracy"], strict=True) if curve else ()
    return next((f"{step:,}" for step, accuracy in steps if accuracy >= level), "–")


def game_learnt(truth: Tensor, learnt: Tensor, size: Tensor):
    """A dot for each coalition: the network's value against the exact one, darker the more components are known.

    All are ``(64,)``; ``size`` is the number of components known.
    """
    figure, ax = _sized(4.6, 4.2)
    ax.plot([0, 1], [0, 1], color="0.7", linewidth=1, zorder=0)
    for s in range(7):
        shade = (*[0.85 - 0.14 * s] * 2, 0.9 - 0.08 * s)
        edge = {"markeredgecolor": DARK, "markeredgewidth": 0.6}
        ax.plot(truth[size == s], learnt[size == s], "o", color=shade, markersize=6.5, label=str(s), **edge)
    ax.legend(title="known", fontsize=8, title_fontsize=8, loc="upper left")
    ax.set_xlabel("exact expectation")
    ax.set_ylabel("the network, unknown components at certainty 0")
    return figure


def along_certainty(gamma: Tensor, outputs: dict[str, Tensor], slopes: dict[str, Tensor]):
    """The path of ICG, "ideal" (dotted) and "network": output ``(K,)``, and the credit gathered by three components.

    Args:
        gamma: certainties ``(K,)`` from 0 to 1 in equal steps. slopes: with respect to each certainty, ``(K, 6)``.
    """
    figure, (left, right) = _sized(8.4, 3.3, 1, 2)
    left.plot(gamma, outputs["ideal"], ":", color=DARK, linewidth=2, label="ideal")
    left.plot(gamma, outputs["network"], color=GREEN, linewidth=1.8, label="network")
    left.set_ylabel("probability of class 1")
    left.set_ylim(-0.03, 0.75)
    left.legend(fontsize=9, loc="upper right")
    right.axhline(0, color="0.75", linewidth=0.8, zorder=0)
    ideal, network = gathered(slopes["ideal"]), gathered(slopes["network"])
    for name, i, colour in ((".9", 5, ORANGE), (".7", 4, DARK), (".1", 0, BLUE)):
        right.plot(gamma, ideal[:, i], ":", color=colour, linewidth=2)
        right.plot(gamma, network[:, i], color=colour, linewidth=1.5, label=name)
    right.set_ylabel("credit gathered so far")
    right.legend(title="component", fontsize=9, title_fontsize=9, loc="lower left")
    for ax in (left, right):
        ax.set_xlabel("certainty of all components")
    return figure


def gathered(slopes: Tensor) -> Tensor:
    """Their integral from 0 up to each of ``K`` equal steps to 1, by the trapezoid rule: ``(K, D)`` both."""
    means = (slopes[1:] + slopes[:-1]) / 2 / (len(slopes) - 1)
    return torch.cat([torch.zeros(1, slopes.shape[1]), means.cumsum(0)])


# ---- table 2

TABLE_2 = {  # column of ours: its head, and the paper's column
    "scaled score": ("scaled<br>score", "scaled score"),
    "BShap (boundary)": ("BShap<br>(own)", "BShap"),
    "BShap (0.50546)": ("BShap<br>(.505)", "BShap"),
    "zero IG": ("zero<br>IG", "zero IG"),
    "mean IG": ("mean<br>IG", "mean IG"),
    "EG": ("EG", "EG"),
    "AGN": ("AGN", "AGN"),
    "ICG": ("ICG", "ICG"),
    "certainty-SHAP": ("cert.-<br>SHAP", None),
    "exact SHAP": ("exact<br>SHAP", None),
}


def table_2(result: dict, names: list[str]):
    """Table 2 of the paper: six components (``names``) by methods, scaled; ours in bold above the paper's."""
    columns = []
    for ours, (_, paper) in TABLE_2.items():
        theirs = result["paper"]["table"].get(paper, [None] * len(names))
        pairs = zip(scaled(result["table"][ours]).tolist(), theirs, strict=True)
        columns.append([_beside(found, paper_says) for found, paper_says in pairs])
    return table(
        ["input", *(head for head, _ in TABLE_2.values())],
        [[name, *row] for name, row in zip(names, zip(*columns, strict=True), strict=True)],
        "Table 2: attributions of class 1, each column divided by its largest value (by its "
        "largest absolute value, if no value is clearly positive). Grey, below: the paper. "
        "BShap has the baseline 0.50546, as in the paper, or our network's own boundary.",
        size=80,
        padding=".3em .35em",
    )


def scaled(column) -> Tensor:
    """Divided by the largest value, as in the paper, unless that is next to nothing: then by the largest size."""
    column = torch.as_tensor(column, dtype=torch.float64)
    top, size = column.max(), column.abs().max()
    return column / (top if top > 0.1 * size else size)


def _beside(ours: float, theirs: float | None) -> str:
    paper = "" if theirs is None else f"<br><small style='opacity:.65'>{_two_digits(theirs)}</small>"
    return f"<b>{_two_digits(ours)}</b>{paper}"


def _two_digits(x: float) -> str:
    return _minus(f"{round(x, 2) + 0.0:.2f}")  # + 0.0: no minus before a zero


# ---- what Shapley says


def joining(gains: Tensor):
    """What components add to the chance of class 1, against the number of others known: ``(6, 6)``, a row each."""
    figure, ax = _sized(7.2, 3.3)
    ax.axhline(0, color="0.75", linewidth=0.8, zorder=0)
    for label, i, colour, marker in (
        ("0.1, 0.2, 0.3", 0, BLUE, "s"),
        ("0.6, 0.9", 3, ORANGE, "^"),
        ("0.7", 4, DARK, "o"),
    ):
        ax.plot(gains[i], marker=marker, color=colour, linewidth=1.4, label=label)
        words, style = _minus(f"mean {gains[i].mean():+.4f}"), {"fontsize": 9, "color": colour}
        ax.annotate(words, (5, gains[i, 5]), (10, -3), textcoords="offset points", **style)
    ax.set_xlim(-0.3, 6.2)
    ax.set_xticks(range(6))
    ax.set_xlabel("number of other components that are known already")
    ax.set_ylabel("what the component adds\nto the chance of class 1")
    ax.legend(title="component", fontsize=9, title_fontsize=9)
    return figure


def one_component_swept(place: Tensor, curves: dict[str, Tensor]):
    """Exact SHAP of a component against its value, ``(K,)`` both, beside its score: a panel for each curve."""
    figure, axes = _sized(8.6, 3.4, 1, len(curves), sharey=True)
    for ax, (title, curve) in zip(axes, curves.items(), strict=True):
        ax.axhline(0, color="0.75", linewidth=0.8, zorder=0)
        ax.axvspan(0.675, 0.825, color="0.94", zorder=0)
        for part in (place <= 0.5, place > 0.5):
            ax.plot(place[part], component_score(place[part]) / 4, ":", color="0.45", linewidth=1.4)
            shown = curve[part].clone()
            shown[1:][shown.diff().abs() > 0.05] = torch.nan  # the jump
            ax.plot(place[part], shown, color=PURPLE, linewidth=2)
        ax.plot(0.7, curve[(place - 0.7).abs().argmin()].item(), "o", color=DARK, markeredgecolor="white")
        ax.set_title(title, fontsize=10)
        ax.set_xlabel("value of the component")
    axes[0].set_ylabel("exact SHAP for class 1")
    axes[0].plot([], [], ":", color="0.45", label="score, a quarter of it")
    axes[0].plot([], [], color=PURPLE, linewidth=2, label="exact SHAP")
    axes[0].legend(fontsize=8.5, loc="upper left")
    return figure


# ---- the claim in numbers


def comparison_table(result: dict, reference: str):
    """Every method against one reference: means of the three measures with their intervals."""
    found = result["comparison"][reference]
    rows = [[method, *(with_interval(found[method][m]) for m in MEASURES)] for method in METHODS]
    n = f"{result['settings']['n']:,}"
    caption = f"Compared with <b>{reference}</b>: means over {n} random inputs, 95 % intervals."
    return table(["method", *MEASURES], rows, caption)


def comparison(result: dict):
    """Every method against every reference by every measure; orange for the methods that use certainty."""
    references = result["comparison"]
    figure, axes = _sized(9.2, 6.6, len(MEASURES), len(references), sharey=True, sharex="row")
    for r, measure in enumerate(MEASURES):
        for c, (reference, methods) in enumerate(references.items()):
            ax = axes[r, c]
            _dots_with_intervals(ax, [methods.get(method, {}).get(measure) for method in METHODS])
            if r == 0:
                ax.set_title(f"to {reference}", fontsize=10)
            if r == len(MEASURES) - 1 or c == 0:
                better = "smaller is closer" if measure == "largest difference" else "larger is closer"
                ax.set_xlabel(f"{measure} ({better})" if c == 0 else measure, fontsize=8.5)
        axes[r, 0].set_xlim(left=0)  # now: a limit stops the axis from growing
        axes[r, 0].set_yticks(range(len(METHODS)), METHODS, fontsize=8.5)
    axes[0, 0].invert_yaxis()
    return figure


def _dots_with_intervals(ax, intervals: list[dict | None]) -> None:
    """A row for each of :data:`METHODS`, empty where it was not measured."""
    for y, (method, found) in enumerate(zip(METHODS, intervals, strict=True)):
        if found is not None:
            colour = ORANGE if method in ("ICG", "certainty-SHAP") else BLUE
            ax.plot([found["low"], found["high"]], [y, y], color=colour, linewidth=2)
            ax.plot(found["mean"], y, "o", color=colour, markersize=5)
    ax.grid(axis="x", color="0.92")
    ax.set_axisbelow(True)
    ax.tick_params(axis="x", labelsize=8)


def beside_the_boundary(levels: Tensor, bshap: Tensor, icg: list[float], boundary: float):
    """The three measures of BShap, ``(K, 3)``, against its baseline ``(K,)``; ICG as a line; two baselines marked."""
    figure, axes = _sized(9.2, 2.9, 1, len(MEASURES))
    small = {"fontsize": 8, "color": "0.3", "xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
    for ax, title, curve, level in zip(axes, MEASURES, bshap.T, icg, strict=True):
        ax.plot(levels, curve, color=BLUE, marker=".", label="BShap")
        ax.axhline(level, color=ORANGE, label="ICG")
        for x, words in ((boundary, "ours"), (PAPER_BASELINE, "paper's")):
            ax.axvline(x, color="0.5", linewidth=0.9, linestyle=":")
            ax.annotate(words, (x, 1), (3, -11), **small)
        ax.margins(y=0.2)
        ax.set_xticks([0.49, 0.5, 0.51])
        begins = ax.get_ylim()[0]
        ax.set_title(f"{title}\n(axis begins at {begins:.2f})" if begins > 0.05 else f"{title}\n", fontsize=10)
    axes[1].set_xlabel("baseline, the same for every component")
    axes[0].legend(fontsize=8.5, loc="lower left")
    return figure
