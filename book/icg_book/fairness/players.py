"""Who shares: the inputs of each scenario, their players, and what the task itself says is fair.

Every class here has the same attributes, read or drawn at first use, once:

- ``values``: the inputs ``(N, C, ...)`` without certainty; ``target``: the class that is attributed, or None for the
  predicted one.
- ``groups``: the player of each position, ``(1, ...)`` for all or ``(N, 1, ...)``; ``most``: players, at most.
- ``task``: what the task says is fair, ``(N, most)`` float64 padded with NaN, or None where it says nothing.
- ``samples``, ``mean``: what EG draws from, ``(K, C, ...)``, and the mean of the training data ``(1, C, ...)``.
- ``numbers``: which inputs these are, and ``players(i)``, what the players of one are called, for a result.
"""

from functools import cached_property

import torch
from torch import Tensor

from icg.measures import dilate
from icg_book.kit.pictures import resize
from icg_book.scenarios import burnt_snacks, imagenette, local_minimum, mnist, mnist_in_space

SEED = 2022
KINDS = ("dark", "light", "triangle", "rest")  # of the players of Burnt Snacks


def blocks(height: int, width: int, side: int) -> Tensor:
    """Players that are blocks of ``side`` x ``side`` positions, row by row: ``(1, height, width)``.

    Raises:
        ValueError: blocks that don't fill the picture.

    >>> blocks(2, 4, 2)
    tensor([[[0, 0, 1, 1],
             [0, 0, 1, 1]]])
    """
    if height % side or width % side:
        raise ValueError(f"expected blocks that fill {height} x {width} positions, got a side of {side}")
    rows, columns = torch.arange(height) // side, torch.arange(width) // side
    return (rows[:, None] * (width // side) + columns)[None]


def with_borders(groups: Tensor, rest: int) -> Tensor:
    """Players ``(..., H, W)`` of one image, each grown by a pixel into ``rest``; what two borders share is the first's.

    >>> with_borders(torch.tensor([[2, 2, 2, 2, 2], [2, 0, 2, 1, 2]]), 2)
    tensor([[0, 0, 0, 1, 1],
            [0, 0, 0, 1, 1]])
    """
    grown = groups.clone()
    for player in range(rest):
        near = dilate((groups == player).view(1, 1, *groups.shape[-2:])).view(groups.shape)
        grown[near & (grown == rest)] = player
    return grown


def objects(image: burnt_snacks.BurntSnacks) -> tuple[Tensor, list[dict]]:
    """The player of each pixel ``(50, 50)`` of an image, objects with their borders; and who they are, the rest last.

    >>> objects(burnt_snacks.examples()["one dark, one light"])[1][-1]
    {'kind': 'rest', 'number': 0}
    """
    groups, found = torch.full_like(image.dark[0, 0], -1, dtype=torch.int64), []
    for kind, masks in zip(KINDS, (image.dark, image.light, image.triangles), strict=False):
        for number in masks[masks > 0].unique().tolist():
            groups[masks[0, 0] == number] = len(found)
            found.append({"kind": kind, "number": number})
    rest = len(found)
    return with_borders(groups.where(groups >= 0, rest), rest), [*found, {"kind": KINDS[-1], "number": 0}]


class Inputs:
    """What most of them have alike: they are numbered from 0, and the mean is that of what EG draws from."""

    @property
    def mean(self) -> Tensor:
        return self.samples.mean(0, keepdim=True)

    @property
    def numbers(self) -> list[int]:
        return list(range(self.n))


class Components(Inputs):
    """Random inputs of Local Minimum; each component is a player."""

    seed, target, most = 50_230, 1, local_minimum.SIZE
    groups = torch.arange(local_minimum.SIZE)[None]

    def __init__(self, n: int, device="cpu"):
        self.n, self.device = n, device

    @cached_property
    def values(self) -> Tensor:
        return local_minimum.generate(self.n, generator=torch.Generator().manual_seed(self.seed)).values.to(self.device)

    @cached_property
    def task(self) -> Tensor:
        return local_minimum.ideal_shap(self.values)[:, 0].cpu()

    @cached_property
    def samples(self) -> Tensor:
        return local_minimum.generate(10_000, generator=torch.Generator().manual_seed(SEED)).values.to(self.device)

    def players(self, i: int) -> list[dict]:
        return [{"kind": "component", "number": k} for k in range(self.most)]


class Objects(Inputs):
    """Test images of a class of Burnt Snacks; each object is a player, and so is all the rest.

    An object comes with its black border, one pixel wide: without it a network can't tell where the object ends, and so
    not a triangle from a corner of a square.
    """

    seed, data, border = 20_220, 2000, 1

    def __init__(self, n: int, label: int, device="cpu"):
        self.n, self.target, self.device = n, label, device

    @cached_property
    def images(self) -> burnt_snacks.BurntSnacks:
        return burnt_snacks.test_images(self.n, self.target, self.seed)

    @property
    def values(self) -> Tensor:
        return self.images.images.to(self.device)

    @cached_property
    def named(self) -> tuple[Tensor, list[list[dict]]]:
        groups, names = zip(*(objects(self.images[i : i + 1]) for i in range(self.n)), strict=True)
        return torch.stack(groups)[:, None], list(names)

    @property
    def groups(self) -> Tensor:
        return self.named[0]

    @property
    def most(self) -> int:
        return max(map(len, self.named[1]))

    @cached_property
    def task(self) -> Tensor | None:
        """The Shapley values of "is any dark square there?": shared equally by the dark squares."""
        if self.target == 0:
            return None
        fair = torch.full((self.n, self.most), torch.nan, dtype=torch.float64)
        for i, names in enumerate(self.named[1]):
            dark = torch.tensor([player["kind"] == "dark" for player in names])
            fair[i, : len(names)] = dark.double() / dark.sum()
        return fair

    @cached_property
    def samples(self) -> Tensor:
        data = burnt_snacks.generate(self.data, generator=torch.Generator().manual_seed(self.seed))
        return data.images.to(self.device)

    def players(self, i: int) -> list[dict]:
        return self.named[1][i]


class Blocks(Inputs):
    """Inputs whose players are blocks of pixels, the same for all; ``shape`` is (height, width) in pixels."""

    target = task = None
    shape: tuple[int, int]
    side: int

    @property
    def groups(self) -> Tensor:
        return blocks(*self.shape, self.side)

    @property
    def most(self) -> int:
        return int(self.groups.max()) + 1

    def players(self, i: int) -> list[dict]:
        return [{"kind": "block", "number": k} for k in range(self.most)]


class Digits(Blocks):
    """Test digits of MNIST in a random order; players are blocks of 4 x 4 pixels."""

    shape, side = (mnist.SIZE, mnist.SIZE), 4

    def __init__(self, n: int, device="cpu"):
        self.n, self.device = n, device

    @property
    def numbers(self) -> list[int]:
        return mnist.shuffled(len(mnist.load("test")), SEED)[: self.n].tolist()

    @cached_property
    def values(self) -> Tensor:
        return mnist.load("test").images[self.numbers].to(self.device)

    @cached_property
    def samples(self) -> Tensor:
        return mnist.load("train").images.to(self.device)


class DigitsInSpace(Digits):
    """The same on the right of a wider canvas; the training data are on the left."""

    shape, data = (mnist_in_space.HEIGHT, mnist_in_space.WIDTH), 10_000

    @cached_property
    def values(self) -> Tensor:
        images = mnist.load("test").images[self.numbers]
        return mnist_in_space.scatter(images, "right", generator=torch.Generator().manual_seed(SEED)).to(self.device)

    @cached_property
    def samples(self) -> Tensor:
        data = mnist.load("train")
        some = data.images[mnist.shuffled(len(data), SEED)[: self.data]]
        return mnist_in_space.scatter(some, "left", generator=torch.Generator().manual_seed(SEED)).to(self.device)


class Photographs(Blocks):
    """Validation photographs in a random order, at a network's size; players are the blocks of an 8 x 8 grid."""

    data = 500

    def __init__(self, n: int, size: int, device="cpu"):
        self.n, self.size, self.shape, self.side, self.device = n, size, (size, size), size // 8, device

    @property
    def numbers(self) -> list[int]:
        return self._order("val")[: self.n].tolist()

    @cached_property
    def values(self) -> Tensor:
        return self._some("val", self._order("val")[: self.n])

    @cached_property
    def samples(self) -> Tensor:
        return self._some("train", self._order("train")[: self.data])

    @cached_property
    def mean(self) -> Tensor:
        images = imagenette.photographs("train", progress=False).images
        total = sum(part.double().sum(0, keepdim=True) for part in images.split(500))
        return resize((total / len(images)).to(self.device), self.size).float()

    def _order(self, split: str) -> Tensor:
        n = len(imagenette.photographs(split, progress=False))
        return torch.randperm(n, generator=torch.Generator().manual_seed(SEED))

    def _some(self, split: str, numbers: Tensor) -> Tensor:
        images = imagenette.photographs(split, progress=False).images[numbers]
        return resize(images.to(self.device), self.size)
