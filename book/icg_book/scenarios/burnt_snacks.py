"""Burnt Snacks (paper, section 5.1): is there a dark square among light squares and triangles?

Notionally an optical sorting task: overcooked food is dark. Class 1 has one to three *dark* squares (lightness
0.25 to 0.5); both classes have light squares (0.5 to 1) and triangles (0.25 to 0.5, as dark as the dark squares).
Two things are made to mislead distribution baselines: the average pixel is very dark, and darkening a light square
gives a dark one. The ground truth is exact: only dark squares decide the class.
"""

from dataclasses import dataclass, fields
from functools import lru_cache, partial

import torch
from torch import Tensor, nn

from icg.artifacts import load_model
from icg.certainty import join
from icg.damage import (
    another_sample,
    bernoulli_certainty,
    certainty_batch,
    continuous_bernoulli_certainty,
    damage,
    uniform_noise,
)
from icg.measures import band_absence, information_absence, neutrality, probabilities
from icg.models import BurntSnacksNet
from icg.training import Recipe
from icg_book.kit.networks import BurntSnacksEquivariantNet, BurntSnacksSmallNet
from icg_book.kit.trainings import Training, told

SIZE = 50  # images are 50 x 50
CLASSES = ("no dark square", "dark square")

RECTANGLES = ((5, 5), (6, 6), (6, 7), (7, 7), (8, 8), (9, 9), (9, 10), (11, 11))  # lit height x width
# Lit height, width and number of lit pixels of the twenty triangles of the paper's authors.
TRIANGLES = (
    *((3, 3, 6), (4, 4, 10), (5, 5, 15), (5, 5, 13), (6, 6, 21), (6, 6, 21), (6, 6, 21), (7, 5, 21), (7, 7, 28)),
    *((7, 7, 31), (7, 7, 25), (7, 8, 32), (8, 8, 36), (9, 9, 45), (9, 9, 41), (9, 9, 23), (7, 9, 20)),
    *((10, 10, 55), (10, 10, 52), (10, 10, 47)),
)
ATTEMPTS = 10  # shapes tried after the dark squares; one that would overlap is dropped
_BOX = 13  # side of the largest shape with its black border
_BACKGROUND, _DARK, _LIGHT, _TRIANGLE = range(4)


RECIPE = Recipe(steps=16_000, batch_size=64, lr=1e-3, warmup=200, low_precision=0.85, dropout=0.6)


def training_batch(step: int, generator) -> tuple[Tensor, Tensor]:
    """One batch for :func:`icg.training.train`: joined inputs ``(N, 2, 50, 50)`` and target distributions ``(N, 2)``.

    The first 500 steps are undamaged, then damage is blended in until it is three quarters of the batch: with the
    full mix from the first step the network stays at chance for thousands of steps.
    """
    blend = _blend(step)
    return _batch(RECIPE, generator, damaged=0.75 * blend, absent=0.08 * blend)


def _blend(step: int) -> float:
    return min(1.0, max(0.0, (step - 500) / 1000))


def _batch(recipe: Recipe, generator, **shares) -> tuple[Tensor, Tensor]:
    data = generate(recipe.batch_size, wide=True, generator=generator)
    return certainty_batch(data.images, data.labels, prior=torch.full((2,), 0.5), generator=generator, **shares)


# A second stage. After the first one the network knows every kind of damage of the paper, but the path of integrated
# certainty gradients (an intact image, one certainty everywhere) is not among them: its output wanders there.
FINISH = Recipe(steps=5_000, batch_size=64, lr=1e-3, warmup=100, low_precision=0.85, dropout=0.0)


def finishing_batch(step: int, generator) -> tuple[Tensor, Tensor]:
    """As :func:`training_batch`, for the second stage: more absence, and damage in blocks beside the paper's mix."""
    return _batch(FINISH, generator, damaged=0.36, blocks=0.38, absent=0.1)


