"""A folder of pictures, as torchvision's ImageFolder has them: checked before any work, decoded once.

``FOLDER/train/CLASS/*`` and ``FOLDER/val/CLASS/*``. Each picture becomes what ``python -m icg explain`` makes of it, so
that a network is trained on what it will see.
"""

import hashlib
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from icg.artifacts import atomic_write, claimed
from icg_book.kit.folders import cache_folder
from icg_book.kit.pictures import keep_squares, kept_squares, square

ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".ppm", ".pgm"}
SPLITS = ("train", "val")
LISTED = 10  # broken files that a message names


@dataclass(frozen=True)
class Pictures:
    """Decoded pictures; :func:`icg_book.scenarios.imagenette.right` and its like take them.

    Attributes:
        images: ``(N, size, size, 3)`` uint8. labels: ``(N,)`` int64, number in ``classes``.
        classes: names. digest: of the files' names and sizes.
        broken: files that could not be read, with the reason, if these were skipped.
    """

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    digest: str = ""
    broken: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)


def picture_files(folder: Path) -> list[Path]:
    """All picture files below a folder, by their ending, in order; hidden ones are left out.

    Raises:
        ValueError: no such folder, or no pictures in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"expected a folder of pictures, got {'the file ' if folder.exists() else ''}{folder}")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())
    found = [path for path in found if not any(part[0] == "." for part in path.relative_to(folder).parts)]
    if not found:
        raise ValueError(f"there are no pictures in {folder} (their names end in {', '.join(sorted(ENDINGS))})")
    return found


def class_folders(folder: Path) -> tuple[str, ...]:
    """The classes of ``FOLDER/train`` and ``FOLDER/val``: their folders' names, in order.

    Raises:
        ValueError: a split that is not there, fewer than two classes, classes that are not the same in both, or one
            without pictures.
    """
    folder = Path(folder)
    found = {}
    for split in SPLITS:
        if not (folder / split).is_dir():
            raise ValueError(f"expected {folder}/train/CLASS/… and {folder}/val/CLASS/…; {folder / split} is not there")
        names = (path.name for path in (folder / split).iterdir() if path.is_dir() and path.name[0] != ".")
        found[split] = tuple(sorted(names))
    train, val = found["train"], found["val"]
    if train != val:
        odd = sorted(set(train) ^ set(val))
        raise ValueError(f"expected the same classes in train and val of {folder}; in one alone: {', '.join(odd)}")
    if len(train) < 2:
        raise ValueError(f"expected at least two classes in {folder / 'train'}, got {', '.join(train) or 'none'}")
    return train


def read_folder(folder: Path, size: int, *, skip_broken: bool = False, progress: bool = True) -> dict[str, Pictures]:
    """The pictures of a folder with ``train`` and ``val``, decoded at the first call and kept in the cache.

    Args:
        size: side of the squares, the middle of each picture.
        skip_broken: go on without files that can't be read; they are named in ``broken``.

    Raises:
        ValueError: as :func:`class_folders`; files that can't be read, or are too small (all of them are listed);
            too few that can.
    """
    folder = Path(folder)
    classes = class_folders(folder)
    paths = {(split, name): picture_files(folder / split / name) for split in SPLITS for name in classes}
    found, broken = {}, {}
    for split in SPLITS:
        files = [(path, label) for label, name in enumerate(classes) for path in paths[split, name]]
        images, bad = decoded([path for path, _ in files], size, split, progress=progress)
        broken |= bad
        good = torch.tensor([str(path) not in bad for path, _ in files])
        labels = torch.tensor([label for _, label in files])
        if not bool(good.all()):
            images, labels = images[good], labels[good]
        names = [f"{path.relative_to(folder)} {path.stat().st_size}" for path, _ in files if str(path) not in bad]
        found[split] = Pictures(images, labels, classes, digest_of(*names), bad)
    if broken and not skip_broken:
        reasons = "; ".join(list(broken.values())[:LISTED])
        more = f"; and {len(broken) - LISTED} more" if len(broken) > LISTED else ""
        raise ValueError(f"{len(broken)} of the pictures can't be used (--skip-broken does without): {reasons}{more}")
    for split, pictures in found.items():
        counts = torch.bincount(pictures.labels, minlength=len(classes)).tolist()
        if 0 in counts:
            raise ValueError(f"no picture of {classes[counts.index(0)]} in {folder / split} can be read")
    return found


def decoded(
    paths: Sequence[Path], size: int, what: str = "", *, progress: bool = True
) -> tuple[Tensor, dict[str, str]]:
    """Pictures as squares ``(N, size, size, 3)`` uint8, mapped from a file of the cache; and what is wrong with others.

    A broken picture is black there.
    """
    stats = [(path.resolve(), path.stat()) for path in paths]
    # The name says which files it was made from: other ones, or changed ones, never meet this cache.
    digest = digest_of(size, *(f"{path} {stat.st_size} {stat.st_mtime_ns}" for path, stat in stats))
    cache, shape = cache_folder() / f"own-{size}-{digest[:20]}.npy", (len(paths), size, size, 3)
    while (found := _kept(cache, shape)) is None:
        with claimed(cache) as mine:  # several processes may begin together
            if mine and _kept(cache, shape) is None:
                _decode(paths, cache, shape, f"decode {what}".strip(), progress)
        time.sleep(0.0 if mine else 0.5)
    return found


def _decode(paths: Sequence[Path], cache: Path, shape: tuple[int, ...], what: str, progress: bool) -> None:
    broken = {}

    def look(path):
        try:
            return square(path, shape[1])
        except ValueError as error:
            return str(error)

    def squares(bar):
        for path, found in zip(paths, bar, strict=True):
            if isinstance(found, str):
                broken[str(path)] = found
                found = np.zeros(shape[1:], np.uint8)
            yield found

    with ThreadPoolExecutor(max(1, torch.get_num_threads())) as pool:
        bar = tqdm(pool.map(look, paths), what, len(paths), disable=not progress, unit="picture")
        keep_squares(cache, shape, squares(bar))
    with atomic_write(cache.with_suffix(".json")) as names:
        names.write_text(json.dumps(broken))


def _kept(cache: Path, shape: tuple[int, ...]) -> tuple[Tensor, dict[str, str]] | None:
    try:
        images, broken = kept_squares(cache, shape), dict(json.loads(cache.with_suffix(".json").read_text()))
    except (OSError, ValueError):
        return None
    return None if images is None else (images, broken)


def digest_of(*words) -> str:
    """SHA-256 of some words, a line each."""
    text = "\n".join(map(str, words))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
