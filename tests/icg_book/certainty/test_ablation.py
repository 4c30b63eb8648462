"""The ablation of damage functions: every arm trains with the damage it names, and a run that was killed goes on."""

import json
import os
import re
import signal
from functools import partial

import pytest
import torch

from icg import artifacts
from icg.__main__ import main
from icg.certainty import split
from icg.damage import damage_extent
from icg_book.certainty import ablation
from icg_book.certainty.ablation import ARMS, training_batch
from icg_book.kit.networks import CertainGlyphsNet, GatedGlyphsNet
from icg_book.scenarios import certain_glyphs, glyphs

MIX = ("full mix", "full mix + absent", "full mix + absent + blocks", "gated", "gated + absent + blocks")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def small(monkeypatch):
    """Few test pictures, and curves with two points: what is measured is tested elsewhere."""
    monkeypatch.setattr(ablation, "SIZES", {name: 6 for name in ablation.SIZES})
    monkeypatch.setattr(ablation, "ICG_STEPS", 4)
    monkeypatch.setattr(ablation, "WATCH_EVERY", 2)
    monkeypatch.setattr(certain_glyphs, "band_shares", lambda model, images: {"zero": (0.0, 1.0), "one": (0.0, 1.0)})


@pytest.fixture
def run(small, tmp_path):
    def run(work="work", **options):
        defaults = {"seeds": 2, "steps": 4, "arms": ("uniform",), "progress": False}
        path = ablation.run(data_folder=tmp_path / "data", work_folder=tmp_path / work, **defaults | options)
        return json.loads(path.read_text())

    return run


# ---- what the arms train on


def batches(name, n=12):
    """The damaged part of some batches, with the pictures that were damaged; and whole batches of inputs."""
    arm, parts = ARMS[name], []
    for seed in range(n):
        inputs, targets = training_batch(arm, 0, torch.Generator().manual_seed(seed))
        data = glyphs.generate(64, generator=torch.Generator().manual_seed(seed))
        parts.append((inputs, targets, data.images, data.labels))
    return tuple(torch.cat(part) for part in zip(*parts, strict=True))


@pytest.mark.parametrize("name", list(ARMS))
def test_three_quarters_of_a_batch_are_damaged_and_the_rest_is_as_it_was(name):
    inputs, targets, images, labels = batches(name)
    values, certainty = split(inputs)
    intact = (certainty == 1).flatten(1).all(1)
    absent = torch.isclose(targets, certain_glyphs.PRIOR).all(1)
    assert inputs.shape == (12 * 64, 2, 16, 16) and torch.allclose(targets.sum(1), torch.ones(len(targets)))
    assert torch.equal(values[intact], images[intact])
    assert torch.equal(targets[~absent].argmax(1), labels[~absent])
    assert (certainty[absent] == 0).all() and absent.double().mean() == pytest.approx(ARMS[name].absent, abs=0.01)
    assert intact.double().mean() == pytest.approx(1 if name == "undamaged" else 0.25, abs=0.02)


def kinds(name):
    """For each damaged picture: whether certainties are binary, and whether lost values come from a picture."""
    inputs, _, images, _ = batches(name)
    n = round((ablation.DAMAGED - ARMS[name].absent - ARMS[name].blocks) * 64)
    rows = torch.arange(len(inputs)) % 64 < n
    values, certainty = split(inputs[rows])
    lost = values != images[rows]
    binary = ((certainty == 0) | (certainty == 1)).flatten(1).all(1)
    whole = (values * 100).round() / 100 == values
    other = (whole | ~lost).flatten(1).all(1)
    return damage_extent(certainty), certainty, lost, binary, other


def test_uniform_certainties_never_leave_the_middle():
    extent, certainty, _, binary, other = kinds("uniform")
    assert torch.histc(certainty, 10, 0, 1).div(certainty.numel()).sub(0.1).abs().max() < 0.005
    assert extent.min() > 0.4 and extent.max() < 0.6  # A.3.2: regression towards the mean
    assert not binary.any() and other.double().mean() < 0.05  # noise


@pytest.mark.parametrize("name", ["variable extent", "+ adversarial", "+ binary", *MIX])
def test_variable_extents_fill_the_range(name):
    extent, certainty, lost, _, _ = kinds(name)
    assert torch.histc(extent, 4, 0, 1).div(len(extent)).sub(0.25).abs().max() < 0.09
    assert not lost[certainty == 1].any()
    for low, high in ((0, 0), (0.2, 0.4), (0.6, 0.8)):  # certainty is the probability of being kept
        some = (certainty >= low) & (certainty <= high)
        kept = 1 - lost[some].double().mean()
        if some.sum() > 1000:  # another picture, or noise, may hold the same grey
            assert (1 - certainty[some].mean()) * 0.6 < 1 - kept <= 1 - certainty[some].mean() + 0.03


