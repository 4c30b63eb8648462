"""Where to evaluate an integral over [0, 1], and how much each point counts; and evenly spread points."""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from .arguments import check_one_of, check_positive


def _left(n):
    return np.arange(n) / n, np.full(n, 1 / n)


def _right(n):
    return np.arange(1, n + 1) / n, np.full(n, 1 / n)


def _middle(n):
    return (np.arange(n) + 0.5) / n, np.full(n, 1 / n)


def _trapezoid(n):
    weights = np.full(n, 1 / max(n - 1, 1))
    weights[[0, -1]] /= 2  # the ends count half, and the sum is 1 (Captum's sum to (n - 1) / n)
    return np.linspace(0, 1, n), weights


def _gauss_legendre(n):
    nodes, weights = np.polynomial.legendre.leggauss(n)
    return (nodes + 1) / 2, weights / 2


_RULES = {
    "riemann_left": _left,
    "riemann_right": _right,
    "riemann_middle": _middle,
    "riemann_trapezoid": _trapezoid,
    "gausslegendre": _gauss_legendre,
}
METHODS = (*_RULES, "adaptive")


def quadrature(method: str, n_steps: int) -> tuple[Tensor, Tensor]:
    """Nodes and weights, ``(n_steps,)`` float64 each, of a rule on [0, 1]; the weights sum to 1.

    ``method`` is one of Captum's names: "riemann_left", "riemann_right", "riemann_middle", "riemann_trapezoid",
    "gausslegendre". With ReLU networks the integrand jumps and the middle rule is best; with smooth ones
    Gauss-Legendre is.

    >>> quadrature("riemann_middle", 2)
    (tensor([0.2500, 0.7500], dtype=torch.float64), tensor([0.5000, 0.5000], dtype=torch.float64))
    """
    check_one_of("method", method, _RULES)
    n_steps = check_positive("n_steps", n_steps, 2 if method == "riemann_trapezoid" else 1)
    return tuple(torch.from_numpy(numbers.copy()) for numbers in _rule(method, n_steps))  # the caller's own


@lru_cache(maxsize=64)  # a Gauss-Legendre rule of many points costs more than a small model
def _rule(method: str, n_steps: int) -> tuple[np.ndarray, np.ndarray]:
    return _RULES[method](n_steps)


def refine(edges: Tensor, values: Tensor, n: int) -> Tensor:
    """Cut cells into ``n`` finer ones, more where the output changes more.

    The error of a cell of width h in which the output changes by d is about d h / parts; for a given number of parts
    in all, the sum of these is least when parts are in proportion to sqrt(d h).

    Args:
        edges: ``(N, K + 1)`` increasing from 0 to 1. values: outputs there, ``(N, K + 1)`` or ``(N, K + 1, classes)``.
        n: number of cells wanted, >= K. Every cell keeps at least one part.

    Returns:
        New edges ``(N, n + 1)``.
    """
    change = values.diff(dim=1).abs()
    change = change.sum(2) if change.ndim == 3 else change
    change = (change * edges.diff(dim=1)).sqrt()
    k = change.shape[1]
    total = change.sum(1, keepdim=True)
    share = torch.where(total > 0, change / total, 1 / k).cumsum(1)
    extra = ((n - k) * share).round().long()
    extra[:, -1] = n - k
    last = extra + torch.arange(1, k + 1, device=edges.device)  # new cells up to and with old cell j
    first = torch.cat([torch.zeros_like(last[:, :1]), last[:, :-1]], 1)
    new = torch.arange(n, device=edges.device).expand(len(edges), n).contiguous()
    cell = torch.searchsorted(last, new, right=True)
    part = (new - first.gather(1, cell)).to(edges.dtype) / (last - first).gather(1, cell)
    left, right = edges[:, :-1].gather(1, cell), edges[:, 1:].gather(1, cell)
    return torch.cat([left + part * (right - left), edges[:, -1:]], 1)


def sobol(n: int, dimensions: int, generator: torch.Generator) -> Tensor:
    """``n`` points of a Sobol sequence, scrambled by a seed from ``generator``: ``(n, dimensions)`` float64, CPU."""
    seed = int(torch.randint(2**31 - 1, (), generator=generator, device=generator.device))
    with torch.device("cpu"):  # the engine takes the default one
        return torch.quasirandom.SobolEngine(dimensions, scramble=True, seed=seed).draw(n, dtype=torch.float64)
