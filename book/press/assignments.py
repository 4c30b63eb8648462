"""Graded assignments: `make assignments` writes an nbgrader course, one notebook for each chapter.

In `source/` each exercise has its solution, and its check as a test, with a hidden part that asks in other cases
(icg_book/kit/grading.py). nbgrader makes `release/` of it, without solutions and hidden tests, and `gradebook.db`.
`press.grade` grades what comes back.
"""

import argparse
import ast
import copy
import os
import random
import re
import shutil
import sys
import textwrap
import warnings
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.apps import NbGraderAPI
from traitlets.config import PyFileConfigLoader

from icg_book.kit.colab import colab
from icg_book.kit.grading import FRESH, RIGHT
from press.chapters import ROOT, Chapter, Exercise, at
from press.needs import FENCED, needed
from press.notebooks import Book

COURSE = ROOT / "_build" / "assignments"
CONFIG = "nbgrader_config.py"
POINTS = {"easy": 2, "medium": 4, "hard": 6, "open": 4}
SEEDS = 2  # sets of hidden cases for each exercise
TIMEOUT = 120  # seconds for each cell


# ---- the notebook of a chapter ------------------------------------------------------------------------------------


def read() -> Book:
    """The book; links to its chapters lead to the plain notebooks in Colab."""
    return Book.read(ROOT, before=colab)


def points(exercise: Exercise) -> int:
    """What a right answer earns; 0 without a check."""
    return POINTS[exercise.difficulty] if exercise.check else 0


def body(source: str, name: str) -> tuple[list[str], list[str], list[str]]:
    """Python around the body of one of its functions, line by line: what is before, the body, what is after.

    Raises:
        ValueError: there is no such function at the top level.
    """
    found = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == name]
    if not found:
        raise ValueError(f"expected a function {name}, got {source[:60]!r}")
    lines = source.split("\n")
    first, last = found[-1].body[0].lineno - 1, found[-1].end_lineno
    return lines[:first], lines[first:last], lines[last:]


def solved(stub: str, solution: str, name: str) -> str:
    """A stub with the solution in it, marked so that nbgrader takes it out again.

    The stub's own body stays after it, unreached: it is what students begin with.
    """
    stub = re.sub(r"\n+# Take the # away(?:.*\n?)*", "\n", stub)  # a cell of its own checks the answer
    before, start, after = body(stub, name)
    above, lines, _ = body(solution, name)
    imported = "\n".join(above).rpartition("\ndef ")[0] if above[0][:4] != "def " else ""
    answer = [*textwrap.indent(imported.strip("\n"), "    ").split("\n"), *lines] if imported.strip() else lines
    region = ["    ### BEGIN SOLUTION", *answer, "    ### END SOLUTION"]
    return "\n".join([*before, *region, *start, *after]).rstrip()


def marked(cell, grade_id: str, **flags):
    """A cell with nbgrader's metadata: read-only, unless ``solution`` or ``grade`` is true."""
    kinds = {"grade": False, "solution": False, "task": False, "locked": not flags.get("solution", False)}
    cell.metadata["nbgrader"] = {"grade_id": grade_id, "schema_version": 3, "cell_type": cell.cell_type} | kinds | flags
    return cell


def head(book: Book, chapter: Chapter) -> str:
    """What is said to the students first."""
    return f"""\
# {chapter.title}

**Exercises to hand in**, {sum(map(points, chapter.exercises))} points in all. They belong to
[this chapter]({book.words.notebooks}{chapter.file}). Keep the name of this notebook.

- Edit only the cells that begin with `# Your answer`. You may add cells of your own. All others are put back as they
  were before your answers are graded.
- The cell after each answer checks it. Run it as often as you like: it says what to look at. Hidden tests then ask in
  other cases, so an answer that fits the visible ones alone earns nothing.
- Graded is your own work. The book's answer (by `checks.accept`, or copied) and the library's function for the exercise
  earn nothing.
- These are honest limits, no locks: the package is open source, and your answer may be read by a person, too."""


def assignment(book: Book, chapter: Chapter, draw: random.Random):
    """The source notebook of a chapter's assignment, with solutions and hidden tests.

    Args:
        book: the book, for what its texts refer to; its notebooks lie elsewhere, so links need their address.
        chapter: the chapter.
        draw: draws the seeds of the hidden cases.

    Raises:
        ValueError: a solution that does not answer its stub, or a text without a plain form.
    """
    name, cited = Path(chapter.file).stem, set()
    cells = [marked(new_markdown_cell(head(book, chapter), id="assignment"), "assignment")]
    for cell in needed(chapter, *(exercise for exercise in chapter.exercises if exercise.check)):
        cells.append(marked(new_code_cell(cell.source, id=cell.id, metadata=cell.metadata), f"needed-{cell.id}"))
    if chapter.introduction:
        text = book.words.plain(chapter.introduction, chapter.files[1], cited)
        cells.append(marked(new_markdown_cell(text, id="introduction"), "introduction"))
    for exercise in chapter.exercises:
        task, stub, hints, solution = (copy.deepcopy(c) for c in chapter.notebook.cells[exercise.start :][:4])
        with at(f"{chapter.file}, {exercise.label}"):
            earns = f"{points(exercise)} points" if exercise.check else "for discussion, no points"
            task.source = task.source.replace(" minutes.*", f" minutes; {earns}.*", 1)
            for cell in (task, hints):
                text = book.words.plain(cell.source, chapter.files[1], cited)
                cells.append(marked(new_markdown_cell(text, id=cell.id), f"text-{cell.id}"))
            if not exercise.check:
                continue
            code = solved(stub.source, "\n".join(FENCED.findall(solution.source)), exercise.stub)
        cell = new_code_cell(f"# Your answer: {exercise.title}\n{code}", id=stub.id)
        cells.append(marked(cell, f"{exercise.label}-answer", solution=True))
        seeds = tuple(draw.sample(range(1, 10**6), SEEDS))
        call = f'graded("{name}", "{exercise.check}", {exercise.stub}, seeds={seeds}, restore=set_aside)'
        test = f"checks.{exercise.check}({exercise.stub})\n### BEGIN HIDDEN TESTS\n{FRESH}{call}\n### END HIDDEN TESTS"
        cell = new_code_cell(test, id=f"{exercise.label}-test"[:64])
        cells.append(marked(cell, exercise.label, grade=True, points=points(exercise)))
    if cited:
        text = f"## References\n\n{book.words.works(cited)}"
        cells.append(marked(new_markdown_cell(text, id="references"), "references"))
    notebook = new_notebook(cells=cells, metadata=chapter.notebook.metadata)
    nbformat.validate(notebook)
    return notebook


