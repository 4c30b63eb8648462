"""Finds what is left of the book's own markup in a notebook, where Jupyter and Colab would show it raw."""

import re

FENCED = re.compile(r"^ *(`{3,})(?!\{).*?^ *\1 *$", re.S | re.M)  # code, not a directive
INLINE = re.compile(r"(?<![`}])(`+)(?!`)(?:(?!\n\s*\n).)+?(?<!`)\1(?!`)", re.S)  # code, not a role
RAW = {
    "directive": r"^ *(:{3,}|`{3,}) *\{",
    "colon fence": r"^ *:{3,}",
    "role": r"\{[\w:+.-]+\}`",
    "citation": r"\{cite",
    "label of an equation": r"\$\$ *\([\w:.-]+\)",
    "target": r"^\([\w:.-]+\)=",
    "reference": r"\]\(#(?:eq|def|thm|ex|prf)-",
    "option": r"^:(?:label|class|nonumber|name|width|alt|align):",
    "substitution": r"\{\{.+?\}\}",
    "comment": r"^% ",
    "break": r"^\+\+\+",
}


def raw_myst(notebook) -> list[tuple[str, str]]:
    """Each piece of MyST in the Markdown cells, outside of code: the cell's id and what it is."""
    found = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            text = INLINE.sub("", FENCED.sub("", cell.source))
            found += [(cell.id, kind) for kind, raw in RAW.items() for _ in re.finditer(raw, text, re.M)]
    return found
