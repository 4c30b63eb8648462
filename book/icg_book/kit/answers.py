"""What all exercise checks share: ask an answer in many cases, and say in one sentence what is wrong with it.

A check is data: a reference, the cases that it is asked in, and hints, each with the mistake that it is for.
"""

import functools
import inspect
import linecache
import reprlib
import sys
import textwrap
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import CodeType, FrameType, SimpleNamespace

import numpy as np
import torch
from torch import Tensor

_CHECKS: dict[str, "Check"] = {}  # by the name of the stub


class NotYet(AssertionError):
    """The answer is not right yet; the message says what to look at, in three lines at most."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of a traceback, which would print the check with all its hints."""
        return [f"Not yet: {self}"]


# ---- what an answer may look like -------------------------------------------------------------------------------


def numbers(answer, what: str = "numbers") -> Tensor:
    """An answer as a float64 tensor, whatever it came as: a number, bool, list, tuple, array, scalar or tensor.

    Args:
        answer: what the reader's function returned.
        what: what it should be, for the sentence that refuses anything else: "one number for each player".

    Raises:
        NotYet: text, a set, a function, a ragged list: nothing that is numbers.

    >>> numbers([True, np.float32(0.5), torch.tensor([2])])
    tensor([1.0000, 0.5000, 2.0000], dtype=torch.float64)
    """
    if answer is ... or isinstance(answer, (tuple, list)) and any(a is ... for a in answer):
        raise NotYet("Nothing here yet: replace the dots by your answer.")
    try:
        return _tensor(answer)
    except (TypeError, ValueError, RuntimeError):
        raise NotYet(f"Return {what}; yours is {_article(type(answer).__name__)}.") from None


def _article(name: str) -> str:
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _tensor(answer) -> Tensor:
    if isinstance(answer, Tensor):
        if answer.is_complex():
            raise TypeError
        return answer.detach().cpu().double()
    if isinstance(answer, (tuple, list)) and answer:
        parts = [_tensor(part) for part in answer]
        if all(part.numel() == 1 for part in parts):
            parts = [part.reshape(()) for part in parts]
        return torch.stack(parts)
    found = np.asarray(answer)
    if found.dtype.kind == "c" and np.all(np.abs(found.imag) < 1e-6):  # Python's root of a rounding error below 0
        found = found.real
    if found.dtype.kind not in "biuf":
        raise TypeError
    return torch.as_tensor(found.astype(np.float64))


def _slack(answer, right: Tensor) -> float:
    """What rounding to the answer's own precision may cost: much for half precision, nothing else to speak of."""
    parts = answer if isinstance(answer, (tuple, list)) else [answer]
    steps = [torch.finfo(part.dtype).eps for part in parts if isinstance(part, Tensor) and part.is_floating_point()]
    steps += [
        float(np.finfo(part.dtype).eps) for part in parts if getattr(getattr(part, "dtype", 0), "kind", "") == "f"
    ]
    return 4 * max(steps, default=0.0) * float(right.abs().nan_to_num(posinf=0).max()) if right.numel() else 0.0


def fits(answer: Tensor, right: Tensor) -> bool:
    """The same shape, up to dimensions of size 1: a number may come as ``()`` or ``(1,)``."""
    return [size for size in answer.shape if size != 1] == [size for size in right.shape if size != 1]


def close(answer: Tensor, right: Tensor, tolerance: float = 1e-4) -> bool:
    """Shapes that fit, and no element further away than ``tolerance``; NaN is close to NaN."""
    if not fits(answer, right):
        return False
    return torch.allclose(answer.reshape(right.shape), right.double(), rtol=0, atol=tolerance, equal_nan=True)


# ---- cases, and what they look like in a sentence ---------------------------------------------------------------


def seeded(seed: int) -> torch.Generator:
    """A source of random numbers for the cases of this seed."""
    return torch.Generator().manual_seed(seed)


def written(formula: str, function: Callable) -> Callable:
    """The function, with the formula by which a sentence about a case names it."""
    function.formula = formula
    return function


