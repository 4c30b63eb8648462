"""The lab of Imagenette: uploads, two methods side by side, runs that a newer choice ends, and what it says."""

import base64
import datetime
import io
import re
import threading
import time

import ipywidgets
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from icg.certainty import join
from icg_book.imagenette import lab as module
from icg_book.imagenette.worker import Watched
from icg_book.kit import lab
from icg_book.kit.contenders import NAMES, evaluations
from icg_book.kit.pictures import open_picture, prepare

pytestmark = pytest.mark.filterwarnings("error")
CLASSES = ("cat", "dog", "<cow>")
LONG_AGO = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
ICG, IG = NAMES[:2]


class Network(nn.Sequential):
    """Certainty-aware and small; every evaluation can be made to wait."""

    certainty_aware, input_shape = True, (4, 32, 32)

    def __init__(self):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            super().__init__(nn.Conv2d(4, 6, 5, 4), nn.Tanh(), nn.Flatten(), nn.Linear(6 * 49, 3))
        self[3].weight.data *= 3  # answers that differ
        self.eval()


class Gate:
    """Holds up whoever passes while it is shut."""

    def __init__(self):
        self.opened, self.reached, self.passed = threading.Event(), threading.Event(), 0
        self.opened.set()

    def shut(self):
        self.opened.clear()
        self.reached.clear()

    def __call__(self, points):
        if points.requires_grad:
            self.reached.set()
            assert self.opened.wait(20)
            self.passed += len(points)


class Live:
    """A lab, its controls by side and name, and what it shows; pictures, which take time, are left out."""

    def __init__(self, monkeypatch, model, photographs, data, **options):
        monkeypatch.delenv("ICG_BOOK_BUILD", raising=False)
        self.gate, self.drawn = Gate(), []
        forward = Watched.forward

        def gated(watched, points):
            self.gate(points)
            return forward(watched, points)

        monkeypatch.setattr(Watched, "forward", gated)
        monkeypatch.setattr(module, "_shown_map", self.record)
        monkeypatch.setattr(module, "_shown_photograph", lambda shot, p, target, classes: f"{shot.name}: {target}")
        self.widget = module.photo_lab(model, photographs, data, CLASSES, **options)
        widgets = list(walk(self.widget))
        self.sides = [{}, {}]
        for w in widgets:
            if getattr(w, "description", "") in ("method", "baseline", "steps", "noise"):
                side = self.sides[w.description in self.sides[0]]
                side[w.description] = w
        self.controls = {w.description: w for w in widgets if getattr(w, "description", "")}
        self.html = [w for w in widgets if type(w) is ipywidgets.HTML]
        self.bars = [w for w in widgets if type(w) is ipywidgets.IntProgress]
        self.rest()

    def record(self, result, shot, *, view, over):
        self.drawn.append((result, shot, view, over))
        return f"<b>{result.title}</b>"

    def rest(self):
        assert self.widget.wait(20)

    def set(self, side=None, **values):
        """Each of them in turn, waiting each time."""
        for name, value in values.items():
            controls = self.controls if side is None else self.sides[side]
            controls[{"label": "class", "over": "over the photograph"}.get(name, name)].value = value
            self.rest()

    def results(self):
        """The two that are shown."""
        return [result for result, *_ in self.drawn[-2:]]

    def says(self):
        return " ".join(w.value for w in self.html)

    def upload(self, name, content):
        one = {"name": name, "content": memoryview(content), "type": "", "size": 1, "last_modified": LONG_AGO}
        self.controls["Upload"].value = (one,)
        self.rest()


