"""Reproducing MNIST's numbers: on made-up digits and a tiny network, with few steps."""

import json

import pytest
import torch
from torch import nn

from icg import artifacts, baselines
from icg.__main__ import main
from icg.attribution import gradient, integrated_certainty_gradients, integrated_gradients
from icg.certainty import join, split
from icg.measures import rank_correlation
from icg.models import ARCHITECTURES
from icg_book.kit import records
from icg_book.mnist import experiment as reproduction
from icg_book.mnist import work
from icg_book.scenarios import mnist
from icg_book.scenarios.mnist import Digits

LITTLE = {"steps": 3, "draws": 2}  # instead of what the methods take


class Tiny(nn.Module):
    """Any canvas: value x certainty, a convolution, global maximum and mean."""

    certainty_aware = True
    input_shape = (2, 28, 28)

    def __init__(self):
        super().__init__()
        self.look, self.say = nn.Conv2d(1, 6, 5, stride=3), nn.Linear(12, 10)

    def forward(self, joined):
        values, certainty = split(joined)
        seen = torch.tanh(4 * self.look(values * certainty)).flatten(2)
        return self.say(torch.cat([seen.amax(2), seen.mean(2)], 1))


def ship(folder, seed, names=("mnist", "mnist-in-space")):
    for number, name in enumerate(names):
        with torch.random.fork_rng():
            torch.manual_seed(10 * number + seed)
            model = Tiny()
        records.save_model(model, name, folder, training={}, metrics={}, made=records.provenance("", seed))


def made_up(split, *, download=True):
    """Digits of noise in the middle of a black square; brighter strokes by label."""
    n = {"train": 60, "test": 40}[split]
    generator = torch.Generator().manual_seed(len(split))
    images, labels = torch.zeros(n, 1, 28, 28), torch.arange(n) % 10
    for k in range(n):
        side = 6 + int(labels[k])
        images[k, 0, 8 : 8 + side, 6:20] = torch.rand(side, 14, generator=generator).clamp(0.05)
    return Digits(images, labels)


