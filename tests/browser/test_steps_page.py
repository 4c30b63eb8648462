"""The explorable "steps and rules" in a real browser, from ``file://``: numbers, controls, dark mode, phone."""

import math

import numpy as np
import pytest
from pages import assert_large, contrast, drag, place, read_number

from icg.quadrature import quadrature
from icg_book.integrated_gradients.steps import FUNCTIONS, RULES, completeness_gap, nodes, steps_and_rules
from icg_book.kit.page.explorable import write_page

pytestmark = pytest.mark.browser

HEIGHT = 1600  # of the window


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("steps") / "page.html"
    first = steps_and_rules("kinks", "riemann_middle", 8)
    second = steps_and_rules("jump", "adaptive", 32, title="Another", fallback=first.fallback)
    return write_page(path, first, second)


def measure(root, function, rule, n):
    return root.evaluate("(r, [f, k, n]) => r.__explorable.measure(f, k, n)", [function, rule, n])


def state(root):
    return root.evaluate(
        """r => { const s = r.__explorable.state, d = JSON.parse(r.querySelector('script').textContent).data;
                  return [d.functions[s.f].key, d.rules[s.rule].key, s.n] }"""
    )


def readout(root):
    return root.locator(".icg-x-readout").inner_text().replace("\n", " ")


def shown_gap(root):
    """The gap that stands in the read-out, as a number."""
    return read_number(readout(root).split("gap = ")[1].split(" ")[0])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_numbers_equal_pythons(open_explorable, function):
    _, root = open_explorable()
    for k, rule in enumerate(RULES):
        for n in (2, 3, 8, 31, 64):
            found = measure(root, function, rule, n)
            at, weight = nodes(FUNCTIONS[function], rule, n)
            assert found["nodes"] == pytest.approx(at.tolist(), abs=1e-9)
            assert found["weights"] == pytest.approx(weight.tolist(), abs=1e-9)
            assert found["gap"] == pytest.approx(completeness_gap(FUNCTIONS[function], rule, n), abs=1e-9)
            assert found["gap"] == pytest.approx(found["area"] - found["exact"], abs=1e-12)
            change = [list(FUNCTIONS).index(function), k, n]
            root.evaluate("(r, [f, rule, n]) => r.__explorable.set({ f, rule, n })", change)
            if abs(found["gap"]) < 1e-12:
                assert "0 (to rounding)" in readout(root)
            else:
                assert shown_gap(root) == pytest.approx(found["gap"], rel=0.05)
                assert ("too much" if found["gap"] > 0 else "too little") in readout(root)


def test_newton_finds_every_gauss_legendre_rule(open_explorable):
    _, root = open_explorable()
    for n in range(1, 65):
        found = measure(root, "smooth", "gausslegendre", n)
        assert np.allclose(
            [found["nodes"], found["weights"]], [t.tolist() for t in quadrature("gausslegendre", n)], 0, 1e-13
        )


def test_keyboard_moves_every_control(open_explorable):
    page, root = open_explorable()
    slider = root.get_by_role("slider")
    assert slider.get_attribute("aria-valuetext") == "n = 8"
    before = readout(root)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "SELECT"
    page.keyboard.press("ArrowDown")
    assert state(root)[0] == "saturating" and readout(root) != before
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.type") == "range"
    page.keyboard.press("ArrowRight")
    assert state(root)[2] == 9
    page.keyboard.press("End")
    assert state(root)[2] == 64
    page.keyboard.press("Home")
    assert state(root)[2] == 1
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.type") == "radio"
    page.keyboard.press("ArrowRight")
    assert state(root) == ["saturating", "riemann_trapezoid", 2]  # it needs two points
    assert slider.get_attribute("min") == "2" and slider.get_attribute("aria-valuetext") == "n = 2"
    for rule in ("gausslegendre", "adaptive", "riemann_left", "riemann_right"):
        page.keyboard.press("ArrowRight")
        assert state(root)[1] == rule
    assert slider.get_attribute("min") == "1"
    assert root.get_by_role("radio", name="right").is_checked()
    page.wait_for_timeout(900)
    spoken = root.locator("[aria-live=polite]").inner_text()
    assert spoken.startswith("right rule, 2 steps: gap −") and spoken.endswith("(too little)")
    assert page.locator(".icg-x").nth(1).get_by_role("radio", name="adaptive").is_checked()  # a group of its own


