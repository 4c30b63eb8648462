"""The coalition engine: closed-form games, Shapley's axioms, parity with the shap package, sampling, models."""

import math
import time
from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import icg
from icg.certainty import join
from icg.shapley import (
    Uniform,
    baseline_game,
    bshap,
    certainty_game,
    certainty_shap,
    coalitions,
    distribution_game,
    shap_values,
    shapley_from_table,
    shapley_sampling,
    shapley_values,
)
from icg_book.scenarios.landscapes import LANDSCAPES


def by_orderings(value, n):
    """Shapley values by the definition: every order, one player after the other. An independent reference."""
    total = torch.zeros(n, dtype=torch.float64)
    for order in permutations(range(n)):
        mask = torch.zeros(1, n, dtype=torch.bool)
        before = value(mask).double().item()
        for player in order:
            mask[0, player] = True
            after = value(mask).double().item()
            total[player] += after - before
            before = after
    return total / math.factorial(n)


def table_game(table):
    n = len(table).bit_length() - 1
    return lambda masks: table[(masks.long() << torch.arange(n)).sum(1)]


def random_table(n, seed=0, *games):
    return torch.randn(2**n, *games, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def close(got, expected, tolerance=1e-12):
    expected = torch.as_tensor(expected, dtype=got.dtype)
    torch.testing.assert_close(got, expected, rtol=0, atol=tolerance)


def mlp(features, classes=3, seed=0, dtype=torch.float64):
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(features, 16), torch.nn.ReLU(), torch.nn.Linear(16, classes)
    ).to(dtype)


class Aware(torch.nn.Module):
    """A certainty-aware network for joined inputs (N, C + 1, D)."""

    certainty_aware = True

    def __init__(self, channels=1, positions=4, dtype=torch.float64):
        super().__init__()
        self.body = mlp((channels + 1) * positions, dtype=dtype)

    def forward(self, joined):
        return self.body(joined)


def rand(*shape, seed=0, dtype=torch.float64):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


# ---------------------------------------------------------------------------------------------------------------
# Games with a known answer
# ---------------------------------------------------------------------------------------------------------------


def test_coalitions_count_in_binary_with_player_0_first():
    masks = coalitions(4)
    assert masks.shape == (16, 4) and masks.dtype == torch.bool
    assert all(masks[k, i].item() == bool(k >> i & 1) for k in range(16) for i in range(4))


def test_glove_game():
    """Left gloves: player 0. Right gloves: the m others. phi_0 = m / (m + 1), the others 1 / (m (m + 1))."""
    for m in (1, 2, 5, 9):
        got = shapley_values(lambda masks: masks[:, 0] & masks[:, 1:].any(1), m + 1)
        close(got, [m / (m + 1)] + [1 / (m * (m + 1))] * m)


def test_airport_game():
    """A runway as long as the largest plane needs: every piece is shared by those who use it."""
    costs = torch.tensor([1.0, 2.0, 4.0, 4.5, 9.0], dtype=torch.float64)
    got = shapley_values(lambda masks: (masks * costs).amax(1), 5)
    pieces = costs.diff(prepend=torch.zeros(1)) / torch.arange(5, 0, -1)
    close(got, pieces.cumsum(0))


def test_additive_game_gives_everyone_its_own():
    own = torch.linspace(-2, 3, 12, dtype=torch.float64)
    close(shapley_values(lambda masks: masks.double() @ own, 12), own)


def test_majority_game_is_shared_equally_and_weighted_majority_is_not():
    close(shapley_values(lambda masks: masks.sum(1) > 3.5, 7), [1 / 7] * 7)
    # The European Economic Community of 1958: votes 4 4 4 2 2 1, quota 12 (known Shapley-Shubik indices).
    votes = torch.tensor([4, 4, 4, 2, 2, 1])
    close(shapley_values(lambda masks: (masks * votes).sum(1) >= 12, 6), [14 / 60] * 3 + [9 / 60] * 2 + [0])


def test_a_game_of_one_player():
    close(shapley_values(lambda masks: 3 + 4 * masks[:, 0].double(), 1), [4.0])
    close(shapley_from_table(torch.tensor([3.0, 7.0])), [4.0])


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_equal_to_the_definition_by_orderings(n):
    value = table_game(random_table(n, seed=n))
    close(shapley_values(value, n), by_orderings(value, n))


