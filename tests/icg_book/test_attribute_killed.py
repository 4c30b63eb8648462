"""``python -m icg attribute FOLDER``, killed at any point: nothing is lost, nothing is done twice.

Run as a script, this file imports everything once and then starts the command again and again, a process for each.
"""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file

from icg import datasets
from icg.__main__ import main
from icg.certainty import join
from icg.datasets import read
from icg.models import MnistNet
from icg_book import attribute
from icg_book.kit import contenders, records
from icg_book.kit.pictures import open_picture, prepare

N, SHARD = 7, 2  # four shards, the last one short
NET = "networks/net.safetensors"
COMMAND = ["attribute", "pictures", "--model", NET, "--method", "gradient", "--batch-size", "1", "--threads", "1"]


def digest(joined) -> str:
    return hashlib.sha256(joined.numpy().tobytes()).hexdigest()


def events(at: int) -> None:
    """From now on, die at this operation on a file of the maps: before it opens, locks, renames, removes …"""
    count = 0

    def hook(event, arguments):
        nonlocal count
        if event == "fcntl.flock" or (event.startswith(("open", "os.")) and "maps" in str(arguments[0])):
            count += 1
            if count == at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def half_written(number: int) -> None:
    """Die in the middle of the shard that is the ``number``-th to be written."""
    save, count = datasets.save_file, 0

    def dies(tensors, path):
        nonlocal count
        save(tensors, path)
        if (count := count + 1) == number:
            Path(path).write_bytes(Path(path).read_bytes()[:-9])
            os.kill(os.getpid(), signal.SIGKILL)

    datasets.save_file = dies


def begin(out: str, log: str = "log", prepared=lambda: None, rank: int = 0, world: int = 1, more=()) -> int:
    """A process that runs the command, and notes in ``log`` which pictures it attributes."""
    if process := os.fork():
        return process
    code = 1
    try:
        os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(world)}
        sys.stderr = open(os.devnull, "w")
        prepared()
        code = command(out, log, *more)
    finally:
        os._exit(code)


def command(out: str, log: str, *more: str, pause: float = 0.0) -> int:
    real = contenders.attribute

    def noted(method, model, joined, *arguments, **options):
        found = real(method, model, joined, *arguments, **options)
        time.sleep(pause)
        with open(log, "a") as file:
            file.write(digest(joined) + "\n")
        return found

    contenders.attribute = noted
    attribute.attribute_dataset = partial(datasets.attribute_dataset, batches=SHARD)
    return main([*COMMAND, "--out", out, *more])


def ended(process: int) -> bool:
    """Whether it ended well, and not by being killed."""
    _, status = os.waitpid(process, 0)
    assert status in (0, signal.SIGKILL), status
    return status == 0


