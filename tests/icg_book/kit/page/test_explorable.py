"""Explorables and the colour map, as far as Python goes; tests/browser opens them."""

import base64
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from pages import inflate, payload, sent

from icg_book.burnt_snacks import scrub
from icg_book.burnt_snacks.scrub import scrub_path
from icg_book.kit import figures
from icg_book.kit.page.explorable import Explorable, pack, png_bytes, script_beside, script_json

SCRUB = script_beside(scrub.__file__)


def make_case(image="A", method="IG", steps=5, size=(6, 8), seed=0, **changes):
    rng = np.random.default_rng(seed)
    positions = np.linspace(0, 1, steps)
    gradients = rng.normal(size=(steps, *size))
    case = {
        "image": image,
        "method": method,
        "parameter": "alpha",
        "positions": positions,
        "frames": positions[:, None, None] * rng.random(size),
        "gradients": gradients,
        "gathered": gradients.cumsum(0) / steps,
        "curve": {"x": [0.0, 0.5, 1.0], "y": [0.1, 0.2, 0.9]},
    }
    return {**case, **changes}


def unpack_case(packed):
    """What scrub.js does: frames, gradients and gathered as real numbers."""
    shape = (len(packed["positions"]), packed["height"], packed["width"])
    raw = inflate(packed["pixels"], np.uint8).reshape(3, *shape)
    frames, gathered = (np.cumsum(raw[i], axis=0, dtype=np.uint8) for i in (0, 2))
    scales = np.array(packed["scales"])[:, None, None]
    return frames / 255, raw[1].view(np.int8) / 127 * scales, gathered.view(np.int8) / 127 * packed["scale"]


# ---- colour map


def test_lut_is_symmetric_white_at_zero_and_what_matplotlib_draws():
    lut = figures.signed_lut()
    assert lut.shape == (255, 3) and lut.dtype == np.uint8
    assert (lut[127] == 255).all()
    assert lut[254, 0] > lut[254, 2] and lut[0, 2] > lut[0, 0]  # orange is positive, blue is negative
    drawn = figures.SIGNED(np.linspace(0, 1, 255), bytes=True)[:, :3]
    assert np.array_equal(drawn, lut)
    norm = figures.signed_norm([[-1.0, 3.0]])
    assert (norm.vmin, norm.vmax) == (-3, 3)
    assert np.array_equal(figures.SIGNED(norm(0.0), bytes=True)[:3], [255, 255, 255])


def test_lut_arms_are_equally_light_and_apart_for_colour_blind_readers():
    linear = (figures.signed_lut() / 255) ** 2.2
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    lightness = 116 * np.cbrt(luminance) - 16
    positive, negative = lightness[127:], lightness[127::-1]
    assert (np.diff(positive) < 0.2).all() and (np.diff(negative) < 0.2).all()
    assert np.abs(positive - negative).max() < 5
    # Machado, Oliveira & Fernandes (2009), full deficiency.
    for name, matrix in {
        "protanopia": [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ],
        "deuteranopia": [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ],
        "tritanopia": [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ],
    }.items():
        seen = (linear @ np.array(matrix).T).clip(0, 1) ** (1 / 2.2)
        apart = np.linalg.norm(seen[127:] - seen[127::-1], axis=1)
        assert apart[30:].min() > 0.25, f"{name}: +v and -v look alike"


def test_importing_figures_and_explorables_does_not_import_matplotlib():
    code = "import sys, icg_book.kit.figures, icg_book.kit.page.explorable; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_limits():
    assert figures.signed_limit([[-2.0, 1.0]]) == 2
    assert figures.signed_limit(np.zeros((2, 2))) == 1
    assert figures.signed_limit([*[1.0] * 99, 50.0], percentile=95) == 1
    assert figures.signed_limit([*[0.0] * 99, 50.0], percentile=50) == 50  # never a limit of zero
    with pytest.raises(ValueError, match=r"percentile in \(0, 100\], got 101"):
        figures.signed_limit([1.0], percentile=101)
    with pytest.raises(ValueError, match="finite, got NaN"):
        figures.signed_norm([np.nan])


# ---- image grid


