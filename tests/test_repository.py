"""The repository as a whole: one list of dependencies, clean notebooks, one address, a README that tells the truth."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml

from icg_book import repository

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10; pytest brings tomli there
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted(ROOT.glob("book/**/*.ipynb"))
README = (ROOT / "README.md").read_text("utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")


def test_environment_names_the_same_packages():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    expected = {*project["dependencies"], f"python{project['requires-python']}"}.union(*extras.values())

    listed = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]
    pip = next(entry["pip"] for entry in listed if isinstance(entry, dict))
    conda = [entry for entry in listed if isinstance(entry, str)]
    assert "-e ." in pip, "environment.yml does not install the package itself"
    actual = [re.sub(r"^pytorch\b", "torch", entry) for entry in [*conda, *pip] if entry not in {"pip", "-e ."}]
    assert sorted(actual) == sorted(expected)


def test_only_jupyter_book_and_the_linter_are_pinned():
    entries = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]
    pip = next(entry["pip"] for entry in entries if isinstance(entry, dict))
    pinned = [entry for entry in [*entries, *pip] if isinstance(entry, str) and "==" in entry]
    assert [entry.split("==")[0] for entry in pinned] == ["ruff", "jupyter-book"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebook_has_no_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    run = [cell.id for cell in cells if cell.outputs or cell.execution_count is not None]
    assert not run, f"cells with outputs: {run}; `make format` strips them"


def test_every_chapter_is_listed():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    listed = {chapter["file"] for part in toc["parts"] for chapter in part["chapters"]}
    index = (ROOT / "book" / "index.md").read_text("utf-8")
    for path in NOTEBOOKS:
        name = path.relative_to(ROOT).as_posix()
        assert name.removesuffix(".ipynb") in listed, f"{name} is not in _toc.yml"
        assert f"({name})" in README, f"{name} is not in README.md"
        assert f"({path.relative_to(ROOT / 'book').as_posix()})" in index, f"{name} is not in book/index.md"


# The address ---------------------------------------------------------------------------------------------------


def test_one_address_everywhere():
    """Every link to a repository of this name leads to the one address."""
    address = repository.current(ROOT)
    owner, name = address.removeprefix("https://github.com/").split("/")
    links = re.compile(r"github(?:usercontent)?\.com/(?:github/)?([\w.-]+)/" + re.escape(name) + r"(?![\w-])")
    published = re.compile(r"https://([\w-]+)\.github\.io/" + re.escape(name) + r"(?![\w-])")
    wrong = {}
    for path in repository.text_files(ROOT):
        text = path.read_text("utf-8", errors="replace")
        owners = {*links.findall(text), *published.findall(text)} - {owner}
        if owners:
            wrong[path.relative_to(ROOT).as_posix()] = owners
    assert not wrong
    for file in ("README.md", "_config.yml", "CITATION.cff", "pyproject.toml", "book/index.md"):
        assert repository.mentions(address).search((ROOT / file).read_text("utf-8")), f"{file} does not name {address}"


@pytest.fixture
def checkout(tmp_path):
    """A small git checkout whose address is a/book."""
    (tmp_path / "icg").mkdir()
    (tmp_path / "icg" / "artifacts.py").write_text('REPOSITORY = "https://github.com/a/book"\n')
    (tmp_path / "README.md").write_text(
        "é https://github.com/a/book/blob/main/x, https://github.com/a/booklet.\r\n", newline=""
    )
    (tmp_path / "x.ipynb").write_text("https://colab.research.google.com/github/a/book/blob/main/x.ipynb")
    (tmp_path / "y.md").write_text("https://raw.githubusercontent.com/a/book/main/y git+https://github.com/a/book.git")
    (tmp_path / "z.md").write_text("https://a.github.io/book/colab/x.whl https://aa.github.io/book")
    (tmp_path / "same.md").write_text("a/book and https://example.org/a/book")
    (tmp_path / "weights.bin").write_bytes(b"\0https://github.com/a/book")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    return tmp_path


def test_rewrite(checkout):
    untouched = {name: (checkout / name).read_bytes() for name in ("same.md", "weights.bin")}
    changed = repository.rewrite("https://github.com/new-owner/the.book", checkout)
    assert [path.as_posix() for path in changed] == ["README.md", "icg/artifacts.py", "x.ipynb", "y.md", "z.md"]
    assert repository.current(checkout) == "https://github.com/new-owner/the.book"
    readme = "é https://github.com/new-owner/the.book/blob/main/x, https://github.com/a/booklet.\r\n"
    assert (checkout / "README.md").read_bytes().decode() == readme
    assert (checkout / "x.ipynb").read_text().startswith("https://colab.research.google.com/github/new-owner/the.book/")
    assert "raw.githubusercontent.com/new-owner/the.book/main" in (checkout / "y.md").read_text()
    assert "new-owner/the.book.git" in (checkout / "y.md").read_text()
    assert (
        checkout / "z.md"
    ).read_text() == "https://new-owner.github.io/the.book/colab/x.whl https://aa.github.io/book"
    assert {name: (checkout / name).read_bytes() for name in untouched} == untouched
    assert repository.rewrite("https://github.com/new-owner/the.book", checkout) == []
    repository.rewrite("https://github.com/a/book", checkout)
    assert "https://github.com/a/book/blob" in (checkout / "README.md").read_text()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "github.com/a/b",
        "http://github.com/a/b",
        "https://github.com/a",
        "https://github.com/a/b/",
        "https://github.com/a/b.git",
        "https://github.com/a/b/tree/main",
        "https://example.org/a/b",
        "https://github.com/a/b c",
        "https://github.com/a/..",
    ],
)
def test_rewrite_refuses(checkout, url):
    with pytest.raises(ValueError, match="https://github.com/OWNER/NAME"):
        repository.rewrite(url, checkout)


def test_rewrite_needs_a_checkout(tmp_path):
    with pytest.raises(ValueError, match="artifacts.py"):
        repository.rewrite("https://github.com/a/b", tmp_path)


# README and CONTRIBUTING ---------------------------------------------------------------------------------------


def test_links_exist():
    targets = [target for target in re.findall(r"\]\(([^)#\s]+)", README + CONTRIBUTING) if "://" not in target]
    assert targets
    missing = [target for target in targets if not (ROOT / target).exists()]
    assert not missing


def test_readme_code_runs(tmp_path):
    """All Python blocks, in order, as one program, elsewhere than in the checkout."""
    blocks = re.findall(r"```python\n(.*?)```", README, re.S)
    assert blocks
    done = subprocess.run([sys.executable, "-c", "\n".join(blocks)], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in set(re.findall(r"`make (\w+)\b|^make (\w+)\b", README + CONTRIBUTING, re.M)):
        name = "".join(target)
        assert re.search(rf"^(\w+ )*{name}( \w+)*:", makefile, re.M), f"a text names `make {name}`"


def exists(place):
    """Whether a path of the checkout exists; NAME and CHAPTER stand for any."""
    return any(ROOT.glob(re.sub("NAME|CHAPTER", "*", place)))


def test_places_in_the_texts_exist():
    places = re.findall(r"`((?:icg|book|tests|data|benchmarks)/[\w./-]*)`", README + CONTRIBUTING)
    assert places
    assert not [place for place in sorted(set(places)) if not exists(place)]


def test_the_map_is_true():
    """The tables of CONTRIBUTING.md: what their first columns name is there, and of icg/ no module is left out."""
    folder, named = None, {}
    for first in re.findall(r"^\|(.+?)\|", CONTRIBUTING, re.M):
        names = re.findall(r"`([\w.*/-]+)`", first)
        if names and names[0] in {"icg/", "book/"} and names[0] not in named:  # the head of a table
            folder, named[names[0]] = names[0], []
        else:
            named[folder] += names
    for folder, names in named.items():
        inner = [name.rpartition("/")[0] for name in names if name.endswith(".py") and "/" in name]
        for name in names:
            assert any(exists(Path(folder, place, name).as_posix()) for place in ("", *inner)), f"no {name} in {folder}"
    modules = {path.relative_to(ROOT / "icg").as_posix() for path in (ROOT / "icg").rglob("*.py")}
    assert set(named["icg/"]) == {name for name in modules if not name.endswith("__init__.py")}


# Style ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=["lint", "format"])
def test_ruff(command):
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent)) or shutil.which("ruff")
    done = subprocess.run([ruff, *command, "."], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr + "\n`make format` repairs most of this"
