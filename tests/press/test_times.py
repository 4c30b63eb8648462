"""Run times: measured on the cells, rounded to what will be true tomorrow, and written to the chapter's head alone."""

import json
from datetime import datetime, timedelta
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from press import build, times
from press.chapters import read_chapter

HEAD = "# Étude\n\n**Runs in about N s on one core.** Needs: nothing.\n\nIt runs in about N s."

# Half a second without a sign of life, then a bar that moves for as long, and a picture at the end.
WAITING = """
import os, sys, time
assert os.environ['OMP_NUM_THREADS'] == '1' and 'ICG_BOOK_BUILD' not in os.environ
from IPython.display import HTML, display
time.sleep(0.5)
for _ in range(5):
    print('.', end='', file=sys.stderr, flush=True)
    time.sleep(0.1)
display(HTML('<p>No picture.</p>'))
display(HTML('<svg></svg>'))
"""


@pytest.fixture
def checkout(tmp_path):
    """A repository of two chapters, a and b; b fails."""
    (tmp_path / "book").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "_toc.yml").write_text("root: book/index\nchapters:\n  - file: book/a\n  - file: book/b\n")
    for name, code in (("a", WAITING), ("b", "1 / 0")):
        notebook = new_notebook(cells=[new_markdown_cell(HEAD, id="head"), new_code_cell(code, id="code")])
        text = json.dumps(json.loads(nbformat.writes(notebook)), indent=1, ensure_ascii=False) + "\n"
        (tmp_path / "book" / f"{name}.ipynb").write_text(text, "utf-8")
    return tmp_path


@pytest.mark.parametrize(
    "seconds, expected", [(0.2, 1), (7.4, 7), (9.6, 10), (12.6, 15), (61, 60), (98, 100), (104, 100), (147, 150)]
)
def test_rounded(seconds, expected):
    assert times.rounded(seconds) == expected
    assert times.rounded(expected) == expected


def test_the_head_takes_the_number_and_nothing_else_changes(checkout):
    path = checkout / "book" / "a.ipynb"
    before = path.read_text("utf-8")
    path.write_text(times.said(path, 35), "utf-8")
    assert path.read_text("utf-8") == before.replace("about N s on one core", "about 35 s on one core")
    assert read_chapter(path).running == 35
    path.write_text(times.said(path, 7), "utf-8")  # a number is replaced, too
    assert path.read_text("utf-8") == before.replace("about N s on one core", "about 7 s on one core")
    path.write_text(before.replace("on one core", "on two"), "utf-8")
    with pytest.raises(ValueError, match=r"a\.ipynb: expected one line \*\*Runs in about N s"):
        times.said(path, 35)


def test_measure(checkout, capsys, monkeypatch):
    monkeypatch.setenv("ICG_BOOK_BUILD", "1")  # a reader has none
    untouched = (checkout / "book" / "b.ipynb").read_text()
    times.measure(["a"], checkout)
    result = json.loads((checkout / "data/results/run-times.json").read_text())
    assert "results/run-times.json" in (checkout / "data/manifest.json").read_text()
    assert list(result["chapters"]) == ["a"]
    record = result["chapters"]["a"]
    assert 0 <= record["seconds"] < 5
    assert 0.9 < record["first picture"] <= record["seconds"] and 0.9 < record["slowest cell"] <= record["seconds"]
    assert 0.4 < record["longest silence"] < record["slowest cell"] - 0.3
    waited = {*times.LIMITS, "slowest cell"}
    assert record.keys() == waited | {"data sets", "processor", "command", "device", "date", "versions"}
    assert read_chapter(checkout / "book" / "a.ipynb").running == times.rounded(record["seconds"])
    assert (checkout / "book" / "b.ipynb").read_text() == untouched
    assert capsys.readouterr().out.startswith(f"a: seconds {record['seconds']} s, first picture ")

    # A chapter that fails, or is not there, leaves everything as it was.
    with pytest.raises(Exception, match="division by zero"):
        times.measure(["b"], checkout)
    with pytest.raises(ValueError, match="among a, b, got c"):
        times.measure(["a", "c"], checkout)
    assert json.loads((checkout / "data/results/run-times.json").read_text()) == result
    assert (checkout / "book" / "b.ipynb").read_text() == untouched


def test_the_command_says_what_is_wrong(capsys):
    assert times.main(["nowhere"]) == 1
    assert "got nowhere" in capsys.readouterr().err


def test_the_build_tells_of_slow_chapters(checkout):
    path = checkout / "book" / "a.ipynb"
    path.write_text(times.said(path, 10), "utf-8")
    start = datetime(2026, 1, 1)

    def record(seconds, file=path, minutes=1):
        created = start + timedelta(minutes=minutes)
        return SimpleNamespace(uri=str(file), data={"execution_seconds": seconds}, created=created)

    quick = [record(29), record(31, minutes=-1), record(31, file=checkout / "book" / "b.ipynb")]
    assert list(build.slow(quick, start)) == []
    (line,) = build.slow([*quick, record(31)], start)
    assert line.startswith("a.ipynb took 31 s and says 10 s")


def test_a_chapter_without_a_picture_or_with_a_long_silence_is_over_the_limits(checkout, capsys, monkeypatch):
    monkeypatch.setitem(times.LIMITS, "longest silence", 0.2)
    times.measure(["a"], checkout)
    assert capsys.readouterr().out.endswith("\n  longest silence: at most 0.2 s\n")
    waited = {"seconds": 121.0, "first picture": None, "longest silence": 0.1}
    assert times.over(waited) == ["seconds", "first picture"]