@pytest.mark.parametrize(
    ("name", "binary", "other"),
    [("variable extent", 0, 0), ("+ adversarial", 0, 1), ("+ binary", 1, 1), *((name, 0.5, 0.5) for name in MIX)],
)
def test_damage_is_of_the_kinds_that_the_arm_names(name, binary, other):
    _, _, _, is_binary, is_other = kinds(name)
    assert is_binary.double().mean() == pytest.approx(binary, abs=0.04)
    assert is_other.double().mean() == pytest.approx(other, abs=0.08)  # little noise may fall on no pixel


def test_pictures_are_the_same_in_every_arm_and_only_the_gated_arms_have_a_gate():
    firsts = [batches(name, 1)[0][-12:-8, 0] if not ARMS[name].absent else None for name in ARMS]
    known = [part for part in firsts if part is not None]
    assert all(torch.equal(part, known[0]) for part in known)
    assert {name for name, arm in ARMS.items() if arm.network is GatedGlyphsNet} == {
        "gated",
        "gated + absent + blocks",
    }


# ---- measures


def test_all_measures_of_an_untrained_network_and_of_one_behind_the_gate(monkeypatch):
    monkeypatch.setattr(
        ablation, "SIZES", {"test": 200, "curve": 5, "damaged": 50, "absence": 50, "maps": 5, "band": 2}
    )
    monkeypatch.setattr(ablation, "ICG_STEPS", 10)
    torch.manual_seed(0)
    plain = ablation.measure(CertainGlyphsNet().eval())
    gated = ablation.measure(GatedGlyphsNet().eval())
    assert gated["absence"] == gated["absence max"] == gated["band zero"] == gated["band one"] == 0
    assert plain["absence"] > 0 and plain["absence max"] > plain["absence"] and plain["band one"] > 0
    kinds = [plain[f"damaged accuracy, {kind}"] for kind in certain_glyphs.DAMAGE]
    assert plain["damaged accuracy"] == pytest.approx(sum(kinds) / 4)
    assert all(0 <= plain[name] <= 1 for name in plain)


# ---- the run


def test_the_result_has_arms_intervals_curves_and_settings(run):
    result = run(arms=("gated", "uniform"), command="the command")
    assert list(result["arms"]) == ["uniform", "gated"]  # in the order of the chapter, whatever was asked for
    for name, arm in result["arms"].items():
        assert arm["what"] == ARMS[name].what and arm["seeds"] == [0, 1]
        assert arm["curve"]["steps"] == [2, 4]
        assert [len(c) for c in arm["curve"]["accuracy"] + arm["curve"]["damaged accuracy"]] == [2, 2, 2, 2]
        for measure in arm["measures"].values():
            assert set(measure) == {"mean", "low", "high", "values"} and len(measure["values"]) == 2
        assert arm["measures"]["steps to 95 %"] == {"mean": None, "low": None, "high": None, "values": [None, None]}
    assert result["command"] == "the command" and result["settings"]["recipe"]["steps"] == 4
    assert "Student" in result["settings"]["interval"] and {"date", "device", "versions"} <= result.keys()


def test_speed_is_the_first_step_at_which_the_level_is_reached(run, monkeypatch):
    monkeypatch.setattr(ablation, "REACHED", {"soon": ("accuracy", 0.0), "never": ("damaged accuracy", 1.1)})
    measures = run()["arms"]["uniform"]["measures"]
    assert measures["soon"]["values"] == [2, 2] and measures["soon"]["mean"] == 2
    assert measures["never"]["values"] == [None, None]


