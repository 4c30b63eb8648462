"""From a layer on, a model is a model of the layer's activations."""

import threading

import pytest
import torch
from torch import nn

import icg
from icg import baselines, modes, shapley
from icg.layers import FromLayer, from_layer


class Reader(nn.Module):
    """Three logits of words (N, 4) and a scale for each row."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.embedding, self.first, self.middle = (
                nn.Embedding(9, 5),
                nn.Linear(20, 6),
                nn.LSTM(6, 6, batch_first=True),
            )
            self.act, self.head = nn.ReLU(inplace=True), nn.Linear(6, 3)

    def forward(self, words, scale=1.0):
        hidden = self.act(self.first(self.embedding(words).flatten(1)))
        return self.head(self.middle(hidden[:, None])[0][:, 0]) * scale


WORDS = torch.tensor([[3, 1, 4, 1], [5, 2, 6, 0], [8, 7, 6, 5]])
METHODS = {
    "gradient": (icg.gradient, {}),
    "ig": (icg.integrated_gradients, {"n_steps": 8}),
    "eg": (icg.expected_gradients, {"n_steps": 4, "baselines": torch.zeros(2, 4, 5)}),
    "bshap": (icg.bshap, {"groups": torch.arange(4)[:, None]}),
}


@pytest.mark.parametrize("name", METHODS)
def test_at_the_embedding_it_is_the_rest_of_the_network(name):
    net, (method, options) = Reader(), METHODS[name]
    head, activations = from_layer(net, net.embedding, WORDS)

    def rest(embedded):
        return net.head(net.middle(net.act(net.first(embedded.flatten(1)))[:, None])[0][:, 0])

    assert torch.equal(activations, net.embedding(WORDS)) and not activations.requires_grad
    got = method(head, activations, additional_forward_args=WORDS, **options)
    expected = method(rest, activations, **options)
    assert expected.abs().max() > 1e-4
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-7)


def test_baselines_are_activations_of_other_inputs_and_rows_stay_together():
    net, scale = Reader(), torch.tensor([[1.0], [2.0], [-3.0]])
    head, activations = from_layer(net, net.embedding, (WORDS, scale))
    start = head.activations((torch.zeros_like(WORDS), scale))
    options = {"output": "logit", "target": 1, "n_steps": 300, "additional_forward_args": (WORDS, scale)}
    got, delta = icg.integrated_gradients(head, activations, start, return_convergence_delta=True, **options)
    change = net(WORDS, scale)[:, 1] - net(torch.zeros_like(WORDS), scale)[:, 1]
    torch.testing.assert_close(got.flatten(1).sum(1), change, rtol=0, atol=1e-3)
    assert delta.abs().max() < 1e-3


@pytest.mark.parametrize("of", ["output", "input"])
@pytest.mark.parametrize("layer", ["first", "act", "middle"])
def test_every_layer_and_its_input(layer, of):
    """In-place layers and those of nested tuples included. Replacing what is there by itself changes nothing."""
    net = Reader()
    head, activations = from_layer(net, getattr(net, layer), WORDS, of=of)
    kept = activations.clone()
    torch.testing.assert_close(head(activations.clone(), WORDS), net(WORDS))
    got = icg.integrated_gradients(head, activations, additional_forward_args=WORDS, output="logit", target=0)
    assert got.shape == activations.shape and got.abs().max() > 0 and torch.equal(activations, kept)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules()) and not modes._HELD


def test_several_layers_and_layers_of_several_tensors():
    class Pair(nn.Module):
        def forward(self, x):
            return x * 2, 7, x * 3

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.pair, self.other = Pair(), nn.Identity()

        def forward(self, x):
            twice, seven, thrice = self.pair(x)
            assert seven == 7
            return (twice * thrice + self.other(x)).sum(1)

    net, x = Net(), torch.tensor([[1.0, 2.0]])
    head, activations = from_layer(net, net.pair, x)
    got = icg.gradient(head, activations, additional_forward_args=x)
    assert [each.tolist() for each in got] == [[[3, 6]], [[2, 4]]]
    head, activations = from_layer(net, [net.other, net.pair], x)
    got = icg.gradient(head, activations, additional_forward_args=x)
    one, two = head.by_layer(got)
    assert one.tolist() == [[1, 1]] and [each.tolist() for each in two] == [[[3, 6]], [[2, 4]]]
    game = shapley.baseline_game(head, activations, baselines.zero(), additional_forward_args=x)
    torch.testing.assert_close(sum(each.sum() for each in game.maps()), net(x).sum())


def test_hooks_are_removed_even_on_errors_and_other_threads_see_none():
    net = Reader()
    head, activations = from_layer(net, net.embedding, WORDS)
    with pytest.raises(RuntimeError):
        head(torch.zeros(3, 4, 7), WORDS)
    assert not net.embedding._forward_hooks
    plain, found = net(WORDS), []

    def ask():
        found.extend(torch.equal(net(WORDS), plain) for _ in range(200))

    thread = threading.Thread(target=ask)
    thread.start()
    for _ in range(200):
        head(torch.zeros_like(activations), WORDS)
    thread.join()
    assert len(found) == 200 and all(found)


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.unused, self.named = nn.Linear(3, 3), nn.Linear(3, 3), nn.Identity()

    def forward(self, x):
        return self.layer(self.layer(self.named({"x": x})["x"])).sum(1)


@pytest.mark.parametrize(
    ("layer", "options", "expected"),
    [
        ("layer", {}, r"each layer to run once in a pass of the model, in its thread, got \[2\] runs"),
        ("unused", {}, r"got \[0\] runs"),
        ("named", {}, "the layer's output to be floating tensors, got dict"),
        ("layer", {"of": "gradient"}, "expected of to be one of output, input, got 'gradient'"),
    ],
)
def test_refused(layer, options, expected):
    net = Twice()
    with pytest.raises(ValueError, match=expected):
        from_layer(net, getattr(net, layer), torch.rand(2, 3), **options)
    assert not any(m._forward_hooks for m in net.modules()) and not modes._HELD


def test_what_is_no_layer():
    for wrong in (Twice().forward, None, []):
        with pytest.raises(ValueError, match="layer to be a module of the model, or several, got"):
            FromLayer(Twice(), wrong)
    with pytest.raises(ValueError, match="whole numbers have no gradient.*icg.layers.from_layer"):
        icg.gradient(Reader(), WORDS)
