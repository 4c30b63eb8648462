"""The checks of the chapter on baselines accept right answers in any style, and name each typical mistake."""

import inspect
import re
from pathlib import Path

import nbformat
import numpy as np
import torch
from checking import shared_tests

import icg
from icg_book.baselines import checks
from icg_book.scenarios import glyphs

NOTEBOOK = nbformat.read(Path(__file__).resolve().parents[3] / "book" / "baselines.ipynb", as_version=4)

# --- blind pixels


def blind(image, baselines):
    return (image == baselines).all(0)


def blind_loop(image, baselines):
    mask = torch.ones(image.shape, dtype=torch.bool)
    for baseline in baselines:
        mask &= (image - baseline).abs() == 0
    return mask


def blind_by_numbers(image, baselines):
    rows, columns = image.shape
    return [[all(b[i, j].item() == image[i, j].item() for b in baselines) for j in range(columns)] for i in range(rows)]


def blind_by_ends(image, baselines):
    return ((baselines.amin(0) == image) & (baselines.amax(0) == image)).int()


BLIND_WRONG = {
    "yours has one for each baseline": lambda i, b: i == b,
    r"\*some\* baseline": lambda i, b: (i == b).any(0),
    r"equal \*some\* baseline": lambda i, b: (i - b).prod(0) == 0,
    "mean of the baselines": lambda i, b: i == b.mean(0),
    "mean of the baselines: a pixel": lambda i, b: (b - i).sum(0).abs() < 1e-5,
    "what can be seen": lambda i, b: ~blind(i, b),
    "where every baseline differs": lambda i, b: (i != b).all(0),
    "black pixels": lambda i, b: i == 0,
    "baselines alone": lambda i, b: b.amin(0) == b.amax(0),
    "first baseline only": lambda i, b: i == b[0],
    "last baseline only": lambda i, b: i == b[-1],
    "first two baselines": lambda i, b: blind(i, b[:2]),
    "found no pixel": lambda i, b: torch.zeros_like(i),
    "nearly equal": lambda i, b: torch.isclose(i, b, atol=1e-3).all(0),
    "nearly equal b|nearly equal g": lambda i, b: ((i - b).abs() < 0.05).all(0),
    "ask whether all pixels are blind": lambda i, b: torch.equal(i.expand_as(b), b),
    "count the baselines": lambda i, b: (i == b).float().mean(0),
    "distances from": lambda i, b: (i - b).abs().mean(0),
    r"one by one.*\nFor image = \[\[0, 0.5, 1\]\], baselines = \[\[\[0.5, 0.5, 0\]\]\] it returned \[\[1, 1, 1\]\]": (
        lambda i, b: torch.ones_like(i)
    ),
    r"one by one.*\nFor image = \[\[0.5, 0.5, 0.25, 0\]\]": lambda i, b: (i == b).float().mean(0) >= 0.5,
    r"one by one.*\nFor image = \[\[0.5, 0.5, 0.25, 0": lambda i, b: b.amin(0) == i,
    r"one by one, then ask.*\nFor image = \[\[0.5, 0.5, 0.25, 0": lambda i, b: blind(i, b) & (i > 0.3),
    "Return a mask.*yours has shape": lambda i, b: blind(i, b).flatten(),
    "True or False for each pixel, shape": lambda i, b: (i == b).all(-1),
    "returned None": lambda i, b: None,
    "AttributeError": lambda i, b: i.equals(b),
    "changes a tensor": lambda i, b: (i.sub_(1).add_(1.5) == b).all(0),
}

# --- the farthest point


def far(x, low, high):
    return torch.where(x < (low + high) / 2, high, low)


def far_by_distance(x, low, high):
    ends = torch.tensor([low, high]).view(2, *[1] * x.ndim).expand(2, *x.shape)
    return ends.gather(0, (ends - x).abs().argmax(0)[None])[0]


def far_by_numbers(x, low, high):
    """In nested lists; the other end in a tie."""
    if x.ndim == 0:
        return max((high, low), key=lambda end: abs(end - x.item()))
    return [far_by_numbers(part, low, high) for part in x]


def far_by_mask(x, low, high):
    answer = np.full(x.shape, low, dtype=np.float16)
    answer[x.numpy() <= 0.5 * low + 0.5 * high] = high
    return answer


