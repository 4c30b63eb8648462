"""Checks of the chapter on baselines."""

import torch
from torch import Tensor

from icg.attribution import integrated_gradients
from icg.baselines import every, gaussian_noise, maximum_distance
from icg_book.kit.old_answers import NotYet, call_tensor, close, meet, reference
from icg_book.kit.old_answers import accept as accept


@reference("my_blind_pixels")
def _blind_pixels(image, baselines):
    return (image == baselines).all(0)


@reference("my_farthest_point")
def _farthest_point(x, low, high):
    return maximum_distance(low, high).starts(x)[0]


@reference("my_double_sided")
def _double_sided(f, x, low, high, n_steps):
    ends = torch.tensor([low, high], dtype=x.dtype)[:, None].expand(2, x.shape[1])
    return integrated_gradients(f, x, every(ends), n_steps=n_steps)


@reference("my_noisy_baselines")
def _noisy_baselines(x, std, n, generator):
    return gaussian_noise(std, n_samples=n).starts(x[None], generator)[:, 0]


def check_blind_pixels(function) -> None:
    """``function(image, baselines) -> mask``: ``(H, W)`` and ``(K, H, W)`` to bool ``(H, W)``."""
    image = torch.tensor([[0.0, 0.5, 1.0], [0.25, 0.5, 0.0]])
    baselines = torch.tensor([[[0.0, 0.5, 0.0], [0.25, 0.0, 1.0]], [[0.0, 0.5, 1.0], [0.75, 1.0, 1.0]]])
    answer = call_tensor(function, image.clone(), baselines.clone())
    equal = image == baselines
    if answer.shape == equal.shape:
        raise NotYet("Return one mask for the average over all baselines, (H, W); yours has one for each baseline.")
    if not bool(((answer == 0) | (answer == 1)).all()):
        raise NotYet("Return a mask: True or False for each pixel.")
    right = equal.all(0)
    meet(
        answer,
        right.double(),
        [
            (equal.any(0), "You hatch pixels that equal *some* baseline. One baseline that differs gives them credit."),
            (
                image == baselines.mean(0),
                "You compare with the mean of the baselines: a pixel there is dim, not blind.",
            ),
            (~right, "This is what can be seen. The mask is True where nothing can be."),
            (
                image == 0,
                "You look for black pixels. Blind are those that have the baseline's value, whatever that is.",
            ),
            (equal[0], "You look at the first baseline only."),
            (equal[-1], "You look at the last baseline only."),
            (
                image < 0,
                "You found no pixel. Compare with the baselines one by one, then ask whether all of them agree.",
            ),
        ],
        "Not the blind pixels: where is the distance zero from every baseline?",
    )
    generator = torch.Generator().manual_seed(3)
    image = torch.randint(3, (4, 5), generator=generator) / 2
    constant = torch.full((1, 4, 5), 0.5)
    several = torch.where(torch.rand(3, 4, 5, generator=generator) < 0.8, image, 1 - image / 2)
    near = (image + 0.01).expand(2, 4, 5)
    for what, others in (("one constant baseline", constant), ("three baselines", several)):
        if not close(call_tensor(function, image.clone(), others.clone()), (image == others).all(0)):
            raise NotYet(f"Right for one picture, wrong for another one with {what}.")
    if call_tensor(function, image.clone(), near.clone()).any():
        raise NotYet("Baselines that are nearly equal give little credit, but not exactly none: compare with ==.")
    print("Right: blind where every baseline has the picture's value.")


