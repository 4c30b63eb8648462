"""Six sliders in a real browser, from ``file://``: its numbers, its words, its controls, dark mode, phone."""

import numpy as np
import pytest
from pages import PHONE, assert_large, contrast, drag, place, plain, ratio

import icg
from icg_book.local_minimum.six_sliders import PANELS, PRESETS, PageNetwork, six_sliders
from icg_book.scenarios import local_minimum

pytestmark = pytest.mark.browser

HEIGHT = 1500  # of the window
TABLE2, DIP, EDGE = PRESETS.values()
ONE_ODD = (1.0, 1.0, 1.0, 1.0, 0.98, 1.0)  # every method's shares have one shape: many are alike
ON_CURVE = ".icg-six-dot"


@pytest.fixture(scope="module")
def model():
    return icg.artifacts.load_model("local-minimum").eval()


@pytest.fixture(scope="module")
def network(model):
    return PageNetwork.of(model)


@pytest.fixture(scope="module")
def page_file(model, tmp_path_factory):
    return six_sliders(model).to_file(tmp_path_factory.mktemp("six") / "page.html")


@pytest.fixture
def open_explorable(open_explorable):
    """As in conftest.py, and the first numbers are there."""

    def start(*args, **options):
        page, root = open_explorable(*args, **options)
        if options.get("ready", True):
            settle(page, root)
        return page, root

    return start


def settle(page, root):
    """Wait until the page has computed everything for the values it shows; returns its numbers."""
    page.wait_for_function("r => r.__explorable.ready()", arg=root.element_handle())
    return root.evaluate("r => r.__explorable.now()")


def show(page, root, values):
    root.evaluate("(r, v) => r.__explorable.set(v)", list(values))
    return settle(page, root)


def values(root):
    return root.evaluate("r => r.__explorable.state.values")


def written(root, name):
    """The six numbers of a panel as they are written."""
    panel = root.locator(".icg-six-panel").nth(list(PANELS).index(name))
    return [float(plain(t)) for t in panel.locator(".icg-six-row b").all_inner_texts()]


def inputs(n, seed):
    return np.random.default_rng(seed).integers(0, 101, (n, 6)) / 100


# ---- numbers


def test_what_is_written_and_drawn_is_what_was_computed(open_explorable):
    page, root = open_explorable()
    for x in (TABLE2, EDGE):
        now = show(page, root, x)
        shares = [name for name in PANELS if name != "score"]
        largest = {name: np.abs(now[name]).max() for name in PANELS}
        for scaled in (True, False):
            root.get_by_label("scale each to its largest").set_checked(scaled)
            top = max(largest[name] for name in shares)
            for k, name in enumerate(PANELS):
                unit = largest[name] if scaled else 1
                assert written(root, name) == pytest.approx(np.array(now[name]) / unit, abs=0.0051)
                limit = largest[name] if scaled else 1 if name == "score" else top
                panel = root.locator(".icg-six-panel").nth(k)
                for i in range(6):
                    bar = panel.locator(".icg-six-bar i").nth(i)
                    left, width = bar.evaluate("b => [b.style.left, b.style.width].map(parseFloat)")
                    assert width == pytest.approx(45 * abs(now[name][i]) / limit, abs=0.01)
                    assert left == pytest.approx(50 - width if now[name][i] < 0 else 50, abs=0.01)
                label = plain(panel.get_by_role("img").get_attribute("aria-label"))
                assert label.startswith(f"{name}: 1 ")
                said = [float(part.split(" ")[-1]) for part in label.split(", ")]
                assert said == written(root, name)
                total = plain(panel.locator(".icg-six-sum").inner_text()).split(",")[0].removeprefix("sum ")
                assert float(total) == pytest.approx(sum(now[name]), abs=0.0051)
        facts = plain(root.locator(".icg-x-readout").inner_text())
        assert f"total score {sum(now['score']):+.2f}" in facts and f"= {now['p']:.3f}" in facts
        assert f"ideal class: {local_minimum.CLASSES[int(now['total'] > 0)]}" in facts


def test_papers_numbers_stand_beside_its_input_alone(open_explorable):
    page, root = open_explorable()
    marks = root.locator(".icg-six-bar u:visible")
    assert marks.count() == 6 * sum(paper is not None for paper in PANELS.values())
    agn = root.locator(".icg-six-panel").nth(list(PANELS).index("AGN")).locator("u").nth(4)
    assert agn.evaluate("u => parseFloat(u.style.left)") == pytest.approx(50 - 45 * 0.42)
    assert root.get_by_text("the paper’s table 2", exact=True).is_visible()
    root.get_by_label("scale each to its largest").uncheck()
    assert marks.count() == 0 and not root.get_by_text("the paper’s table 2", exact=True).is_visible()
    root.get_by_label("scale each to its largest").check()
    show(page, root, DIP)
    assert marks.count() == 0


