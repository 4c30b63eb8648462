"""Checks of the chapter on attribution transfer."""

import math
from itertools import product

import torch
from torch import Tensor

from icg.attribution import integrated_gradients
from icg.shapley import bshap
from icg_book.kit.old_answers import NotYet, call, call_tensor, meet, reference
from icg_book.kit.old_answers import accept as accept
from icg_book.scenarios.landscapes import KNOTS, LANDSCAPES, trapezoid

CROSS = LANDSCAPES["cross"]


# ---- the references -------------------------------------------------------------------------------------------


@reference("my_mean_output")
def _mean_output(x1):
    x2 = (torch.arange(2000, dtype=torch.float64) + 0.5) / 2000
    return CROSS(torch.stack([torch.full_like(x2, float(x1)), x2], 1)).mean().item()


@reference("my_given_back")
def _given_back(increments):
    gained, lost = increments.clamp(min=0).sum(0), -increments.clamp(max=0).sum(0)
    moved = gained + lost
    return torch.where(moved > 0, torch.minimum(gained, lost) / moved, 0.0)


@reference("my_misleading_input")
def _misleading_input():
    return 0.19, 0.35


@reference("my_is_dummy")
def _is_dummy(f, x, baseline, i):
    rows = []
    for chosen in product((False, True), repeat=len(x)):
        rows.append(torch.where(torch.tensor(chosen), x, baseline))
    corners = torch.stack(rows)
    without = corners.clone()
    without[:, i] = baseline[i]
    corners[:, i] = x[i]
    return bool(((f(corners) - f(without)).abs() < 1e-9).all())


@reference("my_unfair")
def _unfair(z):
    return z[:, 0] + 12 * z[:, 0] * (1 - z[:, 0]) * z[:, 1]


# ---- the checks -----------------------------------------------------------------------------------------------


def _one_number(answer) -> float:
    try:
        number = float(answer)
    except (TypeError, ValueError, RuntimeError):
        shape = f" of shape {tuple(answer.shape)}" if isinstance(answer, Tensor) else ""
        raise NotYet(f"Return one number; yours is a {type(answer).__name__}{shape}.") from None
    if not math.isfinite(number):
        raise NotYet(f"Your number is {number}.")
    return number


def check_mean_output(function) -> None:
    """``function(x1) -> number``: the mean output of the cross when ``x1`` is known and x2 uniform on [0, 1]."""
    places = (0.1, 0.22, 0.25, 0.4, 0.535)
    answer = torch.tensor([_one_number(call(function, x1)) for x1 in places], dtype=torch.float64)
    t = trapezoid(torch.tensor(places, dtype=torch.float64))
    alone = trapezoid((torch.arange(2000, dtype=torch.float64) + 0.5) / 2000).mean()  # mean of g
    right = torch.tensor([_mean_output(x1) for x1 in places], dtype=torch.float64)
    mean = torch.tensor(521 / 1200, dtype=torch.float64)
    if bool((answer > 2).any()):
        raise NotYet("A mean of outputs between 0 and 1 lies between 0 and 1, too. Did you sum?")
    meet(
        answer,
        right,
        [
            (
                torch.maximum(t, trapezoid(torch.tensor(0.5, dtype=torch.float64))),
                "You put x2 at its mean, 0.5. Average the outputs over all x2, not x2 itself.",
            ),
            (t, "You look at x2 where it is out of the band only. Average over the whole range of x2."),
            (alone.expand(5), "x1 makes no difference in your answer. It is known, and counts in every output."),
            (mean.expand(5), "This averages over x1, too. Hold it at the value that is passed in."),
            (torch.maximum(t, alone), "You take the maximum of the means. Average the maxima instead."),
            (t + alone, "You add the two arms. The output is the larger of the two, not their sum."),
            (t + alone - t * alone, 'This is the formula for "either of two events". The output is a maximum.'),
            (right - mean, "You subtract the mean output. Wanted is the coalition's value alone."),
            (
                torch.maximum(torch.where(t > 0, 1.0, 0.0).double(), right),
                "You treat the slopes of the band as if the output were 1 there.",
            ),
        ],
        "Not the mean output: hold x1, let x2 run evenly over [0, 1], and average what the cross gives.",
        tolerance=2e-3,
    )
    print("Right: that is the value of the coalition {x1} in SHAP's game.")