def far_by_arithmetic(x, low, high):
    below = ((high - x) >= (x - low)).double()
    return below * high + (1 - below) * low


def far_in_place(x, low, high):
    x[:] = far(x, low, high)
    return x


FAR_WRONG = {
    "reflect x about": lambda x, low, high: low + high - x,
    "nearer end": lambda x, low, high: torch.where(x < (low + high) / 2, low, high),
    "sign of x": lambda x, low, high: torch.where(x < 0, high, low),
    "decide at 0.5": lambda x, low, high: torch.where(x < 0.5, high, low),
    "half of the range's width": lambda x, low, high: torch.where(x < (high - low) / 2, high, low),
    "half of `high`": lambda x, low, high: torch.where(x > high / 2, low, high),
    "mean of x": lambda x, low, high: torch.where(x < x.mean(), high, low),
    "absolute values": lambda x, low, high: torch.where(x.abs() < abs(high), high, low),
    "You go to 0 or 1": lambda x, low, high: (x < (low + high) / 2).float(),
    r"range is \[0, 1\]": lambda x, low, high: 1 - x,
    "how far away": lambda x, low, high: torch.maximum(x - low, high - x),
    "the step to": lambda x, low, high: far(x, low, high) - x,
    "middle is never": lambda x, low, high: torch.full_like(x, (low + high) / 2),
    "same end": lambda x, low, high: torch.full_like(x, low),
    "same end. D": lambda x, low, high: [high] * len(x) if x.ndim == 1 else torch.full(x.shape, high),
    "At the middle itself": lambda x, low, high: (low + high) / 2 - (high - low) / 2 * (x - (low + high) / 2).sign(),
    "changes a tensor": far_in_place,
    r"only two candidates.*\nFor x = \[\[0.2, 1.4\]\], low = -1, high = 3 it returned": (
        lambda x, low, high: far(x, low, high) + 0.5
    ),
    r"two candidates.*\nFor x = \[\[0.2, 1.4\]\], low = -1, high = 3 it returned \[\[3, 3\]\]": (
        lambda x, low, high: torch.where((x < low + 2.6) & (x != low), high, low)
    ),
    r"two candidates.*\nFor x = \[\[0, 0.3": lambda x, low, high: torch.where(x < 1, high, low),
    r"two candidates.*\nFor x = \[2.5, 3": lambda x, low, high: far(x, low, 3.0 if high > 1 else high),
    "smallest and the largest value of x": lambda x, low, high: far(x, x.min().item(), x.max().item()),
    "one number for each of x, shape": lambda x, low, high: far(x, low, high).sum(),
    "shape": lambda x, low, high: far(x, low, high)[0],
    "returned None": lambda x, low, high: None,
    "stopped with RuntimeError": lambda x, low, high: high if x < (low + high) / 2 else low,
}

# --- double-sided


def side(f, x, end, n, at=0.5):
    total = 0
    for k in range(n):
        points = (end + (k + at) / n * (x - end)).requires_grad_()
        total = total + torch.autograd.grad(f(points).sum(), points)[0] / n
    return (x - end) * total


def double(f, x, low, high, n):
    return (side(f, x, low, n) + side(f, x, high, n)) / 2


def double_at(f, x, low, high, places):
    """The mean over some places of the paths."""
    found = 0
    for end in (low, high):
        points = torch.stack([end + p * (x - end) for p in places.tolist()]).requires_grad_()
        (gradients,) = torch.autograd.grad(f(points.reshape(-1, x.shape[1])).sum(), points)
        found = found + gradients.mean(0) * (x - end) / 2
    return found


def double_by_library(f, x, low, high, n):
    ends = torch.stack([torch.full_like(x[0], low), torch.full_like(x[0], high)])
    return icg.integrated_gradients(f, x, icg.baselines.every(ends), n_steps=n).double()


def double_by_two_calls(f, x, low, high, n):
    return sum(icg.integrated_gradients(f, x, end, n_steps=n) for end in (low, high)).numpy() / 2


