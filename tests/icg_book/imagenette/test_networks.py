"""What ships with the book for the chapter: cards, results, and accuracies with intervals."""

import pytest

from icg_book.imagenette import networks
from icg_book.imagenette.networks import GATED, LARGE, SMALL, TWIN, accuracy, first_stage


def test_what_ships():
    cards, results = networks.shipped_cards(), networks.shipped_results()
    assert list(cards) == list(networks.NICK) == [SMALL, TWIN, LARGE, GATED]
    assert list(results) == [SMALL, LARGE]  # nobody asks the twin for maps


def test_a_copy_without_the_large_network(monkeypatch):
    monkeypatch.setattr(networks, "shipped", lambda: [f"weights/{SMALL}.json", f"results/{SMALL}.json"])
    assert list(networks.shipped_cards()) == list(networks.shipped_results()) == [SMALL]


def test_a_result_of_other_weights_is_refused(monkeypatch):
    monkeypatch.setattr(networks, "load_result", lambda name: {"weights": {name: "0" * 64}})
    with pytest.raises(ValueError, match=f"{SMALL} to be of the weights that are here"):
        networks.shipped_results()


def test_accuracies():
    """In the end of all photographs; after the first stage of so many as the curve looked at, or as the point says."""
    points = {"10": {"accuracy": 0.5}, "20": {"accuracy": 0.75, "images": 400}}
    card = {
        "metrics": {"accuracy": {"all": 0.8, "images": 1000}, "learning curve": {"images": 100, "steps": points}},
        "training": {"stages": [{"steps": 10}]},
    }
    end = accuracy(card)
    assert (end["mean"], end["n"]) == (0.8, 1000) and 0.77 < end["low"] < 0.8 < end["high"] < 0.83
    assert first_stage(card) == end  # the only one
    card["training"]["stages"].append({"steps": 20})
    assert (first_stage(card)["mean"], first_stage(card)["n"]) == (0.5, 100)
    card["training"]["stages"][0]["steps"] = 20
    assert (first_stage(card)["mean"], first_stage(card)["n"]) == (0.75, 400)
