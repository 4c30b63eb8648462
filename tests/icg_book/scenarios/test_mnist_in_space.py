"""MNIST in Space: the canvas, the translation invariance of the networks, the batches, the evaluation.

The digits are made up here; the last tests read the real ones where ICG_DATA has them.
"""

import json
import os
from pathlib import Path

import pytest
import torch

from icg import artifacts
from icg.__main__ import main
from icg.certainty import join, split
from icg.models import ARCHITECTURES, MnistInSpaceNet, MnistInSpacePlainNet
from icg_book.scenarios import mnist, mnist_in_space
from icg_book.scenarios.mnist import Digits
from icg_book.scenarios.mnist_in_space import PLACEMENTS, place, scatter

REAL = Path(os.environ.get("ICG_DATA", "nowhere"))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def made_up(n=40):
    """Digits whose class is the height of a bar; nothing within four pixels of the edge, as in MNIST."""
    images, labels = torch.zeros(n, 1, 28, 28), torch.arange(n) % 10
    for image, label in zip(images, labels, strict=True):
        image[0, 4 + 2 * label : 6 + 2 * label, 4:24] = 0.5 + 0.5 * torch.rand(20, generator=generator(int(label)))
    return Digits(images, labels)


@pytest.fixture(autouse=True)
def digits(tmp_path, monkeypatch):
    """Made-up digits take the place of both sets."""
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mnist, "_training_set", lambda folder: made_up())
        yield patch
    torch.set_num_threads(threads)


# ---- the canvas


def test_a_digit_keeps_its_pixels_wherever_it_is_placed():
    images = torch.rand(3, 1, 28, 28, generator=generator())
    left, top = torch.tensor([0, 17, 36]), torch.tensor([4, 0, 2])
    canvases = place(images, left, top)
    assert canvases.shape == (3, 1, 32, 64) and canvases.dtype == images.dtype
    for image, canvas, column, row in zip(images, canvases, left, top, strict=True):
        assert torch.equal(canvas[:, row : row + 28, column : column + 28], image)
        assert (canvas != 0).sum() == (image != 0).sum()
    same = place(images, 5)
    assert torch.equal(same[:, :, 2:30, 5:33], images) and same.sum() == pytest.approx(images.sum().item(), rel=1e-5)
    assert place(images[:0], 3).shape == (0, 1, 32, 64)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"left": 37}, "left in 0 to 36"), ({"left": -1}, "left in 0 to 36"), ({"left": 3, "top": 5}, "top in 0 to 4")],
)
def test_a_digit_that_would_stick_out_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        place(torch.zeros(2, 1, 28, 28), **options)


def corners(canvases):
    """Row and column of the first lit pixel of canvases that hold a full square of ones."""
    lit = canvases[:, 0] > 0
    return torch.stack([lit.any(2).double().argmax(1), lit.any(1).double().argmax(1)])


@pytest.mark.parametrize(("placement", "column"), [("left", 3), ("middle", 18), ("right", 33)])
def test_placements_shift_by_up_to_two_pixels_and_right_mirrors_left(placement, column):
    canvases = scatter(torch.ones(500, 1, 28, 28), placement, generator=generator())
    rows, columns = corners(canvases)
    assert rows.unique().tolist() == [0, 1, 2, 3, 4]
    assert (columns - column).unique().tolist() == [-2, -1, 0, 1, 2]
    assert len(torch.stack([rows, columns]).unique(dim=1).T) == 25  # the two shifts have nothing to do with each other
    assert PLACEMENTS["left"] + 28 + PLACEMENTS["right"] == 64
    assert torch.equal(canvases, scatter(torch.ones(500, 1, 28, 28), placement, generator=generator()))


def test_an_unknown_placement_is_named():
    with pytest.raises(ValueError, match="left, middle, right, got 'top'"):
        scatter(torch.zeros(1, 1, 28, 28), "top")


def test_a_whole_set_keeps_its_labels(monkeypatch):
    monkeypatch.setattr(mnist, "load", lambda split, download: made_up())
    data = mnist_in_space.load("test", "right", generator=generator())
    assert torch.equal(data.labels, made_up().labels) and data.images.shape == (40, 1, 32, 64)
    assert (data.images[..., :35] == 0).all()  # 33 - 2, and four pixels of every digit's own margin


# ---- networks


