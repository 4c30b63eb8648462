"""The lab of Imagenette: choose a photograph or upload one, and compare two methods on it."""

import copy
import html
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from icg.certainty import is_certainty_aware, join
from icg.question import quiet
from icg_book.imagenette.worker import Stopped, Watched, Worker
from icg_book.kit.contenders import NAMES, Method, evaluations, find, told
from icg_book.kit.figures import bare, colour_bar, show_map, signed_limit
from icg_book.kit.lab import (
    FIRST,
    attribute,
    colab_link,
    dropdown,
    is_live,
    method_controls,
    settle,
    shown,
    static,
    without_data,
)
from icg_book.kit.pictures import open_picture, prepare
from icg_book.kit.result_figures import MOST, bar_chart, laid_over
from icg_book.scenarios.imagenette import CLASSES

OWN = PREDICTED = -1  # choices that are no number of a photograph, or of a class
CHAPTER = "imagenette"
PAIR = ({**FIRST, "method": NAMES[0]}, {**FIRST, "method": NAMES[1]})  # what is compared at first
STEPS_IN_BOOK = 32  # enough for the one result of the built page
STALE = "icg-stale"  # CSS class of a map that belongs to other choices
WIDTH = "32em"  # of the column of a method
PROSE = f"display: block; max-width: {WIDTH}; line-height: 1.45"
KEPT = 32  # maps that are not computed again


class Shot(NamedTuple):
    """A photograph in the lab.

    Attributes:
        name: what it is called. values: ``(1, 3, H, W)``, as the network takes it.
        fine: ``(h, w, 3)`` uint8, for looking at. notes: what was done to it.
    """

    name: str
    values: Tensor
    fine: np.ndarray
    notes: tuple[str, ...] = ()


class Result(NamedTuple):
    """One map ``(H, W)``, the name of its method, and its numbers in words."""

    map: Tensor
    title: str
    text: str


