"""The pictures of the chapter: photographs where they are, stand-ins where not; and what it says of that."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torch import nn

from icg_book.imagenette import gallery as module
from icg_book.imagenette.experiment import SAMPLES
from icg_book.imagenette.gallery import camera_file, open_gallery, parachute
from icg_book.scenarios import stand_ins
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
    monkeypatch.setattr(module, "photographs", lambda split, **options: data[split])
    return open_gallery(Reader())


@pytest.fixture
def away(monkeypatch):
    def missing(split, **options):
        raise ValueError("<nobody> has them")

    monkeypatch.setattr(module, "photographs", missing)
    return open_gallery(Reader())


def test_photographs_one_of_each_class(here):
    assert here.pictures.shape == (10, 160, 160, 3) and here.values.shape == (10, 3, 32, 32)
    assert here.labels.tolist() == list(range(10)) and CLASSES[here.first] == "gas pump"
    assert torch.equal(here.val.images[here.numbers], here.pictures)
    assert here.samples.shape == (40, 3, 32, 32)  # as many as there are, 500 at most
    assert here.missing is None and "60 for validation" in here.note().data
    assert here.names[8] == f"{CLASSES[8]} (photograph)" and here.text("these", "those").data == "these"
    assert list(here.each()) == list(range(10)) == [k for half in here.halves for k in half]


def test_without_photographs_two_others_stand_in_for_them(away):
    n = len(stand_ins.SQUARES)
    assert torch.equal(away.pictures, stand_ins.squares()) and away.values.shape == (n, 3, 32, 32)
    assert away.samples.shape == (SAMPLES, 3, 32, 32) and away.names == tuple(stand_ins.SQUARES)
    assert away.first == 0 and len(away.numbers) == 0 and away.labels is away.val is away.train is None
    assert away.missing == "<nobody> has them" and "&lt;nobody&gt;" in away.note().data
    assert "stand in for Imagenette" in away.note().data and f"{SAMPLES} cut-outs" in away.note().data
    assert away.text("these", "\n  those\n").data == "those"
    assert [list(half) for half in away.halves] == [[0, 1], [2, 3]]


@pytest.mark.parametrize("building", [True, False])
def test_a_build_never_asks_the_network_and_a_reader_does(monkeypatch, building):
    monkeypatch.setenv("ICG_BOOK_BUILD", "1" if building else "")
    asked = []

    def refuse(split, *, download, progress):
        asked.append(download)
        raise ValueError

    monkeypatch.setattr(module, "photographs", refuse)
    open_gallery(Reader())
    assert asked == [not building]


def test_the_widest_black_border_is_found(here):
    here.val.images[[3, 5, 7]] = torch.randint(40, 255, (3, 160, 160, 3), dtype=torch.uint8)
    here.val.images[3, :10], here.val.images[5, :30], here.val.images[7, :, :20] = 0, 0, 0
    found, edge = here.with_black_border([3, 5, 7])
    assert torch.equal(found, here.val.images[5]) and edge.shape == (1, 1, 32, 32)
    assert edge[0, 0, :5].all() and not edge[0, 0, 8:].any()


def test_a_stand_in_gets_black_bands(away):
    found, edge = away.with_black_border([3, 5, 7])
    assert not found[: module.BAND].any() and not found[-module.BAND :].any()
    middle = slice(module.BAND, -module.BAND)
    assert torch.equal(found[middle], away.pictures[0, middle])
    assert edge[0, 0, :3].all() and edge[0, 0, -3:].all() and edge.double().mean() == pytest.approx(0.25, abs=0.08)
    assert away.pictures[0, : module.BAND].any()  # the picture itself is what it was


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
