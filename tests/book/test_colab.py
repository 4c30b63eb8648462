"""Colab, emulated: a chapter alone in an empty folder, the wheel instead of the checkout, data from a server."""

import importlib.metadata
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from icg.artifacts import REPOSITORY

ROOT = Path(__file__).resolve().parents[2]
CHAPTER = ROOT / "book" / "burnt_snacks.ipynb"
SMALL = ("safetensors", "pooch", "tqdm")  # what a notebook service may lack
KEPT = {"torch", "torchvision", "numpy", "matplotlib", "ipywidgets"}  # what it has, and what must stay as it is


def setup_source(chapter=CHAPTER):
    """What the first code cell of a chapter does before its imports."""
    cells = nbformat.read(chapter, as_version=4).cells
    before, magic, _ = next(cell.source for cell in cells if cell.cell_type == "code").partition("%matplotlib inline\n")
    assert magic
    return before


# ---- the setup cell by itself


def run_setup(monkeypatch, *missing):
    """Run the setup cell where these packages are missing; what it would have run."""
    commands = []
    find_spec = importlib.util.find_spec
    with monkeypatch.context() as patch:
        patch.setattr(importlib.util, "find_spec", lambda name, *a: None if name in missing else find_spec(name, *a))
        patch.setattr(subprocess, "run", lambda command, **options: commands.append((command, options)))
        exec(compile(setup_source(), "setup cell", "exec"), {})
    assert all(command[:4] == [sys.executable, "-m", "pip", "install"] for command, _ in commands)
    assert all(options.get("check") for _, options in commands)  # a failed installation stops the notebook
    return [command[4:] for command, _ in commands]


def test_the_setup_cell_does_nothing_where_icg_is_installed(monkeypatch):
    assert run_setup(monkeypatch) == []
    assert run_setup(monkeypatch, "pooch", "safetensors", "tqdm") == []


def test_the_setup_cell_installs_icg_without_its_dependencies(monkeypatch):
    first, second = run_setup(monkeypatch, "icg")
    assert first == ["--quiet", "--no-deps", f"git+{REPOSITORY}"]
    assert second == ["--quiet", *SMALL]


def test_together_with_what_colab_has_that_is_all_that_icg_needs():
    needed = [re.match(r"[\w.-]+", line)[0] for line in importlib.metadata.requires("icg") if "extra ==" not in line]
    assert sorted(needed) == sorted({*SMALL, *KEPT})


@pytest.mark.parametrize("path", sorted(CHAPTER.parent.glob("*.ipynb")), ids=lambda path: path.name)
def test_all_chapters_set_up_alike(path):
    assert setup_source(path) == setup_source()


def requirements(package):
    """All that an installation of the package may bring, itself included."""
    found, waiting = set(), [package]
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        found.add(name)
        try:
            lines = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # for another platform
        waiting += [re.match(r"[\w.-]+", line)[0] for line in lines if "extra ==" not in line]
    return found


def test_the_setup_cell_never_touches_torch_or_numpy(monkeypatch):
    commands = run_setup(monkeypatch, "icg", *SMALL, *KEPT)
    assert len(commands) == 2
    for command in commands:
        packages = [word for word in command if not word.startswith("-")]
        assert packages and not KEPT & set(packages)
        assert not any(word in {"-U", "--upgrade", "--force-reinstall"} for word in command)
        if "--no-deps" not in command:
            for package in packages:
                assert not requirements(package) & KEPT


# ---- the whole chapter


CHECK = """
import json, sys
import numpy
print(json.dumps({
    "files": {
        package: sorted(str(m.__file__) for name, m in sys.modules.items() if name.split(".")[0] == package)
        for package in ("icg", "icg_book")
    },
    "torch": torch.__version__, "numpy": numpy.__version__, "installed": "address" in globals(),
}))
"""


def run_alone(notebook, folder, environment):
    """Execute a notebook in an empty folder; what its last cell printed, as JSON."""
    here = folder / "content"
    here.mkdir()
    shutil.copy(CHAPTER, here)
    notebook.cells.append(nbformat.v4.new_code_cell(CHECK))
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(here)}})
    client.execute(env=environment)
    return json.loads("".join(output.text for output in notebook.cells[-1].outputs))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_chapter_runs_to_its_end_alone_in_an_empty_folder(site, data_server, elsewhere, tmp_path):
    import numpy
    import torch

    notebook = nbformat.read(CHAPTER, as_version=4)
    seen = run_alone(notebook, tmp_path, elsewhere)
    # The wheel's packages ran, not the checkout's, which the environment of the tests has installed in editable form.
    for files in seen["files"].values():
        assert files and all(Path(file).is_relative_to(site) for file in files)
    assert not seen["installed"]
    assert (seen["torch"], seen["numpy"]) == (torch.__version__, numpy.__version__)

    for name in ("weights/burnt-snacks.safetensors", "weights/burnt-snacks.json", "results/burnt-snacks.json"):
        assert data_server.asked.count(f"/{name}") == 1, f"{name}: {data_server.asked}"
        assert (tmp_path / "home/cache/icg" / name).is_file()

    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code if cell.source.strip())
    shown = [output.get("data", {}) for cell in code for output in cell.outputs]
    assert any("application/vnd.jupyter.widget-view+json" in data for data in shown), "the lab is live in Colab"
    assert any("icg-x-static" in data.get("text/html", "") for data in shown), "the wheel has the scripts"
