"""Explorable "fair shares" in a real browser, from ``file://``: bars, words, controls, and the reader's own glyph."""

import re

import numpy as np
import pytest
import torch
from fair_pictures import blocks, components, objects
from pages import PHONE, assert_large, call, contrast, pixels, place, plain

from icg import fairness
from icg.artifacts import load_model
from icg.shapley import certainty_game
from icg_book.fairness.fair_shares import fair_shares
from icg_book.kit.page.networks import as_in_page

pytestmark = pytest.mark.browser
HEIGHT = 1000  # of the window
SHOWN = (objects(), components(), blocks())
OBJECTS, COMPONENTS, BLOCKS, OWN = range(4)


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    return fair_shares(shown=list(SHOWN)).to_file(tmp_path_factory.mktemp("fair") / "page.html")


def text(root, selector):
    return plain(root.locator(selector).inner_text())


def choose(page, root, k):
    root.locator(".icg-fs-tabs button").nth(k).click()
    page.wait_for_function("r => r.__explorable.ready()", arg=root.element_handle())


def method(root, name):
    return root.locator(".icg-fs-method", has=root.page.get_by_text(name, exact=True))


def heights(root, kind):
    """Of the columns from left to right, in pixels; downward ones are negative."""
    zero = float(root.locator(".icg-fs-zero").get_attribute("y1"))
    bars = root.locator(f"rect.icg-fs-{kind}").evaluate_all(
        "l => l.map(e => ['y', 'height'].map(k => +e.getAttribute(k)))"
    )
    return np.array([h if y + h / 2 < zero else -h for y, h in bars])


def check_page(root, k):
    """Columns, sentence and numbers are those of the picture; returns the state."""
    state, example = call(root, "x.state"), SHOWN[k]
    fair = example.fair.numpy()
    order = sorted(range(len(fair)), key=lambda i: -fair[i])
    unit = heights(root, "fair")[0] / fair[order[0]]
    shown = np.abs(fair[order]) * unit > 1  # a bar is never thinner than can be seen
    assert heights(root, "fair")[shown] == pytest.approx(fair[order][shown] * unit, abs=0.05)
    who, due = example.names[state["player"]], fair[state["player"]]
    digits = 3 if len(fair) > 12 else 2
    sentence = text(root, ".icg-fs-sentence")
    assert sentence.lower().startswith(
        ("" if k == COMPONENTS else "the ") + f"{who} is due {due:.{digits}f}".replace("-0.00 ", "0.00 ")
    )
    for name, shares in example.shares.items():
        numbers = plain(method(root, name).locator(".icg-fs-numbers").inner_text())
        pair = (
            measure(shares[None], example.fair[None]).item() for measure in (fairness.distance, fairness.correlation)
        )
        written = re.fullmatch(r"distance (\S+)\s+correlation (\S+)", numbers).groups()
        found = [np.nan if value == "–" else float(value) for value in written]
        assert found == pytest.approx(list(pair), abs=0.0051, nan_ok=True)
    if not state["all"]:
        name = ("zero IG", "EG", "ICG")[state["method"]]
        own = example.shares[name].numpy()[order]
        shown = np.abs(own) * unit > 1
        assert heights(root, "bar")[shown] == pytest.approx(own[shown] * unit, abs=0.05)
        assert f" and gets {example.shares[name][state['player']]:.{digits}f} by " in sentence
        total = example.shares[name].sum().item()
        assert f"{fair.sum():+.2f} is due in all; {name} hands out {total:+.2f}." in text(
            root, ".icg-fs-facts"
        ).replace(" 0.00.", " +0.00.")
        assert method(root, name).get_attribute("aria-pressed") == "true"
    else:
        signs = root.locator("path.icg-fs-dot")
        assert signs.count() == len(fair) * len(example.shares)
        assert sentence.count(" by ") == len(example.shares)
    pressed = root.locator(".icg-fs-player").evaluate_all("l => l.map(e => e.getAttribute('aria-pressed'))")
    assert pressed.index("true") == order.index(state["player"]) and pressed.count("true") == 1
    return state


def test_every_picture_and_method_shows_its_numbers(open_explorable):
    page, root = open_explorable()
    assert check_page(root, OBJECTS)["player"] == 1  # farthest from what it is due
    assert "gets 0.85 by Integrated Gradients from black." in text(root, ".icg-fs-sentence")
    for k, example in enumerate(SHOWN):
        choose(page, root, k)
        assert plain(root.locator(".icg-fs-heading").inner_text()) == f"{example.scenario}: {example.title}"
        for name in example.shares:
            method(root, name).click()
            check_page(root, k)
        method(root, "all").click()
        assert check_page(root, k)["all"]
        assert method(root, "EG").is_visible() == ("EG" in example.shares)
        method(root, "zero IG").click()
    assert "estimated; standard error at most 0.012" in text(root, ".icg-fs-facts")
    choose(page, root, COMPONENTS)
    assert text(root, ".icg-fs-sentence").startswith("Component 2 (0.8) is due 0.40 and gets 2.50")
    assert "from zero." in text(root, ".icg-fs-sentence") and "1,024 gradients" in text(root, ".icg-fs-facts")
    assert root.locator(".icg-fs-cells span").all_inner_texts() == ["0.25", "0.8"]
    choose(page, root, OBJECTS)
    method(root, "EG").click()
    choose(page, root, COMPONENTS)  # which has no EG
    assert check_page(root, COMPONENTS)["method"] == 2


