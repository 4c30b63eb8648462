"""Graded assignments, with real nbgrader: right answers earn all points, blank ones and cheats none.

Students see neither solutions nor hidden tests.
"""

import ast
import copy
import csv
import json
import random
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
import torch
from nbgrader.utils import determine_grade
from traitlets.config import Config

from icg_book.kit import answers, grading
from press import assignments, grade

ROOT = Path(__file__).resolve().parents[2]
BOOK = assignments.read()
CHAPTERS = {Path(chapter.file).stem: chapter for chapter in BOOK.chapters}
MARKERS = re.compile(r"###|\bseeds\b|\bgraded\(|HIDDEN|SOLUTION")


def kinds(notebook):
    """The cells of a notebook by what nbgrader does with them."""
    found = {"answer": [], "test": [], "locked": []}
    for cell in notebook.cells:
        about = cell.metadata.nbgrader
        found["answer" if about.solution else "test" if about.grade else "locked"].append(cell)
    return found


# ---- the notebooks


@pytest.fixture(scope="module")
def sources():
    """The source notebook of every chapter."""
    return {name: assignments.assignment(BOOK, chapter, random.Random(0)) for name, chapter in CHAPTERS.items()}


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_checked_exercise_has_an_answer_and_a_test(name, sources):
    checked = [exercise for exercise in CHAPTERS[name].exercises if exercise.check]
    found = kinds(sources[name])
    assert [cell.metadata.nbgrader.grade_id for cell in found["test"]] == [exercise.label for exercise in checked]
    expected = [{"easy": 2, "medium": 4, "hard": 6, "open": 4}[exercise.difficulty] for exercise in checked]
    assert [cell.metadata.nbgrader.points for cell in found["test"]] == expected
    text = "\n".join(cell.source for cell in found["locked"])
    assert f"{sum(expected)} points in all" in text
    for exercise, cell, worth in zip(checked, found["answer"], expected, strict=True):
        assert cell.source.startswith(f"# Your answer: {exercise.title}\n") and f"def {exercise.stub}(" in cell.source
        assert f"{exercise.difficulty.capitalize()}, {exercise.minutes} minutes; {worth} points." in text
    assert CHAPTERS[name].introduction[:20] in text
    assert text.count("for discussion, no points") == len(CHAPTERS[name].exercises) - len(checked)


@pytest.mark.parametrize("name", CHAPTERS)
def test_the_set_up_is_there_and_no_link_leads_to_a_chapter_beside(name, sources):
    code = [cell.source for cell in kinds(sources[name])["locked"] if cell.cell_type == "code"]
    assert any(re.search(r"^from icg_book\.\w+ import .*\bchecks\b", source, re.M) for source in code)
    texts = [cell.source for cell in sources[name].cells if cell.cell_type == "markdown"]
    assert not [text for text in texts if re.search(r"\]\(\w+\.ipynb", text)]


def test_seeds_are_repeated_only_when_asked_for():
    chapter = CHAPTERS["shapley"]

    def seeds(draw):
        return re.findall(r"seeds=\((\d+), (\d+)\)", str(assignments.assignment(BOOK, chapter, draw)))

    assert seeds(random.Random(1)) == seeds(random.Random(1)) != seeds(random.Random(2))
    drawn = [seed for pair in seeds(random.SystemRandom()) for seed in pair]
    assert len(set(drawn)) == len(drawn) == 2 * sum(exercise.check is not None for exercise in chapter.exercises)


def test_solved_keeps_the_stub_after_the_solution():
    start = "HELP = 1\n\n\ndef my_a(x):\n    y = ...  # your answer\n    return y"
    stub = f"{start}\n\n\n# Take the # away when you are ready:\n# checks.check_a(my_a)\n"
    solution = "from math import pi\n\n\ndef my_a(x):\n    # twice\n    return 2 * pi * x"
    made = assignments.solved(stub, solution, "my_a")
    known = {}
    exec(made, known)
    assert known["my_a"](1.0) == pytest.approx(6.2831853) and known["HELP"] == 1
    begin, end = "    ### BEGIN SOLUTION\n", "    ### END SOLUTION\n"
    before, rest = made.split(begin)
    assert before + rest.split(end)[1] == start
    with pytest.raises(ValueError, match="expected a function my_b"):
        assignments.solved(stub, solution, "my_b")


def test_nothing_of_the_books_own_build_is_needed():
    """`pip install '.[class]'` is enough: no Sphinx, no Jupyter Book."""
    blocked = "sphinx docutils jupyter_book myst_parser myst_nb jupyter_cache".split()
    code = f"import sys; sys.modules |= dict.fromkeys({blocked}); from press import assignments, editions, grade"
    code += "; assignments.read()"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT / "book", check=True)


# ---- hidden tests, without a notebook


