"""Folders of pictures: what is refused before any work, and that pictures become what explain makes of them."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from icg_book.kit.pictures import open_picture, prepare
from icg_book.own_network import folder as module
from icg_book.own_network.folder import read_folder


def test_pictures_are_what_explain_sees_in_the_order_of_their_names(pictures):
    data = read_folder(pictures, 24, progress=False)
    train = data["train"]
    assert train.classes == ("blue", "red") and len(train) == 12 and len(data["val"]) == 6
    assert train.labels.tolist() == [0] * 6 + [1] * 6 and train.images.shape == (12, 24, 24, 3)
    for k in (0, 7):
        path = pictures / "train" / ("blue", "red")[k // 6] / f"{k % 6}.png"
        values = prepare(open_picture(path), (3, 24, 24)).values[0]
        found = train.images[k].permute(2, 0, 1).float() / 255
        torch.testing.assert_close(found, values, rtol=0, atol=0.5 / 255 + 1e-6)
    assert bool((train.images.float().mean((1, 2)).argmax(1) == 2 - 2 * train.labels).all())


def test_a_folder_is_decoded_once_and_again_when_a_picture_changed(pictures, monkeypatch):
    first = read_folder(pictures, 24, progress=False)["train"]
    calls, square = [], module.square
    monkeypatch.setattr(module, "square", lambda *given: calls.append(given) or square(*given))
    assert torch.equal(read_folder(pictures, 24, progress=False)["train"].images, first.images) and not calls
    path = pictures / "train" / "red" / "0.png"
    Image.fromarray(np.zeros((30, 30, 3), np.uint8)).save(path)
    changed = read_folder(pictures, 24, progress=False)["train"]
    assert len(calls) == 12 and changed.images[6].sum() == 0 and changed.digest != first.digest


def test_grey_and_transparent_pictures_become_colours(pictures):
    Image.new("L", (40, 40), 128).save(pictures / "train" / "red" / "0.png")
    Image.new("RGBA", (40, 40), (0, 0, 0, 0)).save(pictures / "train" / "red" / "1.png")
    images = read_folder(pictures, 24, progress=False)["train"].images
    assert (images[6] == 128).all() and (images[7] == 255).all()


def test_broken_and_small_pictures_are_listed_and_left_out_on_request(pictures):
    (pictures / "train" / "red" / "2.png").write_bytes(b"not a picture")
    (pictures / "val" / "blue" / "0.png").write_bytes(b"")
    Image.new("RGB", (40, 8)).save(pictures / "train" / "blue" / "5.png")
    with pytest.raises(ValueError, match="3 of the pictures can't be used") as error:
        read_folder(pictures, 24, progress=False)
    assert all(name in str(error.value) for name in ("red/2.png", "blue/0.png", "got 40 x 8 pixels", "is empty"))
    data = read_folder(pictures, 24, skip_broken=True, progress=False)
    assert len(data["train"]) == 10 and data["train"].labels.tolist() == [0] * 5 + [1] * 5
    assert len(data["train"].broken) == 2 and len(data["val"]) == 5
    assert data["train"].images.float().mean((1, 2, 3)).min() > 10  # no black ones in their places


def remove(*parts):
    return lambda folder: shutil.rmtree(folder.joinpath(*parts))


def one_class(folder):
    for split in ("train", "val"):
        shutil.rmtree(folder / split / "red")


def all_broken(folder):
    for path in (folder / "val" / "red").iterdir():
        path.write_bytes(b"")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (remove(), "expected .*/train/CLASS/"),
        (remove("val"), "val is not there"),
        (remove("val", "red"), "the same classes in train and val .* in one alone: red"),
        (
            lambda f: [shutil.rmtree(f / split / "red") for split in ("train", "val")],
            "at least two classes .* got blue",
        ),
        (lambda f: [path.unlink() for path in (f / "val" / "red").iterdir()], "no pictures in .*val/red"),
        (all_broken, "no picture of red in .*val can be read"),
    ],
)
def test_what_is_no_folder_of_classes_is_refused_before_any_picture_is_decoded(pictures, spoil, says, monkeypatch):
    spoil(pictures)
    if spoil is not all_broken:
        monkeypatch.setattr(module, "square", None)
    with pytest.raises(ValueError, match=says):
        read_folder(pictures, 24, skip_broken=True, progress=False)
