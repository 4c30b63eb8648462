"""Figures in their boxes: what the page knows of their sizes, and of what they show."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from icg_book.kit.drawing import Figure, sizes

ROOT = Path(__file__).resolve().parents[2]
CONFIG = 'extensions = ["myst_parser", "press.pictures"]\nhtml_theme = "basic"\n'


@pytest.fixture(scope="module")
def drawn():
    figure = Figure(figsize=(9, 3))
    figure.text(0.5, 0.5, "word", fontsize=10)
    figure.alt = 'a word, "word"'
    return figure.svg()


@pytest.fixture(scope="module")
def page(tmp_path_factory, drawn):
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "conf.py").write_text(CONFIG)
    (folder / "index.md").write_text("# Start\n\n![](drawn.svg)\n\n![said](again.svg)\n\n![other](other.svg)\n")
    (folder / "drawn.svg").write_text(drawn)
    (folder / "again.svg").write_text(drawn)
    (folder / "other.svg").write_text('<svg width="3pt" height="2pt" xmlns="http://www.w3.org/2000/svg"/>')
    path = os.pathsep.join(filter(None, [str(ROOT / "book"), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", str(folder), str(folder / "html")]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return (folder / "html" / "index.html").read_text("utf-8")


def test_a_figure_is_put_into_a_box_that_knows_its_sizes(page, drawn):
    found = sizes(drawn)
    style = f"--width: {found.width:.0f}px; --ratio: {found.width / found.height:.4f}; --least: {found.least:.0f}px"
    assert page.count(f'<div class="icg-fit" style="{style}"><div class="icg-scroll">') == 2
    assert page.count('class="icg-hint"') == 2 and page.count('loading="lazy"') == 2


def test_what_it_shows_is_said_by_the_page_or_else_by_the_figure(page):
    assert re.findall('<img[^>]*alt="([^"]*)"', page) == ["a word, &quot;word&quot;", "said", "other"]


def test_other_pictures_stay_as_they_are(page):
    before = page.split('alt="other"')[0].rpartition("<p>")[2]
    assert "icg-fit" not in before
