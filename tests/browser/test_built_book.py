"""Every page of the built book: it reads offline, on a phone and without eyes."""

import re
from pathlib import Path

import pytest

BUILT = Path(__file__).resolve().parents[2] / "_build" / "html"
PAGES = sorted(path.relative_to(BUILT).as_posix() for path in BUILT.rglob("*.html") if "_static" not in path.parts)
LIGHT = 1_500_000  # bytes
CHAPTERS = [page for page in PAGES if page.startswith("book/")]


def test_there_is_a_book():
    assert "book/index.html" in PAGES, "the book is not built: run `make book` first (`make test` does)"


@pytest.mark.parametrize("path", PAGES)
def test_page_opens_clean(open_page, path):
    page, record = open_page(path)
    page.mouse.wheel(0, 100_000)  # pictures that load lazily
    record.settle()
    record.assert_clean()


@pytest.mark.parametrize("path", CHAPTERS)
def test_page_reads_from_a_folder(open_page, path):
    """No server: what a reader sees who opens the address that `make book` prints."""
    page, record = open_page((BUILT / path).as_uri())
    assert page.locator("article h1").inner_text()
    # The theme that Python 3.10 gets preloads its icon fonts in a way that browsers refuse from a file.
    record.failed = [text for text in record.failed if "/webfonts/" not in text]
    record.errors = [text for text in record.errors if "/webfonts/" not in text and "net::ERR_FAILED" not in text]
    record.assert_clean()


@pytest.mark.parametrize("path", PAGES)
def test_a_first_page_is_light(open_page, path):
    """All that a reader who has never been here before must load, without compression."""
    page, _ = open_page(path)
    loaded = page.evaluate("""["navigation", "resource"].flatMap((kind) => performance.getEntriesByType(kind))
        .map((entry) => [entry.transferSize, entry.name])""")
    heaviest = sorted(loaded, reverse=True)[:5]
    assert sum(size for size, _ in loaded) < LIGHT, f"the heaviest: {heaviest}"


RAW_TEX = r"\\[()\[\]]|\\(begin|frac|sum|int|phi|alpha|partial)\b|\$[^$\n]*[\\_^][^$\n]*\$"


def open_typeset(open_page, path, **options):
    """The page when all its formulas are set, and how many there are."""
    page, record = open_page(path, **options)
    formulas = page.locator(".math").count()
    if formulas:
        page.wait_for_function("!document.querySelector('.math:not([data-set])')")
    return page, record, formulas


@pytest.mark.parametrize("path", CHAPTERS)
def test_maths_is_typeset(open_page, path):
    page, record, formulas = open_typeset(open_page, path)
    for part in (".katex-html", ".katex-mathml math"):  # for the eye, and for screen readers
        assert page.locator(f".math {part}").count() == formulas
    assert page.locator(".katex-error").count() == 0
    # What is written on the page, code aside: no formula is left as TeX, be it in the text or in an output.
    text = page.evaluate("""() => {
        const copy = document.querySelector("article").cloneNode(true);
        for (const part of copy.querySelectorAll("pre, code, script, style, .katex-mathml")) part.remove();
        return copy.textContent;
    }""")
    assert not re.search(RAW_TEX, text)
    assert any("katex" in address for address in record.requests) == bool(formulas)


def test_numbers_of_equations_stand_beside_them_and_are_referred_to(open_page):
    page, _, _ = open_typeset(open_page, "book/local_minimum.html")
    for number in page.locator("div.math .eqno").all():
        box, formula = number.bounding_box(), number.locator("xpath=..").locator(".katex-html").bounding_box()
        assert box["x"] > formula["x"] + formula["width"] / 2
        assert formula["y"] < box["y"] + box["height"] / 2 < formula["y"] + formula["height"]
    for link in page.locator("article a[href^='#equation-']").all():
        target = page.locator(f"[id='{link.get_attribute('href')[1:]}'] .eqno")
        assert link.inner_text() in target.inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_formulas_are_as_readable_as_the_text(open_page, scheme):
    page, _, _ = open_typeset(open_page, "book/shapley.html", color_scheme=scheme)
    colour = "e => getComputedStyle(e).color"
    assert page.locator("p .katex .mord").first.evaluate(colour) == page.locator("p:has(.katex)").first.evaluate(colour)


