"""Sphinx extension: what a page folds away says what it is.

Code that a page hides has a title in its metadata, ``{"icg": {"title": "..."}}``, as has output that it hides. The page
shows the title where myst-nb says "Show code cell source". Cells to begin an exercise from are folded as well: a page
has nothing to type them into, and the notebooks show them.
"""

import json
import re

from sphinx.application import Sphinx

from press.chapters import title_of_hidden

HIDDEN = ("hide-input", "hide-output", "hide-cell")
STUB = "Begin here, in a notebook"


def titled(source: str) -> str:
    """A notebook's text with the titles where myst-nb looks for them, and with folded stubs."""
    notebook = json.loads(source)
    for cell in notebook["cells"]:
        metadata = cell["metadata"]
        tags = metadata.get("tags", [])
        title = title_of_hidden(cell)
        if "stub" in tags:
            name = re.search(r"^(?:def |class )?(my_\w+)", "".join(cell["source"]), re.M)[1]
            metadata["tags"], title = [*tags, "hide-input"], f"{STUB}: {name}"
        if title and {*HIDDEN} & {*metadata.get("tags", ())}:
            prompts = {"code_prompt_show": title, "code_prompt_hide": title}
            metadata["mystnb"] = {**metadata.get("mystnb", {}), **prompts}
    return json.dumps(notebook)


def add_titles(app: Sphinx, name: str, source: list[str]) -> None:
    """Called by Sphinx with the text of each page, which it then parses."""
    if app.env.doc2path(name).endswith(".ipynb"):
        source[0] = titled(source[0])


def setup(app: Sphinx) -> dict:
    """Called by Sphinx."""
    app.connect("source-read", add_titles)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
