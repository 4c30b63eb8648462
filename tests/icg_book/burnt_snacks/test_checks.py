"""Every exercise check accepts right answers in any style, and meets each typical mistake with its own hint."""

import numpy as np
import torch
from checking import shared_tests

import icg
from icg.certainty import join, split
from icg_book.burnt_snacks import checks


def grad(f, points):
    points = points.detach().requires_grad_()
    return torch.autograd.grad(f(points).sum(), points)[0]


def middles(n):
    return (torch.arange(n) + 0.5) / n


# --- Integrated Gradients ----------------------------------------------------------------------------------------


def along(f, x, b, places):
    """Mean gradient at some places of the path."""
    return grad(f, b + places[:, None] * (x - b)).mean(0)


def ig(f, x, b, n):
    return (x - b) * along(f, x, b, middles(n))


def ig_loop(f, x, b, n):
    total = torch.zeros_like(x)
    for k in range(n):
        point = (b + (k + 0.5) / n * (x - b)).requires_grad_()
        f(point[None]).sum().backward()
        total += point.grad
    return total / n * (x - b)


def ig_functional(f, x, b, n):
    points = torch.lerp(b, x, torch.linspace(0.5 / n, 1 - 0.5 / n, n)[:, None])
    gradients = torch.func.vmap(torch.func.grad(lambda point: f(point[None])[0]))(points)
    return torch.einsum("nd,d->d", gradients, x - b).numpy() / n


def ig_jacobian(f, x, b, n):
    """From the input to the baseline, one feature after the other, in lists."""
    found = [0.0] * len(x)
    for place in middles(n).flip(0):
        (row,) = torch.autograd.functional.jacobian(f, (place * x + (1 - place) * b)[None])
        for d in range(len(x)):
            found[d] += float((x[d] - b[d]) * row[0, d]) / n
    return found


def ig_differences(f, x, b, n, h=1e-4):
    x, b = x.double(), b.double()
    found = torch.zeros_like(x)
    for k in range(n):
        point = (b + (k + 0.5) / n * (x - b)).repeat(len(x), 1)
        step = h * torch.eye(len(x), dtype=x.dtype)
        found += (f(point + step) - f(point - step)) / (2 * h) / n
    return found * (x - b)


def ig_single_differences(f, x, b, n):
    points, step = b + middles(n)[:, None] * (x - b), 1e-2 * torch.eye(len(x))
    return (x - b) * torch.stack([(f(points + s) - f(points - s)).mean() / 2e-2 for s in step])


def ig_by_library(f, x, b, n):
    return icg.integrated_gradients(f, x[None], b[None], n_steps=n)[0]


def forgets_to_clear(f, x, b, n):
    total, gradient = torch.zeros_like(x), torch.zeros_like(x)
    for place in middles(n):
        gradient += grad(f, (b + place * (x - b))[None])[0]
        total += gradient
    return total / n * (x - b)


