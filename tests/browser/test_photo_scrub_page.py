"""Explorable "scrub certainty over a photograph" in a real browser, from ``file://``: numbers, maps, every control."""

import numpy as np
import pytest
from pages import PHONE, call, pixels, plain, ratio

from icg_book.imagenette.photo_scrub import PhotoFrames, photo_scrub
from icg_book.kit.page.explorable import write_page

pytestmark = pytest.mark.browser
HEIGHT = 1250  # of the window
CLASSES = ("tench", "English springer", "cassette player", "chain saw", "church")


def made_up(name, target, seed, shape=(32, 40)):
    """Frames of no photograph: patterns, and probabilities that jump."""
    rng = np.random.default_rng(seed)
    certainty = np.concatenate([[0], np.sort(rng.uniform(0.05, 0.95, 29)), [1]])
    steps = np.array([3.0, 1.2, 0.2, 0.1, -0.5])[rng.permutation(5)]
    scores = np.tanh(12 * (certainty[:, None] - rng.uniform(0.2, 0.8, 5))) * steps
    p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    maps = np.concatenate([np.zeros((1, *shape)), rng.normal(size=(30, *shape)).cumsum(0)])
    maps /= np.abs(maps).sum((1, 2), keepdims=True).max() / 3
    maps += ((p[:, target] - p[0, target]) - maps.sum((1, 2)))[:, None, None] / np.prod(shape)
    sums = np.stack([maps.clip(min=0).sum((1, 2)), maps.clip(max=0).sum((1, 2))], 1)
    y, x = np.mgrid[:80, :100]
    picture = np.stack([2 * x + seed, 3 * y, x + y], 2).clip(0, 255).astype(np.uint8)
    return PhotoFrames(name, picture, CLASSES, target, certainty, p, maps, sums)


@pytest.fixture(scope="module")
def frames():
    return [made_up("a hill", 0, 1), made_up("a <lake>", 3, 2), made_up("a wood", 4, 5, (64, 64))]


@pytest.fixture(scope="module")
def page_file(tmp_path_factory, frames):
    page = photo_scrub(frames)
    folder = tmp_path_factory.mktemp("scrub")
    return write_page(folder / "page.html", page, photo_scrub(frames[1], fallback=page.fallback))


@pytest.fixture
def start(open_explorable):
    """``page, root = start(**context options)``, with little motion unless asked otherwise."""

    def start(**options):
        return open_explorable(**{"reduced_motion": "reduce", **options})

    return start


def certainty(root):
    return call(root, "x.state.certainty")


def slider(root):
    return root.get_by_label("certainty of every pixel")


# ---- numbers


def test_numbers_and_maps_are_pythons_at_every_stop(start, frames):
    _, root = start()
    for index, one in enumerate(frames):
        for k, c in enumerate(one.certainty):
            found = call(root, "x.numbersAt(...a)", [index, float(c)])
            np.testing.assert_allclose(found["p"], one.probabilities[k], atol=1e-4)
            np.testing.assert_allclose([found["plus"], found["minus"]], one.sums[k], atol=1e-4)
            assert found["change"] == pytest.approx(found["sum"], abs=1e-3)
        for k in (0, 7, 19, 30):
            values = call(root, "x.mapAt(...a)", [index, float(one.certainty[k]), False])
            scale = np.abs(one.maps).max()
            np.testing.assert_allclose(np.reshape(values, one.maps.shape[1:]), one.maps[k], atol=scale / 200)


def test_between_two_stops_everything_runs_straight(start, frames):
    _, root = start()
    one = frames[2]
    for k, share in ((0, 0.5), (11, 0.25), (29, 0.9)):
        c = (1 - share) * one.certainty[k] + share * one.certainty[k + 1]
        found = call(root, "x.numbersAt(...a)", [2, float(c)])
        expected = (1 - share) * one.probabilities[k] + share * one.probabilities[k + 1]
        np.testing.assert_allclose(found["p"], expected, atol=1e-3)
        values = call(root, "x.mapAt(...a)", [2, float(c), False])
        expected = (1 - share) * one.maps[k] + share * one.maps[k + 1]
        np.testing.assert_allclose(np.reshape(values, (64, 64)), expected, atol=np.abs(one.maps).max() / 100)


