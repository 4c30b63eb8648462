"""What is asked of arguments: refusals before work starts, where random numbers come from, and the shared ones.

Most attribution methods take the same eight arguments. They are declared and described once, in :class:`Shared`, and
:func:`shares` gives each method those it takes: ``help()`` and tab completion show them with their defaults, and a
misspelt one is refused by the method's name.
"""

import inspect
import re
from collections.abc import Callable
from difflib import get_close_matches
from functools import wraps
from typing import Annotated, TypedDict, TypeVar

import torch
from torch import Tensor

Function = TypeVar("Function", bound=Callable)


class Shared(TypedDict, total=False):
    """The arguments that attribution methods share; names and meaning are Captum's where Captum has them.

    Attributes:
        target: ``None`` for the class predicted at ``inputs``; one class number, or one per input; ``"all"`` for every
            class, sharing the forward passes (a dimension for the classes is inserted: ``(N, classes, ...)``).
        output: what is attributed, "probability", "log_probability" or "logit". The paper shows that it matters.
        internal_batch_size: points per micro-batch; ``None`` picks one for the device and halves it when memory runs
            out. It changes speed and memory, never the result beyond rounding.
        return_convergence_delta: also return sum(attributions) - (F(end) - F(start)) per input, ``(N,)`` float64: 0 if
            the integral is exact.
        generator: source of all randomness; ``None`` means a fresh one with seed 0. Global random state is never used.
        progress: show a bar.
        autocast: e.g. ``torch.bfloat16`` for mixed precision; sums stay in float64.
        dtype: of the result; ``None`` means that of ``inputs``. float64 keeps the gradients of probabilities so sure
            that float32 has no number for them.
    """

    # Each type with the default.
    target: Annotated[int | Tensor | str | None, None]
    output: Annotated[str, "probability"]
    internal_batch_size: Annotated[int | None, None]
    return_convergence_delta: Annotated[bool, False]
    generator: Annotated[torch.Generator | None, None]
    progress: Annotated[bool, False]
    autocast: Annotated[torch.dtype | None, None]
    dtype: Annotated[torch.dtype | None, None]


def default(name: str):
    """The default of a shared argument.

    >>> default("output")
    'probability'
    """
    return Shared.__annotations__[name].__metadata__[0]


def shares(*names: str) -> Callable[[Function], Function]:
    """Give a function, which passes ``**shared`` on, these of the :class:`Shared` arguments; all if none is named.

    Its signature and its docstring then show them, and it refuses any other name with ``TypeError``.

    >>> @shares("target")
    ... def method(inputs, **shared):
    ...     return shared
    >>> inspect.signature(method)
    <Signature (inputs, *, target: int | torch.Tensor | str | None = None)>
    >>> method(1, targte=3)
    Traceback (most recent call last):
    TypeError: method() got an unexpected argument 'targte'; did you mean 'target'?
    """
    chosen = {name: Shared.__annotations__[name] for name in names or Shared.__annotations__}
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default(name), annotation=kind.__origin__)
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

    @wraps(function)
    def method(*positional, **keywords):
        for name in keywords.keys() - signature.parameters.keys():
            near = get_close_matches(name, signature.parameters, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(signature.parameters)}"
            raise TypeError(f"{function.__name__}() got an unexpected argument {name!r}; {hint}")
        return function(*positional, **keywords)

    method.__signature__ = signature
    method.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\n{described}"
    return method


# ---- Refusals


def check_positive(name: str, value) -> None:
    """Raise ``ValueError`` unless ``value`` is a whole number >= 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"expected {name} to be a whole number >= 1, got {value!r}")


def check_tensor(name: str, tensor) -> None:
    """Raise ``ValueError`` unless ``tensor`` is a non-empty floating tensor ``(N, ...)`` of finite numbers."""
    if not isinstance(tensor, Tensor) or not tensor.is_floating_point() or tensor.ndim < 2 or len(tensor) == 0:
        got = f"{tuple(tensor.shape)} of {tensor.dtype}" if isinstance(tensor, Tensor) else type(tensor).__name__
        raise ValueError(f"expected {name} to be a non-empty floating tensor (N, ...), got {got}")
    if not bool(tensor.isfinite().all()):
        raise ValueError(f"expected finite {name}, got NaN or infinity")


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
    """The generator that was given, or a fresh one with seed 0."""
    return torch.Generator().manual_seed(0) if generator is None else generator


def random_like(sampler, like: Tensor, generator: torch.Generator) -> Tensor:
    """Random numbers by ``torch.rand``, ``torch.randn`` …, of the shape, the dtype and on the device of ``like``."""
    # Drawn where the generator lives, so that a CPU generator gives the same numbers on every device.
    return sampler(like.shape, generator=generator, device=generator.device, dtype=like.dtype).to(like.device)
