"""Learning curves on MNIST: what the two networks see, how the slowdown is read off, and resuming. Made-up digits."""

import json
import math
import os
import signal

import pytest
import torch

from icg import artifacts
from icg.__main__ import main
from icg.certainty import split
from icg.models import MnistNet, MnistPlainNet
from icg.training import learning_rate
from icg_book.kit import trainings
from icg_book.mnist import curves as mnist_curves
from icg_book.mnist.curves import LEVELS, RECIPE, points, reached, slowdown, summary
from icg_book.scenarios import mnist
from icg_book.scenarios.mnist import Digits

CURVES = ("plain, undamaged", "damaged, undamaged", "damaged, damaged")


def made_up(n=40):
    generator = torch.Generator().manual_seed(0)
    return Digits(torch.rand(n, 1, 28, 28, generator=generator), torch.arange(n) % 10)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Made-up digits, and few of them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mnist, "_training_set", lambda folder: made_up())
    monkeypatch.setattr(mnist, "load", lambda split, download=True: made_up())
    monkeypatch.setattr(mnist_curves, "TEST", {"undamaged": 20, "damaged": 10})
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def run(tmp_path):
    def run(work="work", **options):
        path = mnist_curves.run(
            data_folder=tmp_path / "data",
            work_folder=tmp_path / work,
            **{"seeds": 2, "steps": 3, "progress": False} | options,
        )
        return json.loads(path.read_text())

    return run


def without_provenance(result):
    return {name: result[name] for name in ("seeds", "curves", "slowdown", "settings", "paper")}


# ---- the setting


def test_the_recipe_is_the_papers():
    assert RECIPE.batch_size == 64 and RECIPE.lr == 1e-3 and RECIPE.weight_decay == 0 and RECIPE.average == 0
    assert {learning_rate(step, RECIPE) for step in (0, 1, 100, RECIPE.steps - 1)} == {1.0}
    assert RECIPE.dropout == 1 and RECIPE.clip >= 1e6


def batches(arm, monkeypatch, tmp_path):
    """The batches that an arm trains on, as the training loop gets them."""
    seen, arms = [], mnist_curves.ARMS

    def train(make, batch, recipe, **options):
        seen.append((make, [batch(step, torch.Generator().manual_seed(step)) for step in range(4)]))

    monkeypatch.setattr(trainings, "train", train)
    monkeypatch.setattr(mnist_curves, "ARMS", {arm: arms[arm]})
    with pytest.raises(KeyboardInterrupt):
        mnist_curves.run(data_folder=tmp_path / "data", work_folder=tmp_path / "work", seeds=1, progress=False)
    monkeypatch.setattr(mnist_curves, "ARMS", arms)
    return seen[0]


def test_one_network_sees_undamaged_digits_and_the_other_the_same_ones_damaged_all(monkeypatch, tmp_path):
    make_plain, plain = batches("plain", monkeypatch, tmp_path)
    make, damaged = batches("damaged", monkeypatch, tmp_path)
    assert make_plain is MnistPlainNet and make is MnistNet
    digits = made_up().images
    for (images, labels), (inputs, same_labels) in zip(plain, damaged, strict=True):
        assert images.shape == (64, 1, 28, 28) and inputs.shape == (64, 2, 28, 28)
        assert torch.equal(labels, same_labels) and torch.equal(images, digits[[*map(int, where(images, digits))]])
        values, certainty = split(inputs)
        assert torch.equal(values[certainty == 1], images[certainty == 1])  # what is certain is as it was
        assert (certainty.flatten(1).amin(1) < 1).double().mean() > 0.9  # no undamaged stream
    extents = torch.cat([1 - split(inputs)[1].flatten(1).mean(1) for inputs, _ in damaged])
    assert extents.min() < 0.1 and extents.max() > 0.9 and extents.mean() == pytest.approx(0.5, abs=0.06)


def where(images, digits):
    return (images[:, None] == digits[None]).flatten(2).all(2).double().argmax(1)


def test_evaluation_images_are_the_same_each_time_and_the_damaged_ones_are_the_first_undamaged_ones():
    first, again = mnist_curves.evaluation_images(), mnist_curves.evaluation_images()
    for name, n in mnist_curves.TEST.items():
        assert len(first[name][0]) == len(first[name][1]) == n
        assert torch.equal(first[name][0], again[name][0]) and torch.equal(first[name][1], again[name][1])
    values, certainty = split(first["undamaged"][0])
    assert (certainty == 1).all() and torch.equal(first["damaged"][1], first["undamaged"][1][:10])
    kept = split(first["damaged"][0])[1] == 1
    assert torch.equal(split(first["damaged"][0])[0][kept], values[:10][kept])


