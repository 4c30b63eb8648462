"""Figure 8 of the paper: what certainty training costs on MNIST, in batches.

Two networks of the same shape learn the same digits in the same order, one from undamaged images and one from nothing
but the paper's mix of damage. The second is evaluated on undamaged test images, beside the first, and on damaged ones.
How many times more batches it needs for the same accuracy, or the same loss, is the slowdown.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from tqdm.auto import tqdm

from icg.certainty import join
from icg.damage import mixed_damage
from icg.models import MnistNet, MnistPlainNet
from icg.question import quiet
from icg.training import Recipe
from icg_book.kit.intervals import interval
from icg_book.kit.jobs import TrainingJob
from icg_book.kit.records import provenance, write_result
from icg_book.scenarios import mnist

NAME = "mnist-curves"
# The paper's setting (A.5): Adam with a constant rate; no warm-up, weight decay, averaging, clipping or augmentation.
# In bfloat16 it takes half the time; what is evaluated is the network in float32.
RECIPE = Recipe(steps=6000, lr=1e-3, final_lr=1.0, warmup=0, average=0.0, clip=1e9, low_precision=1.0)
TEST = {"undamaged": 4000, "damaged": 2000}  # test images of every point; the same ones throughout
TEST_SEED = 4711
LEVELS = {  # where the slowdown is read off
    "accuracy": (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.975, 0.98, 0.985, 0.99),
    "loss": (1.6, 1.3, 1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.25, 0.2, 0.15, 0.12, 0.1, 0.08, 0.06, 0.05, 0.04, 0.03),
}
PAPER = {"slowdown": 2.0}  # "takes roughly twice as long"


@dataclass(frozen=True)
class Arm:
    """One way to train: a line that says which, the network, what it sees of a batch, and what it is evaluated on."""

    what: str
    network: type
    show: Callable
    tests: tuple[str, ...]


def _damaged(images: Tensor, generator) -> Tensor:
    return mixed_damage(images, generator=generator)


ARMS = {
    "plain": Arm("trained without damage", MnistPlainNet, lambda images, generator: images, ("undamaged",)),
    "damaged": Arm("trained with the paper's mix of damage alone", MnistNet, _damaged, ("undamaged", "damaged")),
}


def points(steps: int) -> list[int]:
    """Numbers of batches after which there is a point: four to an octave, and the last.

    >>> points(20)
    [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 13, 16, 19, 20]
    """
    found = {round(2 ** (k / 4)) for k in range(4 * steps.bit_length() + 1)}
    return sorted({step for step in found if step < steps} | {steps})


def reached(steps: list[int], values: list[float], level: float, *, falling: bool = False) -> float | None:
    """After how many batches a curve first gets to a level, on a straight line between points over log(batches).

    Returns:
        None if it never does, or is there from the first point on.

    >>> round(reached([1, 4, 16], [0.0, 0.5, 1.0], 0.75), 9)
    8.0
    """
    sign = -1 if falling else 1
    gaps = [sign * (value - level) for value in values]
    at = next((k for k, gap in enumerate(gaps) if gap >= 0), 0)
    if at == 0:
        return None
    part = gaps[at - 1] / (gaps[at - 1] - gaps[at])
    return math.exp((1 - part) * math.log(steps[at - 1]) + part * math.log(steps[at]))


def slowdown(plain: dict, damaged: dict, measure: str) -> dict[str, float | None]:
    """How many times more batches one curve needs than another, at each of :data:`LEVELS`.

    Args:
        plain, damaged: curves ``{"steps": […], "accuracy": […], "loss": […]}``. measure: "accuracy" or "loss".

    Returns:
        By level, None where one of them never gets there.
    """
    found = {}
    for level in LEVELS[measure]:
        fast, slow = (
            reached(curve["steps"], curve[measure], level, falling=measure == "loss") for curve in (plain, damaged)
        )
        found[f"{level:g}"] = slow / fast if fast and slow else None
    return found


def run(
    *,
    data_folder: Path,
    work_folder: Path,
    seeds: int = 3,
    only: tuple[int, ...] | None = None,
    steps: int | None = None,
    command: str = "",
    progress: bool = True,
) -> Path:
    """Train both networks with every seed, or go on with it, and write ``results/mnist-curves.json``.

    Everything done is kept in ``work_folder``, tied to the settings: a run that was stopped at any moment goes on from
    there. Several processes can share the work, each with seeds of its own; each writes a result with the seeds that
    are complete by then, so whoever ends last writes all of them.

    Args:
        seeds: seeds 0 to ``seeds - 1``. only: train just these of them. steps: batches, instead of the recipe's.

    Returns:
        The result's path.

    Raises:
        ValueError: no seeds, seeds that are not among them, too few steps; MNIST can't be had.
        KeyboardInterrupt: stopped by SIGTERM or Ctrl-C; the work so far is kept.
    """
    if not 1 <= seeds <= 10:
        raise ValueError(f"expected 1 to 10 seeds, got {seeds}")
    only = tuple(range(seeds)) if only is None else only
    if not only or not set(only) <= set(range(seeds)):
        raise ValueError(f"expected only seeds in 0 to {seeds - 1}, got {', '.join(map(str, only)) or 'none'}")
    recipe = RECIPE if steps is None else replace(RECIPE, steps=steps)
    with tqdm(total=len(ARMS) * len(only), disable=not progress, unit="network") as bar:
        for seed in only:
            for arm in ARMS:
                bar.set_postfix_str(f"{arm}, seed {seed}")
                _job(arm, replace(recipe, seed=seed)).work(work_folder, progress=progress)
                bar.update()
    runs = {}
    for seed in range(seeds):
        done = {arm: _job(arm, replace(recipe, seed=seed)).done(work_folder) for arm in ARMS}
        if None not in done.values():
            runs[seed] = done
    settings = {
        "recipe": {key: value for key, value in asdict(recipe).items() if key != "seed"},
        "precision": "bfloat16 in training, float32 in evaluation",
        "test images": TEST,
        "interval": "Student's t, 95 %, over the logarithms of the seeds' ratios",
    }
    result = {**summary(runs), "settings": settings, "paper": PAPER, **provenance(command, 0)}
    return write_result(NAME, result, data_folder)


def summary(runs: dict[int, dict]) -> dict:
    """Curves of all seeds, and the slowdown.

    Args:
        runs: by seed and arm, ``{test: {"steps": […], "accuracy": […], "loss": […]}}``.
    """
    curves = {}
    for arm, what in ARMS.items():
        for test in what.tests:
            all_seeds = [run[arm][test] for run in runs.values()]
            curves[f"{arm}, {test}"] = {
                "what": f"{what.what}, evaluated on {test} test images",
                "steps": all_seeds[0]["steps"],
                **{measure: [curve[measure] for curve in all_seeds] for measure in LEVELS},
            }
    slowdowns = {}
    for measure in LEVELS:
        ratios = [slowdown(run["plain"]["undamaged"], run["damaged"]["undamaged"], measure) for run in runs.values()]
        known = [[ratio for ratio in of_seed.values() if ratio is not None] for of_seed in ratios]
        slowdowns[measure] = {
            "median": _geometric([median(values) if values else None for values in known]),
            "levels": {level: _geometric([of_seed[level] for of_seed in ratios]) for level in ratios[0]},
        }
    return {"seeds": list(runs), "curves": curves, "slowdown": slowdowns}


def _geometric(ratios: list[float | None]) -> dict:
    """Geometric mean of ratios with its interval; null where a ratio is missing, no interval of one alone."""
    if None in ratios or len(ratios) < 2:
        mean = ratios[0] if len(ratios) == 1 else None
        return {"mean": mean, "low": None, "high": None, "values": ratios}
    logs = interval([math.log(ratio) for ratio in ratios])
    return {name: math.exp(logs[name]) for name in ("mean", "low", "high")} | {"values": ratios}


def evaluation_images() -> dict[str, tuple[Tensor, Tensor]]:
    """What every point is evaluated on, joined inputs and labels: undamaged, and with the paper's mix of damage."""
    data = mnist.load("test")
    data = data[mnist.shuffled(len(data), TEST_SEED)]
    damaged = data[: TEST["damaged"]]
    inputs = mixed_damage(damaged.images, generator=torch.Generator().manual_seed(TEST_SEED))
    undamaged = data[: TEST["undamaged"]]
    return {"undamaged": (join(undamaged.images), undamaged.labels), "damaged": (inputs, damaged.labels)}


