"""Checks of the chapter on fairness."""

from collections.abc import Callable

import torch
from torch import Tensor

from icg.coalitions import shapley_from_table, shapley_values
from icg.fairness import distance
from icg.shapley import certainty_game, certainty_shap
from icg_book.kit.answers import NotYet, Values, written
from icg_book.kit.answers import accept as accept

# ---- how far from fair ------------------------------------------------------------------------------------------


def _distance(shares, fair):
    found = []
    for got, due in zip(shares.tolist(), fair.tolist(), strict=True):
        off = sum(abs(a - b) for a, b in zip(got, due, strict=True))
        found.append(off / sum(abs(b) for b in due))
    return found


def _distance_cases(seed: int) -> list[tuple]:
    """One input and several, two players and many, credit against, small and large numbers."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(n, players, scale=1.0):
        shares, fair = torch.randn(2, n, players, generator=generator, dtype=torch.float64) * scale
        return shares, fair

    return [
        (torch.tensor([[0.5, 0.25]]), torch.tensor([[1.0, -0.5]])),
        (torch.tensor([[0.1, 0.3, 0.0], [2.0, 1.0, -1.0]]), torch.tensor([[0.45, -0.05, 0.1], [2.0, 0.5, 1.0]])),
        drawn(1, 5),
        drawn(3, 3),
        drawn(4, 2, 0.02),
        drawn(2, 6, 30.0),
    ]


check_distance = Values(
    task="``function(shares (N, n), fair (N, n)) -> (N,)``: sum of differences over the sum of absolute fair shares.",
    stub="my_distance",
    reference=_distance,
    cases=_distance_cases,
    returns="one number for each input",
    library=(distance,),
    praise="Right: 0 is fair, and a map of zeros has 1, wherever its colours are.",
    otherwise="For each input: add up the absolute differences over the players, and divide by the sum of the absolute "
    "fair shares.",
    hints={
        "You add up signed differences: too much for one player then cancels too little for another.": (
            lambda s, f: (s - f).sum(1) / f.abs().sum(1),
            lambda s, f: (f - s).sum(1) / f.abs().sum(1),
        ),
        "You take the absolute value of the sum. By then the differences have cancelled: take it before.": (
            lambda s, f: (s - f).sum(1).abs() / f.abs().sum(1)
        ),
        "You divide by the sum of the fair shares with their signs. Where some are against, that is too small.": (
            lambda s, f: (s - f).abs().sum(1) / f.sum(1),
            lambda s, f: (s - f).abs().sum(1) / f.sum(1).abs(),
        ),
        "You divide by what the map gives. Divide by what is due: a map of zeros would have no distance otherwise.": (
            lambda s, f: (s - f).abs().sum(1) / s.abs().sum(1)
        ),
        "You do not divide. Then an output that moves less looks fairer: divide by the sum of absolute fair shares.": (
            lambda s, f: (s - f).abs().sum(1)
        ),
        "You divide by the number of players. Divide by the sum of absolute fair shares.": (
            lambda s, f: (s - f).abs().mean(1)
        ),
        "You divide a mean by a sum. Take two sums, or two means.": lambda s, f: (s - f).abs().mean(1) / f.abs().sum(1),
        "You divide a sum by a mean. Take two sums, or two means.": lambda s, f: (s - f).abs().sum(1) / f.abs().mean(1),
        "You divide player by player. A bystander, to whom next to nothing is due, would then count most of all.": (
            lambda s, f: ((s - f).abs() / f.abs()).sum(1),
            lambda s, f: ((s - f).abs() / f.abs()).mean(1),
        ),
        "You square. Take absolute values.": (
            lambda s, f: (s - f).square().sum(1) / f.square().sum(1),
            lambda s, f: (s - f).norm(dim=1) / f.norm(dim=1),
        ),
        "You compare absolute shares. Credit with the wrong sign is then taken for right.": (
            lambda s, f: (s.abs() - f.abs()).abs().sum(1) / f.abs().sum(1)
        ),
        "You take the largest difference. Take the sum over the players.": (
            lambda s, f: (s - f).abs().amax(1) / f.abs().amax(1),
            lambda s, f: (s - f).abs().amax(1) / f.abs().sum(1),
        ),
        "You scale both to the same sum first, and so forgive a map that divides too little.": (
            lambda s, f: (s / s.sum(1, keepdim=True) - f / f.sum(1, keepdim=True)).abs().sum(1),
            lambda s, f: (s / s.abs().sum(1, keepdim=True) - f / f.abs().sum(1, keepdim=True)).abs().sum(1),
        ),
        "You put all inputs together. Each has a distance of its own: sum over the players, along dimension 1.": (
            lambda s, f: (s - f).abs().sum() / f.abs().sum(),
            lambda s, f: ((s - f).abs().sum(1) / f.abs().sum(1)).mean(),
            lambda s, f: (s - f).abs().sum(1) / f.abs().sum(),
        ),
        "You sum over the inputs. Sum over the players, along dimension 1.": (
            lambda s, f: (s - f).abs().sum(0) / f.abs().sum(0)
        ),
        "You return one minus the distance. 0 is to be fair.": lambda s, f: 1 - torch.tensor(_distance(s, f)),
        "You return half of the distance.": lambda s, f: torch.tensor(_distance(s, f)) / 2,
        "You return per cent.": lambda s, f: 100 * torch.tensor(_distance(s, f)),
        "The two are exchanged: divide by what is due, not by what the map gives.": lambda s, f: _distance(f, s),
    },
)

# ---- the network's own game -------------------------------------------------------------------------------------


def _game(model, values, players, masks):
    known = torch.cat([masks, torch.ones(len(masks), 1, dtype=torch.bool)], 1)  # the last column is nobody's
    certainty = known[:, players].to(values.dtype)
    same = values.expand(len(masks), *values.shape[1:])
    return model(torch.cat([same, certainty], 1))


def _aware(formula: str, function: Callable) -> Callable[[Tensor], Tensor]:
    """A certainty-aware model of joined inputs, from a function of values and certainty; it refuses other inputs."""

    def model(joined):
        certainty = torch.as_tensor(joined)[:, -1:]
        if certainty.min() < 0 or certainty.max() > 1:
            raise NotYet("The last channel is the certainty, from 0 to 1: `torch.cat([values, certainty], 1)`.")
        return function(joined[:, :-1], certainty)

    model.certainty_aware = True
    return written(formula, model)


def _total(x: Tensor) -> Tensor:
    return x.flatten(1).sum(1)


def _game_cases(seed: int) -> list[tuple]:
    """Features and pictures, one channel and three, players of several positions, some that are nobody's."""
    generator = torch.Generator().manual_seed(seed)
    leaks = _aware("Σ x c + Σ x² / 4", lambda x, c: _total(x * c) + _total(x**2) / 4)
    mixed = _aware(
        "sin(Σ x (1 + c)) + (Σ c)² / 9", lambda x, c: (x * (1 + c)).flatten(1).sum(1).sin() + _total(c) ** 2 / 9
    )
    crossed = _aware("(Σ x c)² + Σ (x - 0.3)²", lambda x, c: _total(x * c) ** 2 + _total((x - 0.3) ** 2))

    def drawn(*shape):
        return torch.rand(*shape, generator=generator, dtype=torch.float64) + 0.1

    def some(m, n):
        return torch.rand(m, n, generator=generator) < 0.5

    two = torch.tensor([[False, False], [True, False], [False, True], [True, True]])
    rows = torch.tensor([[0, 0, 1, -1], [2, -1, 1, 1], [2, 0, -1, 2]])
    return [
        (leaks, torch.tensor([[[0.5, 1.0]]]), torch.tensor([[1, 0]]), two),
        (leaks, drawn(1, 1, 4), torch.tensor([[0, 1, 1, -1]]), two),
        (mixed, drawn(1, 1, 5), torch.tensor([[2, 0, 0, 1, -1]]), some(3, 3)),
        (crossed, drawn(1, 1, 3, 4), rows[None], some(6, 3)),
        (mixed, drawn(1, 3, 3, 4), rows[None], some(5, 3)),
        (crossed, drawn(1, 1, 6), torch.tensor([[0, 0, 1, 1, 2, 2]]), some(1, 3)),
    ]


