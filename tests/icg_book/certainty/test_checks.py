"""The checks of the chapter on certainty accept right answers and name typical mistakes."""

import math
import random
import re

import numpy as np
import pytest
import torch
from checking import shared_tests

from icg.certainty import join, split
from icg_book.certainty import checks


def rand(like, generator):
    return torch.rand(like.shape, generator=generator)


# --- damage --------------------------------------------------------------------------------------------------------


def damage(x, c, d, g):
    return torch.where(rand(c, g) < c, x, d)


def damage_by_product(x, c, d, g):
    keep = (rand(c, g) < c).float()
    return keep * x + (1 - keep) * d


def damage_bernoulli(x, c, d, g):
    out = d.clone()
    keep = torch.bernoulli(c, generator=g).bool().expand_as(x)
    out[keep] = x[keep]
    return out


def in_place(x, c, d, g):
    x[(rand(c, g) >= c).expand_as(x)] = -1.0
    return torch.where(x < 0, d, x)


def damage_by_indices(x, c, d, g):
    """Image by image, in NumPy, from draws of another shape."""
    out = x.numpy().copy()
    for k in range(len(x)):
        lost = torch.rand(c[0].numel(), generator=g).numpy().reshape(c[0, 0].shape) >= c[k, 0].numpy()
        out[k][:, lost] = d[k].numpy()[:, lost]
    return out


def damage_upside_down(x, c, d, g):
    return torch.where(1 - torch.rand(c.shape, generator=g, dtype=torch.float64) <= c.double(), x, d).tolist()


def by_dice(dice):
    """A wrong answer that keeps where ``dice(c, g) < c``."""
    return lambda x, c, d, g: torch.where(dice(c, g) < c, x, d)


def shuffled_shares(c, g):
    """In each image exactly the share of the certainty."""
    n = c[0].numel()
    return torch.stack([(torch.randperm(n, generator=g) + 0.5) / n for _ in c]).view(c.shape)


def mirrored(c, g):
    """The right half of an image meets the dice of the left one."""
    dice, half = rand(c, g), c.shape[3] // 2
    dice[..., c.shape[3] - half :] = dice[..., :half].flip(3)
    return dice


def opposed(c, g):
    """The second half of the batch keeps what the first one loses."""
    dice = rand(c, g)
    half = len(dice) // 2
    dice[len(dice) - half :] = 1 - dice[:half]
    return dice


def reseeded(c, g):
    return torch.rand(c.shape, generator=torch.Generator().manual_seed(g.initial_seed()))


def moved_on(c, g):
    """Every image meets the dice of the first one, moved on by a row."""
    first = rand(c[0], g)
    return torch.stack([first.roll(k, 1) for k in range(len(c))])