def photo_lab(model, photographs: Tensor | None, data: Tensor | None = None, classes=CLASSES, *, labels=None):
    """Choose a photograph or upload one, the class to explain and two methods; both maps are computed anew.

    The network runs in a thread of its own: a choice that is made meanwhile ends the run that it makes stale, a button
    stops it, and what has been computed once is not computed again. The lab works on a copy of the model.

    Args:
        model: certainty-aware, logits ``(N, K)`` of ``(N, 4, H, W)``.
        photographs: ``(M, 3, H, W)`` in [0, 1] to choose from; ``None`` leaves uploading alone.
        data: ``(L, 3, H, W)``, for the mean baseline and Expected Gradients; without it the lab does without these
            two, and says so.
        classes: names of the K classes. labels: the class of each photograph, ``(M,)``, if they should be told.

    Returns:
        A widget with one more method, ``wait()``, that returns when both maps stand; or (while the book is built) a
        static figure with a link.

    Raises:
        ValueError: a model without certainty, or for other inputs or classes; photographs, data or labels that don't
            fit.
    """
    shots, shape = _check(model, photographs, data, classes, labels)
    if not is_live():
        return _in_book(model, shots, data, classes)

    import ipywidgets as widgets

    device = _device(model)
    data = None if data is None else data.to(device)
    model = copy.deepcopy(model)  # the reader may use the model while the thread does
    names = [(shot.name, k) for k, shot in enumerate(shots)] + [("your photograph", OWN)]
    which = dropdown("photograph", names)
    target = dropdown("class", [("the predicted one", PREDICTED), *((c, k) for k, c in enumerate(classes))])
    view = dropdown("map", ["raw", "blurred"])
    over = widgets.Checkbox(description="over the photograph", indent=False, layout=widgets.Layout(width="16em"))
    upload = widgets.FileUpload(accept="image/*", multiple=False, description="Upload", layout=view.layout)
    stop = widgets.Button(description="Stop", disabled=True)
    trouble, photograph = widgets.HTML(), widgets.HTML()
    sides = [method_controls(with_data=data is not None) for _ in PAIR]
    output = sides[0]["output"]  # one for both: maps of different outputs are not to be compared
    sides[1]["output"] = output
    for controls, first in zip(sides, PAIR, strict=True):
        controls["method"].value = first["method"]
    bars = [widgets.IntProgress(0, 0, 1, layout=widgets.Layout(width="26em", visibility="hidden")) for _ in sides]
    places = [widgets.HTML() for _ in sides]
    own, known, predictions = [], {}, {}  # the uploaded photograph; results; probabilities
    worker = Worker()

    def work(job: dict, stopped: Callable[[], bool]) -> None:
        """Everything that shows, for one set of choices; in the thread."""
        number, shot = job["number"], job["shot"]
        values = shot.values.to(device)
        if number not in predictions:
            predictions[number] = _probabilities(model, values)
        p = predictions[number]
        explained = int(p.argmax()) if job["target"] == PREDICTED else job["target"]
        photograph.value = _shown_photograph(shot, p, explained, classes)
        keys = [(number, explained, *_key(chosen)) for chosen in job["sides"]]
        for key, place in zip(keys, places, strict=True):
            if key not in known:
                place.add_class(STALE)
        for key, chosen, bar, place in zip(keys, job["sides"], bars, places, strict=True):
            if key not in known:
                bar.value, bar.max = 0, evaluations(*_chosen(**chosen))
                bar.layout.visibility = "visible"
                watched = Watched(model, stopped, lambda done, bar=bar: setattr(bar, "value", min(done, bar.max)))
                try:
                    result = _explain(watched, values, data, explained, classes, chosen)
                finally:
                    bar.layout.visibility = "hidden"
                while len(known) >= KEPT:
                    del known[next(iter(known))]
                known[key] = result
            if stopped():
                raise Stopped
            place.value = _shown_map(known[key], shot, view=job["view"], over=job["over"])
            place.remove_class(STALE)

    def run(job: dict, stopped: Callable[[], bool]) -> None:
        stop.description, stop.disabled = "Stop", False
        try:
            work(job, stopped)
        except Stopped:
            return  # by a newer choice, or by the button, which has said so
        except Exception as error:  # in a thread nobody else would see it
            trouble.value = _alert(f"{type(error).__name__}: {error}")
        stop.disabled = True

    def refresh(change=None):
        if not all([settle(controls, change) for controls in sides]):
            return
        if which.value == OWN and not own:
            worker.drop()
            photograph.value = "<p>There is no photograph of yours yet: upload one.</p>"
            for place in places:
                place.value = ""
            stop.disabled = True
            return
        trouble.value = ""
        number = (OWN, len(own)) if which.value == OWN else which.value
        shot = own[-1] if which.value == OWN else shots[which.value]
        job = {"number": number, "shot": shot, "target": target.value, "view": view.value, "over": over.value}
        job["sides"] = [{name: control.value for name, control in controls.items()} for controls in sides]
        worker.submit(lambda stopped: run(job, stopped))

    def read(change=None):
        file = uploaded(upload.value)
        if file is None:
            return
        try:
            own.append(photo_from(*file, shape))
        except ValueError as error:
            trouble.value = _alert(str(error))
            return
        if which.value == OWN:
            refresh()
        else:
            which.value = OWN  # this refreshes

    def press(_button):
        if stop.description == "Stop":
            worker.drop()
            stop.description = "Run"
        else:
            refresh()

    for control in {id(c): c for controls in sides for c in (*controls.values(), which, target, view, over)}.values():
        control.observe(refresh, names="value")
    upload.observe(read, names="value")
    stop.on_click(press)
    if not shots:
        which.value = OWN
    refresh()

    row = widgets.Layout(flex_flow="row wrap", align_items="flex-start")
    common = widgets.VBox([which, upload, target, output, view, over, stop])
    columns = [
        widgets.VBox(
            [*(controls[name] for name in FIRST if name != "output"), bar, place],
            layout=widgets.Layout(width=WIDTH),  # so that nothing moves when the map comes
        )
        for controls, bar, place in zip(sides, bars, places, strict=True)
    ]
    said = "" if data is not None else f"<p>{without_data('photographs')}</p>"
    box = widgets.VBox(
        [
            widgets.HBox([common, photograph], layout=row),
            trouble,
            widgets.HTML(f"<style>.{STALE} {{ opacity: .3 }}</style>{said}"),
            widgets.HBox(columns, layout=row),
        ]
    )
    box.wait = worker.wait
    return box


# ---------------------------------------------------------------------------------------------------------------
# Uploads
# ---------------------------------------------------------------------------------------------------------------


def uploaded(value) -> tuple[str, bytes] | None:
    """Name and contents of the newest file in the value of a FileUpload, of ipywidgets 7 or 8; ``None`` of none."""
    if isinstance(value, dict):  # ipywidgets 7: by name
        files = [(name, file["content"]) for name, file in value.items()]
    else:
        files = [(file["name"], file["content"]) for file in value]
    return (files[-1][0], bytes(files[-1][1])) if files else None


