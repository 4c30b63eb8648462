"""Figures, tables and reports of the chapter on baselines, on small data."""

import pytest
import torch

from icg import baselines
from icg_book.baselines import figures
from icg_book.scenarios import glyphs

SHOWN = glyphs.examples()
NAMES = [name for lines in figures.LINES.values() for name in lines]
GREYS = torch.tensor([0.0, 0.5, 1.0])
SHARES = {name: torch.tensor([[0.3], [0.1], [0.2]]) for name in NAMES}


def model(images):
    """The network of these tests: the lighter a picture, the more it is a plus."""
    return torch.nn.functional.one_hot(torch.ones(len(images), dtype=torch.long), 5) * images.mean((1, 2, 3))[:, None]


def probability(images, labels):
    return images.mean((1, 2, 3))


def texts(figure):
    return [ax.get_title() for ax in figure.axes if ax.get_title()]


def rows(table):
    """Of a table: its rows, without the head."""
    return table.data.count("<tr") - 1


def test_four_paints_and_their_erased_twins():
    two, half = SHOWN.images[:2], torch.tensor([0.5, 0.25])
    assert texts(figures.four_paints(two, -two, half)) == ["50.0% on the plus", "25.0% on the plus"]
    assert texts(figures.with_and_without_plus(two, half, half, 0 * half))[0] == "ink 0.5\np(plus) 0.500\nerased 0.000"


def test_figure_1_draws_a_path_from_each_start():
    point, cloud = torch.tensor([[0.5, 0.5]]), torch.rand(20, 2, generator=torch.Generator().manual_seed(0))
    starts = {str(k): torch.full((k, 2), 0.5 + k / 10) for k in range(1, 4)} | dict.fromkeys("abcd", point)
    axes = figures.figure_1(cloud, point, starts).axes
    assert [len(ax.lines) for ax in axes] == [0, 1, 2, 3, 1, 1, 1, 1]
    lines = figures.distances(cloud, point, starts).split("\n")
    assert lines[1].split() == ["1", "1", "0.14"] and lines[3].split() == ["3", "3", "0.42", "to", "0.42"]
    with pytest.raises(ValueError, match="zip"):
        figures.figure_1(cloud, point, {"one": point})


def test_starts_and_credit_shows_what_the_network_says_of_each_start():
    ways = {"zero": baselines.zero(), "white": baselines.constant(1.0)}
    maps = {name: SHOWN.images[5:6] - k for k, name in enumerate(ways)}
    figure = figures.starts_and_credit(model, SHOWN[5:6], ways, maps, ["white"])
    assert texts(figure) == ["input\n", "white\n“plus” 0.40"]
    lines = figures.sums_and_starts(SHOWN[5:6], ways, maps, probability).split("\n")
    assert len(lines) == 3 and lines[1].split()[0] == "zero" and lines[1].endswith("0.000")
    assert lines[2].endswith("1.000")


def test_share_by_grey_has_a_line_for_each_baseline():
    axes = figures.share_by_grey(GREYS, SHARES, 0.15).axes
    assert [len(ax.lines) for ax in axes] == [4, 4, 4]  # three baselines and the share of the pixels


def test_blindness_table_finds_the_dimmest_grey():
    credit, equal = SHOWN.images[:3], SHOWN.images[:3] == 0
    found = {"zero": (credit, torch.tensor([0.5, -0.5, 0.5]))}
    table = figures.blindness_table(found, {"zero": equal}, {"zero": SHARES["zero"]}, GREYS)
    assert rows(table) == 1 and "3 pictures: 1 signs in 3 greys; completeness gaps at most 0.5000" in table.data
    assert all(f">{cell}<" in table.data for cell in ("0", "10.0%", "30.0%", "0.5"))
    blind = figures.blindness_table(found, {"zero": ~equal}, {"zero": SHARES["zero"]}, GREYS)
    assert f">{credit.sum():.1g}<" in blind.data  # credit where there should be none is shown


def test_tables_of_starts_and_of_the_papers_claims():
    quarter = torch.tensor(0.25)
    says = {name: {"nothing": quarter, "same": 2 * quarter, "other": quarter, "p": quarter} for name in NAMES}
    table = figures.seen_at_the_start(says, torch.tensor(0.125), 7)
    assert rows(table) == 9 and "of 7 pictures" in table.data and ">−0.125<" in table.data
    table = figures.claims_table(SHARES, says, torch.tensor(0.75), 0.15)
    assert rows(table) == 6 and "15.0% of the pixels" in table.data and "same sign in 50% of" in table.data
    assert "10.0% to 30.0% on the sign" in table.data and "leaves +0.500 to explain" in table.data


def test_pictures_beside_each_other():
    figure = figures.farthest_points(SHOWN[:2], 1 - SHOWN.images[:2], torch.ones(2), torch.zeros(2))
    assert texts(figure) == ["p(plus)\n1.00, far 0.00"] * 2 and len(figure.axes) == 4
    figure = figures.ignored_and_blind(SHOWN.images[:1], {"a": SHOWN.images[:1], "b": -SHOWN.images[:1]})
    assert texts(figure) == ["input\n", "a", "b"]


def test_price_of_averaging_halves_with_four_times_the_draws():
    draws = torch.ones(64, 1, 1, 2, 2) + torch.tensor([-1.0, 1.0]).repeat(32)[:, None, None, None, None]
    *_, line = figures.price_of_averaging({"data": draws}).split("\n")
    assert line.split() == ["data", "1.01", "0.50", "0.25", "0.13"]
