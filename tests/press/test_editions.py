"""The editions for the classroom: students get no solution, teachers get all, and both read well in Jupyter."""

import importlib
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from raw_myst import raw_myst

from press import editions, solutions
from press.chapters import chapter_files, read_chapter
from press.needs import needed
from press.notebooks import Book
from press.plain import literal

ROOT = Path(__file__).resolve().parents[2]
BOOK = Book.read(ROOT)
FENCED = re.compile(r"^```\w*\n(.*?)^```", re.S | re.M)


def assert_fit_for_class(notebook):
    """Valid, nothing raw, no output, and every code cell is Python."""
    nbformat.validate(notebook)
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    assert not raw_myst(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None
            compile(re.sub(r"^[%!].*", "", cell.source, flags=re.M), cell.id, "exec")


# ---- the chapters of the book


def parts(chapter, tag):
    """The chapter's cells with this tag."""
    return [cell for cell in chapter.notebook.cells if tag in cell.metadata.get("tags", ())]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """``written[edition][file]``: the notebooks as they lie in the folder."""
    folders = {kind: editions.write(kind, tmp_path_factory.mktemp(kind), ROOT) for kind in editions.EDITIONS}
    return {
        kind: {path.name: nbformat.read(path, as_version=4) for path in folder.glob("*.ipynb")}
        for kind, folder in folders.items()
    }


def test_every_chapter_of_the_contents_is_there(written):
    listed = re.findall(r"file: (\S+)", (ROOT / "_toc.yml").read_text("utf-8"))
    expected = [f"{Path(name).name}.ipynb" for name in listed if (ROOT / f"{name}.ipynb").exists()]
    assert [chapter.file for chapter in BOOK.chapters] == expected
    assert expected
    three = [file for chapter in BOOK.chapters for file in chapter.files]
    assert sorted(written["teacher"]) == sorted(three)
    assert sorted(written["student"]) == sorted(file for file in three if "-solutions" not in file)


def test_the_chapters_are_full_of_raw_myst():
    """Else it would mean little that none is found in the editions."""
    found = [kind for chapter in BOOK.chapters for _, kind in raw_myst(chapter.notebook)]
    assert len(found) > 300
    assert {"directive", "role", "label of an equation", "option"} <= set(found)


@pytest.mark.parametrize("kind", editions.EDITIONS)
@pytest.mark.parametrize("chapter", BOOK.chapters, ids=lambda chapter: chapter.file)
def test_a_chapters_notebooks_are_fit_for_class(written, chapter, kind):
    for file in set(chapter.files) & set(written[kind]):
        notebook = written[kind][file]
        assert_fit_for_class(notebook)
        first = next(cell for cell in notebook.cells if cell.cell_type == "code")
        assert first.source.startswith("#@title Set-up\n") and "find_spec" in first.source and "pip" in first.source
        assert notebook.metadata == chapter.notebook.metadata
        links = [link for cell in notebook.cells for link in re.findall(r"\]\(([\w-]+\.ipynb)", cell.source)]
        assert set(links) <= set(written[kind]), "a link leads to a notebook that is not in the edition"


@pytest.mark.parametrize("chapter", BOOK.chapters, ids=lambda chapter: chapter.file)
def test_the_chapter_lists_its_exercises_and_holds_none(written, chapter):
    notebook = written["student"][chapter.file]
    exercises = {cell.id for tag in ("exercise", "stub", "hints", "solution") for cell in parts(chapter, tag)}
    kept = [cell for cell in chapter.notebook.cells if cell.id not in exercises]
    assert [cell.id for cell in notebook.cells if not cell.id.startswith("edition-")] == [cell.id for cell in kept]
    code = [re.sub(r"^#@title .*\n", "", cell.source) for cell in notebook.cells if cell.cell_type == "code"]
    assert code == [cell.source for cell in kept if cell.cell_type == "code"]
    drawn = [k for k, cell in enumerate(notebook.cells) if "figure" in cell.metadata.get("mystnb", {})]
    assert drawn and all(re.match(r"\*\*Fig\. \d+\.\d+\.\*\* \S.*\.$", notebook.cells[k + 1].source) for k in drawn)
    (position,) = (k for k, cell in enumerate(notebook.cells) if cell.id == "edition-exercises")
    table = notebook.cells[position].source
    assert "## Exercises" in notebook.cells[position - 1].source and f"]({chapter.files[1]})" in table
    for exercise in chapter.exercises:
        assert f"| {exercise.title} | {exercise.difficulty} | {exercise.minutes} |\n" in table


@pytest.mark.parametrize("kind", editions.EDITIONS)
@pytest.mark.parametrize("chapter", BOOK.chapters, ids=lambda chapter: chapter.file)
def test_hidden_code_is_folded_under_a_title(written, chapter, kind):
    tags = {"hide-input", "hide-cell", "remove-input"}
    hidden = {cell.id for cell in chapter.notebook.cells if tags & set(cell.metadata.get("tags", ()))}
    for file in set(chapter.files) & set(written[kind]):
        for cell in written[kind][file].cells:
            folded = cell.metadata.get("jupyter", {}).get("source_hidden", False)
            assert folded == (cell.id in hidden) == (cell.metadata.get("cellView") == "form")
            assert folded == bool(re.match(r"#@title \S.{3,90}\n", cell.source))


@pytest.mark.parametrize("chapter", BOOK.chapters, ids=lambda chapter: chapter.file)
def test_students_get_exercises_without_solutions(written, chapter):
    notebook = written["student"][chapter.files[1]]
    for file in set(chapter.files) & set(written["student"]):
        everything = "\n".join(cell.source for cell in written["student"][file].cells)
        kept = [cell for cell in chapter.notebook.cells if "solution" not in cell.metadata.get("tags", ())]
        elsewhere = "\n".join(cell.source for cell in kept)
        assert len(parts(chapter, "solution")) == len(chapter.exercises)
        for cell in parts(chapter, "solution"):
            for fence in FENCED.findall(cell.source):
                assert fence.strip() not in everything
            lines = [line.strip() for line in cell.source.split("\n")]
            assert not [line for line in lines if len(line) > 12 and line in everything and line not in elsewhere]
        assert "Solution" not in everything and "For the teacher" not in everything
        assert "misconceptions" not in json.dumps(written["student"][file])
    everything = "\n".join(cell.source for cell in notebook.cells)
    for exercise in chapter.exercises:
        assert f"**Exercise: {exercise.title}**" in everything
        assert exercise.check is None or f"checks.accept({exercise.stub})" in everything
    assert sum(cell.source.count("hint</summary>") for cell in notebook.cells) == 2 * len(chapter.exercises)
    expected = [cell.id for cell in needed(chapter)]
    for exercise in chapter.exercises:
        expected += [cell.id for cell in chapter.notebook.cells[exercise.start : exercise.start + 3]]
    assert [cell.id for cell in notebook.cells if not cell.id.startswith("edition-")] == expected
    assert f"]({chapter.file})" in notebook.cells[0].source and notebook.cells[0].source.startswith("# Exercises: ")


@pytest.mark.parametrize("chapter", BOOK.chapters, ids=lambda chapter: chapter.file)
def test_teachers_get_solutions_that_run_notes_and_an_overview(written, chapter):
    assert f"]({chapter.files[2]})" in written["teacher"][chapter.files[1]].cells[0].source
    cells = written["teacher"][chapter.files[2]].cells
    assert all(f"]({file})" in cells[0].source for file in chapter.files[:2])
    top = cells[1].source
    assert f"| **all exercises** | | **{chapter.practice}** | |" in top
    assert chapter.reading is None or f"about {chapter.reading} minutes" in top
    assert chapter.running is None or f"about {chapter.running} s on one core" in top
    for exercise in chapter.exercises:
        assert f"| {exercise.title} | {exercise.difficulty} | {exercise.minutes} |" in top
        solution = chapter.notebook.cells[exercise.start + 3]
        shown = [k for k, cell in enumerate(cells) if cell.id.startswith(f"{solution.id}-")]
        shown = [k for k in shown if re.fullmatch(rf"{solution.id}-\d+", cells[k].id)]
        assert cells[shown[0]].source.startswith(f"**Solution: {exercise.title}**")
        code = [cells[k].source for k in shown if cells[k].cell_type == "code"]
        fenced = [fence.strip() for fence in FENCED.findall(solution.source)]
        assert code[: len(fenced)] == fenced and len(code) == len(fenced) + 1
        assert not exercise.check or code[-1] == f"checks.{exercise.check}({exercise.stub})"
        assert not any("<details>" in cells[k].source for k in shown)
        note = cells[shown[-1] + 1].source  # right after the solution
        assert note.startswith(f"**For the teacher: {exercise.title}**")
        assert f"{exercise.minutes} minutes" in note and exercise.difficulty.capitalize() in note
        for misconception in exercise.misconceptions:
            assert misconception in note
        if exercise.check:
            checks = importlib.import_module(f"icg_book.{chapter.file.removesuffix('.ipynb')}.checks")
            hints = getattr(getattr(checks, exercise.check), "hints", {})
            assert note.count("\n- “") == len(hints)
            for hint in hints:
                assert f"“{literal(hint)}”" in note
        else:
            assert "no check" in note


@pytest.mark.parametrize("name", ["shapley.ipynb", "burnt_snacks.ipynb"])
def test_solutions_run_and_their_checks_say_right(name):
    (chapter,) = (chapter for chapter in BOOK.chapters if chapter.file == name)
    assert solutions.run(BOOK, chapter) == sum(exercise.check is not None for exercise in chapter.exercises)


# ---- small books


class FakeCheck:
    """What the editions know of a check."""

    stub, otherwise, without_library = "my_double", "Another double.", False
    hints = {"You add two: * means product.": None, "Expected a double, got {answer} for `2 * x`.": None}

    def __call__(self, function):
        raise AssertionError("writing an edition asks no check")


BIBLIOGRAPHY = """
@misc{one, title = {The {First}}, author = {Vi{\\'e}gas, Fernanda and Lee, Su-In}, year = {2017}, eprint = {1},
  archiveprefix = {arXiv}}
@article{many, title = {More}, author = {van Dyk, A. and Bee, B. and Cee, C.}, year = {2020}, journal = {Journal},
  url = {https://example.org/more}}
@misc{noone, title = {Blind}, author = {{Anonymous authors}}, year = {2022}}
"""


def exercise(label="ex-double", name="my_double", *, difficulty="easy", minutes=5, check="check_double"):
    about = {"exercise": label, "minutes": minutes, "difficulty": difficulty, "misconceptions": ["Adding two."]}
    task = f":::{{exercise}} Twice\n:label: {label}\n\n*{difficulty.capitalize()}, {minutes} minutes.* Double it.\n:::"
    stub = f"def {name}(x):\n    return ...  # your answer\n"
    if check:
        stub += f"\n\n# checks.{check}({name})\n# {name} = checks.accept({name})  # or go on"
    hints = "".join(
        f"<details><summary>{n} hint</summary>\n\nTwo.\n\n</details>\n" for n in ("First", "Second")
    ).strip()
    answer = f"```python\ndef {name}(x):\n    return 2 * x\n```"
    solution = f"<details><summary>Solution</summary>\n\n{answer}\n\nSee {{cite:p}}`one`.\n\n</details>"
    return [
        new_markdown_cell(task, metadata={"tags": ["exercise"], "icg": about}),
        new_code_cell(stub, metadata={"tags": ["stub"]}),
        new_markdown_cell(hints, metadata={"tags": ["hints"]}),
        new_markdown_cell(solution, metadata={"tags": ["solution"]}),
    ]


def markdown(*sources):
    return [new_markdown_cell(source) for source in sources]


FRONT = "# Doubles\n\nAbout 7 minutes to read."


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """``root = checkout(first=cells, second=cells)``: a repository with these chapters."""

    def checkout(**chapters):
        (tmp_path / "book").mkdir(exist_ok=True)
        for name in chapters:
            checks = SimpleNamespace(check_double=FakeCheck())
            monkeypatch.setitem(sys.modules, f"icg_book.{name}.checks", checks)
        (tmp_path / "book" / "references.bib").write_text(BIBLIOGRAPHY)
        (tmp_path / "_config.yml").write_text(
            "repository:\n  url: https://example.org/book\n  branch: main\nbibtex_bibfiles: [book/references.bib]\n"
        )
        files = "".join(f"  - file: book/{name}\n" for name in (*chapters, "references"))
        (tmp_path / "_toc.yml").write_text(f"root: book/index\nchapters:\n{files}")
        for name, cells in chapters.items():
            if not cells or not cells[0].source.startswith("# "):
                cells = [*markdown(FRONT), *cells]
            notebook = new_notebook(cells=cells)
            for k, cell in enumerate(notebook.cells):
                cell.id = f"cell-{k:02d}"
            nbformat.write(notebook, tmp_path / "book" / f"{name}.ipynb")
        return tmp_path

    return checkout


def plain(root, source):
    book = Book.read(root)
    return book.words.plain(source, book.chapters[0].file, set())


def sources(folder, name):
    return [cell.source for cell in nbformat.read(folder / f"{name}.ipynb", as_version=4).cells]


def test_both_editions_of_a_small_book(checkout):
    code = new_code_cell("import math", outputs=[new_output("stream", text="2")], execution_count=3)
    end = new_markdown_cell("## Exercises\n\nFor all, $x$ is {eq}`eq-x`.\n\n$$x$$ (eq-x)")
    root = checkout(doubles=[code, end, *exercise(), *markdown("## Summary")])
    out = {kind: editions.write(kind, root=root) for kind in editions.EDITIONS}
    assert out["student"] == root / "_build" / "student"
    for folder in out.values():
        for path in folder.glob("*.ipynb"):
            assert_fit_for_class(nbformat.read(path, as_version=4))
        assert sources(folder, "doubles")[1:] == [
            "import math",
            "## Exercises\n\nFor all, $x$ is (1.1).\n\n$$x \\tag{1.1}\n$$",
            "| exercise | difficulty | minutes |\n|---|---|--:|\n| Twice | easy | 5 |\n\n"
            "They are in [a notebook of their own](doubles-exercises.ipynb).",
            "## Summary",
        ]
    student = nbformat.read(out["student"] / "doubles-exercises.ipynb", as_version=4)
    head, code, introduction, task, stub, hints = student.cells
    assert head.source == "# Exercises: Doubles\n\nThe chapter is [Doubles](doubles.ipynb)."
    assert code.source == "import math"
    assert introduction.source.startswith("For all, $x$ is (1.1) of [Doubles](doubles.ipynb).")
    assert task.source == "**Exercise: Twice**\n\n*Easy, 5 minutes.* Double it."
    assert task.metadata["icg"] == {"exercise": "ex-double", "minutes": 5, "difficulty": "easy"}
    assert "accept(my_double)" in stub.source and hints.source.startswith("<details>")
    assert "2 * x" not in json.dumps(student) and "2017" not in json.dumps(student)

    teacher = sources(out["teacher"], "doubles-solutions")
    assert teacher[3:6] == sources(out["student"], "doubles-exercises")[2:5]
    (_, top, *_), (first, answer, trial, text, note, references) = teacher[:4], teacher[-6:]
    assert "| Twice | easy | 5 | `check_double` |" in top and "about 7 minutes" in top
    assert "runs in" not in top
    assert (first, answer) == ("**Solution: Twice**", "def my_double(x):\n    return 2 * x")
    assert (trial, text) == ("checks.check_double(my_double)", "See (Viégas and Lee, 2017).")
    assert "- Adding two." in note
    assert "- “You add two: \\* means product.”\n- “Expected a double, got {answer} for `2 * x`.”" in note
    work = references.replace("\\", "").removeprefix("## References\n\n")  # pybtex escapes more than it must
    assert work == "- Fernanda Viégas and Su-In Lee. The First. 2017. [arXiv:1](https://arxiv.org/abs/1)."
    readme = {kind: (folder / "README.md").read_text("utf-8") for kind, folder in out.items()}
    row = "| [Doubles](doubles.ipynb) | 7 | [1](doubles-exercises.ipynb) | 5 |"
    assert f"{row}\n" in readme["student"]
    assert f"{row} [solutions](doubles-solutions.ipynb) | – |\n" in readme["teacher"]


def test_several_exercises_in_several_chapters(checkout):
    second = exercise("ex-b", "my_b", difficulty="open", minutes=20, check=None)
    second[1].source += "\n\nk = 2\nprint(my_b(k))\n"
    root = checkout(a=[*exercise("ex-a", "my_a"), *markdown("Between."), *second], b=[*exercise("ex-c", "my_c")])
    folder = editions.write("teacher", root=root)
    cells = nbformat.read(folder / "a-solutions.ipynb", as_version=4).cells
    starts = [cell.source.split("\n")[0] for cell in cells if cell.cell_type == "markdown"]
    assert starts == [
        *("# Solutions: Doubles", "| exercise | difficulty | minutes | check |"),
        *("**Exercise: Twice**", "<details><summary>First hint</summary>"),
        *("**Solution: Twice**", "See (Viégas and Lee, 2017).", "**For the teacher: Twice**"),
        *("**Exercise: Twice**", "<details><summary>First hint</summary>"),
        *("**Solution: Twice**", "See (Viégas and Lee, 2017).", "**For the teacher: Twice**", "## References"),
    ]
    assert sources(folder, "a")[1:] == [cells[1].source.split("| check")[0] and sources(folder, "a")[1], "Between."]
    assert "| **all exercises** | | **25** | |" in cells[1].source
    assert "| **all** | 14 | 3 | 30 | | |" in (folder / "README.md").read_text("utf-8")
    assert "There is no check" in cells[-2].source
    assert cells[-4].source == "k = 2\nprint(my_b(k))"  # without a check, what the stub does with the answer


def wrong_solution(old, new):
    cells = exercise()
    cells[3].source = cells[3].source.replace(old, new)
    return cells


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("2 * x", "no_such_name", "expected a cell that runs, got NameError"),
        ("2 * x", "x + 2", "expected its check to say “Right”, got Hm"),
    ],
)
def test_a_solution_that_is_not_right_is_told_with_its_place(checkout, old, new, message):
    checks = "class checks:\n    def check_double(f):\n        print('Right' if f(3) == 6 else 'Hm')"
    root = checkout(a=[new_code_cell(checks), *wrong_solution(old, new)])
    book = Book.read(root)
    with pytest.raises(ValueError, match=rf"a-solutions.ipynb, ex-double: {message}"):
        solutions.run(book, book.chapters[0])
    book = Book.read(checkout(a=[new_code_cell(checks), *exercise()]))
    assert solutions.run(book, book.chapters[0]) == 1


