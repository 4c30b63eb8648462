"""The coalition board in a real browser, from ``file://``: values, walk, averages, keyboard, mouse, dark, phone."""

import random
from itertools import permutations

import numpy as np
import pytest
from pages import PHONE, drag, place, plain, ratio

from icg_book.scenarios.games import GAMES
from icg_book.shapley.coalitions import coalition_board

pytestmark = pytest.mark.browser

HEIGHT = 1300  # of the window
NAMES = list(GAMES)


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    return coalition_board().to_file(tmp_path_factory.mktemp("board") / "page.html")


def by_orderings(values, n, orderings=None, joined=None):
    """Means of the marginal contributions by a plain walk: all orderings, or the first ones and a part of the last."""
    orderings = list(orderings or permutations(range(n)))
    total, count = np.zeros(n), np.zeros(n)
    for k, ordering in enumerate(orderings):
        mask = 0
        for rank, p in enumerate(ordering):
            if joined is None or k < len(orderings) - 1 or rank < joined:
                total[p] += values[mask | 1 << p] - values[mask]
                count[p] += 1
            mask |= 1 << p
    return [t / c if c else None for t, c in zip(total, count, strict=True)]


def ask(root, what):
    return root.evaluate(f"r => r.__explorable.{what}")


def row(root, name):
    """A row of the table that begins with this word, as texts."""
    cells = root.locator("tr", has=root.page.locator("th", has_text=name)).first.locator("td")
    return [plain(t) for t in cells.all_inner_texts()]


def test_numbers_equal_pythons_in_every_preset_and_after_edits(open_explorable):
    _, root = open_explorable()
    rng = random.Random(0)
    for k, name in enumerate(NAMES):
        game = GAMES[name]
        ask(root, f"choose({k})")
        for edits in range(3):
            values = ask(root, "state.values")
            expected = by_orderings(values, game.n)
            assert ask(root, "shapley()") == pytest.approx(expected, abs=1e-9)
            if edits == 0 and game.shapley:
                assert expected == pytest.approx(game.shapley, abs=1e-9)
            ask(root, "go(1000)")
            assert ask(root, "averages()") == pytest.approx(expected, abs=1e-9)
            shown = [float(t) for t in row(root, "average")]
            assert shown == pytest.approx([*expected, sum(expected)], abs=1e-3)
            assert [float(t) for t in row(root, "Shapley")] == pytest.approx([*expected, sum(expected)], abs=1e-3)
            for mask in rng.sample(range(2**game.n), 3):
                ask(root, f"setValue({mask}, {rng.uniform(-3, 3)})")


