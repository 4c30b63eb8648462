"""Deletion and insertion on models whose curves are known in closed form."""

from itertools import permutations

import pytest
import torch
from torch import nn

from icg import baselines
from icg.attribution import integrated_gradients
from icg.certainty import join
from icg.deletion import Curves, deletion_curves, insertion_curves, ranking, without_certainty

WEIGHTS = torch.tensor([0.5, -2.0, 3.0, 1.0, -0.25])


def linear(x):
    return (x * WEIGHTS).flatten(1).sum(1)


def rank_of(order):
    """The rank map ``(1, 1, P)`` of an order in which positions have their turn."""
    rank = torch.empty(1, 1, len(order), dtype=torch.long)
    rank[0, 0, list(order)] = torch.arange(len(order))
    return rank


class Recorder(nn.Module):
    """Keeps every point that it is shown; says 0."""

    def __init__(self):
        super().__init__()
        self.points = []

    def forward(self, x):
        self.points.append(x.clone())
        return torch.zeros(len(x))


# ---- the order


def test_the_most_positive_comes_first():
    assert ranking(torch.tensor([[[0.2, -3.0, 5.0, 0.0]]])).tolist() == [[[1, 3, 0, 2]]]
    assert ranking(-torch.tensor([[[0.2, -3.0, 5.0, 0.0]]])).tolist() == [[[2, 0, 3, 1]]]


def test_channels_count_together():
    attributions = torch.tensor([[[5.0, 1.0, 0.0], [-5.0, 1.0, 1.0]]])  # sums 0, 2, 1
    assert ranking(attributions).tolist() == [[[2, 0, 1]]]


def test_every_input_has_its_own_order_in_any_number_of_dimensions():
    values = torch.randn(3, 2, 4, 5, 2, generator=torch.Generator().manual_seed(0))
    rank = ranking(values)
    assert rank.shape == (3, 1, 4, 5, 2)
    for one, of in zip(rank.flatten(1), values.sum(1).flatten(1), strict=True):
        assert torch.equal(one.argsort(), of.argsort(descending=True)) and torch.equal(
            one.sort().values, torch.arange(40)
        )


def test_equals_come_in_random_order_between_the_others():
    attributions = torch.tensor([7.0, 0, 0, 0, 0, -7.0]).expand(4000, 1, 6)
    rank = ranking(attributions, generator=torch.Generator().manual_seed(1))[:, 0]
    assert (rank[:, 0] == 0).all() and (rank[:, 5] == 5).all()
    for position in (1, 2, 3, 4):  # each of the four turns a quarter of the time: 1000 +- 27
        assert all(abs(int((rank[:, position] == turn).sum()) - 1000) < 120 for turn in (1, 2, 3, 4))
    again = ranking(attributions, generator=torch.Generator().manual_seed(1))[:, 0]
    assert torch.equal(rank, again) and torch.equal(ranking(attributions), ranking(attributions))
    assert not torch.equal(rank, ranking(attributions, generator=torch.Generator().manual_seed(2))[:, 0])


def test_a_constant_map_gives_a_random_order():
    rank = ranking(torch.zeros(2000, 1, 5, 5), generator=torch.Generator().manual_seed(0)).double()
    assert (rank.mean(0) - 12).abs().max() < 1.0  # sd of the mean: 0.16
    assert torch.equal(rank.flatten(1).sort().values, torch.arange(25.0).double().expand(2000, 25))


def test_blocks_have_their_turn_together_by_the_sum_within():
    attributions = torch.zeros(1, 1, 4, 6)
    attributions[0, 0, 0, 0] = 3.0  # upper left block: sum 3
    attributions[0, 0, :2, 2:4] = 1.0  # upper middle: sum 4
    attributions[0, 0, 2:, 4:] = torch.tensor([[9.0, -9.0], [0.5, 0.0]])  # lower right: sum .5
    attributions[0, 0, 0, 4] = -1.0  # upper right
    rank = ranking(attributions, block=2)[0, 0]
    assert rank[:2, :2].unique().tolist() == [1] and rank[:2, 2:4].unique().tolist() == [0]
    assert rank[2:, 4:].unique().tolist() == [2] and rank[:2, 4:].unique().tolist() == [5]
    assert sorted(rank.unique().tolist()) == list(range(6))


