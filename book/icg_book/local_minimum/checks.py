"""Checks of the chapter on Local Minimum."""

import math
from functools import cache

import torch
from torch import Tensor

from icg import baselines
from icg.artifacts import load_model
from icg.attribution import integrated_gradients
from icg.certainty import join
from icg.shapley import coalitions, shapley_from_table
from icg_book.kit.old_answers import NotYet, call, call_tensor, close, meet, reference
from icg_book.kit.old_answers import accept as accept
from icg_book.scenarios.local_minimum import PAPER_INPUT, SIZE, component_score, ideal_shap

# ---- the references -------------------------------------------------------------------------------------------


@reference("my_component_score")
def _component_score(x):
    return component_score(x)


@reference("my_boundary")
def _boundary(output, low, high):
    at_low = output(torch.tensor([low])) > 0.5
    for _ in range(40):
        middle = (low + high) / 2
        if (output(torch.tensor([middle])) > 0.5) == at_low:
            low = middle
        else:
            high = middle
    return (low + high) / 2


@reference("my_certainty_shap")
def _certainty_shap(model, values):
    known = coalitions(values.shape[2])  # (2 ** D, D)
    outputs = model(join(values.expand(len(known), -1, -1), known[:, None].to(values)))
    return shapley_from_table(outputs)


@reference("my_sign_agreement")
def _sign_agreement(a, b):
    return (a.sign() == b.sign()).double().mean(1)


@reference("my_charged_input")
def _charged_input():
    return 0.1, 0.2, 0.3, 0.95, 0.75, 0.95


# ---- the checks -----------------------------------------------------------------------------------------------


def check_component_score(function) -> None:
    """``function(x)``: figure 5, elementwise, for values in [0, 1]; as ``x`` in shape."""
    places = [0.0, 0.1, 0.3, 0.45, 0.5, 0.52, 0.6, 0.7, 0.75, 0.8, 0.9, 1.0]
    x = torch.tensor(places, dtype=torch.float64).view(2, 6)
    answer = call_tensor(function, x.clone())
    right = component_score(x)
    high, falling, rising = x > 0.5, 2 * (1 - x), 2 * x - 1
    open_at = torch.where(x == 0.5, torch.tensor(1.0, dtype=x.dtype), right)
    meet(
        answer,
        right,
        [
            (open_at, "Almost: a component of exactly one half counts as a low one."),
            (torch.where(x == 0.5, 0.0, right), "Almost: a component of exactly one half counts as a low one."),
            (right.clamp(min=0), "Low components cost something. Look at the left half of the figure."),
            (right.abs(), "Low components count against class 1: what is their sign?"),
            (torch.where(high, torch.where(x > 0.75, falling, rising), -0.75), "Your high part has a hill at 0.75."),
            (torch.where(high, falling, -0.75), "Beyond 0.75 the score rises again: does your first condition win?"),
            (torch.where(high, rising, -0.75), "Between 0.5 and 0.75 the score falls: one branch is missing."),
            (torch.where(x > 0.75, rising, falling), "Below one half the score is constant."),
            (torch.where(high, 0.5 + (x - 0.75).abs(), -0.75), "The slopes are too flat: at 1 the score is 1."),
            (torch.where(high, 2 * (x - 0.75).abs(), -0.75), "The minimum is not at 0: the bottom of the V is lifted."),
            (torch.where(high, 1.0, -0.75), "High components do not all count alike: there is a V in the figure."),
            (right / right.max(1, keepdim=True).values, "Do not scale the scores."),
        ],
        "Not figure 5 yet: compare your function with it at 0.3, 0.6, 0.75 and 0.9.",
    )
    print("Right: low components cost three quarters, high ones earn one half to one.")


