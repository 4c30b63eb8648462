"""Checks of the chapter on Integrated Gradients: right answers pass, typical mistakes get their hint."""

import re
from pathlib import Path

import nbformat
import numpy as np
import torch
from checking import messages, shared_tests

import icg
from icg_book.integrated_gradients import checks

BOOK = Path(__file__).parents[3] / "book" / "integrated_gradients.ipynb"


def grad(f, points):
    points = points.detach().requires_grad_()
    return torch.autograd.grad(f(points).sum(), points)[0]


# --- The signed gap ----------------------------------------------------------------------------------------------


def gap(f, x, b, a):
    return a.sum(1) - (f(x) - f(b))


GAP_WRONG = {
    "sign is reversed": lambda f, x, b, a: -gap(f, x, b, a),
    "Keep the sign": lambda f, x, b, a: gap(f, x, b, a).abs(),
    "forgot the output at the baseline": lambda f, x, b, a: a.sum(1) - f(x),
    "not plus": lambda f, x, b, a: a.sum(1) - f(x) - f(b),
    "average over the features": lambda f, x, b, a: a.mean(1) - (f(x) - f(b)),
    "divide by the change": lambda f, x, b, a: gap(f, x, b, a) / (f(x) - f(b)),
    "sum of the attributions alone": lambda f, x, b, a: a.sum(1),
    "change of the output alone": lambda f, x, b, a: f(x) - f(b),
    "as they are": lambda f, x, b, a: a.abs().sum(1) - (f(x) - f(b)),
    "distance is in": lambda f, x, b, a: gap(f, x, b, a * (x - b)),
    "one number per input": lambda f, x, b, a: gap(f, x, b, a).sum(),
    "never over inputs": lambda f, x, b, a: a.sum(0) - (f(x) - f(b)).sum(),
    "two sides": lambda f, x, b, a: a[:, 0] - (f(x) - f(b)),
    "Return a tensor": lambda f, x, b, a: gap(f, x, b, a).tolist(),
    "returned None": lambda f, x, b, a: None,
    "ZeroDivisionError": lambda f, x, b, a: 1 / 0,
}

# --- The trapezoid rule ------------------------------------------------------------------------------------------


def trapezoid(n):
    weights = torch.full((n,), 1 / (n - 1))
    weights[[0, -1]] /= 2
    return torch.linspace(0, 1, n), weights


def trapezoid_of_areas(n):
    weights = np.zeros(n)
    for k in range(n - 1):
        weights[k : k + 2] += 0.5 / (n - 1)
    return [k / (n - 1) for k in range(n)], weights


def halved_at_the_start(n):
    weights = torch.full((n,), 1 / (n - 1))
    weights[0] /= 2
    return weights


TRAPEZOID_WRONG = {
    "n \\+ 1 points": lambda n: trapezoid(n + 1),
    "middles of steps": lambda n: ((torch.arange(n) + 0.5) / n, torch.full((n,), 1 / n)),
    "last node lies before 1": lambda n: (torch.arange(n) / n, trapezoid(n)[1]),
    "first node lies after 0": lambda n: ((torch.arange(n) + 1) / n, trapezoid(n)[1]),
    "from 0 to 1\\.": lambda n: (trapezoid(n)[0].flip(0), trapezoid(n)[1]),
    "both included": lambda n: (trapezoid(n)[0] ** 2, trapezoid(n)[1]),
    "weigh the same": lambda n: (trapezoid(n)[0], torch.full((n,), 1 / n)),
    "they count half": lambda n: (trapezoid(n)[0], torch.full((n,), 1 / (n - 1))),
    "less than 1": lambda n: (trapezoid(n)[0], trapezoid(n)[1] * (n - 1) / n),
    "counts": lambda n: (trapezoid(n)[0], trapezoid(n)[1] * (n - 1)),
    "mean\\* of its two heights": lambda n: (trapezoid(n)[0], trapezoid(n)[1] * 2),
    "Only one of the two ends": lambda n: (trapezoid(n)[0], halved_at_the_start(n)),
    "constant gradient": lambda n: (trapezoid(n)[0], torch.linspace(0, 1, n)),
    "5 nodes and 5 weights": lambda n: (trapezoid(n)[0], trapezoid(n)[1][1:]),
    "Return two things": lambda n: trapezoid(n)[0],
    "returned None": lambda n: None,
    "Nothing here yet": lambda n: (..., ...),  # as the stub stands
    "yours are 1 and 1": lambda n: ([0.5], [1.0]),
}

# --- By hand -----------------------------------------------------------------------------------------------------


