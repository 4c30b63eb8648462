"""The landscape in a real browser, from ``file://``: its numbers, its words, its controls, dark mode, phone."""

import numpy as np
import pytest
import torch
from pages import PHONE, assert_large, contrast, drag, pixels, place, plain

import icg
from icg.shapley import Uniform, bshap, shap_values
from icg_book.attribution_transfer.landscape import landscape
from icg_book.scenarios.landscapes import LANDSCAPES

pytestmark = pytest.mark.browser

HEIGHT = 1300  # of the window


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    return landscape().to_file(tmp_path_factory.mktemp("landscape") / "page.html")


def state(root):
    return root.evaluate(
        "r => { const { key, b, x, alpha, steps } = r.__explorable.state; return { key, b, x, alpha, steps } }"
    )


def show(root, key, baseline=None, point=None):
    root.evaluate(
        """(r, [key, b, x]) => { r.__explorable.choose(key);
            if (b) r.__explorable.move('b', b, true); if (x) r.__explorable.move('x', x, true); }""",
        [key, baseline, point],
    )


def numbers(root):
    """The three methods' values as the table of bars shows them, ``(3, 2)``."""
    shown = root.locator(".icg-land-bars .icg-land-value").all_inner_texts()
    return np.array([float(plain(v)) for v in shown]).reshape(3, 2)


def verdict(root):
    box = root.locator(".icg-land-verdict")
    return box.locator("b").inner_text(), box.locator("p").inner_text()


# ---- numbers


@pytest.mark.parametrize("key", LANDSCAPES)
def test_numbers_shown_equal_pythons(open_explorable, key):
    """The three methods, at the function's own points and at seeded ones."""
    _, root = open_explorable()
    f, rng = LANDSCAPES[key], np.random.default_rng(3)
    pairs = [(f.baseline, x) for x in f.inputs.values()]
    pairs += [tuple(np.round(f.low + (f.high - f.low) * rng.random((2, 2)), 2).tolist()) for _ in range(5)]
    b, x = (torch.tensor([p[k] for p in pairs], dtype=torch.float64) for k in (0, 1))
    ours = torch.stack(
        [
            icg.integrated_gradients(f, x, b, n_steps=30_000),
            bshap(f, x, b),
            shap_values(f, x, Uniform(f.low, f.high), n_nodes=400),
        ],
        1,
    ).numpy()
    for (start, end), expected in zip(pairs, ours, strict=True):
        show(root, key, start, end)
        exact = root.evaluate("r => { const n = r.__explorable.now(); return [n.ig.credit, n.bshap, n.shap] }")
        np.testing.assert_allclose(exact, expected, atol=1e-3)
        np.testing.assert_allclose(numbers(root), exact, atol=5.1e-4)


def test_gap_is_that_of_the_librarys_middle_rule(open_explorable):
    _, root = open_explorable()
    f = LANDSCAPES["cross"]
    x = torch.tensor([[0.63, 0.47]], dtype=torch.float64)
    show(root, "cross", None, x[0].tolist())
    for number, n in enumerate((16, 64, 256, 30_000)):
        root.get_by_label("IG’s steps").select_option(index=number)
        _, gap = icg.integrated_gradients(f, x, n_steps=n, return_convergence_delta=True)
        assert root.evaluate("r => r.__explorable.now().gap") == pytest.approx(gap.item(), abs=1e-9)
        shown = f"{gap.item():+.4f}".replace("-", "−")
        shown = shown.lstrip("+−") if float(f"{gap.item():.4f}") == 0 else shown
        assert f"steps misses it by {shown}." in root.locator(".icg-land-sums").inner_text()
        if n == 16:
            assert abs(gap.item()) > 0.01  # else nothing was tested
    assert verdict(root)[0]  # the words do not depend on the steps