def test_large_n_is_exact_and_quick():
    """A game of pairs, v(S) = sum a_ij over pairs in S: half of each pair for each; 2^20 coalitions."""
    n = 20
    pairs = rand(n, n)
    start = time.process_time()
    got = shapley_values(lambda masks: ((m := masks.double()) @ pairs * m).sum(1), n, batch_size=2**16)
    assert time.process_time() - start < 20
    close(got, (pairs.sum(0) + pairs.sum(1)) / 2, 1e-9)


def test_many_games_at_once_and_any_batch_size():
    table = random_table(5, 3, 2, 3)
    together = shapley_values(table_game(table), 5)
    assert together.shape == (5, 2, 3)
    for batch_size in (1, 3, 32, 1000):
        torch.testing.assert_close(shapley_values(table_game(table), 5, batch_size=batch_size), together)
    torch.testing.assert_close(shapley_from_table(table), together)
    close(together[:, 1, 2], shapley_values(table_game(table[:, 1, 2]), 5))


def test_every_coalition_is_asked_once_the_ends_first(capsys):
    asked = []

    def value(masks):
        asked.extend(map(tuple, masks.int().tolist()))
        return masks.sum(1).double()

    shapley_values(value, 4, batch_size=3, progress=True)
    assert asked[:2] == [(0,) * 4, (1,) * 4]
    assert len(asked) == len(set(asked)) == 16
    assert "coalition" in capsys.readouterr().err


# ---------------------------------------------------------------------------------------------------------------
# Shapley's axioms on random games
# ---------------------------------------------------------------------------------------------------------------

games = st.integers(1, 5).flatmap(
    lambda n: st.lists(st.floats(-100, 100), min_size=2**n, max_size=2**n).map(
        lambda numbers: torch.tensor(numbers, dtype=torch.float64)
    )
)
axiom = settings(max_examples=60, deadline=None, derandomize=True)


@axiom
@given(games)
def test_efficiency(table):
    close(shapley_from_table(table).sum(), (table[-1] - table[0]).item(), 1e-9)


@axiom
@given(games, st.data())
def test_symmetry(table, data):
    n = len(table).bit_length() - 1
    i, j = data.draw(st.integers(0, n - 1)), data.draw(st.integers(0, n - 1))
    index = torch.arange(2**n)
    bit_i, bit_j = index >> i & 1, index >> j & 1
    swapped = index - (bit_i << i) - (bit_j << j) + (bit_j << i) + (bit_i << j) if i != j else index
    values = shapley_from_table(table[swapped])
    order = list(range(n))
    order[i], order[j] = j, i
    close(values, shapley_from_table(table)[order], 1e-9)  # names do not matter
    values = shapley_from_table(table + table[swapped])
    close(values[i], values[j].item(), 1e-9)  # and so those who play the same part get the same


@axiom
@given(games, st.data())
def test_dummy(table, data):
    n = len(table).bit_length() - 1
    i, own = data.draw(st.integers(0, n - 1)), data.draw(st.floats(-10, 10))
    index = torch.arange(2**n)
    table = table[index & ~(1 << i)] + own * (index >> i & 1).double()
    close(shapley_from_table(table)[i], own, 1e-9)


@axiom
@given(games, st.floats(-3, 3), st.integers(0, 100))
def test_linearity(table, factor, seed):
    other = random_table(len(table).bit_length() - 1, seed)
    mixed = shapley_from_table(factor * table + other)
    close(mixed, factor * shapley_from_table(table) + shapley_from_table(other), 1e-9)


# ---------------------------------------------------------------------------------------------------------------
# Bad input
# ---------------------------------------------------------------------------------------------------------------


def nan_in_the_middle(masks):
    return torch.where(masks.sum(1) == 2, torch.nan, 1.0)


@pytest.mark.parametrize(
    ("value", "n", "message"),
    [
        (lambda m: m.sum(1), 21, "at most 20 players .* got 21"),
        (lambda m: m.sum(1), 0, "number of players to be a whole number >= 1, got 0"),
        (lambda m: m.sum(1), 2.0, "got 2.0"),
        (lambda m: m.sum().double(), 3, r"one value per coalition, \(2,\) .* got \(\)"),
        (lambda m: torch.zeros(3), 5, r"got \(3,\)"),
        (lambda m: torch.zeros(len(m), len(m)), 4, r"got \(14, 14\)"),
        (lambda m: [0.0] * len(m), 3, "return a tensor, got list"),
        (lambda m: m.sum(1) / 0.0, 3, "finite values"),
        (nan_in_the_middle, 4, "finite values"),
    ],
)
def test_bad_games(value, n, message):
    with pytest.raises(ValueError, match=message):
        shapley_values(value, n)


