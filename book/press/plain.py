"""A chapter's MyST as plain Markdown, which reads well in Jupyter and Colab.

The book's own markup (directives, citations, references) stays raw there. It is read as the book reads it; what is no
such markup stays as it is, to the byte.
"""

import itertools
import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.rules_inline import image, link
from markdown_it.token import Token
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.colon_fence import colon_fence_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.front_matter import front_matter_plugin
from mdit_py_plugins.myst_blocks import myst_block_plugin
from mdit_py_plugins.myst_role import myst_role_plugin
from mdit_py_plugins.myst_role.index import myst_role
from pybtex.plugin import find_plugin
from pybtex.richtext import Text

NOTES = "note tip hint important warning caution danger attention error".split()
STATEMENTS = (
    "theorem lemma corollary proposition definition axiom example remark "
    "conjecture property criterion assumption observation algorithm"
).split()
BLOCKS = {"fence", "colon_fence", "code_block", "math_block", "math_block_label", "amsmath", "myst_target"}
DIRECTIVE = re.compile(r"\{(?P<name>[\w:-]+)\}(?P<title>.*)")
OPTION = re.compile(r"\s*:(?P<key>[\w-]+):(?P<value>.*)")
EXPLICIT = re.compile(r"(?P<text>.+?)\s*<(?P<target>[^<>]+)>", re.S)
LINK = re.compile(r"(?P<opening>!?\[)(?P<text>.*)\]\((?P<target>\S*?)(?P<rest>(?:\s.*)?)\)", re.S)
# One empty line is enough, but for code.
BLANKS = re.compile(r"(?P<code>^ *(?P<fence>`{3,}).*?^ *(?P=fence)$)|\n{3,}", re.M | re.S)
BIBLIOGRAPHY = find_plugin("pybtex.style.formatting", "plain")()  # as on the book's own page of references
MARKDOWN = find_plugin("pybtex.backends", "markdown")("utf-8")


# ---- taking Markdown apart


def located(rule: Callable) -> Callable:
    """A rule for what stands in a line, which also notes where it found what."""

    def rule_and_note(state, silent: bool) -> bool:
        start = state.pos
        found = rule(state, silent)
        if found and not silent:
            state.env.setdefault("found", []).append((start, state.pos, state.tokens[-1]))
        return found

    return rule_and_note


# As myst_parser's create_md_parser puts it together, without Sphinx, which that needs.
PARSER = (
    MarkdownIt("commonmark")
    .enable("table")
    .use(front_matter_plugin)
    .use(myst_block_plugin)
    .use(myst_role_plugin)
    .use(footnote_plugin, inline=False)
    .use(colon_fence_plugin)
    .use(dollarmath_plugin, double_inline=True)
    .use(amsmath_plugin)
)
for name, rule in {"myst_role": myst_role, "link": link, "image": image}.items():
    PARSER.inline.ruler.at(name, located(rule))


class Block(NamedTuple):
    """Lines of a cell and the token that they are; a directive has a name, a title and options, too."""

    kind: str  # "text", "directive", or the token's type
    text: str  # a directive's is what is inside of it
    token: Token | None = None
    name: str = ""
    title: str = ""
    options: dict[str, str] | None = None


def blocks(source: str) -> Iterator[Block]:
    """The blocks of a cell that are more than text, and the text between them.

    Raises:
        ValueError: a fence that is not closed.
    """
    lines, done = source.split("\n"), 0
    for token in PARSER.parse(source):
        if token.type not in BLOCKS or token.map[0] < done:
            continue
        start, end = token.map
        if start > done:
            yield Block("text", "\n".join(lines[done:start]))
        done = end
        directive = DIRECTIVE.fullmatch(token.info.strip())
        if token.type.endswith("fence") and (end == start + 1 or not lines[end - 1].strip().startswith(token.markup)):
            what = f"directive {directive['name']}" if directive else f"fence {token.markup}{token.info}"
            raise ValueError(f"expected the {what} to be closed")
        if token.type.endswith("fence") and directive:
            inside = token.content.rstrip("\n").split("\n")
            options = [found for line in itertools.takewhile(OPTION.fullmatch, inside) if (found := OPTION.match(line))]
            yield Block(
                "directive",
                "\n".join(inside[len(options) :]),
                token,
                directive["name"],
                directive["title"].strip(),
                {option["key"]: option["value"].strip() for option in options},
            )
        else:
            yield Block(token.type, "\n".join(lines[start:end]), token)
    if done < len(lines):
        yield Block("text", "\n".join(lines[done:]))