# ---- words


def expected_words(now):
    """Sentences' contents, computed again: who is against whom, who is blind, nearest and farthest."""
    shares = [name for name in PANELS if name != "score"]
    largest = {name: np.abs(now[name]).max() for name in shares}
    loud = [name for name in shares if largest[name] > 0.005]
    against = [
        [m for m in loud if now[m][i] * s < 0 and abs(now[m][i]) > 0.05 * largest[m]]
        for i, s in enumerate(now["score"])
    ]
    low = [i for i, s in enumerate(now["score"]) if s < 0]
    blind = [m for m in loud if low and all(abs(now[m][i]) <= 0.05 * largest[m] for i in low)]
    off = {m: np.abs(np.subtract(now[m], now["exact SHAP"])).max() for m in shares[1:]}
    varied = [m for m in loud if m != "exact SHAP" and np.ptp(now[m]) > 1e-6 and np.ptp(now["exact SHAP"]) > 1e-6]
    like = {m: np.corrcoef(now[m], now["exact SHAP"])[0, 1] for m in varied}
    return against, blind, off, like


def ends(numbers):
    """Whose numbers are the smallest and whose the largest, by the two digits that are shown: several, where equal."""
    shown = {name: f"{value:.2f}" for name, value in numbers.items()}
    low, high = (f"{end(numbers.values()):.2f}" for end in (min, max))
    return [(names_of(shown, end), end) for end in (low, high)]


def names_of(shown, end):
    names = [name for name, text in shown.items() if text == end]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


@pytest.mark.parametrize("x", [TABLE2, DIP, EDGE, (0.5,) * 6, ONE_ODD, *map(tuple, inputs(6, 8))])
def test_words_say_what_the_numbers_say(open_explorable, x):
    page, root = open_explorable()
    now = show(page, root, x)
    against, blind, off, like = expected_words(now)
    found = root.evaluate("r => { const e = r.__explorable; return e.findings(e.state.values, e.now()) }")
    assert found["against"] == against and found["blind"] == blind
    assert {q["m"]: q["by"] for q in found["off"]} == pytest.approx(off)
    assert {q["m"]: q["by"] for q in found["like"]} == pytest.approx(like)
    lines = [plain(t) for t in root.locator(".icg-six-words li").all_inner_texts()]
    if not any(against):
        assert lines[0] == "Every share has the sign of its score, or is next to nothing."
    for methods in {tuple(m) for m in against if m}:
        who = [i + 1 for i, m in enumerate(against) if tuple(m) == methods]
        assert any(
            all(name in line for name in methods) and str(who[0]) in line.split("score")[0] for line in lines[:3]
        ) or (len({tuple(m) for m in against if m}) > 3)
    (near, at), (far, there) = ends(off)
    verb = "are" if " and " in near else "is"
    assert f"nearest in size (largest difference) {verb} {near} ({at}), farthest {far} ({there})" in lines[-1]
    if len(like) > 1:
        (least, low), (most, high) = ends(like)
        verb = "are" if " and " in most else "is"
        said = f"most alike in shape (correlation) {verb} {most} ({high}), least {least} ({low})"
        if low == high:
            said = f"most alike in shape (correlation): no difference between {most} ({high})"
        assert said in lines[-1]
    else:
        assert "alike in shape" not in lines[-1]


def test_the_dip_of_the_papers_input(open_explorable):
    page, root = open_explorable()
    settle(page, root)
    first = plain(root.locator(".icg-six-words li").first.inner_text())
    assert first.startswith("5 adds to the score, yet gets a negative share from exact SHAP") and "AGN" in first
    assert "Exact SHAP may: it asks what knowing the value does" in first
    show(page, root, DIP)
    assert "All but nothing to share" in root.locator(".icg-six-words").inner_text()


# ---- controls


