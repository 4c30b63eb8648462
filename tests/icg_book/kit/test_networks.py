"""The book's own networks: what they can't know, and what they do alike everywhere."""

import pytest
import torch

from icg.certainty import join
from icg_book.kit.networks import BurntSnacksEquivariantNet, BurntSnacksSmallNet


def net(kind=BurntSnacksEquivariantNet):
    torch.manual_seed(0)
    model = kind().eval()
    with torch.no_grad():  # as if it had learnt something
        model.evidence.weight.mul_(20)
    return model


@pytest.mark.parametrize(("kind", "parameters"), [(BurntSnacksEquivariantNet, 36_914), (BurntSnacksSmallNet, 9_658)])
def test_a_network_has_as_many_parameters_as_it_says(kind, parameters):
    assert sum(p.numel() for p in kind().parameters()) == parameters
    assert f"{parameters:,}" in kind.__doc__


@pytest.mark.parametrize("kind", [BurntSnacksEquivariantNet, BurntSnacksSmallNet])
def test_nothing_passes_its_gate_at_certainty_0(kind):
    values, others = torch.rand(2, 4, 1, 50, 50)
    model = net(kind)
    with torch.no_grad():
        torch.testing.assert_close(model(join(values, 0.0)), model(join(others, 0.0)), rtol=0, atol=0)
        assert not torch.allclose(model(join(values)), model(join(others)))


def test_it_says_the_same_of_an_object_wherever_it_is():
    values = torch.zeros(3, 1, 50, 50)
    for k, (y, x) in enumerate([(14, 15), (25, 28), (30, 17)]):  # what sees them sees no edge
        values[k, 0, y : y + 6, x : x + 7] = 0.4
    with torch.no_grad():
        logits = net()(join(values)).double()
    torch.testing.assert_close(logits, logits[:1].expand(3, 2), rtol=1e-4, atol=1e-4)
    assert (logits[:, 0] == 0).all()


def test_the_small_network_says_the_same_two_pixels_further():
    values = torch.zeros(2, 1, 50, 50)
    for k, (y, x) in enumerate([(16, 15), (22, 27)]):
        values[k, 0, y : y + 6, x : x + 7] = 0.4
    with torch.no_grad():
        logits = net(BurntSnacksSmallNet)(join(values)).double()
    torch.testing.assert_close(logits[0], logits[1], rtol=1e-4, atol=1e-4)


def test_evidence_adds_up():
    """Two objects far apart leave "there is none" the product of the probabilities that each leaves it."""
    model = net()
    torch.nn.init.zeros_(model.whole[2].weight)
    values = torch.zeros(4, 1, 50, 50)
    values[1, 0, 8:14, 8:14] = values[3, 0, 8:14, 8:14] = 0.4
    values[2, 0, 30:39, 30:39] = values[3, 0, 30:39, 30:39] = 0.3
    with torch.no_grad():
        none = torch.log(1 - model(join(values)).double().softmax(1)[:, 1])
    nothing, first, second, both = none
    torch.testing.assert_close(both - nothing, first + second - 2 * nothing, rtol=1e-3, atol=1e-3)
