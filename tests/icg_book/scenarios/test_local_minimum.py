"""Local Minimum: the ideal classifier's exact values, found in other ways, and what the shipped network knows."""

from dataclasses import replace

import pytest
import torch

from icg import artifacts
from icg.certainty import join
from icg.coalitions import coalitions
from icg.damage import another_sample, continuous_bernoulli_certainty, damage, uniform_noise
from icg.models import LocalMinimumNet
from icg.quadrature import quadrature
from icg.shapley import Uniform, shap_values
from icg.training import train
from icg_book.scenarios import local_minimum
from icg_book.scenarios.local_minimum import (
    PAPER_INPUT,
    component_score,
    evaluate,
    game_error,
    generate,
    ideal,
    ideal_game,
    ideal_probability,
    ideal_shap,
    total_score,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def model():
    return artifacts.load_model("local-minimum")


@pytest.fixture(scope="module")
def many():
    return generate(200_000, generator=generator(3))


# ---- scores and data


def test_scores_are_those_of_figure_5():
    x = torch.tensor([0.0, 0.25, 0.5, 0.5 + 1e-9, 0.6, 0.7, 0.75, 0.8, 1.0], dtype=torch.float64)
    expected = torch.tensor([-0.75, -0.75, -0.75, 1.0, 0.8, 0.6, 0.5, 0.6, 1.0], dtype=torch.float64)
    assert torch.allclose(component_score(x), expected, atol=1e-8)
    near = component_score(torch.linspace(0.7, 0.8, 101, dtype=torch.float64))
    assert near.argmin() == 50 and near.min() > 0  # the local minimum, and positive


def test_random_scores_are_negative_or_uniform_between_a_half_and_one(many):
    score = component_score(many.values.double()).flatten()
    assert (score < 0).double().mean() == pytest.approx(0.5, abs=0.003)
    assert (score[score < 0] == -0.75).all()
    above = score[score > 0].sort().values
    uniform = torch.linspace(0.5, 1, len(above), dtype=torch.float64)
    assert (above - uniform).abs().max() < 0.002


def test_classes_are_even_and_need_more_than_counting(many):
    assert torch.equal(many.labels, (total_score(many.values) > 0).long())
    assert many.labels.double().mean() == pytest.approx(0.5, abs=0.004)
    count = (many.values > 0.5).sum((1, 2))
    best = [(many.labels[count == k].double().mean() > 0.5).long().item() for k in range(7)]  # the best rule on counts
    right = (torch.tensor(best)[count] == many.labels).double().mean()
    assert right == pytest.approx(0.844, abs=0.003)
    assert (total_score(many.values).abs() < 0.05).double().mean() == pytest.approx(0.047, abs=0.002)


def test_the_paper_s_input_is_just_below_the_boundary():
    assert total_score(PAPER_INPUT).item() == pytest.approx(-0.05, abs=1e-6)
    assert ideal(PAPER_INPUT).item() == 0
    paper = local_minimum.PAPER_TABLE
    assert all(len(column) == 6 and max(column) == 1 for column in paper.values())
    scaled = component_score(PAPER_INPUT).flatten() / 0.8
    assert torch.allclose(scaled, torch.tensor(paper["scaled score"], dtype=torch.float32), atol=0.005)


def test_same_seed_same_inputs_and_selection():
    a, b, c = (generate(9, generator=generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(a.values, b.values) and not torch.equal(a.values, c.values)
    assert a.values.dtype == torch.float32 and len(a[torch.tensor([2, 5])]) == 2
    assert torch.equal(a[3:5].labels, a.labels[3:5])


# ---- the ideal classifier


def test_shap_of_the_paper_s_input():
    values = ideal_shap(PAPER_INPUT).flatten().tolist()
    assert [round(v, 4) for v in values] == [-0.2356, -0.2356, -0.2356, 0.1186, -0.0304, 0.1186]


def test_the_ideal_game_is_what_random_draws_give():
    """All 64 coalitions by drawing the absent components: 5 standard errors."""
    values = torch.cat([PAPER_INPUT, generate(3, generator=generator(7)).values]).double()
    masks = coalitions(6)
    draws = torch.rand(20_000, 6, generator=generator(8), dtype=torch.float64)
    for row, table in zip(values, ideal_game(values).T, strict=True):
        points = torch.where(masks[:, None], row, draws)
        chance = (component_score(points).sum(2) > 0).double().mean(1)
        error = (table * (1 - table) / len(draws)).sqrt()
        assert ((chance - table).abs() <= 5 * error + 1e-9).all()


def test_shap_agrees_with_the_general_method():
    values = generate(4, generator=generator(9)).values
    general = shap_values(
        lambda x: (component_score(x).sum((1, 2)) > 0).double(), values.double(), Uniform(0, 1), n_samples=2**13
    )
    assert torch.allclose(general, ideal_shap(values), atol=3e-3)


def test_shap_is_complete_and_fair(many):
    values = many.values[:2000]
    shap = ideal_shap(values)
    assert shap.shape == values.shape
    assert torch.allclose(shap.sum((1, 2)), ideal(values) - 0.5, atol=1e-12)
    order = torch.tensor([3, 1, 5, 0, 4, 2])
    assert torch.allclose(ideal_shap(values[..., order]), shap[..., order], atol=1e-12)
    twins = torch.tensor([[[0.1, 0.4, 0.6, 0.9, 0.7, 0.8]]], dtype=torch.float64)  # pairs of one score
    first, second = ideal_shap(twins).view(3, 2).unbind(1)
    assert torch.allclose(first, second, atol=1e-9)


def test_prior_and_certain_inputs_are_the_ends_of_the_game(many):
    values = many.values[:500]
    game = ideal_game(values)
    assert torch.allclose(game[0], torch.tensor(0.5, dtype=torch.float64), atol=1e-12)
    assert torch.equal(game[-1], ideal(values))
    assert torch.allclose(ideal_probability(values), ideal(values))
    masks = coalitions(6)
    for k in (0, 5, 27, 63):
        certainty = masks[k].double().expand_as(values)
        assert torch.allclose(ideal_probability(values, certainty), game[k], atol=1e-12)


@pytest.mark.parametrize("source", [uniform_noise, another_sample])
def test_the_ideal_probability_is_right_about_damaged_inputs(many, source):
    """Among the damaged inputs of which it says p, a share of p was of class 1 before the damage."""
    g = generator(11)
    certainty = continuous_bernoulli_certainty(torch.rand(200_000, generator=g), (200_000, 1, 6), generator=g)
    seen = damage(many.values, certainty, source(many.values, generator=g), generator=g)
    p, label = ideal_probability(seen, certainty), many.labels.double()
    for low in torch.arange(10) / 10:
        chosen = (p >= low) & (p < low + 0.1)
        error = (p[chosen] * (1 - p[chosen])).sum().sqrt() / chosen.sum()
        assert chosen.sum() > 3000 and (label[chosen].mean() - p[chosen].mean()).abs() < 4.5 * error


def test_integrated_certainty_gradients_of_the_ideal_network_are_its_shap_values(many):
    """Owen (1972): along the diagonal, the gradient of a game's multilinear extension integrates to Shapley values."""
    values = many.values[:50].double()
    integral = torch.zeros_like(values)
    for node, weight in zip(*quadrature("gausslegendre", 4), strict=True):  # exact: a polynomial of degree five
        certainty = torch.full_like(values, node.item()).requires_grad_()
        integral += weight * torch.autograd.grad(ideal_probability(values, certainty).sum(), certainty)[0]
    assert torch.allclose(integral, ideal_shap(values), atol=1e-12)


# ---- bad inputs


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: generate(0), "n >= 1 inputs, got 0"),
        (lambda: component_score(torch.tensor([0.2, 1.2])), r"values in \[0, 1\], got 0.2 to 1.2"),
        (lambda: component_score(torch.tensor([0.2, float("nan")])), r"values in \[0, 1\]"),
        (lambda: component_score(torch.tensor([0, 1])), "floating tensor, got torch.int64"),
        (lambda: component_score(0.3), "floating tensor, got float"),
        (lambda: ideal_shap(torch.rand(3, 6)), r"\(N, 1, 6\), got \(3, 6\)"),
        (lambda: total_score(torch.rand(3, 1, 5)), r"\(N, 1, 6\), got \(3, 1, 5\)"),
        (lambda: ideal([0.1] * 6), r"\(N, 1, 6\), got list"),
        (lambda: ideal_probability(torch.rand(2, 1, 6), 1.5), r"certainty in \[0, 1\]"),
        (lambda: ideal_probability(torch.rand(2, 1, 6), torch.rand(3, 1, 6)), r"certainty of shape \(2, 1, 6\)"),
        (lambda: LocalMinimumNet()(torch.rand(2, 1, 6)), r"\(N, 2, 6\).* got \(2, 1, 6\)"),
    ],
)
def test_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---- the network


