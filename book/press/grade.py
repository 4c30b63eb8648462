"""Grades what students hand in: `make grade SUBMISSIONS=FOLDER`, after `make assignments`.

The folder, or a zip of it, holds STUDENT/CHAPTER.ipynb, STUDENT/CHAPTER/CHAPTER.ipynb or STUDENT_CHAPTER.ipynb.
nbgrader puts locked cells back as they were, runs each notebook, and grades it. `grades.csv` and `feedback/` lie in the
course's folder. What was graded already, and is unchanged since, is left alone.

The code that is run is the students'. It can do whatever you can: where you do not trust it, grade in a container.
"""

import argparse
import copy
import csv
import hashlib
import json
import re
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbgrader.api import Gradebook, MissingEntry

from press.assignments import CONFIG, COURSE, course, succeeded

DONE = "graded.json"  # what was graded, by student and chapter


# ---- what was handed in ---------------------------------------------------------------------------------------------


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """The folder, or that which a zip file holds.

    Raises:
        ValueError: neither a folder nor a zip file.
    """
    if path.is_dir():
        yield path
    elif path.is_file() and zipfile.is_zipfile(path):
        with tempfile.TemporaryDirectory() as folder:
            zipfile.ZipFile(path).extractall(folder)  # leaves out what would go elsewhere
            yield Path(folder)
    else:
        raise ValueError(f"expected a folder of submissions, or a zip file, got {path}")


def submissions(folder: Path, chapters: list[str]) -> tuple[dict[tuple[str, str], Path], list[str]]:
    """The notebooks in a folder, by student and chapter, and a sentence about each that is none of these.

    Folders around those of the students, as a zip file has them, do not matter.
    """
    found, refused = {}, []
    flat = re.compile(rf"(?P<student>.+)_(?P<chapter>{'|'.join(map(re.escape, chapters))})")
    for path in sorted(folder.rglob("*.ipynb")):
        inside = path.relative_to(folder)
        if any(part.startswith((".", "__MACOSX")) for part in inside.parts):
            continue
        chapter, above = path.stem, list(inside.parts[:-1])
        if chapter in chapters and above and above[-1] == chapter:
            above.pop()
        if chapter in chapters and above:
            student = above[-1]
        elif named := flat.fullmatch(path.stem):
            student, chapter = named["student"], named["chapter"]
        else:
            refused.append(f"{inside}: expected STUDENT/CHAPTER.ipynb with a chapter among {', '.join(chapters)}")
            continue
        if not re.fullmatch(r"[\w@.,' -]+", student) or student.strip() != student:
            refused.append(f"{inside}: expected a student's name of letters, digits and @ . , ' - _, got {student}")
        elif (student, chapter) in found:
            refused.append(f"{inside}: {student} has handed in {chapter} already, as {found[student, chapter].name}")
        else:
            found[student, chapter] = path
    return found, refused


def grade_id(cell) -> str | None:
    """What nbgrader calls a cell, if it does."""
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def repaired(path: Path, release) -> tuple[nbformat.NotebookNode, list[str]]:
    """A submission with all locked cells of the release, in their places, and what had to be done about it.

    What they hold is nbgrader's to put back. A missing answer stays missing: it may stand in a cell of its own.

    Raises:
        ValueError: no notebook, or one with none of the release's cells.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ids that came twice get new ones
            notebook = nbformat.reads(path.read_text("utf-8"), as_version=4)
            nbformat.validate(notebook)
    except Exception as error:  # many kinds, none of which says what to do
        raise ValueError(f"expected a notebook, got a file that is none ({type(error).__name__})") from error
    wanted = {grade_id(cell): cell for cell in release.cells}
    last = {grade_id(cell): index for index, cell in enumerate(notebook.cells) if grade_id(cell) in wanted}
    if not last:
        raise ValueError("expected the cells of the assignment, got a notebook with none of them")
    twice = []
    for index, cell in enumerate(notebook.cells):
        name = grade_id(cell)
        cell.metadata.pop("nbgrader", None)  # points and locks are those of the release, and no other cell has any
        if last.get(name) == index:
            cell.metadata["nbgrader"] = copy.deepcopy(wanted[name].metadata.nbgrader)
        elif name in last:
            twice.append(name)
    place, missing = len(notebook.cells), []
    for name, cell in reversed(wanted.items()):  # from the end, so that places hold
        if name in last:
            place = last[name]
            continue
        missing.append(name)
        if not cell.metadata.nbgrader.solution:
            notebook.cells.insert(place, copy.deepcopy(cell))
    remarks = [f"{len(missing)} cells were missing: {', '.join(missing[::-1])}"] if missing else []
    remarks += [f"cells came twice, the last one counts: {', '.join(dict.fromkeys(twice))}"] if twice else []
    return notebook, remarks


# ---- grading --------------------------------------------------------------------------------------------------------


def scores(folder: Path, student: str, chapter: str) -> dict[str, tuple[float, float]]:
    """Of each exercise in nbgrader's gradebook: points, and how many there are."""
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as book:
        try:
            found = book.find_submission_notebook(chapter, chapter, student)
        except MissingEntry:
            return {}
        return {grade.name: (grade.score, grade.max_score) for grade in found.grades}


