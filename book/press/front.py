"""Sphinx extension: the front page's playground, and a picture for each chapter that it lists.

``{playground}`` is where the explorable goes; that page alone has `style/front.css`. Lists in a container of the class
``icg-cards`` become cards: each item gets the first picture of the chapter that it leads to, as the build has just made
it; nothing is drawn or kept twice.
"""

from collections.abc import Iterator
from html import escape
from pathlib import PurePosixPath

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

from icg_book.playground.playground import playground

CARDS = "icg-cards"
PLAYGROUND = 'id="icg-playground-'  # how its explorable begins


class Playground(Directive):
    """Where the playground goes."""

    def run(self) -> list[nodes.Node]:
        """What docutils calls."""
        return [nodes.raw("", playground()._repr_html_(), format="html")]


def items(doctree: nodes.document) -> Iterator[tuple[nodes.list_item, str]]:
    """The items of lists that become cards, and the page that each leads to, as an address."""
    for container in doctree.findall(nodes.container):
        if CARDS in container["classes"]:
            for item in container.findall(nodes.list_item):
                link = next(item.findall(lambda node: isinstance(node, nodes.reference) and "refuri" in node), None)
                if link is not None:
                    yield item, link["refuri"]


def first_picture(app: Sphinx, page: str) -> str | None:
    """Name of the file in the built book's folder of images, if the page has a picture at all."""
    for image in app.env.get_doctree(page).findall(nodes.image):
        for uri in (image["uri"], *image.get("candidates", {}).values()):
            if uri in app.env.images:
                return app.env.images[uri][1]
    return None


def add_pictures(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Put a picture before the text of each card. It says nothing that the text does not, so it has no name."""
    if app.builder.format != "html":
        return
    for item, address in list(items(doctree)):
        chapter = str(PurePosixPath(page).parent / address.removesuffix(".html"))
        picture = first_picture(app, chapter) if chapter in app.env.found_docs else None
        if picture:
            up = "../" * page.count("/")
            source = escape(f"{up}{app.builder.imagedir}/{picture}")
            image = f'<img src="{source}" alt="" role="presentation" loading="lazy">'
            item.insert(0, nodes.raw("", image, format="html"))
        link = next(item.findall(nodes.reference))
        text = link.next_node(nodes.Text, descend=False, siblings=True)
        if text is not None and text.startswith(": "):  # the link is a title now, and the rest a sentence
            sentence = text[2:].lstrip()
            text.parent.replace(text, nodes.Text(sentence[:1].upper() + sentence[1:]))


def load(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    """Give the page with the playground its own style."""
    if PLAYGROUND in (context.get("body") or ""):
        app.add_css_file("front.css")


def setup(app: Sphinx) -> dict:
    """Called by Sphinx."""
    app.add_directive("playground", Playground)
    app.connect("doctree-resolved", add_pictures)
    app.connect("html-page-context", load)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
