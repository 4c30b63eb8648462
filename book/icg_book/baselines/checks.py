"""Checks of the chapter on baselines."""

from collections.abc import Callable
from types import SimpleNamespace

import torch
from torch import Tensor

from icg.baselines import every, gaussian_noise, maximum_distance
from icg_book.kit.answers import NotYet, Property, Values, close, fits, numbers, seeded, written
from icg_book.kit.answers import accept as accept

# ---- the blind spot ---------------------------------------------------------------------------------------------


def _blind_pixels(image, baselines):
    blind = torch.ones_like(image, dtype=torch.bool)
    for baseline in baselines:
        blind = blind & (image == baseline)
    return blind


def _blind_cases(seed: int) -> list[tuple]:
    generator = seeded(seed)

    def levels(*shape):
        return torch.randint(3, shape, generator=generator) / 2

    def near(image, k):
        """Baselines that mostly have the value of the picture."""
        same = torch.rand(k, *image.shape, generator=generator) < 0.7
        return torch.where(same, image, levels(k, *image.shape))

    image, large = levels(4, 5), torch.rand(5, 3, generator=generator)
    return [
        (torch.tensor([[0.0, 0.5, 1.0]]), torch.tensor([[[0.5, 0.5, 0.0]]])),
        # On both sides of the picture, on one, on none
        (torch.tensor([[0.5, 0.5, 0.25, 0.0]]), torch.tensor([[[0.0, 0.5, 0.25, 1.0]], [[1.0, 1.0, 0.25, 1.0]]])),
        (
            torch.tensor([[0.0, 0.5, 1.0], [0.25, 0.5, 0.0]]),
            torch.tensor([[[0.0, 0.5, 0.0], [0.25, 0.0, 1.0]], [[0.0, 0.5, 1.0], [0.75, 1.0, 1.0]]]),
        ),
        (image, torch.full((1, 4, 5), 0.5)),
        (image, near(image, 3)),
        (levels(2, 3), torch.stack([torch.zeros(2, 3), torch.ones(2, 3)])),  # nothing is black and white at once
        (large, near(large, 5)),
        (large, large.repeat(4, 1, 1)),
        (large, large + torch.tensor([2e-4, -5e-4])[:, None, None]),  # little credit is not none
    ]


check_blind_pixels = Values(
    task="``function(image, baselines) -> mask``: ``(H, W)`` and ``(K, H, W)`` to bool ``(H, W)``.",
    stub="my_blind_pixels",
    reference=_blind_pixels,
    cases=_blind_cases,
    returns="a mask, True or False for each pixel",
    praise="Right: blind where every baseline has the picture's value.",
    otherwise="Compare with the baselines one by one, then ask whether all of them have the picture's value.",
    hints={
        "Return one mask for the average over all baselines, (H, W); yours has one for each baseline.": (
            lambda image, baselines: image == baselines
        ),
        "You mark pixels that equal *some* baseline. One baseline that differs gives them credit.": (
            lambda image, baselines: (image == baselines).any(0)
        ),
        "You compare with the mean of the baselines: a pixel there is dim, not blind.": (
            lambda image, baselines: image == baselines.mean(0),
            lambda image, baselines: (image - baselines.mean(0)).abs() < 1e-6,
        ),
        "This is what can be seen. The mask is True where nothing can be.": (
            lambda image, baselines: ~_blind_pixels(image, baselines)
        ),
        "This is where every baseline differs. The mask is True where none does.": (
            lambda image, baselines: (image != baselines).all(0)
        ),
        "You look for black pixels. Blind are those that have the baseline's value, whatever that is.": (
            lambda image, baselines: image == 0,
            lambda image, baselines: (image == 0) & (baselines == 0).all(0),
        ),
        "You look at the baselines alone. Blind is a pixel that has their value.": (
            lambda image, baselines: (baselines == baselines[0]).all(0),
            lambda image, baselines: (baselines == 0).all(0),
        ),
        "You look at the first baseline only.": lambda image, baselines: image == baselines[0],
        "You look at the last baseline only.": lambda image, baselines: image == baselines[-1],
        "You look at the first two baselines only.": lambda image, baselines: _blind_pixels(image, baselines[:2]),
        "You found no pixel. Compare with the baselines one by one, then ask whether all of them agree.": (
            lambda image, baselines: image < 0
        ),
        "Baselines that are nearly equal give little credit, but not exactly none: compare with ==.": (
            *(
                lambda image, baselines, most=most: ((image - baselines).abs() < most).all(0)
                for most in (1e-3, 0.01, 0.05, 0.1)
            ),
        ),
        "Return one mask, `(H, W)`; you ask whether all pixels are blind.": (
            lambda image, baselines: _blind_pixels(image, baselines).all()
        ),
        "You count the baselines that agree. The mask is True where all of them do.": (
            lambda image, baselines: (image == baselines).sum(0),
            lambda image, baselines: (image == baselines).double().mean(0),
        ),
        "These are distances from the baselines. The mask is True where every one of them is zero.": (
            lambda image, baselines: (image - baselines).abs().mean(0),
            lambda image, baselines: (image - baselines).abs().sum(0),
            lambda image, baselines: (image - baselines).mean(0),
        ),
    },
)