# A last stage, which makes the path fairer (chapter on fairness): most of a batch in small blocks, which take objects
# apart, and none of them a whole image, so that the network practises coalitions.
BLOCKS = Recipe(steps=5_000, batch_size=64, lr=1e-3, warmup=100, low_precision=0.85, dropout=0.0, seed=1)


def blocks_batch(step: int, generator) -> tuple[Tensor, Tensor]:
    """As :func:`training_batch`, for the last stage."""
    return _batch(BLOCKS, generator, damaged=0.12, blocks=0.69, whole=0.0, least=4, absent=0.06)


# The equivariant network, from its first step to its last.
EQUIVARIANT = Recipe(steps=6_500, batch_size=64, lr=2e-3, warmup=200, low_precision=0.9)


def equivariant_batch(step: int, generator) -> tuple[Tensor, Tensor]:
    """As :func:`training_batch`, for the equivariant network: half of a batch in blocks once damage has grown."""
    blend = _blend(step)
    return _batch(EQUIVARIANT, generator, damaged=0.22 * blend, blocks=0.5 * blend, whole=0.2, absent=0.06 * blend)


# The small network that the front page carries: first as above, then it learns from the equivariant one what to say
# where objects are less or more certain than the rest. From labels alone it reads an object's certainty off what
# surrounds it, which earns the surroundings the object's credit.
SMALL = Recipe(steps=5_000, batch_size=64, lr=3e-3, warmup=200)
PUPIL = Recipe(steps=2_000, batch_size=64, lr=3e-3, warmup=100)
INTACT = 48  # images of its batch; a quarter of another one makes it 64


def pupil_batch(step: int, generator) -> tuple[Tensor, Tensor]:
    """Joined inputs, and what the equivariant network says of them: most are intact, each object with a certainty of
    its own around a common level."""
    inputs, _ = _batch(PUPIL, generator, damaged=0.25, blocks=0.25, whole=0.2, absent=0.1)
    data = generate(INTACT, wide=True, generator=generator)
    numbers = (data.dark + data.light + data.triangles).float()  # 0: the rest
    player = nn.functional.max_pool2d(numbers, 3, stride=1, padding=1).long().flatten(1)  # with the border around it

    def rand(*size):
        return torch.rand(*size, generator=generator, device=data.images.device)

    off = (2 * rand(INTACT, int(player.max()) + 1) - 1) * rand(INTACT, 1)
    certainty = (rand(INTACT, 1) + off.gather(1, player)).clamp(0, 1).view_as(data.images)
    inputs = torch.cat([join(data.images, certainty), inputs[::4]])  # some of each kind of damage
    return inputs, told("burnt-snacks-equivariant", inputs)


@dataclass(frozen=True)
class BurntSnacks:
    """Generated images and their ground truth; ``N`` images of 50 x 50.

    Attributes:
        images: ``(N, 1, 50, 50)`` float32 in [0, 1], in steps of 1/255.
        labels: ``(N,)`` int64; 1 if a dark square is present.
        dark, light, triangles: ``(N, 1, 50, 50)`` uint8: 0 outside; the pixels of one object share one number,
            unique in its image, so that ``dark > 0`` is the mask of all dark squares.
    """

    images: Tensor
    labels: Tensor
    dark: Tensor
    light: Tensor
    triangles: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index) -> "BurntSnacks":
        """A selection of images, by slice, mask or index tensor (as for tensors)."""
        return BurntSnacks(*(getattr(self, field.name)[index] for field in fields(self)))

    @classmethod
    def concatenate(cls, parts: "list[BurntSnacks]") -> "BurntSnacks":
        """Several sets one after the other."""
        return cls(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(cls)))


def count_objects(objects: Tensor) -> Tensor:
    """How many objects each image has in one of the masks, ``(N, 1, 50, 50)`` to ``(N,)`` int64."""
    return torch.tensor([len(image[image > 0].unique()) for image in objects])


def centres(objects: Tensor) -> list[tuple[float, float]]:
    """Centres (y, x) in pixels of the objects in one image's mask ``(1, 50, 50)``."""
    return [tuple((objects[0] == k).nonzero().float().mean(0).tolist()) for k in objects.unique() if k > 0]


