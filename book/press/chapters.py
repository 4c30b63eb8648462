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
DIFFICULTIES = ("easy", "medium", "hard", "open")
PARTS = ("exercise", "stub", "hints", "solution")
# In a chapter's first cell; `make times` writes the number.
RUNS = re.compile(r"^(\*\*Runs in about )(\d+|N)( s on one core\.\*\*)", re.M)


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
        """Minutes to read, if it says so."""
        said = (re.search(r"[Aa]bout (\d+) minutes to read", cell.source) for cell in self.notebook.cells)
        return next((int(found[1]) for found in said if found), None)

    @property
    def running(self) -> int | None:
        """Seconds to run, as its first cell says."""
        found = RUNS.search(self.notebook.cells[0].source)
        return int(found[2]) if found and found[2] != "N" else None

    @property
    def practice(self) -> int:
        """Minutes that its exercises take together."""
        return sum(exercise.minutes for exercise in self.exercises)


def read_chapter(path: Path) -> Chapter:
    """Read and check a chapter.

    Raises:
        ValueError: no title, or an exercise whose cells are not as they should be.
    """
    with at(path.name):
        notebook = nbformat.read(path, as_version=4)
        title = re.match(r"# (.+)", notebook.cells[0].source)
        if title is None:
            raise ValueError("expected a title (# ...) at the top of the first cell")
        return Chapter(path.name, title[1].strip(), notebook, exercises(notebook))


def exercises(notebook) -> tuple[Exercise, ...]:
    """All exercises of a notebook, in order.

    Raises:
        ValueError: cells that are not exercise, stub, hints and solution in this
            order; a stub without its check (unless the exercise is open); no label,
            title, minutes or misconceptions; a difficulty that is none of the four.
    """
    cells = notebook.cells
    parts = [part_of(cell) for cell in cells]
    found: list[Exercise] = []
    position = 0
    while position < len(cells):
        with at(f"cell {cells[position].id}"):
            if parts[position] is None:
                # One that is overlooked would be handed to the students.
                if re.search(r"^[:`]{3,}\{(exer|solu)", cells[position].source, re.M):
                    raise ValueError("expected the tag of an exercise on this cell")
                position += 1
                continue
            row = parts[position : position + 4]
            if tuple(row) != PARTS:
                raise ValueError(
                    f"expected four cells tagged {', '.join(PARTS)}, got {', '.join(part or 'none' for part in row)}"
                )
            found.append(read_exercise(*cells[position : position + 4], position))
            position += 4
    return tuple(found)


def part_of(cell) -> str | None:
    """Which of the four parts of an exercise this cell is, if any."""
    parts = [part for part in PARTS if part in cell.metadata.get("tags", ())]
    kind = "code" if parts == ["stub"] else "markdown"
    if len(parts) > 1 or (parts and cell.cell_type != kind):
        raise ValueError(
            f"cell {cell.id}: expected one of the tags {', '.join(PARTS)} (stub on "
            f"code, others on Markdown), got {', '.join(parts)} on {cell.cell_type}"
        )
    return parts[0] if parts else None


TASK = re.compile(r":::+\{exercise\} (.+)\n:label: (\S+)\n(?:.*\n)+:::+\s*")
SOLUTION = re.compile(r"<details>\s*<summary>Solution</summary>\s*(.*?)\s*</details>\s*", re.S)


def read_exercise(task, stub, hints, solution, start: int) -> Exercise:
    about = task.metadata.get("icg", {})
    minutes, difficulty = about.get("minutes"), about.get("difficulty")
    misconceptions = about.get("misconceptions")
    form = TASK.fullmatch(task.source)
    if form is None or task.source.count("{exercise}") > 1:
        raise ValueError("expected nothing but one :::{exercise} Title with a :label:")
    title, label = form[1].strip(), form[2]
    if about.get("exercise") != label:
        raise ValueError(f"expected the label {label} in the metadata, too, got {about.get('exercise')}")
    if difficulty not in DIFFICULTIES:
        raise ValueError(f"expected a difficulty of {', '.join(DIFFICULTIES)}, got {difficulty}")
    if not isinstance(minutes, int) or minutes < 1:
        raise ValueError(f"expected minutes, 1 or more, got {minutes}")
    opening = f"*{difficulty.capitalize()}, {minutes} minutes.*"
    if opening not in task.source:
        raise ValueError(f"expected the text to begin with {opening}")
    if not isinstance(misconceptions, list) or not misconceptions:
        raise ValueError(f"expected a list of misconceptions, got {misconceptions}")
    if (number := hints.source.count("<details>")) != 2:
        raise ValueError(f"expected two hints, got {number}")
    if not SOLUTION.fullmatch(solution.source):
        raise ValueError(f"expected the solution in <details><summary>Solution</summary>, got {solution.source[:60]}")
    name, check = read_stub(stub.source, required=difficulty != "open")
    return Exercise(label, title, minutes, difficulty, tuple(misconceptions), name, check, start)


def read_stub(source: str, required: bool) -> tuple[str | None, str | None]:
    """The names of a stub's function and of its check."""
    names = re.findall(r"^def (my_\w+)\(", source, re.M)
    checks = re.findall(r"^# *checks\.(check_\w+)\((\w+)\)", source, re.M)
    accepts = re.findall(r"^# *(\w+) = checks\.accept\((\w+)\)", source, re.M)
    if len(names) > 1 or (required and not names):
        raise ValueError(f"expected one function my_... in the stub, got {', '.join(names)}")
    name = names[0] if names else None
    if not (required or checks or accepts):
        return name, None
    if [argument for _, argument in checks] != [name] or accepts != [(name, name)]:
        raise ValueError(
            "expected in the stub, as comments and once each, "
            f"checks.check_...({name}) and {name} = checks.accept({name})"
        )
    return name, checks[0][0]


def chapter_files(root: Path) -> list[Path]:
    """The chapters that are notebooks, in the order of _toc.yml."""

    def listed(entry) -> Iterator[str]:
        if isinstance(entry, dict):
            if "file" in entry:
                yield entry["file"].removesuffix(".ipynb")
            for inside in entry.values():
                yield from listed(inside)
        elif isinstance(entry, list):
            for inside in entry:
                yield from listed(inside)

    toc = yaml.safe_load((root / "_toc.yml").read_text("utf-8"))
    files = [root / f"{name}.ipynb" for name in listed(toc)]
    return [file for file in files if file.exists()]
