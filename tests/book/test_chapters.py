"""The form of a chapter: short code, one hidden cell that sets up, an early picture, and sources that can be shown."""

import ast
import re
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


def lines_of(cell):
    return [line for line in cell.source.splitlines() if line.strip()]


@each
def test_the_code_is_no_longer_than_one_reads(chapter):
    assert sum(len(lines_of(cell)) for cell in code(chapter)) <= 350


@each
def test_the_head_says_how_long_it_runs_what_is_needed_and_what_will_have_been_shown(chapter):
    title, run_time, *rest = lines_of(chapter.notebook.cells[0])
    assert title.startswith("# ")
    assert re.match(r"\*\*Runs in about \d+ s on one core\.\*\* (About \d+ minutes to read\. )?Needs: ", run_time), (
        run_time
    )
    goals = [k for k, line in enumerate(rest) if line.startswith("By the end you will have shown")]
    assert goals and 1 <= sum(line.startswith("- ") for line in rest[goals[0] :]) <= 3


@each
def test_the_second_cell_sets_up_and_is_hidden(chapter):
    """What it installs where icg is missing, test_colab.py checks; here, what it imports."""
    head, setup = chapter.notebook.cells[:2]
    assert head.cell_type == "markdown" and setup.cell_type == "code"
    assert "hide-input" in setup.metadata.get("tags", ())
    before, magic, after = setup.source.partition(MAGIC)
    assert "find_spec" in before and magic and MAGIC not in after
    assert before == code(CHAPTERS[0])[0].source.partition(MAGIC)[0], "the same in all chapters"
    imports = [node for node in ast.parse(after).body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert 1 <= len(imports) <= 8
    assert all(node.lineno == node.end_lineno for node in imports), "each on one line"


@each
def test_bars_stay_out_of_the_pages(chapter):
    """They are text on stderr, whose last state would be printed."""
    bars = [cell for cell in code(chapter) if re.search(r"\btqdm\(|progress\W*[=:] ?True", cell.source)]
    assert not [cell.id for cell in bars if "remove-stderr" not in cell.metadata.get("tags", ())]


@each
def test_the_first_picture_comes_after_at_most_three_lines_of_visible_code(chapter):
    visible = 0
    for cell in code(chapter)[1:]:
        visible += 0 if "hide-input" in cell.metadata.get("tags", ()) else len(lines_of(cell))
        if "figures." in cell.source or "mystnb" in cell.metadata:
            break
    assert visible <= 3


@each
def test_what_a_text_announces_follows_it(chapter):
    cells = chapter.notebook.cells
    said = [k for k, cell in enumerate(cells) if cell.cell_type == "markdown" and cell.source.rstrip().endswith(":")]
    assert not [cells[k].source[-80:] for k in said if cells[k + 1].cell_type != "code"]


@each
def test_nothing_is_drawn_or_formatted_in_a_chapter(chapter):
    """That is what the chapter's figures.py is for."""
    source = "\n".join(re.sub(r"^\s*%.*", "", cell.source, flags=re.M) for cell in code(chapter))
    used = {node.attr for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute)}
    assert not used & {"subplots", "add_axes", "imshow", "plot", "bar", "barh", "set_title", "axhline"}
    assert "matplotlib" not in source and "<td" not in source


@each
def test_pictures_come_from_functions_that_exist(chapter):
    """As the build demands (press/sources.py), but at once."""
    cells = [cell.source for cell in code(chapter)]
    modules = sources.imported(cells)
    calls = [(modules[module], name) for cell in cells for module, name in sources.called(cell, modules)]
    assert any(file.endswith("figures.py") for file, _ in calls), "no picture is drawn by a function of figures.py"
    for file, name in calls:
        assert name in sources.functions((ROOT / "book" / file).read_text("utf-8")), f"no {name} in {file}"


@each
def test_every_figure_has_a_number_a_caption_and_a_place_in_the_text(chapter):
    pictures = [cell for cell in code(chapter) if "mystnb" in cell.metadata]
    assert pictures
    text = "\n".join(cell.source for cell in chapter.notebook.cells if cell.cell_type == "markdown")
    for cell in pictures:
        figure = cell.metadata.mystnb.figure
        assert re.fullmatch(r"fig-[a-z0-9-]+", figure.name)
        assert figure.caption.endswith(".") and figure.caption.count(". ") < 4
        assert f"{{numref}}`{figure.name}`" in text, f"the text never refers to {figure.name}"
