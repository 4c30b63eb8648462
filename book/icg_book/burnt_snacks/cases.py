"""What the explorable "scrub the path" shows in this chapter: three images, and four ways to each of them."""

import torch
from torch import Tensor
from tqdm import tqdm

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


def scrub_cases(model, examples: dict[str, BurntSnacks], data: Tensor, *, progress: bool = False) -> list[dict]:
    """The cases of :func:`icg_book.burnt_snacks.scrub.scrub_path`: for each of :data:`IMAGES` IG from black, Expected
    Gradients, and ICG of probability and logit.

    Args:
        examples: one image each, as of :func:`icg_book.scenarios.burnt_snacks.examples`.
        data: images ``(K, 1, 50, 50)`` that Expected Gradients draws from.
        progress: show a bar.
    """
    ways = {
        "IG, black baseline": lambda image: {"caption": captions(image), **_values(model, image)},
        "Expected Gradients": lambda image: _draws(model, image, data),
        "ICG, probability": lambda image: _certainty(model, image, "probability"),
        "ICG, logit": lambda image: _certainty(model, image, "logit"),
    }
    wanted = [(label, method) for label in IMAGES for method in ways]
    cases = []
    for label, method in tqdm(wanted, unit="path", leave=False, disable=not progress):
        image = examples[IMAGES[label]]
        cases.append({"image": label, "method": method, "objects": marks(image), **ways[method](image)})
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


def _values(model, image: BurntSnacks) -> dict:
    """From black to the image."""
    return _walk(model, join(torch.zeros_like(image.images)), image, "probability", channel=0, most=32, least=4)


def _certainty(model, image: BurntSnacks, output: str) -> dict:
    """From an image of which nothing is known to the same image, known."""
    walk = _walk(model, join(image.images, 0.0), image, output, channel=1, most=8, least=8)
    return walk | {"parameter": "certainty", "certainty": POSITIONS}


def _walk(model, start: Tensor, image: BurntSnacks, output: str, *, channel: int, most: int, least: int) -> dict:
    """The straight path from ``start`` to the image, and what one of its channels gathers.

    Where the output stands still there is nothing to gather: pieces with less than a hundredth of its whole way get the
    ``least`` steps, others the ``most``.
    """
    end, fine = join(image.images), torch.linspace(0, 1, 4 * (len(POSITIONS) - 1) + 1)
    with torch.no_grad():
        logits = model(start + fine.view(-1, 1, 1, 1) * (end - start))
    curve = (logits.softmax(1) if output == "probability" else logits)[:, 1]
    way = curve.diff().abs().view(-1, 4).sum(1)  # (K - 1,), of each piece
    n_steps = torch.where(way > 0.01 * way.sum(), most, least)
    trace = trace_path(model, start, end, POSITIONS, target=1, output=output, n_steps=n_steps)
    return {
        "parameter": "alpha",
        "positions": POSITIONS,
        "frames": trace.points[:, 0].clamp(0, 1),
        "gradients": trace.gradients[:, channel],
        "gathered": trace.gathered[:, channel],
        "curve": {"x": fine, "y": curve},
        "curve_label": output,
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
