"""The networks: the paper's size, shape and initialisation."""

import pytest
import torch
from torch import nn

from icg.models import ARCHITECTURES, BurntSnacksNet


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return BurntSnacksNet().eval()


def test_the_network_has_the_papers_number_of_parameters(net):
    assert sum(p.numel() for p in net.parameters()) == 343_538


def test_one_logit_for_each_class(net):
    logits = net(torch.rand(3, 2, 50, 50))
    assert logits.shape == (3, 2)
    assert not torch.allclose(logits.sum(1), torch.ones(3), atol=1e-3)  # logits, not probabilities


def test_layers_have_the_papers_order_and_dropout(net):
    names = [type(layer).__name__ for layer in net if not isinstance(layer, nn.ReLU)]
    first = "Conv2d Conv2d MaxPool2d Dropout Conv2d ZeroPad2d MaxPool2d Conv2d MaxPool2d Dropout"
    assert " ".join(names) == f"{first} Flatten Linear Dropout Linear Dropout Linear"
    assert [layer.p for layer in net if isinstance(layer, nn.Dropout)] == [0.2, 0.1, 0.1, 0.2]
    assert isinstance(net[1], nn.ReLU) and not isinstance(net[-1], nn.ReLU)


def test_padding_is_at_the_bottom_and_on_the_right(net):
    pad = next(layer for layer in net if isinstance(layer, nn.ZeroPad2d))
    padded = pad(torch.ones(1, 1, 21, 21))[0, 0]
    assert padded.shape == (22, 22) and (padded[21] == 0).all() and (padded[:, 21] == 0).all()
    assert padded[:21, :21].all()


def test_initial_weights_are_glorot_uniform_and_biases_zero(net):
    for layer in net:
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            assert (layer.bias == 0).all()
            window = layer.weight[0, 0].numel() if layer.weight.ndim == 4 else 1
            bound = (6 / (window * (layer.weight.shape[0] + layer.weight.shape[1]))) ** 0.5
            assert layer.weight.abs().max() <= bound
            assert layer.weight.std().item() == pytest.approx(bound / 3**0.5, rel=6 / layer.weight.numel() ** 0.5)


@pytest.mark.parametrize("shape", [(1, 1, 50, 50), (1, 3, 50, 50), (1, 2, 28, 28), (2, 50, 50), (1, 2, 2500)])
def test_an_input_of_another_shape_is_refused(net, shape):
    with pytest.raises(ValueError) as error:
        net(torch.zeros(shape))
    assert "(N, 2, 50, 50)" in str(error.value) and str(shape) in str(error.value)


def test_it_says_that_it_takes_a_certainty(net):
    assert net.certainty_aware and net.input_shape == (2, 50, 50)
    assert ARCHITECTURES["BurntSnacksNet"] is BurntSnacksNet