def test_what_was_right_is_not_run_again_until_it_changes(checkout, monkeypatch, tmp_path):
    ran = []
    monkeypatch.setattr(solutions, "BUILD", tmp_path / "_build")
    monkeypatch.setattr(solutions, "run", lambda book, chapter: ran.append(chapter.file) or 1)
    first = Book.read(checkout(a=exercise(), b=exercise("ex-b", "my_b")))
    said = list(solutions.run_all(first))
    assert ran == ["a.ipynb", "b.ipynb"] and "1 solutions run, and right" in said[0]
    assert all("unchanged" in line for line in solutions.run_all(first)) and len(ran) == 2
    list(solutions.run_all(Book.read(checkout(a=wrong_solution("2 * x", "x * 2"), b=exercise("ex-b", "my_b")))))
    assert ran[2:] == ["a.ipynb"]
    monkeypatch.setattr(solutions, "digest", lambda *names: "other code")
    list(solutions.run_all(first))
    assert ran[3:] == ["a.ipynb", "b.ipynb"]


def test_hidden_code_needs_a_title(checkout):
    def hidden(source, **about):
        return checkout(a=[new_code_cell(source, metadata={"tags": ["hide-input"], **about})])

    with pytest.raises(ValueError, match="^a.ipynb, cell cell-01: expected a title"):
        editions.write("student", root=hidden("draw()"))
    folder = editions.write("student", root=hidden("draw()", icg={"title": "A picture"}))
    (cell,) = nbformat.read(folder / "a.ipynb", as_version=4).cells[1:]
    assert cell.source == "#@title A picture\ndraw()"
    assert cell.metadata["cellView"] == "form" and cell.metadata["jupyter"] == {"source_hidden": True}
    editions.write("student", root=hidden("%matplotlib inline"))


