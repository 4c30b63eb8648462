"""The fairness ledger: how far is each map from a fair division, on every scenario?

Fair is, for a network, its Shapley value in the network's own game (certainty-SHAP, the same output and players); and
where the task itself says what is fair, that. Every method gets the same number of gradient evaluations. Beside them:
each path against the game it has of its own (attribution transfer), games against the task, and the distance from fair
as evaluations grow, for which permutation sampling is the limit.

What is kept is what each player gets; measures (:data:`icg.fairness.MEASURES`) are taken when the result is written.
"""

from itertools import product
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from icg.artifacts import ArtifactError, claimed, load_card, load_model, read_json
from icg.coalitions import MOST_PLAYERS
from icg.fairness import MEASURES, distance
from icg_book.fairness.merged import COST, ROUNDED, merged
from icg_book.fairness.players import KINDS
from icg_book.fairness.work import (
    BF16,
    BUDGET,
    CASES,
    CERTAINTY_GAME,
    CERTAINTY_PATHS,
    CURVES,
    FAIR,
    GAMES,
    LABELS,
    LARGEST_ERROR,
    METHODS,
    OUTPUTS,
    OWN,
    PARTS,
    PASSES,
    PERMUTATIONS,
    SAMPLING,
    SEED,
    Case,
    Work,
    inputs_of,
    settings,
)
from icg_book.kit import contenders, ledger
from icg_book.kit.intervals import pooled_interval, rounded_interval
from icg_book.kit.records import provenance, write_result

NAME = "fairness"
SHORT = {"noise averaged": "ICG, noise averaged"}  # for lists with commas
LEAST = 0.01  # sum of absolute fair shares with which an input counts
EXAMPLES = {("burnt-snacks", "burnt-snacks"): 8, ("local-minimum", "local-minimum"): 3, ("mnist", "mnist"): 4}


def run(
    *,
    data_folder: Path,
    work_folder: Path,
    n: int | None = None,
    parts: tuple[str, ...] | None = None,
    model: str | None = None,
    methods: tuple[str, ...] | None = None,
    device: str | torch.device = "cpu",
    write: bool = True,
    command: str = "",
    progress: bool = True,
) -> Path:
    """Run the experiment, or go on with it, and write ``results/fairness.json``.

    What is done is saved in ``work_folder`` some inputs at a time, tied to weights and settings: numbers, no images. A
    run that was stopped goes on from there, and one over more inputs begins with the same ones. Several processes with
    the same folder share the work: none takes what another one is at. The result has what is complete, whoever computed
    it, and of the result of before what is not measured again (:func:`icg_book.fairness.merged.merged`); what is in
    neither is named in its settings.

    Args:
        n: inputs of each case, at most as many as :data:`icg_book.fairness.work.CASES` says.
        parts: only these of :data:`icg_book.fairness.work.PARTS`. model: only this network.
        methods: only these of :data:`icg_book.fairness.work.METHODS`; "fair" for the references, "own games".
        device: where to compute; draws are the same everywhere.
        write: False only works.

    Returns:
        The result's path; the work folder, if none is written.

    Raises:
        ValueError: too few inputs, unknown parts, methods or network; data that can't be had; nothing is complete yet.
        ArtifactError: the weights aren't there; the ledger of before can't be read.
    """
    if n is not None and n < 2:
        raise ValueError(f"expected n >= 2 inputs, got {n}")
    known = (*METHODS, FAIR, OWN)
    methods = known if methods is None else tuple(SHORT.get(name, name) for name in methods)
    for what, given, names in (
        ("parts", parts or (), tuple(PARTS)),
        ("methods", methods, known),
        ("a network", (model,) if model else (), tuple(dict.fromkeys(case.network for case in CASES))),
    ):
        if unknown := [name for name in given if name not in names]:
            raise ValueError(f"expected {what} among {', '.join(names)}, got {', '.join(unknown)}")
    work_folder, works = Path(work_folder), _works(n, model, device)
    mine = [
        job
        for work in works
        if work.case.part in (parts or PARTS) and model in (None, work.case.network)
        for job in work.jobs()
        if job.method in methods
    ]
    if write:
        _before(Path(data_folder))  # one that can't be read is refused now, not after hours
    _do(sorted(mine, key=_turn), work_folder, progress)
    if not write:
        return work_folder
    content = _Ledger(works, work_folder).content() | provenance(command, SEED, device)
    if not content["references"]:
        raise ValueError("nothing is complete yet")
    content = merged(_before(Path(data_folder)) or content, content)
    content["settings"]["missing"] = _missing(content)
    return write_result(NAME, content, data_folder)


