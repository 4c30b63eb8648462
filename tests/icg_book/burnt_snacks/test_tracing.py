"""Traces: what is shown of a path is the path integral itself, and its end is the attribution."""

import pytest
import torch
from torch import nn

import icg
from icg.certainty import join
from icg_book.burnt_snacks.tracing import trace_draws, trace_path, trace_squares
from icg_book.scenarios import burnt_snacks

POSITIONS = torch.tensor([0, 0.1, 0.3, 0.35, 0.8, 1])


class Network(nn.Module):
    """Certainty-aware, smooth (so that every rule converges), 5 x 5 images, two classes."""

    certainty_aware = True

    def __init__(self, dtype=torch.float64):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.convolution, self.head = nn.Conv2d(2, 4, 3), nn.Linear(36, 2)
        self.to(dtype)

    def forward(self, x):
        return self.head(torch.tanh(3 * self.convolution(x)).flatten(1))


@pytest.fixture
def model():
    return Network()


@pytest.fixture
def image():
    return torch.rand(1, 1, 5, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.fixture
def global_state():
    """What a notebook's own random numbers hang on; it must be the same afterwards."""
    torch.manual_seed(123)
    before = torch.get_rng_state()
    yield
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("output", ["probability", "logit", "log_probability"])
@pytest.mark.parametrize("target", [0, 1])
def test_the_last_gathered_is_the_attribution_of_the_whole_path(model, image, output, target, global_state):
    start, end = join(torch.zeros_like(image)), join(image)
    trace = trace_path(model, start, end, POSITIONS, target=target, output=output, n_steps=64)
    whole = icg.integrated_gradients(model, end, start, target=target, output=output, n_steps=1024)
    torch.testing.assert_close(trace.gathered[-1:], whole, rtol=1e-3, atol=1e-5)


def test_equal_positions_are_the_middle_rule_exactly(model, image):
    """K - 1 pieces of n middle points are one rule of (K - 1) n middle points."""
    start, end = join(torch.zeros_like(image)), join(image)
    positions = torch.linspace(0, 1, 6, dtype=torch.float64)
    trace = trace_path(model, start, end, positions, target=1, output="probability", n_steps=8)
    whole = icg.integrated_gradients(model, end, start, target=1, n_steps=40, method="riemann_middle")
    torch.testing.assert_close(trace.gathered[-1:], whole, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("output", ["probability", "logit"])
def test_a_certainty_path_ends_at_integrated_certainty_gradients(model, image, output, global_state):
    nothing, known = join(image, 0.0), join(image)
    trace = trace_path(model, nothing, known, POSITIONS, target=1, output=output, n_steps=64)
    whole = icg.integrated_certainty_gradients(model, known, target=1, output=output, n_steps=512)
    torch.testing.assert_close(trace.gathered[-1:, 1:], whole, rtol=1e-3, atol=1e-5)
    assert not trace.gathered[:, :1].any()  # the values do not move, so they gather nothing
    assert (trace.points[:, :1] == image).all()
    assert torch.equal(trace.points[:, 1, 0, 0], POSITIONS.double())


def test_a_linear_model_is_traced_exactly_at_every_position():
    weights = torch.tensor([[1.0, -2, 3], [0, 1, 5]], dtype=torch.float64)
    start, end = torch.tensor([[1.0, 1, 1]], dtype=torch.float64), torch.tensor([[3.0, 0, 2]], dtype=torch.float64)
    trace = trace_path(lambda x: x @ weights.T, start, end, POSITIONS, target=0, output="logit", n_steps=1)
    along = POSITIONS.double()[:, None]
    torch.testing.assert_close(trace.points, start + along * (end - start))
    torch.testing.assert_close(trace.gradients, weights[:1].expand(6, 3))
    torch.testing.assert_close(trace.gathered, along * (end - start) * weights[0], rtol=1e-14, atol=1e-14)


def test_gradients_and_gathered_belong_to_their_positions(model, image):
    """Complete up to every position, not only to the last."""
    start, end = join(torch.zeros_like(image)), join(image)
    trace = trace_path(model, start, end, POSITIONS, target=1, output="logit", n_steps=64)
    for point, found in zip(trace.points, trace.gradients, strict=True):
        torch.testing.assert_close(found[None], icg.gradient(model, point[None], target=1, output="logit"))
    change = model(trace.points)[:, 1] - model(start)[:, 1]
    torch.testing.assert_close(trace.gathered.flatten(1).sum(1), change.detach(), rtol=1e-4, atol=1e-5)
    assert not trace.gathered[0].any() and torch.equal(trace.points[-1:], end)


@pytest.mark.parametrize(
    "positions",
    [
        [0.0],
        [],
        [0.1, 1],
        [0, 0.9],
        [0, 2],
        [0, 0.7, 0.3, 1],
        [0, 0.5, 0.5, 1],
        [0, float("nan"), 1],
        [[0.0, 1]],
    ],
    ids=str,
)
def test_bad_positions_are_refused(model, image, positions):
    with pytest.raises(ValueError, match="positions"):
        trace_path(model, join(image, 0.0), join(image), torch.tensor(positions), target=1, output="logit")


def test_draws_end_at_the_mean_over_the_draws(model, image, global_state):
    data = join(torch.rand(7, 1, 5, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64))
    known, n = join(image), 20
    trace = trace_draws(
        model, known, data, target=1, output="probability", n=n, generator=torch.Generator().manual_seed(3)
    )
    same = torch.Generator().manual_seed(3)
    chosen, alpha = torch.randint(7, (n,), generator=same), torch.rand(n, generator=same)
    total = torch.zeros_like(known)
    for k in range(n):
        start = data[chosen[k], None]
        point = (start + alpha[k] * (known - start)).requires_grad_()
        (gradient,) = torch.autograd.grad(model(point).softmax(1)[0, 1], point)
        total += (known - start) * gradient / n
        torch.testing.assert_close(trace.points[k, None], point.detach())
        torch.testing.assert_close(trace.gradients[k, None], gradient)
        torch.testing.assert_close(trace.gathered[k, None], total)
    assert not trace.gathered[:, 1:].any()  # data and input are both known


def test_many_draws_come_near_expected_gradients(model, image):
    data = join(torch.rand(5, 1, 5, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64))
    seeded = torch.Generator().manual_seed(3)
    trace = trace_draws(model, join(image), data, target=1, output="logit", n=4000, generator=seeded)
    expected = icg.expected_gradients(model, join(image), data, target=1, output="logit", n_steps=1024)
    assert (trace.gathered[-1:] - expected).abs().max() < 0.05 * expected.abs().max()


def test_the_same_seed_gives_the_same_draws(model, image):
    traces = [
        trace_draws(
            model,
            join(image),
            join(image.flip(-1)),
            target=0,
            output="logit",
            n=4,
            generator=torch.Generator().manual_seed(s),
        )
        for s in (5, 5, 6)
    ]
    assert torch.equal(traces[0].gathered, traces[1].gathered)
    assert not torch.equal(traces[0].points, traces[2].points)


def test_traces_are_detached_and_the_model_is_left_as_it_was(model, image):
    model.train()
    trace = trace_path(model, join(image, 0.0), join(image), POSITIONS, target=1, output="logit")
    assert not any(t.requires_grad for t in trace)
    assert model.training and all(p.grad is None and p.requires_grad for p in model.parameters())


def test_squares_share_what_their_path_from_black_gathers():
    """The output is the light square's brightness alone: it gets all the credit, and its level is that of the image."""
    image = burnt_snacks.examples()["one dark, one light"]

    def model(joined):
        light = (joined[:, :1] * (image.light > 0)).flatten(1).mean(1)
        return torch.stack([torch.zeros_like(light), 100 * light], 1)

    positions, probability, (dark, light) = trace_squares(model, image, steps=50)
    assert len(positions) == len(probability) == len(dark.credit) == 51
    assert (dark.credit == 0).all() and light.credit[0] == 0
    torch.testing.assert_close(light.credit, probability - probability[0], atol=1e-3, rtol=0)
    level = image.images[image.light > 0].max().item()
    assert light.level == level and light.name == f"light square ({level:.2f})"


def test_each_piece_may_have_steps_of_its_own(model, image):
    start, end, options = join(torch.zeros_like(image)), join(image), {"target": 1, "output": "probability"}
    steps = torch.tensor([2, 7, 2, 3, 7])
    trace = trace_path(model, start, end, POSITIONS, n_steps=steps, **options)
    for k, n in enumerate(steps.tolist()):
        first, last = trace.points[k, None], trace.points[k + 1, None]
        piece = icg.integrated_gradients(model, last, first, n_steps=n, method="riemann_middle", **options)
        torch.testing.assert_close(trace.gathered[k + 1, None] - trace.gathered[k, None], piece)
    with pytest.raises(ValueError, match="n_steps as one number or as 5, got shape .4,."):
        trace_path(model, start, end, POSITIONS, n_steps=steps[:4], **options)