@pytest.mark.parametrize(
    ("attributions", "options", "expected"),
    [
        (torch.zeros(2, 3), {}, r"at least 3 dimensions, got \(2, 3\)"),
        (torch.zeros(2, 1, 3, dtype=torch.long), {}, "non-empty floating tensor"),
        (torch.full((1, 1, 3), torch.nan), {}, "finite attributions"),
        ([1.0], {}, "got list"),
        (torch.zeros(1, 1, 4, 6), {"block": 4}, r"divides \(4, 6\), got 4"),
        (torch.zeros(1, 1, 4, 6), {"block": 0}, "got 0"),
        (torch.zeros(1, 1, 4, 6), {"block": 2.0}, "got 2.0"),
    ],
)
def test_bad_attributions_are_refused(attributions, options, expected):
    with pytest.raises(ValueError, match=expected):
        ranking(attributions, **options)


# ---- closed forms


def test_deletion_of_a_linear_model_takes_its_terms_away_one_by_one():
    x, changed = torch.tensor([[[1.0, 2.0, -1.0, 0.5, 4.0]]]), torch.tensor([[[0.0, 1.0, 1.0, 0.0, 2.0]]])
    rank = rank_of([3, 0, 4, 2, 1])
    curves = deletion_curves(linear, x, changed, rank, shares=6)
    terms = ((changed - x) * WEIGHTS)[0, 0]
    expected = [linear(x).item() + terms[[3, 0, 4, 2, 1][:k]].sum().item() for k in range(6)]
    assert curves.share.tolist() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert curves.output[0].tolist() == pytest.approx(expected, abs=1e-6)
    assert curves.output.dtype == torch.float64 and expected[-1] == pytest.approx(linear(changed).item())
    # Given back in the same order, the same terms come back.
    back = insertion_curves(linear, x, changed, rank, shares=6)
    torch.testing.assert_close(back.output + curves.output, (linear(x) + linear(changed)).double().expand(1, 6))


def test_the_order_of_the_exact_attribution_is_the_best_of_all_for_a_linear_model():
    x, changed = torch.tensor([[[1.0, 2.0, -1.0, 0.5, 4.0]]]), torch.tensor([[[0.0, 1.0, 1.0, 0.3, 2.0]]])
    best = ranking(integrated_gradients(linear, x, changed, n_steps=2))
    ranks = torch.cat([rank_of(order) for order in permutations(range(5))])
    many, others = x.expand(120, 1, 5), changed.expand(120, 1, 5)
    falls = deletion_curves(linear, many, others, ranks, shares=6)
    rises = insertion_curves(linear, many, others, ranks, shares=6)
    assert deletion_curves(linear, x, changed, best, shares=6).area().item() == pytest.approx(falls.area().min().item())
    assert insertion_curves(linear, x, changed, best, shares=6).area().item() == pytest.approx(
        rises.area().max().item()
    )
    # No order is below it anywhere, and the opposite order is the worst.
    assert (falls.output >= deletion_curves(linear, x, changed, best, shares=6).output - 1e-6).all()
    worst = ranking(-integrated_gradients(linear, x, changed, n_steps=2))
    assert deletion_curves(linear, x, changed, worst, shares=6).area().item() == pytest.approx(
        falls.area().max().item()
    )


