"""Checks of the chapter on Local Minimum."""

import math
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace

import torch
from torch import Tensor

from icg import baselines
from icg.artifacts import load_model
from icg.attribution import integrated_certainty_gradients, integrated_gradients
from icg.certainty import join
from icg.coalitions import coalitions
from icg.shapley import certainty_game, certainty_shap
from icg_book.kit.answers import NotYet, Property, Values, close, numbers, written
from icg_book.kit.answers import accept as accept
from icg_book.local_minimum.experiment import compare
from icg_book.scenarios.local_minimum import PAPER_INPUT, SIZE, component_score, ideal_shap, total_score

# ---- figure 5 as a function -------------------------------------------------------------------------------------


def _component_score(x):
    return torch.where(x > 0.5, 0.5 + 2 * (x - 0.75).abs(), -0.75)


def _score_cases(seed: int) -> list[tuple]:
    """Single values, on both borders and between; then shapes with values all over, and close to the borders."""
    generator = torch.Generator().manual_seed(seed)
    at = torch.rand(4, generator=generator) * 0.8 + 0.1  # within the four pieces below
    low, falling, rising = 0.5 * at[0], 0.5 + 0.25 * at[1], 0.75 + 0.25 * at[2]
    single = [[[v]] for v in (0.3, 0.6, 0.9, 0.75, 0.5, 0.0, 1.0, low, falling, rising)]
    by_borders = torch.tensor([[1e-4], [-1e-4]]) * (1 + torch.rand(2, 2, generator=generator))
    near = torch.tensor([0.5, 0.75]) + by_borders
    spread = torch.rand(4, 5, generator=generator, dtype=torch.float64)
    spread[1, :2], spread[3, 4] = torch.tensor([0.5, 1.0]), 0.0
    return [
        *((torch.tensor(value),) for value in single),
        (torch.rand(1, 1, 6, generator=generator),),
        (near,),
        (spread,),
        (torch.rand(2, 3, 2, generator=generator, dtype=torch.float64),),
    ]


def _high(high: Callable, low=-0.75):
    """A mistaken answer that is right, or constant, below one half."""
    return lambda x: torch.where(x > 0.5, high(x), low)


check_component_score = Values(
    task="``function(x)``: figure 5, elementwise, for values in [0, 1]; as ``x`` in shape.",
    stub="my_component_score",
    reference=_component_score,
    cases=_score_cases,
    returns="a score for each number",
    library=(component_score,),
    praise="Right: low components cost three quarters, high ones earn one half to one.",
    otherwise="Not figure 5 yet: compare your function with it, number by number.",
    hints={
        "Almost: a component of exactly one half counts as a low one.": (
            lambda x: torch.where(x == 0.5, 1.0, _component_score(x)),
            lambda x: torch.where(x == 0.5, 0.0, _component_score(x)),
            lambda x: torch.where(x == 0.5, 0.75, _component_score(x)),
            lambda x: torch.where(x == 0.5, 0.5, _component_score(x)),
        ),
        "Low components cost something. Look at the left half of the figure.": lambda x: _component_score(x).relu(),
        "Low components count against class 1: what is their sign?": lambda x: _component_score(x).abs(),
        "High components earn something, low ones cost: every sign is reversed.": lambda x: -_component_score(x),
        "High components earn something: you let them cost.": _high(lambda x: -_component_score(x)),
        "Your high part has a hill at 0.75. There should be a valley.": (
            lambda x: torch.where(x > 0.75, 2 * (1 - x), torch.where(x > 0.5, 2 * x - 1, -0.75)),
            _high(lambda x: 1 - 2 * (x - 0.75).abs()),
        ),
        "Beyond 0.75 the score rises again: does your first condition win?": _high(lambda x: 2 * (1 - x)),
        "Between 0.5 and 0.75 the score falls: one branch is missing.": _high(lambda x: 2 * x - 1),
        "Below one half the score is constant.": (
            lambda x: torch.where(x > 0.75, 2 * x - 1, 2 * (1 - x)),
            lambda x: 0.5 + 2 * (x - 0.75).abs(),
            _high(_component_score, lambda x: x),
            lambda x: torch.where(x > 0.5, _component_score(x), -0.75 * x),
            lambda x: torch.where(x > 0.5, _component_score(x), -x),
        ),
        "Between 0.5 and 0.75 your score is that of a low component. High begins at one half.": (
            lambda x: torch.where(x > 0.75, 2 * x - 1, -0.75)
        ),
        "The slopes are too flat: at 1 the score is 1.": _high(lambda x: 0.5 + (x - 0.75).abs()),
        "The minimum is not at 0: the bottom of the V is lifted.": (
            _high(lambda x: 2 * (x - 0.75).abs()),
            _high(lambda x: (x - 0.75).abs()),
        ),
        "The bottom is a corner, not a curve: the arms of the V are straight.": (
            _high(lambda x: 0.5 + 2 * (x - 0.75) ** 2),
            _high(lambda x: 0.5 + 8 * (x - 0.75) ** 2),
        ),
        "High components do not all count alike: there is a V in the figure.": (
            _high(torch.ones_like),
            _high(lambda x: torch.full_like(x, 0.75)),
            _high(lambda x: torch.full_like(x, 0.5)),
        ),
        "Do not scale the scores.": (
            lambda x: _component_score(x) / _component_score(x).max(),
            lambda x: _component_score(x) / _component_score(x).abs().max(),
            lambda x: _component_score(x) / 0.8,
        ),
        "Return a score for each number, not their sum.": lambda x: _component_score(x).sum(),
    },
)

