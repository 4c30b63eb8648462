"""The pictures, tables and summaries of the chapter on certainty."""

import torch
from IPython.display import HTML
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch
from torch import Tensor

from icg import damage
from icg_book.certainty.claims import measured, more_on_black
from icg_book.certainty.holes import FILLS
from icg_book.kit.dots import Panel, dots, folded
from icg_book.kit.drawing import Figure
from icg_book.kit.figures import image_grid, show_image, show_map
from icg_book.kit.tables import table
from icg_book.scenarios.glyphs import CLASSES as SIGNS

INK = "#1d2733"
SOFT = "#5a6673"
NETWORK_COLOURS = {"ordinary network": "#6f7b87", "network with certainty": "#14606f"}
CLASS_COLOURS = ("#6f7b87", "#2467b0", "#b4590a", "#8a429f", "#1d7f5f")
SURE = LinearSegmentedColormap.from_list("sure", ["#e9f0f1", "#0e4e5c"])  # certainty: light 0, dark 1

# ---- the torn picture


def answers_to_fills(filled: Tensor, columns: int, answers: dict[str, Tensor], truth: Tensor | None = None) -> Figure:
    """A picture torn after ``columns`` and filled in five ways ``(5, 1, 16, 16)``, and what networks say of each.

    ``answers`` are probabilities ``(5, 5)`` by network; ``truth`` ``(5,)`` are the counted shares.
    """
    figure = Figure(figsize=(8.8, 3.7), layout="constrained")
    axes = figure.subplots(2, len(FILLS), height_ratios=(1.25, 1))
    for k, name in enumerate(FILLS):
        show_image(axes[0, k], filled[k, 0])
        axes[0, k].axvline(columns - 0.5, color="#eb8317", linestyle=(0, (2, 2)), linewidth=1.2)
        axes[0, k].set_title(name, fontsize=10)
        _bars_of_signs(axes[1, k], {network: p[k] for network, p in answers.items()}, truth)
        axes[1, k].tick_params(length=0, labelleft=k == 0)
    axes[1, 0].set_ylabel("probability", fontsize=9)
    handles, labels = axes[1, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    return figure


def _bars_of_signs(ax, answers: dict[str, Tensor], truth: Tensor | None) -> None:
    """Probabilities ``(5,)`` of the five signs by network, as groups of bars, and the counted shares as lines."""
    width = 0.8 / len(answers)
    for j, (network, p) in enumerate(answers.items()):
        place = torch.arange(5) + (j - (len(answers) - 1) / 2) * width
        ax.bar(place, p, width, color=NETWORK_COLOURS[network], label=network)
    if truth is not None:
        for place, t in enumerate(truth.tolist()):
            ax.plot([place - 0.48, place + 0.48], [t, t], color="#c6670f", lw=2)
        ax.plot([], [], color="#c6670f", lw=2, label="counted")
    ax.set(ylim=(0, 1.04), xticks=range(5), yticks=[0, 0.5, 1])
    ax.set_xticklabels(SIGNS, fontsize=9, rotation=90)
    _open(ax)


def _open(ax) -> None:
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


# ---- the learnt expectation


def distances_from_counted(judged: dict[str, dict[str, Tensor]]) -> str:
    """Mean distance of answers from the counted shares, ``judged[what is known][who]`` ``(N, 5)``; "counted" first."""
    lines = ["mean distance from the counted shares", f"{'known:':22s}" + "".join(f"{name:>7s}" for name in judged)]
    everyone = next(iter(judged.values()))
    for who in list(everyone)[1:]:
        off = [((found[who] - found["counted"]).abs().sum(1) / 2).mean() for found in judged.values()]
        lines.append(f"{who:22s}" + "".join(f"{v:7.2f}" for v in off))
    n = [len(found["counted"]) for found in judged.values()]
    return "\n".join([*lines, f"{'pictures judged':22s}" + "".join(f"{v:7d}" for v in n)])


def given_against_counted(judged: dict[str, dict[str, Tensor]]) -> Figure:
    """The probability given to each sign against its counted share, for three answers of ``judged`` (as above)."""
    chosen = (("certainty network", "16 px"), ("certainty network", "window"), ("ordinary, rest others", "window"))
    figure = Figure(figsize=(8.8, 3.3), layout="constrained")
    axes = figure.subplots(1, 3, sharey=True)
    for ax, (who, visible) in zip(axes, chosen, strict=True):
        found = judged[visible]
        ax.plot([0, 1], [0, 1], color="0.6", linewidth=0.8)
        for k, sign in enumerate(SIGNS):
            place = found["counted"][:, k], found[who][:, k]
            ax.scatter(*place, s=9, color=CLASS_COLOURS[k], alpha=0.7, label=sign)
        ax.set_title(f"{who}\nknown: {visible}", fontsize=10)
        ax.set_xlabel("counted share")
        ax.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xticks=[0, 0.5, 1])
    axes[0].set_ylabel("probability given")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
    return figure