def test_objects_are_looked_at_in_the_picture_and_in_the_bars(open_explorable):
    page, root = open_explorable()
    canvas = root.locator(".icg-fs-picture canvas")
    assert np.abs(pixels(canvas)[..., 0] - 255 * objects().image.numpy()).max() <= 0.51
    for (x, y), player in (((2.5, 2.5), 0), ((7.5, 8.5), 1), ((5.5, 6.5), 2), ((0.5, 0.5), 2)):
        page.mouse.move(*place(canvas, x / 10, y / 12))
        assert check_page(root, OBJECTS)["player"] == player
        edge = root.locator(".icg-fs-here").get_attribute("d")
        assert edge.count("M") == {0: 16, 1: 10}.get(player, edge.count("M"))
    chart = root.locator(".icg-fs-chart")
    wide = chart.bounding_box()["width"]
    for column, player in ((0, 0), (1, 1), (2, 2)):  # from most to least due
        page.mouse.move(*place(chart, (44 + (wide - 50) * (column + 0.5) / 3) / wide, 0.5))
        assert check_page(root, OBJECTS)["player"] == player


def test_keyboard_reaches_everything(open_explorable):
    page, root = open_explorable()
    root.locator(".icg-fs-tabs button").first.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert call(root, "x.state.picture") == COMPONENTS
    for _ in range(3):  # pictures, then the players, which are one stop
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "icg-fs-player"
    page.keyboard.press("End")
    assert check_page(root, COMPONENTS)["player"] == 0
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith(
        "component 1 (0.25): due −0.30"
    )
    page.keyboard.press("ArrowLeft")
    assert check_page(root, COMPONENTS)["player"] == 1
    page.keyboard.press("ArrowLeft")
    assert check_page(root, COMPONENTS)["player"] == 1
    for name in ("zero IG", "ICG", "all"):
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        assert method(root, name).get_attribute("aria-pressed") == "true"
        check_page(root, COMPONENTS)
    page.wait_for_timeout(900)
    assert plain(root.locator("[aria-live=polite]").inner_text()) == text(root, ".icg-fs-sentence")


def own(page, root):
    page.wait_for_function("r => r.__explorable.ready()", arg=root.element_handle())
    return call(
        root, "({ fair: x.own.fair, shares: x.own.shares, values: [...x.own.values], explained: x.own.explained })"
    )


def check_own(page, root):
    """What stands on the page is what the page's network makes of the drawing; returns what was computed."""
    now = own(page, root)
    model = as_in_page(load_model("glyphs-gated")).double()
    values = torch.tensor(now["values"], dtype=torch.float64).view(1, 1, 16, 16)
    edges = torch.bucketize(torch.arange(16), torch.tensor([5, 11]), right=True)
    groups = (3 * edges[:, None] + edges)[None]
    target = ("nothing", "plus", "cross", "ring", "bar").index(now["explained"])
    game = certainty_game(model, values, groups=groups, target=target, output="probability")
    assert now["fair"] == pytest.approx(fairness.fair_division(game).shares[0].tolist(), abs=1e-3)
    player = call(root, "x.state.player")
    assert f"is due {now['fair'][player]:.2f} and gets {now['shares']['ICG'][player]:.2f}" in text(
        root, ".icg-fs-sentence"
    ).replace("-0.00", "0.00")
    assert f"gives to “{now['explained']}”" in text(root, ".icg-fs-facts")
    levels = pixels(root.locator(".icg-fs-picture canvas"))[..., 0].ravel() / 255
    assert np.abs(levels - now["values"]).max() < 0.003
    return now


