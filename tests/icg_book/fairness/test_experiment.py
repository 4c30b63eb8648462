"""The fairness ledger, on a network whose fair division is known and on a handful of inputs."""

import json
from itertools import product

import pytest
import torch
from torch import nn

from icg import artifacts
from icg.certainty import split
from icg.coalitions import shapley_values
from icg.fairness import MEASURES, by_player
from icg.measures import dilate
from icg.models import ARCHITECTURES
from icg.shapley import certainty_game
from icg_book.fairness import experiment, players, work
from icg_book.fairness.work import SAMPLING, Case
from icg_book.kit import contenders, records
from icg_book.scenarios import burnt_snacks, local_minimum, mnist
from icg_book.scenarios.mnist import Digits

CERTAINTY = ("ICG", "random-path", "block-wise")
CASES = (
    Case("local-minimum", "local-minimum", 12, own=3, chunk=5),
    Case("burnt-snacks", "burnt-snacks", 3, 1, curves=2, own=2, chunk=5, budgets=(16, 64)),
    Case("burnt-snacks", "burnt-snacks", 2, 0, methods=("ICG", "random"), chunk=5),
    Case("mnist", "mnist", 3, methods=("EG", "ICG", SAMPLING), chunk=5),
)
SHAPES = {"local-minimum": (2, 6), "burnt-snacks": (2, 50, 50), "mnist": (2, 28, 28)}


class Sum(nn.Module):
    """The logit of class 1 is the sum of weight x value x certainty, so what is fair is known; of class 0, minus it."""

    certainty_aware = True

    def __init__(self, shape):
        super().__init__()
        self.config, self.input_shape = {"shape": list(shape)}, tuple(shape)
        self.weight = nn.Parameter(torch.randn(shape[1:]) / 4 + 0.1)

    def forward(self, joined):
        values, certainty = split(joined)
        total = (values * certainty * self.weight).flatten(1).sum(1)
        return torch.stack([-total, total], 1)


def ship(folder, seed=0):
    for name, shape in SHAPES.items():
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = Sum(shape)
        records.save_model(model, name, folder, training={}, metrics={}, made=records.provenance("", seed))


def made_up(split, *, download=True):
    """Digits of noise in the middle of a black square."""
    generator = torch.Generator().manual_seed(len(split))
    images = torch.zeros(30, 1, 28, 28)
    images[:, :, 8:20, 6:20] = torch.rand(30, 1, 12, 14, generator=generator)
    return Digits(images, torch.arange(30) % 10)


def prepare(monkeypatch, folder):
    """A data folder with weights, and few inputs."""
    monkeypatch.setitem(ARCHITECTURES, "Sum", Sum)
    monkeypatch.setattr(artifacts, "data_folder", lambda: folder)
    monkeypatch.setattr(mnist, "load", made_up)
    monkeypatch.setattr(experiment, "CASES", CASES)
    monkeypatch.setitem(work.PERMUTATIONS, "mnist", (4, 8))
    monkeypatch.setattr(players.Objects, "data", 20)
    monkeypatch.setattr(work, "OWN_UNIFORM", 4)
    for method in ("AGN", "EG"):
        monkeypatch.setitem(work.GAMES, method, (work.GAMES[method][0], {"steps": 2, "draws": 2}))
    ship(folder)
    return folder


@pytest.fixture
def data(tmp_path, monkeypatch):
    return prepare(monkeypatch, tmp_path / "data")


@pytest.fixture
def run(data, tmp_path):
    def run(**options):
        defaults = {"progress": False, "work_folder": tmp_path / "work"}
        path = experiment.run(data_folder=data, **defaults | options)
        return json.loads(path.read_text())

    return run


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The data folder after all has been computed, and the result."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as monkeypatch:
        data = prepare(monkeypatch, folder / "data")
        path = experiment.run(data_folder=data, work_folder=folder / "work", command="the command", progress=False)
    return data, json.loads(path.read_text())


@pytest.fixture
def made():
    """Makes the work on a case of the network above, without weights on a disk."""

    def made(part="burnt-snacks", label=1, n=4, **options):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = Sum(SHAPES[part])
        case = Case(part, part, n, label, chunk=5, **options)
        return work.Work(case, model, "", work.inputs_of(case, model))

    return made


