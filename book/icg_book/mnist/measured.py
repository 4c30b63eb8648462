"""What was measured on thousands of digits and comes with the book: numbers that the text compares, and reports.

``cards`` are the model cards of :data:`NETWORKS` by name; ``result`` and ``curves`` are the results "mnist" and
"mnist-curves" (:func:`icg.artifacts.load_card`, :func:`icg.artifacts.load_result`). Reports are texts to print.
"""

import textwrap
from collections.abc import Sequence

import torch
from torch import Tensor

from icg_book.mnist.curves import reached

NETWORKS = ("mnist", "mnist-plain", "mnist-in-space", "mnist-in-space-plain")
AWARE, UNAWARE = ("mean IG", "EG"), ("middle IG", "AGN")  # of the data's distribution, as the paper sorts the methods
CHANGES = {"values": "values flipped", "certainty": "certainty taken"}
CURVES = [(way, change) for change in CHANGES for way in ("deletion", "insertion")]
LINES = {  # of figure 8: name in the result, and what it is
    "plain, undamaged": "trained without damage",
    "damaged, undamaged": "with damage, on undamaged digits",
    "damaged, damaged": "with damage, on damaged digits",
}


# --- what certainty costs ------------------------------------------------------------------------------------------


def accuracy(cards: dict, name: str, place: str | None = None) -> float:
    """A network's share of right answers on the test set; ``place`` on the canvas: "middle" or "right"."""
    found = cards[name]["metrics"]["accuracy"]
    return found["all"] if place is None else found[place]["all"]


def plain_ahead(cards: dict, name: str, place: str | None = None) -> tuple[float, float, float]:
    """Points of accuracy that the plain twin of a network is ahead, and their 95 % interval."""
    pair = [accuracy(cards, n, place) for n in (f"{name}-plain", name)]
    n = cards[name]["metrics"]["accuracy"]["images"]
    error = 1.96 * sum(p * (1 - p) / n for p in pair) ** 0.5
    ahead = pair[0] - pair[1]
    return 100 * ahead, 100 * (ahead - error), 100 * (ahead + error)


def targets(cards: dict) -> dict[str, bool]:
    """What the networks were to reach, and whether they do."""
    least = accuracy(cards, "mnist-plain") - 0.0015
    return {
        "MNIST at least 99.3 %": accuracy(cards, "mnist") >= 0.993,
        "and within 0.15 points of the plain twin": accuracy(cards, "mnist") >= least,
        "in Space, left, at least 99 %": accuracy(cards, "mnist-in-space") >= 0.99,
        "and on the right at least 98.5 %": accuracy(cards, "mnist-in-space", "right") >= 0.985,
    }


def cost_report(cards: dict) -> str:
    """How far the plain twins are ahead, after how many batches, and whether the targets are met."""
    lines = ["The plain twin is ahead, in points:"]
    for name, place in (("mnist", None), ("mnist-in-space", None), ("mnist-in-space", "right")):
        ahead, low, high = plain_ahead(cards, name, place)
        steps = sum(stage["steps"] for stage in cards[name]["training"]["stages"])
        where = f"{name}, {place}" if place else name
        lines.append(f"  {where:22s}{ahead:+.2f} [{low:+.2f}, {high:+.2f}], {steps:,} batches")
    lines.append("What we set out for:")
    lines += [f"  {target:42s} {'met' if met else 'NOT met'}" for target, met in targets(cards).items()]
    return "\n".join(lines)


def slowdown_points(curves: dict, measure: str) -> Tensor:
    """How many times more batches training with damage needs, at every level that both networks get to.

    Args:
        measure: "loss" or "accuracy".

    Returns:
        ``(4, K)``: batches of the plain network, mean slowdown, and the ends of its interval.
    """
    plain = curves["curves"]["plain, undamaged"]
    mean = torch.tensor(plain[measure]).mean(0).tolist()
    points = []
    for level, ratio in curves["slowdown"][measure]["levels"].items():
        at = reached(plain["steps"], mean, float(level), falling=measure == "loss")
        if at and ratio["low"]:
            points.append((at, ratio["mean"], ratio["low"], ratio["high"]))
    return torch.tensor(points).T


def slowdown_report(curves: dict) -> str:
    """The slowdown over all levels, in the easiest and the hardest third of them, and the accuracies at the end."""
    lines = [f"How many times more batches, over {len(curves['seeds'])} seeds (paper: about 2):"]
    for measure, found in curves["slowdown"].items():
        middle = found["median"]
        between = f"[{middle['low']:.2f}, {middle['high']:.2f}]"
        lines.append(f"  for the same {measure:9s}{middle['mean']:.2f} {between}, median over all levels")
        levels = torch.tensor([ratio["mean"] for ratio in found["levels"].values() if ratio["mean"]])
        third = len(levels) // 3
        easy, hard = (part.log().mean().exp() for part in (levels[:third], levels[-third:]))
        lines.append(f"  {'':22s}{easy:.2f} in the easiest third of them, {hard:.2f} in the hardest")
    above = all(found["median"]["low"] > curves["paper"]["slowdown"] for found in curves["slowdown"].values())
    lines.append("  The intervals lie above the paper's two." if above else "  Two is not excluded.")
    for name, label in LINES.items():
        line = curves["curves"][name]
        last = torch.tensor(line["accuracy"])[:, -1].mean()
        lines.append(f"after {line['steps'][-1]:,} batches, {label}: {last:.1%}")
    return "\n".join(lines)


