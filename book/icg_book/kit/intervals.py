"""How sure is a number? Means and shares with 95 % intervals."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


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


def rounded_interval(values: Tensor) -> dict:
    """:func:`mean_interval` for a result: a dictionary, to five digits; null where there is no value.

    >>> rounded_interval(torch.tensor([0.123456, 0.123456]))
    {'mean': 0.12346, 'low': 0.12346, 'high': 0.12346, 'n': 2}
    """
    if bool(values.isnan().all()):
        return {"mean": None, "low": None, "high": None, "n": 0}
    found = mean_interval(values)._asdict()
    return {name: round(value, 5) if name != "n" else value for name, value in found.items()}


def pooled_interval(sums: Tensor, statistic: Callable[[Tensor], Tensor], *, n_resamples: int = 2000) -> dict:
    """As :func:`rounded_interval`, of a statistic that is a function of sums over inputs: a bootstrap over inputs.

    Args:
        sums: what each input adds to them, ``(N, k)``. statistic: ``(..., k)`` sums to ``(...)``.

    >>> pooled_interval(torch.tensor([[1.0, 2.0], [1.0, 2.0]]), lambda total: total[..., 0] / total[..., 1])
    {'mean': 0.5, 'low': 0.5, 'high': 0.5, 'n': 2}
    """
    n, sums = len(sums), sums.double()
    drawn = torch.randint(n, (n_resamples, n), generator=torch.Generator().manual_seed(0)) if n else None
    value = statistic(sums.sum(0)).item()
    if not n or not math.isfinite(value):
        return {"mean": None, "low": None, "high": None, "n": 0}
    low, high = torch.nanquantile(statistic(sums[drawn].sum(1)), torch.tensor([0.025, 0.975]).double()).tolist()
    return {"mean": round(value, 5), "low": round(low, 5), "high": round(high, 5), "n": n}


def mean_curve(share: Tensor, output: Tensor) -> dict:
    """The mean of curves, with intervals, for a result.

    Args:
        share: ``(K,)``, of what is changed. output: ``(N, K)`` probabilities.
    """
    points = [rounded_interval(column) for column in output.T]
    probability = {name: [point[name] for point in points] for name in ("mean", "low", "high")}
    return {"share": [round(value, 5) for value in share.tolist()], "probability": probability}


def wilson(hits: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, from ``hits`` out of ``n``.

    >>> [round(x, 4) for x in wilson(9930, 10_000)]
    [0.9912, 0.9945]
    """
    if not 0 <= hits <= n or n < 1:
        raise ValueError(f"expected 0 <= hits <= n and n >= 1, got {hits} of {n}")
    centre, spread = ((hits + z * z / 2) / (n + z * z), z / (n + z * z) * (hits * (n - hits) / n + z * z / 4) ** 0.5)
    return max(0.0, centre - spread), min(1.0, centre + spread)


# 97.5 % quantiles of Student's t with 1, 2, … degrees of freedom.
_QUANTILES = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622)


def interval(values: list[float | None]) -> dict:
    """Mean and 95 % interval of Student's t over a few trainings; null for all three if a value is missing.

    Args:
        values: 2 to 10 numbers, one for each seed; None says that it never got there.

    Returns:
        ``{"mean": …, "low": …, "high": …, "values": values}``

    >>> {name: round(x, 3) for name, x in interval([1.0, 2.0, 3.0]).items() if name != "values"}
    {'mean': 2.0, 'low': -0.484, 'high': 4.484}
    """
    n = len(values)
    if not 2 <= n <= len(_QUANTILES) + 1:
        raise ValueError(f"expected 2 to {len(_QUANTILES) + 1} values, got {n}")
    if None in values:
        return {"mean": None, "low": None, "high": None, "values": values}
    mean = sum(values) / n
    sd = math.sqrt(sum((x - mean) ** 2 for x in values) / (n - 1))
    half = _QUANTILES[n - 2] * sd / math.sqrt(n)
    return {"mean": mean, "low": mean - half, "high": mean + half, "values": values}
