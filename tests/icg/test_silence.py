"""Never a wrong number in silence: models as other people's code has them."""

import copy
import functools
import pickle
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import icg
from icg import baselines, modes, shapley
from icg.certainty import is_certainty_aware, join
from icg.deletion import deletion_curves, insertion_curves, ranking, without_certainty
from icg.question import Question


def rand(*shape, seed=0, **options):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), **options)


class Aware(nn.Module):
    """Three logits of known values alone."""

    certainty_aware = True

    def __init__(self, positions=4):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.net = nn.Sequential(nn.Linear(positions, 8), nn.Tanh(), nn.Linear(8, 3))

    def forward(self, z):
        return self.net((z[:, :-1] * z[:, -1:]).sum(1))


def mlp(inputs=4, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(inputs, 8), nn.Tanh(), nn.Linear(8, 3))


X = rand(3, 1, 4)  # values; as joined inputs, with certainty
GRADIENTS = {
    "gradient": lambda f, x, **o: icg.gradient(f, x, **o),
    "smoothgrad": lambda f, x, **o: icg.smoothgrad(f, x, n_steps=4, **o),
    "ig": lambda f, x, **o: icg.integrated_gradients(f, x, n_steps=8, **o),
    "agn": lambda f, x, **o: icg.integrated_gradients(f, x, baselines.gaussian_noise(n_samples=3), n_steps=4, **o),
    "eg": lambda f, x, **o: icg.expected_gradients(f, x, x.flip(0), n_steps=4, **o),
    "eg, random": lambda f, x, **o: icg.expected_gradients(f, x, x, n_steps=4, method="monte_carlo", **o),
    "sig": lambda f, x, **o: icg.shapley_integrated_gradients(f, x, n_samples=3, n_steps=4, **o),
    "icg": lambda f, x, **o: icg.integrated_certainty_gradients(f, x, n_steps=8, **o),
    "icg, middle": lambda f, x, **o: icg.integrated_certainty_gradients(f, x, n_steps=8, method="riemann_middle", **o),
    "ecg": lambda f, x, **o: icg.expected_certainty_gradients(f, x, n_steps=4, **o),
    "random path": lambda f, x, **o: icg.random_path_certainty_gradients(f, x, n_steps=4, **o),
    "blocks": lambda f, x, **o: icg.block_path_certainty_gradients(f, x, n_steps=4, **o),
}
OTHERS = {
    "bshap": lambda f, x, **o: icg.bshap(f, x, 0.3, **o),
    "shap": lambda f, x, **o: icg.shap_values(f, x, x[:2].flip(0), **o),
    "certainty-shap": lambda f, x, **o: icg.certainty_shap(f, x, **o),
    "deletion": lambda f, x, **o: deletion_curves(f, x, x.flip(0) / 2, ranking(x), **o).output,
    "insertion": lambda f, x, **o: insertion_curves(f, x, x.flip(0) / 2, ranking(x), **o).output,
    "some shares": lambda f, x, **o: deletion_curves(f, x, x / 2, ranking(x), shares=[0.25, 0.5], **o).output,
}
ALL = GRADIENTS | OTHERS
gradients = pytest.mark.parametrize("name", GRADIENTS)
every = pytest.mark.parametrize("name", ALL)


# ---- No way from the output to the input


def int8(x):
    return torch.ao.quantization.quantize_dynamic(mlp(8).eval(), {nn.Linear}, dtype=torch.qint8)(x.flatten(1))


LOST = {
    "integers": lambda head, z: head(z.flatten(1).mul(9).long().float()),
    "detached": lambda head, z: head(z.flatten(1).detach()),
    "data": lambda head, z: head(z.data.flatten(1)),
    "NumPy": lambda head, z: head(torch.from_numpy(z.detach().numpy()).flatten(1)),
    "no_grad": lambda head, z: head(torch.no_grad()(lambda z: z.flatten(1) * 2)(z)),
    "comparison": lambda head, z: head((z > 0.5).float().flatten(1)),
    "argmax": lambda head, z: head(functional.one_hot(z.flatten(1).argmax(1), 8).float()),
    "inference mode": lambda head, z: head(torch.inference_mode()(lambda z: z.flatten(1) * 2)(z).clone()),
}


@gradients
@pytest.mark.parametrize("kind", LOST)
def test_no_way_back_to_the_input_is_no_gradient_of_zero(name, kind):
    head = [mlp(8)]  # weights that need gradients, out of sight
    hidden = {"head": lambda x: head[0](x)}
    with pytest.raises(ValueError, match="does not depend on its input by differentiable operations"):
        GRADIENTS[name](lambda z: LOST[kind](hidden["head"], z), join(X))
    with pytest.raises(ValueError, match="does not depend on its input by differentiable operations"):
        GRADIENTS[name](lambda z: LOST[kind](hidden["head"], z) + nn.Parameter(torch.ones(3)), join(X), target="all")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_int8_module_has_no_gradient_either():
    """And its scale depends on the largest value in the batch."""
    bias = nn.Parameter(torch.zeros(3))
    with pytest.raises(ValueError, match="differentiable|depends on the rest"):
        icg.integrated_gradients(lambda z: int8(z) + bias, join(X))


CONSTANT = {
    "a dead ReLU": lambda z: functional.relu(-1 - z).flatten(1).sum(1),
    "a step": lambda z: z.round().flatten(1).sum(1) + z.sign().flatten(1).sum(1),
    "times 0": lambda z: (z * 0).flatten(1).sum(1),
    "one feature": lambda z: z[:, 0, 0],
    "some rows": lambda z: torch.where(z[:, 0, 0] > z.new_tensor(0.4), z[:, 0, 1], z.new_tensor(0.0)),
}


@gradients
@pytest.mark.parametrize("kind", CONSTANT)
def test_a_gradient_that_is_zero_is_one(name, kind):
    result = GRADIENTS[name](CONSTANT[kind], join(X))
    assert result.isfinite().all() and (kind in ("one feature", "some rows") or not result.any())


