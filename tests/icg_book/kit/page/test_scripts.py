"""The scripts that explorables share, as far as they need no page."""

import re
from pathlib import Path

import numpy as np
import pytest
from pages import Script

import icg_book
from icg_book.kit.page.explorable import HERE, pack, scripts

BOOK = Path(icg_book.__file__).parent
ALL = sorted(BOOK.rglob("*.js"))
PURE = [
    path for path in ALL if path.stem.endswith("_maths") or path.stem in ("packed", "networks", "random", "strokes")
]


@pytest.fixture(scope="module")
def ask():
    with Script(HERE / "packed.js", "{ unpack, addSteps }") as ask:
        yield ask


@pytest.mark.parametrize("path", PURE, ids=lambda path: path.name)
def test_maths_needs_no_page(path):
    code = re.sub(r"//.*", "", path.read_text(encoding="utf-8"))
    assert not re.findall(r"\b(?:document|window|matchMedia|el\(|svg\(|requestAnimationFrame|setTimeout)", code)
    Script(path, "null").__exit__()  # it loads


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_a_script_comes_after_what_it_uses(path):
    needed = scripts(path)
    assert needed[0].name == "common.js" and needed[-1] == path and len(set(needed)) == len(needed)
    for k, one in enumerate(needed):
        uses = re.findall(r"^// uses (.*)$", one.read_text(encoding="utf-8"), re.M)
        assert set(uses) <= {before.name for before in needed[:k]}


def test_unpacking_survives_every_kind_of_deflate_block(ask):
    """Stored (noise), fixed (tiny), dynamic with long runs: the three kinds that zlib writes."""
    rng = np.random.default_rng(0)
    for array in (
        rng.integers(0, 256, 70_000),
        np.array([7]),
        np.arange(300_000) % 251 // 7,
        np.repeat(rng.integers(0, 256, 3000), 97),
    ):
        array = array.astype(np.uint8)
        assert np.array_equal(ask("x.unpack(...a)", [pack(array), len(array)]), array)


def test_other_sizes_and_damaged_bytes_are_refused(ask):
    text = pack(np.arange(100, dtype=np.uint8))
    with pytest.raises(AssertionError, match="packed data are damaged, or more than 99 bytes"):
        ask("x.unpack(...a)", [text, 99])
    with pytest.raises(AssertionError, match="expected 101 packed bytes, got 100"):
        ask("x.unpack(...a)", [text, 101])


def test_numbers_are_written_for_people():
    with Script(HERE / "common.js", "{ number, signed, percent, interpolate }") as ask:
        shown = {0.0: "0", 12.345: "12.3", -0.5: "−0.5", 1.5e-4: "1.5×10⁻⁴", 123456: "1.2×10⁵", 0.001: "0.001"}
        assert ask("a.map((v) => x.number(v))", list(shown)) == list(shown.values())
        assert ask(
            "[x.number(-0.001, 2), x.number(2, 3), x.signed(0.5, 1), x.signed(-0.5, 1), x.signed(0.001, 2)]"
        ) == [
            "0.00",
            "2.000",
            "+0.5",
            "−0.5",
            "0.00",
        ]
        shares = {
            0: "0 %",
            1e-5: "<0.1 %",
            0.0123: "1.2 %",
            0.5: "50 %",
            0.98: "98.0 %",
            0.99999: ">99.9 %",
            1: "100 %",
        }
        assert ask("a.map((v) => x.percent(v))", list(shares)) == list(shares.values())
        assert ask("[-1, 0, 0.5, 1.5, 9].map((v) => x.interpolate([0, 1, 2], [1, 3, 2], v))") == [1, 1, 2, 2.5, 2]


def test_ticks_are_round_and_inside():
    with Script(HERE / "charts.js", "niceTicks") as ask:
        assert ask("x(0, 1, 4)") == [0, 0.25, 0.5, 0.75, 1]
        assert ask("x(-0.9, 41, 3)") == [0, 20, 40]
        assert ask("x(0.13, 0.61, 2)") == [0.25, 0.5]


def test_seeded_numbers_are_repeatable_even_and_apart():
    with Script(HERE / "random.js", "seeded") as ask:
        code = "((next) => Array.from({ length: 4000 }, next))(x(a))"
        first, again, other = (np.array(ask(code, seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.isin(first, other).any()
    assert (0 <= first).all() and (first < 1).all()
    assert np.abs(np.sort(first) - (np.arange(4000) + 0.5) / 4000).max() < 1.95 / np.sqrt(4000)