EXAMPLES = {  # numbers of dark and light squares
    "one dark, one light": (1, 1),
    "three dark, one light": (3, 1),
    "two light, none dark": (0, 2),
    "one light, none dark": (0, 1),
}


def examples() -> dict[str, BurntSnacks]:
    """The images that the book shows, one of each kind in :data:`EXAMPLES`; chosen by rule, not by result.

    Each is the first of a seeded draw with the right numbers of squares. Where light squares are the point, they are
    light enough (> 0.8) to pass through all dark greys on the way from black; a single dark square is well inside its
    range (< 0.42).
    """
    draw = generate(3000, generator=torch.Generator().manual_seed(11))
    n_dark, n_light = count_objects(draw.dark), count_objects(draw.light)
    top_dark, top_light = (torch.where(m > 0, draw.images, 0).flatten(1).amax(1) for m in (draw.dark, draw.light))
    fine = {
        "one dark, one light": (top_light > 0.8) & (top_dark < 0.42),
        "two light, none dark": top_light > 0.8,
    }
    found = {}
    for name, (dark, light) in EXAMPLES.items():
        wanted = (n_dark == dark) & (n_light == light) & fine.get(name, torch.tensor(True))
        first = wanted.nonzero()[0].item()
        found[name] = draw[first : first + 1]
    return found


def generate(n: int, *, label: int | None = None, wide: bool = False, generator=None) -> BurntSnacks:
    """Draw ``n`` images (classes by fair coin, or all of class ``label``) with their ground truth.

    Args:
        n: number of images, >= 1.
        label: 0 or 1 for one class only.
        wide: the training family. Half of the triangles are less like the authors' (a network that saw only one
            set of triangles fails on another), and a quarter of the squares has a lightness within 0.06 of the
            border between dark and light, where all the difficulty is.
        generator: source of randomness; the images live on its device.

    Raises:
        ValueError: n < 1, or a label that is not 0, 1 or None.

    >>> data = generate(4, label=1, generator=torch.Generator().manual_seed(0))
    >>> data.images.shape, bool((data.dark > 0).flatten(1).any(1).all())
    (torch.Size([4, 1, 50, 50]), True)
    """
    if n < 1:
        raise ValueError(f"expected n >= 1 images, got {n}")
    if label not in (None, 0, 1):
        raise ValueError(f"expected label 0, 1 or None, got {label!r}")
    device = generator.device if generator is not None else None

    def randint(high, shape=(n,)):
        return torch.randint(high, shape, generator=generator, device=device)

    labels = randint(2) if label is None else torch.full((n,), label, device=device)
    shapes, boxes = (table.to(labels.device) for table in _shape_table(wide))
    n_triangles = len(shapes) - len(RECTANGLES)

    n_dark = torch.where(labels == 1, 1 + randint(3), 0)
    slots = 3 + ATTEMPTS
    # A padded canvas of object numbers (0 = nothing): slot k of an image draws with number k + 1.
    canvas = torch.zeros(n, SIZE + _BOX, SIZE + _BOX, dtype=torch.uint8, device=labels.device)
    kind = torch.zeros(n, slots + 1, dtype=torch.uint8, device=labels.device)

    for slot in range(slots):
        if slot < 3:  # dark squares, each retried until it fits
            todo = (slot < n_dark).nonzero().squeeze(1)
            kind[todo, slot + 1] = _DARK
            while len(todo):
                shape = torch.randint(len(RECTANGLES), (len(todo),), generator=generator, device=device)
                placed = _place(canvas, todo, slot + 1, shapes, boxes, shape, generator)
                todo = todo[~placed]
        else:  # one attempt at a triangle or a light square; the authors choose among 20 triangles and 8 rectangles
            choice = randint(len(TRIANGLES) + len(RECTANGLES))
            light = choice < len(RECTANGLES)
            shape = torch.where(light, choice, len(RECTANGLES) + randint(n_triangles))
            kind[:, slot + 1] = torch.where(light, _LIGHT, _TRIANGLE).to(kind.dtype)
            _place(canvas, torch.arange(n, device=labels.device), slot + 1, shapes, boxes, shape, generator)

    lightness = 0.5 + 0.5 * torch.rand(kind.shape, generator=generator, device=device)
    if wide:  # squeeze some lightnesses towards their lower end (light squares) or upper end (dark squares)
        hard = torch.rand(kind.shape, generator=generator, device=device) < 0.25
        lightness = torch.where(hard & (kind == _LIGHT), 0.5 + 0.12 * (lightness - 0.5), lightness)
        lightness = torch.where(hard & (kind == _DARK), 1.0 - 0.24 * (1.0 - lightness), lightness)
    lightness = torch.where((kind == _DARK) | (kind == _TRIANGLE), 0.5 * lightness, lightness)
    levels = torch.where(kind > 0, (255 * lightness).floor() / 255, 0.0)

    objects = canvas[:, :SIZE, :SIZE].reshape(n, -1)
    pixel_kind = kind.gather(1, objects.long())
    images = levels.gather(1, objects.long()).view(n, 1, SIZE, SIZE)

    def mask(wanted):
        return torch.where(pixel_kind == wanted, objects, 0).view(n, 1, SIZE, SIZE)

    return BurntSnacks(images, labels, mask(_DARK), mask(_LIGHT), mask(_TRIANGLE))


