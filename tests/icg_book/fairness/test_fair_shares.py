"""Explorable "fair shares", as far as Python goes; tests/browser opens it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from fair_pictures import blocks, components, objects
from pages import inflate, payload
from torch import nn

from icg.artifacts import load_model
from icg_book.fairness import fair_shares as module
from icg_book.fairness.fair_shares import fair_shares
from icg_book.scenarios import glyphs

PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def explorable():
    return fair_shares(shown=[objects(), components(), blocks()])


def test_pictures_travel_with_their_players_and_shares(explorable):
    data = payload(explorable)
    assert [m["name"] for m in data["methods"]] == ["zero IG", "EG", "ICG"]
    for sent, example in zip(data["examples"], (objects(), components(), blocks()), strict=True):
        shape = (sent["height"], sent["width"])
        assert shape == tuple(example.image.shape) and sent["names"] == list(example.names)
        image = inflate(sent["image"], np.uint8).reshape(shape)
        assert np.abs(image / 255 - example.image.numpy()).max() <= 0.5 / 255 + 1e-6
        assert np.array_equal(inflate(sent["groups"], np.uint8).reshape(shape), example.groups.numpy())
        assert sent["fair"] == pytest.approx(example.fair.tolist(), abs=1e-6)
        assert list(sent["shares"]) == list(example.shares)
        for name, values in example.shares.items():
            assert sent["shares"][name] == pytest.approx(values.tolist(), abs=1e-6)
        facts = ("scenario", "title", "network", "kind", "explained", "nobody", "everybody", "error", "evaluations")
        assert all(sent[name] == getattr(example, name) for name in facts)
    assert [sent["labels"] for sent in data["examples"]] == [None, ["0.25", "0.8"], None]


def test_glyphs_and_their_nine_blocks_travel(explorable):
    live = payload(explorable)["live"]
    groups = np.array(live["groups"]).reshape(16, 16)
    assert np.bincount(groups.ravel()).tolist() == [25, 30, 25, 30, 36, 30, 25, 30, 25]
    assert groups[0].tolist() == [0] * 5 + [1] * 6 + [2] * 5 and groups[:, 0].tolist() == [0] * 5 + [3] * 6 + [6] * 5
    assert live["names"][0] == "top left block" and live["names"][4] == "middle block"
    assert live["names"][5] == "middle right block" and len(set(live["names"])) == 9
    drawn, network = glyphs.examples(), live["network"]
    ink = inflate(live["glyphs"], np.uint8).reshape(8, 16, 16)
    pictures = np.where(ink, *(np.array(live["greys"])[:, k, None, None] for k in (0, 1)))
    assert pictures == pytest.approx(drawn.images[:, 0].numpy(), abs=1e-6)
    assert [glyphs.CLASSES.index(label) for label in live["labels"]] == drawn.labels.tolist()
    assert network["channels"] == 2 and network["layers"][0]["kind"] == "gate" and live["named"] == "glyphs-gated"
    own = fair_shares(model=load_model("glyphs-certainty"), shown=[objects()], fallback=PNG)
    assert payload(own)["live"]["named"] == "of your own"


def test_small_enough_for_a_page_with_a_picture_and_no_address(explorable):
    text = explorable._repr_html_()
    assert len(text) < 250_000
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert explorable.fallback.startswith(PNG)
    assert "Most is due to the dark square at the top left (0.70); zero IG gives most to the light" in explorable.alt
    own = fair_shares(shown=[components()], title="Own", fallback=PNG)
    assert (own.title, own.fallback) == ("Own", PNG)
    assert "due to component 2 (0.8) (0.40)" in own.alt


def test_a_result_is_passed_on(monkeypatch):
    asked = []
    monkeypatch.setattr(module, "examples", lambda result: asked.append(result) or [objects()])
    fair_shares({"examples": 1}, fallback=PNG)
    fair_shares(fallback=PNG)
    assert asked == [{"examples": 1}, None]


def changed(**change):
    return lambda: [objects(), replace(objects(), **change)]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (list, "at least one Example"),
        (objects, "at least one Example, got 'Example'"),
        (lambda: [objects().image], "picture 0: expected an Example, got Tensor"),
        (changed(image=objects().image * 2), r"picture 1 \(made up\): expected an image in \[0, 1\]"),
        (changed(groups=objects().groups[:, :-1]), "the player of each of its pixels"),
        (changed(groups=objects().groups * 2), "expected 2 to 64 players, 0, 1, 2 …, .* got 3 names"),
        (changed(names=("a", "b")), "got 2 names"),
        (changed(fair=objects().fair[:2]), r"expected 3 shares, got \(2,\) \(fair\)"),
        (changed(shares={"ICG": torch.zeros(4)}), r"expected 3 shares, got \(4,\) \(ICG\)"),
        (changed(shares={"ICG": torch.full((3,), torch.nan)}), "to be finite"),
        (changed(shares={"luck": torch.zeros(3)}), r"methods among zero IG, .* got \['luck'\]"),
        (changed(shares={}), "got none"),
        (lambda: [blocks(81)], "expected 2 to 64 players"),
    ],
)
def test_other_pictures_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        fair_shares(shown=wrong(), fallback=PNG)


def test_other_networks_are_refused():
    for model, message in (
        (load_model("glyphs"), "expected a certainty-aware network"),
        (nn.Sequential(nn.Flatten(), nn.Linear(256, 4)), "5 classes"),
        (lambda x: x, "made of layers, got function"),
    ):
        with pytest.raises(ValueError, match=message):
            fair_shares(model=model, shown=[objects()], fallback=PNG)
