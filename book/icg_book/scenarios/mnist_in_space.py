"""MNIST in Space (paper, A.4.2): the digits of MNIST on a canvas twice as wide as they are.

Training sees digits on the left only. A network whose answer does not depend on the place (:mod:`icg.models`) reads
them on the right as well, out of its training distribution: there an attribution either follows the model, or shows the
training set.
"""

from dataclasses import replace

import torch
from torch import Tensor

from icg.certainty import is_certainty_aware
from icg.models import MnistInSpaceNet, MnistInSpacePlainNet
from icg_book.kit.trainings import Training
from icg_book.scenarios import mnist
from icg_book.scenarios.mnist import CLASSES, Digits

HEIGHT, WIDTH = 32, 64  # of the canvas
TOP = 2  # of a digit's 28 x 28 square, before the shift
PLACEMENTS = {"left": 3, "middle": 18, "right": 33}  # its left edge; right is left's mirror image
SHIFT = 2  # largest shift, in whole pixels, either way


def place(images: Tensor, left: Tensor | int, top: Tensor | int = TOP) -> Tensor:
    """Put images ``(N, 1, 28, 28)`` on black canvases ``(N, 1, 32, 64)``.

    Args:
        left: column of the left edge of the square, 0 to 36, one number or ``(N,)`` int64.
        top: row of its upper edge, 0 to 4.

    Raises:
        ValueError: a square that is not wholly on the canvas.

    >>> place(torch.ones(1, 1, 28, 28), PLACEMENTS["right"])[0, 0, 16].nonzero().flatten()[[0, -1]]
    tensor([33, 60])
    """
    n, (height, width) = len(images), images.shape[-2:]
    corners = []
    for name, corner, room in (("left", left, WIDTH - width), ("top", top, HEIGHT - height)):
        corner = torch.as_tensor(corner, device=images.device).expand(n)
        if n and not 0 <= int(corner.min()) <= int(corner.max()) <= room:
            raise ValueError(f"expected {name} in 0 to {room}, got {int(corner.min())} to {int(corner.max())}")
        corners.append(corner[:, None])
    columns = corners[0] + torch.arange(width, device=images.device)
    rows = corners[1] + torch.arange(height, device=images.device)
    canvas = images.new_zeros(n, 1, HEIGHT, WIDTH)
    canvas[torch.arange(n, device=images.device)[:, None, None], 0, rows[:, :, None], columns[:, None, :]] = images[
        :, 0
    ]
    return canvas


def scatter(images: Tensor, placement: str, *, generator=None) -> Tensor:
    """Put images ``(N, 1, 28, 28)`` at a placement, each shifted at random by up to 2 pixels: ``(N, 1, 32, 64)``.

    Args:
        placement: "left", "middle" or "right".
    """
    if placement not in PLACEMENTS:
        raise ValueError(f"expected placement to be one of {', '.join(PLACEMENTS)}, got {placement!r}")
    down, right = torch.randint(-SHIFT, SHIFT + 1, (2, len(images)), generator=generator, device=images.device)
    return place(images, PLACEMENTS[placement] + right, TOP + down)


def load(split: str, placement: str, *, generator=None, download: bool = True) -> Digits:
    """A whole set of MNIST in Space: ``images`` are ``(N, 1, 32, 64)``; see :func:`icg_book.scenarios.mnist.load`."""
    data = mnist.load(split, download=download)
    return Digits(scatter(data.images, placement, generator=generator), data.labels)


def samples(n: int, shape: tuple[int, int, int], *, generator: torch.Generator) -> Tensor:
    """``n`` training images at random, ``(n, *shape)``, with digits on the left; nothing is downloaded.

    Raises:
        ValueError: the digits are missing.
    """
    images = load("train", "left", generator=generator, download=False).images
    return images[torch.randperm(len(images), generator=generator)[:n]]


# ---------------------------------------------------------------------------------------------------------------
# Training
# ---------------------------------------------------------------------------------------------------------------

RECIPE = replace(mnist.RECIPE, steps=8000, low_precision=0.95)
WIDTHS = (32, 36, 64)  # of the canvases in training; each batch has one of them


