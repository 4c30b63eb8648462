"""Pictures with matplotlib: the one signed colour map of this book, and grids of images and attributions.

``SIGNED`` is orange where a pixel speaks *for* the output, blue where it speaks *against* it, white at zero. Both
arms lose lightness at the same rate (equal OKLCH lightness at equal distance from zero), so neither sign looks
stronger, and the pair orange/blue stays apart for readers who are colour-blind. White means "nothing" on the map's
own scale, so pictures keep their white panel on a dark page as well; they are not inverted.

The explorables draw with the same 255 colours (`signed_lut`): this file is the only place where they are defined.
matplotlib is imported inside the functions, which keeps ``import icg_book.kit.figures`` quick.
"""

from functools import cache

import numpy as np

# From zero outwards, evenly spaced; equal lightness in both rows.
POSITIVE = ("#ffffff", "#fed7b3", "#fcab63", "#eb8317", "#c6670f", "#a04d09", "#7c3605")
NEGATIVE = ("#ffffff", "#c4e4fe", "#8bc6fd", "#50a6fc", "#3284e4", "#2064c4", "#1344a5")
DOT = "#009e73"  # the green of the marks on dark squares; always drawn with a white rim


def signed_lut() -> np.ndarray:
    """The 255 colours of ``SIGNED`` as ``(255, 3)`` uint8, from most negative to most positive.

    Row 127 is white, and a map quantised to int8 in [-127, 127] is coloured by ``signed_lut()[q + 127]``.
    """
    colours = [*reversed(NEGATIVE[1:]), *POSITIVE]
    rgb = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in colours], dtype=float)
    at = np.linspace(0, 254, len(colours))
    return np.stack([np.rint(np.interp(np.arange(255), at, channel)) for channel in rgb.T], axis=1).astype(np.uint8)


@cache
def signed_cmap():
    """``SIGNED`` as a matplotlib colour map. Missing values (NaN) are grey."""
    from matplotlib.colors import ListedColormap

    return ListedColormap(signed_lut() / 255.0, name="icg_signed").with_extremes(bad="#b8bec4")


def __getattr__(name):
    if name == "SIGNED":  # built on first use, because it needs matplotlib
        return signed_cmap()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def as_array(values, what: str = "values", ndim: int | None = None) -> np.ndarray:
    """A float64 numpy array from a list, an array or a tensor on any device; finite, with ``ndim`` dimensions.

    Raises ``ValueError`` that names ``what``, what was expected and what came.
    """
    if hasattr(values, "detach"):
        values = values.detach().cpu().double().numpy()
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"expected {what} to be an array of numbers, got {type(values).__name__}") from None
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"expected {what} with {ndim} dimensions, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"expected {what} to be finite, got NaN or infinite values")
    return array


def _plane(values, what: str) -> np.ndarray:
    """``(H, W)`` from ``(H, W)`` or from shapes with leading ones, such as ``(1, 1, H, W)``."""
    array = as_array(values, what)
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 2:
        raise ValueError(f"expected {what} of shape (H, W), got {array.shape}")
    return array


def signed_limit(values, percentile: float | None = None) -> float:
    """The symmetric limit of a map: its largest absolute value, or a percentile of the absolute values.

    A percentile below 100 keeps one extreme pixel from washing out the rest; what lies beyond is drawn in the end
    colours. A map that is zero everywhere gets the limit 1, so that it is drawn white.
    """
    size = np.abs(as_array(values, "attribution"))
    if size.size == 0:
        raise ValueError(f"expected at least one value, got shape {size.shape}")
    if percentile is not None and not 0 < percentile <= 100:
        raise ValueError(f"expected percentile in (0, 100], got {percentile}")
    limit = float(size.max() if percentile is None else np.percentile(size, percentile))
    return limit or float(size.max()) or 1.0


def signed_norm(values, percentile: float | None = None):
    """A matplotlib norm, symmetric about zero, for `signed_limit` of these values."""
    from matplotlib.colors import Normalize

    limit = signed_limit(values, percentile)
    return Normalize(-limit, limit)


def bare(ax):
    """Axes for a picture: no ticks, a thin grey frame; returns ``ax``."""
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set(color="#b8bec4", linewidth=0.6)
    return ax


def show_map(ax, attribution, *, limit: float | None = None, percentile: float | None = None):
    """Draw a signed ``(H, W)`` map with ``SIGNED``, symmetric about zero; returns matplotlib's image.

    ``limit`` fixes the scale (to compare maps); otherwise it is `signed_limit` of the map.
    """
    from matplotlib.colors import Normalize

    values = _plane(attribution, "attribution")
    limit = signed_limit(values, percentile) if limit is None else float(limit)
    if not limit > 0:
        raise ValueError(f"expected a positive limit, got {limit}")
    return bare(ax).imshow(values, cmap=signed_cmap(), norm=Normalize(-limit, limit), interpolation="nearest")


def show_image(ax, image, *, vmin: float = 0.0, vmax: float = 1.0):
    """Draw an ``(H, W)`` grey image, black at ``vmin`` and white at ``vmax``; returns matplotlib's image."""
    return bare(ax).imshow(_plane(image, "image"), cmap="gray", vmin=vmin, vmax=vmax, interpolation="nearest")


