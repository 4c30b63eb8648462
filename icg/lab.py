"""Labs: ipywidgets that run the real network again for every choice. They need a live kernel.

Only what ipywidgets 7.7 and 8 have in common is used. While the book is built there is no kernel for the reader, so a
lab then shows one result and says where to run it live; a dead control is never shown.
"""

import html
import os

import torch

from . import baselines
from .artifacts import BRANCH, REPOSITORY
from .attribution import (
    expected_gradients,
    gradient,
    integrated_certainty_gradients,
    integrated_gradients,
    smoothgrad,
)
from .certainty import join

METHODS = (
    "Integrated Certainty Gradients",
    "Integrated Gradients",
    "Expected Gradients",
    "SmoothGrad",
    "Gradient",
)
BASELINES = ("zero", "middle", "mean", "maximum distance", "blurred", "Gaussian noise")


def is_live() -> bool:
    """Whether a reader has a kernel: not while the book is built."""
    return not os.environ.get("ICG_BOOK_BUILD")


def colab_link(chapter: str) -> str:
    """Address of a chapter (``"burnt_snacks"``) in Colab."""
    repository = REPOSITORY.removeprefix("https://github.com/")
    return f"https://colab.research.google.com/github/{repository}/blob/{BRANCH}/book/{chapter}.ipynb"


def attribute(model, images, data, *, method, baseline, n_steps, noise_std, output, target=None, progress=False):
    """One of :data:`METHODS` by name; images ``(N, 1, H, W)`` to maps ``(N, 1, H, W)``."""
    joined = join(images)
    options = {"output": output, "target": target, "progress": progress, "dtype": torch.float64}
    if method == "Gradient":
        maps = gradient(model, joined, **options)
    elif method == "SmoothGrad":
        maps = smoothgrad(model, joined, noise_std=noise_std, n_steps=n_steps, **options)
    elif method == "Expected Gradients":
        maps = expected_gradients(model, joined, data, n_steps=n_steps, **options)
    elif method == "Integrated Certainty Gradients":
        samples = 5 if noise_std else 1
        maps = integrated_certainty_gradients(
            model, joined, n_steps=n_steps, noise_std=noise_std, n_samples=samples, **options
        )
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
        maps = integrated_gradients(model, joined, start[baseline](), n_steps=n_steps, **options)
    else:
        raise ValueError(f"expected method to be one of {', '.join(METHODS)}, got {method!r}")
    return maps[:, :1]  # the value channel, or the only one


def picture(image, attribution, title: str):
    """Input and map side by side, as a matplotlib figure."""
    from matplotlib.figure import Figure

    from .figures import colour_bar, show_image, show_map, signed_limit

    figure = Figure(figsize=(6.4, 3.6), facecolor="white", layout="constrained")
    left, right, bar = figure.subplot_mosaic([["input", "map"], [".", "bar"]], height_ratios=(1, 0.045)).values()
    show_image(left, image[0])
    left.set_title("input", fontsize=10)
    show_map(right, attribution[0])
    right.set_title(title, fontsize=10)
    colour_bar(bar, signed_limit(attribution))
    return figure


def burnt_snacks_lab(model, images, data):
    """Choose image, method, baseline, steps, noise and output; the network runs again and the map is redrawn.

    Args:
        model: certainty-aware, ``(N, 2, H, W)`` to logits.
        images: ``(K, 1, H, W)`` to choose from. data: ``(M, 1, H, W)`` for the mean baseline and Expected Gradients.

    Returns:
        A widget, or (while the book is built) a static figure with a link.
    """
    first = {
        "method": METHODS[0],
        "baseline": "zero",
        "n_steps": 64,
        "noise_std": 0.0,
        "output": "probability",
    }
    if not is_live():
        return _static(model, images, data, first)

    import ipywidgets as widgets
    from IPython.display import display

    wide = widgets.Layout(width="22em")
    style = {"description_width": "7em"}
    controls = {
        "image": widgets.Dropdown(
            options=[(f"image {k}", k) for k in range(len(images))], description="image", layout=wide, style=style
        ),
        "method": widgets.Dropdown(options=METHODS, description="method", layout=wide, style=style),
        "baseline": widgets.Dropdown(options=BASELINES, description="baseline", layout=wide, style=style),
        "n_steps": widgets.IntSlider(
            64, 8, 512, 8, description="steps", layout=wide, style=style, continuous_update=False
        ),
        "noise_std": widgets.FloatSlider(
            0.0, min=0.0, max=0.3, step=0.02, description="noise", layout=wide, style=style, continuous_update=False
        ),
        "output": widgets.ToggleButtons(
            options=["probability", "logit"], description="output", style={"description_width": "7em"}
        ),
    }
    target = widgets.Output()

    def redraw(change=None):
        chosen = {name: control.value for name, control in controls.items()}
        number = chosen.pop("image")
        controls["baseline"].disabled = chosen["method"] != "Integrated Gradients"
        controls["n_steps"].disabled = chosen["method"] == "Gradient"
        noisy = chosen["method"] == "SmoothGrad" or (
            chosen["method"] == "Integrated Gradients" and chosen["baseline"] == "Gaussian noise"
        )
        controls["noise_std"].disabled = not (noisy or chosen["method"] == "Integrated Certainty Gradients")
        if noisy and not chosen["noise_std"] and change and change["new"] in METHODS + BASELINES:
            controls["noise_std"].value = 0.1  # without noise there is nothing to see; this redraws
            return
        image = images[number : number + 1]
        with target:
            target.clear_output(wait=True)
            maps = attribute(model, image, data, **chosen, progress=True)
            with torch.no_grad():
                p = model(join(image)).softmax(1)[0, 1].item()
            target.clear_output(wait=True)
            print(f"p(dark square) = {p:.4f}; attributions sum to {maps.sum().item():+.4f}")
            display(picture(image[0], maps[0], f"{chosen['method']}, {chosen['output']}"))

    for control in controls.values():
        control.observe(redraw, names="value")
    redraw()
    return widgets.VBox([*controls.values(), target])


def _static(model, images, data, first):
    """What the built page shows: one result as a picture with alt text, and where to run the lab."""
    import base64
    import io

    from IPython.display import HTML

    maps = attribute(model, images[:1], data, **first)
    buffer = io.BytesIO()
    picture(images[0], maps[0], f"{first['method']}, {first['output']}").savefig(buffer, format="png", dpi=110)
    source = base64.b64encode(buffer.getvalue()).decode()
    alt = html.escape(f"An input image and its attribution by {first['method']}, {first['n_steps']} steps.")
    return HTML(
        f'<figure><img alt="{alt}" src="data:image/png;base64,{source}" style="max-width: 100%">'
        # The book's dark theme puts outputs on a light plate: text there takes the plate's colour.
        f'<figcaption style="color: inherit">One result of the lab. To choose image, method, baseline, steps, noise '
        f'and output yourself, <a style="color: inherit" href="{colab_link("burnt_snacks")}">run this chapter live in '
        f"Colab</a> or on your machine.</figcaption>"
        "</figure>"
    )
