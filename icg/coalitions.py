"""Shapley values of a game: the one engine for everything that works on coalitions.

A *game* is a function of coalitions: boolean masks ``(M, n)`` in, the value of each coalition ``(M,)`` out. The
Shapley value of a player is what it adds when it joins, averaged over all orders of joining (paper, section A.1.1).
Exact values come from a table of all coalitions, without building an order; random orders give estimates for many.
Models as games are in :mod:`icg.shapley`.
"""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from tqdm.auto import tqdm

from .arguments import check_positive, generator_or_new

MOST_PLAYERS = 20  # for exact values: a table of a million coalitions


def coalitions(n: int) -> Tensor:
    """All coalitions of ``n`` players, ``(2**n, n)`` bool: player i is in coalition k iff bit i of k is set.

    >>> coalitions(2).int()
    tensor([[0, 0],
            [1, 0],
            [0, 1],
            [1, 1]], dtype=torch.int32)
    """
    n = check_players(n)
    return (torch.arange(2**n, device="cpu")[:, None] >> torch.arange(n, device="cpu") & 1).bool()


def shapley_from_table(table: Tensor) -> Tensor:
    """Shapley values ``(n, ...)`` from the values ``(2**n, ...)`` of all :func:`coalitions`, in their order.

    That is, summed over all sets S without the player, v(S with it) - v(S) times s! (n - s - 1)! / n!, s the size of S.

    >>> shapley_from_table(torch.tensor([0.0, 1.0, 2.0, 5.0]))  # together 2 more than apart: shared equally
    tensor([2., 3.], dtype=torch.float64)
    """
    n = len(table).bit_length() - 1
    if n < 1 or len(table) != 2**n:
        raise ValueError(f"expected a table of 2**n values with n >= 1, got {len(table)}")
    table = table.double()
    size = coalitions(n)[: 2 ** (n - 1)].sum(1)  # of the subsets of n - 1 players, in binary order
    weight = torch.tensor([1 / (n * math.comb(n - 1, s)) for s in range(n)], dtype=torch.float64, device="cpu")
    weight = weight[size].to(table.device)
    values = []
    for player in range(n):
        pairs = table.reshape(-1, 2, 2**player, math.prod(table.shape[1:]))  # dim 1: without and with the player
        values.append(weight @ (pairs[:, 1] - pairs[:, 0]).reshape(len(weight), -1))
    return torch.stack(values).reshape(n, *table.shape[1:])


def shapley_values(value: Callable[[Tensor], Tensor], n: int, *, batch_size: int | None = None, progress: bool = False):
    """Exact Shapley values of any game, by its 2**n coalitions.

    Args:
        value: masks ``(M, n)`` bool to values ``(M,)``, or ``(M, ...)`` for several games at once.
        n: number of players, 1 to 20. batch_size: masks in one call. progress: show a bar.

    Returns:
        ``(n,)`` or ``(n, ...)`` float64; the sum over players is v(all) - v(nobody).

    Raises:
        ValueError: another number of players; values of another shape, or not finite. The empty and the full
            coalition are asked first, so that mistakes show at once.

    >>> def gloves(masks):  # player 0 has a left glove, 1 and 2 a right one; only a pair is worth something
    ...     return masks[:, 0] & (masks[:, 1] | masks[:, 2])
    >>> shapley_values(gloves, 3)
    tensor([0.6667, 0.1667, 0.1667], dtype=torch.float64)
    """
    masks = coalitions(n)
    n = masks.shape[1]
    with _bar(2**n, progress) as bar:
        ask = partial(_ask, value, batch_size=_batch_size(batch_size), bar=bar)
        ends = ask(masks[[0, -1]].__getitem__, 2)
        inner = ask(masks[1:-1].__getitem__, 2**n - 2, like=ends)
    return shapley_from_table(torch.cat([ends[:1], inner, ends[1:]]))


