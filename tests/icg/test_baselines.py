"""Baselines: each sampler does what its name says, for any input shape."""

import pytest
import torch

from icg import baselines as b

SHAPES = [(3, 6), (3, 1, 6), (3, 2, 8, 7)]
EVERY_KIND = {
    "zero": lambda data: b.zero(),
    "constant": lambda data: b.constant(0.3),
    "middle": lambda data: b.middle(),
    "mean": b.mean,
    "every": b.every,
    "uniform noise": lambda data: b.uniform_noise(n_samples=2),
    "maximum distance": lambda data: b.maximum_distance(),
    "blurred": lambda data: b.blurred(1.5),
    "Gaussian noise": lambda data: b.gaussian_noise(n_samples=2),
    "data": lambda data: b.data(data, n_samples=2),
}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def values_of(shape, dtype=torch.float64):
    return torch.rand(shape, generator=generator(5), dtype=dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", EVERY_KIND)
def test_any_shape_and_dtype_reproducibly_and_without_side_effects(kind, shape, dtype):
    baseline = EVERY_KIND[kind](torch.rand(4, *shape[1:], generator=generator(9)))
    values = values_of(shape, dtype)
    copy, state = values.clone(), torch.get_rng_state()
    starts = baseline.starts(values, generator(1))
    assert starts.shape == (baseline.n_samples, *shape) and starts.dtype == dtype and starts.isfinite().all()
    assert torch.equal(starts, baseline.starts(values, generator(1)))
    assert torch.equal(values, copy) and torch.equal(torch.get_rng_state(), state)
    assert starts.min() >= 0 and starts.max() <= 1  # images stay images


def test_constants_are_constant():
    values = values_of((2, 3, 4))
    assert (b.zero().starts(values) == 0).all()
    assert (b.constant(0.3).starts(values) == 0.3).all()
    assert (b.middle(-1, 2).starts(values) == 0.5).all()
    row = torch.arange(4.0)  # a tensor that broadcasts
    assert torch.equal(b.constant(row).starts(values)[0], row.double().expand(2, 3, 4))


def test_mean_is_taken_over_the_data_component_by_component():
    data = torch.tensor([[0.0, 1.0], [1.0, 3.0]])
    assert b.mean(data).starts(torch.zeros(3, 2))[0].tolist() == [[0.5, 2.0]] * 3


def test_every_goes_through_the_baselines_in_their_order():
    data = values_of((4, 5))
    starts = b.every(data).starts(torch.zeros(2, 5, dtype=torch.float64))
    assert torch.equal(starts, data[:, None].expand(4, 2, 5))


def test_uniform_noise_is_uniform_and_fresh_for_every_draw():
    starts = b.uniform_noise(-1, 3, n_samples=2).starts(torch.zeros(50, 1000, dtype=torch.float64))
    drawn = starts[0].flatten().sort().values
    n = len(drawn)
    assert (drawn - (-1 + 4 * (torch.arange(n) + 0.5) / n)).abs().max() < 4 * 1.63 / n**0.5  # Kolmogorov-Smirnov
    assert torch.corrcoef(starts.flatten(1))[0, 1].abs() < 0.02


def test_maximum_distance_is_the_far_end_of_the_range():
    values = torch.tensor([[0.0, 0.4, 0.6, 1.0]], dtype=torch.float64)
    assert b.maximum_distance().starts(values)[0].tolist() == [[1, 1, 0, 0]]
    assert b.maximum_distance(-0.1, 0.7).starts(values)[0].tolist() == [[0.7, -0.1, -0.1, -0.1]]  # exact in float64


def test_blurring_leaves_constant_images_and_about_the_mean():
    flat = torch.full((2, 3, 20, 30), 0.4, dtype=torch.float64)
    torch.testing.assert_close(b.blurred(3).starts(flat)[0], flat)
    values = values_of((2, 3, 40, 30))
    blurred = b.blurred(3).starts(values)[0]
    torch.testing.assert_close(blurred.mean((2, 3)), values.mean((2, 3)), atol=0.02, rtol=0)
    assert blurred.std() < 0.2 * values.std()


def test_blurring_has_the_width_asked_for_and_is_the_same_in_both_directions():
    dot = torch.zeros(1, 1, 61, 61, dtype=torch.float64)
    dot[..., 30, 30] = 1
    blurred = b.blurred(4).starts(dot)[0, 0, 0]
    offset = (torch.arange(61) - 30.0).double() ** 2
    assert (blurred.sum(0) * offset).sum().sqrt() == pytest.approx(4, rel=0.03)  # 0.03: cut at 3 standard deviations
    torch.testing.assert_close(blurred, blurred.T)


def test_blurring_does_not_mix_images_or_channels():
    values = values_of((2, 2, 9, 9))
    changed = values.clone()
    changed[1, 1] += 1
    before, after = b.blurred(2).starts(values)[0], b.blurred(2).starts(changed)[0]
    different = (before != after).flatten(2).any(2)
    assert different.tolist() == [[False, False], [False, True]]


def test_gaussian_noise_has_its_mean_and_deviation_and_can_be_clipped():
    values = torch.full((20, 5000), 0.5, dtype=torch.float64)
    noise = b.gaussian_noise(0.1, n_samples=2, clip=None).starts(values) - values
    assert noise.mean().abs() < 0.001 and noise.std() == pytest.approx(0.1, rel=0.02)
    assert noise.pow(4).mean() / noise.pow(2).mean() ** 2 == pytest.approx(3, rel=0.05)  # the kurtosis of a Gaussian
    assert torch.corrcoef(noise.flatten(1))[0, 1].abs() < 0.02  # a fresh draw every time
    clipped = b.gaussian_noise(2.0, n_samples=1, clip=(0.2, 0.9)).starts(values)
    assert clipped.min() == 0.2 and clipped.max() == 0.9


def test_data_draws_members_uniformly_for_each_input_and_draw():
    data = torch.arange(5.0).view(5, 1).expand(5, 3)
    starts = b.data(data, n_samples=400).starts(torch.zeros(10, 3))
    assert (starts == starts[..., :1]).all()  # whole members, not mixtures
    share = torch.bincount(starts[..., 0].flatten().long(), minlength=5) / 4000
    assert len(share) == 5 and (share - 0.2).abs().max() < 0.03
    assert (starts[:, :1] != starts).any()  # inputs don't share their draws


@pytest.mark.parametrize("make", [b.mean, b.every, b.data])
@pytest.mark.parametrize(
    "wrong", [torch.zeros(0, 3), torch.zeros(4), torch.zeros(2, 3, dtype=torch.int64), [[0.0, 1.0]]], ids=repr
)
def test_data_must_be_a_floating_tensor_with_members(make, wrong):
    with pytest.raises(ValueError, match="expected (data|baselines|samples) to be a non-empty floating tensor .* got"):
        make(wrong)


@pytest.mark.parametrize("n_samples", [0, -1, 2.0])
def test_at_least_one_draw(n_samples):
    with pytest.raises(ValueError, match=f"n_samples.*>= 1, got {n_samples}"):
        b.gaussian_noise(0.1, n_samples=n_samples)


@pytest.mark.parametrize("wrong", [-0.1, float("nan")])
def test_widths_are_positive(wrong):
    with pytest.raises(ValueError, match=f"std >= 0, got {wrong}"):
        b.gaussian_noise(wrong)
    for sigma in (wrong, 0.0):
        with pytest.raises(ValueError, match=f"sigma > 0, got {sigma}"):
            b.blurred(sigma)
