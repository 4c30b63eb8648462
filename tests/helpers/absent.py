"""What a page says of pictures that it doesn't show: the same words are looked for in sources, outputs and built pages.

Where a text depends on the data sets, a chapter writes both in a cell of ``gallery.text(photographs=…, stand_ins=…)``.
"""

import ast
import re
from collections.abc import Iterator

from press.sources import called, imported

# Of a place where something is missing, and of a text that leaves it to the reader which case is theirs.
HOLES = re.compile(
    r"not shown:|needs the (?:data set|photographs)|left out, and says|(?:data set|photographs) (?:is|are) missing"
    r"|if you have the (?:data set|photographs)|with(?:out)? the (?:data set|photographs)\b[,:]|nothing to show",
    re.I,
)
WITH_DATA = re.compile(r"MNIST is here|the photographs are here|MNIST, test set", re.I)
WITHOUT = re.compile(r"stands? in for (?:MNIST|Imagenette)", re.I)


def said(cell) -> str:
    """What a reader reads in a cell: the text of a Markdown cell, or of what a code cell has shown."""
    if cell.cell_type == "markdown":
        return cell.source
    parts = []
    for output in cell.get("outputs", ()):
        data = output.get("data", {})
        kind = next((kind for kind in ("text/html", "text/markdown") if kind in data), None)
        parts.append(data[kind] if kind else output.get("text", ""))
    return readable("\n".join(parts))


def readable(html: str) -> str:
    """HTML without what is not read: scripts, styles, sources of figures, tags. Alternative texts are read."""
    html = re.sub(r"<(script|style|pre)\b.*?</\1>", " ", html, flags=re.S)
    html = re.sub(r"\balt=(['\"])(.*?)\1", r">\2<i ", html, flags=re.S)
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def choices(cell) -> dict[str, str]:
    """The texts of a cell that chooses between two, by the names of ``gallery.text``; none of another cell."""
    if ".text(" not in cell.source:
        return {}
    (statement,) = ast.parse(cell.source).body
    return {part.arg: " ".join(ast.literal_eval(part.value).split()) for part in statement.value.keywords}


def empty_figures(cells) -> Iterator[str]:
    """The calls of figures and tables in an executed notebook whose cell has shown no picture, no HTML, and no line."""
    modules = imported(cell.source for cell in cells if cell.cell_type == "code")
    for cell in (cell for cell in cells if cell.cell_type == "code"):
        calls = list(called(cell.source, modules))
        shown = {kind for output in cell.outputs for kind in output.get("data", {})}
        lines = "print(" in cell.source and any(output.get("text", "").strip() for output in cell.outputs)
        if calls and not lines and not shown & {"image/png", "image/svg+xml", "text/html"}:
            yield from (f"{module}.{name}" for module, name in calls)


def faults(cells) -> list[str]:
    """What is wrong with a notebook that was executed without the data sets."""
    found = [f"{call} shows nothing" for call in empty_figures(cells)]
    for cell in cells:
        text = said(cell)
        found += [f"{cell.id}: {match[0]}" for look in (HOLES, WITH_DATA) for match in look.finditer(text)]
        if cell.cell_type == "code" and (texts := choices(cell)):
            words = " ".join(text.split())
            found += [f"{cell.id}: {name}" for name, told in texts.items() if (told in words) != (name == "stand_ins")]
    return found
