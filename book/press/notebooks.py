"""The three notebooks that a chapter becomes for a class and for Colab: itself, its exercises, their solutions.

The book's own markup becomes plain Markdown, and code that the book hides is folded.
"""

import ast
import copy
import importlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
import yaml
from nbconvert.preprocessors import ClearOutputPreprocessor, Preprocessor, TagRemovePreprocessor
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from pybtex.database import parse_file

from press.chapters import PARTS, ROOT, SOLUTION, Chapter, Exercise, at, chapter_files, read_chapter
from press.needs import needed
from press.plain import STATEMENTS, Plain, blocks, labelled, literal

HIDDEN = {"hide-input", "hide-cell", "remove-input"}  # tags of code that the book hides


@dataclass
class Book:
    """All chapters, in order; what they refer to; and by its name, each check."""

    chapters: list[Chapter]
    words: Plain
    checks: dict

    @classmethod
    def read(cls, root: Path = ROOT, before: Callable[[str], str] = lambda repository: "") -> "Book":
        """The book of a checkout.

        Args:
            root: the checkout.
            before: what stands before the name of a notebook in links, from the repository's address.

        Raises:
            ValueError: no edition can be made of a chapter; says where and why.
        """
        config = yaml.safe_load((root / "_config.yml").read_text("utf-8"))
        chapters = [read_chapter(file) for file in chapter_files(root)]
        bibliography: dict = {}
        for file in config.get("bibtex_bibfiles", ()):
            bibliography |= parse_file(str(root / file), "bibtex").entries
        repository = config["repository"]["url"]
        words = Plain(
            bibliography,
            address=f"{repository}/blob/{config['repository']['branch']}",
            titles={file: chapter.title for chapter in chapters for file in chapter.files},
            labels=labels_of(chapters),
            notebooks=before(repository),
        )
        return cls(chapters, words, checks_of(chapters))


def labels_of(chapters: list[Chapter]) -> dict[str, tuple[str, str, tuple[str, ...]]]:
    """What each label stands for. Numbers are those of the built book: equations count in each page anew."""
    found, statements = {}, dict.fromkeys(STATEMENTS, 0)
    for chapter in chapters:
        equations = itertools.count(1)
        for cell in chapter.notebook.cells:
            if cell.cell_type == "markdown":
                with at(f"{chapter.file}, cell {cell.id}"):
                    for label, words, is_exercise in labelled(cell.source, statements, equations):
                        if label in found:
                            raise ValueError(f"expected a new label, got {label}, as in {found[label][2][0]}")
                        found[label] = words, chapter.title, chapter.files[1:] if is_exercise else chapter.files[:1]
    return found


def checks_of(chapters: list[Chapter]) -> dict:
    """The checks of the exercises, by name: objects of the chapters' modules."""
    found, stubs = {}, {}
    for chapter in chapters:
        module = f"icg_book.{chapter.file.removesuffix('.ipynb')}.checks"
        for exercise in chapter.exercises:
            where = f"{chapter.file} ({exercise.label})"
            if exercise.stub and exercise.stub in stubs:
                raise ValueError(
                    f"{where}: expected a new name for the stub's function, "
                    f"got {exercise.stub}, as in {stubs[exercise.stub]}"
                )
            stubs[exercise.stub] = where
            if exercise.check:
                check = getattr(importlib.import_module(module), exercise.check, None)
                if check is None:
                    raise ValueError(f"{where}: expected a check of {module}, got {exercise.check}")
                found[exercise.check] = check
    return found


# ---- the notebooks of a chapter


class Fold(Preprocessor):
    """Folds code that the book hides, in Colab and in JupyterLab, under a title."""

    def preprocess_cell(self, cell, resources, index):
        """Raises ValueError for such a cell without a title."""
        if cell.cell_type == "code" and HIDDEN & set(cell.metadata.get("tags", ())):
            set_up = "Set-up" if "%matplotlib inline" in cell.source else None
            title = cell.metadata.get("icg", {}).get("title", set_up)
            if not title:
                raise ValueError(
                    f'cell {cell.id}: expected a title in the metadata of hidden code, "icg": {{"title": …}}'
                )
            cell.source = f"#@title {title}\n{cell.source}"
            cell.metadata |= {"cellView": "form", "jupyter": {"source_hidden": True}}
        return cell, resources


def finished(book: Book, chapter: Chapter, file: str, cells: list, keep_outputs: bool = False):
    """A notebook of these cells, to be written to ``file``: markup plain, hidden code folded, references at the end."""
    notebook, cited = new_notebook(cells=copy.deepcopy(cells), metadata=chapter.notebook.metadata), set()
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            with at(f"{chapter.file}, cell {cell.id}"):
                cell.source = book.words.plain(cell.source, file, cited)
    if cited:
        notebook.cells.append(markdown(f"## References\n\n{book.words.works(cited)}", "references"))
    with at(chapter.file):
        notebook, _ = Fold().preprocess(notebook, {})
    if not keep_outputs:
        notebook, _ = ClearOutputPreprocessor().preprocess(notebook, {})
    nbformat.validate(notebook)
    return notebook


def markdown(text: str, name: str):
    return new_markdown_cell(text, id=f"edition-{name}"[:64])


