"""One table of methods: what each can be told, what it costs, and that its maps are the library's."""

import pytest
import torch
from torch import nn

from icg import baselines
from icg.attribution import (
    expected_gradients,
    integrated_certainty_gradients,
    integrated_gradients,
    shapley_integrated_gradients,
    smoothgrad,
)
from icg.certainty import join
from icg.shapley import bshap
from icg_book.kit import contenders
from icg_book.kit.contenders import BASELINES, KEYS, METHODS, NAMES, OFFERED, find, told


class Counting(nn.Module):
    """Certainty-aware; counts the points at which its gradient is asked for."""

    certainty_aware = True

    def __init__(self):
        super().__init__()
        self.asked = 0

    def forward(self, joined):
        if joined.requires_grad:
            self.asked += len(joined)
        score = torch.tanh(joined[:, 0] * joined[:, -1]).flatten(1).sum(1)
        return torch.stack([-score, score], 1)


@pytest.fixture
def inputs():
    return join(torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0)))


@pytest.fixture
def data():
    return torch.rand(5, 3, 4, 4, generator=torch.Generator().manual_seed(1))


def test_names_keys_and_baselines_are_those_that_readers_know():
    assert NAMES == (
        "Integrated Certainty Gradients",
        "Integrated Gradients",
        "Expected Gradients",
        "Block-wise certainty gradients",
        "SmoothGrad",
        "Gradient",
    )
    assert KEYS == ("icg", "ig", "eg", "blocks", "smoothgrad", "gradient")
    assert BASELINES == ("zero", "middle", "mean", "maximum distance", "blurred", "Gaussian noise")


def test_every_method_that_is_offered_is_found_by_name_and_by_key():
    for method in OFFERED:
        baseline = method.baseline or "zero"
        assert find(method.name, baseline) is method is find(method.key, baseline)
    with pytest.raises(ValueError, match="method to be one of Integrated Certainty.*, got 'LIME'"):
        find("LIME", "zero")
    with pytest.raises(ValueError, match="baseline to be one of zero.*, got 'purple'"):
        find("ig", "purple")
    assert find("eg", "purple") is METHODS["EG"]  # only Integrated Gradients has one


@pytest.mark.parametrize(
    ("key", "baseline", "settings"),
    [
        ("icg", "zero", {"steps": 7, "draws": 5, "noise": 0.2}),
        ("blocks", "zero", {"draws": 7}),
        ("ig", "zero", {"steps": 7}),
        ("ig", "Gaussian noise", {"steps": 7, "draws": 20, "noise": 0.2}),
        ("eg", "zero", {"draws": 7}),
        ("smoothgrad", "zero", {"draws": 7, "noise": 0.2}),
        ("gradient", "zero", {}),
    ],
)
def test_a_number_of_steps_and_the_noise_reach_those_who_can_use_them(key, baseline, settings):
    assert told(find(key, baseline), 7, 0.2) == settings


def test_copies_without_noise_are_not_averaged():
    assert told(find("icg", "zero"), 7, 0.0)["draws"] == 1 and told(find("ig", "Gaussian noise"), 7, 0.0)["draws"] == 20


@pytest.mark.parametrize("method", OFFERED, ids=lambda method: method.title)
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_map_costs_what_is_said(inputs, data, method, noise):
    model, settings = Counting(), told(method, 8, noise)
    maps, gap = contenders.attribute(method, model, inputs, settings, data=lambda: data, check=True, target=1)
    assert model.asked == len(inputs) * contenders.evaluations(method, settings)
    assert contenders.one_map(maps).shape == (2, 1, 4, 4) and (gap is not None) == method.complete


def test_coalitions_cost_as_many_paths_as_draws(inputs):
    model, settings = Counting(), {"steps": 3, "draws": 4}
    maps, gap = contenders.attribute("SIG", model, inputs, settings, check=True, target=1)
    assert model.asked == len(inputs) * contenders.evaluations("SIG", settings) == 2 * 12
    assert maps.shape == (2, 4, 4, 4) and gap is None