def correlations(sums: dict[str, Tensor], pairs: list[tuple[str, str]]) -> str:
    """How pairs of methods agree about the credit of nine patches ``(N, 9)`` each."""
    lines = [f"credit of 9 patches in {len(sums[pairs[0][0]])} pictures:"]
    for a, b in pairs:
        both = torch.stack([sums[a].flatten(), sums[b].flatten()])
        lines.append(f"{a:14s} and {b:11s} correlate by {torch.corrcoef(both)[0, 1]:+.2f}")
    return "\n".join(lines)


def credit_of_patches(pictures: Tensor, sums: dict[str, Tensor]) -> Figure:
    """Pictures ``(N, 1, 16, 16)`` and the credit of their nine patches ``(N, 9)`` by method."""
    figure = Figure(figsize=(8.8, 1.95 * len(pictures)), layout="constrained")
    axes = figure.subplots(len(pictures), 1 + len(sums), squeeze=False)
    for row, picture in enumerate(pictures):
        show_image(axes[row, 0], picture[0])
        for edge in (5.5, 10.5):
            for line in (axes[row, 0].axhline, axes[row, 0].axvline):
                line(edge, color="#eb8317", linewidth=0.7, linestyle=":")
        limit = max(values[row].abs().max() for values in sums.values())
        for ax, values in zip(axes[row, 1:], sums.values(), strict=True):
            show_map(ax, values[row].view(3, 3), limit=limit)
            for place, v in enumerate(values[row].tolist()):
                ax.text(place % 3, place // 3, f"{v:+.2f}", ha="center", va="center", fontsize=9.5)
    for ax, name in zip(axes[0], ("picture", *sums), strict=True):
        ax.set_title(name, fontsize=10)
    return figure


# ---- training and attribution: figure 3

WIDTH, HEIGHT = 9.2, 5.6  # of figure 3, in inches
ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0)


def figure_3(
    picture: Tensor, noise: Tensor, certainty: Tensor, kept: Tensor, damaged: Tensor, ig: Tensor, icg: Tensor
) -> Figure:
    """Figure 3 of the paper: how a network is trained and how it is attributed, without and with certainty.

    ``ig`` and ``icg`` are maps ``(16, 16)``, all others ``(1, 1, 16, 16)``.
    """
    figure = Figure(figsize=(WIDTH, HEIGHT))
    for place, words in ((0.22, "training"), (0.74, "attribution")):
        figure.text(place, 0.965, words, ha="center", fontsize=11, weight="bold", color=INK)
    for place, words in ((0.8, "ordinary"), (0.33, "certainty (ICG)")):
        figure.text(0.008, place, words, rotation=90, va="center", fontsize=10, weight="bold", color=INK)
    for line in (([0.03, 0.99], [0.675, 0.675]), ([0.475, 0.475], [0.03, 0.94])):
        figure.add_artist(Line2D(*line, color="#c5ccd2", lw=0.8))
    _ordinary_half(figure, picture, ig)
    _certainty_training(figure, picture, noise, certainty, kept, damaged)
    _certainty_attribution(figure, picture, icg)
    return figure


def _ordinary_half(figure, picture, ig) -> None:
    """The picture goes in; Integrated Gradients brightens it from black."""
    _panel(figure, 0.05, 0.735, picture, "picture")
    _arrow(figure, 0.15, 0.81, 0.335, 0.81)
    _box(figure, 0.355, 0.772, "network")
    for k, alpha in enumerate(ALPHAS):
        _panel(figure, 0.49 + 0.066 * k, 0.755, alpha * picture, f"α = {alpha:g}", size=0.06)
    _arrow(figure, 0.825, 0.81, 0.865, 0.81, "∂/∂x")
    _panel(figure, 0.875, 0.735, ig, "IG", kind="map")


