"""Explorable "pick the baseline from the picture" in a real browser, from ``file://``: its numbers and its controls."""

import re

import numpy as np
import pytest
import torch
from pages import PHONE, assert_large, contrast, drag, pixels, place, plain

import icg
from icg_book.baselines.pick_baseline import pick_baseline
from icg_book.kit.figures import signed_lut
from icg_book.kit.page.networks import as_in_page
from icg_book.scenarios.glyphs import CLASSES, examples

pytestmark = pytest.mark.browser
HEIGHT = 1200  # of the window
SHOWN = examples()
INK, GROUND = ([round(100 * v) for v in greys.tolist()] for greys in (SHOWN.ink_grey, SHOWN.ground_grey))


@pytest.fixture(scope="module")
def model():
    return as_in_page(icg.artifacts.load_model("glyphs"))


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    page = pick_baseline(icg.artifacts.load_model("glyphs"), SHOWN)
    return page.to_file(tmp_path_factory.mktemp("pick") / "page.html")


def python(model, k, greys):
    """Credit (16, 16), probabilities at picture and baselines, by the library."""
    image = SHOWN.images[k : k + 1]
    target = SHOWN.labels[k].item()
    baselines = torch.cat([torch.full_like(image, grey / 100) for grey in greys])
    credit = icg.integrated_gradients(model, image, icg.baselines.every(baselines), target=target)[0, 0].double()
    p = model(torch.cat([image, baselines])).softmax(1)[:, target].double()
    return credit, p[0].item(), p[1:].mean().item()


def state(root):
    return root.evaluate("r => [r.__explorable.state.index, r.__explorable.state.greys, r.__explorable.state.pixel]")


def text(root, selector):
    return plain(root.locator(selector).inner_text())


def check_against_python(root, model):
    """Everything the page says of its state, against Python."""
    k, greys, pixel = state(root)
    credit, p, p_base = python(model, k, greys)
    result = root.evaluate(
        "r => { const s = r.__explorable.state.result;"
        "return { ...s, credit: Array.from(s.credit), mean: Array.from(s.mean) } }"
    )
    ours = np.array(result["credit"]).reshape(16, 16)
    assert np.abs(ours - credit.numpy()).max() < 1e-3 * max(1, credit.abs().max())
    assert result["to"] == pytest.approx(p, abs=1e-4) and result["from"] == pytest.approx(p_base, abs=1e-4)
    assert result["sum"] == pytest.approx(credit.sum().item(), abs=1e-3)
    assert result["gap"] == pytest.approx(credit.sum().item() - (p - p_base), abs=1e-3)
    ink = SHOWN.ink[k, 0].numpy()
    share = np.abs(credit.numpy())[ink].sum() / np.abs(credit.numpy()).sum()
    assert result["onInk"] == pytest.approx(share, abs=1e-3)
    levels = (SHOWN.images[k, 0] * 100).round().long().numpy()
    blind = np.all([levels == grey for grey in greys], axis=0)
    assert np.array_equal(np.array(result["blind"]).reshape(16, 16), blind)
    assert (ours[blind] == 0).all() and result["nBlind"] == blind.sum()
    # What is written is what was computed.
    facts = text(root, ".icg-x-readout >> nth=-1")
    assert f"sum of the credit = {result['sum']:+.3f}" in facts
    assert f"P(picture) - P(baseline) = {p - p_base:+.3f}" in facts or abs(p - p_base) > 0.9995
    name = CLASSES[SHOWN.labels[k]]
    assert f"P({name}) = {result['to']:.3f}" in text(root, ".icg-x-panel >> nth=0")
    assert f"P({name}) = {result['from']:.3f}" in text(root, ".icg-x-panel >> nth=1")
    if len(greys) == 1:
        line = text(root, ".icg-pb-pixel-line")
        grey = levels.ravel()[pixel] / 100
        assert f"({grey:.2f} - {greys[0] / 100:.2f}) × mean gradient" in line
        assert result["credit"][pixel] == pytest.approx((grey - greys[0] / 100) * result["mean"][pixel], abs=1e-12)
    return result


def shown(root, panel):
    """The canvas of a panel as ``(H, W, 3)``."""
    return pixels(root.locator(".icg-x-picture canvas").nth(panel))[..., :3]


def test_credit_equals_pythons_for_many_pictures_and_greys(open_explorable, model):
    _, root = open_explorable()
    rng = np.random.default_rng(0)
    for k in range(len(SHOWN)):
        for greys in ([INK[k]], [GROUND[k]], [int(rng.integers(101))], [0, 100]):
            root.evaluate("(r, [k, g]) => { r.__explorable.choose(k); r.__explorable.take(g); }", [k, greys])
            check_against_python(root, model)