def labelled(source: str, statements: dict[str, int], equations: Iterator[int]) -> Iterator[tuple[str, str, bool]]:
    """Labels in a cell, what each is called in a sentence, and whether it is an exercise's.

    ``statements`` and ``equations`` count on.
    """
    target = None
    for block in blocks(source):
        kind = block.name.removeprefix("prf:")
        if target:  # of the heading below it
            heading = re.match(r"\s*#+ (.+)", block.text)
            yield target, f"“{heading[1] if heading else target}”", False
        target = block.token.content if block.kind == "myst_target" else None
        if block.kind == "math_block_label":
            yield block.token.info, f"({next(equations)})", False
        elif block.kind == "directive":
            words = f"the exercise “{block.title}”"
            if kind in statements:
                words = kind.capitalize()
                if "nonumber" not in block.options:
                    statements[kind] += 1
                    words += f" {statements[kind]}"
            if "label" in block.options:
                yield block.options["label"], words, kind == "exercise"
            yield from labelled(block.text, statements, equations)


def literal(text: str) -> str:
    """Plain text as Markdown: a product is no emphasis, and a comparison no tag; code stays."""
    parts = re.split(r"(`[^`]+`)", " ".join(text.split()))
    return "".join(part if part[:1] == "`" else re.sub(r"([\\*_<>$\[\]])", r"\\\1", part) for part in parts)


# ---- putting it together again