def execute(notebook, folder: Path) -> None:
    """Run a source notebook, on one thread: each solution must pass its test, the hidden part included.

    Raises:
        ValueError: a cell fails, or takes too long; says which one and why.
    """
    ran = copy.deepcopy(notebook)
    place, quiet = {"metadata": {"path": str(folder)}}, ["--log-level=ERROR"]
    client = NotebookClient(ran, timeout=TIMEOUT, resources=place, extra_arguments=quiet)
    with client.setup_kernel(env=os.environ | {"OMP_NUM_THREADS": "1"}):
        for index, cell in enumerate(ran.cells):
            with at(f"cell {cell.id}"):
                try:
                    client.execute_cell(cell, index)
                except CellExecutionError as error:
                    raise ValueError(f"{error.ename}: {error.evalue}") from error
                except (CellTimeoutError, DeadKernelError) as error:
                    raise ValueError(str(error).split("\n")[0]) from error
                said = "".join(output.get("text", "") for output in cell.get("outputs", ()))
                if cell.metadata.nbgrader.grade and RIGHT not in said.splitlines():
                    raise ValueError("the hidden test did not run to its end")


# ---- the course -----------------------------------------------------------------------------------------------------


def course(folder: Path) -> NbGraderAPI:
    """nbgrader, as the folder's own configuration says."""
    # nbgrader starts alembic by its name, which is beside this Python, active environment or not.
    beside = str(Path(sys.executable).parent)
    if beside not in os.environ["PATH"].split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([beside, os.environ["PATH"]])
    os.environ["OMP_NUM_THREADS"] = "1"  # of its kernels
    config = PyFileConfigLoader(CONFIG, str(folder)).load_config()
    return NbGraderAPI(config=config)


def succeeded(result: dict) -> None:
    """Nothing, if one of nbgrader's steps succeeded.

    Raises:
        KeyboardInterrupt: it was interrupted (nbgrader takes this for one more failure).
        ValueError: it did not; with the error that was the first.
    """
    if result["success"]:
        return
    if "\nKeyboardInterrupt" in result["error"]:
        raise KeyboardInterrupt
    errors = re.findall(r"^ *[\w.]+(?:Error|Exception|Died): *(.+)", result.get("log", "") + result["error"], re.M)
    raise ValueError(errors[0] if errors else result["error"].strip().split("\n")[-1])


def write(names: list[str], folder: Path = COURSE, seed: int | None = None, check: bool = True) -> list[str]:
    """Write and release the assignments of these chapters, all if none is named. What was handed in stays.

    Args:
        names: of chapters, as ``"shapley"``.
        folder: the course's.
        seed: repeats the seeds of the hidden cases; by default they are drawn anew.
        check: run the sources first.

    Returns:
        The chapters' names.

    Raises:
        ValueError: no such chapter, or one of which no assignment can be made.
    """
    book = read()
    chapters = {Path(chapter.file).stem: chapter for chapter in book.chapters}
    if unknown := [name for name in names if name not in chapters]:
        raise ValueError(f"expected chapters among {', '.join(chapters)}, got {', '.join(unknown)}")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(__file__).with_name(CONFIG), folder / CONFIG)
    for name in names or chapters:
        # From the chapter's name, too: a seed gives a chapter the same cases, whichever others are made.
        draw = random.Random(f"{seed} {name}") if seed is not None else random.SystemRandom()
        notebook = assignment(book, chapters[name], draw)
        total = sum(map(points, chapters[name].exercises))
        print(f"{name}: {total} points", end="", flush=True)
        if check:
            with at(name):
                execute(notebook, folder)
            print(", every solution passes its test", end="", flush=True)
        source = folder / "source" / name / f"{name}.ipynb"
        source.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, source)
        with at(name), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            succeeded(course(folder).generate_assignment(name))
        print(", released", flush=True)
    return list(names or chapters)


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("chapters", nargs="*", metavar="CHAPTER")
    parser.add_argument("--course", type=Path, default=COURSE, metavar="FOLDER")
    parser.add_argument("--seed", type=int, help="repeats the seeds of the hidden cases")
    parser.add_argument("--no-check", action="store_true", help="do not run the solutions against their tests")
    options = parser.parse_args(arguments)
    try:
        write(options.chapters, options.course.expanduser().resolve(), options.seed, not options.no_check)
    except ValueError as error:
        print(f"\nNo assignment: {error}", file=sys.stderr)
        return 1
    print(f"Hand out {options.course / 'release'}; keep {options.course / 'source'} to yourself.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