IG_WRONG = {
    "return the mean gradient": lambda f, x, b, n: along(f, x, b, middles(n)),
    "times too large": lambda f, x, b, n: ig(f, x, b, n) * n,
    "times too small": lambda f, x, b, n: ig(f, x, b, n) / n,
    "sign is reversed": lambda f, x, b, n: ig(f, b, x, n),
    "left ends": lambda f, x, b, n: (x - b) * along(f, x, b, torch.arange(n) / n),
    "right ends": lambda f, x, b, n: (x - b) * along(f, x, b, torch.arange(1, n + 1) / n),
    "trapezoid": lambda f, x, b, n: (
        (x - b) * torch.trapezoid(grad(f, b + torch.linspace(0, 1, n + 1)[:, None] * (x - b)), dx=1 / n, dim=0)
    ),
    r"average over `linspace": lambda f, x, b, n: (x - b) * along(f, x, b, torch.linspace(0, 1, n)),
    "between the two ends": lambda f, x, b, n: (x - b) * along(f, x, b, torch.linspace(0, 1, n + 2)[1:-1]),
    "one gradient, at the input": lambda f, x, b, n: grad(f, x[None])[0] * (x - b),
    "one gradient, at the baseline": lambda f, x, b, n: grad(f, b[None])[0] * (x - b),
    "one gradient, half-way": lambda f, x, b, n: grad(f, (b + x)[None] / 2)[0] * (x - b),
    "another number of steps": lambda f, x, b, n: ig(f, x, b, 200),
    "another number of steps.": lambda f, x, b, n: ig(f, x, b, n + 1),
    "from zero": lambda f, x, b, n: ig(f, x, 0 * x, n),
    "between zero and x": lambda f, x, b, n: (x - b) * grad(f, middles(n)[:, None] * x).mean(0),
    "multiply by x": lambda f, x, b, n: along(f, x, b, middles(n)) * x,
    "absolute distance": lambda f, x, b, n: along(f, x, b, middles(n)) * (x - b).abs(),
    "distance twice": lambda f, x, b, n: ig(f, x, b, n) * (x - b),
    "sum over the features": lambda f, x, b, n: ig(f, x, b, n).sum(),
    "one number for each feature, shape": lambda f, x, b, n: grad(f, b + middles(n)[:, None] * (x - b)) * (x - b),
    r"at the middle of each.*\nFor f = x1³, x = \[2\], baseline = \[1\], n_steps = 2 it": forgets_to_clear,
    r"at the middle of each.*\nFor f = x1² x2, ": lambda f, x, b, n: ig(f, x, b, n) + (len(x) > 1),
    r"at the middle of each.*\nFor f = x1² x2 \+ sin x3": lambda f, x, b, n: ig(f, x, b, min(n, 3)),
    r"at the middle of each.*\nFor f = Σ sin": lambda f, x, b, n: ig(f, x, b, min(n, 7)),  # only the last case has more
    "changes a tensor": lambda f, x, b, n: ig(f, x.sub_(b).add_(b).add_(1), b, n),
    "returned None": lambda f, x, b, n: None,
    "ZeroDivisionError": lambda f, x, b, n: 1 / 0,
    "IndexError": lambda f, x, b, n: grad(f, x),
}

# --- Share of a mask ---------------------------------------------------------------------------------------------


def share(a, m):
    return a.abs()[m].sum() / a.abs().sum()


def share_by_numbers(a, m):
    rows = zip(a.tolist(), m.tolist(), strict=True)
    inside = sum(abs(v) for values, within in rows for v, w in zip(values, within, strict=True) if w)
    return inside / sum(abs(v) for values in a.tolist() for v in values)


def share_by_numpy(a, m):
    return np.abs(a.numpy()[m.numpy()]).sum(keepdims=True) / np.linalg.norm(a.numpy().ravel(), 1)


SHARE_WRONG = {
    "divided by the amount in the whole": lambda a, m: a.abs()[m].sum(),
    "outside of the mask": lambda a, m: 1 - share(a, m),
    "return per cent": lambda a, m: 100 * share(a, m),
    "divide signed sums": lambda a, m: a[m].sum() / a.sum(),
    "sum signed values": lambda a, m: a[m].sum(),
    "absolute value of the sum": lambda a, m: a[m].sum().abs(),
    "Inside the mask, opposite credits have cancelled": lambda a, m: a[m].sum().abs() / a.abs().sum(),
    "Inside the mask you sum signed": lambda a, m: a[m].sum() / a.abs().sum(),
    "In the whole map, opposite": lambda a, m: a.abs()[m].sum() / a.sum(),
    "positive credit only": lambda a, m: a.relu()[m].sum() / a.relu().sum(),
    "square the credits": lambda a, m: a[m].norm() / a.norm(),
    "count pixels": lambda a, m: m.float().mean(),
    "average inside": lambda a, m: a.abs()[m].mean(),
    "divide means": lambda a, m: a.abs()[m].mean() / a.abs().mean(),
    "by a number of pixels": lambda a, m: (a.abs() * m).mean(),
    "divide by what is outside": lambda a, m: share(a, m) / (1 - share(a, m)),
    "largest credits": lambda a, m: a[m].abs().max() / a.abs().max(),
    "one number; yours has shape": lambda a, m: a.abs() / a.abs().sum(),
    r"Not the share.*\nFor attribution = \[\[1, -3\]\], mask = \[\[True, False\]\] it returned 0.3": lambda a, m: 0.3,
    r"Not the share.*\nFor attribution = \[\[0, 2\], \[6, 0\]\]": lambda a, m: torch.tensor(0.25 + (len(a) > 1)),
    r"Not the share.*\nFor.*mask = \(7, 9\) numbers": lambda a, m: share(a[:6, :6], m[:6, :6]),
    "Not the share": lambda a, m: (a.abs() * m)[0].sum() / a.abs()[0].sum(),
    "returned None": lambda a, m: print(end=""),
}

