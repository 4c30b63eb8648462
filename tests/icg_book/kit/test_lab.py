"""The lab: with a kernel every control acts, without one there is a picture and a link, never a dead control."""

import ast
import base64
import html.parser
from pathlib import Path

import IPython.display
import ipywidgets
import numpy as np
import pytest
import torch
from torch import nn

from icg import artifacts
from icg.certainty import join
from icg_book.burnt_snacks.lab import burnt_snacks_lab
from icg_book.kit import lab
from icg_book.kit.contenders import BASELINES, NAMES

ROOT = Path(__file__).resolve().parents[3]


class Network(nn.Module):
    """Certainty-aware and small, for images of 12 x 12."""

    certainty_aware = True

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.layers = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(400, 2))

    def forward(self, x):
        return self.layers(x)


@pytest.fixture
def model():
    return Network().eval()


@pytest.fixture
def images():
    return torch.rand(3, 1, 12, 12, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def data():
    return torch.rand(10, 1, 12, 12, generator=torch.Generator().manual_seed(2))


# ---- attributions by name

DEFAULTS = {"baseline": "zero", "n_steps": 8, "noise_std": 0.1, "output": "probability"}


@pytest.mark.parametrize("method", NAMES)
@pytest.mark.parametrize("output", ["probability", "logit"])
def test_every_method_runs(model, images, data, method, output):
    maps = lab.attribute(model, images, data, method=method, **DEFAULTS | {"output": output})
    assert maps.shape == images.shape and maps.isfinite().all() and maps.any()


@pytest.mark.parametrize("baseline", BASELINES)
def test_every_baseline_runs_and_is_another(model, images, data, baseline):
    def found(name):
        return lab.attribute(model, images, data, method="Integrated Gradients", **DEFAULTS | {"baseline": name})

    maps = found(baseline)
    assert maps.shape == images.shape and maps.isfinite().all() and maps.any()
    assert not any(torch.equal(maps, found(other)) for other in BASELINES if other != baseline)


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "Integrated Doubt"},
        {"method": "Integrated Gradients", "baseline": "purple"},
        {"method": "Gradient", "output": "colour"},
        {"method": "Integrated Gradients", "n_steps": 0},
        {"method": "Gradient", "target": 2},
        {"method": "Expected Gradients", "data": None},
        {"method": "Integrated Gradients", "baseline": "mean", "data": None},
    ],
    ids=str,
)
def test_bad_names_are_refused(model, images, data, changes):
    with pytest.raises(ValueError, match="expected"):
        lab.attribute(model, images, **{"data": data} | DEFAULTS | changes)


@pytest.mark.parametrize("method", NAMES)
def test_the_change_along_the_path_can_be_had(model, images, data, method):
    options = {"method": method, **DEFAULTS}
    maps, delta = lab.attribute(model, images, data, return_convergence_delta=True, **options)
    assert torch.equal(maps, lab.attribute(model, images, data, **options))
    assert (delta is None) == (method in {"Block-wise certainty gradients", "SmoothGrad", "Gradient"})
    if method == "Integrated Gradients":
        inputs = join(torch.cat([images, torch.zeros_like(images)]))
        with torch.no_grad():
            p = model(inputs).softmax(1)
        target = p[: len(images)].argmax(1, keepdim=True)
        end, start = (part.gather(1, target)[:, 0].double() for part in p.split(len(images)))
        torch.testing.assert_close(maps.flatten(1).sum(1) - delta, end - start, atol=1e-6, rtol=0)


def test_names_in_messages(model, images, data):
    with pytest.raises(ValueError, match="SmoothGrad.*Integrated Doubt"):
        lab.attribute(model, images, data, method="Integrated Doubt", **DEFAULTS)
    with pytest.raises(ValueError, match="blurred.*purple"):
        lab.attribute(model, images, data, method="Integrated Gradients", **DEFAULTS | {"baseline": "purple"})


# ---- while the book is built


