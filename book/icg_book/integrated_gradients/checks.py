"""Checks of the chapter on Integrated Gradients."""

import torch
from torch import Tensor

from icg.attribution import integrated_gradients
from icg.baselines import every
from icg.quadrature import quadrature
from icg_book.kit.old_answers import NotYet, call, call_tensor, meet, reference
from icg_book.kit.old_answers import accept as accept


@reference("my_completeness_gap")
def _completeness_gap(f, x, baseline, attributions):
    return attributions.sum(1) - (f(x) - f(baseline))


@reference("my_trapezoid_rule")
def _trapezoid_rule(n):
    return quadrature("riemann_trapezoid", n)


@reference("my_ig_by_hand")
def _ig_by_hand(x, baseline):
    (x1, x2), (b1, b2) = x, baseline
    first = (x1 - b1) * (x2**2 + x2 * b2 + b2**2) / 3
    return torch.stack([first, x1 * x2**2 - b1 * b2**2 - first])


@reference("my_steps_needed")
def _steps_needed(f, x, baseline, tolerance):
    return _doublings(tolerance, lambda n: _gap(f, x, baseline, n).abs())


@reference("my_averaged_ig")
def _averaged_ig(f, x, baselines, n_steps):
    return integrated_gradients(f, x, every(baselines), n_steps=n_steps)


def _gap(f, x, baseline, n, method="riemann_middle") -> Tensor:
    options = {"n_steps": n, "method": method, "return_convergence_delta": True}
    return integrated_gradients(f, x, baseline, **options)[1]


def _doublings(tolerance, error, most=2**14) -> int:
    n = 1
    while error(n) > tolerance and n < most:
        n *= 2
    return n


def check_completeness_gap(function) -> None:
    """``function(f, x, baseline, attributions) -> gap``: ``(N, D)`` each and ``f`` to ``(N,)``, as is the gap."""
    generator = torch.Generator().manual_seed(3)
    x, baseline, attributions = torch.randn(3, 4, 3, generator=generator, dtype=torch.float64).unbind()

    def f(z):
        return 1 + z[:, 0] * z[:, 1] - 2 * z[:, 2]

    answer = call_tensor(function, f, x.clone(), baseline.clone(), attributions.clone())
    total, change = attributions.sum(1), f(x) - f(baseline)
    right = total - change
    if answer.shape != right.shape:
        raise NotYet(
            f"Return one number per input, shape {tuple(right.shape)}; yours has shape {tuple(answer.shape)}. "
            "The sum runs over the features of one input (dimension 1), never over inputs."
        )
    meet(
        answer,
        right,
        [
            (-right, "The sign is reversed: a positive gap means that the attributions sum to too much."),
            (right.abs(), "Keep the sign: it tells whether the rule collected too much or too little."),
            (total - f(x), "Attributions share out the change of the output; you forgot the output at the baseline."),
            (total - f(x) - f(baseline), "The change of the output is F(x) minus F(x'), not plus."),
            (attributions.mean(1) - change, "You average over the features; completeness speaks of their sum."),
            (right / change, "You divide by the change. Here the gap itself is asked for, in units of the output."),
            (total, "That is the sum of the attributions alone. What should it be equal to?"),
            (change, "That is the change of the output alone. What should be equal to it?"),
            (attributions.abs().sum(1) - change, "Sum the attributions as they are: negative credit counts against."),
            ((attributions * (x - baseline)).sum(1) - change, "The distance is in the attributions already."),
        ],
        "Not sum(attributions) - (F(x) - F(x')): compute the two sides of completeness separately and look at them.",
    )
    print("Right: that is the signed completeness gap.")


def check_trapezoid_rule(function) -> None:
    """``function(n) -> (nodes, weights)``, ``(n,)`` each, of the trapezoid rule on [0, 1]."""
    for n in (5, 2):
        answer = call(function, n)
        if isinstance(answer, tuple) and any(a is ... for a in answer):
            raise NotYet("Nothing here yet: replace the dots by your answer.")
        try:
            nodes, weights = (torch.as_tensor(a).detach().double().reshape(-1) for a in answer)
        except (TypeError, ValueError, RuntimeError):
            raise NotYet("Return two things, nodes and weights, each a list or tensor of n numbers.") from None
        if len(nodes) == n + 1:
            raise NotYet("You have n + 1 points. Here n counts the points, that is the gradients to be computed.")
        if len(nodes) != n or len(weights) != n:
            raise NotYet(f"Return {n} nodes and {n} weights for n = {n}; yours are {len(nodes)} and {len(weights)}.")
        right_nodes, right = quadrature("riemann_trapezoid", n)
        meet(
            nodes,
            right_nodes,
            [
                (
                    quadrature("riemann_middle", n)[0],
                    "These are the middles of steps; trapezoids begin and end at nodes.",
                ),
                (
                    quadrature("riemann_left", n)[0],
                    "Your last node lies before 1: the trapezoid rule asks at both ends.",
                ),
                (
                    quadrature("riemann_right", n)[0],
                    "Your first node lies after 0: the trapezoid rule asks at both ends.",
                ),
                (right_nodes.flip(0), "Order the nodes from 0 to 1."),
            ],
            "The nodes should go from 0 to 1, both included, at equal distances.",
        )
        ends_whole = torch.full((n,), 1 / (n - 1))
        one_end = ends_whole.clone()
        one_end[0] /= 2
        meet(
            weights,
            right,
            [
                (
                    torch.full((n,), 1 / n),
                    "All of your points weigh the same. Which of them belong to one trapezoid only?",
                ),
                (ends_whole, "The nodes at the two ends border one trapezoid only: they count half."),
                (right * (n - 1) / n, "Your weights sum to less than 1: between n nodes there are n - 1 trapezoids."),
                (right * (n - 1), "Your weights are counts. Multiply by the width of a trapezoid."),
                (right * 2, "The area of a trapezoid is its width times the *mean* of its two heights."),
                (one_end, "Only one of the two ends counts half in yours; both should."),
            ],
            f"For n = {n} your weights sum to {weights.sum():.3f}. For a constant gradient the rule should be exact.",
        )
    print("Right: the ends count half, and the weights sum to 1.")


