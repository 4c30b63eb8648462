"""Deletion and insertion: does the output go where the attribution says?

The positions of an input are taken in the order of their attribution, the most positive first. *Deletion* changes them
one after the other and watches the output fall; *insertion* begins with everything changed and gives them back. The
faster the output falls, or rises, the better the order (Samek et al., 2017; Petsiuk et al., 2018).

What *changed* means is the caller's choice, and decides what is measured. The paper's authors flip values (dark to 1,
light to 0), which makes images that no training has seen; for them ``icg.baselines.maximum_distance()`` gives the
values, ``blurred()`` softer ones. A certainty-aware model can instead be told that it no longer knows a value
(:func:`without_certainty`): nothing foreign is shown to it.

>>> import torch
>>> model = lambda x: (x * torch.tensor([1.0, 5.0, 3.0])).flatten(1).sum(1)
>>> x = torch.ones(1, 1, 3)
>>> curves = deletion_curves(model, x, torch.zeros_like(x), ranking(torch.tensor([[[1.0, 5.0, 3.0]]])), shares=4)
>>> curves.output
tensor([[9., 4., 1., 0.]], dtype=torch.float64)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm.auto import tqdm

from .arguments import (
    Shared,
    Unpack,
    check_positive,
    check_tensor,
    check_whole,
    generator_or_new,
    is_finite,
    is_number,
    shares,
)
from .certainty import without_certainty as without_certainty
from .question import Question

MODEL = ("additional_forward_args", "certainty_aware")


@dataclass(frozen=True)
class Curves:
    """What a model says while positions are changed.

    Attributes:
        share: ``(K,)`` float64, share of positions that have had their turn; increasing.
        output: ``(N, K)`` float64, the model's output for each input.
    """

    share: Tensor
    output: Tensor

    def area(self, up_to: float = 1.0) -> Tensor:
        """Mean height of each curve from its first share to ``up_to``, ``(N,)`` float64, by straight lines.

        Deletion: small is good. Insertion: large is good.

        Raises:
            ValueError: ``up_to`` is not one of the shares after the first.
        """
        at = (self.share[1:] - (float(up_to) if is_number(up_to) else torch.nan)).abs() < 1e-9
        if not bool(at.any()):
            raise ValueError(f"expected up_to to be one of the shares after the first, got {up_to}")
        k = int(at.nonzero()[0]) + 2
        return torch.trapezoid(self.output[:, :k], self.share[:k], dim=1) / (self.share[k - 1] - self.share[0])


def ranking(attributions: Tensor, *, block: int = 1, generator: torch.Generator | None = None) -> Tensor:
    """When each position has its turn: 0 for the most positive one.

    Equal attributions come in random order. So ``ranking(torch.zeros(N, 1, H, W))`` is a random order, the control;
    ``ranking(-attributions)`` begins with what speaks most against.

    Args:
        attributions: ``(N, C, ...)``, summed over channels.
        block: side of the squares (cubes, …) of positions that have their turn together, by the sum of their
            attributions; for photographs, where single pixels say little. It divides every side.
        generator: decides between equals; ``None`` means a fresh one with seed 0.

    Returns:
        ``(N, 1, ...)`` int64.

    Raises:
        ValueError: no floating ``(N, C, ...)``, NaN or infinity, a block that doesn't divide a side.
    """
    check_tensor("attributions", attributions)
    if attributions.ndim < 3:
        raise ValueError(f"expected attributions (N, C, ...) of at least 3 dimensions, got {tuple(attributions.shape)}")
    value = attributions.detach().double().sum(1, keepdim=True)
    sides = value.shape[2:]
    block = check_positive("block", block)
    if any(side % block for side in sides):
        raise ValueError(f"expected block to be a whole number that divides {tuple(sides)}, got {block!r}")
    for dim, side in enumerate(sides, start=2):
        value = value.unflatten(dim, (side // block, block)).sum(dim + 1)
    flat = value.flatten(1)
    generator = generator_or_new(generator)
    shuffled = torch.rand(flat.shape, generator=generator, device=generator.device).argsort(1).to(flat.device)
    order = shuffled.gather(1, flat.gather(1, shuffled).argsort(dim=1, descending=True, stable=True))
    turns = torch.arange(flat.shape[1], device=flat.device).expand_as(order)
    rank = torch.empty_like(order).scatter_(1, order, turns).view(value.shape)
    for dim in range(2, value.ndim):
        rank = rank.repeat_interleave(block, dim)
    return rank


@shares("target", "output", "internal_batch_size", "progress", "autocast", *MODEL)
def deletion_curves(
    model,
    inputs: Tensor,
    changed: Tensor,
    rank: Tensor,
    *,
    shares: int | Sequence[float] = 21,
    **shared: "Unpack[Shared]",
) -> Curves:
    """The output while positions of ``inputs`` are changed, one after the other.

    Args:
        model: any callable ``(B, ...) -> (B, classes)`` logits, or ``(B,)`` values.
        inputs: ``(N, C, ...)``, the model's own input, joined if it is certainty-aware.
        changed: of the shape of ``inputs``: what every position is changed to, all channels together. Of a
            certainty-aware model ``without_certainty(inputs)``, or joined inputs with other values.
        rank: ``(N, 1, ...)``, of :func:`ranking`; equal ranks change together.
        shares: how many evenly spaced shares of the positions from 0 to 1, or the shares themselves, increasing in
            [0, 1]; each is rounded to whole ranks, and the curve says to which.

    Returns:
        :class:`Curves` with ``K`` points.

    Raises:
        ValueError: shapes that don't fit, NaN or infinity, shares that don't increase, and what the methods of
            :mod:`icg.attribution` refuse.

    The authors' own measure flips 60 pixels of a digit one by one: ``shares=[k / 784 for k in range(61)]``.
    """
    return _curves(Question(model, inputs, whole=True, **shared), inputs, changed, rank, shares)


@shares("target", "output", "internal_batch_size", "progress", "autocast", *MODEL)
def insertion_curves(
    model,
    inputs: Tensor,
    changed: Tensor,
    rank: Tensor,
    *,
    shares: int | Sequence[float] = 21,
    **shared: "Unpack[Shared]",
) -> Curves:
    """The output while ``changed`` gets the positions of ``inputs`` back; see :func:`deletion_curves`.

    With ``target=None`` the class is the one predicted at ``inputs``, here as well.
    """
    return _curves(Question(model, inputs, whole=True, **shared), changed, inputs, rank, shares)


def _curves(question: Question, before: Tensor, after: Tensor, rank: Tensor, shares) -> Curves:
    inputs, limit = question.inputs, question.limit
    packing = question.packing
    if packing is not None and packing.joint:
        raise ValueError(f"expected one tensor of inputs, got {len(packing.shapes)}")
    for name, tensor in (("inputs", inputs), ("changed", before), ("changed", after)):
        check_tensor(name, tensor, whole=packing is not None)
        if tensor.shape != inputs.shape or tensor.ndim < 3:
            wanted = "(N, C, ...) of at least 3 dimensions" if name == "inputs" else f"{tuple(inputs.shape)}"
            raise ValueError(f"expected {name} {wanted}, got {tuple(tensor.shape)}")
    check_whole("rank", rank, (len(inputs), 1, *inputs.shape[2:]))
    if isinstance(question.target, str):
        raise ValueError(f'expected one class for each input, got target "{question.target}"')
    n_ranks = int(rank.max()) + 1
    counts = (_shares(shares) * n_ranks).round().long().unique_consecutive().to(inputs.device)
    if packing is not None:
        before, after = (packing.pack("changed", (each,)) for each in (before, after))
    before, after, rank = before.detach().to(inputs), after.detach().to(inputs), rank.to(inputs.device)
    n, k = len(inputs), len(counts)
    found = torch.empty(n * k, dtype=torch.float64, device=inputs.device)
    bar = tqdm(total=n * k, unit="forward", leave=False, mininterval=0.5, disable=not question.progress)
    with question.asked() as objective, bar:

        def evaluate(place):
            index, step = place.div(k, rounding_mode="floor"), place % k
            turned = rank[index] < counts[step].view(-1, *[1] * (rank.ndim - 1))
            points = torch.where(turned, after[index], before[index])
            partly = (counts[step] > 0) & (counts[step] < n_ranks)
            found[place] = question.masked(objective, points, index, partly)[:, 0]
            bar.update(len(place))

        for place in torch.arange(n * k, device=inputs.device).split(limit.size):
            limit.run(evaluate, place)
        found = found.view(n, k)
        if not is_finite(found):
            raise ValueError("the model's output is not finite")
        # Where the curve meets the inputs themselves, it must say what the model said of them in another batch.
        met = [found[:, [step]] for step, end in ((0, before), (-1, after)) if torch.equal(end, inputs)]
        question.check_masked(objective, met[0] if met else None, torch.arange(n, device=inputs.device))
    return Curves(counts.double().cpu() / n_ranks, found.cpu())


def _shares(shares) -> Tensor:
    if is_number(shares):
        return torch.linspace(0, 1, check_positive("shares", shares, 2), dtype=torch.float64, device="cpu")
    try:
        given = torch.as_tensor(shares, dtype=torch.float64, device="cpu")
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(
            f"expected shares to be a whole number or increasing numbers in [0, 1], got {shares!r}"
        ) from None
    if given.ndim != 1 or len(given) < 2 or not bool((given.diff() > 0).all()) or given[0] < 0 or given[-1] > 1:
        raise ValueError(f"expected at least 2 increasing shares in [0, 1], got {given.tolist()}")
    return given
