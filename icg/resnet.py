"""The certainty-aware ResNet: an ordinary one of torchvision behind a front that takes a certainty (paper, A.4.1)."""

from pathlib import Path

import torch
from torch import Tensor, nn

from .arguments import check_positive
from .aware import IMAGENET_MEAN, IMAGENET_STD, new_front, open_front


class CertaintyResNet(nn.Module):
    """A torchvision ResNet that takes a certainty (paper, A.4.1): see :func:`certainty_resnet`.

    Input: joined ``(N, 4, H, W)``, RGB in [0, 1] and certainty, H and W at least 32. Output: logits ``(N, K)``.

    Colours are normalised inside, with ImageNet's mean and standard deviation. A 1x1 convolution with ReLU and without
    batch norm mixes colours and certainty into ``front`` channels, which the stem takes instead of three. If ``gated``,
    normalised colours are multiplied by their certainty before: at certainty 0 nothing of them can pass.

    Attributes:
        config: the arguments that build the same network again, whatever it began with; a card keeps them.
        input_shape: ``(4, size, size)``, what it is meant for; other sizes work too.
    """

    certainty_aware = True

    def __init__(
        self,
        arch: str = "resnet50",
        num_classes: int = 10,
        front: int = 64,
        size: int = 128,
        zero_init: bool = False,
        gated: bool = False,
    ):
        super().__init__()
        from torchvision import models  # slow to import

        known = [name for name in models.list_models(module=models) if "resne" in name]
        if arch not in known:
            raise ValueError(f"expected arch to be one of torchvision's ResNets ({', '.join(known)}), got {arch!r}")
        num_classes, front = check_positive("num_classes", num_classes, 2), check_positive("front", front, 6)
        size = check_positive("size", size, 32)
        self.config = {"arch": arch, "num_classes": num_classes, "front": front, "size": size}
        self.config |= {"gated": True} if gated else {}
        self.input_shape = (4, size, size)
        # Certainty, the fourth channel, stays as it is.
        self.register_buffer("mean", torch.tensor([*IMAGENET_MEAN, 0.0]).view(4, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor([*IMAGENET_STD, 1.0]).view(4, 1, 1), persistent=False)
        self.front = new_front(4, front)
        self.resnet = models.get_model(arch, weights=None, num_classes=num_classes, zero_init_residual=zero_init)
        self.resnet.conv1 = nn.Conv2d(front, self.resnet.conv1.out_channels, 7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(self.resnet.conv1.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, joined: Tensor) -> Tensor:
        if joined.ndim != 4 or joined.shape[1] != 4 or min(joined.shape[2:]) < 32:
            raise ValueError(
                "expected joined inputs of shape (N, 4, H, W), RGB and certainty, H and W at least 32, "
                f"got {tuple(joined.shape)}"
            )
        joined = (joined - self.mean) / self.std
        if "gated" in self.config:
            joined = torch.cat([joined[:, :3] * joined[:, 3:], joined[:, 3:]], 1)
        return self.resnet(self.front(joined).relu())


GATE = 2.7  # more than any normalised colour: (1 - 0.406) / 0.225 = 2.64


def certainty_resnet(
    arch: str = "resnet50",
    num_classes: int = 10,
    *,
    checkpoint: dict[str, Tensor] | str | Path | None = None,
    front: int = 64,
    size: int = 128,
    zero_init: bool = False,
) -> CertaintyResNet:
    """A ResNet with a certainty channel, untrained or starting from an ordinary torchvision ResNet.

    Args:
        arch: a torchvision ResNet by name ("resnet18", "resnet50", "wide_resnet50_2", "resnext50_32x4d", …).
        num_classes: K.
        checkpoint: a torchvision state dict of the same ``arch``, or a file of one. The network then computes at
            certainty 1 what the checkpoint computed (on normalised colours), and at certainty 0 nothing of the values
            passes. Without ``fc.weight`` and ``fc.bias`` in it, the last layer is a fresh one.
        front: channels after the 1x1 convolution; the paper has 64.
        size: side of the images that it is meant for; others work too.
        zero_init: every residual block begins as doing nothing (the weight of its last batch norm is 0), which lets
            deep networks learn faster at first; a checkpoint takes its place.

    Raises:
        ValueError: an unknown ``arch``, or a checkpoint that can't be read or doesn't fit.

    Source: paper, A.4.1.

    >>> certainty_resnet("resnet18")(torch.zeros(1, 4, 64, 64)).shape
    torch.Size([1, 10])
    """
    model = CertaintyResNet(arch, num_classes, front, size, zero_init)
    if checkpoint is None:
        return model
    if not isinstance(checkpoint, dict):
        try:
            checkpoint = torch.load(checkpoint, map_location="cpu", weights_only=True)
        except Exception as error:
            raise ValueError(f"can't read the checkpoint {checkpoint} ({type(error).__name__}: {error})") from None
    state = {**model.resnet.state_dict(), **checkpoint}
    stem = state.pop("conv1.weight")
    missing = [key for key in model.resnet.state_dict() if key not in checkpoint and not key.startswith("fc.")]
    if missing or stem.ndim != 4 or stem.shape[1] != 3:
        found = f"{missing[0]} is missing" if missing else f"conv1.weight has the shape {tuple(stem.shape)}"
        raise ValueError(f"expected a checkpoint of torchvision's {arch}, with three input channels; {found}")
    classes = state["fc.weight"].shape[0]
    if classes != num_classes:
        raise ValueError(
            f"the checkpoint tells {classes} classes apart: expected num_classes={classes}, got {num_classes}; "
            "for a fresh last layer leave fc.weight and fc.bias out of the state dict"
        )
    state["conv1.weight"] = open_front(model.front, stem, GATE)
    try:
        model.resnet.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).splitlines()[1:2]).strip()
        raise ValueError(f"the checkpoint is not one of torchvision's {arch}: {reason}") from None
    return model
