"""Explorable 1 in a real browser, from ``file://``: controls, pictures, fallback, dark mode, phone."""

import numpy as np
import pytest
from pages import PHONE, assert_large, contrast, drag, pixels, place, read_number

from icg_book.burnt_snacks.scrub import scrub_path
from icg_book.kit.figures import signed_lut
from icg_book.kit.page.explorable import write_page

pytestmark = pytest.mark.browser

HEIGHT = 1500  # of the window
STEPS = 41


def squares_case(image, method, light=0.9, certainty=False):
    """A 50 x 50 image with a dark and a light square, and a closed-form "network" that wants lightness near .35."""
    yy, xx = np.mgrid[:50, :50]
    dark = (abs(yy - 14) < 5) & (abs(xx - 15) < 5)
    bright = (abs(yy - 33) < 6) & (abs(xx - 34) < 5)
    triangle = (yy > 30) & (yy - 30 < 10) & (xx > 8) & (xx - 8 < yy - 30)
    picture = 0.4 * dark + light * bright + 0.3 * triangle
    at = np.linspace(0, 1, STEPS)
    ripple = np.sin(xx / 1.7) * np.cos(yy / 2.3)
    if certainty:
        rise = 1 / (1 + np.exp(-(at - 0.6) * 25))
        slope = np.gradient(rise, at)[:, None, None]
        gradients = slope * (dark / dark.sum() + 0.0004 * ripple)
        frames, distance = np.broadcast_to(picture, (STEPS, 50, 50)), 1.0
    else:
        rise = 1 / (1 + np.exp(-(light * at - 0.25) * 40))
        slope = np.gradient(rise, at)[:, None, None]
        gradients = slope * (bright / bright.sum() / light + 0.001 * ripple)
        frames, distance = at[:, None, None] * picture, picture
    gathered = np.concatenate([np.zeros((1, 50, 50)), np.cumsum((gradients[1:] + gradients[:-1]) / 2, 0) / (STEPS - 1)])
    fine = np.linspace(0, 1, 201)
    case = {
        "image": image,
        "method": method,
        "parameter": "certainty" if certainty else "alpha",
        "positions": at,
        "frames": frames,
        "gradients": gradients,
        "gathered": gathered * distance,
        "curve": {"x": fine, "y": np.interp(fine, at, rise)},
        "curve_label": "probability that a dark square is there",
        "objects": [
            {"label": "dark square", "y": 14, "x": 15},
            {"label": "light square", "y": 33, "x": 34},
        ],
        "caption": [
            (0, "Nothing has been credited yet."),
            (0.3, "The light square passes through the lightness of a dark one, and takes the credit."),
            (0.8, "The output is saturated: the dark square comes too late."),
        ],
    }
    if certainty:
        case |= {"certainty": at, "caption": "The image stays itself; only how much of it is known grows."}
    return case


@pytest.fixture(scope="module")
def cases():
    return [
        squares_case("A: one dark square", "Integrated Gradients, black baseline"),
        squares_case("A: one dark square", "Integrated Certainty Gradients", certainty=True),
        squares_case("B: a dimmer light square", "Integrated Gradients, black baseline", light=0.6),
        squares_case("B: a dimmer light square", "Integrated Certainty Gradients", light=0.6, certainty=True),
    ]


@pytest.fixture(scope="module")
def page_file(cases, tmp_path_factory):
    path = tmp_path_factory.mktemp("explorables") / "page.html"
    return write_page(path, scrub_path(cases), scrub_path(cases[:1], title="A second one"))


def shown(root, panel):
    """The canvas of a panel as ``(H, W, 3)``."""
    return pixels(root.locator(".icg-x-picture canvas").nth(panel))[..., :3]


def readout(root):
    return root.locator(".icg-x-readout").inner_text()


def quantised(values, scale):
    return np.rint(values / scale * 127).astype(int) if scale else np.zeros(values.shape, int)


