"""Attribution methods that are games on coalitions: they differ in what an absent feature is replaced by.

- :func:`bshap`: the value that a baseline has there (Sundararajan and Najmi, 2020).
- :func:`shap_values`: a random value; the game is the mean output (Lundberg and Lee, 2017).
- :func:`certainty_shap`: nothing; a certainty-aware model is told that the value is unknown.

All are exact, by the engine of :mod:`icg.coalitions`, whose functions can be called from here as well. For more than
20 players give ``groups`` of features, or estimate by :func:`shapley_sampling`. What the methods share with
:mod:`icg.attribution` means the same here; attributions have the dtype of the inputs.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from .arguments import Shared, Unpack, check_positive, check_tensor, check_whole, described, options_of, shares
from .baselines import starts, values_of
from .certainty import Joined, join, split, without_certainty
from .coalitions import check_players, coalitions, shapley_from_table, shapley_sampling, shapley_values
from .quadrature import quadrature, sobol
from .question import Question, quiet

__all__ = [
    "Game",
    "Uniform",
    "baseline_game",
    "bshap",
    "certainty_game",
    "certainty_shap",
    "coalitions",
    "distribution_game",
    "shap_values",
    "shapley_from_table",
    "shapley_sampling",
    "shapley_values",
]

Groups = Tensor | tuple[Tensor, ...] | None
LARGEST_TABLE = 2**24  # values at once, 128 MiB: more inputs are taken in parts


@dataclass(frozen=True)
class Uniform:
    """Features that are independent and uniform on [low, high]; numbers, or tensors that broadcast to one input."""

    low: float | Tensor = 0.0
    high: float | Tensor = 1.0


class Game:
    """A model as a game: players are features, or groups of them, and a coalition's value is the model's output.

    Call it with masks ``(M, n)``: ``(M,)`` for one input, ``(M, N)``, that is N games at once, for several; with target
    "all" there is a last dimension for the classes. Made by :func:`baseline_game` and its sisters.

    Attributes:
        n: number of players.
    """

    def __init__(
        self, question: Question, groups: Tensor, absent: Callable[[Tensor], Iterable[tuple[Tensor, Tensor, Tensor]]]
    ):
        self.question, self.groups, self.absent = question, groups, absent
        self.n = int(groups.max()) + 1
        with question.asked() as self.objective:
            self.n_targets = question.n_targets

    def __call__(self, masks: Tensor) -> Tensor:
        if not isinstance(masks, Tensor) or masks.dtype != torch.bool or masks.ndim != 2 or masks.shape[1] != self.n:
            raise ValueError(f"expected boolean masks of shape (M, {self.n}), got {described(masks)}")
        values = self.values(masks, torch.arange(len(self.question.inputs), device="cpu"))
        values = values if isinstance(self.objective.target, str) else values[:, :, 0]
        return values[:, 0] if values.shape[1] == 1 else values

    def values(self, masks: Tensor, index: Tensor) -> Tensor:
        """Values of coalitions for the inputs number ``index``: ``(M, len(index), targets)`` float64."""
        device = self.question.inputs.device
        masks, index = masks.to(device), index.to(device)
        result = torch.zeros(len(masks), len(index), self.n_targets, dtype=torch.float64, device=device)
        with quiet(self.question.model):
            # `rows` of the masks share `fills`, (K, N or 1, ...): what replaces absent features, and how often.
            for rows, fills, weights in self.absent(masks):
                add = partial(self._add, result, masks, index, rows, fills, weights)
                first, total = 0, len(rows) * len(index) * len(weights)
                while first < total:
                    last = min(total, first + self.question.limit.size)
                    self.question.limit.run(add, torch.arange(first, last, device=device))
                    first = last
            # Of some players, and of all, the model must say what it says in another batch.
            whole = masks.all(1)
            found = result[int(whole.int().argmax())] if bool(whole.any()) else None
            self.question.check_masked(self.objective, found, index)
        return result

    def _add(self, result, masks, index, rows, fills, weights, flat) -> None:
        """Add the weighted outputs at points number ``flat`` of (coalition, input, fill) to ``result``."""
        draw, flat = flat % len(weights), flat // len(weights)
        row, place = rows[flat // len(index)], flat % len(index)
        chosen = index[place]
        inputs, fill = self.question.inputs[chosen], fills[draw, chosen if fills.shape[1] > 1 else 0]
        if fill.shape[1:] != inputs.shape[1:]:  # values alone
            fill = torch.cat([fill, inputs[:, -1:]], 1)
        known = torch.cat([masks[row], masks.new_ones(len(row), 1)], 1)  # the last column is for those who never leave
        own = self.groups.ndim == inputs.ndim
        points = torch.where(by_feature(known, self.groups[chosen] if own else self.groups, own), inputs, fill)
        partly = masks[row].any(1) & ~masks[row].all(1)
        values = self.question.masked(self.objective, points, chosen, partly)
        result.view(-1, self.n_targets).index_add_(0, row * len(index) + place, weights[draw, None] * values)

    def shapley(self, progress: bool = False) -> Tensor:
        """Exact Shapley values of all inputs, ``(n, N, targets)`` float64."""
        check_players(self.n)
        parts = []
        for index in torch.arange(len(self.question.inputs), device="cpu").split(max(1, LARGEST_TABLE >> self.n)):
            batch_size = max(1, 8 * self.question.limit.size // len(index))
            value = partial(self.values, index=index)
            parts.append(shapley_values(value, self.n, batch_size=batch_size, progress=progress))
        return torch.cat(parts, 1)

    def maps(self, progress: bool = False) -> Tensor:
        """Attributions of positions or features: a player's value shared equally among its members."""
        return self.spread(self.shapley(progress))

    def spread(self, players: Tensor, equally: bool = True):
        """Players' values ``(n, N, targets)`` as maps; ``equally`` shared among members, or the whole to each."""
        players = players.to(self.groups.device)
        n, rows, targets = players.shape
        groups = self.groups.expand(rows, *self.groups.shape[self.groups.ndim == self.question.inputs.ndim :])
        place = groups.flatten(1) % (n + 1)  # the last place is nobody's
        table = torch.cat([players, torch.zeros_like(players[:1])]).movedim(0, 2)
        if equally:
            members = torch.zeros_like(table[:, 0]).scatter_add_(1, place, torch.ones_like(place, dtype=table.dtype))
            table = table / members.clamp(min=1)[:, None]
        maps = table.gather(2, place[:, None].expand(-1, targets, -1)).view(rows, targets, *groups.shape[1:])
        if self.question.certainty is not None and not self.question.certainty_only:  # as Integrated Gradients
            channels = self.question.values.shape[1]
            maps = torch.cat([maps.expand(-1, -1, channels, *maps.shape[3:]) / channels, torch.zeros_like(maps)], 2)
        return self.question.returned(maps if isinstance(self.objective.target, str) else maps[:, 0])


