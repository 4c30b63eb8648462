"""The charts and tables of this chapter, as HTML; what was measured on the photographs comes with the book.

A chart shows what was found, with intervals; the tables of all its numbers are folded under it.
"""

import html

from icg_book.imagenette.experiment import BLOCKS, FORMS
from icg_book.imagenette.findings import (
    CHANGED,
    EG,
    ICG,
    LESS,
    MEASURES,
    WAYS,
    better,
    kinds_of_borders,
    less_on_borders,
    tally,
    tighter,
)
from icg_book.imagenette.networks import NICK, accuracy, first_stage
from icg_book.kit.dots import Panel, dots
from icg_book.kit.tables import table, with_interval
from icg_book.scenarios.imagenette import COUNTS

TIGHTNESS = ("{:.3f}", "{:.3f}", "{:.1%}")  # how the measures of tightness are written
PAPERS = "ResNet-50"  # the paper's network


# ---- charts ---------------------------------------------------------------------------------------------------


def accuracies(cards: dict, paper: float):
    """How accurate the networks are, in the end and after the first stage, beside the paper's ``paper``."""
    rows = {}
    for name, card in cards.items():
        rows[NICK[name]] = {"in the end": accuracy(card), "after the first stage": first_stage(card)}
        if NICK[name] == PAPERS:
            rows[PAPERS]["the paper"] = paper
    return dots(
        {"accuracy": Panel(rows, "{:.1%}", zero=False)},
        "Top-1 accuracy on undamaged validation photographs, everything certain.",
        bars="95 % Wilson intervals",
        hollow=["the paper"],
        tables=[networks(cards, paper)],
        label="All numbers, and how the networks were made",
    )


def _of_methods(results: dict, number) -> dict:
    """The rows of a panel: for each method ``number`` of what was measured of it, by network."""
    methods = dict.fromkeys(method for result in results.values() for method in result["methods"])
    rows = {}
    for method in methods:
        found = {NICK[name]: result["methods"].get(method) for name, result in results.items()}
        found = {name: number(measured) for name, measured in found.items() if measured}
        if any(value is not None for value in found.values()):
            rows[method] = found
    return rows


def tightness_of_all(results: dict):
    """Three measures of tightness of all methods, raw and blurred; and how far EG is from ICG averaged."""
    panels = {}
    for k, written in zip(MEASURES, TIGHTNESS, strict=True):
        for form in FORMS:
            rows = _of_methods(results, lambda m, k=k, form=form: m[k][form])
            panels[f"{k}, {form} maps"] = Panel(rows, written, zero=k == "half area")
    return dots(
        panels,
        f"How tight maps are, on {_n(results, lambda m: m['entropy']['raw'])} photographs: further to the left is "
        "tighter. <i>Random</i> is the control.",
        bars="95 % bootstrap intervals over photographs",
        strong=[ICG, EG],
        tables=[tightness(name, result, form) for name, result in results.items() for form in FORMS],
        label="All numbers: how tight",
    )


def eg_less_icg_of_all(results: dict):
    """Whether ICG averaged is tighter than EG, photograph by photograph."""
    rows = {
        f"{k}, {form}": {NICK[name]: result["methods"][EG][k][form].get(LESS) for name, result in results.items()}
        for k in MEASURES
        for form in FORMS
    }
    return dots(
        {"EG less ICG averaged": Panel(rows, "{:+.3f}")},
        "The same photographs, EG less ICG (averaged over noisy copies, as in the paper). On the right of 0, ICG is "
        "tighter; a bar that crosses 0 does not tell. The half area is a share of the picture.",
        bars="95 % bootstrap intervals over photographs",
        tables=[eg_less_icg(name, result) for name, result in results.items()],
        label="All numbers: EG less ICG, and who is tighter",
    )


