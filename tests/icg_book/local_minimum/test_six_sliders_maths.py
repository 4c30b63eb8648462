"""The maths of "six sliders" without a page: probabilities and shares are Python's, and those of the network itself."""

import numpy as np
import pytest
import torch
from pages import Script, payload

import icg
from icg.shapley import bshap, certainty_shap
from icg_book.kit.page.explorable import script_beside
from icg_book.local_minimum import six_sliders as module
from icg_book.local_minimum.six_sliders import PANELS, PRESETS, PageNetwork, draws, noise, six_sliders
from icg_book.scenarios import local_minimum

SCRIPT = script_beside(module.__file__).with_name("six_sliders_maths.js")


@pytest.fixture(scope="module")
def model():
    return icg.artifacts.load_model("local-minimum").eval()


@pytest.fixture(scope="module")
def network(model):
    return PageNetwork.of(model)


@pytest.fixture(scope="module")
def ask(model):
    with Script(SCRIPT, "sixSlidersMaths(data)", payload(six_sliders(model, fallback=b"\x89PNG"))) as ask:
        yield ask


def inputs(n, seed):
    return np.random.default_rng(seed).integers(0, 101, (n, 6)) / 100


def test_shares_are_pythons(ask, network):
    """The script and its Python twin, which test_six_sliders.py holds to the library."""
    for x in [*map(np.array, PRESETS.values()), *inputs(5, 1), np.zeros(6), np.ones(6), np.full(6, 0.5)]:
        found, expected = ask("x.results(a)", x.tolist()), network.shares(x)
        for name in PANELS:
            # Whether a piece is halved may hang on the last digit.
            near = 1e-12 if name in ("score", "exact SHAP") else 1e-3
            assert found[name] == pytest.approx(expected[name], abs=near), name
        for name in ("certainty-SHAP", "BShap"):
            assert found[name] == pytest.approx(expected[name], abs=1e-9), name
        assert found["total"] == pytest.approx(expected["score"].sum())


def test_probabilities_are_the_networks_own(ask, model):
    x = inputs(1000, 2)
    with torch.no_grad():
        truth = model(icg.certainty.join(torch.tensor(x[:, None], dtype=torch.float32))).softmax(1)[:, 1].numpy()
    found = ask("a.map((v) => x.predict(v))", x.tolist())
    assert np.abs(np.array(found) - truth).max() < 0.005
    assert 0.3 < (truth > 0.5).mean() < 0.7  # else nothing was tested


def test_shares_are_the_librarys_on_the_network_itself(ask, model):
    x = inputs(8, 3)
    joined = icg.certainty.join(torch.tensor(x[:, None], dtype=torch.float32))
    options = {"target": 1, "internal_batch_size": 4096}
    expected = {
        "exact SHAP": local_minimum.ideal_shap(torch.tensor(x[:, None])),
        "certainty-SHAP": certainty_shap(model, joined, target=1),
        "BShap": bshap(model, joined, local_minimum.PAPER_BASELINE, target=1)[:, :1],
        "ICG": icg.integrated_certainty_gradients(model, joined, n_steps=600, **options),
        "zero IG": icg.integrated_gradients(model, joined, n_steps=3000, method="adaptive", **options)[:, :1],
    }
    found = ask("a.map((v) => x.results(v))", x.tolist())
    for name, shares in expected.items():
        ours = np.array([one[name] for one in found])
        assert np.abs(ours - shares[:, 0].double().numpy()).max() < 0.01, name
        assert np.abs(ours).max() > 0.1, name
    few = slice(0, 1)  # many paths
    for name, starts in (("AGN", None), ("EG", torch.tensor(draws(), dtype=torch.float32)[:, None])):
        for k, one in enumerate(x[few]):
            s = torch.tensor((one + noise()).clip(0, 1), dtype=torch.float32)[:, None] if starts is None else starts
            shares = icg.integrated_gradients(
                model, joined[k : k + 1], icg.baselines.every(s), n_steps=1000, method="adaptive", **options
            )[0, 0]
            assert np.abs(np.array(found[k][name]) - shares.double().numpy()).max() < 0.01, name


def test_a_moving_hand_gets_answers(model):
    """Values that come faster than answers: the last get all, and no slow shares are computed for those before."""
    code = """(() => {
      const said = [], server = x((now) => said.push([now.values[0], Boolean(now.EG)]));
      for (let number = 1; number <= 30; number++) {
        server.take({ number, values: [number / 100, ...a] });
        server.work(performance.now() + 2);
      }
      while (server.work(performance.now() + 100));
      return said;
    })()"""
    with Script(
        SCRIPT, "(post) => openSixSliders(data, post)", payload(six_sliders(model, fallback=b"\x89PNG"))
    ) as ask:
        said = ask(code, [0.6, 0.7, 0.8, 0.9, 1])
    quick = [value for value, whole in said if not whole]
    assert quick == sorted(quick) and quick[-1] == 0.3
    assert [value for value, whole in said if whole] == [0.3]
