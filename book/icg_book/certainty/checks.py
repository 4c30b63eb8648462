"""Checks of the chapter on certainty."""

import math
from collections.abc import Callable
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from icg.certainty import join
from icg.damage import another_sample, continuous_bernoulli_icdf, damage
from icg_book.kit.answers import NotYet, Property, Values, ask, close, fits, numbers, seeded, written
from icg_book.kit.answers import accept as accept


def _like(answer, values: Tensor, what: str) -> Tensor:
    """An answer in the shape of ``values``, or a sentence that asks for it."""
    found = numbers(answer, f"{what}, {tuple(values.shape)}")
    if not fits(found, values):
        raise NotYet(f"Return {what}, shape {tuple(values.shape)}; yours has shape {tuple(found.shape)}.")
    return found.reshape(values.shape)


# ---- damage -----------------------------------------------------------------------------------------------------


def _damage(values, certainty, replacement, generator):
    dice = torch.rand(certainty.shape, generator=generator)
    return torch.where(dice < certainty, values, replacement)


LEVELS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)


def _observe_damage(asked, seed: int) -> SimpleNamespace:
    """Certainties of all levels strewn over images, for the shares; many draws at one half, for their independence.

    Originals lie below 1 and replacements above 2, so that every number tells where it comes from. Both are multiples
    of 1/64, which no floating dtype rounds.
    """
    source = seeded(seed)
    seen = SimpleNamespace(foreign=False, parted=False, blends=True)

    def ask(certainty: Tensor, channels: int, generator: torch.Generator) -> Tensor:
        """Which positions were kept, ``(N, H, W)``."""
        shape = (len(certainty), channels, *certainty.shape[2:])
        values, replacement = (torch.randint(64, shape, generator=source) / 64 + low for low in (0, 2))
        values, replacement = (x.to(certainty.dtype) for x in (values, replacement))
        answer = _like(asked(values, certainty, replacement, generator), values, "the damaged values")
        kept, lost = close_to(answer, values), close_to(answer, replacement)
        seen.foreign |= not bool((kept | lost).all())
        seen.parted |= not bool((kept == kept[:, :1]).all())
        seen.blends &= close(answer, certainty * values + (1 - certainty) * replacement)
        return kept[:, 0]

    def close_to(answer, other):
        return (answer - other).abs() < 1e-4

    def strewn(*shape):
        return torch.tensor(LEVELS)[torch.randint(len(LEVELS), shape, generator=source)]

    cases = [(strewn(1, 1, 2, 3), 1), (strewn(3, 1, 5, 4).double(), 2), (strewn(4, 1, 100, 75), 2)]
    level = torch.cat([c.flatten().double() for c, _ in cases])
    kept = torch.cat([ask(c, channels, seeded(seed + k)).flatten() for k, (c, channels) in enumerate(cases)])
    share = {c: kept[(level - c).abs() < 1e-6].double().mean().item() for c in LEVELS}
    count = {c: int(((level - c).abs() < 1e-6).sum()) for c in LEVELS}
    seen.share, seen.certainty = "", ""
    for c in LEVELS[1:-1]:
        if not seen.share and abs(share[c] - c) > 5.5 * (c * (1 - c) / count[c]) ** 0.5:
            seen.share, seen.certainty = f"{share[c]:.0%}", f"{c:g}"
    seen.certain_kept, seen.certain_lost = share[1.0] == 1, share[1.0] < 1
    seen.unknown_kept, seen.unknown_lost = share[0.0] > 0, share[0.0] == 0
    seen.reversed = share[1.0] == 0 and share[0.0] == 1
    seen.all_kept, seen.all_lost = bool(kept.all()), not bool(kept.any())

    even = torch.full((6, 1, 4, 5), 0.5)
    generators = [seeded(1000 * seed + s) for s in range(100)]
    drawn = torch.stack([torch.stack([ask(even, 2, g) for _ in range(2)]) for g in generators])  # (100, 2, 6, 4, 5)
    varied = bool(drawn.any()) and not bool(drawn.all())
    seen.cut = not varied and share[0.3] in (0, 1) and share[0.7] in (0, 1)
    again = torch.stack([ask(even, 2, seeded(1000 * seed + s)) for s in range(10)])
    seen.repeatable = torch.equal(again, drawn[:10, 0])
    seen.seed_ignored = varied and bool((drawn == drawn[:1]).all())
    seen.not_drawn_on = varied and bool((drawn[:, 0] == drawn[:, 1]).all())

    seen.whole_images = varied and bool((drawn == drawn[..., :1, :1]).all())
    seen.rows = varied and bool((drawn == drawn[..., :1]).all() or (drawn == drawn[..., :1, :]).all())
    seen.images_alike = varied and bool((drawn == drawn[:, :, :1]).all())
    sides = drawn.double().flatten(3) * 2 - 1  # (100, 2, 6, 20), mean 0 and variance 1
    seen.together = (
        _largest_correlation(sides) > 0.2  # two positions of an image
        or _largest_correlation(sides.transpose(2, 3)) > 0.15  # the same position of two images
        or _largest_correlation(sides.flatten(2)) > 0.5  # any two
    )
    # Of 20 positions of an image, and of the 120 of a batch, a number is kept that varies with the draw.
    seen.variance = min(
        float(sides.sum(3).var() / 20),
        float(sides.sum((2, 3)).var() / 120) + 0.3,  # fewer batches than images: less sure
    )
    return seen


