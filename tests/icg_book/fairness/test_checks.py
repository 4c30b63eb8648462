"""Checks of the chapter on fairness: right answers pass in any style, each typical mistake is met with its own hint."""

import math

import torch
from checking import shared_tests

from icg.fairness import distance
from icg.shapley import certainty_game, shapley_from_table, shapley_values
from icg_book.fairness import checks as fairness

# --- how far from fair -------------------------------------------------------------------------------------------


def by_rows(shares, fair):
    return [
        sum(abs(float(a) - float(b)) for a, b in zip(got, due, strict=True)) / sum(map(abs, due.tolist()))
        for got, due in zip(shares, fair, strict=True)
    ]


DISTANCE_WRONG = {
    "cancels too little": lambda s, f: (s - f).sum(-1) / f.abs().sum(-1),
    "By then the differences have cancelled": lambda s, f: abs((s - f).sum(1)) / f.abs().sum(1),
    "with their signs": lambda s, f: (s - f).abs().sum(1) / f.sum(1),
    "Divide by what is due: a map of zeros": lambda s, f: (s - f).abs().sum(1) / s.abs().sum(1),
    "You do not divide": lambda s, f: (s - f).abs().sum(1),
    "by the number of players": lambda s, f: (s - f).abs().sum(1) / s.shape[1],
    "a mean by a sum": lambda s, f: (s - f).abs().mean(1) / f.abs().sum(1),
    "a sum by a mean": lambda s, f: (s - f).abs().sum(1) / f.abs().mean(1),
    "player by player": lambda s, f: ((s - f) / f).abs().mean(1),
    "You square": lambda s, f: ((s - f) ** 2).sum(1).sqrt() / (f**2).sum(1).sqrt(),
    "taken for right": lambda s, f: (s.abs() - f.abs()).abs().sum(1) / f.abs().sum(1),
    "the largest difference": lambda s, f: (s - f).abs().max(1).values / f.abs().sum(1),
    "forgive a map that divides too little": lambda s, f: (
        (s / s.abs().sum(1)[:, None] - f / f.abs().sum(1)[:, None]).abs().sum(1)
    ),
    "all inputs together": lambda s, f: (s - f).abs().sum() / f.abs().sum(),
    "sum over the inputs": lambda s, f: (s - f).abs().sum(0) / f.abs().sum(0),
    "one minus": lambda s, f: 1 - distance(s, f),
    "half of the distance": lambda s, f: distance(s, f) / 2,
    "per cent": lambda s, f: 100 * distance(s, f),
    "exchanged|Divide by what is due": lambda s, f: distance(f, s),
    r"absolute fair shares.\nFor shares = \[\[0.5, 0.25\]\]": lambda s, f: distance(s, f) + 0.3,
    "one number for each input, shape": lambda s, f: distance(s, f)[:1].expand(9),
    "NaN or infinity": lambda s, f: distance(s, f) / 0,
}

# --- the network's own game --------------------------------------------------------------------------------------


def game(model, values, players, masks):
    certainty = torch.ones(len(masks), *players.shape, dtype=values.dtype)
    for player in range(masks.shape[1]):
        here = (players == player).expand_as(certainty)
        certainty = torch.where(here & ~masks[:, player].view(-1, *[1] * players.ndim), 0.0, certainty)
    return model(torch.cat([values.repeat(len(masks), *[1] * (values.ndim - 1)), certainty], 1))


def game_by_loop(model, values, players, masks):
    found = []
    for mask in masks:
        known = (players < 0).clone()
        for player in mask.nonzero().flatten().tolist():
            known |= players == player
        found.append(model(torch.cat([values, known[None].to(values)], 1)).item())
    return found


def asked(certainty, values=None):
    def answer(model, x, players, masks):
        c = certainty(players, masks).to(x.dtype)
        shown = x.expand(len(masks), *x.shape[1:])
        return model(torch.cat([shown if values is None else values(shown, c), torch.ones_like(c) if values else c], 1))

    return answer


def right(players, masks):
    return torch.cat([masks, masks.new_ones(len(masks), 1)], 1)[:, players]


GAME_WRONG = {
    "Leave them, and take their certainty away: 0": asked(right, lambda x, c: x * c),
    "values and certainty away": lambda model, x, players, masks: model(
        torch.cat([x * right(players, masks), right(players, masks).to(x)], 1)
    ),
    "by their mean": asked(right, lambda x, c: torch.where(c > 0, x, x.mean())),
    "other way round": asked(lambda players, masks: 1.0 - right(players, masks).double()),
    "As an index, -1 means the last": asked(lambda players, masks: masks[:, players]),
    "certainty 1 in every coalition": asked(lambda players, masks: right(players, masks) & (players >= 0)),
    "positions to player 0": asked(lambda players, masks: masks[:, players.clamp(min=0)]),
    "certain in all of your": asked(lambda players, masks: 0 * right(players, masks) + 1),
    "No position is certain": asked(lambda players, masks: 0 * right(players, masks)),
    "half of the certainty": asked(lambda players, masks: 0.5 + right(players, masks) / 2),
    "take the value of nobody away": lambda m, x, p, masks: game(m, x, p, masks) - game(m, x, p, masks[:1] & False),
    "divide by the value of everybody": lambda m, x, p, masks: game(m, x, p, masks) / game(m, x, p, masks[:1] | True),
    "mean over the coalitions": lambda m, x, p, masks: game(m, x, p, masks).mean(),
    "You return Shapley values": lambda m, x, p, masks: shapley_values(lambda a: game(m, x, p, a), masks.shape[1]),
    r"Each coalition is one joined input.*\nFor model = Σ x c": lambda m, x, p, masks: game(m, x, p, masks) + 1,
    "one number for each coalition, shape": lambda m, x, p, masks: game(m, x, p, masks)[:, None].expand(-1, 2),
    "The last channel is the certainty": lambda m, x, p, masks: m(
        torch.cat([right(p, masks).to(x), (2 + x).expand(len(masks), *x.shape[1:])], 1)
    ),
    "changes a tensor": lambda m, x, p, masks: game(m, x.mul_(2), p, masks),
}

