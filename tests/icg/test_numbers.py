"""Numbers that public functions take: those of any library mean the same, and what is none is refused before work."""

import importlib
import inspect
import pkgutil
import re
import tempfile

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

import icg
from icg import aware, baselines, certainty, damage, datasets, deletion, fairness, measures, resnet, shapley, training
from icg.arguments import check_number
from icg.attribution import parts_for
from icg.models import LocalMinimumNet
from icg.quadrature import quadrature


def rand(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


class Net(nn.Module):
    """Two logits of joined inputs; can be told that nobody may ask it yet."""

    certainty_aware = True
    closed = False

    def forward(self, z):
        assert not Net.closed, "asked before the arguments were checked"
        known = (z[:, :-1] * z[:, -1:]).flatten(1)
        return torch.stack([known.sum(1), known.square().sum(1)], 1)


net = Net()
X = certainty.join(rand(3, 1, 4))
MAPS = rand(2, 1, 8, 8) - 0.3
OBJECTS = torch.zeros(2, 1, 8, 8, dtype=torch.long)
OBJECTS[:, :, 2:4, 2:4] = 1
MANY = shapley.baseline_game(net, certainty.join(rand(2, 1, 24)), 0.0, target=0)  # too many players for exact values


def seeded():
    return torch.Generator().manual_seed(0)


def asked(masks):
    assert not Net.closed, "asked before the arguments were checked"
    return masks.sum(1) ** 2


def tunnel(n, key):
    return icg.noise_tunnel(icg.gradient, net, X, **{key: n})


def sampled(n, key):
    return shapley.shapley_sampling(asked, **{"n": 5, "n_permutations": 8, key: n})[0]


def uniform(n, **ends):
    line = X[:2, :, :1].reshape(2, 2)
    return shapley.shap_values(lambda x: net(x[:, None])[:, 0], line, shapley.Uniform(**ends), n_nodes=n)


def area(n, key):
    return deletion.Curves(torch.linspace(0, 1, 5), rand(2, 5)).area(n)


def damaged(n, key):
    return damage.block_damage(rand(4, 1, 8), generator=seeded(), **{key: n})


def objects(name):
    return lambda n, key: getattr(measures, name)(MAPS, OBJECTS, **{key: n})


def banded(n, key):
    return torch.stack(measures.band_absence(net, X, torch.tensor([True, False, False, False]), n))


def path(name, **options):
    return lambda n, key: getattr(icg, name)(net, X, **options, **{key: n})


def game(name, *more, **options):
    return lambda n, key: getattr(shapley, name)(net, X, *more, **options | {key: n}).maps()


def certain_game(n, key):
    return shapley.certainty_game(net, X[:, :1], **{key: n}).maps()


def divided(n, key):
    return fairness.fair_division(MANY, **{"most_permutations": 8, key: n}).shares


def until(n, key):
    options = {"n": 24, "largest_error": 0.02, "most_permutations": 8, "generator": seeded(), key: n}
    return fairness.shapley_until(lambda masks: asked(masks)[:, None], **options)[0]


def curve(name):
    rank = deletion.ranking(X, generator=seeded())
    return lambda n, key: getattr(deletion, name)(net, X, X / 2, rank, **{key: n}).output


def start(name, **options):
    return lambda n, key: getattr(baselines, name)(**options, **{key: n}).starts(X, seeded())


def batch(n, key):
    options = {"damaged": 0.25, "absent": 0.25, "blocks": 0.25, "generator": seeded(), "prior": torch.ones(2) / 2}
    values = rand(8, 1, 4, 4)
    return damage.certainty_batch(values, torch.zeros(8, dtype=torch.long), **options | {key: n})[0]


def recipe(n, key):
    made = training.Recipe(**{"steps": 100, key: n})
    assert type(getattr(made, key)) in (int, float)
    return torch.tensor(float(getattr(made, key)))


def trained(n, key):
    def draw(step, generator):
        assert not Net.closed
        return torch.rand(4, 2, generator=generator), torch.zeros(4, dtype=torch.long)

    made = training.Recipe(steps=3, batch_size=4, warmup=0)
    model = training.train(lambda: nn.Linear(2, 2), draw, made, progress=False, **{key: n})
    return torch.tensor(0.0) if model is None else model.weight.detach()


def attributed(n, key):
    def double(x):
        assert not Net.closed
        return 2 * x

    with tempfile.TemporaryDirectory() as folder:
        datasets.attribute_dataset(double, DataLoader(rand(9, 2)), folder, key={}, progress=False, **{key: n})
        return torch.stack([datasets.read(folder, k)["attributions"] for k in range(9)])


def blocks(n, key):
    return damage.random_blocks(torch.tensor([1, 2, 3]), (4, 4), generator=seeded(), **{key: n})


def local(n, key):
    return torch.tensor(sum(p.numel() for p in LocalMinimumNet(**{key: n}).parameters()))


def residual(n, key):
    model = resnet.certainty_resnet("resnet18", **{"num_classes": 8, "front": 8, "size": 64, key: n})
    assert all(type(value) in (int, str) for value in model.config.values())
    return torch.tensor([model.front.out_channels, model.resnet.fc.out_features, *model.input_shape])


def made_aware(n, key):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.LazyLinear(2))
        network(torch.zeros(1, 3, 8, 8))
        given = {"input_shape": (3, 8, n)} if key == "input_shape" else {"input_shape": (3, 8, 8), key: n}
        return aware.make_certainty_aware(network, **given).eval()(certainty.join(rand(2, 3, 8, 8))).detach()


