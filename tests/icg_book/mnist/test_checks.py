"""The checks of the chapter on MNIST accept right answers and name typical mistakes."""

import re

import numpy as np
import pytest
import torch
from checking import messages, shared_tests
from scipy.stats import rankdata, spearmanr

import icg.deletion
from icg.certainty import join
from icg.measures import mass_share, rank_correlation
from icg_book.kit.answers import NotYet
from icg_book.mnist import checks


def total(x):
    return x.flatten(1).sum(1)


# --- blindness -----------------------------------------------------------------------------------------------------


def blindness(a, x):
    black = (x == 0).double()
    return total(a.abs() * black) / total(a.abs()) / black.flatten(1).mean(1)


def blindness_in_a_loop(a, x):
    found = []
    for one, picture in zip(a, x, strict=True):
        black = picture == 0
        found.append(one.abs()[black].mean() / one.abs().mean())
    return torch.stack(found)


def blindness_by_measures(a, x):
    return mass_share(a, x == 0) / mass_share(torch.ones_like(a), x == 0)


def blindness_in_numpy(a, x):
    a, x = a.abs().double().numpy()[:, 0], x.numpy()[:, 0]
    return [
        float((one * (p == 0)).sum() / one.sum() * p.size / np.count_nonzero(p == 0))
        for one, p in zip(a, x, strict=True)
    ]


def black(x):
    return (x == 0).double()


def of_parts(rule):
    """From the share of the credit and the share of the pixels."""
    return lambda a, x: rule(total(a.abs() * black(x)) / total(a.abs()), black(x).flatten(1).mean(1))


BLINDNESS_WRONG = {
    "share of the credit alone": lambda a, x: total(a.abs() * black(x)) / total(a.abs()),
    "What of their credit": lambda a, x: black(x).flatten(1).mean(1),
    "You add signed values": lambda a, x: total(a * black(x)) / total(a) / black(x).flatten(1).mean(1),
    "absolute values before you add": lambda a, x: (
        total(a * black(x)).abs() / total(a.abs()) / black(x).flatten(1).mean(1)
    ),
    "for the pixels with ink": lambda a, x: (
        total(a.abs() * (1 - black(x))) / total(a.abs()) / (1 - black(x)).flatten(1).mean(1)
    ),
    "the number of the black": lambda a, x: (
        total(a.abs() * (1 - black(x))) / total(a.abs()) / black(x).flatten(1).mean(1)
    ),
    "Compare them with all pixels": lambda a, x: (
        total(a.abs() * black(x)) / total(black(x)) / (total(a.abs() * (1 - black(x))) / total(1 - black(x)))
    ),
    "Upside down": lambda a, x: 1 / blindness(a, x),
    "other way round": lambda a, x: 1 - blindness(a, x),
    "nearly black": lambda a, x: blindness(a, torch.where(x < 0.01, 0.0, x)),
    "mean credit of a black pixel": lambda a, x: total(a.abs() * black(x)) / total(black(x)),
    "mix the images": lambda a, x: ((a.abs() * black(x)).sum() / a.abs().sum() / black(x).mean()).expand(len(a)),
    "in one of the sums only": lambda a, x: total(a.abs() * black(x)) / total(a) / black(x).flatten(1).mean(1),
    "leave out credit against": lambda a, x: blindness(a.clamp(min=0), x),
    "You square the credit": lambda a, x: blindness(a**2, x),
    "number of those with ink": of_parts(lambda credit, part: credit / (1 - part)),
    "multiply the two shares": of_parts(lambda credit, part: credit * part),
    "subtract the two shares": of_parts(lambda credit, part: credit - part),
    "divide by the number": lambda a, x: blindness(a, x) * black(x).flatten(1).mean(1) / total(black(x)),
    "Which share of the credit is it": lambda a, x: blindness(a, x) * total(a.abs()),
    "average over the batch": lambda a, x: blindness(a, x).mean(),
    r"of the pixels that are black.*\nFor attribution = \[\[\[\[1, 2, -0.5, -1.5\]\]\]\], image =": lambda a, x: (
        blindness(a, x) ** 0.5
    ),
    r"of the pixels that are black.*\nFor attribution = \(4, 1, 8, 8\)": lambda a, x: (
        total(a.abs() * black(x)) / total(a.abs()) / (total(black(x)) / min(x[0].numel(), 28))
    ),
    r"one number for each image, shape \(2,\)": lambda a, x: blindness(a[:1], x[:1]),
    "stopped with RuntimeError": lambda a, x: a @ x[0, 0, :3],
}