def wrong(v, ordering, player):
    return v({player}) - v(set())


def right(v, ordering, player):
    before = set(ordering[: list(ordering).index(player)])
    return v(before | {player}) - v(before)


def hidden(function, *, check="check_marginal", chapter="shapley", seeds=(11, 12)):
    """Run the hidden part of a test as a notebook would: the modules that were loaded are loaded after it."""
    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in grading.PACKAGES}
    known = {"answer": function}
    try:
        exec(f"{grading.FRESH}graded({chapter!r}, {check!r}, answer, seeds={seeds}, restore=set_aside)", known)
    finally:
        after = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in grading.PACKAGES}
        assert after == before


def refusal(function, **options):
    with pytest.raises(AssertionError) as caught:
        hidden(function, **options)
    assert type(caught.value).__name__ == "NotYet"
    return str(caught.value)


def test_hidden_tests_tell_right_from_wrong(capsys):
    hidden(right)
    assert capsys.readouterr().out == f"{grading.RIGHT}\n"
    assert refusal(wrong).startswith("In another case: You let the player join nobody.")
    assert "Nothing here yet" in refusal(lambda *_: ...)
    assert not capsys.readouterr().out


def test_hidden_tests_are_not_those_of_the_patched_modules(monkeypatch, capsys):
    monkeypatch.setattr(answers.Check, "__call__", lambda *_, **__: None)
    monkeypatch.setattr(grading, "graded", lambda *_, **__: None)
    monkeypatch.setattr("icg_book.shapley.checks.check_marginal", lambda *_, **__: None)
    assert "join nobody" in refusal(wrong)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_an_answer_that_leaves_is_wrong(error):
    def leaves(*_):
        raise error

    assert error.__name__ in refusal(leaves)


def test_hidden_tests_notice_that_wrong_answers_pass(monkeypatch):
    monkeypatch.setattr(torch, "allclose", lambda *_, **__: True)
    assert "A wrong answer passed" in refusal(wrong)


def test_the_library_is_no_answer_even_in_disguise(monkeypatch):
    """Calls by a module of checks do not count as the answer's own; a notebook must not pass for one."""
    notebook = sys.modules["__main__"]
    monkeypatch.setattr(notebook, "__name__", "another.checks")
    monkeypatch.setitem(vars(notebook), "by_the_library", None)  # taken back in the end
    code = "def by_the_library(f, x, baseline):\n    import icg\n    return icg.bshap(f, x[None], baseline[None])[0]"
    exec(code, vars(notebook))
    assert "Write it yourself" in refusal(notebook.by_the_library, check="check_bshap_two")


# ---- what students hand in


@pytest.fixture(scope="module")
def released():
    """A release of two exercises, as nbgrader would make it."""
    notebook = assignments.assignment(BOOK, CHAPTERS["shapley"], random.Random(0))
    for cell in notebook.cells:
        cell.metadata.nbgrader["checksum"] = "0"
    return notebook


