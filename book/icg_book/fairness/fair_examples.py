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
from icg_book.fairness.players import KINDS, Objects, blocks, objects
from icg_book.kit import contenders
from icg_book.scenarios import burnt_snacks, drawn_digits, local_minimum, mnist

METHODS = ("zero IG", "EG", "AGN", "ICG", "block-wise")
EVALUATIONS = 64  # of the gradient, for each method; of the tiny network of Local Minimum, where paths jump, many more
MANY = 4096
DATA = 64  # pictures that Expected Gradients draw from
PERMUTATIONS = 128  # random orders at most, where there are more than 20 players
BLOCK = 4  # side of a player of a digit, in pixels
DIGITS = (2, 4, 5)  # numbers among the book's drawings
SNACKS, COMPONENTS, SMALL = "burnt-snacks", "local-minimum", "mnist-small"  # the networks
CALLED = {"dark": "dark square", "light": "light square", "triangle": "triangle"}
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


@dataclass(frozen=True)
class Example:
    """A picture of ``H`` x ``W`` and the division of a network's probability among its ``n`` players.

    Attributes:
        scenario, title: what it is. network: whose probability it is.
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
    network: str
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

    def attributed(method: str) -> Tensor:
        # Of a method that draws, the mean over copies of the inputs: quicker than as many draws one after the other.
        copies = 1 if method in ("zero IG", "ICG") else max(1, evaluations // EVALUATIONS)
        repeated = {"inputs": join(values), "target": target}
        repeated = {name: tensor.repeat_interleave(copies, 0) for name, tensor in repeated.items()}
        told = settings(method, evaluations // copies)
        options = {"settings": told, "output": "probability", "data": lambda: data, "generator": generator}
        maps, _ = contenders.attribute(method, model, **repeated, **options)
        return contenders.one_map(maps).unflatten(0, (len(values), copies)).mean(1)

    maps = {method: attributed(method) for method in METHODS}
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


def examples(result: dict | None = None) -> list[Example]:
    """All pictures of the explorable, in its order.

    Args:
        result: of ``python -m icg reproduce fairness``; Burnt Snacks comes from there. Without it they are computed,
            which takes some ten seconds of one core.
    """
    return [*(snacks() if result is None else measured_snacks(result)), paper_input(), *digits()]


def snacks(
    images: dict[str, burnt_snacks.BurntSnacks] | None = None, *, evaluations: int = EVALUATIONS
) -> list[Example]:
    """Burnt Snacks: each object is a player, and the background is one.

    Args:
        images: by title, one each; by default those that the book shows.
        evaluations: of the gradient, for each method; a square number.
    """
    images = burnt_snacks.examples() if images is None else images
    data = burnt_snacks.samples(DATA, (1, burnt_snacks.SIZE, burnt_snacks.SIZE), generator=_seeded(1))
    players = [objects(image) for image in images.values()]
    values, target = (torch.cat([getattr(i, what) for i in images.values()]) for what in ("images", "labels"))
    groups = torch.stack([groups for groups, _ in players])[:, None]
    found = divide(load_model(SNACKS), values, groups, target=target, data=data, evaluations=evaluations)
    return [
        Example(
            *("Burnt Snacks", title, SNACKS, image.images[0, 0], groups, in_words(image, own), "objects"),
            _explained(image),
            **divided,
        )
        for (title, image), (groups, own), divided in zip(images.items(), players, found, strict=True)
    ]


def measured_snacks(result: dict, *, each=(3, 2), least: int = 5, most: int = 9) -> list[Example]:
    """Burnt Snacks of a result: the first test images with so many players, ``each`` with and without dark squares."""
    model = load_model(SNACKS)
    found = []
    for target, wanted in zip((1, 0), each, strict=True):
        rows = [
            row
            for row in result["examples"]
            if (row["network"], row["output"], row["target"]) == (SNACKS, "probability", target)
            and least <= len(row["players"]) <= most
        ][:wanted]
        test = Objects(1 + max((row["number"] for row in rows), default=0), target).images
        for row in rows:
            image = test[row["number"] : row["number"] + 1]
            groups, players = objects(image)
            if players != row["players"]:
                raise ValueError(f"expected a result with the players {players}, got {row['players']}")
            names = in_words(image, players)
            nobody, everybody = (float(probabilities(model, image.images, c)[0, target]) for c in (0.0, 1.0))
            shares = {m: torch.tensor(row["shares"][m], dtype=torch.float64) for m in METHODS if m in row["shares"]}
            fair = torch.tensor(row["fair"], dtype=torch.float64)
            of = (image.images[0, 0], groups, names, "objects", _explained(image), nobody, everybody, fair, 0.0, shares)
            found.append(Example("Burnt Snacks", _title(names), SNACKS, *of, EVALUATIONS))
    if not found:
        raise ValueError(
            "expected a result with examples of Burnt Snacks, as `python -m icg reproduce fairness` writes it"
        )
    return found


def paper_input() -> Example:
    """The paper's input of Local Minimum, two rows of three components."""
    values, groups = local_minimum.PAPER_INPUT, torch.arange(local_minimum.SIZE)
    data, target = local_minimum.generate(MANY, generator=_seeded(1)).values, torch.tensor([1])
    (divided,) = divide(load_model(COMPONENTS), values, groups[None, None], target=target, data=data, evaluations=MANY)
    names = tuple(f"component {k + 1} ({value:g})" for k, value in enumerate(values.flatten().tolist()))
    of = (values.view(2, 3), groups.view(2, 3), names, "components", local_minimum.CLASSES[1])
    return Example("Local Minimum", "the paper’s input", COMPONENTS, *of, **divided)


