"""The lab of MNIST and of MNIST in Space: digits, drawings as text, classes, and what it says of its results."""

import base64
import re
from dataclasses import replace

import IPython.display
import ipywidgets
import numpy as np
import pytest
import torch
from torch import nn

from icg.certainty import join
from icg_book.kit import lab, result_figures
from icg_book.kit.contenders import BASELINES, NAMES
from icg_book.kit.page.explorable import Explorable
from icg_book.mnist import lab as module
from icg_book.mnist.drawing_pad import drawing_pad
from icg_book.scenarios import drawn_digits, mnist_in_space

pytestmark = pytest.mark.filterwarnings("error")
CODE = drawn_digits.to_code([[(3.0, 4.0), (20.0, 4.0)], [(12.0, 4.0), (12.0, 25.0)]])
OTHER = drawn_digits.to_code([[(5.0, 5.0), (22.0, 24.0)]])


class Network(nn.Sequential):
    """Certainty-aware and small, for images of MNIST or canvases of MNIST in Space."""

    certainty_aware = True

    def __init__(self, shape=(2, 28, 28)):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            n = 4 * ((shape[1] - 5) // 4 + 1) * ((shape[2] - 5) // 4 + 1)
            super().__init__(nn.Conv2d(2, 4, 5, 4), nn.Tanh(), nn.Flatten(), nn.Linear(n, 10))
        self[3].weight.data *= 4  # answers that differ
        self.input_shape = shape
        self.eval()


class Live:
    """A lab, its controls by name, all that it has drawn (what would be a figure, which takes time) or displayed."""

    def __init__(self, monkeypatch, model, digits, data):
        monkeypatch.delenv("ICG_BOOK_BUILD", raising=False)
        self.displayed, self.figures = [], []
        monkeypatch.setattr(IPython.display, "display", self.displayed.append)
        monkeypatch.setattr(module, "picture", self.record)
        monkeypatch.setattr(module, "shown", lambda figure, alt: alt)
        self.widget = module.mnist_lab(model, digits, data)
        widgets = list(walk(self.widget))
        self.controls = {w.description: w for w in widgets if getattr(w, "description", "")}
        self.texts = [w for w in widgets if type(w) is ipywidgets.HTML]

    def record(self, *arguments):
        self.figures.append(arguments)

    def set(self, **values):
        """Each of them in turn; returns how often the lab drew."""
        before = len(self.figures)
        for name, value in values.items():
            self.controls[{"label": "class"}.get(name, name)].value = value
        return len(self.figures) - before

    def drawn(self):
        """Input and map of the last figure."""
        return [panel[0].numpy() for panel in self.figures[-1][:2]]

    def says(self):
        return " ".join(text.value for text in self.texts)


def walk(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from walk(child)


@pytest.fixture
def model():
    return Network()


@pytest.fixture
def digits():
    return drawn_digits.load()[:5]


@pytest.fixture
def data():
    return torch.rand(10, 1, 28, 28, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def live(monkeypatch, model, digits, data):
    return Live(monkeypatch, model, digits, data)


@pytest.fixture
def space(monkeypatch, digits):
    model = Network(mnist_in_space_shape())
    data = torch.rand(10, 1, 32, 64, generator=torch.Generator().manual_seed(2))
    return Live(monkeypatch, model, digits, data)


def mnist_in_space_shape():
    return (2, mnist_in_space.HEIGHT, mnist_in_space.WIDTH)


# ---- controls


def test_it_has_the_controls_it_promises_and_shows_a_map_at_once(live, digits):
    kinds = {name: type(control).__name__ for name, control in live.controls.items()}
    choices = dict.fromkeys(("digit", "class", "method", "baseline", "output"), "Dropdown")
    assert kinds == {**choices, "steps": "IntSlider", "noise": "FloatSlider", "drawing": "Textarea"}
    labels = [name for name, _ in live.controls["digit"].options]
    assert labels == ["digit 0, a 0", "digit 1, a 1", "digit 2, a 2", "digit 3, a 3", "digit 4, a 4", "your drawing"]
    assert [name for name, _ in live.controls["class"].options] == ["the predicted one", *"0123456789"]
    assert live.controls["method"].options == NAMES and live.controls["baseline"].options == BASELINES
    assert len(live.figures) == 1 and np.array_equal(live.drawn()[0], digits.images[0, 0])
    assert live.says().strip() == ""  # with data, and without a bad code, there is nothing to say


CHANGES = {"digit": 2, "label": 3, "baseline": "middle", "steps": 16, "noise": 0.2, "output": "logit"}


@pytest.mark.parametrize("method", NAMES)
def test_every_control_that_is_enabled_changes_the_figure(live, method):
    baseline = "Gaussian noise" if method == "Integrated Gradients" else "zero"  # the one that noise matters to
    live.set(method=method, baseline=baseline, noise=0.1, drawing=CODE, digit=0)
    for name, value in CHANGES.items():
        if live.controls[{"label": "class"}.get(name, name)].disabled:
            continue
        before = live.drawn()
        assert live.set(**{name: value}) == 1, name  # once, not once per listener
        assert not np.array_equal(before[1], live.drawn()[1]), f"{name} does nothing for {method}"
        if name == "baseline":
            live.set(baseline=baseline)


@pytest.mark.parametrize("method", NAMES)
def test_only_what_matters_is_enabled(live, method):
    live.set(method=method)
    enabled = {name for name, control in live.controls.items() if not control.disabled}
    assert ("baseline" in enabled) == (method == "Integrated Gradients")
    assert ("steps" in enabled) == (method != "Gradient")
    assert ("noise" in enabled) == (method in {"Integrated Certainty Gradients", "SmoothGrad"})
    assert {"digit", "class", "drawing", "method", "output"} <= enabled


def test_the_class_is_the_predicted_one_or_any(live, model, digits):
    with torch.no_grad():
        p = model(join(digits.images[:1])).softmax(1)[0]
    np.testing.assert_allclose(live.figures[0][3][0], p.numpy(), atol=1e-6)
    options = {"baseline": "zero", "n_steps": 64, "noise_std": 0.0, "output": "probability"}
    for choice, target in ((module.PREDICTED, int(p.argmax())), *((k, k) for k in range(10))):
        live.set(label=choice)
        expected = lab.attribute(model, digits.images[:1], None, method=NAMES[0], target=target, **options)
        np.testing.assert_allclose(live.drawn()[1], expected[0, 0], atol=1e-12)


# ---- drawings


def test_the_pad_writes_into_the_field(live):
    (pad,) = (thing for thing in live.displayed if isinstance(thing, Explorable))
    assert pad.name == "drawing_pad"
    assert pad.data["field"] in live.controls["drawing"]._dom_classes


def test_two_labs_do_not_share_a_field(monkeypatch, model, digits, data):
    labs = [Live(monkeypatch, model, digits, data) for _ in range(2)]
    first, second = ([thing.data["field"] for thing in one.displayed if isinstance(thing, Explorable)] for one in labs)
    assert first != second


def test_a_drawing_is_explained_as_soon_as_its_code_is_there(live, model, capsys):
    assert live.set(drawing=CODE) == 1
    assert live.controls["digit"].label == "your drawing"
    assert np.array_equal(live.drawn()[0], drawn_digits.from_code(CODE)[0])
    with torch.no_grad():
        p = model(join(drawn_digits.from_code(CODE)[None])).softmax(1)[0]
    assert f"your drawing: the network reads a {int(p.argmax())}" in capsys.readouterr().out
    assert live.set(drawing=OTHER) == 1
    assert np.array_equal(live.drawn()[0], drawn_digits.from_code(OTHER)[0])


def test_one_can_go_back_to_a_digit_and_to_the_drawing(live, digits):
    live.set(drawing=CODE)
    assert live.set(digit=3) == 1 and np.array_equal(live.drawn()[0], digits.images[3, 0])
    assert live.set(digit=module.DRAWING) == 1
    assert np.array_equal(live.drawn()[0], drawn_digits.from_code(CODE)[0])


def test_no_drawing_is_no_result(live, capsys):
    assert live.set(digit=module.DRAWING) == 0
    assert "no drawing yet" in capsys.readouterr().out
    live.set(drawing=CODE)
    capsys.readouterr()
    assert live.set(drawing="") == 0  # the pad's "Clear"
    assert "no drawing yet" in capsys.readouterr().out and live.says().strip() == ""
    assert live.set(digit=1) == 1


@pytest.mark.parametrize("bad", ["5", CODE[:-1], CODE + "!", "draw me a sheep!", "9999", CODE + "..", "<b>AA</b>"])
def test_a_bad_code_is_met_with_a_reason(live, bad, capsys):
    live.set(drawing=CODE)
    capsys.readouterr()
    assert live.set(drawing=bad) == 0
    said = live.says()
    assert 'role="alert"' in said and "expected the code of a drawing" in said and "<b>" not in said
    assert "Traceback" not in capsys.readouterr().out
    assert live.set(drawing=OTHER) == 1 and live.says().strip() == ""


def test_a_bad_code_does_not_disturb_a_digit(live, digits):
    assert live.set(digit=2, drawing="no code") == 1
    assert 'role="alert"' in live.says() and live.controls["digit"].value == 2
    assert np.array_equal(live.drawn()[0], digits.images[2, 0])


def test_a_pasted_code_may_have_spaces_and_quotes(live):
    assert live.set(drawing=f' "{CODE[:10]}\n{CODE[10:]}" ') == 1
    assert np.array_equal(live.drawn()[0], drawn_digits.from_code(CODE)[0])


@pytest.mark.parametrize("name", ["", "two words", "a.b", 3, "x>y"])
def test_the_pad_wants_a_plain_name(name):
    with pytest.raises(ValueError, match="plain name"):
        drawing_pad(name)


# ---- what it says


def numbers(text):
    found = re.search(r"sum to ([+-][\d.]+)\.\n(?:Completeness asks for ([+-][\d.]+),.*|Gradients.*)\.\n", text)
    counted = re.search(r"Evaluations: (\d+) forward and backward, (\d+) forward only", text)
    return *(float(x) if x else None for x in found.groups()), *(int(x) for x in counted.groups())


def test_sums_and_differences(live, model, digits, data, capsys):
    image = digits.images[1:2]
    live.set(digit=1, label=4, steps=128)

    def output(values, certainty=1.0, name="probability"):
        with torch.no_grad():
            logits = model(join(values, certainty)).double()
        return (logits.softmax(1) if name == "probability" else logits)[:, 4].mean().item()

    mean = data.mean(0, keepdim=True)
    for name in ("probability", "logit"):
        for choice, nothing in (
            ({"method": "Integrated Certainty Gradients"}, output(image, 0.0, name)),
            ({"method": "Integrated Gradients", "baseline": "zero"}, output(torch.zeros_like(image), name=name)),
            ({"method": "Integrated Gradients", "baseline": "mean"}, output(mean, name=name)),
        ):
            live.set(output=name, **choice)
            total, difference, with_gradient, _ = numbers(capsys.readouterr().out.split("digit 1")[-1])
            assert difference == pytest.approx(output(image, name=name) - nothing, abs=1e-4)
            assert total == pytest.approx(difference, abs=0.01)
            assert total == pytest.approx(live.drawn()[1].sum(), abs=1e-4)
            assert with_gradient == 128
    live.set(method="Expected Gradients")  # it averages over random images: near, not equal
    total, difference, with_gradient, _ = numbers(capsys.readouterr().out.split("digit 1")[-1])
    assert difference == pytest.approx(output(image, name="logit") - output(data, name="logit"), abs=0.1)
    assert with_gradient == 128


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"method": "Gradient"}, 1),
        ({"method": "SmoothGrad", "steps": 24}, 24),
        ({"method": "Integrated Gradients", "baseline": "Gaussian noise", "steps": 16}, 20 * 16),
        ({"steps": 16, "noise": 0.1}, 5 * 16),
    ],
    ids=str,
)
def test_evaluations_are_counted(live, choice, expected, capsys):
    live.set(**choice)
    text = capsys.readouterr().out
    *_, with_gradient, forward_only = numbers(text[text.rindex("digit 0") :])
    assert with_gradient == expected and forward_only >= 1
    if choice.get("method") in {"Gradient", "SmoothGrad"}:
        assert text.rstrip().splitlines()[-2] == "Gradients need not add up to anything."