def shapley_sampling(
    value: Callable[[Tensor], Tensor],
    n: int,
    *,
    n_permutations: int = 200,
    antithetic: bool = True,
    generator: torch.Generator | None = None,
    batch_size: int | None = None,
    progress: bool = False,
) -> tuple[Tensor, Tensor]:
    """Shapley values estimated from random orders of joining: for many players (Castro et al., 2009).

    Args:
        value, n: as for :func:`shapley_values`, but any n >= 1. n_permutations: number of orders, n - 1 values each.
        antithetic: follow every order by its reverse, so that who came early then comes late and errors tend to cancel;
            they do exactly where players interact in pairs only (Mitchell et al., 2022).
        generator: source of the orders, as for all methods. batch_size changes speed and memory, never the result.

    Returns:
        Estimates ``(n,)`` and their standard errors ``(n,)``, or ``(n, ...)`` each, float64. Estimates are unbiased and
        sum to v(all) - v(nobody); the errors are from the spread between orders, or between pairs of orders.

    >>> values, error = shapley_sampling(lambda masks: masks.sum(1) ** 2, 50, n_permutations=40)
    >>> bool((values - 50).abs().max() < 1e-9), bool(error.max() < 1e-9)
    (True, True)
    """
    n, n_permutations = check_positive("n", n), check_positive("n_permutations", n_permutations)
    each = 2 if antithetic else 1
    if n_permutations % each or n_permutations < 2 * each:
        raise ValueError(
            f"expected n_permutations {'even and >= 4, for antithetic pairs' if antithetic else '>= 2'}, "
            f"got {n_permutations}"
        )
    generator, batch_size, total = generator_or_new(generator), _batch_size(batch_size), n_permutations // each
    count, mean, squares = 0, 0.0, 0.0
    with _bar(2 + n_permutations * (n - 1), progress) as bar:
        ask = partial(_ask, value, batch_size=batch_size, bar=bar)
        ends = ask(torch.tensor([[False] * n, [True] * n], device="cpu").__getitem__, 2)
        while count < total:
            new = min(max(1, batch_size // (each * n)), total - count)
            orders = [torch.randperm(n, generator=generator, device=generator.device).cpu() for _ in range(new)]
            place = torch.stack(orders)  # of each player in each order, from 0
            place = torch.stack([place, n - 1 - place][:each], 1).flatten(0, 1)
            gains = _gains(ask, place, ends).unflatten(0, (new, each)).mean(1)
            # Mean and sum of squared deviations of the old and the new ones together (Chan et al., 1983).
            step, share = gains.mean(0) - mean, new / (count + new)
            squares = squares + (gains - gains.mean(0)).square().sum(0) + step.square() * (count * share)
            count, mean = count + new, mean + step * share
    return mean, (squares / (count - 1) / count).sqrt()


def _gains(ask, place: Tensor, ends: Tensor) -> Tensor:
    """What each player adds when it joins, ``(orders, n, ...)``, given everybody's place in each order."""
    orders, n = place.shape
    inner = ask(lambda k: place[k // (n - 1)] <= k[:, None] % (n - 1), orders * (n - 1), like=ends)
    start, end = (v.expand(orders, 1, *v.shape) for v in ends)
    chain = torch.cat([start, inner.reshape(orders, n - 1, *ends.shape[1:]), end], 1)
    return chain.diff(dim=1)[torch.arange(orders, device="cpu")[:, None], place]


def _ask(value, masks: Callable[[Tensor], Tensor], count: int, *, batch_size: int, bar, like: Tensor | None = None):
    """Values ``(count, ...)`` of the coalitions ``masks(numbers)``, in batches, checked, in float64 on the CPU."""
    parts = []
    for numbers in torch.arange(count, device="cpu").split(batch_size) if count else ():
        values = value(masks(numbers))
        if not isinstance(values, Tensor):
            raise ValueError(f"expected the value function to return a tensor, got {type(values).__name__}")
        if values.ndim < 1 or len(values) != len(numbers) or (like is not None and values.shape[1:] != like.shape[1:]):
            raise ValueError(
                f"expected the value function to return one value per coalition, {(len(numbers),)} or "
                f"{(len(numbers), 'games')} for these masks, got {tuple(values.shape)}"
            )
        values = values.detach().double().cpu()
        if not bool(values.isfinite().all()):
            raise ValueError("expected finite values of coalitions, got NaN or infinity")
        parts.append(values)
        bar.update(len(numbers))
    return torch.cat(parts) if parts else like[:0]


def _bar(total: int, progress: bool):
    return tqdm(total=total, unit="coalition", leave=False, mininterval=0.5, disable=not progress)


def _batch_size(batch_size: int | None) -> int:
    return 2**12 if batch_size is None else check_positive("batch_size", batch_size)


def check_players(n) -> int:
    n = check_positive("the number of players", n)
    if n > MOST_PLAYERS:
        raise ValueError(
            f"expected at most {MOST_PLAYERS} players for exact Shapley values (2**n coalitions), got {n}: "
            "join features in groups, or estimate with shapley_sampling"
        )
    return n
