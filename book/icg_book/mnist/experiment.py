"""MNIST and MNIST in Space in numbers, where the paper has pictures and words (A.3.1, A.4.2, figures 7, 10 and 11).

On MNIST, for the class that the network predicts: what share of an attribution lies on pixels that are exactly 0
(*baseline blindness*), deletion and insertion curves, how much the methods agree, and what the network makes of
certainty 0. On MNIST in Space, with digits on the right, where training had none: what share lies where the training
set is bright and the digit is not (the *ghost*).
"""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity
from tqdm.auto import tqdm

from icg import baselines
from icg.artifacts import ArtifactError, load_card, load_model
from icg.attribution import gradient, integrated_gradients
from icg.certainty import join
from icg.damage import meaningless
from icg.deletion import Curves, deletion_curves, insertion_curves, ranking, without_certainty
from icg.measures import dilate, mass_share, probabilities, rank_correlation
from icg_book.kit.contenders import attribution_map, evaluations
from icg_book.kit.intervals import mean_interval
from icg_book.kit.jobs import Job
from icg_book.kit.records import provenance, write_result
from icg_book.scenarios import mnist, mnist_in_space

NAME = "mnist"
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
SHORT = {"noise averaged": "ICG, noise averaged"}  # for lists with commas
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
PAPER = {
    "zero IG": "strong baseline blindness: only the digit itself is attributed, not the space around it",
    "mean baseline, EG": "do not mark what lies outside the region where the data vary; AGN and the middle baseline do",
    "ICG": "an intermediate between the methods that know the distribution and those that do not",
    "EG in Space": "more sharply defined because of baseline blindness; a faint shadow of the training distribution",
    "AGN, ICG in Space": "no shadow",
    "absence": "an obvious suppression of attribution where certainty is 0, from zero and from one baselines",
    "neutrality": "at certainty 0 the mean prediction should be the share of each class",
}


def attribute(
    method: str, model, inputs: Tensor, *, target: Tensor, data, generator=None, autocast: torch.dtype | None = None
) -> tuple[Tensor, Tensor | None]:
    """One of :data:`METHODS` for joined ``inputs`` ``(N, 2, H, W)`` and classes ``target`` ``(N,)``; probability.

    Args:
        data: has ``images`` ``(K, 1, H, W)`` for EG, and their ``mean`` ``(1, 1, H, W)``.

    Returns:
        A map ``(N, 1, H, W)`` float64: of the values (what gradients say of the certainty channel is left out), for ICG
        of the certainty; and the distance from completeness ``(N,)`` of single paths and their averages, else None.
    """
    return attribution_map(
        method,
        METHODS,
        model,
        inputs,
        target=target,
        samples=lambda: data.images,
        mean=lambda: data.mean,
        generator=generator,
        autocast=autocast,
    )