# ---- the farthest point -----------------------------------------------------------------------------------------


def _farthest_point(x, low, high):
    return torch.where(x < (low + high) / 2, torch.full_like(x, high), torch.full_like(x, low))


def _farthest_cases(seed: int) -> list[tuple]:
    generator = seeded(seed)

    def within(low, high, *shape):
        return low + (high - low) * torch.rand(shape, generator=generator)

    # The middle is 1, 3.5, -2: neither 0 nor 0.5; at the middle itself either end will do.
    return [
        (torch.tensor([[0.2, 1.4]]), -1.0, 3.0),
        (torch.tensor([-1.0, -0.5, 0.25, 0.75, 1.25, 3.0]), -1.0, 3.0),
        (torch.tensor([[0.0, 0.3, 0.499], [0.501, 0.8, 1.0]]), 0.0, 1.0),
        (torch.tensor([2.5, 3.25, 3.75, 5.0]), 2.0, 5.0),
        (torch.tensor([[-2.75], [-2.25], [-1.75], [-1.25]]), -3.0, -1.0),
        (within(0.0, 1.0, 2, 1, 3, 3), 0.0, 1.0),
        (within(-2.0, 0.5, 3, 4), -2.0, 0.5),
        (torch.tensor([1.0, 0.5]), -1.0, 3.0),
        (torch.tensor([0.5, 0.5]), 0.0, 1.0),
    ]


def _ends(decide: Callable):
    """An answer that goes to `high` where something holds, else to `low`."""
    return lambda x, low, high: torch.where(decide(x, low, high), high, low)


check_farthest_point = Values(
    task="``function(x, low, high) -> baseline``: the farthest value of the range for each of ``x``, any shape.",
    stub="my_farthest_point",
    reference=_farthest_point,
    also=(_ends(lambda x, low, high: x <= (low + high) / 2),),
    cases=_farthest_cases,
    returns="one number for each of x",
    library=(maximum_distance,),
    praise="Right: the end of the range on the other side of its middle.",
    otherwise="Each value has only two candidates, `low` and `high`: take the one on the other side of the middle.",
    hints={
        "You reflect x about the middle. Go on to the end of the range: that is farther.": (
            lambda x, low, high: low + high - x
        ),
        "You take the nearer end.": (
            _ends(lambda x, low, high: x > (low + high) / 2),
            _ends(lambda x, low, high: x >= (low + high) / 2),
        ),
        "You decide by the sign of x. Decide by the middle of the range.": (
            _ends(lambda x, low, high: x < 0),
            _ends(lambda x, low, high: x <= 0),
        ),
        "You decide at 0.5. The range is given: decide at its middle.": (
            _ends(lambda x, low, high: x < 0.5),
            _ends(lambda x, low, high: x <= 0.5),
        ),
        "You decide at half of the range's width. Its middle is `(low + high) / 2`.": (
            _ends(lambda x, low, high: x < (high - low) / 2),
            _ends(lambda x, low, high: x <= (high - low) / 2),
        ),
        "You decide at half of `high`. The middle of the range is `(low + high) / 2`.": (
            _ends(lambda x, low, high: x < high / 2),
            _ends(lambda x, low, high: x <= high / 2),
        ),
        "You decide by the mean of x. Decide by the middle of the range, for each value by itself.": (
            _ends(lambda x, low, high: x < x.mean()),
            _ends(lambda x, low, high: x <= x.mean()),
        ),
        "You compare absolute values: what counts is how far x is from each end.": (
            _ends(lambda x, low, high: x.abs() < abs(high)),
            _ends(lambda x, low, high: x.abs() < (low + high) / 2),
        ),
        "You go to 0 or 1. The range goes from `low` to `high`.": (
            lambda x, low, high: (x < (low + high) / 2).double(),
            lambda x, low, high: (x <= (low + high) / 2).double(),
            lambda x, low, high: (x < 0.5).double(),
            lambda x, low, high: (x <= 0.5).double(),
        ),
        "You assume that the range is [0, 1], and reflect x in it. Go to the end that is farther.": (
            lambda x, low, high: 1 - x
        ),
        "You go to the smallest and the largest value of x. The range goes from `low` to `high`.": (
            lambda x, low, high: _farthest_point(x, x.min().item(), x.max().item())
        ),
        "This is how far away the farthest point is. Return the point.": (
            lambda x, low, high: (x - _farthest_point(x, low, high)).abs()
        ),
        "This is the step to the farthest point. Return the point.": (
            lambda x, low, high: _farthest_point(x, low, high) - x,
            lambda x, low, high: x - _farthest_point(x, low, high),
        ),
        "The middle is never farther than half of the range.": (
            lambda x, low, high: torch.full_like(x, (low + high) / 2)
        ),
        "You send every value to the same end. Decide for each by itself.": (
            lambda x, low, high: torch.full_like(x, low),
            lambda x, low, high: torch.full_like(x, high),
            lambda x, low, high: torch.full_like(x, high if x.mean() < (low + high) / 2 else low),
        ),
        "At the middle itself you stay there, and both ends are farther: go to either.": (
            lambda x, low, high: (low + high) / 2 + (high - low) / 2 * ((low + high) / 2 - x).sign()
        ),
    },
)