@shares("target", "output", "internal_batch_size", "generator", "additional_forward_args", "certainty_aware")
def baseline_game(model, inputs: Tensor, baselines=None, *, groups: Groups = None, **shared: "Unpack[Shared]") -> Game:
    """BShap's game: absent features take the values of a baseline (paper, table of section 3).

    Args:
        baselines: anything that :func:`icg.integrated_gradients` takes; several draws are averaged.
        groups: the player that each feature belongs to: whole numbers of the shape of one input, or broadcasting to it;
            -1 for features that are no player and always present. Players are sorted by their numbers, which may have
            gaps: ``game.n`` counts those that there are. ``(N, ...)`` gives each input groups of its own; an input that
            lacks a player pays it nothing. For a tuple of inputs a tuple; the same number is the same player in all.
            ``None`` makes each feature a player. The channels of a position of a joined input share one player, and its
            certainty is kept.
    """
    question = Question(model, inputs, whole=True, **shared)
    groups = players_of(groups, question)
    n_draws, start = starts(baselines, question)
    fills = torch.stack([start(draw) for draw in range(n_draws)])
    return Game(question, groups, partial(_fixed, fills))


@shares("target", "output", "internal_batch_size", "generator", "additional_forward_args", "certainty_aware")
def distribution_game(
    model,
    inputs: Tensor,
    distribution: Uniform | Tensor,
    *,
    groups: Groups = None,
    n_nodes: int | None = None,
    n_samples: int | None = None,
    **shared: "Unpack[Shared]",
) -> Game:
    """SHAP's game: the mean output when absent features are random and present ones held (paper, section A.1.2).

    Args:
        distribution: a :class:`Uniform`, or samples ``(K, ...)`` of inputs or of their values. Absent features take
            theirs together from one sample, whatever the present ones are.
        n_nodes: for ``Uniform`` and up to three features: cells per feature of the midpoint rule.
        n_samples: for ``Uniform`` and more features: points of a scrambled Sobol sequence, 1024 if not given. For
            samples: how many random ones to use, all if not given. Every coalition and input meets the same ones.
        groups: as for :func:`baseline_game`.
    """
    question = Question(model, inputs, whole=True, **shared)
    groups = players_of(groups, question)
    n_nodes, n_samples = (
        None if n is None else check_positive(name, n) for name, n in (("n_nodes", n_nodes), ("n_samples", n_samples))
    )
    generator, shape = question.generator, question.values.shape[1:]
    if isinstance(distribution, Uniform):
        if question.packing is not None and question.packing.has_whole:
            raise ValueError(f"expected samples as distribution, as inputs are {question.packing.dtypes}, got Uniform")
        low, high = (_bound(name, getattr(distribution, name), question) for name in ("low", "high"))
        if bool((low > high).any()):
            raise ValueError("expected a uniform distribution with low <= high")
        if math.prod(shape) <= 3 and groups.ndim < question.inputs.ndim:
            n_nodes = n_nodes or {1: 2000, 2: 200, 3: 40}[math.prod(shape)]
            return Game(question, groups, partial(_grids, low, high, quadrature("riemann_middle", n_nodes)[0], groups))
        points = sobol(n_samples or 1024, math.prod(shape), generator).to(low.device)
        samples = low + (high - low) * points.view(-1, *shape).to(low)
    else:
        samples = values_of("distribution", distribution, question)
        if n_samples is not None and n_samples < len(samples):
            chosen = torch.randperm(len(samples), generator=generator, device=generator.device)[:n_samples]
            samples = samples[chosen.to(samples.device)]
    return Game(question, groups, partial(_fixed, samples.to(question.inputs)[:, None]))


