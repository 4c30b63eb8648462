"""The command line: one line and exit code 2 when something is wrong, never a traceback."""

import inspect
import io
import json
import os
import signal
import sys
from dataclasses import replace
from importlib import import_module

import pytest
import torch
from PIL import Image

from icg import artifacts
from icg.__main__ import main
from icg.models import BurntSnacksNet
from icg.training import Recipe
from icg_book import cli, scenarios
from icg_book.burnt_snacks import experiment as reproduction
from icg_book.fairness import experiment as ledger
from icg_book.kit import records
from icg_book.scenarios import burnt_snacks


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """An empty working folder: commands write runs/ there. Threads are put back."""
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A checkout's data folder with untrained weights and a result."""
    folder = tmp_path / "data"
    made = records.provenance("a command", 0)
    metrics = {"accuracy": {"all": 0.5, "images": 2}}
    records.save_model(BurntSnacksNet(), "burnt-snacks", folder, training={}, metrics=metrics, made=made)
    records.write_result("burnt-snacks", {}, folder)
    monkeypatch.setattr(artifacts, "data_folder", lambda: folder)
    return folder


def fails(capsys, *arguments):
    """Run a command that must fail; returns the one line it says on stderr."""
    try:
        code = main(list(arguments))
    except SystemExit as stop:  # argparse
        code = stop.code
    err = capsys.readouterr().err
    assert code == 2
    assert err.endswith("\n") and err.count("\n") == 1 and "Traceback" not in err, err
    return err


# ---- errors


def test_no_threads(capsys):
    for command in ("train", "reproduce"):
        assert "--threads >= 1, got 0" in fails(capsys, command, "burnt-snacks", "--threads", "0")


def test_no_steps(capsys, data):
    assert "steps to be a whole number >= 1, got 0" in fails(capsys, "train", "burnt-snacks", "--steps", "0")


def test_one_image(capsys, data):
    assert "n >= 2 images of each class, got 1" in fails(capsys, "reproduce", "burnt-snacks", "--images", "1")


def test_missing_weights(capsys, data):
    (data / "weights/burnt-snacks.safetensors").unlink()
    assert "burnt-snacks.safetensors is not in" in fails(capsys, "reproduce", "burnt-snacks")


def test_a_broken_card(capsys, data):
    (data / "weights/burnt-snacks.json").write_text("{")
    assert "not valid JSON" in fails(capsys, "info")


@pytest.mark.parametrize("command", ["train", "reproduce"])
def test_no_data_folder_to_write_to(capsys, monkeypatch, command):
    monkeypatch.setattr(artifacts, "data_folder", lambda: None)
    assert "expected --data FOLDER" in fails(capsys, command, "burnt-snacks")


@pytest.mark.parametrize("command", ["train", "reproduce"])
def test_a_data_folder_that_is_a_file_is_noticed_before_the_work(capsys, monkeypatch, data, tmp_path, command):
    def never(*arguments, **options):
        raise AssertionError("started to work")

    monkeypatch.setattr("icg_book.kit.trainings.train", never)
    monkeypatch.setattr(reproduction, "attribute", never)
    (tmp_path / "file").write_text("")
    assert "file" in fails(capsys, command, "burnt-snacks", "--data", str(tmp_path / "file"))


def test_a_checkpoint_of_another_run(capsys, data, tmp_path):
    (tmp_path / "c.pt").write_text("not a checkpoint")
    assert "c.pt" in fails(capsys, "train", "burnt-snacks", "--steps", "1", "--checkpoint", str(tmp_path / "c.pt"))


@pytest.mark.parametrize(
    "arguments", [[], ["bake"], ["train", "pizza"], ["train", "burnt-snacks", "--threads", "many"]], ids=str
)
def test_arguments_that_do_not_parse(capsys, arguments):
    fails(capsys, *arguments)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_can_encode_little_is_no_error(encoding, tmp_path, monkeypatch, data):
    """Help is shown, a map of a picture with a name in other letters is written, and errors are one line."""
    Image.new("RGB", (60, 60), "red").save(tmp_path / "Füße 猫.png")

    def run(*arguments):
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2))
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            try:
                code = main(list(arguments))
            except SystemExit as stop:  # argparse, after its help
                code = stop.code
            out.flush(), err.flush()
        return code, out.buffer.getvalue(), err.buffer.getvalue()

    for arguments in ([], ["train"], ["explain"], ["reproduce"]):
        code, out, err = run(*arguments, "--help")
        assert (code or 0, err) == (0, b"") and out.startswith(b"usage: python -m icg")
    explain = ["explain", "Füße 猫.png", "--model", "burnt-snacks", "--method", "gradient"]
    code, out, err = run(*explain, "--out", "Karte 猫.png")
    assert code == 0 and (tmp_path / "Karte 猫.png").exists() and rb"\u732b" in out, err
    code, out, err = run("explain", "犬.png", "--out", "a.png")
    assert code == 2 and err.count(b"\n") == 1 and rb"\u72ac.png" in err


# ---- info


def test_info_lists_models_and_results(capsys, data):
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    assert str(data) in out
    assert "burnt-snacks: BurntSnacksNet, 343,538 parameters, 50.00%" in out
    assert any(line.split() == ["result", "burnt-snacks"] for line in out.splitlines())


def test_info_outside_a_checkout_lists_what_can_be_downloaded(capsys, data, monkeypatch, tmp_path):
    import pooch

    monkeypatch.setattr(artifacts, "data_folder", lambda: None)
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache")

    def fetch(url, known_hash, fname, path, progressbar):  # stands in for the network
        (path / fname).parent.mkdir(parents=True, exist_ok=True)
        (path / fname).write_bytes((data / url.removeprefix(artifacts.data_url() + "/")).read_bytes())
        return str(path / fname)

    monkeypatch.setattr(pooch, "retrieve", fetch)
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    assert artifacts.data_url() in out and "BurntSnacksNet" in out


