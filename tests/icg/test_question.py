"""What is asked of a model: its gradient never underflows, and the model is left as it was."""

import math

import pytest
import torch

import icg
from icg import arguments, question
from icg.paths import Path, integrate, path_values
from icg.question import BatchLimit, Objective


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


@pytest.mark.parametrize("output", arguments.OUTPUTS)
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


def test_outputs_are_taken_as_finely_as_they_come():
    """Half precision has three digits, too few for a sum of exponentials; and nothing of float64 is rounded away."""
    z, index = torch.tensor([[0.3, 1.7, -2.1]], dtype=torch.bfloat16), torch.arange(1)
    for output, exact in (("probability", z.double().softmax(1)), ("log_probability", z.double().log_softmax(1))):
        (found,) = Objective(lambda p: p, "all", output)(z, index)
        torch.testing.assert_close(found, exact[0], rtol=1e-6, atol=0)
        pairs = Objective(lambda p: p, "all", output).scores(z, index)
        slopes = exact * (1 - exact) if output == "probability" else 1 - exact.exp()
        torch.testing.assert_close(torch.cat([slope for _, slope in pairs]), slopes[0], rtol=1e-6, atol=0)
    fine = 1 + torch.tensor([[1e-10, 2e-10]], dtype=torch.float64)
    assert Objective(lambda p: p, "all", "logit")(fine, index).tolist() == fine.tolist()


@pytest.mark.parametrize("output", ["probability", "log_probability"])
def test_a_class_without_rivals_is_certain(output):
    """Where all others have logit -inf, its probability is 1 whatever its own logit is: nothing is to be divided."""
    model = lambda x: torch.stack([x.sum(1), torch.full_like(x[:, 0], -torch.inf)], 1)  # noqa: E731
    assert icg.bshap(model, Z, target=0, output=output).abs().max() == 0


@pytest.mark.parametrize(("said", "asked"), [("no room", 1), ("flags of leaf", 2), ("does not require grad", 3)])
def test_a_model_that_fails_is_asked_again_only_where_that_may_help(said, asked):
    """And what it says reaches the caller as it is."""
    calls = []

    def model(x):
        calls.append(x.requires_grad)
        raise RuntimeError(f"own words: {said}")

    with pytest.raises(RuntimeError, match=f"^own words: {said}$"):
        icg.gradient(model, Z)
    assert calls == [False, True, True][:asked]


def test_memory_that_runs_out_when_a_row_is_asked_again_is_no_refusal():
    calls = []

    def model(x):
        calls.append(len(x))
        if len(calls) > 1:
            raise torch.OutOfMemoryError("no room")
        return x.sum(1)

    with pytest.raises(torch.OutOfMemoryError, match="no room"):
        icg.gradient(model, Z, internal_batch_size=3)


def test_quiet_puts_everything_back_even_after_an_error():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout(0.5), torch.nn.BatchNorm1d(2))
    model[2].eval()
    model[0].bias.requires_grad_(False)
    before = [m.training for m in model.modules()], [p.requires_grad for p in model.parameters()]
    with pytest.raises(RuntimeError), question.quiet(model):
        assert not any(m.training for m in model.modules()) and not any(p.requires_grad for p in model.parameters())
        raise RuntimeError
    assert before == ([m.training for m in model.modules()], [p.requires_grad for p in model.parameters()])


# ---- Outputs of several dimensions


def places(x):
    """(N, 3, 2, 4) logits of (N, 5)."""
    weights = torch.randn(3, 2, 4, 5, generator=torch.Generator().manual_seed(1), dtype=x.dtype)
    return torch.einsum("kijd,nd->nkij", weights, torch.sin(x))


PLACES = [(0, 1, 3), (2, 0, 0), (1, 1, 2)]
Z = torch.rand(3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("output", arguments.OUTPUTS)
@pytest.mark.parametrize("target", [PLACES, torch.tensor(PLACES), (2, 1, 1), [(2, 1, 1)], torch.tensor([2, 1, 1])])
@pytest.mark.parametrize("method", [icg.gradient, icg.integrated_gradients, icg.bshap])
def test_a_place_is_a_model_of_its_own(method, target, output):
    """The probability is over the classes at that place."""
    got = method(places, Z, target=target, output=output)
    for n in range(3):
        k, i, j = (
            PLACES[n] if target is PLACES or len(torch.as_tensor(target).shape) == 2 and len(target) == 3 else (2, 1, 1)
        )
        alone = method(lambda x: places(x)[:, :, i, j], Z[n : n + 1], target=int(k), output=output)  # noqa: B023
        torch.testing.assert_close(got[n : n + 1], alone, rtol=0, atol=1e-12)


def test_a_place_of_a_plain_map_is_a_value():
    got = icg.gradient(lambda x: (x**2)[:, None], Z, target=(0, 3))
    torch.testing.assert_close(got, 2 * Z * (torch.arange(5) == 3))
    column = [(0,), (0,), (0,)], torch.zeros(3, 1).long(), [0, 0, 0], 0, None
    for target in column:
        torch.testing.assert_close(icg.gradient(lambda x: x.sum(1, keepdim=True), Z, target=target), torch.ones_like(Z))


def test_batches_keep_rows_and_places_together():
    one, many = (icg.integrated_gradients(places, Z, target=PLACES, internal_batch_size=b) for b in (1, None))
    torch.testing.assert_close(one, many, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("model", "target", "expected"),
    [
        (places, None, r"tuple \(class, place < 2, place < 4\), or one per input \(3\), got None"),
        (places, "all", "tuple .*got 'all'"),
        (places, 1, "tuple .*got 1"),
        (places, (1, 1), r"tuple .*got \(1, 1\)"),
        (places, (1.0, 1, 1), "tuple .*got"),
        (places, [(1, 1, 1)] * 2, "tuple .*got"),
        (places, (3, 0, 0), r"target\[0\] in 0..2"),
        (places, (0, 0, 4), r"target\[2\] in 0..3"),
        (places, (0, -1, 0), r"target\[1\] in 0..1"),
        (lambda x: x.sum(1, keepdim=True), 1, "expected no target, got 1"),
        (lambda x: x.sum(1, keepdim=True), "all", "no target"),
        (lambda x: x.sum(1), 0, "the model returns one value per input, .3,.: expected no target, got 0"),
        (lambda x: x, [[0, 1], [1, 1], [0, 0]], "a class number or one per input"),
        (lambda x: x, 5, r"target in 0..4 \(the model has 5 outputs\), got 5"),
        (lambda x: x, -1, "target in 0..4"),
        (lambda x: x, True, "a class number or one per input"),  # truth values are masks, not classes
        (lambda x: x, torch.tensor([True, False, True]), "a class number or one per input"),
        (lambda x: x[:, :0], None, "logits of shape"),
        (lambda x: x[:2], None, r"\(3, classes\) or values of shape \(3,\) for 3 inputs, got \(2, 5\)"),
        (lambda x: x.sum(), None, r"for 3 inputs, got \(\)"),
        (lambda x: (x > 0).long(), None, "got .* of torch.int64"),
        (lambda x: [x], None, "expected the model to return a tensor of logits, got list"),
        (  # also where it has to be asked again, with a graph
            lambda x: [torch.autograd.grad(x.sum(), x)[0]],
            None,
            "expected the model to return a tensor of logits, got list",
        ),
        ("net", None, "expected a callable model, got str"),
    ],
)
def test_targets_that_do_not_fit(model, target, expected):
    with pytest.raises(ValueError, match=expected):
        icg.gradient(model, Z, target=target)
