"""The built book's front page: the playground on the first screen, and a card for each chapter."""

from pathlib import Path

import pytest

from press.chapters import chapter_files

pytestmark = pytest.mark.browser
ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = [path.relative_to(ROOT).with_suffix("").as_posix() for path in chapter_files(ROOT)]


@pytest.fixture
def front(open_page):
    page, record = open_page("book/index.html")
    root = page.locator(".icg-x").first
    page.wait_for_function("r => r.__explorable.quick()", arg=root.element_handle(), timeout=120_000)
    return page, record, root


def test_the_playground_is_on_the_first_screen(front):
    page, record, root = front
    page.wait_for_timeout(300)
    for part in (".icg-pg-field", ".icg-pg-own", ".icg-pg-sentence", ".icg-pg-table"):
        box = root.locator(part).bounding_box()
        assert box["y"] > 0 and box["y"] + box["height"] <= 900, part
    assert "is cheated by Integrated Gradients" in root.locator(".icg-pg-sentence").inner_text()
    record.assert_clean()


def test_each_chapter_has_a_card_with_a_picture_that_leads_there(front):
    page, _, _ = front
    cards = page.locator(".icg-cards li")
    links = cards.locator("p > a:first-child").evaluate_all("all => all.map((a) => a.getAttribute('href'))")
    assert [f"book/{link.removesuffix('.html')}" for link in links] == CHAPTERS
    for card in cards.all():
        card.scroll_into_view_if_needed()
        picture = card.locator("img")
        page.wait_for_function("i => i.complete && i.naturalWidth > 0", arg=picture.element_handle())
    cards.first.locator("img").click(force=True)  # the whole card is the link, which lies over it
    page.wait_for_url(f"**/{CHAPTERS[0]}.html")
