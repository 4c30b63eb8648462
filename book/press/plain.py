"""A chapter's MyST as plain Markdown, which reads well in Jupyter and Colab.

The book's own markup (directives, citations, references) stays raw there.
"""

import itertools
import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import yaml
from pybtex.database import parse_file
from pybtex.richtext import Text

from press.chapters import ROOT, Chapter, at, chapter_files, read_chapter, read_checks


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
BLANKS = re.compile(r"(?P<code>^ *(?P<fence>`{3,}).*?^ *(?P=fence)$)|\n{3,}", re.M | re.S)
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
        # One empty line is enough, but for code.
        return BLANKS.sub(lambda match: match["code"] or "\n\n", "\n".join(parts)).strip("\n")

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


def literal(text: str) -> str:
    """Plain text as Markdown: a product is no emphasis, and a comparison no tag."""
    text = " ".join(text.split())
    return outside_code(text, lambda part: re.sub(r"([\\*_<>$\[\]])", r"\\\1", part))