def photo_from(name: str, content: bytes, shape: tuple[int, int, int]) -> Shot:
    """A picture file as a photograph for a network of inputs ``shape`` (C, H, W).

    Raises:
        ValueError: not a picture, broken, or of an absurd size.
    """
    photo = prepare(open_picture(Path(name), content), shape)
    return Shot(name, photo.values, photo.shown, tuple(photo.notes))


# ---------------------------------------------------------------------------------------------------------------
# Running
# ---------------------------------------------------------------------------------------------------------------


def _chosen(*, method: str, baseline: str, n_steps: int, noise_std: float, **_) -> tuple[Method, dict[str, float]]:
    """The method of a column and the settings that matter to it."""
    found = find(method, baseline)
    return found, told(found, n_steps, noise_std)


def _key(chosen: dict) -> tuple:
    """The same for choices that give the same map."""
    method, settings = _chosen(**chosen)
    return method.title, *settings.values(), chosen["output"]


def _probabilities(model, values: Tensor) -> Tensor:
    with quiet(model), torch.no_grad():
        return model(join(values)).double().softmax(1)[0].cpu()


def _explain(watched: Watched, values: Tensor, data, target: int, classes, chosen: dict) -> Result:
    maps, delta = attribute(watched, values, data, target=target, return_convergence_delta=True, **chosen)
    total = maps.sum().item()
    output = chosen["output"]
    if delta is None:
        adds_up = "Gradients need not add up to anything."
    else:
        adds_up = f"Completeness asks for {total - delta.item():+.4f}, the change of this output along the way."
    text = (
        f"Attributions for the {output} of {classes[target]} sum to {total:+.4f}. {adds_up} Evaluations: "
        f"{watched.with_gradient} forward and backward, {watched.forward_only} forward only."
    )
    chosen_method, settings = _chosen(**chosen)
    noise = settings.get("noise")
    title = chosen_method.title + (f", noise {noise:g}" if noise else "")
    return Result(maps[0, 0].cpu(), title, text)


# ---------------------------------------------------------------------------------------------------------------
# Showing
# ---------------------------------------------------------------------------------------------------------------


def _alert(text: str) -> str:
    return f'<p role="alert">{html.escape(text)}</p>'


def _said(shot: Shot, p: Tensor, classes) -> str:
    best = int(p.argmax())
    notes = "".join(f" ({note})" for note in shot.notes)
    return f"{shot.name}{notes}: the network says {classes[best]}, {p[best]:.1%}."


def _shown_photograph(shot: Shot, p: Tensor, target: int, classes) -> str:
    from icg_book.kit.drawing import Figure

    figure = Figure(figsize=(5.6, 2.5), layout="constrained")
    axes = figure.subplot_mosaic([["photograph", "bars"]], width_ratios=(1, 1))
    bare(axes["photograph"]).imshow(shot.fine)
    bar_chart(axes["bars"], p, target, classes)
    likely = ", ".join(f"{p[k]:.3f} for {classes[k]}" for k in p.argsort(descending=True).tolist() if p[k] >= 0.001)
    said = _said(shot, p, classes)
    return shown(
        figure, f"{said} Probabilities from 0.001 on: {likely}.", f'<span style="{PROSE}">{html.escape(said)}</span>'
    ).data


def blurred(attribution: Tensor) -> Tensor:
    """A map ``(H, W)``, Gaussian-blurred with a standard deviation of 1/32 of its longer side."""
    from torchvision.transforms.functional import gaussian_blur

    sd = max(attribution.shape) / 32
    size = 2 * min(int(3 * sd), min(attribution.shape) - 1) + 1
    return gaussian_blur(attribution[None], [size, size], [sd, sd])[0]


def _draw_map(axes, bar, result: Result, shot: Shot, *, view: str = "raw", over: bool = False) -> None:
    """A map, or its colours on the grey photograph, and its scale."""
    attribution = blurred(result.map) if view == "blurred" else result.map
    limit = signed_limit(attribution, MOST)
    if over:
        colours = laid_over(shot.fine, attribution.numpy(), limit, grey=0.6, smooth=view == "blurred")
        bare(axes).imshow(colours)
    else:
        show_map(axes, attribution, limit=limit)
    axes.set_title(result.title, fontsize=9)
    colour_bar(bar, limit)


