"""Real photographs in numbers, where the paper has figure 9 and words: are ICG's maps more tightly localised (A.4.1)?

For validation photographs that the network gets right, drawn by a seed, and for the class that it predicts: how
concentrated an attribution is, what it makes of borders of one colour, where the output goes when blocks of pixels are
taken away or given back, what is left of the map when the weights become random, whether two draws of the noise agree,
and what it costs. Each network has a result of its own, ``results/NAME.json``: they are trained and measured at other
times and on other machines, and one is made again without touching the other.
"""

import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from icg.artifacts import load_card, load_model
from icg.attribution import expected_gradients, integrated_certainty_gradients
from icg.certainty import join
from icg.deletion import Curves, deletion_curves, insertion_curves, ranking, without_certainty
from icg.measures import mass_share, probabilities, rank_correlation
from icg.question import precision, quiet
from icg_book.imagenette.localisation import blurred, borders, entropy, half_area, spread
from icg_book.imagenette.sanity import randomised
from icg_book.kit.contenders import attribution_map, evaluations
from icg_book.kit.intervals import mean_interval
from icg_book.kit.jobs import Job
from icg_book.kit.records import provenance, write_result
from icg_book.scenarios import imagenette

MODELS = ("imagenette-resnet18", "imagenette-resnet50")
SEED = 2022
CHUNK = 20  # photographs between two saves