def test_the_control_asks_the_model_nothing(inputs):
    options = {"target": 1, "autocast": None}
    draw = [
        contenders.attribute("random", None, inputs, {}, generator=torch.Generator().manual_seed(seed), **options)[0]
        for seed in (0, 0, 1)
    ]
    assert torch.equal(draw[0], draw[1]) and not torch.equal(draw[0], draw[2]) and draw[0].dtype == torch.float64
    assert contenders.evaluations("random", {}) == 0


def test_maps_are_the_librarys(inputs, data):
    def seeded():
        return torch.Generator().manual_seed(3)

    options = {"target": 1, "dtype": torch.float64}
    model = Counting()
    for name, settings, expected in (
        ("ICG", {"steps": 6}, lambda g: integrated_certainty_gradients(model, inputs, n_steps=6, **options)),
        (
            "ICG, noise averaged",
            {"steps": 6, "draws": 2, "noise": 0.1, "rule": "riemann_left"},
            lambda g: integrated_certainty_gradients(
                model, inputs, n_steps=6, n_samples=2, noise_std=0.1, method="riemann_left", generator=g, **options
            ),
        ),
        (
            "mean IG",
            {"steps": 6},
            lambda g: integrated_gradients(model, inputs, data.mean(0)[None], n_steps=6, **options),
        ),
        (
            "AGN",
            {"steps": 3, "draws": 2, "noise": 0.1},
            lambda g: integrated_gradients(
                model, inputs, baselines.gaussian_noise(0.1, n_samples=2), n_steps=3, generator=g, **options
            ),
        ),
        (
            "EG",
            {"draws": 8, "rule": "monte_carlo"},
            lambda g: expected_gradients(model, inputs, data, n_steps=8, method="monte_carlo", generator=g, **options),
        ),
        (
            "SmoothGrad",
            {"draws": 4, "noise": 0.2},
            lambda g: smoothgrad(model, inputs, n_steps=4, noise_std=0.2, generator=g, **options),
        ),
        (
            "SIG",
            {"steps": 3, "draws": 4},
            lambda g: shapley_integrated_gradients(model, inputs, n_steps=3, n_samples=4, generator=g, **options),
        ),
    ):
        found, _ = contenders.attribute(name, model, inputs, settings, data=lambda: data, generator=seeded(), target=1)
        assert torch.equal(found, expected(seeded())), name


def test_a_start_of_ones_own_takes_the_place_of_the_baseline(inputs, data):
    def never():
        raise AssertionError("asked for data")

    found, _ = contenders.attribute("mean IG", Counting(), inputs, {"steps": 4}, data=never, start=0.5, target=1)
    expected = integrated_gradients(Counting(), inputs, 0.5, n_steps=4, target=1, dtype=torch.float64)
    assert torch.equal(found, expected)
    few = join(torch.rand(2, 1, 4, generator=torch.Generator().manual_seed(0)))
    found, gap = contenders.attribute("BShap", Counting(), few, {}, start=0.3, check=True, target=1)
    assert torch.equal(found, bshap(Counting(), few, 0.3, target=1)) and gap is None


def test_an_experiment_has_settings_and_data_of_its_own(inputs, data):
    class Data:
        samples = data
        mean = data.mean(0, keepdim=True)

    methods = {"EG": {"draws": 4}, "mean IG": {"steps": 4}, "gradient": {}}
    for method in methods:
        target = torch.tensor([0, 1])
        maps, gap = contenders.attribution_map(methods, method, Counting(), inputs, target=target, data=Data)
        assert maps.shape == (2, 1, 4, 4) and (gap is not None) == (method == "mean IG")
    assert (
        contenders.attribution_map(methods, "mean IG", Counting(), inputs, target=1, data=Data, check=False)[1] is None
    )
    with pytest.raises(ValueError, match="method to be one of EG, mean IG, gradient, got 'AGN'"):
        contenders.attribution_map(methods, "AGN", Counting(), inputs, target=1, data=Data)
