"""Checks of the Shapley chapter: right answers pass in any style, each typical mistake is met with its own hint."""

from itertools import combinations, permutations
from math import comb, factorial

import torch
from checking import shared_tests

from icg.attribution import integrated_gradients
from icg.shapley import bshap
from icg_book.shapley import checks as shapley

# --- marginal contribution ---------------------------------------------------------------------------------------


def marginal(v, ordering, player):
    before = set(ordering[: ordering.index(player)])
    return v(before | {player}) - v(before)


def marginal_by_loop(v, ordering, player):
    before = []
    for other in ordering:
        if other == player:
            break
        before.append(other)
    return torch.tensor([v(frozenset([*before, player])) - v(frozenset(before))])


MARGINAL_WRONG = {
    "sign is reversed": lambda v, o, p: -marginal(v, o, p),
    "join nobody": lambda v, o, p: v({p}) - v(set()),
    "achieves alone": lambda v, o, p: v({p}),
    "Subtract the value just before": lambda v, o, p: v(set(o[: o.index(p) + 1])),
    "before the player joins": lambda v, o, p: v(set(o[: o.index(p)])),
    "last of all": lambda v, o, p: v(set(o)) - v(set(o) - {p}),
    "stand after it": lambda v, o, p: v(set(o[o.index(p) :])) - v(set(o[o.index(p) + 1 :])),
    "subtract the value of nobody": lambda v, o, p: v(set(o[: o.index(p) + 1])) - v(set()),
    "a place in the ordering": lambda v, o, p: v(set(o[: p + 1])) - v(set(o[:p])),
    "Take those before the player in the ordering, then": lambda v, o, p: v({p, o[0]}) - v({o[-1]}),
    "one number; yours has shape": lambda v, o, p: [1.0, 2.0],
    "who is not the player": lambda v, o, p: v(o) - v(o[: o.index(p)]),
    "one number; yours is a set": lambda v, o, p: {1.0},
    "returned None": lambda v, o, p: None,
    "NaN or infinity": lambda v, o, p: float("nan"),
    "ValueError": lambda v, o, p: o.index(99),
}

# --- Shapley values by coalitions --------------------------------------------------------------------------------


def by_orderings(v, n):
    total = [0.0] * n
    for ordering in permutations(range(n)):
        for k, p in enumerate(ordering):
            total[p] += v(ordering[: k + 1]) - v(ordering[:k])
    return [t / factorial(n) for t in total]


def by_subsets(v, n, weigh=lambda s, n: factorial(s) * factorial(n - s - 1) / factorial(n), least=0, difference=True):
    def value(p):
        others = [i for i in range(n) if i != p]
        return sum(
            weigh(s, n) * (v({*c, p}) - (v(c) if difference else 0))
            for s in range(least, n)
            for c in combinations(others, s)
        )

    return torch.tensor([value(p) for p in range(n)])


def last(v, n):
    return [v(range(n)) - v(set(range(n)) - {p}) for p in range(n)]


SHAPLEY_WRONG = {
    "sign is reversed": lambda v, n: -by_subsets(v, n),
    "averaged over coalitions": lambda v, n: by_subsets(v, n, lambda s, n: 0.5 ** (n - 1)),
    "without weights": lambda v, n: by_subsets(v, n, lambda s, n: 1),
    "instead of averaging": lambda v, n: by_subsets(v, n) * factorial(n),
    "forgot the empty coalition": lambda v, n: by_subsets(v, n, least=1),
    "coalition of all others": lambda v, n: by_subsets(
        v, n, lambda s, n: factorial(s) * factorial(n - s - 1) / factorial(n) * (s + 1 < n)
    ),
    "value of nobody to be 0": lambda v, n: by_subsets(lambda c: v(c) if c else 0.0, n),
    "averages of the coalition sizes": lambda v, n: by_subsets(v, n, lambda s, n: 1 / comb(n - 1, s)),
    "do not add up to 1": lambda v, n: by_subsets(v, n, lambda s, n: factorial(s) * factorial(n - s) / factorial(n)),
    "Average what the player adds": lambda v, n: by_subsets(v, n, difference=False),
    "join nobody only": lambda v, n: [v({p}) - v(()) for p in range(n)],
    "join last only": last,
    "share equally among all": lambda v, n: [(v(range(n)) - v(())) / n] * n,
    "one ordering": lambda v, n: [v(range(p + 1)) - v(range(p)) for p in range(n)],
    "share of the orderings": lambda v, n: [p * x for p, x in enumerate(by_subsets(v, n).tolist())],
    "return the sum over the players": lambda v, n: sum(by_subsets(v, n)),
    "one number for each player, shape": lambda v, n: by_subsets(v, n)[1:],
    "go through the orderings": by_orderings,
    "IndexError": lambda v, n: [v({n})],
}

