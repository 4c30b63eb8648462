"""Explorable "fair shares": what each object of a picture is due, and what a method gives it."""

import torch

from icg.artifacts import load_model
from icg_book.fairness.fair_examples import Example, examples
from icg_book.kit.figures import as_array, show_image
from icg_book.kit.page.explorable import Explorable, pack, script_beside
from icg_book.kit.page.networks import pack_network
from icg_book.scenarios import glyphs

WORDS = {  # as in "gets 0.85 by …"; {start} is what zero is called there
    "zero IG": "Integrated Gradients from {start}",
    "mean IG": "Integrated Gradients from the mean",
    "EG": "Expected Gradients",
    "SIG": "Shapley Integrated Gradients",
    "AGN": "Integrated Gradients from noisy copies",
    "ICG": "Integrated Certainty Gradients",
    "random-path": "random-path certainty gradients",
    "block-wise": "block-wise certainty gradients",
}
GLYPHS = "glyphs-gated"  # the network that the page carries
EDGES = (0, 5, 11, 16)  # of the blocks of a glyph, in pixels
STEPS = 256  # of the middle rule, in the page
MOST_PLAYERS = 64
GREY = "#7d8894"
COLOURS = ("#c2410c", "#a21caf", "#8a6a00", "#1d5fbf", "#0b7a55", "#5b4bc4", "#a8324a", "#3f6b7d")


def fair_shares(
    result: dict | None = None,
    model=None,
    *,
    shown: list[Example] | None = None,
    title: str = "Fair shares",
    alt: str | None = None,
    fallback=None,
) -> Explorable:
    """Choose a picture and a method: bars say what each object is due, and what it gets.

    Args:
        result: of ``python -m icg reproduce fairness``, for Burnt Snacks; without it, these are computed.
        model: a certainty-aware network for joined glyphs ``(N, 2, 16, 16)`` that
            :mod:`icg_book.kit.page.networks` can pack, in eval mode; by default the weights "glyphs-gated". The last
            picture is a glyph that the reader draws; the page itself asks the network about all 512 coalitions of its
            nine blocks, and walks the paths of ICG and zero IG.
        shown: other pictures than those of :func:`icg_book.fairness.fair_examples.examples`.
        title, alt: heading and description of the static picture; by default ``alt`` is made from the first picture.
        fallback: static picture (PNG bytes, path or figure); by default the bars of the first picture.

    Raises:
        ValueError: no picture, or one whose players, names and shares do not fit together; another kind of network.
    """
    shown = examples(result) if shown is None else shown
    if not isinstance(shown, (list, tuple)) or not shown:
        raise ValueError(f"expected at least one Example, got {shown if shown == [] else type(shown).__name__!r}")
    packed = [_pack_example(example, f"picture {k}") for k, example in enumerate(shown)]
    named = GLYPHS if model is None else "of your own"
    model = load_model(GLYPHS) if model is None else model
    network = pack_network(model, glyphs.SIZE, len(glyphs.CLASSES))
    if network["channels"] != 2:
        raise ValueError("expected a certainty-aware network (certainty_aware = True): the page takes certainty away")
    names = dict.fromkeys(name for example in shown for name in example.shares)
    data = {
        "examples": packed,
        "methods": [{"name": name, "words": WORDS[name]} for name in names],
        "live": {"network": network, "named": named, **_live()},
    }
    if alt is None:
        alt = _described(shown[0])
    return Explorable(script_beside(__file__), data, title, alt, _static(shown[0]) if fallback is None else fallback)