def test_decoded_arrays_equal_pythons(open_explorable, cases):
    _, root = open_explorable()
    for number, case in enumerate(cases):
        for name in ("frames", "gradients", "gathered"):
            text = root.evaluate("(r, [i, name]) => r.__explorable.arrays(i)[name].join()", [number, name])
            decoded = np.array(text.split(","), dtype=int).reshape(STEPS, 50, 50)
            want = np.asarray(case[name])
            if name == "frames":
                assert np.array_equal(decoded, np.rint(want * 255))
                continue
            scale = np.abs(want).max() if name == "gathered" else np.abs(want).max((1, 2), keepdims=True)
            assert np.abs(decoded / 127 * scale - want).max() <= scale.max() / 127
            assert np.array_equal(decoded, np.rint(want / np.where(scale > 0, scale, 1) * 127))
    assert np.abs(decoded[-1] / 127 * scale - cases[-1]["gathered"][-1]).max() <= scale / 127  # ends at the attribution


def test_keyboard_moves_every_control(open_explorable, cases):
    page, root = open_explorable()
    slider = root.get_by_label("alpha")
    assert slider.input_value() == "20"
    page.keyboard.press("Tab")  # image menu
    assert page.evaluate("document.activeElement.tagName") == "SELECT"
    slider.focus()
    page.keyboard.press("Home")
    assert readout(root).split() == "α = 0.000 output = 0.000 change = 0.000 gathered so far: sum = 0.000".split()
    assert root.locator(".icg-x-caption").inner_text() == "Nothing has been credited yet."
    page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "α = 0.025"
    page.keyboard.press("End")
    assert readout(root).startswith("α = 1.000")
    assert f"sum = +{cases[0]['gathered'][-1].sum():.3f}" in readout(root).replace("\n", " ")
    assert "too late" in root.locator(".icg-x-caption").inner_text()
    page.wait_for_timeout(900)
    assert root.locator("[aria-live=polite]").inner_text().startswith("α = 1.000, output 1.00, gathered")

    method = root.get_by_label("Method")
    method.focus()
    page.keyboard.press("ArrowDown")
    assert method.input_value() == "Integrated Certainty Gradients"
    slider = root.get_by_label("certainty", exact=True)
    slider.focus()
    page.keyboard.press("Home")
    assert "nothing known" in root.inner_text()
    assert root.locator(".icg-x-picture canvas").first.evaluate("c => c.style.opacity") == "0"
    image = root.get_by_label("Image")
    image.focus()
    page.keyboard.press("ArrowDown")
    assert image.input_value().startswith("B") and method.input_value() == "Integrated Certainty Gradients"

    box = root.get_by_role("checkbox")
    box.focus()
    assert root.locator(".icg-x-picture .icg-x-mark-dot").count() == 3
    page.keyboard.press("Space")
    assert root.locator(".icg-x-picture .icg-x-mark-dot").count() == 0

    play = root.get_by_role("button", name="Play")
    play.focus()
    page.keyboard.press("Enter")
    assert root.get_by_role("button", name="Pause").count() == 1
    page.wait_for_function("r => r.__explorable.state.step > 3", arg=root.element_handle())
    page.keyboard.press("Space")
    assert root.get_by_role("button", name="Play").count() == 1
    assert 3 < int(slider.input_value()) < STEPS - 1

    # The second explorable has not moved.
    assert page.locator(".icg-x").nth(1).get_by_label("alpha").input_value() == "20"


def test_play_runs_to_the_end_and_starts_again(open_explorable):
    page, root = open_explorable()
    root.evaluate("r => r.__explorable.go(37)")
    root.get_by_role("button", name="Play").click()
    page.wait_for_function("r => !r.__explorable.playing()", arg=root.element_handle())
    assert readout(root).startswith("α = 1.000")
    root.get_by_role("button", name="Play").click()
    page.wait_for_function("r => r.__explorable.state.step < 9", arg=root.element_handle())
    root.get_by_role("button", name="Pause").click()


def test_mouse_and_touch(open_explorable):
    page, root = open_explorable(has_touch=True, viewport=PHONE)
    slider = root.get_by_label("alpha")
    drag(page, place(slider), place(slider, 1, dx=-2))
    assert slider.input_value() == str(STEPS - 1)
    page.touchscreen.tap(*place(slider, 0, dx=3))
    assert slider.input_value() == "0"
    chart = root.locator(".icg-x-chart")
    left = place(chart, 0, 0, dx=60, dy=60)  # the plot lies between 60 px and 14 px before the end
    middle = (left[0] + (chart.bounding_box()["width"] - 74) / 2, left[1])
    page.touchscreen.tap(*middle)
    assert slider.input_value() == "20"
    drag(page, middle, left)
    assert slider.input_value() == "0"
    root.get_by_role("button", name="Play").tap()
    root.get_by_role("button", name="Pause").tap()
    root.get_by_role("checkbox").tap()
    assert not root.get_by_role("checkbox").is_checked()
    assert_large(root.locator("select, button, input[type=range], .icg-x-check"))