def check_given_back(function) -> None:
    """``function(increments (K, n)) -> (n,)``: of all credit that moved, the share against the larger direction."""
    generator = torch.Generator().manual_seed(0)
    increments = torch.randn(40, 6, generator=generator)
    increments[:, 1] = increments[:, 1].abs()  # never gives back
    increments[:, 2] -= 0.8  # more losses than gains
    increments[:, 3] = 0.0  # nothing happens
    increments[:, 4] = torch.cat([torch.full((39,), -0.01), torch.tensor([2.0])])  # many small losses, one large gain
    answer = call_tensor(function, increments.clone())
    d = increments.double()
    gained, lost = d.clamp(min=0).sum(0), -d.clamp(max=0).sum(0)
    moved = gained + lost
    right = _given_back(d)

    def share(part):
        return torch.where(moved > 0, part / moved, 0.0)

    if answer.shape == right.shape and bool(answer.isnan().any()):
        if bool(answer.isnan().eq(moved == 0).all()):
            raise NotYet("A feature for which nothing moves gives nothing back: return 0 for it, not 0/0.")
        raise NotYet("There is NaN among your numbers.")
    least = torch.minimum((d > 0).sum(0), (d < 0).sum(0))
    meet(
        answer,
        right,
        [
            (
                share(lost),
                "You always take the losses. Where losses are the larger part, the gains are what is given back.",
            ),
            (share(gained), "You take the gains, as a share. What is given back is the smaller of gains and losses."),
            (share(torch.maximum(gained, lost)), "You take the larger of gains and losses. Take the smaller one."),
            (
                2 * right,
                "This is the share that cancels, gains and losses both counted. Count what flows back alone.",
            ),
            (share(d.sum(0).abs()), "This is what remains at the end, as a share. What was given back?"),
            (share(d.sum(0)), "This is what remains at the end, as a share. What was given back?"),
            (torch.minimum(gained, lost), "Divide by all that moved, gains plus losses: a share has no unit."),
            (
                torch.where(moved > 0, torch.minimum(gained, lost) / torch.maximum(gained, lost), 0.0),
                "You divide by the larger part. Divide by all that moved, gains plus losses.",
            ),
            (
                torch.where(moved > 0, least / (d != 0).sum(0).clamp(min=1), 0.0),
                "You count steps. Weigh each step by how much credit moves in it.",
            ),
            (
                torch.where(moved > 0, torch.minimum(gained, lost) / d.sum(0).abs(), 0.0),
                "You divide by the final credit, which may be close to 0. Divide by all that moved.",
            ),
        ],
        "Not yet: for each column, add up the gains and the losses, and compare the smaller sum with both together.",
    )
    print("Right: 0 if all credit flows one way, at most a half.")


def check_misleading_input(function) -> None:
    """``function() -> (x1, x2)``: IG from (1, 1) gives all credit for the cross to x1, BShap gives all to x2."""
    answer = call(function)
    try:
        point = torch.as_tensor(answer, dtype=torch.float64).detach().reshape(1, -1)
    except (TypeError, ValueError, RuntimeError):
        raise NotYet(f"Return two numbers, x1 and x2; yours is a {type(answer).__name__}.") from None
    if point.numel() != 2:
        raise NotYet(f"Return two numbers, x1 and x2; you return {point.numel()}.")
    if not bool(((point >= 0) & (point <= 1)).all()):
        raise NotYet("Your input lies outside of the square from 0 to 1.")
    white = torch.ones_like(point)

    def is_at(values, *expected):
        return bool(((values - torch.tensor(expected)).abs() < 0.02).all())

    def ig(baseline):
        return integrated_gradients(CROSS, point, baseline, n_steps=20_000)[0]

    corners, path = bshap(CROSS, point, white)[0], ig(white)
    shown = ", ".join(f"{round(v, 2) + 0.0:g}" for v in path.tolist())
    if is_at(corners, 1, 0):
        raise NotYet("At your input x1 deserves the credit. x2 should lie in the band, and x1 outside of it.")
    if not is_at(corners, 0, 1):
        raise NotYet("At your input BShap does not give all credit to x2: is x2 well inside the band, and x1 outside?")
    if not is_at(path, 1, 0):
        if is_at(ig(torch.zeros_like(point)), 1, 0):
            raise NotYet(f"From (0, 0) this input misleads, but from (1, 1) IG gives ({shown}). Where is the baseline?")
        if is_at(path, 0, 1):
            raise NotYet("IG is right about your input: x2 enters the band first, or alone. Let x1 come first.")
        if point[0, 0] > KNOTS[-1] - 1e-6:
            raise NotYet(f"IG gives ({shown}). On its way from 1, does x1 pass through the band at all?")
        raise NotYet(
            f"IG gives ({shown}). The path must climb onto the arm of x1 before x2 comes near the band, "
            "and must be deep in the band of x2 before x1 leaves its own."
        )
    print("Right: maximally misleading, from a white baseline.")


