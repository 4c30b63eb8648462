"""What is said of the ledger follows from its intervals, and changes with them."""

import math

import pytest
from ledgers import around, made, row

from icg_book.fairness import findings
from icg_book.fairness.findings import SAMPLING


def flat(text):
    return " ".join(text.split())


@pytest.mark.parametrize("one, other, verdict", [(0.2, 0.3, 1), (0.3, 0.2, -1), (0.2, 0.215, 0), (None, 0.2, 0)])
def test_nearer_needs_intervals_apart(one, other, verdict):
    assert findings.nearer(around(one), around(other)) == verdict
    assert findings.nearer(around(one), around(other), "correlation") == -verdict
    assert findings.nearer(None, around(other)) == 0


def test_the_best_and_who_cant_be_told_from_it():
    found = {"a": around(0.3), "b": around(0.315), "c": around(0.5), "d": around(None), "e": None}
    assert findings.best(found) == ("a", ["b"])
    assert findings.best(found, "correlation") == ("c", [])
    assert findings.best({"d": around(None)}) == (None, [])


def test_a_budget_between_two_points_is_read_off_a_log_axis():
    curve = {"evaluations": [16, 64, 256], "distance": [around(0.8), around(0.4), around(0.2)]}
    for budget, mean in ((16, 0.8), (32, 0.6), (64, 0.4), (256, 0.2)):
        found = findings.at_budget(curve, budget)
        assert [found[k] for k in ("low", "mean", "high")] == pytest.approx([mean - 0.01, mean, mean + 0.01])
    assert findings.at_budget(curve, 100)["mean"] == pytest.approx(0.4 - 0.2 * math.log(100 / 64) / math.log(4))
    assert findings.at_budget(curve, 15) is None and findings.at_budget(curve, 257) is None
    curve["distance"][0] = around(None)
    assert findings.at_budget(curve, 32) is None


def test_rows_are_those_that_were_asked_for():
    result = made()
    result["rows"].append(row("MNIST", "ICG", 0.2, network="mnist-blocks"))
    assert findings.scenarios(result) == ["Burnt Snacks", "MNIST"]
    assert findings.networks(result, "MNIST") == ["mnist", "mnist-blocks"]
    assert findings.ledger(result, "MNIST")["ICG"]["distance"]["mean"] == 0.5
    assert findings.ledger(result, "MNIST", network="mnist-blocks")["ICG"]["distance"]["mean"] == 0.2
    assert list(findings.ledger(result, "Burnt Snacks", reference="own game")) == ["zero IG", "AGN", "ICG"]
    assert findings.ledger(result, "Burnt Snacks", images="no dark square") == {}
    assert findings.ledger(result, "Imagenette") == {} and findings.curves(result, "Imagenette") == {}
    result["rows"] = [one for one in result["rows"] if one["network"] != "burnt-snacks"]
    assert findings.scenarios(result) == ["MNIST"]


def test_the_limit_is_ahead_of_nobody_where_no_path_was_measured():
    result = made(("Burnt Snacks", "MNIST"))
    result["curves"] = [c for c in result["curves"] if c["scenario"] == "MNIST" or c["method"] == SAMPLING]
    assert findings.curves(result, "Burnt Snacks") == {} and SAMPLING in findings.curves(result, "MNIST")
    for said in (findings.on_budgets(result), findings.on_the_limit(result)):
        assert "Burnt Snacks" not in said and "MNIST" in said


def test_the_yardstick_says_how_good_it_is():
    lines = flat(findings.on_yardstick(made()))
    assert "Burnt Snacks: 5 to 9 players, exact but for rounding (bfloat16, a distance of 0.006)." in lines
    assert "MNIST: 5 players, 96 random orders; the worst standard error is 3.4% of the total" in lines
    assert "a distance of 0.12." in lines


