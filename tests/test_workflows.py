"""What runs on GitHub: pinned actions, the Makefile's own targets, and no more rights than a job needs."""

import re
from pathlib import Path

import pytest
import yaml

from icg_book.kit import colab

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z ]+):(?!=)", (ROOT / "Makefile").read_text("utf-8"), re.M))
TARGETS = {name for names in TARGETS for name in names.split()}


def steps(path: Path) -> list[dict]:
    jobs = yaml.safe_load(path.read_text("utf-8"))["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


def test_what_there_is():
    assert [path.stem for path in WORKFLOWS] == ["newest", "pages", "test"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_and_their_version_is_named(path):
    used = re.findall(r"uses: (.*)", path.read_text("utf-8"))
    assert len(used) == sum("uses" in step for step in steps(path)) > 0
    for line in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_one_version_of_each_action():
    used = {line for path in WORKFLOWS for line in re.findall(r"uses: (.*)", path.read_text("utf-8"))}
    assert len(used) == len({line.partition("@")[0] for line in used})


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_they_call_the_makefile(path):
    made = [re.match(r"make (\w+)", step["run"]) for step in steps(path) if step.get("run", "").startswith("make ")]
    assert made and all(found and found[1] in TARGETS for found in made)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_rights_and_limits(path):
    workflow = yaml.safe_load(path.read_text("utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 90
    checkouts = [step for step in steps(path) if step.get("uses", "").startswith("actions/checkout@")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_what_is_published_is_the_branch_that_make_pages_writes_and_colab_opens():
    commands = [step["run"] for step in steps(ROOT / ".github" / "workflows" / "pages.yml") if "run" in step]
    assert commands[-1].startswith("git push") and commands[-1].split()[-1] == colab.BRANCH
    assert commands[-2].startswith("make pages")
    assert f"--branch {colab.BRANCH} " in (ROOT / "Makefile").read_text("utf-8")


def test_old_and_new_python():
    matrix = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text("utf-8"))
    oldest = re.search(r'requires-python = ">=([\d.]+)"', (ROOT / "pyproject.toml").read_text("utf-8"))[1]
    versions = matrix["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert oldest in versions and len(versions) == 2
