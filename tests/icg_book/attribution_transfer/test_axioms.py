"""The axioms as checks: BShap passes, Integrated Gradients fails where theory says so, broken methods are caught."""

import math

import pytest
import torch

from icg.shapley import coalitions
from icg_book.attribution_transfer import axioms
from icg_book.attribution_transfer.axioms import AXIOMS, bshap, integrated_gradients
from icg_book.scenarios.landscapes import LANDSCAPES

IG_FAILS = {"symmetry on the corners", "strong dummy", "null effects", "consistency", "monotonicity"}


@pytest.fixture(scope="module")
def verdicts():
    """Every axiom's verdict on a method, searched once."""
    found = {}

    def get(method):
        if method not in found:
            found[method] = {name: check(method) for name, check in AXIOMS.items()}
        return found[method]

    return get


def failed(verdicts):
    return {name for name, verdict in verdicts.items() if verdict.holds is False}


# ---------------------------------------------------------------------------------------------------------------
# The two methods of the paper
# ---------------------------------------------------------------------------------------------------------------


def test_all_checks_are_listed_and_both_symmetries_have_their_own_name():
    assert len(AXIOMS) == 9
    assert AXIOMS["symmetry of variables"] is axioms.symmetry
    assert AXIOMS["symmetry on the corners"] is axioms.corner_symmetry
    assert all(check.__doc__ and "tolerance:" in check.__doc__ for check in AXIOMS.values())


def test_bshap_passes_all(verdicts):
    assert failed(verdicts(bshap)) == set()
    assert all(verdict.cases >= 50 and verdict.violations == 0 for verdict in verdicts(bshap).values())


@pytest.mark.parametrize("seed", [1, 2])
def test_bshap_passes_for_other_seeds_without_tolerance(seed):
    for check in AXIOMS.values():
        verdict = check(bshap, seed=seed, n_cases=20, tolerance=1e-9)
        assert verdict.holds, str(verdict)


def test_integrated_gradients_fail_where_theory_says_so(verdicts):
    assert failed(verdicts(integrated_gradients)) == IG_FAILS


@pytest.mark.parametrize("name", sorted(IG_FAILS))
@pytest.mark.parametrize("seed", [1])
def test_random_functions_alone_show_it(name, seed, monkeypatch):
    monkeypatch.setattr(axioms, "LANDSCAPES", {})
    verdict = AXIOMS[name](integrated_gradients, seed=seed)
    assert verdict.holds is False and verdict.cases >= 40


# ---------------------------------------------------------------------------------------------------------------
# Counterexamples are what they say
# ---------------------------------------------------------------------------------------------------------------


def again(found, prefix=""):
    """Values and attribution of a counterexample, computed once more from its parts."""
    f, x, b = found[f"{prefix}callable"], found["inputs"], found["baseline"]
    corners = torch.where(coalitions(len(x)), x, b)
    return f(corners), integrated_gradients(f, x[None], b[None])[0]


@pytest.mark.parametrize("name", sorted(IG_FAILS))
def test_counterexamples_can_be_computed_again(name, verdicts):
    found = verdicts(integrated_gradients)[name].counterexample
    for prefix in ("", "other_") if name == "monotonicity" else ("",):
        values, attribution = again(found, prefix)
        torch.testing.assert_close(values, found[f"{prefix}values"])
        torch.testing.assert_close(attribution, found[f"{prefix}attribution"])
    assert name == "monotonicity" or "other_values" not in found


def test_strong_dummy_finds_point_a_of_figure_2(verdicts):
    verdict = verdicts(integrated_gradients)["strong dummy"]
    found = verdict.counterexample
    assert found["function"] == "cross" and found["inputs"].tolist() == [0.6, 0.42]
    assert found["values"].tolist() == pytest.approx([0, 0, 1, 1])
    assert found["attribution"].tolist() == pytest.approx([1, 0], abs=5e-3)
    assert str(verdict).startswith(f"strong dummy: fails in {verdict.violations} of {verdict.cases} tests.")
    assert "feature 1 changes nothing at any corner, but is given 1." in str(verdict)


def test_corner_symmetry_finds_point_b_of_figure_2(verdicts):
    found = verdicts(integrated_gradients)["symmetry on the corners"].counterexample
    assert found["function"] == "cross" and found["inputs"].tolist() == [0.7, 0.9]
    assert found["attribution"].tolist() == pytest.approx([-1, 1], abs=5e-3)


