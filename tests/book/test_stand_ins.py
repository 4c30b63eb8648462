"""No page speaks of pictures that it doesn't show, with the data sets and without them.

What chapters show without them when they run, ``test_colab.py`` looks at.
"""

from pathlib import Path

import absent
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from icg_book.kit.folders import DATA_SETS
from press.chapters import chapter_files, read_chapter
from press.digests import BUILD

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = [read_chapter(path) for path in chapter_files(ROOT)]
KEY = BUILD / "pages.key"  # a hash, and what was missing
BUILT = sorted((BUILD / "html" / "book").glob("*.html")) if KEY.exists() else []
MISSING = KEY.read_text().split()[1:] if KEY.exists() else []


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.file)
def test_no_text_leaves_it_to_the_reader_what_is_shown(chapter):
    texts = {cell.id: cell.source for cell in chapter.notebook.cells if cell.cell_type == "markdown"}
    for cell in chapter.notebook.cells:
        texts |= {f"{cell.id}, {name}": text for name, text in absent.choices(cell).items()}
    assert not [f"{where}: {match[0]}" for where, text in texts.items() for match in absent.HOLES.finditer(text)]


def test_texts_that_depend_on_the_data_have_both_cases():
    cells = {cell.id: absent.choices(cell) for chapter in CHAPTERS for cell in chapter.notebook.cells}
    both = [texts for texts in cells.values() if texts]
    assert len(both) >= 3
    for texts in both:
        assert texts.keys() == {"photographs", "stand_ins"} and all(texts.values())


@pytest.mark.parametrize("page", BUILT, ids=lambda page: page.stem)
def test_a_built_page_says_what_it_shows(page):
    text = absent.readable(page.read_text("utf-8").partition("<article")[2].partition("</article>")[0])
    found = [match[0] for match in absent.HOLES.finditer(text)]
    scenario = {"mnist": "MNIST", "imagenette": "Imagenette"}.get(page.stem)
    if scenario:
        assert scenario in [data.name for data in DATA_SETS]
        here, away = absent.WITH_DATA.search(text), absent.WITHOUT.search(text)
        assert (here is None) == (scenario in MISSING), f"it speaks of {here and here[0]}"
        assert (away is None) != (scenario in MISSING), f"it speaks of {away and away[0]}"
    assert not found


# ---- that the words are found


def executed(source, *outputs):
    return new_code_cell(source, outputs=list(outputs), id="cell")


def html(text):
    return new_output("display_data", {"text/html": text})


TOLD = 'gallery.text(photographs="""\na gas\npump\n""", stand_ins="""\na tower\n""")'
DRAWN = "from icg_book.mnist import figures\nfigures.panels([])"


@pytest.mark.parametrize(
    "cell, fault",
    [
        (new_markdown_cell("Expected Gradients, if you have the data set, draws it.", id="cell"), "if you have"),
        (new_markdown_cell("4. With the photographs: choose.", id="cell"), "With the photographs"),
        (executed("note()", html("<b>Not shown:</b> a border")), "Not shown:"),
        (executed("note()", html("<img src='data:,' alt='a panel that needs the data set'>")), "needs the data set"),
        (executed("note()", html("<b>MNIST is here:</b> 60,000")), "MNIST is here"),
        (executed("print()", new_output("stream", text="EG: needs the data set\n")), "needs the data set"),
        (executed(DRAWN), "figures.panels shows nothing"),
        (executed(TOLD, new_output("display_data", {"text/markdown": "a gas\npump"})), "photographs"),
        (executed(TOLD), "stand_ins"),
    ],
)
def test_what_is_absent_is_found(cell, fault):
    assert any(fault in found for found in absent.faults([cell]))


def test_what_is_shown_is_no_fault():
    picture = new_output("display_data", {"image/png": "", "text/plain": ""})
    told = new_output("execute_result", {"text/markdown": "a\ntower", "text/plain": ""})
    stroke = new_markdown_cell("a missing stroke, without the data set's mean", id="text")
    script = html("<script>'needs the data set'</script><pre>Not shown:</pre>")
    lines = executed(
        DRAWN.replace("figures.panels([])", "print(figures.lines())"), new_output("stream", text="ICG 0.5")
    )
    cells = [executed(DRAWN, picture), executed(TOLD, told), stroke, executed("x", script), lines]
    assert absent.faults(cells) == []
