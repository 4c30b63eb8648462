"""Checks of the chapter on MNIST and MNIST in Space."""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn

from icg.certainty import join
from icg.deletion import deletion_curves
from icg.measures import rank_correlation
from icg_book.kit.answers import NotYet, Values, written
from icg_book.kit.answers import accept as accept

# ---- its part ---------------------------------------------------------------------------------------------------


def _blindness(attribution, image):
    found = []
    for credit, picture in zip(attribution.double().abs(), image, strict=True):
        black = picture == 0
        found.append((credit * black).sum() / credit.sum() / (black.sum() / black.numel()))
    return torch.stack(found)


def _blindness_cases(seed: int) -> list[tuple]:
    """Batches of different sizes; pictures with few and many black pixels, nearly black ones, both signs of credit."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(n, height, width, dtype):
        image = torch.rand(n, 1, height, width, generator=generator, dtype=dtype)
        share = 0.2 + 0.7 * torch.rand(n, 1, 1, 1, generator=generator)
        image = torch.where(torch.rand(image.shape, generator=generator) < share, 0.0, image)
        size = torch.rand(image.shape, generator=generator, dtype=dtype)
        attribution = torch.randn(image.shape, generator=generator, dtype=dtype) * size
        image[..., 0, :2], image[..., -1, -1] = torch.tensor([0.0, 0.004]), 2e-4  # black; nearly so, with much credit
        attribution[..., 0, 1], attribution[..., -1, -1] = 2.5, -1.5
        return attribution, image

    small = torch.tensor([[[[0.0, 0.5, 0.0, 1.0]]]])
    return [
        (torch.tensor([[[[1.0, 2.0, -0.5, -1.5]]]]), small),
        (torch.tensor([[[[3.0, -1.0, -4.0, 0.5]]]]), small),
        drawn(1, 3, 3, torch.float32),
        drawn(2, 2, 5, torch.float64),
        drawn(4, 8, 8, torch.float32),
        drawn(5, 6, 4, torch.float64),
    ]


def _of_parts(read: Callable, black: Callable = lambda image: image == 0, size: Callable = Tensor.abs):
    """A mistaken answer from both shares of black pixels: ``read(of the credit, of the pixels)``."""

    def answer(attribution, image):
        mask, credit = black(image).double(), size(attribution.double())
        return read((credit * mask).flatten(1).sum(1) / credit.flatten(1).sum(1), mask.flatten(1).mean(1))

    return answer


def _of_sums(read: Callable):
    """A mistaken answer from sums over each image, ``read(credit, |credit|, black)``, maps ``(N, H * W)`` each."""

    def answer(attribution, image):
        credit = attribution.double().flatten(1)
        return read(credit, credit.abs(), (image == 0).double().flatten(1))

    return answer


check_blindness = Values(
    task="``function(attribution, image) -> parts``: ``(N, 1, H, W)`` twice to ``(N,)``.",
    stub="my_blindness",
    reference=_blindness,
    cases=_blindness_cases,
    returns="one number for each image",
    praise="Right: 0 is blind, 1 is an even hand.",
    otherwise="Divide the share of the absolute credit on black pixels by the share of the pixels that are black.",
    hints={
        "That is the share of the credit alone. How large a share of the pixels is black?": (
            _of_parts(lambda credit, part: credit)
        ),
        "That is the share of the pixels that are black. What of their credit?": _of_parts(lambda credit, part: part),
        "You add signed values: credit for and against cancel. Take absolute values.": (
            _of_parts(lambda credit, part: credit / part, size=lambda a: a)
        ),
        "Take absolute values before you add.": (
            _of_sums(lambda a, size, black: (a * black).sum(1).abs() / size.sum(1) / black.mean(1)),
            _of_sums(lambda a, size, black: ((a * black).sum(1) / a.sum(1)).abs() / black.mean(1)),
        ),
        "You take absolute values in one of the sums only. Take them in both.": (
            _of_sums(lambda a, size, black: (a * black).sum(1) / size.sum(1) / black.mean(1)),
            _of_sums(lambda a, size, black: (size * black).sum(1) / a.sum(1) / black.mean(1)),
        ),
        "You leave out credit against. Take absolute values.": (
            _of_parts(lambda credit, part: credit / part, size=torch.relu)
        ),
        "You square the credit. Take absolute values.": (
            _of_parts(lambda credit, part: credit / part, size=torch.square)
        ),
        "That is for the pixels with ink. Which pixels can a black baseline not see?": (
            _of_parts(lambda credit, part: (1 - credit) / (1 - part))
        ),
        "You have the credit of the ink and the number of the black pixels.": (
            _of_parts(lambda credit, part: (1 - credit) / part)
        ),
        "You have the credit of the black pixels and the number of those with ink.": (
            _of_parts(lambda credit, part: credit / (1 - part))
        ),
        "You compare black pixels with those that hold ink. Compare them with all pixels.": (
            _of_parts(lambda credit, part: credit / part * (1 - part) / (1 - credit)),
            _of_parts(lambda credit, part: credit / (1 - credit)),
        ),
        "Upside down: a method that is blind should get 0.": _of_parts(lambda credit, part: part / credit),
        "That measures sight the other way round: 0 should mean blind.": (
            _of_parts(lambda credit, part: 1 - credit / part)
        ),
        "You multiply the two shares. Divide, so that an even hand gets 1.": (
            _of_parts(lambda credit, part: credit * part)
        ),
        "You subtract the two shares. Divide, so that an even hand gets 1.": (
            _of_parts(lambda credit, part: credit - part)
        ),
        "You count nearly black pixels as black. A black baseline is blind only where they are exactly 0.": tuple(
            _of_parts(lambda credit, part: credit / part, black=lambda image, most=most: image < most)
            for most in (0.001, 0.005, 0.01, 0.05, 0.1)
        ),
        "That is the mean credit of a black pixel. Divide by that of any pixel.": (
            _of_sums(lambda a, size, black: (size * black).sum(1) / black.sum(1))
        ),
        "You divide by the number of black pixels. Divide by their share.": (
            _of_sums(lambda a, size, black: (size * black).sum(1) / size.sum(1) / black.sum(1))
        ),
        "You divide the credit of the black pixels by their share. Which share of the credit is it?": (
            _of_sums(lambda a, size, black: (size * black).sum(1) / black.mean(1))
        ),
        "You mix the images of the batch. Every image has its own number.": (
            _of_sums(lambda a, size, black: ((size * black).sum() / size.sum() / black.mean()).expand(len(a))),
            _of_sums(lambda a, size, black: (size * black).sum() / size.sum() / black.mean()),
            _of_sums(lambda a, size, black: (size * black).sum(1) / size.sum(1) / black.mean()),
            _of_sums(lambda a, size, black: (size * black).sum(1) / size.sum() / black.mean(1)),
        ),
        "You average over the batch. Every image has its own number.": (
            _of_parts(lambda credit, part: (credit / part).mean())
        ),
    },
)

# ---- the same order? --------------------------------------------------------------------------------------------


def _rank_correlation(a, b):
    centred = []
    for x in (a, b):
        rank = (x[:, None] > x).sum(1) + (x[:, None] == x).sum(1) / 2
        centred.append((rank - rank.mean()).double())
    return (centred[0] * centred[1]).sum() / (centred[0].norm() * centred[1].norm())


def _rank_cases(seed: int) -> list[tuple]:
    """Three and four values, one with a tie; then more, up and down, without and with ties, as on blind ground."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(n, sign, dtype=torch.float64):
        a = torch.randn(n, generator=generator, dtype=dtype)
        return a, sign * a.exp() + 0.8 * torch.randn(n, generator=generator, dtype=dtype)

    three = 10 * torch.rand(3, generator=generator)
    few = torch.randint(-2, 3, (2, 9), generator=generator).double()
    few[:, 0], few[:, 1] = torch.tensor([-3.0, 3.0]), torch.tensor([3.0, 3.5])
    blind = drawn(30, 1.0)
    blind[0][:14], blind[1][10:20] = 0.0, blind[1][10].clone()
    other_way = drawn(24, -1.0, torch.float32)
    other_way[0][5:], other_way[1][:3] = 0.0, 0.25
    one_side = drawn(12, 1.0)
    one_side[1][2:9] = 0.0
    return [
        (torch.tensor([2.0, 9.0, 3.0]), torch.tensor([-1.0, 0.5, -3.0])),
        (torch.tensor([0.0, 0.0, 1.0, -2.0]), torch.tensor([0.3, 0.1, 0.2, 5.0])),
        (three, torch.tensor([1.5, 0.25, -7.0])),
        (few[0], few[1]),
        drawn(10, -1.0, torch.float32),
        drawn(17, 1.0),
        one_side,
        other_way,
        blind,
    ]


