"""Explorable "damage" in a real browser, from ``file://``: its distributions, its networks and its controls."""

import re

import numpy as np
import pytest
import torch
from pages import PHONE, assert_large, call, contrast, drag, pixels, place, plain

import icg
from icg.certainty import join
from icg_book.certainty.damage import ORDINARY, damage_explorable
from icg_book.scenarios.glyphs import CLASSES

pytestmark = pytest.mark.browser
HEIGHT = 1300  # of the window
KINDS = ("uniform", "bernoulli", "continuous")


@pytest.fixture(scope="module")
def models():
    return [icg.artifacts.load_model("glyphs-certainty"), icg.artifacts.load_model("glyphs")]


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    return damage_explorable().to_file(tmp_path_factory.mktemp("damage") / "page.html")


def settings(root):
    return call(root, "{ ...x.state, damaged: null }")


def damaged(root, **change):
    """What is drawn with these settings, as arrays, without touching the page."""
    d = call(
        root,
        "(d => ({ ...d, certainty: [...d.certainty], replacement: [...d.replacement], values: [...d.values] }))"
        "(x.damage({ ...x.state, ...a }))",
        change,
    )
    return {k: np.array(v) if isinstance(v, list) else v for k, v in d.items()}


def text(root, selector):
    return plain(root.locator(selector).inner_text())


def python(model, values, certainty):
    values, certainty = (
        torch.as_tensor(np.asarray(v), dtype=torch.float32).reshape(-1, 1, 16, 16) for v in (values, certainty)
    )
    inputs = join(values, certainty) if getattr(model, "certainty_aware", False) else values
    with torch.no_grad():
        return model(inputs).softmax(1).double().numpy()


# ---- numbers


def test_curves_equal_pythons_and_come_together_at_the_prior(open_explorable, models):
    page, root = open_explorable()
    values = call(root, "[...x.pictures[x.state.picture].values]")
    for network in (0, 1):
        root.get_by_role("button", name=("trained with certainty", ORDINARY)[network]).click()
        page.wait_for_function(
            "([r, k]) => r.__explorable.curveOf(k, r.__explorable.state.picture).length === 51",
            arg=[root.element_handle(), network],
        )
        ours = np.array(call(root, "x.curveOf(a, x.state.picture)", network))[::-1]
        certainty = np.repeat(np.linspace(0, 1, 51), 256)
        want = python(models[network], np.tile(values, 51), certainty)
        assert np.abs(ours - want).max() < 1e-3
        if network == 0:
            assert np.abs(ours[0] - 0.2).max() < 0.1 and ours[-1].max() > 0.9
        else:
            assert np.ptp(ours, axis=0).max() == 0  # it is not told the certainty


# ---- controls


def check_page(root, models):
    """What stands on the page is what the state says, and what Python makes of it."""
    s, d = settings(root), damaged(root)
    says = python(models[s["network"]], d["values"], d["certainty"])[0]
    shown = [float(v) for v in root.locator(".icg-dm-bar b").all_inner_texts()]
    assert shown == pytest.approx(says.tolist(), abs=1.5e-3)
    facts = text(root, ".icg-dm-facts")
    assert f"mean drawn {1 - d['extent']:.3f}" in facts and f"damage extent {d['extent']:.3f}" in facts
    assert f"lost pixels {d['nLost']} of 256" in facts and facts.endswith(f"draw {s['seed']}")
    right = root.locator(".icg-dm-bar.icg-dm-right .icg-dm-class").inner_text()
    assert right == CLASSES[call(root, "x.pictures[x.state.picture].label")]
    values = call(root, "[...x.pictures[x.state.picture].values]")
    at_c = python(models[s["network"]], values, np.full(256, s["c"]))[0]
    reading = text(root, ".icg-dm-reading")
    assert reading.startswith(f"c = {s['c']:.2f}")
    assert [float(v) for v in re.findall(r"[a-z] (\d\.\d\d)", reading)] == pytest.approx(at_c.tolist(), abs=6e-3)
    return s