def test_every_step_of_the_walk(open_explorable):
    _, root = open_explorable()
    game = GAMES["network"]
    ask(root, f"choose({NAMES.index('network')})")
    values = ask(root, "state.values")
    orderings = list(permutations(range(4)))
    assert ask(root, "state.orderings") == [list(o) for o in orderings]
    for step in (0, 1, 4, 5, 30, 95, 96):
        ask(root, f"go({step})")
        done = max(1, -(-step // 4))
        joined = step - 4 * (done - 1)
        expected = by_orderings(values, 4, orderings[:done], joined)
        assert ask(root, "averages()") == pytest.approx(expected, abs=1e-9)
        order = orderings[done - 1]
        if joined:
            newcomer, before = order[joined - 1], sum(1 << p for p in order[: joined - 1])
            gain = values[before | 1 << newcomer] - values[before]
            text = plain(root.locator(".icg-c-sentence").inner_text())
            assert f"{game.players[newcomer]} adds {gain:+.3f}".replace("+0.000", "0.000") in text
            assert (root.locator(".icg-c-added").inner_text() == "0.000") == (abs(gain) < 5e-4)
        assert root.locator(".icg-c-in").count() - 4 == max(0, joined - 1)  # 4 tokens stand over the columns
        assert root.locator(".icg-c-out").count() == 4 - joined
        assert root.locator(".icg-c-node.icg-c-on").count() == joined + 1
        sums = [t for t in root.locator("tbody tr td:last-child").all_inner_texts() if t != "·"]
        assert len(sums) == (step // 4) and all(float(s) == pytest.approx(0.762, abs=1e-3) for s in sums)


def test_shuffling_changes_the_way_but_not_the_end(open_explorable):
    _, root = open_explorable()
    before = ask(root, "state.orderings")
    root.get_by_role("button", name="Shuffle").click()
    after = ask(root, "state.orderings")
    assert after != before and sorted(after) == before and ask(root, "state.step") == 0
    ask(root, "go(9)")
    values = ask(root, "state.values")
    assert ask(root, "averages()") == pytest.approx(by_orderings(values, 3, after[:3]), abs=1e-9)
    ask(root, "go(18)")
    assert ask(root, "averages()") == pytest.approx([1 / 6, 1 / 6, 4 / 6], abs=1e-9)


def test_keyboard_reaches_and_moves_everything(open_explorable):
    page, root = open_explorable()
    menu = root.get_by_label("Game")
    page.keyboard.press("Tab")
    assert menu.evaluate("e => e === document.activeElement")
    page.keyboard.press("ArrowDown")
    assert menu.input_value() == "airport" and ask(root, "state.step") == 0

    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("(document.activeElement.getAttribute('aria-label') || document.activeElement.innerText)")
        )
    assert {"value of nobody", "value of Glider, Jet", "value of everybody"} <= reached
    assert {"Step", "Back", "Next ordering", "Play", "Shuffle", "Reset values"} <= reached

    field = root.get_by_label("value of Glider, Jet", exact=True)
    field.focus()
    assert root.get_by_role("slider", name="Value of").input_value() == "8"
    field.fill("9.5")
    assert ask(root, "state.values")[0b0101] == 9.5
    assert menu.input_value() == "airport (edited)"
    field.press("ArrowUp")
    assert ask(root, "state.values")[0b0101] == 10
    slider = root.get_by_role("slider", name="Value of")
    slider.press("ArrowRight")
    assert ask(root, "state.values")[0b0101] == 10.5 and field.input_value() == "10.5"
    assert slider.get_attribute("aria-valuetext") == "Glider, Jet: 10.500"
    field.fill("")
    field.press("Tab")
    assert field.input_value() == "10.5"  # an empty field is no value
    root.get_by_role("button", name="Reset values").press("Enter")
    assert ask(root, "state.values") == payload_values("airport") and menu.input_value() == "airport"

    step = root.get_by_role("button", name="Step")
    step.press("Enter")
    step.press("Space")
    assert ask(root, "state.step") == 2
    root.get_by_role("button", name="Back").press("Enter")
    assert ask(root, "state.step") == 1
    next_ordering = root.get_by_role("button", name="Next ordering")
    next_ordering.press("Enter")
    assert ask(root, "state.step") == 4
    next_ordering.press("Enter")
    assert ask(root, "state.step") == 8
    walk = root.get_by_role("slider", name="Walked")
    walk.press("End")
    assert ask(root, "state.step") == 96 and "are the Shapley values" in root.inner_text()
    assert walk.get_attribute("aria-valuetext") == "ordering 24 of 24, 4 joined"
    step.press("Enter")  # at the end: nothing happens, and the focus stays
    assert ask(root, "state.step") == 96 and step.evaluate("e => e === document.activeElement")
    page.wait_for_timeout(900)
    assert "are the Shapley values" in root.locator("[aria-live=polite]").inner_text()
    walk.press("Home")
    assert "Nobody is here yet" in root.inner_text()

    box = root.get_by_role("checkbox")
    assert root.locator(".icg-c-goal").count() == 4
    box.press("Space")
    assert root.locator(".icg-c-goal").count() == 0 and "Shapley\t" not in root.locator("thead").inner_text()

    root.get_by_role("button", name="Play").press("Enter")
    page.wait_for_function("r => r.__explorable.state.step > 2", arg=root.element_handle())
    root.get_by_role("button", name="Pause").press("Enter")
    assert ask(root, "playing()") is False


def payload_values(name):
    from icg.shapley import coalitions

    return GAMES[name](coalitions(GAMES[name].n)).tolist()


def test_play_runs_to_the_end_and_starts_again(open_explorable):
    page, root = open_explorable()
    ask(root, "go(16)")
    root.get_by_role("button", name="Play").click()
    page.wait_for_function("r => !r.__explorable.playing()", arg=root.element_handle())
    assert ask(root, "state.step") == 18
    root.get_by_role("button", name="Play").click()
    assert ask(root, "state.step") < 3
    root.get_by_role("button", name="Pause").click()


def test_mouse_and_touch(open_explorable):
    page, root = open_explorable(has_touch=True, viewport=PHONE)

    root.get_by_label("value of Ann, Cy", exact=True).tap()
    slider = root.get_by_role("slider", name="Value of")
    slider.scroll_into_view_if_needed()
    before = ask(root, "shapley()")
    drag(page, place(slider, 0.75), place(slider, 0.99))
    value = ask(root, "state.values")[0b101]
    assert 1.3 < value <= 1.5
    after = ask(root, "shapley()")
    assert np.subtract(after, before) == pytest.approx([(value - 1) / 6, -(value - 1) / 3, (value - 1) / 6], abs=1e-9)
    assert root.get_by_label("value of Ann, Cy", exact=True).input_value() == f"{value:g}"

    walk = root.get_by_role("slider", name="Walked")
    walk.scroll_into_view_if_needed()
    drag(page, place(walk, 0.3), place(walk, 0.995))
    assert ask(root, "state.step") == 18
    root.get_by_role("button", name="Back").tap()
    assert ask(root, "state.step") == 17
    root.locator("tbody tr").nth(2).tap()
    assert ask(root, "state.step") == 9
    root.get_by_role("checkbox").tap()
    assert not root.get_by_role("checkbox").is_checked()
    for control in root.locator("select, button, .icg-c-node, .icg-x-check").all():
        assert control.bounding_box()["height"] >= 40


def test_a_negative_contribution_hangs_below_the_line(open_explorable):
    page, root = open_explorable()
    ask(root, f"choose({NAMES.index('network')})")
    ask(root, "go(1000)")
    page.wait_for_timeout(400)  # bars grow
    bars, zeros = root.locator(".icg-c-bar"), root.locator(".icg-c-zero")
    for p, value in enumerate(ask(root, "shapley()")):
        bar, zero = bars.nth(p).bounding_box(), zeros.nth(p).bounding_box()["y"]
        goal = root.locator(".icg-c-goal").nth(p).bounding_box()["y"] + 2
        end = bar["y"] if value > 0 else bar["y"] + bar["height"]
        assert (bar["y"] >= zero - 1) == (value < 0)
        assert end == pytest.approx(goal, abs=2)
    colours = [bars.nth(p).evaluate("b => getComputedStyle(b).backgroundColor") for p in range(4)]
    assert colours[2] != colours[0] == colours[1] == colours[3]


def test_without_javascript_the_static_picture_is_shown(open_explorable):
    _, root = open_explorable(java_script_enabled=False, ready=False)
    picture = root.locator("img")
    assert picture.is_visible() and picture.get_attribute("alt").startswith("Ann and Bo have a left-hand glove")


@pytest.mark.parametrize("width", [360, 390, 700, 1000])
def test_nothing_sticks_out_or_overlaps(open_explorable, width):
    page, root = open_explorable(viewport={"width": width, "height": 844})
    frame = root.bounding_box()
    for k, name in enumerate(NAMES):
        ask(root, f"choose({k})")
        ask(root, "go(1000)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        boxes = root.locator(".icg-c-node").evaluate_all(
            "nodes => nodes.map((n) => n.getBoundingClientRect()).map((b) => [b.left, b.right, b.top, b.bottom])"
        )
        for i, (left, right, top, bottom) in enumerate(boxes):
            assert frame["x"] <= left and right <= frame["x"] + frame["width"]
            for other in boxes[:i]:
                assert other[1] <= left or right <= other[0] or other[3] <= top or bottom <= other[2], name
        cells = "thead th, thead td, tbody tr:last-child td, .icg-c-node input"
        cut = root.locator(cells).evaluate_all(
            "c => c.filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.innerText)"
        )
        assert cut == [], name


@pytest.mark.parametrize(
    ("scheme", "attribute", "dark"),
    [("light", None, False), ("dark", None, True), ("light", "dark", True), ("dark", "light", False)],
)
def test_dark_mode(open_explorable, scheme, attribute, dark):
    page, root = open_explorable(color_scheme=scheme)
    if attribute:
        page.evaluate("t => document.documentElement.setAttribute('data-theme', t)", attribute)
    for selector in (".icg-c-sentence", ".icg-c-sum", ".icg-c-node span", ".icg-c-node input", "tbody th", "tbody td"):
        # The text against what lies behind it, its own tint over the paper included.
        text, tint, paper = page.evaluate(
            """s => { const e = document.querySelector('.icg-x ' + s), look = getComputedStyle;
                      return [look(e).color, look(e).backgroundColor, look(e.closest('.icg-x')).backgroundColor] }""",
            selector,
        )
        (text, _), (tint, share), (paper, _) = map(parse, (text, tint, paper))
        assert (paper.sum() < 1) == dark
        assert ratio(text, share * tint + (1 - share) * paper) >= 4.5, selector


def parse(colour):
    numbers = [float(v) for v in colour[colour.index("(") + 1 : -1].split(",")]
    return np.array(numbers[:3]) / 255, (numbers[3] if len(numbers) > 3 else 1.0)