def test_probabilities_of_any_picture_equal_pythons(open_explorable, model):
    _, root = open_explorable()
    noise = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(3))
    ours = root.evaluate("(r, x) => r.__explorable.probabilities(Float64Array.from(x))", noise.flatten().tolist())
    assert ours == pytest.approx(model(noise).softmax(1)[0].tolist(), abs=1e-4)


def test_curve_is_zero_at_the_glyphs_grey_and_one_at_the_grounds(open_explorable, model):
    page, root = open_explorable()
    root.evaluate("r => r.__explorable.choose(4)")
    page.wait_for_function("r => r.__explorable.curves[4].length === 101", arg=root.element_handle(), timeout=120_000)
    curve = root.evaluate("r => r.__explorable.curves[4]")
    assert curve[INK[4]] == 0 and curve[GROUND[4]] == pytest.approx(1) and min(curve) == 0
    credit, *_ = python(model, 4, [90])
    assert curve[90] == pytest.approx((credit.abs()[SHOWN.ink[4, 0]].sum() / credit.abs().sum()).item(), abs=1e-3)


def test_keyboard_moves_every_control(open_explorable, model):
    page, root = open_explorable()
    assert state(root)[:2] == [0, [0]]
    menu = root.locator("select")
    menu.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert state(root)[0] == 2 and menu.input_value() == "cross: 0.50 on 0.90"

    slider = root.get_by_label("Grey of the baseline")
    slider.focus()
    page.keyboard.press("End")
    assert state(root)[1] == [100] and slider.get_attribute("aria-valuetext") == "grey 1.00"
    page.keyboard.press("ArrowLeft")
    assert state(root)[1] == [99]
    check_against_python(root, model)

    for name, greys in (
        *(("black", [0]), ("middle", [50]), ("white", [100]), ("glyph’s grey", [50]), ("ground’s grey", [90])),
        ("black & white", [0, 100]),
    ):
        preset = root.get_by_role("button", name=name, exact=True)
        preset.focus()
        page.keyboard.press("Enter")
        assert state(root)[1] == greys and preset.get_attribute("aria-pressed") == "true"
        check_against_python(root, model)
    assert slider.get_attribute("aria-valuetext") == "black and white, averaged"

    cursor = root.get_by_role("slider", name="Pixel whose grey is the baseline")
    cursor.focus()
    start = state(root)[2]
    page.keyboard.press("Home")
    row = start // 16
    assert state(root) == [2, [90], 16 * row]  # the first column is ground
    assert cursor.get_attribute("aria-valuetext").startswith(f"row {row + 1}, column 1, ground, grey 0.90, credit 0")
    page.keyboard.press("ArrowLeft")  # stays inside
    assert state(root)[2] == 16 * row
    for _ in range(start % 16):
        page.keyboard.press("ArrowRight")
    assert state(root) == [2, [50], start]
    page.keyboard.press("ArrowUp")
    assert state(root) == [2, [90], start - 16]
    page.keyboard.press("ArrowDown")
    assert state(root) == [2, [50], start]
    assert cursor.get_attribute("aria-valuenow") == str(start)
    check_against_python(root, model)
    page.wait_for_timeout(900)
    assert root.locator("[aria-live=polite]").inner_text().startswith("Grey 0.50. 0 % of the credit on the glyph.")


