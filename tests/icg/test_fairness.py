"""Fairness: measures on shares made by hand, and divisions of games whose Shapley values are known."""

import math
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import icg
from icg import fairness as f
from icg.certainty import join
from icg.shapley import baseline_game, certainty_game, certainty_shap

NAN = math.nan


def rows(*values):
    return torch.tensor(values, dtype=torch.float64)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# ---- measures: closed forms


@pytest.mark.parametrize(
    ("measure", "shares", "fair", "expected"),
    [
        (f.distance, [3.0, -1.0], [1.0, 1.0], 2.0),
        (f.distance, [0.0, 0.0], [2.0, -1.0], 1.0),
        (f.distance, [2.0, 4.0], [1.0, 2.0], 1.0),  # the right proportion is not enough
        (f.distance, [-0.5, 0.0], [0.5, -0.5], 1.5),
        (f.distance, [1.0, 0.0], [0.0, 0.0], NAN),
        (f.correlation, [2.0, 4.0, 6.0], [0.1, 0.2, 0.3], 1.0),  # but here it is
        (f.correlation, [3.0, 2.0, 1.0], [1.0, 2.0, 3.0], -1.0),
        (f.correlation, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], -0.5),
        (f.correlation, [0.1, 0.1, 0.1], [1.0, 2.0, 3.0], NAN),
        (f.correlation, [1.0, 2.0, 3.0], [0.0, 0.0, 0.0], NAN),
        (f.bystanders, [1.0, -3.0, 0.5], [1.0, 0.0, 0.009], 3.5 / 4.5),
        (f.bystanders, [1.0, -3.0, 0.5], [1.0, 0.0, -0.011], 3 / 4.5),  # a hundredth is due, and counts
        (f.bystanders, [1.0, 2.0], [1.0, 1.0], NAN),
        (f.bystanders, [0.0, 0.0], [1.0, 0.0], 0.0),
        (f.wrong_signs, [-1.0, 2.0, 5.0], [3.0, 1.0, -1.0], 4 / 5),
        (f.wrong_signs, [0.0, 0.0, 0.0], [3.0, 1.0, -1.0], 0.0),  # nothing is not the wrong sign
        (f.wrong_signs, [1.0, 1.0], [0.0, 0.0], NAN),
    ],
)
def test_measures_in_closed_form(measure, shares, fair, expected):
    got = measure(torch.tensor([shares]), torch.tensor([fair]))
    assert got.dtype == torch.float64 and got.shape == (1,)
    assert got.item() == pytest.approx(expected, abs=1e-7, nan_ok=True)


def test_who_is_a_bystander_can_be_said():
    shares, fair = rows([1.0, 1.0, 2.0]), rows([1.0, 0.1, 0.01])
    assert f.bystanders(shares, fair, threshold=0.2).item() == 0.75
    assert f.bystanders(shares, fair, threshold=0.02).item() == 0.5
    assert f.bystanders(shares, fair, threshold=0.001).isnan()


def test_correlation_is_numpys():
    shares, fair = random(20, 7), random(20, 7, seed=1)
    both = torch.stack([shares, fair], 1)
    torch.testing.assert_close(f.correlation(shares, fair), torch.stack([torch.corrcoef(x)[0, 1] for x in both]))


@pytest.mark.parametrize("n", [3, 7, 10, 49])
def test_equal_shares_have_no_correlation_whatever_rounding_leaves_of_their_mean(n):
    same = torch.rand(200, 1, generator=torch.Generator().manual_seed(n), dtype=torch.float64).expand(-1, n)
    assert f.correlation(same, random(200, n)).isnan().all() and f.correlation(random(200, n), same).isnan().all()
    assert f.correlation(random(200, n), 3 * random(200, n)).max() <= 1


# ---- measures: what holds for all shares

numbers = st.integers(-4000, 4000).map(lambda k: k / 1000)
divisions = st.integers(2, 6).flatmap(
    lambda n: st.lists(st.lists(numbers, min_size=n, max_size=n), min_size=3, max_size=3)
)


