"""Reproducing table 2: measures by hand, numbers tied to weights and settings, and stopped runs that go on."""

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from icg import artifacts
from icg.__main__ import main
from icg.models import LocalMinimumNet
from icg_book.kit import records
from icg_book.local_minimum import experiment as reproduction
from icg_book.scenarios import local_minimum
from icg_book.scenarios.local_minimum import PAPER_INPUT, component_score, generate, ideal_probability, ideal_shap

BSHAP, PAPER_BSHAP = reproduction.BSHAP, reproduction.PAPER_BSHAP


class Additive(nn.Module):
    """Log-odds = sum of certainty times score: attributions of the logit are the scores, whatever the certainty."""

    certainty_aware = True

    def forward(self, joined):
        score = (joined[:, 1] * component_score(joined[:, 0].clamp(0, 1))).sum(1)
        return torch.stack([torch.zeros_like(score), score], 1)


class Ideal(nn.Module):
    certainty_aware = True

    def forward(self, joined):
        p = ideal_probability(joined[:, :1].detach(), joined[:, 1:]).clamp(1e-12, 1 - 1e-12)
        return torch.stack([(1 - p).log(), p.log()], 1)


def ship(folder, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LocalMinimumNet()
    with torch.no_grad():  # a decision by the values, so that there is a boundary
        for layer in (*model.component, *model.decision):
            if isinstance(layer, nn.Linear):
                layer.weight.abs_()
        last = model.decision[-1]
        last.weight[0] *= -1
        middle = model(torch.stack([torch.full((6,), 0.5), torch.ones(6)])[None])[0]
        last.bias -= middle
    metrics = {"accuracy": {"all": 0.5, "images": 2}}
    records.save_model(model, "local-minimum", folder, training={}, metrics=metrics, made=records.provenance("", seed))


def stages():
    return local_minimum.TRAININGS["local-minimum"].stages


EVALUATE = local_minimum.evaluate


def few(model):
    return EVALUATE(model, n=50, n_games=3)


def train_by(monkeypatch, stages):
    training = replace(local_minimum.TRAININGS["local-minimum"], stages=stages, evaluate=few)
    monkeypatch.setitem(local_minimum.TRAININGS, "local-minimum", training)


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data folder with untrained weights, an empty working folder; everything small."""
    monkeypatch.chdir(tmp_path)
    ship(tmp_path / "data")
    monkeypatch.setattr(artifacts, "data_folder", lambda: tmp_path / "data")
    for name, number in (("CHUNK", 2), ("MEANS", 2), ("EG_DRAWS", 4), ("AGN_BASELINES", 2), ("AGN_STEPS", 2)):
        monkeypatch.setattr(reproduction, name, number)
    monkeypatch.setattr(reproduction, "WATCH", 50)
    small = tuple((replace(recipe, batch_size=8, warmup=1), batch) for recipe, batch in stages())
    monkeypatch.setattr(local_minimum, "evaluate", few)
    train_by(monkeypatch, small)
    thorough = reproduction.attribute
    monkeypatch.setattr(
        reproduction, "attribute", lambda *a, thorough_=thorough, **o: thorough_(*a, **o | {"thorough": False})
    )
    return tmp_path / "data"


def run(data, **options):
    defaults = {"n": 4, "n_seeds": 0, "steps": 4, "progress": False}
    return json.loads(reproduction.run(data_folder=data, **defaults | options).read_text())


# ---- measures


def test_measures_of_a_case_done_by_hand():
    a = torch.tensor([[1.0, -1.0, 0.5, 0.0, 0.2, -0.3]], dtype=torch.float64)
    r = torch.tensor([[0.5, 1.0, 0.5, 0.0, 0.1, -0.6]], dtype=torch.float64)
    measures = reproduction.compare(a, r)
    assert measures["sign agreement"].item() == pytest.approx(5 / 6)
    assert measures["largest difference"].item() == pytest.approx(2.0)
    assert measures["correlation"].item() == pytest.approx(torch.corrcoef(torch.cat([a, r]))[0, 1].item())
    assert reproduction.compare(a, 7 * a)["correlation"].item() == pytest.approx(1)
    assert reproduction.compare(a, 7 * a, scale=True)["largest difference"].item() == pytest.approx(0, abs=1e-12)
    flat = torch.full((1, 6), 0.1, dtype=torch.float64)
    assert reproduction.compare(a, flat)["correlation"].isnan().item()
    with pytest.raises(ValueError, match=r"one shape \(N, 6\), got \(1, 6\) and \(1, 5\)"):
        reproduction.compare(a, r[:, :5])


def test_the_boundary_is_where_the_class_changes():
    class Edge(nn.Module):
        def forward(self, joined):
            mean = joined[:, 0].mean(1)
            return torch.stack([torch.zeros_like(mean), mean - 0.507], 1)

    assert reproduction.find_boundary(Edge()) == pytest.approx(0.507, abs=1e-5)
    with pytest.raises(ValueError, match=r"class to change from 0 to 1"):
        reproduction.find_boundary(lambda joined: torch.zeros(len(joined), 2))


@pytest.mark.parametrize("method", reproduction.METHODS)
def test_every_method_gives_the_scores_of_an_additive_network(method):
    """From a baseline in the flat part, every path method is right about components there: their share is 0."""
    values = torch.cat([PAPER_INPUT, generate(3, generator=torch.Generator().manual_seed(0)).values])
    maps = reproduction.attribute(method, Additive(), values, output="logit", boundary=0.3)
    assert maps.shape == (4, 6) and maps.dtype == torch.float64
    scores = component_score(values.double())[:, 0]
    if method in ("ICG", "certainty-SHAP"):
        assert torch.allclose(maps, scores, atol=1e-5)
    elif method == BSHAP:
        assert torch.allclose(maps, scores + 0.75, atol=1e-5)  # 0.3 has a score of -0.75
    elif method == PAPER_BSHAP:
        base = component_score(torch.tensor(local_minimum.PAPER_BASELINE, dtype=torch.float64))
        assert torch.allclose(maps, scores - base, atol=1e-5)
    elif method == "zero IG":
        assert maps[0, :3].abs().max() == 0  # never leaves the flat part


def test_icg_of_the_ideal_network_is_exact_shap():
    values = generate(5, generator=torch.Generator().manual_seed(2)).values
    for method, tolerance in (("ICG", 2e-3), ("certainty-SHAP", 1e-5)):
        maps = reproduction.attribute(method, Ideal(), values, output="probability", boundary=0.5)
        assert torch.allclose(maps, ideal_shap(values)[:, 0], atol=tolerance)


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="method to be one of zero IG.* got 'LIME'"):
        reproduction.attribute("LIME", Additive(), PAPER_INPUT, output="logit", boundary=0.5)


# ---- the run


def test_the_result_has_everything_that_the_chapter_reads(data):
    result = run(data, n_seeds=2, command="the command")
    assert list(result["seeds"]) == ["0", "1"]
    for entry in result["seeds"].values():
        assert 0 <= entry["accuracy"] <= 1 and entry["curve"]["steps"][-1] == 4 * len(stages())
        assert len(entry["curve"]["steps"]) == len(entry["curve"]["accuracy"])
        assert entry["to exact SHAP"]["ICG"]["largest difference"]["n"] == 200
        assert "all coalitions" in entry["distance from the exact probability"]
    assert set(result["table"]) == {"scaled score", *reproduction.METHODS, "exact SHAP"}
    assert all(len(column) == 6 for column in result["table"].values())
    assert result["table"]["exact SHAP"] == pytest.approx(
        [-0.2356, -0.2356, -0.2356, 0.1186, -0.0304, 0.1186], abs=1e-4
    )
    assert result["table"]["scaled score"] == pytest.approx([-0.75, -0.75, -0.75, 0.8, 0.6, 0.8], abs=1e-6)
    assert 0.4 < result["boundary"] < 0.6
    single = result["mean IG of single draws"]
    assert all(low <= high for low, high in zip(single["low"], single["high"], strict=True)) and len(single["low"]) == 6
    for reference, without in (
        ("exact SHAP", None),
        ("score", None),
        ("BShap", BSHAP),
        ("certainty-SHAP", "certainty-SHAP"),
    ):
        rows = result["comparison"][reference]
        assert set(rows) == set(reproduction.METHODS) - {without}
        for row in rows.values():
            assert set(row) == {"correlation", "sign agreement", "largest difference"}
            assert all(i is None or i["low"] <= i["mean"] <= i["high"] and i["n"] <= 4 for i in row.values())
    assert "largest difference" not in result["comparison of logits"]["score"]["ICG"]
    assert (
        result["paper"]["table"]["ICG"] == [-0.75, -0.75, -0.74, 1, 0.48, 0.74] and result["paper"]["accuracy"] == 0.93
    )
    assert result["command"] == "the command" and result["settings"]["n"] == 4
    assert result["weights"] == artifacts.load_card("local-minimum")["sha256"]


class Counting:
    """Stands in for :func:`attribute`: random numbers by seed; counts its calls, may stop at one of them."""

    def __init__(self, stop_at=None):
        self.calls, self.stop_at = 0, stop_at

    def __call__(self, method, model, values, *, seed=0, thorough=False, **options):
        self.calls += not thorough
        if self.calls == self.stop_at:
            raise KeyboardInterrupt
        return torch.randn(len(values), 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_stopped_comparison_goes_on_and_ends_the_same(data, tmp_path, monkeypatch):
    monkeypatch.setattr(reproduction, "attribute", whole := Counting())
    expected = run(data, work_folder=tmp_path / "a")
    assert whole.calls == len(reproduction.METHODS) * 2 * 2
    monkeypatch.setattr(reproduction, "attribute", Counting(stop_at=8))
    with pytest.raises(KeyboardInterrupt):
        run(data, work_folder=tmp_path / "b")
    monkeypatch.setattr(reproduction, "attribute", rest := Counting())
    assert run(data, work_folder=tmp_path / "b") == expected
    assert rest.calls == whole.calls - 7
    monkeypatch.setattr(reproduction, "attribute", more := Counting())
    assert run(data, work_folder=tmp_path / "b", n=6)["settings"]["n"] == 6
    assert more.calls == len(reproduction.METHODS) * 2  # the first four are kept
    monkeypatch.setattr(reproduction, "attribute", odd := Counting())
    assert run(data, work_folder=tmp_path / "b", n=3)["comparison"]["score"]["ICG"]["sign agreement"]["n"] == 3
    assert odd.calls == 0


@pytest.mark.parametrize("change", ["weights", "seed", "a broken file"])
def test_saved_numbers_serve_no_other_weights_or_settings(data, tmp_path, monkeypatch, change):
    monkeypatch.setattr(reproduction, "attribute", first := Counting())
    run(data)
    monkeypatch.setattr(reproduction, "attribute", again := Counting())
    if change == "weights":
        ship(data, seed=1)
    if change == "a broken file":
        for path in (tmp_path / "runs/reproduce").glob("*.pt"):
            path.write_bytes(path.read_bytes()[:30])
    run(data, **({"seed": 3} if change == "seed" else {}))
    assert again.calls == first.calls


def test_a_killed_training_goes_on_from_its_checkpoint_to_the_same_network(data, tmp_path, monkeypatch):
    expected = run(data, n_seeds=1, work_folder=tmp_path / "a", checkpoints=tmp_path / "a")
    recipe, batch = stages()[-1]
    steps = []

    def interrupted(step, generator):
        steps.append(step)
        if len(steps) == 3:
            import os
            import signal

            os.kill(os.getpid(), signal.SIGTERM)
        return batch(step, generator)

    train_by(monkeypatch, (*stages()[:-1], (recipe, interrupted)))
    with pytest.raises(KeyboardInterrupt):
        run(data, n_seeds=1, work_folder=tmp_path / "b", checkpoints=tmp_path / "b")
    result = run(data, n_seeds=1, work_folder=tmp_path / "b", checkpoints=tmp_path / "b")
    assert steps == [0, 1, 2, 3]
    assert result["seeds"] == expected["seeds"]


def test_networks_trained_by_the_train_command_are_taken(data, tmp_path, monkeypatch):
    assert main(["train", "local-minimum", "--steps", "4", "--data", str(data)]) == 0
    accuracy = artifacts.load_card("local-minimum")["metrics"]["accuracy"]["all"]
    ship(data)  # four steps are no network to measure

    def never(step, generator):
        raise AssertionError("trained again")

    train_by(monkeypatch, tuple((recipe, never) for recipe, _ in stages()))
    result = run(data, n_seeds=1)
    assert result["seeds"]["0"]["accuracy"] == accuracy and result["seeds"]["0"]["curve"] is None


def test_the_command_line(data, capsys):
    assert (
        main(["reproduce", "local-minimum", "--inputs", "2", "--seeds", "1", "--steps", "2", "--data", str(data)]) == 0
    )
    assert "local-minimum.json" in capsys.readouterr().out
    result = json.loads((data / "results/local-minimum.json").read_text())
    assert result["settings"]["n"] == 2 and list(result["seeds"]) == ["0"]
    for arguments, message in (
        (["--inputs", "1"], "expected n >= 2, got 1"),
        (["--seeds", "-1"], "expected n_seeds >= 0, got -1"),
        (["--seeds", "1", "--steps", "0"], "expected steps to be a whole number >= 1, got 0"),
    ):
        assert main(["reproduce", "local-minimum", "--data", str(data), *arguments]) == 2
        err = capsys.readouterr().err.strip().splitlines()[-1]
        assert message in err and "Traceback" not in err
