"""Checks of the chapter on Integrated Gradients."""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from icg.attribution import integrated_gradients
from icg.quadrature import quadrature
from icg_book.kit.answers import NotYet, Values, written
from icg_book.kit.answers import accept as accept


def _matrix(*rows) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


# ---- the signed gap ---------------------------------------------------------------------------------------------


def _completeness_gap(f, x, baseline, attributions):
    return attributions.sum(1) - (f(x) - f(baseline))


def _gap_cases(seed: int) -> list[tuple]:
    generator = torch.Generator().manual_seed(seed)
    product = written("x1 x2 + 1", lambda z: z[:, 0] * z[:, 1] + 1)
    bent = written("exp(x1) - 2 x2²", lambda z: z[:, 0].exp() - 2 * z[:, 1] ** 2)
    last = written("3 + x1 - x1 cos(xD)", lambda z: 3 + z[:, 0] - z[:, 0] * z[:, -1].cos())

    def drawn(f, n, d, dtype=torch.float64):
        return (f, *torch.randn(3, n, d, generator=generator, dtype=dtype).unbind())

    return [
        (product, _matrix([2.0, 1.0]), _matrix([1.0, 3.0]), _matrix([0.5, -2.0])),
        drawn(bent, 2, 2),
        drawn(last, 3, 3),  # as many inputs as features: whoever sums over inputs gets the right shape
        drawn(product, 4, 2, torch.float32),
        drawn(last, 1, 5),
        drawn(bent, 7, 6),
    ]


def _of_sides(gap: Callable):
    """A mistaken gap from the sum of the attributions and the outputs at the input and at the baseline."""
    return lambda f, x, b, a: gap(a.sum(1), f(x), f(b))


check_completeness_gap = Values(
    task="``function(f, x, baseline, attributions) -> gap``: ``(N, D)`` each and ``f`` to ``(N,)``, as is the gap.",
    stub="my_completeness_gap",
    reference=_completeness_gap,
    cases=_gap_cases,
    returns="one number for each input",
    praise="Right: that is the signed completeness gap.",
    otherwise="Look at the two sides of completeness for each input: the sum of its attributions, and the change of "
    "its output.",
    hints={
        "The sign is reversed: a positive gap means that the attributions sum to too much.": (
            _of_sides(lambda total, at_x, at_b: at_x - at_b - total)
        ),
        "Keep the sign: it tells whether the rule collected too much or too little.": (
            _of_sides(lambda total, at_x, at_b: (total - at_x + at_b).abs()),
            _of_sides(lambda total, at_x, at_b: (total.abs() - (at_x - at_b).abs()).abs()),
            _of_sides(lambda total, at_x, at_b: (total - at_x + at_b) ** 2),
            _of_sides(lambda total, at_x, at_b: (total - at_x + at_b).clamp(min=0)),
        ),
        "Attributions share out the change of the output; you forgot the output at the baseline.": (
            _of_sides(lambda total, at_x, at_b: total - at_x),
            _of_sides(lambda total, at_x, at_b: at_x - total),
        ),
        "The change begins at the output at the baseline that is passed in, not at the output at zero.": (
            lambda f, x, b, a: a.sum(1) - (f(x) - f(0 * x))
        ),
        "Take the difference of the two outputs, not the output of the difference.": (
            lambda f, x, b, a: a.sum(1) - f(x - b)
        ),
        "The output at the baseline has the wrong sign: attributions share out F(x) minus F(x').": (
            _of_sides(lambda total, at_x, at_b: total - at_x - at_b),
            _of_sides(lambda total, at_x, at_b: total - (at_x + at_b)),
        ),
        "You add the change of the output to the sum. The gap is how far the two are apart.": (
            _of_sides(lambda total, at_x, at_b: total + at_x - at_b)
        ),
        "You average over the features; completeness speaks of their sum.": (
            lambda f, x, b, a: a.mean(1) - (f(x) - f(b))
        ),
        "You divide: the gap itself is asked for, in units of the output.": (
            _of_sides(lambda total, at_x, at_b: (total - at_x + at_b) / (at_x - at_b)),
            _of_sides(lambda total, at_x, at_b: (total - at_x + at_b) / (at_x - at_b).abs()),
            _of_sides(lambda total, at_x, at_b: (total - at_x + at_b) / total),
            _of_sides(lambda total, at_x, at_b: total / (at_x - at_b)),
            lambda f, x, b, a: _completeness_gap(f, x, b, a) / x.shape[1],
        ),
        "That is the sum of the attributions alone. What should it be equal to?": (
            _of_sides(lambda total, at_x, at_b: total)
        ),
        "That is the change of the output alone. What should be equal to it?": (
            _of_sides(lambda total, at_x, at_b: at_x - at_b),
            _of_sides(lambda total, at_x, at_b: at_b - at_x),
        ),
        "Sum the attributions as they are: negative credit counts against.": (
            lambda f, x, b, a: a.abs().sum(1) - (f(x) - f(b)),
            lambda f, x, b, a: a.abs().sum(1) - (f(x) - f(b)).abs(),
        ),
        "The distance x - x' is in the attributions already.": (
            lambda f, x, b, a: (a * (x - b)).sum(1) - (f(x) - f(b))
        ),
        "Each input has its own gap. You put all inputs together; sum over the features, which are dimension 1.": (
            lambda f, x, b, a: a.sum() - (f(x) - f(b)),
            lambda f, x, b, a: a.sum() - (f(x) - f(b)).sum(),
            lambda f, x, b, a: a.sum(0) - (f(x) - f(b)).sum(),
            lambda f, x, b, a: _completeness_gap(f, x, b, a).mean(),
            lambda f, x, b, a: _completeness_gap(f, x, b, a).mean().expand(len(x)),
        ),
        "You subtract the change of the output from every single attribution. Sum over the features first.": (
            lambda f, x, b, a: a - (f(x) - f(b))[:, None],
            lambda f, x, b, a: (a - (f(x) - f(b))[:, None]).sum(1),
        ),
    },
)

