"""Explorable "damage", as far as Python goes; tests/browser opens it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from pages import inflate, payload
from torch import nn

import icg
from icg_book.certainty.damage import damage_explorable
from icg_book.scenarios.glyphs import CLASSES, generate


def certain(*layers):
    """A certainty-aware network of these layers."""
    model = nn.Sequential(*layers)
    model.certainty_aware = True
    return model.eval()


def small():
    torch.manual_seed(0)
    front = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    return certain(front, nn.Conv2d(3, 4, 3), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(), nn.Dropout(), nn.Linear(36, 5))


@pytest.fixture(scope="module")
def explorable():
    return damage_explorable()


def test_weights_travel_with_a_unit_for_each_row(explorable):
    networks = payload(explorable)["networks"]
    assert [network["channels"] for network in networks] == [2, 1]
    for network, name in zip(networks, ("glyphs-certainty", "glyphs"), strict=True):
        model = icg.artifacts.load_model(name)
        layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
        packed = [layer for layer in network["layers"] if "weights" in layer]
        for ours, layer in zip(packed, layers, strict=True):
            want = layer.weight.detach().double().flatten(1).numpy()
            weights = inflate(ours["weights"], "<i2").reshape(want.shape) * np.array(ours["units"])[:, None]
            assert (np.abs(weights - want) <= 0.501 * np.abs(want).max(1, keepdims=True) / 32767).all()
            assert ours["bias"] == pytest.approx(layer.bias.tolist(), rel=1e-7)
            assert ours["columns"] == want.shape[1]


def test_pictures_travel_exactly_ten_of_each_class(explorable):
    data = payload(explorable)
    levels = inflate(data["pictures"], np.uint8).reshape(-1, 256)
    assert data["labels"] == sorted(data["labels"]) and np.bincount(data["labels"]).tolist() == [10] * 5
    assert len(np.unique(levels, axis=0)) == len(levels) == 50
    assert data["first"] == 10 and data["classes"] == list(CLASSES)
    own = generate(7, generator=torch.Generator().manual_seed(2))
    data = payload(damage_explorable(small(), compare={}, pictures=own, fallback=explorable.fallback))
    assert data["labels"] == own.labels.tolist() and len(data["networks"]) == 1
    sent = inflate(data["pictures"], np.uint8).reshape(7, 16, 16)
    assert np.array_equal(sent, (own.images[:, 0] * 100).round().numpy())


def test_layers_in_the_order_of_the_network():
    layers = payload(damage_explorable(small(), compare={}))["networks"][0]["layers"]
    assert [layer["kind"] for layer in layers] == ["pad", "conv", "relu", "pool", "conv", "tanh", "pool", "linear"]
    assert (layers[0]["before"], layers[0]["after"]) == (1, 1)
    assert [layer["mean"] for layer in layers if layer["kind"] == "pool"] == [False, True]


def test_small_enough_for_a_page_with_a_picture_and_no_address(explorable):
    text = explorable._repr_html_()
    assert len(text) < 350_000
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert explorable.fallback.startswith(b"\x89PNG") and "one fifth" in explorable.alt


def test_own_static_picture_and_title(explorable):
    other = damage_explorable(small(), compare={}, title="Own", alt="an own picture", fallback=explorable.fallback)
    assert (other.title, other.alt, other.fallback) == ("Own", "an own picture", explorable.fallback)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda x: x, "made of layers, got function"),
        (certain(nn.Conv2d(2, 4, 3, stride=2), nn.Flatten(), nn.Linear(196, 5)), r"stride 1\).* got Conv2d\(2, 4"),
        (certain(nn.Conv2d(2, 4, (3, 5)), nn.Flatten(), nn.Linear(672, 5)), "square"),
        (certain(nn.Conv2d(2, 2, 3, groups=2), nn.Flatten(), nn.Linear(392, 5)), "groups=2"),
        (certain(nn.MaxPool2d(3, 2), nn.Flatten(), nn.Linear(98, 5)), "got MaxPool2d"),
        (certain(nn.Flatten(), nn.Linear(512, 8), nn.GELU(), nn.Linear(8, 5)), "got GELU"),
        (certain(nn.Flatten(), nn.Linear(256, 5)), r"inputs \(N, 2, 16, 16\)"),
        (nn.Sequential(nn.Flatten(), nn.Linear(512, 5)), r"inputs \(N, 1, 16, 16\)"),
        (certain(nn.Flatten(), nn.Linear(512, 2)), r"5 classes, \(1, 5\), got \(1, 2\)"),
    ],
)
def test_other_networks_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        damage_explorable(wrong, compare={})
    with pytest.raises(ValueError, match=message):
        damage_explorable(small(), compare={"other": wrong})


def drawn(n=4):
    return generate(n, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: drawn().images, "got Tensor"),
        (lambda: drawn(1), "at least two pictures .* got 1"),
        (lambda: drawn()[[0, 1, 0]], "no two pictures to be equal"),
        (lambda: replace(drawn(), images=drawn().images * 0.505), "whole hundredths"),
        (lambda: replace(drawn(), images=drawn().images[..., :8]), "16 x 16 pixels"),
    ],
)
def test_other_pictures_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        damage_explorable(small(), compare={}, pictures=wrong())