# --- The certainty path ------------------------------------------------------------------------------------------


def certainty_path(model, values, n):
    total = 0
    for c in middles(n):
        total = total + grad(model, join(values, c))[:, -1:] / n
    return total


def at(positions):
    """The mean gradient at some certainties, in one batch."""

    def answer(model, values, n):
        places = positions(n).view(-1, *[1] * (values.ndim - 1))
        return split(grad(model, join(values.expand(len(places), *values.shape[1:]), places)))[1].mean(0, keepdim=True)

    return answer


def by_certainty(model, values, n):
    """Differentiates with respect to the certainty alone, from 1 down to 0; returns one number per position."""
    total = np.zeros(values.shape[2:])
    for k in reversed(range(n)):
        certainty = torch.full_like(values[0, 0], (2 * k + 1) / (2 * n)).requires_grad_()
        model(torch.cat([values[0], certainty[None]])[None]).backward()
        total += certainty.grad.numpy()
    return (total / n).tolist()


def by_functional(model, values, n):
    joined = torch.cat([values, torch.ones_like(values[:, :1])], 1)
    points = joined.repeat(n, *[1] * (values.ndim - 1))
    points[:, -1] = middles(n).view(-1, *[1] * (values.ndim - 2))
    gradients = torch.func.vmap(torch.func.grad(lambda point: model(point[None])[0]))(points)
    return gradients[:, -1].mean(0)


def by_differences(model, values, n, h=1e-3):
    values, found = values.double(), torch.zeros_like(values[:, :1], dtype=torch.float64)
    for c in middles(n).tolist():
        for k in range(found.numel()):
            step = torch.zeros_like(found)
            step.view(-1)[k] = h
            found.view(-1)[k] += ((model(join(values, c + step)) - model(join(values, c - step))) / (2 * h * n)).item()
    return found


def trapezoid(model, values, n):
    places = torch.linspace(0, 1, n)
    return torch.trapezoid(torch.cat([grad(model, join(values, c))[:, -1:] for c in places]), places, dim=0)[None]


def gauss(model, values, n):
    nodes, weights = np.polynomial.legendre.leggauss(n)
    pairs = zip((nodes + 1) / 2, weights / 2, strict=True)
    return sum(w * grad(model, join(values, c))[:, -1:] for c, w in pairs)


def from_black(model, values, n):
    return icg.integrated_gradients(model, join(values), join(torch.zeros_like(values)), n_steps=n)


def total_change(model, values, n):
    certainty = torch.zeros((), requires_grad=True)
    total = 0.0
    for k in range(n):
        points = torch.cat([values, (certainty + (k + 0.5) / n).expand_as(values[:, :1])], 1)
        total += torch.autograd.grad(model(points).sum(), certainty)[0] / n
    return total.expand(1, 1, *values.shape[2:])


def one_at_a_time(others):
    def answer(model, values, n):
        found = torch.zeros_like(values[:, :1])
        for k in range(found.numel()):
            for c in middles(n):
                certainty = torch.full_like(found, others)
                certainty.view(-1)[k] = c
                found.view(-1)[k] += grad(model, join(values, certainty))[:, -1:].reshape(-1)[k] / n
        return found

    return answer


