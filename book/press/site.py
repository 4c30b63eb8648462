"""What is published: the built book, and plain notebooks and the wheel for Colab beside it. `make site` calls this.

`make pages` puts the folder on the branch gh-pages.
"""

import copy
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import yaml
from jupyter_cache import get_cache
from nbconvert.preprocessors import Preprocessor

from icg_book.kit.colab import FOLDER, colab
from press.chapters import ROOT, Chapter
from press.notebooks import Book, practice, reading
from press.solutions import run_all

SHOWN = ("image/png", "text/html", "text/plain")  # outputs that every viewer of notebooks shows
WIDGET = "application/vnd.jupyter.widget-view+json"
LARGEST = 15_000_000  # bytes of a notebook; Colab refuses more than 20 MB


class Showable(Preprocessor):
    """Keeps of the outputs what every viewer shows: no widgets, which are dead without a kernel, and no stderr."""

    def preprocess_cell(self, cell, resources, index):
        kept = []
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                if output.name == "stdout" and "remove-stdout" not in cell.metadata.get("tags", ()):
                    kept.append(output)
            elif "data" in output:
                data = {kind: output.data[kind] for kind in SHOWN if kind in output.data}
                if data and not (WIDGET in output.data and set(data) == {"text/plain"}):  # the widget's repr
                    output.data = data
                    kept.append(output)
        if cell.cell_type == "code":
            cell.outputs = kept
        return cell, resources


def executed(chapter: Chapter, cache: Path) -> Chapter:
    """The chapter with the outputs of the built book.

    Raises:
        ValueError: the book was built of another version of the chapter.
    """
    try:
        _, notebook = get_cache(cache).merge_match_into_notebook(copy.deepcopy(chapter.notebook))
    except KeyError:
        raise ValueError(f"{chapter.file}: expected it among the results of the book; `make book` runs it") from None
    notebook, _ = Showable().preprocess(notebook, {})
    return Chapter(chapter.file, chapter.title, notebook, chapter.exercises)


def notebooks(book: Book, cache: Path) -> dict[str, nbformat.NotebookNode]:
    """The notebooks for Colab: chapters with outputs, exercises and solutions without."""
    found = {}
    for chapter in book.chapters:
        file, exercises, solutions = chapter.files
        found[file] = reading(book, executed(chapter, cache), keep_outputs=True)
        if chapter.exercises:
            found[exercises] = practice(book, chapter)
            found[solutions] = practice(book, chapter, solved=True)
    return found


def index(book: Book) -> str:
    """The README of the folder."""
    at = book.words.notebooks
    text = (
        "# Notebooks for Colab\n\nMade of the book's chapters by `make site`; changes belong there. The wheel is what\n"
    )
    text += "the first cell of a notebook installs.\n\n| chapter | exercises | solutions |\n|---|---|---|\n"
    for chapter in book.chapters:
        file, exercises, solutions = chapter.files
        more = f"[{len(chapter.exercises)} exercises]({at}{exercises}) | [solutions]({at}{solutions})"
        text += f"| [{chapter.title}]({at}{file}) | {more if chapter.exercises else '– | –'} |\n"
    return text


def wheel(root: Path, folder: Path) -> None:
    """Build the wheel of a checkout into a folder."""
    with tempfile.TemporaryDirectory() as copied:  # setuptools leaves old builds where it works, and reads them again
        for name in ("icg", "book/icg_book"):
            shutil.copytree(root / name, Path(copied, name), ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(root / name, copied)
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*command, "--no-build-isolation", "--wheel-dir", folder, copied], check=True)


def write(root: Path = ROOT) -> Path:
    """Write _build/site anew, from _build/html and the results of the book.

    Returns:
        The folder.

    Raises:
        ValueError: there is no built book, or it is of other chapters; a notebook is too large for Colab.
    """
    build = root / "_build"
    if not (build / "html" / "index.html").exists():
        raise ValueError("expected the built book in _build/html; `make book` builds it")
    book = Book.read(root, before=colab)
    texts = {file: nbformat.writes(notebook) for file, notebook in notebooks(book, build / ".jupyter_cache").items()}
    if large := [file for file, text in texts.items() if len(text.encode()) > LARGEST]:
        raise ValueError(f"expected notebooks of at most {LARGEST} bytes, got larger ones: {', '.join(large)}")
    site = build / "site"
    shutil.rmtree(site, ignore_errors=True)
    shutil.copytree(build / "html", site)
    (site / ".nojekyll").touch()
    home = yaml.safe_load((root / "_config.yml").read_text("utf-8"))["html"]["baseurl"]
    missing = Path(__file__).with_name("templates") / "404.html"  # shown at any address, so its link is a whole one
    (site / missing.name).write_text(missing.read_text("utf-8").replace("{{ home }}", home), "utf-8")
    folder = site / FOLDER
    folder.mkdir()
    for file, text in texts.items():
        (folder / file).write_text(f"{text}\n", "utf-8")
    (folder / "README.md").write_text(index(book), "utf-8")
    wheel(root, folder)
    return site


def main() -> int:
    try:
        for line in run_all(Book.read()):
            print(line, flush=True)
        site = write()
    except ValueError as error:
        print(f"No site: {error}", file=sys.stderr)
        return 1
    sizes = {path.name: path.stat().st_size for path in (site / FOLDER).iterdir()}
    largest = max(sizes, key=sizes.get)
    print(f"The site is in {site}; the largest file for Colab is {largest}, {sizes[largest] / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
