"""Picture files of any kind as the input of a network: decoded, upright, and as photographs of training are stored."""

import io
import threading
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from icg.artifacts import atomic_write

LEAST, MOST = 16, 250_000_000  # pixels: of the shorter side, and in all (telephones make 200 million)
LARGE, REDUCED = 50_000_000, 4  # pixels in all from which on it is reduced, and to which part of a side
SHOWN = 480  # pixels of the longer side as it is drawn
LOCK = threading.Lock()
SIDE = 160  # of the squares as which photographs are stored


class Photo(NamedTuple):
    """What becomes of a picture file.

    Attributes:
        values: ``(1, C, H, W)`` in [0, 1], the network's input without certainty.
        shown: ``(h, w, 3)`` or ``(h, w)`` uint8: the same part of the picture, finer.
        notes: sentences about what was done to it.
    """

    values: Tensor
    shown: np.ndarray
    notes: list[str]


def open_picture(path: Path, content: bytes | None = None):
    """A picture file as a Pillow image, decoded, upright, and notes about it.

    Args:
        content: what is in the file, for one that is not on the disk; then ``path`` only names it.

    Raises:
        ValueError: not there, not a picture, broken, or of an absurd size.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    if content is None:
        if not path.exists():
            raise ValueError(f"{path} is not there")
        if not path.is_file():
            raise ValueError(f"expected a picture, got {'the folder' if path.is_dir() else 'something else:'} {path}")
    if (path.stat().st_size if content is None else len(content)) == 0:
        raise ValueError(f"{path} is empty")
    notes = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of bombs, which are refused here, and of odd metadata
            with _open(path if content is None else io.BytesIO(content)) as image:
                width, height = image.size
                if width * height <= MOST and min(width, height) >= LEAST:
                    if (frames := getattr(image, "n_frames", 1)) > 1:
                        notes.append(f"holds {frames} pictures; this is the first")
                        image.seek(0)
                    large = width * height > LARGE and min(width, height) >= REDUCED * SHOWN
                    if large:
                        image.draft(None, (width // REDUCED, height // REDUCED))  # a JPEG is never decoded in full
                        notes.append(f"reduced from {width} x {height} pixels")
                    image.load()
                    if large and image.size == (width, height):
                        return ImageOps.exif_transpose(_plain(image, "RGB").reduce(REDUCED)), notes
                    return ImageOps.exif_transpose(image), notes
        size = f"{width} x {height} pixels"
    except UnidentifiedImageError:
        raise ValueError(f"{path} is not a picture that can be read; JPEG, PNG, WebP, GIF, TIFF and BMP can") from None
    except Image.DecompressionBombError:
        size = "many more"
    except Exception as error:  # Pillow's readers raise anything when a file is broken
        raise ValueError(f"can't decode {path}: {type(error).__name__}: {error}") from None
    raise ValueError(f"expected a picture with sides of {LEAST} pixels or more and {MOST:,} in all, got {size}: {path}")


def _open(file):
    """A Pillow image of up to ``MOST`` pixels; Pillow itself refuses what is larger than 179 million."""
    from PIL import Image

    with LOCK:  # the limit is one for all threads
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, MOST
        try:
            return Image.open(file)
        finally:
            Image.MAX_IMAGE_PIXELS = before


def prepare(picture, shape: tuple[int, int, int]) -> Photo:
    """The network's input from a Pillow image and notes about it; see :class:`Photo`."""
    image, notes = picture
    channels, height, width = shape
    (w, h), ratio = image.size, width / height
    box_w, box_h = (w, max(1, round(w / ratio))) if w / h < ratio else (max(1, round(h * ratio)), h)
    box = ((w - box_w) // 2, (h - box_h) // 2, (w - box_w) // 2 + box_w, (h - box_h) // 2 + box_h)
    if (box_w, box_h) != (w, h):
        notes = [*notes, f"the middle {box_w} x {box_h} pixels of {w} x {h}"]
    image = _plain(image, "RGB" if channels == 3 else "L")
    scale = min(1.0, SHOWN / max(box_w, box_h))
    shown = np.asarray(_resized(image, (max(1, round(box_w * scale)), max(1, round(box_h * scale))), box))
    if channels == 3:
        # By way of the stored size, as the photographs of training and validation.
        side = max(SIDE, height)
        values = resize(torch.tensor(np.asarray(_resized(image, (side, side), box)))[None], height)
    else:
        values = torch.tensor(np.asarray(_resized(image, (width, height), box)))[None, None].float() / 255
    return Photo(values, shown, notes)


def square(path: Path, size: int) -> np.ndarray:
    """The middle of a picture file, ``(size, size, 3)`` uint8; refuses what :func:`open_picture` refuses."""
    values = prepare(open_picture(path), (3, size, size)).values
    return (255 * values[0]).round().byte().permute(1, 2, 0).contiguous().numpy()


def keep_squares(file: Path, shape: tuple[int, ...], squares: Iterable[np.ndarray]) -> None:
    """Write squares to a file as they come, ``(N, size, size, 3)`` uint8: all of them, or there is no file."""
    with atomic_write(file) as temporary, open(temporary, "wb") as out:
        # Front to back: a full disk is an error here, and not a crash when a map of the file is written out.
        np.lib.format.write_array_header_1_0(out, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for each in squares:
            out.write(each.tobytes())


def kept_squares(file: Path, shape: tuple[int, ...]) -> Tensor | None:
    """The squares of a file, mapped: only what is looked at is read. ``None`` if it isn't there, or not all of it."""
    try:
        squares = np.load(file, mmap_mode="c")  # "c": may be written to, but only in memory
    except (OSError, ValueError, EOFError):
        return None
    return torch.from_numpy(squares) if squares.shape == shape and squares.dtype == np.uint8 else None


def _resized(image, size: tuple[int, int], box: tuple[int, int, int, int]):
    from PIL import Image

    return image.resize(size, Image.Resampling.BICUBIC, box=box)


def _plain(image, mode: str):
    """Any Pillow image as 8 bits, "RGB" or "L", on white where it is transparent."""
    from PIL import Image

    if image.mode[0] in "IF":  # more than 8 bits: Pillow would cut off what is above 255
        levels = np.nan_to_num(np.asarray(image, dtype=np.float64)).clip(0)
        white = [65535] if image.mode.startswith("I;16") else [1, 255, 65535, levels.max()]
        levels /= next(level for level in white if levels.max() <= level)
        image = Image.fromarray((255 * levels).round().astype(np.uint8))
    if "transparency" in image.info or {"A", "a"} & set(image.getbands()):
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(mode)


def resize(images: Tensor, size: int) -> Tensor:
    """Stored squares ``(N, H, W, 3)`` uint8 as values ``(N, 3, size, size)`` in [0, 1]."""
    values = images.permute(0, 3, 1, 2).float() / 255
    if values.shape[-1] != size:
        values = functional.interpolate(values, (size, size), mode="bilinear", antialias=True).clamp(0, 1)
    return values
