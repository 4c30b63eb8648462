"""Explorable "scrub certainty over a photograph", as far as Python goes; tests/browser opens it."""

import base64
import io

import numpy as np
import pytest
import torch
from pages import inflate, payload
from PIL import Image
from torch import nn

from icg.attribution import integrated_certainty_gradients, integrated_gradients
from icg.certainty import join, split
from icg_book.imagenette.photo_scrub import PhotoFrames, photo_frames, photo_scrub, smaller

CLASSES = ("cat", "dog", "cow")


class Network(nn.Sequential):
    """Certainty-aware, smooth, and of double precision."""

    certainty_aware = True

    def __init__(self, channels=3):
        with torch.random.fork_rng():
            torch.manual_seed(4)
            layers = nn.Conv2d(channels + 1, 8, 5, 3), nn.SiLU(), nn.Conv2d(8, 8, 3), nn.SiLU()
            super().__init__(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 3))
        self[6].weight.data *= 12  # answers that differ
        self.double().eval()


class Jump(nn.Module):
    """The first class's log-odds jump from -4 to 4 where the mean certainty passes ``at``."""

    certainty_aware = True

    def __init__(self, at=0.31, steep=400.0):
        super().__init__()
        self.at, self.steep = at, steep

    def forward(self, joined):
        values, certainty = split(joined)
        s = 4 * torch.tanh(self.steep * (certainty.mean((1, 2, 3)) - self.at)) + 0 * values.sum((1, 2, 3))
        return torch.stack([s, 0 * s, 0 * s - 5], 1)


def made_up(height=24, width=24, seed=0, channels=3):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(channels, height, width, generator=generator, dtype=torch.float64)


@pytest.fixture(scope="module")
def model():
    return Network()


@pytest.fixture(scope="module")
def frames(model):
    return photo_frames(model, made_up(), "a meadow", classes=CLASSES, target=1)


# ---- frames


def test_the_last_map_is_that_of_the_library(model, frames):
    joined = join(made_up()[None])
    options = {"target": 1, "dtype": torch.float64}
    exact = integrated_certainty_gradients(model, joined, method="gausslegendre", n_steps=100, **options)[0, 0]
    np.testing.assert_allclose(frames.maps[-1], exact, atol=1e-7, rtol=0)
    assert exact.abs().max() > 1e-3
    adaptive = integrated_certainty_gradients(model, joined, n_steps=500, **options)[0, 0]
    np.testing.assert_allclose(frames.maps[-1], adaptive, atol=1e-5, rtol=0)


def test_partial_sums_are_the_integral_up_to_each_certainty(model, frames):
    values = made_up()[None]
    for k in (1, 5, 14, 22, 29):
        part = integrated_gradients(
            model,
            join(values, float(frames.certainty[k])),
            join(values, 0.0),
            target=1,
            method="gausslegendre",
            n_steps=60,
            dtype=torch.float64,
        )
        np.testing.assert_allclose(frames.maps[k], part[0, -1], atol=1e-7, rtol=0)


def test_the_sum_so_far_is_the_change_of_the_probability_so_far(frames):
    own = frames.probabilities[:, 1]
    assert own.max() - own.min() > 0.05
    np.testing.assert_allclose(frames.sums.sum(1), own - own[0], atol=1e-6)
    np.testing.assert_allclose(frames.sums.sum(1), frames.maps.sum((1, 2)), atol=1e-12)
    assert (frames.sums[:, 0] >= 0).all() and (frames.sums[:, 1] <= 0).all() and (frames.maps[0] == 0).all()
    assert frames.gap == pytest.approx(np.abs(frames.sums.sum(1) - own + own[0]).max()) and frames.gap < 1e-6


def test_probabilities_are_the_models(model, frames):
    assert len(frames.certainty) == 31 and frames.certainty[0] == 0 and frames.certainty[-1] == 1
    for c, p in zip(frames.certainty, frames.probabilities, strict=True):
        with torch.no_grad():
            np.testing.assert_allclose(p, model(join(made_up()[None], float(c))).softmax(1)[0], atol=1e-12)


