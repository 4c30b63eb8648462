"""The checks of the chapter on attribution transfer accept right answers and name typical mistakes."""

import math
from itertools import combinations, product

import numpy as np
import pytest
import torch
from checking import messages, shared_tests

from icg import integrated_gradients
from icg.shapley import bshap
from icg_book.attribution_transfer import checks
from icg_book.scenarios.landscapes import LANDSCAPES, trapezoid

cross = LANDSCAPES["cross"]
grid = (torch.arange(1000) + 0.5) / 1000


# --- the mean output -----------------------------------------------------------------------------------------------


def mean_output(x1):
    return cross(torch.stack([torch.full_like(grid, x1), grid], 1)).mean()


def by_hand(x1):
    t = trapezoid(torch.tensor(x1)).item()
    return t + 0.35 * (1 - t) - 0.1 * (1 - t**2)


def g(x1):
    return trapezoid(torch.tensor(x1)).item()


def by_levels(x1):
    """The share of x2 in which the output exceeds a level, summed over levels, in NumPy."""
    levels = (np.arange(500) + 0.5) / 500
    return np.mean([1.0 if level < g(x1) else 0.35 - 0.2 * level for level in levels])


def by_game(x1):
    """In Python's numbers, in any order of x2."""
    others = np.random.default_rng(0).permutation(np.linspace(0, 1, 501))
    return sum(max(g(x1), min(max(min((v - 0.2) / 0.1, (0.55 - v) / 0.1), 0), 1)) for v in others.tolist()) / 501


def over(output, x2=grid):
    """The mean of what is made of the arm of x1 and those of x2."""
    return lambda x1: output(trapezoid(torch.tensor([x1])), trapezoid(x2)).mean()


MEAN_WRONG = {
    "at its mean, 0.5": lambda x1: cross(torch.tensor([[x1, 0.5]])).item(),
    "what x1 gives alone": lambda x1: cross(torch.tensor([[x1, 0.0], [x1, 1.0]])).mean(),
    "x2 counts, too": lambda x1: cross(torch.tensor([[x1, x1]])),
    "x1 makes no difference": lambda x1: 0.25,
    "averages over x1, too": lambda x1: cross(torch.cartesian_prod(grid[::5], grid[::5])).mean(),
    "maximum of the means": lambda x1: max(g(x1), 0.25),
    "add the two arms": lambda x1: g(x1) + 0.25,
    "smaller of the two arms": lambda x1: LANDSCAPES["corner"](
        torch.stack([torch.full_like(grid, x1), grid], 1)
    ).mean(),
    "multiply the two arms": over(torch.mul),
    "average the two arms": over(lambda t, others: (t + others) / 2),
    "one of two events": lambda x1: g(x1) + 0.25 - 0.25 * g(x1),
    "Did you sum": lambda x1: cross(torch.stack([torch.full_like(grid, x1), grid], 1)).sum(),
    "subtract something": lambda x1: mean_output(x1) - 521 / 1200,
    "as if the output were 1 there": lambda x1: 1.0 if 0.2 < x1 < 0.55 else 0.25,
    "as if the output were 0 there": over(lambda t, others: torch.maximum(t, others.floor())),
    "not over its band only": over(torch.maximum, torch.linspace(0.2, 0.55, 1000)),
    "comes from somewhere else": over(torch.maximum, 2 * grid),
    "too few": over(torch.maximum, torch.linspace(0, 1, 11)),
    "the largest output": lambda x1: max(g(x1), 1.0),
    r"hold x1|Hold x1.*\nFor x1 = 0.1 it returned 0.225": lambda x1: 0.9 * mean_output(x1),
    "Hold x1": lambda x1: mean_output(round(x1, 1)),
    "Hold x1,": lambda x1: mean_output(min(x1, 0.45)),
    "one number; yours has shape": lambda x1: cross(torch.stack([torch.full_like(grid, x1), grid], 1)),
    "NaN or infinity": lambda x1: float("nan"),
}

# --- given back ----------------------------------------------------------------------------------------------------


def given_back(d):
    return torch.minimum(d.relu().sum(0), (-d).relu().sum(0)) / d.abs().sum(0).clamp(min=1e-12)