DAMAGE_WRONG = {
    "keep everything": lambda x, c, d, g: x.clone(),
    "keep nothing": lambda x, c, d, g: d.clone(),
    "Draw one random number for each position of each image": by_dice(moved_on),
    "certainty 0.1 you keep [0-7]%": lambda x, c, d, g: torch.where(rand(x, g).mean(1, keepdim=True) < c, x, d),
    "You mix original and replacement": lambda x, c, d, g: c * x + (1 - c) * d,
    "wrong way round": lambda x, c, d, g: torch.where(rand(c, g) < c, d, x),
    "You cut at one value": lambda x, c, d, g: torch.where(c > 0.5, x, d),
    "Whole images are kept or lost": by_dice(lambda c, g: rand(c, g)[:1, :1, :1, :1]),
    "channels of a pixel have parted": lambda x, c, d, g: torch.where(rand(x, g) < c, x, d),
    "Whole images": by_dice(lambda c, g: torch.rand(len(c), 1, 1, 1, generator=g)),
    "Whole rows": by_dice(lambda c, g: torch.rand(len(c), 1, c.shape[2], 1, generator=g)),
    "Whole rows or columns": by_dice(lambda c, g: torch.rand(len(c), 1, 1, c.shape[3], generator=g)),
    "All images of the batch": by_dice(lambda c, g: torch.rand(1, *c.shape[1:], generator=g)),
    "lost, although they are certain": by_dice(lambda c, g: torch.randn(c.shape, generator=g).abs()),
    "kept, although nothing is known": by_dice(lambda c, g: rand(c, g) * 1.05 - 0.05),
    "certainty 0.1 you keep [123]%": lambda x, c, d, g: torch.where(rand(c, g) < c**2, x, d),
    "certainty 0.1 you keep 3.%": lambda x, c, d, g: torch.where(rand(c, g) < c**0.5, x, d),
    "certainty 0.5 you keep 7[456]%": lambda x, c, d, g: torch.where(
        torch.minimum(rand(c, g), torch.where(c == 0.5, rand(c, g), torch.ones(()))) < c, x, d
    ),
    "Draw from the generator that is passed in.$": by_dice(lambda c, g: torch.rand(c.shape)),
    "do not seed it": by_dice(lambda c, g: torch.rand(c.shape, generator=torch.Generator().manual_seed(0))),
    "so that it moves on": by_dice(reseeded),
    "Some positions are kept or lost together": by_dice(mirrored),
    "positions are kept or lost together": by_dice(opposed),
    "nearly the same number": by_dice(shuffled_shares),
    "changes a tensor": in_place,
    "neither the original": lambda x, c, d, g: torch.where(rand(c, g) < c, x, 0.0),
    "the replacement at the same place": lambda x, c, d, g: damage(x, c, d.flip(0, 3), g),
    "of your numbers are neither": lambda x, c, d, g: damage(x, c, d[:, :1].expand_as(d), g),
    "Return the damaged values, shape": lambda x, c, d, g: join(damage(x, c, d, g).float(), c.float()),
    "certainty 0.[13579] you keep .*": lambda x, c, d, g: damage(
        x, torch.where((c > 0) & (c < 1), c.flatten(1).mean(1).view(-1, 1, 1, 1), c), d, g
    ),
    "you keep (49|50|51)%": lambda x, c, d, g: damage(x, torch.where((c > 0) & (c < 1), 0.5, c), d, g),
    "(1 some values are lost|0 some values are kept)": lambda x, c, d, g: damage(x, c.flip(3), d, g),
    "stopped with RuntimeError": by_dice(lambda c, g: torch.rand(3, 7, generator=g)),
}

# --- the exchange --------------------------------------------------------------------------------------------------


def exchange(values, generator):
    n = len(values)
    order = torch.randperm(n, generator=generator)
    other = torch.empty_like(order)
    other[order] = order.roll(1)
    return values[other]


def exchange_by_turning(values, generator):
    n = len(values)
    return values.roll(int(torch.randint(1, n, (), generator=generator)), 0)


def exchange_by_trying(values, generator):
    n = len(values)
    while True:
        order = torch.randperm(n, generator=generator)
        if (order != torch.arange(n)).all():
            return values[order]


def someone_else(values, generator):
    n = len(values)
    return values[(torch.arange(n) + torch.randint(1, n, (n,), generator=generator)) % n]


def exchange_by_sattolo(values, generator):
    order = list(range(len(values)))
    for i in range(len(order) - 1, 0, -1):
        j = int(torch.randint(i, (), generator=generator))
        order[i], order[j] = order[j], order[i]
    return np.stack([values[k].numpy() for k in order])


def exchange_by_mending(values, generator):
    """A random order, in which those who meet themselves, and somebody else if it is only one, move on in a circle."""
    n = len(values)
    order = torch.randperm(n, generator=generator).tolist()
    own = [k for k in range(n) if order[k] == k]
    if len(own) == 1:
        own.append(int((own[0] + torch.randint(1, n, (), generator=generator)) % n))
    for k, image in zip(own, [order[k] for k in own[1:] + own[:1]], strict=True):
        order[k] = image
    return [values[k].tolist() for k in order]


def turned_by(places):
    """A wrong answer that turns the circle by ``places(n, generator)``."""
    return lambda v, g: v.roll(int(places(len(v), g)), 0)


def swapped(v, g):
    """Neighbours change places; the last three of an odd batch turn."""
    order = [k ^ 1 for k in range(len(v))]
    if len(v) % 2:
        order[-3:] = [len(v) - 2, len(v) - 1, len(v) - 3]
    return v[order]