def double_by_rows(f, x, low, high, n):
    """One input, one feature at a time, by differences; in lists."""
    x, h, rows = x.double(), 1e-4, []
    for row in x:
        credits = []
        for d in range(len(row)):
            step = h * torch.eye(len(row), dtype=x.dtype)[d]
            total = 0.0
            for end in (high, low):
                points = end + (torch.arange(n)[:, None] + 0.5) / n * (row - end)
                total += ((f(points + step) - f(points - step)).mean() / (2 * h) * (row[d] - end)).item()
            credits.append(total / 2)
        rows.append(credits)
    return rows


def double_functional(f, x, low, high, n):
    gradient = torch.func.vmap(torch.func.grad(lambda point: f(point[None])[0]))
    places = torch.linspace(0.5 / n, 1 - 0.5 / n, n)
    one, other = (
        (x - end) * sum(gradient(torch.lerp(torch.full_like(x, end), x, p)) for p in places) / n for end in (low, high)
    )
    return torch.stack([one, other]).mean(0)


def gradients(f, x, low, high, n):
    """The mean gradient of both sides, times 1."""
    found = 0
    for end in (low, high):
        for place in middles(n):
            points = (end + place * (x - end)).requires_grad_()
            found = found + torch.autograd.grad(f(points).sum(), points)[0] / (2 * n)
    return found


def sides(f, x, low, high, n):
    return side(f, x, low, n), side(f, x, high, n)


def middles(n):
    return (torch.arange(n) + 0.5) / n


DOUBLE_WRONG = {
    "mean baseline, not": lambda f, x, low, high, n: side(f, x, (low + high) / 2, n),
    "add the two": lambda f, x, low, high, n: sum(sides(f, x, low, high, n)),
    "subtract one side": lambda f, x, low, high, n: (side(f, x, low, n) - side(f, x, high, n)) / 2,
    "`low` only": lambda f, x, low, high, n: side(f, x, low, n),
    "`high` only": lambda f, x, low, high, n: side(f, x, high, n),
    "brackets round the sum": lambda f, x, low, high, n: side(f, x, low, n) + side(f, x, high, n) / 2,
    "halve the mean": lambda f, x, low, high, n: double(f, x, low, high, n) / 2,
    "from `low` to `high`": lambda f, x, low, high, n: side(f, torch.full_like(x, high), low, n),
    "from zero on one side": lambda f, x, low, high, n: (side(f, x, 0.0, n) + side(f, x, high, n)) / 2,
    "from zero on one side.": lambda f, x, low, high, n: double(f, x, 0.0, 1.0, n),
    "larger of the two": lambda f, x, low, high, n: torch.maximum(*sides(f, x, low, high, n)),
    "average absolute credits": lambda f, x, low, high, n: sum(s.abs() for s in sides(f, x, low, high, n)) / 2,
    "return a mean gradient": gradients,
    "mean distance": lambda f, x, low, high, n: gradients(f, x, low, high, n) * (x - (low + high) / 2),
    "each side by x": lambda f, x, low, high, n: gradients(f, x, low, high, n) * x,
    "times too large": lambda f, x, low, high, n: n * double(f, x, low, high, n),
    "times too small": lambda f, x, low, high, n: double(f, x, low, high, n) / n,
    "sign is reversed": lambda f, x, low, high, n: -double(f, x, low, high, n),
    "left ends": lambda f, x, low, high, n: (side(f, x, low, n, 0) + side(f, x, high, n, 0)) / 2,
    "right ends": lambda f, x, low, high, n: (side(f, x, low, n, 1) + side(f, x, high, n, 1)) / 2,
    "average over `linspace": lambda f, x, low, high, n: double_at(f, x, low, high, torch.linspace(0, 1, n)),
    "one gradient for each": lambda f, x, low, high, n: double(f, x, low, high, 1),
    "another number of steps": lambda f, x, low, high, n: double(f, x, low, high, 2 * n),
    "another number of steps: e": lambda f, x, low, high, n: double(f, x, low, high, 64),
    "sum over the features": lambda f, x, low, high, n: double(f, x, low, high, n).sum(1),
    r"average the two\.\nFor f = x1³, x = \[\[0.5\]\], low = 0, high = 2, n_steps = 2 it": (
        lambda f, x, low, high, n: side(f, x, low, n) + side(f, x, 0.3, n)
    ),
    r"average the two\.\nFor f = x1³": lambda f, x, low, high, n: double(f, x, low, high, 4),
    r"average the two\.\nFor f = x1² x2, ": lambda f, x, low, high, n: double(f, x, low, high, min(n, 2)),
    r"average the two\.\nFor f = x1² x2 - sin x3, x = \[\[1": (
        lambda f, x, low, high, n: double(f, x[:1], low, high, n).expand_as(x)  # of the first input
    ),
    r"average the two\.\nFor f = Σ xi³ \+ exp": lambda f, x, low, high, n: double(f, x, low, high, min(n, 5)),
    r"the two\.\nFor f = x1³": lambda f, x, low, high, n: (
        double(f, x, low, high, n) / double(f, x, low, high, n).sum() * f(x).sum()  # forced to be complete
    ),
    "one number for each of x, shape": lambda f, x, low, high, n: double(f, x, low, high, n).mean(0),
    "changes a tensor": lambda f, x, low, high, n: double(f, x.mul_(2).add_(1), low, high, n),
    "returned None": lambda f, x, low, high, n: None,
}

