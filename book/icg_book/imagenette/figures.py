"""The figures of this chapter."""

from pathlib import Path

import torch
from IPython.display import SVG
from torch import Tensor

from icg.measures import mass_share
from icg_book.imagenette.experiment import CURVES
from icg_book.imagenette.findings import CHANGED, EG, ICG
from icg_book.imagenette.gallery import Gallery
from icg_book.imagenette.localisation import half_area
from icg_book.imagenette.networks import GATED, LARGE, NICK, SMALL, TWIN
from icg_book.kit.drawing import Figure
from icg_book.kit.figures import colour_bar, show_map
from icg_book.kit.intervals import wilson
from icg_book.scenarios.imagenette import CLASSES, COUNTS

# One colour and dash for each method, in all figures.
STYLE = {
    ICG: ("#c6670f", "-"),
    "ICG": ("#eb8317", "--"),
    "EG": ("#1344a5", "-"),
    "mean IG": ("#50a6fc", "-"),
    "AGN": ("#1b7837", "-"),
    "zero IG": ("#7a3b8f", "-"),
    "gradient": ("#8a929a", "-"),
    "SmoothGrad": ("#8a929a", "--"),
    "random": ("#1d2733", ":"),
}


# ---- pictures on the page -------------------------------------------------------------------------------------


def file(path: Path) -> SVG:
    """A drawing that is in a file."""
    return SVG(filename=str(path))


def _show_colours(ax, picture: Tensor) -> None:
    """Draw a picture ``(h, w, 3)`` without ticks and frame."""
    ax.imshow(picture.numpy())
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


# ---- photographs and their maps -------------------------------------------------------------------------------


def photograph(gallery: Gallery, p: Tensor, k: int) -> Figure:
    """A picture of the gallery, with the class that the network names; ``p``: all their probabilities, ``(n, 10)``."""
    figure = Figure(figsize=(3.2, 3.4), layout="constrained")
    ax = figure.add_subplot()
    _show_colours(ax, gallery.pictures[k])
    said = p[k].argmax().item()
    ax.set_title(f"photograph: {CLASSES[said]}, {p[k, said]:.3f}", fontsize=10)
    return figure


def figure_9(gallery: Gallery, p: Tensor, maps: dict[int, dict[str, Tensor]], numbers, width: float = 1.75) -> Figure:
    """Rows of the paper's figure 9: each picture and its maps.

    Args:
        p: the network's probabilities, ``(n, 10)``.
        maps: for the number of a picture the maps ``(1, 1, H, W)`` by their names. numbers: of the rows' pictures.
        width: of a panel, in inches.
    """
    said = {k: p[k].argmax().item() for k in numbers}
    columns, n = 1 + len(maps[numbers[0]]), len(numbers)
    wide, high = columns * (width + 0.08) + 0.08, n * (width + 0.3) + 0.75
    figure = Figure(figsize=(wide, high))
    for row, k in enumerate(numbers):
        y = high - 0.3 - row * (width + 0.3) - width
        places = [(0.08 + column * (width + 0.08), y, width, width) for column in range(columns)]
        axes = [figure.add_axes((x / wide, y / high, w / wide, h / high)) for x, y, w, h in places]
        _show_colours(axes[0], gallery.pictures[k])
        axes[0].set_xlabel(f"{CLASSES[said[k]]}, {p[k, said[k]]:.2f}", fontsize=8.5, labelpad=3)
        for ax, found in zip(axes[1:], maps[k].values(), strict=True):
            show_map(ax, found, percentile=99.5)
            label = f"half: {half_area(found)[0]:.1%} of the area"
            ax.set_xlabel(label, fontsize=7.5, color="0.35", labelpad=3)
        if row == 0:
            for ax, title in zip(axes, ["photograph", *maps[k]], strict=True):
                ax.set_title(title, fontsize=10, pad=4)
    bar = figure.add_axes((0.5 - 1.1 / wide, 0.27 / high, 2.2 / wide, 0.1 / high))
    colour_bar(bar)
    bar.set_xticks([-1, 0, 1], ["−99.5th percentile", "0", "+99.5th percentile"], fontsize=8)
    figure.alt = (
        f"Attribution maps beside their pictures, {', '.join(CLASSES[said[k]] for k in numbers)}: Integrated "
        "Certainty Gradients averaged over five noisy copies, raw and blurred, then Expected Gradients, raw and "
        "blurred. Orange speaks for the class, blue against it."
    )
    return figure