# ---- double-sided -----------------------------------------------------------------------------------------------


def _double_sided(f, x, low, high, n_steps):
    total = torch.zeros_like(x)
    for end in (low, high):
        for k in range(n_steps):
            points = (end + (k + 0.5) / n_steps * (x - end)).requires_grad_()
            (gradient,) = torch.autograd.grad(f(points).sum(), points)
            total = total + (x - end) * gradient
    return total / (2 * n_steps)


def _double_cases(seed: int) -> list[tuple]:
    cube = written("x1³", lambda z: z[:, 0] ** 3)
    product = written("x1² x2", lambda z: z[:, 0] ** 2 * z[:, 1])
    waves = written("x1² x2 - sin x3", lambda z: z[:, 0] ** 2 * z[:, 1] - torch.sin(z[:, 2]))
    cubes = written("Σ xi³ + exp(Σ xi / 4)", lambda z: (z**3).sum(1) + (z.sum(1) / 4).exp())
    generator = seeded(seed)
    return [
        (cube, torch.tensor([[0.5]]), 0.0, 2.0, 2),
        (product, torch.tensor([[1.0, 0.25]]), 0.0, 1.0, 3),
        (waves, torch.tensor([[1.0, 0.3, 0.5], [-0.2, 1.4, 0.9]]), -0.5, 2.0, 4),
        (cubes, torch.rand(3, 2, generator=generator), 0.0, 1.0, 7),
        (waves, torch.randn(4, 3, generator=generator), -1.0, 0.5, 3),
        (cubes, torch.randn(2, 5, generator=generator), -0.8, 1.7, 2),
    ]


def _sides(at: Callable[[int], Tensor], f, x, low, high, n):
    """For each of `low` and `high`, the mean gradient along the way at some places, and the distance."""
    places = at(n)[:, None, None]
    for end in (low, high):
        points = (end + places * (x - end)).requires_grad_()
        (gradients,) = torch.autograd.grad(f(points.flatten(0, 1)).sum(), points)
        yield gradients.mean(0), x - end


def _middles(n: int) -> Tensor:
    return (torch.arange(n) + 0.5) / n


def _of_gradients(combine: Callable, at: Callable[[int], Tensor] = _middles):
    """A mistaken answer from each side's mean gradient and distance."""

    def answer(f, x, low, high, n):
        (first, up), (second, down) = _sides(at, f, x, low, high, n)
        return combine(first, up, second, down)

    return answer


def _of_credits(combine: Callable, at: Callable[[int], Tensor] = _middles):
    """A mistaken answer from each side's attribution."""
    return _of_gradients(lambda first, up, second, down: combine(first * up, second * down), at)


