"""What the ledger of this chapter says: who is fairest, where, for how much, and where ICG is not; in words.

Two numbers are told apart only where their 95 % intervals are. ``result`` is the shipped result "fairness".
"""

import math
import textwrap
from collections.abc import Iterable

from icg_book.fairness.merged import COST, ROUNDED
from icg_book.kit.ledger import rows

OUTPUTS = ("probability", "logit")

NETWORK = {  # of each scenario, the one that its chapter runs on
    "Burnt Snacks": "burnt-snacks",
    "Local Minimum": "local-minimum",
    "MNIST": "mnist",
    "MNIST in Space": "mnist-in-space",
    "Imagenette": "imagenette-resnet18",
}
CERTAINTY = ("ICG", "ICG, noise averaged", "random-path", "block-wise")  # methods on paths of certainty
BASELINE = ("zero IG", "mean IG", "blurred IG", "AGN", "EG", "SIG", "SmoothGrad", "gradient")
SAMPLING = "permutation sampling"
GAMES = {  # whose idea of absence a path shares
    "zero IG": "BShap, zero",
    "mean IG": "BShap, mean",
    "AGN": "BShap, noise",
    "EG": "SHAP, data",
    "ICG": "certainty-SHAP",
    "random-path": "certainty-SHAP",
    "block-wise": "certainty-SHAP",
}
BUDGETS = (50, 100, 250, 500)
STAGES = {  # of Burnt Snacks' training, by the network that each ended with
    "burnt-snacks-paper-mix": "The paper's damage alone",
    "burnt-snacks": "Then some images lost in blocks, half of these as one",
    "burnt-snacks-blocks": "Then small blocks",
}
SET = "dark square"  # of Burnt Snacks: the class in which there is something to divide


# ---- looking things up ------------------------------------------------------------------------------------------


def say(text) -> str:
    """A sentence in lines that fit the page."""
    return textwrap.fill(str(text), 72, subsequent_indent="    ", break_on_hyphens=False)


def scenarios(result: dict) -> list[str]:
    """Those whose own network was measured."""
    return [name for name in NETWORK if ledger(result, name)]


def networks(result: dict, scenario: str) -> list[str]:
    """The networks of a scenario that were measured, its own first."""
    found = dict.fromkeys(row["network"] for row in result["rows"] if row["scenario"] == scenario)
    return sorted(found, key=lambda name: name != NETWORK[scenario])


def ledger(
    result: dict,
    scenario: str,
    *,
    network: str | None = None,
    output: str = "probability",
    reference: str = "network",
    images: str | None = None,
) -> dict[str, dict]:
    """The rows of one scenario and network, by method.

    Args:
        network: default: the scenario's own. reference: the yardstick, "network", "task" or "own game".
        images: of Burnt Snacks, which class; default: the images with a dark square.
    """
    network = network or NETWORK[scenario]
    images = images or (SET if scenario == "Burnt Snacks" else None)
    wanted = {"scenario": scenario, "network": network, "output": output, "reference": reference, "set": images}
    return {row["method"]: row for row in rows(result, **wanted)}


def curves(result: dict, scenario: str, output: str = "probability") -> dict[str, dict]:
    """Distance against evaluations on a scenario's own network, by method; none where no path was measured."""
    wanted = {"scenario": scenario, "network": NETWORK[scenario], "output": output}
    found = {one["method"]: one for one in rows(result, "curves", **wanted)}
    return found if set(found) > {SAMPLING} else {}  # the limit alone is ahead of nobody


def known(interval: dict | None) -> bool:
    """Whether something was measured."""
    return interval is not None and interval["mean"] is not None


def number(interval: dict | None) -> str:
    """A mean and its interval in a sentence.

    >>> number({"mean": 0.5, "low": 0.25, "high": 0.75})
    '0.50 [0.25, 0.75]'
    """
    if not known(interval):
        return "not measured"
    return "{mean:.2f} [{low:.2f}, {high:.2f}]".format(**interval).replace("-", "−")


def listed(names: Iterable[str]) -> str:
    """Names in a sentence.

    >>> listed(["EG", "AGN", "SIG"]), listed([])
    ('EG, AGN and SIG', 'none')
    """
    *most, last = [*names] or ["none"]
    return f"{', '.join(most)} and {last}" if most else last


# ---- verdicts ---------------------------------------------------------------------------------------------------


