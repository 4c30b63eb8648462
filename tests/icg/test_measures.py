"""Measures: on maps and models made by hand, where the right number is known."""

import math

import pytest
import torch
from torch import nn

from icg import measures as m
from icg.certainty import join


def grid(text):
    """A map or mask ``(1, 1, H, W)`` from rows of numbers."""
    return torch.tensor([[float(v) for v in row.split()] for row in text.strip().splitlines()])[None, None]


# ---- attributions against a ground truth


def test_mass_share_counts_absolute_values_inside():
    maps = torch.cat([grid("1 -3\n0 4"), grid("0 0\n0 0")])
    mask = grid("0 1\n0 0").bool().expand(2, 1, 2, 2)
    assert m.mass_share(maps, mask).tolist() == [3 / 8, 0]  # a map of zeros has nothing anywhere


def test_mass_share_of_channels_is_not_lost_when_they_cancel():
    maps = torch.cat([grid("2 1"), grid("-2 1")], 1)
    assert m.mass_share(maps, grid("1 0")).tolist() == [4 / 6]


def test_mass_share_over_a_partition_sums_to_one():
    maps = torch.randn(5, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    mask = torch.rand(5, 1, 4, 4, generator=torch.Generator().manual_seed(1)) < 0.4
    torch.testing.assert_close(m.mass_share(maps, mask) + m.mass_share(maps, ~mask), torch.ones(5).double())


@pytest.mark.parametrize(
    ("text", "hit"),
    [
        ("0 2\n1 0", 1),
        ("0 1\n2 0", 0),
        ("3 1\n2 -9", 0),  # the largest positive value, not the largest size
        ("0 2\n1 -9", 1),
        ("-3 -1\n-2 -9", 0),  # nothing speaks for the class
        ("-3 0\n-2 -9", 0),
        ("0 0\n0 0", 0),
    ],
)
def test_pointing_game(text, hit):
    assert m.pointing_game(grid(text), grid("0 1\n0 0")).tolist() == [hit]


def test_pointing_game_looks_at_the_sum_over_channels():
    maps = torch.cat([grid("3 2"), grid("-2 1")], 1)
    assert m.pointing_game(maps, grid("0 1")).tolist() == [1]


def quantus_scores(metric, maps, masks, **options):
    """What the library quantus says of one-channel maps: ``(N,)``."""
    given = {"x_batch": torch.zeros_like(maps), "a_batch": maps, "s_batch": masks}
    given = {name: tensor.numpy() for name, tensor in given.items()}
    metric = metric(normalise=False, disable_warnings=True, **options)
    labels = torch.zeros(len(maps), dtype=torch.long).numpy()
    return [float(score) for score in metric(model=nn.Identity(), y_batch=labels, device="cpu", **given)]


def test_mass_share_and_pointing_game_are_those_of_quantus():
    import quantus

    g = torch.Generator().manual_seed(0)
    maps, masks = (
        torch.randn(200, 1, 6, 7, generator=g, dtype=torch.float64),
        torch.rand(200, 1, 6, 7, generator=g) < 0.3,
    )
    share, hit = m.mass_share(maps, masks), m.pointing_game(maps, masks)
    assert share.tolist() == pytest.approx(
        quantus_scores(quantus.RelevanceMassAccuracy, maps, masks, abs=True), abs=1e-12
    )
    assert hit.tolist() == quantus_scores(quantus.PointingGame, maps, masks, abs=False)
    assert 0.2 < hit.mean() < 0.4 and share.std() > 0.05  # both answers occur


OBJECTS = grid("1 0 0 0 2 0 0 0 7")  # far enough apart that growing by one pixel doesn't join them


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("9 0 0 0 9 0 0 0 9", 3),
        ("10 0 0 0 1 0 0 0 0.99", 2),  # 10 % of the maximum is enough, a little less is not
        ("1 0 0 0 1 0 -20 0 2", 1),  # the maximum is that of the absolute value
        ("0 5 0 5 0 0 0 0 0", 2),  # an edge belongs to its object
        ("0 0 5 0 0 0 5 0 0", 0),  # two pixels away does not
        ("-5 0 0 0 5 0 0 0 0", 1),  # found means: speaks for the class
        ("0 0 0 0 0 0 0 0 0", 0),
    ],
)
def test_object_recall_and_objects_found(text, found):
    assert m.objects_found(grid(text), OBJECTS).tolist() == [found]
    assert m.object_recall(grid(text), OBJECTS).tolist() == [found / 3]


