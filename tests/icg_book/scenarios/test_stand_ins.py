"""What stands in for the data sets: of the right form, without a network, and read by our networks as the pages say."""

import socket

import pytest
import torch

from icg.artifacts import load_model
from icg.measures import probabilities
from icg_book.scenarios import mnist, stand_ins
from icg_book.scenarios.imagenette import CLASSES, resize


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_middles_are_the_middle_of_the_whole_height():
    whole, middle = stand_ins.photographs(), stand_ins.middles()
    assert whole.shape == (2, 427, 640, 3) and middle.shape == (2, 427, 427, 3) and whole.dtype == torch.uint8
    assert torch.equal(middle, whole[:, :, 106:533])


def test_squares_are_stored_as_photographs_are_and_lie_where_their_names_say():
    squares, whole = stand_ins.squares(), stand_ins.photographs().float()
    assert squares.shape == (len(stand_ins.SQUARES), 160, 160, 3) and squares.dtype == torch.uint8
    for square, (which, top, left, side) in zip(squares.float(), stand_ins.SQUARES.values(), strict=True):
        part = whole[which, top : top + side, left : left + side]
        assert part.shape == (side, side, 3)
        assert (part.mean((0, 1)) - square.mean((0, 1))).abs().max() < 2


def test_the_network_reads_them_as_the_chapter_says():
    model = load_model("imagenette-resnet18")
    p = probabilities(model, resize(stand_ins.squares(), model.input_shape[-1]))
    assert [CLASSES[k] for k in p.argmax(1).tolist()] == ["church", "church", "golf ball", "golf ball"]
    assert p[0].max() > 0.9 and p[2].max() > 0.98 and p.amax(1).argmin() == 1  # the second one is scrubbed, too


def test_cut_outs_are_many_different_squares_of_both():
    first, again = (stand_ins.cut_outs(12, 32, generator=torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, again) and first.shape == (12, 3, 32, 32)
    assert 0 <= first.min() and first.max() <= 1
    other = stand_ins.cut_outs(12, 32, generator=torch.Generator().manual_seed(4))
    assert len(torch.cat([first, other]).flatten(1).unique(dim=0)) == 24
    blue = first.mean((2, 3))  # by turns: the sky is bright, the ground of the flower is dark
    assert blue[::2, 2].min() > blue[1::2, 2].max()


def test_digits_look_like_those_of_mnist():
    digits = stand_ins.digits()
    assert len(digits) == 1797 and digits.images.shape[1:] == (1, mnist.SIZE, mnist.SIZE)
    assert digits.images.dtype == torch.float32 and 0 == digits.images.min() and 0.9 < digits.images.max() <= 1
    at = torch.arange(mnist.SIZE) + 0.5
    ink = digits.images[:, 0]
    for part in (ink.sum(2), ink.sum(1)):  # moved by whole pixels
        centre = (part @ at) / part.sum(1)
        assert (centre - stand_ins.CENTRE).abs().max() <= 0.5 + 1e-4
    right = mnist.predict(load_model("mnist"), digits.images[:500]) == digits.labels[:500]
    assert right.double().mean() > 0.9
