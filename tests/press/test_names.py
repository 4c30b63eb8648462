"""What assistive technology hears: folds by their titles, and no role that ARIA has dropped."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, writes

from press.chapters import title_of_hidden

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
extensions = ["myst_nb", "sphinxcontrib.bibtex", "press.folds", "press.names"]
bibtex_bibfiles = ["works.bib"]
nb_execution_mode = "off"
html_theme = "basic"
"""
CELLS = [
    new_markdown_cell("# A chapter {cite}`work`"),
    new_code_cell("%matplotlib inline\nx = 1", metadata={"tags": ["hide-input"]}),
    new_code_cell("x", metadata={"tags": ["hide-input"], "icg": {"title": "One & all"}}),
    new_markdown_cell("```{bibliography}\n```"),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("names")
    (folder / "conf.py").write_text(CONFIG)
    (folder / "works.bib").write_text("@misc{work, title={A work}, author={A. Author}, year={2020}}")
    (folder / "index.ipynb").write_text(writes(new_notebook(cells=CELLS)))
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", str(folder), str(folder / "html")]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT / "book")}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return (folder / "html" / "index.html").read_text("utf-8")


def test_folds_say_what_they_fold(page):
    assert "<summary>" in page and "Toggle hidden content" not in page
    assert page.index("Set-up") < page.index("One &amp; all")


def test_references_are_items_of_a_list(page):
    assert 'role="list"' in page and 'role="listitem"' in page and "doc-biblioentry" not in page


def test_only_the_set_up_cell_needs_no_title():
    assert title_of_hidden(CELLS[1]) == "Set-up" and title_of_hidden(CELLS[2]) == "One & all"
    assert title_of_hidden(new_code_cell("x")) is None