def nearer(one: dict | None, other: dict | None, measure: str = "distance") -> int:
    """Whether the first of two is fairer: 1, -1, or 0 where their intervals overlap or one was not measured.

    >>> low, high = {"mean": 0.2, "low": 0.1, "high": 0.3}, {"mean": 0.5, "low": 0.4, "high": 0.6}
    >>> nearer(low, high), nearer(low, high, "correlation"), nearer(low, low)
    (1, -1, 0)
    """
    if not (known(one) and known(other)):
        return 0
    if measure == "correlation":
        one, other = other, one
    return (one["high"] < other["low"]) - (one["low"] > other["high"])


def best(found: dict[str, dict | None], measure: str = "distance") -> tuple[str | None, list[str]]:
    """The fairest by its mean, and the others from which it can't be told; ``(None, [])`` if nothing was measured."""
    found = {name: one for name, one in found.items() if known(one)}
    if not found:
        return None, []
    choose = max if measure == "correlation" else min
    first = choose(found, key=lambda name: found[name]["mean"])
    return first, [name for name in found if name != first and nearer(found[first], found[name], measure) < 1]


def measured(rows: dict[str, dict], names: Iterable[str], measure: str = "distance") -> dict[str, dict | None]:
    """One measure of some of the methods."""
    return {name: rows[name][measure] for name in names if name in rows}


def ahead_of(rows: dict[str, dict], method: str, names: Iterable[str], measure: str = "distance") -> list[str]:
    """Which of these methods are measurably fairer than ``method``."""
    mine = rows[method][measure] if method in rows else None
    return [name for name, one in measured(rows, names, measure).items() if nearer(one, mine, measure) == 1]


def at_budget(curve: dict, budget: float) -> dict | None:
    """The interval of the distance at so many evaluations, between two measured numbers of them on a log axis.

    Returns:
        None outside of what was measured.
    """
    points = [(math.log(n), one) for n, one in zip(curve["evaluations"], curve["distance"], strict=True) if known(one)]
    x = math.log(budget)
    for (left, before), (right, after) in zip(points, points[1:], strict=False):
        if left <= x <= right:
            part = (x - left) / (right - left)
            return {k: before[k] + part * (after[k] - before[k]) for k in ("mean", "low", "high")}
    return None


# ---- in words ---------------------------------------------------------------------------------------------------


def on_yardstick(result: dict, output: str = "probability") -> str:
    """How good the fair division itself is, for each scenario's own network."""
    lines = []
    for name in scenarios(result):
        images = SET if name == "Burnt Snacks" else None
        wanted = {"scenario": name, "network": NETWORK[name], "output": output, "set": images}
        for one in rows(result, "references", **wanted):
            least, most = one["players"]["least"], one["players"]["most"]
            players = f"{least} players" if least == most else f"{least} to {most} players"
            how = "exact"
            if not one["exact"]:
                how = (
                    f"{one['permutations']:.0f} random orders; the worst standard error is {one['largest error']:.1%} "
                    f"of the total, which alone makes a distance of {one['noise']:.2f}"
                )
            off = result["settings"]["precision"].get(ROUNDED, {}).get(NETWORK[name], {}).get(output)
            if known(off) and one["exact"]:
                how += f" but for rounding (bfloat16, a distance of {off['mean']:.3f})"
            lines.append(f"{name}: {players}, {how}.")
    return "\n".join(map(say, lines))


def truth_of(result: dict, path: str, output: str, measure: str = "distance") -> dict | None:
    """How far the game of a path is from what the task says is fair, on Burnt Snacks."""
    wanted = {"scenario": "Burnt Snacks", "network": NETWORK["Burnt Snacks"], "output": output, "set": SET}
    wanted["game"] = GAMES[path]
    return next((one[measure] for one in rows(result, "games", **wanted)), None)


def on_culprits(result: dict) -> str:
    """For each path on Burnt Snacks: is it the game that is far from the task's truth, or the path from its game?"""
    own, task = (ledger(result, "Burnt Snacks", reference=kind) for kind in ("own game", "task"))
    lines = []
    for path in (path for path in GAMES if path in own):
        game, walked = truth_of(result, path, "probability"), task.get(path, {}).get("distance")
        lost = known(game) and known(walked) and walked["mean"] > 2 * game["mean"]
        verdict = {
            1: "Most of it is lost on the path" if lost else "The path adds to what its game is off",
            -1: "The path is nearer to the truth than its own game",
            0: "Which of the two is further off can't be told",
        }[nearer(game, walked)]
        lines.append(f"{path}: the game is {number(game)} from the truth, the path {number(walked)}. {verdict}.")
    return "\n".join(map(say, lines))


