"""The maths of "the landscape" without a page: functions, gradients and attributions are Python's."""

import numpy as np
import pytest
import torch
from pages import Script, payload

import icg
from icg.shapley import Uniform, bshap, shap_values
from icg_book.attribution_transfer import landscape as module
from icg_book.attribution_transfer.landscape import landscape
from icg_book.kit.page.explorable import script_beside
from icg_book.scenarios.landscapes import LANDSCAPES

SCRIPT = script_beside(module.__file__).with_name("landscape_maths.js")


@pytest.fixture(scope="module")
def ask():
    with Script(SCRIPT, "landscapeMaths(data)", payload(landscape(fallback=b"\x89PNG"))) as ask:
        yield ask


def test_every_function_offered_is_written_in_the_script(ask):
    assert ask("Object.keys(x.FUNCTIONS)") == list(LANDSCAPES)


@pytest.mark.parametrize("key", LANDSCAPES)
def test_numbers_equal_pythons(ask, key):
    """Function, gradient and the three methods, at the function's own points and at seeded ones."""
    f, rng = LANDSCAPES[key], np.random.default_rng(3)
    at = f.low + (f.high - f.low) * rng.random((200, 2))
    got = ask("a[1].map((p) => [x.FUNCTIONS[a[0]].f(...p), ...x.FUNCTIONS[a[0]].grad(...p)])", [key, at.tolist()])
    points = torch.tensor(at)
    want = torch.cat([f(points)[:, None], icg.gradient(f, points)], 1)
    np.testing.assert_allclose(got, want, atol=1e-9)

    pairs = [(f.baseline, x) for x in f.inputs.values()]
    pairs += [tuple(np.round(f.low + (f.high - f.low) * rng.random((2, 2)), 2).tolist()) for _ in range(5)]
    b, x = (torch.tensor([p[k] for p in pairs], dtype=torch.float64) for k in (0, 1))
    ours = torch.stack(
        [
            icg.integrated_gradients(f, x, b, n_steps=30_000),
            bshap(f, x, b),
            shap_values(f, x, Uniform(f.low, f.high), n_nodes=400),
        ],
        1,
    ).numpy()
    code = "a[1].map((p) => { const r = x.results(a[0], ...p, 30000); return [r.ig.credit, r.bshap, r.shap] })"
    exact = np.array(ask(code, [key, pairs]))
    np.testing.assert_allclose(exact, ours, atol=1e-3)
    np.testing.assert_allclose(exact[:, 1], ours[:, 1], atol=1e-12)


def test_transfer_is_said_exactly_where_it_happens(ask):
    """Over a grid of inputs: "transfer" or "nothing" are said where a feature without effect at corners is paid."""
    f = LANDSCAPES["cross"]
    side = torch.arange(0.05, 1, 0.1, dtype=torch.float64)
    x = torch.cartesian_prod(side, side)
    got = ask("a.map((p) => x.verdict('cross', [0, 0], p, x.results('cross', [0, 0], p, 4096)).kind)", x.tolist())
    paid = icg.integrated_gradients(f, x, n_steps=4096).abs() > 0.11
    zero = torch.zeros(len(x), dtype=torch.float64)
    idle = torch.stack(
        [
            (f(torch.stack([x[:, 0], zero], 1)).abs() < 0.05)
            & ((f(x) - f(torch.stack([zero, x[:, 1]], 1))).abs() < 0.05),
            (f(torch.stack([zero, x[:, 1]], 1)).abs() < 0.05)
            & ((f(x) - f(torch.stack([x[:, 0], zero], 1))).abs() < 0.05),
        ],
        1,
    )
    expected = (paid & idle).any(1).tolist()
    assert [kind in ("transfer", "nothing") for kind in got] == expected
    assert 15 < sum(expected) < 70