def walk(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from walk(child)


def file(picture, kind="PNG", **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def made_up(width=60, height=40, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture
def model():
    return Network()


@pytest.fixture
def photographs():
    return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def data():
    return torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def live(monkeypatch, model, photographs, data):
    return Live(monkeypatch, model, photographs, data, labels=torch.tensor([2, 0, 1]))


# ---- controls


def test_it_has_the_controls_it_promises_and_shows_two_maps(live):
    labels = [name for name, _ in live.controls["photograph"].options]
    assert labels == ["photograph 0, <cow>", "photograph 1, cat", "photograph 2, dog", "your photograph"]
    assert [name for name, _ in live.controls["class"].options] == ["the predicted one", *CLASSES]
    for side in live.sides:
        assert side["method"].options == NAMES and side["baseline"].options == lab.BASELINES
    assert [side["method"].value for side in live.sides] == [ICG, IG]
    assert [result.title for result in live.results()] == [ICG, f"{IG}, zero baseline"]
    assert [bar.layout.visibility for bar in live.bars] == ["hidden"] * 2 and live.controls["Stop"].disabled


def test_the_maps_are_those_of_the_library(live, model, photographs, data):
    live.set(photograph=1, label=2, output="logit")
    live.set(0, method="Expected Gradients", steps=16)
    live.set(1, method="SmoothGrad", noise=0.2, steps=24)
    first = {"method": "Expected Gradients", "n_steps": 16, "noise_std": 0.0}
    second = {"method": "SmoothGrad", "n_steps": 24, "noise_std": 0.2}
    for result, chosen in zip(live.results(), (first, second), strict=True):
        expected = lab.attribute(model, photographs[1:2], data, target=2, output="logit", baseline="zero", **chosen)
        np.testing.assert_allclose(result.map, expected[0, 0], atol=1e-12)
        assert "logit of <cow>" in result.text


def test_the_class_is_the_predicted_one_or_any(live, model, photographs):
    for k in range(3):
        live.set(photograph=k, label=module.PREDICTED)
        with torch.no_grad():
            best = int(model(join(photographs[k : k + 1])).argmax())
        assert f"photograph {k}, " in live.says() and f": {best}" in live.says()
        assert all(f"probability of {CLASSES[best]} " in result.text for result in live.results())
        live.set(label=(best + 1) % 3)
        assert all(f"probability of {CLASSES[(best + 1) % 3]} " in result.text for result in live.results())


@pytest.mark.parametrize("method", NAMES)
def test_only_what_matters_is_enabled_on_each_side_and_changes_its_map(live, method):
    live.set(1, method=method)
    if method == IG:
        live.set(1, baseline="Gaussian noise")  # the one that noise matters to
    for name, value in (("baseline", "middle"), ("steps", 16), ("noise", 0.2)):
        control = live.sides[1][name]
        assert (
            control.disabled
            == {
                "baseline": method != IG,
                "steps": method == "Gradient",
                "noise": method in ("Gradient", "Expected Gradients", "Block-wise certainty gradients")
                or (method == IG and control.disabled),
            }[name]
        )
        if control.disabled:
            continue
        left, right = live.results()
        live.set(1, **{name: value})
        assert live.results()[0] is left, "the other side is not computed again"
        assert not np.array_equal(live.results()[1].map, right.map)
    assert live.sides[0]["method"].value == ICG


def test_without_data_two_choices_are_absent_and_a_line_says_why(monkeypatch, model, photographs):
    live = Live(monkeypatch, model, photographs, None)
    for side in live.sides:
        assert set(NAMES) - set(side["method"].options) == {"Expected Gradients"}
        assert set(lab.BASELINES) - set(side["baseline"].options) == {"mean"}
    assert "Expected Gradients and the mean baseline are not on offer" in live.says()


# ---- runs


def test_what_was_computed_is_not_computed_again(live):
    count = live.gate.passed
    live.set(map="blurred", over=True)
    assert live.gate.passed == count
    assert [(view, over) for _, _, view, over in live.drawn[-2:]] == [("blurred", True)] * 2
    live.set(photograph=1)
    live.set(photograph=0)
    assert live.gate.passed == 2 * count  # 64 on either side, for one more photograph
    live.set(1, noise=0.0)  # disabled: it matters to neither
    assert live.gate.passed == 2 * count


def test_a_newer_choice_ends_a_run_and_nothing_queues(live):
    live.gate.shut()
    before, drawn = live.gate.passed, len(live.drawn)
    live.controls["photograph"].value = 1
    assert live.gate.reached.wait(20)
    assert live.controls["Stop"].disabled is False and live.bars[0].layout.visibility == "visible"
    for steps in (72, 80, 88, 96, 104, 112):  # while the first run can't get on
        live.sides[0]["steps"].value = steps
    live.controls["photograph"].value = 2
    live.gate.opened.set()
    live.rest()
    assert len(live.drawn) == drawn + 2 and live.drawn[-1][1].name == "photograph 2, dog"
    assert "Evaluations: 112 forward" in live.results()[0].text
    # The first run got no further than what it was at: a batch, and then the newest one alone.
    assert live.gate.passed - before <= 112 + 64 + 2 * 42
    assert live.bars[0].layout.visibility == "hidden" and live.controls["Stop"].disabled


def test_the_button_stops_and_starts_again(live):
    stop, drawn = live.controls["Stop"], len(live.drawn)
    live.gate.shut()
    live.controls["photograph"].value = 1
    assert live.gate.reached.wait(20) and not stop.disabled
    assert all(module.STALE in place._dom_classes for place in live.html[-2:])
    stop.click()
    live.gate.opened.set()
    live.rest()
    assert len(live.drawn) == drawn and stop.description == "Run" and not stop.disabled
    assert live.bars[0].layout.visibility == "hidden"
    stop.click()
    live.rest()
    assert len(live.drawn) == drawn + 2 and stop.description == "Stop" and stop.disabled
    assert not any(module.STALE in place._dom_classes for place in live.html[-2:])


def test_choices_are_heard_while_the_network_runs(live):
    live.gate.shut()
    start = time.monotonic()
    live.controls["photograph"].value = 1
    live.controls["photograph"].value = 2
    assert time.monotonic() - start < 5  # and not the gate's 20 seconds
    live.gate.opened.set()
    live.rest()


def test_the_bar_runs_to_its_end(live):
    seen = []
    live.bars[1].observe(lambda change: seen.append((change["new"], live.bars[1].max)), names="value")
    live.set(1, steps=128)
    values = [value for value, most in seen if value]
    assert values == sorted(values) and len(values) > 2 and seen[-1] == (128, 128)


@pytest.mark.parametrize(
    ("method", "baseline", "noise"),
    [*((method, "zero", 0.1) for method in NAMES), (ICG, "zero", 0.0), (IG, "Gaussian noise", 0.1)],
)
def test_the_plan_is_what_is_done(model, photographs, data, method, noise, baseline):
    chosen = {"method": method, "baseline": baseline, "n_steps": 4, "noise_std": noise, "output": "probability"}
    watched = Watched(model)
    module._explain(watched, photographs[:1], data, 0, CLASSES, chosen)
    assert watched.with_gradient == evaluations(*module._chosen(**chosen))


def test_an_error_of_the_model_is_told_and_the_lab_goes_on(live, monkeypatch):
    def broken(*_):
        raise RuntimeError("no <luck>")

    monkeypatch.setattr(module, "_explain", broken)
    live.set(photograph=1)
    assert "RuntimeError: no &lt;luck&gt;" in live.says() and 'role="alert"' in live.says()
    live.set(photograph=0)  # known already
    assert "luck" not in live.says() and live.drawn[-1][1].name == "photograph 0, <cow>"


def test_the_model_is_left_alone(live, model):
    live.set(1, method="SmoothGrad")
    assert not model.training and all(p.requires_grad and p.grad is None for p in model.parameters())


# ---- uploads


def test_an_upload_is_explained_at_once(live):
    live.upload("my cat.png", file(made_up()))
    assert live.controls["photograph"].label == "your photograph"
    shot = live.drawn[-1][1]
    assert shot.name == "my cat.png" and shot.values.shape == (1, 3, 32, 32)
    assert shot.fine.shape == (40, 40, 3)  # the middle square
    first = live.results()[0].map
    live.upload("other.png", file(made_up(seed=1)))  # another one takes its place
    assert live.drawn[-1][1].name == "other.png" and not np.array_equal(live.results()[0].map, first)
    live.set(photograph=1)
    assert live.drawn[-1][1].name == "photograph 1, cat"
    live.set(photograph=module.OWN)
    assert live.drawn[-1][1].name == "other.png"


def test_values_of_both_ipywidgets():
    content = file(made_up())
    seven = {"a.png": {"metadata": {"name": "a.png", "type": "image/png", "size": len(content)}, "content": content}}
    eight = ({"name": "a.png", "type": "image/png", "size": len(content), "content": memoryview(content)},)
    for value in (seven, eight):
        name, found = module.uploaded(value)
        assert name == "a.png" and found == content and isinstance(found, bytes)
    assert module.uploaded({}) is None and module.uploaded(()) is None


def test_rotation_and_transparency_are_those_of_explain(tmp_path):
    picture = made_up(64, 48)
    exif = picture.getexif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    for content in (file(picture, "JPEG", exif=exif), file(picture.convert("RGBA")), file(picture.convert("L"), "GIF")):
        (tmp_path / "file").write_bytes(content)
        photo = prepare(open_picture(tmp_path / "file"), (3, 32, 32))
        shot = module.photo_from("x", content, (3, 32, 32))
        assert torch.equal(shot.values, photo.values) and list(shot.notes) == photo.notes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"<svg>", "is not a picture that can be read"),
        (file(made_up())[:200], "can't decode"),
        (file(made_up(9, 9)), "sides of 16 pixels or more"),
    ],
    ids=["empty", "no picture", "cut off", "tiny"],
)
def test_a_bad_file_is_met_with_a_reason(live, content, message):
    live.upload("<good>.png", file(made_up()))
    drawn = len(live.drawn)
    live.upload("<b>ad.png", content)
    said = live.says()
    assert 'role="alert"' in said and message.replace("'", "&#x27;") in said and "&lt;b&gt;ad.png" in said
    assert "/tmp" not in said and "upload" not in said and "<b>ad" not in said
    assert len(live.drawn) == drawn and live.controls["photograph"].label == "your photograph"
    live.upload("good.png", file(made_up()))
    assert "alert" not in live.says() and live.drawn[-1][1].name == "good.png"


