"""The teacher's pack: what it promises is in the chapters, its hours are whole, its exam's answers are right."""

import ast
import importlib
import math
import re
import shutil
from fractions import Fraction
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from pages import inflate, payload
from playwright.sync_api import sync_playwright

import icg
from icg.certainty import join
from icg_book.baselines.pick_baseline import pick_baseline
from icg_book.burnt_snacks.cases import IMAGES
from icg_book.certainty import claims
from icg_book.certainty.damage import damage_explorable
from icg_book.imagenette import findings
from icg_book.imagenette.localisation import entropy, half_area, spread
from icg_book.integrated_gradients.alarm import train_alarm
from icg_book.integrated_gradients.steps import FUNCTIONS, RULES, completeness_gap
from icg_book.local_minimum.six_sliders import PRESETS
from icg_book.scenarios import burnt_snacks, glyphs, local_minimum
from icg_book.scenarios.games import GAMES
from icg_book.scenarios.landscapes import LANDSCAPES
from press import classroom
from press.chapters import Chapter, chapter_files, read_chapter

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = [read_chapter(path) for path in chapter_files(ROOT)]
NAMES = [chapter.file.removesuffix(".ipynb") for chapter in CHAPTERS]
TAUGHT = [name for name in NAMES if name != "own_network"]  # that one is for afterwards
SOURCE = {name: (ROOT / "book" / "classroom" / name).read_text("utf-8") for name in classroom.FILES}
FILLED = {name: classroom.fill(text, CHAPTERS) for name, text in SOURCE.items()}
EXPLORABLE = re.compile(r"explorable \*\*(.+?)\*\*")
LAB = re.compile(r"lab\s+\*\*(.+?)\*\*")
F64 = torch.float64


def flat(text: str) -> str:
    """Without line breaks, which a text may have anywhere."""
    return " ".join(text.split())


def parts(text: str, heading: str) -> dict[str, str]:
    """What stands under each heading of the second level that begins like this."""
    found = re.split(r"^## ", text, flags=re.M)[1:]
    return {part.partition("\n")[0]: part.partition("\n")[2] for part in found if re.match(heading, part)}


def rows(session: str) -> list[list[str]]:
    """The cells of a session's table, without its head."""
    lines = [line for line in session.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


SESSIONS = parts(FILLED["plan.md"], r"Session \d")
RAW_SESSIONS = parts(SOURCE["plan.md"], r"Session \d")
QUESTIONS = list(parts(FILLED["exam.md"], r"\d+\. ").items())
sessions = pytest.mark.parametrize("name", SESSIONS)


def number(value: float, digits: int = 3, sign: bool = False) -> str:
    """As the texts write it: a proper minus, no zeros at the end."""
    text = f"{round(float(value), digits) + 0.0:{'+' if sign and round(float(value), digits) else ''}.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", "−")


# ---- the generator


def test_every_kind_of_placeholder_is_filled():
    text = "{{ exercise ex-marginal }}, {{ title ex-ig }}, {{ minutes ex-marginal ex-ig }}, {{chapter mnist}}, "
    text += "{{ practice mnist }}"
    assert classroom.fill(text, CHAPTERS) == (
        "What one player adds (easy, 5 minutes), Equation 1, 15, [MNIST and MNIST in Space](mnist.ipynb), 50"
    )
    times = {name: chapter.running for name, chapter in zip(NAMES, CHAPTERS, strict=True)}
    assert classroom.fill("{{ runs shapley mnist }}", CHAPTERS) == str(times["shapley"] + times["mnist"])
    table = classroom.fill("{{ overview }}", CHAPTERS).splitlines()
    assert len(table) == 2 + len(CHAPTERS)
    assert table[2].endswith(f"| {CHAPTERS[0].reading} | 5 | 70 | {CHAPTERS[0].running} |")


@pytest.mark.parametrize(
    "text, message",
    [
        ("{{ colour ex-ig }}", "expected one of exercise, .*, got colour"),
        ("{{ }}", "got nothing"),
        (
            "{{ minutes ex-none }}",
            "placeholder {{ minutes ex-none }}: expected names among ex-marginal, .*, got ex-none",
        ),
        ("{{ runs ex-ig }}", "expected names among shapley, .*, got ex-ig"),
        ("{{ minutes }}", "expected one or more names, got 0"),
        ("{{ title ex-ig ex-icg }}", "expected one name, got 2"),
        ("| {{ clock }} | some | x |", "expected a row"),
    ],
)
def test_a_placeholder_that_cannot_be_filled_is_an_error(text, message):
    with pytest.raises(ValueError, match=message):
        classroom.fill(text, CHAPTERS)