def check_boundary(function) -> None:
    """``function(output, low, high) -> b``: where ``output``, ``(N,)`` to ``(N,)``, crosses 1/2 between the ends."""
    cases = [
        (lambda b: torch.sigmoid((b - 0.5173) * 80), 0.4, 0.7, 0.5173),
        (lambda b: torch.sigmoid((0.4417 - b) * 60), 0.3, 0.6, 0.4417),
        (lambda b: 0.1 + 0.85 * torch.sigmoid((b - 0.53) * 200), 0.0, 1.0, None),
        (lambda b: 0.3 + 0.25 * b**6, 0.0, 1.0, 0.8 ** (1 / 6)),
    ]
    cases[2] = (*cases[2][:3], 0.53 + math.log(0.4 / 0.45) / 200)
    found = []
    for output, low, high, _ in cases:
        answer = call(function, output, low, high)
        try:
            found.append(float(answer))
        except (TypeError, ValueError, RuntimeError):
            shape = f" of shape {tuple(answer.shape)}" if isinstance(answer, Tensor) else ""
            raise NotYet(f"Return one number; yours is a {type(answer).__name__}{shape}.") from None
    if not all(map(math.isfinite, found)):
        raise NotYet("One of your numbers is not finite.")

    def each(wrong, tolerance=1e-3):
        return all(abs(f - wrong(*case)) < tolerance for f, case in zip(found, cases, strict=True))

    def secant(output, low, high, _):
        a, b = (output(torch.tensor([float(v)])).item() for v in (low, high))
        return low + (high - low) * (0.5 - a) / (b - a)

    def steepest(output, low, high, _):
        grid = torch.linspace(low, high, 4001, dtype=torch.float64)
        return grid[output(grid).diff().abs().argmax()].item()

    off = [abs(f - case[3]) for f, case in zip(found, cases, strict=True)]
    if max(off) <= 1e-4:
        print("Right: the model cannot decide there.")
        return
    if each(lambda output, low, high, b: (low + high) / 2):
        raise NotYet("This is the middle of the interval. Where is the output one half?")
    if each(lambda *case: 0.5, 0.02) and not each(lambda *case: case[3], 0.02):
        raise NotYet("You return the output there. Wanted is the input.")
    if each(secant):
        raise NotYet(
            "One straight line between the ends is not enough: the output is curved. Repeat with a half of it."
        )
    if each(steepest, 2e-3):
        raise NotYet("You look for the steepest place. Where is the output one half?")
    if off[1] > 0.02 and max(off[0], off[2], off[3]) <= 1e-4:
        raise NotYet("Your search takes for granted that the output rises. In one of the cases it falls.")
    if max(off) < 0.02:
        raise NotYet(
            "Close, but too coarse: wanted are four correct digits. Halving an interval doubles the precision."
        )
    if any(not low <= f <= high for f, (_, low, high, _) in zip(found, cases, strict=True)):
        raise NotYet("One of your answers lies outside of the interval from low to high.")
    raise NotYet("At your answer the output is not one half. Which half of the interval must the crossing be in?")


