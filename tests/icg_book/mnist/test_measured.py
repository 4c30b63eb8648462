"""Numbers that the chapter compares, and its reports."""

import copy

import pytest
import torch

from icg.artifacts import load_card, load_result
from icg_book.mnist import measured
from icg_book.mnist.experiment import METHODS


@pytest.fixture(scope="module")
def cards():
    return {name: load_card(name) for name in measured.NETWORKS}


@pytest.fixture(scope="module")
def result():
    return load_result("mnist")


@pytest.fixture(scope="module")
def curves():
    return load_result("mnist-curves")


def made_up_cards(**accuracies):
    """Cards of networks with these accuracies on 10,000 digits, everywhere."""

    def card(share):
        return {"metrics": {"accuracy": {"all": share, "images": 10_000, "right": {"all": share - 0.01}}}}

    return {name.replace("_", "-"): card(share) for name, share in accuracies.items()}


def test_the_plain_twin_is_ahead_by_a_difference_of_two_shares():
    cards = made_up_cards(mnist=0.9, mnist_plain=0.92)
    ahead, low, high = measured.plain_ahead(cards, "mnist")
    half = 196 * ((0.9 * 0.1 + 0.92 * 0.08) / 10_000) ** 0.5
    assert (ahead, low, high) == pytest.approx((2, 2 - half, 2 + half))
    assert measured.accuracy(cards, "mnist", "right") == pytest.approx(0.89)
    assert measured.plain_ahead(cards, "mnist", "right")[0] == pytest.approx(2)


def test_each_target_can_be_missed_by_itself(cards):
    assert all(measured.targets(cards).values())
    fine = {"mnist": 0.994, "mnist_plain": 0.995, "mnist_in_space": 0.996}
    assert all(measured.targets(made_up_cards(**fine)).values())
    for change, missed in (
        ({"mnist": 0.9929, "mnist_plain": 0.9935}, [0]),
        ({"mnist_plain": 0.996}, [1]),
        ({"mnist_in_space": 0.9899}, [2, 3]),
        ({"mnist_in_space": 0.9949}, [3]),
    ):
        found = measured.targets(made_up_cards(**fine | change))
        assert [k for k, met in enumerate(found.values()) if not met] == missed


def test_a_missed_target_is_reported(cards):
    assert measured.cost_report(cards).count(" met") == 4 and "NOT met" not in measured.cost_report(cards)
    worse = copy.deepcopy(cards)
    worse["mnist-in-space"]["metrics"]["accuracy"]["right"]["all"] = 0.9
    report = measured.cost_report(worse)
    assert report.count("NOT met") == 1 and "mnist-in-space, right" in report


def test_the_slowdown_is_read_where_the_plain_curve_gets_there():
    steps, losses = [1, 4, 16], [[1.0, 0.5, 0.25]]
    levels = {
        "0.5": {"mean": 3.0, "low": 2.0, "high": 4.0},
        "0.25": {"mean": 5.0, "low": 4.0, "high": 6.0},
        "0.3": {"mean": 1.0, "low": None, "high": None},  # no interval
        "0.1": {"mean": 1.0, "low": 1.0, "high": 1.0},  # never
    }
    curves = {
        "curves": {"plain, undamaged": {"steps": steps, "loss": losses}},
        "slowdown": {"loss": {"levels": levels}},
    }
    points = measured.slowdown_points(curves, "loss")
    assert torch.allclose(points, torch.tensor([[4.0, 16.0], [3.0, 5.0], [2.0, 4.0], [4.0, 6.0]]))


def test_two_is_excluded_only_where_both_intervals_lie_above_it(curves):
    assert "above the paper's two" in measured.slowdown_report(curves)
    other = copy.deepcopy(curves)
    other["slowdown"]["loss"]["median"]["low"] = 1.9
    assert "Two is not excluded" in measured.slowdown_report(other)


def test_agreement_is_the_mean_over_pairs_without_a_method_with_itself():
    matrix = [[1.0, 0.2, 0.4], [0.2, 1.0, 0.6], [0.4, 0.6, 1.0]]
    result = {"mnist": {"rank correlation": {"methods": ["a", "b", "c"], "mean": matrix}}}
    assert measured.agreement(result, ["a"], ["b", "c"]) == pytest.approx(0.3)
    assert measured.agreement(result, ["b", "c"], ["b", "c"]) == pytest.approx(0.6)


def test_who_is_better_depends_on_the_way_and_on_the_interval():
    less = {
        "small": {"mean": -0.2, "low": -0.3, "high": -0.1},
        "large": {"mean": 0.2, "low": 0.1, "high": 0.3},
        "perhaps": {"mean": 0.2, "low": -0.1, "high": 0.5},
    }
    ways = ("deletion", "insertion")
    methods = {m: {way: {"values": {"area less ICG's": d}} for way in ways} for m, d in less.items()}
    methods["ICG"] = {way: {"values": {}} for way in ways}
    result = {"mnist": {"methods": methods}}
    assert measured.against_icg(result, "deletion", "values") == (["small"], ["large"])
    assert measured.against_icg(result, "insertion", "values") == (["large"], ["small"])


def test_reports_name_every_method_and_fit_the_page(result, cards, curves):
    order = measured.order_report(result)
    others = [m for m in METHODS if m not in ("ICG", "ICG, noise averaged")]
    assert all(m in order for m in others) and order.count("better than ICG") == 4
    ghost = measured.ghost_report(result)
    assert (
        all(m in ghost for m in ("zero IG - AGN", "EG - ICG")) and "zero IG  " not in ghost.split("density")[-1][-200:]
    )
    for report in (
        order,
        ghost,
        measured.cost_report(cards),
        measured.slowdown_report(curves),
        measured.understanding_report(result, cards),
        measured.columns_report(cards),
    ):
        assert max(map(len, report.split("\n"))) <= 84


def test_the_report_on_columns_is_of_both_networks(cards):
    lines = measured.columns_report(cards).split("\n")
    assert [line.split()[0] for line in lines[::2]] == ["mnist-in-space", "mnist-in-space-plain", "each"]
    lowest = min(cards["mnist-in-space"]["metrics"]["accuracy against column"]["accuracy"])
    assert f"from {lowest:.1%}" in lines[0]
