"""The one engine: integrals of a model's gradient along straight paths, summed in micro-batches.

Every method of the integrated-gradients family is

    phi = E_{start, end} [ (end - start) * integral_0^1 dF/dz (start + a (end - start)) da ]      (paper, equation 1)

and differs only in where its paths start and end. A method here is therefore a stream of :class:`Path` objects (one
path per input and draw), and :func:`integrate` runs through the stream. Points are made when their turn comes and
their gradients are added up in place, so memory depends neither on the number of steps nor on the number of draws.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

OUTPUTS = ("probability", "log_probability", "logit")

# ---------------------------------------------------------------------------------------------------------------
# Where to evaluate: quadrature on [0, 1]
# ---------------------------------------------------------------------------------------------------------------


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


@lru_cache(maxsize=64, typed=True)  # a Gauss-Legendre rule of many points costs more than a small model
def quadrature(method: str, n_steps: int) -> tuple[Tensor, Tensor]:
    """Nodes and weights, ``(n_steps,)`` float64 each, of a rule on [0, 1]; the weights sum to 1.

    ``method`` is one of Captum's names: "riemann_left", "riemann_right", "riemann_middle", "riemann_trapezoid",
    "gausslegendre". With ReLU networks the integrand jumps and the middle rule is best; with smooth ones
    Gauss-Legendre is.

    >>> quadrature("riemann_middle", 2)
    (tensor([0.2500, 0.7500], dtype=torch.float64), tensor([0.5000, 0.5000], dtype=torch.float64))
    """
    if method not in _RULES:
        raise ValueError(f"expected method to be one of {', '.join(_RULES)}, got {method!r}")
    least = 2 if method == "riemann_trapezoid" else 1
    if not isinstance(n_steps, int) or n_steps < least:
        raise ValueError(f"expected n_steps to be a whole number >= {least} for {method}, got {n_steps!r}")
    nodes, weights = _RULES[method](n_steps)
    return torch.from_numpy(nodes), torch.from_numpy(weights)


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


# ---------------------------------------------------------------------------------------------------------------
# What is evaluated: one output of the model
# ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Objective:
    """The number F(x) whose change is attributed, and how to get its gradient without underflow.

    F is a function of a *score* that never saturates: the logit itself, or the log-odds s of the target class, with
    probability = sigmoid(s). The score's gradient comes from autograd and dF/ds in float64 from its formula, so that
    probabilities of 1 - 1e-30 still have a gradient.

    Attributes:
        forward_func: any callable ``(B, ...) -> (B, K)`` logits, or ``(B,)`` / ``(B, 1)``: a plain value.
        target: ``(N,)`` class of each input; ``None`` for a plain value; or the string "all".
        output: "probability", "log_probability" or "logit"; a plain value is taken as it is.
        autocast: dtype for mixed precision, or ``None``.
    """

    forward_func: Callable[[Tensor], Tensor]
    target: Tensor | str | None
    output: str
    autocast: torch.dtype | None = None

    def __call__(self, points: Tensor, index: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Score, F and dF/dscore at ``points``, which belong to the inputs number ``index``; one per target."""
        with precision(points, self.autocast):
            outputs = self.forward_func(points)
        check_outputs(outputs, len(points))
        if outputs.dtype in (torch.float16, torch.bfloat16):
            outputs = outputs.float()
        if self.target is None:
            value = outputs.reshape(len(points))
            return [(value, value.detach().double(), torch.ones_like(value, dtype=torch.float64))]
        if isinstance(self.target, str):
            classes = torch.arange(outputs.shape[1], device=outputs.device)
            return [self._score(outputs, c.expand(len(points))) for c in classes]
        return [self._score(outputs, self.target[index])]

    def _score(self, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        own = logits.gather(1, target[:, None]).squeeze(1)
        if self.output == "logit":
            return own, own.detach().double(), torch.ones_like(own, dtype=torch.float64)
        score = own - logits.scatter(1, target[:, None], -torch.inf).logsumexp(1)
        s = score.detach().double()
        if self.output == "probability":
            return score, s.sigmoid(), s.sigmoid() * (-s).sigmoid()
        return score, nn.functional.logsigmoid(s), (-s).sigmoid()


def precision(points: Tensor, autocast: torch.dtype | None):
    """The context of a forward pass: mixed precision, or nothing (a disabled autocast would cost, too)."""
    return torch.autocast(points.device.type, autocast) if autocast else nullcontext()


def check_outputs(outputs, n: int) -> None:
    """Raise ``ValueError`` unless ``outputs`` is ``(n,)`` or ``(n, K)`` and of floating dtype."""
    if not isinstance(outputs, Tensor):
        raise ValueError(f"expected the model to return a tensor of logits, got {type(outputs).__name__}")
    if outputs.ndim not in (1, 2) or outputs.shape[0] != n or not outputs.is_floating_point():
        raise ValueError(
            f"expected the model to return logits of shape ({n}, classes) or values of shape ({n},) for {n} inputs, "
            f"got {tuple(outputs.shape)} of {outputs.dtype}"
        )


# ---------------------------------------------------------------------------------------------------------------
# How much at a time
# ---------------------------------------------------------------------------------------------------------------


class BatchLimit:
    """Points per micro-batch. Given by the caller, or chosen for the device and halved when memory runs out."""

    def __init__(self, internal_batch_size: int | None, inputs: Tensor):
        if internal_batch_size is not None and (not isinstance(internal_batch_size, int) or internal_batch_size < 1):
            raise ValueError(f"expected internal_batch_size to be a whole number >= 1, got {internal_batch_size!r}")
        self.fixed = internal_batch_size is not None
        # On a CPU small batches stay in the cache, but fewer than 16 points waste it; on an accelerator large ones fill
        # the device. Measured in benchmarks/.
        budget = 2**17 if inputs.device.type == "cpu" else 2**25
        per_point = max(1, inputs[0].numel())
        self.size = internal_batch_size or min(4096, max(16, budget // per_point))

    def run(self, function: Callable[..., None], *tensors: Tensor) -> None:
        """Call ``function`` on the tensors, or on halves of them if the device has no memory for the whole."""
        full = False
        try:
            return function(*tensors)
        except (torch.OutOfMemoryError, RuntimeError) as error:
            full = isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
            if not full or self.fixed or len(tensors[0]) == 1:
                raise
        half = len(tensors[0]) // 2  # outside the except block, which would keep the failed tensors alive
        self.size = min(self.size, max(1, half))
        for part in (slice(None, half), slice(half, None)):
            self.run(function, *(t[part] for t in tensors))


@contextmanager
def quiet(model):
    """The model in eval mode with frozen parameters, and afterwards exactly as it was.

    Frozen parameters save memory: without them a layer keeps its input for a weight gradient that nobody wants.
    """
    everything = list(model.modules()) if isinstance(model, nn.Module) else []
    modules = [m for m in everything if m.training]
    parameters = [p for m in everything for p in m.parameters(recurse=False) if p.requires_grad]
    try:
        for module in modules:
            module.training = False
        for parameter in parameters:
            parameter.requires_grad_(False)
        with torch.inference_mode(False), torch.no_grad():
            yield
    finally:
        for module in modules:
            module.training = True
        for parameter in parameters:
            parameter.requires_grad_(True)


# ---------------------------------------------------------------------------------------------------------------
# The integral
# ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Path:
    """One straight path for each of ``N`` inputs.

    Attributes:
        start, end: ``(N, ...)``.
        nodes, weights: ``(N, K)`` or ``(1, K)`` each, where on [0, 1] to evaluate and how much it counts.
        scale: what the gradient is multiplied by, ``(N, ...)``; the distance ``end - start`` if not given, 1 for a
            plain mean of gradients.
    """

    start: Tensor
    end: Tensor
    nodes: Tensor
    weights: Tensor
    scale: Tensor | float | None = None

    def cut(self, first: int, last: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The points number ``first`` to ``last`` (input by input): points, scales, weights, input numbers."""
        k = self.nodes.shape[1]
        flat = torch.arange(first, last, device=self.start.device)
        index, step = flat.div(k, rounding_mode="floor"), flat % k
        # Rules are shared by all inputs, (1, K), or one per input, (N, K): then the points' order is theirs.
        node, weight = (t[0, step] if len(t) == 1 else t.reshape(-1)[first:last] for t in (self.nodes, self.weights))
        trailing = [1] * (self.start.ndim - 1)
        start = self.start[index]
        distance = self.end[index] - start
        points = torch.addcmul(start, node.to(start.dtype).view(-1, *trailing), distance)
        if isinstance(self.scale, Tensor):
            distance = self.scale[index]
        elif self.scale is not None:
            distance = torch.full((len(flat), *trailing), self.scale, dtype=start.dtype, device=start.device)
        return points, distance, weight, index


def micro_batches(paths: Iterable[Path], limit: BatchLimit) -> Iterator[tuple[Tensor, ...]]:
    """Cut a stream of paths into batches of ``limit.size`` points, across inputs, steps and draws."""
    pieces, room = [], limit.size
    for path in paths:
        total, first = len(path.start) * path.nodes.shape[1], 0
        while first < total:
            last = min(total, first + max(room, 1))
            pieces.append(path.cut(first, last))
            room -= last - first
            first = last
            if room <= 0:
                yield _join(pieces)
                pieces, room = [], limit.size
    if pieces:
        yield _join(pieces)


def _join(pieces):
    return pieces[0] if len(pieces) == 1 else tuple(torch.cat(tensors) for tensors in zip(*pieces, strict=True))


def integrate(
    objective: Objective,
    paths: Iterable[Path],
    inputs: Tensor,
    limit: BatchLimit,
    *,
    dtype: torch.dtype = torch.float64,
    n_targets: int = 1,
    progress: bool = False,
    total: int | None = None,
) -> Tensor:
    """Sum weight * scale * gradient over all points of all paths.

    Args:
        objective: what to differentiate. paths: stream of paths, each with one path per input.
        inputs: ``(N, ...)``, for shape and device only. limit: micro-batch size.
        dtype: of the sum. progress, total: show a bar over ``total`` gradient evaluations.

    Returns:
        ``(N, n_targets, ...)`` in ``dtype``. Run inside :func:`quiet`.
    """
    result = torch.zeros((len(inputs), n_targets, *inputs.shape[1:]), dtype=dtype, device=inputs.device)
    trailing = [1] * (inputs.ndim - 1)

    def add(points, scale, weight, index):
        points = points.detach().requires_grad_()
        with torch.enable_grad():
            scores = objective(points, index)
        terms = []
        for k, (score, _, slope) in enumerate(scores):
            if not score.requires_grad:
                raise ValueError("the model's output does not depend on its input by differentiable operations")
            (gradient,) = torch.autograd.grad(
                score, points, torch.ones_like(score), retain_graph=k + 1 < len(scores), materialize_grads=True
            )
            terms.append((gradient * scale).to(dtype).mul_((weight * slope).to(dtype).view(-1, *trailing)))
        for k, term in enumerate(terms):  # only now, so that a batch that ran out of memory has added nothing
            result[:, k].index_add_(0, index, term)
        if bar is not None:
            bar.update(len(points))

    bar = tqdm(total=total, unit="gradient", leave=False, mininterval=0.5) if progress else None
    try:
        for batch in micro_batches(paths, limit):
            limit.run(add, *batch)
    finally:
        if bar is not None:
            bar.close()
    return result


def path_values(objective: Objective, start: Tensor, end: Tensor, nodes: Tensor, limit: BatchLimit) -> Tensor:
    """F at ``nodes`` (``(N, K)`` or ``(1, K)``) of each path, by forward passes alone: ``(N, K)`` float64.

    With target "all" the result is ``(N, K, classes)``.
    """
    parts = []

    def evaluate(points, _scale, _weight, index):
        parts.append(torch.stack([value for _, value, _ in objective(points, index)], 1))

    for batch in micro_batches([Path(start, end, nodes, nodes, scale=1.0)], limit):
        limit.run(evaluate, *batch)
    values = torch.cat(parts).view(len(start), nodes.shape[1], -1)
    return values.squeeze(2) if objective.target is None or not isinstance(objective.target, str) else values


def nodes_and_weights(
    method: str, n_steps: int, objective: Objective, start: Tensor, end: Tensor, limit: BatchLimit
) -> tuple[Tensor, Tensor]:
    """Nodes and weights of a rule for these paths, ``(1, K)``, or ``(N, K)`` when they are placed adaptively.

    "adaptive" sweeps the path twice by forward passes (n/4, then n/2 points; together a quarter of the work of
    ``n_steps`` gradients) and gives cells where the output changes more of the steps; each step is the middle of its
    cell and weighs its width. Needed where the output jumps: on the path of integrated certainty gradients a
    probability may rise within one hundredth of the way.
    """
    if method != "adaptive":
        nodes, weights = quadrature(method, n_steps)
        return nodes[None].to(start.device), weights[None].to(start.device)
    quadrature("riemann_middle", n_steps)  # checks n_steps
    edges = torch.linspace(0, 1, max(n_steps // 4, 1) + 1, dtype=torch.float64, device=start.device)
    edges = edges.expand(len(start), -1)
    for n in (max(n_steps // 2, 1), n_steps):
        edges = refine(edges, path_values(objective, start, end, edges, limit), n)
    return (edges[:, 1:] + edges[:, :-1]) / 2, edges.diff(dim=1)