# ---- the trapezoid rule -----------------------------------------------------------------------------------------


def _trapezoid_rule(n):
    weights = torch.full((n,), 1 / (n - 1), dtype=torch.float64)
    weights[0] /= 2
    weights[-1] /= 2
    return torch.arange(n) / (n - 1), weights


def _trapezoid_cases(seed: int) -> list[tuple]:
    odd, even = torch.randint(4, 15, (2,), generator=torch.Generator().manual_seed(seed)).tolist()
    return [(2,), (3,), (5,), (4,), (2 * odd + 1,), (2 * even,)]


def _even(n: int) -> Tensor:
    return torch.linspace(0, 1, n, dtype=torch.float64)


def _weights(inner: Callable[[int], float], ends: Callable[[int], float]) -> Callable[[int], Tensor]:
    def weights(n):
        found = torch.full((n,), float(inner(n)), dtype=torch.float64)
        found[[0, -1]] = float(ends(n))
        return found

    return weights


_HALVES = _weights(lambda n: 1 / (n - 1), lambda n: 0.5 / (n - 1))
_SAME = _weights(lambda n: 1 / n, lambda n: 1 / n)
_WHOLE = _weights(lambda n: 1 / (n - 1), lambda n: 1 / (n - 1))
_LESS = _weights(lambda n: 1 / n, lambda n: 0.5 / n)


def _weighing(*weights: Callable[[int], Tensor]) -> tuple[Callable, ...]:
    """Mistaken rules: the right nodes with each of these weights."""
    return tuple(lambda n, w=w: (_even(n), w(n)) for w in weights)


def _asking_at(*nodes: Callable[[int], Tensor]) -> tuple[Callable, ...]:
    """Mistaken rules: each of these nodes, with all weights that may come with them."""
    return tuple(lambda n, at=at, w=w: (at(n), w(n)) for at in nodes for w in (_HALVES, _SAME, _WHOLE, _LESS))


def _one_end(weights: Tensor, end: int) -> Tensor:
    weights[end] *= 2
    return weights