def check_is_dummy(function) -> None:
    """``function(f, x, baseline, i) -> bool``: whether feature i changes nothing at any corner (strong dummy)."""

    def point(*numbers):
        return torch.tensor(numbers, dtype=torch.float64)

    def hidden(z):  # x1 counts only where x2 is the input's and x3 the baseline's
        return z[:, 0] * z[:, 1] * (1 - z[:, 2]) + z[:, 1]

    def deep(z):  # x2 counts only where x1, x3 are the input's and x4 the baseline's
        return z[:, 0] * z[:, 1] * z[:, 2] * (2 - z[:, 3]) + z[:, 3] ** 2

    def faint(z):
        return z[:, 0] + 0.001 * z[:, 1]

    a = point(0.6, 0.42), point(0, 0)
    ones, zeros = point(1, 1), point(0, 0)
    cases = [
        (CROSS, *a, 0),
        (CROSS, *a, 1),
        (LANDSCAPES["cosine"], ones, zeros, 0),
        (LANDSCAPES["cosine"], ones, zeros, 1),
        (LANDSCAPES["sines"], ones, zeros, 0),
        (LANDSCAPES["sines"], ones, zeros, 1),
        (hidden, point(1, 1, 1), point(0, 0, 0), 0),
        (hidden, point(1, 1, 1), point(0, 0, 0), 1),
        (hidden, point(1, 1, 0), point(0, 0, 0), 2),
        (deep, point(1, 3, 1, 2), point(0, 0, 0, 0), 1),
        (deep, point(1, 3, 1, 2), point(0, 0, 0, 1), 3),
        (faint, point(2, 1), point(1, 0), 1),
        (lambda z: z[:, 0] * z[:, 1], ones, zeros, 0),
        (lambda z: z[:, 0] * (1 - z[:, 1]), ones, zeros, 0),
        (lambda z: z[:, 0] * (2 * z[:, 1] - 1), ones, zeros, 0),
        (lambda z: z[:, 0] - 2 * z[:, 2], point(0.3, 0.9, 0.1), point(1, 0.2, 0.5), 1),
    ]
    answers = []
    for f, x, b, i in cases:
        answer = call(function, f, x.clone(), b.clone(), i)
        if isinstance(answer, Tensor) and answer.numel() != 1:
            raise NotYet(f"Return one True or False; yours has shape {tuple(answer.shape)}.")
        if not isinstance(answer, (bool, Tensor)) and type(answer).__name__ not in ("bool_", "bool"):
            raise NotYet(f"Return True or False; yours is a {type(answer).__name__}.")
        answers.append(bool(answer))

    def each(verdict):
        return [verdict(f, x, b, i) for f, x, b, i in cases]

    def gain(f, x, b, i, others):
        with_, without = others.clone(), others.clone()
        with_[:, i], without[:, i] = x[i], b[i]
        return (f(with_) - f(without)).abs()

    def corners(x, b):
        return torch.stack([torch.where(torch.tensor(c), x, b) for c in product((False, True), repeat=len(x))])

    def at(*rows, below=1e-9):
        return each(lambda f, x, b, i: bool((gain(f, x, b, i, torch.stack([r(x, b) for r in rows])) < below).all()))

    def everywhere(f, x, b, i):
        generator = torch.Generator().manual_seed(1)
        points = torch.rand(64, len(x), generator=generator, dtype=torch.float64)
        moved = points.clone()
        moved[:, i] = torch.rand(64, generator=generator, dtype=torch.float64)
        return bool(((f(points) - f(moved)).abs() < 1e-9).all())

    def sensitivity(f, x, b, i):
        return abs(integrated_gradients(f, x[None], b[None], n_steps=2000)[0, i].item()) < 1e-3

    right = each(_is_dummy)
    if answers == right:
        print("Right: every corner was asked.")
        return
    mistakes = [
        ([not r for r in right], "True and False are the wrong way round: a dummy changes nothing."),
        (
            at(lambda x, b: x),
            "You exchange the feature at the input only. The other features may be the baseline's, too.",
        ),
        (
            at(lambda x, b: b),
            "You exchange the feature at the baseline only. The other features may be the input's, too.",
        ),
        (
            at(lambda x, b: x, lambda x, b: b),
            "You ask at the input and at the baseline. Between them there are corners that mix the two.",
        ),
        (each(everywhere), "You try all values of the features. Strong Dummy looks at the input's and the baseline's."),
        (each(sensitivity), "This asks what Integrated Gradients give. The definition asks the function itself."),
        (
            each(lambda f, x, b, i: bool((gain(f, x, b, i, corners(x, b)) == 0).all())),
            "You ask whether two outputs are exactly equal. Computers round, so allow a tiny difference (1e-9, say).",
        ),
        (
            each(lambda f, x, b, i: bool((gain(f, x, b, i, corners(x, b)) < 1e-2).all())),
            "You overlook small changes. A difference of a thousandth is not rounding.",
        ),
        (
            each(lambda f, x, b, i: bool((gain(f, x, b, len(x) - 1 - i, corners(x, b)) < 1e-9).all())),
            "You exchange another feature than number i. They count from 0.",
        ),
        (
            each(lambda f, x, b, i: abs(_signed(f, x, b, i, corners(x, b)).mean().item()) < 1e-9),
            "You average the changes: opposite ones cancel. Each of them must be zero.",
        ),
    ]
    for wrong, hint in mistakes:
        if answers == wrong:
            raise NotYet(hint)
    raise NotYet(
        "Some verdicts are wrong. For D features there are 2 ** (D - 1) ways to take the other features from the input "
        "or the baseline; in each of them, exchange feature i and compare."
    )


