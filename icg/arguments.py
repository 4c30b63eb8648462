"""What is asked of arguments: refusals before work starts, where random numbers come from, and the shared ones.

Most attribution methods take the same ten arguments. They are declared and described once, in :class:`Shared`, and
:func:`shares` gives each method those it takes: ``help()`` and tab completion show them with their defaults, and a
misspelt one is refused by the method's name.
"""

import inspect
import math
import operator
import re
from collections.abc import Callable
from difflib import get_close_matches
from functools import wraps
from numbers import Real
from typing import TYPE_CHECKING, Annotated, TypedDict, TypeVar

import torch
from torch import Tensor

if TYPE_CHECKING:  # what editors need to know of the shared arguments
    from typing_extensions import Unpack
else:
    Unpack = dict

Function = TypeVar("Function", bound=Callable)
OUTPUTS = ("probability", "log_probability", "logit")
WHOLE = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


class Shared(TypedDict, total=False):
    """The arguments that attribution methods share; names and meaning are Captum's where Captum has them.

    Attributes:
        target: ``None`` for the class predicted at ``inputs``; one class number, or one per input; ``"all"`` for every
            class, sharing the forward passes (a dimension for the classes is inserted: ``(N, classes, ...)``). Outputs
            ``(N, classes, ...)`` of several places need a tuple (class, place ...), or one per input.
        output: what is attributed, "probability", "log_probability" or "logit". The paper shows that it matters.
        internal_batch_size: points per micro-batch; ``None`` picks one for the device and halves it when memory runs
            out. It changes speed and memory, never the result beyond rounding.
        return_convergence_delta: also return sum(attributions) - (F(end) - F(start)) per input, ``(N,)`` float64: 0 if
            the integral is exact.
        generator: source of all randomness; ``None`` means a fresh one with seed 0. Global random state is never used.
        progress: show a bar.
        autocast: e.g. ``torch.bfloat16`` for mixed precision; sums stay in float64.
        dtype: of the result; ``None`` means that of ``inputs``, or the default one for whole numbers. float64 keeps the
            gradients of probabilities so sure that float32 has no number for them.
        additional_forward_args: what the model takes besides, one thing or a tuple; tensors ``(N, ...)`` are those of
            the inputs, row by row, all else goes to every call as it is. Nothing of it is attributed.
        certainty_aware: whether the last channel of ``inputs`` is their certainty; ``None`` asks the model, through
            ``DataParallel``, ``Sequential`` and ``partial``. A traced model and a lambda don't know: tell them.
    """

    # Each type with the default.
    target: Annotated[int | tuple | list | Tensor | str | None, None]
    output: Annotated[str, "probability"]
    internal_batch_size: Annotated[int | None, None]
    return_convergence_delta: Annotated[bool, False]
    generator: Annotated[torch.Generator | None, None]
    progress: Annotated[bool, False]
    autocast: Annotated[torch.dtype | None, None]
    dtype: Annotated[torch.dtype | None, None]
    additional_forward_args: Annotated[object, None]
    certainty_aware: Annotated[bool | None, None]


DEFAULTS = {name: kind.__metadata__[0] for name, kind in Shared.__annotations__.items()}


def settled(shared: Shared) -> dict:
    """The shared arguments with their defaults, checked as far as can be without model and inputs."""
    given = DEFAULTS | shared
    check_one_of("output", given["output"], OUTPUTS)
    for name in ("dtype", "autocast"):
        kind = given[name]
        if kind is not None and not (isinstance(kind, torch.dtype) and kind.is_floating_point):
            raise ValueError(f"expected {name} to be a floating torch.dtype or None, got {kind!r}")
    return given | {"generator": generator_or_new(given["generator"])}


def shares(*names: str) -> Callable[[Function], Function]:
    """Give a function, which passes ``**shared`` on, these of the :class:`Shared` arguments; all if none is named.

    Its signature and its docstring then show them, and it refuses any other name with ``TypeError``.

    >>> @shares("target")
    ... def method(inputs, **shared):
    ...     return shared
    >>> inspect.signature(method)
    <Signature (inputs, *, target: int | tuple | list | torch.Tensor | str | None = None)>
    >>> method(1, targte=3)
    Traceback (most recent call last):
    TypeError: method() got an unexpected argument 'targte'; did you mean 'target'?
    """
    chosen = {name: Shared.__annotations__[name] for name in names or Shared.__annotations__}
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=DEFAULTS[name], annotation=kind.__origin__)
        for name, kind in chosen.items()
    ]
    meanings = re.split(r"\n    (?=\w+:)", (inspect.getdoc(Shared) or "").partition("Attributes:")[2])[1:]
    described = [meaning for meaning in meanings if meaning.partition(":")[0] in chosen]
    return lambda function: _with(function, parameters, "\n    ".join(["Shared arguments:", *described]))


def options_of(source: Callable) -> Callable[[Function], Function]:
    """Give a function, which passes ``**options`` on, the keyword arguments of ``source``, as :func:`shares` does."""
    parameters = inspect.signature(source).parameters.values()
    keywords = [p for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]
    return lambda function: _with(function, keywords, f"Options: the keyword arguments of :func:`{source.__name__}`.")


