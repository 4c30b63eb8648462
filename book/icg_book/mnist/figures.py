"""The figures and tables of the chapter on MNIST and MNIST in Space.

Images, maps and masks are ``(1, 1, H, W)``. ``cards``, ``result`` and ``curves`` are what
:mod:`icg_book.mnist.measured` says. Figures are matplotlib's, tables ``IPython.display.HTML``.
"""

import html
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from icg.measures import probabilities
from icg_book.kit.dots import Panel, dots
from icg_book.kit.drawing import Figure
from icg_book.kit.figures import colour_bar, show_image, show_map, signed_cmap
from icg_book.kit.tables import framed, table, with_interval
from icg_book.mnist.digits import Collection
from icg_book.mnist.measured import (
    AWARE,
    CHANGES,
    CURVES,
    LINES,
    NETWORKS,
    UNAWARE,
    accuracy,
    agreement,
    slowdown_points,
)

INK, GREEN, VEIL = "#1d2733", "#009e73", "#5d8ca8"
STYLES = {  # of the methods' curves
    "ICG": ("#c6670f", "-"),
    "ICG, noise averaged": ("#eb8317", "--"),
    "EG": ("#1344a5", "-"),
    "mean IG": ("#50a6fc", "-"),
    "AGN": ("#1b7837", "-"),
    "middle IG": ("#7bb661", "-"),
    "zero IG": ("#7a3b8f", "-"),
    "gradient": ("#8a929a", "-"),
    "SmoothGrad": ("#8a929a", "--"),
    "random": (INK, ":"),
}


