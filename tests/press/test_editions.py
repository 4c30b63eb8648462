"""The editions for the classroom: students get no solution, teachers get all, and both read well in Jupyter."""

import json
import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from press import editions
from press.plain import Book

ROOT = Path(__file__).resolve().parents[2]
BOOK = Book.read(ROOT)
FENCED = re.compile(r"^```\w*\n(.*?)^```", re.S | re.M)
RAW = {  # what must not be left, outside of code
    "directive": r":::|^```\{",
    "role": r"\{[\w:+.-]+\}`",
    "label of an equation": r"\$\$ *\([\w:.-]+\)",
    "target": r"^\([\w:.-]+\)=",
    "reference": r"\]\(#(?:eq|def|thm|ex|prf)-",
    "option": r"^:(?:label|class|nonumber):",
}


def text_of(cell):
    """A Markdown cell without what is code in it."""
    return re.sub(r"(?<!\})`[^`\n]+`", "", FENCED.sub("", cell.source))


def left_raw(notebook):
    cells = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    return [(cell.id, kind) for cell in cells for kind, raw in RAW.items() if re.search(raw, text_of(cell), re.M)]


def assert_fit_for_class(notebook):
    """Valid, nothing raw, no output, and every code cell is Python."""
    nbformat.validate(notebook)
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    assert not left_raw(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None
            compile(re.sub(r"^[%!].*", "", cell.source, flags=re.M), cell.id, "exec")


# ---- the chapters of the book


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
    for kind in editions.EDITIONS:
        assert sorted(written[kind]) == sorted(expected)


@pytest.mark.parametrize("kind", editions.EDITIONS)
@pytest.mark.parametrize("chapter", BOOK.chapters, ids=lambda chapter: chapter.file)
def test_a_chapters_edition_is_fit_for_class(written, chapter, kind):
    notebook = written[kind][chapter.file]
    assert_fit_for_class(notebook)
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert code == [cell.source for cell in chapter.notebook.cells if cell.cell_type == "code"]
    assert "find_spec" in code[0] and "pip" in code[0]  # the cell that sets up Colab
    assert notebook.metadata == chapter.notebook.metadata


@pytest.mark.parametrize("chapter", BOOK.chapters, ids=lambda chapter: chapter.file)
def test_students_get_everything_but_solutions(written, chapter):
    notebook = written["student"][chapter.file]
    everything = "\n".join(cell.source for cell in notebook.cells)
    kept = [cell for cell in chapter.notebook.cells if "solution" not in cell.metadata.get("tags", ())]
    elsewhere = "\n".join(cell.source for cell in kept)
    solutions = [cell for cell in chapter.notebook.cells if "solution" in cell.metadata.get("tags", ())]
    assert len(solutions) == len(chapter.exercises)
    for cell in solutions:
        for fence in FENCED.findall(cell.source):
            assert fence.strip() not in everything
        lines = [line.strip() for line in cell.source.split("\n")]
        leaked = [line for line in lines if len(line) > 12 and line in everything and line not in elsewhere]
        assert not leaked
    assert "Solution</summary>" not in everything and "For the teacher" not in everything
    for exercise in chapter.exercises:
        assert f"**Exercise: {exercise.title}**" in everything
        assert exercise.check is None or f"checks.accept({exercise.stub})" in everything
    hints = sum(cell.source.count("hint</summary>") for cell in notebook.cells)
    assert hints == 2 * len(chapter.exercises)
    assert "misconceptions" not in json.dumps(notebook)
    ids = [cell.id for cell in notebook.cells if not cell.id.startswith("edition-")]
    assert ids == [cell.id for cell in kept]


@pytest.mark.parametrize("chapter", BOOK.chapters, ids=lambda chapter: chapter.file)
def test_teachers_get_solutions_notes_and_an_overview(written, chapter):
    cells = written["teacher"][chapter.file].cells
    top = cells[0].source
    assert f"| **all exercises** | | **{chapter.practice}** | |" in top
    assert chapter.reading is None or f"about {chapter.reading} minutes" in top
    assert chapter.running is None or f"about {chapter.running} s on one core" in top
    position = {cell.id: k for k, cell in enumerate(cells)}
    for exercise in chapter.exercises:
        assert f"| {exercise.title} | {exercise.difficulty} | {exercise.minutes} |" in top
        solution = chapter.notebook.cells[exercise.start + 3]
        shown = cells[position[solution.id]].source
        assert shown.startswith(f"**Solution: {exercise.title}**") and "<details>" not in shown
        for fence in FENCED.findall(solution.source):
            assert fence in shown
        note = cells[position[solution.id] + 1].source  # right after the solution
        assert note.startswith(f"**For the teacher: {exercise.title}**")
        assert f"{exercise.minutes} minutes" in note and exercise.difficulty.capitalize() in note
        for misconception in exercise.misconceptions:
            assert misconception in note
        if exercise.check:
            assert len(BOOK.checks[exercise.check]) >= 5
            assert note.count("\n- “") == len(BOOK.checks[exercise.check])
        else:
            assert "no check" in note


def test_the_notes_quote_what_a_check_really_says(written):
    """Texts are taken from the code; here one is provoked."""
    from icg_book.burnt_snacks import checks

    with pytest.raises(checks.NotYet) as error:
        checks.check_mass_share(lambda attribution, mask: attribution[mask].sum())
    notes = "\n".join(cell.source for cell in written["teacher"]["burnt_snacks.ipynb"].cells)
    assert f"“{error.value}”" in notes


# ---- small books


CHECKS = '''
"""Checks."""


def _compare(answer):
    if answer != 4:
        raise NotYet(f"Expected a double, got {answer:.1f} for 2.")


@reference("my_double")
def _double(x):
    return "this text is the answer, and is not for the teacher"


def check_double(function):
    """Not a message of the check."""

    def inside():
        """Not a message of the check, either."""

    mistakes = [(4.0, "You add " "two: * means product."), (0, "riemann_left"), (1, "which is half a sentence,")]
    _compare(function(_double(2)))
    print("Right: that is twice as much.")
'''
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
def checkout(tmp_path):
    """``root = checkout(first=cells, second=cells)``: a repository with these chapters."""

    def checkout(**chapters):
        (tmp_path / "book").mkdir(exist_ok=True)
        (tmp_path / "book" / "icg_book" / "toy").mkdir(parents=True, exist_ok=True)
        (tmp_path / "book" / "icg_book" / "toy" / "checks.py").write_text(CHECKS)
        (tmp_path / "book" / "references.bib").write_text(BIBLIOGRAPHY)
        (tmp_path / "_config.yml").write_text(
            "repository:\n  url: https://example.org/book\n  branch: main\nbibtex_bibfiles: [book/references.bib]\n"
        )
        files = "".join(f"      - file: book/{name}\n" for name in (*chapters, "references"))
        (tmp_path / "_toc.yml").write_text(f"root: book/index\nparts:\n  - caption: All\n    chapters:\n{files}")
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
    return book.plain(source, book.chapters[0])


def test_both_editions_of_a_small_book(checkout):
    code = new_code_cell("1 + 1", outputs=[new_output("stream", text="2")], execution_count=3)
    root = checkout(doubles=[code, *exercise()])
    out = {kind: editions.write(kind, root=root) for kind in editions.EDITIONS}
    assert out["student"] == root / "_build" / "student"
    student, teacher = (nbformat.read(out[kind] / "doubles.ipynb", as_version=4) for kind in editions.EDITIONS)
    for notebook in (student, teacher):
        assert_fit_for_class(notebook)
    assert [cell.cell_type for cell in student.cells] == ["markdown", "code", "markdown", "code", "markdown"]
    assert student.cells[2].source == "**Exercise: Twice**\n\n*Easy, 5 minutes.* Double it."
    assert student.cells[2].metadata["icg"] == {"exercise": "ex-double", "minutes": 5, "difficulty": "easy"}
    assert "accept(my_double)" in student.cells[3].source
    assert "2 * x" not in json.dumps(student) and "2017" not in json.dumps(student)

    top, *_, solution, note, references = teacher.cells
    assert "| Twice | easy | 5 | `check_double` |" in top.source and "about 7 minutes" in top.source
    assert "runs in" not in top.source
    assert solution.source.startswith("**Solution: Twice**\n\n```python\ndef my_double")
    assert solution.source.endswith("See (Viégas and Lee, 2017).")
    assert "- Adding two." in note.source
    assert "- “You add two: \\* means product.”\n- “Expected a double, got … for 2.”" in note.source
    assert "Right:" not in note.source and "is the answer" not in note.source and "Not a message" not in note.source
    assert "riemann_left" not in note.source and "half" not in note.source
    assert references.source.endswith("- Fernanda Viégas and Su-In Lee (2017). [*The First*](https://arxiv.org/abs/1).")
    assert "| [Doubles](doubles.ipynb) | 7 | 1 | 5 |\n" in (out["student"] / "README.md").read_text("utf-8")
    assert "| [Doubles](doubles.ipynb) | 7 | 1 | 5 | – |\n" in (out["teacher"] / "README.md").read_text("utf-8")


def test_several_exercises_in_several_chapters_of_parts(checkout):
    second = exercise("ex-b", "my_b", difficulty="open", minutes=20, check=None)
    root = checkout(a=[*exercise("ex-a", "my_a"), *markdown("Between."), *second], b=[*exercise("ex-c", "my_c")])
    folder = editions.write("teacher", root=root)
    cells = nbformat.read(folder / "a.ipynb", as_version=4).cells
    starts = [cell.source.split("\n")[0] for cell in cells if cell.cell_type == "markdown"]
    assert starts == [
        "**Teacher's edition: Doubles**",
        "# Doubles",
        *("**Exercise: Twice**", "<details><summary>First hint</summary>"),
        *("**Solution: Twice**", "**For the teacher: Twice**", "Between."),
        *("**Exercise: Twice**", "<details><summary>First hint</summary>"),
        *("**Solution: Twice**", "**For the teacher: Twice**", "## References"),
    ]
    assert "| **all exercises** | | **25** | |" in cells[0].source
    assert "| **all** | 14 | 3 | 30 | |" in (folder / "README.md").read_text("utf-8")
    assert "There is no check" in cells[-2].source


PLAIN = {
    "citations": (
        "One {cite:p}`one`, more {cite}`many, noone`; {cite:t}`one` say, {cite:t}`many` say\n{cite:p}`one,\nmany`.",
        "One (Viégas and Lee, 2017), more (van Dyk et al., 2020; Anonymous authors, 2022); Viégas and Lee (2017) say, "
        "van Dyk et al. (2020) say\n(Viégas and Lee, 2017; van Dyk et al., 2020).",
    ),
    "a definition with a title": (
        "Before.\n:::{prf:definition} Fair\n:label: def-x\n\nSame *for* all.\n:::\nAfter.",
        "Before.\n\n**Definition 2 (Fair).**\n\nSame *for* all.\n\nAfter.",
    ),
    "a theorem without": (
        "::::{prf:theorem}\n:label: thm-x\n$$a$$\n:::{note}\nInside.\n:::\n::::",
        "**Theorem 1.**\n\n$$a$$\n\n**Note.**\n\nInside.",
    ),
    "a proof": (":::{prf:proof}\nBy {eq}`eq-a`.\n:::", "**Proof.**\n\nBy (1).\n\n∎"),
    "a titled proof": (":::{prf:proof} of A.2\nSo.\n:::", "**Proof** (of A.2).\n\nSo.\n\n∎"),
    "notes": (
        ":::{tip} First words\n:class: dropdown\nMore {cite:p}`one`.\n:::\n\n:::{admonition} A `title`\nText\n:::",
        "**Tip.** First words\n\nMore (Viégas and Lee, 2017).\n\n**A `title`**\n\nText",
    ),
    "equations": (
        "$$\na = b\n$$ (eq-a)\n\n$$c$$\n\n$$d$$ (eq-d)",
        "$$\na = b \\tag{1}\n$$\n\n$$c$$\n\n$$d \\tag{2}\n$$",
    ),
    "references": (
        "{prf:ref}`def-x`, {eq}`eq-d`, {ref}`the start <begin>`, {ref}`begin`, {ref}`ex-double`, {prf:ref}`thm-y`, "
        "[here](#def-x), [](#def-x)",
        "Definition 2, (2), the start, “At first”, the exercise “Twice”, Theorem 2 of [Doubles](b.ipynb), "
        "here, Definition 2",
    ),
    "links": (
        "[b](b.ipynb#x) [r](references.md) ![p](images/p.png) [up](../README.md#top) [web](https://example.org) "
        "[in](#other) {doc}`b` {doc}`text <b>`",
        "[b](b.ipynb#x) [r](https://example.org/book/blob/main/book/references.md) "
        "![p](https://example.org/book/blob/main/book/images/p.png) "
        "[up](https://example.org/book/blob/main/README.md#top) [web](https://example.org) [in](#other) "
        "[Doubles](b.ipynb) [text](b.ipynb)",
    ),
    "a target": ("(begin)=\n\n## At first\n\nText.", "## At first\n\nText."),
    "code stays": (
        "`{cite:p}` and `f{a}` or ``{eq}`x` `` and `[a](b)`\n\n```python\n:::{note}\n$$a$$ (eq-a)\n{cite:p}`one`\n```",
    ),
    "one empty line is enough": ("a\n\n\n\nb\n\n\n```\nc\n\n\nd\n```\n\n\n\ne", "a\n\nb\n\n```\nc\n\n\nd\n```\n\ne"),
    "maths and HTML stay": ("$a_{i}$, $$x$$ and (this) <details><summary>x</summary>\n\n- a: b\n\n</details>",),
}
LABELS = [
    ":::{prf:definition}\n:label: def-w\nW.\n:::",
    "(begin)=\n## At first",
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
        ("{download}`x`", "role with a plain form"),
        ("{doc}`nowhere`", "expected a chapter, got nowhere"),
        (":::{figure} x.png\n:::", "directive with a plain form, got figure"),
        (":::{note}\nopen", "directive note to be closed"),
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
    "another label in the metadata": (change(0, exercise="ex-other"), "label ex-double in the metadata"),
    "no difficulty": (change(0, difficulty="trivial"), "easy, medium, hard, open, got trivial"),
    "no minutes": (change(0, minutes=0), "expected minutes"),
    "other minutes in the text": (change(0, minutes=50), r"\*Easy, 50 minutes"),
    "other difficulty in the text": (change(0, difficulty="hard"), r"\*Hard, 5 minutes"),
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
        "in book/icg_book/\\*/checks.py, got check_triple",
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
    with pytest.raises(ValueError, match=rf"^b\.ipynb.*{message}, as in a\.ipynb"):
        editions.write("student", root=checkout(a=exercise(), b=exercise(**again)))


def test_the_run_time_is_what_the_chapter_says(checkout):
    front = "# Doubles\n\n**Runs in about {} s on one core.** Needs: nothing. About 7 minutes to read."
    root = checkout(a=markdown(front.format(35)), b=markdown(front.format("N")), c=markdown("# Doubles", "Runs."))
    assert [chapter.running for chapter in Book.read(root).chapters] == [35, None, None]
    folder = editions.write("teacher", root=root)
    tops = [nbformat.read(folder / f"{name}.ipynb", as_version=4).cells[0].source for name in "abc"]
    assert "The notebook runs in about 35 s on one core." in tops[0]
    assert "notebook runs" not in tops[1] + tops[2]
    readme = (folder / "README.md").read_text("utf-8")
    assert (
        "| [Doubles](a.ipynb) | 7 | 0 | 0 | 35 |\n" in readme and "| [Doubles](b.ipynb) | 7 | 0 | 0 | – |\n" in readme
    )
    assert "35" not in (editions.write("student", root=root) / "README.md").read_text("utf-8")


def test_folders(checkout, capsys, monkeypatch):
    root = checkout(a=exercise())
    with pytest.raises(ValueError, match="another folder than that of the chapters"):
        editions.write("student", root / "book" / ".", root)
    assert "solution" in (root / "book" / "a.ipynb").read_text()

    (root / "_build" / "student").mkdir(parents=True)
    (root / "_build" / "student" / "gone.ipynb").touch()
    folder = editions.write("student", root=root)
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "a.ipynb"]
    mine = root / "class" / "spring"
    mine.mkdir(parents=True)
    (mine / "mine.txt").touch()
    editions.write("student", mine, root)
    assert sorted(path.name for path in mine.iterdir()) == ["README.md", "a.ipynb", "mine.txt"]


def test_the_command(tmp_path, capsys, monkeypatch):
    assert editions.main(["student", "--out", str(tmp_path / "out")]) == 0
    assert str(tmp_path / "out") in capsys.readouterr().out
    assert (tmp_path / "out" / "burnt_snacks.ipynb").exists()
    assert editions.main(["student", "--out", str(ROOT / "book")]) == 1
    assert "No student edition: expected another folder" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        editions.main(["parents"])
