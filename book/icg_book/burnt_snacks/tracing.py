"""Look into a path integral: what the model sees on the way, its gradient there, and what was gathered so far.

For pictures, not for attribution: everything here is made of calls of :mod:`icg.attribution`.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from icg.attribution import gradient, integrated_gradients
from icg.certainty import join
from icg.measures import dilate
from icg_book.scenarios.burnt_snacks import BurntSnacks


class Trace(NamedTuple):
    """A path of one input, at ``K`` positions.

    Attributes:
        points: ``(K, C, ...)`` inputs of the model.
        gradients: ``(K, C, ...)``.
        gathered: ``(K, C, ...)``, the attribution gathered from the start to each position.
    """

    points: Tensor
    gradients: Tensor
    gathered: Tensor


def trace_path(
    model,
    start: Tensor,
    end: Tensor,
    positions: Tensor,
    *,
    target: int,
    output: str,
    n_steps: int | Tensor = 8,
) -> Trace:
    """Follow the straight path from ``start`` to ``end``, both ``(1, C, ...)`` inputs of the model.

    Args:
        positions: ``(K,)`` from 0 to 1, increasing.
        n_steps: middle points that are integrated between two positions; or ``(K - 1,)``, a number for each piece.

    Returns:
        A :class:`Trace`; its last ``gathered`` is the attribution of the whole path.

    Raises:
        ValueError: positions that do not go up from 0 to 1, or not a number of steps for each piece.
    """
    points = _along(start, end, positions)
    options = {"target": target, "output": output}
    gathered = _gathered(model, points, n_steps, **options)
    return Trace(points, gradient(model, points, **options), gathered)


def _along(start: Tensor, end: Tensor, positions: Tensor) -> Tensor:
    """Inputs of the model at these positions, ``(K, C, ...)``."""
    if positions.ndim != 1 or len(positions) < 2 or positions[0] != 0 or positions[-1] != 1:
        raise ValueError(f"expected positions (K,) from 0 to 1, got {positions}")
    if not (positions.diff() > 0).all():
        raise ValueError(f"expected positions that increase, got {positions}")
    along = positions.to(start).view(-1, *[1] * (start.ndim - 1))
    return start + along * (end - start)


def _gathered(model, points: Tensor, n_steps: int | Tensor, **options) -> Tensor:
    """What is gathered from the first point to each, ``(K, C, ...)``."""
    steps = torch.as_tensor(n_steps)
    if steps.shape not in ((), (len(points) - 1,)):
        raise ValueError(f"expected n_steps as one number or as {len(points) - 1}, got shape {tuple(steps.shape)}")
    steps, pieces = steps.expand(len(points) - 1), torch.zeros_like(points[1:])
    for number in steps.unique().tolist():
        these = steps == number
        pieces[these] = integrated_gradients(model, points[1:][these], points[:-1][these], n_steps=number, **options)
    return torch.cat([torch.zeros_like(points[:1]), pieces.cumsum(0)])


def trace_draws(model, inputs: Tensor, baselines: Tensor, *, target: int, output: str, n: int, generator):
    """Follow the ``n`` random draws of Expected Gradients (plain Monte Carlo) for one input ``(1, C, ...)``.

    Args:
        baselines: data in the form of the model's input, ``(K, C, ...)``.

    Returns:
        A :class:`Trace` of ``n`` positions; its last ``gathered`` is the Expected Gradients attribution.
    """
    chosen = torch.randint(len(baselines), (n,), generator=generator)
    alpha = torch.rand(n, generator=generator).view(-1, *[1] * (inputs.ndim - 1))
    start = baselines[chosen].to(inputs)
    points = start + alpha * (inputs - start)
    gradients = gradient(model, points, target=target, output=output)
    return Trace(points, gradients, ((inputs - start) * gradients / n).cumsum(0))


class Square(NamedTuple):
    """A square on the path from black: its name and lightness ``level`` in the image, and the ``credit`` that its
    pixels (grown by one) have gathered up to each of ``K`` positions, ``(K,)``."""

    name: str
    level: float
    credit: Tensor


class SquaresOnPath(NamedTuple):
    """The path from black to one image: positions ``(K,)``, the probability of class 1 there ``(K,)``, and all squares,
    the dark ones first."""

    positions: Tensor
    probability: Tensor
    squares: list[Square]


def trace_squares(model, image: BurntSnacks, steps: int = 400) -> SquaresOnPath:
    """Integrated Gradients of the probability of class 1, from black to one image, square by square."""
    positions = torch.linspace(0, 1, steps + 1)
    black, known = join(torch.zeros_like(image.images)), join(image.images)
    points = _along(black, known, positions)
    gathered = _gathered(model, points, 1, target=1, output="probability")
    with torch.no_grad():
        probability = model(points).softmax(1)[:, 1]
    squares = []
    for kind, objects in (("dark", image.dark), ("light", image.light)):
        for mask in (objects == k for k in objects.unique() if k > 0):
            level = image.images[mask].max().item()
            credit = (gathered[:, :1] * dilate(mask)).flatten(1).sum(1)
            squares.append(Square(f"{kind} square ({level:.2f})", level, credit))
    return SquaresOnPath(positions, probability, squares)
