"""The methods: closed forms, axioms, parity with Captum, and manners towards the caller's model."""

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import icg
from icg import baselines
from icg.certainty import join

# ---------------------------------------------------------------------------------------------------------------
# Models to attribute
# ---------------------------------------------------------------------------------------------------------------


def mlp(seed=0, features=6, classes=3, activation=torch.nn.Tanh, dtype=torch.float32):
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Linear(features, 16), activation(), torch.nn.Linear(16, 16), activation(), torch.nn.Linear(16, classes)
    ).to(dtype)


class Aware(torch.nn.Module):
    """A small certainty-aware model for joined inputs (N, 2, 5)."""

    certainty_aware = True

    def __init__(self):
        super().__init__()
        self.body = mlp(features=10)

    def forward(self, joined):
        return self.body(joined.flatten(1))


CERTAINTY_METHODS = {
    "icg": lambda m, x, **k: icg.integrated_certainty_gradients(m, x, n_steps=12, **k),
    "noisy icg": lambda m, x, **k: icg.integrated_certainty_gradients(m, x, n_steps=6, noise_std=0.1, n_samples=3, **k),
    "expected": lambda m, x, **k: icg.expected_certainty_gradients(m, x, n_steps=12, **k),
    "random path": lambda m, x, **k: icg.random_path_certainty_gradients(m, x, n_steps=12, **k),
    "blocks": lambda m, x, **k: icg.block_path_certainty_gradients(m, x, n_steps=12, **k),
}
VALUE_METHODS = {
    "gradient": lambda m, x, **k: icg.gradient(m, x, **k),
    "smoothgrad": lambda m, x, **k: icg.smoothgrad(m, x, n_steps=7, **k),
    "ig": lambda m, x, **k: icg.integrated_gradients(m, x, n_steps=12, **k),
    "agn": lambda m, x, **k: icg.integrated_gradients(m, x, baselines.gaussian_noise(n_samples=5), n_steps=3, **k),
    "sig": lambda m, x, **k: icg.shapley_integrated_gradients(m, x, n_samples=4, n_steps=3, **k),
    "eg": lambda m, x, **k: icg.expected_gradients(
        m, x, torch.linspace(0, 1, 8 * x[0].numel()).view(8, *x.shape[1:]), n_steps=12, **k
    ),
}
METHODS = VALUE_METHODS | CERTAINTY_METHODS


def joined(n=4):
    return join(torch.rand(n, 1, 5, generator=torch.Generator().manual_seed(5)))


# ---------------------------------------------------------------------------------------------------------------
# Closed forms
# ---------------------------------------------------------------------------------------------------------------

ARTICLE = {
    "x1 x2^2": (lambda x: x[:, 0] * x[:, 1] ** 2, (1.0, 0.0), (2.0, 1.2), (36 / 75, 72 / 25 - 36 / 75)),
    "x1 x2": (lambda x: x[:, 0] * x[:, 1], (1.0, 0.0), (2.0, 1.2), (0.6, 1.8)),
    "sin sin": (
        lambda x: torch.sin(math.pi * x[:, 0]) * torch.sin(2 * math.pi * x[:, 1]),
        (0.0, 0.0),
        (1.0, 1.0),
        (4 / 3, -4 / 3),
    ),
    "cos x2": (lambda x: torch.cos(2 * math.pi * x[:, 0]) * x[:, 1], (0.0, 0.0), (1.0, 1.0), None),
}


@pytest.mark.parametrize("name", ARTICLE)
def test_the_articles_examples_in_closed_form(name):
    function, start, end, exact = ARTICLE[name]
    x, baseline = (torch.tensor([p], dtype=torch.float64) for p in (end, start))
    got = icg.integrated_gradients(function, x, baseline, method="gausslegendre", n_steps=40)
    if exact is None:  # "all the attribution is given to x1 and none of it to x2"
        exact = (1.0, 0.0)
    torch.testing.assert_close(got, torch.tensor([exact], dtype=torch.float64), rtol=0, atol=1e-12)


def test_figure_2_point_a_gives_all_credit_to_the_wrong_feature():
    def trapezoid(t):
        return ((t - 0.2) / 0.1).clamp(0, 1) * ((0.55 - t) / 0.1).clamp(0, 1)

    def cross(x):
        return torch.maximum(trapezoid(x[:, 0]), trapezoid(x[:, 1]))

    points = torch.tensor([[0.6, 0.42], [0.7, 0.9], [0.8, 0.4]], dtype=torch.float64)
    got = icg.integrated_gradients(cross, points, n_steps=20_000)
    expected = torch.tensor([[1.0, 0.0], [-1.0, 1.0], [0.5, 0.5]], dtype=torch.float64)
    torch.testing.assert_close(got, expected, rtol=0, atol=2e-3)


