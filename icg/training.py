"""One training loop for all scenarios: certainty damage, checkpoints, exact resume.

A scenario brings a model and a function that draws a batch; the loop brings the optimiser, the schedule, averaged
weights, progress, and files that survive being killed at any moment. Every step draws its randomness from its own
seed, so a run that was stopped and resumed gives the same weights as one that ran through.

With several devices, ``torchrun --nproc-per-node N -m icg train …`` starts one process for each. Every process draws
the whole batch, the same as the others, and takes its share of it: a run has the same images and damage on any number
of devices. (Batch norm sees the share of its own process.)
"""

import math
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm.auto import tqdm

from .arguments import check_number, check_positive
from .artifacts import atomic_write

WHOLE = {"steps": 1, "batch_size": 2, "warmup": 0, "seed": 0}  # at least; adversarial damage needs another sample
REAL = {
    "> 0": ("lr", "clip"),
    ">= 0": ("final_lr", "weight_decay"),
    "in [0, 1)": ("average",),
    "in [0, 1]": ("low_precision", "dropout"),
}


@dataclass(frozen=True)
class Recipe:
    """What the loop needs to know; the fields are part of a checkpoint's identity.

    Attributes:
        steps: optimiser steps in all. batch_size: images a step.
        lr: peak learning rate; linear warm-up over ``warmup`` steps, then cosine to ``lr * final_lr``.
        weight_decay: 0 gives Adam, more gives AdamW.
        average: decay of the exponential moving average of the weights that is evaluated and kept.
        low_precision: share of the steps run in bf16 autocast, from the start; the rest runs in fp32.
        dropout: share of the steps, from the start, in which dropout layers are active.
        clip: largest gradient norm.
        seed: of the initial weights and of every step.
    """

    steps: int
    batch_size: int = 64
    lr: float = 1e-3
    final_lr: float = 0.01
    warmup: int = 100
    weight_decay: float = 0.0
    average: float = 0.999
    low_precision: float = 0.0
    dropout: float = 1.0
    clip: float = 5.0
    seed: int = 0

    def __post_init__(self):
        numbers = {name: check_positive(name, getattr(self, name), least) for name, least in WHOLE.items()}
        for bound, names in REAL.items():
            numbers |= {name: check_number(name, getattr(self, name), bound) for name in names}
        for name, number in numbers.items():
            if type(getattr(self, name)) not in (int, float):  # of another library, which no checkpoint should need
                object.__setattr__(self, name, number)


def train(
    make_model: Callable[[], nn.Module],
    batch: Callable[[int, torch.Generator], tuple[Tensor, Tensor]],
    recipe: Recipe,
    *,
    checkpoint: Path | None = None,
    checkpoint_every: int = 500,
    stop_after: int | None = None,
    watch: Callable[[int, nn.Module], None] | None = None,
    watch_every: int = 500,
    progress: bool = True,
    device: str | torch.device = "cpu",
) -> nn.Module | None:
    """Train a model, or go on where ``checkpoint`` stopped.

    Args:
        make_model: builds the untrained model; called under the recipe's seed.
        batch: ``(step, generator) -> (inputs, targets)``; targets are class numbers ``(N,)`` or distributions
            ``(N, K)``. All its randomness must come from ``generator``, which lives on ``device``.
        checkpoint: file to save to and to resume from; written atomically every ``checkpoint_every`` steps, every
            five minutes, and at SIGTERM or Ctrl-C.
        stop_after: stop (and save) before this step, as if killed there; for tests and for work in pieces.
        watch: for learning curves: ``watch(steps_done, model)`` is called every ``watch_every`` steps and at the end
            with the averaged model in eval mode, which it must not change. A resumed run may repeat a call.

    Returns:
        The averaged model in eval mode, or ``None`` if stopped before the last step.

    Raises:
        ValueError: the checkpoint belongs to another recipe, or the batch can't be shared out evenly.
        FloatingPointError: the loss is no longer finite; the last good checkpoint stays.
    """
    checkpoint_every = check_positive("checkpoint_every", checkpoint_every)
    watch_every = check_positive("watch_every", watch_every)
    stop_after = None if stop_after is None else check_positive("stop_after", stop_after, 0)
    rank, processes = _processes()
    if recipe.batch_size % processes:
        raise ValueError(f"expected a batch that {processes} processes can share, got {recipe.batch_size} images")
    with torch.random.fork_rng():  # initial weights and dropout use the global state; the caller's stays as it was
        torch.manual_seed(recipe.seed)
        model = make_model().to(device)
        if torch.device(device).type == "cpu" or torch.cuda.is_available():
            model = model.to(memory_format=torch.channels_last)
        averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(recipe.average), use_buffers=True)
        optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay)
        generator = torch.Generator(device=device)
        first = _load(checkpoint, recipe, model, averaged, optimiser)
        runner = DistributedDataParallel(model) if processes > 1 else model
        saved = time.monotonic()

        def save(step):
            nonlocal saved
            saved = time.monotonic()
            if checkpoint is not None and rank == 0:
                _save(checkpoint, recipe, step, model, averaged, optimiser)

        model.train()
        loss_mean, accuracy_mean = math.nan, math.nan
        hidden = not progress or rank > 0
        bar = tqdm(total=recipe.steps, initial=first, disable=hidden, unit="step", mininterval=5)
        with _stop_request() as stop, bar:
            for step in range(first, recipe.steps):
                if step == stop_after or _over_all(stop.is_set(), device):
                    save(step)
                    return None
                if step > first and (step % checkpoint_every == 0 or time.monotonic() - saved > 300):
                    save(step)
                if watch is not None and rank == 0 and step and step % watch_every == 0:
                    watch(step, averaged.module.eval())
                torch.manual_seed(_step_seed(recipe.seed, step) + rank * 500_000_003)  # dropout differs
                generator.manual_seed(_step_seed(recipe.seed, step))
                for group in optimiser.param_groups:
                    group["lr"] = recipe.lr * learning_rate(step, recipe)
                inputs, targets = (whole[rank::processes] for whole in batch(step, generator))
                if step >= recipe.dropout * recipe.steps:
                    _disable_dropout(model)
                low = step < recipe.low_precision * recipe.steps
                with torch.autocast(torch.device(device).type, torch.bfloat16) if low else nullcontext():
                    logits = runner(inputs)
                loss = nn.functional.cross_entropy(logits.float(), targets)
                loss_now = _over_all(loss.item(), device) / processes
                _check_finite("loss", loss_now, step, recipe, checkpoint)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                norm = nn.utils.clip_grad_norm_(model.parameters(), recipe.clip).item()
                _check_finite("gradient", norm, step, recipe, checkpoint)
                optimiser.step()
                averaged.update_parameters(model)

                hard = targets if targets.ndim == 1 else targets.argmax(1)
                accuracy = (logits.argmax(1) == hard).float().mean().item()
                fade = 0.98 if math.isfinite(loss_mean) else 0.0
                loss_mean = fade * (loss_mean if fade else 0) + (1 - fade) * loss_now
                accuracy_mean = fade * (accuracy_mean if fade else 0) + (1 - fade) * accuracy
                bar.update()
                bar.set_postfix(loss=f"{loss_mean:.4f}", accuracy=f"{accuracy_mean:.3f}", refresh=False)
        save(recipe.steps)
    if watch is not None and rank == 0:
        watch(recipe.steps, averaged.module.eval())
    return averaged.module.eval().to(memory_format=torch.contiguous_format)


