"""Figures and reports of the chapter on Integrated Gradients: each function takes what was computed, and shows it."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

import icg
from icg_book.integrated_gradients.alarm import SENSORS
from icg_book.integrated_gradients.steps import RULES, STYLES
from icg_book.kit.drawing import Figure
from icg_book.kit.figures import NEGATIVE, POSITIVE, image_grid
from icg_book.scenarios.burnt_snacks import BurntSnacks
from icg_book.scenarios.landscapes import Landscape

FOR, AGAINST, PATH = POSITIVE[3], NEGATIVE[4], NEGATIVE[5]  # credit for, credit against; a walk
Cases = dict[str, tuple[nn.Module, str]]  # name -> network and what is attributed
Gaps = dict[tuple[str, str, int], Tensor]  # case, rule, number of steps -> signed gaps (N,)


def three_answers(ringing: Callable[[Tensor], Tensor], fire: Tensor, slope: Tensor, credit: Tensor) -> Figure:
    """Bars for each sensor: what setting it to 0 changes, the gradient and the attributions, all ``(3,)``."""
    with torch.no_grad():
        drops = ringing(fire) - ringing(fire * (1 - torch.eye(3)))  # a row for each sensor that is set to 0
    answers = {"what happens without it": drops, "gradient": slope, "Integrated Gradients": credit}
    figure = Figure(figsize=(8.6, 2.7), layout="constrained")
    for ax, (title, values) in zip(figure.subplots(1, 3, sharey=True), answers.items(), strict=True):
        ax.bar(SENSORS, values.tolist(), color=[FOR if v >= 0 else AGAINST for v in values], width=0.6)
        for k, value in enumerate(values.tolist()):  # or what is nearly 0 looks as if it were missing
            text = f"{value:+.2f}".replace("-", "−") if abs(value) >= 0.005 else "0.00"
            ax.annotate(text, (k, max(value, 0)), (0, 3), textcoords="offset points", ha="center", fontsize=9)
        ax.axhline(0, color="0.6", linewidth=0.8)
        ax.set_title(title, fontsize=10)
        ax.set_ylim(-0.1, 1.15)
        ax.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("change of p(ring)")
    return figure


def on_the_way(alpha: Tensor, output: Tensor, rates: Tensor, credit: Tensor) -> Figure:
    """The output at ``alpha``, both ``(A,)``, and distance times gradient of each sensor, ``(A, 3)``, with its area."""
    figure = Figure(figsize=(8.6, 2.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(alpha, output.detach(), color="black")
    left.set_title("p(ring) on the way", fontsize=10)
    for name, rate, area, colour in zip(SENSORS, rates.T, credit, (FOR, POSITIVE[6], "0.4"), strict=True):
        right.fill_between(alpha, rate, color=colour, alpha=0.45, linewidth=0)
        right.plot(alpha, rate, color=colour, label=f"{name}: area {area:+.3f}")
    right.set_title("distance × gradient of each sensor", fontsize=10)
    right.legend(fontsize=8, frameon=False)
    for ax in (left, right):
        ax.set_xlabel(r"$\alpha$ (0: all quiet, 1: the fire)")
    return figure


TABLE_1 = {"A": (1, 0), "B": (-1, 1)}  # of the paper, row IG


def table_1(found: dict[str, tuple[Tensor, Tensor]], changes: dict[str, float]) -> str:
    """For each input the paper's credits, ours from scratch and by the library ``(2,)``, and the output's change."""
    lines = [f"{'':3s}{'paper':>10s}   {'from scratch':>16s}   {'library':>16s}   F(x) - F(x')"]
    for name, credits in found.items():
        ours, library = (f"({a:+.3f}, {b:+.3f})" for a, b in (c.tolist() for c in credits))
        lines.append(f"{name:3s}{TABLE_1[name]!s:>10s}   {ours:>16s}   {library:>16s}   {changes[name]:+.0f}")
    return "\n".join(lines)


def gaps_by_steps(gaps: Gaps, cases: Cases, fire: Tensor) -> Figure:
    """Above, each case's slope on the way to the fire ``(1, 3)``; below, the mean size of the gap for each rule."""
    counts = sorted({n for *_, n in gaps})
    alpha = torch.linspace(0, 1, 401, dtype=torch.float64)
    figure = Figure(figsize=(9, 5.6), layout="constrained")
    axes = figure.subplots(2, 3, height_ratios=[2, 3])
    for (top, bottom), (case, (network, output)) in zip(axes.T, cases.items(), strict=True):
        slopes = icg.gradient(network, alpha[:, None] * fire, target=1, output=output)
        top.plot(alpha, slopes @ fire[0], color="black", linewidth=1.2)
        top.set_title(case, fontsize=10)
        top.set_xlabel(r"$\alpha$, from quiet to the fire", fontsize=9)
        for (rule, label), (colour, dash) in zip(RULES.items(), STYLES, strict=True):
            size = [gaps[case, rule, n].abs().mean().item() for n in counts]
            bottom.plot(counts, size, label=label, color=colour, linestyle=(0, dash) if dash else "solid")
        bottom.set_xscale("log", base=2)
        bottom.set_yscale("log")
        bottom.set_xticks(counts, [str(n) for n in counts])
        bottom.set_xlabel("number of steps n", fontsize=9)
        bottom.tick_params(labelsize=8)
        top.tick_params(labelsize=8)
    axes[0, 0].set_ylabel(r"slope $g'(\alpha)$")
    axes[1, 0].set_ylabel("mean size of the gap")
    handles = axes[1, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=6, fontsize=8, frameon=False)
    return figure


