"""Each figure and table of the chapter, on small made data: what stands in it, and where."""

import re

import pytest
import torch
from ledgers import around, made, row

from icg_book.fairness import figures
from icg_book.fairness.findings import SAMPLING
from icg_book.scenarios import burnt_snacks


def cells(html):
    """A table's rows, as texts."""
    rows = re.findall(r"<tr.*?</tr>", html, re.S)
    return [[re.sub("<[^>]+>", " ", cell).split() for cell in re.findall(r"<t[hd].*?</t[hd]>", one)] for one in rows]


def words(one):
    return [" ".join(cell) for cell in one]


def test_two_maps_show_the_image_its_dark_squares_and_the_probability():
    snack = burnt_snacks.examples()["three dark, one light"]
    figure = figures.two_maps(snack, {"A": torch.randn(1, 1, 50, 50), "B": torch.ones(1, 1, 50, 50)}, 0.875)
    image, a, b, _ = figure.axes
    assert [ax.get_title() for ax in (image, a, b)] == ["p(dark square) = 0.88", "map A", "map B"]
    assert len(image.lines) == 3


def test_divisions_put_a_mark_for_each_method_on_each_player():
    fair, shares = torch.tensor([[0.5, -0.25]]), {"AGN": torch.zeros(1, 2), "ICG": torch.tensor([[0.4, -0.1]])}
    figure = figures.divisions(["dark square", "the rest"], fair, shares)
    (ax,) = figure.axes
    assert [bar.get_width() for bar in ax.patches] == [0.5, -0.25]
    marks = {line.get_label(): list(line.get_xdata()) for line in ax.lines}
    assert marks["AGN"] == [0, 0] and marks["ICG"] == pytest.approx([0.4, -0.1])
    assert "dark square: due +0.50; the rest: due -0.25" in figure.alt


def test_the_measures_of_one_image():
    fair, shares = torch.tensor([[0.5, -0.25]]), {"none": torch.zeros(1, 2), "all": torch.tensor([[0.5, 0.25]])}
    head, none, everything = cells(figures.measured(fair, shares).data)
    assert words(head) == ["map", "distance", "correlation", "bystanders", "wrong signs"]
    assert words(none)[:2] == ["none", "1.00"]
    assert words(everything) == ["all", "0.67", "1.00", "–", "0.33"]


def test_paths_and_games_stand_side_by_side_and_logits_are_folded():
    html = figures.paths_and_games(made()).data
    first, second = html.split("<details")
    head, *rows = cells(first)
    assert [words(one)[:2] for one in rows] == [
        ["zero IG", "BShap, zero"],
        ["AGN", "BShap, noise"],
        ["ICG", "certainty-SHAP"],
    ]
    assert [cell.split()[0] for cell in words(rows[0])[2:]] == ["1.70", "0.57", "1.90", "0.02"]
    assert "path and truth: distance" in words(head)[4] and "path and truth: correlation" in words(cells(second)[0])[4]


def test_a_panel_for_each_scenario_and_a_ring_around_its_fairest_path():
    figure = figures.distances(made())
    html = figure.alt
    axes = figure.axes
    assert [ax.get_title() for ax in axes] == ["Burnt Snacks", "MNIST"]
    labels = [text.get_text() for text in axes[0].get_yticklabels()]
    assert labels == ["block-wise", "random-path", "ICG", "EG", "zero IG", "AGN", SAMPLING]
    for ax in axes:
        rings = [line for line in ax.lines if line.get_markerfacecolor() == "none" and line.get_markersize() == 12]
        assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in rings] == [(0.3, 0)]  # not around sampling
    assert "Burnt Snacks: block-wise; MNIST: block-wise" in html


def test_the_shade_is_the_yardsticks_own_error():
    axes = figures.distances(made()).axes
    assert [round(ax.patches[0].get_x() + ax.patches[0].get_width(), 3) for ax in axes] == [0.007, 0.12]


def test_a_curve_for_each_method_and_scenario():
    result = made()
    snacks, mnist = figures.against_evaluations(result).axes
    curves = {line.get_label(): line for line in mnist.lines if not line.get_label().startswith("_")}
    assert set(curves) == {"block-wise", "random-path", "ICG", "EG", "AGN", "zero IG", SAMPLING}
    assert curves[SAMPLING].get_ydata().tolist() == pytest.approx([0.4, 0.2, 0.1])
    assert snacks.get_xscale() == snacks.get_yscale() == "log"
    assert [text.get_text() for text in snacks.get_xticklabels()] == ["16", "64", "256"]
    result["curves"][0]["distance"][0] = around(None)  # a point that was not measured is left out
    left = {line.get_label(): line for line in figures.against_evaluations(result).axes[0].lines}
    assert len(left[result["curves"][0]["method"]].get_xdata()) == 2