# ---- the share of equal signs -----------------------------------------------------------------------------------


def _sign_agreement(a, b):
    return (a.sign() == b.sign()).double().mean(1)


def _sign_cases(seed: int) -> list[tuple]:
    """One input, as many inputs as components, more and fewer; zeros on one side, on both, and small numbers."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(n, d, dtype, scale=1.0):
        a, b = torch.randn(2, n, d, generator=generator, dtype=dtype) * scale
        zero = torch.rand(2, n, d, generator=generator) < 0.25
        return torch.where(zero[0], 0.0, a), torch.where(zero[1], 0.0, b)

    with_zeros = drawn(7, 6, torch.float64)
    with_zeros[0][0, :3], with_zeros[1][0, 2:4] = 0.0, 0.0  # 0 and a number, twice; two zeros; a number and 0
    with_zeros[0][1], with_zeros[1][1] = with_zeros[1][1] + 1e-3, 3 * with_zeros[1][1]  # agree, nearly
    return [
        (torch.tensor([[1.0, -2.0, 0.0]]), torch.tensor([[0.5, 3.0, 0.0]])),
        (torch.tensor([[0.0, -2.0], [0.2, -0.3]]), torch.tensor([[4.0, -1.0], [-0.1, 0.0]])),
        drawn(1, 4, torch.float32),
        drawn(3, 3, torch.float64),
        drawn(4, 1, torch.float64),
        drawn(2, 5, torch.float32, 1e-3),
        with_zeros,
    ]


def _pearson(a, b):
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    return (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))


def _of_same(read: Callable):
    """A mistaken answer from where the signs agree."""
    return lambda a, b: read((a.sign() == b.sign()).double())


check_sign_agreement = Values(
    task="``function(a (N, D), b (N, D)) -> (N,)``: share of components whose signs agree; 0 is a sign of its own.",
    stub="my_sign_agreement",
    reference=_sign_agreement,
    cases=_sign_cases,
    returns="one number for each input",
    library=(compare,),
    praise="Right: one share for each input, 1 where all signs agree.",
    otherwise="In how many of its components do `a` and `b` have the same sign, as a share, for each input?",
    hints={
        "One number for each input: take the mean over its components.": _of_same(lambda same: same),
        "You average over inputs, for each component. Wanted is one number for each input.": (
            _of_same(lambda same: same.mean(0))
        ),
        "You average over all inputs. Wanted is one number for each, so that there can be an interval.": (
            _of_same(lambda same: same.mean())
        ),
        "You count components. A share is the count divided by the number of components.": (
            _of_same(lambda same: same.sum(1))
        ),
        "You divide by 6, or by the number of inputs. Divide by the number of components.": (
            _of_same(lambda same: same.sum(1) / 6),
            _of_same(lambda same: same.sum(1) / len(same)),
        ),
        "This is the share that disagrees.": _of_same(lambda same: 1 - same.mean(1)),
        "You ask whether all signs agree. What is the share of those that do?": _of_same(lambda same: same.amin(1)),
        "You ask whether any sign agrees. What is the share of those that do?": _of_same(lambda same: same.amax(1)),
        "Two zeros agree. What is the product of two zeros?": lambda a, b: (a * b > 0).double().mean(1),
        "A zero does not agree with a number. What is their product?": lambda a, b: (a * b >= 0).double().mean(1),
        "You leave out components with a zero. A zero agrees with a zero, and disagrees with a number.": (
            lambda a, b: (a * b > 0).double().sum(1) / (a * b != 0).double().sum(1)
        ),
        "You take zero for positive. It is a sign of its own.": lambda a, b: ((a >= 0) == (b >= 0)).double().mean(1),
        "You take zero for negative. It is a sign of its own.": lambda a, b: ((a > 0) == (b > 0)).double().mean(1),
        "You count only components that are positive in both.": lambda a, b: ((a > 0) & (b > 0)).double().mean(1),
        "The mean product of signs goes from -1 to 1, and is no share.": lambda a, b: (a.sign() * b.sign()).mean(1),
        "This is the correlation. Look at signs alone.": _pearson,
        "This is the cosine: it weighs components. Look at signs alone.": (
            lambda a, b: torch.cosine_similarity(a, b, dim=1)
        ),
        "You weigh components by their size. Each counts the same.": (
            lambda a, b: (a * b).relu().sum(1) / (a * b).abs().sum(1)
        ),
        "You ask for equal values. Their signs are enough.": lambda a, b: (a == b).double().mean(1),
        "You compare the signs of the sums. Compare those of each component.": (
            lambda a, b: (a.sum(1).sign() == b.sum(1).sign()).double()
        ),
    },
)

# ---- where the model cannot decide ------------------------------------------------------------------------------


def _boundary(output, low, high):
    at_low = output(torch.tensor([low], dtype=torch.float64)).item() > 0.5
    for _ in range(40):
        middle = (low + high) / 2
        if (output(torch.tensor([middle], dtype=torch.float64)).item() > 0.5) == at_low:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _output(formula: str, of: Callable, most: int = 110_000) -> Callable:
    """An output that takes numbers however they come; it refuses to be asked for ever."""
    asked = 0

    def output(b):
        nonlocal asked
        asked += 1
        if asked > most:
            raise NotYet(f"You ask `output` more than {most:,} times: stop when the interval is short enough.")
        b = torch.as_tensor(b)
        return of(b if b.is_floating_point() else b.double())

    return written(formula, output)


def _boundary_cases(seed: int) -> list[tuple]:
    """Curved, steep, flat and lopsided outputs, up and down, some that turn, or cross again outside of the ends."""
    drawn = torch.rand(8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).tolist()

    def between(k, low, high):  # where it crosses, never in the middle of the ends
        return low + (high - low) * drawn[k]

    square, cube = 0.4 / between(0, 0.67, 0.87) ** 2, 0.4 / between(1, 0.7, 0.85) ** 3
    up = 80 * between(2, 0.43, 0.53)
    down = 200 * between(3, 0.3, 0.45)
    flat, fall = 0.03 / between(4, 0.65, 0.9) ** 3, 0.03 / between(7, 0.55, 0.8) ** 3
    phase = between(5, 0.1, 0.5)
    turning = 3.6 * between(6, 0.88, 0.96)

    def waves(n):
        return _output(f"0.5 + 0.4 cos({n} b + {phase:.3f})", lambda b: 0.5 + 0.4 * torch.cos(n * b + phase))

    def lopsided(b):
        return 0.1 + 0.85 * torch.sigmoid(down - 200 * b)

    return [
        (_output(f"0.1 + {square:.4f} b²", lambda b: 0.1 + square * b**2), 0.0, 1.0),
        (_output(f"0.9 - {cube:.4f} b³", lambda b: 0.9 - cube * b**3), 0.3, 0.9),
        (waves(7), 0.4, 0.95),
        (waves(14), 0.2, 0.5),
        (_output(f"sigmoid(80 b - {up:.2f})", lambda b: torch.sigmoid(80 * b - up)), 0.4, 0.7),
        (_output(f"0.1 + 0.85 sigmoid({down:.2f} - 200 b)", lopsided), 0.0, 1.0),
        (_output(f"0.47 + {flat:.4f} b³", lambda b: 0.47 + flat * b**3), 0.2, 1.0),
        (_output(f"0.53 - {fall:.4f} b³", lambda b: 0.53 - fall * b**3), 0.1, 0.9),
        (_output(f"0.5 - {turning:.4f} b² + 3.6 b³", lambda b: 0.5 - turning * b**2 + 3.6 * b**3), 0.05, 1.0),
    ]


def _halving(rounds: int = 40, is_left: Callable = lambda at_low, middle: at_low != middle, read=None):
    """A mistaken search: ``is_left(at_low, at_middle)`` says whether the crossing is in the left half."""

    def answer(output, low, high):
        def above(b):
            return output(torch.tensor([b], dtype=torch.float64)).item() > 0.5

        at_low = above(low)
        for _ in range(rounds):
            middle = (low + high) / 2
            low, high = (low, middle) if is_left(at_low, above(middle)) else (middle, high)
        return read(low, high) if read else (low + high) / 2

    return answer


def _boundary_from_high(output, low, high):
    return 1 - _boundary(lambda b: output(1 - b), 1 - high, 1 - low)


def _searched(ends: Callable, search: Callable):
    """A mistaken answer: the right search between other ends."""
    return lambda *case: search(*ends(*case))


def _on_grid(n: int, best: Callable):
    """A mistaken answer: the best of ``n`` places, by their outputs."""

    def answer(output, low, high):
        grid = torch.linspace(low, high, n, dtype=torch.float64)
        return grid[best(output(grid))]

    return answer


def _secant(output, low, high):
    a, b = output(torch.tensor([low, high], dtype=torch.float64)).tolist()
    return low + (high - low) * (0.5 - a) / (b - a)


check_boundary = Values(
    task="``function(output, low, high) -> b``: where ``output``, ``(N,)`` to ``(N,)``, crosses 1/2 between the ends.",
    stub="my_boundary",
    reference=_boundary,
    cases=_boundary_cases,
    returns="one number",
    praise="Right: the model cannot decide there.",
    otherwise="There the output is not one half, to four digits of `b`: which half of an interval has the crossing?",
    hints={
        "This is the middle of the interval. Where is the output one half?": lambda output, low, high: (low + high) / 2,
        "You return the output there. Wanted is the input.": lambda output, low, high: 0.5,
        "One straight line between the ends is not enough: the output is curved. Repeat with a part of it.": _secant,
        "You look for the steepest place. Where is the output one half?": tuple(
            _on_grid(n, lambda p: p.diff().abs().argmax()) for n in (101, 1000, 1001, 4001, 10_001)
        ),
        "Your search takes for granted that the output rises. In one of the cases it falls.": (
            _halving(is_left=lambda _, middle: middle)
        ),
        "Your search takes for granted that the output falls. In one of the cases it rises.": (
            _halving(is_left=lambda _, middle: not middle)
        ),
        "You keep the half that has no crossing in it: if low and the middle are on one side of one half, go on "
        "right of the middle.": _halving(is_left=lambda at_low, middle: at_low == middle),
        "This is an end of the interval. The output is one half somewhere inside.": (
            lambda output, low, high: low,
            lambda output, low, high: high,
        ),
        "You look outside of the interval from `low` to `high`. There the output may cross one half, too.": tuple(
            search
            for end in (
                lambda output, low, high: (output, 0.0, 1.0),
                lambda output, low, high: (output, 0.0, high),
                lambda output, low, high: (output, low, 1.0),
            )
            for search in (_searched(end, _boundary), _searched(end, _boundary_from_high))
        ),
        "Close, but too coarse: wanted are four correct digits. Halving an interval doubles the precision.": (
            *(_halving(rounds=n) for n in range(4, 13)),
            *(_halving(rounds=n, read=min) for n in range(4, 13)),
            *(_halving(rounds=n, read=max) for n in range(4, 13)),
            *(_on_grid(n, lambda p: (p - 0.5).abs().argmin()) for n in (11, 21, 51, 100, 101, 200, 201, 1000, 1001)),
            lambda *case: round(_boundary(*case), 2),
            lambda *case: round(_boundary(*case), 3),
        ),
    },
)

# ---- certainty-SHAP ---------------------------------------------------------------------------------------------


def _certainty_shap(model, values):
    size = values.shape[2]
    masks = [[mask >> i & 1 for i in range(size)] for mask in range(2**size)]
    certainty = torch.tensor(masks, dtype=values.dtype)[:, None]
    v = model(torch.cat([values.expand(2**size, -1, -1), certainty], 1)).tolist()
    found = []
    for i in range(size):
        credit = 0.0
        for mask in range(2**size):
            if not masks[mask][i]:
                s = sum(masks[mask])
                weight = 1 / (size * math.comb(size - 1, s))
                credit += weight * (v[mask + 2**i] - v[mask])
        found.append(credit)
    return found


def _joined_model(formula: str, size: int, of: Callable) -> Callable:
    """A model of values and certainty, ``(N, D)`` each; it refuses other inputs than joined ones."""

    def model(joined):
        if not isinstance(joined, Tensor) or joined.ndim != 3 or tuple(joined.shape[1:]) != (2, size):
            got = f"of shape {tuple(joined.shape)}" if isinstance(joined, Tensor) else f"a {type(joined).__name__}"
            raise NotYet(f"`model` takes joined inputs, values and certainty, (N, 2, {size}); yours is {got}.")
        return of(*joined.double().unbind(1)).to(joined.dtype)

    model.certainty_aware = True
    return written(formula, model)


def _shap_cases(seed: int) -> list[tuple]:
    """Games of two to five components; in none do the values cease to matter where certainty is 0."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    def values(size, dtype=torch.float64):
        return torch.rand(1, 1, size, generator=generator, dtype=torch.float64).to(dtype)

    def network(size):
        first, second, out = drawn(size, 12), drawn(size, 12), drawn(12)
        return _joined_model(
            f"a network of {size} components",
            size,
            lambda x, c: 0.4 + torch.tanh((x * c) @ first + c @ second + 0.4 * x @ second.flip(0)) @ out,
        )

    two = _joined_model(
        "1 + x1 + 2 c1 + c2 - 3 c1 c2 x2",
        2,
        lambda x, c: 1 + x[:, 0] + 2 * c[:, 0] + c[:, 1] - 3 * c[:, 0] * c[:, 1] * x[:, 1],
    )
    three = _joined_model(
        "(c1 x1 + 2 c2 x2 - c3)² + x3",
        3,
        lambda x, c: (c[:, 0] * x[:, 0] + 2 * c[:, 1] * x[:, 1] - c[:, 2]) ** 2 + x[:, 2],
    )
    return [
        (two, torch.tensor([[[0.5, 0.25]]], dtype=torch.float64)),
        (two, values(2)),
        (three, values(3)),
        (network(4), values(4, torch.float32)),
        (network(5), values(5)),
    ]


