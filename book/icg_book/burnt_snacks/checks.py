"""Checks of the chapter on Burnt Snacks."""

import torch

from icg.attribution import integrated_certainty_gradients, integrated_gradients
from icg.certainty import join
from icg_book.kit.old_answers import NotYet, call_tensor, close, reference
from icg_book.kit.old_answers import accept as accept


@reference("my_integrated_gradients")
def _integrated_gradients(f, x, baseline, n_steps):
    return integrated_gradients(f, x[None], baseline[None], n_steps=n_steps, method="riemann_middle")[0]


@reference("my_share")
def _share(attribution, mask):
    return attribution.abs()[mask].sum() / attribution.abs().sum()


@reference("my_icg")
def _icg(model, values, n_steps):
    return integrated_certainty_gradients(model, join(values), n_steps=n_steps, method="riemann_middle")


def check_integrated_gradients(function) -> None:
    """``function(f, x, baseline, n_steps) -> attributions``, ``(D,)`` each; ``f`` takes ``(N, D)`` to ``(N,)``."""

    def f(z):
        return z[:, 0] ** 2 * z[:, 1] + torch.sin(z[:, 2])

    x = torch.tensor([1.0, 2.0, 0.5])
    baseline = torch.tensor([0.5, -1.0, 1.5])
    n = 4  # few steps, so that rules differ
    answer = call_tensor(function, f, x.clone(), baseline.clone(), n)

    def ours(method, x=x, baseline=baseline):
        return integrated_gradients(f, x[None], baseline[None], n_steps=n, method=method)[0].double()

    right, distance = ours("riemann_middle"), (x - baseline).double()
    if answer.shape != right.shape:
        raise NotYet(
            f"Return one number per feature, shape {tuple(right.shape)}; yours has shape {tuple(answer.shape)}."
        )
    mistakes = [
        (right / distance, "You return the mean gradient. Equation 1 multiplies it by the distance x - x'."),
        (right * n, "Your numbers are n_steps times too large: take the mean over the steps, not the sum."),
        (-right, "Every sign is reversed: the distance is x - x', input minus baseline."),
        (
            ours("riemann_left"),
            "You evaluate at the left ends of the steps, (0, 1/n, …); use their middles, (k + 0.5)/n.",
        ),
        (
            ours("riemann_right"),
            "You evaluate at the right ends of the steps, (1/n, …, 1); use their middles, (k + 0.5)/n.",
        ),
        (
            ours("riemann_trapezoid"),
            "These are the points of the trapezoid rule; use the middles of the steps, (k + 0.5)/n.",
        ),
        (
            ours("riemann_middle", baseline=torch.zeros(3)),
            "You integrate from zero. Start from the baseline that is passed in.",
        ),
        (right / distance * x.double(), "You multiply by x. Equation 1 multiplies by the distance x - x'."),
    ]
    if not close(answer, right):
        for wrong, hint in mistakes:
            if close(answer, wrong):
                raise NotYet(hint)
        gap = answer.sum().item() - (f(x[None]) - f(baseline[None])).item()
        raise NotYet(
            f"Not Integrated Gradients: for this function your numbers miss completeness by {gap:+.3f} "
            f"(the middle rule with {n} steps by {right.sum().item() - (f(x[None]) - f(baseline[None])).item():+.3f})."
        )
    linear = (torch.tensor([1.0, 1.0]), torch.tensor([0.0, 0.0]), 7)
    other = call_tensor(function, lambda z: 3 * z[:, 0] - z[:, 1], *linear)
    if not close(other, torch.tensor([3.0, -1.0], dtype=torch.float64)):
        raise NotYet(f"Right for one function, wrong for f = 3 x1 - x2 from 0 to 1 in 7 steps: {other.tolist()}.")
    print("Right: that is equation 1, by the middle rule.")


