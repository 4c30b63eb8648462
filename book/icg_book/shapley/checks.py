"""Checks of the chapter on Shapley values."""

import math
from collections.abc import Callable
from itertools import combinations_with_replacement, permutations
from types import SimpleNamespace

import torch
from torch import Tensor

from icg.attribution import integrated_gradients
from icg.coalitions import shapley_sampling, shapley_values
from icg.shapley import bshap
from icg_book.kit.answers import NotYet, Property, Values, close, numbers, written
from icg_book.kit.answers import accept as accept

# ---- games ------------------------------------------------------------------------------------------------------


def _game(table: Tensor, most: float = math.inf) -> Callable[..., float]:
    """The value function of a coalition, any collection of players, from all values in binary order.

    It refuses to be asked more often than ``most`` times.
    """
    values, asked = table.tolist(), 0

    def v(coalition):
        nonlocal asked
        asked += 1
        if asked > most:
            raise NotYet(
                f"You ask `v` more than {most} times for {int(math.log2(len(values)))} players: you go through the "
                "orderings. The sum over coalitions needs two values for each player and coalition of the others."
            )
        return values[sum(1 << int(i) for i in set(coalition))]

    members = ("{}", "{0}", "{1}", "{0, 1}", "{2}", "{0, 2}", "{1, 2}", "{0, 1, 2}")
    text = ", ".join(f"v({who}) = {value:.2f}" for who, value in zip(members, values, strict=False))
    return written(f"({text}{', …' * (len(values) > 8)})", v)


