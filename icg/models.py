"""The paper's small networks, and what they are built of. All return logits; all but the plain twins take joined inputs
(values, then certainty)."""

from torch import Tensor, nn

from .arguments import check_positive
from .resnet import CertaintyResNet


class Checked(nn.Sequential):
    """Layers one after the other, which take inputs of one shape, ``input_shape``."""

    def forward(self, inputs: Tensor) -> Tensor:
        check_input(inputs, self.input_shape, joined=self.certainty_aware)
        return super().forward(inputs)


class BurntSnacksNet(Checked):
    """The network of the Burnt Snacks scenario (paper, figure 12): 343,538 parameters.

    Input: ``(N, 2, 50, 50)``, lightness in [0, 1] and certainty. Output: logits ``(N, 2)``.

    >>> import torch
    >>> BurntSnacksNet()(torch.zeros(1, 2, 50, 50)).shape
    torch.Size([1, 2])
    """

    certainty_aware = True
    input_shape = (2, 50, 50)

    def __init__(self):
        super().__init__(
            *conv(2, 32),  # 48
            *conv(32, 64),  # 46
            nn.MaxPool2d(2),  # 23
            nn.Dropout(0.2),
            *conv(64, 128),  # 21
            nn.ZeroPad2d((0, 1, 0, 1)),  # 22
            nn.MaxPool2d(2),  # 11
            *conv(128, 128, padding=1),
            nn.MaxPool2d(2),  # 5
            nn.Dropout(0.1),
            nn.Flatten(),
            nn.Linear(3200, 32),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Linear(32, 16),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(16, 2),
        )
        xavier_(self)


def conv(channels_in: int, channels_out: int, padding: int = 0) -> tuple[nn.Module, nn.Module]:
    """A 3 x 3 convolution and ReLU."""
    return nn.Conv2d(channels_in, channels_out, 3, padding=padding), nn.ReLU()


def xavier_(model: nn.Module) -> None:
    """Glorot uniform weights and zero biases, in place (paper, A.5)."""
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)


def check_input(inputs: Tensor, shape: tuple[int, ...], joined: bool = True) -> None:
    """Raise ``ValueError`` unless ``inputs`` is ``(N, *shape)``; ``joined`` says whether it has a certainty."""
    if tuple(inputs.shape[1:]) != shape:
        what, last = ("joined inputs", ", certainty last along dim 1") if joined else ("images", "")
        expected = f"{what} of shape (N, {', '.join(map(str, shape))}){last}"
        raise ValueError(f"expected {expected}, got {tuple(inputs.shape)}")


class LocalMinimumNet(nn.Module):
    """The network of the Local Minimum scenario (after figure 13 of the paper).

    One network, shared by the components, turns each one's value and certainty into a few numbers; their mean over the
    six components is all that the second network sees. (The paper says sum; its authors' code takes the mean.)

    ``LocalMinimumNet(width=500, features=1, hidden=20)`` is the paper's, with 1,255,843 parameters. One number per
    component can hardly say both what is known and how much of it is; and 500 units cost ten times as much as 64.

    Input: ``(N, 2, 6)``, values in [0, 1] and certainty. Output: logits ``(N, 2)``.

    Attributes:
        component: ``(..., 2)`` to ``(..., features)``, six layers of ``width`` units and one of ``features``.
        decision: ``(N, features)`` to ``(N, 2)``, four layers of ``hidden`` units and the logits.
        config: the arguments that build the same network again; a card keeps them.

    >>> import torch
    >>> LocalMinimumNet()(torch.zeros(1, 2, 6)).shape
    torch.Size([1, 2])
    """

    certainty_aware = True
    input_shape = (2, 6)

    def __init__(self, width: int = 64, features: int = 16, hidden: int = 64):
        super().__init__()
        given = {"width": width, "features": features, "hidden": hidden}
        self.config = {name: check_positive(name, number) for name, number in given.items()}
        width, features, hidden = self.config.values()
        self.component = nn.Sequential(*_leaky(2, *[width] * 6, features))
        self.decision = nn.Sequential(*_leaky(features, *[hidden] * 4), nn.Linear(hidden, 2))
        xavier_(self)

    def forward(self, joined: Tensor) -> Tensor:
        check_input(joined, self.input_shape)
        return self.decision(self.component(joined.movedim(1, 2)).mean(1))