def on_the_thesis(result: dict) -> str:
    """What the row of the black baseline says of the paper's thesis."""
    game = truth_of(result, "zero IG", "probability")
    path = ledger(result, "Burnt Snacks", reference="task").get("zero IG", {}).get("distance")
    if nearer(game, path) == 1:
        text = (
            f"From black the game is {number(game)} from what the task says is fair, and the path {number(path)}. Not "
            "the baseline is the culprit, but the path."
        )
    else:
        text = "On these numbers the path from black can't be told to be further from the truth than its game."
    return say(text)


def on_ledger(result: dict, output: str = "probability") -> str:
    """Which method is fairest at equal cost, and which with a baseline are fairer than ICG; for each scenario."""
    lines = []
    for name in scenarios(result):
        rows = ledger(result, name, output=output)
        first, tied = best(measured(rows, CERTAINTY + BASELINE))
        if first is None:
            continue
        text = f"{name}: the fairest is {first}, {number(rows[first]['distance'])}"
        text += f"; can't be told from {listed(tied)}. " if tied else ", measurably. "
        fairer = ahead_of(rows, "ICG", BASELINE)
        text += f"ICG: {number(rows['ICG']['distance'])}; " if "ICG" in rows else ""
        text += f"fairer than ICG, among methods with a baseline: {listed(fairer)}."
        lines.append(text)
    return "\n".join(map(say, lines))


def on_budgets(result: dict, output: str = "probability") -> str:
    """Which method is fairest at each of :data:`BUDGETS` within what was measured."""
    lines = []
    for name in NETWORK:
        found = curves(result, name, output)
        for budget in BUDGETS if found else ():
            at = {method: at_budget(curve, budget) for method, curve in found.items()}
            first, tied = best(at)
            if first is None:
                continue
            but = f"; can't be told from {listed(tied)}" if tied else ", measurably ahead of all others"
            lines.append(f"{name}, {budget} evaluations: {first}, {number(at[first])}{but}.")
    return "\n".join(map(say, lines))


def on_price(result: dict) -> str:
    """What a coalition costs beside a gradient: as it is charged, and as it was measured."""
    charged = result["settings"][SAMPLING]["forward passes for one evaluation"]
    costs = result["settings"][COST].values()
    text = f"{charged} coalitions are charged as one evaluation, forward and backward."
    if costs:
        text += f" Measured, one coalition costs {min(costs):.2f} to {max(costs):.2f} evaluations, by the network."
    return say(text)


def on_the_limit(result: dict, output: str = "probability") -> str:
    """From how many evaluations on permutation sampling is fairer than every path, measurably."""
    lines = []
    for name in NETWORK:
        found = curves(result, name, output)
        if SAMPLING not in found:
            continue
        limit, from_here = found[SAMPLING], None
        for k in reversed(range(len(limit["evaluations"]))):
            n = limit["evaluations"][k]
            others = [at_budget(one, n) for method, one in found.items() if method != SAMPLING]
            if not others or any(nearer(limit["distance"][k], one) < 1 for one in others if one):
                break
            from_here = n
        text = f"from {from_here} evaluations on" if from_here else "at no number of evaluations that was measured"
        lines.append(f"{name}: permutation sampling is measurably fairer than every path {text}.")
    return "\n".join(map(say, lines))


def on_gains(result: dict, output: str = "probability") -> str:
    """Where blocks in the path make a map fairer than ICG's, and blocks in the training make the same method fairer."""
    path, training = {}, {"ICG": {}, "block-wise": {}}
    for name in scenarios(result):
        own = ledger(result, name, output=output)
        if {"ICG", "block-wise"} <= set(own):
            path[name] = nearer(own["block-wise"]["distance"], own["ICG"]["distance"])
        for network in networks(result, name):
            if network.endswith("-blocks"):
                before = network.removesuffix("-blocks").removesuffix("-small")  # the weights that it began with
                was, now = (ledger(result, name, network=one, output=output) for one in (before, network))
                for method, found in training.items():
                    if method in was and method in now:
                        found[network] = nearer(now[method]["distance"], was[method]["distance"])
    lines = [f"Blocks in the path, block-wise after ICG: {_sides(path)}"]
    if path.get("Local Minimum") == -1:
        lines.append(
            "On Local Minimum the network nearly is Owen's polynomial: there ICG's path is fair already, and random "
            "blocks only add luck."
        )
    lines += [f"Blocks in the training, {method}: {_sides(found)}" for method, found in training.items()]
    return "\n".join(map(say, lines))