def given_back_loop(d):
    found = []
    for column in d.T.tolist():
        up, down = sum(v for v in column if v > 0), sum(-v for v in column if v < 0)
        found.append(min(up, down) / (up + down) if up + down else 0.0)
    return torch.tensor(found)


def given_back_by_net(d):
    """What cancels is what moved less what remains; half of it flows back."""
    d = d.numpy().astype(np.float64)
    moved, net = np.abs(d).sum(0), np.abs(d.sum(0))
    return np.divide((moved - net) / 2, moved, out=np.zeros_like(moved), where=moved != 0)


def given_back_against_sign(d):
    """The credit of the steps that go against the sign of the sum."""
    against = torch.where(d.sign() == -d.sum(0).sign(), d.abs(), 0.0).sum(0)
    balanced = (d.sum(0) == 0) * d.clamp(min=0).sum(0)
    return [float(a) / max(float(m), 1e-9) for a, m in zip(against + balanced, d.abs().sum(0), strict=True)]


def ups(d):
    return d.relu().sum(0)


def downs(d):
    return (-d).relu().sum(0)


BACK_WRONG = {
    "always take the losses": lambda d: downs(d) / d.abs().sum(0).clamp(min=1e-9),
    "take the gains": lambda d: ups(d) / d.abs().sum(0).clamp(min=1e-9),
    "larger of gains": lambda d: torch.maximum(ups(d), downs(d)) / d.abs().sum(0).clamp(min=1e-9),
    "Losses are negative": lambda d: torch.minimum(ups(d), -downs(d)) / d.abs().sum(0).clamp(min=1e-9),
    "share that cancels": lambda d: 2 * given_back(d),
    "remains at the end": lambda d: d.sum(0).abs() / d.abs().sum(0).clamp(min=1e-9),
    "a share has no unit": lambda d: torch.minimum(ups(d), downs(d)),
    "divide by the larger": lambda d: torch.minimum(ups(d), downs(d)) / torch.maximum(ups(d), downs(d)).clamp(min=1e-9),
    "divide by the gains alone": lambda d: (torch.minimum(ups(d), downs(d)) / ups(d)).nan_to_num(0.0),
    "count steps": lambda d: torch.minimum((d > 0).sum(0), (d < 0).sum(0)) / (d != 0).sum(0).clamp(min=1),
    "divide by the number of steps": lambda d: torch.minimum(ups(d), downs(d)) / d.shape[0],
    "final credit": lambda d: torch.minimum(ups(d), downs(d)) / d.sum(0).abs(),
    "not 0/0": lambda d: torch.minimum(ups(d), downs(d)) / d.abs().sum(0),
    "You sum over the features": lambda d: given_back(d.T),
    "every column, has its own share": lambda d: given_back(d.flatten()[:, None]).item(),
    "put all features together": lambda d: torch.minimum(ups(d), downs(d)) / d.abs().sum().clamp(min=1e-9),
    r"For each column.*\nFor increments = \[\[2\], \[-1\]\] it returned \[0.111\]": lambda d: given_back(d) ** 2,
    "For each column": lambda d: (
        torch.minimum(d.max(0).values, -d.min(0).values).clamp(min=0) / d.abs().sum(0).clamp(min=1e-9)
    ),
    "your denominator is too large": lambda d: torch.minimum(ups(d), downs(d)) / (d.abs().sum(0) + 1e-2),
    "For each column,": lambda d: torch.where(d.abs().sum(0) > 0.5, given_back(d), 0.0),
    "add up the gains": lambda d: given_back(d[:4]),
    r"shape \(2,\); yours has shape \(1,\)|shape \(\)": lambda d: given_back(d)[:1],
    "NaN or infinity": lambda d: given_back(d) / 0,
    "changes a tensor": lambda d: given_back(d.abs_()),
    "returned None": lambda d: None,
}

# --- a misleading input --------------------------------------------------------------------------------------------