def check_mass_share(function) -> None:
    """``function(attribution, mask) -> share`` of the absolute attribution inside a mask, a scalar tensor."""
    attribution = torch.tensor([[1.0, -4.0], [0.5, -1.0]])
    mask = torch.tensor([[True, True], [False, False]])
    answer = call_tensor(function, attribution.clone(), mask.clone())
    if answer.numel() != 1:
        raise NotYet(f"Return one number; yours has shape {tuple(answer.shape)}.")
    answer = answer.reshape(()).item()
    mistakes = [
        (5.0, "You return the amount inside the mask. A share is divided by the amount in the whole map."),
        (1.5 / 6.5, "This is the share outside of the mask."),
        (3 / 3.5, "You divide signed sums: opposite credits cancel. Take absolute values first."),
        (-3.0, "You sum signed values: opposite credits cancel. Take absolute values first."),
        (
            3.0,
            "You take the absolute value of the sum: opposite credits have cancelled already. Take it before summing.",
        ),
        (3 / 6.5, "Inside the mask, opposite credits have cancelled. Take absolute values before you sum, there too."),
        (-3 / 6.5, "Inside the mask you sum signed values. Take absolute values before you sum, there too."),
        (0.5, "You count pixels. Weigh each pixel by its absolute attribution."),
        (2.5, "You average inside the mask. Sum instead, and divide by the sum over the whole map."),
        (2.5 / 1.625, "You divide means, so the sizes of mask and map count. Divide sums."),
    ]
    if abs(answer - 5 / 6.5) > 1e-4:
        for wrong, hint in mistakes:
            if abs(answer - wrong) < 1e-4:
                raise NotYet(hint)
        raise NotYet(f"For [[1, -4], [0.5, -1]] with the mask on the first row {answer:.4f} is not the share.")
    other = call_tensor(function, torch.tensor([[0.0, 2.0], [6.0, 0.0]]), torch.tensor([[False, True], [False, True]]))
    if not close(other.reshape(()), torch.tensor(0.25, dtype=torch.float64)):
        raise NotYet(
            f"Right for one map, wrong for another: {other.reshape(()):.4f} for [[0, 2], [6, 0]], second column."
        )
    print("Right: that is the share of the credit in the mask.")


def check_certainty_path(function) -> None:
    """``function(model, values, n_steps) -> attributions``: ICG of ``(1, C, ...)`` values, by equal middle steps.

    ``model`` takes joined inputs and returns a plain value per input, ``(N,)``.
    """

    def model(joined):
        values, certainty = joined[:, :-1], joined[:, -1:]
        return (certainty**2 * values.sum(1, keepdim=True)).flatten(1).sum(1) + 0.3 * certainty.flatten(1).sum(1) ** 2

    values = torch.tensor([[[0.2, 0.9, 0.4], [0.1, -0.5, 0.3]]])  # (1, 2, 3): two channels, three positions
    n = 3
    answer = call_tensor(function, model, values.clone(), n)
    method = {"n_steps": n, "method": "riemann_middle"}
    right = integrated_certainty_gradients(model, join(values), **method).double()
    if answer.shape == right.shape[1:] or answer.shape == right.shape[2:]:
        answer = answer.reshape(right.shape)
    from_zero = integrated_gradients(model, join(values), join(torch.zeros_like(values)), **method).double()
    both = integrated_gradients(model, join(values), torch.zeros_like(join(values)), **method).double()
    if answer.shape == both.shape:
        if close(answer, from_zero):
            raise NotYet("You move the values and keep the certainty. Do it the other way round.")
        raise NotYet(
            "Return the certainty channel alone, one number per position: `[:, -1:]` or `icg.certainty.split`."
        )
    if answer.shape != right.shape:
        raise NotYet(f"Return one number per position, shape {tuple(right.shape)}; yours has {tuple(answer.shape)}.")
    if not close(answer, right):
        mistakes = [
            (both[:, -1:], "You fade the values as well. Hold them still and move only the certainty from 0 to 1."),
            (right * n, "Your numbers are n_steps times too large: take the mean over the steps, not the sum."),
            (-right, "Every sign is reversed: integrate from certainty 0 to certainty 1."),
            (right * values[:, :1].double(), "No distance in values: the certainty moves by 1 everywhere."),
            (
                integrated_certainty_gradients(model, join(values), n_steps=n, method="riemann_left").double(),
                "You evaluate at the left ends of the steps; use their middles, (k + 0.5)/n.",
            ),
            (
                integrated_certainty_gradients(model, join(values), n_steps=n, method="riemann_right").double(),
                "You evaluate at the right ends of the steps; use their middles, (k + 0.5)/n.",
            ),
        ]
        for wrong, hint in mistakes:
            if close(answer, wrong):
                raise NotYet(hint)
        raise NotYet(
            "Not the mean of dF/dc over the path: join the same values with certainty (k + 0.5)/n at each step."
        )
    print("Right: values held still, certainty from 0 to 1.")