def test_mistakes_show_before_long_work():
    asked = []

    def value(masks):
        asked.append(len(masks))
        return torch.full((len(masks),), torch.inf)

    with pytest.raises(ValueError, match="finite"):
        shapley_values(value, 20)
    assert asked == [2]


@pytest.mark.parametrize("size", [0, 1, 3, 6])
def test_bad_tables(size):
    with pytest.raises(ValueError, match=rf"2\*\*n values with n >= 1, got {size}"):
        shapley_from_table(torch.zeros(size))


def test_bad_sampling_arguments():
    for wrong in ({"n_permutations": 5}, {"n_permutations": 2}, {"n_permutations": 1, "antithetic": False}):
        with pytest.raises(ValueError, match="expected n_permutations .* got"):
            shapley_sampling(lambda m: m.sum(1), 4, **wrong)
    with pytest.raises(ValueError, match="batch_size"):
        shapley_sampling(lambda m: m.sum(1), 4, batch_size=0)
    with pytest.raises(ValueError, match="finite"):
        shapley_sampling(nan_in_the_middle, 4)


# ---------------------------------------------------------------------------------------------------------------
# Sampling
# ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("antithetic", [True, False])
def test_standard_errors_are_honest(antithetic):
    """Over many seeds, |estimate - exact| < 1.96 standard errors in about 95 % of the cases."""
    value = table_game(random_table(6, 1))
    exact = shapley_values(value, 6)
    inside = []
    for seed in range(150):
        g = torch.Generator().manual_seed(seed)
        values, error = shapley_sampling(value, 6, n_permutations=120, antithetic=antithetic, generator=g)
        inside.append((values - exact).abs() < 1.96 * error)
        close(values.sum(), exact.sum().item(), 1e-9)
    assert torch.stack(inside).double().mean().item() == pytest.approx(0.945, abs=0.03)


def spread(value, n, antithetic, seeds=60):
    draws = [
        shapley_sampling(
            value, n, n_permutations=20, antithetic=antithetic, generator=torch.Generator().manual_seed(s)
        )[0]
        for s in range(seeds)
    ]
    return torch.stack(draws).var(0).mean().item()


def test_antithetic_pairs_help():
    weight = torch.linspace(0.5, 1.5, 8, dtype=torch.float64)

    def saturating(masks):
        return torch.tanh(masks.double() @ weight / 3)

    assert spread(saturating, 8, True) < 0.5 * spread(saturating, 8, False)


def test_antithetic_pairs_are_exact_where_players_interact_in_pairs():
    pairs = rand(30, 30)
    values, error = shapley_sampling(lambda m: ((d := m.double()) @ pairs * d).sum(1), 30, n_permutations=4)
    close(values, (pairs.sum(0) + pairs.sum(1)) / 2, 1e-9)
    assert error.max() < 1e-9


def test_sampling_does_not_depend_on_batches_and_repeats_with_its_seed():
    value = table_game(random_table(7, 2, 3))
    first = shapley_sampling(value, 7, n_permutations=30)
    assert first[0].shape == first[1].shape == (7, 3)
    for batch_size in (1, 10, 10_000):
        again = shapley_sampling(value, 7, n_permutations=30, batch_size=batch_size)
        for one, two in zip(first, again, strict=True):
            torch.testing.assert_close(one, two, rtol=0, atol=1e-12)
    other = shapley_sampling(value, 7, n_permutations=30, generator=torch.Generator().manual_seed(1))
    assert not torch.allclose(first[0], other[0])


def test_sampling_leaves_global_randomness_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    shapley_sampling(lambda m: m.sum(1), 5)
    assert torch.equal(torch.rand(1), expected)


def test_sampling_many_players_and_one(capsys):
    """Only five of 300 players matter, by a product: the others get exactly nothing."""
    values, error = shapley_sampling(lambda m: m[:, :5].all(1), 300, n_permutations=400, progress=True)
    assert (values[5:] == 0).all() and values.sum().item() == pytest.approx(1)
    assert ((values[:5] - 0.2).abs() < 4 * error[:5]).all() and (error[:5] < 0.05).all()
    assert "coalition" in capsys.readouterr().err
    values, error = shapley_sampling(lambda m: 2.0 * m.sum(1), 1)
    close(values, [2.0])


