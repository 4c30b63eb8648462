"""Verdicts follow the rule, and what the chapter's text says of the ablation is what the result says."""

import pytest

import icg
from icg_book.certainty import ablation, claims
from icg_book.certainty.claims import judge, measured, more_on_black, per_seed


def made(**values):
    """Arms with one measure each, "neutrality", from values by seed."""
    arms = {name: {"measures": {"neutrality": {"values": v}, "accuracy": {"values": v}}} for name, v in values.items()}
    arms["full mix"] = {"curve": {"steps": [0, 1200]}, "measures": {}}
    return arms


def test_the_rule():
    arms = made(low=[0.1, 0.2, 0.1], high=[0.5, 0.7, 0.6], mixed=[0.0, 0.9, 0.2])
    assert judge(arms, "neutrality", "low", "high").verdict == "holds"
    assert judge(arms, "neutrality", "high", "low").verdict == "reversed"
    assert judge(arms, "accuracy", "high", "low").verdict == "holds"  # here more is better
    verdict, other, gain = judge(arms, "neutrality", "low", "mixed")
    assert (verdict, other) == ("can’t be told", "mixed") and gain["low"] < 0 < gain["high"]


def test_the_best_of_the_papers_steps_is_looked_up_and_never_counts_as_the_last_step():
    steps = {name: [100.0 * k, 101.0 * k] for k, name in enumerate(claims.STEPS_OF_PAPER, 1)}
    arms = made(mix=[50.0, None], **steps)
    assert judge(arms, "neutrality", "mix", "best").other == "uniform"  # the smallest
    assert judge(arms, "accuracy", "mix", "best").other == "+ binary"  # the largest
    assert per_seed(arms, "mix", "neutrality") == [50.0, 1200]


def test_every_claim_is_about_arms_that_are_trained():
    for text, (measure, better, other) in claims.CLAIMS.items():
        assert better in ablation.ARMS and other in {*ablation.ARMS, "best"}, text
        assert measure
    assert set(claims.STEPS_OF_PAPER) <= set(ablation.ARMS)


# ---- what the chapter says


@pytest.fixture(scope="module")
def arms():
    return icg.artifacts.load_result("certainty-ablation")["arms"]


def mean(arms, arm, measure):
    return measured(arms, arm, measure)["mean"]


HOLD = (
    "Varying the extent improves neutrality",
    "… and makes the network use it: absence",
    "Binary certainties are learnt faster",
    "The full mix is the most effective: speed",
    "… final accuracy under damage",
    "Damage slows learning",
    "Damage costs undamaged accuracy (the paper: no)",
    "Adversarial damage: undamaged pictures learnt faster",
    "… and neutrality",
    "Behind a gate certainty is learnt faster",
    "… with more accuracy under damage",
)
DO_NOT_HOLD = (
    "Adversarial damage trains certainty faster",
    "… absence",
    "… neutrality",
    "… but it makes blind: less credit on black ink",
)


def test_verdicts_are_those_of_the_text(arms):
    verdicts = claims.judge_all(arms)
    assert list(verdicts) == list(claims.CLAIMS)
    for text in HOLD:
        assert verdicts[text].verdict == "holds", text
    for text in DO_NOT_HOLD:
        assert verdicts[text].verdict != "holds", text


def test_variable_extent_and_adversarial_damage(arms):
    for measure in ("absence", "neutrality"):  # "by a factor of ten or so"
        assert 5 < mean(arms, "variable extent", measure) / mean(arms, "+ adversarial", measure) < 30
    assert judge(arms, "damaged accuracy", "uniform", "variable extent").verdict == "holds"


def test_binary_certainties(arms):
    assert judge(arms, "damaged accuracy", "+ binary", "+ adversarial").verdict == "holds"
    assert judge(arms, "neutrality", "+ adversarial", "+ binary").verdict == "holds"
    for kind in ("adversarial", "uniform"):  # noise as damage data
        kind = f"damaged accuracy, continuous, {kind}"
        assert min(per_seed(arms, "+ adversarial", kind)) > max(per_seed(arms, "+ binary", kind))
    for measure in ("band zero", "band one"):  # they suppress the band best, and not entirely
        shares = {arm: mean(arms, arm, measure) for arm in arms if "gated" not in arm}
        assert min(shares, key=shares.get) == "+ binary" and min(shares.values()) > 0.05


def test_absence_blocks_and_the_gate(arms):
    blocks = "full mix + absent + blocks"
    assert judge(arms, "damaged accuracy", "full mix + absent", blocks).verdict == "holds"
    assert judge(arms, "absence", blocks, "full mix + absent").verdict == "can’t be told"
    assert judge(arms, "neutrality", "gated + absent + blocks", "full mix").verdict != "reversed"
    assert judge(arms, "neutrality", "gated", "full mix").verdict == "can’t be told"
    assert more_on_black(arms, "gated")["low"] > 0


def test_the_price_of_damage(arms):
    assert 0.005 < mean(arms, "undamaged", "accuracy") - mean(arms, "full mix", "accuracy") < 0.025
    assert min(arms, key=lambda arm: mean(arms, arm, "gap")) == "undamaged"
