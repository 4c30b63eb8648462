"""Wrong answers made by machine: a reference is changed in one place at a time, and the check must notice.

A mutant counts if it returns other numbers than the reference in some case of the check's *family*, which is its cases
for other seeds. Mutants that stop, or that never come to an end, count for nothing: any check would refuse them.
"""

import ast
import copy
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator

import torch

from icg_book.kit.answers import Values, close, numbers

OTHER_OPERATOR = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div, ast.Pow: ast.Mult,
    ast.MatMult: ast.Mult, ast.Mod: ast.FloorDiv, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.RShift: ast.LShift,
    ast.LShift: ast.RShift, ast.BitXor: ast.BitOr,
}  # fmt: skip
OTHER_COMPARISON = {
    ast.Lt: (ast.LtE, ast.Gt), ast.LtE: (ast.Lt, ast.GtE), ast.Gt: (ast.GtE, ast.Lt), ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,), ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}  # fmt: skip
OTHER_NAME = {
    "sum": "mean", "mean": "sum", "max": "min", "min": "max", "amax": "amin", "amin": "amax", "argmax": "argmin",
    "any": "all", "all": "any", "std": "var", "var": "std", "maximum": "minimum", "minimum": "maximum", "exp": "expm1",
    "log": "log1p", "expm1": "exp", "log1p": "log", "cumsum": "cumprod", "cumprod": "cumsum", "ceil": "floor",
    "floor": "ceil", "sin": "cos", "cos": "sin", "zeros": "ones", "ones": "zeros", "zeros_like": "ones_like",
    "ones_like": "zeros_like", "rand": "randn", "randn": "rand", "rand_like": "randn_like", "median": "mean",
    "softmax": "log_softmax", "combinations": "permutations",
}  # fmt: skip
OTHER_TEXT = {"riemann_middle": ("riemann_left", "riemann_right"), "riemann_trapezoid": ("riemann_left",)}
TRANSPARENT = {"abs", "sqrt", "square", "exp", "log", "log1p", "expm1", "relu", "sign", "flip", "sort", "argsort"}
LIMIT = 300_000  # lines that a mutant may run: one whose loop has lost its end is stopped


class _Endless(Exception):
    """A mutant's loop has lost its end."""


def variants(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """What might stand in the place of a node, by a slip."""
    if isinstance(node, ast.BinOp) and type(node.op) in OTHER_OPERATOR:
        other = OTHER_OPERATOR[type(node.op)]
        yield other.__name__, ast.BinOp(node.left, other(), node.right)
        yield "left operand only", node.left
        yield "right operand only", node.right
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Not, ast.Invert)):
        yield "sign or negation dropped", node.operand
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in OTHER_COMPARISON.get(type(node.ops[0]), ()):
            yield other.__name__, ast.Compare(node.left, [other()], node.comparators)
    if isinstance(node, ast.BoolOp):
        yield "and/or", ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
        for value in node.values:
            yield "one condition only", value
    if isinstance(node, ast.IfExp):
        yield "always the first", node.body
        yield "always the second", node.orelse
    if isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield f"{not node.value}", ast.Constant(not node.value)
        elif isinstance(node.value, (int, float)):
            for other in dict.fromkeys((node.value + 1, node.value - 1, -node.value, 0, 2 * node.value)):
                if other != node.value:
                    yield f"{node.value} -> {other}", ast.Constant(other)
        for other in OTHER_TEXT.get(node.value, ()) if isinstance(node.value, str) else ():
            yield other, ast.Constant(other)
    if isinstance(node, ast.Attribute) and node.attr in OTHER_NAME:
        yield OTHER_NAME[node.attr], ast.Attribute(node.value, OTHER_NAME[node.attr], node.ctx)
    if isinstance(node, ast.Call):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        method = isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") not in {"torch", "math"}
        if name in TRANSPARENT and (method or node.args):
            yield f"{name} dropped", node.func.value if method else node.args[0]
        for k in range(len(node.args) - 1):
            swapped = [*node.args[:k], node.args[k + 1], node.args[k], *node.args[k + 2 :]]
            yield f"arguments {k} and {k + 1} swapped", ast.Call(node.func, swapped, node.keywords)
        if method and node.args:
            yield "argument dropped", ast.Call(node.func, node.args[:-1], node.keywords)
        for k in range(len(node.keywords)):
            yield "keyword dropped", ast.Call(node.func, node.args, node.keywords[:k] + node.keywords[k + 1 :])
        if name == "range":
            yield "range begins at 1", ast.Call(node.func, [ast.Constant(1), *node.args[-1:]], [])
            shorter = ast.BinOp(node.args[-1], ast.Sub(), ast.Constant(1))
            yield "range ends early", ast.Call(node.func, [*node.args[:-1], shorter], [])
    if isinstance(node, ast.Slice):
        if node.upper is not None:
            yield "one more", ast.Slice(node.lower, ast.BinOp(node.upper, ast.Add(), ast.Constant(1)), node.step)
            yield "the rest", ast.Slice(node.upper, node.lower, node.step)
        if node.lower is not None:
            yield "one less", ast.Slice(ast.BinOp(node.lower, ast.Add(), ast.Constant(1)), node.upper, node.step)
    if isinstance(node, ast.If):
        yield "always", ast.If(ast.Constant(True), node.body, node.orelse)
        yield "never", ast.If(ast.Constant(False), node.body, node.orelse)
    if isinstance(node, (ast.AugAssign, ast.Expr)):
        yield "statement dropped", ast.Pass()