@pytest.mark.parametrize("batch", [1, 2, None])
def test_rows_may_go_ways_of_their_own(batch):
    def routed(x):
        return torch.stack([row.sum() if row[0] > 0.5 else torch.tensor(0.0) for row in x])

    x = torch.tensor([[0.9, 2.0], [0.1, 2.0], [0.8, 1.0]])
    assert icg.gradient(routed, x, internal_batch_size=batch).tolist() == [[1, 1], [0, 0], [1, 1]]


# ---- Rows that depend on each other


class Box:
    """Holds a network where a plain search finds none."""

    def __init__(self, net):
        self.net = net

    def predict(self, x):
        return self.net(x.flatten(1))

    def __call__(self, x):
        return self.predict(x)

    @classmethod
    def of_class(cls, x):
        return cls.shared(x.flatten(1))


class Slotted:
    __slots__ = ("net",)

    def __call__(self, x):
        return self.net(x.flatten(1))


GLOBAL = None


def by_global_name(x):
    return [GLOBAL(row) for row in [x.flatten(1)]][0]


def hidings(net):
    global GLOBAL
    GLOBAL = net
    Box.shared = net
    slotted = Slotted()
    slotted.net = net
    listed, table = [net], {"net": {"deep": net}}

    @functools.wraps(net.forward)
    def wrapped(x):
        return net(x.flatten(1))

    def default(x, *, net=net):
        return net(x.flatten(1))

    def nested(x):
        def inner():
            return net(x.flatten(1))

        return inner()

    class Unregistered(nn.Module):
        def forward(self, x):
            return listed[0](x.flatten(1))

    flat = nn.Sequential(nn.Flatten(), net)
    parallel, cached = nn.DataParallel(flat), functools.lru_cache(lambda: net)
    return {
        "lambda": lambda x: net(x.flatten(1)),
        "bound method": Box(net).predict,
        "forward of a module": flat.forward,
        "class method": Box.of_class,
        "object": Box(net),
        "slots": slotted,
        "partial": functools.partial(lambda net, x: net(x.flatten(1)), net),
        "partial of a method": functools.partial(Box(net).predict),
        "default": default,
        "nested": nested,
        "wrapped": wrapped,
        "list": lambda x: listed[0](x.flatten(1)),
        "dict": lambda x: table["net"]["deep"](x.flatten(1)),
        "global": by_global_name,
        "global by a lambda": lambda x: by_global_name(x),
        "DataParallel": lambda x: parallel(x),
        "module of modules out of sight": Unregistered(),
        "no_grad": torch.enable_grad()(lambda x: net(x.flatten(1))),
        "cache": lambda x: cached()(x.flatten(1)),
    }


HIDINGS = list(hidings(nn.Identity()))


@pytest.mark.parametrize("hiding", HIDINGS)
def test_eval_mode_reaches_networks_behind_any_callable(hiding):
    net = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))
    net[1].running_var.fill_(2)
    expected = icg.integrated_gradients(lambda x: copy.deepcopy(net).eval()(x.flatten(1)), join(X), target=1)
    before = copy.deepcopy(net.state_dict())
    got = icg.integrated_gradients(hidings(net)[hiding], join(X), target=1)
    torch.testing.assert_close(got, expected)
    assert net.training and net[1].training and all(p.requires_grad for p in net.parameters())
    assert all(value.equal(before[key]) for key, value in net.state_dict().items())


COUPLED = {
    "statistics of the batch": lambda z: functional.batch_norm(z.flatten(1), None, None, training=True),
    "no running statistics": lambda z: nn.BatchNorm1d(8, track_running_stats=False)(z.flatten(1)),
    "over images": lambda z: functional.batch_norm(z, None, None, training=True).flatten(1),
    "centred": lambda z: (z - 0.01 * z.mean(0)).flatten(1),
    "softmax over rows": lambda z: z.flatten(1).softmax(0),
    "cumulative": lambda z: z.flatten(1).cumsum(0),
    "attention": lambda z: functional.scaled_dot_product_attention(*[z.flatten(1)[None]] * 3)[0],
    "noise": lambda z: z.flatten(1) + torch.randn(3, 1),
    "one side input for each": lambda z: z.flatten(1) * torch.arange(1.0, 4.0)[:, None],
}


MIXED = rand(8, 2, seed=5)


@every
@pytest.mark.parametrize("kind", COUPLED)
def test_rows_that_depend_on_each_other_are_refused(name, kind):
    with torch.random.fork_rng(), pytest.raises(ValueError, match="depends on the rest of its batch|rows, but not"):
        try:
            ALL[name](lambda z: COUPLED[kind](z) @ MIXED, join(X), output="logit", target=0)
        except RuntimeError as error:  # a side input may fail to fit by itself, which is no silence
            raise ValueError("rows, but not") if kind in ("one side input for each", "noise") else error from error


@pytest.mark.parametrize("n", [1, 2])
def test_few_inputs_and_equal_inputs_hide_nothing(n):
    x = join(X[:1].expand(n, 1, 4).clone())
    for kind in ("over images", "softmax over rows"):
        with pytest.raises(ValueError, match="depends on the rest of its batch"):
            icg.integrated_gradients(COUPLED[kind], x, output="logit", target=0)


@pytest.mark.parametrize("n", [1, 3])
def test_a_batch_that_is_scaled_by_its_largest_value(n):
    """The first input, which has it, gets the same answer in any company; others don't."""
    for method in (icg.integrated_gradients, icg.gradient, icg.smoothgrad):
        with pytest.raises(ValueError, match="depends on the rest of its batch"):
            method(lambda z: z / z.abs().max(), rand(n, 4), output="logit", target=0)


@pytest.mark.parametrize("n", [2, 3])
def test_a_batch_that_is_scaled_by_the_largest_value_that_all_rows_have(n):
    x = rand(n, 4)
    x[:, 1] = 1
    for method in (icg.integrated_gradients, icg.gradient, icg.smoothgrad):
        with pytest.raises(ValueError, match="depends on the rest of its batch"):
            method(lambda z: z / z.max(), x, output="logit", target=0)