@pytest.mark.parametrize(
    "method", ["riemann_left", "riemann_right", "riemann_middle", "riemann_trapezoid", "gausslegendre", "adaptive"]
)
@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-6), (torch.float64, 1e-14)])
def test_every_rule_is_exact_on_a_linear_model(method, dtype, tolerance):
    weight = torch.linspace(-1, 1, 7, dtype=dtype)
    x, baseline = torch.linspace(0, 1, 7, dtype=dtype)[None], torch.linspace(1, 0, 7, dtype=dtype)[None]
    got = icg.integrated_gradients(lambda p: p @ weight, x, baseline, n_steps=9, method=method)
    assert got.dtype == dtype
    torch.testing.assert_close(got, weight * (x - baseline), rtol=0, atol=tolerance)


def test_certainty_gradients_of_a_polynomial():
    """F = sum v c^2: the integral of 2 v c dc from 0 to 1 is v; with certainty 0.5 it is v / 4."""

    def model(z):
        return (z[:, 0] * z[:, 1] ** 2).sum(1)

    values = torch.tensor([[[0.3, -1.0, 2.0]]], dtype=torch.float64)
    for certainty, factor in ((1.0, 1.0), (0.5, 0.25)):
        got, delta = icg.integrated_certainty_gradients(
            model, join(values, certainty), n_steps=40, return_convergence_delta=True
        )
        torch.testing.assert_close(got, values * factor, rtol=0, atol=1e-3)
        assert delta.abs().item() < 1e-3
    # random maps: the mean of 2 v c is 2 v E[c] = v
    got = icg.random_path_certainty_gradients(model, join(values), n_steps=4000)
    torch.testing.assert_close(got, values, rtol=0.05, atol=0)
    # from c' ~ U(0, 1): E[(1 - c') 2 v (c' + a (1 - c'))] = v (1 - E[c'^2]) = 2 v / 3
    got = icg.expected_certainty_gradients(model, join(values), n_steps=4000)
    torch.testing.assert_close(got, values * 2 / 3, rtol=0.05, atol=0)


def seen_maps(x, **options):
    """The certainty maps that the method asks a model about, ``(n_steps, N, ...)``, for joined ``x``."""
    seen = []

    def model(z):
        if z.requires_grad:
            seen.append(z[:, -1].detach().clone())
        return z[:, -1].flatten(1).sum(1)

    icg.block_path_certainty_gradients(model, x, internal_batch_size=len(x), **options)
    return torch.stack(seen)


@pytest.mark.parametrize("shape", [(2, 1, 9), (2, 3, 5, 6), (2, 1, 3, 4, 5)])
@pytest.mark.parametrize("certainty", [1.0, 0.5, 0.0])
@pytest.mark.parametrize(("n_steps", "parts"), [(1, 1), (6, 2), (7, 2), (7, 3), (2, 5)])
def test_block_wise_gradients_of_a_linear_function_are_exact(shape, certainty, n_steps, parts):
    """Every block is met once on each path."""
    x = join(torch.rand(shape, dtype=torch.float64), certainty)
    coefficient = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))[:, :1]
    got = icg.block_path_certainty_gradients(
        lambda z: (coefficient * z[:, -1:]).flatten(1).sum(1), x, n_steps=n_steps, parts=parts, internal_batch_size=2
    )
    torch.testing.assert_close(got, coefficient * certainty, rtol=0, atol=1e-12)


def test_one_part_is_the_path_of_integrated_certainty_gradients():
    model, x = Aware().double(), join(torch.rand(3, 1, 5, dtype=torch.float64), 0.8)
    expected = icg.integrated_certainty_gradients(model, x, target=1, n_steps=200)
    got = icg.block_path_certainty_gradients(model, x, target=1, n_steps=200, parts=1)
    torch.testing.assert_close(got, expected, rtol=0, atol=0.02 * expected.abs().max().item())
    got = icg.block_path_certainty_gradients(model, x, target=1, n_steps=400, parts=2, blocks=1)  # one block: the same
    torch.testing.assert_close(got, expected, rtol=0, atol=0.02 * expected.abs().max().item())


def many(model, n=4000, **options):
    """The mean over many paths for one input of four positions."""
    x = join(torch.ones(n, 1, 4, dtype=torch.float64))
    return icg.block_path_certainty_gradients(model, x, n_steps=4, internal_batch_size=n, **options).mean(0)[0]