def test_the_clock_adds_up_and_begins_again_with_each_table():
    text = "| {{ clock }} | 5 | a |\n| {{ clock }} | {{ minutes ex-ig }} | b |\n\n| {{ clock }} | 7 | c |"
    assert classroom.fill(text, CHAPTERS) == "| 0 to 5 | 5 | a |\n| 5 to 15 | 10 | b |\n\n| 0 to 7 | 7 | c |"


def silent(words: int) -> Chapter:
    """A chapter that says neither how long it takes to read nor to run."""
    cell = nbformat.v4.new_markdown_cell("# Title\n\n" + "word " * (words - 2))
    return Chapter("silent.ipynb", "Title", nbformat.v4.new_notebook(cells=[cell]), ())


def test_a_chapter_without_times_is_estimated_by_its_words_or_refused():
    assert [classroom.reading(silent(words)) for words in (10, 1100, 2900)] == [5, 5, 15]
    with pytest.raises(ValueError, match=r"expected a measured run time at the head of silent\.ipynb"):
        classroom.fill("{{ runs silent }}", [silent(10)])
    assert all(chapter.reading for chapter in CHAPTERS)  # today no estimate is needed


def test_the_pack_is_written_whole(tmp_path):
    written = classroom.write(tmp_path / "teacher", ROOT)
    assert [path.name for path in written] == [*classroom.FILES, "handout.html"]
    assert [path.read_text("utf-8") for path in written[:-1]] == list(FILLED.values())
    html = written[-1].read_text("utf-8")
    assert "src=" not in html and "<link" not in html  # loads nothing
    for text in FILLED.values():
        assert "{{" not in text
        for file in re.findall(r"\]\((\S+?\.ipynb)\)", text):
            assert file in {chapter.file for chapter in CHAPTERS}


def test_no_number_is_left_out():
    for text in FILLED.values():
        assert not re.search(r"(?<!\w)(N|None|–)(?= (s|minutes)\b| *\|)", text)


# ---- the plan


def test_there_are_seven_sessions_over_the_ten_chapters():
    assert [name[:10] for name in SESSIONS] == [f"Session {k}." for k in range(1, 8)]
    read = [name for text in RAW_SESSIONS.values() for name in re.findall(r"\{\{ chapter (\w+) \}\}", text)]
    assert read == TAUGHT and len(TAUGHT) == 10


@sessions
def test_a_session_has_all_its_parts_and_ninety_minutes(name):
    text, table = SESSIONS[name], rows(SESSIONS[name])
    assert sum(int(row[1]) for row in table) == 90 and table[-1][0].endswith("to 90")
    for part in ("Aim", "Read before", "Expect, and answer", "Hand in", "Short of time?"):
        assert f"**{part}" in text
    assert re.search(r"\*\*Aim\.\*\* [^.]+\.\n\n", text), "one sentence"
    expected = re.findall(r"^- “.+?” +\S", re.search(r"answer\.\*\*\n\n(.*?)\n\n\*\*", text, re.S)[1], re.M)
    assert len(expected) >= 4


@sessions
def test_an_exercise_in_class_has_its_own_minutes(name):
    practised = []
    for line in RAW_SESSIONS[name].splitlines():
        if line.startswith("|") and "{{ exercise" in line:
            labels = re.findall(r"\{\{ exercise (\S+) \}\}", line)
            assert f"| {{{{ minutes {' '.join(labels)} }}}} |" in line, line
            practised += labels
    assert practised and len(set(practised)) == len(practised)
    minutes = {e.label: e.minutes for chapter in CHAPTERS for e in chapter.exercises}
    assert sum(minutes[label] for label in practised) >= 20
    handed_in = re.search(r"\*\*Hand in\.\*\*(.*?)\*\*Home", RAW_SESSIONS[name], re.S)[1]
    assert set(re.findall(r"\{\{ title (\S+) \}\}", handed_in)) <= set(practised)


