"""Explorable "six sliders": the Local Minimum scenario, with every method's shares computed in the page.

The network turns each component by itself into a few numbers and decides by their mean over the components
(:class:`icg.models.LocalMinimumNet`). So the page needs one function of two numbers, a component's value and its
certainty, and the small decision network. The sliders stop at hundredths, and every method keeps either the values or
the certainties: so one table has the function at hundredths of value along certainty, another one along value at
certainty 1, with straight lines in between. What that costs in accuracy is measured here, stated in the page and held
to the network by tests.
"""

import copy
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial

import numpy as np
import torch

from icg.artifacts import load_model
from icg.certainty import join
from icg.coalitions import coalitions, shapley_from_table
from icg.models import LocalMinimumNet
from icg_book.kit.figures import as_array
from icg_book.kit.page.explorable import Explorable, pack, script_beside
from icg_book.scenarios import local_minimum

LEVELS = 100  # of a slider
FINEST = 2**15  # nodes of value are whole parts of this
NOISE = 0.1  # standard deviation, AGN
DRAWS = {"AGN": 50, "EG": 64}
COLUMNS = 64  # steps of certainty
# How a path is cut (see `walk`): pieces to begin with, and how closely halves must agree. Errors of many average out.
PATHS = {"ICG": (96, 6e-5), "zero IG": (96, 6e-5), "AGN": (16, 1e-3), "EG": (64, 4e-4)}
DEEPEST = 12  # halvings
JUMP = 0.5  # of the score: where a component passes it, a path is cut as well
# How the page calls what it shows, and the paper's table 2.
PANELS = {
    "score": "scaled score",
    "exact SHAP": None,
    "certainty-SHAP": None,
    "ICG": "ICG",
    "BShap": "BShap",
    "zero IG": "zero IG",
    "AGN": "AGN",
    "EG": "EG",
}
PRESETS = {
    "paper’s table 2": tuple(round(v, 2) for v in local_minimum.PAPER_INPUT.flatten().tolist()),
    "all in the dip": (0.65, 0.69, 0.73, 0.77, 0.81, 0.85),
    "around the edge": (0.44, 0.47, 0.49, 0.51, 0.53, 0.56),
}
COLOURS = ("#7a55c7", "#0a7f63", "#b93a86", "#7d6f00", "#a8432f", "#4a5b6b")  # light; six_sliders.css has the dark ones


def six_sliders(
    model=None,
    values=None,
    *,
    title: str = "Six sliders",
    alt: str | None = None,
    fallback=None,
) -> Explorable:
    """Move six components along the score curve and compare what the methods make of it.

    Beside the scores: exact SHAP of the ideal classifier, and of the network's probability of class 1 certainty-SHAP,
    ICG, BShap (baseline 0.50546), zero IG, AGN and EG. All of it is computed in the page.

    Args:
        model: an :class:`icg.models.LocalMinimumNet`; by default the book's, ``load_model("local-minimum")``.
        values: six numbers in [0, 1] to begin with; by default those of the paper's table 2.
        title, alt: heading and description of the static picture; the description is of what is shown by default.
        fallback: static picture (PNG bytes, path or figure); by default the curve and all shares for ``values``.

    Raises:
        ValueError: another kind of model, or values of another shape or outside of [0, 1].
    """
    start = as_array(local_minimum.PAPER_INPUT.flatten() if values is None else values, "values", 1)
    if start.shape != (local_minimum.SIZE,) or not (start.min() >= 0 and start.max() <= 1):
        raise ValueError(f"expected values to be {local_minimum.SIZE} numbers in [0, 1], got {start.tolist()}")
    start = start.round(2)
    network = PageNetwork.of(load_model("local-minimum") if model is None else model)
    shown = network.shares(start)
    against = [name for name in list(PANELS)[1:] if (shown[name] * shown["score"] < 0)[4]]
    data = {
        **network.data(),
        "start": start.tolist(),
        "presets": [{"name": name, "values": list(v)} for name, v in PRESETS.items()],
        "panels": [{"name": n, "paper": p and local_minimum.PAPER_TABLE[p]} for n, p in PANELS.items()],
        "baseline": local_minimum.PAPER_BASELINE,
        "noise": noise().tolist(),
        "draws": draws().tolist(),
        "paths": {name: {"pieces": pieces, "close": close} for name, (pieces, close) in PATHS.items()},
        "deepest": DEEPEST,
        "jump": JUMP,
        "errors": network.errors,
        "classes": local_minimum.CLASSES,
    }
    return Explorable(
        script_beside(__file__),
        data,
        title,
        alt
        or "The score curve with six dots on it, at "
        + ", ".join(f"{v:g}" for v in start)
        + ", and below bars of what each dot adds to the score and what seven methods give it. The fifth, at "
        + f"{start[4]:g}, has the score {shown['score'][4]:g}; its share has the other sign in: "
        + (", ".join(against) or "none")
        + ".",
        _static(start, shown) if fallback is None else fallback,
    )


