"""The one engine: integrals of a model's gradient along straight paths, summed in micro-batches.

Every method of the integrated-gradients family is

    phi = E_{start, end} [ (end - start) * integral_0^1 dF/dz (start + a (end - start)) da ]      (paper, equation 1)

and differs only in where its paths start and end. A method here is therefore a stream of :class:`Path` objects (one
path per input and draw), and :func:`integrate` runs through the stream. Points are made when their turn comes and
their gradients are added up in place, so memory depends neither on the number of steps nor on the number of draws.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from tqdm import tqdm

from .arguments import check_one_of, check_positive, is_finite
from .quadrature import METHODS, quadrature, refine
from .question import BatchLimit, Objective, Question


@dataclass(frozen=True)
class Path:
    """One straight path for each of ``N`` inputs.

    Attributes:
        start, end: ``(N, ...)``.
        nodes, weights: ``(N, K)`` or ``(1, K)`` each, where on [0, 1] to evaluate and how much it counts.
        scale: what the gradient is multiplied by, ``(N, ...)``; the distance ``end - start`` if not given, 1 for a
            plain mean of gradients. A path that goes nowhere has the same tensor as start and end.
    """

    start: Tensor
    end: Tensor
    nodes: Tensor
    weights: Tensor
    scale: Tensor | float | None = None

    @cached_property
    def distance(self) -> Tensor:
        return self.end - self.start

    def cut(self, first: int, last: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The points number ``first`` to ``last`` (input by input): points, scales, weights, input numbers."""
        k = self.nodes.shape[1]
        flat = torch.arange(first, last, device=self.start.device)
        index, step = flat.div(k, rounding_mode="floor"), flat % k
        # Rules are shared by all inputs, (1, K), or one per input, (N, K): then the points' order is theirs.
        node, weight = (t.take(step if len(t) == 1 else flat) for t in (self.nodes, self.weights))
        trailing = [1] * (self.start.ndim - 1)
        start, distance = self.start.index_select(0, index), self.distance.index_select(0, index)
        points = torch.addcmul(start, node.to(start.dtype).view(-1, *trailing), distance)
        if isinstance(self.scale, Tensor):
            distance = self.scale.index_select(0, index)
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
    n_targets: int = 1,
    progress: bool = False,
    total: int | None = None,
) -> Tensor:
    """Sum weight * scale * gradient over all points of all paths.

    Args:
        objective: what to differentiate. paths: stream of paths, each with one path per input.
        inputs: ``(N, ...)``, for shape and device only. limit: micro-batch size.
        progress, total: show a bar over ``total`` gradient evaluations.

    Returns:
        ``(N, n_targets, ...)`` float64. Run inside :func:`quiet`.

    Raises:
        ValueError: nowhere is there a way from the output back to the input. (Where there is one at other points, as
            in a model that treats its rows differently, the gradient is 0.)
    """
    reached = False
    result = torch.zeros((len(inputs), n_targets, *inputs.shape[1:]), dtype=torch.float64, device=inputs.device)
    trailing = [1] * (inputs.ndim - 1)

    def add(points, scale, weight, index):
        points = points.detach().requires_grad_()
        with torch.enable_grad():
            scores = objective.scores(points, index)
        terms = []
        for k, (score, slope) in enumerate(scores):
            gradient = None
            if score.requires_grad:
                (gradient,) = torch.autograd.grad(
                    score, points, torch.ones_like(score), retain_graph=k + 1 < len(scores), allow_unused=True
                )
            if gradient is not None:
                weights = weight if slope is None else weight * slope
                terms.append((k, gradient * scale * weights.view(-1, *trailing)))
        nonlocal reached
        reached = reached or bool(terms)
        for k, term in terms:  # only now, so that a batch that ran out of memory has added nothing
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
    if not reached:
        raise ValueError("the model's output does not depend on its input by differentiable operations")
    return result


def path_values(objective: Objective, start: Tensor, end: Tensor, nodes: Tensor, limit: BatchLimit) -> Tensor:
    """F at ``nodes`` (``(N, K)`` or ``(1, K)``) of each path, by forward passes alone: ``(N, K)`` float64.

    With target "all" the result is ``(N, K, classes)``.
    """
    parts = []

    def evaluate(points, _scale, _weight, index):
        parts.append(objective(points, index))

    for batch in micro_batches([Path(start, end, nodes, nodes, scale=1.0)], limit):
        limit.run(evaluate, *batch)
    values = torch.cat(parts).view(len(start), nodes.shape[1], -1)
    if not is_finite(values):
        raise ValueError("the model's output is not finite somewhere on the path")
    return values if isinstance(objective.target, str) else values.squeeze(2)


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