@given(divisions, st.floats(0.01, 100), st.floats(0.01, 100), st.randoms())
@settings(deadline=None, max_examples=150)
def test_what_holds_for_all_shares(three, p, q, order):
    a, b, fair = (rows(x) for x in three)
    due = fair.abs().sum().item()
    for measure in f.MEASURES.values():
        value = measure(a, fair)
        # Unknown players and the order of the known ones change nothing.
        place = torch.tensor(order.sample(range(fair.shape[1]), fair.shape[1]))
        padded = [torch.cat([x[:, place], torch.full((1, 2), NAN).double()], 1) for x in (a, fair)]
        torch.testing.assert_close(measure(*padded), value, equal_nan=True, rtol=1e-9, atol=1e-12)
        between = [torch.cat([x[:, :1], torch.full((1, 1), NAN).double(), x[:, 1:]], 1) for x in (a, fair)]
        torch.testing.assert_close(measure(*between), value, equal_nan=True, rtol=1e-9, atol=1e-12)
        # Nor does the unit.
        torch.testing.assert_close(measure(p * a, p * fair), value, equal_nan=True, rtol=1e-6, atol=1e-9)
    correlation = f.correlation(a, fair)
    torch.testing.assert_close(f.correlation(p * a + q, q * fair), correlation, equal_nan=True, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(f.correlation(-a, fair), -correlation, equal_nan=True)
    torch.testing.assert_close(f.correlation(fair, a), correlation, equal_nan=True)
    assert correlation.isnan() or abs(correlation.item()) <= 1
    idle, wrong = f.bystanders(a, fair), f.wrong_signs(a, fair)
    assert idle.isnan() or 0 <= idle.item() <= 1
    if due == 0:
        assert all(measure(a, fair).isnan() for measure in (f.distance, f.correlation, f.wrong_signs, f.bystanders))
        return
    assert 0 <= wrong.item() <= 1
    assert f.distance(fair, fair).item() == 0 and f.distance(0 * fair, fair).item() == 1
    assert f.distance(-fair, fair).item() == pytest.approx(2) and f.wrong_signs(-fair, fair).item() == pytest.approx(1)
    assert f.wrong_signs(fair, fair).item() == 0 and not f.bystanders(fair, fair).item() > 0.06
    between = (a - b).abs().sum().item() / due
    assert f.distance(a, fair).item() <= between + f.distance(b, fair).item() + 1e-9  # the triangle's inequality
    assert f.distance((a + b) / 2, fair).item() <= max(f.distance(x, fair).item() for x in (a, b)) + 1e-9


def test_each_input_counts_for_itself():
    shares, fair = random(5, 4), random(5, 4, seed=1)
    shares[2, 3] = fair[2, 3] = NAN
    shares[3], fair[4] = 0, 0
    for measure in f.MEASURES.values():
        alone = torch.cat([measure(shares[i : i + 1], fair[i : i + 1]) for i in range(5)])
        torch.testing.assert_close(measure(shares, fair), alone, equal_nan=True)


@pytest.mark.parametrize("measure", f.MEASURES.values(), ids=f.MEASURES)
@pytest.mark.parametrize(
    ("shares", "fair", "expected"),
    [
        (torch.zeros(2, 3), torch.zeros(2, 4), r"shares (N, n) of one shape, got (2, 3) and (2, 4)"),
        (torch.zeros(3), torch.zeros(3), "shares (N, n) of one shape, got (3,) and (3,)"),
        ([1.0, 2.0], [1.0, 2.0], "shares (N, n) of one shape, got (2,) and (2,)"),
        (rows([1.0, NAN]), rows([1.0, 0.0]), "the same players, and no other NaN"),
        (rows([1.0, 0.0]), rows([NAN, 0.0]), "the same players, and no other NaN"),
        (rows([1.0, math.inf]), rows([1.0, 0.0]), "finite shares, got infinity"),
        (rows([1.0, 1.0]), rows([1.0, -math.inf]), "finite shares, got infinity"),
    ],
)
def test_shares_that_cannot_be_compared_are_refused(measure, shares, fair, expected):
    with pytest.raises(ValueError, match=f"^expected .*{re.escape(expected)}$"):
        measure(shares, fair)


# ---- what each player gets


def test_by_player_adds_up_positions_and_channels():
    maps = torch.arange(12.0).view(1, 2, 2, 3)
    groups = torch.tensor([[[0, 1, -1], [0, 0, 1]]])
    # Positions have 0 + 6, 1 + 7, ... 5 + 11.
    assert f.by_player(maps, groups).tolist() == [[6 + 12 + 14, 8 + 16]]
    assert f.by_player(maps, groups.int()).dtype == torch.float64
    assert f.by_player(maps, torch.zeros(1, 2, 3).long()).tolist() == [[maps.sum().item()]]


def test_by_player_of_inputs_that_have_players_of_their_own():
    maps = torch.tensor([[[1.0, 2.0, 4.0]], [[8.0, 16.0, 32.0]]])
    groups = torch.tensor([[[2, 0, 1]], [[0, -1, 0]]])
    got = f.by_player(maps, groups)
    assert got[0].tolist() == [2, 4, 1] and got[1, 0] == 40 and got[1, 1:].isnan().all()
    for i in range(2):  # as each alone
        known = ~got[i].isnan()
        assert torch.equal(f.by_player(maps[i : i + 1], groups[i])[0], got[i][known])
    assert f.distance(got, got).tolist() == [0, 0]


def test_by_player_of_vectors_is_the_game_s_own_division():
    def known(z):
        return (z[:, 0] * z[:, 1]).prod(1) + z[:, 1, 0]

    values, groups = torch.rand(3, 1, 5, dtype=torch.float64), torch.tensor([[0, 1, 1, -1, 2]])
    maps = certainty_shap(known, join(values), groups=groups)
    torch.testing.assert_close(
        f.by_player(maps, groups), f.fair_division(certainty_game(known, values, groups=groups)).shares
    )


MAPS = torch.zeros(2, 3, 4)
WHOLE = "groups to be a tensor of whole numbers of shape (1, 4) or (2, 1, 4), got "


@pytest.mark.parametrize(
    ("maps", "groups", "expected"),
    [
        (MAPS, torch.zeros(1, 4), f"{WHOLE}(1, 4) of torch.float32"),
        (MAPS, torch.ones(1, 4).bool(), f"{WHOLE}(1, 4) of torch.bool"),
        (MAPS, [[0, 0, 1, 1]], f"{WHOLE}list"),
        (MAPS, torch.zeros(4).long(), f"{WHOLE}(4,) of torch.int64"),
        (MAPS, torch.zeros(2, 3, 4).long(), f"{WHOLE}(2, 3, 4) of torch.int64"),
        (MAPS, torch.full((1, 4), -1), "players numbered from 0, and -1 for none"),
        (MAPS, torch.tensor([[0, 1, -2, 1]]), "players numbered from 0, and -1 for none"),
        (MAPS * NAN, torch.zeros(1, 4).long(), "finite attributions, got NaN or infinity"),
        (MAPS.tolist(), torch.zeros(1, 4).long(), "attributions to be a non-empty floating tensor (N, ...), got list"),
    ],
)
def test_by_player_refuses_what_it_cannot_add_up(maps, groups, expected):
    with pytest.raises(ValueError, match=f"^expected {re.escape(expected)}$"):
        f.by_player(maps, groups)


# ---- fair divisions


class Pairs(nn.Module):
    """Certainty-aware: the sum of w v c, and of ``pair`` times the product of the first two c."""

    certainty_aware = True

    def __init__(self, weight, pair=0.0):
        super().__init__()
        self.weight, self.pair, self.asked = weight, pair, 0

    def forward(self, z):
        self.asked += len(z)
        c = z[:, 1]
        return (self.weight * z[:, 0] * c).sum(1) + self.pair * c[:, 0] * c[:, 1]


def test_three_players_by_hand():
    def known(z):  # 0 brings 1; 0 and 1 together 4 more; all three another 6; 2 alone costs 2
        a, b, c = z[:, 1].unbind(1)
        return a + 4 * a * b + 6 * a * b * c - 2 * c

    division = f.fair_division(certainty_game(known, torch.rand(2, 1, 3)))
    torch.testing.assert_close(division.shares, rows([5.0, 4.0, 0.0]).expand(2, 3))
    assert division.shares.dtype == torch.float64 and division.n_permutations == 0
    assert division.error.shape == (2, 3) and (division.error == 0).all()
    game = certainty_game(known, torch.rand(1, 1, 3), groups=torch.tensor([[0, 1, 0]]))
    torch.testing.assert_close(f.fair_division(game).shares, rows([(-1.0 + 9) / 2, (0.0 + 10) / 2]))


@pytest.mark.parametrize("n", [5, 24])
def test_additive_games_are_exact_with_few_players_and_with_many(n):
    weight, values = random(n), random(3, 1, n, seed=1)
    for game, expected in (
        (certainty_game(Pairs(weight), values), weight * values[:, 0]),
        (baseline_game(lambda x: x[:, 0] @ weight, values, 0.5), weight * (values[:, 0] - 0.5)),
    ):
        division = f.fair_division(game)
        torch.testing.assert_close(division.shares, expected, rtol=0, atol=1e-12)
        assert division.n_permutations == (32 if n > 20 else 0) and division.error.max() < 1e-12


def triples(n, size):
    """Antithetic orders are exact for pairs, so that errors need three: players 0 to 2 bring ``size`` together."""
    weight = torch.linspace(0.5, 1.5, n, dtype=torch.float64)

    def known(z):
        c = z[:, 1]
        return (weight * c).sum(1) + c[:, 3] * c[:, 4] + size * c[:, :3].prod(1)

    fair = weight.clone()
    fair[:3] += size / 3
    fair[3:5] += 0.5
    return known, fair


def test_more_than_20_players_are_estimated_until_no_error_is_above_the_limit():
    known, fair = triples(24, 12.0)
    for limit, most in ((0.02, 4096), (0.005, 4096), (0.0005, 100)):
        division = f.fair_division(
            certainty_game(known, torch.rand(2, 1, 24)), largest_error=limit, most_permutations=most
        )
        whole = fair.sum()
        assert (division.error.max() <= limit * whole) == (most == 4096)  # or the cap is reached
        assert division.n_permutations == 100 if most == 100 else division.n_permutations < most
        assert ((division.shares - fair).abs() <= 4 * division.error + 1e-9).all()
        torch.testing.assert_close(division.shares.sum(1), whole.expand(2))  # v(all) - v(nobody)
    first, second = (
        f.fair_division(certainty_game(known, torch.rand(1, 1, 24)), largest_error=limit).n_permutations
        for limit in (0.02, 0.005)
    )
    assert first < second and math.log2(first / f.FIRST).is_integer() and math.log2(second / f.FIRST).is_integer()


def test_several_games_are_estimated_until_all_of_them_are_good():
    worth = torch.arange(1.0, 25, dtype=torch.float64)
    fair = torch.stack([worth, worth + torch.cat([torch.full((2,), 5.0), torch.zeros(22)])], 1)

    def value(masks):  # what each is worth, and something for the first two together
        alone = masks.double() @ worth[: masks.shape[1]]
        return torch.stack([alone, alone + 10.0 * (masks[:, 0] & masks[:, 1])], 1)

    def until(value, n=24, largest_error=0.02, most_permutations=30):
        options = {"largest_error": largest_error, "most_permutations": most_permutations, "first": 4}
        return f.shapley_until(value, n, generator=torch.Generator().manual_seed(0), **options)

    shares, error, count = until(value)
    torch.testing.assert_close(shares, fair)  # pairs are exact by antithetic orders
    assert count == 4 and error.max() < 1e-9
    crowd = lambda masks: torch.stack([masks.sum(1), (masks.sum(1) > 11) * 24.0], 1)  # noqa: E731
    shares, error, count = until(crowd)
    assert count == 30 and error[:, 0].max() < 1e-9 < error[:, 1].max()  # 4, 8, 16 and what is left
    assert until(crowd, largest_error=0.3)[2] < 30
    shares, error, count = until(value, n=5)
    torch.testing.assert_close(shares, fair[:5])
    assert count == 0 and not error.any()


def test_standard_errors_are_those_of_many_divisions():
    known, fair = triples(21, 12.0)
    game = certainty_game(known, torch.rand(1, 1, 21))
    several = [
        f.fair_division(game, largest_error=1e-9, most_permutations=64, generator=torch.Generator().manual_seed(seed))
        for seed in range(40)
    ]
    shares = torch.cat([d.shares for d in several])
    said = torch.cat([d.error for d in several])[:, :3].mean()
    assert said.item() == pytest.approx((shares - fair)[:, :3].square().mean().sqrt().item(), rel=0.25)
    assert (shares[:, 3:] - fair[3:]).abs().max() < 1e-9  # antithetic orders are exact for pairs
    assert {d.n_permutations for d in several} == {64}


@pytest.mark.parametrize(("most", "used"), [(4, 4), (5, 4), (7, 6), (32, 32), (37, 36), (40, 40), (47, 46)])
def test_the_cap_is_kept(most, used):
    game = certainty_game(triples(21, 12.0)[0], torch.rand(1, 1, 21))
    assert f.fair_division(game, largest_error=1e-9, most_permutations=most).n_permutations == used


def test_a_division_repeats_from_its_seed_in_any_batch_size():
    game = certainty_game(triples(21, 12.0)[0], torch.rand(1, 1, 21))

    def divide(seed=None, **options):
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        return f.fair_division(game, largest_error=1e-9, most_permutations=40, generator=generator, **options).shares

    state = torch.get_rng_state()
    assert torch.equal(divide(3), divide(3)) and torch.equal(divide(), divide(0))
    assert not torch.equal(divide(3), divide(4)) and torch.equal(torch.get_rng_state(), state)
    torch.testing.assert_close(divide(3, batch_size=17), divide(3), rtol=0, atol=1e-12)


def test_where_the_whole_is_nothing_the_cap_ends_it():
    game = certainty_game(lambda z: z[:, 1, :3].prod(1) - z[:, 1, 3], torch.rand(1, 1, 21))
    division = f.fair_division(game, most_permutations=64)
    assert division.n_permutations == 64 and division.shares.sum().item() == pytest.approx(0, abs=1e-12)


def test_bars_are_shown_when_asked_for(capsys):
    for n in (3, 21):
        game = certainty_game(Pairs(random(n)), torch.rand(1, 1, n))
        f.fair_division(game)
        assert capsys.readouterr().err == ""
        f.fair_division(game, progress=True)
        assert "coalition" in capsys.readouterr().err


def test_path_and_game_agree_where_players_do_not_interact_and_are_apart_where_they_do():
    values, groups = torch.rand(2, 1, 4, dtype=torch.float64), torch.arange(4)[None]
    for pair in (0.0, 5.0):
        model = Pairs(random(4), pair)
        fair = f.fair_division(certainty_game(model, values, groups=groups)).shares
        maps = icg.integrated_certainty_gradients(model, join(values), n_steps=50)
        assert f.distance(f.by_player(maps, groups), fair).max() < 1e-9  # equal certainties share a pair's gain alike
        uneven = icg.integrated_gradients(model, join(values), 0.0)[:, :1]
        assert (f.distance(f.by_player(uneven, groups), fair) > 0.1).all() == (pair > 0)


# ---- refusals


def many():
    return certainty_game(triples(21, 1.0)[0], torch.rand(1, 1, 21))


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (
            lambda: f.fair_division(lambda masks: masks.sum(1)),
            "a game, as icg.shapley.certainty_game makes it, got function",
        ),
        (
            lambda: f.fair_division(certainty_game(nn_of_classes(), torch.rand(1, 1, 3), target="all")),
            'a game of one target, got target "all"',
        ),
        (lambda: f.fair_division(many(), largest_error=0.0), "largest_error > 0, got 0.0"),
        (lambda: f.fair_division(many(), largest_error=NAN), "largest_error > 0, got nan"),
        (lambda: f.fair_division(many(), most_permutations=3), "most_permutations to be a whole number >= 4, got 3"),
        (
            lambda: f.fair_division(many(), most_permutations=8.0),
            "most_permutations to be a whole number >= 4, got 8.0",
        ),
        (lambda: f.fair_division(many(), batch_size=0), "batch_size to be a whole number >= 1, got 0"),
    ],
)
def test_games_that_cannot_be_divided_are_refused(call, expected):
    with pytest.raises(ValueError, match=f"^expected {re.escape(expected)}$"):
        call()