def bordered(picture: Tensor, said: int, maps: dict[str, Tensor], edge: Tensor) -> Figure:
    """A photograph with a border, and how much of each map's credit lies on it.

    Args:
        picture: ``(h, w, 3)`` uint8. said: the number of the class that the network names.
        maps: ``(1, 1, H, W)`` by their names. edge: where the border is, ``(1, 1, H, W)`` boolean.
    """
    figure = Figure(figsize=(9, 2.4), layout="constrained")
    axes = figure.subplots(1, 1 + len(maps))
    _show_colours(axes[0], picture)
    axes[0].set_title("photograph", fontsize=10)
    axes[0].set_xlabel(f"{CLASSES[said]}; border {edge.double().mean():.0%}", fontsize=8.5)
    for ax, (name, found) in zip(axes[1:], maps.items(), strict=True):
        show_map(ax, found, percentile=99.5)
        ax.contour(edge[0, 0].float().numpy(), levels=[0.5], colors="#009e73", linewidths=1.2)
        ax.set_title(name, fontsize=10)
        ax.set_xlabel(f"{mass_share(found, edge).item():.1%} on the border", fontsize=8.5)
    figure.alt = (
        "A photograph with a black border and its maps by ICG and EG, raw and blurred; a green line surrounds the "
        "border, and below each map stands the share of its absolute credit that lies on the border."
    )
    return figure


def parts_of_a_flower(
    flower: Tensor, maps: dict[str, Tensor], known: dict[str, Tensor], plain: Tensor, p: Tensor
) -> Figure:
    """A photograph of a flower and its maps; below, what the network makes of parts of it.

    Args:
        flower: ``(1, 3, H, W)``. maps: ``(1, 1, H, W)`` by their names, three of them.
        known: ``(H, W)`` boolean by their names, the parts that alone are known, three of them.
        plain: ``(1, 3, H, W)``, a picture of one colour.
        p: the probability of "golf ball" of the flower, of its parts, and of the plain picture, ``(5,)``.
    """
    figure = Figure(figsize=(8.4, 4.9), layout="constrained")
    axes = figure.subplots(2, 4)
    _show_colours(axes[0, 0], flower[0].permute(1, 2, 0))
    axes[0, 0].set_title("photograph", fontsize=10)
    for ax, (name, found) in zip(axes[0, 1:], maps.items(), strict=True):
        show_map(ax, found, percentile=99.5)
        ax.set_title(name, fontsize=10)
    for ax, (name, part) in zip(axes[1], known.items(), strict=False):
        _show_colours(ax, flower[0].permute(1, 2, 0))
        veil = torch.zeros(*part.shape, 4)
        veil[~part] = torch.tensor([0.36, 0.55, 0.66, 1.0])
        ax.imshow(veil.numpy(), interpolation="nearest")
        ax.set_title(name, fontsize=10)
    _show_colours(axes[1, 3], plain[0].permute(1, 2, 0))
    axes[1, 3].set_title("no flower at all", fontsize=10)
    for ax, value in zip((axes[0, 0], *axes[1]), p, strict=True):
        ax.set_xlabel(f"golf ball: {value:.2f}", fontsize=9)
    figure.alt = (
        "A round dahlia in front of a dark ground, and its maps for golf ball: the strongest orange follows the rim. "
        "Below, parts of it under a veil: the inside of the flower, its rim, and what is around it; and a plain dark "
        f"picture. Golf ball gets {', '.join(f'{value:.2f}' for value in p)}."
    )
    return figure