check_trapezoid_rule = Values(
    task="``function(n) -> (nodes, weights)``, ``(n,)`` each, of the trapezoid rule on [0, 1].",
    stub="my_trapezoid_rule",
    reference=_trapezoid_rule,
    cases=_trapezoid_cases,
    returns=("n nodes", "n weights"),
    library=(quadrature,),
    praise="Right: the ends count half, and the weights sum to 1.",
    otherwise="Draw it: the area under straight lines from node to node is exact if the gradient is constant, and if "
    "it is a straight line.",
    hints={
        "You have n + 1 points. Here n counts the points, that is the gradients to be computed.": (
            lambda n: (_even(n + 1), _HALVES(n + 1)),
            lambda n: (_even(n + 1), _WHOLE(n + 1)),
            lambda n: (_even(n + 1), _SAME(n + 1)),
            lambda n: (_even(n + 1), _HALVES(n)),
            lambda n: (_even(n + 1), _SAME(n)),
        ),
        "You have n - 1 points. Here n counts the points: there is one more than there are trapezoids.": (
            lambda n: (_even(n)[:-1], _WHOLE(n)[:-1]),
            lambda n: (_even(n)[1:], _WHOLE(n)[:-1]),
        ),
        "You have a weight for each trapezoid. Each node needs one: what of the trapezoids beside it is its own?": (
            lambda n: (_even(n), _WHOLE(n)[:-1])
        ),
        "These are the middles of steps; trapezoids begin and end at nodes.": (
            _asking_at(lambda n: (torch.arange(n) + 0.5) / n, lambda n: (torch.arange(n) + 0.5) / (n - 1))
        ),
        "Your last node lies before 1: the trapezoid rule asks at both ends.": (
            _asking_at(lambda n: torch.arange(n) / n)
        ),
        "Your first node lies after 0: the trapezoid rule asks at both ends.": (
            _asking_at(lambda n: (torch.arange(n) + 1) / n)
        ),
        "Both ends are nodes, too: yours are all inside.": _asking_at(lambda n: (torch.arange(n) + 1) / (n + 1)),
        "Order the nodes from 0 to 1.": _asking_at(lambda n: _even(n).flip(0)),
        "Your nodes are counts. Divide them, so that they end at 1.": _asking_at(torch.arange),
        "You return the weights first. The nodes come first.": lambda n: (_HALVES(n), _even(n)),
        "All of your points weigh the same. Which of them belong to one trapezoid only?": _weighing(_SAME),
        "The nodes at the two ends border one trapezoid only: they count half.": (
            _weighing(_WHOLE, _weights(lambda n: 1, lambda n: 1))
        ),
        "Your weights sum to less than 1: between n nodes there are n - 1 trapezoids.": _weighing(_LESS),
        "Your weights are counts. Multiply by the width of a trapezoid.": (
            _weighing(_weights(lambda n: 1, lambda n: 0.5), _weights(lambda n: 2, lambda n: 1))
        ),
        "The area of a trapezoid is its width times the mean of its two heights, not their sum.": (
            _weighing(lambda n: 2 * _HALVES(n))
        ),
        "Only one of the two ends counts half in yours; both should.": (
            _weighing(lambda n: _one_end(_HALVES(n), 0), lambda n: _one_end(_HALVES(n), -1))
        ),
        "The ends count for nothing in yours. Each belongs to one trapezoid, so it counts half.": (
            _weighing(_weights(lambda n: 1 / (n - 1), lambda n: 0))
        ),
        "The ends count half of what you give them: half a trapezoid, and an inner node counts a whole one.": (
            _weighing(
                _weights(lambda n: 0.5 / (n - 1), lambda n: 1 / (n - 1)),
                _weights(lambda n: 1 / (n - 1), lambda n: 2 / (n - 1)),
            )
        ),
    },
)

# ---- by hand ----------------------------------------------------------------------------------------------------


def _ig_by_hand(x, baseline):
    (x1, x2), (b1, b2) = x, baseline
    first = (x1 - b1) * (x2**2 + x2 * b2 + b2**2) / 3
    return torch.stack([first, x1 * x2**2 - b1 * b2**2 - first])


def _hand_cases(seed: int) -> list[tuple]:
    generator = torch.Generator().manual_seed(seed)
    x, baseline = torch.randn(2, 4, 2, generator=generator, dtype=torch.float64)
    x[3], baseline[3] = x[3].sign() * (2 + x[3].abs()), -x[3].sign() * (2 + baseline[3].abs())  # far: steps would show
    return [
        (*_matrix([2.0, 1.2], [1.0, 0.0]),),
        (*_matrix([2.0, 3.0], [1.0, 1.0]),),
        *zip(x, baseline, strict=True),
        (x[0].float(), baseline[2].float()),
    ]


def _slope(z: Tensor) -> Tensor:
    """The gradient of x1 x2² at points ``(..., 2)``."""
    return torch.stack([z[..., 1] ** 2, 2 * z[..., 0] * z[..., 1]], -1)


def _slopes(x, b, nodes, weights) -> Tensor:
    """Distance times the mean gradient, by a rule."""
    return (x - b) * (weights[:, None] * _slope(b + nodes[:, None] * (x - b))).sum(0)


def _by_first(first: Callable):
    """A mistaken answer that leaves the rest to the second feature."""

    def answer(x, b):
        credit = first(x[0] - b[0], x[1], b[1])
        return torch.stack([credit, x[0] * x[1] ** 2 - b[0] * b[1] ** 2 - credit])

    return answer


def _by_second(second: Callable):
    """A mistaken answer whose first feature is right: the second from both inputs, the change and the first."""

    def answer(x, b):
        first = _ig_by_hand(x, b)[0]
        return torch.stack([first, second(x, b, x[0] * x[1] ** 2 - b[0] * b[1] ** 2, first)])

    return answer


