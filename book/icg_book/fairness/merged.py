"""A ledger of now and the one of before as one: a run over a part leaves the rest as it was."""

import json

from icg_book.fairness import work

PARTS = ("rows", "games", "credit", "references", "examples")
WHOSE = ("scenario", "network", "set", "output")  # what all entries of a case have alike
MADE = ("command", "seed", "device", "date", "versions")
COST = "cost of a forward pass in evaluations"  # settings that are measured of each network
ROUNDED = "distance of fair shares in bfloat16 from those in float32"


def merged(before: dict, now: dict) -> dict:
    """What ``now`` has, and of ``before`` what is not measured again, of the same weights and as good fair shares.

    A case (:data:`WHOSE`) comes whole from one of them: from now, unless it has fewer inputs there or lacks an entry.
    Curves over the same inputs stand together, too. ``settings["inputs"]`` says of each case how it was made.

    Args:
        before, now: ledgers, as :func:`icg_book.fairness.experiment.run` writes them. ``now["weights"]`` has all
            networks at hand, also those of which there is nothing new.

    Returns:
        A new ledger; ``now`` alone, if ``before`` is of other settings (:func:`alike`).
    """
    now = _signed(now)
    if not alike(before, now):
        return now
    before = _signed(before)
    other = {name for name, weights in before["weights"].items() if now["weights"].get(name, weights) != weights}
    same = {name for name in work.PARTS.values() if _yardstick(before, name) == _yardstick(now, name)}
    old = {whose: case for whose, case in _cases(before).items() if whose[0] in same and whose[1] not in other}
    new = _cases(now)
    chosen = {whose: _better(old.get(whose), new.get(whose)) for whose in {**new, **old}}
    networks = {entry["network"] for case in chosen.values() for entry in case["references"]}
    found = {part: [entry for case in chosen.values() for entry in case[part]] for part in PARTS}
    found["curves"] = [curve for whose in chosen for curve in _curves(old.get(whose), new.get(whose))]
    settings = {"inputs": [case["inputs"] for case in chosen.values()]}
    settings[COST] = _by_network(before, now, lambda told: told[COST], networks)
    rounded = _by_network(before, now, lambda told: told["precision"][ROUNDED], networks)
    settings["precision"] = now["settings"]["precision"] | {ROUNDED: rounded}
    weights = {name: weights for name, weights in {**before["weights"], **now["weights"]}.items() if name in networks}
    return now | found | {"settings": now["settings"] | settings, "weights": weights}


def alike(before: dict, now: dict) -> bool:
    """Whether two ledgers are of the same settings, but for what is counted, measured, or said of fair shares."""
    return _fixed(before["settings"]) == _fixed(now["settings"])


def _fixed(settings: dict) -> str:
    fixed = {name: value for name, value in settings.items() if name not in ("inputs", "missing", "references", COST)}
    fixed["precision"] = {name: value for name, value in fixed["precision"].items() if name != ROUNDED}
    return json.dumps(fixed, sort_keys=True)  # read or made, tuples are lists


def _yardstick(ledger: dict, scenario: str) -> str:
    """How fair shares are found on a scenario: what the settings say of it alone, or of all."""
    told = ledger["settings"]["references"].items()
    mine = {name: value.get(scenario) if isinstance(value, dict) else value for name, value in told}
    return json.dumps(mine, sort_keys=True)


def _signed(ledger: dict) -> dict:
    """The same, each case with how it was made."""
    made = {"made": {name: ledger[name] for name in MADE}}
    inputs = [made | entry for entry in ledger["settings"]["inputs"]]
    return ledger | {"settings": ledger["settings"] | {"inputs": inputs}}


def _cases(ledger: dict) -> dict[tuple, dict]:
    """What there is of each case, in the order of the inputs."""
    found = {}
    for entry in ledger["settings"]["inputs"]:
        mine = {part: [one for one in ledger[part] if _whose(one) == _whose(entry)] for part in (*PARTS, "curves")}
        found[_whose(entry)] = {"inputs": entry, **mine}
    return found


def _whose(entry: dict) -> tuple:
    return tuple(entry[name] for name in WHOSE)


def _better(old: dict | None, new: dict | None) -> dict:
    if old is None or new is None:
        return old or new
    return new if new["inputs"]["n"] >= old["inputs"]["n"] and _names(old) <= _names(new) else old


def _names(case: dict) -> set[tuple]:
    """What a case has entries of."""
    names = ("method", "reference", "game", "number")
    return {(part, *(str(entry.get(name)) for name in names)) for part in PARTS for entry in case[part]}


def _curves(old: dict | None, new: dict | None) -> list[dict]:
    """The curves of a case, all over the same inputs: as many curves as can be had, then as many inputs."""
    found = {}
    for curve in [*(old["curves"] if old else ()), *(new["curves"] if new else ())]:
        found.setdefault(curve["inputs"], {})[curve["method"]] = curve
    best = max(found, key=lambda inputs: (len(found[inputs]), inputs), default=0)
    return sorted(found.get(best, {}).values(), key=lambda curve: work.CURVES.index(curve["method"]))


def _by_network(before: dict, now: dict, told, networks: set[str]) -> dict:
    both = {**told(before["settings"]), **told(now["settings"])}
    return {name: value for name, value in both.items() if name in networks}