CASES = {}  # name, parameter: call, a good number, what the refusal says, whether negative numbers are fine


def whole(name, call, *keys, good=4, least=1, says=None, other="no other"):
    for key in keys:
        expected = f"expected {says or key} to be a whole number >= {least}, got"
        CASES[name, key] = call, good, re.escape(expected) + f"|{other}", False


def real(name, call, *keys, good=0.25, bound=">= 0", says=None, other="no other"):
    for key in keys:
        says_all = re.escape(f"expected {says or key} {bound}, got") + f"|{other}"
        CASES[name, key] = call, good, says_all, "finite" in bound


FINITE = "to be a finite number"
BASELINES = "expected baselines to be (None, a number|a non-empty floating)"
METHODS = {
    "gradient": (),
    "smoothgrad": ("n_steps",),
    "integrated_gradients": ("n_steps",),
    "shapley_integrated_gradients": ("n_steps", "n_samples"),
    "integrated_certainty_gradients": ("n_steps", "n_samples"),
    "expected_certainty_gradients": ("n_steps",),
    "random_path_certainty_gradients": ("n_steps",),
    "block_path_certainty_gradients": ("n_steps", "blocks", "parts"),
}
for method, counts in METHODS.items():
    whole(method, path(method), *counts, "internal_batch_size")
whole("expected_gradients", path("expected_gradients", baselines=X), "n_steps", "internal_batch_size")
real("smoothgrad", path("smoothgrad"), "noise_std")
whole("noise_tunnel", tunnel, "n_samples")
real("noise_tunnel", tunnel, "noise_std")
real("integrated_certainty_gradients", path("integrated_certainty_gradients"), "noise_std")
for method in ("integrated_gradients", "shapley_integrated_gradients", "bshap"):
    real(method, path(method), "baselines", bound=FINITE, other=BASELINES)
