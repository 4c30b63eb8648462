"""Student and teacher editions: `make student` and `make teacher` call this.

A classroom opens notebooks in Jupyter or Colab, where the book's own markup stays raw. Here it becomes plain Markdown,
once without the exercises' solutions and once with them in the open.
"""

import argparse
import copy
import shutil
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_markdown_cell

from press.chapters import ROOT, SOLUTION, Chapter, Exercise, at
from press.plain import Book, literal

EDITIONS = ("student", "teacher")


def edition(book: Book, chapter: Chapter, kind: str):
    """A chapter's notebook for students (no solutions) or for teachers."""
    notebook = copy.deepcopy(chapter.notebook)
    cells, cited = notebook.cells, set()
    for exercise in reversed(chapter.exercises):  # from the end, so positions hold
        solution = exercise.start + 3
        del cells[exercise.start].metadata["icg"]["misconceptions"]
        if kind == "student":
            del cells[solution]
        else:
            text = SOLUTION.fullmatch(cells[solution].source)[1]
            cells[solution].source = f"**Solution: {exercise.title}**\n\n{text}"
            cells.insert(solution + 1, for_the_teacher(book, exercise))
    for cell in cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        elif not cell.id.startswith("edition-"):
            with at(f"{chapter.file}, cell {cell.id}"):
                cell.source = book.plain(cell.source, chapter, cited)
    if kind == "teacher":
        cells.insert(0, overview(chapter))
    if cited:
        works = "\n".join(sorted(f"- {book.work(key)}" for key in cited))
        cells.append(new_markdown_cell(f"## References\n\n{works}", id="edition-references"))
    nbformat.validate(notebook)
    return notebook


def for_the_teacher(book: Book, exercise: Exercise):
    lines = [
        f"**For the teacher: {exercise.title}**",
        "",
        f"{exercise.difficulty.capitalize()}, {exercise.minutes} minutes.",
        "",
        "What goes wrong, typically:",
        "",
        *(f"- {text}" for text in exercise.misconceptions),
        "",
    ]
    if exercise.check is None:
        lines.append("There is no check: answers are for discussion.")
    else:
        lines += [
            f"What `{exercise.check}` says, according to the mistake (… is what it fills in):",
            "",
            *(f"- “{literal(text)}”" for text in book.checks[exercise.check]),
            "",
            "To a stub as it stands it says that nothing is there yet, and it "
            "passes on any error that stops the student's code.",
        ]
    return new_markdown_cell("\n".join(lines), id=f"edition-{exercise.label}"[:64])


def overview(chapter: Chapter):
    rows = "".join(
        f"| {e.title} | {e.difficulty} | {e.minutes} | {f'`{e.check}`' if e.check else 'for discussion'} |\n"
        for e in chapter.exercises
    )
    text = (
        f"**Teacher's edition: {chapter.title}**\n\n"
        "| exercise | difficulty | minutes | check |\n|---|---|--:|---|\n"
        f"{rows}| **all exercises** | | **{chapter.practice}** | |\n\n"
    )
    if chapter.reading:
        text += f"Reading takes about {chapter.reading} minutes. "
    if chapter.running:
        text += f"The notebook runs in about {chapter.running} s on one core. "
    text += "Each solution stands open below, with notes for the teacher after it."
    return new_markdown_cell(text, id="edition-overview")


def index(book: Book, kind: str) -> str:
    """The README of an edition."""
    teacher = kind == "teacher"
    text = (
        f"# {kind.capitalize()} edition\n\n"
        "Open the notebooks in Jupyter, or upload them to Colab: their first code\n"
        "cell installs what is missing there.\n"
    )
    text += (
        "Solutions and notes for the teacher are in them: do not hand them out.\n\n"
        if teacher
        else "The exercises check themselves; their solutions are not in here.\n\n"
    )
    text += "| notebook | reading (minutes) | exercises | exercises (minutes) |"
    text += f"{' running (seconds) |' if teacher else ''}\n|---|--:|--:|--:|"
    text += f"{'--:|' if teacher else ''}\n"
    for chapter in book.chapters:
        text += f"| [{chapter.title}]({chapter.file}) | {chapter.reading or '–'} "
        text += f"| {len(chapter.exercises)} | {chapter.practice} |"
        text += f" {chapter.running or '–'} |\n" if teacher else "\n"
    readings = sum(chapter.reading or 0 for chapter in book.chapters)
    number = sum(len(chapter.exercises) for chapter in book.chapters)
    practice = sum(chapter.practice for chapter in book.chapters)
    text += f"| **all** | {readings} | {number} | {practice} |"
    return text + (" |\n" if teacher else "\n")


def write(kind: str, out: Path | None = None, root: Path = ROOT) -> Path:
    """Write the notebooks of an edition and their README.md; on an error, nothing.

    Args:
        kind: "student" or "teacher".
        out: a folder; by default _build/student or _build/teacher, made anew.
        root: the checkout.

    Returns:
        The folder.

    Raises:
        ValueError: no edition can be made of a chapter, or ``out`` is the folder
            of the chapters themselves.
    """
    if out is not None and out.resolve() == (root / "book").resolve():
        raise ValueError(f"expected another folder than that of the chapters, got {out}")
    book = Book.read(root)
    notebooks = {c.file: edition(book, c, kind) for c in book.chapters}
    if out is None:
        out = root / "_build" / kind
        shutil.rmtree(out, ignore_errors=True)  # no chapter of before stays behind
    out.mkdir(parents=True, exist_ok=True)
    for file, notebook in notebooks.items():
        nbformat.write(notebook, out / file)
    (out / "README.md").write_text(index(book, kind), "utf-8")
    return out


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("edition", choices=EDITIONS)
    parser.add_argument("--out", type=Path, metavar="FOLDER")
    options = parser.parse_args(arguments)
    try:
        folder = write(options.edition, options.out)
    except ValueError as error:
        print(f"No {options.edition} edition: {error}", file=sys.stderr)
        return 1
    print(f"The {options.edition} edition is in {folder}; begin with README.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
