"""Checks of the chapter on Integrated Gradients: right answers pass, typical mistakes get their hint."""

import re
from fractions import Fraction
from pathlib import Path

import nbformat
import numpy as np
import torch
from checking import messages, shared_tests

import icg
from icg.baselines import every
from icg_book.integrated_gradients import checks
from icg_book.kit.answers import Accepted

BOOK = Path(__file__).parents[3] / "book" / "integrated_gradients.ipynb"


def grad(f, points):
    points = points.detach().requires_grad_()
    return torch.autograd.grad(f(points).sum(), points)[0]


# --- The signed gap ----------------------------------------------------------------------------------------------


def gap(f, x, b, a):
    return a.sum(1) - (f(x) - f(b))


def gap_by_rows(f, x, b, a):
    """Input by input, in Python's numbers."""
    return [sum(a[k].tolist()) - f(x[k : k + 1]).item() + f(b[k : k + 1]).item() for k in range(len(x))]


def gap_in_one_call(f, x, b, a):
    at_x, at_b = f(torch.cat([x, b])).numpy().reshape(2, -1)
    return np.einsum("nd->n", a.numpy()) - at_x + at_b


GAP_WRONG = {
    "sign is reversed": lambda f, x, b, a: -gap(f, x, b, a),
    "Keep the sign": lambda f, x, b, a: gap(f, x, b, a).abs(),
    "forgot the output at the baseline": lambda f, x, b, a: a.sum(1) - f(x),
    "begins at the output at the baseline": lambda f, x, b, a: gap(f, x, torch.zeros_like(b), a),
    "the output of the difference": lambda f, x, b, a: a.sum(1) - f(x - b),
    "has the wrong sign": lambda f, x, b, a: a.sum(1) - f(x) - f(b),
    "how far the two are apart": lambda f, x, b, a: a.sum(1) + f(x) - f(b),
    "average over the features": lambda f, x, b, a: a.mean(1) - (f(x) - f(b)),
    "in units of the output": lambda f, x, b, a: gap(f, x, b, a) / (f(x) - f(b)),
    "sum of the attributions alone": lambda f, x, b, a: a.sum(1),
    "change of the output alone": lambda f, x, b, a: f(x) - f(b),
    "as they are": lambda f, x, b, a: a.abs().sum(1) - (f(x) - f(b)),
    "in the attributions already": lambda f, x, b, a: gap(f, x, b, a * (x - b)),
    "You put all inputs together": lambda f, x, b, a: gap(f, x, b, a).mean(),
    "all inputs together.*dimension 1": lambda f, x, b, a: a.sum() - (f(x) - f(b)),
    r"one number for each input, shape \(1,\); yours has shape \(2,\)": lambda f, x, b, a: a.sum(0),
    "stopped with RuntimeError": lambda f, x, b, a: a.sum(0) - (f(x) - f(b)),
    "from every single attribution": lambda f, x, b, a: (a.T - (f(x) - f(b))).T,
    r"two sides.*\nFor f = x1 x2 \+ 1, x = \[\[2, 1\]\].* it returned \[1.5\]": lambda f, x, b, a: (
        a[:, 0] - (f(x) - f(b))
    ),
    "two sides": lambda f, x, b, a: gap(f, x, b, a).round(decimals=2),
    "returned None": lambda f, x, b, a: None,
    "ZeroDivisionError": lambda f, x, b, a: 1 / 0,
    "changes a tensor": lambda f, x, b, a: gap(f, x, b, a.sub_(0.5)),
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


def trapezoid_by_fractions(n):
    width = Fraction(1, n - 1)
    nodes, weights = [k * width for k in range(n)], [width / (2 if k in (0, n - 1) else 1) for k in range(n)]
    return tuple(map(float, nodes)), tuple(map(float, weights))


def trapezoid_by_torch(n):
    """What torch's own rule does with each value, by its gradient."""
    nodes, values = torch.linspace(0, 1, n), torch.zeros(n, requires_grad=True)
    return nodes, torch.autograd.grad(torch.trapezoid(values, nodes), values)[0]


def halved_at_the_start(n):
    weights = torch.full((n,), 1 / (n - 1))
    weights[0] /= 2
    return weights


TRAPEZOID_WRONG = {
    "n \\+ 1 points": lambda n: trapezoid(n + 1),
    "n - 1 points": lambda n: (torch.linspace(0, 1, n)[1:], torch.full((n - 1,), 1 / (n - 1))),
    "a weight for each trapezoid": lambda n: (trapezoid(n)[0], trapezoid(n)[0].diff()),
    "middles of steps": lambda n: ((torch.arange(n) + 0.5) / n, torch.full((n,), 1 / n)),
    "last node lies before 1": lambda n: (torch.arange(n) / n, trapezoid(n)[1]),
    "first node lies after 0": lambda n: ((torch.arange(n) + 1) / n, trapezoid(n)[1]),
    "yours are all inside": lambda n: (torch.linspace(0, 1, n + 2)[1:-1], torch.full((n,), 1 / n)),
    "from 0 to 1\\.": lambda n: (trapezoid(n)[0].flip(0), trapezoid(n)[1]),
    "nodes are counts": lambda n: (torch.arange(n), trapezoid(n)[1]),
    "The nodes come first": lambda n: trapezoid(n)[::-1],
    "weigh the same": lambda n: (trapezoid(n)[0], torch.full((n,), 1 / n)),
    "they count half": lambda n: (trapezoid(n)[0], torch.full((n,), 1 / (n - 1))),
    "less than 1": lambda n: (trapezoid(n)[0], trapezoid(n)[1] * (n - 1) / n),
    "weights are counts": lambda n: (trapezoid(n)[0], trapezoid(n)[1] * (n - 1)),
    "mean of its two heights": lambda n: (trapezoid(n)[0], trapezoid(n)[1] * 2),
    "Only one of the two ends": lambda n: (trapezoid(n)[0], halved_at_the_start(n)),
    "count for nothing": lambda n: (trapezoid(n)[0], 2 * (trapezoid(n)[1] - trapezoid(n)[1][0])),
    "half of what you give them": lambda n: (trapezoid(n)[0], trapezoid(n)[1].flip(0) * 0 + doubled_ends(n)),
    r"Draw it.*\nFor n = 2 it returned \[0, 1\] and \[0, 1\]": lambda n: (trapezoid(n)[0], torch.linspace(0, 1, n)),
    "Draw it": lambda n: (trapezoid(n)[0] ** 2, trapezoid(n)[1]),
    r"n nodes, shape \(4,\); yours has shape \(5,\)": lambda n: trapezoid(5) if n > 3 else trapezoid(n),
    r"n weights, shape \(2,\); yours has shape \(3,\)": lambda n: (trapezoid(n)[0], trapezoid(n + 1)[1]),
    "Return 2 things": lambda n: [*trapezoid(n)[0], 0.0],
    "returned None": lambda n: None,
    "Nothing here yet": lambda n: (..., ...),  # as the stub stands
    "Nothing here yet:": lambda n: (trapezoid(n)[0], ...),
    r"n nodes, shape \(2,\); yours has shape \(1,\)": lambda n: ([0.5], [1.0]),
}


def doubled_ends(n):
    weights = torch.full((n,), 0.5 / (n - 1))
    weights[0] = weights[-1] = 1 / (n - 1)
    return weights


# --- By hand -----------------------------------------------------------------------------------------------------


def hand(x, b):
    first = (x[0] - b[0]) * (x[1] ** 2 + x[1] * b[1] + b[1] ** 2) / 3
    return torch.stack([first, x[0] * x[1] ** 2 - b[0] * b[1] ** 2 - first])


def square(z):
    return z[:, 0] * z[:, 1] ** 2


def hand_by_simpson(x, b):
    points = torch.stack([b, (x + b) / 2, x])
    return (x - b) * (torch.tensor([1.0, 4.0, 1.0])[:, None] / 6 * grad(square, points)).sum(0)


def hand_by_terms(x, b):
    """The terms of the polynomials in alpha, in plain numbers."""
    (x1, x2), (b1, b2) = x.tolist(), b.tolist()
    d1, d2 = x1 - b1, x2 - b2
    return d1 * (b2**2 + b2 * d2 + d2**2 / 3), 2 * d2 * (b1 * b2 + (b1 * d2 + d1 * b2) / 2 + d1 * d2 / 3)


def hand_by_cubes(x, b):
    """The integral of a square as a difference of cubes; x2 and its baseline differ in all cases."""
    (x1, x2), (b1, b2) = x.numpy(), b.numpy()
    first = (x1 - b1) * (x2**3 - b2**3) / (3 * (x2 - b2))
    return np.array([first, x1 * x2**2 - b1 * b2**2 - first])


def hand_by_gauss(x, b):
    """Two points of Gauss are exact for squares."""
    nodes = (torch.tensor([-1.0, 1.0], dtype=x.dtype) / 3**0.5 + 1) / 2
    return (x - b) * grad(square, b + nodes[:, None] * (x - b)).mean(0)


def joined(x, b):
    first = (x[0] - b[0]) * (x[1] ** 2 + b[1] ** 2) / 2
    return torch.stack([first, x[0] * x[1] ** 2 - b[0] * b[1] ** 2 - first])


def with_first(x, b, factor):
    first = (x[0] - b[0]) * factor(x[1], b[1])
    return torch.stack([first, x[0] * x[1] ** 2 - b[0] * b[1] ** 2 - first])


def in_steps(x, b, n):
    nodes = (torch.arange(n) + 0.5) / n
    return (x - b) * grad(square, b + nodes[:, None] * (x - b)).mean(0)


HAND_WRONG = {
    "wrong order": lambda x, b: hand(x, b).flip(0),
    "sign is reversed": lambda x, b: hand(b, x),
    "mean gradients": lambda x, b: hand(x, b) / (x - b),
    "gradient at the input": lambda x, b: (x - b) * grad(square, x[None])[0],
    "gradient at the baseline": lambda x, b: (x - b) * grad(square, b[None])[0],
    "one step of the middle rule": lambda x, b: (x - b) * grad(square, (x + b)[None] / 2)[0],
    "at the difference": lambda x, b: (x - b) * grad(square, (x - b)[None])[0],
    "at the two ends": lambda x, b: (x - b) * grad(square, torch.stack([x, b])).mean(0),
    "BShap": joined,
    "baseline of zero only": lambda x, b: hand(x, 0 * x),
    "starts at zero": lambda x, b: hand(x, 0 * x) / x * (x - b),
    "as in the example": lambda x, b: with_first(x, b, lambda x2, b2: (x2**2 + b2**2) / 3),
    "that of alpha a half": lambda x, b: with_first(x, b, lambda x2, b2: (x2**2 + 2 * x2 * b2 + b2**2) / 3),
    r"not to F\(x\)": lambda x, b: torch.stack([hand(x, b)[0], x[0] * x[1] ** 2 - hand(x, b)[0]]),
    "Feature 1 is right": lambda x, b: torch.stack([hand(x, b)[0], x[0] * x[1] ** 2 - b[0] * b[1] ** 2]),
    "walk in steps": lambda x, b: in_steps(x, b, 50),
    "The library's integrated_gradients did it": lambda x, b: icg.integrated_gradients(
        square, x[None], b[None], n_steps=4, method="gausslegendre"
    )[0],
    r"what is left of the change.*\nFor x = \[2, 1.2\], baseline = \[1, 0\]": lambda x, b: hand(x, b) + 0.3,
    "what is left of the change": lambda x, b: torch.tensor([0.48, 2.4]),
    "Put x' \\+ alpha": lambda x, b: hand(x.abs(), b),
    r"two features, shape \(2,\); yours has shape \(\)": lambda x, b: hand(x, b).sum(),
    "returned None": lambda x, b: None,
    "ValueError": lambda x, b: int("x"),
}

# --- Enough steps ------------------------------------------------------------------------------------------------


def steps(f, x, b, tolerance, size=torch.Tensor.abs, grow=lambda n: 2 * n, method="riemann_middle", first=1):
    n = first
    while True:
        options = {"n_steps": n, "method": method, "return_convergence_delta": True}
        if size(icg.integrated_gradients(f, x, b, **options)[1]) <= tolerance:
            return n
        n = grow(n)


def steps_from_scratch(f, x, b, tolerance):
    for k in range(20):
        alpha = (torch.arange(2**k, dtype=x.dtype) + 0.5) / 2**k
        total = ((x - b) * grad(f, b + alpha[:, None] * (x - b)).mean(0)).sum()
        if abs(total - (f(x) - f(b)).item()) <= tolerance:
            return torch.tensor(2**k)


def steps_recursively(f, x, b, tolerance, n=1):
    """A grid of numbers, one call of the library for each n, and the sum of the attributions instead of the gap."""
    total = float(icg.integrated_gradients(f, x, b, n_steps=n).double().sum())
    good = abs(total - float(f(x)) + float(f(b))) <= tolerance
    return np.int64(n) if good else steps_recursively(f, x, b, tolerance, 2 * n)


def steps_twice(f, x, b, tolerance):
    n = steps(f, x, b, tolerance)
    while steps(f, x, b, tolerance, first=n) != n or steps(f, x, b, tolerance, first=2 * n) != 2 * n:
        n *= 2
    return n


def gap_at(f, x, b, n):
    return float(icg.integrated_gradients(f, x, b, n_steps=n, return_convergence_delta=True)[1])


def down(f, x, b, tolerance):
    """From many steps downwards, until the gap is too large."""
    n = 2**9
    while n > 1 and abs(gap_at(f, x, b, n // 2)) <= tolerance:
        n //= 2
    return n


def capped(most):
    return lambda *a: min(steps(*a), most)


STEPS_WRONG = {
    "any negative gap": lambda *a: steps(*a, size=lambda g: g),
    "any positive gap": lambda *a: steps(*a, size=lambda g: -g),
    "not close enough yet": lambda *a: steps(*a) // 2,
    "once more": lambda *a: steps(*a) * 2,
    "begin with n = 1": lambda *a: steps(*a, first=2),
    "at most, not less": lambda f, x, b, t: steps(f, x, b, t * 0.999999),
    "divide the gap": lambda f, x, b, t: steps(f, x, b, t * (f(x) - f(b)).abs()),
    "square the gap": lambda *a: steps(*a, size=torch.square),
    "left rule": lambda *a: steps(*a, method="riemann_left"),
    "right rule": lambda *a: steps(*a, method="riemann_right"),
    "trapezoid rule": lambda *a: steps(*a, method="riemann_trapezoid", first=2),
    "Gauss-Legendre": lambda *a: steps(*a, method="gausslegendre"),
    "Double n": lambda *a: steps(*a, grow=lambda n: n + 1),
    "Double n:": lambda *a: steps(*a, grow=lambda n: 10 * n),
    "how often n was doubled": lambda *a: steps(*a).bit_length() - 1,
    "Return the number of steps": lambda f, x, b, t: gap_at(f, x, b, steps(f, x, b, t)),
    "two good gaps": steps_twice,
    "Here the first good one counts": down,
    r"Try 1, 2, 4.*\nFor f = 2 x1 - x2, .*tolerance = 0.01 it returned 2": lambda *a: 2,
    "the first number whose gap": capped(32),
    "gap is small enough": lambda f, x, b, t: steps(f, x, 0 * b, t),
    "small enough": lambda f, x, b, t: steps(f, x, b, 0.1),
    "one number, the number of steps; yours has shape": lambda *a: [1, 2, 4],
    "returned None": lambda *a: None,
    "Nothing here yet": lambda *a: ...,
    "RuntimeError": lambda f, x, b, t: steps(f, x[0], b, t),
    "does it ever hold": lambda f, x, b, t: steps(f, x, b, t, size=lambda g: 2 * t - g.abs()),
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


def averaged_in_numbers(f, x, baselines, n):
    """One path at a time, in Python's numbers."""

    def credit(row, b):
        slopes = [grad(f, (b + (k + 0.5) / n * (row - b))[None])[0].tolist() for k in range(n)]
        return [
            (r - s) * sum(g) / n for r, s, g in zip(row.tolist(), b.tolist(), zip(*slopes, strict=True), strict=True)
        ]

    rows = [[credit(row, b) for b in baselines] for row in x]
    return [[sum(c) / len(c) for c in zip(*row, strict=True)] for row in rows]


def each(f, x, baselines, n):
    return torch.stack([averaged(f, x, b[None], n) for b in baselines])


def slopes(f, x, baselines, n):
    return torch.stack([averaged(f, x, b[None], n) / (x - b) for b in baselines])


AVERAGED_WRONG = {
    "from the mean of the baselines": lambda f, x, b, n: averaged(f, x, b.mean(0, keepdim=True), n),
    "sum over the baselines": lambda f, x, b, n: averaged(f, x, b, n) * len(b),
    "n_steps times": lambda f, x, b, n: averaged(f, x, b, n) * n,
    "the number of both": lambda f, x, b, n: averaged(f, x, b, n) * n * len(b),
    "once too often": lambda f, x, b, n: averaged(f, x, b, n) / len(b),
    "mean gradients": lambda f, x, b, n: slopes(f, x, b, n).mean(0),
    "multiply first": lambda f, x, b, n: slopes(f, x, b, n).mean(0) * (x - b.mean(0)),
    "multiply by the input": lambda f, x, b, n: slopes(f, x, b, n).mean(0) * x,
    "first baseline only": lambda f, x, b, n: averaged(f, x, b[:1], n),
    "last baseline only": lambda f, x, b, n: averaged(f, x, b[-1:], n),
    "sign is reversed": lambda f, x, b, n: -averaged(f, x, b, n),
    "left ends": lambda f, x, b, n: averaged(f, x, b, n, 0),
    "right ends": lambda f, x, b, n: averaged(f, x, b, n, 1),
    "gradient at the inputs only": lambda f, x, b, n: grad(f, x) * (x - b.mean(0)),
    "from end to end": lambda f, x, b, n: sum(
        (x - c) * grad(f, c + a * (x - c)) / (n * len(b)) for c in b for a in torch.linspace(0, 1, n)
    ),
    "another rule or number of steps": lambda f, x, b, n: averaged(f, x, b, 64),
    "absolute values": lambda f, x, b, n: each(f, x, b, n).abs().mean(0),
    "from zero": lambda f, x, b, n: averaged(f, x, 0 * b[:1], n),
    "one attribution for each baseline": each,
    "You average over the inputs, too": lambda f, x, b, n: averaged(f, x, b, n).mean(0, keepdim=True),
    "everything to one number": lambda f, x, b, n: each(f, x, b, n).mean(),
    "You sum over the features": lambda f, x, b, n: averaged(f, x, b, n).sum(1),
    r"plain IG.*\nFor f = x1² x2, x = \[\[2, 1\]\], baselines = \[\[1, 0\]\], n_steps = 1 it returned": (
        lambda f, x, b, n: averaged(f, x, b, n) * 1.01
    ),
    "plain IG by the middle rule": lambda f, x, b, n: averaged(f, x[:1], b, n).expand_as(x),
    "plain IG": lambda f, x, b, n: each(f, x, b, n).median(0).values,
    "stopped with RuntimeError": lambda f, x, b, n: averaged_pairs(f, x, b, n),
    "returned None": lambda f, x, b, n: None,
}


def averaged_pairs(f, x, b, n):
    """Input 1 from baseline 1, input 2 from baseline 2."""
    return sum((x - b) * grad(f, b + (k + 0.5) / n * (x - b)) / n for k in range(n))


ALL = {
    checks.check_completeness_gap: (
        [gap, gap_by_rows, gap_in_one_call, lambda f, x, b, a: (f(b) - f(x) + a.sum(-1)).float()],
        GAP_WRONG,
    ),
    checks.check_trapezoid_rule: (
        [
            trapezoid,
            trapezoid_of_areas,
            trapezoid_by_fractions,
            trapezoid_by_torch,
            lambda n: torch.stack(trapezoid(n)),
            lambda n: [t.tolist() for t in trapezoid(n)],
        ],
        TRAPEZOID_WRONG,
    ),
    checks.check_ig_by_hand: (
        [hand, hand_by_simpson, hand_by_terms, hand_by_cubes, hand_by_gauss, lambda x, b: hand(x, b).tolist()],
        HAND_WRONG,
    ),
    checks.check_steps_needed: (
        [steps, steps_from_scratch, steps_recursively, lambda *a: [float(steps(*a))]],
        STEPS_WRONG,
    ),
    checks.check_averaged_ig: (
        [
            averaged,
            averaged_at_once,
            averaged_in_numbers,
            lambda f, x, b, n: icg.integrated_gradients(f, x, every(b), n_steps=n),
            lambda f, x, b, n: averaged(f, x.double(), b.double(), n).numpy(),
        ],
        AVERAGED_WRONG,
    ),
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
        name = check.stub
        assert kinds[k : k + 4] == ["exercise", "stub", "hints", "solution"]
        about = cells[k].metadata["icg"]
        assert f":label: {about['exercise']}\n" in cells[k].source and len(about["misconceptions"]) >= 3
        assert f"{about['difficulty'].capitalize()}, {about['minutes']} minutes" in cells[k].source
        assert (
            f"def {name}(" in cells[k + 1].source
            and f"# checks.{name.replace('my_', 'check_')}({name})" in cells[k + 1].source
        )
        assert f"# {name} = checks.accept({name})" in cells[k + 1].source


def test_no_message_gives_the_answer_away():
    for said in messages(checks.check_steps_needed, ALL):  # how many steps are right, for any function
        assert not re.search(r"\b(16|32|64|128)\b", said.partition("returned")[0])
    for said in messages(checks.check_ig_by_hand, ALL):
        assert "2.4" not in said.partition("returned")[0]


def test_references_agree_with_the_library():
    x, b = torch.randn(2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    by_library = icg.integrated_gradients(square, x[None], b[None], n_steps=4, method="gausslegendre")[0]
    assert torch.allclose(Accepted("my_ig_by_hand")(x, b), by_library)
    one = torch.ones(1, 2, dtype=torch.float64)
    assert steps(lambda z: torch.exp(3 * z[:, 0]) - z[:, 1], one, 0 * one, 0.01) == 32
    for n in (2, 3, 10):
        pairs = zip(Accepted("my_trapezoid_rule")(n), icg.quadrature.quadrature("riemann_trapezoid", n), strict=True)
        assert all(torch.allclose(one.double(), other) for one, other in pairs)
