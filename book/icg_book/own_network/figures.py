"""Figures of the chapter on a network of one's own."""

from torch import Tensor

from icg_book.kit.drawing import Figure
from icg_book.kit.figures import bare, colour_bar, show_map, signed_limit
from icg_book.scenarios.photographs import CLASSES

COLOURS = {"before": "#8a929a", "after": "#eb8317"}
MOST = 10  # classes that are drawn


def _picture(ax, values: Tensor):
    """Draw colours ``(3, H, W)``."""
    bare(ax).imshow(values.permute(1, 2, 0).numpy(), interpolation="nearest")


def samples(pictures) -> Figure:
    """One training picture of each class, :class:`icg_book.own_network.folder.Pictures`."""
    shown = range(min(MOST, len(pictures.classes)))
    figure = Figure(figsize=(7.2, 7.2 / len(shown) + 0.35), layout="constrained")
    for ax, label in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        number = int((pictures.labels == label).nonzero()[0])
        bare(ax).imshow(pictures.images[number].numpy(), interpolation="nearest")
        ax.set_title(f"{pictures.classes[label]} ({int((pictures.labels == label).sum())})", fontsize=9)
    return figure


def learnt(
    certainties: list[float], accuracy: dict[str, list[float]], said: dict[str, Tensor], prior: Tensor
) -> Figure:
    """Before and after the training with damage.

    Args:
        accuracy: at each of the certainties. said: probabilities ``(K,)`` at certainty 0. prior: frequencies ``(K,)``.
    """
    figure = Figure(figsize=(7.2, 2.7), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, values in accuracy.items():
        left.plot(certainties, values, "o-", color=COLOURS[name], markersize=4, label=name)
    left.set_xlabel("share of the pixels that are known", fontsize=9)
    left.set_ylabel("right, of validation", fontsize=9)
    left.set_ylim(0, 1.02)
    left.legend(frameon=False, fontsize=9)
    width = 0.4
    for shift, (name, values) in zip((-width / 2, width / 2), said.items(), strict=True):
        places = [k + shift for k in range(len(values))]
        right.bar(places, values.tolist(), width, color=COLOURS[name], label=name)
    right.hlines(prior.tolist(), [k - 0.45 for k in range(len(prior))], [k + 0.45 for k in range(len(prior))], "black")
    right.set_xticks(range(len(prior)))
    right.set_xlabel("class", fontsize=9)
    right.set_ylabel("probability, nothing known", fontsize=9)
    for ax in (left, right):
        ax.tick_params(labelsize=8)
        ax.spines[["top", "right"]].set_visible(False)
    return figure


def maps(values: Tensor, found: Tensor, titles: list[str]) -> Figure:
    """Pictures ``(n, 3, H, W)`` above their maps ``(n, H, W)``, each with its own scale."""
    n = len(values)
    figure = Figure(figsize=(7.2, 2 * 7.2 / n + 0.75), layout="constrained")
    grid = figure.subplot_mosaic(
        [[f"p{k}" for k in range(n)], [f"m{k}" for k in range(n)], ["bar"] * n], height_ratios=[1, 1, 0.07]
    )
    for k in range(n):
        _picture(grid[f"p{k}"], values[k])
        grid[f"p{k}"].set_title(titles[k], fontsize=8)
        show_map(grid[f"m{k}"], found[k] / signed_limit(found[k].numpy()), limit=1.0)
    colour_bar(grid["bar"], 1.0, label="against the class, and for it (1: the map's largest value)")
    return figure


def architectures(shown: Tensor, found: dict[str, Tensor], says: dict[str, Tensor]) -> Figure:
    """Photographs beside their maps by several networks of Imagenette, a column each.

    Args:
        shown: ``(n, S, S, 3)`` uint8. found: maps ``(n, h, w)`` by network. says: probabilities ``(n, K)`` by network.
    """
    n, width = len(shown), 7.2 / (1 + len(found))
    figure = Figure(figsize=(7.2, n * (width + 0.3) + 0.6), layout="constrained")
    names = ["photograph", *found]
    grid = figure.subplot_mosaic(
        [*([f"{name} {k}" for name in names] for k in range(n)), ["bar"] * len(names)],
        height_ratios=[*[1] * n, 0.05],
    )
    for k in range(n):
        bare(grid[f"photograph {k}"]).imshow(shown[k].numpy())
        for name, maps in found.items():
            ax = grid[f"{name} {k}"]
            show_map(ax, maps[k] / signed_limit(maps[k].numpy()), limit=1.0)
            p, label = says[name][k].max(0)
            ax.set_title(f"{name}: {CLASSES[label]}, {p:.0%}", fontsize=9)
    grid["photograph 0"].set_title("photograph", fontsize=9)
    colour_bar(grid["bar"], 1.0, label="against the class, and for it (1: the map's largest value)")
    return figure