def run(
    *,
    data_folder: Path,
    work_folder: Path,
    n: int | None = None,
    parts: tuple[str, ...] | None = None,
    methods: tuple[str, ...] | None = None,
    command: str = "",
    progress: bool = True,
) -> Path:
    """Run the experiment, or go on with it, and write ``results/mnist.json``.

    Every 20 digits what is done is saved in ``work_folder``, tied to weights and settings; a run that was stopped goes
    on from there, and one over more digits begins with the same ones. Several processes can share the work by parts or
    methods: each writes a result of everything that is complete by then, so whoever ends last writes all of it.

    Args:
        n: test digits of each measure, at most as many as :data:`N` says.
        parts: "mnist", "space" or both. If not given, those whose network is there.
        methods: only these of :data:`METHODS`.

    Returns:
        The result's path.

    Raises:
        ValueError: too few digits, unknown parts or methods; MNIST can't be had.
        ArtifactError: the weights aren't there.
    """
    if n is not None and n < 2:
        raise ValueError(f"expected n >= 2 digits, got {n}")
    size = {name: most if n is None else min(n, most) for name, most in N.items()}
    methods = tuple(METHODS) if methods is None else tuple(SHORT.get(name, name) for name in methods)
    for what, given, known in (("parts", parts or (), PARTS), ("methods", methods, METHODS)):
        if unknown := [name for name in given if name not in known]:
            raise ValueError(f"expected {what} among {', '.join(known)}, got {', '.join(unknown)}")
    models, missing = {}, {}
    for part, name in PARTS.items():
        try:
            model = load_model(name).to(memory_format=torch.channels_last)  # a third less time in mixed precision
            models[part] = (model, load_card(name)["sha256"])
        except ArtifactError as error:
            missing[part] = error
    for part, error in missing.items():
        if part in (parts or ()) or not models:
            raise error
        print(f"without {part}: {error} (python -m icg train {PARTS[part]})")
    work_folder = Path(work_folder)
    jobs = [job for part, (model, weights) in models.items() for job in _jobs(part, model, weights, size, work_folder)]
    mine = [job for job in jobs if job.part in (parts or PARTS) and job.method in (*methods, None)]
    with tqdm(total=sum(job.n for job in mine), disable=not progress, unit="map") as bar:
        for job in mine:
            bar.set_postfix_str(f"{job.part}, {job.label}")
            job.work(work_folder, bar)
    done = {(job.part, job.label): rows for job in jobs if (rows := job.done(work_folder)) is not None}
    result = {part: content for part in PARTS if (content := _SUMMARIES[part](done))}
    if not result:
        raise ValueError("nothing is complete yet")
    settings = {
        "test digits": size,
        "methods": METHODS,
        "precision": {"bfloat16": BF16 | {"mnist": [*BF16["mnist"], "band"]}, "float32": "all else"},
        "output": "probability of the predicted class",
        "EG's data": {"mnist": "the training set", "space": f"{SPACE_DATA:,} training digits on the left"},
        "band": {"rows": [BAND.start, BAND.stop - 1], "steps": BAND_STEPS},
        "bright": BRIGHT,
        "flips": FLIPS,
        "interval": "95 %, bootstrap over digits",
    }
    content = {
        **result,
        "settings": settings,
        "paper": PAPER,
        "weights": {PARTS[part]: weights for part, (_, weights) in models.items() if part in result},
        **provenance(command, SEED),
    }
    return write_result(NAME, content, data_folder)


# ---------------------------------------------------------------------------------------------------------------
# The work: rows of numbers, one for each digit, that are kept
# ---------------------------------------------------------------------------------------------------------------


class _Job(Job):
    """Work on the first ``n`` digits of a part.

    Attributes:
        method: whose it is; None for what concerns the network alone.
    """

    def __init__(self, part: str, label: str, method: str | None, n: int, key: dict, compute: Callable):
        super().__init__(f"{NAME}, {part}, {label}", n, {"seed": SEED, **key}, compute, chunk=CHUNK)
        self.part, self.label, self.method = part, label, method


class _Digits:
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
    def images(self) -> Tensor:
        return self.training[0]

    @property
    def mean(self) -> Tensor:
        return self.training[1]


def _jobs(part: str, model, weights: str, size: dict[str, int], folder: Path) -> list[_Job]:
    """Everything that is to be done for a part, in an order in which all that a job needs comes before it."""
    data = _Digits(part)
    jobs = [_Job(part, "statistics", None, 1, {}, lambda *_: _statistics(data))]
    if part == "mnist":
        jobs.append(
            _Job(part, "absence", None, size["absence"], {"weights": weights, "slopes": SLOPES}, _absence(model, data))
        )
        key = {"weights": weights, "rows": [BAND.start, BAND.stop], "steps": BAND_STEPS}
        jobs.append(_Job(part, "band", None, size["band"], key, _band(model, data)))
    else:
        jobs.append(_Job(part, "regions", None, size["space"], {"bright": BRIGHT}, _regions(data)))
    for method in METHODS if part == "mnist" else IN_SPACE:
        autocast = torch.bfloat16 if method in BF16[part] else None
        key = {"weights": weights, "settings": METHODS[method], "precision": str(autocast)}
        maps = _Job(part, method, method, size[part], key, _maps(part, method, model, data, autocast))
        jobs.append(maps)
        if part == "mnist":
            key |= {"pixels": PIXELS}
            compute = _curves(maps, folder, model, data)
            jobs.append(_Job(part, f"{method}, curves", method, size["curves"], key, compute))
    return jobs


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
            data=data if method in ("mean IG", "EG") else None,
            generator=_generator(part, first),
            autocast=autocast,
        )
        gap = torch.full((last - first,), torch.nan, dtype=torch.float64) if gap is None else gap.abs()
        zero = inputs[:, :1] == 0
        blindness, zeros = mass_share(maps, zero), zero.double().flatten(1).mean(1)
        return {"maps": maps.float(), "gap": gap, "blindness": blindness, "zeros": zeros}

    return compute


