"""The chapter's pictures: scikit-learn's digits, or a zip file of the reader's own."""

import shutil
import zipfile
from pathlib import Path, PurePosixPath

from icg_book.kit.folders import cache_folder
from icg_book.own_network.folder import ENDINGS, SPLITS

SIDE = 32  # pixels of a digit, enlarged from 8
VAL = 5  # every fifth picture is for validation


def folder_of(archive: str | Path | None = None) -> Path:
    """A folder with ``train/CLASS/…`` and ``val/CLASS/…`` in the cache: the digits, or what is in a zip file.

    Args:
        archive: a zip file of ``CLASS/picture.jpg``, of which every fifth picture is kept for validation; or of
            ``train/CLASS/…`` and ``val/CLASS/…``. Folders around these do no harm.

    Raises:
        ValueError: no such file, no zip file, or one without pictures in folders.
    """
    if archive:
        return unpacked(Path(archive), cache_folder() / "own-pictures" / Path(archive).stem)
    folder = cache_folder() / "own-digits"
    if not (folder / "complete").exists():
        write_digits(folder)
        (folder / "complete").touch()
    return folder


def write_digits(folder: Path) -> None:
    """The 1,797 digits of scikit-learn as PNG files of 32 x 32 pixels."""
    from PIL import Image
    from sklearn.datasets import load_digits

    data = load_digits()
    for number, (image, label) in enumerate(zip(data.images, data.target, strict=True)):
        split = "train" if number % VAL else "val"
        path = folder / split / str(label) / f"{number:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        grey = Image.fromarray((image * 255 / 16).astype("uint8"))
        grey.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(path)


def unpacked(archive: Path, folder: Path) -> Path:
    """The pictures of a zip file in ``folder``; see :func:`folder_of`."""
    if not archive.is_file():
        raise ValueError(f"{archive} is not there; upload it first")
    if not zipfile.is_zipfile(archive):
        raise ValueError(f"expected a zip file, got {archive}")
    shutil.rmtree(folder, ignore_errors=True)
    with zipfile.ZipFile(archive) as content:
        files = sorted(name for name in content.namelist() if PurePosixPath(name).suffix.lower() in ENDINGS)
        files = [name for name in files if not {"..", "__MACOSX"} & set(PurePosixPath(name).parts)]
        files = [name for name in files if PurePosixPath(name).parent.name and PurePosixPath(name).name[0] != "."]
        if not files:
            raise ValueError(f"expected CLASS/picture.jpg in {archive}, got no picture in a folder")
        seen = {}
        for name in files:
            *around, label, file = PurePosixPath(name).parts
            number = seen[label] = seen.get(label, -1) + 1
            split = around[-1] if around and around[-1] in SPLITS else SPLITS[number % VAL == 0]
            place = folder / split / label / f"{number:05d}-{file}"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content.read(name))
    return folder
