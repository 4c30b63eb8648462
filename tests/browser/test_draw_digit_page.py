"""Explorable "draw a digit" in a real browser, from ``file://``: pictures, network, maps, and every way to draw."""

import numpy as np
import pytest
import torch
from pages import PHONE, assert_large, call, contrast, drag, pixels, place

from icg.artifacts import load_model
from icg.attribution import integrated_certainty_gradients, integrated_gradients
from icg.certainty import join
from icg_book.kit.figures import signed_lut
from icg_book.kit.page.networks import as_in_page
from icg_book.mnist.draw_digit import draw_digit
from icg_book.scenarios import drawn_digits

pytestmark = pytest.mark.browser
HEIGHT = 1000  # of the window


@pytest.fixture(scope="module")
def model():
    """What the page computes with."""
    return as_in_page(load_model("mnist-small")).double()


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    return draw_digit().to_file(tmp_path_factory.mktemp("draw") / "page.html")


def wait(page):
    page.wait_for_function("[...document.querySelectorAll('.icg-x')].every(r => r.__explorable.ready())")


@pytest.fixture
def start(open_explorable):
    """``page, root = start(**context options)``: open, without animation unless asked for, and at rest."""

    def start(**options):
        page, root = open_explorable(**{"reduced_motion": "reduce", **options})
        wait(page)
        return page, root

    return start


def scribble(seed, n=9):
    generator = torch.Generator().manual_seed(seed)
    steps = 3 * torch.randn(n, 2, generator=generator, dtype=torch.float64)
    return (((14 + steps.cumsum(0)).clamp(0, 28) * 128).round() / 128).tolist()


def drawing_of(root):
    return call(root, "x.state.strokes")


def now(root):
    """What the page shows, as arrays and numbers."""
    return call(
        root,
        "(s => ({ strokes: s.strokes, p: s.p, best: s.best, target: s.target, method: s.method, map: [...s.job.map],"
        " values: [...s.picture.values], sum: s.job.sum, from: s.job.from, to: s.job.to, gradients: s.job.gradients }))"
        "(x.state)",
    )


def python_map(model, image, method, target):
    """The map and the two ends of its path, from many small steps."""
    inputs = join(image.double()[None])
    if method == 0:
        values = integrated_certainty_gradients(model, inputs, target=target, n_steps=200, dtype=torch.float64)[0, 0]
        begin = join(image.double()[None], 0.0)
    else:
        values = integrated_gradients(model, inputs, target=target, n_steps=600, method="adaptive")[0, 0].double()
        begin = join(torch.zeros_like(image).double()[None])
    with torch.no_grad():
        ends = model(torch.cat([begin, inputs])).softmax(1)[:, target]
    return values.flatten().numpy(), ends.numpy()


def check_page(root, model):
    """What is shown is what Python computes from the same strokes; returns what the page shows."""
    s = now(root)
    image = drawn_digits.rasterise(s["strokes"])
    assert np.abs(np.array(s["values"]) - image.flatten().double().numpy()).max() < 1e-6
    with torch.no_grad():
        p = model(join(image.double()[None])).softmax(1)[0].numpy()
    assert np.abs(np.array(s["p"]) - p).max() < 1e-4 and s["best"] == p.argmax()
    want, ends = python_map(model, image, s["method"], s["target"])
    assert np.abs(np.array(s["map"]) - want).max() < min(1e-3, 0.02 * np.abs(want).max() + 1e-5)
    assert [s["from"], s["to"]] == pytest.approx(ends.tolist(), abs=1e-4)
    assert s["sum"] == pytest.approx(s["to"] - s["from"], abs=1e-3)
    return s


# ---- numbers


def test_a_stroke_that_grows_says_at_its_end_what_it_says_at_once(start):
    """How long an answer takes is measured in ``benchmarks/longest_tasks.py``."""
    page, root = start()

    def draw(points):
        root.evaluate(
            "(r, n) => { r.__explorable.state.strokes = n ? [Array.from({ length: n }, (_, i) => "
            "[6 + 0.4 * i, 5 + 0.3 * (i % 5)])] : []; r.__explorable.set({}); }",
            points,
        )
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return call(root, "[...x.state.p]")

    grown = [draw(k + 2) for k in range(40)]  # a frame each
    draw(0)
    assert draw(41) == grown[-1] and grown[0] != grown[20] != grown[-1]


# ---- drawing


def stroke_by_mouse(page, root, points):
    drag(page, *(place(root.locator(".icg-dd-pad canvas"), x / 28, y / 28) for x, y in points), steps=12)
    wait(page)