def test_blocks_of_one_position_give_the_shapley_values_of_a_function_that_is_linear_in_each():
    """A block's gradient, integrated along its rise, is what it adds to the others (Owen, 1972)."""

    def model(z):
        c = z[:, 1]
        return c[:, 0] * c[:, 1] + 3 * c[:, 1] * c[:, 2] * c[:, 3] - 2 * c[:, 3]

    exact = torch.tensor([0.5, 1.5, 1.0, -1.0], dtype=torch.float64)
    shap = icg.certainty_shap(model, join(torch.ones(1, 1, 4, dtype=torch.float64)))
    torch.testing.assert_close(shap[0, 0], exact)
    for parts in (1, 2, 4):
        torch.testing.assert_close(many(model, parts=parts, blocks=12), exact, rtol=0, atol=0.06)


def test_the_more_parts_the_nearer_to_the_shapley_value_of_a_function_that_is_not():
    """c0^3 c1: together on one path each gets 3/4 and 1/4, one after the other they share equally."""

    def model(z):
        return z[:, 1, 0] ** 3 * z[:, 1, 1]

    first = [many(model, parts=parts)[0].item() for parts in (1, 2, 4)]
    assert first[0] == pytest.approx(0.75, abs=0.01)
    assert 0.5 < first[2] < first[1] < 0.72
    assert many(model, parts=4).sum().item() == pytest.approx(1.0, abs=0.05)


def test_the_more_steps_the_more_parts_and_those_that_are_given_count():
    model, x = Aware().double(), join(torch.rand(1, 1, 5, dtype=torch.float64), 0.8)

    def found(n_steps, **options):
        return icg.block_path_certainty_gradients(model, x, target=1, n_steps=n_steps, **options)

    for n_steps, parts in ((6, 2), (64, 2), (128, 3), (512, 4), (1000, 5)):
        assert found(n_steps).equal(found(n_steps, parts=parts))
        assert not found(n_steps).equal(found(n_steps, parts=parts + 1))


def test_blocks_rise_one_after_the_other_from_nothing_to_all():
    x = join(torch.rand(30, 1, 40, 60))
    maps = seen_maps(x, n_steps=20, blocks=6, parts=2)
    first, second = maps[0::2], maps[1::2]
    assert ((first > 0) & (first < 1) | (second > 0) & (second < 1)).all()  # each rises at one of the two
    assert ((first == 0) & (second > 0) | (first > 0) & (second == 1)).all()
    means = maps.mean((1, 2, 3))
    assert means[0] < 0.25 and means[-1] > 0.75 and (means[0::2] < means[1::2]).all()
    assert maps.mean().item() == pytest.approx(0.5, abs=0.02)
    assert not torch.equal(maps[:, 0], maps[:, 1])  # every input has its own
    per_axis = []
    for c in first.flatten(0, 1):  # cut along the lines where anything changes: every piece has one certainty
        rows, columns = ((c.diff(dim=k) != 0).any(1 - k).nonzero().flatten() + 1 for k in (0, 1))
        per_axis.append(len(rows))
        for band in c.tensor_split(rows, 0):
            assert all(len(piece.unique()) == 1 for piece in band.tensor_split(columns, 1))
    assert max(per_axis) == 6 and set(per_axis) >= {2, 3, 4, 5}


