"""Checks of the chapter on photographs (Imagenette)."""

from collections.abc import Callable
from itertools import permutations, product
from types import SimpleNamespace

import torch
from torch import Tensor

from icg_book.imagenette.localisation import half_area
from icg_book.kit.answers import NotYet, Property, Values, numbers, seeded, written
from icg_book.kit.answers import accept as accept

# ---- half area --------------------------------------------------------------------------------------------------


def _half_area(attribution):
    size = attribution.flatten(1).abs()
    held = size.sort(1, descending=True).values.cumsum(1)
    return ((held < held[:, -1:] / 2).sum(1) + 1) / size.shape[1]


def _half_area_cases(seed: int) -> list[tuple]:
    """First maps of powers of two, where half is exactly reached; then maps of very unlike scales and shapes."""
    generator = seeded(seed)

    def drawn(n, h, w, dtype=torch.float64):
        maps = torch.randn(n, 1, h, w, generator=generator, dtype=torch.float64) ** 3 + 0.2
        return (maps * 10 ** (2 * torch.rand(n, 1, 1, 1, generator=generator, dtype=torch.float64))).to(dtype)

    spike = drawn(3, 5, 4, torch.float32)
    spike[1, 0, 2, 3] = -1e4  # one position holds nearly everything
    spike[2] = -spike[2].abs()
    even = torch.tensor([1.0, -1.0, -1.0, 1.0]).repeat(2, 1, 2, 1)
    even[0] *= 4
    return [
        (torch.tensor([[[[1.0, -4.0], [1.0, 2.0]]]]),),
        (torch.tensor([[[[-3.0, 1.0], [2.0, -5.0]]]]),),
        (even,),
        (torch.tensor([[[[2.0, 0.0, 8.0, -2.0], [1.0, -1.0, 0.0, 2.0]]], [[[8.0, -8.0, 0.0, 0], [4.0, 4, 4, -4]]]]),),
        (drawn(1, 3, 7) / 1000,),
        (spike,),
        (drawn(5, 6, 8),),
    ]


def _share(change: Callable, more: int = 1, half: Callable = lambda held: held[:, -1:] / 2) -> Callable:
    """A mistaken answer from what positions hold, ``(N, n)``, in the order in which they are added up."""

    def answer(attribution):
        ordered = change(attribution.flatten(1))
        held = ordered.cumsum(1)
        return ((held < half(held)).sum(1) + more).clamp(max=ordered.shape[1]) / ordered.shape[1]

    return answer


def _falling(x: Tensor) -> Tensor:
    return x.sort(1, descending=True).values


def _each(rule: Callable) -> Callable:
    """A mistaken answer from the absolute values of each map, ``(N, n)``."""
    return lambda attribution: rule(attribution.flatten(1).abs())


def _mixed(attribution):
    n = len(attribution)
    return _half_area(attribution.reshape(1, -1)).expand(n)


