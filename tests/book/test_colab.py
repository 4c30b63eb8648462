"""Colab, emulated: a chapter alone in an empty folder, the wheel instead of the checkout, data from a server."""

import http.server
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from icg.artifacts import REPOSITORY

ROOT = Path(__file__).resolve().parents[2]
CHAPTER = ROOT / "book" / "burnt_snacks.ipynb"


def setup_source():
    cells = nbformat.read(CHAPTER, as_version=4).cells
    return next(cell.source for cell in cells if cell.cell_type == "code")


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
    (command,) = run_setup(monkeypatch, "icg")
    assert "--no-deps" in command and command[-1] == f"git+{REPOSITORY}"


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
    kept = {"torch", "torchvision", "numpy", "matplotlib", "ipywidgets"}
    commands = run_setup(monkeypatch, "icg", "safetensors", "pooch", "tqdm", *kept)
    assert {command[-1] for command in commands[1:]} == {"safetensors", "pooch", "tqdm"}
    for command in commands:
        assert not any(word in {"-U", "--upgrade", "--force-reinstall"} or word in kept for word in command)
        if "--no-deps" not in command:
            assert not requirements(command[-1]) & kept


# ---- the whole chapter


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with nothing but what the wheel of this checkout installs."""
    folder = tmp_path_factory.mktemp("colab")
    source = folder / "source"  # a copy: setuptools writes into the folder it builds from, and reads old builds there
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "icg", source / "icg", ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    # Offline where the environment has the build backend that pyproject.toml asks for.
    try:
        recent = int(importlib.metadata.version("setuptools").split(".")[0]) >= 77
    except importlib.metadata.PackageNotFoundError:
        recent = False
    offline = ["--no-build-isolation"] if recent else []
    subprocess.run([*pip, "wheel", ".", "--no-deps", *offline, "--wheel-dir", folder], cwd=source, check=True)
    (wheel,) = folder.glob("icg-*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", folder / "site", wheel], check=True)
    return folder / "site"


@pytest.fixture
def server():
    """The checkout's data, as the repository's address would serve them; with a list of what was asked for."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            asked.append(self.path)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=ROOT / "data")) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        server.asked = asked
        yield server
        server.shutdown()


CHECK = """
import json, sys
import numpy
print(json.dumps({
    "icg": sorted(str(m.__file__) for name, m in sys.modules.items() if name.split(".")[0] == "icg"),
    "torch": torch.__version__, "numpy": numpy.__version__, "installed": "address" in globals(),
}))
"""


def run_alone(notebook, folder, site, server):
    """Execute a notebook in an empty folder; what its last cell printed, as JSON."""
    home = folder / "home"
    home.mkdir()
    here = folder / "content"
    here.mkdir()
    shutil.copy(CHAPTER, here)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("ICG_", "MPL", "PYTHON", "XDG_"))}
    environment |= {
        "PYTHONPATH": str(site),
        "PYTHONNOUSERSITE": "1",
        "ICG_DATA_URL": f"http://127.0.0.1:{server.server_port}",
        "NO_PROXY": "127.0.0.1",
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    notebook.cells.append(nbformat.v4.new_code_cell(CHECK))
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(here)}})
    client.execute(env=environment)
    return json.loads("".join(output.text for output in notebook.cells[-1].outputs))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_chapter_runs_to_its_end_alone_in_an_empty_folder(site, server, tmp_path):
    import numpy
    import torch

    notebook = nbformat.read(CHAPTER, as_version=4)
    seen = run_alone(notebook, tmp_path, site, server)
    # The wheel's package ran, not the checkout's, which the environment of the tests has installed in editable form.
    assert seen["icg"] and all(Path(file).is_relative_to(site) for file in seen["icg"])
    assert not seen["installed"]
    assert (seen["torch"], seen["numpy"]) == (torch.__version__, numpy.__version__)

    for name in ("weights/burnt-snacks.safetensors", "weights/burnt-snacks.json", "results/burnt-snacks.json"):
        assert server.asked.count(f"/{name}") == 1, f"{name}: {server.asked}"
        assert (tmp_path / "home/cache/icg" / name).is_file()

    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code if cell.source.strip())
    shown = [output.get("data", {}) for cell in code for output in cell.outputs]
    assert any("application/vnd.jupyter.widget-view+json" in data for data in shown), "the lab is live in Colab"
    assert any("icg-x-static" in data.get("text/html", "") for data in shown), "the wheel has the scripts"
