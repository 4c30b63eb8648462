"""Pictures that scikit-learn brings along: they stand in for data sets that are not part of the book.

Two photographs, of a tower by a lake and of a dahlia, and 1,797 handwritten digits of 8 x 8 pixels. All of them are
there as soon as the book is installed; no network is asked. They are not the data that the networks were trained on,
so a chapter that shows them says so, and what that changes.
"""

import torch
from torch import Tensor
from torch.nn import functional

from icg_book.kit.pictures import SIDE, resize
from icg_book.scenarios.mnist import SIZE, Digits

BOX = 20  # pixels of the square that MNIST's makers scaled a digit to
CENTRE = 14.5  # where MNIST has a digit's centre of mass
SMALLEST = 160  # pixels of a side of the smallest cut-out
# Squares of the photographs, by name: which photograph, top, left, side. The whole height, and a part of each.
SQUARES = {
    "a tower by a lake": (0, 0, 106, 427),
    "the same, further right": (0, 0, 213, 427),
    "a dahlia": (1, 0, 106, 427),
    "the same, closer": (1, 127, 170, 300),
}


def photographs() -> Tensor:
    """Both photographs of scikit-learn, ``(2, 427, 640, 3)`` uint8: "china.jpg" and "flower.jpg"."""
    from sklearn.datasets import load_sample_image

    return torch.stack([torch.tensor(load_sample_image(name)) for name in ("china.jpg", "flower.jpg")])


def middles() -> Tensor:
    """The middle squares of both, ``(2, 427, 427, 3)`` uint8."""
    found = photographs()
    side = min(found.shape[1:3])
    top, left = ((n - side) // 2 for n in found.shape[1:3])
    return found[:, top : top + side, left : left + side]


def squares() -> Tensor:
    """:data:`SQUARES` as photographs are stored, ``(4, 160, 160, 3)`` uint8."""
    found = photographs()
    cut = [found[which, None, top : top + side, left : left + side] for which, top, left, side in SQUARES.values()]
    small = torch.cat([resize(square, SIDE) for square in cut])
    return (255 * small).round().byte().permute(0, 2, 3, 1)


def cut_outs(n: int, size: int, *, generator: torch.Generator) -> Tensor:
    """Squares of both photographs in turn, ``(n, 3, size, size)`` in [0, 1]: at random places, of random sizes from a
    ninth of the photograph's area up, and half of them mirrored."""
    found, made = photographs(), []
    height, width = found.shape[1:3]
    for k in range(n):
        side, top, left, turn = torch.rand(4, generator=generator).tolist()
        side = SMALLEST + int(side * (height - SMALLEST + 1))
        top, left = int(top * (height - side + 1)), int(left * (width - side + 1))
        square = resize(found[k % 2, None, top : top + side, left : left + side], size)
        made.append(square.flip(-1) if turn < 0.5 else square)
    return torch.cat(made)


def digits() -> Digits:
    """scikit-learn's handwritten digits in MNIST's size, in the order in which they come: 1,797 of them.

    They are enlarged from 8 x 8 pixels to 20 x 20 and moved by whole pixels, so that their centre of mass is where
    MNIST has it. That makes them softer than MNIST's.
    """
    from sklearn.datasets import load_digits

    data = load_digits()
    small = torch.tensor(data.images, dtype=torch.float32)[:, None] / 16
    large = functional.interpolate(small, (BOX, BOX), mode="bicubic").clamp(0, 1)
    images, room = torch.zeros(len(large), 1, SIZE, SIZE), SIZE - BOX
    at = torch.arange(BOX) + 0.5
    mass = torch.stack([large.sum(3) @ at, large.sum(2) @ at], -1)[:, 0] / large.sum((1, 2, 3))[:, None]
    for image, digit, corner in zip(images, large, (CENTRE - mass).round().long().clamp(0, room), strict=True):
        top, left = corner.tolist()
        image[:, top : top + BOX, left : left + BOX] = digit
    return Digits(images, torch.tensor(data.target))