def test_who_is_the_culprit_follows_from_game_and_path():
    result = made()
    lines = [flat(line) for line in flat(findings.on_culprits(result)).split(". ")]
    text = flat(findings.on_culprits(result))
    assert (
        "zero IG: the game is 0.02 [0.01, 0.03] from the truth, the path 1.90 [1.89, 1.91]. Most of it is lost on"
        in text
    )
    assert "AGN: the game is 1.00 [0.99, 1.01] from the truth, the path 1.00 [0.99, 1.01]. Which of the two" in text
    assert "ICG: the game is 0.90 [0.89, 0.91] from the truth, the path 0.50 [0.49, 0.51]. The path is nearer" in text
    assert len(lines) > 3
    assert "Not the baseline is the culprit, but the path" in flat(findings.on_the_thesis(result))
    for game in result["games"]:
        game["distance"] = around(1.2)
    assert "zero IG: the game is 1.20 [1.19, 1.21] from the truth, the path 1.90 [1.89, 1.91]. The path adds" in flat(
        findings.on_culprits(result)
    )
    for game in result["games"]:
        game["distance"] = around(1.9)
    assert "can't be told" in flat(findings.on_the_thesis(result))


def test_the_ledger_in_words():
    text = flat(findings.on_ledger(made()))
    assert "Burnt Snacks: the fairest is block-wise, 0.30 [0.29, 0.31], measurably." in text
    assert "ICG: 0.50 [0.49, 0.51]; fairer than ICG, among methods with a baseline: none." in text
    text = flat(findings.on_ledger(made(distances={"ICG": 0.5, "block-wise": 0.505, "EG": 0.3, "AGN": 0.31})))
    assert "the fairest is EG, 0.30 [0.29, 0.31]; can't be told from AGN." in text
    assert "among methods with a baseline: AGN and EG." in text


def test_budgets_and_the_limit():
    result = made()
    text = flat(findings.on_budgets(result))
    assert "MNIST, 50 evaluations: permutation sampling, 0.24 [0.23, 0.25], measurably ahead of all others." in text
    assert "MNIST, 250 evaluations" in text and "MNIST, 500" not in text  # nobody measured that
    assert "MNIST: permutation sampling is measurably fairer than every path from 64 evaluations on." in flat(
        findings.on_the_limit(result)
    )
    for curve in result["curves"]:
        if curve["method"] == SAMPLING:
            curve["distance"] = [around(5.0)] * 3
    assert "at no number of evaluations that was measured" in flat(findings.on_the_limit(result))
    assert "MNIST, 50 evaluations: block-wise, 0.30 [0.29, 0.31], measurably" in flat(findings.on_budgets(result))


def test_the_price_is_the_one_of_the_settings():
    text = flat(findings.on_price(made()))
    assert text.startswith("2 coalitions are charged as one evaluation")
    assert "one coalition costs 0.28 to 0.40 evaluations" in text


def test_gains_by_path_and_by_training():
    result = made()
    result["rows"] += [row("MNIST", "ICG", 0.4, network="mnist-blocks")]
    result["rows"] += [row("MNIST", "block-wise", 0.305, network="mnist-blocks")]
    result["rows"] += [row("Burnt Snacks", "ICG", 0.9, network="burnt-snacks-blocks")]
    # held to the network that it was trained on from, not to the scenario's own
    result["rows"] += [row("Burnt Snacks", "ICG", 0.8, network="burnt-snacks-equivariant")]
    result["rows"] += [row("Burnt Snacks", "ICG", 0.7, network="burnt-snacks-equivariant-blocks")]
    lines = findings.on_gains(result).split("\nBlocks")
    assert flat(lines[0]) == "Blocks in the path, block-wise after ICG: fairer on Burnt Snacks and MNIST."
    assert flat(lines[1]) == (
        "in the training, ICG: fairer on burnt-snacks-equivariant-blocks and mnist-blocks; "
        "less fair on burnt-snacks-blocks."
    )
    assert flat(lines[2]) == "in the training, block-wise: fairer on none; can't be told on mnist-blocks."


def test_the_gate_is_held_against_the_network_without_one():
    result = made()
    assert findings.on_the_gate(result) == "Not measured yet."
    for network, distance in {"blocks": 0.9, "small-blocks": 0.7}.items():
        result["rows"].append(row("Imagenette", "ICG", distance, network=f"imagenette-resnet18-{network}"))
    assert flat(findings.on_the_gate(result)) == (
        "ICG, probability: without a gate 0.70 [0.69, 0.71], with it 0.90 [0.89, 0.91]. Fairer without."
    )


