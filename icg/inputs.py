"""Inputs that are not one floating tensor ``(N, ...)``: tuples of tensors, tensors ``(N,)``, whole numbers and bools.

The methods know one floating tensor. A :class:`Packing` makes that of all else: a tuple is laid side by side, flat,
``(N, P)``; ``(N,)`` becomes ``(N, 1)``; whole numbers and bools become float64. The model gets each thing back in its
own shape and dtype, and the caller gets attributions of each.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial, reduce

import torch
from torch import Tensor

from .arguments import check_tensor

NO_GRADIENT = (
    "whole numbers have no gradient. Pass them as floating ones if the model takes them, in additional_forward_args if "
    "they aren't asked about, attribute at the layer that embeds them (icg.layers.from_layer), or by icg.bshap"
)


class Packing:
    """How inputs become one floating tensor, and how what comes of it is taken apart.

    Args:
        inputs: a tensor ``(N, ...)``, or a tuple of such on one device.
        whole: whether they may be whole numbers or bools, which have no gradient.

    Attributes:
        joint: whether the inputs are a tuple. dtypes: of each. dtype: of all together.
        shapes: of a row of each, as baselines and groups see it; ``(1,)`` for inputs ``(N,)``.

    Raises:
        ValueError: no tensors, other dtypes, numbers that aren't finite, tensors of different lengths or devices.
    """

    def __init__(self, inputs: Tensor | tuple[Tensor, ...], whole: bool = False):
        self.joint = isinstance(inputs, tuple)
        parts = inputs if isinstance(inputs, tuple) else (inputs,)
        if not parts:
            raise ValueError("expected a tuple of at least one tensor as inputs, got ()")
        for number, part in enumerate(parts):
            name = f"inputs[{number}]" if self.joint else "inputs"
            if not whole and isinstance(part, Tensor) and not part.is_floating_point() and not part.is_complex():
                raise ValueError(f"expected {name} to be a floating tensor, got {part.dtype}: {NO_GRADIENT}")
            check_tensor(name, part, least=1, whole=whole)
        if len({(len(part), part.device) for part in parts}) > 1:
            got = ", ".join(f"{tuple(part.shape)} on {part.device}" for part in parts)
            raise ValueError(f"expected inputs with the same number of rows, on one device, got {got}")
        self._given_shapes = [part.shape[1:] for part in parts]
        self.shapes = [shape or torch.Size([1]) for shape in self._given_shapes]
        self.dtypes = [part.dtype for part in parts]
        self.has_whole = not all(dtype.is_floating_point for dtype in self.dtypes)
        self.dtype = torch.float64 if self.has_whole else reduce(torch.promote_types, self.dtypes)

    def each(self, name: str, things) -> list:
        """What is given for each of the inputs: the members of a tuple, or the same thing for all.

        Tensors come as :meth:`pack` takes them. Raises ``ValueError`` for a tuple of another length, and for one tensor
        where the inputs are a tuple.
        """
        if not self.joint:
            things = (things,)
        elif not isinstance(things, tuple):
            if isinstance(things, Tensor) and things.ndim:
                raise ValueError(f"expected {name} to be a tuple, as the inputs, got a tensor {tuple(things.shape)}")
            things = (things,) * len(self.shapes)
        elif len(things) != len(self.shapes):
            raise ValueError(f"expected {name} to be a tuple of {len(self.shapes)}, as the inputs, got {len(things)}")
        return [self._lifted(thing, shape) for thing, shape in zip(things, self._given_shapes, strict=True)]

    def _lifted(self, thing, shape: torch.Size):
        if isinstance(thing, bool):
            return float(thing)
        if not isinstance(thing, Tensor) or thing.ndim == 0:
            return thing
        thing = thing if thing.is_floating_point() else thing.to(self.dtype)
        return thing[:, None] if thing.ndim == 1 and not shape else thing

    def pack(self, name: str, parts: Sequence[Tensor]) -> Tensor:
        """One tensor of a tensor ``(K, ...)`` for each input. What stands for whole numbers must be whole."""
        for part, dtype in zip(parts, self.dtypes, strict=True):
            if not dtype.is_floating_point and not bool((part == part.to(dtype)).all()):
                raise ValueError(f"expected {name} of numbers that {dtype} has, as the inputs, got others")
        if len({len(part) for part in parts}) > 1:
            raise ValueError(f"expected {name} of the same number of rows for all inputs, got {[*map(len, parts)]}")
        parts = [
            part.detach().to(self.dtype).reshape(len(part), *s) for part, s in zip(parts, self.shapes, strict=True)
        ]
        return torch.cat([part.flatten(1) for part in parts], 1) if self.joint else parts[0]

    def unpack(self, packed: Tensor) -> list[Tensor]:
        """Of ``(..., P)``, or ``(..., *shape)`` of one input, each one's part as it was given, in the packed dtype."""
        lead = packed.shape[: packed.ndim - (1 if self.joint else len(self.shapes[0]))]
        return _parts(packed, lead, self._given_shapes)

    def model(self, model) -> Callable[..., Tensor]:
        """The model as one of packed inputs. It gets each thing in its own shape and dtype."""
        return partial(_ask, model, self._given_shapes, self.dtypes)

    def returned(self, maps: Tensor, dtype: torch.dtype | None):
        """Attributions of each input, in this dtype, or its own one; the default one for whole numbers."""
        own = [kind if kind.is_floating_point else torch.get_default_dtype() for kind in self.dtypes]
        parts = tuple(part.to(dtype or kind) for part, kind in zip(self.unpack(maps), own, strict=True))
        return parts if self.joint else parts[0]


# Nothing here names a class, of which the search for the networks behind a model (modes.py) would look through all.


def _ask(model, shapes, dtypes, packed, *besides):
    parts = zip(_parts(packed, packed.shape[:1], shapes), dtypes, strict=True)
    return model(*(part.to(dtype) for part, dtype in parts), *besides)


def _parts(packed, lead, shapes):
    if len(shapes) == 1:
        return [packed.reshape(*lead, *shapes[0])]
    parts, first = [], 0
    for shape in shapes:  # not by split(), of whose views none may be written into
        size = math.prod(shape)
        parts.append(packed.narrow(-1, first, size).reshape(*lead, *shape).contiguous())
        first += size
    return parts