def taken_away(values: Tensor, parts, gone: Tensor, smeared: Tensor, p_hidden: Tensor, p_smeared: Tensor) -> Figure:
    """A picture of which more and more is taken away: above its certainty, below its sharpness.

    Args:
        values: ``(1, 3, H, W)``. parts: ``K`` shares of the blocks.
        gone: where the blocks are that are taken away, ``(K, 1, H, W)`` boolean.
        smeared: the picture with these blocks blurred, ``(K, 3, H, W)``.
        p_hidden, p_smeared: the probability of the class without the certainty of the blocks, and blurred, ``(K,)``.
    """
    figure = Figure(figsize=(7.6, 4.4), layout="constrained")
    axes = figure.subplots(2, len(parts))
    for k, part in enumerate(parts):
        _show_colours(axes[0, k], values[0].permute(1, 2, 0))
        veil = torch.zeros(*gone.shape[2:], 4)
        veil[gone[k, 0]] = torch.tensor([0.36, 0.55, 0.66, 1.0])
        axes[0, k].imshow(veil.numpy(), interpolation="nearest")
        axes[0, k].set_title(f"{part:.0%} of the blocks", fontsize=10)
        axes[0, k].set_xlabel(f"p = {p_hidden[k]:.3f}", fontsize=9)
        _show_colours(axes[1, k], smeared[k].permute(1, 2, 0))
        axes[1, k].set_xlabel(f"p = {p_smeared[k]:.3f}", fontsize=9)
    axes[0, 0].set_ylabel("certainty taken", fontsize=10)
    axes[1, 0].set_ylabel("blurred", fontsize=10)
    return figure


# ---- curves ---------------------------------------------------------------------------------------------------


def learning_curves(cards: dict, paper: float) -> Figure:
    """Validation accuracy against the epoch, a line for each network; ``paper``: the paper's accuracy."""
    colours = {SMALL: "#c6670f", TWIN: "#2064c4", LARGE: "#1b7837", GATED: "#7a3b8f"}
    curves = {name: card["metrics"]["learning curve"]["steps"] for name, card in cards.items()}
    sides = sorted({point["size"] for curve in curves.values() for point in curve.values()})
    markers = dict(zip(sides, "os^Dv", strict=False))  # by the side of the photographs
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    ax = figure.add_subplot()
    for name, curve in curves.items():
        stages = cards[name]["training"]["stages"]
        before = stages[0].get("start")  # it goes on where another network ended
        before = before and cards.get(before, {"training": {"stages": []}})["training"]["stages"]
        began = sum(stage["steps"] * stage["batch_size"] for stage in before or ())
        epoch = [(began + int(step) * stages[0]["batch_size"]) / COUNTS["train"] for step in curve]
        height = [point["accuracy"] for point in curve.values()]
        ax.plot(epoch, height, "-", color=colours[name], lw=1.4, label=NICK[name])
        for side, marker in markers.items():
            at = [k for k, point in enumerate(curve.values()) if point["size"] == side]
            ax.plot([epoch[k] for k in at], [height[k] for k in at], marker, color=colours[name], ms=4.5)
    for side, marker in markers.items():
        ax.plot([], [], marker, color="0.45", ms=4.5, label=f"at {side} pixels")
    ax.axhline(paper, color="0.45", ls="--", lw=1, label="paper, ResNet-50, at the end")
    ax.set(xlabel="epoch", ylabel="accuracy", xlim=(0, None), ylim=(0.2, 1.0))
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(fontsize=8.5, frameon=False, loc="lower right", ncols=2)
    return figure


