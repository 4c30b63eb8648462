"""Every exercise check accepts right answers in any style, and meets each typical mistake with its own hint."""

import torch
from checking import shared_tests

from icg import integrated_certainty_gradients
from icg.certainty import join
from icg_book.burnt_snacks import checks


def grad(f, points):
    points = points.detach().requires_grad_()
    return torch.autograd.grad(f(points).sum(), points)[0]


def middles(n):
    return (torch.arange(n) + 0.5) / n


# --- Integrated Gradients ----------------------------------------------------------------------------------------


def ig(f, x, b, n):
    return (x - b) * grad(f, b + middles(n)[:, None] * (x - b)).mean(0)


def ig_loop(f, x, b, n):
    total = torch.zeros_like(x)
    for k in range(n):
        point = (b + (k + 0.5) / n * (x - b)).requires_grad_()
        f(point[None]).sum().backward()
        total += point.grad
    return total / n * (x - b)


IG_WRONG = {
    "distance": lambda f, x, b, n: ig(f, x, b, n) / (x - b),
    "mean over the steps": lambda f, x, b, n: ig(f, x, b, n) * n,
    "sign is reversed": lambda f, x, b, n: -ig(f, x, b, n),
    "left ends": lambda f, x, b, n: (x - b) * grad(f, b + (torch.arange(n) / n)[:, None] * (x - b)).mean(0),
    "right ends": lambda f, x, b, n: (x - b) * grad(f, b + ((torch.arange(n) + 1) / n)[:, None] * (x - b)).mean(0),
    "from zero": lambda f, x, b, n: ig(f, x, 0 * x, n),
    "multiply by x": lambda f, x, b, n: ig(f, x, b, n) / (x - b) * x,
    "completeness": lambda f, x, b, n: grad(f, x[None])[0] * (x - b),
    "one number per feature": lambda f, x, b, n: ig(f, x, b, n).sum(),
    "returned None": lambda f, x, b, n: None,
    "Return a tensor": lambda f, x, b, n: 3.0,
    "ZeroDivisionError": lambda f, x, b, n: 1 / 0,
    "wrong for f = 3": lambda f, x, b, n: ig(f, x, b, 4) if n == 4 else ig(f, x, b, n) + 1,
}

# --- Share of a mask ---------------------------------------------------------------------------------------------


def share(a, m):
    return a.abs()[m].sum() / a.abs().sum()


SHARE_WRONG = {
    "divided by the amount in the whole": lambda a, m: a.abs()[m].sum(),
    "outside": lambda a, m: 1 - share(a, m),
    "divide signed sums": lambda a, m: a[m].sum() / a.sum(),
    "sum signed values": lambda a, m: a[m].sum(),
    "absolute value of the sum": lambda a, m: a[m].sum().abs(),
    "have cancelled": lambda a, m: a[m].sum().abs() / a.abs().sum(),
    "Inside the mask you sum signed": lambda a, m: a[m].sum() / a.abs().sum(),
    "count pixels": lambda a, m: m.float().mean(),
    "average inside": lambda a, m: a.abs()[m].mean(),
    "divide means": lambda a, m: a.abs()[m].mean() / a.abs().mean(),
    "one number": lambda a, m: a.abs() / a.abs().sum(),
    "Right for one map": lambda a, m: torch.tensor(10 / 13),
    "is not the share": lambda a, m: a[m].max() / a.abs().sum(),
}

# --- The certainty path ------------------------------------------------------------------------------------------


def certainty_path(model, values, n):
    total = 0
    for c in middles(n):
        total = total + grad(model, join(values, c))[:, -1:] / n
    return total


def at(positions):
    return lambda model, values, n: sum(grad(model, join(values, c))[:, -1:] / n for c in positions(n))


CERTAINTY_WRONG = {
    "certainty channel alone": lambda m, v, n: sum(grad(m, join(v, c)) / n for c in middles(n)),
    "other way round": lambda m, v, n: (
        sum(grad(m, join(v * c)) / n for c in middles(n)) * torch.cat([v, 0 * v[:, :1]], 1)
    ),
    "fade the values": lambda m, v, n: sum(grad(m, join(v * c, c))[:, -1:] / n for c in middles(n)),
    "mean over the steps": lambda m, v, n: certainty_path(m, v, n) * n,
    "sign is reversed": lambda m, v, n: -certainty_path(m, v, n),
    "distance in values": lambda m, v, n: certainty_path(m, v, n) * v[:, :1],
    "left ends": at(lambda n: torch.arange(n) / n),
    "right ends": at(lambda n: (torch.arange(n) + 1) / n),
    "one number per position": lambda m, v, n: certainty_path(m, v, n).sum(),
    "mean of dF/dc": lambda m, v, n: grad(m, join(v))[:, -1:],
}

ALL = {
    checks.check_integrated_gradients: (
        [ig, ig_loop, lambda f, x, b, n: ig(f, x, b, n).double()],
        IG_WRONG,
    ),
    checks.check_mass_share: (
        [share, lambda a, m: (a.abs() * m).sum() / a.abs().sum(), lambda a, m: share(a, m).view(1)],
        SHARE_WRONG,
    ),
    checks.check_certainty_path: (
        [
            certainty_path,
            lambda m, v, n: integrated_certainty_gradients(m, join(v), n_steps=n, method="riemann_middle"),
            lambda m, v, n: certainty_path(m, v, n)[0, 0],
        ],
        CERTAINTY_WRONG,
    ),
}
globals().update(shared_tests(ALL))