def find(entries, **wanted):
    return [entry for entry in entries if all(entry.get(name) == value for name, value in wanted.items())]


# ---- the result


def test_the_result_has_what_was_agreed(whole):
    data, result = whole
    outputs = ("probability", "logit")
    for case, output in product(CASES, outputs):
        name = {"scenario": work.PARTS[case.part], "network": case.network, "output": output}
        name["set"] = None if case.label is None else burnt_snacks.CLASSES[case.label]
        told = case.part == "local-minimum" or case.label == 1  # by the task
        for method in case.methods:
            assert len(find(result["rows"], method=method, reference="network", **name)) == 1
            assert len(find(result["rows"], method=method, reference="task", **name)) == told
        [reference] = find(result["references"], **name)
        assert reference["exact"] == (case.part != "mnist") and reference["players"]["most"] >= 3
        assert [entry["method"] for entry in find(result["credit"], **name)] == (
            ["fair", *case.methods] if case.part == "burnt-snacks" else []
        )
        curves = find(result["curves"], **name)
        assert [curve["method"] for curve in curves] == list(work.CURVES if case.curves else ())
        games = [entry["game"] for entry in find(result["games"], **name)]
        own = ["BShap, zero", "BShap, mean", "BShap, noise", "SHAP, data"] if case.own else []
        assert games == (["certainty-SHAP", *own] if told else [])
        paths = [entry["method"] for entry in find(result["rows"], reference="own game", **name)]
        assert paths == (["zero IG", "mean IG", "AGN", "EG", *CERTAINTY] if case.own else [])
    for row in [*result["rows"], *result["games"]]:
        for measure in MEASURES:
            found = row[measure]
            assert found["mean"] is None or found["low"] <= found["mean"] <= found["high"]
    for curve in result["curves"]:
        assert curve["evaluations"] == [16, 64] and curve["inputs"] == 2
        assert [point["n"] for point in curve["distance"]] == [2, 2]
        assert len(curve["correlation"]) == 2
    cost = {row["method"]: row["evaluations"] for row in find(result["rows"], reference="network")}
    assert cost["gradient"] == 1 and cost["random"] == 0
    assert {cost[m] for m in work.ALWAYS if m not in ("gradient", "random")} == {64}
    assert find(result["rows"], method="AGN", reference="own game")[0]["evaluations"] == 4
    assert result["settings"]["missing"] == [] and result["command"] == "the command"
    assert result["weights"] == {name: artifacts.sha256(data / f"weights/{name}.safetensors") for name in SHAPES}
    costs = result["settings"]["cost of a forward pass in evaluations"]
    assert set(costs) == set(SHAPES) and min(costs.values()) > 0
    precise = result["settings"]["precision"]["distance of fair shares in bfloat16 from those in float32"]
    assert set(precise) == {"burnt-snacks"} and precise["burnt-snacks"]["logit"]["mean"] < 1e-3
    assert "results/fairness.json" in json.loads((data / "manifest.json").read_text())


def test_what_is_known_of_the_network_is_found(whole):
    _, result = whole
    for name in ("burnt-snacks", "local-minimum", "mnist"):  # paths of certainty are exact where it counts once
        for method in CERTAINTY if name != "mnist" else ("ICG",):
            for row in find(result["rows"], network=name, output="logit", method=method, reference="network"):
                assert row["distance"]["mean"] < 1e-3 and row["correlation"]["mean"] > 0.999
                assert row["wrong signs"]["mean"] == 0
    for row in find(result["rows"], output="logit", reference="own game"):  # as straight paths are in linear games
        assert row["distance"]["mean"] < 1e-3, row["method"]
    for row in find(result["rows"], output="logit", method=SAMPLING, reference="network", network="burnt-snacks"):
        assert row["distance"]["mean"] < 1e-3
    assert find(result["rows"], network="burnt-snacks", output="logit", method="random")[0]["distance"]["mean"] > 0.5
    for row in find(result["rows"], output="logit", reference="task") + find(result["games"], output="logit"):
        assert row["distance"] == {"mean": None, "low": None, "high": None, "n": 0}  # other units
        assert row["correlation"]["mean"] is not None
    assert all(row["distance"]["n"] >= 2 for row in find(result["rows"], output="probability", reference="task"))
    assert all(entry["noise"] == entry["largest error"] == 0 for entry in find(result["references"], exact=True))
    [sampled] = find(result["references"], network="mnist", output="logit")
    assert sampled["permutations"] == 4 or sampled["permutations"] == 8


