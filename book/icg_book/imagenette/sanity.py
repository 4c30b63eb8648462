"""A sanity check for attributions: does a map change when the network forgets what it has learnt?

Layers get random weights, the head first and more and more from there down, and each time the new map is compared with
the first one (:func:`icg.measures.rank_correlation`). A map that stays what it was was never about what was learnt.

Source: Adebayo et al., "Sanity Checks for Saliency Maps", 2018, "cascading randomisation".
"""

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn


def randomised(model: nn.Module, parts: Sequence[str], inputs: Tensor, *, seed: int = 0) -> nn.Module:
    """A copy of a network in which some parts are random, as before a training, and the others as trained.

    Batch norm in the random parts gets its statistics from ``inputs``, so that they pass on something of an ordinary
    size. Weights are drawn part by part, and the same on every device: with one more part at the end, all others get
    the weights that they had.

    Args:
        parts: names of submodules, e.g. ``("fc", "layer4")``; a layer without weights in them does no harm.
        inputs: what the model takes, ``(N, ...)``: a few ordinary ones.

    Returns:
        The copy, in eval mode.

    Raises:
        ValueError: no parts, one that is not there, one without a layer that can be drawn anew, or weights in it that
            no layer draws: a network that forgets only a part of what it should would say nothing. Layers draw by
            ``reset_parameters`` or, like attention, by ``_reset_parameters``.

    >>> model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    >>> forgetful = randomised(model, ["2"], torch.rand(5, 3))
    >>> torch.equal(forgetful[0].weight, model[0].weight), torch.equal(forgetful[2].weight, model[2].weight)
    (True, False)
    """
    if isinstance(parts, str) or not parts:
        raise ValueError(f"expected the names of some submodules, got {parts!r}")
    known = dict(model.named_modules())
    for part in parts:
        if part not in known:
            raise ValueError(f"expected names of submodules of {type(model).__name__}, got {part!r}")
        if not any(_hooks(module) for module in known[part].modules()):
            raise ValueError(f"{part!r} has no layer that can be drawn anew (by reset_parameters)")
    model = deepcopy(model).eval()
    norms = []
    with torch.random.fork_rng(devices=[]):  # the caller's random numbers stay as they were
        torch.manual_seed(seed)
        for part in parts:
            within = model.get_submodule(part)
            with torch.no_grad():
                for parameter in within.parameters():
                    parameter.fill_(torch.nan)  # what is left of this was not drawn
            for module in within.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    norms.append(module)
                if _hooks(module):
                    _reset(module)
            if left := [f"{part}.{name}" for name, value in within.named_parameters() if value.isnan().any()]:
                raise ValueError(f"no layer draws these weights anew: {', '.join(left)}; choose parts without them")
    for norm in norms:
        norm.momentum = None  # the plain mean over what is shown from here on
        norm.train()
    with torch.no_grad():
        model(inputs)
    return model.eval()


def _hooks(module: nn.Module) -> list:
    """What draws a module's own weights anew."""
    found = (getattr(module, name, None) for name in ("reset_parameters", "_reset_parameters"))
    return [hook for hook in found if callable(hook)]


def _reset(module: nn.Module) -> None:
    """Draw a module's weights anew; on the CPU, so that they are the same on every device."""
    device = next(module.parameters(), torch.empty(0)).device
    module.cpu()
    for hook in _hooks(module):
        hook()
    module.to(device)
