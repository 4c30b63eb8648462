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

import torch
from torch import Tensor, nn

from .arguments import Shared, Unpack, check_positive, check_tensor, check_unit, is_finite, settled
from .certainty import is_certainty_aware, split
from .inputs import Packing
from .modes import quiet, thaw


@dataclass(frozen=True)
class Objective:
    """The number F(x) whose change is attributed, and how to get its gradient without underflow.

    F is a function of a *score* that never saturates: the logit itself, or the log-odds s of the target class, with
    probability = sigmoid(s). The score's gradient comes from autograd and dF/ds in float64 from its formula, so that
    probabilities of 1 - 1e-30 still have a gradient.

    Attributes:
        forward_func: any callable ``(B, ...) -> (B, K)`` logits, or ``(B,)`` / ``(B, 1)``: a plain value. Logits of
            several places are ``(B, K, ...)``.
        target: ``(N,)`` class of each input, or one for all; ``None`` for a plain value; or the string "all".
        output: "probability", "log_probability" or "logit"; a plain value is taken as it is.
        autocast: dtype for mixed precision, or ``None``.
        besides: what the model takes after its input, each with whether it has a row for each input.
        place: where among ``(B, K, ...)`` each input's K logits are, ``(N, d)``, or ``None`` for ``(B, K)``.
    """

    forward_func: Callable[..., Tensor]
    target: Tensor | int | str | None
    output: str
    autocast: torch.dtype | None = None
    besides: tuple = ()
    place: Tensor | None = None

    def __call__(self, points: Tensor, index: Tensor) -> Tensor:
        """F at ``points``, which belong to the inputs number ``index``: ``(B, targets)`` float64."""
        return self.values(self.outputs(points, index), index)

    def outputs(self, points: Tensor, index: Tensor) -> Tensor:
        """What the model answers."""
        return answer(self.forward_func, points, index, self.besides, self.autocast)

    def values(self, outputs: Tensor, index: Tensor) -> Tensor:
        """F of what the model has answered, ``(B, targets)`` float64.

        It is NaN where an output that counts isn't finite: a class of logit -inf, which nobody asked about, is fine.
        """
        columns = []
        for own, others in self._counting(outputs.detach(), index):
            value = own.double()
            if others is not None:
                s = (own - others).double()
                sound = own + others.clamp(min=0)  # infinite or NaN if one that counts is
                value = s.sigmoid() if self.output == "probability" else nn.functional.logsigmoid(s)
                value = torch.add(value, sound, alpha=0)
            columns.append(value)
        return torch.stack(columns, 1)

    def scores(self, points: Tensor, index: Tensor) -> list[tuple[Tensor, Tensor | None]]:
        """The score at ``points`` and dF/dscore, ``(B,)`` each, ``None`` if it is F itself; one pair per target."""
        pairs = []
        for own, others in self._counting(self.outputs(points, index), index):
            slope = None
            if others is not None:
                own = own - others
                s = own.detach().double()
                slope = (-s).sigmoid() * (s.sigmoid() if self.output == "probability" else 1.0)
            pairs.append((own, slope))
        return pairs

    def _counting(self, outputs: Tensor, index: Tensor) -> list[tuple[Tensor, Tensor | None]]:
        """Of each target its output, and the log of the sum of the other classes' exponentials if that counts, too."""
        if outputs.dtype in (torch.float16, torch.bfloat16):
            outputs = outputs.float()
        if self.place is not None:
            rows = torch.arange(len(outputs), device=outputs.device)
            outputs = outputs.movedim(1, -1)[(rows, *self.place[index].unbind(1))]
        if self.target is None:
            return [(outputs.reshape(len(outputs)), None)]
        if isinstance(self.target, Tensor):
            targets = [self.target[index]]
        else:
            targets = range(outputs.shape[1]) if self.target == "all" else [self.target]
        found = []
        for target in targets:
            single = isinstance(target, int)
            own, others = outputs[:, target] if single else outputs.gather(1, target[:, None]).squeeze(1), None
            if self.output != "logit":
                column = torch.full_like(own, target, dtype=torch.long) if single else target
                others = outputs.scatter(1, column[:, None], -torch.inf).logsumexp(1)
            found.append((own, others))
        return found


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


