"""Imagenette: the batches, the evaluation, and training by the command line.

The photographs are random ones here, in the layout of the real ones.
"""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from icg import artifacts
from icg.__main__ import main
from icg.certainty import join, split
from icg.resnet import certainty_resnet
from icg.training import train
from icg_book.kit import trainings
from icg_book.kit.pictures import SIDE, resize
from icg_book.own_network.networks import classifier
from icg_book.scenarios import imagenette
from icg_book.scenarios.imagenette import CLASSES, Photographs, PhotoRecipe


@pytest.fixture
def data(photo_files):
    return photo_files


def photographs(name="train"):
    return imagenette.photographs(name, progress=False)


# ---- batches


def gradients(n, side=SIDE):
    """Images whose red is the place along x and whose green the place along y."""
    ramp = ((torch.arange(side) + 0.5) / side * 255).byte()
    image = torch.stack([ramp.expand(side, side), ramp[:, None].expand(side, side), torch.zeros(side, side).byte()], -1)
    return image.expand(n, -1, -1, -1)


@pytest.mark.parametrize("size", [64, 96, 128, 160])
def test_crops_are_where_and_as_large_as_they_should_be(size):
    n = 400
    crops = imagenette.random_crops(gradients(n), size, least=0.35, generator=torch.Generator().manual_seed(0))
    assert crops.shape == (n, 3, size, size) and (crops[:, 2] == 0).all()
    along_x, along_y = crops[:, 0].mean(1), crops[:, 1].mean(2)
    inner = slice(size // 8, size - size // 8)  # away from the border, where there is nothing to interpolate with
    steps = (along_x[:, inner].diff(dim=1), along_y[:, inner].diff(dim=1))
    width, height = (size * step.mean(1) for step in steps)
    assert all((step - step.mean(1, keepdim=True)).abs().max() < 3 / 255 for step in steps)  # evenly stretched
    assert (height > 0).all() and 0.4 < (width > 0).float().mean() < 0.6  # half of them mirrored, none upside down
    area, ratio = width.abs() * height, width.abs() / height
    assert 0.33 < area.min() < 0.42 and 0.9 < area.max() < 1.03 and area.mean().item() == pytest.approx(0.66, abs=0.03)
    assert 0.73 < ratio.min() < 0.8 and 1.27 < ratio.max() < 1.37
    for along, length in ((along_x, width.abs()), (along_y, height)):  # inside, and at every place
        centre = along.mean(1)
        assert (centre - length / 2).min() > -0.02 and (centre + length / 2).max() < 1.02
        assert (centre - length / 2).min() < 0.02 and (centre + length / 2).max() > 0.98
    assert np.corrcoef(width.abs(), along_x.mean(1))[0, 1] < 0.3


def test_what_becomes_small_is_averaged_and_not_picked():
    stripes = torch.zeros(20, SIDE, SIDE, 3, dtype=torch.uint8)
    stripes[:, :, ::2] = 255  # the finest there are: a small picture of them is grey
    crops = imagenette.random_crops(stripes, 64, least=0.8, generator=torch.Generator().manual_seed(0))
    assert crops[..., 8:-8, 8:-8].std() < 0.2  # picked values would have a standard deviation of about 0.35


def test_colours_change_by_the_factors_allowed():
    values = torch.rand(500, 3, 8, 8, generator=torch.Generator().manual_seed(1)) * 0.3 + 0.3  # nothing is clamped
    changed = imagenette.recolour(values, 0.2, generator=torch.Generator().manual_seed(0))
    brightness = changed.mean((1, 2, 3)) / values.mean((1, 2, 3))
    assert 0.8 <= brightness.min() < 0.82 and 1.18 < brightness.max() <= 1.2
    contrast = changed.mean(1).flatten(1).std(1) / values.mean(1).flatten(1).std(1) / brightness
    assert 0.79 < contrast.min() < 0.83 and 1.17 < contrast.max() < 1.21
    colour = [(t - t.mean(1, keepdim=True)).flatten(1).std(1) for t in (changed, values)]
    saturation = colour[0] / colour[1] / brightness / contrast
    assert 0.79 < saturation.min() < 0.83 and 1.17 < saturation.max() < 1.21
    torch.testing.assert_close(imagenette.recolour(values, 0.0), values)
    strong = imagenette.recolour(torch.rand(50, 3, 4, 4), 1.0)
    assert strong.min() >= 0 and strong.max() <= 1


def test_every_epoch_shows_everything_once_in_a_new_order():
    row = torch.cat([imagenette.epoch_order(step, 8, 30, seed=3) for step in range(15)])
    epochs = row.view(4, 30)
    assert all(sorted(epoch.tolist()) == list(range(30)) for epoch in epochs)
    assert not any(torch.equal(a, b) for a, b in zip(epochs, epochs[1:], strict=False))
    assert not torch.equal(imagenette.epoch_order(0, 8, 30, seed=4), row[:8])
    assert len(set(imagenette.epoch_order(0, 70, 30, seed=0).tolist())) == 30  # batches larger than the data


RECIPE = PhotoRecipe(
    steps=10,
    batch_size=20,
    lr=1e-3,
    warmup=2,
    weight_decay=0.05,
    average=0.9,
    low_precision=0.5,
    arch="resnet18",
    front=8,
    sizes=((0.0, 32), (0.5, 48), (0.9, 64)),
    damaged=0.4,
    blocks=0.2,
    absent=0.1,
    grow=0.2,
)


def batch_of(recipe, step):
    return imagenette.training_batches(photographs(), recipe)(step, torch.Generator().manual_seed(7))


def test_images_grow(data):
    sizes = [batch_of(RECIPE, step)[0].shape[-1] for step in range(10)]
    assert sizes == [32] * 5 + [48] * 4 + [64] and RECIPE.size(RECIPE.steps) == 64


def test_damage_grows_to_the_shares_asked_for(data):
    shares = []
    for step in (0, 1, 2, 9):
        inputs, targets = batch_of(RECIPE, step)
        certainty = split(inputs)[1].flatten(1)
        mean = certainty.mean(1)
        shares.append([int(((mean > 0) & (mean < 1)).sum()), int((mean == 0).sum())])
        assert inputs.is_contiguous(memory_format=torch.channels_last)
        assert inputs.min() >= 0 and inputs.max() <= 1
        torch.testing.assert_close(targets.sum(1), torch.ones(20))
    assert shares == [[0, 0], [6, 1], [12, 2], [12, 2]]


def test_labels_are_smoothed_and_absent_ones_are_the_prior(data):
    prior = torch.full((10,), 0.1)
    _, targets = batch_of(RECIPE, 9)
    torch.testing.assert_close(targets[-2:], prior.expand(2, 10))
    index = imagenette.epoch_order(9, 20, 30, RECIPE.seed)
    expected = 0.95 * nn.functional.one_hot(photographs().labels[index], 10) + 0.05 * prior
    torch.testing.assert_close(targets[:-2], expected[:-2])


def test_a_teacher_says_what_is_right_of_all_that_is_known(data, monkeypatch):
    asked = []

    def teacher(shown):
        asked.append(shown)
        return torch.zeros(len(shown), 10).index_fill(1, torch.tensor([3]), 50.0)  # always the fourth class

    teacher.to = lambda **options: teacher
    monkeypatch.setattr(imagenette, "load_model", lambda name, device: teacher if name == "someone" else None)
    recipe = replace(RECIPE, smoothing=0.0)
    inputs, own = batch_of(recipe, 9)
    same, taught = batch_of(replace(recipe, teacher="someone", taught=0.7), 9)
    torch.testing.assert_close(inputs, same)
    assert (asked[0][:, 3] == 1).all()  # it sees the undamaged photographs
    said = torch.nn.functional.one_hot(torch.tensor(3), 10).float()
    torch.testing.assert_close(taught[:-2], 0.3 * own[:-2] + 0.7 * said)
    torch.testing.assert_close(taught[-2:], own[-2:])  # nothing is known: the prior


def test_training_may_begin_with_shipped_weights_behind_a_gate(data, tmp_path, monkeypatch):
    first = certainty_resnet("resnet18", front=8, size=32)
    monkeypatch.setattr(imagenette, "load_model", lambda name: {"first": first}[name])
    recipe = replace(RECIPE, start="first", gated=True, arch="resnet18", front=8, sizes=((0.0, 32),))
    monkeypatch.setitem(imagenette.RECIPES, "imagenette-resnet18-blocks", (recipe,))
    model = imagenette.TRAININGS["imagenette-resnet18-blocks"].plan(curve=tmp_path / "curve.json").make()
    assert model.config["gated"] and "gated" not in first.config
    assert all(torch.equal(value, first.state_dict()[key]) for key, value in model.state_dict().items())


def test_the_transformer_masks_patches_of_certainty_0(data, tmp_path, monkeypatch):
    recipe = replace(RECIPE, arch="vit_small", front=6, sizes=((0.0, 32),))
    monkeypatch.setitem(imagenette.RECIPES, "imagenette-vit", (recipe,))
    model = imagenette.TRAININGS["imagenette-vit"].plan(curve=tmp_path / "curve.json").make().eval()
    nn.init.normal_(model.network.heads[0].weight, std=0.1)  # zeros before the training
    again = classifier(**model.config).eval()  # as its card builds it
    again.load_state_dict(model.state_dict())
    first, second = torch.rand(2, 1, 3, 32, 32)
    certainty = torch.ones(1, 1, 32, 32)
    certainty[..., :8, 8:16] = 0  # one patch
    mixed = torch.where(certainty > 0, first, second)
    torch.testing.assert_close(model(join(first, certainty)), again(join(mixed, certainty)))
    assert (model(join(first)) - model(join(mixed))).abs().max() > 1e-4
    with pytest.raises(ValueError, match="whole patches of 8 pixels, got 36"):
        imagenette.vit_small(10, 36)


def test_stopped_and_resumed_gives_the_same_network(data, tmp_path):
    recipe = replace(RECIPE, steps=5, batch_size=4)
    batch = imagenette.training_batches(photographs(), recipe)

    def run(**options):
        return train(lambda: certainty_resnet("resnet18", front=8), batch, recipe, progress=False, **options)

    straight = run().state_dict()
    for stop in (1, 3):
        assert run(checkpoint=tmp_path / "c.pt", stop_after=stop) is None
    resumed = run(checkpoint=tmp_path / "c.pt").state_dict()
    assert all(torch.equal(straight[key], resumed[key]) for key in straight)
    with pytest.raises(ValueError, match="different: sizes, damaged"):
        recipe = replace(recipe, sizes=((0.0, 64),), damaged=0.1)
        run(checkpoint=tmp_path / "c.pt")


def test_recipes_have_the_papers_front_and_begin_small():
    assert {recipe.front for recipe in imagenette.RECIPES["imagenette-resnet50"]} == {64}
    for stages in [*imagenette.RECIPES.values(), *imagenette.ON_A_CPU.values()]:
        for recipe in stages:
            sizes = [recipe.size(step) for step in (0, recipe.steps // 2, recipe.steps)]
            assert sizes == sorted(sizes) and sizes[-1] <= SIDE
            assert recipe.damaged + recipe.blocks + recipe.absent < 1
        assert stages[0].size(0) < stages[-1].size(0) or len(stages) == 1
        # A transformer's patches have places; and what has learnt already may go on as it ended.
        if stages[0].arch != "vit_small" and stages[0].start is None:
            assert stages[0].size(0) < stages[0].size(stages[0].steps)
        # A stage does not show the crops of the one before again, and goes on with the network that it left.
        assert len({recipe.seed for recipe in stages}) == len(stages)
        assert len({(recipe.arch, recipe.front, recipe.zero_init) for recipe in stages}) == 1


def test_a_cpu_gets_a_shorter_recipe_for_the_large_network_and_the_twin_differs_in_damage_only():
    (large,) = imagenette.recipes_for("imagenette-resnet50", "cuda")
    small = imagenette.recipes_for("imagenette-resnet50", torch.device("cpu"))
    assert (large,) == imagenette.RECIPES["imagenette-resnet50"] and {r.arch for r in small} == {large.arch}
    assert {r.front for r in small} == {large.front}
    assert sum(r.steps * r.batch_size for r in small) < large.steps * large.batch_size and len(small) == 2
    for device in ("cpu", "cuda"):
        (aware, _), (plain,) = (imagenette.recipes_for(f"imagenette-resnet18{end}", device) for end in ("", "-plain"))
        assert replace(aware, damaged=0.0, blocks=0.0, absent=0.0) == plain != aware


# ---- evaluation


class Oracle(nn.Module):
    """Reads the class from the mean red, and trusts it as far as the certainty goes."""

    certainty_aware, input_shape = True, (4, 64, 64)

    def __init__(self, *, blind=False, wrong=()):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(200.0))
        self.blind, self.wrong, self.sizes = blind, wrong, []

    def forward(self, joined):
        self.sizes.append(joined.shape[-1])
        values, certainty = split(joined)
        red = values[:, 0].flatten(1).median(1).values
        distance = (red[:, None] - (torch.arange(10) + 0.5) / 10).abs()
        distance[:, list(self.wrong)] += 1
        return -self.scale * distance * (1.0 if self.blind else certainty.mean((1, 2, 3))[:, None])


@pytest.fixture
def coloured():
    """Ten of each class, told apart by their red."""
    labels = torch.arange(10).repeat(10)
    images = torch.zeros(100, SIDE, SIDE, 3, dtype=torch.uint8)
    images[..., 0] = ((labels + 0.5) * 25.5).byte().view(-1, 1, 1)
    return Photographs(images, labels)


def test_a_perfect_network_is_found_perfect(coloured):
    model = Oracle()
    found = imagenette.evaluate(model, data=coloured, n_curve=100, progress=False)
    assert found["accuracy"]["all"] == 1 and found["accuracy"]["images"] == 100 and found["accuracy"]["size"] == 64
    assert all(found["accuracy"][name] == 1 for name in CLASSES) and found["accuracy at 160"] == 1
    assert set(model.sizes) == {64, 160}
    curves = found["accuracy against certainty"]
    assert curves["certainty"] == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1] and curves["images"] == 100
    assert curves["uniform"][1:] == [1] * 10 and curves["uniform"][0] == pytest.approx(0.1)
    for kind in ("noise", "another photograph"):
        assert len(curves[kind]) == 11 and curves[kind][-1] == curves[kind][8] == 1 and curves[kind][0] < 0.4
    assert found["neutrality"] == {"all": pytest.approx(0, abs=1e-6), "images": 100}
    assert found["absence"] == {"sd": pytest.approx(0, abs=1e-9), "max": pytest.approx(0, abs=1e-9), "inputs": 200}
    json.dumps(found, allow_nan=False)


def test_faults_are_found(coloured):
    found = imagenette.evaluate(Oracle(blind=True, wrong=[3]), data=coloured, n_curve=100, progress=False)
    assert found["accuracy"]["chain saw"] == 0 and found["accuracy"]["church"] == 1
    assert found["accuracy"]["all"] == pytest.approx(0.9)
    assert found["accuracy against certainty"]["uniform"][0] == pytest.approx(0.9)  # blind to certainty
    assert found["neutrality"]["all"] == pytest.approx(0.1, abs=0.03)  # class 3 never, its neighbours for it
    assert found["absence"]["max"] > 0.9 and found["absence"]["sd"] > 0.1


# ---- the command line


@pytest.fixture
def quick(data, tmp_path, monkeypatch):
    tiny = replace(RECIPE, steps=2, batch_size=4, sizes=((0.0, 32),), low_precision=0.0)
    monkeypatch.setattr(imagenette, "RECIPES", {name: (tiny,) for name in imagenette.RECIPES})
    monkeypatch.setattr(imagenette, "ON_A_CPU", {})
    monkeypatch.setattr(artifacts, "data_folder", lambda: tmp_path / "data")
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", ["imagenette-resnet18", "imagenette"])
def test_train_by_the_command_line(name, quick, tmp_path, capsys):
    full = {"imagenette": "imagenette-resnet50"}.get(name, name)
    command = ["train", name, "--steps", "3", "--seed", "2", "--threads", "1"]
    assert main(command) == 0
    assert (tmp_path / f"runs/{full}-2.pt").exists()
    said = capsys.readouterr().out
    card, model = artifacts.load_card(full), artifacts.load_model(full)
    assert card["architecture"] == "CertaintyResNet" and card["training"]["stages"][0]["sizes"] == [[0.0, 32]]
    assert card["training"]["stages"][0]["steps"] == 3 and model.input_shape == (4, 32, 32)
    val = photographs("val")
    right = model(join(resize(val.images, 32))).argmax(1) == val.labels
    assert card["metrics"]["accuracy"]["all"] == pytest.approx(right.double().mean().item())
    assert f"{card['metrics']['accuracy']['all']:.4f} on 20" in said
    assert (tmp_path / f"data/weights/{full}.safetensors").stat().st_size < 25e6
    # Three steps are no epoch: the learning curve is what is known at the end.
    curve = card["metrics"]["learning curve"]
    assert curve["images"] == 20 and list(curve["steps"]) == ["3"]
    assert 0 <= curve["steps"]["3"]["accuracy"] <= 1 and curve["steps"]["3"]["size"] == 32
    assert main(["info"]) == 0 and full in capsys.readouterr().out


def test_missing_data_and_devices_are_one_line_before_any_work(quick, monkeypatch, tmp_path, capsys):
    for arguments, message in (
        (["--device", "nonsense"], "can't use --device nonsense"),
        (["--steps", "0"], "steps to be a whole number >= 1, got 0"),
        ([], "ICG_DATA"),
    ):
        if not arguments:
            monkeypatch.setenv("ICG_DATA", str(tmp_path / "elsewhere"))
        assert main(["train", "imagenette-resnet18", *arguments]) == 2
        err = capsys.readouterr().err
        assert message in err and err.count("\n") == 1 and err.startswith("error: ")
    assert not (tmp_path / "runs").exists() and not (tmp_path / "cache").exists()


def test_the_network_begins_as_its_recipe_says(quick, tmp_path, monkeypatch):
    for zero_init in (True, False):
        (recipe,) = imagenette.RECIPES["imagenette-resnet18"]
        monkeypatch.setitem(imagenette.RECIPES, "imagenette-resnet18", (replace(recipe, zero_init=zero_init),))
        model = imagenette.TRAININGS["imagenette-resnet18"].plan(curve=tmp_path / "curve.json").make()
        assert bool((model.resnet.layer1[0].bn2.weight == 0).all()) == zero_init


def test_every_two_epochs_the_learning_curve_gets_a_point_and_at_the_end_one_of_all_photographs(
    quick, tmp_path, monkeypatch
):
    monkeypatch.setattr(imagenette, "_shuffled", lambda n, seed: torch.arange(5))  # fewer than there are: 20
    (stage,) = imagenette.TRAININGS["imagenette-resnet18"].plan(curve=tmp_path / "curve.json", steps=30).stages
    assert stage.watch_every == 15  # 2 x 30 photographs in batches of 4
    model = Oracle()
    stage.watch(15, model)
    stage.watch(30, model)
    stage.watch(30, model)  # a resumed run may repeat a call
    curve = json.loads((tmp_path / "curve.json").read_text())
    assert list(curve) == ["15", "30"] and set(model.sizes) == {32}
    assert "images" not in curve["15"] and curve["30"]["images"] == 20
    for step, index in ("15", torch.arange(5)), ("30", torch.arange(20)):
        expected = imagenette.right(model, photographs("val"), index, 32).mean().item()
        assert curve[step]["accuracy"] == round(expected, 4)


def test_a_second_stage_goes_on_from_the_first_with_a_seed_of_its_own(quick, tmp_path, monkeypatch):
    (tiny,) = imagenette.RECIPES["imagenette-resnet50"]
    stages = tiny, replace(tiny, seed=1, sizes=((0.0, 64),))
    monkeypatch.setattr(imagenette, "ON_A_CPU", {"imagenette-resnet50": stages})
    given = []

    def watched(make, batch, recipe, **options):
        start = {name: value.clone() for name, value in make().state_dict().items()}
        images, _ = batch(0, torch.Generator().manual_seed(0))
        given.append((start, images.shape[-1], recipe, options["checkpoint"].name))
        return train(make, batch, recipe, **options)

    monkeypatch.setattr(trainings, "train", watched)
    assert main(["train", "imagenette-resnet50", "--seed", "2", "--threads", "1"]) == 0
    (_, first, one, file), (start, second, two, next_file) = given
    assert (one.seed, two.seed) == (2, 3)
    assert [file, next_file] == ["imagenette-resnet50-2.pt", "imagenette-resnet50-2-stage2.pt"]
    assert (first, second) == (32, 64)
    kept = torch.load(tmp_path / "runs" / file, weights_only=True)["averaged"]
    assert all(torch.equal(value, kept[f"module.{name}"]) for name, value in start.items())
    card = artifacts.load_card("imagenette-resnet50")
    assert [stage["seed"] for stage in card["training"]["stages"]] == [2, 3]
    curve = card["metrics"]["learning curve"]["steps"]  # the steps of both, counted on
    assert {step: point["size"] for step, point in curve.items()} == {"2": 32, "4": 64}
    assert artifacts.load_model("imagenette-resnet50").input_shape == (4, 64, 64)


@pytest.mark.cuda
def test_batches_are_made_on_the_device(data):
    batch = imagenette.training_batches(photographs(), RECIPE, device="cuda")
    first, second = (batch(9, torch.Generator("cuda").manual_seed(0)) for _ in range(2))
    assert first[0].is_cuda and first[1].is_cuda and first[0].shape == (20, 4, 64, 64)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    found = imagenette.evaluate(Oracle().cuda(), data=photographs("val"), progress=False)
    assert 0 <= found["accuracy"]["all"] <= 1
