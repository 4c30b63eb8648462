"""Checks of the chapter on certainty."""

import torch
from torch import Tensor

from icg.attribution import integrated_certainty_gradients, integrated_gradients
from icg.certainty import join, split
from icg.damage import another_sample, continuous_bernoulli_icdf, damage
from icg.measures import probabilities
from icg_book.kit.old_answers import NotYet, call, call_tensor, close, meet, reference
from icg_book.kit.old_answers import accept as accept

# ---- the references -------------------------------------------------------------------------------------------


@reference("my_damage")
def _damage(values, certainty, replacement, generator):
    return damage(values, certainty, replacement, generator=generator)


@reference("my_exchange")
def _exchange(values, generator):
    return another_sample(values, generator=generator)


@reference("my_quantile")
def _quantile(u, logit):
    return continuous_bernoulli_icdf(u, torch.as_tensor(logit, dtype=u.dtype))


@reference("my_absence")
def _absence(model, values):
    return probabilities(model, values, 0.0).std(0).mean()


@reference("my_faded")
def _faded(f, baseline):
    def model(joined):
        values, certainty = split(joined)
        return f(baseline + certainty * (values - baseline))

    return model


NEVER = -1e9  # instead of minus infinity, which compares with nothing


# ---- the checks -----------------------------------------------------------------------------------------------


def check_damage(function) -> None:
    """``function(values, certainty, replacement, generator) -> damaged``: the paper's D(x, c), section 4."""
    # Originals are below 1, replacements above 2, so that every number tells where it comes from.
    source = torch.Generator().manual_seed(3)
    values = torch.rand(5, 3, 40, 40, generator=source)
    replacement = 2 + torch.rand(5, 3, 40, 40, generator=source)
    certainty = torch.ones(5, 1, 40, 40)
    certainty[1], certainty[2], certainty[3] = 0.0, 0.3, 0.7
    certainty[4] = torch.linspace(0, 1, 40)  # from left to right
    given = values.clone(), certainty.clone(), replacement.clone()

    def run(seed):
        return call_tensor(function, *given, torch.Generator().manual_seed(seed))

    answer = run(1)
    if not all(torch.equal(a, b) for a, b in zip(given, (values, certainty, replacement), strict=True)):
        raise NotYet("Your function changes the tensors it is given. Make a new one: `torch.where` does.")
    if answer.shape != values.shape:
        raise NotYet(f"Return values of shape {tuple(values.shape)}; yours have shape {tuple(answer.shape)}.")
    kept, lost = (answer - values.double()).abs() < 1e-5, (answer - replacement.double()).abs() < 1e-5
    blend = certainty.double() * values + (1 - certainty.double()) * replacement
    if close(answer, blend):
        raise NotYet("You mix original and replacement. Damage replaces: each position is one or the other, by chance.")
    if not bool((kept | lost).all()):
        raise NotYet("Some of your numbers are neither the original value nor the replacement at the same place.")
    if bool(kept[1].all()) and bool(lost[0].all()):
        raise NotYet("Kept and lost are the wrong way round: certainty 1 means that the value stays.")
    share = kept.double().flatten(1).mean(1).tolist()
    if bool(kept[3].all()) and bool(lost[2].all()):
        raise NotYet("You cut at one half. A value of certainty 0.3 stays three times in ten, at random.")
    for k, expected in ((0, 1.0), (1, 0.0)):
        if share[k] != expected:
            word = "lost, although they are certain" if k == 0 else "kept, although nothing is known of them"
            raise NotYet(f"At certainty {expected:g} some values are {word}. `torch.rand` lies in [0, 1).")
    if bool((kept[2:4].flatten(1).all(1) | lost[2:4].flatten(1).all(1)).all()):
        raise NotYet("Whole images are kept or lost at once. Draw one random number for each position.")
    if not bool((kept[:, :1] == kept).all()):
        raise NotYet("The channels of a pixel have parted. They share one certainty, so let them share one draw.")
    if bool((kept[2] == kept[2][:, :1]).all()) or bool((kept[2] == kept[2][..., :1]).all()):
        raise NotYet("Whole rows or columns are kept or lost at once. Draw one random number for each position.")
    if abs(share[2] - 0.7) < 0.08 and abs(share[3] - 0.3) < 0.08:
        raise NotYet("At certainty 0.3 you keep seven in ten: compare the other way round.")
    for k, expected in ((2, 0.3), (3, 0.7)):
        if abs(share[k] - expected) > 0.06:  # five standard deviations
            raise NotYet(f"At certainty {expected} you keep {share[k]:.0%} of the values. It is the chance to be kept.")
    if bool((kept[2] <= kept[3]).all()):
        raise NotYet("All images of the batch meet the same random numbers. Draw new ones for each image.")
    right, left = (kept[4, 0, :, half].double().mean().item() for half in (slice(20, 40), slice(0, 20)))
    if not (abs(right - 0.76) < 0.08 and abs(left - 0.24) < 0.08):
        raise NotYet("Where the certainty differs from place to place, your shares of kept values do not follow it.")
    if not torch.equal(run(1), answer):
        raise NotYet("The same seed gave other damage. Draw from the generator that is passed in.")
    if torch.equal(run(2), answer):
        raise NotYet(
            "Another seed gave the same damage. Draw from the generator that is passed in, and do not seed it."
        )
    print("Right: kept with probability c, replaced otherwise.")


