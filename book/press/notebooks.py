"""The three notebooks that a chapter becomes for a class and for Colab: itself, its exercises, their solutions.

The book's own markup becomes plain Markdown, and code that the book hides is folded.
"""

import ast
import copy
import importlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from pybtex.database.input.bibtex import Parser

from press.chapters import (
    ROOT,
    SOLUTION,
    Chapter,
    Exercise,
    at,
    chapter_files,
    part_of,
    read_chapter,
    title_of_hidden,
)
from press.needs import FENCED, needed
from press.plain import Plain, labels, literal

HIDDEN = {"hide-input", "hide-cell", "remove-input"}  # tags of code that the book hides
TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
)
TEMPLATES.filters["literal"] = literal


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
        works = Parser().parse_files([root / file for file in config.get("bibtex_bibfiles", ())]).entries
        address, branch = config["repository"]["url"], config["repository"]["branch"]
        chapters = [read_chapter(file) for file in chapter_files(root)]
        words = Plain(works, f"{address}/blob/{branch}", labels_of(chapters), before(address))
        return cls(chapters, words, checks_of(chapters))


def labels_of(chapters: list[Chapter]) -> dict[str, tuple[str, Chapter]]:
    """What each label stands for. Numbers are those of the built book: they count in each chapter anew.

    Raises:
        ValueError: a label that is there already, or a figure without a name or a caption.
    """
    found = {}
    for k, chapter in enumerate(chapters, 1):
        numbers = Counter()
        for cell in chapter.notebook.cells:
            with at(f"{chapter.file}, cell {cell.id}"):
                is_text = cell.cell_type == "markdown"
                for label, words in labels(cell.source, k, numbers) if is_text else figure_of(cell, k, numbers):
                    if label in found:
                        raise ValueError(f"expected a new label, got {label}, as in {found[label][1].file}")
                    found[label] = words, chapter
    return found


def figure_of(cell, chapter: int, numbers: Counter) -> Iterator[tuple[str, str]]:
    """The label of the figure that a cell draws, if it does, and what it is called in a sentence."""
    figure = cell.metadata.get("mystnb", {}).get("figure")
    if figure is not None:
        if not (figure.get("name") and figure.get("caption")):
            raise ValueError(f"expected a name and a caption of the figure, got {dict(figure)}")
        numbers["figure"] += 1
        yield figure.name, f"Fig. {chapter}.{numbers['figure']}"


def with_captions(book: "Book", cells: list) -> Iterator:
    """The cells, and after each that draws a figure its number and caption, which the metadata have."""
    for cell in cells:
        yield cell
        if figure := cell.metadata.get("mystnb", {}).get("figure"):
            text = f"**{book.words.labels[figure.name][0]}.** {figure.caption}"
            yield new_markdown_cell(text, id=f"edition-caption-{cell.id}"[:64])


def checks_of(chapters: list[Chapter]) -> dict:
    """The checks of the exercises, by name: objects of the chapters' modules."""
    found, stubs = {}, {}
    for chapter in chapters:
        module = f"icg_book.{chapter.file.removesuffix('.ipynb')}.checks"
        for exercise in chapter.exercises:
            where = f"{chapter.file} ({exercise.label})"
            first = stubs.setdefault(exercise.stub, where)
            if exercise.stub and first != where:
                raise ValueError(f"{where}: expected a new name for the function, got {exercise.stub}, as in {first}")
            if exercise.check:
                found[exercise.check] = getattr(importlib.import_module(module), exercise.check, None)
                if found[exercise.check] is None:
                    raise ValueError(f"{where}: expected a check of {module}, got {exercise.check}")
    return found


def text_cell(template: str, name: str = "", **values):
    """A cell of Markdown from a template in templates/; its id has the template's name, or this one."""
    text = TEMPLATES.get_template(f"{template}.md").render(values)
    return new_markdown_cell(text, id=f"edition-{name or template}"[:64])


# ---- the notebooks of a chapter


