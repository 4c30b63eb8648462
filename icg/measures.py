"""How good is an attribution, and how well does a model understand certainty? Numbers, with their definitions.

Functions on attributions take maps ``(N, C, ...)`` and masks or object maps ``(N, 1, ...)`` and return one number per
input, ``(N,)`` float64. :func:`mean_interval` turns such numbers into a mean with a 95 % bootstrap interval.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from .certainty import join
from .paths import quiet


class Interval(NamedTuple):
    """A mean and its 95 % interval; ``n`` is the number of values."""

    mean: float
    low: float
    high: float
    n: int


def mean_interval(values: Tensor, *, n_resamples: int = 2000, seed: int = 0) -> Interval:
    """Mean of ``(N,)`` values with a 95 % percentile bootstrap interval. NaNs (not applicable) are left out.

    >>> mean_interval(torch.tensor([1.0, 1.0, 1.0, float("nan")]))
    Interval(mean=1.0, low=1.0, high=1.0, n=3)
    """
    values = values.double().flatten()
    values = values[~values.isnan()]
    if len(values) == 0:
        raise ValueError("expected at least one value that is not NaN")
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(len(values), (n_resamples, len(values)), generator=generator)
    means = values.cpu()[drawn].mean(1)
    low, high = torch.quantile(means, torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return Interval(values.mean().item(), low, high, len(values))


# ---------------------------------------------------------------------------------------------------------------
# Attributions against a ground truth
# ---------------------------------------------------------------------------------------------------------------


def dilate(mask: Tensor, pixels: int = 1) -> Tensor:
    """Grow a boolean mask ``(N, 1, H, W)`` by some pixels in all eight directions: an edge belongs to its object."""
    return max_pool2d(mask.float(), 2 * pixels + 1, stride=1, padding=pixels) > 0


def mass_share(attributions: Tensor, mask: Tensor) -> Tensor:
    """Share of the absolute attribution that lies inside a mask; 0 where the whole map is 0."""
    size = _per_position(attributions.abs(), mask)
    total = size.flatten(1).sum(1)
    inside = (size * (mask > 0)).flatten(1).sum(1)
    return torch.where(total > 0, inside / total, 0.0)


def pointing_game(attributions: Tensor, mask: Tensor) -> Tensor:
    """1 if the largest positive attribution lies inside the mask, else 0 (also if nothing is positive)."""
    value = _per_position(attributions, mask).flatten(1)
    peak, place = value.max(1)
    hit = (mask > 0).flatten(1).gather(1, place[:, None]).squeeze(1)
    return (hit & (peak > 0)).double()


def object_recall(attributions: Tensor, objects: Tensor, *, threshold: float = 0.1, pixels: int = 1) -> Tensor:
    """Share of objects whose positive peak reaches ``threshold`` times the largest absolute value of the map.

    Args:
        objects: ``(N, 1, H, W)`` whole numbers: 0 outside, one number per object. Each is grown by ``pixels``.

    Returns:
        ``(N,)``; NaN for an input without objects.
    """
    found, present = _found(attributions, objects, threshold, pixels)
    return torch.where(present > 0, found / present, torch.nan)


def objects_found(attributions: Tensor, objects: Tensor, *, threshold: float = 0.1, pixels: int = 1) -> Tensor:
    """Number of objects that :func:`object_recall` counts as found."""
    return _found(attributions, objects, threshold, pixels)[0]


def _found(attributions, objects, threshold, pixels):
    value = _per_position(attributions, objects)
    limit = threshold * value.abs().flatten(1).amax(1)
    found = torch.zeros(len(value), dtype=torch.float64, device=value.device)
    present = torch.zeros_like(found)
    for number in objects.unique().tolist():
        if number == 0:
            continue
        mask = objects == number
        here = mask.flatten(1).any(1)
        peak = torch.where(dilate(mask, pixels), value, -torch.inf).flatten(1).amax(1)
        present += here
        found += here & (peak > 0) & (peak >= limit)
    return found, present


def _per_position(attributions: Tensor, mask: Tensor) -> Tensor:
    """Attributions summed over channels, ``(N, 1, ...)`` float64, after checking that the mask fits."""
    value = attributions.double().sum(1, keepdim=True)
    if value.shape != mask.shape:
        raise ValueError(f"expected a mask of shape {tuple(value.shape)}, got {tuple(mask.shape)}")
    return value


# ---------------------------------------------------------------------------------------------------------------
# A model's understanding of certainty (paper, A.3.1)
# ---------------------------------------------------------------------------------------------------------------


def probabilities(model, values: Tensor, certainty: Tensor | float = 1.0, *, batch_size: int = 100) -> Tensor:
    """Class probabilities ``(N, K)`` of a certainty-aware model at one certainty, in batches."""
    with quiet(model):
        parts = []
        for start in range(0, len(values), batch_size):
            part = slice(start, start + batch_size)
            c = certainty[part] if isinstance(certainty, Tensor) else certainty
            parts.append(model(join(values[part], c)).float().softmax(1))
        return torch.cat(parts)


def information_absence(model, values: Tensor) -> dict[str, float]:
    """How much the prediction still depends on values whose certainty is 0 (should be: not at all).

    The probability of the last class at c = 0 over the given ``values`` ``(N, C, ...)``: its ``mean``, standard
    deviation ``sd``, ``low`` and ``high``. Source: paper, equation 2 and "information absence" (A.3.1).
    """
    p = probabilities(model, values, 0.0)[:, -1].double()
    return {"mean": p.mean().item(), "sd": p.std().item(), "low": p.min().item(), "high": p.max().item()}


def neutrality(model, values: Tensor, prior: Tensor) -> float:
    """Largest distance of a mean class probability at c = 0 from the class's frequency ``prior`` ``(K,)``.

    0 is neutral. Source: paper, "neutrality" (A.3.1).
    """
    return (probabilities(model, values, 0.0).double().mean(0) - prior.double().to(values.device)).abs().max().item()


def band_absence(model, inputs: Tensor, band: Tensor, baseline: float) -> tuple[Tensor, Tensor]:
    """The visual test of A.3.1 in numbers: share of |IG| inside a band whose certainty is 0, and with certainty 1.

    Args:
        inputs: joined ``(N, C + 1, ...)``. band: boolean, broadcasts to ``(N, 1, ...)``.
        baseline: value of a constant baseline; the paper uses 0 and 1.

    Returns:
        Two ``(N,)``: masked and unmasked. A model that ignores uncertain values has 0 in the first.
    """
    from .attribution import integrated_gradients

    values, certainty = inputs[:, :-1], inputs[:, -1:]
    band = band.expand_as(certainty)
    masked = join(values, torch.where(band, 0.0, certainty))
    shares = []
    for joined in (masked, inputs):
        shares.append(mass_share(integrated_gradients(model, joined, baseline), band))
    return shares[0], shares[1]