INPUT_WRONG = {
    r"From \(0, 0\) this input misleads": lambda: (0.6, 0.42),
    "x1 deserves the credit": lambda: (0.35, 0.19),
    "does x1 pass through the band|not all credit to x2": lambda: (0.6, 0.9),
    r"BShap gives \(0, 0\), and not all credit to x2": lambda: (1.0, 1.0),
    "is x2 well inside": lambda: (0.35, 0.35),
    "is x2 well inside the band, and x1 outside": lambda: (0.19, 0.25),
    "IG is right": lambda: (0.8, 0.35),
    "must climb onto the arm": lambda: (0.05, 0.44),
    "x1 before x2 comes near": lambda: (0.15, 0.4),
    "must be deep": lambda: [0.16, 0.36],
    "outside of the square": lambda: (-0.1, 0.4),
    "outside of the square from 0 to 1": lambda: (19, 35),
    "you return 3": lambda: (0.1, 0.2, 0.3),
    "NaN or infinity": lambda: (float("nan"), 0.35),
    "two numbers, x1 and x2; yours is a str": lambda: "A",
    "two numbers, x1 and x2; yours is a dict": lambda: {"x1": 0.19, "x2": 0.35},
    "Nothing here yet": lambda: (..., ...),
    "returned None": lambda: None,
    "ZeroDivisionError": lambda: 1 / 0,
}

# --- dummy or not --------------------------------------------------------------------------------------------------


def is_dummy(f, x, baseline, i):
    for chosen in product((0, 1), repeat=len(x)):
        a = torch.stack([x[k] if c else baseline[k] for k, c in enumerate(chosen)])
        b = a.clone()
        a[i], b[i] = x[i], baseline[i]
        if abs(f(a[None]) - f(b[None])).item() > 1e-8:
            return False
    return True


def is_dummy_by_sets(f, x, baseline, i):
    """Coalitions of the others, all of them in one call."""
    others = [k for k in range(len(x)) if k != i]
    rows = []
    for size in range(len(x)):
        for chosen in combinations(others, size):
            row = [x[k] if k in chosen else baseline[k] for k in range(len(x))]
            rows += [[*row[:i], end, *row[i + 1 :]] for end in (x[i], baseline[i])]
    values = f(torch.tensor(rows, dtype=x.dtype)).reshape(-1, 2).numpy()
    return np.isclose(values[:, 0], values[:, 1]).all()


def is_dummy_by_bits(f, x, baseline, i):
    bits = torch.arange(2 ** len(x))[:, None] >> torch.arange(len(x)) & 1
    a = torch.where(bits.bool(), x, baseline)
    b = a.clone()
    a[:, i], b[:, i] = x[i], baseline[i]
    return int((f(a) - f(b)).abs().max() < 1e-6)


def exchanged(f, other, x, b, i):
    one, two = other.clone(), other.clone()
    one[i], two[i] = x[i], b[i]
    return (f(one[None]) - f(two[None])).item()


def changes(f, x, b, i):
    return [exchanged(f, torch.where(torch.tensor(m) > 0, x, b), x, b, i) for m in product((0, 1), repeat=len(x))]


def weak(f, x, b, i):
    points = torch.rand(500, len(x), dtype=torch.float64)
    moved = points.clone()
    moved[:, i] = torch.rand(500, dtype=torch.float64)
    return torch.allclose(f(points), f(moved))


def loosely(small):
    def answer(f, x, b, i):
        return all(abs(change) <= small for change in changes(f, x, b, i))

    return answer


def some_corners(f, x, b, i):
    generator = torch.Generator().manual_seed(0)
    tries = (torch.where(torch.rand(len(x), generator=generator) < 0.5, x, b) for _ in range(20))
    return all(abs(exchanged(f, other, x, b, i)) < 1e-9 for other in tries)


def gradient_is_zero(f, x, b, i):
    x = x.clone()[None].requires_grad_()
    return abs(torch.autograd.grad(f(x).sum(), x)[0][0, i].item()) < 1e-9


