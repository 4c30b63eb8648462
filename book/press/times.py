"""How long each chapter runs: measured, kept in data/results/run-times.json, and said at the chapter's head.

`make times` measures all chapters, `make times CHAPTERS="shapley mnist"` these two. Each runs alone, as a reader runs
it (labs are live), on one thread. What is measured is the time from the start of its first cell to the end of its last
one: imports and loading are in it, the start of the kernel (a second or two) is not. Beside it are kept what a reader
waits for: the first picture, the slowest cell, and the longest time without a sign of life. :data:`LIMITS` says how
long these may take; a test compares.
"""

import argparse
import json
import os
import platform
import re
import sys
import time
from itertools import pairwise
from pathlib import Path

import nbformat
import torch
from nbclient import NotebookClient

from icg_book.kit.folders import DATA_SETS, missing
from icg_book.kit.records import provenance, write_result
from press.chapters import ROOT, RUNS, chapter_files

NAME = "run-times"
WHAT = (
    "seconds of wall time for all cells of a chapter, alone, on one thread, without the kernel's start; from the start "
    "to the end of its first picture; of its slowest cell; and the longest time in which a cell shows nothing new"
)
# Seconds. A notebook service gives a reader one core, and no patience to spare.
LIMITS = {"seconds": 120, "first picture": 60, "longest silence": 30}
# Messages of a kernel that a reader sees: output, and what moves a widget, such as a bar.
SEEN = ("stream", "display_data", "update_display_data", "execute_result", "comm_open", "comm_msg")


def rounded(seconds: float) -> int:
    """To 1 s below 10 s, to 5 s up to 100 s, to 10 s above: more digits would not be the same tomorrow.

    >>> [rounded(seconds) for seconds in (0.2, 7.6, 13.1, 98.0, 147.0)]
    [1, 8, 15, 100, 150]
    """
    step = 1 if seconds < 10 else 5 if seconds <= 100 else 10
    return max(step * round(seconds / step), 1)


class Watch(NotebookClient):
    """Executes a notebook, and notes when each cell begins, shows something, and ends.

    Attributes:
        cells: for each code cell, the seconds of its start, of each message that a reader sees, and of its end.
        first_picture: seconds of the first picture, if there was one.
    """

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.cells: list[list[float]] = []
        self.first_picture: float | None = None
        # nbclient answers Output widgets while it waits on the same socket, and may then miss the reply of the cell.
        self.widget_registry = {}

    def process_message(self, msg, cell, cell_index):
        """As the client does, and note it."""
        if msg["msg_type"] in SEEN:
            self.cells[-1].append(time.perf_counter())
            if self.first_picture is None and is_picture(msg["content"].get("data", {})):
                self.first_picture = time.perf_counter()
        return super().process_message(msg, cell, cell_index)

    def watch(self, cell, index: int) -> None:
        """Execute one cell."""
        self.cells.append([time.perf_counter()])
        self.execute_cell(cell, index)
        self.cells[-1].append(time.perf_counter())


def is_picture(data: dict) -> bool:
    """Whether an output, by MIME type, has a picture.

    >>> is_picture({"image/png": "iVBO"}), is_picture({"text/html": "<p><svg>"}), is_picture({"text/plain": "<svg>"})
    (True, True, False)
    """
    shown = "".join(data.get("text/html", ""))
    return any(kind.startswith("image/") for kind in data) or "<img" in shown or "<svg" in shown


def measured(path: Path) -> dict[str, float | None]:
    """What a reader waits for in a notebook, executed in its folder; the notebook stays as it is.

    Returns:
        Seconds, to a tenth, by the names of :data:`LIMITS`, and "slowest cell". "first picture" is None without one.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    notebook = nbformat.read(path, as_version=4)
    client = Watch(notebook, timeout=None, resources={"metadata": {"path": str(path.parent)}})
    environment = {name: value for name, value in os.environ.items() if name != "ICG_BOOK_BUILD"}
    with client.setup_kernel(env=environment | {"OMP_NUM_THREADS": "1"}):
        start = time.perf_counter()
        for index, cell in enumerate(notebook.cells):
            client.watch(cell, index)
        found = {
            "seconds": time.perf_counter() - start,
            "first picture": None if client.first_picture is None else client.first_picture - start,
            "slowest cell": max(times[-1] - times[0] for times in client.cells),
            "longest silence": max(last - first for times in client.cells for first, last in pairwise(times)),
        }
    return {name: None if seconds is None else round(seconds, 1) for name, seconds in found.items()}


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


def over(found: dict) -> list[str]:
    """What of a chapter takes longer than :data:`LIMITS` allow.

    >>> over({"seconds": 120.0, "first picture": 60.1, "longest silence": 3.0}), over({"seconds": 1.0})
    (['first picture'], ['first picture', 'longest silence'])
    """
    return [what for what, limit in LIMITS.items() if found.get(what) is None or found[what] > limit]


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
        found = measured(files[name])
        print(", ".join(f"{what} {seconds} s" for what, seconds in found.items()))
        for what in over(found):
            print(f"  {what}: at most {LIMITS[what]} s")
        chapters[name] = {
            **found,
            "data sets": [data.name for data in DATA_SETS if data not in missing()],
            "processor": processor(),
            **made,
        }
        ours = {name: chapters[name] for name in files if name in chapters}
        write_result(NAME, {"what": WHAT, "chapters": ours}, root / "data")
        files[name].write_text(said(files[name], rounded(found["seconds"])), "utf-8")  # of what is kept


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