def test_image_grid_draws_each_map_on_its_own_symmetric_scale():
    rng = np.random.default_rng(0)
    images, maps = [rng.random((5, 5)) for _ in range(3)], [rng.normal(size=(1, 5, 5)) * s for s in (1, 10, 100)]
    figure = figures.image_grid([images, [*maps[:2], None]], ["image", "IG"], list("ABC"), dots={(1, 0): [(2, 3)]})
    panels = [ax for ax in figure.axes if ax.images]
    assert [ax.get_title() for ax in panels[:3]] == ["A", "B", "C"]
    for ax, values in zip(panels[3:5], maps, strict=False):
        largest = np.abs(values).max()
        assert (ax.images[0].norm.vmin, ax.images[0].norm.vmax) == (-largest, largest)
        assert ax.get_xlabel() == f"max |value| {largest:.2g}"
    assert panels[3].lines[0].get_xydata().tolist() == [[3, 2]]
    assert [t.get_text() for t in panels[-1].get_xticklabels()] == ["− max", "0", "+ max"]
    assert png_bytes(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "at least one row"),
        (([[np.ones((2, 2))], []],), r"equal length, got lengths \[1, 0\]"),
        (([[np.ones((2, 2))]], ["a", "b"]), "expected 1 row_labels, got 2"),
        (([[np.ones((2, 2))]], None, None, {(1, 0): []}), r"inside 1 x 1, got \(1, 0\)"),
        (([[np.ones((2, 2, 2))]],), r"\(H, W\), got \(2, 2, 2\)"),
    ],
)
def test_image_grid_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        figures.image_grid(*arguments)


# ---- the fragment


def test_every_output_has_its_own_id_and_no_address():
    explorable = scrub_path([make_case()])
    first, second = explorable._repr_html_(), explorable._repr_html_()
    ids = [re.search(r'id="(icg-scrub-[^"]+)"', text).group(1) for text in (first, second)]
    assert ids[0] != ids[1]
    for text, ident in zip((first, second), ids, strict=True):
        assert text.count(ident) == 2  # the element and its script
        assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
        assert "<img alt=" in text and "data:image/png;base64," in text


def test_json_cannot_close_its_script():
    nasty = 'x</script><script>alert(1)</script><!-- & \u2028 "q"'
    assert "<" not in script_json(nasty) and json.loads(script_json(nasty)) == nasty
    explorable = scrub_path([make_case(image=nasty, caption=nasty)], title="a <b> & c", alt='"quoted"')
    text = explorable._repr_html_()
    assert text.count("</script>") == 2
    assert payload(explorable)["cases"][0]["image"] == nasty
    assert "a &lt;b&gt; &amp; c" in text and 'alt="&quot;quoted&quot;"' in text


def test_lut_travels_with_the_data():
    lut = base64.b64decode(sent(scrub_path([make_case()]))["lut"])
    assert lut == figures.signed_lut().tobytes()


def test_to_file(tmp_path):
    path = scrub_path([make_case()]).to_file(tmp_path / "page.html")
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing", {}, "t", "a"), "a file NAME.js, got nothing"),
        ((SCRUB.with_name("nothing.js"), {}, "t", "a"), "got .*nothing.js"),
        ((SCRUB.with_suffix(".css"), {}, "t", "a"), "got .*scrub.css"),
        ((SCRUB, {"x": float("nan")}, "t", "a"), "JSON can hold"),
        ((SCRUB, {"x": np.ones(2)}, "t", "a"), "JSON can hold"),
        ((SCRUB, {}, " ", "a"), "expected title"),
        ((SCRUB, {}, "t", ""), "expected alt"),
        ((SCRUB, {}, "t", "a", b"GIF89a"), "expected a PNG"),
    ],
)
def test_explorable_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        Explorable(*arguments)


def test_pack_refuses_wide_numbers():
    with pytest.raises(ValueError, match="int8 or uint8 arrays, got float64"):
        pack(np.ones(3))


# ---- scrub the path


def test_quantised_maps_are_within_one_step_and_end_at_the_attribution():
    case = make_case(steps=9)
    case["gathered"] *= np.sin(np.linspace(0.2, 2.6, 9))[:, None, None]  # larger on the way than at the end
    case["gradients"][3] = 0
    packed = payload(scrub_path([case]))["cases"][0]
    frames, gradients, gathered = unpack_case(packed)
    assert np.abs(frames - case["frames"]).max() <= 0.5 / 255 + 1e-9
    largest = np.abs(case["gathered"]).max()
    assert np.abs(gathered - case["gathered"]).max() <= largest / 127
    assert np.abs(gathered[-1] - case["gathered"][-1]).max() <= largest / 127
    for k in range(9):
        assert np.abs(gradients[k] - case["gradients"][k]).max() <= np.abs(case["gradients"][k]).max() / 127
    assert packed["sums"] == pytest.approx(case["gathered"].sum((1, 2)), rel=1e-6)