# --- BShap of two features ---------------------------------------------------------------------------------------


def corners(f, x, b):
    grid = torch.stack([b, torch.stack([x[0], b[1]]), torch.stack([b[0], x[1]]), x])
    return f(grid)


def two(f, x, b):
    o, first, second, both = corners(f, x, b)
    return torch.stack([first - o + both - second, second - o + both - first]) / 2


def two_by_numbers(f, x, b):
    def at(i, j):
        return f(torch.tensor([[i, j]], dtype=x.dtype)).item()

    (x1, x2), (b1, b2) = x.tolist(), b.tolist()
    one = (at(x1, b2) - at(b1, b2) + at(x1, x2) - at(b1, x2)) / 2
    return [one, at(x1, x2) - at(b1, b2) - one]


BSHAP_WRONG = {
    "sign is reversed": lambda f, x, b: two(f, b, x),
    "added up both orderings": lambda f, x, b: 2 * two(f, x, b),
    "wrong way round": lambda f, x, b: two(f, x, b).flip(0),
    "one ordering, feature 1 first": lambda f, x, b: corners(f, x, b)[[1, 3]] - corners(f, x, b)[[0, 1]],
    "one ordering, feature 2 first": lambda f, x, b: corners(f, x, b)[[3, 2]] - corners(f, x, b)[[2, 0]],
    "each feature come first": lambda f, x, b: corners(f, x, b)[[1, 2]] - corners(f, x, b)[0],
    "away from the input": lambda f, x, b: corners(f, x, b)[3] - corners(f, x, b)[[2, 1]],
    "missing feature is 0": lambda f, x, b: two(f, x, 0 * b),
    "value at the baseline to be 0": lambda f, x, b: two(f, x, b) + corners(f, x, b)[0] / 2,
    "This is Integrated Gradients": lambda f, x, b: integrated_gradients(f, x[None], b[None], n_steps=200)[0],
    "share the change equally": lambda f, x, b: (corners(f, x, b)[3] - corners(f, x, b)[0]) / 2 * torch.ones(2),
    "The library's bshap did it": lambda f, x, b: bshap(f, x[None], b[None])[0],
    r"four corners, and average.*\nFor f = x1 x2 \+ 1": lambda f, x, b: two(f, x, b) * 1.5,
    "each of the two features": lambda f, x, b: two(f, x, b).sum(),
    "returned None": lambda f, x, b: None,
}

# --- sampling ----------------------------------------------------------------------------------------------------


def sampled(v, n, m, generator, order=None, scale=1.0, error=lambda gains: gains.std(0) / len(gains) ** 0.5):
    gains = torch.zeros(m, n)
    for k in range(m):
        before = []
        ordering = torch.randperm(n, generator=generator) if order is None else order(n, generator)
        for player in ordering.tolist():
            gains[k, player] = v([*before, player]) - v(before)
            before.append(player)
    return gains.mean(0) * scale, error(gains)


def sampled_by_values(v, n, m, generator):
    """One pass along each ordering, sums of squares, lists."""
    total, squares = [0.0] * n, [0.0] * n
    for _ in range(m):
        so_far, coalition = v(()), set()
        for p in torch.rand(n, generator=generator).argsort().tolist():
            coalition = coalition | {p}
            new = v(coalition)
            total[p], squares[p], so_far = total[p] + new - so_far, squares[p] + (new - so_far) ** 2, new
    means = [t / m for t in total]
    return means, [((s / m - a * a) / m) ** 0.5 for s, a in zip(squares, means, strict=True)]


def rotated(n, generator):
    return torch.arange(n).roll(int(torch.randint(n, (), generator=generator)))


def coalitions_instead(v, n, m, generator):
    gains = torch.zeros(m, n)
    for k in range(m):
        members = {i for i in range(n) if torch.rand((), generator=generator) < 0.5}
        for p in range(n):
            gains[k, p] = v(members | {p}) - v(members - {p})
    return gains.mean(0), gains.std(0) / m**0.5


def global_seed(v, n, m, generator):
    return sampled(v, n, m, None)