def test_a_row_that_depends_on_those_before_it():
    """The first one of a batch does not: the row that is asked again stands behind another."""
    x = rand(3, 4) + torch.arange(3)[:, None]  # the largest value comes last, so that no other check sees it
    for method in (icg.integrated_gradients, icg.gradient, icg.smoothgrad):
        with pytest.raises(ValueError, match="depends on the rest of its batch"):
            method(lambda z: z.cumsum(0), x, output="logit", target=0)


def test_rows_that_depend_on_their_place():
    """That is fine where every batch holds all inputs, each in its place, and nowhere else."""

    def model(z):
        return z.sum(1) * torch.arange(1.0, 4.0)  # of three rows

    x = 2 - torch.arange(6.0)[:, None] / 3 + rand(6, 4) / 10
    assert icg.gradient(model, x[:3], internal_batch_size=3).tolist() == [[1.0] * 4, [2.0] * 4, [3.0] * 4]
    for call in (
        lambda: icg.gradient(model, x, internal_batch_size=3),
        lambda: icg.integrated_gradients(model, x[:3], internal_batch_size=3, n_steps=8),
    ):
        with pytest.raises(ValueError, match="depends on the rest of its batch"):
            call()


ABSENT = {  # of the rows that nothing is missing in the model says the same in any company
    "means for what is missing": lambda z: torch.where(z[:, 1] < 1, z[:, 0].mean(0), z[:, 0]),
    "centred by those that miss something": lambda z: z[:, 0] - (1 - z[:, 1]) * ((1 - z[:, 1]) * z[:, 0]).mean(0),
    "means for zeros": lambda z: torch.where(z[:, 0] == 0, z[:, 0].mean(0), z[:, 0]),
    "scaled if there are zeros": lambda z: z[:, 0] / torch.where(z[:, 0].amin(1, True) > 0, 1, z.max()),
}
V = 0.1 + X  # values alone
MASKED = {
    "certainty-shap": lambda f, n, **o: icg.certainty_shap(f, join(V[:n]), **o),
    "certain deletion": lambda f, n, **o: deletion_curves(
        f, join(V[:n]), without_certainty(join(V[:n])), ranking(V[:n]), **o
    ),
    "bshap": lambda f, n, **o: icg.bshap(f, V[:n], 0.0, **o),
    "shap": lambda f, n, **o: icg.shap_values(f, V[:n], 0 * V[:2], **o),
    "sampling": lambda f, n, **o: icg.shapley_sampling(shapley.baseline_game(f, V[:n], **o), 4, n_permutations=4),
    "deletion": lambda f, n, **o: deletion_curves(f, V[:n], 0 * V[:n], ranking(V[:n]), **o),
    "insertion": lambda f, n, **o: insertion_curves(f, V[:n], 0 * V[:n], ranking(V[:n]), **o),
}


ALONE = {("scaled if there are zeros", "insertion")}  # the largest value comes first
ALONE |= {("means for what is missing", name) for name in MASKED}  # the values stay, and so does their mean


@pytest.mark.parametrize("name", MASKED)
@pytest.mark.parametrize("kind", ABSENT)
@pytest.mark.parametrize("n", [1, 3])
def test_rows_that_depend_on_each_other_only_where_something_is_missing(name, kind, n):
    alone = n == 1 and (kind, name) in ALONE
    if ("certain" in name) != ("miss" in kind) or alone:
        return  # there is no dependence
    with pytest.raises(ValueError, match="depends on the rest of its batch"):
        MASKED[name](lambda z: ABSENT[kind](z) @ rand(4, 2, seed=5), n, output="logit", target=0)


@pytest.mark.parametrize("name", ["bshap", "shap", "sampling", "deletion", "insertion"])
def test_rows_that_depend_on_each_other_only_where_nothing_is_missing(name):
    def model(z):
        return (z[:, 0] - (z[:, 0].amin(1, True) > 0) * z[:, 0].mean(0)) @ rand(4, 2, seed=5)

    with pytest.raises(ValueError, match="depends on the rest of its batch"):
        MASKED[name](model, 3, output="logit", target=0)


@pytest.mark.parametrize("name", MASKED)
@pytest.mark.parametrize("size", [None, 2])
def test_games_and_curves_cost_one_small_batch_more(name, size):
    sizes = []

    def model(z):
        sizes.append(len(z))
        return z[:, 0] @ rand(4, 2, seed=5)

    MASKED[name](model, 3, target=0, internal_batch_size=size)
    points = {"certainty-shap": 16, "bshap": 16, "shap": 32, "sampling": 14}.get(name, 5)
    assert sum(sizes) == 3 + 2 + 3 * points


def test_the_difference_is_named():
    x = torch.tensor([[1.0, 0.0], [3.0, 4.0]])
    with pytest.raises(ValueError, match=r"of the same row it says -1, -2 in one, 0.375, -0.5 in another \(statistics"):
        icg.integrated_gradients(lambda z: z - z.mean(0), x, target=0, output="logit")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("n", [1, 2, 7])
