"""Explorable "pick the baseline from the picture", as far as Python goes; tests/browser opens it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from pages import inflate, payload
from torch import nn

import icg
from icg_book.baselines.pick_baseline import pick_baseline
from icg_book.kit.page.networks import as_in_page, pack_network
from icg_book.scenarios.glyphs import EXAMPLES, Glyphs, examples, generate


@pytest.fixture(scope="module")
def model():
    return icg.artifacts.load_model("glyphs")


@pytest.fixture(scope="module")
def explorable(model):
    return pick_baseline(model, examples())


def test_weights_in_the_page_are_those_of_as_in_page(model, explorable):
    layers = payload(explorable)["network"]["layers"]
    assert [layer["kind"] for layer in layers] == ["linear", "tanh", "linear", "tanh", "linear"]
    assert payload(explorable)["network"] == pack_network(model, 16, 5)
    linear = [layer for layer in as_in_page(model) if isinstance(layer, nn.Linear)]
    for packed, layer in zip(layers[::2], linear, strict=True):
        weights = inflate(packed["weights"], "<i2").reshape(layer.weight.shape) * np.array(packed["units"])[:, None]
        assert np.abs(weights - layer.weight.detach().double().numpy()).max() < 3e-7  # float32
        assert packed["bias"] == pytest.approx(layer.bias.tolist(), rel=1e-7)
        assert packed["columns"] == layer.in_features


def test_rounding_the_weights_changes_no_answer(model):
    rounded, data = as_in_page(model), generate(2000, generator=torch.Generator().manual_seed(6))
    before, after = model(data.images).softmax(1), rounded(data.images).softmax(1)
    assert 0 < (before - after).abs().max() < 3e-3
    assert as_in_page(model) is not model and not torch.equal(model[1].weight, rounded[1].weight)


def test_pictures_travel_exactly(explorable):
    shown = examples()
    cases = payload(explorable)["cases"]
    assert len(cases) == len(EXAMPLES)
    for k, case in enumerate(cases):
        levels = inflate(case["levels"], np.uint8).reshape(16, 16)
        assert np.array_equal(levels, (shown.images[k, 0] * 100).round())
        assert np.array_equal(levels == case["ink"], shown.ink[k, 0])
        assert case["name"] == f"{EXAMPLES[k][0]}: {EXAMPLES[k][1]:.2f} on {EXAMPLES[k][2]:.2f}"
        assert case["label"] == shown.labels[k] and case["ground"] == round(100 * EXAMPLES[k][2])


def test_small_enough_for_a_page_with_a_picture_and_no_address(explorable):
    data, text = payload(explorable), explorable._repr_html_()
    assert sum(len(layer["weights"]) for layer in data["network"]["layers"][::2]) < 60_000
    assert len(text) < 200_000
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert explorable.fallback.startswith(b"\x89PNG") and "no credit at all" in explorable.alt
    assert data["classes"] == ["nothing", "plus", "cross", "ring", "bar"] and data["steps"] == 64


def test_own_static_picture_and_title(model, explorable):
    other = pick_baseline(model, examples()[:2], title="Two", alt="two pictures", fallback=explorable.fallback)
    assert other.fallback == explorable.fallback and len(payload(other)["cases"]) == 2


def network(*layers):
    return nn.Sequential(nn.Flatten(), *layers)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda x: x, "made of layers, got function"),
        (nn.Sequential(), r"inputs \(N, 1, 16, 16\)"),
        (network(nn.Linear(256, 8), nn.GELU(), nn.Linear(8, 5)), "got GELU"),
        (network(nn.Linear(256, 8), nn.Tanh()), r"5 classes, \(1, 5\), got \(1, 8\)"),
        (network(nn.Linear(256, 8), nn.Tanh(), nn.Linear(8, 2)), r"got \(1, 2\)"),
        (network(nn.Linear(64, 5)), r"inputs \(N, 1, 16, 16\)"),
        (icg.artifacts.load_model("glyphs-certainty"), "values alone, got a certainty-aware one"),
    ],
)
def test_other_models_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        pick_baseline(wrong, examples())


def noisy():
    return generate(2, label=1, generator=torch.Generator().manual_seed(0))


def between():
    shown = examples()
    return replace(shown, images=shown.images * 0.505)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: examples().images, "got Tensor"),
        (lambda: examples()[:0], "at least one, got Glyphs"),
        (lambda: generate(1, label=0, noise=0.0), "picture 0 to be a glyph .* class 'nothing' with 0 and 1 greys"),
        (noisy, "noise=0"),
        (between, "whole hundredths"),
        (lambda: Glyphs(*(t[[1, 0]] for t in vars(noisy()).values())), "picture 0"),
    ],
)
def test_other_pictures_are_refused(model, wrong, message):
    with pytest.raises(ValueError, match=message):
        pick_baseline(model, wrong())


def test_a_model_of_one_layer_is_enough():
    torch.manual_seed(0)
    explorable = pick_baseline(network(nn.Linear(256, 5)), examples()[:1])
    assert len(payload(explorable)["network"]["layers"]) == 1
