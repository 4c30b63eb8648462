"""Figures and tables of the chapter on fairness; numbers come from the shipped ledger, or from what a cell computed."""

from collections.abc import Callable

from IPython.display import HTML
from torch import Tensor

from icg.fairness import MEASURES
from icg_book.fairness.findings import (
    BASELINE,
    CERTAINTY,
    GAMES,
    NETWORK,
    SAMPLING,
    SET,
    curves,
    known,
    ledger,
    networks,
    scenarios,
    truth_of,
)
from icg_book.kit.drawing import Figure
from icg_book.kit.figures import DOT, colour_bar, show_image, show_map
from icg_book.kit.ledger import rows as ledger_rows
from icg_book.kit.tables import table, with_interval
from icg_book.scenarios.burnt_snacks import BurntSnacks, centres

INK, GREY = "#1d2733", "#8a929a"
TOGETHER = "<i>Together</i>: over the players of all inputs at once, so that inputs with larger stakes count for more."
PATHS = CERTAINTY + BASELINE
WITHOUT_SUM = ("SmoothGrad", "gradient", "random")  # of no particular size: their distance says nothing
LEAST = 0.007  # where axes of distances begin
# One colour, dash and marker for each method, in all figures: warm for paths of certainty, cold for baselines.
STYLE = {
    "block-wise": ("#7c3605", "-", "o"),
    "random-path": ("#c6670f", "--", "o"),
    "ICG": ("#eb8317", "-", "o"),
    "ICG, noise averaged": ("#eb8317", ":", "o"),
    "SIG": ("#50a6fc", "-", "s"),
    "EG": ("#1344a5", "-", "s"),
    "mean IG": ("#2064c4", "--", "s"),
    "blurred IG": ("#2064c4", ":", "s"),
    "zero IG": ("#7a3b8f", "-", "s"),
    "AGN": ("#1b7837", "-", "^"),
    "SmoothGrad": (GREY, "--", "^"),
    "gradient": (GREY, "-", "^"),
    SAMPLING: (INK, ":", "D"),
    "random": (GREY, ":", "x"),
}


# ---- one image --------------------------------------------------------------------------------------------------


def two_maps(snack: BurntSnacks, maps: dict[str, Tensor], p: float) -> Figure:
    """An image, its dark squares dotted, and beside it maps ``(1, 1, 50, 50)`` by name; ``p``: of a dark square."""
    figure = Figure(figsize=(5.4, 2.35), layout="constrained")
    axes = figure.subplot_mosaic(
        [["image", *maps], [".", *["bar"] * len(maps)]], height_ratios=[1, 0.05], width_ratios=[1] * (1 + len(maps))
    )
    show_image(axes["image"], snack.images[0, 0])
    for y, x in centres(snack.dark[0]):
        axes["image"].plot(x, y, "o", color=DOT, markersize=5, markeredgecolor="white", markeredgewidth=0.8)
    axes["image"].set_title(f"p(dark square) = {p:.2f}", fontsize=10)
    for name, found in maps.items():
        show_map(axes[name], found)
        axes[name].set_title(f"map {name}", fontsize=10)
    colour_bar(axes["bar"])
    axes["bar"].tick_params(labelsize=9)
    return figure


def divisions(players: list[str], fair: Tensor, shares: dict[str, Tensor]) -> HTML:
    """What each player is due and what it gets: grey bars and, for each method, a mark.

    Args:
        players: their names. fair: ``(1, n)``. shares: ``(1, n)`` by the name of the method.
    """
    figure = Figure(figsize=(8, 0.9 + 0.52 * len(players)), layout="constrained")
    ax = figure.add_subplot()
    places = range(len(players))
    ax.barh(places, fair[0].tolist(), height=0.74, color="#d5dadf", edgecolor="#6d7780", label="due (fair)")
    for k, (name, found) in enumerate(shares.items()):
        colour, _, marker = STYLE[name]
        at = [place + 0.16 * (k - (len(shares) - 1) / 2) for place in places]
        ax.plot(found[0].tolist(), at, marker, color=colour, markersize=6, markeredgecolor="white", label=name)
    ax.axvline(0, color=INK, lw=0.8)
    ax.set_yticks(places, players, fontsize=10)
    ax.set_ylim(len(players) - 0.45, -0.55)
    ax.set_xlabel("share of the probability", fontsize=10)
    ax.tick_params(axis="x", labelsize=9.5)
    ax.spines[["top", "right", "left"]].set_visible(False)
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False, fontsize=9.5)
    rows = (f"{who}: due {due:+.2f}" for who, due in zip(players, fair[0].tolist(), strict=True))
    figure.alt = "Bars of what each object is due, with a mark for each method. " + "; ".join(rows)
    return figure


