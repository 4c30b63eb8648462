"""The built book: the place that is kept free for an explorable is the one that it takes; so its page stays still."""

from pathlib import Path

import pytest

BUILT = Path(__file__).resolve().parents[2] / "_build" / "html"
MARK = '<div class="icg-x"'
PAGES = sorted(p.name for p in BUILT.glob("book/*.html") if MARK in p.read_text(encoding="utf-8"))
TALL = "() => document.querySelector('.icg-x').getBoundingClientRect().height"
HOLD = Path(__file__).with_name("hold.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", PAGES)
def test_the_page_stays_where_it_is(browser, book_url, path):
    page = browser.new_page()
    page.add_init_script(HOLD)
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(f"{book_url}/book/{path}")
        page.wait_for_function("window.__begin.length > 0")
        assert page.locator(".icg-x").get_attribute("data-state") == "waiting"
        kept = page.evaluate(TALL)
        page.evaluate("() => { document.querySelector('.icg-x').scrollIntoView(); __begin.forEach((go) => go()); }")
        page.wait_for_selector(".icg-x[data-state=ready]")
        page.wait_for_timeout(300)
        assert page.evaluate(TALL) == pytest.approx(kept, rel=0.06), f"{width} px: NAME.css says another height"
    page.close()
