"""Rows of numbers that are kept, and what they are tied to."""

import pytest
import torch

from icg_book.kit.jobs import Job


class Squares:
    """Squares and cubes of the inputs' numbers; counts its calls, may stop at one of them."""

    def __init__(self, stop_at=None):
        self.calls, self.stop_at = [], stop_at

    def __call__(self, first, last):
        self.calls.append((first, last))
        if len(self.calls) == self.stop_at:
            raise KeyboardInterrupt
        numbers = torch.arange(first, last)
        return {"square": numbers**2, "powers": torch.stack([numbers**2, numbers**3], 1)}


def job(compute, n=10, *, name="numbers, of ICG", chunk=4, **key):
    return Job(name, n, key, compute, chunk=chunk)


def test_rows_are_computed_once(tmp_path):
    first, again = Squares(), Squares()
    rows = job(first).work(tmp_path)
    assert first.calls == [(0, 4), (4, 8), (8, 10)]
    assert rows["square"].tolist() == [k**2 for k in range(10)] and rows["powers"].shape == (10, 2)
    assert torch.equal(job(again).work(tmp_path)["powers"], rows["powers"]) and again.calls == []
    assert [path.name for path in tmp_path.iterdir()] == ["numbers-of-ICG.pt"]


def test_a_stopped_job_goes_on(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        job(Squares(stop_at=3)).work(tmp_path)
    assert job(Squares()).done(tmp_path) is None
    rest = Squares()
    rows = job(rest).work(tmp_path)
    assert rest.calls == [(8, 10)] and rows["square"].tolist() == [k**2 for k in range(10)]
    assert job(rest).done(tmp_path)["square"].tolist() == rows["square"].tolist()


def test_fewer_inputs_are_the_first_ones_and_a_chunk_cut_short_is_done_again(tmp_path):
    assert len(job(Squares(), 6).work(tmp_path)["square"]) == 6
    assert len(job(Squares(), 5).done(tmp_path)["powers"]) == 5
    more = Squares()
    rows = job(more).work(tmp_path)
    assert more.calls == [(4, 8), (8, 10)] and rows["square"].tolist() == [k**2 for k in range(10)]
    assert len(job(Squares(), 3).work(tmp_path)["square"]) == 3 and len(job(Squares()).done(tmp_path)["square"]) == 10


@pytest.mark.parametrize("change", [{"weights": "b"}, {"chunk": 5}, {"name": "numbers of ICG"}, "file"])
def test_what_belongs_to_something_else_is_not_used(tmp_path, change):
    job(Squares(), weights="a").work(tmp_path)
    if change == "file":
        path = tmp_path / "numbers-of-ICG.pt"
        path.write_bytes(path.read_bytes()[:300])
        change = {}
    again = Squares()
    job(again, **{"weights": "a"} | change).work(tmp_path)
    assert again.calls[0][0] == 0


def test_no_inputs_are_done_at_once(tmp_path):
    nothing = Squares()
    assert job(nothing, 0).work(tmp_path) == {} == job(nothing, 0).done(tmp_path) and nothing.calls == []


def test_progress_counts_what_was_there(tmp_path):
    class Bar:
        def __init__(self):
            self.seen = []

        def update(self, n):
            self.seen.append(n)

    job(Squares(), 6).work(tmp_path)
    bar = Bar()
    job(Squares()).work(tmp_path, bar)
    assert bar.seen == [4, 4, 2]
