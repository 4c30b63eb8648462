"""Charts of dots with intervals, read as a browser reads them."""

import re

import pytest

from icg_book.kit.dots import LEFT, RIGHT, Panel, dots, folded
from icg_book.kit.tables import table


def found(mean, low=None, high=None):
    return {"mean": mean, "low": mean if low is None else low, "high": mean if high is None else high}


def said(made):
    return re.findall(r"<title>(.*?)</title>", made.data)


def at(made, mark="circle"):
    """Where the dots are, in percent of the panel."""
    return [float(x) for x in re.findall(rf"<{mark} c?x='([\d.]+)%'", made.data)]


def test_every_number_is_there_with_its_interval():
    rows = {"EG": {"here": found(0.5, 0.25, 0.75), "paper": 0.4}, "ICG": {"here": found(-0.5, -1, 0.0)}}
    made = dots({"share": Panel(rows, "{:.2f}")}, "What <i>it</i> is.", hollow=["paper"], strong=["ICG"])
    assert said(made) == ["EG, here: 0.50 [0.25, 0.75]", "EG, paper: 0.40", "ICG, here: −0.50 [−1.00, 0.00]"]
    assert "What <i>it</i> is." in made.data and "<b>ICG</b>" in made.data and "<b>EG</b>" not in made.data
    assert "95 % intervals" in made.data and made.data.count("fill='none'") == 2  # one in the chart, one in the legend


def test_places_are_in_proportion_and_bars_end_where_the_interval_does():
    made = dots({"x": Panel({"a": {"s": found(0.0)}, "b": {"s": found(0.5, 0.25, 1.0)}})})
    assert at(made) == pytest.approx([LEFT, (LEFT + RIGHT) / 2], abs=0.01)
    bars = re.findall(r"<line x1='([\d.]+)%' x2='([\d.]+)%' y1='([\d.]+)' y2='\3' stroke='#", made.data)
    ends = [LEFT + share * (RIGHT - LEFT) for share in (0.25, 1.0)]
    assert [float(x) for x in bars[1][:2]] == pytest.approx(ends, abs=0.01)


@pytest.mark.parametrize(("zero", "first"), [(True, "begin"), (False, LEFT)])
def test_an_axis_holds_zero_or_says_that_it_does_not(zero, first):
    made = dots({"x": Panel({"a": {"s": 0.9}, "b": {"s": 1.0}}, zero=zero)})
    assert ("axis not from 0" in made.data) == (not zero)
    assert (at(made)[0] > 80) if zero else at(made)[0] == pytest.approx(first)


def test_what_is_far_away_is_a_number():
    made = dots({"x": Panel({"a": {"s": found(0.5)}, "random": {"s": found(670.6)}}, most=2.0)})
    assert ">671 →</text>" in made.data and len(at(made)) == 1
    assert said(made)[1].startswith("random, s: 670.60")


def test_percent_and_minus_at_the_axis():
    made = dots({"x": Panel({"a": {"s": -0.5}, "b": {"s": 0.5}}, "{:.1%}")})
    ticks = re.findall(r"font-size='11' fill='currentColor'>(.*?)<", made.data)
    assert "0 %" in ticks and any(tick.startswith("−") for tick in ticks) and all(tick.endswith(" %") for tick in ticks)


def test_nothing_measured_is_no_dot_and_its_row_stays():
    made = dots({"x": Panel({"a": {"s": None, "t": {"mean": None, "low": None, "high": None}}, "b": {"s": 1.0}})})
    assert said(made) == ["b, s: 1.00"] and ">a</div>" in made.data


def test_series_are_told_apart_by_shape_too():
    made = dots({"x": Panel({"a": {"s": 1.0, "t": 2.0}})})
    assert made.data.count("<circle") == 2 and made.data.count("<polygon") == 2  # the chart, and the legend


def test_tables_are_folded_below():
    made = dots({"x": Panel({"a": {"s": 1.0}})}, tables=[table(["h"], [[3.25]])], label="All of them")
    chart, below = made.data.split("<details")
    assert "3.25" not in chart and "<summary>All of them</summary>" in below and "3.25" in below
    assert "open" not in below.split(">")[0] and folded([]) == ""


@pytest.mark.parametrize(
    ("panels", "says"),
    [
        ({}, "expected at least one panel"),
        ({"empty": Panel({"a": {"s": None}})}, "expected at least one number in the panel 'empty'"),
        ({"x": Panel({"a": dict.fromkeys("stuvw", 1.0)})}, "expected at most 4 series, got s, t, u, v, w"),
    ],
)
def test_what_cannot_be_drawn_is_refused(panels, says):
    with pytest.raises(ValueError, match=says):
        dots(panels)