def _by_certainty(model, values):
    """The game: the model's output for all coalitions."""
    known = coalitions(values.shape[2])[:, None]
    return model(join(values.expand(len(known), -1, -1), known.to(values)))


def _by_values(fill: float, certainty: Callable):
    """Other games: absent components get another value, and ``certainty(known)``."""

    def game(model, values):
        known = coalitions(values.shape[2])[:, None]
        return model(join(torch.where(known, values, fill), certainty(known).to(values)))

    return game


def _weighed(weigh: Callable[[int, int], float], game: Callable = _by_certainty, read: Callable | None = None):
    """Sums over all coalitions without a component, each with the weight ``weigh(its size, D)``."""

    def answer(model, values):
        n, v = values.shape[2], game(model, values).double()
        masks = coalitions(n)
        weights = torch.tensor([weigh(s, n) for s in range(n)], dtype=torch.float64)
        gains = [v[masks[:, i]] - v[~masks[:, i]] if read is None else read(v, masks[:, i]) for i in range(n)]
        return torch.stack([weights[masks[~masks[:, i]].sum(1)] @ gains[i] for i in range(n)])

    return answer


def _weight(s, n) -> float:
    return 1 / (n * math.comb(n - 1, s))


def _along_certainty(model, values):
    """Integrated Certainty Gradients by the middle rule."""
    steps = ((torch.arange(200) + 0.5) / 200).view(-1, 1, 1)
    joined = join(values.double().expand(200, -1, -1), steps).requires_grad_()
    return torch.autograd.grad(model(joined).sum(), joined)[0][:, 1].mean(0)


