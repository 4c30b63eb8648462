"""What is asked of a model: one output of it, at given inputs, in micro-batches.

A :class:`Question` holds the arguments that the methods share, checked before any work starts. Its :class:`Objective`
is the number F whose change is attributed.
"""

import copy
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from .arguments import (
    Shared,
    check_dtype,
    check_one_of,
    check_positive,
    check_tensor,
    check_unit,
    default,
    generator_or_new,
    is_finite,
)
from .certainty import is_certainty_aware, split
from .inputs import Packing
from .modes import quiet, thaw

if TYPE_CHECKING:
    from typing_extensions import Unpack

OUTPUTS = ("probability", "log_probability", "logit")


@dataclass(frozen=True)
class Objective:
    """The number F(x) whose change is attributed, and how to get its gradient without underflow.

    F is a function of a *score* that never saturates: the logit itself, or the log-odds s of the target class, with
    probability = sigmoid(s). The score's gradient comes from autograd and dF/ds in float64 from its formula, so that
    probabilities of 1 - 1e-30 still have a gradient.

    Attributes:
        forward_func: any callable ``(B, ...) -> (B, K)`` logits, or ``(B,)`` / ``(B, 1)``: a plain value. Logits of
            several places are ``(B, K, ...)``.
        target: ``(N,)`` class of each input; ``None`` for a plain value; or the string "all".
        output: "probability", "log_probability" or "logit"; a plain value is taken as it is.
        autocast: dtype for mixed precision, or ``None``.
        besides: what the model takes after its input, each with whether it has a row for each input.
        place: where among ``(B, K, ...)`` each input's K logits are, ``(N, d)``, or ``None`` for ``(B, K)``.
    """

    forward_func: Callable[..., Tensor]
    target: Tensor | str | None
    output: str
    autocast: torch.dtype | None = None
    besides: tuple = ()
    place: Tensor | None = None

    def __call__(self, points: Tensor, index: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Score, F and dF/dscore at ``points``, which belong to the inputs number ``index``; one per target.

        F is NaN where an output that counts isn't finite: a class of logit -inf, which nobody asked about, is fine.
        """
        return self.scores(self.outputs(points, index), index)

    def outputs(self, points: Tensor, index: Tensor) -> Tensor:
        """What the model answers."""
        return answer(self.forward_func, points, index, self.besides, self.autocast)

    def scores(self, outputs: Tensor, index: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """The same, for what the model has answered already."""
        if outputs.dtype in (torch.float16, torch.bfloat16):
            outputs = outputs.float()
        if self.place is not None:
            rows = torch.arange(len(outputs), device=outputs.device)
            outputs = outputs.movedim(1, -1)[(rows, *self.place[index].unbind(1))]
        if self.target is None:
            value = outputs.reshape(len(outputs))
            return [(value, value.detach().double(), torch.ones_like(value, dtype=torch.float64))]
        if isinstance(self.target, str):
            classes = torch.arange(outputs.shape[1], device=outputs.device)
            return [self._score(outputs, c.expand(len(outputs))) for c in classes]
        return [self._score(outputs, self.target[index])]

    def _score(self, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        own = logits.gather(1, target[:, None]).squeeze(1)
        if self.output == "logit":
            return own, own.detach().double(), torch.ones_like(own, dtype=torch.float64)
        others = logits.scatter(1, target[:, None], -torch.inf).logsumexp(1)
        score = own - others
        s = score.detach().double()
        sound = (own + others.clamp(min=0)).detach().double()  # infinite or NaN if one that counts is
        if self.output == "probability":
            return score, torch.add(s.sigmoid(), sound, alpha=0), s.sigmoid() * (-s).sigmoid()
        return score, torch.add(nn.functional.logsigmoid(s), sound, alpha=0), (-s).sigmoid()


def answer(model, points: Tensor, index: Tensor, besides: tuple = (), autocast: torch.dtype | None = None) -> Tensor:
    """The model's output at points that belong to the inputs number ``index``, checked. It may write into its input."""
    rest = [each[index.to(each.device)] if by_row else each for each, by_row in besides]

    def ask(points):
        with precision(points, autocast):
            return model(points, *rest)

    leaf = points
    try:
        outputs = ask(points.clone())  # in a pass with gradients no leaf, which nobody could write into
    except RuntimeError as error:
        if not any(words in str(error) for words in ("does not require grad", "flags of leaf", "used in the graph")):
            raise
        with_graph = torch.is_grad_enabled()
        leaf = points if with_graph else points.clone().requires_grad_()
        with torch.enable_grad():  # a model that differentiates, by its input …
            try:
                outputs = ask(leaf)
            except RuntimeError as error:
                if "does not require grad" not in str(error):
                    raise
                thaw(model)  # … or by its weights
                outputs = ask(leaf)
        outputs = outputs if with_graph or not isinstance(outputs, Tensor) else outputs.detach()
    if leaf.grad is not None:
        raise ValueError("the model calls backward(), which adds to the gradients of weights: use torch.autograd.grad")
    check_outputs(outputs, len(points))
    return outputs


def precision(points: Tensor, autocast: torch.dtype | None):
    """The context of a forward pass: mixed precision, or nothing (a disabled autocast would cost, too)."""
    return torch.autocast(points.device.type, autocast) if autocast else nullcontext()


def check_outputs(outputs, n: int) -> None:
    """Raise ``ValueError`` unless ``outputs`` is ``(n,)`` or ``(n, K, ...)`` and of floating dtype."""
    if not isinstance(outputs, Tensor):
        raise ValueError(f"expected the model to return a tensor of logits, got {type(outputs).__name__}")
    if outputs.ndim < 1 or outputs.shape[0] != n or outputs.numel() == 0 or not outputs.is_floating_point():
        raise ValueError(
            f"expected the model to return logits of shape ({n}, classes) or values of shape ({n},) for {n} inputs, "
            f"got {tuple(outputs.shape)} of {outputs.dtype}"
        )


def resolve_target(target, outputs: Tensor) -> tuple[Tensor | str | None, Tensor | None, int]:
    """What :class:`Objective` takes as target and as place, and how many numbers it has per input."""
    n, dims = len(outputs), outputs.shape[1:]
    plain = not dims or dims[0] == 1
    if target is None and dims.numel() == 1:
        return None, None, 1
    if len(dims) == 1 and not plain:
        if target is None:
            return outputs.argmax(1), None, 1
        if type(target) is int and 0 <= target < dims[0]:  # the usual case, quickly
            return torch.full((n,), target, device=outputs.device), None, 1
        if isinstance(target, str) and target == "all":
            return target, None, dims[0]
    try:
        number = torch.as_tensor(target, device=outputs.device)
        assert dims and not number.is_floating_point() and number.dtype != torch.bool
        if number.ndim < 2:  # (class, place ...) for all; or classes
            number = number.view(-1, 1) if len(dims) == 1 else number[None]
        assert number.shape[1] == len(dims)
        number = number.long().expand(n, -1)
        assert not (plain and len(dims) == 1 and bool(number.any()))
    except (AssertionError, IndexError, TypeError, ValueError, RuntimeError):
        wanted = f'expected target to be None, "all", a class number or one per input ({n})'
        if len(dims) > 1:
            places = ", ".join(["class", *(f"place < {size}" for size in dims[1:])])
            wanted = f"expected target to be a tuple ({places}), or one per input ({n})"
        elif plain:
            wanted = f"the model returns one value per input, {tuple(outputs.shape)}: expected no target"
        raise ValueError(f"{wanted}, got {target!r}") from None
    for k, size in enumerate(dims):
        if bool(((number[:, k] < 0) | (number[:, k] >= size)).any()):
            where = "target" if len(dims) == 1 else f"target[{k}]"
            raise ValueError(f"expected {where} in 0..{size - 1} (the model has {size} outputs), got {target!r}")
    return None if plain else number[:, 0], number[:, 1:] if len(dims) > 1 else None, 1


# ---- How much at a time


class BatchLimit:
    """Points per micro-batch. Given by the caller, or chosen for the device and halved when memory runs out."""

    def __init__(self, internal_batch_size: int | None, inputs: Tensor):
        self.fixed = internal_batch_size is not None
        if self.fixed:
            internal_batch_size = check_positive("internal_batch_size", internal_batch_size)
        # On a CPU small batches stay in the cache, but fewer than 16 points waste it; on an accelerator large ones fill
        # the device. Measured in benchmarks/.
        budget = 2**17 if inputs.device.type == "cpu" else 2**25
        per_point = max(1, math.prod(inputs.shape[1:]))
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


# ---- All of it together


class Question:
    """One call of a method: model, inputs and shared arguments, checked, and the model's answers in micro-batches.

    Args:
        model: any callable ``(B, ...) -> (B, classes)`` logits, or ``(B,)`` / ``(B, 1)`` for a plain function.
        inputs: ``(N, ...)``; joined ones (:mod:`icg.certainty`) if the model is certainty-aware. For what else they may
            be see :mod:`icg.inputs`.
        certainty_only: whether the certainty channel alone is attributed; ``inputs`` are then joined ones.
        whole: whether whole numbers will do as inputs, of which no gradient is needed.
        shared: :class:`icg.arguments.Shared`, attributes of the same names.

    Attributes:
        inputs: as one floating tensor; packing: how they became that, or ``None``.
        values: the inputs without certainty. certainty: the rest, or ``None``.
        limit: of the micro-batches.
        n_targets: numbers that are attributed per input, known inside of :meth:`asked`.

    Raises:
        ValueError: no callable, not certainty-aware, no finite inputs, an unknown output, certainty outside [0, 1].
    """

    def __init__(self, model, inputs, *, certainty_only: bool = False, whole: bool = False, **shared: "Unpack[Shared]"):
        if not callable(model):
            raise ValueError(f"expected a callable model, got {type(model).__name__}")
        for name in Shared.__annotations__:
            setattr(self, name, shared[name] if name in shared else default(name))
        aware = is_certainty_aware(model) if self.certainty_aware is None else self.certainty_aware
        if certainty_only and not aware and (isinstance(model, nn.Module) or self.certainty_aware is not None):
            raise ValueError(f"expected a model with certainty_aware = True, got {type(model).__name__} without it")
        self.packing = None
        if isinstance(inputs, Tensor) and inputs.ndim > 1 and inputs.is_floating_point():
            check_tensor("inputs", inputs)
        else:
            self.packing = Packing(inputs, whole)
            if aware or certainty_only:
                got = f"{len(inputs)} inputs" if self.packing.joint else f"{tuple(inputs.shape)} of {inputs.dtype}"
                raise ValueError(f"expected one floating tensor of values and their certainty, got {got}")
            inputs = self.packing.pack("inputs", inputs if self.packing.joint else (inputs,))
            model = self.packing.model(model)
        check_one_of("output", self.output, OUTPUTS)
        check_dtype("dtype", self.dtype)
        check_dtype("autocast", self.autocast)
        self.model, self.inputs, self.certainty_only = model, inputs.detach(), certainty_only
        self.generator = generator_or_new(self.generator)
        self.limit = BatchLimit(self.internal_batch_size, inputs)
        besides = self.additional_forward_args
        besides = besides if isinstance(besides, tuple) else () if besides is None else (besides,)
        by_row = [isinstance(each, Tensor) and each.ndim > 0 and len(each) == len(inputs) for each in besides]
        self.besides = tuple(zip(besides, by_row, strict=True))
        self.values, self.certainty, self.n_targets = self.inputs, None, None
        if certainty_only or aware:
            self.values, self.certainty = split(self.inputs)
            check_unit("certainty (last along dim 1)", self.certainty)

    def parts(self) -> "list[Question]":
        """The same question about each of several inputs, for what their baselines need to know."""
        parts = [copy.copy(self) for _ in self.packing.shapes]
        for part, values, shape in zip(parts, self.packing.unpack(self.inputs), self.packing.shapes, strict=True):
            part.inputs = part.values = values.reshape(len(values), *shape)
            part.packing = None
        return parts

    def returned(self, maps: Tensor):
        """Attributions ``(N, ...)`` or ``(N, classes, ...)`` of the inputs, as the caller shall get them."""
        if self.packing is not None:
            return self.packing.returned(maps, self.dtype)
        return maps.to(self.dtype or self.inputs.dtype)

    def with_values(self, values: Tensor) -> Tensor:
        """The model's input with other values and the same certainty."""
        return values if self.certainty is None else torch.cat([values, self.certainty], 1)

    def outputs(self, inputs: Tensor, index: Tensor) -> Tensor:
        """The model's output on all ``inputs``, of number ``index``, in micro-batches. Inside of :func:`quiet`."""
        parts = []

        def evaluate(points, index):
            parts.append(answer(self.model, points, index, self.besides, self.autocast))

        size = self.limit.size
        whole = [(inputs, index)] if len(inputs) <= size else zip(inputs.split(size), index.split(size), strict=True)
        for points in whole:
            self.limit.run(evaluate, *points)
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    @contextmanager
    def asked(self) -> Iterator[Objective]:
        """A block in which the model is :func:`quiet`; gives what is attributed, its targets resolved."""
        with quiet(self.model):
            self._numbers = torch.arange(len(self.inputs), device=self.inputs.device)
            self._answers = outputs = self.outputs(self.inputs, self._numbers)
            target, place, self.n_targets = resolve_target(self.target, outputs)
            objective = Objective(self.model, target, self.output, self.autocast, self.besides, place)
            check_finite(objective, outputs, self._numbers, "at the inputs")
            if target is not None and self.output != "logit" and bool((outputs >= 0).all()):
                if bool(((outputs.sum(1) - 1).abs() < 1e-2).all()):
                    warnings.warn(PROBABILITIES, stacklevel=4)
            yield objective

    def at_inputs(self, objective: Objective) -> Tensor:
        """F at the inputs, ``(N, n_targets)``, as the model said it when it was :meth:`asked`."""
        return torch.stack([value for _, value, _ in objective.scores(self._answers, self._numbers)], 1)

    def check(self, objective: Objective, starts: Tensor | None = None, aligned: bool = False, asked=None) -> None:
        """Refuse a model that isn't finite at ``starts`` (one per input), or whose rows depend on each other.

        One row of a batch is asked for again, beside others; but for rounding, its answer must be the same. Where it
        stands among them is another place, unless batches are ``aligned``: whole sets of inputs, in their order.

        Args:
            asked: the batch: points, the numbers of their inputs, what the model answered, and a mask of those that
                may be asked for again. If not given, the batch of the inputs themselves.
        """
        points, numbers, answers, may = asked or (self.inputs, self._numbers, self._answers, None)
        n = len(points)
        size = self.limit.size if self.limit.fixed and n % self.limit.size == 0 else 2  # it may be built into the model
        if size == 1 and starts is None:
            return
        place = 0 if size == 1 or (aligned and size == n) else 1
        largest = points.flatten(1).amax(1)
        ranked = largest if may is None else largest.masked_fill(~may, torch.inf)
        least = int(ranked.argmin()) if place and n > 1 else 0  # others may have scaled it
        index = torch.tensor([(number - place + least) % n for number in range(size)], device=self.inputs.device)
        index = index if asked is None else numbers.index_select(0, index)
        picked = self.inputs.index_select(0, index)
        if asked is not None:
            picked[place] = points[least]

        def scaled(first: float, others: float) -> Tensor:
            rows = picked * others
            rows[place] = picked[place] if first == 1 else picked[place] * first
            return rows if self.certainty is None else torch.cat([rows[:, :-1], picked[:, -1:]], 1)

        def ask(rows: Tensor, starts: Tensor | None = starts) -> Tensor:
            number = index if starts is None else torch.cat([index, self._numbers])
            try:
                return self.outputs(rows if starts is None else torch.cat([rows, starts]), number)
            except torch.OutOfMemoryError:
                raise
            except Exception as error:
                raise ValueError(
                    f"the model answers {n} rows, but not {len(number)} ({error}); what it needs for each row goes "
                    "into additional_forward_args, a batch size that is built into it into internal_batch_size"
                ) from error

        outputs = ask(scaled(1.0, 0.5) if asked is None else picked[place].expand_as(picked))
        if starts is not None:
            check_finite(objective, outputs[size:], self._numbers, "at the start of a path")
        if size == 1:
            return
        # Its answer in two batches, which row that is, and how others are scaled in a third batch to ask.
        met = [(answers[least], outputs[place], place, (1.0, 0.25 if asked is None else 1.0))]
        if asked is None and bool(largest.max() == largest[least]):  # what all rows have may scale a batch: without it
            beside = int(place == 0)
            met.append((ask(scaled(0.25, 0.5), None)[beside], outputs[beside], beside, (0.25, 0.5)))
        for one, other, row, third in met:
            if one.equal(other) or torch.allclose(one, other, rtol=1e-5, atol=0, equal_nan=True):
                continue
            # A batch of another size may be rounded otherwise (bf16, TF32); of the same size it is rounded alike.
            scale = outputs.double().nan_to_num(posinf=0, neginf=0).abs().max()
            low = self.autocast is not None or other.dtype in (torch.float16, torch.bfloat16)
            again = ask(scaled(*third))[row]
            if bool((_apart(one, other) > 0.05 * scale) | (_apart(other, again) > (1e-2 if low else 1e-5) * scale)):
                raise ValueError(
                    "the model's answer about a row depends on the rest of its batch: of the same row it says "
                    f"{_brief(one)} in one, {_brief(other)} in another (statistics of the batch? random numbers? What "
                    "it needs for each row goes into additional_forward_args)"
                )


PROBABILITIES = (
    "the model's outputs are >= 0 and sum to 1, as probabilities do: pass a model that returns logits, or "
    'output="logit", which takes the outputs as they are'
)


def check_finite(objective: Objective, outputs: Tensor, index: Tensor, where: str) -> None:
    """Raise ``ValueError`` unless what is attributed is finite."""
    if not is_finite(outputs) and not all(is_finite(value) for _, value, _ in objective.scores(outputs, index)):
        raise ValueError(f"the model's output is not finite {where}")


def _apart(a: Tensor, b: Tensor) -> Tensor:
    """Largest difference; infinities that are equal don't differ."""
    return torch.where((a == b) | (a.isnan() & b.isnan()), 0, (a.double() - b.double()).abs()).max()


def _brief(row: Tensor) -> str:
    return ", ".join(f"{number:.4g}" for number in row.flatten()[:4].tolist())