@pytest.mark.parametrize("name", ["live", "space"])
def test_the_picture(name, request):
    live = request.getfixturevalue(name)
    live.set(label=3)
    figure = result_figures.picture(*live.figures[-1])
    panels = {ax.get_title(): ax for ax in figure.axes}
    for title, values in zip(
        ("input", "Integrated Certainty Gradients\nprobability of class 3"), live.drawn(), strict=True
    ):
        assert np.array_equal(panels[title].images[0].get_array(), values)
    bars = panels["probability"].patches
    probabilities = live.figures[-1][3][0]
    np.testing.assert_allclose([bar.get_width() for bar in bars], probabilities, atol=1e-12)
    assert [k for k, bar in enumerate(bars) if bar.get_facecolor() != bars[0].get_facecolor()] == [3]

    alt = live.displayed[-1]
    assert alt.startswith("digit 0, a 0. ") and "class 3 by Integrated Certainty Gradients" in alt
    assert f"{probabilities.max():.3f} for {int(probabilities.argmax())}" in alt
    shown = lab.shown(figure, alt + '"<').data
    assert re.search(r'<img alt="([^"]+)"', shown).group(1) == alt + "&quot;&lt;"
    (picture,) = re.findall(r"base64,([^\"]+)", shown)
    assert base64.b64decode(picture)[:4] == b"<svg"