def source_of(function: Callable) -> str:
    """A function's text with that of the private functions of its module that it uses."""
    module, found, waiting = inspect.getmodule(function), {}, [function]
    while waiting:
        one = waiting.pop()
        if one.__name__ not in found:
            found[one.__name__] = textwrap.dedent(inspect.getsource(one))
            used = (getattr(module, name, None) for name in one.__code__.co_names)
            waiting += [f for f in used if inspect.isfunction(f) and f.__module__ == function.__module__]
    return "\n\n".join(found.values())


def written_mutants(source: str, name: str, known: dict) -> Iterator[tuple[str, Callable]]:
    """The function ``name`` of a source, changed in one place: what was changed, and the function.

    ``known`` are the names that the source uses; it stays as it is.
    """
    tree = ast.parse(source)
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            function.decorator_list = []
    nodes = list(ast.walk(tree))
    for k, node in enumerate(nodes):
        for number, (what, _) in enumerate(variants(node)):
            changed = copy.deepcopy(tree)
            target = list(ast.walk(changed))[k]
            replacement = list(variants(target))[number][1]

            class Put(ast.NodeTransformer):
                def visit(self, node, target=target, replacement=replacement):
                    return replacement if node is target else self.generic_visit(node)

            changed = ast.fix_missing_locations(Put().visit(changed))
            space = dict(known)
            try:
                exec(compile(changed, "<mutant>", "exec"), space)
            except (SyntaxError, ValueError):
                continue
            if name in space:
                yield f"line {getattr(node, 'lineno', 0)}: {ast.unparse(node)[:50]!r}: {what}", stopped(space[name])


def stopped(function: Callable) -> Callable:
    """The function, ended by an error once it has run LIMIT lines of mutants."""

    def call(*arguments):
        left = LIMIT

        def line(frame, event, _):
            nonlocal left
            left -= 1
            if left < 0:
                raise _Endless
            return line

        before = sys.gettrace()
        sys.settrace(lambda frame, event, _: line if frame.f_code.co_filename == "<mutant>" else None)
        try:
            return function(*arguments)
        finally:
            sys.settrace(before)

    return call


def mapped(answer, change: Callable):
    """An answer with each of its tensors changed."""
    if isinstance(answer, tuple):
        return tuple(change(numbers(part)) for part in answer)
    return change(numbers(answer))


