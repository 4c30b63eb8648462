"""How tightly maps are localised, and borders of one colour: closed forms, and pictures made for the purpose."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.stats import entropy as scipy_entropy

from icg_book.imagenette.localisation import blurred, borders, entropy, half_area, spread

MEASURES = (entropy, spread, half_area)


def one_pixel(height=6, width=8):
    maps = torch.zeros(1, 1, height, width)
    maps[0, 0, 2, 5] = -3.0
    return maps


# ---- concentration


@pytest.mark.parametrize("shape", [(2, 1, 6, 8), (1, 3, 5, 5), (1, 1, 1, 7)])
def test_an_even_map_is_not_localised(shape):
    even = torch.full(shape, -0.3)
    for measure, expected in ((entropy, 1), (spread, 1), (half_area, 0.5)):
        found = measure(even)
        positions = shape[2] * shape[3]
        expected = math.ceil(expected * positions) / positions if measure is half_area else expected
        assert found.shape == shape[:1] and found.dtype == torch.float64
        assert found.tolist() == pytest.approx([expected] * shape[0], abs=1e-12)


def test_one_pixel_is_as_localised_as_can_be():
    assert entropy(one_pixel()).item() == 0
    assert spread(one_pixel()).item() == pytest.approx(0, abs=1e-7)
    assert half_area(one_pixel()).item() == 1 / 48


@pytest.mark.parametrize("k", [2, 3, 12, 48])
def test_entropy_and_area_of_some_equal_pixels(k):
    maps = torch.zeros(48)
    maps[torch.randperm(48, generator=torch.Generator().manual_seed(0))[:k]] = 7.0
    maps = maps.view(1, 1, 6, 8)
    assert entropy(maps).item() == pytest.approx(math.log(k) / math.log(48))
    assert half_area(maps).item() == pytest.approx(math.ceil(k / 2) / 48)
    assert half_area(maps, 1.0).item() == pytest.approx(k / 48)


def test_the_corners_are_as_far_apart_as_can_be():
    maps = torch.zeros(1, 1, 9, 9)
    maps[0, 0, [0, 0, 8, 8], [0, 8, 0, 8]] = 1
    # (n - 1)^2 / 4 in each direction, over (n^2 - 1) / 12
    assert spread(maps).item() == pytest.approx(math.sqrt(64 / 4 / (80 / 12)))
    assert spread(maps).item() < math.sqrt(3)


def test_spread_is_the_standard_deviation_of_the_position():
    maps = torch.randn(3, 2, 7, 11, generator=torch.Generator().manual_seed(1))
    weight = maps.double().sum(1).abs().numpy()
    for k, found in enumerate(spread(maps).tolist()):
        y, x = np.mgrid[:7, :11]
        variance = sum(np.cov(at.ravel(), aweights=weight[k].ravel(), ddof=0) for at in (y, x))
        assert found == pytest.approx(math.sqrt(variance / (np.var(y) + np.var(x))))


def test_where_a_map_is_moves_the_spread_of_two_pixels_but_not_their_entropy():
    near, far = torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)
    near[0, 0, 3, 3:5] = 1
    far[0, 0, 3, [0, 7]] = 1
    assert entropy(near).item() == entropy(far).item() == pytest.approx(1 / 6)  # log 2 / log 64
    assert spread(far).item() == pytest.approx(7 * spread(near).item())
    assert torch.equal(spread(near), spread(near.roll((2, 1), (2, 3))))  # wherever they are


def test_entropy_is_scipys():
    maps = torch.randn(4, 1, 5, 9, generator=torch.Generator().manual_seed(2))
    expected = scipy_entropy(maps.abs().flatten(1).double().numpy(), axis=1) / math.log(45)
    np.testing.assert_allclose(entropy(maps).numpy(), expected)


@pytest.mark.parametrize("measure", MEASURES)
def test_neither_scale_nor_sign_counts(measure):
    maps = torch.randn(5, 1, 6, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    torch.testing.assert_close(measure(-1e-200 * maps), measure(maps))
    torch.testing.assert_close(measure(maps.abs()), measure(maps))
    torch.testing.assert_close(measure(maps.expand(-1, 3, -1, -1)), measure(maps))  # channels are added up


@pytest.mark.parametrize("measure", MEASURES)
def test_a_map_of_zeros_has_no_value_and_leaves_the_others_theirs(measure):
    found = measure(torch.cat([torch.zeros(1, 1, 6, 8), one_pixel()]))
    assert found[0].isnan() and found[1] == measure(one_pixel())[0]


def test_half_the_area_takes_the_largest_first():
    maps = torch.tensor([4.0, 3.0, 2.0, 1.0]).view(1, 1, 2, 2)  # .4, .7, .9, 1
    for part, count in ((0.4, 1), (0.41, 2), (0.5, 2), (0.7, 2), (0.9, 3), (1.0, 4)):
        assert half_area(maps, part).item() == count / 4


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    "bad",
    [torch.zeros(3, 4, 4), torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 4, 4).long(), torch.full((1, 1, 2, 2), 1e999)],
)
def test_bad_maps_are_refused(measure, bad):
    with pytest.raises(ValueError, match="expected"):
        measure(bad)


@pytest.mark.parametrize("part", [0, -1, 1.1, float("nan")])
def test_bad_parts_are_refused(part):
    with pytest.raises(ValueError, match="part in"):
        half_area(one_pixel(), part)


# ---- blur


@pytest.mark.parametrize("sigma", [0.8, 2.0])
def test_the_blur_is_scipys(sigma):
    maps = torch.randn(2, 1, 24, 31, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    expected = gaussian_filter(maps.numpy(), (0, 0, sigma, sigma), mode="mirror", radius=int(3 * sigma + 0.5))
    np.testing.assert_allclose(blurred(maps, sigma).numpy(), expected, atol=1e-9)


def test_the_blur_fits_small_maps_and_keeps_the_dtype():
    found = blurred(one_pixel(4, 6).float(), 9.0)
    assert found.shape == (1, 1, 4, 6) and found.dtype == torch.float32
    assert found.std() < 0.1


@pytest.mark.parametrize(("bad", "sigma"), [(torch.ones(2, 4, 4), 1.0), (one_pixel(), 0), (one_pixel(), float("nan"))])
def test_a_bad_blur_is_refused(bad, sigma):
    with pytest.raises(ValueError, match="expected"):
        blurred(bad, sigma)


# ---- borders


def photograph(height=40, width=50, seed=0):
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("colour", [(0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.2, 0.5, 0.9)])
def test_bars_are_found_exactly(colour):
    colour = torch.tensor(colour).view(1, 3, 1, 1)
    for index in (
        (..., slice(0, 5), slice(None)),
        (..., slice(-7, None), slice(None)),
        (..., slice(None), slice(0, 4)),
        (..., slice(None), slice(-9, None)),
    ):
        image = photograph()
        image[index] = colour.expand_as(image)[index]
        expected = torch.zeros(1, 1, 40, 50, dtype=torch.bool)
        expected[index] = True
        assert torch.equal(borders(image), expected)


def test_a_frame_is_found_on_all_sides():
    image = torch.zeros(1, 3, 40, 50)
    image[..., 4:-6, 5:-3] = photograph()[..., 4:-6, 5:-3]
    expected = torch.ones(1, 1, 40, 50, dtype=torch.bool)
    expected[..., 4:-6, 5:-3] = False
    # Rows between the bars above and below are not of one colour, but columns at the sides are.
    assert torch.equal(borders(image), expected)


def test_what_is_no_border():
    plain, thin, inside, two, slope = (photograph(seed=k) for k in range(5))
    thin[..., :2, :] = 0
    inside[..., 10:20, :] = 0
    two[..., 0, :], two[..., 1:3, :] = 0.0, 0.5  # three rows, but not of one colour
    slope[..., :20, :] = (torch.arange(20) / 20).view(1, 1, 20, 1)
    even = torch.full((1, 3, 40, 50), 0.3)
    assert not borders(torch.cat([plain, thin, inside, two, slope, even])).any()
    assert borders(thin, least=2).sum() == 2 * 50
    assert borders(slope, tolerance=0.051, least=2).sum() == 2 * 50


def test_a_border_ends_where_the_colour_changes():
    image = photograph()
    image[..., :5, :] = 0.0
    image[..., 5:9, :] = 0.4
    assert borders(image).sum() == 5 * 50


def test_compression_leaves_borders_what_they_are():
    image = photograph()
    image[..., :6, :] = 0
    generator = torch.Generator().manual_seed(9)
    noisy = (image + 0.02 * torch.rand(image.shape, generator=generator)).clamp(0, 1)
    noisy[..., 3, 20] = 0.5  # one pixel of 50
    assert torch.equal(borders(noisy), borders(image)) and borders(image).sum() == 6 * 50
    assert borders(noisy, outliers=0.01).sum() == 3 * 50
    assert borders(noisy, tolerance=0.001).sum() == 0


def test_every_photograph_is_judged_alone():
    images = torch.cat([photograph(seed=k) for k in range(4)])
    images[2, :, :3] = 0.7
    images[3, :, :, -8:] = 0.1
    found = borders(images)
    for k in range(4):
        assert torch.equal(found[k : k + 1], borders(images[k : k + 1]))
    assert found.flatten(1).sum(1).tolist() == [0, 0, 3 * 50, 8 * 40]


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (torch.zeros(3, 8, 8), {}),
        (torch.zeros(1, 3, 8, 8).byte(), {}),
        (torch.full((1, 3, 8, 8), float("nan")), {}),
        (torch.zeros(1, 3, 8, 8), {"tolerance": -0.1}),
        (torch.zeros(1, 3, 8, 8), {"least": 0}),
        (torch.zeros(1, 3, 8, 8), {"outliers": 1.0}),
    ],
)
def test_bad_images_and_settings_are_refused(image, options):
    with pytest.raises(ValueError, match="expected"):
        borders(image, **options)