def _covariance(a, b):
    a, b = a.double(), b.double()
    return ((a - a.mean()) * (b - b.mean())).mean()


def _pearson(a, b):
    return _covariance(a, b) / (_covariance(a, a) * _covariance(b, b)).sqrt()


def _cosine(a, b):
    a, b = a.double(), b.double()
    return (a * b).sum() / (a.norm() * b.norm())


def _below(x):
    return (x[:, None] > x).sum(1)


def _up_to(x):
    return (x[:, None] >= x).sum(1)


def _mean_ranks(x):
    return (_below(x) + _up_to(x) + 1) / 2


def _of_ranks(rank: Callable, correlate: Callable = _pearson):
    """A mistaken answer: another rank, or another measure of how the ranks go together."""
    return lambda a, b: correlate(rank(a), rank(b))


def _short_formula(rank: Callable):
    return _of_ranks(rank, lambda p, q: 1 - 6 * ((p - q).double() ** 2).sum() / (len(p) * (len(p) ** 2 - 1)))


def _kendall(a, b):
    up = [(x[:, None] - x).sign() for x in (a, b)]
    return (up[0] * up[1]).sum() / (len(a) * (len(a) - 1))


check_rank_correlation = Values(
    task="``function(a, b) -> correlation``: Spearman's, of ``(D,)`` twice, equal values sharing their mean rank.",
    stub="my_rank_correlation",
    reference=_rank_correlation,
    cases=_rank_cases,
    returns="one number",
    library=(rank_correlation,),
    praise="Right: the order alone decides.",
    otherwise="Not Spearman's correlation: rank the values of each, equal ones at their mean, and correlate ranks.",
    hints={
        "That is the correlation of the values. Replace them by their ranks first.": _pearson,
        "`argsort` says which value comes first, and so on. You want the reverse: the rank of a value.": (
            _of_ranks(torch.argsort),
            _of_ranks(lambda x: x.argsort(descending=True)),
        ),
        "Equal values got different ranks, by chance of their place. Let them share the mean of their ranks.": (
            _of_ranks(lambda x: x.argsort().argsort()),
            _of_ranks(lambda x: x.argsort(stable=True).argsort()),
            _of_ranks(lambda x: x.argsort(descending=True).argsort()),
            _of_ranks(lambda x: x.argsort(descending=True, stable=True).argsort()),
            _short_formula(lambda x: x.argsort().argsort()),
        ),
        "Equal values share the lowest of their ranks. Let them share the mean.": _of_ranks(_below),
        "Equal values share the highest of their ranks. Let them share the mean.": _of_ranks(_up_to),
        "Equal values count as one place, so that those above move down. Let them share the mean of the places that "
        "they take.": _of_ranks(lambda x: x.unique(return_inverse=True)[1]),
        "You rank absolute values: then for and against are the same.": _of_ranks(lambda x: _mean_ranks(x.abs())),
        "You rank only one of the two. Rank both.": (
            lambda a, b: _pearson(_mean_ranks(a), b),
            lambda a, b: _pearson(a, _mean_ranks(b)),
        ),
        "That is the cosine of the ranks. Take away their mean first.": (
            _of_ranks(_mean_ranks, _cosine),
            _of_ranks(lambda x: _mean_ranks(x) - 1, _cosine),
            _of_ranks(lambda x: _mean_ranks(x) - 0.5, _cosine),
            _of_ranks(_below, _cosine),
        ),
        "That is the cosine of the values. Which correlation looks at the order alone?": _cosine,
        "Two maps may disagree: keep the sign.": lambda a, b: _rank_correlation(a, b).abs(),
        "The sign is reversed: two maps in the same order must give 1.": lambda a, b: -_rank_correlation(a, b),
        "That is the square of the correlation.": lambda a, b: _rank_correlation(a, b) ** 2,
        "That short formula holds only where no two values are equal. Correlate the ranks themselves.": (
            _short_formula(_mean_ranks),
            _short_formula(_below),
            _short_formula(_up_to),
        ),
        "That is a covariance of the ranks. Divide by both spreads.": (
            _of_ranks(_mean_ranks, _covariance),
            _of_ranks(_mean_ranks, lambda p, q: _covariance(p, q) * len(p)),
            _of_ranks(_mean_ranks, lambda p, q: _covariance(p, q) * len(p) / (len(p) - 1)),
        ),
        "You divide by both variances. Divide by both standard deviations.": (
            _of_ranks(_mean_ranks, lambda p, q: _covariance(p, q) / (_covariance(p, p) * _covariance(q, q)))
        ),
        "You divide by one of the spreads twice. Divide by both.": (
            _of_ranks(_mean_ranks, lambda p, q: _covariance(p, q) / _covariance(p, p)),
            _of_ranks(_mean_ranks, lambda p, q: _covariance(p, q) / _covariance(q, q)),
        ),
        "You divide one mean by n and the other by n - 1: take both by the same.": (
            _of_ranks(_mean_ranks, lambda p, q: _pearson(p, q) * (len(p) - 1) / len(p)),
            _of_ranks(_mean_ranks, lambda p, q: _pearson(p, q) * len(p) / (len(p) - 1)),
        ),
        "That is Kendall's measure, of pairs. Correlate the ranks.": _kendall,
    },
)

