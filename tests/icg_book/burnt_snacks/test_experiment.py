"""Reproducing figure 4: the numbers are tied to weights and settings, and a run that was stopped goes on."""

import json

import pytest
import torch
from torch import nn

from icg import artifacts
from icg.attribution import gradient
from icg.certainty import join
from icg.models import BurntSnacksNet
from icg_book.burnt_snacks import experiment as reproduction
from icg_book.kit import records
from icg_book.scenarios import burnt_snacks


def ship(folder, seed):
    for number, name in enumerate(("burnt-snacks", "burnt-snacks-paper-mix")):
        with torch.random.fork_rng():
            torch.manual_seed(10 * number + seed)
            model = BurntSnacksNet()
        records.save_model(model, name, folder, training={}, metrics={}, made=records.provenance("", seed))


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data folder with untrained weights; few images, saved two at a time."""
    ship(tmp_path / "data", 0)
    monkeypatch.setattr(artifacts, "data_folder", lambda: tmp_path / "data")
    monkeypatch.setattr(reproduction, "DATA_IMAGES", 10)
    monkeypatch.setattr(reproduction, "CHUNK", 2)
    return tmp_path / "data"


@pytest.fixture
def run(data, tmp_path):
    def run(**options):
        defaults = {"n": 4, "methods": ("gradient",), "progress": False, "work_folder": tmp_path / "work"}
        path = reproduction.run(data_folder=data, **defaults | options)
        return json.loads(path.read_text())

    return run


class Attribute:
    """Stands in for :func:`attribute`: random maps and gaps by seed; counts its calls, may stop at one of them."""

    def __init__(self, stop_at=None):
        self.calls, self.stop_at = 0, stop_at

    def __call__(self, method, model, inputs, *, seed, **options):
        self.calls += 1
        if self.calls == self.stop_at:
            raise KeyboardInterrupt
        g = torch.Generator().manual_seed(seed)
        return torch.randn(inputs[:, :1].shape, generator=g), torch.rand(len(inputs), generator=g)


def test_the_result_has_rows_intervals_paper_authors_and_provenance(run, data):
    result = run(command="the command")
    assert [(r["output"], r["method"], r["class"]) for r in result["rows"]] == [
        (output, "gradient", label) for output in ("probability", "logit") for label in (1, 0)
    ]
    for row in result["rows"]:
        shares = [row[name] for name in ("light", "triangles", "background")]
        assert all(s["low"] <= s["mean"] <= s["high"] and s["n"] == 4 for s in shares)
        assert ("dark" in row) == ("hit" in row) == ("recall" in row) == (row["class"] == 1)
        assert "gap" not in row  # a gradient has no completeness
        if row["class"] == 1:
            assert row["dark"]["mean"] + sum(s["mean"] for s in shares) == pytest.approx(1)
    assert result["authors"]["probability"]["ICG"]["dark"] == 0.664
    assert result["authors"]["logit"]["EG"]["recall, 2 or more"] == 0.996
    assert result["paper"]["accuracy"] == 0.987 and len(result["paper"]["claims"]) == 4
    names = ("burnt-snacks", "burnt-snacks-paper-mix")
    assert result["weights"] == {name: artifacts.sha256(data / f"weights/{name}.safetensors") for name in names}
    assert result["settings"]["n"] == 4 and result["command"] == "the command" and result["seed"] == 20220
    assert {"date", "device", "versions"} <= result.keys()
    assert "results/burnt-snacks.json" in json.loads((data / "manifest.json").read_text())


def test_a_perfect_attribution_gets_perfect_marks(run, monkeypatch):
    truth = {}
    original = burnt_snacks.generate

    def generate(n, *, label=None, generator=None):
        made = original(n, label=label, generator=generator)
        if label is not None:
            truth.update((i.numpy().tobytes(), dark > 0) for i, dark in zip(made.images, made.dark, strict=True))
        return made

    def attribute(method, model, inputs, **options):
        return torch.stack([truth[v.contiguous().numpy().tobytes()] for v in inputs[:, :1]]).float(), None

    monkeypatch.setattr(burnt_snacks, "generate", generate)
    monkeypatch.setattr(reproduction, "attribute", attribute)
    row = run(n=6)["rows"][0]
    assert [row[name]["mean"] for name in ("dark", "hit", "recall", "recall, 2 or more")] == [1, 1, 1, 1]
    assert [row[name]["mean"] for name in ("light", "triangles", "background")] == [0, 0, 0]
    assert all(row["found"][k] == int(k) for k in row["found"])


def test_a_stopped_run_goes_on_and_ends_with_the_same_numbers(run, monkeypatch, tmp_path):
    straight = Attribute()
    monkeypatch.setattr(reproduction, "attribute", straight)
    expected = run(work_folder=tmp_path / "other", methods=("ICG", "AGN"))
    assert straight.calls == 2 * 2 * 2 * 2  # methods, outputs, classes, chunks

    monkeypatch.setattr(reproduction, "attribute", Attribute(stop_at=8))
    with pytest.raises(KeyboardInterrupt):
        run(methods=("ICG", "AGN"))
    rest = Attribute()
    monkeypatch.setattr(reproduction, "attribute", rest)
    assert run(methods=("ICG", "AGN"))["rows"] == expected["rows"]
    assert rest.calls == 16 - 7
    assert expected["rows"][0]["gap"]["largest"] >= expected["rows"][0]["gap"]["mean"] > 0
    assert run(methods=("ICG", "AGN"))["rows"] == expected["rows"] and rest.calls == 9  # nothing is left to do


def test_the_paper_s_damage_is_measured_on_its_own_network(run, data, monkeypatch):
    seen = {}

    def attribute(method, model, inputs, **options):
        seen[method] = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        return torch.rand(inputs[:, :1].shape), None

    monkeypatch.setattr(reproduction, "attribute", attribute)
    run(methods=("ICG", "ICG (paper's damage)"))
    for method, name in (("ICG", "burnt-snacks"), ("ICG (paper's damage)", "burnt-snacks-paper-mix")):
        expected = artifacts.load_model(name).state_dict()
        assert all(torch.equal(seen[method][key], expected[key]) for key in expected)


@pytest.mark.parametrize("change", ["weights", "n", "seed", "AGN's steps", "the saved file"])
def test_saved_numbers_serve_more_images_but_not_other_weights_or_settings(run, data, monkeypatch, tmp_path, change):
    monkeypatch.setattr(reproduction, "attribute", Attribute())
    run(methods=("AGN",))
    again = Attribute()
    monkeypatch.setattr(reproduction, "attribute", again)
    options = {"n": {"n": 6}, "seed": {"seed": 1}, "AGN's steps": {"agn_steps": 7}}.get(change, {})
    if change == "weights":
        ship(data, 1)
    if change == "the saved file":
        for path in (tmp_path / "work").iterdir():
            path.write_bytes(path.read_bytes()[:50])
    run(methods=("AGN",), **options)
    # More images begin with those that are done, so one chunk of two is left for each output and class.
    assert again.calls == 2 * 2 * (1 if change == "n" else 2)


def test_two_images_are_enough_whatever_is_in_them(run, monkeypatch):
    # Both may have one dark square only, and then there is no recall over images with two.
    monkeypatch.setattr(reproduction, "attribute", Attribute())
    generate = burnt_snacks.generate
    pool = generate(60, label=1, generator=torch.Generator().manual_seed(0))
    one = pool[torch.tensor([len(dark.unique()) == 2 for dark in pool.dark])]

    def few(n, *, label=None, generator=None):
        return one[:n] if label == 1 else generate(n, label=label, generator=generator)

    monkeypatch.setattr(burnt_snacks, "generate", few)
    row = run(n=2)["rows"][0]
    assert row["recall"]["n"] == 2 and list(row["found"]) == ["1"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [({"n": 1}, "n >= 2 images of each class, got 1"), ({"methods": ("LIME", "EG")}, "methods among .* got LIME")],
)
def test_bad_settings_are_refused(run, options, expected):
    with pytest.raises(ValueError, match=expected):
        run(**options)


class Linear(nn.Module):
    """Log-odds linear in value x certainty: a model for which all methods are cheap and exact."""

    certainty_aware = True

    def forward(self, joined):
        score = (joined[:, 0] * joined[:, 1]).flatten(1).mean(1)
        return torch.stack([-score, score], 1)


@pytest.mark.parametrize("method", reproduction.METHODS)
def test_every_method_of_the_figure_runs_for_the_class_asked_for(method):
    images = burnt_snacks.generate(2, generator=torch.Generator().manual_seed(0)).images
    options = {"output": "logit", "data": images, "agn_steps": 2}
    maps, gap = reproduction.attribute(method, Linear(), join(images), target=1, **options)
    channels = 1 if "ICG" in method or method == "random-path" else 2
    assert maps.shape == (2, channels, 50, 50) and maps.dtype == torch.float64
    against, _ = reproduction.attribute(method, Linear(), join(images), target=0, **options)
    assert maps.abs().max() > 0 and torch.equal(maps, -against)  # the same seed, the other class
    if method in ("gradient", "random-path"):
        assert gap is None
    elif method != "EG":  # random draws are complete only on average
        assert gap.abs().max() < 1e-6
    if method == "gradient":
        assert torch.equal(maps, gradient(Linear(), join(images), target=1, output="logit", dtype=torch.float64))


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="method to be one of zero IG.* got 'LIME'"):
        reproduction.attribute("LIME", Linear(), torch.zeros(1, 2, 50, 50), target=1, output="logit", data=None)