# --- rank correlation ----------------------------------------------------------------------------------------------


def pearson(a, b):
    a, b = a - a.mean(), b - b.mean()
    return (a * b).sum() / (a.norm() * b.norm())


def ranks(x):
    return (x[:, None] > x).sum(1) + ((x[:, None] == x).sum(1) + 1) / 2


def spearman(a, b):
    return pearson(ranks(a), ranks(b))


def spearman_by_groups(a, b):
    def mean_ranks(x):
        place = torch.empty(len(x), dtype=torch.float64)
        place[x.argsort()] = torch.arange(len(x), dtype=torch.float64)
        for value in x.unique():
            place[x == value] = place[x == value].mean()
        return place

    return torch.corrcoef(torch.stack([mean_ranks(a), mean_ranks(b)]))[0, 1]


def spearman_falling(a, b):
    return pearson(-ranks(a), -ranks(b)).view(1)


def spearman_by_the_library(a, b):
    return rank_correlation(a[None], b[None])


def spearman_by_scipy(a, b):
    return spearmanr(a.numpy(), b.numpy()).statistic


def spearman_in_lists(a, b):
    def mean_ranks(x):
        order = sorted(x)
        return [order.index(v) + order.count(v) / 2 for v in x]

    p, q = (np.array(mean_ranks(x.tolist())) for x in (a, b))
    return np.cov(p, q)[0, 1] / (p.std(ddof=1) * q.std(ddof=1))


def naive_ranks(x):
    return x.argsort().argsort().double()


RANKS_WRONG = {
    "correlation of the values": pearson,
    "`argsort` says": lambda a, b: pearson(a.argsort().double(), b.argsort().double()),
    "by chance of their place": lambda a, b: pearson(naive_ranks(a), naive_ranks(b)),
    "the lowest of their ranks": lambda a, b: pearson(
        (a[:, None] > a).sum(1).double(), (b[:, None] > b).sum(1).double()
    ),
    "the highest of their ranks": lambda a, b: pearson(
        (a[:, None] >= a).sum(1).double(), (b[:, None] >= b).sum(1).double()
    ),
    "count as one place": lambda a, b: pearson(
        a.unique(return_inverse=True)[1].double(), b.unique(return_inverse=True)[1].double()
    ),
    "You rank absolute values": lambda a, b: spearman(a.abs(), b.abs()),
    "cosine of the ranks": lambda a, b: (ranks(a) * ranks(b)).sum() / (ranks(a).norm() * ranks(b).norm()),
    "cosine of the values": lambda a, b: (a * b).sum() / (a.norm() * b.norm()),
    "keep the sign": lambda a, b: spearman(a, b).abs(),
    "square of the correlation": lambda a, b: spearman(a, b) ** 2,
    "short formula": lambda a, b: 1 - 6 * ((ranks(a) - ranks(b)) ** 2).sum() / (len(a) * (len(a) ** 2 - 1)),
    "covariance of the ranks": lambda a, b: ((ranks(a) - ranks(a).mean()) * (ranks(b) - ranks(b).mean())).mean(),
    "Divide by both spreads": lambda a, b: torch.cov(torch.stack([ranks(a), ranks(b)]))[0, 1],
    "NaN or infinity": lambda a, b: spearman(a, b) / 0,
    "Not Spearman's": lambda a, b: spearman(a, b) * 0.9,
    "Return one number": lambda a, b: ranks(a) * ranks(b),
    "rank only one": lambda a, b: pearson(ranks(a), b),
    "sign is reversed": lambda a, b: -spearman(a, b),
    "both variances": lambda a, b: (
        ((ranks(a) - ranks(a).mean()) * (ranks(b) - ranks(b).mean())).mean()
        / (ranks(a).var(correction=0) * ranks(b).var(correction=0))
    ),
    "one of the spreads twice": lambda a, b: (
        ((ranks(a) - ranks(a).mean()) * (ranks(b) - ranks(b).mean())).mean() / ranks(a).var(correction=0)
    ),
    "the other by n - 1": lambda a, b: (
        ((ranks(a) - ranks(a).mean()) * (ranks(b) - ranks(b).mean())).mean() / (ranks(a).std() * ranks(b).std())
    ),
    "Kendall": lambda a, b: ((a[:, None] - a).sign() * (b[:, None] - b).sign()).sum() / (len(a) ** 2 - len(a)),
    r"Not Spearman's.*\nFor a = \[2, 9, 3\], b = \[-1, 0.5, -3\] it returned": lambda a, b: 0.0,
    "equal ones at their mean, and": lambda a, b: spearman(a.round(decimals=1), b.round(decimals=1)),
}

