"""MNIST, the handwritten digits, with certainty (paper, A.3.3 and A.4.2).

The digits are not part of the book. They are read from the folder that the environment variable ``ICG_DATA`` names
(``ICG_DATA/MNIST/raw``), and downloaded to it if they aren't there; without the variable, to the user's cache.

Two networks learn them from the same pictures in the same number of steps: a certainty-aware one, from damaged inputs,
and its plain twin, from undamaged ones. :mod:`icg_book.scenarios.mnist_in_space` puts the digits on a wider canvas.
"""

import hashlib
import socket
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional
from torchvision import datasets

from icg.artifacts import load_model
from icg.certainty import is_certainty_aware, join
from icg.damage import (
    another_sample,
    bernoulli_certainty,
    certainty_batch,
    continuous_bernoulli_certainty,
    damage,
    meaningless,
    random_blocks,
    uniform_noise,
)
from icg.measures import neutrality, probabilities
from icg.models import MnistNet, MnistPlainNet
from icg.question import quiet
from icg.training import Recipe
from icg_book.kit.folders import dataset_folder
from icg_book.kit.intervals import wilson
from icg_book.kit.networks import MnistSmallNet
from icg_book.kit.trainings import Training, told

SIZE = 28  # images are 28 x 28
CLASSES = tuple("0123456789")
PRIOR = torch.full((10,), 0.1)
# MD5 of the four files as they lie on the disk, of images and of labels; torchvision checks what it downloads, but not
# what it finds.
FILES = {
    "train": {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    },
    "test": {
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
}
DAMAGE = {  # the four kinds of the paper's mix: certainty, and what a lost value is replaced by
    "binary, adversarial": (bernoulli_certainty, another_sample),
    "binary, uniform": (bernoulli_certainty, uniform_noise),
    "continuous, adversarial": (continuous_bernoulli_certainty, another_sample),
    "continuous, uniform": (continuous_bernoulli_certainty, uniform_noise),
}


# ---------------------------------------------------------------------------------------------------------------
# The digits
# ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Digits:
    """Handwritten digits.

    Attributes:
        images: ``(N, 1, 28, 28)`` float32 in [0, 1], ink is bright.
        labels: ``(N,)`` int64, the digit.
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index) -> "Digits":
        """A selection, by slice, mask or index tensor (as for tensors)."""
        return Digits(self.images[index], self.labels[index])


def load(split: str, *, download: bool = True) -> Digits:
    """The official training set (60,000) or test set (10,000); fetched first, with a bar, if it isn't there.

    A file that is cut short or altered counts as missing: it is fetched again.

    Args:
        split: "train" or "test".
        download: False never asks the network.

    Raises:
        ValueError: unknown split; the digits are missing or broken and can't be had; the message says how to get them.
    """
    if split not in FILES:
        raise ValueError(f"expected split to be one of {', '.join(FILES)}, got {split!r}")
    folder = dataset_folder()
    wrong = _wrong_files(folder, split)
    if wrong and download:
        _fetch(folder)
        wrong = _wrong_files(folder, split)
    if wrong:
        raise ValueError(f"{'; '.join(wrong.values())}. {_advice(folder)}")
    data = datasets.MNIST(folder, train=split == "train")
    return Digits(data.data[:, None].float() / 255, data.targets)


def samples(n: int, shape: tuple[int, int, int], *, generator: torch.Generator) -> Tensor:
    """``n`` training digits at random, ``(n, *shape)``; nothing is downloaded.

    Raises:
        ValueError: the digits are missing.
    """
    images = load("train", download=False).images
    return images[torch.randperm(len(images), generator=generator)[:n]]


def _wrong_files(folder: Path, *splits: str) -> dict[Path, str]:
    """The files that are not as they should be, and why."""
    found = {}
    for name, digest in (item for split in splits for item in FILES[split].items()):
        path = folder / "MNIST" / "raw" / name
        if not path.exists():
            found[path] = f"{path} is not there"
        elif hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() != digest:
            found[path] = f"{path} is cut short or altered ({path.stat().st_size:,} bytes, its MD5 is not {digest})"
    return found


def _fetch(folder: Path) -> None:
    """Download what is missing or broken of both sets."""
    wrong = _wrong_files(folder, *FILES)
    try:
        for path, reason in wrong.items():
            if path.exists():  # torchvision would take it as it is
                print(f"{reason}; fetching it again")
                path.unlink()
        with _timeout(30):
            datasets.MNIST(folder, download=True)
    except (OSError, RuntimeError, EOFError) as error:  # no network, no space, no permission, or not what was expected
        reason = " ".join(str(error).split())
        raise ValueError(f"MNIST is not in {folder} and can't be downloaded ({reason}). {_advice(folder)}") from None


def _advice(folder: Path) -> str:
    return (
        "Set the environment variable ICG_DATA to a folder that holds MNIST/raw with the four files "
        f"{', '.join(name for files in FILES.values() for name in files)}; to get them, run "
        "torchvision.datasets.MNIST(FOLDER, download=True) on a computer with a network (12 MB) and copy the folder"
    )


@contextmanager
def _timeout(seconds: float):
    """A network that swallows everything is an error, not a wait without end."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


# ---------------------------------------------------------------------------------------------------------------
# Training
# ---------------------------------------------------------------------------------------------------------------

RECIPE = Recipe(
    steps=18_000, batch_size=64, lr=2e-3, warmup=200, weight_decay=0.02, low_precision=0.9, dropout=0.9, average=0.999
)
SHARES = {"damaged": 0.35, "blocks": 0.2, "absent": 0.06}  # of a batch; the rest is undamaged
GROW = 1000  # steps in which damage grows from nothing to those shares


@lru_cache(maxsize=1)
def _training_set(folder: Path) -> Digits:
    return load("train")


def pick(n: int, *, generator) -> Digits:
    """Training digits at random, as they are, on the device of ``generator``."""
    data = _training_set(dataset_folder())
    index = torch.randint(len(data), (n,), generator=generator, device=generator.device)
    chosen = data[index.to(data.labels.device)]
    return Digits(chosen.images.to(generator.device), chosen.labels.to(generator.device))


def draw(n: int, *, generator, shift: float = 2.0) -> Digits:
    """Training digits at random, half of them a little turned, scaled and shifted (see :func:`vary`)."""
    data = pick(n, generator=generator)
    changed = torch.rand(n, 1, 1, 1, generator=generator, device=generator.device) < 0.5
    images = torch.where(changed, vary(data.images, shift=shift, generator=generator), data.images)
    return Digits(images, data.labels)


def vary(images: Tensor, *, turn: float = 0.2, scale: float = 0.12, shift: float = 2.0, generator=None) -> Tensor:
    """Turn, scale and shift images at random, ``(N, 1, H, W)``; the ground is 0.

    Args:
        turn: largest angle, in radians. scale: largest change of size, as a share. shift: largest shift, in pixels.
    """
    n, (height, width) = len(images), images.shape[-2:]
    amount = 2 * torch.rand(4, n, generator=generator, device=images.device) - 1
    angle, size = turn * amount[0], 1 + scale * amount[1]
    theta = torch.zeros(n, 2, 3, device=images.device)
    theta[:, 0, 0] = theta[:, 1, 1] = angle.cos() * size
    theta[:, 0, 1], theta[:, 1, 0] = -angle.sin() * size * height / width, angle.sin() * size * width / height
    theta[:, 0, 2], theta[:, 1, 2] = 2 * shift * amount[2] / width, 2 * shift * amount[3] / height
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False).clamp(0, 1)