def hand(x, b):
    first = (x[0] - b[0]) * (x[1] ** 2 + x[1] * b[1] + b[1] ** 2) / 3
    return torch.stack([first, x[0] * x[1] ** 2 - b[0] * b[1] ** 2 - first])


def square(z):
    return z[:, 0] * z[:, 1] ** 2


def hand_by_simpson(x, b):
    points = torch.stack([b, (x + b) / 2, x])
    return (x - b) * (torch.tensor([1.0, 4.0, 1.0])[:, None] / 6 * grad(square, points)).sum(0)


def joined(x, b):
    first = (x[0] - b[0]) * (x[1] ** 2 + b[1] ** 2) / 2
    return torch.stack([first, x[0] * x[1] ** 2 - b[0] * b[1] ** 2 - first])


HAND_WRONG = {
    "wrong order": lambda x, b: hand(x, b).flip(0),
    "sign is reversed": lambda x, b: -hand(x, b),
    "mean gradients": lambda x, b: hand(x, b) / (x - b),
    "gradient at the input": lambda x, b: (x - b) * grad(square, x[None])[0],
    "gradient at the baseline": lambda x, b: (x - b) * grad(square, b[None])[0],
    "one step of the middle rule": lambda x, b: (x - b) * grad(square, (x + b)[None] / 2)[0],
    "at the two ends": lambda x, b: (x - b) * grad(square, torch.stack([x, b])).mean(0),
    "BShap": joined,
    "baseline of zero only": lambda x, b: hand(x, 0 * x),
    "starts at zero": lambda x, b: hand(x, 0 * x) / x * (x - b),
    "first is right": lambda x, b: hand(x, b) * torch.tensor([1.0, 2.0]),
    "second is right": lambda x, b: hand(x, b) * torch.tensor([2.0, 1.0]),
    "sum misses": lambda x, b: hand(x, b) + 0.3,
    "their sum is right": lambda x, b: hand(x, b) + torch.tensor([0.3, -0.3]),
    "shape \\(2,\\)": lambda x, b: hand(x, b)[None],
    "Return a tensor": lambda x, b: hand(x, b).tolist(),
    "returned None": lambda x, b: None,
    "ValueError": lambda x, b: int("x"),
}

# --- Enough steps ------------------------------------------------------------------------------------------------


def steps(f, x, b, tolerance, size=torch.Tensor.abs, grow=lambda n: 2 * n, method="riemann_middle"):
    n = 1
    while True:
        options = {"n_steps": n, "method": method, "return_convergence_delta": True}
        if size(icg.integrated_gradients(f, x, b, **options)[1]) <= tolerance:
            return n
        n = grow(n)


def steps_from_scratch(f, x, b, tolerance):
    for k in range(20):
        alpha = (torch.arange(2**k) + 0.5) / 2**k
        total = ((x - b) * grad(f, b + alpha[:, None] * (x - b)).mean(0)).sum()
        if abs(total - (f(x) - f(b)).item()) <= tolerance:
            return torch.tensor(2**k)


STEPS_WRONG = {
    "any negative gap": lambda *a: steps(*a, size=lambda g: g),
    "any positive gap": lambda *a: steps(*a, size=lambda g: -g),
    "not close enough yet": lambda *a: steps(*a) // 2,
    "once more": lambda *a: steps(*a) * 2,
    "divide the gap": lambda f, x, b, t: steps(f, x, b, t * (f(x) - f(b)).abs()),
    "left rule": lambda *a: steps(*a, method="riemann_left"),
    "Gauss-Legendre": lambda *a: steps(*a, method="gausslegendre"),
    "double n": lambda *a: steps(*a, grow=lambda n: n + 1),
    "still too large": lambda *a: 2,
    "small enough": lambda *a: 512,
    "and not the gap": lambda *a: 0.0031,
    "Return one number": lambda *a: [32],
    "returned None": lambda *a: None,
    "Nothing here yet": lambda *a: ...,
}

# --- Several baselines -------------------------------------------------------------------------------------------


def averaged(f, x, baselines, n, offset=0.5):
    total = 0
    for b in baselines:
        for k in range(n):
            total = total + (x - b) * grad(f, b + (k + offset) / n * (x - b)) / (n * len(baselines))
    return total


def averaged_at_once(f, x, baselines, n):
    alpha = ((torch.arange(n) + 0.5) / n)[:, None, None, None]
    distance = x - baselines[:, None]
    points = baselines[:, None] + alpha * distance
    return (distance * grad(f, points.flatten(0, 2)).view_as(points)).mean((0, 1))


def each(f, x, baselines, n):
    return torch.stack([averaged(f, x, b[None], n) for b in baselines])


