"""Figure 4 of the paper in numbers: where each method puts its attribution on Burnt Snacks images.

The paper shows eight images. Here every method runs on 200 images of either class, and the ground truth turns the
maps into numbers: the share of absolute attribution in dark squares, light squares, triangles and background
(objects grown by one pixel, since edges belong to their object), whether the peak hits a dark square, and how many
dark squares are found.
"""

from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from icg.artifacts import load_card, load_model
from icg.certainty import join
from icg.measures import dilate, mass_share, object_recall, objects_found, pointing_game
from icg_book.kit import contenders
from icg_book.kit.intervals import mean_interval
from icg_book.kit.jobs import Job
from icg_book.kit.records import provenance, write_result
from icg_book.scenarios import burnt_snacks

NAME = "burnt-snacks"
FIRST = "burnt-snacks-paper-mix"  # the network after the first stage, trained with the paper's damage alone
DATA_IMAGES = 2000  # for the mean baseline and Expected Gradients
CHUNK = 10  # images between two saves

MANY = ("AGN", "EG", "random-path")  # averages of many evaluations, where mixed precision does no harm
FIRST_ICG = "ICG (paper's damage)"  # ICG on FIRST; everything else runs on NAME
SETTINGS = {  # the paper's
    "zero IG": {"steps": 100},
    "mean IG": {"steps": 100},
    "AGN": {"draws": 50, "noise": 0.1},  # and as many steps of each as are asked for
    "EG": {"draws": 500, "rule": "monte_carlo"},
    "ICG": {"steps": 100},
    FIRST_ICG: {"steps": 100},
    "random-path": {"draws": 100},
    "gradient": {},
}
METHODS = tuple(SETTINGS)

# The same measures on the weights that the paper's authors published, as (dark, light, triangles, background, hit,
# recall, recall with two or more dark squares), class 1; AGN with 50 x 20 evaluations.
AUTHORS = {
    "probability": {
        "zero IG": (0.256, 0.713, 0.031, 0.0, 0.250, 0.367, 0.340),
        "mean IG": (0.243, 0.715, 0.033, 0.009, 0.225, 0.278, 0.221),
        "EG": (0.161, 0.386, 0.062, 0.392, 0.155, 0.580, 0.536),
        "AGN": (0.826, 0.009, 0.039, 0.126, 0.985, 0.962, 0.939),
        "ICG": (0.664, 0.027, 0.051, 0.258, 0.975, 0.663, 0.485),
        "random-path": (0.630, 0.026, 0.067, 0.277, 0.970, 0.760, 0.640),
        "gradient": (0.706, 0.018, 0.077, 0.199, 0.880, 0.892, 0.859),
    },
    "logit": {
        "zero IG": (0.565, 0.390, 0.045, 0.0, 0.570, 0.989, 0.991),
        "mean IG": (0.520, 0.377, 0.058, 0.045, 0.510, 0.989, 0.991),
        "EG": (0.366, 0.240, 0.074, 0.320, 0.715, 0.993, 0.996),
        "AGN": (0.731, 0.014, 0.063, 0.192, 0.960, 0.987, 0.979),
        "ICG": (0.747, 0.027, 0.054, 0.172, 0.975, 0.966, 0.953),
        "random-path": (0.733, 0.019, 0.064, 0.183, 0.965, 0.938, 0.908),
    },
}
AUTHORS_COLUMNS = ("dark", "light", "triangles", "background", "hit", "recall", "recall, 2 or more")
# The authors' weights at certainty 0 (mean and standard deviation of the probability of class 1; 0.5 and 0 are right),
# and their accuracy under each kind of damage.
AUTHORS_ABSENCE = {"test images": (0.416, 0.020), "uniform noise": (0.815, 0.105), "constant greys": (0.150, 0.307)}
AUTHORS_DAMAGED = {
    "binary, adversarial": 0.907,
    "binary, uniform": 0.810,
    "continuous, adversarial": 0.645,
    "continuous, uniform": 0.642,
}
PAPER = {
    "accuracy": 0.987,
    "claims": {
        "EG, probability": "never finds the dark squares; marks light ones",
        "ICG, probability": "always attributes a dark square; only one, even when there are more",
        "ICG, logit": "attributes all dark squares",
        "AGN, probability": "all dark squares, less precisely than ICG",
    },
}


def attribute(
    method: str,
    model,
    inputs,
    *,
    target,
    output: str,
    data,
    agn_steps: int = 100,
    gaps: bool = True,
    seed: int = 0,
    **options,
):
    """One of :data:`METHODS` with the paper's settings; returns attributions and, for paths, completeness gaps.

    Args:
        inputs: joined ``(N, 2, 50, 50)``. data: images ``(K, 1, 50, 50)`` for the mean baseline and EG.
        agn_steps: steps for each of AGN's 50 baselines (paper: 100).
        gaps: measure the completeness gaps, too: two forward passes for each path.
    """
    if method not in SETTINGS:
        raise ValueError(f"expected method to be one of {', '.join(METHODS)}, got {method!r}")
    return contenders.attribute(
        "ICG" if method == FIRST_ICG else method,
        model,
        inputs,
        SETTINGS[method] | ({"steps": agn_steps} if method == "AGN" else {}),
        data=lambda: data,
        check=gaps and method != "EG",  # its completeness gap is chance, and would cost as much as the rest
        generator=torch.Generator().manual_seed(seed),
        target=target,
        output=output,
        **options,
    )