def _largest_correlation(sides: Tensor) -> float:
    """Of any two columns of ``(..., columns)``, each of mean 0 and variance 1, how strongly the most alike agree."""
    rows = sides.reshape(-1, sides.shape[-1])
    return float((rows.T @ rows / len(rows)).fill_diagonal_(0).abs().max())


check_damage = Property(
    task="``function(values, certainty, replacement, generator) -> damaged``: the paper's D(x, c), section 4.",
    stub="my_damage",
    reference=_damage,
    observe=_observe_damage,
    library=(damage,),
    praise="Right: kept with probability c, replaced otherwise.",
    hints={
        "You mix original and replacement. Damage replaces: each position is one or the other, by chance.": (
            lambda o: o.foreign and o.blends
        ),
        "Some of your numbers are neither the original value nor the replacement at the same place.": (
            lambda o: o.foreign
        ),
        "Kept and lost are the wrong way round: certainty 1 means that the value stays.": lambda o: o.reversed,
        "You keep everything: nothing is damaged.": lambda o: o.all_kept,
        "You keep nothing. A value of certainty 1 stays, one of certainty 0.3 three times in ten.": lambda o: (
            o.all_lost
        ),
        "You cut at one value of the certainty. A value of certainty 0.3 stays three times in ten, at random.": (
            lambda o: o.cut
        ),
        "At certainty 1 some values are lost, although they are certain.": lambda o: o.certain_lost,
        "At certainty 0 some values are kept, although nothing is known of them.": lambda o: o.unknown_kept,
        "Whole images are kept or lost at once. Draw one random number for each position.": lambda o: o.whole_images,
        "The channels of a pixel have parted. They share one certainty, so let them share one draw.": (
            lambda o: o.parted
        ),
        "Whole rows or columns are kept or lost at once. Draw one random number for each position.": lambda o: o.rows,
        "All images of the batch meet the same random numbers. Draw new ones for each image.": (
            lambda o: o.images_alike
        ),
        "The same seed gave other damage. Draw from the generator that is passed in.": lambda o: not o.repeatable,
        "Another seed gave the same damage. Draw from the generator that is passed in, and do not seed it.": (
            lambda o: o.seed_ignored
        ),
        "Asked twice with one generator, you gave the same damage twice. Draw from the generator itself, so that it "
        "moves on.": lambda o: o.not_drawn_on,
        "At certainty {certainty} you keep {share} of the values. It is the chance to be kept.": lambda o: o.share,
        "Some positions are kept or lost together. Draw one random number for each position of each image.": (
            lambda o: o.together
        ),
        "You keep nearly the same number of values each time. With a draw for each position, that number varies.": (
            lambda o: not 0.6 < o.variance < 1.6
        ),
    },
)

