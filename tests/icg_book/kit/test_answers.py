"""What an answer may look like, what is said of a wrong one, and whose answer it is."""

import functools
import inspect
import sys
import textwrap
from dataclasses import replace
from types import FunctionType, SimpleNamespace

import numpy as np
import pytest
import torch

import icg
from icg_book.kit.answers import NotYet, Property, Values, accept, ask, close, fits, numbers, shown, written

F64 = torch.float64

# ---- one small exercise -------------------------------------------------------------------------------------------


def _mean_of_squares(x):
    return (x**2).mean()


def cases(seed):
    drawn = torch.rand(5, generator=torch.Generator().manual_seed(seed))
    return [(torch.tensor([1.0, 3.0]),), (torch.zeros(3),), (drawn,)]


check = Values(
    task="``function(x (N,)) -> number``: the mean square.",
    stub="my_mean_square_of_a_test",
    reference=_mean_of_squares,
    cases=cases,
    returns="one number",
    praise="Right: the mean square.",
    otherwise="Square first, then average.",
    hints={
        "You average first.": lambda x: x.mean() ** 2,
        "You sum.": (lambda x: (x**2).sum(), lambda x: torch.dot(x, x)),
        "Half of it?": lambda x: x[7],  # cannot be made: it fits nobody
    },
)


def solved(x):
    return sum(float(v) ** 2 for v in x) / len(x)


def test_a_right_answer_gets_one_line(capsys):
    check(solved)
    assert capsys.readouterr().out == "Right: the mean square.\n"


@pytest.mark.parametrize(
    "wrong, hint",
    [
        (lambda x: x.mean() ** 2, "You average first."),
        (lambda x: (x * x).sum(), "You sum."),
        (lambda x: x**2, "Return one number; yours has shape (2,)."),
        (lambda x: x.mean() * float("nan"), "There is NaN or infinity among your numbers."),
        (lambda x: 1.5, "Square first, then average.\nFor x = [1, 3] it returned 1.5."),
        # right in the first two cases: the smallest that fails is shown
        (lambda x: 5.0 * (len(x) == 2), "Square first, then average.\nFor x = ["),
    ],
)
def test_a_wrong_answer_gets_the_sentence_of_its_mistake(wrong, hint):
    with pytest.raises(NotYet) as refused:
        check(wrong)
    said = str(refused.value)
    assert said.startswith(hint)
    assert "5" not in said.replace("1.5", "") or "0." in said  # never the right value


def test_only_the_wrong_number_is_shown_of_a_large_answer():
    big = Values(
        task="", stub="my_big_test", reference=lambda x: 2 * x, cases=lambda seed: [(torch.ones(4, 5),)],
        returns="numbers", praise="Right", otherwise="Double it.", hints={},
    )  # fmt: skip
    wrong = torch.full((4, 5), 2.0)
    wrong[1, 2] = 7.0
    with pytest.raises(NotYet, match=r"Double it.\nFor x = \(4, 5\) numbers it returned 7 at \[1, 2\]\."):
        big(lambda x: wrong)


def test_several_things_are_asked_for_by_name():
    two = Values(
        task="", stub="my_pair_test", reference=lambda n: (n, -n), cases=lambda seed: [(2,), (3,)],
        returns=("the number", "its opposite"), praise="Right", otherwise="Both.",
        hints={"Swapped.": lambda n: (-n, n)},
    )  # fmt: skip
    two(lambda n: [n, np.float32(-n)])
    two(lambda n: torch.tensor([n, -n]))
    for wrong, said in (
        (lambda n: n, "Return 2 things: the number and its opposite."),
        (lambda n: (n, -n, 0), "Return 2 things"),
        (lambda n: (n, [1, 2]), "Return its opposite; yours has shape"),
        (lambda n: (n, "no"), "Return its opposite; yours is a str."),
        (lambda n: (..., ...), "Nothing here yet"),
        (lambda n: (-n, n), "Swapped."),
        (lambda n: (n, n), "Both.\nFor n = 2 it returned 2 and 2."),
    ):
        with pytest.raises(NotYet) as refused:
            two(wrong)
        assert str(refused.value).startswith(said)


