"""A small made-up result of the chapter on fairness, in the form of the shipped one."""

from icg_book.fairness.findings import BASELINE, CERTAINTY, GAMES, NETWORK, SAMPLING
from icg_book.fairness.merged import ROUNDED

DISTANCES = {"block-wise": 0.3, "random-path": 0.4, "ICG": 0.5, "EG": 0.9, "AGN": 1.0, "zero IG": 1.9, SAMPLING: 0.2}


def around(mean, half=0.01, n=50):
    """An interval; None for what was not measured."""
    if mean is None:
        return {"mean": None, "low": None, "high": None, "n": 0}
    return {"mean": mean, "low": mean - half, "high": mean + half, "n": n}


def row(scenario, method, distance, *, network=None, output="probability", reference="network", correlation=None):
    """One row; by default of the scenario's own network."""
    return {
        "scenario": scenario,
        "network": network or NETWORK[scenario],
        "set": "dark square" if scenario == "Burnt Snacks" else None,
        "output": output,
        "method": method,
        "evaluations": 64,
        "reference": reference,
        "distance": around(distance),
        "correlation": around(correlation if correlation is not None else 1 - (distance or 0) / 4),
        "bystanders": around(0.1),
        "wrong signs": around(0.2),
        "pooled": {"distance": around(0.25), "correlation": around(0.75)},
    }


def made(scenarios=("Burnt Snacks", "MNIST"), distances=None):
    """All parts of a result: every method of ``distances`` on both outputs of each scenario."""
    distances, rows, references, curves, credit = distances or DISTANCES, [], [], [], []
    assert set(distances) <= {*CERTAINTY, *BASELINE, SAMPLING}
    for scenario in scenarios:
        name = {"scenario": scenario, "network": NETWORK[scenario]}
        own_set = "dark square" if scenario == "Burnt Snacks" else None
        for output in ("probability", "logit"):
            rows += [row(scenario, method, value, output=output) for method, value in distances.items()]
            exact = scenario != "MNIST"
            references.append(
                name
                | {"set": own_set, "output": output, "players": {"least": 5, "most": 9 if exact else 5}, "exact": exact}
                | {"permutations": None if exact else 96.0, "largest error": 0.0 if exact else 0.034}
                | {"noise": 0.0 if exact else 0.12}
            )
            for method, value in distances.items():
                slope = [value * (64 / n) ** 0.5 if method == SAMPLING else value for n in (16, 64, 256)]
                points = {"evaluations": [16, 64, 256], "distance": [around(v) for v in slope]}
                curves.append(name | {"output": output, "method": method} | points)
        if scenario == "Burnt Snacks":
            for method in ("fair", *distances):
                shares = {"dark": 0.7, "light": -0.1, "triangles": 0.0, "rest": -0.2}
                credit.append(
                    {"network": NETWORK[scenario], "set": own_set, "output": "probability", "method": method} | shares
                )
    games = []
    for method, distance in (("zero IG", 1.7), ("AGN", 0.9), ("ICG", 0.5)):
        for output in ("probability", "logit"):
            rows.append(row("Burnt Snacks", method, distance, output=output, reference="own game"))
            to_task = distances.get(method) if output == "probability" else None
            rows.append(row("Burnt Snacks", method, to_task, output=output, reference="task"))
            name = {"scenario": "Burnt Snacks", "network": "burnt-snacks", "set": "dark square", "output": output}
            off = {"zero IG": 0.02, "AGN": 1.0, "ICG": 0.9}[method] if output == "probability" else None
            games.append(name | {"game": GAMES[method], "distance": around(off), "correlation": around(0.9)})
    settings = {
        "precision": {ROUNDED: {"burnt-snacks": {"probability": around(0.006), "logit": around(0.007)}}},
        SAMPLING: {"forward passes for one evaluation": 2},
        "cost of a forward pass in evaluations": {"burnt-snacks": 0.28, "mnist": 0.4},
    }
    parts = {"rows": rows, "games": games, "credit": credit, "curves": curves, "references": references}
    return parts | {"examples": [], "settings": settings}
