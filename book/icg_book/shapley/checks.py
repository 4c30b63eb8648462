"""Checks of the chapter on Shapley values."""

import math
from collections.abc import Callable
from itertools import permutations

import torch
from torch import Tensor

from icg.attribution import integrated_gradients
from icg_book.kit.answers import NotYet, call, close, meet, reference
from icg_book.kit.answers import accept as accept

# ---- what the checks share ------------------------------------------------------------------------------------


def _numbers(answer, what: str, shape: tuple[int, ...]) -> Tensor:
    """An answer as a float64 tensor of this shape; numbers, lists and tensors are all welcome."""
    try:
        if isinstance(answer, (list, tuple)):
            answer = [float(a) for a in answer]
        tensor = torch.as_tensor(answer).detach().double()
    except (TypeError, ValueError, RuntimeError):
        raise NotYet(f"Return {what}; yours is a {type(answer).__name__}.") from None
    if tensor.numel() != math.prod(shape):
        raise NotYet(f"Return {what}; yours has shape {tuple(tensor.shape)}.")
    if not tensor.isfinite().all():
        raise NotYet("There is NaN or infinity among your numbers.")
    return tensor.reshape(shape)


def _game(table: Tensor) -> Callable[..., float]:
    """The value function of a coalition, any collection of players, from all values in binary order."""
    values = table.tolist()
    return lambda coalition: values[sum(1 << int(i) for i in set(coalition))]