def test_accuracy_and_loss_are_of_the_values_alone_for_a_plain_network():
    class First(torch.nn.Module):
        input_shape = (1, 28, 28)

        def forward(self, images):
            assert images.shape[1] == 1
            return torch.nn.functional.one_hot(images[:, 0, 0, 0].long(), 10) * math.log(9.0)  # 1/2 for the class

    inputs = torch.zeros(4, 2, 28, 28)
    inputs[:, 0, 0, 0] = torch.arange(4)
    accuracy, loss = mnist_curves.evaluate(First(), inputs, torch.tensor([0, 1, 2, 9]))
    assert accuracy == 0.75
    assert loss == pytest.approx((3 * math.log(2) + math.log(18)) / 4)


# ---- reading off


@pytest.mark.parametrize("steps", [1, 2, 3, 100, 6000])
def test_points_are_spread_over_the_logarithm(steps):
    found = points(steps)
    assert found[0] == 1 and found[-1] == steps and found == sorted(set(found))
    large = [step for step in found[:-1] if step >= 16]
    assert all(1.1 < b / a < 1.27 for a, b in zip(large[:-1], large[1:], strict=True))


@pytest.mark.parametrize(
    ("values", "level", "falling", "at"),
    [
        ([0.0, 0.5, 1.0], 0.5, False, 10),
        ([0.0, 0.5, 1.0], 0.25, False, 10**0.5),
        ([0.0, 0.9, 0.4, 1.0], 0.6, False, 10 ** (2 / 3)),  # the first time counts
        ([2.0, 1.0, 0.5], 0.75, True, 10**1.5),
        ([0.0, 0.5, 0.8], 0.9, False, None),  # never
        ([0.7, 0.8, 0.9], 0.5, False, None),  # from the start: nobody knows since when
    ],
)
def test_when_a_level_is_reached(values, level, falling, at):
    steps = [10**k for k in range(len(values))]
    found = reached(steps, values, level, falling=falling)
    assert found is None if at is None else found == pytest.approx(at)


def curve(slower=1.0, steps=None):
    """A learner whose accuracy and loss depend on the logarithm of steps / ``slower``."""
    steps = steps or points(6000)
    done = [math.log(step / slower) / math.log(6000) for step in steps]
    return {"steps": steps, "accuracy": [0.2 + 0.8 * d for d in done], "loss": [2.4 - 2.4 * d for d in done]}


@pytest.mark.parametrize("measure", list(LEVELS))
@pytest.mark.parametrize("factor", [1.0, 2.0, 3.5])
def test_a_known_slowdown_is_found_at_every_level(measure, factor):
    found = slowdown(curve(), curve(factor), measure)
    assert list(found) == [f"{level:g}" for level in LEVELS[measure]]
    known = [ratio for ratio in found.values() if ratio is not None]
    assert len(known) >= 5 and known == pytest.approx([factor] * len(known))
    if factor > 1:
        assert list(found.values())[-1] is None  # the slower one does not get that far


def runs(*factors):
    return {
        seed: {
            "plain": {"undamaged": curve()},
            "damaged": {"undamaged": curve(factor), "damaged": curve(10.0)},
        }
        for seed, factor in enumerate(factors)
    }


def test_the_slowdown_is_a_median_over_levels_and_a_geometric_mean_over_seeds():
    result = summary(runs(1.0, 2.0, 4.0))
    assert result["seeds"] == [0, 1, 2] and tuple(result["curves"]) == CURVES
    for measure in LEVELS:
        found = result["slowdown"][measure]["median"]
        assert found["values"] == pytest.approx([1, 2, 4]) and found["mean"] == pytest.approx(2)
        half = 4.3027 * math.log(2) / 3**0.5  # Student's t with 2 degrees of freedom
        assert math.log(found["high"] / 2) == pytest.approx(half) == pytest.approx(math.log(2 / found["low"]))
        last = list(result["slowdown"][measure]["levels"].values())[-1]
        assert last["mean"] is None and None in last["values"]
    assert len(result["curves"]["damaged, damaged"]["loss"]) == 3
    json.dumps(result, allow_nan=False)


