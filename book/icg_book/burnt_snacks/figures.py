"""Figures, tables and summaries of the chapter on Burnt Snacks."""

from collections.abc import Sequence

from torch import Tensor

from icg_book.burnt_snacks.experiment import AUTHORS_ABSENCE, AUTHORS_COLUMNS, AUTHORS_DAMAGED, FIRST_ICG
from icg_book.burnt_snacks.tracing import SquaresOnPath
from icg_book.kit import ledger
from icg_book.kit.dots import Panel, dots
from icg_book.kit.drawing import Figure
from icg_book.kit.figures import image_grid
from icg_book.kit.tables import table
from icg_book.scenarios.burnt_snacks import BurntSnacks, centres

ORANGE, BLUE, GREEN = "#c6670f", "#2064c4", "#1b7837"


# ---- maps


def erasing_one_square(snack: BurntSnacks, versions: Tensor, p: Tensor):
    """One image as it is, without its dark and without its light square ``(3, 1, 50, 50)``, and p(dark square) of each
    ``(3,)``; a green dot marks the dark square."""
    labels = ("the image", "dark square erased", "light square erased")
    dots = centres(snack.dark[0])
    return image_grid(
        [list(versions[:, 0])],
        ["input"],
        [f"{label}\np = {value:.3f}" for label, value in zip(labels, p.tolist(), strict=True)],
        dots={(0, 0): dots, (0, 2): dots},
        legend=False,
        panel=2.2,
    )


def maps_of_one_image(image: BurntSnacks, maps: dict[str, Tensor], *, panel: float = 1.5):
    """One image, its dark squares dotted, and beside it the map ``(1, C, 50, 50)`` of each method, summed over
    channels. ``panel`` is in inches."""
    return image_grid(
        [[image.images[0, 0], *(found[0].sum(0) for found in maps.values())]],
        [""],
        ["input", *maps],
        dots={(0, 0): centres(image.dark[0])},
        image_rows=(),
        image_columns=(0,),
        panel=panel,
    )


def figure_4(ones: BurntSnacks, zeros: BurntSnacks, maps: dict[str, Tensor]):
    """Figure 4 of the paper: four images of class 1, four of class 0, and below them the maps ``(8, 50, 50)`` of each
    method."""
    return image_grid(
        [[*ones.images[:, 0], *zeros.images[:, 0]], *(list(found) for found in maps.values())],
        ["Input", *maps],
        ["A", "B", "C", "D (logit)", "E", "F", "G", "H (logit)"],
        dots={(0, k): centres(objects) for k, objects in enumerate(ones.dark)},
        panel=1.0,
    )


# ---- curves


def two_paths(walks: dict[str, SquaresOnPath]):
    """A column for each path from black: lightness of its squares, the network's output, and who is credited."""
    figure = Figure(figsize=(9, 6.2), layout="constrained")
    axes = figure.subplots(3, len(walks), sharex=True)
    for (top, middle, bottom), (title, walk) in zip(axes.T, walks.items(), strict=True):
        top.set_title(title, fontsize=11)
        top.axhspan(0.25, 0.5, color="0.88", zorder=0)
        middle.plot(walk.positions, walk.probability, color="black")
        for square, colour in zip(walk.squares, (GREEN, ORANGE, BLUE), strict=False):
            top.plot(walk.positions, walk.positions * square.level, label=square.name, color=colour)
            bottom.plot(walk.positions, square.credit, color=colour)
        top.legend(fontsize=8, loc="upper left")
        top.set_ylim(0, 1)
        middle.set_ylim(-0.03, 1.03)
        bottom.axhline(0, color="0.7", linewidth=0.8, zorder=0)
        bottom.set_xlabel(r"$\alpha$: from black to the image")
    rows = ("lightness\n(grey band: dark)", "p(dark square)", "credit gathered\nby each square")
    for ax, label in zip(axes[:, 0], rows, strict=True):
        ax.set_ylabel(label)
    return figure