def test_a_random_counterexample_of_consistency_never_increases(monkeypatch):
    """Looked at on a fine grid: the feature's own value is the lowest everywhere, and yet it is given credit."""
    monkeypatch.setattr(axioms, "LANDSCAPES", {})
    found = axioms.consistency(integrated_gradients).counterexample
    i = int(found["reason"].split()[1]) - 1
    assert found["attribution"][i] > 5e-3
    axis = torch.linspace(0, 1, 41, dtype=torch.float64)
    grid = torch.cartesian_prod(*[axis] * len(found["inputs"]))
    own = grid.clone()
    own[:, i] = found["inputs"][i]
    assert (found["callable"](own) <= found["callable"](grid) + 1e-9).all()


ARTICLE = {
    "monotonicity": (
        ["square", "product"],
        [36 / 75, 72 / 25 - 36 / 75],
        "given 0.48 in the first and 0.6 in the second",
    ),
    "symmetry on the corners": (["sines"], [4 / 3, -4 / 3], "given 1.33 and -1.33"),
    "null effects": (["cosine"], [1, 0], "feature 1 changes nothing at any corner, but is given 1"),
}


@pytest.mark.parametrize("name", ARTICLE)
def test_the_three_counterexamples_of_the_article(name):
    keys, attribution, reason = ARTICLE[name]
    verdict = AXIOMS[name](integrated_gradients, functions=[LANDSCAPES[key] for key in keys])
    found = verdict.counterexample
    assert not verdict.holds and found["function"] == keys[0] and reason in str(verdict)
    assert found["attribution"].tolist() == pytest.approx(attribution, abs=1e-4)
    assert AXIOMS[name](bshap, functions=[LANDSCAPES[key] for key in keys]).holds


def test_an_additive_function_fools_nobody():
    for name in ("symmetry on the corners", "strong dummy", "null effects", "consistency"):
        assert AXIOMS[name](integrated_gradients, functions=[LANDSCAPES["additive"]]).holds is not False


# ---------------------------------------------------------------------------------------------------------------
# Broken methods
# ---------------------------------------------------------------------------------------------------------------


def gradient_times_input(f, inputs, baselines):
    x = inputs.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(f(x).sum(), x)
    return gradient * (inputs - baselines)


def equal_split(f, inputs, baselines):
    return ((f(inputs) - f(baselines)) / inputs.shape[1])[:, None].expand_as(inputs)


def sign_flipped(f, inputs, baselines):
    return -bshap(f, inputs, baselines)


def last_takes_all(f, inputs, baselines):
    given = torch.zeros_like(inputs)
    given[:, -1] = f(inputs) - f(baselines)
    return given


def in_order(f, inputs, baselines):
    """Marginal contributions in one order: all but symmetry."""
    steps = [torch.where(torch.arange(inputs.shape[1]) < k, inputs, baselines) for k in range(inputs.shape[1] + 1)]
    return torch.stack([f(step) for step in steps], 1).diff(dim=1)


def squared(f, inputs, baselines):
    """Completeness kept, linearity lost: credit in proportion to squared Shapley values."""
    shares = bshap(f, inputs, baselines) ** 2
    total = shares.sum(1, keepdim=True)
    share = torch.where(total > 1e-12, shares / total.clamp(min=1e-12), 1 / inputs.shape[1])
    return share * (f(inputs) - f(baselines))[:, None]


def nothing(f, inputs, baselines):
    return torch.zeros_like(inputs)


def leave_one_out(f, inputs, baselines):
    d = inputs.shape[1]
    without = [f(torch.where(torch.arange(d) == i, baselines, inputs)) for i in range(d)]
    return f(inputs)[:, None] - torch.stack(without, 1)


BROKEN = {
    gradient_times_input: {"completeness"} | IG_FAILS - {"consistency"},  # at its lowest a feature has no gradient
    equal_split: {"weak dummy", "strong dummy", "null effects", "consistency", "monotonicity"},
    sign_flipped: {"completeness", "consistency", "monotonicity"},
    last_takes_all: {"symmetry of variables", "symmetry on the corners", "weak dummy", "strong dummy", "null effects"}
    | {"consistency", "monotonicity"},
    in_order: {"symmetry of variables", "symmetry on the corners"},
    nothing: {"completeness"},
    leave_one_out: {"completeness"},
}


@pytest.mark.parametrize("method", BROKEN, ids=lambda method: method.__name__)
def test_broken_methods_are_caught_by_the_right_checks(method, verdicts):
    assert failed(verdicts(method)) == BROKEN[method]


def test_a_method_that_is_not_linear_is_caught(verdicts):
    caught = failed(verdicts(squared))
    assert "linearity" in caught and "completeness" not in caught and "symmetry on the corners" not in caught


# ---------------------------------------------------------------------------------------------------------------
# Given functions, and manners
# ---------------------------------------------------------------------------------------------------------------