def test_threshold_and_growth_can_be_chosen():
    maps = grid("10 0 0 0 4 0 0 1 0")
    assert m.objects_found(maps, OBJECTS).tolist() == [3]
    assert m.objects_found(maps, OBJECTS, threshold=0.5).tolist() == [1]
    assert m.objects_found(maps, OBJECTS, pixels=0).tolist() == [2]


def test_recall_is_not_defined_without_objects_and_counts_each_image_for_itself():
    maps = torch.cat([grid("1 0 0 0 0 0 0 0 0")] * 3)
    objects = torch.cat([OBJECTS, grid("1 0 0 0 0 0 0 0 0"), torch.zeros_like(OBJECTS)])
    recall = m.object_recall(maps, objects)
    assert recall[:2].tolist() == [1 / 3, 1] and recall[2].isnan()
    assert m.objects_found(maps, objects).tolist() == [1, 1, 0]


def test_dilation_grows_in_eight_directions_and_stays_in_its_image():
    mask = torch.zeros(2, 1, 5, 5, dtype=torch.bool)
    mask[0, 0, 0, 2] = True
    grown = m.dilate(mask)
    assert grown[0, 0].int().tolist() == [[0, 1, 1, 1, 0], [0, 1, 1, 1, 0], [0] * 5, [0] * 5, [0] * 5]
    assert not grown[1].any()
    assert m.dilate(mask, 2)[0].sum() == 15 and torch.equal(m.dilate(mask, 0), mask)


@pytest.mark.parametrize("measure", [m.mass_share, m.pointing_game, m.object_recall])
def test_a_mask_of_another_shape_is_refused(measure):
    with pytest.raises(ValueError, match=r"expected a mask of shape \(2, 1, 4, 4\), got \(2, 3, 4, 4\)"):
        measure(torch.zeros(2, 3, 4, 4), torch.ones(2, 3, 4, 4))


# ---- intervals


# ---- agreement


def test_rank_correlation_is_scipys_ties_included():
    from scipy import stats

    g = torch.Generator().manual_seed(0)
    a = torch.randint(-3, 4, (6, 1, 5, 8), generator=g).float()  # many ties
    b = a + 2 * torch.randn(a.shape, generator=g)
    b[3] = (b[3] > 0).float()  # nothing but ties
    found = m.rank_correlation(a, b)
    expected = [stats.spearmanr(x.flatten(), y.flatten()).statistic for x, y in zip(a, b, strict=True)]
    assert found.tolist() == pytest.approx(expected, abs=1e-12) and found.dtype == torch.float64


def test_rank_correlation_sees_the_order_alone():
    a = torch.randn(4, 1, 3, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(m.rank_correlation(a, a.exp() * 7), torch.ones(4).double())
    torch.testing.assert_close(m.rank_correlation(a, -a), -torch.ones(4).double())
    # One swap of neighbours among n: 1 - 6 * 2 / (n (n^2 - 1)).
    swapped = m.rank_correlation(torch.tensor([[1.0, 2, 3, 4, 5]]), torch.tensor([[1.0, 2, 3, 5, 4]]))
    assert swapped.item() == pytest.approx(1 - 12 / (5 * 24))


def test_rank_correlation_of_a_map_without_differences_is_not_defined():
    a = torch.tensor([[0.1, 0.1, 0.1], [1.0, 2.0, 3.0]])
    found = m.rank_correlation(a, torch.tensor([[1.0, 2.0, 3.0], [3.0, 1.0, 2.0]]))
    assert found[0].isnan() and found[1].item() == pytest.approx(-0.5)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (torch.zeros(2, 3), torch.zeros(3, 2), r"one shape, got \(2, 3\) and \(3, 2\)"),
        (torch.zeros(3), torch.zeros(3), "one shape"),
        (torch.tensor([[1.0, math.nan]]), torch.zeros(1, 2), "finite"),
    ],
)
def test_rank_correlation_refuses_what_it_cannot_compare(a, b, expected):
    with pytest.raises(ValueError, match=expected):
        m.rank_correlation(a, b)


