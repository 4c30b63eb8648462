"""A chapter's MyST as plain Markdown, which reads well in Jupyter and Colab.

The book's own markup stays raw there. What the chapters use of it has a plain form: exercises, statements, proofs and
notes; labels, citations and links. Other markup is refused; what is none stays as it is, to the byte.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urljoin

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.colon_fence import colon_fence_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.myst_blocks import myst_block_plugin
from pybtex.plugin import find_plugin

from press.chapters import Chapter

PARSER = MarkdownIt("commonmark").use(colon_fence_plugin).use(dollarmath_plugin).use(myst_block_plugin)
BIBLIOGRAPHY = find_plugin("pybtex.style.formatting", "plain")()  # as on the book's own page of references
MARKDOWN = find_plugin("pybtex.backends", "markdown")("utf-8")
REMARKS = ("note", "tip", "warning", "prf:proof")  # directives that begin with their own name
DIRECTIVE = re.compile(
    r"\{(?P<kind>[\w:-]+)\} *(?P<title>.*)\n"
    r"(?::label: (?P<label>\S+)\n|:[\w-]+:.*\n)*"  # other options are for the page alone
    r"(?P<body>(?s:.*))"
)
INLINE = re.compile(
    r"(?P<fixed>(`+|\$+).+?\2)"  # code and maths: what looks like markup inside of them is none
    r"|\{(?P<role>[\w:+-]+)\}`(?P<content>[^`]+)`"
    r"|(?<=\]\()(?P<target>[^\s)]+)",
    re.S,
)
# One empty line is enough, but for code.
BLANKS = re.compile(r"(?P<code>^ *(?P<fence>`{3,}).*?^ *(?P=fence)$)|\n{3,}", re.M | re.S)


def tokens(source: str) -> list[Token]:
    """The parts of a cell, with the lines that they take.

    Raises:
        ValueError: a fence that is not closed, or one of MyST's targets, comments or breaks.
    """
    lines, found = source.split("\n"), [token for token in PARSER.parse(source) if token.map]
    for token in found:
        first, end = token.map
        if token.type.startswith("myst_"):
            raise ValueError(f"expected markup with a plain form, got {lines[first]}")
        if token.type.endswith("fence") and (end == first + 1 or lines[end - 1].strip().strip(token.markup[0])):
            raise ValueError(f"expected the fence {token.markup}{token.info} to be closed")
    return found


def directive(token: Token) -> re.Match | None:
    """Kind, title, label and body of a directive, if this is one."""
    return DIRECTIVE.fullmatch(f"{token.info.strip()}\n{token.content}") if token.type.endswith("fence") else None


def labels(source: str, chapter: int, numbers: Counter) -> Iterator[tuple[str, str]]:
    """Labels in a cell, and what each is called in a sentence; ``numbers`` counts equations and statements on."""
    for token in tokens(source):
        found = directive(token)
        if token.type == "math_block_label":
            numbers["equation"] += 1
            yield token.info, f"({chapter}.{numbers['equation']})"
        elif found:
            if found["label"]:
                kind = found["kind"].removeprefix("prf:")
                numbers[kind] += 1
                number = f"“{found['title']}”" if kind == "exercise" else f"{chapter}.{numbers[kind]}"
                yield found["label"], f"{kind.capitalize()} {number}"
            yield from labels(found["body"], chapter, numbers)


def literal(text: str) -> str:
    """Plain text as Markdown: a product is no emphasis, and a comparison no tag; code stays."""
    parts = re.split(r"(`[^`]+`)", " ".join(text.split()))
    return "".join(part if part[:1] == "`" else re.sub(r"([\\*_<>$\[\]])", r"\\\1", part) for part in parts)


@dataclass
class Plain:
    """What is needed to say in words what a chapter refers to.

    Attributes:
        bibliography: pybtex entries by key.
        address: of the repository's files, for links to what is no notebook.
        labels: what each label stands for, and its chapter.
        notebooks: what stands before the name of a notebook in a link to it.
    """

    bibliography: dict
    address: str
    labels: dict[str, tuple[str, Chapter]]
    notebooks: str

    def plain(self, source: str, here: str, cited: set[str]) -> str:
        """A cell's MyST as Markdown that reads well in Jupyter and Colab.

        Args:
            source: the cell's text.
            here: the file that it will stand in.
            cited: takes up the keys of the works that are cited.

        Raises:
            ValueError: markup without a plain form, or a label or key that is not known.
        """
        lines = source.split("\n")
        for token in reversed(tokens(source)):  # from the end, so that the places of those before stay right
            place = slice(*token.map)
            if token.type == "inline":
                text = INLINE.sub(lambda found: self._inline(found, here, cited), "\n".join(lines[place]))
            elif token.type == "math_block_label":
                number = self.labels[token.info][0].strip("()")
                text = f"$${token.content.rstrip()} \\tag{{{number}}}\n$$"
            elif found := directive(token):
                text = f"\n{self.plain(self._spelt_out(found), here, cited)}\n"
            else:
                continue
            lines[place] = text.split("\n")
        return BLANKS.sub(lambda match: match["code"] or "\n\n", "\n".join(lines)).strip("\n")

    def _spelt_out(self, directive: re.Match) -> str:
        """A directive's text under a heading in bold."""
        kind, title = directive["kind"], directive["title"].strip()
        if kind == "exercise":
            heading = f"**Exercise: {title}**"
        elif kind in REMARKS:
            heading = f"**{kind.removeprefix('prf:').capitalize()}.** {title}"
        elif kind.startswith("prf:") and directive["label"]:
            heading = f"**{self.labels[directive['label']][0]} ({title}).**".replace(" ()", "")
        else:
            raise ValueError(f"expected a directive with a plain form, or a statement with a :label:, got {kind}")
        return f"{heading.strip()}\n\n{directive['body']}" + "\n\n∎" * (kind == "prf:proof")

    def _inline(self, found: re.Match, here: str, cited: set[str]) -> str:
        """A role, or the target of a link."""
        role, content, target = found.group("role", "content", "target")
        if found["fixed"]:
            return found["fixed"]
        if role == "cite:p":
            keys = [key.strip() for key in content.split(",")]
            cited.update(keys)
            return self.cite(keys)
        if role in ("eq", "prf:ref", "numref"):
            return self.refer(content, here)
        if role:
            raise ValueError(f"expected a role with a plain form, got {{{role}}}`{content}`")
        if target.startswith("#"):
            raise ValueError(f"expected {{eq}} or {{prf:ref}} for a label, got a link to {target}")
        is_chapter = re.match(r"[\w-]+\.ipynb", target)
        return self.notebooks + target if is_chapter else urljoin(f"{self.address}/book/", target)

    def refer(self, label: str, here: str) -> str:
        """What a label stands for, in words."""
        if label not in self.labels:
            raise ValueError(f"expected the label of something, got {label}")
        words, chapter = self.labels[label]
        return words if here == chapter.file else f"{words} of [{chapter.title}]({self.notebooks}{chapter.file})"

    def cite(self, keys: list[str]) -> str:
        """Authors and years: (One, 2020; One and Two, 2021; One et al., 2022)."""
        works = []
        for key in keys:
            if key not in self.bibliography:
                raise ValueError(f"expected a key of the bibliography, got {key}")
            entry = self.bibliography[key]
            people = [(*person.rich_prelast_names, *person.rich_last_names) for person in entry.persons["author"]]
            names = [" ".join(map(str, person)) for person in people]
            author = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
            works.append(f"{author}, {entry.fields['year']}")
        return f"({'; '.join(works)})"

    def works(self, keys: set[str]) -> str:
        """A list of references, in Markdown."""
        entries = BIBLIOGRAPHY.format_entries([self.bibliography[key] for key in keys])
        return "\n".join(f"- {' '.join(entry.text.render(MARKDOWN).split())}" for entry in entries)
