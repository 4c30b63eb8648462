"""Sphinx extension: where a page first names a term of the glossary, the name leads there and says what it means.

The texts stay free of markup for it, so that a notebook reads the same in JupyterLab and in Colab.
"""

import re
from collections.abc import Iterator

from docutils import nodes
from sphinx.application import Sphinx

GLOSSARY = "book/glossary"
# Words of every day, which mean what the glossary says in some sentences only.
COMMON = {"damage", "deletion", "distance", "feature", "game", "path", "player", "target"}
_ELSEWHERE = (nodes.reference, nodes.literal, nodes.literal_block, nodes.title, nodes.raw, nodes.comment)


def definitions(glossary: nodes.document) -> dict[str, tuple[str, str]]:
    """Of each term of the glossary's page: its anchor there, and its first paragraph, without where to read more."""
    found = {}
    for item in glossary.findall(nodes.definition_list_item):
        [meaning] = [child for child in item.children if isinstance(child, nodes.definition)]
        words = " ".join(meaning.children[0].astext().split())
        for term in item.children:
            if isinstance(term, nodes.term):
                found[term.astext()] = term["ids"][0], re.sub(r" See [^.]+\.$", "", words)
    return found


def pattern(names: set[str]) -> re.Pattern:
    """Any of the names, one or several of it, and at the start of a sentence, but not inside of a longer name.

    >>> pattern({"SHAP", "certainty-SHAP", "baseline"}).findall("Baselines; certainty-SHAP, SHAPE")
    ['Baselines', 'certainty-SHAP']
    """
    longest_first = sorted(names, key=len, reverse=True)
    each = [f"[{name[0]}{name[0].upper()}]{re.escape(name[1:])}" for name in longest_first]
    return re.compile(rf"(?<![\w-])(?:{'|'.join(each)})s?(?![\w-])")


def texts(document: nodes.document) -> Iterator[nodes.Text]:
    """What is prose on a page."""
    for text in [*document.findall(nodes.Text)]:
        around, node = [], text.parent
        while node is not None:
            around.append(node)
            node = node.parent
        if any(isinstance(node, nodes.paragraph) for node in around):
            if not any(isinstance(node, _ELSEWHERE) for node in around):
                yield text


def link(document: nodes.document, known: dict[str, tuple[str, str]], address: str) -> None:
    """Make the first mention of each term a link to ``address``; names with one meaning count as one term."""
    search, due = pattern(set(known)), {meaning for _, meaning in known.values()}
    for text in texts(document):
        parts, end = [], 0
        for found in search.finditer(text.astext()):
            name = found[0]
            names = (name, name[:-1], name[:1].lower() + name[1:], name[:1].lower() + name[1:-1])
            anchor, meaning = next(known[each] for each in names if each in known)
            if meaning not in due:
                continue
            due.remove(meaning)
            mention = nodes.reference("", name, internal=True, refuri=f"{address}#{anchor}", reftitle=meaning)
            mention["classes"].append("icg-term")
            parts += [nodes.Text(text.astext()[end : found.start()]), mention]
            end = found.end()
        if parts:
            text.parent.replace(text, [*parts, nodes.Text(text.astext()[end:])])


def on_page(app: Sphinx, document: nodes.document, page: str) -> None:
    """Called for each page before it is written."""
    if page != GLOSSARY and GLOSSARY in app.env.all_docs and app.builder.format == "html":
        known = definitions(app.env.get_doctree(GLOSSARY))
        known = {name: meaning for name, meaning in known.items() if name not in COMMON}
        link(document, known, app.builder.get_relative_uri(page, GLOSSARY))


def setup(app: Sphinx) -> dict:
    """Called by Sphinx."""
    app.connect("doctree-resolved", on_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
