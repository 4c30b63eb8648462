"""The checks of the chapter on certainty accept right answers and name typical mistakes."""

import math
import re
from pathlib import Path

import pytest
import torch
from checking import messages, shared_tests

from icg.certainty import join, split
from icg_book.certainty import checks

NOTEBOOK = Path(__file__).parents[3] / "book" / "certainty.ipynb"


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


DAMAGE_WRONG = {
    "You mix original and replacement": lambda x, c, d, g: c * x + (1 - c) * d,
    "wrong way round": lambda x, c, d, g: torch.where(rand(c, g) < c, d, x),
    "You cut at one half": lambda x, c, d, g: torch.where(c > 0.5, x, d),
    "channels of a pixel have parted": lambda x, c, d, g: torch.where(rand(x, g) < c, x, d),
    "Whole images": lambda x, c, d, g: torch.where(torch.rand(len(x), 1, 1, 1, generator=g) < c, x, d),
    "Whole rows": lambda x, c, d, g: torch.where(torch.rand(len(x), 1, 40, 1, generator=g) < c, x, d),
    "Whole rows or columns": lambda x, c, d, g: torch.where(torch.rand(len(x), 1, 1, 40, generator=g) < c, x, d),
    "All images of the batch": lambda x, c, d, g: torch.where(torch.rand(1, 1, 40, 40, generator=g) < c, x, d),
    "lost, although they are certain": lambda x, c, d, g: torch.where(rand(c, g) < 0.5, x, d),
    "seven in ten": lambda x, c, d, g: torch.where(torch.where((c > 0) & (c < 1), 1 - c, c) > rand(c, g), x, d),
    "you keep 9%|you keep 8%|you keep 10%": lambda x, c, d, g: torch.where(rand(c, g) < c**2, x, d),
    "Draw from the generator that is passed in.$": lambda x, c, d, g: torch.where(torch.rand(c.shape) < c, x, d),
    "do not seed it": lambda x, c, d, g: damage(x, c, d, torch.Generator().manual_seed(0)),
    "changes the tensors": in_place,
    "neither the original": lambda x, c, d, g: torch.where(rand(c, g) < c, x, 0.0),
    "of shape": lambda x, c, d, g: join(damage(x, c, d, g), c),
    "does not follow|do not follow": lambda x, c, d, g: damage(
        x, c.flatten(1).mean(1).view(-1, 1, 1, 1).expand_as(c), d, g
    ),
    "Return a tensor": lambda x, c, d, g: damage(x, c, d, g).tolist(),
    "stopped with RuntimeError": lambda x, c, d, g: torch.where(torch.rand(3, 7) < c, x, d),
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


EXCHANGE_WRONG = {
    "Some image gets itself. A random order": lambda v, g: v[torch.randperm(len(v), generator=g)],
    "drawn with replacement": lambda v, g: v[torch.randint(len(v), (len(v),), generator=g)],
    "used twice": someone_else,
    "same neighbour": lambda v, g: v.roll(1, 0),
    "always gets the same": lambda v, g: v.flip(0) if len(v) % 2 == 0 else v.roll(2, 0),
    "gets itself: nothing": lambda v, g: v.clone(),
    "Some pairs never meet": lambda v, g: v.roll(1 if torch.rand((), generator=g) < 0.5 else -1, 0),
    "not images of the batch": lambda v, g: torch.rand(v.shape, generator=g),
    "mix pixels": lambda v, g: v.flatten()[torch.randperm(v.numel(), generator=g)].view_as(v),
    "another exchange": lambda v, g: exchange(v, None),
    "changes the batch": lambda v, g: v.copy_(exchange(v, g)),
    "of shape": lambda v, g: torch.randperm(len(v), generator=g),
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


QUANTILE_WRONG = {
    "share below c": lambda u, t: torch.expm1(t * u) / math.expm1(t),
    "This is the density": lambda u, t: t * torch.exp(t * u) / math.expm1(t),
    "Reversed": lambda u, t: 1 - quantile(u, t),
    "count from above": lambda u, t: quantile(1 - u, t),
    "one factor is missing": lambda u, t: torch.log1p(u * math.expm1(t)),
    "find its constant": lambda u, t: torch.log(u) / t,
    "Where does the integral begin": lambda u, t: torch.log(u * math.expm1(t)) / t,
    "plain Bernoulli": lambda u, t: (u < 1 / (1 + math.exp(-t))).double(),
    "whatever the logit": lambda u, t: u,
    "same for every u": lambda u, t: torch.full_like(u, 1 / (1 + math.exp(-t))),
    "divides by zero": lambda u, t: torch.log1p(u * math.expm1(t)) / torch.tensor(t),
    "what are its quantiles": lambda u, t: quantile(u, t) if t else torch.full_like(u, 0.5),
    "u = 0 must give 0": lambda u, t: u**2,
    r"shape \(7,\)": lambda u, t: quantile(u, t).mean(),
    "divides by zero. What": lambda u, t: torch.log1p(u * math.expm1(t)) / t,
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


def spread(p):
    return p.amax(0) - p.amin(0)


ABSENCE_WRONG = {
    "at certainty 1": lambda m, v: at_zero(m, v, 1.0).std(0).mean(),
    "You take logits": lambda m, v: m(join(v, 0.0)).std(0).mean(),
    "between the classes of an image": lambda m, v: at_zero(m, v).std(1).mean(),
    "mix classes and images": lambda m, v: at_zero(m, v).std(),
    "This is a variance": lambda m, v: at_zero(m, v).var(0).mean(),
    "You add the classes": lambda m, v: at_zero(m, v).std(0).sum(),
    "worst class": lambda m, v: at_zero(m, v).std(0).max(),
    "one class only": lambda m, v: at_zero(m, v)[:, -1].std(),
    "This is the range": lambda m, v: spread(at_zero(m, v)).mean(),
    "largest difference": lambda m, v: spread(at_zero(m, v)).max(),
    "mean distance": lambda m, v: (at_zero(m, v) - at_zero(m, v).mean(0)).abs().mean(),
    "This is neutrality": lambda m, v: (at_zero(m, v).mean(0) - 1 / 3).abs().max(),
    "Average over the classes": lambda m, v: at_zero(m, v).std(0),
    "Not the spread": lambda m, v: at_zero(m, v, 0.5).std(0).mean(),
    "stopped with": lambda m, v: m(v[:, :1]).softmax(1).std(0).mean(),
    "Return a tensor": lambda m, v: absence(m, v).item() * 1.0,
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


FADED_WRONG = {
    "wrong way round": of_parts(lambda f, x, c, b: f(x + c * (b - x))),
    "sees zeros": of_parts(lambda f, x, c, b: f(c * x)),
    "input plus baseline": of_parts(lambda f, x, c, b: f(b + c * x)),
    "does not use the certainty": of_parts(lambda f, x, c, b: f(x) + 0 * c.sum()),
    "mix two outputs": of_parts(lambda f, x, c, b: c.flatten(1).mean(1) * f(x) + (1 - c.flatten(1).mean(1)) * f(b)),
    "at certainty 0.3 your model": of_parts(lambda f, x, c, b: f(b + c**2 * (x - b))),
    "position by position": of_parts(lambda f, x, c, b: f(b + c.mean(-1, keepdim=True) * (x - b))),
    "At certainty 1 your model should give": of_parts(lambda f, x, c, b: f(x - b)),
    "At certainty 0 your model should give": of_parts(lambda f, x, c, b: f(0.5 * b + c * (x - 0.5 * b))),
    "at certainty 0.3 .* three tenths": of_parts(lambda f, x, c, b: f(torch.where(c > 0.5, x, b))),
    "not their gradient": of_parts(lambda f, x, c, b: f(b + c * (x - b)).detach() + 0 * c.flatten(1).sum(1)),
    "no gradient": of_parts(lambda f, x, c, b: f(b + c * (x - b)).detach()),
    "Return a function": lambda f, baseline: f(baseline),
    "one number per input": of_parts(lambda f, x, c, b: f(b + c * (x - b))[:, None]),
    "stopped with TypeError": lambda f, baseline: lambda values, certainty: f(values),
}

ALL = {
    checks.check_damage: ([damage, damage_by_product, damage_bernoulli], DAMAGE_WRONG),
    checks.check_exchange: ([exchange, exchange_by_turning, exchange_by_trying], EXCHANGE_WRONG),
    checks.check_quantile: ([quantile, quantile_by_search, quantile_by_torch], QUANTILE_WRONG),
    checks.check_absence: ([absence, absence_by_hand, lambda m, v: absence(m, v).view(1)], ABSENCE_WRONG),
    checks.check_faded: ([faded, faded_class], FADED_WRONG),
}
globals().update(shared_tests(ALL))


@pytest.mark.parametrize("check", ALL)
def test_no_message_gives_the_answer_away(check):
    """No formula, and none of the right numbers of the checks' own cases."""
    u = torch.tensor([0.1, 0.3, 0.5, 0.8, 0.95], dtype=torch.float64)
    secrets = {
        checks.check_damage: ["< c", "torch.where(", ">= c"],
        checks.check_exchange: ["roll", "randint"],
        checks.check_quantile: [
            "log(",
            "log1p",
            "expm1",
            *(f"{v:.2f}" for t in (2.0, -3.0) for v in quantile(u, t).tolist()),
        ],
        checks.check_absence: ["std("],
        checks.check_faded: ["x - b", "values - baseline", "baseline +"],
    }
    for said in messages(check, ALL):
        said = said.replace("Test yourself: u = 0", "")
        said = said if "stopped with" not in said else ""
        said = re.sub(r"the logit \S+\.|positive logit|u = \d", "", said)
        assert not any(secret in said for secret in secrets[check]), said


def test_the_random_numbers_of_an_answer_do_not_decide():
    """A right answer is right for whatever it draws: other ways of using the generator pass as well."""
    for skip in range(12):

        def late(x, c, d, g, skip=skip):
            torch.rand(skip, generator=g)
            return damage(x, c, d, g)

        checks.check_damage(late)
