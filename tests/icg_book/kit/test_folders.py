"""Which data sets are here: all files, or the data set is missing."""

import subprocess
import sys

import pooch
import pytest

from icg_book.kit import folders
from icg_book.scenarios import mnist, photographs

MNIST = [f"MNIST/raw/{name}" for split in mnist.FILES.values() for name in split]
IMAGENETTE = [f"imagenette2-160/{split}/{name}/1.JPEG" for split in photographs.COUNTS for name in photographs.FOLDERS]


def names():
    return [data.name for data in folders.missing()]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("ICG_DATA", str(tmp_path))
    for name in (*MNIST, *IMAGENETTE):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def test_all_are_here(here):
    assert names() == []


def test_a_file_or_a_class_that_is_missing_is_noticed(here, monkeypatch):
    (here / MNIST[-1]).unlink()
    assert names() == ["MNIST"]
    (here / IMAGENETTE[0]).unlink()
    (here / IMAGENETTE[0]).parent.rmdir()
    assert names() == ["MNIST", "Imagenette"]
    monkeypatch.setenv("ICG_DATA", str(here / "nowhere"))
    assert names() == ["MNIST", "Imagenette"]


def test_the_megabytes_are_those_of_the_archive():
    assert folders.DATA_SETS[1].megabytes == round(photographs.ARCHIVE.size / 1e6)


def test_folders_are_named_by_the_environment_or_are_the_cache(tmp_path, monkeypatch):
    monkeypatch.delenv("ICG_DATA", raising=False)
    monkeypatch.delenv("ICG_CACHE", raising=False)
    assert folders.dataset_folder() == folders.cache_folder() == pooch.os_cache("icg")
    monkeypatch.setenv("ICG_CACHE", str(tmp_path / "cache"))
    assert folders.dataset_folder() == folders.cache_folder() == tmp_path / "cache"
    monkeypatch.setenv("ICG_DATA", str(tmp_path / "data"))
    assert folders.dataset_folder() == tmp_path / "data" != folders.cache_folder()


def test_it_is_quick_to_import():
    code = "import sys, icg_book.kit.folders; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
