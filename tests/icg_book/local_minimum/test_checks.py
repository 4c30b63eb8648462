"""The checks of the chapter on Local Minimum accept right answers and name typical mistakes."""

import itertools
import math

import numpy as np
import pytest
import torch
from checking import messages, shared_tests

from icg.certainty import join
from icg.shapley import certainty_shap, coalitions, shapley_from_table, shapley_sampling
from icg_book.kit.answers import NotYet
from icg_book.local_minimum import checks
from icg_book.local_minimum.experiment import compare
from icg_book.scenarios.local_minimum import component_score

# --- the score of a component --------------------------------------------------------------------------------------


def score(x):
    return torch.where(x > 0.75, 2 * x - 1, torch.where(x > 0.5, 2 * (1 - x), -0.75))


def score_loop(x):
    def one(v):
        return 2 * v - 1 if v > 0.75 else 2 * (1 - v) if v > 0.5 else -0.75

    return torch.tensor([one(v) for v in x.flatten().tolist()]).view(x.shape)


def score_by_masks(x):
    found = torch.full_like(x, -0.75)
    found[x > 0.5] = 2 * (1 - x[x > 0.5])
    found[x >= 0.75] = 2 * x[x >= 0.75] - 1
    return found


def score_by_arithmetic(x):
    high = (x > 0.5).to(x.dtype)
    return high * torch.maximum(2 - 2 * x, 2 * x - 1) - 0.75 * (1 - high)


def with_high(high):
    return lambda x: torch.where(x > 0.5, high(x), -0.75)


SCORE_WRONG = {
    "exactly one half": lambda x: torch.where(x >= 0.5, 0.5 + 2 * (x - 0.75).abs(), -0.75),
    "cost something": lambda x: torch.where(x > 0.5, score(x), 0.0),
    "what is their sign": lambda x: torch.where(x > 0.5, score(x), 0.75),
    "every sign is reversed": lambda x: -score(x),
    "a hill at 0.75": lambda x: torch.where(x > 0.75, 2 * (1 - x), torch.where(x > 0.5, 2 * x - 1, -0.75)),
    "first condition win": with_high(lambda x: 2 * (1 - x)),
    "one branch is missing": with_high(lambda x: 2 * x - 1),
    "Below one half": lambda x: torch.where(x > 0.75, 2 * x - 1, 2 * (1 - x)),
    "High begins at one half": lambda x: torch.where(x > 0.75, 2 * x - 1, -0.75),
    "too flat": with_high(lambda x: 0.5 + (x - 0.75).abs()),
    "bottom of the V": with_high(lambda x: 2 * (x - 0.75).abs()),
    "a corner, not a curve": with_high(lambda x: 0.5 + 8 * (x - 0.75) ** 2),
    "not all count alike": with_high(torch.ones_like),
    "Do not scale": lambda x: score(x) / score(x).max(),
    r"Not figure 5.*\nFor x = \[\[0.3\]\] it returned \[\[0.3\]\]": lambda x: x,
    r"Not figure 5.*\nFor x = \[\[0.6\]\]": lambda x: torch.where(x > 0.65, score(x), -0.75),
    r"Not figure 5.*\nFor x = \(1, 1, 6\) numbers|Not figure 5.*\nFor x = \[\[\[": lambda x: (
        score(x) if x.ndim < 3 else torch.zeros_like(x)
    ),
    "a score for each number, not their sum": lambda x: score(x).sum(),
    "Return a score for each number, shape": lambda x: score(x).flatten(),
    "changes a tensor that it is given": lambda x: x.sub_(0.75).abs_().mul_(2).add_(0.5),
    "RuntimeError": lambda x: 1.0 if x > 0.5 else -0.75,
}

# --- the share of equal signs --------------------------------------------------------------------------------------


def agreement(a, b):
    return (torch.sign(a) == torch.sign(b)).float().mean(dim=-1)