def credit_on_all_borders(results: dict):
    """How much of each method's credit lies on borders, and how much of the picture they are."""
    panels, tables = {}, []
    for kind in dict.fromkeys(kind for result in results.values() for kind in kinds_of_borders(result)):
        rows = _of_methods(results, lambda m, kind=kind: m.get(kind))
        area = {NICK[name]: result["borders"][kind]["area"] for name, result in results.items()}
        panels[kind] = Panel({**rows, "<i>its part of the picture</i>": area}, "{:.1%}")
        tables += [credit_on_borders(name, result, kind) for name, result in results.items()]
    return dots(
        panels,
        "Share of the absolute credit that lies on the border. The last row is the part of the picture that it takes: "
        "what an even map would give it.",
        bars="95 % bootstrap intervals over photographs",
        strong=[ICG, EG],
        tables=tables,
        label="All numbers: credit on borders",
    )


def areas_of_all(results: dict):
    """The areas under the curves of deletion and insertion, in both currencies."""
    panels = {}
    for way, kind in WAYS:
        rows = _of_methods(results, lambda m, way=way, kind=kind: m[way][kind]["area"])
        panels[f"{way}, {CHANGED[kind]} {'(left is good)' if way == 'deletion' else '(right is good)'}"] = Panel(rows)
    return dots(
        panels,
        f"Area under the curve, on {_n(results, lambda m: m['deletion']['certainty']['area'])} photographs of "
        f"{BLOCKS**2} blocks. Deletion: small is good. Insertion: large is good.",
        bars="95 % bootstrap intervals over photographs",
        strong=[ICG, EG],
        tables=[areas_under_curves(name, result) for name, result in results.items()],
        label="All numbers: areas under the curves",
    )


def luck_and_cost_of_all(results: dict):
    """How alike two draws of a map are, what it costs, and how far its sum is from the output's change."""
    panels = {
        f"two draws, {form}: rank correlation": Panel(
            _of_methods(results, lambda m, form=form: (m.get("agreement") or {}).get(form))
        )
        for form in FORMS
    }
    panels["gradients for a map"] = Panel(_of_methods(results, lambda m: float(m["evaluations"])), "{:.0f}")
    panels["completeness gap, mean"] = Panel(_of_methods(results, lambda m: (m.get("gap") or {}).get("mean")), "{:.3f}")
    return dots(
        panels,
        "How much of a map is luck, what it costs, and how far its sum is from what it explains. A method that draws "
        "nothing has no row for its draws, and one whose map should not add up none for the gap.",
        bars="95 % intervals",
        strong=[ICG, EG],
        tables=[luck_and_cost(name, result) for name, result in results.items()],
        label="All numbers: luck, cost and completeness",
    )


def _n(results: dict, of_method) -> str:
    """How many photographs each network was measured on."""
    found = dict.fromkeys(f"{of_method(result['methods'][ICG])['n']:,}" for result in results.values())
    return " and ".join(found)


# ---- tables ---------------------------------------------------------------------------------------------------


def networks(cards: dict, paper: float):
    """How accurate the networks are, and how they were made; ``paper``: the paper's accuracy."""

    def row(label, of_card, in_paper="–"):
        return [label, *(of_card(card) for card in cards.values()), in_paper]

    return table(
        ["", *(NICK[name] for name in cards), "paper"],
        [
            row("<b>accuracy</b>", lambda card: with_interval(accuracy(card), "{:.1%}"), f"{paper:.1%}"),
            row("photographs", lambda card: f"{card['metrics']['accuracy']['images']:,}"),
            row("at side", lambda card: f"{card['metrics']['accuracy']['size']}"),
            row("accuracy at 160", lambda card: f"{card['metrics']['accuracy at 160']:.1%}"),
            row("accuracy after the first stage", _after_first_stage),
            row("weights", lambda card: f"{card['parameters']:,}", "ResNet-50"),
            row("channels of the front", lambda card: f"{card['config']['front']}", "64"),
            row("epochs", _epochs),
            row("sides in training", _sides),
            row("of a batch: damaged, in blocks, absent", _damage),
            row("trained on", lambda card: html.escape(card["device"])),
            row("date", lambda card: card["date"]),
        ],
        "Top-1 accuracy on undamaged validation photographs (middle squares, everything certain), with 95 % Wilson "
        "intervals, and how the networks were made. A dash: the paper does not say.",
        size=80,
        padding=".3em .4em",
    )