PLAIN = {
    "citations": (
        "One {cite:p}`one`, more {cite:p}`many, noone`; say\n{cite:p}`one,\nmany`.",
        "One (Viégas and Lee, 2017), more (van Dyk et al., 2020; Anonymous authors, 2022); say\n"
        "(Viégas and Lee, 2017; van Dyk et al., 2020).",
    ),
    "a definition with a title": (
        "Before.\n:::{prf:definition} Fair\n:label: def-x\n\nSame *for* all.\n:::\nAfter.",
        "Before.\n\n**Definition 1.2 (Fair).**\n\nSame *for* all.\n\nAfter.",
    ),
    "a theorem without": (
        "::::{prf:theorem}\n:label: thm-x\n$$a$$\n:::{note}\nInside.\n:::\n::::",
        "**Theorem 1.1.**\n\n$$a$$\n\n**Note.**\n\nInside.",
    ),
    "a proof": (":::{prf:proof}\nBy {eq}`eq-a`.\n:::", "**Proof.**\n\nBy (1.1).\n\n∎"),
    "notes": (
        ":::{tip} First `{x}` of {cite:p}`many`\n:class: dropdown\nMore {cite:p}`one`.\n:::",
        "**Tip.** First `{x}` of (van Dyk et al., 2020)\n\nMore (Viégas and Lee, 2017).",
    ),
    "equations": (
        "$$\na = b\n$$ (eq-a)\n\n$$c$$\n\n$$d$$ (eq-d)",
        "$$\na = b \\tag{1.1}\n$$\n\n$$c$$\n\n$$d \\tag{1.2}\n$$",
    ),
    "references": (
        "{prf:ref}`def-x`, {eq}`eq-d`, {prf:ref}`ex-double`, {prf:ref}`thm-y`, {eq}`eq-y`",
        "Definition 1.2, (1.2), Exercise “Twice”, Theorem 2.1 of [Doubles](b.ipynb), (2.1) of [Doubles](b.ipynb)",
    ),
    "links": (
        "[b](b.ipynb#x) [r](references.md) ![p](images/p.png) [up](../README.md#top) [web](https://example.org) "
        "[mail](mailto:a@b.org)",
        "[b](b.ipynb#x) [r](https://example.org/book/blob/main/book/references.md) "
        "![p](https://example.org/book/blob/main/book/images/p.png) "
        "[up](https://example.org/book/blob/main/README.md#top) [web](https://example.org) [mail](mailto:a@b.org)",
    ),
    "code stays": (
        "`{cite:p}` and `f{a}` or ``{eq}`x` `` and `[a](b)`\n\n```python\n:::{note}\n$$a$$ (eq-a)\n{cite:p}`one`\n```",
    ),
    "one empty line is enough": ("a\n\n\n\nb\n\n\n```\nc\n\n\nd\n```\n\n\n\ne", "a\n\nb\n\n```\nc\n\n\nd\n```\n\ne"),
    "maths and HTML stay": (
        "$a_{i}$, $$x$$ and (this), $[a](b)$ <details><summary>x</summary>\n\n- a: b\n\n</details>",
    ),
    "in lists and tables": (
        "- {eq}`eq-a`\n  - [b](b.ipynb)\n    {eq}`eq-d`\n\n| a | {eq}`eq-a` |\n|---|---|\n| {eq}`eq-d` | |",
        "- (1.1)\n  - [b](b.ipynb)\n    (1.2)\n\n| a | (1.1) |\n|---|---|\n| (1.2) | |",
    ),
}
LABELS = [
    ":::{prf:definition}\n:label: def-w\nW.\n:::",
    ":::{prf:definition} Fair\n:label: def-x\nX.\n:::\n\n::::{prf:theorem}\n:label: thm-x\nX\n::::",
    "$$a$$ (eq-a)\n\n$$c$$\n\n$$d$$ (eq-d)",
]