def bitmaps(kind: str) -> list[Tensor]:
    """Lit pixels ``(h, w)`` of some shapes, from small to large, as they are drawn when they are not turned.

    Args:
        kind: "square" for all rectangles, or "triangle" for the right-angled ones that fill half of a square box.

    >>> bitmaps("triangle")[0].int()
    tensor([[1, 0, 0],
            [1, 1, 0],
            [1, 1, 1]], dtype=torch.int32)
    """
    if kind == "square":
        return [torch.ones(h, w, dtype=torch.bool) for h, w in RECTANGLES]
    if kind == "triangle":
        sides = sorted({h for h, w, count in TRIANGLES if h == w and 2 * count == h * (h + 1)})
        return [torch.ones(h, h).tril().bool() for h in sides]
    raise ValueError(f'expected kind "square" or "triangle", got {kind!r}')


def test_images(n: int, label: int, seed: int = 20220) -> BurntSnacks:
    """The first ``n`` test images of a class. Drawn ten at a time from seeds of their own, so that a run over more
    images begins with the same ones."""
    parts = []
    for first in range(0, n, 10):
        generator = torch.Generator().manual_seed((seed * 2 + label) * 1_000_003 + first)
        parts.append(generate(10, label=label, generator=generator))
    return BurntSnacks.concatenate(parts)[:n]


def _place(canvas, rows, number, shapes, boxes, shape, generator) -> Tensor:
    """Try to draw one shape on each canvas in ``rows``, turned and placed at random; returns which were placed.

    A shape comes with a black border one pixel wide, and is refused where a pixel of its bordered box is lit.
    """
    m = len(rows)
    device = generator.device if generator is not None else None
    turn = torch.randint(8, (m,), generator=generator, device=device)
    bitmap = shapes[shape, turn]  # (m, 13, 13), lit pixels, the border's corner at (0, 0)
    height, width = boxes[shape, turn].unbind(1)  # with border
    free = torch.rand(2, m, generator=generator, device=device)
    top = (free[0] * (SIZE - height)).long()
    left = (free[1] * (SIZE - width)).long()

    span = torch.arange(_BOX, device=canvas.device)
    y = (top[:, None] + span)[:, :, None]
    x = (left[:, None] + span)[:, None, :]
    image = rows[:, None, None]
    before = canvas[image, y, x]
    box = (span < height[:, None])[:, :, None] & (span < width[:, None])[:, None, :]
    placed = ~((before > 0) & box).flatten(1).any(1)
    drawn = bitmap & placed[:, None, None]
    canvas[image, y, x] = torch.where(drawn, torch.tensor(number, dtype=canvas.dtype, device=canvas.device), before)
    return placed


