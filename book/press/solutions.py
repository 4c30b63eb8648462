"""Runs the notebooks of solutions: a solution is right when the check of its exercise says so.

What was right is remembered in _build/solutions.json, until the notebook, `icg/`, `book/icg_book/`, `data/` or a
package changes.
"""

import copy
import hashlib
import json
import os
from collections.abc import Iterator

from nbclient import NotebookClient

from press.chapters import ROOT, Chapter
from press.digests import BUILD, digest
from press.notebooks import Book, practice


def run(book: Book, chapter: Chapter) -> int:
    """Run a chapter's notebook of solutions.

    Returns:
        How many checks said "Right".

    Raises:
        ValueError: a cell fails, or a check says anything else; names chapter and exercise.
    """
    notebook = copy.deepcopy(practice(book, chapter, solved=True))
    client = NotebookClient(notebook, timeout=600, allow_errors=True, resources={"metadata": {"path": ROOT / "book"}})
    client.execute(env=os.environ | {"ICG_BOOK_BUILD": "1"})
    right = 0
    for cell in notebook.cells:
        where = f"{chapter.files[2]}, {cell.metadata.get('icg', {}).get('exercise', 'before the exercises')}"
        outputs = cell.get("outputs", [])
        for error in (output for output in outputs if output.output_type == "error"):
            raise ValueError(f"{where}: expected a cell that runs, got {error.ename}: {error.evalue}")
        if "check" in cell.metadata.get("tags", ()):
            said = "".join(output.get("text", "") for output in outputs)
            if not said.startswith("Right"):
                raise ValueError(f"{where}: expected its check to say “Right”, got {said.strip() or 'nothing'}")
            right += 1
    return right


def run_all(book: Book) -> Iterator[str]:
    """Run the solutions of all chapters, but those that were right and have not changed; a line for each.

    Raises:
        ValueError: a solution is not right.
    """
    file = BUILD / "solutions.json"
    known = json.loads(file.read_text("utf-8")) if file.exists() else {}
    code = digest("icg", "book/icg_book", "data")
    for chapter in (chapter for chapter in book.chapters if chapter.exercises):
        cells = [cell.source for cell in practice(book, chapter, solved=True).cells if cell.cell_type == "code"]
        key = hashlib.sha256(json.dumps([code, cells]).encode()).hexdigest()
        if known.get(chapter.file) == key:
            yield f"{chapter.files[2]}: right before, and unchanged"
            continue
        number = run(book, chapter)
        known[chapter.file] = key
        BUILD.mkdir(exist_ok=True)
        file.write_text(json.dumps(known, indent=1), "utf-8")
        yield f"{chapter.files[2]}: {number} solutions run, and right"