# ---------------------------------------------------------------------------------------------------------------
# BShap
# ---------------------------------------------------------------------------------------------------------------

POINTS = torch.tensor([[0.6, 0.42], [0.7, 0.9]], dtype=torch.float64)  # A and B of figure 2


def test_table_1():
    cross = LANDSCAPES["cross"]
    close(bshap(cross, POINTS), [[0, 1], [0, 0]])
    mean = 0.434167
    exact = [[(0.25 - mean) / 2, (1 - 0.25 + 1 - mean) / 2], [-mean / 2, -mean / 2]]
    got = shap_values(cross, POINTS, Uniform(0, 1))
    close(got, exact, 1e-4)
    close(got, [[-0.0921, 0.6579], [-0.2171, -0.2171]], 1e-4)


def test_shap_by_quadrature_is_exact_to_1e_4_wherever_the_kinks_are():
    """The cross moved by an odd amount: its mean over the moved square stays."""
    shift = 0.0317
    moved = shap_values(lambda z: LANDSCAPES["cross"](z - shift), POINTS + shift, Uniform(shift, 1 + shift))
    close(moved, shap_values(LANDSCAPES["cross"], POINTS, Uniform(), n_nodes=1000), 1e-4)


def test_the_articles_functions_at_the_corners():
    x = torch.tensor([[2.0, 1.2]], dtype=torch.float64)
    start = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    close(bshap(LANDSCAPES["square"], x, start), [[18 / 25, 54 / 25]])  # (72/25 - 36/25) / 2 for x1
    close(bshap(LANDSCAPES["product"], x, start), [[0.6, 1.8]])
    one = torch.ones(1, 2, dtype=torch.float64)
    close(bshap(LANDSCAPES["sines"], one), [[0, 0]])
    close(bshap(LANDSCAPES["cosine"], one), [[0, 1]])


def test_bshap_of_a_quadratic_with_16_features_takes_seconds():
    """x'Ax + b'x from zero: b_i x_i + A_ii x_i^2 + half of each pair."""
    a, b, x = rand(16, 16), rand(16, seed=1), rand(2, 16, seed=2)
    start = time.process_time()
    got = bshap(lambda z: (z @ a * z).sum(1) + z @ b, x)
    assert time.process_time() - start < 10
    close(got, x * b + (x @ a * x + x @ a.T * x) / 2, 1e-9)


def test_bshap_of_a_network_with_16_features_takes_seconds_and_is_complete():
    net, x = mlp(16, dtype=torch.float32), rand(1, 16, dtype=torch.float32)
    start = time.process_time()
    got = bshap(net, x, 0.5, target=1, output="logit")
    assert time.process_time() - start < 10
    change = (net(x) - net(torch.full_like(x, 0.5)))[:, 1]
    torch.testing.assert_close(got.sum(1), change, rtol=0, atol=1e-5)
    assert got.dtype == x.dtype and not got.requires_grad


def test_bshap_equals_the_definition_by_orderings():
    net, x, start = mlp(5), rand(3, 5), rand(3, 5, seed=1)
    got = bshap(net, x, start, target=2, output="probability")
    for k in range(3):
        expected = by_orderings(lambda m, k=k: net(torch.where(m, x[k], start[k])).softmax(1)[:, 2], 5)
        close(got[k], expected.detach())


@pytest.mark.parametrize("output", ["probability", "log_probability", "logit"])
def test_targets_and_outputs(output):
    net, x = mlp(4), rand(5, 4)
    every = bshap(net, x, target="all", output=output)
    assert every.shape == (5, 3, 4)
    predicted = net(x).argmax(1)
    torch.testing.assert_close(bshap(net, x, output=output), every[torch.arange(5), predicted])
    torch.testing.assert_close(bshap(net, x, output=output, target=[0, 1, 2, 1, 0]), every[range(5), [0, 1, 2, 1, 0]])
    values = {"probability": net(x).softmax(1), "log_probability": net(x).log_softmax(1), "logit": net(x)}[output]
    zero = torch.zeros_like(x)
    start = {"probability": net(zero).softmax(1), "log_probability": net(zero).log_softmax(1), "logit": net(zero)}
    torch.testing.assert_close(every.sum(2), values - start[output])


