"""The explorable "steps and rules", as far as Python goes; tests/browser opens it."""

import numpy as np
import pytest
import torch
from pages import payload

from icg.quadrature import METHODS, quadrature
from icg_book.integrated_gradients.steps import (
    FUNCTIONS,
    RULES,
    completeness_gap,
    nodes,
    static_picture,
    steps_and_rules,
)
from icg_book.kit.page.explorable import png_bytes


def line(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_functions_are_what_their_parameters_say():
    assert FUNCTIONS["smooth"](line(0, 0.4)).tolist() == pytest.approx([0, 1 - np.exp(-1.2) * np.cos(2)])
    kinks = FUNCTIONS["kinks"]
    knots, slopes = [0, *kinks.parameters["knots"], 1], kinks.parameters["slopes"]
    assert kinks(line(0, 1)).diff().item() == pytest.approx(np.diff(knots) @ slopes)
    assert kinks(line(0.5, 0.6)).diff().item() == pytest.approx(0.1 * slopes[2])
    assert FUNCTIONS["saturating"](line(0.3)).item() == 0.5
    assert FUNCTIONS["jump"](line(0, 0.617, 1)).tolist() == pytest.approx([0, 0.5, 1])
    assert FUNCTIONS["threshold"](line(0, 0.6, 0.63, 1)).tolist() == [0, 0, 1, 1]


def test_gaps_are_the_librarys_and_what_theory_says():
    assert list(RULES) == list(METHODS)
    smooth, kinks, threshold = (FUNCTIONS[k] for k in ("smooth", "kinks", "threshold"))
    assert [completeness_gap(threshold, rule, 16) for rule in RULES] == pytest.approx([-1] * 6)  # no gradient anywhere
    halved = completeness_gap(smooth, "riemann_middle", 32) / completeness_gap(smooth, "riemann_middle", 64)
    assert halved == pytest.approx(4, rel=0.01)
    left, right = (completeness_gap(smooth, f"riemann_{side}", 64) for side in ("left", "right"))
    assert left * right < 0 and abs(left + right) < 0.05 * abs(left)
    assert (
        abs(completeness_gap(smooth, "gausslegendre", 12)) < 1e-10 < abs(completeness_gap(kinks, "gausslegendre", 12))
    )
    # By hand: of the steps of the middle rule with n = 4, those from 0 and 0.25 hold a kink.
    p = kinks.parameters["slopes"]
    exact = kinks(line(0, 1)).diff().item()
    assert completeness_gap(kinks, "riemann_middle", 4) == pytest.approx(sum(p) / 4 - exact)


@pytest.mark.parametrize("rule", RULES)
def test_nodes_are_those_of_the_library(rule):
    at, weight = nodes(FUNCTIONS["jump"], rule, 16)
    assert at.shape == weight.shape == (16,) and weight.sum().item() == pytest.approx(1)
    if rule == "adaptive":
        assert ((at - 0.617).abs() < 0.02).sum() >= 6  # it goes where the output changes
    else:
        assert torch.equal(torch.stack([at, weight]), torch.stack(quadrature(rule, 16)))


def test_edges_of_gauss_legendre_areas_enclose_their_nodes():
    """The page draws each weight as the width of an area that holds its node."""
    for n in range(1, 65):
        at, weight = quadrature("gausslegendre", n)
        ends = weight.cumsum(0)
        assert ((ends - weight < at) & (at < ends)).all()


@pytest.mark.parametrize("rule", RULES)
def test_nodes_keep_away_from_kinks(rule):
    """Or rounding might put the browser on one side of a kink and Python on the other."""
    corners = line(*FUNCTIONS["kinks"].parameters["knots"])
    for n in range(2, 65):
        at, _ = nodes(FUNCTIONS["kinks"], rule, n)
        assert (at[:, None] - corners).abs().min() > 1e-7


def test_the_fragment_carries_data_picture_and_description():
    explorable = steps_and_rules("saturating", "riemann_right", 1)
    data = payload(explorable)
    assert [f["key"] for f in data["functions"]] == list(FUNCTIONS)
    assert [r["label"] for r in data["rules"]] == list(RULES.values())
    assert data["start"] == {"function": "saturating", "rule": "riemann_right", "n": 1}
    assert data["functions"][1]["parameters"] == FUNCTIONS["kinks"].parameters
    assert f"{completeness_gap(FUNCTIONS['saturating'], 'riemann_right', 1):+.3g}" in explorable.alt
    assert explorable.fallback.startswith(b"\x89PNG") and len(explorable.fallback) > 20_000
    assert steps_and_rules(alt="mine", fallback=explorable.fallback).fallback == explorable.fallback


@pytest.mark.parametrize("rule", ["riemann_trapezoid", "gausslegendre", "adaptive"])
def test_every_kind_of_rule_can_be_drawn(rule):
    figure = static_picture("jump", rule, 5)
    assert png_bytes(figure).startswith(b"\x89PNG")
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == list(RULES.values())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cubic",), "expected function to be one of smooth, .* got 'cubic'"),
        (("kinks", "simpson"), "expected rule to be one of riemann_left, .* got 'simpson'"),
        (("kinks", "riemann_left", 0), "expected n_steps from 1 to 64 for riemann_left, got 0"),
        (("kinks", "riemann_left", 65), "got 65"),
        (("kinks", "riemann_left", 2.0), "got 2.0"),
        (("kinks", "riemann_trapezoid", 1), "expected n_steps from 2 to 64 for riemann_trapezoid, got 1"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        steps_and_rules(*arguments)
