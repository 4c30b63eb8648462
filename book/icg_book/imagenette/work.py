"""What is computed of photographs: rows of numbers, one for each, that are kept."""

import time
from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from icg.certainty import join
from icg.deletion import deletion_curves, insertion_curves, ranking, without_certainty
from icg.measures import mass_share, probabilities, rank_correlation
from icg.question import precision, quiet
from icg_book.imagenette.localisation import blurred, borders, entropy, half_area, spread
from icg_book.imagenette.sanity import randomised
from icg_book.kit.contenders import attribution_map
from icg_book.kit.jobs import Job
from icg_book.kit.pictures import resize
from icg_book.scenarios import imagenette

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


def attribute(method: str, model, inputs: Tensor, **options) -> tuple[Tensor, Tensor | None]:
    """One of :data:`METHODS`; see :func:`icg_book.kit.contenders.attribution_map`."""
    return attribution_map(METHODS, method, model, inputs, **options)


def is_stochastic(method: str) -> bool:
    """Whether a method's map depends on what it draws."""
    return method == "random" or "draws" in METHODS[method]


def order(n: int, seed: int = SEED) -> Tensor:
    """The validation photographs in a seed's order, ``(n,)``."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))


class Shots:
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
        return resize(self.data.images[numbers].to(self.device), self.size)

    @cached_property
    def samples(self) -> Tensor:
        """Training photographs drawn for EG."""
        some = order(len(self.training))[:SAMPLES]
        parts = [resize(self.training.images[part].to(self.device), self.size) for part in some.split(100)]
        return torch.cat(parts)

    @cached_property
    def known(self) -> Tensor:
        """A few training photographs."""
        some = order(len(self.training))[:KNOWN]
        return resize(self.training.images[some].to(self.device), self.size)

    @cached_property
    def mean(self) -> Tensor:
        """The mean of all training photographs."""
        parts = self.training.images.split(500)
        mean = sum(part.double().sum(0, keepdim=True) for part in parts) / len(self.training)
        return resize(mean.to(self.device), self.size)


class Work:
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