def test_sure_predictions_keep_their_digits():
    """log p of a class with probability 1 - 1e-26 in float32, which has no such number: differences survive."""

    def model(x):
        return torch.stack([30 * x.sum(1), -30 * x.sum(1)], 1)

    got = bshap(model, torch.ones(1, 2), torch.tensor([[0.5, 0.5]]), target=0, output="log_probability")
    close(got[0].double(), [math.exp(-60) / 2] * 2, 1e-30)


def test_batches_change_nothing_and_inputs_do_not_meet():
    net, x = mlp(6), rand(7, 6)
    whole = bshap(net, x, target=0)
    for size in (1, 5, 1000):
        torch.testing.assert_close(bshap(net, x, target=0, internal_batch_size=size), whole, rtol=0, atol=1e-12)
    torch.testing.assert_close(torch.cat([bshap(net, one[None], target=0) for one in x]), whole)


def test_inputs_are_taken_in_parts_when_the_table_would_not_fit(monkeypatch):
    from icg.shapley import Game

    net, x = mlp(6), rand(7, 6)
    target, asked = [0, 0, 0, 1, 1, 2, 2], []
    whole = bshap(net, x, target=target)
    values = Game.values
    monkeypatch.setattr(Game, "values", lambda self, masks, index: asked.append(index) or values(self, masks, index))
    monkeypatch.setattr("icg.shapley.LARGEST_TABLE", 2**7)
    torch.testing.assert_close(bshap(net, x, target=target), whole)
    assert max(map(len, asked)) == 2


def test_distribution_baselines_are_averaged():
    net, x, several = mlp(4), rand(2, 4), rand(3, 4, seed=4)
    got = bshap(net, x, icg.baselines.every(several), target=1)
    torch.testing.assert_close(got, torch.stack([bshap(net, x, b[None], target=1) for b in several]).mean(0))
    g = [torch.Generator().manual_seed(s) for s in (1, 1, 2)]
    noisy = [bshap(net, x, icg.baselines.gaussian_noise(n_samples=2), target=1, generator=one) for one in g]
    assert torch.equal(noisy[0], noisy[1]) and not torch.equal(noisy[0], noisy[2])


def test_the_model_is_left_as_it_was():
    net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 2)).double()
    x = rand(2, 4)
    assert torch.equal(bshap(net, x), bshap(net, x))  # no dropout
    assert net.training and all(p.requires_grad and p.grad is None for p in net.parameters())


# ---------------------------------------------------------------------------------------------------------------
# Groups and joined inputs
# ---------------------------------------------------------------------------------------------------------------


def test_groups_are_players_and_share_equally():
    net, x = mlp(6), rand(2, 6)
    groups = torch.tensor([1, 0, 0, -1, 1, 1])
    game = baseline_game(net, x[:1], groups=groups, target=0)
    assert game.n == 2

    def value(m):
        present = torch.stack([m[:, 1], m[:, 0], m[:, 0], torch.ones(len(m)).bool(), m[:, 1], m[:, 1]], 1)
        return net(x[:1] * present).softmax(1)[:, 0]

    players = by_orderings(value, 2).detach()
    close(shapley_values(game, 2), players)
    got = bshap(net, x, groups=groups, target=0)[0]
    close(got, [players[1] / 3, players[0] / 2, players[0] / 2, 0, players[1] / 3, players[1] / 3])


def test_squares_of_an_image_and_too_many_players():
    net, x = mlp(3 * 8 * 8), rand(2, 3, 8, 8)
    squares = torch.arange(4).view(2, 2).repeat_interleave(4, 0).repeat_interleave(4, 1)
    got = bshap(net, x, groups=squares, target=0)  # broadcasts over colours
    assert got.shape == x.shape
    assert torch.equal(got, got[:, :1, ::4, ::4].repeat_interleave(4, 2).repeat_interleave(4, 3).expand_as(got))
    with pytest.raises(ValueError, match="at most 20 players .* got 192.*groups.*shapley_sampling"):
        bshap(net, x)
    values, _ = shapley_sampling(baseline_game(net, x, target=0), 192, n_permutations=4)
    assert values.shape == (192, 2)
    p = net(x).softmax(1)[:, 0] - net(torch.zeros_like(x)).softmax(1)[:, 0]
    torch.testing.assert_close(values.sum(0), p.detach())


