"""The front page: the playground is in it, and cards show the first picture of their chapter."""

import base64
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
extensions = ["myst_parser", "press.front"]
master_doc = "book/index"
html_theme = "basic"
myst_enable_extensions = ["colon_fence"]
"""
INDEX = """
# Start

```{playground}
```

::::{container} icg-cards

- [Pictures](pictures.md): what one sees.
- [Words](words.md): no picture here.
- [Elsewhere](https://example.org): nothing of ours.

::::

- [Pictures](pictures.md): an ordinary list.

```{toctree}
pictures
words
```
"""
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small book, built."""
    folder = tmp_path_factory.mktemp("front")
    (folder / "book").mkdir()
    (folder / "conf.py").write_text(CONFIG)
    (folder / "book" / "index.md").write_text(INDEX)
    (folder / "book" / "pictures.md").write_text("# Pictures\n\n![one](one.png)\n\n![two](two.png)\n")
    (folder / "book" / "words.md").write_text("# Words\n\nOnly words.\n")
    for name in ("one", "two"):
        (folder / "book" / f"{name}.png").write_bytes(PNG)
    path = os.pathsep.join(filter(None, [str(ROOT / "book"), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", str(folder), str(folder / "html")]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (folder / "html" / "_images" / "one.png").exists()
    return folder


@pytest.fixture(scope="module")
def page(folder):
    return (folder / "html" / "book" / "index.html").read_text("utf-8")


@pytest.fixture(scope="module")
def cards(page):
    return re.findall(r"<li>.*?</li>", page.split("icg-cards")[1].split("</ul>")[0], re.S)


def test_a_card_shows_the_first_picture_of_its_chapter(cards):
    assert re.findall(r"<img[^>]*>", cards[0]) == [
        '<img src="../_images/one.png" alt="" role="presentation" loading="lazy">'
    ]
    assert "<img" not in cards[1] + cards[2]


def test_what_follows_a_cards_title_is_a_sentence(cards):
    assert [re.sub(r"<[^>]+>|\s+", " ", card).split() for card in cards] == [
        "Pictures What one sees.".split(),
        "Words No picture here.".split(),
        "Elsewhere Nothing of ours.".split(),
    ]


def test_other_lists_stay(page):
    assert re.search(r"Pictures</span></a>: an ordinary list", page)


def test_the_playground_is_a_whole_explorable(page):
    assert page.count('<div class="icg-x" id="icg-playground-') == 1
    assert 'class="icg-x-static"><img alt="A picture with a dark square' in page


def test_only_the_page_with_the_playground_has_its_style(folder):
    """And no rule looks through a page's whole text for what it holds: an explorable changes that at every move."""
    pages = {name: (folder / "html" / "book" / f"{name}.html").read_text("utf-8") for name in ("index", "pictures")}
    assert "_static/front.css" in pages["index"] and "_static/front.css" not in pages["pictures"]
    rules = re.sub(r"/\*.*?\*/", "", (ROOT / "book" / "style" / "book.css").read_text("utf-8"), flags=re.S)
    assert re.findall(r"[^\s,{}]*:has\((?!> )", rules) == []