DUMMY_WRONG = {
    "wrong way round": lambda *case: not is_dummy(*case),
    "You return a change": lambda *case: max(map(abs, changes(*case))),
    "at the input only": lambda f, x, b, i: abs(exchanged(f, x, x, b, i)) < 1e-9,
    "at the baseline only": lambda f, x, b, i: abs(exchanged(f, b, x, b, i)) < 1e-9,
    "corners that mix": lambda f, x, b, i: abs(exchanged(f, x, x, b, i)) + abs(exchanged(f, b, x, b, i)) < 1e-9,
    "have the same output": lambda f, x, b, i: torch.isclose(f(x[None]), f(b[None])),
    "other values of the features": weak,
    "Its value is the baseline's": lambda f, x, b, i: is_dummy(f, x, torch.zeros_like(b), i),
    "what Integrated Gradients gives": lambda f, x, b, i: (
        integrated_gradients(f, x[None], b[None], n_steps=1000)[0, i].abs() < 1e-3
    ),
    "as BShap does": lambda f, x, b, i: bshap(f, x[None], b[None])[0, i].abs() < 1e-9,
    "allow a tiny difference": loosely(0),
    "allow a tiny difference \\(1e-9": lambda *case: all(
        math.isclose(1 + 1e-9 * c, 1) and c == 0 for c in changes(*case)
    ),
    "overlook small changes": loosely(1e-2),
    "another feature": lambda f, x, b, i: is_dummy(f, x, b, len(x) - 1 - i),
    "count from 0": lambda f, x, b, i: is_dummy(f, x, b, 0),
    "average or add the changes": lambda *case: abs(sum(changes(*case))) < 1e-8,
    "passes for no change": lambda *case: max(changes(*case)) < 1e-9,
    "Without its absolute value": lambda *case: min(changes(*case)) > -1e-9,
    "One corner without a change": lambda *case: min(map(abs, changes(*case))) < 1e-9,
    r"exchange feature i and compare.*\nFor f = x1², x = \[2\], baseline = \[1\], i = 0 it returned 1": lambda *case: (
        True
    ),
    "in each of them, exchange feature i": some_corners,
    "in each of them": gradient_is_zero,
    "exchange feature i and compare": lambda f, x, b, i: is_dummy(f, x, torch.ones_like(b), i),
    "For D features": lambda f, x, b, i: is_dummy(f, x[:3], b[:3], i) if i < 3 and len(x) == 3 else True,
    "True or False; yours is a str": lambda f, x, b, i: "True",
    r"True or False; yours has shape \(2,\)": lambda f, x, b, i: torch.tensor([True, False]),
    "returned None": lambda f, x, b, i: None,
}

# --- an unfair function --------------------------------------------------------------------------------------------


def unfair(z):
    return z[:, 0] + 12 * z[:, 0] * (1 - z[:, 0]) * z[:, 1]


def unfair_sines(z):
    return 2 * z[:, 0] - 3 * torch.sin(torch.pi * z[:, 0]) * torch.sin(2 * torch.pi * z[:, 1])


def unfair_hill(z):
    """A steep, narrow valley across the diagonal, in the way of x1 only."""
    return z[:, 0] + 6 * (torch.sigmoid(60 * (z[:, 1] - z[:, 0])) - 0.5) * bump(z[:, 0]) * bump(z[:, 1])


def bump(t):
    return 16 * (t * (1 - t)) ** 2


def unfair_rows(z):
    """Row by row, as a list."""
    return [1.5 * x1 - 15 * x1 * (x1 - 1) * x2**2 * (2 - x2) for x1, x2 in z]


def unfair_squares(z):
    """Its slope bends at the middle, but does not break."""
    return 1.25 * z[:, 0] + 15 * z[:, :1].squeeze(1) * z[:, 1] * (1 - z[:, 0]) + torch.relu(z[:, 1] - 0.5) ** 2


def kinked(z):
    return z[:, 0] + 12 * torch.minimum(z[:, 0], 1 - z[:, 0]) * z[:, 1]


def off_the_path(z):
    """Smooth near the diagonal, with a kink far from it."""
    return unfair(z) + torch.relu(z[:, 0] - z[:, 1] - 0.3) * (1 - z[:, 0])


