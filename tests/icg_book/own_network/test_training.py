"""A network on pictures of one's own: the same however often it is stopped, what its card says, and who takes it."""

import json
import os
import re
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file
from torchvision import models as vision

from icg import artifacts
from icg.__main__ import main
from icg.aware import IMAGENET_MEAN, IMAGENET_STD
from icg.certainty import join
from icg_book.imagenette.lab import photo_lab
from icg_book.kit.trainings import Interrupted
from icg_book.own_network import training
from icg_book.own_network.networks import classifier, read_checkpoint
from icg_book.own_network.training import train_on_folder

ARCH = "shufflenet_v2_x0_5"
QUICK = {"arch": ARCH, "size": 32, "steps": 6, "batch_size": 6, "progress": False}


@pytest.fixture(autouse=True)
def known(monkeypatch):
    """The entry point of an installed package, whatever is installed."""
    monkeypatch.setitem(artifacts.ARCHITECTURES, "CertaintyAware", classifier)


def said(capsys, *arguments):
    """Run a command that must fail; the one line that it says."""
    assert main(list(arguments)) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1, err
    return err


def test_the_command_writes_weights_that_load_and_a_card_that_says_how_good_they_are(pictures, capsys):
    command = ["train", "--images", "pets", "--arch", ARCH, "--size", "32", "--steps", "6", "--batch-size", "6"]
    assert main(command) == 0
    out = capsys.readouterr().out
    path = pictures.parent / "networks" / f"pets-{ARCH}.safetensors"
    assert str(path.relative_to(pictures.parent)) in out and not path.with_suffix(".pt").exists()
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["classes"] == ["blue", "red"] and card["config"]["arch"] == ARCH and card["input"] == ["N", 4, 32, 32]
    assert card["training"]["stages"][0]["steps"] == 6 and card["command"].startswith("python -m icg train --images")
    metrics = card["metrics"]
    assert metrics["accuracy"]["images"] == 6 and set(metrics["accuracy"]["classes"]) == {"blue", "red"}
    assert metrics["absence"]["max"] == 0  # the gate
    assert 0 <= metrics["neutrality"]["all"] < 0.5
    model = artifacts.load_model(str(path))
    p = model(join(torch.rand(2, 3, 32, 32)))
    assert p.shape == (2, 2) and model.certainty_aware

    photo = str(pictures / "val" / "red" / "0.png")
    for method in ("icg", "eg"):  # the second with pictures of the folder
        explain = ["explain", photo, "--model", str(path), "--method", method, "--steps", "4", "--out", "map.png"]
        assert main([*explain, "--target", "red"]) == 0
        assert "red" in capsys.readouterr().out
    assert photo_lab(model, torch.rand(2, 3, 32, 32), classes=card["classes"]) is not None


def test_it_learns(pictures):
    metrics = train_on_folder(pictures, pictures.parent / "x.safetensors", **{**QUICK, "steps": 120, "lr": 2e-3})
    assert metrics["accuracy"]["all"] == 1 and metrics["neutrality"]["all"] < 0.2


def test_one_that_was_stopped_gives_the_same_weights(pictures, monkeypatch):
    whole, parts = pictures.parent / "whole.safetensors", pictures.parent / "parts.safetensors"
    train_on_folder(pictures, whole, **QUICK)
    run = training.train_stages

    def stopped(make, stages, checkpoint, **options):
        from icg_book.kit import trainings

        with monkeypatch.context() as patch:
            train = trainings.train
            patch.setattr(trainings, "train", lambda *given, **more: train(*given, stop_after=4, **more))
            return run(make, stages, checkpoint, **options)

    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(training, "train_stages", stopped)
        train_on_folder(pictures, parts, **QUICK)
    assert parts.with_suffix(".pt").exists() and not parts.exists()
    with pytest.raises(ValueError, match="another recipe .*lr"):
        train_on_folder(pictures, parts, **QUICK, lr=0.5)
    train_on_folder(pictures, parts, **QUICK)
    first, second = load_file(whole), load_file(parts)
    assert all(torch.equal(value, second[name]) for name, value in first.items())


