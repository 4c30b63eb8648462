"""Checks of the chapter on attribution transfer."""

import math
from collections.abc import Callable
from itertools import product
from types import SimpleNamespace

import torch
from torch import Tensor

from icg.attribution import integrated_gradients
from icg.quadrature import quadrature
from icg.shapley import bshap
from icg_book.kit.answers import NotYet, Property, Values, fits, numbers, written
from icg_book.kit.answers import accept as accept
from icg_book.scenarios.landscapes import KNOTS, LANDSCAPES, trapezoid

CROSS = LANDSCAPES["cross"]


def _vector(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


# ---- one coalition of SHAP --------------------------------------------------------------------------------------


def _mean_output(x1):
    a, b, c, d = KNOTS
    t = min(max(min((x1 - a) / (b - a), (d - x1) / (d - c)), 0.0), 1.0)  # what x1 gives alone
    # Above a level s > t the output lies where x2 is in a band that narrows with s: its width, integrated from t to 1.
    return t + (d - a) * (1 - t) - (b - a + d - c) * (1 - t**2) / 2


def _mean_cases(seed: int) -> list[tuple]:
    low, high = _vector(0.2, 0.2, 0.45, 0.45, 0.0, 0.55), _vector(0.3, 0.3, 0.55, 0.55, 0.2, 1.0)
    share = torch.rand(6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    fixed = (0.1, 0.4, 0.25, 0.5, 0.22, 0.535, 0.7, 0.0, 1.0)
    return [(x1,) for x1 in (*fixed, *(low + share * (high - low)).tolist())]


def _middles(n: int) -> Tensor:
    return (torch.arange(n, dtype=torch.float64) + 0.5) / n


def _even(n: int, low: float = 0.0, high: float = 1.0) -> Tensor:
    return torch.linspace(low, high, n, dtype=torch.float64)


_ALL_OVER = _middles(2000)


def _arms(output: Callable, places: Tensor = _ALL_OVER, summary: Callable = Tensor.mean):
    """A mistaken answer from the arm of x1 and the arms of all x2: ``output(number, (M,))``, summed up."""
    return lambda x1: summary(output(trapezoid(_vector(x1)), trapezoid(places)))


_GRIDS = (100, 101, 200, 500, 1000, 1001, 2000, 5000, 10_000)

check_mean_output = Values(
    task="``function(x1) -> number``: the mean output of the cross when ``x1`` is known and x2 uniform on [0, 1].",
    stub="my_mean_output",
    reference=_mean_output,
    cases=_mean_cases,
    returns="one number",
    tolerance=5e-3,
    praise="Right: that is the value of the coalition {x1} in SHAP's game.",
    otherwise="Hold x1, let x2 run evenly over [0, 1], and average what the cross gives (to within 0.005).",
    hints={
        "You put x2 at its mean, 0.5. Average the outputs over all x2, not x2 itself.": (
            _arms(torch.maximum, _vector(0.5))
        ),
        "That is what x1 gives alone. x2 counts, too, wherever it lies in its band.": (
            _arms(lambda t, others: t + 0 * others)
        ),
        "x1 makes no difference in your answer. It is known, and counts in every output.": (
            _arms(lambda t, others: others)
        ),
        "This averages over x1, too. Hold it at the value that is passed in.": (
            lambda x1: torch.maximum(trapezoid(_middles(500)), trapezoid(_middles(500))[:, None]).mean()
        ),
        "You take the maximum of the means. Average the maxima instead.": (
            _arms(lambda t, others: torch.maximum(t, others.mean()))
        ),
        "You add the two arms. The output is the larger of the two, not their sum.": _arms(
            lambda t, others: t + others
        ),
        "You take the smaller of the two arms. The output of the cross is the larger one.": _arms(torch.minimum),
        "You multiply the two arms. The output of the cross is the larger one.": _arms(lambda t, others: t * others),
        "You average the two arms. The output is the larger of the two.": _arms(lambda t, others: (t + others) / 2),
        "The formula for one of two events does not fit: on the slopes the output is neither 0 nor 1, and it is the "
        "larger of two numbers.": _arms(lambda t, others: t + others - t * others),
        "You subtract something. Wanted is the coalition's value alone.": (
            lambda x1: _mean_output(x1) - 521 / 1200,
            lambda x1: _mean_output(x1) - 1 / 4,
        ),
        "You treat the slopes of the band as if the output were 1 there.": (
            _arms(lambda t, others: torch.maximum(t.ceil(), others)),
            _arms(lambda t, others: torch.maximum(t.ceil(), others.ceil())),
            _arms(lambda t, others: torch.maximum(t, others.ceil())),
        ),
        "You treat the slopes of the band as if the output were 0 there.": (
            _arms(lambda t, others: torch.maximum(t.floor(), others)),
            _arms(lambda t, others: torch.maximum(t.floor(), others.floor())),
            _arms(lambda t, others: torch.maximum(t, others.floor())),
        ),
        "You return the largest output, with x2 on its plateau. Average over all x2.": (
            _arms(torch.maximum, summary=Tensor.max)
        ),
        "x2 runs over all of [0, 1], not over its band only.": tuple(
            _arms(torch.maximum, _even(2001, low, high))
            for low, high in ((0.2, 0.55), (0.25, 0.5), (0.2, 0.5), (0.2, 0.45))
        ),
        "x2 is uniform on [0, 1]; yours comes from somewhere else.": (
            _arms(torch.maximum, _even(4001, -1, 1)),
            _arms(torch.maximum, _even(4001, 0, 2)),
            _arms(torch.maximum, _even(2001, 0, 0.5)),
        ),
        "A mean of outputs between 0 and 1 lies between 0 and 1, too. Did you sum?": tuple(
            _arms(torch.maximum, places, Tensor.sum) for n in _GRIDS for places in (_middles(n), _even(n))
        ),
        "Your values of x2 are too few: take a thousand.": tuple(
            _arms(torch.maximum, places)
            for n in (2, 3, 4, 5, 6, 8, 10, 11, 16, 20, 21, 25, 32, 50, 51, 64)
            for places in (_middles(n), _even(n), _even(n + 1)[:-1])
        ),
    },
)

# ---- given back -------------------------------------------------------------------------------------------------


def _given_back(increments):
    gains, losses = increments.clamp(min=0).sum(0), -increments.clamp(max=0).sum(0)
    moved = gains + losses
    return torch.where(moved > 0, torch.minimum(gains, losses) / moved, 0.0)


def _back_cases(seed: int) -> list[tuple]:
    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape, dtype=torch.float64):
        return torch.randn(*shape, generator=generator, dtype=dtype)

    every = drawn(40, 6, dtype=torch.float32)
    every[:, 1] = every[:, 1].abs()  # never gives back
    every[:, 2] -= 0.8  # more losses than gains
    every[:, 3] = 0.0  # nothing happens
    every[:, 4] = torch.cat([torch.full((39,), -0.01), torch.tensor([2.0])])  # many small losses, one large gain
    every[:, 5] = -every[:, 5].abs()
    small = drawn(7, 3) * _vector(0.01, 1.0, 100.0)
    return [
        (_vector(2.0, -1.0)[:, None],),
        (_vector(1.0, -3.0)[:, None],),
        (_vector(0.0, 0.0)[:, None],),
        (torch.stack([_vector(1.0, 2.0), _vector(-2.0, -1.0), _vector(1.0, 0.0)]),),
        (drawn(4, 4),),  # as many steps as features: whoever sums over features gets the right shape
        (drawn(1, 3),),
        (small,),
        (every,),
    ]


def _of_sums(share: Callable):
    """A mistaken answer from the sums of gains and losses of each feature; 0 where nothing moves."""

    def answer(d):
        gained, lost = d.clamp(min=0).sum(0), (-d).clamp(min=0).sum(0)
        found = share(gained, lost)
        return torch.where(gained + lost > 0, found, 0.0)

    return answer


check_given_back = Values(
    task="``function(increments (K, n)) -> (n,)``: of all credit that moved, the share against the larger direction.",
    stub="my_given_back",
    reference=_given_back,
    cases=_back_cases,
    returns="one number for each feature",
    praise="Right: 0 if all credit flows one way, at most a half.",
    otherwise="For each column, add up the gains and the losses, and compare the smaller sum with both together.",
    hints={
        "A feature through which nothing moves gives nothing back: return 0 for it, not 0/0.": (
            lambda d: torch.minimum(d.relu().sum(0), (-d).relu().sum(0)) / d.abs().sum(0),
        ),
        "You always take the losses. Where losses are the larger part, the gains are what is given back.": (
            _of_sums(lambda gained, lost: lost / (gained + lost)),
            lambda d: (-d).relu().sum(0) / d.abs().sum(0),
        ),
        "You take the gains, as a share. What is given back is the smaller of gains and losses.": (
            _of_sums(lambda gained, lost: gained / (gained + lost)),
            lambda d: d.relu().sum(0) / d.abs().sum(0),
        ),
        "You take the larger of gains and losses. Take the smaller one.": (
            _of_sums(lambda gained, lost: torch.maximum(gained, lost) / (gained + lost))
        ),
        "Losses are negative: give them their size before you compare them with the gains.": (
            _of_sums(lambda gained, lost: torch.minimum(gained, -lost) / (gained + lost)),
            _of_sums(lambda gained, lost: torch.minimum(gained, -lost) / (gained - lost)),
            _of_sums(lambda gained, lost: -torch.minimum(gained, lost) / (gained + lost)),
        ),
        "This is the share that cancels, gains and losses both counted. Count what flows back alone.": (
            lambda d: 2 * _given_back(d)
        ),
        "This is what remains at the end, as a share. What was given back?": (
            _of_sums(lambda gained, lost: (gained - lost).abs() / (gained + lost)),
            _of_sums(lambda gained, lost: (gained - lost) / (gained + lost)),
        ),
        "Divide by all that moved, gains plus losses: a share has no unit.": (
            _of_sums(lambda gained, lost: torch.minimum(gained, lost))
        ),
        "You divide by the larger part. Divide by all that moved, gains plus losses.": (
            _of_sums(lambda gained, lost: torch.minimum(gained, lost) / torch.maximum(gained, lost)),
            lambda d: (
                torch.minimum(d.relu().sum(0), (-d).relu().sum(0)) / torch.maximum(d.relu().sum(0), (-d).relu().sum(0))
            ),
        ),
        "You divide by the gains alone. Divide by all that moved, gains plus losses.": (
            _of_sums(lambda gained, lost: (torch.minimum(gained, lost) / gained).nan_to_num(0)),
        ),
        "Where little moves, your denominator is too large: divide by what moved, and ask for 0 only if that is 0.": (
            *(
                _of_sums(lambda gained, lost, more=more: torch.minimum(gained, lost) / (gained + lost + more))
                for more in (1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-5)
            ),
            *(
                _of_sums(
                    lambda gained, lost, least=least: torch.minimum(gained, lost) / (gained + lost).clamp(min=least)
                )
                for least in (1.0, 0.5, 0.1)
            ),
        ),
        "You count steps. Weigh each step by how much credit moves in it.": (
            lambda d: torch.minimum((d > 0).sum(0), (d < 0).sum(0)) / (d != 0).sum(0).clamp(min=1),
            lambda d: torch.minimum((d > 0).sum(0), (d < 0).sum(0)) / len(d),
            lambda d: (d < 0).double().mean(0),
        ),
        "You divide by the number of steps. Divide by all that moved.": (
            lambda d: torch.minimum(d.relu().sum(0), (-d).relu().sum(0)) / len(d)
        ),
        "You divide by the final credit, which may be close to 0. Divide by all that moved.": (
            lambda d: torch.minimum(d.relu().sum(0), (-d).relu().sum(0)) / d.sum(0).abs(),
            _of_sums(lambda gained, lost: torch.minimum(gained, lost) / (gained - lost).abs()),
            _of_sums(lambda gained, lost: torch.minimum(gained, lost) / (gained - lost)),
        ),
        "You sum over the features. Every feature has its own gains and losses: sum over the steps, dimension 0.": (
            lambda d: _given_back(d.T),
        ),
        "You put all features together. Every feature, that is every column, has its own share.": (
            lambda d: _given_back(d.reshape(-1, 1)),
            lambda d: _given_back(d.reshape(-1, 1)).expand(d.shape[1]),
            lambda d: torch.minimum(d.relu().sum(0), (-d).relu().sum(0)) / d.abs().sum(),
            lambda d: (torch.minimum(d.relu().sum(0), (-d).relu().sum(0)) / d.abs().sum()).nan_to_num(0),
            lambda d: _given_back(d).mean(),
        ),
    },
)

# ---- mislead from white -----------------------------------------------------------------------------------------


def _misleading_input():
    return 0.19, 0.35


def _observe_input(asked, seed: int) -> SimpleNamespace:
    point = numbers(asked(), "two numbers, x1 and x2")
    if point.numel() != 2:
        raise NotYet(f"Return two numbers, x1 and x2; you return {point.numel()}.")
    point = point.reshape(1, 2)
    finite, inside = bool(point.isfinite().all()), bool(((point >= 0) & (point <= 1)).all())
    if not inside:
        return SimpleNamespace(finite=finite, inside=inside)
    white = torch.ones_like(point)

    def ig(baseline: Tensor) -> list[float]:
        return integrated_gradients(CROSS, point, baseline, n_steps=20_000)[0].tolist()

    corners, path = bshap(CROSS, point, white)[0].tolist(), ig(white)
    return SimpleNamespace(
        finite=finite,
        inside=inside,
        x1=point[0, 0].item(),
        corners=corners,
        path=path,
        from_black=ig(0 * white),
        by_corners=_pair(corners),
        by_path=_pair(path),
    )


def _pair(found: list[float]) -> str:
    return "(" + ", ".join(f"{round(value, 2) + 0.0:g}" for value in found) + ")"


def _is_at(found: list[float], *expected: float) -> bool:
    return all(abs(one - other) < 0.02 for one, other in zip(found, expected, strict=True))


check_misleading_input = Property(
    task="``function() -> (x1, x2)``: IG from (1, 1) gives all credit for the cross to x1, BShap gives all to x2.",
    stub="my_misleading_input",
    reference=_misleading_input,
    observe=_observe_input,
    praise="Right: maximally misleading, from a white baseline.",
    hints={
        "There is NaN or infinity among your numbers.": lambda o: not o.finite,
        "Your input lies outside of the square from 0 to 1.": lambda o: not o.inside,
        "At your input x1 deserves the credit. x2 should lie in the band, and x1 outside of it.": (
            lambda o: _is_at(o.corners, 1, 0)
        ),
        "At your input BShap gives {by_corners}, and not all credit to x2: is x2 well inside the band, and x1 "
        "outside?": (lambda o: not _is_at(o.corners, 0, 1)),
        "From (0, 0) this input misleads, but from (1, 1) IG gives {by_path}. Where is the baseline?": (
            lambda o: not _is_at(o.path, 1, 0) and _is_at(o.from_black, 1, 0)
        ),
        "IG is right about your input: x2 enters the band first, or alone. Let x1 come first.": (
            lambda o: _is_at(o.path, 0, 1)
        ),
        "IG gives {by_path}. On its way from 1, does x1 pass through the band at all?": (
            lambda o: not _is_at(o.path, 1, 0) and o.x1 > KNOTS[-1] - 1e-6
        ),
        "IG gives {by_path}. The path must climb onto the arm of x1 before x2 comes near the band, and must be deep in "
        "the band of x2 before x1 leaves its own.": lambda o: not _is_at(o.path, 1, 0),
    },
)

# ---- is it a dummy? ---------------------------------------------------------------------------------------------


def _is_dummy(f, x, baseline, i):
    rows = []
    for chosen in product((False, True), repeat=len(x)):
        rows.append(torch.where(torch.tensor(chosen), x, baseline))
    corners = torch.stack(rows)
    without = corners.clone()
    without[:, i] = baseline[i]
    corners[:, i] = x[i]
    return bool(((f(corners) - f(without)).abs() < 1e-9).all())


def _only_at(x: Tensor, baseline: Tensor, i: int, corner: tuple[bool, ...], sign: float) -> Callable:
    """A function in which feature ``i`` counts at one corner of the others only.

    Its formula: a product of the differences of the others to the values that they do not have there.
    """
    others = [k for k in range(len(x)) if k != i]
    elsewhere = [(k, float(baseline[k] if at_x else x[k])) for k, at_x in zip(others, corner, strict=True)]
    minus = (
        sign
        * float(x[i] - baseline[i])
        * math.prod(
            float(x[k] if at_x else baseline[k]) - other for (k, other), at_x in zip(elsewhere, corner, strict=True)
        )
    )

    def f(z):
        found = (1.0 if minus > 0 else -1.0) * z[:, i]  # so that the change has the sign asked for
        for k, value in elsewhere:
            found = found * (z[:, k] - value)
        return found + 1

    factors = [f"(x{k + 1} {'-' if value >= 0 else '+'} {abs(value):.2g})" for k, value in elsewhere]
    return written(f"{'' if minus > 0 else '-'}x{i + 1} {' '.join(factors)} + 1", f)


def _point(generator: torch.Generator, n: int) -> tuple[Tensor, Tensor]:
    """Input and baseline of one decimal place that differ in every feature, none of it 0 or 1."""
    a = torch.randint(2, 20, (2, n), generator=generator).double() / 10
    a = torch.where(a == 1, 1.5, a)
    a[1] = -a[1]
    return a.gather(0, torch.rand(2, n, generator=generator).argsort(0)).unbind()


def _dummy_cases(seed: int) -> list[tuple]:
    generator = torch.Generator().manual_seed(seed)
    square = written("x1²", lambda z: z[:, 0] ** 2)
    both = written("x1 x2", lambda z: z[:, 0] * z[:, 1])
    other = written("x1 - 2 x3", lambda z: z[:, 0] - 2 * z[:, 2])
    cross = written("max(g(x1), g(x2))", lambda z: CROSS(z))
    cosine = written("cos(2π x1) x2", lambda z: torch.cos(2 * math.pi * z[:, 0]) * z[:, 1])
    sine = written("sin(π x1) + x2", lambda z: (math.pi * z[:, 0]).sin() + z[:, 1])  # 0 at 1, but for rounding
    sines = written("sin(π x1) sin(2π x2)", lambda z: (math.pi * z[:, 0]).sin() * (2 * math.pi * z[:, 1]).sin())
    one, zero = _vector(1.0, 1.0), _vector(0.0, 0.0)
    cases = [
        (square, _vector(2.0), _vector(1.0), 0),
        (square, _vector(1.0), _vector(-1.0), 0),
        (both, one, zero, 0),
        (other, _vector(0.3, 0.9, 0.1), _vector(1.0, 0.2, 0.5), 1),
        (written("x1 (1 - x2)", lambda z: z[:, 0] * (1 - z[:, 1])), one, zero, 0),
        (written("x1 (2 x2 - 1)", lambda z: z[:, 0] * (2 * z[:, 1] - 1)), one, zero, 0),  # the two changes cancel
        (written("x1 + 0.001 x2", lambda z: z[:, 0] + 0.001 * z[:, 1]), _vector(2.0, 1.0), one * _vector(1.0, 0.0), 1),
        (both, _vector(3.0, 2.0), _vector(3.0, -1.0), 0),  # the input is the baseline there
        (both, _vector(3.0, 2.0), _vector(3.0, -1.0), 1),
        *((cross, _vector(0.6, 0.42), zero, i) for i in (0, 1)),
        *((f, one, zero, i) for f in (cosine, sine, sines) for i in (0, 1)),
    ]
    for i, *corner in product((0, 1, 2), (False, True), (False, True)):
        for sign in (1.0, -1.0):
            x, baseline = _point(generator, 3)
            cases.append((_only_at(x, baseline, i, tuple(corner), sign), x, baseline, i))
    for n in (5, 8, 8, 8, 8):  # many corners: whoever tries some of them misses the one that counts
        x, baseline = _point(generator, n)
        i, *corner = torch.randint(2, (n,), generator=generator).bool().tolist()
        i = int(torch.randint(n, (), generator=generator))
        cases.append((_only_at(x, baseline, i, tuple(corner), 1.0), x, baseline, i))
    for i in (0, 1, 2, 1):
        x, baseline = _point(generator, 3)
        cases += [(_bump(x, baseline, i, k), x, baseline, i) for k in range(3)]
    x, baseline = _point(generator, 5)
    cases += [(_bump(x, baseline, i, k), x, baseline, i) for i, k in ((0, 0), (3, 1))]
    for i in (0, 1, 2):  # where the point is not the input, or not the baseline, the verdict is another one
        x, baseline = _point(generator, 3)
        wrong = [x, 0 * x], [0 * x, baseline], [torch.ones_like(x), baseline], [x, torch.ones_like(x)]
        cases += [(_bump(*ends, i, i), x, baseline, i) for ends in wrong]
    return cases


def _bump(x: Tensor, baseline: Tensor, i: int, k: int) -> Callable:
    """A function that changes with feature ``i``, but not where feature ``k`` is the input's or the baseline's."""
    top, low = float(x[k]), float(baseline[k])
    name = f"x{i + 1} " if i != k else ""
    formula = f"{name}(x{k + 1} - {top:.2g}) (x{k + 1} - {low:.2g}) x{len(x)}"
    return written(
        formula.replace("- -", "+ "),
        lambda z: (z[:, i] if i != k else 1) * (z[:, k] - top) * (z[:, k] - low) * z[:, -1],
    )


def _changes(f, x, b, i, others: Tensor) -> Tensor:
    """By how much the output changes at points ``(M, D)`` if feature ``i`` goes from baseline to input."""
    with_, without = others.clone(), others.clone()
    with_[:, i], without[:, i] = x[i], b[i]
    return f(with_) - f(without)


def _corners(x: Tensor, b: Tensor) -> Tensor:
    return torch.stack([torch.where(torch.tensor(c), x, b) for c in product((False, True), repeat=len(x))])


def _verdict(judge: Callable, at: Callable = _corners):
    """A mistaken verdict from the changes at some points."""
    return lambda f, x, b, i: judge(_changes(f, x, b, i, at(x, b)))


def _none(changes: Tensor) -> bool:
    return bool((changes.abs() < 1e-9).all())


def _elsewhere(between: bool):
    """A verdict from other values of the features than those of input and baseline."""

    def answer(f, x, b, i):
        points, moved = torch.rand(2, 64, len(x), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        if between:
            points, moved = (b + alpha * (x - b) for alpha in (points, moved))
        return torch.allclose(f(points), f(points.index_copy(1, torch.tensor([i]), moved[:, i : i + 1])))

    return answer


check_is_dummy = Values(
    task="``function(f, x, baseline, i) -> bool``: whether feature i changes nothing at any corner (strong dummy).",
    stub="my_is_dummy",
    reference=_is_dummy,
    cases=_dummy_cases,
    returns="True or False",
    praise="Right: every corner was asked.",
    otherwise="For D features there are 2 ** (D - 1) ways to take the other features from the input or the baseline; "
    "in each of them, exchange feature i and compare.",
    hints={
        "True and False are the wrong way round: a dummy changes nothing.": lambda *a: not _is_dummy(*a),
        "You return a change. Say True if there is none, else False.": (
            _verdict(lambda changes: changes.abs().max()),
            _verdict(lambda changes: changes.abs().sum()),
        ),
        "You exchange the feature at the input only. The other features may be the baseline's, too.": (
            _verdict(_none, lambda x, b: x[None])
        ),
        "You exchange the feature at the baseline only. The other features may be the input's, too.": (
            _verdict(_none, lambda x, b: b[None])
        ),
        "You ask at the input and at the baseline. Between them there are corners that mix the two.": (
            _verdict(_none, lambda x, b: torch.stack([x, b]))
        ),
        "You ask whether input and baseline have the same output. Exchange feature i alone.": (
            lambda f, x, b, i: bool((f(x[None]) - f(b[None])).abs() < 1e-9)
        ),
        "You try other values of the features. Strong Dummy looks at the input's and the baseline's.": (
            _elsewhere(between=False),
            _elsewhere(between=True),
        ),
        "You take 0 for a missing feature. Its value is the baseline's.": (
            lambda f, x, b, i: _is_dummy(f, x, 0 * b, i)
        ),
        "This asks what Integrated Gradients gives. The definition asks the function itself.": (
            lambda f, x, b, i: abs(integrated_gradients(f, x[None], b[None], n_steps=1000)[0, i].item()) < 1e-3,
            lambda f, x, b, i: abs(integrated_gradients(f, x[None], b[None], n_steps=64)[0, i].item()) < 1e-3,
        ),
        "You average or add the changes, as BShap does: opposite ones cancel. Each of them must be zero.": (
            _verdict(lambda changes: bool(changes.mean().abs() < 1e-9)),
            lambda f, x, b, i: abs(bshap(f, x[None], b[None])[0, i].item()) < 1e-9,
        ),
        "Without its absolute value every negative change passes for no change.": (
            _verdict(lambda changes: bool((changes < 1e-9).all())),
            _verdict(lambda changes: bool((-changes < 1e-9).all())),
        ),
        "One corner without a change is not enough. There must be none at any of them.": (
            _verdict(lambda changes: bool((changes.abs() < 1e-9).any()))
        ),
        "Computers round: allow a tiny difference (1e-9, say), also where the outputs are close to 0.": (
            _verdict(lambda changes: bool((changes == 0).all())),
            _verdict(lambda changes: bool((changes.abs() < 1e-20).all())),
        ),
        "You overlook small changes. A difference of a thousandth is not rounding.": tuple(
            _verdict(lambda changes, small=small: bool((changes.abs() < small).all()))
            for small in (0.5, 1e-1, 1e-2, 1e-3)
        ),
        "You exchange another feature than number i. They count from 0.": (
            lambda f, x, b, i: _is_dummy(f, x, b, len(x) - 1 - i),
            lambda f, x, b, i: _is_dummy(f, x, b, i - 1),
            lambda f, x, b, i: _is_dummy(f, x, b, 0),
            lambda f, x, b, i: _is_dummy(f, x, b, (i + 1) % len(x)),
        ),
    },
)

# ---- helpful, and charged for it --------------------------------------------------------------------------------


def _unfair(z):
    return z[:, 0] + 12 * z[:, 0] * (1 - z[:, 0]) * z[:, 1]


def _look(asked: Callable, points: Tensor) -> Tensor:
    """Values and slopes of an answer at points ``(M, 2)``: ``(M, 3)``."""
    points = points.detach().clone().requires_grad_()
    answer = asked(points)
    if isinstance(answer, (list, tuple)) and all(isinstance(part, Tensor) for part in answer):
        answer = torch.stack([part.reshape(()) for part in answer])
    if not isinstance(answer, Tensor) or not answer.requires_grad:
        raise NotYet("Your function has no gradient that autograd can find: compute with `z` and torch all the way.")
    (slopes,) = torch.autograd.grad(answer.sum(), points, allow_unused=True)
    slopes = torch.zeros_like(points) if slopes is None else slopes
    return torch.cat([answer.detach().double().reshape(-1, 1), slopes.double()], 1)


def _lines() -> tuple[Tensor, Tensor]:
    """Both ends of lines across the square: along it, up, and the two diagonals.

    They end a little inside: |x1| is smooth on the square although autograd takes its slope at 0 to be 0.
    """
    low, high = 1e-9, 1 - 1e-9
    at = torch.linspace(low, high, 6, dtype=torch.float64)
    along = torch.stack([torch.full_like(at, low), at], 1), torch.stack([torch.full_like(at, high), at], 1)
    starts, ends = (torch.cat([part, part.flip(1)]) for part in along)
    return torch.cat([starts, _vector(low, low, low, high).view(2, 2)]), torch.cat(
        [ends, _vector(high, high, high, low).view(2, 2)]
    )


def _break(look: Callable, pieces: int = 64) -> tuple[float, float] | None:
    """Where values or slopes change at once on some line, if they do; infinite slopes are breaks.

    Every piece of a line is halved again and again, always to the half in which more changes. In a smooth function the
    change halves as well; at a kink or a jump it stays.
    """
    starts, ends = _lines()
    alpha = torch.linspace(0, 1, pieces + 1, dtype=torch.float64)[:, None, None]
    points = starts + alpha * (ends - starts)
    seen = look(points.reshape(-1, 2)).reshape(*points.shape[:2], 3)
    if not bool(seen.isfinite().all()):
        return tuple(points[~seen.isfinite().all(2)][0].tolist())
    (left, right), (at_left, at_right) = (
        (a[:-1].reshape(-1, a.shape[2]), a[1:].reshape(-1, a.shape[2])) for a in (points, seen)
    )
    sizes = []
    for _ in range(15):
        sizes.append((at_right - at_left).abs().amax(1))
        middle = (left + right) / 2
        between = look(middle)
        first = ((between - at_left).abs().amax(1) > (at_right - between).abs().amax(1))[:, None]
        left, right = torch.where(first, left, middle), torch.where(first, middle, right)
        at_left, at_right = torch.where(first, at_left, between), torch.where(first, between, at_right)
    broken = (sizes[-1] > 1e-4 * (1 + seen.abs().max())) & (sizes[-1] > 0.8 * sizes[-5])
    return tuple(left[broken][0].tolist()) if bool(broken.any()) else None


def _mismatch(look: Callable, pieces: int = 32) -> float:
    """By how much an integral of slopes across the diagonal differs from the change, in units of the largest slope.

    Of long integrals and of short ones the better: long ones do not follow steep functions, short ones suffer from
    rounding.
    """
    nodes, weights = quadrature("gausslegendre", 8)
    alpha = torch.cat([nodes, _vector(0.0, 1.0)])
    found = []
    for width in (1 / pieces, 1e-4):
        off, largest = [], 1.0
        for feature in (0, 1):
            points = _middles(pieces)[:, None, None].repeat(1, len(alpha), 2)
            points[:, :, feature] += (alpha - 0.5) * width
            seen = look(points.reshape(-1, 2)).reshape(pieces, len(alpha), 3)
            slopes, ends = seen[:, :-2, 1 + feature], seen[:, -2:, 0]
            off.append((slopes @ weights - (ends[:, 1] - ends[:, 0]) / width).abs().max())
            largest = max(largest, float(slopes.abs().max()))
        found.append(float(max(off)) / largest)
    return min(found)


def _observe_unfair(asked, seed: int) -> SimpleNamespace:
    corners = _vector(0, 0, 1, 0, 0, 1, 1, 1).view(4, 2)
    inside = torch.rand(3, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)

    def values(points: Tensor) -> Tensor:
        found = numbers(asked(points.clone()), "one number per row")
        if not fits(found, points[:, 0]):
            raise NotYet(f"Return one number per row, shape ({len(points)},); yours has shape {tuple(found.shape)}.")
        return found.reshape(-1)

    nobody, first, second, both = at_corners = values(corners)
    together = values(torch.cat([corners, inside]))
    alone = torch.cat([values(row[None]) for row in torch.cat([corners, inside])])
    seen = SimpleNamespace(
        finite=bool(at_corners.isfinite().all()),
        by_rows=torch.allclose(together, alone, atol=1e-5, equal_nan=True),
        low=float(first - nobody),
        high=float(both - second),
        other=min(float(second - nobody), float(both - first)),
    )
    if not seen.finite or not seen.by_rows:
        return seen

    def look(points: Tensor) -> Tensor:
        return _look(asked, points)

    path = look(_middles(2048)[:, None].expand(-1, 2))[:, 1:].mean(0)
    place = _break(look)
    seen.paid, seen.paid_other = path.tolist()
    seen.gap = float(path.sum() - (both - nobody))
    seen.smooth = place is None
    seen.place = "" if place is None else f"({place[0]:.2f}, {place[1]:.2f})"
    seen.mismatch = 0.0 if place else _mismatch(look)
    return seen


def _enough(change: float) -> bool:
    return change >= 1 - 1e-5


check_unfair = Property(
    task="``function(z (N, 2)) -> (N,)``: x1 raises it by 1 or more at both corners, yet IG from 0 to 1 pays <= -1.",
    stub="my_unfair",
    reference=_unfair,
    observe=_observe_unfair,
    praise="Right: at every corner x1 helps, and IG charges it for it.",
    hints={
        "Your function is not finite at a corner.": lambda o: not o.finite,
        "What you return for a row depends on the other rows. Compute each row from its own x1 and x2.": (
            lambda o: not o.by_rows
        ),
        "This is unfair to x2. Exchange the roles of the two features.": (
            lambda o: (
                _enough(o.other)
                and o.paid_other <= -1 + 1e-3
                and not (_enough(o.low) and _enough(o.high) and o.paid <= -1 + 1e-3)
            )
        ),
        "Where x2 = 0, raising x1 from 0 to 1 changes your output by {low:+.3g}, not by 1 or more. At the other "
        "corner it does.": lambda o: not _enough(o.low) and _enough(o.high),
        "Where x2 = 1, raising x1 from 0 to 1 changes your output by {high:+.3g}, not by 1 or more. At the other "
        "corner it does.": lambda o: not _enough(o.high) and _enough(o.low),
        "Raising x1 from 0 to 1 changes your output by {low:+.3g} where x2 = 0 and by {high:+.3g} where x2 = 1, not by "
        "1 or more.": lambda o: not _enough(o.low) and not _enough(o.high),
        "At about {place} your function has a kink or a jump. Smooth means that no slope changes at once.": (
            lambda o: not o.smooth
        ),
        "The slopes that autograd finds are not those of your function: does it detach or convert something?": (
            lambda o: o.mismatch > 1e-3
        ),
        "Your function is very steep somewhere on the diagonal: IG misses completeness by {gap:+.3g}, so its numbers "
        "mean nothing. Make it gentler.": lambda o: abs(o.gap) > 0.02,
        "IG pays x1 {paid:+.3g}. Add something that vanishes at all four corners, but slopes down in x1 along "
        "the diagonal.": lambda o: o.paid > 0.5,
        "IG pays x1 {paid:+.3g}: the right idea. Make the part that vanishes at the corners larger.": (
            lambda o: o.paid > -1 + 1e-3
        ),
    },
)
