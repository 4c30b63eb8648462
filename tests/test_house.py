"""The house: who may import whom. Read from the sources, nothing is imported here.

Arrows only go down: icg <- kit <- scenarios <- chapters <- the command line and explain.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = {path.stem for path in (ROOT / "book").glob("*.ipynb")}
FRONT = "playground"  # the front page's own room, on the same floor as the chapters
# What is slow to import, or that only a notebook or a browser needs: a function may import them when it runs.
LATE = {
    "IPython",
    "PIL",
    "fcntl",
    "icg_book.kit.drawing",  # matplotlib's figure
    "ipywidgets",
    "matplotlib",
    "pooch",
    "scipy",
    "sklearn",
    "sympy",
    "timm",
    "torchvision",
}


def modules() -> dict[str, Path]:
    """Every module of the two packages, by its dotted name."""
    found = {}
    for parent in (ROOT, ROOT / "book"):
        for path in sorted(parent.glob("icg*/**/*.py")):
            parts = path.relative_to(parent).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports(name: str) -> list[tuple[str, str | None, bool]]:
    """What a module imports: (module, name in it or None, whether inside of a function)."""
    tree = ast.parse(MODULES[name].read_text("utf-8"))
    package = name if MODULES[name].stem == "__init__" else name.rpartition(".")[0]
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for node in ast.walk(function)
    }
    typing = {  # for type checkers alone
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and getattr(block.test, "id", "") == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    found = []
    for node in ast.walk(tree):
        if id(node) in typing:
            continue
        if isinstance(node, ast.Import):
            found += [(alias.name, None, id(node) in inside) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                whole = f"{source}.{alias.name}"
                found.append(
                    (whole, None, id(node) in inside) if whole in MODULES else (source, alias.name, id(node) in inside)
                )
    return found


def arrows() -> set[tuple[str, str]]:
    """Which module of the house imports which other one."""
    return {
        (name, target) for name in MODULES for target, _, _ in imports(name) if target in MODULES and target != name
    }


def floor(name: str) -> int:
    """0 icg, 1 kit, 2 scenarios, 3 chapters, 4 what stands on top of all."""
    parts = name.split(".")
    if parts[0] == "icg":
        return 0
    room = parts[1] if len(parts) > 1 else ""
    return {"": 0, "kit": 1, "scenarios": 2}.get(room, 3 if room in CHAPTERS | {FRONT} else 4)


def circles(edges: set[tuple[str, str]]) -> list[list[str]]:
    """Groups of modules that import each other in a circle (Tarjan's strongly connected components)."""
    graph = {name: sorted(b for a, b in edges if a == name) for name in MODULES}
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                found.append(sorted(group))

    for name in graph:
        if name not in index:
            visit(name)
    return found


def test_every_folder_of_the_book_is_a_chapter_or_a_known_room():
    rooms = {path.name for path in (ROOT / "book" / "icg_book").iterdir() if (path / "__init__.py").exists()}
    assert rooms == CHAPTERS | {"kit", "scenarios", FRONT}


def test_arrows_only_go_down():
    up = [(a, b) for a, b in sorted(arrows()) if floor(b) > floor(a)]
    assert not up, "\n".join(f"{a} imports {b}, which is above it" for a, b in up)


def test_no_chapter_imports_another():
    across = [(a, b) for a, b in sorted(arrows()) if floor(a) == floor(b) == 3 and a.split(".")[1] != b.split(".")[1]]
    assert not across, across


def test_there_is_no_circle():
    assert not circles(arrows())


def test_a_circle_would_be_found():
    a, b, c = list(MODULES)[:3]
    assert circles({(a, b), (b, c), (c, a)}) == [sorted([a, b, c])]


@pytest.mark.parametrize("name", MODULES)
def test_no_private_name_crosses_a_module(name):
    taken = [
        f"{source}.{what}" for source, what, _ in imports(name) if source in MODULES and (what or "").startswith("_")
    ]
    tree = ast.parse(MODULES[name].read_text("utf-8"))
    modules_by_alias = {
        alias.asname or alias.name.split(".")[-1]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
        if alias.name in MODULES or any(m.endswith(f".{alias.name}") for m in MODULES)
    }
    taken += [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and isinstance(node.value, ast.Name)
        and node.value.id in modules_by_alias
    ]
    assert not [what for what in taken if not what.endswith("__")], taken


@pytest.mark.parametrize("name", MODULES)
def test_functions_import_only_what_is_heavy(name):
    late = [target for target, _, inside in imports(name) if inside and not {target, target.split(".")[0]} & LATE]
    assert not late, late


@pytest.mark.parametrize("name", [name for name in MODULES if floor(name) == 0 and name != "icg_book"])
def test_the_package_is_independent_of_the_book_and_of_what_draws(name):
    outside = {target.split(".")[0] for target, _, inside in imports(name) if not inside and target not in MODULES}
    its_own = set(name.split(".")[2:]) if name.startswith("icg.compat.") else set()  # imported by nobody but its users
    assert outside <= {"numpy", "safetensors", "torch", "tqdm", *its_own, *sys.stdlib_module_names}


def test_what_is_compatible_with_other_libraries_is_small_and_not_imported():
    assert not [(a, b) for a, b in arrows() if b.startswith("icg.compat") and not a.startswith("icg.compat")]
    for name in MODULES:
        assert not name.startswith("icg.compat.") or len(MODULES[name].read_text("utf-8").splitlines()) < 150


def test_the_package_can_be_read_in_an_evening():
    core = [path for name, path in MODULES.items() if floor(name) == 0 and not name.startswith("icg.compat")]
    assert sum(len(path.read_text("utf-8").splitlines()) for path in core) <= 4896


def test_importing_the_package_loads_nothing_of_the_book_nor_what_draws():
    code = "import sys, icg; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(run.stdout.split()) & {
        "icg_book",
        "IPython",
        "PIL",
        "ipywidgets",
        "matplotlib",
        "pooch",
        "torchvision",
    }