def noise() -> np.ndarray:
    """The Gaussian noise of AGN ``(50, 6)``, the same every time."""
    drawn = torch.randn(DRAWS["AGN"], local_minimum.SIZE, generator=torch.Generator().manual_seed(0))
    return (NOISE * drawn.double()).numpy().round(4)


def draws() -> np.ndarray:
    """The baselines of EG ``(64, 6)``: inputs of the scenario, the same every time."""
    drawn = local_minimum.generate(DRAWS["EG"], generator=torch.Generator().manual_seed(0)).values
    return drawn[:, 0].double().numpy().round(4)


def walk(component, decide, start: np.ndarray, end: np.ndarray, pieces: int, close: float) -> np.ndarray:
    """Shares of a change of probability along straight paths, ``(6,)``: their mean over paths.

    The probability depends on the mean of the components' numbers alone. So a piece's change of it is shared by the
    gradient in its middle times the change of each component's numbers; what that misses goes to the components in
    proportion. That is complete with any pieces, and needs no derivative of the table. A piece is halved until its
    halves say the same to within ``close``: where a component jumps, or the decision falls. Where two components jump
    in one piece, one up and one down, its ends would know nothing of it: so paths are cut at each jump to begin with.

    Args:
        component: values and certainties, any shape, to numbers ``(..., F)``.
        decide: means ``(..., F)`` to probabilities ``(...)`` and their gradients ``(..., F)``.
        start, end: ``(K, 2, 6)`` and ``(1, 2, 6)``, values and certainties.
        pieces: to begin with.
    """

    def ends(path, alpha):  # of pieces: the components' numbers and the probability
        values, certainty = np.moveaxis(start[path] + alpha[:, None, None] * (end[0] - start[path]), 1, 0)
        numbers = component(values, certainty) / local_minimum.SIZE
        return numbers, decide(numbers.sum(1))[0]

    def share(numbers_a, p_a, numbers_b, p_b):
        gradient = decide((numbers_a + numbers_b).sum(1) / 2)[1]
        gained = ((numbers_b - numbers_a) * gradient[:, None]).sum(2)
        size = np.abs(gained)
        missed = p_b - p_a - gained.sum(1)
        return gained + missed[:, None] * size / np.maximum(size.sum(1, keepdims=True), 1e-300)

    total = np.zeros((len(start), local_minimum.SIZE))
    even = np.tile(np.arange(pieces + 1) / pieces, (len(start), 1))
    with np.errstate(divide="ignore", invalid="ignore"):  # a component that stands still
        jumps = np.nan_to_num((JUMP - start[:, 0]) / (end[:, 0] - start[:, 0])).clip(0, 1)
    cuts = np.sort(np.concatenate([even, jumps], 1), 1)
    path, a, b = np.arange(len(start)).repeat(cuts.shape[1] - 1), cuts[:, :-1].ravel(), cuts[:, 1:].ravel()
    at_a, at_b = ends(path, a), ends(path, b)
    whole = share(*at_a, *at_b)
    for depth in range(DEEPEST):
        middle = (a + b) / 2
        at_m = ends(path, middle)
        halves = share(*at_a, *at_m), share(*at_m, *at_b)
        done = np.abs(halves[0] + halves[1] - whole).max(1) <= close
        done |= depth == DEEPEST - 1
        np.add.at(total, path[done], (halves[0] + halves[1])[done])
        path, a, b = (
            np.concatenate(t) for t in ((path[~done],) * 2, (a[~done], middle[~done]), (middle[~done], b[~done]))
        )
        at_a, at_m, at_b = ([t[~done] for t in at] for at in (at_a, at_m, at_b))
        at_a, at_b = ([np.concatenate(t) for t in zip(*two, strict=True)] for two in ((at_a, at_m), (at_m, at_b)))
        whole = np.concatenate([half[~done] for half in halves])
    return total.mean(0)


