"""Explorable "the landscape": drag a baseline and an input over a function of two features, and see who gets credit."""

import numpy as np
import torch

from icg.attribution import gradient, integrated_gradients
from icg.shapley import Uniform, bshap, shap_values
from icg_book.kit.figures import as_array, signed_cmap
from icg_book.kit.page.explorable import Explorable, script_beside
from icg_book.scenarios.landscapes import KNOTS, LANDSCAPES

FEATURES = ("#00755a", "#a1389b")  # x1 and x2, on a light ground; landscape.css has the same


def landscape(
    function: str = "cross",
    input: str | tuple[float, float] | None = None,
    baseline: tuple[float, float] | None = None,
    *,
    functions=None,
    title: str = "The landscape",
    alt: str = "A square seen from above, on which the output is drawn in grey, with the straight path from a baseline "
    "to an input and, where it climbs, arrows that say which feature's gradient it meets; beside it, bars of what "
    "Integrated Gradients, BShap and SHAP give to either feature.",
    fallback=None,
) -> Explorable:
    """Integrated Gradients, BShap and SHAP of a function of two features, at points that the reader drags.

    Everything is computed in the page: IG by the middle rule, BShap from the four corners, SHAP for features that are
    independent and uniform on the function's square.

    Args:
        function: key of :data:`icg_book.scenarios.landscapes.LANDSCAPES` that is shown first.
        input: one of its named inputs, or a point; by default the first named one.
        baseline: a point; by default the function's own.
        functions: keys that can be chosen; all by default.
        title, alt: heading and description of the static picture.
        fallback: static picture (PNG bytes, path or figure); by default this function, path and bars.

    Raises:
        ValueError: an unknown key or name, or a point outside of the function's square.
    """
    functions = list(LANDSCAPES) if functions is None else list(functions)
    for key in [*functions, function]:
        if key not in LANDSCAPES:
            raise ValueError(f"expected functions among {', '.join(LANDSCAPES)}, got {key!r}")
    if function not in functions:
        raise ValueError(f"expected function to be one of those offered, {functions}, got {function!r}")
    chosen = LANDSCAPES[function]
    if isinstance(input, str):
        if input not in chosen.inputs:
            raise ValueError(f"expected input to be a point or one of {', '.join(chosen.inputs)}, got {input!r}")
        input = chosen.inputs[input]
    start = _point(chosen, "baseline", chosen.baseline if baseline is None else baseline)
    end = _point(chosen, "input", next(iter(chosen.inputs.values())) if input is None else input)
    data = {
        "knots": list(KNOTS),
        "function": function,
        "baseline": start,
        "input": end,
        "landscapes": [
            {
                "key": key,
                "name": LANDSCAPES[key].name,
                "low": LANDSCAPES[key].low,
                "high": LANDSCAPES[key].high,
                "baseline": list(LANDSCAPES[key].baseline),
                "inputs": [{"name": name, "point": list(point)} for name, point in LANDSCAPES[key].inputs.items()],
            }
            for key in functions
        ],
    }
    return Explorable(
        script_beside(__file__), data, title, alt, _static(chosen, start, end) if fallback is None else fallback
    )


def _point(chosen, what: str, point) -> list[float]:
    array = as_array(point, what, 1)
    if array.shape != (2,) or array.min() < chosen.low or array.max() > chosen.high:
        raise ValueError(
            f"expected {what} to be two numbers in [{chosen.low:g}, {chosen.high:g}], got {array.tolist()}"
        )
    return array.tolist()


def draw_ground(ax, chosen) -> None:
    """Draw a landscape's output on a square: white 0 to grey 1 as in the paper, signed colours where it is signed."""
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    side = torch.linspace(chosen.low, chosen.high, 301, dtype=torch.float64)
    values = chosen(torch.cartesian_prod(side, side)).reshape(301, 301).T.numpy()
    top = max(1.0, np.abs(values).max())
    extent = (chosen.low, chosen.high, chosen.low, chosen.high)
    if values.min() < -1e-9:
        half = signed_cmap()(np.linspace(0.33, 0.67, 255))
        cmap, norm = LinearSegmentedColormap.from_list("thin", half), Normalize(-top, top)
    else:
        cmap, norm = LinearSegmentedColormap.from_list("grey", ["white", "#8f959b"]), Normalize(0, top)
    ax.imshow(values, origin="lower", extent=extent, cmap=cmap, norm=norm, interpolation="bilinear")
    ax.set_xlabel("$x_1$", color=FEATURES[0], fontsize=12)
    ax.set_ylabel("$x_2$", color=FEATURES[1], fontsize=12, rotation=0, labelpad=10)


def draw_path(ax, chosen, start, end, n: int = 26) -> None:
    """Draw a path with the gradients it meets: a horizontal arrow is x1's, a vertical one x2's; both point uphill."""
    start, end = np.asarray(start, float), np.asarray(end, float)
    points = start + (np.arange(n)[:, None] + 0.5) / n * (end - start)
    slopes = gradient(chosen, torch.tensor(points)).numpy()
    ax.plot(*zip(start, end, strict=True), color="white", linewidth=2.8, alpha=0.5)
    ax.plot(*zip(start, end, strict=True), color="#1d2733", linewidth=1.3)
    slopes[:, start == end] = 0  # a feature that does not move gathers nothing
    strongest = np.abs(slopes).max()
    for i in range(2):
        met = np.abs(slopes[:, i]) > 0.04 * strongest
        if met.any():
            reach = 0.075 * (chosen.high - chosen.low) * slopes[met, i] / strongest
            way = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.006, "color": FEATURES[i], "zorder": 3}
            ax.quiver(*points[met].T, *(reach * (i == k) for k in range(2)), **way)
    ax.plot(*start, "D", color="white", markeredgecolor="#1d2733", markersize=8, zorder=4, clip_on=False)
    ax.plot(*end, "o", color="#1d2733", markeredgecolor="white", markersize=9, zorder=4, clip_on=False)


def _static(chosen, start, end):
    """Path and bars, for pages where scripts are off."""
    from matplotlib.figure import Figure

    x, b = (torch.tensor([p], dtype=torch.float64) for p in (end, start))
    found = {
        "IG": integrated_gradients(chosen, x, b, n_steps=4000),
        "BShap": bshap(chosen, x, b),
        "SHAP": shap_values(chosen, x, Uniform(chosen.low, chosen.high)),
    }
    figure = Figure(figsize=(7.4, 3.9), facecolor="white", layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    draw_ground(left, chosen)
    draw_path(left, chosen, start, end)
    limit = 1.1 * max(1.0, max(v.abs().max().item() for v in found.values()))
    for k, (name, values) in enumerate(found.items()):
        right.text(-1.9 * limit, -1.3 * k - 0.25, name, va="center", weight="bold")
        for i, value in enumerate(values[0].tolist()):
            y = -1.3 * k - 0.5 * i
            right.barh(y, value, 0.4, color=FEATURES[i])
            right.text(-1.08 * limit, y, f"$x_{i + 1}$", ha="right", va="center", color=FEATURES[i])
            right.text(1.75 * limit, y, f"{round(value, 2) + 0.0:.2f}".replace("-", "−"), ha="right", va="center")
    right.vlines(0, -3.5, 0.4, color="0.6", linewidth=0.8)
    right.set_xlim(-1.9 * limit, 1.8 * limit)
    right.set_ylim(-4.2, 1.2)
    right.set_axis_off()
    return figure