def test_nothing_uploaded_is_no_result(live):
    drawn = len(live.drawn)
    live.set(photograph=module.OWN)
    assert len(live.drawn) == drawn and "no photograph of yours yet" in live.says()
    assert [place.value for place in live.html[-2:]] == ["", ""]
    live.set(photograph=2)
    assert len(live.drawn) == drawn + 2


def test_without_photographs_one_can_upload(monkeypatch, model):
    live = Live(monkeypatch, model, None, None)
    assert live.drawn == [] and "upload one" in live.says()
    live.upload("x.png", file(made_up()))
    assert len(live.drawn) == 2


# ---- what it says and shows


def test_sums_and_differences(live, model, photographs):
    def output(values, certainty=1.0):
        with torch.no_grad():
            return model(join(values, certainty)).double().softmax(1)[0, 1].item()

    live.set(photograph=2, label=1)
    live.set(0, steps=256)
    live.set(1, steps=256)
    image = photographs[2:3]
    for result, nothing in zip(live.results(), (output(image, 0.0), output(torch.zeros_like(image))), strict=True):
        total, asked = map(float, re.search(r"sum to ([+-][\d.]+)\. .* asks for ([+-][\d.]+),", result.text).groups())
        assert asked == pytest.approx(output(image) - nothing, abs=1e-4)
        assert total == pytest.approx(asked, abs=0.01) and total == pytest.approx(result.map.sum().item(), abs=1e-4)
        assert "256 forward and backward" in result.text
    live.set(1, method="Gradient")
    assert "need not add up" in live.results()[1].text