def test_rounding_is_no_dependence(dtype, n):
    """Deep networks whose rounding depends on the size of the batch, as matrix products and low precision have it."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(
            *[layer for _ in range(20) for layer in (nn.Linear(64, 64), nn.ReLU())], nn.Linear(64, 3)
        ).to(dtype)

    def rounded(x):
        out = net(x.to(dtype)).float()
        return out * (1 + (0.01 if dtype.itemsize == 2 else 1e-6) * (len(x) % 3))  # as if by other kernels

    icg.integrated_gradients(rounded, rand(n, 64), n_steps=2)
    icg.gradient(lambda x: -1 - rounded(x).square().sum(1), rand(n, 64))  # nor where all outputs are negative


def test_rounding_that_depends_on_the_company_is_none_in_low_precision_alone():
    """One step of bf16, as from scales that kernels choose for a batch; in float32 the same is no rounding."""

    def model(x):
        return x.sum(1) * (1 + 0.02 * x.mean())

    x = 1 + rand(3, 64)
    with pytest.raises(ValueError, match="depends on the rest"):
        icg.gradient(model, x)
    icg.gradient(lambda x: model(x).bfloat16(), x)


def test_other_rows_keep_their_certainty_when_one_is_asked_again():
    """Half the values are inputs, too; half the certainty may be none, for a model that takes 0 and 1 alone."""

    def binary(z):
        if not bool(((z[:, -1] == 0) | (z[:, -1] == 1)).all()):
            raise RuntimeError("expected certainty 0 or 1")
        return (z[:, 0] * z[:, 1]).sum(1)

    torch.testing.assert_close(icg.gradient(binary, join(X), certainty_aware=True)[:, :1], torch.ones_like(X))
    torch.testing.assert_close(icg.certainty_shap(binary, join(X)), X)


def test_bf16_by_autocast_is_no_dependence():
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 3))
    for n in (1, 2, 7):
        icg.integrated_gradients(net, rand(n, 64), n_steps=2, autocast=torch.bfloat16)


def test_a_batch_size_that_is_built_in_stays():
    seen = []

    def fixed(x):
        seen.append(len(x))
        return x.view(4, 5).sum(1)

    for method in (icg.gradient, icg.integrated_gradients, icg.bshap):
        method(fixed, rand(4, 5), internal_batch_size=4)
    icg.integrated_gradients(lambda x: x.view(1, 5).sum(1), rand(3, 5), internal_batch_size=1)
    assert set(seen) == {4}


def test_the_check_costs_one_small_batch():
    sizes = []
    model = mlp()
    model.register_forward_pre_hook(lambda module, arguments: sizes.append(len(arguments[0])))
    icg.integrated_gradients(model, rand(5, 4), n_steps=8)
    assert sizes == [5, 2 + 5, 40]  # the inputs; two, and the starts; the gradients
    sizes.clear()
    icg.gradient(model, rand(3, 4), internal_batch_size=1)  # every row is alone: there is nothing to compare
    assert sizes == [1] * 6
    sizes.clear()
    icg.gradient(model, rand(5, 4), internal_batch_size=3)  # five in batches of three: no size that is built in
    assert sizes == [3, 2, 2, 3, 2]
    sizes.clear()
    icg.integrated_gradients(model, rand(5, 4), baselines.gaussian_noise(n_samples=6), n_steps=16)
    assert sizes == [5, 2 + 5, 5 * 5, 5 * 6 * 16] or sizes == [5, 2 + 5, 5 * 6 * 16, 5 * 5]
    sizes.clear()

    def aware(z):
        sizes.append(len(z))
        return (z[:, 0] * z[:, 1]).flatten(1).sum(1)

    icg.gradient(aware, join(rand(5, 1, 4)), certainty_aware=True)
    assert sizes == [5, 2, 5]  # that all rows are as certain is no value that all of them have


# ---- What the model takes besides


def besides(z, mask, scale, name=None):
    return mlp(8)(z.flatten(1) * mask.flatten(1)) * scale


MASK = (rand(3, 2, 4, seed=3) > 0.4).float()


@every
@pytest.mark.parametrize("batch", [1, 2, 3, None])
def test_side_inputs_go_with_their_rows(name, batch):
    """As if each input were asked for alone, with its own."""
    x, options = join(X), {"output": "logit", "target": 1}
    if "eg" in name or name == "shap":  # these draw for all inputs together
        return
    got = ALL[name](besides, x, additional_forward_args=(MASK, 2.0, "tag"), internal_batch_size=batch, **options)
    if name not in ("icg", "icg, middle", "ig", "gradient", "bshap", "certainty-shap"):
        assert got.isfinite().all()
        return
    for row in range(3):
        alone = ALL[name](lambda z, mask=MASK[row : row + 1]: besides(z, mask, 2.0), x[row : row + 1], **options)
        torch.testing.assert_close(got[row : row + 1], alone)


def test_one_side_input_needs_no_tuple_and_what_has_no_rows_is_shared():
    weight = rand(8, 2, seed=4)
    got = icg.gradient(lambda z, w: z.flatten(1) @ w, join(X), target=0, output="logit", additional_forward_args=weight)
    torch.testing.assert_close(got.flatten(1), weight[:, 0].expand(3, 8))
    got = icg.gradient(lambda z, s: (z * s).flatten(1).sum(1), join(X), additional_forward_args=torch.tensor(3.0))
    torch.testing.assert_close(got, torch.full((3, 2, 4), 3.0))


def test_target_0_of_one_output_is_that_output():
    model = nn.Linear(4, 1)
    for method in (icg.gradient, icg.integrated_gradients, icg.bshap):
        torch.testing.assert_close(method(model, rand(3, 4), target=0), method(model, rand(3, 4)))
    with pytest.raises(ValueError, match="expected no target, got 1"):
        icg.gradient(model, rand(3, 4), target=1)


# ---- What belongs to the caller


WRITES = {
    "sub_": lambda z: z.sub_(0.3).mul_(2),
    "slice": lambda z: z.__setitem__((slice(None), slice(None), 0), 0.0) or z,
    "data": lambda z: z.data.mul_(2) * 0 + z,
    "NumPy": lambda z: [z.detach().numpy().__imul__(2), z][1],
    "relu": lambda z: functional.relu(z, inplace=True),
    "out": lambda z: [torch.clamp(z.detach(), 0, 0.5, out=z.detach()), z][1],
}


@every
@pytest.mark.parametrize("kind", WRITES)
def test_a_model_that_writes_into_its_input_gets_copies(name, kind):
    net = mlp(8)

    def clean(z):
        return net(WRITES[kind](z.clone()).flatten(1))

    def dirty(z):
        return net(WRITES[kind](z).flatten(1))

    x = join(X)
    expected = ALL[name](clean, x.clone(), target=1)
    got = ALL[name](dirty, x, target=1)
    assert torch.equal(x, join(X)) and torch.equal(got, expected)


def test_a_model_may_ask_for_gradients_of_its_input():
    def energy(x):
        return (x**3).sum()

    def method(x):
        x.requires_grad_()
        return torch.autograd.grad(energy(x), x, create_graph=True)[0].sum(1)

    def attribute(x):
        x.requires_grad = True
        return torch.autograd.grad(energy(x), x, create_graph=True)[0].sum(1)

    x = rand(3, 4)
    for model in (method, attribute):
        torch.testing.assert_close(icg.gradient(model, x), 6 * x)
        torch.testing.assert_close(icg.integrated_gradients(model, x, n_steps=4), 3 * x**2)
        torch.testing.assert_close(icg.bshap(model, x), 3 * x**2)
    assert not x.requires_grad


class Sensitive(nn.Module):
    """The squared norm of a logit's gradient by the weights, and how it is computed."""

    def __init__(self, how):
        super().__init__()
        self.net, self.how = mlp(), how

    def forward(self, x):
        return torch.stack([getattr(self, self.how)(row) for row in x])

    def autograd(self, row):
        gradients = torch.autograd.grad(self.net(row)[0], self.net[:2].parameters(), create_graph=True)
        return sum(g.square().sum() for g in gradients)

    def within(self, row):
        with torch.enable_grad():
            return self.autograd(row)

    def functional(self, row):
        weights = {name: p.detach() for name, p in self.net.named_parameters() if name[0] == "0"}
        gradients = torch.func.grad(lambda w: torch.func.functional_call(self.net, w, (row,))[0])(weights)
        return sum(g.square().sum() for g in gradients.values())

    def backward(self, row):
        self.net(row)[0].backward()
        return self.net(row)[0] + sum(p.grad.sum() for p in self.net.parameters() if p.grad is not None)


