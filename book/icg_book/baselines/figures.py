"""Figures, tables and reports of the chapter on baselines: each function takes what was computed, and shows it."""

from collections.abc import Callable, Iterable

import torch
from IPython.display import HTML
from torch import Tensor

from icg.baselines import Baseline
from icg.measures import mass_share
from icg_book.kit.drawing import Figure
from icg_book.kit.figures import DOT, NEGATIVE, POSITIVE, image_grid
from icg_book.kit.tables import table
from icg_book.scenarios.glyphs import CLASSES, Glyphs

INPUT = "#d62728"  # the point to be explained, as in the paper
Baselines = dict[str, Baseline]
Maps = dict[str, Tensor]  # attributions by a baseline's name


def four_paints(painted: Tensor, credit: Tensor, share: Tensor) -> Figure:
    """Pictures and their attributions ``(N, 1, H, W)``, with the share ``(N,)`` of the credit on the plus."""
    return image_grid(
        [list(painted[:, 0]), list(credit[:, 0])],
        ["input", "credit\nfrom black"],
        [f"{s:.1%} on the plus" for s in share],
        panel=1.7,
    )


def with_and_without_plus(painted: Tensor, ink: Tensor, p: Tensor, p_erased: Tensor) -> Figure:
    """Pictures ``(N, 1, H, W)`` with the grey of their ink and p(plus), as they are and once the plus is erased."""
    return image_grid(
        [list(painted[:, 0])],
        ["input"],
        [f"ink {i:.1f}\np(plus) {a:.3f}\nerased {b:.3f}" for i, a, b in zip(ink, p, p_erased, strict=True)],
        legend=False,
        panel=1.7,
    )


def figure_1(cloud: Tensor, point: Tensor, starts: dict[str, Tensor]) -> Figure:
    """Figure 1 of the paper: data ``(M, 2)``, an input ``(1, 2)``, a panel for each baseline's starts ``(K, 2)``."""
    figure = Figure(figsize=(9, 4.9), layout="constrained")
    panels = {"A: data and input": torch.zeros(0, 2), **starts}
    for ax, (name, begin) in zip(figure.subplots(2, 4).flat, panels.items(), strict=True):
        ax.scatter(*cloud.T, s=7, color="0.8", linewidths=0)
        for start in begin:
            ax.plot(*torch.stack([start, point[0]]).T, color=DOT, linewidth=0.9, alpha=0.8)
        ax.scatter(*begin.T, s=22, color=DOT, edgecolors="white", linewidths=0.6, zorder=3, clip_on=False)
        ax.scatter(*point.T, s=46, color=INPUT, edgecolors="white", linewidths=0.8, zorder=4)
        ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xticks=[0, 1], yticks=[0, 1], aspect="equal")
        ax.set_xlabel("$x_1$", labelpad=-8)
        ax.set_ylabel("$x_2$", labelpad=-6)
        ax.set_title(name, fontsize=9)
    return figure


def distances(cloud: Tensor, point: Tensor, starts: dict[str, Tensor]) -> str:
    """How many starts there are and how far from the input; and how far from all data their mean lies."""
    lines = ["starts, and their distance from the input:"]
    for name, begin in starts.items():
        d = (begin - point).norm(dim=1)
        spread = f"{d.min():.2f}" if len(d) == 1 else f"{d.min():.2f} to {d.max():.2f}"
        lines.append(f"  {name:30s} {len(d):2d}   {spread}")
    nearest = (cloud.mean(0) - cloud).norm(dim=1).min()
    return "\n".join([*lines, f"nearest data point to the mean: {nearest:.2f} away"])


def starts_and_credit(model, picture: Glyphs, baselines: Baselines, maps: Maps, names: Iterable[str]) -> Figure:
    """One picture; of each named baseline the first start, what the network says of it, and the credit from all."""
    first = [baselines[name].starts(picture.images)[0, 0, 0] for name in names]
    captions = ["input\n"]
    for name, start in zip(names, first, strict=True):
        says = model(start[None, None]).softmax(1)[0]
        captions.append(f"{name}\n“{CLASSES[says.argmax()]}” {says.max():.2f}")
    credit = [maps[name][0, 0] for name in names]
    rows = [[picture.images[0, 0], *first], [None, *credit]]
    return image_grid(rows, ["start", "credit"], captions, panel=1.3)


