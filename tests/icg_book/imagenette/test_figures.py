"""Each figure of the chapter, on small made data: so many panels, and what stands in them."""

import pytest
import torch

from icg_book.imagenette import figures
from icg_book.imagenette.findings import ICG
from icg_book.imagenette.gallery import Gallery
from icg_book.imagenette.networks import LARGE, SMALL
from icg_book.scenarios.imagenette import CLASSES

NAMES = ("ICG", "ICG, blurred", "EG", "EG, blurred")


@pytest.fixture
def gallery():
    pictures = torch.arange(3 * 20 * 20 * 3).remainder(256).byte().view(3, 20, 20, 3)
    return Gallery(pictures, torch.rand(3, 3, 8, 8), torch.rand(4, 3, 8, 8), ("a", "b", "c"), torch.arange(3))


def texts(ax):
    return ax.get_title(), ax.get_xlabel()


def one_hot(*classes):
    return torch.nn.functional.one_hot(torch.tensor(classes), 10).double()


def some_maps(*numbers):
    generator = torch.Generator().manual_seed(0)
    return {k: {name: torch.randn(1, 1, 8, 8, generator=generator) for name in NAMES} for k in numbers}


def test_a_drawing_in_a_file_is_shown_as_it_is(tmp_path):
    path = tmp_path / "drawing.svg"
    path.write_text('<svg width="3pt" height="2pt" xmlns="http://www.w3.org/2000/svg"/>')
    assert 'width="3pt"' in figures.file(path).data


def test_photograph(gallery):
    (ax,) = figures.photograph(gallery, one_hot(8, 3, 1), 1).axes
    assert texts(ax)[0] == f"photograph: {CLASSES[3]}, 1.000"


def test_figure_9_has_a_row_for_each_picture(gallery):
    made = figures.figure_9(gallery, one_hot(8, 3, 1), some_maps(0, 1, 2), [0, 2])
    assert f"{CLASSES[8]}, {CLASSES[1]}:" in made.alt
    *panels, bar = made.axes
    assert len(panels) == 2 * 5
    assert [texts(ax)[0] for ax in panels] == ["photograph", *NAMES] + 5 * [""]
    assert texts(panels[5])[1] == f"{CLASSES[1]}, 1.00" and "of the area" in texts(panels[6])[1]
    assert len(bar.get_xticks()) == 3


def test_parts_of_a_flower_are_veiled_but_for_what_is_known():
    known = {name: torch.zeros(8, 8, dtype=torch.bool) for name in ("inside", "rim", "rest")}
    known["rim"][:2] = True
    maps = {name: torch.randn(1, 1, 8, 8) for name in "abc"}
    plain = torch.full((1, 3, 8, 8), 0.2)
    p = torch.tensor([0.99, 0.1, 0.7, 0.6, 0.5])
    made = figures.parts_of_a_flower(torch.rand(1, 3, 8, 8), maps, known, plain, p)
    assert "0.99, 0.10, 0.70, 0.60, 0.50" in made.alt
    axes = made.axes
    assert [texts(ax)[0] for ax in axes] == ["photograph", *"abc", *known, "no flower at all"]
    assert [texts(ax)[1] for ax in axes if texts(ax)[1]] == [f"golf ball: {value:.2f}" for value in p]
    veil = axes[5].images[1].get_array()
    assert (veil[:2, :, 3] == 0).all() and (veil[2:, :, 3] == 1).all()


def test_the_share_on_the_border_is_that_of_the_map():
    edge = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    edge[:, :, :2] = True
    maps = {"on it": edge.double(), "half": 1 + 2 * edge.double()}
    made = figures.bordered(torch.zeros(20, 20, 3, dtype=torch.uint8), 4, maps, edge)
    assert "green line" in made.alt
    first, *others = made.axes
    assert texts(first) == ("photograph", f"{CLASSES[4]}; border 25%")
    assert [texts(ax) for ax in others] == [("on it", "100.0% on the border"), ("half", "50.0% on the border")]