@pytest.mark.parametrize(
    ("network", "channels", "parameters"), [(MnistInSpaceNet, 2, 262_250), (MnistInSpacePlainNet, 1, 261_962)]
)
def test_the_networks_are_the_papers(network, channels, parameters):
    net = network().eval()
    names = [type(layer).__name__ for layer in net if not isinstance(layer, torch.nn.ReLU)]
    convolutions = "Conv2d Conv2d MaxPool2d Conv2d MaxPool2d Dropout"
    assert " ".join(names) == f"{convolutions} Conv2d Conv2d AdaptiveMaxPool2d Flatten"
    assert [layer.kernel_size for layer in net if isinstance(layer, torch.nn.Conv2d)] == [(3, 3)] * 3 + [(5, 5), (1, 1)]
    assert sum(p.numel() for p in net.parameters()) == parameters and ARCHITECTURES[network.__name__] is network
    assert net(torch.rand(3, channels, 32, 64)).shape == (3, 10)
    assert net.certainty_aware == (channels == 2) and net.input_shape == (channels, 32, 64)
    assert net(torch.rand(3, channels, 28, 40)).shape == (3, 10)
    for shape in ((1, 3 - channels, 32, 64), (1, channels, 27, 64), (channels, 32, 64)):
        with pytest.raises(ValueError) as error:
            net(torch.zeros(shape))
        assert f"(N, {channels}, 32, 64)" in str(error.value) and str(shape) in str(error.value)


@pytest.mark.parametrize("network", [MnistInSpaceNet, MnistInSpacePlainNet])
def test_a_shift_by_the_grid_changes_the_answer_only_at_the_edges(network):
    """In the middle of the canvas the same windows see the same digit, four pixels further on."""
    torch.manual_seed(0)
    net = network().double().eval()
    ink = torch.rand(4, 1, 28, 28, generator=generator(), dtype=torch.float64)
    ink[:, :, :, :14] = 0  # narrow enough for every window that sees it to be on the canvas at both places
    ink[:, :, :, 17:] = 0

    def logits(column):
        canvas = place(ink, column)
        return net(join(canvas) if net.certainty_aware else canvas)

    # Ink in columns 28 to 30 and 32 to 34: windows of 28 pixels that hold any of it begin at 1 to 34, all among the
    # ten places 0, 4, ..., 36.
    assert torch.allclose(logits(14), logits(18), atol=1e-12)
    assert not torch.allclose(logits(14), logits(15), atol=1e-6)  # off the grid


# ---- training batches


def test_training_sees_digits_on_the_left_only():
    widths = []
    for step in range(20):
        images, labels = mnist_in_space.plain_batch(step, generator(step))
        assert images.shape[:3] == (64, 1, 32) and labels.shape == (64,)
        assert (images[..., 33:] == 0).all()  # 3 + 2 + 28
        assert (images.flatten(1).sum(1) > 0).all()
        widths.append(images.shape[3])
    assert set(widths) == {32, 36, 64}


def test_a_narrow_canvas_loses_no_ink():
    """All of a digit but its empty margin of four pixels is left of column 32."""
    full = scatter(made_up().images, "left", generator=generator())
    assert (full[..., 32:] == 0).all() and full[..., 28:30].any()


@pytest.mark.parametrize("seed", range(6))
def test_a_batch_is_damaged_in_part(seed):
    inputs, targets = mnist_in_space.training_batch(10_000, generator(seed))
    values, certainty = split(inputs)
    undamaged = (certainty == 1).flatten(1).all(1)
    assert inputs.shape[:3] == (64, 2, 32) and 20 <= undamaged.sum() <= 30
    assert (values[undamaged][..., 33:] == 0).all()
    assert torch.allclose(targets[-4:], mnist.PRIOR.expand(4, 10)) and (certainty[-4:] == 0).all()


def test_both_twins_see_the_same_digits():
    inputs, targets = mnist_in_space.training_batch(0, generator(3))
    images, labels = mnist_in_space.plain_batch(0, generator(3))
    assert torch.equal(images, inputs[:, :1]) and torch.equal(labels, targets.argmax(1))
    trainings = mnist_in_space.TRAININGS
    assert trainings["mnist-in-space"].stages[0][0] == trainings["mnist-in-space-plain"].stages[0][0]


# ---- evaluation


