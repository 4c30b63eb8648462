"""Explorable "six sliders", as far as Python goes; tests/browser/test_six_sliders_page.py opens it."""

import numpy as np
import pytest
import torch
from pages import inflate, payload

import icg
from icg.models import LocalMinimumNet
from icg.shapley import bshap, certainty_shap
from icg_book.local_minimum.six_sliders import (
    PANELS,
    PRESETS,
    Component,
    PageNetwork,
    draws,
    noise,
    row_values,
    six_sliders,
    walk,
)
from icg_book.scenarios import local_minimum


@pytest.fixture(scope="module")
def model():
    return icg.artifacts.load_model("local-minimum").eval()


@pytest.fixture(scope="module")
def network(model):
    return PageNetwork.of(model)


@pytest.fixture(scope="module")
def explorable(model):
    return six_sliders(model)


def small(**options):
    torch.manual_seed(3)
    return LocalMinimumNet(**{"width": 8, "features": 2, **options}).eval()


# ---- what the page is given


def unpacked(text, *shape):
    planes = inflate(text, np.uint8).reshape(2, -1).astype(int)
    code = planes[0] + 256 * planes[1]
    steps = np.where(code % 2, -(code + 1) // 2, code // 2).reshape(shape)
    return steps.cumsum(0).cumsum(1).astype(np.int16)


def test_tables_in_the_page_are_the_networks(model, network, explorable):
    found = payload(explorable)
    n_features = len(found["unit"])
    at = np.array(found["at"]) / found["finest"]
    for packed, expected, shape in (
        (found["row"], network.row, (len(at), 1, n_features)),
        (found["columns"]["table"], network.columns, (101, found["columns"]["steps"] + 1, n_features)),
    ):
        assert np.array_equal(unpacked(packed, *shape).reshape(expected.shape), expected)
    pairs = torch.tensor(np.stack([at, np.ones_like(at)], 1), dtype=torch.float32)
    with torch.no_grad():
        truth = model.component(pairs).double().numpy()
    assert np.abs(network.row * network.unit + network.offset - truth).max() <= 0.51 * network.unit.max()


def test_between_the_nodes_too(model, network):
    rng = np.random.default_rng(1)
    for values, certainty in (
        (rng.random(3000), np.ones(3000)),
        (rng.integers(0, 101, 3000) / 100, rng.random(3000)),
        (rng.integers(0, 101, 300) / 100, np.zeros(300)),
    ):
        with torch.no_grad():
            truth = model.component(torch.tensor(np.stack([values, certainty], 1)).float()).double().numpy()
        off = np.abs(network.component(values, certainty) - truth) / np.ptp(network.row * network.unit, axis=0).max()
        assert np.quantile(off, 0.99) < 2e-3 and off.max() < 0.02


def test_decision_and_its_gradient_are_the_networks(model, network):
    rng = np.random.default_rng(2)
    mean = network.component(rng.random((500, 6)), 1.0).mean(1)
    p, gradient = network.decide(mean)
    decision = torch.nn.Sequential(*model.decision).double()
    points = torch.tensor(mean, requires_grad=True)
    truth = decision(points).softmax(1)[:, 1]
    truth.sum().backward()
    assert p == pytest.approx(truth.detach().numpy(), abs=2e-3)
    assert gradient == pytest.approx(points.grad.numpy(), abs=0.01 * points.grad.abs().max().item())
    decision.float()


def test_errors_are_stated_and_small(network, explorable):
    assert payload(explorable)["errors"] == network.errors
    assert 0 < network.errors["probability"] < 0.005 and 0 < network.errors["shares"] < 0.01
    assert network.errors["probabilities"] >= 1000 and network.errors["inputs"] > len(PRESETS)


def test_draws_are_the_same_every_time_and_what_they_are_called():
    assert np.array_equal(noise(), noise()) and np.array_equal(draws(), draws())
    assert noise().shape == (50, 6) and abs(noise().mean()) < 0.02 and noise().std() == pytest.approx(0.1, rel=0.15)
    assert draws().shape == (64, 6) and draws().min() >= 0 and draws().max() <= 1
    assert draws().mean() == pytest.approx(0.5, abs=0.05)


def test_page_is_small_has_a_picture_and_no_address(explorable):
    text = explorable._repr_html_()
    assert len(text) < 320_000 and "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert explorable.fallback.startswith(b"\x89PNG") and len(explorable.fallback) > 10_000
    found = payload(explorable)
    assert found["start"] == [0.1, 0.2, 0.3, 0.6, 0.7, 0.9] == found["presets"][0]["values"]
    assert [panel["name"] for panel in found["panels"]] == list(PANELS)
    assert found["panels"][6]["paper"] == list(local_minimum.PAPER_TABLE["AGN"])
    assert found["panels"][1]["paper"] is None


def test_alt_text_says_who_gives_the_dip_the_other_sign(network, explorable):
    shown = network.shares(PRESETS["paper’s table 2"])
    named = explorable.alt.split("the other sign in: ")[1].rstrip(".").split(", ")
    assert named == [name for name in list(PANELS)[1:] if shown[name][4] < 0] and "exact SHAP" in named


def test_own_values_title_and_picture():
    own = six_sliders(small(), [0.123, 1, 0, 0.5, 0.5, 0.5], title="Six", alt="six", fallback=b"\x89PNG")
    assert payload(own)["start"] == [0.12, 1, 0, 0.5, 0.5, 0.5] and own.title == "Six" and own.alt == "six"


# ---- the shares


def joined(values):
    return icg.certainty.join(torch.tensor(np.atleast_2d(values), dtype=torch.float32)[:, None])


def by_library(model, values):
    """What the library says of the network itself, ``(6,)`` by name."""
    x = joined(values)
    every = icg.baselines.every
    starts = {
        "zero IG": torch.zeros(1, 1, 6),
        "AGN": torch.tensor((values + noise()).clip(0, 1), dtype=torch.float32)[:, None],
        "EG": torch.tensor(draws(), dtype=torch.float32)[:, None],
    }
    found = {
        "certainty-SHAP": certainty_shap(model, x, target=1)[0, 0],
        "BShap": bshap(model, x, local_minimum.PAPER_BASELINE, target=1)[0, 0],
        "ICG": icg.integrated_certainty_gradients(model, x, target=1, n_steps=1000)[0, 0],
    }
    for name, baselines in starts.items():
        n = 4000 if len(baselines) == 1 else 800
        found[name] = icg.integrated_gradients(
            model, x, every(baselines), target=1, n_steps=n, method="adaptive", internal_batch_size=4096
        )[0, 0]
    return {name: share.double().numpy() for name, share in found.items()}


@pytest.mark.parametrize("values", [PRESETS["paper’s table 2"], (0.5, 0.76, 0.93, 0.02, 0.61, 0.48)])
def test_shares_are_the_librarys_on_the_network_itself(model, network, values):
    values = np.array(values)
    ours = network.shares(values)
    for name, share in by_library(model, values).items():
        assert np.abs(ours[name] - share).max() < 0.01, name
    x = torch.tensor(values)[None, None]
    assert ours["exact SHAP"] == pytest.approx(local_minimum.ideal_shap(x).flatten().numpy(), abs=1e-12)
    assert ours["score"] == pytest.approx(local_minimum.component_score(x).flatten().numpy())


def test_exact_shap_of_the_papers_input(network):
    found = network.shares(PRESETS["paper’s table 2"])["exact SHAP"].round(4)
    assert found.tolist() == [-0.2356, -0.2356, -0.2356, 0.1186, -0.0304, 0.1186]


def test_shares_are_complete(network):
    values = np.array([0.07, 0.55, 0.31, 0.98, 0.5, 0.84])

    def p(at, certainty=1.0):
        return network.decide(
            network.component(np.asarray(at, float), np.broadcast_to(certainty, np.shape(at))).mean(-2)
        )[0]

    ours, here = network.shares(values), p(values)
    starts = {
        "zero IG": p(np.zeros(6)),
        "ICG": p(values, 0.0),
        "certainty-SHAP": p(values, 0.0),
        "BShap": p(np.full(6, local_minimum.PAPER_BASELINE)),
        "AGN": p((values + noise()).clip(0, 1)).mean(),
        "EG": p(draws()).mean(),
    }
    for name, start in starts.items():
        assert ours[name].sum() == pytest.approx(here - start, abs=1e-4), name


def paths(*starts):
    starts = np.array(starts, float)
    return np.stack([starts, np.ones_like(starts)], 1)


def test_walk_finds_closed_forms():
    x = np.array([0.1, 0.9, 0.3, 0.6, 0.0, 0.4])

    def square(mean):
        return mean[..., 0] ** 2, 2 * mean

    def identity(values, certainty):
        return (values * certainty)[..., None]

    for start in (paths(np.zeros(6)), np.stack([x, np.zeros(6)])[None]):  # along values; along certainty
        found = walk(identity, square, start, paths(x), 4, 1e-6)
        assert found == pytest.approx(x * x.sum() / 36, abs=1e-12)
    # The mean over two starts: from b, the share is (x - b) times the sum of x + b.
    b = np.array([0.5, 0.2, 0.9, 0.6, 0.3, 0.1])
    both = walk(identity, square, paths(np.zeros(6), b), paths(x), 4, 1e-6)
    assert both == pytest.approx((x * x.sum() + (x - b) * (x + b).sum()) / 72, abs=1e-12)


def test_walk_finds_who_jumps_first():
    x = np.array([0.55, 0.95, 0.3, 0.7, 0.0, 0.2])  # from 0, they pass 0.5 in the order 1, 3, 0

    def jump(values, certainty):
        return ((values - 0.5) * 2000).clip(0, 1)[..., None]

    def cube(mean):
        return 8 * mean[..., 0] ** 3, 24 * mean**2

    found = walk(jump, cube, paths(np.zeros(6)), paths(x), 4, 1e-6)
    assert found == pytest.approx(np.array([19, 1, 0, 7, 0, 0]) / 27, abs=1e-9)


def test_a_path_without_length_has_no_shares(network):
    x = paths(np.full(6, 0.4))
    assert walk(network.component, network.decide, x, x, 8, 1e-3).tolist() == [0] * 6


# ---- other models, bad input


@pytest.mark.parametrize("features", [1, 3])
def test_networks_of_any_size_are_tabulated(features):
    model = small(features=features)
    network = PageNetwork.of(model)
    assert network.row.shape == (len(row_values()), features) and network.columns.shape == (101, 65, features)
    values = np.array([0.2, 0.4, 0.6, 0.8, 1.0, 0.0])
    with torch.no_grad():
        truth = model(joined(values)).softmax(1)[0, 1].item()
    assert network.decide(network.component(values, 1.0).mean(0))[0] == pytest.approx(truth, abs=1e-4)


def test_a_network_that_ignores_its_input():
    model = small()
    for p in model.component.parameters():
        torch.nn.init.zeros_(p)
    network = PageNetwork.of(model)
    assert (network.unit == 1).all() and not network.shares([0.1] * 6)["ICG"].any()


def test_the_model_is_left_alone(model):
    before = {name: p.clone() for name, p in model.state_dict().items()}
    trained = small().train()
    PageNetwork.of(trained)
    assert trained.training and next(trained.parameters()).grad is None
    PageNetwork.of(model)
    assert all(torch.equal(before[name], p) for name, p in model.state_dict().items())


def test_component_takes_certainty_below_one_at_hundredths_alone():
    model = small()
    table = Component.of(model)
    with torch.no_grad():
        truth = model.component(torch.tensor([[0.37, 0.25]]))[0].numpy()
    assert table(np.array([0.37]), np.array([0.25]))[0] == pytest.approx(truth, abs=1e-6)


@pytest.mark.parametrize("wrong", [lambda x: x, torch.nn.Linear(2, 2)])
def test_other_models_are_refused(wrong):
    with pytest.raises(ValueError, match="expected an icg.models.LocalMinimumNet, got (function|Linear)"):
        six_sliders(wrong)


@pytest.mark.parametrize("wrong", [[0.1] * 5, [0.1] * 5 + [1.2], [-0.1] + [0.5] * 5, [[0.5] * 6], [float("nan")] * 6])
def test_other_values_are_refused(wrong):
    with pytest.raises(ValueError, match="expected values"):
        six_sliders(small(), wrong)