def agreement_loop(a, b):
    def sign(v):
        return (v > 0) - (v < 0)

    return [
        sum(sign(x) == sign(y) for x, y in zip(p, q, strict=True)) / len(p)
        for p, q in zip(a.tolist(), b.tolist(), strict=True)
    ]


def agreement_by_products(a, b):
    same = (a * b > 0) | (a == 0) & (b == 0)
    return np.asarray(same).mean(axis=1)


SIGN_WRONG = {
    "one number for each, so": lambda a, b: agreement(a, b).mean(),
    "average over inputs": lambda a, b: (a.sign() == b.sign()).double().mean(0),
    "One number for each input: take": lambda a, b: a.sign() == b.sign(),
    "count components": lambda a, b: (a.sign() == b.sign()).sum(1),
    "divide by 6": lambda a, b: (a.sign() == b.sign()).sum(1) / 6,
    "share that disagrees": lambda a, b: (a.sign() != b.sign()).double().mean(1),
    "whether all signs agree": lambda a, b: (a.sign() == b.sign()).all(1),
    "whether any sign agrees": lambda a, b: (a.sign() == b.sign()).any(1),
    "Two zeros agree": lambda a, b: (a * b > 0).double().mean(1),
    "does not agree with a number": lambda a, b: (a * b >= 0).double().mean(1),
    "leave out components with a zero": lambda a, b: (a * b > 0).sum(1) / (a * b != 0).sum(1),
    "zero for positive": lambda a, b: ((a >= 0) == (b >= 0)).double().mean(1),
    "zero for negative": lambda a, b: ((a > 0) == (b > 0)).double().mean(1),
    "positive in both": lambda a, b: ((a > 0) & (b > 0)).double().mean(1),
    "mean product of signs": lambda a, b: (a.sign() * b.sign()).mean(1),
    "the correlation": lambda a, b: torch.cosine_similarity(a - a.mean(1)[:, None], b - b.mean(1)[:, None], eps=0),
    "the cosine": lambda a, b: torch.cosine_similarity(a, b),
    "by their size": lambda a, b: (a * b).relu().sum(1) / (a * b).abs().sum(1),
    "equal values": lambda a, b: (a == b).double().mean(1),
    "signs of the sums": lambda a, b: (a.sum(1).sign() == b.sum(1).sign()).double(),
    "In how many": lambda a, b: agreement(a, b) ** 2,
    r"In how many.*\nFor a = \[\[": lambda a, b: agreement(a.round(decimals=1), b.round(decimals=1)),
}

# --- the boundary --------------------------------------------------------------------------------------------------


def boundary(output, low, high):
    sign = torch.sign(output(torch.tensor([high], dtype=torch.float64)) - 0.5)
    for _ in range(60):
        middle = (low + high) / 2
        if sign * (output(torch.tensor([middle], dtype=torch.float64)) - 0.5) > 0:
            high = middle
        else:
            low = middle
    return low


def boundary_in_single_precision(output, low, high, rounds=20):
    """Twenty rounds, as the hint says, of float32 numbers."""
    at_low = bool(output(torch.tensor([low])) > 0.5)
    for _ in range(rounds):
        middle = (low + high) / 2
        if bool(output(torch.tensor([middle])) > 0.5) == at_low:
            low = middle
        else:
            high = middle
    return torch.tensor([high])


def boundary_by_grids(output, low, high):
    """Ever finer grids, each between the two places where the last one changes sides."""
    for _ in range(4):
        grid = torch.linspace(low, high, 33, dtype=torch.float64)
        k = int(((output(grid) > 0.5).int().diff() != 0).nonzero()[0])
        low, high = grid[k].item(), grid[k + 1].item()
    return round((low + high) / 2, 4)


def boundary_by_a_fine_grid(output, low, high):
    grid = torch.linspace(low, high, 100_001, dtype=torch.float64)
    return grid[(output(grid) - 0.5).abs().argmin()]


def halving(condition, rounds=60):
    def answer(output, low, high):
        for _ in range(rounds):
            middle = (low + high) / 2
            p = output(torch.tensor([middle], dtype=torch.float64))
            low, high = (low, middle) if condition(p) else (middle, high)
        return middle

    return answer