def test_mouse_and_touch(open_explorable):
    page, root = open_explorable(has_touch=True)
    slider = root.get_by_role("slider")
    drag(page, place(slider), place(slider, 1, dx=-2))
    assert state(root)[2] == 64
    race = root.locator(".icg-x-steps-race")

    def at(n):  # the plot lies between 50 px and 12 px before the end, on a logarithmic scale
        return place(race, 0, 0, dx=50 + (race.bounding_box()["width"] - 62) * math.log2(n) / 6, dy=100)

    page.mouse.move(*at(4))
    page.mouse.down()
    assert state(root)[2] == 4
    page.mouse.move(*at(16), steps=3)
    assert state(root)[2] == 16 and slider.input_value() == "16"
    page.mouse.move(*place(race, 0, 0, dx=-30, dy=100))
    assert state(root)[2] == 1
    page.mouse.up()
    page.touchscreen.tap(*at(32))
    assert state(root)[2] == 32
    for name, key in (("Gauss–Legendre", "gausslegendre"), ("left", "riemann_left")):
        root.get_by_role("radio", name=name).tap()
        assert state(root)[1] == key
    root.get_by_label("Function").select_option("jump (a very sure probability)")
    assert state(root)[0] == "jump" and "needle" in root.locator(".icg-x-caption").inner_text()
    assert_large(root.locator("select, input"))


def test_pictures_follow_the_numbers(open_explorable):
    _, root = open_explorable()
    areas, marks = root.locator(".icg-x-steps-area"), root.locator(".icg-x-steps-node")
    assert areas.count() == marks.count() == 8
    root.get_by_role("radio", name="trapezoid").click()
    assert areas.count() == 7 and marks.count() == 8
    # The dot lies where the chosen rule's curve passes; it is orange for too much, blue for too little.
    for rule, n in (("riemann_left", 5), ("gausslegendre", 9)):
        root.evaluate("(r, [rule, n]) => r.__explorable.set({ f: 0, rule, n })", [list(RULES).index(rule), n])
        dot = root.locator(".icg-x-steps-here")
        place = [float(dot.get_attribute(k)) for k in ("cx", "cy")]
        curve = root.locator(".icg-x-steps-race path.icg-x-steps-now").get_attribute("d")
        points = np.array([p.split() for p in curve.removeprefix("M").split("L")], dtype=float)
        assert np.abs(points - place).sum(1).min() < 0.2
        red, _, blue = dot.evaluate("c => getComputedStyle(c).fill.match(/\\d+/g).map(Number)")
        assert (red > blue) == (completeness_gap(FUNCTIONS["smooth"], rule, n) > 0)
    # What the steps collect ends above the output by the gap, on the scale of the upper chart.
    root.evaluate("r => r.__explorable.set({ f: 2, rule: 1, n: 1 })")
    bar = root.locator(".icg-x-steps-gap").bounding_box()
    assert bar["height"] > 60 and len(areas.all()) == 1


def test_without_javascript_the_static_picture_is_shown(open_explorable):
    _, root = open_explorable(java_script_enabled=False, ready=False)
    picture = root.locator("img")
    assert picture.is_visible() and picture.get_attribute("alt").startswith("The gradient along a path (kinks")
    assert picture.bounding_box()["width"] > 300


@pytest.mark.parametrize("width", [360, 390, 1000])
def test_no_horizontal_overflow(open_explorable, width):
    page, root = open_explorable(viewport={"width": width, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    path, race = (root.locator(f".icg-x-steps-{name}").bounding_box() for name in ("path", "race"))
    assert (path["y"] == race["y"]) == (width == 1000)  # side by side, or one above the other on a phone
    label = root.locator(".icg-x-slider > span").bounding_box()
    thumb = root.get_by_role("slider").bounding_box()
    assert label["y"] + label["height"] <= thumb["y"] + 10 or label["x"] + label["width"] <= thumb["x"] + 1


@pytest.mark.parametrize(
    ("scheme", "attribute", "dark"),
    [("light", None, False), ("dark", None, True), ("light", "dark", True), ("dark", "light", False)],
)
def test_dark_mode(open_explorable, scheme, attribute, dark):
    page, root = open_explorable(color_scheme=scheme)
    if attribute:
        page.evaluate("t => document.documentElement.setAttribute('data-theme', t)", attribute)
    for selector in (".icg-x-readout", ".icg-x-caption", ".icg-x-steps-rules span", ".icg-x-chart text"):
        ratio, is_dark = contrast(root.locator(selector).first)
        assert ratio >= 4.5 and is_dark == dark
    for i in range(len(RULES)):  # lines and swatches: 3 is asked of graphics
        assert contrast(root.locator(".icg-x-steps-rules path").nth(i), "stroke")[0] >= 3