# --- a path inside the game --------------------------------------------------------------------------------------


def owen(v, n, n_steps, places=None, weight=None):
    """By differences: a slope is the mean over the others of what a player adds."""
    places = [(k + 0.5) / n_steps for k in range(n_steps)] if places is None else places
    total = [0.0] * n
    for t in places:
        for player in range(n):
            others = [other for other in range(n) if other != player]
            for number in range(2 ** (n - 1)):
                mask = torch.zeros(1, n, dtype=torch.bool)
                for bit, other in enumerate(others):
                    mask[0, other] = bool(number >> bit & 1)
                size = int(mask.sum())
                chance = t**size * (1 - t) ** (n - 1 - size)
                with_player = mask.clone()
                with_player[0, player] = True
                total[player] += chance * (v(with_player) - v(mask)).item() * (weight or (lambda t: 1.0))(t)
    return [value / len(places) for value in total]


def all_masks(n):
    return torch.tensor([[k // 2**i % 2 for i in range(n)] for k in range(2**n)]).bool()


def owen_by_gradient(v, n, n_steps, chance=lambda t, masks: torch.where(masks, t, 1 - t).prod(1)):
    masks, total = all_masks(n), 0
    for k in range(n_steps):
        t = torch.full((n,), (k + 0.5) / n_steps, dtype=torch.float64).requires_grad_()
        (slope,) = torch.autograd.grad(chance(t, masks) @ v(masks), t)
        total = total + slope / n_steps
    return total


def times(factor):
    return lambda v, n, m: [factor(m) * value for value in owen(v, n, m)]


def along_the_diagonal(v, n, n_steps):
    masks = all_masks(n)
    at = [(k + 0.5) / n_steps for k in range(n_steps)]
    values = [(torch.where(masks, t, 1 - t).double().prod(1) @ v(masks)).item() for t in at]
    return [sum(values) / n_steps] * n


OWEN_WRONG = {
    "These are the Shapley values themselves": lambda v, n, m: shapley_from_table(v(all_masks(n))),
    "Banzhaf": lambda v, n, m: owen(v, n, m, places=[0.5]),
    "t = 0 alone": lambda v, n, m: owen(v, n, m, places=[0.0]),
    "t = 1 alone": lambda v, n, m: owen(v, n, m, places=[1.0]),
    "Every sign is reversed": times(lambda m: -1),
    "times too large": times(lambda m: m),
    "times too small": times(lambda m: 1 / m),
    "left ends": lambda v, n, m: owen(v, n, m, places=[k / m for k in range(m)]),
    "right ends": lambda v, n, m: owen(v, n, m, places=[(k + 1) / m for k in range(m)]),
    "trapezoid": lambda v, n, m: [
        (a + b) / 2
        for a, b in zip(
            owen(v, n, m, places=[k / m for k in range(m)]),
            owen(v, n, m, places=[(k + 1) / m for k in range(m)]),
            strict=True,
        )
    ],
    "linspace": lambda v, n, m: owen(v, n, m, places=torch.linspace(0, 1, m + 1).double().tolist()),
    "another number of steps": lambda v, n, m: owen(v, n, 10),
    "who are out": lambda v, n, m: owen_by_gradient(v, n, m, lambda t, masks: torch.where(masks, t, 1.0).prod(1)),
    "who are in": lambda v, n, m: owen_by_gradient(v, n, m, lambda t, masks: torch.where(masks, 1.0, 1 - t).prod(1)),
    "add up the players' chances": lambda v, n, m: owen_by_gradient(
        v, n, m, lambda t, masks: torch.where(masks, t, 1 - t).sum(1)
    ),
    "share the climb equally": lambda v, n, m: [(v(all_masks(n))[-1] - v(all_masks(n))[0]).item() / n] * n,
    "sum over the players": lambda v, n, m: math.fsum(owen(v, n, m)),
    "values along the diagonal": along_the_diagonal,
    "multiply each slope by t": lambda v, n, m: owen(v, n, m, weight=lambda t: t),
    "a player is in or out": lambda v, n, m: v(torch.full((1, n), 0.5)),
    "a row for each coalition": lambda v, n, m: v(torch.ones(n).bool()),
    r"At each t = .*\nFor v = \(": lambda v, n, m: [value + 1 for value in owen(v, n, m)],
}

ALL = {
    fairness.check_distance: ([by_rows, lambda s, f: (s - f).abs().sum(1) / f.abs().sum(1)], DISTANCE_WRONG),
    fairness.check_game: ([game, game_by_loop], GAME_WRONG),
    fairness.check_owen: ([owen, owen_by_gradient], OWEN_WRONG),
}

globals().update(shared_tests(ALL))


def test_the_librarys_answers_are_named(capsys):
    fairness.check_distance(distance)
    fairness.check_game(lambda m, x, p, masks: certainty_game(m, x, groups=p)(masks))
    said = capsys.readouterr().out
    assert "distance did it" in said and "certainty_game did it" in said