# ---- A whole method


def attribute(
    question: Question,
    paths: Callable[[Objective], Iterable[Path]],
    n_evaluations: int,
    start: Tensor | None = None,
    finish: Callable[[Tensor], Tensor] | None = None,
):
    """Answer a question by the integral along ``paths(objective)``, one path per input and draw.

    Args:
        n_evaluations: gradients per input, for the progress bar.
        start: where the output must be finite, too, ``(N, ...)``; that of the first path if not given.
        finish: what is done with the sums, ``(N, n_targets, ...)``, in the end.

    Returns:
        Attributions of the shape of ``question.inputs``, or of their certainty channel alone, in ``question.dtype``,
        with a dimension for the classes inserted for target "all"; and the convergence delta, if it is asked for.

    Raises:
        ValueError: outputs or gradients that are not finite, and what the model or the target is refused for.
    """
    inputs = question.inputs
    with question.asked() as objective:
        change = 0.0

        def watched():
            """The same paths. On the way F is looked at where they start, and F(end) - F(start) is summed up."""
            nonlocal change
            starts, due = [], 0
            for number, path in enumerate(paths(objective)):
                moves = path.end is not path.start
                if number == 0:
                    first = path.start if start is None and moves else start
                    question.check(objective, first, aligned=path.nodes.shape[1] == 1)
                elif moves:
                    due += path.nodes.shape[1]  # one start for every 16 gradients costs little
                    if due >= 16:
                        starts, due = [*starts, Path(path.start, path.start, *point(inputs, 1.0))], 0
                if question.return_convergence_delta:
                    ends = torch.tensor([[0.0, 1.0]], dtype=torch.float64, device=inputs.device)
                    values = path_values(objective, path.start, path.end, ends, question.limit).diff(dim=1)
                    change = change + values.view(len(inputs), -1) * path.weights.sum(1, keepdim=True)
                if len(starts) * len(inputs) >= question.limit.size:
                    starts = _finite(objective, starts, question.limit)
                yield path
            _finite(objective, starts, question.limit)

        result = integrate(
            objective,
            watched(),
            inputs,
            question.limit,
            n_targets=question.n_targets,
            progress=question.progress,
            total=n_evaluations * len(inputs),
        )
    if not is_finite(result):
        raise ValueError("the model's gradients are not finite somewhere on the path")
    delta = result.flatten(2).sum(2) - change if question.return_convergence_delta else None
    result = result if finish is None else finish(result)
    if question.certainty_only:
        result = result[:, :, -1:]
    single = not isinstance(objective.target, str)  # one class each
    result = question.returned(result[:, 0] if single else result)
    return result if delta is None else (result, delta[:, 0] if single else delta)


def _finite(objective: Objective, starts: list[Path], limit: BatchLimit) -> list:
    def check(points, index):
        if not is_finite(objective(points, index)):
            raise ValueError("the model's output is not finite at the start of a path")

    for points, _, _, index in micro_batches(starts, limit):
        limit.run(check, points, index)
    return []


def attribute_straight(
    question: Question, pairs: Iterable[tuple[Tensor, Tensor]], n_pairs: int, n_steps, method: str, scale=None
):
    """As :func:`attribute`, from start to end of each of ``n_pairs`` pairs by one quadrature rule; their mean."""
    check_one_of("method", method, METHODS)
    n_steps = check_positive("n_steps", n_steps, 2 if method == "riemann_trapezoid" else 1)

    def paths(objective):
        for start, end in pairs:
            nodes, weights = nodes_and_weights(method, n_steps, objective, start, end, question.limit)
            yield Path(start, end, nodes, weights / n_pairs if n_pairs > 1 else weights, scale)

    return attribute(question, paths, n_pairs * n_steps)


def point(inputs: Tensor, weight: float) -> tuple[Tensor, Tensor]:
    """Nodes and weights of a path that is evaluated at its start alone."""
    node = torch.zeros(1, 1, dtype=torch.float64, device=inputs.device)
    return node, node + weight