def _asked(certainty: Callable | None = None, values: Callable | None = None):
    """A mistaken game: other certainties ``(known, players, masks)`` or values ``(values, known)``."""

    def answer(model, x, players, masks):
        known = torch.cat([masks, torch.ones(len(masks), 1, dtype=torch.bool)], 1)[:, players].to(x.dtype)
        c = known if certainty is None else certainty(known, players, masks).to(x.dtype)
        shown = x.expand(len(masks), *x.shape[1:])
        return model(torch.cat([shown if values is None else values(shown, known), c], 1))

    return answer


def _all_known(known, players, masks):
    return torch.ones_like(known)


def _last_player(known, players, masks):
    return masks[:, players]


def _never(known, players, masks):
    return known * (players >= 0)


check_game = Values(
    task="``function(model, values, players, masks) -> (M,)``: the output when only a coalition's players are known.",
    stub="my_game",
    reference=_game,
    cases=_game_cases,
    returns="one number for each coalition",
    library=(certainty_game, certainty_shap),
    praise="Right: the values stay, and only what is known of them changes. That is a game.",
    otherwise="Each coalition is one joined input: the same values, certainty 1 where the player is in it or where "
    "nobody's positions are, else 0.",
    hints={
        "You take the values away. Leave them, and take their certainty away: 0 where a player is absent.": (
            _asked(_all_known, lambda x, known: x * known)
        ),
        "You take values and certainty away. Leave the values as they are.": _asked(values=lambda x, known: x * known),
        "You replace absent values by their mean. Leave them, and take their certainty away.": (
            _asked(_all_known, lambda x, known: torch.where(known > 0, x, x.mean()))
        ),
        "It is the other way round: certainty 1 for the players who are in the coalition.": (
            _asked(lambda known, players, masks: 1 - known),
            _asked(lambda known, players, masks: torch.where(players < 0, 1.0, 1 - known)),
        ),
        "A position of player -1 is nobody's and always known. As an index, -1 means the last player.": (
            _asked(_last_player)
        ),
        "A position of player -1 is nobody's and always known: certainty 1 in every coalition.": (
            _asked(_never),
            _asked(lambda known, players, masks: masks[:, players.clamp(min=0)] * (players >= 0)),
        ),
        "You give nobody's positions to player 0. They are always known.": (
            _asked(lambda known, players, masks: masks[:, players.clamp(min=0)])
        ),
        "All positions are certain in all of your coalitions.": _asked(_all_known),
        "No position is certain in any of your coalitions.": _asked(lambda known, players, masks: 0 * known),
        "Players take half of the certainty away. Without its player a position has certainty 0.": (
            _asked(lambda known, players, masks: (1 + known) / 2)
        ),
        "You take the value of nobody away. Return the outputs themselves: a Shapley value takes differences.": (
            lambda model, x, players, masks: (
                _game(model, x, players, masks) - _game(model, x, players, torch.zeros_like(masks[:1]))
            )
        ),
        "You divide by the value of everybody. Return the outputs themselves.": (
            lambda model, x, players, masks: (
                _game(model, x, players, masks) / _game(model, x, players, torch.ones_like(masks[:1]))
            )
        ),
        "You return the mean over the coalitions. Return one number for each.": (
            lambda model, x, players, masks: _game(model, x, players, masks).mean()
        ),
        "You return Shapley values. Asked is the game: one number for each coalition.": (
            lambda model, x, players, masks: shapley_values(
                lambda all_of: _game(model, x, players, all_of), masks.shape[1]
            )
        ),
    },
)