def _random_tables() -> list[Tensor]:
    """Games of 3, 4 and 2 players whose numbers have no pattern; with nobody there the value is not 0."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2**n, generator=generator, dtype=torch.float64) for n in (3, 4, 2)]


def _walk(v, n, gain) -> Tensor:
    """Mean over all orderings of ``gain(player, who came before, who comes after)``."""
    total = torch.zeros(n, dtype=torch.float64)
    for ordering in permutations(range(n)):
        for k, player in enumerate(ordering):
            total[player] += gain(player, ordering[:k], ordering[k + 1 :])
    return total / math.factorial(n)


def _joins(v, player, before) -> float:
    return v({*before, player}) - v(before)


# ---- the references -------------------------------------------------------------------------------------------


@reference("my_marginal")
def _marginal(v, ordering, player):
    before = ordering[: list(ordering).index(player)]
    return v({*before, player}) - v(set(before))


@reference("my_shapley")
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


@reference("my_bshap_two")
def _bshap_two(f, x, baseline):
    corners = torch.stack([baseline, torch.stack([x[0], baseline[1]]), torch.stack([baseline[0], x[1]]), x])
    nobody, first, second, both = f(corners)
    return torch.stack([first - nobody + both - second, second - nobody + both - first]) / 2


@reference("my_sampling")
def _sampling(v, n, n_permutations, generator):
    gains = torch.zeros(n_permutations, n, dtype=torch.float64)
    for k in range(n_permutations):
        before: set[int] = set()
        for player in torch.randperm(n, generator=generator).tolist():
            gains[k, player] = v(before | {player}) - v(before)
            before.add(player)
    return gains.mean(0), gains.std(0) / n_permutations**0.5


@reference("my_zero_credit")
def _zero_credit(coalition):
    return 1.0 if set(coalition) in ({0}, {1, 2}) else 0.0


# ---- the checks -----------------------------------------------------------------------------------------------


def check_marginal(function) -> None:
    """``function(v, ordering, player) -> number``: what a player adds when all join in this ordering."""
    tables = _random_tables()
    cases = [(0, (2, 0, 1), 1), (0, (2, 0, 1), 2), (1, (3, 1, 0, 2), 0), (1, (0, 2, 3, 1), 3), (2, (1, 0), 0)]

    def each(answer) -> Tensor:
        return torch.tensor([answer(_game(tables[k]), order, player) for k, order, player in cases])

    def at_place(v, order, player):
        return v({*order[:player], order[player]}) - v(order[:player])

    def after(v, order, player):
        return _joins(v, player, order[order.index(player) + 1 :])

    right = each(_marginal).double()
    answers = [
        _numbers(call(function, _game(tables[k]), order, player), "one number", ()) for k, order, player in cases
    ]
    meet(
        torch.stack(answers),
        right,
        [
            (-right, "The sign is reversed: the value with the player minus the value before."),
            (
                each(lambda v, o, p: v({p}) - v(())),
                "You let the player join nobody. Let it join those who stand before it in the ordering.",
            ),
            (each(lambda v, o, p: v({p})), "This is what the player achieves alone. Who has come before it?"),
            (
                each(lambda v, o, p: v(o[: o.index(p) + 1])),
                "This is the value once the player has joined. Subtract the value just before.",
            ),
            (each(lambda v, o, p: v(o[: o.index(p)])), "This is the value before the player joins. What changes then?"),
            (
                each(lambda v, o, p: v(o) - v(set(o) - {p})),
                "You let the player join last of all. It joins after those who stand before it, and nobody else.",
            ),
            (each(after), "You let the player join those who stand after it. Take those before it."),
            (
                each(lambda v, o, p: v(o[: o.index(p) + 1]) - v(())),
                "You subtract the value of nobody. Subtract the value of those who came before the player.",
            ),
            (
                each(at_place),
                "You take `player` for a place in the ordering. It is a player's number: find where it stands.",
            ),
        ],
        "Not what the player adds: take those before it in the ordering, then the same with the player, and subtract.",
    )
    print("Right: that is the marginal contribution.")


def check_shapley(function) -> None:
    """``function(v, n) -> n numbers``: Shapley values by the weights of the coalitions."""
    tables = _random_tables()
    games = [(_game(table), len(table).bit_length() - 1) for table in tables]
    answers = [_numbers(call(function, v, n), f"one number for each of the {n} players", (n,)) for v, n in games]

    def each(answer) -> Tensor:
        return torch.cat([answer(v, n) for v, n in games])

    def subsets(weigh, gain=_joins):
        """Sum over coalitions without the player, each with the weight ``weigh(size, n)``."""

        def answer(v, n):
            total = torch.zeros(n, dtype=torch.float64)
            for player in range(n):
                for mask in range(2**n):
                    others = [i for i in range(n) if mask >> i & 1]
                    if player not in others:
                        total[player] += weigh(len(others), n) * gain(v, player, others)
            return total

        return answer

    def weight(s, n):
        return math.factorial(s) * math.factorial(n - s - 1) / math.factorial(n)

    def per_size(s, n):
        return 1 / math.comb(n - 1, s)

    right = each(subsets(weight))
    whole = {n: range(n) for _, n in games}
    meet(
        torch.cat(answers),
        right,
        [
            (-right, "Every sign is reversed: with the player minus without."),
            (
                each(subsets(lambda s, n: 1 / 2 ** (n - 1))),
                "You averaged over coalitions, all with one weight, instead of over orderings: a coalition that more "
                "orderings pass through counts more.",
            ),
            (each(subsets(lambda s, n: 1.0)), "You summed over the coalitions without weights."),
            (
                each(subsets(lambda s, n: weight(s, n) * math.factorial(n))),
                "You summed over the orderings instead of averaging: there are n! of them.",
            ),
            (
                each(subsets(lambda s, n: weight(s, n) * (s > 0))),
                "You forgot the empty coalition: a player who comes first joins nobody, and that counts.",
            ),
            (
                each(subsets(lambda s, n: weight(s, n) * (s < n - 1))),
                "You left out the coalition of all others: a player who comes last joins them.",
            ),
            (
                each(lambda v, n: subsets(weight)(lambda c: v(c) if len(set(c)) else 0.0, n)),
                "You take the value of nobody to be 0. Ask `v` for it: here it is not.",
            ),
            (
                each(subsets(per_size)),
                "You add up the averages of the coalition sizes. Each size is equally likely: average them, too.",
            ),
            (
                each(subsets(lambda s, n: math.factorial(s) * math.factorial(n - s) / math.factorial(n))),
                "Your weights do not add up to 1 for a player: after it has joined, n - s - 1 are left.",
            ),
            (
                each(subsets(weight, lambda v, p, others: v({*others, p}))),
                "You average what the coalitions with the player achieve. Average what the player adds to them.",
            ),
            (
                each(lambda v, n: torch.tensor([_joins(v, p, ()) for p in range(n)], dtype=torch.float64)),
                "You let every player join nobody only. Let it join every coalition of the others.",
            ),
            (
                each(lambda v, n: torch.tensor([_joins(v, p, set(whole[n]) - {p}) for p in range(n)]).double()),
                "You let every player join last only. Let it join every coalition of the others.",
            ),
            (
                each(lambda v, n: torch.full((n,), (v(whole[n]) - v(())) / n, dtype=torch.float64)),
                "You share equally among all. What does each player add?",
            ),
            (
                each(
                    lambda v, n: torch.tensor([_joins(v, p, range(p)) for p in range(n)], dtype=torch.float64),
                ),
                "You used one ordering, 0, 1, 2 and so on. All orderings count equally.",
            ),
        ],
        "Not the Shapley values: weigh what a player adds to a coalition by the share of the orderings in which "
        "exactly that coalition has come before it.",
    )
    print("Right: no ordering was needed, and yet all of them have been counted.")


def check_bshap_two(function) -> None:
    """``function(f, x, baseline) -> (2,)``: BShap of two features; ``f`` takes ``(N, 2)`` to ``(N,)``."""

    def polynomial(z):
        return 2 * z[:, 0] - z[:, 1] + 3 * z[:, 0] * z[:, 1] ** 2

    def larger(z):
        return torch.maximum(z[:, 0], 2 * z[:, 1])

    def point(*numbers):
        return torch.tensor(numbers, dtype=torch.float64)

    cases = [
        (polynomial, point(1.0, 2.0), point(0.5, -1.0)),
        (larger, point(0.9, 0.7), point(0.2, -0.3)),
        (lambda z: z[:, 0] * z[:, 1] + 1, point(-1.0, 0.5), point(2.0, 0.25)),
    ]
    answers = [
        _numbers(call(function, f, x.clone(), b.clone()), "one number for each of the two features", (2,))
        for f, x, b in cases
    ]

    answer = torch.cat(answers)

    def each(credits) -> Tensor:
        corners = (f(torch.stack([b, torch.stack([x[0], b[1]]), torch.stack([b[0], x[1]]), x])) for f, x, b in cases)
        return torch.cat([credits(*values) for values in corners])

    right = each(lambda o, a, b, ab: torch.stack([a - o + ab - b, b - o + ab - a]) / 2)
    paths = torch.cat([integrated_gradients(f, x[None], b[None], n_steps=400)[0] for f, x, b in cases])
    if close(answer, paths, 0.02) and not close(answer, right):
        raise NotYet("This is Integrated Gradients: it walks between the corners. BShap asks at the four corners only.")
    meet(
        answer,
        right,
        [
            (-right, "Every sign is reversed: start at the baseline, and swap in the features of the input."),
            (2 * right, "You added up both orderings. Average them."),
            (right.view(-1, 2).flip(1).flatten(), "The two features are the wrong way round."),
            (
                each(lambda o, a, b, ab: torch.stack([a - o, ab - a])),
                "You used one ordering, feature 1 first. Average with the other one.",
            ),
            (
                each(lambda o, a, b, ab: torch.stack([ab - b, b - o])),
                "You used one ordering, feature 2 first. Average with the other one.",
            ),
            (
                each(lambda o, a, b, ab: torch.stack([a - o, b - o])),
                "You let each feature come first. In the other ordering it finds the other one there.",
            ),
            (
                each(lambda o, a, b, ab: torch.stack([ab - b, ab - a])),
                "You take each feature away from the input. In the other ordering it comes first.",
            ),
            (
                torch.cat([_bshap_two(f, x, torch.zeros_like(x)) for f, x, _ in cases]),
                "A missing feature is 0 in your answer. Take its value from the baseline.",
            ),
            (
                each(lambda o, a, b, ab: torch.stack([a + ab - b, b + ab - a]) / 2),
                "You take the value at the baseline to be 0. Ask `f` for it.",
            ),
        ],
        "Not BShap: ask `f` at the four corners, and average what each feature adds over the two orderings.",
    )
    print("Right: four corners, two orderings.")


def check_sampling(function) -> None:
    """``function(v, n, n_permutations, generator) -> (values, errors)``, ``n`` numbers each."""
    n, m = 5, 400
    table = 3 * torch.randn(2**n, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    v = _game(table)

    def ask(seed):
        answer = call(function, v, n, m, torch.Generator().manual_seed(seed))
        if not isinstance(answer, (tuple, list)) or len(answer) != 2:
            raise NotYet("Return two things: the estimates and their standard errors.")
        return tuple(
            _numbers(a, f"{what}, one number for each player", (n,))
            for a, what in zip(answer, ("estimates", "standard errors"), strict=True)
        )

    values, errors = ask(0)
    if not all(close(a, b) for a, b in zip(ask(0), (values, errors), strict=True)):
        raise NotYet("The same generator in the same state gave other numbers: draw from the generator passed in.")
    if close(ask(1)[0], values, 1e-9):
        raise NotYet("Another seed gave the same estimates: are your orderings random at all?")

    right = _walk(v, n, lambda p, before, _: _joins(v, p, before))
    spread = (_walk(v, n, lambda p, before, _: _joins(v, p, before) ** 2) - right**2).sqrt()
    error = spread / m**0.5

    def near(expected, allowed=6 * error):
        return bool(((values - expected).abs() <= allowed).all())

    if not close(values.sum(), table[-1] - table[0], 1e-6):
        if near(m * right, 6 * m * error):
            raise NotYet("You summed over the orderings. Divide by their number.")
        raise NotYet(
            "Your estimates do not add up to everybody minus nobody, and with whole orderings they do exactly: let all "
            "players join, one after the other, and count what each adds."
        )
    if not near(right):
        raise NotYet("Your estimates come from orderings that are not equally likely: draw them by `torch.randperm`.")
    scales = {
        "This is the spread of single contributions. A mean of many is surer, by the root of their number.": spread,
        "You divide the spread by the number of orderings. Divide by its square root.": spread / m,
        "This is the variance of single contributions: take its root, and a mean is surer than that.": spread**2,
        "This is the variance of the mean: take its root.": error**2,
    }
    if not bool(((errors / error - 1).abs() < 0.3).all()):
        for hint, wrong in scales.items():
            if bool(((errors / wrong - 1).abs() < 0.3).all()):
                raise NotYet(hint)
        raise NotYet(
            "The estimates are right, their errors are not: the spread of a player's contributions over the orderings, "
            "divided by the root of how many there are."
        )
    print("Right: and the error tells how far to trust it.")


def check_zero_credit(function) -> None:
    """``function(coalition) -> number`` for players 0, 1, 2: player 0 gets nothing although it makes a difference."""
    values = []
    for mask in range(8):
        coalition = {i for i in range(3) if mask >> i & 1}
        values.append(_numbers(call(function, set(coalition)), "one number for each coalition", ()).item())
    table = torch.tensor(values, dtype=torch.float64)
    v = _game(table)
    size = float((table.max() - table.min()).clamp(min=1e-12))
    phi = _walk(v, 3, lambda p, before, _: _joins(v, p, before))
    gains = [_joins(v, 0, others) for others in ((), (1,), (2,), (1, 2))]
    if max(map(abs, gains)) <= 1e-9 * size:
        everybody = "No coalition differs from any other." if table.max() == table.min() else ""
        raise NotYet(f"{everybody} Player 0 never adds anything: a null player. It should matter somewhere.".strip())
    if abs(phi[0]) > 1e-6 * size:
        others = [p for p in (1, 2) if abs(phi[p]) <= 1e-6 * size]
        if others:
            raise NotYet(f"Player {others[0]} gets nothing here. Let it be player 0.")
        if min(gains) >= 0:
            raise NotYet("Player 0 only ever helps, so its average is above zero. Let it also do harm somewhere.")
        if max(gains) <= 0:
            raise NotYet("Player 0 only ever does harm, so its average is below zero. Let it also help somewhere.")
        if abs(sum(gains)) <= 1e-6 * size:
            raise NotYet(
                "What player 0 adds sums to zero over the coalitions, but orderings pass through them unequally often: "
                "joining nobody or both others counts twice as much as joining one of them."
            )
        raise NotYet("Player 0 helps and does harm, but they do not balance over the six orderings yet.")
    print("Right: no credit on average, and yet player 0 matters. A zero does not say 'has no influence'.")
