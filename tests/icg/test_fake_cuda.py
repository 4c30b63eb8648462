"""All methods on a CUDA device, on any machine: fake tensors know their shape and device, and fail where devices mix.

PyTorch's fake tensors have no values. Where the code looks at one, :class:`Answers` says what a sound run would find;
gradients, for which autograd wants the real device, are stood in for by ones. What comes out has no meaning: the
results themselves are held by ``test_cuda.py``, where there is a GPU.
"""

import functools

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

import icg
from icg import attribution, baselines, certainty, damage, fairness, measures, modes, shapley
from icg.deletion import deletion_curves, insertion_curves, ranking, without_certainty

N, C, P = 3, 2, 4  # inputs, channels, positions
CUDA = torch.device("cuda", 0)


class Answers(TorchDispatchMode):
    """Says that all is well, that nothing is bad, ``whole`` for a whole number, and that ``chosen`` are chosen."""

    def __init__(self):
        super().__init__()
        self.whole, self.chosen, self.said, self.kept = P - 1, P, {}, []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func.name().partition(".")[0].removeprefix("aten::")
        if name == "_local_scalar_dense":
            kind = args[0].dtype
            return self.said.get(
                id(args[0]), True if kind == torch.bool else 0.5 if kind.is_floating_point else self.whole
            )
        if name == "equal":
            assert args[0].device == args[1].device
            return True
        if name == "nonzero":
            return torch.zeros(self.chosen, args[0].ndim, dtype=torch.long, device=args[0].device)
        if name == "_unique2":
            return torch.zeros(self.whole + 1, dtype=args[0].dtype, device=args[0].device), args[0], args[0]
        if name in ("unique_dim", "unique_consecutive"):
            return args[0], args[0], args[0]
        if name == "bincount":
            return torch.zeros(self.whole + 1, dtype=torch.long, device=args[0].device)
        if name in ("index", "index_put_"):
            tensor, index = args[0], args[1]
            for each in index:  # a real tensor takes indices from the CPU or from its own device
                assert each is None or each.device in (torch.device("cpu"), tensor.device), "indices on another device"
            args = tensor, [self._numbers(each) for each in index], *args[2:]
        result = func(*args, **kwargs)
        if name == "any" or (name in ("lt", "gt", "le", "eq", "bitwise_or") and result.ndim == 0):
            self._say(result, False)
        if name == "argmin":
            self._say(result, 0)
        return result

    def _say(self, result, what):
        self.said[id(result)] = what
        self.kept.append(result)  # or another tensor might get its id

    def _numbers(self, index):
        if index is None or index.dtype != torch.bool:
            return index
        return torch.zeros(self.chosen, dtype=torch.long, device=index.device)


@pytest.fixture(params=[True, False], ids=["alike", "differing"])
def device(request, monkeypatch):
    """A machine that has a CUDA device, as far as anybody can see."""

    def grad(score, points, ones, *, retain_graph=False, allow_unused=False):
        assert score.device == points.device == ones.device and score.requires_grad
        return (torch.ones_like(points),)

    def allclose(a, b, **options):
        torch.isclose(a, b)
        return request.param

    def sobol(n, dimensions, generator):
        return torch.rand(n, dimensions, dtype=torch.float64, device="cpu")

    monkeypatch.setattr(torch.autograd, "grad", grad)
    monkeypatch.setattr(torch, "allclose", allclose)
    monkeypatch.setattr(attribution, "sobol", sobol)
    monkeypatch.setattr(shapley, "sobol", sobol)
    with FakeTensorMode(allow_non_fake_inputs=True), Answers() as answers:
        yield answers


class Net(nn.Module):
    certainty_aware = True

    def __init__(self):
        super().__init__()
        norm = nn.BatchNorm1d(8, device=CUDA)
        self.net = nn.Sequential(nn.Linear(P, 8, device=CUDA), nn.ReLU(), norm, nn.Linear(8, 3, device=CUDA))

    def forward(self, z):
        assert z.device == CUDA and z.shape[1] == C + 1
        return self.net((z[:, :-1] * z[:, -1:]).sum(1))


def seeded():
    return torch.Generator("cpu").manual_seed(0)


def cuda(*shape):
    return torch.rand(*shape, device=CUDA)


def joined():
    return torch.cat([cuda(N, C, P), torch.ones(N, 1, P, device=CUDA)], 1)


def cpu_data():
    return torch.rand(5, C, P, device="cpu")