def _after_first_stage(card: dict) -> str:
    found = first_stage(card)
    return f"{with_interval(found, '{:.1%}')} of {found['n']:,}"


def _epochs(card: dict) -> str:
    """Of each stage of the training."""
    return " + ".join(f"{s['steps'] * s['batch_size'] / COUNTS['train']:.0f}" for s in card["training"]["stages"])


def _sides(card: dict) -> str:
    return "; ".join(", ".join(str(side) for _, side in stage["sizes"]) for stage in card["training"]["stages"])


def _damage(card: dict) -> str:
    recipe = card["training"]["stages"][-1]
    return f"{recipe['damaged']:.0%}, {recipe['blocks']:.0%}, {recipe['absent']:.0%}"


def at_certainty_zero(cards: dict):
    """What the networks still tell of a photograph when they may rely on nothing."""

    def row(label, measure, value):
        return [label, *(f"{card['metrics'][measure][value]:.3f}" for card in cards.values())]

    return table(
        ["at certainty 0", *(NICK[name] for name in cards)],
        [
            row("absence: spread of an answer", "absence", "sd"),
            row("absence: largest difference", "absence", "max"),
            row("neutrality: distance from the frequencies", "neutrality", "all"),
        ],
        "What an answer at certainty 0 still owes to the photograph. All of them would be 0 in a perfect network.",
    )


def tightness(name: str, result: dict, form: str):
    """Three measures of tightness of all methods, with intervals; ``form``: of raw or of blurred maps."""
    forms = dict(zip(MEASURES, TIGHTNESS, strict=True))
    methods = result["methods"]
    return table(
        ["method", *MEASURES],
        [[m, *(with_interval(found[k][form], forms[k]) for k in MEASURES)] for m, found in methods.items()],
        f"<b>{NICK[name]}, {form} maps</b> of {methods[ICG]['entropy']['raw']['n']} photographs; small is tight. "
        "Means with 95 % bootstrap intervals. <i>Random</i> is the control.",
    )


def eg_less_icg(name: str, result: dict):
    """Whether ICG averaged is tighter than EG: paired differences and verdicts."""
    forms = dict(zip(MEASURES, ("{:+.3f}", "{:+.3f}", "{:+.2%}"), strict=True))
    eg = result["methods"][EG]
    return table(
        ["measure", "EG less ICG", "tighter"],
        [
            [f"{k}, {form}", with_interval(eg[k][form].get(LESS), forms[k]), answer]
            for (k, form), answer in tighter(result).items()
        ],
        f"<b>{NICK[name]}.</b> Paired differences, photograph by photograph: Expected Gradients less ICG (averaged "
        "over noisy copies, as in the paper). Above zero, ICG is tighter.",
    )


def credit_on_borders(name: str, result: dict, kind: str):
    """How much of each method's credit lies on borders, over what they are of the picture."""
    area, rows = result["borders"][kind]["area"], []
    for method, found in result["methods"].items():
        if share := found.get(kind):
            rows.append(
                [
                    method,
                    with_interval(share, "{:.1%}"),
                    f"{share['mean'] / area['mean']:.2f}",
                    f"{share['at least its part']}",
                    "–" if method == ICG else with_interval(share.get(LESS), "{:+.1%}"),
                ]
            )
    return table(
        ["method", "credit on it", "of its part", "photographs with<br>at least its part", "less ICG averaged"],
        rows,
        f"<b>{NICK[name]}, {kind}</b>: share of the absolute credit that lies on the border, mean over {area['n']} "
        f"photographs; it is {area['mean']:.0%} of the picture. <i>Of its part</i>: divided by that; 0 is none, 1 is "
        "as much as anywhere else. The column after it counts the photographs in which the border gets no less than it "
        "would by its area.",
    )