def check_exchange(function) -> None:
    """``function(values, generator) -> values``: for every image of the batch another one of it, each used once."""

    def partners(n, seed):
        """Which image each place got, read off their values."""
        values = 10 * torch.arange(n).view(-1, 1, 1, 1) + torch.rand(n, 2, 3, 3)
        before = values.clone()
        answer = call_tensor(function, values, torch.Generator().manual_seed(seed))
        if not torch.equal(values, before):
            raise NotYet("Your function changes the batch that it is given. Return a new tensor.")
        if answer.shape != values.shape:
            raise NotYet(f"Return images of shape {tuple(values.shape)}; yours have shape {tuple(answer.shape)}.")
        same = ((answer[:, None] - values.double()[None]).abs() < 1e-4).flatten(2)
        if not bool(same.all(2).any(1).all()):
            if bool(((answer / 10 - answer.flatten(1)[:, :1, None, None] / 10).abs() > 0.2).any()):
                raise NotYet("You mix pixels of several images. Exchange whole images.")
            raise NotYet("Some of what you return are not images of the batch.")
        return same.all(2).double().argmax(1)

    found = {n: torch.stack([partners(n, seed) for seed in range(60)]) for n in (5, 3, 2)}
    again = torch.stack([partners(5, seed) for seed in range(10)])  # one alone agrees by chance in 1 of 24
    for n, chosen in found.items():
        own = chosen == torch.arange(n)
        if bool(own.all()):
            raise NotYet("Every image gets itself: nothing would be damaged.")
        used_once = bool((chosen.sort(1).values == torch.arange(n)).all())
        if bool(own.any()):
            if used_once:
                raise NotYet(
                    "Some image gets itself. A random order has such places, one on average, however large the batch."
                )
            raise NotYet("Some image gets itself: drawn with replacement, it may meet itself.")
        if not used_once:
            raise NotYet("Some images are used twice and others not at all. Exchange them, so that each is used once.")
    if bool((found[5] == found[5][:1]).all()):
        raise NotYet("Every image always gets the same neighbour. Let the generator choose the order.")
    if any(len(found[5][:, k].unique()) < 4 for k in range(5)):
        raise NotYet("Some pairs never meet. Every other image should be possible.")
    if not torch.equal(again, found[5][:10]):
        raise NotYet("The same seed gave another exchange. Draw from the generator that is passed in.")
    print("Right: everybody gets somebody else.")