def test_for_the_exercises_in_class_the_first_cell_is_enough():
    assert "the first cell of a notebook is enough" in flat(FILLED["plan.md"])
    practised = set(re.findall(r"\{\{ minutes (ex-[\w-]+) \}\}", SOURCE["plan.md"]))
    for chapter, name in zip(CHAPTERS, NAMES, strict=True):
        cells = chapter.notebook.cells
        first = next(cell.source for cell in cells if cell.cell_type == "code")
        parsed = ast.parse(re.sub(r"^[%!].*", "", first, flags=re.M)).body
        imports = [node for node in parsed if isinstance(node, (ast.Import, ast.ImportFrom))]
        for exercise in (e for e in chapter.exercises if e.label in practised):
            known = {}
            exec(compile(ast.Module(imports, []), name, "exec"), known)
            for code in re.findall(r"^```python\n(.*?)^```", cells[exercise.start + 3].source, re.S | re.M):
                exec(code, known)
            checks = importlib.import_module(f"icg_book.{name}.checks")
            getattr(checks, exercise.check)(known[exercise.stub])


def explorables(chapter: str) -> dict[str, str]:
    """Titles of the explorables that a chapter shows, and the function that makes each."""
    notebook = next(c.notebook for c in CHAPTERS if c.file == f"{chapter}.ipynb")
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    found = {}
    for path in (ROOT / "book" / "icg_book" / chapter).glob("*.py"):
        for function in ast.parse(path.read_text("utf-8")).body:
            if isinstance(function, ast.FunctionDef) and re.search(rf"\b{function.name}\(", code):
                defaults = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
                found |= {
                    d.value: function.name for a, d in defaults if a.arg == "title" and isinstance(d, ast.Constant)
                }
    return found


def test_explorables_are_those_of_the_sessions_chapters():
    used = []
    for text in RAW_SESSIONS.values():
        known = [t for chapter in re.findall(r"\{\{ chapter (\w+) \}\}", text) for t in explorables(chapter)]
        used += (named := EXPLORABLE.findall(flat(text)))
        assert named and set(named) <= set(known), (named, known)
    assert len(set(used)) == len(TAUGHT)  # each chapter's own


def test_labs_and_sections_are_in_the_chapters():
    for name, text in RAW_SESSIONS.items():
        chapters = re.findall(r"\{\{ chapter (\w+) \}\}", text)
        cells = [cell for c in CHAPTERS if c.file.removesuffix(".ipynb") in chapters for cell in c.notebook.cells]
        words = flat("\n".join(cell.source for cell in cells)).replace("’", "'")
        for chapter in chapters:  # figures write some of the headings
            folder = ROOT / "book" / "icg_book" / chapter
            words += flat("\n".join(path.read_text("utf-8") for path in folder.glob("*.py"))).replace("’", "'")
        quoted = re.findall(
            r"(?:down to|[Ss]how|[Ee]xplain|the table|rows of|[Dd]iscuss the table) “(.+?)”", flat(text)
        )
        for heading in quoted + LAB.findall(flat(text)):
            assert heading in words, (name, heading)


def says(session: int, *texts: str):
    """Each of these is in the session's column of what will be seen."""
    seen = [row[3] for row in rows(list(SESSIONS.values())[session - 1])]
    for text in texts:
        assert any(text in cell for cell in seen), f"session {session} promises no “{text}”: {seen}"


def test_what_the_coalition_board_will_show():
    game = GAMES["glove"]
    table = game(icg.shapley.coalitions(3))
    pair, everybody = table.clone(), table.clone()
    pair[3], everybody[7] = 1, 2
    of = icg.shapley.shapley_from_table
    says(1, ", ".join(f"{v:.3f}" for v in of(table)), ", ".join(number(v) for v in of(everybody)))
    assert torch.allclose(of(pair), torch.full((3,), 1 / 3, dtype=F64))
    network = GAMES["network"]
    triangle = dict(zip(network.players, icg.shapley_values(network, 4), strict=True))["Triangle"]
    says(1, f"Triangle has {number(triangle)}")


def test_what_steps_and_rules_will_show():
    names = dict(zip(RULES.values(), RULES, strict=True))

    def gap(function, rule, n):
        return f"{completeness_gap(FUNCTIONS[function], names[rule], n):+.3f}".replace("-", "−")

    says(2, f"Gap {gap('saturating', 'right', 1)}.")
    says(2, "Gaps " + ", ".join(gap("smooth", rule, 8) for rule in ("left", "right", "middle")) + ".")
    says(
        2, f"Gaps {gap('jump', 'middle', 16)} and {gap('jump', 'middle', 64)}; adaptive {gap('jump', 'adaptive', 16)}."
    )
    assert {gap("threshold", rule, n) for rule in names for n in (2, 64)} == {"−1.000"}