def colour_bar(ax, limit: float | None = None, *, label: str | None = None):
    """Fill ``ax`` with the horizontal scale of ``SIGNED``: - max, 0, + max, or numbers when ``limit`` is given."""
    ax.imshow(np.linspace(-1, 1, 255)[None], cmap=signed_cmap(), aspect="auto", extent=(-1, 1, 0, 1))
    bare(ax)
    ends = ("− max", "0", "+ max") if limit is None else (f"−{limit:.3g}", "0", f"+{limit:.3g}")
    ax.set_xticks([-1, 0, 1], ends, fontsize=8)
    ax.tick_params(length=2, color="#b8bec4")
    if label:
        ax.set_xlabel(label, fontsize=8)


def image_grid(
    rows,
    row_labels=None,
    column_labels=None,
    dots=None,
    *,
    image_rows=(0,),
    image_columns=(),
    limits=None,
    percentile=None,
    annotate=True,
    legend=True,
    panel=1.25,
):
    """A grid like the paper's figure 4: grey images on top, signed maps below, each with its own symmetric scale.

    Args:
        rows: rows of ``(H, W)`` arrays or tensors, all rows equally long; ``None`` leaves a panel empty.
        row_labels, column_labels: one string per row / column.
        dots: ``{(row, column): [(y, x), …]}``, positions in pixels that get a green dot (the dark squares).
        image_rows, image_columns: the rows and columns drawn as grey images in [0, 1].
        limits: ``{row: limit}`` for rows that share one fixed scale.
        percentile: a robust scale for the maps, see `signed_limit`.
        annotate: write the largest ``|value|`` under each map, because the colours alone don't tell it.
        legend: add the shared scale under the grid.
        panel: width of one panel in inches.

    Returns:
        The matplotlib figure (white on any page); not shown, and unknown to pyplot.
    """
    from icg_book.kit.drawing import Figure

    rows = [list(row) for row in rows]
    if not rows or not rows[0]:
        raise ValueError(f"expected at least one row with one panel, got {len(rows)} rows")
    n_rows, n_columns = len(rows), len(rows[0])
    if any(len(row) != n_columns for row in rows):
        raise ValueError(f"expected rows of equal length, got lengths {[len(row) for row in rows]}")
    for what, labels, n in (("row_labels", row_labels, n_rows), ("column_labels", column_labels, n_columns)):
        if labels is not None and len(labels) != n:
            raise ValueError(f"expected {n} {what}, got {len(labels)}")
    dots, limits = dots or {}, limits or {}
    for key in dots:
        if not (0 <= key[0] < n_rows and 0 <= key[1] < n_columns):
            raise ValueError(f"expected dots at (row, column) inside {n_rows} x {n_columns}, got {key}")

    # Sizes in inches, turned into fractions of the figure: rows with a number under the panel are a little taller.
    first = next((p for row in rows for p in row if p is not None), None)
    tall = panel * (1.0 if first is None else np.divide(*_plane(first, "panel").shape))
    gap, left, right = 0.06, 0.12 + 0.075 * max(map(len, row_labels or [""])), 0.08
    top, bottom = (0.28 if column_labels else 0.08), (0.5 if legend else 0.08)
    heights = [tall + (0.17 if annotate and r not in image_rows else 0.0) + gap for r in range(n_rows)]
    width = left + right + n_columns * panel + (n_columns - 1) * gap
    height = top + bottom + sum(heights)
    figure = Figure(figsize=(width, height))

    y = height - top
    for r, row in enumerate(rows):
        for c, values in enumerate(row):
            x = left + c * (panel + gap)
            ax = figure.add_axes((x / width, (y - tall) / height, panel / width, tall / height))
            if r == 0 and column_labels:
                ax.set_title(column_labels[c], fontsize=9, pad=4)
            if c == 0 and row_labels:
                figure.text(
                    (left - 0.1) / width, (y - tall / 2) / height, row_labels[r], ha="right", va="center", fontsize=9
                )
            if values is None:
                ax.set_axis_off()
                continue
            if r in image_rows or c in image_columns:
                show_image(ax, values)
            else:
                show_map(ax, values, limit=limits.get(r), percentile=percentile)
                if annotate:
                    largest = np.abs(_plane(values, "attribution")).max()
                    word = "max |value|" if panel >= 1.2 else "max"
                    ax.set_xlabel(f"{word} {largest:.2g}", fontsize=8.5, labelpad=2, color="#4a5560")
            for at_y, at_x in dots.get((r, c), ()):
                ax.plot(at_x, at_y, "o", color=DOT, markersize=4.5, markeredgecolor="white", markeredgewidth=0.8)
        y -= heights[r]
    if legend:
        bar = min(2.0, 0.6 * n_columns * panel)
        middle = left + (width - left - right - bar) / 2
        colour_bar(figure.add_axes((middle / width, 0.3 / height, bar / width, 0.09 / height)))
    return figure