def check_certainty_shap(function) -> None:
    """``function(model, values (1, 1, D)) -> (D,)``: Shapley values when absent components have certainty 0."""
    generator = torch.Generator().manual_seed(0)
    for size in (3, 5):
        values = torch.rand(1, 1, size, generator=generator, dtype=torch.float64)
        weights = torch.randn(size, 2, generator=generator, dtype=torch.float64)

        def model(joined, weights=weights, size=size):
            if joined.ndim != 3 or joined.shape[1:] != (2, size):
                got = tuple(joined.shape)
                raise ValueError(f"expected joined inputs (N, 2, {size}), values and certainty, got {got}")
            value, certainty = joined[:, 0], joined[:, 1]
            believed = (value * certainty) @ weights[:, 0] + certainty @ weights[:, 1] * 0.4
            return torch.sin(2 * believed + 0.7) + believed * (certainty * value).amax(1)

        answer = call_tensor(function, model, values.clone())
        masks = coalitions(size)

        def table(known, values=values, masks=masks, model=model):
            if known == "certainty":
                return model(join(values.expand(len(masks), -1, -1), masks[:, None].double()))
            return model(join(torch.where(masks[:, None], values, 0.0)))

        game = table("certainty")
        right = shapley_from_table(game)

        def gains(game, masks=masks, size=size):
            """All marginal contributions, (D, 2 ** (D - 1))."""
            return torch.stack([game[masks[:, i]] - game[~masks[:, i]] for i in range(size)])

        everyone, nobody = len(masks) - 1, 0
        alone = torch.stack([game[1 << i] - game[nobody] for i in range(size)])
        last = torch.stack([game[everyone] - game[everyone - (1 << i)] for i in range(size)])
        counts = torch.tensor([1 / math.comb(size - 1, int(s)) for s in masks[: 2 ** (size - 1)].sum(1)]).double()
        flat = answer.flatten()
        if answer.shape != right.shape and close(flat, right):
            raise NotYet(f"The numbers are right. Return them in the shape ({size},); yours is {tuple(answer.shape)}.")
        alpha = ((torch.arange(400) + 0.5) / 400).double().view(-1, 1, 1).requires_grad_()
        on_path = alpha.expand(-1, 1, size) + torch.zeros(1, dtype=torch.float64)
        slopes = torch.autograd.grad(
            model(torch.cat([values.expand(400, -1, -1), on_path], 1)).sum(), on_path, allow_unused=True
        )[0]
        meet(
            answer,
            right,
            [
                (-right, "All signs are turned round: a contribution is the output with a component minus without."),
                (
                    shapley_from_table(table("zero")),
                    "This is BShap from zero: you change the values. Leave them, and set certainties to 0.",
                ),
                (gains(game).mean(1), "You weigh all coalitions alike. Each *size* of coalition has the same weight."),
                (gains(game).sum(1), "You add up all contributions. A Shapley value is a weighted mean."),
                (gains(game) @ counts, "The weights of a component add up to one in each size: divide by D as well."),
                (last, "You only ask what happens when one component is taken from all. Ask for all coalitions."),
                (alone, "You only ask what a component adds to nothing. Ask for all coalitions."),
                (
                    (alone + last) / 2,
                    "First and last are two of the sizes only: the coalitions between them count, too.",
                ),
                (slopes.mean((0, 1)), "This is ICG, an integral. Here certainty is 0 or 1, nothing in between."),
                (right / right.abs().max(), "Do not scale the values."),
                (
                    right + (game[nobody]) / size,
                    "They sum to F(all known). Shapley values sum to F(all known) - F(nothing known).",
                ),
            ],
            "Not the Shapley values: what does the output gain when i becomes known, for every coalition without"
            " i? Average within each size, then over the sizes.",
        )
    print("Right: exact, and one evaluation of the model for each coalition is all it takes.")