def test_what_the_alarm_will_show():
    alarm, _ = train_alarm(torch.nn.ReLU)
    fire = torch.tensor([[0.9, 0.4, 0.7]], dtype=F64)
    assert icg.gradient(alarm, fire, target=1).abs().max() < 1e-6
    says(2, "All gradients are below 0.000001")
    smoke, heat, hum = icg.integrated_gradients(alarm, fire, target=1, n_steps=256)[0].tolist()
    says(2, f"smoke {smoke:+.3f}, heat {heat:+.3f}, hum {hum:+.3f}")


def test_what_the_baselines_will_show():
    model, shown = icg.artifacts.load_model("glyphs"), glyphs.examples()
    plus = shown.ink[:1].expand(4, -1, -1, -1)
    painted = glyphs.paint(plus, torch.tensor([1.0, 0.7, 0.3, 0.0]), torch.tensor([0.3, 0.3, 0.7, 0.7]))
    label = torch.full((4,), glyphs.CLASSES.index("plus"))
    found = icg.integrated_gradients(model, painted, icg.baselines.zero(), target=label)
    shares = [f"{s:.1%}" for s in icg.measures.mass_share(found, plus)]
    says(2, f"{', '.join(shares[:3])} and exactly {shares[3]}")

    def on_sign(number, *greys):
        one = shown[number : number + 1]
        maps = [icg.integrated_gradients(model, one.images, g, target=one.labels) for g in greys]
        return f"{icg.measures.mass_share(sum(maps), one.ink).item():.0%}"

    says(2, f"{on_sign(0, 0.0)}, {on_sign(0, 0.7)} and {on_sign(0, 0.0, 1.0)} on the plus")
    says(2, f"On the grey cross only {on_sign(2, 0.0, 1.0)}")
    alt = pick_baseline(model, shown[:3], fallback=b"\x89PNG")._repr_html_()
    for picture in ("plus: 0.00 on 0.70", "cross: 0.50 on 0.90"):
        assert picture in alt and picture in FILLED["plan.md"]


def test_what_the_landscape_will_show():
    cross = LANDSCAPES["cross"]

    def credit(x, baseline=(0.0, 0.0), f=cross):
        points = (torch.tensor([p], dtype=F64) for p in (x, baseline))
        return [number(v, 2, sign=True) for v in icg.integrated_gradients(f, *points, n_steps=10_000)[0]]

    assert [credit((0.43, 0.42)), credit((0.41, 0.42))] == [["+1", "0"], ["0", "+1"]]
    says(3, f"B: ({', '.join(credit((0.7, 0.9)))})", f"flips to ({', '.join(credit((0.81, 0.79)))})")
    assert credit((0.79, 0.81)) == credit((0.7, 0.9))
    assert credit((0.6, 0.42), (0.0, 0.18)) == ["0", "+1"]
    says(3, "With the raised baseline: (0, 1)")
    assert credit((0.6, 0.42), f=LANDSCAPES["additive"]) == ["0", "+1"]


def test_what_the_damage_explorable_will_show():
    sent = payload(damage_explorable(fallback=b"\x89PNG"))
    first = inflate(sent["pictures"], np.uint8).reshape(-1, 1, 1, 16, 16)[sent["first"]] / sent["levels"]
    model, values = icg.artifacts.load_model("glyphs-certainty"), torch.from_numpy(first).float()
    with torch.no_grad():
        low, high = (model(join(values, c)).softmax(1)[0, glyphs.CLASSES.index("plus")].item() for c in (0.2, 0.4))
    says(4, f"The curve: {low:.2f} at c = 0.2, {high:.2f} at c = 0.4")


@pytest.mark.slow
def test_what_the_snacks_cold_open_will_show():
    model, snack = icg.artifacts.load_model("burnt-snacks"), burnt_snacks.examples()["one dark, one light"]
    data = burnt_snacks.generate(500, generator=torch.Generator().manual_seed(5)).images
    maps = (
        icg.expected_gradients(model, join(snack.images), data, n_steps=512),
        icg.integrated_certainty_gradients(model, join(snack.images)),
    )
    squares = [icg.measures.dilate(squares > 0) for squares in (snack.dark, snack.light)]
    said = ["{:.1%} dark, {:.1%} light".format(*(icg.measures.mass_share(m, s).item() for s in squares)) for m in maps]
    says(5, f"Expected Gradients: {said[0]}. Integrated Certainty Gradients: {said[1]}.")