def check_quantile(function) -> None:
    """``function(u, logit) -> certainties``: quantiles of the density proportional to exp(logit * c) on [0, 1]."""
    u = torch.tensor([0.0, 0.1, 0.3, 0.5, 0.8, 0.95, 1.0], dtype=torch.float64)
    for logit in (2.0, -3.0, 0.5, -0.4, 8.0):
        answer = call_tensor(function, u.clone(), logit).nan_to_num(neginf=NEVER, posinf=-NEVER)
        right = _quantile(u, logit)
        width = torch.expm1(torch.tensor(logit, dtype=torch.float64))
        chance = torch.sigmoid(torch.tensor(logit, dtype=torch.float64))
        meet(
            answer,
            right,
            [
                (
                    torch.expm1(logit * u) / width,
                    "This is the share below c. You need its inverse: c for a given share.",
                ),
                (
                    logit * torch.exp(logit * u) / width,
                    "This is the density. You need c such that a share u lies below.",
                ),
                (1 - right, "Reversed: a positive logit favours large certainties."),
                (_quantile(1 - u, logit), "You count from above: u is the share *below* c."),
                (torch.log1p(u * width), "Almost: one factor is missing at the end."),
                (
                    (torch.log(u * width) / logit).nan_to_num(neginf=NEVER),
                    "At u = 0 the answer must be 0. Where does the integral begin?",
                ),
                (
                    (torch.log(u) / logit).nan_to_num(neginf=NEVER, posinf=-NEVER),
                    "The density must integrate to 1: find its constant first.",
                ),
                ((u < chance).double(), "This is a plain Bernoulli: only zeros and ones."),
                ((u > 1 - chance).double(), "This is a plain Bernoulli: only zeros and ones."),
                (u, "That is the uniform distribution, whatever the logit."),
                (chance.expand(7), "You return the parameter, the same for every u."),
            ],
            f"Not the quantiles for the logit {logit:g}. Test yourself: u = 0 must give 0, and u = 1 must give 1.",
        )
    try:
        flat = call_tensor(function, u.clone(), 0.0)
    except NotYet as error:
        if not isinstance(error.__cause__, ZeroDivisionError):
            raise
        flat = torch.full_like(u, torch.nan)
    if not bool(flat.isfinite().all()):
        raise NotYet("At logit 0 your formula divides by zero. What distribution is it there?")
    meet(flat, u, [], "At logit 0 the density is flat: what are its quantiles?")
    print("Right: uniform numbers in, certainties out.")


class _Careless(torch.nn.Module):
    """A certainty-aware model that looks at values it should not believe."""

    certainty_aware = True

    def __init__(self, at_zero: float):
        super().__init__()
        self.at_zero = at_zero

    def forward(self, joined: Tensor) -> Tensor:
        values, certainty = split(joined)
        seen = ((self.at_zero + (3 - self.at_zero) * certainty) * values).flatten(2).mean(2)  # (N, 2)
        return torch.stack([4 * seen[:, 0], -2 * seen[:, 1], 0 * seen[:, 0]], 1)


def check_absence(function) -> None:
    """``function(model, values) -> number``: mean over classes of the probabilities' standard deviation at c = 0."""
    values = torch.rand(9, 2, 4, 4, generator=torch.Generator().manual_seed(6))
    values = values * torch.linspace(0, 1, 9).view(-1, 1, 1, 1)
    for at_zero in (1.0, 0.4, 0.0):
        model = _Careless(at_zero)
        answer = call_tensor(function, model, values.clone())
        if answer.numel() != 1:
            raise NotYet(f"Return one number; yours has shape {tuple(answer.shape)}. Average over the classes.")
        answer = answer.reshape(())
        p = probabilities(model, values, 0.0).double()
        known = probabilities(model, values, 1.0).double()
        logits = model(join(values, 0.0)).double()
        around = (p - p.mean(0)).abs()
        right = p.std(0).mean()
        if abs(answer - p.std(0, correction=0).mean()) < 1e-5:
            answer = right  # dividing by N is as good
        mistakes = [
            (known.std(0).mean(), "This is at certainty 1. Information absence asks what happens at certainty 0."),
            (logits.std(0).mean(), "You take logits. Take probabilities: `softmax(1)`."),
            (
                p.std(1).mean(),
                "You take the spread between the classes of an image. Take it between the images, for each class.",
            ),
            (p.std(), "You mix classes and images in one spread. Take it over the images, for each class by itself."),
            (p.var(0).mean(), "This is a variance. Take its root, so that the unit is that of a probability."),
            (p.std(0).sum(), "You add the classes up. Take their mean."),
            (p.std(0).max(), "You take the worst class. Take the mean over the classes."),
            (p.std(0)[-1], "You look at one class only. Take the mean over all classes."),
            (p.std(0)[0], "You look at one class only. Take the mean over all classes."),
            ((p.amax(0) - p.amin(0)).mean(), "This is the range. Take the standard deviation."),
            ((p.amax(0) - p.amin(0)).max(), "This is the largest difference. Take the standard deviation."),
            (around.mean(), "This is the mean distance from the mean. Take the standard deviation."),
            (
                (p.mean(0) - 1 / 3).abs().max(),
                "This is neutrality: where the mean is. Absence asks how much the values move it.",
            ),
        ]
        meet(answer, right, mistakes, "Not the spread of the probabilities at certainty 0.", tolerance=1e-5)
    print("Right: that is how much a model still sees when it should see nothing.")