SAMPLING_WRONG = {
    "Return two things": lambda v, n, m, g: sampled(v, n, m, g)[0],
    "the estimates, one number for each of the 3 players": lambda v, n, m, g: (1.0, 2.0),
    "standard errors, one number for each": lambda v, n, m, g: (sampled(v, n, m, g)[0], 0.1),
    "the generator passed in": global_seed,
    "are your orderings random": lambda v, n, m, g: sampled(v, n, m, g, order=lambda n, g: torch.arange(n)),
    "summed over the orderings": lambda v, n, m, g: sampled(v, n, m, g, scale=m),
    "let all players join": coalitions_instead,
    "Every ordering must be equally likely": lambda v, n, m, g: sampled(v, n, m, g, order=rotated),
    "spread of single contributions": lambda v, n, m, g: sampled(v, n, m, g, error=lambda x: x.std(0)),
    "by its square root": lambda v, n, m, g: sampled(v, n, m, g, error=lambda x: x.std(0) / m),
    "variance of single contributions": lambda v, n, m, g: sampled(v, n, m, g, error=lambda x: x.var(0)),
    "variance of the mean": lambda v, n, m, g: sampled(v, n, m, g, error=lambda x: x.var(0) / m),
    "their errors are not": lambda v, n, m, g: sampled(v, n, m, g, error=lambda x: x.std(0) / 2),
    "one error for all players": lambda v, n, m, g: sampled(
        v, n, m, g, error=lambda x: torch.full((n,), float(x.var(0).mean().sqrt()) / m**0.5)
    ),
    "do you draw that many": lambda v, n, m, g: sampled(v, n, min(m, 50), g),
    "With only two orderings": lambda v, n, m, g: sampled(v, n, m + 1, g),
    "returned None": lambda v, n, m, g: None,
    "RuntimeError|TypeError|ValueError": lambda v, n, m, g: torch.randperm(n, generator=n),
}

# --- zero credit, real influence ---------------------------------------------------------------------------------


def table(*values):
    """A game from its values in binary order."""
    return lambda coalition: values[sum(1 << i for i in coalition)]


ZERO_WRONG = {
    "No coalition differs": lambda c: 1.0,
    "null player": lambda c: float(1 in c and 2 in c),
    "only ever helps": lambda c: min(len({0, 1} & c), len({2} & c)),
    "only ever does harm": lambda c: len(c) - 2.0 * (0 in c),
    "Player 1 gets nothing here": table(0, 1, 1, 1, 0, 2, 0, 1),
    "sums to zero over the coalitions": table(0, 1, 0, -1, 0, 0, 0, 0),
    "do not balance": table(0, 1, 0.3, -0.5, 0.2, 0.1, 0.4, 0.9),
    "one number for each coalition": lambda c: list(c),
    "returned None": lambda c: None,
    "NaN or infinity": lambda c: float("inf"),
    "KeyError": lambda c: {}[len(c)],
}

ALL = {
    shapley.check_marginal: ([marginal, marginal_by_loop], MARGINAL_WRONG),
    shapley.check_shapley: ([by_subsets, lambda v, n: tuple(by_subsets(v, n).tolist())], SHAPLEY_WRONG),
    shapley.check_bshap_two: (
        [two, two_by_numbers],
        BSHAP_WRONG,
    ),
    shapley.check_sampling: ([sampled, sampled_by_values], SAMPLING_WRONG),
    shapley.check_zero_credit: (
        [
            table(0, 1, 0, 0, 0, 0, 0, -1),
            table(0, 2, 0, -1, 0, -1, 0, -1),
            lambda c: torch.tensor(5 + 1e-3 * (c in ({0}, {1, 2}))),
        ],
        ZERO_WRONG,
    ),
}


def games(seed):
    generator = torch.Generator().manual_seed(seed)
    return [
        (table(*torch.randn(2**n, generator=generator).tolist()), n, 3, torch.Generator().manual_seed(seed))
        for n in (2, 3)
    ]


globals().update(
    shared_tests(
        ALL,
        family={
            shapley.check_sampling: (games, lambda answer: answer),
            shapley.check_zero_credit: (
                lambda seed: [({i for i in range(3) if mask >> i & 1},) for mask in range(8)],
                lambda answer: answer,
            ),
        },
        right_anyway={
            shapley.check_zero_credit: {
                r"NotIn|'[01].0': [01].0 -> -?[12].0|answer: (minus|doubled|half|one)|0.01 more": "a multiple of the "
                "game plus a constant: player 0 still gets nothing",
            }
        },
    )
)