@dataclass
class Plain:
    """What is needed to say in words what a chapter refers to.

    Attributes:
        bibliography: pybtex entries by key.
        address: of the repository's files, for links to what is no notebook.
        titles: of the chapters, by the names of their notebooks.
        labels: what a label stands for, in words; the title of its chapter; the files that show it.
        notebooks: what stands before the name of a notebook in a link to it.
    """

    bibliography: dict
    address: str
    titles: dict[str, str]
    labels: dict[str, tuple[str, str, tuple[str, ...]]] = field(default_factory=dict)
    notebooks: str = ""

    def plain(self, source: str, here: str, cited: set[str] | None = None) -> str:
        """A cell's MyST as Markdown that reads well in Jupyter and Colab.

        Args:
            source: the cell's text.
            here: the file that it will stand in.
            cited: takes up the keys of the works that are cited.

        Raises:
            ValueError: a directive, role, label or key that is not known.
        """
        cited = set() if cited is None else cited
        parts = []
        for block in blocks(source):
            if block.kind == "text":
                parts.append(self._text(block.text, here, cited))
            elif block.kind == "directive":
                heading = self._text(self._heading(block), here, cited)
                end = "\n\n∎" if block.name == "prf:proof" else ""
                parts.append(f"\n{heading}\n\n{self.plain(block.text, here, cited)}{end}\n")
            elif block.kind == "math_block_label":
                number = self.labels[block.token.info][0].strip("()")
                parts.append(f"$${block.token.content.rstrip()} \\tag{{{number}}}\n$$")
            elif block.kind != "myst_target":
                parts.append(block.text)
        return BLANKS.sub(lambda match: match["code"] or "\n\n", "\n".join(parts)).strip("\n")

    def _heading(self, block: Block) -> str:
        kind, title = block.name, block.title
        if kind == "exercise":
            return f"**Exercise: {title}**"
        if kind == "admonition":
            return f"**{title}**"
        if kind in NOTES:
            return f"**{kind.capitalize()}.** {title}".strip()
        if kind == "prf:proof":
            return f"**Proof** ({title})." if title else "**Proof.**"
        if kind.startswith("prf:") and kind.removeprefix("prf:") in STATEMENTS:
            if "label" not in block.options:
                raise ValueError(f"expected a :label: in {kind}")
            return f"**{self.labels[block.options['label']][0]} ({title}).**".replace(" ()", "")
        raise ValueError(f"expected a directive with a plain form, got {kind}")

    def _text(self, text: str, here: str, cited: set[str]) -> str:
        """Text with its roles and links in plain form, paragraph by paragraph."""
        return "".join(self._inline(part, here, cited) for part in re.split(r"(\n\s*\n)", text))

    def _inline(self, text: str, here: str, cited: set[str]) -> str:
        found: dict = {}
        PARSER.inline.parse(text, PARSER, found, [])
        parts, done = [], 0
        for start, end, token in sorted(found.get("found", []), key=lambda place: place[:2]):
            if start >= done:  # not in the one before
                is_role = token.type == "myst_role"
                new = self._role(token, here, cited) if is_role else self._link(text[start:end], here, cited)
                parts += [text[done:start], new]
                done = end
        return "".join((*parts, text[done:]))

    def _link(self, raw: str, here: str, cited: set[str]) -> str:
        found = LINK.fullmatch(raw)
        if found is None:  # by reference
            return raw
        text, target = self._inline(found["text"], here, cited), found["target"]
        file, _, anchor = target.partition("#")
        if not file and anchor in self.labels:
            return text or self.refer(anchor, here)
        if file in self.titles:
            target = self.notebooks + target
        elif file and not re.match(r"\w+:|/", file):
            path = posixpath.normpath(posixpath.join("book", file))
            target = f"{self.address}/{path}{'#' if anchor else ''}{anchor}"
        return f"{found['opening']}{text}]({target}{found['rest']})"

    def _role(self, token: Token, here: str, cited: set[str]) -> str:
        role, content = token.meta["name"], token.content.strip()
        explicit = EXPLICIT.fullmatch(content)
        target = explicit["target"] if explicit else content
        if role in {"cite", "cite:p", "cite:t"}:
            keys = [key.strip() for key in content.split(",")]
            cited.update(keys)
            return self.cite(keys, in_sentence=role == "cite:t")
        if role in {"eq", "ref", "numref", "prf:ref"}:
            words = self.refer(target, here)
            return explicit["text"] if explicit else words
        if role == "doc":
            file = f"{posixpath.basename(target).removesuffix('.ipynb')}.ipynb"
            if file not in self.titles:
                raise ValueError(f"expected a chapter, got {target}")
            return f"[{explicit['text'] if explicit else self.titles[file]}]({self.notebooks}{file})"
        raise ValueError(f"expected a role with a plain form, got {{{role}}}`{token.content}`")

    def refer(self, label: str, here: str) -> str:
        """What a label stands for, in words."""
        if label not in self.labels:
            raise ValueError(f"expected the label of something, got {label}")
        words, title, files = self.labels[label]
        return words if here in files else f"{words} of [{title}]({self.notebooks}{files[0]})"

    def cite(self, keys: list[str], in_sentence: bool = False) -> str:
        """Author and year: (Author, 2020), or Author (2020) within a sentence."""
        works = []
        for key in keys:
            if key not in self.bibliography:
                raise ValueError(f"expected a key of the bibliography, got {key}")
            entry = self.bibliography[key]
            people = [" ".join((*p.prelast_names, *p.last_names)) for p in entry.persons["author"]]
            names = [str(Text.from_latex(name)) for name in people]
            author = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
            year = entry.fields["year"]
            works.append(f"{author} ({year})" if in_sentence else f"{author}, {year}")
        return " and ".join(works) if in_sentence else f"({'; '.join(works)})"

    def works(self, keys: set[str]) -> str:
        """A list of references, in Markdown."""
        entries = BIBLIOGRAPHY.format_entries([self.bibliography[key] for key in keys])
        return "\n".join(f"- {' '.join(entry.text.render(MARKDOWN).split())}" for entry in entries)
