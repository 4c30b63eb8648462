"""The figures of the built book: sharp, legible on a wide screen and on a phone, numbered and referred to."""

from pathlib import Path

import pytest

from press.chapters import chapter_files

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = [path.stem for path in chapter_files(ROOT)]
# Of each picture that is no part of an explorable: what it is called, and how high its smallest letters are.
MEASURE = """async () => {
  const found = [];
  for (const image of document.querySelectorAll("article img")) {
    if (image.closest(".icg-x, noscript, table, [role=presentation]")) continue;
    image.loading = "eager";
    for (let fold = image.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    await image.decode();
    const text = await (await fetch(image.src)).text();
    const [, letters, points] = text.match(/^<svg [^>]*data-letters="([\\d.]+)"[^>]* width="([\\d.]+)pt"/) || [];
    const width = image.getBoundingClientRect().width;
    const figure = image.closest("figure[id]");
    found.push({
      what: image.alt.slice(0, 60),
      letters: (letters * width) / points,
      density: letters ? Infinity : image.naturalWidth / width,
      numbered: !!figure?.querySelector("figcaption .caption-number"),
      cited: !!document.querySelector(`article :is(p, li) a[href="#${figure?.id}"]`),
      lab: !!image.closest("figure:not([id])"),
    });
  }
  return found;
}"""


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_figures_are_sharp_legible_numbered_and_cited(open_page, chapter):
    page, _ = open_page(f"book/{chapter}.html")
    page.evaluate("document.querySelectorAll('article details').forEach((fold) => (fold.open = true))")
    wide = page.evaluate(MEASURE)
    page.set_viewport_size({"width": 390, "height": 844})
    phone = page.evaluate(MEASURE)
    assert wide and len(wide) == len(phone)
    for figure in wide + phone:
        assert figure["density"] >= 2, figure
        assert figure["lab"] or (figure["numbered"] and figure["cited"]), figure
    assert not [figure for figure in wide if figure["letters"] < 8.95]
    assert not [figure for figure in phone if figure["letters"] < 6.95]


def test_a_wide_figure_scrolls_on_a_phone_and_says_so(open_page):
    page, record = open_page("book/mnist.html", width=390, height=844)
    boxes = page.locator(".icg-scroll[tabindex='0']")
    assert boxes.count() > 3
    box = boxes.first.element_handle()
    box.scroll_into_view_if_needed()
    assert box.evaluate("e => e.parentElement.querySelector('.icg-hint').getBoundingClientRect().height") > 15
    box.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.activeElement.scrollLeft > 0")
    page.set_viewport_size({"width": 1280, "height": 900})
    page.wait_for_function("() => !document.querySelector('.icg-scroll[tabindex]')")
    assert box.evaluate("e => e.parentElement.querySelector('.icg-hint').getBoundingClientRect().height") == 0
    record.assert_clean()
