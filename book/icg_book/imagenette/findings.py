"""What the numbers of this chapter say: who is tighter, who is better, and where others are ahead of ICG; in words.

A verdict rests on a paired difference, measured photograph by photograph, and its 95 % interval: if 0 lies in it, it
can't be told. ``results`` are those of :func:`icg_book.imagenette.networks.shipped_results`, ``cards`` the networks'.
"""

import textwrap
from collections.abc import Callable, Iterable

from icg_book.imagenette.experiment import BORDERS, CURVES, FORMS, REFERENCE
from icg_book.imagenette.networks import GATED, LARGE, NICK, SMALL, TWIN, accuracy, first_stage
from icg_book.scenarios.imagenette import CLASSES

EG, ICG = "EG", REFERENCE
LESS = f"less {ICG}"  # the name of a method's paired difference
MEASURES = ("entropy", "spread", "half area")  # of tightness: small is tight
CHANGED = {"certainty": "certainty taken", "blurring": "blurred"}
WAYS = [(way, kind) for kind in CHANGED for way in CURVES]  # deletion and insertion, in two currencies


# ---- verdicts -------------------------------------------------------------------------------------------------


def smaller(difference: dict | None, first: str, second: str) -> str:
    """Which of two has the smaller number, by the interval of the first's less the second's.

    >>> smaller({"mean": 0.2, "low": 0.1, "high": 0.3}, "EG", "ICG")
    'ICG'
    >>> smaller({"mean": 0.2, "low": -0.1, "high": 0.5}, "EG", "ICG")
    "can't be told"
    >>> smaller(None, "EG", "ICG")
    'not measured'
    """
    if difference is None or difference["mean"] is None:
        return "not measured"
    if difference["low"] > 0:
        return second
    return first if difference["high"] < 0 else "can't be told"


def sides(methods: dict, number: Callable[[dict], dict], less: str, more: str) -> dict[str, list[str]]:
    """The other methods by whether a number of theirs is less or more than that of ICG averaged, measurably.

    Args:
        methods: what was measured of each. number: of one of them, with its difference from ICG averaged.
        less, more: the two keys of what is returned.
    """
    found = {less: [], more: []}
    for name, measured in methods.items():
        answer = smaller(number(measured).get(LESS), less, more)
        if name != ICG and answer in found:
            found[answer].append(name)
    return found


def tighter(result: dict) -> dict[tuple[str, str], str]:
    """Whether the maps of "EG" or "ICG" (averaged) are tighter, for each measure, raw and blurred."""
    eg = result["methods"][EG]
    return {(k, form): smaller(eg[k][form].get(LESS), EG, "ICG") for k in MEASURES for form in FORMS}


def tally(verdicts: Iterable[str]) -> str:
    """How often each verdict on tightness was given.

    >>> tally(["ICG", "ICG", "can't be told"])
    'ICG tighter 2, EG tighter 0, undecided 1'
    """
    verdicts = list(verdicts)
    words = {"ICG": "ICG tighter", EG: "EG tighter", "can't be told": "undecided"}
    return ", ".join(f"{text} {verdicts.count(who)}" for who, text in words.items())


def kinds_of_borders(result: dict) -> list[str]:
    """The kinds of borders that some of a network's photographs have."""
    return [kind for kind in BORDERS if result["borders"][kind]["area"]]


def less_on_borders(result: dict, kind: str) -> str:
    """Whether "EG" or "ICG" (averaged) gives less credit to borders of a kind."""
    return smaller(result["methods"][EG][kind].get(LESS), EG, "ICG")


def better(result: dict, way: str, kind: str) -> str:
    """Whether "EG" or "ICG" (averaged) is better at deletion or insertion in a currency."""
    names = (EG, "ICG") if way == "deletion" else ("ICG", EG)
    return smaller(result["methods"][EG][way][kind]["area"].get(LESS), *names)


# ---- in words -------------------------------------------------------------------------------------------------


def wrapped(text: str) -> str:
    """A sentence in lines that fit the page."""
    return textwrap.fill(str(text), 72, subsequent_indent="    ")


