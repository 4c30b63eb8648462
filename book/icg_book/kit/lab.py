"""What the labs share: attributions by name, the controls that choose one, and how a result is shown."""

import base64
import html
import os

import torch
from torch import Tensor, nn

from icg import baselines
from icg.artifacts import BRANCH, REPOSITORY
from icg.attribution import (
    expected_gradients,
    gradient,
    integrated_certainty_gradients,
    integrated_gradients,
    smoothgrad,
)
from icg.certainty import join
from icg_book.kit.page.explorable import png_bytes

METHODS = (
    "Integrated Certainty Gradients",
    "Integrated Gradients",
    "Expected Gradients",
    "SmoothGrad",
    "Gradient",
)
BASELINES = ("zero", "middle", "mean", "maximum distance", "blurred", "Gaussian noise")
FROM_DATA = ("Expected Gradients", "mean")  # the method and the baseline that need other images
FIRST = {"method": METHODS[0], "baseline": "zero", "n_steps": 64, "noise_std": 0.0, "output": "probability"}


def is_live() -> bool:
    """Whether a reader has a kernel: not while the book is built."""
    return not os.environ.get("ICG_BOOK_BUILD")


def colab_link(chapter: str) -> str:
    """Address of a chapter (``"burnt_snacks"``) in Colab."""
    repository = REPOSITORY.removeprefix("https://github.com/")
    return f"https://colab.research.google.com/github/{repository}/blob/{BRANCH}/book/{chapter}.ipynb"


class Counted(nn.Module):
    """The same certainty-aware model; counts the points that it is asked for, with and without a gradient."""

    def __init__(self, model):
        super().__init__()
        self.model, self.certainty_aware = model, True
        self.with_gradient = self.forward_only = 0

    def forward(self, points: Tensor) -> Tensor:
        if points.requires_grad:
            self.with_gradient += len(points)
        else:
            self.forward_only += len(points)
        return self.model(points)


def attribute(
    model,
    images: Tensor,
    data: Tensor | None,
    *,
    method: str,
    baseline: str,
    n_steps: int,
    noise_std: float,
    output: str,
    target=None,
    progress: bool = False,
    return_convergence_delta: bool = False,
):
    """One of :data:`METHODS` by name; images ``(N, C, H, W)`` to maps ``(N, 1, H, W)``, summed over colours.

    Args:
        data: ``(M, C, H, W)``, or ``None`` where neither of :data:`FROM_DATA` is asked for.
        return_convergence_delta: also return sum(attributions) - (change of the output along the paths), ``(N,)``; or
            ``None`` for the two gradients, which need not add up to anything.
    """
    if data is None and (method == "Expected Gradients" or (method, baseline) == ("Integrated Gradients", "mean")):
        raise ValueError(f"expected data for {baseline if baseline == 'mean' else method}, got None")
    joined = join(images)
    options = {"output": output, "target": target, "progress": progress, "dtype": torch.float64}
    on_paths = {**options, "n_steps": n_steps, "return_convergence_delta": return_convergence_delta}
    if method == "Gradient":
        found = gradient(model, joined, **options)
    elif method == "SmoothGrad":
        found = smoothgrad(model, joined, noise_std=noise_std, n_steps=n_steps, **options)
    elif method == "Expected Gradients":
        found = expected_gradients(model, joined, data, **on_paths)
    elif method == "Integrated Certainty Gradients":
        samples = 5 if noise_std else 1
        found = integrated_certainty_gradients(model, joined, noise_std=noise_std, n_samples=samples, **on_paths)
    elif method == "Integrated Gradients":
        start = {
            "zero": baselines.zero,
            "middle": baselines.middle,
            "mean": lambda: baselines.mean(data),
            "maximum distance": baselines.maximum_distance,
            "blurred": baselines.blurred,
            "Gaussian noise": lambda: baselines.gaussian_noise(noise_std, n_samples=20),
        }
        if baseline not in start:
            raise ValueError(f"expected baseline to be one of {', '.join(BASELINES)}, got {baseline!r}")
        found = integrated_gradients(model, joined, start[baseline](), **on_paths)
    else:
        raise ValueError(f"expected method to be one of {', '.join(METHODS)}, got {method!r}")
    maps, delta = found if isinstance(found, tuple) else (found, None)
    maps = maps[:, : images.shape[1]].sum(1, keepdim=True)  # over the colours; never the certainty channel
    return (maps, delta) if return_convergence_delta else maps


# ---------------------------------------------------------------------------------------------------------------
# Controls
# ---------------------------------------------------------------------------------------------------------------


def dropdown(name: str, options):
    import ipywidgets as widgets

    return widgets.Dropdown(
        options=options,
        description=name,
        layout=widgets.Layout(width="26em"),
        style={"description_width": "7em"},
    )