UNFAIR_WRONG = {
    "unfair to x2": lambda z: unfair(z.flip(1)),
    r"Where x2 = 0, raising x1 from 0 to 1 changes your output by \+0, .* At the other corner": lambda z: (
        z[:, 0] * z[:, 1]
    ),
    "Where x2 = 1": lambda z: z[:, 0] * (1 - z[:, 1]),
    "where x2 = 0 and by -1 where x2 = 1": lambda z: -unfair(z),
    "by 1 or more": lambda z: 0.9 * unfair(z) - 5,
    r"IG pays x1 \+1\. Add something": lambda z: z[:, 0] + z[:, 1],
    "the right idea": lambda z: z[:, 0] + 6 * z[:, 0] * (1 - z[:, 0]) * z[:, 1],
    "IG pays x1 -0.98": lambda z: z[:, 0] + 11.9 * z[:, 0] * (1 - z[:, 0]) * z[:, 1],
    "slopes down in x1": lambda z: z[:, 0] - 12 * z[:, 0] * (1 - z[:, 0]) * z[:, 1],
    r"At about \(0.50, 0.\d+\) your function has a kink": kinked,
    "kink or a jump": lambda z: (z[:, 0] > 0.5) + 0.0 * z[:, 0],
    "kink": lambda z: z[:, 0] - 3 * (z[:, 0] - z[:, 1]).abs() * bump(z[:, 0]) * bump(z[:, 1]),
    "kink or": off_the_path,
    "Smooth means": lambda z: unfair(z) + torch.round(4 * z[:, 1]),
    "no slope changes at once": lambda z: unfair(z) + z[:, 1].sqrt(),
    "does it detach": lambda z: z[:, 0] + 12 * (unfair(z) - unfair(z).detach()),
    "very steep": lambda z: unfair(z) + 0.2 * torch.sin(1e5 * z[:, 1] * z[:, 0]),
    "depends on the other rows": lambda z: unfair(z) + (z[:, 0] - z[:, 0].mean()) * 3,
    r"shape \(4,\); yours has shape \(4, 2\)": lambda z: z,
    "not finite": lambda z: z[:, 0] / z[:, 1],
    "no gradient": lambda z: z[:, 0].detach() + 1,
    "no gradient that autograd": lambda z: unfair(z).tolist(),
    "AttributeError": lambda z: z.nothing,
    "returned None": lambda z: None,
}


def some_points(seed):
    generator = torch.Generator().manual_seed(seed)
    return [(torch.rand(4, 2, generator=generator, dtype=torch.float64),)]


FAMILY = {
    checks.check_misleading_input: (lambda seed: [()], lambda answer: torch.tensor(answer)),
    checks.check_unfair: (some_points, lambda answer: answer),
}

ALL = {
    checks.check_mean_output: (
        [
            mean_output,
            by_hand,
            by_levels,
            by_game,
            lambda x1: torch.tensor([by_hand(x1)]),
        ],
        MEAN_WRONG,
    ),
    checks.check_given_back: (
        [
            given_back,
            given_back_loop,
            given_back_by_net,
            given_back_against_sign,
            lambda d: given_back(d.double()),
        ],
        BACK_WRONG,
    ),
    checks.check_misleading_input: (
        [
            lambda: (0.19, 0.35),
            lambda: [0.18, 0.35],
            lambda: torch.tensor([[0.185, 0.35]]),
            lambda: np.array([0.19, 0.34]),
        ],
        INPUT_WRONG,
    ),
    checks.check_is_dummy: (
        [
            is_dummy,
            loosely(1e-6),
            is_dummy_by_sets,
            is_dummy_by_bits,
            lambda *case: torch.tensor(is_dummy(*case)),
        ],
        DUMMY_WRONG,
    ),
    checks.check_unfair: (
        [
            unfair,
            unfair_sines,
            unfair_hill,
            unfair_rows,
            unfair_squares,
            lambda z: (2 * unfair(z.float()) + 5)[:, None],
        ],
        UNFAIR_WRONG,
    ),
}
RIGHT_ANYWAY = {
    checks.check_misleading_input: {"one percent more|0.01 more": "(0.192, 0.354) and (0.2, 0.36) mislead as well"},
    checks.check_unfair: {"12 -> (13|24)": "more of what vanishes at the corners charges x1 even more"},
}
globals().update(shared_tests(ALL, family=FAMILY, right_anyway=RIGHT_ANYWAY))


@pytest.mark.parametrize("check", ALL)
def test_no_message_gives_the_answer_away(check):
    secrets = {
        checks.check_mean_output: [f"{mean_output(x1):.2f}" for x1 in (0.22, 0.25, 0.535)],
        checks.check_misleading_input: ["0.19", "0.35", "0.18"],
        checks.check_unfair: ["12 ", "(1 - "],
    }
    for said in messages(check, ALL):
        assert not any(secret in said for secret in secrets.get(check, []))