def along_certainty(certainty: Tensor, curves: dict[str, Tensor], labels: Tensor):
    """p(dark square) against the certainty ``(K,)`` of whole images: a panel with the curves ``(K, N)`` of each
    network, orange for images of class 1 (``labels``, ``(N,)``), blue for class 0; dotted, the right answers."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots(1, len(curves), sharey=True)
    for ax, (title, p) in zip(axes, curves.items(), strict=True):
        for curve, label in zip(p.T, labels, strict=True):
            ax.plot(certainty, curve, color=ORANGE if label else BLUE, lw=1)
        ax.plot([0, 1], [0.5, 1], "k:", [0, 1], [0.5, 0], "k:", lw=1)
        travelled = p.diff(dim=0).abs().sum(0).mean()
        ax.set_title(f"{title}\nway travelled by p: {travelled:.2f} on average", fontsize=10)
        ax.set_xlabel("certainty of the whole image")
    axes[0].set_ylabel("p(dark square)")
    axes[0].set_ylim(-0.03, 1.03)
    return figure


# ---- the experiment's numbers


DRAWN = {"dark": "credit in dark squares", "light": "credit in light squares", "hit": "hit", "recall": "recall"}
COLUMNS = (AUTHORS_COLUMNS[:4], (*AUTHORS_COLUMNS[4:], "gap"))  # of the two tables: where credit lies; what is found


def methods_compared(result: dict, output: str):
    """Every method on images of class 1, by one kind of output: the main measures drawn, all of them folded below."""
    panels = {}
    for column, title in DRAWN.items():
        rows = {
            row["method"]: {
                "this network": row.get(column),
                "the authors’ weights": result["authors"][output].get(row["method"], {}).get(column),
            }
            for row in _of_class_1(result, output)
        }
        panels[title] = Panel(rows, "{:.3f}")
    return dots(
        panels,
        f"<b>Attribution of the {output}</b>, {result['settings']['n']} images with dark squares.",
        bars="95 % intervals over images",
        hollow=["the authors’ weights"],
        strong=["ICG"],
        tables=[methods_table(result, output, columns) for columns in COLUMNS],
        label=f"All numbers: {output}",
    )


def _of_class_1(result: dict, output: str) -> list[dict]:
    return [row for row in result["rows"] if row["output"] == output and row["class"] == 1]


def methods_table(result: dict, output: str, columns: Sequence[str]):
    """Some measures of every method on images of class 1, by one kind of output; in grey, the authors'."""
    rows = []
    for row in _of_class_1(result, output):
        theirs = result["authors"][output].get(row["method"], {})
        cells = [_gap(row.get(c)) if c == "gap" else _measured(row.get(c), theirs.get(c)) for c in columns]
        rows.append([row["method"], *cells])
    caption = f"Class 1, {output}, {result['settings']['n']} images. Grey: the authors' published weights."
    return table(["method", *columns], rows, caption, size=85, nowrap=True)


def _measured(found: dict | None, theirs: float | None) -> str:
    """A mean, its interval and the authors' value, below each other."""
    if found is None:
        return "–"
    return (
        f"<b>{found['mean']:.3f}</b><br><small>[{found['low']:.2f}, {found['high']:.2f}]</small>"
        f"<br><small style='opacity:.65'>{'–' if theirs is None else f'{theirs:.3f}'}</small>"
    )


def _gap(found: dict | None) -> str:
    return "–" if found is None else f"{found['mean']:.4f}<br><small>max {found['largest']:.3f}</small>"


def measured(result: dict, method: str, output: str, column: str) -> dict:
    """One measure of one method on images of class 1: ``mean`` and interval (``found``: by number of squares)."""
    wanted = (method, output, 1)
    row = next((r for r in result["rows"] if (r["method"], r["output"], r["class"]) == wanted), None)
    if row is None or column not in row:
        raise ValueError(f"expected a measured method, output and measure, got {method!r}, {output!r}, {column!r}")
    return row[column]