def shown(value) -> str:
    """An argument or an answer in a sentence: short numbers, a function by its formula, a large tensor by its shape.

    >>> shown(torch.tensor([[1.0, 2 / 3]])), shown((2, 0, 1)), shown(written("x1 x2", lambda z: z[:, 0] * z[:, 1]))
    ('[[1, 0.667]]', '(2, 0, 1)', 'x1 x2')
    """
    if isinstance(value, torch.Generator):
        return f"a generator of seed {value.initial_seed()}"
    if isinstance(value, (Tensor, np.ndarray)):
        if np.prod(value.shape) > 12:
            return f"{tuple(value.shape)} numbers"
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        inside = ", ".join(shown(part) for part in value)
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' * (len(value) == 1)})"
    if isinstance(value, float):
        return f"{value:.3g}"
    if callable(value):
        return getattr(value, "formula", getattr(value, "__name__", type(value).__name__))
    return reprlib.repr(value)


# ---- asking -----------------------------------------------------------------------------------------------------


def ask(function: Callable, *arguments):
    """What the reader's function returns in one case.

    Raises:
        NotYet: it stops, is not written yet, returns nothing, or changes a tensor that it was given.
    """
    before = [a.clone() if isinstance(a, Tensor) else None for a in arguments]
    try:
        answer = function(*arguments)
    except NotYet:  # a function that a check hands over may refuse how it is used
        raise
    except Exception as error:
        lines = "".join(f"\n  {line}" for line in _own_lines(error, function))
        said = textwrap.shorten(f"{error}", 200, placeholder=" …")  # torch's go over many lines
        raise NotYet(f"Your function stopped with {type(error).__name__}: {said}{lines}") from error
    if answer is ...:
        raise NotYet("Nothing here yet: replace the dots by your answer.")
    if answer is None:
        raise NotYet("Your function returned None: is there a `return` at its end?")
    for was, now in zip(before, arguments, strict=True):
        if was is not None and not torch.equal(was, now):
            raise NotYet("Your function changes a tensor that it is given. Make a new one.")
    return answer


def _own_lines(error: Exception, function: Callable) -> list[str]:
    """Where the reader's own code stopped, outermost and innermost line, without ours and the libraries'."""
    ours = getattr(inspect.unwrap(function), "__globals__", None)
    found = [
        f"{frame.f_code.co_name}, line {line}: {linecache.getline(frame.f_code.co_filename, line).strip()}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_globals is ours
    ]
    return found if len(found) < 3 else [found[0], found[-1]]


# ---- whose answer it is -----------------------------------------------------------------------------------------


class Accepted:
    """The book's answer to an exercise, in place of the reader's."""

    def __init__(self, stub: str):
        self.__name__ = stub

    def __call__(self, *arguments):
        return _CHECKS[self.__name__].reference(*arguments)

    def __repr__(self) -> str:
        return f"<the book's {self.__name__}>"


def accept(function: Callable) -> Callable:
    """Go on with the book's own answer: ``my_share = checks.accept(my_share)``.

    Args:
        function: the exercise's function as it stands; only its name counts.

    Returns:
        The reference. The exercise then counts as accepted, not as solved, and its check says so.

    Raises:
        ValueError: no exercise has a function of this name.
    """
    name = getattr(function, "__name__", None) or repr(function)
    if name not in _CHECKS:
        raise ValueError(f"expected the function of an exercise ({', '.join(sorted(_CHECKS))}), got {name}")
    print(f"*** {name}: accepted, not solved. From here on this is the book's answer, not yours. ***")
    return Accepted(name)


def _bare(code: CodeType) -> CodeType:
    """Code without where it stands, so that a copy of its text is equal to it."""
    inside = tuple(_bare(part) if isinstance(part, CodeType) else part for part in code.co_consts)
    return code.replace(co_filename="", co_firstlineno=1, co_linetable=b"", co_consts=inside)


def _code(function: Callable) -> CodeType | None:
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(inspect.unwrap(function), "__code__", None)


