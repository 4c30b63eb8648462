"""Drawn digits: MNIST's look, drawings as text, and that the networks read them."""

import os
from pathlib import Path

import pytest
import torch

from icg.artifacts import load_model
from icg.measures import probabilities
from icg_book.scenarios import drawn_digits, mnist
from icg_book.scenarios.drawn_digits import (
    BOX,
    EDGE,
    LETTERS,
    RADIUS,
    from_code,
    rasterise,
    strokes,
    strokes_from_code,
    to_code,
)

REAL = Path(os.environ.get("ICG_DATA", "nowhere"))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def scribble(seed=0, n=12):
    """A random walk that stays in the square."""
    steps = 2.5 * torch.randn(n, 2, generator=generator(seed), dtype=torch.float64)
    return [tuple(p) for p in (14 + steps.cumsum(0)).clamp(0, 28).tolist()]


def middle(picture):
    at = torch.arange(28).double() + 0.5
    p = picture[0].double()
    return ((p.sum(0) * at).sum() / p.sum()).item(), ((p.sum(1) * at).sum() / p.sum()).item()


# ---- the look of a picture


def test_a_line_is_as_wide_as_the_pen_and_as_soft_as_its_edge():
    """By hand: a vertical line from the top to the bottom of the box, in the middle."""
    picture = rasterise([[(5, 0), (5, 28)]])[0].double()
    x = torch.arange(28).double() + 0.5
    want = ((RADIUS - (x - 14.5).abs()) / EDGE + 0.5).clamp(0, 1)
    torch.testing.assert_close(picture[14], want, atol=1e-6, rtol=0)
    assert picture[14].sum().item() == pytest.approx(2 * RADIUS, abs=0.05)
    lit = (picture.sum(1) > 0).nonzero()
    assert len(lit) in (20, 21) and picture.sum(1)[lit.min() + 4 : lit.max() - 3].std() < 1e-6


def test_every_pixel_is_as_bright_as_its_distance_to_the_nearest_line_says():
    """Against the distance to 4,000 points along the strokes, moved as rasterise moves them."""
    drawing = [scribble(1), scribble(2, 5)]
    picture = rasterise(drawing)
    lines = [torch.tensor(stroke, dtype=torch.float64) for stroke in drawing]
    points = torch.cat(lines)
    low, high = points.amin(0), points.amax(0)
    scale = (BOX - 2 * RADIUS - EDGE) / (high - low).max()
    t = torch.linspace(0, 1, 250).double().view(-1, 1, 1)
    dense = torch.cat([(line[:-1] + t * line.diff(dim=0)).reshape(-1, 2) for line in lines]) * scale
    at = torch.arange(28).double() + 0.5
    pixels = torch.cartesian_prod(at, at).flip(1)

    def ink(shift):
        return ((RADIUS - torch.cdist(pixels, dense + shift).amin(1)) / EDGE + 0.5).clamp(0, 1).view(1, 28, 28)

    shift = 14.5 - scale * (low + high) / 2
    once = ink(shift)
    torch.testing.assert_close(picture.double(), ink(shift + 14.5 - torch.tensor(middle(once))), atol=0.01, rtol=0)


@pytest.mark.parametrize("drawing", strokes())
def test_ink_fills_mnists_box_around_its_centre_of_mass(drawing):
    picture = rasterise(drawing)
    assert picture.shape == (1, 28, 28) and picture.dtype == torch.float32
    assert picture.min() == 0 and picture.max() == 1
    lit = (picture[0] > 0.02).nonzero()
    assert 19 <= (lit.amax(0) - lit.amin(0) + 1).max() <= 21
    assert middle(picture) == pytest.approx((14.5, 14.5), abs=0.06)


def test_size_and_place_of_a_drawing_do_not_matter():
    drawing = strokes()[5]
    smaller = [[(3 + 0.5 * x, 11 + 0.5 * y) for x, y in stroke] for stroke in drawing]
    torch.testing.assert_close(rasterise(smaller), rasterise(drawing), atol=1e-5, rtol=0)
    backwards = [stroke[::-1] for stroke in drawing[::-1]]
    torch.testing.assert_close(rasterise(backwards), rasterise(drawing), atol=1e-5, rtol=0)
    mirrored = rasterise([[(28 - x, y) for x, y in stroke] for stroke in drawing])
    assert (mirrored - rasterise(drawing)).abs().max() > 0.9


def test_next_to_nothing_stays_small():
    dot = rasterise([[(20, 3)]])
    assert middle(dot) == pytest.approx((14.5, 14.5), abs=1e-6)
    assert dot.sum().item() == pytest.approx(torch.pi * RADIUS**2, abs=0.6)
    assert torch.equal(rasterise([[(20, 3), (20, 3)]]), dot)
    dash = rasterise([[(20, 3), (21, 3)]])  # four pixels long and no more
    assert dash.sum() - dot.sum() == pytest.approx(4 * 2 * RADIUS, abs=0.7)
    assert torch.equal(rasterise([]), torch.zeros(1, 28, 28)) and torch.equal(rasterise([[]]), rasterise([]))
    assert torch.equal(rasterise([[], [(20, 3)]]), dot)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (5, "lists of points"),
        ([(1, 2), (3, 4)], "lists of points"),
        ([[(1, 2, 3)]], "lists of points"),
        ([[("a", 2)]], "lists of points"),
        ([[(float("nan"), 2)]], "finite"),
        ([[(1, 2), (float("inf"), 2)]], "finite"),
    ],
)
def test_what_is_no_drawing_is_refused(wrong, message):
    for function in (rasterise, to_code):
        with pytest.raises(ValueError, match=message):
            function(wrong)


