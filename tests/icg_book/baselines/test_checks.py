"""The checks of the chapter on baselines accept right answers in any style, and name each typical mistake."""

import inspect
import re
from pathlib import Path

import nbformat
import pytest
import torch
from checking import messages, shared_tests

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


BLIND_WRONG = {
    r"\*some\* baseline": lambda i, b: (i == b).any(0),
    "mean of the baselines": lambda i, b: i == b.mean(0),
    "what can be seen": lambda i, b: ~blind(i, b),
    "black pixels": lambda i, b: i == 0,
    "first baseline only": lambda i, b: i == b[0],
    "last baseline only": lambda i, b: i == b[-1],
    "found no pixel": lambda i, b: torch.zeros_like(i),
    "one for each baseline": lambda i, b: i == b,
    "True or False": lambda i, b: (i - b).abs().mean(0),
    "distance zero from every": lambda i, b: torch.ones_like(i),
    "nearly equal": lambda i, b: ((i - b).abs() < 0.05).all(0),
    "wrong for another one with one constant": lambda i, b: blind(i, b) & (len(b) > 1),
    "shape": lambda i, b: blind(i, b).flatten(),
    "returned None": lambda i, b: None,
    "Return a tensor": lambda i, b: 2,
    "AttributeError": lambda i, b: i.equals(b),
}

# --- the farthest point


def far(x, low, high):
    return torch.where(x < (low + high) / 2, high, low)


def far_by_distance(x, low, high):
    ends = torch.tensor([low, high]).view(2, *[1] * x.ndim).expand(2, *x.shape)
    return ends.gather(0, (ends - x).abs().argmax(0)[None])[0]


def far_in_place(x, low, high):
    x[:] = far(x, low, high)
    return x


