"""The certainty-aware ResNet: the paper's front, the start from an ordinary checkpoint, and how it is kept."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torchvision import models as vision

from icg import artifacts
from icg.certainty import join
from icg.resnet import IMAGENET_MEAN, IMAGENET_STD, CertaintyResNet, certainty_resnet
from icg_book.kit import records


def ordinary(arch, classes=10, seed=0):
    """A torchvision ResNet that looks trained: batch norm has seen something."""
    torch.manual_seed(seed)
    network = vision.get_model(arch, weights=None, num_classes=classes)
    for name, value in network.state_dict().items():
        if name.endswith(("running_mean", "bn1.bias", "bn2.bias")):
            value.copy_(0.1 * torch.randn_like(value))
        elif name.endswith(("running_var", "bn1.weight", "bn2.weight")):
            value.copy_(0.5 + torch.rand_like(value))
    return network.eval()


def normalised(values):
    mean, std = (torch.tensor(t, dtype=values.dtype).view(3, 1, 1) for t in (IMAGENET_MEAN, IMAGENET_STD))
    return (values - mean) / std


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return certainty_resnet("resnet18").eval()


# ---- the network


def test_the_front_is_the_papers():
    with torch.device("meta"):
        model = certainty_resnet()
    assert model.front.weight.shape == (64, 4, 1, 1) and model.resnet.conv1.weight.shape == (64, 64, 7, 7)
    # torchvision's ResNet-50 with ten classes, the front, and 61 more channels for 64 filters of 7 x 7
    assert sum(p.numel() for p in model.parameters()) == 23_528_522 + 64 * 4 + 64 + 61 * 64 * 49
    assert model.certainty_aware and model.input_shape == (4, 128, 128)


@pytest.mark.parametrize(("arch", "last", "blocks"), [("resnet18", "bn2", 8), ("resnet50", "bn3", 16)])
def test_blocks_can_begin_as_doing_nothing(arch, last, blocks):
    for zero_init in (False, True):
        state = certainty_resnet(arch, zero_init=zero_init).state_dict()
        weights = [
            value for name, value in state.items() if name.startswith("resnet.layer") and f".{last}.weight" in name
        ]
        assert len(weights) == blocks and all((weight == (0 if zero_init else 1)).all() for weight in weights)
    checkpoint = ordinary(arch).state_dict()
    state = certainty_resnet(arch, checkpoint=checkpoint, zero_init=True).state_dict()
    for name in (n for n in checkpoint if n.startswith("layer")):  # a checkpoint takes its place
        assert torch.equal(state[f"resnet.{name}"], checkpoint[name])


@pytest.mark.parametrize("size", [(32, 32), (64, 64), (65, 97)])
def test_any_size_from_32_gives_one_logit_for_each_class(net, size):
    assert net(torch.rand(2, 4, *size)).shape == (2, 10)


@pytest.mark.parametrize("shape", [(1, 3, 64, 64), (1, 5, 64, 64), (1, 4, 31, 64), (4, 64, 64), (1, 4, 64)])
def test_an_input_of_another_shape_is_refused(net, shape):
    with pytest.raises(ValueError, match=r"\(N, 4, H, W\).*at least 32") as error:
        net(torch.zeros(shape))
    assert str(shape) in str(error.value)


def test_relu_follows_the_front_and_colours_are_normalised_inside(net):
    seen = []
    handle = net.resnet.conv1.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    values = torch.rand(2, 3, 32, 32)
    net(join(values, 0.25))
    handle.remove()
    before = net.front(join(normalised(values), torch.tensor(0.25)))
    torch.testing.assert_close(seen[0], before.clamp(min=0))
    assert (seen[0] == 0).any() and (before < 0).any()


def test_a_gate_lets_nothing_of_the_values_pass_at_certainty_zero_and_everything_at_one(net):
    gated = CertaintyResNet("resnet18", gated=True).eval()
    gated.load_state_dict(net.state_dict())
    values, others = torch.rand(2, 2, 3, 40, 40)
    with torch.no_grad():
        torch.testing.assert_close(gated(join(values)), net(join(values)), rtol=0, atol=0)
        torch.testing.assert_close(gated(join(values, 0.0)), gated(join(others, 0.0)), rtol=0, atol=0)
        assert (net(join(values, 0.0)) - net(join(others, 0.0))).abs().max() > 1e-4  # without it something does
        half = join(values, torch.tensor([1.0, 0.0]).repeat(20).view(1, 1, 1, 40))
        hidden = half.clone()
        hidden[:, :3, :, 1::2] = others[..., 1::2]
        torch.testing.assert_close(gated(half), gated(hidden), rtol=0, atol=0)
        assert (gated(join(values, 0.5)) - gated(join(others, 0.5))).abs().max() > 1e-4


def test_a_card_says_whether_there_is_a_gate(folder):
    for gated in (False, True):
        model = CertaintyResNet("resnet18", front=8, gated=gated).eval()
        records.save_model(model, "x", folder, training={}, metrics={}, made={})
        config = json.loads((folder / "weights" / "x.json").read_text())["config"]
        assert ("gated" in config) == gated
        inputs = join(torch.rand(1, 3, 32, 32), 0.3)
        torch.testing.assert_close(artifacts.load_model("x")(inputs), model(inputs), rtol=0, atol=0)


def test_any_resnet_of_torchvision_by_name():
    with torch.device("meta"):
        for name in ("resnet34", "wide_resnet50_2", "resnext50_32x4d"):
            model = certainty_resnet(name, 7, front=8, size=96)
            assert model.config == {"arch": name, "num_classes": 7, "front": 8, "size": 96}
            assert model.resnet.fc.out_features == 7 and model.input_shape == (4, 96, 96)
            shapes = {key: value.shape for key, value in model.state_dict().items()}
            again = CertaintyResNet(**model.config).state_dict()
            assert shapes == {key: value.shape for key, value in again.items()}


@pytest.mark.parametrize("name", ["resnet19", "vgg16", "", "ResNet", "quantized_resnet18"])
def test_another_architecture_is_refused_and_the_known_ones_named(name):
    with pytest.raises(ValueError, match=f"resnet18.*resnet50.*got '{name}'"):
        certainty_resnet(name)


@pytest.mark.parametrize(("field", "value"), [("num_classes", 1), ("front", 5), ("size", 31)])
def test_numbers_out_of_range_are_refused(field, value):
    with pytest.raises(ValueError, match=f"expected {field} to be a whole number >= .*got {value}"):
        certainty_resnet("resnet18", **{field: value})


def test_importing_the_package_does_not_import_torchvision():
    code = "import sys, icg, icg.models, icg_book.scenarios.imagenette; sys.exit('torchvision' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# ---- the start from a checkpoint


@pytest.mark.parametrize(("arch", "front"), [("resnet18", 64), ("resnet18", 6), ("resnet50", 64)])
def test_at_certainty_one_it_computes_what_the_checkpoint_computed(arch, front):
    network = ordinary(arch)
    model = certainty_resnet(arch, checkpoint=network.state_dict(), front=front).eval()
    values = torch.rand(3, 3, 64, 48)
    values[0] = 0  # borders matter: the stem pads with what is 0 after normalisation
    values[1] = 1
    with torch.no_grad():
        expected = network(normalised(values))
        assert (model(join(values)) - expected).abs().max() < 1e-5 * expected.abs().max()  # all that float32 allows
        values = values.double()
        expected = network.double()(normalised(values))
        torch.testing.assert_close(model.double()(join(values)), expected, rtol=1e-6, atol=1e-6)
    assert expected.std() > 0.1  # it says something


def test_at_certainty_zero_nothing_of_the_values_passes():
    model = certainty_resnet("resnet18", checkpoint=ordinary("resnet18").state_dict()).eval()
    with torch.no_grad():
        model.resnet.conv1.weight[:, 6:] = 0.0
        black, white, noise = model(
            join(torch.stack([torch.zeros(3, 32, 32), torch.ones(3, 32, 32), torch.rand(3, 32, 32)]), 0.0)
        )
        half = model(join(torch.stack([torch.zeros(3, 32, 32), torch.ones(3, 32, 32)]), 0.9))
    assert torch.equal(black, white) and torch.equal(black, noise)
    assert not torch.allclose(half[0], half[1], atol=1e-2)


def test_what_starts_from_a_checkpoint_can_learn_from_every_channel():
    model = certainty_resnet("resnet18", checkpoint=ordinary("resnet18").state_dict()).eval()
    nn.functional.cross_entropy(model(torch.rand(4, 4, 32, 32)), torch.arange(4)).backward()
    moved = model.resnet.conv1.weight.grad.abs().amax((0, 2, 3))
    assert (moved > 0).float().mean() > 0.9 and model.front.weight.grad[:6].abs().min() > 0


def test_a_checkpoint_may_be_a_file(tmp_path):
    network = ordinary("resnet18", 3)
    torch.save(network.state_dict(), tmp_path / "r.pth")
    model = certainty_resnet("resnet18", 3, checkpoint=tmp_path / "r.pth").eval()
    values = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(model(join(values)), network(normalised(values)), rtol=1e-5, atol=1e-5)
    (tmp_path / "r.pth").write_bytes(b"hello")
    for path in (tmp_path / "r.pth", tmp_path / "none.pth"):
        with pytest.raises(ValueError, match=f"can't read the checkpoint .*{path.name}"):
            certainty_resnet("resnet18", 3, checkpoint=path)


def test_without_a_last_layer_in_the_checkpoint_there_is_a_fresh_one():
    state = ordinary("resnet18", 1000).state_dict()
    with pytest.raises(ValueError, match="tells 1000 classes apart.*got 10.*leave fc.weight"):
        certainty_resnet("resnet18", checkpoint=state)
    body = {key: value for key, value in state.items() if not key.startswith("fc.")}
    model = certainty_resnet("resnet18", checkpoint=body)
    assert model.resnet.fc.weight.shape == (10, 512) and torch.equal(
        model.resnet.layer4[1].conv2.weight, state["layer4.1.conv2.weight"]
    )


def test_a_checkpoint_of_another_network_is_refused():
    state = ordinary("resnet18").state_dict()
    cases = {
        "of torchvision's resnet34": ("resnet34", state),
        "not one of torchvision's resnet18": ("resnet18", {**state, "layer1.0.conv1.weight": torch.zeros(1, 1, 3, 3)}),
        "layer1.0.conv1.weight is missing": (
            "resnet18",
            {k: v for k, v in state.items() if k != "layer1.0.conv1.weight"},
        ),
        r"conv1.weight has the shape \(64, 4, 7, 7\)": (
            "resnet18",
            {**state, "conv1.weight": torch.zeros(64, 4, 7, 7)},
        ),
        "conv1.weight is missing": ("resnet18", {}),
        "extra.bias": ("resnet18", {**state, "extra.bias": torch.zeros(3)}),
    }
    for message, (arch, wrong) in cases.items():
        with pytest.raises(ValueError, match=message):
            certainty_resnet(arch, checkpoint=wrong)


# ---- how it is kept


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    monkeypatch.setattr(artifacts, "data_folder", lambda: tmp_path / "data")
    return tmp_path / "data"


def save(model, folder, **options):
    made, metrics = records.provenance("a command", 0), {"accuracy": {"all": 0.5, "images": 2}}
    return records.save_model(model, "photo", folder, training={}, metrics=metrics, made=made, **options)


def test_half_precision_files_give_back_what_was_measured(folder):
    model = CertaintyResNet("resnet18", 4, front=8, size=32).eval()
    model.load_state_dict(
        {
            **model.state_dict(),
            **{f"resnet.{k}": v for k, v in ordinary("resnet18", 4).state_dict().items() if "bn" in k},
        }
    )
    exact = {key: value.clone() for key, value in model.state_dict().items()}
    joined = torch.rand(2, 4, 48, 48)
    before = model(joined)
    records.round_to_half(model)
    measured = model(joined)
    assert 0 < (measured - before).abs().max() < 0.02 * before.std()
    path = save(model, folder, half=True)

    stored = load_file(path)
    for key, value in stored.items():
        statistic = value.ndim < 2
        assert value.dtype == (exact[key].dtype if statistic else torch.float16)
        assert not statistic or torch.equal(value, exact[key])  # biases and batch norm: every digit
    loaded = artifacts.load_model("photo")
    assert loaded.config == model.config and loaded.input_shape == (4, 32, 32)
    assert all(p.dtype == torch.float32 for p in loaded.parameters())
    assert torch.equal(loaded(joined), measured)
    card = artifacts.load_card("photo")
    assert card["config"] == model.config and card["input"] == ["N", 4, 32, 32]


def test_without_half_nothing_is_rounded(folder):
    model = CertaintyResNet("resnet18", 4, front=8, size=32).eval()
    save(model, folder)
    loaded = artifacts.load_model("photo")
    assert all(
        torch.equal(a, b) for a, b in zip(model.state_dict().values(), loaded.state_dict().values(), strict=True)
    )


@pytest.mark.parametrize(("arch", "front", "limit"), [("resnet50", 64, 50e6), ("resnet18", 16, 25e6)])
def test_weights_are_small_enough_to_ship(arch, front, limit):
    with torch.device("meta"):
        state = certainty_resnet(arch, front=front).state_dict()
    assert sum(v.numel() * (2 if v.ndim > 1 else v.element_size()) for v in state.values()) < 0.99 * limit


def test_a_card_with_a_wrong_config_is_refused(folder):
    path = save(CertaintyResNet("resnet18", 4, front=8, size=32), folder, half=True)
    card = json.loads(path.with_suffix(".json").read_text())
    for config in ({"arch": "resnet34", "num_classes": 4, "front": 8}, {"depth": 3}, {"arch": "resnet19"}):
        path.with_suffix(".json").write_text(json.dumps({**card, "config": config}))
        with pytest.raises(artifacts.ArtifactError, match="does not fit CertaintyResNet"):
            artifacts.load_model("photo")