@contextmanager
def processes_of_torchrun(device: str | torch.device = "cpu"):
    """Join the processes that ``torchrun`` started, if it did; gives this process's device and its number."""
    device = torch.device(device)
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        yield device, 0
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield device, dist.get_rank()
    finally:
        dist.destroy_process_group()


def learning_rate(step: int, recipe: Recipe) -> float:
    """Share of the peak learning rate at ``step``: linear warm-up, then cosine down to ``final_lr``."""
    if step < recipe.warmup:
        return (step + 1) / recipe.warmup
    done = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    return recipe.final_lr + (1 - recipe.final_lr) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def _check_finite(name: str, number: float, step: int, recipe: Recipe, checkpoint: Path | None) -> None:
    if not math.isfinite(number):
        raise FloatingPointError(
            f"the {name} became {number} at step {step}: lower the learning rate ({recipe.lr}) or check the data; "
            f"the last good checkpoint is {checkpoint or 'not kept'}"
        )


def _disable_dropout(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.eval()


def _processes() -> tuple[int, int]:
    """Number of this process, and of how many that train together."""
    together = dist.is_available() and dist.is_initialized()
    return (dist.get_rank(), dist.get_world_size()) if together else (0, 1)


def _over_all(number: float, device) -> float:
    """Sum of a number over all processes."""
    if _processes() == (0, 1):
        return number
    total = torch.tensor(float(number), device=device)
    dist.all_reduce(total)
    return total.item()


def _step_seed(seed: int, step: int) -> int:
    return (seed + 1) * 1_000_000_007 + step


@contextmanager
def _stop_request():
    """An event that is set by SIGTERM or Ctrl-C, so that the step under way ends and the work is saved."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # only the main thread may take signals
        yield event
        return
    before = {number: signal.signal(number, lambda *_: event.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _save(path: Path, recipe: Recipe, step: int, model, averaged, optimiser) -> None:
    state = {
        "recipe": asdict(recipe),
        "step": step,
        "model": model.state_dict(),
        "averaged": averaged.state_dict(),
        "optimiser": optimiser.state_dict(),
    }
    with atomic_write(path) as temporary:
        torch.save(state, temporary)


def _load(path: Path | None, recipe: Recipe, model, averaged, optimiser) -> int:
    """Restore a checkpoint if there is one; returns the step to go on with."""
    if path is None or not os.path.exists(path):
        return 0
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        saved = state["recipe"]
    except Exception as error:
        raise ValueError(
            f"the checkpoint {path} can't be read ({type(error).__name__}); delete it to start again"
        ) from None
    if saved != asdict(recipe):
        changed = [k for k, v in asdict(recipe).items() if saved.get(k) != v]
        raise ValueError(
            f"the checkpoint {path} was made with another recipe (different: {', '.join(changed)}); "
            "delete it or name another one"
        )
    model.load_state_dict(state["model"])
    averaged.load_state_dict(state["averaged"])
    optimiser.load_state_dict(state["optimiser"])
    return state["step"]
