"""What is computed of MNIST and of MNIST in Space: rows of numbers, one for each digit, that are kept."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from icg import baselines
from icg.attribution import gradient, integrated_gradients
from icg.certainty import join
from icg.damage import meaningless
from icg.deletion import deletion_curves, insertion_curves, ranking, without_certainty
from icg.measures import dilate, mass_share, probabilities
from icg_book.kit.contenders import attribution_map
from icg_book.kit.jobs import Job
from icg_book.scenarios import mnist, mnist_in_space

SEED = 2022
CHUNK = 20  # digits between two saves
PARTS = {"mnist": "mnist", "space": "mnist-in-space"}  # the network of each part

# Where each method's time goes: steps on a path, paths (or draws, or noisy copies) of an input, the noise's standard
# deviation. "random" is the control: a map of noise, so a random order.
METHODS = {
    "gradient": {},
    "SmoothGrad": {"draws": 100, "noise": 0.15},
    "zero IG": {"steps": 100},
    "middle IG": {"steps": 50},
    "mean IG": {"steps": 50},
    "AGN": {"steps": 4, "draws": 50, "noise": 0.1},
    "EG": {"draws": 256},
    "ICG": {"steps": 100},
    "ICG, noise averaged": {"steps": 20, "draws": 5, "noise": 0.1},
    "random": {},
}
IN_SPACE = ("zero IG", "mean IG", "AGN", "EG", "ICG")
BF16 = {  # maps in mixed precision, where most of the time goes; it changes them less than the number of steps does
    "mnist": ("SmoothGrad", "AGN", "EG", "ICG", "ICG, noise averaged"),
    "space": IN_SPACE,
}
# Pixels changed at each point of a curve: one in five at first, as far as the authors went, then ever fewer.
PIXELS = (*range(0, 61, 5), 80, 110, 150, 200, 280, 400, 560, 784)
FLIPS = 60  # of the authors' experiment
CURVES = {"deletion": deletion_curves, "insertion": insertion_curves}
CHANGES = ("values", "certainty")
N = {"mnist": 1000, "curves": 500, "band": 300, "absence": 1000, "space": 300}  # digits
BAND = slice(12, 20)  # rows of the authors' test of absence
BAND_STEPS = 64
SPACE_DATA = 10_000  # training digits on the left, for EG
SLOPES = ("probability", "logit")  # outputs whose slope over values is measured at certainty 0 and 1 (equation 2)
BRIGHT = 0.05  # of the mean image's maximum: what counts as noticeably bright


def attribute(method: str, model, inputs: Tensor, **options) -> tuple[Tensor, Tensor | None]:
    """One of :data:`METHODS`; see :func:`icg_book.kit.contenders.attribution_map`."""
    return attribution_map(METHODS, method, model, inputs, **options)


class PartJob(Job):
    """Work on the first ``n`` digits of a part.

    Attributes:
        method: whose it is; None for what concerns the network alone.
    """

    def __init__(self, part: str, label: str, method: str | None, n: int, key: dict, compute: Callable):
        super().__init__(f"mnist, {part}, {label}", n, {"seed": SEED, **key}, compute, chunk=CHUNK)
        self.part, self.label, self.method = part, label, method


class Digits:
    """Test digits of a part, and its training distribution; read from the disk at first use, once."""

    def __init__(self, part: str):
        self.part = part

    @cached_property
    def inputs(self) -> Tensor:
        """Joined test digits in a random order, as many as any measure needs."""
        data = mnist.load("test")
        images = data.images[mnist.shuffled(len(data), SEED)][: max(N.values())]
        if self.part == "space":
            images = mnist_in_space.scatter(images, "right", generator=torch.Generator().manual_seed(SEED))
        return join(images)

    @cached_property
    def training(self) -> tuple[Tensor, Tensor, Tensor]:
        """Images for EG, the mean of all, and the share of each class."""
        data = mnist.load("train")
        shares = torch.bincount(data.labels, minlength=10).double() / len(data)
        if self.part == "mnist":
            return data.images, data.images.mean(0, keepdim=True), shares
        data = data[mnist.shuffled(len(data), SEED)]
        generator = torch.Generator().manual_seed(SEED)
        total, kept = 0.0, []
        for part in data.images.split(SPACE_DATA):
            placed = mnist_in_space.scatter(part, "left", generator=generator)
            kept = kept if len(kept) else placed
            total = total + placed.sum(0, keepdim=True)
        return kept, total / len(data), shares

    @property
    def samples(self) -> Tensor:
        return self.training[0]

    @property
    def mean(self) -> Tensor:
        return self.training[1]


def jobs(part: str, model, weights: str, size: dict[str, int], folder: Path) -> list[PartJob]:
    """Everything that is to be done for a part, in an order in which all that a job needs comes before it."""
    data = Digits(part)
    found = [PartJob(part, "statistics", None, 1, {}, lambda *_: _statistics(data))]
    if part == "mnist":
        found.append(
            PartJob(
                part, "absence", None, size["absence"], {"weights": weights, "slopes": SLOPES}, _absence(model, data)
            )
        )
        key = {"weights": weights, "rows": [BAND.start, BAND.stop], "steps": BAND_STEPS}
        found.append(PartJob(part, "band", None, size["band"], key, _band(model, data)))
    else:
        found.append(PartJob(part, "regions", None, size["space"], {"bright": BRIGHT}, _regions(data)))
    for method in METHODS if part == "mnist" else IN_SPACE:
        autocast = torch.bfloat16 if method in BF16[part] else None
        key = {"weights": weights, "settings": METHODS[method], "precision": str(autocast)}
        maps = PartJob(part, method, method, size[part], key, _maps(part, method, model, data, autocast))
        found.append(maps)
        if part == "mnist":
            key |= {"pixels": PIXELS}
            compute = _curves(maps, folder, model, data)
            found.append(PartJob(part, f"{method}, curves", method, size["curves"], key, compute))
    return found


def _predicted(model, inputs: Tensor) -> Tensor:
    return probabilities(model, inputs[:, :-1]).argmax(1)


def _generator(part: str, first: int) -> torch.Generator:
    return torch.Generator().manual_seed((SEED * 2 + list(PARTS).index(part)) * 1_000_003 + first)


def _maps(part, method, model, data, autocast):
    def compute(first, last):
        inputs = data.inputs[first:last]
        maps, gap = attribute(
            method,
            model,
            inputs,
            target=_predicted(model, inputs),
            data=data,
            generator=_generator(part, first),
            autocast=autocast,
        )
        gap = torch.full((last - first,), torch.nan, dtype=torch.float64) if gap is None else gap.abs()
        zero = inputs[:, :1] == 0
        blindness, zeros = mass_share(maps, zero), zero.double().flatten(1).mean(1)
        return {"maps": maps.float(), "gap": gap, "blindness": blindness, "zeros": zeros}

    return compute


def _curves(maps: PartJob, folder: Path, model, data):
    def compute(first, last):
        inputs = data.inputs[first:last]
        rows = maps.saved(folder)
        rank = ranking(rows["maps"][first:last], generator=_generator("mnist", first))
        flipped = baselines.maximum_distance().starts(inputs[:, :1])[0]
        changed = {"values": join(flipped), "certainty": without_certainty(inputs)}
        shares = [pixels / PIXELS[-1] for pixels in PIXELS]
        return {
            f"{kind}, {change}": curves(model, inputs, changed[change], rank, shares=shares).output
            for kind, curves in CURVES.items()
            for change in CHANGES
        }

    return compute


def _band(model, data):
    def compute(first, last):
        inputs = data.inputs[first:last]
        options = {"target": _predicted(model, inputs), "n_steps": BAND_STEPS, "autocast": torch.bfloat16}
        band = torch.zeros_like(inputs[:, :1], dtype=torch.bool)
        band[:, :, BAND] = True
        masked = join(inputs[:, :1], torch.where(band, 0.0, inputs[:, 1:]))
        found = {}
        for name, points in (("masked", masked), ("unmasked", inputs)):
            maps = {
                baseline: integrated_gradients(model, points, value, dtype=torch.float64, **options)[:, :1]
                for baseline, value in (("zero", 0.0), ("one", 1.0))
            }
            maps["both"] = maps["zero"] + maps["one"]
            found |= {f"{baseline}, {name}": mass_share(values, band) for baseline, values in maps.items()}
        return found

    return compute


def _absence(model, data):
    def compute(first, last):
        inputs = data.inputs[first:last]
        values, target = inputs[:, :1], _predicted(model, inputs)
        generator = _generator("mnist", first)
        strange = meaningless(values, generator=generator)
        # The left half at certainty 0, and what it shows swapped for another digit's.
        certainty = torch.ones_like(values)
        half = values.shape[-1] // 2
        certainty[..., :half] = 0
        swapped = values.clone()
        swapped[..., :half] = data.inputs[:, :1][(torch.arange(first, last) + 1) % len(data.inputs)][..., :half]
        own, other = probabilities(model, values, certainty), probabilities(model, swapped, certainty)
        slopes = {}
        for output in SLOPES:
            for c in (0, 1):
                found = gradient(model, join(values, float(c)), target=target, output=output, dtype=torch.float64)
                slopes[f"{output} at {c}"] = found[:, :1].abs().flatten(1).sum(1)
        return slopes | {
            "digits": probabilities(model, values, 0.0).double(),
            "meaningless": probabilities(model, strange, 0.0).double(),
            "half": (own - other).gather(1, target[:, None]).squeeze(1).abs().double(),
            "half changes the answer": (own.argmax(1) != other.argmax(1)).double(),
        }

    return compute


def _regions(data):
    def compute(first, last):
        ink = dilate(data.inputs[first:last, :1] > 0)
        return {"ghost": (data.mean > BRIGHT * data.mean.max()) & ~ink, "ink": ink}

    return compute


def _statistics(data):
    return {"mean image": data.mean[0], "shares": data.training[2][None]}