check_half_area = Values(
    task="``function(attribution) -> areas``: ``(N, 1, H, W)`` to ``(N,)``.",
    stub="my_half_area",
    reference=_half_area,
    cases=_half_area_cases,
    returns="one share for each map",
    library=(half_area,),
    praise="Right: small is tight. Whether it is in the right place, it does not say.",
    otherwise="Not these areas. Test yourself: an even map has one half, and one spike in an empty map a single "
    "position.",
    hints={
        "At least half is enough: where the sum is exactly half, no further position is needed.": (
            lambda a: _share(lambda x: _falling(x.abs()), half=lambda held: held[:, -1:] / 2 * (1 + 1e-9))(a.double())
        ),
        "That is how many positions. Divide by the number of all.": lambda a: _half_area(a) * a[0].numel(),
        "One position is missing: the one with which half is reached belongs to it.": (
            _share(lambda x: _falling(x.abs()), more=0)
        ),
        "One position is missing, and it is a number of positions, not a share.": (
            lambda a: _share(lambda x: _falling(x.abs()), more=0)(a) * a[0].numel()
        ),
        "One position too many: the sum is reached with the one before.": (
            lambda a: _half_area(a) + 1 / a[0].numel(),
            lambda a: (_half_area(a) + 1 / a[0].numel()).clamp(max=1),
        ),
        "That is the share of the positions that are not needed.": lambda a: 1 - _half_area(a),
        "You begin with the smallest. Which positions hold half with the fewest?": (
            _share(lambda x: x.abs().sort(1).values),
            _share(lambda x: x.abs().sort(1).values, more=0),
        ),
        "You add up in the order of the picture. Which positions hold half with the fewest?": (
            _share(lambda x: x.abs()),
            _share(lambda x: x.abs(), more=0),
        ),
        "You add signed values: what speaks against cancels what speaks for. Take absolute values.": (
            _share(_falling),
            _share(_falling, more=0),
            _share(lambda x: _falling(x) / x.sum(1, keepdim=True)),
            _share(lambda x: _falling(x) / x.sum(1, keepdim=True), half=lambda held: 0.5 + 0 * held),
            _share(lambda x: x.gather(1, x.abs().argsort(1, descending=True))),
        ),
        "You take half of the signed sum. Take absolute values first.": (
            lambda a: _share(
                lambda x: _falling(x.abs()), half=lambda held: a.flatten(1).sum(1, keepdim=True).abs() / 2 + 0 * held
            )(a),
            lambda a: _share(
                lambda x: _falling(x.abs()), half=lambda held: a.flatten(1).sum(1, keepdim=True) / 2 + 0 * held
            )(a),
        ),
        "You look at what speaks for the class only. Take absolute values.": (
            _share(lambda x: _falling(x.clamp(min=0))),
            _share(lambda x: _falling(x.relu()), more=0),
        ),
        "You add squares. Add absolute values.": _share(lambda x: _falling(x.square())),
        "That is the share of the positions with at least half of the largest value. Half of the *sum* is asked for.": (
            _each(lambda x: (x >= x.amax(1, keepdim=True) / 2).double().mean(1)),
            _each(lambda x: (x > x.amax(1, keepdim=True) / 2).double().mean(1)),
        ),
        "You compare with the mean. Sort, and add up.": (
            _each(lambda x: (x > x.mean(1, keepdim=True)).double().mean(1)),
            _each(lambda x: (x >= x.mean(1, keepdim=True)).double().mean(1)),
        ),
        "You compare with the median, so you get a half of nearly everything. Sort, and add up.": (
            _each(lambda x: (x > x.median(1, keepdim=True).values).double().mean(1)),
            _each(lambda x: (x >= x.median(1, keepdim=True).values).double().mean(1)),
        ),
        "That is what the first half of the positions hold. Asked is how many positions hold half.": (
            _each(lambda x: _falling(x)[:, : (x.shape[1] + 1) // 2].sum(1) / x.sum(1)),
            _each(lambda x: _falling(x)[:, : x.shape[1] // 2].sum(1) / x.sum(1)),
        ),
        "You mix the maps of the batch. Every map has its own number.": (
            _mixed,
            lambda a: _mixed(a) / len(a),
            lambda a: _mixed(a)[:1].squeeze(0),
        ),
        "You take half of the sum over the whole batch. Every map has its own sum.": (
            _share(lambda x: _falling(x.abs()), half=lambda held: held[:, -1].sum() / 2),
            _share(lambda x: _falling(x.abs()), half=lambda held: held[:, -1].mean() / 2),
        ),
    },
)

# ---- the average over noisy copies ------------------------------------------------------------------------------


def _noisy_average(method, inputs, noise):
    total = 0
    for one in noise:
        total = total + method(torch.cat([inputs[:, :3] + one, inputs[:, 3:]], 1))
    return total / len(noise)


def _method(formula: str, h: int, w: int, rule: Callable) -> Callable:
    """Stands for an attribution method: ``(N, 4, H, W)`` to ``(N, 1, H, W)``, of values and certainty."""

    def method(inputs):
        if not isinstance(inputs, Tensor) or inputs.ndim != 4 or tuple(inputs.shape[1:]) != (4, h, w):
            shape = tuple(getattr(inputs, "shape", ()))
            raise NotYet(f"`method` takes joined inputs, here (1, 4, {h}, {w}); it was given {shape}.")
        return rule(inputs[:, :3], inputs[:, 3:])

    return written(formula, method)


def _neighbours(values, certainty):
    weight = torch.tensor([1.0, -0.7, 0.4], dtype=values.dtype).view(1, 3, 1, 1)
    return (torch.sin(3 * values * weight) * values.roll(1, 3)).sum(1, keepdim=True) * certainty.exp()


def _products(values, certainty):
    red, green, blue = values.split(1, 1)
    return red * green.square() - (2 * blue).cos() * certainty.square() + values.roll(1, 2).sum(1, keepdim=True).tanh()


def _noisy_cases(seed: int) -> list[tuple]:
    generator = seeded(seed)
    cases = []
    for k, h, w, dtype, rule in (
        (2, 1, 2, torch.float32, _products),
        (1, 2, 3, torch.float32, _neighbours),
        (3, 5, 6, torch.float64, _neighbours),
        (5, 4, 3, torch.float32, _products),
    ):
        values = torch.rand(1, 3, h, w, generator=generator, dtype=dtype)
        certainty = torch.rand(1, 1, h, w, generator=generator, dtype=dtype)  # what is not known stays not known
        noise = 0.4 * torch.randn(k, 3, h, w, generator=generator, dtype=dtype) + 0.1
        cases.append((_method("a toy method", h, w, rule), torch.cat([values, certainty], 1), noise))
    return cases


def _copies(
    change: Callable = lambda values, one: values + one,
    certain: Callable = lambda certainty, one: certainty,
    read: Callable = lambda maps: maps.mean(0),
) -> Callable:
    """A mistaken answer: how a copy's values and certainty come about, and how the maps ``(K, 1, 1, H, W)`` end."""

    def answer(method, inputs, noise):
        values, certainty = inputs[:, :3], inputs[:, 3:]
        return read(
            torch.stack([method(torch.cat([change(values, one), certain(certainty, one)], 1)) for one in noise])
        )

    return answer


def _of_noise(change: Callable) -> Callable:
    """The right average, with other noise."""
    return lambda method, inputs, noise: _noisy_average(method, inputs, change(noise))


check_noisy_average = Values(
    task="``function(method, inputs, noise) -> map``: joined ``(1, 4, H, W)``, noise ``(K, 3, H, W)``.",
    stub="my_noisy_average",
    reference=_noisy_average,
    cases=_noisy_cases,
    returns="one map, the mean over the copies",
    praise="Right: what is seen gets noise, how well it is known does not.",
    otherwise="Not this average. Test yourself: with noise of zeros it is the method's own map.",
    hints={
        "That is one map for each noisy copy. Average them.": _copies(read=lambda maps: maps[:, 0]),
        "That is one number. Average over the copies, and leave the map a map.": _copies(read=lambda maps: maps.mean()),
        "You average the noise. Average the maps: each copy has its own.": (
            _of_noise(lambda noise: noise.mean(0, keepdim=True))
        ),
        "You add the noise up before the method. Ask it about each copy, and average the maps.": (
            _of_noise(lambda noise: noise.sum(0, keepdim=True))
        ),
        "You add the maps. Divide by how many they are.": _copies(read=lambda maps: maps.sum(0)),
        "That is the map without noise.": lambda method, inputs, noise: method(inputs),
        "You make everything certain. The input has a certainty of its own, which must stay.": (
            _copies(certain=lambda certainty, one: torch.ones_like(certainty))
        ),
        "You set the certainty to 0. The input has a certainty of its own, which must stay.": (
            _copies(certain=lambda certainty, one: torch.zeros_like(certainty))
        ),
        "You add noise to the certainty. It says how well a value is known; leave it alone.": (
            _copies(certain=lambda certainty, one: certainty + one.mean(0)),
            _copies(certain=lambda certainty, one: certainty + one[:1]),
            _copies(certain=lambda certainty, one: certainty + one[-1:]),
            _copies(certain=lambda certainty, one: (certainty + one.mean(0)).clamp(0, 1)),
        ),
        "You clip the noisy values. Leave them: clipped noise has a mean of its own.": (
            _copies(lambda values, one: (values + one).clamp(0, 1))
        ),
        "The noise piles up. Every copy begins with the input.": _of_noise(lambda noise: noise.cumsum(0)),
        "You take the noise away. Add it.": _of_noise(lambda noise: -noise),
        "You explain the noise alone. Add it to the values.": _copies(lambda values, one: one[None]),
        "You multiply with the noise. Add it.": (
            _copies(lambda values, one: values * (1 + one)),
            _copies(lambda values, one: values * one),
        ),
        "All three colours get the same noise. Each has its own.": (
            _of_noise(lambda noise: noise[:, :1].expand_as(noise)),
            _of_noise(lambda noise: noise.mean(1, keepdim=True).expand_as(noise)),
        ),
        "Average the maps as they are: take no absolute values, and no squares.": (
            _copies(read=lambda maps: maps.abs().mean(0)),
            _copies(read=lambda maps: maps.mean(0).abs()),
            _copies(read=lambda maps: maps.square().mean(0)),
        ),
        "That is the map of the first copy. Average over all of them.": _of_noise(lambda noise: noise[:1]),
        "That is the map of the last copy. Average over all of them.": _of_noise(lambda noise: noise[-1:]),
        "You leave out a copy. Average over all of them.": (
            _of_noise(lambda noise: noise[1:] if len(noise) > 1 else noise),
            _of_noise(lambda noise: noise[:-1] if len(noise) > 1 else noise),
        ),
        "You count the input without noise as a copy, too. Average over the noisy ones.": (
            _of_noise(lambda noise: torch.cat([torch.zeros_like(noise[:1]), noise]))
        ),
        "That is what the noise changes. Do not subtract the map without noise.": (
            lambda method, inputs, noise: _noisy_average(method, inputs, noise) - method(inputs)
        ),
        "That is the median of the maps. Take the mean: completeness survives it.": (
            _copies(read=lambda maps: maps.median(0).values)
        ),
        "That is the spread of the maps. Take the mean.": (
            _copies(read=lambda maps: maps.std(0) if len(maps) > 1 else torch.nan * maps[0]),
            _copies(read=lambda maps: maps.std(0, correction=0)),
        ),
    },
)

# ---- the border at the top --------------------------------------------------------------------------------------


def _top_border(picture, tolerance):
    same = (picture - picture[:, :1, :1]).abs() <= tolerance
    row = same.all(2).all(0)
    return int(row.long().cumprod(0).sum())


def _top_border_cases(seed: int) -> list[tuple]:
    """Pictures of multiples of 1/64, so that a difference can be exactly the tolerance; noise below the border."""
    generator = seeded(seed)
    tolerance = 4 / 64

    def picture(rows: int, colour: tuple[int, ...] | int = 32, h: int = 9, w: int = 10) -> Tensor:
        made = torch.randint(65, (3, h, w), generator=generator) / 64
        made[:, rows : rows + 1, -1] = (torch.as_tensor(colour).view(-1, 1) / 64 + 0.5) % 1  # certainly another colour
        made[:, :rows] = torch.as_tensor(colour).view(-1, 1, 1) / 64
        return made

    cases = [(picture(1, (16, 48, 8), 2, 2), tolerance), (picture(2, 24, 2, 2), tolerance)]

    def add(made: Tensor, tolerance: float = tolerance) -> None:
        cases.append((made, tolerance))

    add(picture(3, (0, 0, 0), 5, 4))
    add(picture(2, (64, 64, 64)))
    add(picture(0))
    add(picture(6, (10, 50, 30), 6, 7))  # all of it
    again = picture(2, 0)
    again[:, 5] = 0.0
    add(again)
    bar = picture(2, 0)  # a second bar of another colour
    bar[:, 2:4] = 0.5
    add(bar)
    for place in ((0, 3, 4), (1, 2, 0), (2, 4, 9)):  # one pixel of one colour, lighter or darker
        for change in (-20, 20):
            made = picture(5, (40, 30, 20))
            made[place] += change / 64
            add(made)
    two = picture(5)  # two colours change, and their mean does not
    two[0, 3, 4], two[2, 3, 4] = 12 / 64, 52 / 64
    add(two)
    first = picture(5, 12)
    first[:, 3, 0] += 20 / 64
    add(first)
    drift = picture(0)
    for row in range(6):
        drift[:, row] = (20 + 3 * row) / 64
    add(drift)
    mean = picture(2, (12, 20, 16))  # a row of the right mean
    mean[:, 2] = mean[:, 1]
    mean[:, 2, ::2] += 10 / 64
    mean[:, 2, 1::2] -= 10 / 64
    add(mean)
    nearly = picture(4, 40)  # off by less than the tolerance, and one pixel by exactly as much
    nearly[:, :4] += torch.randint(-3, 4, (3, 4, 10), generator=generator) / 64
    nearly[:, 0, 0] = 40 / 64
    nearly[:, 2, 3], nearly[1, 3, 9] = 43 / 64, 36 / 64
    add(nearly)
    exact = picture(3, 33)
    exact[2, 1, 2], exact[0, 2, 1] = 37 / 64, 37 / 64 + 1 / 4096
    add(exact)
    add(picture(8, (50, 7, 33), 12, 3))
    red = picture(4, 48)  # a row of the same red
    red[1:, 2] = 16 / 64
    add(red)
    bright = picture(3, 60)
    bright[:, 1, 3], bright[:, 2, 5] = 61 / 64, 62 / 64
    add(bright)
    columns = picture(0, h=5, w=8)
    columns[:, :4] = torch.randint(65, (3, 1, 8), generator=generator) / 64
    columns[:, :4, 1] = (columns[:, :4, 0] + 0.5) % 1
    add(columns)
    corner = picture(3, 20)  # an outlier in the very corner
    corner[:, 0, 0] = 50 / 64
    add(corner)
    for change in (-3, 3):  # a corner that is a little unlike the others
        shade = picture(4, 23)
        shade[:, 0, 0], shade[0, 2, 6] = 20 / 64, (20 + 2 * change) / 64
        add(shade)
    few = picture(5, 20)  # a top row whose mean is another one, though all of it is border
    few[:, 0, 5:7], few[1, 3, 2] = 24 / 64, 24.5 / 64
    add(few)
    left = picture(3, 6)
    left[:, :, :3] = left[:, :1, :1]
    add(left)
    strict = picture(4, 30)
    strict[0, 2, 5] = 31 / 64
    add(strict, 0.0)
    wide = picture(4, (20, 30, 40), 8, 6).double()
    wide[1, 1, 3] = 45 / 64
    wide[1, 2, 3] = 47 / 64
    add(wide, 16 / 64)
    return cases


def _from_corner(picture: Tensor) -> Tensor:
    return (picture - picture[:, :1, :1]).abs()


def _until(same: Tensor) -> int:
    return int(same.long().cumprod(0).sum())


def _rows(rule: Callable) -> Callable:
    """A mistaken answer from whether each row is of the border, ``(H,)``."""
    return lambda picture, tolerance: _until(rule(picture, tolerance))


def _within(picture: Tensor, colour: Tensor, tolerance: float) -> Tensor:
    return ((picture - colour).abs() <= tolerance).all(2).all(0)


check_top_border = Values(
    task="``function(picture, tolerance) -> rows``: ``(3, H, W)`` to a whole number.",
    stub="my_top_border",
    reference=_top_border,
    cases=_top_border_cases,
    returns="a whole number",
    praise="Right: the corner's colour, until the first row that has another.",
    otherwise="Not these numbers. Test yourself: a picture of one colour is all border, and one of noise has none.",
    hints={
        "You count rows below the border, too. Stop at the first that differs.": (
            lambda p, t: _within(p, p[:, :1, :1], t).sum()
        ),
        "A row of one colour, but of *another* one, ends the border.": _rows(lambda p, t: _within(p, p[:, :, :1], t)),
        "You compare each row with the one above, so a slow change never ends the border. Compare with the corner.": (
            lambda p, t: 1 + _until(_within(p[:, 1:], p[:, :-1], t)),
            lambda p, t: _until(_within(p[:, 1:], p[:, :-1], t)),
        ),
        "You compare each pixel with the one at the top of its column. Compare with the corner.": (
            _rows(lambda p, t: _within(p, p[:, :1], t))
        ),
        "You compare with the top row's mean. Compare with the pixel in the corner.": (
            _rows(lambda p, t: _within(p, p[:, :1].mean(2, keepdim=True), t))
        ),
        "You compare with the top row's median. Compare with the pixel in the corner.": (
            _rows(lambda p, t: _within(p, p[:, :1].median(2, keepdim=True).values, t))
        ),
        "You compare all colours with the red of the corner. Compare each with its own.": (
            _rows(lambda p, t: _within(p, p[:1, :1, :1], t))
        ),
        "You look for black. A border may have any colour: that of the corner.": (
            _rows(lambda p, t: (p.abs() <= t).all(2).all(0)),
            _rows(lambda p, t: (p.abs() < t).all(2).all(0)),
        ),
        "Look at both directions: a pixel may be lighter or darker than the corner.": (
            _rows(lambda p, t: (p - p[:, :1, :1] <= t).all(2).all(0)),
            _rows(lambda p, t: (p[:, :1, :1] - p <= t).all(2).all(0)),
        ),
        "You compare means of rows. Light and dark pixels may have the right mean; look at all of them.": (
            _rows(lambda p, t: _within(p.mean(2, keepdim=True), p[:, :1, :1], t)),
            _rows(lambda p, t: (_from_corner(p.mean(2, keepdim=True)) <= t).all(2).all(0)),
            _rows(lambda p, t: (_from_corner(p).mean(2) <= t).all(0)),
            _rows(lambda p, t: _from_corner(p).mean((0, 2)) <= t),
        ),
        "You compare means of the three colours. Look at each of them.": (
            _rows(lambda p, t: _within(p.mean(0, keepdim=True), p[:, :1, :1].mean(0, keepdim=True), t)),
            _rows(lambda p, t: (_from_corner(p).mean(0) <= t).all(1)),
        ),
        "You add up the differences of the three colours. Look at each of them.": (
            _rows(lambda p, t: (_from_corner(p).sum(0) <= t).all(1)),
            _rows(lambda p, t: (_from_corner(p).norm(dim=0) <= t).all(1)),
        ),
        "You look at one colour only. All three have to be the same.": tuple(
            _rows(lambda p, t, k=k: (_from_corner(p)[k] <= t).all(1)) for k in range(3)
        ),
        "It is enough for you if one of the colours is the same. All three have to be.": (
            _rows(lambda p, t: (_from_corner(p) <= t).all(2).any(0)),
            _rows(lambda p, t: (_from_corner(p) <= t).any(0).all(1)),
        ),
        "It is enough for you if one pixel of a row has the colour. All have to.": (
            _rows(lambda p, t: (_from_corner(p) <= t).all(0).any(1)),
            _rows(lambda p, t: (_from_corner(p) <= t).any(2).all(0)),
            _rows(lambda p, t: (_from_corner(p) <= t).any(2).any(0)),
        ),
        "You forgive a few pixels. Every pixel of a row has to have the colour.": tuple(
            _rows(lambda p, t, most=most: (_from_corner(p) > t).any(0).double().mean(1) <= most) for most in (0.1, 0.5)
        )
        + tuple(
            _rows(lambda p, t, least=least: (_from_corner(p) <= t).double().mean((0, 2)) > least)
            for least in (0.5, 0.8, 0.9)
        ),
        "You look at the first pixel of each row only.": _rows(lambda p, t: _from_corner(p)[:, :, 0].amax(0) <= t),
        "You ask for exactly the same colour. Differences up to the tolerance are allowed.": (
            _rows(lambda p, t: (_from_corner(p) <= 0).all(2).all(0))
        ),
        "A difference of exactly the tolerance is still allowed.": (
            _rows(lambda p, t: (_from_corner(p) < t).all(2).all(0))
        ),
        "You count columns from the left.": _rows(lambda p, t: (_from_corner(p) <= t).all(1).all(0)),
        "You count from the bottom up. Begin at the top.": (
            _rows(lambda p, t: _within(p, p[:, :1, :1], t).flip(0)),
            _rows(lambda p, t: _within(p, p[:, -1:, :1], t).flip(0)),
        ),
        "You count the rows that are not border.": lambda p, t: p.shape[1] - _top_border(p, t),
        "One row too many: the first that differs is not part of the border.": (
            lambda p, t: _top_border(p, t) + 1,
            lambda p, t: min(p.shape[1], _top_border(p, t) + 1),
        ),
        "One row is missing: the first one belongs to the border.": (
            lambda p, t: _top_border(p, t) - 1,
            lambda p, t: max(0, _top_border(p, t) - 1),
        ),
        "A picture that is border all over has as many rows as it is high.": (
            lambda p, t: _top_border(p, t) if _top_border(p, t) < p.shape[1] else 0,
            lambda p, t: _top_border(p, t) if _top_border(p, t) < p.shape[1] else p.shape[1] - 1,
            lambda p, t: _top_border(p, t) if _top_border(p, t) < p.shape[1] else -1,
        ),
        "That is a share of the height. Return how many rows.": lambda p, t: _top_border(p, t) / p.shape[1],
        "That is how many pixels. Return how many rows.": lambda p, t: _top_border(p, t) * p.shape[2],
    },
)

# ---- a gate for a checkpoint ------------------------------------------------------------------------------------


def _gate(largest):
    signs = torch.cat([torch.eye(3), -torch.eye(3)])
    return torch.cat([signs, torch.full((6, 1), float(largest))], 1), torch.full((6,), -float(largest))


def _weight_and_bias(answer) -> tuple[Tensor, Tensor]:
    """The two things to be returned, float64, or a sentence that asks for them."""
    if isinstance(answer, (str, dict, set)) or not hasattr(answer, "__len__") or len(answer) != 2:
        raise NotYet("Return two things: weight and bias.")
    weight, bias = (numbers(part, what) for part, what in zip(answer, ("weight, bias", "weight, bias"), strict=True))
    if weight.numel() == 6 and bias.numel() == 24:
        raise NotYet("First the weight, then the bias.")
    if tuple(weight.shape) != (6, 4):
        raise NotYet(f"The weight should have the shape (6, 4); yours has {tuple(weight.shape)}.")
    if bias.numel() != 6:
        raise NotYet(f"The bias should have the shape (6,); yours has {tuple(bias.shape)}.")
    return weight, bias.flatten()


def _observe_gate(asked, seed: int) -> SimpleNamespace:
    """The front's channels for values up to ``largest``, in units of it, for small and large ones."""
    generator = seeded(seed)
    steps = torch.tensor([-1.0, -0.5, -1 / 64, 0.0, 1 / 64, 0.25, 1.0], dtype=torch.float64)
    grid = torch.stack([torch.stack(point) for point in product(steps, repeat=3)])
    x = torch.cat([grid, 2 * torch.rand(100, 3, generator=generator, dtype=torch.float64) - 1])
    # What float16 and bfloat16 hold exactly
    drawn = torch.randint(48, 128, (), generator=generator).item() / 16
    found: dict[str, list[Tensor]] = {"at_one": [], "at_zero": [], "rough": []}
    right, seen = {}, SimpleNamespace(finite=True, bias=False)
    for largest in (1.0, 2.5, drawn, 1 / 64, 4096.0):
        weight, bias = _weight_and_bias(asked(largest))
        seen.finite &= bool(weight.isfinite().all() and bias.isfinite().all())
        seen.bias |= bool(bias.any())

        def front(certainty, dtype=torch.float64, largest=largest, weight=weight, bias=bias):
            joined = torch.cat([largest * x, torch.full_like(x[:, :1], certainty)], 1).to(dtype)
            return (joined @ weight.to(dtype).T + bias.to(dtype)).relu().double() / largest

        at_one, at_zero, rough = front(1.0), front(0.0), front(1.0, torch.float32)
        for name, output in (("at_one", at_one), ("at_zero", at_zero), ("rough", rough)):
            found[name].append(output)
        exact = bool(((at_one[:, :3] - at_one[:, 3:] - x).abs() <= 1e-5).all())
        right[largest] = exact and float(at_zero.max()) <= 1e-8

    seen.x = x.repeat(len(found["at_one"]), 1)
    one, zero, rough = (torch.cat(parts) for parts in found.values())
    seen.opens, seen.got = bool((one > 0).any()), one[:, :3] - one[:, 3:]
    seen.leak = float(zero.max())
    seen.leak_of_small = float(zero[seen.x.abs().amax(1) <= 0.25].max())
    seen.rough = float((rough[:, :3] - rough[:, 3:] - seen.x).abs().max())
    seen.right = ", ".join(f"{largest:g}" for largest, good in right.items() if good)
    seen.wrong = ", ".join(f"{largest:g}" for largest, good in right.items() if not good)
    far = int((seen.got[: len(x)] - x).abs().amax(1).argmax())  # largest = 1 is the first
    seen.example, seen.became = (
        ", ".join(f"{part:.3g}" for part in values[far].tolist()) for values in (seen.x, seen.got)
    )
    return seen


def _is(seen: SimpleNamespace, other: Tensor) -> bool:
    """Whether at certainty 1 these are the differences."""
    return bool(((seen.got - other).abs() <= 1e-5).all())


check_gate = Property(
    task="``function(largest) -> (weight, bias)``: ``(6, 4)`` and ``(6,)``, for values up to ``largest``.",
    stub="my_gate",
    reference=_gate,
    observe=_observe_gate,
    praise="Right: open at certainty 1, shut at certainty 0. A checkpoint's outputs stay what they were.",
    hints={
        "Some of your weights are not finite.": lambda o: not o.finite,
        "At certainty 1 the last three channels are the same as the first three. What of the minus?": (
            lambda o: o.opens and not o.got.any()
        ),
        "At certainty 1 nothing gets through. What opens the gate again that the bias has closed?": (
            lambda o: not o.opens
        ),
        "Right for largest = {right}, not for {wrong}: how does the gate depend on `largest`?": (
            lambda o: o.right and o.wrong
        ),
        "At certainty 1 you get the values with the wrong sign. Which three channels come first?": (
            lambda o: _is(o, -o.x)
        ),
        "At certainty 1 negative values are lost. Three of the channels have to carry them.": (
            lambda o: _is(o, o.x.relu())
        ),
        "At certainty 1 positive values are lost. Three of the channels have to carry them.": (
            lambda o: _is(o, -(-o.x).relu())
        ),
        "The colours change places.": lambda o: any(
            _is(o, o.x[:, list(order)]) for order in permutations(range(3)) if order != (0, 1, 2)
        ),
        "At certainty 1 the values come out doubled. Where is the bend of the ReLU then?": lambda o: _is(o, 2 * o.x),
        "At certainty 1 the values come out halved.": lambda o: _is(o, o.x / 2),
        "The colours are mixed. Each channel should look at one of them.": (
            lambda o: (
                _is(o, o.x.sum(1, keepdim=True).expand_as(o.x)) or _is(o, o.x.mean(1, keepdim=True).expand_as(o.x))
            )
        ),
        "At certainty 1 the first three channels less the last three are not the values yet: with largest = 1, "
        "({example}) became ({became}).": lambda o: not _is(o, o.x),
        "At certainty 0 the values get through. Something has to hold the ReLU below 0.": (
            lambda o: o.leak > 1e-8 and not o.bias
        ),
        "At certainty 0 large values still get through. How strong has the gate to be?": (
            lambda o: o.leak > 1e-8 and o.leak_of_small <= 1e-8
        ),
        "At certainty 0 something gets through. Every channel should be 0, whatever the values are.": (
            lambda o: o.leak > 1e-8
        ),
        "The gate is so strong that float32 rounds the values away. Let it be as strong as the largest value.": (
            lambda o: o.rough > 0.01
        ),
    },
)
