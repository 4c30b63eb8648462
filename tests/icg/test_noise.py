"""Noise around any method, by closed forms: of (x + e)^3, e normal with standard deviation s."""

from functools import partial

import pytest
import torch

import icg
from icg.certainty import join

X = torch.tensor([[1.0, 2.0], [-1.0, 0.5]], dtype=torch.float64)
S = 0.5


def cube(x):
    return (x**3).sum(1)


def square(x):
    return (x**2).sum(1)


@pytest.mark.parametrize(
    ("method", "model", "kind", "exact"),
    [
        (icg.integrated_gradients, cube, "smoothgrad", X**3 + 3 * X * S**2),
        (icg.bshap, cube, "smoothgrad", X**3 + 3 * X * S**2),
        (icg.gradient, cube, "smoothgrad", 3 * (X**2 + S**2)),
        (icg.gradient, square, "smoothgrad_sq", 4 * (X**2 + S**2)),
        (icg.gradient, square, "vargrad", 4 * S**2 + 0 * X),
        (icg.integrated_gradients, square, "vargrad", 4 * X**2 * S**2 + 2 * S**4),
    ],
)
def test_moments_of_maps(method, model, kind, exact):
    got = icg.noise_tunnel(method, model, X, noise_std=S, n_samples=2000, kind=kind)
    torch.testing.assert_close(got, exact, rtol=0.12, atol=0.1)
    assert got.dtype == X.dtype


def test_around_the_gradient_it_is_smoothgrad():
    for std, n in ((0.3, 7), (0.0, 2)):
        generators = (torch.Generator().manual_seed(5) for _ in range(2))
        got = icg.noise_tunnel(icg.gradient, cube, X, noise_std=std, n_samples=n, generator=next(generators))
        expected = icg.smoothgrad(cube, X, noise_std=std, n_steps=n, generator=next(generators))
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-12)


def test_the_target_is_the_class_predicted_without_noise():
    """With noise either class wins half of the time; the gradients of the two are opposite."""

    def model(x):
        return torch.stack([x[:, 0], -x[:, 0]], 1)

    x = torch.tensor([[1e-4, 0.0], [-1e-4, 0.0]])
    got = icg.noise_tunnel(icg.gradient, model, x, noise_std=1.0, n_samples=20, output="logit")
    assert got[:, 0].tolist() == [1, -1]
    everything = icg.noise_tunnel(icg.gradient, model, x, target="all", n_samples=3, output="logit")
    assert everything[..., 0].tolist() == [[1, -1]] * 2


def test_noise_touches_values_alone_not_their_certainty():
    class Aware(torch.nn.Module):
        certainty_aware = True

        def forward(self, z):
            seen.append(z)
            return (z[:, :-1] * z[:, -1:]).flatten(1).sum(1)

    values, certainty = torch.rand(2, 1, 4), torch.tensor([0.0, 0.5, 1.0, 0.25])
    for method in (icg.gradient, icg.integrated_certainty_gradients, icg.certainty_shap):
        seen = []
        got = icg.noise_tunnel(method, Aware(), join(values, certainty), n_samples=2, noise_std=3.0)
        channels = 2 if method is icg.gradient else 1
        assert got.shape == (2, channels, 4)
        if method is icg.gradient:
            assert all(torch.equal(z[:, 1, :], certainty.expand(len(z), 4)) for z in seen)
            torch.testing.assert_close(got[:, :1], certainty.expand(2, 1, 4))  # dF/dvalue
    hidden = [Aware()]
    got = icg.noise_tunnel(
        icg.integrated_certainty_gradients, lambda z: hidden[0](z), join(values, certainty), n_samples=2, noise_std=3.0
    )
    torch.testing.assert_close(got, values * certainty, rtol=0, atol=1e-5)  # pairs of noise cancel


def test_a_tuple_of_inputs_with_noise_of_their_own():
    a, b = torch.rand(2, 3), torch.rand(2, dtype=torch.float64)
    got = icg.noise_tunnel(
        icg.gradient, lambda a, b: square(a) + b**2, (a, b), noise_std=(0.0, 0.5), kind="vargrad", n_samples=800
    )
    assert got[0].abs().max() == 0 and got[0].dtype == torch.float32 and got[1].dtype == torch.float64
    torch.testing.assert_close(got[1], torch.ones_like(b), rtol=0.2, atol=0)


def test_the_methods_random_numbers_are_its_own():
    """Noise is the same whatever the method draws, and the method draws anew each time; both follow one seed."""
    draws = []

    def method(model, inputs, *, generator=None, target=None):
        draws.append((inputs, torch.rand(3, generator=generator)))
        return inputs

    def run(f, seed=1):
        draws.clear()
        icg.noise_tunnel(f, cube, X, n_samples=3, generator=torch.Generator().manual_seed(seed))
        return [torch.cat([x.flatten(), r.double()]) for x, r in draws]

    one, two, other = run(method), run(method), run(method, seed=2)
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert not torch.equal(one[0][4:], one[1][4:])
    held = torch.Generator().manual_seed(9)
    kept = run(partial(method, generator=held))
    assert torch.equal(kept[0][4:].float(), torch.rand(3, generator=torch.Generator().manual_seed(9)))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"kind": "mean"}, "kind to be one of smoothgrad, smoothgrad_sq, vargrad, got 'mean'"),
        ({"n_samples": 0}, "n_samples to be a whole number >= 1, got 0"),
        ({"noise_std": -1}, "noise_std >= 0, got -1"),
        ({"noise_std": (1, 2)}, "noise_std >= 0"),
        ({"return_convergence_delta": True}, "no return_convergence_delta"),
        ({"generator": 0}, "generator to be a torch.Generator or None"),
    ],
)
def test_refused(options, expected):
    with pytest.raises(ValueError, match=expected):
        icg.noise_tunnel(icg.integrated_gradients, cube, X, **options)
    with pytest.raises(ValueError, match="whole numbers have no gradient"):
        icg.noise_tunnel(icg.bshap, cube, X.long())
    with pytest.raises(TypeError, match="did you mean 'n_steps'"):
        icg.noise_tunnel(icg.integrated_gradients, cube, X, n_stpes=3)
