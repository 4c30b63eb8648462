"""The form of a chapter: short, with its first picture early, and with code that is worth reading."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

BOOK = Path(__file__).resolve().parents[2] / "book"
CHAPTERS = sorted(BOOK.glob("*.ipynb"))
each = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)


def cells(path):
    return nbformat.read(path, as_version=4).cells


def code(path):
    return [cell for cell in cells(path) if cell.cell_type == "code"]


@each
def test_at_most_350_lines_of_code(path):
    lines = [line for cell in code(path) for line in cell.source.splitlines() if line.strip()]
    assert len(lines) <= 350


@each
def test_the_head_says_how_long_it_runs_what_is_needed_and_what_will_have_been_shown(path):
    head, set_up = cells(path)[:2]
    title, run_time, *rest = [line for line in head.source.splitlines() if line]
    assert title.startswith("# ")
    assert re.match(r"\*\*Runs in about (\d+) s on one core\.\*\* Needs: ", run_time), run_time
    shown = [line for line in rest if line.startswith("- ")]
    assert rest[0].startswith("By the end you will have shown") and 1 <= len(shown) <= 3
    assert set_up.cell_type == "code" and "hide-input" in set_up.metadata.tags


@each
def test_the_set_up_is_one_cell_that_installs_and_imports_in_at_most_eight_lines(path):
    first, *others = code(path)
    install, _, rest = first.source.partition("%matplotlib inline\n")
    assert 'find_spec("icg")' in install and len(install.strip().splitlines()) <= 12
    imports = [line for line in rest.splitlines() if re.match(r"(import|from) ", line)]
    assert 2 <= len(imports) <= 8, imports
    assert not [cell.source for cell in others if "find_spec" in cell.source or "%matplotlib" in cell.source]


@each
def test_the_set_up_is_the_same_in_all_chapters_up_to_the_imports(path):
    assert code(path)[0].source.partition("%matplotlib")[0] == code(CHAPTERS[0])[0].source.partition("%matplotlib")[0]


@each
def test_the_first_picture_comes_after_at_most_three_lines_of_visible_code(path):
    visible = 0
    for cell in code(path)[1:]:
        shows = cell.source.rstrip().splitlines()[-1]
        if "hide-input" not in cell.metadata.get("tags", []):
            visible += len([line for line in cell.source.splitlines() if line.strip()])
        if re.match(r"(figures|tables)\.\w+\(|\w+\(|figure", shows) or "mystnb" in cell.metadata:
            break
    assert visible <= 3


@each
def test_nothing_is_plotted_in_a_chapter(path):
    """Drawing lives in the chapter's figures.py, tables and HTML too."""
    source = "\n".join(re.sub(r"^\s*%.*", "", cell.source, flags=re.M) for cell in code(path))
    names = {node.attr for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute)}
    assert not names & {
        "subplots",
        "add_axes",
        "imshow",
        "plot",
        "scatter",
        "barh",
        "set_title",
        "set_xlabel",
        "axhline",
    }
    assert "matplotlib" not in source.replace("%matplotlib", "") and "<td" not in source


@each
def test_the_run_time_is_not_printed_again(path):
    assert not any("perf_counter" in cell.source and "started" in cell.source for cell in code(path))
