"""What the labs share: attributions by name, the controls that choose one, and how a result is shown."""

import base64
import html
import os

from torch import Tensor, nn

from icg.artifacts import REPOSITORY
from icg.certainty import join
from icg_book.kit import contenders
from icg_book.kit.colab import colab
from icg_book.kit.contenders import BASELINES, NAMES, OFFERED, find, told

# The methods and the baselines that need other images.
FROM_DATA = [method.name for method in OFFERED if method.data and not method.baseline]
FROM_DATA += [method.baseline for method in OFFERED if method.data and method.baseline]
FIRST = {"method": NAMES[0], "baseline": "zero", "n_steps": 64, "noise_std": 0.0, "output": "probability"}


def is_live() -> bool:
    """Whether a reader has a kernel: not while the book is built."""
    return not os.environ.get("ICG_BOOK_BUILD")


def colab_link(chapter: str) -> str:
    """Address of a chapter (``"burnt_snacks"``) in Colab."""
    return f"{colab(REPOSITORY)}{chapter}.ipynb"


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
    """A method by name, as :func:`icg_book.kit.contenders.find` knows it; ``(N, C, H, W)`` to ``(N, 1, H, W)`` float64.

    Args:
        images: of which the maps are, summed over colours.
        data: ``(M, C, H, W)``, or ``None`` where nothing of :data:`FROM_DATA` is asked for.
        n_steps: steps on a path; of a method without paths, draws.
        return_convergence_delta: also return sum(attributions) - (change of the output along the paths), ``(N,)``; or
            ``None`` for gradients and random paths, which need not add up to it.
    """
    chosen = find(method, baseline)
    if chosen.data and data is None:
        raise ValueError(f"expected data for {chosen.baseline or chosen.name}, got None")
    maps, delta = contenders.attribute(
        chosen,
        model,
        join(images),
        told(chosen, n_steps, noise_std),
        data=lambda: data,
        check=return_convergence_delta,
        output=output,
        target=target,
        progress=progress,
    )
    maps = contenders.one_map(maps)
    return (maps, delta) if return_convergence_delta else maps


def without_data(images: str) -> str:
    """What a lab says that was given no ``images`` ("photographs") of the training set."""
    method, baseline = FROM_DATA
    return (
        f"{method} and the {baseline} baseline are not on offer here: they need {images} of the training set, and the "
        "lab was given none."
    )


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
        "method": dropdown("method", possible(NAMES)),
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
    method = find(controls["method"].value, controls["baseline"].value)
    controls["baseline"].disabled = method.baseline is None
    controls["n_steps"].disabled = method.counted is None
    noise = controls["noise_std"]
    noise.disabled = "noise" not in method.settings
    needed = method.settings.get("noise", 0) > 0  # without noise there is nothing to see
    if needed and not noise.value and change and change["owner"] in (controls["method"], controls["baseline"]):
        noise.value = 0.1
        return False
    return True


# ---------------------------------------------------------------------------------------------------------------
# Results
# ---------------------------------------------------------------------------------------------------------------


def shown(figure, alt: str, caption: str = ""):
    """A figure as HTML with alt text; ``caption`` is HTML."""
    from IPython.display import HTML

    from icg_book.kit.drawing import sizes

    picture = figure.svg()
    source, size = base64.b64encode(picture.encode()).decode(), sizes(picture)
    # The book's dark theme puts outputs on a light plate: text there takes the plate's colour.
    caption = caption and f'<figcaption style="color: inherit">{caption}</figcaption>'
    style = f"width: {size.width:.0f}px; max-width: max(100%, {size.least:.0f}px)"  # on a phone it scrolls
    return HTML(
        f'<figure style="margin: 0"><div style="overflow-x: auto" tabindex="0">'
        f'<img alt="{html.escape(alt)}" src="data:image/svg+xml;base64,{source}" style="{style}"></div>'
        f"{caption}</figure>"
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
