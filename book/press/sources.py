"""Sphinx extension: folded under a picture, the source of the function that draws it.

A chapter draws by calls such as ``figures.erasing(...)``, where ``figures`` (or ``tables``) is a module of its folder
in ``icg_book``, or of the kit. The function's lines are found in the file; nothing is imported or run. A cell that is
such a call and nothing else has no box of its own on the page: its line stands above the function's.
"""

import ast
import json
import re
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path
from typing import NamedTuple

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

MODULES = ("figures", "tables")  # whose functions make pictures
LOGGER = logging.getLogger(__name__)


class Function(NamedTuple):
    """A function's text, decorators included, and its first and last line in the file."""

    text: str
    first: int
    last: int


def functions(source: str) -> dict[str, Function]:
    """The functions of a module, by name."""
    lines, found = source.splitlines(), {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            first = min(part.lineno for part in (node, *node.decorator_list))
            found[node.name] = Function("\n".join(lines[first - 1 : node.end_lineno]), first, node.end_lineno)
    return found


def parsed(cell: str) -> list[ast.stmt]:
    """A code cell's statements, without what is IPython's; none where it is no Python."""
    try:
        return ast.parse(re.sub(r"^\s*[%!].*", "", cell, flags=re.M)).body
    except SyntaxError:  # a cell that is meant to fail
        return []


def imported(cells: Iterable[str]) -> dict[str, str]:
    """Modules of pictures that these cells import: name in the cells -> file, from ``book/``."""
    found = {}
    for node in (node for cell in cells for node in parsed(cell) if isinstance(node, ast.ImportFrom)):
        if (node.module or "").startswith("icg_book."):
            folder = node.module.replace(".", "/")
            found |= {a.asname or a.name: f"{folder}/{a.name}.py" for a in node.names if a.name in MODULES}
    return found


def called(cell: str, modules: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Name of the module and of the function, for each that a cell calls; each once, in the order of the text."""
    calls = [
        node.func
        for statement in parsed(cell)
        for node in ast.walk(statement)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)
    ]
    calls.sort(key=lambda call: (call.end_lineno, call.end_col_offset))
    yield from dict.fromkeys((call.value.id, call.attr) for call in calls if call.value.id in modules)


def only_draws(cell: str, modules: dict[str, str]) -> bool:
    """Whether a cell is one call of a function that makes pictures, shown or printed, and nothing else.

    >>> only_draws("print(figures.one(x))", {"figures": "f.py"}), only_draws("x = 1", {"figures": "f.py"})
    (True, False)
    """
    statements = parsed(cell)
    return len(statements) == 1 and isinstance(statements[0], ast.Expr) and any(called(cell, modules))


def folded(name: str, function: Function, address: str, call: str = "") -> list[nodes.Node]:
    """The nodes of one function: a summary, and when it is opened its source and a link to the file's lines.

    Args:
        call: the cell that calls it, if it is to be shown there.
    """
    label = f"{address.rpartition('/book/')[2]}, lines {function.first} to {function.last}"
    link = (
        f'<a class="reference external" href="{escape(address)}#L{function.first}-L{function.last}">{escape(label)}</a>'
    )
    head = f'<details class="icg-source"><summary>Source of this figure: <code>{name}</code></summary>'
    return [
        nodes.raw("", head, format="html"),
        *([nodes.literal_block(call, call, language="ipython3")] if call else []),
        nodes.literal_block(function.text, function.text, language="python"),
        nodes.raw("", f"<p>{link}</p></details>", format="html"),
    ]


def add_sources(app: Sphinx, doctree: nodes.document) -> None:
    """Put the sources after the cells of a chapter that has just been read."""
    chapter = Path(app.env.doc2path(app.env.docname))
    if chapter.suffix != ".ipynb":
        return
    cells = json.loads(chapter.read_text("utf-8"))["cells"]
    code = {index: "".join(cell["source"]) for index, cell in enumerate(cells) if cell["cell_type"] == "code"}
    containers = {
        node["cell_index"]: node
        for node in doctree.findall(nodes.container)
        if node.get("nb_element") == "cell_code"  # those that myst-nb shows
    }
    modules = imported(code.values())
    theme = app.config.html_theme_options
    repository = f"{theme['repository_url']}/blob/{theme['repository_branch']}"
    for index, container in containers.items():
        added, call = [], ""
        source = next((node for node in container if node.get("nb_element") == "cell_code_source"), None)
        if source is not None and "hide_mode" not in container and only_draws(code[index], modules):
            call = code[index]
            container.remove(source)
        for module, name in called(code[index], modules):
            file = chapter.parent / modules[module]
            path = file.relative_to(app.srcdir).as_posix()
            app.env.note_dependency(path)
            known = functions(file.read_text("utf-8")) if file.is_file() else {}
            if name in known:
                added += folded(name, known[name], f"{repository}/{path}", call)
                call = ""  # once is enough
            else:
                LOGGER.warning(
                    "a cell calls %s.%s, but %s has no such function", module, name, path, location=container
                )
        # After the cell, not in it: myst-nb looks for the output at its end.
        place = container.parent.index(container) + 1
        container.parent[place:place] = added


def setup(app: Sphinx) -> dict:
    """Called by Sphinx."""
    app.connect("doctree-read", add_sources)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