def test_draw_a_seven_with_the_mouse(start, model):
    page, root = start()
    assert check_page(root, model)["best"] == 5
    root.get_by_role("button", name="Clear").click()
    wait(page)
    assert drawing_of(root) == [] and root.locator(".icg-dd-hint").is_visible()
    assert "still has to say something" in root.locator(".icg-dd-words").inner_text()
    check_page(root, model)
    stroke_by_mouse(page, root, [(7, 6), (20, 6), (13, 23)])
    s = check_page(root, model)
    assert s["best"] == s["target"] == 7 and s["p"][7] > 0.9
    assert len(s["strokes"]) == 1 and 3 <= len(s["strokes"][0]) <= 8  # straight lines need no points between
    percent = 100 * s["p"][7]
    assert root.locator(".icg-dd-verdict").inner_text() == (
        "the network says 7 (" + (">99.9 %)" if percent > 99.95 else f"{percent:.1f} %)")
    )
    assert s["strokes"][0][0] == pytest.approx([7, 6], abs=0.1)
    assert s["strokes"][0][-1] == pytest.approx([13, 23], abs=0.4)
    assert not root.locator(".icg-dd-hint").is_visible()
    stroke_by_mouse(page, root, [(11, 14), (19, 14)])
    s = check_page(root, model)
    assert len(s["strokes"]) == 2 and s["best"] == 7
    box = root.locator(".icg-dd-pad canvas").bounding_box()
    page.mouse.click(box["x"] + 20, box["y"] + 20)
    wait(page)
    assert len(drawing_of(root)[2]) == 1  # a dot
    page.mouse.click(box["x"] + 20, box["y"] + 20, button="right")
    assert len(drawing_of(root)) == 3
    for left in (2, 1, 0):
        root.get_by_role("button", name="Undo").click()
        wait(page)
        assert len(drawing_of(root)) == left
    root.get_by_role("button", name="Undo").click()  # the drawing that was cleared
    wait(page)
    assert now(root)["best"] == 5 and root.get_by_role("button", name="Undo").is_disabled()


def test_what_is_drawn_is_what_the_pad_and_the_small_picture_show(start):
    page, root = start()
    stroke_by_mouse(page, root, [(3, 24), (25, 24)])
    seen = pixels(root.locator(".icg-dd-seen canvas"))
    assert np.abs(seen[..., 0].ravel() - 255 * np.array(now(root)["values"])).max() <= 0.51
    ink = pixels(root.locator(".icg-dd-pad canvas"))[:, 14 * 24, 3]
    assert ink[24 * 24] == ink[int(25.3 * 24)] == 255 and ink[26 * 24] == 0


def test_the_eraser_cuts_a_stroke_in_two_and_can_be_undone(start, model):
    page, root = start()
    root.get_by_role("button", name="Clear").click()
    stroke_by_mouse(page, root, [(4, 14), (24, 14)])
    root.get_by_role("button", name="Eraser").click()
    assert root.get_by_role("button", name="Eraser").get_attribute("aria-pressed") == "true"
    stroke_by_mouse(page, root, [(14, 8), (14, 20)])
    left, right = check_page(root, model)["strokes"]
    assert left[0] == pytest.approx([4, 14], abs=0.1) and left[-1] == pytest.approx([14 - 1.7, 14], abs=0.45)
    assert right[0] == pytest.approx([14 + 1.7, 14], abs=0.45) and right[-1] == pytest.approx([24, 14], abs=0.1)
    root.get_by_role("button", name="Undo").click()
    wait(page)
    assert len(drawing_of(root)) == 1


def test_draw_with_the_keyboard_alone(start, model):
    page, root = start()
    pad = root.get_by_role("application")
    root.get_by_role("button", name="Clear").press("Enter")
    pad.focus()
    for _ in range(4):
        page.keyboard.press("ArrowUp")
    assert drawing_of(root) == [] and call(root, "x.state.cursor") == [14, 5]
    page.keyboard.press("Space")
    for _ in range(9):
        page.keyboard.press("Shift+ArrowDown")
    wait(page)
    assert root.locator(".icg-dd-down").count() == 1
    page.keyboard.press("Space")
    wait(page)
    assert root.locator(".icg-dd-down").count() == 0
    s = check_page(root, model)
    assert s["strokes"] == [[[14, 5], [14, 23]]] and s["best"] == 1
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    page.keyboard.down("ArrowRight")  # two keys together: aslant
    page.keyboard.down("ArrowUp")
    page.keyboard.up("ArrowRight")
    page.keyboard.up("ArrowUp")
    page.keyboard.press("Escape")
    wait(page)
    assert drawing_of(root)[1] == [[14.5, 23], [15, 23], [15.5, 22.5]]
    page.keyboard.press("Backspace")
    wait(page)
    assert len(drawing_of(root)) == 1
    page.keyboard.press("Space")
    page.keyboard.press("Tab")  # goes on, and lifts the pen
    assert page.evaluate("document.activeElement.textContent") == "Eraser" and not call(root, "x.state.down")
    page.keyboard.press("Space")
    assert call(root, "x.state.eraser") is True


