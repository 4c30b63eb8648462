"""Certainty-aware classifiers by name, of torchvision or timm: untrained, or from a checkpoint of the plain network."""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from icg.aware import CertaintyAware
from icg_book.scenarios.imagenette import aware_classifier, vit_small

LEAST = 16  # pixels of a side


def classifier(
    arch: str, num_classes: int, size: int, *, front: int = 16, how: str | None = None, checkpoint: dict | None = None
) -> CertaintyAware:
    """A classifier of photographs with a certainty channel, see :func:`icg.make_certainty_aware`.

    Colours are normalised inside, with ImageNet's mean and standard deviation.

    Args:
        arch: a classifier of torchvision ("resnet18", "efficientnet_b0", "convnext_tiny", "vit_b_16", …), or one of
            timm, as "timm/NAME"; or "vit_small", a transformer for small pictures.
        num_classes: K. size: side of the images.
        checkpoint: a state dict of the plain network, see :func:`read_checkpoint`. A last layer for another number of
            classes is left out, and begins anew.

    Raises:
        ValueError: an unknown ``arch``, one that can't take such images, or a checkpoint that doesn't fit.
    """
    if num_classes < 2:
        raise ValueError(f"expected at least two classes, got {num_classes}")
    if size < LEAST:
        raise ValueError(f"expected images of {LEAST} pixels or more, got {size}")
    network = _plain(arch, num_classes, size)
    if checkpoint is not None:
        _start(network, checkpoint, arch, num_classes, size)
    try:
        return aware_classifier(network, arch, num_classes, size, front, how)
    except ValueError as error:
        raise ValueError(f"{arch} with images of {size} pixels: {error}") from None


def _plain(arch: str, num_classes: int, size: int) -> nn.Module:
    from torchvision import models  # slow to import

    if arch == "vit_small":
        return vit_small(num_classes, size)
    if arch.startswith("timm/"):
        try:
            import timm
        except ImportError:
            raise ValueError(f"{arch} needs the package timm: pip install timm") from None
        make = timm.create_model
        name, options = arch.removeprefix("timm/"), {}
        if name not in timm.list_models():
            raise ValueError(f"expected one of timm.list_models(), got {name!r}")
    else:
        make, name, options = models.get_model, arch, {"weights": None}
        known = models.list_models(module=models)
        if arch not in known:
            raise ValueError(f"expected arch to be one of {', '.join(known)}, vit_small, or timm/NAME, got {arch!r}")
    for sides in ({"image_size": size}, {"img_size": size}, {"input_size": (size, size)}, {}):
        try:  # some have to know the size of their images
            return make(name, num_classes=num_classes, **options, **sides)
        except TypeError:
            pass
        except (AssertionError, ValueError) as error:
            raise ValueError(f"{arch} with images of {size} pixels: {error}") from None
    raise ValueError(f"can't build {arch}")


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The state dict in a file of ``torch.save`` or safetensors; one under "state_dict" or "model" is found there.

    Raises:
        ValueError: not there, or no state dict.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"the checkpoint {path} is not there")
    try:
        if path.suffix == ".safetensors":
            found = load_file(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        said = str(error).splitlines()[0] if str(error) else ""
        raise ValueError(f"can't read the checkpoint {path} ({type(error).__name__}: {said})") from None
    for key in ("state_dict", "model"):
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not found or not all(isinstance(value, Tensor) for value in found.values()):
        raise ValueError(f"expected a state dict in {path}, got {type(found).__name__}")
    return {name.removeprefix("module."): value for name, value in found.items()}


def _start(network: nn.Module, checkpoint: dict[str, Tensor], arch: str, num_classes: int, size: int) -> None:
    """Load a checkpoint, all but a last layer of other classes."""
    own = network.state_dict()
    with torch.device("meta"):
        other = _plain(arch, num_classes + 1, size).state_dict()
    head = {name for name, value in own.items() if value.shape != other[name].shape}
    for name, value in own.items():
        given = checkpoint.get(name)
        if given is None and name not in head and not name.endswith("num_batches_tracked"):
            raise ValueError(f"expected a checkpoint of {arch}; {name} is missing")
        if given is not None and given.shape != value.shape and name not in head:
            shapes = f"{tuple(value.shape)}, got {tuple(given.shape)}"
            raise ValueError(f"the checkpoint is not one of {arch} for three channels: expected {name} {shapes}")
    fits = {name: value for name, value in checkpoint.items() if name in own and value.shape == own[name].shape}
    network.load_state_dict({**own, **fits})
