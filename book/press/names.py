"""Sphinx extension: what assistive technology hears on a page, where the markup of others says too little or is wrong.

- Folded code is called "Show code: Set-up", not "Toggle hidden content", as all of it is.
- A list of references is a list of items: ARIA has dropped the role that docutils gives them.

What only exists once scripts have run is named by ``style/reach.js``.
"""

import json
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

from press.chapters import title_of_hidden

MARKUP = {
    '<summary aria-label="Toggle hidden content">': "<summary>",
    'role="doc-biblioentry"': 'role="listitem"',
}


def name_folds(app: Sphinx, doctree: nodes.document) -> None:
    """Put the titles of a chapter's hidden cells where myst-nb looks for what to write on a fold."""
    chapter = Path(app.env.doc2path(app.env.docname))
    if chapter.suffix != ".ipynb":
        return
    cells = json.loads(chapter.read_text("utf-8"))["cells"]
    for node in doctree.findall(nodes.container):
        title = title_of_hidden(cells[node["cell_index"]]) if node.get("hide_mode") else None
        if title:
            node["prompt_show"], node["prompt_hide"] = f"Show code: {title}", f"Hide code: {title}"


def correct(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    """Replace markup in the text of a page."""
    for wrong, right in MARKUP.items():
        if "body" in context:
            context["body"] = context["body"].replace(wrong, right)


def setup(app: Sphinx) -> dict:
    """Called by Sphinx."""
    app.connect("doctree-read", name_folds)
    app.connect("html-page-context", correct)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