# ---- take it away -----------------------------------------------------------------------------------------------


class _Net(nn.Module):
    """A small random network on joined pictures; it refuses other inputs."""

    certainty_aware = True

    def __init__(self, generator, height: int, width: int, classes: int):
        super().__init__()
        self.size = (2, height, width)
        self.first = 3 * torch.randn(2 * height * width, 12, generator=generator) / (height * width) ** 0.5
        self.second = torch.randn(12, classes, generator=generator)
        written(f"a network on {height} x {width} pixels", self)

    def forward(self, joined):
        if not isinstance(joined, Tensor) or joined.ndim != 4 or tuple(joined.shape[1:]) != self.size:
            got = f"of shape {tuple(joined.shape)}" if isinstance(joined, Tensor) else f"a {type(joined).__name__}"
            shape = ", ".join(map(str, self.size))
            raise NotYet(f"`model` takes joined inputs, values and certainty, (N, {shape}); yours is {got}.")
        return torch.tanh(joined.float().flatten(1) @ self.first) @ self.second


def _deletion(model, values, attribution, counts):
    own = model(torch.cat([values, torch.ones_like(values)], 1)).argmax(1).item()
    order = attribution.flatten().argsort(descending=True)
    found = []
    for n in counts:
        certainty = torch.ones(values.numel(), dtype=values.dtype)
        certainty[order[:n]] = 0.0
        logits = model(torch.cat([values, certainty.view(values.shape)], 1))
        found.append(logits.softmax(1)[0, own])
    return torch.stack(found)