def evaluate(model, inputs: Tensor, labels: Tensor) -> tuple[float, float]:
    """Accuracy and mean cross-entropy on joined inputs ``(N, 2, 28, 28)``; a plain model sees the values only."""
    inputs = inputs[:, : model.input_shape[0]]
    with quiet(model), torch.no_grad():
        logits = torch.cat([model(part) for part in inputs.split(250)])
    return (logits.argmax(1) == labels).double().mean().item(), cross_entropy(logits.double(), labels).item()


def _job(arm: str, recipe: Recipe) -> TrainingJob:
    """One network of an arm: its curves, by what it is tested on."""
    tests, data, wanted = ARMS[arm].tests, [], points(recipe.steps)

    def batch(step, generator):
        digits = mnist.pick(recipe.batch_size, generator=generator)  # first: the same digits in both arms
        return ARMS[arm].show(digits.images, generator), digits.labels

    def measure(model) -> dict:
        if not data:  # read from the disk when they are first needed
            data.append(evaluation_images())
        return {test: evaluate(model, *data[0][test]) for test in tests}

    def finish(model, found: dict) -> dict:
        curves = {}
        for test in tests:
            accuracy, loss = zip(*(found[step][test] for step in wanted), strict=True)
            curves[test] = {"steps": wanted, "accuracy": list(accuracy), "loss": list(loss)}
        return curves

    key = {"arm": arm, "recipe": asdict(recipe), "test": TEST, "test_seed": TEST_SEED}
    return TrainingJob(
        f"{NAME}, {arm}, {recipe.seed}",
        key,
        make=ARMS[arm].network,
        batch=batch,
        recipe=recipe,
        measure=measure,
        at=set(wanted),
        finish=finish,
    )