@pytest.mark.parametrize("how", ["autograd", "within"])
@pytest.mark.parametrize("inference", [False, True])
def test_a_model_may_ask_for_gradients_of_its_weights(how, inference):
    with torch.inference_mode(inference):
        model, twin, x = Sensitive(how), Sensitive("functional"), rand(3, 4)
    model.net[2].weight.requires_grad_(False) if not inference else None
    x = x.clone()
    for method in (icg.gradient, icg.integrated_gradients, icg.bshap):
        torch.testing.assert_close(method(model, x), method(twin, x))
        torch.testing.assert_close(method(lambda x: model(x), x, internal_batch_size=2), method(twin, x))
    flags = [p.requires_grad for p in model.net.parameters()]
    assert flags == [True, True, inference, True] and all(p.grad is None for p in model.net.parameters())
    assert not modes._HELD


def test_a_model_that_adds_to_the_gradients_of_its_weights_is_refused():
    """With frozen weights there would be none to add, and another number."""
    for method in (icg.gradient, icg.integrated_gradients, icg.bshap):
        with pytest.raises(ValueError, match=r"the model calls backward\(\).*use torch.autograd.grad"):
            method(Sensitive("backward"), rand(3, 4))


def test_overlapping_calls_leave_a_model_alone():
    net = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5), nn.BatchNorm1d(2))
    net[0].bias.requires_grad_(False)
    before = [m.training for m in net.modules()], [p.requires_grad for p in net.parameters()]
    with modes.quiet(net):
        with modes.quiet(lambda x: net(x)), modes.quiet(net[0]):
            pass
        assert not any(m.training for m in net.modules()) and not any(p.requires_grad for p in net.parameters())
    first, second = modes.quiet(net), modes.quiet(net)
    with ThreadPoolExecutor(1) as other:
        first.__enter__()
        other.submit(second.__enter__).result()
        first.__exit__(None, None, None)
        assert not any(m.training for m in net.modules()) and not any(p.requires_grad for p in net.parameters())
        other.submit(second.__exit__, None, None, None).result()
    assert before == ([m.training for m in net.modules()], [p.requires_grad for p in net.parameters()])


def test_threads_share_one_model():
    net = nn.Sequential(nn.Linear(4, 16), nn.Dropout(0.5), nn.BatchNorm1d(16), nn.Linear(16, 3))
    x, found = rand(6, 4), []
    expected = icg.integrated_gradients(copy.deepcopy(net), x, target=0)

    def work():
        for _ in range(30):
            found.append(icg.integrated_gradients(net, x, target=0, n_steps=64))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 120 and all(torch.equal(got, expected) for got in found)
    assert all(m.training for m in net.modules()) and all(p.requires_grad for p in net.parameters())


class Stubborn(nn.Linear):
    """Raises when its mode is put back."""

    def __setattr__(self, name, value):
        if name == "training" and value and "weight" in self._parameters:
            raise OSError("stuck")
        super().__setattr__(name, value)


def test_all_is_put_back_even_if_some_of_it_fails():
    net = nn.Sequential(nn.Linear(2, 2), Stubborn(2, 2), nn.Linear(2, 2))
    with pytest.raises(OSError, match="stuck"):
        icg.gradient(net, rand(2, 2), target=0)
    assert all(p.requires_grad for p in net.parameters()) and net[0].training and net[2].training and net.training
    assert not modes._HELD


def test_weights_that_were_made_in_inference_mode():
    with torch.inference_mode():
        net = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))
    weight = net[0].weight
    twin = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))
    twin.load_state_dict(net.state_dict())
    torch.testing.assert_close(
        icg.integrated_gradients(net, rand(3, 4), target=1), icg.integrated_gradients(twin, rand(3, 4), target=1)
    )
    assert net[0].weight is weight and weight.requires_grad and weight.is_inference() and net.training


class Keeps(nn.Module):
    """Keeps activations, as hooks and Grad-CAM code do."""

    def __init__(self):
        super().__init__()
        self.net, self.kept, self.table = mlp(), [], {}
        self.own = nn.Parameter(torch.ones(3)) * 2  # not a leaf, and not ours

    def forward(self, x):
        self.last = self.net[0](x)
        self.kept.append(self.last)
        self.table["first"] = self.last * 2
        return self.net[1:](self.last) * self.own.detach()


def test_models_that_keep_activations_can_be_copied_afterwards():
    model = Keeps()
    own = model.own
    icg.integrated_gradients(model, rand(2, 4), n_steps=4)
    assert model.own is own and own.grad_fn is not None
    del model.own
    copy.deepcopy(model)
    assert not model.last.requires_grad and not model.table["first"].requires_grad


