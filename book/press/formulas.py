"""Sphinx extension: formulas are set by KaTeX, on the pages that have some.

The page holds each as TeX, in Sphinx's own markup with number and link; `style/formulas.js` sets it when the page has
loaded, as HTML for the eye and MathML for screen readers.
"""

from sphinx.application import Sphinx
from sphinx.ext.mathjax import html_visit_displaymath, html_visit_math

MARK = 'class="math '  # how Sphinx begins a formula


def load(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    """Give a page with formulas what sets them; a title with a formula is in the lists of contents, too."""
    if any(MARK in (context.get(part) or "") for part in ("body", "toc")):
        app.add_css_file("katex/katex.min.css")
        for script in ("katex/katex.min.js", "formulas.js"):
            app.add_js_file(script, loading_method="defer")


def setup(app: Sphinx) -> dict:
    """Called by Sphinx."""
    app.add_html_math_renderer("katex", (html_visit_math, None), (html_visit_displaymath, None))
    app.connect("html-page-context", load)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