def _leaky(*sizes: int) -> list[nn.Module]:
    pairs = zip(sizes[:-1], sizes[1:], strict=True)
    return [module for pair in pairs for module in (nn.Linear(*pair), nn.LeakyReLU(0.02))]


class MnistNet(Checked):
    """The network of MNIST (paper, figure 14): 262,250 parameters.

    Input: ``(N, 2, 28, 28)``, lightness in [0, 1] and certainty. Output: logits ``(N, 10)``.

    >>> import torch
    >>> MnistNet()(torch.zeros(1, 2, 28, 28)).shape
    torch.Size([1, 10])
    """

    certainty_aware = True
    input_shape = (2, 28, 28)

    def __init__(self):
        super().__init__(
            *conv(self.input_shape[0], 32),  # 26
            *conv(32, 64),  # 24
            nn.MaxPool2d(2),  # 12
            *conv(64, 64),  # 10
            nn.MaxPool2d(2),  # 5
            nn.Flatten(),
            nn.Dropout(0.5),
            nn.Linear(1600, 128),
            nn.ReLU(),
            nn.Linear(128, 10),
        )
        xavier_(self)


class MnistPlainNet(MnistNet):
    """The plain twin of :class:`MnistNet`: images ``(N, 1, 28, 28)`` without certainty."""

    certainty_aware = False
    input_shape = (1, 28, 28)


class MnistInSpaceNet(nn.Sequential):
    """The network of MNIST in Space (paper, figure 15): 262,250 parameters.

    Convolutions and a global maximum over windows of 28 x 28 pixels, four pixels apart: what it says of a digit depends
    on where the digit is only by the canvas's edge and by that grid. As many parameters as :class:`MnistNet`, since a
    5x5 convolution at one place is a linear layer.

    Input: ``(N, 2, 32, 64)``, lightness in [0, 1] and certainty; canvases of other sizes, at least 28 x 28, work too.
    Output: logits ``(N, 10)``.

    >>> import torch
    >>> MnistInSpaceNet()(torch.zeros(1, 2, 32, 64)).shape
    torch.Size([1, 10])
    """

    certainty_aware = True
    input_shape = (2, 32, 64)

    def __init__(self):
        super().__init__(
            *conv(self.input_shape[0], 32),  # 30 x 62
            *conv(32, 64),  # 28 x 60
            nn.MaxPool2d(2),  # 14 x 30
            *conv(64, 64),  # 12 x 28
            nn.MaxPool2d(2),  # 6 x 14
            nn.Dropout(0.5),
            nn.Conv2d(64, 128, 5),  # 2 x 10
            nn.ReLU(),
            nn.Conv2d(128, 10, 1),
            nn.AdaptiveMaxPool2d(1),
            nn.Flatten(),
        )
        xavier_(self)

    def forward(self, inputs: Tensor) -> Tensor:
        channels = self.input_shape[0]
        if inputs.ndim != 4 or inputs.shape[1] != channels or min(inputs.shape[2:]) < 28:
            what = "joined inputs" if self.certainty_aware else "images"
            raise ValueError(
                f"expected {what} of shape (N, {channels}, 32, 64), or another size from 28 x 28 on, "
                f"got {tuple(inputs.shape)}"
            )
        return super().forward(inputs)


class MnistInSpacePlainNet(MnistInSpaceNet):
    """The plain twin of :class:`MnistInSpaceNet`: images ``(N, 1, 32, 64)`` without certainty."""

    certainty_aware = False
    input_shape = (1, 32, 64)


NETWORKS = BurntSnacksNet, LocalMinimumNet, CertaintyResNet
NETWORKS += MnistNet, MnistPlainNet, MnistInSpaceNet, MnistInSpacePlainNet
ARCHITECTURES = {network.__name__: network for network in NETWORKS}  # by the name on a model's card