def sums_and_starts(picture: Glyphs, baselines: Baselines, maps: Maps, probability: Callable) -> str:
    """For each baseline the share of the credit on the sign, its sum, and the sign's mean probability at the starts."""
    lines = [f"{'baseline':16s} on the ring   sum of credit   p(ring) at the start"]
    for name, found in maps.items():
        starts = baselines[name].starts(picture.images)[:, 0]
        at_start = probability(starts, picture.labels.expand(len(starts))).mean()
        share = mass_share(found, picture.ink).item()
        lines.append(f"{name:16s} {share:10.1%} {found.sum().item():+14.3f} {at_start:20.3f}")
    return "\n".join(lines)


ORANGE, BLUE, BROWN = POSITIVE[3], NEGATIVE[5], POSITIVE[6]
LINES = {
    "one number": {"zero": "0.0", "middle": "0.45", "mean": "0.7"},
    "distributions": {"black & white": BROWN, "uniform noise": ORANGE, "data": BLUE},
    "moving with the input": {"blurred": ORANGE, "Gaussian noise": BLUE, "max. distance": BROWN},
}


def share_by_grey(greys: Tensor, shares: dict[str, Tensor], pixels: float) -> Figure:
    """Mean share of the credit on the sign against its grey; ``shares`` are ``(greys, signs)``, ``pixels`` its area."""
    figure = Figure(figsize=(9, 3.1), layout="constrained")
    styles = ("solid", (0, (5, 2)), (0, (1, 1.2)))
    for ax, (title, lines) in zip(figure.subplots(1, 3, sharey=True), LINES.items(), strict=True):
        for (name, colour), style in zip(lines.items(), styles, strict=True):
            ax.plot(greys, shares[name].mean(1), color=colour, linestyle=style, linewidth=2, label=name)
        ax.axhline(pixels, color="0.6", linewidth=0.8)
        ax.set_title(title, fontsize=10)
        ax.set_xlabel("grey of the sign")
        ax.set_ylim(0, 0.8)
        ax.legend(fontsize=8, frameon=False, loc="upper center")
        ax.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("share of credit on the sign")
    figure.axes[2].text(1.0, 0.02, "thin line: its share of the pixels", fontsize=8, color="0.4", ha="right")
    return figure


def blindness_table(
    found: dict[str, tuple[Tensor, Tensor]], equal: dict[str, Tensor], shares: dict[str, Tensor], greys: Tensor
) -> HTML:
    """For each baseline the credit on pixels of its own value, and the least and the most share on the sign.

    Args:
        found: attributions ``(N, 1, H, W)`` and gaps ``(N,)``. equal: bool like the attributions.
        shares: ``(greys, signs)``, of the credit on the sign.
    """
    rows = []
    for name, (credit, _) in found.items():
        on_equal, share = credit.abs()[equal[name]].sum().item(), shares[name].mean(1)
        rows.append(
            [
                name,
                f"{equal[name].float().mean():.1%}",
                f"{on_equal:.1g}" if on_equal else "0",
                f"{share.min():.1%}",
                f"{share.max():.1%}",
                f"{greys[share.argmin()]:.1f}",
            ]
        )
    worst = max(gap.abs().mean().item() for _, gap in found.values())
    n_greys, n_signs = next(iter(shares.values())).shape
    head = ("baseline", "pixels equal<br>to it", "credit<br>on those", "on the sign:<br>least", "<br>most")
    return table(
        [*head, "least at<br>grey"],
        rows,
        f"{n_greys * n_signs} pictures: {n_signs} signs in {n_greys} greys; "
        f"completeness gaps at most {worst:.4f} on average",
    )


Says = dict[
    str, dict[str, float]
]  # baseline -> shares of its starts taken for nothing, same, other; mean p of the sign


