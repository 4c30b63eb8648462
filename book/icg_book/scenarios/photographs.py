"""The photographs of Imagenette2-160: 9,469 for training and 3,925 for validation, of ten classes, short side 160.

They are not part of the book: they are read from ``imagenette2-160`` in the folder that the environment variable
``ICG_DATA`` names, and downloaded to it if they aren't there; without the variable, to the user's cache. They are
decoded once, into a file of whole numbers that is mapped into memory.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from icg_book.kit.downloads import Archive, install
from icg_book.kit.folders import cache_folder, dataset_folder
from icg_book.kit.pictures import SIDE, keep_squares, kept_squares, square

CLASSES = (
    *("tench", "English springer", "cassette player", "chain saw", "church"),
    *("French horn", "garbage truck", "gas pump", "golf ball", "parachute"),
)
FOLDERS = (  # of the classes, in this order
    *("n01440764", "n02102040", "n02979186", "n03000684", "n03028079"),
    *("n03394916", "n03417042", "n03425413", "n03445777", "n03888257"),
)
COUNTS = {"train": 9469, "val": 3925}
ARCHIVE = Archive(
    url="https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-160.tgz",
    folder="imagenette2-160",
    size=99_003_388,
    # As TensorFlow Datasets and frgfm/imagenette at Hugging Face record it; torchvision has only an MD5.
    sha256="64d0c4859f35a461889e0147755a999a48b49bf38a7e0f9bd27003f10db02fe5",
    space=250_000_000,
)


@dataclass(frozen=True)
class Photographs:
    """Decoded photographs.

    Attributes:
        images: ``(N, 160, 160, 3)`` uint8, RGB. Mapped from a file: only what is looked at is read.
        labels: ``(N,)`` int64, number in ``CLASSES``.
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


def photographs(split: str, *, download: bool = True, progress: bool = True) -> Photographs:
    """The photographs of a split, decoded at the first call and read from a cache from then on.

    Where they are missing they are downloaded first (99 MB, resumed after an interruption;
    :mod:`icg_book.kit.downloads`). The archive's SHA-256 guards the contents of what is downloaded. Of what is on the
    disk only the number of files is checked: a photograph that was altered is not noticed.

    Stored is the largest square in the middle, 160 x 160 (what a validation image shows; the random crops of training
    are taken from it too: they lose the outer quarter of a typical photograph, and need no decoding).

    Args:
        split: "train" or "val".
        download: False never asks the network.

    Raises:
        ValueError: unknown split; data missing (and not to be had) or not complete, or a photograph that can't be
            decoded.
    """
    paths = files(split, download=download, progress=progress)
    listing = "\n".join(f"{path.parent.name}/{path.name} {path.stat().st_size}" for path in paths)
    digest = hashlib.sha256(f"{SIDE}\n{listing}".encode()).hexdigest()
    shape = (len(paths), SIDE, SIDE, 3)
    # The name says which files it was made from, so that other data never meets this cache.
    cache = cache_folder() / f"imagenette-{split}-{SIDE}-{digest[:16]}.npy"
    if kept_squares(cache, shape) is None:
        bar = tqdm(paths, f"decode {split}", disable=not progress, unit="photo", mininterval=1)
        keep_squares(cache, shape, (square(path, SIDE) for path in bar))
    labels = torch.tensor([FOLDERS.index(path.parent.name) for path in paths])
    return Photographs(kept_squares(cache, shape), labels)


def files(split: str, *, download: bool = True, progress: bool = True) -> list[Path]:
    """The files of a split, in order; see :func:`photographs`."""
    if split not in COUNTS:
        raise ValueError(f"expected split to be one of {', '.join(COUNTS)}, got {split!r}")
    root = dataset_folder()
    folder = root / ARCHIVE.folder / split
    advice = (
        "Set the environment variable ICG_DATA to the folder that holds imagenette2-160; to get it, download and "
        f"unpack {ARCHIVE.url} (99 MB) there, or run "
        "torchvision.datasets.Imagenette(FOLDER, size='160px', download=True)"
    )
    if download and not folder.parent.exists():
        try:
            install(ARCHIVE, root, progress=progress)
        except ValueError as error:
            raise ValueError(f"{folder} is not there, and can't be downloaded ({error}). {advice}") from None
    paths = sorted(path for name in FOLDERS for path in (folder / name).glob("*.JPEG"))
    if len(paths) != COUNTS[split]:
        found = f"has {len(paths):,} photographs instead of {COUNTS[split]:,}" if paths else "is not there"
        if folder.parent.exists():  # left alone: the reader may have put something else there
            advice += f". What is not complete is not touched: move {folder.parent} away to have it downloaded"
        raise ValueError(f"{folder} {found}. {advice}")
    return paths