# ---- Certainty in wrappers


def traced(model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.trace(model, join(X))


WRAPPED = {
    "DataParallel": nn.DataParallel,
    "Sequential": lambda m: nn.Sequential(m, nn.Identity()),
    "Sequential in Sequential": lambda m: nn.Sequential(nn.Sequential(m)),
    "average": torch.optim.swa_utils.AveragedModel,
    "partial": lambda m: functools.partial(m),
    "method": lambda m: m.forward,
    "wraps": lambda m: functools.wraps(m.forward)(lambda z: m(z)),
    "DataParallel of Sequential": lambda m: nn.DataParallel(nn.Sequential(m)),
}


@pytest.mark.parametrize("wrapper", WRAPPED)
def test_certainty_is_seen_through_wrappers(wrapper):
    model = Aware()
    wrapped = WRAPPED[wrapper](model)
    assert is_certainty_aware(wrapped)
    expected = icg.integrated_gradients(model, join(X), target=0)
    torch.testing.assert_close(icg.integrated_gradients(wrapped, join(X), target=0), expected)
    assert not expected[:, 1].any()
    torch.testing.assert_close(
        icg.integrated_certainty_gradients(wrapped, join(X), target=0),
        icg.integrated_certainty_gradients(model, join(X), target=0),
    )


@every
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_or_it_is_said(name):
    for wrapped in (traced(Aware()), lambda z: Aware()(z)):
        got = ALL[name](wrapped, join(X), target=0, certainty_aware=True)
        torch.testing.assert_close(got, ALL[name](Aware(), join(X), target=0))
    plain = icg.integrated_gradients(Aware(), join(X), target=0, certainty_aware=False)
    assert plain[:, 1].any()
    with pytest.raises(ValueError, match="certainty_aware = True"):
        icg.certainty_shap(Aware(), join(X), certainty_aware=False)
    plain = nn.Sequential(nn.Flatten(), mlp(8))  # would take certainty for one channel more
    for method in (icg.certainty_shap, icg.integrated_certainty_gradients):
        with pytest.raises(ValueError, match="certainty_aware = True, got Sequential without it"):
            method(plain, join(X))


def test_a_model_around_a_certainty_aware_one_is_none():
    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = Aware()

        def forward(self, x):
            return self.net(join(x))

    assert not is_certainty_aware(Plain()) and not is_certainty_aware(nn.Sequential(nn.Flatten(), Plain()))
    assert not is_certainty_aware(lambda x: Aware()(x)) and not is_certainty_aware(nn.Sequential())


# ---- Finite, where it counts


DIVERGES = {
    "log 0": lambda z: z.flatten(1).prod(1).log() if z.ndim == 2 else (z[:, 0] * z[:, -1]).log().sum(1),
    "root of 0": lambda z: 1 / z.flatten(1).sum(1).sqrt() if z.ndim == 2 else 1 / (z[:, 0] * z[:, -1]).sum(1).sqrt(),
    "0 / 0": lambda z: z.sum(1) / z.sum(1) if z.ndim == 2 else (z[:, 0] * z[:, -1]).sum(1) / z[:, -1].sum(1),
}


@pytest.mark.parametrize("kind", DIVERGES)
def test_what_diverges_at_the_start_is_refused(kind):
    f, x = DIVERGES[kind], rand(3, 5)
    with pytest.raises(ValueError, match="not finite at the start of a path"):
        icg.integrated_gradients(f, x)
    with pytest.raises(ValueError, match="not finite"):
        icg.integrated_gradients(f, x, return_convergence_delta=True)
    for method in ("riemann_middle", "adaptive"):
        with pytest.raises(ValueError, match="not finite"):
            icg.integrated_certainty_gradients(f, join(X), method=method)
    with pytest.raises(ValueError, match="not finite at the start of a path"):
        icg.block_path_certainty_gradients(f, join(X), parts=1)
    with pytest.raises(ValueError, match="not finite|finite values"):
        icg.certainty_shap(f, join(X))


@pytest.mark.parametrize("kind", DIVERGES)
def test_a_draw_that_diverges_late_is_found(kind):
    starts = torch.cat([0.5 + rand(30, 5), torch.zeros(1, 5)])
    with pytest.raises(ValueError, match="not finite at the start of a path"):
        icg.integrated_gradients(DIVERGES[kind], rand(2, 5), baselines.every(starts), n_steps=16)


def test_what_diverges_at_the_inputs_is_refused():
    x = torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    for method in (icg.gradient, icg.integrated_gradients, icg.bshap):
        with pytest.raises(ValueError, match="not finite"):
            method(lambda z: z.log().sum(1), x, **({} if method is icg.gradient else {"baselines": 1.0}))


def masked(z):
    """Logits of which the last class isn't allowed."""
    return torch.cat([mlp(8)(z.flatten(1)), torch.full((len(z), 1), -torch.inf)], 1)


@every
@pytest.mark.parametrize("output", ["probability", "log_probability", "logit"])
def test_a_masked_class_that_nobody_asks_about_is_fine(name, output):
    expected = ALL[name](lambda z: mlp(8)(z.flatten(1)), join(X), target=1, output=output)
    torch.testing.assert_close(ALL[name](masked, join(X), target=1, output=output), expected)
    of_each = torch.tensor([1, 1, 1])  # classes by row, as predicted ones are
    torch.testing.assert_close(ALL[name](masked, join(X), target=of_each, output=output), expected)
    with pytest.raises(ValueError, match="not finite"):
        ALL[name](masked, join(X), target=3, output=output)


@every
@pytest.mark.parametrize("bad", [torch.inf, torch.nan])
def test_an_infinite_logit_that_counts_is_refused(name, bad):
    def model(z):
        return torch.cat([mlp(8)(z.flatten(1)), torch.full((len(z), 1), bad)], 1)

    with pytest.raises(ValueError, match="not finite"):
        ALL[name](model, join(X), target=1)


# ---- Probabilities for logits


@every
def test_probabilities_for_logits_are_pointed_out(name):
    def model(z):
        return mlp(8)(z.flatten(1)).softmax(1)

    with pytest.warns(UserWarning, match='as probabilities do: pass a model that returns logits, or output="logit"'):
        ALL[name](model, join(X), target=0)
    with pytest.warns(UserWarning, match="as probabilities do"):  # also where one of them is 0
        ALL[name](lambda z: functional.pad(model(z), (0, 1)), join(X), target=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ALL[name](model, join(X), target=0, output="logit")
        ALL[name](lambda z: mlp(8)(z.flatten(1)), join(X), target=0)
        ALL[name](lambda z: model(z).log(), join(X), target=0)
        ALL[name](lambda z: model(z) * 2, join(X), target=0)


# ---- Numbers, and things that only look wrong


WHOLE = [np.int64(4), np.int32(4), np.uint8(4), np.array(4), torch.tensor(4), torch.tensor(4, dtype=torch.uint8)]
REAL = [np.float32(0.25), np.float64(0.25), np.array(0.25), torch.tensor(0.25), torch.tensor(0.25, dtype=torch.float64)]


@pytest.mark.parametrize("four", WHOLE, ids=repr)
def test_whole_numbers_of_any_library(four):
    model, x = mlp(), rand(3, 4)
    calls = {
        "ig": lambda n: icg.integrated_gradients(model, x, n_steps=n, internal_batch_size=n),
        "trapezoid": lambda n: icg.integrated_gradients(model, x, n_steps=n, method="riemann_trapezoid"),
        "adaptive": lambda n: icg.integrated_gradients(model, x, n_steps=n, method="adaptive"),
        "smoothgrad": lambda n: icg.smoothgrad(model, x, n_steps=n),
        "eg": lambda n: icg.expected_gradients(model, x, x, n_steps=n),
        "sig": lambda n: icg.shapley_integrated_gradients(model, x, n_samples=n, n_steps=n),
        "noise": lambda n: icg.integrated_gradients(model, x, baselines.gaussian_noise(n_samples=n)),
        "icg": lambda n: icg.integrated_certainty_gradients(Aware(), join(X), n_steps=n, n_samples=n),
        "ecg": lambda n: icg.expected_certainty_gradients(Aware(), join(X), n_steps=n),
        "random path": lambda n: icg.random_path_certainty_gradients(Aware(), join(X), n_steps=n),
        "blocks": lambda n: icg.block_path_certainty_gradients(Aware(), join(X), n_steps=n, blocks=n, parts=n),
        "shap": lambda n: icg.shap_values(model, x, shapley.Uniform(), n_samples=n),
        "values": lambda n: icg.shapley_values(lambda m: m.sum(1), n, batch_size=n),
        "sampling": lambda n: icg.shapley_sampling(lambda m: m.sum(1) ** 2, n, n_permutations=n, batch_size=n)[0],
        "ranking": lambda n: ranking(rand(1, 1, 8), block=n),
        "shares": lambda n: (
            deletion_curves(mlp(8).__call__ and (lambda z: z.flatten(1).sum(1)), X, X / 2, ranking(X), shares=n).output
        ),
        "target": lambda n: icg.gradient(lambda z: torch.cat([model(z)] * 2, 1), x, target=n),
    }
    for name, call in calls.items():
        assert torch.equal(call(four), call(4)), name


@pytest.mark.parametrize("quarter", REAL, ids=repr)
def test_numbers_of_any_library(quarter):
    model, x = mlp(), rand(3, 4)
    calls = {
        "baseline": lambda q: icg.integrated_gradients(model, x, q),
        "smoothgrad": lambda q: icg.smoothgrad(model, x, noise_std=q),
        "icg": lambda q: icg.integrated_certainty_gradients(Aware(), join(X), noise_std=q, n_samples=2),
        "noise": lambda q: baselines.gaussian_noise(q).starts(x),
        "blurred": lambda q: baselines.blurred(q).starts(x),
        "constant": lambda q: baselines.constant(q).starts(x),
        "middle": lambda q: baselines.middle(0, q).starts(x),
        "uniform": lambda q: baselines.uniform_noise(0, q).starts(x),
        "distance": lambda q: baselines.maximum_distance(0, q).starts(x),
        "bshap": lambda q: icg.bshap(model, x, q),
    }
    for name, call in calls.items():
        torch.testing.assert_close(call(quarter), call(0.25), msg=name)


@pytest.mark.parametrize(
    "wrong",
    [True, np.bool_(True), torch.tensor(True), 4.0, np.float64(4), torch.tensor(4.0), torch.tensor([4]), "4", None],
)
def test_what_is_no_whole_number_is_refused(wrong):
    with pytest.raises(ValueError, match="expected n_steps to be a whole number >= 1, got"):
        icg.integrated_gradients(mlp(), rand(3, 4), n_steps=wrong)


@pytest.mark.parametrize(
    "wrong", [True, torch.tensor(True), "1", None, torch.nan, torch.inf, -0.1, torch.tensor([0.1])]
)
def test_what_is_no_number_is_refused(wrong):
    for call in (lambda n: icg.smoothgrad(mlp(), rand(3, 4), noise_std=n), baselines.gaussian_noise, baselines.blurred):
        with pytest.raises(ValueError, match=r"expected (noise_std|std|sigma) >=? 0, got"):
            call(wrong)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"generator": 0}, "expected generator to be a torch.Generator or None, got 0"),
        ({"generator": np.random.default_rng(0)}, "expected generator to be a torch.Generator or None, got Generator"),
        ({"dtype": torch.int64}, "expected dtype to be a floating torch.dtype or None, got torch.int64"),
        ({"dtype": np.float32}, "expected dtype to be a floating torch.dtype or None, got <class"),
        ({"dtype": "float32"}, "expected dtype to be a floating torch.dtype or None, got 'float32'"),
        ({"autocast": True}, "expected autocast to be a floating torch.dtype or None, got True"),
        (
            {"inputs": rand(3, 4).to_sparse()},
            r"expected inputs to be a dense tensor \(its .to_dense\(\)\), got torch.sparse",
        ),
        ({"inputs": rand(3, 4).to_sparse_csr()}, "expected inputs to be a dense tensor"),
        ({"baselines": rand(3, 4).to_sparse()}, "expected baselines to be a dense tensor"),
    ],
)
def test_wrong_kinds_are_refused_in_one_clear_sentence(options, expected):
    options = {"inputs": rand(3, 4)} | options
    with pytest.raises(ValueError, match=expected):
        icg.integrated_gradients(mlp(), options.pop("inputs"), **options)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_frozen_torchscript():
    for net in (mlp(), nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))):
        frozen = torch.jit.freeze(torch.jit.script(net.eval()))
        torch.testing.assert_close(
            icg.integrated_gradients(frozen, rand(3, 4), target=0), icg.integrated_gradients(net, rand(3, 4), target=0)
        )