# --- noisy baselines


def noise(x, n, g):
    return torch.randn(n, *x.shape, generator=g)


def noisy(x, std, n, g):
    return (x + std * noise(x, n, g)).clamp(0, 1)


def noisy_loop(x, std, n, g):
    return torch.stack([torch.normal(x, std, generator=g).clip(0, 1) for _ in range(n)])


def noisy_by_numbers(x, std, n, g):
    """Value by value, in lists; normal numbers from uniform ones by Box and Muller."""

    def normal(a, b):
        return (-2 * np.log(1 - a)) ** 0.5 * np.cos(2 * np.pi * b)

    pairs = zip(*torch.rand(2, n * x.numel(), generator=g, dtype=torch.float64).tolist(), strict=True)
    rows = [[min(max(c + std * normal(*next(pairs)), 0.0), 1.0) for c in x.flatten().tolist()] for _ in range(n)]
    return np.array(rows).reshape(n, *x.shape)


def noisy_by_numpy(x, std, n, g):
    """NumPy's randomness, seeded from the generator."""
    random = np.random.default_rng(int(torch.randint(2**31, (), generator=g)))
    return np.clip(random.normal(x.numpy(), std, (n, *x.shape)), 0, 1)


def noisy_in_its_place(x, std, n, g):
    copies = x.repeat(n, *[1] * x.ndim)
    copies += torch.empty_like(copies).normal_(0, std, generator=g)
    return list(torch.minimum(torch.maximum(copies, torch.zeros(())), torch.ones(())))


def noisy_by_inversion(x, std, n, g):
    uniform = torch.rand(n, *x.shape, generator=g, dtype=torch.float64).clamp(1e-12, 1 - 1e-12)
    return (x - std * 2**0.5 * torch.erfinv(2 * uniform - 1)).relu().clamp_max(1)


def fixed(x, std, n, g):
    return noisy(x, std, n, torch.Generator().manual_seed(0))


def seeded_again(x, std, n, g):
    return noisy(x, std, n, torch.Generator().manual_seed(g.initial_seed()))


def noisy_in_place(x, std, n, g):
    x += std * torch.randn(x.shape, generator=g)
    return x.expand(n, *x.shape)


def shaken(make):
    """An answer whose noise, of spread 1, is made otherwise."""
    return lambda x, std, n, g: (x + std * make(x, n, g)).clamp(0, 1)


def uniform(x, n, g):
    return 12**0.5 * (torch.rand(n, *x.shape, generator=g) - 0.5)