def on_grid(n, best):
    def answer(output, low, high):
        grid = torch.linspace(low, high, n, dtype=torch.float64)
        return grid[best(output(grid))]

    return answer


def secant(output, low, high):
    a, b = output(torch.tensor([low, high], dtype=torch.float64)).tolist()
    return low + (high - low) * (0.5 - a) / (b - a)


def until_output_is_near(output, low, high, near=1e-3):
    at_low = output(torch.tensor([low])) > 0.5
    while True:
        middle = (low + high) / 2
        p = output(torch.tensor([middle]))
        if abs(p - 0.5) < near:
            return middle
        low, high = (middle, high) if (p > 0.5) == at_low else (low, middle)


def nearer_third(output, low, high):
    """Goes where the output is nearer to one half, which may be a place where it only comes close."""
    for _ in range(80):
        third = (high - low) / 3
        far, near = (abs(output(torch.tensor([b], dtype=torch.float64)) - 0.5) for b in (low + third, high - third))
        low, high = (low + third, high) if near < far else (low, high - third)
    return low


BOUNDARY_WRONG = {
    "middle of the interval": lambda output, low, high: (low + high) / 2,
    "return the output": lambda output, low, high: output(torch.tensor([boundary(output, low, high)])).item(),
    "One straight line": secant,
    "steepest place": on_grid(1001, lambda p: p.diff().abs().argmax()),
    "for granted that the output rises": halving(lambda p: p > 0.5),
    "for granted that the output falls": halving(lambda p: p < 0.5),
    "has no crossing in it": lambda output, low, high: halving(
        lambda p: (p > 0.5) == (output(torch.tensor([low])) > 0.5)
    )(output, low, high),
    "This is an end": lambda output, low, high: high,
    "outside of the interval": lambda output, low, high: boundary(output, 0.0, 1.0),
    "output may cross one half, too": lambda output, low, high: boundary(output, low, 1.0),
    "Close, but too coarse": on_grid(101, lambda p: (p - 0.5).abs().argmin()),
    "too coarse": lambda *case: round(boundary(*case), 3),
    "too coarse: wanted": lambda *case: boundary_in_single_precision(*case, rounds=9),
    r"which half of an interval.*\nFor output = 0.1 \+ .* it returned 1.1": lambda output, low, high: high + 0.1,
    r"which half .*\nFor output = 0.*low = 0, high = 1": until_output_is_near,
    r"which half .*\nFor output = 0.5 - .* b² \+": nearer_third,
    "one number; yours has shape": lambda output, low, high: output(torch.tensor([low, high])),
    "NaN or infinity": lambda output, low, high: math.nan,
    "ZeroDivisionError": lambda output, low, high: 1 / 0,
}

# --- certainty-SHAP ------------------------------------------------------------------------------------------------


def by_orders(model, values):
    size = values.shape[2]
    credit = torch.zeros(size, dtype=torch.float64)
    orders = list(itertools.permutations(range(size)))
    for order in orders:
        known = torch.zeros(1, 1, size, dtype=values.dtype)
        before = model(join(values, known))
        for i in order:
            known[..., i] = 1
            after = model(join(values, known))
            credit[i] += (after - before).item() / len(orders)
            before = after
    return credit


def by_sets(weight, sets=None):
    """Sum over sets without i of weight(s, D) times what i adds."""

    def answer(model, values):
        size = values.shape[2]
        credit = [0.0] * size
        for i in range(size):
            others = [j for j in range(size) if j != i]
            for s in sets(size) if sets else range(size):
                for chosen in itertools.combinations(others, s):
                    known = torch.zeros(1, 1, size)
                    known[..., list(chosen)] = 1
                    without = model(join(values, known))
                    known[..., i] = 1
                    credit[i] += weight(s, size) * (model(join(values, known)) - without).item()
        return torch.tensor(credit, dtype=torch.float64)

    return answer


