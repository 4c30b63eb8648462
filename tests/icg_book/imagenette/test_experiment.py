"""Reproducing Imagenette's numbers: on made-up photographs and a small untrained network, with few steps."""

import inspect
import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from icg import artifacts
from icg.__main__ import main
from icg.attribution import expected_gradients, gradient, integrated_certainty_gradients, integrated_gradients
from icg.certainty import join, split
from icg.measures import mass_share
from icg.models import ARCHITECTURES
from icg_book.imagenette import experiment as reproduction
from icg_book.imagenette import work
from icg_book.imagenette.localisation import blurred, borders, entropy
from icg_book.kit import records
from icg_book.kit.pictures import resize
from icg_book.scenarios import imagenette
from icg_book.scenarios import photographs as loader
from icg_book.scenarios.photographs import CLASSES, FOLDERS, Photographs, files

NAME = "imagenette-resnet18"
LITTLE = {"steps": 3, "draws": 2}  # instead of what the methods take
SIZE = 32


class Tiny(nn.Module):
    """Value x certainty, a convolution, global maximum and mean; says different things of different photographs."""

    certainty_aware = True
    input_shape = (4, SIZE, SIZE)

    def __init__(self):
        super().__init__()
        self.look, self.say = nn.Conv2d(3, 6, 5, stride=3), nn.Linear(12, 10)
        nn.init.normal_(self.say.weight, std=4)

    def forward(self, joined):
        values, certainty = split(joined)
        seen = torch.tanh(4 * self.look(values * certainty)).flatten(2)
        return self.say(torch.cat([seen.amax(2), seen.mean(2)], 1))


