"""Checks of the chapter on a network of one's own."""

import torch

from icg_book.kit.answers import Values
from icg_book.kit.answers import accept as accept


def _gate(values, certainty):
    return torch.cat([values * certainty, certainty], 1)


def _gate_cases(seed: int) -> list[tuple]:
    """Vectors and pictures, one channel and three, certainties at the ends and between."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape):
        return torch.rand(*shape, generator=generator, dtype=torch.float64) - 0.3

    def certainty(*shape):
        return (1.4 * torch.rand(*shape, generator=generator, dtype=torch.float64) - 0.2).clamp(0, 1)

    return [
        (torch.tensor([[[0.5, -0.25]]]), torch.tensor([[[0.5, 0.0]]])),
        (drawn(2, 1, 3), certainty(2, 1, 3)),
        (drawn(1, 3, 2, 2), certainty(1, 1, 2, 2)),
        (drawn(3, 3, 4, 2), certainty(3, 1, 4, 2)),
        (drawn(2, 2, 3), torch.zeros(2, 1, 3, dtype=torch.float64)),
        (drawn(2, 2, 3), torch.ones(2, 1, 3, dtype=torch.float64)),
    ]


check_gated = Values(
    task="``function(values (N, C, ...), certainty (N, 1, ...)) -> (N, C + 1, ...)``: what the front may see.",
    stub="my_gated",
    reference=_gate,
    cases=_gate_cases,
    returns="the gated values, then the certainty, (N, C + 1, ...)",
    praise="Right: at certainty 0 nothing of the values is left, whatever the weights behind it learn.",
    otherwise="Multiply the values by their certainty, and put the certainty behind them along dimension 1.",
    hints={
        "You don't gate the values. What the network may not use at certainty 0 it must not see.": (
            lambda v, c: torch.cat([v, c], 1)
        ),
        "You gate by one minus the certainty, which lets pass what is *not* known.": (
            lambda v, c: torch.cat([v * (1 - c), c], 1)
        ),
        "The certainty comes last along dimension 1, you put it first.": lambda v, c: torch.cat([c, v * c], 1),
        "The network has to be told the certainty, too: put it behind the values.": lambda v, c: v * c,
        "You multiply the certainty by itself. Only the values are gated.": (
            lambda v, c: torch.cat([v * c, c * c], 1),
            lambda v, c: torch.cat([v, c], 1) * c,
        ),
        "You pass one minus the certainty on. The network is told the certainty.": (
            lambda v, c: torch.cat([v * c, 1 - c], 1)
        ),
        "You round the certainty. In between, a part of the value passes.": (
            lambda v, c: torch.cat([v * (c > 0), c], 1),
            lambda v, c: torch.cat([v * (c > 0.5), c], 1),
            lambda v, c: torch.cat([v * (c == 1), c], 1),
        ),
        "You divide by the certainty. That enlarges what is hardly known; multiply.": (
            lambda v, c: torch.cat([v / c.clamp(min=1e-6), c], 1)
        ),
        "You add the certainty. Then the value is still in the sum at certainty 0; multiply.": (
            lambda v, c: torch.cat([v + c, c], 1)
        ),
        "You gate by the square of the certainty. Multiply once.": lambda v, c: torch.cat([v * c * c, c], 1),
        "You repeat the certainty for every channel. Colours share one.": (
            lambda v, c: torch.cat([v * c, c.expand_as(v)], 1)
        ),
        "You use one mean certainty. Each position has its own.": (
            lambda v, c: torch.cat([v * c.mean(), c], 1),
            lambda v, c: torch.cat([v * c.flatten(1).mean(1).view(-1, *[1] * (v.ndim - 1)), c], 1),
        ),
    },
)
