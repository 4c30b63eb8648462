"""How far is an attribution from a fair division?

A *fair division* pays every player its Shapley value in a game. Which game, has to be said: that of the network itself
(:func:`icg.shapley.certainty_game`), or the one whose idea of absence a path method shares: from its baseline
(:func:`icg.shapley.baseline_game`) or its data (:func:`icg.shapley.distribution_game`). How far a path is from *its
own* game is attribution transfer, measured (paper, section 3).

Measures take what each player gets, ``shares`` and ``fair``, ``(N, n)`` each, and return one number per input, ``(N,)``
float64. An input with fewer players has NaN in the place of the others, in both.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from .arguments import check_number, check_positive, check_tensor, check_whole, generator_or_new, options_of
from .coalitions import MOST_PLAYERS, shapley_sampling, shapley_values
from .shapley import Game

FIRST = 32  # random orders before the first look at the error


@dataclass(frozen=True)
class Division:
    """Shapley values of a game.

    Attributes:
        shares: ``(N, n)`` float64, of each of ``n`` players in each of ``N`` inputs; a row sums to v(all) - v(nobody).
        error: ``(N, n)``, their standard errors; 0 where they are exact.
        n_permutations: random orders that they are estimated from; 0 where they are exact.
    """

    shares: Tensor
    error: Tensor
    n_permutations: int = 0


def shapley_until(
    value,
    n: int,
    *,
    largest_error: float = 0.02,
    most_permutations: int = 4096,
    generator: torch.Generator | None = None,
    first: int = FIRST,
    batch_size: int | None = None,
    progress: bool = False,
) -> tuple[Tensor, Tensor, int]:
    """Shapley values of any value function, also of several games with the same coalitions.

    Args:
        value: masks ``(M, n)`` to ``(M, games)``. first: random orders before the first look.
        largest_error: as a share of the whole, |v(all) - v(nobody)|. With more than 20 players antithetic random orders
            are added, 32 and then always as many again, until no standard error is above it.
        most_permutations: where that ends in any case (as where the whole is 0); look at the errors.
        batch_size: coalitions in one call. progress: show bars.

    Returns:
        Shares and standard errors, ``(n, games)`` each, and the number of orders; zeros if the shares are exact.

    Raises:
        ValueError: ``largest_error`` not above 0, ``most_permutations`` < 4.
    """
    largest_error, generator = check_number("largest_error", largest_error, "> 0"), generator_or_new(generator)
    n, first = check_positive("n", n), check_positive("first", first)
    most_permutations = check_positive("most_permutations", most_permutations, 4)
    options = {"batch_size": batch_size, "progress": progress}
    if n <= MOST_PLAYERS:
        shares = shapley_values(value, n, **options)
        return shares, torch.zeros_like(shares), 0
    count, mean, spread = 0, 0.0, 0.0
    while True:
        new = min(max(count, first), most_permutations - count) // 2 * 2
        shares, error = shapley_sampling(value, n, n_permutations=new, generator=generator, **options)
        mean, spread = mean + new * shares, spread + (new * error).square()
        count += new
        shares, error = mean / count, spread.sqrt() / count
        good = error.amax(0) <= largest_error * shares.sum(0).abs()
        if bool(good.all()) or count + 4 > most_permutations:
            return shares, error, count


@options_of(shapley_until)
def fair_division(game: Game, **options) -> Division:
    """What is fair in a game: exact up to 20 players, else estimated until it is good enough.

    Args:
        game: of :func:`icg.shapley.certainty_game` or its sisters, of one target.
        options: those of :func:`shapley_until`: ``largest_error``, ``most_permutations`` ...

    Raises:
        ValueError: no game, or one of several targets; and what :func:`shapley_until` refuses.

    >>> from icg.shapley import certainty_game
    >>> known = lambda x: (x[:, 0] * x[:, 1]).sum(1)  # the sum of the values that are known
    >>> fair_division(certainty_game(known, torch.tensor([[[1.0, 2.0, 4.0]]]))).shares
    tensor([[1., 2., 4.]], dtype=torch.float64)
    """
    if not isinstance(game, Game):
        raise ValueError(f"expected a game, as icg.shapley.certainty_game makes it, got {type(game).__name__}")
    if isinstance(game.objective.target, str):
        raise ValueError('expected a game of one target, got target "all"')
    shares, error, count = shapley_until(lambda masks: game(masks).view(len(masks), -1), game.n, **options)
    return Division(shares.T, error.T, count)


def by_player(attributions: Tensor, groups: Tensor) -> Tensor:
    """What each player gets: the sum of a map over its positions, ``(N, n)`` float64.

    Args:
        attributions: maps ``(N, C, ...)``; channels are added up.
        groups: the player of each position, ``(1, ...)`` for all inputs or ``(N, 1, ...)``; -1 for none.

    Raises:
        ValueError: maps that are not finite; groups of another shape, or not whole numbers.

    >>> by_player(torch.tensor([[[1.0, 2.0, 4.0]]]), torch.tensor([[0, 0, 1]]))
    tensor([[3., 4.]], dtype=torch.float64)
    """
    check_tensor("attributions", attributions)
    value = attributions.detach().double().sum(1, keepdim=True)
    check_whole("groups", groups, tuple(value.shape[1:]), tuple(value.shape))
    groups = groups.to(value.device).long().expand_as(value).flatten(1) + 1  # the first column is nobody's
    n = int(groups.max())
    if n < 1 or int(groups.min()) < 0:
        raise ValueError("expected players numbered from 0, and -1 for none")
    shares = torch.zeros(len(value), n + 1, dtype=torch.float64, device=value.device)
    shares.scatter_add_(1, groups, value.flatten(1))
    members = torch.zeros_like(shares).scatter_add_(1, groups, torch.ones_like(value.flatten(1)))
    return torch.where(members > 0, shares, torch.nan)[:, 1:]


def distance(shares: Tensor, fair: Tensor) -> Tensor:
    """Sum of absolute differences over that of absolute fair shares: 0 is fair, zeros have 1; NaN if nothing is due.

    >>> distance(torch.tensor([[0.5, 0.5]]), torch.tensor([[1.0, 0.0]]))
    tensor([1.], dtype=torch.float64)
    """
    shares, fair = _checked(shares, fair)
    due = fair.abs().nansum(1)
    return (shares - fair).abs().nansum(1) / due.masked_fill(due == 0, torch.nan)


def correlation(shares: Tensor, fair: Tensor) -> Tensor:
    """Pearson's correlation over players, in [-1, 1]: shares in the right proportion have 1, whatever they sum to.

    NaN where one of the two is the same for all players.
    """
    above = (x - x.nan_to_num(torch.inf).amin(1, keepdim=True) for x in _checked(shares, fair))  # 0 if all are the same
    shares, fair = (x - x.nanmean(1, keepdim=True) for x in above)
    return ((shares * fair).nansum(1) / (shares.square().nansum(1) * fair.square().nansum(1)).sqrt()).clamp(-1, 1)


def bystanders(shares: Tensor, fair: Tensor, *, threshold: float = 0.01) -> Tensor:
    """Share of the absolute credit that goes to players to whom (almost) nothing is due.

    Args:
        threshold: a bystander's absolute fair share is below this part of the sum of all.

    Returns:
        ``(N,)`` in [0, 1]; NaN for an input without bystanders, 0 for a map of zeros.
    """
    shares, fair, threshold = *_checked(shares, fair), check_number("threshold", threshold)
    size, due = shares.abs(), fair.abs()
    idle = due < threshold * due.nansum(1, keepdim=True)
    total = size.nansum(1)
    found = torch.where(total > 0, torch.where(idle, size, 0.0).nansum(1) / total, 0.0)
    return torch.where(idle.any(1), found, torch.nan)


def wrong_signs(shares: Tensor, fair: Tensor) -> Tensor:
    """Share of the fair credit, in absolute value, whose player gets some of the opposite sign: in [0, 1].

    >>> wrong_signs(torch.tensor([[-1.0, 2.0, 0.0]]), torch.tensor([[3.0, 1.0, 1.0]]))
    tensor([0.6000], dtype=torch.float64)
    """
    shares, fair = _checked(shares, fair)
    return torch.where(shares * fair < 0, fair.abs(), 0.0).nansum(1) / fair.abs().nansum(1)


MEASURES = {"distance": distance, "correlation": correlation, "bystanders": bystanders, "wrong signs": wrong_signs}


def _checked(shares: Tensor, fair: Tensor) -> tuple[Tensor, Tensor]:
    shares, fair = torch.as_tensor(shares), torch.as_tensor(fair)
    if shares.ndim != 2 or shares.shape != fair.shape:
        raise ValueError(f"expected shares (N, n) of one shape, got {tuple(shares.shape)} and {tuple(fair.shape)}")
    shares, fair = shares.detach().double(), fair.detach().double().to(shares.device)
    if bool((shares.isnan() != fair.isnan()).any()):
        raise ValueError("expected both divisions to have the same players, and no other NaN")
    if bool(shares.isinf().any() or fair.isinf().any()):
        raise ValueError("expected finite shares, got infinity")
    return shares, fair