def test_examples_are_the_inputs_they_name(whole, monkeypatch):
    data, result = whole
    prepare(monkeypatch, data)
    weight = artifacts.load_model("burnt-snacks").weight
    for example in find(result["examples"], scenario="Burnt Snacks", output="logit", target=1):
        images = burnt_snacks.test_images(3, 1)[example["number"] : example["number"] + 1]
        paid = (images.images * weight)[0, 0]
        masks = {"dark": images.dark, "light": images.light, "triangle": images.triangles}
        total = paid.sum()
        for player, share, task in zip(example["players"], example["fair"], example["task"], strict=True):
            if player["kind"] == "rest":
                assert share == pytest.approx(total.item(), abs=1e-3) and task == 0
                continue
            mask = masks[player["kind"]][0, 0] == player["number"]
            assert mask.any() and share == pytest.approx(paid[mask].sum().item(), abs=1e-3)
            total = total - paid[mask].sum()
            dark = burnt_snacks.count_objects(images.dark).item()
            assert task == pytest.approx(1 / dark if player["kind"] == "dark" else 0, abs=1e-4)
        assert example["shares"]["ICG"] == pytest.approx(example["fair"], abs=2e-3)
        assert set(example["shares"]) == set(work.ALWAYS)
    first = find(result["examples"], scenario="Local Minimum", output="probability")[0]
    values = local_minimum.generate(12, generator=torch.Generator().manual_seed(50_230)).values
    assert first["task"] == pytest.approx(local_minimum.ideal_shap(values)[0, 0].tolist(), abs=1e-4)
    digits = find(result["examples"], scenario="MNIST", output="logit")
    assert [d["number"] for d in digits] == mnist.shuffled(30, work.SEED)[:3].tolist()
    assert len(digits[0]["fair"]) == len(digits[0]["players"]) == 49


def test_credit_is_the_sum_over_a_kind(made):
    one = made(n=2)
    shares = torch.full((2, one.inputs.most), torch.nan, dtype=torch.float64)
    expected = {"dark": 0.0, "light": 0.0, "triangles": 0.0, "rest": 0.0}
    for i in range(2):
        names = one.inputs.players(i)
        shares[i, : len(names)] = torch.arange(1.0, len(names) + 1)
        for k, player in enumerate(names):
            expected[player["kind"].replace("triangle", "triangles")] += (k + 1) / 2
    assert experiment.credit(one, shares) == pytest.approx(expected)


def test_inputs_without_anything_to_divide_have_no_measure():
    fair = torch.tensor([[0.5, 0.5], [1e-4, 1e-3]], dtype=torch.float64)
    found = experiment.measured(torch.tensor([[0.5, 0.5], [1.0, 0.0]]), fair)
    assert found["distance"] == {"mean": 0.0, "low": 0.0, "high": 0.0, "n": 1}
    assert found["correlation"]["mean"] is None and found["wrong signs"]["n"] == 1
    assert found["pooled"]["distance"]["mean"] == 0 and found["pooled"]["distance"]["n"] == 1
    nobody = experiment.measured(fair, fair / 1e3)
    assert nobody["distance"]["n"] == nobody["pooled"]["distance"]["n"] == 0


def test_pooled_measures_take_the_players_of_all_inputs_together():
    generator = torch.Generator().manual_seed(0)
    shares, fair = torch.randn(2, 5, 4, generator=generator, dtype=torch.float64)
    shares[2, 3] = fair[2, 3] = torch.nan  # an input with three players
    there = ~fair.isnan()
    found = experiment.pooled(shares, fair)
    expected = ((shares - fair)[there].abs().sum() / fair[there].abs().sum()).item()
    assert found["distance"]["mean"] == pytest.approx(expected, abs=1e-5)
    expected = torch.stack([shares[there], fair[there]]).corrcoef()[0, 1].item()
    assert found["correlation"]["mean"] == pytest.approx(expected, abs=1e-5)
    task = experiment.against_task(shares, fair, "logit")
    assert task["pooled"]["distance"]["mean"] is None and task["pooled"]["correlation"] == found["correlation"]


