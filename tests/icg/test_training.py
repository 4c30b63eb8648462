"""Training: a run that is killed at any moment and resumed gives the very same weights as one that ran through.

Run as a script, this file is the run that gets killed.
"""

import math
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from icg.artifacts import atomic_write
from icg.certainty import join
from icg.damage import mixed_damage
from icg.training import Recipe, learning_rate, train

# Everything that could break exact resume: dropout that ends, bf16 that ends, warm-up, AdamW, averaged weights.
RECIPE = Recipe(
    steps=24, batch_size=8, lr=1e-2, warmup=5, weight_decay=0.1, average=0.9, low_precision=0.5, dropout=0.75, seed=3
)


def make_model():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Dropout(0.3), nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 2)
    )


def batch(step, generator):
    """Is the upper half brighter than the lower half?"""
    values = torch.rand(8, 1, 6, 6, generator=generator)
    targets = (values[:, :, :3].sum((1, 2, 3)) > values[:, :, 3:].sum((1, 2, 3))).long()
    return mixed_damage(values, generator=generator), targets


def run(recipe=RECIPE, data=batch, **options):
    return train(make_model, data, recipe, progress=False, **options)


def same(a, b):
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.fixture(scope="module")
def straight():
    return run()


# ---- exact resume


@pytest.mark.parametrize("stops", [[1], [5], [12], [18], [23], [2, 3, 11, 19]], ids=str)
def test_stopped_and_resumed_gives_bit_identical_weights(straight, stops, tmp_path):
    checkpoint = tmp_path / "c.pt"
    for stop in stops:
        torch.rand(stop)  # whatever else has happened in the process
        assert run(checkpoint=checkpoint, stop_after=stop) is None
    assert same(run(checkpoint=checkpoint), straight)


def test_checkpoints_on_the_way_change_nothing(straight, tmp_path):
    assert same(run(checkpoint=tmp_path / "c.pt", checkpoint_every=1), straight)


def test_a_finished_run_is_read_back_and_not_trained_again(straight, tmp_path):
    run(checkpoint=tmp_path / "c.pt")

    def never(step, generator):
        raise AssertionError("asked for a batch")

    again = run(data=never, checkpoint=tmp_path / "c.pt")
    assert same(again, straight) and not again.training


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
def test_a_process_killed_in_the_middle_goes_on_where_it_was(number, straight, tmp_path):
    checkpoint = tmp_path / "c.pt"
    process = subprocess.Popen([sys.executable, __file__, checkpoint], stdout=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 120
        while not checkpoint.exists() and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(number)
        said = process.communicate(timeout=60)[0]
    finally:
        process.kill()
    if number == signal.SIGKILL:  # no time for anything, but the last checkpoint is whole
        assert process.returncode == -signal.SIGKILL
    else:  # the step under way ends, and the work is saved
        assert process.returncode == 0 and "stopped" in said
    assert 0 < torch.load(checkpoint, weights_only=True)["step"] < RECIPE.steps
    assert same(run(checkpoint=checkpoint), straight)
    assert [p.name for p in tmp_path.iterdir() if not p.name.startswith(".")] == ["c.pt"]


def test_another_seed_gives_another_model_and_the_same_seed_the_same(straight):
    assert same(run(), straight)
    assert not same(run(replace(RECIPE, seed=4)), straight)


# ---- the caller's process is left as it was


def test_global_random_state_threads_and_signal_handlers_are_untouched():
    state, handlers = torch.get_rng_state(), [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)]
    run(replace(RECIPE, steps=3))
    assert torch.equal(torch.get_rng_state(), state)
    assert [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)] == handlers


# ---- when something is wrong


def test_a_loss_that_is_not_a_number_stops_and_leaves_the_last_good_checkpoint(tmp_path):
    checkpoint = tmp_path / "c.pt"

    def broken(step, generator):
        inputs, targets = batch(step, generator)
        return (inputs * math.nan if step == 9 else inputs), targets

    with pytest.raises(FloatingPointError, match="loss became nan at step 9") as error:
        run(data=broken, checkpoint=checkpoint, checkpoint_every=4)
    assert str(checkpoint) in str(error.value) and "0.01" in str(error.value)  # where to go on, what to lower
    assert torch.load(checkpoint, weights_only=True)["step"] == 8