@pytest.mark.parametrize(("moment", "steps_again"), [("a step", 4), ("a signal", 1), ("the measuring", 0)])
def test_a_run_killed_at_any_moment_goes_on_with_the_same_numbers(run, monkeypatch, tmp_path, moment, steps_again):
    expected = run(work="other")["arms"]
    steps, measured = [], []
    measure = ablation.measure

    def batch(*arguments):
        steps.append(1)
        if len(steps) == 7:  # step 2 of the second seed
            if moment == "a step":
                raise MemoryError  # as good as kill -9: nothing is saved on the way out
            if moment == "a signal":
                os.kill(os.getpid(), signal.SIGTERM)
        return training_batch(*arguments)

    def measure_or_die(model):
        measured.append(1)
        if moment == "the measuring" and len(measured) == 2:
            raise MemoryError
        return measure(model)

    monkeypatch.setattr(ablation, "training_batch", batch)
    monkeypatch.setattr(ablation, "measure", measure_or_die)
    with pytest.raises((MemoryError, KeyboardInterrupt)):
        run()
    before = len(steps)
    assert run()["arms"] == expected
    assert len(steps) - before == steps_again  # the first seed isn't trained again, nor what a checkpoint holds
    assert run()["arms"] == expected and len(steps) - before == steps_again  # nothing is left to do
    files = sorted(path.name for path in (tmp_path / "work").iterdir())
    assert files == ["certainty-ablation-uniform-0.json", "certainty-ablation-uniform-1.json"]  # and nothing to resume


def test_processes_share_the_arms_and_the_last_one_writes_them_all(run):
    alone = run(work="other", arms=("uniform", "+ binary"))["arms"]
    assert list(run(arms=("+ binary",))["arms"]) == ["+ binary"]
    assert run(arms=("uniform",))["arms"] == alone and list(alone) == ["uniform", "+ binary"]
    more = run(seeds=3, arms=("uniform",))["arms"]  # "+ binary" has no third seed yet
    assert list(more) == ["uniform"]
    assert more["uniform"]["measures"]["accuracy"]["values"][:2] == alone["uniform"]["measures"]["accuracy"]["values"]


@pytest.mark.parametrize("change", ["steps", "sizes", "the saved file"])
def test_saved_runs_of_other_settings_are_not_used(run, monkeypatch, tmp_path, change):
    run()
    calls = []
    monkeypatch.setattr(ablation, "training_batch", partial(_counted, calls))
    if change == "sizes":
        monkeypatch.setattr(ablation, "SIZES", ablation.SIZES | {"test": 7})
    if change == "the saved file":
        for path in (tmp_path / "work").iterdir():
            path.write_text(path.read_text()[:40])
    run(steps=3 if change == "steps" else 4)
    assert len(calls) == (6 if change == "steps" else 8)


def _counted(calls, *arguments):
    calls.append(1)
    return training_batch(*arguments)


def test_a_checkpoint_of_other_settings_does_not_stand_in_the_way(run, monkeypatch):
    def batch(arm, step, generator):
        if step == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return training_batch(arm, step, generator)

    with monkeypatch.context() as patch:
        patch.setattr(ablation, "training_batch", batch)
        with pytest.raises(KeyboardInterrupt):
            run(steps=6)
    assert run(steps=4)["settings"]["recipe"]["steps"] == 4


# ---- the command line


def fails(capsys, *arguments):
    try:
        code = main(["reproduce", "certainty-ablation", *arguments])
    except SystemExit as stop:
        code = stop.code
    err = capsys.readouterr().err
    assert code == 2 and err.count("\n") == 1 and "Traceback" not in err, err
    return err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--arms", "uniform,full"], "arms among undamaged, uniform, .* got 'full'"),
        (["--arms", ","], "arms among undamaged"),
        (["--seeds", "1"], "2 to 10 seeds, got 1"),
        (["--seeds", "11"], "2 to 10 seeds, got 11"),
        (["--seeds", "two"], "invalid int value: 'two'"),
        (["--steps", "0"], "steps to be a whole number >= 1, got 0"),
    ],
)
def test_bad_options_are_refused_in_one_line(capsys, arguments, message, tmp_path):
    assert re.search(message, fails(capsys, *arguments, "--data", str(tmp_path)))


def test_the_command_writes_the_result(small, monkeypatch, capsys, tmp_path):
    arguments = ["--arms", "uniform, full mix", "--seeds", "2", "--steps", "1", "--data", str(tmp_path / "data")]
    assert main(["reproduce", "certainty-ablation", *arguments]) == 0
    out = capsys.readouterr()
    assert "certainty-ablation.json" in out.out and "full mix, seed 1" in out.err  # progress is shown
    monkeypatch.setattr(artifacts, "data_folder", lambda: tmp_path / "data")
    result = artifacts.load_result("certainty-ablation")
    assert list(result["arms"]) == ["uniform", "full mix"]
    assert result["command"].startswith("python -m icg reproduce certainty-ablation --arms")
    assert (tmp_path / "runs/reproduce").is_dir()