def training_batch(step: int, generator) -> tuple[Tensor, Tensor]:
    """One batch for :func:`icg.training.train`: joined inputs ``(N, 2, 28, 28)`` and target distributions ``(N, 10)``.

    The paper's mix of four kinds of damage, damage in blocks and absent inputs; the rest, about four tenths, is
    undamaged. Damage grows in the first steps.
    """
    data = draw(RECIPE.batch_size, generator=generator)
    return damaged_batch(data, step, generator)


def damaged_batch(data: Digits, step: int, generator) -> tuple[Tensor, Tensor]:
    """Join images with certainty and damage a share of them; used by both scenarios."""
    shares = {name: share * min(1.0, step / GROW) for name, share in SHARES.items()}
    return certainty_batch(data.images, data.labels, prior=PRIOR, generator=generator, **shares)


# From the weights that are shipped, with more blocks, four in five of them with more than one (see
# :mod:`icg_book.scenarios.burnt_snacks`): it makes the path of integrated certainty gradients fairer.
BLOCKS = replace(RECIPE, steps=8_000, lr=1e-3, seed=1)


def blocks_batch(step: int, generator) -> tuple[Tensor, Tensor]:
    """As :func:`training_batch`, for the second stage of the network that learns from blocks."""
    data = draw(BLOCKS.batch_size, generator=generator)
    shares = {"damaged": 0.15, "blocks": 0.5, "whole": 0.0, "least": 4, "absent": 0.06}
    return certainty_batch(data.images, data.labels, prior=PRIOR, generator=generator, **shares)


