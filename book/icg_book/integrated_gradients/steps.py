"""Explorable "steps and rules": a path integral as an area, by any rule and any number of steps."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from icg.attribution import integrated_gradients
from icg.paths import nodes_and_weights
from icg.quadrature import METHODS
from icg.question import BatchLimit, Objective
from icg_book.kit.figures import signed_lut
from icg_book.kit.page.explorable import Explorable, script_beside

LARGEST = 64
RULES = dict(zip(METHODS, ("left", "right", "middle", "trapezoid", "Gauss–Legendre", "adaptive"), strict=True))
# Colour and dashes of each rule: not orange or blue, which mean signs; the dashes tell them apart without colour.
STYLES = (
    ("#8b6fd6", (2, 2)),
    ("#8b6fd6", (7, 3)),
    ("#0b9a76", ()),
    ("#8a8520", (8, 3, 2, 3)),
    ("#c8488f", ()),
    ("#d0473a", (5, 2)),
)


@dataclass(frozen=True)
class PathFunction:
    """A model's output along a path, F(alpha) for alpha in [0, 1].

    Attributes:
        label: for the menu. kind: which formula. parameters: its numbers, used here and in the page alike.
        hint: what to look for.
    """

    label: str
    kind: str
    parameters: dict
    hint: str

    def __call__(self, alpha: Tensor) -> Tensor:
        """F at ``alpha``, any shape; autograd gives its slope."""
        p = self.parameters
        if self.kind == "wave":
            return 1 - torch.exp(-p["decay"] * alpha) * torch.cos(p["turn"] * alpha)
        if self.kind == "kinks":
            bends = zip(p["knots"], zip(p["slopes"], p["slopes"][1:], strict=False), strict=True)
            return p["slopes"][0] * alpha + sum((b - a) * (alpha - knot).relu() for knot, (a, b) in bends)
        if self.kind == "sigmoid":
            return torch.sigmoid(p["steepness"] * (alpha - p["centre"]))
        return (alpha > p["centre"]).to(alpha.dtype) + 0 * alpha  # a slope for autograd to find, and it is zero


# Knots and centres lie on no node of a rule, so that rounding cannot put a node on the other side.
FUNCTIONS = {
    "smooth": PathFunction(
        "smooth (GELU, tanh)",
        "wave",
        {"decay": 3.0, "turn": 5.0},
        "No corners: with every doubling of n the middle rule is off by a quarter as much, and a handful of points of "
        "Gauss–Legendre is exact to many digits. Left and right err by about the same, one too much, one too little.",
    ),
    "kinks": PathFunction(
        "kinks (ReLU)",
        "kinks",
        {"knots": [0.2345, 0.4712, 0.7281], "slopes": [0.3, 2.4, -0.6, 0.9]},
        "A ReLU network is straight between its kinks, so its gradient is a staircase. Only the steps that hold a kink "
        "are wrong. No rule is much better than 1/n here, clever ones included; watch the sign of the gap change.",
    ),
    "saturating": PathFunction(
        "saturating sigmoid",
        "sigmoid",
        {"steepness": 12.0, "centre": 0.3},
        "All of the change comes early; at the input (α = 1) the gradient is almost zero. The right rule with n = 1 "
        "asks only there: that is gradient × distance, and it finds next to nothing.",
    ),
    "jump": PathFunction(
        "jump (a very sure probability)",
        "sigmoid",
        {"steepness": 400.0, "centre": 0.617},
        "A needle: wide steps either miss it, and the gap is −1, or one of them hits it and counts its height for the "
        "whole step. The adaptive rule looks at the output first and puts its steps where that changes.",
    ),
    "threshold": PathFunction(
        "hard threshold (no gradient)",
        "threshold",
        {"centre": 0.617},
        "The output changes and the gradient is zero wherever you ask. No rule and no number of steps helps: the "
        "fundamental theorem needs a function without true jumps.",
    ),
}


def steps_and_rules(
    function: str = "kinks",
    rule: str = "riemann_middle",
    n_steps: int = 8,
    *,
    title: str = "Steps and rules",
    alt: str | None = None,
    fallback=None,
) -> Explorable:
    """Choose a function along the path, a rule and a number of steps; see the area, the exact change, and the gap.

    Args:
        function: one of ``FUNCTIONS``, shown first. rule: one of :data:`icg.quadrature.METHODS`.
        n_steps: 1 (trapezoid: 2) to 64.
        title, alt: heading and description of the static picture; the description says the numbers by default.
        fallback: static picture (PNG bytes, path or figure); by default the state that is shown first.

    Raises:
        ValueError: an unknown function or rule, or a number of steps out of range.
    """
    if function not in FUNCTIONS:
        raise ValueError(f"expected function to be one of {', '.join(FUNCTIONS)}, got {function!r}")
    if rule not in RULES:
        raise ValueError(f"expected rule to be one of {', '.join(RULES)}, got {rule!r}")
    least = 2 if rule == "riemann_trapezoid" else 1
    if not isinstance(n_steps, int) or isinstance(n_steps, bool) or not least <= n_steps <= LARGEST:
        raise ValueError(f"expected n_steps from {least} to {LARGEST} for {rule}, got {n_steps!r}")
    gap = completeness_gap(FUNCTIONS[function], rule, n_steps)
    return Explorable(
        script_beside(__file__),
        {
            "functions": [{"key": key, **vars(f)} for key, f in FUNCTIONS.items()],
            "rules": [
                {"key": key, "label": label, "colour": colour, "dash": " ".join(map(str, dash)) or "none"}
                for (key, label), (colour, dash) in zip(RULES.items(), STYLES, strict=True)
            ],
            "largest": LARGEST,
            "start": {"function": function, "rule": rule, "n": n_steps},
        },
        title,
        alt
        or f"The gradient along a path ({FUNCTIONS[function].label}) with areas of the {RULES[rule]} rule, "
        f"n = {n_steps}, whose sum misses the change of the output by {gap:+.3g}; beside it the size of that gap "
        "against the number of steps for six rules.",
        static_picture(function, rule, n_steps) if fallback is None else fallback,
    )


def completeness_gap(function: Callable[[Tensor], Tensor], rule: str, n_steps: int) -> float:
    """sum(attributions) - (F(1) - F(0)) for F of one feature, from 0 to 1, by the library."""
    _, gap = integrated_gradients(
        lambda z: function(z[:, 0]),
        torch.ones(1, 1, dtype=torch.float64),
        n_steps=n_steps,
        method=rule,
        return_convergence_delta=True,
    )
    return gap.item()


def nodes(function: Callable[[Tensor], Tensor], rule: str, n_steps: int) -> tuple[Tensor, Tensor]:
    """Nodes and weights ``(n_steps,)`` of a rule on this function's path."""
    start, end = torch.zeros(1, 1, dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)
    objective = Objective(lambda z: function(z[:, 0]), None, "probability")
    found = nodes_and_weights(rule, n_steps, objective, start, end, BatchLimit(None, end))
    return found[0][0], found[1][0]


