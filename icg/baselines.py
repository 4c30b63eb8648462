"""Baselines: what "nothing" looks like to Integrated Gradients (paper, section 2 and figure 1).

A :class:`Baseline` turns values ``(N, ...)`` into the points where their paths start. Some start from one fixed
point, some from a distribution, of which ``n_samples`` draws are averaged. Baselines know nothing of certainty: the
attribution methods apply them to the value channels alone and leave the certainty channel as it is (1 for an
ordinary input).

>>> g = torch.Generator().manual_seed(0)
>>> gaussian_noise(0.1, n_samples=3).starts(torch.full((1, 2), 0.5), g).shape
torch.Size([3, 1, 2])
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from .arguments import check_number, check_positive, check_tensor, generator_or_new, is_number, is_single, random_like
from .question import Question


@dataclass(frozen=True)
class Baseline:
    """Where paths start.

    Those of this module can be pickled.

    Attributes:
        sample: ``(values, draw, generator) -> starts``, both ``(N, ...)``; ``draw`` counts from 0.
        n_samples: how many draws are averaged.
        name: for titles.
    """

    sample: Callable[[Tensor, int, torch.Generator], Tensor]
    n_samples: int = 1
    name: str = "baseline"

    def __post_init__(self):
        object.__setattr__(self, "n_samples", check_positive("n_samples", self.n_samples))

    def starts(self, values: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """All draws at once, ``(n_samples, N, ...)``: for looking at, not for large jobs."""
        generator = generator_or_new(generator)
        return torch.stack([self.sample(values, draw, generator) for draw in range(self.n_samples)])


def constant(value: float | Tensor) -> Baseline:
    """The same value everywhere; a number, or a tensor that broadcasts to the input. Blind where the input has it."""
    value = check_number("value", value, "to be a finite number") if is_single(value) else torch.as_tensor(value)
    return Baseline(partial(_constant, value), name="constant")


def _constant(value, values, draw, generator):
    number = isinstance(value, float)
    return torch.full_like(values, value) if number else value.to(values).expand_as(values).clone()


def zero() -> Baseline:
    """Black, the baseline proposed with the method (figure 1 B)."""
    return constant(0.0)


ZERO = zero()


def middle(low: float = 0.0, high: float = 1.0) -> Baseline:
    """The middle of the input range (figure 1 C)."""
    return constant(sum(_ends(low, high)) / 2)


def mean(data: Tensor) -> Baseline:
    """The component-wise mean of ``data`` ``(K, ...)`` (figure 1 D)."""
    check_tensor("data", data)
    return constant(data.mean(0, keepdim=True))


def every(baselines: Tensor) -> Baseline:
    """Each of ``K`` given baselines ``(K, ...)`` in turn, averaged, for every input."""
    check_tensor("baselines", baselines)
    return Baseline(partial(_every, baselines), n_samples=len(baselines), name="every")


def _every(baselines, values, draw, generator):
    return baselines[draw % len(baselines)].to(values).expand_as(values).clone()


def uniform_noise(low: float = 0.0, high: float = 1.0, n_samples: int = 1) -> Baseline:
    """Noise i.i.d. U(low, high), one image or the mean over several."""
    return Baseline(partial(_uniform_noise, *_ends(low, high)), n_samples, "uniform noise")


def _uniform_noise(low, high, values, draw, generator):
    return low + (high - low) * random_like(torch.rand, values, generator)


def maximum_distance(low: float = 0.0, high: float = 1.0) -> Baseline:
    """The farthest point of the input range from each input (figure 1 E): never blind, never neutral."""
    return Baseline(partial(_maximum_distance, *_ends(low, high)), name="maximum distance")


def _maximum_distance(low, high, values, draw, generator):
    return torch.full_like(values, low).masked_fill(values < (low + high) / 2, high)


def blurred(sigma: float = 5.0) -> Baseline:
    """The input, Gaussian-blurred along its last one or two dimensions (images: height and width).

    Args:
        sigma: standard deviation in positions, > 0.
    """
    return Baseline(partial(_blurred, check_number("sigma", sigma, "> 0")), name="blurred")


def _blurred(sigma, values, draw, generator):
    from torchvision.transforms.functional import gaussian_blur

    spatial = values.shape[2:][-2:] or values.shape[1:]
    images = values.reshape(-1, 1, *([1] * (2 - len(spatial))), *spatial)
    # Odd kernels of three standard deviations a side, no wider than reflection at the border allows.
    kernel = [2 * min(int(3 * sigma + 0.5), size - 1) + 1 for size in images.shape[2:]]
    return gaussian_blur(images, kernel[::-1], [sigma, sigma]).reshape(values.shape)


def gaussian_noise(std: float = 0.1, n_samples: int = 50, clip: tuple[float, float] | None = (0.0, 1.0)) -> Baseline:
    """Additive Gaussian noise, AGN (figure 1 F): the input plus noise, mean over ``n_samples`` draws.

    Args:
        std: in units of the values. clip: range the noisy values are clipped to, or ``None``.
    """
    clip = None if clip is None else _ends(*clip)
    return Baseline(partial(_gaussian_noise, check_number("std", std), clip), n_samples, "Gaussian noise")


def _gaussian_noise(std, clip, values, draw, generator):
    noisy = values + std * random_like(torch.randn, values, generator)
    return noisy if clip is None else noisy.clamp(*clip)


def data(samples: Tensor, n_samples: int = 50) -> Baseline:
    """Random members of ``samples`` ``(K, ...)`` with replacement, one for each input and draw (figure 1 G)."""
    check_tensor("samples", samples)
    return Baseline(partial(_data, samples), n_samples, "data")


def _data(samples, values, draw, generator):
    chosen = torch.randint(len(samples), (len(values),), generator=generator, device=generator.device)
    return samples[chosen.to(samples.device)].to(values).expand_as(values)


def _ends(low: float, high: float) -> tuple[float, float]:
    bound = "to be a finite number"
    return check_number("low", low, bound), check_number("high", high, bound)


# ---- What a method is given as baselines


def starts(baselines, question: Question) -> tuple[int, Callable[[int], Tensor]]:
    """Number of draws and ``number -> start`` for anything that ``integrated_gradients`` takes as baselines."""
    packing = question.packing
    if packing is not None:
        each = zip(packing.each("baselines", baselines), question.parts(), strict=True)
        each = [starts(one, part) for one, part in each]
        n_draws = max(n for n, _ in each)
        if any(n not in (1, n_draws) for n, _ in each):
            raise ValueError(f"expected baselines of as many draws for all inputs, got {[n for n, _ in each]}")
        return n_draws, lambda number: packing.pack("baselines", [start(number) for _, start in each])
    if baselines is None:
        baselines = ZERO
    elif is_number(baselines):
        baselines = constant(check_number("baselines", baselines, "to be a finite number"))
    elif isinstance(baselines, Tensor):
        if baselines.ndim == question.inputs.ndim and baselines.shape[0] not in (1, len(question.inputs)):
            raise ValueError(
                f"expected one baseline or one per input ({len(question.inputs)}), got {len(baselines)}; "
                "to average over several, pass icg.baselines.every(tensor)"
            )
        if baselines.shape[1:] == question.inputs.shape[1:]:  # taken as it is, certainty included
            check_tensor("baselines", baselines)
            start = baselines.to(question.inputs).expand_as(question.inputs)
            return 1, lambda number: start
        baselines = constant(values_of("baselines", baselines, question))
    elif not isinstance(baselines, Baseline):
        raise ValueError(
            "expected baselines to be None, a number, a tensor or an icg.baselines.Baseline, "
            f"got {type(baselines).__name__}"
        )

    def start(number):
        try:
            values = baselines.sample(question.values, number, question.generator)
        except RuntimeError as error:
            raise ValueError(
                f"the baseline does not fit values of shape {tuple(question.values.shape)}: {error}"
            ) from None
        if values.shape != question.values.shape:
            raise ValueError(f"expected baseline values of {tuple(question.values.shape)}, got {tuple(values.shape)}")
        return question.with_values(values)

    return baselines.n_samples, start


def values_of(name: str, samples: Tensor, question: Question) -> Tensor:
    """The value channels of ``samples``, given with or without a certainty channel; packed as the inputs are."""
    packing = question.packing
    if packing is not None:
        each = zip(packing.each(name, samples), question.parts(), strict=True)
        return packing.pack(name, [values_of(name, one, part) for one, part in each])
    check_tensor(name, samples)
    if samples.shape[1:] == question.values.shape[1:]:
        return samples
    if samples.shape[1:] == question.inputs.shape[1:]:
        return samples[:, :-1]
    shape, whole = ("K", *question.values.shape[1:]), tuple(question.inputs.shape)
    raise ValueError(f"expected {name} of shape {shape} for inputs {whole}, got {tuple(samples.shape)}")