def _tables(seed: int, *sizes: int) -> list[Tensor]:
    """Games whose numbers have no pattern; with nobody there the value is not 0."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(2**n, generator=generator, dtype=torch.float64) for n in sizes]


def _joins(v, player, before) -> float:
    return v({*before, player}) - v(before)


def _walk(v, n: int, gain=_joins) -> Tensor:
    """Mean over all orderings of ``gain(v, player, who came before)``."""
    total = torch.zeros(n, dtype=torch.float64)
    for ordering in permutations(range(n)):
        for k, player in enumerate(ordering):
            total[player] += gain(v, player, ordering[:k])
    return total / math.factorial(n)


# ---- what one player adds ---------------------------------------------------------------------------------------


def _marginal(v, ordering, player):
    before = set(ordering[: ordering.index(player)])
    return v(before | {player}) - v(before)


def _marginal_cases(seed: int) -> list[tuple]:
    two, three, four = _tables(seed, 2, 3, 4)
    shuffled = torch.randperm(4, generator=torch.Generator().manual_seed(seed)).tolist()
    cases = [(two, (1, 0), 0), (two, (1, 0), 1), (three, (2, 0, 1), 1), (three, (2, 0, 1), 2), (three, (0, 2, 1), 2)]
    cases += [(four, (3, 1, 0, 2), player) for player in (0, 1)] + [(four, tuple(shuffled), k) for k in range(4)]
    return [(_game(table), ordering, player) for table, ordering, player in cases]


check_marginal = Values(
    task="``function(v, ordering, player) -> number``: what a player adds when all join in this ordering.",
    stub="my_marginal",
    reference=_marginal,
    cases=_marginal_cases,
    returns="one number",
    praise="Right: that is the marginal contribution.",
    otherwise="Take those before the player in the ordering, then the same with the player, and subtract.",
    hints={
        "The sign is reversed: the value with the player minus the value before.": (
            lambda v, o, p: v(o[: o.index(p)]) - v(o[: o.index(p) + 1])
        ),
        "You let the player join nobody. Let it join those who stand before it in the ordering.": (
            lambda v, o, p: v({p}) - v(())
        ),
        "This is what the player achieves alone. Who has come before it?": lambda v, o, p: v({p}),
        "This is the value once the player has joined. Subtract the value just before.": (
            lambda v, o, p: v(o[: o.index(p) + 1])
        ),
        "This is the value before the player joins. What changes then?": lambda v, o, p: v(o[: o.index(p)]),
        "You let the player join last of all. It joins after those who stand before it, and nobody else.": (
            lambda v, o, p: v(o) - v({*o} - {p})
        ),
        "You let the player join those who stand after it. Take those before it.": (
            lambda v, o, p: _joins(v, p, o[o.index(p) + 1 :])
        ),
        "You subtract the value of nobody. Subtract the value of those who came before the player.": (
            lambda v, o, p: v(o[: o.index(p) + 1]) - v(())
        ),
        "You take `player` for a place in the ordering. It is a player's number: find where it stands.": (
            lambda v, o, p: v({*o[:p], o[p]}) - v(o[:p]),
            lambda v, o, p: v({*o[:p], p}) - v(o[:p]),
        ),
        "You let everybody join who is not the player. Only those before it have come.": (
            lambda v, o, p: v(o) - v(o[: o.index(p)])
        ),
    },
)

# ---- Shapley values without orderings ---------------------------------------------------------------------------


def _shapley(v, n):
    values = []
    for player in range(n):
        value = 0.0
        for mask in range(2**n):
            others = {i for i in range(n) if mask >> i & 1}
            if player not in others:
                s = len(others)
                weight = math.factorial(s) * math.factorial(n - s - 1) / math.factorial(n)
                value += weight * (v(others | {player}) - v(others))
        values.append(value)
    return values


def _weighed(weigh: Callable[[int, int], float], gain=_joins):
    """A sum over coalitions without the player, each with the weight ``weigh(its size, n)``."""

    def answer(v, n):
        total = torch.zeros(n, dtype=torch.float64)
        for player in range(n):
            for mask in range(2**n):
                others = [i for i in range(n) if mask >> i & 1]
                if player not in others:
                    total[player] += weigh(len(others), n) * gain(v, player, others)
        return total

    return answer


def _weight(s, n) -> float:
    return math.factorial(s) * math.factorial(n - s - 1) / math.factorial(n)


check_shapley = Values(
    task="``function(v, n) -> n numbers``: Shapley values by the weights of the coalitions.",
    stub="my_shapley",
    reference=_shapley,
    # Six players have 720 orderings: whoever goes through them asks 5,000 times, a sum over coalitions 400 times.
    cases=lambda seed: [
        (_game(table, 1000), n) for n, table in zip((2, 3, 4, 6), _tables(seed, 2, 3, 4, 6), strict=True)
    ],
    returns="one number for each player",
    library=(shapley_values, shapley_sampling),
    praise="Right: these are the Shapley values.",
    otherwise="Weigh what a player adds to a coalition by the share of the orderings in which exactly that coalition "
    "has come before it.",
    hints={
        "Every sign is reversed: with the player minus without.": _weighed(lambda s, n: -_weight(s, n)),
        "You averaged over coalitions, all with one weight, instead of over orderings: a coalition that more orderings "
        "pass through counts more.": _weighed(lambda s, n: 1 / 2 ** (n - 1)),
        "You summed over the coalitions without weights.": _weighed(lambda s, n: 1.0),
        "You summed over the orderings instead of averaging: there are n! of them.": (
            _weighed(lambda s, n: _weight(s, n) * math.factorial(n))
        ),
        "You forgot the empty coalition: a player who comes first joins nobody, and that counts.": (
            _weighed(lambda s, n: _weight(s, n) * (s > 0))
        ),
        "You left out the coalition of all others: a player who comes last joins them.": (
            _weighed(lambda s, n: _weight(s, n) * (s < n - 1))
        ),
        "You take the value of nobody to be 0. Ask `v` for it: here it is not.": (
            lambda v, n: _weighed(_weight)(lambda c: v(c) if len(set(c)) else 0.0, n)
        ),
        "You add up the averages of the coalition sizes. Each size is equally likely: average them, too.": (
            _weighed(lambda s, n: 1 / math.comb(n - 1, s))
        ),
        "Your weights do not add up to 1 for a player: after it has joined, n - s - 1 are left.": (
            _weighed(lambda s, n: math.factorial(s) * math.factorial(n - s) / math.factorial(n))
        ),
        "You average what the coalitions with the player achieve. Average what the player adds to them.": (
            _weighed(_weight, lambda v, p, others: v({*others, p}))
        ),
        "You let every player join nobody only. Let it join every coalition of the others.": (
            lambda v, n: [_joins(v, p, ()) for p in range(n)]
        ),
        "You let every player join last only. Let it join every coalition of the others.": (
            lambda v, n: [_joins(v, p, {*range(n)} - {p}) for p in range(n)]
        ),
        "You share equally among all. What does each player add?": lambda v, n: [(v(range(n)) - v(())) / n] * n,
        "You used one ordering, 0, 1, 2 and so on. All orderings count equally.": (
            lambda v, n: [_joins(v, p, range(p)) for p in range(n)]
        ),
        "You return the sum over the players. Return one number for each.": lambda v, n: v(range(n)) - v(()),
    },
)

# ---- BShap of two features --------------------------------------------------------------------------------------


def _bshap_two(f, x, baseline):
    corners = torch.stack([baseline, torch.stack([x[0], baseline[1]]), torch.stack([baseline[0], x[1]]), x])
    nobody, first, second, both = f(corners)
    return torch.stack([first - nobody + both - second, second - nobody + both - first]) / 2


def _bshap_cases(seed: int) -> list[tuple]:
    def point(*numbers):
        return torch.tensor(numbers, dtype=torch.float64)

    product = written("x1 x2 + 1", lambda z: z[:, 0] * z[:, 1] + 1)
    larger = written("max(x1, 2 x2)", lambda z: torch.maximum(z[:, 0], 2 * z[:, 1]))
    cubic = written("2 x1 - x2 + 3 x1 x2²", lambda z: 2 * z[:, 0] - z[:, 1] + 3 * z[:, 0] * z[:, 1] ** 2)
    generator = torch.Generator().manual_seed(seed)
    drawn = [(f, *torch.randn(2, 2, generator=generator, dtype=torch.float64)) for f in (product, cubic)]
    return [
        (product, point(-1.0, 0.5), point(2.0, 0.25)),
        (larger, point(0.9, 0.7), point(0.2, -0.3)),
        (cubic, point(1.0, 2.0), point(0.5, -1.0)),
        *drawn,
    ]


def _of_corners(credits: Callable):
    """A mistaken answer from the values at the four corners: of nobody, the first, the second, both."""

    def answer(f, x, b):
        return credits(*f(torch.stack([b, torch.stack([x[0], b[1]]), torch.stack([b[0], x[1]]), x])))

    return answer


check_bshap_two = Values(
    task="``function(f, x, baseline) -> (2,)``: BShap of two features; ``f`` takes ``(N, 2)`` to ``(N,)``.",
    stub="my_bshap_two",
    reference=_bshap_two,
    cases=_bshap_cases,
    returns="one number for each of the two features",
    library=(bshap,),
    without_library=True,
    praise="Right: four corners, two orderings.",
    otherwise="Ask `f` at the four corners, and average what each feature adds over the two orderings.",
    hints={
        "Every sign is reversed: start at the baseline, and swap in the features of the input.": (
            lambda f, x, b: _bshap_two(f, b, x)
        ),
        "You added up both orderings. Average them.": lambda f, x, b: 2 * _bshap_two(f, x, b),
        "The two features are the wrong way round.": lambda f, x, b: _bshap_two(f, x, b).flip(0),
        "You used one ordering, feature 1 first. Average with the other one.": (
            _of_corners(lambda o, a, b, ab: [a - o, ab - a])
        ),
        "You used one ordering, feature 2 first. Average with the other one.": (
            _of_corners(lambda o, a, b, ab: [ab - b, b - o])
        ),
        "You let each feature come first. In the other ordering it finds the other one there.": (
            _of_corners(lambda o, a, b, ab: [a - o, b - o])
        ),
        "You take each feature away from the input. In the other ordering it comes first.": (
            _of_corners(lambda o, a, b, ab: [ab - b, ab - a])
        ),
        "A missing feature is 0 in your answer. Take its value from the baseline.": (
            lambda f, x, b: _bshap_two(f, x, torch.zeros_like(x))
        ),
        "You take the value at the baseline to be 0. Ask `f` for it.": (
            _of_corners(lambda o, a, b, ab: [(a + ab - b) / 2, (b + ab - a) / 2])
        ),
        "You share the change equally. What does each feature add?": (
            _of_corners(lambda o, a, b, ab: [(ab - o) / 2] * 2)
        ),
        "This is Integrated Gradients: it walks between the corners. BShap asks at the four corners only.": (
            lambda f, x, b: integrated_gradients(f, x[None], b[None], n_steps=20)[0],
            lambda f, x, b: integrated_gradients(f, x[None], b[None], n_steps=50)[0],
            lambda f, x, b: integrated_gradients(f, x[None], b[None], n_steps=100)[0],
            lambda f, x, b: integrated_gradients(f, x[None], b[None], n_steps=200)[0],
        ),
    },
)

# ---- an estimate and its error ----------------------------------------------------------------------------------


def _sampling(v, n, n_permutations, generator):
    gains = torch.zeros(n_permutations, n, dtype=torch.float64)
    for k in range(n_permutations):
        before: set[int] = set()
        for player in torch.randperm(n, generator=generator).tolist():
            gains[k, player] = v(before | {player}) - v(before)
            before.add(player)
    return gains.mean(0), gains.std(0) / n_permutations**0.5


def _observe_sampling(asked, seed: int) -> SimpleNamespace:
    """Two orderings of three players, where every pair can be listed, and 300 orderings of five, several times."""

    def ask(table, m, seed):
        answer = asked(_game(table), int(math.log2(len(table))), m, torch.Generator().manual_seed(seed))
        if not isinstance(answer, (tuple, list, Tensor)) or len(answer) != 2:
            raise NotYet("Return two things: the estimates and their standard errors.")
        n = int(math.log2(len(table)))
        made = []
        for part, what in zip(answer, ("the estimates", "the standard errors"), strict=True):
            part = numbers(part, f"{what}, one number for each player")
            if part.numel() != n:
                raise NotYet(f"Return {what}, one number for each of the {n} players; yours are {part.numel()}.")
            made.append(part.reshape(n))
        return made

    small, large = _tables(seed, 3, 5)
    large = large * torch.linspace(0.5, 3, 32, dtype=torch.float64)  # so that players differ in their spread
    m, seeds = 300, range(1000 * seed, 1000 * seed + 8)
    few = [ask(small, 2, s) for s in seeds]
    again = ask(small, 2, seeds[0])
    many = [ask(large, m, s) for s in seeds]

    def of(table):
        v, n = _game(table), int(math.log2(len(table)))
        mean = _walk(v, n)
        spread = (_walk(v, n, lambda v, p, before: _joins(v, p, before) ** 2) - mean**2).sqrt()
        rows = [[_joins(v, p, o[: o.index(p)]) for p in range(n)] for o in permutations(range(n))]
        return mean, spread, torch.tensor(rows, dtype=torch.float64)

    mean, spread, _ = of(large)
    pairs = torch.stack([torch.stack(pair) for pair in combinations_with_replacement(of(small)[2], 2)])

    def is_pair(estimates, errors) -> bool:
        """Whether these are the mean of two orderings and its error, by the spread over m - 1 or over m."""
        errors = errors.nan_to_num(0)  # the root of a rounding error below 0
        right = (pairs.mean(1) - estimates).abs().amax(1) <= 1e-4
        near = [(pairs.std(1) * scale - errors).abs().amax(1) <= 1e-4 for scale in (2**-0.5, 0.5)]
        return bool((right & (near[0] | near[1])).any())

    estimates, errors = (torch.stack(parts) for parts in zip(*many, strict=True))
    return SimpleNamespace(
        repeatable=all(close(a, b, 1e-9) for a, b in zip(again, few[0], strict=True)),
        random=len({tuple(e.tolist()) for e, _ in many}) > 1 and len({tuple(e.tolist()) for e, _ in few}) > 1,
        finite=bool(estimates.isfinite().all()),
        estimates=estimates,
        errors=errors.mean(0),
        mean=mean,
        spread=spread,
        m=m,
        total=float(large[-1] - large[0]),
        # 1, but for chance, where the errors tell how far off the estimates are
        surprise=float((((estimates - mean) / (spread / m**0.5)) ** 2).mean()),
        pairs=all(is_pair(*each) for each in few),
    )


def _near(found: Tensor, expected: Tensor, allowed: float = 0.15) -> bool:
    return bool(((found / expected - 1).abs() < allowed).all())


check_sampling = Property(
    task="``function(v, n, n_permutations, generator) -> (values, errors)``, ``n`` numbers each.",
    stub="my_sampling",
    reference=_sampling,
    observe=_observe_sampling,
    library=(shapley_values, shapley_sampling),
    praise="Right: and the error tells how far to trust it.",
    hints={
        "The same generator in the same state gave other numbers: draw from the generator passed in.": (
            lambda o: not o.repeatable
        ),
        "There is NaN or infinity among your estimates.": lambda o: not o.finite,
        "Another seed gave the same estimates: are your orderings random at all?": lambda o: not o.random,
        "You summed over the orderings. Divide by their number.": (
            lambda o: (
                bool(((o.estimates / o.m - o.mean).abs() <= 6 * o.spread / o.m**0.5).all())
                and not bool(((o.estimates - o.mean).abs() <= 6 * o.spread / o.m**0.5).all())
            )
        ),
        "Your estimates do not add up to everybody minus nobody, and with whole orderings they do exactly: let all "
        "players join, one after the other, and count what each adds to those before it.": (
            lambda o: float((o.estimates.sum(1) - o.total).abs().max()) > 1e-4
        ),
        "Your estimates are off by more than chance. Every ordering must be equally likely, and what a player adds "
        "must be booked to that player, not to its place in the ordering.": (
            lambda o: (
                float((o.estimates.mean(0) - o.mean).abs().max())
                > 6 * float((o.spread / (o.m * len(o.estimates)) ** 0.5).max())
            )
        ),
        "Your estimates scatter more than those of `n_permutations` orderings: do you draw that many?": (
            lambda o: o.surprise > 2.5
        ),
        "This is the spread of single contributions. A mean of many is surer, by the root of their number.": (
            lambda o: _near(o.errors, o.spread)
        ),
        "You divide the spread by the number of orderings. Divide by its square root.": (
            lambda o: _near(o.errors, o.spread / o.m)
        ),
        "This is the variance of single contributions: take its root, and a mean is surer than that.": (
            lambda o: _near(o.errors, o.spread**2)
        ),
        "This is the variance of the mean: take its root.": lambda o: _near(o.errors, o.spread**2 / o.m),
        "You return one error for all players. Each has its own.": (
            lambda o: bool((o.errors - o.errors[0]).abs().max() < 1e-6)
        ),
        "The estimates are right, their errors are not: the spread of a player's contributions over the orderings, "
        "divided by the root of how many there are.": lambda o: not _near(o.errors, o.spread / o.m**0.5),
        "With only two orderings, your numbers are not the mean of two orderings and its standard error.": (
            lambda o: not o.pairs
        ),
    },
)

# ---- zero credit, real influence --------------------------------------------------------------------------------


def _zero_credit(coalition):
    return 1.0 if set(coalition) in ({0}, {1, 2}) else 0.0


def _observe_zero_credit(asked, seed: int) -> SimpleNamespace:
    values = []
    for mask in range(8):
        value = numbers(asked({i for i in range(3) if mask >> i & 1}), "one number for each coalition")
        if value.numel() != 1:
            raise NotYet(f"Return one number for each coalition; yours has shape {tuple(value.shape)}.")
        values.append(value.item())
    table = torch.tensor(values, dtype=torch.float64)
    v = _game(table)
    size = float(table.max() - table.min())
    return SimpleNamespace(
        finite=bool(table.isfinite().all()),
        size=size,
        phi=(_walk(v, 3) / max(size, 1e-12)).tolist(),
        gains=[_joins(v, 0, others) / max(size, 1e-12) for others in ((), (1,), (2,), (1, 2))],
    )


check_zero_credit = Property(
    task="``function(coalition) -> number`` for players 0, 1, 2: player 0 gets nothing although it makes a difference.",
    stub="my_zero_credit",
    reference=_zero_credit,
    observe=_observe_zero_credit,
    praise="Right: no credit on average, and yet player 0 matters. A zero does not say 'has no influence'.",
    hints={
        "There is NaN or infinity among your numbers.": lambda o: not o.finite,
        "No coalition differs from any other: player 0 should matter somewhere.": lambda o: o.size == 0,
        "Player 0 never adds anything: a null player. It should matter somewhere.": (
            lambda o: max(map(abs, o.gains)) <= 1e-6
        ),
        "Player 1 gets nothing here. Let it be player 0.": lambda o: abs(o.phi[0]) > 1e-6 and abs(o.phi[1]) <= 1e-6,
        "Player 2 gets nothing here. Let it be player 0.": lambda o: abs(o.phi[0]) > 1e-6 and abs(o.phi[2]) <= 1e-6,
        "Player 0 only ever helps, so its average is above zero. Let it also do harm somewhere.": (
            lambda o: min(o.gains) >= 0
        ),
        "Player 0 only ever does harm, so its average is below zero. Let it also help somewhere.": (
            lambda o: max(o.gains) <= 0
        ),
        "What player 0 adds sums to zero over the coalitions, but orderings pass through them unequally often: joining "
        "nobody or both others counts twice as much as joining one of them.": (
            lambda o: abs(o.phi[0]) > 1e-6 and abs(sum(o.gains)) <= 1e-6
        ),
        "Player 0 helps and does harm, but they do not balance over the six orderings yet.": (
            lambda o: abs(o.phi[0]) > 1e-6
        ),
    },
)