# ---- train


def train_by(monkeypatch, **changes):
    training = replace(burnt_snacks.TRAININGS["burnt-snacks"], **changes)
    monkeypatch.setitem(burnt_snacks.TRAININGS, "burnt-snacks", training)


@pytest.fixture
def quick(monkeypatch):
    train_by(monkeypatch, evaluate=lambda model: {"accuracy": {"all": 0.5, "images": 7}})


def noise(step, generator):
    return torch.rand(4, 2, 50, 50, generator=generator), torch.tensor([0, 1, 0, 1])


def test_train_writes_weights_card_and_manifest(capsys, monkeypatch, quick, tmp_path):
    folder = tmp_path / "new"
    assert main(["train", "burnt-snacks", "--steps", "2", "--seed", "5", "--data", str(folder), "--threads", "1"]) == 0
    assert "accuracy 0.5000 on 7 fresh images" in capsys.readouterr().out
    card = json.loads((folder / "weights/burnt-snacks.json").read_text())
    assert card["command"].startswith("python -m icg train burnt-snacks --steps 2 --seed 5 ")
    assert card["seed"] == 5 and card["device"] == "CPU, 1 thread(s)"
    assert [(stage["steps"], stage["seed"]) for stage in card["training"]["stages"]] == [(2, 5), (2, 5)]
    assert all(Recipe(**stage) for stage in card["training"]["stages"])  # the card's recipes can be run again
    assert set(json.loads((folder / "manifest.json").read_text())) == {
        "weights/burnt-snacks.json",
        "weights/burnt-snacks.safetensors",
    }
    assert (tmp_path / "runs/burnt-snacks-5.pt").exists()
    monkeypatch.setattr(artifacts, "data_folder", lambda: folder)
    assert isinstance(artifacts.load_model("burnt-snacks"), BurntSnacksNet)


def test_an_interrupted_training_says_how_to_go_on_and_does(capsys, monkeypatch, quick, tmp_path):
    steps = []

    def interrupted(step, generator):
        steps.append(step)
        if steps == [0, 1]:
            os.kill(os.getpid(), signal.SIGINT)  # Ctrl-C
        return noise(step, generator)

    def second(step, generator):
        steps.append(10 + step)
        if steps == [0, 1, 2, 3, 10, 11]:
            os.kill(os.getpid(), signal.SIGINT)
        return noise(step, generator)

    train_by(monkeypatch, stages=((burnt_snacks.RECIPE, interrupted), (burnt_snacks.FINISH, second)))
    command = ["train", "burnt-snacks", "--steps", "4", "--data", str(tmp_path / "new")]
    assert main(command) == 130
    out = capsys.readouterr().out
    assert out.count("\n") == 1 and "goes on from" in out and "burnt-snacks-0.pt" in out
    assert not (tmp_path / "new").exists()  # nothing half-trained is written
    assert main(command) == 130  # in the second stage now
    assert "burnt-snacks-0-stage2.pt" in capsys.readouterr().out
    assert main(command) == 0
    assert steps == [0, 1, 2, 3, 10, 11, 12, 13]  # the step under way was finished, none was done twice


def test_a_loss_that_is_not_a_number_is_one_line(capsys, monkeypatch, quick, data):
    broken = (burnt_snacks.RECIPE, lambda s, g: (noise(s, g)[0] * float("nan"), noise(s, g)[1]))
    train_by(monkeypatch, stages=(broken,))
    assert main(["train", "burnt-snacks", "--steps", "2"]) == 2
    last = capsys.readouterr().err.splitlines()[-1]  # the progress bar stands above it
    assert last.startswith("error: the loss became nan at step 0")


def test_every_network_is_declared_by_the_scenario_that_is_said_to_train_it():
    for name, module in scenarios.TRAINED.items():
        scenario = scenarios.scenario_of(name)
        assert scenario.__name__.endswith(f".{module}") and name in scenario.TRAININGS
        assert set(scenario.TRAININGS) == {other for other, where in scenarios.TRAINED.items() if where == module}


# ---- reproduce


def test_every_experiment_takes_what_the_command_hands_on():
    for module, arguments in cli.REPRODUCED.values():
        taken = inspect.signature(import_module(f"icg_book.{module}").run).parameters
        assert set(arguments) <= set(taken) and {"data_folder", "work_folder", "command"} <= set(taken)


def test_reproduce_hands_its_settings_on(capsys, monkeypatch, data, tmp_path):
    given = {}
    monkeypatch.setattr(reproduction, "run", lambda **options: given.update(options) or tmp_path / "result.json")
    assert main(["reproduce", "burnt-snacks", "--images", "30", "--agn-steps", "7"]) == 0
    assert "result.json" in capsys.readouterr().out
    assert given["n"] == 30 and given["agn_steps"] == 7 and given["data_folder"] == data
    assert given["command"] == "python -m icg reproduce burnt-snacks --images 30 --agn-steps 7"


def test_reproduce_may_work_without_writing(monkeypatch, data, tmp_path):
    given = {}
    monkeypatch.setattr(ledger, "run", lambda **options: given.update(options) or tmp_path)
    assert main(["reproduce", "fairness", "--parts", "mnist,space", "--model", "mnist", "--no-write"]) == 0
    assert given["parts"] == ("mnist", "space") and given["model"] == "mnist" and given["write"] is False
    assert main(["reproduce", "fairness", "--images", "3", "--methods", "fair,ICG, noise averaged"]) == 0
    assert given["n"] == 3 and given["methods"] == ("fair", "ICG", "noise averaged")
