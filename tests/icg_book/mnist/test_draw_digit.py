"""Explorable "draw a digit", as far as Python goes; tests/browser opens it."""

import numpy as np
import pytest
import torch
from pages import inflate, payload
from torch import nn

from icg.artifacts import architecture, load_model
from icg.attribution import integrated_certainty_gradients, integrated_gradients
from icg.certainty import join
from icg.models import MnistPlainNet
from icg_book.kit.networks import MnistSmallNet
from icg_book.kit.page.explorable import Explorable, script_beside
from icg_book.kit.page.networks import as_in_page, pack_network
from icg_book.mnist import drawing_pad
from icg_book.mnist.draw_digit import draw_digit
from icg_book.scenarios import drawn_digits, mnist


def certain(*layers):
    """A certainty-aware network of these layers."""
    model = nn.Sequential(*layers)
    model.certainty_aware = True
    return model.eval()


@pytest.fixture(scope="module")
def model():
    return load_model("mnist-small")


@pytest.fixture(scope="module")
def explorable():
    return draw_digit()


# ---- the network


def test_the_small_network_is_small_smooth_and_certainty_aware():
    torch.manual_seed(0)
    net = MnistSmallNet().eval()
    kinds = " ".join(type(layer).__name__ for layer in net)
    assert kinds == "Conv2d SiLU AvgPool2d Conv2d SiLU Conv2d SiLU AvgPool2d Flatten Linear SiLU Linear"
    assert sum(p.numel() for p in net.parameters()) == 27_406 and architecture("MnistSmallNet") is MnistSmallNet
    assert net(torch.rand(3, 2, 28, 28)).shape == (3, 10) and net.certainty_aware and net.input_shape == (2, 28, 28)
    for layer in net:
        if hasattr(layer, "bias"):
            assert (layer.bias == 0).all()
    with pytest.raises(ValueError, match=r"\(N, 2, 28, 28\).*got \(1, 1, 28, 28\)"):
        net(torch.zeros(1, 1, 28, 28))


def test_its_card_holds_it_to_the_target():
    from icg.artifacts import load_card
    from icg_book.cli import TRAINED

    card = load_card("mnist-small")
    assert card["metrics"]["accuracy"]["all"] >= 0.985 and card["metrics"]["accuracy"]["images"] == 10_000
    assert card["architecture"] == TRAINED["mnist-small"][1] and card["seed"] == 0
    assert mnist.TRAININGS["mnist-small"].stages == mnist.TRAININGS["mnist"].stages


def test_weights_travel_in_few_bytes_and_move_no_answer(explorable, model):
    network = payload(explorable)["network"]
    assert network == pack_network(model, 28, 10)
    assert sum(len(layer.get("weights", "")) for layer in network["layers"]) < 80_000
    kinds = [layer["kind"] for layer in network["layers"]]
    assert kinds == "conv silu pool conv silu conv silu pool linear silu linear".split()
    rounded = as_in_page(model)
    for ours, layer in zip([k for k in network["layers"] if "weights" in k], _weighty(rounded), strict=True):
        whole = inflate(ours["weights"], "<i2")
        weights = whole.reshape(-1, ours["columns"]) * np.array(ours["units"])[:, None]
        np.testing.assert_allclose(weights, layer.weight.detach().flatten(1).numpy(), rtol=1e-6, atol=1e-9)
    inputs = join(drawn_digits.load().images)
    with torch.no_grad():
        assert 0 < (rounded(inputs) - model(inputs)).abs().max() < 5e-3
        assert (rounded(inputs).softmax(1) - model(inputs).softmax(1)).abs().max() < 1e-4


def _weighty(model):
    return [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]


# ---- what goes to the page


def test_the_books_drawings_travel_as_codes(explorable):
    data = payload(explorable)
    digits = drawn_digits.load()
    assert [d["label"] for d in data["drawings"]] == digits.labels.tolist()
    for drawing, image in zip(data["drawings"], digits.images, strict=True):
        assert torch.equal(drawn_digits.from_code(drawing["code"]), image)
    assert data["drawings"][data["first"]]["label"] == 5
    constants = {name: data[name] for name in ("radius", "edge", "box", "largest", "centre", "letters")}
    assert constants == {name: getattr(drawn_digits, name.upper()) for name in constants}
    assert data["perUnit"] * drawn_digits.UNIT == 1 and data["size"] == 28


def test_small_enough_for_a_page_with_a_picture_and_no_address(explorable):
    text = explorable._repr_html_()
    assert len(text) < 260_000
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert text.count("function openNetwork(") == 1
    assert explorable.fallback.startswith(b"\x89PNG")


def test_the_static_pictures_description_is_true(explorable, model):
    assert "the gap in the 5" in explorable.alt and "open top of the 4" in explorable.alt
    digits = drawn_digits.load()[[2, 4, 5, 7, 9]]
    inputs = join(digits.images)
    certainty = integrated_certainty_gradients(model, inputs, target=digits.labels)[:, 0]
    zero = integrated_gradients(model, inputs, target=digits.labels, method="adaptive")[:, 0]
    empty = digits.images[:, 0] == 0
    assert (zero[empty] == 0).all()
    for k in range(5):
        assert 0.2 < certainty[k][empty[k]].abs().sum() / certainty[k].abs().sum() < 0.7
        assert certainty[k][digits.images[k, 0] > 0.5].sum() > 0.3  # the strokes count for the digit
    four, five = certainty[1], certainty[2]
    gap = empty[2] & (torch.arange(28)[:, None] > 14) & (torch.arange(28)[:, None] < 20) & (torch.arange(28) < 12)
    assert five[gap].sum() > 0.05 and five[gap].sum() > 3 * five[gap].clamp(max=0).abs().sum()
    top = empty[1] & (torch.arange(28)[:, None] < 11) & (torch.arange(28) > 10) & (torch.arange(28) < 16)
    assert four[top].sum() > 0.05


def test_the_script_of_networks_comes_only_where_it_is_used(explorable):
    other = Explorable(script_beside(drawing_pad.__file__), {}, "Title", "alt")
    assert "openNetwork" not in other._repr_html_() and "function mount(" in other._repr_html_()


def test_own_network_title_and_picture(explorable):
    torch.manual_seed(0)
    own = certain(nn.Conv2d(2, 3, 5), nn.SiLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(432, 10))
    other = draw_digit(own, title="Own", alt="an own picture", fallback=explorable.fallback)
    assert (other.title, other.alt, other.fallback) == ("Own", "an own picture", explorable.fallback)
    assert [layer["kind"] for layer in payload(other)["network"]["layers"]] == ["conv", "silu", "pool", "linear"]
    assert draw_digit(own).fallback != explorable.fallback


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda x: x, "made of layers, got function"),
        (MnistPlainNet().eval(), "certainty-aware"),
        (certain(nn.Conv2d(2, 4, 3, stride=2), nn.Flatten(), nn.Linear(676, 10)), r"stride 1\).* got Conv2d\(2, 4"),
        (certain(nn.Flatten(), nn.Linear(1568, 8), nn.GELU(), nn.Linear(8, 10)), "SiLU, .* got GELU"),
        (certain(nn.Flatten(), nn.Linear(512, 10)), r"inputs \(N, 2, 28, 28\)"),
        (certain(nn.Flatten(), nn.Linear(1568, 5)), r"10 classes, \(1, 10\), got \(1, 5\)"),
    ],
)
def test_other_networks_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        draw_digit(wrong)