def _slope_at(certainty: float, times_values: bool = False):
    def answer(model, values):
        joined = join(values.double(), certainty).requires_grad_()
        slopes = torch.autograd.grad(model(joined).sum(), joined)[0][0]
        return slopes[0] * values[0, 0] if times_values else slopes[1]

    return answer


check_certainty_shap = Values(
    task="``function(model, values (1, 1, D)) -> (D,)``: Shapley values when absent components have certainty 0.",
    stub="my_certainty_shap",
    reference=_certainty_shap,
    cases=_shap_cases,
    returns="one number for each component",
    library=(certainty_shap, certainty_game),
    praise="Right: exact, and one evaluation of the model for each coalition is all it takes.",
    otherwise="What does the output gain when i becomes known, for every coalition without i? Average that within "
    "each size, then over the sizes.",
    hints={
        "All signs are turned round: what i adds is the output with its certainty 1 minus that with 0.": (
            _weighed(lambda s, n: -_weight(s, n))
        ),
        "This is BShap: you change the values. Leave them, and set certainties to 0.": (
            _weighed(_weight, _by_values(0.0, torch.ones_like)),
            _weighed(_weight, _by_values(0.5, torch.ones_like)),
        ),
        "You change the values as well. An absent component keeps its value; only its certainty is 0.": (
            _weighed(_weight, _by_values(0.0, lambda known: known)),
            _weighed(_weight, _by_values(0.5, lambda known: known)),
        ),
        "You weigh all coalitions alike. Each *size* of coalition has the same weight.": (
            _weighed(lambda s, n: 0.5 ** (n - 1))
        ),
        "You add up all contributions. A Shapley value is a weighted mean.": _weighed(lambda s, n: 1.0),
        "The weights of a component add up to one in each size: divide by D as well.": (
            _weighed(lambda s, n: n * _weight(s, n))
        ),
        "Your weights do not add up to 1: a coalition of s others leaves D - s - 1 to come after.": (
            _weighed(lambda s, n: math.factorial(s) * math.factorial(n - s) / math.factorial(n)),
            _weighed(lambda s, n: 1 / (n * math.comb(n, s))),
        ),
        "You only ask what happens when one component is taken from all. Ask for all coalitions.": (
            _weighed(lambda s, n: float(s == n - 1))
        ),
        "You only ask what a component adds to nothing. Ask for all coalitions.": _weighed(lambda s, n: float(s == 0)),
        "First and last are two of the sizes only: the coalitions between them count, too.": (
            _weighed(lambda s, n: ((s == 0) + (s == n - 1)) / 2)
        ),
        "You leave out the coalition of nobody: a component that comes first joins it.": (
            _weighed(lambda s, n: _weight(s, n) * (s > 0))
        ),
        "You leave out the coalition of all others: a component that comes last joins it.": (
            _weighed(lambda s, n: _weight(s, n) * (s < n - 1))
        ),
        "You weigh the outputs with i. Weigh what i adds: take away the output without it.": (
            _weighed(_weight, read=lambda v, with_i: v[with_i])
        ),
        "This is ICG, an integral. Here certainty is 0 or 1, nothing in between.": (
            _along_certainty,
            lambda model, values: integrated_certainty_gradients(model, join(values))[0, 0],
        ),
        "This is a slope. Here certainty is 0 or 1: take differences of outputs.": (
            _slope_at(1.0),
            _slope_at(0.5),
            _slope_at(0.0),
            _slope_at(1.0, times_values=True),
        ),
        "You share the change equally. What does each component add?": (
            lambda model, values: (
                (_by_certainty(model, values)[[-1]] - _by_certainty(model, values)[0]).expand(values.shape[2])
                / values.shape[2]
            )
        ),
        "Do not scale the values.": (
            lambda model, values: (
                numbers(_certainty_shap(model, values)) / numbers(_certainty_shap(model, values)).abs().max()
            )
        ),
        "They sum to F(all known). Shapley values sum to F(all known) - F(nothing known).": (
            lambda model, values: (
                numbers(_certainty_shap(model, values)) + _by_certainty(model, values)[0].double() / values.shape[2]
            )
        ),
        "You return the sum over the components. Return one number for each.": (
            lambda model, values: sum(_certainty_shap(model, values))
        ),
    },
)

