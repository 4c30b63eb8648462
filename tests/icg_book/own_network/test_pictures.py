"""The chapter's pictures: scikit-learn's digits, and a zip file of anybody's."""

import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from icg_book.own_network import figures
from icg_book.own_network.folder import class_folders, read_folder
from icg_book.own_network.pictures import folder_of
from icg_book.scenarios.stand_ins import middles


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ICG_CACHE", str(tmp_path / "cache"))


def test_the_digits_are_those_of_scikit_learn():
    folder = folder_of()
    data, digits = read_folder(folder, 32, progress=False), load_digits()
    assert data["train"].classes == tuple("0123456789") and len(data["train"]) + len(data["val"]) == 1797
    labels = torch.tensor(digits.target)
    assert data["val"].labels.bincount().tolist() == labels[::5].bincount().tolist()
    number = int((labels[::5] == 3).nonzero()[0]) * 5  # the first three for validation
    picture = data["val"].images[int((data["val"].labels == 3).nonzero()[0])].float().mean(2)
    small = torch.nn.functional.avg_pool2d(picture[None, None], 4)[0, 0] / 255 * 16
    assert np.corrcoef(small.flatten(), digits.images[number].flatten())[0, 1] > 0.98
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")}
    assert folder_of() == folder and {p: p.stat().st_mtime_ns for p in folder.rglob("*.png")} == before


def zipped(tmp_path, *names):
    path = tmp_path / "pets.zip"
    Image.new("RGB", (20, 20), "red").save(tmp_path / "picture.png")
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.write(tmp_path / "picture.png", name)
    return path


def test_classes_of_a_zip_file_are_divided(tmp_path):
    names = [f"pets/{label}/{k}.png" for label in ("cat", "dog") for k in range(11)]
    path = zipped(tmp_path, *names, "__MACOSX/pets/cat/0.png", "pets/cat/.hidden.png", "pets/readme.txt")
    folder = folder_of(path)
    assert class_folders(folder) == ("cat", "dog")
    counts = {split: len(list((folder / split / "cat").iterdir())) for split in ("train", "val")}
    assert counts == {"train": 8, "val": 3}
    assert figures.samples(read_folder(folder, 24, progress=False)["train"]).axes[1].get_title() == "dog (8)"


def test_a_division_that_is_there_stays(tmp_path):
    names = [f"{split}/{label}/{k}.png" for split in ("train", "val") for label in "ab" for k in range(2)]
    folder = folder_of(zipped(tmp_path, *names))
    assert sorted(path.relative_to(folder).parent.as_posix() for path in folder.rglob("*.png")) == [
        f"{split}/{label}" for split in ("train", "val") for label in "ab" for _ in range(2)
    ]


def test_nothing_is_written_outside_of_the_folder(tmp_path):
    folder = folder_of(zipped(tmp_path, "../../evil/0.png", "/cat/0.png", "/cat/1.png", "dog/0.png", "dog/1.png"))
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png")} - {"picture.png"}
    assert len(written) == 4 and all(name.startswith(folder.relative_to(tmp_path).as_posix()) for name in written)


def test_what_holds_no_pictures_is_refused(tmp_path):
    for archive, says in (
        (tmp_path / "none.zip", "is not there; upload it first"),
        (zipped(tmp_path, "0.png"), "got no picture in a folder"),
        (tmp_path / "picture.png", "expected a zip file"),
    ):
        with pytest.raises(ValueError, match=says):
            folder_of(archive)


def test_maps_are_drawn_with_scales_of_their_own():
    values, maps = torch.rand(3, 3, 8, 8), torch.randn(3, 8, 8) * torch.tensor([1.0, 10.0, 0.1]).view(3, 1, 1)
    figure = figures.maps(values, maps, ["a", "b", "c"])
    drawn = [ax.images[0].get_array() for ax in figure.axes if ax.images and ax.images[0].get_array().ndim == 2]
    largest = [abs(np.asarray(array)).max() for array in drawn[:3]]
    assert largest == pytest.approx([1, 1, 1])
    prior = torch.full((4,), 0.25)
    said = {"before": torch.eye(4)[0], "after": prior}
    both = figures.learnt([0.0, 1.0], {"before": [0.2, 0.9], "after": [0.3, 0.9]}, said, prior)
    assert [bar.get_height() for bar in both.axes[1].patches] == [1, 0, 0, 0, *[0.25] * 4]


def test_two_photographs_beside_the_maps_of_two_networks():
    shown = middles()
    assert shown.shape == (2, 427, 427, 3) and shown.dtype == torch.uint8
    found = {"one": torch.randn(2, 8, 8), "another": 10 * torch.randn(2, 16, 16)}
    sure = torch.eye(10)[[2, 5]]
    figure = figures.architectures(shown, found, {"one": sure, "another": sure.flip(0)})
    titles = [ax.get_title() for ax in figure.axes if ax.get_title()]
    assert titles == [
        "photograph",
        "one: cassette player, 100%",
        "another: French horn, 100%",
        "one: French horn, 100%",
        "another: cassette player, 100%",
    ]
