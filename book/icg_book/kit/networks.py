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