def test_where_the_task_leaves_a_choice_one_answer_must_hold_in_all_cases():
    end = Values(
        task="", stub="my_end_test", reference=lambda x: int(x > 0), cases=lambda seed: [(-2,), (0,), (0,), (3,)],
        returns="0 or 1", praise="Right", otherwise="0 below zero, 1 above, and one of them at zero.", hints={},
        also=(lambda x: int(x >= 0),),
    )  # fmt: skip
    end(lambda x: x > 0)
    end(lambda x: x >= 0)
    with pytest.raises(NotYet, match="0 below zero.*\nFor x = 0 it returned 0.5"):
        end(lambda x: 0.5 + 0.5 * ((x > 0) - (x < 0)))
    here = iter([0, 0, 1, 1])
    with pytest.raises(NotYet, match="For x = 0 it returned 1"):
        end(lambda x: next(here))


def test_what_was_seen_fills_in_the_hints_of_a_property():
    even = Property(
        task="", stub="my_even_test", reference=lambda: 4, praise="Right: even.",
        observe=lambda asked, seed: SimpleNamespace(found=int(numbers(asked()))),
        hints={"{found} is not even.": lambda o: o.found % 2},
    )  # fmt: skip
    even(lambda: 8)
    with pytest.raises(NotYet, match="^7 is not even.$"):
        even(lambda: 7)


# ---- kinds --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        [1, 2], (1.0, 2.0), [True, 2], np.array([1, 2]), np.array([1, 2], np.float16), torch.tensor([1, 2]),
        torch.tensor([1, 2], dtype=torch.bfloat16), torch.tensor([1.0, 2.0], requires_grad=True), range(1, 3),
        [torch.tensor(1.0), torch.tensor([2.0])], [np.float32(1), torch.tensor(2)], [1 + 1e-9j, 2],
    ],
    ids=repr,
)  # fmt: skip
def test_numbers_are_welcome_in_any_style(answer):
    assert torch.equal(numbers(answer), torch.tensor([1.0, 2.0], dtype=F64))


@pytest.mark.parametrize(
    "answer", ["0.5", {1.0}, {"a": 1}, [[1], [2, 3]], lambda: 1, torch.tensor(1j), 1j, object(), [None], ["1"]]
)
def test_what_is_no_number_is_told_so(answer):
    with pytest.raises(NotYet, match=r"^Return two numbers; yours is an? \w+\.$"):
        numbers(answer, "two numbers")


def test_a_bool_is_a_number_and_a_number_a_bool():
    truth = torch.tensor([True, False])
    for answer in (truth, truth.long(), truth.float(), [True, False], np.array([1, 0])):
        assert close(numbers(answer), truth)


def test_shapes_fit_up_to_ones():
    assert fits(torch.zeros(1), torch.zeros(())) and fits(torch.zeros(1, 3), torch.zeros(3))
    assert not fits(torch.zeros(2), torch.zeros(())) and not fits(torch.zeros(3, 2), torch.zeros(2, 3))


def test_half_precision_is_rounding_and_no_excuse():
    check(lambda x: _mean_of_squares(x).half())
    check(lambda x: _mean_of_squares(x).bfloat16())
    for wrong in (0.03, -0.03):
        with pytest.raises(NotYet):
            check(lambda x, wrong=wrong: (_mean_of_squares(x) * (1 + wrong)).half())
    with pytest.raises(NotYet):
        check(lambda x: _mean_of_squares(x) * 1.001)  # single precision: no such excuse


def test_cases_in_a_sentence():
    assert shown([1, 2.0, 1 / 3]) == "[1, 2, 0.333]"
    assert shown(torch.zeros(2, 7)) == "(2, 7) numbers"
    assert shown(torch.tensor(True)) == "True"
    assert shown(np.array([0.25])) == "[0.25]"
    assert shown((1,)) == "(1,)"
    assert shown({2, 3}) == "{2, 3}"
    assert shown(written("x²", lambda x: x**2)) == "x²"
    assert shown(solved) == "solved"
    assert shown(torch.nn.Tanh()) == "Tanh"
    assert shown(torch.Generator().manual_seed(3)) == "a generator of seed 3"


# ---- what stops -----------------------------------------------------------------------------------------------------


def helper(x):
    return x["missing"]


def stops(x):
    return helper({})


def test_only_the_readers_own_lines_are_shown():
    with pytest.raises(NotYet) as refused:
        check(stops)
    first, second, third = str(refused.value).split("\n")
    assert first == "Your function stopped with KeyError: 'missing'"
    assert second.startswith("  stops, line ") and second.endswith(": return helper({})")
    assert third.startswith("  helper, line ") and third.endswith(': return x["missing"]')


