"""Explorable "damage": lose a picture as certainty training does, and see what a certainty-aware network still says."""

import torch

from icg.artifacts import load_model
from icg.certainty import join
from icg.damage import continuous_bernoulli_certainty, damage
from icg_book.kit.figures import show_image
from icg_book.kit.page.explorable import Explorable, pack, script_beside
from icg_book.kit.page.networks import pack_network
from icg_book.scenarios.glyphs import CLASSES, LEVELS, SIZE, Glyphs, generate

PER_CLASS = 10  # of the pictures that the page carries by default
ORDINARY = "ordinary, no certainty"


def damage_explorable(
    model=None,
    *,
    compare: dict | None = None,
    pictures: Glyphs | None = None,
    title: str = "Damage: what the network is trained on",
    alt: str = "The same plus at mean certainties 0.8, 0.4 and 0.1. Beside each: the certainty of every pixel, which "
    "pixels were kept, the picture with the lost pixels replaced by those of another one, and what the network says: "
    "the less is certain, the closer all five classes come to one fifth.",
    fallback=None,
) -> Explorable:
    """Set how pictures are damaged, and see certainty, mask, damaged input and prediction, all computed in the page.

    Args:
        model: a network for joined glyphs ``(N, 2, 16, 16)``; by default the weights "glyphs-certainty". They travel as
            16-bit numbers with a unit for each row, which moves no probability by more than 1e-3.
        compare: further networks by the name on their button, for joined glyphs or for plain ones ``(N, 1, 16, 16)``.
            By default the weights "glyphs", a network without certainty; ``{}`` for none.
        pictures: among which the reader chooses, and which serve as damage data; at least two, no two alike. By
            default ten of each class.
        title, alt: heading and description of the static picture.
        fallback: static picture (PNG bytes, path or figure); by default one picture at three mean certainties.

    Every network is one that :mod:`icg_book.kit.page.networks` can pack, and in eval mode.

    Raises:
        ValueError: a network of other layers, shapes or classes; fewer than two pictures, or two that are equal.
    """
    model = load_model("glyphs-certainty") if model is None else model
    compare = {ORDINARY: load_model("glyphs")} if compare is None else compare
    networks = {"trained with certainty": model, **compare}
    pictures = _choice() if pictures is None else pictures
    if not isinstance(pictures, Glyphs) or len(pictures) < 2:
        raise ValueError(f"expected at least two pictures as icg_book.scenarios.glyphs.Glyphs, got {_named(pictures)}")
    levels = (pictures.images[:, 0].cpu() * LEVELS).round()
    if levels.shape[1:] != (SIZE, SIZE) or not torch.allclose(levels / LEVELS, pictures.images[:, 0].cpu(), atol=1e-6):
        raise ValueError(f"expected pictures of {SIZE} x {SIZE} pixels in whole hundredths")
    if len(levels.flatten(1).unique(dim=0)) < len(levels):
        raise ValueError("expected no two pictures to be equal: damage data are to be another picture")
    data = {
        "networks": [{"name": name, **pack_network(network, SIZE, len(CLASSES))} for name, network in networks.items()],
        "pictures": pack(levels.to(torch.uint8).numpy()),
        "labels": pictures.labels.tolist(),
        "first": next((k for k, label in enumerate(pictures.labels.tolist()) if label), 0),
        "classes": CLASSES,
        "levels": LEVELS,
        "size": SIZE,
    }
    if fallback is None:
        fallback = _static(model, pictures, data["first"])
    return Explorable(script_beside(__file__), data, title, alt, fallback)


def _named(pictures) -> str:
    return f"{len(pictures)}" if isinstance(pictures, Glyphs) else type(pictures).__name__


def _choice() -> Glyphs:
    """Ten pictures of each class from a seeded draw; the seed was chosen for tidy shapes, before anything else."""
    draw = generate(200, generator=torch.Generator().manual_seed(11))  # at least 30 of each
    index = [(draw.labels == label).nonzero()[:PER_CLASS, 0] for label in range(len(CLASSES))]
    return draw[torch.cat(index)]


# ---- the static picture


def _static(model, pictures: Glyphs, k: int):
    """One picture at three mean certainties: certainty, mask, damaged picture, and what the network says."""
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

    means = torch.tensor([0.8, 0.4, 0.1])
    generator = torch.Generator().manual_seed(0)
    # Three times the picture, and three others in their places as damage data.
    values = pictures.images[k].cpu().expand(3, -1, -1, -1)
    others = torch.cat([pictures.images[:k], pictures.images[k + 1 :]]).cpu()
    others = others[torch.randperm(len(others), generator=generator)[torch.arange(3) % len(others)]]
    certainty = continuous_bernoulli_certainty(means, (3, 1, SIZE, SIZE), generator=generator)
    kept = damage(torch.ones_like(values), certainty, torch.zeros_like(values), generator=generator)
    damaged = torch.where(kept > 0, values, others)
    weight = next(model.parameters())
    with torch.no_grad():
        says = model(join(damaged, certainty).to(weight)).softmax(1).cpu()

    sure = LinearSegmentedColormap.from_list("sure", ["#e9f0f1", "#0e4e5c"])
    figure = Figure(figsize=(7.2, 4.4), facecolor="white", layout="constrained")
    axes = figure.subplots(3, 5, width_ratios=[1, 1, 1, 1, 1.45])
    for row, mean in enumerate(means.tolist()):
        show_image(axes[row, 0], values[row, 0])
        show_image(axes[row, 1], certainty[row, 0]).set_cmap(sure)
        show_image(axes[row, 2], kept[row, 0]).set_cmap(sure)
        show_image(axes[row, 3], damaged[row, 0])
        axes[row, 0].set_ylabel(f"mean certainty {mean:.1f}", fontsize=8)
        bars = axes[row, 4]
        bars.barh(range(len(CLASSES)), says[row].tolist(), color="#5a6673", height=0.7)
        bars.axvline(1 / len(CLASSES), color="#1d2733", linewidth=0.8, linestyle="--")
        bars.set(xlim=(0, 1), xticks=[0, 1 / len(CLASSES), 1])
        bars.set_xticklabels(["0", f"1/{len(CLASSES)}", "1"], fontsize=7)
        bars.set_yticks(range(len(CLASSES)), CLASSES, fontsize=8)
        bars.invert_yaxis()
        bars.tick_params(length=0)
        for side in ("top", "right"):
            bars.spines[side].set_visible(False)
    for ax, name in zip(axes[0], ("picture", "certainty", "kept (dark)", "damaged", "the network says"), strict=True):
        ax.set_title(name, fontsize=9)
    return figure