whole("parts_for", lambda n, key: torch.tensor(parts_for(n)), "n_steps", good=200)
whole("quadrature", lambda n, key: torch.stack(quadrature("riemann_middle", n)), "n_steps")
whole("baseline_game", game("baseline_game"), "internal_batch_size")
whole(
    "distribution_game", game("distribution_game", shapley.Uniform(), n_samples=8), "n_samples", "internal_batch_size"
)
whole("distribution_game", lambda n, key: uniform(n), "n_nodes")
whole("certainty_game", certain_game, "internal_batch_size")
real("certainty_game", certain_game, "certainty", bound="in [0, 1]")
whole("bshap", path("bshap"), "internal_batch_size")
whole("certainty_shap", path("certainty_shap"), "internal_batch_size")
whole("shap_values", path("shap_values", distribution=X), "n_samples", "internal_batch_size")
whole("shap_values", lambda n, key: uniform(n), "n_nodes")
ANY = "to be finite and of shape (2,), or a number"
real("Uniform", lambda n, key: uniform(2, **{key: n}), "low", "high", bound=ANY)
whole("coalitions", lambda n, key: shapley.coalitions(n), "n", says="the number of players")
whole("shapley_values", lambda n, key: shapley.shapley_values(asked, **{"n": 4, key: n}), "batch_size")
whole("shapley_values", lambda n, key: shapley.shapley_values(asked, n), "n", says="the number of players")
whole("shapley_sampling", sampled, "n", "n_permutations", "batch_size")
whole("fair_division", divided, "batch_size", "first")
whole("fair_division", divided, "most_permutations", good=16, least=4)
real("fair_division", divided, "largest_error", bound="> 0")
whole("shapley_until", until, "n", "first", "batch_size")
whole("shapley_until", until, "most_permutations", good=16, least=4)
real("shapley_until", until, "largest_error", bound="> 0")
real("bystanders", lambda n, key: fairness.bystanders(rand(3, 5), rand(3, 5, seed=1), threshold=n), "threshold")
for name in ("deletion_curves", "insertion_curves"):
    whole(name, curve(name), "internal_batch_size")
    whole(name, curve(name), "shares", least=2, other="increasing (shares|numbers)")
whole("ranking", lambda n, key: deletion.ranking(MAPS, block=n), "block")
real("area", area, "up_to", bound="to be one of the shares after the first")
whole("dilate", lambda n, key: measures.dilate(OBJECTS > 0, n), "pixels", good=2, least=0)
for name in ("object_recall", "objects_found"):
    whole(name, objects(name), "pixels", good=2, least=0)
    real(name, objects(name), "threshold")
whole("probabilities", lambda n, key: measures.probabilities(net, X[:, :1], batch_size=n), "batch_size")
real("probabilities", lambda n, key: measures.probabilities(net, X[:, :1], n), "certainty", bound="in [0, 1]")
real("band_absence", banded, "baseline", says="baselines", bound=FINITE, other=BASELINES)
for name in ("uniform_noise", "data", "gaussian_noise"):
    whole(name, start(name, **({"samples": X} if name == "data" else {})), "n_samples")
whole("Baseline", lambda n, key: baselines.Baseline(baselines.zero().sample, n).starts(X), "n_samples")
real("constant", start("constant"), "value", bound=FINITE)
for name in ("middle", "uniform_noise", "maximum_distance"):
    real(name, start(name), "low", "high", bound=FINITE)
real("blurred", start("blurred"), "sigma", bound="> 0")
real("gaussian_noise", start("gaussian_noise"), "std")
real("gaussian_noise", lambda n, key: start("gaussian_noise")((0.1, n), key), "clip", says="high", bound=FINITE)
real("join", lambda n, key: certainty.join(X, n), "certainty", bound="in [0, 1]")
whole("random_blocks", blocks, "most")
real("block_damage", damaged, "whole", bound="in [0, 1]")
whole("block_damage", damaged, "least")
real("certainty_batch", batch, "damaged", "absent", "blocks", "whole", bound="in [0, 1]")
whole("certainty_batch", batch, "least")
whole("Recipe", recipe, "steps")
whole("Recipe", recipe, "batch_size", least=2)
whole("Recipe", recipe, "warmup", "seed", least=0)
real("Recipe", recipe, "lr", "clip", bound="> 0")
real("Recipe", recipe, "final_lr", "weight_decay")
real("Recipe", recipe, "average", bound="in [0, 1)")
real("Recipe", recipe, "low_precision", "dropout", bound="in [0, 1]")
whole("train", trained, "checkpoint_every", "watch_every")
whole("train", trained, "stop_after", least=0)
whole("attribute_dataset", attributed, "batches")
whole("LocalMinimumNet", local, "width", "features", "hidden")
for key, least in (("num_classes", 2), ("front", 6), ("size", 32)):
    whole("certainty_resnet", residual, key, good=40, least=least)