def test_a_finger_draws_and_does_not_move_the_page(start, model):
    page, root = start(has_touch=True, is_mobile=True, viewport=PHONE)
    root.get_by_role("button", name="Clear").tap()
    page.evaluate("scrollTo(0, 40)")
    assert root.locator(".icg-dd-pad").evaluate("e => getComputedStyle(e).touchAction") == "none"
    box = root.locator(".icg-dd-pad canvas").bounding_box()
    at = lambda x, y: {"x": box["x"] + box["width"] * x / 28, "y": box["y"] + box["height"] * y / 28}  # noqa: E731
    before = page.evaluate("scrollY")
    session = page.context.new_cdp_session(page)
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{**at(14, 24), "id": 1}]})
    for y in np.linspace(24, 4, 25):
        points = [{**at(14, float(y)), "id": 1}, {**at(22, float(y)), "id": 2}]  # a second finger draws nothing
        session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": points[: 1 + (y < 20)]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    wait(page)
    assert page.evaluate("scrollY") == before
    s = check_page(root, model)
    assert len(s["strokes"]) == 1 and s["best"] == 1
    assert np.ptp([y for _, y in s["strokes"][0]]) > 18
    assert_large(root.locator("button"), 32)


# ---- other controls


def test_choose_the_digit_to_explain_and_the_method_by_keyboard(start, model):
    page, root = start()
    title = root.locator(".icg-dd-two .icg-x-label").nth(1)
    assert title.inner_text() == "ICG: for and against a 5"
    six = root.get_by_role("button", name="6, probability")
    six.press("Enter")
    wait(page)
    s = check_page(root, model)
    assert s["target"] == 6 and s["best"] == 5 and six.get_attribute("aria-pressed") == "true"
    assert title.inner_text() == "ICG: for and against a 6"
    assert "the network says 5" in root.locator(".icg-dd-two .icg-x-note").nth(1).inner_text()
    root.get_by_role("button", name="zero IG").press("Space")
    wait(page)
    s = check_page(root, model)
    assert s["method"] == 1 and title.inner_text() == "zero IG: for and against a 6"
    assert np.abs(np.array(s["map"])[np.array(s["values"]) == 0]).max() == 0
    assert "can’t see what you left out" in root.locator(".icg-dd-words").inner_text()
    follow = root.get_by_role("button", name="the prediction")
    assert follow.get_attribute("aria-pressed") == "false"
    follow.press("Enter")
    wait(page)
    assert check_page(root, model)["target"] == 5 and follow.get_attribute("aria-pressed") == "true"
    root.get_by_role("button", name="ICG", exact=True).press("Enter")
    root.get_by_role("button", name="Drawing of a 3").press("Enter")
    wait(page)
    s = check_page(root, model)
    assert s["best"] == s["target"] == 3 and s["method"] == 0
    empty = np.abs(np.array(s["map"])[np.array(s["values"]) == 0]).sum() / np.abs(s["map"]).sum()
    assert f"{100 * empty:.0f} % of the map" in root.locator(".icg-dd-words").inner_text()


def test_every_preset_is_read_right(start):
    page, root = start()
    for k, label in enumerate(drawn_digits.load().labels.tolist()):
        root.locator(".icg-dd-preset").nth(k).click()
        wait(page)
        s = now(root)
        assert s["best"] == label and drawn_digits.to_code(s["strokes"]) == drawn_digits.to_code(
            drawn_digits.strokes()[k]
        )
        bar = root.locator(".icg-dd-bar").nth(label)
        assert bar.locator("i").evaluate("e => parseFloat(e.style.height)") == pytest.approx(
            100 * s["p"][label], abs=0.01
        )


