"""Checks of the chapter on Burnt Snacks."""

from collections.abc import Callable

import torch
from torch import Tensor

from icg.attribution import integrated_certainty_gradients, integrated_gradients
from icg.certainty import join
from icg.measures import mass_share
from icg.quadrature import quadrature
from icg_book.kit.answers import Values, written
from icg_book.kit.answers import accept as accept

# ---- rules: from the number of steps to where gradients are taken, and how much each counts --------------------


def _rule(method: str) -> Callable[[int], list]:
    """One of the library's."""
    return lambda n: torch.stack(quadrature(method, n)).T.tolist()


_lefts, _rights, _middles = _rule("riemann_left"), _rule("riemann_right"), _rule("riemann_middle")
_trapezoid, _gauss = _rule("riemann_trapezoid"), _rule("gausslegendre")


def _trapezoid_of_steps(n):
    return _trapezoid(n + 1)


def _simpson(n):
    parts = ((0, 1 / 6), (0.5, 4 / 6), (1, 1 / 6))
    return [((k + place) / n, weight / n) for k in range(n) for place, weight in parts]


def _plain(n):
    """The mistake of who counts the ends of ``linspace(0, 1, n)`` in full."""
    return [(k / (n - 1), 1 / n) for k in range(n)]


def _inner(n):
    return [((k + 1) / (n + 1), 1 / n) for k in range(n)]


def _once(place):
    return lambda n: [(place, 1.0)]


def _drawn(seed: int) -> Callable[..., Tensor]:
    """Tensors of normal numbers, others for another seed."""
    generator = torch.Generator().manual_seed(seed)
    return lambda *shape: torch.randn(*shape, generator=generator)


# ---- equation 1 -------------------------------------------------------------------------------------------------


def _integrated_gradients(f, x, baseline, n_steps):
    total = torch.zeros_like(x)
    for k in range(n_steps):
        point = (baseline + (k + 0.5) / n_steps * (x - baseline)).requires_grad_()
        (gradient,) = torch.autograd.grad(f(point[None]).sum(), point)
        total = total + gradient
    return (x - baseline) * total / n_steps


def _integrated_cases(seed: int) -> list[tuple]:
    cube = written("x1³", lambda z: z[:, 0] ** 3)
    product = written("x1² x2", lambda z: z[:, 0] ** 2 * z[:, 1])
    waves = written("x1² x2 + sin x3", lambda z: z[:, 0] ** 2 * z[:, 1] + torch.sin(z[:, 2]))
    all_of_it = written("Σ sin(2 xi) + exp(Σ xi / 4)", lambda z: (2 * z).sin().sum(1) + (z.sum(1) / 4).exp())
    normal = _drawn(seed)
    return [
        (cube, torch.tensor([2.0]), torch.tensor([1.0]), 2),
        (product, torch.tensor([1.0, 2.0]), torch.tensor([0.5, -1.0]), 3),
        (waves, torch.tensor([1.0, 2.0, 0.5]), torch.tensor([0.5, -1.0, 1.5]), 4),
        (waves, normal(3), normal(3), 5),
        (all_of_it, normal(5), normal(5), 3),
        (all_of_it, normal(4), normal(4), 8),
    ]


def _path(rule: Callable, f, x, baseline, n):
    """The mean gradient by a rule."""
    places, weights = torch.tensor(rule(n)).T
    points = (baseline + places[:, None] * (x - baseline)).requires_grad_()
    (gradients,) = torch.autograd.grad(f(points).sum(), points)
    return weights @ gradients


def _by(rule: Callable):
    """Equation 1 by another rule."""
    return lambda f, x, b, n: (x - b) * _path(rule, f, x, b, n)


def _mean_gradient(f, x, b, n):
    return _path(_middles, f, x, b, n)


