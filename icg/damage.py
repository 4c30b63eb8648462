"""Damage: how training inputs lose information (paper, sections 4 and A.3.2).

A damage sampler draws a certainty for every position, keeps each value with that probability, and replaces it
otherwise. The model sees the damaged values *and* the certainty, and so learns what certainty means.

Two certainty distributions x two kinds of damage data give the paper's mix of four (:func:`mixed_damage`). Every
function is vectorised over the batch and draws from a ``torch.Generator``, so a seed gives the same damage again.
"""

import torch
from torch import Tensor, nn

from .arguments import check_number, check_positive, check_unit
from .certainty import join

# ---- Certainty distributions: tensors of certainties for given per-image means


def uniform_certainty(shape, *, generator=None, device=None, dtype=torch.float32) -> Tensor:
    """Certainties i.i.d. U(0, 1): the basic recipe of section 4. Images then all have a mean close to 0.5."""
    return torch.rand(shape, generator=generator, device=device or (generator and generator.device), dtype=dtype)


def bernoulli_certainty(mean: Tensor, shape, *, generator=None) -> Tensor:
    """Binary certainties: 1 with probability ``mean`` (one per image, ``(N,)``), else 0. Returns ``shape``."""
    mean = _per_image(mean, shape)
    return (_rand(shape, mean, generator) < mean).to(mean.dtype)


def continuous_bernoulli_certainty(mean: Tensor, shape, *, generator=None) -> Tensor:
    """Certainties from the continuous Bernoulli whose **mean** is ``mean`` (one per image, ``(N,)``).

    Args:
        mean: ``(N,)`` in [0, 1]; 0.5 is the uniform distribution, 0 and 1 are constants.
        shape: shape of the result, ``(N, ...)``.

    Returns:
        Certainties in [0, 1] of shape ``shape``, i.i.d. within an image.

    Source: paper, A.3.2 ("Variable damage extent"); Loaiza-Ganem & Cunningham (2019).

    >>> g = torch.Generator().manual_seed(0)
    >>> c = continuous_bernoulli_certainty(torch.tensor([0.1, 0.9]), (2, 100_000), generator=g)
    >>> [round(mean, 2) for mean in c.mean(1).tolist()]
    [0.1, 0.9]
    """
    mean = _per_image(mean, shape)
    return continuous_bernoulli_icdf(_rand(shape, mean, generator), continuous_bernoulli_logit(mean))


def continuous_bernoulli_mean(logit: Tensor) -> Tensor:
    """Mean e of the continuous Bernoulli with natural parameter ``logit`` = log(lambda / (1 - lambda)).

    In terms of h = logit / 2 it is (1 + coth h - 1/h) / 2, here with its series near h = 0, where the closed
    form subtracts two infinities.
    """
    h = logit / 2
    small = h.abs() < 0.03
    safe = torch.where(small, torch.ones_like(h), h)
    langevin = torch.where(small, h / 3 - h**3 / 45 + 2 * h**5 / 945, 1 / torch.tanh(safe) - 1 / safe)
    return 0.5 + 0.5 * langevin


def continuous_bernoulli_logit(mean: Tensor) -> Tensor:
    """The natural parameter whose continuous Bernoulli has this ``mean``: the inverse of e(lambda) (A.3.2).

    Exact to 1e-6 in the mean over [0.001, 0.999] (Newton's method in float64, from a rational starting point, a
    fixed number of steps for the whole batch). ``torch.distributions.ContinuousBernoulli`` clamps its parameter, so
    that in float32 it can't reach a mean below 0.06, and draws from the global random state only; hence these own
    formulas, which a test holds to it where it is exact.
    """
    check_unit("means", mean)
    m = (2 * mean.double() - 1).clamp(-1 + 1e-7, 1 - 1e-7)  # the inverse of the Langevin function at m, times 2
    h = m * (3 - m * m) / (1 - m * m)  # Cohen's rational approximation, off by less than 5 %
    for _ in range(6):
        error = 2 * continuous_bernoulli_mean(2 * h) - 1 - m
        safe = torch.where(h.abs() < 1e-2, torch.ones_like(h), h)
        slope = torch.where(h.abs() < 1e-2, 1 / 3 - h * h / 15, 1 / safe**2 - torch.sinh(safe.clamp(-300, 300)) ** -2)
        h = h - error / slope
    return (2 * h).to(mean.dtype)


