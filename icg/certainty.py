"""The certainty channel: how a model is told how much it may rely on each position of its input.

Every position of an input has one certainty *c* in [0, 1]: 1 means "this value is the original one", 0 means
"this value says nothing", and in between *c* is the probability that the value is the original one (paper,
section 4). It travels as one more channel, **last along dim 1**: images ``(N, C, H, W)`` become
``(N, C + 1, H, W)``, vectors ``(N, 1, D)`` become ``(N, 2, D)``. Colour channels share one certainty.

A *certainty-aware model* is any callable ``model(joined) -> logits`` that carries the attribute
``certainty_aware = True``. Because the joined tensor is one ordinary input, other libraries run on such a model
unchanged.
"""

from typing import Annotated

import torch
from torch import Tensor, nn

from .arguments import check_number, check_unit, is_single

Joined = Annotated[Tensor, "(N, C + 1, ...): values, then their certainty"]  # what certainty methods take as inputs


def join(values: Tensor, certainty: Tensor | float = 1.0) -> Tensor:
    """Join values and certainty into one model input.

    Args:
        values: ``(N, C, ...)``, any floating dtype.
        certainty: ``(N, 1, ...)`` in [0, 1], anything that broadcasts to it, or one number for all positions.

    Returns:
        ``(N, C + 1, ...)``: the values, then the certainty.

    Raises:
        ValueError: values without a channel dimension, certainty of another shape or outside [0, 1].

    >>> join(torch.zeros(4, 3, 8, 8)).shape
    torch.Size([4, 4, 8, 8])
    >>> split(join(torch.zeros(4, 1, 6), 0.25))[1].unique()
    tensor([0.2500])
    """
    if values.ndim < 3:
        raise ValueError(f"expected values of shape (N, C, ...) with at least 3 dimensions, got {tuple(values.shape)}")
    if not values.is_floating_point():
        raise ValueError(f"expected floating values, got {values.dtype}")
    shape = (values.shape[0], 1, *values.shape[2:])
    if not isinstance(certainty, Tensor) and is_single(certainty):
        certainty = check_number("certainty", certainty, "in [0, 1]")
    certainty = torch.as_tensor(certainty, dtype=values.dtype, device=values.device)
    check_unit("certainty", certainty)
    try:
        certainty = certainty.expand(shape)
    except RuntimeError:
        raise ValueError(f"expected certainty of shape {shape}, got {tuple(certainty.shape)}") from None
    return torch.cat([values, certainty], dim=1)


def split(joined: Tensor) -> tuple[Tensor, Tensor]:
    """Take a joined input ``(N, C + 1, ...)`` apart into values ``(N, C, ...)`` and certainty ``(N, 1, ...)``.

    Both are views of ``joined``. Raises ``ValueError`` when there is no channel left for the values.
    """
    if joined.ndim < 3 or joined.shape[1] < 2:
        raise ValueError(
            "expected a joined input (N, C + 1, ...) with at least 3 dimensions and 2 channels, "
            f"got {tuple(joined.shape)}"
        )
    return joined[:, :-1], joined[:, -1:]


def without_certainty(joined: Tensor) -> Tensor:
    """A joined input ``(N, C + 1, ...)`` of which nothing is known any more: the same values, certainty 0."""
    values, certainty = split(joined)
    return torch.cat([values, torch.zeros_like(certainty)], 1)


def is_certainty_aware(model) -> bool:
    """Whether ``model`` takes a joined input: true if it, or what it wraps, carries ``certainty_aware = True``.

    Wrappers are those that pass on their input as it is: ``DataParallel`` and its like, ``Sequential`` (its first
    module counts), ``functools.partial`` and ``wraps``, a method of the model. A lambda may do anything, so it is none.
    """
    while model is not None:
        if hasattr(model, "certainty_aware"):
            return bool(model.certainty_aware)
        if isinstance(model, nn.Module):
            inner = ("0",) if isinstance(model, nn.Sequential) else ("module", "_orig_mod")
            model = next((model._modules[name] for name in inner if name in model._modules), None)
        else:
            inner = ("func", "__self__", "__wrapped__")
            model = next((getattr(model, name) for name in inner if hasattr(model, name)), None)
    return False
