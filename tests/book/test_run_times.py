"""Each chapter says how long it runs, as it was measured, and keeps no reader waiting for long."""

import json
from pathlib import Path

import pytest

from press.chapters import RUNS, chapter_files, read_chapter
from press.times import over, rounded

ROOT = Path(__file__).resolve().parents[2]
RESULT = ROOT / "data" / "results" / "run-times.json"


@pytest.mark.parametrize("path", chapter_files(ROOT), ids=lambda path: path.name)
def test_the_head_says_what_was_measured(path):
    chapter = read_chapter(path)
    title, _, line, *_ = chapter.notebook.cells[0].source.split("\n")
    assert title.startswith("# ") and RUNS.match(line), "expected **Runs in about N s on one core.** under the title"
    assert chapter.running, "`make times` writes the number"
    measured = json.loads(RESULT.read_text())["chapters"][path.stem]
    assert chapter.running == rounded(measured["seconds"])


def test_measured_is_what_there_is():
    assert list(json.loads(RESULT.read_text())["chapters"]) == [path.stem for path in chapter_files(ROOT)]


@pytest.mark.parametrize("path", chapter_files(ROOT), ids=lambda path: path.name)
def test_no_reader_waits_for_long(path):
    """As measured: two minutes for all of a chapter, one to the first picture, half a one without a sign of life."""
    assert over(json.loads(RESULT.read_text())["chapters"][path.stem]) == [], "`make times` measures them again"
