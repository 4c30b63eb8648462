"""Damage: what is drawn must have the distribution that the paper and Loaiza-Ganem & Cunningham (2019) write down."""

import pytest
import torch
from torch import nn
from torch.distributions import ContinuousBernoulli
from torch.overrides import TorchFunctionMode

from icg import damage as d
from icg.certainty import split
from icg.damage import certainty_batch, meaningless

MEANS = [
    0.001,
    0.003,
    0.01,
    0.05,
    0.2,
    0.4,
    0.45,
    0.49,
    0.4999,
    0.49996,
    0.5,
    0.50004,
    0.5001,
    0.51,
    0.7,
    0.9,
    0.99,
    0.999,
]
GRID = (torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000  # midpoints of [0, 1]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# ---- the continuous Bernoulli, parameterised by its mean


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_density_of_the_parameter_found_has_the_mean_asked_for(dtype):
    # Independent of all formulas of the module but the parameter: density ~ exp(logit * c), integrated numerically.
    tolerance = 1e-6 if dtype == torch.float32 else 1e-8
    for mean in MEANS:
        logit = d.continuous_bernoulli_logit(torch.tensor([mean], dtype=dtype)).double()
        density = (logit * (GRID - (logit > 0).double())).exp()
        assert (GRID * density).sum() / density.sum() == pytest.approx(mean, abs=tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_drawn_has_the_mean_asked_for(dtype):
    # The mean of a distribution is the integral of its quantile function.
    for mean in MEANS:
        logit = d.continuous_bernoulli_logit(torch.tensor([mean], dtype=dtype))
        drawn = d.continuous_bernoulli_icdf(GRID.to(dtype), logit)
        assert drawn.dtype == dtype
        assert drawn.double().mean().item() == pytest.approx(mean, abs=1e-6)


def test_mean_and_parameter_are_inverse():
    means = torch.linspace(0.001, 0.999, 4001, dtype=torch.float64)
    torch.testing.assert_close(
        d.continuous_bernoulli_mean(d.continuous_bernoulli_logit(means)), means, atol=1e-10, rtol=0
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nothing_jumps_near_the_uniform_distribution(dtype):
    # The closed forms are 0/0 at mean 0.5. A higher mean must never give a lower certainty for the same draw.
    offsets = torch.logspace(-9, -2, 400, dtype=torch.float64)
    means = torch.cat([0.5 - offsets.flip(0), torch.tensor([0.5], dtype=torch.float64), 0.5 + offsets])
    logits = d.continuous_bernoulli_logit(means)
    assert (logits.diff() > 0).all()
    u = torch.linspace(0, 1, 41, dtype=dtype)
    c = d.continuous_bernoulli_icdf(u[None], logits[:, None].to(dtype))
    assert c.isfinite().all()
    slack = 1e-12 if dtype == torch.float64 else 3e-7  # float32 rounds each value by up to 6e-8
    assert (c.diff(dim=0) >= -slack).all() and (c.diff(dim=1) >= -slack).all()
    assert torch.equal(c[400], u)  # mean 0.5 is uniform


@pytest.mark.parametrize("mean", [0.1, 0.2, 0.35, 0.45, 0.5, 0.6, 0.75, 0.9])
def test_quantiles_are_those_of_torch_where_torch_is_exact(mean):
    logit = d.continuous_bernoulli_logit(torch.tensor(mean, dtype=torch.float64))
    theirs = ContinuousBernoulli(logits=logit)
    assert theirs.mean.item() == pytest.approx(mean, abs=1e-6)
    u = torch.linspace(0, 1, 101, dtype=torch.float64)
    torch.testing.assert_close(d.continuous_bernoulli_icdf(u, logit), theirs.icdf(u), atol=1e-9, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_samples_have_mean_and_variance_of_theory(dtype):
    means = torch.tensor([0.001, 0.05, 0.3, 0.5, 0.8, 0.999], dtype=dtype)
    n = 200_000
    c = d.continuous_bernoulli_certainty(means, (6, n), generator=generator()).double()
    h = d.continuous_bernoulli_logit(means.double()) / 2
    variance = torch.where(h.abs() < 1e-6, 1 / 12, (h**-2 - h.clamp(-300, 300).sinh() ** -2) / 4)
    assert c.min() >= 0 and c.max() <= 1
    assert ((c.mean(1) - means.double()).abs() < 5 * (variance / n).sqrt()).all()  # five standard errors
    torch.testing.assert_close(c.var(1), variance, rtol=0.03, atol=0)


def test_means_0_and_1_are_constants():
    c = d.continuous_bernoulli_certainty(torch.tensor([0.0, 1.0]), (2, 1000), generator=generator())
    torch.testing.assert_close(c, torch.tensor([[0.0], [1.0]]).expand(2, 1000), atol=2e-6, rtol=0)


# ---- the other certainties


def test_bernoulli_certainty_is_binary_with_its_mean_per_image():
    means = torch.tensor([0.0, 0.02, 0.5, 0.98, 1.0], dtype=torch.float64)
    c = d.bernoulli_certainty(means, (5, 1, 300, 300), generator=generator())
    assert c.dtype == torch.float64 and set(c.unique().tolist()) == {0.0, 1.0}
    assert (c[0] == 0).all() and (c[4] == 1).all()
    assert ((c.flatten(1).mean(1) - means).abs() <= 5 * (means * (1 - means) / 90_000).sqrt()).all()


def test_uniform_certainty_is_uniform():
    c = d.uniform_certainty((100_000,), generator=generator(), dtype=torch.float64).sort().values
    assert (c - (torch.arange(100_000) + 0.5) / 100_000).abs().max() < 1.63 / 100_000**0.5  # Kolmogorov-Smirnov, 1 %


@pytest.mark.parametrize("draw", [d.bernoulli_certainty, d.continuous_bernoulli_certainty])
@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
def test_means_outside_0_1_are_refused(draw, wrong):
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        draw(torch.tensor([0.5, wrong]), (2, 1, 4))


@pytest.mark.parametrize("draw", [d.bernoulli_certainty, d.continuous_bernoulli_certainty])
def test_one_mean_per_image_is_expected(draw):
    with pytest.raises(ValueError, match=r"expected one mean per image, shape \(2,\), got \(3,\)"):
        draw(torch.full((3,), 0.5), (2, 1, 4))


# ---- damage data


@pytest.mark.parametrize("n", [2, 3, 17])
def test_another_sample_is_never_the_own_one_and_each_is_used_once(n):
    values = torch.arange(n, dtype=torch.float32).view(n, 1, 1)
    for seed in range(20):
        other = d.another_sample(values, generator=generator(seed))
        assert (other != values).all()
        assert sorted(other.flatten().tolist()) == list(range(n))


def test_another_sample_needs_another_one():
    with pytest.raises(ValueError, match="at least 2 samples, got 1"):
        d.another_sample(torch.zeros(1, 1, 4))


# ---- damage


def test_a_position_is_kept_with_probability_c_and_its_channels_share_the_draw():
    values, lost = torch.zeros(4, 3, 100, 100), torch.ones(4, 3, 100, 100)
    c = torch.tensor([0.0, 0.1, 0.6, 1.0]).view(4, 1, 1, 1).expand(4, 1, 100, 100)
    kept = 1 - d.damage(values, c, lost, generator=generator())
    assert torch.equal(kept[:, :1].expand_as(kept), kept)  # a colour alone is never lost
    share = kept[:, 0].flatten(1).mean(1)
    assert share[0] == 0 and share[3] == 1  # certainty 0 loses everything, certainty 1 nothing
    assert share[1] == pytest.approx(0.1, abs=0.015) and share[2] == pytest.approx(0.6, abs=0.025)


def test_damage_refuses_shapes_that_do_not_fit():
    values = torch.zeros(2, 3, 4)
    with pytest.raises(ValueError, match=r"expected certainty of shape \(2, 1, 4\), got \(2, 3, 4\)"):
        d.damage(values, torch.ones(2, 3, 4), values)
    with pytest.raises(ValueError, match=r"expected damage data of shape \(2, 3, 4\), got \(2, 1, 4\)"):
        d.damage(values, torch.ones(2, 1, 4), torch.zeros(2, 1, 4))


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
def test_damage_refuses_certainties_outside_0_1(wrong):
    certainty = torch.tensor([[[0.5, wrong]]])
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        d.damage(torch.zeros(1, 1, 2), certainty, torch.zeros(1, 1, 2))


def test_damage_extent_is_the_mean_uncertainty():
    assert d.damage_extent(torch.tensor([[[0.0, 0.5]], [[1.0, 1.0]]])).tolist() == [0.75, 0.0]


# ---- the mix


def recognisable(n):
    """Images of one value each, all different and above 1, so that one sees whatever replaced them."""
    return (2 + torch.arange(n) / n).view(n, 1, 1, 1).expand(n, 2, 16, 16)


def kinds_of_damage(n, seed):
    """Which images got binary certainties and which got noise, after checking that every image got one kind."""
    values = recognisable(n)
    damaged, certainty = split(d.mixed_damage(values, mean=torch.full((n,), 0.5), generator=generator(seed)))
    binary = ((certainty == 0) | (certainty == 1)).flatten(1).all(1)
    lost = damaged != values
    noise = (lost & (damaged <= 1)).flatten(1).any(1)
    adversarial = (lost & (damaged >= 2)).flatten(1).any(1)
    assert (noise ^ adversarial).all()  # one or the other, and no image is left undamaged
    assert not lost[certainty.expand_as(lost) == 1].any() and lost[certainty.expand_as(lost) == 0].all()
    return 2 * binary + noise


@pytest.mark.parametrize("n", [80, 82])
def test_mixed_damage_is_a_quarter_of_each_kind_in_random_order(n):
    kinds = kinds_of_damage(n, 0)
    assert all(n // 4 <= count <= -(-n // 4) for count in torch.bincount(kinds, minlength=4).tolist())
    # The same places in every batch would tie the kind of damage to whatever order the data has.
    assert (kinds == kinds_of_damage(n, 1)).sum() < n / 2


def test_extents_of_mixed_damage_are_spread_over_0_1():
    # i.i.d. certainties alone would give every image an extent near 0.5 (A.3.2).
    n = 2000
    extent = d.damage_extent(split(d.mixed_damage(torch.rand(n, 1, 24, 24), generator=generator()))[1]).sort().values
    distance = (extent - (torch.arange(n) + 0.5) / n).abs().max()
    assert distance < 1.63 / n**0.5 + 0.01  # Kolmogorov-Smirnov at 1 %, and the noise of 576 positions


def test_a_given_mean_is_used():
    c = split(d.mixed_damage(torch.rand(40, 1, 50, 50), mean=torch.full((40,), 0.2), generator=generator()))[1]
    assert (c.flatten(1).mean(1) - 0.2).abs().max() < 0.04


def test_the_same_seed_gives_the_same_damage_and_the_global_state_is_untouched():
    values, before = torch.rand(8, 3, 6, 6), torch.get_rng_state()
    first, again, other = (d.mixed_damage(values, generator=generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_damage_does_not_change_its_input():
    values = torch.rand(8, 1, 6, 6)
    copy = values.clone()
    d.mixed_damage(values, generator=generator())
    assert torch.equal(values, copy)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(4, 1, 7), (5, 3, 6, 8)])
def test_mixed_damage_keeps_shape_and_dtype(shape, dtype):
    joined = d.mixed_damage(torch.rand(shape, dtype=dtype), generator=generator())
    assert joined.shape == (shape[0], shape[1] + 1, *shape[2:]) and joined.dtype == dtype


class Count(TorchFunctionMode):
    calls = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.calls += 1
        return function(*args, **(kwargs or {}))


def test_the_work_is_done_for_all_images_at_once():
    # As many torch calls for 400 images as for 4: no loop over images hides anywhere.
    def calls(n):
        with Count() as count:
            d.mixed_damage(torch.rand(n, 1, 4, 4), generator=generator())
        return count.calls

    assert calls(4) == calls(400) > 20


@pytest.mark.parametrize("shape", [(1, 1, 4), (4, 6)])
def test_mixed_damage_refuses_one_image_alone_and_values_without_channels(shape):
    with pytest.raises(ValueError, match=r"at least 2 samples, got 1|at least 3 dimensions"):
        d.mixed_damage(torch.rand(shape))


# ---- blocks


def test_a_block_is_kept_or_lost_as_one_with_the_probability_that_its_certainty_says():
    values = torch.full((4000, 1, 9, 11), 2.0)  # damage data come from [0, 1] or from the batch marked by its number
    values = values + torch.arange(4000).view(-1, 1, 1, 1)
    joined = d.block_damage(values, whole=1.0, generator=torch.Generator().manual_seed(0))
    shown, certainty = joined[:, :1].flatten(1), joined[:, 1:].flatten(1)
    assert (certainty == certainty[:, :1]).all() and 0 <= certainty.min() and certainty.max() <= 1
    kept = shown == values.flatten(1)
    assert (kept == kept[:, :1]).all()
    c, kept = certainty[:, 0], kept[:, 0].float()
    for low in (0.0, 0.25, 0.5, 0.75):
        some = (c >= low) & (c < low + 0.25)
        assert kept[some].mean().item() == pytest.approx(c[some].mean().item(), abs=0.04)
    noise = (shown[kept == 0].max(1).values <= 1).float().mean()
    assert noise.item() == pytest.approx(0.5, abs=0.04)  # the rest comes from another sample
    other = shown[kept == 0][shown[kept == 0].min(1).values > 1]
    assert (other == other[:, :1]).all()  # one other sample, all of it


def test_blocks_are_rectangles_and_their_number_is_bounded():
    joined = d.block_damage(torch.rand(60, 1, 24, 24), whole=0.0, generator=torch.Generator().manual_seed(1))
    levels = torch.tensor([len(c.unique()) for c in joined[:, 1]])
    assert levels.max() <= (d.BLOCKS + 1) ** 2 and 15 < int((levels == 1).sum()) < 50 and levels.float().std() > 5
    for c in joined[:, 1]:  # cut along the lines where anything changes: every piece has one certainty
        rows, columns = ((c.diff(dim=k) != 0).any(1 - k).nonzero().flatten() + 1 for k in (0, 1))
        for band in c.tensor_split(rows, 0):
            assert all(len(piece.unique()) == 1 for piece in band.tensor_split(columns, 1))


def runs(certainty):
    """How many rows in a row have the same certainty, one list for each input ``(H, W)``."""
    return [c[:, 0].unique_consecutive(return_counts=True)[1] for c in certainty]


@pytest.mark.parametrize("least", [1, 4, 8])
def test_blocks_are_no_larger_than_least_allows(least):
    values = torch.rand(400, 1, 24, 24)
    joined = d.block_damage(values, whole=0.0, least=least, generator=torch.Generator().manual_seed(1))
    cut = [c for c in joined[:, 1] if len(c.unique()) > 1]  # the others have one certainty for all blocks
    assert len(cut) > 120 and min(len(c.unique()) for c in cut) >= least**2
    largest = max(rows.max().item() for rows in runs(cut))
    assert largest == 24 // max(least, 2)  # one block has one certainty, so that is not cut
    joined = d.block_damage(values, whole=1.0, least=least, generator=torch.Generator().manual_seed(1))
    kept = (joined[:, :1] == values).flatten(1)
    assert (kept == kept[:, :1]).all()  # whole is whole, whatever least is


@pytest.mark.parametrize("shape", [(6, 1, 12), (6, 3, 8, 8), (6, 1, 4, 6, 5)])
def test_block_damage_takes_any_number_of_axes_and_the_same_seed_gives_the_same(shape):
    values = torch.rand(shape)
    a, b = (d.block_damage(values, generator=torch.Generator().manual_seed(3)) for _ in range(2))
    assert a.shape == (6, shape[1] + 1, *shape[2:]) and torch.equal(a, b)
    assert a[:, -1].min() >= 0 and a[:, -1].max() <= 1


def test_random_blocks_have_one_size_but_for_those_at_the_edges():
    per_axis = torch.arange(1, 9).repeat(50)
    block = d.random_blocks(per_axis, (40, 60), generator=torch.Generator().manual_seed(4))
    assert block.shape == (400, 40, 60) and 0 <= block.min() and block.max() < 81
    assert (block[per_axis == 1] == 0).all()
    starts = []
    for k, numbers in zip(per_axis.tolist(), block, strict=True):
        assert k**2 <= len(numbers.unique()) <= (k + 1) ** 2
        _, rows = numbers[:, 0].unique_consecutive(return_counts=True)
        assert all(abs(n - 40 / k) < 1 for n in rows[1:-1].tolist()) and rows.max() <= 40 / k + 1
        starts.append(rows[0].item() / (40 / k))
    assert torch.tensor(starts)[per_axis > 1].std() > 0.2  # at a random place
    assert d.random_blocks(torch.tensor([12]), (5,), most=12).unique().numel() == 5


def test_block_damage_says_what_is_wrong():
    with pytest.raises(ValueError, match="whole in"):
        d.block_damage(torch.rand(4, 1, 4, 4), whole=1.5)
    with pytest.raises(ValueError, match="at least 2 samples"):
        d.block_damage(torch.rand(1, 1, 4, 4))
    with pytest.raises(ValueError, match=r"least in 1..8, got 9"):
        d.block_damage(torch.rand(4, 1, 4, 4), least=9)


def test_certainty_batch_damages_and_hides_the_shares_asked_for():
    values, targets = torch.rand(40, 1, 8, 8), torch.arange(40) % 3
    copy, prior = values.clone(), torch.tensor([0.5, 0.3, 0.2])
    generator = torch.Generator().manual_seed(0)
    inputs, soft = certainty_batch(values, targets, damaged=0.5, absent=0.25, prior=prior, generator=generator)
    shown, certainty = split(inputs)
    hard = nn.functional.one_hot(targets, 3).float()

    mean = certainty.flatten(1).mean(1)
    assert ((mean[:20] > 0) & (mean[:20] < 1)).sum() >= 18 and torch.equal(soft[:20], hard[:20])
    assert (mean[20:30] == 1).all() and torch.equal(shown[20:30], values[20:30])  # these are as they were
    assert torch.equal(soft[20:30], hard[20:30])
    assert (mean[30:] == 0).all() and (soft[30:] == prior).all()  # nothing is known: the prior is the right answer
    assert torch.equal(values, copy)


def test_certainty_batch_puts_blocks_between_the_damaged_and_the_whole():
    values, targets = torch.rand(20, 1, 8, 8), torch.zeros(20, dtype=torch.long)
    shares = {"damaged": 0.25, "blocks": 0.5, "absent": 0.0}
    generator = torch.Generator().manual_seed(0)
    inputs, soft = certainty_batch(values, targets, prior=torch.tensor([1.0, 0.0]), generator=generator, **shares)
    levels = torch.tensor([len(c.unique()) for c in split(inputs)[1]])
    assert (levels[:5] > 1).all() and (levels[15:] == 1).all() and torch.equal(inputs[15:, :1], values[15:])
    assert (levels[5:15] <= 81).all() and (levels[5:15] == 1).any() and (soft.argmax(1) == 0).all()
    with pytest.raises(ValueError, match="blocks in"):
        certainty_batch(values, targets, damaged=0.6, blocks=0.5, absent=0.0, prior=soft[0], generator=generator)


@pytest.mark.parametrize("whole", [0.0, 1.0])
def test_certainty_batch_says_how_many_blocked_inputs_are_one_block(whole):
    values, targets = torch.rand(60, 1, 8, 8), torch.zeros(60, dtype=torch.long)
    shares = {"damaged": 0.0, "blocks": 1.0, "absent": 0.0, "whole": whole}
    inputs, _ = certainty_batch(values, targets, prior=torch.tensor([1.0, 0.0]), generator=generator(), **shares)
    levels = torch.tensor([len(c.unique()) for c in split(inputs)[1]])
    assert (levels == 1).all() if whole else (levels > 1).sum() >= 20  # the others have one certainty for all blocks
    inputs, _ = certainty_batch(
        values, targets, prior=torch.tensor([1.0, 0.0]), generator=generator(), **shares, least=8
    )
    small = torch.tensor([len(c.unique()) for c in split(inputs)[1]])
    assert (small == 1).all() if whole else (small[small > 1] == 64).sum() >= 20  # each pixel is a block of its own


def test_nothing_damaged_nothing_absent_is_the_batch_itself():
    values, targets = torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 1, 0])
    prior, generator = torch.full((2,), 0.5), torch.Generator().manual_seed(0)
    inputs, soft = certainty_batch(values, targets, damaged=0, absent=0, prior=prior, generator=generator)
    assert torch.equal(inputs[:, :1], values) and (inputs[:, 1] == 1).all()
    assert torch.equal(soft.argmax(1), targets) and set(soft.unique().tolist()) == {0, 1}


def test_meaningless_values_are_images_noise_one_or_two_grey_levels():
    values = torch.rand(800, 1, 6, 6, generator=torch.Generator().manual_seed(1))
    shown = meaningless(values, generator=torch.Generator().manual_seed(0))
    levels = torch.tensor([len(v.unique()) for v in shown])
    image = (shown == values).flatten(1).all(1)
    # Two levels of a very uneven mixture can look like one.
    for count, expected in ((image, 200), ((levels > 2) & ~image, 200), (levels == 2, 190), (levels == 1, 210)):
        assert abs(int(count.sum()) - expected) < 45
    assert shown.min() >= 0 and shown.max() <= 1


def test_uniform_certainty_is_drawn_where_it_is_wanted():
    assert d.uniform_certainty((2, 1, 3), device="meta").device.type == "meta"
    drawn = d.uniform_certainty((2, 3), generator=torch.Generator().manual_seed(0))
    assert torch.equal(drawn, torch.rand(2, 3, generator=torch.Generator().manual_seed(0)))


def test_blocks_are_as_many_as_eight_along_an_axis():
    joined = d.block_damage(torch.rand(600, 1, 64), whole=0.0, generator=torch.Generator().manual_seed(0))
    assert max(len(certainty.unique()) for certainty in joined[:, 1]) == 9  # eight of them, cut at a random place


@pytest.mark.parametrize("n", range(2, 10))
@pytest.mark.parametrize("shares", [(0.5, 0.0, 0.5), (0.0, 0.5, 0.5), (0.3, 0.3, 0.4), (0.25, 0.5, 0.25)])
def test_shares_of_a_small_batch_fit_into_it(n, shares):
    damaged, absent, blocks = shares
    values, targets = torch.rand(n, 1, 6), torch.zeros(n, dtype=torch.long)
    options = {"prior": torch.tensor([0.5, 0.5]), "generator": torch.Generator().manual_seed(0)}
    joined, soft = certainty_batch(values, targets, damaged=damaged, absent=absent, blocks=blocks, **options)
    gone = round(absent * n)
    assert joined.shape == (n, 2, 6) and (joined[:, 1] == 0).all(1).sum() >= gone
    assert (soft[n - gone :] == 0.5).all() and (soft[: n - gone, 0] == 1).all()