check_integrated_gradients = Values(
    task="``function(f, x, baseline, n_steps) -> attributions``, ``(D,)`` each; ``f`` takes ``(N, D)`` to ``(N,)``.",
    stub="my_integrated_gradients",
    reference=_integrated_gradients,
    cases=_integrated_cases,
    returns="one number for each feature",
    tolerance=5e-4,  # differences of single precision are welcome, too
    library=(integrated_gradients,),
    praise="Right: that is equation 1, by the middle rule.",
    otherwise="Take the gradient of `f` at the middle of each of the `n_steps` steps; average, and multiply by x - x'.",
    hints={
        "You return the mean gradient. Equation 1 multiplies it by the distance x - x'.": _mean_gradient,
        "Your numbers are n_steps times too large: take the mean over the steps, not the sum.": (
            lambda f, x, b, n: n * _by(_middles)(f, x, b, n)
        ),
        "Your numbers are n_steps times too small: you divide by it twice.": (
            lambda f, x, b, n: _by(_middles)(f, x, b, n) / n
        ),
        "Every sign is reversed: the distance is x - x', input minus baseline.": (
            lambda f, x, b, n: -_by(_middles)(f, x, b, n)
        ),
        "You evaluate at the left ends of the steps, (0, 1/n, …); use their middles, (k + 0.5)/n.": _by(_lefts),
        "You evaluate at the right ends of the steps, (1/n, …, 1); use their middles, (k + 0.5)/n.": _by(_rights),
        "These are the points of the trapezoid rule; use the middles of the steps, (k + 0.5)/n.": (
            _by(_trapezoid),
            _by(_trapezoid_of_steps),
        ),
        "You average over `linspace(0, 1, …)`, the ends of the steps; use their middles, (k + 0.5)/n.": (
            _by(_plain),
            _by(lambda n: _plain(n + 1)),
        ),
        "You take the points between the two ends, (k + 1)/(n + 1); use the middles of the steps, (k + 0.5)/n.": (
            _by(_inner)
        ),
        "You take one gradient, at the input. Average those along the way from the baseline.": _by(_once(1.0)),
        "You take one gradient, at the baseline. Average those along the way to the input.": _by(_once(0.0)),
        "You take one gradient, half-way. Average those at the middles of all `n_steps` steps.": _by(_once(0.5)),
        "You take another number of steps. It is passed in: `n_steps`.": (
            *(lambda f, x, b, n, m=m: _by(_middles)(f, x, b, m) for m in (10, 20, 50, 100, 300)),
            *(lambda f, x, b, n, m=m: _by(_middles)(f, x, b, n + m) for m in (-1, 1)),
        ),
        "You integrate from zero. Start from the baseline that is passed in.": (
            lambda f, x, b, n: _by(_middles)(f, x, torch.zeros_like(x), n)
        ),
        "You take the points between zero and x. Start from the baseline that is passed in.": (
            lambda f, x, b, n: (x - b) * _mean_gradient(f, x, torch.zeros_like(x), n)
        ),
        "You multiply by x. Equation 1 multiplies by the distance x - x'.": (
            lambda f, x, b, n: x * _mean_gradient(f, x, b, n)
        ),
        "You multiply by the absolute distance. Its sign matters: x - x'.": (
            lambda f, x, b, n: (x - b).abs() * _mean_gradient(f, x, b, n)
        ),
        "You multiply by the distance twice.": lambda f, x, b, n: (x - b) * _by(_middles)(f, x, b, n),
        "You return the sum over the features. Return one number for each.": (
            lambda f, x, b, n: _by(_middles)(f, x, b, n).sum()
        ),
    },
)

# ---- a share of the credit --------------------------------------------------------------------------------------


def _share(attribution, mask):
    inside, everywhere = 0.0, 0.0
    for value, within in zip(attribution.flatten().tolist(), mask.flatten().tolist(), strict=True):
        everywhere += abs(value)
        if within:
            inside += abs(value)
    return inside / everywhere


def _share_cases(seed: int) -> list[tuple]:
    normal = _drawn(seed)

    def some(*shape):
        """A mask with pixels on both sides."""
        mask = normal(*shape) > 0.3
        mask[0, 0], mask[-1, -1] = True, False
        return mask

    return [
        (torch.tensor([[1.0, -3.0]]), torch.tensor([[True, False]])),
        (torch.tensor([[0.0, 2.0], [6.0, 0.0]]), torch.tensor([[False, True], [False, True]])),
        (torch.tensor([[1.0, -4.0], [0.5, -1.0]]), torch.tensor([[True, True], [False, False]])),
        (normal(3, 4), some(3, 4)),
        (0.02 * normal(5, 2), some(5, 2)),
        (50 * normal(7, 9), some(7, 9)),
    ]