def panels(
    items: Sequence[tuple[str, str, Tensor] | None],
    columns: int,
    *,
    outline: Tensor | None = None,
    width: float = 1.75,
    bar: bool = True,
    faint: float = 1.0,
) -> Figure:
    """Pictures and signed maps in a grid.

    Args:
        items: title, "image" or "map", and the picture; None for an empty place.
        outline: a mask whose edge is drawn on every panel.
        width: of a panel, in inches. bar: whether the scale of the maps is below them.
        faint: colours are full at this part of a map's largest value.
    """
    height, across = next(item[2] for item in items if item).shape[-2:]
    n_rows = -(-len(items) // columns)
    tall = width * height / across
    lines = max(item[0].count("\n") + 1 for item in items if item)
    above, below = 0.1 + 0.17 * lines, 0.22
    wide = columns * (width + 0.12) + 0.12
    high = n_rows * (above + tall + below) + 0.42 * bar
    figure = Figure(figsize=(wide, high))
    for k, item in enumerate(items):
        if item is None:
            continue
        title, kind, picture = item
        x = 0.12 + (k % columns) * (width + 0.12)
        y = high - (k // columns) * (above + tall + below) - above - tall
        ax = figure.add_axes((x / wide, y / high, width / wide, tall / high))
        ax.set_title(title, fontsize=9.5, pad=4)
        if kind == "image":
            show_image(ax, picture)
        else:
            largest = picture.abs().max().item()
            show_map(ax, picture, limit=faint * largest or 1.0)
            ax.set_xlabel(f"max |value| {largest:.2g}", fontsize=7, color="0.35", labelpad=2)
        if outline is not None:
            ax.contour(outline[0, 0].float(), levels=[0.5], colors=GREEN, linewidths=1.2)
    if bar:
        length = min(2.2, 0.6 * wide)
        ax = figure.add_axes((0.5 - length / wide / 2, 0.28 / high, length / wide, 0.09 / high))
        colour_bar(ax)
        if faint != 1:
            ax.set_xticks([-1, 0, 1], [f"− {faint:g} max", "0", f"+ {faint:g} max"])
    return figure


# --- the digits, and a 4 that is nearly a 9 ------------------------------------------------------------------------


def one_stroke(model, four: Tensor, nine: Tensor, source: str) -> Figure:
    """A 4, the 9 that a stroke makes of it, with the model's probabilities, and the pixels that the stroke fills."""
    p = probabilities(model, torch.cat([four, nine]))
    gap = (nine > four) & (four == 0)
    items = [
        (f"{source}\np(4) = {p[0, 4]:.3f}", "image", four),
        (f"one stroke more\np(9) = {p[1, 9]:.3f}", "image", nine),
        ("the gap: black pixels\nthat the stroke fills", "image", gap.float()),
    ]
    return panels(items, columns=3, bar=False, width=2.1)


def data_note(collection: Collection):
    """Whether the data set is here; if not, what is shown in its place, and how to get it."""
    if collection.missing is None:
        return framed(
            f"<b>MNIST is here:</b> {collection.n_training:,} digits for training and "
            f"{len(collection.digits):,} for testing."
        )
    return framed(
        f"<b>Other digits stand in for MNIST here.</b> What this page explains are {len(collection.digits)} digits "
        "that were drawn for this book. What Expected Gradients compares them with are the "
        f"{collection.n_training:,} handwritten digits of scikit-learn, enlarged from 8 × 8 pixels to the size of "
        "MNIST's. They are softer and wider: of MNIST's pixels four in five are black, of these "
        f"{(collection.training == 0).double().mean():.0%}. So its maps are about another distribution than the one "
        "that the network learnt, and differ in detail; where they are blind, and what they carry along, is "
        "the same. All tables and curves were measured on MNIST itself, and come with the book.<br>"
        "<b>To see MNIST</b>, run the chapter with a network: it fetches 12 MB. Or set the environment "
        "variable <code>ICG_DATA</code> to a folder that holds <code>MNIST/raw</code> with the four files that "
        f"torchvision unpacks. <details><summary>What was tried</summary>{html.escape(collection.missing)}</details>"
    )


def maps_of_the_four(four: Tensor, maps: Mapping[str, Tensor], gap: Tensor) -> Figure:
    """The 4 and its maps by name; the gap is outlined."""
    items = [("input", "image", four), *((name, "map", found) for name, found in maps.items())]
    return panels(items, columns=3, outline=gap, width=2.1)


# --- what certainty costs ------------------------------------------------------------------------------------------


PLACES = {  # stem of the networks' names, place on the canvas, accuracy of the authors' weights, the paper's words
    "MNIST": ("mnist", None, None, "“damage training has not resulted in reduced accuracy”"),
    # The authors' weights are those of the network that was trained on damage.
    "Space, left": ("mnist-in-space", None, 0.973, "–"),
    "Space, middle": ("mnist-in-space", "middle", 0.981, "“able to classify digits correctly"),
    "Space, right": ("mnist-in-space", "right", 0.978, "anywhere in the extended image”"),
}


def accuracies(cards: dict):
    """Accuracy with certainty and without, drawn, beside what the authors' published weights reach."""
    rows = {}
    for label, (stem, place, theirs, _) in PLACES.items():
        ours = [found | {"mean": found["all"]} for found in _of_pair(cards, stem, place)]
        rows[label] = dict(zip(("with certainty", "plain twin"), ours, strict=True))
        rows[label] |= {} if theirs is None else {"the authors’ weights": theirs}
    images = cards["mnist"]["metrics"]["accuracy"]["images"]
    return dots(
        {"accuracy": Panel(rows, "{:.2%}", zero=False)},
        f"Accuracy on {images:,} undamaged test digits at each place.",
        bars="95 % Wilson intervals",
        hollow=["the authors’ weights"],
        tables=[accuracy_table(cards)],
        label="All numbers, and the paper’s words",
    )


def _of_pair(cards: dict, stem: str, place: str | None) -> list[dict]:
    """What was measured of a network and of its plain twin, at a place."""
    found = [cards[name]["metrics"]["accuracy"] for name in (stem, f"{stem}-plain")]
    return [measured[place] if place else measured for measured in found]


def accuracy_table(cards: dict):
    """Accuracy with certainty and without, what the authors' published weights reach, and the paper's words."""
    rows = []
    for label, (stem, place, theirs, words) in PLACES.items():
        ours = [with_interval(found, "{:.2%}", value="all") for found in _of_pair(cards, stem, place)]
        rows.append([label, *ours, "–" if theirs is None else f"{theirs:.1%}", words])
    images = cards["mnist"]["metrics"]["accuracy"]["images"]
    head = ["test digits", "with certainty", "plain twin", "authors’<br>weights", "the paper’s words"]
    return table(head, rows, f"Accuracy on {images:,} undamaged test digits at each place.")


def figure_8(curves: dict) -> Figure:
    """Figure 8: test loss and accuracy during training, with damage and without, and how many times longer it takes."""
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    axes = figure.subplots(1, 3)
    for ax, measure in zip(axes, ("loss", "accuracy"), strict=False):
        _learning_curves(ax, curves, measure)
    axes[1].set_yticks([0.1, 0.2, 0.5, 1.0], ["0.1", "0.2", "0.5", "1"])
    axes[1].minorticks_off()
    axes[1].set_ylim(0.07, 1.15)
    axes[0].set_yticks([2, 1, 0.5, 0.2, 0.1, 0.05], ["2", "1", "0.5", "0.2", "0.1", "0.05"])
    axes[0].tick_params(axis="y", which="minor", left=False, labelleft=False)
    _slowdown(axes[2], curves)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8.5)
    return figure


def _learning_curves(ax, curves: dict, measure: str) -> None:
    for (name, label), colour in zip(LINES.items(), ("#2064c4", "#b5342c", "#1b7837"), strict=True):
        steps = curves["curves"][name]["steps"]
        seeds = torch.tensor(curves["curves"][name][measure])  # (seeds, points)
        ax.fill_between(steps, seeds.amin(0), seeds.amax(0), color=colour, alpha=0.25, linewidth=0)
        ax.plot(steps, seeds.mean(0), color=colour, linewidth=1.5, label=label)
    ax.set(xscale="log", yscale="log", xlabel="batches of 64", title=f"test {measure}")


def _slowdown(ax, curves: dict) -> None:
    for measure, colour in (("loss", INK), ("accuracy", "#c6670f")):
        at, mean, low, high = slowdown_points(curves, measure)
        bars = torch.stack([mean - low, high - mean]).numpy()  # matplotlib 3.8 takes no tensor here
        style = {"fmt": "o", "markersize": 3.5, "color": colour, "elinewidth": 1}
        ax.errorbar(at, mean, bars, label=f"same {measure}, with interval", **style)
    ax.axhline(curves["paper"]["slowdown"], color="0.45", linestyle="--", lw=1)
    ax.set(xscale="log", xlabel="batches of the plain network", title="slowdown")
    ax.set(yscale="log", ylim=(0.8, 16))
    ax.set_yticks([1, 2, 3, 5, 10], ["1", "2", "3", "5", "10"])
    ax.tick_params(axis="y", which="minor", left=False, labelleft=False)
    ax.legend(fontsize=8, frameon=False, loc="upper left")


# --- maps of MNIST -------------------------------------------------------------------------------------------------


def figure_10(model, image: Tensor, maps: Mapping[str, Tensor], mean: Tensor, source: str) -> Figure:
    """Figure 10: the input, its maps by name (with a letter in front), and the mean of the training set."""
    p, said = probabilities(model, image)[0].max(0)
    items = [(name, "map", found) for name, found in maps.items()]
    items += [(f"A: input ({source})\np({said}) = {p:.3f}", "image", image), ("E: distribution mean", "image", mean)]
    return panels(sorted(items, key=lambda item: item[0]), columns=4, width=1.95)


def ten_questions(maps: Mapping[str, Tensor]) -> Figure:
    """Maps ``(10, H, W)`` of all classes by two methods, one above the other; one scale for each method."""
    figure = Figure(figsize=(7.6, 6.8), layout="constrained")
    axes = figure.subplots(4, 5)
    for row, (name, found) in enumerate(maps.items()):
        limit = found.abs().max().item()
        for k, of_class in enumerate(found):
            ax = axes[row + 2 * (k // 5), k % 5]
            show_map(ax, of_class, limit=limit)
            total = f"{of_class.sum():+.1f}".replace("-", "−")
            ax.set_title(f"for a {k}: {total}", fontsize=9)
            if k % 5 == 0:
                ax.set_ylabel(name, fontsize=9.5)
    return figure


def blindness(result: dict):
    """For every method the share of |credit| on black pixels, drawn; what a map takes is folded below."""
    black, methods = result["mnist"]["zero pixels"], result["mnist"]["methods"]
    share = {name: {"share": found["blindness"]} for name, found in methods.items()}
    gap = {name: {"share": found["gap"]["mean"]} for name, found in methods.items() if found.get("gap")}
    return dots(
        {
            "credit on black pixels": Panel({**share, "<i>their part of the picture</i>": {"share": black}}, "{:.1%}"),
            "completeness gap, mean": Panel(gap, "{:.4f}"),
        },
        f"{methods['ICG']['blindness']['n']:,} test digits. Probability of the predicted class. <i>Random</i> is the "
        "control.",
        bars="95 % intervals over digits",
        strong=["ICG"],
        tables=[blindness_table(result)],
        label="All numbers: credit on black pixels, gradients for a map, completeness",
    )


def blindness_table(result: dict):
    """For every method the share of |credit| on black pixels, by itself and of its part, and what a map takes."""
    black = result["mnist"]["zero pixels"]
    rows = []
    for name, found in result["mnist"]["methods"].items():
        on_black, gap = found["blindness"], found.get("gap")
        part = f"{on_black['mean'] / black['mean']:.2f}"
        off = "–" if gap is None else f"{gap['mean']:.4f}"
        rows.append([name, with_interval(on_black, "{:.1%}"), part, f"{found['evaluations']:,}", off])
    head = ["method", "credit on black", "of its part", "gradients<br>for a map", "completeness<br>gap"]
    caption = (
        f"{on_black['n']:,} test digits, of whose pixels {black['mean']:.1%} are black. "
        "Probability of the predicted class. <i>Random</i> is the control."
    )
    return table(head, rows, caption)


def figure_7(image: Tensor, band: Tensor, zero: Tensor, one: Tensor, certain: Tensor) -> Figure:
    """Figure 7: maps of an image of which a band of rows is unknown.

    Args:
        band: where certainty is 0, whole rows. zero, one: maps from black and from white. certain: that of ICG.
    """
    items = [
        ("A: input", "image", image),
        ("B: zero baseline", "image", torch.zeros_like(image)),
        ("C: one baseline", "image", torch.ones_like(image)),
        None,
        ("D: ICG", "map", certain),
        ("E: F and G together", "map", zero + one),
        ("F: zero baseline", "map", zero),
        ("G: one baseline", "map", one),
    ]
    figure = panels(items, columns=4, width=1.95)
    rows = band[0, 0].any(1).nonzero().flatten()
    edges = (rows[0].item() - 0.5, rows[-1].item() + 0.5)
    axes = figure.axes
    axes[0].axhspan(*edges, color=VEIL, linewidth=0)
    for ax in (axes[0], *axes[3:7]):
        for edge in edges:
            ax.axhline(edge, color=VEIL, linewidth=1.2, linestyle=(0, (4, 2)))
    return figure


# --- comparisons of methods ----------------------------------------------------------------------------------------


def agreement_matrix(result: dict) -> Figure:
    """Mean rank correlation of every two methods, as colours and numbers."""
    found = result["mnist"]["rank correlation"]
    order = ["gradient", "SmoothGrad", "zero IG", *AWARE, "ICG, noise averaged", "ICG", *UNAWARE]
    names = [name for name in order if name in found["methods"]]
    index = torch.tensor([found["methods"].index(name) for name in names])
    matrix = torch.tensor(found["mean"])[index][:, index]
    figure = Figure(figsize=(7.4, 5.6), layout="constrained")
    ax = figure.add_subplot()
    ax.imshow(matrix.numpy(), cmap=signed_cmap(), vmin=-1, vmax=1)
    for i, row in enumerate(matrix.tolist()):
        for j, value in enumerate(row):
            colour = "white" if abs(value) > 0.75 else INK
            text = f"{round(value, 2) + 0.0:.2f}".replace("-", "−")
            ax.text(j, i, text, ha="center", va="center", fontsize=9, color=colour)
    ax.set_xticks(range(len(names)), names, rotation=40, ha="right")
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)
    return figure


def taken_away(image: Tensor, taken: Tensor, flipped: Tensor, p: Mapping[str, Tensor], target: int) -> Figure:
    """An image from which pixels are taken, in two ways: their values are flipped, or they are veiled as unknown.

    Args:
        taken: ``(K, 1, H, W)`` bool, the pixels that are missing in each column. flipped: the image without them.
        p: by names of :data:`icg_book.mnist.measured.CHANGES`, the probabilities ``(K,)`` of the class ``target``.
    """
    figure = Figure(figsize=(7.6, 4.6), layout="constrained")
    axes = figure.subplots(2, len(taken))
    for k, gone in enumerate(taken[:, 0]):
        show_image(axes[0, k], flipped[k])
        axes[0, k].set_title(f"{int(gone.sum())} pixels", fontsize=10)
        show_image(axes[1, k], image)
        veil = torch.zeros(*gone.shape, 4)
        veil[gone] = torch.tensor([0.36, 0.55, 0.66, 1.0])
        axes[1, k].imshow(veil.numpy(), interpolation="nearest")
    for row, (change, label) in zip(axes, CHANGES.items(), strict=True):
        row[0].set_ylabel(label, fontsize=10)
        for ax, value in zip(row, p[change], strict=True):
            ax.set_xlabel(f"p({target}) = {value:.3f}", fontsize=9)
    return figure


def deletion_and_insertion(result: dict) -> Figure:
    """Probability of the class while pixels are deleted or inserted, for every method, with intervals."""
    methods = result["mnist"]["methods"]
    figure = Figure(figsize=(9, 6.4), layout="constrained")
    axes = figure.subplots(2, 2, sharey=True)
    for way, row in zip(("deletion", "insertion"), axes, strict=True):
        for ax, (change, label) in zip(row, CHANGES.items(), strict=True):
            for name, (colour, dash) in STYLES.items():
                if name in methods:
                    line = methods[name][way][change]
                    share, p = line["share"], line["probability"]
                    ax.fill_between(share, p["low"], p["high"], color=colour, alpha=0.12, lw=0)
                    ax.plot(share, p["mean"], dash, color=colour, lw=1.4, label=name)
            ax.set_title(f"{way}, {label}", fontsize=10)
            ax.set_ylim(-0.02, 1.02)
            # More room for the first pixels:
            ax.set_xscale("function", functions=(lambda x: x**0.5, lambda x: x**2))
            ax.set_xlim(0, 1)
            ax.set_xticks([0, 0.02, 0.1, 0.25, 0.5, 1], ["0", ".02", ".1", ".25", ".5", "1"])
        row[0].set_ylabel("probability of the class")
    for ax in axes[1]:
        ax.set_xlabel("share of the pixels (stretched near 0)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False, fontsize=8.5)
    return figure


def areas(result: dict):
    """Areas under the curves of deletion and insertion, drawn for every method."""
    methods = result["mnist"]["methods"]
    panels = {}
    for way, change in CURVES:
        good = "left" if way == "deletion" else "right"
        rows = {name: {"area": found[way][change]["area"]} for name, found in methods.items()}
        panels[f"{way}, {CHANGES[change]} ({good} is good)"] = Panel(rows, "{:.3f}")
    return dots(
        panels,
        f"Area under the curve, {methods['ICG']['deletion']['values']['area']['n']} test digits. <i>Random</i> is the "
        "control: pixels in random order.",
        bars="95 % intervals over digits",
        strong=["ICG"],
        tables=[areas_table(result)],
        label=f"All numbers: areas, and the authors’ experiment of {result['settings']['flips']} flips",
    )


def areas_table(result: dict):
    """Areas under the curves of deletion and insertion, for every method."""
    methods, flips = result["mnist"]["methods"], result["settings"]["flips"]
    rows = []
    for name, found in methods.items():
        areas = [
            found["deletion"]["values"][f"area, first {flips} pixels"],
            *(found[way][change]["area"] for way, change in CURVES),
        ]
        rows.append([name, *map(with_interval, areas)])
    head = ["method", f"deletion, {flips}<br>values flipped"]
    head += [f"{way},<br>{CHANGES[change]}" for way, change in CURVES]
    caption = (
        f"Area under the curve, mean over {methods['ICG']['deletion']['values']['area']['n']} test digits. "
        f"Deletion: small is good. Insertion: large is good. First column: the authors' experiment, {flips} flips. "
        "<i>Random</i> is the control: pixels in random order."
    )
    return table(head, rows, caption, size=78)


# --- MNIST in Space ------------------------------------------------------------------------------------------------


def accuracy_by_column(cards: dict) -> Figure:
    """Accuracy in Space against the column of the digit's left edge, with certainty and without."""
    figure = Figure(figsize=(7.6, 3.0), layout="constrained")
    ax = figure.add_subplot()
    ax.axvspan(1, 5, color=INK, alpha=0.12, linewidth=0, label="seen in training")
    labels = {"with certainty": "#c6670f", "plain twin": "#2064c4"}
    for name, (label, colour) in zip(NETWORKS[2:], labels.items(), strict=True):
        found = cards[name]["metrics"]["accuracy against column"]
        ax.plot(found["column"], found["accuracy"], ".-", color=colour, lw=1.2, label=label)
    ax.set(xlabel="column of the digit's left edge", ylabel="accuracy\n(axis begins at 90 %)")
    ax.set(xlim=(-0.5, 36.5), ylim=(0.9, 1))
    ax.set_yticks([0.9, 0.92, 0.94, 0.96, 0.98, 1], ["90 %", "92 %", "94 %", "96 %", "98 %", "100 %"])
    ax.legend(fontsize=9, frameon=False, loc="lower right")
    return figure


def figure_11(model, canvas: Tensor, maps: Mapping[str, Tensor], mean: Tensor, ghost: Tensor) -> Figure:
    """Figure 11: the mean of the training inputs, a digit away from it, and its maps; the ghost's place is outlined."""
    p, said = probabilities(model, canvas)[0].max(0)
    items = [
        ("A: mean of the training inputs", "image", mean),
        (f"B: input, p({said}) = {p:.3f}", "image", canvas),
        *((name, "map", found) for name, found in maps.items()),
    ]
    return panels(items, columns=2, outline=ghost, width=3.2, faint=0.25)  # faint colours are what this is about


def ghost_and_data(left: Tensor, right: Tensor, ghost: Tensor) -> Figure:
    """The maps of Expected Gradients with data on the left and on the right."""
    items = [("EG, data on the left", "map", left), ("EG, data on the right", "map", right)]
    return panels(items, columns=2, outline=ghost, width=3.2, faint=0.25)


def ghosts(result: dict):
    """Shares of |credit| in the ghost's place and on the ink, drawn, for digits on the right."""
    methods = result["space"]["methods"]
    panels = {
        title: Panel({name: {"share": found[part]} for name, found in methods.items()}, "{:.2%}")
        for part, title in (("ghost", "credit in the ghost’s place"), ("ink share", "credit on the ink"))
    }
    return dots(
        panels,
        f"Share of |credit|, {methods['ICG']['ghost']['n']} test digits on the right of the canvas.",
        bars="95 % intervals over digits",
        strong=["ICG", "EG"],
        tables=[ghost_table(result)],
        label="All numbers: the ghost’s place, the left half, the ink",
    )


def ghost_table(result: dict):
    """Shares of |credit| in the ghost's place, in the left half and on the ink, for digits on the right."""
    in_space = result["space"]
    size, methods = in_space["area"], in_space["methods"]
    parts = ("ghost", "left share", "ink share")
    rows = [[name, *(with_interval(found[part], "{:.2%}") for part in parts)] for name, found in methods.items()]
    caption = (
        f"Share of |credit| for {methods['ICG']['ghost']['n']} test digits on the right: in the ghost's place "
        f"({size['ghost']['mean']:.0%} of the canvas), in its left half, and on the digit's ink and a pixel around it "
        f"({size['ink']['mean']:.0%})."
    )
    return table(["method", "ghost’s place", "left half", "ink"], rows, caption)


# --- summary -------------------------------------------------------------------------------------------------------


def claims_table(result: dict, cards: dict, curves: dict):
    """What the paper says, and the numbers of the page."""
    slow = {measure: found["median"]["mean"] for measure, found in curves["slowdown"].items()}
    hidden = [found["masked"]["mean"] / found["unmasked"]["mean"] for found in result["mnist"]["band"].values()]
    near = [agreement(result, ["ICG"], group) for group in (AWARE, UNAWARE)]
    off_ink = result["mnist"]["methods"]["zero IG"]["blindness"]["mean"]
    space = {name: result["space"]["methods"][name] for name in ("EG", "ICG", "AGN")}
    ghost = {name: found["ghost"]["mean"] for name, found in space.items()}
    on_ink = {name: found["ink share"]["mean"] / (1 - found["left share"]["mean"]) for name, found in space.items()}
    claims = {
        "“damage training has not resulted in reduced accuracy”": (
            f"{accuracy(cards, 'mnist'):.2%} with, {accuracy(cards, 'mnist-plain'):.2%} without"
        ),
        "“training with damage takes roughly twice as long”": (
            f"{slow['accuracy']:.1f} times for the same accuracy, {slow['loss']:.1f} for the same loss"
        ),
        "zero baseline: “only the ‘digit itself’ is attributed”": f"{off_ink:.1%} of the credit off the ink",
        "“an obvious suppression” where certainty is 0": (
            f"down to {min(hidden):.0%}–{max(hidden):.0%} of what it was; not to nothing"
        ),
        "ICG “an intermediate between” aware and unaware methods": (
            f"correlation with them {near[0]:.2f} and {near[1]:.2f}, between them "
            f"{agreement(result, AWARE, UNAWARE):.2f}: no. Credit for the ground: yes"
        ),
        "“able to classify digits correctly anywhere”": (
            f"{accuracy(cards, 'mnist-in-space', 'right'):.2%} on the right, "
            f"{accuracy(cards, 'mnist-in-space'):.2%} where it was trained"
        ),
        "EG “significantly more localized due to baseline blindness”": (
            "credit outside the left half that is on ink: "
            + ", ".join(f"{name} {share:.0%}" for name, share in on_ink.items())
        ),
        "“A ‘ghost’ … is present in EG but not in AGN or ICG”": (
            ", ".join(f"{name} {share:.1%}" for name, share in ghost.items()) + " of their credit"
        ),
    }
    caption = "The paper’s words, and the numbers of this page."
    return table(["the paper says", "here"], list(claims.items()), caption, align="left")
