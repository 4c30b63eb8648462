"""Every exercise of every chapter: the stub counts as nothing yet; the solution and the reference are right."""

import ast
import importlib
import re
from collections import Counter
from pathlib import Path

import pytest
import torch
from checking import KILLED
from mutants import wrong_answers

import icg
from icg_book.kit.answers import NotYet, Values
from press.chapters import read_chapter

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = [read_chapter(path) for path in sorted((ROOT / "book").glob("*.ipynb"))]
EXERCISES = [
    pytest.param(chapter, exercise, id=f"{chapter.file.removesuffix('.ipynb')}-{exercise.label}")
    for chapter in CHAPTERS
    for exercise in chapter.exercises
]
CHECKED = [param for param in EXERCISES if param.values[1].check]
each = pytest.mark.parametrize("chapter, exercise", EXERCISES)
each_checked = pytest.mark.parametrize("chapter, exercise", CHECKED)


def checks_of(chapter):
    """The module of a chapter's checks."""
    return importlib.import_module(f"icg_book.{chapter.file.removesuffix('.ipynb')}.checks")


def python(source):
    """The Python of a code cell, without what is IPython's."""
    return ast.parse(re.sub(r"^[%!].*", "", source, flags=re.M))


def solution(chapter, exercise):
    """The code of a solution, as the reader would copy it."""
    source = chapter.notebook.cells[exercise.start + 3].source
    return "\n".join(re.findall(r"^```python\n(.*?)^```", source, re.S | re.M))


def kernel(chapter, exercise):
    """What a reader's kernel knows at an exercise: imports and functions so far, and earlier exercises solved.

    The chapter itself is not run: a function that needs its data fails here, as it should.
    """
    known = {}
    kept = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
    for cell in chapter.notebook.cells[: exercise.start]:
        if cell.cell_type == "code":
            body = [node for node in python(cell.source).body if isinstance(node, kept)]
            exec(compile(ast.Module(body, []), cell.id, "exec"), known)
    for earlier in chapter.exercises:
        if earlier.start < exercise.start:
            exec(solution(chapter, earlier), known)
    return known


def test_stub_names_and_labels_are_unique():
    found = [(name, chapter.file) for chapter in CHAPTERS for e in chapter.exercises for name in {e.label, e.stub}]
    twice = [name for name, number in Counter(name for name, _ in found if name).items() if number > 1]
    assert not twice, [pair for pair in found if pair[0] in twice]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.file)
def test_a_chapter_has_three_to_five_exercises(chapter):
    assert 3 <= len(chapter.exercises) <= 5


@each
def test_hints_are_two_and_closed(chapter, exercise):
    source = chapter.notebook.cells[exercise.start + 2].source
    assert re.findall(r"^<details><summary>(.*)</summary>\n\n", source, re.M) == ["First hint", "Second hint"]
    assert source.count("</details>") == 2
    texts = [text.strip() for text in re.findall(r"</summary>(.*?)</details>", source, re.S)]
    assert min(map(len, texts)) > 20 and texts[0] != texts[1]


@each_checked
def test_the_check_exists(chapter, exercise):
    assert callable(getattr(checks_of(chapter), exercise.check, None))


@each_checked
def test_the_stub_as_it_stands_is_told_that_nothing_is_there(chapter, exercise):
    known = kernel(chapter, exercise)
    exec(chapter.notebook.cells[exercise.start + 1].source, known)
    with pytest.raises(NotYet, match="Nothing here yet"):
        getattr(checks_of(chapter), exercise.check)(known[exercise.stub])


@each
def test_the_solution_answers_the_stub(chapter, exercise, capsys):
    code = solution(chapter, exercise)
    stub = chapter.notebook.cells[exercise.start + 1].source

    def signature(source):
        functions = [node for node in python(source).body if isinstance(node, ast.FunctionDef)]
        return {f.name: [a.arg for a in f.args.args] for f in functions}.get(exercise.stub)

    if exercise.stub is None:
        return  # an open exercise with nothing to define
    assert signature(code) == signature(stub) is not None
    known = kernel(chapter, exercise)
    exec(code, known)
    if exercise.check:
        getattr(checks_of(chapter), exercise.check)(known[exercise.stub])
        assert capsys.readouterr().out.startswith("Right")