class _Watch:
    """Notes which of some functions an answer calls; calls by the functions that a check hands to it do not count."""

    def __init__(self, functions: Iterable[Callable]):
        self.names = {_bare(code): code.co_name for code in map(_code, functions) if code}
        self.called: set[str] = set()

    def __enter__(self):
        self._before = sys.getprofile()
        sys.setprofile(self._look)
        return self

    def __exit__(self, *_):
        sys.setprofile(self._before)

    def _look(self, frame: FrameType, event: str, _) -> None:
        code = frame.f_code
        if event == "call" and code.co_name in self.names.values() and _bare(code) in self.names:
            caller = frame.f_back
            while caller is not None and caller.f_code is not ask.__code__:
                if caller.f_globals.get("__name__", "").endswith(".checks"):
                    return
                caller = caller.f_back
            if caller is not None:
                self.called.add(code.co_name)


# ---- checks -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, eq=False)
class Check(ABC):
    """The check of an exercise; call it with an answer. :class:`Values` and :class:`Property` say how it looks.

    Attributes:
        task: the function asked for, in one line; the check's docstring.
        stub: its name in the notebook, ``my_…``.
        reference: the book's own answer, written out without the library where that is the exercise.
        praise: said of a right answer; begins with "Right".
        hints: sentences, each with the mistake that it is for; the first that fits is said.
        library: functions of the library that are the exercise's answer.
        without_library: the task forbids them. Otherwise the check only says that they did it.
    """

    task: str
    stub: str
    reference: Callable
    praise: str
    hints: dict[str, Callable | tuple[Callable, ...]]
    library: tuple[Callable, ...] = ()
    without_library: bool = False

    def __post_init__(self):
        other = _CHECKS.get(self.stub)
        if other is not None and other.reference.__module__ != self.reference.__module__:
            raise ValueError(f"expected one check for each stub, got a second one for {self.stub}")
        _CHECKS[self.stub] = self
        object.__setattr__(self, "__doc__", self.task)

    def __call__(self, function: Callable, seed: int = 0, own: bool = False) -> None:
        """Ask an answer; print one line if it is right.

        Args:
            function: the reader's.
            seed: another one chooses other cases of the same kind.
            own: refuse what is not the reader's own: the book's answer, and the library's.

        Raises:
            NotYet: it is not right yet, or not the reader's own.
        """
        with _Watch([self.reference, *self.library]) as watch:
            self.examine(functools.partial(ask, function), seed)
        reference = _code(self.reference).co_name
        if isinstance(function, Accepted) or reference in watch.called:
            if own:
                raise NotYet("This is the book's answer. Graded is your own.")
            print(f"Accepted, not solved: {self.stub} is the book's answer, and passes. Come back to it later.")
            return
        if watch.called and (own or self.without_library):
            raise NotYet(f"The library's {', '.join(sorted(watch.called))} did it. Write it yourself.")
        by = f" (The library's {', '.join(sorted(watch.called))} did it.)" if watch.called else ""
        print(f"{self.praise}{by}")

    @abstractmethod
    def examine(self, asked: Callable, seed: int) -> None:
        """Raise :class:`NotYet` if the answer, which is asked by ``asked(*arguments)``, is not right."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Values(Check):
    """A check that knows the right numbers: those of the reference, in every case.

    Attributes:
        cases: from a seed to the arguments of each case, the smallest first; made anew at each call.
        returns: what is to be returned, in words; several, if several things are.
        otherwise: said with the smallest failing case if no hint fits.
        tolerance: how far off a number may be.
        hints: each with a mistaken answer (or several): it fits who gives the same numbers in all cases.
        also: other right answers, where the task leaves a choice; an answer must agree with one of them in all cases.
    """

    cases: Callable[[int], list[tuple]]
    returns: str | tuple[str, ...]
    otherwise: str
    tolerance: float = 1e-4
    also: tuple[Callable, ...] = ()

    def examine(self, asked: Callable, seed: int) -> None:
        answers = [asked(*case) for case in self.cases(seed)]
        found = [self._parts(answer) for answer in answers]
        for answer in (*self.also, self.reference):
            right = [self._parts(answer(*case)) for case in self.cases(seed)]
            wrong = [not self._same(*each) for each in zip(found, right, answers, strict=True)]
            if not any(wrong):
                return
        for hint, mistakes in self.hints.items():
            for mistake in mistakes if isinstance(mistakes, tuple) else (mistakes,):
                if self._made(mistake, found, right, seed):
                    raise NotYet(hint)
        first = wrong.index(True)
        self._refuse_shape_and_nan(found[first], right[first])
        case = self.cases(seed)[first]
        names = inspect.signature(self.reference).parameters
        given = ", ".join(f"{name} = {shown(value)}" for name, value in zip(names, case, strict=True))
        said = f"For {given} it returned" if given else "It returned"
        raise NotYet(f"{self.otherwise}\n{said} {self._returned(found[first], right[first])}.")

    def _parts(self, answer) -> tuple[Tensor, ...]:
        """An answer as tensors, one for each thing to be returned."""
        if isinstance(self.returns, str):
            return (numbers(answer, self.returns),)
        if isinstance(answer, (str, dict, set)) or not hasattr(answer, "__len__") or len(answer) != len(self.returns):
            raise NotYet(f"Return {len(self.returns)} things: {' and '.join(self.returns)}.")
        if any(part is ... for part in answer):
            raise NotYet("Nothing here yet: replace the dots by your answer.")
        return tuple(numbers(part, what) for part, what in zip(answer, self.returns, strict=True))

    def _same(self, found, right, answer=None) -> bool:
        return all(
            close(one, other, self.tolerance + (_slack(answer, other) if answer is not None else 0))
            for one, other in zip(found, right, strict=True)
        )

    def _made(self, mistake: Callable, found, right, seed: int) -> bool:
        """Whether a mistaken answer gives the reader's numbers in all cases, and others than the right ones."""
        made = []
        try:
            for case, one in zip(self.cases(seed), found, strict=True):
                made.append(self._parts(mistake(*case)))
                if not self._same(one, made[-1]):
                    return False
        except Exception:  # this mistake cannot be made in one of the cases
            return False
        return not all(self._same(*each) for each in zip(made, right, strict=True))

    def _refuse_shape_and_nan(self, found, right) -> None:
        words = (self.returns,) if isinstance(self.returns, str) else self.returns
        for one, other, what in zip(found, right, words, strict=True):
            if not fits(one, other):
                expected = f", shape {tuple(other.shape)}" if other.ndim else ""
                raise NotYet(f"Return {what}{expected}; yours has shape {tuple(one.shape)}.")
            if other.isfinite().all() and not one.isfinite().all():
                raise NotYet("There is NaN or infinity among your numbers.")

    def _returned(self, found, right) -> str:
        """What the answer returned in a case: all of it if it is short, else the first number that is wrong."""
        if sum(part.numel() for part in found) <= 12:
            return " and ".join(shown(part) for part in found)
        for part, other in zip(found, right, strict=True):
            part = part.reshape(other.shape)
            far = (part - other).abs() > self.tolerance
            if far.any():
                place = far.nonzero()[0].tolist()
                return f"{shown(part[tuple(place)].item())} at {place}"
        return "other numbers"


@dataclass(frozen=True, kw_only=True, eq=False)
class Property(Check):
    """A check of an exercise with many right answers: what is seen of one must have none of the faults.

    Attributes:
        observe: from ``asked`` and a seed to what was seen: ``asked(*arguments)`` is the answer in one case.
        hints: each with a test of what was seen: it is said if the test holds, the first that does; the last ones say
            what is asked for in general. ``{name}`` in a hint is filled in by what was seen.
    """

    observe: Callable[[Callable, int], SimpleNamespace]

    def examine(self, asked: Callable, seed: int) -> None:
        seen = self.observe(asked, seed)
        for hint, fault in self.hints.items():
            if fault(seen):
                raise NotYet(hint.format_map(vars(seen)))