def _curves(maps: _Job, folder: Path, model, data):
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


# ---------------------------------------------------------------------------------------------------------------
# The result
# ---------------------------------------------------------------------------------------------------------------


def _mnist(done: dict) -> dict:
    rows = {name: content for (part, name), content in done.items() if part == "mnist"}
    complete = [method for method in METHODS if method in rows and f"{method}, curves" in rows]
    if not complete or not {"band", "absence", "statistics"} <= rows.keys():
        return {}
    share = torch.tensor(PIXELS, dtype=torch.float64) / PIXELS[-1]
    heights = {
        (method, name): _areas(share, rows[f"{method}, curves"][name])
        for method in complete
        for name in (f"{kind}, {change}" for kind in CURVES for change in CHANGES)
    }
    methods = {}
    for method in complete:
        found = {"blindness": _interval(rows[method]["blindness"])}
        for kind in CURVES:
            found[kind] = {}
            for change in CHANGES:
                name = f"{kind}, {change}"
                whole, early = heights[method, name]
                curve = _curve(share, rows[f"{method}, curves"][name])
                curve |= {"area": _interval(whole), f"area, first {FLIPS} pixels": _interval(early)}
                if "ICG" in complete and method != "ICG":
                    curve["area less ICG's"] = _interval(whole - heights["ICG", name][0])
                found[kind][change] = curve
        methods[method] = found | _cost(method, rows[method])
    absence = rows["absence"]
    p = torch.cat([absence["digits"], absence["meaningless"]])
    mean, shares = absence["digits"].mean(0), rows["statistics"]["shares"][0]
    return {
        "methods": methods,
        "zero pixels": _interval(rows[complete[0]]["zeros"]),
        "rank correlation": _matrix(complete, rows, rank_correlation),
        "cosine": _matrix(complete, rows, lambda a, b: cosine_similarity(a.flatten(1), b.flatten(1), eps=0)),
        "band": {
            baseline: {name: _interval(rows["band"][f"{baseline}, {name}"]) for name in ("masked", "unmasked")}
            for baseline in ("zero", "one", "both")
        },
        "absence": {
            "sd": p.std(0).mean().item(),
            "max": (p.amax(0) - p.amin(0)).max().item(),
            "inputs": len(p),
            "digits": {"sd": absence["digits"].std(0).mean().item(), "max": _spread(absence["digits"])},
            "half swapped": {
                "mean": _interval(absence["half"]),
                "max": absence["half"].max().item(),
                "changed answers": absence["half changes the answer"].mean().item(),
            },
            "slope": {output: {c: _interval(absence[f"{output} at {c}"]) for c in ("0", "1")} for output in SLOPES},
        },
        "neutrality": {
            "largest": (mean - mnist.PRIOR.double()).abs().max().item(),
            "largest from shares": (mean - shares).abs().max().item(),
            "mean probabilities": _rounded(mean),
            "shares": _rounded(shares),
        },
        "mean image": _rounded(rows["statistics"]["mean image"][0], 3),
    }