@pytest.mark.parametrize("step", [0, 13, 40])
@pytest.mark.parametrize("number", [0, 3])
def test_canvases_show_pythons_numbers(open_explorable, cases, number, step):
    _, root = open_explorable()
    root.evaluate("(r, [i, k]) => { r.__explorable.choose(i); r.__explorable.go(k); }", [number, step])
    case, lut = cases[number], signed_lut().astype(int)
    assert np.array_equal(shown(root, 0)[..., 0], np.rint(np.asarray(case["frames"])[step] * 255))
    gradient, scale = case["gradients"][step], np.abs(case["gradients"][step]).max()
    assert np.array_equal(shown(root, 1), lut[quantised(gradient, scale) + 127])
    assert np.array_equal(shown(root, 2), lut[quantised(case["gathered"][step], np.abs(case["gathered"]).max()) + 127])
    largest = root.locator(".icg-x-note").nth(1).locator("span").first.inner_text().removeprefix("max ")
    assert read_number(largest) == pytest.approx(scale, rel=0.06)
    output = np.interp(case["positions"][step], case["curve"]["x"], case["curve"]["y"])
    assert f"output = {output:.3f}" in readout(root)


def test_draws_and_uneven_positions(open_explorable, cases, tmp_path):
    """Draws are counted and promise no completeness on the way; a stop of the slider is a position, even or not."""
    few = {k: np.asarray(cases[0][k])[[0, 16, 18, 40]] for k in ("frames", "gradients", "gathered")}
    draws = {**cases[0], **few, "method": "draws", "parameter": "draw", "positions": [1, 2, 3, 4], "objects": None}
    draws |= {"curve": {"x": [1, 2, 3, 4], "y": [-3.0, 1.5, 0.2, 40.0]}, "curve_label": "logit"}
    uneven = {**cases[0], **few, "method": "uneven", "positions": [0, 0.4, 0.45, 1]}
    page, root = open_explorable(url=scrub_path([draws, uneven]).to_file(tmp_path / "draws.html").as_uri())
    slider = root.get_by_label("draw", exact=True)
    slider.press("End")
    assert (
        readout(root).split()
        == f"draw = 4 output = 40.000 gathered so far: sum = +{few['gathered'][-1].sum():.3f}".split()
    )
    assert root.get_by_role("checkbox").count() == 0  # nothing to mark
    root.get_by_label("Method").select_option("uneven")
    slider = root.get_by_label("alpha")
    slider.press("Home")
    slider.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "α = 0.400"
    chart = root.locator(".icg-x-chart").bounding_box()
    page.mouse.click(chart["x"] + 60 + (chart["width"] - 74) * 0.47, chart["y"] + 60)
    assert slider.get_attribute("aria-valuetext") == "α = 0.450"


def test_slider_stands_under_the_dot_at_any_width(open_explorable):
    page, root = open_explorable()
    root.evaluate("r => r.__explorable.go(10)")
    for width in (1000, 390, 700):  # the chart is drawn again
        page.set_viewport_size({"width": width, "height": HEIGHT})
        chart = root.locator(".icg-x-chart")
        page.wait_for_function("c => c.viewBox.baseVal.width === c.clientWidth", arg=chart.element_handle())
        track = root.get_by_label("alpha")
        thumb = 12 + (track.bounding_box()["width"] - 24) * 10 / (STEPS - 1)
        assert place(root.locator(".icg-x-dot"))[0] == pytest.approx(place(track, 0, dx=thumb)[0], abs=1)


def test_without_javascript_the_static_picture_is_shown(open_explorable):
    page, root = open_explorable(java_script_enabled=False, ready=False)
    picture = root.locator("img")
    assert picture.is_visible() and picture.get_attribute("alt").startswith("Along an integration path")
    assert picture.bounding_box()["width"] > 300
    assert root.locator("select").count() == 0


def test_with_javascript_the_static_picture_gives_way(open_explorable):
    _, root = open_explorable()
    assert not root.locator("img").is_visible()