def finished(book: Book, chapter: Chapter, file: str, cells: list, keep_outputs: bool = False):
    """A notebook of these cells, to be written to ``file``: markup plain, hidden code folded, references at the end."""
    notebook, cited = new_notebook(cells=copy.deepcopy(cells), metadata=chapter.notebook.metadata), set()
    for cell in notebook.cells:
        with at(f"{chapter.file}, cell {cell.id}"):
            if cell.cell_type == "markdown":
                cell.source = book.words.plain(cell.source, file, cited)
            elif HIDDEN & set(cell.metadata.get("tags", ())):
                fold(cell)
            if cell.cell_type == "code" and not keep_outputs:
                cell.outputs, cell.execution_count = [], None
    if cited:
        notebook.cells.append(text_cell("references", works=book.words.works(cited)))
    nbformat.validate(notebook)
    return notebook


def fold(cell) -> None:
    """Fold code that the book hides, in Colab and in JupyterLab, under a title.

    Raises:
        ValueError: it has none.
    """
    title = title_of_hidden(cell)
    if not title:
        raise ValueError('expected a title in the metadata of hidden code, "icg": {"title": …}')
    cell.source = f"#@title {title}\n{cell.source}"
    cell.metadata |= {"cellView": "form", "jupyter": {"source_hidden": True}}


def reading(book: Book, chapter: Chapter, keep_outputs: bool = False):
    """The chapter, with a list of its exercises in their place."""
    cells = [cell for cell in chapter.notebook.cells if part_of(cell) is None]
    if chapter.exercises:
        cells.insert(chapter.exercises[0].start, text_cell("exercises", chapter=chapter))
    return finished(book, chapter, chapter.file, list(with_captions(book, cells)), keep_outputs)


def practice(book: Book, chapter: Chapter, solved: bool = False, notes: bool = False, links: bool = True):
    """The chapter's exercises, with what they need of it.

    Args:
        book: the book.
        chapter: the chapter.
        solved: whether solutions follow, as cells that run.
        notes: whether there are notes for the teacher.
        links: whether the notebook of exercises names that of the solutions.
    """
    cells = [text_cell("title", chapter=chapter, solved=solved, links=links)]
    if notes:
        cells.append(text_cell("overview", chapter=chapter))
    cells += needed(chapter)
    if chapter.introduction:
        cells.append(new_markdown_cell(chapter.introduction, id="edition-introduction"))
    for exercise in chapter.exercises:
        task, stub, hints, solution = copy.deepcopy(chapter.notebook.cells[exercise.start : exercise.start + 4])
        own = [task, stub, hints, *(solution_cells(exercise, stub, solution) if solved else [])]
        del task.metadata["icg"]["misconceptions"]
        for cell in own:
            cell.metadata["icg"] = cell.metadata.get("icg", {}) | {"exercise": exercise.label}
        cells += own
        if notes:
            cells.append(text_cell("notes", exercise.label, exercise=exercise, check=book.checks.get(exercise.check)))
    return finished(book, chapter, chapter.files[2 if solved else 1], cells)


def solution_cells(exercise: Exercise, stub, solution) -> list:
    """A solution as cells that run: its text, its code, and after the code the call of its check."""
    answer = SOLUTION.fullmatch(solution.source)[1]
    pieces = FENCED.split(f"**Solution: {exercise.title}**\n\n{answer}")  # text and code by turns
    cells = [(new_code_cell if number % 2 else new_markdown_cell)(text.strip()) for number, text in enumerate(pieces)]
    trial = f"checks.{exercise.check}({exercise.stub})"
    if exercise.check is None:  # what the stub does with the answer
        definitions = (ast.FunctionDef, ast.Import, ast.ImportFrom)
        body = [node for node in ast.parse(stub.source).body if not isinstance(node, definitions)]
        trial = "\n".join(ast.get_source_segment(stub.source, node) for node in body)
    if len(pieces) > 1:
        cells.insert(-1, new_code_cell(trial, metadata={"tags": ["check"] if exercise.check else []}))
    cells = [cell for cell in cells if cell.source]
    for number, cell in enumerate(cells):
        cell.id = f"{solution.id}-{number}"
    return cells