# ---- an input on which AGN charges who deserves credit ----------------------------------------------------------


LEAST = 0.0495  # of credit and charge: the notebook prints them with three digits


def _charged_input():
    return 0.1, 0.2, 0.3, 0.95, 0.75, 0.95


@cache
def _model():
    return load_model("local-minimum")


def _agn(values: Tensor) -> Tensor:
    """AGN of class 1 on the chapter's network, ``(6,)``, as the notebook's ``look`` prints it."""
    noise = baselines.gaussian_noise(0.1, n_samples=100)
    maps = integrated_gradients(_model(), join(values), noise, target=1, n_steps=12, dtype=torch.float64)
    return maps[0, 0].double()


def _observe_charged_input(asked, seed: int) -> SimpleNamespace:
    """Exact SHAP and AGN of the components near the minimum; of these, ``shap`` and ``agn`` of the most promising."""
    answer = numbers(asked(), "six numbers")
    if answer.numel() != SIZE:
        raise NotYet(f"Return six numbers, one for each component; yours have shape {tuple(answer.shape)}.")
    values = answer.reshape(1, 1, SIZE)
    if not bool(((values >= 0) & (values <= 1)).all()):
        raise NotYet("Components lie between 0 and 1.")
    values = values.float()
    near = ((values >= 0.7 - 1e-6) & (values <= 0.8 + 1e-6)).flatten()
    shap, agn = ideal_shap(values).flatten(), _agn(values)
    deserving = near & (shap >= LEAST)
    worth = torch.where(near, torch.where(deserving, 10 - agn, shap), -torch.inf)  # the one that is charged most
    best = int(worth.argmax())
    return SimpleNamespace(
        found=bool((deserving & (agn <= -LEAST)).any()),
        near=bool(near.any()),
        paper=close(values.double(), PAPER_INPUT, 0.005),
        total=total_score(values).item(),
        value=values.flatten()[best].item(),
        shap=shap[best].item(),
        agn=agn[best].item(),
    )


