"""The digits that the chapter shows: MNIST's, or what stands in for them where the data set can't be had.

The cold open's pair is made here, too: a 4, and the 9 that one stroke of a pen turns it into.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from icg.measures import probabilities
from icg_book.kit.lab import is_live
from icg_book.scenarios import drawn_digits, mnist, stand_ins
from icg_book.scenarios.mnist import SIZE, Digits

TRAINING = 1024  # digits that Expected Gradients draw from
FOUR, FIVE = 4, 15  # numbers of a 4 and a 5 in the test set
DRAWN_FIVE = 5  # and of a 5 among the drawings, which have no 4 that is wide open:
ARM = ((9, 5), (7.6, 10), (8, 14), (12, 14.6), (17.6, 13.6))
STEM = ((19, 5), (18, 12), (16.6, 24))


@dataclass(frozen=True)
class Collection:
    """What the figures of the chapter show.

    Attributes:
        digits: the official test set, or the book's drawings.
        training: ``(1024, 1, 28, 28)``, training digits at random, or of scikit-learn's.
        n_training: how many of those there are.
        four, five: ``(1, 1, 28, 28)``, a 4 that is open at the top, and a 5.
        source: where ``digits`` are from, in words.
        missing: why the data set is not here; None if it is.
    """

    digits: Digits
    training: Tensor
    n_training: int
    four: Tensor
    five: Tensor
    source: str
    missing: str | None


def load(*, download: bool | None = None) -> Collection:
    """MNIST, found where ``ICG_DATA`` says or fetched (12 MB); where neither works, digits that need no network: drawn
    for this book where one is explained, scikit-learn's where an explanation is compared with many.

    Args:
        download: False never asks the network; by default a reader's kernel does, and `make book` has done it before.
    """
    download = is_live() if download is None else download
    try:
        train, test = (mnist.load(split, download=download) for split in ("train", "test"))
    except ValueError as error:
        drawn = drawn_digits.load()
        four = drawn_digits.rasterise([ARM, STEM])[None]
        five = drawn.images[DRAWN_FIVE : DRAWN_FIVE + 1]
        others = stand_ins.digits()
        return Collection(drawn, _some(others), len(others), four, five, "drawn for this book", str(error))
    four, five = (test.images[k : k + 1] for k in (FOUR, FIVE))
    return Collection(test, _some(train), len(train), four, five, "MNIST, test set", None)


def _some(data: Digits) -> Tensor:
    return data.images[mnist.shuffled(len(data), 0)[:TRAINING]]


def stroke(y0: float, x0: float, y1: float, x1: float) -> Tensor:
    """A straight stroke with the width and the soft edge of MNIST's pens, ``(28, 28)`` in [0, 1].

    >>> ink = stroke(14, 4, 14, 24)
    >>> ink[14, 14].item(), ink[20, 14].item()
    (1.0, 0.0)
    """
    rows, columns = torch.meshgrid(torch.arange(float(SIZE)), torch.arange(float(SIZE)), indexing="ij")
    along_y, along_x = y1 - y0, x1 - x0
    part = (rows - y0) * along_y + (columns - x0) * along_x
    part = (part / (along_y**2 + along_x**2)).clamp(0, 1)
    away = torch.hypot(rows - y0 - part * along_y, columns - x0 - part * along_x)
    return (1.7 - away).clamp(0, 1)


def close_the_gap(model, four: Tensor) -> Tensor:
    """The 4 ``(1, 1, 28, 28)`` with one stroke across its top: of 384 tried, the one that looks most like a 9.

    Args:
        model: certainty-aware, logits ``(N, 10)`` of joined ``(N, 2, 28, 28)``.
    """
    tried = [
        stroke(y, x, y + rise, x + width)
        for y in range(4, 12)
        for x in range(8, 16, 2)
        for rise in (-2, 0, 2)
        for width in (4, 6, 8, 10)
    ]
    closed = torch.maximum(four, torch.stack(tried)[:, None])  # (384, 1, 28, 28)
    best = probabilities(model, closed)[:, 9].argmax()
    return closed[best : best + 1]