# --- deletion ------------------------------------------------------------------------------------------------------


def deletion(model, values, attribution, counts, **options):
    return general_deletion(model, values, attribution.flatten().argsort(descending=True), counts, **options)


def general_deletion(model, values, order, counts, read=lambda p, own: p[0, own], reverse=False, change=None):
    own = model(join(values)).argmax(1).item()
    found = []
    for n in counts:
        c = torch.ones(values.numel(), dtype=values.dtype)
        c[order[:n]] = 0.0
        c = (1 - c if reverse else c).view_as(values)
        inputs = join(values, c) if change is None else join(torch.where(c > 0, values, change(values)))
        found.append(read(model(inputs).softmax(1), own))
    return torch.stack(found)


def deletion_at_once(model, values, attribution, counts):
    flat = attribution.flatten()
    rank = (flat[:, None] < flat).sum(1)
    known = (rank >= torch.tensor(counts)[:, None]).float().view(len(counts), *values.shape[1:])
    p = model(join(values.expand(len(counts), -1, -1, -1), known)).softmax(1)
    return p[:, model(join(values)).argmax()]


def deletion_by_the_library(model, values, attribution, counts):
    inputs = join(values)
    shares = [n / values.numel() for n in counts]
    changed = icg.deletion.without_certainty(inputs)
    return icg.deletion.deletion_curves(
        model, inputs, changed, icg.deletion.ranking(attribution), shares=shares
    ).output[0]


def deletion_in_pure_python(model, values, attribution, counts):
    """One picture after the other, each pixel by its own indices; counts what has been taken along the way."""
    places = [(i, j) for i in range(values.shape[2]) for j in range(values.shape[3])]
    places.sort(key=lambda place: -attribution[0, 0][place].item())
    own = int(model(join(values)).argmax())
    found = []
    with torch.no_grad():
        for n in counts:
            known = torch.ones(values.shape)
            for i, j in places[:n]:
                known[0, 0, i, j] = 0
            exps = np.exp(model(torch.cat([values, known], dim=1)).double().numpy()[0])
            found.append(exps[own] / exps.sum())
    return found


def in_place(model, values, attribution, counts):
    found = deletion(model, values, attribution, counts)
    values.zero_()
    return found


def order(a):
    return a.flatten().argsort(descending=True)


DELETION_WRONG = {
    "most negative pixels": lambda m, v, a, n: general_deletion(m, v, a.flatten().argsort(), n),
    "go by absolute values": lambda m, v, a, n: general_deletion(m, v, order(a.abs()), n),
    "You set values to 0": lambda m, v, a, n: deletion(m, v, a, n, change=torch.zeros_like),
    "You flip values": lambda m, v, a, n: deletion(m, v, a, n, change=lambda x: (x < 0.5).float()),
    "That is insertion": lambda m, v, a, n: deletion(m, v, a, n, reverse=True),
    "anew each time": lambda m, v, a, n: deletion(m, v, a, n, read=lambda p, own: p.max()),
    "Those are logits": lambda m, v, a, n: deletion(lambda x: _Logits(m(x)), v, a, n, read=lambda p, own: p[0, own]),
    "logarithms": lambda m, v, a, n: deletion(m, v, a, n).log(),
    "You watch class 0": lambda m, v, a, n: deletion(m, v, a, n, read=lambda p, own: p[0, 0]),
    "order in the picture": lambda m, v, a, n: general_deletion(m, v, torch.arange(v.numel()), n),
    "`argsort` names the pixels": lambda m, v, a, n: general_deletion(m, v, order(a).argsort(), n),
    "one pixel too many": lambda m, v, a, n: deletion(m, v, a, [k + 1 for k in n]),
    "one pixel too few": lambda m, v, a, n: deletion(m, v, a, [max(0, k - 1) for k in n]),
    "missing to 1": lambda m, v, a, n: 1 - deletion(m, v, a, n),
    "to 0 as well": lambda m, v, a, n: general_deletion(lambda x: m(zeroed(x)), v, order(a), n),
    "nothing is known. Choose": lambda m, v, a, n: deletion(
        m, v, a, n, read=lambda p, own: p[0, m(join(v, 0.0)).argmax()]
    ),
    "least probable": lambda m, v, a, n: deletion(m, v, a, n, read=lambda p, own: p[0, m(join(v)).argmin()]),
    "squeeze each logit": lambda m, v, a, n: deletion(
        lambda x: _Logits(m(x).sigmoid()), v, a, n, read=lambda p, own: p[0, own]
    ),
    "softmax goes over the pictures": lambda m, v, a, n: deletion(m, v, a, n) * 0 + 1,
    "in that place of the order": lambda m, v, a, n: torch.cat(
        [general_deletion(m, v, order(a)[max(k - 1, 0) : k], [1]) for k in n]
    ),
    "the last 0 of an order": lambda m, v, a, n: torch.cat(
        [general_deletion(m, v, a.flatten().argsort()[-k:], [v.numel()]) for k in n]
    ),
    "from the untouched picture, not from": lambda m, v, a, n: deletion(m, v, a, np.cumsum(n).tolist()),
    "spare negative pixels": lambda m, v, a, n: deletion(m, v, a, [min(k, int((a > 0).sum())) for k in n]),
    "how far the probability falls": lambda m, v, a, n: deletion(m, v, a, [0]) - deletion(m, v, a, n),
    r"certainty of the `n` most positive.*\nFor model = a network on 1 x 2 pixels, values = \[": lambda m, v, a, n: (
        deletion(m, v, a, n) ** 2
    ),
    "watch the class of the untouched": lambda m, v, a, n: deletion(m, v, a, [min(k, 5) for k in n]),
    r"one probability for each number, shape \(3,\); yours has shape \(2,\)": lambda m, v, a, n: deletion(m, v, a, n)[
        1:
    ],
    "changes a tensor that it is given": in_place,
    r"takes joined inputs, values and certainty, \(N, 2, 1, 2\)": lambda m, v, a, n: m(v),
    "stopped with": lambda m, v, a, n: [deletion(m, v, a, n)[k] for k in n],
}