BASELINES = {
    "none": lambda: None,
    "number": lambda: 0.5,
    "one": lambda: cuda(1, C, P),
    "each": joined,
    "zero": baselines.zero,
    "middle": baselines.middle,
    "constant": lambda: baselines.constant(cpu_data()[0]),
    "mean": lambda: baselines.mean(cpu_data()),
    "every": lambda: baselines.every(cpu_data()),
    "uniform": lambda: baselines.uniform_noise(n_samples=2),
    "distance": baselines.maximum_distance,
    "blurred": lambda: baselines.blurred(1.0),
    "gaussian": lambda: baselines.gaussian_noise(n_samples=20),
    "data": lambda: baselines.data(cpu_data(), n_samples=2),
}
METHODS = {
    "gradient": icg.gradient,
    "smoothgrad": lambda f, x, **o: icg.smoothgrad(f, x, n_steps=4, **o),
    "ig": lambda f, x, **o: icg.integrated_gradients(f, x, n_steps=20, **o),
    "ig, adaptive": lambda f, x, **o: icg.integrated_gradients(f, x, n_steps=8, method="adaptive", **o),
    "eg": lambda f, x, **o: icg.expected_gradients(f, x, cuda(5, C, P), n_steps=4, **o),
    "eg of the CPU": lambda f, x, **o: icg.expected_gradients(f, x, cpu_data(), n_steps=4, **o),
    "eg, random": lambda f, x, **o: icg.expected_gradients(f, x, cpu_data(), n_steps=4, method="monte_carlo", **o),
    "sig": lambda f, x, **o: icg.shapley_integrated_gradients(f, x, n_samples=3, n_steps=4, **o),
    "icg": lambda f, x, **o: icg.integrated_certainty_gradients(f, x, n_steps=8, noise_std=0.1, n_samples=2, **o),
    "ecg": lambda f, x, **o: icg.expected_certainty_gradients(f, x, n_steps=4, **o),
    "random path": lambda f, x, **o: icg.random_path_certainty_gradients(f, x, n_steps=4, **o),
    "blocks": lambda f, x, **o: icg.block_path_certainty_gradients(f, x, n_steps=5, **o),
}
LATER = {name for name in METHODS if name not in ("gradient", "smoothgrad", "sig", "random path", "blocks")}
GAMES = {
    "baseline": lambda f, x, **o: shapley.baseline_game(f, x, **o),
    "noise": lambda f, x, **o: shapley.baseline_game(f, x, baselines.gaussian_noise(n_samples=3), **o),
    "uniform": lambda f, x, **o: shapley.distribution_game(f, x, shapley.Uniform(), **o),
    "data": lambda f, x, **o: shapley.distribution_game(f, x, cpu_data(), n_samples=3, **o),
    "certainty": lambda f, x, **o: shapley.certainty_game(f, x[:, :-1], x[:, -1:], **o),
}
GROUPS = {"each": lambda: None, "pairs": lambda: torch.tensor([[0, 1, 2, 3]], device="cpu")}


def on_cuda(result, *shape):
    assert isinstance(result, FakeTensor) and result.device == CUDA and tuple(result.shape) == shape


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("options", [{}, {"target": "all"}, {"target": 1, "output": "logit", "dtype": torch.float64}])
def test_methods(device, name, options):
    classes = (3,) if options.get("target") == "all" else ()
    certain = name in ("icg", "ecg", "random path", "blocks")
    if name != "gradient":
        options = options | {"generator": seeded()}
    result = METHODS[name](Net(), joined(), **options)
    on_cuda(result, N, *classes, 1 if certain else C + 1, P)


@pytest.mark.parametrize("name", METHODS)
def test_the_rest_of_the_arguments(device, name):
    target = torch.tensor([0, 1, 2], device="cpu")
    options = {"target": target, "output": "log_probability", "internal_batch_size": 4, "autocast": torch.bfloat16}
    if name in LATER:
        result, delta = METHODS[name](Net(), joined(), return_convergence_delta=True, **options)
        on_cuda(delta, N)

    class Besides(Net):
        def forward(self, z, scale, shared):
            return super().forward(z) * scale[:, None] + shared

    besides = {"additional_forward_args": (torch.ones(N, device="cpu").to(CUDA), cuda(1, 3))}
    METHODS[name](Besides(), joined(), **besides)


