"""How tightly is an attribution localised, and what does it make of a photograph's empty borders?

The paper calls ICG's maps of photographs "more tightly localised" (A.4.1) and sees another method mark a black border.
These are numbers for that. Functions on attributions take maps ``(N, C, H, W)``, add up channels, look at absolute
values and return one number per map, ``(N,)`` float64; a map that is 0 everywhere has none, NaN. None of them says
whether a map is *right*: a small one in the wrong place is well localised.
"""

import math

import torch
from torch import Tensor

from icg.arguments import check_tensor


def entropy(attributions: Tensor) -> Tensor:
    """Shannon entropy of the shares of the absolute attribution, over that of an even map.

    Returns:
        ``(N,)`` in [0, 1]: 1 if all positions have the same, 0 if one has everything.

    Raises:
        ValueError: no floating ``(N, C, H, W)`` of at least two positions; NaN or infinity.

    >>> entropy(torch.tensor([[[[1.0, -1.0], [0.0, 0.0]]]]))
    tensor([0.5000], dtype=torch.float64)
    """
    share = _shares(attributions)
    return torch.special.entr(share).sum((1, 2)) / math.log(share[0].numel())


def spread(attributions: Tensor) -> Tensor:
    """Standard deviation of the position, weighted by the absolute attribution, over that of an even map.

    The root of the mean squared distance from the weighted centre. Far parts count more than in :func:`entropy`, which
    doesn't know where positions are.

    Returns:
        ``(N,)``: 0 if one position has everything, 1 for an even map, more (at most about 1.7) if it is in the corners.

    Raises:
        ValueError: as :func:`entropy`.

    >>> spread(torch.ones(1, 1, 4, 6))
    tensor([1.], dtype=torch.float64)
    """
    share = _shares(attributions)
    return (_variance(share) / _variance(torch.full_like(share[:1], 1 / share[0].numel()))).sqrt()


def _variance(share: Tensor) -> Tensor:
    total = torch.zeros(len(share), dtype=share.dtype, device=share.device)
    for dim in (1, 2):
        along = share.sum(3 - dim)  # the other one
        at = torch.arange(along.shape[1], dtype=share.dtype, device=share.device)
        centre = along @ at
        total += (along * (at - centre[:, None]).square()).sum(1)
    return total


def half_area(attributions: Tensor, part: float = 0.5) -> Tensor:
    """Smallest share of all positions that holds half of the absolute attribution.

    Args:
        part: another part than half, in (0, 1].

    Returns:
        ``(N,)`` in (0, 1]: whole positions, so 1 / (H W) at least; one half for an even map.

    Raises:
        ValueError: as :func:`entropy`; ``part`` outside (0, 1].

    >>> half_area(torch.tensor([[[[3.0, -1.0], [1.0, 1.0]]]]))
    tensor([0.2500], dtype=torch.float64)
    """
    if not 0 < part <= 1:
        raise ValueError(f"expected part in (0, 1], got {part}")
    held = _shares(attributions).flatten(1).sort(1, descending=True).values.cumsum(1)
    count = (held < part - 1e-9).sum(1) + 1  # with room for rounding
    count = count.clamp(max=held.shape[1]).double() / held.shape[1]
    return torch.where(held[:, -1].isnan(), torch.nan, count)


def borders(images: Tensor, *, tolerance: float = 8 / 255, least: int = 3, outliers: float = 0.02) -> Tensor:
    """Where a photograph has a border of one constant colour: black bars, frames, a studio's white ground.

    From each of the four sides, rows (or columns) belong to its border as long as they are of one colour and of the
    outermost row's: a row's colour is its median, and all but a few ``outliers`` of its pixels lie within ``tolerance``
    of it in every channel. Without a few outliers the traces of JPEG compression would end most borders.

    Args:
        images: ``(N, C, H, W)`` in [0, 1].
        tolerance: largest difference that still is the same colour.
        least: rows that a border has at least; fewer don't count.
        outliers: share of a row's pixels that may differ, in [0, 1).

    Returns:
        ``(N, 1, H, W)`` boolean; nothing at all for an image that is of one colour everywhere.

    Raises:
        ValueError: no finite floating ``(N, C, H, W)``; ``tolerance``, ``least`` or ``outliers`` out of range.
    """
    check_tensor("images", images)
    if images.ndim != 4:
        raise ValueError(f"expected images (N, C, H, W), got {tuple(images.shape)}")
    if not tolerance >= 0 or least < 1 or not 0 <= outliers < 1:
        raise ValueError(
            f"expected tolerance >= 0, least >= 1 and outliers in [0, 1), got {tolerance}, {least} and {outliers}"
        )
    mask = torch.zeros_like(images[:, :1], dtype=torch.bool)
    for dim in (2, 3):
        for backwards in (False, True):
            # (N, rows, pixels of a row, C)
            rows = images.permute(0, 2, 3, 1) if dim == 2 else images.permute(0, 3, 2, 1)
            rows = rows.flip(1) if backwards else rows
            colour = rows.median(2).values
            differs = ((rows - colour[:, :, None]).abs() > tolerance).any(3).double().mean(2)
            same = (differs <= outliers) & ((colour - colour[:, :1]).abs() <= tolerance).all(2)
            border = same.long().cumprod(1)
            border = border.bool() & (border.sum(1, keepdim=True) >= least)
            border = border.flip(1) if backwards else border
            mask |= border[:, None, :, None] if dim == 2 else border[:, None, None, :]
    return mask & ~mask.flatten(1).all(1).view(-1, 1, 1, 1)


def _shares(attributions: Tensor) -> Tensor:
    """Share of the absolute attribution at each position, ``(N, H, W)`` float64; NaN where all of it is 0."""
    check_tensor("attributions", attributions)
    if attributions.ndim != 4 or attributions[0, 0].numel() < 2:
        raise ValueError(
            f"expected attributions (N, C, H, W) of at least two positions, got {tuple(attributions.shape)}"
        )
    size = attributions.detach().double().sum(1).abs()
    # By the largest first: a map's scale may be too small for its sum to be a number.
    size = size / size.amax((1, 2), keepdim=True)
    return size / size.sum((1, 2), keepdim=True)


def blurred(attributions: Tensor, sigma: float) -> Tensor:
    """Gaussian-blurred along height and width, one axis after the other; sides are continued by their mirror image.

    Args:
        attributions: ``(N, C, H, W)``, or images.
        sigma: standard deviation in positions, > 0.

    Returns:
        The same shape and dtype.

    Raises:
        ValueError: no floating ``(N, C, H, W)``, NaN or infinity, ``sigma`` not above 0.

    >>> blurred(torch.ones(1, 1, 4, 4), 2.0).sum().round()
    tensor(16.)
    """
    from torchvision.transforms.functional import gaussian_blur  # slow to import

    check_tensor("attributions", attributions)
    if attributions.ndim != 4:
        raise ValueError(f"expected attributions (N, C, H, W), got {tuple(attributions.shape)}")
    if not sigma > 0:
        raise ValueError(f"expected sigma > 0, got {sigma}")
    result = attributions
    for dim in (2, 3):
        # Three standard deviations a side, no more than a mirror image has.
        reach = min(int(3 * sigma + 0.5), attributions.shape[dim] - 1)
        size = [1, 1]
        size[3 - dim] = 2 * reach + 1  # torchvision's order is x, y
        result = gaussian_blur(result, size, [sigma, sigma])
    return result