def continuous_bernoulli_icdf(u: Tensor, logit: Tensor) -> Tensor:
    """Quantile function of the continuous Bernoulli: ``u`` in [0, 1] to certainties in [0, 1].

    The density is proportional to exp(logit * c) on [0, 1]. Written for negative logits, where nothing overflows;
    positive ones use the mirror image; near 0 it is the uniform distribution to first order.
    """
    negative = -logit.abs()
    flat = logit.abs() < 1e-3
    u = torch.where(logit > 0, 1 - u, u)
    safe = torch.where(flat, torch.full_like(negative, -1.0), negative)
    c = torch.where(flat, u + 0.5 * negative * u * (1 - u), torch.log1p(u * torch.expm1(safe)) / safe)
    return torch.where(logit > 0, 1 - c, c).clamp(0, 1)


# ---- Damage data: what a lost value is replaced by


def uniform_noise(values: Tensor, *, generator=None) -> Tensor:
    """Replacement values i.i.d. U(0, 1), of the shape of ``values``."""
    return _rand(values.shape, values, generator)


def another_sample(values: Tensor, *, generator=None) -> Tensor:
    """Adversarial damage data: for every sample of the batch another one of it, never itself (A.3.2).

    A random cycle through the batch: everybody gets their successor. Needs a batch of at least two.
    """
    n = values.shape[0]
    if n < 2:
        raise ValueError(f"adversarial damage needs a batch of at least 2 samples, got {n}")
    order = torch.randperm(n, generator=generator, device=_device(generator, values)).to(values.device)
    other = torch.empty_like(order)
    other[order] = order.roll(1)
    return values[other]


# ---- Damage itself


def damage(values: Tensor, certainty: Tensor, damage_data: Tensor, *, generator=None) -> Tensor:
    """The damage function D(x, c) of section 4: keep each position with probability ``certainty``.

    Args:
        values: ``(N, C, ...)``.
        certainty: ``(N, 1, ...)`` in [0, 1]; one draw per position, shared by its channels.
        damage_data: what lost positions are replaced by, of the shape of ``values``.

    Returns:
        Damaged values, of the shape of ``values``.
    """
    if damage_data.shape != values.shape:
        raise ValueError(f"expected damage data of shape {tuple(values.shape)}, got {tuple(damage_data.shape)}")
    expected = (values.shape[0], 1, *values.shape[2:])
    if tuple(certainty.shape) != expected:
        raise ValueError(f"expected certainty of shape {expected}, got {tuple(certainty.shape)}")
    check_unit("certainty", certainty)
    lost = _rand(certainty.shape, certainty, generator) >= certainty
    return torch.where(lost, damage_data, values)


def damage_extent(certainty: Tensor) -> Tensor:
    """Mean uncertainty of each input, 1 - mean(c): ``(N, 1, ...)`` to ``(N,)`` in [0, 1] (A.3.2)."""
    return 1 - certainty.flatten(1).mean(1)


def mixed_damage(values: Tensor, *, mean: Tensor | None = None, generator=None) -> Tensor:
    """The training damage of the paper (A.5): an equal mix of four kinds, damage extents spread over [0, 1].

    A quarter of the batch each (to within one sample, in random order): binary or continuous certainty, replaced by
    uniform noise or by another sample of the batch.

    Args:
        values: undamaged ``(N, C, ...)``, N >= 2.
        mean: mean certainty per image, ``(N,)`` in [0, 1]; drawn from U(0, 1) if not given.

    Returns:
        Joined inputs ``(N, C + 1, ...)``: damaged values and their certainty.

    >>> mixed_damage(torch.rand(8, 3, 16, 16), generator=torch.Generator().manual_seed(0)).shape
    torch.Size([8, 4, 16, 16])
    """
    n = values.shape[0]
    if mean is None:
        mean = _rand((n,), values, generator)
    kind = torch.randperm(n, generator=generator, device=_device(generator, values)).to(values.device) % 4
    kind = kind.view(n, *[1] * (values.ndim - 1))
    shape = (n, 1, *values.shape[2:])
    certainty = torch.where(
        kind < 2,
        bernoulli_certainty(mean, shape, generator=generator),
        continuous_bernoulli_certainty(mean, shape, generator=generator),
    )
    data = torch.where(
        kind % 2 == 0, uniform_noise(values, generator=generator), another_sample(values, generator=generator)
    )
    return join(damage(values, certainty, data, generator=generator), certainty)


