"""What chapters need of the fairness ledger, the result "fairness": rows, a table, and who is fairest in words."""

from IPython.display import HTML

from icg_book.kit.contenders import METHODS
from icg_book.kit.dots import Panel, dots
from icg_book.kit.tables import framed, table, with_interval

MEASURES = {"distance": "distance from fair", "correlation": "correlation", "bystanders": "credit to<br>bystanders"}
FAIR = "Fair: the Shapley value of each player, who joins by being known. 0 is fair; a map of zeros has distance 1."


def rows(result: dict, part: str = "rows", **wanted) -> list[dict]:
    """Those of a part of the ledger that match all: ``rows(result, scenario="MNIST", method="EG")``."""
    return [row for row in result[part] if all(row[key] == value for key, value in wanted.items())]


def ranked(result: dict, scenario: str, network: str, set: str | None = None, output: str = "probability") -> dict:
    """The rows compared with the network's own fair division, by method, the fairest first.

    Raises:
        ValueError: the ledger has none of these.
    """
    wanted = {"scenario": scenario, "network": network, "set": set, "output": output}
    found = [row for row in rows(result, reference="network", **wanted) if row["distance"]["mean"] is not None]
    if not found:
        raise ValueError(f"expected rows of the ledger for {', '.join(map(str, wanted.values()))}, got none")
    return {row["method"]: row for row in sorted(found, key=lambda row: row["distance"]["mean"])}


def fair_table(result: dict, scenario: str, network: str, set: str | None = None, output: str = "probability") -> HTML:
    """Every method's measures; ``set`` is the class of the images, on Burnt Snacks. Raises as :func:`ranked` does."""
    found = ranked(result, scenario, network, set, output)
    cells = [
        [name, f"{row['evaluations']:,}", *(with_interval(row[measure], "{:.2f}") for measure in MEASURES)]
        for name, row in found.items()
    ]
    n = max(row["distance"]["n"] for row in found.values())
    caption = f"<b>{scenario}, {output}</b>, {n:,} inputs. {FAIR} Which players: see the chapter on fairness."
    return table(["method", "evaluations", *MEASURES.values()], cells, caption)


def how_fair(result: dict, scenario: str, network: str, set: str | None = None) -> HTML:
    """How far every method is from fair, by both outputs, with a sentence on each and all numbers folded under them;
    a note where the ledger has none of them."""
    case = (result, scenario, network, set)
    found = rows(result, scenario=scenario, network=network, set=set, reference="network")
    outputs = sorted({row["output"] for row in found if row["distance"]["mean"] is not None}, reverse=True)
    if not outputs:
        return framed(f"The ledger of the chapter on fairness has no row of {scenario}.")
    by_output = {output: ranked(*case, output) for output in outputs}
    methods = dict.fromkeys(name for of_output in by_output.values() for name in of_output)
    panels = {}
    for measure in ("distance", "correlation"):
        of_all = {
            name: {output: of_output[name][measure] for output, of_output in by_output.items() if name in of_output}
            for name in methods
        }
        panels[MEASURES[measure]] = Panel(of_all, most=2.0)  # random maps are far away
    n = max(row["distance"]["n"] for of_output in by_output.values() for row in of_output.values())
    chart = dots(
        panels,
        f"<b>{scenario}</b>, {n:,} inputs. {FAIR} The chapter on fairness says what each method is.",
        bars="95 % intervals over inputs",
        strong=["ICG"],
        tables=[fair_table(*case, output) for output in outputs],
        label="All numbers: how fair, at how many evaluations",
    )
    words = "".join(f"<p><b>{output.capitalize()}.</b> {fairest(*case, output)}</p>" for output in outputs)
    return HTML(chart.data + words)


def fairest(result: dict, scenario: str, network: str, set: str | None = None, output: str = "probability") -> str:
    """Which map is the fairest, which without certainty, and than which of those ICG is measurably fairer."""
    found = {name: row["distance"] for name, row in ranked(result, scenario, network, set, output).items()}
    maps = [name for name in found if name in METHODS and name != "random"]
    others = [name for name in maps if not METHODS[name].certainty]
    if not maps:
        return ""
    tied = ", ".join(name for name in maps[1:] if found[name]["low"] <= found[maps[0]]["high"])
    tied = tied and f", which can't be told from {tied}"
    text = [f"Fairest map: {maps[0]}, {found[maps[0]]['mean']:.2f}{tied}."]
    text += [f"Fairest without certainty: {name}, {found[name]['mean']:.2f}." for name in others[:1] if name != maps[0]]
    if "ICG" in maps and others:
        ahead = [name for name in others if found["ICG"]["high"] < found[name]["low"]]
        behind = [name for name in others if found[name]["high"] < found["ICG"]["low"]]
        beaten = "all" if ahead == others else len(ahead)
        text.append(f"ICG is measurably fairer than {beaten} of the {len(others)} methods without certainty")
        text[-1] += f", and less fair than {', '.join(behind)}." if behind else "."
    return " ".join(text)
