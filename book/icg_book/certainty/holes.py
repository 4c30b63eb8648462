"""Pictures of which only a part is known: which pixels, and what may be put in place of the others."""

import torch
from torch import Tensor

from icg_book.scenarios.glyphs import SIZE, Glyphs, generate

FILLS = ("black", "white, as the ground", "middle grey", "noise", "another picture")


def tear(pictures: Glyphs, torn: int, columns: int) -> tuple[Tensor, Tensor]:
    """Tear one picture, so that ``columns`` of it are left, and fill the rest in the ways of :data:`FILLS`.

    Returns:
        which pixels are known, bool ``(1, 1, 16, 16)``, and the picture in each filling, ``(5, 1, 16, 16)``.
    """
    picture = pictures.images[torn : torn + 1]
    known = torch.zeros(1, 1, SIZE, SIZE, dtype=torch.bool)
    known[..., :columns] = True
    fills = (
        torch.zeros_like(picture),
        torch.ones_like(picture),
        torch.full_like(picture, 0.5),
        torch.rand(picture.shape, generator=torch.Generator().manual_seed(1)),
        pictures.images[5:6],
    )
    return known, torch.where(known, picture, torch.cat(fills))


def pool() -> Glyphs:
    """60,000 drawn signs without noise, among which one can count those that agree with what is known."""
    parts = [generate(20_000, noise=0.0, generator=torch.Generator().manual_seed(seed)) for seed in (100, 101, 102)]
    fields = ("images", "labels", "ink", "ink_grey", "ground_grey")
    return Glyphs(*(torch.cat([getattr(part, field) for part in parts]) for field in fields))


def scattered(n: int, k: int, generator: torch.Generator) -> Tensor:
    """``k`` random pixels of each of ``n`` pictures, bool ``(n, 1, 16, 16)``."""
    dice = torch.rand(n, SIZE**2, generator=generator)
    return (dice.argsort(1).argsort(1) < k).view(n, 1, SIZE, SIZE)


def windows(n: int, generator: torch.Generator) -> Tensor:
    """A random window of 5 to 12 pixels in height and width in each of ``n`` pictures, bool ``(n, 1, 16, 16)``."""
    size = torch.randint(5, 13, (n, 2), generator=generator)  # height and width
    start = (torch.rand(n, 2, generator=generator) * (SIZE + 1 - size)).long()
    at = torch.arange(SIZE)
    inside = (at >= start[..., None]) & (at < (start + size)[..., None])
    return (inside[:, 0, :, None] & inside[:, 1, None, :])[:, None]


def rows(like: Tensor, first: int, last: int) -> Tensor:
    """The band of rows ``first`` to ``last - 1``, bool like ``like`` ``(N, C, H, W)``."""
    band = torch.zeros_like(like, dtype=torch.bool)
    band[..., first:last, :] = True
    return band