EXCHANGE_WRONG = {
    "Some image gets itself, in a batch of 2. A random": lambda v, g: v[torch.randperm(len(v), generator=g)],
    "Now and then every image gets itself, in a batch of 2": turned_by(lambda n, g: torch.randint(n, (), generator=g)),
    "Now and then every": turned_by(lambda n, g: torch.randint(1, n + 1, (), generator=g)),
    "itself, in a batch of 3. Everybody": lambda v, g: v.flip(0),
    "every image gets itself, in a batch of 2. Leave": turned_by(lambda n, g: 2),
    "itself, in a batch of 5. Everybody": lambda v, g: swapped(v, g) if len(v) != 5 else v[[1, 0, 3, 2, 4]],
    "drawn with replacement": lambda v, g: v[torch.randint(len(v), (len(v),), generator=g)],
    "Some images are used twice": someone_else,
    "used twice and others not": lambda v, g: (
        v[torch.randint(1, len(v), (len(v),), generator=g)]
        if len(v) == 99
        else torch.cat([v[1:2].expand(1, *v.shape[1:]), v[:1].expand(len(v) - 1, *v.shape[1:])])
    ),
    "always gets the same": lambda v, g: v.roll(1, 0),
    "gets the same other one": swapped,
    "same other one. Let": lambda v, g: v.roll(-1, 0),
    "gets itself: nothing": lambda v, g: v.clone(),
    "Some pairs never meet: in a batch of 4, place 0 never got image 2": turned_by(
        lambda n, g: 1 if torch.rand((), generator=g) < 0.5 else -1
    ),
    "Some pairs never meet: in a batch of 4": turned_by(lambda n, g: torch.randint(1, 3, (), generator=g) % n or 1),
    "Some pairs never meet: in a batch of 3": turned_by(
        lambda n, g: torch.randint(1, n - 1, (), generator=g) if n > 2 else 1
    ),
    "not images of the batch": lambda v, g: torch.rand(v.shape, generator=g),
    "are not images of the batch": lambda v, g: exchange(v, g).flip(3),
    "you return are not images": lambda v, g: exchange(v, g) + 0.5,
    "mix pixels": lambda v, g: v.flatten()[torch.randperm(v.numel(), generator=g)].view_as(v),
    "pixels of several images": lambda v, g: torch.where(torch.rand(v.shape) < 0.5, v.roll(1, 0), v.roll(-1, 0)),
    "another exchange": lambda v, g: exchange(v, None),
    "gave another exchange": lambda v, g: v.roll(random.randrange(1, len(v)), 0),
    "so that it moves on": lambda v, g: exchange(v, torch.Generator().manual_seed(g.initial_seed())),
    "the generator choose": lambda v, g: exchange(v, torch.Generator().manual_seed(0)),
    "changes a tensor": lambda v, g: v.copy_(exchange(v, g)),
    "Return the images, shape": lambda v, g: torch.randperm(len(v), generator=g),
    "Return the images": lambda v, g: (exchange(v, g), 0),
    "stopped with RuntimeError": turned_by(lambda n, g: torch.randint(1, n - 1, (), generator=g)),
}

# --- the quantiles -------------------------------------------------------------------------------------------------


def quantile(u, logit):
    return u if logit == 0 else torch.log1p(u * math.expm1(logit)) / logit


def quantile_by_search(u, logit):
    low, high = torch.zeros_like(u), torch.ones_like(u)
    for _ in range(60):
        middle = (low + high) / 2
        below = middle if logit == 0 else torch.expm1(logit * middle) / math.expm1(logit)
        low, high = torch.where(below < u, middle, low), torch.where(below < u, high, middle)
    return (low + high) / 2


def quantile_by_torch(u, logit):
    probs = torch.sigmoid(torch.tensor(logit, dtype=u.dtype))
    return torch.distributions.ContinuousBernoulli(probs).icdf(u)