def test_wide_formulas_scroll_on_a_phone_and_others_break(open_page):
    page, _, _ = open_typeset(open_page, "book/attribution_transfer.html", width=390, height=844)
    wide = page.locator(".katex-display[tabindex='0']")
    assert wide.count()
    wide.first.focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.activeElement.scrollLeft > 0")
    assert page.evaluate("""() => [...document.querySelectorAll("article span.math")].every(
        (formula) => formula.getBoundingClientRect().right <= innerWidth)""")


@pytest.mark.parametrize("path", CHAPTERS)
def test_images_have_alt_text(open_page, path):
    page, _ = open_page(path)
    undescribed = "article img:not([role=presentation])"  # those are ornaments beside a text that says what they show
    sources = page.locator(undescribed).evaluate_all("all => all.filter(i => !i.alt.trim()).map(i => i.src)")
    assert not sources, f"images without alt text: {[source[:80] for source in sources]}"


@pytest.mark.parametrize("path", CHAPTERS)
def test_phone_does_not_scroll_sideways(open_page, path):
    page, _ = open_page(path, width=390, height=844, has_touch=True, is_mobile=True, device_scale_factor=2)
    widths = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert widths[0] <= widths[1], f"the page is {widths[0]} px wide on a screen of {widths[1]} px"


TABLES = """() => [...document.querySelectorAll("article table")].filter(t => t.checkVisibility()).map(t => {
  let box = t.parentElement;
  while (box.tagName !== "ARTICLE" && getComputedStyle(box).overflowX === "visible") box = box.parentElement;
  const cut = t.getBoundingClientRect().right > box.getBoundingClientRect().right + 1;
  const hint = box.classList.contains("icg-more") && getComputedStyle(box, "::before").content.includes("scroll");
  return [t.innerText.slice(0, 60), cut, hint];
})"""


@pytest.mark.parametrize("path", CHAPTERS)
def test_no_table_is_cut_off(open_page, path):
    """Not even those that are folded; on a phone the box of a wide one says that it scrolls."""
    for width in (1280, 390):
        page, _ = open_page(path, width=width)
        page.evaluate("document.querySelectorAll('article details').forEach(d => d.open = true)")
        page.wait_for_timeout(100)  # whose boxes are looked at when they have a size
        cut = [text for text, is_cut, hint in page.evaluate(TABLES) if is_cut and (width > 1000 or not hint)]
        assert not cut, f"cut off at {width} px: {cut}"


def test_one_switch_hides_all_code_on_all_pages(open_page):
    page, record = open_page("book/shapley.html")
    code = page.locator("article div.cell_input")
    assert sum(code.nth(k).is_visible() for k in range(code.count())) >= 2
    page.locator("article h2").nth(2).scroll_into_view_if_needed()
    page.get_by_role("button", name="Hide all code").press("Enter")
    assert not any(code.nth(k).is_visible() for k in range(code.count()))
    assert page.locator("article div.cell_output").first.is_visible()
    page.goto(page.url.replace("shapley", "baselines"))
    assert not any(code.nth(k).is_visible() for k in range(code.count()))
    page.get_by_role("button", name="Show all code").click()
    assert sum(code.nth(k).is_visible() for k in range(code.count())) >= 1
    page.goto(page.url.replace("baselines", "glossary"))
    assert page.get_by_role("button", name="Hide all code").count() == 0
    record.assert_clean()


def test_chapters_are_numbered_and_equations_by_chapter(open_page):
    page, record = open_page("book/local_minimum.html")
    assert page.locator("article h1").inner_text().startswith("7. ")
    links = page.locator("nav.bd-links a").all_text_contents()
    numbers = [text.strip().split(".")[0] for text in links if text.strip()[:1].isdigit()]
    assert numbers == [str(k) for k in range(1, 12)]
    assert page.locator("div.math .eqno").first.inner_text().startswith("(7.1)")
    record.assert_clean()
