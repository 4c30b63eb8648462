"""Any classifier made certainty-aware: the same at certainty 1, blind at certainty 0, and it can learn the rest."""

import copy

import pytest
import torch
from torch import nn
from torchvision import models as vision

from icg.attribution import integrated_certainty_gradients
from icg.aware import IMAGENET_MEAN, IMAGENET_STD, make_certainty_aware
from icg.certainty import join
from icg.damage import certainty_batch

NORMALISED = {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}


def hugging_face(size):
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=size, patch_size=16
    )
    config.num_labels = 5
    return transformers.ViTForImageClassification(config)


def of_timm(size):
    return pytest.importorskip("timm").create_model("tf_efficientnet_lite0", num_classes=5)


ARCHITECTURES = {
    "ResNet": (lambda size: vision.resnet18(num_classes=5), 64, "convolution"),
    "EfficientNet": (lambda size: vision.efficientnet_b0(num_classes=5), 64, "convolution"),
    "ConvNeXt": (lambda size: vision.convnext_tiny(num_classes=5), 64, "convolution"),
    "MobileNet": (lambda size: vision.mobilenet_v3_small(num_classes=5), 96, "convolution"),
    "ViT": (
        lambda size: vision.VisionTransformer(size, 16, 3, 4, 64, 128, num_classes=5),
        64,
        "convolution",
    ),
    "Swin": (lambda size: vision.swin_t(num_classes=5), 64, "convolution"),
    "timm, padding of its own": (of_timm, 65, "convolution"),
    "Hugging Face, by its logits": (hugging_face, 64, "adapter"),  # counts the channels of what it is given
}


@pytest.fixture(params=ARCHITECTURES)
def network(request):
    """A network with random weights that looks trained, its size and how it takes a certainty.

    In double precision: depth makes 1e-7 large where weights are random.
    """
    make, size, how = ARCHITECTURES[request.param]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = make(size)
        norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
        for norm in norms:  # statistics of ordinary inputs: what passes has an ordinary size
            norm.momentum = None
        with torch.no_grad():
            model.train()(torch.randn(16, 3, size, size))
        for module in model.modules():  # torchvision's ViT begins with a head of zeros
            if isinstance(module, nn.Linear) and module.out_features == 5:
                nn.init.normal_(module.weight, std=0.1)
    return model.eval().double(), size, how


def logits(found):
    return getattr(found, "logits", found)


def images(n, size, channels=3):
    return torch.rand(n, channels, size, size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@torch.no_grad()
def test_it_is_the_same_at_certainty_one_and_blind_at_certainty_zero(network):
    model, size, how = network
    before = copy.deepcopy(model.state_dict())
    aware = make_certainty_aware(model, (3, size, size), **NORMALISED)
    assert aware.certainty_aware and aware.how == how and aware.input_shape == (4, size, size) and not aware.training
    values, others = images(2, size), 1000 * images(2, size).flip(0) - 500
    mean, std = (torch.tensor(x).double().view(3, 1, 1) for x in (IMAGENET_MEAN, IMAGENET_STD))
    wanted = logits(model((values - mean) / std))
    torch.testing.assert_close(aware(join(values)), wanted, rtol=1e-7, atol=1e-7)
    assert torch.equal(aware(join(values, 0.0)), aware(join(others, 0.0)))
    half = (torch.arange(size) % 2).double().view(1, 1, 1, size)  # every other column
    assert torch.equal(aware(join(values, half)), aware(join(torch.where(half > 0, values, others), half)))
    assert not torch.allclose(wanted[0], wanted[1])
    # The caller's network is as it was, and shares nothing with the copy.
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    for parameter in aware.parameters():
        parameter.add_(1.0)
    torch.testing.assert_close(logits(model((values - mean) / std)), wanted, rtol=0, atol=0)


def test_a_state_dict_loads_into_another_copy_and_an_adapter_fits_every_network(network):
    model, size, how = network
    joined = join(images(2, size), 0.6)
    for chosen in {how, "adapter"}:
        torch.manual_seed(1)
        first = make_certainty_aware(model, (3, size, size), how=chosen)
        torch.manual_seed(2)
        second = make_certainty_aware(model, (3, size, size), how=chosen)
        with torch.no_grad():
            for parameter in first.parameters():
                parameter.add_(0.01 * torch.randn_like(parameter))
            wanted = first(joined)
            assert chosen == first.how and not torch.allclose(second(joined), wanted)
            second.load_state_dict(first.state_dict())
            torch.testing.assert_close(second(joined), wanted, rtol=0, atol=0)
            values, others = images(2, size), images(2, size).flip(0)  # blind whatever was learnt
            assert torch.equal(first(join(values, 0.0)), first(join(others, 0.0)))


@pytest.mark.parametrize("how", ["convolution", "adapter"])
def test_it_learns_what_certainty_means(how):
    """A light patch decides; the certainty of what is lost must be learnt, and that of what is absent is the prior."""
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 2))
    model = make_certainty_aware(plain, (1, 8, 8), how=how, front=8)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    generator, losses = torch.Generator().manual_seed(0), []
    for _ in range(60):
        values = 0.3 * torch.rand(64, 1, 8, 8, generator=generator)
        labels = torch.randint(2, (64,), generator=generator)
        values[range(64), 0, :, 3 * labels + 2] += 0.6
        shares = {"damaged": 0.4, "absent": 0.1, "blocks": 0.2}
        prior = torch.tensor([0.5, 0.5])
        inputs, targets = certainty_batch(values, labels, prior=prior, generator=generator, **shares)
        loss = nn.functional.cross_entropy(model(inputs), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert sum(losses[-10:]) < 0.7 * sum(losses[:10])
    gradient = model.front.weight.grad[:, -1]
    assert (gradient != 0).any()  # the certainty itself is learnt from
    maps = integrated_certainty_gradients(model.eval(), join(values[:2]), target=labels[:2], n_steps=8)
    assert maps.shape == (2, 1, 8, 8) and maps.abs().sum() > 0


def test_training_mode_frozen_weights_and_dtype_are_the_models():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 2)).double()
    model.train().requires_grad_(False)
    means = model[1].running_mean.clone()
    aware = make_certainty_aware(model, (3, 8, 8))
    assert aware.training and torch.equal(model[1].running_mean, means) and model.training
    assert aware(join(images(2, 8))).dtype == torch.float64
    assert not aware.network[1].weight.requires_grad and aware.front.weight.requires_grad


