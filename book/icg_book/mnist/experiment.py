"""MNIST and MNIST in Space in numbers, where the paper has pictures and words (A.3.1, A.4.2, figures 7, 10 and 11).

On MNIST, for the class that the network predicts: what share of an attribution lies on pixels that are exactly 0
(*baseline blindness*), deletion and insertion curves, how much the methods agree, and what the network makes of
certainty 0. On MNIST in Space, with digits on the right, where training had none: what share lies where the training
set is bright and the digit is not (the *ghost*).
"""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity
from tqdm.auto import tqdm

from icg.artifacts import ArtifactError, load_card, load_model
from icg.deletion import Curves
from icg.measures import mass_share, rank_correlation
from icg_book.kit.contenders import evaluations
from icg_book.kit.intervals import mean_curve, rounded_interval
from icg_book.kit.records import provenance, write_result
from icg_book.mnist.work import (
    BAND,
    BAND_STEPS,
    BF16,
    BRIGHT,
    CHANGES,
    CURVES,
    FLIPS,
    IN_SPACE,
    METHODS,
    PARTS,
    PIXELS,
    SEED,
    SLOPES,
    SPACE_DATA,
    N,
    jobs,
)
from icg_book.scenarios import mnist

NAME = "mnist"
SHORT = {"noise averaged": "ICG, noise averaged"}  # for lists with commas
PAPER = {
    "zero IG": "strong baseline blindness: only the digit itself is attributed, not the space around it",
    "mean baseline, EG": "do not mark what lies outside the region where the data vary; AGN and the middle baseline do",
    "ICG": "an intermediate between the methods that know the distribution and those that do not",
    "EG in Space": "more sharply defined because of baseline blindness; a faint shadow of the training distribution",
    "AGN, ICG in Space": "no shadow",
    "absence": "an obvious suppression of attribution where certainty is 0, from zero and from one baselines",
    "neutrality": "at certainty 0 the mean prediction should be the share of each class",
}


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
    everything = [
        job for part, (model, weights) in models.items() for job in jobs(part, model, weights, size, work_folder)
    ]
    mine = [job for job in everything if job.part in (parts or PARTS) and job.method in (*methods, None)]
    with tqdm(total=sum(job.n for job in mine), disable=not progress, unit="map") as bar:
        for job in mine:
            bar.set_postfix_str(f"{job.part}, {job.label}")
            job.work(work_folder, bar)
    done = {(job.part, job.label): rows for job in everything if (rows := job.done(work_folder)) is not None}
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
        found = {"blindness": rounded_interval(rows[method]["blindness"])}
        for kind in CURVES:
            found[kind] = {}
            for change in CHANGES:
                name = f"{kind}, {change}"
                whole, early = heights[method, name]
                curve = mean_curve(share, rows[f"{method}, curves"][name])
                curve |= {"area": rounded_interval(whole), f"area, first {FLIPS} pixels": rounded_interval(early)}
                if "ICG" in complete and method != "ICG":
                    curve["area less ICG's"] = rounded_interval(whole - heights["ICG", name][0])
                found[kind][change] = curve
        methods[method] = found | _cost(method, rows[method])
    absence = rows["absence"]
    p = torch.cat([absence["digits"], absence["meaningless"]])
    mean, shares = absence["digits"].mean(0), rows["statistics"]["shares"][0]
    return {
        "methods": methods,
        "zero pixels": rounded_interval(rows[complete[0]]["zeros"]),
        "rank correlation": _matrix(complete, rows, rank_correlation),
        "cosine": _matrix(complete, rows, lambda a, b: cosine_similarity(a.flatten(1), b.flatten(1), eps=0)),
        "band": {
            baseline: {name: rounded_interval(rows["band"][f"{baseline}, {name}"]) for name in ("masked", "unmasked")}
            for baseline in ("zero", "one", "both")
        },
        "absence": {
            "sd": p.std(0).mean().item(),
            "max": (p.amax(0) - p.amin(0)).max().item(),
            "inputs": len(p),
            "digits": {"sd": absence["digits"].std(0).mean().item(), "max": _spread(absence["digits"])},
            "half swapped": {
                "mean": rounded_interval(absence["half"]),
                "max": absence["half"].max().item(),
                "changed answers": absence["half changes the answer"].mean().item(),
            },
            "slope": {
                output: {c: rounded_interval(absence[f"{output} at {c}"]) for c in ("0", "1")} for output in SLOPES
            },
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
            "ghost": rounded_interval(ghosts[method]),
            "ghost against the rest": _ratio(_density(maps, ghost), _density(maps, rest)),
            "left share": rounded_interval(mass_share(maps, left)),
            "ink share": rounded_interval(mass_share(maps, ink)),
            "shadow": rounded_interval(rank_correlation(maps[..., : left.shape[-1] // 2].abs(), shadow)),
            **_cost(method, rows[method]),
        }
    pairs = [(a, b) for a in complete for b in complete if a != b and b in ("ICG", "AGN") and a != "ICG"]
    return {
        "placement": "right",
        "methods": methods,
        "differences": {f"{a} - {b}": rounded_interval(ghosts[a] - ghosts[b]) for a, b in pairs},
        "area": {
            "ghost": rounded_interval(ghost.double().flatten(1).mean(1)),
            "rest": rounded_interval(rest.double().flatten(1).mean(1)),
            "ink": rounded_interval(ink.double().flatten(1).mean(1)),
        },
        "mean image": _rounded(mean[0], 3),
    }


_SUMMARIES = {"mnist": _mnist, "space": _space}


def _cost(method: str, rows: dict) -> dict:
    gap = rows["gap"][~rows["gap"].isnan()]
    found = {"gap": {"mean": gap.mean().item(), "largest": gap.max().item()}} if len(gap) else {}
    return found | {"evaluations": evaluations(method, METHODS[method])}


def _areas(share: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
    curves = Curves(share, output)
    return curves.area(), curves.area(FLIPS / PIXELS[-1])


def _matrix(methods: list[str], rows: dict, measure: Callable) -> dict:
    """A measure of agreement of every two methods' maps, with intervals."""
    maps = {method: rows[method]["maps"].double() for method in methods}
    table = {name: [[1.0] * len(methods) for _ in methods] for name in ("mean", "low", "high")}
    for i, a in enumerate(methods):
        for j, b in enumerate(methods[:i]):
            found = rounded_interval(measure(maps[a], maps[b]))
            for name in table:
                table[name][i][j] = table[name][j][i] = found[name]
    return {"methods": methods, **table}


def _spread(p: Tensor) -> float:
    return (p.amax(0) - p.amin(0)).max().item()


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
