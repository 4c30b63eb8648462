"""The chapter on Burnt Snacks as its reader has it: the built page, in a browser, by keyboard, offline."""

import re

import numpy as np
import pytest

PAGE = "book/burnt_snacks.html"
IMAGES = 3
METHODS = {  # name: what its slider moves, and how the readout calls it
    "IG, black baseline": ("alpha", "α"),
    "Expected Gradients": ("draw", "draw"),
    "ICG, probability": ("certainty", "certainty"),
    "ICG, logit": ("certainty", "certainty"),
}
WINDOWS = {
    "wide": {"width": 1280},
    "phone": {"width": 390, "height": 844, "has_touch": True, "is_mobile": True},
}


@pytest.fixture
def chapter(open_page):
    """``page, explorable = chapter(width=1280)``; afterwards the page must have kept quiet and to itself."""
    records = []

    def chapter(**options):
        page, record = open_page(PAGE, **options)
        records.append(record)
        page.locator(".icg-x").first.scroll_into_view_if_needed()  # it starts when it is seen
        page.wait_for_selector(".icg-x[data-state=ready]")
        return page, page.locator(".icg-x").first

    yield chapter
    for record in records:
        record.assert_clean()


def readout(root):
    """``{"α": 0.5, "output": …, "change": …, "gathered so far: sum": …}``"""
    pairs = (span.split(" = ") for span in root.locator(".icg-x-readout > span").all_inner_texts())
    return {name.strip(): float(value.replace("−", "-")) for name, value in pairs}


def canvases(root):
    """The three pictures, as what their pixels are."""
    return root.locator(".icg-x-picture canvas").evaluate_all("all => all.map(c => c.toDataURL())")


def choose(page, menu, name):
    """Move a menu to an entry by keyboard alone."""
    menu.focus()
    page.keyboard.press("Home")
    for _ in range(20):
        if menu.input_value() == name:
            return
        page.keyboard.press("ArrowDown")
    raise AssertionError(f"{name} cannot be reached by keyboard")


# ---- the explorable


def test_every_image_and_method_is_reached_by_keyboard_and_ends_at_its_attribution(chapter):
    page, root = chapter()
    image_menu, method_menu = root.get_by_label("Image"), root.get_by_label("Method")
    names = image_menu.locator("option").all_inner_texts()
    assert len(set(names)) == IMAGES
    ends = {}
    for image in names:
        choose(page, image_menu, image)
        assert method_menu.locator("option").all_inner_texts() == list(METHODS)
        for method, (parameter, short) in METHODS.items():
            choose(page, method_menu, method)
            assert image_menu.input_value() == image
            slider = root.get_by_label(parameter, exact=True)
            slider.focus()
            page.keyboard.press("Home")
            first, pictures = readout(root), canvases(root)
            page.keyboard.press("End")
            last = readout(root)
            assert first[short] == (1 if parameter == "draw" else 0)
            assert last[short] == (512 if parameter == "draw" else 1)
            changed = [a != b for a, b in zip(pictures, canvases(root), strict=True)]
            assert changed[1] and changed[2]
            assert changed[0] == (parameter != "certainty")  # there the image stays: only its opacity moves
            assert slider.get_attribute("aria-valuetext").startswith(f"{short} = {last[short]:g}")

            total, scale, pixels = root.evaluate(
                """(root) => { const x = root.__explorable, k = x.state.index, c = x.cases[k];
                    return [c.sums.at(-1), c.scale, Array.from(x.arrays(k).gathered.slice(-c.width * c.height))] }"""
            )
            pixels = np.array(pixels) / 127 * scale
            assert last["gathered so far: sum"] == pytest.approx(total, abs=6e-4)
            assert pixels.sum() == pytest.approx(total, abs=len(pixels) * scale / 254)  # what eight bits can hold
            if parameter != "draw":
                assert first["gathered so far: sum"] == 0
                # Completeness, to what 256 equal steps of a path with a jump in it can do.
                assert total == pytest.approx(last["change"], abs=0.05 * max(1, abs(last["change"])))
            ends[image, method] = canvases(root)[2]
    assert len(set(ends.values())) == len(ends)  # twelve different attributions


def test_arrows_move_the_slider_one_position_at_a_time(chapter):
    page, root = chapter()
    slider = root.get_by_label("alpha", exact=True)
    slider.focus()
    page.keyboard.press("Home")
    seen = [readout(root)["α"]]
    for _ in range(3):
        page.keyboard.press("ArrowRight")
        seen.append(readout(root)["α"])
    assert seen == pytest.approx([0, 1 / 32, 2 / 32, 3 / 32], abs=6e-4)
    page.keyboard.press("ArrowLeft")
    assert readout(root)["α"] == pytest.approx(2 / 32, abs=6e-4)
    assert slider.input_value() == "2"


