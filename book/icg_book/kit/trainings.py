"""How a scenario declares its trainings, and how their stages are run one after the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from icg.artifacts import load_model
from icg.training import Recipe, train


class Stage(NamedTuple):
    """What :func:`icg.training.train` needs for a stage, and what to do every few steps."""

    recipe: Recipe
    batch: Callable
    watch: Callable[[int, nn.Module], None] | None = None
    watch_every: int = 500


class Plan(NamedTuple):
    """A training that can begin: the untrained network, the stages, and what is measured in the end."""

    make: Callable[[], nn.Module]
    stages: Sequence[Stage]
    evaluate: Callable[[nn.Module], dict]


@dataclass(frozen=True)
class Training:
    """A training as a scenario declares it; ``TRAININGS`` of a scenario has them by the names of the weights.

    Attributes:
        make: builds the untrained network.
        stages: recipe and batch function of each, see :func:`icg.training.train`; each begins with the weights of the
            one before.
        evaluate: what the card says of the trained network.
        half: whether its weights are kept in float16: for large networks.
    """

    make: Callable[[], nn.Module]
    stages: tuple[tuple[Recipe, Callable], ...]
    evaluate: Callable[[nn.Module], dict]
    half: bool = False

    def plan(self, *, steps: int | None = None, seed: int = 0, device="cpu", curve: Path | None = None) -> Plan:
        """Get ready.

        Args:
            steps: of each stage; default: the recipe's. seed: is added to those of the recipes.
            device: where to train. curve: file for a learning curve, if the training keeps one.
        """
        stages = [Stage(adapted(recipe, steps, seed), batch) for recipe, batch in self.stages]
        return Plan(self.make, stages, lambda model: self.evaluate(model.cpu()))


def adapted(recipe: Recipe, steps: int | None, seed: int) -> Recipe:
    """A recipe with another number of steps, if one is given, and with ``seed`` added to its own."""
    return replace(recipe, seed=recipe.seed + seed, steps=recipe.steps if steps is None else steps)


class Interrupted(KeyboardInterrupt):
    """A training was stopped; ``checkpoint`` is what it goes on from."""

    def __init__(self, checkpoint: Path):
        super().__init__(f"stopped; it goes on from {checkpoint}")
        self.checkpoint = checkpoint


def train_stages(
    make: Callable[[], nn.Module],
    stages: Sequence[Stage],
    checkpoint: Path,
    *,
    device: str | torch.device = "cpu",
    checkpoint_every: int = 500,
    progress: bool = True,
) -> nn.Module:
    """Train a network through its stages, or go on with it; see :func:`icg.training.train`.

    Args:
        checkpoint: of the first stage; those of the others are beside it, ``NAME-stage2.pt`` and so on.

    Returns:
        The averaged network in eval mode.

    Raises:
        Interrupted: by SIGTERM or Ctrl-C.
    """
    checkpoint, model = Path(checkpoint), None
    for number, stage in enumerate(stages, start=1):
        file = checkpoint
        if number > 1:
            file = checkpoint.with_name(f"{checkpoint.stem}-stage{number}{checkpoint.suffix}")
        model = train(
            make if model is None else (lambda model=model: model),
            stage.batch,
            stage.recipe,
            checkpoint=file,
            checkpoint_every=checkpoint_every,
            watch=stage.watch,
            watch_every=stage.watch_every,
            progress=progress,
            device=device,
        )
        if model is None:
            raise Interrupted(file)
    return model


def told(name: str, inputs: Tensor) -> Tensor:
    """What a shipped network says of inputs, as targets ``(N, K)`` for one that learns from it."""
    with torch.no_grad():
        return _teacher(name, inputs.device)(inputs).softmax(1)


@lru_cache
def _teacher(name: str, device: torch.device) -> nn.Module:
    return load_model(name, device=device)