def _before(data_folder: Path) -> dict | None:
    """The ledger that is there."""
    path = data_folder / "results" / f"{NAME}.json"
    return read_json("result", path) if path.exists() else None


def _works(n: int | None, model: str | None, device) -> list[Work]:
    """All cases whose network is there."""
    networks, found = {}, []
    for case in CASES:
        name = case.network
        if name not in networks:
            try:
                network = load_model(name, device=device).to(memory_format=torch.channels_last)
                networks[name] = (network, load_card(name)["sha256"])
            except ArtifactError as error:
                if model == name:
                    raise
                networks[name] = None
                print(f"without {name}: {error} (python -m icg train {name})")
        if networks[name]:
            network, weights = networks[name]
            found.append(Work(case, network, weights, inputs_of(case, network, device), n))
    if not found:
        raise ArtifactError("no network of the ledger is there; python -m icg info lists what is")
    return found


def _turn(job) -> tuple[int, int]:
    """What is cheap and important comes first: the exact scenarios, then one output of all, then the other."""
    return (job.case.part != "local-minimum", 9 if job.case.network == "imagenette-resnet50" else max(job.turn, 1))


def _do(jobs: list, folder: Path, progress: bool) -> None:
    """Do the jobs; those that another process is at are left to it."""
    with tqdm(total=sum(job.n for job in jobs), disable=not progress, unit="map") as bar:
        for job in jobs:
            bar.set_postfix_str(job.label)
            with claimed(job.path(folder)) as free:
                if free:
                    job.work(folder, bar)
                else:
                    bar.update(job.n)


# ---------------------------------------------------------------------------------------------------------------
# The result
# ---------------------------------------------------------------------------------------------------------------


