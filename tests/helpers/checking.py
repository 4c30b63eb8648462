"""What the tests of all chapters' checks share.

A chapter's file has ``ALL``: each check with right answers, in different styles, and wrong ones by the hint that each
must get. ``globals().update(shared_tests(ALL))`` makes the tests of it. ``tests/book/test_exercises.py`` holds for all
chapters that the book's own answers and the solutions in the notebook pass.
"""

import pytest

from icg_book.kit.answers import NotYet


def shared_tests(cases: dict) -> dict:
    """Tests by name, for ``{check: ([right answer, …], {hint: wrong answer})}``; hints are regular expressions."""

    @pytest.mark.parametrize("check, answer", [(check, answer) for check in cases for answer in cases[check][0]])
    def test_right_answers_pass_in_any_style(check, answer, capsys):
        check(answer)
        said = capsys.readouterr().out
        assert said.startswith("Right") and said.count("\n") == 1

    @pytest.mark.parametrize("check, hint", [(check, hint) for check in cases for hint in cases[check][1]])
    def test_typical_mistakes_are_named(check, hint, capsys):
        with pytest.raises(NotYet, match=hint):
            check(cases[check][1][hint])
        assert "Right" not in capsys.readouterr().out

    @pytest.mark.parametrize("check", cases)
    @pytest.mark.parametrize(
        "answer, message",
        [
            (lambda: ..., "Nothing here yet"),
            (lambda: None, "returned None"),
            (lambda: {}["missing"], "stopped with KeyError"),
        ],
        ids=["dots", "None", "error"],
    )
    def test_an_untouched_stub_is_told_so(check, answer, message):
        with pytest.raises(NotYet, match=message):
            check(lambda *arguments: answer())

    return {test.__name__: test for test in list(locals().values()) if callable(test)}


def messages(check, cases: dict) -> list[str]:
    """What a check says of each of its wrong answers."""
    said = []
    for wrong in cases[check][1].values():
        with pytest.raises(NotYet) as error:
            check(wrong)
        said.append(str(error.value))
    return said