def test_a_long_message_is_one_line():
    with pytest.raises(NotYet) as refused:
        check(lambda x: torch.zeros(2) + torch.randperm(3, generator="seed"))
    first, *lines = str(refused.value).split("\n")
    assert first.startswith("Your function stopped with TypeError:") and len(first) < 260 and len(lines) == 1


def deep(x, n=40):
    return deep(x, n - 1) if n else 1 / 0


def test_a_deep_error_shows_its_ends():
    with pytest.raises(NotYet, match="(?s)ZeroDivisionError.*deep, line.*deep, line") as refused:
        check(deep)
    assert str(refused.value).count("\n") == 2


def test_ipython_shows_no_more_than_the_message():
    with pytest.raises(NotYet) as refused:
        check(lambda x: 1.5)
    assert refused.value._render_traceback_() == [f"Not yet: {refused.value}"]


def test_arguments_must_stay_as_they_were():
    def changes(x):
        return x.square_().mean()

    with pytest.raises(NotYet, match="changes a tensor that it is given"):
        check(changes)


def test_a_function_that_is_handed_over_may_refuse():
    def v():
        raise NotYet("You ask too often.")

    with pytest.raises(NotYet, match="^You ask too often.$"):
        ask(lambda f: f(), v)


# ---- whose answer ---------------------------------------------------------------------------------------------------


def my_mean_square_of_a_test(x):
    return ...


def test_accepted_is_not_solved(capsys):
    accepted = accept(my_mean_square_of_a_test)
    assert "accepted, not solved" in capsys.readouterr().out
    assert accepted(torch.tensor([1.0, 3.0])) == 5
    check(accepted)
    said = capsys.readouterr().out
    assert said.startswith("Accepted, not solved") and "Right" not in said and said.count("\n") == 1
    with pytest.raises(TypeError):
        inspect.getsource(accepted)  # the reference's text is not shown


def test_only_exercises_can_be_accepted():
    with pytest.raises(ValueError, match="expected the function of an exercise .*, got solved"):
        accept(solved)


def copied_text():
    """The reference, by its source."""
    space = {}
    exec(textwrap.dedent(inspect.getsource(_mean_of_squares)), space)
    return space["_mean_of_squares"]


@pytest.mark.parametrize(
    "borrowed",
    [
        lambda: accept(my_mean_square_of_a_test),
        lambda: lambda x: accept(my_mean_square_of_a_test)(x),
        lambda: _mean_of_squares,
        lambda: check.reference,
        lambda: lambda x: check.reference(x),
        lambda: functools.partial(_mean_of_squares),
        lambda: FunctionType(_mean_of_squares.__code__, {}, "my_own"),
        copied_text,
    ],
    ids=["accept", "accept inside", "private", "attribute", "attribute inside", "partial", "code", "text"],
)
def test_the_books_answer_is_not_the_readers_own(borrowed, capsys):
    with pytest.raises(NotYet, match="This is the book's answer"):
        check(borrowed(), own=True)
    check(borrowed())
    assert capsys.readouterr().out.split("\n")[-2].startswith("Accepted, not solved")
    check(solved, own=True)


def library_check(**options):
    def reference(f, x):
        return f(x) - f(0 * x)

    return Values(
        task="", stub="my_library_test", reference=reference, praise="Right.", returns="numbers", otherwise="No.",
        cases=lambda seed: [(written("3 x", lambda z: 3 * z[:, 0]), torch.ones(2, 1))], hints={},
        library=(icg.integrated_gradients,), **options,
    )  # fmt: skip


def by_library(f, x):
    return icg.integrated_gradients(f, x)[:, 0]


def test_the_librarys_answer_is_noted_or_refused(capsys):
    library_check()(by_library)
    assert capsys.readouterr().out == "Right. (The library's integrated_gradients did it.)\n"
    for refuse in (
        lambda: library_check()(by_library, own=True),
        lambda: library_check(without_library=True)(by_library),
    ):
        with pytest.raises(NotYet, match="The library's integrated_gradients did it. Write it yourself."):
            refuse()
    library_check(without_library=True)(lambda f, x: 3 * x[:, 0], own=True)


def test_a_stub_has_one_check(monkeypatch):
    monkeypatch.setattr(check.reference, "__module__", "another_chapter")
    with pytest.raises(ValueError, match="expected one check for each stub"):
        replace(check, reference=solved)


def test_watching_leaves_no_trace():
    before = sys.getprofile()
    with pytest.raises(NotYet):
        check(lambda x: 0)
    assert sys.getprofile() is before