def check_sign_agreement(function) -> None:
    """``function(a (N, D), b (N, D)) -> (N,)``: share of components whose signs agree; 0 is a sign of its own."""
    generator = torch.Generator().manual_seed(3)
    a = torch.randn(7, 6, generator=generator, dtype=torch.float64)
    b = torch.randn(7, 6, generator=generator, dtype=torch.float64)
    a[0, :3], b[0, 2:4] = 0.0, 0.0  # 0 against something, twice; both 0, once; something against 0
    a[1], b[1] = b[1], 3 * b[1]
    answer = call_tensor(function, a.clone(), b.clone())
    same = (a.sign() == b.sign()).double()
    product = a * b
    right = same.mean(1)
    if answer.shape == same.shape:
        raise NotYet("One number for each input: take the mean over its components.")
    if answer.shape == same.mean(0).shape:
        raise NotYet("You average over inputs, for each component. Wanted is one number for each input.")
    if answer.ndim == 0:
        raise NotYet("You average over all inputs. Wanted is one number for each, so that there can be an interval.")
    centred = (a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True))
    size = product.abs()
    meet(
        answer,
        right,
        [
            (same.sum(1), "You count components. A share is the count divided by the number of components."),
            (1 - right, "This is the share that disagrees."),
            ((product > 0).double().mean(1), "Two zeros agree. What is the product of two zeros?"),
            ((product >= 0).double().mean(1), "A zero does not agree with a number. What is their product?"),
            (((a >= 0) == (b >= 0)).double().mean(1), "You take zero for positive. It is a sign of its own."),
            (((a > 0) == (b > 0)).double().mean(1), "You take zero for negative. It is a sign of its own."),
            ((a.sign() * b.sign()).mean(1), "The mean product of signs goes from -1 to 1, and is no share."),
            (
                (centred[0] * centred[1]).sum(1) / (centred[0].norm(dim=1) * centred[1].norm(dim=1)),
                "This is the correlation. Look at signs alone.",
            ),
            (torch.cosine_similarity(a, b, dim=1), "This is the cosine: it weighs components. Look at signs alone."),
            ((product.clamp(min=0)).sum(1) / size.sum(1), "You weigh components by their size. Each counts the same."),
            ((a == b).double().mean(1), "You ask for equal values. Their signs are enough."),
            ((a.sum(1).sign() == b.sum(1).sign()).double(), "You compare the signs of the sums."),
        ],
        "Not yet: in how many of the components of an input do a and b have the same sign, as a share?",
    )
    print("Right: one share for each input, 1 where all signs agree.")


@cache
def _model():
    return load_model("local-minimum")


def _agn(values: Tensor) -> Tensor:
    """AGN of class 1 on the chapter's network, ``(6,)``: 100 noisy baselines with 12 steps each."""
    noise = baselines.gaussian_noise(0.1, n_samples=100)
    maps = integrated_gradients(_model(), join(values), noise, target=1, n_steps=12, dtype=torch.float64)
    return maps[0, 0]


def check_charged_input(function) -> None:
    """``function() -> six numbers``: one of 0.7 to 0.8 that AGN charges and exact SHAP credits, 0.05 each."""
    answer = call(function)
    try:
        values = torch.as_tensor(answer, dtype=torch.float32).detach().reshape(1, 1, -1)
    except (TypeError, ValueError, RuntimeError):
        raise NotYet(f"Return six numbers; yours is a {type(answer).__name__}.") from None
    if values.shape[2] != SIZE:
        raise NotYet(f"Return six numbers, one for each component; you return {values.shape[2]}.")
    if not bool(((values >= 0) & (values <= 1)).all()):
        raise NotYet("Components lie between 0 and 1.")
    if close(values, PAPER_INPUT, 0.005):
        raise NotYet("This is the paper's input. There exact SHAP charges the component at the minimum, too.")
    near = (values[0, 0] >= 0.7) & (values[0, 0] <= 0.8)
    if not bool(near.any()):
        raise NotYet("None of your components lies between 0.7 and 0.8, around the local minimum.")
    true, agn = ideal_shap(values)[0, 0][near], _agn(values)[near]
    if bool(((true >= 0.05) & (agn <= -0.05)).any()):
        print("Right: AGN charges a component that deserves credit.")
        return
    total = component_score(values.double()).sum().item()
    if bool((true < 0.05).all()):
        if total <= 0:
            raise NotYet(
                "Your input is of class 0, and the component near the minimum deserves nothing: it is what keeps the "
                "sum from being positive. Choose an input of class 1."
            )
        raise NotYet(
            "The component near the minimum deserves less than 0.05: would the class be 1 with almost any other value "
            "in its place? Let fewer components be high."
        )
    raise NotYet(
        "That component deserves credit, but AGN finds next to nothing there: noise hardly ever changes the class. "
        "The sum must be closer to zero, or the component nearer to the minimum."
    )
