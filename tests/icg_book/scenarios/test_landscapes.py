"""The landscapes of the theory chapters have the values, and the Integrated Gradients, that the sources print."""

import pytest
import torch

import icg
from icg_book.scenarios.landscapes import LANDSCAPES, trapezoid


def ig(key, point=None, baseline=None, n_steps=4000):
    landscape = LANDSCAPES[key]
    point = point or next(iter(landscape.inputs.values()))
    x = torch.tensor([point], dtype=torch.float64)
    b = torch.tensor([baseline or landscape.baseline], dtype=torch.float64)
    return icg.integrated_gradients(landscape, x, b, n_steps=n_steps, method="riemann_middle")[0].tolist()


def test_trapezoid_has_the_knots_of_figure_2():
    z = torch.tensor([0.0, 0.2, 0.25, 0.3, 0.4, 0.45, 0.5, 0.55, 1.0], dtype=torch.float64)
    expected = torch.tensor([0, 0, 0.5, 1, 1, 1, 0.5, 0, 0], dtype=torch.float64)
    torch.testing.assert_close(trapezoid(z), expected)


@pytest.mark.parametrize(
    ("key", "point", "expected"),
    [
        ("cross", (0.6, 0.42), (1, 0)),
        ("cross", (0.7, 0.9), (-1, 1)),
        ("square", None, (36 / 75, 2.88 - 36 / 75)),
        ("product", None, (6 / 10, 2.4 - 0.6 - 0.0)),
        ("sines", None, (4 / 3, -4 / 3)),
        ("cosine", None, (1, 0)),
        ("additive", (0.6, 0.42), (0, 1)),
    ],
)
def test_integrated_gradients_are_those_of_the_sources(key, point, expected):
    assert ig(key, point) == pytest.approx(expected, abs=2e-3)


def test_the_mean_of_the_cross_is_the_value_that_table_1_needs():
    middles = (torch.arange(2000, dtype=torch.float64) + 0.5) / 2000
    points = torch.cartesian_prod(middles, middles)
    assert LANDSCAPES["cross"](points).mean().item() == pytest.approx(0.434167, abs=2e-6)


def test_points_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"shape \(N, 2\), got \(3,\)"):
        LANDSCAPES["cross"](torch.zeros(3))
