"""The form of a chapter: short code, one hidden cell that sets up, and pictures whose source can be shown."""

import ast
from pathlib import Path

import pytest

from press import sources
from press.chapters import chapter_files, read_chapter

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = [read_chapter(path) for path in chapter_files(ROOT)]
each = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.file)
MAGIC = "%matplotlib inline\n"


def code(chapter):
    return [cell for cell in chapter.notebook.cells if cell.cell_type == "code"]


@each
def test_the_code_is_no_longer_than_one_reads(chapter):
    lines = [line for cell in code(chapter) for line in cell.source.splitlines() if line.strip()]
    assert len(lines) <= 350


@each
def test_the_second_cell_sets_up_and_is_hidden(chapter):
    """What it installs where icg is missing, test_colab.py checks; here, what it imports."""
    head, setup = chapter.notebook.cells[:2]
    assert head.cell_type == "markdown" and setup.cell_type == "code"
    assert "hide-input" in setup.metadata.get("tags", ())
    before, magic, after = setup.source.partition(MAGIC)
    assert "find_spec" in before and magic and MAGIC not in after
    imports = [node for node in ast.parse(after).body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert 1 <= len(imports) <= 8
    assert all(node.lineno == node.end_lineno for node in imports), "each on one line"


@each
def test_pictures_come_from_functions_that_exist(chapter):
    """As the build demands (press/sources.py), but at once."""
    cells = [cell.source for cell in code(chapter)]
    modules = sources.imported(cells)
    calls = [(modules[module], name) for cell in cells for module, name in sources.called(cell, modules)]
    assert any(file.endswith("figures.py") for file, _ in calls), "no picture is drawn by a function of figures.py"
    for file, name in calls:
        assert name in sources.functions((ROOT / "book" / file).read_text("utf-8")), f"no {name} in {file}"