def test_without_curves_there_is_a_note_and_no_figure():
    assert "No curves" in figures.against_evaluations(made() | {"curves": []}).data


def test_every_distance_is_inside_of_its_panel_but_of_maps_that_add_up_to_nothing_in_particular():
    result = made()
    result["rows"] += [row("MNIST", "random", 80.0), row("MNIST", "gradient", 0.001), row("MNIST", "SIG", 9.0)]
    axes = figures.distances(result).axes
    labels = [text.get_text() for text in axes[0].get_yticklabels()]
    assert "SIG" in labels and not {"random", "gradient"} & set(labels)
    assert all(9 < ax.get_xlim()[1] < 80 for ax in axes)


def test_credit_by_kind_begins_with_what_is_due():
    head, fair, first, *rest = cells(figures.credit_by_kind(made()).data)
    assert words(head) == ["", "dark", "light", "triangles", "the rest", "distance"]
    assert words(fair) == ["fair", "+0.70", "−0.10", "+0.00", "−0.20", "0"]
    assert words(first)[0] == SAMPLING and words(first)[-1].split()[0] == "0.20"
    assert len(rest) == 6


def test_all_measures_are_folded_by_scenario_and_output():
    html = figures.ledger_tables(made()).data
    titles = re.findall("<summary>(.*?)</summary>", html)
    assert titles[0].startswith("All measures")
    assert titles[1:] == [
        "Burnt Snacks, probability, images with dark square",
        "Burnt Snacks, logit, images with dark square",
        "MNIST, probability",
        "MNIST, logit",
    ]
    parts = html.split("<summary>")
    head, *rows = cells(parts[2])
    second, first, *_ = rows[len(rows) // 2 :]  # two tables of as many rows, one below the other
    assert words(head) == ["method", "evaluations", "distance", "correlation", "bystanders", "wrong signs"]
    together = ["distance, together", "correlation, together"]
    assert words(second) == ["method", "distance from the task", "correlation with the task", *together]
    assert words(first)[0] == words(rows[0])[0]
    assert words(first)[-2:] == ["0.25 [0.24, 0.26]", "0.75 [0.74, 0.76]"]
    assert words(rows[0])[:3] == [SAMPLING, "64", "0.20 [0.19, 0.21]"]

    def lower_head(part):
        found = cells(part)
        return words(found[len(found) // 2])[1:]

    assert lower_head(parts[3]) == ["correlation with the task", *together]  # of the logit
    assert lower_head(parts[4]) == together  # MNIST has no truth


def test_trainings_have_a_row_for_each_network():
    result = made()
    result["rows"].append(row("MNIST", "ICG", 0.25, network="mnist-blocks"))
    head, *rows = cells(figures.trainings(result).data)
    assert words(head) == ["network", "ICG", "random-path", "block-wise"]
    assert [words(one)[0] for one in rows] == ["burnt-snacks", "mnist", "mnist-blocks"]
    assert words(rows[2])[1:] == ["0.25 [0.24, 0.26]", "–", "–"]


def test_certainty_maps_are_drawn_from_black_to_white():
    figure = figures.certainty_maps({"ICG": torch.full((1, 1, 4, 4), 0.5), "blocks": torch.ones(1, 1, 4, 4)})
    assert [ax.get_title() for ax in figure.axes] == ["ICG", "blocks"]
    assert [ax.images[0].get_clim() for ax in figure.axes] == [(0.0, 1.0)] * 2


def test_answers_are_drawn_beside_the_mean_over_coalitions():
    t = torch.linspace(0, 1, 3)
    found = {
        name: {"probability": (t, t**2), "logit": (scale * t, -t)} for name, scale in (("first", 2), ("second", 3))
    }
    figure = figures.on_the_diagonal(t, found)
    assert [ax.get_title() for ax in figure.axes] == ["first", "second", "", ""]
    assert [ax.get_ylabel() for ax in figure.axes] == ["probability", "", "logit", ""]
    mean, answer = figure.axes[3].lines
    assert mean.get_ydata().tolist() == [0, 1.5, 3] and answer.get_ydata().tolist() == [0, -0.5, -1]
    assert [text.get_text() for text in figure.legends[0].texts] == ["mean over coalitions", "answer on ICG's path"]
    assert "probability and of the logit" in figure.alt and "each of first, second:" in figure.alt
