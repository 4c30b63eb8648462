"""Student and teacher editions: `make student` and `make teacher` call this.

A classroom opens notebooks in Jupyter or Colab, where the book's own markup
(directives, citations, references) stays raw. Here it becomes plain Markdown, once
without the exercises' solutions and once with them in the open. An exercise is four
cells in a row, tagged exercise, stub, hints and solution.
"""

import argparse
import ast
import copy
import itertools
import posixpath
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import nbformat
import yaml
from nbformat.v4 import new_markdown_cell
from pybtex.database import parse_file
from pybtex.richtext import Text

ROOT = Path(__file__).resolve().parents[2]
EDITIONS = ("student", "teacher")
DIFFICULTIES = ("easy", "medium", "hard", "open")
PARTS = ("exercise", "stub", "hints", "solution")


@contextmanager
def at(where: str) -> Iterator[None]:
    """Put the place before the message of a ValueError."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


# ---- reading chapters


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
    def reading(self) -> int | None:
        """Minutes to read, as its first cell says."""
        found = re.search(r"About (\d+) minutes", self.notebook.cells[0].source)
        return int(found[1]) if found else None

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


# ---- what the checks say


def read_checks(folder: Path) -> dict[str, list[str]]:
    """What each check may say, by its name: the sentences in its code (not run)."""
    found = {}
    for file in sorted(folder.glob("*/checks.py")):
        body = ast.parse(file.read_text("utf-8")).body
        functions = {f.name: f for f in body if isinstance(f, ast.FunctionDef)}
        for name in functions:
            if name.startswith("check_"):
                said = dict.fromkeys(sentences(name, functions))
                found[name] = [s for s in said if not s.startswith("Nothing here yet")]
    return found


def sentences(name: str, functions: dict[str, ast.FunctionDef]) -> Iterator[str]:
    """Sentences in a function and in those of its module that it uses."""
    waiting, seen = [name], set()

    def texts(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print":
            return  # the praise
        if isinstance(node, ast.Name) and node.id in functions:
            waiting.append(node.id)
        elif isinstance(node, ast.JoinedStr):
            values = [getattr(part, "value", None) for part in node.values]
            yield "".join(v if isinstance(v, str) else "…" for v in values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.FunctionDef):
            for inside in node.body[ast.get_docstring(node) is not None :]:
                yield from texts(inside)
        else:
            for inside in ast.iter_child_nodes(node):
                yield from texts(inside)

    # Names of cases and parts of sentences are strings, too.
    sentence = re.compile(r"[A-Z\d`…](?!,)(\S*\s+){3}\S")
    while waiting:
        function = functions[waiting.pop(0)]
        if function.name in seen or function.decorator_list:  # references are silent
            continue
        seen.add(function.name)
        yield from filter(sentence.match, texts(function))


# ---- MyST to plain Markdown


class Piece(NamedTuple):
    """A piece of a cell; its kind is "text", "code" (fenced), "open" or "close".

    What opens and closes is a directive; then ``text`` is its title.
    """

    kind: str
    text: str
    directive: str = ""
    options: dict[str, str] | None = None


FENCE = re.compile(r"\s*(?P<fence>:{3,}|`{3,})(?:\{(?P<name>[\w:-]+)\})?(?P<rest>.*)")
OPTION = re.compile(r"\s*:(?P<key>[\w-]+):(?P<value>.*)")


def pieces(source: str) -> Iterator[Piece]:
    """Take a cell's Markdown apart at its fences.

    Raises:
        ValueError: a fence that is not closed.
    """
    lines = iter(source.split("\n"))
    waiting = next(lines, None)
    text: list[str] = []
    opened: list[tuple[str, str]] = []  # fences and names of directives
    while (line := waiting) is not None:
        waiting = next(lines, None)
        fence = FENCE.fullmatch(line)
        closes = bool(opened) and line.strip() == opened[-1][0]
        if not (closes or fence and (fence["name"] or fence["fence"][0] == "`")):
            text.append(line)
            continue
        if text:
            yield Piece("text", "\n".join(text))
            text = []
        if closes:
            yield Piece("close", "", opened.pop()[1])
        elif fence["name"]:
            options = {}
            while waiting is not None and (found := OPTION.fullmatch(waiting)):
                options[found["key"]] = found["value"].strip()
                waiting = next(lines, None)
            opened.append((fence["fence"], fence["name"]))
            yield Piece("open", fence["rest"].strip(), fence["name"], options)
        else:
            block = [line]
            while waiting is not None and waiting.strip() != fence["fence"]:
                block.append(waiting)
                waiting = next(lines, None)
            if waiting is None:
                raise ValueError(f"expected the fence {line.strip()} to be closed")
            yield Piece("code", "\n".join((*block, waiting)))
            waiting = next(lines, None)
    if opened:
        raise ValueError(f"expected the directive {opened[-1][1]} to be closed")
    if text:
        yield Piece("text", "\n".join(text))


NOTES = "note tip hint important warning caution danger attention error".split()
STATEMENTS = (
    "theorem lemma corollary proposition definition axiom example remark "
    "conjecture property criterion assumption observation algorithm"
).split()
LABEL = r"\((?P<label>[\w:.-]+)\)"
EQUATION = re.compile(r"\$\$(?P<body>[^$]+?)\s*\$\$[ \t]*" + LABEL)
TARGET = re.compile(rf"^{LABEL}=[ \t]*\n+(?=(?:#+ (?P<heading>.+))?)", re.M)
# A role, or inline code: what is in that stays as it is.
ROLE = re.compile(
    r"(?:\{(?P<role>[\w:+.-]+)\})?(?<!`)(?P<ticks>`+)(?!`)"
    r"(?P<text>(?:(?!\n\s*\n).)+?)(?<!`)(?P=ticks)(?!`)",
    re.S,
)
EXPLICIT = re.compile(r"(?P<text>.+?)\s*<(?P<target>[^<>]+)>", re.S)
LINK = re.compile(r"\[(?P<text>[^\[\]]*)\]\((?P<target>[^()\s]+)\)")


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """Apply ``change`` to what is neither inline code nor a role."""
    parts, position = [], 0
    for match in ROLE.finditer(text):
        parts += [change(text[position : match.start()]), match[0]]
        position = match.end()
    return "".join((*parts, change(text[position:])))


def decoded(latex: str) -> str:
    return str(Text.from_latex(latex)).replace("\N{NO-BREAK SPACE}", " ")


def split_keys(text: str) -> list[str]:
    return [key.strip() for key in text.split(",")]


@dataclass
class Book:
    """All chapters, and what they refer to: each other, and works of others.

    Attributes:
        chapters: in order.
        address: of the repository's files, for links to what is no chapter.
        bibliography: pybtex entries by key.
        checks: what each check may say, by its name.
        labels: what a label stands for, in words, and its chapter.
    """

    chapters: list[Chapter]
    address: str
    bibliography: dict = field(default_factory=dict)
    checks: dict[str, list[str]] = field(default_factory=dict)
    labels: dict[str, tuple[str, Chapter]] = field(default_factory=dict)

    def __post_init__(self):
        self._compare_stubs()
        # Numbers are those of the built book: equations count in each page anew.
        statements = dict.fromkeys(STATEMENTS, 0)
        for chapter in self.chapters:
            equations = itertools.count(1)
            for cell in chapter.notebook.cells:
                if cell.cell_type != "markdown":
                    continue
                with at(f"{chapter.file}, cell {cell.id}"):
                    for label, words in labelled(cell.source, statements, equations):
                        if label in self.labels:
                            other = self.labels[label][1].file
                            raise ValueError(f"expected a new label, got {label}, as in {other}")
                        self.labels[label] = (words, chapter)

    def _compare_stubs(self):
        known: dict[str, str] = {}
        for chapter in self.chapters:
            for exercise in chapter.exercises:
                where = f"{chapter.file} ({exercise.label})"
                if exercise.stub in known:
                    raise ValueError(
                        f"{where}: expected a new name for the stub's function, "
                        f"got {exercise.stub}, as in {known[exercise.stub]}"
                    )
                if exercise.check and exercise.check not in self.checks:
                    raise ValueError(f"{where}: expected a check in book/icg_book/*/checks.py, got {exercise.check}")
                if exercise.stub:
                    known[exercise.stub] = where

    @classmethod
    def read(cls, root: Path = ROOT) -> "Book":
        """The book of a checkout.

        Raises:
            ValueError: no edition can be made of a chapter; says where and why.
        """
        config = yaml.safe_load((root / "_config.yml").read_text("utf-8"))
        repository, bibliography = config["repository"], {}
        for file in config.get("bibtex_bibfiles", ()):
            bibliography |= parse_file(str(root / file), "bibtex").entries
        return cls(
            [read_chapter(file) for file in chapter_files(root)],
            f"{repository['url']}/blob/{repository['branch']}",
            bibliography,
            read_checks(root / "book" / "icg_book"),
        )

    def plain(self, source: str, here: Chapter, cited: set[str] | None = None) -> str:
        """A cell's MyST as Markdown that reads well in Jupyter and Colab.

        Args:
            source: the cell's text.
            here: the chapter that it stands in.
            cited: takes up the keys of the works that are cited.

        Raises:
            ValueError: a directive, role, label or key that is not known.
        """
        cited = set() if cited is None else cited
        parts = []
        for piece in pieces(source):
            if piece.kind == "code":
                parts.append(piece.text)
            elif piece.kind == "text":
                parts.append(self._text(piece.text, here, cited))
            elif piece.kind == "open":
                parts.append(f"\n{self._text(self._heading(piece), here, cited)}\n")
            else:
                parts.append("\n∎\n" if piece.directive == "prf:proof" else "")
        return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).strip("\n")

    def _heading(self, piece: Piece) -> str:
        kind, title = piece.directive, piece.text
        if kind == "exercise":
            return f"**Exercise: {title}**"
        if kind == "admonition":
            return f"**{title}**"
        if kind in NOTES:
            return f"**{kind.capitalize()}.** {title}".strip()
        if kind == "prf:proof":
            return f"**Proof** ({title})." if title else "**Proof.**"
        if kind.removeprefix("prf:") in STATEMENTS and kind.startswith("prf:"):
            label = piece.options.get("label")
            if label is None:
                raise ValueError(f"expected a :label: in {kind}")
            return f"**{self.labels[label][0]} ({title}).**".replace(" ()", "")
        raise ValueError(f"expected a directive with a plain form, got {kind}")

    def _text(self, text: str, here: Chapter, cited: set[str]) -> str:
        def equation(match: re.Match) -> str:
            number = self.labels[match["label"]][0].strip("()")
            return f"$${match['body']} \\tag{{{number}}}\n$$"

        text = EQUATION.sub(equation, TARGET.sub("", text))
        text = outside_code(text, lambda part: LINK.sub(lambda m: self._link(m, here), part))
        return ROLE.sub(lambda match: self._role(match, here, cited), text)

    def _link(self, match: re.Match, here: Chapter) -> str:
        text, (target, _, anchor) = match["text"], match["target"].partition("#")
        if not target and anchor in self.labels:
            return text or self.refer(anchor, here)
        chapters = {chapter.file for chapter in self.chapters}
        if not target or target in chapters or re.match(r"\w+:|/", target):
            return match[0]
        path = posixpath.normpath(posixpath.join("book", target))
        return f"[{text}]({self.address}/{path}{'#' if anchor else ''}{anchor})"

    def _role(self, match: re.Match, here: Chapter, cited: set[str]) -> str:
        role, text = match["role"], match["text"]
        if role is None:
            return match[0]
        if role in {"cite", "cite:p", "cite:t"}:
            cited.update(split_keys(text))
            return self.cite(text, in_sentence=role == "cite:t")
        explicit = EXPLICIT.fullmatch(text)
        target = explicit["target"] if explicit else text.strip()
        if role in {"eq", "ref", "numref", "prf:ref"}:
            words = self.refer(target, here)
        elif role == "doc":
            file = f"{posixpath.basename(target).removesuffix('.ipynb')}.ipynb"
            titles = {chapter.file: chapter.title for chapter in self.chapters}
            if file not in titles:
                raise ValueError(f"expected a chapter, got {target}")
            words = f"[{explicit['text'] if explicit else titles[file]}]({file})"
            return words
        else:
            raise ValueError(f"expected a role with a plain form, got {match[0]}")
        return explicit["text"] if explicit else words

    def refer(self, label: str, here: Chapter) -> str:
        """What a label stands for, in words."""
        if label not in self.labels:
            raise ValueError(f"expected the label of something, got {label}")
        words, chapter = self.labels[label]
        if chapter is here:
            return words
        return f"{words} of [{chapter.title}]({chapter.file})"

    def cite(self, keys: str, in_sentence: bool = False) -> str:
        """Author and year: (Author, 2020), or Author (2020) within a sentence."""
        works = []
        for key in split_keys(keys):
            if key not in self.bibliography:
                raise ValueError(f"expected a key of the bibliography, got {key}")
            names, year = self._names(key), self.bibliography[key].fields["year"]
            first = names[0] if len(names) < 3 else f"{names[0]} et al."
            author = " and ".join(names) if len(names) == 2 else first
            works.append(f"{author} ({year})" if in_sentence else f"{author}, {year}")
        return " and ".join(works) if in_sentence else f"({'; '.join(works)})"

    def _names(self, key: str, given: bool = False) -> list[str]:
        names = []
        for person in self.bibliography[key].persons["author"]:
            first = (*person.first_names, *person.middle_names) if given else ()
            words = (*first, *person.prelast_names, *person.last_names)
            names.append(" ".join(map(decoded, words)))
        return names

    def work(self, key: str) -> str:
        """An entry of a list of references, in Markdown."""
        fields, names = self.bibliography[key].fields, self._names(key, given=True)
        address = fields.get("url")
        for name, site in (("doi", "doi.org"), ("eprint", "arxiv.org/abs")):
            if address is None and name in fields:
                address = f"https://{site}/{fields[name]}"
        title = f"*{decoded(fields['title'])}*"
        places = ("journal", "booktitle", "institution", "publisher", "note")
        place = next((decoded(fields[name]) for name in places if name in fields), "")
        entry = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
        entry += f" ({fields['year']}). {f'[{title}]({address})' if address else title}."
        return f"{entry} {place}." if place else entry


def labelled(source: str, statements: dict[str, int], equations) -> Iterator:
    """Labels in a cell and what each is called in a sentence; counts on."""
    for piece in pieces(source):
        if piece.kind == "text":
            for match in EQUATION.finditer(piece.text):
                yield match["label"], f"({next(equations)})"
            for match in TARGET.finditer(piece.text):
                yield match["label"], f"“{match['heading'] or match['label']}”"
        elif piece.kind == "open":
            kind = piece.directive.removeprefix("prf:")
            words = f"the exercise “{piece.text}”"
            if kind in statements:
                words = kind.capitalize()
                if "nonumber" not in piece.options:
                    statements[kind] += 1
                    words += f" {statements[kind]}"
            if "label" in piece.options:
                yield piece.options["label"], words


# ---- the editions


def edition(book: Book, chapter: Chapter, kind: str, run_time: str | None = None):
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
        cells.insert(0, overview(chapter, run_time))
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


def literal(text: str) -> str:
    """Plain text as Markdown: a product is no emphasis, and a comparison no tag."""
    text = " ".join(text.split())
    return outside_code(text, lambda part: re.sub(r"([\\*_<>$\[\]])", r"\\\1", part))


def overview(chapter: Chapter, run_time: str | None):
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
    if run_time:
        text += f"When the book was built, the notebook ran in {run_time}. "
    text += "Each solution stands open below, with notes for the teacher after it."
    return new_markdown_cell(text, id="edition-overview")


def measured(chapter: Chapter, build: Path) -> str | None:
    """How long the chapter ran in the built book, as its last cell printed it.

    None if there is no executed copy, or only one of other code than it has now.
    """

    def code(notebook):
        return [cell for cell in notebook.cells if cell.cell_type == "code"]

    now = [cell.source for cell in code(chapter.notebook)]
    cache = build.glob(".jupyter_cache/executed/*/base.ipynb")
    for file in (build / "jupyter_execute" / "book" / chapter.file, *sorted(cache)):
        if not file.is_file():
            continue
        cells = code(nbformat.read(file, as_version=4))
        if [cell.source for cell in cells] == now:
            printed = [o.get("text", "") for cell in cells for o in cell.outputs]
            if times := re.findall(r"took ([\d.]+ s) to run", "".join(printed)):
                return times[-1]
    return None


def index(book: Book, kind: str, run_times: dict[str, str | None]) -> str:
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
    text += f"{' measured run |' if teacher else ''}\n|---|--:|--:|--:|"
    text += f"{'--:|' if teacher else ''}\n"
    for chapter in book.chapters:
        text += f"| [{chapter.title}]({chapter.file}) | {chapter.reading or '–'} "
        text += f"| {len(chapter.exercises)} | {chapter.practice} |"
        text += f" {run_times[chapter.file] or '–'} |\n" if teacher else "\n"
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
    run_times = {c.file: measured(c, root / "_build") for c in book.chapters}
    notebooks = {c.file: edition(book, c, kind, run_times[c.file]) for c in book.chapters}
    if out is None:
        out = root / "_build" / kind
        shutil.rmtree(out, ignore_errors=True)  # no chapter of before stays behind
    out.mkdir(parents=True, exist_ok=True)
    for file, notebook in notebooks.items():
        nbformat.write(notebook, out / file)
    (out / "README.md").write_text(index(book, kind, run_times), "utf-8")
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