def test_the_model_is_as_it_was(live, model):
    live.set(method="SmoothGrad", drawing=CODE)
    assert not model.training and all(p.requires_grad and p.grad is None for p in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())


# ---- without data


def test_without_data_two_choices_are_absent_and_a_line_says_why(monkeypatch, model, digits):
    live = Live(monkeypatch, model, digits, None)
    assert "Expected Gradients" not in live.controls["method"].options
    assert "mean" not in live.controls["baseline"].options
    assert set(NAMES) - set(live.controls["method"].options) == {"Expected Gradients"}
    assert set(BASELINES) - set(live.controls["baseline"].options) == {"mean"}
    assert "Expected Gradients" in live.says() and "mean baseline" in live.says() and "training set" in live.says()
    for method in live.controls["method"].options[1:]:
        live.set(method=method)
    for baseline in live.controls["baseline"].options[1:]:
        assert live.set(method="Integrated Gradients", baseline=baseline) >= 1


# ---- MNIST in Space


def test_in_space_the_place_is_a_choice(space, digits):
    assert space.controls["place"].options == ("left", "middle", "right")
    inputs = {}
    for name, column in (("right", 33), ("middle", 18), ("left", 3)):
        assert space.set(place=name) == 1
        inputs[name] = space.drawn()[0]
        assert np.array_equal(inputs[name], mnist_in_space.place(digits.images[:1], column)[0, 0])
    assert not np.array_equal(inputs["left"], inputs["right"])


