"""Where the data sets are, and which of them are here. Quick to import: `make book` asks this first."""

import os
from pathlib import Path
from typing import NamedTuple

import pooch


class DataSet(NamedTuple):
    """A data set that is not part of the book.

    Attributes:
        name: what it is called. megabytes: to fetch.
        files: pattern of its files in :func:`dataset_folder`. count: how many there are.
    """

    name: str
    megabytes: int
    files: str
    count: int


DATA_SETS = (
    DataSet("MNIST", 12, "MNIST/raw/*-ubyte", 4),
    DataSet("Imagenette", 99, "imagenette2-160/*/n*", 20),  # folders: ten classes, for training and for validation
)


def dataset_folder() -> Path:
    """Where the data sets are that are not part of the book: the environment variable ``ICG_DATA``, or the cache."""
    return Path(os.environ.get("ICG_DATA") or cache_folder())


def cache_folder() -> Path:
    """Where files are kept that can be made again: the environment variable ``ICG_CACHE``, or the user's cache."""
    return Path(os.environ.get("ICG_CACHE") or pooch.os_cache("icg"))


def missing() -> list[DataSet]:
    """The data sets of which a file is not there; what is in the files is not looked at."""
    folder = dataset_folder()
    return [data for data in DATA_SETS if len(list(folder.glob(data.files))) < data.count]