@cache
def _pictures(seed: int) -> list[tuple]:
    """Pictures of several shapes, attributions that are negative, or positive, for the most part.

    The class predicted at first is neither the first one nor the one predicted throughout.
    """
    generator = torch.Generator().manual_seed(seed)

    def drawn(height, width, classes, counts, dtype=torch.float32, shift=0.0):
        while True:
            model = _Net(generator, height, width, classes)
            values = torch.rand(1, 1, height, width, generator=generator)
            attribution = torch.randn(values.shape, generator=generator, dtype=dtype) + shift
            case = model, values, attribution, counts
            if _own(*case[:2]) != 0 and not torch.allclose(_highest(*case), _deletion(*case), atol=1e-2):
                return case

    return [
        drawn(1, 2, 2, [0, 1, 2]),
        drawn(2, 3, 3, [0, 2, 6]),
        drawn(3, 2, 3, [1, 3, 4, 6]),
        drawn(6, 6, 3, [0, 1, 5, 12, 30, 36]),
        drawn(5, 4, 10, [2, 7], torch.float64, shift=-2.0),
        drawn(4, 5, 4, [3, 11, 19], shift=1.0),
    ]


def _deletion_cases(seed: int) -> list[tuple]:
    return [
        (model, values.clone(), attribution.clone(), list(counts))
        for model, values, attribution, counts in _pictures(seed)
    ]


def _own(model, values) -> int:
    return model(join(values)).argmax(1).item()


def _first(attribution):
    return attribution.flatten().argsort(descending=True)