def test_expected_gradients_of_a_quadratic():
    """E over baselines b of x^2 - b^2."""
    data = torch.rand(64, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = torch.tensor([[0.2, 0.5, 0.9]], dtype=torch.float64)
    exact = x**2 - (data**2).mean(0)
    for method, tolerance in (("monte_carlo", 0.05), ("stratified", 0.01)):
        got = icg.expected_gradients(lambda p: (p**2).sum(1), x, data, n_steps=4096, method=method)
        torch.testing.assert_close(got, exact, rtol=0, atol=tolerance)


def test_smoothgrad_of_a_cubic_is_the_gradient_plus_the_variance():
    x = torch.tensor([[0.5]], dtype=torch.float64)
    got = icg.smoothgrad(lambda p: (p**3).sum(1), x, n_steps=20_000, noise_std=0.2)
    assert got.item() == pytest.approx(3 * (0.25 + 0.04), rel=0.01)
    # noise comes in pairs: on a quadratic an even number of draws is exact
    got = icg.smoothgrad(lambda p: (p**2).sum(1), x, n_steps=2, noise_std=5.0)
    assert got.item() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("n_samples", [1, 2, 3, 50])
def test_shapley_ig_is_exact_for_functions_of_single_features(n_samples):
    """However few features moved: each is paid for the paths on which it did."""
    x = torch.rand(3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weight = torch.linspace(-1, 2, 5, dtype=torch.float64)
    for groups, moves in ((None, 1.0), (torch.tensor([1, 0, 0, -1, 2]), torch.tensor([1, 1, 1, 0, 1]))):
        options = {"groups": groups, "n_samples": n_samples}
        got = icg.shapley_integrated_gradients(lambda p: p @ weight, x, 0.2, **options)
        torch.testing.assert_close(got, (x - 0.2) * weight * moves, rtol=0, atol=1e-14)
        squares = icg.shapley_integrated_gradients(lambda p: (p**2).sum(1), x, **options)  # the middle rule is exact
        torch.testing.assert_close(squares, x**2 * moves, rtol=0, atol=1e-14)


def test_shapley_ig_pays_each_of_a_pair_three_quarters_of_their_product():
    """In half of the coalitions the other one is there, and all is paid; else half."""

    def pair(p):
        return p[:, 0] * p[:, 3] + 2 * p[:, 1]

    x = torch.tensor([[0.5, 0.7, 0.9, 0.8]], dtype=torch.float64)
    got = icg.shapley_integrated_gradients(pair, x, n_samples=8000, n_steps=1)
    torch.testing.assert_close(got, torch.tensor([[0.3, 1.4, 0, 0.3]], dtype=torch.float64), rtol=0, atol=0.004)
    assert got[0, 1].item() == pytest.approx(1.4, abs=1e-12) and got[0, 2] == 0
    # Partners who are one player always move together, and share as on the straight path.
    together = icg.shapley_integrated_gradients(pair, x, groups=torch.tensor([0, 1, 1, 0]), n_samples=9, n_steps=1)
    torch.testing.assert_close(together, torch.tensor([[0.2, 1.4, 0, 0.2]], dtype=torch.float64), rtol=0, atol=1e-12)


def test_shapley_ig_is_the_mean_of_ig_over_coalitions_in_shapleys_proportions():
    n, x, base = 4, torch.tensor([[0.9, 0.6, 0.8, 0.4]], dtype=torch.float64), torch.tensor([[0.1, 0.3, 0.0, 0.2]])

    def function(p):
        return p.prod(1) * 10 + torch.sin(3 * p[:, 0] * p[:, 2]) - p[:, 1] ** 3

    expected = torch.zeros_like(x)
    for mask in icg.shapley.coalitions(n)[:-1]:
        path = icg.integrated_gradients(function, x, torch.where(mask, x, base.double()), n_steps=60)
        size = int(mask.sum())
        expected += path * ~mask / (n * math.comb(n - 1, size))  # s! (n - 1 - s)! / n!
    got = icg.shapley_integrated_gradients(function, x, base, n_samples=6000, n_steps=8)
    torch.testing.assert_close(got, expected, rtol=0, atol=0.02)
    plain = (expected - icg.integrated_gradients(function, x, base, n_steps=60)).abs().max()
    assert plain > 0.1  # nor is it Integrated Gradients, of which it takes one path
    first = icg.shapley_integrated_gradients(function, x, base, n_samples=1, n_steps=60)
    torch.testing.assert_close(first, icg.integrated_gradients(function, x, base, n_steps=60), rtol=0, atol=1e-12)


def test_shapley_ig_moves_whole_positions_of_a_joined_input_and_keeps_their_certainty():
    points, certainty = [], torch.tensor([1.0, 0.5, 1.0]).expand(2, 1, 3)

    class Kept(Aware):
        def forward(self, z):
            points.append(z.detach())
            return (z[:, :2] * z[:, 2:]).flatten(1) @ torch.ones(6, 2)

    x = join(torch.full((2, 2, 3), 0.5), certainty)
    got = icg.shapley_integrated_gradients(Kept(), x, target=0, output="logit", n_samples=5, n_steps=1)
    asked = torch.cat(points)
    assert (asked[:, 2:] == certainty[:1]).all() and (asked[:, 0] == asked[:, 1]).all()
    assert (got[:, 2] == 0).all() and torch.equal(got[:, :2], 0.5 * certainty.expand(2, 2, 3))


def test_shapley_ig_takes_the_draws_of_a_baseline_in_turn():
    x = torch.ones(1, 3, dtype=torch.float64)
    two = baselines.every(torch.tensor([[0.0], [0.5]], dtype=torch.float64))
    got = icg.shapley_integrated_gradients(lambda p: p.sum(1), x, two, groups=torch.zeros(3).long(), n_samples=4)
    torch.testing.assert_close(got, torch.full_like(x, 0.75))


def test_adaptive_steps_find_a_jump_that_equal_steps_miss():
    """A probability that rises within a thousandth of the path, as certainty-aware models do."""

    def model(z):
        s = 4000 * (z[:, 1].mean(1) - 0.6713)
        return torch.stack([torch.zeros_like(s), s], 1)

    x = join(torch.rand(2, 1, 4, dtype=torch.float64))
    options = {"target": 1, "n_steps": 100, "return_convergence_delta": True}
    _, equal = icg.integrated_certainty_gradients(model, x, method="riemann_middle", **options)
    _, adaptive = icg.integrated_certainty_gradients(model, x, **options)
    assert equal.abs().max() > 0.5
    assert adaptive.abs().max() < 0.01


# ---------------------------------------------------------------------------------------------------------------
# Captum as an independent reference
# ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["riemann_left", "riemann_right", "riemann_middle", "gausslegendre"])
def test_parity_with_captum(method):
    from captum.attr import IntegratedGradients

    model = mlp(activation=torch.nn.ReLU)
    x, b = torch.rand(5, 6), torch.rand(5, 6)
    target = torch.tensor([0, 1, 2, 0, 1])
    theirs, their_delta = IntegratedGradients(model).attribute(
        x, b, target=target, n_steps=20, method=method, return_convergence_delta=True
    )
    ours, delta = icg.integrated_gradients(
        model, x, b, target=target, n_steps=20, method=method, output="logit", return_convergence_delta=True
    )
    torch.testing.assert_close(ours, theirs.float(), rtol=0, atol=1e-5)
    torch.testing.assert_close(delta.float(), their_delta.float(), rtol=0, atol=1e-5)


def test_captum_runs_on_a_certainty_aware_model_unchanged():
    from captum.attr import IntegratedGradients

    model, x = Aware(), joined()
    b = join(torch.zeros(4, 1, 5))
    theirs = IntegratedGradients(model).attribute(x, b, target=0, n_steps=20, method="riemann_middle").float()
    ours = icg.integrated_gradients(model, x, target=0, n_steps=20, output="logit")
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
    certainty_zero = torch.cat([x[:, :1], torch.zeros(4, 1, 5)], 1)
    theirs = IntegratedGradients(model).attribute(x, certainty_zero, target=0, n_steps=20, method="riemann_middle")
    ours = icg.integrated_certainty_gradients(model, x, target=0, n_steps=20, output="logit", method="riemann_middle")
    torch.testing.assert_close(ours, theirs[:, 1:].float(), rtol=0, atol=1e-5)


# ---------------------------------------------------------------------------------------------------------------
# Axioms
# ---------------------------------------------------------------------------------------------------------------

points = st.lists(st.floats(-2, 2, width=32), min_size=6, max_size=6)


@settings(max_examples=25, deadline=None)
@given(points, points, st.integers(0, 5), st.floats(-3, 3), st.floats(-3, 3))
def test_linearity(x, b, seed, p, q):
    x, b = (torch.tensor([v], dtype=torch.float64) for v in (x, b))
    f, g = (mlp(s, classes=1, dtype=torch.float64) for s in (seed, seed + 10))

    def ig(model):
        return icg.integrated_gradients(model, x, b, n_steps=5)

    torch.testing.assert_close(ig(lambda z: p * f(z) + q * g(z)), p * ig(f) + q * ig(g), rtol=1e-9, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(points, points, st.integers(0, 5), st.sampled_from(["probability", "logit", "log_probability"]))
def test_completeness(x, b, seed, output):
    x, b = (torch.tensor([v], dtype=torch.float64) for v in (x, b))
    model = mlp(seed, dtype=torch.float64)
    attributions, delta = icg.integrated_gradients(
        model, x, b, n_steps=60, method="gausslegendre", output=output, return_convergence_delta=True, target=1
    )
    f = {
        "logit": model,
        "probability": lambda z: model(z).softmax(1),
        "log_probability": lambda z: model(z).log_softmax(1),
    }
    with torch.no_grad():
        change = (f[output](x) - f[output](b))[:, 1]
    assert abs(attributions.sum() - change).item() < 1e-6
    assert abs(delta - (attributions.sum() - change)).item() < 1e-12


@settings(max_examples=25, deadline=None)
@given(st.floats(-2, 2, width=32), st.floats(-2, 2, width=32), st.floats(-2, 2, width=32))
def test_symmetric_features_with_equal_values_share_alike(value, other, base):
    model = mlp(3, features=2, classes=1, dtype=torch.float64)

    def symmetric(z):  # exchanging the first two features changes nothing
        return model(torch.stack([z[:, 0] * z[:, 1], z[:, 0] + z[:, 1] + z[:, 2] ** 2], 1))

    x = torch.tensor([[value, value, other]], dtype=torch.float64)
    got = icg.integrated_gradients(symmetric, x, torch.full((1, 3), base, dtype=torch.float64))
    torch.testing.assert_close(got[:, 0], got[:, 1], rtol=1e-9, atol=1e-12)


@settings(max_examples=15, deadline=None)
@given(points, points)
def test_implementation_invariance(x, b):
    """Two networks that compute the same function by different weights get the same attributions."""
    x, b = (torch.tensor([v], dtype=torch.float64) for v in (x, b))
    first = mlp(4, activation=torch.nn.ReLU, dtype=torch.float64)
    second = copy.deepcopy(first)
    order = torch.randperm(16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():  # permute the hidden units, and scale them (ReLU is homogeneous)
        second[0].weight.copy_(first[0].weight[order] * 4)
        second[0].bias.copy_(first[0].bias[order] * 4)
        second[2].weight.copy_(first[2].weight[:, order] / 4)
    torch.testing.assert_close(
        icg.integrated_gradients(first, x, b, target=0), icg.integrated_gradients(second, x, b, target=0)
    )


def test_a_feature_that_the_model_does_not_use_gets_nothing():
    model = mlp(features=5)
    x = torch.rand(3, 6)
    for name, method in VALUE_METHODS.items():
        assert method(lambda z: model(z[:, :5]), x)[:, 5].abs().max() == 0, name


# ---------------------------------------------------------------------------------------------------------------
# Manners
# ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
def test_same_result_at_any_batch_size_and_from_the_same_seed(name):
    model, x = Aware(), joined()

    def run(seed, size):
        return METHODS[name](
            model,
            x,
            internal_batch_size=size,
            **({"generator": torch.Generator().manual_seed(seed)} if name not in ("gradient", "ig") else {}),
        )

    reference = run(1, 1)
    for size in (3, 10, 1000, None):
        torch.testing.assert_close(run(1, size), reference, rtol=1e-5, atol=1e-7)
    if name not in ("gradient", "ig", "icg"):
        assert (run(2, 10) - reference).abs().max() > 1e-6


@pytest.mark.parametrize("name", METHODS)
def test_the_callers_model_and_random_state_are_untouched(name):
    model, x = Aware(), joined()
    model.body.insert(1, torch.nn.Dropout(0.5))
    model.train()
    model.body[0].bias.requires_grad_(False)
    model(x).sum().backward()
    before = copy.deepcopy([(k, v, v.grad, v.requires_grad) for k, v in model.named_parameters()])
    torch.manual_seed(3)
    state = torch.get_rng_state()
    x_before = x.clone()

    first, second = METHODS[name](model, x), METHODS[name](model, x)

    torch.testing.assert_close(first, second, rtol=0, atol=0)  # dropout was off
    assert torch.equal(torch.get_rng_state(), state)
    assert all(m.training for m in model.modules())
    for (key, value, grad, needs), (_, old, old_grad, old_needs) in zip(
        [(k, v, v.grad, v.requires_grad) for k, v in model.named_parameters()], before, strict=True
    ):
        assert torch.equal(value, old) and needs == old_needs, key
        assert (grad is None and old_grad is None) or torch.equal(grad, old_grad), key
    assert torch.equal(x, x_before) and x.grad is None and not x.requires_grad
    assert not first.requires_grad


@pytest.mark.parametrize("name", METHODS)
def test_shapes_dtypes_and_all_classes_at_once(name):
    model, x = Aware().double(), joined().double()
    one = METHODS[name](model, x, target=2, output="log_probability")
    everything = METHODS[name](model, x, target="all", output="log_probability")
    channels = 1 if name in CERTAINTY_METHODS else 2
    assert one.dtype == torch.float64 and one.shape == (4, channels, 5) and everything.shape == (4, 3, channels, 5)
    if name != "icg":  # one placement of adaptive steps serves all classes: close, not equal
        torch.testing.assert_close(everything[:, 2], one)
    assert METHODS[name](Aware(), x.float(), dtype=torch.float64).dtype == torch.float64


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_works_inside_no_grad_and_inference_mode(context):
    model, x = Aware(), joined()
    expected = icg.integrated_gradients(model, x)
    with context():
        got = icg.integrated_gradients(model, x.clone())
    torch.testing.assert_close(got.clone(), expected)


def test_only_values_are_attributed_by_value_methods_and_uncertain_input_keeps_its_certainty():
    seen = []

    class Watching(Aware):
        def forward(self, z):
            seen.append(z[:, 1].detach().clone())
            return super().forward(z)

    x = join(torch.rand(2, 1, 5), torch.tensor([1.0, 1.0, 0.0, 1.0, 0.5]).view(1, 1, 5))
    got = icg.integrated_gradients(Watching(), x)
    assert got[:, 1].abs().max() == 0
    for certainty in seen:
        assert (certainty - x[0, 1]).abs().max() == 0


def test_target_none_is_the_predicted_class():
    model, x = mlp(), torch.rand(8, 6)
    predicted = model(x).argmax(1)
    expected = icg.integrated_gradients(model, x, target=predicted)
    torch.testing.assert_close(icg.integrated_gradients(model, x), expected, rtol=0, atol=0)
    torch.testing.assert_close(icg.integrated_gradients(model, x, target=predicted.tolist()), expected, rtol=0, atol=0)


def test_baselines_come_in_many_forms():
    model, x = mlp(), torch.rand(3, 6)
    zero = icg.integrated_gradients(model, x)
    for same in (0, 0.0, torch.zeros(1, 6), torch.zeros(3, 6), baselines.zero(), baselines.every(torch.zeros(2, 6))):
        torch.testing.assert_close(icg.integrated_gradients(model, x, same), zero)
    # three baselines for three inputs, averaged because the caller says so
    b = torch.rand(3, 6)
    averaged = icg.integrated_gradients(model, x, baselines.every(b))
    one_each = torch.stack([icg.integrated_gradients(model, x, b[k : k + 1]) for k in range(3)]).mean(0)
    torch.testing.assert_close(averaged, one_each)
    # for a joined model: with or without the certainty channel
    aware, z = Aware(), joined()
    values = torch.rand(1, 1, 5)
    torch.testing.assert_close(
        icg.integrated_gradients(aware, z, values), icg.integrated_gradients(aware, z, join(values))
    )


def test_bf16_is_close_and_returns_float32():
    model, x = mlp(features=32, activation=torch.nn.ReLU), torch.rand(4, 32)
    full = icg.integrated_gradients(model, x, target=0, output="logit")
    mixed = icg.integrated_gradients(model, x, target=0, output="logit", autocast=torch.bfloat16)
    assert mixed.dtype == torch.float32
    error = (mixed - full).norm() / full.norm()
    assert 0 < error < 0.05


def test_progress_is_shown_when_asked_for(capsys):
    model, x = mlp(), torch.rand(2, 6)
    icg.integrated_gradients(model, x)
    assert capsys.readouterr().err == ""
    icg.integrated_gradients(model, x, progress=True)
    assert "gradient" in capsys.readouterr().err


# ---------------------------------------------------------------------------------------------------------------
# Bad input: a ValueError that names what was expected and what came, before any work starts
# ---------------------------------------------------------------------------------------------------------------


def ig(inputs=None, baselines=None, model=None, **options):
    return icg.integrated_gradients(
        model or mlp(), torch.rand(2, 6) if inputs is None else inputs, baselines, **options
    )


BAD = {
    "inputs not a tensor": lambda: ig(inputs=[[1.0] * 6]),
    "whole-number inputs": lambda: ig(inputs=torch.zeros(2, 6, dtype=torch.long)),
    "empty batch": lambda: ig(inputs=torch.zeros(0, 6)),
    "one dimension": lambda: ig(inputs=torch.zeros(6)),
    "NaN": lambda: ig(inputs=torch.full((2, 6), torch.nan)),
    "infinite baseline": lambda: ig(baselines=torch.full((1, 6), torch.inf)),
    "baseline of another shape": lambda: ig(baselines=torch.zeros(1, 5)),
    "baselines for other inputs": lambda: ig(baselines=torch.zeros(3, 6)),
    "baseline of another kind": lambda: ig(baselines="zero"),
    "sampler of another shape": lambda: ig(baselines=baselines.every(torch.zeros(3, 5))),
    "target out of range": lambda: ig(target=3),
    "negative target": lambda: ig(target=-1),
    "targets for other inputs": lambda: ig(target=[0, 1, 2]),
    "fractional target": lambda: ig(target=0.5),
    "target by name": lambda: ig(target="dog"),
    "target for a plain value": lambda: ig(model=lambda x: x.sum(1), target=0),
    "zero steps": lambda: ig(n_steps=0),
    "fractional steps": lambda: ig(n_steps=2.5),
    "zero adaptive steps": lambda: ig(n_steps=0, method="adaptive"),
    "unknown method": lambda: ig(method="simpson"),
    "unknown output": lambda: ig(output="odds"),
    "batch size": lambda: ig(internal_batch_size=0),
    "model is no callable": lambda: ig(model=3),
    "model returns a list": lambda: ig(model=lambda x: [1]),
    "model returns another batch": lambda: ig(model=lambda x: x[:1]),
    "model returns images": lambda: ig(model=lambda x: x[:, :, None, None]),
    "model returns classes": lambda: ig(model=lambda x: x.argmax(1)),
    "model returns NaN": lambda: ig(model=lambda x: x * torch.nan),
    "model cut off from its input": lambda: ig(model=lambda x: x.detach() * 1.0),
    "certainty above 1": lambda: ig(model=Aware(), inputs=2 * torch.ones(1, 2, 5)),
    "negative certainty": lambda: icg.integrated_certainty_gradients(Aware(), -torch.ones(1, 2, 5)),
    "no certainty channel": lambda: icg.integrated_certainty_gradients(Aware(), torch.ones(1, 1, 5)),
    "no room for certainty": lambda: icg.integrated_certainty_gradients(mlp(), torch.rand(2, 6)),
    "negative noise": lambda: icg.integrated_certainty_gradients(Aware(), joined(), noise_std=-1.0),
    "no samples": lambda: icg.integrated_certainty_gradients(Aware(), joined(), n_samples=0),
    "block-wise steps": lambda: icg.block_path_certainty_gradients(Aware(), joined(), n_steps=0),
    "no blocks": lambda: icg.block_path_certainty_gradients(Aware(), joined(), blocks=0),
    "fractional blocks": lambda: icg.block_path_certainty_gradients(Aware(), joined(), blocks=2.5),
    "no parts": lambda: icg.block_path_certainty_gradients(Aware(), joined(), parts=0),
    "block-wise without certainty": lambda: icg.block_path_certainty_gradients(mlp(), torch.rand(2, 6)),
    "EG method": lambda: icg.expected_gradients(mlp(), torch.rand(2, 6), torch.rand(4, 6), method="sobol"),
    "EG data": lambda: icg.expected_gradients(mlp(), torch.rand(2, 6), torch.rand(4, 5)),
    "EG without data": lambda: icg.expected_gradients(mlp(), torch.rand(2, 6), torch.rand(0, 6)),
    "EG steps": lambda: icg.expected_gradients(mlp(), torch.rand(2, 6), torch.rand(4, 6), n_steps=0),
    "SIG samples": lambda: icg.shapley_integrated_gradients(mlp(), torch.rand(2, 6), n_samples=0),
    "SIG steps": lambda: icg.shapley_integrated_gradients(mlp(), torch.rand(2, 6), n_steps=0),
    "SIG players": lambda: icg.shapley_integrated_gradients(mlp(), torch.rand(2, 6), groups=torch.tensor([0, 2])),
    "SIG baseline": lambda: icg.shapley_integrated_gradients(mlp(), torch.rand(2, 6), torch.zeros(1, 5)),
    "smoothgrad steps": lambda: icg.smoothgrad(mlp(), torch.rand(2, 6), n_steps=True),
    "smoothgrad noise": lambda: icg.smoothgrad(mlp(), torch.rand(2, 6), noise_std=-0.1),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_in_one_clear_sentence(name):
    with pytest.raises(ValueError) as caught:
        BAD[name]()
    message = str(caught.value)
    assert "\n" not in message and len(message) > 20
    if "cut off" not in name and "returns NaN" not in name and "plain value" not in name and "sampler" not in name:
        assert "expected" in message and ("got" in message or "NaN" in message), message


def test_nothing_is_computed_before_the_arguments_are_checked():
    calls = []

    def model(x):
        calls.append(len(x))
        return x

    for options in ({"n_steps": 0}, {"method": "simpson"}, {"output": "odds"}, {"baselines": torch.zeros(1, 5)}):
        with pytest.raises(ValueError):
            icg.integrated_gradients(model, torch.rand(2, 6), **options)
    assert calls == []


# ---- Without the factor input - baseline


def test_local_attributions_are_the_mean_gradient_along_the_path():
    """Of x^2 from b to x it is x + b."""
    x, b = torch.tensor([[1.0, -2.0], [0.5, 3.0]]), torch.tensor([[0.5, 1.0]])
    got = icg.integrated_gradients(lambda x: (x**2).sum(1), x, b, multiply_by_inputs=False)
    torch.testing.assert_close(got, x + b)
    got = icg.expected_gradients(lambda x: (x**2).sum(1), x, b, multiply_by_inputs=False, n_steps=256)
    torch.testing.assert_close(got, x + b, rtol=0, atol=0.02)
    for method in (icg.integrated_gradients, icg.expected_gradients):
        with pytest.raises(ValueError, match="no return_convergence_delta with multiply_by_inputs=False"):
            method(lambda x: x.sum(1), x, b, multiply_by_inputs=False, return_convergence_delta=True)
        with pytest.raises(ValueError, match="multiply_by_inputs to be True or False, got 'no'"):
            method(lambda x: x.sum(1), x, b, multiply_by_inputs="no")
        with pytest.raises(ValueError, match="not finite at the start"):
            method(lambda x: x.sqrt().sum(1).log(), x.abs(), 0 * b, multiply_by_inputs=False)
