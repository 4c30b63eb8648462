"""Build the book, and only when something changed: `make book` calls this.

Jupyter Book keys its execution cache on a notebook's own code, so after a change in icg/, book/icg_book/ or data/
it would show old results. Here the cache is also keyed on the content of all three, on the installed packages, and on
the data sets that are here. Those that are not are fetched first (press/fetch.py), unless ICG_FETCH=no.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from pathlib import Path

from jupyter_cache import get_cache

from icg_book.kit.folders import missing
from press import slim
from press.chapters import ROOT, read_chapter
from press.digests import BUILD, digest

INDEX = BUILD / "html" / "book" / "index.html"


def read(file: Path) -> str:
    return file.read_text() if file.exists() else ""


def state(*names: str) -> str:
    """A hash of these files and folders and of the installed packages, and the data sets that are not here."""
    return " ".join([digest(*names), *(data.name for data in missing())])


def slow(records: Iterable, since: datetime) -> Iterator[str]:
    """What to say of chapters that ran since then, and took more than three times as long as they say.

    Args:
        records: of jupyter-cache, one for each execution.
        since: in UTC, without a time zone, as the records have it.
    """
    for record in (record for record in records if record.created >= since):
        chapter, seconds = read_chapter(Path(record.uri)), record.data["execution_seconds"]
        if chapter.running and seconds > 3 * chapter.running:
            yield f"{chapter.file} took {seconds:.0f} s and says {chapter.running} s; `make times` measures it again"


def main() -> int:
    BUILD.mkdir(exist_ok=True)
    results_key, pages_key = BUILD / "results.key", BUILD / "pages.key"
    code = ("icg", "book/icg_book", "data")
    everything = (*code, "book", "_config.yml", "_toc.yml")
    if missing() and os.environ.get("ICG_FETCH") != "no":
        subprocess.run([sys.executable, "-m", "press.fetch"])  # on its own: it imports much, and this is to be quick
    before_code, before = state(*code), state(*everything)

    if read(pages_key) == before and INDEX.exists():
        print("The book is up to date.")
    else:
        pages_key.unlink(missing_ok=True)
        if read(results_key) != before_code:
            shutil.rmtree(BUILD / ".jupyter_cache", ignore_errors=True)
            results_key.write_text(before_code)
        # A page that is no longer in _toc.yml must not stay behind.
        shutil.rmtree(BUILD / "html", ignore_errors=True)
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        environment = {
            "OMP_NUM_THREADS": str(min(cores, 8)),
            "ICG_BOOK_BUILD": "1",
        } | os.environ
        start = datetime.now(timezone.utc).replace(tzinfo=None)
        # All pages every time: a partial build repeats no warnings, and -W could not catch them.
        jupyter_book = Path(sys.executable).with_name("jupyter-book")
        command = [jupyter_book, "build", ".", "--all", "-W", "--keep-going"]
        status = subprocess.run(command, cwd=ROOT, env=environment).returncode
        if state(*code) != before_code:  # edited while it ran: nothing of this may be reused
            results_key.unlink()
        if status:
            print(
                "The book did not build: see the warnings and errors above.",
                file=sys.stderr,
            )
            return status
        slim.shed(BUILD / "html")
        pages_key.write_text(before)
        for line in slow(get_cache(BUILD / ".jupyter_cache").list_cache_records(), start):
            print(line)
    print(f"Open {INDEX.as_uri()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