def test_keyboard_moves_every_control(open_explorable, models):
    page, root = open_explorable()
    s = check_page(root, models)
    assert (s["kind"], s["mean"], s["source"], s["network"], s["seed"]) == ("continuous", 0.3, "noise", 0, 1)
    picture = root.get_by_role("combobox", name="Picture")
    picture.focus()
    page.keyboard.press("ArrowDown")
    assert picture.input_value() == "cross" and check_page(root, models)["picture"] == 20
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # new picture
    assert check_page(root, models)["picture"] == 21 and picture.input_value() == "cross"
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowUp")
    assert check_page(root, models)["kind"] == "bernoulli"
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    assert check_page(root, models)["source"] == "another"
    assert text(root, ".icg-x-panel >> nth=1").startswith("Damage data another: ")

    page.keyboard.press("Tab")  # the mean
    page.keyboard.press("ArrowRight")
    assert check_page(root, models)["mean"] == 0.31
    page.keyboard.press("End")
    assert check_page(root, models)["mean"] == 1 and "lost pixels 0 of 256" in text(root, ".icg-dm-facts")
    page.keyboard.press("Home")
    assert check_page(root, models)["mean"] == 0 and "lost pixels 256 of 256" in text(root, ".icg-dm-facts")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")  # draw again
    page.keyboard.press("Space")
    assert check_page(root, models)["seed"] == 3
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # the other network
    assert check_page(root, models)["network"] == 1
    assert root.get_by_role("button", name=ORDINARY).get_attribute("aria-pressed") == "true"
    assert "not told the certainty" in text(root, ".icg-dm-verdict")
    page.keyboard.press("Tab")
    c = root.get_by_label("Certainty of every pixel")
    assert c.evaluate("e => e === document.activeElement")
    page.keyboard.press("Home")
    assert check_page(root, models)["c"] == 0
    page.keyboard.press("ArrowRight")
    assert check_page(root, models)["c"] == 0.01
    assert c.get_attribute("aria-valuetext").startswith("certainty 0.01: nothing 0.")
    page.wait_for_timeout(900)
    assert root.locator("[aria-live=polite]").inner_text().startswith("Mean certainty 0.00, 256 pixels lost.")


def test_uniform_certainties_have_no_mean_to_set(open_explorable, models):
    page, root = open_explorable()
    root.get_by_role("combobox", name="Certainties").select_option("uniform, i.i.d.")
    mean = root.get_by_label("Mean certainty")
    assert mean.is_disabled() and mean.get_attribute("aria-valuetext") == "always ≈ ½"
    words = root.locator(".icg-dm-words").inner_text()
    extents = call(root, "x.extentsOf('uniform')")
    assert f"extent {min(extents):.2f} and the most damaged {max(extents):.2f}" in words
    check_page(root, models)
    root.get_by_role("combobox", name="Certainties").select_option("Bernoulli")
    assert mean.is_enabled() and mean.input_value() == "0.3"  # what was set before
    assert "the certainty is the mask" in root.locator(".icg-dm-words").inner_text()
    certainty, lost = (shown(root, k) for k in (2, 3))
    assert np.array_equal(certainty, lost)


def test_mouse_and_touch(open_explorable, models):
    page, root = open_explorable(has_touch=True, viewport=PHONE)

    def drag_to(node, start, *end):
        node.scroll_into_view_if_needed()
        drag(page, place(node, 0, dx=start(node.bounding_box()["width"])), place(node, *end))

    drag_to(root.get_by_label("Mean certainty"), lambda w: 12 + 0.3 * (w - 24), 1, 0.5, -2)
    assert check_page(root, models)["mean"] == 1
    chart = root.locator(".icg-dm-answers .icg-x-chart")

    def at(c):
        return lambda w: 34 + c * (w - 48)

    drag_to(chart, at(0.5), 0, 0.5, at(0.1)(chart.bounding_box()["width"]))
    assert check_page(root, models)["c"] == 0.1
    drag_to(chart, at(0.5), 0)
    assert check_page(root, models)["c"] == 0
    c = root.get_by_label("Certainty of every pixel")
    drag_to(c, lambda w: 12, 1, 0.5, -2)
    assert check_page(root, models)["c"] == 1
    c.evaluate("e => { e.value = 0.25; e.dispatchEvent(new Event('input')); }")
    badge, box = chart.locator(".icg-dm-badge").first.bounding_box(), c.bounding_box()
    assert badge["x"] + badge["width"] / 2 == pytest.approx(box["x"] + 12 + 0.25 * (box["width"] - 24), abs=1.5)
    root.get_by_role("button", name="Draw again").tap()
    root.get_by_role("button", name="New picture").tap()
    root.get_by_role("button", name=ORDINARY).tap()
    s = check_page(root, models)
    assert (s["seed"], s["network"]) == (2, 1) and s["picture"] == 11
    assert_large(root.locator("select, button"))


