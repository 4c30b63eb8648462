"""Real photographs in numbers, where the paper has figure 9 and words: are ICG's maps more tightly localised (A.4.1)?

For validation photographs that the network gets right, drawn by a seed, and for the class that it predicts: how
concentrated an attribution is, what it makes of borders of one colour, where the output goes when blocks of pixels are
taken away or given back, what is left of the map when the weights become random, whether two draws of the noise agree,
and what it costs. Each network has a result of its own, ``results/NAME.json``: they are trained and measured at other
times and on other machines, and one is made again without touching the other.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from icg.artifacts import load_card, load_model
from icg.attribution import expected_gradients, integrated_certainty_gradients
from icg.certainty import join
from icg.deletion import Curves
from icg.question import quiet
from icg_book.imagenette.localisation import blurred
from icg_book.imagenette.work import (
    BLOCKS,
    BLUR,
    BORDERS,
    CHANGES,
    CHUNK,
    CURVES,
    FORMS,
    LOST,
    METHODS,
    SAMPLES,
    SEED,
    SHARES,
    STAGES,
    N,
    Shots,
    Work,
    is_stochastic,
    order,
)
from icg_book.kit.contenders import evaluations
from icg_book.kit.intervals import mean_curve, rounded_interval
from icg_book.kit.records import provenance, write_result
from icg_book.scenarios import imagenette
from icg_book.scenarios.photographs import files

MODELS = ("imagenette-resnet18", "imagenette-resnet50")
REFERENCE = "ICG, noise averaged"  # what the paper shows of photographs; the others are compared with it
SHORT = {"noise averaged": REFERENCE}  # for lists with commas
PAPER = {
    "localisation": "tend to be more tightly localized than those of EG",
    "border": "EG allocates significant attribution in the top black border region; ICG in no case seen",
    "exceptions": "chain saw: ICG highlights background; golf ball: the golf club",
    "averaging": "5 ICG attributions over inputs with low-intensity noise",
    "accuracy": 0.824,
}


# ---------------------------------------------------------------------------------------------------------------
# Figure 9
# ---------------------------------------------------------------------------------------------------------------


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
    shots = Shots(network, device, progress)
    work = Work(model, network, load_card(model)["sha256"], shots, torch.bfloat16 if bf16 else None)
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


# ---------------------------------------------------------------------------------------------------------------
# The result
# ---------------------------------------------------------------------------------------------------------------


def _summary(work: Work, done: dict[str, dict], looked: dict, size: dict[str, int]) -> dict:
    shots, few = work.shots, {name: size[name] for name in ("curves", "agreement")}
    reference = done.get(REFERENCE, {})

    def compared(method: str, get: Callable[[dict], Tensor]) -> dict:
        """An interval, and that of the paired differences from the reference."""
        values = get(done[method])
        if method == REFERENCE or not reference:
            return rounded_interval(values)
        return rounded_interval(values) | {f"less {REFERENCE}": rounded_interval(values - get(reference))}

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
                change: mean_curve(share, rows[k][: few["curves"]])
                | {"area": compared(method, lambda r, k=k: Curves(share, r[k][: few["curves"]]).area())}
                for change in CHANGES
                for k in [f"{kind}, {change}"]
            }
        if is_stochastic(method):
            found["agreement"] = {
                form: rounded_interval(rows[f"agreement, {form}"][: few["agreement"]]) for form in FORMS
            }
        if method != "random":
            found["sanity"] = {
                stage: {form: rounded_interval(rows[f"{form}, {stage}"]) for form in ("signed", "absolute")}
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
        methods[method] = found | {"evaluations": evaluations(method, METHODS[method])}
    paths = files("val")
    figure = {}
    for number in shots.chosen.tolist():  # the first of each class
        name = imagenette.CLASSES[shots.data.labels[number]]
        figure.setdefault(name, {"number": number, "file": paths[number].name})
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
                "area": rounded_interval(some[f"{name}, area"]) if size[name] else None,
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