def network(seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Tiny().eval()


def ship(folder, seed=0):
    made = records.provenance("", seed)
    records.save_model(network(seed), NAME, folder, training={}, metrics={}, made=made)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Sixty photographs of coarse noise for validation and twenty for training, every third with a bar."""
    rng = np.random.default_rng(0)
    root = tmp_path_factory.mktemp("photographs")
    for part, n in (("train", 2), ("val", 6)):
        for number, name in enumerate(FOLDERS):
            path = root / "imagenette2-160" / part / name
            path.mkdir(parents=True)
            for k in range(n):
                pixels = np.asarray(Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((160, 160)))
                pixels = pixels.copy()
                if k % 3 == 0:
                    pixels[: 24 + number] = 0 if k else 200  # some black, some not
                Image.fromarray(pixels).save(path / f"{name}_{k}.JPEG", quality=98)
    return root


def patch(monkeypatch, name, value):
    """Another value for a setting, wherever it is looked at."""
    for module in (work, reproduction):
        if hasattr(module, name):
            monkeypatch.setattr(module, name, value)


@pytest.fixture
def data(folder, tmp_path, tmp_path_factory, monkeypatch):
    """A data folder with untrained weights that are right by decree; few steps, saved four at a time."""
    monkeypatch.setenv("ICG_DATA", str(folder))
    monkeypatch.setenv("ICG_CACHE", str(folder / "cache"))
    monkeypatch.setattr(loader, "COUNTS", {"train": 20, "val": 60})
    monkeypatch.setattr(artifacts, "data_folder", lambda: tmp_path / "data")
    monkeypatch.setitem(ARCHITECTURES, "Tiny", Tiny)
    patch(monkeypatch, "STAGES", {"say": ("say",), "look": ("look",)})
    monkeypatch.setattr(work, "randomised", lambda model, parts, inputs, seed: network(len(parts[-1])))
    patch(monkeypatch, "CHUNK", 4)
    sizes = {
        "photographs": 10,
        "curves": 6,
        "agreement": 5,
        "black borders": 5,
        "other borders": 3,
        "sanity": 3,
        "cost": 4,
    }
    patch(monkeypatch, "N", sizes)
    patch(monkeypatch, "SHARES", (0.0, 0.2, 1.0))
    patch(monkeypatch, "KNOWN", 6)
    for name, settings in reproduction.METHODS.items():
        monkeypatch.setitem(reproduction.METHODS, name, {key: LITTLE.get(key, settings[key]) for key in settings})
    ship(tmp_path / "data")
    # Labels are what the network says, of two photographs in three: there must be some that are right.
    real = imagenette.photographs

    def photographs(split, **options):
        found = real(split, progress=False)
        if split == "val":
            said = network()(join(resize(found.images, SIZE))).argmax(1)
            found = Photographs(found.images, torch.where(torch.arange(60) % 3 < 2, said, (said + 1) % 10))
        return found

    monkeypatch.setattr(imagenette, "photographs", photographs)
    return tmp_path / "data"


@pytest.fixture
def run(data, tmp_path):
    def run(**options):
        defaults = {"progress": False, "work_folder": tmp_path / "work", "bf16": False}
        path = reproduction.run(data_folder=data, **defaults | options)
        return json.loads(path.read_text())

    return run


def intervals(content, at=""):
    """Every interval of a result."""
    if isinstance(content, dict):
        if {"mean", "low", "high", "n"} <= content.keys():
            yield at, content
        for name, value in content.items():
            yield from intervals(value, f"{at}/{name}")


def without_cost(content):
    """A result without what a clock said."""
    if not isinstance(content, dict):
        return content
    return {name: without_cost(value) for name, value in content.items() if name != "cost"}


# ---- the result


def test_the_result_has_everything_that_the_chapter_reads(run, data):
    result = run(command="the command")
    methods = result["methods"]
    assert list(methods) == list(reproduction.METHODS)
    for name, method in methods.items():
        for measure in ("entropy", "spread", "half area"):
            for form in ("raw", "blurred"):
                found = method[measure][form]
                assert found["n"] == 10 and 0 <= found["low"] <= found["mean"] <= found["high"]
                compared = name != reproduction.REFERENCE
                assert (f"less {reproduction.REFERENCE}" in found) == compared
        assert method["black borders"]["n"] == 5 and method["other borders"]["n"] == 3
        for kind in ("deletion", "insertion"):
            for change in ("certainty", "blurring"):
                curve = method[kind][change]
                assert curve["share"] == [0, round(51 / 256, 5), 1] and curve["area"]["n"] == 6
                assert all(0 <= p <= 1 for p in curve["probability"]["mean"]) and len(curve["probability"]["low"]) == 3
        stochastic = name in ("SmoothGrad", "AGN", "EG", "ICG, noise averaged", "random")
        assert ("agreement" in method) == stochastic
        if stochastic:
            assert method["agreement"]["raw"]["n"] == method["agreement"]["blurred"]["n"] == 5
        assert ("gap" in method) == (name in ("zero IG", "mean IG", "AGN", "ICG", "ICG, noise averaged"))
        assert ("cost" in method) == ("sanity" in method) == (name != "random")
        if name != "random":
            assert list(method["sanity"]) == ["say", "look"]
            assert all(stage["signed"]["n"] == stage["absolute"]["n"] == 3 for stage in method["sanity"].values())
            assert 0 < method["cost"]["least"] <= method["cost"]["mean"] <= method["cost"]["most"]
    assert methods["AGN"]["evaluations"] == 6 and methods["gradient"]["evaluations"] == 1
    assert methods["random"]["evaluations"] == 0
    assert result["photographs"]["validation"] == 60 and result["photographs"]["right"] == 40
    assert [kind["validation"] for kind in result["borders"].values()] == [10, 10]
    assert [len(kind["numbers"]) for kind in result["borders"].values()] == [5, 3]
    assert result["settings"]["photographs"]["curves"] == 6 and result["command"] == "the command"
    assert result["weights"] == {NAME: artifacts.sha256(data / f"weights/{NAME}.safetensors")}
    assert result["paper"] and {"date", "device", "versions", "seed"} <= result.keys()
    for at, found in intervals(result):
        assert found["mean"] is None or found["low"] <= found["mean"] <= found["high"], at
    assert f"results/{NAME}.json" in json.loads((data / "manifest.json").read_text())


def test_curves_begin_and_end_where_they_should_for_every_method(run):
    methods = run(methods=("ICG", "random", "gradient"))["methods"]
    for kind, ends in (("deletion", (0, -1)), ("insertion", (-1, 0))):
        for change in ("certainty", "blurring"):
            whole, nothing = ({m[kind][change]["probability"]["mean"][end] for m in methods.values()} for end in ends)
            assert len(whole) == len(nothing) == 1 and whole != nothing
    starts = {methods["ICG"]["deletion"][change]["probability"]["mean"][0] for change in ("certainty", "blurring")}
    assert len(starts) == 1  # what the network says of the photograph itself


def test_no_photograph_and_no_map_gets_into_the_result_or_the_work_folder(run, tmp_path):
    def longest(content):
        if isinstance(content, dict):
            return max((longest(value) for value in content.values()), default=0)
        if isinstance(content, list):
            return max(len(content), *(longest(value) for value in content), 0) if content else 0
        return 0

    assert longest(run(methods=("EG", "ICG"))) <= 10  # the numbers of ten photographs
    for path in (tmp_path / "work").iterdir():
        for name, rows in torch.load(path, weights_only=True)["rows"].items():
            assert rows[0].numel() <= 3, (path.name, name)  # a curve


def test_measures_of_known_maps(run, monkeypatch):
    def attribute(method, model, inputs, *, generator, **options):
        maps = torch.zeros_like(inputs[:, :1], dtype=torch.float64)
        if method == "zero IG":  # one pixel in the bar, where there is one
            maps[:, 0, 0, 0] = 1
        elif method == "mean IG":
            maps += 1
        elif method == "random":
            maps += torch.randn(maps.shape, generator=generator)
        else:  # one pixel in the middle
            maps[:, 0, 16, 16] = 2
        return maps, torch.full((len(maps),), -0.25)

    monkeypatch.setattr(work, "attribute", attribute)
    result = run()
    methods = result["methods"]
    for kind, about in result["borders"].items():
        assert methods["zero IG"][kind]["mean"] == 1 and methods["EG"][kind]["mean"] == 0
        assert methods["mean IG"][kind]["mean"] == pytest.approx(about["area"]["mean"], abs=1e-5)
        assert methods["zero IG"][kind][f"less {reproduction.REFERENCE}"]["mean"] == 1
        assert methods["zero IG"][kind]["at least its part"] == about["area"]["n"]
        assert methods[reproduction.REFERENCE][kind]["at least its part"] == 0
    for name, low in (("mean IG", 1), ("ICG", 0)):
        assert methods[name]["entropy"]["raw"]["mean"] == low == round(methods[name]["spread"]["raw"]["mean"], 5)
    assert methods["ICG"]["entropy"]["blurred"]["mean"] > 0.1  # a pixel has become a spot
    assert methods["ICG"]["half area"]["raw"]["mean"] == round(1 / SIZE**2, 5)
    assert methods["mean IG"]["entropy"]["raw"][f"less {reproduction.REFERENCE}"]["mean"] == 1
    assert methods["ICG"]["gap"] == {"mean": 0.25, "largest": 0.25}
    assert methods["EG"]["agreement"]["raw"]["mean"] == 1 and abs(methods["random"]["agreement"]["raw"]["mean"]) < 0.1
    assert methods["EG"]["sanity"]["look"]["signed"]["mean"] == 1  # blind to the weights: found out


def test_numbers_are_those_of_the_first_right_photographs_in_the_seeds_order(run):
    result = run(methods=("zero IG",))
    data = imagenette.photographs("val")
    model = network()
    values = resize(data.images, SIZE)
    right = model(join(values)).argmax(1) == data.labels
    chosen = [k for k in reproduction.order(60).tolist() if right[k]]
    assert result["photographs"]["numbers"] == chosen[:10]
    bordered = {"black borders": [], "other borders": []}
    for k in chosen:
        if (mask := borders(values[k : k + 1])).any():
            black = values[k, :, mask[0, 0]].mean() < 0.15
            bordered["black borders" if black else "other borders"].append(k)
    for kind, n in (("black borders", 5), ("other borders", 3)):
        assert result["borders"][kind]["numbers"] == bordered[kind][:n]
        assert result["borders"][kind]["right"] == len(bordered[kind]) >= n

    def maps(numbers):
        inputs = join(values[numbers])
        found = integrated_gradients(model, inputs, n_steps=3, target=data.labels[numbers], dtype=torch.float64)
        return found[:, :3].sum(1, keepdim=True)

    found = result["methods"]["zero IG"]
    assert found["entropy"]["raw"]["mean"] == pytest.approx(entropy(maps(chosen[:10])).mean().item(), abs=1e-4)
    smooth = blurred(maps(chosen[:10]), reproduction.BLUR * SIZE)
    assert found["entropy"]["blurred"]["mean"] == pytest.approx(entropy(smooth).mean().item(), abs=1e-4)
    assert found["black borders"]["mean"] < 0.02  # blind to black, but for the traces of JPEG compression
    numbers = bordered["other borders"][:3]
    share = mass_share(maps(numbers), borders(values[numbers]))
    assert found["other borders"]["mean"] == pytest.approx(share.mean().item(), abs=1e-4) and share.mean() > 0
    crowded = share >= borders(resize(data.images[numbers], SIZE)).double().mean((1, 2, 3))
    assert found["other borders"]["at least its part"] == crowded.sum().item()
    assert f"less {reproduction.REFERENCE}" not in found["other borders"]  # which isn't there


def test_the_figure_shows_the_first_of_each_class_that_is_right(run):
    result = run(methods=("random",))
    data, model = imagenette.photographs("val"), network()
    paths = files("val")
    right = model(join(resize(data.images, SIZE))).argmax(1) == data.labels
    expected = {}
    for k in reproduction.order(60).tolist():
        if right[k]:
            expected.setdefault(CLASSES[data.labels[k]], {"number": k, "file": paths[k].name})
    assert result["figure"] == expected and list(result["figure"]) == [name for name in CLASSES if name in expected]
    if len(expected) < 10:
        with pytest.raises(ValueError, match="no photograph right of"):
            reproduction.examples(model, data)


# ---- going on with it


def test_a_stopped_run_goes_on_and_ends_with_the_same_numbers(run, monkeypatch, tmp_path, stand_in):
    straight = stand_in()
    monkeypatch.setattr(work, "attribute", straight)
    expected = run(work_folder=tmp_path / "other", methods=("ICG", "AGN"))
    # Chunks of 10 photographs, of 5 and of 3 with a border; 3 before and after each of two stages; AGN draws twice more
    assert straight.calls == (3 + 2 + 1 + 3) * 2 + 2

    monkeypatch.setattr(work, "attribute", stand_in(stop_at=14))
    with pytest.raises(KeyboardInterrupt):
        run(methods=("ICG", "AGN"))
    rest = stand_in()
    monkeypatch.setattr(work, "attribute", rest)
    assert without_cost(run(methods=("ICG", "AGN"))) == without_cost(expected) and 0 < rest.calls < straight.calls
    before = rest.calls
    again = run(methods=("ICG", "AGN"))
    assert without_cost(again) == without_cost(expected) and rest.calls == before  # nothing is left to do


def test_processes_share_the_work_by_methods(run, monkeypatch, tmp_path, stand_in):
    monkeypatch.setattr(work, "attribute", stand_in())
    names = (reproduction.REFERENCE, "EG", "random")
    whole = run(work_folder=tmp_path / "other", methods=names)
    first = run(methods=("EG", "random"))
    assert list(first["methods"]) == ["EG", "random"] and "less" not in json.dumps(first["methods"])
    both = run(methods=("noise averaged",))
    assert without_cost(both) == without_cost(whole) and list(both["methods"]) == [
        "EG",
        reproduction.REFERENCE,
        "random",
    ]


def test_fewer_photographs_come_first_and_more_go_on_from_them(run, monkeypatch, tmp_path, stand_in):
    monkeypatch.setattr(work, "attribute", stand_in())
    whole = run(work_folder=tmp_path / "other", methods=("EG",), n=14)
    few = run(n=5, methods=("EG",))
    assert few["methods"]["EG"]["entropy"]["raw"]["n"] == few["methods"]["EG"]["deletion"]["blurring"]["area"]["n"] == 5
    assert few["settings"]["photographs"] == {
        **dict.fromkeys(reproduction.N, 5),
        "other borders": 3,
        "sanity": 3,
        "cost": 4,
    }
    assert without_cost(run(methods=("EG",), n=14)) == without_cost(whole)
    assert whole["methods"]["EG"]["entropy"]["raw"]["n"] == 14 and whole["settings"]["photographs"]["curves"] == 6


@pytest.mark.parametrize("change", ["weights", "settings", "seed", "precision", "nothing"])
def test_saved_numbers_do_not_serve_other_weights_or_settings(run, data, monkeypatch, change, stand_in):
    monkeypatch.setattr(work, "attribute", stand_in())
    run(methods=("AGN",))
    again = stand_in()
    monkeypatch.setattr(work, "attribute", again)
    if change == "weights":
        card = json.loads((data / f"weights/{NAME}.json").read_text())
        model = artifacts.load_model(NAME)
        model.say.bias.data += 1e-3  # all predictions stay
        records.save_model(model, NAME, data, training={}, metrics={}, made=records.provenance("", 1))
        assert json.loads((data / f"weights/{NAME}.json").read_text())["sha256"] != card["sha256"]
    if change == "settings":
        monkeypatch.setitem(reproduction.METHODS, "AGN", {"steps": 5, "draws": 2, "noise": 0.1})
    if change == "seed":
        patch(monkeypatch, "SEED", 5)
    run(methods=("AGN",), bf16=change == "precision")
    assert (again.calls == 0) == (change == "nothing")


# ---- what is missing, and bad settings


def test_what_is_missing_is_one_line(run, data, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(imagenette, "photographs", lambda split, **options: files(split, download=False))
    monkeypatch.setenv("ICG_DATA", str(tmp_path / "elsewhere"))
    monkeypatch.chdir(tmp_path)
    assert main(["reproduce", "imagenette", "--model", NAME, "--data", str(data)]) == 2
    error = capsys.readouterr().err
    assert "ICG_DATA" in error and error.count("\n") == 1
    assert main(["reproduce", "imagenette", "--model", "imagenette-resnet50", "--data", str(data)]) == 2
    assert "imagenette-resnet50.json is not in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"n": 1}, "n >= 2 photographs, got 1"),
        ({"model": "mnist"}, "model to be one of imagenette-resnet18, .* got 'mnist'"),
        ({"methods": ("LIME", "EG")}, "methods among .* got LIME"),
    ],
)
def test_bad_settings_are_refused(run, options, expected):
    with pytest.raises(ValueError, match=expected):
        run(**options)


def test_a_network_that_is_never_right_is_refused(run, monkeypatch):
    labels = (imagenette.photographs("val").labels + 1) % 10
    images = imagenette.photographs("val").images
    monkeypatch.setattr(imagenette, "photographs", lambda split, **options: Photographs(images[::3], labels[::3]))
    with pytest.raises(ValueError, match="at least 2 photographs that imagenette-resnet18 gets right, got 0"):
        run()


def test_the_command_line_hands_its_settings_on(monkeypatch, tmp_path, capsys):
    given = {}
    monkeypatch.setattr(reproduction, "run", lambda **options: given.update(options) or "there")
    arguments = ["reproduce", "imagenette", "--images", "20", "--methods", "EG, noise averaged", "--fp32"]
    arguments += ["--model", "imagenette-resnet50", "--device", "cpu", "--data", str(tmp_path)]
    assert main(arguments) == 0 and "wrote there" in capsys.readouterr().out
    assert given["n"] == 20 and given["methods"] == ("EG", "noise averaged") and given["model"] == "imagenette-resnet50"
    assert given["bf16"] is False and given["device"] == torch.device("cpu")
    given.clear()
    assert main(["reproduce", "imagenette", "--data", str(tmp_path)]) == 0
    assert not {"n", "methods", "model", "bf16", "device"} & given.keys()
    assert main(["reproduce", "imagenette", "--device", "nonsense", "--data", str(tmp_path)]) == 2
    assert "can't use --device nonsense" in capsys.readouterr().err


# ---- the methods


class Data:
    samples = torch.rand(7, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(5))
    mean = samples.mean(0, keepdim=True)


@pytest.mark.parametrize("method", reproduction.METHODS)
def test_every_method_gives_a_map_of_the_class_asked_for(method, data):
    model, target = network(), torch.tensor([1, 2])
    inputs = join(torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1)))

    def go(**options):
        options = {"target": target, "generator": torch.Generator().manual_seed(0)} | options
        return work.attribute(method, model, inputs, data=Data, **options)

    maps, gap = go()
    assert maps.shape == (2, 1, SIZE, SIZE) and maps.dtype == torch.float64
    assert maps.abs().flatten(1).amax(1).min() > 0
    assert (gap is None) == (method in ("gradient", "SmoothGrad", "EG", "random"))
    again, none = go(check=False)
    assert torch.equal(maps, again) and none is None
    assert torch.equal(maps, go(target=torch.tensor([0, 0]))[0]) == (method == "random")
    other = go(generator=torch.Generator().manual_seed(1))[0]
    assert torch.equal(maps, other) != reproduction.is_stochastic(method)
    options = {"target": target, "dtype": torch.float64}
    noise = torch.Generator().manual_seed(0)
    expected = {
        "gradient": lambda: gradient(model, inputs, **options),
        "zero IG": lambda: integrated_gradients(model, inputs, n_steps=3, **options),
        "mean IG": lambda: integrated_gradients(model, inputs, Data.mean, n_steps=3, **options),
        "EG": lambda: expected_gradients(model, inputs, Data.samples, n_steps=2, generator=noise, **options),
        "ICG": lambda: integrated_certainty_gradients(model, inputs, n_steps=3, **options),
    }
    if method in expected:
        found = expected[method]()
        found = found if method == "ICG" else found[:, :3].sum(1, keepdim=True)  # colours added up
        torch.testing.assert_close(maps, found)


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="method to be one of gradient.* got 'LIME'"):
        work.attribute("LIME", network(), torch.zeros(1, 4, SIZE, SIZE), target=None, data=None)


def test_the_settings_are_those_of_the_issue():
    assert reproduction.N["photographs"] >= 500
    assert {"ICG", "EG", "zero IG", "mean IG", "AGN", "SmoothGrad"} <= reproduction.METHODS.keys()
    assert reproduction.METHODS[reproduction.REFERENCE]["draws"] == 5  # paper, A.4.1
    assert all(160 % reproduction.BLOCKS == side % reproduction.BLOCKS == 0 for side in (64, 96, 128))


# ---- figure 9


def test_examples_are_the_same_for_a_seed_and_in_the_order_of_classes(data):
    class Knows(torch.nn.Module):
        """Tells the class from one pixel; gets every other photograph wrong."""

        input_shape = (4, SIZE, SIZE)

        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(()))

        def forward(self, joined):
            said = (joined[:, 0, 0, 0] * 255).round().long()
            return self.weight * torch.nn.functional.one_hot(said % 10, 10).float()

    images = torch.zeros(200, 160, 160, 3, dtype=torch.uint8)
    labels = torch.arange(200) % 10
    images[..., 0] = ((labels + (torch.arange(200) // 10) % 2) % 10).byte().view(-1, 1, 1)
    photographs = Photographs(images, labels)
    examples = reproduction.examples(Knows(), photographs, seed=3)
    assert photographs.labels[examples].tolist() == list(range(10))
    right = [k for k in reproduction.order(200, 3).tolist() if (k // 10) % 2 == 0]
    assert examples.tolist() == [next(k for k in right if k % 10 == label) for label in range(10)]
    assert not torch.equal(examples, reproduction.examples(Knows(), photographs, seed=4))


def test_figure_maps_are_the_methods_raw_and_blurred():
    model, values = network(), torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    options = {"copies": 2, "steps": 3, "draws": 4}
    maps = reproduction.figure_maps(model, values, Data.samples, sigma=1.5, **options)
    assert list(maps) == ["ICG", "ICG, blurred", "EG", "EG, blurred"]
    assert all(found.shape == (2, 1, SIZE, SIZE) and found.dtype == values.dtype for found in maps.values())

    def noise():
        return torch.Generator().manual_seed(reproduction.SEED)

    inputs = join(values)
    icg = integrated_certainty_gradients(model, inputs, n_samples=2, n_steps=3, noise_std=0.05, generator=noise())
    torch.testing.assert_close(maps["ICG"], icg)
    eg = expected_gradients(model, inputs, Data.samples, n_steps=4, generator=noise())
    torch.testing.assert_close(maps["EG"], eg[:, :3].sum(1, keepdim=True))
    for name in ("ICG", "EG"):
        torch.testing.assert_close(maps[f"{name}, blurred"], blurred(maps[name], 1.5))
    defaults = {name: p.default for name, p in inspect.signature(reproduction.figure_maps).parameters.items()}
    icg, eg = reproduction.METHODS[reproduction.REFERENCE], reproduction.METHODS["EG"]
    assert (defaults["steps"], defaults["copies"], defaults["noise"]) == (icg["steps"], icg["draws"], icg["noise"])
    assert defaults["draws"] == eg["draws"]  # what is seen is what was measured
    target = reproduction.figure_maps(model, values, Data.samples, target=torch.tensor([3, 4]), **options)
    assert not torch.equal(target["ICG"], maps["ICG"])
