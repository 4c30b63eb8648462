"""The networks of the book. All take joined inputs (values, then certainty) and return logits."""

from torch import Tensor, nn


class BurntSnacksNet(nn.Sequential):
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
            *_conv(2, 32),  # 48
            *_conv(32, 64),  # 46
            nn.MaxPool2d(2),  # 23
            nn.Dropout(0.2),
            *_conv(64, 128),  # 21
            nn.ZeroPad2d((0, 1, 0, 1)),  # 22
            nn.MaxPool2d(2),  # 11
            *_conv(128, 128, padding=1),
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

    def forward(self, joined: Tensor) -> Tensor:
        check_input(joined, self.input_shape)
        return super().forward(joined)


def _conv(channels_in: int, channels_out: int, padding: int = 0) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(channels_in, channels_out, 3, padding=padding), nn.ReLU()


def xavier_(model: nn.Module) -> None:
    """Glorot uniform weights and zero biases, in place (paper, A.5)."""
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)


def check_input(joined: Tensor, shape: tuple[int, ...]) -> None:
    """Raise ``ValueError`` unless ``joined`` is ``(N, *shape)``."""
    if joined.ndim != len(shape) + 1 or tuple(joined.shape[1:]) != shape:
        raise ValueError(
            f"expected joined inputs of shape (N, {', '.join(map(str, shape))}), certainty last along dim 1, "
            f"got {tuple(joined.shape)}"
        )


class GlyphsNet(nn.Sequential):
    """The network of the glyphs (not in the paper): 256, 48, 24 and 5 units with tanh between, 13,637 parameters.

    An ordinary network without certainty, smooth, and small enough that a web page can carry it and differentiate it.
    Input: ``(N, 1, 16, 16)``, lightness in [0, 1]. Output: logits ``(N, 5)``.

    >>> import torch
    >>> GlyphsNet()(torch.zeros(1, 1, 16, 16)).shape
    torch.Size([1, 5])
    """

    input_shape = (1, 16, 16)

    def __init__(self):
        super().__init__(
            nn.Flatten(),
            nn.Linear(256, 48),
            nn.Tanh(),
            nn.Linear(48, 24),
            nn.Tanh(),
            nn.Linear(24, 5),
        )
        xavier_(self)

    def forward(self, images: Tensor) -> Tensor:
        if tuple(images.shape[1:]) != self.input_shape:
            raise ValueError(f"expected images of shape (N, 1, 16, 16), got {tuple(images.shape)}")
        return super().forward(images)


# By the name on a model's card.
ARCHITECTURES = {"BurntSnacksNet": BurntSnacksNet, "GlyphsNet": GlyphsNet}