def test_the_blurred_map_is_a_gaussian_blur(start, frames):
    _, root = start()
    one = frames[2]
    found = np.reshape(call(root, "x.mapAt(2, 1, true)"), (64, 64))
    weights = np.exp(-(np.arange(-6, 7) ** 2) / 8)  # standard deviation 2
    weights /= weights.sum()
    expected = np.pad(one.maps[-1], 6, "edge")
    for axis in (0, 1):
        expected = np.apply_along_axis(np.convolve, axis, expected, weights, "valid")
    np.testing.assert_allclose(found, expected, atol=np.abs(one.maps).max() / 100)


def test_the_words_say_what_the_numbers_are(start, frames):
    _, root = start()
    one = frames[0]
    call(root, "x.go(1)")
    best = int(one.probabilities[-1].argmax())
    verdict = root.locator(".icg-ps-verdict").inner_text()
    assert (
        f"At certainty 1.00 the network says {CLASSES[best]} with {100 * one.probabilities[-1, best]:.0f} %" in verdict
    )
    sums = plain(root.locator(".icg-ps-sum").inner_text())
    assert f"{one.probabilities[-1, 0]:.3f} - {one.probabilities[0, 0]:.3f} at certainty 0" in sums
    assert sums.count(f"{one.sums[-1].sum():+.3f}") == 2  # what the probability gained, and what the map sums to
    parts = plain(root.locator(".icg-x-note").last.inner_text())
    assert f"for tench {one.sums[-1, 0]:+.3f}, against it {one.sums[-1, 1]:+.3f}" in parts
    legend = [" ".join(text.split()) for text in root.locator(".icg-ps-legend li").all_inner_texts()]
    assert legend[0] == f"tench {one.probabilities[-1, 0]:.2f}" and 2 <= len(legend) <= 5
    call(root, "x.go(0)")
    assert "At certainty 0.00" in root.locator(".icg-ps-verdict").inner_text()
    assert "pixel values stay as they are" in root.inner_text()


# ---- what is seen


def colours(root):
    return pixels(root.locator(".icg-ps-map canvas"))[..., :3].reshape(-1, 3).astype(int)


def test_the_veil_lifts_and_the_map_grows(start, frames):
    _, root = start()
    tile = root.locator("i.icg-ps-tile")
    spread = []
    for c in (0, 0.5, 1):
        call(root, "x.go(a)", c)
        assert float(root.locator(".icg-ps-photo").evaluate("e => e.style.opacity")) == c
        assert tile.evaluate("e => getComputedStyle(e).backgroundColor") == "rgb({0}, {0}, {0})".format(
            round(255 * c + 0.01)
        )
        spread.append((255 - colours(root)).mean())
    assert spread[0] == 0 and 0 < spread[1] < spread[2]
    values = frames[0].maps[-1].ravel()
    found = colours(root)
    strong = np.abs(values) > 0.7 * np.abs(values).max()
    assert ((found[:, 0] > found[:, 2]) == (values > 0))[strong].all()  # orange for, blue against
    label = root.locator(".icg-ps-map canvas").get_attribute("aria-label")
    assert "up to certainty 1.00 for tench" in label and "orange for it" in label


def test_the_photograph_can_be_put_behind_the_map(start):
    _, root = start()
    under = root.locator(".icg-ps-under")
    assert under.evaluate("e => e.style.opacity") == "0"
    behind = root.get_by_label("photograph behind the map")
    behind.focus()
    behind.press("End")
    assert under.evaluate("e => e.style.opacity") == "1" and "100 %" in behind.get_attribute("aria-valuetext")
    behind.press("ArrowLeft")
    assert under.evaluate("e => e.style.opacity") == "0.95"


