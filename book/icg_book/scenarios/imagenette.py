"""Imagenette: ten classes of real photographs, and a certainty-aware ResNet for them (paper, A.4.1).

The photographs are those of :mod:`icg_book.scenarios.photographs`.

A training batch is made of tensor operations only, on the device of the training: random crops, flips, mild changes of
colour, then damage. Everything random comes from the generator that the training loop hands over.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm.auto import tqdm

from icg.artifacts import load_model
from icg.aware import IMAGENET_MEAN, IMAGENET_STD, CertaintyAware, make_certainty_aware
from icg.certainty import join
from icg.damage import another_sample, bernoulli_certainty, certainty_batch, damage, meaningless, uniform_noise
from icg.measures import neutrality, probabilities
from icg.resnet import CertaintyResNet
from icg.training import Recipe
from icg_book.kit.pictures import SIDE, resize
from icg_book.kit.records import write_json
from icg_book.kit.trainings import Plan, Stage, adapted
from icg_book.scenarios.photographs import CLASSES, COUNTS, Photographs, files, photographs

# ---------------------------------------------------------------------------------------------------------------
# Training
# ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PhotoRecipe(Recipe):
    """A recipe for photographs; all shares are of the steps or of a batch.

    Attributes:
        arch, front, zero_init: of :func:`icg.resnet.certainty_resnet`; or arch "vit_small", see :func:`vit_small`.
        sizes: side of the images from a share of the steps on, e.g. ``((0.0, 64), (0.5, 96))``.
        least_crop: smallest random crop, as a share of the stored square's area.
        colour: largest change of brightness, contrast and saturation, as a factor.
        smoothing: of the labels, towards the class frequencies.
        damaged, blocks, absent, whole, least: shares of a batch, and the fewest blocks along an axis, see
            :func:`icg.damage.certainty_batch`.
        grow: share of the steps, from the start, in which damage grows from nothing to those shares.
        gated: of :class:`icg.resnet.CertaintyResNet`.
        start: name of the shipped weights that the first stage begins with; an untrained network if None.
        teacher: name of a shipped network that sees the undamaged photograph; ``taught`` is the share of a target that
            is what it says of it (distillation).
    """

    arch: str = "resnet50"
    front: int = 64
    zero_init: bool = False
    sizes: tuple[tuple[float, int], ...] = ((0.0, 128),)
    least_crop: float = 0.35
    colour: float = 0.3
    smoothing: float = 0.05
    damaged: float = 0.45
    blocks: float = 0.2
    absent: float = 0.05
    whole: float = 0.5
    least: int = 1
    grow: float = 0.05
    gated: bool = False
    start: str | None = None
    teacher: str | None = None
    taught: float = 0.7

    def size(self, step: int) -> int:
        """Side of the images at a step."""
        return [size for start, size in self.sizes if step >= start * self.steps][-1]


def epochs(n: float, batch_size: int) -> int:
    """Steps of ``n`` epochs."""
    return round(n * COUNTS["train"] / batch_size)


# The average of the weights (``average``) smooths the learning curve; at the end, when the learning rate has fallen to
# nothing, it gives nothing: of 1,000 photographs 83.9 % are right with it and 83.8 % without (ResNet-18).
_GPU = PhotoRecipe(  # the whole training set lies in its memory
    arch="resnet50",
    zero_init=True,  # without it, on a CPU: 10 points behind the ResNet-18 after 10 epochs, 7 after 24
    sizes=((0.0, 96), (0.4, 128), (0.8, 160)),
    steps=epochs(80, 128),
    batch_size=128,
    lr=2e-3,
    warmup=500,
    weight_decay=0.05,
    average=0.998,
    low_precision=1.0,
)
# For one CPU thread. 16 channels instead of the paper's 64 before the stem: with 64 the stem costs more than all the
# rest of so small a network.
_SMALL = PhotoRecipe(
    arch="resnet18",
    front=16,
    sizes=((0.0, 64), (0.45, 96), (0.8, 128)),
    steps=epochs(36, 64),
    batch_size=64,
    lr=2e-3,
    warmup=200,
    weight_decay=0.05,
    average=0.997,
    low_precision=1.0,
)
_SMALL_SECOND = replace(_SMALL, sizes=((0.0, 128),), steps=epochs(20, 64), lr=1e-3, warmup=100, grow=0.0, seed=1)
# From the weights that are shipped, with more of what makes a path fair: blocks with certainties of their own, and a
# gate. Its teacher is the plain twin, which is right more often.
_SMALL_BLOCKS = replace(
    _SMALL,
    sizes=((0.0, 96), (0.4, 128)),
    steps=epochs(16, 64),
    lr=1.2e-3,
    warmup=150,
    damaged=0.2,
    blocks=0.3,
    whole=0.2,
    gated=True,
    start="imagenette-resnet18",
    teacher="imagenette-resnet18-plain",
    seed=2,
)
# The same without the gate, and with small blocks only, as on Burnt Snacks: is it the blocks, or the gate?
_SMALL_OPEN = replace(
    _SMALL_BLOCKS, sizes=((0.0, 128),), steps=epochs(9, 64), lr=8e-4, whole=0.0, least=4, gated=False, seed=3
)
# A small transformer, about an hour of one thread. The plain ResNet teaches it: transformers learn slowly from so few
# photographs.
_VIT = replace(
    _SMALL_BLOCKS,
    arch="vit_small",
    sizes=((0.0, 64),),
    steps=epochs(45, 128),
    batch_size=128,
    lr=1.5e-3,
    warmup=300,
    average=0.995,
    low_precision=0.0,
    grow=0.2,
    gated=False,
    start=None,
    seed=0,
)
# The stages of each training. The plain twin is the same network with the budget of the first stage, which never meets
# damage: its certainty is always 1. The two are to be compared after that stage.
RECIPES = {
    "imagenette-resnet50": (_GPU,),
    "imagenette-resnet18": (_SMALL, _SMALL_SECOND),
    "imagenette-resnet18-plain": (replace(_SMALL, damaged=0.0, blocks=0.0, absent=0.0),),
    "imagenette-resnet18-blocks": (_SMALL_BLOCKS,),
    "imagenette-resnet18-small-blocks": (_SMALL_OPEN,),
    "imagenette-vit": (_VIT,),
}
# Where there is no GPU: as many epochs as the small network gets at first, and then 16 more at a fresh learning rate on
# larger images, in about six hours of one thread. The first stage alone ends below the small network: it is a little
# behind on images of 64 pixels, and more on larger ones, of which it sees fewer.
_FIRST = replace(
    _GPU,
    sizes=((0.0, 64), (0.65, 96), (0.9, 128)),
    steps=epochs(36, 64),
    batch_size=64,
    lr=1.5e-3,
    warmup=200,
    average=0.997,
)
_SECOND = replace(_FIRST, sizes=((0.0, 96), (0.7, 128)), steps=epochs(16, 64), lr=8e-4, warmup=100, grow=0.0, seed=1)
ON_A_CPU = {"imagenette-resnet50": (_FIRST, _SECOND)}


def recipes_for(name: str, device: str | torch.device = "cpu") -> tuple[PhotoRecipe, ...]:
    """The stages of training a network of ``RECIPES`` on a device: on a CPU those of ``ON_A_CPU``, if there are any."""
    if torch.device(device).type == "cpu" and name in ON_A_CPU:
        return ON_A_CPU[name]
    return RECIPES[name]


@dataclass(frozen=True)
class PhotoTraining:
    """The training of a network of ``RECIPES``, in the place of a :class:`icg_book.kit.trainings.Training`.

    Its stages depend on the device, its batches on the recipe as it is run, and it keeps a learning curve.
    """

    name: str
    half: bool = True

    def plan(self, *, steps: int | None = None, seed: int = 0, device="cpu", curve: Path) -> Plan:
        """Get ready: fetch and load the photographs.

        Args:
            steps: of each stage; default: the recipe's.
            seed: is added to those of the recipes.
            curve: file of the learning curve: every two epochs the accuracy of 1,000 validation photographs is added,
                and at the end of a stage that of all of them (``images`` says so).

        Raises:
            ValueError: the photographs are missing.
        """
        recipes = [adapted(recipe, steps, seed) for recipe in recipes_for(self.name, device)]
        slow = self.name in ON_A_CPU and torch.device(device).type == "cpu"  # a large network where there is no GPU
        files("val")  # what is missing is fetched, or said, before the work starts
        train, val = photographs("train"), photographs("val")
        everything, some = torch.arange(len(val)), _shuffled(len(val), 0)[:1000]
        last = recipes[-1]

        def make() -> CertaintyResNet | CertaintyAware:
            size = last.size(last.steps)
            if last.arch == "vit_small":
                return aware_vit(len(CLASSES), size, last.front)
            model = CertaintyResNet(last.arch, len(CLASSES), last.front, size, last.zero_init, last.gated)
            if recipes[0].start is not None:
                model.load_state_dict(load_model(recipes[0].start).state_dict())
            return model

        def known() -> dict:
            return json.loads(curve.read_text()) if curve.exists() else {}

        def watcher(recipe: PhotoRecipe, before: int) -> Callable:
            def watch(step: int, model) -> None:
                which, size = everything if step == recipe.steps else some, recipe.size(step)
                point = {"accuracy": round(right(model, val, which, size).mean().item(), 4), "size": size}
                if which is everything:
                    point["images"] = len(val)
                write_json(curve, {**known(), str(before + step): point})

            return watch

        def measure(model) -> dict:
            measured = evaluate(model, data=val, n_curve=500 if slow else 1000)
            return {**measured, "learning curve": {"images": len(some), "steps": known()}}

        stages = [
            Stage(
                recipe,
                training_batches(train, recipe, device=device),
                watcher(recipe, sum(earlier.steps for earlier in recipes[:number])),
                epochs(2, recipe.batch_size),
            )
            for number, recipe in enumerate(recipes)
        ]
        return Plan(make, stages, measure)


TRAININGS = {name: PhotoTraining(name) for name in RECIPES}


def vit_small(num_classes: int, image_size: int) -> nn.Module:
    """A vision transformer for small pictures: patches of 8 x 8 pixels, 6 layers of 4 heads, 128 features; 0.8 million
    parameters. torchvision's smallest one has a hundred times as many.

    Raises:
        ValueError: a side that 8 doesn't divide.
    """
    from torchvision.models import VisionTransformer  # slow to import

    if image_size % 8:
        raise ValueError(f"expected a side of whole patches of 8 pixels, got {image_size}")
    return VisionTransformer(image_size, 8, 6, 4, 128, 256, num_classes=num_classes)


def aware_vit(num_classes: int, size: int, front: int = 16) -> CertaintyAware:
    """:func:`vit_small` with a certainty channel: a patch of certainty 0 is a masked token."""
    return aware_classifier(vit_small(num_classes, size), "vit_small", num_classes, size, front)


def aware_classifier(
    network: nn.Module, arch: str, num_classes: int, size: int, front: int, how: str | None = None
) -> CertaintyAware:
    """A classifier of photographs with a certainty channel, see :func:`icg.make_certainty_aware`; normalises colours.

    Its ``config`` is what builds it again (:func:`icg_book.own_network.networks.classifier`); a card keeps it.
    """
    shape, colours = (3, size, size), {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}
    model = make_certainty_aware(network, shape, **colours, front=front, how=how)
    model.config = {"arch": arch, "num_classes": num_classes, "size": size, "front": front, "how": model.how}
    return model


def samples(n: int, shape: tuple[int, int, int], *, generator: torch.Generator) -> Tensor:
    """``n`` training photographs at random, ``(n, *shape)``; nothing is downloaded.

    Raises:
        ValueError: the photographs are missing.
    """
    images = photographs("train", download=False).images
    return resize(images[torch.randperm(len(images), generator=generator)[:n]], shape[-1])


def training_batches(
    data: Photographs, recipe: PhotoRecipe, *, device: str | torch.device = "cpu", mirrored: float = 0.5
):
    """The batch function for :func:`icg.training.train`; every epoch shows every photograph once, in a new order.

    Args:
        mirrored: share of the photographs that are shown mirrored.
    """
    images, labels = data.images, data.labels
    if torch.device(device).type != "cpu":
        images, labels = images.to(device), labels.to(device)
    prior = functional.one_hot(data.labels).float().mean(0).to(device)
    teacher = None
    if recipe.teacher is not None:
        teacher = load_model(recipe.teacher, device=device).to(memory_format=torch.channels_last)

    def batch(step: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        index = epoch_order(step, recipe.batch_size, len(data), recipe.seed).to(images.device)
        size, least = recipe.size(step), recipe.least_crop
        values = random_crops(images[index], size, least=least, mirrored=mirrored, generator=generator)
        values = recolour(values, recipe.colour, generator=generator)
        grown = min(1.0, step / max(1.0, recipe.grow * recipe.steps))
        inputs, targets = certainty_batch(
            values,
            labels[index],
            damaged=recipe.damaged * grown,
            blocks=recipe.blocks * grown,
            whole=recipe.whole,
            least=recipe.least,
            absent=recipe.absent * grown,
            prior=prior,
            generator=generator,
        )
        if teacher is not None:
            shown = join(values).contiguous(memory_format=torch.channels_last)
            with torch.no_grad(), torch.autocast(torch.device(device).type, torch.bfloat16):
                said = teacher(shown).float().softmax(1)
            known = inputs[:, -1].flatten(1).amax(1) > 0  # the others' target is the prior
            targets = torch.where(known[:, None], targets.lerp(said, recipe.taught), targets)
        targets = (1 - recipe.smoothing) * targets + recipe.smoothing * prior
        return inputs.contiguous(memory_format=torch.channels_last), targets

    return batch


def epoch_order(step: int, batch_size: int, n: int, seed: int) -> Tensor:
    """Which of ``n`` samples a step shows, ``(batch_size,)``: one endless row of permutations, cut into batches."""
    index = []
    for place in range(step * batch_size, (step + 1) * batch_size):
        epoch, at = divmod(place, n)
        if not index or at == 0:
            order = torch.randperm(n, generator=torch.Generator().manual_seed((seed + 1) * 1_000_003 + epoch)).tolist()
        index.append(order[at])
    return torch.tensor(index)


def random_crops(images: Tensor, size: int, *, least: float = 0.35, mirrored: float = 0.5, generator=None) -> Tensor:
    """Random crops, some of them mirrored, resized: ``(N, H, W, 3)`` uint8 to ``(N, 3, size, size)`` in [0, 1].

    Each has between ``least`` and all of the area and sides of a ratio between 3 : 4 and 4 : 3.
    """
    n, side = len(images), min(images.shape[1:3])
    where = generator.device if generator is not None else images.device
    area, ratio, x, y, mirror = torch.rand(5, n, generator=generator, device=where).to(images.device)
    area, ratio = least + (1 - least) * area, (4 / 3) ** (2 * ratio - 1)
    width, height = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    theta = torch.zeros(n, 2, 3, device=images.device)  # maps an output's coordinates, -1 to 1, to an input's
    theta[:, 0, 0] = torch.where(mirror < 1 - mirrored, width, -width)
    theta[:, 0, 2] = (1 - width) * (2 * x - 1)
    theta[:, 1, 1] = height
    theta[:, 1, 2] = (1 - height) * (2 * y - 1)
    # Bilinear sampling looks at two neighbours only: what is to become small is sampled twice as fine and averaged.
    fine = 2 if 1.5 * size <= side else 1
    grid = functional.affine_grid(theta, [n, 3, fine * size, fine * size], align_corners=False)
    values = images.permute(0, 3, 1, 2).float() / 255
    values = functional.grid_sample(values, grid, padding_mode="border", align_corners=False)
    return (functional.avg_pool2d(values, fine) if fine > 1 else values).clamp(0, 1)


def recolour(values: Tensor, strength: float, *, generator=None) -> Tensor:
    """Change brightness, contrast and saturation of each image by factors in 1 +- ``strength``; stays in [0, 1]."""
    where = generator.device if generator is not None else values.device
    factors = 1 + strength * (2 * torch.rand(3, len(values), 1, 1, 1, generator=generator, device=where) - 1)
    brightness, contrast, saturation = factors.to(values)
    values = brightness * values
    values = torch.lerp(values.mean((1, 2, 3), keepdim=True), values, contrast)
    return torch.lerp(values.mean(1, keepdim=True), values, saturation).clamp(0, 1)


# ---------------------------------------------------------------------------------------------------------------
# Evaluation
# ---------------------------------------------------------------------------------------------------------------


def right(model, data: Photographs, index: Tensor, size: int, change: Callable[[Tensor], Tensor] = join) -> Tensor:
    """Which of the photographs ``index`` the model gets right, ``(len(index),)`` float64 of zeros and ones.

    Args:
        change: makes joined inputs of values ``(n, 3, size, size)``; default: undamaged, certainty 1.
    """
    device = next(model.parameters()).device
    found = []
    with torch.no_grad():
        for part in index.split(100):
            values = resize(data.images[part].to(device), size)
            inputs = change(values).contiguous(memory_format=torch.channels_last)  # a quarter faster on a CPU
            found.append(model(inputs).argmax(1).cpu() == data.labels[part])
    return torch.cat(found).double()


def _shuffled(n: int, seed: int) -> Tensor:
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))


def evaluate(model, *, data: Photographs | None = None, n_curve: int = 1000, seed: int = 1, progress=True) -> dict:
    """What a card says of a model: accuracy, alone and against certainty, and what it says when nothing is known.

    Args:
        data: default: the validation photographs, their middle squares.
        n_curve: photographs for what is measured at many certainties (drawn by ``seed``).

    Returns:
        Dictionary of shares in [0, 1]. ``accuracy``: of undamaged photographs at the model's size (``all``, each
        class, ``size``, ``images``); ``accuracy at 160``; ``accuracy against certainty``: lists over ``certainty`` for
        intact photographs at one certainty everywhere (``uniform``) and for photographs that have lost each position
        with that probability's complement (``noise``, ``another photograph``; binary certainty); ``neutrality`` and
        ``absence`` of 256 photographs: :func:`when_nothing_is_known`.
    """
    data = photographs("val") if data is None else data
    device, size = next(model.parameters()).device, model.input_shape[-1]

    everything = torch.arange(len(data))
    hits = right(model, data, everything, size)
    metrics = {"accuracy": {"all": hits.mean().item(), "images": len(data), "size": size}}
    for label, name in enumerate(CLASSES):
        if (here := data.labels == label).any():
            metrics["accuracy"][name] = hits[here].mean().item()
    if not isinstance(model, CertaintyAware):  # which may take one size only
        metrics[f"accuracy at {SIDE}"] = right(model, data, everything, SIDE).mean().item()

    # Shuffled: another photograph of the batch should not be one of the same class.
    some = _shuffled(len(data), seed)[:n_curve]
    grid = [round(0.1 * k, 1) for k in range(11)]
    curves = {"certainty": grid, "uniform": [], "noise": [], "another photograph": [], "images": len(some)}
    for c in tqdm(grid, "accuracy against certainty", disable=not progress):
        hits = right(model, data, some, size, lambda values, c=c: join(values, c))
        curves["uniform"].append(hits.mean().item())
        for kind, draw in (("noise", uniform_noise), ("another photograph", another_sample)):
            generator = torch.Generator(device).manual_seed(seed)

            def change(values, c=c, draw=draw, generator=generator):
                shape = (len(values), 1, *values.shape[2:])
                certainty = bernoulli_certainty(torch.full((len(values),), c).to(values), shape, generator=generator)
                lost = draw(values, generator=generator)
                return join(damage(values, certainty, lost, generator=generator), certainty)

            curves[kind].append(right(model, data, some, size, change).mean().item())
    metrics["accuracy against certainty"] = curves

    generator = torch.Generator(device).manual_seed(seed)
    shown = resize(data.images[some[:256]].to(device), size)
    prior = functional.one_hot(data.labels, len(CLASSES)).double().mean(0)
    return metrics | when_nothing_is_known(model, shown, prior, generator=generator)


def when_nothing_is_known(model, shown: Tensor, prior: Tensor, *, generator: torch.Generator) -> dict:
    """What a prediction at certainty 0 still owes to the values: of ``shown``, and of as many that mean nothing.

    Returns:
        ``absence``: the standard deviation of a probability (``sd``, mean over classes) and its largest difference
        (``max``). ``neutrality``: the largest distance of a mean probability of ``shown`` from ``prior`` ``(K,)``.
    """
    p = probabilities(model, torch.cat([shown, meaningless(shown, generator=generator)]), 0.0).double()
    return {
        "neutrality": {"all": neutrality(model, shown, prior), "images": len(shown)},
        "absence": {"sd": p.std(0).mean().item(), "max": (p.amax(0) - p.amin(0)).max().item(), "inputs": len(p)},
    }