def measured(fair: Tensor, shares: dict[str, Tensor]) -> HTML:
    """The four measures of each division ``(1, n)``."""
    rows = [
        [name, *(_number(measure(found, fair).item()) for measure in MEASURES.values())]
        for name, found in shares.items()
    ]
    caption = "One image, its objects and the rest as players. A dash: there is no bystander."
    return table(["map", *MEASURES], rows, caption)


def _number(value: float) -> str:
    return "–" if value != value else f"{value:.2f}".replace("-", "−")


# ---- paths and their games --------------------------------------------------------------------------------------


def paths_and_games(result: dict) -> HTML:
    """Burnt Snacks: each path against its own game, and both against what the task says is fair; logits are folded."""
    first, second = (_paths_and_games(result, output).data for output in ("probability", "logit"))
    return HTML(first + _folded("The same for the logit", second))


def _paths_and_games(result: dict, output: str) -> HTML:
    own, task = (ledger(result, "Burnt Snacks", output=output, reference=kind) for kind in ("own game", "task"))
    # The truth has the size of a probability: on logits only its proportions can be compared.
    measure = "distance" if output == "probability" else "correlation"
    rows = [
        [
            path,
            GAMES[path],
            with_interval(own[path]["distance"], "{:.2f}"),
            with_interval(own[path]["correlation"], "{:.2f}"),
            with_interval(task.get(path, {}).get(measure), "{:.2f}"),
            with_interval(truth_of(result, path, output, measure), "{:.2f}"),
        ]
        for path in GAMES
        if path in own
    ]
    head = ["path", "its own game", "path and game:<br>distance", "path and game:<br>correlation"]
    head += [f"path and truth:<br>{measure}", f"game and truth:<br>{measure}"]
    n = next((row["distance"]["n"] for row in own.values()), 0)
    caption = (
        f"<b>Burnt Snacks, {output}.</b> Path and game: {n} images with a dark square; brackets hold 95 % intervals. "
        "The truth is that of the task: each of k dark squares is due 1/k, and nobody else anything."
    )
    return table(head, rows, caption, size=82)


# ---- the ledger -------------------------------------------------------------------------------------------------


def distances(result: dict, output: str = "probability") -> HTML:
    """Distance from fair of what divides an output; a panel for each scenario, a ring around the fairest path."""
    names = scenarios(result)
    shown = {name: _ranked(ledger(result, name, output=output)) for name in names}
    shown = {name: {m: one for m, one in found.items() if m not in WITHOUT_SUM} for name, found in shown.items()}
    methods = [method for method in STYLE if any(method in found for found in shown.values())]
    most = max([2, *(one["high"] for found in shown.values() for one in found.values())])
    least = max([LEAST, 0.7 * min([1, *(one["low"] for found in shown.values() for one in found.values())])])
    figure = Figure(figsize=(8.8, 1.35 + 0.25 * len(methods)), layout="constrained")
    axes = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for ax, (name, found) in zip(axes, shown.items(), strict=True):
        for method, one in found.items():
            colour, _, marker = STYLE[method]
            k = methods.index(method)
            low, mean, high = (max(one[part], LEAST) for part in ("low", "mean", "high"))
            ax.plot([low, high], [k, k], color=colour, lw=2, solid_capstyle="butt")
            ax.plot(mean, k, marker, color=colour, markersize=4.5)
        for first in [method for method in found if method in PATHS][:1]:
            at = max(found[first]["mean"], LEAST), methods.index(first)
            ax.plot(*at, "o", markersize=12, markerfacecolor="none", markeredgecolor=INK, markeredgewidth=1.2)
        ax.axvline(1, color=GREY, lw=0.9, ls=":", zorder=0)
        ax.axvspan(LEAST, max(_noise(result, name, output), LEAST), color="#e4e8eb", lw=0, zorder=0)
        ax.set(xscale="log", xlim=(least, 1.3 * most))
        ax.set_xticks(*_ticks(least, 1.3 * most, (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100)), fontsize=9.5)
        ax.minorticks_off()
        ax.set_title(name, fontsize=10)
        ax.grid(axis="y", color="#eef0f2", lw=0.8)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_yticks(range(len(methods)), methods, fontsize=10)
    axes[0].set_ylim(len(methods) - 0.4, -0.6)
    figure.supxlabel("distance from fair, log axis (0 would be fair; dotted: a map of zeros)", fontsize=10)
    said = "; ".join(f"{name}: {next((m for m in found if m in PATHS), 'none')}" for name, found in shown.items())
    figure.alt = (
        f"Distance from a fair division of the {output}, one row for each method with its 95 % interval, one panel for "
        f"each scenario. The fairest path in each: {said}. The folded tables have the numbers, also of gradient, "
        "SmoothGrad and random maps, which add up to nothing in particular."
    )
    return figure