def shares(component, decide, values: np.ndarray, finer: int = 1) -> dict[str, np.ndarray]:
    """What each method gives to six values ``(6,)``, by name; with ``finer`` times the page's pieces."""
    x = torch.from_numpy(values)[None, None]
    ones, zeros = np.ones(local_minimum.SIZE), np.zeros(local_minimum.SIZE)
    here, masks = np.stack([values, ones])[None], coalitions(local_minimum.SIZE).numpy()[..., None]

    def game(absent_values, absent_certainty):
        numbers = np.where(masks, component(values, ones), component(absent_values, absent_certainty))
        return shapley_from_table(torch.from_numpy(decide(numbers.mean(1))[0])).numpy()

    def ig(name, starts):
        pieces, close = PATHS[name]
        return walk(component, decide, starts, here, finer * pieces, close / finer**2)

    def known(starts):
        return np.stack([starts, np.ones_like(starts)], 1)

    return {
        "score": local_minimum.component_score(x).flatten().numpy(),
        "exact SHAP": local_minimum.ideal_shap(x).flatten().numpy(),
        "certainty-SHAP": game(values, zeros),
        "ICG": ig("ICG", np.stack([values, zeros])[None]),
        "BShap": game(np.full_like(values, local_minimum.PAPER_BASELINE), ones),
        "zero IG": ig("zero IG", known(zeros[None])),
        "AGN": ig("AGN", known((values + noise()).clip(0, 1))),
        "EG": ig("EG", known(draws())),
    }


class Component:
    """A network's ``component`` by tables: ``row`` ``(V, F)`` of :func:`row_values` at certainty 1, and ``columns``
    ``(101, C, F)`` of hundredths of value and C even steps of certainty."""

    def __init__(self, row: np.ndarray, columns: np.ndarray, finer: int = 1):
        self.row, self.columns, self.finer = row, columns, finer

    @classmethod
    def of(cls, model, finer: int = 1) -> "Component":
        """The network's own, in ``finer`` times the page's steps of value and certainty."""

        def component(values, certainty):
            pairs = torch.from_numpy(np.stack(np.broadcast_arrays(values, certainty), -1)).float()
            with torch.no_grad():
                parts = [model.component(p) for p in pairs.reshape(-1, 2).split(4096)]
            return torch.cat(parts).double().numpy().reshape(*pairs.shape[:-1], -1)

        columns = component(_parts(LEVELS)[:, None], _parts(finer * COLUMNS))
        return cls(component(row_values(finer), 1.0), columns, finer)

    def __call__(self, values, certainty) -> np.ndarray:
        """Where any certainty is below 1, all values must be hundredths."""
        if (np.asarray(certainty) < 1).any():
            column, part = _cell(_parts(self.columns.shape[1] - 1), certainty)
            low, high = (self.columns[_whole(values, LEVELS), column + k] for k in (0, 1))
        else:
            cell, part = _cell(row_values(self.finer), values)
            low, high = self.row[cell], self.row[cell + 1]
        return low + part[..., None] * (high - low)


