"""Glyphs with certainty (for the chapter on certainty training): :mod:`icg_book.scenarios.glyphs`, damaged.

Two networks learn them: one with the paper's front, where certainty is one more channel, and one with a gate in front,
which multiplies values by their certainty (:mod:`icg.models`). Small enough to train many times over, which is what
:mod:`icg_book.certainty.ablation` does, and to run in a web page.
"""

import torch
from torch import Tensor

from icg.certainty import join
from icg.damage import (
    another_sample,
    bernoulli_certainty,
    certainty_batch,
    continuous_bernoulli_certainty,
    damage,
    uniform_noise,
)
from icg.measures import band_absence, neutrality, probabilities
from icg.training import Recipe
from icg_book.kit.networks import CertainGlyphsNet, GatedGlyphsNet
from icg_book.kit.trainings import Training
from icg_book.scenarios import glyphs
from icg_book.scenarios.glyphs import CLASSES, SIZE, Glyphs

PRIOR = torch.full((len(CLASSES),), 1 / len(CLASSES))
BAND = slice(6, 10)  # rows that the visual test of A.3.1 hides: through the middle of most glyphs
DAMAGE = {  # the four kinds of the paper's mix: certainty, and what a lost value is replaced by
    "binary, adversarial": (bernoulli_certainty, another_sample),
    "binary, uniform": (bernoulli_certainty, uniform_noise),
    "continuous, adversarial": (continuous_bernoulli_certainty, another_sample),
    "continuous, uniform": (continuous_bernoulli_certainty, uniform_noise),
}

RECIPE = Recipe(steps=8_000, batch_size=64, lr=3e-3, warmup=200, weight_decay=0.01, average=0.998)


def training_batch(step: int, generator) -> tuple[Tensor, Tensor]:
    """One batch for :func:`icg.training.train`: joined inputs ``(N, 2, 16, 16)`` and target distributions ``(N, 5)``.

    The paper's mix of four kinds of damage, damage in blocks and absent inputs; a quarter is undamaged.
    """
    data = glyphs.generate(RECIPE.batch_size, generator=generator)
    shares = {"damaged": 0.4, "blocks": 0.25, "absent": 0.1}
    return certainty_batch(data.images, data.labels, prior=PRIOR, generator=generator, **shares)


def evaluate(model, *, n: int = 20_000, n_absence: int = 1_000, n_band: int = 50, seed: int = 1) -> dict:
    """What a card says of a model: accuracy, accuracy under damage, absence, neutrality, the band test.

    Args:
        n: fresh images for the accuracies. n_absence: images of each kind shown at certainty 0.
        n_band: pictures of glyphs for the band test.

    Returns:
        A dictionary of plain numbers (shares in [0, 1]).
    """
    generator = torch.Generator().manual_seed(seed)
    data = glyphs.generate(n, generator=generator)
    accuracy = glyphs.accuracies(probabilities(model, data.images).argmax(1) == data.labels, data)
    damaged = damaged_accuracy(model, data, generator=generator)
    some = data.images[:n_absence]
    kinds = meaningless_pictures(some, generator=generator)
    return {
        "accuracy": accuracy,
        "accuracy under damage": damaged,
        "at certainty 0": {name: absence(model, values) for name, values in kinds.items()},
        "neutrality": neutrality(model, some, PRIOR),
        "mean probability of the class along certainty": {
            f"{c:g}": _mean_probability(model, data[:n_absence], c) for c in (0, 0.05, 0.1, 0.25, 0.5, 0.75, 1)
        },
        "share of IG in a band at certainty 0": {
            name: {"masked": masked, "unmasked": unmasked}
            for name, (masked, unmasked) in band_shares(model, data.images[data.labels > 0][:n_band]).items()
        },
    }


def _mean_probability(model, data: Glyphs, certainty: float) -> float:
    return probabilities(model, data.images, certainty).gather(1, data.labels[:, None]).mean().item()


def damaged_accuracy(model, data: Glyphs, *, generator=None) -> dict[str, float]:
    """Accuracy under each kind of :data:`DAMAGE`, at mean certainties drawn from U(0, 1), the same for all four.

    No model can come near 1: of many pictures almost nothing is left.
    """
    mean = torch.rand(len(data), generator=generator)
    found = {}
    for name, (draw, source) in DAMAGE.items():
        certainty = draw(mean, (len(data), 1, SIZE, SIZE), generator=generator)
        lost = source(data.images, generator=generator)
        values = damage(data.images, certainty, lost, generator=generator)
        predicted = probabilities(model, values, certainty).argmax(1)
        found[name] = (predicted == data.labels).double().mean().item()
    return found


def meaningless_pictures(images: Tensor, *, generator=None) -> dict[str, Tensor]:
    """What to show at certainty 0, where it must not matter: four sets of pictures like ``images`` ``(N, 1, 16, 16)``.

    Test images, noise, pictures of one grey, and pictures of two greys at random places.
    """
    n = len(images)
    grey, other, share = torch.rand(3, n, 1, 1, 1, generator=generator)
    noise = uniform_noise(images, generator=generator)
    two = torch.where(torch.rand(images.shape, generator=generator) < share, grey, other)
    return {"test images": images, "noise": noise, "one grey": grey.expand_as(images), "two greys": two}


def absence(model, values: Tensor) -> dict[str, float]:
    """How much the class probabilities at c = 0 still depend on ``values`` ``(N, 1, 16, 16)``: 0 in equation 2.

    Returns:
        ``sd``, the standard deviation over the pictures, averaged over the classes, and ``largest``, the largest
        difference that two of the pictures make to the probability of any class.
    """
    p = probabilities(model, values, 0.0).double()
    return {"sd": p.std(0).mean().item(), "largest": (p.amax(0) - p.amin(0)).max().item()}


def band_shares(model, images: Tensor) -> dict[str, tuple[float, float]]:
    """The visual test of A.3.1 in numbers: mean share of ``|IG|`` in :data:`BAND`, masked and unmasked.

    Returns:
        For the baselines "zero" and "one": the share with certainty 0 in the band, and with certainty 1.
    """
    band = torch.zeros(1, 1, SIZE, SIZE, dtype=torch.bool)
    band[:, :, BAND] = True
    found = {}
    for name, baseline in (("zero", 0.0), ("one", 1.0)):
        masked, unmasked = band_absence(model, join(images), band, baseline)
        found[name] = (masked.mean().item(), unmasked.mean().item())
    return found


def black_ink(n: int, *, generator=None) -> tuple[Glyphs, Glyphs]:
    """Flat pictures with ink of exactly 0, and the same shapes with the two greys swapped (ground of exactly 0).

    Whoever multiplies by the value is blind to the first ones' ink, and to the second ones' ground.
    """
    data = glyphs.generate(2 * n + 20, noise=0.0, generator=generator)
    data = data[data.labels > 0][:n]
    level = glyphs.CONTRAST + (1 - glyphs.CONTRAST) * data.ink_grey  # any grey that can be told from black
    black = torch.zeros_like(level)
    return (
        Glyphs(glyphs.paint(data.ink, black, level), data.labels, data.ink, black, level),
        Glyphs(glyphs.paint(data.ink, level, black), data.labels, data.ink, level, black),
    )


samples = glyphs.samples  # the same pictures, whole

TRAININGS = {
    "glyphs-certainty": Training(CertainGlyphsNet, ((RECIPE, training_batch),), evaluate),
    "glyphs-gated": Training(GatedGlyphsNet, ((RECIPE, training_batch),), evaluate),
}
