"""The landscape explorable, as far as Python goes; tests/browser/test_landscape_page.py opens it."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from pages import payload

from icg_book.attribution_transfer.landscape import draw_ground, draw_path, landscape
from icg_book.scenarios.landscapes import KNOTS, LANDSCAPES


def test_data_are_the_landscapes_themselves():
    found = payload(landscape("additive", "B", functions=["cross", "additive"], fallback=b"\x89PNG"))
    assert found["knots"] == list(KNOTS) and found["function"] == "additive"
    assert found["input"] == [0.7, 0.9] and found["baseline"] == [0, 0]
    assert [c["key"] for c in found["landscapes"]] == ["cross", "additive"]
    assert found["landscapes"][0]["inputs"][0] == {"name": "A", "point": [0.6, 0.42]}
    assert [c["key"] for c in payload(landscape(fallback=b"\x89PNG"))["landscapes"]] == list(LANDSCAPES)


@pytest.mark.parametrize("key", ["cross", "sines", "square"])
def test_fallback_draws_path_and_bars(key):
    explorable = landscape(key)
    assert explorable.fallback.startswith(b"\x89PNG") and len(explorable.fallback) > 5000
    assert "Integrated Gradients, BShap and SHAP" in explorable.alt


def test_arrows_of_path_a_are_x1s_alone():
    ax = Figure().add_subplot()
    draw_ground(ax, LANDSCAPES["cross"])
    draw_path(ax, LANDSCAPES["cross"], (0, 0), (0.6, 0.42))
    (arrows,) = (c for c in ax.collections if hasattr(c, "U"))
    assert len(arrows.U) > 2 and (arrows.U > 0).all() and (arrows.V == 0).all()
    shown = ax.images[0].get_array()
    assert shown[0, 0] == 0 and shown[-1, 110] == 1  # (x2, x1) from below: white corner, grey arm


def test_a_still_path_is_drawn():
    ax = Figure().add_subplot()
    draw_path(ax, LANDSCAPES["cross"], (0.4, 0.4), (0.4, 0.4))
    assert len(ax.lines) == 4 and not any(hasattr(c, "U") for c in ax.collections)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"function": "hill"}, "functions among cross, .*, got 'hill'"),
        ({"functions": ["cross", "hill"]}, "got 'hill'"),
        ({"function": "sines", "functions": ["cross"]}, r"one of those offered, \['cross'\], got 'sines'"),
        ({"input": "C"}, "a point or one of A, B, got 'C'"),
        ({"input": (0.5, 1.2)}, r"input to be two numbers in \[0, 1\], got \[0.5, 1.2\]"),
        ({"input": (0.5,)}, "input to be two numbers"),
        ({"input": (np.nan, 0.5)}, "input to be finite"),
        ({"baseline": (-0.1, 0)}, r"baseline to be two numbers in \[0, 1\]"),
        ({"function": "square", "baseline": (0, 2.5)}, r"in \[0, 2\]"),
        ({"title": ""}, "expected title"),
    ],
)
def test_landscape_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        landscape(**arguments)
