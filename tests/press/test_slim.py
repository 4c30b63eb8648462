"""What a built book sheds, and what it must keep."""

import json
import re
import shutil
from base64 import b64encode
from io import BytesIO
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont
from PIL import Image

from press import slim

THEME = Path(pytest.importorskip("pydata_sphinx_theme").__file__).parent / "theme/pydata_sphinx_theme/static"
FONT = "_static/vendor/fontawesome/webfonts/fa-solid-900"


def png(width, height, noise=True):
    file = BytesIO()
    (Image.effect_noise((width, height), 90) if noise else Image.new("L", (width, height))).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def book(tmp_path):
    """A book of one page: an icon, pictures in files and in the text, scripts that it does without."""
    for folder in ("_static/katex", "_images", "book", Path(FONT).parent):
        (tmp_path / folder).mkdir(parents=True)
    for ending in (".ttf", ".woff2"):
        shutil.copy((THEME / FONT.removeprefix("_static/")).with_suffix(ending), tmp_path / f"{FONT}{ending}")
    (tmp_path / "_images/a.png").write_bytes(png(40, 30))
    (tmp_path / "_images/b.png").write_bytes(png(50, 20))
    (tmp_path / "_images/c.svg").write_text('<svg xmlns="x" width="72pt" height="36pt"></svg>')
    inline, small = (b64encode(data).decode() for data in (png(60, 60), png(4, 4, noise=False)))
    (tmp_path / "book/page.html").write_text(f"""<head><img src="../_images/a.png">
        <script defer src="../_static/scripts/fontawesome.js?digest=1"></script>
        <script>DOCUMENTATION_OPTIONS.search_as_you_type = false;</script>
        <script src="../_static/searchtools.js"></script>
        <script src="../_static/language_data.js"></script>
        <script src="../searchindex.js"></script></head>
        <article class="shown"><i class="fa-solid fa-star"></i><img alt="1" src="../_images/a.png"/>
        <img alt="2" src="../_images/b.png"/><img alt="3" src="data:image/png;base64,{inline}">
        <img alt="4" src='data:image/png;base64,{small}'><img alt="5" src="../_images/c.svg">
        <img alt="6" style="width: 3em" src="../_images/b.png"></article>""")
    shutil.copy(tmp_path / "book/page.html", tmp_path / "search.html")
    (tmp_path / "_static/theme.css").write_text(
        ".shown, .absent { top: 0 } .absent .shown { top: 1px } .fa-star::before { content: '\\f005' }"
        " .fa-bomb::before { content: '\\f1e2' } .moved { top: 2px } /* gone */ p:not(.absent) { top: 3px }"
        " @media print { .absent { top: 4px } .shown > b { top: 5px } } @media screen { .absent { top: 6px } }"
        " .bs-tooltip-end { top: 7px } [data-x='.absent'] { top: 8px }"
    )
    (tmp_path / "_static/theme.js").write_text('add("moved")')
    (tmp_path / "_static/katex/katex.css").write_text(".absent { top: 9px }")
    return tmp_path


def test_styles_keep_what_a_page_or_a_script_names(book):
    slim.shed(book)
    style = (book / "_static/theme.css").read_text()
    assert re.findall(r"top: (\d)", style) == list("023578") and "gone" not in style
    assert style.startswith(".shown{") and "fa-star" in style and "fa-bomb" not in style
    assert "absent" in (book / "_static/katex/katex.css").read_text()


def test_icons_are_letters_of_a_small_font(book):
    slim.shed(book)
    file = book / f"{FONT}.woff2"
    assert set(TTFont(file).getBestCmap()) == {0xF005}
    assert file.stat().st_size < 2000
    assert "fontawesome.js" not in (book / "book/page.html").read_text()


def test_the_index_for_the_search_comes_with_the_search_alone(book):
    beside = (book / "book/page.html").read_text().replace('"../', '"')
    (book / "genindex.html").write_text(beside)  # a page in the uppermost folder
    slim.shed(book)
    scripts = ("searchtools.js", "language_data.js", "searchindex.js")
    for page in ("book/page.html", "genindex.html"):
        assert not any(script in (book / page).read_text() for script in scripts)
    assert all(script in (book / "search.html").read_text() for script in scripts)


def test_pictures_come_when_they_are_near_and_their_place_is_kept(book):
    slim.shed(book)
    head, article = (book / "book/page.html").read_text().split("<article")
    tags = re.findall(r"<img[^>]*>", article)
    assert "<img src" in head
    assert ["lazy" in tag for tag in tags] == [False, True, True, False, True, True]
    sizes = [re.findall(r'(?:width|height)="(\d+)"', tag) for tag in tags]
    assert sizes == [["40", "30"], ["50", "20"], ["60", "60"], [], ["96", "48"], []]
    moved = book / "book" / re.search(r'src="([^"]*)"', tags[2])[1]
    with Image.open(moved) as image:
        assert image.size == (60, 60)
    assert "data:image" in tags[3]


def test_much_data_come_when_an_explorable_starts(book):
    page = book / "book/page.html"
    script = '<script type="application/json">{"data":%s}</script>'
    few, many = script % "[1]", script % ("[" + ",".join(map(str, range(20_000))) + "]")
    page.write_text(f'<article><div id="a">{few}</div><div id="b">{many}</div></article>')
    slim.shed(book)
    text = page.read_text()
    assert few in text and many not in text
    file = page.parent / re.search(r'<script type="application/json" data-file="([^"]*)"></script>', text)[1]
    name, data = json.loads(f"[{file.read_text().split('})(')[1].strip().removesuffix(');')}]")
    assert name == file.name and f'<script type="application/json">{data}</script>' == many


def test_a_second_time_changes_nothing(book):
    slim.shed(book)
    once = {file: file.read_bytes() for file in book.rglob("*") if file.suffix in (".html", ".css")}
    slim.shed(book)
    assert once == {file: file.read_bytes() for file in once}