def test_the_network_is_a_function_of_the_components_whatever_their_order():
    torch.manual_seed(0)
    net, joined = LocalMinimumNet(), torch.rand(5, 2, 6)
    order = torch.tensor([3, 1, 5, 0, 4, 2])
    assert torch.allclose(net(joined[..., order]), net(joined), atol=1e-6)
    by_hand = net.decision(sum(net.component(joined[:, :, i]) for i in range(6)) / 6)
    assert torch.allclose(by_hand, net(joined), atol=1e-6)


def test_shipped_weights_are_as_good_as_their_card_says(model):
    card = artifacts.load_card("local-minimum")
    metrics = card["metrics"]
    assert metrics["accuracy"]["all"] >= 0.99 and metrics["accuracy"]["images"] == 100_000
    assert card["command"] == "python -m icg train local-minimum"
    measured = evaluate(model, n=10_000, n_games=100, seed=77)
    assert measured["accuracy"]["all"] == pytest.approx(metrics["accuracy"]["all"], abs=0.005)
    distance = "distance from the exact probability"
    assert set(measured[distance]) == set(metrics[distance])
    assert measured[distance]["all coalitions"] == pytest.approx(metrics[distance]["all coalitions"], abs=0.01)
    assert measured["neutrality"] < 0.01


def test_the_network_is_close_to_the_ideal_game_and_knows_nothing_at_certainty_zero(model):
    error = game_error(model, n=200, seed=5)
    assert error.shape == (64, 200)
    assert error.abs().mean() < 0.02 and error[0].abs().max() < 0.01
    values = generate(200, generator=generator(6)).values
    with torch.no_grad():
        p = model(join(values, 0.0)).softmax(1)[:, 1]
    assert p.std() < 0.01