def method_controls(*, with_data: bool = True) -> dict:
    """The controls that choose an attribution, by the names that :func:`attribute` gives them.

    Args:
        with_data: False leaves out what needs other images.
    """
    import ipywidgets as widgets

    def possible(names):
        return [name for name in names if with_data or name not in FROM_DATA]

    layout, style = widgets.Layout(width="26em"), {"description_width": "7em"}
    return {
        "method": dropdown("method", possible(METHODS)),
        "baseline": dropdown("baseline", possible(BASELINES)),
        "n_steps": widgets.IntSlider(
            64, 8, 512, 8, description="steps", layout=layout, style=style, continuous_update=False
        ),
        "noise_std": widgets.FloatSlider(
            0.0, min=0.0, max=0.3, step=0.02, description="noise", layout=layout, style=style, continuous_update=False
        ),
        "output": dropdown("output", ["probability", "logit"]),
    }


def settle(controls: dict, change) -> bool:
    """Enable what matters to the chosen method. False if a control had to be moved, which calls its observers again."""
    method, baseline = controls["method"].value, controls["baseline"].value
    controls["baseline"].disabled = method != "Integrated Gradients"
    controls["n_steps"].disabled = method == "Gradient"
    noisy = method == "SmoothGrad" or (method == "Integrated Gradients" and baseline == "Gaussian noise")
    noise = controls["noise_std"]
    noise.disabled = not (noisy or method == "Integrated Certainty Gradients")
    if noisy and not noise.value and change and change["owner"] in (controls["method"], controls["baseline"]):
        noise.value = 0.1  # without noise there is nothing to see
        return False
    return True


# ---------------------------------------------------------------------------------------------------------------
# Results
# ---------------------------------------------------------------------------------------------------------------


def picture(image: Tensor, attribution: Tensor, title: str, bars=None):
    """Input and map side by side, as a matplotlib figure.

    Args:
        image, attribution: ``(1, H, W)``.
        bars: class probabilities ``(K,)`` and the number of the class that is explained, for a chart beside the map.
    """
    from matplotlib.figure import Figure

    from icg_book.kit.figures import colour_bar, show_image, show_map, signed_limit

    height, width = image.shape[1:]
    if width > 1.5 * height:  # below one another
        mosaic, heights, size = [["input"], ["map"], ["bar"]], (1, 1, 0.05), (4.6, 5.2)
    else:
        mosaic, heights, size = [["input", "map"], [".", "bar"]], (1, 0.045), (6.4, 3.6)
    widths = [1] * len(mosaic[0])
    if bars is not None:
        mosaic = [[*row, "bars" if row != mosaic[-1] else "."] for row in mosaic]
        widths, size = [*widths, 2.4 / size[0] * len(widths)], (size[0] + 2.4, size[1])
    figure = Figure(figsize=size, facecolor="white", layout="constrained")
    axes = figure.subplot_mosaic(mosaic, height_ratios=heights, width_ratios=widths)
    show_image(axes["input"], image[0])
    axes["input"].set_title("input", fontsize=10)
    show_map(axes["map"], attribution[0])
    axes["map"].set_title(title, fontsize=10)
    colour_bar(axes["bar"], signed_limit(attribution))
    if bars is not None:
        _bar_chart(axes["bars"], *bars)
    return figure


def _bar_chart(ax, probabilities: Tensor, target: int) -> None:
    """One bar for each class; the explained one in the colour that speaks for it."""
    from icg_book.kit.figures import POSITIVE

    p = probabilities.tolist()
    ax.barh(range(len(p)), p, color=[POSITIVE[5] if k == target else "#6d7780" for k in range(len(p))])
    for k, value in enumerate(p):
        if value >= 0.0005:
            inside = value > 0.7
            at, colour, side = (value - 0.02, "white", "right") if inside else (value + 0.02, "black", "left")
            ax.text(at, k, f"{value:.3f}", color=colour, ha=side, va="center", fontsize=8)
    ax.set_yticks(range(len(p)), [str(k) for k in range(len(p))], fontsize=9)
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    ax.set_xticks([0, 0.5, 1], ["0", "0.5", "1"], fontsize=8)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_title("probability", fontsize=10)


def shown(figure, alt: str, caption: str = ""):
    """A figure as HTML with alt text; ``caption`` is HTML."""
    from IPython.display import HTML

    source = base64.b64encode(png_bytes(figure)).decode()
    # The book's dark theme puts outputs on a light plate: text there takes the plate's colour.
    caption = caption and f'<figcaption style="color: inherit">{caption}</figcaption>'
    return HTML(
        f'<figure style="margin: 0"><img alt="{html.escape(alt)}" src="data:image/png;base64,{source}" '
        f'style="max-width: 100%">{caption}</figure>'
    )


def static(figure, alt: str, chapter: str, choices: str):
    """What the built page shows: one result as a picture with alt text, and where to run the lab.

    Args:
        choices: what can be chosen in the lab.
    """
    return shown(
        figure,
        alt,
        f'One result of the lab. To choose {choices} yourself, <a style="color: inherit" href="{colab_link(chapter)}">'
        "run this chapter live in Colab</a> or on your machine.",
    )
