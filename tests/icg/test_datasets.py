"""Maps of a whole data set: the same as one call's, nothing done twice, and nothing lost when a process is killed.

Run as a script, this file is one of several processes that share the work.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from icg.attribution import integrated_gradients
from icg.datasets import attribute_dataset, read

N, BATCH, BATCHES = 43, 4, 2  # six shards, the last one short


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3))


def data():
    return torch.rand(N, 5, generator=torch.Generator().manual_seed(1))


def loader(**options):
    return DataLoader(TensorDataset(data(), torch.arange(N)), **{"batch_size": BATCH, **options})


def work(folder, *, log=None, pause=0.0, **options):
    """Attribute the data set; note in ``log`` which inputs were done."""
    network = model()

    def attribute(inputs, numbers):
        maps = integrated_gradients(network, inputs, target=1, n_steps=8)
        time.sleep(pause)
        if log:
            with open(log, "a") as file:
                file.write(json.dumps(numbers.tolist()) + "\n")
        return {"maps": maps, "number": numbers}

    options = {"key": {"model": "tanh", "steps": 8}, "batches": BATCHES, "progress": False, **options}
    return attribute_dataset(attribute, options.pop("loader", None) or loader(), folder, **options)


def done(log):
    return Counter(number for line in Path(log).read_text().splitlines() for number in json.loads(line))


def check(folder):
    """The maps are what one call for all inputs gives."""
    wanted = integrated_gradients(model(), data(), target=1, n_steps=8)
    parts = [load_file(path) for path in sorted(Path(folder).glob("*.safetensors"))]
    assert [len(part["number"]) for part in parts] == [8, 8, 8, 8, 8, 3]
    assert torch.cat([part["number"] for part in parts]).tolist() == list(range(N))
    torch.testing.assert_close(torch.cat([part["maps"] for part in parts]), wanted)
    assert not [path for path in Path(folder).iterdir() if path.name.endswith(".part")]


def start(folder, log, pause, rank="0"):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "RANK": rank, "WORLD_SIZE": "2"}
    return subprocess.Popen([sys.executable, __file__, folder, log, str(pause)], env=environment)


# ---- one process


@pytest.mark.parametrize("workers", [0, 2])
def test_the_maps_are_those_of_one_call(tmp_path, workers):
    index = work(tmp_path, log=tmp_path / "log", loader=loader(num_workers=workers))
    check(tmp_path)
    assert set(done(tmp_path / "log").values()) == {1}
    assert index["inputs"] == N and index["key"] == {"model": "tanh", "steps": 8}


def test_a_row_is_found_by_its_number_or_name(tmp_path):
    work(tmp_path, names=[f"{k}.png" for k in range(N)])
    wanted = integrated_gradients(model(), data()[20:21], target=1, n_steps=8)[0]
    for which in (20, "20.png", 20 - N):
        found = read(tmp_path, which)
        assert found["number"] == 20
        torch.testing.assert_close(found["maps"], wanted)
    for which in (N, "43.png"):
        with pytest.raises(ValueError, match="there are no maps of"):
            read(tmp_path, which)


def test_a_plain_tensor_is_called_attributions(tmp_path):
    attribute_dataset(lambda x: 2 * x, DataLoader(data(), batch_size=10), tmp_path, key={}, progress=False)
    torch.testing.assert_close(read(tmp_path, 42)["attributions"], 2 * data()[42])


def test_what_is_there_is_not_done_again_and_what_is_cut_short_is(tmp_path):
    work(tmp_path / "maps", log=tmp_path / "first")
    work(tmp_path / "maps", log=tmp_path / "none")
    assert not (tmp_path / "none").exists()
    path = tmp_path / "maps" / "maps-00001.safetensors"
    path.write_bytes(path.read_bytes()[:-20])
    work(tmp_path / "maps", log=tmp_path / "again")
    assert sorted(done(tmp_path / "again")) == list(range(8, 16))
    check(tmp_path / "maps")


def test_an_error_lets_go_of_what_was_claimed_and_keeps_what_was_done(tmp_path):
    def attribute(inputs, numbers):
        if 18 in numbers:
            raise OSError("disk full")
        return inputs

    for _ in range(2):
        with pytest.raises(OSError, match="disk full"):
            attribute_dataset(attribute, loader(), tmp_path, key={}, batches=2, progress=False)
    assert len(list(tmp_path.glob("*.safetensors"))) == 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"key": {"model": "tanh", "steps": 9}}, r"different: steps\)"),
        ({"key": {"model": "tanh"}}, r"different: steps\)"),
        ({"batches": 3}, "different: shard"),
        ({"names": ["a"] * N}, "different: names"),
    ],
)
def test_maps_of_something_else_are_not_mixed_in(tmp_path, change, says):
    work(tmp_path)
    with pytest.raises(ValueError, match=f"has maps of something else.*{says}"):
        work(tmp_path, **change)


def test_a_loader_that_shuffles_is_refused(tmp_path):
    for options in ({"shuffle": True}, {"drop_last": True}, {"batch_size": None}):
        with pytest.raises(ValueError, match="expected a loader with a batch size, shuffle=False"):
            work(tmp_path, loader=loader(**options))


def test_a_result_without_a_row_for_each_input_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"attributions of 4 rows for as many inputs, got \(5,\)"):
        attribute_dataset(lambda x, k: x.sum(0), loader(), tmp_path, key={}, progress=False)


def test_the_bar_shows_how_much_is_done(tmp_path, capsys):
    work(tmp_path, progress=True)
    assert f"{N}/{N}" in capsys.readouterr().err


# ---- several processes


@pytest.mark.slow
def test_two_processes_share_the_work_and_do_nothing_twice(tmp_path):
    processes = [start(tmp_path / "maps", tmp_path / "log", 0.1, rank) for rank in "01"]
    assert [process.wait(120) for process in processes] == [0, 0]
    check(tmp_path / "maps")
    assert done(tmp_path / "log") == Counter(range(N))


@pytest.mark.slow
def test_when_one_of_two_is_killed_the_other_takes_its_part(tmp_path):
    """Killed in the middle of a shard: that shard is done again, by the other process, and nothing else."""
    victim, other = (start(tmp_path / "maps", tmp_path / rank, 0.4, rank) for rank in "01")
    while not (tmp_path / "0").exists():  # it has done the first batch of its first shard
        assert victim.poll() is None
        time.sleep(0.02)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    assert other.wait(120) == 0
    check(tmp_path / "maps")
    lost, by_other = done(tmp_path / "0"), done(tmp_path / "1")
    assert sorted(lost) == [0, 1, 2, 3] and by_other == Counter(range(N))


@pytest.mark.slow
def test_when_both_are_killed_the_next_goes_on(tmp_path):
    """At any moment, several times over: what was saved is not done again, and what is left is."""
    for turn in range(3):
        processes = [start(tmp_path / "maps", tmp_path / f"log{turn}", 0.25, rank) for rank in "01"]
        while not (tmp_path / f"log{turn}").exists():
            time.sleep(0.02)
        time.sleep(0.3 * turn)
        for process in processes:
            process.send_signal(signal.SIGKILL)
            process.wait()
    saved = {int(path.stem[-5:]) for path in (tmp_path / "maps").glob("maps-*.safetensors")}
    work(tmp_path / "maps", log=tmp_path / "last")
    check(tmp_path / "maps")
    assert done(tmp_path / "last") == Counter(k for k in range(N) if k // 8 not in saved)


if __name__ == "__main__":
    work(Path(sys.argv[1]), log=sys.argv[2], pause=float(sys.argv[3]))
