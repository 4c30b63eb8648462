"""Sphinx extension: the button of a page that opens Colab leads to the plain edition of its chapter.

The theme's own address is that of the chapter's source on the branch of the sources, which Colab shows with the
book's markup raw.
"""

from pathlib import PurePosixPath

from sphinx.application import Sphinx

from icg_book.kit.colab import colab


def mended(buttons: list[dict], page: str, repository: str) -> list[dict]:
    """The theme's buttons, in groups or alone, with another address where one opens Colab."""
    found = []
    for button in buttons:
        if "buttons" in button:
            button = button | {"buttons": mended(button["buttons"], page, repository)}
        elif button.get("text") == "Colab":
            button = button | {"url": f"{colab(repository)}{PurePosixPath(page).name}.ipynb"}
        found.append(button)
    return found


def mend(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    """After the theme, which has its buttons ready at priority 501."""
    if "header_buttons" in context:
        repository = app.config.html_theme_options["repository_url"]
        context["header_buttons"] = mended(context["header_buttons"], page, repository)


def setup(app: Sphinx) -> dict:
    """Called by Sphinx."""
    app.connect("html-page-context", mend, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
