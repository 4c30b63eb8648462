"""Trainings as scenarios declare them: plans, stages one after the other, and where a stopped one goes on."""

import os
import signal
from dataclasses import replace

import pytest
import torch
from torch import nn

from icg.training import Recipe, train
from icg_book.kit.trainings import Interrupted, Stage, Training, train_stages

RECIPE = Recipe(steps=4, batch_size=8, warmup=1, average=0.5)


def make():
    return nn.Linear(3, 2)


def batch(step, generator):
    inputs = torch.randn(8, 3, generator=generator)
    return inputs, (inputs.sum(1) > 0).long()


def test_a_plan_has_the_steps_and_seeds_asked_for():
    training = Training(make, ((RECIPE, batch), (replace(RECIPE, steps=6, seed=1), batch)), lambda model: {"n": 1})
    plan = training.plan(seed=4)
    assert [(stage.recipe.steps, stage.recipe.seed) for stage in plan.stages] == [(4, 4), (6, 5)]
    assert [stage.recipe.steps for stage in training.plan(steps=2).stages] == [2, 2]
    assert plan.make is make and plan.evaluate(make()) == {"n": 1} and not training.half
    with pytest.raises(ValueError, match="steps to be a whole number >= 1, got 0"):
        training.plan(steps=0)


def test_each_stage_begins_with_the_weights_of_the_one_before(tmp_path):
    second = replace(RECIPE, steps=3, seed=1)
    found = train_stages(make, [Stage(RECIPE, batch), Stage(second, batch)], tmp_path / "a.pt", progress=False)
    first = train(make, batch, RECIPE, progress=False)
    expected = train(lambda: first, batch, second, progress=False)
    assert all(torch.equal(found.state_dict()[name], value) for name, value in expected.state_dict().items())
    assert {path.name for path in tmp_path.iterdir()} == {"a.pt", "a-stage2.pt"}


def test_an_interrupted_one_names_the_checkpoint_and_goes_on_from_it(tmp_path):
    steps = []

    def interrupted(step, generator):
        steps.append(step)
        if len(steps) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return batch(step, generator)

    stages = [Stage(RECIPE, batch), Stage(RECIPE, interrupted)]
    with pytest.raises(Interrupted) as stopped:
        train_stages(make, stages, tmp_path / "a.pt", progress=False)
    assert stopped.value.checkpoint == tmp_path / "a-stage2.pt" and isinstance(stopped.value, KeyboardInterrupt)
    train_stages(make, stages, tmp_path / "a.pt", progress=False)
    assert steps == [0, 1, 2, 3]


def test_what_is_watched_is_told_the_steps_of_its_stage(tmp_path):
    seen = []
    stages = [Stage(RECIPE, batch), Stage(RECIPE, batch, lambda step, model: seen.append(step), 3)]
    train_stages(make, stages, tmp_path / "a.pt", progress=False)
    assert seen == [3, 4]
