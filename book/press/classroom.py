"""The teacher's pack: a plan of seven sessions, an exam and a handout, with the chapters' own titles and numbers.

Their sources in book/classroom/ have a placeholder wherever a chapter knows better, such as ``{{ minutes ex-ig }}``,
so a plan cannot promise an exercise, a title or a time that no chapter has:

- ``{{ exercise LABEL }}``: its title, difficulty and minutes; ``{{ title LABEL }}``: its title alone;
- ``{{ minutes LABEL … }}``: the minutes of these exercises together;
- ``{{ chapter NAME }}``: its title, linked to its notebook;
- ``{{ reading NAME … }}``, ``{{ practice NAME … }}``: minutes to read, and of all exercises; ``{{ runs NAME … }}``:
  seconds to run, all of these chapters together;
- ``{{ overview }}``: a table of all chapters with these numbers;
- ``{{ clock }}``: first cell of a table's row whose second cell is a number of minutes: from when to when it lasts.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from markdown_it import MarkdownIt

from press.chapters import ROOT, Chapter, at, chapter_files, read_chapter

FILES = ("plan.md", "exam.md", "handout.md")
PLACEHOLDER = re.compile(r"\{\{(.*?)\}\}", re.S)
CLOCK = "{{ clock }}"
ROW = re.compile(rf"\| {re.escape(CLOCK)} \| (\d+) \|")
WORDS_A_MINUTE = 200
# A4 with margins; letters that can be read on paper.
PRINTED = """
@page { size: A4; margin: 14mm 16mm }
body { font: 10pt/1.32 "Helvetica Neue", Arial, "Liberation Sans", sans-serif; margin: 0 auto; max-width: 178mm }
h1 { font-size: 15pt; margin: 0 0 2mm } h2 { font-size: 11pt; margin: 3mm 0 1mm }
p, ul, ol, pre, table { margin: 1mm 0 } ul, ol { padding-left: 5mm }
code, pre { font-family: "DejaVu Sans Mono", monospace; font-size: 8.4pt }
pre { background: #f2f4f6; padding: 1.5mm } table { border-collapse: collapse }
td, th { border-top: 1px solid #ccd; padding: 0.6mm 2mm 0.6mm 0; text-align: left; vertical-align: top }
"""


def fill(text: str, chapters: Iterable[Chapter]) -> str:
    """Put the chapters' titles and numbers in the place of all placeholders.

    Raises:
        ValueError: a placeholder of no known kind; an exercise or a chapter that there is not, or none where one is
            needed; a chapter whose run time is not measured.
    """
    chapters = list(chapters)
    by_name = {chapter.file.removesuffix(".ipynb"): chapter for chapter in chapters}
    by_label = {exercise.label: exercise for chapter in chapters for exercise in chapter.exercises}
    kinds: dict[str, tuple[dict, Callable]] = {
        "exercise": (by_label, lambda e: f"{e.title} ({e.difficulty}, {e.minutes} minutes)"),
        "title": (by_label, lambda e: e.title),
        "minutes": (by_label, lambda *all_: sum(e.minutes for e in all_)),
        "chapter": (by_name, lambda c: f"[{c.title}]({c.file})"),
        "reading": (by_name, lambda *all_: sum(map(reading, all_))),
        "practice": (by_name, lambda *all_: sum(c.practice for c in all_)),
        "runs": (by_name, lambda *all_: sum(map(running, all_))),
    }

    def value(found: re.Match) -> str:
        with at(f"placeholder {found[0]}"):
            kind, *names = found[1].split() or [""]
            if kind == "overview" and not names:
                return overview(chapters)
            if kind == "clock" and not names:
                return CLOCK  # when all minutes are known
            if kind not in kinds:
                raise ValueError(f"expected one of {', '.join(kinds)}, overview or clock, got {kind or 'nothing'}")
            known, say = kinds[kind]
            if unknown := [name for name in names if name not in known]:
                raise ValueError(f"expected names among {', '.join(known)}, got {', '.join(unknown)}")
            several = kind in ("minutes", "reading", "practice", "runs")
            if not names or (len(names) > 1 and not several):
                raise ValueError(f"expected {'one or more names' if several else 'one name'}, got {len(names)}")
            return str(say(*(known[name] for name in names)))

    return timed(PLACEHOLDER.sub(value, text))


def timed(text: str) -> str:
    """Say in each row of a session's table from which minute to which it lasts; each table begins at 0.

    Raises:
        ValueError: the cell after the clock is no number of minutes, or a clock stands elsewhere.
    """
    lines, now = text.split("\n"), 0
    for number, line in enumerate(lines):
        if CLOCK not in line:
            now = 0
            continue
        row = ROW.match(line)
        if row is None:
            raise ValueError(f"expected a row | {CLOCK} | MINUTES | …, got {line[:60]}")
        end = now + int(row[1])
        lines[number] = line.replace(CLOCK, f"{now} to {end}", 1)
        now = end
    return "\n".join(lines)


def reading(chapter: Chapter) -> int:
    """Minutes to read: what the chapter says; where it is silent, its words at 200 a minute, rounded to 5 minutes.

    Exercises are not among the words: they have minutes of their own.
    """
    if chapter.reading:
        return chapter.reading
    practice = {exercise.start + part for exercise in chapter.exercises for part in range(4)}
    words = sum(
        len(cell.source.split())
        for position, cell in enumerate(chapter.notebook.cells)
        if cell.cell_type == "markdown" and position not in practice
    )
    return max(5 * round(words / WORDS_A_MINUTE / 5), 5)


def running(chapter: Chapter) -> int:
    """Seconds to run, as `make times` has measured and written into the chapter's head.

    Raises:
        ValueError: it has not.
    """
    if chapter.running is None:
        raise ValueError(f"expected a measured run time at the head of {chapter.file} (make times), got none")
    return chapter.running


def overview(chapters: Iterable[Chapter]) -> str:
    """A Markdown table: for each chapter minutes to read and to practise, and seconds to run."""
    rows = [
        "| chapter | reading (minutes) | exercises | exercises (minutes) | running (seconds) |",
        "|---|--:|--:|--:|--:|",
    ]
    for c in chapters:
        rows.append(f"| [{c.title}]({c.file}) | {reading(c)} | {len(c.exercises)} | {c.practice} | {running(c)} |")
    return "\n".join(rows)


def printed(text: str, title: str) -> str:
    """Markdown as a page to print: HTML that loads nothing."""
    body = MarkdownIt().enable("table").render(text)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{PRINTED}</style></head>\n<body>\n{body}</body></html>\n"
    )


def write(out: Path, root: Path = ROOT) -> list[Path]:
    """Write the pack into a folder, which is made if it is missing; on an error, nothing.

    Besides the three Markdown files there is handout.html, the handout as one printed page.

    Args:
        out: the folder, such as that of the teacher's edition, whose notebooks the plan links to.
        root: the checkout.

    Returns:
        The files.

    Raises:
        ValueError: as :func:`fill`; the message names the file.
    """
    chapters = [read_chapter(path) for path in chapter_files(root)]
    texts = {}
    for name in FILES:
        with at(name):
            texts[name] = fill((root / "book" / "classroom" / name).read_text("utf-8"), chapters)
    texts["handout.html"] = printed(texts["handout.md"], "Fair Attribution: handout")
    out.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (out / name).write_text(text, "utf-8")
    return [out / name for name in texts]
