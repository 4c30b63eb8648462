"""The chapter's digits, with the data set and without, and the stroke that makes a 9 of a 4. Made-up digits."""

import pytest
import torch

from icg_book.mnist import digits
from icg_book.scenarios import drawn_digits, mnist, stand_ins
from icg_book.scenarios.mnist import Digits


def test_without_the_data_set_other_digits_take_its_place_and_the_reason_is_kept(monkeypatch):
    def refuse(split, *, download):
        raise ValueError("no connection")

    monkeypatch.setattr(mnist, "load", refuse)
    found = digits.load(download=False)
    drawn = drawn_digits.load()
    others = stand_ins.digits().images
    assert found.n_training == len(others) > len(found.training) == digits.TRAINING
    taken = (found.training.flatten(1)[:, None] == others.flatten(1)[None, :400]).all(2)
    assert 100 < taken.sum() and taken.sum(1).max() == 1  # a random part, each once
    assert found.missing == "no connection" and "drawn" in found.source
    assert torch.equal(found.digits.images, drawn.images)
    assert torch.equal(found.five, drawn.images[5:6]) and drawn.labels[5] == 5
    assert found.four.shape == (1, 1, 28, 28) and found.four.max() > 0.9


def test_with_the_data_set_the_training_digits_are_a_random_part_of_it(monkeypatch):
    images = torch.rand(1500, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    sets = {"train": Digits(images, torch.arange(1500) % 10), "test": Digits(images[:40], torch.arange(40) % 10)}
    monkeypatch.setattr(mnist, "load", lambda split, *, download: sets[split])
    found = digits.load()
    assert found.missing is None and found.source == "MNIST, test set" and found.n_training == 1500
    assert torch.equal(found.four, images[4:5]) and torch.equal(found.five, images[15:16])
    taken = (found.training.flatten(1)[:, :1] == images.flatten(1)[:, 0]).nonzero()[:, 1]
    assert len(taken.unique()) == digits.TRAINING == len(found.training) and taken.tolist() != sorted(taken.tolist())


@pytest.mark.parametrize("building", [True, False])
def test_a_build_never_asks_the_network_and_a_reader_does(monkeypatch, building):
    monkeypatch.setenv("ICG_BOOK_BUILD", "1" if building else "")
    asked = []

    def refuse(split, *, download):
        asked.append(download)
        raise ValueError

    monkeypatch.setattr(mnist, "load", refuse)
    digits.load()
    assert asked == [not building]


def test_a_stroke_is_as_wide_as_a_pen_in_either_direction():
    level, upright = digits.stroke(14, 4, 14, 24), digits.stroke(4, 14, 24, 14)
    assert torch.equal(level, upright.T)
    assert level[14, 4:25].min() == 1 and level[16].max() == 0 and level[14, 27] == 0
    assert level.sum(0)[10:20].mean() == pytest.approx(1 + 2 * 0.7)


def test_of_all_strokes_the_one_is_kept_that_the_model_likes_best():
    four = torch.zeros(1, 1, 28, 28)
    four[..., 20, 5:20] = 0.5

    def model(inputs):
        logits = torch.zeros(len(inputs), 10)
        logits[:, 9] = inputs[:, 0, :, :10].sum((1, 2)) - inputs[:, 0, :, 10:].sum((1, 2))  # ink on the left
        return logits

    nine = digits.close_the_gap(model, four)
    assert nine.shape == four.shape and bool((nine >= four).all())
    assert nine[..., 8].max() > 0.9 and nine[..., :12, 16:].max() == 0