def test_game_error_is_zero_for_the_ideal_network():
    def perfect(joined):
        p = ideal_probability(joined[:, :1], joined[:, 1:])
        return torch.stack([(1 - p).log(), p.log()], 1)

    assert game_error(perfect, n=20).abs().max() < 1e-6
    metrics = evaluate(perfect, n=500, n_games=20)
    distance = metrics["distance from the exact probability"]
    assert metrics["accuracy"]["all"] == 1 and distance["all coalitions"] < 1e-6 and metrics["neutrality"] < 1e-6
    assert all(
        v < 1e-6 for v in [*distance["known components"].values(), *distance["one certainty everywhere"].values()]
    )


def test_batches_depend_on_the_generator_and_the_step():
    (recipe, batch), *_ = local_minimum.TRAININGS["local-minimum"].stages
    inputs, targets = batch(0, generator(4))
    again, _ = batch(0, generator(4))
    assert inputs.shape == (recipe.batch_size, 2, 6) and torch.equal(inputs, again)
    assert (inputs[:, 1] == 1).all() and torch.equal(targets.argmax(1), (total_score(inputs[:, :1]) > 0).long())
    inputs, targets = batch(recipe.steps - 1, generator(4))
    known = inputs[:, 1]
    intact = (known == 1).all(1)
    assert 0.1 < intact.double().mean() < 0.5  # some stay undamaged
    assert torch.equal(targets[intact].argmax(1), (total_score(inputs[intact, :1]) > 0).long())
    absent = (targets == 0.5).all(1)
    assert absent.any() and (known[absent] == 0).all()


def test_recipe_learns():
    recipe, batch = local_minimum.TRAININGS["local-minimum"].stages[0]
    learnt = train(LocalMinimumNet, batch, replace(recipe, steps=150, warmup=20, average=0.9), progress=False)
    assert local_minimum.accuracy(learnt, n=5000) > 0.75  # chance is 0.5
