"""Checks of the chapter on photographs (Imagenette)."""

import torch
from torch import Tensor

from icg_book.imagenette.localisation import half_area
from icg_book.kit.old_answers import NotYet, call, call_tensor, meet, reference
from icg_book.kit.old_answers import accept as accept

# ---- the references -------------------------------------------------------------------------------------------


@reference("my_half_area")
def _half_area(attribution):
    return half_area(attribution)


@reference("my_noisy_average")
def _noisy_average(method, inputs, noise):
    maps = [method(torch.cat([inputs[:, :3] + one, inputs[:, 3:]], 1)) for one in noise]
    return torch.stack(maps).mean(0)


@reference("my_top_border")
def _top_border(picture, tolerance):
    same = ((picture - picture[:, :1, :1]).abs() <= tolerance).all(2).all(0)
    return int(same.long().cumprod(0).sum())


@reference("my_gate")
def _gate(largest):
    signs = torch.cat([torch.eye(3), -torch.eye(3)])
    return torch.cat([signs, torch.full((6, 1), float(largest))], 1), torch.full((6,), -float(largest))


# ---- the checks -----------------------------------------------------------------------------------------------


def check_half_area(function) -> None:
    """``function(attribution) -> areas``: ``(N, 1, H, W)`` to ``(N,)``."""
    generator = torch.Generator().manual_seed(21)
    attribution = torch.randn(4, 1, 6, 8, generator=generator) ** 3 + 0.2
    attribution[1] = attribution[1].abs()
    attribution[2, 0, 0, 0] = 100.0  # one position holds nearly everything
    answer = call_tensor(function, attribution.clone())
    right, n = _half_area(attribution), 48
    flat = attribution.double().flatten(1)
    size = flat.abs()

    def area(x: Tensor, part: float = 0.5, descending: bool = True, more: int = 1) -> Tensor:
        held = x.sort(1, descending=descending).values.cumsum(1) / x.sum(1, keepdim=True)
        return ((held < part).sum(1) + more) / n

    meet(
        answer,
        right,
        [
            (right * n, "That is how many positions. Divide by the number of all."),
            (area(size, more=0), "One position is missing: the one with which half is reached belongs to it."),
            (area(size, more=0) * n, "One position is missing, and it is a number of positions, not a share."),
            (1 - right, "That is the share of the positions that are not needed."),
            (area(size, descending=False), "You begin with the smallest. Which positions hold half with the fewest?"),
            (area(flat), "You add signed values: what speaks against cancels what speaks for. Take absolute values."),
            (area(flat, more=0), "You add signed values: those against cancel those for. Take absolute values."),
            (area(flat.clamp(min=0)), "You look at what speaks for the class only. Take absolute values."),
            (area(size.square()), "You add squares. Add absolute values."),
            (
                (size >= size.amax(1, keepdim=True) / 2).double().mean(1),
                "That is the share of the positions with at least half of the largest value. Half of the *sum* is "
                "asked for.",
            ),
            ((size > size.mean(1, keepdim=True)).double().mean(1), "You compare with the mean. Sort, and add up."),
            (
                (size > size.median(1, keepdim=True).values).double().mean(1),
                "You compare with the median, so you get a half of nearly everything. Sort, and add up.",
            ),
            (area(size.flatten()[None]).expand(4) / 4, "You mix the maps of the batch. Every map has its own number."),
            (
                ((size.sort(1, descending=True).values.cumsum(1) < size.sum() / 2).sum(1) + 1).clamp(max=n) / n,
                "You take half of the sum over the whole batch. Every map has its own sum.",
            ),
        ],
        "Not these areas. Test yourself: an even map has one half, and one spike in an empty map a single position.",
    )
    print("Right: small is tight. Whether it is in the right place, it does not say.")


