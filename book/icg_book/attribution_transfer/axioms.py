"""The axioms of fair attribution as searches for a counterexample (paper, sections 3.2 and A.2, and the article).

An *attribution function* is ``method(f, inputs (N, D), baselines (N, D)) -> (N, D)`` for ``f: (N, D) -> (N,)``. A check
runs it on the landscapes of the theory chapters and on seeded random functions that meet the axiom's premise, and
returns a :class:`Verdict`. A counterexample refutes an axiom; its absence is evidence, no proof. The *corners* are the
points that take each feature from the input or from the baseline: all that Shapley values look at. Points are float64,
so that equal means equal: pass ``network.double()``.

>>> print(completeness(bshap, n_cases=10))
completeness: holds in all 19 tests.
>>> print(null_effects(integrated_gradients, functions=[LANDSCAPES["cosine"]]))
null effects: fails in 1 of 1 tests. Counterexample: cosine, from (0, 0) to (1, 1): feature 1 changes nothing at any \
corner, but is given 1. Attribution: (1, 0).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations, permutations

import torch
from torch import Tensor

from icg import arguments, attribution, shapley
from icg.shapley import coalitions
from icg_book.scenarios.landscapes import LANDSCAPES, Landscape

SAME = 1e-9  # values of a function that count as equal


def integrated_gradients(f, inputs: Tensor, baselines: Tensor) -> Tensor:
    """Integrated Gradients as an attribution function: the middle rule with 4096 steps."""
    return attribution.integrated_gradients(f, inputs, baselines, n_steps=4096, method="riemann_middle")


def bshap(f, inputs: Tensor, baselines: Tensor) -> Tensor:
    """BShap as an attribution function."""
    return shapley.bshap(f, inputs, baselines)


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    Attributes:
        axiom: its name. holds: whether no test failed; ``None`` if no case met the premise, so that nothing was tested.
        cases: number of tests. violations: how many failed.
        counterexample: the first failure, or ``None``: a dict of "function" (name), "callable", "inputs" and
            "baseline" ``(D,)``, "values" at the corners ``(2**D,)`` in the order of :func:`icg.shapley.coalitions`,
            "attribution" ``(D,)`` and "reason"; for two functions also "other_function" and so on.
    """

    axiom: str
    holds: bool | None
    cases: int
    violations: int
    counterexample: dict | None

    def __str__(self):
        if self.holds is None:
            return f"{self.axiom}: not tested, since no case meets its premise."
        if self.holds:
            return f"{self.axiom}: holds in all {self.cases} tests."
        found = self.counterexample
        names = " and ".join(found[key] for key in ("function", "other_function") if key in found)
        return (
            f"{self.axiom}: fails in {self.violations} of {self.cases} tests. Counterexample: {names}, "
            f"from {_point(found['baseline'])} to {_point(found['inputs'])}: {found['reason']}. "
            f"Attribution: {_point(found['attribution'])}"
            + (f" and {_point(found['other_attribution'])}." if "other_function" in found else ".")
        )


def _number(number) -> str:
    return f"{round(float(number), 6) + 0.0:.3g}"  # + 0.0: no minus zero


def _point(numbers: Tensor) -> str:
    return f"({', '.join(map(_number, numbers))})"