# ---- a path inside the game -------------------------------------------------------------------------------------


def _owen(v, n, n_steps):
    numbers = torch.arange(2**n)
    masks = torch.stack([numbers // 2**player % 2 == 1 for player in range(n)], 1)
    values = v(masks)
    total = torch.zeros(n, dtype=torch.float64)
    for k in range(n_steps):
        t = torch.full((n,), (k + 0.5) / n_steps, dtype=torch.float64, requires_grad=True)
        chance = torch.where(masks, t, 1 - t).prod(1)
        (slope,) = torch.autograd.grad((chance * values).sum(), t)
        total = total + slope
    return total / n_steps


def _table_game(table: Tensor) -> Callable[[Tensor], Tensor]:
    """A value function of masks ``(M, n)``, from all values in binary order; it refuses what is no coalition."""
    n = len(table).bit_length() - 1

    def v(masks):
        masks = torch.as_tensor(masks)
        if masks.ndim != 2 or masks.shape[1] != n:
            raise NotYet(
                f"`v` takes masks (M, {n}), a row for each coalition; yours have the shape {tuple(masks.shape)}."
            )
        if not bool(((masks == 0) | (masks == 1)).all()):
            raise NotYet("`v` knows coalitions only: a player is in or out. Weigh their values by their chances.")
        return table[(masks.long() * 2 ** torch.arange(n)).sum(1)]

    text = ", ".join(f"{value:.2f}" for value in table.tolist()) if n < 4 else f"{2**n} values"
    return written(f"({text})", v)


def _owen_cases(seed: int) -> list[tuple]:
    """Games whose numbers have no pattern; nobody is worth something."""
    generator = torch.Generator().manual_seed(seed)
    sizes = ((2, 1), (3, 1), (3, 2), (4, 3), (1, 2), (5, 2))
    return [(_table_game(torch.randn(2**n, generator=generator, dtype=torch.float64)), n, m) for n, m in sizes]


def _masks(n: int) -> Tensor:
    """All coalitions."""
    return torch.tensor([[k >> i & 1 for i in range(n)] for k in range(2**n)]).bool()


def _along(places: Callable[[int], list], read: Callable | None = None):
    """A mistaken answer: slopes at other places ``(place, weight)``, or something else read off there."""

    def slope(v, t, n):
        masks = _masks(n)
        chances = torch.where(masks, t, 1 - t).prod(1)
        (found,) = torch.autograd.grad((chances * v(masks)).sum(), t)
        return found

    def answer(v, n, n_steps):
        total = torch.zeros(n, dtype=torch.float64)
        for place, weight in places(n_steps):
            t = torch.full((n,), float(place), dtype=torch.float64, requires_grad=True)
            total = total + weight * (read or slope)(v, t, n)
        return total

    return answer


def _middles(m: int) -> list:
    return [((k + 0.5) / m, 1 / m) for k in range(m)]


def _everybody(v, n) -> Tensor:
    """v(all) - v(nobody), ``(1,)``."""
    ends = torch.stack([torch.zeros(n), torch.ones(n)]).bool()
    return v(ends).diff()


def _of_masks(weigh: Callable):
    """What ``(t, masks (2**n, n))`` to weights ``(2**n,)`` gives in the place of the chances."""

    def read(v, t, n):
        masks = _masks(n)
        (found,) = torch.autograd.grad((weigh(t, masks) * v(masks)).sum(), t, allow_unused=True)
        return found

    return read


def _exact(v, n, n_steps):
    masks = _masks(n)
    return shapley_from_table(v(masks))


check_owen = Values(
    task="``function(v, n, n_steps) -> n numbers``: Owen's integral along the diagonal, by the middle rule.",
    stub="my_owen",
    reference=_owen,
    cases=_owen_cases,
    returns="one number for each player",
    library=(shapley_values, shapley_from_table),
    praise="Right: a path that is a game. More steps, and these are the Shapley values.",
    otherwise="At each t = (k + 0.5)/n_steps: the value of each coalition times its chance, all added up; its slope in "
    "each player's own t; then the mean over the steps.",
    hints={
        "These are the Shapley values themselves. Asked is the integral that leads to them, in few steps.": _exact,
        "You take the slope half-way alone, where all coalitions are equally likely: that is the Banzhaf value. Take "
        "the mean along the diagonal.": _along(lambda m: [(0.5, 1.0)]),
        "You take the slope at t = 0 alone: what each player adds to nobody.": _along(lambda m: [(0.0, 1.0)]),
        "You take the slope at t = 1 alone: what each player adds to all others.": _along(lambda m: [(1.0, 1.0)]),
        "Every sign is reversed: a player is in with the chance t, and out with 1 - t.": (
            _along(lambda m: [(place, -weight) for place, weight in _middles(m)])
        ),
        "Your numbers are n_steps times too large: take the mean over the steps, not the sum.": (
            _along(lambda m: [(place, 1.0) for place, _ in _middles(m)])
        ),
        "Your numbers are n_steps times too small: you divide by it twice.": (
            _along(lambda m: [(place, weight / m) for place, weight in _middles(m)])
        ),
        "You evaluate at the left ends of the steps, (0, 1/n, …); use their middles.": (
            _along(lambda m: [(k / m, 1 / m) for k in range(m)])
        ),
        "You evaluate at the right ends of the steps, (1/n, …, 1); use their middles.": (
            _along(lambda m: [((k + 1) / m, 1 / m) for k in range(m)])
        ),
        "These are the points of the trapezoid rule; use the middles of the steps.": (
            _along(lambda m: [(k / m, (0.5 if k in (0, m) else 1.0) / m) for k in range(m + 1)])
        ),
        "You average over `linspace(0, 1, …)`, the ends of the steps; use their middles.": (
            _along(lambda m: [(k / m, 1 / (m + 1)) for k in range(m + 1)])
        ),
        "You take another number of steps. It is passed in: `n_steps`.": (
            *(lambda v, n, m, other=other: _along(_middles)(v, n, other) for other in (1, 2, 10)),
            lambda v, n, m: _along(_middles)(v, n, m + 1),
        ),
        "You forget those who are out: each of them has the chance 1 - t.": (
            _along(_middles, _of_masks(lambda t, masks: torch.where(masks, t, torch.ones_like(t)).prod(1)))
        ),
        "You forget those who are in: each of them has the chance t.": (
            _along(_middles, _of_masks(lambda t, masks: torch.where(masks, torch.ones_like(t), 1 - t).prod(1)))
        ),
        "You add up the players' chances. They come and go by themselves: take the product.": (
            _along(_middles, _of_masks(lambda t, masks: torch.where(masks, t, 1 - t).sum(1))),
            _along(_middles, _of_masks(lambda t, masks: torch.where(masks, t, 1 - t).mean(1))),
        ),
        "You share the climb equally. Each player has a slope of its own.": (
            lambda v, n, m: _everybody(v, n) / n * torch.ones(n),
            _along(_middles, lambda v, t, n: _along(lambda m: [(t[0].item(), 1.0)])(v, n, 1).mean() * torch.ones(n)),
        ),
        "You return the sum over the players. Return one number for each.": (
            lambda v, n, m: _owen(v, n, m).sum(),
            lambda v, n, m: _everybody(v, n),
        ),
        "You return the values along the diagonal, averaged. Take the slope in each player's own t.": (
            lambda v, n, m: _along(
                _middles,
                lambda v, t, n: torch.where(masks := _masks(n), t, 1 - t).prod(1).detach() @ v(masks) * torch.ones(n),
            )(v, n, m)
        ),
        "You multiply each slope by t. The diagonal moves by 1 in all: take the plain mean.": (
            _along(lambda m: [(place, place * weight) for place, weight in _middles(m)])
        ),
    },
)