def test_a_glyph_of_ones_own_is_divided_in_the_page(open_explorable):
    page, root = open_explorable()
    method(root, "ICG").click()
    choose(page, root, OWN)
    first = check_own(page, root)
    assert first["explained"] == "plus" and root.locator(".icg-fs-player").count() == 9
    assert method(root, "zero IG").is_visible() and not method(root, "EG").is_visible()

    canvas = root.locator(".icg-fs-picture canvas")
    page.mouse.move(*place(canvas, 0.5 / 16, 0.5 / 16))
    page.mouse.down()
    page.mouse.move(*place(canvas, 3.5 / 16, 0.5 / 16), steps=6)
    page.mouse.up()
    page.mouse.move(*place(canvas, 3.5 / 16, 3.5 / 16))  # not pressed: nothing is drawn
    drawn = check_own(page, root)
    ink = np.array(drawn["values"]) != first["values"]
    assert ink.nonzero()[0].tolist() == [0, 1, 2, 3] and np.abs(np.subtract(drawn["fair"], first["fair"])).max() > 1e-3

    square = root.get_by_role("application", name="Drawing area")
    square.focus()
    page.keyboard.press("ArrowLeft")  # from the last pixel, 3
    page.keyboard.press("Space")
    again = own(page, root)
    assert (np.array(again["values"]) != first["values"]).nonzero()[0].tolist() == [0, 1, 3]
    for _ in range(20):
        page.keyboard.press("ArrowDown")
    assert call(root, "x.state.cursor") == [2, 15] and call(root, "x.state.player") == 6

    root.get_by_role("button", name="Clear").click()
    assert len(set(own(page, root)["values"])) == 1
    root.get_by_role("button", name="ring").first.click()
    assert check_own(page, root)["explained"] == "ring"
    choose(page, root, OBJECTS)
    assert root.get_by_role("application").count() == 0 and not root.get_by_role("button", name="Clear").is_visible()
    check_page(root, OBJECTS)
    choose(page, root, OWN)
    assert own(page, root)["explained"] == "ring"  # as it was left


def test_the_page_is_never_held_up(open_explorable):
    """The page's work comes in pieces: between them a timer gets its turn."""
    page, root = open_explorable()
    turns = root.evaluate(
        """async (r) => {
          const x = r.__explorable;
          const chart = () => getComputedStyle(r.querySelector('.icg-fs-chart')).visibility;
          x.choose(x.pictures.length - 1);
          let turns = chart() === 'hidden' ? 0 : -1e6; // no bars of another picture
          while (!x.ready()) { await new Promise((go) => setTimeout(go)); turns++; }
          return chart() === 'visible' ? turns : -1;
        }"""
    )
    assert turns >= 10


def test_touch_and_sizes(open_explorable):
    page, root = open_explorable(has_touch=True, viewport=PHONE)
    page.touchscreen.tap(*place(root.locator(".icg-fs-picture canvas"), 0.75, 8.5 / 12))
    assert check_page(root, OBJECTS)["player"] == 1
    root.locator(".icg-fs-player").nth(2).tap()
    assert check_page(root, OBJECTS)["player"] == 2
    method(root, "EG").tap()
    check_page(root, OBJECTS)
    choose(page, root, OWN)
    before = own(page, root)["values"]
    square = root.locator(".icg-fs-picture canvas")
    square.scroll_into_view_if_needed()
    page.touchscreen.tap(*place(square, 0.5 / 16, 0.5 / 16))
    assert own(page, root)["values"][0] != before[0]
    assert_large(root.locator("button:visible:not(.icg-fs-player)"))


# Texts that stick out on the right, and texts that are too small.
TEXTS = """r => {
  const edge = r.getBoundingClientRect().right - 1, of = 'button, p, text, .icg-fs-numbers span, .icg-fs-key span';
  const all = [...r.querySelectorAll(of)].filter((e) => e.textContent && e.checkVisibility());
  const far = (e) => e.getBoundingClientRect().right > edge;
  const small = (e) => parseFloat(getComputedStyle(e).fontSize) < 11;
  return [far, small].map((wrong) => all.filter(wrong).map((e) => e.textContent));
}"""


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (390, "dark"), (1280, "light")])
def test_fits_and_is_readable(open_explorable, width, scheme):
    page, root = open_explorable(viewport={"width": width, "height": 844}, color_scheme=scheme, reduced_motion="reduce")
    for k in range(4):
        choose(page, root, k)
        for name in ("all", "zero IG"):
            method(root, name).click()
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            outside, small = root.evaluate(TEXTS)
            assert outside == [] and small == []
            columns = (
                root.locator(".icg-fs-player").first.bounding_box(),
                root.locator("rect.icg-fs-fair").first.bounding_box(),
            )
            assert columns[0]["x"] - 1 <= columns[1]["x"] <= columns[0]["x"] + columns[0]["width"]
    for selector in (
        ".icg-fs-sentence",
        ".icg-fs-facts",
        ".icg-fs-key",
        ".icg-fs-method[aria-pressed=false] .icg-fs-numbers",
    ):
        ratio, is_dark = contrast(root.locator(selector).first)
        assert ratio >= 4.5 and is_dark == (scheme == "dark")
    for sign in root.locator(".icg-fs-method[aria-pressed=false]:visible .icg-fs-sign path").all():
        assert contrast(sign)[0] >= 3


def test_without_javascript_the_static_picture_is_shown(open_explorable):
    _, root = open_explorable(ready=False, java_script_enabled=False)
    picture = root.locator("img")
    assert picture.is_visible() and "Most is due to the dark square" in picture.get_attribute("alt")