def zeroed(joined):
    """Unknown values are 0."""
    return torch.cat([joined[:, :1] * joined[:, 1:], joined[:, 1:]], 1)


class _Logits:
    """Logits whose softmax is forgotten."""

    def __init__(self, logits):
        self.logits = logits

    def argmax(self, dim):
        return self.logits.argmax(dim)

    def softmax(self, dim):
        return self.logits


# --- drift ---------------------------------------------------------------------------------------------------------


def drift(method, canvas, columns):
    first = method(canvas)
    return (method(canvas.roll(columns, -1)) - first.roll(columns, -1)).abs().sum() / first.abs().sum()


def drift_backwards(method, canvas, columns):
    """Carries the second map back, by cutting and joining."""
    first, moved = method(canvas), torch.cat([canvas[..., -columns:], canvas[..., :-columns]], -1)
    second = method(moved)
    back = torch.cat([second[..., columns:], second[..., :columns]], -1)
    return ((back - first).abs().mean() / first.abs().mean()).view(1)


def drift_by_columns(method, canvas, columns):
    """Column by column, in numpy."""
    first, width = method(canvas).double().numpy()[0, 0], canvas.shape[3]
    away = [(j - columns) % width for j in range(width)]
    again = method(canvas[..., away]).double().numpy()[0, 0]
    return sum(np.abs(again[:, j] - first[:, away[j]]).sum() for j in range(width)) / np.abs(first).sum()


def moved(method, canvas, columns, axis=-1):
    first = method(canvas)
    return first, method(canvas.roll(columns, axis)), first.roll(columns, axis)


def of_maps(rule):
    """A wrong answer from ``rule(first map, map of the moved canvas, first map carried along)``."""
    return lambda method, canvas, columns: rule(*moved(method, canvas, columns))


