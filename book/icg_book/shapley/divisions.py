"""Ways to share out what a group achieved, and which of Shapley's four rules each of them keeps.

A division maps games of three players, as tables of their values ``(..., 8)`` in the order of
:func:`icg.shapley.coalitions`, to what the players get, ``(..., 3)``.
"""

from collections.abc import Callable, Iterable
from fractions import Fraction

import torch
from torch import Tensor

from icg.shapley import coalitions, shapley_from_table

Division = Callable[[Tensor], Tensor]


def as_fractions(values: Iterable[float]) -> list[str]:
    """Numbers as fractions, for games whose values are whole.

    >>> as_fractions([1 / 6, 2 / 3, 2])
    ['1/6', '2/3', '2']
    """
    return [str(Fraction(float(v)).limit_denominator(5000)) for v in values]


def _gains(values: Tensor, player: int) -> Tensor:
    """What a player adds to each coalition of the two others; ``(..., 8)`` to ``(..., 4)``."""
    with_player = coalitions(3)[:, player]
    return values[..., with_player] - values[..., ~with_player]


def leave_one_out(values: Tensor) -> Tensor:
    """What is lost when one player leaves everybody."""
    return torch.stack([_gains(values, p)[..., -1] for p in range(3)], -1)


def one_ordering(values: Tensor) -> Tensor:
    """What players add in the order 0, 1, 2."""
    return values[..., [1, 3, 7]] - values[..., [0, 1, 3]]


def equal_shares(values: Tensor) -> Tensor:
    """The same for everybody."""
    return ((values[..., 7:] - values[..., :1]) / 3).expand(*values.shape[:-1], 3)


def equal_if_active(values: Tensor) -> Tensor:
    """The same for everybody who ever adds something."""
    sizes = torch.stack([_gains(values, p).abs().amax(-1) for p in range(3)], -1)
    active = (sizes > 1e-9).double()
    total = values[..., 7:] - values[..., :1]
    return active * total / active.sum(-1, keepdim=True).clamp(min=1)


def shapley(values: Tensor) -> Tensor:
    """Shapley values, by the library."""
    return shapley_from_table(values.movedim(-1, 0)).movedim(0, -1)


DIVISIONS: dict[str, Division] = {
    "leave one out": leave_one_out,
    "one ordering": one_ordering,
    "equal shares": equal_shares,
    "equal, if active": equal_if_active,
    "Shapley": shapley,
}


def rules_kept(division: Division, n_games: int = 300, seed: int = 1) -> dict[str, bool]:
    """Which rules a division keeps on random games; a False is a counterexample that was found.

    Args:
        division: maps values ``(..., 8)`` to shares ``(..., 3)``.
        n_games: so many pairs of games, some with a null player and some with two players that are alike.
    """
    generator = torch.Generator().manual_seed(seed)
    v1, v2 = torch.randn(2, n_games, 8, generator=generator, dtype=torch.float64)
    without_0 = v1[:, [0, 0, 2, 2, 4, 4, 6, 6]]  # player 0 changes nothing
    without_2 = v2[:, [0, 1, 2, 3, 0, 1, 2, 3]]  # player 2 changes nothing
    alike = division(v1[:, [0, 1, 1, 3, 4, 5, 5, 7]])  # players 0 and 1 can be swapped
    sums = [division(a + b) - division(a) - division(b) for a, b in ((v1, v2), (without_0, without_2))]
    misses = {
        "efficiency": division(v1).sum(-1) - (v1[:, 7] - v1[:, 0]),
        "symmetry": alike[:, 0] - alike[:, 1],
        "null player": division(without_0)[:, 0],
        "linearity": torch.stack([*sums, division(-3 * v1) + 3 * division(v1)]),
    }
    return {rule: miss.abs().max().item() < 1e-9 for rule, miss in misses.items()}
