"""The figure that all chapters draw in: legible, sharp and small."""

import base64
import io
import re

import numpy as np
import pytest
from matplotlib.figure import Figure as Plain
from PIL import Image

from icg_book.kit.drawing import Figure, legible, packed, sizes


def embedded(svg):
    """Kind and picture of all that is embedded."""
    found = re.findall(r'href="data:image/(\w+);base64,([^"]+)"', svg)
    return [(kind, Image.open(io.BytesIO(base64.b64decode(data)))) for kind, data in found]


@pytest.mark.parametrize("inches, least", [(2, 6.75), (5, 6.75), (9, 8.68), (12, 11.57)])
def test_no_letter_is_smaller_than_the_page_needs(inches, least):
    figure = Figure(figsize=(inches, 2), layout="constrained")
    ax = figure.add_subplot()
    ax.plot([0, 1])
    ax.set_title("small", fontsize=3)
    ax.text(0, 0, "large", fontsize=14)
    ax.tick_params(labelsize=4)
    smallest = legible(figure)
    assert least - 0.01 <= smallest <= 1.03 * least  # a little more where labels reach out of the figure
    sizes_now = {ax.title.get_fontsize(), *(label.get_fontsize() for label in ax.get_xticklabels())}
    assert sizes_now == {smallest} and ax.texts[0].get_fontsize() == 14


def test_it_says_how_large_it_is_and_how_far_it_may_shrink():
    figure = Figure(figsize=(9, 3))
    figure.text(0.5, 0.5, "word", fontsize=10)
    figure.add_axes((0, 0, 1, 1)).set_axis_off()
    found = sizes(figure.svg())
    assert found.width == pytest.approx(9.1 * 96, rel=0.01) and found.height == pytest.approx(3.1 * 96, rel=0.02)
    assert found.least / found.width == pytest.approx(7 / (10 * 96 / 72), rel=1e-3)  # letters of 7 pixels there
    assert sizes("<svg width='3pt' height='2pt'/>") is None and sizes("") is None
    assert sizes('<svg data-letters="9" width="30pt" height="20pt"/>')[:2] == (40, pytest.approx(80 / 3))  # of a file


def test_what_it_shows_is_said_in_words_and_twice_the_same():
    figure = Figure(figsize=(2, 1))
    figure.alt = 'a "bar" < 2'
    assert figure.svg() == figure.svg()
    assert 'aria-label="a &quot;bar&quot; &lt; 2"' in figure.svg()
    assert "aria-label" not in Figure(figsize=(2, 1)).svg()


def test_a_map_keeps_its_pixels_and_a_photograph_is_smooth():
    figure = Figure(figsize=(6, 2))
    values = np.arange(30 * 20).reshape(30, 20) % 256
    photograph = np.random.default_rng(0).integers(0, 256, (200, 100, 3), np.uint8)
    for ax, picture in zip(figure.subplots(1, 2), (values, photograph), strict=True):
        ax.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    svg = figure.svg()
    (kind, first), (other, second) = embedded(svg)
    assert (kind, other) == ("png", "webp") and second.size == (100, 200)
    assert first.size == (20, 30) and first.mode == "P"
    assert svg.count("image-rendering:pixelated") == 1


def test_256_colours_stay_what_they_are():
    colours = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    content = io.BytesIO()
    Image.fromarray(colours).save(content, "PNG")
    data = base64.b64encode(content.getvalue()).decode()
    ((kind, found),) = embedded(packed(f'<image xlink:href="data:image/png;base64,\n{data}" id="a"/>'))
    assert kind == "png" and (np.asarray(found.convert("RGB")) == colours).all()


def test_many_dots_become_one_picture():
    figure = Figure(figsize=(3, 2))
    ax = figure.add_subplot()
    ax.scatter(*np.random.default_rng(0).random((2, 2000)))
    ax.scatter([0.5], [0.5])
    svg = figure.svg()
    assert len(embedded(svg)) == 1 and svg.count("<use ") < 100 and len(svg) < 60_000


def test_it_is_smaller_than_matplotlibs_own():
    def drawn(kind):
        figure = kind(figsize=(6, 3))
        figure.add_subplot().plot(np.random.default_rng(1).random(300))
        return figure

    plain = io.StringIO()
    drawn(Plain).savefig(plain, format="svg")
    svg = drawn(Figure).svg()
    assert len(svg) < 0.8 * len(plain.getvalue()) and packed(svg) == svg
    assert not re.search(r'<!--|metadata|<path [^>]*d="[^"]*[0-9][.][0-9]{3}', svg)
    assert len(re.findall("<path ", svg)) == len(re.findall("<path ", plain.getvalue()))


def test_a_notebook_gets_it_as_svg(monkeypatch):
    got = []
    monkeypatch.setattr("icg_book.kit.drawing.display", lambda data, raw: got.append((data, raw)))
    Figure(figsize=(2, 1))._ipython_display_()
    ((data, raw),) = got
    assert raw and data["image/svg+xml"].startswith("<svg ") and set(data) == {"image/svg+xml", "text/plain"}