def draw(n: int, *, generator) -> Digits:
    """Training digits at random, on the left, half a little turned and scaled: ``(N, 1, 32, W)``.

    On a canvas of 64, windows to the right of a digit on the left are always there, and the network comes to rely on
    them; a digit on the right has none, and is misread several times as often. So two batches of three do without most
    of the empty part of the canvas, which also saves time.
    """
    data = mnist.draw(n, shift=0.0, generator=generator)
    canvases = scatter(data.images, "left", generator=generator)
    width = WIDTHS[torch.randint(len(WIDTHS), (), generator=generator, device=generator.device).item()]
    return Digits(canvases[..., :width], data.labels)


def training_batch(step: int, generator) -> tuple[Tensor, Tensor]:
    """One batch for :func:`icg.training.train`: joined inputs ``(N, 2, 32, W)`` and target distributions ``(N, 10)``;
    damaged as in :func:`icg_book.scenarios.mnist.training_batch`."""
    return mnist.damaged_batch(draw(RECIPE.batch_size, generator=generator), step, generator)


def plain_batch(step: int, generator) -> tuple[Tensor, Tensor]:
    """One batch for the plain twin: undamaged images ``(N, 1, 32, W)`` and labels ``(N,)``."""
    data = draw(RECIPE.batch_size, generator=generator)
    return data.images, data.labels


# ---------------------------------------------------------------------------------------------------------------
# Evaluation
# ---------------------------------------------------------------------------------------------------------------


def evaluate(
    model,
    *,
    data: Digits | None = None,
    n_columns: int = 1000,
    n_damaged: int = 2000,
    n_absence: int = 500,
    seed: int = 1,
) -> dict:
    """What a card says of a model: accuracy on the whole official test set at each placement, with intervals.

    Args:
        data: test digits ``(N, 1, 28, 28)``; the official ones if not given.
        n_columns: digits for the accuracy against the column.

    Returns:
        ``accuracy``: at the left, where training was (``all``, ``low``, ``high``, ``images`` and each class), and the
        same at the ``middle`` and the ``right``. ``accuracy against column``: the same digits with their left edge at
        every ``column`` from 0 to 36. ``same answer``: share of the digits that get the same answer on the right as on
        the left. For a certainty-aware model also :func:`icg_book.scenarios.mnist.understanding`, at the left.
    """
    data = mnist.load("test") if data is None else data
    predicted, accuracy = {}, {}
    for placement in PLACEMENTS:
        generator = torch.Generator().manual_seed(seed)  # the same shifts at each
        canvases = scatter(data.images, placement, generator=generator)
        predicted[placement] = mnist.predict(model, canvases)
        accuracy[placement] = mnist.share(predicted[placement] == data.labels)
    right = predicted["left"] == data.labels
    accuracy |= accuracy.pop("left")
    for label, name in enumerate(CLASSES):
        if (here := data.labels == label).any():
            accuracy[name] = right[here].double().mean().item()

    order = mnist.shuffled(len(data), seed)
    some = data[order[:n_columns]]
    columns = list(range(WIDTH - mnist.SIZE + 1))
    along = [(mnist.predict(model, place(some.images, c)) == some.labels).double().mean().item() for c in columns]
    metrics = {
        "accuracy": accuracy,
        "accuracy against column": {"column": columns, "accuracy": along, "images": len(some)},
        "same answer": (predicted["left"] == predicted["right"]).double().mean().item(),
    }
    if is_certainty_aware(model):
        shown = scatter(data.images, "left", generator=torch.Generator().manual_seed(seed))[order]
        some = Digits(shown, data.labels[order])
        metrics |= mnist.understanding(model, some[:n_damaged], some[:n_absence].images, seed=seed)
    return metrics


TRAININGS = {
    "mnist-in-space": Training(MnistInSpaceNet, ((RECIPE, training_batch),), evaluate),
    "mnist-in-space-plain": Training(MnistInSpacePlainNet, ((RECIPE, plain_batch),), evaluate),
}
