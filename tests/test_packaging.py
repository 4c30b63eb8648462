"""One installation brings both packages, whole: from a wheel, and in editable form."""

import json
import subprocess
import sys
import sysconfig
import zipfile
from importlib.metadata import PathDistribution
from pathlib import Path

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10; pytest brings tomli there
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {"icg": "icg", "icg_book": "book/icg_book"}  # where each lies
INSTALLED = {".py", ".js", ".css"}


def test_the_wheel_has_both_packages_whole_and_nothing_else(wheel, clean_copy):
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = set()
    for package, folder in PACKAGES.items():
        files = [file for file in (clean_copy / folder).rglob("*") if file.suffix in INSTALLED]
        expected |= {f"{package}/{file.relative_to(clean_copy / folder).as_posix()}" for file in files}
    assert any(name.endswith(".js") for name in expected) and (clean_copy / "tests").is_dir()
    assert found == expected


def test_the_wheel_names_the_entry_points(site):
    (folder,) = site.glob("icg-*.dist-info")
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]
    found = {}
    for entry in PathDistribution(folder).entry_points:
        found.setdefault(entry.group, {})[entry.name] = entry.value
    assert found == declared and "icg.commands" in found


def test_the_command_runs_from_the_wheel(elsewhere, tmp_path):
    """In an empty folder, with the data of the address."""
    command = [sys.executable, "-m", "icg", "info"]
    done = subprocess.run(command, cwd=tmp_path, env=elsewhere, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"data: {elsewhere['ICG_DATA_URL']}\n")
    shipped = json.loads((ROOT / "data" / "manifest.json").read_text())
    for name in shipped:
        kind = {".safetensors": "model  ", ".json": "result "}[Path(name).suffix]
        if kind == "model  " or name.startswith("results/"):
            assert f"\n{kind} {Path(name).stem}" in done.stdout


WHERE = """
import site, sys
site.addsitedir(sys.argv[1])  # reads the .pth file there
sys.path += sys.argv[2:]
import icg, icg_book.cli, icg_book.kit.page, icg_book.scenarios
print(icg.__file__, icg_book.cli.__file__, *icg_book.__path__, sep="\\n")
print("press" in sys.modules or __import__("importlib.util").util.find_spec("press"))
"""


def test_an_editable_installation_finds_both_in_the_checkout(clean_copy, pip, tmp_path):
    pip("install", "--no-index", "--target", tmp_path, "--editable", ".", cwd=clean_copy)
    # -S: without the folder where the environment of the tests has this checkout installed in editable form.
    libraries = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    command = [sys.executable, "-I", "-S", "-c", WHERE, tmp_path, *libraries]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = [clean_copy / "icg/__init__.py", clean_copy / "book/icg_book/cli.py", clean_copy / "book/icg_book"]
    assert done.stdout.split("\n")[:-1] == [*map(str, expected), "None"]