def areas_under_curves(name: str, result: dict):
    """The areas under the curves of deletion and insertion, in both currencies."""
    methods = result["methods"]
    return table(
        ["method", *(f"{way},<br>{CHANGED[kind]}" for way, kind in WAYS)],
        [
            [m, *(with_interval(found[way][kind]["area"], "{:.3f}") for way, kind in WAYS)]
            for m, found in methods.items()
        ],
        f"<b>{NICK[name]}</b>: area under the curve, mean over {methods[ICG]['deletion']['certainty']['area']['n']} "
        f"photographs, {BLOCKS**2} blocks. Deletion: small is good. Insertion: large is good.",
    )


def luck_and_cost(name: str, result: dict):
    """How alike two draws of a map are, what it costs, and how far its sum is from the output's change."""

    def row(method, found):
        agreement, cost, gap = (found.get(k) for k in ("agreement", "cost", "gap"))
        return [
            method,
            *(with_interval(agreement[form], "{:.2f}") if agreement else "–" for form in FORMS),
            f"{found['evaluations']:,}",
            f"{cost['mean']:.0f}" if cost and cost["mean"] is not None else "–",
            f"{gap['mean']:.3f}" if gap else "–",
            f"{gap['largest']:.3f}" if gap else "–",
        ]

    return table(
        [
            "method",
            "two draws,<br>raw",
            "two draws,<br>blurred",
            "gradients<br>for a map",
            "cost",
            "completeness<br>gap, mean",
            "largest",
        ],
        [row(method, found) for method, found in result["methods"].items()],
        f"<b>{NICK[name]}.</b> Two draws: rank correlation, 95 % intervals. Cost: the time of a map over that of one "
        f"forward and one backward pass ({html.escape(result['device'])}; "
        f"{html.escape(result['settings']['precision'])}). A dash: nothing is drawn, nothing should add up, or it was "
        "not measured.",
    )


def claims(cards: dict, results: dict):
    """The paper's words beside the numbers of this page."""
    return table(
        ["network", "the paper says", "here"],
        [[NICK[name], *row] for name, result in results.items() for row in _claims(cards[name], result)],
        "The paper’s words, and the numbers of this page. Where two are compared: ICG averaged over noisy copies and "
        "EG.",
        align="left",
    )


def _claims(card: dict, result: dict) -> list[tuple[str, str]]:
    paper, found, verdicts = result["paper"], accuracy(card), tighter(result)
    ahead = (f"{way} ({CHANGED[kind]}): {better(result, way, kind)}" for way, kind in WAYS)
    return [
        (
            f"ResNet-50: {paper['accuracy']:.1%} top-1",
            f"{found['mean']:.1%} [{found['low']:.1%}, {found['high']:.1%}]",
        ),
        (f"ICG “{paper['localisation']}”", f"{tally(verdicts.values())} of {len(verdicts)} measures"),
        *(_claim_on_borders(result, kind) for kind in kinds_of_borders(result)),
        ("“an effective … method in practical scenarios”", "ahead: " + "; ".join(ahead)),
    ]


def _claim_on_borders(result: dict, kind: str) -> tuple[str, str]:
    words = "EG gives “significant attribution in the top black ‘border’ region”, ICG in no case seen"
    eg, icg = (result["methods"][m][kind] for m in (EG, ICG))
    return (
        words if kind.startswith("black") else "the same, other colours (not in the paper)",
        f"EG {eg['mean']:.1%}, ICG {icg['mean']:.1%} of the credit, on "
        f"{result['borders'][kind]['area']['mean']:.1%} of the picture; less: {less_on_borders(result, kind)}. "
        f"No less than its part: EG in {eg['at least its part']}, ICG in {icg['at least its part']} of {icg['n']} "
        "photographs",
    )
