"""What the tests of all chapters' checks share.

A chapter's file has ``ALL``: each check with right answers, in different styles, and wrong ones by the hint that each
must get. ``globals().update(shared_tests(ALL, …))`` makes the tests of it. ``tests/book/test_exercises.py`` holds for
all chapters that the book's own answers and the solutions in the notebook pass.
"""

import re

import numpy as np
import pytest
import torch
from mutants import wrong_answers

from icg_book.kit.answers import NotYet, Values

KILLED = 0.98  # of the mutants of a chapter


def styles(answer):
    """What a function may return instead of this answer, for the same numbers."""
    if isinstance(answer, tuple):
        yield from (tuple(parts) for parts in zip(*map(styles, answer), strict=False))
        return
    tensor = torch.as_tensor(answer)
    yield tensor.double()
    yield tensor.double().clone().requires_grad_()
    yield tensor.half()
    yield tensor.bfloat16()
    yield tensor.tolist()
    yield tensor.double().numpy()
    yield np.float32(tensor.double().numpy())
    if tensor.ndim == 0:
        yield tensor.reshape(1)
        yield np.float64(tensor.item())
        yield [tensor.item()]
    if tensor.ndim == 1:
        yield tuple(tensor.tolist())
        yield list(tensor)
        yield [np.float64(x) for x in tensor.tolist()]
    if tensor.dtype == torch.bool:
        yield tensor.long()
        yield tensor.float()


def pick(answers: list, k: int):
    """The answer in style number k; cases of other shapes have fewer styles."""
    return answers[k % len(answers)]


def shared_tests(cases: dict, family=None, right_anyway=None, survivors=None) -> dict:
    """Tests by name, for ``{check: ([right answer, …], {hint: wrong answer})}``; hints are regular expressions.

    Args:
        cases: of every check of a chapter.
        family: for a check of properties, ``(cases, probe)``: from a seed to arguments in which its reference and its
            mutants are compared, and from what they return to numbers.
        right_anyway: by check, mutants (regular expressions for what was changed) that are right answers, too, with
            the reason; they are not counted.
        survivors: by check, mutants that are wrong, and that the check takes, with the reason; they are counted.
    """
    family, right_anyway, survivors = family or {}, right_anyway or {}, survivors or {}

    @pytest.mark.parametrize("check, answer", [(check, answer) for check in cases for answer in cases[check][0]])
    def test_right_answers_pass(check, answer, capsys):
        for seed in (0, 1, 2):
            check(answer, seed=seed)
            said = capsys.readouterr().out
            assert said.startswith("Right") and said.count("\n") == 1

    @pytest.mark.parametrize("check", [check for check in cases if isinstance(check, Values)])
    def test_a_right_answer_passes_in_any_style(check, capsys):
        first = next(iter(check.cases(0)))
        right = check.reference(*first)
        right = tuple(right) if not isinstance(check.returns, str) else right
        for k in range(len(list(styles(right)))):
            check(lambda *a, k=k: pick(list(styles(check.reference(*a))), k))
        capsys.readouterr()

    @pytest.mark.parametrize("check, hint", [(check, hint) for check in cases for hint in cases[check][1]])
    def test_typical_mistakes_are_named(check, hint, capsys):
        with pytest.raises(NotYet, match=hint) as refused:
            check(cases[check][1][hint])
        assert "Right" not in capsys.readouterr().out
        assert str(refused.value).count("\n") <= 2  # three lines at most

    @pytest.mark.parametrize("check", cases)
    @pytest.mark.parametrize(
        "answer, message",
        [
            (lambda: ..., "Nothing here yet"),
            (lambda: None, "returned None"),
            (lambda: {}["missing"], "stopped with KeyError"),
            (lambda: "text", "yours is a str|Return"),
            (lambda: {1.0}, "yours is a set|Return"),
        ],
        ids=["dots", "None", "error", "text", "set"],
    )
    def test_what_is_no_answer_is_told_so(check, answer, message):
        with pytest.raises(NotYet, match=message):
            check(lambda *arguments: answer())

    @pytest.mark.parametrize("check", cases)
    def test_at_least_ten_typical_mistakes_are_known(check):
        assert len(cases[check][1]) >= 10

    def test_mutants_are_refused(capsys):
        """Of all wrong answers made by machine, in all checks; those that pass are listed with their reason."""
        killed, passed = 0, []
        for check in cases:
            made, probe = family.get(check, (None, lambda answer: answer))
            for what, mutant in wrong_answers(check, cases=made, probe=probe):
                if any(re.search(known, what) for known in right_anyway.get(check, {})):
                    continue
                try:
                    check(mutant)
                except NotYet:
                    killed += 1
                else:
                    passed.append((check.stub, what))
                    continue
        with capsys.disabled():
            print(f"\nmutants: {killed} of {killed + len(passed)} refused", *passed, sep="\n  ")
        known = [(check.stub, pattern) for check in survivors for pattern in survivors[check]]
        assert all(any(stub == s and re.search(p, what) for s, p in known) for stub, what in passed), passed
        assert killed >= KILLED * (killed + len(passed))
        assert killed > 15 * len(cases)  # the harness works

    return {test.__name__: test for test in list(locals().values()) if callable(test)}


def messages(check, cases: dict) -> list[str]:
    """What a check says of each of its wrong answers."""
    said = []
    for wrong in cases[check][1].values():
        with pytest.raises(NotYet) as error:
            check(wrong)
        said.append(str(error.value))
    return said