@pytest.mark.slow
def test_two_processes_of_torchrun_write_it_once(pictures):
    command = ["-m", "icg", "train", "--images", "pets", "--arch", ARCH, "--size", "32", "--steps", "4"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [*torchrun, *command, "--batch-size", "6"], env=environment, capture_output=True, text=True, timeout=280
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("wrote") == 1
    assert len(list((pictures.parent / "cache").glob("own-*.npy"))) == 2  # decoded by one of them


# ---- checkpoints of plain networks


def plain(classes):
    torch.manual_seed(1)
    network = vision.get_model(ARCH, weights=None, num_classes=classes).eval()
    for name, value in network.state_dict().items():
        if name.endswith("running_var"):
            value.copy_(0.05 + 0.1 * torch.rand_like(value))
    return network


@torch.no_grad()
def test_it_begins_as_the_plain_network(tmp_path):
    network = plain(3)
    torch.save({"state_dict": {f"module.{k}": v for k, v in network.state_dict().items()}}, tmp_path / "a.pt")
    save_file(network.state_dict(), tmp_path / "b.safetensors")
    values = torch.rand(2, 3, 32, 32)
    mean, std = (torch.tensor(x).view(3, 1, 1) for x in (IMAGENET_MEAN, IMAGENET_STD))
    wanted = network((values - mean) / std)
    for name in ("a.pt", "b.safetensors"):
        model = classifier(ARCH, 3, 32, checkpoint=read_checkpoint(tmp_path / name)).eval()
        torch.testing.assert_close(model(join(values)), wanted, rtol=1e-4, atol=1e-4 * wanted.abs().max().item())


def test_a_last_layer_of_other_classes_begins_anew():
    state = plain(1000).state_dict()
    model = classifier(ARCH, 2, 32, checkpoint=state)
    own = model.network.state_dict()
    assert own["fc.weight"].shape == (2, 1024)
    assert torch.equal(own["conv5.0.weight"], state["conv5.0.weight"])


def test_start_is_kept_in_the_recipe_and_shortens_it(pictures):
    torch.save(plain(1000).state_dict(), "start.pt")
    metrics = train_on_folder(pictures, "x.safetensors", **QUICK, start="start.pt")
    card = json.loads(open("x.json").read())
    assert metrics and card["training"]["start"] == "start.pt" and card["training"]["stages"][0]["started"] is not None
    assert card["training"]["stages"][0]["lr"] == 3e-4


# ---- what is refused, before any step


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "expected the name of a model of the book, or --images FOLDER"),
        (["mnist", "--arch", "resnet18"], "--arch is for pictures of yours"),
        (["mnist", "--images", "pets"], "expected --images FOLDER alone, got mnist too"),
        (["--images", "pets"], "expected --arch NAME"),
        (["--images", "cats", "--arch", ARCH], "cats/train is not there"),
        (["--images", "pets", "--arch", "resnet"], "expected arch to be one of alexnet, .* or timm/NAME, got 'resnet'"),
        (["--images", "pets", "--arch", ARCH, "--size", "8"], "images of 16 pixels or more, got 8"),
        (["--images", "pets", "--arch", "vit_b_16", "--size", "40"], "vit_b_16 with images of 40 pixels"),
        (["--images", "pets", "--arch", ARCH, "--start", "none.pt"], "the checkpoint none.pt is not there"),
        (
            ["--images", "pets", "--arch", ARCH, "--start", "grey.pt"],
            r"three channels: expected conv1.0.weight \(24",
        ),
        (["--images", "pets", "--arch", ARCH, "--start", "other.pt"], "a checkpoint of .*; .* is missing"),
        (["--images", "pets", "--arch", ARCH, "--start", "text.pt"], "can't read the checkpoint text.pt"),
        (["--images", "pets", "--arch", ARCH, "--out", "."], "ends in .safetensors|expected a file"),
        (["--images", "pets", "--arch", ARCH, "--device", "teapot"], "can't use --device teapot"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_before_the_work(pictures, capsys, monkeypatch, arguments, says):
    state = plain(2).state_dict()
    torch.save({**state, "conv1.0.weight": torch.zeros(24, 1, 3, 3)}, "grey.pt")
    torch.save({name: value for name, value in state.items() if "stage2" not in name}, "other.pt")
    open("text.pt", "w").write("text")
    monkeypatch.setattr(training, "train_stages", None)
    assert re.search(says, said(capsys, "train", *arguments))