def check_ig_by_hand(function) -> None:
    """``function(x, baseline) -> attributions``, ``(2,)`` each, of f = x1 x2 ** 2."""
    generator = torch.Generator().manual_seed(5)
    for x, baseline in torch.randn(5, 2, 2, generator=generator).double():
        _by_hand(function, x, baseline)
    # The article's case last: there the baseline's x2 is 0, and different mistakes look alike.
    _by_hand(function, torch.tensor([2.0, 1.2]).double(), torch.tensor([1.0, 0.0]).double())
    print("Right: the integral by hand, at any input and baseline.")


def _by_hand(function, x: Tensor, baseline: Tensor) -> None:
    (x1, x2), (b1, b2), distance = x, baseline, x - baseline
    change = x1 * x2**2 - b1 * b2**2

    def gradient(z1, z2):
        return torch.stack([z2**2, 2 * z1 * z2])

    def mean_gradient(b1, b2):
        return torch.stack([(x2**2 + x2 * b2 + b2**2) / 3, (2 * b1 * b2 + b1 * x2 + x1 * b2 + 2 * x1 * x2) / 3])

    right, joined = distance * mean_gradient(b1, b2), distance[0] * (x2**2 + b2**2) / 2
    answer = call_tensor(function, x.clone(), baseline.clone())
    if answer.shape == right.shape:
        first, second = ((answer - right).abs() < 1e-4).tolist()
        if first and not second:
            raise NotYet("The first is right, the second is not. Completeness gives it without another integral.")
        if second and not first:
            raise NotYet("The second is right, the first is not. Its gradient is x2 ** 2, a square along the path.")
    mistakes = [
        (right.flip(0), "You return the two features in the wrong order."),
        (-right, "Every sign is reversed: the distance is x - x', input minus baseline."),
        (right / distance, "You return the mean gradients. Multiply them by the distances."),
        (distance * gradient(x1, x2), "That is the gradient at the input times the distance. Integrate over the path."),
        (
            distance * gradient(b1, b2),
            "That is the gradient at the baseline times the distance. Integrate over the path.",
        ),
        (
            distance * gradient((x1 + b1) / 2, (x2 + b2) / 2),
            "That is the gradient half-way times the distance: one step of the middle rule. The mean of a square is "
            "not the square of the mean.",
        ),
        (
            distance * (gradient(x1, x2) + gradient(b1, b2)) / 2,
            "You average the gradients at the two ends. In between, the gradient is not a straight line here.",
        ),
        (
            torch.stack([joined, change - joined]),
            "That is the mean over the two orders of joining (BShap), not over the straight path.",
        ),
        (
            torch.stack([x1 * x2**2 / 3, 2 * x1 * x2**2 / 3]),
            "Right for a baseline of zero only: put x' + alpha (x - x') into the gradient.",
        ),
        (
            distance * mean_gradient(0 * b1, 0 * b2),
            "You multiply by the distance, but your path starts at zero: put x' + alpha (x - x') into the gradient.",
        ),
    ]
    gap = (answer.sum() - change).item()
    so = f"their sum misses F(x) - F(x') by {gap:+.3f}" if abs(gap) > 1e-4 else "their sum is right, each is not"
    case = f"x = ({x1:.2f}, {x2:.2f}) and x' = ({b1:.2f}, {b2:.2f})"
    meet(answer, right, mistakes, f"For {case} your numbers are not those of the integral: {so}.")


def check_steps_needed(function) -> None:
    """``function(f, x, baseline, tolerance) -> n``: the first of 1, 2, 4, … whose middle rule is close enough."""
    one = torch.ones(1, 2, dtype=torch.float64)
    _steps(function, lambda z: torch.exp(3 * z[:, 0]) - z[:, 1], one, 0 * one, 0.01)
    _steps(function, lambda z: -torch.exp(4 * z[:, 0] * z[:, 1]), one, 0.1 * one, 0.001)
    print("Right: enough steps, and half as many would not do.")