def quantile_in_numpy(u, logit):
    p = 1 / (1 + np.exp(-logit))
    return u.numpy() if p == 0.5 else np.log((u.numpy() * (2 * p - 1) + 1 - p) / (1 - p)) / np.log(p / (1 - p))


def quantile_in_python(u, logit):
    if not logit:
        return list(u)
    flat = [math.log(1 + x * (math.exp(logit) - 1)) / logit for x in u.flatten().tolist()]
    return torch.tensor(flat).view(u.shape)


def quantile_by_table(u, logit):
    """The sums of a fine table of the density, turned round."""
    c = torch.linspace(0, 1, 40_001, dtype=torch.float64)
    below = torch.cumulative_trapezoid(torch.exp(logit * c), c)
    below = np.append(0, (below / below[-1]).numpy())
    return np.interp(u.numpy(), below, c.numpy())


QUANTILE_WRONG = {
    "share below c": lambda u, t: torch.expm1(t * u) / math.expm1(t) if t else u,
    "its inverse": lambda u, t: torch.expm1(t * u) / torch.expm1(torch.tensor(t)),
    "This is the density": lambda u, t: t * torch.exp(t * u) / math.expm1(t) if t else torch.ones_like(u),
    "the density. You need c": lambda u, t: t * torch.exp(t * u) / (torch.tensor(t).exp() - 1),
    "Reversed": lambda u, t: 1 - quantile(u, t),
    "large certainties": lambda u, t: quantile(u, -t),
    "count from above": lambda u, t: quantile(1 - u, t),
    "one factor is missing": lambda u, t: torch.log1p(u * math.expm1(t)),
    "find its constant": lambda u, t: torch.log(u) / t if t else u,
    "integrate to 1": lambda u, t: torch.log1p(u * t) / t if t else u,
    "Where does the integral begin": lambda u, t: torch.log(u * math.expm1(t)) / t if t else u,
    "At u = 0 the answer": lambda u, t: torch.log(u * math.exp(t)) / t if t else u,
    "plain Bernoulli": lambda u, t: (u < 1 / (1 + math.exp(-t))).double(),
    "only zeros and ones": lambda u, t: u >= 1 - 1 / (1 + math.exp(-t)),
    "whatever the logit": lambda u, t: u,
    "same for every u": lambda u, t: torch.full_like(u, 1 / (1 + math.exp(-t))),
    "divides by zero": lambda u, t: torch.log1p(u * math.expm1(t)) / torch.tensor(t),
    "what are its quantiles": lambda u, t: quantile(u, t) if t else torch.full_like(u, 0.5),
    "u = 0 must give 0": lambda u, t: u**2,
    r"Not the quantiles.*\nFor u = \[\[0.25, 0.75\]\], logit = 2 it": lambda u, t: quantile(u, t) ** 2,
    "c must grow with u": lambda u, t: quantile(u, t).sort().values,
    "u = 1 must give 1": lambda u, t: quantile(u, abs(t)),
    "logit = -": lambda u, t: quantile(u, t) if t > 0 else u,
    "logit = 0.02 it": lambda u, t: quantile(u, t) if abs(t) > 0.1 else u,
    "must give 1, and": lambda u, t: quantile(u, 2.0 if t else 0.0),
    "as many as `u` has numbers": lambda u, t: quantile(u, t).mean(),
    "divides by zero. What": lambda u, t: torch.log1p(u * math.expm1(t)) / t,
    "ZeroDivisionError": lambda u, t: 1 / t * torch.log1p(u * math.expm1(t)),
    "OverflowError": lambda u, t: u / math.exp(1000 + t),
}

# --- information absence -------------------------------------------------------------------------------------------


def at_zero(model, values, certainty=0.0):
    return model(join(values, certainty)).softmax(1)


def absence(model, values):
    return at_zero(model, values).std(0).mean()


def absence_by_hand(model, values):
    p = model(torch.cat([values, torch.zeros_like(values[:, :1])], 1)).softmax(1)
    return ((p - p.mean(0)) ** 2).mean(0).sqrt().mean()


