"""How long each chapter runs: measured, kept in data/results/run-times.json, and said at the chapter's head.

`make times` measures all chapters, `make times CHAPTERS="shapley mnist"` these two. Each runs alone, as the book runs
it, on one thread. What is measured is the time from the start of its first cell to the end of its last one: imports
and loading are in it, the start of the kernel (a second or two) is not.
"""

import argparse
import json
import os
import platform
import re
import sys
import time
from pathlib import Path

import nbformat
import torch
from nbclient import NotebookClient

from icg_book.kit.downloads import dataset_folder
from icg_book.kit.records import provenance, write_result
from press.chapters import ROOT, RUNS, chapter_files

NAME = "run-times"
WHAT = "seconds of wall time for all cells of a chapter, alone, on one thread, without the kernel's start"
DATA_SETS = ("MNIST", "imagenette2-160")  # where they are, two chapters show more, and take longer
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "ICG_BOOK_BUILD": "1"}


def rounded(seconds: float) -> int:
    """To 1 s below 10 s, to 5 s up to 100 s, to 10 s above: more digits would not be the same tomorrow.

    >>> [rounded(seconds) for seconds in (0.2, 7.6, 13.1, 98.0, 147.0)]
    [1, 8, 15, 100, 150]
    """
    step = 1 if seconds < 10 else 5 if seconds <= 100 else 10
    return max(step * round(seconds / step), 1)


def measured(path: Path) -> float:
    """Seconds that the cells of a notebook take, executed in its folder; the notebook stays as it is.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=None, resources={"metadata": {"path": str(path.parent)}})
    with client.setup_kernel(env=os.environ | ENVIRONMENT):
        start = time.perf_counter()
        for index, cell in enumerate(notebook.cells):
            client.execute_cell(cell, index)
        return time.perf_counter() - start


def said(path: Path, seconds: int) -> str:
    """A chapter's file with the number of seconds at its head; all else stays as it is, to the byte.

    Raises:
        ValueError: its first cell does not say "**Runs in about N s on one core.**" at the start of a line, once.
    """
    notebook = json.loads(path.read_text("utf-8"))
    head, number = RUNS.subn(rf"\g<1>{seconds}\g<3>", "".join(notebook["cells"][0]["source"]))
    if number != 1:
        raise ValueError(f"{path.name}: expected one line **Runs in about N s on one core.** in the first cell")
    notebook["cells"][0]["source"] = head.splitlines(keepends=True)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def processor() -> str:
    """The model of this machine's processor, as far as the system tells."""
    try:
        return re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())[1]
    except (OSError, TypeError):
        return platform.processor() or platform.machine()


def measure(names: list[str], root: Path = ROOT) -> None:
    """Measure these chapters (all, if none is named), one by one; write the result and the heads. Others keep theirs.

    Raises:
        ValueError: no such chapter, or one without the line at its head; then nothing is measured.
    """
    files = {path.stem: path for path in chapter_files(root)}
    if unknown := [name for name in names if name not in files]:
        raise ValueError(f"expected chapters among {', '.join(files)}, got {', '.join(unknown)}")
    for name in names or files:
        said(files[name], 0)
    result = root / "data" / "results" / f"{NAME}.json"
    chapters = json.loads(result.read_text("utf-8"))["chapters"] if result.exists() else {}
    made = provenance("make times", seed=0)
    del made["seed"]  # each chapter has its own
    for name in names or files:
        print(f"{name}: ", end="", flush=True)
        seconds = measured(files[name])
        print(f"{seconds:.1f} s")
        chapters[name] = {
            "seconds": round(seconds, 1),
            "data sets": [folder for folder in DATA_SETS if (dataset_folder() / folder).is_dir()],
            "processor": processor(),
            **made,
        }
        ours = {name: chapters[name] for name in files if name in chapters}
        write_result(NAME, {"what": WHAT, "chapters": ours}, root / "data")
        files[name].write_text(said(files[name], rounded(round(seconds, 1))), "utf-8")  # of what is kept


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("chapters", nargs="*", metavar="CHAPTER")
    torch.set_num_threads(1)  # the result records it
    try:
        measure(parser.parse_args(arguments).chapters)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