def test_blur_is_a_switch(start):
    _, root = start()
    before = colours(root)
    switch = root.get_by_role("button", name="Blur the map")
    assert switch.get_attribute("aria-pressed") == "false"
    switch.press("Enter")
    assert switch.get_attribute("aria-pressed") == "true" and not np.array_equal(colours(root), before)
    switch.click()
    assert np.array_equal(colours(root), before)


# ---- moving


def test_it_starts_where_half_of_the_change_has_happened(start, frames):
    _, root = start()
    own = frames[0].probabilities[:, 0]
    passed = np.abs(np.diff(own)).cumsum()
    half = frames[0].certainty[1 + int((passed >= passed[-1] / 2).argmax())]
    assert certainty(root) == pytest.approx(half, abs=1e-6)


def test_keys_go_from_stop_to_stop(start, frames):
    _, root = start()
    stops = frames[0].certainty
    range_ = slider(root)
    range_.focus()
    range_.press("Home")
    assert certainty(root) == 0
    for key, to in (("ArrowRight", 1), ("ArrowUp", 2), ("PageUp", 7), ("ArrowLeft", 6), ("PageDown", 1), ("End", 30)):
        range_.press(key)
        assert certainty(root) == pytest.approx(stops[to], abs=1e-6), key
        assert range_.get_attribute("aria-valuetext") == f"{stops[to]:.2f}"
    range_.press("ArrowRight")
    assert certainty(root) == 1
    call(root, "x.go(a)", float(stops[4] + stops[5]) / 2)  # between two stops, a key takes the next one
    range_.press("ArrowRight")
    assert certainty(root) == pytest.approx(stops[5], abs=1e-6)
    call(root, "x.go(a)", float(stops[4] + stops[5]) / 2)
    range_.press("ArrowLeft")
    assert certainty(root) == pytest.approx(stops[4], abs=1e-6)


def test_the_handle_of_the_chart_can_be_dragged(start):
    page, root = start()
    box = root.locator(".icg-x-chart").bounding_box()
    left, width = box["x"] + 60, box["width"] - 74
    page.mouse.move(left + 0.2 * width, box["y"] + 90)
    page.mouse.down()
    assert certainty(root) == pytest.approx(0.2, abs=0.01)
    for share in (0.5, 0.7):
        page.mouse.move(left + share * width, box["y"] + 60, steps=4)
        assert certainty(root) == pytest.approx(share, abs=0.01)
    page.mouse.move(left + 2 * width, box["y"] + 60)
    assert certainty(root) == 1
    page.mouse.up()
    page.mouse.move(left, box["y"] + 60)
    assert certainty(root) == 1
    # The slider's thumb stands under the handle.
    call(root, "x.go(0.5)")
    thumb = slider(root).bounding_box()
    handle = root.locator(".icg-ps-handle").bounding_box()
    assert thumb["x"] + 12 + 0.5 * (thumb["width"] - 24) == pytest.approx(handle["x"], abs=2)


def test_the_slider_can_be_dragged_by_mouse_and_by_touch(start):
    page, root = start(has_touch=True)
    box = slider(root).bounding_box()
    page.mouse.move(box["x"] + 12, box["y"] + box["height"] / 2)
    page.mouse.click(box["x"] + 0.75 * box["width"], box["y"] + box["height"] / 2)
    assert certainty(root) == pytest.approx(0.75, abs=0.03)
    chart = root.locator(".icg-x-chart").bounding_box()
    page.touchscreen.tap(chart["x"] + 60 + 0.3 * (chart["width"] - 74), chart["y"] + 80)
    assert certainty(root) == pytest.approx(0.3, abs=0.02)