def test_positions_of_joined_inputs_are_players_and_certainty_stays():
    model, values, certainty = Aware(channels=2), rand(2, 2, 4), rand(2, 1, 4, seed=1)
    x, start = join(values, certainty), rand(1, 2, 4, seed=2)
    got = bshap(model, x, start, target=1)
    assert got.shape == x.shape and (got[:, -1] == 0).all() and torch.equal(got[:, 0], got[:, 1])
    for k in range(2):
        expected = by_orderings(
            lambda m, k=k: model(join(torch.where(m, values[k], start[0])[None], certainty[k : k + 1])).softmax(1)[
                :, 1
            ],
            4,
        )
        close(got[k].sum(0), expected.detach())


def test_certainty_shap_equals_the_definition_and_needs_64_evaluations():
    model, values = Aware(positions=6), rand(2, 1, 6)
    got = certainty_shap(model, join(values), target=0)
    assert got.shape == (2, 1, 6)
    game = certainty_game(model, values[:1], target=0)
    close(shapley_values(game, 6), got[0, 0])
    close(by_orderings(lambda m: game(m), 6), got[0, 0])
    masks = coalitions(6)
    table = model(join(values[:1].expand(64, -1, -1), masks[:, None].double())).softmax(1)[:, 0]
    close(shapley_from_table(table.detach()), got[0, 0])
    assert certainty_shap(model, join(values), target="all").shape == (2, 3, 1, 6)
    grouped = certainty_shap(model, join(values), target=0, groups=torch.tensor([0, 0, 1, 1, 2, 2]))
    torch.testing.assert_close(grouped[..., ::2], grouped[..., 1::2])
    torch.testing.assert_close(grouped.sum(2), got.sum(2))


def test_certainty_below_one_is_the_certainty_of_the_present():
    model, x = Aware(), join(rand(1, 1, 4), rand(1, 1, 4, seed=1))
    got = certainty_shap(model, x, target=0).sum()
    nothing = torch.cat([x[:, :1], torch.zeros_like(x[:, 1:])], 1)
    close(got, (model(x).softmax(1) - model(nothing).softmax(1))[0, 0].item())


def test_a_thousand_inputs_of_six_positions_are_batched_together():
    model, x = Aware(positions=6, dtype=torch.float32), join(rand(1000, 1, 6, dtype=torch.float32))
    calls = []
    model.register_forward_pre_hook(lambda module, arguments: calls.append(len(arguments[0])))
    got = certainty_shap(model, x)
    # 64 coalitions, the prediction that says which class is attributed, and two rows in another batch
    assert sum(calls) == 65 * 1000 + 2
    assert len(calls) < 40
    torch.testing.assert_close(got[500:502], certainty_shap(model, x[500:502]), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (torch.zeros(4), "whole numbers, got .* of torch.float32"),
        ([0, 1, 2, 3], "whole numbers, got list"),
        (torch.zeros(5).long(), r"groups of shape \(4,\), got \(5,\)"),
        (torch.zeros(2, 4).long(), r"groups of shape \(4,\), got \(2, 4\)"),
        (torch.tensor([-1, -1, -1, -1]), "groups with a player, .* got only negative numbers"),
    ],
)
def test_bad_groups(groups, message):
    with pytest.raises(ValueError, match=message):
        bshap(mlp(4), rand(1, 4), groups=groups)


def test_bad_model_arguments():
    net, x = mlp(4), rand(2, 4)
    for wrong, message in (
        ({"target": 7}, "target in 0..2"),
        ({"output": "loss"}, "expected output to be one of"),
        ({"internal_batch_size": 0}, "internal_batch_size"),
        ({"baselines": torch.zeros(3, 4)}, "one baseline or one per input"),
    ):
        with pytest.raises(ValueError, match=message):
            bshap(net, x, **wrong)
    with pytest.raises(ValueError, match="no target"):
        bshap(lambda z: z.sum(1), x, target=1)
    with pytest.raises(ValueError, match="not finite"):
        bshap(lambda z: z.sum(1) / 0, x)
    with pytest.raises(ValueError, match="finite values"):
        bshap(lambda z: z.log().sum(1), x)  # the full coalition is fine, the empty one is not
    with pytest.raises(ValueError, match=r"boolean masks of shape \(M, 4\), got \(1, 3\)"):
        baseline_game(net, x)(torch.ones(1, 3).bool())
    with pytest.raises(ValueError, match="joined input"):
        certainty_shap(net, x)