def test_stops_and_steps_go_where_the_answer_jumps():
    frames = photo_frames(Jump(), made_up(), "x", classes=CLASSES, target=0)
    near = np.abs(frames.certainty - 0.31) < 0.06
    assert near.sum() > 10 and np.diff(frames.certainty).min() < 0.01
    assert frames.gap < 0.02  # three points a cell alone would miss the jump
    assert frames.probabilities[0, 0] < 0.03 and frames.sums[-1].sum() == pytest.approx(0.95, abs=0.04)


def test_the_class_is_the_predicted_one_or_any(model):
    with torch.no_grad():
        best = int(model(join(made_up()[None])).argmax())
    assert photo_frames(model, made_up(), "x", classes=CLASSES, n_frames=17).target == best
    other = (best + 1) % 3
    assert photo_frames(model, made_up(), "x", classes=CLASSES, n_frames=17, target=other).target == other


def test_the_picture_is_the_photograph_or_a_finer_one(model, frames):
    expected = (255 * made_up()).round().byte().permute(1, 2, 0).numpy()
    assert np.array_equal(frames.picture, expected)
    fine = np.zeros((160, 160, 3), np.uint8)
    few = {"classes": CLASSES, "n_frames": 17}
    assert photo_frames(model, made_up(), "x", picture=fine, **few).picture is fine
    grey = photo_frames(Network(1), made_up(channels=1), "x", **few)
    assert grey.picture.shape == (24, 24, 3) and (grey.picture[..., 0] == grey.picture[..., 2]).all()


def test_the_model_is_as_it_was(model):
    model.train()
    try:
        photo_frames(model, made_up(), "x", classes=CLASSES, n_frames=17)
        assert model.training and all(p.requires_grad and p.grad is None for p in model.parameters())
    finally:
        model.eval()


@pytest.mark.parametrize("shape", [(24, 24), (64, 64), (65, 64), (100, 150), (128, 128), (160, 90)])
def test_smaller_maps_have_the_same_sums(shape):
    maps = np.random.default_rng(0).normal(size=(3, *shape))
    found = smaller(maps)
    assert max(found.shape[1:]) == min(64, max(shape))
    np.testing.assert_allclose(found.sum((1, 2)), maps.sum((1, 2)), atol=1e-9)
    if max(shape) <= 64:
        np.testing.assert_allclose(found, maps)
    if shape == (128, 128):
        np.testing.assert_allclose(found, maps.reshape(3, 64, 2, 64, 2).sum((2, 4)))
    even = smaller(np.ones((1, *shape)))
    np.testing.assert_allclose(even, even[0, 0, 0])  # no seams


def test_bad_input_to_the_frames(model):
    plain = Network()
    plain.certainty_aware = False
    good = {"model": model, "photograph": made_up(), "name": "x", "classes": CLASSES}
    for change, message in (
        ({"model": plain}, "certainty-aware"),
        ({"photograph": made_up()[None]}, r"shape \(3, H, W\)"),
        ({"photograph": made_up().numpy()}, "got ndarray"),
        ({"photograph": 2 * made_up()}, "values in \\[0, 1\\]"),
        ({"n_frames": 16}, "n_frames"),
        ({"target": 3}, "target in 0 to 2, got 3"),
        ({"classes": ("a", "b")}, "logits of 2 classes"),
    ):
        with pytest.raises(ValueError, match=message):
            photo_frames(**{**good, **change})


# ---- the page's data


