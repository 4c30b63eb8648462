"""What all exercise checks share: calling an answer, comparing it, saying what is wrong, and giving up with grace."""

from collections.abc import Callable

import torch
from torch import Tensor

_REFERENCES: dict[str, Callable] = {}


class NotYet(AssertionError):
    """The answer is not right yet; the message says what to look at."""


def reference(stub: str):
    """Register the decorated function as the reference for the exercise whose stub is called ``stub``.

    Raises:
        ValueError: two exercises of the book share one stub name.
    """

    def register(function):
        if stub in _REFERENCES:
            raise ValueError(f"expected one reference for each stub, got a second one for {stub!r}")
        _REFERENCES[stub] = function
        return function

    return register


def accept(function: Callable) -> Callable:
    """Go on with the book's own answer: ``my_share = icg_book.kit.answers.accept(my_share)``.

    Args:
        function: the exercise's function as it stands; only its name counts.

    Returns:
        The reference, which passes the exercise's check. A banner says that it is not your own.

    Raises:
        ValueError: no exercise has a function of this name.
    """
    name = getattr(function, "__name__", None) or repr(function)
    if name not in _REFERENCES:
        raise ValueError(f"expected the function of an exercise ({', '.join(sorted(_REFERENCES))}), got {name}")
    print(f"*** {name}: from here on this is the book's answer, not yours. Come back to it later. ***")
    return _REFERENCES[name]


def call(function: Callable, *arguments):
    """What the reader's function returns, or a :class:`NotYet` if it stops or is not written yet."""
    try:
        answer = function(*arguments)
    except Exception as error:
        raise NotYet(f"Your function stopped with {type(error).__name__}: {error}") from error
    if answer is ...:
        raise NotYet("Nothing here yet: replace the dots by your answer.")
    if answer is None:
        raise NotYet("Your function returned None: is there a `return` at its end?")
    return answer


def call_tensor(function: Callable, *arguments) -> Tensor:
    """As :func:`call`, for exercises whose answer is a tensor; returned detached and in float64."""
    answer = call(function, *arguments)
    if not isinstance(answer, Tensor):
        raise NotYet(f"Return a tensor; yours is a {type(answer).__name__}.")
    return answer.detach().double()


def close(answer: Tensor, expected: Tensor, tolerance: float = 1e-4) -> bool:
    """Same shape, and no element further away than ``tolerance``."""
    return answer.shape == expected.shape and bool(((answer - expected.double()).abs() <= tolerance).all())


def meet(answer: Tensor, right: Tensor, mistakes: list[tuple[Tensor, str]], otherwise: str, tolerance=1e-4) -> None:
    """Return if the answer is right; else raise the hint of the first mistake that gives the same numbers."""
    if answer.shape != right.shape:
        raise NotYet(f"Return a tensor of shape {tuple(right.shape)}; yours has shape {tuple(answer.shape)}.")
    if close(answer, right, tolerance):
        return
    for wrong, hint in mistakes:
        if close(answer, torch.as_tensor(wrong), tolerance):
            raise NotYet(hint)
    raise NotYet(otherwise)