@pytest.mark.parametrize("name", BASELINES)
def test_baselines(device, name):
    result = icg.integrated_gradients(Net(), joined(), BASELINES[name](), n_steps=4, generator=seeded())
    on_cuda(result, N, C + 1, P)
    if isinstance(BASELINES[name](), baselines.Baseline):
        assert BASELINES[name]().starts(cuda(N, C, P)).device == CUDA


@pytest.mark.parametrize("name", GAMES)
@pytest.mark.parametrize("groups", GROUPS)
@pytest.mark.parametrize("target", [1, "all"])
def test_games(device, name, groups, target):
    game = GAMES[name](Net(), joined(), target=target, groups=GROUPS[groups]())
    masks = torch.zeros(6, game.n, dtype=torch.bool, device="cpu")
    for given in (masks, masks.to(CUDA)):
        on_cuda(game(given), 6, N, *((3,) if target == "all" else ()))
    classes = (3,) if target == "all" else ()
    on_cuda(game.maps(), N, *classes, *((1,) if name == "certainty" else (C + 1,)), P)
    value = functools.partial(game.values, index=torch.arange(N, device="cpu"))
    icg.shapley_sampling(value, game.n, n_permutations=4)
    if target == 1:
        fairness.fair_division(game)


class Several(nn.Module):
    """Logits of an image, a number and words, one of each a row; (N, 3, 2) if asked for."""

    def __init__(self):
        super().__init__()
        self.image, self.words = nn.Linear(P, 3, device=CUDA), nn.Embedding(9, 3, device=CUDA)

    def forward(self, image, number, words=None, places=False):
        assert image.device == number.device == CUDA
        logits = self.image(image) * number[:, None] + (0 if words is None else self.words(words).sum(1))
        return torch.stack([logits, -logits], 2) if places else logits


@pytest.mark.parametrize("target", [1, "all"])
def test_several_inputs(device, target):
    inputs, classes = (cuda(N, P), cuda(N)), (3,) if target == "all" else ()
    data, options = (torch.rand(5, P, device="cpu").to(CUDA), cuda(5)), {"target": target}
    groups = torch.tensor([0, 1, 2, 2], device="cpu"), torch.tensor([3], device="cpu")
    own = groups[0].expand(N, -1), groups[1].expand(N, -1)
    for result in (
        icg.gradient(Several(), inputs, **options),
        icg.smoothgrad(Several(), inputs, n_steps=2, **options),
        icg.integrated_gradients(Several(), inputs, (0.5, None), n_steps=4, multiply_by_inputs=False, **options),
        icg.expected_gradients(Several(), inputs, data, n_steps=4, **options),
        icg.shapley_integrated_gradients(Several(), inputs, groups=groups, n_samples=3, n_steps=4, **options),
        icg.shapley_integrated_gradients(Several(), inputs, groups=own, n_samples=3, n_steps=4, **options),
        icg.bshap(Several(), inputs, groups=groups, **options),
        icg.bshap(Several(), inputs, groups=own, **options),
        icg.shap_values(Several(), inputs, data, groups=groups, **options),
        icg.noise_tunnel(icg.gradient, Several(), inputs, n_samples=3, kind="vargrad", noise_std=(1, 2), **options),
    ):
        on_cuda(result[0], N, *classes, P)
        on_cuda(result[1], N, *classes)


def test_whole_numbers_and_layers(device):
    net, words = Several(), torch.zeros(N, 2, dtype=torch.long, device=CUDA)
    image, number = cuda(N, P), cuda(N)
    options = {"groups": torch.tensor([[3, 5]], device="cpu"), "additional_forward_args": (image, number), "target": 0}
    device.whole = 1
    on_cuda(icg.bshap(lambda words, image, number: net(image, number, words), words, **options), N, 2)
    head, activations = icg.layers.from_layer(net, net.words, (image, number, words))
    besides = {"additional_forward_args": (image, number, words)}
    on_cuda(icg.integrated_gradients(head, activations, n_steps=4, target=0, **besides), N, 2, 3)


def test_places(device):
    inputs, besides = (cuda(N, P), cuda(N)), {"additional_forward_args": (None, True)}
    for target in ((1, 0), [(0, 1)] * N, torch.zeros(N, 2, dtype=torch.long, device="cpu")):
        on_cuda(icg.integrated_gradients(Several(), inputs, n_steps=4, target=target, **besides)[0], N, P)


def test_a_game_of_few_uniform_features(device):
    """By a grid."""
    net = nn.Linear(2, 3, device=CUDA)
    device.whole = device.chosen = 1
    on_cuda(icg.shap_values(net, cuda(N, 2), shapley.Uniform(), target=0, n_nodes=3), N, 2)