def test_keyboard_moves_every_control(open_explorable):
    page, root = open_explorable()
    assert values(root) == list(TABLE2)
    buttons = root.locator(".icg-six-presets button")
    assert buttons.first.get_attribute("aria-pressed") == "true"
    for k, x in enumerate(PRESETS.values()):
        buttons.nth(k).focus()
        page.keyboard.press("Enter")
        assert values(root) == list(x) and buttons.nth(k).get_attribute("aria-pressed") == "true"
    buttons.nth(3).focus()
    page.keyboard.press("Space")
    drawn = values(root)
    assert drawn != list(EDGE) and all(0 <= v <= 1 and round(100 * v) == pytest.approx(100 * v) for v in drawn)
    assert buttons.nth(2).get_attribute("aria-pressed") == "false"
    buttons.first.click()

    for i in range(6):
        slider = root.get_by_label(f"Component {i + 1}", exact=True)
        slider.focus()
        page.keyboard.press("ArrowRight")
        assert values(root)[i] == pytest.approx(TABLE2[i] + 0.01)
        assert plain(slider.get_attribute("aria-valuetext")).startswith(f"{TABLE2[i] + 0.01:.2f} (score ")
        assert root.locator(".icg-x-stage").get_attribute("data-active") == str(i + 1)
    moved = values(root)

    for i in range(6):
        dot = root.get_by_role("slider", name=f"Component {i + 1} on the curve")
        dot.focus()
        assert root.locator(".icg-x-stage").get_attribute("data-active") == str(i + 1)
        for key, to in (
            ("ArrowLeft", moved[i] - 0.01),
            ("ArrowUp", moved[i]),
            ("Shift+ArrowRight", min(1, moved[i] + 0.1)),
            ("Home", 0),
            ("ArrowDown", 0),
            ("PageUp", 0.1),
            ("End", 1),
            ("PageDown", 0.9),
        ):
            page.keyboard.press(key)
            assert values(root)[i] == pytest.approx(to), key
        assert (
            dot.get_attribute("aria-valuenow") == "0.9" and dot.get_attribute("aria-valuetext") == "0.90 (score +0.80)"
        )
        assert root.get_by_label(f"Component {i + 1}", exact=True).input_value() == "0.9"
    assert settle(page, root)["total"] == pytest.approx(4.8)

    check = root.get_by_label("scale each to its largest")
    check.focus()
    page.keyboard.press("Space")
    assert not check.is_checked() and written(root, "score") == [0.8] * 6
    page.wait_for_timeout(900)
    assert plain(root.locator("[aria-live=polite]").inner_text()).startswith("Total score +4.80, network ")


def test_dots_lie_on_the_curve_and_follow_the_mouse(open_explorable, network):
    page, root = open_explorable()
    dots = [root.locator(ON_CURVE).nth(i).locator("circle").nth(2) for i in range(6)]
    (x1, y1), (x6, y6) = place(dots[0]), place(dots[5])
    unit, score = (x6 - x1) / 0.8, (y1 - y6) / 1.55  # of 0.1 and 0.9; of -0.75 and 0.8
    assert place(dots[4]) == pytest.approx((x1 + 0.6 * unit, y1 - 1.35 * score), abs=1)

    page.mouse.move(x1 + 3, y1 + 2)  # not quite in the middle: the dot must not jump
    page.mouse.down()
    page.mouse.move(x1 + 3 + 0.3 * unit, y1 - 40, steps=5)
    assert values(root)[0] == pytest.approx(0.4, abs=0.011)
    page.mouse.move(x1 + 3 + 0.65 * unit, y1, steps=5)
    page.mouse.up()
    assert values(root)[0] == pytest.approx(0.75, abs=0.011)
    page.mouse.move(x1, y1, steps=2)  # not pressed: nothing follows
    assert values(root)[0] == pytest.approx(0.75, abs=0.011)
    assert place(dots[0])[1] == pytest.approx(y1 - 1.25 * score, abs=1.5 + 0.02 * score)  # up in the dip
    now = settle(page, root)
    assert now["ICG"] == pytest.approx(network.shares(values(root))["ICG"], abs=1e-3)
    assert written(root, "score")[0] == pytest.approx(now["score"][0] / max(map(abs, now["score"])), abs=0.0051)

    drag(page, place(dots[5]), (5, y6))
    assert values(root)[5] == 0


def test_screen_readers_get_the_dots_and_not_the_curve(open_explorable):
    _, root = open_explorable()
    heard = root.aria_snapshot()
    assert all(f'slider "Component {i} on the curve"' in heard for i in range(1, 7))
    assert "value of a component" not in heard and "local minimum" not in heard


