"""Made-up pictures for tests of "fair shares": no network is asked."""

from dataclasses import replace

import torch

from icg_book.fairness.fair_examples import Example


def objects(title="made up") -> Example:
    """A square, a cross of four pixels and the background, on 12 x 10 pixels."""
    image, groups = torch.full((12, 10), 0.1), torch.full((12, 10), 2)
    groups[1:5, 1:5], groups[8, 6:10] = 0, 1
    image[groups == 0], image[groups == 1] = 0.4, 0.9
    return Example(
        *("Burnt Snacks", title, "burnt-snacks", image, groups),
        *(("dark square at the top left", "light square at the bottom right", "background"), "objects", "dark square"),
        *(0.5, 0.98, torch.tensor([0.7, -0.02, -0.2], dtype=torch.float64), 0.0),
        {
            "zero IG": torch.tensor([0.1, 0.85, 0.0], dtype=torch.float64),
            "EG": torch.tensor([0.2, 0.2, 0.2], dtype=torch.float64),
            "ICG": torch.tensor([0.5, -0.04, 0.01], dtype=torch.float64),
        },
        64,
    )


def components() -> Example:
    """Two components, without EG."""
    values = torch.tensor([[0.25, 0.8]])
    fair = torch.tensor([-0.3, 0.4], dtype=torch.float64)
    shares = {"zero IG": torch.tensor([0.0, 2.5], dtype=torch.float64), "ICG": fair + 0.05}
    of = (("component 1 (0.25)", "component 2 (0.8)"), "components", "score above 0", 0.5, 0.6, fair, 0.0, shares, 1024)
    return Example("Local Minimum", "two of them", "local-minimum", values, torch.tensor([[0, 1]]), *of)


def blocks(n: int = 49) -> Example:
    """Many players, whose shares are estimated."""
    side = int(n**0.5)
    fair = torch.linspace(-0.1, 0.2, n, dtype=torch.float64).roll(5)
    names = tuple(f"block in row {k // side + 1}, column {k % side + 1}," for k in range(n))
    example = replace(
        objects(), scenario="Drawn digits", title="a 2", names=names, kind="blocks", fair=fair, error=0.012
    )
    groups = torch.arange(n).view(side, side).repeat_interleave(2, 0).repeat_interleave(2, 1)
    image = torch.linspace(0, 1, groups.numel()).view_as(groups)
    return replace(example, image=image, groups=groups, shares={"zero IG": -fair, "ICG": fair.roll(1)})
