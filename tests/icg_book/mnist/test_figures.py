"""Figures and tables of the chapter: how many panels, what is said where others stand in for MNIST, rows of tables."""

import pytest
import torch
from matplotlib.figure import Figure

from icg.artifacts import load_card, load_result
from icg_book.mnist import figures, measured
from icg_book.mnist.digits import Collection
from icg_book.mnist.experiment import IN_SPACE, METHODS
from icg_book.scenarios.mnist import Digits

SQUARE, CANVAS = torch.rand(1, 1, 28, 28), torch.rand(1, 1, 32, 64)


@pytest.fixture(scope="module")
def result():
    return load_result("mnist")


@pytest.fixture(scope="module")
def cards():
    return {name: load_card(name) for name in measured.NETWORKS}


@pytest.fixture(scope="module")
def curves():
    return load_result("mnist-curves")


def model(inputs):
    return torch.eye(10)[[7] * len(inputs)] * 5


def titles(figure):
    assert isinstance(figure, Figure)
    return [ax.get_title() for ax in figure.axes if ax.get_title()]


def texts(figure):
    return [text.get_text() for ax in figure.axes for text in ax.texts]


def maps(*names):
    return {name: torch.randn(1, 1, 28, 28) for name in names}


def test_panels_leave_places_empty():
    items = [("one\nof two lines", "image", SQUARE), None, ("two", "map", SQUARE), ("three", "map", SQUARE)]
    figure = figures.panels(items, columns=2, faint=0.25)
    assert titles(figure) == ["one\nof two lines", "two", "three"]
    assert "max |value|" in figure.axes[1].get_xlabel() and not figure.axes[0].get_xlabel()
    assert len(figure.axes) == 4 and figure.axes[-1].get_xticklabels()[0].get_text() == "− 0.25 max"
    assert figure.axes[1].images[0].norm.vmax == pytest.approx(0.25 * SQUARE.max().item())
    assert len(figures.panels(items, columns=2, bar=False).axes) == 3


def test_a_mask_is_outlined_on_every_picture():
    mask = torch.zeros(1, 1, 28, 28, dtype=torch.bool)
    mask[..., 5:9, 5:9] = True
    items = [("picture", "image", SQUARE), ("map", "map", SQUARE)]
    figure = figures.panels(items, columns=3, outline=mask, bar=False)
    assert [len(ax.collections) for ax in figure.axes] == [1, 1]


def test_one_stroke_shows_the_gap_and_the_probabilities():
    nine = SQUARE.clone()
    four = torch.where(SQUARE > 0.5, SQUARE, 0.0)
    figure = figures.one_stroke(model, four, nine, "made up")
    first, second, third = titles(figure)
    p = torch.eye(10)[7].mul(5).softmax(0)
    assert first == f"made up\np(4) = {p[4]:.3f}" and second.endswith(f"p(9) = {p[9]:.3f}") and "gap" in third
    assert (figure.axes[2].images[0].get_array() == ((nine > four) & (four == 0))[0, 0].numpy()).all()


def test_the_note_says_what_is_here_and_escapes_what_was_tried():
    digits = Digits(torch.rand(3, 1, 28, 28), torch.arange(3))
    here = figures.data_note(Collection(digits, SQUARE, 60_000, SQUARE, SQUARE, "", None)).data
    assert "MNIST is here" in here and "60,000 digits" in here and "3 for testing" in here
    training = torch.tensor([0.0, 0.0, 0.0, 1.0]).repeat(196).view(1, 1, 28, 28)
    missing = figures.data_note(Collection(digits, training, 1797, SQUARE, SQUARE, "", "a <b> in a path")).data
    assert "stand in for MNIST" in missing and "a &lt;b&gt; in a path" in missing and "are 3 digits" in missing
    assert "1,797 handwritten" in missing and "of these 75%" in missing


def test_maps_of_the_four():
    four_maps = maps("IG", "ICG", "EG")
    figure = figures.maps_of_the_four(SQUARE, four_maps, SQUARE > 0.9)
    assert titles(figure) == ["input", "IG", "ICG", "EG"]


def test_figure_10_is_in_the_order_of_its_letters():
    found = maps("B: zero baseline", "C: middle baseline", "D: AGN", "F: ICG", "G: mean baseline", "H: EG")
    figure = figures.figure_10(model, SQUARE, found, SQUARE, "made up")
    assert [title[0] for title in titles(figure)] == list("ABCDEFGH")
    assert "p(7)" in titles(figure)[0] and "made up" in titles(figure)[0]
    assert [bool(ax.get_xlabel()) for ax in figure.axes[:7]] == [False, True, True, True, False, True, True]