def _deleted(
    order: Callable = _first,
    counts: Callable = lambda counts, size: counts,
    inputs: Callable = lambda values, gone: join(values, (~gone).to(values)),
    read: Callable = lambda logits, own: logits.softmax(0)[own],
    own: Callable = _own,
):
    """A mistaken answer, by what is different in it."""

    def answer(model, values, attribution, numbers):
        watched, found = own(model, values), []
        for n in counts(numbers, values.numel()):
            gone = torch.zeros(values.numel(), dtype=torch.bool)
            gone[order(attribution)[:n]] = True
            found.append(read(model(inputs(values, gone.view(values.shape)))[0], watched))
        return torch.stack(found)

    return answer


_highest = _deleted(read=lambda logits, own: logits.softmax(0).max())


check_deletion = Values(
    task="``function(model, values, attribution, counts) -> probabilities``: ``(K,)``, of the class predicted first.",
    stub="my_deletion",
    reference=_deletion,
    cases=_deletion_cases,
    returns="one probability for each number",
    library=(deletion_curves,),
    praise="Right: nothing foreign was shown, and still it was taken away.",
    otherwise="Let the certainty of the `n` most positive pixels be 0, nothing else, and watch the class of the "
    "untouched picture.",
    hints={
        "You begin with the most negative pixels. Which come first?": (
            _deleted(order=lambda a: a.flatten().argsort()),
            _deleted(order=lambda a: _first(a).flip(0)),
        ),
        "You go by absolute values. Pixels that speak against the class come last, not first.": (
            _deleted(order=lambda a: _first(a.abs()))
        ),
        "You set values to 0. Leave the values alone and take their certainty.": (
            _deleted(inputs=lambda v, gone: join(torch.where(gone, 0.0, v)))
        ),
        "You set the values to 0 as well. Leave them alone, and take their certainty only.": (
            _deleted(inputs=lambda v, gone: join(torch.where(gone, 0.0, v), (~gone).to(v)))
        ),
        "You flip values. Leave them alone and take their certainty.": (
            _deleted(inputs=lambda v, gone: join(torch.where(gone, (v < 0.5).to(v), v)))
        ),
        "That is insertion: the pixels named first should be unknown, all others known.": (
            _deleted(inputs=lambda v, gone: join(v, gone.to(v)))
        ),
        "You look for the largest probability anew each time. Stay with the class of the untouched picture.": (
            _highest
        ),
        "You choose the class at a picture of which nothing is known. Choose it at the untouched one.": (
            _deleted(own=lambda model, values: model(join(values, 0.0)).argmax(1).item())
        ),
        "You watch the least probable class. Watch the one that is predicted.": (
            _deleted(own=lambda model, values: model(join(values)).argmin(1).item())
        ),
        "You watch class 0. Watch the class that is predicted.": _deleted(own=lambda model, values: 0),
        "Those are logits. Watch the probability.": _deleted(read=lambda logits, own: logits[own]),
        "Those are logarithms of probabilities. Watch the probability itself.": (
            _deleted(read=lambda logits, own: logits.log_softmax(0)[own])
        ),
        "You squeeze each logit by itself. The probabilities of all classes sum to 1: `softmax` over the classes.": (
            _deleted(read=lambda logits, own: logits.sigmoid()[own])
        ),
        "Your softmax goes over the pictures. It goes over the classes, so that they sum to 1.": (
            lambda *case: _deleted(read=lambda logits, own: logits[own])(*case).softmax(0),
            _deleted(read=lambda logits, own: torch.ones_like(logits[own])),
        ),
        "You take the pixels in their order in the picture. Sort them by their attribution.": (
            _deleted(order=lambda a: torch.arange(a.numel()))
        ),
        "`argsort` names the pixels in order. Sorted once more, it names the rank of each.": (
            _deleted(order=lambda a: _first(a).argsort())
        ),
        "You take one pixel too many.": _deleted(counts=lambda numbers, _: [n + 1 for n in numbers]),
        "You take one pixel too few.": (
            _deleted(counts=lambda numbers, _: [max(0, n - 1) for n in numbers]),
            _deleted(counts=lambda numbers, _: [n - 1 for n in numbers]),
        ),
        "You take the one pixel in that place of the order. Take all up to it.": (
            lambda model, values, attribution, counts: torch.cat(
                [
                    _deleted(order=lambda a, n=n: _first(a)[n - 1 :])(model, values, attribution, [min(n, 1)])
                    for n in counts
                ]
            )
        ),
        "Where no pixel should be taken you take all of them: the last 0 of an order, `[-0:]`, is everything.": (
            _deleted(counts=lambda numbers, size: [n or size for n in numbers])
        ),
        "Each number counts from the untouched picture, not from the number before it.": (
            _deleted(counts=lambda numbers, _: [sum(numbers[: k + 1]) for k in range(len(numbers))])
        ),
        "You spare negative pixels. The most positive ones are taken, `n` of them, whatever their sign.": (
            lambda model, values, attribution, counts: _deleted(
                counts=lambda numbers, _: [min(n, int((attribution > 0).sum())) for n in numbers]
            )(model, values, attribution, counts)
        ),
        "That is how much is missing to 1. Return the probability that is left.": (
            _deleted(read=lambda logits, own: 1 - logits.softmax(0)[own])
        ),
        "That is how far the probability falls. Return the probability that is left.": (
            lambda model, values, attribution, counts: (
                _deletion(model, values, attribution, [0]) - _deletion(model, values, attribution, counts)
            )
        ),
    },
)

