"""The networks of this chapter: their cards, and what was measured of them, as they come with the book."""

from icg.artifacts import load_card, load_result, shipped
from icg_book.imagenette.experiment import MODELS
from icg_book.kit.intervals import wilson

SMALL, LARGE = MODELS
TWIN = "imagenette-resnet18-plain"
GATED = "imagenette-resnet18-blocks"
NICK = {SMALL: "ResNet-18", TWIN: "ResNet-18, plain twin", LARGE: "ResNet-50", GATED: "ResNet-18, gated"}


def shipped_cards() -> dict[str, dict]:
    """The card of each of the four networks that this copy of the book has, by the network's name."""
    files = shipped()
    return {name: load_card(name) for name in NICK if f"weights/{name}.json" in files}


def shipped_results() -> dict[str, dict]:
    """What ``python -m icg reproduce imagenette`` measured, by the network's name.

    Raises:
        ValueError: a result of other weights than the ones that are here.
    """
    files = shipped()
    results = {name: load_result(name) for name in MODELS if f"results/{name}.json" in files}
    for name, result in results.items():
        if result["weights"][name] != load_card(name)["sha256"]:
            raise ValueError(f"expected the result of {name} to be of the weights that are here, got one of others")
    return results


def accuracy(card: dict) -> dict:
    """Share of the validation photographs that a network gets right, with its 95 % interval."""
    found = card["metrics"]["accuracy"]
    return _share(found["all"], found["images"])


def first_stage(card: dict) -> dict:
    """The same when the first stage of the training had ended."""
    stages = card["training"]["stages"]
    if len(stages) == 1:
        return accuracy(card)
    curve = card["metrics"]["learning curve"]
    point = curve["steps"][str(stages[0]["steps"])]
    return _share(point["accuracy"], point.get("images", curve["images"]))


def _share(mean: float, n: int) -> dict:
    low, high = wilson(round(mean * n), n)
    return {"mean": mean, "low": low, "high": high, "n": n}