# Further, from the network that learnt from blocks, which is the teacher as well. From labels a network learns what the
# best guess is at a certainty, and a good one can tell by the image which blocks fit: so it isn't the mean over
# coalitions. Here it is told that mean (chapter on fairness).
OWEN = replace(RECIPE, steps=5_000, lr=1e-3, seed=2, low_precision=0.0, dropout=0.0)
TOLD = 44  # images of its batch; the others are as in the stage before


def owen_batch(step: int, generator) -> tuple[Tensor, Tensor]:
    """As :func:`training_batch`, for the network that learns Owen's mean.

    At certainties of blocks its target is what the teacher says, on average, where each block is known with just that
    chance: a draw of such coalitions and its mirror image. Images come in pairs which differ in some blocks alone, and
    by the same luck, so that what a block changes is not lost in it.
    """
    data = draw(OWEN.batch_size - TOLD // 2, generator=generator)
    shares = {"damaged": 0.15, "blocks": 0.35, "whole": 0.0, "least": 4, "absent": 0.08}
    images, n = data.images[: TOLD // 2], TOLD // 2
    rest = certainty_batch(data.images[n:], data.labels[n:], prior=PRIOR, generator=generator, **shares)

    def rand(*size):
        return torch.rand(*size, generator=generator, device=images.device)

    most, count = 10, 11**2  # blocks along each axis, and numbers for all of a grid
    block = random_blocks((4 + (most - 3) * rand(n)).long(), images.shape[2:], most=most, generator=generator)
    level, own = rand(n, 1), rand(n, count)
    near = level + rand(n, 1) * (2 * own - 1)  # around a level
    rising = 2 * level - own  # as on a path of block-wise certainty gradients
    certainty = torch.where(rand(n, 1) < 0.5, near, rising).clamp(0, 1)
    other = torch.where(rand(n, count) < 0.1, (rand(n, count) < 0.5).float(), certainty)
    luck, images = rand(n, count).repeat(2, 1), images.repeat(2, 1, 1, 1)
    certainty = torch.cat([certainty, other])

    def at(each):
        return join(images, each.gather(1, block.flatten(1).repeat(2, 1)).view_as(images))

    known = [at((each < certainty).float()) for each in (luck, 1 - luck)]
    mean = sum(told("mnist-blocks", inputs) for inputs in known) / 2
    return torch.cat([at(certainty), rest[0]]), torch.cat([mean, rest[1]])


def plain_batch(step: int, generator) -> tuple[Tensor, Tensor]:
    """One batch for the plain twin: undamaged images ``(N, 1, 28, 28)`` and labels ``(N,)``."""
    data = draw(RECIPE.batch_size, generator=generator)
    return data.images, data.labels


# ---------------------------------------------------------------------------------------------------------------
# Evaluation
# ---------------------------------------------------------------------------------------------------------------


def evaluate(model, *, data: Digits | None = None, n_damaged: int = 2000, n_absence: int = 500, seed: int = 1) -> dict:
    """What a card says of a model: accuracy on the whole official test set, with an interval; and for a
    certainty-aware one accuracy under damage, absence and neutrality (see :func:`understanding`).

    Args:
        data: test digits; the official ones if not given.
    """
    data = load("test") if data is None else data
    right = predict(model, data.images) == data.labels
    accuracy = share(right)
    for label, name in enumerate(CLASSES):
        if (here := data.labels == label).any():
            accuracy[name] = right[here].double().mean().item()
    metrics = {"accuracy": accuracy}
    if is_certainty_aware(model):
        some = data[shuffled(len(data), seed)]
        metrics |= understanding(model, some[:n_damaged], some[:n_absence].images, seed=seed)
    return metrics


def predict(model, images: Tensor, *, batch_size: int = 250) -> Tensor:
    """Predicted classes ``(N,)`` of undamaged images, by a certainty-aware model or a plain one."""
    if is_certainty_aware(model):
        return probabilities(model, images, batch_size=batch_size).argmax(1)
    with quiet(model), torch.no_grad():
        return torch.cat([model(part).argmax(1) for part in images.split(batch_size)])


def share(right: Tensor) -> dict:
    """Share of ``(N,)`` booleans that are true, with its interval: ``{"all": …, "low": …, "high": …, "images": N}``."""
    low, high = wilson(int(right.sum()), len(right))
    return {"all": right.double().mean().item(), "low": low, "high": high, "images": len(right)}


def shuffled(n: int, seed: int) -> Tensor:
    """Numbers below ``n`` in a random order: the test set's own is not at random (the first half is easier)."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))


def understanding(model, data: Digits, values: Tensor, *, seed: int = 1) -> dict:
    """What a certainty-aware model makes of certainty (paper, A.3.1).

    Args:
        data: images for the accuracies. values: images ``(N, 1, H, W)`` that are shown at certainty 0.

    Returns:
        ``accuracy under damage``: of each of the paper's four kinds, at mean certainties drawn from U(0, 1) (no model
        can come near 1: of many images almost nothing is left), and their ``mean``. ``mean probability of the class
        along certainty``: of intact images at one certainty everywhere, the path of ICG. ``absence``: what the class
        probabilities at certainty 0 still owe to the values (test images, and as many inputs that mean nothing):
        standard deviation ``sd``, mean over classes, and largest difference ``max``. ``neutrality``: largest distance
        of a mean class probability at certainty 0, over test images, from 1/10.
    """
    generator = torch.Generator().manual_seed(seed)
    mean = torch.rand(len(data), generator=generator)
    damaged = {}
    for name, (sample, source) in DAMAGE.items():
        certainty = sample(mean, data.images.shape, generator=generator)
        lost = source(data.images, generator=generator)
        inputs = damage(data.images, certainty, lost, generator=generator)
        predicted = probabilities(model, inputs, certainty).argmax(1)
        damaged[name] = (predicted == data.labels).double().mean().item()
    damaged["mean"] = sum(damaged.values()) / len(DAMAGE)
    along = {}
    for c in (0, 0.05, 0.1, 0.25, 0.5, 0.75, 1):
        p = probabilities(model, data.images[: len(values)], float(c))
        along[f"{c:g}"] = p.gather(1, data.labels[: len(values), None]).mean().item()
    p = probabilities(model, torch.cat([values, meaningless(values, generator=generator)]), 0.0).double()
    return {
        "accuracy under damage": damaged | {"images": len(data)},
        "mean probability of the class along certainty": along,
        "absence": {"sd": p.std(0).mean().item(), "max": (p.amax(0) - p.amin(0)).max().item(), "inputs": len(p)},
        "neutrality": neutrality(model, values, PRIOR),
    }


TRAININGS = {
    "mnist": Training(MnistNet, ((RECIPE, training_batch),), evaluate),
    "mnist-plain": Training(MnistPlainNet, ((RECIPE, plain_batch),), evaluate),
    "mnist-blocks": Training(partial(load_model, "mnist"), ((BLOCKS, blocks_batch),), evaluate),
    "mnist-owen": Training(partial(load_model, "mnist-blocks"), ((OWEN, owen_batch),), evaluate),
    "mnist-small": Training(MnistSmallNet, ((RECIPE, training_batch),), evaluate),
}