@dataclass(frozen=True)
class PageNetwork:
    """A network as the page has it.

    Attributes:
        row, columns: as in :class:`Component`, int16 in units of ``unit`` ``(F,)``; 0 stands for ``offset`` ``(F,)``.
        layers: of the decision network, LeakyReLU between them: weights as int16, what one unit is worth, biases.
        errors: largest differences to the network, as `measure` returns them.
    """

    row: np.ndarray
    columns: np.ndarray
    unit: np.ndarray
    offset: np.ndarray
    layers: tuple[tuple[np.ndarray, float, np.ndarray], ...]
    errors: dict

    @classmethod
    def of(cls, model) -> "PageNetwork":
        """Tabulate a network and measure what is lost."""
        if not isinstance(model, LocalMinimumNet):
            raise ValueError(f"expected an icg.models.LocalMinimumNet, got {type(model).__name__}")
        model = copy.deepcopy(model).cpu().eval()
        truth = Component.of(model, finer=2)
        row, columns = truth.row[np.isin(row_values(2), row_values())], truth.columns[:, ::2]
        layers = _layers(model)
        both = np.concatenate([row, columns.reshape(-1, row.shape[1])])
        offset, unit = _short((both.max(0) + both.min(0)) / 2), _short(np.ptp(both, axis=0) / 65000)
        unit[unit == 0] = 1
        whole = [np.rint((table - offset) / unit).astype("<i2") for table in (row, columns)]
        scales = [float(_short(np.abs(weight).max() / 32767)) or 1.0 for weight, _ in layers]
        layers = tuple(
            (np.rint(weight / scale).astype("<i2"), scale, _short(bias))
            for (weight, bias), scale in zip(layers, scales, strict=True)
        )
        network = cls(*whole, unit, offset, layers, {})
        return replace(network, errors=network.measure(model, truth))

    @cached_property
    def component(self) -> Component:
        """A component's numbers."""
        return Component(*(table * self.unit + self.offset for table in (self.row, self.columns)))

    def decide(self, mean) -> tuple[np.ndarray, np.ndarray]:
        """Means ``(..., F)`` of the components' numbers to probabilities of class 1 and their gradients."""
        return _decide([(whole * scale, bias) for whole, scale, bias in self.layers], mean)

    def shares(self, values) -> dict[str, np.ndarray]:
        """What each method gives to six values ``(6,)``, as the page computes it."""
        return shares(self.component, self.decide, np.asarray(values, np.float64))

    def measure(self, model, truth: Component, n_probabilities: int = 1000, n_shares: int = 6) -> dict:
        """Largest errors of the probability and of the shares, over random inputs; for the shares, also the presets.

        Shares of the network itself are found by the same rule, from its own numbers, in smaller pieces.
        """
        inputs = np.random.default_rng(0).integers(0, LEVELS + 1, (n_probabilities, local_minimum.SIZE)) / LEVELS
        with torch.no_grad():
            truly = model(join(torch.from_numpy(inputs).float()[:, None])).double().softmax(1)[:, 1].numpy()
        off = truly - self.decide(self.component(inputs, 1.0).mean(1))[0]
        decide, worst = partial(_decide, _layers(model)), 0.0
        some = [*map(np.array, PRESETS.values()), *inputs[: n_shares - len(PRESETS)]]
        for values in some:
            truly, ours = shares(truth, decide, values, finer=2), self.shares(values)
            worst = max(worst, *(np.abs(truly[name] - ours[name]).max() for name in ours))
        return {
            "probability": float(f"{np.abs(off).max():.2g}"),
            "shares": float(f"{worst:.2g}"),
            "probabilities": n_probabilities,
            "inputs": len(some),
        }

    def data(self) -> dict:
        """For the page's JSON."""
        return {
            "at": _whole(row_values(), FINEST).tolist(),
            "finest": FINEST,
            "levels": LEVELS,
            "row": pack(_planes(self.row[:, None])),
            "columns": {"steps": COLUMNS, "table": pack(_planes(self.columns))},
            "unit": self.unit.tolist(),
            "offset": self.offset.tolist(),
            "layers": [
                {"weights": pack(w.view(np.uint8)), "scale": scale, "bias": b.tolist(), "inputs": w.shape[1]}
                for w, scale, b in self.layers
            ],
        }