check_ig_by_hand = Values(
    task="``function(x, baseline) -> attributions``, ``(2,)`` each, of f = x1 x2 ** 2.",
    stub="my_ig_by_hand",
    reference=_ig_by_hand,
    cases=_hand_cases,
    returns="one number for each of the two features",
    library=(integrated_gradients,),
    without_library=True,
    praise="Right: the integral by hand, at any input and baseline.",
    otherwise="Put x' + alpha (x - x') into the gradient of feature 1 and integrate over alpha. Feature 2 gets what is "
    "left of the change.",
    hints={
        "You return the two features in the wrong order.": lambda x, b: _ig_by_hand(x, b).flip(0),
        "Every sign is reversed: the distance is x - x', input minus baseline.": lambda x, b: -_ig_by_hand(x, b),
        "You have exchanged input and baseline: the path begins at the baseline.": (
            lambda x, b: _ig_by_hand(x.flip(0), b.flip(0)),
        ),
        "You return the mean gradients. Multiply them by the distances.": lambda x, b: _ig_by_hand(x, b) / (x - b),
        "That is the gradient at the input. Integrate over the path.": (
            lambda x, b: (x - b) * _slope(x),
            lambda x, b: x * _slope(x),
            lambda x, b: _slope(x),
        ),
        "That is the gradient at the baseline. Integrate over the path.": lambda x, b: (x - b) * _slope(b),
        "That is the gradient half-way times the distance: one step of the middle rule. The mean of a square is not "
        "the square of the mean.": (
            lambda x, b: (x - b) * _slope((x + b) / 2),
            _by_first(lambda d, x2, b2: (x2 + b2) ** 2 / 4 * d),
        ),
        "You take the gradient at the difference of input and baseline. Walk from one to the other.": (
            lambda x, b: (x - b) * _slope(x - b),
            lambda x, b: _ig_by_hand(x - b, 0 * b),
            _by_first(lambda d, x2, b2: d * (x2 - b2) ** 2 / 3),
        ),
        "You average the gradients at the two ends. In between, the gradient is not a straight line here.": (
            lambda x, b: (x - b) * (_slope(x) + _slope(b)) / 2
        ),
        "That is the mean over the two orders of joining (BShap), not over the straight path.": (
            _by_first(lambda d, x2, b2: d * (x2**2 + b2**2) / 2)
        ),
        "Right for a baseline of zero only: put x' + alpha (x - x') into the gradient.": (
            lambda x, b: _ig_by_hand(x, 0 * b)
        ),
        "You multiply by the distance, but your path starts at zero: put x' + alpha (x - x') into the gradient.": (
            lambda x, b: (x - b) * torch.stack([x[1] ** 2 / 3, 2 * x[0] * x[1] / 3]),
            _by_first(lambda d, x2, b2: d * x2**2 / 3),
        ),
        "Right where x'₂ is 0 only, as in the example. The square of x'₂ + alpha d₂ has three terms.": (
            _by_first(lambda d, x2, b2: d * (x2**2 + b2**2) / 3),
            _by_first(lambda d, x2, b2: d * (x2**2 - b2**2) / 3),
            _by_first(lambda d, x2, b2: d * (b2**2 + (x2 - b2) ** 2 / 3)),
            _by_first(lambda d, x2, b2: d * (x2**2 + x2 * b2) / 3),
        ),
        "The integral of alpha² is a third, that of alpha a half: check the terms of the square.": (
            _by_first(lambda d, x2, b2: d * (x2**2 + x2 * b2 + b2**2)),
            _by_first(lambda d, x2, b2: d * (x2**2 + x2 * b2 + b2**2) / 2),
            _by_first(lambda d, x2, b2: d * (x2**2 + 2 * x2 * b2 + b2**2) / 3),
            _by_first(lambda d, x2, b2: d * (x2**2 + 2 * x2 * b2 + b2**2) / 4),
            _by_first(lambda d, x2, b2: d * (b2**2 + 2 * b2 * (x2 - b2) + (x2 - b2) ** 2 / 3)),
            _by_first(lambda d, x2, b2: d * (b2**2 + b2 * (x2 - b2) + (x2 - b2) ** 2 / 2)),
            _by_first(lambda d, x2, b2: d * (b2**2 + b2 * (x2 - b2) / 2 + (x2 - b2) ** 2 / 3)),
        ),
        "Feature 1 is right, feature 2 is not: the two sum to F(x) - F(x'), not to F(x).": (
            _by_second(lambda x, b, change, first: x[0] * x[1] ** 2 - first),
            _by_second(lambda x, b, change, first: x[0] * x[1] ** 2),
        ),
        "Feature 1 is right, feature 2 is not: the two sum to F(x) - F(x').": (
            _by_second(lambda x, b, change, first: first),
            _by_second(lambda x, b, change, first: change),
            _by_second(lambda x, b, change, first: change + first),
            _by_second(lambda x, b, change, first: first - change),
            _by_second(lambda x, b, change, first: 2 * first),
            _by_second(lambda x, b, change, first: (change - first) / 2),
            _by_second(lambda x, b, change, first: 2 * (change - first)),
            _by_second(lambda x, b, change, first: _ig_by_hand(x.flip(0), b.flip(0))[0]),
            _by_second(lambda x, b, change, first: (x[1] - b[1]) * 2 * x[0] * x[1]),
            _by_second(lambda x, b, change, first: (x[1] - b[1]) * (x[0] + b[0]) * (x[1] + b[1]) / 2),
        ),
        "You walk in steps, and they show. On paper the integral is exact.": tuple(
            lambda x, b, method=method, n=n: _slopes(x, b, *quadrature(method, n))
            for method in ("riemann_middle", "riemann_trapezoid", "riemann_left", "riemann_right")
            for n in (2, 4, 5, 8, 10, 16, 20, 32, 50, 64, 100, 200, 256, 300, 500, 512, 1000, 1024, 2000, 5000, 10_000)
        ),
    },
)