PICKLED = {
    "constant": baselines.constant(0.25),
    "zero": baselines.zero(),
    "middle": baselines.middle(),
    "mean": baselines.mean(rand(5, 4)),
    "every": baselines.every(rand(5, 4)),
    "uniform": baselines.uniform_noise(n_samples=2),
    "distance": baselines.maximum_distance(),
    "blurred": baselines.blurred(1.0),
    "gaussian": baselines.gaussian_noise(n_samples=3),
    "data": baselines.data(rand(5, 4), n_samples=3),
}


@pytest.mark.parametrize("name", PICKLED)
def test_baselines_can_be_pickled(name):
    again = pickle.loads(pickle.dumps(PICKLED[name]))
    assert torch.equal(again.starts(rand(3, 4)), PICKLED[name].starts(rand(3, 4)))
    assert torch.equal(copy.deepcopy(PICKLED[name]).starts(rand(3, 4)), PICKLED[name].starts(rand(3, 4)))


@pytest.mark.parametrize("kind", ["baseline", "uniform", "uniform of many", "data", "certainty"])
def test_games_can_be_pickled(kind):
    game = {
        "baseline": lambda: shapley.baseline_game(mlp(), rand(3, 4), baselines.gaussian_noise()),
        "uniform": lambda: shapley.distribution_game(mlp(2), rand(3, 2), shapley.Uniform()),
        "uniform of many": lambda: shapley.distribution_game(mlp(), rand(3, 4), shapley.Uniform(), n_samples=8),
        "data": lambda: shapley.distribution_game(mlp(), rand(3, 4), rand(6, 4)),
        "certainty": lambda: shapley.certainty_game(Aware(), X),
    }[kind]()
    again = pickle.loads(pickle.dumps(game))
    masks = icg.shapley.coalitions(game.n)
    assert torch.equal(again(masks), game(masks))


