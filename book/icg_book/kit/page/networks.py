"""Small networks for the page: packed here, computed by ``networks.js``.

A network is a ``Sequential`` (nested ones are fine) of 2-d convolutions of stride 1, ReLU, tanh, SiLU, maximum or
average pooling, ``Flatten``, ``Linear`` and ``Dropout``; inputs are square. Weights travel as 16-bit whole numbers with
a unit for each row of the weights.
"""

import copy

import numpy as np
import torch
from torch import nn

from icg_book.kit.networks import GatedGlyphsNet
from icg_book.kit.page.explorable import pack


def pack_network(model, size: int, n_classes: int) -> dict:
    """The layers of a network as the page reads them; checks that they fit together.

    Args:
        model: for joined inputs ``(N, 2, size, size)`` if it is ``certainty_aware``, else for ``(N, 1, size, size)``.

    Raises:
        ValueError: other layers, another input, or another number of classes.
    """
    if not isinstance(model, nn.Module):
        raise ValueError(f"expected a network made of layers, got {type(model).__name__}")
    layers = [packed for layer in _layers(model) for packed in _pack_layer(layer)]
    channels = 2 if getattr(model, "certainty_aware", False) else 1
    if isinstance(model, GatedGlyphsNet):
        layers.insert(0, {"kind": "gate"})
    try:
        with torch.no_grad():
            weight = next(model.parameters())
            shape = tuple(model(torch.zeros(1, channels, size, size, dtype=weight.dtype, device=weight.device)).shape)
    except (RuntimeError, ValueError, StopIteration) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(f"expected a network for inputs (N, {channels}, {size}, {size}), got: {reason}") from None
    if shape != (1, n_classes):
        raise ValueError(f"expected logits of {n_classes} classes, (1, {n_classes}), got {shape}")
    return {"channels": channels, "layers": layers}


def as_in_page(model: nn.Module) -> nn.Module:
    """A copy of the model with its weights rounded as they are for the page: what the page's numbers are equal to."""
    model = copy.deepcopy(model)
    for layer in model.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            whole, units = _whole(layer)
            layer.weight.data = torch.from_numpy(whole * units[:, None]).view_as(layer.weight).to(layer.weight)
    return model


def _layers(model: nn.Module) -> list[nn.Module]:
    """The layers of a ``Sequential``, of nested ones, or of a module whose only child is one."""
    if isinstance(model, nn.Sequential):
        return [layer for child in model for layer in _layers(child)]
    children = list(model.children())
    if len(children) == 1 and isinstance(children[0], nn.Sequential):
        return _layers(children[0])
    return [model]


def _pack_layer(layer: nn.Module) -> list[dict]:
    pair = lambda value: value if isinstance(value, tuple) else (value, value)  # noqa: E731
    match layer:
        case nn.Flatten() | nn.Dropout() | nn.Identity():
            return []
        case nn.ReLU():
            return [{"kind": "relu"}]
        case nn.Tanh():
            return [{"kind": "tanh"}]
        case nn.SiLU():
            return [{"kind": "silu"}]
        case nn.Linear():
            return [{"kind": "linear", **pack_weights(layer)}]
        case nn.MaxPool2d() | nn.AvgPool2d():
            size, stride, padding = (pair(v) for v in (layer.kernel_size, layer.stride, layer.padding))
            plain = size[0] == size[1] and stride == size and padding == (0, 0) and not layer.ceil_mode
            if plain and getattr(layer, "dilation", 1) == 1:
                return [{"kind": "pool", "size": size[0], "mean": isinstance(layer, nn.AvgPool2d)}]
        case nn.Conv2d():
            size, padding = layer.kernel_size, layer.padding
            if padding == "same" and size[0] % 2:
                padding = (size[0] // 2, size[0] // 2)
            plain = layer.stride == layer.dilation == (1, 1) and layer.groups == 1 and layer.padding_mode == "zeros"
            if plain and size[0] == size[1] and isinstance(padding, tuple) and padding[0] == padding[1]:
                pad = [{"kind": "pad", "before": padding[0], "after": padding[0]}] if padding[0] else []
                return [*pad, {"kind": "conv", "size": size[0], **pack_weights(layer)}]
    raise ValueError(
        "expected layers of 2-d convolutions (square, stride 1), ReLU, tanh, SiLU, pooling, Flatten and Linear, "
        f"got {str(layer).splitlines()[0]}"
    )


def _whole(layer: nn.Conv2d | nn.Linear) -> tuple[np.ndarray, np.ndarray]:
    """Weights as int16, a row for each output, and what one unit of each row is worth."""
    weights = layer.weight.detach().cpu().double().flatten(1).numpy()
    units = np.array([float(f"{top / 32767 or 1.0:.7g}") for top in np.abs(weights).max(1)])
    return np.rint(weights / units[:, None]).clip(-32767, 32767).astype("<i2"), units


def pack_weights(layer: nn.Conv2d | nn.Linear) -> dict:
    """The weights of one layer as the page reads them."""
    whole, units = _whole(layer)
    bias = torch.zeros(len(whole)) if layer.bias is None else layer.bias.detach().cpu()
    return {
        "weights": pack(whole.view(np.uint8)),
        "units": units.tolist(),
        "bias": [float(f"{b:.8g}") for b in bias.double().tolist()],
        "columns": whole.shape[1],
    }