def test_strip_ends_at_the_attribution_and_follows_the_path(open_explorable):
    _, root = open_explorable()
    f = LANDSCAPES["sines"]
    show(root, "sines")
    for alpha in (0.25, 0.5, 1.0):
        root.evaluate("(r, a) => r.__explorable.walk(a)", alpha)
        end = torch.full((1, 2), alpha, dtype=torch.float64)
        want = icg.integrated_gradients(f, end, n_steps=20_000)[0].tolist()
        text = plain(root.locator(".icg-x-readout").inner_text())
        got = [float(text.split(f"{name} = ")[1].split()[0]) for name in ("gathered by x₁", "by x₂")]
        assert got[0] == pytest.approx(want[0], abs=1e-3)
        assert float(text.rsplit("=", 1)[1]) == pytest.approx(want[1], abs=1e-3)
        assert f"output = {f(end).item() + 0.0:.3f}".replace("-0.000", "0.000") in text


# ---- words, by computed conditions


WORDS = [
    ("cross", (0, 0), (0.6, 0.42), "Attribution transfer", "all the credit to x₁, though changing x₁ alone does"),
    ("cross", (0, 0), (0.42, 0.6), "Attribution transfer", "all the credit to x₂, though changing x₂ alone does"),
    ("cross", (0, 0), (0.8, 0.4), "Attribution transfer", "IG pays x₁ +0.50, though changing x₁"),
    ("cross", (0, 0), (0.7, 0.9), "Credit for nothing", "across the line x₁ = x₂, IG jumps from (−1.00, +1.00)"),
    ("cross", (0, 0), (0.9, 0.7), "Credit for nothing", "across the line x₁ = x₂, IG jumps from (+1.00, −1.00)"),
    ("cross", (0, 0), (0.1, 0.42), "IG and BShap agree", "meets what the corners show"),
    ("cross", (0, 0), (0.1, 0.15), "Nothing to share", "neither on the path nor at any corner"),
    ("cross", (0.5, 0.5), (0.5, 0.5), "No path", "nothing to share"),
    ("cross", (0, 0), (0.42, 0), "IG and BShap agree", "x₂ equals its baseline"),
    ("additive", (0, 0), (0.6, 0.42), "All agree", "every path gathers the same credit"),
    ("additive", (0.35, 0.1), (0.9, 0.5), "All agree", "IG equals BShap"),
    ("corner", (0, 0), (0.4, 0.35), "Credit moved", "IG moves 0.50 from x₁ to x₂. Neither feature does anything"),
    ("square", (1, 0), (2, 1.2), "More effect, less credit", "IG pays it +0.48 here and +0.60 there"),
    ("product", (1, 0), (2, 1.2), "IG and BShap agree", "though it need not"),
    ("sines", (0, 0), (1, 1), "Credit for nothing", "IG pays x₁ +1.33 and x₂ −1.33"),
    ("cosine", (0, 0), (1, 1), "Attribution transfer", "BShap pays x₂ +1.00, IG 0.00"),
]


def test_words_fit_the_numbers(open_explorable):
    _, root = open_explorable()
    for key, baseline, point, title, words in WORDS:
        show(root, key, baseline, point)
        found, text = verdict(root)
        assert found == title and words in text
        assert root.locator(".icg-land-diagonal").count() == ("x₁ = x₂" in text)


# ---- controls