def _toy_method(inputs: Tensor) -> Tensor:
    """Stands for an attribution method: ``(N, 4, H, W)`` to ``(N, 1, H, W)``, linear in nothing."""
    values, certainty = inputs[:, :3], inputs[:, 3:]
    weight = torch.tensor([1.0, -0.7, 0.4], dtype=inputs.dtype).view(1, 3, 1, 1)
    near = values.roll(1, 3)
    return (torch.sin(3 * values * weight) * near).sum(1, keepdim=True) * certainty.exp()


def check_noisy_average(function) -> None:
    """``function(method, inputs, noise) -> map``: joined ``(1, 4, H, W)``, noise ``(K, 3, H, W)``."""
    generator = torch.Generator().manual_seed(22)
    for k in (3, 5):
        values = torch.rand(1, 3, 5, 6, generator=generator)
        certainty = torch.ones(1, 1, 5, 6)
        certainty[..., :2] = 0.4  # what is not known stays not known
        inputs = torch.cat([values, certainty], 1)
        noise = 0.3 * torch.randn(k, 3, 5, 6, generator=generator)
        given = inputs.clone(), noise.clone()
        answer = call_tensor(function, _toy_method, *given)
        if not (torch.equal(given[0], inputs) and torch.equal(given[1], noise)):
            raise NotYet("Your function changes the tensors it is given. Make new ones.")
        if answer.shape == (k, 1, 5, 6):
            raise NotYet("That is one map for each noisy copy. Average them.")
        right = _noisy_average(_toy_method, inputs, noise)

        def mapped(values, certainty=certainty):
            return _toy_method(torch.cat([values, certainty], 1))

        def mean(maps):
            return torch.stack(list(maps)).mean(0)

        total = noise.cumsum(0)
        meet(
            answer,
            right,
            [
                (mapped(values + noise.mean(0)), "You average the noise. Average the maps: each copy has its own."),
                (right * k, "You add the maps. Divide by how many they are."),
                (mapped(values), "That is the map without noise."),
                (
                    mean(mapped(values + one, torch.ones_like(certainty)) for one in noise),
                    "You make everything certain. The input has a certainty of its own, which must stay.",
                ),
                (
                    mean(mapped(values + one, certainty + one.mean(0)) for one in noise),
                    "You add noise to the certainty. It says how well a value is known; leave it alone.",
                ),
                (
                    mean(mapped(values + one, certainty + one[:1]) for one in noise),
                    "You add noise to the certainty. It says how well a value is known; leave it alone.",
                ),
                (
                    mean(mapped((values + one).clamp(0, 1)) for one in noise),
                    "You clip the noisy values. Leave them: clipped noise has a mean of its own.",
                ),
                (mean(mapped(values + one) for one in total), "The noise piles up. Every copy begins with the input."),
                (mean(mapped(values - one) for one in noise), "You take the noise away. Add it."),
                (mean(mapped(one) for one in noise[:, None]), "You explain the noise alone. Add it to the values."),
                (mean(mapped(values * (1 + one)) for one in noise), "You multiply with the noise. Add it."),
                (
                    mean(mapped(values + one[:1]) for one in noise),
                    "All three colours get the same noise. Each has its own.",
                ),
                (mean(mapped(values + one).abs() for one in noise), "Average signed maps: take no absolute values."),
                (mapped(values + noise[0]), "That is the map of the first copy. Average over all of them."),
                (mapped(values + noise[-1]), "That is the map of the last copy. Average over all of them."),
                (
                    (right * k + mapped(values)) / (k + 1),
                    "You count the input without noise as a copy, too. Average over the noisy ones.",
                ),
                (
                    torch.stack([mapped(values + one) for one in noise]).median(0).values,
                    "That is the median of the maps. Take the mean: completeness survives it.",
                ),
            ],
            "Not this average. Test yourself: with noise of zeros it is the method's own map.",
        )
    print("Right: what is seen gets noise, how well it is known does not.")


