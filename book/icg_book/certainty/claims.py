"""Claims about training recipes (sections A.3.2 and A.3.3 of the paper, and beyond), judged by paired trainings.

All recipes ("arms") of :mod:`icg_book.certainty.ablation` share their seeds, so for each seed two of them can be
subtracted. A claim *holds* if the 95 % interval of the mean difference lies on the claimed side of zero, is *reversed*
if it lies on the other, and otherwise *can't be told*. ``arms`` is the result's ``"arms"`` throughout.
"""

from typing import NamedTuple

from icg_book.kit.intervals import interval

STEPS_OF_PAPER = ("uniform", "variable extent", "+ adversarial", "+ binary")
MORE_IS_BETTER = ("accuracy", "damaged accuracy", "blind")  # of all other measures less is better


class Claim(NamedTuple):
    """The arm that is claimed to be better in a measure, and the arm to compare with; "best": of the paper's steps."""

    measure: str
    better: str
    other: str


class Verdict(NamedTuple):
    """ "holds", "reversed" or "can’t be told"; the arm compared with, and the interval of what the better arm gains."""

    verdict: str
    other: str
    gain: dict


# Fixed before the numbers were there, except for the last six.
CLAIMS = {
    "Varying the extent improves neutrality": Claim("neutrality", "variable extent", "uniform"),
    "Adversarial damage trains certainty faster": Claim("steps to 50 %, damaged", "+ adversarial", "variable extent"),
    "… and with more accuracy": Claim("damaged accuracy", "+ adversarial", "variable extent"),
    "… and makes the network use it: absence": Claim("absence", "+ adversarial", "variable extent"),
    "Binary certainties are learnt faster": Claim("steps to 50 %, damaged", "+ binary", "+ adversarial"),
    "The full mix is the most effective: speed": Claim("steps to 50 %, damaged", "full mix", "best"),
    "… final accuracy under damage": Claim("damaged accuracy", "full mix", "best"),
    "… absence": Claim("absence", "full mix", "best"),
    "… neutrality": Claim("neutrality", "full mix", "best"),
    "Damage slows learning": Claim("steps to 95 %", "undamaged", "full mix"),
    "Damage costs undamaged accuracy (the paper: no)": Claim("accuracy", "undamaged", "full mix"),
    "Adversarial damage: undamaged pictures learnt faster": Claim("steps to 95 %", "+ adversarial", "variable extent"),
    "<i>Beyond the paper:</i> inputs at certainty 0 improve absence": Claim("absence", "full mix + absent", "full mix"),
    "… and neutrality": Claim("neutrality", "full mix + absent", "full mix"),
    "Behind a gate certainty is learnt faster": Claim("steps to 50 %, damaged", "gated", "full mix"),
    "… with more accuracy under damage": Claim("damaged accuracy", "gated", "full mix"),
    "… but it makes blind: less credit on black ink": Claim("blind", "full mix", "gated"),
}


def measured(arms: dict, arm: str, measure: str) -> dict | None:
    """Mean, interval and values of a measure; None if the arm does not have it."""
    return arms[arm]["measures"].get(measure)


def per_seed(arms: dict, arm: str, measure: str) -> list[float]:
    """A measure's values, one for each seed. A level that was never reached counts as reached at the last step."""
    last = arms["full mix"]["curve"]["steps"][-1]
    return [last if value is None else value for value in measured(arms, arm, measure)["values"]]


def judge(arms: dict, measure: str, better: str, other: str) -> Verdict:
    """Is the arm ``better`` in fact better than ``other`` in this measure?"""
    sign = 1 if measure in MORE_IS_BETTER else -1
    if other == "best":
        other = max(STEPS_OF_PAPER, key=lambda arm: sign * sum(per_seed(arms, arm, measure)))
    pairs = zip(per_seed(arms, better, measure), per_seed(arms, other, measure), strict=True)
    gain = interval([sign * (a - b) for a, b in pairs])
    if gain["low"] > 0:
        return Verdict("holds", other, gain)
    return Verdict("reversed" if gain["high"] < 0 else "can’t be told", other, gain)


def judge_all(arms: dict) -> dict[str, Verdict]:
    """A verdict on each of :data:`CLAIMS`."""
    return {text: judge(arms, *claim) for text, claim in CLAIMS.items()}


def more_on_black(arms: dict, arm: str) -> dict:
    """How much more of the credit lies on black ink than on the same ink in light: mean and 95 % interval."""
    black, light = per_seed(arms, arm, "blind"), per_seed(arms, arm, "blind, swapped")
    return interval([a - b for a, b in zip(black, light, strict=True)])