def shapley_weight(s, size):
    return 1 / (size * math.comb(size - 1, s))


def by_table(model, values):
    known = coalitions(values.shape[2])[:, None]
    return shapley_from_table(model(join(values.expand(len(known), -1, -1), known.to(values)))).tolist()


def by_values(model, values, absent=0.0, certainty=None):
    known = coalitions(values.shape[2])[:, None]
    inputs = torch.where(known, values, absent)
    return shapley_from_table(model(join(inputs, 1.0 if certainty is None else known.to(values))))


def by_the_library(model, values):
    return certainty_shap(model, join(values))[0, 0]


def certainty_path(model, values):
    joined = join(values.expand(200, -1, -1), ((torch.arange(200) + 0.5) / 200).view(-1, 1, 1)).requires_grad_()
    return torch.autograd.grad(model(joined).sum(), joined)[0][:, 1].mean(0)


def slope(model, values):
    joined = join(values).requires_grad_()
    return torch.autograd.grad(model(joined).sum(), joined)[0][0, 1]


def all_known(model, values):
    return by_orders(model, values) + model(join(values, 0.0)).item() / values.shape[2]


def sampled(model, values):
    def value(masks):
        return model(join(values.expand(len(masks), -1, -1), masks[:, None].to(values)))

    return shapley_sampling(value, values.shape[2], n_permutations=50)[0]


def equally(model, values):
    change = (model(join(values)) - model(join(values, 0.0))).item()
    return [change / values.shape[2]] * values.shape[2]


SHAP_WRONG = {
    "turned round": lambda model, values: -by_orders(model, values),
    "This is BShap": by_values,
    "You change the values as well": lambda model, values: by_values(model, values, certainty="known"),
    "weigh all coalitions alike": by_sets(lambda s, size: 0.5 ** (size - 1)),
    "add up all": by_sets(lambda s, size: 1.0),
    "divide by D as well": by_sets(lambda s, size: 1 / math.comb(size - 1, s)),
    "do not add up to 1": by_sets(lambda s, size: math.factorial(s) * math.factorial(size - s) / math.factorial(size)),
    "taken from all": by_sets(lambda s, size: 1.0, lambda size: [size - 1]),
    "adds to nothing": by_sets(lambda s, size: 1.0, lambda size: [0]),
    "First and last": by_sets(lambda s, size: 0.5, lambda size: [0, size - 1]),
    "coalition of nobody": by_sets(shapley_weight, lambda size: range(1, size)),
    "coalition of all others": by_sets(shapley_weight, lambda size: range(size - 1)),
    "This is ICG": certainty_path,
    "This is a slope": slope,
    "share the change equally": equally,
    "Do not scale": lambda model, values: by_orders(model, values) / by_orders(model, values).abs().max(),
    r"F\(nothing known\)": all_known,
    "sum over the components": lambda model, values: by_orders(model, values).sum(),
    "What does the output gain": sampled,
    r"What does.*\nFor model = 1 \+ x1 \+ 2 c1 .* values = \[\[\[0.5, 0.25\]\]\] it returned \[": (
        lambda model, values: by_orders(model, values).flip(0)
    ),
    r"\(N, 2, 2\); yours is of shape \(1, 1, 2\)": lambda model, values: model(values),
    "one number for each component, shape": lambda model, values: by_orders(model, values)[1:],
}

# --- an input on which AGN charges who deserves credit --------------------------------------------------------------