def check_farthest_point(function) -> None:
    """``function(x, low, high) -> baseline``: the farthest value of the range for each of ``x``, any shape."""
    generator = torch.Generator().manual_seed(5)
    low, high = -1.0, 3.0  # the middle is 1, not 0 and not 0.5
    x = torch.tensor([[-0.9, -0.2, 0.2, 0.7], [1.3, 1.8, 2.4, 2.9], [0.4, 2.1, 0.9, -0.6]])
    given = x.clone()
    answer = call_tensor(function, given, low, high)
    if not torch.equal(given, x):
        raise NotYet("Your function changes x in place; return a new tensor.")
    right = _farthest_point(x, low, high).double()
    ends = torch.tensor([low, high], dtype=torch.float64)

    def below(border):
        return torch.where(x < border, ends[1], ends[0])

    meet(
        answer,
        right,
        [
            (low + high - x, "You reflect x about the middle. Go on to the end of the range: that is farther."),
            (low + high - right, "You take the nearer end."),
            (below(0.0), "You decide by the sign of x. Decide by the middle of the range."),
            (below(0.5), "You decide at 0.5. The range is given: decide at its middle."),
            ((x < 1).double(), "You go to 0 or 1. The range goes from `low` to `high`."),
            (1 - x, "You assume that the range is [0, 1], and reflect x in it. Go to the end that is farther."),
            ((x - right).abs(), "This is how far away the farthest point is. Return the point."),
            (right - x, "This is the step to the farthest point. Return the point."),
            (torch.full_like(x, (low + high) / 2), "The middle is never farther than half of the range."),
            *(
                (torch.full_like(x, end.item()), "You send every value to the same end. Decide for each by itself.")
                for end in ends
            ),
        ],
        "Not the farthest point: each value has only two candidates, `low` and `high`.",
    )
    x = 0.4 * torch.rand(2, 1, 3, 3, generator=generator) + torch.tensor([0.0, 0.6]).view(2, 1, 1, 1)
    if not close(call_tensor(function, x.clone(), 0.0, 1.0), _farthest_point(x, 0.0, 1.0)):
        raise NotYet("Right for one range, wrong for pictures in [0, 1], shape (2, 1, 3, 3).")
    print("Right: the end of the range on the other side of its middle.")


def check_double_sided(function) -> None:
    """``function(f, x, low, high, n_steps) -> attributions``, ``(N, D)`` as ``x``; ``f`` takes that to ``(N,)``."""

    def f(z):
        return z[:, 0] ** 2 * z[:, 1] - torch.sin(z[:, 2])

    x = torch.tensor([[1.0, 0.3, 0.5], [-0.2, 1.4, 0.9]])
    low, high, n = -0.5, 2.0, 4  # few steps, so that rules differ
    answer = call_tensor(function, f, x.clone(), low, high, n)

    def side(end, method="riemann_middle"):
        return integrated_gradients(f, x, end, n_steps=n, method=method).double()

    def mean(method):
        return (side(low, method) + side(high, method)) / 2

    right = _double_sided(f, x, low, high, n).double()
    a, b = side(low), side(high)
    gradients = (a / (x - low) + b / (x - high)) / 2
    hints = [
        (side((low + high) / 2), "You integrate once, from the middle: the mean baseline, not the mean attribution."),
        (a + b, "You add the two attributions. Take their mean."),
        ((a - b) / 2, "You subtract one side from the other. Both distances point from the baseline to the input."),
        (a - b, "You subtract one side from the other. Both distances point from the baseline to the input."),
        (a, "You integrate from `low` only."),
        (b, "You integrate from `high` only."),
        (torch.where(a.abs() > b.abs(), a, b), "You keep the larger of the two credits. Take their mean."),
        (torch.maximum(a, b), "You keep the larger of the two credits. Take their mean."),
        (gradients, "You return a mean gradient. Multiply each side's by its own distance."),
        (
            gradients * (x - (low + high) / 2),
            "You multiply the mean gradient by the mean distance. Multiply each side by its own, then average.",
        ),
        (right * n, "Your numbers are n_steps times too large: take the mean over the steps, not the sum."),
        (-right, "Every sign is reversed: the distance is input minus baseline."),
        (mean("riemann_left"), "You evaluate at the left ends of the steps; use their middles, (k + 0.5)/n."),
        (mean("riemann_right"), "You evaluate at the right ends of the steps; use their middles, (k + 0.5)/n."),
    ]
    meet(answer, right, hints, "Not the mean of Integrated Gradients from `low` everywhere and from `high` everywhere.")

    def g(z):
        return (z**3).sum(1)

    x = torch.tensor([[0.2, 0.5], [0.9, 0.1], [1.0, 0.0]])
    if not close(call_tensor(function, g, x.clone(), 0.0, 1.0, 7), _double_sided(g, x, 0.0, 1.0, 7)):
        raise NotYet("Right for one function, wrong for f = x1³ + x2³ between 0 and 1 in 7 steps.")
    print("Right: the mean of two attributions, each with its own distance and gradients.")