DRIFT_WRONG = {
    "Carry the first map along": of_maps(lambda f, m, c: (m - f).abs().sum() / f.abs().sum()),
    "one way and the map the other": lambda g, x, n: (
        (g(x.roll(n, -1)) - g(x).roll(-n, -1)).abs().sum() / g(x).abs().sum()
    ),
    "the other by rows": lambda g, x, n: (g(x.roll(n, -2)) - g(x).roll(n, -1)).abs().sum() / g(x).abs().sum(),
    "Upside down": of_maps(lambda f, m, c: 1 - (m - c).abs().sum() / f.abs().sum()),
    r"Not the drift: how far.*\nFor method = x times .*, canvas = \[\[\[\[0, 1, 2, 0\]\]\]\], columns = 1": of_maps(
        lambda f, m, c: (m - c).abs().sum() / f.abs().sum() + 0.1
    ),
    "runs on from one row": lambda g, x, n: (g(x.roll(n)) - g(x).roll(n)).abs().sum() / g(x).abs().sum(),
    "by one column": lambda g, x, n: drift(g, x, 1),
    "a mean by a sum": of_maps(lambda f, m, c: (m - c).abs().mean() / f.abs().sum()),
    "compare absolute values": of_maps(lambda f, m, c: (m.abs() - c.abs()).abs().sum() / f.abs().sum()),
    "of the first map alone": of_maps(lambda f, m, c: (m - c).abs().sum() / (f.abs() + m.abs()).sum()),
    "by the digit itself": lambda g, x, n: drift(g, x, n) * g(x).abs().sum() / x.abs().sum(),
    "pixel by pixel": of_maps(lambda f, m, c: ((m - c) / f).abs().mean()),
    "a louder method": of_maps(lambda f, m, c: (m - c).abs().sum()),
    "not by the number of pixels": of_maps(lambda f, m, c: (m - c).abs().mean()),
    "divide by a signed sum": of_maps(lambda f, m, c: (m - c).abs().sum() / f.sum()),
    "Signed differences cancel": of_maps(lambda f, m, c: (m - c).sum().abs() / f.abs().sum()),
    "where it was, not where it went": of_maps(lambda f, m, c: (m - c).abs().sum() / m.abs().sum()),
    "You add squares": of_maps(lambda f, m, c: (m - c).square().sum() / f.square().sum()),
    "as for shares of credit": of_maps(lambda f, m, c: (m - c).norm() / f.norm()),
    "You move by rows": lambda g, x, n: (g(x.roll(n, -2)) - g(x).roll(n, -2)).abs().sum() / g(x).abs().sum(),
    "You move to the left": lambda g, x, n: (g(x.roll(-n, -1)) - g(x).roll(-n, -1)).abs().sum() / g(x).abs().sum(),
    "single pixels": of_maps(lambda f, m, c: (m - c).abs().max() / f.abs().max()),
    "Twice too small": of_maps(lambda f, m, c: (m - c).abs().sum() / (2 * f.abs().sum())),
    "does not go with its digit": of_maps(lambda f, m, c: (c - c).abs().sum() / f.abs().sum()),
    "Not the drift": of_maps(lambda f, m, c: (m - c).abs().sum() / f.abs().sum() * 1.1),
    "Return one number": of_maps(lambda f, m, c: (m - c).abs() / f.abs().sum()),
    "stopped with TypeError": lambda g, x, n: g(x, n),
}

ALL = {
    checks.check_blindness: (
        [blindness, blindness_in_a_loop, blindness_by_measures, blindness_in_numpy],
        BLINDNESS_WRONG,
    ),
    checks.check_rank_correlation: (
        [
            spearman,
            spearman_by_groups,
            spearman_falling,
            spearman_by_scipy,
            spearman_in_lists,
            lambda a, b: np.corrcoef(rankdata(a), rankdata(b))[0, 1],
        ],
        RANKS_WRONG,
    ),
    checks.check_deletion: ([deletion, deletion_at_once, deletion_in_pure_python], DELETION_WRONG),
    checks.check_drift: ([drift, drift_backwards, drift_by_columns], DRIFT_WRONG),
}
globals().update(shared_tests(ALL))


@pytest.mark.parametrize("check", ALL)
def test_no_message_gives_the_answer_away(check):
    """No code of the answer, and no measured number (fractions are; the sentences hold whole numbers only)."""
    secrets = {
        checks.check_blindness: ["== 0", ".mean(", "sum("],
        checks.check_rank_correlation: [" > ", "unique", "argsort()"],
        checks.check_deletion: ["certainty[", "order[", "join("],
        checks.check_drift: ["roll("],
    }
    for said in messages(check, ALL):
        if "stopped with" in said:
            continue
        assert not any(secret in said for secret in secrets[check]), said
        assert not re.search(r"\d\.\d", said.split("\n")[0]), said


@pytest.mark.parametrize(
    "answer, check",
    [(spearman_by_the_library, checks.check_rank_correlation), (deletion_by_the_library, checks.check_deletion)],
)
def test_the_library_answers_and_is_named(answer, check, capsys):
    check(answer)
    assert "did it" in capsys.readouterr().out
    with pytest.raises(NotYet, match="Write it yourself"):
        check(answer, own=True)


@pytest.mark.parametrize("seed", range(20))
def test_in_all_cases_of_deletion_the_class_matters(seed):
    for model, values, attribution, counts in checks.check_deletion.cases(seed):
        assert model(join(values)).argmax() != 0
        anew = deletion(model, values, attribution, counts, read=lambda p, own: p.max())
        assert (anew - deletion(model, values, attribution, counts)).abs().max() > 1e-3
        assert counts == sorted(set(counts))  # as the text says
