"""Colab, emulated: each chapter alone in an empty folder, with the oldest allowed packages and without ``icg``.

The first cell installs the wheel from a server on this computer, and all data come from another one. There is no other
network.
"""

import importlib.metadata
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import absent
import nbformat
import pytest
from environments import environment, kernels, oldest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from icg.artifacts import REPOSITORY
from icg_book.kit.colab import FOLDER
from icg_book.repository import pages
from press.chapters import chapter_files

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10; pytest brings tomli there
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = chapter_files(ROOT)
CHAPTER = ROOT / "book" / "burnt_snacks.ipynb"
SMALL = ("safetensors", "pooch", "tqdm")  # what a notebook service may lack
KEPT = {
    "torch",
    "torchvision",
    "numpy",
    "matplotlib",
    "ipywidgets",
    "scikit-learn",
}  # what it has, and what must stay as it is
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
OWNER, NAME = REPOSITORY.removeprefix("https://github.com/").split("/")
SITE = f"https://{OWNER}.github.io/{NAME}"
WHEEL = f"{SITE}/{FOLDER}/icg-{VERSION}-py3-none-any.whl"


def setup_cell(chapter=CHAPTER):
    """The first code cell of a chapter."""
    cells = nbformat.read(chapter, as_version=4).cells
    return next(cell.source for cell in cells if cell.cell_type == "code")


def setup_source(chapter=CHAPTER):
    """What it does before its imports."""
    before, magic, _ = setup_cell(chapter).partition("%matplotlib inline\n")
    assert magic
    return before


# ---- the setup cell by itself


def run_setup(monkeypatch, *missing, status=0):
    """Run the setup cell where these packages are missing; what it would have run."""
    commands = []
    find_spec = importlib.util.find_spec

    def run(command, **options):
        commands.append(command)
        return subprocess.CompletedProcess(command, status)

    with monkeypatch.context() as patch:
        patch.setattr(importlib.util, "find_spec", lambda name, *a: None if name in missing else find_spec(name, *a))
        patch.setattr(subprocess, "run", run)
        exec(compile(setup_source(), "setup cell", "exec"), {})
    return commands


def test_the_setup_cell_does_nothing_where_icg_is_installed(monkeypatch):
    assert run_setup(monkeypatch) == []
    assert run_setup(monkeypatch, "pooch", "safetensors", "tqdm") == []


@pytest.mark.parametrize("missing", [(), ("pooch",), SMALL], ids=str)
def test_the_setup_cell_installs_the_published_wheel_and_what_else_is_missing(monkeypatch, missing):
    (command,) = run_setup(monkeypatch, "icg", *missing, *KEPT)
    assert command[:4] == [sys.executable, "-m", "pip", "install"]
    # Without dependencies: torch, numpy and the rest stay as they are.
    assert [word for word in command[4:] if word.startswith("-")] == ["--quiet", "--no-deps"]
    assert {word for word in command[4:] if not word.startswith("-")} == {WHEEL, *missing}


def test_together_with_what_colab_has_that_is_all_that_icg_needs():
    needed = [re.match(r"[\w.-]+", line)[0] for line in importlib.metadata.requires("icg") if "extra ==" not in line]
    assert sorted(needed) == sorted({*SMALL, *KEPT})


def test_the_address_ends_as_the_wheel_is_called(wheel):
    assert WHEEL.endswith(f"/{wheel.name}")


def test_a_copy_of_the_book_installs_its_own_wheel():
    """`python -m icg repository URL` finds the address."""
    assert (
        pages(REPOSITORY).sub("copy.github.io/book", setup_cell()).count("https://copy.github.io/book/colab/icg-") == 1
    )


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.name)
def test_all_chapters_set_up_alike(path):
    assert setup_source(path) == setup_source()


def test_a_failed_installation_is_one_line(monkeypatch):
    with pytest.raises(OSError) as error:
        run_setup(monkeypatch, "icg", status=1)
    said = f"Could not install {WHEEL}: is this computer online?"
    assert str(error.value) == said and error.value._render_traceback_() == [said]


# ---- in kernels


def executed(sources, python, environment, folder, **options):
    """Cells in a kernel of this interpreter, in this folder."""
    cells = [nbformat.v4.new_code_cell(source) if isinstance(source, str) else source for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells)
    resources = {"metadata": {"path": str(folder)}}
    options |= {"kernel_manager_class": kernels(python), "timeout": 300}
    client = NotebookClient(notebook, resources=resources, **options)
    client.widget_registry = {}  # what goes to an Output widget is then the cell's; see press/times.py
    client.execute(env=environment)
    return notebook.cells