# ---------------------------------------------------------------------------------------------------------------
# SHAP
# ---------------------------------------------------------------------------------------------------------------


def test_uniform_expectations_in_closed_form():
    """F = x1 x2 + x3 on [0, 2] x [1, 3] x [-1, 1]: features are independent, so expectations are products."""
    x = torch.tensor([[1.5, 2.5, 0.5]], dtype=torch.float64)
    low, high = torch.tensor([0.0, 1.0, -1.0]), torch.tensor([2.0, 3.0, 1.0])
    mean = (low + high).double() / 2

    def value(m):
        z = torch.where(m, x, mean)
        return z[:, 0] * z[:, 1] + z[:, 2]

    def model(z):
        return z[:, 0] * z[:, 1] + z[:, 2]

    close(shap_values(model, x, Uniform(low, high))[0], by_orderings(value, 3), 1e-9)
    grouped = shap_values(model, x, Uniform(low, high), groups=torch.tensor([0, 0, -1]))[0]
    close(grouped, [(1.5 * 2.5 - 2) / 2, (1.5 * 2.5 - 2) / 2, 0.0], 1e-9)


def test_uniform_in_many_dimensions_is_sampled():
    """The sum of squares of 6 features on [0, 1]: x_i^2 - 1/3 each, whatever the coalition."""
    x = rand(3, 6)
    model = lambda z: (z**2).sum(1)  # noqa: E731
    close(shap_values(model, x, Uniform()), x**2 - 1 / 3, 2e-3)
    rough = [
        shap_values(model, x, Uniform(), n_samples=16, generator=torch.Generator().manual_seed(s)) for s in (0, 0, 1)
    ]
    assert torch.equal(rough[0], rough[1]) and not torch.equal(rough[0], rough[2])


def test_the_ideal_classifier_of_the_local_minimum():
    """Known from an independent calculation: (-.2356 three times, .1186, -.0304, .1186)."""

    def score(x):
        return torch.where(x > 0.75, 2 * x - 1, torch.where(x > 0.5, 2 * (1 - x), -0.75))

    x = torch.tensor([[0.1, 0.2, 0.3, 0.6, 0.7, 0.9]], dtype=torch.float64)
    got = shap_values(lambda z: (score(z).sum(1) > 0).double(), x, Uniform(), n_samples=2**13)
    close(got, [[-0.2356, -0.2356, -0.2356, 0.1186, -0.0304, 0.1186]], 3e-3)


@pytest.mark.parametrize("output", ["probability", "logit"])
def test_parity_with_the_shap_package(output):
    shap = pytest.importorskip("shap")
    net, x, background = mlp(5), rand(3, 5), rand(20, 5, seed=1)

    def function(z):
        logits = net(torch.as_tensor(z, dtype=torch.float64)).detach()
        return (logits.softmax(1) if output == "probability" else logits).numpy()

    masker = shap.maskers.Independent(background.numpy(), max_samples=100)
    theirs = torch.from_numpy(shap.explainers.Exact(function, masker)(x.numpy()).values).movedim(2, 1)
    close(shap_values(net, x, background, target="all", output=output), theirs, 1e-6)
    masker = shap.maskers.Independent(background[:1].numpy())
    theirs = torch.from_numpy(shap.explainers.Exact(function, masker)(x.numpy()).values).movedim(2, 1)
    close(bshap(net, x, background[:1], target="all", output=output), theirs, 1e-6)


def test_samples_of_an_empirical_distribution():
    net, x, data = mlp(4), rand(2, 4), rand(50, 4, seed=1)
    whole = shap_values(net, x, data, target=0)
    torch.testing.assert_close(shap_values(net, x, data, target=0, n_samples=50), whole)
    p = net(x).softmax(1)[:, 0] - net(data).softmax(1)[:, 0].mean()
    torch.testing.assert_close(whole.sum(1), p.detach())
    part = [
        shap_values(net, x, data, target=0, n_samples=20, generator=torch.Generator().manual_seed(s)) for s in (0, 0, 1)
    ]
    assert torch.equal(part[0], part[1]) and not torch.equal(part[0], part[2])
    assert (part[0] - whole).abs().max() < 0.1
    points = []
    shap_values(lambda z: points.append(len(z)) or net(z), x, data, target=0, n_samples=20)
    assert sum(points) == 2 + 16 * 2 * 20 + 2  # two in another batch