def test_a_random_order_goes_down_a_straight_line_on_average():
    n = 4000
    x, changed = torch.tensor([1.0, 2.0, -1.0, 0.5, 4.0]), torch.tensor([0.0, 1.0, 1.0, 0.3, 2.0])
    rank = ranking(torch.zeros(n, 1, 5), generator=torch.Generator().manual_seed(0))
    curves = deletion_curves(linear, x.expand(n, 1, 5), changed.expand(n, 1, 5), rank, shares=6)
    start, end = linear(x[None]).item(), linear(changed[None]).item()
    expected = torch.lerp(torch.tensor(start).double(), torch.tensor(end).double(), curves.share)
    deviation = curves.output.std(0) / n**0.5
    assert ((curves.output.mean(0) - expected).abs() <= 4 * deviation + 1e-6).all()
    assert curves.area().mean().item() == pytest.approx((start + end) / 2, abs=0.1)


def test_a_constant_model_has_flat_curves():
    x = torch.rand(3, 2, 4, 4)
    for measure in (deletion_curves, insertion_curves):
        curves = measure(lambda x: torch.full((len(x),), 0.7), x, 1 - x, ranking(x))
        assert curves.output.shape == (3, 17) and curves.output.unique().tolist() == [pytest.approx(0.7)]
        assert curves.area().tolist() == pytest.approx([0.7] * 3)


def test_an_and_falls_at_once_and_comes_back_last():
    # All four must be there: the first one gone, the output is gone; they must all be back.
    def both(x):
        return (x > 0.5).flatten(1).all(1).float()

    x = torch.ones(1, 1, 4)
    rank = ranking(torch.tensor([[[4.0, 3.0, 2.0, 1.0]]]))
    assert deletion_curves(both, x, 0 * x, rank, shares=5).output.tolist() == [[1, 0, 0, 0, 0]]
    assert insertion_curves(both, x, 0 * x, rank, shares=5).output.tolist() == [[0, 0, 0, 0, 1]]


# ---- what is changed


def test_positions_change_with_all_their_channels_and_stay_changed():
    x = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    changed = x + 10
    rank = ranking(x, block=2)
    model = Recorder()
    curves = deletion_curves(model, x, changed, rank, shares=[0, 0.25, 0.5, 1])
    assert curves.share.tolist() == [0, 0.25, 0.5, 1]
    points = torch.cat(model.points[1:-1]).view(2, 4, 3, 4, 4)  # between a look at the inputs and one at two rows
    for k, share in enumerate((0, 0.25, 0.5, 1)):
        here = points[:, k] > 5
        assert torch.equal(here, (rank < 4 * share).expand(2, 3, 4, 4))
        assert torch.equal(points[:, k], torch.where(here, changed, x))
    model = Recorder()
    insertion_curves(model, x, changed, rank, shares=[0, 0.25, 1])
    points = torch.cat(model.points[1:-1]).view(2, 3, 3, 4, 4)
    assert torch.equal(points[:, 0], changed) and torch.equal(points[:, 2], x)
    assert torch.equal(points[:, 1], torch.where(rank < 1, x, changed))


class Sum(nn.Module):
    """The log-odds of class 1 are the sum of value x certainty, less 1."""

    certainty_aware = True

    def forward(self, joined):
        score = (joined[:, :-1] * joined[:, -1:]).flatten(1).sum(1) - 1
        return torch.stack([torch.zeros_like(score), score], 1)


def test_certainty_taken_away_leaves_the_values_alone():
    inputs = join(torch.rand(2, 3, 4, 4), 0.5)
    gone = without_certainty(inputs)
    assert torch.equal(gone[:, :3], inputs[:, :3]) and (gone[:, 3:] == 0).all() and (inputs[:, 3:] == 0.5).all()
    # A model that reads value x certainty can't tell it from values that become 0.
    rank = ranking(inputs[:, :3])
    by_certainty = deletion_curves(Sum(), inputs, gone, rank, target=1)
    by_value = deletion_curves(Sum(), inputs, join(torch.zeros(2, 3, 4, 4), 0.5), rank, target=1)
    torch.testing.assert_close(by_certainty.output, by_value.output)
    assert by_certainty.output[:, -1].tolist() == pytest.approx([torch.tensor(-1.0).sigmoid().item()] * 2)
    with pytest.raises(ValueError, match="joined input"):
        without_certainty(torch.zeros(2, 1, 4))


