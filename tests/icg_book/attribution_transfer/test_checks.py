"""The checks of the chapter on attribution transfer accept right answers and name typical mistakes."""

from itertools import product
from pathlib import Path

import pytest
import torch
from checking import messages, shared_tests

from icg import integrated_gradients
from icg_book.attribution_transfer import checks
from icg_book.scenarios.landscapes import LANDSCAPES, trapezoid

NOTEBOOK = Path(__file__).parents[3] / "book" / "attribution_transfer.ipynb"
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


MEAN_WRONG = {
    "at its mean, 0.5": lambda x1: cross(torch.tensor([[x1, 0.5]])).item(),
    "out of the band only": lambda x1: cross(torch.tensor([[x1, 0.0], [x1, 1.0]])).mean(),
    "x1 makes no difference": lambda x1: 0.25,
    "averages over x1, too": lambda x1: cross(torch.cartesian_prod(grid[::5], grid[::5])).mean(),
    "maximum of the means": lambda x1: max(g(x1), 0.25),
    "add the two arms": lambda x1: g(x1) + 0.25,
    "either of two events": lambda x1: g(x1) + 0.25 - 0.25 * g(x1),
    "Did you sum": lambda x1: cross(torch.stack([torch.full_like(grid, x1), grid], 1)).sum(),
    "subtract the mean": lambda x1: mean_output(x1) - 521 / 1200,
    "slopes of the band": lambda x1: 1.0 if 0.2 < x1 < 0.55 else 0.25,
    "hold x1": lambda x1: 0.9 * mean_output(x1),
    "one number": lambda x1: cross(torch.stack([torch.full_like(grid, x1), grid], 1)),
    "Your number is nan": lambda x1: float("nan"),
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


BACK_WRONG = {
    "always take the losses": lambda d: (-d).relu().sum(0) / d.abs().sum(0).clamp(min=1e-9),
    "take the gains": lambda d: d.relu().sum(0) / d.abs().sum(0).clamp(min=1e-9),
    "larger of gains": lambda d: torch.maximum(d.relu().sum(0), (-d).relu().sum(0)) / d.abs().sum(0).clamp(min=1e-9),
    "share that cancels": lambda d: 2 * given_back(d),
    "remains at the end": lambda d: d.sum(0).abs() / d.abs().sum(0).clamp(min=1e-9),
    "a share has no unit": lambda d: torch.minimum(d.relu().sum(0), (-d).relu().sum(0)),
    "divide by the larger": lambda d: (
        torch.minimum(d.relu().sum(0), (-d).relu().sum(0))
        / torch.maximum(d.relu().sum(0), (-d).relu().sum(0)).clamp(min=1e-9)
    ),
    "count steps": lambda d: torch.minimum((d > 0).sum(0), (d < 0).sum(0)) / (d != 0).sum(0).clamp(min=1),
    "final credit": lambda d: torch.minimum(d.relu().sum(0), (-d).relu().sum(0)) / d.sum(0).abs().clamp(min=1e-9),
    "not 0/0": lambda d: torch.minimum(d.relu().sum(0), (-d).relu().sum(0)) / d.abs().sum(0),
    r"of shape \(6,\)": lambda d: given_back(d.T),
    "for each column": lambda d: given_back(d) ** 2,
    "Return a tensor": lambda d: given_back(d).tolist(),
}

# --- a misleading input --------------------------------------------------------------------------------------------

INPUT_WRONG = {
    r"From \(0, 0\) this input misleads": lambda: (0.6, 0.42),
    "x1 deserves the credit": lambda: (0.35, 0.19),
    "does not give all credit to x2": lambda: (0.6, 0.9),
    "is x2 well inside": lambda: (0.35, 0.35),
    "IG is right": lambda: (0.8, 0.35),
    "must climb onto the arm": lambda: (0.05, 0.44),
    "x1 before x2 comes near|must be deep": lambda: (0.15, 0.4),
    "outside of the square": lambda: (-0.1, 0.4),
    "you return 3": lambda: (0.1, 0.2, 0.3),
    "two numbers, x1 and x2; yours is a str": lambda: "A",
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


def exchanged(f, other, x, b, i):
    one, two = other.clone(), other.clone()
    one[i], two[i] = x[i], b[i]
    return (f(one[None]) - f(two[None])).item()


def weak(f, x, b, i):
    points = torch.rand(500, len(x), dtype=torch.float64)
    moved = points.clone()
    moved[:, i] = torch.rand(500, dtype=torch.float64)
    return torch.allclose(f(points), f(moved))


def loosely(small):
    def answer(f, x, b, i):
        mixes = product((0, 1), repeat=len(x))
        return all(abs(exchanged(f, torch.where(torch.tensor(m) > 0, x, b), x, b, i)) <= small for m in mixes)

    return answer


DUMMY_WRONG = {
    "wrong way round": lambda *case: not is_dummy(*case),
    "at the input only": lambda f, x, b, i: abs(exchanged(f, x, x, b, i)) < 1e-9,
    "at the baseline only": lambda f, x, b, i: abs(exchanged(f, b, x, b, i)) < 1e-9,
    "corners that mix": lambda f, x, b, i: abs(exchanged(f, x, x, b, i)) + abs(exchanged(f, b, x, b, i)) < 1e-9,
    "try all values": weak,
    "what Integrated Gradients give": lambda f, x, b, i: (
        integrated_gradients(f, x[None], b[None], n_steps=1000)[0, i].abs() < 1e-2
    ),
    "exactly equal": loosely(0),
    "overlook small changes": loosely(1e-2),
    "another feature": lambda f, x, b, i: is_dummy(f, x, b, len(x) - 1 - i),
    "average the changes": lambda f, x, b, i: (
        abs(sum(exchanged(f, torch.where(torch.tensor(m) > 0, x, b), x, b, i) for m in product((0, 1), repeat=len(x))))
        < 1e-8
    ),
    "Some verdicts are wrong": lambda f, x, b, i: True,
    "True or False; yours is a float": lambda f, x, b, i: 0.0,
    "one True or False": lambda f, x, b, i: torch.tensor([True, False]),
}

# --- an unfair function --------------------------------------------------------------------------------------------


def unfair(z):
    return z[:, 0] + 12 * z[:, 0] * (1 - z[:, 0]) * z[:, 1]


def unfair_sines(z):
    return 2 * z[:, 0] - 3 * torch.sin(torch.pi * z[:, 0]) * torch.sin(2 * torch.pi * z[:, 1])


UNFAIR_WRONG = {
    "unfair to x2": lambda z: unfair(z.flip(1)),
    r"Where x2 = 0, raising x1 from 0 to 1 changes your output by \+0, .* At the other corner": lambda z: (
        z[:, 0] * z[:, 1]
    ),
    "Where x2 = 1": lambda z: z[:, 0] * (1 - z[:, 1]),
    "IG pays x1 .1. Add something": lambda z: z[:, 0] + z[:, 1],
    "the right idea": lambda z: z[:, 0] + 6 * z[:, 0] * (1 - z[:, 0]) * z[:, 1],
    "slopes down in x1": lambda z: z[:, 0] - 12 * z[:, 0] * (1 - z[:, 0]) * z[:, 1],
    "jumps or is very steep": lambda z: (z[:, 0] > 0.5) + 0.0 * z[:, 0],
    "one number per row": lambda z: z,
    "not finite": lambda z: z[:, 0] / z[:, 1],
    "no gradient": lambda z: z[:, 0].detach() + 1,
    "AttributeError": lambda z: z.nothing,
}

ALL = {
    checks.check_mean_output: ([mean_output, by_hand, lambda x1: torch.tensor([by_hand(x1)])], MEAN_WRONG),
    checks.check_given_back: ([given_back, given_back_loop, lambda d: given_back(d.double())], BACK_WRONG),
    checks.check_misleading_input: (
        [lambda: (0.19, 0.35), lambda: [0.18, 0.35], lambda: torch.tensor([0.185, 0.35])],
        INPUT_WRONG,
    ),
    checks.check_is_dummy: ([is_dummy, loosely(1e-6), lambda *case: torch.tensor(is_dummy(*case))], DUMMY_WRONG),
    checks.check_unfair: ([unfair, unfair_sines, lambda z: 2 * unfair(z) + 5], UNFAIR_WRONG),
}
globals().update(shared_tests(ALL))


@pytest.mark.parametrize("check", ALL)
def test_no_message_gives_the_answer_away(check):
    secrets = {
        checks.check_mean_output: [f"{mean_output(x1):.2f}" for x1 in (0.22, 0.25, 0.535)],
        checks.check_misleading_input: ["0.19", "0.35", "0.18"],
        checks.check_unfair: ["12", "(1 - "],
    }
    for said in messages(check, ALL):
        assert not any(secret in said for secret in secrets.get(check, []))