def reading(book: Book, chapter: Chapter, keep_outputs: bool = False):
    """The chapter, with a list of its exercises in their place."""
    cells = list(chapter.notebook.cells)
    if chapter.exercises:
        rows = "".join(f"| {e.title} | {e.difficulty} | {e.minutes} |\n" for e in chapter.exercises)
        text = f"| exercise | difficulty | minutes |\n|---|---|--:|\n{rows}\n"
        text += f"They are in [a notebook of their own]({chapter.files[1]})."
        cells.insert(chapter.exercises[0].start, markdown(text, "exercises"))
    notebook = new_notebook(cells=cells)
    notebook, _ = TagRemovePreprocessor(remove_cell_tags=set(PARTS), enabled=True).preprocess(notebook, {})
    return finished(book, chapter, chapter.file, notebook.cells, keep_outputs)


def practice(book: Book, chapter: Chapter, solved: bool = False, notes: bool = False, links: bool = True):
    """The chapter's exercises, with what they need of it.

    Args:
        book: the book.
        chapter: the chapter.
        solved: whether solutions follow, as cells that run.
        notes: whether there are notes for the teacher.
        links: whether the notebook of exercises names that of the solutions.
    """
    file, exercises, solutions = chapter.files
    text = f"# {'Solutions' if solved else 'Exercises'}: {chapter.title}\n\n"
    text += f"The chapter is [{chapter.title}]({file}). "
    if solved:
        text += f"The exercises alone, to work on, are in [another notebook]({exercises})."
    elif links:
        text += f"Solutions are in [another notebook]({solutions})."
    cells = [markdown(text.strip(), "title")]
    if notes:
        cells.append(markdown(overview(chapter), "overview"))
    cells += needed(chapter)
    if chapter.introduction:
        cells.append(markdown(chapter.introduction, "introduction"))
    for exercise in chapter.exercises:
        task, stub, hints, solution = copy.deepcopy(chapter.notebook.cells[exercise.start : exercise.start + 4])
        own = [task, stub, hints, *(solution_cells(exercise, stub, solution) if solved else [])]
        del task.metadata["icg"]["misconceptions"]
        for cell in own:
            cell.metadata["icg"] = cell.metadata.get("icg", {}) | {"exercise": exercise.label}
        cells += own
        if notes:
            cells.append(markdown(for_the_teacher(exercise, book.checks.get(exercise.check)), exercise.label))
    return finished(book, chapter, chapter.files[2 if solved else 1], cells)


def solution_cells(exercise: Exercise, stub, solution) -> list:
    """A solution as cells that run: its text, its code, and after the code the call of its check."""
    found, text = [], f"**Solution: {exercise.title}**\n\n"
    if exercise.check:
        trial = f"checks.{exercise.check}({exercise.stub})"
    else:  # what the stub does with the answer
        definitions = (ast.FunctionDef, ast.Import, ast.ImportFrom)
        body = [node for node in ast.parse(stub.source).body if not isinstance(node, definitions)]
        trial = "\n".join(ast.get_source_segment(stub.source, node) for node in body)
    for block in blocks(SOLUTION.fullmatch(solution.source)[1]):
        if block.kind == "fence" and block.token.info.strip() == "python":
            found += [new_markdown_cell(text.strip()), new_code_cell(block.token.content.rstrip())]
            text = ""
        else:
            text += f"{block.text}\n"
    if trial and len(found) > 0:
        found.append(new_code_cell(trial, metadata={"tags": ["check"] if exercise.check else []}))
    if text.strip():
        found.append(new_markdown_cell(text.strip()))
    found = [cell for cell in found if cell.source]
    for number, cell in enumerate(found):
        cell.id = f"{solution.id}-{number}"
    return found


def for_the_teacher(exercise: Exercise, check) -> str:
    """Notes on an exercise: what goes wrong, and what its check says then."""
    text = (
        f"**For the teacher: {exercise.title}**\n\n{exercise.difficulty.capitalize()}, {exercise.minutes} minutes.\n\n"
    )
    text += "What goes wrong, typically:\n\n" + "\n".join(f"- {text}" for text in exercise.misconceptions) + "\n\n"
    if check is None:
        return text + "There is no check: answers are for discussion."
    hints = "\n".join(f"- “{literal(hint)}”" for hint in getattr(check, "hints", ()))
    text += (
        f"What `{exercise.check}` says, according to the mistake (what stands in braces is filled in):\n\n{hints}\n\n"
    )
    return text + "To a stub as it stands it says that nothing is there yet."


def overview(chapter: Chapter) -> str:
    rows = "".join(
        f"| {e.title} | {e.difficulty} | {e.minutes} | {f'`{e.check}`' if e.check else 'for discussion'} |\n"
        for e in chapter.exercises
    )
    text = "| exercise | difficulty | minutes | check |\n|---|---|--:|---|\n"
    text += f"{rows}| **all exercises** | | **{chapter.practice}** | |\n\n"
    if chapter.reading:
        text += f"Reading the chapter takes about {chapter.reading} minutes. "
    if chapter.running:
        text += f"It runs in about {chapter.running} s on one core. "
    return f"{text}Notes for the teacher follow each solution."
