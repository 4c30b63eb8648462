"""``python -m icg explain``: pictures of every kind, what is refused in one line, and that map and numbers are right.

The networks are untrained ones.
"""

import functools
import os
import re
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from icg import artifacts
from icg.__main__ import main
from icg.attribution import (
    block_path_certainty_gradients,
    expected_gradients,
    integrated_certainty_gradients,
    integrated_gradients,
    smoothgrad,
)
from icg.baselines import blurred, gaussian_noise
from icg.certainty import join
from icg.models import BurntSnacksNet, LocalMinimumNet, MnistInSpaceNet, MnistNet, MnistPlainNet
from icg.resnet import certainty_resnet
from icg_book import explain
from icg_book.kit import records
from icg_book.kit.contenders import KEYS, find
from icg_book.kit.pictures import open_picture, prepare
from icg_book.scenarios import (
    burnt_snacks,
    certain_glyphs,
    glyphs,
    imagenette,
    mnist,
    mnist_in_space,
    photographs,
)

RESNET = "imagenette-resnet18"
COLOURS = (3, 32, 32)
NETWORKS = {
    RESNET: lambda: certainty_resnet("resnet18", 10, front=6, size=32),
    "burnt-snacks": BurntSnacksNet,
    "local-minimum": LocalMinimumNet,
    "mnist": MnistNet,
    "mnist-plain": MnistPlainNet,
    "mnist-in-space": MnistInSpaceNet,
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A data folder with all the networks, untrained."""
    folder = tmp_path_factory.mktemp("data")
    made, metrics = records.provenance("a command", 0), {"accuracy": {"all": 0.1, "images": 10}}
    for seed, (name, make) in enumerate(NETWORKS.items()):
        torch.manual_seed(seed)
        records.save_model(make(), name, folder, training={}, metrics=metrics, made=made)
    return folder


load = functools.cache(artifacts.load_model)  # most of a run's time


@pytest.fixture(autouse=True)
def elsewhere(weights, tmp_path, monkeypatch):
    monkeypatch.setattr(explain, "load_model", load)
    monkeypatch.setattr(artifacts, "data_folder", lambda: weights)
    monkeypatch.setenv("ICG_DATA", str(tmp_path / "no data"))
    monkeypatch.chdir(tmp_path)


def photo(width=90, height=70, seed=0):
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture
def jpeg(tmp_path):
    photo().save(tmp_path / "photo.jpg")
    return tmp_path / "photo.jpg"


def run(*arguments, steps=3):
    arguments = [str(argument) for argument in arguments]
    extra = ["--steps", str(steps)] if "gradient" not in arguments and "--steps" not in arguments else []
    return main(["explain", *arguments, *extra, *([] if "--out" in arguments else ["--out", "map.png"])])


def fails(capsys, *arguments, **options):
    """Run a command that must fail; returns the one line it says on stderr."""
    try:
        code = run(*arguments, **options)
    except SystemExit as stop:  # argparse
        code = stop.code
    said = capsys.readouterr()
    assert code == 2 and said.err.count("\n") == 1 and said.err.startswith("error: "), said.err
    return said.err


@pytest.fixture
def drawn(monkeypatch):
    """What is to be drawn; to save time, it isn't."""
    from matplotlib.figure import Figure

    seen = []

    def draw(shown, attribution, **texts):
        seen.append((shown, attribution, texts))
        return Figure(figsize=(1, 1))

    monkeypatch.setattr(explain, "picture_and_map", draw)
    return seen


def values_of(path, shape=COLOURS):
    return prepare(open_picture(path), shape).values


# ---- what is said and drawn


def test_class_confidence_runner_up_and_a_picture(jpeg, capsys):
    assert run(jpeg, "--out", "new.png", "--target", "church", steps=10) == 0
    said = capsys.readouterr().out
    network = load(RESNET)
    with torch.no_grad():
        p, absent = (network(join(values_of(jpeg), c)).softmax(1)[0] for c in (1.0, 0.0))
    first, second = p.topk(2).indices.tolist()
    names, church = imagenette.CLASSES, imagenette.CLASSES.index("church")
    assert f"photo.jpg: {names[first]}, {p[first]:.1%}; next {names[second]}, {p[second]:.1%}" in said
    assert f"({RESNET}, 10 classes)" in said and "the middle 70 x 70 pixels of 90 x 70" in said
    assert f"church, {p[church]:.1%}: its probability explained by Integrated Certainty Gradients; the map" in said
    changes = float(re.search(r"probability changes by ([+-][\d.]+) along the way", said)[1])
    assert changes == pytest.approx((p - absent)[church].item(), abs=6e-5)
    assert "wrote new.png" in said
    with Image.open("new.png") as picture:
        assert picture.format == "PNG" and picture.width > 2.5 * picture.height > 500 or picture.width > 1000


def direct(method, path, *, target, shape, network, **options):
    """The attribution by the library alone."""
    values = values_of(path, shape)
    maps = method(network, join(values), target=target, dtype=torch.float64, **options)
    return maps[0, : shape[0]].sum(0).numpy()


DATA = torch.rand(6, *COLOURS, generator=torch.Generator().manual_seed(0))
ICG, IG = integrated_certainty_gradients, integrated_gradients
CASES = [
    (RESNET, ["icg"], ICG, {}),
    (RESNET, ["blocks"], block_path_certainty_gradients, {}),
    (RESNET, ["ig", "--baseline", "blurred"], IG, {"baselines": blurred()}),
    (RESNET, ["eg"], expected_gradients, {"baselines": DATA}),
    (RESNET, ["smoothgrad"], smoothgrad, {"noise_std": 0.15}),
    ("mnist", ["icg", "--output", "logit"], ICG, {"output": "logit"}),
    ("mnist", ["icg", "--noise", ".1"], ICG, {"noise_std": 0.1, "n_samples": 5}),
    ("mnist", ["ig"], IG, {}),
    ("mnist", ["ig", "--baseline", "mean"], IG, {"baselines": DATA[:, :1, :28, :28].mean(0, keepdim=True)}),
    ("mnist", ["ig", "--baseline", "Gaussian noise"], IG, {"baselines": gaussian_noise(0.1, n_samples=20)}),
]


@pytest.mark.parametrize("model, arguments, method, options", CASES, ids=[" ".join([c[0], *c[1]]) for c in CASES])
def test_maps_are_the_librarys_summed_over_the_colours(jpeg, drawn, monkeypatch, model, arguments, method, options):
    monkeypatch.setattr(explain, "samples", lambda scenario, shape: DATA[:, : shape[0], : shape[1], : shape[2]])
    network = load(model)
    channels = network.input_shape[0] - 1
    inputs = join(values_of(jpeg, (channels, *network.input_shape[1:])))
    assert run(jpeg, "--model", model, "--target", "1", "--method", *arguments) == 0
    expected = method(network, inputs, target=1, n_steps=3, dtype=torch.float64, **options)[0, :channels].sum(0)
    texts = drawn[0][2]["by"]
    assert options.get("output", "probability") in texts and find(arguments[0], "zero").name in texts
    assert ("noise 0.1" in texts) == ("noise" in " ".join(arguments)) or "SmoothGrad, noise 0.15" in texts
    assert expected.abs().max() > 0
    np.testing.assert_allclose(drawn[0][1], expected, rtol=1e-6, atol=1e-12)


def test_the_gradient_and_what_adds_up_to_nothing(jpeg, capsys, drawn):
    assert run(jpeg, "--method", "gradient") == 0
    said = capsys.readouterr().out
    assert "explained by Gradient; the map adds up to" in said and "along the way" not in said


def test_the_predicted_class_is_explained_unless_another_is_asked_for(jpeg, drawn):
    network = load(RESNET)
    best = int(network(join(values_of(jpeg))).argmax())
    other = (best + 1) % 10
    name = imagenette.CLASSES[other]
    for arguments in ([], ["--target", imagenette.CLASSES[best]], ["--target", name.upper()], ["--target", str(other)]):
        assert run(jpeg, "--method", "gradient", *arguments) == 0
    maps = [attribution for _, attribution, _ in drawn]
    assert np.array_equal(maps[0], maps[1]) and np.array_equal(maps[2], maps[3]) and not np.array_equal(*maps[1:3])
    assert drawn[0][2]["title"].startswith(imagenette.CLASSES[best]) and drawn[2][2]["title"].startswith(f"{name}, ")


def test_a_digits_name_is_its_class_and_not_its_place(jpeg, drawn):
    assert run(jpeg, "--model", "mnist", "--target", "7") == 0
    assert drawn[0][2]["title"].startswith("7, ")


@pytest.mark.parametrize(
    "model, shape", [("mnist", (28, 28)), ("burnt-snacks", (50, 50)), ("mnist-in-space", (32, 64))]
)
def test_networks_that_see_grey_get_grey(jpeg, drawn, model, shape, capsys):
    assert run(jpeg, "--model", model) == 0
    shown, attribution, _ = drawn[0]
    assert attribution.shape == shape and shown.ndim == 2
    assert abs(shown.shape[1] / shown.shape[0] - shape[1] / shape[0]) < 0.03
    middle = {"mnist-in-space": "90 x 45"}.get(model, "70 x 70")
    assert f"the middle {middle} pixels of 90 x 70" in capsys.readouterr().out


def test_a_network_without_certainty_can_have_the_others(jpeg, capsys, drawn):
    error = fails(capsys, jpeg, "--model", "mnist-plain")
    assert "mnist-plain knows no certainty: expected --method to be one of ig, eg, smoothgrad, gradient" in error
    assert run(jpeg, "--model", "mnist-plain", "--method", "ig", "--target", "3") == 0
    network = load("mnist-plain")
    expected = integrated_gradients(network, values_of(jpeg, (1, 28, 28)), target=3, n_steps=3, dtype=torch.float64)
    np.testing.assert_allclose(drawn[0][1], expected[0, 0], rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(
    "suffix, kind", [("png", "PNG"), ("JPG", "JPEG"), ("webp", "WEBP"), ("svg", None), ("pdf", None)]
)
def test_it_is_written_as_its_name_says_over_what_was_there(jpeg, tmp_path, suffix, kind):
    out = tmp_path / f"map.{suffix}"
    out.write_bytes(b"old")
    assert run(jpeg, "--out", out, "--model", "mnist", "--method", "gradient") == 0
    if kind:
        with Image.open(out) as picture:
            assert picture.format == kind
    else:
        assert out.read_bytes()[:5] in (b"<svg ", b"%PDF-")
    assert {p.name for p in tmp_path.iterdir()} == {"photo.jpg", out.name}


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "tif"])
def test_the_first_of_several_pictures_is_used_and_that_is_said(tmp_path, suffix, capsys, drawn):
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "lime", "blue")]
    path = tmp_path / f"three.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:], **({"lossless": True} if suffix == "webp" else {}))
    values = values_of(path)
    assert values[0, 0].min() > 0.98 and values[0, 1:].max() < 0.02
    assert run(path, "--model", "mnist") == 0
    assert f"three.{suffix}: holds 3 pictures; this is the first" in capsys.readouterr().out