def test_blurring_keeps_the_sum_and_widens_a_point():
    point = torch.zeros(64, 64, dtype=torch.float64)
    point[30, 30] = 1
    found = module.blurred(point)
    assert found.sum() == pytest.approx(1, abs=1e-6) and found.argmax() == point.argmax()
    assert found.max() == pytest.approx(1 / (2 * np.pi * 2**2), rel=0.02)  # a Gaussian of 64 / 32 pixels


@pytest.fixture
def real(model, photographs):
    shot = module.Shot("a <b>", photographs[:1], np.full((40, 40, 3), 90, np.uint8), ("turned",))
    watched = Watched(model)
    result = module._explain(watched, shot.values, None, 2, CLASSES, {**module.PAIR[0], "n_steps": 16})
    return shot, result


@pytest.mark.parametrize(("view", "over"), [("raw", False), ("blurred", False), ("raw", True), ("blurred", True)])
def test_the_picture_of_a_map(real, view, over):
    from matplotlib.figure import Figure

    shot, result = real
    axes, bar = Figure().subplots(1, 2)
    module._draw_map(axes, bar, result, shot, view=view, over=over)
    (image,) = axes.images
    expected = module.blurred(result.map) if view == "blurred" else result.map
    if not over:
        assert np.allclose(image.get_array(), expected)
    else:  # on an even photograph, colours alone are left
        assert image.get_array().shape == (40, 40, 3)
        brightest = image.get_array().max()
        assert brightest == pytest.approx(0.4 + 0.6 * 90 / 255, abs=0.02)
    shown = module._shown_map(result, shot, view=view, over=over)
    alt = re.search(r'alt="([^"]+)"', shown).group(1)
    assert ICG in alt and "&lt;cow&gt;" in alt and alt.startswith("Blurred.") == (view == "blurred")
    assert base64.b64decode(re.search(r"base64,([^\"]+)", shown).group(1))[:4] == b"<svg"


