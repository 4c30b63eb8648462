"""One result drawn: the map in the colours of its sign, in its place on the picture."""

import numpy as np
from PIL import Image

from icg_book.kit.result_figures import picture_and_map


def test_a_picture_of_one_colour_and_a_map_of_nothing_are_drawn(tmp_path):
    figure = picture_and_map(np.full((64, 64, 3), 255, np.uint8), np.zeros((8, 8)), title="a", by="b")
    figure.savefig(tmp_path / "white.png")
    with Image.open(tmp_path / "white.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert (pixels[pixels.shape[0] // 2, pixels.shape[1] // 3 :] == 255).mean() > 0.9


def test_the_map_lies_over_its_place_in_the_colours_of_its_sign(tmp_path):
    attribution = np.zeros((8, 8))
    attribution[1, 6], attribution[6, 1] = 1, -1
    figure = picture_and_map(np.full((80, 80), 128, np.uint8), attribution, title="a", by="b")
    both = next(ax for ax in figure.axes if ax.get_title() == "the map over the picture")
    image = both.images[0].get_array()
    assert image.shape == (80, 80, 3)
    for (row, column), sign in (((15, 65), 1), ((65, 15), -1), ((40, 40), 0)):
        red, _, blue = image[row, column]
        assert np.sign(red - blue) == sign