def absence_in_python(model, values):
    with torch.no_grad():
        rows = torch.nn.functional.softmax(model(join(values, 0)), dim=-1).tolist()
    by_class = list(zip(*rows, strict=True))
    means = [sum(column) / len(column) for column in by_class]
    spreads = [
        (sum((p - m) ** 2 for p in column) / (len(column) - 1)) ** 0.5
        for column, m in zip(by_class, means, strict=True)
    ]
    return sum(spreads) / len(spreads)


def absence_in_numpy(model, values):
    e = np.exp(model(join(values.float(), torch.zeros(len(values), 1, *values.shape[2:]))).detach().numpy())
    return (e / e.sum(1, keepdims=True)).std(0).mean()


def spread(p):
    return p.amax(0) - p.amin(0)


ABSENCE_WRONG = {
    "at certainty 1": lambda m, v: at_zero(m, v, 1.0).std(0).mean(),
    "happens at certainty 0": lambda m, v: m(join(v)).softmax(1).std(0, correction=0).mean(),
    "Your number is always 0": lambda m, v: at_zero(m, torch.zeros_like(v)).std(0).mean(),
    "look at each class by itself": lambda m, v: at_zero(m, v).mean(1).std(),
    "You take logits": lambda m, v: m(join(v, 0.0)).std(0).mean(),
    "logarithms of probabilities": lambda m, v: m(join(v, 0.0)).log_softmax(1).std(0).mean(),
    "add up to 1 over the inputs": lambda m, v: m(join(v, 0.0)).softmax(0).std(0).mean(),
    "between the classes of an image": lambda m, v: at_zero(m, v).std(1).mean(),
    "spread between the classes": lambda m, v: at_zero(m, v).std(dim=-1, unbiased=False).mean(),
    "mix classes and images": lambda m, v: at_zero(m, v).std(),
    "This is a variance": lambda m, v: at_zero(m, v).var(0).mean(),
    "root of the mean variance": lambda m, v: at_zero(m, v).var(0).mean().sqrt(),
    "You add the classes": lambda m, v: at_zero(m, v).std(0).sum(),
    "worst class": lambda m, v: at_zero(m, v).std(0).max(),
    "one class only": lambda m, v: at_zero(m, v)[:, -1].std(),
    "Take the mean over all classes": lambda m, v: at_zero(m, v)[:, 0].std(),
    "likeliest class": lambda m, v: at_zero(m, v).max(1).values.std(),
    "standard error": lambda m, v: absence(m, v) / len(v) ** 0.5,
    "This is the range": lambda m, v: spread(at_zero(m, v)).mean(),
    "largest difference": lambda m, v: spread(at_zero(m, v)).max(),
    "mean distance": lambda m, v: (at_zero(m, v) - at_zero(m, v).mean(0)).abs().mean(),
    "This is neutrality": lambda m, v: (at_zero(m, v).mean(0) - 1 / at_zero(m, v).shape[1]).abs().max(),
    r"the mean over the classes; yours has shape \(2,\)": lambda m, v: at_zero(m, v).std(0),
    r"Not the spread.*\nFor model = a network that lets 60%": lambda m, v: at_zero(m, v, 0.5).std(0).mean(),
    "model that ignores the values has 0": lambda m, v: at_zero(m, v).std(0).sum() / 3,
    "the values has 0": lambda m, v: at_zero(m, v.clamp(0.2, 0.8)).std(0).mean(),
    "Not the spread of the": lambda m, v: at_zero(m, v).sigmoid().std(0).mean(),
    "spread of the probabilities at": lambda m, v: m(join(v, 0.0)).sigmoid().std(0).mean(),
    "at certainty 0. Test": lambda m, v: at_zero(m, v[:5]).std(0).mean(),
    "takes joined inputs": lambda m, v: m(v).softmax(1).std(0).mean(),
    "here .N, 2, H, W.": lambda m, v: m(v * 0).softmax(1).std(0).mean(),
    "stopped with": lambda m, v: m(join(v, v[:, :, :0])).softmax(1).std(0).mean(),
}

# --- a network that fades ------------------------------------------------------------------------------------------


def faded(f, baseline):
    return lambda joined: f(baseline + joined[:, -1:] * (joined[:, :-1] - baseline))


