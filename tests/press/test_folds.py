"""What a page folds away says what it is; stubs are folded on pages and nowhere else."""

import json
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, writes

from press import folds
from press.chapters import chapter_files, read_chapter

ROOT = Path(__file__).resolve().parents[2]


def cells(*made):
    return json.loads(folds.titled(writes(new_notebook(cells=list(made)))))["cells"]


@pytest.mark.parametrize("tag", folds.HIDDEN)
def test_a_title_is_where_the_page_looks_for_it(tag):
    old = {"tags": [tag], "icg": {"title": "What it is"}, "mystnb": {"image": {"alt": "a picture"}}}
    (cell,) = cells(new_code_cell("x = 1", metadata=old))
    assert cell["metadata"]["mystnb"] == {
        "image": {"alt": "a picture"},
        "code_prompt_show": "What it is",
        "code_prompt_hide": "What it is",
    }


def test_a_stub_is_folded():
    (cell,) = cells(new_code_cell("def my_answer():\n    return ...", metadata={"tags": ["stub"]}))
    assert cell["metadata"]["tags"] == ["stub", "hide-input"]
    assert cell["metadata"]["mystnb"]["code_prompt_show"] == f"{folds.STUB}: my_answer"


def test_all_else_stays():
    made = [
        new_code_cell("x", metadata={"icg": {"title": "not hidden"}}),
        new_code_cell("y", metadata={"tags": ["hide-input"]}),
        new_markdown_cell("z", metadata={"tags": ["hints"]}),
    ]
    assert [cell["metadata"] for cell in cells(*made)] == [dict(cell.metadata) for cell in made]


def test_what_chapters_hide_has_a_title():
    for path in chapter_files(ROOT):
        for cell in read_chapter(path).notebook.cells[2:]:  # after the head and the set-up
            if {*folds.HIDDEN} & {*cell.metadata.get("tags", ())}:
                assert cell.metadata.get("icg", {}).get("title"), f"{path.name}, {cell.id}"
