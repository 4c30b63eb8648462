"""The certainty channel: one more channel, last along dim 1, and back again."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from icg.certainty import is_certainty_aware, join, split

shapes = st.builds(
    lambda n, c, rest: (n, c, *rest),
    st.integers(0, 3),
    st.integers(1, 4),
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
)


@settings(max_examples=50, deadline=None)
@given(shape=shapes, dtype=st.sampled_from([torch.float32, torch.float64]), seed=st.integers(0, 99))
def test_split_undoes_join_and_join_undoes_split(shape, dtype, seed):
    g = torch.Generator().manual_seed(seed)
    values = torch.rand(shape, generator=g, dtype=dtype)
    certainty = torch.rand((shape[0], 1, *shape[2:]), generator=g, dtype=dtype)
    joined = join(values, certainty)
    assert joined.shape == (shape[0], shape[1] + 1, *shape[2:]) and joined.dtype == dtype
    again = split(joined)
    assert torch.equal(again[0], values) and torch.equal(again[1], certainty)
    assert torch.equal(join(*again), joined)


def test_certainty_is_the_last_channel():
    joined = join(torch.full((2, 3, 4, 5), 0.25), 0.75)
    assert (joined[:, :3] == 0.25).all() and (joined[:, 3] == 0.75).all()


def test_certainty_is_one_when_nothing_is_said():
    assert (split(join(torch.rand(2, 1, 6)))[1] == 1).all()


def test_one_map_serves_the_whole_batch():
    certainty = torch.tensor([0.0, 0.5, 1.0])
    assert torch.equal(split(join(torch.rand(4, 2, 3), certainty))[1], certainty.expand(4, 1, 3))


def test_split_gives_views_so_that_it_costs_nothing():
    joined = join(torch.zeros(1, 1, 3))
    values, certainty = split(joined)
    values += 5
    certainty -= 1
    assert joined.tolist() == [[[5, 5, 5], [0, 0, 0]]]


@pytest.mark.parametrize("wrong", [-0.01, 1.01, float("nan"), float("inf")])
def test_certainty_outside_0_1_is_refused_as_number_and_in_a_map(wrong):
    certainty = torch.full((2, 1, 3), 0.5)
    certainty[1, 0, 2] = wrong  # one bad position is enough
    for c in (wrong, certainty):
        with pytest.raises(ValueError, match=r"expected certainty in \[0, 1\], got"):
            join(torch.zeros(2, 1, 3), c)


@pytest.mark.parametrize("shape", [(3, 1, 4), (2, 2, 4), (2, 1, 5), (2, 1, 4, 1), (1, 2, 1, 4)])
def test_certainty_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError) as error:
        join(torch.zeros(2, 2, 4), torch.ones(shape))
    assert "(2, 1, 4)" in str(error.value) and str(shape) in str(error.value)  # what was expected, and what came


@pytest.mark.parametrize("shape", [(), (4,), (2, 4)])
def test_values_without_a_channel_dimension_are_refused(shape):
    with pytest.raises(ValueError, match="at least 3 dimensions") as error:
        join(torch.zeros(shape))
    assert str(shape) in str(error.value)


def test_whole_number_values_are_refused():
    # Cast to int64, a certainty of 0.5 would silently become 0.
    with pytest.raises(ValueError, match="float"):
        join(torch.zeros(1, 1, 4, dtype=torch.int64), 0.5)


@pytest.mark.parametrize("shape", [(2, 4), (2, 1, 4), (2, 1, 4, 4)])
def test_split_refuses_what_has_no_channel_for_values(shape):
    with pytest.raises(ValueError, match="2 channels") as error:
        split(torch.zeros(shape))
    assert str(shape) in str(error.value)


def test_a_model_is_certainty_aware_only_if_it_says_so():
    model = torch.nn.Linear(2, 2)
    assert not is_certainty_aware(model)
    model.certainty_aware = True
    assert is_certainty_aware(model)
    assert not is_certainty_aware(lambda x: x)