def asked_mutants(function: Callable, cases: list[tuple]) -> Iterator[tuple[str, Callable]]:
    """The function with an argument ignored, frozen or exchanged, or its answer changed as a whole."""
    names = list(inspect.signature(function).parameters)

    def with_argument(k, change):
        return lambda *a: function(*a[:k], change(a[k]), *a[k + 1 :])

    for k, name in enumerate(names):
        frozen = cases[0][k]
        if not callable(frozen) and not isinstance(frozen, torch.Generator):
            yield f"{name} frozen", with_argument(k, lambda _, frozen=frozen: copy.deepcopy(frozen))
        if isinstance(frozen, torch.Tensor) and frozen.is_floating_point():
            yield f"{name} is 0", with_argument(k, torch.zeros_like)
            yield f"{name} is its mean", with_argument(k, lambda a: torch.full_like(a, a.mean()))
            yield f"{name} without sign", with_argument(k, torch.abs)
        if isinstance(frozen, int) and not isinstance(frozen, bool):
            yield f"half of {name}", with_argument(k, lambda a: max(1, a // 2))
            yield f"{name} + 1", with_argument(k, lambda a: a + 1)
        for other in range(k + 1, len(names)):
            if type(cases[0][k]) is type(cases[0][other]):
                yield (
                    f"{name} and {names[other]} exchanged",
                    lambda *a, k=k, o=other: function(*a[:k], a[o], *a[k + 1 : o], a[k], *a[o + 1 :]),
                )
    changes = {
        "minus": lambda x: -x,
        "doubled": lambda x: 2 * x,
        "half": lambda x: x / 2,
        "without sign": torch.abs,
        "one percent more": lambda x: 1.01 * x,
        "0.01 more": lambda x: x + 0.01,
        "no negative ones": lambda x: x.clamp(min=0),
        "reversed": lambda x: x.flatten().flip(0).reshape(x.shape),
        "one place on": lambda x: x.flatten().roll(1).reshape(x.shape),
        "all the mean": lambda x: x * 0 + x.mean(),
        "squared": torch.square,
        "rounded": lambda x: x.round(decimals=1),
        "one minus": lambda x: 1 - x,
        "0": lambda x: x * 0,
    }
    for what, change in changes.items():
        yield f"answer: {what}", lambda *a, change=change: mapped(function(*a), change)


def tensors(answer) -> list[torch.Tensor]:
    """What an answer returns, thing by thing."""
    return [numbers(part) for part in (answer if isinstance(answer, tuple) else (answer,))]


def differs(mutant: Callable, function: Callable, cases: Callable, probe: Callable, tolerance: float) -> bool:
    """Whether a mutant returns other numbers than the function in some case of the family."""
    other = False
    for seed in range(1, 7):
        for mine, its in zip(cases(seed), cases(seed), strict=True):
            try:
                pairs = zip(tensors(probe(mutant(*mine))), tensors(probe(function(*its))), strict=True)
                same = [one.isfinite().equal(two.isfinite()) and close(one, two, 3 * tolerance) for one, two in pairs]
            except Exception:  # it stops, or returns what is no numbers
                return False
            other = other or not all(same)
    return other


def wrong_answers(check, source: str | None = None, known: dict | None = None, cases=None, probe=lambda answer: answer):
    """All mutants of a check's reference that change the result: what was changed, and the function.

    Args:
        check: of an exercise.
        source: another right answer's text, to be changed in its stead.
        known: the names that this text uses.
        cases: the family of a check that has none of its own, from a seed to arguments.
        probe: from what the answer returns to numbers, where it returns something else.
    """
    cases = cases or check.cases
    tolerance = check.tolerance if isinstance(check, Values) else 1e-6
    function, name = check.reference, check.reference.__name__
    if source is None:
        source, known = source_of(function), dict(vars(inspect.getmodule(function)))
    else:
        space, name = dict(known), check.stub
        exec(compile(source, "<answer>", "exec"), space)
        function = space[name]
    yield from (
        (what, mutant)
        for what, mutant in [*written_mutants(source, name, known), *asked_mutants(function, cases(0))]
        if differs(mutant, function, cases, probe, tolerance)
    )
