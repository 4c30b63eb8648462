"""The checks of the chapter on Local Minimum accept right answers and name typical mistakes."""

import itertools
import math
from pathlib import Path

import pytest
import torch
from checking import messages, shared_tests

from icg.certainty import join
from icg.shapley import certainty_shap, coalitions, shapley_from_table, shapley_sampling
from icg_book.local_minimum import checks
from icg_book.scenarios.local_minimum import component_score

NOTEBOOK = Path(__file__).parents[3] / "book" / "local_minimum.ipynb"

# --- the score of a component --------------------------------------------------------------------------------------


def score(x):
    return torch.where(x > 0.5, 0.5 + 2 * (x - 0.75).abs(), -0.75)


def score_loop(x):
    def one(v):
        return 2 * v - 1 if v > 0.75 else 2 * (1 - v) if v > 0.5 else -0.75

    return torch.tensor([one(v) for v in x.flatten().tolist()]).view(x.shape)


def with_high(high):
    return lambda x: torch.where(x > 0.5, high(x), -0.75)


SCORE_WRONG = {
    "exactly one half": lambda x: torch.where(x >= 0.5, 0.5 + 2 * (x - 0.75).abs(), -0.75),
    "cost something": lambda x: torch.where(x > 0.5, score(x), 0.0),
    "what is their sign": lambda x: torch.where(x > 0.5, score(x), 0.75),
    "a hill at 0.75": lambda x: torch.where(x > 0.75, 2 * (1 - x), torch.where(x > 0.5, 2 * x - 1, -0.75)),
    "first condition win": with_high(lambda x: 2 * (1 - x)),
    "one branch is missing": with_high(lambda x: 2 * x - 1),
    "Below one half": lambda x: torch.where(x > 0.75, 2 * x - 1, 2 * (1 - x)),
    "too flat": with_high(lambda x: 0.5 + (x - 0.75).abs()),
    "bottom of the V": with_high(lambda x: 2 * (x - 0.75).abs()),
    "not all count alike": with_high(torch.ones_like),
    "Not figure 5": lambda x: x,
    "of shape": lambda x: score(x).sum(1),
    "Return a tensor": lambda x: score(x).tolist(),
    "RuntimeError": lambda x: 1.0 if x > 0.5 else -0.75,
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


def on_grid(n, best):
    def answer(output, low, high):
        grid = torch.linspace(low, high, n, dtype=torch.float64)
        return grid[best(output(grid))]

    return answer


def rising(output, low, high):
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if output(torch.tensor([middle], dtype=torch.float64)) > 0.5 else (middle, high)
    return low


def secant(output, low, high):
    a, b = output(torch.tensor([low, high], dtype=torch.float64)).tolist()
    return low + (high - low) * (0.5 - a) / (b - a)


BOUNDARY_WRONG = {
    "middle of the interval": lambda output, low, high: (low + high) / 2,
    "return the output": lambda output, low, high: output(torch.tensor([boundary(output, low, high)])).item(),
    "One straight line": secant,
    "steepest place": on_grid(4001, lambda p: p.diff().abs().argmax()),
    "for granted that the output rises": rising,
    "too coarse": on_grid(101, lambda p: (p - 0.5).abs().argmin()),
    "outside of the interval": lambda output, low, high: high + 0.1,
    "Which half of the interval": lambda output, low, high: low,
    "one number": lambda output, low, high: output(torch.tensor([low, high])),
    "not finite": lambda output, low, high: math.nan,
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
        credit = torch.zeros(size)
        for i in range(size):
            others = [j for j in range(size) if j != i]
            for s in sets(size) if sets else range(size):
                for chosen in itertools.combinations(others, s):
                    known = torch.zeros(1, 1, size, dtype=values.dtype)
                    known[..., list(chosen)] = 1
                    without = model(join(values, known))
                    known[..., i] = 1
                    credit[i] += weight(s, size) * (model(join(values, known)) - without).item()
        return credit

    return answer


def shapley_weight(s, size):
    return 1 / (size * math.comb(size - 1, s))


def from_zero(model, values):
    known = coalitions(values.shape[2])[:, None]
    return shapley_from_table(model(join(torch.where(known, values, 0.0))))


def as_library(model, values):
    class Logit:
        certainty_aware = True

        def __call__(self, joined):
            return model(joined)

    return certainty_shap(Logit(), join(values))[0, 0]


def certainty_path(model, values):
    joined = join(values.expand(200, -1, -1), ((torch.arange(200) + 0.5) / 200).view(-1, 1, 1)).requires_grad_()
    return torch.autograd.grad(model(joined).sum(), joined)[0][:, 1].mean(0)


def all_known(model, values):
    return by_orders(model, values) + model(join(values, 0.0)).item() / values.shape[2]


def sampled(model, values):
    def value(masks):
        return model(join(values.expand(len(masks), -1, -1), masks[:, None].to(values)))

    return shapley_sampling(value, values.shape[2], n_permutations=50)[0]


SHAP_WRONG = {
    "turned round": lambda model, values: -by_orders(model, values),
    "BShap from zero": from_zero,
    "weigh all coalitions alike": by_sets(lambda s, size: 0.5 ** (size - 1)),
    "add up all": by_sets(lambda s, size: 1.0),
    "divide by D as well": by_sets(lambda s, size: 1 / math.comb(size - 1, s)),
    "taken from all": by_sets(lambda s, size: 1.0, lambda size: [size - 1]),
    "adds to nothing": by_sets(lambda s, size: 1.0, lambda size: [0]),
    "First and last": by_sets(lambda s, size: 0.5, lambda size: [0, size - 1]),
    "This is ICG": certainty_path,
    "Do not scale": lambda model, values: by_orders(model, values) / by_orders(model, values).abs().max(),
    r"F\(nothing known\)": all_known,
    r"Return them in the shape \(3,\)": lambda model, values: by_orders(model, values)[None, None],
    "Not the Shapley values": sampled,
    "expected joined inputs": lambda model, values: model(values),
    "Return a tensor": lambda model, values: by_orders(model, values).tolist(),
}

# --- the share of equal signs --------------------------------------------------------------------------------------


def agreement(a, b):
    return (torch.sign(a) == torch.sign(b)).float().mean(dim=-1)


def agreement_loop(a, b):
    def sign(v):
        return (v > 0) - (v < 0)

    return torch.tensor(
        [
            sum(sign(x) == sign(y) for x, y in zip(p, q, strict=True)) / len(p)
            for p, q in zip(a.tolist(), b.tolist(), strict=True)
        ]
    )


SIGN_WRONG = {
    "one number for each, so": lambda a, b: agreement(a, b).mean(),
    "average over inputs": lambda a, b: (a.sign() == b.sign()).double().mean(0),
    "One number for each input: take": lambda a, b: (a.sign() == b.sign()).double(),
    "count components": lambda a, b: (a.sign() == b.sign()).double().sum(1),
    "share that disagrees": lambda a, b: (a.sign() != b.sign()).double().mean(1),
    "Two zeros agree": lambda a, b: (a * b > 0).double().mean(1),
    "does not agree with a number": lambda a, b: (a * b >= 0).double().mean(1),
    "zero for positive": lambda a, b: ((a >= 0) == (b >= 0)).double().mean(1),
    "zero for negative": lambda a, b: ((a > 0) == (b > 0)).double().mean(1),
    "mean product of signs": lambda a, b: (a.sign() * b.sign()).mean(1),
    "the correlation": lambda a, b: torch.stack(
        [torch.corrcoef(torch.stack(pair))[0, 1] for pair in zip(a, b, strict=True)]
    ),
    "the cosine": lambda a, b: torch.cosine_similarity(a, b),
    "by their size": lambda a, b: (a * b).relu().sum(1) / (a * b).abs().sum(1),
    "equal values": lambda a, b: (a == b).double().mean(1),
    "signs of the sums": lambda a, b: (a.sum(1).sign() == b.sum(1).sign()).double(),
    "in how many": lambda a, b: agreement(a, b) ** 2,
    "Return a tensor": lambda a, b: agreement(a, b).tolist(),
}

# --- an input on which AGN charges who deserves credit --------------------------------------------------------------

INPUT_WRONG = {
    "paper's input": lambda: (0.1, 0.2, 0.3, 0.6, 0.7, 0.9),
    "None of your components": lambda: (0.1, 0.2, 0.3, 0.62, 0.9, 0.9),
    "of class 0": lambda: (0.1, 0.2, 0.3, 0.9, 0.75, 0.9),
    "almost any other value": lambda: (0.1, 0.2, 0.9, 0.9, 0.75, 0.9),
    "next to nothing": lambda: (0.1, 0.2, 0.3, 0.99, 0.8, 0.99),
    "you return 5": lambda: (0.1, 0.2, 0.3, 0.4, 0.5),
    "between 0 and 1": lambda: (-0.1, 0.2, 0.3, 0.6, 0.75, 0.9),
    "Return six numbers; yours is a str": lambda: "the local minimum",
    "ZeroDivisionError": lambda: 1 / 0,
}

ALL = {
    checks.check_component_score: ([score, score_loop, component_score], SCORE_WRONG),
    checks.check_boundary: ([boundary, lambda *case: torch.tensor([boundary(*case)])], BOUNDARY_WRONG),
    checks.check_certainty_shap: ([by_orders, by_sets(shapley_weight), as_library], SHAP_WRONG),
    checks.check_sign_agreement: ([agreement, agreement_loop], SIGN_WRONG),
    checks.check_charged_input: ([checks._charged_input, lambda: torch.tensor(checks._charged_input())], INPUT_WRONG),
}
globals().update(shared_tests(ALL))


@pytest.mark.parametrize("check", ALL)
def test_no_message_gives_the_answer_away(check):
    secrets = {
        checks.check_component_score: ["-0.75", "2 * ", "0.8"],
        checks.check_boundary: ["0.5173", "0.4417", "0.529"],
        checks.check_charged_input: [f"{v:g}" for v in checks._charged_input()[3:]],
    }
    for said in messages(check, ALL):
        assert not any(secret in said for secret in secrets.get(check, []))
