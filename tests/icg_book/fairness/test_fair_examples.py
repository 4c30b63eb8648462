"""Pictures of "fair shares": who plays, what is due and what is given."""

import pytest
import torch
from torch import nn

from icg.artifacts import load_model
from icg.attribution import integrated_gradients
from icg.certainty import join
from icg.fairness import correlation, distance
from icg.measures import dilate, probabilities
from icg.shapley import certainty_shap
from icg_book.fairness import fair_examples
from icg_book.fairness.fair_examples import METHODS, digits, divide, measured_snacks, paper_input, place, snacks
from icg_book.fairness.players import Objects, objects
from icg_book.kit import contenders
from icg_book.scenarios import burnt_snacks, local_minimum


class Additive(nn.Module):
    """Logit of class 1: known values, weighted. Of it every method can be worked out by hand."""

    certainty_aware = True

    def __init__(self, weights):
        super().__init__()
        self.weights = nn.Parameter(torch.tensor(weights))

    def forward(self, joined):
        logit = (self.weights * joined[:, 0] * joined[:, 1]).sum(1)
        return torch.stack([torch.zeros_like(logit), logit], 1)


def test_shares_are_those_of_the_library():
    model, values = Additive([1.0, -2.0, 0.5, 3.0]), torch.tensor([[[0.9, 0.4, 0.2, 0.7]], [[0.1, 0.8, 0.6, 0.3]]])
    groups, target = torch.tensor([[[0, 1, 1, 2]], [[0, 1, 2, 3]]]), torch.tensor([1, 0])
    data = torch.rand(5, 1, 4, generator=torch.Generator().manual_seed(3))
    found = divide(model, values, groups, target=target, data=data)
    assert [len(one["fair"]) for one in found] == [3, 4]
    for k, one in enumerate(found):
        assert list(one["shares"]) == list(METHODS) and one["error"] == 0 and one["evaluations"] == 64
        options = {"target": int(target[k]), "output": "probability"}
        exact = certainty_shap(model, join(values[k : k + 1]), groups=groups[k], **options)[0, 0]
        zero = integrated_gradients(model, join(values[k : k + 1]), method="adaptive", **options)[0, 0]
        for player in range(len(one["fair"])):
            own = groups[k, 0] == player
            assert one["fair"][player] == pytest.approx(exact[own].sum().item(), abs=1e-6)
            assert one["shares"]["zero IG"][player] == pytest.approx(zero[own].sum().item(), abs=1e-4)
        p = [probabilities(model, values[k : k + 1], c)[0, target[k]].item() for c in (0.0, 1.0)]
        assert (one["nobody"], one["everybody"]) == pytest.approx(p)
        assert one["fair"].sum().item() == pytest.approx(p[1] - p[0], abs=1e-6)
        assert one["shares"]["ICG"].sum().item() == pytest.approx(p[1] - p[0], abs=1e-4)


def test_copies_of_an_input_are_averaged():
    """Of this model a hundredfold of draws comes close to the expectation; a sum over copies would be far off."""
    model, values = Additive([1.0, -2.0]), torch.tensor([[[0.9, 0.4]]])
    groups, target = torch.tensor([[[0, 1]]]), torch.tensor([1])
    options = {"groups": groups, "target": target, "data": torch.tensor([[[0.0, 0.0]], [[1.0, 1.0]]])}
    few, many = (divide(model, values, evaluations=n, **options)[0]["shares"] for n in (64, 4096))
    for method in METHODS:
        assert many[method].numpy() == pytest.approx(few[method].numpy(), abs=0.1), method


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("evaluations", [16, 64, 4096])
def test_methods_cost_what_they_are_said_to(method, evaluations):
    assert contenders.evaluations(method, fair_examples.settings(method, evaluations)) == evaluations


def test_objects_of_burnt_snacks_are_players():
    image = burnt_snacks.examples()["one dark, one light"]
    (example,) = snacks({"own title": image}, evaluations=4)
    assert (example.scenario, example.title, example.network) == ("Burnt Snacks", "own title", "burnt-snacks")
    assert example.explained == "dark square" and example.kind == "objects"
    assert example.names[0].startswith("dark square at the ") and example.names[-1] == "background"
    assert len(set(example.names)) == len(example.names) == len(example.fair) == 6
    assert torch.equal(example.image, image.images[0, 0])
    dark, light, triangles = (dilate(m > 0)[0, 0] for m in (image.dark, image.light, image.triangles))
    assert torch.equal(example.groups == 0, dark)  # with its border
    assert torch.equal(example.groups == 1, light & ~dark)
    assert torch.equal((example.groups > 1) & (example.groups < 5), triangles & ~dark & ~light)
    assert (image.images[0, 0][example.groups == 5] == 0).all()
    assert example.fair.argmax() == 0 and example.everybody > 0.99 and abs(example.nobody - 0.5) < 0.05