def accuracy_against_certainty(cards: dict) -> Figure:
    """Accuracy along three ways of knowing less, with intervals; a panel for each network."""
    kinds = {
        "uniform": ("#c6670f", "uniform: ICG's path"),
        "noise": ("#2064c4", "lost to noise"),
        "another photograph": ("#1b7837", "lost to another photograph"),
    }
    rows, columns = (2, 2) if len(cards) == 4 else (1, len(cards))
    figure = Figure(figsize=(2.2 + 2.9 * columns, 0.5 + 3 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for ax, (name, card) in zip(axes, cards.items(), strict=True):
        found = card["metrics"]["accuracy against certainty"]
        n = found["images"]
        for kind, (colour, label) in kinds.items():
            low, high = zip(*(wilson(round(a * n), n) for a in found[kind]), strict=True)
            ax.fill_between(found["certainty"], low, high, color=colour, alpha=0.15, lw=0)
            ax.plot(found["certainty"], found[kind], ".-", color=colour, lw=1.4, label=label)
        ax.axhline(0.1, color="0.45", ls=":", lw=1.2, label="chance")
        ax.set_title(NICK[name], fontsize=10)
        ax.set(xlim=(0, 1), ylim=(0, 1))
        ax.spines[["top", "right"]].set_visible(False)
    for ax in axes[-columns:]:
        ax.set_xlabel("certainty, or share of pixels kept")
    for ax in axes[::columns]:
        ax.set_ylabel("accuracy")
    _legend_below(figure, axes[0], ncols=2)
    return figure


def _legend_below(figure: Figure, ax, ncols: int) -> None:
    """One legend for all panels, under them."""
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=ncols, frameon=False, fontsize=8.5)


def deletion_and_insertion(name: str, result: dict) -> Figure:
    """Probability of the class while blocks are deleted or inserted, by certainty and by blurring."""
    figure = Figure(figsize=(9, 6.4), layout="constrained")
    axes = figure.subplots(2, 2, sharey=True)
    for row, way in zip(axes, CURVES, strict=True):
        for ax, (kind, label) in zip(row, CHANGED.items(), strict=True):
            _curves(ax, {m: found[way][kind] for m, found in result["methods"].items()})
            ax.set_title(f"{way}, {label}", fontsize=10)
        row[0].set_ylabel("probability of the class")
    for ax in axes[1]:
        ax.set_xlabel("share of the blocks")
    _legend_below(figure, axes[0, 0], ncols=5)
    figure.alt = (
        f"Four panels of curves for the {NICK[name]}, one line for each method: probability of the class while blocks "
        "are deleted or inserted, by certainty and by blurring. The table below has the areas."
    )
    return figure


def _curves(ax, lines: dict[str, dict]) -> None:
    for method, (colour, dash) in STYLE.items():
        if method not in lines:
            continue
        share, height = lines[method]["share"], lines[method]["probability"]
        if method in (ICG, EG, "random"):  # nine bands would hide one another
            ax.fill_between(share, height["low"], height["high"], color=colour, alpha=0.12, lw=0)
        ax.plot(share, height["mean"], dash, color=colour, lw=1.4, label=method)
    ax.set(xlim=(0, 1), ylim=(-0.02, 1.02))
    ax.spines[["top", "right"]].set_visible(False)


def forgetting(results: dict) -> Figure:
    """Rank correlation with the first map while the network becomes random; a row for each network."""
    figure = Figure(figsize=(9, 0.6 + 3.1 * len(results)), layout="constrained")
    axes = figure.subplots(len(results), 2, sharey=True, squeeze=False)
    for row, (name, result) in zip(axes, results.items(), strict=True):
        stages = result["settings"]["stages"]
        for ax, kind in zip(row, ("signed", "absolute"), strict=True):
            for method, (colour, dash) in STYLE.items():
                if found := result["methods"].get(method, {}).get("sanity"):
                    heights = [1.0, *(found[stage][kind]["mean"] for stage in stages)]
                    ax.plot(range(len(heights)), heights, dash, marker=".", color=colour, lw=1.3, label=method)
            ax.axhline(0, color="0.45", lw=0.8)
            ax.set_xticks(range(len(stages) + 1), ["none", *stages], fontsize=8)
            ax.set_title(f"{NICK[name]}, {kind} maps", fontsize=10)
            ax.spines[["top", "right"]].set_visible(False)
            ax.set_xlabel("random from the head down to")
        row[0].set_ylabel("correlation with the first map")
    _legend_below(figure, axes[0, 0], ncols=4)
    figure.alt = (
        "Rank correlation of each method's map with its first map while the network's weights become random from the "
        "head down to the front; signed values on the left, absolute values on the right. The list below has the ends."
    )
    return figure
