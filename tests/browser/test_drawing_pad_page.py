"""The drawing pad of the labs in a real browser, beside a text field as ipywidgets makes one."""

import numpy as np
import pytest
from pages import PHONE, drag, pixels, place

from icg_book.mnist.drawing_pad import drawing_pad
from icg_book.scenarios import drawn_digits

HEIGHT = 700  # of the window
FIELD = """
<div class="icg-drawing-test"><label>drawing <textarea></textarea></label></div>
<script>
  const area = document.querySelector("textarea");
  window.heard = [];
  for (const kind of ["input", "change"]) {
    area.parentNode.parentNode.addEventListener(kind, (event) => window.heard.push([event.type, area.value]));
  }
</script>
</body>"""


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    path = drawing_pad("icg-drawing-test").to_file(tmp_path_factory.mktemp("pad") / "page.html")
    path.write_text(path.read_text(encoding="utf-8").replace("</body>", FIELD), encoding="utf-8")
    return path


class Pad:
    """An open page with the pad and its field."""

    def __init__(self, page, root):
        self.page, self.root = page, root
        self.canvas = root.get_by_role("img", name="drawing pad")
        self.field = page.get_by_label("drawing", exact=True)

    def at(self, x, y):
        return place(self.canvas, x / 28, y / 28)

    def stroke(self, *points, button="left"):
        drag(self.page, *(self.at(*point) for point in points), steps=8, button=button)

    def sent(self, n=1):
        """What the field has heard, once there have been ``n`` drawings."""
        self.page.wait_for_function("n => window.heard.length >= 2 * n", arg=n)
        return self.page.evaluate("window.heard")

    def strokes(self):
        return self.root.evaluate("r => r.__explorable.state()")

    def ink(self, x, y):
        """Brightness of the pad at a point."""
        seen = pixels(self.canvas)
        return seen[int(y / 28 * len(seen)), int(x / 28 * len(seen)), 0]


@pytest.fixture
def pad(open_explorable):
    return Pad(*open_explorable())


def test_a_drawing_goes_to_the_field_when_the_pen_rests(pad):
    pad.stroke((5, 4), (20, 4), (12, 24))
    assert pad.page.evaluate("window.heard") == []  # the pen may come down again
    pad.stroke((8, 14), (18, 14))
    events = pad.sent()
    assert [kind for kind, _ in events] == ["input", "change"]
    code = pad.field.input_value()
    assert {value for _, value in events} == {code}
    strokes = pad.strokes()
    assert len(strokes) == 2 and code == drawn_digits.to_code(strokes)
    np.testing.assert_allclose(strokes[0][0], (5, 4), atol=0.1)
    np.testing.assert_allclose(strokes[0][-1], (12, 24), atol=0.5)  # the last bit may be too short to count
    np.testing.assert_allclose(strokes[1][0], (8, 14), atol=0.1)
    assert drawn_digits.from_code(code).sum() > 30
    assert pad.ink(10, 4) == 255 and pad.ink(13, 14) == 255 and pad.ink(3, 20) == 0


def test_the_pad_and_the_library_have_one_code(pad):
    for strokes in drawn_digits.strokes():
        code = drawn_digits.to_code(strokes)
        assert pad.root.evaluate("(r, s) => r.__explorable.toCode(s)", strokes) == code
        found = pad.root.evaluate("(r, c) => r.__explorable.fromCode(c)", code)
        assert found == [[list(point) for point in line] for line in drawn_digits.strokes_from_code(code)]


def test_a_press_is_a_dot(pad):
    pad.stroke((14, 14))
    pad.sent()
    assert pad.field.input_value() == drawn_digits.to_code([[tuple(pad.strokes()[0][0])]])
    assert pad.ink(14, 14) == 255 and drawn_digits.from_code(pad.field.input_value()).max() == 1


def test_a_finger_draws(open_explorable):
    pad = Pad(*open_explorable(has_touch=True))
    pad.page.touchscreen.tap(*pad.at(9, 9))
    pad.sent()
    np.testing.assert_allclose(pad.strokes()[0][0], (9, 9), atol=0.1)
    assert pad.canvas.evaluate("c => getComputedStyle(c).touchAction") == "none"


def test_strokes_end_at_the_edge(pad):
    pad.stroke((14, 14), (60, 14))
    pad.sent()
    assert max(x for x, _ in pad.strokes()[0]) == 28
    assert drawn_digits.from_code(pad.field.input_value()).max() > 0.9


def test_only_the_main_button_draws(pad):
    pad.stroke((5, 5), (20, 20), button="right")
    pad.stroke((5, 5), (20, 20), button="middle")
    assert pad.strokes() == []


def test_undo_and_clear_by_keyboard(pad):
    undo, clear = (pad.root.get_by_role("button", name=name) for name in ("Undo", "Clear"))
    assert undo.is_disabled() and clear.is_disabled()
    for y in (5, 12, 20):
        pad.stroke((5, y), (22, y))
    pad.sent()
    whole = pad.field.input_value()
    undo.press("Enter")
    assert pad.field.input_value() == whole.rpartition(".")[0] and pad.ink(14, 20) == 0 and pad.ink(14, 12) == 255
    clear.press(" ")
    assert pad.field.input_value() == "" and pad.strokes() == [] and pad.ink(14, 5) == 0
    assert [value for _, value in pad.sent(3)][-1] == "" and undo.is_disabled() and clear.is_disabled()


def test_a_pasted_code_is_shown(pad):
    strokes = drawn_digits.strokes()[4]
    pad.field.fill(drawn_digits.to_code(strokes))
    assert pad.strokes() == [[list(point) for point in line] for line in strokes]
    assert pad.ink(*strokes[0][0]) == 255
    pad.field.fill("no code!")
    assert pad.strokes() == [] and pad.field.input_value() == "no code!"  # it is left to the reader, and to the lab


def test_without_a_field_it_says_so(pad):
    pad.page.evaluate("document.querySelector('.icg-drawing-test').remove()")
    pad.stroke((5, 5), (20, 20))
    status = pad.root.get_by_role("status")
    pad.page.wait_for_function("s => s.textContent !== ''", arg=status.element_handle())
    assert "not running" in status.inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(open_explorable, scheme):
    page, root = open_explorable(viewport=PHONE, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    box = root.get_by_role("img", name="drawing pad").bounding_box()
    assert box["width"] == box["height"] >= 200 and box["x"] + box["width"] <= 390
    for button in root.get_by_role("button").all():
        assert button.bounding_box()["height"] >= 40