def test_the_papers_input():
    example = paper_input()
    ideal = local_minimum.ideal_shap(local_minimum.PAPER_INPUT).flatten()
    assert example.fair.numpy() == pytest.approx(ideal.numpy(), abs=0.02)
    assert example.names[3] == "component 4 (0.6)" and example.groups.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert example.image.flatten().tolist() == pytest.approx([0.1, 0.2, 0.3, 0.6, 0.7, 0.9])
    off = {name: distance(shares[None], example.fair[None]).item() for name, shares in example.shares.items()}
    assert max(off["ICG"], off["block-wise"]) < 0.4 < 0.8 < min(off["zero IG"], off["EG"], off["AGN"])


def test_digits_of_the_book_in_blocks(monkeypatch):
    monkeypatch.setattr(fair_examples, "PERMUTATIONS", 64)
    (example,) = digits([4])
    assert (example.title, example.explained, len(example.names)) == ("a 4", "4", 49)
    assert (
        example.names[8] == "block in row 2, column 2," and example.groups[4, 7] == 8 and example.groups[27, 27] == 48
    )
    assert example.fair.sum().item() == pytest.approx(example.everybody - example.nobody, abs=1e-6)
    assert 0 < example.error < 0.05
    r = {name: correlation(shares[None], example.fair[None]).item() for name, shares in example.shares.items()}
    assert r["ICG"] > 0.6 > r["AGN"]
    empty = example.image.unfold(0, 4, 4).unfold(1, 4, 4).amax((2, 3)).flatten() == 0
    assert empty.any() and (example.shares["zero IG"][empty] == 0).all()


def row(target, number, **change):
    players = Objects(number + 1, target).players(number)
    n = len(players)
    shares = {"zero IG": [0.25] * n, "ICG": [k / 8 for k in range(n)], "random": [9.0] * n}
    found = {"network": "burnt-snacks", "output": "probability", "target": target, "number": number}
    return found | {"players": players, "fair": [k / 4 for k in range(n)], "shares": shares} | change


def test_burnt_snacks_of_a_result():
    rows = [row(1, 0, output="logit"), row(1, 1, network="other"), row(0, 2), row(1, 1), row(1, 2), row(0, 0)]
    found = measured_snacks({"examples": rows}, each=(1, 2))
    assert [example.explained for example in found] == ["dark square", "no dark square", "no dark square"]
    for example, (target, number) in zip(found, ((1, 1), (0, 2), (0, 0)), strict=True):
        of = Objects(number + 1, target)
        assert torch.equal(example.image, of.images.images[number, 0])
        assert torch.equal(example.groups, of.groups[number, 0])
        assert example.fair.tolist() == [k / 4 for k in range(len(of.players(number)))]
        assert example.shares["ICG"].tolist() == [k / 8 for k in range(len(of.players(number)))]
        assert list(example.shares) == ["zero IG", "ICG"]
        p = probabilities(load_model("burnt-snacks"), of.values[number : number + 1], 1.0)[0, target]
        assert example.everybody == pytest.approx(p.item()) and example.everybody > 0.9
    kinds = [player["kind"] for player in Objects(2, 1).players(1)]
    assert found[0].title.split(", ")[0] == ("one", "two", "three")[kinds.count("dark") - 1] + " dark"
    with pytest.raises(ValueError, match="with examples of Burnt Snacks"):
        measured_snacks({"examples": rows[:2]})
    # Shares in another order than the picture's objects would be told of the wrong ones.
    with pytest.raises(ValueError, match=r"expected a result with the players \[{'kind': 'dark', .*got"):
        measured_snacks({"examples": [row(1, 1, players=Objects(2, 1).players(1)[::-1])]})


@pytest.mark.parametrize(
    ("y", "x", "words"),
    [
        (0, 0, "at the top left"),
        (4, 0, "at the left"),
        (4, 4, "in the middle"),
        (8, 4, "at the bottom"),
        (2, 8, "at the top right"),
        (3, 6, "at the right"),
    ],
)
def test_places_are_thirds_of_the_picture(y, x, words):
    mask = torch.zeros(9, 9, dtype=torch.bool)
    mask[y, x] = True
    assert place(mask) == words


def test_objects_of_one_kind_in_one_place_are_counted():
    image = burnt_snacks.examples()["two light, none dark"]
    names = fair_examples.in_words(image, objects(image)[1])
    assert "first triangle at the right" in names and "second triangle at the right" in names
    assert len(set(names)) == 9