@shares("target", "output", "internal_batch_size", "additional_forward_args", "certainty_aware")
def certainty_game(
    model, values: Tensor, certainty: Tensor | float = 1.0, *, groups: Groups = None, **shared: "Unpack[Shared]"
) -> Game:
    """Certainty-SHAP's game: absent positions keep their values at certainty 0, and the model takes the expectation.

    Args:
        model: certainty-aware. values: ``(N, C, ...)``, without certainty. certainty: that of present positions.
        groups: as for :func:`baseline_game`, of positions.
    """
    question = Question(model, join(values, certainty), certainty_only=True, **shared)
    return Game(question, players_of(groups, question), partial(_fixed, without_certainty(question.inputs)[None]))


def _fixed(fills: Tensor, masks: Tensor):
    """The same fills for all coalitions."""
    weights = torch.full((len(fills),), 1 / len(fills), dtype=torch.float64, device=fills.device)
    return [(torch.arange(len(masks), device=masks.device), fills, weights)]


def _grids(low: Tensor, high: Tensor, nodes: Tensor, groups: Tensor, masks: Tensor):
    """For each distinct coalition, a grid over its absent features alone."""
    for mask in masks.unique(dim=0):
        absent = (groups >= 0) & ~mask[groups]
        n = int(absent.sum())
        unit = torch.cartesian_prod(*[nodes.to(low)] * n).view(-1, n) if n else low.new_zeros(1, 0)
        fills = low.expand(len(unit), *low.shape).clone()
        fills[:, absent] += (high - low)[absent] * unit
        weights = torch.full((len(unit),), 1 / len(unit), dtype=torch.float64, device=low.device)
        yield (masks == mask).all(1).nonzero()[:, 0], fills[:, None], weights


def _bound(name: str, bound, question: Question) -> Tensor:
    shape = tuple(question.values.shape[1:])
    try:
        bound = torch.as_tensor(bound)
        assert bound.dtype != torch.bool
        bound = bound.to(question.inputs).expand(shape)
        assert bool(bound.isfinite().all())
    except (AssertionError, TypeError, RuntimeError, ValueError):
        raise ValueError(f"expected {name} to be finite and of shape {shape}, or a number, got {bound!r}") from None
    return bound