def seen_at_the_start(says: Says, own: float, n_pictures: int) -> HTML:
    """What the network sees in the starts, and how much of its probability ``own`` of the sign is left to explain."""
    rows = [
        [
            name,
            *(f"{seen[what]:.0%}" for what in ("nothing", "same", "other")),
            f"{seen['p']:.3f}",
            f"{own - seen['p']:+.3f}".replace("-", "−"),
        ]
        for name, seen in says.items()
    ]
    head = ["baseline", "“nothing”", "the same<br>sign", "another<br>sign", "p(own class)<br>at the start"]
    caption = f"What the network sees in the baselines of {n_pictures} pictures"
    return table([*head, "left to<br>explain"], rows, caption)


def farthest_points(pictures: Glyphs, far: Tensor, p_here: Tensor, p_far: Tensor) -> Figure:
    """Pictures above their farthest points ``(N, 1, H, W)``, with the probability ``(N,)`` of the sign in both."""
    names = [CLASSES[k] for k in pictures.labels]
    return image_grid(
        [list(pictures.images[:, 0]), list(far[:, 0])],
        ["input", "farthest\npoint"],
        [f"p({name})\n{a:.2f}, far {b:.2f}" for name, a, b in zip(names, p_here, p_far, strict=True)],
        image_rows=(0, 1),
        legend=False,
        panel=1.05,
    )


def claims_table(shares: dict[str, Tensor], says: Says, own: float, pixels: float) -> HTML:
    """What section 2 and figure 1 of the paper say, beside what was measured here."""
    least = {name: share.mean(1).min().item() for name, share in shares.items()}
    most = shares["max. distance"].mean(1).max()
    rows = [
        (
            "“B–D … exhibit baseline blindness”",
            f"zero, middle: exactly nothing on a sign of their grey; mean: {least['mean']:.1%} at worst",
        ),
        (
            "distribution baselines “avoid baseline blindness”",
            f"no zeros, but at worst {least['uniform noise']:.1%} (noise), {least['data']:.1%} (data), "
            f"{least['black & white']:.1%} (black & white)",
        ),
        ("maximum distance “avoids baseline blindness”", f"no zeros; at worst {least['max. distance']:.1%}"),
        (
            "… “gives poor attributions due to extreme O.O.D. baselines”",
            f"{least['max. distance']:.1%} to {most:.1%} on the sign; but full contrast is no stranger to the data",
        ),
        (
            "… “abandons the concept of neutrality”",
            f"the start is the same sign in {says['max. distance']['same']:.0%} of the pictures",
        ),
        (
            "AGN and Expected Gradients fail in other scenarios",
            f"to come; here AGN leaves {own - says['Gaussian noise']['p']:+.3f} to explain, "
            f"data {own - says['data']['p']:+.3f}",
        ),
    ]
    caption = f"Share of credit on the sign, which has {pixels:.1%} of the pixels."
    return table(["paper", "measured here"], rows, caption, align="left")


def price_of_averaging(draws: dict[str, Tensor]) -> str:
    """Standard error of the mean of K draws as a share of the map, from single draws ``(draws, N, 1, H, W)``."""
    counts = (1, 4, 16, 64)
    lines = [
        "standard error of the mean of K draws, as a share of the map:",
        f"{'':16s}" + "".join(f"{f'K = {k}':>9s}" for k in counts),
    ]
    for name, maps in draws.items():
        maps = maps.flatten(2)
        noise = (maps.std(0).norm(dim=1) / maps.mean(0).norm(dim=1)).mean().item()
        lines.append(f"{name:16s}" + "".join(f"{noise / k**0.5:>9.2f}" for k in counts))
    return "\n".join(lines)


def ignored_and_blind(picture: Tensor, maps: Maps) -> Figure:
    """One picture and some attributions of it, ``(1, 1, H, W)``, beside each other under their names."""
    return image_grid(
        [[picture[0, 0], *(credit[0, 0] for credit in maps.values())]],
        [""],
        ["input\n", *maps],
        image_rows=(),
        image_columns=(0,),
        panel=1.5,
    )
