"""The pictures that this chapter looks at: a photograph of each class, or one that is drawn by code."""

import html
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from icg_book.imagenette.experiment import SAMPLES, examples, order
from icg_book.kit.lab import is_live
from icg_book.kit.tables import framed
from icg_book.scenarios.imagenette import CLASSES, SIDE, Photographs, photographs, resize


@dataclass(frozen=True)
class Gallery:
    """Ten photographs, the first of each class that a network gets right; or the one picture that is drawn by code.

    Attributes:
        pictures: ``(n, 160, 160, 3)`` uint8, for looking at.
        values: ``(n, 3, H, W)`` in [0, 1], for the network.
        numbers: of the photographs among those of validation, ``(10,)``; ``(0,)`` without them.
        first: which of the pictures the chapter begins with.
        val, train: all photographs, or None.
        samples: training photographs that Expected Gradients draw from, ``(500, 3, H, W)``, or None.
        missing: why the photographs are not here, or None.
    """

    pictures: Tensor
    values: Tensor
    numbers: Tensor
    first: int = 0
    val: Photographs | None = None
    train: Photographs | None = None
    samples: Tensor | None = None
    missing: str | None = None

    @property
    def kind(self) -> str:
        """What the pictures are, in front of their class."""
        return "drawn by code" if self.missing else "photograph"

    @property
    def one(self) -> str:
        """What one of the pictures is, in a sentence."""
        return "a picture drawn by code" if self.missing else "a photograph"

    @property
    def labels(self) -> Tensor | None:
        """The true classes of the photographs, ``(10,)``."""
        return None if self.val is None else self.val.labels[self.numbers]

    def title(self, k: int) -> str:
        """The name of a picture: what is to be seen, and where it comes from."""
        return "a parachute, drawn by code" if self.missing else f"{CLASSES[k]} (photograph)"

    def each(self) -> Iterator[int]:
        """The numbers of the pictures, with a progress bar where a reader waits for ten."""
        return iter(tqdm(range(len(self.pictures)), "photographs", disable=bool(self.missing) or not is_live()))

    def note(self):
        """A framed note that says whether the photographs are here, and how to get them."""
        if not self.missing:
            return framed(
                f"<b>The photographs are here:</b> {len(self.train):,} for training and "
                f"{len(self.val):,} for validation."
            )
        return framed(
            "<b>The photographs are not here.</b> What needs them is left out, and says so. Where any picture will do, "
            "this page draws one itself, and says that, too. All tables and curves are real: they were measured on "
            "the photographs, and come with the book.<br><b>To get them</b>, run the chapter with a network: it "
            "fetches 99 MB. Or set the environment variable <code>ICG_DATA</code> to a folder that holds "
            "<code>imagenette2-160</code>, as torchvision unpacks it. "
            f"<details><summary>What was tried</summary>{html.escape(self.missing)}</details>"
        )


def open_gallery(model) -> Gallery:
    """The photographs, found where ``ICG_DATA`` says or fetched (99 MB); without them, a picture drawn by code.

    Args:
        model: certainty-aware; its ``input_shape`` says how large it sees pictures.
    """
    size = model.input_shape[-1]
    try:
        val = photographs("val", progress=is_live())
        train = photographs("train", progress=is_live())
    except ValueError as error:
        drawn = parachute()[None]
        return Gallery(drawn, resize(drawn, size), numbers=torch.arange(0), missing=str(error))
    numbers = examples(model, val)
    pictures, some = val.images[numbers], order(len(train))[:SAMPLES]
    return Gallery(
        pictures,
        resize(pictures, size),
        numbers,
        first=CLASSES.index("gas pump"),
        val=val,
        train=train,
        samples=resize(train.images[some], size),
    )


def not_shown(what: str):
    """The framed note in the place of a figure that needs the photographs."""
    return framed(f"<b>Not shown:</b> {what} needs the photographs.")


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