def players_of(groups, question: Question) -> Tensor:
    """Every feature's player, of the shape of one input, or of all if they have groups of their own; -1 for none.

    Of a joined input every position's, ``(1, ...)``.
    """
    rows, shape = len(question.inputs), tuple(question.inputs.shape[1:])
    shape, packing = shape if question.certainty is None else (1, *shape[1:]), question.packing
    if groups is None:
        return torch.arange(math.prod(shape), device=question.inputs.device).view(shape)
    if packing is None or not packing.joint:
        full = _numbers("groups", groups, shape, question)
    elif isinstance(groups, tuple) and len(groups) == len(packing.shapes):
        pairs = enumerate(zip(groups, packing.shapes, strict=True))
        each = [_numbers(f"groups[{k}]", *pair, question) for k, pair in pairs]
        alike = all(one.ndim == len(part) for one, part in zip(each, packing.shapes, strict=True))
        each = [one.expand(rows, *part).flatten(1) for one, part in zip(each, packing.shapes, strict=True)]
        full = torch.cat(each, 1)
        full = full[0] if alike else full
    else:
        got = len(groups) if isinstance(groups, tuple) else type(groups).__name__
        raise ValueError(f"expected groups to be a tuple of {len(packing.shapes)}, as the inputs, got {got}")
    numbers, place = full.clamp(min=-1).unique(return_inverse=True)  # gaps are closed
    outside = int(bool(numbers[0] < 0))
    if len(numbers) == outside:
        raise ValueError("expected groups with a player, which are numbered from 0, got only negative numbers")
    return place - outside


def _numbers(name: str, groups, shape: tuple[int, ...], question: Question) -> Tensor:
    check_whole(name, groups)
    rows = len(question.inputs)
    one = groups[0] if groups.ndim == len(shape) + 1 and len(groups) == 1 else groups  # (1, ...), as of one input
    try:
        return one.to(question.inputs.device).long().expand(*([rows] if one.ndim > len(shape) else []), *shape)
    except RuntimeError:
        raise ValueError(f"expected {name} of shape {tuple(shape)}, got {tuple(groups.shape)}") from None


def by_feature(table: Tensor, players: Tensor, own: bool) -> Tensor:
    """What each feature has of ``(B, n + 1)``, the last for nobody: ``(B, ...)``; players of one input, or of each.

    >>> by_feature(torch.tensor([[5, 6, 0], [7, 8, 0]]), torch.tensor([1, -1]), own=False)
    tensor([[6, 0],
            [8, 0]])
    """
    return table.gather(1, players.flatten(1) % table.shape[1]).view(players.shape) if own else table[:, players]


# ---- Attribution methods


@options_of(baseline_game)
def bshap(model, inputs: Tensor, baselines=None, *, progress: bool = False, **options) -> Tensor:
    """BShap (paper, section A.1.2): Shapley values when absent features are those of a baseline; exact.

    Args:
        model, inputs, baselines, options: those of :func:`baseline_game`: ``target``, ``output``, ``groups`` ...

    Returns:
        Attributions like ``inputs``; they sum to F(input) - F(baseline). A group's value is shared equally among its
        features.

    >>> bshap(lambda x: torch.maximum(x[:, 0], x[:, 1]), torch.tensor([[1.0, 0.5]]))
    tensor([[0.7500, 0.2500]])
    """
    return baseline_game(model, inputs, baselines, **options).maps(progress)


@options_of(distribution_game)
def shap_values(model, inputs: Tensor, distribution: Uniform | Tensor, *, progress: bool = False, **options) -> Tensor:
    """SHAP (paper, section A.1.2): Shapley values when absent features are random; all coalitions are counted.

    Args:
        model, inputs, distribution, options: those of :func:`distribution_game`: ``target``, ``n_samples`` ...

    Returns:
        Attributions like ``inputs``; they sum to F(input) - E F.

    >>> shap_values(lambda x: x[:, 0] * x[:, 1], torch.tensor([[1.0, 1.0]]), Uniform(0, 1))  # E F = 1/4
    tensor([[0.3750, 0.3750]])
    """
    return distribution_game(model, inputs, distribution, **options).maps(progress)


@options_of(certainty_game)
def certainty_shap(model, inputs: Joined, *, progress: bool = False, **options) -> Tensor:
    """Exact Shapley values of positions whose certainty is 0 when they are absent.

    To :func:`icg.integrated_certainty_gradients` what BShap is to Integrated Gradients.

    Args:
        inputs: joined ``(N, C + 1, ...)``; present positions have the certainty that they have there.
        options: those of :func:`certainty_game`: ``target``, ``output``, ``groups`` ...

    Returns:
        ``(N, 1, ...)``; they sum to F(input) - F(nothing known).
    """
    check_tensor("inputs", inputs)
    values, certainty = split(inputs)
    return certainty_game(model, values, certainty, **options).maps(progress)