def on_accuracy(cards: dict, paper: float) -> str:
    """Which goals the networks meet, how far apart they are, and which class is hardest for the small one."""
    lines = []
    for name, card in cards.items():
        for label, least in (("paper's accuracy", paper), ("90 %, what we hoped for", 0.9)):
            found = accuracy(card)
            met = "met" if found["mean"] >= least else "NOT met"
            sure = "" if found["low"] >= least or found["high"] < least else " (within the interval)"
            lines.append(f"{NICK[name]:22s} {label:24s} {met}{sure}")
    for name in (LARGE, TWIN):
        if name not in cards:
            lines.append(f"{NICK[name]}: not shipped with this copy of the book")
            continue
        apart = _apart(first_stage(cards[name]), first_stage(cards[SMALL]))
        lines.append(wrapped(f"{NICK[name]}, less {NICK[SMALL]}, after the first stage: {apart}"))
    if LARGE in cards:
        apart = _apart(accuracy(cards[LARGE]), accuracy(cards[SMALL]))
        lines.append(wrapped(f"{NICK[LARGE]}, less {NICK[SMALL]}, in the end: {apart}"))
    if {GATED, TWIN} <= set(cards):
        for name in (SMALL, TWIN):
            apart = _apart(accuracy(cards[GATED]), accuracy(cards[name]))
            lines.append(wrapped(f"{NICK[GATED]}, less {NICK[name]}, in the end: {apart}"))
    found = cards[SMALL]["metrics"]["accuracy"]
    (least, hardest), *_, (most, easiest) = sorted((found[name], name) for name in CLASSES)
    lines.append(f"{NICK[SMALL]}, hardest class: {hardest}, {least:.1%}; easiest: {easiest}, {most:.1%}")
    return "\n".join(lines)


def _apart(one: dict, other: dict) -> str:
    """How far two accuracies are apart, in points, with a 95 % interval."""
    ahead = 100 * (one["mean"] - other["mean"])
    error = 196 * sum(a["mean"] * (1 - a["mean"]) / a["n"] for a in (one, other)) ** 0.5
    return f"{ahead:+.1f} points [{ahead - error:+.1f}, {ahead + error:+.1f}]"


def on_little_certainty(cards: dict) -> str:
    """How much certainty each network needs, and what it makes of none."""
    lines = []
    for name, card in cards.items():
        found = card["metrics"]["accuracy against certainty"]
        uniform = dict(zip(found["certainty"], found["uniform"], strict=True))
        enough = min(c for c, a in uniform.items() if a >= 0.9 * found["uniform"][-1])
        lines.append(
            f"{NICK[name]}: told that each pixel is certain to {enough:.0%}, it keeps nine tenths of its accuracy. At "
            f"certainty 0: {found['uniform'][0]:.0%} with the photograph in front of it, "
            f"{found['another photograph'][0]:.0%} with another one."
        )
    return "\n".join(map(wrapped, lines))


def on_tightness(results: dict) -> str:
    """How often ICG averaged is tighter than EG, and by which measure which other methods are."""
    lines = []
    for name, result in results.items():
        verdicts = tighter(result)
        lines.append(
            f"{NICK[name]}. The paper: ICG “{result['paper']['localisation']}”. "
            f"Of {len(verdicts)} comparisons with EG: {tally(verdicts.values())}."
        )
        for k, form in verdicts:
            found = sides(
                result["methods"], lambda m, k=k, form=form: m[k][form], "tighter than ICG averaged", "less tight"
            )
            lines.append(f"  {k}, {form}; {_listed(found)}")
    return "\n".join(map(wrapped, lines))


def _listed(found: dict[str, list[str]]) -> str:
    return "; ".join(f"{side}: {', '.join(names) or 'none'}" for side, names in found.items())