class Watch:
    """Looks into a folder of maps after every round."""

    def __init__(self, out: str):
        self.out, self.kept, self.turn = Path(out), {}, 0
        self.numbers = {}
        for k, path in enumerate(sorted(Path("pictures").iterdir())):
            self.numbers[digest(join(prepare(open_picture(path), (1, 28, 28)).values))] = k

    def log(self) -> str:
        return f"{self.out}.{self.turn}.log"

    def look(self) -> None:
        done = []
        if Path(self.log()).exists():
            done = [self.numbers[line] for line in Path(self.log()).read_text().split()]
        assert len(set(done)) == len(done), "done twice at the same time"
        saved = {SHARD * k + row for k in self.kept for row in range(SHARD)}
        assert not saved & set(done), "done again, though it was saved"
        for path in sorted(self.out.glob("*.safetensors")):
            k = int(path.stem[-5:])
            assert self.kept.setdefault(k, path.read_bytes()) == path.read_bytes()
            assert path.read_bytes() == Path("undisturbed", path.name).read_bytes()
        if (self.out / "index.json").exists():
            assert (self.out / "index.json").read_text() == Path("undisturbed/index.json").read_text()
        for number in range(N):  # what can be read is right, at any time
            if number // SHARD in self.kept:
                found, wanted = read(self.out, number), read("undisturbed", number)
                assert all(torch.equal(found[name], wanted[name]) for name in wanted)
            else:
                with pytest.raises(ValueError, match="there are no maps"):
                    read(self.out, number)
        self.turn += 1

    def complete(self, pictures: bool = False) -> None:
        assert len(self.kept) == -(-N // SHARD)
        assert json.loads((self.out / "index.json").read_text())["inputs"] == N
        assert not [*self.out.rglob("*.part")]
        drawn = sorted(self.out.rglob("*.png"))
        assert len(drawn) == (N if pictures else 0)
        for path in drawn:
            assert path.read_bytes() == Path("undisturbed", path.relative_to(self.out)).read_bytes()


def at_every_file_operation() -> int:
    """One process, killed at its first operation, the next at its second, and so on, until one comes through."""
    watch, at = Watch("maps-a"), 0
    while True:
        at += 1
        finished = ended(begin("maps-a", watch.log(), partial(events, at), more=["--overlay"]))
        watch.look()
        if finished:
            break
    watch.complete(pictures=True)
    return at - 1


def in_the_middle_of_writing() -> None:
    watch = Watch("maps-b")
    for number in (1, 2, 1):
        assert not ended(begin("maps-b", watch.log(), partial(half_written, number)))
        watch.look()
    assert len(watch.kept) == 1  # each time it was the last to be begun that was lost
    assert ended(begin("maps-b", watch.log()))
    watch.look()
    watch.complete()


def two_at_random_times(seed: int) -> int:
    """Both are killed some time after they have attributed a random number of pictures, until nothing is left."""
    out, number = f"maps-{seed}", random.Random(seed)
    watch = Watch(out)
    while True:
        pair = [begin(out, watch.log(), rank=rank, world=2, more=["--overlay"]) for rank in (0, 1)]
        least, running = number.choice([1, 1, 2, 3]), True
        while running and (not Path(watch.log()).exists() or len(Path(watch.log()).read_text().split()) < least):
            running = os.waitid(os.P_PID, pair[0], os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
            time.sleep(0.002)
        time.sleep(number.uniform(0, 0.05))
        for sent in (signal.SIGSTOP, signal.SIGKILL):  # neither has time to take what the other leaves
            for process in pair if running else ():
                os.kill(process, sent)
        finished = [ended(process) for process in pair]
        watch.look()
        if all(finished):
            break
    watch.complete(pictures=True)
    return watch.turn - 1


def torchrun_itself() -> None:
    """It is killed, and not the two that it started: these go on, and others that come too soon wait for them."""
    watch = Watch("maps-t")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", __file__]
    torchrun += ["maps-t", watch.log()]
    with subprocess.Popen(torchrun, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as first:
        while not Path(watch.log()).exists():
            assert first.poll() is None
            time.sleep(0.01)
        first.kill()
    subprocess.run(torchrun, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    assert len(Path(watch.log()).read_text().split()) == N
    watch.look()
    watch.complete()


@pytest.mark.slow
def test_killed_at_any_point_nothing_is_lost_or_done_twice(tmp_path):
    (tmp_path / "pictures").mkdir()
    for k in range(N):
        noise = np.random.default_rng(k).integers(0, 256, (28, 28), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / "pictures" / f"{k:02d}.png")
    torch.manual_seed(0)
    classes = [str(k) for k in range(10)]
    records.write_model(MnistNet(), tmp_path / NET, classes=classes, metrics={}, training={})
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, __file__], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    operations, kills = json.loads(done.stdout.splitlines()[-1])
    assert operations > 15 and kills > 1


if __name__ == "__main__" and "LOCAL_RANK" in os.environ:
    sys.exit(command(*sys.argv[1:], pause=0.5))
if __name__ == "__main__":
    torch.set_num_threads(1)
    assert ended(begin("undisturbed", more=["--overlay"]))
    for path in Path("undisturbed").glob("*.safetensors"):
        assert load_file(path)["maps"].any()
        Path("cut.safetensors").write_bytes(path.read_bytes()[:-9])
        with pytest.raises(SafetensorError):
            load_file("cut.safetensors")
    counts = [at_every_file_operation()]
    in_the_middle_of_writing()
    counts.append(two_at_random_times(seed=1))
    torchrun_itself()
    print(json.dumps(counts))