def test_what_the_scrubbed_path_will_show():
    model, examples = icg.artifacts.load_model("burnt-snacks"), burnt_snacks.examples()

    def p(image, alpha=1.0, certainty=1.0):
        with torch.no_grad():
            return number(model(join(alpha * examples[image].images, certainty)).softmax(1)[0, 1])

    snack, two = IMAGES["a dark and a light square"], IMAGES["two light squares, none dark"]
    says(5, f"At 0.28 the output is {p(snack, 9 / 32)}", f"ICG: {p(snack, certainty=0.5)} at certainty 0.5")
    says(5, f"Two light squares: {p(two, 20 / 32)}, then {p(two, 24 / 32)}")


def test_what_the_six_sliders_will_show():
    start = PRESETS["paper’s table 2"]

    def exact(component=5, **changes):
        values = [changes.get(f"c{i}", v) for i, v in enumerate(start, 1)]
        found = local_minimum.ideal_shap(torch.tensor([[values]], dtype=F64))[0, 0]
        return number(found[component - 1], 2, sign=True)

    swept = ", ".join(exact(c5=v) for v in (0.65, 0.75, 0.85))
    says(5, f"Exact SHAP of component 5: {exact()}; then {swept}.")
    assert [exact(i) for i in range(1, 7)] == [exact(i, c1=0.4) for i in range(1, 7)]
    says(5, f"component 5 keeps {exact(c3=0.55)} of its score of 0.60")


def test_what_the_two_maps_and_the_two_games_will_show():
    model, snack = icg.artifacts.load_model("burnt-snacks"), burnt_snacks.examples()["one dark, one light"]
    objects = (snack.dark + snack.light + snack.triangles).long()
    for one in objects.unique()[1:]:
        objects[icg.measures.dilate(objects == one) & (objects == 0)] = one
    numbers, groups = objects[0].unique(return_inverse=True)  # player 0 is the rest
    dark, light = (
        next(k for k, one in enumerate(numbers) if one and (mask == one).any()) for mask in (snack.dark, snack.light)
    )
    options = {"target": 1, "output": "probability"}
    own = icg.shapley.certainty_game(model, snack.images, groups=groups, **options)
    black = icg.shapley.baseline_game(model, join(snack.images), 0.0, groups=groups, **options)
    due, paid = (icg.fairness.fair_division(game).shares[0] for game in (own, black))

    def walked(attribute, **settings):
        found = attribute(model, join(snack.images), n_steps=64, **settings, **options)[:, :1]
        return icg.fairness.by_player(found, groups)[0]

    certainty = walked(icg.integrated_certainty_gradients)
    path = walked(icg.integrated_gradients, baselines=0.0, method="adaptive")
    noise = icg.baselines.gaussian_noise(0.1, n_samples=8)
    assert walked(icg.integrated_gradients, baselines=noise).abs().max() < 0.05  # next to nothing
    says(7, f"The dark square is due {due[dark]:.2f}; A gives it next to nothing, B {certainty[dark]:.2f}.")
    says(7, f"{2 ** len(due)} coalitions for six players. The rest is due {number(due[0], 2)}")
    games = f"pays the dark square {paid[dark]:.2f} and the light one {abs(paid[light]):.2f}"
    says(7, f"{games}, the path {path[dark]:.2f} and {path[light]:.2f}.")


def test_numbers_from_measured_results():
    snacks = icg.artifacts.load_result("burnt-snacks")["rows"]
    hit = {r["method"]: r["hit"]["mean"] for r in snacks if (r["output"], r["class"]) == ("probability", 1)}
    said = [f"{hit[m]:.3f}" for m in ("zero IG", "EG", "AGN", "ICG")]
    says(5, "black baseline {}, Expected Gradients {}, AGN {}, ICG {}".format(*said))

    result = icg.artifacts.load_result("imagenette-resnet18")
    tally = re.search(r"ICG tighter (\d), EG tighter (\d)", flat(findings.on_tightness({result["model"]: result})))
    says(6, f"ICG is tighter in {tally[1]}, Expected Gradients in {tally[2]} (ResNet-18)")
    ours, theirs = (result["methods"][m]["black borders"]["mean"] for m in ("ICG, noise averaged", "EG"))
    area = result["borders"]["black borders"]["area"]["mean"]
    says(6, f"On black borders: {ours:.1%} and {theirs:.1%} of the credit, on {area:.0%} of the picture")

    verdicts = claims.judge_all(icg.artifacts.load_result("certainty-ablation")["arms"])
    texts = {claim: verdict.verdict for claim, verdict in verdicts.items()}
    assert "holds" in texts["Varying the extent improves neutrality"]
    assert "holds" in texts["… and makes the network use it: absence"]
    assert "told" in texts["Adversarial damage trains certainty faster"]
    says(
        4,
        "Varying the extent helps neutrality: holds. Adversarial damage helps absence: holds.",
        "faster: can't be told",
    )