def measure(maps: Tensor, images: burnt_snacks.BurntSnacks) -> dict[str, Tensor]:
    """All measures of attribution maps ``(N, C, 50, 50)``, one number per image, ``(N,)`` float64."""
    dark, light, triangles = (dilate(m > 0) for m in (images.dark, images.light, images.triangles))
    elsewhere = ~(dark | light | triangles)
    columns = {
        "dark": mass_share(maps, dark),
        "light": mass_share(maps, light & ~dark),  # a pixel between two objects counts once
        "triangles": mass_share(maps, triangles & ~dark & ~light),
        "background": mass_share(maps, elsewhere),
        "hit": pointing_game(maps, dark),
        "recall": object_recall(maps, images.dark),
        "found": objects_found(maps, images.dark),
    }
    return {name: values.double() for name, values in columns.items()}


def run(
    *,
    data_folder: Path,
    work_folder: Path,
    n: int = 200,
    agn_steps: int = 100,
    bf16: bool = False,
    methods: tuple[str, ...] = METHODS,
    seed: int = 20220,
    command: str = "",
    progress: bool = True,
) -> Path:
    """Run the experiment, or go on with it, and write ``results/burnt-snacks.json``.

    With ``bf16`` the methods of :data:`MANY` evaluations run in mixed precision, about twice as fast on a recent CPU;
    on single paths it would blur the jumps. Every ten images the numbers so far are saved in ``work_folder``, tied to
    the weights and settings; a run that was stopped goes on from there, and a run over more images begins with them.
    """
    if n < 2:
        raise ValueError(f"expected n >= 2 images of each class, got {n}")
    unknown = set(methods) - set(METHODS)
    if unknown:
        raise ValueError(f"expected methods among {', '.join(METHODS)}, got {', '.join(sorted(unknown))}")
    networks = {name: (load_model(name), load_card(name)["sha256"]) for name in (NAME, FIRST)}
    sets = {label: burnt_snacks.test_images(n, label, seed) for label in (1, 0)}
    data = burnt_snacks.generate(DATA_IMAGES, generator=torch.Generator().manual_seed(seed)).images

    def job(output: str, method: str, label: int) -> Job:
        model, weights = networks[FIRST if method == FIRST_ICG else NAME]
        autocast = torch.bfloat16 if bf16 and method in MANY else None

        def compute(first: int, last: int) -> dict[str, Tensor]:
            part = sets[label][first:last]
            options = {"target": label, "output": output, "data": data, "agn_steps": agn_steps, "autocast": autocast}
            maps, gaps = attribute(method, model, join(part.images), seed=seed + first, **options)
            gaps = torch.full((len(part),), torch.nan) if gaps is None else gaps.abs()
            return {**measure(maps, part), "gap": gaps.double()}

        steps = agn_steps if method == "AGN" else None
        key = {"weights": weights, "seed": seed, "steps": steps, "precision": str(autocast)}
        return Job(f"{NAME}, {method}, {output}, {label}", n, key, compute, chunk=CHUNK)

    rows = []
    wanted = [(o, m, label) for m in methods for o in ("probability", "logit") for label in (1, 0)]
    with tqdm(total=len(wanted) * n, disable=not progress, unit="map") as bar:
        for output, method, label in wanted:
            bar.set_postfix_str(f"{method}, {output}, class {label}")
            columns = job(output, method, label).work(work_folder, bar)
            rows.append(_row(output, method, label, columns, sets[label], agn_steps if method == "AGN" else None))
    settings = {"n": n, "AGN": f"50 x {agn_steps}", "EG": 500, "steps": 100, "data images": DATA_IMAGES}
    settings["precision"] = f"bfloat16 for {', '.join(MANY)}" if bf16 else "float32"
    return write_result(
        NAME,
        {
            "rows": rows,
            "settings": settings,
            "weights": {name: sha256 for name, (_, sha256) in networks.items()},
            "authors": {
                o: {m: dict(zip(AUTHORS_COLUMNS, v, strict=True)) for m, v in t.items()} for o, t in AUTHORS.items()
            },
            "paper": PAPER,
            **provenance(command, seed),
        },
        data_folder,
    )


def _row(output, method, label, columns, images, steps) -> dict:
    """Means with intervals for one method, output and class."""
    row = {"output": output, "method": method, "class": label}
    measures = (
        ["dark", "light", "triangles", "background", "hit", "recall"] if label else ["light", "triangles", "background"]
    )
    for name in measures:
        row[name] = mean_interval(columns[name])._asdict()
    if label:
        count = burnt_snacks.count_objects(images.dark)
        if (count >= 2).any():
            row["recall, 2 or more"] = mean_interval(columns["recall"][count >= 2])._asdict()
        row["found"] = {str(k): columns["found"][count == k].mean().item() for k in (1, 2, 3) if (count == k).any()}
    gap = columns["gap"][~columns["gap"].isnan()]
    if len(gap):
        row["gap"] = {"mean": gap.mean().item(), "largest": gap.max().item()}
    if steps:
        row["steps"] = steps
    return row