def _ranked(rows: dict[str, dict]) -> dict[str, dict]:
    """Intervals of the distance, the fairest first."""
    found = {method: row["distance"] for method, row in rows.items() if known(row["distance"])}
    return dict(sorted(found.items(), key=lambda item: item[1]["mean"]))


def _noise(result: dict, scenario: str, output: str) -> float:
    """The distance that the yardstick's own sampling error makes."""
    images = SET if scenario == "Burnt Snacks" else None
    wanted = {"scenario": scenario, "network": NETWORK[scenario], "output": output, "set": images}
    return next((one["noise"] for one in ledger_rows(result, "references", **wanted)), 0) or 0


def _ticks(low: float, high: float, at=(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)) -> tuple[list[float], list[str]]:
    places = [x for x in at if low <= x <= high]
    return places, [f"{x:g}" for x in places]


def against_evaluations(result: dict, output: str = "probability") -> HTML:
    """Distance from fair against gradient evaluations, a curve for each method; permutation sampling is the limit."""
    names = [name for name in NETWORK if curves(result, name, output)]
    if not names:
        return HTML("No curves were measured yet.")
    figure = Figure(figsize=(8.8, 4.6), layout="constrained")
    axes = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    lowest = 1.0
    for ax, name in zip(axes, names, strict=True):
        found = curves(result, name, output)
        for method, (colour, dash, marker) in STYLE.items():
            points = found.get(method, {"evaluations": [], "distance": []})
            points = [(n, d) for n, d in zip(points["evaluations"], points["distance"], strict=True) if known(d)]
            if not points:
                continue
            at, intervals = zip(*points, strict=True)
            low, mean, high = ([max(one[k], LEAST) for one in intervals] for k in ("low", "mean", "high"))
            ax.fill_between(at, low, high, color=colour, alpha=0.13, lw=0)
            ax.plot(at, mean, dash, marker=marker, color=colour, lw=1.6, ms=4, label=method)
            lowest = min(lowest, *low)
        ax.axhline(1, color=GREY, lw=0.9, ls=":", zorder=0)
        ax.axhspan(LEAST, max(_noise(result, name, output), LEAST), color="#e4e8eb", lw=0, zorder=0)
        ticks = sorted({n for one in found.values() for n in one["evaluations"]})
        ax.set(xscale="log", yscale="log")
        ax.set_xlabel("evaluations, forward and backward", fontsize=10)
        ax.set_xticks(ticks, [f"{n}" for n in ticks], fontsize=9.5)
        ax.minorticks_off()
        ax.set_title(name, fontsize=10.5)
        ax.spines[["top", "right"]].set_visible(False)
    bottom = max(0.8 * lowest, LEAST)
    axes[0].set_ylim(bottom, 4)
    for ax in axes:
        ax.set_yticks(*_ticks(bottom, 4), fontsize=9.5)
        ax.minorticks_off()
    axes[0].set_ylabel("distance from fair", fontsize=10)
    labels = {label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(labels.values(), labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9.5)
    figure.alt = (
        f"Distance from a fair division of the {output} against the number of evaluations, both on log axes; a panel "
        f"for each of {', '.join(names)}, a curve with its 95 % band for each method. The list below says who leads."
    )
    return figure


def credit_by_kind(result: dict, output: str = "probability") -> HTML:
    """Burnt Snacks: how much of the output each kind of object gets, signs kept, and each method's distance."""
    kinds = ("dark", "light", "triangles", "rest")
    wanted = {"network": NETWORK["Burnt Snacks"], "set": SET, "output": output}
    found = {one["method"]: one for one in ledger_rows(result, "credit", **wanted)}
    rows = ledger(result, "Burnt Snacks", output=output)
    order = ["fair", *_ranked({method: rows[method] for method in found if method in rows and method != "random"})]
    cells = [
        [
            f"<b>{method}</b>" if method == "fair" or method in CERTAINTY else method,
            *(f"{found[method][kind]:+.2f}".replace("-", "−") for kind in kinds),
            "0" if method == "fair" else with_interval(rows[method]["distance"], "{:.2f}"),
        ]
        for method in order
        if method in found
    ]
    caption = (
        f"<b>Burnt Snacks, {output}</b>, images with a dark square: mean sum of the credit of all dark squares, light "
        "squares, triangles, and of all that is no object. First row: what they are due. Bold: paths of certainty."
    )
    return table(["", "dark", "light", "triangles", "the rest", "distance"], cells, caption)


def ledger_tables(result: dict) -> HTML:
    """All measures of every method on each scenario's own network, folded; a part for each scenario and output."""
    parts = []
    for name in scenarios(result):
        for output in ("probability", "logit"):
            for images in (SET, "no dark square") if name == "Burnt Snacks" else (None,):
                rows = ledger(result, name, output=output, images=images)
                if rows:
                    title = f"{name}, {output}" + (f", images with {images}" if images else "")
                    parts.append(_folded(title, _measures(result, name, output, images, rows).data))
    return HTML(_folded("All measures, all methods, both outputs", "".join(parts)))


def _folded(title: str, inside: str) -> str:
    return f"<details style='margin: .4em 0 .4em 1em'><summary>{title}</summary>{inside}</details>"


def _measures(result: dict, name: str, output: str, images: str | None, rows: dict[str, dict]) -> HTML:
    task = ledger(result, name, output=output, images=images, reference="task")
    against = [("correlation with<br>the task", lambda m: task.get(m, {}).get("correlation"))] if task else []
    if task and any(known(row["distance"]) for row in task.values()):
        against.insert(0, ("distance from<br>the task", lambda m: task.get(m, {}).get("distance")))
    upper: dict[str, Callable] = {m: lambda method, m=m: rows[method].get(m) for m in MEASURES}
    lower: dict[str, Callable] = dict(against)
    for measure in ("distance", "correlation"):
        lower[f"{measure},<br>together"] = lambda m, measure=measure: rows[m].get("pooled", {}).get(measure)
    order = sorted(rows, key=lambda m: rows[m]["distance"]["mean"] if known(rows[m]["distance"]) else 1e9)
    measured = [
        [[m, *(with_interval(get(m), "{:.2f}") for get in half.values())] for m in order] for half in (upper, lower)
    ]
    first = [[m, f"{rows[m]['evaluations']:,}", *cells] for m, *cells in measured[0]]
    n = max((row["distance"]["n"] for row in rows.values()), default=0)
    caption = f"{n:,} inputs, network {NETWORK[name]}."
    halves = [  # one below the other: side by side they are wider than the page
        table(["method", "evaluations", *upper], first, caption, size=78).data,
        table(["method", *lower], measured[1], TOGETHER, size=78).data,
    ]
    return HTML("".join(halves))


# ---- made fairer ------------------------------------------------------------------------------------------------


def certainty_maps(maps: dict[str, Tensor]) -> Figure:
    """Certainties ``(1, 1, H, W)`` at which a method asks the network, by its name; black is 0, white is 1."""
    figure = Figure(figsize=(6.2, 1.85), layout="constrained")
    for ax, (name, found) in zip(figure.subplots(1, len(maps)), maps.items(), strict=True):
        show_image(ax, found[0, 0])
        ax.set_title(name, fontsize=10)
    return figure


def on_the_diagonal(t: Tensor, found: dict[str, dict[str, tuple[Tensor, Tensor]]]) -> Figure:
    """What a network answers where all is certain to the degree ``t`` ``(T,)``, beside the mean over coalitions.

    Args:
        found: ``{title: {output: (mean, answer)}}``, ``(T,)`` each; a column for each title, a row for each output.
            Each panel has its own scale.
    """
    outputs = list(next(iter(found.values())))
    figure = Figure(figsize=(8.8, 4.4), layout="constrained")
    axes = figure.subplots(len(outputs), len(found), sharex=True, squeeze=False)
    for column, (title, by_output) in zip(axes.T, found.items(), strict=True):
        column[0].set_title(title, fontsize=10.5)
        for ax, output in zip(column, outputs, strict=True):
            mean, answer = by_output[output]
            ax.plot(t, mean, color=INK, lw=2, label="mean over coalitions")
            ax.plot(t, answer, "--", color=STYLE["ICG"][0], lw=2, label="answer on ICG's path")
            ax.spines[["top", "right"]].set_visible(False)
            ax.tick_params(labelsize=9.5)
        column[-1].set_xlabel("certainty t", fontsize=10)
    for row, output in zip(axes, outputs, strict=True):
        row[0].set_ylabel(output, fontsize=10)
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False, fontsize=9.5
    )
    figure.alt = (
        f"Lines of the {' and of the '.join(outputs)} against certainty, for each of {', '.join(found)}: the mean over "
        "coalitions, and what the network answers on ICG's path. The numbers below say how far apart they are."
    )
    return figure


def trainings(result: dict, output: str = "probability", measure: str = "distance") -> HTML:
    """The paths of certainty on every network that was measured; a row for each network."""
    methods = [m for m in ("ICG", "random-path", "block-wise") if any(row["method"] == m for row in result["rows"])]
    cells = []
    for name in scenarios(result):
        for network in networks(result, name):
            rows = ledger(result, name, network=network, output=output)
            mark = f"<b>{network}</b>" if network == NETWORK[name] else network
            cells.append([mark, *(with_interval(rows.get(m, {}).get(measure), "{:.2f}") for m in methods)])
    caption = (
        f"{measure.capitalize()}, each network compared with its own fair division, {output}. "
        "Bold: the network of the scenario's chapter."
    )
    return table(["network", *methods], cells, caption)