def resolve_target(target, outputs: Tensor) -> tuple[Tensor | int | str | None, Tensor | None, int]:
    """What :class:`Objective` takes as target and as place, and how many numbers it has per input."""
    n, dims = len(outputs), outputs.shape[1:]
    plain = not dims or dims[0] == 1
    if target is None and dims.numel() == 1:
        return None, None, 1
    if len(dims) == 1 and not plain:
        if target is None:
            return outputs.argmax(1), None, 1
        if type(target) is int and 0 <= target < dims[0]:  # the usual case, quickly
            return target, None, 1
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
        vars(self).update(settled(shared))
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
        self.model, self.inputs, self.certainty_only = model, inputs.detach(), certainty_only
        self.limit = BatchLimit(self.internal_batch_size, inputs)
        besides = self.additional_forward_args
        besides = besides if isinstance(besides, tuple) else () if besides is None else (besides,)
        by_row = [isinstance(each, Tensor) and each.ndim > 0 and len(each) == len(inputs) for each in besides]
        self.besides = tuple(zip(besides, by_row, strict=True))
        self.values, self.certainty, self.n_targets = self.inputs, None, None
        self._kept, self._compared = None, False
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
            self._check_finite(objective, outputs, slice(None), "at the inputs")
            if target is not None and self.output != "logit" and bool((outputs >= 0).all()):
                if bool(((outputs.sum(1) - 1).abs() < 1e-2).all()):
                    warnings.warn(PROBABILITIES, stacklevel=4)
            yield objective

    def at_inputs(self, objective: Objective) -> Tensor:
        """F at the inputs, ``(N, n_targets)``, as the model said it when it was :meth:`asked`."""
        return objective.values(self._answers, self._numbers)

    def masked(self, objective: Objective, points: Tensor, index: Tensor, partly: Tensor) -> Tensor:
        """F at ``points``, some of them ``partly`` masked; the first such batch is kept for :meth:`check_masked`."""
        outputs = objective.outputs(points, index)
        if self._kept is None and int(partly.sum()):
            self._kept = points, index, outputs, partly
        return objective.values(outputs, index)

    def check_masked(self, objective: Objective, found: Tensor | None, index: Tensor) -> None:
        """Refuse a model whose rows depend on each other where they are partly masked, or at the inputs.

        Args:
            found: F at the inputs number ``index``, from another batch than that of :meth:`asked`, if there was one.
        """
        if self._kept:
            self._check_kept(*self._kept)
            self._kept = ()
        if not self._compared:
            self._compared = True
            if found is None or not torch.allclose(found, self.at_inputs(objective)[index], rtol=1e-5, atol=0):
                self.check(objective)

    def check(self, objective: Objective, starts: Tensor | None = None, aligned: bool = False) -> None:
        """Refuse a model that isn't finite at ``starts`` (one per input), or whose rows depend on each other.

        One of the inputs is asked about again, beside others; but for rounding, its answer must be the same. Where it
        stands among them is another place, unless batches are ``aligned``: whole sets of inputs, in their order.
        """
        n = len(self.inputs)
        size = self._company(n)
        if size == 1 and starts is None:
            return
        place = int(size > 1 and not (aligned and size == n))
        largest = self.values.flatten(1).amax(1).tolist()
        least = min(range(n), key=largest.__getitem__) if place else 0  # others may have scaled it
        index = self._numbers.new_tensor([(number - place + least) % n for number in range(size)])
        picked = self.inputs.index_select(0, index)

        def again(own: float, others: float, starts: Tensor | None = starts) -> Tensor:
            factors = picked.new_tensor([own if number == place else others for number in range(size)])
            rows, numbers = picked * factors.view(-1, *[1] * (picked.ndim - 1)), index
            if self.certainty is not None:
                rows = torch.cat([rows[:, :-1], picked[:, -1:]], 1)
            if starts is not None:
                rows, numbers = torch.cat([rows, starts]), torch.cat([index, self._numbers])
            return self._again(n, rows, numbers)

        outputs = again(1.0, 0.5)
        if starts is not None:
            self._check_finite(objective, outputs, slice(size, None), "at the start of a path")
        if size == 1:
            return
        self._compare(self._answers[least], outputs, place, lambda: again(1.0, 0.25))
        if max(largest) == largest[least]:  # what all rows have may scale a batch: without it
            self._compare(again(0.25, 0.5, None)[1 - place], outputs, 1 - place, lambda: again(0.25, 0.5))

    def _check_kept(self, points: Tensor, numbers: Tensor, answers: Tensor, partly: Tensor) -> None:
        """The same of a batch that was asked: one of its partly masked rows again, beside itself and beside inputs."""
        n = len(points)
        size = self._company(n)
        if size == 1:
            return
        least = int(points.flatten(1).amax(1).masked_fill(~partly, torch.inf).argmin())
        index = numbers.index_select(0, numbers.new_tensor([(number - 1 + least) % n for number in range(size)]))
        rows = self.inputs.index_select(0, index)
        rows[1] = points[least]
        outputs = self._again(n, rows[1].expand_as(rows), index)
        self._compare(answers[least], outputs, 1, lambda: self._again(n, rows, index))

    def _check_finite(self, objective: Objective, outputs: Tensor, rows: slice, where: str) -> None:
        """Refuse outputs of which in these rows, one per input, what is attributed isn't finite."""
        if not is_finite(outputs) and not is_finite(objective.values(outputs[rows], self._numbers)):
            raise ValueError(f"the model's output is not finite {where}")

    def _company(self, n: int) -> int:
        """Rows of a batch in which a row of ``n`` is asked about again; the batch size may be built into the model."""
        return self.limit.size if self.limit.fixed and n % self.limit.size == 0 else 2

    def _again(self, n: int, rows: Tensor, numbers: Tensor) -> Tensor:
        try:
            return self.outputs(rows, numbers)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            raise ValueError(
                f"the model answers {n} rows, but not {len(rows)} ({error}); what it needs for each row goes "
                "into additional_forward_args, a batch size that is built into it into internal_batch_size"
            ) from error

    def _compare(self, one: Tensor, outputs: Tensor, row: int, third: Callable[[], Tensor]) -> None:
        """Refuse a model whose answer about a row is ``one`` in one batch, and another one among these ``outputs``."""
        other = outputs[row]
        if one.equal(other) or torch.allclose(one, other, rtol=1e-5, atol=0, equal_nan=True):
            return
        # A batch of another size may be rounded otherwise (bf16, TF32); a third one of the same size is rounded alike.
        scale = outputs.double().nan_to_num(posinf=0, neginf=0).abs().max()
        low = self.autocast is not None or other.dtype in (torch.float16, torch.bfloat16)
        if bool((_apart(one, other) > 0.05 * scale) | (_apart(other, third()[row]) > (1e-2 if low else 1e-5) * scale)):
            raise ValueError(
                "the model's answer about a row depends on the rest of its batch: of the same row it says "
                f"{_brief(one)} in one, {_brief(other)} in another (statistics of the batch? random numbers? What "
                "it needs for each row goes into additional_forward_args)"
            )


PROBABILITIES = (
    "the model's outputs are >= 0 and sum to 1, as probabilities do: pass a model that returns logits, or "
    'output="logit", which takes the outputs as they are'
)


def _apart(a: Tensor, b: Tensor) -> Tensor:
    """Largest difference; infinities that are equal don't differ."""
    return torch.where((a == b) | (a.isnan() & b.isnan()), 0, (a.double() - b).abs()).max()


def _brief(row: Tensor) -> str:
    return ", ".join(f"{number:.4g}" for number in row.flatten()[:4].tolist())