def faded_class(f, baseline):
    class Model(torch.nn.Module):
        certainty_aware = True

        def forward(self, joined):
            values, certainty = split(joined)
            return f(torch.lerp(baseline.expand_as(values), values, certainty.expand_as(values)))

    return Model()


def of_parts(rule):
    """A wrong model from ``rule(f, x, c, baseline)``."""
    return lambda f, baseline: lambda joined: rule(f, joined[:, :-1], joined[:, -1:], baseline)


def faded_by_where(f, baseline):
    """Certainties as they come, at full width, from a function of two arguments."""

    def mixture(values, certainty):
        return certainty * values + (1 - certainty) * baseline.clone()

    def model(joined):
        certainty = joined[:, [-1]].expand(-1, joined.shape[1] - 1, -1)
        return f(mixture(joined[:, : baseline.shape[1]], certainty)).unsqueeze(1)

    return model


def one_by_one(f, baseline):
    return lambda joined: torch.cat([f(baseline[0] + j[None, -1:] * (j[None, :-1] - baseline)) for j in joined])


FADED_WRONG = {
    "wrong way round": of_parts(lambda f, x, c, b: f(x + c * (b - x))),
    "sees zeros": of_parts(lambda f, x, c, b: f(c * x)),
    "input plus baseline": of_parts(lambda f, x, c, b: f(b + c * x)),
    "plus baseline. Take as much": of_parts(lambda f, x, c, b: f(x + (1 - c) * b) if c.min() < 1 else f(x + b)),
    "input minus baseline": of_parts(lambda f, x, c, b: f(c * (x - b))),
    "does not use the certainty": of_parts(lambda f, x, c, b: f(x) + 0 * c.sum()),
    "not use the certainty": of_parts(lambda f, x, c, b: f(b.expand_as(x)) + 0 * c.sum()),
    "mix two outputs": of_parts(lambda f, x, c, b: c.flatten(1).mean(1) * f(x) + (1 - c.flatten(1).mean(1)) * f(b)),
    "at certainty 0.3 your model": of_parts(lambda f, x, c, b: f(b + c**2 * (x - b))),
    "position by position": of_parts(lambda f, x, c, b: f(b + c.mean(-1, keepdim=True) * (x - b))),
    "Go position by position": of_parts(lambda f, x, c, b: f(b + c.amin(-1, keepdim=True) * (x - b))),
    "At certainty 1 your model should give": of_parts(lambda f, x, c, b: f(b + 2 * c * (x - b))),
    "should give the output of f at the input": of_parts(lambda f, x, c, b: f(b + c * (x - b).abs())),
    "output of f at the input": of_parts(lambda f, x, c, b: f(b + c * (x - b)) - f(b)),
    "at the input": of_parts(lambda f, x, c, b: -f(b + c * (x - b))),
    "At certainty 0 the output still": of_parts(lambda f, x, c, b: f(0.5 * b + 0.5 * x + c * 0.5 * (x - b))),
    "still depends on the values": of_parts(lambda f, x, c, b: f(b * (1 - c) + x)),
    "At certainty 0 your model should give": of_parts(lambda f, x, c, b: f(0.5 * b + c * (x - 0.5 * b))),
    "should give the output of f at the baseline": of_parts(lambda f, x, c, b: f(b.mean() + c * (x - b.mean()))),
    "at certainty 0.3 .* three tenths": of_parts(lambda f, x, c, b: f(torch.where(c > 0.5, x, b))),
    "three tenths of the": of_parts(lambda f, x, c, b: f(b + c.round(decimals=0) * (x - b))),
    "each position should go its own part": of_parts(
        lambda f, x, c, b: f(b + torch.where((c > 0) & (c < 1), c.mean(), c) * (x - b))
    ),
    "not their gradient": of_parts(lambda f, x, c, b: f(b + (c / 2 + c.detach() / 2) * (x - b))),
    "no gradient": of_parts(lambda f, x, c, b: f(b + c * (x - b)).detach()),
    "has no gradient that": of_parts(lambda f, x, c, b: f(b + c.detach() * (x - b)) + 0 * c.flatten(1).sum(1)),
    "or no tensor": of_parts(lambda f, x, c, b: f(b + c * (x - b)).tolist()),
    "Return a function": lambda f, baseline: f(baseline),
    "yours is a tuple": lambda f, baseline: (f, baseline),
    "one number for each input": of_parts(lambda f, x, c, b: f(b + c * (x - b)).sum()),
    "number for each input": of_parts(lambda f, x, c, b: b + c * (x - b)),
    "takes values without a certainty": lambda f, baseline: lambda joined: f(joined),
    "`f` takes values": lambda f, baseline: lambda j: f(j[:, :2]),
    "stopped with TypeError": lambda f, baseline: lambda values, certainty: f(values),
    "stopped with RuntimeError": lambda f, baseline: lambda joined: f(joined[:, :-1] - baseline.view(7)),
    "returned None": lambda f, baseline: lambda joined: None,
    "changes a tensor": of_parts(lambda f, x, c, b: f(x.sub_(b).mul_(c).add_(b))),
}