def _shown_map(result: Result, shot: Shot, *, view: str, over: bool) -> str:
    from icg_book.kit.drawing import Figure

    # Not left to matplotlib: the two maps stand beside one another and are to be equally large.
    figure = Figure(figsize=(3.7, 4.2))
    axes, bar = figure.add_axes((0.05, 0.125, 0.9, 0.8)), figure.add_axes((0.125, 0.07, 0.75, 0.022))
    _draw_map(axes, bar, result, shot, view=view, over=over)
    alt = f"Map by {result.title}. {result.text}"
    if view == "blurred":
        alt = f"Blurred. {alt}"
    return shown(figure, alt, f'<span style="{PROSE}">{html.escape(result.text)}</span>').data


def _in_book(model, shots: list[Shot], data, classes):
    """What the built page shows."""
    choices = "a photograph (or upload one), the class and two methods with their settings"
    if not shots:
        from IPython.display import HTML

        return HTML(
            "<p>Without the photographs there is nothing to show here. To explain one of your own, "
            f'<a style="color: inherit" href="{colab_link(CHAPTER)}">run this chapter live in Colab</a> or on your '
            "machine, and upload it.</p>"
        )

    from icg_book.kit.drawing import Figure

    shot = shots[0]
    p = _probabilities(model, shot.values)
    target = int(p.argmax())
    figure = Figure(figsize=(9.6, 3.0))
    photograph, *maps = (figure.add_axes((0.01 + k * 0.248, 0.135, 0.235, 0.752)) for k in range(3))
    bare(photograph).imshow(shot.fine)
    photograph.set_title(shot.name, fontsize=9)
    bar_chart(figure.add_axes((0.855, 0.135, 0.14, 0.752)), p, target, classes)
    alt = [_said(shot, p, classes)]
    for k, first in enumerate(PAIR):
        chosen = {**first, "n_steps": STEPS_IN_BOOK}
        result = _explain(Watched(model), shot.values, data, target, classes, chosen)
        _draw_map(maps[k], figure.add_axes((0.298 + k * 0.248, 0.1, 0.155, 0.025)), result, shot)
        alt.append(f"Map by {result.title}. {result.text}")
    return static(figure, " ".join(alt), CHAPTER, choices)


def _check(model, photographs, data, classes, labels) -> tuple[list[Shot], tuple[int, int, int]]:
    """The photographs to choose from, and the shape of one; ``ValueError`` where arguments do not go together."""
    if not is_certainty_aware(model):
        raise ValueError("expected a certainty-aware model, got one without certainty")
    if photographs is None:
        channels, *size = getattr(model, "input_shape", (0,))
        if channels != 4 or len(size) != 2:
            raise ValueError("expected photographs, or a model with input_shape (4, H, W), got neither")
        shape = (3, *size)
    else:
        _check_images("photographs", photographs)
        shape = tuple(photographs.shape[1:])
    if data is not None:
        _check_images("data", data)
        if tuple(data.shape[1:]) != shape:
            raise ValueError(f"expected data of shape (L, {', '.join(map(str, shape))}), got {tuple(data.shape)}")
    if photographs is None:
        return [], shape
    if labels is not None and len(labels) != len(photographs):
        raise ValueError(f"expected a label for each of {len(photographs)} photographs, got {len(labels)}")
    n = len(_probabilities(model, photographs[:1].to(_device(model))))
    if n != len(classes):
        raise ValueError(f"expected the names of {n} classes, got {len(classes)}")
    fine = (255 * photographs).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    names = [
        f"photograph {k}" + (f", {classes[int(labels[k])]}" if labels is not None else "") for k in range(len(fine))
    ]
    return [Shot(names[k], photographs[k : k + 1], fine[k]) for k in range(len(fine))], shape


def _device(model):
    parameter = next(iter(model.parameters()), None) if isinstance(model, nn.Module) else None
    return "cpu" if parameter is None else parameter.device


def _check_images(name: str, images) -> None:
    if not isinstance(images, Tensor) or images.ndim != 4 or images.shape[1] != 3 or not len(images):
        got = tuple(images.shape) if isinstance(images, Tensor) else type(images).__name__
        raise ValueError(f"expected {name} of shape (N, 3, H, W), N at least 1, got {got}")
    if not images.is_floating_point() or images.min() < 0 or images.max() > 1:
        raise ValueError(f"expected {name} with floating values in [0, 1], got {images.dtype}")
