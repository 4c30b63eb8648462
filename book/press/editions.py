"""The editions for a class: `make student` and `make teacher` call this.

Students get chapters and exercises, teachers the solutions as well, executed and found right, with notes.
"""

import argparse
import shutil
import sys
from pathlib import Path

import nbformat

from press import classroom
from press.chapters import ROOT
from press.notebooks import TEMPLATES, Book, practice, reading
from press.solutions import run_all

EDITIONS = ("student", "teacher")


def edition(book: Book, kind: str) -> dict[str, nbformat.NotebookNode]:
    """The notebooks of an edition by the names of their files."""
    notebooks = {}
    for chapter in book.chapters:
        file, exercises, solutions = chapter.files
        notebooks[file] = reading(book, chapter)
        if chapter.exercises:
            notebooks[exercises] = practice(book, chapter, links=kind == "teacher")
            if kind == "teacher":
                notebooks[solutions] = practice(book, chapter, solved=True, notes=True)
    return notebooks


def write(kind: str, out: Path | None = None, root: Path = ROOT) -> Path:
    """Write the notebooks of an edition and their README.md; on an error, nothing.

    Args:
        kind: "student" or "teacher".
        out: a folder; by default _build/student or _build/teacher, made anew.
        root: the checkout.

    Returns:
        The folder.

    Raises:
        ValueError: no edition can be made of a chapter, or ``out`` is the folder of the chapters themselves.
    """
    if out is not None and out.resolve() == (root / "book").resolve():
        raise ValueError(f"expected another folder than that of the chapters, got {out}")
    book = Book.read(root)
    notebooks = edition(book, kind)
    if out is None:
        out = root / "_build" / kind
        shutil.rmtree(out, ignore_errors=True)  # no chapter of before stays behind
    out.mkdir(parents=True, exist_ok=True)
    for file, notebook in notebooks.items():
        nbformat.write(notebook, out / file)
    readme = TEMPLATES.get_template("edition.md").render(chapters=book.chapters, teacher=kind == "teacher")
    (out / "README.md").write_text(f"{readme}\n", "utf-8")
    return out


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("edition", choices=EDITIONS)
    parser.add_argument("--out", type=Path, metavar="FOLDER")
    options = parser.parse_args(arguments)
    try:
        if options.edition == "teacher":
            for line in run_all(Book.read()):
                print(line, flush=True)
        folder = write(options.edition, options.out)
        if options.edition == "teacher":
            classroom.write(folder)
    except ValueError as error:
        print(f"No {options.edition} edition: {error}", file=sys.stderr)
        return 1
    print(f"The {options.edition} edition is in {folder}; begin with README.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
