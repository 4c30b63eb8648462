"""The glossary: the first mention of a term on a page leads there, nothing else does."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from press import terms

ROOT = Path(__file__).resolve().parents[2]
GLOSSARY = ROOT / "book" / "glossary.md"
CONFIG = """
extensions = ["myst_parser", "press.terms"]
master_doc = "book/index"
html_theme = "basic"
myst_enable_extensions = ["deflist", "colon_fence"]
"""
PAGE = """
# A page on SHAP

Baselines say nothing, a baseline starts a path; `AGN` is code, [AGN](https://example.org) a link.
*Certainty-SHAP* is not SHAP. **EG** and Expected Gradients are one, AGN is another. SHAPE is none.
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The page, with the book's own glossary beside it."""
    folder = tmp_path_factory.mktemp("toy")
    (folder / "book").mkdir()
    (folder / "conf.py").write_text(CONFIG)
    (folder / "book" / "index.md").write_text("```{toctree}\npage\nglossary\n```\n\n# Start\n")
    (folder / "book" / "page.md").write_text(PAGE)
    text = re.sub(r"\]\(\w+\.ipynb\)", "](page.md)", GLOSSARY.read_text("utf-8"))
    (folder / "book" / "glossary.md").write_text(text)
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", str(folder), str(folder / "html")]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT / "book")}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {name: (folder / "html" / "book" / f"{name}.html").read_text("utf-8") for name in ("page", "glossary")}


def mentions(page: str) -> list[tuple[str, str]]:
    return re.findall(r'<a class="icg-term[^"]*" href="glossary\.html#([^"]+)" title="[^"]+">([^<]+)</a>', page)


def test_the_first_mention_of_each_term_is_a_link(built):
    assert [words for _, words in mentions(built["page"])] == ["Baselines", "Certainty-SHAP", "SHAP", "EG", "AGN"]
    for anchor, _ in mentions(built["page"]):
        assert f'id="{anchor}"' in built["glossary"]


def test_it_says_what_the_term_means(built):
    assert 'title="The input at which a path starts. It is meant to say nothing."' in built["page"]


def test_titles_code_links_and_everyday_words_stay(built):
    assert "A page on SHAP<a" in built["page"]
    assert '<a class="reference external" href="https://example.org">AGN</a>' in built["page"]
    assert "starts a path;" in built["page"]


def test_the_glossary_itself_is_left_alone(built):
    assert "icg-term" not in built["glossary"]


def entries() -> list[list[str]]:
    """The names of each entry of the glossary."""
    body = GLOSSARY.read_text("utf-8").split("```{glossary}\n")[1].split("```")[0]
    return [re.findall(r"^(\S.*)$", entry, re.M) for entry in body.strip("\n").split("\n\n")]


def test_everyday_words_are_terms():
    assert {name for names in entries() for name in names} >= terms.COMMON


def test_terms_are_in_order_and_said_once():
    first = [names[0] for names in entries()]
    assert first == sorted(set(first), key=str.lower)