def test_the_network_that_was_told_the_mean_is_held_against_the_one_before():
    result = made()
    assert findings.on_the_mean(result) == "Not measured yet."
    for network, distances in {"blocks": (0.7, 0.5), "owen": (0.6, 0.5)}.items():
        for method, distance in zip(("ICG", "block-wise"), distances, strict=True):
            result["rows"].append(row("MNIST", method, distance, network=f"mnist-{network}"))
    assert flat(findings.on_the_mean(result)) == (
        "ICG, probability: told the mean 0.60 [0.59, 0.61], before 0.70 [0.69, 0.71]. Fairer. "
        "block-wise, probability: told the mean 0.50 [0.49, 0.51], before 0.50 [0.49, 0.51]. That can't be told apart."
    )


def test_luck_is_blamed_only_where_it_did_harm():
    result = made(("Local Minimum",))
    assert "luck" not in findings.on_gains(result)
    for one in result["rows"]:
        if one["method"] == "block-wise":
            one["distance"] = around(0.6)
    assert "random blocks only add luck" in flat(findings.on_gains(result))


def test_where_others_are_fairer_is_counted_and_listed():
    assert flat(findings.not_fairest(made())).startswith("In 0 of 8 comparisons a method with a baseline")
    result = made()
    result["rows"] = [one for one in result["rows"] if (one["scenario"], one["method"]) != ("MNIST", "EG")]
    result["rows"] += [row("MNIST", "EG", 0.3, correlation=0.2)]
    text = flat(findings.not_fairest(result))
    assert text.startswith("In 1 of 8 comparisons")
    assert text.endswith("mnist, probability, by distance: EG 0.30 [0.29, 0.31]; ICG 0.50 [0.49, 0.51]")


def test_in_short():
    text = flat(findings.in_short(made(distances={"ICG": 0.5, "EG": 0.9, "AGN": 1.0})))
    assert "MNIST, logit: ICG 0.50 [0.49, 0.51], EG 0.90 [0.89, 0.91]. Fairer: paths of certainty." in text
    text = flat(findings.in_short(made(distances={"ICG": 0.5, "EG": 0.2, "AGN": 1.0})))
    assert "Fairer: methods with a baseline." in text and "paths of certainty" not in text


def test_lines_fit_the_page():
    for name in ("on_yardstick", "on_culprits", "on_ledger", "on_budgets", "on_gains", "not_fairest", "in_short"):
        assert max(map(len, getattr(findings, name)(made()).split("\n"))) <= 72


def test_each_stage_of_training_is_held_to_the_one_before_by_both_outputs():
    result = made(("MNIST",))
    assert findings.on_outputs(result) == "Not measured yet."
    stages = {"burnt-snacks-paper-mix": (0.8, 0.3), "burnt-snacks": (0.5, 0.7), "burnt-snacks-blocks": (0.2, 0.7)}
    result["rows"] += [
        row("Burnt Snacks", "ICG", distance, network=network, output=output)
        for network, distances in stages.items()
        for output, distance in zip(findings.OUTPUTS, distances, strict=True)
    ]
    first, second, third = " ".join(findings.on_outputs(result).split()).split("Then ")
    assert "damage alone (burnt-snacks-paper-mix): ICG is 0.80 [0.79, 0.81] from fair by probability," in first
    assert first.rstrip().endswith("0.30 [0.29, 0.31] by logit.")
    assert "Beside" not in first
    assert "in blocks" in second and "before: fairer by probability, less fair by logit." in second
    assert "small blocks" in third and "fairer by probability, no measurable change by logit." in third
    result["rows"] = [one for one in result["rows"] if one["network"] != "burnt-snacks" or one["output"] == "logit"]
    first, third = " ".join(findings.on_outputs(result).split()).split("Then ")  # what is not measured is left out
    assert "before: fairer by probability, less fair by logit." in third