# ---- does the map move with the digit? --------------------------------------------------------------------------


def _drift(method, canvas, columns):
    first, again = method(canvas), method(canvas.roll(columns, -1))
    carried = first.roll(columns, -1)
    return (again - carried).abs().sum() / first.abs().sum()


def _drift_cases(seed: int) -> list[tuple]:
    """Methods that follow the digit, stay where they are, and do both in part; canvases with and without margins."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(height, width, dtype=torch.float64):
        return torch.randn(1, 1, height, width, generator=generator, dtype=dtype)

    def digit(height, width, dtype=torch.float64):
        canvas = torch.zeros(1, 1, height, width, dtype=dtype)
        canvas[..., 1:-1, 2 : width // 2] = drawn(height - 2, width // 2 - 2, dtype).abs()
        return canvas

    weights, large, square = drawn(2, 6), drawn(6, 16), drawn(5, 5)
    row = torch.tensor([[[[1.0, -2.0, 3.0, 0.5]]]], dtype=torch.float64)
    place = written("x times (1, -2, 3, 0.5)", lambda x: x * row)
    follows = written("x (2 - its left neighbour)", lambda x: x * (2 - x.roll(1, -1)))
    grid = written("x times weights of the places", lambda x: x * (weights if x.shape == weights.shape else large))
    stays = written("weights of the places", lambda x: large + 0 * x)
    blend = written("half follows, half stays", lambda x: x * (2 - x.roll(1, -1)) + 0.3 * large * x.sum())
    sums = written("sums along the row", lambda x: (x.square() + x).cumsum(-1) - square * x.roll(1, -2))
    small = torch.tensor([[[[0.0, 1.0, 2.0, 0.0]]]], dtype=torch.float64)
    return [
        (place, small, 1),
        (written("2 x", lambda x: 2 * x), small, 2),
        (grid, drawn(2, 6), 1),
        (follows, digit(6, 16), 3),
        (grid, digit(6, 16), 2),
        (stays, digit(6, 16), 5),
        (blend, digit(6, 16), 4),
        (sums, drawn(5, 5), 2),
        (sums, drawn(5, 5).abs(), 3),
        (
            written("its logistic function", lambda x: torch.sigmoid(2 * x + square.to(x))),
            drawn(5, 5, torch.float32),
            1,
        ),
    ]


def _of_maps(read: Callable, dim: int = -1, digit: int = 1, carry: int = 1, carry_dim: int | None = None):
    """A mistaken answer: ``read(first map, map of the moved canvas, first map carried along)``."""

    def answer(method, canvas, columns):
        first, again = method(canvas), method(canvas.roll(digit * columns, dim))
        return read(first, again, first.roll(carry * columns, dim if carry_dim is None else carry_dim))

    return answer


def _share(first, again, carried):
    return (again - carried).abs().sum() / first.abs().sum()


check_drift = Values(
    task="``function(method, canvas, columns) -> drift``: how far a map stays behind when its digit moves.",
    stub="my_drift",
    reference=_drift,
    cases=_drift_cases,
    returns="one number",
    praise="Right: 0 for a map that goes with its digit.",
    otherwise="Not the drift: how far is the map of the moved digit from the first map, moved along, as a share of the "
    "first map's absolute credit?",
    hints={
        "A map that follows its digit gets more than 0. Carry the first map along before you compare.": (
            _of_maps(lambda first, again, carried: (again - first).abs().sum() / first.abs().sum())
        ),
        "The digit goes one way and the map the other.": (_of_maps(_share, carry=-1), _of_maps(_share, digit=-1)),
        "One is moved by columns, the other by rows. Columns are the last dimension.": (
            _of_maps(_share, carry_dim=-2),
            _of_maps(_share, dim=-2, carry_dim=-1),
        ),
        "You move by rows. Columns are the last dimension.": _of_maps(_share, dim=-2),
        "You move to the left. A positive number of columns is to the right.": _of_maps(_share, digit=-1, carry=-1),
        "`roll` without a dimension runs on from one row into the next. Columns are the last dimension.": (
            lambda method, canvas, columns: _share(
                method(canvas), method(canvas.roll(columns)), method(canvas).roll(columns)
            ),
            lambda method, canvas, columns: _share(
                method(canvas), method(canvas.roll(columns, -1)), method(canvas).roll(columns)
            ),
            lambda method, canvas, columns: _share(
                method(canvas), method(canvas.roll(columns)), method(canvas).roll(columns, -1)
            ),
        ),
        "You move by one column. Move by `columns`.": lambda method, canvas, columns: _drift(method, canvas, 1),
        "Divide by the absolute credit of the first map, or a louder method always drifts more.": (
            _of_maps(lambda first, again, carried: (again - carried).abs().sum())
        ),
        "Divide by the absolute credit of the first map, not by the number of pixels.": (
            _of_maps(lambda first, again, carried: (again - carried).abs().mean())
        ),
        "You divide a mean by a sum. Take sums, or means, of both.": (
            _of_maps(lambda first, again, carried: (again - carried).abs().mean() / first.abs().sum()),
            _of_maps(lambda first, again, carried: (again - carried).abs().sum() / first.abs().mean()),
        ),
        "You divide by a signed sum, which may be near 0. Take absolute values.": (
            _of_maps(lambda first, again, carried: (again - carried).abs().sum() / first.sum()),
            _of_maps(lambda first, again, carried: (again - carried).abs().sum() / first.sum().abs()),
        ),
        "Signed differences cancel. Take absolute values before adding.": (
            _of_maps(lambda first, again, carried: (again - carried).sum().abs() / first.abs().sum()),
            _of_maps(lambda first, again, carried: (again - carried).sum() / first.abs().sum()),
            _of_maps(lambda first, again, carried: (carried - again).sum() / first.abs().sum()),
        ),
        "You compare absolute values. A pixel that changes its sign has changed: subtract first.": (
            _of_maps(lambda first, again, carried: (again.abs() - carried.abs()).abs().sum() / first.abs().sum())
        ),
        "Divide by the map of the digit where it was, not where it went.": (
            _of_maps(lambda first, again, carried: (again - carried).abs().sum() / again.abs().sum())
        ),
        "Divide by the absolute credit of the first map alone.": (
            _of_maps(
                lambda first, again, carried: (again - carried).abs().sum() / (first.abs().sum() + again.abs().sum())
            )
        ),
        "You divide by the digit itself. Divide by the absolute credit of its map.": (
            lambda method, canvas, columns: _of_maps(
                lambda first, again, carried: (again - carried).abs().sum() / canvas.abs().sum()
            )(method, canvas, columns)
        ),
        "You divide pixel by pixel. Add up first, then divide.": (
            _of_maps(lambda first, again, carried: ((again - carried) / first).abs().sum()),
            _of_maps(lambda first, again, carried: ((again - carried) / first).abs().mean()),
        ),
        "You add squares. Add absolute differences, as for shares of credit.": (
            _of_maps(lambda first, again, carried: (again - carried).norm() / first.norm()),
            _of_maps(lambda first, again, carried: (again - carried).square().sum() / first.square().sum()),
        ),
        "Upside down: 0 should mean that the map has followed.": lambda *case: 1 - _drift(*case),
        "You compare single pixels. Add up over the whole map.": (
            _of_maps(lambda first, again, carried: (again - carried).abs().max() / first.abs().max())
        ),
        "Twice too small: a share of the credit, not half of it.": lambda *case: _drift(*case) / 2,
        "A map that does not go with its digit gets 0 from you. Move the digit, and ask the method again.": (
            lambda *case: 0.0
        ),
    },
)
