"""Quadrature rules: exact where they must be, and cells that go where the output changes."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from icg.quadrature import quadrature, refine

RULES = ("riemann_left", "riemann_right", "riemann_middle", "riemann_trapezoid", "gausslegendre")


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("n", [2, 3, 7, 64, 500])
def test_weights_sum_to_one_and_nodes_lie_in_the_unit_interval(rule, n):
    nodes, weights = quadrature(rule, n)
    assert len(nodes) == len(weights) == n
    assert abs(weights.sum().item() - 1) < 1e-13
    assert nodes.min() >= 0 and nodes.max() <= 1 and (nodes.diff() > 0).all()


@pytest.mark.parametrize(
    "rule, degree", [("riemann_middle", 1), ("riemann_trapezoid", 1), ("gausslegendre", 9), ("riemann_left", 0)]
)
def test_each_rule_is_exact_up_to_its_degree_and_not_beyond(rule, degree):
    nodes, weights = quadrature(rule, 5)
    for power in range(degree + 1):
        assert abs((weights * nodes**power).sum().item() - 1 / (power + 1)) < 1e-14
    beyond = degree + 1
    assert abs((weights * nodes**beyond).sum().item() - 1 / (beyond + 1)) > 1e-6


@pytest.mark.parametrize("rule", [r for r in RULES if r not in ("riemann_trapezoid",)])
def test_the_rules_are_captums(rule):
    from captum.attr._utils.approximation_methods import approximation_parameters

    step_sizes, alphas = approximation_parameters(rule)
    nodes, weights = quadrature(rule, 9)
    torch.testing.assert_close(nodes, torch.tensor(alphas(9), dtype=torch.float64), atol=1e-7, rtol=0)
    torch.testing.assert_close(weights, torch.tensor(step_sizes(9), dtype=torch.float64), atol=1e-7, rtol=0)


def test_rules_are_solved_once(monkeypatch):
    quadrature("gausslegendre", 33)
    monkeypatch.setattr(np.polynomial.legendre, "leggauss", None)
    assert len(quadrature("gausslegendre", 33)[0]) == 33


@pytest.mark.parametrize("method", RULES)
@pytest.mark.parametrize("spoil", [lambda t: t.zero_(), lambda t: t.numpy().fill(7), lambda t: t.data.mul_(2)])
def test_whoever_writes_into_a_rule_spoils_no_later_call(method, spoil):
    before = [t.clone() for t in quadrature(method, 5)]
    for tensor in quadrature(method, 5):
        spoil(tensor)
    assert all(a.equal(b) for a, b in zip(quadrature(method, 5), before, strict=True))


@pytest.mark.parametrize(
    "rule, n", [("middle", 5), ("riemann_middle", 0), ("riemann_trapezoid", 1), ("gausslegendre", 2.0)]
)
def test_unknown_rules_and_bad_numbers_of_steps_are_refused(rule, n):
    with pytest.raises(ValueError, match="expected .* got"):
        quadrature(rule, n)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 20), st.integers(0, 60), st.integers(1, 4), st.integers(0, 10_000))
def test_refined_cells_tile_the_path_and_follow_the_change(k, more, rows, seed):
    generator = torch.Generator().manual_seed(seed)
    edges = torch.linspace(0, 1, k + 1, dtype=torch.float64).expand(rows, -1)
    values = torch.rand(rows, k + 1, generator=generator, dtype=torch.float64)
    new = refine(edges, values, k + more)
    assert new.shape == (rows, k + more + 1)
    assert (new.diff(dim=1) > 0).all()
    assert new[:, 0].eq(0).all() and new[:, -1].eq(1).all()
    for old, fine in zip(edges, new, strict=True):  # old edges stay edges
        assert all((fine - edge).abs().min() < 1e-12 for edge in old)


def test_refinement_goes_where_the_output_jumps():
    edges = torch.linspace(0, 1, 11, dtype=torch.float64)[None]
    values = (edges > 0.65).double()  # all change between 0.6 and 0.7
    new = refine(edges, values, 50)
    assert ((new >= 0.6 - 1e-12) & (new <= 0.7 + 1e-12)).sum() == 42