# Steps on a path, paths (or draws, or noisy copies) of a photograph, the noise's standard deviation. So few that one
# core of a CPU is done within 90 minutes; what few draws do is measured (agreement, gap). "random" is the control: a
# map of noise.
METHODS = {
    "gradient": {},
    "SmoothGrad": {"draws": 32, "noise": 0.15},
    "zero IG": {"steps": 32},
    "mean IG": {"steps": 32},
    "AGN": {"steps": 2, "draws": 16, "noise": 0.1},
    "EG": {"draws": 64},
    "ICG": {"steps": 32},
    "ICG, noise averaged": {"steps": 12, "draws": 5, "noise": 0.05},
    "random": {},
}
REFERENCE = "ICG, noise averaged"  # what the paper shows of photographs; the others are compared with it
SHORT = {"noise averaged": REFERENCE}  # for lists with commas
SAMPLES = 500  # training photographs that EG draws from
# Photographs. Those with a border are drawn among all that are right, the rest are the first of the same 500.
N = {
    "photographs": 500,
    "curves": 100,
    "agreement": 50,
    "black borders": 80,  # nearly all: the paper speaks of every case
    "other borders": 25,
    "sanity": 5,
    "cost": 60,
}
BORDERS = ("black borders", "other borders")
FORMS = ("raw", "blurred")
BLUR = 0.025  # standard deviation of the blur that makes a map readable, in sides of the photograph
BLOCKS = 16  # blocks of pixels along a side, for the curves
SHARES = (0.0, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
CURVES = {"deletion": deletion_curves, "insertion": insertion_curves}
CHANGES = ("certainty", "blurring")
LOST = 0.08  # standard deviation of the blur that takes a photograph's content away, in sides
DARK = 0.15  # borders below this mean are called black
# Parts of a CertaintyResNet from its head down, in the order in which they become random.
STAGES = {
    **{name: (f"resnet.{name}",) for name in ("fc", "layer4", "layer3", "layer2", "layer1")},
    "stem": ("resnet.conv1", "resnet.bn1"),
    "front": ("front",),
}
KNOWN = 16  # training photographs from which random layers get the statistics of their batch norm
PAPER = {
    "localisation": "tend to be more tightly localized than those of EG",
    "border": "EG allocates significant attribution in the top black border region; ICG in no case seen",
    "exceptions": "chain saw: ICG highlights background; golf ball: the golf club",
    "averaging": "5 ICG attributions over inputs with low-intensity noise",
    "accuracy": 0.824,
}


def attribute(
    method: str,
    model,
    inputs: Tensor,
    *,
    target: Tensor,
    data,
    generator=None,
    autocast: torch.dtype | None = None,
    check: bool = True,
) -> tuple[Tensor, Tensor | None]:
    """One of :data:`METHODS` for joined ``inputs`` ``(N, 4, H, W)`` and classes ``target`` ``(N,)``; probability.

    Args:
        data: has ``samples`` ``(K, 3, H, W)`` for EG, and ``mean`` ``(1, 3, H, W)``.
        check: also measure the distance from completeness, two forward passes for each path.

    Returns:
        A map ``(N, 1, H, W)`` float64: of the values, colours added up (what gradients say of the certainty channel is
        left out), for ICG of the certainty; and the distance from completeness ``(N,)`` of single paths and their
        averages, else None.

    Raises:
        ValueError: an unknown method.
    """
    return attribution_map(
        method,
        METHODS,
        model,
        inputs,
        target=target,
        samples=lambda: data.samples,
        mean=lambda: data.mean,
        generator=generator,
        autocast=autocast,
        check=check,
    )


def is_stochastic(method: str) -> bool:
    """Whether a method's map depends on what it draws."""
    return method == "random" or "draws" in METHODS[method]


# ---------------------------------------------------------------------------------------------------------------
# Figure 9
# ---------------------------------------------------------------------------------------------------------------


def order(n: int, seed: int = SEED) -> Tensor:
    """The validation photographs in a seed's order, ``(n,)``."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))


def examples(model, data: imagenette.Photographs, *, size: int | None = None, seed: int = SEED) -> Tensor:
    """For each class the first photograph in a seed's order that the model gets right: ``(10,)`` numbers in ``data``.

    Not chosen by hand, so nobody can choose well. Looks at no more photographs than it has to.

    Args:
        size: side at which the model sees them; default: what it is meant for.

    Raises:
        ValueError: a class of which there is none.
    """
    size = model.input_shape[-1] if size is None else size
    found = {}
    for part in order(len(data), seed).split(CHUNK):
        with quiet(model):
            hits = imagenette.right(model, data, part, size) > 0
        for number, label in zip(part[hits].tolist(), data.labels[part[hits]].tolist(), strict=True):
            found.setdefault(label, number)
        if len(found) == len(imagenette.CLASSES):
            return torch.tensor([found[label] for label in range(len(found))])
    missing = [name for label, name in enumerate(imagenette.CLASSES) if label not in found]
    raise ValueError(f"the model gets no photograph right of {', '.join(missing)}")


def figure_maps(
    model,
    values: Tensor,
    samples: Tensor,
    *,
    target: Tensor | None = None,
    copies: int = 5,
    noise: float = 0.05,
    steps: int = 12,
    draws: int = 64,
    sigma: float | None = None,
    seed: int = SEED,
    autocast: torch.dtype | None = None,
    progress: bool = False,
) -> dict[str, Tensor]:
    """The maps of the paper's figure 9: ICG averaged over noisy copies, and EG, each as it is and Gaussian-blurred.

    By default the settings are those of :data:`METHODS`, so what is seen is what was measured.

    Args:
        values: photographs ``(N, 3, H, W)``. samples: training photographs ``(K, 3, H, W)`` that EG draws from.
        target: classes ``(N,)``; default: the predicted ones.
        copies, noise, steps: of ICG: noisy copies, the noise's standard deviation, steps of each.
        draws: of EG.
        sigma: standard deviation of the blur in pixels; default: :data:`BLUR` of the shorter side.

    Returns:
        ``(N, 1, H, W)`` each, dtype of ``values``: "ICG", "ICG, blurred", "EG", "EG, blurred".

    Raises:
        ValueError: what the methods of :mod:`icg.attribution` refuse.
    """
    sigma = BLUR * min(values.shape[2:]) if sigma is None else sigma
    inputs = join(values)
    options = {"target": target, "autocast": autocast, "progress": progress}

    def generator():
        return torch.Generator().manual_seed(seed)

    maps = {
        "ICG": integrated_certainty_gradients(
            model, inputs, n_steps=steps, n_samples=copies, noise_std=noise, generator=generator(), **options
        )
    }
    eg = expected_gradients(model, inputs, samples, n_steps=draws, generator=generator(), **options)
    maps["EG"] = eg[:, :-1].sum(1, keepdim=True)
    both = {name: {name: raw, f"{name}, blurred": blurred(raw, sigma)} for name, raw in maps.items()}
    return both["ICG"] | both["EG"]


# ---------------------------------------------------------------------------------------------------------------
# The experiment
# ---------------------------------------------------------------------------------------------------------------


def run(
    *,
    data_folder: Path,
    work_folder: Path,
    model: str = MODELS[0],
    n: int | None = None,
    methods: tuple[str, ...] | None = None,
    bf16: bool = True,
    device: str | torch.device = "cpu",
    command: str = "",
    progress: bool = True,
) -> Path:
    """Run the experiment, or go on with it, and write ``results/MODEL.json``.

    Every 20 photographs what is done is saved in ``work_folder``, tied to weights and settings: numbers, neither
    photographs nor maps. A run that was stopped goes on from there, and one over more photographs begins with the same
    ones. Several processes can share the work by methods: each writes a result of the methods that are complete by
    then, so whoever ends last writes all of them.

    Args:
        model: name of the weights, one of :data:`MODELS`.
        n: photographs; :data:`N` says how many of each measure, this many at most, and 500 for the first ones.
        methods: only these of :data:`METHODS`.
        bf16: mixed precision for attributions and curves. Which photographs are right is always found out in float32.
        device: where to compute; draws are the same everywhere.

    Returns:
        The result's path.

    Raises:
        ValueError: too few photographs, an unknown model or method; Imagenette can't be had; too few are right.
        ArtifactError: the weights aren't there.
    """
    if n is not None and n < 2:
        raise ValueError(f"expected n >= 2 photographs, got {n}")
    size = {name: most if n is None else min(n, most) for name, most in N.items()}
    size["photographs"] = size["photographs"] if n is None else n
    if model not in MODELS:
        raise ValueError(f"expected model to be one of {', '.join(MODELS)}, got {model!r}")
    methods = tuple(METHODS) if methods is None else tuple(SHORT.get(name, name) for name in methods)
    if unknown := [name for name in methods if name not in METHODS]:
        raise ValueError(f"expected methods among {', '.join(METHODS)}, got {', '.join(unknown)}")
    network = load_model(model, device=device).to(memory_format=torch.channels_last)
    shots = _Shots(network, device, progress)
    work = _Work(model, network, load_card(model)["sha256"], shots, torch.bfloat16 if bf16 else None)
    with tqdm(total=len(shots.data), desc="which are right", disable=not progress, unit="photo") as bar:
        looked = work.look().work(work_folder, bar)
    shots.choose(looked)
    for name, found in {"photographs": shots.chosen, **shots.bordered}.items():
        size[name] = min(size[name], len(found))
    if size["photographs"] < 2:
        raise ValueError(f"expected at least 2 photographs that {model} gets right, got {size['photographs']}")
    size = {name: k if name in BORDERS else min(k, size["photographs"]) for name, k in size.items()}
    with tqdm(total=sum(j.n for m in methods for j in work.jobs(m, size)), disable=not progress, unit="photo") as bar:
        for method in methods:
            for job in work.jobs(method, size):
                bar.set_postfix_str(job.name.removeprefix(f"{model}, "))
                job.work(work_folder, bar)
    done = {}
    for method in METHODS:
        rows = [job.done(work_folder) for job in work.jobs(method, size)]
        if all(part is not None for part in rows):
            done[method] = {name: values for part in rows for name, values in part.items()}
    if not done:
        raise ValueError("nothing is complete yet")
    return write_result(model, _summary(work, done, looked, size) | provenance(command, SEED, device), data_folder)


class _Shots:
    """Photographs at a network's size; read from the disk at first use, once.

    Attributes (after :meth:`choose`):
        chosen: numbers of the validation photographs that are right, in the seed's order.
        bordered: those of them that have a border, for each of ``BORDERS``.
    """

    def __init__(self, model, device, progress: bool = False):
        self.size, self.device, self.progress = model.input_shape[-1], device, progress

    @cached_property
    def data(self) -> imagenette.Photographs:
        return imagenette.photographs("val", progress=self.progress)

    @cached_property
    def training(self) -> imagenette.Photographs:
        return imagenette.photographs("train", progress=self.progress)

    def choose(self, looked: dict[str, Tensor]) -> None:
        numbers, right = order(len(self.data)), looked["right"] > 0
        self.predicted = torch.empty_like(numbers).scatter_(0, numbers, looked["predicted"])
        self.chosen = numbers[right]
        kinds = (looked["black"] > 0, (looked["border area"] > 0) & (looked["black"] == 0))
        self.bordered = {name: numbers[right & kind] for name, kind in zip(BORDERS, kinds, strict=True)}

    def values(self, numbers: Tensor) -> Tensor:
        """Validation photographs ``(n, 3, size, size)`` in [0, 1]."""
        return imagenette.resize(self.data.images[numbers].to(self.device), self.size)

    @cached_property
    def samples(self) -> Tensor:
        """Training photographs drawn for EG."""
        some = order(len(self.training))[:SAMPLES]
        parts = [imagenette.resize(self.training.images[part].to(self.device), self.size) for part in some.split(100)]
        return torch.cat(parts)

    @cached_property
    def known(self) -> Tensor:
        """A few training photographs."""
        some = order(len(self.training))[:KNOWN]
        return imagenette.resize(self.training.images[some].to(self.device), self.size)

    @cached_property
    def mean(self) -> Tensor:
        """The mean of all training photographs."""
        parts = self.training.images.split(500)
        mean = sum(part.double().sum(0, keepdim=True) for part in parts) / len(self.training)
        return imagenette.resize(mean.to(self.device), self.size)


class _Work:
    """What is to be computed for a network, as :class:`Job` objects."""

    def __init__(self, name, model, weights, shots, autocast):
        self.name, self.model, self.weights, self.shots, self.autocast = name, model, weights, shots, autocast
        self.sigma = BLUR * shots.size

    def key(self, method: str | None = None) -> dict:
        common = {"weights": self.weights, "seed": SEED, "size": self.shots.size, "photographs": len(self.shots.data)}
        if method is None:
            return common
        data = {"samples": SAMPLES} if method == "EG" else {}
        return common | data | {"settings": METHODS[method], "precision": str(self.autocast)}

    def look(self) -> Job:
        """Which validation photographs are right, and which have a border; in the seed's order."""
        numbers = order(len(self.shots.data))

        def compute(first, last):
            part = numbers[first:last]
            values = self.shots.values(part)
            predicted = probabilities(self.model, values).argmax(1).cpu()
            mask = borders(values)
            area = mask.double().mean((1, 2, 3))
            colour = (values.mean(1, keepdim=True) * mask).sum((1, 2, 3)) / mask.sum((1, 2, 3))
            right = (predicted == self.shots.data.labels[part]).double()
            return {"predicted": predicted, "right": right, "border area": area, "black": (colour < DARK).double()}

        return Job(f"{self.name}, photographs", len(numbers), self.key() | {"dark": DARK}, compute, chunk=25 * CHUNK)

    def jobs(self, method: str, size: dict[str, int]) -> list[Job]:
        """The jobs of a method."""
        key = self.key(method)
        within = {name: N[name] for name in ("curves", "agreement", "cost")}
        within |= {"shares": SHARES, "blocks": BLOCKS, "blur": BLUR, "lost": LOST}
        within["device"] = torch.device(self.shots.device).type  # costs are compared on one
        found = [
            ("maps", "photographs", within, self._maps(method)),
            *((name, name, {"dark": DARK}, self._borders(method, name)) for name in BORDERS),
        ]
        if method != "random":
            found.append(("sanity", "sanity", {"known": KNOWN, "stages": tuple(STAGES)}, self._sanity(method)))
        return [
            Job(f"{self.name}, {method}, {what}", size[n], key | more, compute, chunk=CHUNK)
            for what, n, more, compute in found
        ]

    def load(self, method: str) -> None:
        """Read what a method needs of the training photographs, which is no part of its cost."""
        if method == "EG":
            _ = self.shots.samples
        if method == "mean IG":
            _ = self.shots.mean

    def attribute(self, method: str, numbers: Tensor, first: int, *, model=None, draw: int = 0, check: bool = False):
        generator = torch.Generator().manual_seed((SEED * 2 + draw) * 1_000_003 + first)
        return attribute(
            method,
            self.model if model is None else model,
            join(self.shots.values(numbers)),
            target=self.shots.predicted[numbers].to(self.shots.device),
            data=self.shots,
            generator=generator,
            autocast=self.autocast,
            check=check,
        )

    def _maps(self, method: str) -> Callable:
        def compute(first, last):
            numbers = self.shots.chosen[first:last]
            self.load(method)
            timed = first < N["cost"] and method != "random"
            bare = self._bare(numbers) if timed else None
            start = _now(self.shots.device)
            # Completeness is measured on the photographs whose maps are not timed: it has a cost of its own.
            maps, gap = self.attribute(method, numbers, first, check=not timed)
            spent = _now(self.shots.device) - start
            forms = dict(zip(FORMS, (maps, blurred(maps, self.sigma)), strict=True))
            rows = {
                f"{name}, {form}": measure(forms[form])
                for name, measure in (("entropy", entropy), ("spread", spread), ("half area", half_area))
                for form in FORMS
            }
            rows["gap"] = torch.full((len(maps),), torch.nan) if gap is None else gap.abs()
            rows["cost"] = torch.full((len(maps),), torch.nan if bare is None else spent / bare, dtype=torch.float64)
            k = min(last, N["curves"]) - first
            rows |= _padded(self._curves(numbers[:k], maps[:k], first) if k > 0 else _no_curves(), len(maps))
            k = min(last, N["agreement"]) - first
            if is_stochastic(method):
                again = {f"agreement, {form}": torch.empty(0) for form in FORMS}
                if k > 0:
                    other, _ = self.attribute(method, numbers[:k], first, draw=1)
                    other = dict(zip(FORMS, (other, blurred(other, self.sigma)), strict=True))
                    again = {f"agreement, {form}": rank_correlation(forms[form][:k], other[form]) for form in FORMS}
                rows |= _padded(again, len(maps))
            return rows

        return compute

    def _curves(self, numbers: Tensor, maps: Tensor, first: int) -> dict[str, Tensor]:
        values = self.shots.values(numbers)
        inputs, target = join(values), self.shots.predicted[numbers].to(self.shots.device)
        rank = ranking(
            maps, block=self.shots.size // BLOCKS, generator=torch.Generator().manual_seed(SEED * 1_000_003 + first)
        )
        lost = blurred(values, LOST * self.shots.size)
        changed = {"certainty": without_certainty(inputs), "blurring": join(lost)}
        options = {"target": target, "shares": SHARES, "autocast": self.autocast}
        return {
            f"{kind}, {change}": curves(self.model, inputs, changed[change], rank, **options).output
            for kind, curves in CURVES.items()
            for change in CHANGES
        }

    def _borders(self, method: str, name: str) -> Callable:
        def compute(first, last):
            numbers = self.shots.bordered[name][first:last]
            maps, _ = self.attribute(method, numbers, first)
            mask = borders(self.shots.values(numbers))
            return {name: mass_share(maps, mask), f"{name}, area": mask.double().mean((1, 2, 3))}

        return compute

    def _sanity(self, method: str) -> Callable:
        def compute(first, last):
            numbers = self.shots.chosen[first:last]
            before, _ = self.attribute(method, numbers, first)
            rows, parts = {}, []
            for stage, more in STAGES.items():
                parts += more
                model = randomised(self.model, parts, join(self.shots.known), seed=SEED)
                after, _ = self.attribute(method, numbers, first, model=model)
                rows[f"signed, {stage}"] = rank_correlation(before, after)
                rows[f"absolute, {stage}"] = rank_correlation(before.abs(), after.abs())
            return rows

        return compute

    def _bare(self, numbers: Tensor) -> float:
        """Time of one forward and backward pass of photographs, the shorter of two; one before them warms up."""
        points = join(self.shots.values(numbers))
        target = self.shots.predicted[numbers].to(points.device)[:, None]
        spent = []
        with quiet(self.model):
            for _ in range(3):
                inputs = points.clone().requires_grad_()
                start = _now(points.device)
                with torch.enable_grad(), precision(points, self.autocast):
                    score = self.model(inputs).float().log_softmax(1).gather(1, target).sum()
                torch.autograd.grad(score, inputs)
                spent.append(_now(points.device) - start)
        return min(spent[1:])


def _now(device) -> float:
    """A clock, in seconds: on a CPU the process's own, whatever else the machine does."""
    if torch.device(device).type == "cpu":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def _no_curves() -> dict[str, Tensor]:
    return {f"{kind}, {change}": torch.empty(0, len(SHARES)) for kind in CURVES for change in CHANGES}


def _padded(rows: dict[str, Tensor], n: int) -> dict[str, Tensor]:
    """Rows of the first inputs of a chunk, with NaN for the others, ``(n, ...)`` float64."""
    found = {}
    for name, values in rows.items():
        found[name] = torch.full((n, *values.shape[1:]), torch.nan, dtype=torch.float64)
        found[name][: len(values)] = values
    return found


# ---------------------------------------------------------------------------------------------------------------
# The result
# ---------------------------------------------------------------------------------------------------------------


def _summary(work: _Work, done: dict[str, dict], looked: dict, size: dict[str, int]) -> dict:
    shots, few = work.shots, {name: size[name] for name in ("curves", "agreement")}
    reference = done.get(REFERENCE, {})

    def compared(method: str, get: Callable[[dict], Tensor]) -> dict:
        """An interval, and that of the paired differences from the reference."""
        values = get(done[method])
        if method == REFERENCE or not reference:
            return _interval(values)
        return _interval(values) | {f"less {REFERENCE}": _interval(values - get(reference))}

    share = torch.tensor(SHARES, dtype=torch.float64)
    share = (share * BLOCKS**2).round() / BLOCKS**2  # whole blocks
    methods = {}
    for method, rows in done.items():
        found = {
            name: {form: compared(method, lambda r, k=f"{name}, {form}": r[k]) for form in FORMS}
            for name in ("entropy", "spread", "half area")
        }
        for name in BORDERS:
            if size[name]:
                crowded = rows[name] >= rows[f"{name}, area"]
                found[name] = compared(method, lambda r, k=name: r[k]) | {"at least its part": int(crowded.sum())}
        for kind in CURVES:
            found[kind] = {
                change: _curve(share, rows[k][: few["curves"]])
                | {"area": compared(method, lambda r, k=k: Curves(share, r[k][: few["curves"]]).area())}
                for change in CHANGES
                for k in [f"{kind}, {change}"]
            }
        if is_stochastic(method):
            found["agreement"] = {form: _interval(rows[f"agreement, {form}"][: few["agreement"]]) for form in FORMS}
        if method != "random":
            found["sanity"] = {
                stage: {form: _interval(rows[f"{form}, {stage}"]) for form in ("signed", "absolute")}
                for stage in STAGES
            }
            times = rows["cost"][: size["cost"]]  # one for each chunk, so there is no interval over photographs
            found["cost"] = {
                name: round(value.item(), 2)
                for name, value in (("mean", times.mean()), ("least", times.min()), ("most", times.max()))
            }
        gap = rows["gap"][~rows["gap"].isnan()]
        if len(gap):
            found["gap"] = {"mean": round(gap.mean().item(), 5), "largest": round(gap.max().item(), 5)}
        methods[method] = found | {"evaluations": evaluations(method, METHODS)}
    files = imagenette._files("val")
    figure = {}
    for number in shots.chosen.tolist():  # the first of each class
        name = imagenette.CLASSES[shots.data.labels[number]]
        figure.setdefault(name, {"number": number, "file": files[number].name})
    area, black = looked["border area"] > 0, looked["black"] > 0
    some = next(iter(done.values()))
    return {
        "model": work.name,
        "photographs": {
            "validation": len(shots.data),
            "right": len(shots.chosen),
            "numbers": shots.chosen[: size["photographs"]].tolist(),
        },
        "borders": {
            name: {
                "validation": int(kind.sum()),
                "right": len(shots.bordered[name]),
                "numbers": shots.bordered[name][: size[name]].tolist(),
                "area": _interval(some[f"{name}, area"]) if size[name] else None,
            }
            for name, kind in zip(BORDERS, (black, area & ~black), strict=True)
        },
        "figure": {name: figure[name] for name in imagenette.CLASSES if name in figure},
        "methods": methods,
        "settings": {
            "photographs": size,
            "methods": METHODS,
            "precision": "float32" if work.autocast is None else "bfloat16; which are right: float32",
            "output": "probability of the predicted class",
            "colours": "added up",
            "side": shots.size,
            "EG's data": f"{len(shots.samples) if 'EG' in done else SAMPLES} training photographs",
            "blur": {"maps": BLUR, "photographs": LOST, "unit": "sides"},
            "blocks": BLOCKS,
            "stages": tuple(STAGES),
            "cost": "time of a map over that of one forward and backward pass, in one process",
            "interval": "95 %, bootstrap over photographs",
        },
        "paper": PAPER,
        "weights": {work.name: work.weights},
    }


def _curve(share: Tensor, output: Tensor) -> dict:
    points = [_interval(column) for column in output.T]
    names = ("mean", "low", "high")
    shares = [round(value, 5) for value in share.tolist()]
    return {"share": shares, "probability": {name: [point[name] for point in points] for name in names}}


def _interval(values: Tensor) -> dict:
    """Mean and interval, to five digits; null where there is no value."""
    if bool(values.isnan().all()):
        return {"mean": None, "low": None, "high": None, "n": 0}
    found = mean_interval(values)._asdict()
    return {name: round(value, 5) if name != "n" else value for name, value in found.items()}