def digits(numbers=DIGITS) -> list[Example]:
    """Digits that were drawn for the book, 49 blocks of 4 x 4 pixels, and the class that the network takes them for."""
    model, drawn = load_model(SMALL), drawn_digits.load()
    values, labels = drawn.images[list(numbers)], drawn.labels[list(numbers)].tolist()
    target = probabilities(model, values).argmax(1)
    groups = blocks(mnist.SIZE, mnist.SIZE, BLOCK)[0]
    side = mnist.SIZE // BLOCK
    names = tuple(f"block in row {k // side + 1}, column {k % side + 1}," for k in range(side**2))
    found = divide(model, values, groups.expand_as(values), target=target, data=drawn.images)
    return [
        Example("Drawn digits", f"a {label}", SMALL, image[0], groups, names, "blocks", str(explained), **divided)
        for label, image, explained, divided in zip(labels, values, target.tolist(), found, strict=True)
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


def in_words(image: burnt_snacks.BurntSnacks, players: list[dict]) -> tuple[str, ...]:
    """What the players of an image are called, each by another name."""
    masks = dict(zip(KINDS, (image.dark, image.light, image.triangles), strict=False))
    names = [
        f"{CALLED[player['kind']]} {place(masks[player['kind']][0, 0] == player['number'])}" for player in players[:-1]
    ]
    several, seen = Counter(names), Counter()
    for k, name in enumerate(names):
        if several[name] > 1:
            names[k] = f"{_ORDINALS[seen[name]]} {name}"
            seen[name] += 1
    return *names, "background"


def _title(names: tuple[str, ...]) -> str:
    """What there is, in a few words.

    >>> _title(("dark square at the top", "triangle at the left", "triangle in the middle", "background"))
    'one dark, two triangles'
    """
    counts = {kind: sum(called in name for name in names) for kind, called in CALLED.items()}
    words = {"dark": "dark", "light": "light", "triangle": "triangle"}
    return ", ".join(
        f"{_NUMBERS[n]} {word}{'s' if kind == 'triangle' and n > 1 else ''}"
        for kind, word in words.items()
        if (n := counts[kind])
    )


def _explained(image: burnt_snacks.BurntSnacks) -> str:
    return burnt_snacks.CLASSES[int(image.labels[0])]


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
