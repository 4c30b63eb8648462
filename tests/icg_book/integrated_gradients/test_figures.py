"""Figures and reports of the chapter on Integrated Gradients, on small data."""

from itertools import product

import pytest
import torch

from icg_book.integrated_gradients import figures
from icg_book.integrated_gradients.alarm import train_alarm
from icg_book.integrated_gradients.steps import RULES
from icg_book.scenarios import burnt_snacks
from icg_book.scenarios.landscapes import LANDSCAPES

FIRE = torch.tensor([[0.9, 0.4, 0.7]], dtype=torch.float64)
CREDIT = torch.tensor([0.75, 0.25, -0.5], dtype=torch.float64)
CREDITS, LIMITS = {"a": [0.5, 0.25, 0.125, 0.0625], "b": [0.0, 0.5, 0.75, 0.875]}, {"a": 0.0, "b": 1.0}


def test_the_alarm_has_learnt_and_leaves_the_global_seed_alone():
    before = torch.get_rng_state()
    alarm, right = train_alarm(torch.nn.ReLU)
    assert right > 0.98 and torch.equal(torch.get_rng_state(), before)
    loud, silent = alarm(torch.cat([FIRE, 0 * FIRE])).softmax(1)[:, 1]
    assert loud > 0.99 and silent < 0.01 and loud.dtype == torch.float64


def test_three_answers_draws_what_each_sensor_changes():
    figure = figures.three_answers(lambda x: x @ torch.tensor([1.0, -2.0, 0.0]).double(), FIRE, CREDIT, -CREDIT)
    heights = [[bar.get_height() for bar in ax.patches] for ax in figure.axes]
    assert heights[0] == pytest.approx([0.9, -0.8, 0.0]) and heights[1:] == [CREDIT.tolist(), (-CREDIT).tolist()]


def test_on_the_way_names_the_areas():
    alpha = torch.linspace(0, 1, 5)
    _, right = figures.on_the_way(alpha, alpha**2, alpha[:, None] * CREDIT, CREDIT).axes
    texts = [text.get_text() for text in right.get_legend().get_texts()]
    assert texts == ["smoke: area +0.750", "heat: area +0.250", "hum: area -0.500"]


def test_table_1_has_the_papers_numbers_beside_ours():
    lines = figures.table_1({"B": (CREDIT[:2], -CREDIT[:2])}, {"B": 1.0}).split("\n")
    assert len(lines) == 2 and "   (-1, 1)   " in lines[1] and lines[1].endswith(" +1")
    assert "(+0.750, +0.250)" in lines[1] and "(-0.750, -0.250)" in lines[1]


def test_gaps_are_drawn_and_listed_for_every_rule():
    network = torch.nn.Linear(3, 2).double()
    cases = {name: (network, "logit") for name in ("one", "two", "three")}
    gaps = {key: torch.tensor([-0.5, 0.5]) * key[2] for key in product(cases, RULES, (2, 4, 8))}
    axes = figures.gaps_by_steps(gaps, cases, FIRE).axes
    assert [len(ax.lines) for ax in axes] == [1, 1, 1, 6, 6, 6]
    assert axes[3].lines[0].get_ydata() == pytest.approx([1, 2, 4])

    lines = figures.signed_gaps({k: torch.tensor([-0.1]) for k in product(cases, RULES, (2, 4))}).split("\n")
    assert len(lines) == 2 + 6 and lines[1].split() == ["n", "=", *["2", "4"] * 3]
    assert lines[2].split() == ["left", *["-1.0e-01"] * 6]


def test_the_snacks_are_drawn_and_weighed():
    snack = burnt_snacks.examples()["one dark, one light"]
    figure = figures.gradient_and_credit(snack, snack.images, -snack.images)
    assert len(figure.axes) == 4 and len(figure.axes[0].lines) == 1  # three panels and a scale; one dot
    (line,) = figures.credit_by_square({"all dark": (snack.dark > 0) * 0.5}, snack).split("\n")
    assert line.endswith("100% dark, 0% light")


def test_staircases_end_at_the_input():
    end = torch.tensor([0.6, 0.42])
    axes = figures.staircases(LANDSCAPES["cross"], end).axes
    assert [len(ax.lines) for ax in axes] == [4, 6, 6, 3]  # walks, the straight line, its end
    for line in (line for ax in axes for line in ax.lines):
        assert line.get_xydata()[-1] == pytest.approx(end.numpy())


def test_credit_by_pieces_is_drawn_with_its_limit_and_reported():
    axes = figures.credit_by_pieces([1, 2, 4, 8], CREDITS, LIMITS).axes
    assert [[text.get_text() for text in ax.texts] for ax in axes] == [["IG", "BShap"]] * 2
    report = figures.pieces_report([1, 2, 4, 8], CREDITS, LIMITS).split("\n")
    assert report[0].endswith("m = 1: 0.5000  m = 8: 0.0625")
    assert report[3].strip() == "still missing +0.25000, then +0.12500"