def check_top_border(function) -> None:
    """``function(picture, tolerance) -> rows``: ``(3, H, W)`` to a whole number."""
    generator = torch.Generator().manual_seed(23)
    tolerance = 0.04

    def picture(rows: int, colour: float) -> Tensor:
        made = torch.rand(3, 9, 10, generator=generator)
        made[:, :rows] = colour
        return made

    cases = {name: picture(*how) for name, how in CASES.items()}
    cases["again"][:, 5] = 0.0
    cases["second bar"][:, 2:4] = 0.5
    cases["one channel"][2, 3, 4] += 0.3
    for channel, change in ((0, -0.3), (2, 0.3)):  # their mean is the same
        cases["two channels"][channel, 3, 4] += change
    cases["first pixel"][:, 3, 0] += 0.3
    for row in range(5):
        cases["drift"][:, row] = 0.3 + 0.6 * tolerance * row
    cases["same mean"][:, 2] = 0.2
    cases["same mean"][:, 2, ::2] += 0.15
    cases["same mean"][:, 2, 1::2] -= 0.15
    cases["nearly"][:, :4] += 0.8 * tolerance * (2 * torch.rand(3, 4, 10, generator=generator) - 1)
    cases["nearly"][:, 0, 0] = 0.6
    cases["left bar"][:, :, :3] = cases["left bar"][:, :1, :1]

    def difference(p):
        return (p - p[:, :1, :1]).abs()

    def until(same):
        return int(same.long().cumprod(0).sum())

    found = []
    for made in cases.values():
        given = made.clone()
        answer = call(function, given, tolerance)
        if isinstance(answer, Tensor) and answer.numel() == 1:
            answer = answer.item()
        if isinstance(answer, bool) or not isinstance(answer, (int, float)):
            raise NotYet(f"Return a whole number; yours is a {type(answer).__name__}.")
        if not torch.equal(given, made):
            raise NotYet("Your function changes the picture. Leave it as it is.")
        found.append(float(answer))

    def every(how):
        return torch.tensor([float(how(made)) for made in cases.values()], dtype=torch.float64)

    def same(p):
        return (difference(p) <= tolerance).all(2).all(0)

    right = every(lambda p: _top_border(p, tolerance))
    meet(
        torch.tensor(found, dtype=torch.float64),
        right,
        [
            (every(lambda p: same(p).sum()), "You count rows below the border, too. Stop at the first that differs."),
            (
                every(lambda p: until(((p - p[:, :, :1]).abs() <= tolerance).all(2).all(0))),
                "A row of one colour, but of *another* one, ends the border.",
            ),
            (
                every(lambda p: 1 + until(((p[:, 1:] - p[:, :-1]).abs() <= tolerance).all(2).all(0))),
                "You compare each row with the one above, so a slow change never ends the border. Compare with the "
                "corner.",
            ),
            (
                every(lambda p: until((p.abs() <= tolerance).all(2).all(0))),
                "You look for black. A border may have any colour: that of the corner.",
            ),
            (
                every(lambda p: until((difference(p.mean(2, keepdim=True)) <= tolerance).all(2).all(0))),
                "You compare means of rows. Light and dark pixels may have the right mean; look at all of them.",
            ),
            (
                every(lambda p: until((difference(p.mean(0, keepdim=True)) <= tolerance).all(2).all(0))),
                "You compare means of the three colours. Look at each of them.",
            ),
            (
                every(lambda p: until((difference(p)[0] <= tolerance).all(1))),
                "You look at one colour only. All three have to be the same.",
            ),
            (
                every(lambda p: until((difference(p) <= tolerance).all(2).any(0))),
                "It is enough for you if one of the colours is the same. All three have to be.",
            ),
            (
                every(lambda p: until((difference(p) <= tolerance).all(0).any(1))),
                "It is enough for you if one pixel of a row has the colour. All have to.",
            ),
            (
                every(lambda p: until(difference(p)[:, :, 0].amax(0) <= tolerance)),
                "You look at the first pixel of each row only.",
            ),
            (
                every(lambda p: until((difference(p) <= 0).all(2).all(0))),
                "You ask for exactly the same colour. Differences up to the tolerance are allowed.",
            ),
            (every(lambda p: until((difference(p) <= tolerance).all(1).all(0))), "You count columns from the left."),
            (
                every(lambda p: until(same(p).flip(0))),
                "You count from the bottom up. Begin at the top.",
            ),
            (right + 1, "One row too many: the first that differs is not part of the border."),
            ((right - 1).clamp(min=0), "One row is missing: the first one belongs to the border."),
            (right / 9, "That is a share of the height. Return how many rows."),
            (right * 10, "That is how many pixels. Return how many rows."),
        ],
        "Not these numbers. Test yourself: a picture of one colour is all border, and one of noise has none.",
    )
    print("Right: the corner's colour, until the first row that has another.")


