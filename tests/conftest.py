import importlib.metadata
import os
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items):
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("cuda"):
                item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


class _StandIn:
    """An experiment's ``attribute``: random maps and gaps by the generator; counts calls, may stop at one of them."""

    def __init__(self, stop_at=None):
        self.calls, self.stop_at = 0, stop_at

    def __call__(self, method, model, inputs, *, generator, **options):
        self.calls += 1
        if self.calls == self.stop_at:
            raise KeyboardInterrupt
        maps = torch.randn(inputs[:, :1].shape, generator=generator, dtype=torch.float64)
        return maps + len(method), torch.rand(len(inputs), generator=generator)


@pytest.fixture
def stand_in():
    """Makes stand-ins for what costs the time in experiments on images: ``stand_in(stop_at=None)``."""
    return _StandIn


@pytest.fixture(scope="session")
def clean_copy(tmp_path_factory):
    """The checkout as git has it, without data/: setuptools leaves old builds where it works, and reads them again."""
    folder = tmp_path_factory.mktemp("clean") / "source"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", ":!data"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="session")
def pip():
    """Runs pip without a network: ``pip("install", ...)``; builds isolated only where setuptools is too old."""

    def run(command, *arguments, **options):
        # Offline where the environment has the build backend that pyproject.toml asks for.
        try:
            recent = int(importlib.metadata.version("setuptools").split(".")[0]) >= 77
        except importlib.metadata.PackageNotFoundError:
            recent = False
        offline = ["--no-build-isolation"] if recent else []
        options = {"check": True} | options
        quiet = ["--quiet", "--disable-pip-version-check"]
        subprocess.run([sys.executable, "-m", "pip", *quiet, command, "--no-deps", *offline, *arguments], **options)

    return run


@pytest.fixture(scope="session")
def wheel(clean_copy, pip):
    """The wheel of this checkout."""
    pip("wheel", ".", "--wheel-dir", clean_copy.parent, cwd=clean_copy)
    (found,) = clean_copy.parent.glob("icg-*.whl")
    return found


@pytest.fixture(scope="session")
def site(wheel, pip):
    """A folder with nothing but what the wheel installs."""
    pip("install", "--no-index", "--target", wheel.parent / "site", wheel)
    return wheel.parent / "site"


@contextmanager
def _serving(folder):
    asked = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            asked.append(self.path)

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        server.asked, server.address = asked, f"http://127.0.0.1:{server.server_port}"
        yield server
        server.shutdown()


@pytest.fixture
def data_server():
    """The checkout's data, as the repository's address would serve them; ``asked`` lists what was asked for."""
    with _serving(ROOT / "data") as server:
        yield server


@pytest.fixture
def wheel_server(wheel):
    """The wheel, as the book's site would serve it: ``address``/colab/…"""
    folder = wheel.parent / "served"
    (folder / "colab").mkdir(parents=True, exist_ok=True)
    shutil.copy(wheel, folder / "colab")
    with _serving(folder) as server:
        yield server


@pytest.fixture
def stranger(data_server, tmp_path):
    """The environment of a process that knows no checkout: an empty home, data by a server, and no other network."""
    home = tmp_path / "home"
    home.mkdir()
    own = ("icg_", "mpl", "pip_", "python", "xdg_")
    kept = {k: v for k, v in os.environ.items() if not k.lower().startswith(own) and not k.lower().endswith("_proxy")}
    nobody = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    return kept | {
        **nobody,
        "PIP_NO_INDEX": "1",
        "PIP_RETRIES": "0",
        "PYTHONNOUSERSITE": "1",
        "ICG_DATA_URL": data_server.address,
        "NO_PROXY": "127.0.0.1",
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture
def elsewhere(stranger, site):
    """The same, with the wheel installed."""
    return stranger | {"PYTHONPATH": str(site)}
