"""The streaming engine: exact, lean, and invariant to how work is cut."""

import pytest
import torch

from icg import question
from icg.paths import Path, integrate, micro_batches, path_values
from icg.quadrature import quadrature
from icg.question import BatchLimit, Objective

# ---------------------------------------------------------------------------------------------------------------
# The engine
# ---------------------------------------------------------------------------------------------------------------


def make_paths(n=3, draws=4, steps=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    nodes, weights = quadrature("riemann_middle", steps)
    for _ in range(draws):
        start = torch.rand(n, 2, 3, generator=generator, dtype=torch.float64)
        end = torch.rand(n, 2, 3, generator=generator, dtype=torch.float64)
        yield Path(start, end, nodes[None], weights[None] / draws)


def cubic(x):
    return (x**3).flatten(1).sum(1)


@pytest.mark.parametrize("size", [1, 2, 7, 15, 59, 60, 1000])
def test_micro_batches_hold_every_point_once_in_batches_of_the_size(size):
    like = torch.zeros(3, 2, 3, dtype=torch.float64)
    batches = list(micro_batches(make_paths(), BatchLimit(size, like)))
    lengths = [len(batch[0]) for batch in batches]
    assert sum(lengths) == 3 * 4 * 5
    assert all(length == size for length in lengths[:-1]) and lengths[-1] <= size
    together = [torch.cat([batch[i] for batch in batches]) for i in range(4)]
    (whole,) = micro_batches(make_paths(), BatchLimit(10_000, like))
    for mine, reference in zip(together, whole, strict=True):
        torch.testing.assert_close(mine, reference, rtol=0, atol=0)


def run(size, **options):
    like = torch.zeros(3, 2, 3, dtype=torch.float64)
    with question.quiet(cubic):
        return integrate(Objective(cubic, None, "logit"), make_paths(**options), like, BatchLimit(size, like))


def test_the_integral_of_a_cubic_is_the_closed_form_and_does_not_depend_on_the_cut():
    # Simpson-like check: with x^3 the middle rule has the error h^2/24 * second derivative, so compare at many steps.
    got = run(64, steps=2000)
    draws = list(make_paths(steps=1))
    exact = sum(path.end**3 - path.start**3 for path in draws) / len(draws)
    torch.testing.assert_close(got[:, 0], exact, rtol=0, atol=1e-6)
    for size in (1, 7, 1000):
        torch.testing.assert_close(run(size), run(60), rtol=0, atol=1e-14)


def test_a_gradient_path_has_its_own_scale():
    x = torch.rand(2, 4, dtype=torch.float64)
    one = torch.ones(1, 1, dtype=torch.float64)
    with question.quiet(cubic):
        got = integrate(Objective(cubic, None, "logit"), [Path(x, x, 0 * one, one, scale=1.0)], x, BatchLimit(None, x))
    torch.testing.assert_close(got[:, 0], 3 * x**2)


def test_memory_does_not_grow_with_steps_or_draws():
    """Tensors alive at any moment: the same for 5 and for 500 draws."""
    import gc

    def most_alive(draws):
        most = 0

        def watching(x):
            nonlocal most
            most = max(most, sum(t.numel() for t in gc.get_objects() if isinstance(t, torch.Tensor)))
            return cubic(x)

        like = torch.zeros(3, 2, 3, dtype=torch.float64)
        with question.quiet(watching):
            integrate(Objective(watching, None, "logit"), make_paths(draws=draws), like, BatchLimit(30, like))
        return most

    assert most_alive(60) <= most_alive(6) * 1.01


class Hungry(torch.nn.Module):
    """Runs out of memory above a number of points, and keeps the batch sizes that went through."""

    def __init__(self, most):
        super().__init__()
        self.most, self.seen = most, []

    def forward(self, x):
        if len(x) > self.most:
            raise torch.OutOfMemoryError("no room")
        self.seen.append(len(x))
        return cubic(x)


def test_a_batch_that_does_not_fit_is_halved_for_good_and_counted_once():
    model, x = Hungry(most=10), torch.zeros(3, 2, 3, dtype=torch.float64)
    limit = BatchLimit(None, x)
    with question.quiet(model):
        got = integrate(Objective(model, None, "logit"), make_paths(), x, limit)
    torch.testing.assert_close(got, run(60), rtol=0, atol=1e-14)
    assert limit.size <= 10 and max(model.seen) <= 10
    with question.quiet(model):
        path_values(Objective(model, None, "logit"), x, x, torch.zeros(1, 9), limit)


def test_a_batch_size_that_the_caller_chose_is_never_changed():
    model, x = Hungry(most=10), torch.zeros(3, 2, 3, dtype=torch.float64)
    with pytest.raises(torch.OutOfMemoryError), question.quiet(model):
        integrate(Objective(model, None, "logit"), make_paths(), x, BatchLimit(20, x))