def test_play_runs_to_the_end_and_can_be_paused(start):
    page, root = start(reduced_motion="no-preference")
    call(root, "x.go(0)")
    root.get_by_role("button", name="Play").click()
    page.wait_for_function("document.querySelector('.icg-x').__explorable.state.certainty > 0.15")
    root.get_by_role("button", name="Pause").press("Enter")
    here = certainty(root)
    page.wait_for_timeout(200)
    assert certainty(root) == here and root.get_by_role("button", name="Play").is_visible()
    call(root, "x.go(a)", 0.97)
    root.get_by_role("button", name="Play").click()
    page.wait_for_function("document.querySelector('.icg-x').__explorable.state.certainty === 1")
    assert root.get_by_role("button", name="Play").is_visible()
    root.get_by_role("button", name="Play").click()  # from the start again
    page.wait_for_function("(c => c > 0 && c < 0.5)(document.querySelector('.icg-x').__explorable.state.certainty)")
    slider(root).press("End")  # to move the handle is to pause
    assert root.get_by_role("button", name="Play").is_visible() and certainty(root) == 1


def test_with_little_motion_it_goes_by_whole_stops(start, frames):
    page, root = start()
    call(root, "x.go(0)")
    root.get_by_role("button", name="Play").click()
    seen = set()
    for _ in range(12):
        page.wait_for_timeout(100)
        seen.add(round(certainty(root), 6))
    assert 2 <= len(seen) <= 5 and seen <= {round(float(c), 6) for c in frames[0].certainty}


# ---- several photographs, several explorables, screens


def test_photographs_are_chosen_by_thumbnails(start, frames):
    _, root = start()
    thumbs = root.locator(".icg-ps-thumb")
    assert [t.get_attribute("aria-label") for t in thumbs.all()] == [one.name for one in frames]
    call(root, "x.go(0.5)")
    thumbs.nth(1).press("Enter")
    assert certainty(root) == 0.5 and thumbs.nth(1).get_attribute("aria-pressed") == "true"
    assert root.get_by_text("Attribution so far, for chain saw").is_visible()
    assert "a <lake>" in root.locator(".icg-ps-photo").get_attribute("alt")
    thumbs.nth(2).click()
    assert root.get_by_text("Attribution so far, for church").is_visible()
    assert root.locator(".icg-ps-map canvas").evaluate("c => [c.width, c.height]") == [64, 64]


def test_one_photograph_needs_no_thumbnails_and_two_pages_do_not_meet(start):
    page, first = start()
    second = page.locator(".icg-x").nth(1)
    assert second.locator(".icg-ps-thumb").count() == 0
    before = certainty(second)
    call(first, "x.go(0.123)")
    assert certainty(second) == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(start, scheme):
    _, root = start(color_scheme=scheme)
    pairs = root.evaluate("""r => [r, ...r.querySelectorAll('p, b, li, .icg-x-label, text, button')].map((e) => {
        let back = e; while (getComputedStyle(back).backgroundColor === 'rgba(0, 0, 0, 0)') back = back.parentElement;
        const s = getComputedStyle(e);
        return [e instanceof SVGElement ? s.fill : s.color, getComputedStyle(back).backgroundColor]; })""")

    for front, back in pairs:
        assert ratio(front, back) >= 4.5, (front, back)


def test_it_fits_a_phone(start):
    page, root = start(viewport=PHONE, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    for thing in root.locator("button, input").all():
        box = thing.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"] and box["height"] >= 30
    photo, plot = (root.locator(s).bounding_box() for s in (".icg-ps-photo", ".icg-ps-map"))
    assert photo["y"] == pytest.approx(plot["y"], abs=2) and photo["width"] > 140


def test_without_scripts_the_static_picture_is_there(open_explorable, page_file):
    page, root = open_explorable(ready=False, java_script_enabled=False)
    image = root.locator(".icg-x-static img")
    assert image.is_visible() and "a hill" in image.get_attribute("alt")
