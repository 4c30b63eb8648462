"""What a chapter is: a notebook with a title and exercises, read and checked.

An exercise is four cells in a row, tagged exercise, stub, hints and solution.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat
import yaml

ROOT = Path(__file__).resolve().parents[2]
PARTS = {"exercise": "markdown", "stub": "code", "hints": "markdown", "solution": "markdown"}  # tags of what cells
# In a chapter's first cell; `make times` writes the number of seconds.
RUNS = re.compile(r"^(\*\*Runs in about )(\d+|N)( s on one core\.\*\*)", re.M)
READS = re.compile(r"[Aa]bout (\d+) minutes to read")
TASK = re.compile(
    r":::+\{exercise\} (?P<title>.+)\n:label: (?P<label>\S+)\n\n"
    r"\*(?P<difficulty>Easy|Medium|Hard|Open), (?P<minutes>[1-9]\d*) minutes\.\*(?:(?!.*\{exercise\}).*\n)+:::+\s*"
)
FUNCTION = re.compile(r"^def (my_\w+)\(", re.M)
CALL = re.compile(r"^# *(?:(\w+) = )?checks\.(check_\w+|accept)\((\w+)\)", re.M)  # what a reader uncomments
SOLUTION = re.compile(r"<details>\s*<summary>Solution</summary>\s*(.*?)\s*</details>\s*", re.S)


def title_of_hidden(cell: dict) -> str | None:
    """What code that the book hides is called: by its metadata; the set-up cell needs none there."""
    set_up = "%matplotlib inline" in "".join(cell["source"])
    return cell["metadata"].get("icg", {}).get("title", "Set-up" if set_up else None)


@contextmanager
def at(where: str) -> Iterator[None]:
    """Put the place before the message of a ValueError."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


@dataclass(frozen=True)
class Exercise:
    """What an exercise's cells say; ``start`` is the position of the first."""

    label: str
    title: str
    minutes: int
    difficulty: str
    misconceptions: tuple[str, ...]
    stub: str | None
    check: str | None
    start: int


@dataclass(frozen=True)
class Chapter:
    """A chapter's notebook, as the repository stores it."""

    file: str
    title: str
    notebook: nbformat.NotebookNode
    exercises: tuple[Exercise, ...]

    @property
    def files(self) -> tuple[str, str, str]:
        """Names of its three notebooks: the chapter, its exercises, their solutions."""
        stem = self.file.removesuffix(".ipynb")
        return self.file, f"{stem}-exercises.ipynb", f"{stem}-solutions.ipynb"

    @property
    def introduction(self) -> str:
        """What its section of exercises says before the first one."""
        cells = self.notebook.cells[: self.exercises[0].start] if self.exercises else []
        return cells[-1].source.partition("## Exercises")[2].strip() if cells else ""

    @property
    def reading(self) -> int | None:
        """Minutes to read, if its first cell says so."""
        found = READS.search(self.notebook.cells[0].source)
        return int(found[1]) if found else None

    @property
    def running(self) -> int | None:
        """Seconds to run, as its first cell says."""
        found = RUNS.search(self.notebook.cells[0].source)
        return int(found[2]) if found and found[2] != "N" else None

    @property
    def practice(self) -> int:
        """Minutes that its exercises take together."""
        return sum(exercise.minutes for exercise in self.exercises)


def chapter_files(root: Path) -> list[Path]:
    """The chapters that are notebooks, in the order of _toc.yml."""
    contents = yaml.safe_load((root / "_toc.yml").read_text("utf-8"))
    listed = [chapter for part in contents.get("parts", [contents]) for chapter in part["chapters"]]
    files = [(root / chapter["file"]).with_suffix(".ipynb") for chapter in listed]
    return [file for file in files if file.exists()]


def read_chapter(path: Path) -> Chapter:
    """Read and check a chapter.

    Raises:
        ValueError: no title; or cells that are not exercise, stub, hints and solution in this order, or one of
            these that is not as :func:`read_exercise` expects it.
    """
    with at(path.name):
        notebook = nbformat.read(path, as_version=4)
        title = re.match(r"# (.+)", notebook.cells[0].source)
        if title is None:
            raise ValueError("expected a title (# ...) at the top of the first cell")
        return Chapter(path.name, title[1].strip(), notebook, tuple(exercises(notebook.cells)))


def exercises(cells: list) -> Iterator[Exercise]:
    """All exercises of a notebook, in order."""
    parts, end = [part_of(cell) for cell in cells], 0
    for start, cell in enumerate(cells):
        if parts[start] is None or start < end:  # no part of an exercise, or of the one before
            continue
        end = start + len(PARTS)
        with at(f"cell {cell.id}"):
            if parts[start:end] != list(PARTS):
                got = ", ".join(part or "none" for part in parts[start:end])
                raise ValueError(f"expected four cells tagged {', '.join(PARTS)}, got {got}")
            yield read_exercise(*cells[start:end], start)


def part_of(cell) -> str | None:
    """Which of the four parts of an exercise this cell is, if any."""
    parts = [part for part in PARTS if part in cell.metadata.get("tags", ())]
    if parts and [PARTS[part] for part in parts] != [cell.cell_type]:
        raise ValueError(
            f"cell {cell.id}: expected one of the tags {', '.join(PARTS)} (stub on code, others on Markdown), "
            f"got {', '.join(parts)} on {cell.cell_type}"
        )
    if not parts and re.search(r"^[:`]{3,}\{(exer|solu)", cell.source, re.M):  # it would be handed to the students
        raise ValueError(f"cell {cell.id}: expected the tag of an exercise on this cell")
    return parts[0] if parts else None


def read_exercise(task, stub, hints, solution, start: int) -> Exercise:
    """What the four cells of an exercise say; an open one needs neither function nor check.

    Raises:
        ValueError: says what the first text, metadata or name that is wrong should be.
    """
    form = TASK.fullmatch(task.source)
    if form is None:
        raise ValueError(
            "expected nothing but one :::{exercise} Title with a :label:, an empty line, and a text that begins with "
            f"*Easy (or Medium, Hard, Open), N minutes.*, got {task.source[:120]}"
        )
    label, minutes, difficulty = form["label"], int(form["minutes"]), form["difficulty"].lower()
    about, metadata = {"exercise": label, "minutes": minutes, "difficulty": difficulty}, task.metadata.get("icg", {})
    misconceptions, number = metadata.get("misconceptions"), hints.source.count("<details>")
    names, calls = FUNCTION.findall(stub.source), CALL.findall(stub.source)
    name, check = names[0] if names else None, calls[0][1] if calls else None
    asked = [("", check, name), (name, "accept", name)]
    is_open = difficulty == "open"
    lines = f"checks.check_...({name}) and {name} = checks.accept({name})"
    for right, expected, got in (
        (about.items() <= metadata.items(), f"what the text says in the metadata, too, {about}", dict(metadata)),
        (isinstance(misconceptions, list) and misconceptions, "a list of misconceptions", misconceptions),
        (number == 2, "two hints", number),
        (SOLUTION.fullmatch(solution.source), "the solution in <details><summary>Solution</summary>", solution.source),
        (len(names) == 1 or (is_open and not names), "one function my_... in the stub", ", ".join(names)),
        (calls == asked or (is_open and not calls), f"as comments in the stub and once each, {lines}", stub.source),
    ):
        if not right:
            raise ValueError(f"expected {expected}, got {got}")
    return Exercise(label, form["title"].strip(), minutes, difficulty, tuple(misconceptions), name, check, start)