@pytest.mark.parametrize("name", PLAIN)
def test_markup_becomes_plain(checkout, name):
    root = checkout(
        a=[*markdown(*LABELS), *exercise()],
        b=markdown(FRONT, ":::{prf:theorem} Other\n:label: thm-y\nY.\n:::\n\n$$y$$ (eq-y)"),
    )
    source, *expected = PLAIN[name]
    assert plain(root, source) == (expected[0] if expected else source)


@pytest.mark.parametrize(
    "source, message",
    [
        ("{cite:p}`nobody`", "key of the bibliography, got nobody"),
        ("{eq}`eq-none`", "got eq-none"),
        ("{download}`x`", "role with a plain form, got {download}`x`"),
        ("{cite:t}`one`", "role with a plain form, got {cite:t}`one`"),
        ("{doc}`nowhere`", "role with a plain form, got {doc}`nowhere`"),
        ("[](#eq-a)", "{eq} or {prf:ref} for a label, got a link to #eq-a"),
        (":::{figure} x.png\n:::", "directive with a plain form, or a statement with a :label:, got figure"),
        (":::{prf:theorem}\nX\n:::", "a statement with a :label:, got prf:theorem"),
        ("(begin)=\n## At first", "markup with a plain form, got (begin)="),
        ("% remark", "markup with a plain form, got % remark"),
        (":::{note}\nopen", "fence :::{note} to be closed"),
        ("```python\nopen", "fence ```python to be closed"),
    ],
)
def test_markup_without_a_plain_form_is_told(checkout, source, message):
    with pytest.raises(ValueError, match=rf"a.ipynb, cell cell-01: .*{re.escape(message)}"):
        editions.write("student", root=checkout(a=markdown(FRONT, source)))


