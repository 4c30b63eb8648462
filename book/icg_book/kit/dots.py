"""Numbers with their intervals as dots on bars, and the tables that they come from folded under them.

A chart is HTML with pictures of lines alone (SVG, in percent of their width): on a narrow page its panels stand below
one another and letters keep their size, in the dark they take the text's colour.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from html import escape
from typing import NamedTuple

ROW, AXIS, DOT = 22, 20, 4.5  # heights of a row and of the numbers below, and a dot's radius, in pixels
COLOURS = ("#d2741a", "#4a8ff0", "#2f9e6e", "#a56bbf")  # of the series; all of them show on black and on white
SHAPES = ("circle", "diamond", "square", "triangle")
LEFT, RIGHT = 4.0, 96.0  # ends of the axis, in percent of a panel's width


class Panel(NamedTuple):
    """A chart's panel: one row for each name, with a dot for each series.

    Attributes:
        rows: what was found, by row and series: ``{"mean": …, "low": …, "high": …}``, a number without an interval, or
            None, where nothing was measured.
        form: how numbers are written, as for :meth:`str.format`.
        zero: whether the axis holds 0 in any case. If it does not, the panel says so.
        most: where the axis ends at the latest; dots beyond are numbers with an arrow.
    """

    rows: Mapping[str, Mapping[str, Mapping | float | None]]
    form: str = "{:.2f}"
    zero: bool = True
    most: float = math.inf


def dots(
    panels: Mapping[str, Panel],
    caption: str = "",
    *,
    bars: str = "95 % intervals",
    hollow: Collection[str] = (),
    strong: Collection[str] = (),
    tables: Sequence = (),
    label: str = "All numbers",
):
    """Panels of dots with bars, a legend, and the tables folded under them.

    Args:
        panels: by their titles, which are HTML. caption: HTML, above the chart.
        bars: what the bars are, for the legend.
        hollow: the series with hollow marks, such as what the paper reports.
        strong: the rows whose names are in bold.
        tables: of :func:`icg_book.kit.tables.table`, for the readers who want the numbers; they open under ``label``.

    Returns:
        ``IPython.display.HTML``.

    Raises:
        ValueError: no panel, a panel in which nothing was measured, or more series than there are marks.

    >>> one = Panel({"ICG": {"here": {"mean": 0.5, "low": 0.4, "high": 0.6}, "paper": 0.55}})
    >>> made = dots({"share": one}, hollow=["paper"]).data
    >>> made.count("<circle"), "ICG, here: 0.50 [0.40, 0.60]" in made
    (4, True)
    """
    from IPython.display import HTML

    if not panels:
        raise ValueError("expected at least one panel, got none")
    series = list(dict.fromkeys(name for panel in panels.values() for row in panel.rows.values() for name in row))
    filled = [name for name in series if name not in hollow]
    if max(len(filled), len(series) - len(filled)) > len(COLOURS):
        raise ValueError(f"expected at most {len(COLOURS)} series, got {', '.join(series)}")
    marks = {}
    for kind in (filled, [name for name in series if name in hollow]):
        marks |= {name: (COLOURS[k], SHAPES[k], kind is not filled) for k, name in enumerate(kind)}
    every = [found for panel in panels.values() for row in panel.rows.values() for found in row.values()]
    legend = _legend(marks, bars if any(isinstance(found, Mapping) for found in every) else "")
    drawn = "".join(_panel(title, panel, marks, strong) for title, panel in panels.items())
    columns = "1fr" if len(panels) == 1 else "repeat(auto-fill, minmax(min(17em, 100%), 1fr))"
    above = f"<figcaption style='{_PLAIN}; margin: 0 0 .4em'>{caption}</figcaption>" if caption else ""
    return HTML(
        f"<figure class='icg-dots' style='margin: 1em 0; font-size: 88%; line-height: 1.4'>{above}"
        f"<div style='display: grid; grid-template-columns: {columns}; gap: .6em 1.4em'>{drawn}</div>"
        f"<p style='margin: .4em 0 0; font-size: 92%'>{legend}</p></figure>"
        f"{folded(tables, label)}"
    )


def folded(tables: Sequence, label: str = "All numbers") -> str:
    """Tables that open when one clicks on ``label``, as HTML; nothing where there are none."""
    if not tables:
        return ""
    return f"<details class='icg-numbers'><summary>{label}</summary>{''.join(one.data for one in tables)}</details>"


_PLAIN = "text-align: left; color: inherit; font-weight: inherit; font-size: inherit; opacity: 1; padding: 0"


def _legend(marks: dict, bars: str) -> str:
    """What each mark is, and what the bars are."""
    parts = []
    for name, (colour, shape, hollow) in marks.items():
        sign = _mark("50%", 8, colour, shape, hollow)
        parts.append(
            f"<span style='white-space: nowrap; margin-right: 1em'><svg width='16' height='16' aria-hidden='true' "
            f"style='vertical-align: -.2em'>{sign}</svg> {name}</span>"
        )
    if len(parts) == 1 and not any(hollow for *_, hollow in marks.values()):
        parts = []  # one kind of dots needs no name
    return "".join(parts) + (f"<span>Dots with bars: means with {bars}.</span>" if bars else "")


def _values(found) -> list[float]:
    """The numbers of one dot: itself, and the ends of its bar."""
    if found is None or (isinstance(found, Mapping) and found.get("mean") is None):
        return []
    return [found["mean"], found["low"], found["high"]] if isinstance(found, Mapping) else [found]


def _panel(title: str, panel: Panel, marks: dict, strong: Collection[str]) -> str:
    """The title, the names of the rows, the picture beside them, and the axis."""
    from matplotlib.ticker import MaxNLocator

    numbers = [v for row in panel.rows.values() for found in row.values() for v in _values(found)]
    if not numbers:
        raise ValueError(f"expected at least one number in the panel {title!r}, got none")
    low, high = min(numbers), min(max(numbers), panel.most)
    if panel.zero:
        low, high = min(0.0, low), max(0.0, high)
    high = high if high > low else low + 1.0
    places = {v: LEFT + (RIGHT - LEFT) * (min(v, high) - low) / (high - low) for v in numbers}
    ticks = [t for t in MaxNLocator(4).tick_values(low, high) if low - 1e-9 <= t <= high + 1e-9]
    tall, picture = ROW * len(panel.rows), ""
    shown = list(
        dict.fromkeys(name for row in panel.rows.values() for name in row)
    )  # of all series those of this panel
    for t in ticks:
        x = LEFT + (RIGHT - LEFT) * (t - low) / (high - low)
        zero = abs(t) < 1e-12
        picture += f"<line x1='{x:.2f}%' x2='{x:.2f}%' y1='0' y2='{tall}' stroke='currentColor' "
        picture += f"stroke-opacity='{0.55 if zero else 0.16}'/>"
        picture += f"<text x='{x:.2f}%' y='{tall + 14}' text-anchor='middle' font-size='11' fill='currentColor'>"
        picture += f"{_tick(t, panel.form)}</text>"
    for k, (name, row) in enumerate(panel.rows.items()):
        for series, found in row.items():
            if values := _values(found):
                colour, shape, hollow = marks[series]
                y = ROW * (k + 0.5) + (shown.index(series) - (len(shown) - 1) / 2) * min(7, 15 / len(shown))
                picture += f"<g><title>{escape(_said(name, series, values, panel.form))}</title>"
                if values[0] > high:
                    x = RIGHT - 24 * (len(shown) - 1 - shown.index(series))  # beside one another
                    picture += f"<text x='{x}%' y='{ROW * (k + 0.5) + 4}' text-anchor='end' font-size='11' "
                    picture += f"fill='{colour}'>{values[0]:,.3g} →</text></g>"
                    continue
                if len(values) == 3:
                    ends = (places[v] for v in values[1:])
                    picture += "<line x1='{:.2f}%' x2='{:.2f}%' ".format(*ends)
                    picture += f"y1='{y:.1f}' y2='{y:.1f}' stroke='{colour}' stroke-width='2.5' stroke-opacity='.6'/>"
                picture += _mark(f"{places[values[0]]:.2f}%", y, colour, shape, hollow) + "</g>"
    names = "".join(
        f"<div style='height: {ROW}px; line-height: {ROW}px; white-space: nowrap'>"
        f"{f'<b>{name}</b>' if name in strong else name}</div>"
        for name in panel.rows
    )
    plain = escape(f"{title}: {', '.join(panel.rows)}").replace("'", "’")
    honest = "" if low <= 0 <= high else " <small style='font-weight: normal'>(axis not from 0)</small>"
    return (
        f"<div style='min-width: 0'><div style='font-weight: 600'>{title}{honest}</div>"
        f"<div style='display: flex; gap: .7em'><div>{names}</div>"
        f"<svg role='img' aria-label='{plain}' style='flex: 1; min-width: 0; overflow: visible' width='100%' "
        f"height='{tall + AXIS}'>{picture}</svg></div></div>"
    )


def _mark(x: str, y: float, colour: str, shape: str, hollow: bool) -> str:
    """A dot at ``x``, in percent, and ``y``, in pixels."""
    ink = f"fill='none' stroke='{colour}' stroke-width='2'" if hollow else f"fill='{colour}'"
    if shape == "circle":
        return f"<circle cx='{x}' cy='{y:.1f}' r='{DOT}' {ink}/>"
    points = {
        "diamond": f"0,{-DOT - 1} {DOT + 1},0 0,{DOT + 1} {-DOT - 1},0",
        "square": f"{-DOT + 1},{-DOT + 1} {DOT - 1},{-DOT + 1} {DOT - 1},{DOT - 1} {-DOT + 1},{DOT - 1}",
        "triangle": f"0,{-DOT} {DOT},{DOT - 1} {-DOT},{DOT - 1}",
    }[shape]
    # A picture of its own, as a polygon knows no percent.
    return f"<svg x='{x}' y='{y:.1f}' overflow='visible'><polygon points='{points}' {ink}/></svg>"


def _tick(value: float, form: str) -> str:
    """A number at the axis: percent where the numbers are, and no more digits than it has."""
    text = f"{100 * value:g} %" if "%" in form else f"{value:g}"
    return text.replace("-", "−")


def _said(row: str, series: str, values: list[float], form: str) -> str:
    """A dot in words, for whoever points at it."""
    middle, *ends = (form.format(v).replace("-", "−") for v in values)
    return f"{row}, {series}: {middle}" + (f" [{', '.join(ends)}]" if ends else "")