def row(folder: Path, key: str, record: dict) -> dict:
    """A line of grades.csv."""
    student, chapter = key.split("/")
    found = {} if record["failed"] else scores(folder, student, chapter)
    points = {name: score for name, (score, _) in found.items()}
    total = {"score": sum(points.values()), "max_score": sum(most for _, most in found.values())} if found else {}
    return {"assignment": chapter, "student_id": student, **total, "remark": record["remark"], **points}


def write_grades(folder: Path, done: dict[str, dict]) -> list[dict]:
    """Write grades.csv: a line for each student and chapter, a column for each exercise. Returns its lines."""
    rows = [row(folder, key, done[key]) for key in sorted(done)]
    columns = dict.fromkeys(("assignment", "student_id", "score", "max_score", "remark"))
    for one in rows:
        columns |= dict.fromkeys(one)
    with (folder / "grades.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return rows


def grade(path: Path, folder: Path = COURSE, force: bool = False) -> tuple[list[dict], list[str]]:
    """Grade the submissions of a folder or a zip file; says on the terminal how far it is.

    Args:
        path: the folder, or the zip file.
        folder: the course's.
        force: also what was graded already and is unchanged, as are its tests.

    Returns:
        The lines of grades.csv for these submissions, and a sentence about each notebook that is none.

    Raises:
        ValueError: nothing to grade, or no assignments.
    """
    released = {file.stem: file for file in sorted(folder.glob("release/*/*.ipynb"))}
    if not released or not (folder / CONFIG).exists():
        raise ValueError(f"expected assignments in {folder}: `make assignments` writes them")
    record = folder / DONE
    done = json.loads(record.read_text("utf-8")) if record.exists() else {}
    with unpacked(path) as opened:
        found, refused = submissions(opened, list(released))
        if not found:
            raise ValueError("; ".join(refused) or f"expected STUDENT/CHAPTER.ipynb in {path}, got no notebook")
        for sentence in refused:
            print(f"not graded: {sentence}", file=sys.stderr)
        nbgrader = course(folder)
        for number, ((student, chapter), file) in enumerate(found.items(), 1):
            key = f"{student}/{chapter}"
            print(f"[{number}/{len(found)}] {key}: ", end="", flush=True)
            source = folder / "source" / chapter / f"{chapter}.ipynb"
            parts = [part.read_bytes() for part in (file, source, folder / CONFIG)]
            digest = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()
            if not force and done.get(key, {}).get("digest") == digest:
                print("unchanged")
                continue
            done[key] = {"digest": digest, "failed": False, "remark": ""}
            try:
                notebook, remarks = repaired(file, nbformat.read(released[chapter], as_version=4))
                place = folder / "submitted" / student / chapter
                place.mkdir(parents=True, exist_ok=True)
                nbformat.write(notebook, place / f"{chapter}.ipynb")
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    succeeded(nbgrader.autograde(chapter, student))
                    succeeded(nbgrader.generate_feedback(chapter, student))
                done[key]["remark"] = "; ".join(remarks)
            except ValueError as error:  # the others are graded
                done[key] |= {"failed": True, "remark": f"not graded: {error}"}
            record.write_text(json.dumps(done, indent=1, ensure_ascii=False) + "\n", "utf-8")
            graded = row(folder, key, done[key])
            total = f"{graded['score']:g} of {graded['max_score']:g} points" if "score" in graded else ""
            print("; ".join(filter(None, [total, done[key]["remark"]])))
    rows = write_grades(folder, done)
    ours = {f"{student}/{chapter}" for student, chapter in found}
    return [one for one in rows if f"{one['student_id']}/{one['assignment']}" in ours], refused


def table(rows: list[dict]) -> str:
    """Points by student and chapter, for the terminal."""
    lines = [["student", "assignment", "points", "    of", ""]]
    for one in rows:
        points, most = (f"{one[key]:6g}" if key in one else "     -" for key in ("score", "max_score"))
        lines.append([one["student_id"], one["assignment"], points, most, one["remark"]])
    widths = [max(len(line[column]) for line in lines) for column in range(4)] + [0]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("submissions", type=Path, metavar="SUBMISSIONS", help="a folder, or a zip file of it")
    parser.add_argument("--course", type=Path, default=COURSE, metavar="FOLDER")
    parser.add_argument("--force", action="store_true", help="grade again what is unchanged")
    options = parser.parse_args(arguments)
    try:
        places = (path.expanduser().resolve() for path in (options.submissions, options.course))
        rows, _ = grade(*places, options.force)
    except ValueError as error:
        print(f"Nothing graded: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on from here.", file=sys.stderr)
        return 130
    print(
        f"\n{table(rows)}\n\nPoints by exercise: {options.course / 'grades.csv'}; pages to hand back: feedback/ there"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
