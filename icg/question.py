"""What is asked of a model: one output of it, at given inputs, in micro-batches.

A :class:`Question` holds the arguments that the methods share, checked before any work starts. Its :class:`Objective`
is the number F whose change is attributed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from .arguments import Shared, check_one_of, check_tensor, check_unit, default, generator_or_new
from .certainty import is_certainty_aware, split

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


def resolve_target(target, outputs: Tensor) -> tuple[Tensor | str | None, int]:
    """What :class:`Objective` takes as target, and how many numbers it has per input."""
    n = len(outputs)
    if outputs.ndim == 1 or outputs.shape[1] == 1:
        if target is not None:
            raise ValueError(
                f"the model returns one value per input, {tuple(outputs.shape)}: expected no target, got {target!r}"
            )
        return None, 1
    classes = outputs.shape[1]
    if target is None:
        return outputs.argmax(1), 1
    if isinstance(target, str):
        if target != "all":
            raise ValueError(f'expected target to be None, "all", a class number or one per input, got {target!r}')
        return target, classes
    try:
        number = torch.as_tensor(target, device=outputs.device)
        assert not number.is_floating_point() and number.dtype != torch.bool
        number = number.long().expand(n) if number.numel() == 1 and number.ndim < 2 else number.long()
        assert number.shape == (n,)
    except (AssertionError, TypeError, ValueError, RuntimeError):
        raise ValueError(
            f'expected target to be None, "all", a class number or one per input ({n}), got {target!r}'
        ) from None
    if bool(((number < 0) | (number >= classes)).any()):
        raise ValueError(f"expected target in 0..{classes - 1} (the model has {classes} outputs), got {target!r}")
    return number, 1


# ---- How much at a time


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


# ---- All of it together


class Question:
    """One call of a method: model, inputs and shared arguments, checked, and the model's answers in micro-batches.

    Args:
        model: any callable ``(B, ...) -> (B, classes)`` logits, or ``(B,)`` / ``(B, 1)`` for a plain function.
        inputs: ``(N, ...)``; joined ones (:mod:`icg.certainty`) if the model is certainty-aware.
        certainty_only: whether the certainty channel alone is attributed; ``inputs`` are then joined ones.
        shared: :class:`icg.arguments.Shared`, attributes of the same names.

    Attributes:
        values: the inputs without certainty. certainty: the rest, or ``None``.
        limit: of the micro-batches.
        n_targets: numbers that are attributed per input, known inside of :meth:`asked`.

    Raises:
        ValueError: no callable, not certainty-aware, no finite inputs, an unknown output, certainty outside [0, 1].
    """

    def __init__(self, model, inputs: Tensor, *, certainty_only: bool = False, **shared: "Unpack[Shared]"):
        if not callable(model):
            raise ValueError(f"expected a callable model, got {type(model).__name__}")
        if certainty_only and isinstance(model, nn.Module) and not is_certainty_aware(model):
            raise ValueError(f"expected a model with certainty_aware = True, got {type(model).__name__} without it")
        check_tensor("inputs", inputs)
        for name in Shared.__annotations__:
            setattr(self, name, shared.get(name, default(name)))
        check_one_of("output", self.output, OUTPUTS)
        self.model, self.inputs, self.certainty_only = model, inputs.detach(), certainty_only
        self.dtype = self.dtype or inputs.dtype
        self.generator = generator_or_new(self.generator)
        self.limit = BatchLimit(self.internal_batch_size, inputs)
        self.values, self.certainty, self.n_targets = self.inputs, None, None
        if certainty_only or is_certainty_aware(model):
            self.values, self.certainty = split(self.inputs)
            check_unit("certainty (last along dim 1)", self.certainty)

    def with_values(self, values: Tensor) -> Tensor:
        """The model's input with other values and the same certainty."""
        return values if self.certainty is None else torch.cat([values, self.certainty], 1)

    def outputs(self, inputs: Tensor) -> Tensor:
        """The model's output on all ``inputs``, in micro-batches, checked. Inside of :func:`quiet`."""
        parts = []

        def evaluate(points):
            with precision(points, self.autocast):
                outputs = self.model(points)
            check_outputs(outputs, len(points))
            parts.append(outputs)

        for points in inputs.split(self.limit.size):
            self.limit.run(evaluate, points)
        outputs = torch.cat(parts)
        if not bool(outputs.isfinite().all()):
            raise ValueError("the model's output is not finite")
        return outputs

    @contextmanager
    def asked(self) -> Iterator[Objective]:
        """A block in which the model is :func:`quiet`; gives what is attributed, its targets resolved."""
        with quiet(self.model):
            target, self.n_targets = resolve_target(self.target, self.outputs(self.inputs))
            yield Objective(self.model, target, self.output, self.autocast)