class NoGradient(nn.Module):
    """The loss is finite, its gradient is not: the slope of sqrt at 0."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))

    def forward(self, inputs):
        return self.weight * inputs.flatten(1)[:, :1] + (self.weight * (inputs.amax() < 5)).sqrt()


def test_a_gradient_that_is_not_a_number_never_reaches_a_checkpoint(tmp_path):
    checkpoint = tmp_path / "c.pt"

    def data(step, generator):
        inputs, targets = batch(step, generator)
        return (inputs + 10 if step == 3 else inputs), targets

    with pytest.raises(FloatingPointError, match="step 3"):
        train(NoGradient, data, replace(RECIPE, low_precision=0), checkpoint=checkpoint, checkpoint_every=1)
    state = torch.load(checkpoint, weights_only=True)
    assert state["step"] == 3 and state["model"]["weight"].isfinite().all()


def test_a_checkpoint_of_another_recipe_is_refused_with_what_differs(tmp_path):
    run(checkpoint=tmp_path / "c.pt", stop_after=2)
    with pytest.raises(ValueError, match=r"another recipe \(different: steps, lr\)") as error:
        run(replace(RECIPE, steps=30, lr=2e-2), checkpoint=tmp_path / "c.pt")
    assert "c.pt" in str(error.value)


@pytest.mark.parametrize("damage", ["cut short", "empty", "not a checkpoint", "other contents"])
def test_an_unreadable_checkpoint_is_refused_and_kept(damage, tmp_path):
    path = tmp_path / "c.pt"
    run(checkpoint=path, stop_after=2)
    if damage == "other contents":
        torch.save({"weights": torch.zeros(2)}, path)
    else:
        path.write_bytes({"cut short": path.read_bytes()[:500], "empty": b"", "not a checkpoint": b"hello"}[damage])
    before = path.read_bytes()
    with pytest.raises(ValueError, match="checkpoint .*c.pt .*delete it"):
        run(checkpoint=path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("steps", 0),
        ("batch_size", 1),
        ("lr", 0.0),
        ("lr", -1.0),
        ("lr", math.inf),
        ("lr", math.nan),
        ("average", 1.0),
        ("average", -0.1),
        ("dropout", 1.1),
        ("low_precision", -0.1),
    ],
)
def test_a_recipe_out_of_range_is_refused(field, value):
    with pytest.raises(ValueError, match=f"expected {field} .*got {value}"):
        replace(RECIPE, **{field: value})


def test_a_write_that_fails_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "folder" / "file"
    with atomic_write(path) as temporary:
        temporary.write_text("old")
        assert not path.exists() and temporary.parent == path.parent  # same disk, so that replacing is one step
    with open(path) as reader:
        with atomic_write(path) as temporary:
            temporary.write_text("new")
        assert path.read_text() == "new" and reader.read() == "old"  # who reads meanwhile gets one or the other, whole
    with pytest.raises(KeyboardInterrupt), atomic_write(path) as temporary:
        temporary.write_text("half of the ne")
        raise KeyboardInterrupt
    assert path.read_text() == "new" and list(path.parent.iterdir()) == [path]


# ---- what the loop does


def test_learning_rate_rises_linearly_and_falls_as_a_cosine():
    recipe = Recipe(steps=1000, warmup=100, final_lr=0.01)
    rates = [learning_rate(step, recipe) for step in range(1000)]
    assert rates[:3] == pytest.approx([0.01, 0.02, 0.03]) and rates[99] == rates[100] == 1
    assert all(a > b for a, b in zip(rates[100:], rates[101:], strict=False))
    assert rates[550] == pytest.approx(0.505)  # half way: the mean of both ends
    assert rates[999] == pytest.approx(0.01, abs=1e-4)
    assert learning_rate(0, Recipe(steps=5, warmup=0)) == 1


def test_the_optimiser_takes_steps_of_the_scheduled_size(tmp_path):
    # Adam's first step moves every weight by the learning rate: here 1/5 of the peak, for warm-up.
    recipe = replace(RECIPE, weight_decay=0, low_precision=0, dropout=0)
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        before = make_model()
    run(recipe, checkpoint=tmp_path / "c.pt", stop_after=1)
    after = torch.load(tmp_path / "c.pt", weights_only=True)["model"]
    moved = (after["6.bias"] - before[6].bias).abs()
    torch.testing.assert_close(moved, torch.full((2,), 1e-2 / 5), rtol=1e-3, atol=0)


def test_watching_sees_the_averaged_model_and_changes_nothing(straight, tmp_path):
    seen = {}

    def watch(steps, model):
        torch.rand(3)  # a watcher may draw random numbers
        seen[steps] = (not model.training, [p.clone() for p in model.parameters()])

    options = {"watch": watch, "watch_every": 10, "checkpoint": tmp_path / "run.pt"}
    assert run(stop_after=13, **options) is None
    assert list(seen) == [10]
    model = run(**options)
    assert same(model, straight)
    assert list(seen) == [10, 20, 24] and all(evaluating for evaluating, _ in seen.values())
    assert all(torch.equal(a, b) for a, b in zip(seen[24][1], model.parameters(), strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(seen[10][1], seen[20][1], strict=True))


def test_the_model_returned_is_the_average_of_the_weights(tmp_path):
    run(checkpoint=tmp_path / "a.pt", stop_after=1)
    first = torch.load(tmp_path / "a.pt", weights_only=True)["model"]
    run(checkpoint=tmp_path / "a.pt", stop_after=2)
    second = torch.load(tmp_path / "a.pt", weights_only=True)
    for key, value in second["model"].items():
        expected = 0.9 * first[key] + 0.1 * value
        torch.testing.assert_close(second["averaged"][f"module.{key}"], expected)


def test_dropout_is_off_for_the_last_part_of_the_run():
    seen = []

    class Spy(nn.Dropout):
        def forward(self, x):
            seen.append(self.training)
            return super().forward(x)

    def make():
        model = make_model()
        model[2] = Spy(0.3)
        return model

    train(make, batch, RECIPE, progress=False)
    assert seen == [True] * 18 + [False] * 6


def test_it_learns():
    def question(generator, n):
        """Is the left half, on the whole, brighter than the right half?"""
        values = torch.rand(n, 1, 6, 6, generator=generator)
        values[..., :3] += 0.3 * torch.randn(n, 1, 1, 1, generator=generator)
        return join(values), (values[..., :3].sum((1, 2, 3)) > values[..., 3:].sum((1, 2, 3))).long()

    recipe = Recipe(steps=300, batch_size=32, lr=1e-2, warmup=10, average=0.95)
    model = run(recipe, lambda step, generator: question(generator, 32))
    inputs, targets = question(torch.Generator().manual_seed(99), 400)
    with torch.no_grad():
        assert (model(inputs).argmax(1) == targets).float().mean() > 0.9


# ---- batches with certainty


def slow_batch(step, generator):
    time.sleep(0.2)  # long enough for the signal to come in the middle of the run
    return batch(step, generator)


if __name__ == "__main__":
    finished = run(data=slow_batch, checkpoint=Path(sys.argv[1]), checkpoint_every=2)
    print("stopped" if finished is None else "finished")