@pytest.mark.parametrize("name", ["bshap", "shap_values", "certainty_shap"])
def test_shapley_methods(device, name):
    method, more = getattr(icg, name), (cpu_data(),) if name == "shap_values" else ()
    result = method(Net(), joined(), *more, target=0)
    on_cuda(result, N, 1 if name == "certainty_shap" else C + 1, P)


@pytest.mark.parametrize("curves", [deletion_curves, insertion_curves])
def test_deletion(device, curves):
    x = joined()
    rank = ranking(x, generator=seeded())
    on_cuda(rank, N, 1, P)
    found = curves(Net(), x, without_certainty(x), rank, shares=5)
    assert found.output.shape[0] == N and found.output.device.type == found.share.device.type == "cpu"


def test_measures(device):
    maps, mask = cuda(N, C, 6, 6), cuda(N, 1, 6, 6) > 0.5
    for measure in (measures.mass_share, measures.pointing_game):
        on_cuda(measure(maps, mask), N)
    on_cuda(measures.rank_correlation(maps, maps), N)
    net, values = Net(), cuda(N, C, P)
    on_cuda(measures.probabilities(net, values, cuda(N, 1, P)), N, 3)
    measures.information_absence(net, values)
    measures.neutrality(net, values, torch.ones(3, device="cpu") / 3)
    on_cuda(measures.band_absence(net, joined(), torch.ones(P, dtype=torch.bool, device=CUDA), 0.0)[0], N)


@pytest.mark.parametrize("generator", [None, "CPU"])
def test_damage(device, generator):
    generator = generator and seeded()
    values, mean = cuda(8, C, 6, 6), cuda(8)
    shape = (8, 1, 6, 6)
    on_cuda(damage.bernoulli_certainty(mean, shape, generator=generator), *shape)
    on_cuda(damage.continuous_bernoulli_certainty(mean, shape, generator=generator), *shape)
    assert damage.uniform_certainty(shape, generator=generator).shape == shape
    on_cuda(damage.uniform_noise(values, generator=generator), 8, C, 6, 6)
    on_cuda(damage.another_sample(values, generator=generator), 8, C, 6, 6)
    on_cuda(damage.damage(values, cuda(*shape), values, generator=generator), 8, C, 6, 6)
    on_cuda(damage.damage_extent(cuda(*shape)), 8)
    on_cuda(damage.mixed_damage(values, generator=generator), 8, C + 1, 6, 6)
    on_cuda(damage.mixed_damage(values, mean=mean, generator=generator), 8, C + 1, 6, 6)
    on_cuda(damage.block_damage(values, generator=generator), 8, C + 1, 6, 6)
    on_cuda(damage.random_blocks(torch.ones(8, dtype=torch.long, device=CUDA), (6, 6), generator=generator), 8, 6, 6)
    on_cuda(certainty.join(values, 0.5), 8, C + 1, 6, 6)


def test_a_training_batch(device):
    """Of a generator on the device, as the training loop has it; there is none to be had here."""
    values, targets = cuda(8, C, 6, 6), torch.zeros(8, dtype=torch.long, device=CUDA)
    options = {"damaged": 0.3, "absent": 0.2, "blocks": 0.3, "prior": torch.ones(3, device="cpu") / 3}
    inputs, soft = damage.certainty_batch(values, targets, generator=None, **options)
    on_cuda(inputs, 8, C + 1, 6, 6)
    on_cuda(soft, 8, 3)


def test_devices_that_mix_are_found(device, monkeypatch):
    """A missing ``.to(device)`` fails here."""

    def at_home(sampler, like, generator):
        return sampler(like.shape, generator=generator, device=generator.device, dtype=like.dtype)

    for module in (attribution, baselines):
        monkeypatch.setattr(module, "random_like", at_home)
    for call in (
        lambda: icg.smoothgrad(Net(), joined()),
        lambda: icg.expected_certainty_gradients(Net(), joined()),
        lambda: icg.integrated_gradients(Net(), joined(), baselines.gaussian_noise()),
    ):
        with pytest.raises(Exception, match="same device"):
            call()


def test_every_public_function_of_the_core_is_here():
    named = {name for name in icg.__all__ if callable(getattr(icg, name))}
    text = open(__file__).read()
    elsewhere = ("shapley_values", "make_certainty_aware")  # a value function alone; a copy of a module, no tensors
    assert not [name for name in named if name not in text and name not in elsewhere]
    assert not modes._HELD
