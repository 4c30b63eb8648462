"""Checks of the chapter on MNIST and MNIST in Space."""

import torch
from torch import nn

from icg.certainty import join
from icg.measures import mass_share, rank_correlation
from icg_book.kit.old_answers import NotYet, call_tensor, close, meet, reference
from icg_book.kit.old_answers import accept as accept

# ---- the references -------------------------------------------------------------------------------------------


@reference("my_blindness")
def _blindness(attribution, image):
    black = image == 0
    return mass_share(attribution, black) / black.double().flatten(1).mean(1)


@reference("my_rank_correlation")
def _rank_correlation(a, b):
    return rank_correlation(a[None], b[None])[0]


@reference("my_deletion")
def _deletion(model, values, attribution, counts):
    own = model(join(values)).argmax(1).item()
    order = attribution.flatten().argsort(descending=True)
    found = []
    for n in counts:
        certainty = torch.ones(values[0, 0].numel(), dtype=values.dtype)
        certainty[order[:n]] = 0.0
        found.append(model(join(values, certainty.view_as(values[:, :1]))).softmax(1)[0, own])
    return torch.stack(found).detach()


@reference("my_drift")
def _drift(method, canvas, columns):
    expected = method(canvas)
    found = method(canvas.roll(columns, -1))
    return (found - expected.roll(columns, -1)).abs().sum() / expected.abs().sum()


# ---- the checks -----------------------------------------------------------------------------------------------


def check_blindness(function) -> None:
    """``function(attribution, image) -> parts``: ``(N, 1, H, W)`` twice to ``(N,)``."""
    generator = torch.Generator().manual_seed(5)
    image = torch.rand(4, 1, 8, 8, generator=generator)
    share = torch.tensor([0.2, 0.5, 0.7, 0.9]).view(-1, 1, 1, 1)
    image = torch.where(torch.rand(image.shape, generator=generator) < share, 0.0, image)
    image[:, 0, 0, 0], image[:, 0, 0, 1] = 0.0, 0.004  # one is black, the other is nearly so
    attribution = torch.randn(image.shape, generator=generator) * torch.rand(image.shape, generator=generator)
    attribution[:, 0, 0, 1] = 2.5
    answer = call_tensor(function, attribution.clone(), image.clone())
    black, size = (image == 0).double(), attribution.double().abs()

    def total(x):
        return x.flatten(1).sum(1)

    credit, part = total(size * black) / total(size), total(black) / 64
    right = _blindness(attribution, image)
    on_ink = total(size * (1 - black)) / total(size)
    signed = total(attribution.double() * black) / total(attribution.double())
    dark = (image < 0.01).double()
    meet(
        answer,
        right,
        [
            (credit, "That is the share of the credit alone. How large a share of the pixels is black?"),
            (part, "That is the share of the pixels that are black. What of their credit?"),
            (signed / part, "You add signed values: credit for and against cancel. Take absolute values."),
            (total(attribution.double() * black).abs() / total(size) / part, "Take absolute values before you add."),
            (on_ink / (1 - part), "That is for the pixels with ink. Which pixels can a black baseline not see?"),
            (on_ink / part, "You have the credit of the ink and the number of the black pixels."),
            (
                (credit / part) / (on_ink / (1 - part)),
                "You compare black pixels with those that hold ink. Compare them with all pixels.",
            ),
            (part / credit, "Upside down: a method that is blind should get 0."),
            (1 - right, "That measures sight the other way round: 0 should mean blind."),
            (
                (total(size * dark) / total(size)) / (total(dark) / 64),
                "You count nearly black pixels as black. A black baseline is blind only where they are exactly 0.",
            ),
            (
                total(size * black) / total(black),
                "That is the mean credit of a black pixel. Divide by that of any pixel.",
            ),
            (
                ((size * black).sum() / size.sum() / black.mean()).expand(4),
                "You mix the images of the batch. Every image has its own number.",
            ),
        ],
        "Not these numbers. Test yourself: where every pixel has the same credit, every image should get 1.",
    )
    print("Right: 0 is blind, 1 is an even hand.")