def test_slow_shares_come_after_the_others(open_explorable):
    page, root = open_explorable()
    stale = root.evaluate(
        """async (r) => {
          const e = r.__explorable, titles = '.icg-six-panel.icg-six-stale .icg-six-title';
          e.move(0, 0.63);
          while (e.now().values[0] !== 0.63) await new Promise((go) => setTimeout(go));
          return [[...r.querySelectorAll(titles)].map((p) => p.textContent), e.now().ICG.length];
        }"""
    )
    assert stale in ([["AGN", "EG"], 6], [[], 6])  # a busy machine may be done by then
    settle(page, root)
    assert root.locator(".icg-six-stale").count() == 0


@pytest.mark.parametrize("worker", [True, False])
def test_the_page_does_not_compute_itself_if_it_may_have_a_worker(open_explorable, page_file, tmp_path, worker):
    watched = tmp_path / "page.html"
    watch = """<script>
      const Before = window.Worker;
      window.workers = 0;
      window.Worker = class extends Before { constructor(address) { super(address); window.workers++; } };
    </script>"""
    text = page_file.read_text("utf-8").replace(
        "<body>", f"<body>{watch if worker else '<script>Worker = null</script>'}"
    )
    watched.write_text(text, "utf-8")
    page, root = open_explorable(url=watched.as_uri())
    assert show(page, root, DIP)["total"] == pytest.approx(3.72)
    if worker:
        assert page.evaluate("workers") == 1


def test_touch_and_sizes(open_explorable):
    page, root = open_explorable(has_touch=True, viewport=PHONE)
    root.get_by_role("button", name="all in the dip").tap()
    assert values(root) == list(DIP)
    slider = root.get_by_label("Component 3", exact=True)
    slider.scroll_into_view_if_needed()
    page.touchscreen.tap(*place(slider, 0, dx=14))
    assert values(root)[2] < 0.05
    drag(page, place(slider, 0, dx=14), place(slider, 1, dx=-2))
    assert values(root)[2] == 1
    assert_large(root.locator("button, input[type=range], .icg-x-check, .icg-six-grip"))


# ---- looks


STICKS_OUT = """r => {
  const edge = r.getBoundingClientRect().right - 1;
  const all = '.icg-x-chart text, .icg-six-row b, .icg-x-note span, button, .icg-x-readout span, .icg-six-field b';
  return [...r.querySelectorAll(all)].filter((e) => e.getBoundingClientRect().right > edge).map((e) => e.textContent);
}"""
# Numbers that run into the next panel or over a bar of their own.
COLLIDE = """r => [...r.querySelectorAll('.icg-six-row')].filter((row) => {
  const range = document.createRange(), bar = row.querySelector('i').getBoundingClientRect();
  range.selectNodeContents(row.querySelector('b'));
  const text = range.getBoundingClientRect();
  return text.right > row.getBoundingClientRect().right + 0.5 || text.left < bar.right - 0.5;
}).map((row) => row.textContent)"""


@pytest.mark.parametrize("width", [360, 390, 1000])
def test_no_horizontal_overflow_and_nothing_sticks_out(open_explorable, width):
    page, root = open_explorable(viewport={"width": width, "height": 844})
    for x in (TABLE2, EDGE):
        show(page, root, x)
        for scaled in (True, False):
            root.get_by_label("scale each to its largest").set_checked(scaled)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert root.evaluate(STICKS_OUT) == []
            assert root.evaluate(COLLIDE) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_readable_in_both_schemes(open_explorable, scheme):
    _, root = open_explorable(color_scheme=scheme)
    for selector in (".icg-x-readout", ".icg-x-note", ".icg-six-words", ".icg-six-small", ".icg-six-row b"):
        found, is_dark = contrast(root.locator(selector).first)
        assert found >= 4.5 and is_dark == (scheme == "dark")
    paper = root.evaluate("r => getComputedStyle(r).backgroundColor")
    colours = [
        root.locator(".icg-six-row .icg-six-chip").nth(i).evaluate("e => getComputedStyle(e).backgroundColor")
        for i in range(6)
    ]
    assert len(set(colours)) == 6
    for colour in colours:  # numbers on chips and dots are drawn in the paper's colour
        assert ratio(colour, paper) >= 4.5


def test_without_javascript_the_static_picture_is_shown(open_explorable):
    _, root = open_explorable(ready=False, java_script_enabled=False)
    picture = root.locator("img")
    assert picture.is_visible() and "the other sign in: exact SHAP" in picture.get_attribute("alt")