def test_captions_tell_the_path_from_black(chapter):
    page, root = chapter()
    slider, caption = root.get_by_label("alpha", exact=True), root.locator(".icg-x-caption")
    slider.focus()
    page.keyboard.press("Home")
    told = []
    for _ in range(33):
        if caption.inner_text() not in told:
            told.append(caption.inner_text())
        page.keyboard.press("ArrowRight")
    assert len(told) == 4 and told[0].startswith("Everything is black") and told[-1] == "The input."


def test_play_and_pause_by_keyboard(chapter):
    page, root = chapter()
    root.get_by_label("alpha", exact=True).press("Home")
    root.get_by_role("button", name="Play").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("root => root.__explorable.state.step >= 2", arg=root.element_handle())
    page.keyboard.press("Space")
    stopped = readout(root)
    assert 0 < stopped["α"] < 1
    page.wait_for_timeout(500)
    assert readout(root) == stopped  # it does stop
    page.keyboard.press("Space")
    page.wait_for_function("root => !root.__explorable.playing()", arg=root.element_handle())
    assert readout(root)["α"] == 1 and root.get_by_role("button", name="Play").count() == 1


def test_the_marks_are_switched_by_keyboard(chapter):
    page, root = chapter()
    box, dots = root.get_by_role("checkbox"), root.locator(".icg-x-picture .icg-x-mark-dot")
    assert box.is_checked() and dots.count() == 3  # one dark square, in three pictures
    choose(page, root.get_by_label("Image"), "three dark squares, one light")
    assert dots.count() == 9
    box.focus()
    page.keyboard.press("Space")
    assert dots.count() == 0
    page.keyboard.press("Space")
    choose(page, root.get_by_label("Image"), "two light squares, none dark")
    assert dots.count() == 0 and root.locator(".icg-x-picture .icg-x-mark-ring").count() == 6


def test_every_control_is_on_the_way_of_the_tab_key(chapter):
    page, root = chapter()
    root.locator("select").first.focus()
    inside = []
    while page.evaluate("document.activeElement.closest('.icg-x') !== null"):
        inside.append(page.evaluate("[document.activeElement.tagName, document.activeElement.type].join()"))
        page.keyboard.press("Tab")
        assert len(inside) < 20
    controls = ["SELECT,select-one", "SELECT,select-one", "INPUT,checkbox", "BUTTON,button", "INPUT,range"]
    assert [name for name in inside if name in controls] == controls


# ---- without scripts, on a phone, in the dark


def test_without_javascript_there_is_a_picture_with_its_text(open_page):
    page, record = open_page(PAGE, java_script_enabled=False)
    picture = page.locator(".icg-x-static img").first
    assert picture.is_visible() and picture.bounding_box()["height"] > 100
    assert len(picture.get_attribute("alt")) > 40
    assert page.locator(".icg-x select, .icg-x input, .icg-x button").count() == 0  # no dead control
    assert page.locator("details > summary").first.is_visible()  # hints open without scripts, too
    assert not record.off_host
    assert not [text for text in record.failed if not text.endswith(": csp")]  # scripts that the browser declined


@pytest.mark.parametrize("window", WINDOWS)
def test_nothing_scrolls_sideways_with_all_hints_and_solutions_open(chapter, window):
    page, _ = chapter(**WINDOWS[window])
    page.evaluate("document.querySelectorAll('article details').forEach(d => { d.open = true })")
    widths = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert widths[0] <= widths[1], f"{widths[0]} px on a screen of {widths[1]} px"
    # A wide table scrolls in its own box.
    for table in page.locator("article .cell_output table").all():
        assert table.evaluate("t => t.parentElement.clientWidth <= t.closest('article').clientWidth")