def check_noisy_baselines(function) -> None:
    """``function(x, std, n, generator) -> baselines``: ``(n, *x.shape)``, ``x`` plus noise, clipped to [0, 1]."""
    x = torch.tensor([0.0, 1.0, 0.4, 0.6])[:, None].expand(4, 5).contiguous()  # rows: black, white, two greys
    std, n = 0.08, 500
    given = x.clone()

    def answer(seed, x=x, n=n):
        return call_tensor(function, x, std, n, torch.Generator().manual_seed(seed))

    first = answer(1, given)
    if not torch.equal(given, x):
        raise NotYet("Your function changes x in place; return a new tensor.")
    if first.shape != (n, *x.shape):
        raise NotYet(f"Return n copies, shape {(n, *x.shape)} for n = {n}; yours has shape {tuple(first.shape)}.")
    if not torch.equal(first, answer(1)):
        raise NotYet("The same seed gives other baselines each time: hand `generator` to the function that draws.")
    if torch.equal(first, answer(2)):
        raise NotYet("Every seed gives the same baselines: nothing is drawn from `generator`.")
    _check_noise(first, x.double(), std)
    other = torch.full((2, 3, 3), 0.5)
    if answer(3, other, 7).shape != (7, 2, 3, 3):
        raise NotYet("Right for one shape of x, wrong for (2, 3, 3) and n = 7.")
    print("Right: each copy shaken by itself, and clipped.")


def _check_noise(drawn: Tensor, x: Tensor, std: float) -> None:
    """Raise the hint that fits what was drawn, ``(n, 4, 5)``; rows 2 and 3 of ``x`` are far from clipping."""
    moved = (drawn - x)[:, 2:]
    if drawn[:, 2:].mean().abs() < 0.2:
        raise NotYet("This is the noise alone: add it to x.")
    if bool((moved[1:] == moved[:1]).all()):
        raise NotYet("All copies have the same noise. Draw anew for each: one shape (n, ...), not one draw repeated.")
    if float(moved.std(dim=(1, 2)).max()) < 1e-6:
        raise NotYet("All values of a copy are shifted alike. Every value needs noise of its own.")
    if float(moved.min()) > -1e-6:
        raise NotYet("Values only ever grow: is it the noise that you clip? Clip the sum.")
    if drawn.min() < 0 or drawn.max() > 1:
        raise NotYet("Some values lie outside of [0, 1]: clip x plus noise.")
    if float(moved.mean().abs()) > 0.1 * std:
        raise NotYet("The noise has a mean that is not zero. Is it normal noise?")
    spread = float(moved.std())
    if abs(spread / std**2 - 1) < 0.1 or abs(spread / std**0.5 - 1) < 0.1:
        raise NotYet("The spread is that of another standard deviation: multiply normal noise by `std` itself.")
    if abs(spread / std - 1) > 0.1:
        raise NotYet("The spread of your noise is not `std`: multiply normal noise of spread 1 by it.")
    if float(((moved / spread) ** 4).mean()) < 2.5:
        raise NotYet("Mean and spread are right, but this is not Gaussian noise: use `torch.randn`.")
    if float((drawn[:, 0] == 0).double().mean()) < 0.4:
        raise NotYet(
            "At black, values are not clipped: what falls below 0 becomes 0. Don't reflect, rescale or redraw."
        )