def test_mouse_and_touch(open_explorable, model):
    page, root = open_explorable(has_touch=True, viewport=PHONE)

    def at(pixel):
        return place(root.locator(".icg-pb-surface"), (pixel % 16 + 0.5) / 16, (pixel // 16 + 0.5) / 16)

    ink = SHOWN.ink[0, 0].flatten().nonzero()[7].item()
    page.touchscreen.tap(*at(17))
    assert state(root) == [0, [GROUND[0]], 17]
    drag(page, at(17), at(ink))
    assert state(root) == [0, [INK[0]], ink]
    check_against_python(root, model)
    page.mouse.move(*at(17))  # not pressed: nothing follows
    assert state(root)[2] == ink

    chart = root.locator(".icg-x-chart")
    chart.scroll_into_view_if_needed()
    inside = chart.bounding_box()["width"] - 74  # the plot lies between 60 px and 14 px before the end
    page.touchscreen.tap(*place(chart, 0, 0, dx=60 + 0.4 * inside, dy=80))
    assert state(root)[1] == [40]
    drag(page, place(chart, 0, 0, dx=60 + 0.4 * inside, dy=80), place(chart, 1, 0, dy=80))
    assert state(root)[1] == [100]
    slider = root.get_by_label("Grey of the baseline")
    drag(page, place(slider, 1, dx=-12), place(slider, 0, dx=2))
    assert state(root)[1] == [0]
    dot = place(root.locator(".icg-x-dot"))
    assert dot[0] == pytest.approx(place(slider, 0, dx=12)[0], abs=1.5)  # the thumb stands under the dot
    root.get_by_role("button", name="ground’s grey").tap()
    assert state(root)[1] == [GROUND[0]]
    assert_large(root.locator("select, button, input"))


def test_pictures_show_the_numbers(open_explorable, model):
    _, root = open_explorable()
    root.evaluate("r => { r.__explorable.choose(3); r.__explorable.take([15]); }")
    image = np.rint(SHOWN.images[3, 0].numpy() * 255)
    assert np.abs(shown(root, 0)[..., 0] - image).max() <= 1
    assert (shown(root, 1) == round(0.15 * 255)).all()
    credit = python(model, 3, [15])[0].numpy()
    drawn = signed_lut().astype(int)[np.rint(credit / np.abs(credit).max() * 127).astype(int) + 127]
    assert np.abs(shown(root, 2) - drawn).max() <= 8  # one step of the scale
    assert (shown(root, 2)[~SHOWN.ink[3, 0].numpy()] == 255).all()  # blind: white
    hatched = root.locator(".icg-pb-hatch").get_attribute("d").count("M")
    assert hatched == (~SHOWN.ink[3, 0]).sum() and f"{hatched} of 256 pixels" in root.inner_text()
    root.evaluate("r => r.__explorable.take([0, 100])")
    halves = shown(root, 1)[..., 0]
    assert halves[0, 0] == 0 and halves[-1, -1] == 255
    assert "no pixel" in root.inner_text() and root.locator(".icg-pb-hatch").get_attribute("d") == ""


@pytest.mark.parametrize(
    ("picture", "greys", "words"),
    [
        (
            4,
            [20],
            r"The glyph has the baseline’s grey: none of its \d+ pixels can get credit, .* from 0\.99\d to 0\.00\d",
        ),
        (4, [65], r"The ground has the baseline’s grey: its \d+ pixels get nothing"),
        (4, [24], r"The glyph is only 0\.04 away .* almost blind"),
        (4, [60], r"The ground is only 0\.05 away"),
        (4, [100], r"The glyph is 0\.80 away from it, the ground 0\.35"),
        (4, [0, 100], r"loses to one baseline some of what it earns"),
        (2, [0, 100], r"middle grey, like this glyph’s, loses as much as it earns\. The glyph gets \d\.\d %"),
    ],
)
def test_words_say_what_happens(open_explorable, picture, greys, words):
    _, root = open_explorable()
    root.evaluate("(r, [k, g]) => { r.__explorable.choose(k); r.__explorable.take(g); }", [picture, greys])
    assert re.search(words, root.locator(".icg-pb-words").inner_text())


def test_a_preset_stays_what_it_is_called_when_the_picture_changes(open_explorable):
    _, root = open_explorable()
    root.get_by_role("button", name="ground’s grey").click()
    root.locator("select").select_option(index=6)
    assert state(root)[:2] == [6, [GROUND[6]]]
    root.evaluate("r => r.__explorable.take([37])")
    root.locator("select").select_option(index=1)
    assert state(root)[:2] == [1, [37]]


@pytest.mark.parametrize("width", [360, 390, 1000])
def test_no_horizontal_overflow(open_explorable, width):
    page, root = open_explorable(viewport={"width": width, "height": 844})
    for k, greys in ((0, [0]), (2, [0, 100])):
        root.evaluate("(r, [k, g]) => { r.__explorable.choose(k); r.__explorable.take(g); }", [k, greys])
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        edge = root.bounding_box()["x"] + root.bounding_box()["width"]
        for item in root.locator(".icg-x-chart text, .icg-x-readout span, button").all():
            box = item.bounding_box()
            assert box["x"] + box["width"] <= edge


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_readable_in_both_schemes(open_explorable, scheme):
    _, root = open_explorable(color_scheme=scheme)
    for selector in (".icg-x-readout", ".icg-x-note", ".icg-pb-words"):
        ratio, is_dark = contrast(root.locator(selector).first)
        assert ratio >= 4.5 and is_dark == (scheme == "dark")


def test_without_javascript_the_static_picture_is_shown(open_explorable):
    _, root = open_explorable(ready=False, java_script_enabled=False)
    picture = root.locator("img")
    assert picture.is_visible() and "no credit at all" in picture.get_attribute("alt")