def test_data_are_the_frames(frames):
    (data,) = payload(photo_scrub(frames))["photographs"]
    assert data["name"] == "a meadow" and data["classes"] == list(CLASSES) and data["target"] == 1
    for name, digits in (("certainty", 6), ("probabilities", 5), ("sums", 5)):
        np.testing.assert_allclose(data[name], getattr(frames, name), atol=0.6 * 10**-digits)
    raw = inflate(data["maps"], np.uint8)
    maps = raw.reshape(frames.maps.shape).cumsum(0).astype(np.uint8).view(np.int8) / 127 * data["scale"]
    assert data["scale"] == pytest.approx(np.abs(frames.maps).max(), rel=1e-6)
    np.testing.assert_allclose(maps, frames.maps, atol=data["scale"] / 253)


def test_the_photograph_is_a_small_jpeg(frames):
    large = frames._replace(picture=np.asarray(Image.linear_gradient("L").convert("RGB").resize((400, 300))))
    (data,) = payload(photo_scrub(large))["photographs"]
    kind, text = data["picture"].split(",")
    image = Image.open(io.BytesIO(base64.b64decode(text)))
    assert kind == "data:image/jpeg;base64" and image.format == "JPEG" and image.size == (160, 120)


def test_three_photographs_fit_in_600_kb():
    rng = np.random.default_rng(0)
    certainty = np.linspace(0, 1, 33)
    many = []
    for k in range(3):  # noise is the worst case
        maps = np.concatenate([np.zeros((1, 64, 64)), rng.normal(size=(32, 64, 64)).cumsum(0)])
        sums = np.stack([maps.clip(min=0).sum((1, 2)), maps.clip(max=0).sum((1, 2))], 1)
        picture = rng.integers(0, 256, (160, 160, 3), dtype=np.uint8)
        many.append(PhotoFrames(f"{k}", picture, CLASSES, 0, certainty, np.full((33, 3), 1 / 3), maps, sums))
    page = photo_scrub(many)
    assert len(page._json()) < 600_000
    assert len(page.fallback) < 250_000


def test_title_alt_text_and_static_picture(frames):
    page = photo_scrub([frames, frames._replace(name="another")], title="Look <here>")
    shown = page._repr_html_()
    assert "Look &lt;here&gt;" in shown and page.fallback.startswith(b"\x89PNG")
    first, last = frames.probabilities[[0, -1], 1]
    assert "“a meadow”" in page.alt and f"from {first:.2f} to {last:.2f}" in page.alt
    assert CLASSES[int(frames.probabilities[-1].argmax())] in page.alt
    colours = np.asarray(Image.open(io.BytesIO(page.fallback)).convert("RGB")).astype(int)
    assert (colours[..., 0] - colours[..., 2] > 100).any() and (colours[..., 2] - colours[..., 0] > 100).any()
    own = photo_scrub(frames, alt="mine", fallback=page.fallback)
    assert own.alt == "mine" and own.fallback == page.fallback


def test_bad_frames_are_refused_by_name(frames):
    k = len(frames.certainty)
    for change, message in (
        ({"name": ""}, "a name of its own"),
        ({"certainty": frames.certainty[::-1]}, "increase from 0 to 1"),
        ({"certainty": frames.certainty * 0.9}, "increase from 0 to 1"),
        ({"probabilities": frames.probabilities[:-1]}, r"shape \(31, 3\)"),
        ({"probabilities": frames.probabilities * 2}, "sum to 1"),
        ({"maps": np.zeros((k, 65, 64))}, "at most 64"),
        ({"maps": frames.maps * np.nan}, "finite"),
        ({"sums": frames.sums[:, :1]}, r"sums of shape \(31, 2\)"),
        ({"sums": frames.sums + 0.1}, "sums of the maps"),
        ({"target": -1}, "target in 0 to 2"),
        ({"picture": frames.picture / 255}, "uint8"),
    ):
        with pytest.raises(ValueError, match=message):
            photo_scrub(frames._replace(**change))
    with pytest.raises(ValueError, match=r"photograph 1: expected a name of its own, got 'a meadow'"):
        photo_scrub([frames, frames])
    with pytest.raises(ValueError, match="at least one"):
        photo_scrub([])
    with pytest.raises(ValueError, match="PhotoFrames"):
        photo_scrub([{"name": "x"}])
