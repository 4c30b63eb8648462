"""Sphinx extension: figures as wide as their letters need.

A figure is shown at its own size, or as wide as the page. On a phone it shrinks only as long as its letters stay
legible; then it scrolls in its own box, and a line under it says so. ``icg_book.kit.drawing`` knows the sizes.
"""

import re
from html import unescape
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

from icg_book.kit.drawing import sizes

HINT = '<p class="icg-hint" aria-hidden="true">↔ Scroll sideways to see all of it.</p>'


def fit(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Put each figure of a page into its box."""
    if app.builder.format != "html":
        return
    for image in list(doctree.findall(nodes.image)):
        file = Path(app.srcdir, image["uri"])
        svg = file.read_text("utf-8") if file.suffix == ".svg" and file.is_file() else ""
        if found := sizes(svg):
            label = re.match(r'<svg [^>]*aria-label="([^"]*)"', svg)
            image["alt"] = image.get("alt") or unescape(label[1] if label else "")
            image["loading"] = "lazy"
            style = (
                f"--width: {found.width:.0f}px; --ratio: {found.width / found.height:.4f}; --least: {found.least:.0f}px"
            )
            place = image.parent.index(image)
            image.parent[place : place + 1] = [
                nodes.raw("", f'<div class="icg-fit" style="{style}"><div class="icg-scroll">', format="html"),
                image,
                nodes.raw("", f"</div>{HINT}</div>", format="html"),
            ]


def setup(app: Sphinx) -> dict:
    """Called by Sphinx."""
    app.connect("doctree-resolved", fit)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