def _slope(function, alpha: Tensor) -> Tensor:
    alpha = alpha.clone().requires_grad_()
    (slope,) = torch.autograd.grad(function(alpha).sum(), alpha)
    return slope


def static_picture(name: str, rule: str, n_steps: int):
    """The state that is shown first, drawn with matplotlib."""
    from matplotlib.figure import Figure

    function, lut = FUNCTIONS[name], signed_lut() / 255
    figure = Figure(figsize=(7.4, 3.4), facecolor="white", layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    at, weight = nodes(function, rule, n_steps)
    height, at, weight = (_slope(function, at).numpy(), at.numpy(), weight.numpy())
    colours = [lut[217] if h >= 0 else lut[37] for h in height]
    if rule == "riemann_trapezoid":
        left.fill_between(at, height, color=lut[190], linewidth=0)
    else:
        left.bar(
            weight.cumsum() - weight,
            height,
            weight,
            align="edge",
            color=colours,
            alpha=0.5,
            edgecolor="white",
            linewidth=0.8,
        )
    fine = torch.linspace(0, 1, 2001, dtype=torch.float64)
    left.plot(fine, _slope(function, fine), color="#1d2733", linewidth=1.6)
    left.scatter(at, height, s=14, color="#1d2733", zorder=3)
    left.axhline(0, color="0.6", linewidth=0.8, zorder=0)
    left.set_xlabel(r"$\alpha$ (0: baseline, 1: input)")
    left.set_title(f"gradient along the path, {RULES[rule]} rule, n = {n_steps}", fontsize=9)
    counts = [2**k for k in range(7)]
    for (key, label), (colour, dash) in zip(RULES.items(), STYLES, strict=True):
        ns = [n for n in counts if n > 1 or key != "riemann_trapezoid"]
        gaps = [max(abs(completeness_gap(function, key, n)), 1e-12) for n in ns]
        bold = key == rule
        line = (0, dash) if dash else "solid"
        right.plot(ns, gaps, label=label, color=colour, linestyle=line, linewidth=2.6 if bold else 1.2, zorder=2 + bold)
    right.set_xscale("log", base=2)
    right.set_yscale("log")
    right.set_xticks(counts, [str(n) for n in counts])
    right.set_xlabel("number of steps n")
    right.set_title("size of the gap", fontsize=9)
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=8, frameon=False)
    return figure
