"""Versions: what is missing or too old is said in one sentence, before it fails."""

import importlib.metadata
import subprocess
import sys

import pytest

from icg_book.kit import versions

LINES = ["torch>=2.6", "numpy>=1.26", "bare", 'shap>=9; extra == "test"', 'old>=5; python_version < "3"']


@pytest.fixture
def installed(monkeypatch):
    """The packages that are there; ``icg`` needs :data:`LINES`."""
    here = {"torch": "2.6.0+cu124", "numpy": "2.1.0", "bare": "0.1"}

    def version(name):
        if name not in here:
            raise importlib.metadata.PackageNotFoundError(name)
        return here[name]

    monkeypatch.setattr(versions, "version", version)
    monkeypatch.setattr(versions, "requires", lambda package: LINES)
    return here


def test_what_is_new_enough_passes(installed):
    versions.check()
    installed["torch"] = "2.7.0.dev20250101"
    versions.check()


@pytest.mark.parametrize(
    "torch, numpy, said",
    [
        ("2.4.1", "2.1.0", "This notebook needs torch 2.6 or newer (here is 2.4.1)."),
        ("2.6", None, "This notebook needs numpy 1.26 or newer (here is none)."),
        ("2.6.0a0", "1.25.2", "This notebook needs torch 2.6 or newer (here is 2.6.0a0) and "
         "numpy 1.26 or newer (here is 1.25.2)."),
    ],
)  # fmt: skip
def test_what_is_too_old_or_missing_is_said_in_one_sentence(installed, torch, numpy, said):
    installed |= {"torch": torch, "numpy": numpy}
    for name in [name for name, here in installed.items() if here is None]:
        del installed[name]
    with pytest.raises(ImportError) as refused:
        versions.check()
    assert str(refused.value) == said
    assert refused.value._render_traceback_() == [said]


def test_a_package_without_a_bound(installed):
    del installed["bare"]
    assert list(versions.unmet("icg")) == ["bare (here is none)"]


def test_what_runs_the_tests_is_new_enough():
    assert importlib.metadata.requires("icg")
    versions.check()


def test_a_checkout_that_is_not_installed_is_not_asked(monkeypatch):
    monkeypatch.setattr(versions, "requires", importlib.metadata.requires)
    assert list(versions.unmet("a-package-that-nobody-has")) == []


def test_nothing_is_imported_that_may_be_too_old():
    code = "import sys, icg_book.kit.versions; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"torch", "torchvision", "numpy", "matplotlib", "ipywidgets", "icg"}
