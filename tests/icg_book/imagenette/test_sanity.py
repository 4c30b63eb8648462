"""Networks that forget: which weights change, what their layers pass on, and what is refused."""

import pytest
import torch
from torch import nn
from torchvision import models as vision

from icg.certainty import join
from icg.resnet import certainty_resnet
from icg_book.imagenette import sanity
from icg_book.imagenette.experiment import STAGES

SIZE = 32


@pytest.fixture
def model():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return certainty_resnet("resnet18", 10, front=6, size=SIZE).eval()


def photographs(n):
    return join(torch.rand(n, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(2)))


def test_weights_become_random_from_the_head_down(model):
    """As the experiment on photographs goes through them: all of the network, and nothing before its turn."""
    inputs, kept = photographs(6), {name: value.clone() for name, value in model.state_dict().items()}
    where = {stage: tuple(f"{part}." for part in parts) for stage, parts in STAGES.items()}
    parts, before = [], None
    for k, (stage, more) in enumerate(STAGES.items()):
        parts += more
        state = sanity.randomised(model, parts, inputs).state_dict()
        for number, other in enumerate(STAGES):
            names = [name for name in state if name.startswith(where[other]) and state[name].ndim > 1]
            assert names and all(torch.equal(state[name], kept[name]) == (number > k) for name in names)
            if before is not None and number < k:  # a lower stage begins with the same weights
                assert all(torch.equal(state[name], before[name]) for name in names)
        norm = torch.equal(state["resnet.bn1.running_mean"], kept["resnet.bn1.running_mean"])
        assert norm == (stage not in ("stem", "front"))
        before = state
    assert not [name for name in before if before[name].ndim > 1 and torch.equal(before[name], kept[name])]
    assert all(torch.equal(value, kept[name]) for name, value in model.state_dict().items())  # a copy


def test_random_layers_pass_on_something_of_an_ordinary_size(model):
    inputs = photographs(16)
    model = sanity.randomised(model, [part for parts in STAGES.values() for part in parts], inputs)
    seen = {}
    model.resnet.bn1.register_forward_hook(lambda module, given, found: seen.update(out=found.clone()))
    with torch.no_grad():
        logits = model(inputs)
    assert not model.training and seen["out"].mean().abs() < 0.05
    assert seen["out"].std().item() == pytest.approx(1, abs=0.1)  # by the statistics of these inputs
    assert logits.std(0).mean() > 1e-3


def test_a_seed_decides_and_the_global_random_state_stays_as_it_was(model):
    inputs, state = photographs(4), torch.get_rng_state()
    first, same, other = (sanity.randomised(model, ["resnet.fc"], inputs, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first.resnet.fc.weight, same.resnet.fc.weight)
    assert not torch.equal(first.resnet.fc.weight, other.resnet.fc.weight)


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ((), "the names of some submodules, got \\(\\)"),
        ("0", "the names of some submodules, got '0'"),
        (["0", "head"], "names of submodules of Sequential, got 'head'"),
        (["0", "1"], "'1' has no layer that can be drawn anew"),
    ],
)
def test_what_cannot_be_forgotten_is_refused(parts, says):
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    with pytest.raises(ValueError, match=says):
        sanity.randomised(model, parts, torch.rand(3, 2))


def test_attention_forgets_all_of_itself():
    model = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    forgetful = sanity.randomised(model, ["self_attn"], torch.rand(3, 4, 8))
    kept = dict(model.named_parameters())
    changed = {name for name, value in forgetful.named_parameters() if not torch.equal(value, kept[name])}
    # (The bias of the in-projection is drawn anew, too: as zeros, which it was.)
    assert changed == {"self_attn.in_proj_weight", "self_attn.out_proj.weight", "self_attn.out_proj.bias"}
    assert all(value.isfinite().all() for value in forgetful.parameters())
    with torch.no_grad():
        model.self_attn.in_proj_bias.fill_(0.5)
    forgetful = sanity.randomised(model, ["self_attn"], torch.rand(3, 4, 8))
    assert not forgetful.self_attn.in_proj_bias.any() and model.self_attn.in_proj_bias.all()


class Scaled(nn.Module):
    """Has a layer, and a weight of its own that nothing draws."""

    def __init__(self):
        super().__init__()
        self.layer, self.scale = nn.Linear(2, 2), nn.Parameter(torch.ones(2))

    def forward(self, x):
        return self.layer(x) * self.scale


class Half(nn.Linear):
    """Draws its weights, and forgets its bias."""

    def reset_parameters(self):
        nn.init.normal_(self.weight)


@pytest.mark.parametrize(("layer", "left"), [(Scaled(), "1.scale"), (Half(2, 2), "1.bias")])
def test_weights_that_nothing_draws_are_refused_by_name(layer, left):
    model = nn.Sequential(nn.Linear(2, 2), layer)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(0.5)
    with pytest.raises(ValueError, match=f"no layer draws these weights anew: {left};"):
        sanity.randomised(model, ["0", "1"], torch.rand(3, 2))
    assert all((parameter == 0.5).all() for parameter in model.parameters())
    sanity.randomised(model, ["0"], torch.rand(3, 2))


def test_a_vision_transformer_says_which_weights_stay():
    torch.manual_seed(0)
    model = vision.VisionTransformer(32, 16, 1, 2, 8, 16, num_classes=2).eval()
    with pytest.raises(ValueError, match="encoder.pos_embedding; choose parts without them"):
        sanity.randomised(model, ["heads", "encoder"], torch.rand(3, 3, 32, 32))
    forgetful = sanity.randomised(model, ["heads", "encoder.layers"], torch.rand(3, 3, 32, 32))
    kept = dict(model.named_parameters())
    matrices = [name for name, value in kept.items() if name.startswith("encoder.layers") and value.ndim > 1]
    assert len(matrices) == 4
    assert not [name for name in matrices if torch.equal(forgetful.get_parameter(name), kept[name])]