# ---------------------------------------------------------------------------------------------------------------
# Cases
# ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Case:
    """One or two functions, with names, the end points ``(1, D)``, and the box ``(2,)`` in which to look around."""

    names: tuple[str, ...]
    functions: tuple[Callable, ...]
    inputs: Tensor
    baseline: Tensor
    box: tuple[float, float] = (0.0, 1.0)

    @property
    def n(self) -> int:
        return self.inputs.shape[1]

    def table(self, k: int = 0) -> Tensor:
        """Values of function k at the corners, ``(2**D,)``."""
        values = self.functions[k](torch.where(coalitions(self.n), self.inputs, self.baseline)).detach()
        if values.shape != (2**self.n,) or not bool(values.isfinite().all()):
            raise ValueError(
                f"expected {self.names[k]} to give finite values ({2**self.n},) at {2**self.n} points, "
                f"got {tuple(values.shape)}"
            )
        return values.double()

    def points(self) -> Tensor:
        """Points to test a premise that speaks of all points: the corners and random ones."""
        low, high = self.box
        unit = torch.rand(2048, self.n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        corners = torch.where(coalitions(self.n), self.inputs, self.baseline)
        return torch.cat([corners, low + (high - low) * unit])

    def bent(self, table: Tensor, k: int = 0) -> "_Case":
        """Function k given these values at the corners, by adding a function that is linear in each feature."""
        f, change = self.functions[k], table - self.table(k)
        corners = coalitions(self.n)

        def bent(z):
            along = ((z - self.baseline) / (self.inputs - self.baseline))[:, None]
            return f(z) + torch.where(corners, along, 1 - along).prod(2) @ change

        return self.with_function(bent, f"{self.names[k]} + a multilinear function", k)

    def with_function(self, function: Callable, name: str, k: int = 0) -> "_Case":
        functions, names = list(self.functions), list(self.names)
        functions[k], names[k] = function, name
        return replace(self, functions=tuple(functions), names=tuple(names))


def _gains(table: Tensor, i: int) -> Tensor:
    """What feature i adds to each set of the others, ``(2**(D - 1),)``."""
    pairs = table.reshape(-1, 2, 2**i)
    return (pairs[:, 1] - pairs[:, 0]).flatten()


def _with(points: Tensor, i: int, value) -> Tensor:
    """The points with feature i replaced, by operations that autograd knows."""
    return torch.where(torch.arange(points.shape[1]) == i, value, points)


def _swapped(points: Tensor, i: int, j: int) -> Tensor:
    order = list(range(points.shape[1]))
    order[i], order[j] = j, i
    return points[:, order]


def _random_function(d: int, draw: Callable[..., Tensor]) -> tuple[str, Callable]:
    """A random function of d features with its formula. ``draw(*shape)`` gives numbers of [0, 1) with one decimal."""
    w, p, sign = 1 + 5 * draw(d), draw(d), (-1.0) ** int(draw() * 10)
    kind = int(draw() * 10) % 4
    w_, p_ = ([f"{number:.1f}" for number in numbers.tolist()] for numbers in (w, p))
    minus = "-" if sign < 0 else ""
    if kind == 0:
        formula = " ".join(f"sin({w_[j]} x{j + 1} + {p_[j]})" for j in range(d))
        return minus + formula, lambda z: sign * torch.sin(w * z + p).prod(1)
    if kind == 1:
        power = 1 + (3 * p).floor()
        formula = " ".join(f"x{j + 1}^{int(power[j])}" for j in range(d))
        return minus + formula, lambda z: sign * (z**power).prod(1)
    if kind == 2:
        formula = " ".join(f"{w_[j]} x{j + 1} - {p_[j]} +" for j in range(d)).removesuffix(" +")
        return f"{minus}tanh({formula})", lambda z: sign * torch.tanh((w * z - p).sum(1))
    p = p / 2
    formula = ", ".join(f"trapezoid on ({a:.2f}, {a + 0.6:.2f}) of x{j + 1}" for j, a in enumerate(p.tolist()))
    return (
        f"{minus}max({formula})",
        lambda z: sign * torch.minimum((z - p) / 0.2, (p + 0.6 - z) / 0.2).clamp(0, 1).amax(1),
    )


def _random_case(k: int, generator: torch.Generator) -> _Case:
    """k random functions of two or three features between random points that differ in every feature."""

    def draw(*shape):
        return torch.randint(10, shape, generator=generator).double() / 10

    d = 2 + int(draw() * 10) % 2
    names, functions = zip(*(_random_function(d, draw) for _ in range(k)), strict=True)
    near, far = 0.4 * draw(1, d), 1 - 0.4 * draw(1, d)
    upwards = draw(1, d) < 0.7
    return _Case(names, functions, torch.where(upwards, far, near), torch.where(upwards, near, far))


def _given_cases(k: int, functions, cases) -> Iterator[_Case]:
    """The cases of given functions; with k = 2, of all ordered pairs of them that share their end points."""
    named = list(functions.items()) if isinstance(functions, dict) else []
    for number, f in enumerate(() if named else functions):
        known = [key for key, landscape in LANDSCAPES.items() if landscape is f]
        named.append((known[0] if known else f"function {number + 1}", f))
    everything = []
    for name, f in named:
        if not callable(f):
            raise ValueError(f"expected functions (N, D) -> (N,), got {type(f).__name__} for {name}")
        if cases is None and not isinstance(f, Landscape):
            raise ValueError(f"expected cases, pairs of input and baseline, for {name}, which brings none")
        own = [(x, f.baseline) for x in f.inputs.values()] if cases is None else cases
        for x, b in own:
            x, b = (torch.as_tensor(t, dtype=torch.float64).reshape(1, -1) for t in (x, b))
            if x.shape != b.shape:
                raise ValueError(f"expected input and baseline of one size, got {x.shape[1]} and {b.shape[1]} features")
            box = (f.low, f.high) if isinstance(f, Landscape) else (0.0, 1.0)
            ends = [*box, *x[0].tolist(), *b[0].tolist()]
            everything.append(_Case((name,), (f,), x, b, (min(ends), max(ends))))
    if k == 1:
        yield from everything
        return
    for one, two in permutations(everything, 2):
        if torch.equal(one.inputs, two.inputs) and torch.equal(one.baseline, two.baseline):
            yield replace(one, names=one.names + two.names, functions=one.functions + two.functions)


def _attribute(method, case: _Case, function: Callable) -> Tensor:
    got = method(function, case.inputs, case.baseline)
    if not isinstance(got, Tensor) or got.shape != case.inputs.shape or not bool(got.isfinite().all()):
        shape = tuple(got.shape) if isinstance(got, Tensor) else type(got).__name__
        raise ValueError(f"expected finite attributions of shape {tuple(case.inputs.shape)}, got {shape}")
    return got[0].detach().double()


def _axiom(name: str, n_functions: int = 1, prepare: Callable[[_Case, int, int], _Case] | None = None):
    """Make a check of ``test(case, tolerance, method, *attributions)``: yields (passed, what is wrong).

    ``prepare(case, i, j)`` changes a random case so that it meets the premise for features i and j.
    """

    def decorate(test):
        def check(
            method: Callable,
            *,
            functions: dict[str, Callable] | list[Callable] | None = None,
            cases: list | None = None,
            n_cases: int = 50,
            seed: int = 0,
            tolerance: float = 5e-3,
        ) -> Verdict:
            arguments.check_positive("n_cases", n_cases)
            if functions is None and cases is not None:
                raise ValueError("expected functions with these cases, got cases alone")

            def everything():
                yield from _given_cases(n_functions, LANDSCAPES if functions is None else functions, cases)
                generator = torch.Generator().manual_seed(seed)
                for number in range(n_cases if functions is None else 0):
                    case = _random_case(n_functions, generator)
                    i, j = list(permutations(range(case.n), 2))[number % (case.n * (case.n - 1))]
                    yield prepare(case, i, j) if prepare else case

            count, violations, first = 0, 0, None
            for case in everything():
                attributions = [_attribute(method, case, function) for function in case.functions]
                for passed, reason in test(case, tolerance, method, *attributions):
                    count, violations = count + 1, violations + (not passed)
                    first = first or (None if passed else _counterexample(case, attributions, reason))
            return Verdict(name, violations == 0 if count else None, count, violations, first)

        check.__name__ = check.__qualname__ = test.__name__
        check.__doc__, check.__module__ = test.__doc__ + _ARGUMENTS, test.__module__
        check.test, AXIOMS[name] = test, check
        return check

    return decorate


AXIOMS: dict[str, Callable[..., Verdict]] = {}
_ARGUMENTS = """

    Args:
        method: the attribution function.
        functions: what to test it on instead of the landscapes and the random functions; with names, or a list.
        cases: pairs of input and baseline for these functions, ``(D,)`` each; landscapes bring their own.
        n_cases: number of random cases. seed: of the random cases.
        tolerance: how far an attribution may be off (a method's own integration error is not the axiom's failure).

    Raises:
        ValueError: attributions that are no finite ``(N, D)``; functions without cases.
    """


def _counterexample(case: _Case, attributions: list[Tensor], reason: str) -> dict:
    found = {"inputs": case.inputs[0], "baseline": case.baseline[0], "reason": reason}
    for k, prefix in enumerate(("", "other_")[: len(attributions)]):
        found[f"{prefix}function"], found[f"{prefix}callable"] = case.names[k], case.functions[k]
        found[f"{prefix}values"], found[f"{prefix}attribution"] = case.table(k), attributions[k]
    return found


# ---------------------------------------------------------------------------------------------------------------
# The axioms
# ---------------------------------------------------------------------------------------------------------------


@_axiom("completeness")
def completeness(case, tolerance, method, given):
    """Attributions sum to F(input) - F(baseline). Also called efficiency."""
    change = (case.table()[-1] - case.table()[0]).item()
    total = given.sum().item()
    yield abs(total - change) <= tolerance, f"the output changes by {change:.3g}, but {total:.3g} is given in all"


@_axiom("linearity", 2)
def linearity(case, tolerance, method, given, other):
    """The attribution of 2 f - 3 g is 2 times that of f minus 3 times that of g."""
    f, g = case.functions
    mixed = _attribute(method, case, lambda z: 2 * f(z) - 3 * g(z))
    off = (mixed - 2 * given + 3 * other).abs().max().item()
    yield off <= 5 * tolerance, f"the attribution of 2 f - 3 g is {off:.3g} off that of f and g combined"


def _symmetric(case, i, j):
    f = case.functions[0]
    ends = (_with(t, j, t[:, i]) for t in (case.inputs, case.baseline))
    case = case.with_function(
        lambda z: f(z) + f(_swapped(z, i, j)), f"{case.names[0]}, with x{i + 1}, x{j + 1} swapped added"
    )
    return replace(case, **dict(zip(("inputs", "baseline"), ends, strict=True)))


@_axiom("symmetry of variables", prepare=_symmetric)
def symmetry(case, tolerance, method, given):
    """Two features that the function never tells apart, and that have equal values, are given the same.

    This is the symmetry that Integrated Gradients satisfies (Sundararajan et al., 2017). The function must not change
    when the features are swapped, at any point. See :func:`corner_symmetry` for Shapley's.
    """
    points = case.points()
    for i, j in combinations(range(case.n), 2):
        equal = all(torch.equal(t[:, i], t[:, j]) for t in (case.inputs, case.baseline))
        if equal and _same(case.functions[0](points), case.functions[0](_swapped(points, i, j))):
            yield (
                abs(given[i] - given[j]).item() <= tolerance,
                f"features {i + 1} and {j + 1} can be swapped, "
                f"but are given {_number(given[i])} and {_number(given[j])}",
            )


def _corner_symmetric(case, i, j):
    index = torch.arange(2**case.n)
    swapped = index & ~(1 << i | 1 << j) | (index >> i & 1) << j | (index >> j & 1) << i
    table = case.table()
    return case.bent((table + table[swapped]) / 2)


@_axiom("symmetry on the corners", prepare=_corner_symmetric)
def corner_symmetry(case, tolerance, method, given):
    """Two features that add the same to every set of the others are given the same.

    Shapley's own axiom (paper, A.1.1; article, "Symmetry"): it looks at the corners alone.
    """
    table = case.table()
    index = torch.arange(len(table))
    for i, j in combinations(range(case.n), 2):
        neither = index[(index >> i & 1 | index >> j & 1) == 0]
        if _same(table[neither | 1 << i], table[neither | 1 << j]):
            yield (
                abs(given[i] - given[j]).item() <= tolerance,
                f"features {i + 1} and {j + 1} add the same at every corner, "
                f"but are given {_number(given[i])} and {_number(given[j])}",
            )


def _unused(case, i, j):
    f = case.functions[0]
    return case.with_function(lambda z: f(_with(z, i, 0.5)), f"{case.names[0]} with x{i + 1} held at 0.5")


@_axiom("weak dummy", prepare=_unused)
def weak_dummy(case, tolerance, method, given):
    """A feature that the function does not use anywhere is given nothing (paper, definition 1)."""
    points = case.points()
    for i in range(case.n):
        if _same(case.functions[0](points), case.functions[0](_with(points, i, points[:, i].flip(0)[:, None]))):
            yield abs(given[i]).item() <= tolerance, f"feature {i + 1} is never used, but is given {_number(given[i])}"


def _null(case, i, j):
    index = torch.arange(2**case.n)
    return case.bent(case.table()[index & ~(1 << i)])


@_axiom("strong dummy", prepare=_null)
def strong_dummy(case, tolerance, method, given):
    """A feature that changes nothing between the corners is given nothing (paper, definition 2).

    Where it takes its value from the input or the baseline, and all others from either, F is the same.
    """
    table = case.table()
    for i in range(case.n):
        if bool((_gains(table, i).abs() <= SAME).all()):
            yield (
                abs(given[i]).item() <= tolerance,
                f"feature {i + 1} changes nothing at any corner, but is given {_number(given[i])}",
            )


@_axiom("null effects", prepare=_null)
def null_effects(case, tolerance, method, given):
    """A feature that adds nothing to any set of features is given nothing (article, "Null effects").

    With absent features at their baseline it says what :func:`strong_dummy` says, and is tested alike.
    """
    yield from strong_dummy.test(case, tolerance, method, given)


def _at_its_lowest(case, i, j):
    """A function that feature i's own value makes as small as it can be, wherever the others are."""
    f, x = case.functions[0], case.inputs[:, i : i + 1]
    return case.with_function(
        lambda z: f(_with(z, i, x)) + 9 * (z[:, i] - x[0]) ** 2 * f(z) ** 2,
        f"f at x{i + 1} = {x.item():.3g} plus 9 (x{i + 1} - {x.item():.3g})^2 f^2, f = {case.names[0]}",
    )


@_axiom("consistency", prepare=_at_its_lowest)
def consistency(case, tolerance, method, given):
    """A feature that is given credit increases F somewhere by taking its value (paper, section A.2).

    Somewhere: at one of some thousands of points, the corners among them. Features with credit > ``tolerance`` count.
    """
    points = case.points()
    for i in range(case.n):
        if given[i] > tolerance:
            f, own = case.functions[0], case.inputs[:, i : i + 1]
            others = torch.cat([_with(points, i, case.baseline[:, i : i + 1]), points])
            gain = (f(_with(others, i, own)) - f(others)).max().item()
            yield gain > SAME, f"feature {i + 1} never increases the output, but is given {_number(given[i])}"


def _gains_more(case, i, j):
    index, other = torch.arange(2**case.n), case.table(1)
    without = case.table()[index & ~(1 << i)]
    gain = (other - other[index & ~(1 << i)]).where((index >> i & 1) == 1, torch.tensor(0.0))
    more = 0.1 * (index % 3) * (index >> i & 1)  # never less than the other function's
    return case.bent(without + gain + more)


@_axiom("monotonicity", 2, prepare=_gains_more)
def monotonicity(case, tolerance, method, given, other):
    """A feature that adds to every set of the others at least as much in f as in g is given at least as much in f.

    The article's "Consistency", from which corner symmetry and null effects follow (Young, 1985).
    """
    for i in range(case.n):
        if bool((_gains(case.table(), i) >= _gains(case.table(1), i) - SAME).all()):
            yield (
                (other[i] - given[i]).item() <= 2 * tolerance,
                f"feature {i + 1} adds as much or more at every corner in the first, but is given "
                f"{_number(given[i])} in the first and {_number(other[i])} in the second",
            )


def _same(one: Tensor, two: Tensor) -> bool:
    return bool((one - two).abs().max() <= SAME)