_mean_gradient = _of_gradients(lambda first, up, second, down: (first + second) / 2)


def _mean(a, b):
    return (a + b) / 2


def _from(end: Callable):
    """Integrated Gradients from one constant."""
    return lambda f, x, low, high, n: _double_sided(f, x, end(low, high), end(low, high), n)


check_double_sided = Values(
    task="``function(f, x, low, high, n_steps) -> attributions``, ``(N, D)`` as ``x``; ``f`` takes that to ``(N,)``.",
    stub="my_double_sided",
    reference=_double_sided,
    cases=_double_cases,
    returns="one number for each of x",
    tolerance=5e-4,  # differences of single precision are welcome, too
    library=(every,),  # a hint of the task proposes the rest
    praise="Right: the mean of two attributions, each with its own distance and gradients.",
    otherwise="Take Integrated Gradients from `low` everywhere and from `high` everywhere, and average the two.",
    hints={
        "You integrate once, from the middle: the mean baseline, not the mean attribution.": (
            _from(lambda low, high: (low + high) / 2)
        ),
        "You add the two attributions. Take their mean.": _of_credits(lambda a, b: a + b),
        "You subtract one side from the other. Both distances point from the baseline to the input.": (
            _of_credits(lambda a, b: (a - b) / 2),
            _of_credits(lambda a, b: (b - a) / 2),
            _of_credits(lambda a, b: a - b),
            _of_credits(lambda a, b: b - a),
        ),
        "You integrate from `low` only.": _of_credits(lambda a, b: a),
        "You integrate from `high` only.": _of_credits(lambda a, b: b),
        "You add half of one side to all of the other: put brackets round the sum, then halve it.": (
            _of_credits(lambda a, b: a + b / 2),
            _of_credits(lambda a, b: a / 2 + b),
        ),
        "You halve the mean: divide by two once.": _of_credits(lambda a, b: (a + b) / 4),
        "You integrate from `low` to `high`: two paths, each to the input.": (
            lambda f, x, low, high, n: _double_sided(f, torch.full_like(x, high), low, low, n)
        ),
        "You integrate from zero on one side. The baselines are `low` and `high`.": (
            lambda f, x, low, high, n: _double_sided(f, x, 0.0, high, n),
            lambda f, x, low, high, n: _double_sided(f, x, 0.0, 1.0, n),
        ),
        "You keep the larger of the two credits. Take their mean.": (
            _of_credits(lambda a, b: torch.where(a.abs() > b.abs(), a, b)),
            _of_credits(torch.maximum),
        ),
        "You average absolute credits. Keep their signs.": (
            _of_credits(lambda a, b: (a.abs() + b.abs()) / 2),
            _of_gradients(lambda first, up, second, down: (first * up.abs() + second * down.abs()) / 2),
        ),
        "You return a mean gradient. Multiply each side's by its own distance.": (_mean_gradient),
        "You multiply the mean gradient by the mean distance. Multiply each side by its own, then average.": (
            _of_gradients(lambda first, up, second, down: (first + second) / 2 * (up + down) / 2)
        ),
        "You multiply each side by x. Multiply it by its own distance, the input minus the baseline.": (
            lambda f, x, low, high, n: x * _mean_gradient(f, x, low, high, n)
        ),
        "Your numbers are n_steps times too large: take the mean over the steps, not the sum.": (
            lambda f, x, low, high, n: n * _double_sided(f, x, low, high, n)
        ),
        "Your numbers are n_steps times too small: you divide by it twice.": (
            lambda f, x, low, high, n: _double_sided(f, x, low, high, n) / n
        ),
        "Every sign is reversed: the distance is input minus baseline.": (
            lambda f, x, low, high, n: -_double_sided(f, x, low, high, n)
        ),
        "You evaluate at the left ends of the steps; use their middles, (k + 0.5)/n.": (
            _of_credits(_mean, lambda n: torch.arange(n) / n)
        ),
        "You evaluate at the right ends of the steps; use their middles, (k + 0.5)/n.": (
            _of_credits(_mean, lambda n: (torch.arange(n) + 1) / n)
        ),
        "You average over `linspace(0, 1, …)`, the ends of the steps; use their middles, (k + 0.5)/n.": (
            _of_credits(_mean, lambda n: torch.linspace(0, 1, n)),
            _of_credits(_mean, lambda n: torch.linspace(0, 1, n + 1)),
        ),
        "You take one gradient for each side. Average those at the middles of all `n_steps` steps.": (
            _of_credits(_mean, lambda n: torch.tensor([0.5])),
            _of_credits(_mean, lambda n: torch.tensor([1.0])),
        ),
        "You take another number of steps: each side has `n_steps`.": tuple(
            _of_credits(_mean, lambda n, steps=steps: _middles(steps(n)))
            for steps in (
                lambda n: 2 * n,
                lambda n: max(n // 2, 1),
                lambda n: n + 1,
                lambda n: n - 1,
                lambda n: 20,
                lambda n: 50,
                lambda n: 64,
                lambda n: 100,
            )
        ),
        "You return the sum over the features. Return one number for each.": (
            lambda f, x, low, high, n: _double_sided(f, x, low, high, n).sum(1)
        ),
    },
)

# ---- shaken copies ----------------------------------------------------------------------------------------------


def _noisy_baselines(x, std, n, generator):
    return (x + std * torch.randn(n, *x.shape, generator=generator)).clamp(0, 1)


def _observe_noise(asked, seed: int) -> SimpleNamespace:
    """Many copies of greys, where nothing is clipped; of a small picture; and of values at the ends and near them.

    All bounds in the hints are six standard deviations of chance, or more.
    """

    def draw(x, std, n, generator):
        found = numbers(asked(x.clone(), std, n, generator), "a tensor of `n` copies of x")
        if not fits(found, torch.empty(n, *x.shape)):
            raise NotYet(
                f"Return `n` copies, shape {(n, *x.shape)} for x of shape {tuple(x.shape)} and n = {n}; yours has "
                f"shape {tuple(found.shape)}."
            )
        return found.reshape(n, *x.shape)

    def of(number):
        return seeded(1000 * seed + number)

    greys = 0.3 + 0.4 * torch.rand(6, 50, generator=of(0))
    picture = 0.4 + 0.2 * torch.rand(2, 3, 3, generator=of(0))
    ends = torch.tensor([0.0, 1.0, 0.05, 0.95, 0.3])
    little, more, much, n, many = 0.05, 0.1, 0.2, 100, 600
    draw(picture[0], little, 1, of(0))
    generator = of(1)
    first, then = draw(greys, little, n, generator), draw(greys, little, n, generator)
    again, other = draw(greys, little, n, of(1)), draw(greys, little, n, of(2))
    small = draw(picture, more, many, of(3))
    clipped = draw(ends, much, many, of(4))

    z = (torch.cat([first, other]) - greys) / little  # standard normal
    means = torch.stack([(part - greys).mean(0) / little for part in (first, other)])
    one, two = means - means.mean()
    w = (small - picture) / more
    dark, light = (z[:, half].std() for half in (greys < 0.5, greys >= 0.5))
    below, above = ((clipped <= 1e-6).double().mean(0), (clipped >= 1 - 1e-6).double().mean(0))
    normal = torch.distributions.Normal(ends.double(), much)
    spread, centred = float(z.std()), (z - z.mean()) / z.std()
    by_copy, by_place = z.flatten(1).std(1) / spread, z.flatten(1).std(0) / spread
    places = torch.corrcoef(w.flatten(1).T).nan_to_num().fill_diagonal_(0)
    copies = torch.corrcoef((first - greys).flatten(1)).nan_to_num().fill_diagonal_(0)
    return SimpleNamespace(
        finite=all(bool(part.isfinite().all()) for part in (first, small, clipped)),
        repeatable=close(first, again, 1e-9),
        fresh=not close(first, other, 1e-9),
        goes_on=not close(first, then, 1e-9),
        level=float(first.mean()),
        between_copies=float(first.std(0).max()),
        within_copies=float(z.flatten(1).std(1).max()),
        place_to_place=float(places.abs().max()),
        copy_to_copy=float(copies.abs().max()),
        # 1, but for chance, if all draws are independent
        mean_of_copies=n * float((one - two).var()) / 2,
        mean_of_places=z[0].numel() * float(z.flatten(1).mean(1).var()),
        lowest=min(float(part.min()) for part in (small, first, clipped)),
        highest=max(float(part.max()) for part in (small, first, clipped)),
        least=float(z.min()),
        most=float(z.max()),
        shift=float(z.mean()),
        off=float((one * two).mean()),  # is about 0 if only chance is at work
        spread=spread,
        std=little,
        spread_of_small=float(w.std()),
        ratio=float(w.std()) * more / max(spread * little, 1e-12),
        by_value=float(light / dark),
        uneven=max(float((by_copy - 1).abs().max()), float((by_place - 1).abs().max())),
        skewness=float((centred**3).mean()),
        kurtosis=float((centred**4).mean()),
        tails=float((centred.abs() > 3.2).double().mean()),
        at_ends=max(
            float((below - normal.cdf(torch.zeros(5))).abs().max()),
            float((above - (1 - normal.cdf(torch.ones(5)))).abs().max()),
        ),
    )


check_noisy_baselines = Property(
    task="``function(x, std, n, generator) -> baselines``: ``(n, *x.shape)``, ``x`` plus noise, clipped to [0, 1].",
    stub="my_noisy_baselines",
    reference=_noisy_baselines,
    observe=_observe_noise,
    library=(gaussian_noise,),
    praise="Right: each copy shaken by itself, and clipped.",
    hints={
        "There is NaN or infinity among your numbers.": lambda o: not o.finite,
        "The same seed gives other baselines each time: hand `generator` to the function that draws.": (
            lambda o: not o.repeatable
        ),
        "Every seed gives the same baselines: nothing is drawn from `generator`.": lambda o: not o.fresh,
        "Used once more, `generator` gives the same baselines again: draw from it, and seed nothing.": (
            lambda o: not o.goes_on
        ),
        "This is the noise alone: add it to x.": lambda o: abs(o.level) < 0.2,
        "These are not copies of x: also without the noise, some values are others.": lambda o: o.off > 0.4,
        "All copies have the same noise. Draw anew for each: one shape (n, ...), not one draw repeated.": (
            lambda o: o.between_copies < 1e-6
        ),
        "All values of a copy are shifted alike. Every value needs noise of its own.": (
            lambda o: o.within_copies < 0.01 * o.spread
        ),
        "Some values of a copy share their noise. Every value needs noise of its own: draw in the shape of x.": (
            lambda o: o.place_to_place > 0.35
        ),
        "Some copies have the same noise, or its opposite. Draw anew for each.": (
            lambda o: o.copy_to_copy > 0.6 or not 0.5 < o.mean_of_copies / o.spread**2 < 1.7
        ),
        "Some values of a copy have noise in common. Every value needs noise of its own: draw in the shape of x.": (
            lambda o: not 0.3 < o.mean_of_places / o.spread**2 < 2
        ),
        "Some values lie outside of [0, 1]: clip x plus noise.": lambda o: o.lowest < 0 or o.highest > 1,
        "Values only ever grow: is it the noise that you clip? Clip the sum.": lambda o: o.least > -1e-3,
        "Values only ever fall: is it the noise that you clip? Clip the sum.": lambda o: o.most < 1e-3,
        "The noise has a mean that is not zero. Is it normal noise?": lambda o: abs(o.shift) > 0.04,
        "The spread of the noise stays the same whatever `std` is.": lambda o: abs(o.ratio - 1) < 0.1,
        "The spread is that of another standard deviation: multiply normal noise by `std` itself.": (
            lambda o: abs(o.spread / o.std - 1) < 0.1 or abs(o.spread * o.std**0.5 - 1) < 0.1
        ),
        "The spread of the noise differs between dark and light values. Every value gets noise of spread `std`.": (
            lambda o: abs(o.by_value - 1) > 0.06
        ),
        "Some copies, or some of their values, are shaken more than others. Every value gets noise of spread `std`.": (
            lambda o: o.uneven > 0.4
        ),
        "The spread of your noise is not `std`: multiply normal noise of spread 1 by it.": (
            lambda o: abs(o.spread - 1) > 0.03 or abs(o.spread_of_small - 1) > 0.06
        ),
        "Mean and spread are right, but this is not Gaussian noise: use `torch.randn`.": (
            lambda o: abs(o.kurtosis - 3) > 0.15 or abs(o.skewness) > 0.1 or not 4e-4 < o.tails < 2.5e-3
        ),
        "At black or at white, values are not clipped: what falls below 0 becomes 0, what exceeds 1 becomes 1. Don't "
        "reflect, rescale or redraw.": lambda o: o.at_ends > 0.125,
    },
)