@lru_cache
def _shape_table(wide: bool) -> tuple[Tensor, Tensor]:
    """All shapes in their eight orientations: bitmaps ``(S, 8, 13, 13)`` and bordered sizes ``(S, 8, 2)``.

    Rectangles first, then triangles. The triangles match the authors' box sizes and lit pixels exactly
    (up to 8 variants of each of the twenty); with ``wide`` as many again that match only roughly.
    """
    lit = [torch.ones(h, w, dtype=torch.bool) for h, w in RECTANGLES]
    generator = torch.Generator().manual_seed(2022)
    for h, w, count in TRIANGLES:
        lit += _triangles(h, w, count, count, 8, generator)
    if wide:
        for h, w, _ in TRIANGLES:
            for h2, w2 in ((h, w), (min(h + 1, 10), w), (h, max(w - 1, 3)), (max(h - 1, 3), max(w - 1, 3))):
                area = h2 * w2
                lit += _triangles(h2, w2, int(0.25 * area) + 1, max(int(0.67 * area), 3), 3, generator)
    shapes = torch.zeros(len(lit), 8, _BOX, _BOX, dtype=torch.bool)
    boxes = torch.zeros(len(lit), 8, 2, dtype=torch.long)
    for i, bitmap in enumerate(lit):
        for turn in range(8):
            b = bitmap.T if turn & 1 else bitmap
            b = b.flip(0) if turn & 2 else b
            b = b.flip(1) if turn & 4 else b
            shapes[i, turn, 1 : 1 + b.shape[0], 1 : 1 + b.shape[1]] = b
            boxes[i, turn] = torch.tensor(b.shape) + 2
    return shapes, boxes


def _triangles(h: int, w: int, fewest: int, most: int, wanted: int, generator) -> list[Tensor]:
    """``wanted`` random triangles that fill their ``h`` x ``w`` box from side to side with a given lit count.

    Corners are random points; a pixel is lit if its centre is inside. Candidates that don't touch all four sides,
    have an empty row or column, or light too few or too many pixels are dropped; a staircase (right-angled, half
    the box) is always among the candidates.
    """
    rows, columns = torch.arange(h).view(-1, 1), torch.arange(w)
    centre_y, centre_x = (rows + 0.5).expand(h, w).reshape(-1), (columns + 0.5).expand(h, w).reshape(-1)
    found: dict[bytes, Tensor] = {}
    staircase = columns <= torch.div(rows * w, h, rounding_mode="floor")
    if fewest <= int(staircase.sum()) <= most:
        found[staircase.numpy().tobytes()] = staircase
    for _ in range(40):
        corners = torch.rand(20_000, 3, 2, generator=generator, dtype=torch.float64) * 1.3 - 0.15
        corners = corners * torch.tensor([h, w], dtype=torch.float64)
        for some in corners.split(500):  # the first few usually do
            a, b, c = some.unbind(1)
            side = []
            for p, q in ((a, b), (b, c), (c, a)):
                d = q - p
                side.append(d[:, :1] * (centre_x - p[:, 1:]) - d[:, 1:] * (centre_y - p[:, :1]))
            side = torch.stack(side)
            inside = ((side >= 0).all(0) | (side <= 0).all(0)).view(-1, h, w)
            count = inside.flatten(1).sum(1)
            good = (count >= fewest) & (count <= most) & inside.any(2).all(1) & inside.any(1).all(1)
            for bitmap in inside[good]:
                found.setdefault(bitmap.numpy().tobytes(), bitmap.clone())
                if len(found) >= wanted:
                    return list(found.values())
    if not found:
        raise RuntimeError(f"no triangle of {h} x {w} with {fewest} to {most} lit pixels")
    return list(found.values())