def check_faded(function) -> None:
    """``function(f, baseline) -> model`` of joined inputs, whose ICG are the IG of ``f`` from ``baseline``."""

    def f(z):
        return (z[:, 0] ** 2 * z[:, 1].flip(-1) + torch.sin(2 * z[:, 1])).sum(-1)

    source = torch.Generator().manual_seed(8)
    x, other, baseline = (torch.rand(n, 2, 4, generator=source, dtype=torch.float64) for n in (1, 1, 1))
    model = call(function, f, baseline.clone())
    if isinstance(model, Tensor) or not callable(model):
        raise NotYet(f"Return a function of joined inputs; you return a {type(model).__name__}.")

    def output(values, certainty):
        return call_tensor(model, join(values, certainty))

    def f_at(z):
        return f(z).double()

    full, nothing = output(x, 1.0), output(x, 0.0)
    if full.shape != (1,):
        raise NotYet(f"Your model should return one number per input, shape (1,); it returns {tuple(full.shape)}.")
    if close(full, f_at(baseline)) and close(nothing, f_at(x)) and not close(full, f_at(x)):
        raise NotYet("Input and baseline are the wrong way round: at certainty 1 the model should see the input.")
    if close(full, f_at(x)) and close(nothing, f_at(torch.zeros_like(x))):
        raise NotYet("At certainty 0 your model sees zeros. It should see the baseline.")
    if close(full, f_at(x + baseline)):
        raise NotYet(
            "At certainty 1 your model sees input plus baseline. Take as much of one away as comes of the other."
        )
    if not close(full, f_at(x)):
        raise NotYet("At certainty 1 your model should give the output of f at the input.")
    if close(nothing, f_at(x)):
        raise NotYet("Your model does not use the certainty.")
    if close(nothing, f_at(baseline)) and close(output(x, 0.5), (f_at(x) + f_at(baseline)) / 2):
        raise NotYet("You mix two outputs. Mix the inputs, and ask f once.")
    if not close(nothing, f_at(baseline)):
        raise NotYet("At certainty 0 your model should give the output of f at the baseline.")
    if not close(output(x, 0.3), f_at(baseline + 0.3 * (x - baseline))):
        raise NotYet(
            "The ends are right, but at certainty 0.3 your model should see a point three tenths of the straight way "
            "from the baseline to the input."
        )
    if not close(output(other, 0.0), nothing):
        raise NotYet("At certainty 0 the output still depends on the values.")
    options = {"n_steps": 64, "method": "riemann_middle"}
    try:
        found = integrated_certainty_gradients(model, join(x), **options)[0, 0].double()
    except Exception as error:
        raise NotYet(f"Your model has no gradient that autograd can find: {error}") from error
    right = integrated_gradients(f, x, baseline, **options)[0].double()
    part = join(x, torch.tensor([[[1.0, 0.0, 1.0, 0.0]]], dtype=x.dtype))
    mixed = torch.where(split(part)[1] > 0, x, baseline)
    if not close(call_tensor(model, part), f_at(mixed)):
        raise NotYet(
            "Where only some positions are known, the others should be the baseline's. Go position by position."
        )
    meet(found, right.sum(0), [], "The outputs are right, but not their gradient: is anything detached or rounded?")
    print("Right: Integrated Gradients are ICG of a network that lets its input fade to the baseline.")
