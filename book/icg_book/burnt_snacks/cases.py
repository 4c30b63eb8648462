"""What the explorable "scrub the path" shows in this chapter: three images, and four ways to each of them."""

import torch
from torch import Tensor

from icg.certainty import join
from icg_book.burnt_snacks.tracing import trace_draws, trace_path
from icg_book.scenarios.burnt_snacks import BurntSnacks, centres

IMAGES = {  # label in the menu: name of the example
    "a dark and a light square": "one dark, one light",
    "three dark squares, one light": "three dark, one light",
    "two light squares, none dark": "two light, none dark",
}
POSITIONS = torch.linspace(0, 1, 33)
DRAWS = 512
# Draws of Expected Gradients at which the slider stops: all at first, then ever fewer.
STOPS = torch.tensor([*range(8), 9, 11, 15, 19, 23, 31, 47, 63, 95, 127, 191, 255, 383, 511])


def scrub_cases(model, examples: dict[str, BurntSnacks], data: Tensor) -> list[dict]:
    """The cases of :func:`icg_book.burnt_snacks.scrub.scrub_path`: for each of :data:`IMAGES` IG from black, Expected
    Gradients, and ICG of probability and logit.

    Args:
        examples: one image each, as of :func:`icg_book.scenarios.burnt_snacks.examples`.
        data: images ``(K, 1, 50, 50)`` that Expected Gradients draw from.
    """
    cases = []
    for label, name in IMAGES.items():
        image = examples[name]
        black, nothing = join(torch.zeros_like(image.images)), join(image.images, 0.0)
        cases += [
            {"method": "IG, black baseline", "caption": captions(image), **_walk(model, black, image, "probability")},
            {"method": "Expected Gradients", **_draws(model, image, data)},
            {"method": "ICG, probability", **_walk(model, nothing, image, "probability", certainty=POSITIONS)},
            {"method": "ICG, logit", **_walk(model, nothing, image, "logit", certainty=POSITIONS)},
        ]
        for case in cases[-4:]:
            case |= {"image": label, "objects": marks(image)}
    return cases


def marks(image: BurntSnacks) -> list[dict]:
    """The squares of one image, as the explorable marks them."""
    kinds = (("dark square", image.dark), ("light square", image.light))
    return [{"label": label, "y": y, "x": x} for label, objects in kinds for y, x in centres(objects[0])]


def captions(image: BurntSnacks) -> list[tuple[float, str]]:
    """What happens to the lightest square while the image brightens from black."""
    level = torch.where(image.light > 0, image.images, 0).max().item()
    return [
        (0.0, "Everything is black: the baseline."),
        (0.25 / level, "The lightest square has become as dark as a dark square."),
        (0.5 / level, "The lightest square is light again."),
        (1.0, "The input."),
    ]


def _walk(model, start: Tensor, image: BurntSnacks, output: str, certainty: Tensor | None = None) -> dict:
    """The straight path from ``start`` to the image: through values, or (given its ``certainty``) through certainty."""
    end = join(image.images)
    # The output jumps on the way from black; fewer points miss part of its change.
    channel, n_steps = (0, 32) if certainty is None else (1, 8)
    trace = trace_path(model, start, end, POSITIONS, target=1, output=output, n_steps=n_steps)
    fine = torch.linspace(0, 1, 129)
    with torch.no_grad():
        logits = model(start + fine.view(-1, 1, 1, 1) * (end - start))
    return {
        "parameter": "alpha" if certainty is None else "certainty",
        "positions": POSITIONS,
        "frames": trace.points[:, 0].clamp(0, 1),
        "gradients": trace.gradients[:, channel],
        "gathered": trace.gathered[:, channel],
        "curve": {"x": fine, "y": (logits.softmax(1) if output == "probability" else logits)[:, 1]},
        "curve_label": output,
        **({} if certainty is None else {"certainty": certainty}),
    }


def _draws(model, image: BurntSnacks, data: Tensor) -> dict:
    """Expected Gradients, draw by draw: after k of them the estimate is their sum, scaled up to all."""
    generator = torch.Generator().manual_seed(3)
    options = {"target": 1, "output": "probability", "n": DRAWS, "generator": generator}
    trace = trace_draws(model, join(image.images), join(data), **options)
    with torch.no_grad():
        p = model(join(trace.points[STOPS, :1])).softmax(1)[:, 1]
    return {
        "parameter": "draw",
        "positions": STOPS + 1,
        "frames": trace.points[STOPS, 0],
        "gradients": trace.gradients[STOPS, 0],
        "gathered": trace.gathered[STOPS, 0] * (DRAWS / (STOPS + 1)).view(-1, 1, 1),
        "curve": {"x": STOPS + 1, "y": p},
        "curve_label": "probability at this draw",
        "caption": "Each draw is the input mixed with another image of the data, which darkens its light squares.",
    }
