"""Sphinx extension: what assistive technology hears on a page, where the markup of others says too little or is wrong.

- Folds are called by what stands on them (``press/folds.py``), not all of them "Toggle hidden content".
- A list of references is a list of items: ARIA has dropped the role that docutils gives them.

What only exists once scripts have run is named by ``style/reach.js``.
"""

from sphinx.application import Sphinx

MARKUP = {
    '<summary aria-label="Toggle hidden content">': "<summary>",
    'role="doc-biblioentry"': 'role="listitem"',
}


def correct(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    """Replace markup in the text of a page."""
    for wrong, right in MARKUP.items():
        if "body" in context:
            context["body"] = context["body"].replace(wrong, right)


def setup(app: Sphinx) -> dict:
    """Called by Sphinx."""
    app.connect("html-page-context", correct)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
