"""Table 1 of the paper in exact fractions: BShap, SHAP and Integrated Gradients of the cross, from the origin.

A point is a pair of numbers that :class:`fractions.Fraction` reads exactly, such as ``("0.6", "0.42")``; attributions
are pairs of fractions. SHAP's features are independent and uniform on [0, 1].

>>> [str(value) for value in attributions(("0.6", "0.42"))["SHAP"]]
['-221/2400', '1579/2400']
"""

from fractions import Fraction

from icg_book.scenarios import landscapes

KNOTS = [Fraction(str(knot)) for knot in landscapes.KNOTS]

Point = tuple[Fraction | str | int, Fraction | str | int]


def trapezoid(z: Fraction) -> Fraction:
    """The trapezoid g of one feature: 0 outside of its band, 1 on its plateau."""
    a, b, c, d = KNOTS
    return max(Fraction(0), min(Fraction(1), (z - a) / (b - a), (d - z) / (d - c)))


def mean_outputs() -> tuple[Fraction, Fraction]:
    """The mean output of the cross, E F, and the mean of one arm, E g, over uniform features.

    With the width w(t) of the band in which g >= t, they are the integrals of 1 - (1 - w(t))^2 and of w(t).
    """
    import sympy

    a, b, c, d = (sympy.Rational(knot.numerator, knot.denominator) for knot in KNOTS)
    t = sympy.Symbol("t")
    width = (d - a) - t * ((b - a) + (d - c))
    whole, arm = (sympy.integrate(f, (t, 0, 1)) for f in (1 - (1 - width) ** 2, width))
    return Fraction(str(whole)), Fraction(str(arm))


def integrated_gradients(x: Point) -> list[Fraction]:
    """Integrated Gradients of the cross from the origin to ``x``.

    Between the places where the path meets a kink, the output is linear and belongs to one feature alone.
    """
    x = [Fraction(z) for z in x]
    cuts = {Fraction(0), Fraction(1)} | {knot / z for z in x for knot in KNOTS if knot < z}
    kinks = sorted(cuts)
    for left, right in zip(kinks[:-1], kinks[1:], strict=True):
        before, after = (trapezoid(a * x[0]) - trapezoid(a * x[1]) for a in (left, right))
        if before * after < 0:  # the arms change places in between
            cuts.add(left + (right - left) * before / (before - after))
    kinks, credit = sorted(cuts), [Fraction(0), Fraction(0)]
    for left, right in zip(kinks[:-1], kinks[1:], strict=True):
        middle = (left + right) / 2
        on_top = 0 if trapezoid(middle * x[0]) >= trapezoid(middle * x[1]) else 1
        credit[on_top] += trapezoid(right * x[on_top]) - trapezoid(left * x[on_top])
    return credit


def attributions(x: Point) -> dict[str, list[Fraction]]:
    """What "BShap", "SHAP" and "IG" give to the two features of the cross at ``x``, from the origin.

    Raises:
        ValueError: a feature on a slope of its band, where the mean output with it known takes another formula.
    """
    alone = [trapezoid(Fraction(z)) for z in x]
    if not set(alone) <= {0, 1}:
        raise ValueError(f"expected both features outside of their band or on its plateau, got {tuple(map(str, x))}")
    mean, arm = mean_outputs()
    known = [Fraction(1) if g else arm for g in alone]  # the mean output, if one feature is known
    return {
        "BShap": _two_orders(Fraction(0), *alone, max(alone)),
        "SHAP": _two_orders(mean, *known, max(alone)),
        "IG": integrated_gradients(x),
    }


def _two_orders(nothing, first, second, both):
    """Shapley values of two players from the worth of the four coalitions."""
    return [(first - nothing + both - second) / 2, (second - nothing + both - first) / 2]
