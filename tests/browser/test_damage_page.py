"""Explorable "damage" in a real browser, from ``file://``: its distributions, its networks and its controls."""

import json
import re

import numpy as np
import pytest
import torch
from torch import nn

import icg
from icg.certainty import join
from icg.damage import (
    bernoulli_certainty,
    continuous_bernoulli_icdf,
    continuous_bernoulli_logit,
    continuous_bernoulli_mean,
    damage_extent,
    mixed_damage,
    uniform_certainty,
)
from icg_book.certainty.damage import ORDINARY, damage_explorable
from icg_book.kit.networks import GatedGlyphsNet
from icg_book.kit.page.explorable import write_page
from icg_book.scenarios.glyphs import CLASSES, generate

pytestmark = pytest.mark.browser
PHONE = {"width": 390, "height": 844}
HEIGHT = 1300  # of the window
KINDS = ("uniform", "bernoulli", "continuous")


def layered():
    """A network of every kind of layer that the page knows, with large weights so that its answers differ."""
    torch.manual_seed(3)
    model = nn.Sequential(
        *(nn.Conv2d(2, 5, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(5, 6, 3), nn.Tanh(), nn.AvgPool2d(2)),
        *(nn.Conv2d(6, 4, 2, padding=1, bias=False), nn.Flatten(), nn.Linear(64, 7), nn.ReLU(), nn.Linear(7, 5)),
    )
    for layer in model:
        if hasattr(layer, "weight"):
            layer.weight.data *= 5
    model.certainty_aware = True
    return model.eval()


@pytest.fixture(scope="module")
def models():
    certain = icg.artifacts.load_model("glyphs-certainty")
    gated = GatedGlyphsNet().eval()  # with the other's weights its answers are no use, but they must be the same
    gated.load_state_dict(certain.state_dict())
    return [certain, icg.artifacts.load_model("glyphs"), layered(), gated]


@pytest.fixture(scope="module")
def page_file(tmp_path_factory, models):
    path = tmp_path_factory.mktemp("damage") / "page.html"
    more = damage_explorable(compare={ORDINARY: models[1], "layers": models[2], "gated": models[3]})
    return write_page(path, damage_explorable(), more)


def call(root, code, argument=None):
    """A JavaScript expression of ``x`` (what the explorable shows to tests) and ``a`` (the argument)."""
    return root.evaluate("(r, a) => { const x = r.__explorable; return " + code + " }", argument)


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
    return root.locator(selector).inner_text().replace("\n", " ").replace("−", "-")


def python(model, values, certainty):
    values, certainty = (
        torch.as_tensor(np.asarray(v), dtype=torch.float32).reshape(-1, 1, 16, 16) for v in (values, certainty)
    )
    inputs = join(values, certainty) if getattr(model, "certainty_aware", False) else values
    with torch.no_grad():
        return model(inputs).softmax(1).double().numpy()


# ---- numbers


def test_the_mean_and_its_inverse_are_those_of_icg_damage(open_explorable):
    _, root = open_explorable()
    means = torch.cat([torch.linspace(0.001, 0.999, 999), torch.tensor([0.49999, 0.5 - 1e-9, 0.5, 0.5001])]).double()
    logits = continuous_bernoulli_logit(means)
    ours = torch.tensor(call(root, "a.map(x.logitOf)", means.tolist()), dtype=torch.float64)
    torch.testing.assert_close(ours, logits, atol=1e-6, rtol=1e-9)
    back = torch.tensor(call(root, "a.map(x.meanOf)", ours.tolist()), dtype=torch.float64)
    assert (back - means).abs().max() < 1e-6 and (continuous_bernoulli_mean(ours) - means).abs().max() < 1e-6
    for mean in (0.001, 0.2, 0.4999, 0.5, 0.7, 0.999):  # quantiles, and the density against their slope
        u, logit = torch.linspace(0, 1, 101).double(), continuous_bernoulli_logit(torch.tensor(mean).double())
        got = call(root, "a[0].map(u => x.quantile(u, a[1]))", [u.tolist(), logit.item()])
        assert got == pytest.approx(continuous_bernoulli_icdf(u, logit).tolist(), abs=1e-9)
        u = 0.37
        low, high, middle = call(
            root, "[a[0] - 1e-5, a[0] + 1e-5, a[0]].map(u => x.quantile(u, a[1]))", [u, logit.item()]
        )
        density = call(root, "x.density(a[0], a[1])", [middle, logit.item()])
        assert density == pytest.approx(2e-5 / (high - low), rel=1e-3)


def test_certainties_have_the_mean_that_was_set(open_explorable):
    """60,000 certainties each, within five standard errors; Bernoulli's are 0 or 1, uniform ones ignore the mean."""
    _, root = open_explorable()
    n = 240 * 256
    for mean in (0.03, 0.3, 0.5, 0.9):
        facts = call(
            root,
            """Object.fromEntries(['uniform', 'bernoulli', 'continuous'].map((kind) => {
                 const c = Array.from({ length: 240 }, (_, s) =>
                   [...x.certainties(kind, a, x.numbers(s + 1, 1))]).flat();
                 const mean = c.reduce((p, q) => p + q) / c.length, values = new Set(c);
                 const variance = c.reduce((p, q) => p + (q - mean) ** 2, 0) / c.length;
                 return [kind, [mean, variance, values.size, Math.min(...values), Math.max(...values)]];
               }))""",
            mean,
        )
        h = continuous_bernoulli_logit(torch.tensor(mean).double()).item() / 2
        variances = {
            "uniform": 1 / 12,
            "bernoulli": mean * (1 - mean),
            "continuous": 1 / 12 if abs(h) < 1e-6 else (h**-2 - np.sinh(h) ** -2) / 4,
        }
        for kind, (got, variance, different, low, high) in facts.items():
            assert abs(got - (0.5 if kind == "uniform" else mean)) < 5 * np.sqrt(variances[kind] / n)
            assert variance == pytest.approx(variances[kind], rel=0.04)
            assert 0 <= low < high <= 1
            if kind == "bernoulli":
                assert (different, low, high) == (2, 0, 1)
            else:
                assert different > 0.99 * n  # no stream repeats another


def test_damage_extents_have_the_distribution_of_icg_damage(open_explorable):
    _, root = open_explorable()
    generator = torch.Generator().manual_seed(0)
    uniform = np.array(call(root, "x.extentsOf('uniform')"))
    ours = damage_extent(uniform_certainty((1000, 1, 16, 16), generator=generator)).numpy()
    assert uniform.std() == pytest.approx(ours.std(), rel=0.15) and 0.4 < uniform.min() < uniform.max() < 0.6
    means = torch.rand(1000, generator=generator)
    assert damage_extent(bernoulli_certainty(means, (1000, 1, 16, 16), generator=generator)).min() < 0.05
    for kind in ("bernoulli", "continuous"):
        extents = np.sort(call(root, f"x.extentsOf('{kind}')"))
        assert len(extents) == 1000
        # Kolmogorov-Smirnov against U(0, 1), at the level of one in a thousand
        assert np.abs(extents - (np.arange(1000) + 0.5) / 1000).max() < 1.95 / np.sqrt(1000)


def test_damage_keeps_with_probability_c_and_replaces_by_the_damage_data(open_explorable):
    _, root = open_explorable()
    pictures = np.array(call(root, "x.pictures.map(p => [...p.values])"))
    for kind in KINDS:
        for source in ("noise", "another"):
            kept, sure = [], []
            for seed in range(1, 31):
                picture = seed % len(pictures)
                d = damaged(root, picture=picture, seed=seed, kind=kind, mean=0.35, source=source)
                assert np.array_equal(d["values"], np.where(d["lost"], d["replacement"], pictures[picture]))
                assert d["extent"] == pytest.approx(1 - d["certainty"].mean(), abs=1e-12)
                assert d["nLost"] == d["lost"].sum()
                if source == "another":
                    assert d["other"] != picture and np.array_equal(d["replacement"], pictures[d["other"]])
                kept.append(~d["lost"])
                sure.append(d["certainty"])
            kept, sure = np.array(kept), np.array(sure)
            if kind == "bernoulli":
                assert np.array_equal(kept, sure == 1)
            for low, high in ((0, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 1.01)):
                those = (sure >= low) & (sure < high)
                if those.sum() > 200:
                    bound = 5 * np.sqrt(0.25 / those.sum())
                    assert abs(kept[those].mean() - sure[those].mean()) < bound


def test_another_picture_is_any_but_never_itself(open_explorable):
    _, root = open_explorable()
    n = call(root, "x.pictures.length")
    for picture in (0, 7, n - 1):
        others = call(
            root,
            "Array.from({ length: 3000 }, (_, s) => x.damage({ ...x.state, kind: 'bernoulli', source: 'another',"
            " picture: a, seed: s }).other)",
            picture,
        )
        assert sorted(set(others)) == [k for k in range(n) if k != picture]
        assert np.bincount(others, minlength=n).max() < 2.2 * 3000 / (n - 1)


def test_the_same_seed_gives_the_same_draw_and_another_seed_another(open_explorable):
    _, root = open_explorable()
    first, same, other = (damaged(root, seed=s, source="noise") for s in (5, 5, 6))
    for name in ("certainty", "replacement", "values"):
        assert np.array_equal(first[name], same[name]) and not np.array_equal(first[name], other[name])
    # A higher mean with the same seed loses fewer pixels, and none anew.
    for kind in ("bernoulli", "continuous"):
        low, high = (damaged(root, seed=5, kind=kind, mean=m) for m in (0.3, 0.6))
        assert (high["certainty"] >= low["certainty"]).all() and (low["lost"] >= high["lost"]).all()
    for mean, lost in ((0, 256), (1, 0)):
        for kind in ("bernoulli", "continuous"):
            d = damaged(root, kind=kind, mean=mean, seed=9)
            assert d["nLost"] == lost and d["extent"] == pytest.approx(1 - mean, abs=1e-6)


def test_probabilities_equal_pythons(open_explorable, models):
    """Each network on 300 inputs damaged by Python, and on 60 damaged in the page."""
    page, _ = open_explorable()
    root = page.locator(".icg-x").nth(1)
    generator = torch.Generator().manual_seed(8)
    joined = mixed_damage(generate(300, generator=generator).images, generator=generator)
    by_kind = [{"seed": s, "kind": KINDS[s % 3], "mean": s / 60, "picture": s % 50} for s in range(60)]
    own = [damaged(root, source=("noise", "another")[one["seed"] // 3 % 2], **one) for one in by_kind]
    values = np.concatenate([joined[:, 0].flatten(1), np.array([d["values"] for d in own])])
    certainty = np.concatenate([joined[:, 1].flatten(1), np.array([d["certainty"] for d in own])])
    all_ours = call(
        root,
        "(inputs => x.networks.map((_, k) => inputs.map(i => x.predict(k, ...i))))"
        "(JSON.parse(a).map(i => i.map(v => Float64Array.from(v))))",
        json.dumps(np.stack([values, certainty], axis=1).tolist()),
    )
    for ours, model in zip(np.array(all_ours), models, strict=True):
        want = python(model, values, certainty)
        assert np.abs(ours - want).max() < 1e-3
        assert want.max(1).std() > 0.01  # not all alike


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
    certainty, lost = (pixels(root, k) for k in (2, 3))
    assert np.array_equal(certainty, lost)


def test_mouse_and_touch(open_explorable, models):
    page, root = open_explorable(has_touch=True, viewport=PHONE)

    def drag(node, start, end):
        node.scroll_into_view_if_needed()
        box = node.bounding_box()
        y = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + start(box["width"]), y)
        page.mouse.down()
        page.mouse.move(box["x"] + end(box["width"]), y, steps=4)
        page.mouse.up()

    drag(root.get_by_label("Mean certainty"), lambda w: 12 + 0.3 * (w - 24), lambda w: w - 2)
    assert check_page(root, models)["mean"] == 1
    chart = root.locator(".icg-dm-answers .icg-x-chart")
    drag(chart, lambda w: 34 + 0.5 * (w - 48), lambda w: 34 + 0.1 * (w - 48))
    assert check_page(root, models)["c"] == 0.1
    drag(chart, lambda w: 34 + 0.5 * (w - 48), lambda w: 0)
    assert check_page(root, models)["c"] == 0
    c = root.get_by_label("Certainty of every pixel")
    drag(c, lambda w: 12, lambda w: w - 2)
    assert check_page(root, models)["c"] == 1
    c.evaluate("e => { e.value = 0.25; e.dispatchEvent(new Event('input')); }")
    badge, box = chart.locator(".icg-dm-badge").first.bounding_box(), c.bounding_box()
    assert badge["x"] + badge["width"] / 2 == pytest.approx(box["x"] + 12 + 0.25 * (box["width"] - 24), abs=1.5)
    root.get_by_role("button", name="Draw again").tap()
    root.get_by_role("button", name="New picture").tap()
    root.get_by_role("button", name=ORDINARY).tap()
    s = check_page(root, models)
    assert (s["seed"], s["network"]) == (2, 1) and s["picture"] == 11
    for control in root.locator("select, button").all():
        size = control.bounding_box()
        assert min(size["width"], size["height"]) >= 40


def pixels(root, panel):
    """The canvas of a panel as (H, W, 3)."""
    flat = (
        root.locator(".icg-x-picture canvas")
        .nth(panel)
        .evaluate("c => [c.height, c.width, ...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]")
    )
    return np.array(flat[2:]).reshape(flat[0], flat[1], 4)[..., :3]


def test_pictures_show_the_numbers(open_explorable):
    _, root = open_explorable()
    root.evaluate("r => r.__explorable.set({ source: 'another', mean: 0.6, seed: 4 })")
    d = damaged(root)
    picture = np.array(call(root, "[...x.pictures[x.state.picture].values]"))
    for panel, values in ((0, picture), (1, d["replacement"]), (4, d["values"])):
        assert np.abs(pixels(root, panel)[..., 0].ravel() - 255 * values).max() <= 0.51
    ends = np.array([[233, 240, 241], [14, 78, 92]])
    certainty = d["certainty"][:, None]
    assert np.abs(pixels(root, 2).reshape(256, 3) - ((1 - certainty) * ends[0] + certainty * ends[1])).max() <= 0.51
    assert np.array_equal(pixels(root, 3).reshape(256, 3), ends[1 - d["lost"].astype(int)])
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
        ink, fill, paper = root.locator(selector).first.evaluate(
            "e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor,"
            " getComputedStyle(e.closest('.icg-x')).backgroundColor]"
        )
        light = []
        for colour in (fill if "track" in selector else ink, paper):
            rgb = np.array([float(v) for v in colour[colour.index("(") + 1 : -1].split(",")[:3]]) / 255
            linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
            light.append(float(linear @ [0.2126, 0.7152, 0.0722]))
        assert (max(light) + 0.05) / (min(light) + 0.05) >= least
        assert (light[1] < 0.5) == (scheme == "dark")


def test_without_javascript_the_static_picture_is_shown(open_explorable):
    _, root = open_explorable(ready=False, java_script_enabled=False)
    picture = root.locator("img")
    assert picture.is_visible() and "one fifth" in picture.get_attribute("alt")
