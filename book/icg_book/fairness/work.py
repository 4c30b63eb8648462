"""What is computed for the ledger: what each player of an input gets, by a fair division and by each method."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from torch import Tensor

from icg import baselines
from icg.attribution import parts_for
from icg.certainty import join
from icg.coalitions import MOST_PLAYERS, shapley_values
from icg.fairness import by_player, shapley_until
from icg.measures import probabilities
from icg.question import precision, quiet
from icg.shapley import baseline_game, certainty_game
from icg_book.fairness import players
from icg_book.kit import contenders
from icg_book.kit.jobs import Job

SEED = players.SEED
OUTPUTS = ("probability", "logit")
LABELS = ("no dark square", "dark square")  # Burnt Snacks: its classes
BUDGET = 64  # gradient evaluations of a map
BUDGETS = (16, 32, 64, 128, 256)  # of the curves
SAMPLING = "permutation sampling"  # a contender that knows the game: the limit of every method
PASSES = 2  # forward passes for the price of one gradient evaluation; what they really cost is measured beside it
FAIR = "fair"  # the reference, as a method of the command line
OWN = "own games"  # what compares paths with their own games, likewise
# Games that paths have of their own, and the paths' settings: so many steps that their error does not matter.
GAMES = {
    "zero IG": ("BShap, zero", {"steps": 64}),
    "mean IG": ("BShap, mean", {"steps": 64}),
    "AGN": ("BShap, noise", {"steps": 32, "draws": 8}),
    "EG": ("SHAP, data", {"steps": 32, "draws": 8}),
}
OWN_UNIFORM = 64  # draws for EG on Local Minimum, whose data are known
CERTAINTY_GAME = "certainty-SHAP"  # and its paths
CERTAINTY_PATHS = ("ICG", "random-path", "block-wise")
OWN_PLAYERS = 9  # at most, in an input whose own games are played
NOISE = 0.1

# Of fair shares that are estimated: the largest standard error, as a share of the whole; random orders at first, and at
# most. On MNIST an error of 2 % in each of 49 shares would itself take off a sixtieth of the correlation.
LARGEST_ERROR = {"mnist": 0.01, "space": 0.02, "imagenette": 0.02}
PERMUTATIONS = {"mnist": (32, 1024), "space": (32, 64), "imagenette": (64, 64)}
# Averages of many gradients, where mixed precision does no harm; on single paths it blurs the jumps. Photographs are
# in mixed precision throughout, as in their own chapter.
BF16 = ("AGN", "EG", "SIG", "SmoothGrad", "random-path", "block-wise")
METHODS = (
    *("zero IG", "mean IG", "blurred IG", "AGN", "EG", "SIG", "SmoothGrad", "gradient"),
    *("ICG", "ICG, noise averaged", "random-path", "block-wise", "random", SAMPLING),
)
CURVES = ("zero IG", "EG", "AGN", "SIG", "ICG", "random-path", "block-wise", SAMPLING)
ALWAYS = tuple(name for name in METHODS if name not in ("blurred IG", "ICG, noise averaged"))
PHOTOS = (*ALWAYS, "ICG, noise averaged")


@dataclass(frozen=True)
class Case:
    """A network and a set of inputs.

    Attributes:
        part: of the ledger; one scenario each. label: the class of the inputs, where they are of one.
        n: inputs. curves, own: inputs of the curves, and of own games; none if 0.
        methods: of :data:`METHODS`. chunk: inputs between two saves.
    """

    part: str
    network: str
    n: int
    label: int | None = None
    curves: int = 0
    own: int = 0
    methods: tuple[str, ...] = ALWAYS
    chunk: int = 20
    budgets: tuple[int, ...] = BUDGETS


PARTS = {
    "local-minimum": "Local Minimum",
    "burnt-snacks": "Burnt Snacks",
    "mnist": "MNIST",
    "space": "MNIST in Space",
    "imagenette": "Imagenette",
}
CASES = (
    Case("local-minimum", "local-minimum", 1000, own=200, chunk=200),
    Case("burnt-snacks", "burnt-snacks", 200, 1, curves=40, own=60, methods=(*ALWAYS, "blurred IG")),
    Case("burnt-snacks", "burnt-snacks", 200, 0),
    Case("burnt-snacks", "burnt-snacks-blocks", 200, 1),
    Case("burnt-snacks", "burnt-snacks-equivariant", 200, 1),
    Case("burnt-snacks", "burnt-snacks-equivariant-blocks", 200, 1),
    Case("burnt-snacks", "burnt-snacks-paper-mix", 200, 1, methods=("ICG", "random-path", "block-wise")),
    Case("mnist", "mnist", 200, curves=40, methods=(*ALWAYS, "blurred IG")),
    Case("mnist", "mnist-blocks", 200),
    Case("mnist", "mnist-owen", 200),
    Case("space", "mnist-in-space", 60),
    Case("imagenette", "imagenette-resnet18", 100, curves=15, methods=PHOTOS),
    Case("imagenette", "imagenette-resnet18-blocks", 100, methods=PHOTOS),
    Case("imagenette", "imagenette-resnet18-small-blocks", 40, methods=("EG", "ICG", "random-path", "block-wise")),
    Case("imagenette", "imagenette-resnet50", 30, methods=PHOTOS),
)


def settings(method: str, evaluations: int = BUDGET) -> dict:
    """Where a method's gradient evaluations go, of which there are ``evaluations``.

    >>> settings("AGN"), settings("ICG"), settings("AGN", 128)
    ({'steps': 8, 'draws': 8, 'noise': 0.1}, {'steps': 64}, {'steps': 16, 'draws': 8, 'noise': 0.1})
    """
    steps = 2 ** (evaluations.bit_length() // 2)  # as many as draws, or twice as many
    several = {"steps": steps, "draws": evaluations // steps}
    if method in ("gradient", "random"):
        return {}
    if method in ("AGN", "SIG"):
        return several | ({"noise": NOISE} if method == "AGN" else {})
    if method == "ICG, noise averaged":
        return {"steps": evaluations // 4, "draws": 4, "noise": 0.05}
    if method == "block-wise":
        parts = parts_for(evaluations)
        return {"draws": evaluations} | ({"parts": parts} if parts > 2 else {})
    if method in ("EG", "SmoothGrad", "random-path"):
        return {"draws": evaluations} | ({"noise": 0.15} if method == "SmoothGrad" else {})
    if method.endswith("IG"):  # as ICG has by default: evenly spread steps miss where the output jumps
        return {"steps": evaluations, "rule": "adaptive"}
    return {"steps": evaluations}


class PartJob(Job):
    """Work on the first ``n`` inputs of a case.

    Attributes:
        case, method: whose it is. turn: jobs of a lower one come first.
    """

    def __init__(self, case: Case, method: str, turn: int, label: str, n: int, key: dict, compute, *, chunk: int):
        whose = f"{case.part}, {case.network}" + ("" if case.label is None else f", {LABELS[case.label]}")
        super().__init__(f"fairness, {whose}, {label}", n, {"seed": SEED, **key}, compute, chunk=chunk)
        self.case, self.method, self.turn, self.label = case, method, turn, f"{whose}, {label}"


def inputs_of(case: Case, model, device="cpu"):
    """The inputs of a case; see :mod:`icg_book.fairness.players`."""
    if case.part == "local-minimum":
        return players.Components(case.n, device)
    if case.part == "burnt-snacks":
        return players.Objects(case.n, case.label, device)
    if case.part == "imagenette":
        return players.Photographs(case.n, model.input_shape[-1], device)
    return {"mnist": players.Digits, "space": players.DigitsInSpace}[case.part](case.n, device)


class Mixed:
    """A network in mixed precision; float32 if the dtype is None."""

    certainty_aware = True

    def __init__(self, model, dtype: torch.dtype | None):
        self.model, self.dtype = model, dtype

    def __call__(self, points: Tensor) -> Tensor:
        with precision(points, self.dtype):
            return self.model(points)


class Work:
    """What is to be computed for a case, as :class:`PartJob` objects."""

    def __init__(self, case: Case, model, weights: str, inputs, n: int | None = None):
        self.case, self.model, self.weights, self.inputs = case, model, weights, inputs
        self.n = case.n if n is None else min(n, case.n)
        self.dtype = None if case.part == "local-minimum" else torch.bfloat16

    def first(self, n: int) -> "Work":
        """The same for the first ``n`` inputs alone."""
        return Work(self.case, self.model, self.weights, self.inputs, n)

    # ---- The jobs

    @cached_property
    def references(self) -> PartJob:
        """Fair shares of both outputs, ``(k, most)``, with their standard errors; and the orders they are from."""
        compute = partial(self._references, self.dtype)
        error, orders = self.wanted
        key = {"precision": str(self.dtype), "largest error": error, "orders": orders}
        return self._job(
            FAIR, 0, FAIR, self.n, key, compute, chunk=1 if self.case.part == "imagenette" else self.case.chunk // 5
        )

    def shares(self, method: str, output: str) -> PartJob:
        """What each player gets by a method at the common budget, ``shares`` ``(k, most)``."""
        if method == SAMPLING:
            return self._sampling
        return self._shares(method, output, BUDGET, self.n, OUTPUTS.index(output) + 1)

    def curve(self, method: str, output: str) -> dict[int, PartJob]:
        """The same at each budget of the curves, for their inputs."""
        n = min(self.n, self.case.curves)
        if method == SAMPLING:
            return dict.fromkeys(self.case.budgets, self._sampling_curve)
        more = {
            budget: self._shares(method, output, budget, n, OUTPUTS.index(output) + 4)
            for budget in self.case.budgets
            if budget != BUDGET
        }
        return dict(sorted((more | {BUDGET: self.shares(method, output)}).items()))

    @cached_property
    def own(self) -> dict[tuple[str, str], PartJob]:
        """For the paths of :data:`GAMES`: what players get by the path, ``path``, and by its own game, ``game``."""
        found = {}
        if self.few:
            for method in GAMES:
                for output in OUTPUTS:
                    compute, n = partial(self._own, method, output), len(self.few)
                    key = {"settings": self.own_settings(method), "players": OWN_PLAYERS, "noise": NOISE}
                    key |= {"rule": "adaptive", "precision": str(self.dtype)}
                    label = f"{method}, own game, {output}"
                    found[method, output] = self._job(OWN, 3, label, n, key, compute, chunk=self.case.chunk)
        return found

    @cached_property
    def cost(self) -> PartJob:
        """``cost``: time of a forward pass over that of a gradient evaluation."""
        key = {"precision": str(self.dtype), "device": torch.device(self.inputs.device).type}
        return self._job(FAIR, 0, "cost", 1, key, self._cost, chunk=1)

    @cached_property
    def exact(self) -> PartJob:
        """Fair shares of the first ten inputs in float32, to see what mixed precision does to them."""
        compute = partial(self._references, None)
        return self._job(FAIR, 0, "float32", min(10, self.n), {"precision": "None"}, compute, chunk=5)

    @property
    def watched(self) -> bool:
        """Whether :attr:`exact` is of use here: shares are exact, and else in mixed precision."""
        return self.dtype is not None and self.inputs.most <= MOST_PLAYERS

    def jobs(self) -> list[PartJob]:
        """All of them, each once."""
        found = [self.references, self.cost]
        if self.watched:
            found.append(self.exact)
        for output in OUTPUTS:
            found += [self.shares(method, output) for method in self.case.methods]
            if self.case.curves:
                found += [
                    job
                    for method in CURVES
                    if method in self.case.methods
                    for job in self.curve(method, output).values()
                ]
        return list({job.name: job for job in [*found, *self.own.values()]}.values())

    @cached_property
    def few(self) -> list[int]:
        """Numbers of the inputs whose own games are played."""
        counts = [len(self.inputs.players(i)) for i in range(self.case.n)] if self.case.own else []
        few = [i for i, count in enumerate(counts) if count <= OWN_PLAYERS][: self.case.own]
        return [i for i in few if i < self.n]

    # ---- What they compute

    def _job(self, method, turn, label, n, key, compute, *, chunk: int) -> PartJob:
        border = {"border": self.inputs.border} if hasattr(self.inputs, "border") else {}
        key = {"weights": self.weights, "most": self.inputs.most, **border, **key}
        return PartJob(self.case, method, turn, label, n, key, compute, chunk=chunk)

    def _shares(self, method: str, output: str, budget: int, n: int, turn: int) -> PartJob:
        autocast = self.dtype if method in BF16 or self.case.part == "imagenette" else None
        key = {"settings": settings(method, budget), "precision": str(autocast)}
        label = f"{method}, {output}" + ("" if budget == BUDGET else f", {budget}")

        def compute(first, last):
            rows = slice(first, last)
            maps, _ = contenders.attribute(
                method,
                self.model,
                join(self.inputs.values[rows]),
                settings(method, budget),
                data=lambda: self.inputs.mean if method == "mean IG" else self.inputs.samples,
                generator=_generator(first, OUTPUTS.index(output)),
                target=self.targets[rows],
                output=output,
                autocast=autocast,
            )
            return {"shares": self._divided(contenders.one_map(maps), rows)}

        return self._job(method, turn, label, n, key, compute, chunk=self.case.chunk)

    @property
    def _sampling(self) -> PartJob:
        return self._sampled(1, SAMPLING, (BUDGET,), self.n)

    @property
    def _sampling_curve(self) -> PartJob:
        return self._sampled(4, f"{SAMPLING}, curve", self.case.budgets, min(self.n, self.case.curves))

    def _sampled(self, turn: int, label: str, budgets: tuple[int, ...], n: int) -> PartJob:
        def compute(first, last):
            rows = []
            for i in range(first, last):
                value, count = self._game(i, self.dtype)
                found = sampled(value, count, [PASSES * budget for budget in budgets], generator=_generator(i, 2))
                rows.append(self._padded(torch.cat(found, 1).T))
            rows = torch.stack(rows)  # (k, budgets x outputs, most)
            names = [f"{output}, {budget}" for budget in budgets for output in OUTPUTS]
            return {name: rows[:, k] for k, name in enumerate(names)}

        key = {"budgets": budgets, "passes": PASSES, "precision": str(self.dtype)}
        return self._job(SAMPLING, turn, label, n, key, compute, chunk=self.case.chunk)

    @cached_property
    def targets(self) -> Tensor:
        """The class that is attributed of each input, ``(n,)``."""
        values = self.inputs.values
        if self.inputs.target is not None:
            return torch.full((len(values),), self.inputs.target, device=values.device)
        return probabilities(self.model, values).argmax(1)

    def _game(self, i: int, dtype) -> tuple[Callable[[Tensor], Tensor], int]:
        """Certainty-SHAP's games of one input, for both outputs at once; and the number of players."""
        model, values = Mixed(self.model, dtype), self.inputs.values[i : i + 1]
        return both(lambda **options: certainty_game(model, values, **options), self._groups(i), int(self.targets[i]))

    def _groups(self, i: int) -> Tensor:
        groups = self.inputs.groups
        return groups[i] if groups.ndim == self.inputs.values.ndim else groups

    @property
    def wanted(self) -> tuple[float, tuple[int, int] | None]:
        """The largest error of fair shares, and their random orders; of no account where they are exact."""
        return LARGEST_ERROR.get(self.case.part, 0.02), PERMUTATIONS.get(self.case.part)

    def _references(self, dtype, first: int, last: int) -> dict[str, Tensor]:
        rows, orders = [], []
        largest_error, asked = self.wanted
        least, most = asked or (4, 4)
        for i in range(first, last):
            value, count = self._game(i, dtype)
            shares, error, used = shapley_until(
                value,
                count,
                largest_error=largest_error,
                first=least,
                most_permutations=most,
                generator=_generator(i, 3),
            )
            rows.append(self._padded(torch.cat([shares, error], 1).T))
            orders.append(used)
        rows = torch.stack(rows)
        names = [*OUTPUTS, *(f"{output}, error" for output in OUTPUTS)]
        return {name: rows[:, k] for k, name in enumerate(names)} | {"orders": torch.tensor(orders)}

    def own_settings(self, method: str) -> dict:
        draws = {"draws": OWN_UNIFORM} if self.case.part == "local-minimum" and method == "EG" else {}
        return GAMES[method][1] | draws

    def _own(self, method: str, output: str, first: int, last: int) -> dict[str, Tensor]:
        rows = {"path": [], "game": []}
        given = self.own_settings(method)
        for i in self.few[first:last]:
            values = self.inputs.values[i : i + 1]
            start = self._start(method, values, given.get("draws", 1), _generator(i, 4))
            maps, _ = contenders.attribute(  # all of them are paths from these baselines, and differ in nothing else
                "zero IG",
                self.model,
                join(values),
                {"steps": given["steps"], "rule": "adaptive"},
                start=start,
                target=self.targets[i : i + 1],
                output=output,
            )
            path = by_player(contenders.one_map(maps), self._groups(i))
            # Not `both`: of several draws it is the output that is averaged, not the logits.
            own = {"groups": self._groups(i), "target": int(self.targets[i]), "output": output}
            game = baseline_game(Mixed(self.model, self.dtype), join(values), start, **own)
            rows["path"].append(self._padded(path)[0])
            rows["game"].append(self._padded(shapley_values(game, game.n)[None])[0])
        return {name: torch.stack(found) for name, found in rows.items()}

    def _start(self, method: str, values: Tensor, draws: int, generator) -> baselines.Baseline:
        """Where paths start, the same for a path and its game: chance is drawn here, once."""
        if method == "zero IG":
            return baselines.zero()
        if method == "mean IG":
            return baselines.mean(self.inputs.mean)
        if method == "AGN":
            drawn = baselines.gaussian_noise(NOISE, n_samples=draws).starts(values, generator)[:, 0]
        else:
            chosen = torch.randperm(len(self.inputs.samples), generator=generator)[:draws]
            drawn = self.inputs.samples[chosen.to(values.device)]
        return baselines.every(drawn)

    def _cost(self, first: int, last: int) -> dict[str, Tensor]:
        """The shorter of several times of each, on one batch."""
        size = 16 if self.case.part == "imagenette" else 64
        values = self.inputs.values[:size]
        points = join(values.repeat(-(-size // len(values)), *[1] * (values.ndim - 1))[:size])
        model, spent = Mixed(self.model, self.dtype), {False: [], True: []}
        for _ in range(6):  # the first warms up
            for backward, times in spent.items():
                start = _now(points.device)
                with quiet(self.model), torch.set_grad_enabled(backward):
                    point = points.clone().requires_grad_(backward)
                    score = model(point).float()[:, 0].sum()
                    if backward:
                        torch.autograd.grad(score, point)
                times.append(_now(points.device) - start)
        return {"cost": torch.tensor([min(spent[False][1:]) / min(spent[True][1:])], dtype=torch.float64)}

    def _divided(self, maps: Tensor, rows: slice) -> Tensor:
        groups = self.inputs.groups
        groups = groups[rows] if groups.ndim == maps.ndim else groups
        return self._padded(by_player(maps, groups))

    def _padded(self, shares: Tensor) -> Tensor:
        """``(k, n)`` as ``(k, most)`` float64, with NaN for players that there aren't."""
        full = torch.full((len(shares), self.inputs.most), torch.nan, dtype=torch.float64)
        full[:, : shares.shape[1]] = shares.cpu()
        return full


def both(make: Callable, groups: Tensor, target: int) -> tuple[Callable[[Tensor], Tensor], int]:
    """A game of one input for probability and logit, from the same passes: values ``(M, 2)``; and its players."""
    game = make(groups=groups, target="all", output="logit")

    def value(masks: Tensor) -> Tensor:
        logits = game(masks)
        return torch.stack([logits.softmax(1)[:, target], logits[:, target]], 1).cpu()

    return value, game.n


def sampled(value, n: int, passes: list[int], *, generator) -> list[Tensor]:
    """Shapley values estimated from so many values of coalitions, ``(n, games)`` each: as many orders as they allow.

    Every other order is the reverse of the one before. Where there are too few values for a single order, players join
    in groups as equal as can be, whose members share what the group adds.
    """
    ends = value(torch.tensor([[False] * n, [True] * n]))
    most = max((max(passes) - 2) // (n - 1), 1)
    place = []
    while len(place) < most:
        order = torch.randperm(n, generator=generator)
        place += [order, n - 1 - order]
    place = torch.stack(place[:most])

    def gains(places: Tensor, sizes: Tensor) -> Tensor:
        """``(orders, n, games)`` when coalitions of these sizes, 0 and n among them, are asked."""
        masks = (places[:, None] < sizes[1:-1, None]).flatten(0, 1)
        inner = value(masks).view(len(places), len(sizes) - 2, -1)
        chain = torch.cat([ends[:1].expand(len(places), 1, -1), inner, ends[1:].expand(len(places), 1, -1)], 1)
        step = torch.bucketize(places, sizes[1:], right=True)  # in which each player joins
        each = chain.diff(dim=1) / sizes.diff()[:, None]
        return each[torch.arange(len(places))[:, None], step]

    found = []
    enough = [count for count in passes if count >= n + 1]
    full = gains(place, torch.arange(n + 1)) if enough else None
    for count in passes:
        if count >= n + 1:
            found.append(full[: (count - 2) // (n - 1)].mean(0))
        else:
            sizes = torch.linspace(0, n, count, dtype=torch.float64).round().long()
            found.append(gains(place[:1], sizes.unique()).mean(0))
    return found


def _generator(first: int, stream: int) -> torch.Generator:
    return torch.Generator().manual_seed((SEED * 8 + stream) * 1_000_003 + first)


def _now(device) -> float:
    """A clock, in seconds: on a CPU the process's own, whatever else the machine does."""
    if torch.device(device).type == "cpu":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()