CERTAINTY_WRONG = {
    "values and keep the certainty": from_black,
    "values and keep the certainty.": lambda m, v, n: from_black(m, v, n)[:, :-1],
    "the values and keep the certainty": lambda m, v, n: from_black(m, v, n).sum(1, keepdim=True),
    "Return the certainty channel alone": lambda m, v, n: sum(grad(m, join(v, c)) / n for c in middles(n)),
    "the certainty channel alone, one": lambda m, v, n: icg.integrated_gradients(m, join(v), 0.0 * join(v), n_steps=n),
    "fade the values": lambda m, v, n: sum(grad(m, join(v * c, c))[:, -1:] / n for c in middles(n)),
    "times too large": lambda m, v, n: certainty_path(m, v, n) * n,
    "times too small": lambda m, v, n: certainty_path(m, v, n) / n,
    "sign is reversed": lambda m, v, n: -certainty_path(m, v, n),
    "distance in values": lambda m, v, n: certainty_path(m, v, n) * v,
    "each gradient by its certainty": lambda m, v, n: sum(c * grad(m, join(v, c))[:, -1:] / n for c in middles(n)),
    r"average over `linspace": at(lambda n: torch.linspace(0, 1, n)),
    r"average over `linspace\(0, 1, …": at(lambda n: torch.linspace(0, 1, n + 1)),
    "between the two ends": at(lambda n: torch.arange(1, n + 1) / (n + 1)),
    "at full certainty": lambda m, v, n: grad(m, join(v))[:, -1:],
    "at certainty 0.": at(lambda n: torch.zeros(1)),
    r"at certainty 0\.5": at(lambda n: torch.full((1,), 0.5)),
    "another number of steps": lambda m, v, n: certainty_path(m, v, 50),
    "gradient of the values": lambda m, v, n: sum(grad(m, join(v, c))[:, :1] / n for c in middles(n)),
    "add up the channels": lambda m, v, n: sum(grad(m, join(v, c)).sum(1, keepdim=True) / n for c in middles(n)),
    "sum over the positions": lambda m, v, n: certainty_path(m, v, n).sum(),
    "one number for each position, shape": lambda m, v, n: certainty_path(m, v, n)[..., :-1],
    r"Take the mean of dF/dc.*\nFor model = Σ x c³, values = \[\[\[2, -1\]\]\], n_steps = 2": total_change,
    r"Take the mean of dF/dc.*\nFor model = \(Σ x c\)³": one_at_a_time(1.0),
    r"the mean of dF/dc.*\nFor model = \(Σ x c\)³": one_at_a_time(0.0),
    r"dF/dc over the path.*\nFor model": lambda m, v, n: (m(join(v)) - m(join(v, 0.0))) * torch.ones_like(v[:, :1]),
    "returned None": lambda m, v, n: None,
    "stopped with ValueError": lambda m, v, n: grad(m, join(v[0, 0])),
}

ALL = {
    checks.check_integrated_gradients: (
        [
            ig, ig_loop, ig_functional, ig_jacobian, ig_differences, ig_single_differences, ig_by_library,
            lambda f, x, b, n: ig(f, x, b, n).double(),
        ],
        IG_WRONG,
    ),
    checks.check_mass_share: (
        [
            share,
            share_by_numbers,
            share_by_numpy,
            lambda a, m: (a.abs() * m).sum() / a.abs().sum(),
            lambda a, m: 1 - a.abs().masked_fill(m, 0).sum() / a.abs().sum(),
            lambda a, m: torch.where(m, a, 0).norm(1).half() / a.norm(1).half(),
            lambda a, m: icg.measures.mass_share(a[None, None], m[None, None]),
        ],
        SHARE_WRONG,
    ),
    checks.check_certainty_path: (
        [
            certainty_path, at(middles), by_certainty, by_functional, by_differences,
            # the task leaves the rule to the reader
            at(lambda n: torch.arange(n) / n), at(lambda n: (torch.arange(n) + 1) / n), trapezoid, gauss,
            lambda m, v, n: trapezoid(m, v, n + 1),
            lambda m, v, n: icg.integrated_certainty_gradients(m, join(v), n_steps=n, method="riemann_middle"),
            lambda m, v, n: icg.integrated_certainty_gradients(m, join(v), n_steps=n),
            lambda m, v, n: icg.integrated_gradients(m, join(v), join(v, 0.0), n_steps=n)[:, -1:],
            lambda m, v, n: certainty_path(m, v, n)[0, 0].half(),
        ],
        CERTAINTY_WRONG,
    ),
}  # fmt: skip
globals().update(
    shared_tests(
        ALL,
        right_anyway={
            checks.check_certainty_path: {
                r"'k \+ 0.5': left operand only|'0.5': 0.5 -> (0|1.0)$": "the left and the right ends of the steps: "
                "the task leaves the rule to the reader"
            }
        },
    )
)
