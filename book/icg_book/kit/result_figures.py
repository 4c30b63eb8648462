"""One result drawn: an input and its map beside each other, the map over the picture, and class probabilities.

matplotlib and Pillow are imported inside the functions, as in :mod:`icg_book.kit.figures`.
"""

import numpy as np
from torch import Tensor

from icg_book.kit.figures import (
    POSITIVE,
    bare,
    colour_bar,
    show_image,
    show_map,
    signed_cmap,
    signed_limit,
    signed_norm,
)

MOST = 99.5  # percentile of a photograph's map that sets its scale: one pixel in 200 would wash out the rest


def picture(image: Tensor, attribution: Tensor, title: str, bars=None):
    """Input and map side by side, as a matplotlib figure.

    Args:
        image, attribution: ``(1, H, W)``.
        bars: class probabilities ``(K,)`` and the number of the class that is explained, for a chart beside the map.
    """
    from icg_book.kit.drawing import Figure

    height, width = image.shape[1:]
    if width > 1.5 * height:  # below one another
        mosaic, heights, size = [["input"], ["map"], ["bar"]], (1, 1, 0.05), (4.6, 5.2)
    else:
        mosaic, heights, size = [["input", "map"], [".", "bar"]], (1, 0.045), (6.4, 3.6)
    widths = [1] * len(mosaic[0])
    if bars is not None:
        mosaic = [[*row, "bars" if row != mosaic[-1] else "."] for row in mosaic]
        widths, size = [*widths, 2.4 / size[0] * len(widths)], (size[0] + 2.4, size[1])
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplot_mosaic(mosaic, height_ratios=heights, width_ratios=widths)
    show_image(axes["input"], image[0])
    axes["input"].set_title("input", fontsize=10)
    show_map(axes["map"], attribution[0])
    axes["map"].set_title(title, fontsize=10)
    colour_bar(axes["bar"], signed_limit(attribution))
    if bars is not None:
        bar_chart(axes["bars"], *bars, digits=3)
    return figure


def picture_and_map(shown: np.ndarray, attribution: np.ndarray, *, title: str, by: str):
    """Picture, map, and the map laid over the picture side by side, with the scale, as a matplotlib figure.

    Args:
        shown: ``(h, w, 3)`` or ``(h, w)`` uint8. attribution: ``(H, W)`` of the same part of the picture.
    """
    from icg_book.kit.drawing import Figure

    h, w = shown.shape[:2]
    panel = 3.3
    beside = w <= 1.5 * h
    size = (3 * panel, panel * h / w + 1.0) if beside else (1.6 * panel, 3 * (1.6 * panel * h / w + 0.3) + 0.7)
    figure = Figure(figsize=size, layout="constrained")
    if beside:
        mosaic, heights = [["picture", "map", "both"], [".", "bar", "."]], (1, 0.045)
    else:
        mosaic, heights = [["picture"], ["map"], ["both"], ["bar"]], (1, 1, 1, 0.06)
    axes = figure.subplot_mosaic(mosaic, height_ratios=heights)
    limit = signed_limit(attribution, MOST)
    show_map(axes["map"], attribution, limit=limit)
    for name, image in (("picture", shown), ("both", laid_over(shown, attribution, limit, grey=0.4))):
        bare(axes[name]).imshow(image, cmap="gray", vmin=0, vmax=255)
    for name, text in (("picture", title), ("map", by), ("both", "the map over the picture")):
        axes[name].set_title(text, fontsize=10)
    colour_bar(axes["bar"], limit, label="each pixel, against the class and for it (beyond: the end colours)")
    return figure


def laid_over(
    shown: np.ndarray, attribution: np.ndarray, limit: float, *, grey: float, smooth: bool = False
) -> np.ndarray:
    """The colours of a map ``(H, W)`` on the grey picture ``shown``: ``(h, w, 3)`` in [0, 1].

    Args:
        grey: how much darker than its colours the picture makes them, in [0, 1].
        smooth: blend between the map's pixels.
    """
    from PIL import Image

    height, width = shown.shape[:2]
    how = Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST
    fine = Image.fromarray(attribution.astype(np.float32)).resize((width, height), how)
    colours = signed_cmap()(signed_norm([limit])(np.asarray(fine)))[..., :3]
    lightness = np.asarray(Image.fromarray(shown).convert("L"))[..., None] / 255
    return colours * (1 - grey + grey * lightness)


def bar_chart(ax, probabilities: Tensor, target: int, names=None, *, digits: int = 2) -> None:
    """One bar for each class; the explained one in the colour that speaks for it.

    Args:
        names: of the classes; default: their numbers.
        digits: of a probability; one that is rounded to 0 is not written.
    """
    p = probabilities.tolist()
    ax.barh(range(len(p)), p, color=[POSITIVE[5] if k == target else "#6d7780" for k in range(len(p))])
    for k, value in enumerate(p):
        if value >= 0.5 * 10**-digits:
            inside = value > 0.7
            at, colour, side = (value - 0.02, "white", "right") if inside else (value + 0.02, "black", "left")
            ax.text(at, k, f"{value:.{digits}f}", color=colour, ha=side, va="center", fontsize=8)
    labels = [str(k) for k in range(len(p))] if names is None else names
    ax.set_yticks(range(len(p)), labels, fontsize=9 if names is None else 8.5)
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    ax.set_xticks([0, 0.5, 1], ["0", "0.5", "1"], fontsize=8)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_title("probability", fontsize=10)