def test_in_space_a_drawing_is_placed_too_and_every_method_runs(space):
    assert space.set(drawing=CODE) == 1
    space.set(place="right")
    expected = mnist_in_space.place(drawn_digits.from_code(CODE)[None], 33)[0, 0]
    assert np.array_equal(space.drawn()[0], expected)
    for method in NAMES[1:]:
        assert space.set(method=method) >= 1 and space.drawn()[1].shape == (32, 64)


# ---- while the book is built


@pytest.mark.parametrize("shape", [(2, 28, 28), mnist_in_space_shape()], ids=["mnist", "space"])
@pytest.mark.parametrize("with_data", [True, False])
def test_the_built_page_has_a_picture_and_a_link_and_no_control(shape, with_data, digits, monkeypatch):
    monkeypatch.setenv("ICG_BOOK_BUILD", "1")
    displayed = []
    monkeypatch.setattr(IPython.display, "display", displayed.append)
    shown = module.mnist_lab(Network(shape), digits, torch.rand(3, 1, *shape[1:]) if with_data else None)
    assert not isinstance(shown, ipywidgets.Widget) and displayed == []
    assert set(re.findall(r"<(\w+)", shown.data)) == {"figure", "div", "img", "figcaption", "a"}
    assert NAMES[0] in re.search(r'alt="([^"]+)"', shown.data).group(1)
    assert lab.colab_link("mnist") in shown.data and "draw one" in shown.data


# ---- bad arguments


def test_what_does_not_go_together_is_refused(model, digits, data):
    plain = Network()
    plain.certainty_aware = False
    wide = replace(digits, images=torch.zeros(5, 1, 32, 64))
    for arguments, message in (
        ((plain, digits, data), "certainty-aware"),
        ((model, digits[:0], data), "expected digits"),
        ((model, wide, data), "expected digits"),
        ((model, digits, wide.images), r"expected data of shape \(M, 1, 28, 28\)"),
        ((Network(mnist_in_space_shape()), digits, data), r"\(M, 1, 32, 64\)"),
        ((Network((2, 40, 40)), digits, data), "MNIST in Space"),
    ):
        with pytest.raises(ValueError, match=message):
            module.mnist_lab(*arguments)