# ---- the exam


def answer(question: int, *bold: str) -> str:
    """The answer to a question, in which each of these numbers is set in bold."""
    text = flat(re.search(r"\*\*Answer\.\*\*(.*?)\*\*Points\.\*\*", QUESTIONS[question - 1][1], re.S)[1])
    for value in bold:
        assert f"**{value}**" in text, f"question {question}: **{value}** is not in its answer"
    return text


def pair(values, digits=3) -> str:
    return f"({', '.join(number(v, digits) for v in values)})"


def test_ten_questions_each_with_answer_and_points():
    assert len(QUESTIONS) == 10
    for k, (name, text) in enumerate(QUESTIONS, 1):
        assert name == f"{k}. [{CHAPTERS[k - 1].title}]({CHAPTERS[k - 1].file})"
        answer(k)
        points = flat(text.split("**Points.**")[1])
        assert points.startswith("10 in all.")
        letters = re.findall(r"\(([a-d])\) ?(\d)", points)
        assert [letter for letter, _ in letters] == sorted(
            set(re.findall(r"\(([a-d])\)", text.split("**Answer.**")[0]))
        )
        assert sum(int(value) for _, value in letters) == 10


def test_answer_1_three_colleagues():
    values = torch.tensor([0, 12, 6, 18, 0, 24, 6, 36], dtype=F64)  # bit 0 Ada, bit 1 Ben, bit 2 Cem
    shares = icg.shapley.shapley_from_table(values)
    answer(1, *(number(v) for v in shares))
    assert shares[1] == shares[2] and values[2] != values[4]
    assert torch.allclose(icg.shapley.shapley_from_table(values + 10), shares)
    ada = [(values[k | 1] - values[k]).item() for k in (0, 2, 4, 6)]
    assert f"nobody (+{ada[0]:g}), Ben (+{ada[1]:g}), Cem (+{ada[2]:g}), both (+{ada[3]:g})" in answer(1)
    weighed = [Fraction(w) * int(a) for w, a in zip(("1/3", "1/6", "1/6", "1/3"), ada, strict=True)]
    assert " + ".join(map(str, weighed)) in answer(1)


def test_answer_2_three_rules():
    x = torch.tensor([[1.0, 2.0]], dtype=F64)

    def by(rule, n, f=lambda z: z[:, 0] ** 2 + z[:, 0] * z[:, 1], x=x):
        found, gap = icg.integrated_gradients(f, x, n_steps=n, method=rule, return_convergence_delta=True)
        return [number(v) for v in found[0]], number(gap)

    exact, gap = by("gausslegendre", 8)
    answer(2, *exact)
    assert gap == "0"
    for rule, n in (("riemann_left", 2), ("riemann_middle", 1)):
        found, gap = by(rule, n)
        answer(2, " and ".join(found), gap)
    found, gap = by("riemann_middle", 1, lambda z: z[:, 0] ** 3, x[:, :1])
    answer(2, *found, gap)


def test_answer_3_black_and_white():
    x = torch.tensor([[0.5, 1.0]], dtype=F64)

    def product(z):
        return z[:, 0] * z[:, 1]

    black, white, mean = (icg.integrated_gradients(product, x, b)[0] for b in (0.0, 1.0, 0.5))
    both = icg.integrated_gradients(product, x, icg.baselines.every(torch.tensor([[0.0, 0.0], [1.0, 1.0]], dtype=F64)))
    assert torch.allclose(both[0], (black + white) / 2)
    answer(3, *map(pair, (black, white, both[0], mean)), number(both.sum()))
    b = torch.tensor([[0.2, 0.7]], dtype=F64)  # the formula that the question gives
    by_formula = (x - b) * (x + b).flip(1) / 2
    assert torch.allclose(icg.integrated_gradients(product, x, b), by_formula)