def test_the_authors_flipping():
    values = torch.tensor([[[0.0, 0.49, 0.5, 1.0]]])
    assert baselines.maximum_distance().starts(values)[0].tolist() == [[[1, 1, 0, 0]]]


# ---- which output


@pytest.mark.parametrize(("output", "of"), [("probability", lambda s: s.sigmoid()), ("logit", lambda s: s)])
def test_the_output_of_the_class_asked_for(output, of):
    x = torch.tensor([[[2.0, 1.0, 0.5]]])
    rank = rank_of([0, 1, 2])
    curves = deletion_curves(Sum(), join(x), join(0 * x), rank, target=1, output=output, shares=4)
    assert curves.output[0].tolist() == pytest.approx(of(torch.tensor([2.5, 0.5, -0.5, -1.0])).tolist(), abs=1e-6)
    logs = deletion_curves(Sum(), join(x), join(0 * x), rank, target=[0], output="log_probability", shares=4)
    expected = nn.functional.logsigmoid(-torch.tensor([2.5, 0.5, -0.5, -1.0]))
    assert logs.output[0].tolist() == pytest.approx(expected.tolist(), abs=1e-6)


def test_the_class_is_the_one_predicted_at_the_input_wherever_the_curve_starts():
    x = torch.cat([torch.full((1, 1, 4), 1.0), torch.full((1, 1, 4), 0.1)])  # sums 4 and .4: classes 1 and 0
    changed = torch.full_like(x, 0.0)
    falls = deletion_curves(Sum(), join(x), join(changed), ranking(x))
    rises = insertion_curves(Sum(), join(x), join(changed), ranking(x))
    p = torch.tensor([3.0, 0.6]).sigmoid()  # of the predicted classes
    q = torch.tensor([-1.0, 1.0]).sigmoid()  # of the same classes with nothing there
    torch.testing.assert_close(falls.output[:, [0, -1]], torch.stack([p, q], 1).double(), atol=1e-6, rtol=0)
    torch.testing.assert_close(rises.output[:, [0, -1]], torch.stack([q, p], 1).double(), atol=1e-6, rtol=0)


def test_batches_and_bars_change_nothing_and_the_model_is_left_as_it_was(capsys):
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(32, 3))
    x, changed = torch.rand(2, 5, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    rank = ranking(x)
    expected = deletion_curves(model, x, changed, rank)
    assert capsys.readouterr().err == ""
    found = deletion_curves(model, x, changed, rank, internal_batch_size=3, progress=True)
    torch.testing.assert_close(found.output, expected.output)
    assert "0/85" in capsys.readouterr().err
    assert model.training and all(p.requires_grad and p.grad is None for p in model.parameters())
    exact = deletion_curves(model, x, changed, rank, target=0)
    rough = deletion_curves(model, x, changed, rank, target=0, autocast=torch.bfloat16)
    assert 0 < (rough.output - exact.output).abs().max() < 0.02


# ---- shares and areas


def test_shares_are_rounded_to_whole_positions_and_not_repeated():
    x = torch.rand(1, 1, 4)
    curves = deletion_curves(lambda x: x.flatten(1).sum(1), x, 0 * x, ranking(x), shares=[0, 0.05, 0.3, 0.5, 0.95])
    assert curves.share.tolist() == [0, 0.25, 0.5, 1]
    assert deletion_curves(lambda x: x.flatten(1).sum(1), x, 0 * x, ranking(x), shares=2).share.tolist() == [0, 1]


def test_the_area_is_the_mean_height():
    curves = Curves(torch.tensor([0, 0.5, 1]).double(), torch.tensor([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]]).double())
    assert curves.area().tolist() == [0.25, 0.75]
    assert curves.area(0.5).tolist() == [0.5, 1.0]
    uneven = Curves(torch.tensor([0.2, 0.3, 1]).double(), torch.tensor([[1.0, 0.0, 0.0]]).double())
    assert uneven.area().tolist() == [pytest.approx(0.05 / 0.8)]
    for up_to in (0.4, 0.0, 1.5):
        with pytest.raises(ValueError, match=f"one of the shares after the first, got {up_to}"):
            curves.area(up_to)


