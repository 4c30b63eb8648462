"""Training with several processes: the same run as with one, and one that stops as a whole.

Run as a script, this file is one of the processes that torchrun would start.
"""

import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from icg import training
from icg.damage import mixed_damage
from icg.training import Recipe, processes_of_torchrun, train

RECIPE = Recipe(steps=12, batch_size=8, lr=1e-2, warmup=3, weight_decay=0.1, average=0.8, clip=0.5, seed=3)


def make_model():
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 2))


def batch(step, generator):
    values = torch.rand(8, 1, 6, 6, generator=generator)
    targets = (values[:, :, :3].sum((1, 2, 3)) > values[:, :, 3:].sum((1, 2, 3))).long()
    return mixed_damage(values, generator=generator), targets


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The same run in this process: the losses of its steps and what it keeps."""
    folder = tmp_path_factory.mktemp("alone")
    losses = one_of_them(folder, "alone", 0)
    return losses, torch.load(folder / "alone.pt", weights_only=True)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two processes, started as torchrun does, that train in every mode: their folder and what they said."""
    folder = tmp_path_factory.mktemp("pair")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, folder],
            env={**os.environ, **common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        said = [process.communicate(timeout=200) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert all(process.returncode == 0 for process in processes), said
    return folder, said


def close(state, expected):
    for part in ("model", "averaged"):
        torch.testing.assert_close(state[part], expected[part], rtol=1e-5, atol=1e-6)


def test_two_processes_have_the_losses_and_the_weights_of_one(alone, pair):
    (folder, said), (losses, expected) = pair, alone
    state = torch.load(folder / "straight.pt", weights_only=True)
    close(state, expected)
    assert state["step"] == RECIPE.steps
    for rank in range(2):  # both know the loss of the whole batch, both have the averaged network
        kept = torch.load(folder / f"straight-{rank}.pt", weights_only=True)
        torch.testing.assert_close(kept["losses"], losses, rtol=1e-5, atol=1e-6)
        for key, value in kept["model"].items():
            torch.testing.assert_close(value, state["averaged"][f"module.{key}"])
    assert "12/12" in said[0][1] and "12/12" not in said[1][1]  # one progress bar is enough


def test_when_one_is_told_to_stop_all_stop_and_one_alone_can_go_on(alone, pair):
    folder, said = pair
    assert all("interrupted: stopped" in out for out, _ in said)
    checkpoint = folder / "interrupted.pt"
    assert torch.load(checkpoint, weights_only=True)["step"] == 6
    assert train(make_model, batch, RECIPE, checkpoint=checkpoint, progress=False) is not None
    close(torch.load(checkpoint, weights_only=True), alone[1])


def test_a_loss_that_is_not_a_number_in_one_process_ends_both(pair):
    assert all("broken: the loss became nan at step 4" in out for out, _ in pair[1])


def test_a_batch_that_cannot_be_shared_is_refused(pair):
    assert all("odd: expected a batch that 2 processes can share, got 7" in out for out, _ in pair[1])


def test_without_torchrun_there_is_one_process(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with processes_of_torchrun("cpu") as (device, rank):
        assert device.type == "cpu" and rank == 0 and not torch.distributed.is_initialized()


def one_of_them(folder, mode, rank):
    """The run of one process; returns its losses, step by step, and keeps them and its weights."""
    losses, over_all = [], training._over_all

    def listening(number, device):
        total = over_all(number, device)
        if isinstance(number, float):  # a loss, not whether to stop
            losses.append(total / (1 if mode == "alone" else 2))
        return total

    def data(step, generator):
        inputs, targets = batch(step, generator)
        if mode == "interrupted" and step == 5 and rank == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        if mode == "broken" and step == 4 and rank == 1:
            inputs = inputs * torch.nan
        return inputs, targets

    recipe = replace(RECIPE, batch_size=7) if mode == "odd" else RECIPE
    training._over_all = listening
    try:
        model = train(make_model, data, recipe, checkpoint=folder / f"{mode}.pt", progress=mode == "straight")
    except (ValueError, FloatingPointError) as error:
        print(f"{mode}: {error}")
        return None
    finally:
        training._over_all = over_all
    if model is None:
        print(f"{mode}: stopped")
        return None
    losses = torch.tensor(losses)
    torch.save({"model": model.state_dict(), "losses": losses}, folder / f"{mode}-{rank}.pt")
    return losses


if __name__ == "__main__":
    with processes_of_torchrun("cpu") as (_, number):
        for each in ("odd", "broken", "straight", "interrupted"):
            one_of_them(Path(sys.argv[1]), each, number)