def test_answer_4_the_larger_one():
    def larger(z):
        return z.amax(1)

    x, zero, raised = (torch.tensor([p], dtype=F64) for p in ((0.8, 0.4), (0.0, 0.0), (0.0, 0.1)))
    path = icg.integrated_gradients(larger, x, zero, n_steps=1000)[0]
    corners = icg.bshap(larger, x, zero)[0]
    later = icg.integrated_gradients(larger, x, raised, n_steps=1000)[0]
    answer(4, pair(path), pair(corners), number(path[0] - corners[0]), pair(later))
    meet = torch.lerp(raised, x, 0.2)[0]
    assert abs(meet[0] - meet[1]) < 1e-12 and number(meet[0]) in answer(4)
    alone = larger(torch.tensor([[0.0, 0.4]], dtype=F64)) - larger(zero)
    assert number(alone) == "0.4"


def test_answer_5_a_coin_for_a_pixel():
    def perfect(shown, c):
        """P(Y = 1 | the pixel shows this), by counting all cases."""
        of = {0: 0.0, 1: 0.0}
        for y in (0, 1):
            for pixel in (0, 1):
                seen = c * (pixel == shown) + (1 - c) * 0.5
                of[y] += 0.5 * (0.9 if pixel == y else 0.1) * seen
        return of[1] / (of[0] + of[1])

    answer(5, ", ".join(number(perfect(1, c), 2) for c in (0, 0.5, 1)))
    answer(5, *(number(perfect(x, 1) - perfect(x, 0), 2, sign=True) for x in (1, 0)))

    def other(joined):
        return 0.1 + 0.8 * joined[:, 0, 0] * joined[:, 1, 0]

    other.certainty_aware = True
    values = torch.tensor([[[1.0]], [[0.0]]])
    found = icg.integrated_certainty_gradients(other, join(values)).flatten()
    nothing = other(join(values, 0.0))
    assert nothing[0] == nothing[1]
    answer(5, *(number(v) for v in found), number(0.5 - nothing[0]))


def test_answer_6_squares_on_the_way():
    answer(6, number(0.25 / 0.8, 4), number(0.5 / 0.8), f"{0.25 / 0.3:.3f}", f"{0.25 / 0.45:.3f}")
    answer(6, number(0.25 / (0.5 / 0.8)), number(1 - 0.5))

    def network(z):
        """1 if some square's lightness is in the band; the edges are steep, but smooth."""
        inside = torch.sigmoid(2000 * (z - 0.25)) * torch.sigmoid(2000 * (0.5 - z))
        return inside.amax(1)

    squares = torch.tensor([[0.8, 0.3], [0.8, 0.45], [0.8, 0.39], [0.8, 0.41]], dtype=F64)  # light, dark
    light_and_dark = icg.integrated_gradients(network, squares, n_steps=40_000).round(decimals=2)
    expected = torch.tensor([[0, 1], [1, 0], [0, 1], [1, 0]], dtype=F64)
    assert torch.allclose(light_and_dark, expected, atol=0.011), light_and_dark


def test_answer_7_six_components():
    others = [0.2, 0.4, 0.55, 0.65, 0.8]
    scores = local_minimum.component_score(torch.tensor(others, dtype=F64))
    answer(7, number(scores.sum()))

    def chance(known, values):
        """Exact P(class 1) with the components of ``known`` known, by the scenario's closed form."""
        game = local_minimum.ideal_game(torch.tensor([[values]], dtype=F64))[:, 0]
        return game[sum(1 << i for i in known)].item()

    assert abs(chance(range(5), [*others, 0.3]) - 1 / 2) < 1e-12
    changes = [chance(range(6), [*others, v]) - 0.5 for v in (0.3, 0.75)]
    assert changes == [-0.5, 0.5]
    answer(7, "1/2", "−1/2", "+1/2")
    alone = Fraction(chance([0], [0.3] * 6) - chance([], [0.3] * 6)).limit_denominator(1000)
    answer(7, str(alone).replace("-", "−"))
    assert Fraction(6, 32) + Fraction(10, 32) / 2 == Fraction(11, 32)

    v = torch.tensor([0.5, 0.75, 0.5, 1.0], dtype=F64)

    def extension(joined):
        c1, c2 = joined[:, 1].unbind(1)
        return v[0] * (1 - c1) * (1 - c2) + v[1] * c1 * (1 - c2) + v[2] * (1 - c1) * c2 + v[3] * c1 * c2

    extension.certainty_aware = True
    found = icg.integrated_certainty_gradients(extension, join(torch.zeros(1, 1, 2, dtype=F64))).flatten()
    assert torch.allclose(found, icg.shapley.shapley_from_table(v))
    answer(7, *(number(f) for f in found))