# Rows and colour of the border at the top of each case of the exercise.
CASES = {
    "black": (3, 0.0),
    "white": (2, 1.0),
    "none": (0, 0.0),
    "again": (2, 0.0),
    "second bar": (2, 0.0),
    "one channel": (5, 0.7),
    "two channels": (5, 0.5),
    "first pixel": (5, 0.2),
    "drift": (0, 0.0),
    "same mean": (2, 0.2),
    "nearly": (4, 0.6),
    "left bar": (3, 0.1),
    "all": (9, 0.4),
}


def check_gate(function) -> None:
    """``function(largest) -> (weight, bias)``: ``(6, 4)`` and ``(6,)``, for values up to ``largest``."""
    generator = torch.Generator().manual_seed(24)
    for largest in (1.0, 2.7):
        answer = call(function, largest)
        if not isinstance(answer, tuple | list) or len(answer) != 2:
            raise NotYet(f"Return two tensors, weight and bias; yours is a {type(answer).__name__}.")
        for name, part, shape in zip(("weight", "bias"), answer, ((6, 4), (6,)), strict=True):
            if not isinstance(part, Tensor):
                raise NotYet(f"Return tensors; your {name} is a {type(part).__name__}.")
            if part.shape != shape:
                raise NotYet(f"The {name} should have the shape {shape}; yours has {tuple(part.shape)}.")
        weight, bias = (part.detach().double() for part in answer)
        if not bool(weight.isfinite().all() and bias.isfinite().all()):
            raise NotYet("Some of your weights are not finite.")
        x = largest * (2 * torch.rand(200, 3, generator=generator).double() - 1)
        x[:2] = torch.tensor([[largest], [-largest]])

        def front(values, certainty, weight=weight, bias=bias):
            joined = torch.cat([values, torch.full_like(values[:, :1], certainty)], 1)
            return (joined @ weight.T + bias).relu()

        def difference(channels):
            return channels[:, :3] - channels[:, 3:]

        same = front(x, 1.0)
        if same.any() and not difference(same).any():
            raise NotYet("At certainty 1 the last three channels are the same as the first three. What of the minus?")
        meet(
            difference(front(x, 1.0)),
            x,
            [
                (-x, "At certainty 1 you get the values with the wrong sign. Which three channels come first?"),
                (x.relu(), "At certainty 1 negative values are lost. Three of the channels have to carry them."),
                (
                    torch.zeros_like(x),
                    "At certainty 1 nothing gets through. What opens the gate again that the bias has closed?",
                ),
                (x.flip(1), "The colours change places."),
                (
                    2 * x,
                    "At certainty 1 the values come out doubled: the gate is never shut.",
                ),
                (
                    x.sum(1, keepdim=True).expand_as(x),
                    "The colours are mixed. Each channel should look at one of them.",
                ),
            ],
            "At certainty 1 the first three channels less the last three are not the values yet.",
            1e-5 * largest,
        )
        if front(x, 0.0).abs().max() > 1e-6:
            inner = front(0.3 * x, 0.0).abs().max() <= 1e-6
            if inner:
                raise NotYet("At certainty 0 large values still get through. How strong has the gate to be?")
            if not bool(bias.any()):
                raise NotYet("At certainty 0 the values get through. Something has to hold the ReLU below 0.")
            raise NotYet("At certainty 0 something gets through. Every channel should be 0, whatever the values are.")
    print("Right: open at certainty 1, shut at certainty 0. A checkpoint's outputs stay what they were.")
