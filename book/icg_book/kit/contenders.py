"""The methods that experiments on images compare, by the names of their tables.

An experiment has a dictionary of settings for each of its methods: ``steps`` on a path, ``draws`` (paths, or noisy
copies) of an input, ``noise``, a standard deviation. "random" is the control: a map of noise.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from icg import baselines
from icg.attribution import (
    expected_gradients,
    gradient,
    integrated_certainty_gradients,
    integrated_gradients,
    smoothgrad,
)


def attribution_map(
    method: str,
    methods: dict[str, dict],
    model,
    inputs: Tensor,
    *,
    target: Tensor,
    samples: Callable[[], Tensor],
    mean: Callable[[], Tensor],
    generator=None,
    autocast: torch.dtype | None = None,
    check: bool = True,
) -> tuple[Tensor, Tensor | None]:
    """One of ``methods`` for joined ``inputs`` ``(N, C + 1, H, W)`` and classes ``target`` ``(N,)``; probability.

    Args:
        methods: settings of each method.
        samples, mean: give images ``(K, C, H, W)`` for EG, and the mean of many, ``(1, C, H, W)``; only called by the
            methods that need them.
        check: also measure the distance from completeness, two forward passes for each path.

    Returns:
        A map ``(N, 1, H, W)`` float64: of the values, colours added up (what gradients say of the certainty channel is
        left out), for ICG of the certainty; and the distance from completeness ``(N,)`` of single paths and their
        averages, else None.

    Raises:
        ValueError: an unknown method.
    """
    if method not in methods:
        raise ValueError(f"expected method to be one of {', '.join(methods)}, got {method!r}")
    settings = methods[method]
    options = {"target": target, "dtype": torch.float64, "autocast": autocast}
    paths = {"n_steps": settings.get("steps"), "generator": generator, "return_convergence_delta": check}
    gap = None
    if method == "random":
        maps = torch.randn(inputs[:, :1].shape, generator=generator, dtype=torch.float64).to(inputs.device)
        return maps, None
    if method.startswith("ICG"):
        copies = {"noise_std": settings.get("noise", 0.0), "n_samples": settings.get("draws", 1)}
        found = integrated_certainty_gradients(model, inputs, **copies, **paths, **options)
        return found if check else (found, None)
    if method == "gradient":
        maps = gradient(model, inputs, **options)
    elif method == "SmoothGrad":
        maps = smoothgrad(
            model, inputs, noise_std=settings["noise"], n_steps=settings["draws"], generator=generator, **options
        )
    elif method == "EG":
        maps = expected_gradients(model, inputs, samples(), n_steps=settings["draws"], generator=generator, **options)
    else:
        start = {
            "zero IG": lambda: baselines.zero(),
            "middle IG": lambda: baselines.middle(),
            "mean IG": lambda: baselines.constant(mean()),
            "AGN": lambda: baselines.gaussian_noise(settings["noise"], n_samples=settings["draws"]),
        }[method]()
        found = integrated_gradients(model, inputs, start, **paths, **options)
        maps, gap = found if check else (found, None)
    return maps[:, :-1].sum(1, keepdim=True), gap


def evaluations(method: str, methods: dict[str, dict]) -> int:
    """Forward and backward passes for one map; adaptive steps cost three quarters as many forward passes on top.

    >>> evaluations("ICG, noise averaged", {"ICG, noise averaged": {"steps": 12, "draws": 5}})
    60
    """
    settings = methods[method]
    return 0 if method == "random" else settings.get("steps", 1) * settings.get("draws", 1)