# ---- players


def test_every_position_has_one_player_and_every_object_is_one():
    objects = players.Objects(20, 1)
    images = objects.images
    for i in range(20):
        group, names = objects.groups[i], objects.players(i)
        assert group.unique().tolist() == list(range(len(names)))
        masks = {"dark": images.dark[i], "light": images.light[i], "triangle": images.triangles[i]}
        for k, player in enumerate(names[:-1]):
            lit = masks[player["kind"]] == player["number"]
            border = dilate(lit[None])[0] & ~lit
            assert (group[lit] == k).all() and not (group == k)[~(lit | border)].any()
            owners = {int(owner) for owner in group[border]}  # a neighbour with a lower number may have some of it
            assert owners <= set(range(k + 1)) and k in owners
        assert torch.equal(group == len(names) - 1, ~dilate((sum(masks.values()) > 0)[None])[0])
        assert names[-1]["kind"] == "rest"
    assert objects.most == max(len(objects.players(i)) for i in range(20))
    torch.testing.assert_close(players.Objects(7, 1).values, objects.values[:7])  # more begin with the same


def test_the_task_pays_each_dark_square_alike():
    objects = players.Objects(12, 1)
    for i in range(12):
        dark = torch.tensor([player["kind"] == "dark" for player in objects.players(i)])
        exact = shapley_values(lambda masks, dark=dark: (masks & dark).any(1), len(dark))
        torch.testing.assert_close(objects.task[i, : len(dark)], exact)
        assert objects.task[i, len(dark) :].isnan().all()
    assert players.Objects(2, 0).task is None


def test_blocks():
    assert players.Digits(1).most == 49 and players.DigitsInSpace(1).most == 128
    assert players.Photographs(1, 128).most == 64 and players.Photographs(1, 128).groups[0, 16, 0] == 8
    with pytest.raises(ValueError, match="expected blocks that fill 28 x 28 positions, got a side of 5"):
        players.blocks(28, 28, 5)


def test_digits_in_space_are_on_the_right_and_what_is_known_of_them_on_the_left(monkeypatch):
    monkeypatch.setattr(mnist, "load", made_up)
    space = players.DigitsInSpace(6)
    assert (space.values[..., :31] == 0).all() and (space.values.flatten(1).amax(1) > 0).all()
    assert (space.samples[..., 33:] == 0).all() and space.mean.shape == (1, 1, 32, 64)


# ---- what is computed


def test_every_method_costs_the_same():
    for budget in work.BUDGETS:
        for method in work.METHODS:
            if method not in (SAMPLING, "gradient", "random"):
                assert contenders.evaluations(method, work.settings(method, budget)) == budget, (method, budget)


def test_one_pass_gives_both_outputs():
    model, values = Sum((2, 6)), torch.rand(1, 1, 6)
    groups = torch.arange(6)[None]
    value, n = work.both(lambda **options: certainty_game(model, values, **options), groups, 1)
    masks = torch.rand(9, 6, generator=torch.Generator().manual_seed(0)) < 0.5
    assert n == 6
    for k, output in enumerate(work.OUTPUTS):
        game = certainty_game(model, values, groups=groups, target=1, output=output)
        torch.testing.assert_close(value(masks)[:, k], game(masks))


def pairs(n):
    """A game of ``n`` players: what each is worth, and something for the first two together."""
    worth = torch.arange(1.0, n + 1, dtype=torch.float64)
    fair = worth.clone()
    fair[:2] += 5

    def value(masks):
        together = 10.0 * (masks[:, 0] & masks[:, 1])
        return torch.stack([masks.double() @ worth, masks.double() @ worth + together], 1)

    return value, torch.stack([worth, fair], 1)


