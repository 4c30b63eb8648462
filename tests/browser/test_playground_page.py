"""The playground in a real browser, from ``file://``: hands, presets, words, numbers, and a page that never waits."""

import json
import re

import numpy as np
import pytest
from pages import PHONE, assert_large, call, contrast, drag, pixels, place, plain

from icg_book.playground.playground import PRESETS, playground
from icg_book.playground.scene import Thing, draw

pytestmark = pytest.mark.browser
HEIGHT = 1000  # of the window
BYSTANDER, SQUARES, NOTHING = PRESETS


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    return playground(fallback=b"\x89PNG").to_file(tmp_path_factory.mktemp("playground") / "page.html")


@pytest.fixture
def start(open_explorable):
    def start(**options):
        page, root = open_explorable(**options)
        answered(page, root)
        return page, root

    return start


def answered(page, root):
    page.wait_for_function("r => r.__explorable.quick()", arg=root.element_handle(), timeout=120_000)


def things(root):
    return [Thing(**thing) for thing in call(root, "x.state.things")]


def thing(root, letter):
    return root.locator(".icg-pg-thing").nth("ABCDEF".index(letter))


def text(root, selector):
    return plain(root.locator(selector).inner_text())


def check_page(root):
    """What is drawn, the table and the sentence are those of the state, once all numbers are there."""
    root.page.wait_for_function("r => r.__explorable.ready()", arg=root.element_handle(), timeout=120_000)
    state = call(root, "({ ...x.state, answer: { fair: x.state.answer.fair, paid: x.state.answer.paid } })")
    shown = things(root)
    values, _ = draw(shown)
    canvas = root.locator(".icg-pg-field canvas")
    assert np.array_equal(pixels(canvas)[..., 0], np.rint(255 * values[0, 0].numpy()))
    columns = [state["answer"]["fair"], *(state["answer"]["paid"][name] for name in ("IG", "EG", "ICG"))]
    cells = root.locator("tbody td > span:last-child").all_inner_texts()
    table = np.array([float(re.match(r"[+-]?[\d.]+", plain(cell))[0]) for cell in cells]).reshape(-1, 4)
    assert np.abs(table - np.array(columns).T).max() <= 0.00501
    names = [plain(name) for name in root.locator("tbody th").all_inner_texts()]
    assert [name.split()[0] for name in names[:-1]] == list("ABCDEF"[: len(shown)]) and "the rest" in names[-1]
    assert all(item.name in name for item, name in zip(shown, names, strict=False))
    for name, cell, got, due in zip(
        range(len(cells)), cells, table.ravel(), table[:, :1].repeat(4, 1).ravel(), strict=True
    ):
        if abs(abs(got - due) - 0.1) > 0.011:  # not just at the border
            word = "too little" if got - due <= -0.1 else "too much" if got - due >= 0.1 else ""
            assert word in cell and (word or "too" not in cell), (name, cell)
    sentence = text(root, ".icg-pg-sentence")
    for letter, due, got in re.findall(r"([A-F]), .*? due (-?\d\.\d+) and (?:gets|takes) (-?\d\.\d+)", sentence):
        row = "ABCDEF".index(letter)
        assert table[row, 0] == float(due) and float(got) in table[row, 1:]
    return state, table, sentence


def test_presets_tell_their_story(start):
    page, root = start()
    for name in PRESETS:
        root.get_by_role("button", name=name).click()
        answered(page, root)
        assert root.get_by_role("button", name=name).get_attribute("aria-pressed") == "true"
        assert things(root) == list(PRESETS[name])
        _, table, sentence = check_page(root)
        if name == BYSTANDER:
            assert sentence.startswith("A, the dark square, is cheated by Integrated Gradients")
            assert "while B, the light square," in sentence
        elif name == SQUARES:
            assert "while B, a dark square," in sentence
        else:
            assert "light square" in sentence and "0." in text(root, ".icg-pg-verdict")
        off = [plain(cell) for cell in root.locator("tfoot td").all_inner_texts()[1:]]
        nearest = [plain(cell) for cell in root.locator("tfoot .icg-pg-nearest").all_inner_texts()]
        assert nearest == [text for text in off if text == min(off, key=float)] != []


def test_dragging_moves_an_object_and_the_network_answers(start):
    page, root = start()
    field = root.locator(".icg-pg-field canvas")
    drag(page, place(field, 12.5 / 50, 11.5 / 50), place(field, 20.5 / 50, 30.5 / 50))
    assert (things(root)[0].left, things(root)[0].top) == (16, 26)
    assert root.locator('.icg-pg-presets [aria-pressed="true"]').count() == 0
    answered(page, root)
    check_page(root)
    drag(page, place(field, 20.5 / 50, 30.5 / 50), place(field, 33.5 / 50, 30.5 / 50))  # onto the light square
    draw(things(root))  # which has kept its place
    assert things(root)[0] != PRESETS[BYSTANDER][0] and things(root)[1] == PRESETS[BYSTANDER][1]
    before = things(root)[0]
    handle = root.locator(".icg-pg-handle")
    drag(page, place(handle), place(handle, dx=-20, dy=-20))
    assert things(root)[0].size < before.size
    answered(page, root)
    check_page(root)


def test_a_finger_drags_and_the_page_scrolls_elsewhere(start):
    page, root = start(viewport=PHONE, has_touch=True, is_mobile=True)
    assert thing(root, "A").evaluate("e => getComputedStyle(e).touchAction") == "none"
    assert root.locator(".icg-pg-field").evaluate("e => getComputedStyle(e).touchAction") == "auto"


