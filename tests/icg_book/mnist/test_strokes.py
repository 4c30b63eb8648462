"""The code of a drawing as its two scripts write and read it: that of drawn_digits.py."""

import pytest
import torch
from pages import Script

from icg_book.kit.page.explorable import script_beside
from icg_book.mnist import drawing_pad
from icg_book.scenarios import drawn_digits
from icg_book.scenarios.drawn_digits import LETTERS, UNIT

SCRIPT = script_beside(drawing_pad.__file__).with_name("strokes.js")


@pytest.fixture(scope="module")
def ask():
    with Script(SCRIPT, "strokeCode(data)", {"letters": LETTERS, "perUnit": round(1 / UNIT), "size": 28}) as ask:
        yield ask


def scribble(seed, n=9):
    generator = torch.Generator().manual_seed(seed)
    steps = 3 * torch.randn(n, 2, generator=generator, dtype=torch.float64)
    return (((14 + steps.cumsum(0)).clamp(0, 28) * 128).round() / 128).tolist()


def test_codes_are_those_of_python(ask):
    for drawing in [*drawn_digits.strokes(), [scribble(1), scribble(2)], [[(0, 28)]], []]:
        text = drawn_digits.to_code(drawing)
        assert ask("x.toCode(a)", drawing) == text
        assert ask("x.fromCode(a)", text) == [[list(p) for p in stroke] for stroke in drawing]


def test_what_is_no_code_is_an_empty_drawing(ask):
    text = drawn_digits.to_code([[(1, 2), (3, 4)]])
    assert ask("x.fromCode(a)", f' "{text}"\n') == [[[1, 2], [3, 4]]]
    for wrong in ("no code!", text[:-1], text + ".", ".", " "):
        assert ask("x.fromCode(a)", wrong) == []
    assert ask("x.toCode([[[-1, 29]]])") == drawn_digits.to_code([[(0, 28)]])  # kept inside
