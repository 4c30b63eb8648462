"""What an exercise needs of its chapter: enough to run, and no more."""

import re
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from press.chapters import Chapter, Exercise, read_chapter
from press.needs import FENCED, needed

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = [read_chapter(path) for path in sorted((ROOT / "book").glob("*.ipynb"))]


def python(source):
    return re.sub(r"^[%!].*", "", source, flags=re.M)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.file)
def test_solutions_run_with_just_these_cells(chapter, monkeypatch, capsys):
    """Each exercise alone: its stub, then its solution, then what the stub has in comments."""
    monkeypatch.setattr("matplotlib.pyplot.show", lambda: None)
    for exercise in chapter.exercises:
        known = {}
        for cell in needed(chapter, exercise):
            exec(compile(python(cell.source), cell.id, "exec"), known)
        _, stub, _, solution = chapter.notebook.cells[exercise.start : exercise.start + 4]
        exec(compile(python("\n".join(FENCED.findall(solution.source))), exercise.label, "exec"), known)
        capsys.readouterr()
        for line in re.findall(r"^# *(checks\.check_.*)", stub.source, re.M):
            exec(line, known)
            assert capsys.readouterr().out.startswith("Right")
        if exercise.check is None:
            exec(compile(stub.source, exercise.label, "exec"), known)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.file)
def test_nothing_is_trained_drawn_or_printed_for_them(chapter):
    cells = needed(chapter)
    everything = "\n".join(cell.source for cell in cells)
    assert 'find_spec("icg")' in cells[0].source and "%matplotlib inline" in cells[0].source
    for what in ("\nfigures.", "= open_gallery(", "explorable(", "train_alarm(", "print("):
        assert what not in everything


# ---- small chapters

SETUP = "import sys\n\nif sys.version < '':\n    raise SystemExit\n\n%matplotlib inline\nimport math\n\nseed = 3\n"


def after(*cells, stub="def my_x():\n    return ...", task="", solution=""):
    """The sources that an exercise after these code cells needs."""
    notebook = new_notebook(cells=[new_markdown_cell("# T"), *(new_code_cell(cell) for cell in (SETUP, *cells))])
    start = len(notebook.cells)
    parts = [new_markdown_cell(task), new_code_cell(stub), new_markdown_cell("Hints"), new_markdown_cell(solution)]
    notebook.cells += [*parts, new_code_cell("x = 'after'")]
    exercise = Exercise("ex", "X", 5, "easy", ("-",), "my_x", None, start)
    cells = needed(Chapter("t.ipynb", "T", notebook, (exercise,)))
    assert cells[0].source.startswith(SETUP.partition("\nseed")[0].strip())
    return [cells[0].source.rpartition("import math")[2].strip(), *(cell.source for cell in cells[1:])]


def fenced(code):
    return f"Text\n\n```python\n{code}\n```\n"


NEEDS = {
    "nothing": (["x = 1"], {}, [""]),
    "the set-up's values only where they are used": (["x = 1"], {"stub": "seed"}, ["seed = 3"]),
    "one statement, with its comment": (["a = 1\n# why\nb = 2\nc = 3"], {"stub": "b"}, ["", "# why\nb = 2"]),
    "transitively": (["a = 1", "b = a", "c = b"], {"stub": "c"}, ["", "a = 1", "b = a", "c = b"]),
    "the last value before": (["a = 1", "a = 2"], {"stub": "a"}, ["", "a = 2"]),
    "the value at the time": (["a = 1", "b = a", "a = 3"], {"stub": "b"}, ["", "a = 1", "b = a"]),
    "what a function reads": (
        ["k = 1", "def f(x):\n    return x + k", "y = f(2)", "k = 5"],
        {"stub": "y"},
        ["", "k = 1", "def f(x):\n    return x + k", "y = f(2)", "k = 5"],
    ),
    "not what is local": (["x = 1", "i = 2"], {"stub": "def my_x(x):\n    return [i for i in x]"}, [""]),
    "what changes it": (
        ["a = {}", "for n in range(3):\n    a[n] = n", "b = []\nb.append(1)"],
        {"stub": "a, b"},
        ["", "a = {}", "for n in range(3):\n    a[n] = n", "b = []\nb.append(1)"],
    ),
    "no call of a module": (["math.sqrt(2)"], {"stub": "math.pi"}, [""]),
    "not what it binds itself": (["a = 1"], {"stub": "a = 2\nb = a"}, [""]),
    "what it reads before it binds it": (["a = 1"], {"stub": "a = a + 1"}, ["", "a = 1"]),
    "commented lines": (["checks = 1"], {"stub": "# checks.check_x(my_x)"}, ["", "checks = 1"]),
    "no other comment": (["checks = 1"], {"stub": "# see checks"}, [""]),
    "code in the task": (["a = 1"], {"task": fenced("a + 1")}, ["", "a = 1"]),
    "code in the solution": (["a = 1"], {"solution": fenced("def my_x():\n    return a")}, ["", "a = 1"]),
}


@pytest.mark.parametrize("name", NEEDS)
def test_needs(name):
    cells, parts, expected = NEEDS[name]
    assert after(*cells, **parts) == expected


def test_exercises_are_no_part_of_what_others_need():
    chapter = next(chapter for chapter in CHAPTERS if chapter.file == "local_minimum.ipynb")
    assert "def look" not in "\n".join(cell.source for cell in needed(chapter))
    alone = [len("".join(cell.source for cell in needed(chapter, exercise))) for exercise in chapter.exercises]
    assert max(alone) <= len("".join(cell.source for cell in needed(chapter)))
