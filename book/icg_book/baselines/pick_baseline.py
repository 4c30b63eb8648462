"""Explorable "pick the baseline from the picture": choose a grey as the baseline and see what it cannot see."""

import torch

from icg.attribution import integrated_gradients
from icg_book.kit.figures import image_grid
from icg_book.kit.page.explorable import Explorable, pack, script_beside
from icg_book.kit.page.networks import pack_network
from icg_book.scenarios.glyphs import CLASSES, LEVELS, SIZE, Glyphs

STEPS = 64  # of the middle rule, as in icg.integrated_gradients


def pick_baseline(
    model,
    pictures: Glyphs,
    *,
    title: str = "Pick the baseline from the picture",
    alt: str = "One picture of a glyph and its attributions from four grey baselines. Where the glyph has the "
    "baseline's grey it gets no credit at all; where the ground has it, the glyph gets everything.",
    fallback=None,
) -> Explorable:
    """Choose a grey, or the grey of a pixel, as a constant baseline; Integrated Gradients is computed in the page.

    Args:
        model: from ``(N, 1, 16, 16)`` to logits ``(N, 5)``, of layers that :mod:`icg_book.kit.page.networks` can pack,
            in eval mode, such as ``icg.artifacts.load_model("glyphs")``.
            :func:`icg_book.kit.page.networks.as_in_page` gives the model that the page computes with.
        pictures: of two flat greys each (``icg_book.scenarios.glyphs.examples()``), every one with a glyph.
        title, alt: heading and description of the static picture.
        fallback: static picture (PNG bytes, path or figure); by default the first picture with four baselines.

    Raises:
        ValueError: another kind of model, or a picture without a glyph or with noise.
    """
    network = pack_network(model, SIZE, len(CLASSES))
    if network["channels"] > 1:
        raise ValueError("expected a network of values alone, got a certainty-aware one")
    if not isinstance(pictures, Glyphs) or len(pictures) == 0:
        raise ValueError(
            f"expected pictures as icg_book.scenarios.glyphs.Glyphs, at least one, got {type(pictures).__name__}"
        )
    cases = [_pack_picture(pictures, k) for k in range(len(pictures))]
    data = {"network": network, "cases": cases, "classes": CLASSES, "levels": LEVELS, "size": SIZE, "steps": STEPS}
    return Explorable(
        script_beside(__file__), data, title, alt, _static(model, pictures[:1]) if fallback is None else fallback
    )


def _pack_picture(pictures: Glyphs, k: int) -> dict:
    label = int(pictures.labels[k])
    image, mask = pictures.images[k, 0].cpu(), pictures.ink[k, 0].cpu()
    levels = (image * LEVELS).round().to(torch.uint8)
    inks, grounds = levels[mask].unique().tolist(), levels[~mask].unique().tolist()
    flat = len(inks) == len(grounds) == 1 and inks != grounds and torch.equal(levels.float() / LEVELS, image)
    if not label or not flat:
        raise ValueError(
            f"expected picture {k} to be a glyph of one grey on ground of another, in whole hundredths (noise=0), got "
            f"class {CLASSES[label]!r} with {len(inks)} and {len(grounds)} greys"
        )
    return {
        "name": f"{CLASSES[label]}: {inks[0] / LEVELS:.2f} on {grounds[0] / LEVELS:.2f}",
        "label": label,
        "levels": pack(levels.numpy()),
        "ink": inks[0],
        "ground": grounds[0],
    }


def _static(model, picture: Glyphs):
    """One picture, four grey baselines, and what each gives credit to."""
    ink, ground = picture.ink_grey.item(), picture.ground_grey.item()
    chosen = {"glyph's": ink, "middle": 0.5, "ground's": ground, "white": 1.0}
    images = picture.images
    maps = [
        integrated_gradients(model, images, torch.full_like(images, grey), target=picture.labels)[0, 0]
        for grey in chosen.values()
    ]
    return image_grid(
        [[images[0, 0], *(torch.full((SIZE, SIZE), grey) for grey in chosen.values())], [None, *maps]],
        ["baseline", "credit"],
        ["picture", *(f"{name} {grey:.2f}" for name, grey in chosen.items())],
        panel=1.4,
    )
