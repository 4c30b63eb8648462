"""Sources under pictures: found in the file without running it, folded under the cell, checked by the build."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, writes

from icg import artifacts
from press import sources

ROOT = Path(__file__).resolve().parents[2]
MODULE = '''
import nothing_that_exists
from functools import cache


@cache
def decorated(x):
    """With <tags> & "quotes"."""
    return f"""
{x}"""  # the string ends here


def table():
    def inner():
        pass

    return inner


class Figure:
    def method(self):
        pass


VALUE = 3
'''


def test_functions_are_found_without_an_import():
    found = sources.functions(MODULE)
    assert list(found) == ["decorated", "table"]
    assert found["decorated"].text.startswith("@cache\ndef decorated(x):")
    assert found["decorated"].text.endswith('"""  # the string ends here')
    lines = MODULE.splitlines()
    for function in found.values():
        assert function.text == "\n".join(lines[function.first - 1 : function.last])


def test_modules_of_pictures_are_known_by_their_import():
    cells = [
        "%matplotlib inline\nimport torch\nfrom icg_book.toy import checks, figures",
        "from icg_book.kit import figures as kit_figures, tables\nfrom other import figures as theirs",
        "this is no Python",
    ]
    assert sources.imported(cells) == {
        "figures": "icg_book/toy/figures.py",
        "kit_figures": "icg_book/kit/figures.py",
        "tables": "icg_book/kit/tables.py",
    }


@pytest.mark.parametrize(
    "cell, expected",
    [
        ("figures.one(1)", ["one"]),
        ("display(figures.two(figures.one()), tables.three());", ["two", "one", "three"]),
        ("figures.one(1)\nfigures.two(2)\nfigures.one(3)", ["one", "two"]),
        ("def draw(x):\n    return figures.one(x).savefig('x')", ["one"]),
        ("%matplotlib inline\n!pip install x\nfigures.one()", ["one"]),
        ("# figures.one()\n'figures.two()'\nfigures.COLOUR\nother.one()\nfigures.deep.one()\none()", []),
        ("figures.one(", []),
    ],
)
def test_calls_are_found_in_the_code(cell, expected):
    assert [name for _, name in sources.called(cell, {"figures": "f.py", "tables": "t.py"})] == expected


# ---- a small book


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A book of one chapter, built with the settings of the real one, but not executed: status, messages, page."""
    folder = tmp_path_factory.mktemp("book")
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    config["execute"]["execute_notebooks"] = "off"
    config["sphinx"]["local_extensions"] = {"press.sources": str(ROOT / "book")}
    config["html"].pop("favicon")
    config["sphinx"]["config"] |= {"html_static_path": [], "html_css_files": []}
    output = new_output("stream", text="the output")
    cells = [
        new_markdown_cell("# Toy"),
        new_code_cell("from icg_book.toy import figures", metadata={"tags": ["hide-input"]}),
        new_code_cell("figures.decorated(1)", outputs=[output], metadata={"tags": ["hide-input"]}),
        new_markdown_cell("Text between."),
        new_code_cell("figures.table(), figures.decorated(2)", outputs=[output], metadata={"tags": ["hide-output"]}),
        new_code_cell("print(figures.table())", outputs=[output]),
        new_code_cell("figures.tabel(1)"),
    ]
    package = folder / "book" / "icg_book" / "toy"
    package.mkdir(parents=True)
    (package / "figures.py").write_text(MODULE)
    (folder / "_config.yml").write_text(yaml.safe_dump(config))
    (folder / "_toc.yml").write_text("format: jb-book\nroot: book/toy\n")
    (folder / "book" / "references.bib").touch()
    notebook = new_notebook(cells=cells, metadata={"language_info": {"name": "python"}})
    (folder / "book" / "toy.ipynb").write_text(writes(notebook))
    command = [Path(sys.executable).with_name("jupyter-book"), "build", ".", "-W", "--keep-going"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stderr, (folder / "_build/html/book/toy.html").read_text("utf-8")


def test_the_page_shows_the_source_under_the_cell(built):
    _, _, page = built
    assert page.count('<details class="icg-source">') == page.count("<summary>Source of this figure: <code>") == 4
    cell, first, second, third, alone = page.split('<details class="icg-source">')
    assert "the output" in cell and "Text between" in first
    assert '<code>decorated</code></summary><div class="highlight-python' in first
    assert '<span class="nd">@cache</span>' in first and "&lt;tags&gt; &amp; " in first
    lines = sources.functions(MODULE)["decorated"]
    address = f"{artifacts.REPOSITORY}/blob/{artifacts.BRANCH}/book/icg_book/toy/figures.py"
    assert (
        f'href="{address}#L{lines.first}-L{lines.last}">icg_book/toy/figures.py, lines 6 to 10</a></p></details>'
        in first
    )
    assert "<code>table</code>" in second and "<code>decorated</code>" in third
    assert '<details class="admonition hide below-input">' in first, "myst-nb still hides what it should"
    call = '<span class="nb">print</span><span class="p">('
    assert call not in third and call in alone.split("</details>")[0], "a cell that only draws has no box of its own"
    assert "the output" in third


def test_a_name_that_is_not_there_stops_the_build(built):
    status, said, _ = built
    assert status != 0
    (warning,) = re.findall("^.*WARNING.*$", said, re.M)
    assert "toy.ipynb" in warning
    assert "a cell calls figures.tabel, but book/icg_book/toy/figures.py has no such function" in warning
