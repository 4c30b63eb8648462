"""The maths of the explorable "damage" without a page: distributions, damage and networks are Python's."""

import numpy as np
import pytest
import torch
from pages import Script, payload
from torch import nn

import icg
from icg.certainty import join
from icg.damage import (
    bernoulli_certainty,
    continuous_bernoulli_icdf,
    continuous_bernoulli_logit,
    continuous_bernoulli_mean,
    damage_extent,
    mixed_damage,
    uniform_certainty,
)
from icg_book.certainty import damage
from icg_book.certainty.damage import ORDINARY, damage_explorable
from icg_book.kit.networks import GatedGlyphsNet
from icg_book.kit.page.explorable import script_beside
from icg_book.scenarios.glyphs import generate

KINDS = ("uniform", "bernoulli", "continuous")


def layered():
    """A network of every kind of layer that the page knows, with large weights so that its answers differ."""
    torch.manual_seed(3)
    model = nn.Sequential(
        *(nn.Conv2d(2, 5, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(5, 6, 3), nn.Tanh(), nn.AvgPool2d(2)),
        *(nn.Conv2d(6, 4, 2, padding=1, bias=False), nn.Flatten(), nn.Linear(64, 7), nn.ReLU(), nn.Linear(7, 5)),
    )
    for layer in model:
        if hasattr(layer, "weight"):
            layer.weight.data *= 5
    model.certainty_aware = True
    return model.eval()


@pytest.fixture(scope="module")
def models():
    certain = icg.artifacts.load_model("glyphs-certainty")
    gated = GatedGlyphsNet().eval()  # with the other's weights its answers are no use, but they must be the same
    gated.load_state_dict(certain.state_dict())
    return [certain, icg.artifacts.load_model("glyphs"), layered(), gated]


@pytest.fixture(scope="module")
def ask(models):
    more = {ORDINARY: models[1], "layers": models[2], "gated": models[3]}
    script = script_beside(damage.__file__).with_name("damage_maths.js")
    with Script(script, "damageMaths(data)", payload(damage_explorable(compare=more))) as ask:
        yield ask


def damaged(ask, **change):
    """What is drawn with these settings, as arrays."""
    settings = {"picture": 10, "seed": 1, "kind": "continuous", "mean": 0.3, "source": "noise", **change}
    return {k: np.array(v) if isinstance(v, list) else v for k, v in ask("x.damage(a)", settings).items()}


def python(model, values, certainty):
    values, certainty = (
        torch.as_tensor(np.asarray(v), dtype=torch.float32).reshape(-1, 1, 16, 16) for v in (values, certainty)
    )
    inputs = join(values, certainty) if getattr(model, "certainty_aware", False) else values
    with torch.no_grad():
        return model(inputs).softmax(1).double().numpy()


def test_the_mean_and_its_inverse_are_those_of_icg_damage(ask):
    means = torch.cat([torch.linspace(0.001, 0.999, 999), torch.tensor([0.49999, 0.5 - 1e-9, 0.5, 0.5001])]).double()
    logits = continuous_bernoulli_logit(means)
    ours = torch.tensor(ask("a.map(x.logitOf)", means.tolist()), dtype=torch.float64)
    torch.testing.assert_close(ours, logits, atol=1e-6, rtol=1e-9)
    back = torch.tensor(ask("a.map(x.meanOf)", ours.tolist()), dtype=torch.float64)
    assert (back - means).abs().max() < 1e-6 and (continuous_bernoulli_mean(ours) - means).abs().max() < 1e-6
    for mean in (0.001, 0.2, 0.4999, 0.5, 0.7, 0.999):  # quantiles, and the density against their slope
        u, logit = torch.linspace(0, 1, 101).double(), continuous_bernoulli_logit(torch.tensor(mean).double())
        got = ask("a[0].map(u => x.quantile(u, a[1]))", [u.tolist(), logit.item()])
        assert got == pytest.approx(continuous_bernoulli_icdf(u, logit).tolist(), abs=1e-9)
        u = 0.37
        low, high, middle = ask("[a[0] - 1e-5, a[0] + 1e-5, a[0]].map(u => x.quantile(u, a[1]))", [u, logit.item()])
        density = ask("x.density(a[0], a[1])", [middle, logit.item()])
        assert density == pytest.approx(2e-5 / (high - low), rel=1e-3)


def test_certainties_have_the_mean_that_was_set(ask):
    """60,000 certainties each, within five standard errors; Bernoulli's are 0 or 1, uniform ones ignore the mean."""
    n = 240 * 256
    for mean in (0.03, 0.3, 0.5, 0.9):
        facts = ask(
            """Object.fromEntries(['uniform', 'bernoulli', 'continuous'].map((kind) => {
                 const c = Array.from({ length: 240 }, (_, s) =>
                   [...x.certainties(kind, a, x.numbers(s + 1, 1))]).flat();
                 const mean = c.reduce((p, q) => p + q) / c.length, values = new Set(c);
                 const variance = c.reduce((p, q) => p + (q - mean) ** 2, 0) / c.length;
                 return [kind, [mean, variance, values.size, Math.min(...values), Math.max(...values)]];
               }))""",
            mean,
        )
        h = continuous_bernoulli_logit(torch.tensor(mean).double()).item() / 2
        variances = {
            "uniform": 1 / 12,
            "bernoulli": mean * (1 - mean),
            "continuous": 1 / 12 if abs(h) < 1e-6 else (h**-2 - np.sinh(h) ** -2) / 4,
        }
        for kind, (got, variance, different, low, high) in facts.items():
            assert abs(got - (0.5 if kind == "uniform" else mean)) < 5 * np.sqrt(variances[kind] / n)
            assert variance == pytest.approx(variances[kind], rel=0.04)
            assert 0 <= low < high <= 1
            if kind == "bernoulli":
                assert (different, low, high) == (2, 0, 1)
            else:
                assert different > 0.99 * n  # no stream repeats another


def test_damage_extents_have_the_distribution_of_icg_damage(ask):
    generator = torch.Generator().manual_seed(0)
    uniform = np.array(ask("x.extentsOf('uniform')"))
    ours = damage_extent(uniform_certainty((1000, 1, 16, 16), generator=generator)).numpy()
    assert uniform.std() == pytest.approx(ours.std(), rel=0.15) and 0.4 < uniform.min() < uniform.max() < 0.6
    means = torch.rand(1000, generator=generator)
    assert damage_extent(bernoulli_certainty(means, (1000, 1, 16, 16), generator=generator)).min() < 0.05
    for kind in ("bernoulli", "continuous"):
        extents = np.sort(ask(f"x.extentsOf('{kind}')"))
        assert len(extents) == 1000
        # Kolmogorov-Smirnov against U(0, 1), at the level of one in a thousand
        assert np.abs(extents - (np.arange(1000) + 0.5) / 1000).max() < 1.95 / np.sqrt(1000)


def test_damage_keeps_with_probability_c_and_replaces_by_the_damage_data(ask):
    pictures = np.array(ask("x.pictures.map(p => [...p.values])"))
    for kind in KINDS:
        for source in ("noise", "another"):
            kept, sure = [], []
            for seed in range(1, 31):
                picture = seed % len(pictures)
                d = damaged(ask, picture=picture, seed=seed, kind=kind, mean=0.35, source=source)
                assert np.array_equal(d["values"], np.where(d["lost"], d["replacement"], pictures[picture]))
                assert d["extent"] == pytest.approx(1 - d["certainty"].mean(), abs=1e-12)
                assert d["nLost"] == d["lost"].sum()
                if source == "another":
                    assert d["other"] != picture and np.array_equal(d["replacement"], pictures[d["other"]])
                kept.append(~d["lost"])
                sure.append(d["certainty"])
            kept, sure = np.array(kept), np.array(sure)
            if kind == "bernoulli":
                assert np.array_equal(kept, sure == 1)
            for low, high in ((0, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 1.01)):
                those = (sure >= low) & (sure < high)
                if those.sum() > 200:
                    bound = 5 * np.sqrt(0.25 / those.sum())
                    assert abs(kept[those].mean() - sure[those].mean()) < bound


def test_another_picture_is_any_but_never_itself(ask):
    n = ask("x.pictures.length")
    for picture in (0, 7, n - 1):
        others = ask(
            "Array.from({ length: 3000 }, (_, s) => x.damage({ mean: 0.3, kind: 'bernoulli', source: 'another',"
            " picture: a, seed: s }).other)",
            picture,
        )
        assert sorted(set(others)) == [k for k in range(n) if k != picture]
        assert np.bincount(others, minlength=n).max() < 2.2 * 3000 / (n - 1)


def test_the_same_seed_gives_the_same_draw_and_another_seed_another(ask):
    first, same, other = (damaged(ask, seed=s, source="noise") for s in (5, 5, 6))
    for name in ("certainty", "replacement", "values"):
        assert np.array_equal(first[name], same[name]) and not np.array_equal(first[name], other[name])
    # A higher mean with the same seed loses fewer pixels, and none anew.
    for kind in ("bernoulli", "continuous"):
        low, high = (damaged(ask, seed=5, kind=kind, mean=m) for m in (0.3, 0.6))
        assert (high["certainty"] >= low["certainty"]).all() and (low["lost"] >= high["lost"]).all()
    for mean, lost in ((0, 256), (1, 0)):
        for kind in ("bernoulli", "continuous"):
            d = damaged(ask, kind=kind, mean=mean, seed=9)
            assert d["nLost"] == lost and d["extent"] == pytest.approx(1 - mean, abs=1e-6)


def test_probabilities_equal_pythons(ask, models):
    """Each network on 300 inputs damaged by Python, and on 60 damaged in the page."""
    generator = torch.Generator().manual_seed(8)
    joined = mixed_damage(generate(300, generator=generator).images, generator=generator)
    by_kind = [{"seed": s, "kind": KINDS[s % 3], "mean": s / 60, "picture": s % 50} for s in range(60)]
    own = [damaged(ask, source=("noise", "another")[one["seed"] // 3 % 2], **one) for one in by_kind]
    values = np.concatenate([joined[:, 0].flatten(1), np.array([d["values"] for d in own])])
    certainty = np.concatenate([joined[:, 1].flatten(1), np.array([d["certainty"] for d in own])])
    all_ours = ask(
        "(inputs => x.networks.map((_, k) => inputs.map(i => x.predict(k, ...i))))"
        "(a.map(i => i.map(v => Float64Array.from(v))))",
        np.stack([values, certainty], axis=1).tolist(),
    )
    for ours, model in zip(np.array(all_ours), models, strict=True):
        want = python(model, values, certainty)
        assert np.abs(ours - want).max() < 1e-3
        assert want.max(1).std() > 0.01  # not all alike
