"""Glyphs: which sign is in the picture, whatever its lightness (for the chapter on baselines)?

A plus, a cross, a ring, a bar, or nothing at all, drawn with ink of *any* lightness on ground of *any* lightness. The
class is a matter of shape alone, so no grey means "missing": each is the ink of some picture and the ground of another.
Not one of the paper's scenarios; it shows what section 2 says of baselines on pictures small enough for a web page.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from icg.training import Recipe
from icg_book.kit.networks import GlyphsNet
from icg_book.kit.trainings import Training

SIZE = 16  # images are 16 x 16
CLASSES = ("nothing", "plus", "cross", "ring", "bar")
LEVELS = 100  # greys are whole hundredths, so that "the same grey" is exact
CONTRAST = 0.3  # least difference between ink and ground
NOISE = 0.02  # standard deviation of the noise of ordinary images

# Glyph, ink, ground: the pictures that the book shows, of both polarities, some with black, middle or white ink.
EXAMPLES = (
    *(("plus", 0.00, 0.70), ("plus", 1.00, 0.35), ("cross", 0.50, 0.90), ("cross", 0.80, 0.15)),
    *(("ring", 0.20, 0.65), ("ring", 0.50, 0.00), ("bar", 0.90, 0.45), ("bar", 0.30, 1.00)),
)

RECIPE = Recipe(steps=12_000, batch_size=128, lr=3e-3, warmup=200, weight_decay=0.02, average=0.998)


@dataclass(frozen=True)
class Glyphs:
    """Generated images and their ground truth; ``N`` images of 16 x 16.

    Attributes:
        images: ``(N, 1, 16, 16)`` float32 in [0, 1], in steps of 1/100.
        labels: ``(N,)`` int64, number in ``CLASSES``.
        ink: ``(N, 1, 16, 16)`` bool, the pixels of the glyph; none for class "nothing".
        ink_grey, ground_grey: ``(N,)`` float32, the two greys before noise (without a glyph the ink's is not used).
    """

    images: Tensor
    labels: Tensor
    ink: Tensor
    ink_grey: Tensor
    ground_grey: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index) -> "Glyphs":
        """A selection of images, by slice, mask or index tensor (as for tensors)."""
        return Glyphs(*(t[index] for t in (self.images, self.labels, self.ink, self.ink_grey, self.ground_grey)))


def generate(n: int, *, label: int | None = None, noise: float = NOISE, generator=None) -> Glyphs:
    """Draw ``n`` images (a fifth of each class, by chance, or all of class ``label``) with their ground truth.

    Args:
        n: number of images, >= 1.
        label: 0 to 4 for one class only.
        noise: standard deviation of Gaussian noise on every pixel; 0 for two flat greys.
        generator: source of randomness; the images live on its device.

    Raises:
        ValueError: n < 1, a label that is not None or 0 to 4, or negative noise.

    >>> data = generate(4, label=1, noise=0.0, generator=torch.Generator().manual_seed(0))
    >>> data.images.shape, [len(image.unique()) for image in data.images]
    (torch.Size([4, 1, 16, 16]), [2, 2, 2, 2])
    """
    if n < 1:
        raise ValueError(f"expected n >= 1 images, got {n}")
    if label not in (None, *range(len(CLASSES))):
        raise ValueError(f"expected label None or 0 to {len(CLASSES) - 1}, got {label!r}")
    if not noise >= 0:
        raise ValueError(f"expected noise >= 0, got {noise}")
    device = generator.device if generator is not None else None

    def uniform(low, high):
        return low + (high - low) * torch.rand(n, generator=generator, device=device)

    def randint(high):
        return torch.randint(high, (n,), generator=generator, device=device)

    labels = randint(len(CLASSES))
    labels = labels if label is None else torch.full_like(labels, label)
    ink = _draw(labels, uniform, randint)
    ground_grey, ink_grey = _greys(uniform)
    images = paint(ink, ink_grey, ground_grey)
    if noise:
        images = images + noise * torch.randn(images.shape, generator=generator, device=device)
    return Glyphs(_whole(images), labels, ink, ink_grey, ground_grey)


def paint(ink: Tensor, ink_grey: Tensor | float, ground_grey: Tensor | float) -> Tensor:
    """Flat pictures ``(N, 1, 16, 16)`` of the pixels ``ink`` (bool, same shape); greys are numbers or ``(N,)``."""
    ink_grey, ground_grey = (
        torch.as_tensor(grey, device=ink.device).expand(len(ink)).view(-1, 1, 1, 1) for grey in (ink_grey, ground_grey)
    )
    return _whole(torch.where(ink, ink_grey, ground_grey))


def examples() -> Glyphs:
    """The pictures of :data:`EXAMPLES`, without noise: of each glyph, the first two shapes of a seeded draw.

    The seed was chosen for tidy shapes, before any attribution was looked at.
    """
    names, ink_grey, ground_grey = zip(*EXAMPLES, strict=True)
    labels = torch.tensor([CLASSES.index(name) for name in names])
    draw = generate(50, noise=0.0, generator=torch.Generator().manual_seed(4))
    first = [(draw.labels == label).nonzero()[names[:k].count(names[k])].item() for k, label in enumerate(labels)]
    ink, ink_grey, ground_grey = draw.ink[first], torch.tensor(ink_grey), torch.tensor(ground_grey)
    return Glyphs(paint(ink, ink_grey, ground_grey), labels, ink, ink_grey, ground_grey)


def _whole(greys: Tensor) -> Tensor:
    return (greys * LEVELS).round().clamp(0, LEVELS) / LEVELS


def _greys(uniform) -> tuple[Tensor, Tensor]:
    """Two greys, uniform on all pairs that are at least ``CONTRAST`` apart."""
    # Take the gap out, choose two points of what is left, and put the gap back between them: no pair is tried twice.
    a, b = uniform(0.0, 1 - CONTRAST), uniform(0.0, 1 - CONTRAST)
    return _whole(torch.where(a > b, a + CONTRAST, a)), _whole(torch.where(a > b, b, b + CONTRAST))


def _draw(labels: Tensor, uniform, randint) -> Tensor:
    """The pixels of a glyph of random size, place, stroke and slight turn: ``(N, 1, 16, 16)`` bool."""

    def column(t):
        return t.view(-1, 1, 1, 1)

    radius, half_stroke = uniform(3.5, 6.2), uniform(0.65, 1.2)
    # At least one pixel of ground stays around the glyph.
    centre_y, centre_x = (radius + 1 + (SIZE - 2 - 2 * radius) * uniform(0.0, 1.0) for _ in "yx")
    at = torch.arange(SIZE, device=labels.device) + 0.5
    y, x = at.view(1, 1, -1, 1) - column(centre_y), at - column(centre_x)

    eighth = torch.pi / 4
    turn = torch.where(labels == 4, randint(4), (labels == 2).long()) * eighth + uniform(-0.12, 0.12)
    cos, sin = column(turn.cos()), column(turn.sin())
    u, v = (cos * x + sin * y).abs(), (cos * y - sin * x).abs()
    radius, half_stroke = column(radius), column(half_stroke)
    stroke = (u < half_stroke) & (v < radius)
    other = (v < half_stroke) & (u < radius)
    ring = ((x**2 + y**2).sqrt() - radius + half_stroke).abs() < half_stroke
    kind = column(labels)
    return torch.where(kind == 3, ring, torch.where(kind == 4, stroke, stroke | other)) & (kind > 0)


def training_batch(step: int, generator) -> tuple[Tensor, Tensor]:
    """One batch for :func:`icg.training.train`: images ``(N, 1, 16, 16)`` and labels ``(N,)``."""
    data = generate(RECIPE.batch_size, generator=generator)
    return data.images, data.labels


def evaluate(model, *, n: int = 20_000, seed: int = 1) -> dict:
    """What a card says of a model: accuracy on fresh images, over all and for each class, and at low contrast.

    Returns:
        ``{"accuracy": {"all": …, "images": n, "plus": …, …, "contrast < 0.4": …}}``, shares in [0, 1].
    """
    data = generate(n, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        right = torch.cat([model(part).argmax(1) for part in data.images.split(2000)]) == data.labels
    return {"accuracy": accuracies(right, data)}


def accuracies(right: Tensor, data: Glyphs) -> dict:
    """The share of ``right`` answers ``(N,)``: over all ``data``, for each class, and at low contrast."""
    right = right.double()
    found = {"all": right.mean().item(), "images": len(right)}
    for label, name in enumerate(CLASSES):
        found[name] = right[data.labels == label].mean().item()
    faint = ((data.ink_grey - data.ground_grey).abs() < 0.4) & (data.labels > 0)
    return found | {"contrast < 0.4": right[faint].mean().item()}


def samples(n: int, shape: tuple[int, int, int], *, generator: torch.Generator) -> Tensor:
    """``n`` training images at random, ``(n, *shape)``."""
    return generate(n, generator=generator).images


TRAININGS = {"glyphs": Training(GlyphsNet, ((RECIPE, training_batch),), evaluate)}
