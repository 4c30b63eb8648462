"""MNIST: the files and their repair, the networks, the batches, the evaluation, and training by the command line.

The digits are made up here, in files like the real ones; the last tests read the real ones where ICG_DATA has them.
"""

import functools
import gzip
import hashlib
import http.server
import json
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torchvision import datasets

from icg import artifacts
from icg.__main__ import main
from icg.certainty import split
from icg.models import ARCHITECTURES, MnistNet, MnistPlainNet
from icg.training import train
from icg_book.kit import folders, records
from icg_book.scenarios import mnist
from icg_book.scenarios.mnist import CLASSES, Digits

N = {"train": 40, "test": 30}
REAL = Path(os.environ.get("ICG_DATA", "nowhere"))


def idx(tensor: torch.Tensor) -> bytes:
    """A tensor of bytes in the format of MNIST's files."""
    head = bytes([0, 0, 8, tensor.ndim]) + b"".join(size.to_bytes(4, "big") for size in tensor.shape)
    return head + tensor.numpy().tobytes()


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def made_up_files(monkeypatch) -> dict[str, bytes]:
    """Files of made-up digits by name, for which the digests of the real ones are put aside."""
    generator = torch.Generator().manual_seed(0)
    content = {}
    for name, n in N.items():
        images = torch.randint(256, (n, 28, 28), generator=generator, dtype=torch.uint8)
        labels = torch.arange(n, dtype=torch.uint8) % 10
        content |= dict(zip(mnist.FILES[name], (idx(images), idx(labels)), strict=True))
    files = {name: {file: md5(content[file]) for file in known} for name, known in mnist.FILES.items()}
    packed = {f"{file}.gz": gzip.compress(data, mtime=0) for file, data in content.items()}
    monkeypatch.setattr(mnist, "FILES", files)
    monkeypatch.setattr(datasets.MNIST, "resources", [(file, md5(data)) for file, data in packed.items()])
    monkeypatch.setattr(datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])  # nobody listens there
    return content | packed


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mnist._training_set.cache_clear()
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    mnist._training_set.cache_clear()


@pytest.fixture
def files(monkeypatch):
    return made_up_files(monkeypatch)


@pytest.fixture
def data(files, tmp_path, monkeypatch):
    """A folder with made-up digits, named by ICG_DATA; returns where its files are."""
    raw = tmp_path / "digits" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in (file for known in mnist.FILES.values() for file in known):
        (raw / name).write_bytes(files[name])
    monkeypatch.setenv("ICG_DATA", str(tmp_path / "digits"))
    return raw