# ---- enough steps -----------------------------------------------------------------------------------------------

_MOST = 15  # doublings: no case needs more, even by the left rule


def _steps_needed(f, x, baseline, tolerance):
    for doublings in range(_MOST):
        n = 2**doublings
        alpha = (torch.arange(n, dtype=x.dtype) + 0.5) / n
        points = (baseline + alpha[:, None] * (x - baseline)).requires_grad_()
        (gradients,) = torch.autograd.grad(f(points).sum(), points)
        total = ((x - baseline) * gradients.mean(0)).sum()
        if (total - (f(x) - f(baseline))).abs() <= tolerance:
            return n
    return n


def _gap(f, x, baseline, n: int, method="riemann_middle") -> float:
    nodes, weights = (part.to(x) for part in quadrature(method, n))
    points = (baseline + nodes[:, None] * (x - baseline)).requires_grad_()
    (gradients,) = torch.autograd.grad(f(points).sum(), points)
    return float(((x - baseline) * (weights[:, None] * gradients)).sum() - f(x) + f(baseline))


def _steps_cases(seed: int) -> list[tuple]:
    straight = written("2 x1 - x2", lambda z: 2 * z[:, 0] - z[:, 1])
    cube = written("x1³ + x2", lambda z: z[:, 0] * z[:, 0] * z[:, 0] + z[:, 1])
    minus = written("-x1³", lambda z: -z[:, 0] * z[:, 0] * z[:, 0])
    growing = written("exp(3 x1) - x2", lambda z: torch.exp(3 * z[:, 0]) - z[:, 1])
    falling = written("-exp(4 x1 x2)", lambda z: -torch.exp(4 * z[:, 0] * z[:, 1]))
    one, zero = _matrix([1.0, 1.0]), _matrix([0.0, 0.0])
    cases = [
        (straight, one, zero, 0.01),  # one step does
        (cube, one, zero, 1 / 16),  # two: their gap is the tolerance, without any rounding
        (minus, one, zero, 1 / 64),
        (growing, _matrix([1.0, -3.0]), zero, 0.01),
        (falling, one, 0.1 * one, 0.1),
        *_drawn_steps(seed),
    ]
    return [(_impatient(f), x.clone(), start.clone(), tolerance) for f, x, start, tolerance in cases]


def _impatient(f: Callable, most: int = 2**16) -> Callable:
    """The function, which stops whoever doubles for ever before the memory is full."""
    asked = 0

    def counting(z):
        nonlocal asked
        asked += len(z)
        if asked > most:
            raise NotYet("You go on far beyond the steps that are needed: what ends your loop, and does it ever hold?")
        return f(z)

    return written(f.formula, counting)


@cache
def _drawn_steps(seed: int) -> list[tuple]:
    """Cases in which the gaps lie far from the tolerance, so that rounding does not count."""
    generator = torch.Generator().manual_seed(seed)

    def number(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=generator, dtype=torch.float64))

    cases = []
    for doublings, dtype in ((2, torch.float64), (4, torch.float32), (5, torch.float64)):
        x, start = torch.rand(2, 1, 3, generator=generator, dtype=torch.float64)
        f, x, start = _waves(number(1.0, 3.0)), (x + 1).to(dtype), (-start).to(dtype)
        smallest, *others = sorted(abs(_gap(f, x, start, 2**k)) for k in range(doublings + 1))
        cases.append((f, x, start, (smallest * others[0]) ** 0.5))
    while len(cases) < 5:  # a gap that is small by luck, and larger again with twice as many steps
        f, x, start = _kinks(number(0.1, 0.9), number(0.1, 0.9)), _matrix([1.0, 1.0]), _matrix([0.0, 0.0])
        if abs(float(f(x) - f(start))) < 0.5:
            continue  # whoever divides by the change would wait for long
        gaps = [abs(_gap(f, x, start, 2**k)) for k in range(7)]
        for k in range(1, 6):
            others = min(*gaps[:k], gaps[k + 1])
            if 1e-3 < 1.5 * gaps[k] < others:
                cases.append((f, x, start, (gaps[k] * others) ** 0.5))
                break
    return cases


