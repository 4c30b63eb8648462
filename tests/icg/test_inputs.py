"""Several inputs are the same function of one: attributions of a tuple are those of its parts side by side."""

import pickle

import pytest
import torch
from torch import nn

import icg
from icg import baselines, modes, shapley
from icg.deletion import deletion_curves, insertion_curves, ranking


def rand(*shape, seed=0, **options):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), **options)


class Two(nn.Module):
    """Three logits of an image (N, 2, 3), a vector (N, 4) in float64 and a number (N,)."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.image, self.vector, self.head = nn.Linear(6, 5), nn.Linear(4, 5).double(), nn.Linear(5, 3)

    def forward(self, image, vector, number, shift=0.0):
        assert image.dtype == number.dtype == torch.float32 and vector.dtype == torch.float64
        assert image.shape[1:] == (2, 3) and vector.shape[1:] == (4,) and number.ndim == 1
        hidden = torch.tanh(self.image(image.flatten(1)) + self.vector(vector).float() * number[:, None])
        return self.head(hidden) + shift


def parts(n=3, seed=0):
    return rand(n, 2, 3, seed=seed), rand(n, 4, seed=seed + 1, dtype=torch.float64), rand(n, seed=seed + 2)


def flat(tensors):
    return torch.cat([each.double().flatten(1) if each.ndim > 1 else each.double()[:, None] for each in tensors], 1)


def by_hand(net):
    """The same network of one float64 tensor (N, 11)."""
    return lambda z: net(z[:, :6].float().view(-1, 2, 3), z[:, 6:10], z[:, 10].float())


DATA = parts(5, seed=7)
METHODS = {
    "gradient": (icg.gradient, {}),
    "smoothgrad": (icg.smoothgrad, {"n_steps": 4}),
    "ig": (icg.integrated_gradients, {"n_steps": 6}),
    "ig, adaptive": (icg.integrated_gradients, {"n_steps": 8, "method": "adaptive"}),
    "sig": (icg.shapley_integrated_gradients, {"n_samples": 3, "n_steps": 3}),
    "eg": (icg.expected_gradients, {"baselines": DATA, "n_steps": 4}),
    "eg, random": (icg.expected_gradients, {"baselines": DATA, "n_steps": 4, "method": "monte_carlo"}),
    "bshap": (icg.bshap, {}),
    "shap": (icg.shap_values, {"distribution": DATA}),
    "uniform": (icg.shap_values, {"distribution": shapley.Uniform(), "n_samples": 8}),
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("target", [None, 1, "all"])
def test_a_tuple_is_the_same_function_of_its_parts_side_by_side(name, target):
    net, inputs, (method, options) = Two(), parts(), METHODS[name]
    got = method(net, inputs, target=target, **options)
    side_by_side = {key: flat(value) if isinstance(value, tuple) else value for key, value in options.items()}
    expected = method(by_hand(net), flat(inputs), target=target, **side_by_side)
    lead = (3, 3) if target == "all" else (3,)
    assert [tuple(each.shape) for each in got] == [(*lead, 2, 3), (*lead, 4), lead]
    assert [each.dtype for each in got] == [torch.float32, torch.float64, torch.float32]
    together = torch.cat([each.double().reshape(*lead, -1) for each in got], -1)
    torch.testing.assert_close(together, expected, rtol=0, atol=1e-6)
    assert expected.abs().max() > 1e-3 and not modes._HELD


def test_the_network_behind_is_found_and_left_as_it_was():
    class Batchy(Two):
        def forward(self, *inputs):
            assert not self.training and not any(p.requires_grad for p in self.parameters())
            return super().forward(*inputs)

    net = Batchy().train()
    icg.integrated_gradients(net, parts(), n_steps=2)
    assert net.training and all(p.requires_grad for p in net.parameters())


def test_delta_dtype_and_what_the_model_takes_besides():
    inputs = parts()
    got, delta = icg.integrated_gradients(
        lambda a, b, c, w: a.sum((1, 2)) * w + b.sum(1) * c,
        inputs,
        additional_forward_args=torch.tensor([1.0, 2.0, 3.0]),
        return_convergence_delta=True,
        dtype=torch.float64,
        n_steps=8,
    )
    assert all(each.dtype == torch.float64 for each in got) and delta.abs().max() < 1e-6
    torch.testing.assert_close(got[0], (inputs[0] * torch.tensor([1.0, 2.0, 3.0])[:, None, None]).double())


def test_a_tuple_of_one_gives_a_tuple_of_one():
    x = rand(2, 3)
    (got,) = icg.gradient(lambda x: (x**2).sum(1), (x,))
    torch.testing.assert_close(got, 2 * x)


def test_models_that_write_into_their_inputs_do_no_harm():
    def writes(a, b):
        a.mul_(2)
        b[:, 0] = 0
        return (a * b).sum(1)

    a, b = rand(2, 3), rand(2, 3, seed=1)
    before = a.clone(), b.clone()
    got = icg.integrated_gradients(writes, (a, b), n_steps=4)
    assert torch.equal(a, before[0]) and torch.equal(b, before[1])
    expected = a * b * (torch.arange(3) > 0)
    torch.testing.assert_close(got, (expected, expected))


# ---- Baselines


BASELINES = {
    "none": (None, lambda a, b: (0 * a, 0 * b)),
    "a number": (0.25, lambda a, b: (0 * a + 0.25, 0 * b + 0.25)),
    "a number for each": ((0.25, 1), lambda a, b: (0 * a + 0.25, 0 * b + 1)),
    "a tensor and none": ((rand(1, 2, 3, seed=5), None), lambda a, b: (rand(1, 2, 3, seed=5), 0 * b)),
    "one for each input": (
        (rand(3, 2, 3, seed=5), rand(3, seed=6)),
        lambda a, b: (rand(3, 2, 3, seed=5), rand(3, seed=6)),
    ),
    "a shape of its own": (baselines.middle(0, 3), lambda a, b: (0 * a + 1.5, 0 * b + 1.5)),
    "a blurred one": ((baselines.blurred(1.0), 0), lambda a, b: (baselines.blurred(1.0).starts(a)[0], 0 * b)),
}


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_of_a_linear_model(name):
    given, wanted = BASELINES[name]
    a, b = rand(3, 2, 3), rand(3, seed=1)
    starts = wanted(a, b)
    for method in (icg.integrated_gradients, icg.bshap):
        got = method(lambda a, b: 2 * a.sum((1, 2)) + 3 * b, (a, b), given)
        torch.testing.assert_close(got, (2 * (a - starts[0]), 3 * (b - starts[1])), rtol=0, atol=1e-5)


def test_draws_of_a_baseline_belong_together():
    a, b = rand(2, 3), rand(2, seed=1)
    noisy = (baselines.gaussian_noise(0.1, n_samples=200), baselines.gaussian_noise(0.1, n_samples=200))
    for given in (noisy, noisy[0]):
        got = icg.integrated_gradients(lambda a, b: a.sum(1) + b, (a, b), given, n_steps=1)
        assert got[0].shape == a.shape and got[1].shape == b.shape and got[0].abs().max() < 0.05
    with pytest.raises(ValueError, match=r"as many draws for all inputs, got \[200, 3\]"):
        icg.integrated_gradients(lambda a, b: b, (a, b), (noisy[0], baselines.gaussian_noise(n_samples=3)))


# ---- One dimension, whole numbers and bools


def test_numbers_alone():
    x = torch.tensor([1.0, -2.0, 3.0])
    torch.testing.assert_close(icg.gradient(lambda x: x**2, x), 2 * x)
    got, delta = icg.integrated_gradients(lambda x: x**2, x, 1.0, return_convergence_delta=True)
    torch.testing.assert_close(got, x**2 - 1)
    assert delta.shape == (3,)
    torch.testing.assert_close(icg.integrated_gradients(lambda x: x**2, x, torch.tensor([1.0])), x**2 - 1)
    torch.testing.assert_close(icg.integrated_gradients(lambda x: x**2, x, x / 2), x**2 * 0.75)
    torch.testing.assert_close(icg.expected_gradients(lambda x: 3 * x, x, torch.zeros(4), n_steps=4), 3 * x)
    torch.testing.assert_close(icg.bshap(lambda x: x**2, x), x**2)
    logits = icg.gradient(lambda x: torch.stack([x, -x], 1), x, target="all", output="logit")
    assert logits.tolist() == [[1, -1]] * 3


WORDS = torch.tensor([[3, 1, 4], [1, 5, 2]])


def sentence(words):
    assert words.dtype == torch.int64
    table = torch.arange(6.0) ** 2
    return table[words].sum(1) + words[:, 0] * words[:, 1]


def test_whole_numbers_where_no_gradient_is_needed():
    """Of x^2 and y^2 the players get their own; of the product xy half each, from a baseline of 0."""
    half = (WORDS[:, :1] * WORDS[:, 1:2] / 2).expand(-1, 2)
    expected = WORDS.float() ** 2 + torch.cat([half, torch.zeros(2, 1)], 1)
    for got in (icg.bshap(sentence, WORDS), icg.bshap(sentence, WORDS, torch.zeros(1, 3).long())):
        torch.testing.assert_close(got, expected)
        assert got.dtype == torch.get_default_dtype()
    (mean,) = icg.shap_values(lambda x: x.sum(1).float(), (WORDS,), (torch.tensor([[0, 0, 0], [2, 0, 4]]),))
    torch.testing.assert_close(mean, WORDS - torch.tensor([1.0, 0.0, 2.0]))


def test_whole_numbers_beyond_float32():
    large = torch.tensor([[2**40 + 1, 3]])
    seen = []
    icg.bshap(lambda x: (seen.append(x.clone()), x[:, 0] * 0.0 + x[:, 1])[1], large)
    assert {int(row[0]) for rows in seen for row in rows} >= {2**40 + 1, 0}


def test_bools_and_mixed_tuples():
    x = torch.tensor([[True, False, True]])

    def votes(x):
        assert x.dtype == torch.bool
        return (x * torch.tensor([1.0, 2.0, 4.0])).sum(1)

    assert icg.bshap(votes, x).tolist() == [[1, 0, 4]]
    assert icg.bshap(votes, x, True).tolist() == [[0, -2, 0]]
    got = icg.bshap(lambda a, b: a.sum(1) + votes(b), (rand(1, 2), x))
    assert got[0].dtype == torch.float32 and got[1].tolist() == [[1, 0, 4]]


def test_deletion_of_whole_numbers():
    x = torch.tensor([[[3, 1, 4]]])
    rank = ranking(x.float())
    assert deletion_curves(lambda x: x.flatten(1).sum(1).float(), x, 0 * x, rank, shares=4).output.tolist() == [
        [8, 4, 1, 0]
    ]
    assert insertion_curves(lambda x: x.flatten(1).sum(1).float(), x, 0 * x, rank, shares=2).output.tolist() == [[0, 8]]


# ---- Groups


def test_groups_shared_across_inputs():
    a, b = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0]])
    model = lambda a, b: a[:, 0] * b[:, 0] + a[:, 1]  # noqa: E731
    groups = torch.tensor([7, 2]), torch.tensor([7])
    game = shapley.baseline_game(model, (a, b), groups=groups)
    assert game.n == 2  # number 2, then number 7
    assert game.shapley()[:, 0, 0].tolist() == [2, 3]
    assert [each.tolist() for each in game.maps()] == [[[1.5, 2]], [[1.5]]]
    assert [each.tolist() for each in game.spread(game.shapley(), equally=False)] == [[[3, 2]], [[3]]]
    assert game(torch.tensor([[True, False], [False, True]])).tolist() == [2, 3]
    sig = icg.shapley_integrated_gradients(model, (a, b), groups=groups, n_samples=4)
    assert [tuple(each.shape) for each in sig] == [(1, 2), (1, 1)]
    assert pickle.loads(pickle.dumps(shapley.baseline_game(Two(), parts()))).n == 11


# ---- Refused


AWARE = type("Aware", (), {"certainty_aware": True, "__call__": lambda self, *z: z[0].flatten(1).sum(1)})()
X = rand(2, 1, 3)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: icg.gradient(AWARE, (X, X)), "one floating tensor of values and their certainty, got 2 inputs"),
        (lambda: icg.integrated_certainty_gradients(AWARE, (X, X)), "values and their certainty, got 2 inputs"),
        (lambda: icg.gradient(AWARE, X.long()), "floating tensor, got torch.int64"),
        (lambda: icg.bshap(AWARE, X.long()), r"their certainty, got \(2, 1, 3\) of torch.int64"),
        (lambda: icg.gradient(sum, ()), r"at least one tensor as inputs, got \(\)"),
        (lambda: icg.gradient(sum, [X, X]), "inputs to be a non-empty floating tensor .*, got list"),
        (lambda: icg.gradient(sum, (X, 3)), r"inputs\[1\] to be a non-empty floating tensor .*, got int"),
        (lambda: icg.gradient(sum, (X, X[:1])), r"same number of rows, on one device, got \(2, 1, 3\).*, \(1, 1, 3\)"),
        (lambda: icg.gradient(sum, (X, X / 0)), r"finite inputs\[1\]"),
        (lambda: icg.gradient(sum, WORDS), "floating tensor, got torch.int64: whole numbers have no gradient. Pass"),
        (lambda: icg.smoothgrad(sum, (X, X > 0)), r"inputs\[1\] to be a floating tensor, got torch.bool: whole"),
        (lambda: icg.bshap(sum, X.to(torch.complex64)), "non-empty real tensor"),
        (lambda: icg.integrated_gradients(sum, (X, X), X), r"baselines to be a tuple, as the inputs, got a tensor"),
        (lambda: icg.integrated_gradients(sum, (X, X), (X,)), "baselines to be a tuple of 2, as the inputs, got 1"),
        (lambda: icg.integrated_gradients(sum, X, (X,)), "baselines to be None, a number, a tensor .* got tuple"),
        (lambda: icg.expected_gradients(sum, (X, X), (X, X[:1])), r"baselines of the same number of rows.*\[2, 1\]"),
        (lambda: icg.expected_gradients(sum, (X, X), (X, X[:, :, :2])), "expected baselines of shape"),
        (lambda: icg.bshap(sentence, WORDS, 0.5), "baselines of numbers that torch.int64 has"),
        (lambda: icg.bshap(sentence, WORDS, baselines.uniform_noise()), "baselines of numbers that torch.int64 has"),
        (lambda: icg.shap_values(sentence, WORDS, shapley.Uniform()), "samples as distribution.* got Uniform"),
        (lambda: icg.bshap(sum, (X, X), groups=WORDS), "groups to be a tuple of 2, as the inputs, got Tensor"),
        (lambda: icg.bshap(sum, (X, X), groups=(WORDS,)), "groups to be a tuple of 2, as the inputs, got 1"),
        (lambda: icg.bshap(sum, (X, X), groups=(WORDS[:1], X)), r"groups\[1\] to be a tensor of whole numbers"),
        (lambda: deletion_curves(sum, (X, X), X, ranking(X)), "one tensor of inputs, got 2"),
    ],
)
def test_refused_before_the_model_is_asked(call, expected):
    with pytest.raises(ValueError, match=expected):
        call()


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (lambda a, b: (a - a.mean(0)).pow(2).sum(1) * b, "depends on the rest of its batch"),
        (lambda a, b: a.detach().sum(1) + b.long(), "does not depend on its input by differentiable operations"),
        (lambda a, b: a.sum(1) / (b - b), "not finite"),
        (lambda a, b: a.sum(), "logits of shape"),
        (lambda a, b: torch.stack([a, a], 1), "a tuple .class, place < 3."),
    ],
)
def test_no_wrong_number_in_silence_of_several_inputs_either(model, expected):
    for method in (icg.integrated_gradients, icg.bshap, icg.gradient):
        if "differentiable" in expected and method is icg.bshap:
            continue
        with pytest.raises(ValueError, match=expected):
            method(model, (rand(3, 3), rand(3, seed=1)))


def test_a_certainty_aware_model_told_to_be_plain_takes_a_tuple():
    """Parts that aren't joined."""
    got = icg.gradient(AWARE, (X, X), certainty_aware=False)
    assert got[0].unique().tolist() == [1] and got[1].unique().tolist() == [0]