def test_answer_8_a_ghost_of_four_pixels():
    weights = torch.tensor([2.0, -1.0, 3.0, 1.0], dtype=F64)
    digit = torch.tensor([[0.0, 0.0, 1.0, 1.0]], dtype=F64)
    left = torch.tensor([[1, 1, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]], dtype=F64)

    def linear(z):
        return z @ weights

    credit, moved = (
        icg.integrated_gradients(linear, digit, icg.baselines.every(data))[0] for data in (left, left.roll(2, 1))
    )
    share = credit[:2].abs().sum() / credit.abs().sum()
    answer(8, pair(credit), f"{share:.1%}", number(credit.sum()), pair(moved))
    assert abs(credit.sum() - (linear(digit) - linear(left).mean())) < 1e-12
    assert icg.integrated_gradients(linear, digit, 0.0)[0, :2].abs().max() == 0


def test_answer_9_two_maps():
    maps = torch.tensor([[4, 0, 0, 0, 0, 0, 0, 4], [2, 2, 2, 2, 0, 0, 0, 0]], dtype=F64).view(2, 1, 1, 8)
    answer(9, *(f"{v:.3f}" for v in (*entropy(maps), *spread(maps))))
    answer(9, *(f"{round(8 * v.item())}/8" for v in half_area(maps)), number(0.09 / 0.12))
    even = math.sqrt((8**2 - 1) / 12)
    assert f"{even:.3f}" in QUESTIONS[8][1] and f"3.5 / {even:.3f}" in answer(9)
    assert f"{math.sqrt(1.25):.3f} / {even:.3f}" in answer(9)
    black = icg.artifacts.load_result("imagenette-resnet18")["methods"]["zero IG"]
    assert f"gives {black['black borders']['mean']:.1%}" in flat(QUESTIONS[8][1])
    assert black["other borders"]["mean"] > 10 * black["black borders"]["mean"]


def test_answer_10_two_objects():
    fair = icg.shapley.shapley_from_table(torch.tensor([0.5, 0.9, 0.4, 0.9], dtype=F64))[None]  # bit 0 D, bit 1 L
    answer(10, *(number(v) for v in fair[0]))
    maps = {"A": (0.1, 0.3), "B": (0.045, -0.005), "C": (0.4, 0.0)}
    found = {name: torch.tensor([shares], dtype=F64) for name, shares in maps.items()}
    for name, shares in found.items():
        assert f"{name} ({', '.join(number(v) for v in maps[name])})" in flat(QUESTIONS[9][1])
        answer(10, number(icg.fairness.distance(shares, fair)))
        assert f"{name} **{number(icg.fairness.correlation(shares, fair))}**" in answer(10)
    answer(10, number(icg.fairness.wrong_signs(found["A"], fair)))
    assert [icg.fairness.wrong_signs(found[name], fair).item() for name in "BC"] == [0, 0]


# ---- the handout


def test_the_handout_says_what_it_must():
    text = FILLED["handout.md"]
    course = re.search(r"\*\*What this course is about\.\*\*(.*?)\n\n", text, re.S)[1]
    assert len(re.findall(r"\.(?= |$)", flat(course))) == 4
    table = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")][1:]
    words = ["baseline", "completeness", "Shapley value", "attribution transfer", "certainty", "ICG"]
    assert [word.split(",")[0] for word in table] == words
    for name in NAMES:
        assert name in text
    for said in ("stub", "hint", "checks.check_", "checks.accept", "Your answer", ".ipynb", "Hidden tests", "no marks"):
        assert said in text
    assert icg.artifacts.REPOSITORY.removeprefix("https://") in text


def pages(html: str) -> int:
    """On how many pages a browser prints this."""
    names = ("chromium", "chromium-browser", "google-chrome")
    executable = next(filter(None, map(shutil.which, names)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.set_content(html)
        pdf = page.pdf(prefer_css_page_size=True)
        browser.close()
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


@pytest.mark.browser
def test_the_handout_is_one_page():
    text = FILLED["handout.md"]
    assert pages(classroom.printed(text, "handout")) == 1
    assert pages(classroom.printed(2 * text, "twice")) == 2  # so that pages are counted at all