def _pack_example(example, where: str) -> dict:
    if not isinstance(example, Example):
        raise ValueError(f"{where}: expected an Example, got {type(example).__name__}")
    where, n = f"{where} ({example.title})", len(example.names)
    image, groups = as_array(example.image, f"{where}: image", 2), as_array(example.groups, f"{where}: groups", 2)
    if image.min() < 0 or image.max() > 1 or groups.shape != image.shape:
        raise ValueError(f"{where}: expected an image in [0, 1] and the player of each of its pixels")
    if not 2 <= n <= MOST_PLAYERS or sorted(set(groups.ravel().tolist())) != list(range(n)):
        raise ValueError(
            f"{where}: expected 2 to {MOST_PLAYERS} players, 0, 1, 2 …, and a name for each, got {n} names"
        )
    unknown = sorted(set(example.shares) - set(WORDS))
    if unknown or not example.shares:
        raise ValueError(f"{where}: expected shares by methods among {', '.join(WORDS)}, got {unknown or 'none'}")
    shares = {"fair": example.fair, **example.shares}
    for name, values in shares.items():
        if as_array(values, f"{where}: {name}", 1).shape != (n,):
            raise ValueError(f"{where}: expected {n} shares, got {tuple(values.shape)} ({name})")
    shares = {name: [float(f"{v:.6g}") for v in values.tolist()] for name, values in shares.items()}
    return {
        "scenario": example.scenario,
        "title": example.title,
        "network": example.network,
        "height": image.shape[0],
        "width": image.shape[1],
        "image": pack((255 * image).round().astype("uint8")),
        "groups": pack(groups.astype("uint8")),
        "names": list(example.names),
        "kind": example.kind,
        "labels": [f"{v:g}" for v in example.image.flatten().tolist()] if example.kind == "components" else None,
        "explained": example.explained,
        "nobody": float(example.nobody),
        "everybody": float(example.everybody),
        "error": float(example.error),
        "evaluations": int(example.evaluations),
        "fair": shares.pop("fair"),
        "shares": shares,
    }


def _live() -> dict:
    """Nine blocks of a glyph, and glyphs to start from."""
    drawn = glyphs.examples()
    block = torch.bucketize(torch.arange(glyphs.SIZE), torch.tensor(EDGES[1:-1]), right=True)
    rows, columns = ("top", "middle", "bottom"), ("left", "middle", "right")
    names = ["middle block" if a == b == "middle" else f"{a} {b} block" for a in rows for b in columns]
    return {
        "size": glyphs.SIZE,
        "classes": glyphs.CLASSES,
        "steps": STEPS,
        "groups": (3 * block[:, None] + block).flatten().tolist(),
        "names": names,
        "glyphs": pack(drawn.ink.to(torch.uint8).numpy()),
        "labels": [glyphs.CLASSES[label] for label in drawn.labels],
        "greys": [
            [round(v, 2) for v in pair]
            for pair in zip(drawn.ink_grey.tolist(), drawn.ground_grey.tolist(), strict=True)
        ],
    }


def _described(example: Example) -> str:
    """What the static picture shows."""
    name, shares = next(iter(example.shares.items()))
    most, got = int(example.fair.argmax()), int(shares.argmax())
    the = "" if example.kind == "components" else "the "
    return (
        f"{example.scenario}, and bars for its {len(example.names)} players: what each is due, and what it gets by "
        f"{', '.join(example.shares)}. Most is due to {the}{example.names[most].rstrip(',')} "
        f"({example.fair[most]:.2f}); {name} gives most to {the}{example.names[got].rstrip(',')} ({shares[got]:.2f})."
    )


def _static(example: Example):
    """A picture, its players' fair shares, and those of each method."""
    from matplotlib.figure import Figure

    order = example.fair.argsort(descending=True).tolist()
    figure = Figure(figsize=(7.2, 3.2), facecolor="white", layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1, 2.1])
    show_image(left, example.image)
    wide = 0.8 / (1 + len(example.shares))
    for k, (name, values) in enumerate({"fair": example.fair, **example.shares}.items()):
        at = [i + (k - len(example.shares) / 2) * wide for i in range(len(order))]
        colour = GREY if name == "fair" else COLOURS[k - 1]
        right.bar(at, [float(values[p]) for p in order], width=wide, color=colour, label=name)
    right.axhline(0, color="#1d2733", linewidth=0.8)
    few = len(order) <= 10
    names = [example.names[p].rstrip(",").replace(" at ", "\nat ").replace(" in ", "\nin ") for p in order]
    right.set_xticks(range(len(order)) if few else [], names if few else [], fontsize=7, rotation=40 if few else 0)
    right.set_ylabel("share of the probability", fontsize=8)
    right.tick_params(labelsize=7)
    right.spines[["top", "right"]].set_visible(False)
    right.legend(fontsize=7, frameon=False, ncols=2)
    return figure