@every
def test_another_default_device_changes_nothing(name):
    expected = ALL[name](Aware(), join(X), target=1)
    fair = icg.shapley_sampling(lambda m: m.double().sum(1) ** 2, 5, n_permutations=8)
    model, x = Aware(), join(X)
    with torch.device("meta"):
        assert torch.equal(ALL[name](model, x, target=1), expected)
        again = icg.shapley_sampling(lambda m: m.double().sum(1) ** 2, 5, n_permutations=8)
    assert all(torch.equal(a, b) for a, b in zip(again, fair, strict=True))


# ---- Memory


def test_the_order_of_many_samples_takes_linear_memory(monkeypatch):
    """Sample by sample or by a table, the tour is the same, and no tensor is larger than the samples' outputs."""
    from icg import attribution

    model, data = mlp(), rand(300, 4, seed=1)
    question = Question(model, rand(2, 4), target=0)
    with question.asked():
        order = attribution._in_a_row(question, data, torch.Generator().manual_seed(0), 300)
        monkeypatch.setattr(attribution, "LARGEST_TABLE", 10)
        again = attribution._in_a_row(question, data, torch.Generator().manual_seed(0), 300)

        class Largest(torch.utils._python_dispatch.TorchDispatchMode):
            most = 0

            def __torch_dispatch__(self, func, types, args=(), kwargs=None):
                out = func(*args, **(kwargs or {}))
                for tensor in torch.utils._pytree.tree_leaves(out):
                    if isinstance(tensor, torch.Tensor):
                        self.most = max(self.most, tensor.numel())
                return out

        with Largest() as largest:
            attribution._in_a_row(question, data, torch.Generator().manual_seed(0), 300)
    assert sorted(order.tolist()) == sorted(again.tolist()) == list(range(300))

    def length(order):
        outputs = model(data)[order]
        return outputs.diff(dim=0).norm(dim=1).sum().item()

    assert length(again) == pytest.approx(length(order), rel=0.02)
    assert largest.most <= 300 * 8


def test_the_networks_own_parts_are_found_before_whatever_its_classes_refer_to(monkeypatch):
    """There is no end of classes in a long-lived process."""

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.parts = nn.ModuleList(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)) for _ in range(20))

    net = Own()
    monkeypatch.setattr(modes, "MOST_THINGS", 300)
    for model in (net, lambda x: net(x), functools.partial(net)):
        assert set(net.modules()) <= set(modes.networks(model))


def test_what_installed_packages_are_made_of_is_not_looked_through(monkeypatch):
    """Or each call would look at thousands of things, for longer than a small model takes."""
    hidden = nn.Linear(4, 4)

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = mlp()
            self.net[0].forward = lambda x: functional.linear(hidden(x), self.net[0].weight)  # of torch, but changed

        def forward(self, x: torch.Tensor, dtype: np.dtype | None = None) -> torch.Tensor:
            return functional.softplus(self.net(torch.as_tensor(np.asarray(x)))) if dtype else self.net(x)

    class Chosen(torch.utils.data.Subset):  # an object of the user's, by way of an installed class
        def __call__(self, x):
            return self.dataset[self.indices[0]](x)

    seen, behind = [], modes._behind
    monkeypatch.setattr(modes, "_behind", lambda thing: seen.append(thing) or behind(thing))
    net = Own()
    for model in (net, lambda x: net(x), torch.no_grad()(lambda x: net(x)), Chosen([net], [0])):
        seen.clear()
        assert {*net.modules(), hidden} <= set(modes.networks(model))
        assert len(seen) < 200
