"""Pictures whose objects are players: what each object is due, and what every method gives it.

All of them can be shown in the book: Burnt Snacks and the Local Minimum input are generated, the digits are drawn by
hand. What is divided is a probability.
"""

from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor

from icg.artifacts import load_model
from icg.certainty import join
from icg.fairness import by_player, fair_division
from icg.measures import probabilities
from icg.shapley import certainty_game
from icg_book.kit import contenders
from icg_book.scenarios import burnt_snacks, drawn_digits, local_minimum, mnist

METHODS = ("zero IG", "EG", "AGN", "ICG", "block-wise")
EVALUATIONS = 64  # of the gradient, for each method; of the tiny network of Local Minimum, where paths jump, many more
MANY = 4096
DATA = 64  # pictures that Expected Gradients draw from
PERMUTATIONS = 128  # random orders at most, where there are more than 20 players
BLOCK = 4  # side of a player of a digit, in pixels
DIGITS = (2, 4, 5)  # numbers among the book's drawings
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


@dataclass(frozen=True)
class Example:
    """A picture of ``H`` x ``W`` and the division of a network's probability among its ``n`` players.

    Attributes:
        scenario, title: what it is.
        image: ``(H, W)`` float32 in [0, 1]. groups: ``(H, W)`` int64, the player of each pixel.
        names: of the players; with a comma at the end where one belongs there in a sentence.
        kind: "objects", "components" or "blocks".
        explained: the class whose probability is divided.
        nobody, everybody: that probability where nothing is known, and where all is.
        fair: ``(n,)`` float64, certainty-SHAP. error: the largest standard error; 0 where they are exact.
        shares: what each method gives, ``(n,)`` float64. evaluations: of the gradient, for each of them.
    """

    scenario: str
    title: str
    image: Tensor
    groups: Tensor
    names: tuple[str, ...]
    kind: str
    explained: str
    nobody: float
    everybody: float
    fair: Tensor
    error: float
    shares: dict[str, Tensor]
    evaluations: int


def settings(method: str, evaluations: int) -> dict[str, float]:
    """Of one of :data:`METHODS`, for :func:`icg_book.kit.contenders.attribute`, at this cost (a square number).

    >>> settings("AGN", 64)
    {'steps': 8, 'draws': 8, 'noise': 0.1}
    """
    if method == "AGN":
        side = round(evaluations**0.5)
        return {"steps": side, "draws": side, "noise": 0.1}
    if method in ("EG", "block-wise"):
        return {"draws": evaluations}
    # Its own shares, not the error of a sum over even steps.
    return {"steps": evaluations, "draws": 1} if method == "ICG" else {"steps": evaluations, "rule": "adaptive"}


def divide(
    model, values: Tensor, groups: Tensor, *, target: Tensor, data: Tensor, evaluations: int = EVALUATIONS
) -> list[dict]:
    """Fair shares of each input, and what each of :data:`METHODS` gives: the last fields of an :class:`Example`.

    Args:
        values: ``(N, 1, ...)``. groups: ``(N, 1, ...)``, the player of each position. target: ``(N,)``.
        data: ``(K, 1, ...)``, for Expected Gradients.
    """
    generator = _seeded(0)
    options = {"target": target, "output": "probability", "data": lambda: data, "generator": generator}
    maps = {
        name: contenders.one_map(
            contenders.attribute(name, model, join(values), settings(name, evaluations), **options)[0]
        )
        for name in METHODS
    }
    p = [probabilities(model, values, certainty).gather(1, target[:, None])[:, 0] for certainty in (0.0, 1.0)]
    found = []
    for k in range(len(values)):
        game = certainty_game(model, values[k : k + 1], groups=groups[k], target=int(target[k]), output="probability")
        division = fair_division(game, most_permutations=PERMUTATIONS, generator=generator)
        found.append(
            {
                "nobody": float(p[0][k]),
                "everybody": float(p[1][k]),
                "fair": division.shares[0],
                "error": float(division.error.max()),
                "shares": {name: by_player(m[k : k + 1], groups[k : k + 1])[0] for name, m in maps.items()},
                "evaluations": evaluations,
            }
        )
    return found


def examples() -> list[Example]:
    """All pictures of the explorable, in its order."""
    return [*snacks(), paper_input(), *digits()]