@pytest.fixture
def mirror(files, tmp_path, monkeypatch):
    """A server on this computer that has the packed files; returns its folder and the list of what was asked for."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    for name, content in files.items():
        if name.endswith(".gz"):
            (folder / name).write_bytes(content)
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *message):
            asked.append(self.path)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setattr(datasets.MNIST, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("ICG_DATA", str(tmp_path / "fetched"))
    yield folder, asked
    server.shutdown()
    server.server_close()


# ---- files


def test_images_are_lightness_in_0_to_1_and_labels_are_digits(data, files):
    digits = mnist.load("test")
    assert digits.images.shape == (30, 1, 28, 28) and digits.images.dtype == torch.float32
    assert digits.labels.dtype == torch.int64 and digits.labels.tolist() == [k % 10 for k in range(30)]
    stored = torch.frombuffer(bytearray(files["t10k-images-idx3-ubyte"][16:]), dtype=torch.uint8)
    assert torch.equal((digits.images * 255).round().byte().flatten(), stored)
    assert len(digits) == 30 and len(mnist.load("train")) == 40
    some = digits[digits.labels == 3]
    assert len(some) == 3 and torch.equal(some.images[0], digits.images[3])


def test_an_unknown_split_is_named():
    with pytest.raises(ValueError, match="train, test, got 'val'"):
        mnist.load("val")


def test_missing_digits_are_fetched_with_a_bar_once(mirror, files, capsys, tmp_path):
    assert len(mnist.load("test")) == 30
    folder, asked = mirror
    first = len(asked)
    assert first >= 4 and "100%" in capsys.readouterr().err
    assert len(mnist.load("train")) == 40
    assert len(asked) == first
    raw = tmp_path / "fetched" / "MNIST" / "raw"
    assert (raw / "t10k-images-idx3-ubyte").read_bytes() == files["t10k-images-idx3-ubyte"]


@pytest.mark.parametrize("harm", ["half", "altered", "longer"])
def test_a_broken_file_is_named_and_fetched_again(mirror, files, tmp_path, capsys, harm):
    mnist.load("test")
    path = tmp_path / "fetched" / "MNIST" / "raw" / "t10k-images-idx3-ubyte"
    whole = path.read_bytes()
    path.write_bytes({"half": whole[: len(whole) // 2], "altered": whole[:-1] + b"?", "longer": whole + b"?"}[harm])
    capsys.readouterr()
    assert len(mnist.load("test")) == 30 and path.read_bytes() == whole
    said = capsys.readouterr().out
    assert str(path) in said and "cut short or altered" in said and "again" in said


def test_half_a_download_is_fetched_again(mirror, files, tmp_path):
    raw = tmp_path / "fetched" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, content in files.items():
        if name.endswith(".gz"):
            (raw / name).write_bytes(content[: len(content) // 2])
    assert len(mnist.load("train")) == 40


def test_a_mirror_that_serves_something_else_is_not_believed(mirror, files):
    folder, _ = mirror
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b"something else"))
    with pytest.raises(ValueError, match="can't be downloaded .*t10k-labels.*Set the environment variable ICG_DATA"):
        mnist.load("test")


def test_without_network_the_error_says_how_to_get_the_digits(files, tmp_path, monkeypatch):
    monkeypatch.setenv("ICG_DATA", str(tmp_path / "nothing here"))
    with pytest.raises(ValueError) as error:
        mnist.load("test")
    for words in ("nothing here", "can't be downloaded", "ICG_DATA", "train-images-idx3-ubyte", "download=True"):
        assert words in str(error.value)


def test_no_download_never_asks_the_network(mirror, data, monkeypatch, tmp_path):
    (data / "t10k-labels-idx1-ubyte").write_bytes(b"half")
    monkeypatch.setenv("ICG_DATA", str(tmp_path / "digits"))
    with pytest.raises(ValueError, match=r"cut short or altered \(4 bytes.*ICG_DATA"):
        mnist.load("test", download=False)
    assert len(mnist.load("train", download=False)) == 40  # the other set is whole
    (data / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(ValueError, match="train-labels-idx1-ubyte is not there"):
        mnist.load("train", download=False)
    assert mirror[1] == []


def test_a_folder_that_can_not_be_written_to_is_an_error_of_one_line(mirror, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("ICG_DATA", str(tmp_path / "file"))
    with pytest.raises(ValueError, match="can't be downloaded"):
        mnist.load("test")


def test_without_the_variable_digits_are_in_the_cache(mirror, monkeypatch, tmp_path):
    monkeypatch.delenv("ICG_DATA")
    monkeypatch.setenv("ICG_CACHE", str(tmp_path / "cache"))
    assert len(mnist.load("test")) == 30 and folders.dataset_folder() == tmp_path / "cache"
    assert (tmp_path / "cache" / "MNIST" / "raw" / "t10k-images-idx3-ubyte").exists()


# ---- networks


@pytest.mark.parametrize(("network", "channels", "parameters"), [(MnistNet, 2, 262_250), (MnistPlainNet, 1, 261_962)])
def test_the_networks_are_the_papers(network, channels, parameters):
    torch.manual_seed(0)
    net = network().eval()
    names = [type(layer).__name__ for layer in net if not isinstance(layer, torch.nn.ReLU)]
    assert " ".join(names) == "Conv2d Conv2d MaxPool2d Conv2d MaxPool2d Flatten Dropout Linear Linear"
    assert [layer.p for layer in net if isinstance(layer, torch.nn.Dropout)] == [0.5]
    assert sum(p.numel() for p in net.parameters()) == parameters and ARCHITECTURES[network.__name__] is network
    assert net(torch.rand(3, channels, 28, 28)).shape == (3, 10)
    assert net.certainty_aware == (channels == 2) and net.input_shape == (channels, 28, 28)
    with pytest.raises(ValueError, match=rf"\(N, {channels}, 28, 28\).*got \(1, {3 - channels}, 28, 28\)"):
        net(torch.zeros(1, 3 - channels, 28, 28))


@pytest.mark.parametrize("network", [MnistNet, MnistPlainNet])
def test_a_card_knows_which_of_the_twins_it_is(network, tmp_path, monkeypatch):
    net = network().eval()
    records.save_model(net, "twin", tmp_path, training={}, metrics={}, made={})
    monkeypatch.setattr(artifacts, "data_folder", lambda: tmp_path)
    loaded = artifacts.load_model("twin")
    x = torch.rand(2, *net.input_shape)
    assert type(loaded) is network and torch.equal(loaded(x), net(x))
    assert artifacts.load_card("twin")["input"] == ["N", *net.input_shape]


# ---- training batches


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_batch_is_a_mix_of_damage_blocks_absence_and_undamaged_digits(data):
    inputs, targets = mnist.training_batch(10_000, generator())
    assert inputs.shape == (64, 2, 28, 28) and targets.shape == (64, 10)
    assert inputs.min() >= 0 and inputs.max() <= 1 and torch.allclose(targets.sum(1), torch.ones(64))
    certainty = split(inputs)[1].flatten(1)
    absent, undamaged = (certainty == 0).all(1), (certainty == 1).all(1)
    assert torch.allclose(targets[-4:], mnist.PRIOR.expand(4, 10)) and absent[-4:].all()
    assert 20 <= undamaged.sum() <= 30
    assert (targets[:-4].amax(1) == 1).all()


def test_the_network_that_learns_from_blocks_gets_more_of_them(data):
    inputs, targets = mnist.blocks_batch(0, generator())
    levels = torch.tensor([len(c.unique()) for c in split(inputs)[1]])
    assert inputs.shape == (64, 2, 28, 28) and torch.allclose(targets[-4:], mnist.PRIOR.expand(4, 10))
    assert (levels[10:42] <= 81).all() and (levels[10:42] > 1).sum() >= 8


def test_the_network_that_is_told_the_mean_hears_what_its_teacher_says_of_coalitions(data, monkeypatch):
    asked = []

    def teacher(name, inputs):  # the probability of class 1: the share of the image that is known
        asked.append(inputs)
        p = inputs[:, 1].mean((1, 2)).clamp(1e-6, 1 - 1e-6)
        return torch.stack([1 - p, p, *[torch.zeros_like(p)] * 8], 1)

    monkeypatch.setattr(mnist, "told", teacher)
    batches = [mnist.owen_batch(step, generator(step)) for step in range(40)]
    for inputs, targets in batches:
        assert inputs.shape == (64, 2, 28, 28) and torch.allclose(targets.sum(1), torch.ones(64))
        assert inputs.min() >= 0 and inputs.max() <= 1
        one, other = inputs[: mnist.TOLD].chunk(2)
        assert torch.equal(one[:, 0], other[:, 0])  # a pair is of one image ...
        changed = one[:, 1] != other[:, 1]
        assert 0.01 < changed.float().mean() < 0.3 and ((other[:, 1] == 0) | (other[:, 1] == 1))[changed].all()
    assert all(((inputs[:, 1] == 0) | (inputs[:, 1] == 1)).all() for inputs in asked)
    pairs = [asked[k][:, 1].flatten(1).chunk(2) for k in range(0, len(asked), 2)]
    same = torch.cat([(one == other).float().mean(1) for one, other in pairs])
    assert same.min() > 0.6 and same.mean() > 0.9  # ... by the same luck
    told = torch.cat([targets[: mnist.TOLD, 1] for _, targets in batches])
    mean = torch.cat([inputs[: mnist.TOLD, 1].mean((1, 2)) for inputs, _ in batches])
    assert (told - mean).mean().abs() < 0.01 and torch.corrcoef(torch.stack([told, mean]))[0, 1] > 0.95
    assert mean.min() < 0.15 and mean.max() > 0.85
    rest = torch.cat([targets[mnist.TOLD :].amax(1) for _, targets in batches])
    assert (rest == 1).float().mean() > 0.8  # by their labels, but for those that are absent


def test_the_first_batch_is_undamaged(data):
    inputs, targets = mnist.training_batch(0, generator())
    assert (inputs[:, 1] == 1).all() and (targets.amax(1) == 1).all()


def test_both_twins_see_the_same_digits(data):
    inputs, targets = mnist.training_batch(0, generator(3))
    images, labels = mnist.plain_batch(0, generator(3))
    assert torch.equal(images, inputs[:, :1]) and torch.equal(labels, targets.argmax(1))
    assert images.shape == (64, 1, 28, 28) and labels.dtype == torch.int64
    assert mnist.TRAININGS["mnist"].stages[0][0] == mnist.TRAININGS["mnist-plain"].stages[0][0]


def test_drawn_digits_carry_their_own_labels_and_half_are_varied(data):
    digits = mnist.load("train")
    drawn = mnist.draw(400, generator=generator())
    same = (drawn.images[:, None] == digits.images[None]).flatten(2).all(2)
    assert 0.4 < same.any(1).double().mean() < 0.6
    at = same.double().argmax(1)[same.any(1)]
    assert torch.equal(digits.labels[at], drawn.labels[same.any(1)])
    assert torch.equal(drawn.images, mnist.draw(400, generator=generator()).images)
    picked = mnist.pick(100, generator=generator(1))
    assert (picked.images[:, None] == digits.images[None]).flatten(2).all(2).any(1).all()


def test_variation_moves_ink_no_further_than_it_says():
    images = torch.zeros(200, 1, 28, 28)
    images[:, :, 12:16, 12:16] = 1
    shifted = mnist.vary(images, turn=0, scale=0, shift=2, generator=generator())
    y, x = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
    mass = shifted.sum((1, 2, 3))
    moves = torch.stack([(shifted * at).sum((1, 2, 3)) / mass - 13.5 for at in (y, x)])
    assert torch.allclose(mass, torch.full((200,), 16.0), atol=0.01)
    assert 1.7 < moves.abs().max() <= 2.01 and moves.amin(1).max() < -1.5 and moves.amax(1).min() > 1.5
    assert torch.allclose(mnist.vary(images, turn=0, scale=0, shift=0, generator=generator()), images, atol=1e-5)

    scaled = mnist.vary(images, turn=0, scale=0.12, shift=0, generator=generator())
    size = scaled.sum((1, 2, 3)).sqrt() / 4
    assert 1.1 < size.max() < 1.15 and 0.86 < size.min() < 0.92

    bar = torch.zeros(200, 1, 28, 28)
    bar[:, :, 13:15, 4:24] = 1
    turned = mnist.vary(bar, turn=0.2, scale=0, shift=0, generator=generator())
    slope = (turned * (y - 13.5) * (x - 13.5)).sum((1, 2, 3)) / (turned * (x - 13.5) ** 2).sum((1, 2, 3))
    assert slope.abs().max() == pytest.approx(0.2, abs=0.03) and slope.min() < -0.15 and slope.max() > 0.15


# ---- evaluation


class Ideal(torch.nn.Module):
    """Knows the label from the first pixel, and says it as surely as that pixel is certain."""

    certainty_aware = True

    def forward(self, joined):
        label = (joined[:, 0, 0, 0] * 10).round().long().clamp(max=9)
        return torch.nn.functional.one_hot(label, 10) * joined[:, 1, 0, 0, None] * 50


class Plain(torch.nn.Module):
    def forward(self, images):
        label = (images[:, 0, 0, 0] * 10).round().long().clamp(max=9)
        return torch.nn.functional.one_hot((label + (label == 9)) % 10, 10).float()  # takes 9 for 0


def readable(n=200):
    labels = torch.arange(n) % 10
    images = torch.rand(n, 1, 28, 28, generator=generator())
    images[:, 0, 0, 0] = labels / 10
    return Digits(images, labels)


def test_an_ideal_model_has_ideal_numbers():
    metrics = mnist.evaluate(Ideal(), data=readable(), n_damaged=200, n_absence=50)
    assert metrics["accuracy"]["all"] == 1 and metrics["accuracy"]["images"] == 200
    assert all(metrics["accuracy"][name] == 1 for name in CLASSES)
    assert metrics["accuracy"]["low"] == pytest.approx(200 / (200 + 1.96**2), abs=1e-4)
    assert metrics["absence"] == {"sd": 0, "max": 0, "inputs": 100} and metrics["neutrality"] < 1e-6
    along = list(metrics["mean probability of the class along certainty"].values())
    assert along == sorted(along) and along[0] == pytest.approx(0.1) and along[-1] == pytest.approx(1)
    damaged = metrics["accuracy under damage"]
    kinds = [damaged[name] for name in mnist.DAMAGE]
    assert damaged["mean"] == pytest.approx(sum(kinds) / 4) and all(0.2 < kind < 0.8 for kind in kinds)
    json.dumps(metrics, allow_nan=False)


def test_a_plain_model_sees_values_only_and_is_asked_for_accuracy_only():
    metrics = mnist.evaluate(Plain(), data=readable())
    assert list(metrics) == ["accuracy"]
    assert metrics["accuracy"]["all"] == 0.9 and metrics["accuracy"]["9"] == 0 and metrics["accuracy"]["8"] == 1
    assert metrics["accuracy"]["low"] < 0.9 < metrics["accuracy"]["high"]


def test_a_model_that_looks_at_absent_values_is_found_out():
    class Peeks(Ideal):
        def forward(self, joined):
            return torch.nn.functional.one_hot((joined[:, 0, 0, 0] * 10).round().long().clamp(max=9), 10) * 50.0

    metrics = mnist.evaluate(Peeks(), data=readable(), n_damaged=50, n_absence=50)
    assert metrics["absence"]["max"] > 0.99 and metrics["absence"]["sd"] > 0.1


# ---- the command line


@pytest.mark.parametrize("name", ["mnist", "mnist-plain"])
def test_training_by_the_command_line(name, data, tmp_path, capsys):
    assert main(["train", name, "--steps", "2", "--threads", "1", "--data", str(tmp_path / "data")]) == 0
    card = json.loads((tmp_path / "data" / "weights" / f"{name}.json").read_text())
    assert card["architecture"] == ("MnistNet" if name == "mnist" else "MnistPlainNet")
    assert card["metrics"]["accuracy"]["images"] == 30 and ("absence" in card["metrics"]) == (name == "mnist")
    assert "wrote" in capsys.readouterr().out


def test_training_without_digits_is_one_line(files, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ICG_DATA", str(tmp_path / "nothing"))
    assert main(["train", "mnist", "--steps", "2", "--data", str(tmp_path / "data")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") <= 3 and "error: MNIST is not in" in error and "ICG_DATA" in error


def test_the_twins_learn(data):
    """On made-up digits that can be told apart, so this takes a moment and says that the pieces fit together."""
    labels = torch.arange(40) % 10
    mnist._training_set.cache_clear()
    images = torch.zeros(40, 1, 28, 28)
    for k in range(40):
        images[k, 0, 4 + 2 * labels[k] : 8 + 2 * labels[k], 6:22] = 1
    toy = Digits(images, labels)
    for network, batch in ((MnistNet, mnist.training_batch), (MnistPlainNet, mnist.plain_batch)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(mnist, "_training_set", lambda folder: toy)
            recipe = replace(mnist.RECIPE, steps=60, warmup=5, average=0.9, lr=1e-3)
            net = train(network, batch, recipe, progress=False)
        assert mnist.evaluate(net, data=toy, n_damaged=20, n_absence=10)["accuracy"]["all"] > 0.9


# ---- the real digits, where they are


needs_mnist = pytest.mark.skipif(
    bool(os.environ.get("ICG_DATA")) is False or not (REAL / "MNIST" / "raw").is_dir(),
    reason="MNIST is not here: set ICG_DATA to the folder that holds MNIST/raw",
)


@needs_mnist
def test_the_real_digits_are_the_official_ones():
    counts = {"train": (60_000, 6742, 5421), "test": (10_000, 1135, 892)}
    for name, (n, ones, fives) in counts.items():
        digits = mnist.load(name, download=False)
        assert digits.images.shape == (n, 1, 28, 28) and digits.images.max() == 1 and digits.images.min() == 0
        assert (digits.labels == 1).sum() == ones and (digits.labels == 5).sum() == fives
    assert digits.labels[:5].tolist() == [7, 2, 1, 0, 4]


@needs_mnist
@pytest.mark.parametrize(
    ("name", "least"), [("mnist", 0.985), ("mnist-blocks", 0.985), ("mnist-owen", 0.985), ("mnist-plain", 0.985)]
)
def test_the_shipped_weights_read_digits_they_never_saw(name, least):
    try:
        model = artifacts.load_model(name)
    except artifacts.ArtifactError:
        pytest.skip(f"the weights of {name} are not trained yet")
    some = mnist.load("test", download=False)[5000:6000]
    assert (mnist.predict(model, some.images) == some.labels).double().mean() >= least
