"""The maths of "draw a digit" without a page: pictures, answers and maps are those of Python."""

import numpy as np
import pytest
import torch
from pages import Script, payload
from torch import nn

from icg.artifacts import load_model
from icg.attribution import integrated_certainty_gradients, integrated_gradients
from icg.certainty import join
from icg_book.kit.page.explorable import script_beside
from icg_book.kit.page.networks import as_in_page
from icg_book.mnist import draw_digit as module
from icg_book.mnist.draw_digit import draw_digit
from icg_book.scenarios import drawn_digits

SCRIPT = script_beside(module.__file__).with_name("draw_digit_maths.js")


def layered(*front):
    """A network of every kind of layer that the page knows, with weights so large that its answers differ."""
    torch.manual_seed(3)
    model = nn.Sequential(
        *(*front, nn.Conv2d(2, 5, 3, padding=1), nn.Tanh(), nn.MaxPool2d(2), nn.Conv2d(5, 6, 3), nn.SiLU()),
        *(nn.AvgPool2d(2), nn.Conv2d(6, 4, 2, padding=1, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(196, 7)),
        *(nn.SiLU(), nn.Linear(7, 10)),
    )
    for layer in model:
        if hasattr(layer, "weight"):
            layer.weight.data *= 2
    model.certainty_aware = True
    return model.eval()


@pytest.fixture(scope="module")
def models():
    """What the explorables of the page compute with; in the last one, two layers are straight along a path."""
    small = load_model("mnist-small")
    return [as_in_page(m).double() for m in (small, layered(), layered(nn.Conv2d(2, 2, 3, padding=1), nn.AvgPool2d(1)))]


@pytest.fixture(scope="module")
def explorables(models):
    picture = b"\x89PNG"
    found = [draw_digit(fallback=picture), *(draw_digit(model.float(), fallback=picture) for model in models[1:])]
    for model in models:
        model.double()
    return found


@pytest.fixture(scope="module")
def ask(explorables):
    with Script(SCRIPT, "drawDigitMaths(data)", payload(explorables[0])) as ask:
        yield ask


def scribble(seed, n=9):
    generator = torch.Generator().manual_seed(seed)
    steps = 3 * torch.randn(n, 2, generator=generator, dtype=torch.float64)
    return (((14 + steps.cumsum(0)).clamp(0, 28) * 128).round() / 128).tolist()


def python_map(model, image, method, target):
    """The map and the two ends of its path, from many small steps."""
    inputs = join(image.double()[None])
    if method == 0:
        values = integrated_certainty_gradients(model, inputs, target=target, n_steps=200, dtype=torch.float64)[0, 0]
        begin = join(image.double()[None], 0.0)
    else:
        values = integrated_gradients(model, inputs, target=target, n_steps=600, method="adaptive")[0, 0].double()
        begin = join(torch.zeros_like(image).double()[None])
    with torch.no_grad():
        ends = model(torch.cat([begin, inputs])).softmax(1)[:, target]
    return values.flatten().numpy(), ends.numpy()


def test_pictures_are_those_of_python(ask):
    drawings = [
        *drawn_digits.strokes(),
        [scribble(1)],
        [scribble(2), scribble(3, 4)],
        [[(3, 4)]],
        [[(3, 4), (3.5, 4)]],
        [],
    ]
    for drawing in drawings:
        values = np.array(ask("[...x.rasterise(a).values]", drawing))
        assert np.abs(values - drawn_digits.rasterise(drawing).flatten().double().numpy()).max() < 1e-6


@pytest.mark.parametrize("which", [0, 1, 2])
def test_answers_and_maps_are_those_of_python(explorables, models, which):
    """The book's drawings and scribbles; the predicted class and another one; both methods."""
    model = models[which]
    drawings = [*drawn_digits.strokes()[which::2], [scribble(5), scribble(6)]][-6 if which == 0 else -3 :]
    with Script(SCRIPT, "drawDigitMaths(data)", payload(explorables[which])) as ask:
        for number, drawing in enumerate(drawings):
            image = drawn_digits.rasterise(drawing)
            p = ask("x.read(x.rasterise(a).values)", drawing)
            with torch.no_grad():
                logits = model(join(image.double()[None]))[0]
            ours = ask("[...x.network.forward([...x.rasterise(a).values, ...new Array(784).fill(1)])]", drawing)
            assert np.abs(np.array(ours) - logits.numpy()).max() < 1e-4
            assert np.abs(np.array(p) - logits.softmax(0).numpy()).max() < 1e-4
            for method in (0, 1):
                for target in (int(np.argmax(p)), (number + 3) % 10):
                    job = ask(
                        "(j => ({ ...j, map: [...j.map] }))(x.attribute(x.rasterise(a[0]).values, a[1], a[2])"
                        ".refine(Infinity))",
                        [drawing, method, target],
                    )
                    want, ends = python_map(model, image, method, target)
                    off, most = np.abs(np.array(job["map"]) - want).max(), np.abs(want).max()
                    kinks = 0.02 if which == 0 else 0.06  # with ReLU and maxima neither side is exact
                    assert off < min(1e-3, kinks * most + 1e-5), (number, method, target, off, most)
                    assert [job["from"], job["to"]] == pytest.approx(ends.tolist(), abs=1e-4)
                    assert job["sum"] == pytest.approx(ends[1] - ends[0], abs=1e-3)
                    assert job["done"] and job["gradients"] < 1300


def test_the_first_map_of_a_moving_drawing_is_close_already(ask):
    for drawing in drawn_digits.strokes():
        quick, good = ask(
            "(v => { const k = x.read(v).indexOf(Math.max(...x.read(v))), j = x.attribute(v, 0, k);"
            " return [[...j.refine(0).map], [...j.refine(Infinity).map]] })(x.rasterise(a).values)",
            drawing,
        )
        assert np.abs(np.subtract(quick, good)).max() < 0.05 * np.abs(good).max()


def test_the_eraser_leaves_what_it_does_not_touch(ask):
    assert ask("x.erase([[[5, 5]], [[20, 20]]], [5.5, 5])") == [[[20, 20]]]  # dots
    assert ask("x.erase([[[5, 5], [6, 5]]], [20, 5])") == [[[5, 5], [6, 5]]]


def test_a_replay_shows_the_strokes_as_far_as_the_pen_has_come(ask):
    strokes = [[[0, 0], [3, 4]], [[10, 0], [10, 2], [12, 2]]]
    assert ask("x.lengthOf(a)", strokes) == 9
    assert ask("x.beginning(a, 0)", strokes) == []
    assert ask("x.beginning(a, 2.5)", strokes) == [[[0, 0], [1.5, 2]]]
    assert ask("x.beginning(a, 8)", strokes) == [[[0, 0], [3, 4]], [[10, 0], [10, 2], [11, 2]]]
    assert ask("x.beginning(a, 9)", strokes) == strokes