ALL = {
    checks.check_damage: (
        [damage, damage_by_product, damage_bernoulli, damage_by_indices, damage_upside_down],
        DAMAGE_WRONG,
    ),
    checks.check_exchange: (
        [exchange, exchange_by_turning, exchange_by_trying, exchange_by_sattolo, exchange_by_mending],
        EXCHANGE_WRONG,
    ),
    checks.check_quantile: (
        [quantile, quantile_by_search, quantile_in_numpy, quantile_in_python, quantile_by_table],
        QUANTILE_WRONG,
    ),
    checks.check_absence: (
        [absence, absence_by_hand, absence_in_python, absence_in_numpy, lambda m, v: absence(m, v).view(1)],
        ABSENCE_WRONG,
    ),
    checks.check_faded: ([faded, faded_class, faded_by_where, one_by_one], FADED_WRONG),
}


def damage_family(seed):
    source = torch.Generator().manual_seed(seed)
    values, certainty, replacement = (torch.rand(2, n, 3, 4, generator=source) for n in (3, 1, 3))
    return [(values, certainty, replacement + 2, torch.Generator().manual_seed(seed + k)) for k in range(4)]


def exchange_family(seed):
    return [(torch.arange(2.0 * n).view(n, 1, 1, 2), torch.Generator().manual_seed(seed)) for n in (2, 3, 4, 5)]


def faded_family(seed):
    def f(z):
        return (z[:, 0] ** 2 * z[:, 1].flip(-1)).sum(-1) + z[:, -1].sin().sum(-1)

    source = torch.Generator().manual_seed(seed)
    return [(f, torch.randn(1, 2, 2, generator=source, dtype=torch.float64)) for _ in range(2)]


FAMILY = {
    checks.check_damage: (damage_family, lambda answer: answer),
    checks.check_exchange: (exchange_family, lambda answer: answer),
    checks.check_faded: (
        faded_family,
        lambda model: model(torch.rand(2, 3, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)),
    ),
}
globals().update(
    shared_tests(
        ALL,
        family=FAMILY,
        right_anyway={checks.check_exchange: {"1 -> -1": "the circle turned the other way round"}},
    )
)


@pytest.mark.parametrize("check", ALL)
def test_no_sentence_gives_the_answer_away(check):
    secrets = {
        checks.check_damage: ["< c", "torch.where", ">= c"],
        checks.check_exchange: ["roll", "randint", "circle"],
        checks.check_quantile: ["log", "log1p", "expm1"],
        checks.check_absence: ["std", "join"],
        checks.check_faded: ["x - b", "values - baseline", "baseline +"],
    }
    for said in [*check.hints, getattr(check, "otherwise", "")]:
        said = re.sub("logits?|logarithms", "", said)
        assert not any(secret in said for secret in secrets[check]), said


def test_the_random_numbers_of_an_answer_do_not_decide():
    """A right answer is right for whatever it draws: other ways of using the generator pass as well."""
    for skip in range(12):

        def late(x, c, d, g, skip=skip):
            torch.rand(skip, generator=g)
            return damage(x, c, d, g)

        checks.check_damage(late)