def test_what_is_taken_away_is_veiled_above_and_blurred_below():
    gone = torch.zeros(2, 1, 8, 8, dtype=torch.bool)
    gone[1, 0, :4] = True
    p = torch.tensor([0.9, 0.25])
    made = figures.taken_away(torch.rand(1, 3, 8, 8), (0.0, 0.5), gone, torch.rand(2, 3, 8, 8), p, p / 2)
    assert len(made.axes) == 4
    assert [texts(ax)[1] for ax in made.axes] == ["p = 0.900", "p = 0.250", "p = 0.450", "p = 0.125"]
    veil = made.axes[1].images[1].get_array()
    assert (veil[:4, :, 3] == 1).all() and (veil[4:, :, 3] == 0).all()


def card(points):
    against = {"images": 10, "certainty": [0.0, 1.0]}
    against |= {kind: [0.1, 0.8] for kind in ("uniform", "noise", "another photograph")}
    curve = {"steps": points, "images": 10}
    return {
        "metrics": {"learning curve": curve, "accuracy against certainty": against},
        "training": {"stages": [{"batch_size": 9469, "steps": 4}]},
    }


CARDS = {
    SMALL: card({"1": {"accuracy": 0.3, "size": 64}, "2": {"accuracy": 0.5, "size": 96}}),
    LARGE: card({"3": {"accuracy": 0.4, "size": 64}}),
}


def test_learning_curves():
    made = figures.learning_curves(CARDS, 0.824)
    (ax,) = made.axes
    lines = {line.get_label(): line for line in ax.lines}
    assert list(lines["ResNet-18"].get_xdata()) == [1, 2] and list(lines["ResNet-50"].get_ydata()) == [0.4]
    assert {"at 64 pixels", "at 96 pixels"} < set(lines)
    assert set(lines["paper, ResNet-50, at the end"].get_ydata()) == {0.824}


def test_accuracy_against_certainty_has_a_panel_for_each_network():
    made = figures.accuracy_against_certainty(CARDS)
    assert [texts(ax)[0] for ax in made.axes] == ["ResNet-18", "ResNet-50"]
    assert len(made.axes[0].lines) == 4 and len(made.legends[0].texts) == 4


def test_deletion_and_insertion():
    height = {"mean": [0.9, 0.1], "low": [0.8, 0.0], "high": [1.0, 0.2]}
    line = {"share": [0.0, 1.0], "probability": height}
    measured = {way: {kind: line for kind in ("certainty", "blurring")} for way in ("deletion", "insertion")}
    made = figures.deletion_and_insertion(SMALL, {"methods": {ICG: measured, "AGN": measured}})
    assert "Four panels of curves for the ResNet-18" in made.alt
    assert [texts(ax)[0] for ax in made.axes] == [
        f"{way}, {label}" for way in ("deletion", "insertion") for label in ("certainty taken", "blurred")
    ]
    for ax in made.axes:
        assert [line.get_label() for line in ax.lines] == [ICG, "AGN"] and len(ax.collections) == 1  # a band for ICG


def test_forgetting_begins_at_one():
    stage = {kind: {"mean": value} for kind, value in (("signed", 0.1), ("absolute", 0.4))}
    methods = {"EG": {"sanity": {"fc": stage, "front": stage}}, "random": {}}
    result = {"settings": {"stages": ["fc", "front"]}, "methods": methods}
    made = figures.forgetting({SMALL: result, LARGE: result})
    assert len(made.axes) == 4
    signed, absolute = (ax.lines[0] for ax in made.axes[:2])
    assert list(signed.get_ydata()) == [1.0, 0.1, 0.1] and list(absolute.get_ydata()) == [1.0, 0.4, 0.4]
    assert len(made.axes[0].lines) == 2  # EG's, and the zero line
