"""The fractions of table 1 agree with the library's numbers."""

from fractions import Fraction

import pytest
import torch

from icg.attribution import integrated_gradients
from icg.shapley import Uniform, bshap, shap_values
from icg_book.attribution_transfer import exact
from icg_book.scenarios.landscapes import LANDSCAPES, trapezoid

CROSS = LANDSCAPES["cross"]


def point(x):
    return torch.tensor([[float(Fraction(z)) for z in x]], dtype=torch.float64)


def near(found, fractions, tolerance=2e-3):
    return torch.allclose(found, torch.tensor([float(f) for f in fractions], dtype=torch.float64), atol=tolerance)


@pytest.mark.parametrize("z", ["0", "0.2", "0.23", "0.3", "0.4", "0.45", "0.5", "0.55", "1"])
def test_the_trapezoid_of_a_fraction_is_the_landscapes_one(z):
    assert float(exact.trapezoid(Fraction(z))) == pytest.approx(trapezoid(torch.tensor(float(z))).item(), abs=1e-6)


def test_mean_outputs_are_those_of_a_fine_grid():
    side = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
    whole, arm = exact.mean_outputs()
    assert float(whole) == pytest.approx(CROSS(torch.cartesian_prod(side, side)).mean().item(), abs=1e-5)
    assert float(arm) == pytest.approx(trapezoid(side).mean().item(), abs=1e-5)


@pytest.mark.parametrize("x", [("0.6", "0.42"), ("0.7", "0.9"), ("0.42", "0.6"), ("0.15", "0.35"), ("0.9", "0.375")])
def test_attributions_are_those_of_the_library(x):
    found, at, origin = exact.attributions(x), point(x), torch.zeros(1, 2, dtype=torch.float64)
    assert near(bshap(CROSS, at, origin)[0], found["BShap"], 1e-9)
    assert near(shap_values(CROSS, at, Uniform(0, 1), n_nodes=600)[0], found["SHAP"])
    assert near(integrated_gradients(CROSS, at, origin, n_steps=5000)[0], found["IG"])
    assert sum(found["IG"]) == sum(found["BShap"])  # both are complete, exactly


def test_integrated_gradients_where_features_share():
    x = ("0.5", "0.475")  # both end on a slope
    assert near(
        integrated_gradients(CROSS, point(x), torch.zeros(1, 2, dtype=torch.float64), n_steps=5000)[0],
        exact.integrated_gradients(x),
    )
    assert exact.integrated_gradients(("0", "0")) == [0, 0]


def test_shap_on_a_slope_is_refused():
    with pytest.raises(ValueError, match="outside of their band or on its plateau"):
        exact.attributions(("0.25", "0.4"))
