"""Intervals: they cover what they say, and refuse what they can't say."""

import math

import pytest
import torch

from icg_book.kit import intervals


def test_the_interval_covers_the_true_mean_in_about_95_of_100_experiments():
    g = torch.Generator().manual_seed(0)
    experiments = torch.rand(400, 60, generator=g).square()  # skewed, with mean 1/3
    inside = 0
    for values in experiments:
        interval = intervals.mean_interval(values, n_resamples=500)
        inside += interval.low <= 1 / 3 <= interval.high
    assert 0.91 <= inside / 400 <= 0.98


def test_the_interval_has_the_width_of_theory_and_is_reproducible():
    values = torch.randn(400, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    interval = intervals.mean_interval(values)
    assert interval == intervals.mean_interval(values) and interval.n == 400
    assert interval.mean == pytest.approx(values.mean().item())
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * values.std().item() / 20, rel=0.08)


def test_values_that_do_not_apply_are_left_out():
    assert intervals.mean_interval(torch.tensor([math.nan, 2.0, math.nan])) == (2, 2, 2, 1)
    with pytest.raises(ValueError, match="at least one value that is not NaN"):
        intervals.mean_interval(torch.tensor([math.nan]))


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"), [(0, 10, 0, 0.2775), (10, 10, 0.7225, 1), (81, 263, 0.2553, 0.3662)]
)
def test_wilsons_interval(hits, n, low, high):
    # The third case is the worked example of Newcombe (1998), table I.
    assert intervals.wilson(hits, n) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize(("hits", "n"), [(-1, 5), (6, 5), (0, 0)])
def test_impossible_counts_are_refused(hits, n):
    with pytest.raises(ValueError, match="expected 0 <= hits <= n"):
        intervals.wilson(hits, n)


def test_the_interval_over_a_few_trainings_is_students():
    from scipy import stats

    for n in range(2, 11):
        values = torch.rand(n, generator=torch.Generator().manual_seed(n)).tolist()
        found = intervals.interval(values)
        expected = stats.t.interval(0.95, n - 1, loc=sum(values) / n, scale=stats.sem(values))
        assert (found["low"], found["high"]) == pytest.approx(expected, abs=1e-5) and found["values"] == values
        assert found["mean"] == pytest.approx(sum(values) / n)
    assert intervals.interval([1.0, None]) == {"mean": None, "low": None, "high": None, "values": [1.0, None]}


@pytest.mark.parametrize("n", [0, 1, 11])
def test_the_interval_of_too_few_or_too_many_trainings_is_refused(n):
    with pytest.raises(ValueError, match=f"expected 2 to 10 values, got {n}"):
        intervals.interval([1.0] * n)