def check_rank_correlation(function) -> None:
    """``function(a, b) -> correlation``: Spearman's, of ``(D,)`` and ``(D,)``, equal values sharing their mean rank."""
    generator = torch.Generator().manual_seed(6)
    for ties in (False, True):
        for sign in (1.0, -1.0):
            a = torch.randn(30, generator=generator).double()
            b = sign * a.exp() + 0.8 * torch.randn(30, generator=generator).double()
            if ties:  # as in a map that is blind where there is no ink
                a[:14], b[10:20] = 0.0, b[10]
            answer = call_tensor(function, a.clone(), b.clone())
            right = _rank_correlation(a, b)
            if answer.numel() != 1:
                raise NotYet(f"Return one number; yours has shape {tuple(answer.shape)}.")
            answer = answer.reshape(())
            if not bool(answer.isfinite()):
                raise NotYet("Your number is not finite. Do you divide by zero?")
            order = [x.argsort().double() for x in (a, b)]
            naive = [x.argsort().argsort().double() for x in (a, b)]
            first = [(x[:, None] > x).sum(1).double() for x in (a, b)]
            last = [(x[:, None] >= x).sum(1).double() for x in (a, b)]
            mean = [(low + high + 1) / 2 for low, high in zip(first, last, strict=True)]
            meet(
                answer,
                right,
                [
                    (_pearson(a, b), "That is the correlation of the values. Replace them by their ranks first."),
                    (
                        _pearson(*order),
                        "`argsort` says which value comes first, and so on. You want the reverse: the rank of a value.",
                    ),
                    (
                        _pearson(*naive),
                        "Equal values got different ranks, by chance of their place. Let them share the mean of their "
                        "ranks.",
                    ),
                    (_pearson(*first), "Equal values share the lowest of their ranks. Let them share the mean."),
                    (_pearson(*last), "Equal values share the highest of their ranks. Let them share the mean."),
                    (
                        _pearson(*((x.unique(return_inverse=True)[1]).double() for x in (a, b))),
                        "Equal values count as one place, so that those above move down. Let them share the mean of "
                        "the places that they take.",
                    ),
                    (
                        _rank_correlation(a.abs(), b.abs()),
                        "You rank absolute values: then for and against are the same.",
                    ),
                    (_cosine(*mean), "That is the cosine of the ranks. Take away their mean first."),
                    (_cosine(a, b), "That is the cosine of the values. Which correlation looks at the order alone?"),
                    (right.abs(), "Two maps may disagree: keep the sign."),
                    (right**2, "That is the square of the correlation."),
                    (
                        1 - 6 * ((mean[0] - mean[1]) ** 2).sum() / (30 * (30**2 - 1)),
                        "That short formula holds only where no two values are equal. Correlate the ranks themselves.",
                    ),
                    (_covariance(*mean), "That is a covariance of the ranks. Divide by both spreads."),
                    (_covariance(*mean) * 30 / 29, "That is a covariance of the ranks. Divide by both spreads."),
                ],
                "Not Spearman's correlation. Test yourself: a map and its exponential must give 1.",
            )
    print("Right: the order alone decides.")


def _covariance(a, b):
    return ((a - a.mean()) * (b - b.mean())).mean()


def _pearson(a, b):
    return _covariance(a, b) / (_covariance(a, a) * _covariance(b, b)).sqrt()


def _cosine(a, b):
    return (a * b).sum() / (a.norm() * b.norm())


class _Net(nn.Sequential):
    """A small random network on joined pictures of 6 x 6, three classes."""

    certainty_aware = True

    def __init__(self, seed: int):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            super().__init__(nn.Flatten(), nn.Linear(72, 24), nn.Tanh(), nn.Linear(24, 3))
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.mul_(3.0)


def check_deletion(function) -> None:
    """``function(model, values, attribution, counts) -> probabilities``: ``(K,)``, of the class predicted at first."""
    for seed in (1, 2, 3):
        _check_deletion(function, seed)
    print("Right: nothing foreign was shown, and still it was taken away.")


def _check_deletion(function, seed: int) -> None:
    counts = [0, 1, 5, 12, 30, 36]
    model = _Net(seed)
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(1, 1, 6, 6, generator=generator)
    attribution = torch.randn(1, 1, 6, 6, generator=generator)
    given = values.clone(), attribution.clone()
    answer = call_tensor(function, model, *given, list(counts))
    if not (torch.equal(given[0], values) and torch.equal(given[1], attribution)):
        raise NotYet("Your function changes the tensors it is given. Make new ones.")
    right = _deletion(model, values, attribution, counts)
    own = model(join(values)).argmax(1).item()
    first = attribution.flatten().argsort(descending=True)

    def other(order=first, change=None, which=None, reverse=False, counts=counts):
        """What a slightly different deletion finds."""
        found = []
        for n in counts:
            gone = torch.zeros(36, dtype=torch.bool)
            gone[order[:n]] = True
            gone = (~gone if reverse else gone).view(1, 1, 6, 6)
            inputs = join(values, (~gone).float()) if change is None else join(change(values, gone))
            logits = model(inputs)[0]
            found.append(logits.softmax(0)[own] if which is None else which(logits))
        return torch.stack(found).detach()

    meet(
        answer,
        right,
        [
            (other(attribution.flatten().argsort()), "You begin with the most negative pixels. Which come first?"),
            (
                other(attribution.abs().flatten().argsort(descending=True)),
                "You go by absolute values. Pixels that speak against the class come last, not first.",
            ),
            (
                other(change=lambda v, gone: torch.where(gone, 0.0, v)),
                "You set values to 0. Leave the values alone and take their certainty.",
            ),
            (
                other(change=lambda v, gone: torch.where(gone, (v < 0.5).float(), v)),
                "You flip values. Leave them alone and take their certainty.",
            ),
            (other(reverse=True), "That is insertion: the pixels named first should be unknown, all others known."),
            (
                other(which=lambda z: z.softmax(0).max()),
                "You look for the largest probability anew each time. Stay with the class predicted at the "
                "untouched picture.",
            ),
            (other(which=lambda z: z[own]), "Those are logits. Watch the probability."),
            (
                other(which=lambda z: z.softmax(0)[own].log()),
                "Those are logarithms of probabilities. Watch the probability itself.",
            ),
            (other(which=lambda z: z.softmax(0)[0]), "You watch class 0. Watch the class that is predicted."),
            (
                other(order=torch.arange(36)),
                "You take the pixels in their order in the picture. Sort them by their attribution.",
            ),
            (
                other(order=first.argsort()),
                "`argsort` names the pixels in order. Sorted once more, it names the rank of each.",
            ),
            (other(counts=[n + 1 for n in counts]), "You take one pixel too many."),
            (other(counts=[max(0, n - 1) for n in counts]), "You take one pixel too few."),
            (
                other(which=lambda z: 1 - z.softmax(0)[own]),
                "That is how much is missing to 1. Return the probability that is left.",
            ),
        ],
        "Not these probabilities. Test yourself: with no pixel taken it is the network's own, and with all of them "
        "taken that of a picture of which nothing is known.",
    )