# ---- a model's understanding of certainty


class Sum(nn.Module):
    """The log-odds of class 1 are ``bias`` + sum of (value x certainty), or of the values alone if ``reads_lost``."""

    certainty_aware = True

    def __init__(self, bias=0.0, reads_lost=False):
        super().__init__()
        self.bias, self.reads_lost = bias, reads_lost

    def forward(self, joined):
        values, certainty = joined[:, :-1], joined[:, -1:]
        score = self.bias + (values if self.reads_lost else values * certainty).flatten(1).sum(1)
        return torch.stack([torch.zeros_like(score), score], 1)


def test_information_absence_of_a_model_that_ignores_lost_values():
    absence = m.information_absence(Sum(bias=math.log(3)), torch.rand(20, 1, 4, 4))
    assert absence == {k: pytest.approx(v, abs=1e-6) for k, v in dict(mean=0.75, sd=0, low=0.75, high=0.75).items()}
    assert absence["sd"] == 0


def test_information_absence_of_a_model_that_reads_them_all_the_same():
    values = torch.tensor([math.log(3), -math.log(3)] * 2).view(4, 1, 1)  # probabilities 3/4 and 1/4
    absence = m.information_absence(Sum(reads_lost=True), values)
    expected = {"mean": 0.5, "sd": 0.25 * (4 / 3) ** 0.5, "low": 0.25, "high": 0.75}
    assert absence == {k: pytest.approx(v, abs=1e-6) for k, v in expected.items()}


def test_neutrality_is_the_distance_from_the_class_frequencies():
    values = torch.rand(10, 1, 3)
    assert m.neutrality(Sum(), values, torch.tensor([0.5, 0.5])) == 0
    assert m.neutrality(Sum(bias=math.log(3)), values, torch.tensor([0.5, 0.5])) == pytest.approx(0.25, abs=1e-6)
    assert m.neutrality(Sum(bias=math.log(3)), values, torch.tensor([0.25, 0.75])) == pytest.approx(0, abs=1e-6)


def test_probabilities_use_the_certainty_of_each_input_in_any_batch_size_and_leave_the_model_alone():
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(8, 3))
    values, certainty = torch.rand(7, 1, 4), torch.rand(7, 1, 4)
    state = torch.get_rng_state()
    p = m.probabilities(model, values, certainty)
    assert model.training and all(q.requires_grad for q in model.parameters())
    torch.testing.assert_close(p, m.probabilities(model, values, certainty, batch_size=2))  # and so without dropout
    torch.testing.assert_close(p, model.eval()(join(values, certainty)).softmax(1))
    assert not p.requires_grad and torch.equal(torch.get_rng_state(), state)


def test_band_absence_is_zero_for_a_model_that_ignores_lost_values():
    inputs = join(torch.full((2, 1, 8, 8), 0.02))
    band = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    band[:, :, 2:4] = True  # a quarter of the image
    masked, unmasked = m.band_absence(Sum(), inputs, band, 0.0)
    assert masked.tolist() == [0, 0]
    torch.testing.assert_close(unmasked, torch.full((2,), 0.25).double())
    masked, unmasked = m.band_absence(Sum(reads_lost=True), inputs, band, 1.0)
    torch.testing.assert_close(masked, torch.full((2,), 0.25).double())  # it reads what it was told not to
    torch.testing.assert_close(unmasked, masked)


def test_band_absence_keeps_what_else_is_uncertain():
    # Only the band is set to 0: certainties outside of it stay as they are.
    certainty = torch.tensor([1.0, 1.0, 0.5, 0.0]).view(1, 1, 1, 4)
    band = torch.tensor([True, False, False, False]).view(1, 1, 1, 4)
    masked, unmasked = m.band_absence(Sum(), join(torch.full((1, 1, 1, 4), 0.1), certainty), band, 0.0)
    assert masked.item() == 0 and unmasked.item() == pytest.approx(1 / 2.5)