def _certainty_training(figure, picture, noise, certainty, kept, damaged) -> None:
    """Damage data, certainty and dice make the damaged picture, which goes in with the certainty."""
    _panel(figure, 0.05, 0.47, picture, "picture")
    _panel(figure, 0.05, 0.255, noise, "damage data")
    _panel(figure, 0.05, 0.04, certainty, "certainty", kind="sure")
    _panel(figure, 0.19, 0.105, kept, "kept / lost", kind="sure")
    _panel(figure, 0.255, 0.39, damaged, "damaged")
    _arrow(figure, 0.147, 0.55, 0.252, 0.5)
    _arrow(figure, 0.147, 0.34, 0.252, 0.42)
    _arrow(figure, 0.265, 0.29, 0.29, 0.385)
    _arrow(figure, 0.147, 0.15, 0.188, 0.165, "dice", 0.006)
    figure.add_artist(Line2D([0.147, 0.33], [0.065, 0.065], color=SOFT, lw=1.1))
    _arrow(figure, 0.33, 0.065, 0.395, 0.225)
    _arrow(figure, 0.352, 0.43, 0.41, 0.3)
    _box(figure, 0.375, 0.232, "network")
    figure.text(0.492, 0.05, "dark: certain, kept      light: uncertain, lost", fontsize=8, color=SOFT)


def _certainty_attribution(figure, picture, icg) -> None:
    """The picture stays as it is; its certainty rises."""
    for k, alpha in enumerate(ALPHAS):
        _panel(figure, 0.49 + 0.066 * k, 0.45, picture, f"α = {alpha:g}", size=0.06)
        _panel(figure, 0.49 + 0.066 * k, 0.255, torch.full_like(picture, alpha), "", kind="sure", size=0.06)
    figure.text(0.652, 0.4, "the picture stays …", ha="center", fontsize=8.5, color=INK)
    figure.text(0.652, 0.205, "… its certainty rises", ha="center", fontsize=8.5, color=INK)
    _arrow(figure, 0.825, 0.4, 0.865, 0.4, "∂/∂c")
    _panel(figure, 0.875, 0.32, icg, "ICG", kind="map")


def _panel(figure, x, y, what, title, kind="image", size=0.095) -> None:
    """One array at a place of the figure; x and y are of its lower left corner."""
    ax = figure.add_axes((x, y, size, size * WIDTH / HEIGHT))
    if kind == "map":
        show_map(ax, what)
    else:
        drawn = show_image(ax, what)
        if kind == "sure":
            drawn.set_cmap(SURE)
    ax.set_title(title, fontsize=8.5, pad=3)


def _arrow(figure, x0, y0, x1, y1, label="", shift=0.012) -> None:
    style = {"arrowstyle": "-|>", "mutation_scale": 9, "color": SOFT, "lw": 1.1}
    ends = {"posA": (x0, y0), "posB": (x1, y1), "shrinkA": 0, "shrinkB": 0}
    figure.add_artist(FancyArrowPatch(**ends, **style, transform=figure.transFigure))
    if label:
        figure.text((x0 + x1) / 2, max(y0, y1) + shift, label, ha="center", fontsize=8, color=SOFT)


def _box(figure, x, y, text) -> None:
    shape = {"boxstyle": "round,pad=0.5", "facecolor": INK, "edgecolor": INK}
    place = {"ha": "center", "va": "center", "fontsize": 8.5}
    figure.text(x + 0.0375, y + 0.0375, text, **place, color="white", bbox=shape)


# ---- how much is lost


