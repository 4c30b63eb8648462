"""Pictures of which a part is known."""

import torch

from icg_book.certainty import holes
from icg_book.scenarios import glyphs


def test_a_torn_picture_keeps_what_is_known_in_every_filling():
    shown = glyphs.examples()
    known, filled = holes.tear(shown, 7, 6)
    assert known.shape == (1, 1, 16, 16) and known.sum() == 6 * 16
    assert filled.shape == (len(holes.FILLS), 1, 16, 16)
    assert (filled[..., :6] == shown.images[7, :, :, :6]).all()
    rest = filled[..., 6:]
    assert (rest[0] == 0).all() and (rest[1] == 1).all() and (rest[2] == 0.5).all()
    assert torch.equal(rest[4], shown.images[5][..., 6:])
    assert torch.equal(holes.tear(shown, 7, 6)[1], filled)  # the noise, too


def test_scattered_pixels_and_windows():
    some = holes.scattered(20, 8, torch.Generator().manual_seed(0))
    assert some.shape == (20, 1, 16, 16) and (some.flatten(1).sum(1) == 8).all()
    seen = holes.windows(50, torch.Generator().manual_seed(0))
    assert seen.shape == (50, 1, 16, 16)
    for window in seen[:, 0]:
        rows, columns = window.any(1), window.any(0)
        assert 5 <= rows.sum() <= 12 and 5 <= columns.sum() <= 12
        assert torch.equal(window, rows[:, None] & columns)  # a rectangle …
        assert (rows.int().diff() != 0).sum() <= 2 and (columns.int().diff() != 0).sum() <= 2  # … in one piece


def test_a_band_of_rows():
    band = holes.rows(torch.zeros(2, 1, 16, 16), 6, 9)
    assert band.dtype == torch.bool and band[:, :, 6:9].all() and band.sum() == 2 * 3 * 16
    assert not holes.rows(torch.zeros(2, 1, 16, 16), 0, 0).any()


def test_the_pool_is_many_different_signs():
    pool = holes.pool()
    assert len(pool) == 60_000 and pool.images.shape == (60_000, 1, 16, 16)
    assert pool.labels.unique().tolist() == [0, 1, 2, 3, 4]
    first = pool.ink.view(3, 20_000, -1)[:, :100]
    assert not torch.equal(first[0], first[1]) and not torch.equal(first[1], first[2])  # three seeds
