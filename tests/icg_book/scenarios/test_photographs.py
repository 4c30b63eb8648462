"""The photographs and their cache. They are random ones here, in the layout of the real ones."""

import numpy as np
import pytest
import torch
from PIL import Image

from icg_book.kit.pictures import SIDE
from icg_book.scenarios import photographs as loader
from icg_book.scenarios.photographs import CLASSES, FOLDERS

PER_CLASS = {"train": 3, "val": 2}


@pytest.fixture
def data(photo_files):
    return photo_files


def photographs(name="train"):
    return loader.photographs(name, progress=False)


@pytest.fixture
def no_decoding(monkeypatch):
    def never(path, size):
        raise AssertionError(f"decoded {path}")

    return lambda: monkeypatch.setattr(loader, "square", never)


def cached(tmp_path):
    return sorted(path.name for path in (tmp_path / "cache").iterdir())


def test_photographs_and_labels_are_those_of_torchvision(data):
    from torchvision.datasets import Imagenette

    for name in PER_CLASS:
        ours, theirs = photographs(name), Imagenette(data.parent, split=name, size="160px")
        assert ours.images.shape == (10 * PER_CLASS[name], SIDE, SIDE, 3) and ours.images.dtype == torch.uint8
        assert ours.labels.tolist() == [label for _, label in theirs]
        assert [names[0] for names in theirs.classes] == list(CLASSES) and theirs.wnids == list(FOLDERS)
        for image, (picture, _) in zip(ours.images, theirs, strict=True):
            short = min(picture.size)
            left, top = ((length - short) // 2 for length in picture.size)
            square = picture.crop((left, top, left + short, top + short)).resize((SIDE, SIDE), Image.BICUBIC)
            difference = (image.float() - torch.tensor(np.asarray(square)).float()).abs()
            assert difference.mean() < 2 and (short != SIDE or (difference == 0).all())


def test_they_are_decoded_once(data, tmp_path, no_decoding):
    first = photographs()
    no_decoding()
    again = photographs()
    assert torch.equal(first.images, again.images) and torch.equal(first.labels, again.labels)
    assert len(cached(tmp_path)) == 1


@pytest.mark.parametrize("keep", [0, 50, 10_000, -1])
def test_a_cache_cut_short_is_made_again(data, tmp_path, keep):
    whole = photographs().images.clone()
    (path,) = (tmp_path / "cache").iterdir()
    path.write_bytes(path.read_bytes()[:keep])
    assert torch.equal(photographs().images, whole)


def test_other_photographs_get_another_cache(data, tmp_path):
    before = photographs().images.clone()
    picture = next((data / "train" / FOLDERS[0]).glob("*"))
    Image.new("RGB", (200, 200), (255, 0, 0)).save(picture)
    after = photographs().images
    assert len(cached(tmp_path)) == 2
    assert ((before != after).flatten(1).any(1)).sum() == 1


def test_decoding_that_stops_half_way_leaves_nothing(data, tmp_path, monkeypatch):
    real, calls = loader.square, []

    def stopped(path, size):
        calls.append(path)
        if len(calls) == 12:
            raise KeyboardInterrupt
        return real(path, size)

    monkeypatch.setattr(loader, "square", stopped)
    with pytest.raises(KeyboardInterrupt):
        photographs()
    assert cached(tmp_path) == []
    assert len(photographs()) == 30


def test_changing_what_was_read_does_not_change_the_cache(data):
    first = photographs()
    kept = first.images.clone()
    first.images.zero_()
    assert torch.equal(photographs().images, kept)


def test_grey_and_transparent_photographs_become_rgb(data, tmp_path):
    Image.new("L", (160, 200), 77).save(tmp_path / "grey.JPEG")
    Image.new("CMYK", (160, 200), (0, 255, 255, 0)).save(tmp_path / "cmyk.JPEG")
    assert (loader.square(tmp_path / "grey.JPEG", SIDE) == 77).all()
    assert loader.square(tmp_path / "cmyk.JPEG", SIDE).shape == (SIDE, SIDE, 3)


def test_missing_or_incomplete_data_says_how_to_get_it(data, monkeypatch):
    next((data / "val" / FOLDERS[3]).glob("*")).unlink()
    with pytest.raises(ValueError, match="val has 19 photographs instead of 20.*ICG_DATA.*https://.*torchvision"):
        photographs("val")
    monkeypatch.setenv("ICG_DATA", str(data))  # the folder itself instead of the one that holds it
    with pytest.raises(ValueError, match="imagenette2-160/train is not there.*ICG_DATA"):
        photographs()
    monkeypatch.delenv("ICG_DATA")
    with pytest.raises(ValueError, match="ICG_DATA"):
        photographs()
    with pytest.raises(ValueError, match="one of train, val, got 'test'"):
        photographs("test")


@pytest.mark.parametrize("download", [True, False])
def test_missing_data_are_asked_for_only_where_that_is_allowed(data, monkeypatch, tmp_path, download):
    asked = []
    monkeypatch.setattr(loader, "install", lambda archive, root, **options: asked.append((archive, root)))
    monkeypatch.setenv("ICG_DATA", str(tmp_path / "empty"))
    with pytest.raises(ValueError, match="imagenette2-160/val is not there"):
        loader.photographs("val", download=download, progress=False)
    assert asked == ([(loader.ARCHIVE, tmp_path / "empty")] if download else [])
    monkeypatch.setenv("ICG_DATA", str(data.parent))  # what is there is never asked for, complete or not
    photographs("val")
    next((data / "val" / FOLDERS[3]).glob("*")).unlink()
    with pytest.raises(ValueError, match="val has 19 .*move .*imagenette2-160 away to have it downloaded"):
        loader.photographs("val", download=download, progress=False)
    assert len(asked) == download


def test_without_a_network_it_is_said_why_and_how_to_get_them(data, monkeypatch, tmp_path):
    monkeypatch.delenv("ICG_DATA")
    wanted = (
        "cache/imagenette2-160/train is not there, and can't be downloaded .*no network.*Set .*ICG_DATA.*torchvision"
    )
    with pytest.raises(ValueError, match=wanted):
        photographs()


def test_a_broken_photograph_is_named(data, tmp_path):
    broken = sorted((data / "train" / FOLDERS[4]).glob("*"))[1]
    broken.write_bytes(broken.read_bytes()[:300])
    with pytest.raises(ValueError, match=f"can't decode .*{broken.name}"):
        photographs()
    assert cached(tmp_path) == []