# ---- refused


def png_of(width, height):
    """A PNG that claims a size and has no such content."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")]
    body = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


@pytest.mark.parametrize(
    "width, height",
    [(1, 1), (50_000, 1), (15, 4000), (16_000, 15_700), (25_000, 25_000), (10**5, 10**5), (2**31 - 1,) * 2],
)
def test_absurd_sizes(tmp_path, capsys, width, height):
    (tmp_path / "absurd.png").write_bytes(png_of(width, height))
    error = fails(capsys, tmp_path / "absurd.png")
    assert "sides of 16 pixels or more and 250,000,000 in all, got" in error and "absurd.png" in error


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_photographs_of_a_telephone_are_reduced(tmp_path, suffix, capsys):
    """12,000 x 9,000 pixels: red, and blue below; turned, as its EXIF data say."""
    path, exif = tmp_path / f"large.{suffix}", Image.Exif()
    exif[0x0112] = 3  # upside down
    image = Image.new("RGB", (12_000, 9_000), "red")
    image.paste("blue", (0, 4_500, 12_000, 9_000))
    image.save(path, exif=exif, **({"compress_level": 1} if suffix == "png" else {}))
    opened, notes = open_picture(path)
    assert opened.size == (3000, 2250) and notes == ["reduced from 12000 x 9000 pixels"]
    values = prepare((opened, notes), COLOURS).values[0]
    above, below = values[:, :10].mean((1, 2)), values[:, -10:].mean((1, 2))
    assert above[2] > 0.95 > 0.05 > above[0] and below[0] > 0.95 > 0.05 > below[2]
    assert Image.MAX_IMAGE_PIXELS < 90_000_000  # Pillow's own limit is as it was


def test_real_pictures_of_absurd_sizes(tmp_path, capsys):
    for size in ((1, 1), (50_000, 1), (16, 15)):
        Image.new("RGB", size).save(tmp_path / "absurd.png")
        assert f"got {size[0]} x {size[1]} pixels" in fails(capsys, tmp_path / "absurd.png")


def cut(path, keep):
    path.write_bytes(path.read_bytes()[:keep])


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "webp", "tif", "bmp"])
def test_broken_pictures(tmp_path, capsys, suffix):
    path = tmp_path / f"broken.{suffix}"
    photo().save(path)
    cut(path, path.stat().st_size * 2 // 3)
    assert "can't decode" in fails(capsys, path) or "not a picture" in fails(capsys, path)


@pytest.mark.parametrize("content", [b"hello\n", b"GIF89a", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", bytes(5000)])
def test_files_that_are_no_pictures(tmp_path, capsys, content):
    (tmp_path / "photo.jpg").write_bytes(content)
    error = fails(capsys, tmp_path / "photo.jpg")
    assert "photo.jpg" in error and ("not a picture that can be read" in error or "can't decode" in error)


def test_no_file_an_empty_one_a_folder_and_a_pipe(tmp_path, capsys):
    assert "missing.jpg is not there" in fails(capsys, tmp_path / "missing.jpg")
    (tmp_path / "empty.jpg").write_bytes(b"")
    assert "empty.jpg is empty" in fails(capsys, tmp_path / "empty.jpg")
    assert "expected a picture, got the folder" in fails(capsys, tmp_path)
    os.mkfifo(tmp_path / "pipe.jpg")
    assert "expected a picture, got something else" in fails(capsys, tmp_path / "pipe.jpg")


@pytest.fixture
def no_work(monkeypatch):
    def never(*arguments, **options):
        raise AssertionError("started to work")

    monkeypatch.setattr(explain, "load_model", never)


@pytest.mark.parametrize("out", ["map", "map.txt", "map.gif", "map.png.gz", ".png", "photo.py"])
def test_only_pictures_are_written_and_that_is_checked_first(jpeg, capsys, no_work, tmp_path, out):
    (tmp_path / out).write_text("precious")
    assert "expected --out to end in .png, .jpg, .jpeg, .webp, .pdf, .svg" in fails(capsys, jpeg, "--out", out)
    assert (tmp_path / out).read_text() == "precious"


def test_an_out_that_cannot_be_written_is_noticed_first(jpeg, capsys, no_work, tmp_path):
    (tmp_path / "folder.png").mkdir()
    assert "got the folder folder.png" in fails(capsys, jpeg, "--out", "folder.png")
    assert "in a folder that exists" in fails(capsys, jpeg, "--out", "nowhere/map.png")
    before = jpeg.read_bytes()
    assert "is the picture itself" in fails(capsys, jpeg, "--out", "../" + tmp_path.name + "/photo.jpg")
    assert jpeg.read_bytes() == before


def test_out_must_be_given(jpeg, capsys):
    with pytest.raises(SystemExit):
        main(["explain", str(jpeg)])
    assert "--out" in capsys.readouterr().err


def test_what_fails_on_the_way_leaves_the_old_picture(jpeg, tmp_path, monkeypatch, capsys):
    (tmp_path / "map.png").write_bytes(b"old")

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full)
    assert run(jpeg, "--method", "gradient") == 2
    assert "No space left" in capsys.readouterr().err
    assert (tmp_path / "map.png").read_bytes() == b"old" and {p.name for p in tmp_path.iterdir()} == {
        "map.png",
        "photo.jpg",
    }


def test_names_that_are_not_known_are_listed(jpeg, capsys):
    assert f"one of {', '.join(imagenette.CLASSES)}, got 'cat'" in fails(capsys, jpeg, "--target", "cat")
    assert "one of tench, " in fails(capsys, jpeg, "--target", "10")
    assert "one of tench, " in fails(capsys, jpeg, "--target", "-1")
    assert "one of no dark square, dark square, got" in fails(capsys, jpeg, "--model", "burnt-snacks", "--target", "7")
    assert "one of zero, middle, mean, " in fails(capsys, jpeg, "--method", "ig", "--baseline", "black")
    assert "invalid choice: 'magic'" in fails(capsys, jpeg, "--method", "magic")
    assert "invalid choice: 'map.png'" in fails(capsys, jpeg, "--output", "map.png")


@pytest.mark.parametrize("model", ["imagenette-resnet50", "pizza", "../data", "imagenette"])
def test_weights_that_are_not_there_and_those_that_are(jpeg, capsys, model):
    name = "imagenette-resnet50" if model == "imagenette" else model
    error = fails(capsys, jpeg, "--model", model)
    assert f"no weights '{name}'; there are burnt-snacks, {RESNET}, local-minimum, mnist, " in error


def test_a_network_that_takes_no_pictures(jpeg, capsys):
    assert "local-minimum takes no pictures (its input is (2, 6))" in fails(capsys, jpeg, "--model", "local-minimum")


def test_options_that_do_not_fit(jpeg, capsys, no_work):
    for arguments, message in (
        (["--steps", "0"], "--steps >= 1, got 0"),
        (["--method", "gradient", "--steps", "5"], "Gradient takes no --steps"),
        (["--method", "eg", "--noise", ".1"], "Expected Gradients takes no --noise"),
        (["--method", "ig", "--noise", ".1"], "Integrated Gradients takes no --noise"),
        (["--noise", "-1"], "--noise in [0, 1], got -1"),
        (["--noise", "nan"], "--noise in [0, 1], got nan"),
        (["--baseline", "blurred"], "Integrated Certainty Gradients takes no --baseline"),
    ):
        assert message in fails(capsys, jpeg, *arguments)


def test_missing_training_images_are_one_line_and_nothing_is_downloaded(jpeg, capsys, monkeypatch):
    def never(*arguments, **options):
        raise AssertionError("asked the network")

    monkeypatch.setattr(photographs, "install", never)
    monkeypatch.setattr(mnist, "_fetch", never)
    for model in (RESNET, "mnist", "mnist-in-space"):
        for arguments in (["--method", "eg"], ["--method", "ig", "--baseline", "mean"]):
            error = fails(capsys, jpeg, "--model", model, *arguments)
            assert "ICG_DATA" in error and "is not there" in error


def test_training_images_have_the_networks_shape_and_are_the_same_each_time(monkeypatch):
    photos = imagenette.Photographs(torch.randint(256, (20, 160, 160, 3), dtype=torch.uint8), torch.zeros(20))
    digits = mnist.Digits(torch.rand(20, 1, 28, 28), torch.zeros(20))
    monkeypatch.setattr(imagenette, "photographs", lambda split, download: photos)
    monkeypatch.setattr(mnist, "load", lambda split, download: digits)
    for scenario, shape in (
        (imagenette, COLOURS),
        (mnist, (1, 28, 28)),
        (mnist_in_space, (1, 32, 64)),
        (glyphs, (1, 16, 16)),
        (certain_glyphs, (1, 16, 16)),
        (burnt_snacks, (1, 50, 50)),
    ):
        first, again = (explain.samples(scenario, shape, n=12) for _ in range(2))
        assert first.shape == (12, *shape) and torch.equal(first, again) and 0 <= first.min() < first.max() <= 1
    with pytest.raises(ValueError, match="no training images"):
        explain.samples(None, (1, 8, 8))


def test_help_names_all_there_is(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["explain", "--help"])
    said = capsys.readouterr().out
    assert stop.value.code == 0 and all(name in said for name in KEYS) and "--out" in said
