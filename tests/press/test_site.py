"""What is published: plain notebooks with the book's outputs, the wheel, and buttons that lead to them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from jupyter_cache import get_cache
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from raw_myst import raw_myst

from icg_book.kit.colab import colab
from press import launch, site
from press.chapters import chapter_files
from press.notebooks import Book

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "_build" / "html" / "book"
ADDRESS = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))["repository"]["url"]
COLAB = colab(ADDRESS)
WIDGET = {"application/vnd.jupyter.widget-view+json": {"model_id": "0"}, "text/plain": "VBox()"}
OUTPUTS = [
    new_output("stream", name="stdout", text="said"),
    new_output("stream", name="stderr", text="Downloading"),
    new_output("display_data", {"image/png": "aGk=", "text/plain": "<Figure>", "image/svg+xml": "<svg/>"}),
    new_output("display_data", WIDGET),
    new_output("display_data", WIDGET | {"text/html": "<p>still</p>"}),
    new_output("display_data", {"application/javascript": "1"}),
]


@pytest.fixture
def built(tmp_path):
    """A checkout of one chapter, and its built book."""
    (tmp_path / "book").mkdir()
    (tmp_path / "_config.yml").write_text(
        "repository:\n  url: https://github.com/a/b\n  branch: main\nhtml:\n  baseurl: https://a.github.io/b/\n"
    )
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: book/index\nchapters:\n  - file: book/one\n")
    notebook = new_notebook(cells=[new_markdown_cell("# One\n\n[one](one.ipynb)"), new_code_cell("1 + 1")])
    nbformat.write(notebook, tmp_path / "book" / "one.ipynb")
    html = tmp_path / "_build" / "html"
    html.mkdir(parents=True)
    (html / "index.html").write_text("the book")
    for name in ("icg", "book/icg_book"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path / name)
    notebook.cells[1].outputs, notebook.cells[1].execution_count = OUTPUTS, 1
    nbformat.write(notebook, tmp_path / "executed.ipynb")
    get_cache(tmp_path / "_build" / ".jupyter_cache").cache_notebook_file(tmp_path / "executed.ipynb")
    return tmp_path


def test_the_site_is_the_book_with_notebooks_and_the_wheel(built):
    folder = site.write(built)
    assert (folder / "index.html").read_text() == "the book" and (folder / ".nojekyll").exists()
    names = sorted(path.name for path in (folder / "colab").iterdir())
    assert 'href="https://a.github.io/b/"' in (folder / "404.html").read_text("utf-8")
    assert names == ["README.md", "icg-0.1.0-py3-none-any.whl", "one.ipynb"]
    notebook = nbformat.read(folder / "colab" / "one.ipynb", as_version=4)
    nbformat.validate(notebook)
    start = "https://colab.research.google.com/github/a/b/blob/gh-pages/colab"
    assert notebook.cells[0].source == f"# One\n\n[one]({start}/one.ipynb)"
    shown = [output.get("data", {output.get("name"): output.get("text")}) for output in notebook.cells[1].outputs]
    assert shown == [
        {"stdout": "said"},
        {"image/png": "aGk=", "text/plain": "<Figure>"},
        {"text/html": "<p>still</p>", "text/plain": "VBox()"},
    ]
    assert f"[One]({start}/one.ipynb)" in (folder / "colab" / "README.md").read_text()
    (folder / "gone.html").touch()
    assert not (site.write(built) / "gone.html").exists()


def test_tagged_outputs_are_left_out_as_in_the_book():
    cell = new_code_cell("1", outputs=OUTPUTS[:1], metadata={"tags": ["remove-stdout"]})
    notebook, _ = site.Showable().preprocess(new_notebook(cells=[cell]), {})
    assert notebook.cells[0].outputs == []


def test_what_is_missing_or_too_large_is_told(built, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(site, "LARGEST", 100)
        with pytest.raises(ValueError, match="at most 100 bytes, got larger ones: one.ipynb"):
            site.write(built)
    notebook = nbformat.read(built / "book" / "one.ipynb", as_version=4)
    notebook.cells[1].source = "2 + 2"
    nbformat.write(notebook, built / "book" / "one.ipynb")
    with pytest.raises(ValueError, match="one.ipynb: expected it among the results of the book"):
        site.write(built)
    shutil.rmtree(built / "_build" / "html")
    with pytest.raises(ValueError, match="make book"):
        site.write(built)


def test_nothing_raw_is_published_and_links_lead_to_colab(monkeypatch):
    """On all chapters, without their outputs."""
    monkeypatch.setattr(site, "executed", lambda chapter, cache: chapter)
    book = Book.read(ROOT, before=colab)
    found = site.notebooks(book, ROOT / "_build" / ".jupyter_cache")
    assert sorted(found) == sorted(file for chapter in book.chapters for file in chapter.files)
    for file, notebook in found.items():
        nbformat.validate(notebook)
        assert not raw_myst(notebook)
        text = "\n".join(cell.source for cell in notebook.cells)
        links = re.findall(r"\]\(([^()\s]+\.ipynb)", text)
        assert links and all(link.startswith(COLAB) for link in links), file
        assert {link.removeprefix(COLAB) for link in links} <= set(found)
        assert "For the teacher" not in text


# ---- the buttons


def test_the_colab_button_leads_to_the_plain_edition():
    github = {"type": "link", "text": "Repository", "url": ADDRESS}
    colab = {"type": "link", "text": "Colab", "url": f"{ADDRESS}/blob/main/book/shapley.ipynb"}
    binder = colab | {"text": "Binder"}
    buttons = [{"type": "group", "buttons": [binder, colab]}, github, colab]
    mended = launch.mended(buttons, "book/shapley", ADDRESS)
    right = colab | {"url": f"{COLAB}shapley.ipynb"}
    assert mended == [{"type": "group", "buttons": [binder, right]}, github, right]
    assert buttons[2] == colab  # what is the theme's stays


@pytest.mark.skipif(not BUILT.exists(), reason="there is no built book")
def test_every_built_chapter_has_the_button():
    for path in chapter_files(ROOT):
        found = re.findall(r'href="(https://colab[^"]*)"', (BUILT / f"{path.stem}.html").read_text("utf-8"))
        assert found and set(found) == {f"{COLAB}{path.name}"}


def test_the_readme_opens_the_plain_edition_of_every_chapter():
    readme = (ROOT / "README.md").read_text("utf-8")
    for path in chapter_files(ROOT):
        assert f"[Colab]({COLAB}{path.name})" in readme
    assert readme.count("https://colab.") == len(chapter_files(ROOT))


# ---- the branch


def test_ghp_import_makes_one_local_commit(tmp_path):
    """As `make pages` calls it."""
    (command,) = re.findall(r"\$\(BIN\)/ghp-import (.*) _build/site", (ROOT / "Makefile").read_text("utf-8"))
    message = re.search(r'"(.*)"', command)[1]
    options = [message if word == "\0" else word for word in command.replace(f'"{message}"', "\0").split()]
    pytest.importorskip("ghp_import")
    folder = tmp_path / "_build" / "site"
    (folder / "colab").mkdir(parents=True)
    (folder / "colab" / "one.ipynb").write_text("{}")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    subprocess.run(["git", "config", "user.name", "A"], cwd=tmp_path, check=True)
    subprocess.run(["git", "config", "user.email", "a@example.org"], cwd=tmp_path, check=True)
    run = [sys.executable, "-m", "ghp_import", *options, "_build/site"]
    subprocess.run(run, cwd=tmp_path, check=True)

    def git(*words):
        return subprocess.run(["git", *words], cwd=tmp_path, check=True, capture_output=True, text=True).stdout.split()

    assert sorted(git("ls-tree", "-r", "--name-only", "gh-pages")) == [".nojekyll", "colab/one.ipynb"]
    assert git("rev-list", "--count", "gh-pages") == ["1"]