HIDDEN = """
import importlib.util, sys
genuine = importlib.util.find_spec
importlib.util.find_spec = lambda name, *arguments: None if name == "icg" else genuine(name, *arguments)
import IPython
print(IPython.__version__)
"""
OLD = """
import importlib.metadata
version = importlib.metadata.version
importlib.metadata.version = lambda name: "2.4.1" if name == "torch" else version(name)
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name, major", [("oldest", "7."), ("ipython8", "8."), ("newest", "9.")])
def test_without_a_network_a_notebook_says_so_in_one_line_and_stops(name, major, stranger, tmp_path):
    sources = [HIDDEN, setup_cell(), "print('went on')"]
    cells = executed(sources, environment(name), stranger, tmp_path, allow_errors=True)
    assert cells[0].outputs[0].text.startswith(major)
    (shown,) = cells[1].outputs
    assert shown.traceback == [f"Could not install {WHEEL}: is this computer online?"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    with pytest.raises(CellExecutionError, match="Could not install"):  # an error: "Run all" ends there
        NotebookClient(notebook, kernel_manager_class=kernels(environment(name)), timeout=60).execute(env=stranger)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["oldest", "ipython8", "newest"])
def test_what_is_too_old_is_said_in_one_line(name, elsewhere, tmp_path):
    (_, cell) = executed([OLD, setup_cell()], environment(name), elsewhere, tmp_path, allow_errors=True)
    (shown,) = cell.outputs
    assert shown.traceback == ["This notebook needs torch 2.6 or newer (here is 2.4.1)."]


# ---- whole chapters


CHECK = """
import json, sys
import numpy, torch
from importlib.metadata import version
print(json.dumps({
    "files": {
        package: sorted(str(m.__file__) for name, m in sys.modules.items() if name.split(".")[0] == package)
        for package in ("icg", "icg_book")
    },
    "versions": {name: version(name).partition("+")[0] for name in NAMES},
}))
"""
LABS = {"burnt_snacks", "mnist", "imagenette"}


@pytest.mark.slow
@pytest.mark.timeout(1200)  # the first one makes the environment
@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_runs_to_its_end(path, wheel_server, data_server, stranger, tmp_path):
    here, installed = tmp_path / "content", tmp_path / "installed"
    here.mkdir()
    installed.mkdir()
    shutil.copy(path, here)
    python = environment("oldest")
    pinned = dict(requirement.split("==") for requirement in oldest())

    cells = nbformat.read(path, as_version=4).cells
    setup = next(cell for cell in cells if cell.cell_type == "code")
    setup.source = setup.source.replace(SITE, wheel_server.address)
    packages = {"PYTHONPATH": str(installed), "PIP_TARGET": str(installed)}
    check = CHECK.replace("NAMES", repr(list(pinned)))
    cells = executed([*cells, check], python, stranger | packages, here)

    seen = json.loads("".join(output.text for output in cells[-1].outputs))
    for files in seen["files"].values():
        assert files and all(Path(file).is_relative_to(installed) for file in files)
    # Nothing but icg came, and everything else is what it was.
    assert [folder.name for folder in installed.glob("*.dist-info")] == [f"icg-{VERSION}.dist-info"]
    assert wheel_server.asked == [f"/colab/icg-{VERSION}-py3-none-any.whl"]
    for name, version in pinned.items():
        assert f"{seen['versions'][name]}.0".startswith(f"{version}."), f"{name} {seen['versions'][name]}"

    asked = [name for name in data_server.asked if name != "/manifest.json"]
    assert sorted(set(asked)) == sorted(asked), "nothing is downloaded twice"
    for name in asked:
        assert (tmp_path / "home/cache/icg" / name.lstrip("/")).is_file()

    code = [cell for cell in cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code if cell.source.strip())
    assert absent.faults(cells[:-1]) == []  # the data sets are not there, and others stand in for them
    shown = [output.get("data", {}) for cell in code for output in cell.outputs]
    if path.stem in LABS:
        assert any("application/vnd.jupyter.widget-view+json" in data for data in shown), "the lab is live in Colab"
    if "explorable" in path.read_text("utf-8"):
        assert any("icg-x-static" in data.get("text/html", "") for data in shown), "the wheel has the scripts"


# ---- labs


MADE = {
    "burnt_snacks": """
%matplotlib inline
import icg, torch
from icg_book.burnt_snacks.lab import burnt_snacks_lab
from icg_book.scenarios import burnt_snacks
images = burnt_snacks.generate(3, generator=torch.Generator().manual_seed(0)).images
lab = burnt_snacks_lab(icg.artifacts.load_model("burnt-snacks"), images, images)
""",
    "mnist": """
import icg
from icg_book.mnist.lab import mnist_lab
from icg_book.scenarios import drawn_digits
lab = mnist_lab(icg.artifacts.load_model("mnist"), drawn_digits.load()[:3])
""",
    "imagenette": """
import torch
from icg_book.imagenette.lab import photo_lab
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Conv2d(4, 6, 5, 4), torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.Linear(294, 3))
model.certainty_aware, model.input_shape = True, (4, 32, 32)
lab = photo_lab(model, torch.rand(3, 3, 32, 32), classes=("cat", "dog", "cow"))
""",
}
SHOWN = """
import json


def walk(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from walk(child)


def shown():
    getattr(lab, "wait", lambda seconds: None)(60)
    print(json.dumps([w.value for w in walk(lab) if type(w).__name__ == "HTML"]))


method = next(w for w in walk(lab) if getattr(w, "description", "") == "method")
lab
"""


def pictures(*cells):
    """Of cells' outputs, displayed, in HTML or in the values of widgets that they printed."""
    found = [str(output.get("data", output.get("text"))) for cell in cells for output in cell.outputs]
    return re.findall(r"(?:base64,|image/png': ')([\w+/=]+)", "".join(found))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", MADE)
def test_a_lab_answers_with_the_oldest_widgets(name, elsewhere, tmp_path):
    """A method's choice shows its picture: another one for another method, the same for the same."""
    sources = [MADE[name], SHOWN, "import ipywidgets\nprint(ipywidgets.__version__)"]
    for k in (1, 0, 1):
        sources += [f"method.value = method.options[{k}]", "shown()"]
    cells = executed(sources, environment("oldest"), elsewhere, tmp_path)
    assert "application/vnd.jupyter.widget-view+json" in cells[1].outputs[-1].data
    assert cells[2].outputs[0].text == "7.7.1\n"
    first, second, third = (pictures(*cells[k : k + 2]) for k in (3, 5, 7))
    assert first and first == third and first != second