def test_one_seed_alone_has_no_interval():
    found = summary(runs(2.0))["slowdown"]["loss"]["median"]
    assert found["mean"] == pytest.approx(2) and found["low"] is None is found["high"]


def test_a_network_that_learns_nothing_has_no_slowdown():
    flat = {"steps": [1, 2], "accuracy": [0.1, 0.1], "loss": [2.3, 2.3]}
    one = {"plain": {"undamaged": flat}, "damaged": {"undamaged": flat, "damaged": flat}}
    found = summary({0: one, 1: one})["slowdown"]["accuracy"]["median"]
    assert found == {"mean": None, "low": None, "high": None, "values": [None, None]}


# ---- running


def test_a_run_gives_three_curves_of_every_seed(run):
    result = run()
    assert tuple(result["curves"]) == CURVES and result["seeds"] == [0, 1]
    for found in result["curves"].values():
        assert found["steps"] == [1, 2, 3]
        assert all(len(seed) == 3 for measure in LEVELS for seed in found[measure]) and len(found["loss"]) == 2
        assert found["loss"][0] != found["loss"][1]
    assert result["settings"]["recipe"]["steps"] == 3 and result["paper"] == {"slowdown": 2.0}
    assert "versions" in result


def test_a_run_that_is_done_is_not_done_again(run, monkeypatch):
    first = run()
    monkeypatch.setattr(trainings, "train", lambda *a, **k: pytest.fail("trained again"))
    assert without_provenance(run()) == without_provenance(first)
    with pytest.raises(pytest.fail.Exception):
        run(steps=4)


def test_several_processes_share_the_seeds(run):
    assert run("shared", only=(1,))["seeds"] == [1]
    assert without_provenance(run("shared", only=(0,))) == without_provenance(run("alone"))


@pytest.mark.parametrize("kill_at", [1, 2, 6])
def test_a_run_that_was_killed_goes_on_to_the_same_result(run, monkeypatch, tmp_path, kill_at):
    whole = run("whole", steps=4)
    calls, evaluate = [], mnist_curves.evaluate

    def killed(*arguments):
        calls.append(1)
        if len(calls) == kill_at:
            os.kill(os.getpid(), signal.SIGTERM)
        return evaluate(*arguments)

    monkeypatch.setattr(mnist_curves, "evaluate", killed)
    with pytest.raises(KeyboardInterrupt):
        run("killed", steps=4)
    assert list((tmp_path / "killed").glob("*.pt"))
    assert without_provenance(run("killed", steps=4)) == without_provenance(whole)
    files = {path.name for path in (tmp_path / "killed").iterdir()}
    assert files == {f"mnist-curves-{arm}-{seed}.json" for arm in ("plain", "damaged") for seed in (0, 1)}


def test_a_checkpoint_of_other_settings_is_not_used(run, tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "mnist-curves-plain-0.pt").write_bytes(b"of something else")
    (tmp_path / "work" / "mnist-curves-plain-0-curve.json").write_text('{"key": {}, "content": {"1": {}}}')
    (tmp_path / "work" / "mnist-curves-plain-0.json").write_text("{half a file")
    assert len(run()["seeds"]) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seeds": 0}, "1 to 10 seeds, got 0"),
        ({"only": (2,)}, "only seeds in 0 to 1, got 2"),
        ({"only": ()}, "got none"),
        ({"steps": 0}, "steps to be a whole number >= 1"),
    ],
)
def test_impossible_settings_are_refused(run, options, words):
    with pytest.raises(ValueError, match=words):
        run(**options)


def test_the_command_line(tmp_path, monkeypatch, capsys):
    command = ["reproduce", "mnist-curves", "--seeds", "2", "--steps", "2", "--data", str(tmp_path / "data")]
    assert main([*command, "--only", "1"]) == 0 and main(command) == 0
    monkeypatch.setattr(artifacts, "data_folder", lambda: tmp_path / "data")
    result = artifacts.load_result("mnist-curves")
    assert result["seeds"] == [0, 1] and result["command"].startswith("python -m icg reproduce mnist-curves")
    capsys.readouterr()
    assert main([*command, "--only", "one"]) == 2
    assert "expected numbers with commas between them, got 'one'" in capsys.readouterr().err
