"""The book's own small networks, which are not in the paper: small and smooth enough that a web page can carry them.

:func:`icg.artifacts.load_model` finds them by the entry points of ``icg.architectures``.
"""

import torch
from torch import Tensor, nn

from icg.models import check_input, conv, xavier_


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
        check_input(images, self.input_shape, joined=False)
        return super().forward(images)


class CertainGlyphsNet(nn.Sequential):
    """The network of the glyphs with certainty (not in the paper, but with its front): 17,937 parameters.

    Certainty is simply one more channel of the first convolution; what it means has to be learnt. Small enough that a
    web page can carry it. Input: ``(N, 2, 16, 16)``, lightness in [0, 1] and certainty. Output: logits ``(N, 5)``.

    >>> import torch
    >>> CertainGlyphsNet()(torch.zeros(1, 2, 16, 16)).shape
    torch.Size([1, 5])
    """

    certainty_aware = True
    input_shape = (2, 16, 16)

    def __init__(self):
        super().__init__(
            *conv(2, 12),  # 14
            *conv(12, 16),  # 12
            nn.MaxPool2d(2),  # 6
            *conv(16, 24),  # 4
            nn.Flatten(),
            nn.Linear(384, 32),
            nn.ReLU(),
            nn.Linear(32, 5),
        )
        xavier_(self)

    def forward(self, joined: Tensor) -> Tensor:
        check_input(joined, self.input_shape)
        return super().forward(joined)


class GatedGlyphsNet(CertainGlyphsNet):
    """:class:`CertainGlyphsNet` behind a gate: values are multiplied by their certainty before the first layer.

    A value of certainty 0 then can't reach the network, so equation 2 of the paper holds exactly, before any training.
    The certainty is joined as before. Same layers, same parameters, same input and output.

    >>> import torch
    >>> GatedGlyphsNet()(torch.zeros(1, 2, 16, 16)).shape
    torch.Size([1, 5])
    """

    def forward(self, joined: Tensor) -> Tensor:
        check_input(joined, self.input_shape)
        values, certainty = joined[:, :1], joined[:, 1:]
        return super().forward(torch.cat([values * certainty, certainty], 1))


class MnistSmallNet(nn.Sequential):
    """A small network for MNIST (not in the paper), which a web page carries and differentiates: 27,406 parameters.

    Smooth, so that its attributions are: SiLU instead of ReLU, and means instead of maxima. Certainty is one more
    channel of the first convolution. Input: ``(N, 2, 28, 28)``, lightness in [0, 1] and certainty. Output: logits
    ``(N, 10)``.

    >>> import torch
    >>> MnistSmallNet()(torch.zeros(1, 2, 28, 28)).shape
    torch.Size([1, 10])
    """

    certainty_aware = True
    input_shape = (2, 28, 28)

    def __init__(self):
        super().__init__(
            nn.Conv2d(2, 12, 5),  # 24
            nn.SiLU(),
            nn.AvgPool2d(2),  # 12
            nn.Conv2d(12, 24, 3),  # 10
            nn.SiLU(),
            nn.Conv2d(24, 24, 3),  # 8
            nn.SiLU(),
            nn.AvgPool2d(2),  # 4
            nn.Flatten(),
            nn.Linear(384, 48),
            nn.SiLU(),
            nn.Linear(48, 10),
        )
        xavier_(self)

    def forward(self, joined: Tensor) -> Tensor:
        check_input(joined, self.input_shape)
        return super().forward(joined)


class BurntSnacksEquivariantNet(nn.Module):
    """A network for Burnt Snacks that looks for dark squares in the same way everywhere (not in the paper): 36,914
    parameters.

    Behind a gate (see :class:`GatedGlyphsNet`), three convolutions, 15 positions wide in all, give every position its
    own evidence e >= 0 that a dark square is there. The evidence adds up to s, and "there is none" has the probability
    exp(-s), a noisy-or: what one part of the image says does not depend on the others. A term of the mean features
    corrects what is not independent: that half of all images have none. Input: ``(N, 2, 50, 50)``, lightness in [0, 1]
    and certainty. Output: logits ``(N, 2)``, the first of them 0.

    >>> import torch
    >>> BurntSnacksEquivariantNet()(torch.zeros(1, 2, 50, 50)).shape
    torch.Size([1, 2])
    """

    certainty_aware = True
    input_shape = (2, 50, 50)

    def __init__(self):
        super().__init__()
        self._build(
            nn.Conv2d(2, 32, 3, padding=1),
            nn.Conv2d(32, 48, 3, padding=2, dilation=2),
            nn.Conv2d(48, 48, 3, padding=4, dilation=4),
            hidden=32,
            bias=-8.0,  # of an untrained network s is near log 2: an even chance
        )

    def _build(self, first: nn.Conv2d, second: nn.Conv2d, third: nn.Conv2d, hidden: int, bias: float) -> None:
        width = third.out_channels
        self.features = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), third, nn.ReLU())
        self.evidence = nn.Conv2d(width, 1, 1)
        self.whole = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, 1))
        xavier_(self)
        nn.init.constant_(self.evidence.bias, bias)

    def forward(self, joined: Tensor) -> Tensor:
        check_input(joined, self.input_shape)
        values, certainty = joined[:, :1], joined[:, 1:]
        features = self.features(torch.cat([values * certainty, certainty], 1))
        s = nn.functional.softplus(self.evidence(features).float()).sum((1, 2, 3)).clamp(min=1e-6)[:, None]
        odds = s + torch.log(-torch.expm1(-s)) + self.whole(features.mean((2, 3)))
        return torch.cat([torch.zeros_like(odds), odds], 1)


class BurntSnacksSmallNet(BurntSnacksEquivariantNet):
    """:class:`BurntSnacksEquivariantNet` on every second pixel and with fewer features (not in the paper): 9,658
    parameters.

    Its three convolutions are 16 positions wide in all. It takes a sixteenth of the work, so that the book's front page
    can carry it and differentiate it while one drags. Input: ``(N, 2, 50, 50)``, lightness in [0, 1] and certainty.
    Output: logits ``(N, 2)``, the first of them 0.

    >>> import torch
    >>> BurntSnacksSmallNet()(torch.zeros(1, 2, 50, 50)).shape
    torch.Size([1, 2])
    """

    def __init__(self):
        nn.Module.__init__(self)
        self._build(
            nn.Conv2d(2, 16, 4, stride=2, padding=1),  # 25
            nn.Conv2d(16, 24, 3, padding=1),
            nn.Conv2d(24, 24, 3, padding=2, dilation=2),
            hidden=16,
            bias=-6.6,  # as there, for a quarter of the positions
        )