def test_tensors_are_taken():
    torch = pytest.importorskip("torch")
    case = make_case()
    as_tensors = {k: torch.tensor(v, requires_grad=True) if k in ("frames", "gathered") else v for k, v in case.items()}
    assert payload(scrub_path([as_tensors])) == payload(scrub_path([case]))


def test_twelve_paths_of_41_steps_stay_under_two_megabytes():
    rng = np.random.default_rng(0)
    cases = []
    for n in range(12):
        noise = rng.normal(size=(41, 50, 50))  # every pixel busy: the worst a network can do
        cases.append(
            make_case(method=str(n), steps=41, size=(50, 50), seed=n, gradients=noise, gathered=noise.cumsum(0))
        )
    size = len(scrub_path(cases)._repr_html_())
    assert size < 4e6
    for case in cases:  # as real ones are: an image that is mostly black, gradients that fade around the shapes
        shape = np.exp(-((np.hypot(*(np.mgrid[:50, :50] - rng.integers(10, 40, 2)[:, None, None])) / 9) ** 2))
        case["frames"] = case["frames"] * (shape > 0.5)
        case["gradients"] = case["gradients"] * shape
        case["gathered"] = case["gradients"].cumsum(0) * case["frames"][-1]
    assert len(scrub_path(cases)._repr_html_()) < 2e6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parameter": "beta"}, r"one of \('alpha', 'certainty', 'draw'\), got 'beta'"),
        ({"positions": [0, 0.5, 0.5, 0.7, 1]}, "increasing positions"),
        ({"positions": [0, 0.2, 0.5, 0.7, 1.5]}, r"positions in \[0, 1\], got 0 to 1.5"),
        ({"parameter": "draw"}, "counted from 1, got 0"),
        ({"positions": [0, 0.5, 1]}, r"frames of shape \(3, H, W\), got \(5, 6, 8\)"),
        ({"frames": np.full((5, 6, 8), 1.2)}, r"frames in \[0, 1\], got 1.2 to 1.2"),
        ({"gradients": np.ones((5, 8, 6))}, r"gradients of shape \(5, 6, 8\) like frames, got \(5, 8, 6\)"),
        ({"gathered": np.full((5, 6, 8), np.nan)}, "gathered to be finite"),
        ({"gathered": "map"}, "gathered to be an array of numbers, got str"),
        ({"certainty": [0, 1]}, r"certainty of shape \(5,\), got \(2,\)"),
        ({"certainty": [0, 1, 2, 3, 4]}, r"certainty in \[0, 1\], got 0 to 4"),
        ({"curve": {"x": [0, 1]}}, "expected curve as"),
        ({"curve": {"x": [0, 1], "y": [1, 2, 3]}}, "got 2 and 3"),
        ({"objects": [{"label": "dark square", "y": 60, "x": 1}]}, r"inside \(6, 8\), got y=60, x=1"),
        ({"objects": [{"label": "dark square"}]}, "expected objects as"),
        ({"caption": [("x", "y")]}, "expected caption"),
        ({"image": ""}, "image to be a label"),
        ({"colour": 1}, r"unknown \['colour'\]"),
    ],
)
def test_scrub_path_refuses(changes, message):
    with pytest.raises(ValueError, match=message) as error:
        scrub_path([make_case(), make_case(method="other", **changes)])
    assert "case 1" in str(error.value)


def test_scrub_path_refuses_nothing_missing_keys_and_twins():
    with pytest.raises(ValueError, match="at least one case"):
        scrub_path([])
    case = make_case()
    del case["curve"]
    with pytest.raises(ValueError, match=r"missing \['curve'\]"):
        scrub_path([case])
    with pytest.raises(ValueError, match="once"):
        scrub_path([make_case(), make_case()])


def test_a_grid_can_hold_images_in_a_column_and_maps_beside_them():
    figure = figures.image_grid([[np.full((4, 4), 0.5), np.eye(4)]], image_rows=(), image_columns=(0,), legend=False)
    image, attribution = (ax.get_images()[0] for ax in figure.axes)
    assert image.get_cmap().name == "gray" and attribution.get_cmap().name == "icg_signed"