def _signed(f, x, b, i, others):
    with_, without = others.clone(), others.clone()
    with_[:, i], without[:, i] = x[i], b[i]
    return f(with_) - f(without)


def check_unfair(function) -> None:
    """``function(z (N, 2)) -> (N,)``: x1 raises it by 1 or more at either corner, yet IG from 0 to 1 pays x1 <= -1."""
    corners = torch.tensor([[0, 0], [1, 0], [0, 1], [1, 1]], dtype=torch.float64)
    values = call_tensor(function, corners.clone())
    if values.shape != (4,):
        raise NotYet(f"Return one number per row, shape (4,) for these corners; yours has shape {tuple(values.shape)}.")
    if not bool(values.isfinite().all()):
        raise NotYet("Your function is not finite at a corner.")
    first = [(values[1] - values[0]).item(), (values[3] - values[2]).item()]
    try:
        paid, gap = integrated_gradients(
            function, corners[3:], corners[:1], n_steps=4096, return_convergence_delta=True
        )
    except Exception as error:
        raise NotYet(f"Your function has no gradient that autograd can find: {error}") from error
    paid, gap = paid[0].tolist(), gap.item()
    second = [(values[2] - values[0]).item(), (values[3] - values[1]).item()]
    if min(second) >= 1 - 1e-6 and paid[1] <= -1 + 1e-3 and not (min(first) >= 1 - 1e-6 and paid[0] <= -1 + 1e-3):
        raise NotYet("This is unfair to x2. Exchange the roles of the two features.")
    for low, (change, words) in enumerate(zip(first, ("x2 = 0", "x2 = 1"), strict=True)):
        if change < 1 - 1e-6:
            other = first[1 - low]
            more = " At the other corner it does." if other >= 1 - 1e-6 else ""
            raise NotYet(
                f"Where {words}, raising x1 from 0 to 1 changes your output by {change:+.3g}, not by 1 or more.{more}"
            )
    if abs(gap) > 0.02:
        raise NotYet(
            f"On the diagonal your function jumps or is very steep: IG misses completeness by {gap:+.3g}, "
            "so its numbers mean nothing. Make it smooth."
        )
    if paid[0] > -1 + 1e-3:
        if paid[0] > 0.5:
            raise NotYet(
                f"IG pays x1 {paid[0]:+.3g}. Add something that vanishes at all four corners, but slopes down in x1 "
                "along the diagonal."
            )
        raise NotYet(f"IG pays x1 {paid[0]:+.3g}: the right idea. Make the part that vanishes at the corners larger.")
    print("Right: at every corner x1 helps, and IG charges it for it.")