def nn_of_classes():
    class Classes(Pairs):
        def forward(self, z):
            return super().forward(z)[:, None] * torch.ones(2)

    return Classes(torch.ones(3))


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (torch.full((1, 3), -1), "groups with a player, which are numbered from 0, got only negative numbers"),
        (torch.zeros(1, 3), "groups to be a tensor of whole numbers, got (1, 3) of torch.float32"),
        ([0, 1, 2], "groups to be a tensor of whole numbers, got list"),
        (torch.zeros(1, 4).long(), r"groups of shape (1, 3), got (1, 4)"),
        (torch.zeros(4, 1, 3).long(), r"groups of shape (1, 3), got (4, 1, 3)"),
    ],
)
def test_wrong_players_are_refused_before_the_model_is_asked(groups, expected):
    model = Pairs(torch.ones(3))
    with pytest.raises(ValueError, match=f"^expected {re.escape(expected)}$"):
        certainty_game(model, torch.rand(2, 1, 3), groups=groups)
    assert model.asked == 0


def test_a_network_that_is_not_certainty_aware_is_refused_before_it_is_asked():
    class Plain(Pairs):
        certainty_aware = False

    plain, values = Plain(torch.ones(3)), torch.rand(2, 1, 3)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3, 2))
    for model, name in ((plain, "Plain"), (network, "Sequential")):
        for call in (
            lambda model: certainty_game(model, values),
            lambda model: certainty_shap(model, join(values)),
            lambda model: icg.integrated_certainty_gradients(model, join(values)),
            lambda model: icg.random_path_certainty_gradients(model, join(values)),
        ):
            with pytest.raises(
                ValueError, match=f"^expected a model with certainty_aware = True, got {name} without it$"
            ):
                call(model)
    assert plain.asked == 0
    assert f.fair_division(certainty_game(lambda z: plain(z), values)).shares.shape == (2, 3)  # a function is trusted
    assert f.fair_division(baseline_game(network, values, target=0)).shares.shape == (2, 3)  # its values make a game
