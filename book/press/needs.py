"""Which statements of a chapter its exercises need: a notebook of exercises begins with these, and with no others."""

import ast
import copy
import itertools
import re
import symtable
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from press.chapters import Chapter, Exercise

MAGIC = re.compile(r"^[ \t]*[%!].*", re.M)
FENCED = re.compile(r"^```python\n(.*?)^```", re.S | re.M)
COMMENTED = re.compile(r"^# *(checks\.check_.*|\w+ = checks\.accept.*)", re.M)  # what a reader uncomments in a stub
IMPORTS = (ast.Import, ast.ImportFrom)
WHOLE = (ast.Assign, ast.AnnAssign, ast.FunctionDef, ast.ClassDef, *IMPORTS)  # what gives a name its value, surely


@dataclass(frozen=True)
class Statement:
    """A statement at the top level of a code cell.

    Attributes:
        cell: its cell's position in the notebook.
        lines: its lines in the cell, with the comments above it: from, to (not included).
        always: whether every notebook of the chapter has it.
        whole: whether it gives its names their values whatever they were; otherwise it changes them.
        binds: names that it gives values, or whose values it changes.
        uses: names that it reads when it runs.
        later: names that its functions read when they are called.
    """

    cell: int
    lines: tuple[int, int]
    always: bool
    whole: bool
    binds: frozenset[str]
    uses: frozenset[str]
    later: frozenset[str]


def globals_read(table: symtable.SymbolTable) -> Iterator[str]:
    """Names of the module that the scopes inside of this one read."""
    for scope in table.get_children():
        yield from (name.get_name() for name in scope.get_symbols() if name.is_global() and name.is_referenced())
        yield from globals_read(scope)


def changed(node: ast.stmt) -> Iterator[str]:
    """Names whose values a statement changes in place: ``name[i] = …``, ``name.x = …``, ``name.append(…)`` alone."""
    for inner in ast.walk(node):
        if isinstance(inner, (ast.Subscript, ast.Attribute)) and isinstance(inner.ctx, ast.Store):
            target = inner
        elif isinstance(inner, ast.Expr) and isinstance(inner.value, ast.Call):
            target = inner.value.func
        else:
            continue
        while isinstance(target, (ast.Subscript, ast.Attribute)):
            target = target.value
            if isinstance(target, ast.Name):
                yield target.id


def names(source: str) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Names that Python code binds, that it reads when it runs, and that its functions read when they are called."""
    table = symtable.symtable(source, "cell", "exec")
    symbols = table.get_symbols()
    binds = frozenset(s.get_name() for s in symbols if s.is_assigned() or s.is_imported())
    return binds, frozenset(s.get_name() for s in symbols if s.is_referenced()), frozenset(globals_read(table))


def statements(chapter: Chapter) -> list[Statement]:
    """The statements of a chapter's code cells, in order, without those of its exercises."""
    found, modules, first = [], set(), True
    stubs = {exercise.start + 1 for exercise in chapter.exercises}
    for position, cell in enumerate(chapter.notebook.cells):
        if cell.cell_type != "code" or position in stubs:
            continue
        source = MAGIC.sub("", cell.source)
        # The head of the set-up cell installs what is missing, and ends with the magic of matplotlib.
        head = cell.source[: cell.source.rfind("%matplotlib")].count("\n") + 1 if first else 0
        end = 0
        for node in ast.parse(source).body:
            binds, uses, later = names(ast.get_source_segment(source, node))
            if isinstance(node, IMPORTS):
                modules |= binds
            found.append(
                Statement(
                    cell=position,
                    lines=(end, node.end_lineno),
                    always=first and (node.end_lineno <= head or isinstance(node, IMPORTS)),
                    whole=isinstance(node, WHOLE),
                    binds=binds | (frozenset(changed(node)) - modules),
                    uses=uses,
                    later=later,
                )
            )
            end = node.end_lineno
        first = False
    return found


def wanted(chapter: Chapter, exercise: Exercise) -> set[str]:
    """Names that an exercise reads and does not bind first.

    It reads them in its stub, in what is commented out there, and in what stands fenced in task, hints and solution.
    """
    task, stub, hints, solution = chapter.notebook.cells[exercise.start : exercise.start + 4]
    found, bound, later = set(), set(), set()
    fenced = [code for cell in (task, hints, solution) for code in FENCED.findall(cell.source)]
    for source in (MAGIC.sub("", stub.source), *COMMENTED.findall(stub.source), *fenced):
        for node in ast.parse(source).body:
            binds, uses, inside = names(ast.get_source_segment(source, node))
            found |= uses - bound
            bound |= binds
            later |= inside
    return found | (later - bound)


def closure(known: list[Statement], names_read: Iterable[str], end: int) -> set[int]:
    """Positions in ``known`` of what gives the names their values before position ``end``, with all that this needs."""
    needed, seen, waiting = set(), set(), [(name, end) for name in names_read]
    while waiting:
        name, before = waiting.pop()
        if (name, before) in seen:
            continue
        seen.add((name, before))
        for position in reversed(range(before)):
            statement = known[position]
            if name in statement.binds:
                needed.add(position)
                waiting += [(used, position) for used in statement.uses]
                # A function reads names when it is called: where it is wanted, or in the exercise itself.
                waiting += [(used, place) for used in statement.later for place in (before, end)]
                if statement.whole:
                    break
    return needed


def needed(chapter: Chapter, *exercises: Exercise) -> list:
    """The code cells that come before these exercises, with only the statements that they need.

    That is what binds the names in an exercise's stub, task, hints and solution, whatever those statements need in
    turn, and of the set-up cell its imports and all up to ``%matplotlib inline``.

    Args:
        chapter: the chapter.
        exercises: some of its exercises; all, if none is named.

    Returns:
        Copies of cells, in order, with their ids and metadata; cells without a needed statement are left out.
    """
    known = statements(chapter)
    keep = {position for position, statement in enumerate(known) if statement.always}
    for exercise in exercises or chapter.exercises:
        end = sum(statement.cell < exercise.start for statement in known)
        keep |= closure(known, wanted(chapter, exercise), end)
    for position in sorted(keep):  # what stays for every exercise needs something, too
        keep |= closure(known, known[position].uses, position)
    cells = []
    for number in sorted({known[position].cell for position in keep}):
        cell = copy.deepcopy(chapter.notebook.cells[number])
        lines, left = cell.source.split("\n"), []
        for position, statement in enumerate(known):
            if statement.cell == number:
                text = lines[slice(*statement.lines)]
                # Of what goes, the empty lines above stay.
                left += text if position in keep else itertools.takewhile(lambda line: not line.strip(), text)
        cell.source = re.sub(r"\n{4,}", "\n\n\n", "\n".join(left)).strip("\n")
        cells.append(cell)
    return cells