def test_two_shares_are_enough():
    x = torch.rand(2, 1, 5)
    for shares in (2, [0.0, 1.0]):
        curves = deletion_curves(linear, x, 0 * x, ranking(x), shares=shares)
        assert curves.share.tolist() == [0, 1]
        torch.testing.assert_close(curves.area(), curves.output.mean(1))


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        (1, "shares to be a whole number >= 2, got 1"),
        ([0.0], "at least 2 increasing"),
        ([0.0, 0.5, 0.5], "increasing shares"),
        ([0.5, 0.2], "increasing shares"),
        ([-0.1, 1.0], r"in \[0, 1\]"),
        ([0.0, 1.1], r"in \[0, 1\]"),
        ([0.0, torch.nan], "increasing"),
        ("many", "whole number or increasing numbers"),
        (True, "at least 2 increasing"),
    ],
)
def test_bad_shares_are_refused(shares, expected):
    x = torch.rand(1, 1, 4)
    with pytest.raises(ValueError, match=expected):
        deletion_curves(linear, x, 0 * x, ranking(x), shares=shares)


GOOD = torch.rand(2, 1, 5)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"model": "net"}, "callable model, got str"),
        ({"inputs": torch.zeros(2, 5)}, r"inputs \(N, C, ...\) of at least 3 dimensions, got \(2, 5\)"),
        ({"inputs": (GOOD, GOOD)}, "one tensor of inputs, got 2"),
        ({"inputs": (9 * GOOD).long(), "changed": GOOD}, "changed of numbers that torch.int64 has"),
        ({"changed": torch.zeros(2, 2, 5)}, r"expected changed \(2, 1, 5\), got \(2, 2, 5\)"),
        ({"changed": torch.full((2, 1, 5), torch.inf)}, "finite changed"),
        ({"changed": 0.0}, "changed to be a non-empty floating tensor.*got float"),
        (
            {"rank": torch.zeros(2, 5).long()},
            r"rank to be .* whole numbers of shape \(2, 1, 5\), got \(2, 5\)",
        ),
        ({"rank": GOOD}, "rank to be a tensor of whole numbers.*float32"),
        ({"output": "odds"}, "output to be one of probability.*odds"),
        ({"target": 2}, "the model returns one value per input"),
        ({"model": lambda x: x[:, 0, :2], "target": "all"}, 'got target "all"'),
        ({"model": lambda x: x[:, 0, :2], "target": 2}, r"target in 0..1"),
        ({"model": lambda x: x}, r"target to be a tuple \(class, place < 5\), or one per input \(2\), got None"),
        ({"model": lambda x: x.sum()}, "logits of shape"),
        ({"model": lambda x: x.flatten(1).sum(1) * torch.nan}, "output is not finite"),
        ({"internal_batch_size": 0}, "internal_batch_size"),
    ],
)
@pytest.mark.parametrize("measure", [deletion_curves, insertion_curves])
def test_bad_arguments_are_refused(measure, change, expected):
    options = {"model": linear, "inputs": GOOD, "changed": 0 * GOOD, "rank": ranking(GOOD)} | change
    model, inputs, changed, rank = (options.pop(name) for name in ("model", "inputs", "changed", "rank"))
    with pytest.raises(ValueError, match=expected):
        measure(model, inputs, changed, rank, **options)