check_mass_share = Values(
    task="``function(attribution, mask) -> share`` of the absolute attribution inside a mask, both ``(H, W)``.",
    stub="my_share",
    reference=_share,
    cases=_share_cases,
    returns="one number",
    library=(mass_share,),
    praise="Right: that is the share of the credit in the mask.",
    otherwise="Not the share: add up the absolute credit inside the mask, and divide by that of the whole map.",
    hints={
        "You return the amount inside the mask. A share is divided by the amount in the whole map.": (
            lambda a, m: a.abs()[m].sum()
        ),
        "This is the share outside of the mask.": lambda a, m: a.abs()[~m].sum() / a.abs().sum(),
        "You return per cent. Return the share itself, between 0 and 1.": lambda a, m: 100 * _share(a, m),
        "You divide signed sums: opposite credits cancel. Take absolute values first.": (
            lambda a, m: a[m].sum() / a.sum(),
            lambda a, m: (a[m].sum() / a.sum()).abs(),
        ),
        "You sum signed values: opposite credits cancel. Take absolute values first.": lambda a, m: a[m].sum(),
        "You take the absolute value of the sum: opposite credits have cancelled already. Take it before summing.": (
            lambda a, m: a[m].sum().abs()
        ),
        "Inside the mask, opposite credits have cancelled. Take absolute values before you sum, there too.": (
            lambda a, m: a[m].sum().abs() / a.abs().sum()
        ),
        "Inside the mask you sum signed values. Take absolute values before you sum, there too.": (
            lambda a, m: a[m].sum() / a.abs().sum()
        ),
        "In the whole map, opposite credits have cancelled. Take absolute values before you sum, there too.": (
            lambda a, m: a.abs()[m].sum() / a.sum(),
            lambda a, m: a.abs()[m].sum() / a.sum().abs(),
        ),
        "You count positive credit only. Credit against counts as much: take absolute values.": (
            lambda a, m: a.clamp(min=0)[m].sum() / a.clamp(min=0).sum(),
            lambda a, m: a.clamp(min=0)[m].sum() / a.abs().sum(),
        ),
        "You square the credits. Take their absolute values.": (
            lambda a, m: a[m].square().sum() / a.square().sum(),
            lambda a, m: (a[m].square().sum() / a.square().sum()).sqrt(),
        ),
        "You count pixels. Weigh each pixel by its absolute attribution.": lambda a, m: m.float().mean(),
        "You average inside the mask. Sum instead, and divide by the sum over the whole map.": (
            lambda a, m: a.abs()[m].mean()
        ),
        "You divide means, so the sizes of mask and map count. Divide sums.": (
            lambda a, m: a.abs()[m].mean() / a.abs().mean(),
            lambda a, m: a.abs()[m].mean() / a.abs().sum(),
        ),
        "You divide by a number of pixels. Divide by the absolute credit of the whole map.": (
            lambda a, m: a.abs()[m].sum() / a.numel()
        ),
        "You divide by what is outside of the mask. Divide by the absolute credit of the whole map.": (
            lambda a, m: a.abs()[m].sum() / a.abs()[~m].sum()
        ),
        "You compare the largest credits. Add them up.": lambda a, m: a.abs()[m].max() / a.abs().max(),
    },
)

# ---- the other path ---------------------------------------------------------------------------------------------


def _icg(model, values, n_steps):
    total = torch.zeros_like(values[:, :1])
    for k in range(n_steps):
        certainty = torch.full_like(values[:, :1], (k + 0.5) / n_steps)
        joined = torch.cat([values, certainty], 1).requires_grad_()
        (gradient,) = torch.autograd.grad(model(joined).sum(), joined)
        total = total + gradient[:, -1:]
    return total / n_steps


def _aware(formula: str, function: Callable) -> Callable[[Tensor], Tensor]:
    """A certainty-aware model of joined inputs, from a function of values and certainty."""
    model = written(formula, lambda joined: function(joined[:, :-1], joined[:, -1:]))
    model.certainty_aware = True
    return model


def _whole(x: Tensor) -> Tensor:
    return x.flatten(1).sum(1)


def _icg_cases(seed: int) -> list[tuple]:
    cubic = _aware("Σ x c³", lambda x, c: _whole(x * c**3))
    crossed = _aware("(Σ x c)³ + Σ c⁴", lambda x, c: _whole(x * c) ** 3 + _whole(c**4))
    jump = _aware(
        "sigmoid(4 Σ x c - 1) + Σ exp(c)/4", lambda x, c: (4 * _whole(x * c) - 1).sigmoid() + _whole(c.exp()) / 4
    )
    mixed = _aware("Σ x² sin(3 c) + (Σ c)²/4", lambda x, c: _whole(x**2 * (3 * c).sin()) + _whole(c) ** 2 / 4)
    normal = _drawn(seed)
    return [
        (cubic, torch.tensor([[[2.0, -1.0]]]), 2),
        (crossed, torch.tensor([[[0.2, 0.9, 0.4], [0.1, -0.5, 0.3]]]), 3),
        (mixed, normal(1, 1, 3), 4),
        (jump, normal(1, 1, 2, 3), 3),
        (mixed, normal(1, 3, 2, 2), 5),
    ]


def _collected(at: Callable = join, rule: Callable = _middles):
    """Mean gradients of all channels along a path; ``at(values, places)`` are its points."""

    def answer(model, values, n):
        places, weights = (part.view(-1, *[1] * (values.ndim - 1)) for part in torch.tensor(rule(n)).T)
        joined = at(values.expand(len(places), *values.shape[1:]), places).requires_grad_()
        (gradients,) = torch.autograd.grad(model(joined).sum(), joined)
        return (weights * gradients).sum(0, keepdim=True)

    return answer