def _with(function: Function, parameters: list[inspect.Parameter], described: str) -> Function:
    signature = inspect.signature(function)
    own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    signature = signature.replace(parameters=[*own, *parameters])
    known = frozenset(signature.parameters)

    @wraps(function)
    def method(*positional, **keywords):
        for name in keywords.keys() - known:
            near = get_close_matches(name, signature.parameters, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(signature.parameters)}"
            raise TypeError(f"{function.__name__}() got an unexpected argument {name!r}; {hint}")
        return function(*positional, **keywords)

    method.__signature__ = signature
    method.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\n{described}"
    return method


# ---- Refusals


def check_positive(name: str, value, least: int = 1) -> int:
    """The whole number ``value``, of any library or a 0-d tensor; ``ValueError`` unless it is one, >= ``least``."""
    kind = str(getattr(value, "dtype", type(value).__name__))
    try:
        number = None if "bool" in kind or getattr(value, "ndim", 0) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < least:
        raise ValueError(f"expected {name} to be a whole number >= {least}, got {value!r}")
    return number


def is_single(value) -> bool:
    """Whether ``value`` is one thing, of any library, and no tensor or list of several."""
    return not isinstance(value, (tuple, list)) and not getattr(value, "ndim", 0)


def is_number(value) -> bool:
    """Whether ``value`` is one real number, of any library or a 0-d tensor; not a truth value."""
    value = value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value
    return isinstance(value, Real) and not isinstance(value, bool)


BOUNDS = {
    ">= 0": lambda number: number >= 0,
    "> 0": lambda number: number > 0,
    "in [0, 1]": lambda number: 0 <= number <= 1,
    "in [0, 1)": lambda number: 0 <= number < 1,
    "to be a finite number": lambda number: True,
}


def check_number(name: str, value, bound: str = ">= 0") -> float:
    """The number ``value`` as a float; ``ValueError`` unless it is finite and keeps to the bound, one of `BOUNDS`."""
    if not is_number(value) or not math.isfinite(value) or not BOUNDS[bound](value):
        raise ValueError(f"expected {name} {bound}, got {value}")
    return float(value)


def described(thing) -> str:
    """What a message says that it got: shape and dtype of a tensor, or the type."""
    return f"{tuple(thing.shape)} of {thing.dtype}" if isinstance(thing, Tensor) else type(thing).__name__


def check_tensor(name: str, tensor, least: int = 2, whole: bool = False) -> None:
    """Raise ``ValueError`` unless ``tensor`` is a non-empty, dense, floating tensor ``(N, ...)`` of finite numbers.

    Args:
        least: dimensions. whole: whether whole numbers and bools will do, too.
    """
    fits = isinstance(tensor, Tensor) and (tensor.is_floating_point() or (whole and not tensor.is_complex()))
    if not fits or tensor.ndim < least or len(tensor) == 0:
        kind = "real" if whole else "floating"
        raise ValueError(f"expected {name} to be a non-empty {kind} tensor (N, ...), got {described(tensor)}")
    if tensor.layout != torch.strided:
        raise ValueError(f"expected {name} to be a dense tensor (its .to_dense()), got {tensor.layout}")
    if tensor.is_floating_point() and not is_finite(tensor):
        raise ValueError(f"expected finite {name}, got NaN or infinity")


def check_whole(name: str, tensor, *shapes: tuple[int, ...]) -> None:
    """Raise ``ValueError`` unless ``tensor`` is one of whole numbers, of one of the ``shapes`` if any are given."""
    if not isinstance(tensor, Tensor) or tensor.dtype not in WHOLE or (shapes and tuple(tensor.shape) not in shapes):
        of = f" of shape {' or '.join(map(str, shapes))}" if shapes else ""
        raise ValueError(f"expected {name} to be a tensor of whole numbers{of}, got {described(tensor)}")


def is_finite(tensor: Tensor) -> bool:
    """Whether all numbers are finite; in half the operations of ``isfinite().all()``, which a small model feels."""
    # The sum of finite numbers may be infinite. Infinity - infinity is NaN, which is not 0.
    return math.isfinite(tensor.sum().item()) or not bool((tensor - tensor).any())


def check_unit(name: str, numbers: Tensor) -> None:
    """Raise ``ValueError`` unless all numbers are in [0, 1]."""
    if numbers.numel() and not bool(((numbers >= 0) & (numbers <= 1)).all()):
        raise ValueError(f"expected {name} in [0, 1], got {numbers.min().item():.4g} to {numbers.max().item():.4g}")


def check_one_of(name: str, value, known) -> None:
    """Raise ``ValueError`` unless ``value`` is one of the names ``known``."""
    if value not in known:
        raise ValueError(f"expected {name} to be one of {', '.join(known)}, got {value!r}")


# ---- Random numbers


def generator_or_new(generator: torch.Generator | None) -> torch.Generator:
    """The generator that was given, or a fresh one with seed 0; ``ValueError`` for anything else."""
    if generator is None:
        return torch.Generator("cpu").manual_seed(0)
    if not isinstance(generator, torch.Generator):
        raise ValueError(f"expected generator to be a torch.Generator or None, got {generator!r}")
    return generator


def random_like(sampler, like: Tensor, generator: torch.Generator) -> Tensor:
    """Random numbers by ``torch.rand``, ``torch.randn`` …, of the shape, the dtype and on the device of ``like``."""
    # Drawn where the generator lives, so that a CPU generator gives the same numbers on every device.
    return sampler(like.shape, generator=generator, device=generator.device, dtype=like.dtype).to(like.device)