def signed_gaps(gaps: Gaps) -> str:
    """The gaps of one input: a line for each rule, two columns (numbers of steps) for each case."""
    cases, counts = list(dict.fromkeys(case for case, *_ in gaps)), sorted({n for *_, n in gaps})
    lines = [
        f"{'':14s}" + "".join(f"{case:>20s}" for case in cases),
        f"{'n =':14s}" + "{:>11d}{:>9d}".format(*counts) * len(cases),
    ]
    for rule, label in RULES.items():
        pairs = ([gaps[case, rule, n].item() for n in counts] for case in cases)
        lines.append(f"{label:14s}" + "".join(f"{a:>+11.1e}{b:>+9.1e}" for a, b in pairs))
    return "\n".join(lines)


def gradient_and_credit(snack: BurntSnacks, slope: Tensor, credit: Tensor) -> Figure:
    """One image, its gradient and its attributions, ``(1, 1, H, W)``; a green dot on the dark square."""
    dot = (snack.dark[0, 0] > 0).nonzero().float().mean(0).tolist()
    return image_grid(
        [[snack.images[0, 0], slope[0, 0], credit[0, 0]]],
        [""],
        ["input", "gradient", "Integrated Gradients"],
        dots={(0, 0): [dot]},
        image_rows=(),
        image_columns=(0,),
        panel=2.4,
    )


def credit_by_square(maps: dict[str, Tensor], snack: BurntSnacks) -> str:
    """A line for each map ``(1, 1, H, W)``: its sum, and the shares of its mass on the dark and on the light square."""
    lines = []
    for name, values in maps.items():
        dark, light = (
            icg.measures.mass_share(values, icg.measures.dilate(square > 0)).item()
            for square in (snack.dark, snack.light)
        )
        lines.append(f"{name:21s} sum {values.sum():+.1e}; {dark:.0%} dark, {light:.0%} light")
    return "\n".join(lines)


def staircases(landscape: Landscape, end: Tensor) -> Figure:
    """Random orders of joining as walks from (0, 0) to ``end`` ``(2,)``, for 1, 4, 16 and 256 pieces a feature."""
    grid = torch.linspace(0, 1, 201)
    ground = landscape(torch.cartesian_prod(grid, grid)).view(201, 201).T
    seeded = torch.Generator().manual_seed(2)
    figure = Figure(figsize=(9, 2.75), layout="constrained")
    for ax, m in zip(figure.subplots(1, 4, sharey=True), (1, 4, 16, 256), strict=True):
        ax.imshow(ground, origin="lower", extent=(0, 1, 0, 1), cmap="Greys", vmax=1.6)
        for k in range({1: 2, 256: 1}.get(m, 4)):
            pieces = torch.randperm(2 * m, generator=seeded) // m  # the feature of each piece that joins
            if m == 1:  # both orders, rather than two draws
                pieces = torch.tensor([k, 1 - k])
            walk = nn.functional.one_hot(pieces, 2).cumsum(0) / m * end
            walk = torch.cat([torch.zeros(1, 2), walk])
            ax.plot(*walk.T, color=PATH, linewidth=1.2, alpha=0.8)
        ax.plot(*torch.stack([0 * end, end]).T, color=FOR, linestyle="--")
        ax.plot(*end, "o", color=FOR, markersize=5)
        ax.set_title(f"m = {m}", fontsize=10)
        ax.set_xlabel("$x_1$")
        ax.set(xlim=(-0.03, 1), ylim=(-0.03, 1), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    figure.axes[0].set_ylabel("$x_2$")
    return figure


def credit_by_pieces(pieces: list[int], credits: dict[str, list[float]], limits: dict[str, float]) -> Figure:
    """A panel for each function: the credit of its first feature against the number of pieces, and its limit."""
    figure = Figure(figsize=(8.6, 2.9), layout="constrained")
    for ax, (name, values) in zip(figure.subplots(1, len(credits)), credits.items(), strict=True):
        limit, start = limits[name], values[0]
        ax.axhline(limit, color=FOR, linestyle="--")
        ax.plot(pieces, values, "o-", color=PATH, markersize=4)
        ax.set_xscale("log", base=2)
        ax.set_xticks(pieces[::2], [str(m) for m in pieces[::2]])
        ax.set_xlabel("pieces for each feature, m")
        ax.set_title(name, fontsize=10)
        beside = {"textcoords": "offset points"}
        ax.annotate("IG", (pieces[0], limit), (0, 4) if start > limit else (0, -13), color=POSITIVE[5], **beside)
        ax.annotate("BShap", (pieces[0], start), (8, -3), color=PATH, **beside)
    figure.axes[0].set_ylabel("credit of $x_1$")
    return figure


def pieces_report(pieces: list[int], credits: dict[str, list[float]], limits: dict[str, float]) -> str:
    """The same in numbers, for every third number of pieces, and what is still missing at the last two."""
    lines = []
    for name, values in credits.items():
        shown = "  ".join(f"m = {m}: {v:.4f}" for m, v in list(zip(pieces, values, strict=True))[::3])
        before, last = (limits[name] - v for v in values[-2:])
        lines += [f"{name:10s} {shown}", f"{'':10s} still missing {before:+.5f}, then {last:+.5f}"]
    return "\n".join(lines)