def test_keyboard_moves_every_control(open_explorable):
    page, root = open_explorable()
    handle = root.get_by_role("slider", name="input x")
    handle.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    assert state(root)["x"] == [0.61, 0.43]
    assert handle.get_attribute("aria-valuetext") == "x1 0.61, x2 0.43"
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Shift+ArrowDown")
    assert state(root)["x"] == pytest.approx([0.51, 0.33])
    for _ in range(12):
        page.keyboard.press("Shift+ArrowRight")
    assert state(root)["x"][0] == 1
    root.get_by_role("slider", name="baseline x′").focus()
    page.keyboard.press("ArrowUp")
    assert state(root)["b"] == [0, 0.01]

    field = root.get_by_label("input x, x₂")
    field.fill("0.255")
    field.press("Enter")
    assert state(root)["x"] == [1, 0.255] and root.get_by_label("input x, x₁").input_value() == "1"
    field.fill("7")
    field.press("Enter")
    assert state(root)["x"] == [1, 1] and field.input_value() == "1"
    field.fill("")
    field.press("Enter")
    assert field.input_value() == "1"

    button = root.get_by_role("button", name="Input B")
    assert button.get_attribute("aria-pressed") == "false"
    button.focus()
    page.keyboard.press("Enter")
    assert state(root)["x"] == [0.7, 0.9] and state(root)["b"] == [0, 0]
    assert button.get_attribute("aria-pressed") == "true"

    function = root.get_by_label("Function")
    function.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert state(root)["key"] == "additive"
    page.keyboard.press("ArrowDown")
    assert state(root) | {"alpha": 1} == {"key": "square", "b": [1, 0], "x": [2, 1.2], "alpha": 1, "steps": 30000}
    handle.focus()
    page.keyboard.press("ArrowLeft")
    assert state(root)["x"][0] == 1.98  # a hundredth of the square's side
    page.wait_for_timeout(900)
    assert root.locator("[aria-live=polite]").inner_text().startswith("IG +0.4")

    steps = root.get_by_label("IG’s steps")
    steps.focus()
    page.keyboard.press("ArrowUp")
    assert state(root)["steps"] == 256

    walker = root.get_by_label("walk along the path")
    walker.focus()
    page.keyboard.press("Home")
    assert root.locator(".icg-x-readout").inner_text().startswith("α = 0.00")
    page.keyboard.press("ArrowRight")
    assert walker.get_attribute("aria-valuetext") == "alpha 0.01"
    play = root.get_by_role("button", name="Play")
    play.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("r => r.__explorable.state.alpha > 0.1", arg=root.element_handle())
    page.keyboard.press("Space")
    assert root.get_by_role("button", name="Play").count() == 1
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.tagName") == "INPUT"  # the fields: the picture is before them


def test_functions_that_share_their_points_keep_them(open_explorable):
    _, root = open_explorable()
    show(root, "cross", None, [0.33, 0.77])
    root.get_by_label("Function").select_option(index=2)
    assert state(root)["key"] == "additive" and state(root)["x"] == [0.33, 0.77]
    root.get_by_label("Function").select_option(index=6)
    assert state(root)["key"] == "cosine" and state(root)["x"] == [1, 1]


def point_on_page(root, u, v):
    return place(root.locator(".icg-land-frame"), u, 1 - v)


def test_mouse_drags_both_points(open_explorable):
    page, root = open_explorable()
    drag(page, point_on_page(root, 0.6, 0.42), point_on_page(root, 0.7, 0.9))
    assert state(root)["x"] == pytest.approx([0.7, 0.9])
    assert verdict(root)[0] == "Credit for nothing"
    drag(page, point_on_page(root, 0, 0), point_on_page(root, 0.35, 0.1))
    assert state(root)["b"] == pytest.approx([0.35, 0.1])
    drag(page, point_on_page(root, 0.7, 0.9), point_on_page(root, 1.4, -0.3))  # beyond the square
    assert state(root)["x"] == [1, 0]
    # Taken at its rim, a point does not jump under the pointer.
    x, y = point_on_page(root, 0.35, 0.1)
    drag(page, (x + 9, y), (x + 9, y - 1))
    assert state(root)["b"] == pytest.approx([0.35, 0.1])
    page.mouse.click(*point_on_page(root, 0.2, 0.8))  # a click on the ground brings the input
    assert state(root)["x"] == pytest.approx([0.2, 0.8])
    page.mouse.click(*place(root.get_by_label("walk along the path")))
    assert state(root)["alpha"] == pytest.approx(0.5, abs=0.02)
    assert root.locator(".icg-land-walker").count() == 1


