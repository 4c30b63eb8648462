"""Quadrature rules and the streaming engine: exact where they must be, lean, and invariant to how work is cut."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from icg import question
from icg.paths import Path, integrate, micro_batches, path_values
from icg.quadrature import quadrature, refine
from icg.question import BatchLimit, Objective

RULES = ("riemann_left", "riemann_right", "riemann_middle", "riemann_trapezoid", "gausslegendre")


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("n", [2, 3, 7, 64, 500])
def test_weights_sum_to_one_and_nodes_lie_in_the_unit_interval(rule, n):
    nodes, weights = quadrature(rule, n)
    assert len(nodes) == len(weights) == n
    assert abs(weights.sum().item() - 1) < 1e-13
    assert nodes.min() >= 0 and nodes.max() <= 1 and (nodes.diff() > 0).all()


@pytest.mark.parametrize(
    "rule, degree", [("riemann_middle", 1), ("riemann_trapezoid", 1), ("gausslegendre", 9), ("riemann_left", 0)]
)
def test_each_rule_is_exact_up_to_its_degree_and_not_beyond(rule, degree):
    nodes, weights = quadrature(rule, 5)
    for power in range(degree + 1):
        assert abs((weights * nodes**power).sum().item() - 1 / (power + 1)) < 1e-14
    beyond = degree + 1
    assert abs((weights * nodes**beyond).sum().item() - 1 / (beyond + 1)) > 1e-6


@pytest.mark.parametrize("rule", [r for r in RULES if r not in ("riemann_trapezoid",)])
def test_the_rules_are_captums(rule):
    from captum.attr._utils.approximation_methods import approximation_parameters

    step_sizes, alphas = approximation_parameters(rule)
    nodes, weights = quadrature(rule, 9)
    torch.testing.assert_close(nodes, torch.tensor(alphas(9), dtype=torch.float64), atol=1e-7, rtol=0)
    torch.testing.assert_close(weights, torch.tensor(step_sizes(9), dtype=torch.float64), atol=1e-7, rtol=0)


def test_rules_are_solved_once():
    assert quadrature("gausslegendre", 33)[0] is quadrature("gausslegendre", 33)[0]


@pytest.mark.parametrize(
    "rule, n", [("middle", 5), ("riemann_middle", 0), ("riemann_trapezoid", 1), ("gausslegendre", 2.0)]
)
def test_unknown_rules_and_bad_numbers_of_steps_are_refused(rule, n):
    with pytest.raises(ValueError, match="expected .* got"):
        quadrature(rule, n)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 20), st.integers(0, 60), st.integers(1, 4), st.integers(0, 10_000))
def test_refined_cells_tile_the_path_and_follow_the_change(k, more, rows, seed):
    generator = torch.Generator().manual_seed(seed)
    edges = torch.linspace(0, 1, k + 1, dtype=torch.float64).expand(rows, -1)
    values = torch.rand(rows, k + 1, generator=generator, dtype=torch.float64)
    new = refine(edges, values, k + more)
    assert new.shape == (rows, k + more + 1)
    assert (new.diff(dim=1) > 0).all()
    assert new[:, 0].eq(0).all() and new[:, -1].eq(1).all()
    for old, fine in zip(edges, new, strict=True):  # old edges stay edges
        assert all((fine - edge).abs().min() < 1e-12 for edge in old)


def test_refinement_goes_where_the_output_jumps():
    edges = torch.linspace(0, 1, 11, dtype=torch.float64)[None]
    values = (edges > 0.65).double()  # all change between 0.6 and 0.7
    new = refine(edges, values, 50)
    assert ((new >= 0.6 - 1e-12) & (new <= 0.7 + 1e-12)).sum() == 42


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


def test_sure_predictions_keep_their_gradient():
    """p(1 - p) is 0 in float32 from log-odds of 17 on; the true gradient at log-odds s is sigmoid(s) sigmoid(-s)."""

    def model(x):
        return torch.cat([torch.zeros_like(x), x], 1)

    for s in (0.0, 30.0, 60.0, 300.0):
        x = torch.tensor([[s]])
        one = torch.ones(1, 1, dtype=torch.float64)
        objective = Objective(model, torch.tensor([1]), "probability")
        with question.quiet(model):
            got = integrate(objective, [Path(x, x, 0 * one, one, scale=1.0)], x, BatchLimit(None, x)).item()
        exact = math.exp(-s) / (1 + math.exp(-s)) ** 2
        assert got == pytest.approx(exact, rel=1e-6) and got > 0


@pytest.mark.parametrize("output", question.OUTPUTS)
def test_objectives_agree_with_autograd_of_the_plain_formula(output):
    torch.manual_seed(0)
    x = torch.randn(6, 5, dtype=torch.float64)
    target = torch.tensor([0, 1, 2, 3, 4, 0])
    plain = {
        "probability": lambda z: z.softmax(1),
        "log_probability": lambda z: z.log_softmax(1),
        "logit": lambda z: z,
    }[output]
    z = x.clone().requires_grad_()
    value = plain(z).gather(1, target[:, None]).squeeze(1)
    (expected,) = torch.autograd.grad(value.sum(), z)
    one = torch.ones(1, 1, dtype=torch.float64)
    objective = Objective(lambda p: p, target, output)
    got = integrate(objective, [Path(x, x, 0 * one, one, scale=1.0)], x, BatchLimit(4, x))
    torch.testing.assert_close(got[:, 0], expected)
    values = path_values(objective, x, x, 0 * one, BatchLimit(4, x))
    torch.testing.assert_close(values[:, 0], value.detach())


def test_quiet_puts_everything_back_even_after_an_error():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout(0.5), torch.nn.BatchNorm1d(2))
    model[2].eval()
    model[0].bias.requires_grad_(False)
    before = [m.training for m in model.modules()], [p.requires_grad for p in model.parameters()]
    with pytest.raises(RuntimeError), question.quiet(model):
        assert not any(m.training for m in model.modules()) and not any(p.requires_grad for p in model.parameters())
        raise RuntimeError
    assert before == ([m.training for m in model.modules()], [p.requires_grad for p in model.parameters()])
