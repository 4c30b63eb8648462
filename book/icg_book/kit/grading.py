"""Hidden tests of assignments: an exercise's check, asked in other cases, by code that the notebook has not changed.

An answer is graded in the process in which it was written, where everything can be replaced: checks, this module, the
library. So a hidden test first sets aside what is loaded of both packages, and imports them anew, from their files.
There it ends: who changes PyTorch or Python itself can fool any test in the same process.
"""

import importlib
import io
import sys
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, redirect_stdout
from types import ModuleType

from icg_book.kit.answers import Check, NotYet, Values

RIGHT = "Right in the hidden cases, too."
PACKAGES = {"icg", "icg_book"}
# A hidden test's first lines. They use no built-in by its name: a notebook may have called something else `list`.
FRESH = """\
import sys
set_aside = {name: sys.modules.pop(name) for name in [*sys.modules] if name.partition(".")[0] in {"icg", "icg_book"}}
from icg_book.kit.grading import graded
"""


def graded(
    chapter: str,
    check: str,
    function: Callable,
    seeds: Iterable[int],
    restore: dict[str, ModuleType] | None = None,
) -> None:
    """Ask an answer in hidden cases; print one line if it is right in all of them, and if it is the reader's own.

    Args:
        chapter: the chapter's name, as ``"shapley"``.
        check: the name of the check, as ``"check_marginal"``.
        function: the answer.
        seeds: one for each set of cases.
        restore: modules that were loaded before this one was imported anew; they are put back in the end.

    Raises:
        NotYet: the answer is wrong, is not the reader's own, or does not come back.
    """
    failure = None
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            # Calls by a module of this name would pass for the check's own.
            sys.modules["__main__"].__name__ = "__main__"
            asked = getattr(importlib.import_module(f"icg_book.{chapter}.checks"), check)
            for seed in seeds:
                asked(function, seed=seed, own=True)
                _refuse_a_wrong_answer(asked, seed)
    except NotYet as error:
        failure = f"In another case: {error}"
    except BaseException as error:  # an answer may also leave, or be interrupted after its time
        failure = f"In another case your function stopped with {type(error).__name__}: {error}"
    finally:
        if restore is not None:
            for name in [name for name in sys.modules if name.partition(".")[0] in PACKAGES]:
                del sys.modules[name]
            sys.modules.update(restore)
    if failure:
        raise NotYet(failure)
    print(RIGHT)


def _refuse_a_wrong_answer(asked: Check, seed: int) -> None:
    """Raise if the check lets pass what is known to be wrong: then something that it compares with was replaced."""
    if not isinstance(asked, Values):
        return
    mistakes = [one for found in asked.hints.values() for one in (found if isinstance(found, tuple) else (found,))][:3]
    for mistake in mistakes:  # one of them may happen to be right in these cases
        try:
            asked(mistake, seed=seed)
        except NotYet:
            return
    if mistakes:
        raise NotYet("A wrong answer passed. Something in this notebook changes what the tests compare with.")
