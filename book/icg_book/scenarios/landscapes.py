"""Functions of two features on which Integrated Gradients can be computed by hand.

The cross of the paper's figure 2, the counterexamples of the article *Limitations of Integrated Gradients for Feature
Attribution*, and two controls. Each is a plain function of points ``(N, 2)`` that autograd can differentiate.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Point = tuple[float, float]

KNOTS = (0.20, 0.30, 0.45, 0.55)  # of the trapezoid, read off figure 2


def trapezoid(z: Tensor) -> Tensor:
    """0 below 0.20, up to 1 at 0.30, 1 until 0.45, down to 0 at 0.55: "about between 0.25 and 0.5" (figure 2)."""
    a, b, c, d = KNOTS
    return torch.minimum((z - a) / (b - a), (d - z) / (d - c)).clamp(0, 1)


@dataclass(frozen=True)
class Landscape:
    """A function of two features, and a question to ask of it.

    Attributes:
        name: short label. formula: the function in LaTeX.
        function: ``(N, 2)`` to ``(N,)``.
        low, high: the square on which it is drawn; SHAP's features are uniform on it.
        baseline, inputs: the end points of the path; ``inputs`` may name several.
        source: where it comes from.
    """

    name: str
    formula: str
    function: Callable[[Tensor], Tensor]
    low: float
    high: float
    baseline: Point
    inputs: dict[str, Point]
    source: str

    def __call__(self, points: Tensor) -> Tensor:
        """Values at ``points`` ``(N, 2)``, as ``(N,)``."""
        if points.ndim != 2 or points.shape[1] != 2:
            raise ValueError(f"expected points of shape (N, 2), got {tuple(points.shape)}")
        return self.function(points)


def _sines(z):
    return torch.sin(math.pi * z[:, 0]) * torch.sin(2 * math.pi * z[:, 1])


LANDSCAPES = {
    "cross": Landscape(
        "the cross",
        r"\max(g(x_1), g(x_2))",
        lambda z: torch.maximum(trapezoid(z[:, 0]), trapezoid(z[:, 1])),
        *(0.0, 1.0, (0.0, 0.0), {"A": (0.6, 0.42), "B": (0.7, 0.9)}),
        "paper, figure 2 and table 1",
    ),
    "corner": Landscape(
        "the overlap",
        r"\min(g(x_1), g(x_2))",
        lambda z: torch.minimum(trapezoid(z[:, 0]), trapezoid(z[:, 1])),
        *(0.0, 1.0, (0.0, 0.0), {"input": (0.4, 0.35)}),
        "control: both features are needed",
    ),
    "additive": Landscape(
        "the sum",
        r"g(x_1) + g(x_2)",
        lambda z: trapezoid(z[:, 0]) + trapezoid(z[:, 1]),
        *(0.0, 1.0, (0.0, 0.0), {"A": (0.6, 0.42), "B": (0.7, 0.9)}),
        "control: additive, all methods agree",
    ),
    "square": Landscape(
        "consistency, f",
        r"x_1 x_2^2",
        lambda z: z[:, 0] * z[:, 1] ** 2,
        *(0.0, 2.0, (1.0, 0.0), {"input": (2.0, 1.2)}),
        "article, consistency",
    ),
    "product": Landscape(
        "consistency, g",
        r"x_1 x_2",
        lambda z: z[:, 0] * z[:, 1],
        *(0.0, 2.0, (1.0, 0.0), {"input": (2.0, 1.2)}),
        "article, consistency",
    ),
    "sines": Landscape(
        "symmetry",
        r"\sin(\pi x_1) \sin(2 \pi x_2)",
        _sines,
        *(0.0, 1.0, (0.0, 0.0), {"input": (1.0, 1.0)}),
        "article, symmetry",
    ),
    "cosine": Landscape(
        "null effects",
        r"\cos(2 \pi x_1)\, x_2",
        lambda z: torch.cos(2 * math.pi * z[:, 0]) * z[:, 1],
        *(0.0, 1.0, (0.0, 0.0), {"input": (1.0, 1.0)}),
        "article, null effects",
    ),
}