def test_damaged_data_keep_the_static_picture(browser, page_file, tmp_path):
    broken = tmp_path / "broken.html"
    broken.write_text(
        page_file.read_text(encoding="utf-8").replace('"positions":[', '"positions":[0,'), encoding="utf-8"
    )
    page = browser.new_page()
    page.goto(broken.as_uri())
    page.wait_for_selector(".icg-x[data-state=failed]")
    assert page.locator(".icg-x img").first.is_visible()
    page.close()


def test_starts_when_it_comes_into_view(open_explorable, page_file, tmp_path):
    below = tmp_path / "below.html"
    text = page_file.read_text(encoding="utf-8").replace("<body>", '<body><div style="height: 9000px"></div>')
    below.write_text(text, encoding="utf-8")
    page, root = open_explorable(url=below.as_uri(), ready=False)
    page.wait_for_selector(".icg-x[data-state=waiting] >> nth=0", state="attached")
    page.wait_for_timeout(300)
    assert root.get_attribute("data-state") == "waiting" and root.locator(".icg-x-stage").count() == 0
    assert root.locator("img").first.is_visible()  # and keeps the place
    root.scroll_into_view_if_needed()
    page.wait_for_selector(".icg-x[data-state=ready]")
    assert not root.locator(".icg-x-static").is_visible()


def test_works_in_a_sandboxed_frame(open_explorable, page_file, tmp_path):
    """As Colab and some hosts show outputs: scripts allowed, but no origin of its own."""
    outer = tmp_path / "outer.html"
    inner = page_file.read_text(encoding="utf-8").replace("&", "&amp;").replace('"', "&quot;")
    outer.write_text(
        f'<meta charset="utf-8"><iframe sandbox="allow-scripts" width=900 height=900 srcdoc="{inner}"></iframe>'
    )
    page, _ = open_explorable(url=outer.as_uri(), ready=False)
    frame = page.frame_locator("iframe")
    frame.locator(".icg-x[data-state=ready]").first.wait_for()
    frame.get_by_label("alpha").first.press("End")
    assert frame.locator(".icg-x-readout").first.inner_text().startswith("α = 1.000")


def test_inserted_late_and_twice_as_notebooks_do(open_explorable, cases):
    page, _ = open_explorable()
    html = scrub_path(cases[:1])._repr_html_()
    page.evaluate(
        """html => {
          for (const _ of [1, 2]) {
            const box = document.createElement('div');
            box.innerHTML = html;
            box.className = 'late';
            for (const old of box.querySelectorAll('script')) {
              const fresh = document.createElement('script');
              for (const a of old.attributes) fresh.setAttribute(a.name, a.value);
              fresh.textContent = old.textContent;
              old.replaceWith(fresh);
            }
            document.body.append(box);
          }
        }""",
        html,
    )
    for k in range(2):  # each starts when it is seen
        page.locator(".late .icg-x").nth(k).scroll_into_view_if_needed()
        page.wait_for_selector(f".late .icg-x[data-state=ready] .icg-x-stage >> nth={k}", state="attached")
    page.wait_for_function("document.querySelectorAll('.late .icg-x[data-state=ready] .icg-x-stage').length === 2")


@pytest.mark.parametrize("width", [360, 390, 1000])
def test_no_horizontal_overflow(open_explorable, width):
    page, root = open_explorable(viewport={"width": width, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    tops = [root.locator(".icg-x-panel").nth(i).bounding_box()["y"] for i in range(3)]
    assert len(set(tops)) == 1  # three small pictures in a row, on a phone too


@pytest.mark.parametrize(
    ("scheme", "attribute", "dark"),
    [
        ("light", None, False),
        ("dark", None, True),
        ("light", "dark", True),  # the book's own switch wins over the system
        ("dark", "light", False),
    ],
)
def test_dark_mode(open_explorable, tmp_path, scheme, attribute, dark):
    page, root = open_explorable(color_scheme=scheme)
    if attribute:
        page.evaluate("t => document.documentElement.setAttribute('data-theme', t)", attribute)
    for selector in (".icg-x-readout", ".icg-x-note", ".icg-x-caption"):
        ratio, is_dark = contrast(root.locator(selector).first)
        assert ratio >= 4.5 and is_dark == dark
    lut = signed_lut()
    assert (shown(root, 2)[0, 0] == lut[127]).all()  # zero stays white: the map's scale does not depend on the page
    root.screenshot(path=tmp_path / "dark.png")
    assert (tmp_path / "dark.png").stat().st_size > 10_000