class Reader(torch.nn.Module):
    """The label is in the ink's lightness; says 0 if there is none left of a column."""

    certainty_aware = True

    def __init__(self, blind_from=64):
        super().__init__()
        self.blind_from = blind_from

    def forward(self, joined):
        values, certainty = split(joined)
        seen = (values * (certainty > 0))[..., : self.blind_from]
        label = (seen.flatten(1).amax(1) * 10).round().long().clamp(max=9)
        return torch.nn.functional.one_hot(label, 10) * 50 * certainty.mean((1, 2, 3))[:, None]


def levels(n=100):
    labels = torch.arange(n) % 10
    images = torch.zeros(n, 1, 28, 28)
    images[:, :, 10:18, 10:18] = (labels / 10).view(-1, 1, 1, 1)
    return Digits(images, labels)


def test_a_model_that_reads_everywhere_is_right_everywhere():
    metrics = mnist_in_space.evaluate(Reader(), data=levels(), n_columns=20, n_damaged=40, n_absence=20)
    accuracy = metrics["accuracy"]
    assert accuracy["all"] == accuracy["middle"]["all"] == accuracy["right"]["all"] == metrics["same answer"] == 1
    assert accuracy["images"] == 100 and accuracy["low"] == accuracy["right"]["low"] < 1 and accuracy["7"] == 1
    along = metrics["accuracy against column"]
    assert along["column"] == list(range(37)) and along["accuracy"] == [1.0] * 37 and along["images"] == 20
    assert metrics["absence"]["max"] == 0 and metrics["neutrality"] < 1e-6
    json.dumps(metrics, allow_nan=False)


def test_a_model_that_reads_on_the_left_only_is_found_out():
    metrics = mnist_in_space.evaluate(Reader(40), data=levels(), n_columns=20, n_damaged=40, n_absence=20)
    assert metrics["accuracy"]["all"] == metrics["accuracy"]["middle"]["all"] == 1
    assert metrics["accuracy"]["right"]["all"] == 0.1 == metrics["same answer"]  # zeros are right by chance
    along = metrics["accuracy against column"]["accuracy"]
    assert along[:30] == [1.0] * 30 and along[30:] == [0.1] * 7


def test_a_plain_model_is_asked_for_accuracy_only():
    class Plain(Reader):
        certainty_aware = False

        def forward(self, images):
            return super().forward(join(images))

    metrics = mnist_in_space.evaluate(Plain(), data=levels(), n_columns=10)
    assert list(metrics) == ["accuracy", "accuracy against column", "same answer"]
    assert metrics["accuracy"]["right"]["all"] == 1


# ---- the command line


@pytest.mark.parametrize("name", ["mnist-in-space", "mnist-in-space-plain"])
def test_training_by_the_command_line(name, tmp_path, monkeypatch):
    monkeypatch.setattr(mnist, "load", lambda split, download=True: made_up(12))
    assert main(["train", name, "--steps", "2", "--threads", "1", "--data", str(tmp_path / "data")]) == 0
    card = json.loads((tmp_path / "data" / "weights" / f"{name}.json").read_text())
    plain = name.endswith("plain")
    assert card["architecture"] == ("MnistInSpacePlainNet" if plain else "MnistInSpaceNet")
    assert card["metrics"]["accuracy"]["right"]["images"] == 12 and ("absence" in card["metrics"]) != plain
    monkeypatch.setattr(artifacts, "data_folder", lambda: tmp_path / "data")
    assert type(artifacts.load_model(name)).__name__ == card["architecture"]


# ---- the real digits, where they are


@pytest.mark.skipif(
    not os.environ.get("ICG_DATA") or not (REAL / "MNIST" / "raw").is_dir(),
    reason="MNIST is not here: set ICG_DATA to the folder that holds MNIST/raw",
)
@pytest.mark.parametrize("name", ["mnist-in-space", "mnist-in-space-plain"])
def test_the_shipped_weights_read_digits_where_they_never_saw_any(name):
    try:
        model = artifacts.load_model(name)
    except artifacts.ArtifactError:
        pytest.skip(f"the weights of {name} are not trained yet")
    some = mnist.load("test", download=False)[5000:5500]
    for placement, least in (("left", 0.98), ("right", 0.97)):
        canvases = scatter(some.images, placement, generator=generator())
        assert (mnist.predict(model, canvases) == some.labels).double().mean() >= least