def snacks(images: dict[str, burnt_snacks.BurntSnacks] | None = None, model=None) -> list[Example]:
    """Burnt Snacks: each object is a player, and the background is one.

    Args:
        images: by title, one each; by default those that the book shows.
        model: by default the weights "burnt-snacks".
    """
    images = burnt_snacks.examples() if images is None else images
    model = load_model("burnt-snacks") if model is None else model
    data = burnt_snacks.samples(DATA, (1, burnt_snacks.SIZE, burnt_snacks.SIZE), generator=_seeded(1))
    players = [_objects(image) for image in images.values()]
    values, target = (torch.cat([getattr(i, what) for i in images.values()]) for what in ("images", "labels"))
    groups = torch.stack([groups for groups, _ in players])[:, None]
    found = divide(model, values, groups, target=target, data=data)
    return [
        Example("Burnt Snacks", title, image.images[0, 0], groups, names, "objects", _explained(image), **divided)
        for (title, image), (groups, names), divided in zip(images.items(), players, found, strict=True)
    ]


def paper_input(model=None) -> Example:
    """The paper's input of Local Minimum, two rows of three components; by default of the weights "local-minimum"."""
    model = load_model("local-minimum") if model is None else model
    values, groups = local_minimum.PAPER_INPUT, torch.arange(local_minimum.SIZE)
    data = local_minimum.generate(MANY, generator=_seeded(1)).values
    (divided,) = divide(model, values, groups[None, None], target=torch.tensor([1]), data=data, evaluations=MANY)
    names = tuple(f"component {k + 1} ({value:g})" for k, value in enumerate(values.flatten().tolist()))
    picture, explained = values.view(2, 3), local_minimum.CLASSES[1]
    return Example(
        "Local Minimum", "the paper’s input", picture, groups.view(2, 3), names, "components", explained, **divided
    )


def digits(numbers=DIGITS, model=None) -> list[Example]:
    """Digits that were drawn for the book, 49 blocks of 4 x 4 pixels; by default of the weights "mnist-small"."""
    model = load_model("mnist-small") if model is None else model
    drawn = drawn_digits.load()
    values = drawn.images[list(numbers)]
    target = probabilities(model, values).argmax(1)
    side = mnist.SIZE // BLOCK
    at = torch.arange(mnist.SIZE) // BLOCK
    groups = side * at[:, None] + at
    found = divide(model, values, groups.expand_as(values), target=target, data=drawn.images)
    names = tuple(f"block in row {k // side + 1}, column {k % side + 1}," for k in range(side**2))
    return [
        Example("Drawn digits", f"a {label}", image[0], groups, names, "blocks", str(explained), **divided)
        for label, image, explained, divided in zip(
            drawn.labels[list(numbers)].tolist(), values, target.tolist(), found, strict=True
        )
    ]


def place(mask: Tensor) -> str:
    """Where a shape lies in its picture ``(H, W)``, by the thirds that its centre is in.

    >>> place(torch.tensor([[True, False, False], [False] * 3, [False] * 3]))
    'at the top left'
    """
    thirds = [
        min(2, int(3 * (at.float().mean() + 0.5) / n)) for at, n in zip(mask.nonzero().T, mask.shape, strict=True)
    ]
    up, side = ("top", "", "bottom")[thirds[0]], ("left", "", "right")[thirds[1]]
    words = " ".join(word for word in (up, side) if word)
    return f"at the {words}" if words else "in the middle"


def _objects(image: burnt_snacks.BurntSnacks) -> tuple[Tensor, tuple[str, ...]]:
    """The player of each pixel ``(50, 50)``, the background last, and the players' names."""
    masks, names = [], []
    for kind, objects in (("dark square", image.dark), ("light square", image.light), ("triangle", image.triangles)):
        for number in objects.unique()[1:].tolist():
            masks.append(objects[0, 0] == number)
            names.append(f"{kind} {place(masks[-1])}")
    groups = torch.full(image.images.shape[-2:], len(masks))
    for player, mask in enumerate(masks):
        groups[mask] = player
    several, seen = Counter(names), Counter()
    for k, name in enumerate(names):
        if several[name] > 1:
            names[k] = f"{_ORDINALS[seen[name]]} {name}"
            seen[name] += 1
    return groups, (*names, "background")


def _explained(image: burnt_snacks.BurntSnacks) -> str:
    return burnt_snacks.CLASSES[int(image.labels[0])]


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