def save(notebook, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def test_submissions_are_found_in_all_their_forms(tmp_path, released):
    for place in ("Ada/shapley.ipynb", "class/Ben/shapley/shapley.ipynb", "Cy_B_mnist.ipynb", "Ada/mnist/mnist.ipynb"):
        save(released, tmp_path / place)
    for place in ("Ada/history.ipynb", "shapley.ipynb", "a*b/shapley.ipynb", "class/Ada/shapley.ipynb"):
        save(released, tmp_path / place)
    save(released, tmp_path / "Ada/.ipynb_checkpoints/shapley.ipynb")
    found, refused = grade.submissions(tmp_path, ["shapley", "mnist"])
    assert {key: path.relative_to(tmp_path).as_posix() for key, path in found.items()} == {
        ("Ada", "shapley"): "Ada/shapley.ipynb",
        ("Ada", "mnist"): "Ada/mnist/mnist.ipynb",
        ("Ben", "shapley"): "class/Ben/shapley/shapley.ipynb",
        ("Cy_B", "mnist"): "Cy_B_mnist.ipynb",
    }
    assert len(refused) == 4
    for place, why in (("Ada/history", "expected STUDENT"), ("a*b", "a student's name"), ("class/Ada", "already")):
        assert any(sentence.startswith(place) and why in sentence for sentence in refused)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as file:
        file.write(tmp_path / "Ada/shapley.ipynb", "Dan/shapley.ipynb")
    with grade.unpacked(tmp_path / "all.zip") as folder:
        assert list(grade.submissions(folder, ["shapley"])[0]) == [("Dan", "shapley")]


def test_cells_that_are_missing_doubled_or_marked_anew_are_put_right(tmp_path, released):
    names = [grade.grade_id(cell) for cell in released.cells]
    notebook = copy.deepcopy(released)
    cells = {grade.grade_id(cell): cell for cell in notebook.cells}
    cells["ex-zero-credit"].metadata.nbgrader |= {"points": 100, "locked": False, "solution": True}
    first = cells["ex-marginal"]
    own = nbformat.v4.new_code_cell("1 + 1", metadata={"nbgrader": {"grade_id": "mine", "grade": True, "points": 9}})
    gone = {"ex-shapley-subsets-answer", "ex-shapley-subsets", "text-ex-bshap-two"}
    notebook.cells = [cell for name, cell in cells.items() if name not in gone] + [own, copy.deepcopy(first)]
    notebook.cells[-1] |= {"source": "pass", "id": "again"}
    made, remarks = grade.repaired(save(notebook, tmp_path / "a.ipynb"), released)
    assert len(remarks) == 2 and "3 cells were missing" in remarks[0] and remarks[1].endswith(": ex-marginal")
    marked = [grade.grade_id(cell) for cell in made.cells if grade.grade_id(cell)]
    assert sorted(marked) == sorted(set(names) - {"ex-shapley-subsets-answer"})
    assert made.cells[-1].metadata.nbgrader == first.metadata.nbgrader and "nbgrader" not in made.cells[-2].metadata
    order = [name for name in names if name in marked and name != "ex-marginal"]
    assert [name for name in marked if name != "ex-marginal"] == order
    points = {grade.grade_id(c): c.metadata.nbgrader for c in made.cells if "nbgrader" in c.metadata}["ex-zero-credit"]
    assert points == released.cells[names.index("ex-zero-credit")].metadata.nbgrader


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"cells": 1, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}']
)
def test_what_is_no_notebook_is_refused(tmp_path, released, text):
    (tmp_path / "a.ipynb").write_text(text)
    with pytest.raises(ValueError, match="^expected a notebook"):
        grade.repaired(tmp_path / "a.ipynb", released)
    with pytest.raises(ValueError, match="none of them"):
        grade.repaired(save(nbformat.v4.new_notebook(), tmp_path / "b.ipynb"), released)