# ---- the exchange -----------------------------------------------------------------------------------------------


def _exchange(values, generator):
    n = len(values)
    order = torch.randperm(n, generator=generator)
    other = torch.zeros_like(order)
    other[order] = order.roll(1)
    return values[other]


def _observe_exchange(asked, seed: int) -> SimpleNamespace:
    """Who gets whom, in batches of two to five, over many draws."""
    source = seeded(seed)
    seen = SimpleNamespace(mixed=False, foreign=False)

    def partners(n: int, generator: torch.Generator) -> Tensor:
        """Which image each place got, read off its pixels: image k has whole numbers from 16 k on."""
        shape = (n, 1 + n % 2, 2, 3)
        values = (torch.randint(16, shape, generator=source) + 16 * torch.arange(n).view(-1, 1, 1, 1)).float()
        values = values.double() if n % 2 else values
        answer = _like(asked(values, generator), values, "the images")
        got = (answer / 16).floor().nan_to_num(-1).clamp(-1, n).long()
        image = got[:, 0, 0, 0]
        of_the_batch = bool(torch.isin(answer, values.double()).all())
        seen.mixed |= of_the_batch and not bool((got == image.view(-1, 1, 1, 1)).all())
        found = values[image.clamp(0, n - 1)].double()
        seen.foreign |= not bool(((answer - found).abs() < 1e-4).all())
        return image

    # two draws in a row of each generator, (60, 2, n)
    drawn = {
        n: torch.stack(
            [torch.stack([partners(n, g) for _ in range(2)]) for g in map(seeded, range(1000 * seed, 1000 * seed + 60))]
        )
        for n in (2, 3, 4, 5)
    }
    again = torch.stack([partners(5, seeded(1000 * seed + s)) for s in range(10)])
    seen.repeatable = torch.equal(again, drawn[5][:10, 0])
    seen.not_drawn_on = bool((drawn[5][:, 0] == drawn[5][:, 1]).all())
    seen.always = bool((drawn[5] == drawn[5][:1, :1]).all())
    seen.nobody_moves = all(bool((d == torch.arange(n)).all()) for n, d in drawn.items())
    own = {n: (d == torch.arange(n)).flatten(0, 1) for n, d in drawn.items()}  # (120, n)
    seen.size = next((n for n, found in own.items() if found.any()), 0)
    seen.all_at_once = all(torch.equal(found.any(1), found.all(1)) for found in own.values())
    twice = {n: not bool((d.sort(2).values == torch.arange(n)).all()) for n, d in drawn.items()}
    seen.twice = any(twice.values())
    pairs = {n: {(i, j) for d in found.flatten(0, 1).tolist() for i, j in enumerate(d)} for n, found in drawn.items()}
    seen.missing = ""
    for n, found in pairs.items():
        never = sorted({(i, j) for i in range(n) for j in range(n) if i != j} - found)
        if never and not seen.missing:
            i, j = never[0]
            seen.missing = f"in a batch of {n}, place {i} never got image {j}"
    return seen


check_exchange = Property(
    task="``function(values, generator) -> values``: for every image of the batch another one of it, each used once.",
    stub="my_exchange",
    reference=_exchange,
    observe=_observe_exchange,
    library=(another_sample,),
    praise="Right: everybody gets somebody else.",
    hints={
        "You mix pixels of several images. Exchange whole images.": lambda o: o.mixed,
        "Some of what you return are not images of the batch.": lambda o: o.foreign,
        "Every image gets itself: nothing would be damaged.": lambda o: o.nobody_moves,
        "Now and then every image gets itself, in a batch of {size}. Leave that out.": lambda o: (
            o.size and o.all_at_once
        ),
        "Some image gets itself, in a batch of {size}: drawn with replacement, it may meet itself.": (
            lambda o: o.size and o.twice and not o.always
        ),
        "Some image gets itself, in a batch of {size}. A random order has such places, one on average, however large "
        "the batch.": lambda o: o.size and not o.always,
        "Some image gets itself, in a batch of {size}. Everybody should get somebody else.": lambda o: o.size,
        "Some images are used twice and others not at all. Exchange them, so that each is used once.": (
            lambda o: o.twice
        ),
        "Every image always gets the same other one. Let the generator choose.": lambda o: o.always,
        "The same seed gave another exchange. Draw from the generator that is passed in.": lambda o: not o.repeatable,
        "Asked twice with one generator, you gave the same exchange twice. Draw from the generator itself, so that it "
        "moves on.": lambda o: o.not_drawn_on,
        "Some pairs never meet: {missing}. Every other image should be possible.": lambda o: o.missing,
    },
)

