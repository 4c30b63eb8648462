"""The playground on the book's front page: a picture to play with, and who gets the credit."""

import torch

import icg
from icg.artifacts import load_model
from icg.certainty import join
from icg_book.kit.figures import image_grid
from icg_book.kit.networks import BurntSnacksSmallNet
from icg_book.kit.page.explorable import Explorable, pack, script_beside
from icg_book.kit.page.networks import pack_weights
from icg_book.playground.scene import LEVELS, MOST_OBJECTS, Thing, draw
from icg_book.scenarios import burnt_snacks

WEIGHTS = "burnt-snacks-small"
REFERENCES = 12  # pictures that Expected Gradients starts from
PRESETS = {  # what each shows, and a picture of it
    "The bystander is paid": (
        Thing("square", 5, 7, 8, 85),
        Thing("square", 6, 27, 29, 230),
        Thing("triangle", 4, 9, 33, 100),
    ),
    "Two squares, one winner": (
        Thing("square", 5, 7, 8, 75),
        Thing("square", 5, 28, 30, 120),
        Thing("triangle", 5, 30, 7, 100),
    ),
    "Nothing to find": (
        Thing("square", 5, 8, 8, 200),
        Thing("square", 6, 27, 28, 240),
        Thing("triangle", 4, 32, 9, 90),
    ),
}


def references() -> torch.Tensor:
    """The pictures that Expected Gradients starts from, ``(12, 1, 50, 50)``: drawn once, for every reader the same."""
    return burnt_snacks.generate(REFERENCES, generator=torch.Generator().manual_seed(7)).images


def playground(
    model=None,
    *,
    title: str = "Who gets the credit?",
    alt: str = "A picture with a dark square, a light square and a triangle, and three maps of what made a network say "
    "that there is a dark square. Integrated Gradients and Expected Gradients point at the light square, Integrated "
    "Certainty Gradients at the dark one.",
    fallback=None,
) -> Explorable:
    """Move, add, remove, resize and lighten objects: a network answers, and three methods pay each object its credit.

    Beside them are the fair shares, the exact Shapley values of a game that only certainty allows: objects join the
    picture one by one, and of those that have not come nothing is known.

    Args:
        model: a :class:`BurntSnacksSmallNet` in eval mode; by default the weights "burnt-snacks-small".
        title, alt, fallback: heading, description and picture (PNG bytes, path or figure) where scripts are off.

    Raises:
        ValueError: another network.
    """
    model = load_model(WEIGHTS) if model is None else model
    if not isinstance(model, BurntSnacksSmallNet):
        raise ValueError(f"expected a BurntSnacksSmallNet, whose layers the page knows, got {type(model).__name__}")
    front, _, middle, _, back, _ = model.features
    hidden, _, last = model.whole
    data = {
        "network": [pack_weights(layer) for layer in (front, middle, back, model.evidence, hidden, last)],
        "references": pack((255 * references()).round().to(torch.uint8).numpy()),
        "referencesCount": REFERENCES,
        "sizes": {kind: [list(lit.shape) for lit in burnt_snacks.bitmaps(kind)] for kind in LEVELS},
        "levels": LEVELS,
        "most": MOST_OBJECTS,
        "presets": [{"name": name, "things": [vars(thing) for thing in things]} for name, things in PRESETS.items()],
    }
    return Explorable(script_beside(__file__), data, title, alt, _static(model) if fallback is None else fallback)


def _static(model):
    """The first picture, and three maps of it."""

    values, _ = draw(list(next(iter(PRESETS.values()))))
    options = {"target": 1, "output": "probability"}
    inputs = join(values)
    maps = [
        icg.integrated_gradients(model, inputs, n_steps=128, **options)[:, :1],
        icg.integrated_gradients(model, inputs, icg.baselines.every(references()), n_steps=64, **options)[:, :1],
        icg.integrated_certainty_gradients(model, inputs, **options),
    ]
    return image_grid(
        [[values[0, 0], *(m[0, 0] for m in maps)]],
        [""],
        ["is there a dark square?", "Integrated Gradients", "Expected Gradients", "ICG"],
        image_rows=(),
        image_columns=(0,),
        panel=2.2,
    )
