"""Captum's classes and ours give the same, and Captum's own code runs on ours."""

import inspect
import warnings

import captum.attr as theirs
import pytest
import torch
from captum.attr import NoiseTunnel, visualization
from captum.metrics import infidelity, sensitivity_max
from torch import nn

from icg.compat import captum as ours


def rand(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


class Net(nn.Module):
    """Logits of two inputs; (N, 2, 2) if asked for."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.first, self.act, self.head = nn.Linear(3, 6), nn.Softplus(), nn.Linear(6, 4)

    def forward(self, x, y, scale=1.0, square=False):
        logits = self.head(self.act(self.first(x * y + x))) * scale
        return logits.view(-1, 2, 2) if square else logits


INPUTS = rand(4, 3), rand(4, 3, seed=1)
BASELINES = rand(4, 3, seed=2), 0.1
PLACES = [(0, 1), (1, 1), (1, 0), (0, 0)]
MASK = torch.tensor([[0, 0, 3]]), torch.tensor([[3, 5, 5]])
CASES = {
    "a class": {"target": 2},
    "one for each": {"target": torch.tensor([0, 3, 1, 2])},
    "places": {"target": PLACES, "additional_forward_args": (rand(4, 1, seed=3), True)},
    "a place": {"target": (1, 0), "additional_forward_args": (2.0, True)},
}
METHODS = {
    "Saliency": {},
    "InputXGradient": {},
    "IntegratedGradients": {"baselines": BASELINES, "n_steps": 20},
    "ShapleyValues": {"baselines": BASELINES, "feature_mask": MASK},
}


def quietly(explainer, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tensors that are made to require gradients
        return explainer.attribute(*arguments, **options)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("case", CASES)
def test_parity(name, case):
    net, options = Net(), METHODS[name] | CASES[case]
    got = quietly(getattr(ours, name)(net), INPUTS, **options)
    expected = quietly(getattr(theirs, name)(net), INPUTS, **options)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)
    assert max(each.abs().max() for each in expected) > 1e-3


@pytest.mark.parametrize("name", ["IntegratedGradients", "LayerIntegratedGradients"])
@pytest.mark.parametrize("multiply", [True, False])
@pytest.mark.parametrize("start", [BASELINES, None])
def test_parity_of_deltas_and_of_local_attributions(name, multiply, start):
    net, options = (
        Net(),
        {"baselines": start, "n_steps": 7, "method": "riemann_left", "return_convergence_delta": True},
    )
    layer = (net.act,) if "Layer" in name else ()
    pair = [getattr(module, name)(net, *layer, multiply_by_inputs=multiply) for module in (ours, theirs)]
    got, expected = (quietly(each, INPUTS, target=1, **options) for each in pair)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)
    assert pair[0].multiplies_by_inputs is multiply and pair[0].has_convergence_delta()


@pytest.mark.parametrize("name", ["LayerIntegratedGradients", "LayerGradientXActivation"])
@pytest.mark.parametrize("of_input", [True, False])
def test_parity_at_layers(name, of_input):
    net = Net()
    several = (
        [net.first, net.head] if name == "LayerGradientXActivation" else [net.act]
    )  # there all are replaced at once
    for layer in (net.first, net.act, [net.head], several):
        options = {"target": PLACES, "additional_forward_args": (2.0, True), "attribute_to_layer_input": of_input}
        got = quietly(getattr(ours, name)(net, layer), INPUTS, **options)
        expected = quietly(getattr(theirs, name)(net, layer), INPUTS, **options)
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)
        assert isinstance(got, list) is isinstance(layer, list)


def test_sampling_comes_near_and_follows_the_global_seed():
    net, options = Net(), {"target": 0, "baselines": BASELINES}
    exact = ours.ShapleyValues(net).attribute(INPUTS, **options)
    sampling = ours.ShapleyValueSampling(net)
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(sampling.attribute(INPUTS, n_samples=200, **options))
    torch.testing.assert_close(found[0], exact, rtol=0, atol=0.02)
    assert torch.equal(found[0][0], found[1][0]) and not torch.equal(found[0][0], found[2][0])
    assert sampling.attribute(INPUTS, n_samples=3, **options)[0].shape == (4, 3)


def test_gradient_shap_is_expected_gradients():
    net, data = Net(), (rand(6, 3, seed=5), rand(6, 3, seed=6))
    torch.manual_seed(0)
    shap = ours.GradientShap(net)
    got, delta = shap.attribute(INPUTS, data, n_samples=800, target=1, return_convergence_delta=True)
    starts = [net(a.expand(4, 3), b.expand(4, 3))[:, 1] for a, b in zip(*data, strict=True)]
    change = net(*INPUTS)[:, 1] - torch.stack(starts).mean(0)
    torch.testing.assert_close(sum(each.sum(1) for each in got), change, rtol=0, atol=0.1)
    assert delta.shape == (3200,) and abs(delta.view(4, -1).mean()) < 0.1
    for samples in (lambda: data, lambda x, y: (x, y)):
        assert shap.attribute(INPUTS, samples, target=1, stdevs=0.1)[1].shape == (4, 3)


def test_captums_own_code_runs_on_top():
    net = Net()
    for name in ("IntegratedGradients", "Saliency"):
        for kind in ("smoothgrad", "smoothgrad_sq", "vargrad"):
            results = []
            for module in (ours, theirs):
                torch.manual_seed(0)
                tunnel = NoiseTunnel(getattr(module, name)(net))
                results.append(quietly(tunnel, INPUTS, nt_type=kind, nt_samples=4, stdevs=0.1, target=[0, 1, 2, 3]))
            torch.testing.assert_close(*results, rtol=1e-3, atol=1e-5)
    x = rand(2, 3)
    single = ours.IntegratedGradients(nn.Linear(3, 2))
    assert NoiseTunnel(single).attribute(x, nt_samples=3, baselines=x * 0, target=1).shape == x.shape
    linear = ours.IntegratedGradients(lambda x: x.sum(1)).attribute(x) / x
    wrong = infidelity(lambda x: x.sum(1), lambda x: (0.1 * x, 0.9 * x), x, linear)
    assert wrong.shape == (2,) and wrong.max() < 1e-6
    assert sensitivity_max(single.attribute, x, target=0).shape == (2,)
    figure, _ = visualization.visualize_image_attr(
        single.attribute(x, target=0).detach().numpy()[:, :, None], use_pyplot=False
    )
    assert figure is not None


def test_a_certainty_channel_is_one_channel_more():
    class Aware(nn.Module):
        certainty_aware = True

        def forward(self, z):
            return (z[:, 0] * z[:, 1]).sum(1)

    x = rand(2, 2, 3)
    got, expected = (module.IntegratedGradients(Aware()).attribute(x) for module in (ours, theirs))
    torch.testing.assert_close(got, expected)


def test_signatures_are_captums_and_refusals_are_both_kinds_of_error():
    for name in [
        *METHODS,
        "GradientShap",
        "ShapleyValueSampling",
        "LayerIntegratedGradients",
        "LayerGradientXActivation",
    ]:
        mine, other = getattr(ours, name), getattr(theirs, name)
        assert inspect.signature(mine.attribute) == inspect.signature(other.attribute)
        assert inspect.signature(mine) == inspect.signature(other)
    for error in (ValueError, AssertionError):
        with pytest.raises(error, match="target in 0..3"):
            ours.Saliency(Net()).attribute(INPUTS, target=9)
    with pytest.raises(TypeError):
        ours.Saliency(Net()).attribute(INPUTS, targte=1)
    if "grad_kwargs" in inspect.signature(theirs.LayerIntegratedGradients.attribute).parameters:
        net = Net()
        with pytest.raises(AssertionError, match="grad_kwargs"):
            ours.LayerIntegratedGradients(net, net.act).attribute(INPUTS, target=0, grad_kwargs={"create_graph": True})