BLOCKS = 8  # at most so many blocks along an axis


def random_blocks(per_axis: Tensor, axes, *, most: int = BLOCKS, dtype=torch.float32, generator=None) -> Tensor:
    """The block of every position in a grid at a random place: ``(N, *axes)``, below ``(most + 1) ** len(axes)``.

    Args:
        per_axis: blocks along each axis, ``(N,)`` whole numbers from 1 (one block for all) to ``most``; those at the
            edges are cut, unless there is one. axes: positions along each axis. dtype: in which the place is drawn.
    """
    n, device, most = len(per_axis), per_axis.device, check_positive("most", most)
    block = torch.zeros((n, *[1] * len(axes)), dtype=torch.long, device=device)
    for axis, length in enumerate(axes):
        shift = torch.rand(n, generator=generator, device=_device(generator, per_axis), dtype=dtype).to(device)
        shift = torch.where(per_axis > 1, shift, 0.0)
        number = (torch.arange(length, device=device) / length * per_axis[:, None] + shift[:, None]).long()
        block = block * (most + 1) + number.view(n, *[length if a == axis else 1 for a in range(len(axes))])
    return block.expand(n, *axes)


def block_damage(values: Tensor, *, whole: float = 0.5, least: int = 1, generator=None) -> Tensor:
    """Damage that takes neighbours together: blocks of positions are kept or lost as one. Not in the paper.

    Certainty says how likely a position is genuine, not how positions hang together. The paper loses every position by
    itself; at a middling certainty an intact image then never occurs in training, but it is exactly what the path of
    integrated certainty gradients shows: the input as it is, at one certainty everywhere. Here it occurs: with a
    single block the input is genuine with probability c and another one otherwise, so the right prediction goes from
    the prior to the class in a straight line.

    Args:
        values: undamaged ``(N, C, ...)``, N >= 2.
        whole: share of the inputs that are one block; the others have up to 8 along each axis, at random places, half
            of them with a certainty for each block and half with one for all.
        least: blocks along each axis of these others, 1 to 8. Of many small blocks with one certainty each object is
            there or not by itself: what the network learns to say at that certainty is the mean over coalitions, as on
            the diagonal of Owen's multilinear extension. A few large blocks, or one, take all objects together.

    Returns:
        Joined inputs ``(N, C + 1, ...)``; lost blocks hold uniform noise or another sample of the batch (even chance).

    >>> joined = block_damage(torch.rand(8, 1, 16, 16), whole=1.0, generator=torch.Generator().manual_seed(0))
    >>> [len(c.unique()) for c in joined[:, 1:]]
    [1, 1, 1, 1, 1, 1, 1, 1]
    """
    whole, least = check_number("whole", whole, "in [0, 1]"), check_positive("least", least)
    if least > BLOCKS:
        raise ValueError(f"expected least in 1..{BLOCKS}, got {least}")
    n, axes = values.shape[0], values.shape[2:]

    def rand(*size):
        return _rand(size, values, generator)

    per_axis = least + ((BLOCKS + 1 - least) * rand(n)).long().clamp(max=BLOCKS - least)
    per_axis = torch.where(rand(n) < whole, 1, per_axis)
    block = random_blocks(per_axis, axes, dtype=values.dtype, generator=generator).flatten(1)
    n_blocks = (BLOCKS + 1) ** len(axes)
    certainty = torch.where(rand(n, 1) < 0.5, rand(n, 1), rand(n, n_blocks))
    lost = rand(n, n_blocks) >= certainty
    certainty, lost = (t.gather(1, block).view(n, 1, *axes) for t in (certainty, lost))
    noise = rand(n, *[1] * (values.ndim - 1)) < 0.5
    data = torch.where(noise, uniform_noise(values, generator=generator), another_sample(values, generator=generator))
    return join(torch.where(lost, data, values), certainty)