class Tags(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


def test_the_built_page_has_a_picture_and_a_link_and_no_control(model, images, data, monkeypatch):
    monkeypatch.setenv("ICG_BOOK_BUILD", "1")
    shown = burnt_snacks_lab(model, images, data)
    assert not isinstance(shown, ipywidgets.Widget)
    tags = Tags(shown.data).found
    assert {tag for tag, _ in tags} == {"figure", "div", "img", "figcaption", "a"}  # no input, select, button, script
    (picture,) = (attributes for tag, attributes in tags if tag == "img")
    assert NAMES[0] in picture["alt"]
    assert base64.b64decode(picture["src"].removeprefix("data:image/svg+xml;base64,"))[:5] == b"<svg "
    (link,) = (attributes["href"] for tag, attributes in tags if tag == "a")
    assert link == lab.colab_link("burnt_snacks")


def test_the_link_names_a_chapter_of_this_repository():
    link = lab.colab_link("burnt_snacks")
    assert link.startswith("https://colab.research.google.com/github/")
    assert artifacts.REPOSITORY.removeprefix("https://github.com/") in link
    # The plain notebook of the published branch; `make site` makes one of each chapter.
    folder, _, name = link.partition("/blob/gh-pages/")[2].partition("/")
    assert folder == "colab" and (ROOT / "book" / name).is_file()


# ---- with a kernel


class Live:
    """A lab, its controls by name, and every figure that it has drawn."""

    def __init__(self, model, images, data, monkeypatch):
        monkeypatch.delenv("ICG_BOOK_BUILD", raising=False)
        self.figures = []
        monkeypatch.setattr(IPython.display, "display", self.figures.append)
        self.widget = burnt_snacks_lab(model, images, data)
        self.controls = {child.description: child for child in self.widget.children if hasattr(child, "description")}

    def set(self, **values):
        for name, value in values.items():
            self.controls[name].value = value

    def drawn(self):
        """Input and map of the last figure, as one array."""
        return np.stack([ax.images[0].get_array() for ax in self.figures[-1].axes[:2]])

    def title(self):
        return self.figures[-1].axes[1].get_title()


@pytest.fixture
def live(model, images, data, monkeypatch):
    return Live(model, images, data, monkeypatch)


def test_it_has_the_controls_it_promises_and_shows_a_map_at_once(live):
    kinds = {name: type(control).__name__ for name, control in live.controls.items()}
    assert kinds == {
        "image": "Dropdown",
        "method": "Dropdown",
        "baseline": "Dropdown",
        "steps": "IntSlider",
        "noise": "FloatSlider",
        "output": "Dropdown",
    }
    assert isinstance(live.widget.children[-1], ipywidgets.Output)
    assert len(live.figures) == 1 and live.title() == "Integrated Certainty Gradients, probability"
    assert live.controls["method"].options == NAMES and live.controls["baseline"].options == BASELINES


CHANGES = {"image": 2, "baseline": "middle", "steps": 16, "noise": 0.2, "output": "logit"}


@pytest.mark.parametrize("method", NAMES)
def test_every_control_that_is_enabled_changes_the_figure(live, method):
    baseline = "Gaussian noise" if method == "Integrated Gradients" else "zero"  # the one that noise matters to
    live.set(method=method, baseline=baseline, noise=0.1)
    assert live.title().startswith(method)
    for name, value in CHANGES.items():
        if live.controls[name].disabled:
            continue
        before, drawn = live.drawn(), len(live.figures)
        live.set(**{name: value})
        assert len(live.figures) == drawn + 1, name  # once, not once per listener
        assert not np.array_equal(before, live.drawn()), f"{name} does nothing for {method}"
        if name == "baseline":
            live.set(baseline=baseline)


@pytest.mark.parametrize("method", NAMES)
def test_only_what_matters_is_enabled(live, method):
    live.set(method=method)
    enabled = {name for name, control in live.controls.items() if not control.disabled}
    assert ("baseline" in enabled) == (method == "Integrated Gradients")
    assert ("steps" in enabled) == (method != "Gradient")
    assert ("noise" in enabled) == (method in {"Integrated Certainty Gradients", "SmoothGrad"})
    live.set(baseline="Gaussian noise")
    quiet = {"Block-wise certainty gradients", "Expected Gradients", "Gradient"}
    assert live.controls["noise"].disabled == (method in quiet)
    assert {"image", "method", "output"} <= enabled


@pytest.mark.parametrize("baseline", BASELINES[1:])
def test_every_baseline_redraws(live, baseline):
    live.set(method="Integrated Gradients", noise=0.1)
    before = live.drawn()
    live.set(baseline=baseline)
    assert not np.array_equal(before, live.drawn())


def test_what_is_shown_is_what_the_library_returns(live, model, images, data, capsys):
    live.set(image=1, method="Integrated Gradients", baseline="mean", steps=24, output="logit")
    options = {"method": "Integrated Gradients", "baseline": "mean", "n_steps": 24, "noise_std": 0.0, "output": "logit"}
    maps = lab.attribute(model, images[1:2], data, **options)
    assert np.array_equal(live.drawn()[0], images[1, 0].numpy())
    np.testing.assert_allclose(live.drawn()[1], maps[0, 0].numpy(), rtol=1e-6)
    with torch.no_grad():
        p = model(join(images[1:2])).softmax(1)[0, 1].item()
    assert f"p(dark square) = {p:.4f}; attributions sum to {maps.sum().item():+.4f}" in capsys.readouterr().out


# ---- ipywidgets 7.7, which Colab has

# What labs may use of each class: all of it is in 7.7 and 8 alike.
COMMON = {
    "Dropdown": {"options", "description", "layout", "style"},
    "IntSlider": {"min", "max", "step", "description", "layout", "style", "continuous_update"},
    "FloatSlider": {"min", "max", "step", "description", "layout", "style", "continuous_update"},
    "Textarea": {"description", "placeholder", "rows", "layout", "style"},
    "Layout": {"width", "flex_flow"},
    "HTML": set(),
    "Output": set(),
    "HBox": {"layout"},
    "VBox": set(),
}


@pytest.mark.parametrize("module", ["kit", "burnt_snacks", "mnist"])
def test_only_what_ipywidgets_7_and_8_share_is_used(module):
    tree = ast.parse((ROOT / "book" / "icg_book" / module / "lab.py").read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    used = [node for node in calls if isinstance(node.func.value, ast.Name) and node.func.value.id == "widgets"]
    assert used
    for call in used:
        assert call.func.attr in COMMON, call.func.attr
        extra = {keyword.arg for keyword in call.keywords} - COMMON[call.func.attr]
        assert not extra, f"{call.func.attr}: {extra}"
    styles = [ast.literal_eval(node) for node in ast.walk(tree) if isinstance(node, ast.Dict) and _is_style(node)]
    assert all(style.keys() == {"description_width"} for style in styles)


def _is_style(node):
    keys = [key.value for key in node.keys if isinstance(key, ast.Constant)]
    return any(key in {"description_width", "button_width", "font_size", "text_color", "handle_color"} for key in keys)