class LooksTwice(nn.Module):
    """Its input goes around the first convolution, too."""

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 3, 3, padding=1), nn.Linear(3, 2)

    def forward(self, x):
        return self.head((self.conv(x) + x).mean((2, 3)))


class Grouped(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 6, 3, groups=3), nn.Flatten(), nn.Linear(6 * 36, 2))


@pytest.mark.parametrize(
    "model", [LooksTwice(), Grouped(), nn.Sequential(nn.Flatten(), nn.Linear(192, 2))], ids=lambda m: type(m).__name__
)
@torch.no_grad()
def test_where_the_first_convolution_does_not_do_an_adapter_does(model):
    aware = make_certainty_aware(model, (3, 8, 8))
    values = images(2, 8).float()
    assert aware.how == "adapter"
    torch.testing.assert_close(aware(join(values)), model(values), rtol=1e-5, atol=1e-6)
    assert torch.equal(aware(join(values, 0.0)), aware(join(values.flip(0), 0.0)))
    with pytest.raises(ValueError, match="expected how='adapter'"):
        make_certainty_aware(model, (3, 8, 8), how="convolution")


def aware_already():
    return make_certainty_aware(LooksTwice(), (3, 8, 8))


@pytest.mark.parametrize(
    ("make", "arguments", "says"),
    [
        (lambda: torch.sum, ((3, 8, 8),), "expected a torch.nn.Module, got builtin_function_or_method"),
        (aware_already, ((3, 8, 8),), "a model without certainty, got CertaintyAware, which has one already"),
        (LooksTwice, ((1, 8, 8),), r"doesn't take inputs \(N, 1, 8, 8\).*3 channels"),
        (LooksTwice, ((8, 8),), r"expected input_shape \(C, H, W\), got \(8, 8\)"),
        (lambda: nn.Conv2d(3, 2, 3), ((3, 8, 8),), r"logits \(N, K\), got \(2, 2, 6, 6\)"),
    ],
)
def test_what_cannot_be_made_aware_is_refused(make, arguments, says):
    with pytest.raises(ValueError, match=says):
        make_certainty_aware(make(), *arguments)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"how": "magic"}, "'convolution' or 'adapter', got 'magic'"),
        ({"front": 5}, "front >= 2 C = 6, got 5"),
        ({"mean": (0.5, 0.5)}, "one or 3, got 2 and 1"),
        ({"std": 0.0}, "std > 0"),
    ],
)
def test_options_that_mean_nothing_are_refused(options, says):
    with pytest.raises(ValueError, match=says):
        make_certainty_aware(LooksTwice(), (3, 8, 8), **options)


def test_inputs_without_certainty_are_refused():
    with pytest.raises(ValueError, match=r"\(N, 4, H, W\), certainty last along dim 1, got \(2, 3, 8, 8\)"):
        aware_already()(images(2, 8))
