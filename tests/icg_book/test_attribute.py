"""``python -m icg attribute FOLDER``: the maps of explain, and what is wrong with files and options."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from icg import artifacts
from icg.__main__ import main
from icg.datasets import read
from icg.models import MnistPlainNet
from icg.resnet import certainty_resnet
from icg_book import attribute, explain
from icg_book.kit import records
from icg_book.kit.lab import attribute as one
from icg_book.kit.pictures import open_picture, prepare

N = 7
NET = "networks/net.safetensors"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A folder of pictures, and a network for them."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    made = {"classes": ["tea", "coffee", "cake"], "metrics": {}, "training": {}}
    records.write_model(certainty_resnet("resnet18", 3, front=6, size=32), tmp_path / NET, **made)
    records.write_model(MnistPlainNet(), tmp_path / "networks" / "plain.safetensors", **made)
    monkeypatch.setattr(artifacts, "data_folder", lambda: tmp_path)
    for k in range(N):
        path = tmp_path / "cups" / "deeper" / f"Tasse {k}.png" if k % 2 else tmp_path / "cups" / f"{k}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = np.random.default_rng(k).integers(0, 256, (5, 6, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((50 + k, 40)).save(path)


def names():
    return sorted([f"{k}.jpg" for k in range(0, N, 2)] + [f"deeper/Tasse {k}.png" for k in range(1, N, 2)])


def run(*arguments):
    return main(["attribute", "cups", "--model", NET, "--steps", "4", *arguments])


def says(capsys, *arguments):
    assert run(*arguments) == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_the_maps_are_those_of_explain_under_the_files_names(tmp_path, capsys):
    assert run("--out", "maps", "--batch-size", "2") == 0
    assert "7 maps are in maps" in capsys.readouterr().out
    index = json.loads((tmp_path / "maps" / "index.json").read_text())
    assert index["names"] == names() and index["inputs"] == N
    assert index["key"]["method"] == "icg" and index["key"]["classes"] == ["tea", "coffee", "cake"]
    model = artifacts.load_model(NET)
    for name in names():
        values = prepare(open_picture(tmp_path / "cups" / name), (3, 32, 32)).values
        options = {"method": "icg", "baseline": "zero", "n_steps": 4, "noise_std": 0.0, "output": "probability"}
        found = read("maps", name)
        wanted = one(model, values, None, target=int(found["target"]), **options)[0, 0]
        torch.testing.assert_close(found["maps"], wanted.float(), rtol=1e-4, atol=1e-6)
        assert found["predicted"] == found["target"] and 1 / 3 < found["probability"] < 1
    assert run("--out", "maps", "--batch-size", "2") == 0  # nothing left to do


def test_another_class_and_a_network_without_certainty(tmp_path, capsys):
    assert run("--out", "cake", "--target", "cake", "--output", "logit") == 0
    assert read("cake", "0.jpg")["target"] == 2
    plain = ["--model", "networks/plain.safetensors", "--out", "plain"]
    assert run(*plain, "--method", "ig") == 0
    assert read("plain", "0.jpg")["maps"].shape == (28, 28)
    assert "knows no certainty" in says(capsys, *plain)


def test_maps_are_drawn_over_their_pictures(tmp_path):
    assert run("--out", "maps", "--overlay") == 0
    assert run("--out", "maps", "--overlay", "--blurred") == 0
    drawn = {path.relative_to(tmp_path / "maps/overlays").as_posix() for path in (tmp_path / "maps").rglob("*.png")}
    assert drawn == {f"{kind}/{name}.png" for kind in ("raw", "blurred") for name in names()}
    raw, soft = (np.asarray(Image.open(f"maps/overlays/{kind}/0.jpg.png")).astype(float) for kind in ("raw", "blurred"))
    assert raw.shape == soft.shape and np.abs(np.diff(raw, axis=0)).mean() > np.abs(np.diff(soft, axis=0)).mean()
    assert (raw.min(2) < raw.max(2)).any()  # in colours


def test_a_broken_file_is_named_and_left_out_on_request(tmp_path, capsys):
    (tmp_path / "cups" / "4.jpg").write_bytes(b"no picture")
    error = says(capsys, "--out", "maps", "--batch-size", "1")
    assert "4.jpg is not a picture" in error and "--skip-broken" in error
    assert run("--out", "maps", "--batch-size", "1", "--skip-broken", "--overlay") == 0
    assert "skipped: 4.jpg" in capsys.readouterr().out
    assert read("maps", "4.jpg")["maps"].isnan().all() and read("maps", "4.jpg")["predicted"] == -1
    assert read("maps", "2.jpg")["maps"].isfinite().all()
    assert not (tmp_path / "maps/overlays/raw/4.jpg.png").exists()


def test_pictures_that_changed_are_not_taken_for_the_old_ones(tmp_path, capsys):
    assert run("--out", "maps") == 0
    Image.new("RGB", (90, 90)).save(tmp_path / "cups" / "0.jpg")
    assert "maps of something else (different: pictures)" in says(capsys, "--out", "maps")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--out", NET], "expected --out to be a folder, got the file"),
        (["--out", "maps", "--blurred"], "--blurred says how --overlay draws"),
        (["--out", "maps", "--batch-size", "0"], "batch_size >= 1"),
        (["--out", "maps", "--target", "milk"], "--target to be one of tea, coffee, cake, got 'milk'"),
        (["--out", "maps", "--model", "networks/none.safetensors"], "none.safetensors is not there"),
        (["--out", "maps", "--method", "eg"], "there are no training images"),
        (["--out", "maps", "--device", "teapot"], "can't use --device teapot"),
    ],
)
def test_what_is_wrong_is_said_before_the_work(capsys, monkeypatch, arguments, text):
    monkeypatch.setattr(attribute, "attribute_dataset", None)
    assert text in says(capsys, *arguments).replace("none.json", "none.safetensors")


def test_folders_without_pictures(capsys, tmp_path):
    (tmp_path / "empty").mkdir()
    for folder, text in (("empty", "there are no pictures in empty"), ("nowhere", "a folder of pictures, got nowhere")):
        assert main(["attribute", folder, "--out", "maps"]) == 2
        assert text in capsys.readouterr().err


@pytest.mark.slow
def test_torchrun_shares_the_work(tmp_path):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "icg"]
    command = ["attribute", "cups", "--model", NET, "--steps", "2", "--out", "maps", "--batch-size", "1", "--overlay"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*torchrun, *command], env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("7 maps are in maps") == 1
    assert len(list((tmp_path / "maps" / "overlays").rglob("*.png"))) == N
    assert explain.trained(NET)[1] == (3, 32, 32)
