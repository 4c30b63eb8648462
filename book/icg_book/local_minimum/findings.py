"""What the chapter on Local Minimum says of its measured results, in sentences and lists."""

import textwrap

from icg_book.local_minimum.experiment import BSHAP, METHODS

MEASURES = ("correlation", "sign agreement", "largest difference")
BASELINE_METHODS = tuple(m for m in METHODS if m not in ("ICG", "certainty-SHAP"))


def say(text) -> str:
    """A sentence in lines that fit the page."""
    return textwrap.fill(str(text), 72, subsequent_indent="    ")


def closer(comparison: dict, a: str, b: str, measure: str, reference: str = "exact SHAP") -> int:
    """Whether method ``a`` is closer to a reference than ``b``: 1, -1, or 0 where their 95 % intervals overlap.

    Args:
        comparison: ``{reference: {method: {measure: interval}}}``, of the result "local-minimum".
    """
    one, two = comparison[reference][a][measure], comparison[reference][b][measure]
    if measure == "largest difference":
        one, two = two, one
    return (one["low"] > two["high"]) - (one["high"] < two["low"])


def icg_against_baselines(result: dict) -> str:
    """Than which methods with a baseline ICG is closer to exact SHAP and to the score, by each measure."""
    lines = []
    for reference in ("exact SHAP", "score"):
        lines.append(f"Is ICG closer to {reference} than each baseline method?")
        for measure in MEASURES:
            others = [b for b in BASELINE_METHODS if closer(result["comparison"], "ICG", b, measure, reference) < 1]
            verdict = f"not than {', '.join(others)}" if others else "yes, than all of them"
            lines.append(say(f"  {measure}: {verdict}."))
    return "\n".join(lines)


def icg_against_boundary(result: dict) -> str:
    """In how many of the trained networks ICG is closer to exact SHAP than BShap from the network's own boundary."""
    lines = [say("In how many of the trained networks are ICG closer than BShap from its boundary?")]
    for measure in MEASURES:
        pairs = [
            [found["to exact SHAP"][method][measure]["mean"] for method in ("ICG", BSHAP)]
            for found in result["seeds"].values()
        ]
        smaller = measure == "largest difference"
        wins = sum(ours < theirs if smaller else ours > theirs for ours, theirs in pairs)
        lines.append(f"  {measure}: {wins} of {len(pairs)}.")
    alike = result["comparison"]["certainty-SHAP"]["ICG"]["correlation"]["mean"]
    lines.append(f"ICG and certainty-SHAP correlate at {alike:.3f}; on a perfect network, at 1.")
    return "\n".join(lines)


def accuracies(result: dict, card: dict) -> str:
    """How many seeds reach 98 % accuracy, from which to which, and the network of the page."""
    found = [seed["accuracy"] for seed in result["seeds"].values()]
    return say(
        f"{sum(a >= 0.98 for a in found)} of {len(found)} seeds reach 98 %; from {min(found):.2%} to {max(found):.2%}. "
        f"The network of this page: {card['metrics']['accuracy']['all']:.2%}."
    )


def raw_values(result: dict, names: list[str]) -> str:
    """Of table 2, what scaling hides: largest value and sum of each column, and how far single draws of mean IG range.

    Args:
        names: of the six components.
    """
    lines = ["Largest raw value of each column:"]
    for method in METHODS:
        column = result["table"][method]
        lines.append(f"  {method:18s} {max(column):+.3f}   sum {sum(column):+.3f}")
    draws = result["mean IG of single draws"]
    lines.append("Single draws of mean IG (95 % of them):")
    for name, low, high in zip(names, draws["low"], draws["high"], strict=True):
        lines.append(f"  {name}: {low:+.2f} to {high:+.2f}")
    return "\n".join(lines)