def _decide(layers, mean) -> tuple[np.ndarray, np.ndarray]:
    *hidden, (weight, bias) = layers
    units, slopes = np.asarray(mean), []
    for w, b in hidden:
        units = units @ w.T + b
        slopes.append(np.where(units > 0, 1, 0.02))
        units = units * slopes[-1]
    logits = units @ weight.T + bias
    p = 1 / (1 + np.exp((logits[..., 0] - logits[..., 1]).clip(-700, 700)))
    gradient = (p * (1 - p))[..., None] * (weight[1] - weight[0])
    for (w, _), slope in zip(hidden[::-1], slopes[::-1], strict=True):
        gradient = (gradient * slope) @ w
    return p, gradient


def _layers(model) -> list[list[np.ndarray]]:
    linear = [m for m in model.decision if isinstance(m, torch.nn.Linear)]
    return [[t.detach().double().numpy() for t in (m.weight, m.bias)] for m in linear]


@cache
def row_values(finer: int = 1) -> np.ndarray:
    """Values where the table at certainty 1 has its nodes: 1024ths, and 32768ths around the jump at 0.5."""
    coarse, fine = _parts(2**10 * finer), _parts(FINEST * finer)
    return np.union1d(coarse, fine[np.abs(fine - 0.5) < 0.006])


def _parts(n: int) -> np.ndarray:
    return np.arange(n + 1) / n


def _cell(nodes: np.ndarray, x) -> tuple[np.ndarray, np.ndarray]:
    """Between which two nodes, and how far along."""
    cell = (np.searchsorted(nodes, x, side="right") - 1).clip(0, len(nodes) - 2)
    return cell, (x - nodes[cell]) / (nodes[cell + 1] - nodes[cell])


def _whole(parts, n: int) -> np.ndarray:
    return np.rint(np.multiply(parts, n)).astype(int)


@np.vectorize
def _short(number) -> float:
    return float(f"{number:.8g}")


def _planes(whole: np.ndarray) -> np.ndarray:
    """int16 ``(V, C, F)`` as steps of steps along both axes, small sizes first (0, -1, 1, -2, …), low bytes and then
    high bytes: neighbours are alike, so this deflates well."""
    steps = whole.astype("<u2")
    for axis in (0, 1):
        steps = np.diff(steps, axis=axis, prepend=np.zeros_like(steps.take([0], axis)))
    steps = steps.astype("<i2")
    steps = ((steps << 1) ^ (steps >> 15)).astype("<u2")
    return np.stack([steps & 255, steps >> 8]).astype(np.uint8)


def _static(values, shown):
    """The curve and all shares, drawn with matplotlib."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.4, 5.6), facecolor="white", layout="constrained")
    grid = figure.add_gridspec(3, 4, height_ratios=(1.25, 1, 1))
    ax = figure.add_subplot(grid[0, :])
    x = np.array([0, 0.5, np.nan, 0.5 + 1e-9, 0.75, 1])
    ax.plot(x, local_minimum.component_score(torch.from_numpy(np.nan_to_num(x))).numpy() + 0 * x, color="#1d2733")
    ax.axhline(0, color="0.6", linewidth=0.8)
    for k, (v, s) in enumerate(zip(values, shown["score"], strict=True)):
        ax.scatter(v, s, s=170, color=COLOURS[k], edgecolors="white", zorder=3)
        ax.text(v, s - 0.015, str(k + 1), color="white", ha="center", va="center", fontsize=8, weight="bold", zorder=4)
    ax.set_xlim(-0.02, 1.02)
    ax.set_ylim(-1, 1.25)
    ax.set_xlabel("value of a component")
    ax.set_ylabel("score")
    for k, (name, numbers) in enumerate(shown.items()):
        ax = figure.add_subplot(grid[1 + k // 4, k % 4])
        top = np.abs(numbers).max() or 1
        ax.barh(range(6), numbers / top, color=COLOURS)
        ax.axvline(0, color="0.6", linewidth=0.8)
        ax.set_xlim(-1.1, 1.1)
        ax.set_yticks(range(6), range(1, 7), fontsize=7)
        ax.invert_yaxis()
        ax.set_xticks([-1, 0, 1], ["−1", "0", "1"], fontsize=7)
        ax.set_title(name, fontsize=9)
        ax.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("share, each method scaled to its largest", fontsize=9)
    return figure