def _steps(function, f, x: Tensor, baseline: Tensor, tolerance: float) -> None:
    answer = call(function, f, x.clone(), baseline.clone(), tolerance)
    try:
        n = float(answer)
    except (TypeError, ValueError, RuntimeError):
        raise NotYet(f"Return one number, the number of steps; yours is a {type(answer).__name__}.") from None
    if n != round(n) or n < 1:
        raise NotYet("Return a whole number of steps, 1 or more, and not the gap.")
    n, change = round(n), (f(x) - f(baseline)).abs()

    def needed(measure=Tensor.abs, method="riemann_middle"):
        return _doublings(tolerance, lambda k: measure(_gap(f, x, baseline, k, method)))

    right = needed()
    if n == right:
        return
    absolute = "so any {} gap passes. Take its absolute value."
    mistakes = [
        (needed(lambda gap: gap), f"You compare the signed gap with the tolerance, {absolute.format('negative')}"),
        (needed(lambda gap: -gap), f"You compare minus the gap with the tolerance, {absolute.format('positive')}"),
        (right // 2, "Your last n is not close enough yet: return the one that passed."),
        (right * 2, "You double once more after the gap is small enough."),
        (
            needed(lambda gap: gap.abs() / change),
            "You divide the gap by the change of the output. The tolerance is in units of the output here.",
        ),
        (needed(method="riemann_left"), "So many steps the left rule needs. Use method='riemann_middle'."),
        (needed(method="gausslegendre"), "So many points Gauss-Legendre needs. Use method='riemann_middle'."),
    ]
    for wrong, hint in mistakes:
        if n == wrong:
            raise NotYet(hint)
    if n & (n - 1):
        raise NotYet(f"{n} is not one of 1, 2, 4, 8, …: double n, do not add to it.")
    too_large = _gap(f, x, baseline, n).abs() > tolerance
    so = "still too large" if too_large else "small enough, but so it is with half as many"
    raise NotYet(f"With n = {n} and a tolerance of {tolerance} the gap is {so}.")


def check_averaged_ig(function) -> None:
    """``function(f, x, baselines, n_steps) -> attributions``: ``x`` ``(N, D)``, ``baselines`` ``(K, D)``."""

    def f(z):
        return z[:, 0] ** 2 * z[:, 1] + torch.sin(2 * z[:, 2])

    generator = torch.Generator().manual_seed(7)
    x = torch.rand(2, 3, generator=generator, dtype=torch.float64) + 1
    baselines = torch.randn(4, 3, generator=generator, dtype=torch.float64)
    n = 3  # few steps, so that rules differ
    answer = call_tensor(function, f, x.clone(), baselines.clone(), n)

    def each(method="riemann_middle", start=baselines):
        return torch.stack([integrated_gradients(f, x, b[None], n_steps=n, method=method) for b in start])

    attributions = each()
    right, distances = attributions.mean(0), x - baselines[:, None]
    if answer.shape == attributions.shape or answer.shape == attributions.transpose(0, 1).shape:
        raise NotYet("You keep one attribution for each baseline. Average over the baselines at the end.")
    from_mean = each(start=baselines.mean(0, keepdim=True))[0]
    if answer.shape != right.shape:
        raise NotYet(f"Return one attribution per input, shape {tuple(right.shape)}; yours is {tuple(answer.shape)}.")
    meet(
        answer,
        right,
        [
            (from_mean, "That is IG from the mean of the baselines: one path. Average over the paths instead."),
            (attributions.sum(0), "You sum over the baselines. Take the mean, or completeness is lost."),
            (right * n, "Your numbers are n_steps times too large: take the mean over the steps."),
            (
                (attributions / distances).mean(0),
                "You return mean gradients. Multiply each path's by its own distance.",
            ),
            (
                (attributions / distances).mean(0) * distances.mean(0),
                "You multiply the mean gradient by the mean distance. Each path's gradient belongs to its own "
                "distance, so multiply first, then average.",
            ),
            (attributions[0], "You use the first baseline only."),
            (attributions[-1], "You use the last baseline only: the loop overwrites instead of adding."),
            (-right, "Every sign is reversed: the distance is x - x', input minus baseline."),
            (
                each("riemann_left").mean(0),
                "You evaluate at the left ends of the steps; use their middles, (k + 0.5)/n.",
            ),
            (
                each("riemann_right").mean(0),
                "You evaluate at the right ends of the steps; use their middles, (k + 0.5)/n.",
            ),
            (attributions.abs().mean(0), "You average absolute values: opposite credits should cancel."),
            (
                integrated_gradients(f, x, n_steps=n),
                "You integrate from zero. Start each path from one of the baselines that are passed in.",
            ),
        ],
        "Not the mean of IG over the baselines. Try it with one baseline first: it should be plain IG.",
    )
    print("Right: one path from every baseline, and the mean over the paths.")
