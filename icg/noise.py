"""Noise around any attribution method: the mean map of noisy copies of the input, or how much they differ.

A method of little noise of its own, such as Integrated Gradients, is smoothed by it as SmoothGrad smooths the gradient
(Smilkov et al., 2017; variance: Adebayo et al., 2018).

>>> import icg
>>> x = torch.tensor([[1.0, 2.0]])
>>> noise_tunnel(icg.integrated_gradients, lambda x: (x**3).sum(1), x, noise_std=0.5)  # x^3 + 3 x 0.5^2, but for luck
tensor([[1.9512, 9.1775]])
"""

import inspect
import math
from collections.abc import Callable
from functools import partial

import torch

from .arguments import Shared, check_number, check_one_of, check_positive, generator_or_new, random_like
from .certainty import Joined
from .question import Question

KINDS = ("smoothgrad", "smoothgrad_sq", "vargrad")


def noise_tunnel(
    method: Callable,
    model,
    inputs,
    *arguments,
    noise_std: float | tuple[float, ...] = 0.15,
    n_samples: int = 50,
    kind: str = "smoothgrad",
    generator: torch.Generator | None = None,
    **options,
):
    """Ask a method about noisy copies of the inputs, and join what it says.

    Args:
        method: of this package, or a ``partial`` of one, which may hold options of the names below. arguments, options:
            what it takes after ``inputs``. A target that isn't given is the class predicted at the inputs themselves.
        noise_std: of Gaussian noise in units of the values; for a tuple of inputs a number, or one for each. Certainty
            is left as it is. Noise comes in pairs of opposite sign, as in :func:`icg.smoothgrad`.
        n_samples: noisy copies of each input.
        kind: "smoothgrad" for the mean map, "smoothgrad_sq" for the mean of squares, "vargrad" for the variance.
        generator: of the noise. The method gets one of its own, seeded by this one, unless a ``partial`` holds one.

    Returns:
        What the method returns.

    Raises:
        ValueError: an unknown kind, bad numbers, ``return_convergence_delta``, and what the method refuses.
    """
    check_one_of("kind", kind, KINDS)
    n_samples = check_positive("n_samples", n_samples)
    bare, known = method, options
    while isinstance(bare, partial):
        bare, known = bare.func, bare.keywords | known
    if known.get("return_convergence_delta"):
        raise ValueError(
            "expected no return_convergence_delta: maps of noisy copies don't sum up; ask the method alone"
        )
    generator = generator_or_new(generator)
    shared = {name: value for name, value in known.items() if name in Shared.__annotations__ and name != "generator"}
    takes = inspect.signature(bare).parameters
    certain = "inputs" in takes and takes["inputs"].annotation is Joined  # whatever the model says
    question = Question(model, inputs, certainty_only=certain, **shared)
    packing, values = question.packing, question.values
    if packing is None:
        scale = check_number("noise_std", noise_std)
    else:
        each = [check_number("noise_std", std) for std in packing.each("noise_std", noise_std)]
        shapes = zip(packing.shapes, each, strict=True)
        scale = torch.cat([values.new_full((math.prod(shape),), std) for shape, std in shapes])
    with question.asked() as objective:
        if known.get("target") is None:
            options["target"] = objective.target
    if "generator" in takes and known.get("generator") is None:
        seed = torch.randint(2**62, (), generator=generator, device=generator.device).item()
        options["generator"] = torch.Generator(generator.device).manual_seed(seed)
    means, spreads = [], []
    for number in range(n_samples):
        if number % 2 == 0:
            noise = scale * random_like(torch.randn, values, generator)
        noisy = question.with_values(values + noise if number % 2 == 0 else values - noise)
        maps = method(model, noisy if packing is None else packing.returned(noisy, None), *arguments, **options)
        found = maps if isinstance(maps, tuple) else (maps,)
        for k, one in enumerate(found):
            if number == 0:
                means.append(torch.zeros_like(one, dtype=torch.float64))
                spreads.append(torch.zeros_like(means[k]))
            step = one - means[k]
            means[k] += step / (number + 1)
            spreads[k] += step * (one - means[k])  # of squares about the mean (Welford, 1962)
    if kind != "smoothgrad":
        rest = zip(means, spreads, strict=True)
        means = [s / n_samples + (m.square() if kind == "smoothgrad_sq" else 0) for m, s in rest]
    result = tuple(mean.to(one.dtype) for mean, one in zip(means, found, strict=True))
    return result if isinstance(maps, tuple) else result[0]