def damage_extents(mean_of, parameter_of, extents: dict[str, Tensor]) -> Figure:
    """Densities of the continuous Bernoulli, its mean as a function of λ and the inverse, and damage extents ``(N,)``.

    ``mean_of`` and ``parameter_of`` map float64 tensors to tensors of the same shape.
    """
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    density, curve, histogram = figure.subplots(1, 3)
    colours = ("#6f7b87", "#8a429f", "#14606f")
    _densities(density)
    fine = torch.linspace(0.0005, 0.9995, 400, dtype=torch.float64)
    means = torch.linspace(0.05, 0.95, 90, dtype=torch.float64)
    curve.plot([0, 1], [0, 1], color="0.75", linewidth=0.8)
    curve.plot(fine, mean_of(fine), color=colours[1], label=r"$e(\lambda)$")
    curve.plot(means, parameter_of(means), color=colours[2], linestyle="--", label=r"$e^{-1}$")
    title = r"mean of $\lambda$, and its inverse"
    curve.set(title=title, xlabel=r"$\lambda$, or the mean", xlim=(0, 1), ylim=(0, 1))
    curve.legend(fontsize=9, frameon=False)
    for (name, extent), colour in zip(extents.items(), colours, strict=True):
        label = name.replace("cᵢ", "$c_i$").replace("λ", r"$\lambda$")
        style = {"histtype": "step", "color": colour, "label": label, "linewidth": 1.4}
        histogram.hist(extent.numpy(), bins=40, range=(0, 1), density=True, **style)
    histogram.set(title="damage extents", xlabel="extent (1: all lost)", ylabel="density")
    histogram.set(yscale="log", ylim=(0.05, 200))
    histogram.legend(fontsize=8, frameon=False)
    return figure


def _densities(ax) -> None:
    c = torch.linspace(0, 1, 200, dtype=torch.float64)
    for mean in (0.1, 0.3, 0.5, 0.7, 0.9):
        logit = damage.continuous_bernoulli_logit(torch.tensor(mean, dtype=torch.float64))
        p = torch.ones_like(c) if mean == 0.5 else logit * torch.exp(logit * c) / torch.expm1(logit)
        ax.plot(c, p, color=SURE(0.25 + 0.75 * mean), label=f"mean {mean}")
    ax.set(title="density", xlabel="certainty $c$", ylim=(0, 6))
    ax.legend(fontsize=7.5, frameon=False, loc="upper center")


# ---- absence and neutrality


def at_certainty_zero(found: dict[str, dict[str, tuple[Tensor, float]]]) -> str:
    """What networks say when nothing is known: probabilities ``(N, 5)`` and neutrality, ``found[network][values]``."""
    lines = ["At certainty 0       p(plus): mean ± sd      range    neutrality"]
    for network, by_kind in found.items():
        lines.append(network)
        for kind, (p, off) in by_kind.items():
            plus = p[:, 1]
            lines.append(
                f"  {kind:20s} {plus.mean():.3f} ± {plus.std():.4f}   {plus.min():.2f} to {plus.max():.2f}   {off:.4f}"
            )
    return "\n".join(lines)


def hidden_half(answers: dict[str, tuple[Tensor, Tensor]]) -> str:
    """How far two answers ``(N, 5)`` lie apart for each network; they differ in what is hidden."""
    lines = ["right half hidden, and exchanged for another picture’s:"]
    lines.append(f"{'':27s}a probability moves by     answers")
    lines.append(f"{'':27s}mean     at most         that change")
    for network, (p, q) in answers.items():
        moved, change = (p - q).abs(), (p.argmax(1) != q.argmax(1)).float().mean()
        lines.append(f"{network:27s}{moved.mean():.3f}    {moved.max():.2f}{change:18.1%}")
    lines.append("for comparison, the authors’ weights on Burnt Snacks, left half hidden")
    lines.append(f"{'':27s}{0.038:.3f}    {0.74:.2f}{0.026:18.1%}")  # measured on their published weights
    return "\n".join(lines)