def change(part, *, old="", new="", tags=None, **about):
    """A chapter whose exercise has one of its four cells changed: its source, tags or metadata."""

    def build():
        cells = exercise()
        assert old in cells[part].source
        cells[part].source = cells[part].source.replace(old, new, 1) if old else cells[part].source
        cells[part].metadata["tags"] = tags or cells[part].metadata["tags"]
        cells[part].metadata.get("icg", {}).update(about)
        return cells

    return build


def without_accept(stub):
    stub.source = stub.source.rpartition("\n")[0]
    return stub


WRONG = {
    "no solution": (lambda: exercise()[:3], r"cell-01: expected four cells .*got exercise, stub, hints$"),
    "hints before the stub": (lambda: [exercise()[k] for k in (0, 2, 1, 3)], "got exercise, hints, stub, solution"),
    "text in between": (
        lambda: [*exercise()[:1], *markdown("Text"), *exercise()[1:]],
        "got exercise, none, stub, hints",
    ),
    "a solution alone": (lambda: exercise()[3:], "cell-01: expected four cells"),
    "two tags": (change(0, tags=["exercise", "hints"]), "expected one of the tags"),
    "a stub of text": (lambda: [*exercise()[:1], *exercise()[2:3], *exercise()[2:]], "got exercise, hints, hints"),
    "tag on the wrong cell": (change(1, tags=["hints"]), "got hints on code"),
    "an untagged solution": (lambda: markdown(":::{solution} ex-x\nSecret\n:::"), "tag of an exercise"),
    "an untagged exercise": (lambda: markdown("x\n:::{exercise} ex-x\n:label: a\n:::"), "tag of an exercise"),
    "no label": (change(0, old=":label: ex-double\n"), "with a :label:"),
    "two exercises in a cell": (
        change(0, old="Double", new=":::\n\n:::{exercise} B\n:::\n\n:::{note}\nX"),
        "nothing but",
    ),
    "another label in the metadata": (
        change(0, exercise="ex-other"),
        "the metadata, too, .*'exercise': 'ex-double'.*got .*ex-other",
    ),
    "no difficulty": (change(0, difficulty="trivial"), "the metadata, too, .*'difficulty': 'easy'.*got .*trivial"),
    "no minutes": (change(0, minutes=0), "the metadata, too, .*'minutes': 5.*got .*'minutes': 0"),
    "other minutes in the text": (change(0, minutes=50), "the metadata, too, .*'minutes': 5,.*got .*'minutes': 50"),
    "other difficulty in the text": (change(0, difficulty="hard"), "the metadata, too, .*easy.*got .*hard"),
    "no minutes in the text": (change(0, old="*Easy, 5", new="*Easy, 0"), r"begins with \*Easy"),
    "no difficulty in the text": (
        change(0, old="*Easy, 5", new="*Trivial, 5"),
        r"begins with \*Easy \(or Medium, Hard, ",
    ),
    "no misconceptions": (change(0, misconceptions=[]), "list of misconceptions"),
    "one string of misconceptions": (change(0, misconceptions="Adding"), "list of misconceptions"),
    "one hint": (change(2, old="<details>"), "two hints, got 1"),
    "no check": (
        change(1, old="# checks.check_double(my_double)"),
        r"once each, checks.check_",
    ),
    "no accept": (change(1, old="# my_double = ", new="# "), r"my_double = checks.accept\(my_double\)"),
    "the check of another": (change(1, old="check_double(my_double)", new="check_double(my_x)"), "once each"),
    "an unknown check": (
        change(1, old="check_double", new="check_triple"),
        "check of icg_book.a.checks, got check_triple",
    ),
    "no function": (change(1, old="def my_double", new="def double"), "one function my_"),
    "two functions": (change(1, old="def ", new="def my_b(): pass\ndef "), "got my_b, my_double"),
    "a solution in the open": (change(3, old="<details>"), "expected the solution in <details>"),
    "a label twice": (lambda: [*exercise(), *exercise(name="my_b")], "expected a new label, got ex-double"),
    "a stub twice": (lambda: [*exercise(), *exercise("ex-b")], r"got my_double, as in a.ipynb \(ex-double\)"),
    "an equation twice": (lambda: markdown("$$a$$ (eq-a)", "$$b$$ (eq-a)"), "new label, got eq-a, as in a.ipynb"),
    "an open exercise with half a check": (
        lambda: [*(cells := exercise(difficulty="open"))[:1], without_accept(cells[1]), *cells[2:]],
        "once each",
    ),
    "no title": (lambda: markdown("# ", "text"), "expected a title"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told_and_nothing_written(checkout, name):
    build, message = WRONG[name]
    root = checkout(a=build())
    for kind in editions.EDITIONS:
        with pytest.raises(ValueError, match=r"^a\.ipynb.*" + message):
            editions.write(kind, root=root)
    assert not (root / "_build").exists()


@pytest.mark.parametrize(
    "again, message", [({"name": "my_b"}, "label, got ex-double"), ({"label": "ex-b"}, "my_double")]
)
def test_names_are_unique_in_the_whole_book(checkout, again, message):
    with pytest.raises(ValueError, match=rf"^b\.ipynb.*{message}, as in a(-exercises)?\.ipynb"):
        editions.write("student", root=checkout(a=exercise(), b=exercise(**again)))


def test_the_run_time_is_what_the_chapter_says(checkout):
    front = "# Doubles\n\n**Runs in about {} s on one core.** Needs: nothing. About 7 minutes to read."
    root = checkout(a=markdown(front.format(35)), b=markdown(front.format("N")), c=markdown("# Doubles", "Runs."))
    assert [chapter.running for chapter in Book.read(root).chapters] == [35, None, None]
    folder = editions.write("teacher", root=root)
    readme = (folder / "README.md").read_text("utf-8")
    assert "| [Doubles](a.ipynb) | 7 | 0 | 0 | – | 35 |\n" in readme
    assert "| [Doubles](b.ipynb) | 7 | 0 | 0 | – | – |\n" in readme
    assert "35" not in (editions.write("student", root=root) / "README.md").read_text("utf-8")


def test_folders(checkout, capsys, monkeypatch):
    root = checkout(a=exercise())
    with pytest.raises(ValueError, match="another folder than that of the chapters"):
        editions.write("student", root / "book" / ".", root)
    assert "solution" in (root / "book" / "a.ipynb").read_text()

    (root / "_build" / "student").mkdir(parents=True)
    (root / "_build" / "student" / "gone.ipynb").touch()
    folder = editions.write("student", root=root)
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "a-exercises.ipynb", "a.ipynb"]
    mine = root / "class" / "spring"
    mine.mkdir(parents=True)
    (mine / "mine.txt").touch()
    editions.write("student", mine, root)
    assert sorted(path.name for path in mine.iterdir()) == ["README.md", "a-exercises.ipynb", "a.ipynb", "mine.txt"]


def test_the_command(tmp_path, capsys, monkeypatch):
    assert editions.main(["student", "--out", str(tmp_path / "out")]) == 0
    assert str(tmp_path / "out") in capsys.readouterr().out
    assert (tmp_path / "out" / "burnt_snacks.ipynb").exists()
    assert editions.main(["student", "--out", str(ROOT / "book")]) == 1
    assert "No student edition: expected another folder" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        editions.main(["parents"])

    monkeypatch.setattr(editions, "run_all", lambda book: ["a-solutions.ipynb: 5 solutions run, and right"])
    assert editions.main(["teacher", "--out", str(tmp_path / "teacher")]) == 0
    assert "a-solutions.ipynb: 5 solutions run, and right\n" in capsys.readouterr().out
    assert (tmp_path / "teacher" / "burnt_snacks-solutions.ipynb").exists()
    assert (tmp_path / "teacher" / "handout.md").exists()  # the teacher's pack


def test_no_two_chapters_have_a_check_of_the_same_name():
    """Notes for teachers look a check up by its name."""
    names = [
        check for path in chapter_files(ROOT) for check in {e.check for e in read_chapter(path).exercises if e.check}
    ]
    assert len(names) == len(set(names))
