"""The comparison of damage functions that A.3.2 of the paper tells in words, in numbers.

One small network (:class:`icg.models.CertainGlyphsNet`) learns the glyphs again and again: same size, same steps, same
pictures in the same order, same initial weights for a seed. Only the damage differs from arm to arm, or the front of
the network.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from icg.attribution import integrated_certainty_gradients
from icg.certainty import join
from icg.damage import (
    another_sample,
    bernoulli_certainty,
    certainty_batch,
    continuous_bernoulli_certainty,
    damage,
    mixed_damage,
    uniform_certainty,
    uniform_noise,
)
from icg.measures import dilate, mass_share, neutrality, probabilities
from icg.training import Recipe
from icg_book.kit.intervals import interval
from icg_book.kit.jobs import TrainingJob
from icg_book.kit.networks import CertainGlyphsNet, GatedGlyphsNet
from icg_book.kit.records import provenance, write_result
from icg_book.scenarios import certain_glyphs, glyphs

NAME = "certainty-ablation"
RECIPE = Recipe(steps=1200, batch_size=64, lr=3e-3, warmup=100, weight_decay=0.01, average=0.99)
DAMAGED = 0.75  # share of a batch that is damaged, absent or in blocks; the rest is undamaged, in every arm
WATCH_EVERY = 50  # steps between two points of the learning curves
TEST_SEED = 4711  # of the test pictures, the same for every run
SIZES = {"test": 5000, "curve": 600, "damaged": 2000, "absence": 500, "maps": 100, "band": 40}  # test pictures
ICG_STEPS = 50
REACHED = {"steps to 95 %": ("accuracy", 0.95), "steps to 50 %, damaged": ("damaged accuracy", 0.5)}


@dataclass(frozen=True)
class Arm:
    """One way to train: a line that says which, the damage, two shares of the batch, and the network."""

    what: str
    damage: Callable | None
    absent: float = 0.0
    blocks: float = 0.0
    network: type = CertainGlyphsNet


def _uniform(values: Tensor, *, generator) -> Tensor:
    certainty = uniform_certainty(values.shape, generator=generator)
    return _damaged(values, certainty, uniform_noise(values, generator=generator), generator)


def _variable(draw, source, values: Tensor, *, generator) -> Tensor:
    certainty = draw(torch.rand(len(values), generator=generator), values.shape, generator=generator)
    return _damaged(values, certainty, source(values, generator=generator), generator)


def _damaged(values, certainty, data, generator) -> Tensor:
    return join(damage(values, certainty, data, generator=generator), certainty)


ABSENT, BLOCKS = {"absent": 0.1}, {"absent": 0.1, "blocks": 0.25}
ARMS = {
    "undamaged": Arm("control: every input undamaged, at certainty 1", None),
    "uniform": Arm("certainties i.i.d. U(0, 1); lost values become noise", _uniform),
    "variable extent": Arm(
        "continuous Bernoulli certainties whose mean is drawn from U(0, 1); noise",
        partial(_variable, continuous_bernoulli_certainty, uniform_noise),
    ),
    "+ adversarial": Arm(
        "the same certainties; lost values come from another picture",
        partial(_variable, continuous_bernoulli_certainty, another_sample),
    ),
    "+ binary": Arm(
        "certainties 0 or 1 with a mean drawn from U(0, 1); another picture",
        partial(_variable, bernoulli_certainty, another_sample),
    ),
    "full mix": Arm("the paper's equal mix of four: binary or continuous, another picture or noise", mixed_damage),
    "full mix + absent": Arm("the mix, and a tenth of the batch at certainty 0 throughout", mixed_damage, **ABSENT),
    "full mix + absent + blocks": Arm(
        "the mix, absence, and a quarter of the batch damaged in blocks", mixed_damage, **BLOCKS
    ),
    "gated": Arm("the mix; values times certainty in front of the network", mixed_damage, network=GatedGlyphsNet),
    "gated + absent + blocks": Arm(
        "the mix, absence and blocks; the gated front", mixed_damage, **BLOCKS, network=GatedGlyphsNet
    ),
}


def training_batch(arm: Arm, step: int, generator) -> tuple[Tensor, Tensor]:
    """A batch of an arm for :func:`icg.training.train`: joined inputs ``(N, 2, 16, 16)``, targets ``(N, 5)``.

    The pictures are drawn first, so at the same step and seed they are the same in every arm. Damaged pictures come
    first, then those in blocks, undamaged ones, and absent ones.
    """
    data = glyphs.generate(RECIPE.batch_size, generator=generator)
    n_damaged = round((DAMAGED - arm.absent - arm.blocks) * len(data)) if arm.damage is not None else 0
    if n_damaged:
        damaged = arm.damage(data.images[:n_damaged], generator=generator)
    rest, labels = data.images[n_damaged:], data.labels[n_damaged:]
    share = len(data) / len(rest)  # the shares below are of the rest
    inputs, targets = certainty_batch(
        rest,
        labels,
        damaged=0.0,
        absent=arm.absent * share,
        blocks=arm.blocks * share,
        prior=certain_glyphs.PRIOR,
        generator=generator,
    )
    if n_damaged:
        inputs = torch.cat([damaged, inputs])
        targets = torch.cat([torch.nn.functional.one_hot(data.labels[:n_damaged], 5).to(targets), targets])
    return inputs, targets


def measure(model) -> dict[str, float]:
    """All measures of one trained network, on the same test pictures every time.

    - "accuracy", and "damaged accuracy", the mean over the paper's four kinds of damage.
    - "absence" and "absence max": standard deviation of the class probabilities at c = 0 over four kinds of pictures,
      mean over classes, and the largest difference that any two pictures make (equation 2: both 0).
    - "neutrality": largest distance of a mean class probability at c = 0, over test images, from 1/5.
    - "band zero", "band one": share of ``|IG|`` of glyphs in a band of four rows at certainty 0, for the baselines 0
      and 1 (A.3.1: 0); the same with certainty 1 in the band as "…, unmasked".
    - "ink share": share of ``|ICG|`` (probability of the true class) on ink or within 1 px of it; "gap": the distance
      of these maps from completeness.
    - "blind": share of ``|ICG|`` on the ink itself, where the ink is exactly 0; "blind, swapped": the same shapes with
      the two greys swapped, so that the ground is 0.
    """
    generator = torch.Generator().manual_seed(TEST_SEED)
    data = glyphs.generate(SIZES["test"], generator=generator)
    found = {"accuracy": _accuracy(model, join(data.images), data.labels)}
    kinds = certain_glyphs.damaged_accuracy(model, data[: SIZES["damaged"]], generator=generator)
    found["damaged accuracy"] = sum(kinds.values()) / len(kinds)
    found |= {f"damaged accuracy, {kind}": value for kind, value in kinds.items()}

    pictures = certain_glyphs.meaningless_pictures(data.images[: SIZES["absence"]], generator=generator)
    absence = certain_glyphs.absence(model, torch.cat(list(pictures.values())))
    found |= {"absence": absence["sd"], "absence max": absence["largest"]}
    found["neutrality"] = neutrality(model, data.images[: SIZES["absence"]], certain_glyphs.PRIOR)
    shown = data[data.labels > 0][: SIZES["maps"]]  # "nothing" has no attribution to speak of
    for name, (masked, unmasked) in certain_glyphs.band_shares(model, shown.images[: SIZES["band"]]).items():
        found |= {f"band {name}": masked, f"band {name}, unmasked": unmasked}

    maps, gaps = _icg(model, shown)
    found["ink share"] = mass_share(maps, dilate(shown.ink)).mean().item()
    found["gap"] = gaps.abs().mean().item()
    for name, pictures in zip(
        ("blind", "blind, swapped"), certain_glyphs.black_ink(SIZES["maps"], generator=generator), strict=True
    ):
        found[name] = mass_share(_icg(model, pictures)[0], pictures.ink).mean().item()
    return found


def _icg(model, data: glyphs.Glyphs) -> tuple[Tensor, Tensor]:
    return integrated_certainty_gradients(
        model,
        join(data.images),
        target=data.labels,
        n_steps=ICG_STEPS,
        return_convergence_delta=True,
        dtype=torch.float64,
    )


def _accuracy(model, inputs: Tensor, labels: Tensor) -> float:
    predicted = probabilities(model, inputs[:, :1], inputs[:, 1:], batch_size=500).argmax(1)
    return (predicted == labels).double().mean().item()


def run(
    *,
    data_folder: Path,
    work_folder: Path,
    seeds: int = 5,
    arms: tuple[str, ...] | None = None,
    steps: int | None = None,
    command: str = "",
    progress: bool = True,
) -> Path:
    """Train and measure every arm with every seed, or go on with it, and write ``results/certainty-ablation.json``.

    Everything done is kept in ``work_folder``, tied to the settings: a run that was stopped at any moment goes on from
    there. Several processes can share the work, each with arms of its own; each writes a result with all the arms that
    are complete by then, so whoever ends last writes all of them.

    Args:
        seeds: seeds 0 to ``seeds - 1``, at least 2 for an interval. arms: some of :data:`ARMS`; None for all.
        steps: optimiser steps, instead of the recipe's.

    Returns:
        The result's path.

    Raises:
        ValueError: unknown arms, too few seeds or steps.
        KeyboardInterrupt: stopped by SIGTERM or Ctrl-C; the work so far is kept.
    """
    if not 2 <= seeds <= 10:
        raise ValueError(f"expected 2 to 10 seeds, got {seeds}")
    arms = tuple(ARMS) if arms is None else arms
    unknown = [arm for arm in arms if arm not in ARMS]
    if unknown or not arms:
        raise ValueError(f"expected arms among {', '.join(ARMS)}; got {', '.join(map(repr, unknown)) or 'none'}")
    recipe = RECIPE if steps is None else replace(RECIPE, steps=steps)
    with tqdm(total=len(arms) * seeds, disable=not progress, unit="network") as bar:
        for seed in range(seeds):  # seed by seed, so that there is something of every arm early on
            for arm in arms:
                bar.set_postfix_str(f"{arm}, seed {seed}")
                _job(arm, replace(recipe, seed=seed)).work(work_folder, progress=progress)
                bar.update()
    content = {}
    for arm in ARMS:
        runs = [_job(arm, replace(recipe, seed=seed)).done(work_folder) for seed in range(seeds)]
        if None not in runs:
            content[arm] = _summary(arm, runs)
    settings = {
        "recipe": {key: value for key, value in asdict(recipe).items() if key != "seed"},
        "share damaged, absent or in blocks": DAMAGED,
        "interval": "Student's t, 95 %, over seeds",
        "pictures": SIZES,
        "ICG steps": ICG_STEPS,
        "parameters": {network.__name__: _size(network) for network in (CertainGlyphsNet, GatedGlyphsNet)},
    }
    result = {"arms": content, "settings": settings, **provenance(command, 0)}
    return write_result(NAME, result, data_folder)


def _size(network: type) -> int:
    return sum(parameter.numel() for parameter in network().parameters())


def _job(arm: str, recipe: Recipe) -> TrainingJob:
    """One network of an arm: its measures and its learning curves."""
    key = {"arm": arm, "recipe": asdict(recipe), "absent": ARMS[arm].absent, "blocks": ARMS[arm].blocks}
    key |= {"damaged": DAMAGED, "watch_every": WATCH_EVERY, "sizes": SIZES, "icg_steps": ICG_STEPS}
    return TrainingJob(
        f"{NAME}, {arm}, {recipe.seed}",
        key | {"test_seed": TEST_SEED},
        make=ARMS[arm].network,
        batch=partial(training_batch, ARMS[arm]),
        recipe=recipe,
        measure=_accuracies,
        every=WATCH_EVERY,
        finish=_outcome,
    )


def _accuracies(model) -> list[float]:
    """Two points of the learning curves: accuracy on undamaged and on damaged pictures."""
    images, damaged, labels = _curve_pictures(SIZES["curve"])
    return [_accuracy(model, join(images), labels), _accuracy(model, damaged, labels)]


@lru_cache(maxsize=1)
def _curve_pictures(n: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(TEST_SEED + 1)
    data = glyphs.generate(n, generator=generator)
    return data.images, mixed_damage(data.images, generator=generator), data.labels


def _outcome(model, points: dict[int, list[float]]) -> dict:
    curve = {"steps": list(points)}
    for k, name in enumerate(("accuracy", "damaged accuracy")):
        curve[name] = [point[k] for point in points.values()]
    measures = measure(model)
    for name, (which, level) in REACHED.items():
        steps = zip(curve["steps"], curve[which], strict=True)
        measures[name] = next((step for step, value in steps if value >= level), None)
    return {"measures": measures, "curve": curve}


def _summary(arm: str, runs: list[dict]) -> dict:
    return {
        "what": ARMS[arm].what,
        "seeds": list(range(len(runs))),
        "measures": {name: interval([run["measures"][name] for run in runs]) for name in runs[0]["measures"]},
        "curve": {
            "steps": runs[0]["curve"]["steps"],
            **{name: [run["curve"][name] for run in runs] for name in ("accuracy", "damaged accuracy")},
        },
    }
