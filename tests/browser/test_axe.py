"""Every page for everyone: axe-core finds no violation of WCAG 2 A or AA, in light, in the dark, and on a phone."""

from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_FILE_PATH

BUILT = Path(__file__).resolve().parents[2] / "_build" / "html"
PAGES = sorted(path.relative_to(BUILT).as_posix() for path in BUILT.rglob("*.html") if "_static" not in path.parts)
PAGES = [page for page in PAGES if page != "index.html"]  # leads to book/index.html at once
CHAPTERS = [page for page in PAGES if page.startswith("book/")]
AXE = AXE_FILE_PATH.read_text(encoding="utf-8")
AUDIT = """() => axe.run(document, {
  runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], preload: false,
  resultTypes: ["violations"],
}).then((found) => found.violations.flatMap(({ id, nodes }) =>
  nodes.map((node) => [id + ":", node.target.join(" "), node.html.slice(0, 120), node.failureSummary].join(" "))))"""
# axe's time grows with the elements of a page, and most are words of code and parts of formulas. One of each kind
# stays, with what is around it; the others leave their text, or their room.
UNFOLD = """() => {
  for (const fold of document.querySelectorAll("details")) fold.open = true;
  for (const fold of document.querySelectorAll(".toggle-button[aria-expanded=false]")) fold.click();
  for (const picture of document.querySelectorAll(".icg-x")) picture.scrollIntoView();
  for (const button of document.querySelectorAll("#pst-back-to-top")) button.style.display = "block";
}"""
THIN = """() => {
  const kinds = new Set();
  const again = (kind) => kinds.has(kind) || !kinds.add(kind);
  for (const word of document.querySelectorAll(":is(pre, code) span")) {
    const around = word.closest(".cell_input, .cell_output, details, .admonition, td");
    if (again(word.className + " in " + around?.className)) word.replaceWith(...word.childNodes);
  }
  for (const formula of document.querySelectorAll("mjx-container, .katex")) {
    const { width, height } = formula.getBoundingClientRect();
    const around = formula.closest(".admonition, td, .cell_output");
    if (!again("formula in " + around?.className)) continue;
    formula.replaceChildren();
    Object.assign(formula.style, { display: "inline-block", width: width + "px", height: height + "px" });
  }
  document.body.normalize();
}"""


@pytest.fixture
def unfolded(open_page):
    """``unfolded(path)``: the page with all that it folds away in sight, and its explorables running."""

    def unfold(path):
        page, _ = open_page(path, color_scheme="light", reduced_motion="reduce")
        page.evaluate(UNFOLD)
        page.wait_for_function("document.querySelectorAll('.icg-x:not([data-state=ready])').length === 0")
        return page

    return unfold


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_no_violation(unfolded, path):
    page = unfolded(path)
    page.evaluate(AXE)
    page.evaluate(THIN)
    found = []
    for scheme, width in [("light", 1280), ("dark", 1280), ("light", 390)]:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(
            "s => !('mode' in document.documentElement.dataset) || document.documentElement.dataset.theme === s",
            arg=scheme,
        )
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        found += [f"{scheme}, {width} px: {text}" for text in page.evaluate(AUDIT)]
    assert not found, f"{len(found)} violations on {path}:\n" + "\n".join(found[:20])


def test_axe_would_find_them(unfolded):
    """Were the page wrong, the test above would say so, in what it thins out as well."""
    page = unfolded("book/shapley.html")
    page.evaluate(
        """() => {
          document.querySelector("article img").removeAttribute("alt");
          const word = [...document.querySelectorAll("article pre span.k")].pop();
          word.className = "faint"; word.style.color = "#ccc"; word.style.background = "#ddd";
        }"""
    )
    page.evaluate(AXE)
    page.evaluate(THIN)
    found = " ".join(page.evaluate(AUDIT))
    assert "image-alt" in found and "color-contrast: .faint" in found


@pytest.mark.parametrize("path", CHAPTERS)
def test_folds_are_named_by_what_they_fold(unfolded, path):
    page = unfolded(path)
    names = page.locator("article .toggle-button").evaluate_all("all => all.map((b) => b.getAttribute('aria-label'))")
    assert "Toggle hidden content" not in names and all(names)
    folds = page.locator("article details.hide > summary")
    assert folds.evaluate_all("all => all.filter((s) => s.hasAttribute('aria-label')).length") == 0
    names = [" ".join(text.split()) for text in folds.all_inner_texts()]
    assert len(set(names)) == len(names), names


@pytest.mark.parametrize("path", ["book/index.html", "book/shapley.html", "book/glossary.html"])
def test_first_tab_leads_to_the_article(open_page, path):
    page, record = open_page(path)
    page.keyboard.press("Tab")
    link = page.locator(":focus")
    assert link.inner_text() == "Skip to the article"
    page.wait_for_function("() => document.activeElement.getBoundingClientRect().top >= 0")  # it slides into sight
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.activeElement.closest('article, main')")
    page.keyboard.press("Tab")
    assert page.evaluate("() => Boolean(document.activeElement.closest('article'))"), "the next stop is in the article"
    record.assert_clean()