def on_borders(results: dict) -> str:
    """How many photographs have a border, and what EG and ICG averaged give it."""
    counts, lines = [], []
    for name, result in results.items():
        text = ", ".join(f"{kind} {entry['validation']:,}" for kind, entry in result["borders"].items())
        counts.append(f"{NICK[name]}, of {result['photographs']['validation']:,} photographs: {text}")
        for kind in kinds_of_borders(result):
            eg, icg, random = (result["methods"][m][kind] for m in (EG, ICG, "random"))
            part = icg["mean"] / result["borders"][kind]["area"]["mean"]
            lines.append(
                f"{NICK[name]}, {kind}: EG {eg['mean']:.1%} of the credit, ICG {icg['mean']:.1%}, {part:.2f} of the "
                f"border's part. Less credit on it: {less_on_borders(result, kind)}. Does ICG give it less than a "
                f"random map does? {smaller(random.get(LESS), 'no', 'yes')}. Next to nothing (below 1 %)? "
                f"{'yes' if icg['high'] < 0.01 else 'no'}. Photographs in which it gets at least its part: "
                f"{icg['at least its part']} of {icg['n']} by ICG, {eg['at least its part']} by EG."
            )
    return "\n".join([*counts, *map(wrapped, lines)])


def on_deletion(results: dict) -> str:
    """Which methods are better or worse than ICG averaged, for each of :data:`WAYS`."""
    lines = []
    for name, result in results.items():
        lines.append(f"{NICK[name]}, compared with ICG averaged")
        for way, kind in WAYS:
            found = _ahead(result, way, kind)
            lines.append(wrapped(f"  {way}, {CHANGED[kind]}: {_listed(found)}"))
    return "\n".join(lines)


def _ahead(result: dict, way: str, kind: str) -> dict[str, list[str]]:
    """The other methods that are better, and those that are worse, than ICG averaged."""
    names = ("better", "worse") if way == "deletion" else ("worse", "better")  # by the area: less, more
    found = sides(result["methods"], lambda m: m[way][kind]["area"], *names)
    return {side: found[side] for side in ("better", "worse")}


def on_sanity(results: dict) -> str:
    """How much each method's map still is like the first one, when one layer is random and when all are."""
    lines = []
    for name, result in results.items():
        ends = [result["settings"]["stages"][k] for k in (0, -1)]
        n = result["methods"][ICG]["sanity"][ends[1]]["absolute"]["n"]
        lines.append(f"{NICK[name]}, absolute maps of {n} photographs: correlation with the first map")
        for method, measured in result["methods"].items():
            if "sanity" in measured:
                found = [measured["sanity"][stage]["absolute"] for stage in ends]
                text = " … ".join(f"{e['mean']:+.2f} [{e['low']:+.2f}, {e['high']:+.2f}]" for e in found)
                lines.append(f"  {method:20s}{text}")
    return "\n".join([*lines, "first: the last layer random; then: all layers random"])


def where_others_are_ahead(results: dict) -> str:
    """All measures of this chapter by which some method is measurably ahead of ICG averaged."""
    lines = []
    for name, result in results.items():
        lines.append(f"{NICK[name]}: where others are ahead of ICG averaged, measurably")
        lines += [wrapped(f"  {line}") for line in _losses(result)]
    return "\n".join(lines)


def _losses(result: dict) -> list[str]:
    methods = result["methods"]
    found = {}
    for k in MEASURES:
        for form in FORMS:
            ahead = sides(methods, lambda m, k=k, form=form: m[k][form], "less", "more")["less"]
            found[f"{k}, {form}"] = ahead, "{} tighter"
    for way, kind in WAYS:
        found[f"{way}, {CHANGED[kind]}"] = _ahead(result, way, kind)["better"], "{} better"
    for kind in BORDERS:
        found[kind] = sides(methods, lambda m, kind=kind: m.get(kind, {}), "less", "more")["less"], "less credit by {}"
    own = methods[ICG]["evaluations"]
    cheaper = [name for name, measured in methods.items() if 0 < measured["evaluations"] < own]
    found[f"gradients for a map, {own}"] = cheaper, "fewer for {}"
    return [f"{what}: {text.format(', '.join(names))}" for what, (names, text) in found.items() if names]
