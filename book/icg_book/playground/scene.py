"""Pictures of Burnt Snacks from a list of objects, as the playground draws them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from icg.measures import dilate
from icg_book.scenarios.burnt_snacks import SIZE, bitmaps

MOST_OBJECTS = 6  # with the rest 7 players, 128 coalitions
LEVELS = {"square": (64, 254), "triangle": (64, 127)}  # greys of 255: triangles are as dark as dark squares
BORDER = 1  # of black around each object, in pixels


@dataclass(frozen=True)
class Thing:
    """A square or triangle: the ``size``-th of :func:`icg_book.scenarios.burnt_snacks.bitmaps`.

    Attributes:
        kind: "square" or "triangle".
        size: index among the shapes of its kind.
        top, left: its first lit row and column.
        level: its grey, of 255. A square below 127.5 is a dark one.
        turn: 0 to 7, how it is turned: 1 to mirror it at its diagonal, 2 top to bottom, 4 left to right, added up.
    """

    kind: str
    size: int
    top: int
    left: int
    level: int
    turn: int = 0

    def __post_init__(self):
        shapes = bitmaps(self.kind)  # refuses other kinds
        low, high = LEVELS[self.kind]
        for name, value, most in (("size", self.size, len(shapes) - 1), ("turn", self.turn, 7)):
            if not 0 <= value <= most:
                raise ValueError(f"expected a {name} of 0 to {most}, got {value}")
        if not low <= self.level <= high:
            raise ValueError(f"expected a level of {low} to {high} for a {self.kind}, got {self.level}")

    @property
    def bitmap(self) -> Tensor:
        """Its lit pixels ``(h, w)``, turned."""
        lit = bitmaps(self.kind)[self.size]
        lit = lit.T if self.turn & 1 else lit
        return lit.flip([d for d, bit in ((0, 2), (1, 4)) if self.turn & bit])

    @property
    def name(self) -> str:
        """What kind of thing it is."""
        return "triangle" if self.kind == "triangle" else f"{'dark' if self.level < 127.5 else 'light'} square"


def draw(things: list[Thing]) -> tuple[Tensor, Tensor]:
    """The picture ``(1, 1, 50, 50)`` in [0, 1], and the player of each pixel ``(1, 50, 50)``.

    Players are the objects with their black borders, in this order, and then all the rest; what two borders share is
    the first's.

    Raises:
        ValueError: more than :data:`MOST_OBJECTS`, or an object whose box with its border leaves the picture or has a
            lit pixel of an earlier one in it.
    """
    if len(things) > MOST_OBJECTS:
        raise ValueError(f"expected at most {MOST_OBJECTS} objects, got {len(things)}")
    image, numbers = torch.zeros(SIZE, SIZE), torch.zeros(SIZE, SIZE, dtype=torch.long)
    for k, thing in enumerate(things):
        lit = thing.bitmap
        (h, w), top, left = lit.shape, thing.top, thing.left
        box = numbers[max(top - BORDER, 0) : top + h + BORDER, max(left - BORDER, 0) : left + w + BORDER]
        if min(top, left) < BORDER or max(top + h, left + w) > SIZE - 1 - BORDER or (box > 0).any():
            raise ValueError(f"object {k}: expected a place of its own, border included, got {thing}")
        numbers[top : top + h, left : left + w][lit] = k + 1
        image[numbers == k + 1] = thing.level / 255
    groups = torch.where(numbers > 0, numbers - 1, len(things))
    for k in range(len(things)):
        near = dilate((numbers == k + 1)[None, None], BORDER)[0, 0]
        groups[near & (groups == len(things))] = k
    return image[None, None], groups[None]
