"""The pictures of the chapter: photographs where they are, one drawn by code where not; and what it says of that."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torch import nn

from icg_book.imagenette import gallery as module
from icg_book.imagenette.gallery import camera_file, not_shown, open_gallery, parachute
from icg_book.scenarios.imagenette import CLASSES, Photographs


class Reader(nn.Module):
    """Certainty-aware; reads the class from the redness of a picture."""

    certainty_aware, input_shape = True, (4, 32, 32)

    def __init__(self):
        super().__init__()
        self.sure = nn.Parameter(torch.tensor(5.0))

    def forward(self, joined):
        said = (10 * joined[:, 0].mean((1, 2))).long().clamp(max=9)
        return self.sure * nn.functional.one_hot(said, 10).float()


def photographs(n=60):
    """Photographs that are as red as the number of their class."""
    labels = torch.arange(n) % 10
    images = torch.zeros(n, 160, 160, 3, dtype=torch.uint8)
    images[..., 0] = (25.5 * labels + 13).byte()[:, None, None]
    return Photographs(images, labels)


@pytest.fixture
def here(monkeypatch):
    data = {"val": photographs(), "train": photographs(40)}
    monkeypatch.setattr(module, "photographs", lambda split, progress: data[split])
    return open_gallery(Reader())


@pytest.fixture
def away(monkeypatch):
    def missing(split, progress):
        raise ValueError("<nobody> has them")

    monkeypatch.setattr(module, "photographs", missing)
    return open_gallery(Reader())


def test_photographs_one_of_each_class(here):
    assert here.pictures.shape == (10, 160, 160, 3) and here.values.shape == (10, 3, 32, 32)
    assert here.labels.tolist() == list(range(10)) and CLASSES[here.first] == "gas pump"
    assert torch.equal(here.val.images[here.numbers], here.pictures)
    assert here.samples.shape == (40, 3, 32, 32)  # as many as there are, 500 at most
    assert here.missing is None and "60 for validation" in here.note().data
    assert (here.kind, here.one, here.title(8)) == (
        "photograph",
        "a photograph",
        f"{CLASSES[8]} (photograph)",
    )
    assert list(here.each()) == list(range(10))


def test_without_photographs_a_picture_is_drawn(away):
    assert away.pictures.shape == (1, 160, 160, 3) and away.values.shape == (1, 3, 32, 32)
    assert away.first == 0 and len(away.numbers) == 0
    assert away.labels is away.samples is away.val is away.train is None
    assert away.missing == "<nobody> has them" and "&lt;nobody&gt;" in away.note().data
    assert "by code" in away.kind and "by code" in away.one and "by code" in away.title(0)
    assert "Not shown:</b> figure 9 needs" in not_shown("figure 9").data


def test_the_parachute():
    drawn = parachute(80)
    assert drawn.shape == (80, 80, 3) and drawn.dtype == torch.uint8
    sky, cloth = drawn[70, 5].int(), drawn[20:30, 30:50].int()
    assert sky[2] > sky[0]  # blue
    assert (cloth[..., 0] > cloth[..., 2] + 20).float().mean() > 0.3  # red stripes


def test_a_camera_file_is_upright_when_its_note_is_read():
    drawn = parachute()
    with Image.open(camera_file(drawn)) as stored:
        assert stored.format == "JPEG" and stored.size == (480, 480)
        lying, upright = (
            image.resize((160, 160)).convert("RGB") for image in (stored, ImageOps.exif_transpose(stored))
        )
    difference = [abs(np.asarray(image, dtype=float) - drawn.numpy()).mean() for image in (lying, upright)]
    assert difference[1] < 5 < 10 < difference[0]