class _Ledger:
    """The result, of what is complete in the work folder."""

    def __init__(self, works: list[Work], folder: Path):
        self.works, self.folder = works, folder
        self.precision, self.cost, self.counts = {}, {}, {}

    def content(self) -> dict:
        names = ("rows", "games", "credit", "curves", "references", "examples")
        found = {name: [] for name in names}
        for work in self.works:
            self._network(work)
            for output in OUTPUTS:
                n = self.counts[work.case, output] = self._count(work, output)
                if n >= 2:
                    for name, entries in self._case(work.first(n), output).items():
                        found[name] += entries
        weights = {work.case.network: work.weights for work in self.works}
        return found | {"settings": self._settings(), "weights": weights}

    def _count(self, work: Work, output: str) -> int:
        """For how many inputs a case is written: as many as three in four methods have that have begun."""
        counts = [work.shares(method, output).count(self.folder) for method in work.case.methods]
        begun = sorted(count for count in counts if count)
        return min(work.references.count(self.folder), begun[(len(begun) - 1) // 4]) if begun else 0

    def _network(self, work: Work) -> None:
        """What is said of a network alone."""
        if (rows := self._rows(work.cost)) is not None:
            self.cost[work.case.network] = round(rows["cost"].item(), 3)
        if work.watched and (rows := self._rows(work.exact)) is not None:
            few = len(rows["orders"])
            if (fair := self._rows(work.first(few).references)) is not None:
                self.precision[work.case.network] = {
                    output: rounded_interval(distance(fair[output], rows[output])) for output in OUTPUTS
                }

    def _case(self, work: Work, output: str) -> dict[str, list]:
        """All that is said of one network, set of inputs and output."""
        case, task = work.case, work.inputs.task
        task = None if task is None else task[: work.n]
        rows, name = self._rows(work.references), _named(case) | {"output": output}
        fair, shares = rows[output], {}
        found = {"references": [name | _reference(rows, output)], "rows": []}
        for method in case.methods:
            if (rows := self._rows(work.shares(method, output))) is not None:
                shares[method] = rows[f"{output}, {BUDGET}" if method == SAMPLING else "shares"]
        for method, given in shares.items():
            row = name | {"method": method, "evaluations": _evaluations(method)}
            found["rows"].append(row | {"reference": "network"} | measured(given, fair))
            if task is not None:
                found["rows"].append(row | {"reference": "task"} | against_task(given, task, output))
        found["rows"] += self._own(work, output, shares, fair)
        found["games"] = self._games(work, output, task, fair)
        found["curves"] = self._curves(work, output, fair)
        found["examples"] = _examples(work, output, task, fair, shares)
        found["credit"] = [
            name | {"method": method} | credit(work, given)
            for method, given in {FAIR: fair, **shares}.items()
            if case.part == "burnt-snacks"
        ]
        return found

    def _own(self, work: Work, output: str, shares: dict[str, Tensor], fair: Tensor) -> list[dict]:
        """Paths against the games that are their own."""
        if not work.own:
            return []
        found, name = [], _named(work.case) | {"output": output}
        for method in GAMES:
            if (rows := self._rows(work.own[method, output])) is None:
                continue
            given = work.own_settings(method)
            row = name | {
                "method": method,
                "evaluations": given["steps"] * given.get("draws", 1),
                "reference": OWN[:-1],
            }
            found.append(row | measured(rows["path"], rows["game"]))
        for method in CERTAINTY_PATHS:
            if method in shares:
                row = name | {"method": method, "evaluations": _evaluations(method), "reference": OWN[:-1]}
                found.append(row | measured(shares[method][work.few], fair[work.few]))
        return found

    def _games(self, work: Work, output: str, task: Tensor | None, fair: Tensor) -> list[dict]:
        """Games against the task's truth."""
        if task is None:
            return []
        name = _named(work.case) | {"output": output}
        found = [name | {"game": CERTAINTY_GAME} | against_task(fair, task, output)]
        for method, (game, _) in GAMES.items() if work.own else ():
            if (rows := self._rows(work.own[method, output])) is not None:
                found.append(name | {"game": game} | against_task(rows["game"], task[work.few], output))
        return found

    def _curves(self, work: Work, output: str, fair: Tensor) -> list[dict]:
        found, case = [], work.case
        for method in CURVES if case.curves else ():
            jobs = work.curve(method, output)
            rows = {budget: self._rows(job) for budget, job in jobs.items()}
            name = _named(case) | {"output": output, "method": method}
            if any(part is None for part in rows.values()):
                continue
            n = min(case.curves, work.n)
            points = [
                measured(part[f"{output}, {budget}" if method == SAMPLING else "shares"][:n], fair[:n])
                for budget, part in rows.items()
            ]
            found.append(
                name
                | {"inputs": n, "evaluations": list(rows)}
                | {measure: [point[measure] for point in points] for measure in ("distance", "correlation")}
            )
        return found

    def _rows(self, job) -> dict[str, Tensor] | None:
        return job.done(self.folder)

    def _settings(self) -> dict:
        return {
            "inputs": [
                _named(case) | {"output": output, "n": n, "curves": min(n, case.curves)}
                for (case, output), n in self.counts.items()
            ],
            "evaluations": BUDGET,
            "methods": {method: settings(method) for method in METHODS if method != SAMPLING},
            SAMPLING: {"forward passes for one evaluation": PASSES, "orders": "antithetic"},
            COST: self.cost,
            "players": {
                "Local Minimum": "components",
                "Burnt Snacks": "each object with a border of one pixel, and all the rest",
                "MNIST": "blocks of 4 x 4 pixels",
                "MNIST in Space": "blocks of 4 x 4 pixels",
                "Imagenette": "an 8 x 8 grid",
            },
            "references": {
                "exact": f"up to {MOST_PLAYERS} players",
                "largest error": {PARTS[part]: error for part, error in LARGEST_ERROR.items()},
                "random orders": {PARTS[part]: list(orders) for part, orders in PERMUTATIONS.items()},
            },
            "precision": {
                "references": "bfloat16; Local Minimum: float32",
                "bfloat16": [*BF16, "all on Imagenette; none on Local Minimum; own games, but not their paths"],
                ROUNDED: self.precision,
            },
            "own games": {game: work for game, work in GAMES.values()},
            "interval": f"95 %, bootstrap over the inputs whose fair shares are {LEAST} or more in all",
        }


def _missing(content: dict) -> list[dict]:
    """What a ledger does not have, or not of all inputs."""
    found = []
    for case, output in product(CASES, OUTPUTS):
        name = _named(case) | {"output": output}
        have = {(one["method"], one["reference"]) for one in ledger.rows(content, "rows", **name)}
        curves = {one["method"]: one["inputs"] for one in ledger.rows(content, "curves", **name)}
        n = next((entry["n"] for entry in ledger.rows(content["settings"], "inputs", **name)), 0)
        if n < case.n:
            found.append(name | {"inputs": n, "of": case.n})
        if n == 0:
            continue
        found += [name | {"method": one} for one in case.methods if (one, "network") not in have]
        if case.own:
            found += [name | {"method": one, "what": OWN} for one in GAMES if (one, OWN[:-1]) not in have]
        for one in CURVES if case.curves else ():
            if one in case.methods and (n := curves.get(one, 0)) < case.curves:
                found.append(name | {"method": one, "what": "curve", "inputs": n, "of": case.curves})
    return found


def _named(case: Case) -> dict:
    label = None if case.label is None else LABELS[case.label]
    return {"scenario": PARTS[case.part], "network": case.network, "set": label}


def measured(shares: Tensor, fair: Tensor) -> dict:
    """All measures of a division ``(N, n)`` against a fair one, as intervals over the inputs with something to divide.

    A game that says of an input what it says of nobody (from black: of a class that black is taken for, too) pays next
    to nothing to anybody, and any map is at any distance from that.
    """
    idle = fair.abs().nansum(1) < LEAST
    found = {
        name: rounded_interval(measure(shares, fair).masked_fill(idle, torch.nan)) for name, measure in MEASURES.items()
    }
    return found | {"pooled": pooled(shares[~idle], fair[~idle])}


def pooled(shares: Tensor, fair: Tensor) -> dict[str, dict]:
    """Distance and correlation over the players of all inputs together, where large stakes count for more."""
    products = torch.stack([torch.ones_like(shares), shares, fair, shares**2, fair**2, shares * fair], 2)
    sizes = torch.stack([(shares - fair).abs(), fair.abs()], 2)

    def correlation(total: Tensor) -> Tensor:
        n, x, y, xx, yy, xy = total.unbind(-1)
        return (n * xy - x * y) / ((n * xx - x * x) * (n * yy - y * y)).sqrt()

    return {
        "distance": pooled_interval(sizes.nansum(1), lambda total: total[..., 0] / total[..., 1]),
        "correlation": pooled_interval(products.masked_fill(shares.isnan()[..., None], 0.0).sum(1), correlation),
    }


def against_task(shares: Tensor, task: Tensor, output: str) -> dict:
    """The same against the task's truth, which is in units of probability: a logit has no distance from it."""
    found = measured(shares, task)
    if output != "probability":
        found["distance"] = found["pooled"]["distance"] = rounded_interval(torch.tensor([torch.nan]))
    return found


def credit(work: Work, shares: Tensor) -> dict[str, float]:
    """What all objects of a kind get together, the mean over Burnt Snacks images."""
    total = dict.fromkeys(KINDS, 0.0)
    for i, row in enumerate(shares):
        for player, share in zip(work.inputs.players(i), row.tolist(), strict=False):
            total[player["kind"]] += share / len(shares)
    return {{"triangle": "triangles"}.get(kind, kind): round(value, 5) for kind, value in total.items()}


def _reference(fair: dict[str, Tensor], output: str) -> dict:
    """How good the fair shares of an output are."""
    shares, error, orders = fair[output], fair[f"{output}, error"], fair["orders"].double()
    counts = (~shares.isnan()).sum(1)
    exact = not bool(orders.any())
    total = shares.nansum(1).abs()
    # Of a normal error the mean absolute value is sqrt(2 / pi) standard deviations.
    noise = (2 / torch.pi) ** 0.5 * error.nansum(1) / shares.abs().nansum(1)
    return {
        "players": {"least": int(counts.min()), "most": int(counts.max())},
        "exact": exact,
        "permutations": None if exact else round(orders.mean().item(), 1),
        "largest error": round((error.nan_to_num().amax(1) / total).max().item(), 5),
        "noise": round(noise.mean().item(), 5),
    }


def _examples(work: Work, output: str, task, fair: Tensor, shares: dict[str, Tensor]) -> list[dict]:
    """The first inputs, player by player."""
    case, inputs = work.case, work.inputs
    found = []
    for i in range(min(EXAMPLES.get((case.part, case.network), 0), work.n)):
        names = inputs.players(i)

        def numbers(rows: Tensor, i=i, names=names) -> list[float]:
            return [round(share, 4) for share in rows[i, : len(names)].tolist()]

        found.append(
            {
                **_named(case),
                "output": output,
                "number": inputs.numbers[i],
                "target": int(work.targets[i]),
                "players": names,
                "fair": numbers(fair),
                "task": None if task is None else numbers(task),
                "shares": {method: numbers(rows) for method, rows in shares.items()},
            }
        )
    return found


def _evaluations(method: str) -> int:
    return BUDGET if method == SAMPLING else contenders.evaluations(method, settings(method))