def test_the_picture_of_a_photograph_and_its_probabilities(real):
    shot, _ = real
    shown = module._shown_photograph(shot, torch.tensor([0.2, 0.7, 0.1]), 0, CLASSES)
    assert "a &lt;b&gt; (turned): the network says dog, 70.0%" in shown and "0.200 for cat" in shown
    assert "<b>" not in shown


# ---- while the book is built


@pytest.mark.parametrize("with_data", [True, False])
def test_the_built_page_has_a_picture_and_a_link_and_no_control(model, photographs, data, with_data, monkeypatch):
    monkeypatch.setenv("ICG_BOOK_BUILD", "1")
    shown = module.photo_lab(model, photographs, data if with_data else None, CLASSES)
    assert not isinstance(shown, ipywidgets.Widget)
    assert set(re.findall(r"<(\w+)", shown.data)) == {"figure", "div", "img", "figcaption", "a"}
    alt = re.search(r'alt="([^"]+)"', shown.data).group(1)
    assert ICG in alt and f"{IG}, zero baseline" in alt and "the network says" in alt
    assert lab.colab_link("imagenette") in shown.data and "upload one" in shown.data


def test_the_built_page_without_photographs_says_so(model, monkeypatch):
    monkeypatch.setenv("ICG_BOOK_BUILD", "1")
    shown = module.photo_lab(model, None, None, CLASSES)
    assert "Without the photographs" in shown.data and lab.colab_link("imagenette") in shown.data


# ---- bad arguments


def test_what_does_not_go_together_is_refused(model, photographs, data):
    plain, small = Network(), nn.Identity()
    plain.certainty_aware, small.certainty_aware = False, True
    for arguments, message in (
        ((plain, photographs), "certainty-aware"),
        ((model, photographs[:, :1]), r"expected photographs of shape \(N, 3, H, W\)"),
        ((model, photographs[:0]), "N at least 1"),
        ((model, [1]), "got list"),
        ((model, (photographs * 255).byte()), "floating values in"),
        ((model, photographs * 2), "in \\[0, 1\\]"),
        ((model, photographs, data[..., :16]), r"expected data of shape \(L, 3, 32, 32\)"),
        ((small, None), "input_shape"),
        ((model, photographs, data, ("a", "b")), "names of 3 classes, got 2"),
    ):
        with pytest.raises(ValueError, match=message):
            module.photo_lab(*arguments)
    with pytest.raises(ValueError, match="a label for each of 3 photographs, got 1"):
        module.photo_lab(model, photographs, data, CLASSES, labels=[0])
