"""Other environments than the one that runs the tests: the oldest versions that pyproject.toml allows, and IPython 8.

They are built when a test first asks for them, in ``_build/environments/NAME``, and again when what they need changes.
Their packages come from where pip finds them; the oldest environment brings its own PyTorch, which is large.
"""

import fcntl
import json
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10; pytest brings tomli there
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "_build" / "environments"

# Of each package the first release that pyproject.toml allows; what runs the notebooks is what Colab has.
IPYTHON = ("ipython==7.34.0", "ipykernel==6.17.1")
FIRST_RELEASE = {"ipywidgets": "7.7.1"}  # Colab's; of others the bound itself
PYTHONS = ("python3.10", "python3.11", "python3.12", "python3.13")  # the oldest that is there; PyTorch 2.6 has no later


def oldest() -> list[str]:
    """The oldest allowed version of each dependency of ``icg``, as requirements: ``["torch==2.6", …]``."""
    lines = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    bounds = dict(re.fullmatch(r"([\w-]+)>=([\d.]+)", line).groups() for line in lines)
    return [f"{name}=={FIRST_RELEASE.get(name, bound)}" for name, bound in bounds.items()]


def environment(name: str) -> Path:
    """The Python interpreter of an environment, which is built if it is not there.

    Args:
        name: "newest", the environment of the tests; "ipython8", the same but for IPython 8; "oldest", the oldest
            Python and packages that ``pyproject.toml`` allows, with the IPython 7 of Colab. "oldest" has no ``icg``.

    Raises:
        ValueError: no such environment.
        subprocess.CalledProcessError: pip could not install it; its output tells why.
    """
    if name == "newest":
        return Path(sys.executable)
    if name == "oldest":
        wanted = {"python": python(), "requirements": [*oldest(), *IPYTHON], "shared": None}
    elif name == "ipython8":
        libraries = sysconfig.get_path("purelib")
        wanted = {"python": sys.executable, "requirements": ["ipython>=8,<9", "ipykernel>=6,<7"], "shared": libraries}
    else:
        raise ValueError(f"expected newest, ipython8 or oldest, got {name!r}")
    folder = FOLDER / name
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / f"{name}.lock", "w") as lock:  # several workers may ask at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = folder / "made-of.json"
        if not stamp.is_file() or json.loads(stamp.read_text("utf-8")) != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            _build(folder, **wanted)
            stamp.write_text(json.dumps(wanted, indent=1) + "\n", "utf-8")
    return folder / "bin" / "python"


def python() -> str:
    """The oldest Python on this machine that can make an environment, 3.10 or newer."""
    for name in PYTHONS:
        path = shutil.which(name)
        # Run, not only found: a version manager lists interpreters that it does not start here.
        if path and subprocess.run([path, "-c", "import ensurepip, venv"], capture_output=True).returncode == 0:
            return path
    return sys.executable


def _build(folder: Path, python: str, requirements: list[str], shared: str | None) -> None:
    subprocess.run([python, "-m", "venv", folder], check=True)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *requirements], check=True)
    if shared:  # its own packages come first; addsitedir also finds what is installed there in editable form
        (own,) = folder.glob("lib/python*/site-packages")
        (own / "shared.pth").write_text(f"import site; site.addsitedir({shared!r})\n", "utf-8")


def kernels(python: Path) -> type[AsyncKernelManager]:
    """Kernels of an interpreter that need not be known to Jupyter, for :class:`nbclient.NotebookClient`, which ends
    them: ``NotebookClient(notebook, kernel_manager_class=kernels(environment("oldest")))``."""

    class Kernels(AsyncKernelManager):
        @property
        def kernel_spec(self) -> KernelSpec:
            command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
            return KernelSpec(argv=command, display_name=str(python), language="python")

    return Kernels