check_charged_input = Property(
    task="``function() -> six numbers``: one of 0.7 to 0.8 that AGN charges and exact SHAP credits, 0.05 each.",
    stub="my_charged_input",
    reference=_charged_input,
    observe=_observe_charged_input,
    praise="Right: AGN charges a component that deserves credit.",
    hints={
        "This is the paper's input. There exact SHAP charges the component at the minimum, too.": (
            lambda o: not o.found and o.paper
        ),
        "None of your components lies between 0.7 and 0.8, around the local minimum.": lambda o: not o.near,
        "Your input is of class 0, and there the component {value:.3g} deserves {shap:+.3f}. Choose an input of "
        "class 1, if only just.": lambda o: not o.found and o.shap < LEAST and o.total <= 0,
        "The component {value:.3g} deserves {shap:+.3f}, less than 0.05: the class would be 1 with almost any other "
        "value in its place. Let fewer components be high.": lambda o: not o.found and o.shap < LEAST,
        "The component {value:.3g} deserves credit, but AGN credits it, too, by {agn:+.3f}: let it be nearer to the "
        "minimum, and the sum nearer to zero.": lambda o: not o.found and o.agn > 0.0005,
        "The component {value:.3g} deserves credit, but AGN gives it {agn:+.3f}: noise hardly ever changes the class. "
        "The sum must be closer to zero, or the component nearer to the minimum.": lambda o: not o.found,
    },
)