def test_commands_refuse_in_one_sentence(tmp_path, capsys):
    def said(command, *arguments):
        assert command.main([*arguments, "--course", str(tmp_path / "course")]) == 1
        (line,) = capsys.readouterr().err.strip().split("\n")
        return line

    assert "got history" in said(assignments, "shapley", "history")
    assert not (tmp_path / "course").exists()
    assert "`make assignments`" in said(grade, str(tmp_path))
    (tmp_path / "course/release/shapley").mkdir(parents=True)
    (tmp_path / "course/release/shapley/shapley.ipynb").touch()
    (tmp_path / "course" / assignments.CONFIG).touch()
    assert "expected a folder of submissions" in said(grade, str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    assert "got no notebook" in said(grade, str(tmp_path / "empty"))


# ---- from the source to the grade, by nbgrader

STUB = "ex-bshap-two"
DEF = "def my_bshap_two(f, x, baseline):\n    "
CHEATS = {
    "accepts": f"{DEF}return ...\n\nmy_bshap_two = checks.accept(my_bshap_two)",
    "calls the library": f"{DEF}return icg.bshap(f, x[None], baseline[None])[0]",
    "patches the check": f"{DEF}return 0\n\n"
    "import icg_book.kit.answers, icg_book.kit.grading\n"
    "checks.check_bshap_two = icg_book.kit.answers.Check.__call__ = lambda *_, **__: None\n"
    "icg_book.kit.grading.graded = lambda *_, **__: print(icg_book.kit.grading.RIGHT)",
    "edits the test": f"{DEF}return 0",
    "copies the reference": "my_bshap_two = checks.check_bshap_two.reference",
}


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The course of one chapter: made, and its solutions run against their tests."""
    folder = tmp_path_factory.mktemp("course")
    assert assignments.write(["shapley"], folder, seed=7) == ["shapley"]
    return folder


def notebook_of(course, step):
    return nbformat.read(course / step / "shapley" / "shapley.ipynb", as_version=4)


def graded(course, folder):
    """Lines of grades.csv by student: all right, blank, and each of the cheats with all else right."""
    solutions = {grade.grade_id(cell): cell.source for cell in notebook_of(course, "source").cells}
    for student in ("all right", "blank", *CHEATS):
        notebook = notebook_of(course, "release")
        for cell in kinds(notebook)["answer"] if student != "blank" else ():
            name = grade.grade_id(cell)
            cell.source = re.sub(r" *### (BEGIN|END) SOLUTION\n", "", solutions[name])
            if name == f"{STUB}-answer":
                cell.source = CHEATS.get(student, cell.source)
        for cell in kinds(notebook)["test"]:
            if student == "edits the test" and grade.grade_id(cell) == STUB:
                cell.source = f"print({grading.RIGHT!r})"
        save(notebook, folder / student / "shapley.ipynb")
    rows, refused = grade.grade(folder, course)
    assert not refused
    return {row["student_id"]: row for row in rows}


@pytest.mark.slow
def test_the_release_shows_no_solution_and_no_hidden_test(course):
    source, release = (kinds(notebook_of(course, step)) for step in ("source", "release"))
    shown = "\n".join(cell.source for cells in release.values() for cell in cells)
    assert not MARKERS.search(shown) and MARKERS.search(str(source))
    for full, cell in zip(source["answer"], release["answer"], strict=True):
        (function,) = [node for node in ast.parse(cell.source).body if isinstance(node, ast.FunctionDef)]
        assert "..." in ast.unparse(function.body[-1]) and len(function.body) == 1
        assert len(full.source) > len(cell.source) and cell.metadata.get("editable", True)
    for cell in release["test"] + release["locked"]:
        assert cell.metadata.nbgrader.locked and not cell.metadata.editable and not cell.metadata.deletable
    assert all(re.fullmatch(r"checks\.check_\w+\(my_\w+\)", cell.source) for cell in release["test"])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_seven_submissions(course, tmp_path, capsys):
    """One test, so that nothing is graded twice: points, what students get back, and grading again."""
    rows = graded(course, tmp_path)
    assert {name: (row["score"], row["max_score"], row[STUB]) for name, row in rows.items()} == {
        "all right": (20, 20, 4),
        "blank": (0, 20, 0),
        **dict.fromkeys(CHEATS, (16, 20, 0)),
    }
    with (course / "grades.csv").open(encoding="utf-8") as file:
        assert {row["student_id"]: float(row[STUB]) for row in csv.DictReader(file)} == {
            name: row[STUB] for name, row in rows.items()
        }

    for student in rows:  # one sentence for each exercise that is wrong, and nothing of the hidden test
        page = (course / "feedback" / student / "shapley" / "shapley.html").read_text("utf-8")
        assert "Score:" in page and not MARKERS.search(re.sub(r"<(style|script).*?</\1>", "", page, flags=re.S))
        said = re.findall(r'<div class="output_subarea output_text output_error">\s*<pre>(.*?)</pre>', page, re.S)
        assert len(said) == {"all right": 0, "blank": 5}.get(student, 1)
        assert all(text.strip().startswith("Not yet: ") for text in said)

    # Again, with one more that is broken: what is graded and unchanged is left alone.
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "shapley.ipynb").write_text("{")
    before = json.loads((course / grade.DONE).read_text("utf-8"))
    capsys.readouterr()
    again, _ = grade.grade(tmp_path, course)
    said = capsys.readouterr().out
    assert said.count("unchanged") == len(rows) and "not graded: expected a notebook" in said
    assert {row["student_id"]: row for row in again if row["student_id"] != "broken"} == rows
    assert json.loads((course / grade.DONE).read_text("utf-8")).items() > before.items()
    assert re.search(r"^blank +shapley +0 +20$", grade.table(again), re.M) and "not graded" in grade.table(again)


@pytest.mark.slow
def test_without_proof_nothing_is_earned(course):
    """nbgrader would give all points to a test that says nothing; a warning, in turn, costs none."""
    config = (course / assignments.CONFIG).read_text("utf-8")
    known = {"get_config": Config, "__file__": str(course / "c.py")}
    exec(compile(config, "config", "exec"), known)
    for outputs, points in (
        ([], 0),
        ([nbformat.v4.new_output("stream", name="stdout", text="Right\n")], 0),
        ([nbformat.v4.new_output("stream", name="stdout", text=f"Right: fine.\n{grading.RIGHT}\n")], 4),
    ):
        cell = next(c for c in notebook_of(course, "release").cells if grade.grade_id(c) == STUB)
        cell.outputs = outputs
        demanded, _ = known["DemandProof"]().preprocess_cell(cell, {}, 0)
        assert determine_grade(demanded) == (points, 4)
    cell = copy.deepcopy(cell)
    cell.outputs = [
        nbformat.v4.new_output("error", ename="NameError", evalue="x", traceback=["graded(…, seeds=(1, 2))"])
    ]
    short, _ = known["ShortErrors"]().preprocess_cell(cell, {}, 0)
    assert short.outputs[0].traceback == ["NameError: x"]


@pytest.mark.slow
def test_a_wrong_solution_is_not_released(tmp_path):
    notebook = assignments.assignment(BOOK, CHAPTERS["shapley"], random.Random(0))
    first = kinds(notebook)["answer"][0]
    first.source = first.source.replace("return v(", "return 1 + v(", 1)
    with pytest.raises(ValueError, match="cell ex-marginal-test: NotYet: "):
        assignments.execute(notebook, tmp_path)
