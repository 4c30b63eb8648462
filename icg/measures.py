"""How good is an attribution, and how well does a model understand certainty? Numbers, with their definitions.

Functions on attributions take maps ``(N, C, ...)`` and masks or object maps ``(N, 1, ...)`` and return one number per
input, ``(N,)`` float64.
"""

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from .arguments import check_number, check_positive
from .attribution import integrated_gradients
from .certainty import join, split
from .question import quiet

# ---- Attributions against a ground truth


def dilate(mask: Tensor, pixels: int = 1) -> Tensor:
    """Grow a boolean mask ``(N, 1, H, W)`` by some pixels in all eight directions: an edge belongs to its object."""
    pixels = check_positive("pixels", pixels, 0)
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
    value, pixels = _per_position(attributions, objects), check_positive("pixels", pixels, 0)
    limit = check_number("threshold", threshold) * value.abs().flatten(1).amax(1)
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


def rank_correlation(a: Tensor, b: Tensor) -> Tensor:
    """Spearman's rank correlation of two attributions ``(N, ...)`` of each input; equal values share their mean rank.

    Returns:
        ``(N,)`` float64 in [-1, 1]; NaN where one of the two is the same everywhere.

    Raises:
        ValueError: different shapes; values that are not finite.

    >>> rank_correlation(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[1.0, 4.0, 9.0]]))
    tensor([1.], dtype=torch.float64)
    """
    if a.shape != b.shape or a.ndim < 2:
        raise ValueError(f"expected two attributions (N, ...) of one shape, got {tuple(a.shape)} and {tuple(b.shape)}")
    if not bool(a.isfinite().all() and b.isfinite().all()):
        raise ValueError("expected finite attributions, got NaN or infinity")
    a, b = (_centred_ranks(x.detach().double().flatten(1)) for x in (a, b))
    return (a * b).sum(1) / (a.square().sum(1) * b.square().sum(1)).sqrt()  # 0 / 0 is NaN


def _centred_ranks(values: Tensor) -> Tensor:
    """Ranks ``(N, P)`` within each row, less their mean; multiples of one half, so constant rows give exactly 0."""
    ordered = values.sort(1).values
    below = torch.searchsorted(ordered, values.contiguous())
    up_to = torch.searchsorted(ordered, values.contiguous(), right=True)
    return (below + up_to - values.shape[1]).double() / 2


def _per_position(attributions: Tensor, mask: Tensor) -> Tensor:
    """Attributions summed over channels, ``(N, 1, ...)`` float64, after checking that the mask fits."""
    value = attributions.double().sum(1, keepdim=True)
    if value.shape != mask.shape:
        raise ValueError(f"expected a mask of shape {tuple(value.shape)}, got {tuple(mask.shape)}")
    return value


# ---- A model's understanding of certainty (paper, A.3.1)


def probabilities(model, values: Tensor, certainty: Tensor | float = 1.0, *, batch_size: int = 100) -> Tensor:
    """Class probabilities ``(N, K)`` of a certainty-aware model at one certainty, in batches."""
    batch_size = check_positive("batch_size", batch_size)
    with quiet(model):
        parts = []
        for start in range(0, len(values), batch_size):
            part = slice(start, start + batch_size)
            c = certainty[part] if isinstance(certainty, Tensor) and certainty.ndim else certainty
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
    values, certainty = split(inputs)
    band = band.expand_as(certainty)
    masked = join(values, torch.where(band, 0.0, certainty))
    hidden, shown = (mass_share(integrated_gradients(model, joined, baseline), band) for joined in (masked, inputs))
    return hidden, shown