def _certainty(at: Callable = join, rule: Callable = _middles):
    """The certainty channel alone."""
    return lambda model, values, n: _collected(at, rule)(model, values, n)[:, -1:]


def _values_moved(model, values, n):
    """Integrated Gradients from black, of the value channels."""
    return values * _collected(lambda values, place: join(values * place))(model, values, n)[:, :-1]


check_certainty_path = Values(
    task="``function(model, values, n_steps) -> attributions``: ICG of ``(1, C, ...)`` values, ``(1, 1, ...)``.",
    stub="my_icg",
    reference=_icg,
    # The task leaves the rule to the reader.
    also=(
        *(_certainty(rule=rule) for rule in (_lefts, _rights, _trapezoid, _trapezoid_of_steps, _simpson, _gauss)),
        lambda model, values, n: integrated_certainty_gradients(model, join(values), n_steps=n),
    ),
    cases=_icg_cases,
    returns="one number for each position",
    library=(integrated_certainty_gradients, integrated_gradients),
    praise="Right: values held still, certainty from 0 to 1.",
    otherwise="Take the mean of dF/dc over the path: at each step, join the same values with certainty (k + 0.5)/n.",
    hints={
        "You move the values and keep the certainty. Do it the other way round.": (
            _values_moved,
            lambda model, values, n: _values_moved(model, values, n).sum(1, keepdim=True),
            lambda model, values, n: torch.cat([_values_moved(model, values, n), 0 * values[:, :1]], 1),
            _certainty(lambda values, place: join(values * place)),
        ),
        "Return the certainty channel alone, one number per position: `[:, -1:]` or `icg.certainty.split`.": (
            _collected(),
            lambda model, values, n: join(values) * _collected()(model, values, n),
            lambda model, values, n: join(0 * values) * _collected()(model, values, n),
            lambda model, values, n: (
                join(values) * _collected(lambda values, place: join(values * place, place))(model, values, n)
            ),
        ),
        "You fade the values as well. Hold them still and move only the certainty from 0 to 1.": (
            _certainty(lambda values, place: join(values * place, place)),
            _certainty(lambda values, place: join(0 * values, place)),
        ),
        "Your numbers are n_steps times too large: take the mean over the steps, not the sum.": (
            lambda model, values, n: n * _icg(model, values, n)
        ),
        "Your numbers are n_steps times too small: you divide by it twice.": (
            lambda model, values, n: _icg(model, values, n) / n
        ),
        "Every sign is reversed: integrate from certainty 0 to certainty 1.": (
            lambda model, values, n: -_icg(model, values, n)
        ),
        "No distance in values: the certainty moves by 1 everywhere.": (
            lambda model, values, n: values * _icg(model, values, n),
            lambda model, values, n: values[:, :1] * _icg(model, values, n),
            lambda model, values, n: values.sum(1, keepdim=True) * _icg(model, values, n),
        ),
        "You multiply each gradient by its certainty. The certainty moves by 1 in all: take the plain mean.": (
            _certainty(rule=lambda n: [(place, place * weight) for place, weight in _middles(n)])
        ),
        "You average over `linspace(0, 1, …)`, where the two ends stand for half a step each: use the middles of the "
        "steps, (k + 0.5)/n.": (
            _certainty(rule=_plain),
            _certainty(rule=lambda n: _plain(n + 1)),
        ),
        "You take the points between the two ends, (k + 1)/(n + 1): use the middles of the steps, (k + 0.5)/n.": (
            _certainty(rule=_inner)
        ),
        "You take one gradient, at full certainty. Average those along the way from certainty 0.": (
            _certainty(rule=_once(1.0))
        ),
        "You take one gradient, at certainty 0. Average those along the way to certainty 1.": (
            _certainty(rule=_once(0.0))
        ),
        "You take one gradient, at certainty 0.5. Average those of all `n_steps` steps.": _certainty(rule=_once(0.5)),
        "You take another number of steps. It is passed in: `n_steps`.": (
            *(lambda model, values, n, m=m: _certainty()(model, values, m) for m in (10, 20, 50, 100)),
            *(lambda model, values, n, m=m: _certainty()(model, values, n + m) for m in (-1, 1)),
        ),
        "This is the gradient of the values. The certainty is the last channel.": (
            lambda model, values, n: _collected()(model, values, n)[:, :1],
            lambda model, values, n: _collected()(model, values, n)[:, :-1],
        ),
        "You add up the channels. Keep the last one alone, the certainty.": (
            lambda model, values, n: _collected()(model, values, n).sum(1, keepdim=True)
        ),
        "You return the sum over the positions. Return one number for each.": (
            lambda model, values, n: _icg(model, values, n).sum()
        ),
    },
)