# ---- the book's digits


def test_the_ten_digits_come_first_and_some_twice():
    digits = drawn_digits.load()
    assert isinstance(digits, mnist.Digits) and digits.images.shape == (len(digits), 1, 28, 28)
    assert digits.labels[:10].tolist() == list(range(10)) and digits.labels.dtype == torch.int64
    assert 13 <= len(digits) == len(strokes()) and digits.labels.bincount().max() == 2
    for image, drawing in zip(digits.images, strokes(), strict=True):
        assert torch.equal(image, rasterise(drawing))
    points = torch.tensor([p for drawing in strokes() for stroke in drawing for p in stroke])
    assert points.min() >= 3 and points.max() <= 25
    assert torch.equal(points * 128, (points * 128).round())  # a code keeps them as they are


def test_lines_are_smooth_and_their_corners_sharp():
    def turns(stroke):
        steps = torch.tensor(stroke, dtype=torch.float64).diff(dim=0)
        angle = torch.atan2(steps[:, 1], steps[:, 0]).diff()
        return torch.atan2(angle.sin(), angle.cos()).abs()

    assert turns(strokes()[0][0]).max() < 0.6  # the 0
    assert turns(strokes()[1][0]).max() < 0.2  # the 1
    seven = turns(strokes()[7][0])
    assert seven.max() > 1.5 and seven.sort().values[-2] < 0.3


@pytest.mark.parametrize("name", ["mnist", "mnist-small"])
def test_the_networks_read_them(name):
    digits = drawn_digits.load()
    p = probabilities(load_model(name), digits.images)
    assert p.argmax(1).tolist() == digits.labels.tolist()
    assert p.amax(1).min() > 0.6


@pytest.mark.skipif(not (REAL / "MNIST" / "raw").is_dir(), reason="MNIST is not here; set ICG_DATA")
def test_they_have_as_much_ink_as_mnists_own():
    real, own = mnist.load("test", download=False).images, drawn_digits.load().images
    assert own.mean().item() == pytest.approx(real.mean().item(), rel=0.1)
    assert (own > 0).float().mean().item() == pytest.approx((real > 0).float().mean().item(), rel=0.1)
    full = [(x > 0.98).sum() / (x > 0).sum() for x in (own, real)]
    assert full[0].item() == pytest.approx(full[1].item(), abs=0.05)
    assert torch.tensor([middle(x) for x in real[:1000]]).mean(0).tolist() == pytest.approx([14.5, 14.5], abs=0.05)


# ---- drawings as text


@pytest.mark.parametrize("drawing", [*strokes(), [scribble(3), [(0.0, 28.0)], scribble(4)], []])
def test_a_code_gives_the_drawing_again(drawing):
    text = to_code(drawing)
    assert set(text) <= set(LETTERS + ".") and len(text) <= 4 * sum(map(len, drawing)) + len(drawing)
    back = strokes_from_code(text)
    assert [len(stroke) for stroke in back] == [len(stroke) for stroke in drawing]
    for ours, theirs in zip(back, drawing, strict=True):
        torch.testing.assert_close(torch.tensor(ours), torch.tensor(theirs), atol=1 / 256 + 1e-6, rtol=0)
    assert to_code(back) == text
    torch.testing.assert_close(from_code(text), rasterise(drawing), atol=0.02, rtol=0)


def test_codes_of_the_books_digits_give_exactly_their_pictures_and_are_short():
    for image, drawing in zip(drawn_digits.load().images, strokes(), strict=True):
        assert torch.equal(from_code(to_code(drawing)), image) and len(to_code(drawing)) < 300


def test_letters_by_hand():
    assert to_code([[(0, 0), (28, 14)], [(1, 1)]]) == "AAAA4AcA.CACA"
    assert strokes_from_code("AAAA4AcA.CACA") == [[(0, 0), (28, 14)], [(1, 1)]]
    assert strokes_from_code(' "AAAA\n4AcA. CACA" ') == [[(0, 0), (28, 14)], [(1, 1)]]
    assert torch.equal(from_code(""), torch.zeros(1, 28, 28))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("AAAA4Ac", "7 letters in a stroke"),
        ("AAAA..CACA", "0 letters in a stroke"),
        ("AAAA.", "0 letters in a stroke"),
        ("AAA!", "the letter '!'"),
        ("____", "outside of its 28 x 28 square"),
        (b"AAAA", "as text, got bytes"),
        (None, "as text, got NoneType"),
    ],
)
def test_what_is_no_code_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        from_code(wrong)


def test_points_outside_of_the_square_have_no_code():
    with pytest.raises(ValueError, match=r"from 0 to 28, got 3 to 28\.5"):
        to_code([[(3, 28.5)]])
    with pytest.raises(ValueError, match="-0.1"):
        to_code([[(3, 5)], [(-0.1, 5)]])