def test_the_sum_is_told_in_numbers(start):
    page, root = start()
    for method in (0, 1):
        call(root, "x.set({ method: a })", method)
        wait(page)
        s = now(root)
        text = root.locator(".icg-dd-sums").inner_text().replace("\n", " ")
        plus, minus, to, begin = (float(b) for b in root.locator(".icg-dd-sums b").all_inner_texts())
        values = np.array(s["map"])
        assert plus == pytest.approx(values[values > 0].sum(), abs=6e-4)
        assert minus == pytest.approx(-values[values < 0].sum(), abs=6e-4)
        assert plus - minus == pytest.approx(to - begin, abs=3e-3)
        assert [begin, to] == pytest.approx([s["from"], s["to"]], abs=6e-4)
        assert ("nothing known", "an empty picture")[method] in text and "≈" not in text
        up = root.locator(".icg-dd-up").evaluate("e => [+e.getAttribute('x'), +e.getAttribute('width')]")
        width = root.locator(".icg-dd-flow").evaluate("e => e.clientWidth") - 16
        assert up[1] / width == pytest.approx(plus / max(1, plus + begin), abs=2e-3)


def test_the_map_is_painted_in_the_books_colours(start):
    _, root = start()
    shown = pixels(root.locator(".icg-dd-two canvas").nth(1))[..., :3].reshape(784, 3)
    values = np.array(now(root)["map"])
    whole = np.floor(127 * values / np.abs(values).max() + 0.5).astype(int)
    assert np.array_equal(shown, signed_lut()[whole + 127])


def test_the_code_can_be_copied(start):
    page, root = start(permissions=["clipboard-read", "clipboard-write"])
    stroke_by_mouse(page, root, [(5, 20), (23, 21)])
    root.get_by_role("button", name="Copy drawing").click()
    page.wait_for_function("document.querySelector('.icg-dd-copy [role=status]').textContent.includes('opied')")
    text = root.get_by_label("Code of the drawing").input_value()
    assert page.evaluate("navigator.clipboard.readText()") == text
    s = now(root)
    assert drawn_digits.strokes_from_code(text) == [[tuple(p) for p in stroke] for stroke in s["strokes"]]
    image = drawn_digits.from_code(text).flatten().double().numpy()
    assert np.abs(image - np.array(s["values"])).max() < 1e-6


def test_a_preset_is_drawn_before_the_readers_eyes(start):
    page, root = start(reduced_motion="no-preference")
    root.get_by_role("button", name="Drawing of a 3").click()
    part = page.wait_for_function(
        "(s => s.playing && s.strokes.length && s.strokes[0].length > 5 && s.strokes)"
        "(document.querySelector('.icg-x').__explorable.state)"
    ).json_value()
    assert len(part[0]) < len(drawn_digits.strokes()[3][0])
    wait(page)
    assert drawn_digits.to_code(drawing_of(root)) == drawn_digits.to_code(drawn_digits.strokes()[3])
    root.get_by_role("button", name="Replay").click()
    page.wait_for_function("document.querySelector('.icg-x').__explorable.state.playing")
    root.get_by_role("button", name="Undo").click()  # in the middle of it
    wait(page)
    assert drawn_digits.to_code(drawing_of(root)) == drawn_digits.to_code(drawn_digits.strokes()[5])


# ---- looks


@pytest.mark.parametrize("width", [360, 390, 700, 1000])
def test_no_horizontal_overflow_and_equal_squares(start, width):
    page, root = start(viewport={"width": width, "height": 844})
    for method in (0, 1):
        call(root, "x.set({ method: a, target: 8, follow: false })", method)
        wait(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        edge = root.bounding_box()["x"] + root.bounding_box()["width"]
        ends = root.locator("button, .icg-x-label, .icg-x-note, .icg-x-legend span, .icg-dd-sums span, .icg-dd-value")
        assert max(ends.evaluate_all("l => l.map(e => e.getBoundingClientRect().right)")) <= edge
        boxes = [p.bounding_box() for p in root.locator(".icg-dd-two .icg-x-picture").all()]
        assert np.ptp([[b["width"], b["height"]] for b in boxes], axis=0).max() < 1 and boxes[0]["width"] >= 300
        assert abs(boxes[0]["width"] - boxes[0]["height"]) < 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_readable_in_both_schemes(start, scheme):
    _, root = start(color_scheme=scheme)
    for selector, least in (
        *(
            (name, 4.5)
            for name in (".icg-dd-words", ".icg-dd-plus", ".icg-dd-minus", ".icg-dd-cost", ".icg-dd-bar >> nth=3")
        ),
        (".icg-dd-best .icg-dd-track i", 3),
    ):
        ratio, is_dark = contrast(root.locator(selector).first, "backgroundColor" if "track" in selector else None)
        assert ratio >= least and is_dark == (scheme == "dark"), selector


def test_without_javascript_the_static_picture_is_shown(open_explorable):
    _, root = open_explorable(ready=False, java_script_enabled=False)
    picture = root.locator("img")
    assert picture.is_visible() and "the gap in the 5" in picture.get_attribute("alt")