def _space(done: dict) -> dict:
    rows = {name: content for (part, name), content in done.items() if part == "space"}
    complete = [method for method in IN_SPACE if method in rows]
    if not complete or not {"regions", "statistics"} <= rows.keys():
        return {}
    ghost, ink = rows["regions"]["ghost"], rows["regions"]["ink"]
    mean = rows["statistics"]["mean image"]
    left = torch.zeros_like(ink)
    left[..., : left.shape[-1] // 2] = True
    shadow = mean[..., : left.shape[-1] // 2].expand(len(ink), 1, -1, -1)
    rest = left & ~ghost & ~ink
    methods, ghosts = {}, {}
    for method in complete:
        maps = rows[method]["maps"]
        ghosts[method] = mass_share(maps, ghost)
        methods[method] = {
            "ghost": _interval(ghosts[method]),
            "ghost against the rest": _ratio(_density(maps, ghost), _density(maps, rest)),
            "left share": _interval(mass_share(maps, left)),
            "ink share": _interval(mass_share(maps, ink)),
            "shadow": _interval(rank_correlation(maps[..., : left.shape[-1] // 2].abs(), shadow)),
            **_cost(method, rows[method]),
        }
    pairs = [(a, b) for a in complete for b in complete if a != b and b in ("ICG", "AGN") and a != "ICG"]
    return {
        "placement": "right",
        "methods": methods,
        "differences": {f"{a} - {b}": _interval(ghosts[a] - ghosts[b]) for a, b in pairs},
        "area": {
            "ghost": _interval(ghost.double().flatten(1).mean(1)),
            "rest": _interval(rest.double().flatten(1).mean(1)),
            "ink": _interval(ink.double().flatten(1).mean(1)),
        },
        "mean image": _rounded(mean[0], 3),
    }


_SUMMARIES = {"mnist": _mnist, "space": _space}


def _cost(method: str, rows: dict) -> dict:
    gap = rows["gap"][~rows["gap"].isnan()]
    found = {"gap": {"mean": gap.mean().item(), "largest": gap.max().item()}} if len(gap) else {}
    return found | {"evaluations": evaluations(method, METHODS)}


def _areas(share: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
    curves = Curves(share, output)
    return curves.area(), curves.area(FLIPS / PIXELS[-1])


def _curve(share: Tensor, output: Tensor) -> dict:
    points = [_interval(column) for column in output.T]
    names = ("mean", "low", "high")
    return {"share": _rounded(share), "probability": {name: [p[name] for p in points] for name in names}}


def _matrix(methods: list[str], rows: dict, measure: Callable) -> dict:
    """A measure of agreement of every two methods' maps, with intervals."""
    maps = {method: rows[method]["maps"].double() for method in methods}
    table = {name: [[1.0] * len(methods) for _ in methods] for name in ("mean", "low", "high")}
    for i, a in enumerate(methods):
        for j, b in enumerate(methods[:i]):
            found = _interval(measure(maps[a], maps[b]))
            for name in table:
                table[name][i][j] = table[name][j][i] = found[name]
    return {"methods": methods, **table}


def _spread(p: Tensor) -> float:
    return (p.amax(0) - p.amin(0)).max().item()


def _interval(values: Tensor) -> dict:
    """Mean and interval, to five digits; null where there is no value."""
    if bool(values.isnan().all()):
        return {"mean": None, "low": None, "high": None, "n": 0}
    found = mean_interval(values)._asdict()
    return {name: round(value, 5) if name != "n" else value for name, value in found.items()}


def _density(maps: Tensor, mask: Tensor) -> Tensor:
    """Share of the absolute attribution inside a mask, per share of the area: 1 if it were spread evenly."""
    return mass_share(maps, mask) / mask.double().flatten(1).mean(1)


def _ratio(a: Tensor, b: Tensor) -> dict:
    """Ratio of the means of paired values, with a 95 % bootstrap interval; null if too few have anything in ``b``."""
    drawn = torch.randint(len(a), (2000, len(a)), generator=torch.Generator().manual_seed(0))
    over, under = a[drawn].mean(1), b[drawn].mean(1)
    if not bool((under > 0).all()):
        return {"mean": None, "low": None, "high": None, "n": 0}
    low, high = (over / under).quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return {"mean": round((a.mean() / b.mean()).item(), 5), "low": round(low, 5), "high": round(high, 5), "n": len(a)}


def _rounded(values: Tensor, digits: int = 5):
    values = values.double()
    return [_rounded(row, digits) for row in values] if values.ndim > 1 else [round(v, digits) for v in values.tolist()]
