"""The pictures that this chapter looks at: a photograph of each class, or two that stand in for them."""

import html
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import cleandoc
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from icg_book.imagenette.experiment import SAMPLES, examples, order
from icg_book.imagenette.localisation import borders
from icg_book.kit.lab import is_live
from icg_book.kit.tables import framed
from icg_book.scenarios import stand_ins
from icg_book.scenarios.imagenette import CLASSES, SIDE, Photographs, photographs, resize

BAND = SIDE // 8  # pixels of a black band across a photograph that has no border of its own


@dataclass(frozen=True)
class Gallery:
    """Ten photographs, the first of each class that a network gets right; or squares of the two of scikit-learn.

    Attributes:
        pictures: ``(n, 160, 160, 3)`` uint8, for looking at.
        values: ``(n, 3, H, W)`` in [0, 1], for the network.
        samples: what Expected Gradients compares with, ``(500, 3, H, W)``: training photographs, or cut-outs.
        names: of the pictures.
        numbers: of the photographs among those of validation, ``(10,)``; ``(0,)`` without them.
        first: which of the pictures the chapter begins with.
        val, train: all photographs, or None.
        missing: why the photographs are not here, or None.
    """

    pictures: Tensor
    values: Tensor
    samples: Tensor
    names: tuple[str, ...]
    numbers: Tensor
    first: int = 0
    val: Photographs | None = None
    train: Photographs | None = None
    missing: str | None = None

    @property
    def labels(self) -> Tensor | None:
        """The true classes of the photographs, ``(10,)``."""
        return None if self.val is None else self.val.labels[self.numbers]

    @property
    def halves(self) -> tuple[range, range]:
        """The numbers of the pictures, as two figures show them."""
        n = len(self.pictures)
        return range(n // 2), range(n // 2, n)

    def each(self) -> Iterator[int]:
        """The numbers of the pictures, with a progress bar where a reader waits for them."""
        return iter(tqdm(range(len(self.pictures)), "photographs", disable=not is_live()))

    def text(self, photographs: str, stand_ins: str):
        """Markdown: the first text where the photographs are here, the second where others stand in for them.

        Returns:
            ``IPython.display.Markdown``, which the book, Jupyter and Colab all show as text.
        """
        from IPython.display import Markdown

        return Markdown(cleandoc(stand_ins if self.missing else photographs))

    def with_black_border(self, numbers: list[int]) -> tuple[Tensor, Tensor]:
        """The photograph with the widest black border, or the first picture with two black bands.

        Args:
            numbers: of the photographs with black borders among those of validation.

        Returns:
            The photograph, ``(160, 160, 3)`` uint8, and where its border is, ``(1, 1, H, W)`` boolean.
        """
        if self.val is None:
            found = self.pictures[self.first, None].clone()
            found[:, :BAND] = found[:, -BAND:] = 0
        else:
            found = self.val.images[numbers]
        edges = borders(resize(found, self.values.shape[-1]))
        widest = edges.double().mean((1, 2, 3)).argmax()
        return found[widest], edges[widest, None]

    def note(self):
        """A framed note that says whether the photographs are here, and how to get them."""
        if not self.missing:
            return framed(
                f"<b>The photographs are here:</b> {len(self.train):,} for training and "
                f"{len(self.val):,} for validation."
            )
        return framed(
            "<b>Two other photographs stand in for Imagenette here:</b> a tower and a dahlia, which come with "
            "scikit-learn. The network has never seen them, and neither is among its classes. Expected Gradients "
            f"compares them with {len(self.samples)} cut-outs of the two instead of as many training photographs. That "
            "changes its maps: they ask what sets a tower apart from towers and dahlias, and are blind where these are "
            "alike. What Integrated Certainty Gradients shows depends on no other picture. All tables and curves were "
            "measured on Imagenette itself, and come with the book.<br><b>To see its photographs</b>, run the chapter "
            "with a network: it fetches 99 MB. Or set the environment variable <code>ICG_DATA</code> to a folder that "
            "holds <code>imagenette2-160</code>, as torchvision unpacks it. "
            f"<details><summary>What was tried</summary>{html.escape(self.missing)}</details>"
        )


def open_gallery(model) -> Gallery:
    """The photographs, found where ``ICG_DATA`` says or fetched (99 MB); without them, squares of scikit-learn's two.

    A reader's kernel fetches them; `make book` has done it before.

    Args:
        model: certainty-aware; its ``input_shape`` says how large it sees pictures.
    """
    size = model.input_shape[-1]
    try:
        val, train = (photographs(split, download=is_live(), progress=is_live()) for split in ("val", "train"))
    except ValueError as error:
        pictures, generator = stand_ins.squares(), torch.Generator().manual_seed(0)
        others = stand_ins.cut_outs(SAMPLES, size, generator=generator)
        names = tuple(stand_ins.SQUARES)
        return Gallery(pictures, resize(pictures, size), others, names, torch.arange(0), missing=str(error))
    numbers = examples(model, val)
    pictures, some = val.images[numbers], order(len(train))[:SAMPLES]
    return Gallery(
        pictures,
        resize(pictures, size),
        resize(train.images[some], size),
        tuple(f"{name} (photograph)" for name in CLASSES),
        numbers,
        first=CLASSES.index("gas pump"),
        val=val,
        train=train,
    )


def parachute(side: int = SIDE) -> Tensor:
    """A parachute in the sky, drawn by code: no photograph at all. ``(side, side, 3)`` uint8."""
    at = (torch.arange(side) + 0.5) / side
    y, x = torch.meshgrid(at, at, indexing="ij")

    def colour(red, green, blue):
        return torch.tensor([red, green, blue])[:, None, None]

    sky = torch.stack([0.35 + 0.35 * y, 0.6 + 0.25 * y, 0.95 + 0 * y])
    dome = ((x - 0.5) / 0.36) ** 2 + ((y - 0.42) / 0.3) ** 2
    hem = 0.44 - 0.035 * torch.sin(torch.pi * (x - 0.14) / 0.12).abs()
    wide = 0.36 * (1 - ((y - 0.42) / 0.3) ** 2).clamp(min=1e-3).sqrt()
    turn = ((x - 0.5) / wide).clamp(-1, 1).asin()
    stripe = ((turn / torch.pi + 0.5) * 8).floor() % 2 > 0
    cloth = torch.where(stripe, colour(0.85, 0.12, 0.1), colour(0.97, 0.93, 0.85))
    cloth = cloth * (0.75 + 0.25 * (1 - dome.clamp(0, 1)))
    made = torch.where((dome < 1) & (y < hem), cloth, sky)
    down = (y - 0.43) / 0.37
    for hung in torch.linspace(0.15, 0.85, 7):
        line = (x - hung - (0.5 - hung) * down).abs() < 0.004
        line = line & (down > 0) & (down < 1)
        made = torch.where(line, colour(0.2, 0.2, 0.25), made)
    man = ((x - 0.5) / 0.025) ** 2 + ((y - 0.84) / 0.055) ** 2 < 1
    man = man | (((x - 0.5) / 0.018) ** 2 + ((y - 0.775) / 0.02) ** 2 < 1)
    made = torch.where(man, colour(0.1, 0.1, 0.15), made)
    return (255 * made).round().byte().permute(1, 2, 0)


def camera_file(picture: Tensor) -> Path:
    """Write a picture, ``(h, w, 3)`` uint8, as a JPEG that lies on its side; its EXIF data say how to turn it."""
    from PIL import Image

    path = Path(tempfile.mkdtemp()) / "turned.jpg"
    upright = Image.fromarray(picture.numpy()).resize((480, 480))
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn me by a quarter to the right"
    upright.rotate(90).save(path, exif=exif)
    return path