def on_the_gate(result: dict) -> str:
    """Two networks of photographs that were trained on blocks from the same weights: one has a gate, one has none."""
    networks = (f"imagenette-resnet18-{name}" for name in ("small-blocks", "blocks"))
    verdicts = {1: "Fairer without.", -1: "Fairer with it.", 0: "That can't be told apart."}
    return _compared(result, "Imagenette", *networks, ("ICG", "block-wise"), "without a gate {}, with it {}.", verdicts)


def on_the_mean(result: dict) -> str:
    """Two networks of digits: one was told Owen's mean, and the one that it began with."""
    methods = ("ICG", "random-path", "block-wise")
    verdicts = {1: "Fairer.", -1: "Less fair.", 0: "That can't be told apart."}
    return _compared(result, "MNIST", "mnist-owen", "mnist-blocks", methods, "told the mean {}, before {}.", verdicts)


def _compared(result, scenario: str, one: str, other: str, methods, text: str, verdicts: dict[int, str]) -> str:
    """Distances of two networks' maps; ``text`` has room for both, ``verdicts`` are on the first one."""
    lines = []
    for output in OUTPUTS:
        both = [ledger(result, scenario, network=network, output=output) for network in (one, other)]
        for method in methods:
            found = [rows.get(method, {}).get("distance") for rows in both]
            if all(map(known, found)):
                numbers = text.format(*map(number, found))
                lines.append(f"{method}, {output}: {numbers} {verdicts[nearer(*found)]}")
    return "\n".join(map(say, lines)) or "Not measured yet."


def on_outputs(result: dict, method: str = "ICG") -> str:
    """What each stage of training did to the maps of both outputs, on Burnt Snacks' networks of the paper's size."""
    lines, before = [], None
    for network, damage in STAGES.items():
        found = [
            ledger(result, "Burnt Snacks", network=network, output=output).get(method, {}).get("distance")
            for output in OUTPUTS
        ]
        if not all(map(known, found)):
            continue
        text = f"{damage} ({network}): {method} is {number(found[0])} from fair by probability, "
        text += f"{number(found[1])} by logit."
        if before:
            words = {1: "fairer", -1: "less fair", 0: "no measurable change"}
            verdicts = [words[nearer(now, was)] for now, was in zip(found, before, strict=True)]
            text += f" Beside the stage before: {verdicts[0]} by probability, {verdicts[1]} by logit."
        lines, before = [*lines, text], found
    return "\n".join(map(say, lines)) or "Not measured yet."


def _sides(found: dict[str, int]) -> str:
    words = {1: "fairer on", -1: "less fair on", 0: "can't be told on"}
    sides = {word: [name for name, verdict in found.items() if verdict == side] for side, word in words.items()}
    return "; ".join(f"{word} {listed(names)}" for word, names in sides.items() if names or word == "fairer on") + "."


def not_fairest(result: dict) -> str:
    """Everywhere that a method with a baseline is measurably fairer than ICG, by distance or by correlation."""
    lines, asked = [], 0
    for name in scenarios(result):
        for network in networks(result, name):
            for output in OUTPUTS:
                rows = ledger(result, name, network=network, output=output)
                for measure in ("distance", "correlation"):
                    if not known(rows.get("ICG", {}).get(measure)):
                        continue
                    asked += 1
                    names = ahead_of(rows, "ICG", BASELINE, measure)
                    if names:
                        numbers = ", ".join(f"{m} {number(rows[m][measure])}" for m in names)
                        mine = number(rows["ICG"][measure])
                        lines.append(f"{network}, {output}, by {measure}: {numbers}; ICG {mine}")
    head = f"In {len(lines)} of {asked} comparisons a method with a baseline is measurably fairer than ICG."
    return "\n".join(map(say, [head, *lines]))


def in_short(result: dict) -> str:
    """The chapter's main numbers, for its end."""
    lines = []
    for output in ("probability", "logit"):
        for name in scenarios(result):
            rows = ledger(result, name, output=output)
            inside, outside = (best(measured(rows, names)) for names in (CERTAINTY, BASELINE))
            if inside[0] is None or outside[0] is None:
                continue
            mine, theirs = (rows[found[0]]["distance"] for found in (inside, outside))
            verdict = {1: "paths of certainty", -1: "methods with a baseline", 0: "can't be told"}[nearer(mine, theirs)]
            lines.append(
                f"{name}, {output}: {inside[0]} {number(mine)}, {outside[0]} {number(theirs)}. Fairer: {verdict}."
            )
    return "\n".join(map(say, lines))