# WCAG contrast of every visible text in the page's outputs, hints and explorable with what is painted behind it.
CONTRAST = """selector => {
  const parse = c => { const [r, g, b, a = 1] = c.match(/[\\d.]+/g).map(Number); return [r, g, b, a] };
  const over = (top, under, alpha) => top.slice(0, 3).map((v, i) => v * alpha + under[i] * (1 - alpha));
  const light = c => c.map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const shown = e => e.checkVisibility() && e.innerText.trim();
  return Array.from(document.querySelectorAll(selector)).filter(shown).map(e => {
    const chain = []; for (let n = e; n; n = n.parentElement) chain.push(getComputedStyle(n));
    let paper = [255, 255, 255];
    for (const s of [...chain].reverse()) { const c = parse(s.backgroundColor); paper = over(c, paper, c[3]); }
    const ink = parse(chain[0].color), opacity = chain.reduce((all, s) => all * s.opacity, 1);
    const both = [light(over(ink, paper, ink[3] * opacity)), light(paper)].sort((a, b) => a - b);
    return [(both[1] + .05) / (both[0] + .05), light(paper), e.tagName + ' ' + e.innerText.slice(0, 40)];
  });
}"""
TEXTS = (
    ".icg-x-title, .icg-x-field, .icg-x select, .icg-x-check, .icg-x-note span, .icg-x-readout b, .icg-x-caption, "
    "article p, article li, article .cell_output pre, article td, article th, article td small, "
    "article summary, article figcaption, article figcaption a, article .cell_output a"
)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_texts_stand_out_in_both_themes(chapter, theme):
    page, root = chapter()
    page.evaluate("theme => Object.assign(document.documentElement.dataset, { mode: theme, theme })", theme)
    page.wait_for_timeout(300)  # colours move to their new values
    found = page.evaluate(CONTRAST, TEXTS)
    assert len(found) > 100
    weak = sorted((round(ratio, 2), text) for ratio, _, text in found if ratio < 4.5)
    assert not weak, weak
    paper = root.evaluate("r => getComputedStyle(r).backgroundColor")
    assert (np.mean([int(v) for v in re.findall(r"\d+", paper)[:3]]) < 100) == (theme == "dark")


# ---- the rest of the chapter


def test_the_page_is_built_from_a_run_without_errors(chapter):
    page, _ = chapter()
    assert page.locator("article .output.traceback, article .stderr").count() == 0
    assert re.match(r"Runs in about \d+ s on one core\.", page.locator("article h1 + p").inner_text())
    assert page.locator("article .cell_output").last.inner_text().startswith("p(dark square) = ")  # it ran to its end


def test_the_lab_is_a_picture_with_a_link_to_where_it_lives(chapter):
    page, _ = chapter()
    lab = page.locator("#lab-choose-for-yourself")
    lab.scroll_into_view_if_needed()  # pictures come when they are near
    lab.locator("img").wait_for()
    assert "attribution" in lab.locator("img").get_attribute("alt")
    link = lab.locator("figcaption a")
    assert re.fullmatch(
        r"https://colab\.research\.google\.com/github/.+/blob/gh-pages/colab/burnt_snacks\.ipynb",
        link.get_attribute("href"),
    )
    controls = "input, select, button:not(.copybtn), .jupyter-widgets, script[type*='jupyter.widget']"
    assert lab.locator(controls).count() == 0
    assert page.locator(".jupyter-widgets, script[type*='jupyter.widget']").count() == 0


def test_tables_have_a_caption_and_headers(chapter):
    page, _ = chapter()
    tables = page.locator("article .cell_output table").all()
    assert len(tables) >= 2
    for table in tables:
        assert table.locator("xpath=ancestor::figure/figcaption").text_content().strip()
        columns = table.locator("thead th[scope=col]")
        assert columns.count() == table.locator("tbody tr").first.locator("th, td").count() >= 5
        for row in table.locator("tbody tr").all():
            assert row.locator("th[scope=row]").count() == 1


def test_hints_solutions_and_sources_wait_until_they_are_asked_for(chapter):
    page, _ = chapter()
    exercises, closed = page.locator("article .exercise"), page.locator("article details:not(.hide, .hide *)")
    solutions = closed.filter(has=page.locator("summary:text-is('Solution')"))
    assert exercises.count() == solutions.count() >= 4
    sources = page.locator("article details.icg-source")
    assert sources.count() >= 10
    numbers = page.locator("article details.icg-numbers:not(.hide *)")
    assert numbers.count() >= 2
    # Two hints and a solution for each exercise, and the quiz; the sources of the figures, and the numbers of charts.
    assert closed.count() == 3 * exercises.count() + 3 + sources.count() + numbers.count()
    for box in closed.all():
        inside = box.locator("> :not(summary)").last
        assert box.get_attribute("open") is None and not inside.is_visible()
        box.locator("summary").press("Enter")
        assert box.get_attribute("open") is not None and inside.is_visible()
        box.locator("summary").press("Enter")
        assert not inside.is_visible()
    assert solutions.locator(".highlight").count() == exercises.count()  # code reads as code
