"""What is asked of a model: its gradient never underflows, and the model is left as it was."""

import math

import pytest
import torch

from icg import question
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