@each_checked
def test_the_lines_of_the_stub_work_when_the_hash_is_taken_away(chapter, exercise, capsys):
    """The reader first goes on with the book's answer, then checks it."""
    known = kernel(chapter, exercise) | {"checks": checks_of(chapter)}
    source = chapter.notebook.cells[exercise.start + 1].source
    exec(source, known)
    (check,) = re.findall(r"^# (checks\.check_.*)", source, re.M)
    (accept,) = re.findall(r"^# (\w+ = checks\.accept.*)", source, re.M)
    exec(f"{accept}\n{check}", known)
    banner, *_, last = capsys.readouterr().out.strip().split("\n")
    assert exercise.stub in banner and "accepted, not solved" in banner
    assert last.startswith("Accepted, not solved")


# ---- wrong answers made of the right one

# Mutants of a solution that are right answers, too, with the reason; by the name of the stub.
RIGHT_ANYWAY: dict[str, dict[str, str]] = {
    "my_farthest_point": {"LtE$": "in the middle both ends are equally far"},
    "my_icg": {"left operand only|'0.5': 0.5 -> (0|1.0)": "the task leaves the rule open: left or right ends"},
}


@pytest.mark.slow
@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.file)
def test_mutants_of_the_solutions_are_refused(chapter, capsys):
    """What a reader writes looks like a solution: changed in one place, it must be refused."""
    killed, passed = 0, []
    for exercise in chapter.exercises:
        check = getattr(checks_of(chapter), exercise.check or "", None)
        if not isinstance(check, Values):
            continue  # other numbers may be as right: the tests of the chapter's checks know which
        known, source = kernel(chapter, exercise), solution(chapter, exercise)
        for what, mutant in wrong_answers(check, source, known):
            if any(re.search(known, what) for known in RIGHT_ANYWAY.get(exercise.stub, {})):
                continue
            try:
                check(mutant)
            except NotYet:
                killed += 1
            else:
                passed.append((exercise.stub, what))
    with capsys.disabled():
        print(f"\n{chapter.file}: {killed} of {killed + len(passed)} mutants of solutions refused", *passed, sep="\n  ")
    assert killed >= KILLED * (killed + len(passed)) and not passed
    assert killed > 20


# ---- exercises without a check


def test_squares_that_break_the_rule_of_the_snacks():
    """A light square that is too small gives the dark one its credit from black; ICG credits the dark one anyway."""
    (chapter,) = (chapter for chapter in CHAPTERS if chapter.file == "burnt_snacks.ipynb")
    (exercise,) = (exercise for exercise in chapter.exercises if exercise.label == "ex-break")
    known = kernel(chapter, exercise)
    stub = python(chapter.notebook.cells[exercise.start + 1].source)
    given = ast.Module([node for node in stub.body if isinstance(node, ast.FunctionDef)], [])
    exec(compile(given, "stub", "exec"), known)
    model = icg.artifacts.load_model("burnt-snacks")

    def credit(image, dark, light):
        """Of IG from black and of ICG: what the dark and the light square get."""
        options = {"target": 1, "output": "probability", "method": "adaptive"}
        seen, black = icg.certainty.join(image), icg.certainty.join(torch.zeros_like(image))
        maps = (
            icg.integrated_gradients(model, seen, black, **options)[:, :1],
            icg.integrated_certainty_gradients(model, seen, **options),
        )
        return [[found[icg.measures.dilate(mask)].sum().item() for mask in (dark, light)] for found in maps]

    (dark, light), _ = credit(*known["my_snack"]())
    assert light > 0.5 > dark  # as it stands, the rule holds
    exec(solution(chapter, exercise), known)
    image, dark_mask, light_mask = known["my_snack"]()
    (dark, light), _ = credit(image, dark_mask, light_mask)
    assert dark > 5 * abs(light)  # the light square is too small to be taken for one

    for dark_size, light_size in ((11, 5), (8, 8), (5, 11)):  # what the solution says of ICG
        for dark_level, light_level in ((0.49, 0.52), (0.45, 0.55)):
            image, dark_mask, light_mask = torch.zeros(1, 1, 50, 50), image < 0, image < 0
            dark_mask[..., 8 : 8 + dark_size, 8 : 8 + dark_size] = True
            light_mask[..., 30 : 30 + light_size, 28 : 28 + light_size] = True
            image[dark_mask], image[light_mask] = dark_level, light_level
            _, (dark_by_icg, light_by_icg) = credit(image, dark_mask, light_mask)
            assert dark_by_icg > 0.3 > 0.1 > light_by_icg