# ---- quantiles --------------------------------------------------------------------------------------------------


def _quantile(u, logit):
    if logit == 0:
        return u
    return torch.log1p(u * math.expm1(logit)) / logit


def _quantile_cases(seed: int) -> list[tuple]:
    generator = seeded(seed)

    def drawn(*shape):
        return torch.rand(shape, generator=generator, dtype=torch.float64)

    def number(low, high):
        return low + (high - low) * torch.rand((), generator=generator).item()

    ends = torch.tensor([0.5, 0.0, 0.95, 0.3, 1.0, 0.1, 0.8], dtype=torch.float64)
    return [
        (torch.tensor([[0.25, 0.75]], dtype=torch.float64), 2.0),
        (ends, number(-4, -2)),
        (drawn(3, 1, 2, 2), number(0.3, 0.8)),
        (drawn(5).float(), number(-1, -0.3)),
        (drawn(1), number(1, 3)),
        (ends.flip(0), 8.0),
        (drawn(4), number(-7, -5)),
        (drawn(6), 0.02),
        (ends.float(), 0.0),
    ]


def _chance(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def _unless_flat(rule: Callable) -> tuple[Callable, Callable]:
    """A mistaken answer that knows the uniform distribution, and one that divides by 0 there."""
    return lambda u, t: rule(u, t) if t else u, lambda u, t: rule(u, torch.tensor(t, dtype=torch.float64))


def _grows(t):
    return torch.expm1(torch.as_tensor(t, dtype=torch.float64))


check_quantile = Values(
    task="``function(u, logit) -> certainties``: quantiles of the density proportional to exp(logit * c) on [0, 1].",
    stub="my_quantile",
    reference=_quantile,
    cases=_quantile_cases,
    returns="the certainties, as many as `u` has numbers",
    library=(continuous_bernoulli_icdf,),
    praise="Right: uniform numbers in, certainties out.",
    otherwise="Not the quantiles. Test yourself: u = 0 must give 0, u = 1 must give 1, and c must grow with u.",
    hints={
        "At logit 0 your formula divides by zero. What distribution is it there?": (
            _unless_flat(lambda u, t: torch.log1p(u * _grows(t)) / t)[1]
        ),
        "At logit 0 the density is flat: what are its quantiles?": (
            lambda u, t: _quantile(u, t) if t else 0 * u,
            lambda u, t: _quantile(u, t) if t else 0 * u + 0.5,
            lambda u, t: _quantile(u, t) if t else 0 * u + 1,
            lambda u, t: _quantile(u, t) if t else 1 - u,
        ),
        "This is the share below c. You need its inverse: c for a given share.": (
            _unless_flat(lambda u, t: torch.expm1(t * u) / _grows(t))
        ),
        "This is the density. You need c such that a share u lies below.": (
            *_unless_flat(lambda u, t: t * torch.exp(t * u) / _grows(t)),
            lambda u, t: t * torch.exp(t * u) / _grows(t) if t else 0 * u + 1,
        ),
        "Reversed: a positive logit favours large certainties.": (
            *_unless_flat(lambda u, t: 1 - torch.log1p(u * _grows(t)) / t),
            *_unless_flat(lambda u, t: torch.log1p(u * _grows(-t)) / -t),
            lambda u, t: 1 - _quantile(u, t),
        ),
        "You count from above: u is the share *below* c.": (
            *_unless_flat(lambda u, t: torch.log1p((1 - u) * _grows(t)) / t),
            lambda u, t: _quantile(1 - u, t),
        ),
        "Almost: one factor is missing at the end.": (
            *_unless_flat(lambda u, t: torch.log1p(u * _grows(t))),
            lambda u, t: torch.log1p(u * _grows(t)),
        ),
        "At u = 0 the answer must be 0. Where does the integral begin?": (
            *_unless_flat(lambda u, t: torch.log(u * _grows(t)) / t),
            *_unless_flat(lambda u, t: torch.log(u * torch.exp(torch.as_tensor(t))) / t),
        ),
        "The density must integrate to 1: find its constant first.": (
            *_unless_flat(lambda u, t: torch.log(u) / t),
            *_unless_flat(lambda u, t: torch.log1p(u) / t),
            *_unless_flat(lambda u, t: torch.log1p(u * t) / t),
        ),
        "This is a plain Bernoulli: only zeros and ones.": (
            lambda u, t: (u < _chance(t)).double(),
            lambda u, t: (u > 1 - _chance(t)).double(),
            lambda u, t: (u <= _chance(t)).double(),
            lambda u, t: (u >= 1 - _chance(t)).double(),
        ),
        "That is the uniform distribution, whatever the logit.": lambda u, t: u,
        "You return the parameter, the same for every u.": lambda u, t: 0 * u + _chance(t),
    },
)

# ---- information absence ----------------------------------------------------------------------------------------


class _Careless(nn.Module):
    """A certainty-aware model that looks at values it should not believe."""

    certainty_aware = True

    def __init__(self, weights: Tensor, bias: Tensor, at_zero: float):
        super().__init__()
        # (K, C) and (K,), and how much of a value shows at certainty 0
        self.weights, self.bias, self.at_zero = weights, bias, at_zero
        written(f"a network that lets {at_zero:.0%} of every value through at certainty 0", self)

    def forward(self, joined: Tensor) -> Tensor:
        channels = self.weights.shape[1] + 1
        if not isinstance(joined, Tensor) or joined.ndim != 4 or joined.shape[1] != channels:
            shape = tuple(getattr(joined, "shape", ()))
            raise NotYet(
                f"`model` takes joined inputs, here (N, {channels}, H, W), the certainty last; it was given {shape}."
            )
        values, certainty = joined[:, :-1], joined[:, -1:]
        seen = (self.at_zero + (1 - self.at_zero) * certainty) * values
        place = torch.linspace(0.5, 1.5, seen[0, 0].numel(), dtype=seen.dtype).view(seen.shape[2:])
        level = (seen * place).flatten(2).mean(2)  # (N, C)
        return level @ self.weights.to(level).T + self.bias.to(level)


def _absence(model, values):
    unknown = torch.cat([values, torch.zeros_like(values[:, :1])], 1)
    return model(unknown).softmax(1).std(0).mean()


def _absence_cases(seed: int) -> list[tuple]:
    generator = seeded(seed)
    cases = []
    for n, channels, size, n_classes, at_zero in (
        (3, 1, (1, 2), 2, 0.6),
        (5, 2, (2, 3), 3, 0.4),
        (12, 3, (4, 4), 5, 0.8),
        (4, 1, (3, 2), 4, 0.0),
        (7, 4, (2, 2), 3, 0.9),
    ):
        weights = 4 * torch.randn(n_classes, channels, generator=generator, dtype=torch.float64)
        bias = torch.rand(n_classes, generator=generator, dtype=torch.float64)
        values = torch.rand(n, channels, *size, generator=generator, dtype=torch.float64)
        values = values * torch.rand(n, 1, 1, 1, generator=generator, dtype=torch.float64)  # dark and light
        # The class that moves most is neither the first nor the last, if there are three.
        spread = _Careless(weights, bias, at_zero)(join(values, 0.0)).softmax(1).std(0)
        order = spread.argsort().roll(-1)
        model = _Careless(weights[order], bias[order], at_zero)
        cases.append((model, values if n_classes == 5 else values.float()))
    return cases


def _at(certainty: float, rule: Callable) -> Callable:
    """A mistaken answer from the probabilities ``(N, K)`` at one certainty."""
    return lambda model, values: rule(model(join(values, certainty)).softmax(1))


def _range(p: Tensor) -> Tensor:
    return p.amax(0) - p.amin(0)


check_absence = Values(
    task="``function(model, values) -> number``: the classes' mean standard deviation of probabilities at c = 0.",
    stub="my_absence",
    reference=_absence,
    also=(_at(0.0, lambda p: p.std(0, correction=0).mean()),),  # the task does not say whether by N or by N - 1
    cases=_absence_cases,
    returns="one number, the mean over the classes",
    tolerance=1e-5,
    praise="Right: that is how much a model still sees when it should see nothing.",
    otherwise="Not the spread of the probabilities at certainty 0. Test: a model that ignores the values has 0.",
    hints={
        "This is at certainty 1. Information absence asks what happens at certainty 0.": (
            _at(1.0, lambda p: p.std(0).mean()),
            _at(1.0, lambda p: p.std(0, correction=0).mean()),
        ),
        "Your number is always 0. Leave the values as they are, say that nothing is known, and look at each class by "
        "itself.": lambda model, values: 0.0,
        "You take logits. Take probabilities: `softmax(1)`.": (
            lambda model, values: model(join(values, 0.0)).std(0).mean(),
            lambda model, values: model(join(values, 0.0)).std(0, correction=0).mean(),
        ),
        "You take logarithms of probabilities. Take the probabilities: `softmax(1)`.": (
            lambda model, values: model(join(values, 0.0)).log_softmax(1).std(0).mean()
        ),
        "Your probabilities add up to 1 over the inputs. They should do so over the classes of each input.": (
            lambda model, values: model(join(values, 0.0)).softmax(0).std(0).mean(),
            lambda model, values: model(join(values, 0.0)).softmax(0).std(0, correction=0).mean(),
        ),
        "You take the spread between the classes of an image. Take it between the images, for each class.": (
            _at(0.0, lambda p: p.std(1).mean()),
            _at(0.0, lambda p: p.std(1, correction=0).mean()),
        ),
        "You mix classes and images in one spread. Take it over the images, for each class by itself.": (
            _at(0.0, lambda p: p.std()),
            _at(0.0, lambda p: p.std(correction=0)),
        ),
        "This is a variance. Take its root, so that the unit is that of a probability.": (
            _at(0.0, lambda p: p.var(0).mean()),
            _at(0.0, lambda p: p.var(0, correction=0).mean()),
        ),
        "You take the root of the mean variance. Take each class's standard deviation first, then the mean.": (
            _at(0.0, lambda p: p.var(0).mean().sqrt()),
            _at(0.0, lambda p: p.var(0, correction=0).mean().sqrt()),
        ),
        "You add the classes up. Take their mean.": (
            _at(0.0, lambda p: p.std(0).sum()),
            _at(0.0, lambda p: p.std(0, correction=0).sum()),
        ),
        "You take the worst class. Take the mean over the classes.": (
            _at(0.0, lambda p: p.std(0).max()),
            _at(0.0, lambda p: p.std(0, correction=0).max()),
        ),
        "You look at one class only. Take the mean over all classes.": (
            _at(0.0, lambda p: p.std(0)[-1]),
            _at(0.0, lambda p: p.std(0)[0]),
            _at(0.0, lambda p: p.std(0, correction=0)[-1]),
            _at(0.0, lambda p: p.std(0, correction=0)[0]),
        ),
        "You look at the likeliest class of each input. Take the spread of each class by itself, then their mean.": (
            _at(0.0, lambda p: p.amax(1).std())
        ),
        "This is the standard error. Do not divide by the root of the number of inputs.": (
            _at(0.0, lambda p: p.std(0).mean() / len(p) ** 0.5)
        ),
        "This is the range. Take the standard deviation.": _at(0.0, lambda p: _range(p).mean()),
        "This is the largest difference. Take the standard deviation.": _at(0.0, lambda p: _range(p).max()),
        "This is the mean distance from the mean. Take the standard deviation.": (
            _at(0.0, lambda p: (p - p.mean(0)).abs().mean())
        ),
        "This is neutrality: where the mean is. Absence asks how much the values move it.": (
            _at(0.0, lambda p: (p.mean(0) - 1 / p.shape[1]).abs().max()),
            _at(0.0, lambda p: (p.mean(0) - 1 / p.shape[1]).abs().mean()),
            _at(0.0, lambda p: p.mean(0).std()),
        ),
    },
)

# ---- a network that fades ---------------------------------------------------------------------------------------


def _faded(f, baseline):
    def model(joined):
        values, certainty = joined[:, :-1], joined[:, -1:]
        return f(baseline + certainty * (values - baseline))

    return model


def _takes(channels: int, n: int, formula: str, rule: Callable) -> Callable:
    """A function from ``(N, channels, n)`` to ``(N,)`` that says so if it is given something else."""

    def f(z):
        if not isinstance(z, Tensor) or z.ndim != 3 or tuple(z.shape[1:]) != (channels, n):
            shape = tuple(getattr(z, "shape", ()))
            raise NotYet(f"`f` takes values without a certainty, here (N, {channels}, {n}); it was given {shape}.")
        return rule(z)

    return written(formula, f)


def _faded_cases(seed: int) -> list[tuple]:
    """Functions that treat no two channels and no two positions alike; baselines that are not 0."""
    generator = seeded(seed)

    def baseline(*shape):
        return torch.randn(1, *shape, generator=generator, dtype=torch.float64)

    return [
        (_takes(1, 2, "x1² x2 + cos(x1)", lambda z: z[:, 0, 0] ** 2 * z[:, 0, 1] + z[:, 0, 0].cos()), baseline(1, 2)),
        (
            _takes(
                2, 4, "a function of 2 × 4", lambda z: (z[:, 0] ** 2 * z[:, 1].flip(-1) + (2 * z[:, 1]).cos()).sum(-1)
            ),
            baseline(2, 4),
        ),
        (
            _takes(
                3, 3, "a function of 3 × 3", lambda z: (z[:, 0].tanh() * z[:, 1].roll(1, -1) + z[:, 2].exp()).sum(-1)
            ),
            baseline(3, 3).float(),
        ),
    ]


def _observe_faded(asked, seed: int) -> SimpleNamespace:
    """The model's outputs where all is known, nothing, three tenths, and each position in its own way; and slopes."""
    generator = seeded(seed + 1)
    seen = SimpleNamespace(no_slope=False)
    found: dict[str, list[Tensor]] = {}

    def note(**outputs: Tensor) -> None:
        for name, output in outputs.items():
            found.setdefault(name, []).append(output.detach().double())

    for k, (f, baseline) in enumerate(_faded_cases(seed)):
        model = asked(f, baseline)
        if isinstance(model, Tensor) or not callable(model):
            kind = type(model).__name__
            raise NotYet(f"Return a function of joined inputs; yours is {'an' if kind[0] in 'aeiou' else 'a'} {kind}.")

        def output(x, certainty, model=model):
            found = numbers(ask(model, join(x, certainty)), "from your model one number for each input")
            if found.numel() != len(x) or len(x) > 1 and len(found) != len(x):
                raise NotYet(
                    f"Return from your model one number for each input, shape ({len(x)},); yours has shape "
                    f"{tuple(found.shape)}."
                )
            return found.flatten()

        _, channels, n = baseline.shape
        x, other = torch.randn(2, 1 + 2 * k, channels, n, generator=generator, dtype=torch.float64).to(baseline)
        own = torch.rand(len(x), 1, n, generator=generator, dtype=torch.float64).to(x)
        part = (own > own.mean(2, keepdim=True)).to(x)
        note(full=output(x, 1.0), none=output(x, 0.0), third=output(x, 0.3), own=output(x, own), part=output(x, part))
        note(none_of_other=output(other, 0.0))
        at_baseline = f(baseline).expand(len(x))
        note(at_x=f(x), at_baseline=at_baseline, at_third=f(baseline + 0.3 * (x - baseline)))
        note(mixed=0.3 * f(x) + 0.7 * at_baseline, at_zero=f(0 * x), at_sum=f(x + baseline))
        note(at_difference=f(x - baseline), at_own=f(baseline + own * (x - baseline)))
        note(at_part=f(torch.where(part > 0, x, baseline)))

        joined = join(x, own).requires_grad_()
        answer = ask(model, joined)
        if not isinstance(answer, Tensor) or not answer.requires_grad:
            seen.no_slope = True
            continue
        (slope,) = torch.autograd.grad(answer.sum(), joined, allow_unused=True)
        (right,) = torch.autograd.grad(_faded(f, baseline)(joined).sum(), joined)
        slope = torch.zeros_like(right) if slope is None else slope
        note(slope=slope[:, -1].flatten(), right_slope=right[:, -1].flatten())

    seen.__dict__.update({name: torch.cat(parts) for name, parts in found.items()})
    return seen


def _agree(one: Tensor, other: Tensor) -> bool:
    return bool(((one - other).abs() <= 1e-4 * (1 + other.abs())).all())


check_faded = Property(
    task="``function(f, baseline) -> model`` of joined inputs, whose ICG is the IG of ``f`` from ``baseline``.",
    stub="my_faded",
    reference=_faded,
    observe=_observe_faded,
    praise="Right: Integrated Gradients is ICG of a network that lets its input fade to the baseline.",
    hints={
        "Your model does not use the certainty.": (
            lambda o: (
                _agree(o.full, o.none) and _agree(o.full, o.third) and _agree(o.own, o.full) and not o.full.eq(0).all()
            )
        ),
        "Input and baseline are the wrong way round: at certainty 1 the model should see the input.": (
            lambda o: _agree(o.full, o.at_baseline) and _agree(o.none, o.at_x)
        ),
        "At certainty 0 your model sees zeros. It should see the baseline.": (
            lambda o: _agree(o.full, o.at_x) and _agree(o.none, o.at_zero)
        ),
        "At certainty 1 your model sees input plus baseline. Take as much of one away as comes of the other.": (
            lambda o: _agree(o.full, o.at_sum)
        ),
        "At certainty 1 your model sees input minus baseline. From the baseline it should go on to the input.": (
            lambda o: _agree(o.full, o.at_difference)
        ),
        "At certainty 1 your model should give the output of f at the input.": lambda o: not _agree(o.full, o.at_x),
        "At certainty 0 the output still depends on the values.": (
            lambda o: not _agree(o.none, o.at_baseline) and not _agree(o.none, o.none_of_other)
        ),
        "At certainty 0 your model should give the output of f at the baseline.": (
            lambda o: not _agree(o.none, o.at_baseline)
        ),
        "You mix two outputs. Mix the inputs, and ask f once.": lambda o: _agree(o.third, o.mixed),
        "The ends are right, but at certainty 0.3 your model should see a point three tenths of the straight way from "
        "the baseline to the input.": lambda o: not _agree(o.third, o.at_third),
        "Where only some positions are known, the others should be the baseline's. Go position by position.": (
            lambda o: not _agree(o.part, o.at_part)
        ),
        "Where certainty differs from place to place, each position should go its own part of the way.": (
            lambda o: not _agree(o.own, o.at_own)
        ),
        "Your model has no gradient that autograd can find: is anything detached, or no tensor?": (
            lambda o: o.no_slope or not o.slope.any()
        ),
        "The outputs are right, but not their gradient: is anything detached or rounded?": (
            lambda o: not _agree(o.slope, o.right_slope)
        ),
    },
)