def test_given_functions_and_cases_are_all_that_is_tested():
    def wave(z):
        return torch.sin(math.pi * z[:, 0]) * z[:, 1] + z[:, 2]

    case = ([1.0, 1.0, 0.5], [0.0, 0.0, 0.0])
    verdict = axioms.strong_dummy(integrated_gradients, functions={"wave": wave}, cases=[case])
    found = verdict.counterexample
    assert (verdict.cases, verdict.violations, found["function"]) == (2, 2, "wave")
    # The integral of pi a cos(pi a) over 0 .. 1 is -2 / pi, of sin(pi a) is 2 / pi.
    assert found["attribution"].tolist() == pytest.approx([-2 / math.pi, 2 / math.pi, 0.5], abs=1e-5)
    assert found["values"].shape == (8,)
    assert axioms.strong_dummy(bshap, functions={"wave": wave}, cases=[case]).holds
    assert axioms.completeness(bshap, functions=[wave], cases=[case, case]).cases == 2


def test_a_network_of_the_reader():
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1), torch.nn.Flatten(0)
    ).double()
    case = (torch.rand(4, dtype=torch.float64), torch.zeros(4))
    assert axioms.completeness(integrated_gradients, functions=[net], cases=[case]).holds
    assert axioms.completeness(gradient_times_input, functions=[net], cases=[case]).holds is False


def test_weak_dummy_and_symmetry_are_recognised_in_given_functions():
    case = ([0.8, 0.8, 0.3], [0.1, 0.1, 0.2])
    only_two = lambda z: z[:, 0] * z[:, 1]  # noqa: E731
    assert axioms.weak_dummy(last_takes_all, functions=[only_two], cases=[case]).violations == 1
    assert axioms.weak_dummy(integrated_gradients, functions=[only_two], cases=[case]).cases == 1
    verdict = axioms.symmetry(in_order, functions=[only_two], cases=[case])
    assert (verdict.cases, verdict.violations) == (1, 1)
    unequal = ([0.8, 0.7, 0.3], [0.1, 0.1, 0.2])
    assert axioms.symmetry(in_order, functions=[only_two], cases=[unequal]).cases == 0


def test_the_search_for_an_increase_looks_at_the_corners():
    def needle(z):
        return (1 - 1e6 * (z - 0.7).abs().amax(1)).clamp(0, 1)

    case = ([0.7, 0.7, 0.7], [0.1, 0.2, 0.3])
    verdict = axioms.consistency(bshap, functions=[needle], cases=[case])
    assert verdict.holds and verdict.cases == 3


def test_nothing_tested_is_not_called_a_success():
    verdict = axioms.strong_dummy(bshap, functions=[lambda z: z.sum(1)], cases=[([1.0, 1.0], [0.0, 0.0])])
    assert verdict.holds is None and verdict.cases == 0
    assert str(verdict) == "strong dummy: not tested, since no case meets its premise."


def test_verdicts_repeat_with_their_seed(verdicts):
    first = verdicts(integrated_gradients)["consistency"]
    again = axioms.consistency(integrated_gradients)
    assert str(again) == str(first)
    other = axioms.consistency(integrated_gradients, seed=5, n_cases=20)
    assert other.violations and other.cases != first.cases


def test_the_tolerance_is_for_the_methods_own_error():
    def rough(f, inputs, baselines):
        return bshap(f, inputs, baselines) + 0.004

    assert not axioms.strong_dummy(rough, tolerance=0.003, n_cases=5).holds
    assert axioms.strong_dummy(rough, tolerance=0.005, n_cases=5).holds


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"cases": [([1.0], [0.0])]}, "expected functions with these cases"),
        ({"functions": [lambda z: z.sum(1)]}, "expected cases, pairs of input and baseline, for function 1"),
        ({"functions": {"three": 3}, "cases": [([1.0], [0.0])]}, r"\(N, D\) -> \(N,\), got int for three"),
        ({"functions": [lambda z: z.sum(1)], "cases": [([1.0, 2.0], [0.0])]}, "one size, got 2 and 1 features"),
        ({"functions": [lambda z: z], "cases": [([1.0, 1.0], [0.0, 0.0])]}, r"finite values \(4,\) .* got \(4, 2\)"),
        ({"n_cases": 0}, "n_cases"),
    ],
)
def test_bad_arguments(wrong, message):
    with pytest.raises(ValueError, match=message):
        axioms.completeness(equal_split_of_anything, **wrong)


def equal_split_of_anything(f, inputs, baselines):
    return torch.zeros_like(inputs)


@pytest.mark.parametrize(
    ("method", "got"),
    [
        (lambda f, x, b: x[0], r"got \(2,\)"),
        (lambda f, x, b: x.tolist(), "got list"),
        (lambda f, x, b: x / 0, r"finite attributions of shape \(1, 2\)"),
    ],
)
def test_bad_methods(method, got):
    with pytest.raises(ValueError, match=got):
        axioms.completeness(method)