INPUT_WRONG = {
    "paper's input": lambda: (0.1, 0.2, 0.3, 0.6, 0.7, 0.9),
    "None of your components": lambda: (0.1, 0.2, 0.3, 0.62, 0.9, 0.9),
    "of class 0": lambda: (0.1, 0.2, 0.3, 0.9, 0.75, 0.9),
    r"deserves \S+\. Choose an input of class 1": lambda: (0.75, 0.1, 0.1, 0.1, 0.1, 0.1),
    "almost any other value": lambda: (0.1, 0.2, 0.9, 0.9, 0.75, 0.9),
    "Let fewer components be high": lambda: [0.9, 0.8, 0.9, 0.9, 0.1, 0.9],
    r"The component 0.75 deserves credit, but AGN gives it": lambda: [0.75] * 6,
    "hardly ever changes the class": lambda: (0.1, 0.2, 0.3, 0.99, 0.8, 0.99),
    "AGN credits it, too": lambda: (0.49, 0.36, 0.03, 0.7, 0.92, 0.96),
    r"yours have shape \(5,\)": lambda: (0.1, 0.2, 0.3, 0.4, 0.5),
    r"yours have shape \(2, 6\)": lambda: torch.full((2, 6), 0.75),
    "between 0 and 1": lambda: (-0.1, 0.2, 0.3, 0.6, 0.75, 0.9),
    "Components lie between": lambda: [math.nan] * 6,
    "Return six numbers; yours is a str": lambda: "the local minimum",
    "ZeroDivisionError": lambda: 1 / 0,
}

ALL = {
    checks.check_component_score: ([score, score_loop, score_by_masks, score_by_arithmetic], SCORE_WRONG),
    checks.check_sign_agreement: ([agreement, agreement_loop, agreement_by_products], SIGN_WRONG),
    checks.check_boundary: (
        [boundary, boundary_in_single_precision, boundary_by_grids, boundary_by_a_fine_grid],
        BOUNDARY_WRONG,
    ),
    checks.check_certainty_shap: ([by_orders, by_sets(shapley_weight), by_table], SHAP_WRONG),
    checks.check_charged_input: (
        [
            lambda: (0.1, 0.2, 0.3, 0.95, 0.75, 0.95),
            lambda: torch.tensor([[[0.75, 0.94, 0.0, 0.96, 0.5, 0.4]]]),
            lambda: np.array([0.95, 0.02, 0.75, 0.31, 0.95, 0.2]),
        ],
        INPUT_WRONG,
    ),
}
globals().update(
    shared_tests(
        ALL,
        family={checks.check_charged_input: (lambda seed: [()], lambda answer: answer)},
        right_anyway={
            checks.check_charged_input: {
                "'0.[123]': 0.[123] -> 0|answer: one percent more|answer: 0.01 more": "an input "
                "that fulfils all that is asked for: how low the low ones are does not matter"
            }
        },
    )
)


@pytest.mark.parametrize("check", ALL)
def test_no_message_gives_the_answer_away(check):
    secrets = {
        checks.check_component_score: ["2 * ", "(x "],
        checks.check_boundary: [f"{checks._boundary(*case):.3f}" for case in checks.check_boundary.cases(0)],
        checks.check_charged_input: ["0.95, 0.75"],
    }
    for said in messages(check, ALL):
        assert not any(secret in said for secret in secrets.get(check, []))


def test_a_search_without_an_end_is_stopped():
    output = checks._output("0.1 + b²", lambda b: 0.1 + b**2, most=200)
    with pytest.raises(NotYet, match="more than 200 times: stop when"):
        until_output_is_near(output, 0.0, 1.0, near=-1.0)


@pytest.mark.parametrize("seed", range(1, 30))
def test_outputs_cross_one_half_once_between_the_ends(seed):
    for output, low, high in checks.check_boundary.cases(seed):
        p = output(torch.linspace(low, high, 2001, dtype=torch.float64))
        assert int(((p > 0.5).int().diff() != 0).sum()) == 1
        assert 0 <= p.min() and p.max() <= 1
        assert abs(checks._boundary(output, low, high) - (low + high) / 2) > 1e-3


@pytest.mark.parametrize(
    "answer, check",
    [
        (component_score, checks.check_component_score),
        (lambda a, b: compare(a, b)["sign agreement"], checks.check_sign_agreement),
        (by_the_library, checks.check_certainty_shap),
    ],
)
def test_the_library_answers_and_is_named(answer, check, capsys):
    check(answer)
    assert "did it" in capsys.readouterr().out
    with pytest.raises(NotYet, match="Write it yourself"):
        check(answer, own=True)