CLAIMS = (  # of the paper; the measure that tests it, method, output
    ("EG, probability: never finds the dark squares", "hit", "EG", "probability"),
    ("EG, probability: marks light squares instead", "light", "EG", "probability"),
    ("ICG, probability: always attributes a dark square", "hit", "ICG", "probability"),
    ("ICG, logit: attributes all dark squares", "recall, 2 or more", "ICG", "logit"),
    ("AGN, probability: attributes all dark squares", "recall, 2 or more", "AGN", "probability"),
)


def claims_of_the_paper(result: dict, card: dict) -> str:
    """The paper's words beside the numbers measured here and on the authors' weights."""
    accuracy, paper = card["metrics"]["accuracy"], result["paper"]["accuracy"]
    lines = [f"accuracy on {accuracy['images']} fresh images: {accuracy['all']:.2%} (paper: {paper:.1%})\n"]
    for claim, column, method, output in CLAIMS:
        ours = measured(result, method, output, column)["mean"]
        theirs = result["authors"][output][method][column]
        lines += [claim, f"    {column}: {ours:.3f} here, {theirs:.3f} on theirs"]
    found = measured(result, "ICG", "probability", "found")
    lines += ["\nICG, probability: only one square, even when there are more?"]
    lines += [f"  squares found in images with {', '.join(found)} of them: " + _listed(found.values())]
    return "\n".join(lines)


def _listed(numbers) -> str:
    return ", ".join(f"{number:.2f}" for number in numbers)


def damage_compared(result: dict) -> str:
    """ICG on the network trained with the paper's damage and on the one that also saw damage in blocks."""
    lines = []
    for output in ("probability", "logit"):
        lines.append(f"{f'ICG, {output}':22s} {'paper':>8s}{'blocks':>8s}")
        for column in ("dark", "light", "triangles", "background", "hit", "gap"):
            name = "completeness gap" if column == "gap" else column
            paper, blocks = (measured(result, method, output, column)["mean"] for method in (FIRST_ICG, "ICG"))
            lines.append(f"  {name:20s} {paper:8.3f}{blocks:8.3f}")
    return "\n".join(lines)


def credit_divided(fairness: dict, methods: tuple[str, ...] = ("zero IG", "EG", "AGN", "ICG")) -> str:
    """What all dark squares of an image are due together, and what methods give them and all else: signs are kept.

    Args:
        fairness: the result "fairness".
    """
    wanted = {"network": "burnt-snacks", "set": "dark square", "output": "probability"}
    found = {row["method"]: row for row in ledger.rows(fairness, "credit", **wanted)}
    found = {name: found[name] for name in ("fair", *methods) if name in found}
    kinds = ("dark", "light", "triangles", "rest")
    lines = ["".join(f"{word:>11s}" for word in ("probability", *kinds))] if found else []
    for name, row in found.items():
        lines.append(f"{name:>11s}" + "".join(f"{row[kind]:+11.2f}".replace("-", "−") for kind in kinds))
    size = {name: sum(abs(row[kind]) for kind in kinds) for name, row in found.items()}
    if "fair" in size and len(size) > 1:
        least = min(list(size)[1:], key=size.get)
        lines.append(f"{least} gives out the least: {size[least] / size['fair']:.0%} of what is due, signs aside.")
    return "\n".join(lines)


def known_of_certainty(card: dict) -> str:
    """What the network says at certainty 0, and how accurate it is under damage; beside the authors' weights."""
    lines = ["probability of a dark square at certainty 0 (should be 0.5, whatever the values):"]
    for name, found in card["metrics"]["at certainty 0"].items():
        line = f"  {name:16s} {found['mean']:.3f} ± {found['sd']:.3f}"
        if name in AUTHORS_ABSENCE:
            mean, sd = AUTHORS_ABSENCE[name]
            line += f"   authors' weights: {mean:.3f} ± {sd:.3f}"
        lines.append(line)
    lines.append("accuracy under each kind of damage:")
    for name, accuracy in card["metrics"]["accuracy under damage"].items():
        lines.append(f"  {name:24s} {accuracy:.3f}   authors' weights: {AUTHORS_DAMAGED[name]:.3f}")
    return "\n".join(lines)
