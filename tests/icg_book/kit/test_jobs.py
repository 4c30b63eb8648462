"""Rows of numbers that are kept, and what they are tied to."""

import os
import signal

import pytest
import torch
from torch import nn

from icg.training import Recipe
from icg_book.kit.jobs import Curve, Job, Kept, TrainingJob


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


# ---- a value


def test_what_is_done_is_counted(tmp_path):
    assert job(Squares()).count(tmp_path) == 0
    with pytest.raises(KeyboardInterrupt):
        job(Squares(stop_at=3)).work(tmp_path)
    assert job(Squares()).count(tmp_path) == 8 and job(Squares(), n=5).count(tmp_path) == 5
    assert job(Squares(), seed=1).count(tmp_path) == 0


def test_a_value_is_kept_under_its_key(tmp_path):
    kept = Kept(tmp_path / "a.json", {"weights": "x", "sizes": (1, 2)})
    assert kept.read() is None
    kept.write({"mean": 0.5})
    assert Kept(tmp_path / "a.json", {"weights": "x", "sizes": (1, 2)}).read() == {"mean": 0.5}
    assert Kept(tmp_path / "a.json", {"weights": "y", "sizes": (1, 2)}).read() is None
    kept.forget()
    kept.forget()
    assert kept.read() is None and not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"key": {}}', "null"])
def test_a_file_of_something_else_is_no_value(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    assert Kept(tmp_path / "a.json", {}).read() is None


# ---- a learning curve


def test_a_curve_is_kept_as_its_points_come(tmp_path):
    curve = Curve(tmp_path / "c.json", {"a": 1})
    assert not curve.found and curve.points == {}
    watch = curve.watch(lambda model: model, before=100, at={2, 10})
    for step in (10, 1, 2):
        watch(step, step / 10)
    again = Curve(tmp_path / "c.json", {"a": 1})
    assert again.found and again.points == {102: 0.2, 110: 1.0} and list(again.points) == [102, 110]
    assert not Curve(tmp_path / "c.json", {"a": 2}).found


# ---- a network that is trained and watched


class Teacher:
    """A training of four steps, watched every two; may be stopped at a call of its batch or of its end."""

    def __init__(self, stop_at=None, signalled=False, stop_at_the_end=False):
        self.steps, self.stop_at, self.signalled, self.stop_at_the_end = [], stop_at, signalled, stop_at_the_end

    def job(self, **key):
        recipe = Recipe(steps=4, batch_size=8, warmup=1, average=0.5)
        return TrainingJob(
            "a network, of 0",
            {"recipe": "small", **key},
            make=lambda: nn.Linear(3, 2),
            batch=self.batch,
            recipe=recipe,
            measure=lambda model: model.weight.sum().item(),
            every=2,
            finish=self.finish,
        )

    def batch(self, step, generator):
        self.steps.append(step)
        if len(self.steps) == self.stop_at:
            if not self.signalled:
                raise MemoryError  # as good as kill -9
            os.kill(os.getpid(), signal.SIGTERM)
        inputs = torch.randn(8, 3, generator=generator)
        return inputs, (inputs.sum(1) > 0).long()

    def finish(self, model, points):
        if self.stop_at_the_end:
            raise MemoryError
        return {"points": [[step, value] for step, value in points.items()], "bias": model.bias.tolist()}


@pytest.mark.parametrize(
    ("teacher", "again"),
    [
        (Teacher(), 0),
        (Teacher(stop_at=3), 4),
        (Teacher(stop_at=3, signalled=True), 1),
        (Teacher(stop_at_the_end=True), 0),
    ],
    ids=["not stopped", "killed", "a signal", "killed at the end"],
)
def test_a_training_stopped_at_any_moment_ends_the_same(tmp_path, teacher, again):
    expected = Teacher().job().work(tmp_path / "whole", progress=False)
    assert [step for step, _ in expected["points"]] == [2, 4]
    try:
        teacher.job().work(tmp_path / "b", progress=False)
    except (MemoryError, KeyboardInterrupt):
        assert Teacher().job().done(tmp_path / "b") is None
    rest = Teacher()
    assert rest.job().work(tmp_path / "b", progress=False) == expected == rest.job().done(tmp_path / "b")
    assert len(rest.steps) == again
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["a-network-of-0.json"]


def test_a_training_of_other_settings_begins_anew(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        Teacher(stop_at=3, signalled=True).job(seed=0).work(tmp_path, progress=False)
    other = Teacher()
    other.job(seed=1).work(tmp_path, progress=False)
    assert other.steps == [0, 1, 2, 3]
    assert Teacher().job(seed=0).done(tmp_path) is None