def shown(root, panel):
    """The canvas of a panel as ``(H, W, 3)``."""
    return pixels(root.locator(".icg-x-picture canvas").nth(panel))[..., :3]


def test_pictures_show_the_numbers(open_explorable):
    _, root = open_explorable()
    root.evaluate("r => r.__explorable.set({ source: 'another', mean: 0.6, seed: 4 })")
    d = damaged(root)
    picture = np.array(call(root, "[...x.pictures[x.state.picture].values]"))
    for panel, values in ((0, picture), (1, d["replacement"]), (4, d["values"])):
        assert np.abs(shown(root, panel)[..., 0].ravel() - 255 * values).max() <= 0.51
    ends = np.array([[233, 240, 241], [14, 78, 92]])
    certainty = d["certainty"][:, None]
    assert np.abs(shown(root, 2).reshape(256, 3) - ((1 - certainty) * ends[0] + certainty * ends[1])).max() <= 0.51
    assert np.array_equal(shown(root, 3).reshape(256, 3), ends[1 - d["lost"].astype(int)])
    columns = (
        root.locator(".icg-dm-histogram")
        .first.locator("rect")
        .evaluate_all("l => l.map(e => +e.getAttribute('height'))")
    )
    counts = np.histogram(d["certainty"], bins=20, range=(0, 1))[0]
    counts = counts[counts > 0]
    assert np.array(columns) / sum(columns) == pytest.approx(counts / counts.sum(), abs=1e-6)
    marks = root.locator(".icg-dm-histogram").nth(1).get_attribute("aria-label")
    assert marks == f"Damage extents of 1000 inputs, this one {d['extent']:.2f}"


@pytest.mark.parametrize("width", [360, 390, 700, 1000])
def test_no_horizontal_overflow_and_equal_panels(open_explorable, width):
    page, root = open_explorable(viewport={"width": width, "height": 844})
    for kind in KINDS:
        root.evaluate("(r, kind) => r.__explorable.set({ kind, source: 'another', network: 1 })", kind)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        edge = root.bounding_box()["x"] + root.bounding_box()["width"]
        ends = root.locator(".icg-x-chart text, .icg-dm-reading span, .icg-x-note, button, .icg-x-field b")
        assert max(ends.evaluate_all("l => l.map(e => e.getBoundingClientRect().right)")) <= edge
        boxes = [p.bounding_box() for p in root.locator(".icg-x-picture").all()]
        assert len(boxes) == 5 and np.ptp([[b["width"], b["height"]] for b in boxes], axis=0).max() < 1
        name, draw = (root.locator(s).bounding_box() for s in (".icg-dm-wide .icg-x-slider b", ".icg-dm-wide button"))
        assert name["x"] + name["width"] <= draw["x"] or name["y"] + name["height"] <= draw["y"] + 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_readable_in_both_schemes(open_explorable, scheme):
    _, root = open_explorable(color_scheme=scheme)
    for selector, least in (
        *((name, 4.5) for name in (".icg-dm-facts", ".icg-x-note", ".icg-dm-words", ".icg-dm-reading")),
        *((f".icg-dm-track i >> nth={k}", 3) for k in range(5)),
    ):
        ratio, is_dark = contrast(root.locator(selector).first, "backgroundColor" if "track" in selector else None)
        assert ratio >= least and is_dark == (scheme == "dark")


def test_without_javascript_the_static_picture_is_shown(open_explorable):
    _, root = open_explorable(ready=False, java_script_enabled=False)
    picture = root.locator("img")
    assert picture.is_visible() and "one fifth" in picture.get_attribute("alt")