# --- what the network makes of certainty 0 -------------------------------------------------------------------------


def understanding_report(result: dict, cards: dict) -> str:
    """The paper's tests of certainty 0 (A.3.1): credit in an unknown band, absence, neutrality, exchanged halves."""
    digits = result["mnist"]
    lines = ["share of |credit| inside the band          unknown    known"]
    for name, label in (("zero", "zero baseline"), ("one", "one baseline"), ("both", "together")):
        found = digits["band"][name]
        lines.append(f"  {label:38s}{found['masked']['mean']:8.3f}{found['unmasked']['mean']:9.3f}")
    lines += ["", "at certainty 0                         MNIST    in Space"]
    of_both = [cards[name]["metrics"] for name in ("mnist", "mnist-in-space")]
    for label, pick in {
        "absence: spread of an answer": lambda m: m["absence"]["sd"],
        "absence: largest difference": lambda m: m["absence"]["max"],
        "neutrality: distance from 1/10": lambda m: m["neutrality"],
        "accuracy under the paper's damage": lambda m: m["accuracy under damage"]["mean"],
    }.items():
        here, in_space = map(pick, of_both)
        lines.append(f"  {label:36s}{here:8.3f}{in_space:10.3f}")
    neutral = digits["neutrality"]["largest from shares"]
    half = digits["absence"]["half swapped"]
    lines += [
        f"  {'the same, from class frequencies':36s}{neutral:8.3f}{'–':>10s}",
        "",
        "unknown left half exchanged for another digit's (MNIST)",
        f"  the probability moves by            {half['mean']['mean']:8.3f} on average",
        f"  other answers                       {half['changed answers']:8.1%}",
    ]
    return "\n".join(lines)


# --- comparisons of methods ----------------------------------------------------------------------------------------


def agreement(result: dict, first: Sequence[str], second: Sequence[str]) -> float:
    """Mean rank correlation between the methods of two groups, none with itself."""
    found = result["mnist"]["rank correlation"]
    at = {method: k for k, method in enumerate(found["methods"])}
    values = [found["mean"][at[a]][at[b]] for a in first for b in second if a != b]
    return sum(values) / len(values)


def against_icg(result: dict, way: str, change: str) -> tuple[list[str], list[str]]:
    """The methods whose order of pixels is better than ICG's, and worse, by areas whose interval does not hold 0.

    Args:
        way: "deletion" or "insertion". change: a name of :data:`CHANGES`.
    """
    sign = 1 if way == "deletion" else -1
    better, worse = [], []
    for method, found in result["mnist"]["methods"].items():
        less = found[way][change].get("area less ICG's")
        if less and less["low"] * less["high"] > 0:
            (better if sign * less["mean"] < 0 else worse).append(method)
    return better, worse


def order_report(result: dict) -> str:
    """Whose order of pixels is better than ICG's and whose is worse, by each of the four areas."""
    lines = []
    for way, change in CURVES:
        lines.append(f"{way}, {CHANGES[change]}")
        for word, methods in zip(("better", "worse"), against_icg(result, way, change), strict=True):
            said = f"  {word} than ICG: {'; '.join(methods) or 'none'}"
            lines.append(textwrap.fill(said, 72, subsequent_indent="    "))
    return "\n".join(lines)


# --- in Space ------------------------------------------------------------------------------------------------------


def columns_report(cards: dict) -> str:
    """How far the accuracy depends on a digit's column, for the network in Space and its plain twin."""
    lines = []
    for name in NETWORKS[2:]:
        metrics = cards[name]["metrics"]
        found = metrics["accuracy against column"]
        low, high = min(found["accuracy"]), max(found["accuracy"])
        lines.append(f"{name:22s} from {low:.1%} to {high:.1%} over all columns")
        lines.append(f"{'':22s} same answer on the right as on the left: {metrics['same answer']:.1%}")
    return "\n".join([*lines, f"each column: the same {found['images']:,} test digits"])


def ghost_report(result: dict) -> str:
    """Credit where only the data were: differences between methods, and its density beside that of the surroundings."""
    in_space = result["space"]
    lines = ["credit in the ghost's place, paired differences"]
    for name, d in in_space["differences"].items():
        lines.append(f"  {name:16s}{d['mean']:+.2%} [{d['low']:+.2%}, {d['high']:+.2%}]")
    lines.append("credit per pixel in the ghost's place, over that in the rest of the left half")
    for name, found in in_space["methods"].items():
        d = found.get("ghost against the rest")
        if d and d["mean"] is not None:
            lines.append(f"  {name:16s}{d['mean']:6.2f} [{d['low']:.2f}, {d['high']:.2f}]")
    return "\n".join(lines)