def test_keyboard_does_everything(start):
    page, root = start()
    root.get_by_role("button", name=NOTHING).focus()
    page.keyboard.press("Tab")
    first = things(root)[0]
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("A, dark square, 9 by 9")
    for keys, change in (
        (["ArrowRight"], {"left": first.left + 1}),
        (["Shift+ArrowDown"], {"top": first.top + 5}),
        (["ArrowLeft", "Shift+ArrowUp"], {"left": first.left, "top": first.top}),
        (["PageUp"], {"level": first.level + 8}),
        (["PageDown"], {"level": first.level}),
    ):
        for key in keys:
            page.keyboard.press(key)
        assert {name: getattr(things(root)[0], name) for name in change} == change
    page.keyboard.press("-")
    assert things(root)[0].size == first.size - 1
    page.keyboard.press("+")
    assert things(root)[0] == first
    for _ in range(30):
        page.keyboard.press("PageUp")
    assert things(root)[0].level == 254 and "light square" in thing(root, "A").get_attribute("aria-label")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("t")
    assert things(root)[2].turn == 2
    page.keyboard.press("Delete")
    assert len(things(root)) == 2 and page.evaluate("document.activeElement.className").startswith("icg-pg-thing")
    page.keyboard.press("Delete")
    page.keyboard.press("Delete")
    assert things(root) == [] and page.evaluate("document.activeElement.textContent") == "+ Square"
    answered(page, root)
    assert text(root, ".icg-pg-sentence").startswith("Nothing is in the picture")
    page.keyboard.press("Enter")
    assert [t.kind for t in things(root)] == ["square"]
    answered(page, root)
    check_page(root)


def test_objects_are_added_up_to_the_limit_and_changed_by_buttons(start):
    page, root = start()
    for name in ("+ Square", "+ Triangle", "+ Triangle"):
        root.get_by_role("button", name=name).click()
    shown = things(root)
    draw(shown)
    assert [t.kind for t in shown[3:]] == ["square", "triangle", "triangle"]
    assert root.get_by_role("button", name="+ Square").is_disabled()
    assert not root.get_by_role("button", name="Turn").is_disabled()
    root.get_by_role("button", name="Larger").click()
    root.get_by_role("button", name="Turn").click()
    assert things(root)[5].size == shown[5].size + 1 and things(root)[5].turn == 2
    root.get_by_role("slider").fill("70")
    assert things(root)[5].level == 70
    answered(page, root)
    check_page(root)
    root.get_by_role("button", name="Remove").click()
    assert len(things(root)) == 5


def test_a_slider_makes_a_dark_square_light(start):
    page, root = start()
    root.get_by_role("slider").fill("240")
    answered(page, root)
    state, table, _ = check_page(root)
    assert state["p"] < 0.1 and "light square" in root.locator("tbody th").first.inner_text()


def test_the_answer_is_spoken(start):
    page, root = start()
    page.wait_for_function("r => r.__explorable.ready()", arg=root.element_handle(), timeout=120_000)
    page.wait_for_timeout(900)
    spoken = text(root, "[aria-live=polite]")
    assert "sure that there is a dark square. A, the dark square, is cheated" in spoken
    assert root.locator(".icg-pg-field").get_attribute("role") == "application"


def test_phone_and_dark(start):
    page, root = start(viewport=PHONE, has_touch=True, is_mobile=True, device_scale_factor=2, color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert_large(root.locator("button.icg-x-button"), 36)
    for selector in (".icg-pg-sentence", ".icg-pg-hint", ".icg-pg-facts", ".icg-pg-kind >> nth=0", "em >> nth=0"):
        ratio, dark = contrast(root.locator(selector))
        assert ratio >= 4.5 and dark, selector
    # The sentence is on the first screen.
    assert root.locator(".icg-pg-sentence").bounding_box()["y"] < PHONE["height"]


def test_light_has_contrast(start):
    _, root = start(color_scheme="light")
    for selector in (".icg-pg-sentence", ".icg-pg-hint", ".icg-pg-facts", ".icg-pg-kind >> nth=0", "em >> nth=0"):
        ratio, dark = contrast(root.locator(selector))
        assert ratio >= 4.5 and not dark, selector


def test_without_a_worker_the_page_computes_itself(browser, page_file):
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script("delete window.Worker; delete WebAssembly.Memory")
    page.goto(page_file.as_uri())
    root = page.locator(".icg-x").first
    answered(page, root)
    check_page(root)
    context.close()


def test_the_work_is_not_the_pages(start, browser):
    """No task of the page's own thread is as long as the work, which takes seconds on a device four times slower.

    What counts is the time that the thread has run, not what a clock says on a machine that has other things to do.
    """
    page, root = start()
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": 4})
    browser.start_tracing(page=page, categories=["devtools.timeline", "toplevel"])
    page.reload()
    page.wait_for_selector(".icg-x[data-state=ready]")
    answered(page, root)
    field = root.locator(".icg-pg-field canvas")
    drag(page, place(field, 0.25, 0.25), place(field, 0.4, 0.6), place(field, 0.2, 0.3), steps=15)
    root.get_by_role("button", name="+ Triangle").click()
    root.get_by_role("slider").fill("90")
    answered(page, root)
    events = json.loads(browser.stop_tracing())["traceEvents"]
    names = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name"}
    tasks = [e["tdur"] / 1000 for e in events if "tdur" in e and names.get((e["pid"], e["tid"])) == "CrRendererMain"]
    assert len(tasks) > 100 and max(tasks) < 500