def patch(monkeypatch, name, value):
    """Another value for a setting, wherever it is looked at."""
    for module in (work, reproduction):
        if hasattr(module, name):
            monkeypatch.setattr(module, name, value)


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data folder with untrained weights; few digits, steps and pixels, saved four at a time."""
    monkeypatch.setitem(ARCHITECTURES, "Tiny", Tiny)
    monkeypatch.setattr(artifacts, "data_folder", lambda: tmp_path / "data")
    monkeypatch.setattr(mnist, "load", made_up)
    patch(monkeypatch, "CHUNK", 4)
    patch(monkeypatch, "N", {"mnist": 10, "curves": 6, "band": 5, "absence": 8, "space": 7})
    patch(monkeypatch, "PIXELS", (0, 30, 60, 400, 784))
    patch(monkeypatch, "BAND_STEPS", 8)
    for name, settings in reproduction.METHODS.items():
        monkeypatch.setitem(reproduction.METHODS, name, {key: LITTLE.get(key, settings[key]) for key in settings})
    ship(tmp_path / "data", 0)
    return tmp_path / "data"


@pytest.fixture
def run(data, tmp_path):
    def run(**options):
        defaults = {"progress": False, "work_folder": tmp_path / "work"}
        path = reproduction.run(data_folder=data, **defaults | options)
        return json.loads(path.read_text())

    return run


def without(result, *names):
    return {name: value for name, value in result.items() if name not in names}


def intervals(content):
    """Every interval of a result."""
    if isinstance(content, dict):
        if {"mean", "low", "high", "n"} <= content.keys():
            yield content
        else:
            for value in content.values():
                yield from intervals(value)


# ---- the result


def test_the_result_has_everything_that_the_chapter_reads(run, data):
    result = run(command="the command")
    digits, space = result["mnist"], result["space"]
    assert list(digits["methods"]) == list(reproduction.METHODS) and list(space["methods"]) == list(
        reproduction.IN_SPACE
    )
    for name, method in digits["methods"].items():
        assert method["blindness"]["n"] == 10
        assert ("gap" in method) == (name in ("zero IG", "middle IG", "mean IG", "AGN", "ICG", "ICG, noise averaged"))
        for kind in ("deletion", "insertion"):
            for change in ("values", "certainty"):
                curve = method[kind][change]
                assert curve["share"] == pytest.approx([k / 784 for k in (0, 30, 60, 400, 784)], abs=1e-5)
                p = curve["probability"]
                assert all(
                    0 <= low <= mean <= high <= 1
                    for low, mean, high in zip(p["low"], p["mean"], p["high"], strict=True)
                )
                assert curve["area"]["n"] == 6 and len(p["mean"]) == 5
                assert ("area less ICG's" in curve) == (name != "ICG")
    assert digits["methods"]["EG"]["evaluations"] == 2 and digits["methods"]["AGN"]["evaluations"] == 6
    assert digits["methods"]["random"]["evaluations"] == 0 and digits["methods"]["gradient"]["evaluations"] == 1
    for table in (digits["rank correlation"], digits["cosine"]):
        mean = torch.tensor(table["mean"])
        assert table["methods"] == list(reproduction.METHODS) and mean.shape == (10, 10)
        assert torch.equal(mean, mean.T) and mean.diag().unique().tolist() == [1] and mean.abs().max() <= 1
        assert (torch.tensor(table["low"]) <= mean).all() and (torch.tensor(table["high"]) >= mean).all()
    assert list(digits["band"]) == ["zero", "one", "both"] and digits["band"]["both"]["masked"]["n"] == 5
    assert digits["absence"]["inputs"] == 16 and len(digits["neutrality"]["mean probabilities"]) == 10
    assert torch.tensor(digits["mean image"]).shape == (28, 28) and torch.tensor(space["mean image"]).shape == (32, 64)
    assert space["placement"] == "right" and {"EG - ICG", "EG - AGN"} <= space["differences"].keys()
    for name in ("ghost", "left share", "ink share", "shadow"):
        assert all(method[name]["n"] <= 7 for method in space["methods"].values())
    assert all(i["mean"] is None or i["low"] <= i["mean"] <= i["high"] for i in intervals(result))
    assert result["settings"]["test digits"]["curves"] == 6 and result["command"] == "the command"
    assert result["weights"] == {
        name: artifacts.sha256(data / f"weights/{name}.safetensors") for name in ("mnist", "mnist-in-space")
    }
    assert result["paper"] and {"date", "device", "versions", "seed"} <= result.keys()
    assert "results/mnist.json" in json.loads((data / "manifest.json").read_text())


def test_no_digit_gets_into_the_result(run):
    def rows(content):
        if isinstance(content, list) and content and not isinstance(content[0], list | str):
            yield torch.tensor([float("nan") if v is None else v for v in content])
        elif isinstance(content, list | dict):
            for value in content.values() if isinstance(content, dict) else content:
                yield from rows(value)

    found = [row for row in rows(run()) if len(row) in (28, 32, 64, 784)]
    assert len(found) == 28 + 32  # the two mean images
    images = torch.cat([made_up(split).images for split in ("train", "test")])
    inked = images[:, 0][images[:, 0].sum(2) > 0]  # every row of every digit that has ink
    wide = nn.functional.pad(inked, (3, 33))
    for row in found:
        if len(row) == 28:
            assert (inked - row).abs().amax(1).min() > 0.05
        else:
            assert len(row) == 64 and (wide - row).abs().amax(1).min() > 0.05


def test_the_tiny_network_is_seen_as_it_is(run):
    digits = run()["mnist"]
    # Value x certainty: black pixels and uncertain ones say nothing. So absence and the band are perfect, and paths
    # from black, and certainty's own, give black pixels nothing.
    assert digits["absence"]["max"] < 1e-6 and digits["absence"]["half swapped"]["max"] < 1e-6
    for slope in digits["absence"]["slope"].values():
        assert slope["0"]["mean"] < 1e-6 < slope["1"]["mean"]
    assert all(digits["band"][baseline]["masked"]["mean"] == 0 for baseline in ("zero", "one", "both"))
    assert digits["band"]["one"]["unmasked"]["mean"] > 0.05
    blind = {name: method["blindness"]["mean"] for name, method in digits["methods"].items()}
    assert blind["zero IG"] == blind["ICG"] == 0 < blind["middle IG"]
    zeros = (work.Digits("mnist").inputs[:10, :1] == 0).double().mean().item()
    assert digits["zero pixels"]["mean"] == pytest.approx(zeros, abs=1e-5)
    assert blind["random"] == pytest.approx(zeros, abs=0.03)
    # ICG's path and the zero baseline's give this network the same inputs.
    at = {name: k for k, name in enumerate(digits["cosine"]["methods"])}
    assert digits["cosine"]["mean"][at["zero IG"]][at["ICG"]] > 0.97
    assert abs(digits["rank correlation"]["mean"][at["random"]][at["ICG"]]) < 0.1


def test_measures_of_known_maps(run, monkeypatch):
    def attribute(method, model, inputs, *, data=None, **options):
        values = inputs[:, :1]
        if values.shape[-1] == 28:  # a fifth on one black pixel, the rest on the first one with ink
            maps = torch.zeros_like(values)
            maps[:, 0, 0, 0], maps[:, 0, 9, 7] = -1, 4
            return maps, None
        if method == "EG":  # the distribution itself
            return data.mean.expand_as(values), None
        return values, None  # the digit itself

    monkeypatch.setattr(work, "attribute", attribute)
    result = run()
    for method in result["mnist"]["methods"].values():
        assert method["blindness"]["mean"] == pytest.approx(0.2)
    methods, mean = result["space"]["methods"], torch.tensor(result["space"]["mean image"])
    bright = mean > reproduction.BRIGHT * mean.max()
    expected = (mean * bright).sum() / mean.sum()
    assert methods["EG"]["ghost"]["mean"] == pytest.approx(expected.item(), abs=1e-2)
    assert methods["EG"]["left share"]["mean"] == methods["EG"]["shadow"]["mean"] == 1
    assert methods["EG"]["ink share"]["mean"] == 0
    for name in ("zero IG", "ICG"):
        assert methods[name]["ghost"]["mean"] == methods[name]["left share"]["mean"] == 0
        assert methods[name]["ink share"]["mean"] == 1
        assert methods[name]["shadow"] == {"mean": None, "low": None, "high": None, "n": 0}
    assert result["space"]["differences"]["EG - ICG"]["mean"] == methods["EG"]["ghost"]["mean"]


def test_the_ghost_is_set_against_the_rest_of_the_left_half():
    generator = torch.Generator().manual_seed(0)
    maps = torch.rand(400, 1, 4, 8, generator=generator)
    ghost, rest = torch.zeros(2, 400, 1, 4, 8, dtype=torch.bool)
    ghost[..., :2, :2], rest[..., 2:, :4] = True, True  # 4 and 8 pixels of 32
    even = reproduction._ratio(reproduction._density(maps, ghost), reproduction._density(maps, rest))
    assert even["low"] < 1 < even["high"] and even["high"] - even["low"] < 0.2 and even["n"] == 400
    haunted = reproduction._density(maps + 2 * ghost, ghost)  # five times as much, on average
    found = reproduction._ratio(haunted, reproduction._density(maps + 2 * ghost, rest))
    assert found["mean"] == pytest.approx(5, abs=0.3) and found["low"] < 5 < found["high"]
    assert reproduction._density(torch.ones(1, 1, 4, 8), ghost[:1]).item() == pytest.approx(1)
    assert reproduction._ratio(torch.ones(2), torch.zeros(2))["mean"] is None


def test_digits_in_space_are_on_the_right_and_the_training_set_on_the_left(data):
    space = work.Digits("space")
    assert space.inputs.shape == (10, 2, 32, 64)  # as many as any measure needs
    assert (space.inputs[..., :31][:, 0] == 0).all() and (space.inputs[:, 0].flatten(1).amax(1) > 0).all()
    assert (space.samples[..., 33:] == 0).all() and space.samples.shape[1:] == (1, 32, 64)
    torch.testing.assert_close(space.mean, space.samples.mean(0, keepdim=True))  # here all of them are kept
    [job] = [job for job in work.jobs("space", None, "", reproduction.N, None) if job.label == "regions"]
    regions = job.compute(0, 4)
    assert regions["ghost"][..., :33].any() and not (regions["ghost"] & regions["ink"]).any()
    ink = space.inputs[:4, :1] > 0
    assert (regions["ink"] | ~ink).all() and regions["ink"].sum() > ink.sum()


# ---- going on with it


def test_a_stopped_run_goes_on_and_ends_with_the_same_numbers(run, monkeypatch, tmp_path, stand_in):
    straight = stand_in()
    monkeypatch.setattr(work, "attribute", straight)
    expected = run(work_folder=tmp_path / "other", methods=("ICG", "AGN"))
    assert straight.calls == 2 * (3 + 2)  # methods x chunks of 10 and of 7 digits

    monkeypatch.setattr(work, "attribute", stand_in(stop_at=6))
    with pytest.raises(KeyboardInterrupt):
        run(methods=("ICG", "AGN"))
    rest = stand_in()
    monkeypatch.setattr(work, "attribute", rest)
    assert run(methods=("ICG", "AGN")) == expected and rest.calls == 5
    assert run(methods=("ICG", "AGN")) == expected and rest.calls == 5  # nothing is left to do
    assert list(expected["mnist"]["methods"]) == ["AGN", "ICG"]


def test_processes_share_the_work_by_methods_and_parts(run, monkeypatch, tmp_path, stand_in):
    monkeypatch.setattr(work, "attribute", stand_in())
    whole = run(work_folder=tmp_path / "other")
    with pytest.raises(ValueError, match="nothing is complete yet"):
        run(methods=("gradient",), parts=("space",))  # has no gradient
    first = run(parts=("mnist",), methods=("ICG", "noise averaged", "EG"))
    assert "space" not in first and list(first["mnist"]["methods"]) == ["EG", "ICG", "ICG, noise averaged"]
    again = stand_in()
    monkeypatch.setattr(work, "attribute", again)
    both = run(parts=("space",))
    assert both["mnist"] == first["mnist"] and list(both["space"]["methods"]) == list(reproduction.IN_SPACE)
    assert again.calls == 5 * 2
    others = tuple(set(reproduction.METHODS) - {"ICG", "ICG, noise averaged", "EG"})
    assert run(methods=others) == whole


def test_fewer_digits_come_first_and_more_go_on_from_them(run, monkeypatch, tmp_path, stand_in):
    monkeypatch.setattr(work, "attribute", stand_in())
    whole = run(work_folder=tmp_path / "other", methods=("EG",))
    few = run(n=6, methods=("EG",))
    assert few["mnist"]["methods"]["EG"]["blindness"]["n"] == 6 and few["settings"]["test digits"]["band"] == 5
    more = stand_in()
    monkeypatch.setattr(work, "attribute", more)
    assert run(methods=("EG",)) == whole  # the chunk that was cut short is done again
    assert more.calls == 2 + 1


@pytest.mark.parametrize("change", ["weights", "settings", "seed", "chunk", "a saved file", "nothing"])
def test_saved_numbers_do_not_serve_other_weights_or_settings(run, data, monkeypatch, tmp_path, change, stand_in):
    monkeypatch.setattr(work, "attribute", stand_in())
    run(methods=("AGN",), parts=("mnist",))
    again = stand_in()
    monkeypatch.setattr(work, "attribute", again)
    if change == "weights":
        ship(data, 1)
    if change == "settings":
        monkeypatch.setitem(reproduction.METHODS, "AGN", {"steps": 5, "draws": 2, "noise": 0.1})
    if change in ("seed", "chunk"):
        patch(monkeypatch, change.upper(), 5)
    if change == "a saved file":
        path = tmp_path / "work" / "mnist-mnist-AGN.pt"
        path.write_bytes(path.read_bytes()[:500])
    run(methods=("AGN",), parts=("mnist",))
    assert again.calls == {"nothing": 0, "chunk": 2}.get(change, 3)


# ---- what is missing, and bad settings


def test_a_part_without_weights_is_left_out_and_named(run, data, capsys):
    (data / "weights" / "mnist-in-space.json").unlink()
    result = run(methods=("gradient",))
    assert "mnist" in result and "space" not in result and list(result["weights"]) == ["mnist"]
    assert "without space" in (out := capsys.readouterr().out) and "icg train mnist-in-space" in out
    with pytest.raises(artifacts.ArtifactError, match="mnist-in-space"):
        run(parts=("space",))
    (data / "weights" / "mnist.json").unlink()
    with pytest.raises(artifacts.ArtifactError, match="mnist.json is not in"):
        run()


def test_missing_digits_are_one_line_that_says_how_to_get_them(run, data, monkeypatch, tmp_path, capsys):
    def load(split, *, download=True):
        raise ValueError("MNIST is not in FOLDER. Set the environment variable ICG_DATA")

    monkeypatch.setattr(mnist, "load", load)
    monkeypatch.chdir(tmp_path)
    assert main(["reproduce", "mnist", "--data", str(data)]) == 2
    assert "error: MNIST is not in FOLDER" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"n": 1}, "n >= 2 digits, got 1"),
        ({"methods": ("LIME", "EG")}, "methods among .* got LIME"),
        ({"parts": ("mars",)}, "parts among mnist, space, got mars"),
    ],
)
def test_bad_settings_are_refused(run, options, expected):
    with pytest.raises(ValueError, match=expected):
        run(**options)


def test_the_command_line_hands_its_settings_on(monkeypatch, tmp_path, capsys):
    given = {}
    monkeypatch.setattr(reproduction, "run", lambda **options: given.update(options) or "there")
    arguments = ["reproduce", "mnist", "--images", "20", "--parts", "space", "--methods", "EG, noise averaged"]
    assert main([*arguments, "--data", str(tmp_path)]) == 0 and "wrote there" in capsys.readouterr().out
    assert given["n"] == 20 and given["parts"] == ("space",) and given["methods"] == ("EG", "noise averaged")
    given.clear()
    assert main(["reproduce", "mnist", "--data", str(tmp_path)]) == 0
    assert not {"n", "parts", "methods"} & given.keys()


# ---- the methods


@pytest.mark.parametrize("method", reproduction.METHODS)
def test_every_method_gives_a_map_of_the_class_asked_for(method, data):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Tiny()
    images = made_up("test").images[:3]
    inputs, target = join(images), torch.tensor([1, 2, 3])

    class Data:
        samples = made_up("train").images
        mean = samples.mean(0, keepdim=True)

    def go(**options):
        options = {"target": target, "generator": torch.Generator().manual_seed(0)} | options
        return work.attribute(method, model, inputs, data=Data, **options)

    maps, gap = go()
    assert maps.shape == (3, 1, 28, 28) and maps.dtype == torch.float64 and maps.abs().flatten(1).amax(1).min() > 0
    assert (gap is None) == (method in ("gradient", "SmoothGrad", "EG", "random"))
    assert torch.equal(maps, go()[0])
    assert torch.equal(maps, go(target=torch.tensor([0, 0, 0]))[0]) == (method == "random")
    options = {"target": target, "dtype": torch.float64}
    expected = {
        "gradient": lambda: gradient(model, inputs, **options)[:, :1],
        "zero IG": lambda: integrated_gradients(model, inputs, n_steps=3, **options)[:, :1],
        "middle IG": lambda: integrated_gradients(model, inputs, 0.5, n_steps=3, **options)[:, :1],
        "mean IG": lambda: integrated_gradients(model, inputs, baselines.mean(Data.samples), n_steps=3, **options)[
            :, :1
        ],
        "ICG": lambda: integrated_certainty_gradients(model, inputs, n_steps=3, **options),
    }
    if method in expected:
        assert torch.equal(maps, expected[method]())


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="method to be one of gradient.* got 'LIME'"):
        work.attribute("LIME", Tiny(), torch.zeros(1, 2, 28, 28), target=None, data=None)


def test_the_settings_are_the_papers_where_it_has_any():
    assert reproduction.METHODS["AGN"]["noise"] == 0.1 and reproduction.METHODS["AGN"]["draws"] == 50
    assert reproduction.METHODS["EG"]["draws"] >= 250 and reproduction.METHODS["ICG"]["steps"] == 100
    assert reproduction.N["mnist"] == 1000 and min(reproduction.N["curves"], reproduction.N["space"]) >= 300
    assert (reproduction.BAND.start, reproduction.BAND.stop - 1) == (12, 19)
    assert reproduction.FLIPS in reproduction.PIXELS and reproduction.PIXELS[-1] == 28 * 28
    assert rank_correlation(torch.tensor([reproduction.PIXELS]).float(), torch.arange(21.0)[None]).item() == 1


# ---- the shipped result


def test_the_shipped_result_is_of_the_shipped_weights_and_says_what_the_chapter_says():
    result = artifacts.load_result("mnist")
    assert result["weights"] == {name: artifacts.load_card(name)["sha256"] for name in ("mnist", "mnist-in-space")}
    assert result["settings"]["test digits"] == reproduction.N
    assert result["settings"]["methods"] == reproduction.METHODS
    space, methods = result["space"]["methods"], result["mnist"]["methods"]
    assert space["EG"]["ghost"]["low"] > 10 * max(space[name]["ghost"]["high"] for name in ("ICG", "AGN"))
    assert methods["zero IG"]["blindness"]["high"] == 0 < methods["ICG"]["blindness"]["low"]
    for kind, sign in (("deletion", 1), ("insertion", -1)):
        for change in ("values", "certainty"):  # a random order loses
            difference = methods["random"][kind][change]["area less ICG's"]
            assert min(sign * difference["low"], sign * difference["high"]) > 0