def antithetic(x, n, g):
    half = noise(x, (n + 1) // 2, g)
    return torch.cat([half, -half])[:n]


def drawn_again(x, std, n, g):
    """What lies outside is drawn once more."""
    found = x + std * noise(x, n, g)
    for _ in range(50):
        found = torch.where((found < 0) | (found > 1), x + std * noise(x, n, g), found)
    return found.clamp(0, 1)


def rescaled(x, std, n, g):
    found = x + std * noise(x, n, g)
    low, high = found.min().clamp(max=0), found.max().clamp(min=1)
    return (found - low) / (high - low)


def first_clean(x, n, g):
    return torch.cat([torch.zeros(1, *x.shape), noise(x, n, g)])[:n]


def mixed(x, n, g):
    """Partly of a copy, partly of a value."""
    return 0.5**0.5 * (noise(x, n, g) + torch.randn(n, *[1] * x.ndim, generator=g))


NOISY_WRONG = {
    "noise alone": lambda x, s, n, g: (s * noise(x, n, g)).clamp(0, 1),
    "noise alone:": lambda x, s, n, g: s * noise(x, n, g),
    "not copies of x": lambda x, s, n, g: (1 - x + s * noise(x, n, g)).clamp(0, 1),
    "not copies of x: also": lambda x, s, n, g: (x.mean() + s * noise(x, n, g)).clamp(0, 1),
    "All copies have the same noise": shaken(lambda x, n, g: noise(x, 1, g).expand(n, *x.shape)),
    "values of a copy are shifted alike": shaken(lambda x, n, g: torch.randn(n, *[1] * x.ndim, generator=g)),
    "Some copies have the same noise": shaken(antithetic),
    "Some copies have the same noise,": shaken(lambda x, n, g: noise(x, (n + 4) // 5, g).repeat(5, *[1] * x.ndim)[:n]),
    "share their noise": shaken(lambda x, n, g: torch.randn(n, *x.shape[:-1], 1, generator=g)),
    "share their noise. E": shaken(lambda x, n, g: torch.randn(n, *[1] * (x.ndim - 1), x.shape[-1], generator=g)),
    "share their noise.": shaken(mixed),
    "outside of": lambda x, s, n, g: x + s * noise(x, n, g),
    r"outside of \[": lambda x, s, n, g: (x + s * noise(x, n, g)).clamp(-1, 1),
    r"outside of \[0, 1\]": lambda x, s, n, g: (x + s * noise(x, n, g)).clamp(min=0),
    "only ever grow": lambda x, s, n, g: (x + (s * noise(x, n, g)).clamp(0, 1)).clamp(0, 1),
    "only ever fall": lambda x, s, n, g: (x - s * noise(x, n, g).abs()).clamp(0, 1),
    "mean that is not zero": lambda x, s, n, g: (x + s * torch.rand(n, *x.shape, generator=g) - 0.01).clamp(0, 1),
    "same whatever `std` is": lambda x, s, n, g: noisy(x, 0.05, n, g),
    "same whatever `std`": lambda x, s, n, g: noisy(x, 0.1, n, g),
    "another standard deviation": lambda x, s, n, g: noisy(x, s**2, n, g),
    "another standard deviation:": lambda x, s, n, g: noisy(x, s**0.5, n, g),
    "dark and light": lambda x, s, n, g: (x * (1 + 2 * s * noise(x, n, g))).clamp(0, 1),
    "shaken more than others": shaken(first_clean),
    "not `std`": lambda x, s, n, g: noisy(x, 0.5 * s, n, g),
    "spread of your noise is not `std`": shaken(lambda x, n, g: noise(x, n, g).clamp(-1, 1)),
    "not Gaussian": shaken(uniform),
    "not Gaussian noise": shaken(lambda x, n, g: noise(x, n, g).sign()),
    "not Gaussian noise:": shaken(lambda x, n, g: (uniform(x, n, g) + uniform(x, n, g)) / 2**0.5),
    "not Gaussian noise: use": shaken(lambda x, n, g: noise(x, n, g).clamp(-3, 3)),
    "not Gaussian noise: use `": shaken(
        lambda x, n, g: -torch.rand(n, *x.shape, generator=g).log() * (noise(x, n, g).sign()) / 2**0.5
    ),
    "At black": lambda x, s, n, g: (1 - (1 - (x + s * noise(x, n, g)).abs()).abs()).abs(),
    "At black or": lambda x, s, n, g: (x + s * noise(x, n, g)) % 1,
    "At black or at white": drawn_again,
    "At black or at white, values": lambda x, s, n, g: (x + s * noise(x, n, g)).abs().clamp(max=1),
    "hand `generator`": lambda x, s, n, g: (x + s * torch.randn(n, *x.shape)).clamp(0, 1),
    "nothing is drawn": fixed,
    "same baselines again": seeded_again,
    "changes a tensor": noisy_in_place,
    r"Return `n` copies, shape \(100, 6, 50\)|Return `n` copies, shape \(1, 3, 3\)": lambda x, s, n, g: noisy(
        x, s, 500, g
    ),
    "Return `n` copies": lambda x, s, n, g: noisy(x, s, n, g)[0],
    "yours has shape": lambda x, s, n, g: noisy(x, s, n + 1, g),
    "NaN or infinity": lambda x, s, n, g: noisy(x, s, n, g) / 0 * 0,
    "returned None": lambda x, s, n, g: None,
    "TypeError": lambda x, s, n, g: x + s * torch.randn(n, *x.shape, g),
}

ALL = {
    checks.check_blind_pixels: (
        [blind, blind_loop, blind_by_numbers, blind_by_ends, lambda i, b: torch.eq(b, i).float().prod(0).half()],
        BLIND_WRONG,
    ),
    checks.check_farthest_point: (
        [
            far, far_by_distance, far_by_numbers, far_by_mask, far_by_arithmetic,
            lambda x, low, high: icg.baselines.maximum_distance(low, high).starts(x)[0],
        ],
        FAR_WRONG,
    ),
    checks.check_double_sided: (
        [
            double, double_by_library, double_by_two_calls, double_by_rows, double_functional,
            lambda f, x, low, high, n: double_at(f, x, low, high, middles(n)),
        ],
        DOUBLE_WRONG,
    ),
    checks.check_noisy_baselines: (
        [
            noisy, noisy_loop, noisy_by_numbers, noisy_by_numpy, noisy_in_its_place, noisy_by_inversion,
            lambda *a: noisy(*a).half(),
            lambda x, s, n, g: icg.baselines.gaussian_noise(s, n_samples=n).starts(x[None], g)[:, 0],
        ],
        NOISY_WRONG,
    ),
}  # fmt: skip


def small(seed):
    """Arguments in which the mutants of noisy baselines are compared."""
    g = torch.Generator().manual_seed(seed)
    return [(torch.rand(2, 3, generator=g), 0.1, 4, g), (torch.rand(5, generator=g), 0.3, 2, g)]


globals().update(
    shared_tests(
        ALL,
        family={checks.check_noisy_baselines: (small, lambda answer: answer)},
        right_anyway={
            checks.check_farthest_point: {r"'x < \(low \+ high\) / 2': LtE": "at the middle either end will do"},
            checks.check_noisy_baselines: {r"^line 2: 'x \+ std \* .*: Sub$": "the opposite noise is as good"},
        },
    )
)


def solution(stub):
    """The function that the chapter's solution cell defines."""
    (source,) = (
        c.source for c in NOTEBOOK.cells if "solution" in c.metadata.get("tags", []) and f"def {stub}(" in c.source
    )
    known = {"torch": torch, "icg": icg, "glyphs": glyphs}
    exec(re.search(r"^```python\n(.*?)^```", source, re.S | re.M).group(1), known)
    return known[stub]


def test_checks_leave_the_global_random_state_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    for check, (right, _) in ALL.items():
        check(right[0])
    assert torch.equal(before, torch.get_rng_state())


# --- the exercise without a check


def test_the_hidden_sign_is_hidden():
    stub = next(c.source for c in NOTEBOOK.cells if "def my_hidden_sign" in c.source and c.cell_type == "code")
    known = {"glyphs": glyphs}
    exec(stub.split("\nink, grey")[0], known)
    model = icg.artifacts.load_model("glyphs")
    ends = icg.baselines.every(torch.stack([torch.zeros(1, 16, 16), torch.ones(1, 16, 16)]))

    def share(answer):
        ink, grey, ground = answer
        picture = glyphs.paint(ink, grey, ground)
        credit = icg.integrated_gradients(model, picture, ends).abs()
        return model(picture).softmax(1).max().item(), (credit[ink].sum() / credit.sum()).item()

    assert share(known["my_hidden_sign"]())[1] > 0.3  # as it stands, it is not hidden
    sure, hidden = share(solution("my_hidden_sign")())
    assert sure > 0.99 and hidden < 0.05


def test_every_check_is_documented():
    for check in ALL:
        assert inspect.getdoc(check).startswith("``function(")