FAR_WRONG = {
    "reflect x about": lambda x, low, high: low + high - x,
    "nearer end": lambda x, low, high: torch.where(x < (low + high) / 2, low, high),
    "sign of x": lambda x, low, high: torch.where(x < 0, high, low),
    "decide at 0.5": lambda x, low, high: torch.where(x < 0.5, high, low),
    "You go to 0 or 1": lambda x, low, high: (x < (low + high) / 2).float(),
    r"range is \[0, 1\]": lambda x, low, high: 1 - x,
    "how far away": lambda x, low, high: (x - far(x, low, high)).abs(),
    "the step to": lambda x, low, high: far(x, low, high) - x,
    "middle is never": lambda x, low, high: torch.full_like(x, (low + high) / 2),
    "same end": lambda x, low, high: torch.full_like(x, low),
    "in place": far_in_place,
    "only two candidates": lambda x, low, high: far(x, low, high) + 0.5,
    r"wrong for pictures": lambda x, low, high: torch.where(x < 1, high, low),
    "shape": lambda x, low, high: far(x, low, high)[0],
    "returned None": lambda x, low, high: None,
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


def double_by_library(f, x, low, high, n):
    ends = torch.stack([torch.full_like(x[0], low), torch.full_like(x[0], high)])
    return icg.integrated_gradients(f, x, icg.baselines.every(ends), n_steps=n).double()


def both(f, x, low, high, n):
    return side(f, x, low, n), side(f, x, high, n)


DOUBLE_WRONG = {
    "mean baseline, not": lambda f, x, low, high, n: side(f, x, (low + high) / 2, n),
    "add the two": lambda f, x, low, high, n: 2 * double(f, x, low, high, n),
    "subtract one side": lambda f, x, low, high, n: (side(f, x, low, n) - side(f, x, high, n)) / 2,
    "`low` only": lambda f, x, low, high, n: side(f, x, low, n),
    "`high` only": lambda f, x, low, high, n: side(f, x, high, n),
    "larger of the two": lambda f, x, low, high, n: torch.maximum(*both(f, x, low, high, n)),
    "return a mean gradient": lambda f, x, low, high, n: (
        (side(f, x, low, n) / (x - low) + side(f, x, high, n) / (x - high)) / 2
    ),
    "mean distance": lambda f, x, low, high, n: (
        (side(f, x, low, n) / (x - low) + side(f, x, high, n) / (x - high)) / 2 * (x - (low + high) / 2)
    ),
    "n_steps times": lambda f, x, low, high, n: n * double(f, x, low, high, n),
    "sign is reversed": lambda f, x, low, high, n: -double(f, x, low, high, n),
    "left ends": lambda f, x, low, high, n: (side(f, x, low, n, 0) + side(f, x, high, n, 0)) / 2,
    "right ends": lambda f, x, low, high, n: (side(f, x, low, n, 1) + side(f, x, high, n, 1)) / 2,
    "Not the mean of": lambda f, x, low, high, n: side(f, x, low, n) + side(f, x, 0.3, n),
    "wrong for f = x1³": lambda f, x, low, high, n: double(f, x, low, high, 4),
    "shape": lambda f, x, low, high, n: double(f, x, low, high, n).sum(1),
    "returned None": lambda f, x, low, high, n: None,
}

# --- noisy baselines


def noisy(x, std, n, g):
    return (x + std * torch.randn(n, *x.shape, generator=g)).clamp(0, 1)


def noisy_loop(x, std, n, g):
    return torch.stack([torch.normal(x, std, generator=g).clip(0, 1) for _ in range(n)])


def fixed(x, std, n, g):
    return noisy(x, std, n, torch.Generator().manual_seed(0))


def noisy_in_place(x, std, n, g):
    x += std * torch.randn(x.shape, generator=g)
    return x.expand(n, *x.shape)


def uniform(x, std, n, g):
    return (x + std * 12**0.5 * (torch.rand(n, *x.shape, generator=g) - 0.5)).clamp(0, 1)


NOISY_WRONG = {
    "noise alone": lambda x, s, n, g: (s * torch.randn(n, *x.shape, generator=g)).clamp(0, 1),
    "same noise": lambda x, s, n, g: (x + s * torch.randn(x.shape, generator=g)).clamp(0, 1).expand(n, *x.shape),
    "shifted alike": lambda x, s, n, g: (x + s * torch.randn(n, *[1] * x.ndim, generator=g)).clamp(0, 1),
    "noise that you clip": lambda x, s, n, g: x + (s * torch.randn(n, *x.shape, generator=g)).clamp(0, 1),
    "outside of": lambda x, s, n, g: x + s * torch.randn(n, *x.shape, generator=g),
    "mean that is not zero": lambda x, s, n, g: (x + s * torch.rand(n, *x.shape, generator=g) - 0.01).clamp(0, 1),
    "another standard deviation": lambda x, s, n, g: (x + s**2 * torch.randn(n, *x.shape, generator=g)).clamp(0, 1),
    "not `std`": lambda x, s, n, g: (x + 0.5 * s * torch.randn(n, *x.shape, generator=g)).clamp(0, 1),
    "not Gaussian": uniform,
    "At black": lambda x, s, n, g: (1 - (1 - (x + s * torch.randn(n, *x.shape, generator=g)).abs()).abs()).abs(),
    "hand `generator`": lambda x, s, n, g: (x + s * torch.randn(n, *x.shape)).clamp(0, 1),
    "nothing is drawn": fixed,
    "in place": noisy_in_place,
    "Return n copies": lambda x, s, n, g: (x + s * torch.randn(x.shape, generator=g)).clamp(0, 1),
    r"wrong for \(2, 3, 3\)": lambda x, s, n, g: noisy(x, s, 500, g),
    "returned None": lambda x, s, n, g: None,
}
ALL = {
    checks.check_blind_pixels: ([blind, blind_loop, lambda i, b: blind(i, b).double()], BLIND_WRONG),
    checks.check_farthest_point: ([far, far_by_distance, lambda x, lo, hi: far(x, lo, hi).double()], FAR_WRONG),
    checks.check_double_sided: ([double, double_by_library], DOUBLE_WRONG),
    checks.check_noisy_baselines: ([noisy, noisy_loop, lambda *a: noisy(*a).double()], NOISY_WRONG),
}
globals().update(shared_tests(ALL))
STUBS = {
    checks.check_blind_pixels: "my_blind_pixels",
    checks.check_farthest_point: "my_farthest_point",
    checks.check_double_sided: "my_double_sided",
    checks.check_noisy_baselines: "my_noisy_baselines",
}


def solution(stub):
    """The function that the chapter's solution cell defines."""
    (source,) = (
        c.source for c in NOTEBOOK.cells if "solution" in c.metadata.get("tags", []) and f"def {stub}(" in c.source
    )
    known = {"torch": torch, "icg": icg, "glyphs": glyphs}
    exec(re.search(r"^```python\n(.*?)^```", source, re.S | re.M).group(1), known)
    return known[stub]


@pytest.mark.parametrize("check", ALL)
def test_no_hint_holds_numbers_of_the_answer(check):
    """The only numbers in a message are those of the question: shapes, ranges, steps."""
    allowed = {"0", "1", "2", "3", "4", "5", "6", "7", "500", "0.5"}
    for said in messages(check, ALL):
        assert set(re.findall(r"(?<![x\w])\d+(?:\.\d+)?", said)) <= allowed


def test_checks_leave_the_global_random_state_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    checks.check_noisy_baselines(noisy)
    checks.check_blind_pixels(blind)
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
