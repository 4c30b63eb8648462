"""Local Minimum (paper, section 5.2): is the total score of six numbers positive?

Each component adds a score of its own, whatever the others are (figure 5). Up to 0.5 it is negative; above it is
positive, with a minimum at 0.75. There every small change of the component makes the score larger, although the score
is positive: a method that compares an input with its neighbours must take such a component for a bad one.

Everything about the ideal classifier is known exactly here. Values are uniform on [0, 1], and so a random score is
-0.75 or uniform between 0.5 and 1, with even chances: how often some known scores and some random ones have a positive
sum is a sum over Irwin-Hall distributions.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from icg.arguments import check_unit
from icg.certainty import join
from icg.coalitions import coalitions, shapley_from_table
from icg.damage import certainty_batch, damage, uniform_noise
from icg.measures import information_absence, neutrality
from icg.models import LocalMinimumNet
from icg.training import Recipe
from icg_book.kit.trainings import Training

SIZE = 6  # components
CLASSES = ("score 0 or below", "score above 0")

PAPER_INPUT = torch.tensor([[[0.1, 0.2, 0.3, 0.6, 0.7, 0.9]]])
# Table 2 of the paper: attributions of class 1, each column scaled to a largest value of 1.
PAPER_TABLE = {
    "scaled score": (-0.94, -0.94, -0.94, 1, 0.75, 1),
    "BShap": (-0.75, -0.74, -0.74, 1, 0.50, 0.76),
    "zero IG": (0.001, 0.002, 0.003, 1, -0.24, 0.23),
    "mean IG": (-0.01, -0.001, -0.37, 1, 0.89, -0.07),
    "EG": (-0.30, -0.73, -0.66, 0.82, 0.70, 1),
    "AGN": (0.004, -0.004, 0.004, 1, -0.42, -0.02),
    "ICG": (-0.75, -0.75, -0.74, 1, 0.48, 0.74),
}
PAPER_BASELINE = 0.50546  # of every component, for the column BShap
PAPER_ACCURACY = 0.93

RECIPE = Recipe(steps=5_500, batch_size=256, lr=3e-3, warmup=200, average=0.998)
# A second stage with larger batches: labels of damaged inputs are noise for the most part, and must be averaged out.
FINISH = Recipe(steps=16_000, batch_size=1024, lr=1.5e-3, warmup=100, average=0.998)
# Shares of a batch, once damage has grown to its full extent; the rest is undamaged.
DAMAGED, EVEN, ABSENT = 0.38, 0.36, 0.03


def training_batch(step: int, generator) -> tuple[Tensor, Tensor]:
    """One batch for :func:`icg.training.train`: joined inputs ``(N, 2, 6)`` and target distributions ``(N, 2)``.

    The first 700 steps are undamaged. A network that counts components above 0.5 is right for 84 %, and to get past it
    must find the shape of the score there; among damaged inputs that is hard to see. Then damage is blended in: the
    paper's mix, :func:`even_damage`, and inputs of which nothing is known.
    """
    return _batch(RECIPE.batch_size, min(1.0, max(0.0, (step - 700) / 500)), generator)


def finishing_batch(step: int, generator) -> tuple[Tensor, Tensor]:
    """As :func:`training_batch`, for the second stage: larger, and damaged from the start."""
    return _batch(FINISH.batch_size, 1.0, generator)


def _batch(n: int, blend: float, generator) -> tuple[Tensor, Tensor]:
    data = generate(n, generator=generator)
    n_damaged, n_even = round(DAMAGED * blend * n), round(EVEN * blend * n)
    inputs, targets = certainty_batch(
        data.values,
        data.labels,
        damaged=n_damaged / n,
        absent=ABSENT * blend,
        prior=torch.full((2,), 0.5),
        generator=generator,
    )
    even = slice(n_damaged, n_damaged + n_even)
    inputs[even] = even_damage(data.values[even], generator=generator)
    return inputs, targets


def even_damage(values: Tensor, *, generator=None) -> Tensor:
    """Damage with about one certainty for all components, near 1 more often: ``(N, 1, 6)`` to ``(N, 2, 6)``.

    It teaches the neighbourhood of the path of integrated certainty gradients, where all certainties are the same, and
    which the paper's mix hardly meets. Certainties differ a little, for it is the slopes beside the path that count: in
    every input the uncertainty 1 - c of a component is the common one times U(1 - t, 1 + t), with t from U(0, 1).

    Unlike :func:`icg.damage.block_damage` it takes components one by one, so that the right prediction on the path is
    :func:`ideal_probability`.
    """

    def rand(*shape):
        device = generator.device if generator is not None else values.device
        return torch.rand(shape, generator=generator, device=device, dtype=values.dtype)

    n = len(values)
    factor = 1 + rand(n, 1, 1) * (2 * rand(n, 1, SIZE) - 1)
    certainty = (1 - rand(n, 1, 1).square() * factor).clamp(0, 1)
    noise = uniform_noise(values, generator=generator)
    return join(damage(values, certainty, noise, generator=generator), certainty)


@dataclass(frozen=True)
class LocalMinimum:
    """Inputs and their classes.

    Attributes:
        values: ``(N, 1, 6)`` float32, uniform on [0, 1].
        labels: ``(N,)`` int64; 1 where the total score is above 0.
    """

    values: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index) -> "LocalMinimum":
        """A selection of inputs, by slice, mask or index tensor (as for tensors)."""
        return LocalMinimum(self.values[index], self.labels[index])


def component_score(x: Tensor) -> Tensor:
    """The score f of components, elementwise (figure 5), for values in [0, 1] of any floating dtype and shape.

    -0.75 up to 0.5, then 2 (1 - x) down to 0.5 at 0.75, then 2 x - 1 up to 1.

    >>> component_score(torch.tensor([0.3, 0.6, 0.75, 0.9]))
    tensor([-0.7500,  0.8000,  0.5000,  0.8000])
    """
    if not isinstance(x, Tensor) or not x.is_floating_point():
        raise ValueError(f"expected a floating tensor, got {x.dtype if isinstance(x, Tensor) else type(x).__name__}")
    check_unit("values", x)
    return torch.where(x > 0.75, 2 * x - 1, torch.where(x > 0.5, 2 * (1 - x), -0.75))


def total_score(values: Tensor) -> Tensor:
    """The sum S of the six scores, ``(N, 1, 6)`` to ``(N,)`` float64."""
    _check_values(values)
    return component_score(values.double()).sum((1, 2))


def generate(n: int, *, generator=None) -> LocalMinimum:
    """Draw ``n`` inputs with their classes; the values live on the generator's device.

    Raises:
        ValueError: n < 1.

    >>> generate(4, generator=torch.Generator().manual_seed(0)).values.shape
    torch.Size([4, 1, 6])
    """
    if n < 1:
        raise ValueError(f"expected n >= 1 inputs, got {n}")
    device = generator.device if generator is not None else None
    values = torch.rand(n, 1, SIZE, generator=generator, device=device)
    return LocalMinimum(values, (total_score(values) > 0).long())


# ---------------------------------------------------------------------------------------------------------------
# The ideal classifier, exactly
# ---------------------------------------------------------------------------------------------------------------


def ideal(values: Tensor) -> Tensor:
    """The ideal classifier, ``(N, 1, 6)`` to ``(N,)`` float64: 1.0 where the total score is above 0, else 0.0."""
    return (total_score(values) > 0).double()


def ideal_game(values: Tensor) -> Tensor:
    """The probability of class 1 when only a coalition of components is known and the others are random.

    Args:
        values: ``(N, 1, 6)``.

    Returns:
        ``(64, N)`` float64, in the order of :func:`icg.coalitions.coalitions`; the last row is :func:`ideal`. It is
        SHAP's game for the ideal classifier (paper, section A.1.2), in closed form.
    """
    _check_values(values)
    scores = component_score(values.double())[:, 0]
    masks = coalitions(SIZE).to(values.device)
    known = masks.double() @ scores.T
    absent = SIZE - masks.sum(1)
    table = torch.empty_like(known)
    for m in range(SIZE + 1):
        table[absent == m] = _chance_above(-known[absent == m], m)
    return table


def ideal_probability(values: Tensor, certainty: Tensor | float = 1.0) -> Tensor:
    """The probability of class 1 when each component is genuine with its certainty, independently, or else random.

    It is what a perfect certainty-aware network says of the damaged values and their certainty. Replacements have the
    distribution of the values themselves, so certainty is exactly how likely a component is genuine, and the mean of
    :func:`ideal_game` over coalitions is exact.

    Args:
        values: ``(N, 1, 6)``. certainty: ``(N, 1, 6)`` in [0, 1], or one number.

    Returns:
        ``(N,)`` float64.
    """
    _check_values(values)
    certainty = join(values.double(), certainty)[:, 1]
    masks = coalitions(SIZE).to(values.device)[:, None]
    weights = torch.where(masks, certainty, 1 - certainty).prod(2)
    return (weights * ideal_game(values)).sum(0)


def ideal_shap(values: Tensor) -> Tensor:
    """Exact SHAP of the ideal classifier's class 1 under the uniform distribution: ``(N, 1, 6)``, float64.

    They sum to ``ideal(values) - 0.5``.

    >>> [round(v, 4) for v in ideal_shap(PAPER_INPUT).flatten().tolist()]
    [-0.2356, -0.2356, -0.2356, 0.1186, -0.0304, 0.1186]
    """
    return shapley_from_table(ideal_game(values)).T[:, None]


def _chance_above(least: Tensor, m: int) -> Tensor:
    """P(sum of ``m`` random scores > ``least``), elementwise: k of them are above 0, each 0.5 + half a uniform."""
    chance = torch.zeros_like(least)
    for k in range(m + 1):
        needed = 2 * (least + 0.75 * (m - k) - 0.5 * k)
        chance += math.comb(m, k) / 2**m * (1 - _irwin_hall(needed, k))
    return chance


def _irwin_hall(s: Tensor, k: int) -> Tensor:
    """P(sum of ``k`` independent U(0, 1) <= ``s``), elementwise."""
    if k == 0:
        return (s >= 0).to(s)
    s = s.clamp(0, k)
    return sum((-1) ** j * math.comb(k, j) * (s - j).clamp(min=0) ** k for j in range(k + 1)) / math.factorial(k)


def _check_values(values: Tensor) -> None:
    if not isinstance(values, Tensor) or values.ndim != 3 or tuple(values.shape[1:]) != (1, SIZE):
        got = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise ValueError(f"expected values of shape (N, 1, {SIZE}), got {got}")


# ---------------------------------------------------------------------------------------------------------------
# What a card says of a model
# ---------------------------------------------------------------------------------------------------------------


def accuracy(model, *, n: int = 100_000, seed: int = 1) -> float:
    """Share of fresh undamaged inputs whose class is right."""
    data = generate(n, generator=torch.Generator().manual_seed(seed))
    return ((_probability(model, join(data.values)) > 0.5).long() == data.labels).double().mean().item()


def game_error(model, *, n: int = 500, seed: int = 2) -> Tensor:
    """How far the network is from :func:`ideal_game` when some components are known and the others absent.

    Returns:
        ``(64, n)`` float64: its probability of class 1 minus the exact one, for all coalitions of ``n`` inputs.
    """
    values = generate(n, generator=torch.Generator().manual_seed(seed)).values
    masks = coalitions(SIZE).float()
    certainty = masks[:, None, None].expand(-1, n, -1, -1).reshape(-1, 1, SIZE)
    p = _probability(model, join(values.repeat(len(masks), 1, 1), certainty))
    return p.view(len(masks), n) - ideal_game(values)


def evaluate(model, *, n: int = 100_000, n_games: int = 500, seed: int = 1) -> dict:
    """What a card says of a model: accuracy, and how well it knows what certainty means.

    Returns:
        ``accuracy`` on ``n`` undamaged inputs. ``distance from the exact probability``: mean |network - exact| of the
        probability of class 1 over ``n_games`` inputs, for each number of known components (the others at certainty
        0), for all 64 coalitions, and with one certainty everywhere; and the exact probabilities' own mean distance
        from 1/2, for comparison. ``at certainty 0``: its probability of class 1 when nothing is known.
    """
    size = coalitions(SIZE).sum(1)
    error = game_error(model, n=n_games, seed=seed + 1).abs()
    values = generate(n_games, generator=torch.Generator().manual_seed(seed + 1)).values
    exact = ideal_game(values)
    same = {}
    for certainty in (0.1, 0.25, 0.5, 0.75, 0.9):
        p = _probability(model, join(values, certainty))
        same[str(certainty)] = (p - ideal_probability(values, certainty)).abs().mean().item()
    return {
        "accuracy": {"all": accuracy(model, n=n, seed=seed), "images": n},
        "distance from the exact probability": {
            "known components": {str(k): error[size == k].mean().item() for k in range(SIZE + 1)},
            "all coalitions": error.mean().item(),
            "one certainty everywhere": same,
            "of a network that always says 1/2": (exact - 0.5).abs().mean().item(),
        },
        "at certainty 0": information_absence(model, values),
        "neutrality": neutrality(model, values, torch.full((2,), 0.5)),
    }


@torch.no_grad()
def _probability(model, joined: Tensor) -> Tensor:
    return torch.cat([model(part).double().softmax(1)[:, 1] for part in joined.split(4000)])


TRAININGS = {
    "local-minimum": Training(LocalMinimumNet, ((RECIPE, training_batch), (FINISH, finishing_batch)), evaluate)
}