whole("make_certainty_aware", made_aware, "front", good=8)
whole("make_certainty_aware", made_aware, "input_shape", good=8, says="input_shape (C, H, W)")
real("make_certainty_aware", made_aware, "mean", bound=FINITE)
real("make_certainty_aware", made_aware, "std", bound="> 0")

WHOLE = (np.int64, np.uint8, np.array, torch.tensor, lambda n: torch.tensor(n, dtype=torch.int32))
REAL = (np.float32, np.float64, np.array, torch.tensor, lambda n: torch.tensor(n, dtype=torch.float64))
WRONG = (True, np.True_, torch.tensor(True), "1", b"1", torch.nan, np.float32(torch.inf), torch.tensor([0.1, 0.2, 0.3]))
TENSORS = {"baselines", "value", "certainty", "low", "high", "shares", "mean", "std"}
cases = pytest.mark.parametrize(("name", "key"), [pytest.param(*case, id=":".join(case)) for case in CASES])


@cases
def test_numbers_of_any_library_mean_the_same(name, key, tmp_path):
    call, good, _, _ = CASES[name, key]
    wanted = call(good, key)
    for kind in WHOLE if isinstance(good, int) else REAL:
        torch.testing.assert_close(call(kind(good), key), wanted, msg=repr(kind(good)))


@cases
def test_what_is_no_such_number_is_refused_before_work(name, key, monkeypatch):
    call, good, says, negative = CASES[name, key]
    monkeypatch.setattr(Net, "closed", True)
    wrong = [*WRONG, *([] if negative else [-1, np.int64(-1), torch.tensor(-1.0)])]
    for number in [*wrong, *([1.5, np.float64(4), torch.tensor(4.0)] if isinstance(good, int) else [])]:
        if key in TENSORS and isinstance(number, torch.Tensor) and (number.ndim or key == "certainty"):
            continue  # it may be a tensor, and then other things are wrong with it
        with pytest.raises(ValueError, match=says):
            call(number, key)
            pytest.fail(f"took {number!r}")


# Of these, whole modules or single functions, users call none; their callers have checked.
INNER = {"arguments", "paths", "question", "check_input", "conv", "new_front", "open_front", "CertaintyAware"}
INNER |= {"CertaintyResNet", "refine", "sobol", "learning_rate", "Division", "ArtifactError"}
OTHER = {"target", "sample", "batch", "watch", "check_input"}  # no single numbers, or tested elsewhere


def test_every_number_of_a_public_function_is_here():
    missing = []
    for module in (importlib.import_module(f"icg.{found.name}") for found in pkgutil.iter_modules(icg.__path__)):
        short = module.__name__.removeprefix("icg.")
        for name, thing in vars(module).items():
            own = callable(thing) and getattr(thing, "__module__", "") == module.__name__ and name[0] != "_"
            if not own or {short, name} & INNER:
                continue
            for parameter in inspect.signature(thing).parameters.values():
                number = re.search(r"\b(int|float)\b", str(parameter.annotation))
                if number and parameter.name not in OTHER and (name, parameter.name) not in CASES:
                    missing.append(f"{short}.{name}({parameter.name})")
    assert missing == ["datasets.read(which)"]


@pytest.mark.parametrize(
    ("bound", "good", "bad"),
    [
        (">= 0", [0, 9], [-1e-9]),
        ("> 0", [1e-9, 9], [0, -1]),
        ("in [0, 1]", [0, 0.5, 1], [-1e-9, 1 + 1e-9]),
        ("in [0, 1)", [0, 0.5], [-1e-9, 1]),
        (FINITE, [-9, 0, 9], [torch.inf, -torch.inf, torch.nan]),
    ],
)
def test_the_ends_of_what_is_allowed(bound, good, bad):
    assert [check_number("x", number, bound) for number in good] == good
    for number in bad:
        with pytest.raises(ValueError, match=re.escape(f"expected x {bound}, got {number}")):
            check_number("x", number, bound)