def slopes(f, x, baselines, n):
    return torch.stack([averaged(f, x, b[None], n) / (x - b) for b in baselines])


AVERAGED_WRONG = {
    "from the mean of the baselines": lambda f, x, b, n: averaged(f, x, b.mean(0, keepdim=True), n),
    "sum over the baselines": lambda f, x, b, n: averaged(f, x, b, n) * len(b),
    "n_steps times": lambda f, x, b, n: averaged(f, x, b, n) * n,
    "mean gradients": lambda f, x, b, n: slopes(f, x, b, n).mean(0),
    "multiply first": lambda f, x, b, n: slopes(f, x, b, n).mean(0) * (x - b.mean(0)),
    "first baseline only": lambda f, x, b, n: averaged(f, x, b[:1], n),
    "last baseline only": lambda f, x, b, n: averaged(f, x, b[-1:], n),
    "sign is reversed": lambda f, x, b, n: -averaged(f, x, b, n),
    "left ends": lambda f, x, b, n: averaged(f, x, b, n, 0),
    "right ends": lambda f, x, b, n: averaged(f, x, b, n, 1),
    "absolute values": lambda f, x, b, n: each(f, x, b, n).abs().mean(0),
    "from zero": lambda f, x, b, n: averaged(f, x, 0 * b[:1], n),
    "one attribution for each baseline": each,
    "shape \\(2, 3\\)": lambda f, x, b, n: averaged(f, x, b, n).sum(1),
    "plain IG": lambda f, x, b, n: grad(f, x) * (x - b.mean(0)),
    "returned None": lambda f, x, b, n: None,
    "stopped with RuntimeError": lambda f, x, b, n: averaged(f, x, b, n) + x @ b,
}

ALL = {
    checks.check_completeness_gap: (
        [gap, lambda f, x, b, a: (f(b) - f(x) + a.sum(-1)).float()],
        GAP_WRONG,
    ),
    checks.check_trapezoid_rule: (
        [
            trapezoid,
            trapezoid_of_areas,
            lambda n: torch.stack(trapezoid(n)),
            lambda n: [t.tolist() for t in trapezoid(n)],
        ],
        TRAPEZOID_WRONG,
    ),
    checks.check_ig_by_hand: ([hand, hand_by_simpson, lambda x, b: hand(x, b).float()], HAND_WRONG),
    checks.check_steps_needed: (
        [steps, steps_from_scratch, lambda *a: float(steps(*a))],
        STEPS_WRONG,
    ),
    checks.check_averaged_ig: ([averaged, averaged_at_once], AVERAGED_WRONG),
}
globals().update(shared_tests(ALL))


def test_every_exercise_of_the_notebook_has_its_four_cells():
    cells = nbformat.read(BOOK, 4).cells
    kinds = [
        next(iter({"exercise", "stub", "hints", "solution"} & set(c.metadata.get("tags", []))), None) for c in cells
    ]
    starts = [k for k, kind in enumerate(kinds) if kind == "exercise"]
    assert len(starts) == len(ALL)
    for k, check in zip(starts, ALL, strict=True):
        name = check.__name__.replace("check_", "my_")
        assert kinds[k : k + 4] == ["exercise", "stub", "hints", "solution"]
        about = cells[k].metadata["icg"]
        assert f":label: {about['exercise']}\n" in cells[k].source and len(about["misconceptions"]) >= 3
        assert f"{about['difficulty'].capitalize()}, {about['minutes']} minutes" in cells[k].source
        assert f"def {name}(" in cells[k + 1].source and f"# checks.{check.__name__}({name})" in cells[k + 1].source
        assert f"# {name} = checks.accept({name})" in cells[k + 1].source


def test_no_message_gives_the_answer_away():
    for said in messages(checks.check_steps_needed, ALL):  # how many steps are right, for either function
        assert not re.search(r"\b(32|64|128|256)\b", said)
    for said in messages(checks.check_ig_by_hand, ALL):
        assert "0.48" not in said and "2.4" not in said


def test_references_agree_with_independent_ones(capsys):
    def my_ig_by_hand():
        """Only the name counts."""

    x, b = torch.randn(2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    by_library = icg.integrated_gradients(square, x[None], b[None], n_steps=4, method="gausslegendre")[0]
    assert torch.allclose(checks.accept(my_ig_by_hand)(x, b), by_library)
    one = torch.ones(1, 2, dtype=torch.float64)
    assert steps(lambda z: torch.exp(3 * z[:, 0]) - z[:, 1], one, 0 * one, 0.01) == 32