def check_drift(function) -> None:
    """``function(method, canvas, columns) -> drift``: how far a map stays behind when its digit moves."""
    generator = torch.Generator().manual_seed(8)
    canvas = torch.zeros(1, 1, 6, 16)
    canvas[..., 1:5, 3:7] = torch.rand(4, 4, generator=generator)
    weights = torch.randn(1, 1, 6, 16, generator=generator)
    methods = {
        "one that follows": lambda x: x * (2 - x.roll(1, -1)),
        "a fixed grid": lambda x: x * weights,
        "one that stays": lambda x: weights + 0 * x,
        "a blend": lambda x: x * (2 - x.roll(1, -1)) + 0.3 * weights * x.sum(),
    }
    for name, method in methods.items():
        for columns in (2, 3):
            answer = call_tensor(function, method, canvas.clone(), columns)
            if answer.numel() != 1:
                raise NotYet(f"Return one number; yours has shape {tuple(answer.shape)}.")
            answer = answer.reshape(())
            stays, moves = method(canvas), method(canvas.roll(columns, -1))
            carried = stays.roll(columns, -1)
            apart, size = (moves - carried).abs(), stays.abs().sum()
            right = _drift(method, canvas, columns)
            if name == "one that follows" and not close(answer, right.view(())):
                meet(
                    answer,
                    right,
                    [
                        (
                            (moves - stays).abs().sum() / size,
                            "A map that follows its digit gets more than 0. Carry the first map along before you "
                            "compare.",
                        ),
                        (
                            (moves - stays.roll(-columns, -1)).abs().sum() / size,
                            "The digit goes one way and the map the other.",
                        ),
                        (
                            (method(canvas.roll(columns, -2)) - carried).abs().sum() / size,
                            "One is moved by columns, the other by rows. Columns are the last dimension.",
                        ),
                        (torch.tensor(1.0), "A map that follows its digit should get 0, not 1."),
                    ],
                    "A map that follows its digit exactly should get 0.",
                )
            wrong = [
                (apart.sum(), "Divide by the absolute credit of the first map, or a louder method always drifts more."),
                (apart.mean(), "Divide by the absolute credit of the first map, not by the number of pixels."),
                (apart.sum() / stays.sum(), "You divide by a signed sum, which may be near 0. Take absolute values."),
                (
                    (moves - carried).sum().abs() / size,
                    "Signed differences cancel. Take absolute values before adding.",
                ),
                ((moves - carried).sum() / size, "Signed differences cancel. Take absolute values before adding."),
                (apart.sum() / moves.abs().sum(), "Divide by the map of the digit where it was, not where it went."),
                (
                    apart.square().sum().sqrt() / stays.square().sum().sqrt(),
                    "You add squares. Add absolute differences, as for shares of credit.",
                ),
                (apart.square().sum() / stays.square().sum(), "You add squares. Add absolute differences."),
                (1 - right, "Upside down: 0 should mean that the map has followed."),
                (
                    (method(canvas.roll(columns, -2)) - stays.roll(columns, -2)).abs().sum() / size,
                    "You move by rows. Columns are the last dimension.",
                ),
                (
                    (method(canvas.roll(-columns, -1)) - stays.roll(-columns, -1)).abs().sum() / size,
                    "You move to the left. A positive number of columns is to the right.",
                ),
                (apart.max() / stays.abs().max(), "You compare single pixels. Add up over the whole map."),
                (right / 2, "Twice too small: a share of the credit, not half of it."),
                (
                    torch.tensor(0.0),
                    "A map that does not go with its digit gets 0 from you. Move the digit, and ask the method again.",
                ),
            ]
            meet(answer, right, wrong, "Not the drift. Test yourself on `lambda x: x`, which follows its digit.")
    print("Right: 0 for a map that goes with its digit.")
