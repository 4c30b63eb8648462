"""Glyphs with certainty: the gate is exact, the shipped networks are what their cards say, the measures can tell."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from icg import artifacts
from icg.artifacts import architecture
from icg.certainty import join, split
from icg.training import train
from icg_book.kit.networks import CertainGlyphsNet, GatedGlyphsNet
from icg_book.scenarios import certain_glyphs, glyphs
from icg_book.scenarios.certain_glyphs import DAMAGE, PRIOR, absence, black_ink, damaged_accuracy, meaningless_pictures

NAMES = ("glyphs-certainty", "glyphs-gated")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def shipped():
    return {name: artifacts.load_model(name) for name in NAMES}


class Blind(nn.Module):
    """Says the prior, whatever it sees."""

    certainty_aware = True

    def forward(self, joined):
        return torch.zeros(len(joined), 5)


class Lightness(Blind):
    """Leans to class 1 by the mean lightness, however uncertain it is."""

    def forward(self, joined):
        logits = torch.zeros(len(joined), 5)
        logits[:, 1] = joined[:, 0].flatten(1).mean(1)
        return logits


# ---- the networks


@pytest.mark.parametrize("network", [CertainGlyphsNet, GatedGlyphsNet])
def test_networks_are_small_plain_and_ready_to_train(network):
    torch.manual_seed(0)
    net = network()
    assert sum(p.numel() for p in net.parameters()) == 17_937 and architecture(network.__name__) is network
    assert net.certainty_aware and net.input_shape == (2, 16, 16)
    kinds = {type(layer).__name__ for layer in net}
    assert kinds == {"Conv2d", "ReLU", "MaxPool2d", "Flatten", "Linear"}  # a web page has to know these and no others
    for layer in net:
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            window = layer.weight[0, 0].numel() if layer.weight.ndim == 4 else 1
            bound = (6 / (window * (layer.weight.shape[0] + layer.weight.shape[1]))) ** 0.5
            assert (layer.bias == 0).all() and 0.9 * bound < layer.weight.abs().max() <= bound
    logits = net(torch.rand(3, 2, 16, 16))
    assert logits.shape == (3, 5) and logits.std() > 0
    with pytest.raises(ValueError, match=r"\(N, 2, 16, 16\).*got \(3, 1, 16, 16\)"):
        net(torch.zeros(3, 1, 16, 16))


def test_both_networks_begin_with_the_same_weights_and_agree_where_everything_is_certain():
    nets = []
    for network in (CertainGlyphsNet, GatedGlyphsNet):
        torch.manual_seed(3)
        nets.append(network())
    images = torch.rand(4, 1, 16, 16)
    plain, gated = (net(join(images)) for net in nets)
    assert torch.equal(plain, gated)
    assert not torch.allclose(nets[0](join(images, 0.5)), nets[1](join(images, 0.5)))
    expected = nets[0](torch.cat([0.5 * images, torch.full_like(images, 0.5)], 1))
    assert torch.equal(nets[1](join(images, 0.5)), expected)


def test_behind_the_gate_an_uncertain_value_is_nothing_at_all():
    """Equation 2, exactly: the same output whatever the value, and a gradient of exactly 0. Even untrained."""
    torch.manual_seed(1)
    net = GatedGlyphsNet().eval()
    values, others = torch.rand(2, 6, 1, 16, 16)
    certainty = torch.rand(6, 1, 16, 16)
    certainty[torch.rand(certainty.shape) < 0.4] = 0
    nowhere = certainty == 0
    first = join(values, certainty).requires_grad_()
    assert torch.equal(net(first), net(join(torch.where(nowhere, others, values), certainty)))
    (slope,) = torch.autograd.grad(net(first).softmax(1)[:, 2].sum(), first)
    assert (slope[:, :1][nowhere] == 0).all() and (slope[:, :1][~nowhere] != 0).double().mean() > 0.9
    assert (slope[:, 1:][nowhere] != 0).any()  # but what is unknown can still become known

    torch.manual_seed(1)
    plain = CertainGlyphsNet().eval()  # the paper's front has to learn it
    assert not torch.allclose(plain(first), plain(join(torch.where(nowhere, others, values), certainty)), atol=1e-3)


# ---- training


def test_training_batches_hold_what_the_recipe_says():
    n = certain_glyphs.RECIPE.batch_size
    extents, undamaged, nowhere = [], 0, 0
    for seed in range(20):
        inputs, targets = certain_glyphs.training_batch(0, generator(seed))
        assert inputs.shape == (n, 2, 16, 16) and targets.shape == (n, 5)
        assert torch.allclose(targets.sum(1), torch.ones(n))
        _, certainty = split(inputs)
        mean = certainty.flatten(1).mean(1)
        undamaged += (mean == 1).sum().item()
        nowhere += ((mean == 0) & torch.isclose(targets, PRIOR).all(1)).sum().item()
        extents.append(mean[: round(0.65 * n)])
    assert nowhere / (20 * n) == pytest.approx(0.1, abs=0.01)
    assert undamaged / (20 * n) == pytest.approx(0.25, abs=0.01)
    assert torch.histc(torch.cat(extents), 5, 0, 1).min() > 0.12 * 20 * 0.65 * n  # every extent occurs
    again, _ = certain_glyphs.training_batch(99, generator(19))
    assert torch.equal(inputs, again)


def test_the_recipe_learns():
    recipe = replace(certain_glyphs.RECIPE, steps=120, warmup=20, average=0.9)
    learnt = train(CertainGlyphsNet, certain_glyphs.training_batch, recipe, progress=False)
    metrics = certain_glyphs.evaluate(learnt, n=500, n_absence=100, n_band=2)
    assert metrics["accuracy"]["all"] > 0.4 and metrics["accuracy"]["images"] == 500  # chance is 0.2


# ---- the shipped weights


@pytest.mark.parametrize("name", NAMES)
def test_shipped_weights_are_as_good_as_their_card_says(shipped, name):
    card = artifacts.load_card(name)
    assert card["sha256"] == artifacts.sha256(artifacts.find(f"weights/{name}.safetensors"))
    assert card["command"] == f"python -m icg train {name}" and card["parameters"] == 17_937
    assert card["metrics"]["accuracy"]["all"] >= 0.97
    measured = certain_glyphs.evaluate(shipped[name], n=3000, n_absence=300, n_band=20, seed=78)
    assert set(measured) == set(card["metrics"]) and measured["accuracy"]["images"] == 3000
    assert measured["accuracy"]["all"] == pytest.approx(card["metrics"]["accuracy"]["all"], abs=0.006)
    for kind, value in card["metrics"]["accuracy under damage"].items():  # 4 standard errors of two samples
        assert measured["accuracy under damage"][kind] == pytest.approx(value, abs=0.04)
    assert measured["neutrality"] < 0.03
    along = list(measured["mean probability of the class along certainty"].values())
    assert along[0] == pytest.approx(0.2, abs=0.02) and along[-1] > 0.95 and along == sorted(along)


def test_only_the_gated_network_knows_nothing_exactly(shipped):
    pictures = torch.cat(list(meaningless_pictures(glyphs.generate(100, generator=generator(9)).images).values()))
    exact, learnt = absence(shipped["glyphs-gated"], pictures), absence(shipped["glyphs-certainty"], pictures)
    assert exact == {"sd": 0, "largest": 0}
    assert 0 < learnt["sd"] < 0.02


# ---- the measures, on models whose answers are known


def test_absence_has_known_values():
    grey = torch.tensor([0.0, 0.0, 1.0, 1.0]).view(4, 1, 1, 1).expand(4, 1, 16, 16)
    assert absence(Blind(), grey) == {"sd": 0, "largest": 0}
    low, high = 1 / 5, torch.e / (4 + torch.e)
    found = absence(Lightness(), grey)
    assert found["largest"] == pytest.approx(high - low)
    # Class 1 moves by high - low, each of the other four by a quarter of it; two values each: sd is 1/sqrt(3) of that.
    assert found["sd"] == pytest.approx((high - low) * (1 + 4 / 4) / 5 / 3**0.5, rel=1e-5)


def test_meaningless_pictures_are_of_four_kinds():
    images = glyphs.generate(50, generator=generator(2)).images
    kinds = meaningless_pictures(images, generator=generator(3))
    assert all(v.shape == images.shape and v.min() >= 0 and v.max() <= 1 for v in kinds.values())
    levels = {name: [len(v.unique()) for v in values] for name, values in kinds.items()}
    assert torch.equal(kinds["test images"], images)
    assert min(levels["noise"]) > 250 and max(levels["one grey"]) == 1 and max(levels["two greys"]) == 2


def test_damaged_accuracy_of_a_blind_model_is_chance_and_damage_is_of_four_kinds(monkeypatch):
    data = glyphs.generate(600, generator=generator(5))
    seen = []

    class Spy(Blind):
        def forward(self, joined):
            seen.append(joined)
            return super().forward(joined)

    found = damaged_accuracy(Spy(), data, generator=generator(6))
    assert list(found) == list(DAMAGE) and all(a == (data.labels == 0).double().mean() for a in found.values())
    parts = torch.cat(seen).view(4, 600, 2, 16, 16)
    means = parts[:, :, 1].flatten(2).mean(2)
    assert (means - means[0]).abs().max() < 0.2  # the same extents for all four
    for (name, _), part in zip(DAMAGE.items(), parts, strict=True):
        values, certainty = part[:, :1], part[:, 1:]
        kept = values == data.images
        binary = ((certainty == 0) | (certainty == 1)).all()
        assert bool(binary) == name.startswith("binary")
        assert kept[certainty == 1].all()
        whole = torch.equal((values * 100).round() / 100, values)
        assert whole == name.endswith("adversarial")  # pixels of pictures are whole hundredths, noise is not
    with torch.no_grad():
        assert (parts[:, :, 1].flatten(2).mean(2)[0] < 0.1).any()  # nearly nothing is left of some


def test_black_ink_is_black_and_swapped_ground_is_black():
    black, swapped = black_ink(200, generator=generator(7))
    assert len(black) == 200 and torch.equal(black.ink, swapped.ink) and (black.labels > 0).all()
    assert (black.images[black.ink] == 0).all() and (swapped.images[~swapped.ink] == 0).all()
    ground = black.images[~black.ink]
    assert ground.min() >= glyphs.CONTRAST - 1e-6 and ground.max() > 0.95
    assert torch.equal(black.images[~black.ink].unique(), swapped.images[swapped.ink].unique())