def test_ten_questions_have_one_scale_for_each_method():
    weak, strong = torch.randn(10, 28, 28), 7 * torch.randn(10, 28, 28)
    figure = figures.ten_questions({"weak": weak, "strong": strong})
    assert len(figure.axes) == 20 and titles(figure)[3] == f"for a 3: {weak[3].sum():+.1f}".replace("-", "−")
    limits = [ax.images[0].norm.vmax for ax in figure.axes]
    for rows, found in (((0, 2), weak), ((1, 3), strong)):
        assert {limits[5 * row + k] for row in rows for k in range(5)} == {found.abs().max().item()}
    assert [figure.axes[5 * row].get_ylabel() for row in range(4)] == ["weak", "strong"] * 2


def test_figure_7_marks_the_band_and_covers_it_in_the_input_alone():
    band = torch.zeros(1, 1, 28, 28, dtype=torch.bool)
    band[:, :, 3:6] = True
    zero, one, certain = maps(*"abc").values()
    figure = figures.figure_7(SQUARE, band, zero, one, certain)
    assert [title[0] for title in titles(figure)] == list("ABCDEFG")
    assert [len(ax.patches) for ax in figure.axes[:7]] == [1, 0, 0, 0, 0, 0, 0]
    assert [len(ax.lines) for ax in figure.axes[:7]] == [2, 0, 0, 2, 2, 2, 2]
    assert [line.get_ydata()[0] for line in figure.axes[3].lines] == [2.5, 5.5]
    assert torch.allclose(torch.tensor(figure.axes[4].images[0].get_array()), (zero + one)[0, 0].double())


def test_taken_away_veils_what_is_taken():
    taken = torch.zeros(3, 1, 28, 28, dtype=torch.bool)
    taken[1, 0, :2, :2] = taken[2, 0, :4] = True
    p = {"values": torch.tensor([1.0, 0.5, 0.1]), "certainty": torch.tensor([1.0, 0.9, 0.8])}
    figure = figures.taken_away(SQUARE, taken, SQUARE.expand(3, -1, -1, -1), p, target=6)
    assert titles(figure) == ["0 pixels", "4 pixels", "112 pixels"]
    assert [ax.get_xlabel() for ax in figure.axes[2::3]] == ["p(6) = 0.100", "p(6) = 0.800"]
    assert [ax.get_ylabel() for ax in figure.axes[::3]] == list(measured.CHANGES.values())
    veil = figure.axes[5].images[1].get_array()
    assert ((veil[..., 3] == 1) == taken[2, 0].numpy()).all()


def test_figures_of_space_have_their_places():
    ghost = CANVAS > 0.9
    found = {name: torch.randn_like(CANVAS) for name in ("C: AGN", "D: ICG", "E: EG")}
    figure = figures.figure_11(model, CANVAS, found, CANVAS, ghost)
    assert [title[0] for title in titles(figure)] == list("ABCDE")
    left, right = found["C: AGN"], found["D: ICG"]
    assert len(titles(figures.ghost_and_data(left, right, ghost))) == 2


def test_figures_of_what_was_measured(result, cards, curves):
    figure = figures.figure_8(curves)
    assert titles(figure) == ["test loss", "test accuracy", "slowdown"]
    assert [len(ax.lines) for ax in figure.axes[:2]] == [3, 3] and len(figure.axes[2].containers) == 2
    figure = figures.deletion_and_insertion(result)
    assert len(figure.axes) == 4 and {len(ax.lines) for ax in figure.axes} == {len(METHODS)}
    assert figures.STYLES.keys() == METHODS.keys()
    figure = figures.agreement_matrix(result)
    n = len(METHODS) - 1  # without the control
    assert len(texts(figure)) == n * n and texts(figure)[0] == "1.00"
    (ax,) = figures.accuracy_by_column(cards).axes
    assert [line.get_label() for line in ax.lines] == ["with certainty", "plain twin"]


@pytest.mark.parametrize(
    ("make", "rows"),
    [
        (lambda result, cards, curves: figures.accuracy_table(cards), ["MNIST", "Space, left", "Space, right"]),
        (lambda result, cards, curves: figures.blindness_table(result), METHODS),
        (lambda result, cards, curves: figures.areas_table(result), METHODS),
        (lambda result, cards, curves: figures.ghost_table(result), IN_SPACE),
        (figures.claims_table, ["“an obvious suppression”", "a ‘ghost’"]),
    ],
    ids=["accuracy", "blindness", "areas", "ghost", "claims"],
)
def test_tables_have_a_row_for_each(make, rows, result, cards, curves):
    html = make(result, cards, curves).data
    assert all(row.split(",")[0].lower() in html.lower() for row in rows)
    expected = {3: 4, 2: 8}.get(len(rows), len(rows))
    assert html.count("scope='row'") == expected


def test_claims_are_numbers_of_the_page(result, cards, curves):
    html = figures.claims_table(result, cards, curves).data
    assert f"{curves['slowdown']['loss']['median']['mean']:.1f} for the same loss" in html
    assert f"EG {result['space']['methods']['EG']['ghost']['mean']:.1%}" in html
    assert f"{cards['mnist']['metrics']['accuracy']['all']:.2%} with," in html