def test_sampling_gets_no_more_values_than_it_pays_for():
    value, fair = pairs(10)
    asked = []

    def counted(masks):
        asked.append(len(masks))
        return value(masks)

    budgets = [4, 8, 11, 20, 29]  # the last two: two orders, of which one is the other's reverse, and three
    found = work.sampled(counted, 10, budgets, generator=torch.Generator().manual_seed(0))
    assert asked == [2, 27, 2, 6]  # ends; three orders; for four and for eight values, without the ends
    for shares in found:  # whatever is asked, all is given away
        torch.testing.assert_close(shares.sum(0), fair.sum(0))
    for shares in found[2:]:
        torch.testing.assert_close(shares[:, 0], fair[:, 0])  # a single order is exact where nobody needs another
    torch.testing.assert_close(found[3], fair)
    assert not torch.allclose(found[2], fair) and not torch.allclose(found[4], fair)
    [few] = work.sampled(value, 10, [3], generator=torch.Generator().manual_seed(0))
    assert len(few[:, 0].unique()) == 2  # two groups of five share alike


def test_the_players_of_a_map_get_what_lies_on_them(made, monkeypatch):
    one = made(n=3)
    maps = torch.rand(3, 1, 50, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    monkeypatch.setattr(contenders, "attribute", lambda *given, **options: (maps, None))
    shares = one.shares("AGN", "logit").compute(0, 3)["shares"]
    for i in range(3):
        expected = by_player(maps[i : i + 1], one.inputs.groups[i])[0]
        torch.testing.assert_close(shares[i, : len(expected)], expected)
        assert shares[i, len(expected) :].isnan().all()


def test_own_games_are_of_inputs_with_few_players(made, monkeypatch):
    counts = [len(made(n=4).inputs.players(i)) for i in range(4)]
    monkeypatch.setattr(work, "OWN_PLAYERS", sorted(counts)[1])
    one = made(n=4, own=3)
    assert one.few == [i for i, count in enumerate(counts) if count <= sorted(counts)[1]][:3]
    assert made(n=4, own=1).few == one.few[:1] and made(n=4).few == [] and made(n=4).own == {}


def test_precision_is_mixed_where_many_gradients_are_averaged(made, monkeypatch):
    seen = {}

    def attribute(method, model, inputs, settings, *, autocast, **options):
        seen[method] = autocast
        return torch.zeros(len(inputs), 1, *inputs.shape[2:]), None

    monkeypatch.setattr(contenders, "attribute", attribute)
    for method in ("AGN", "ICG", "zero IG", "block-wise"):
        made().shares(method, "logit").compute(0, 1)
    assert seen == {"AGN": torch.bfloat16, "ICG": None, "zero IG": None, "block-wise": torch.bfloat16}
    made("local-minimum", None).shares("AGN", "logit").compute(0, 1)
    assert seen["AGN"] is None


# ---- going on with it


class StandIn:
    """Random maps instead of a method's; counts calls, may stop at one of them."""

    def __init__(self, stop_at=None):
        self.calls, self.stop_at = 0, stop_at

    def __call__(self, method, model, inputs, settings, *, generator=None, **options):
        self.calls += 1
        if self.calls == self.stop_at:
            raise KeyboardInterrupt
        return torch.randn(inputs[:, :1].shape, generator=generator, dtype=torch.float64), None


def numbers(result):
    """What doesn't depend on clocks."""
    return {name: result[name] for name in ("rows", "games", "credit", "curves", "references", "examples")}


def test_a_stopped_run_goes_on_and_ends_with_the_same_numbers(run, monkeypatch, tmp_path):
    chosen = {"parts": ("local-minimum",), "methods": ("fair", "ICG", "AGN")}
    straight = StandIn()
    monkeypatch.setattr(contenders, "attribute", straight)
    expected = numbers(run(work_folder=tmp_path / "other", **chosen))
    assert straight.calls == 2 * 2 * 3  # outputs x methods x chunks of 12 inputs
    monkeypatch.setattr(contenders, "attribute", StandIn(stop_at=6))
    with pytest.raises(KeyboardInterrupt):
        run(**chosen)
    rest = StandIn()
    monkeypatch.setattr(contenders, "attribute", rest)
    assert numbers(run(**chosen)) == expected and rest.calls == 12 - 5
    assert numbers(run(**chosen)) == expected and rest.calls == 12 - 5  # nothing is left to do


def test_a_ledger_that_is_not_complete_says_so(run, data):
    result = run(parts=("local-minimum",), methods=("fair", "ICG"))
    missing = result["settings"]["missing"]
    assert {row["method"] for row in result["rows"]} == {"ICG"} and list(result["weights"]) == ["local-minimum"]
    name = {"scenario": "Local Minimum", "network": "local-minimum", "set": None}
    for output in work.OUTPUTS:
        assert name | {"output": output, "method": "zero IG"} in missing
        assert name | {"output": output, "method": "AGN", "what": "own games"} in missing
    digits = {"scenario": "MNIST", "network": "mnist", "set": None}
    assert digits | {"output": "logit", "inputs": 0, "of": 3} in missing
    (data / "results" / "fairness.json").unlink()
    result = run(parts=("burnt-snacks",), methods=("fair", "EG"), n=3)
    entry = {"scenario": "Burnt Snacks", "network": "burnt-snacks", "set": "dark square", "output": "probability"}
    assert entry | {"method": "AGN", "what": "curve", "inputs": 0, "of": 2} in result["settings"]["missing"]
    assert {curve["method"] for curve in result["curves"]} == {"EG"}


def test_what_there_is_of_a_case_is_written_and_counted(run, data, monkeypatch):
    monkeypatch.setattr(contenders, "attribute", StandIn())
    some = ("fair", "zero IG", "EG", "random-path", "ICG")
    few = run(n=5, parts=("local-minimum",), methods=(*some, "AGN"))
    later = run(parts=("burnt-snacks",), methods=("random",))  # nobody goes on with the first
    assert find(later["rows"], network="local-minimum") == find(few["rows"], network="local-minimum")
    entry = {"scenario": "Local Minimum", "network": "local-minimum", "set": None}
    for output in work.OUTPUTS:
        assert entry | {"output": output, "inputs": 5, "of": 12} in later["settings"]["missing"]
        assert find(later["settings"]["inputs"], **entry, output=output)[0]["n"] == 5
    kept = run(parts=("local-minimum",), methods=some)  # with AGN, of which there is less
    assert find(kept["rows"], network="local-minimum") == find(few["rows"], network="local-minimum")
    (data / "results" / "fairness.json").unlink()
    result = run(parts=("burnt-snacks",), methods=("random",))
    # AGN has 5 of 12, and the others wait for one that is far behind only if most have not come further.
    rows = find(result["rows"], reference="network")
    assert {row["method"] for row in rows} == set(some) - {"fair"} and {row["distance"]["n"] for row in rows} == {12}
    assert entry | {"output": "logit", "method": "AGN"} in result["settings"]["missing"]
    assert not find(result["references"], network="burnt-snacks")  # without fair shares there is nothing to say


def test_a_run_over_a_part_leaves_the_rest_of_the_ledger(run, data, tmp_path, monkeypatch):
    monkeypatch.setattr(contenders, "attribute", StandIn())
    some = {"methods": ("fair", "ICG", "EG")}
    first = run(**some)
    again = run(work_folder=tmp_path / "elsewhere", parts=("local-minimum",), command="again", **some)
    assert numbers(again) == numbers(first)  # the same draws, and the others' rows though no work of theirs is there
    made = {
        network: {entry["made"]["command"] for entry in find(again["settings"]["inputs"], network=network)}
        for network in SHAPES
    }
    assert made == {"local-minimum": {"again"}, "burnt-snacks": {""}, "mnist": {""}}
    assert again["settings"]["missing"] == first["settings"]["missing"]
    fewer = run(work_folder=tmp_path / "few", parts=("local-minimum",), n=4, command="fewer", **some)
    assert numbers(fewer) == numbers(first) and fewer["settings"]["inputs"] == again["settings"]["inputs"]
    ship(data, 1)  # of other weights, what was found of the old ones is nothing
    other = run(work_folder=tmp_path / "other", parts=("mnist",), **some)
    assert {row["network"] for row in other["rows"]} == {"mnist"} and set(other["weights"]) == {"mnist"}


def test_a_ledger_that_cannot_be_read_is_refused_before_any_work(run, data, tmp_path, monkeypatch):
    calls = StandIn()
    monkeypatch.setattr(contenders, "attribute", calls)
    (data / "results").mkdir()
    (data / "results" / "fairness.json").write_text("{")
    some = {"parts": ("local-minimum",), "methods": ("fair", "ICG")}
    with pytest.raises(artifacts.ArtifactError, match="fairness.json is not valid JSON; restore it"):
        run(**some)
    assert calls.calls == 0
    # What writes none asks for none.
    experiment.run(data_folder=data, work_folder=tmp_path / "work", write=False, progress=False, **some)
    assert calls.calls > 0 and (data / "results" / "fairness.json").read_text() == "{"


def test_processes_leave_each_other_what_they_are_at(run, data, tmp_path, monkeypatch):
    chosen = {"parts": ("local-minimum",), "methods": ("fair", "ICG", "zero IG")}
    [job] = [
        job
        for one in experiment._works(None, None, "cpu")
        for job in one.jobs()
        if job.case.part == "local-minimum" and job.method == "ICG" and "probability" in job.label
    ]
    with artifacts.claimed(job.path(tmp_path / "work")) as free:
        assert free
        folder = experiment.run(data_folder=data, work_folder=tmp_path / "work", write=False, progress=False, **chosen)
    assert folder == tmp_path / "work" and not (data / "results").exists()
    assert job.count(folder) == 0
    again = StandIn()
    monkeypatch.setattr(contenders, "attribute", again)
    run(**chosen)
    assert again.calls == 3 and job.count(folder) == 12


@pytest.mark.parametrize("change", ["weights", "settings", "nothing"])
def test_saved_numbers_do_not_serve_other_weights_or_settings(run, data, monkeypatch, change):
    chosen = {"parts": ("local-minimum",), "methods": ("fair", "AGN")}
    monkeypatch.setattr(contenders, "attribute", StandIn())
    run(**chosen)
    again = StandIn()
    monkeypatch.setattr(contenders, "attribute", again)
    if change == "weights":
        ship(data, 1)
    if change == "settings":
        monkeypatch.setattr(work, "NOISE", 0.2)
    run(**chosen)
    assert again.calls == (0 if change == "nothing" else 6)


def test_order_of_the_work(made):
    case = {"curves": 2, "own": 2}
    found = [*made(**case).jobs(), *made("local-minimum", None, n=5).jobs()]
    found.sort(key=experiment._turn)
    assert len({job.name for job in found}) == len(found)
    parts = [job.case.part for job in found]
    assert parts == sorted(parts, key=lambda part: part != "local-minimum")
    kinds = [job.turn for job in found if job.case.part == "burnt-snacks"]
    assert kinds == sorted(kinds, key=lambda turn: max(turn, 1)) and kinds[0] == 0


# ---- bad settings, and what is missing


def test_bad_settings_are_refused_before_any_work(run, monkeypatch):
    monkeypatch.setattr(experiment, "load_model", None)
    with pytest.raises(ValueError, match="expected n >= 2 inputs, got 1"):
        run(n=1)
    with pytest.raises(ValueError, match="expected parts among local-minimum, burnt-snacks, .*, got nowhere"):
        run(parts=("mnist", "nowhere"))
    with pytest.raises(ValueError, match="expected methods among zero IG, .*, fair, own games, got LIME"):
        run(methods=("ICG", "LIME"))
    with pytest.raises(ValueError, match="expected a network among local-minimum, .*, got lenet"):
        run(model="lenet")


def test_a_network_without_weights_is_left_out_and_named(run, data, capsys):
    (data / "weights" / "mnist.json").unlink()
    chosen = {"parts": ("local-minimum", "mnist"), "methods": ("fair", "ICG")}
    result = run(**chosen)
    assert "without mnist" in (out := capsys.readouterr().out) and "icg train mnist" in out
    missing = find(result["settings"]["missing"], network="mnist", inputs=0, of=3)
    assert [entry["output"] for entry in missing] == list(work.OUTPUTS)
    with pytest.raises(artifacts.ArtifactError, match="mnist.json is not in"):
        run(model="mnist")
    for name in ("burnt-snacks", "local-minimum"):
        (data / "weights" / f"{name}.json").unlink()
    with pytest.raises(artifacts.ArtifactError, match="no network of the ledger is there"):
        run()


def test_a_model_is_chosen_by_name(run, tmp_path):
    result = run(model="local-minimum", methods=("fair", "gradient"))
    assert {row["network"] for row in result["rows"]} == {"local-minimum"}
    with pytest.raises(ValueError, match="nothing is complete yet"):
        run(work_folder=tmp_path / "nowhere", parts=("mnist",), methods=("ICG",))