def evaluate(model, *, n: int = 20_000, n_absence: int = 2_000, seed: int = 1) -> dict:
    """What a card says of a model: accuracy, accuracy under damage, neutrality, information absence.

    Args:
        n: fresh images for the accuracies; none of them is drawn from the training family's wider shapes.
        n_absence: inputs of each kind shown at certainty 0.

    Returns:
        A dictionary of plain numbers (shares in [0, 1]; probabilities of class 1).
    """
    generator = torch.Generator().manual_seed(seed)
    data = generate(n, generator=generator)
    right = (probabilities(model, data.images).argmax(1) == data.labels).double()
    n_dark = count_objects(data.dark)
    accuracy = {"all": right.mean().item(), "images": n}
    for label, name in enumerate(CLASSES):
        accuracy[name] = right[data.labels == label].mean().item()
    for k in (1, 2, 3):
        accuracy[f"{k} dark"] = right[n_dark == k].mean().item()
    border = (n_dark == 1) & (torch.where(data.dark > 0, data.images, 0).flatten(1).amax(1) >= 0.46)
    accuracy["1 dark, lightness >= 0.46"] = right[border].mean().item()

    damaged = {}
    mean = torch.rand(n, generator=generator)
    for certainty_name, draw in (("binary", bernoulli_certainty), ("continuous", continuous_bernoulli_certainty)):
        for data_name, source in (("adversarial", another_sample), ("uniform", uniform_noise)):
            certainty = draw(mean, (n, 1, SIZE, SIZE), generator=generator)
            values = damage(data.images, certainty, source(data.images, generator=generator), generator=generator)
            predicted = probabilities(model, values, certainty).argmax(1)
            damaged[f"{certainty_name}, {data_name}"] = (predicted == data.labels).double().mean().item()

    some = data.images[:n_absence]
    shuffled = some.flatten(1).gather(1, torch.rand(len(some), SIZE * SIZE, generator=generator).argsort(1))
    grey = torch.rand(n_absence, 1, 1, 1, generator=generator)
    absent = {
        "test images": some,
        "uniform noise": uniform_noise(some, generator=generator),
        "constant greys": grey.expand(-1, 1, SIZE, SIZE),
        "shuffled pixels": shuffled.view_as(some),
    }
    band = torch.zeros(1, 1, SIZE, SIZE, dtype=torch.bool)
    band[:, :, 12:20] = True
    shares = {name: band_absence(model, join(some[:50]), band, b) for name, b in (("zero", 0.0), ("one", 1.0))}
    along = {f"{c:g}": probabilities(model, some, c)[:, 1].mean().item() for c in (0, 0.05, 0.1, 0.25, 0.5, 0.75, 1)}
    return {
        "accuracy": accuracy,
        "accuracy under damage": damaged,
        "at certainty 0": {name: information_absence(model, values) for name, values in absent.items()},
        "neutrality": neutrality(model, some, torch.full((2,), 0.5)),
        "mean probability along certainty": along,
        "share of IG in a band at certainty 0": {
            name: {"masked": masked.mean().item(), "unmasked": unmasked.mean().item()}
            for name, (masked, unmasked) in shares.items()
        },
    }


def samples(n: int, shape: tuple[int, int, int], *, generator: torch.Generator) -> Tensor:
    """``n`` training images at random, ``(n, *shape)``."""
    return generate(n, generator=generator).images


TRAININGS = {
    "burnt-snacks": Training(BurntSnacksNet, ((RECIPE, training_batch), (FINISH, finishing_batch)), evaluate),
    "burnt-snacks-paper-mix": Training(BurntSnacksNet, ((RECIPE, training_batch),), evaluate),  # the first stage alone
    "burnt-snacks-equivariant": Training(BurntSnacksEquivariantNet, ((EQUIVARIANT, equivariant_batch),), evaluate),
    "burnt-snacks-small": Training(BurntSnacksSmallNet, ((SMALL, equivariant_batch), (PUPIL, pupil_batch)), evaluate),
    **{
        f"{name}-blocks": Training(partial(load_model, name), ((BLOCKS, blocks_batch),), evaluate)
        for name in ("burnt-snacks", "burnt-snacks-equivariant")
    },
}