def _waves(wave: float) -> Callable:
    return written(f"5 sin({wave:.3f} x1) + x2² x3", lambda z: 5 * (wave * z[:, 0]).sin() + z[:, 1] ** 2 * z[:, 2])


def _kinks(first: float, second: float) -> Callable:
    return written(
        f"3 |x1 - {first:.3f}| - 2 |x2 - {second:.3f}|",
        lambda z: 3 * (z[:, 0] - first).abs() - 2 * (z[:, 1] - second).abs(),
    )


def _first(small: Callable, method="riemann_middle", counts=tuple(2**k for k in range(_MOST))):
    """A mistaken answer: the first count whose gap is small, as ``small(gap, tolerance, f, x, baseline)`` has it."""

    def answer(f, x, b, tolerance):
        return next(n for n in counts if small(_gap(f, x, b, n, method), tolerance, f, x, b))

    return answer


def _at_most(gap, tolerance, *_):
    return abs(gap) <= tolerance


def _twice_in_a_row(which: int):
    def answer(f, x, b, tolerance):
        good = [abs(_gap(f, x, b, 2**k)) <= tolerance for k in range(_MOST)]
        return 2 ** next(k + which for k in range(_MOST) if good[k] and good[k + 1])

    return answer


def _last_bad(f, x, b, tolerance):
    return 2 * max([2**k for k in range(_MOST) if abs(_gap(f, x, b, 2**k)) > tolerance], default=0.5)