# ---- A training batch of all of it


def certainty_batch(
    values: Tensor,
    targets: Tensor,
    *,
    damaged: float,
    absent: float,
    prior: Tensor,
    generator: torch.Generator,
    blocks: float = 0.0,
    whole: float = 0.5,
    least: int = 1,
) -> tuple[Tensor, Tensor]:
    """Join a batch with certainty: some samples damaged by the paper's mix, some absent, the others undamaged.

    Args:
        values: undamaged values ``(N, C, ...)``. targets: class numbers ``(N,)``.
        damaged: share of the batch that gets :func:`mixed_damage`.
        absent: share that is shown at certainty 0 with values that mean nothing (another image, noise, a constant,
            a mixture of two constants), and whose target is the prior. It teaches equation 2 of the paper and
            neutrality (A.3.1) directly; the paper's mix meets certainty 0 almost never.
        prior: class frequencies ``(K,)``.
        blocks, whole, least: share that gets :func:`block_damage`, which teaches what an intact input at a middling
            certainty means; the share of these that are one block; and how many the others have at least on each axis.

    Returns:
        Joined inputs ``(N, C + 1, ...)`` and target distributions ``(N, K)``.
    """
    given = {"damaged": damaged, "absent": absent, "blocks": blocks, "whole": whole}
    damaged, absent, blocks, whole = (check_number(name, share, "in [0, 1]") for name, share in given.items())
    if damaged + absent + blocks > 1:
        raise ValueError(f"expected shares damaged + absent + blocks in [0, 1], got {damaged} + {absent} + {blocks}")
    n = len(values)
    n_damaged, n_absent = round(damaged * n), round(absent * n)
    n_blocks = min(round(blocks * n), n - n_damaged - n_absent)
    inputs = join(values)
    if n_damaged > 1:
        inputs[:n_damaged] = mixed_damage(values[:n_damaged], generator=generator)
    if n_blocks > 1:
        part = slice(n_damaged, n_damaged + n_blocks)
        inputs[part] = block_damage(values[part], whole=whole, least=least, generator=generator)
    soft = nn.functional.one_hot(targets, len(prior)).to(values.dtype)
    if n_absent:
        inputs[n - n_absent :] = join(meaningless(values[n - n_absent :], generator=generator), 0.0)
        soft[n - n_absent :] = prior.to(soft)
    return inputs, soft


def meaningless(values: Tensor, *, generator: torch.Generator) -> Tensor:
    """Values for absent inputs, a quarter each: the image itself, noise, one grey level, two levels at random."""
    shape = (len(values), *[1] * (values.ndim - 1))
    kind = torch.randint(4, shape, generator=generator, device=_device(generator, values)).to(values.device)
    share, low, high = (_rand(shape, values, generator) for _ in range(3))
    noise = uniform_noise(values, generator=generator)
    two_levels = torch.where(noise < share, low, high)
    return torch.where(kind == 0, values, torch.where(kind == 1, noise, torch.where(kind == 2, low, two_levels)))


def _device(generator, like: Tensor):
    return generator.device if generator is not None else like.device


def _rand(shape, like: Tensor, generator) -> Tensor:
    """U(0, 1) of a shape, drawn where the generator lives, on the device and in the dtype of ``like``."""
    return torch.rand(shape, generator=generator, device=_device(generator, like), dtype=like.dtype).to(like.device)


def _per_image(mean: Tensor, shape) -> Tensor:
    if tuple(mean.shape) != (shape[0],):
        raise ValueError(f"expected one mean per image, shape ({shape[0]},), got {tuple(mean.shape)}")
    check_unit("means", mean)
    return mean.view(-1, *[1] * (len(shape) - 1))