def test_shap_of_joined_inputs_draws_values_and_keeps_certainty():
    model, x, data = Aware(), join(rand(2, 1, 4), 0.7), rand(9, 1, 4, seed=1)
    got = shap_values(model, x, data, target=0)
    assert got.shape == x.shape and (got[:, 1] == 0).all()
    p = model(x).softmax(1)[:, 0] - model(join(data, 0.7)).softmax(1)[:, 0].mean()
    torch.testing.assert_close(got.sum((1, 2)), p.detach())
    torch.testing.assert_close(shap_values(model, x, join(data), target=0), got)  # their certainty is not used
    assert shap_values(model, x, Uniform(), target=0, n_samples=64).shape == x.shape


def test_bad_distributions():
    x = rand(1, 2)
    for wrong, message in (
        (Uniform(1, 0), "low <= high"),
        (Uniform(0, torch.zeros(3)), r"high to be finite and of shape \(2,\)"),
        (Uniform(0, math.inf), "high to be finite"),
        (rand(4, 3), r"expected distribution of shape \('K', 2\)"),
        ("uniform", "expected distribution to be a non-empty floating tensor .* got str"),
    ):
        with pytest.raises(ValueError, match=message):
            shap_values(LANDSCAPES["cross"], x, wrong)
    with pytest.raises(ValueError, match="n_nodes"):
        shap_values(LANDSCAPES["cross"], x, Uniform(), n_nodes=-1)
    with pytest.raises(ValueError, match="n_samples"):
        distribution_game(LANDSCAPES["cross"], x, Uniform(), n_samples=0)


# ---- Groups with gaps, and of each input


def test_gaps_are_closed_and_a_first_dimension_of_one_will_do():
    x, net = rand(2, 4), mlp(4)
    plain = torch.tensor([0, 1, -1, 1])
    game = baseline_game(net, x, groups=plain, target=0)
    for groups in (torch.tensor([3, 70, -5, 70]), torch.tensor([[3, 70, -1, 70]]), plain.to(torch.int8)):
        other = baseline_game(net, x, groups=groups, target=0)
        assert other.n == 2
        torch.testing.assert_close(other.maps(), game.maps(), rtol=0, atol=0)
    assert (baseline_game(net, x, groups=torch.tensor([9, 2, 2, 2]), target=0)(torch.eye(2).bool())[0]).shape == (2,)


def test_each_input_may_have_groups_of_its_own():
    x, net = rand(3, 4), mlp(4)
    groups = torch.tensor([[0, 0, 1, 2], [5, 1, 1, -1], [2, 2, 2, 2]])
    options = {"target": 1, "output": "logit"}
    got = bshap(net, x, 0.1, groups=groups, **options)
    shap = icg.shap_values(net, x, rand(5, 4), groups=groups, **options)
    uniform = icg.shap_values(lambda z: z[:, :2].prod(1), x[:, :2], Uniform(), groups=groups[:, :2], n_samples=64)
    game = baseline_game(net, x, 0.1, groups=groups, **options)
    assert game.n == 4 and game.shapley().shape == (4, 3, 1)
    for n in range(3):
        row = slice(n, n + 1)
        alone = bshap(net, x[row], 0.1, groups=groups[n], **options)
        torch.testing.assert_close(got[row], alone, rtol=0, atol=1e-6)
        alone = icg.shap_values(net, x[row], rand(5, 4), groups=groups[n], **options)
        torch.testing.assert_close(shap[row], alone, rtol=0, atol=1e-6)
    assert uniform.shape == (3, 2) and uniform[2, 0] == uniform[2, 1]
    sig = icg.shapley_integrated_gradients(net, x, 0.1, groups=groups, n_samples=400, **options)
    torch.testing.assert_close(sig.sum(1), got.sum(1), rtol=0, atol=0.05)
    assert sig[1, 3] == 0


def test_what_is_shared_and_what_is_whole():
    game = baseline_game(lambda z: z.sum(1), torch.ones(1, 3), groups=torch.tensor([0, 0, 4]))
    assert game.maps().tolist() == [[1, 1, 1]]
    assert game.spread(game.shapley(), equally=False).tolist() == [[2, 2, 1]]