check_steps_needed = Values(
    task="``function(f, x, baseline, tolerance) -> n``: the first of 1, 2, 4, … whose middle rule is close enough.",
    stub="my_steps_needed",
    reference=_steps_needed,
    cases=_steps_cases,
    returns="one number, the number of steps",
    praise="Right: enough steps, and half as many would not do.",
    otherwise="Try 1, 2, 4, 8, … steps of the middle rule, and return the first number whose gap is small enough.",
    hints={
        "You compare the signed gap with the tolerance, so any negative gap passes. Take its absolute value.": (
            _first(lambda gap, tolerance, *_: gap <= tolerance)
        ),
        "You compare minus the gap with the tolerance, so any positive gap passes. Take its absolute value.": (
            _first(lambda gap, tolerance, *_: -gap <= tolerance)
        ),
        "Your last n is not close enough yet: return the one that passed.": (
            lambda *a: _steps_needed(*a) // 2,
            lambda *a: _steps_needed(*a) / 2,
            lambda *a: max(1, _steps_needed(*a) // 2),
        ),
        "You double once more after the gap is small enough.": lambda *a: 2 * _steps_needed(*a),
        "One step may do: begin with n = 1.": (
            lambda *a: max(2, _steps_needed(*a)),
            lambda *a: max(4, _steps_needed(*a)),
        ),
        "A gap that is equal to the tolerance will do: at most, not less.": (
            _first(lambda gap, tolerance, *_: abs(gap) < tolerance)
        ),
        "You divide the gap by the change of the output. The tolerance is in units of the output here.": (
            _first(lambda gap, tolerance, f, x, b: abs(gap / (f(x) - f(b))) <= tolerance),
            _first(lambda gap, tolerance, f, x, b: abs(gap / f(x)) <= tolerance),
        ),
        "You square the gap. Compare its absolute value with the tolerance.": (
            _first(lambda gap, tolerance, *_: gap**2 <= tolerance)
        ),
        "So many steps the left rule needs. Use the middle rule.": _first(_at_most, "riemann_left"),
        "So many steps the right rule needs. Use the middle rule.": _first(_at_most, "riemann_right"),
        "So many points the trapezoid rule needs. Use the middle rule.": (
            _first(_at_most, "riemann_trapezoid", tuple(2**k for k in range(1, _MOST)))
        ),
        "So many points Gauss-Legendre needs. Use the middle rule.": _first(_at_most, "gausslegendre"),
        "Double n: 1, 2, 4, 8, …": (
            _first(_at_most, counts=range(1, 10_000)),
            _first(_at_most, counts=(1, 10, 100, 1000)),
        ),
        "You return how often n was doubled. Return n.": (
            lambda *a: _steps_needed(*a).bit_length() - 1,
            lambda *a: _steps_needed(*a).bit_length(),
        ),
        "You return the gap. Return the number of steps.": (
            lambda f, x, b, t: _gap(f, x, b, _steps_needed(f, x, b, t)),
            lambda f, x, b, t: abs(_gap(f, x, b, _steps_needed(f, x, b, t))),
        ),
        "You wait for two good gaps in a row. Here the first good one counts.": (
            _twice_in_a_row(0),
            _twice_in_a_row(1),
            _last_bad,
        ),
    },
)

# ---- several baselines ------------------------------------------------------------------------------------------


def _averaged_ig(f, x, baselines, n_steps):
    total = torch.zeros_like(x)
    for b in baselines:
        for k in range(n_steps):
            points = (b + (k + 0.5) / n_steps * (x - b)).requires_grad_()
            (gradients,) = torch.autograd.grad(f(points).sum(), points)
            total += (x - b) * gradients
    return total / (n_steps * len(baselines))


def _averaged_cases(seed: int) -> list[tuple]:
    generator = torch.Generator().manual_seed(seed)
    product = written("x1² x2", lambda z: z[:, 0] ** 2 * z[:, 1])
    bent = written("x1² x2 + sin(2 xD)", lambda z: z[:, 0] ** 2 * z[:, 1] + torch.sin(2 * z[:, -1]))

    def drawn(f, n, k, d, n_steps, dtype=torch.float64):
        x = torch.rand(n, d, generator=generator, dtype=dtype) + 1
        return f, x, torch.randn(k, d, generator=generator, dtype=dtype), n_steps

    return [
        (product, _matrix([2.0, 1.0]), _matrix([1.0, 0.0]), 1),
        (product, _matrix([2.0, 1.0]), _matrix([1.0, 0.0], [0.0, 3.0]), 2),
        drawn(bent, 2, 3, 3, 3),
        drawn(bent, 3, 2, 2, 1),
        drawn(bent, 3, 3, 3, 2),  # as many inputs as baselines: whoever pairs them up gets the right shape
        drawn(product, 2, 4, 5, 5, torch.float32),
        drawn(bent, 1, 5, 4, 4),
    ]


def _paths(f, x, baselines, nodes):
    """Gradients at the nodes of all paths, their distances, and the products: ``(K, n, N, D)`` each."""
    alpha = torch.as_tensor(nodes, dtype=x.dtype)[:, None, None]
    distance = (x - baselines[:, None, None]).expand(-1, len(alpha), -1, -1)
    points = (baselines[:, None, None] + alpha * distance).detach().requires_grad_()
    (gradients,) = torch.autograd.grad(f(points.flatten(0, 2)).sum(), points)
    return gradients, distance, gradients * distance


def _by_nodes(f, x, baselines, nodes, weights=None):
    """IG by any rule, averaged over baselines."""
    weights = torch.full((len(nodes),), 1 / len(nodes)) if weights is None else weights
    return (_paths(f, x, baselines, nodes)[2] * weights.to(x)[:, None, None]).sum(1).mean(0)


def _by_rule(f, x, baselines, n, method="riemann_middle"):
    return _by_nodes(f, x, baselines, *quadrature(method, n))


def _of_paths(change: Callable, start: float = 1.0):
    """A mistaken answer from gradients, distances, their products ``(K, n, N, D)``, inputs and baselines.

    The paths begin at ``start`` times the baselines.
    """
    return lambda f, x, b, n: change(*_paths(f, x, start * b, (torch.arange(n) + 0.5) / n), x, b)


check_averaged_ig = Values(
    task="``function(f, x, baselines, n_steps) -> attributions``: ``x`` ``(N, D)``, ``baselines`` ``(K, D)``.",
    stub="my_averaged_ig",
    reference=_averaged_ig,
    cases=_averaged_cases,
    returns="one number for each input and feature",
    library=(integrated_gradients,),
    praise="Right: one path from every baseline, and the mean over the paths.",
    otherwise="Try it with one baseline first: it should be plain IG by the middle rule, for every input on its own.",
    hints={
        "That is IG from the mean of the baselines: one path. Average over the paths instead.": (
            lambda f, x, b, n: _averaged_ig(f, x, b.mean(0, keepdim=True), n)
        ),
        "You sum over the baselines. Take the mean, or completeness is lost.": (
            lambda f, x, b, n: len(b) * _averaged_ig(f, x, b, n)
        ),
        "Your numbers are n_steps times too large: take the mean over the steps.": (
            lambda f, x, b, n: n * _averaged_ig(f, x, b, n)
        ),
        "You sum over steps and baselines. Divide by the number of both.": (
            lambda f, x, b, n: n * len(b) * _averaged_ig(f, x, b, n)
        ),
        "You divide once too often: take the mean over steps and over baselines once.": (
            lambda f, x, b, n: _averaged_ig(f, x, b, n) / n,
            lambda f, x, b, n: _averaged_ig(f, x, b, n) / len(b),
            lambda f, x, b, n: _averaged_ig(f, x, b, n) / len(x),
        ),
        "You return mean gradients. Multiply each path's by its own distance.": (
            _of_paths(lambda gradients, *_: gradients.mean((0, 1)))
        ),
        "You multiply the mean gradient by the mean distance. Each path's gradient belongs to its own distance, so "
        "multiply first, then average.": (
            _of_paths(lambda gradients, distance, *_: gradients.mean((0, 1)) * distance.mean((0, 1)))
        ),
        "You multiply by the input. Multiply each path's gradient by its own distance, x - b.": (
            _of_paths(lambda gradients, distance, product, x, b: x * gradients.mean((0, 1)))
        ),
        "You use the first baseline only.": lambda f, x, b, n: _averaged_ig(f, x, b[:1], n),
        "You use the last baseline only: the loop overwrites instead of adding.": (
            lambda f, x, b, n: _averaged_ig(f, x, b[-1:], n),
            lambda f, x, b, n: _averaged_ig(f, x, b[-1:], n) / len(b),
        ),
        "Every sign is reversed: the distance is input minus baseline.": (lambda f, x, b, n: -_averaged_ig(f, x, b, n)),
        "You evaluate at the left ends of the steps; the middle rule takes their middles.": (
            lambda f, x, b, n: _by_rule(f, x, b, n, "riemann_left")
        ),
        "You evaluate at the right ends of the steps; the middle rule takes their middles.": (
            lambda f, x, b, n: _by_rule(f, x, b, n, "riemann_right")
        ),
        "That is the gradient at the inputs only. Take gradients along the paths, too.": (
            lambda f, x, b, n: _by_nodes(f, x, b, [1.0]),
            lambda f, x, b, n: _by_nodes(f, x, 0 * b[:1], [1.0]),
        ),
        "Your points go from end to end. The middle rule takes the middles of `n_steps` steps.": (
            lambda f, x, b, n: _by_nodes(f, x, b, torch.linspace(0, 1, n)),
            lambda f, x, b, n: _by_nodes(f, x, b, torch.linspace(0, 1, n + 1)),
            lambda f, x, b, n: _by_rule(f, x, b, n + 1, "riemann_trapezoid"),
        ),
        "You take another rule or number of steps: the middle rule with `n_steps` steps is asked for.": (
            lambda f, x, b, n: _by_rule(f, x, b, n + 1),
            lambda f, x, b, n: _by_rule(f, x, b, 2 * n),
            lambda f, x, b, n: _by_rule(f, x, b, n, "gausslegendre"),
            *(lambda f, x, b, _, n=n: _by_rule(f, x, b, n) for n in (1, 5, 8, 10, 16, 20, 32, 50, 64, 100, 200, 300)),
        ),
        "You average absolute values: opposite credits should cancel.": (
            _of_paths(lambda gradients, distance, product, *_: product.mean(1).abs().mean(0)),
            _of_paths(lambda gradients, distance, product, *_: product.abs().mean((0, 1))),
            lambda f, x, b, n: _averaged_ig(f, x, b, n).abs(),
        ),
        "You integrate from zero. Start each path from one of the baselines that are passed in.": (
            lambda f, x, b, n: _averaged_ig(f, x, 0 * b[:1], n),
            _of_paths(lambda gradients, distance, product, x, b: gradients.mean((0, 1)) * (x - b.mean(0)), start=0.0),
        ),
        "You keep one attribution for each baseline. Average over the baselines at the end.": (
            _of_paths(lambda gradients, distance, product, *_: product.mean(1)),
            _of_paths(lambda gradients, distance, product, *_: product.mean(1).transpose(0, 1)),
        ),
        "You average over the inputs, too. Each input has its own attributions.": (
            _of_paths(lambda gradients, distance, product, *_: product.mean((0, 1, 2))),
            _of_paths(lambda gradients, distance, product, *_: product.mean((0, 1, 2)).expand_as(product[0, 0])),
        ),
        "You average everything to one number. Keep the inputs and the features apart.": (
            _of_paths(lambda gradients, distance, product, *_: product.mean()),
        ),
        "You sum over the features. Each feature has its own attribution.": (
            lambda f, x, b, n: _averaged_ig(f, x, b, n).sum(1)
        ),
    },
)
