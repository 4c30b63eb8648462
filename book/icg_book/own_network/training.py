"""A certainty-aware classifier from a folder of pictures: ``python -m icg train --images FOLDER --arch NAME``."""

import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch.nn import functional
from tqdm.auto import tqdm

from icg_book.kit.pictures import resize
from icg_book.kit.records import provenance, write_model
from icg_book.kit.trainings import Stage, train_stages
from icg_book.own_network.folder import Pictures, class_folders, read_folder
from icg_book.own_network.networks import classifier, read_checkpoint
from icg_book.scenarios.imagenette import PhotoRecipe, right, training_batches, when_nothing_is_known

WATCHED = 500  # validation pictures of the accuracy that is said on the way


@dataclass(frozen=True)
class OwnRecipe(PhotoRecipe):
    """A recipe for pictures of your own; all of it is part of a checkpoint's identity.

    Attributes:
        mirrored: share of the pictures that are shown mirrored. pictures: a digest of the training pictures.
        started: sum of the weights that it began with, if it began with any.
    """

    mirrored: float = 0.5
    pictures: str = ""
    started: float | None = None


def recipe_for(
    train: Pictures,
    arch: str,
    size: int,
    *,
    steps: int | None = None,
    batch_size: int = 64,
    lr: float | None = None,
    seed: int = 0,
    mirrored: bool = True,
    started: float | None = None,
    device: str | torch.device = "cpu",
) -> OwnRecipe:
    """The recipe: 40 epochs and at least 500 steps, or half of that from a checkpoint.

    Args:
        lr: default: 1e-3, from a checkpoint 3e-4.
    """
    batch_size = min(batch_size, max(2, len(train) // 2 * 2))
    if steps is None:
        steps = max(500, math.ceil(40 * len(train) / batch_size)) // (1 if started is None else 2)
    if lr is None:
        lr = 1e-3 if started is None else 3e-4
    return OwnRecipe(
        steps=steps,
        batch_size=batch_size,
        lr=lr,
        warmup=min(100, steps // 10),
        weight_decay=0.05,
        average=min(0.997, 1 - 10 / max(20, steps)),
        low_precision=1.0 if torch.device(device).type == "cuda" else 0.0,
        seed=seed,
        arch=arch,
        front=16,
        sizes=((0.0, size),),
        least_crop=0.5,
        damaged=0.35,
        blocks=0.3,
        absent=0.1,
        mirrored=0.5 if mirrored else 0.0,
        pictures=train.digest,
        started=started,
    )


def train_on_folder(
    folder: Path,
    out: Path,
    *,
    arch: str,
    size: int = 96,
    start: Path | None = None,
    checkpoint: Path | None = None,
    skip_broken: bool = False,
    device: str | torch.device = "cpu",
    join: Callable | None = None,
    command: str = "",
    say: Callable[[str], None] = tqdm.write,
    progress: bool = True,
    **options,
) -> dict | None:
    """Train on ``folder/train``, measure on ``folder/val``, and write weights and card; or go on with it.

    Args:
        out: file to write, ending in ``.safetensors``; its card is beside it.
        arch, size: see :func:`icg_book.own_network.networks.classifier`.
        start: a checkpoint of the plain network.
        checkpoint: to save to and go on from; default: ``out`` with the ending ``.pt``. Removed in the end.
        skip_broken: go on without files that can't be read.
        join: a context that gives device and number of this process (:func:`icg.training.processes_of_torchrun`);
            entered after all that can be wrong has been looked at.
        options: of :func:`recipe_for`.

    Returns:
        The card's metrics; ``None`` in all processes but the first.

    Raises:
        ValueError: anything wrong with the folder (:func:`icg_book.own_network.folder.read_folder`), the network or
            the checkpoint, before the work. Interrupted: by SIGTERM or Ctrl-C.
    """
    folder, out = Path(folder), Path(out)
    if out.suffix != ".safetensors" or out.is_dir():
        raise ValueError(f"expected a file to write that ends in .safetensors, got {out}")
    weights = None if start is None else read_checkpoint(start)
    classes = class_folders(folder)

    def make():
        return classifier(arch, len(classes), size, checkpoint=weights)

    with torch.random.fork_rng():
        make()  # what can't be built is said before the work
    data = read_folder(folder, size, skip_broken=skip_broken, progress=progress)
    train, val = data["train"], data["val"]
    for split, pictures in data.items():
        for reason in pictures.broken.values():
            say(f"{split}: skipped: {reason}")

    started = None if weights is None else sum(float(w.double().sum()) for w in weights.values())
    with join() if join else nullcontext((torch.device(device), 0)) as (device, rank):
        recipe = recipe_for(train, arch, size, started=started, device=device, **options)
        some = torch.randperm(len(val), generator=torch.Generator().manual_seed(0))[:WATCHED]

        def watch(step: int, model) -> None:
            share = right(model, val, some, size).mean().item()
            say(f"step {step} of {recipe.steps}: {share:.1%} of {len(some)} validation pictures right")

        batch = training_batches(train, recipe, device=device, mirrored=recipe.mirrored)
        stage = Stage(recipe, batch, watch if progress else None, max(100, recipe.steps // 10))
        checkpoint = Path(checkpoint or out.with_suffix(".pt"))
        model = train_stages(make, [stage], checkpoint, device=device, progress=progress)
        if rank > 0:
            return None
        model = model.cpu()
        metrics = evaluate(model, train, val, size)
        write_model(
            model,
            out,
            classes=list(classes),
            training={
                "images": str(folder.resolve()),
                "start": None if start is None else str(start),
                "skipped": sum(len(pictures.broken) for pictures in data.values()),
                "stages": [asdict(recipe)],
            },
            metrics=metrics,
            **provenance(command, recipe.seed, device),
        )
        checkpoint.unlink(missing_ok=True)
        return metrics


def evaluate(model, train: Pictures, val: Pictures, size: int) -> dict:
    """What the card says: accuracy on ``val``, of each class too; and what the network says when nothing is known.

    ``absence`` and ``neutrality`` are those of :func:`icg_book.scenarios.imagenette.when_nothing_is_known`, the prior
    is the frequency of the classes in ``train``.
    """
    hits = right(model, val, torch.arange(len(val)), size)
    accuracy = {"all": hits.mean().item(), "images": len(val), "size": size}
    accuracy["classes"] = {name: hits[val.labels == k].mean().item() for k, name in enumerate(val.classes)}
    most = right(model, val, torch.arange(len(val)), size, _half).mean().item()
    shown = resize(val.images[:: max(1, len(val) // 128)][:256], size)
    prior = functional.one_hot(train.labels, len(train.classes)).double().mean(0)
    return {
        "accuracy": accuracy,
        "accuracy at certainty 0.5": most,
        **when_nothing_is_known(model, shown, prior, generator=torch.Generator().manual_seed(1)),
    }


def _half(values):
    return torch.cat([values, torch.full_like(values[:, :1], 0.5)], 1)