def test_touch_on_a_phone(open_explorable):
    page, root = open_explorable(has_touch=True, is_mobile=True, viewport=PHONE)
    root.locator(".icg-land-frame").scroll_into_view_if_needed()
    page.touchscreen.tap(*point_on_page(root, 0.8, 0.4))
    assert state(root)["x"] == pytest.approx([0.8, 0.4], abs=0.011)
    root.get_by_role("button", name="Input B").tap()
    assert state(root)["x"] == [0.7, 0.9]
    assert_large(root.locator("select, button, input, .icg-land-handle"))
    assert root.locator(".icg-land-handle").first.evaluate("h => getComputedStyle(h).touchAction") == "none"
    # A finger's drag, as the browser reports it.
    x, y = point_on_page(root, 0.7, 0.9)
    finger = page.context.new_cdp_session(page)
    for kind, at in (("touchStart", (x, y)), ("touchMove", (x - 40, y + 30)), ("touchMove", (x - 60, y + 60))):
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": at[0], "y": at[1]}]})
    assert state(root)["x"][0] < 0.65 and state(root)["x"][1] < 0.85


# ---- looks


def test_ground_is_white_at_zero_and_grey_at_one_as_in_the_paper(open_explorable):
    _, root = open_explorable()

    def ground(u, v):
        seen = pixels(root.locator(".icg-land-ground"))
        return seen[int((1 - v) * len(seen)), int(u * len(seen)), :3].tolist()

    assert ground(0.1, 0.1) == [255, 255, 255]
    dark = ground(0.4, 0.9)
    assert max(dark) < 170 and max(dark) - min(dark) < 16
    show(root, "sines")
    plus, minus = ground(0.5, 0.25), ground(0.5, 0.75)
    assert plus[0] > plus[2] + 50 and minus[2] > minus[0] + 50  # orange and blue
    assert [v.strip() for v in root.locator(".icg-land-scale span").all_inner_texts()] == ["output", "−1", "1"]
    show(root, "square")
    assert root.locator(".icg-land-scale span").all_inner_texts() == ["output", "0", "8"]


def test_without_javascript_the_static_picture_is_shown(open_explorable):
    _, root = open_explorable(java_script_enabled=False, ready=False)
    picture = root.locator("img")
    assert picture.is_visible() and picture.get_attribute("alt").startswith("A square seen from above")


@pytest.mark.parametrize("width", [360, 390, 700, 1000])
def test_no_horizontal_overflow(open_explorable, width):
    page, root = open_explorable(viewport={"width": width, "height": 844})
    for key in LANDSCAPES:
        show(root, key)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    text = [
        t for t in root.locator(".icg-land-value").all() if t.bounding_box()["x"] + t.bounding_box()["width"] > width
    ]
    assert text == []


@pytest.mark.parametrize(
    ("scheme", "attribute", "dark"), [("light", None, False), ("dark", None, True), ("light", "dark", True)]
)
def test_dark_mode(open_explorable, scheme, attribute, dark):
    page, root = open_explorable(color_scheme=scheme)
    if attribute:
        page.evaluate("t => document.documentElement.setAttribute('data-theme', t)", attribute)
    words = (
        ".icg-land-verdict p",
        ".icg-land-sums",
        ".icg-land-hint",
        ".icg-land-bars th.icg-land-f1",
        ".icg-land-bars th.icg-land-f2",
    )
    for selector in (*words, ".icg-land-map text.icg-land-axis", ".icg-x-chart text.icg-land-name"):
        ratio, is_dark = contrast(root.locator(selector).first)
        assert ratio >= 4.5 and is_dark == dark
    # The ground stays light, and what is drawn on it dark.
    assert root.locator(".icg-land-path").last.evaluate("p => getComputedStyle(p).stroke") == "rgb(29, 39, 51)"
    assert root.locator(".icg-land-arrow path").first.evaluate("p => getComputedStyle(p).stroke") == "rgb(0, 117, 90)"