def figure_7(tests: dict[str, tuple], maps: list[list[Tensor]]) -> Figure:
    """Figure 7 of the paper: pictures with a band of unknown pixels, and four maps of each.

    Args:
        tests: by the row's name network, image and band (bool), ``(1, 1, H, W)`` each, and target; an empty band marks
            nothing.
        maps: for each row ICG, IG from 0, IG from 1 and both added, ``(H, W)``.
    """
    _, images, bands, _ = zip(*tests.values(), strict=True)
    grid = [[image[0, 0], *row] for image, row in zip(images, maps, strict=True)]
    heads = ["input and band", "ICG", "IG from 0", "IG from 1", "both added"]
    figure = image_grid(grid, list(tests), heads, image_rows=(), image_columns=(0,), panel=1.35)
    panels = [ax for ax in figure.axes if ax.images][: 5 * len(bands)]
    for k, ax in enumerate(panels):
        rows = bands[k // 5][0, 0, :, 0].nonzero().flatten()
        if not len(rows):
            continue
        low, high = rows[0] - 0.5, rows[-1] + 0.5
        if k % 5 == 0:
            ax.axhspan(low, high, facecolor="#8d979f", hatch="////", edgecolor="#c5ccd2", lw=0)
        for edge in (low, high):
            ax.axhline(edge, color=INK, linewidth=0.7, linestyle=(0, (3, 2)))
    return figure


AUTHORS_BAND = (0.047, 0.200, 0.121, 0.188)  # measured on the weights that the authors published


def band_shares(glyphs: dict[str, list[float]], snacks: list[float]) -> str:
    """Shares of |IG| in a band: unknown and known from baseline 0, then from 1; for glyph networks and Burnt Snacks."""

    def row(name, shares):
        return f"  {name:26s}" + "".join(f"{v:{w}.3f}" for v, w in zip(shares, (9, 7, 9, 7), strict=True))

    return "\n".join(
        [
            f"{'share of |IG| in the band':28s}{'from 0':>16s}{'from 1':>18s}",
            f"{'rows 6 to 8 of 16':28s}" + "  unknown  known" * 2,
            *(row(name, shares) for name, shares in glyphs.items()),
            "Burnt Snacks, rows 12 to 19 of 50",
            row("our weights", snacks),
            row("the authors’ weights", AUTHORS_BAND),
        ]
    )


# ---- the ablation; `arms` is that of the result "certainty-ablation"


def recipes(arms: dict) -> HTML:
    """The training recipes, each with a line that says what is special about it."""
    items = "".join(f"<li><b>{arm}</b>: {a['what']}</li>" for arm, a in arms.items())
    return HTML(
        f"<details class='icg-numbers'><summary>The recipes, in a line each</summary><ul>{items}</ul></details>"
    )


def training_compared(arms: dict) -> HTML:
    """Accuracy, absence, neutrality and speed of the recipes, drawn; the numbers are folded below."""
    undamaged, damaged, nothing = "undamaged pictures", "damaged pictures", "nothing known"
    panels = {
        "right answers": _of_arms(arms, {undamaged: "accuracy", damaged: "damaged accuracy"}, "{:.1%}"),
        "steps to 95 % (damaged: to 50 %)": _of_arms(
            arms, {undamaged: "steps to 95 %", damaged: "steps to 50 %, damaged"}, "{:,.0f}"
        ),
        "absence (left is good)": _of_arms(arms, {nothing: "absence"}, "{:.4f}"),
        "neutrality (left is good)": _of_arms(arms, {nothing: "neutrality"}, "{:.3f}"),
    }
    return dots(
        panels,
        f"Recipes of training, {_n_seeds(arms)} seeds each. Absence and neutrality: 0 is perfect. No dot: the level "
        "was never reached.",
        bars="95 % intervals over seeds",
        tables=[training_table(arms)],
        label="All numbers: accuracy, absence, neutrality, speed",
    )


def attribution_compared(arms: dict) -> HTML:
    """What the recipes do to attribution, drawn; the numbers are folded below."""
    panels = {
        f"credit of a band, IG from {start}": _of_arms(
            arms, {"the band is unknown": f"band {name}", "the band is known": f"band {name}, unmasked"}, "{:.3f}"
        )
        for start, name in ((0, "zero"), (1, "one"))
    }
    panels["ICG’s credit on the ink"] = _of_arms(
        arms, {"black ink": "blind", "ink on black ground": "blind, swapped"}, "{:.3f}"
    )
    panels["ICG’s completeness gap"] = _of_arms(arms, {"any picture": "gap"}, "{:.4f}")
    return dots(
        panels,
        f"What training does to attribution: shares of absolute credit, {_n_seeds(arms)} seeds.",
        bars="95 % intervals over seeds",
        hollow=["the band is known"],
        tables=[attribution_table(arms)],
        label="All numbers: bands, ink, completeness",
    )


def _of_arms(arms: dict, measures: dict[str, str], form: str) -> Panel:
    """A panel with a row for each arm; ``measures`` by the series' names. Measures that no arm has are left out."""
    had = {name: m for name, m in measures.items() if any(measured(arms, arm, m) for arm in arms)}
    return Panel({arm: {name: measured(arms, arm, m) for name, m in had.items()} for arm in arms}, form)


def training_table(arms: dict) -> HTML:
    """Accuracy, absence, neutrality and speed of the recipes."""
    return _arms_table(
        arms,
        f"Means over {_n_seeds(arms)} seeds, ± half of the 95 % interval. Absence, neutrality: 0 is perfect.",
        {
            "accuracy": ("right, %<br>undamaged", "share"),
            "damaged accuracy": ("right, %<br>damaged", "share"),
            "absence": ("absence", 4),
            "neutrality": ("neutrality", 3),
            "steps to 95 %": ("steps to<br>95 % un-<br>damaged", "steps"),
            "steps to 50 %, damaged": ("steps to<br>50 %<br>damaged", "steps"),
        },
    )


def attribution_table(arms: dict) -> HTML:
    """What the recipes do to attribution: shares of credit, and the completeness gap."""
    return _arms_table(
        arms,
        "What training does to attribution: shares of absolute credit, ± half of the 95 % interval. "
        "In brackets: the band’s share when it is known.",
        {
            "band zero": ("hidden<br>band,<br>IG from 0", 3),
            "band one": ("hidden<br>band,<br>IG from 1", 3),
            "ink share": ("ICG on<br>ink ± 1 px", 3),
            "blind": ("ICG on<br>black ink", 3),
            "blind, swapped": ("ICG on ink,<br>black<br>ground", 3),
            "gap": ("ICG’s<br>gap", 4),
        },
    )


def _arms_table(arms, title: str, columns: dict) -> HTML:
    """Arms in rows; columns are ``{measure: (heading, kind)}``."""
    columns = {m: v for m, v in columns.items() if any(measured(arms, arm, m) for arm in arms)}
    rows = []
    for arm in arms:
        name = arm.replace(" + ", "<br>+ ").replace(" ", "&nbsp;")  # broken before additions and nowhere else
        cells = ((measured(arms, arm, m), measured(arms, arm, f"{m}, unmasked"), v[1]) for m, v in columns.items())
        rows.append([name, *(_cell(*cell) for cell in cells)])
    return table(["training", *(heading for heading, _ in columns.values())], rows, title, size=80, nowrap=True)


def _n_seeds(arms) -> int:
    return min(len(arm["seeds"]) for arm in arms.values())


def _cell(found, known, kind) -> str:
    """A measure of an arm with half of its interval, and below it the measure where all is known."""
    text = f"<b>{_number(found['mean'], kind)}</b>"
    if found["mean"] is not None:
        half = (found["high"] - found["low"]) / 2
        text += f"<br><small>± {_number(half, kind)}</small>"
    if known:
        text += f"<br><small style='opacity: .75'>({_number(known['mean'], kind)})</small>"
    return text


def _number(value, kind) -> str:
    """``kind``: "share" (in %), "steps", or a number of decimals."""
    if value is None:
        return "never"
    if kind == "share":
        return f"{100 * value:.1f}"
    return f"{value:,.0f}" if kind == "steps" else f"{value:.{kind}f}"


# One colour for each arm, in the order of the result.
ARM_COLOURS = "#1d2733 #6f7b87 #2467b0 #b4590a #8a429f #14606f #1d7f5f #c0392b #d08c00 #7a5230".split()


def learning_curves(arms: dict) -> Figure:
    """The share of wrong answers on undamaged pictures against training steps, with bands over the seeds."""
    figure = Figure(figsize=(8.8, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    colours = dict(zip(arms, ARM_COLOURS, strict=True))
    names = list(arms)
    for ax, group, title in (
        (left, names[:6], "the paper’s steps"),
        (right, ["undamaged", "full mix", *names[6:]], "beyond them"),
    ):
        for arm in group:
            curve = arms[arm]["curve"]
            steps = torch.tensor(curve["steps"], dtype=torch.float64)
            wrong = 1 - torch.tensor(curve["accuracy"], dtype=torch.float64)  # (seeds, steps)
            ax.plot(steps, wrong.mean(0), color=colours[arm], label=arm, linewidth=1.5)
            band = {"color": colours[arm], "alpha": 0.12, "linewidth": 0}
            ax.fill_between(steps, wrong.amin(0), wrong.amax(0), **band)
        ax.axhline(0.05, color="0.5", linewidth=0.7, linestyle="--")
        ax.set_title(title, fontsize=10)
        ax.set(xlabel="training steps", yscale="log", ylim=(0.001, 1))
        ax.set_yticks([0.01, 0.05, 0.1, 1], ["1 %", "5 %", "10 %", "100 %"])
        ax.minorticks_off()
        ax.legend(fontsize=7.5, frameon=False, loc="upper right")
    left.set_ylabel("wrong on undamaged pictures")
    return figure


MARKS = {"holds": "✓ holds", "reversed": "✗ reversed", "can’t be told": "? can’t be told"}
SHADES = {"holds": "rgba(29,127,95,.16)", "reversed": "rgba(180,89,10,.18)", "can’t be told": ""}
KINDS = {"neutrality": 3, "blind": 3, "absence": 4, "accuracy": "share", "damaged accuracy": "share"}


def verdicts_shown(arms: dict, claims: dict, verdicts: dict) -> HTML:
    """Each claim and its verdict; the numbers that it rests on are folded below."""
    short = table(
        ["claim", "verdict"],
        [[text, f"<b>{MARKS[verdicts[text].verdict]}</b>"] for text in claims],
        f"Claims of sections A.3.2 and A.3.3, on this network and {_n_seeds(arms)} seeds",
        align="left",
        size=84,
        padding=".15em .5em",
        nowrap=True,
        shades=[SHADES[verdicts[text].verdict] for text in claims],
    )
    return HTML(
        short.data + folded([verdicts_table(arms, claims, verdicts)], "All numbers: what each verdict rests on")
    )


def verdicts_table(arms: dict, claims: dict, verdicts: dict) -> HTML:
    """Each claim with its measure, the means compared, and the verdict; all by the claim's text."""
    rows = []
    for text, (measure, better, _) in claims.items():
        verdict, other, gain = verdicts[text]
        kind = KINDS.get(measure, "steps")
        means = " / ".join(_number(measured(arms, arm, measure)["mean"], kind) for arm in (better, other))
        agree = f"{sum(v > 0 for v in gain['values'])} of {len(gain['values'])}"
        rows.append([text, f"{measure}:<br>{better} /<br>{other}", means, f"<b>{MARKS[verdict]}</b>", agree])
    return table(
        ["claim", "compared", "means", "verdict", "seeds<br>in favour"],
        rows,
        f"Claims of sections A.3.2 and A.3.3, on this network and {_n_seeds(arms)} seeds",
        align="left",
        size=80,
        nowrap=True,
        shades=[SHADES[verdicts[text].verdict] for text in claims],
    )


# ---- the gate


def both_paints(painted: dict[str, Tensor], maps: dict[str, dict[str, Tensor]], labels: Tensor) -> Figure:
    """Signs ``(N, 1, 16, 16)`` in two paints, and their maps, ``maps[paint][network]``, below each."""
    rows, names = [], []
    for paint, images in painted.items():
        for name, panels in {paint: images, **maps[paint]}.items():
            rows.append(list(panels[:, 0]))
            names.append(name)
    images_at = [k for k, name in enumerate(names) if name in painted]
    return image_grid(rows, names, [SIGNS[k] for k in labels], image_rows=images_at, panel=1.15)


def ink_shares(shares: dict[str, list[tuple[float, float]]]) -> str:
    """Share of credit on the ink and share of right answers, for black ink and for light ink, by network."""
    lines = ["share of |ICG| on the ink, 100 signs     in brackets: right"]
    lines.append(f"{'':28s}black on light   light on black")
    for name, by_paint in shares.items():
        black, light = (f"{share:.3f} ({right:.0%})" for share, right in by_paint)
        lines.append(f"{name:28s}{black:>14s}   {light:>14s}")
    return "\n".join(lines)


def more_credit_on_black(arms: dict, chosen: list[str]) -> str:
    """By how much credit on black ink exceeds that on the same ink in light, with 95 % intervals over the seeds."""
    lines = ["over all seeds: credit on black ink, minus that on the same ink in light"]
    for arm in chosen:
        d = more_on_black(arms, arm)
        lines.append(f"  {arm:26s}{d['mean']:+.3f} [{d['low']:+.3f}, {d['high']:+.3f}]")
    return "\n".join(lines)
