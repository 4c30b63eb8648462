"""Pictures of the playground: shapes and rules are those of the scenario, and JavaScript draws the same pixels."""

from dataclasses import replace

import pytest
import torch
from pages import Script, payload

from icg import fairness
from icg_book.kit.networks import BurntSnacksSmallNet
from icg_book.kit.page.explorable import script_beside
from icg_book.playground import playground as module
from icg_book.playground.scene import LEVELS, MOST_OBJECTS, Thing, draw
from icg_book.scenarios import burnt_snacks

SCRIPT = script_beside(module.__file__).with_name("scene_maths.js")
DARK = Thing("square", 5, 7, 8, 85)


def random_thing(generator) -> Thing:
    def one(low, high):
        return int(torch.randint(low, high + 1, (), generator=generator))

    kind = ("square", "triangle")[one(0, 1)]
    sizes = len(burnt_snacks.bitmaps(kind))
    return Thing(kind, one(0, sizes - 1), one(-1, 50), one(-1, 50), one(*LEVELS[kind]), one(0, 7))


@pytest.fixture(scope="module")
def ask():
    data = payload(module.playground(BurntSnacksSmallNet().eval(), fallback=b"\x89PNG"))
    with Script(SCRIPT, "({ ...sceneMaths(data), whoIsCheated, distanceFromFair })", data) as ask:
        yield ask


def fits(things) -> bool:
    try:
        draw(things)
    except ValueError:
        return False
    return True


def test_python_and_page_draw_the_same_pixels_and_players(ask):
    generator, seen = torch.Generator().manual_seed(0), set()
    for _ in range(60):
        things = []
        for _ in range(40):
            thing = random_thing(generator)
            room = fits([*things, thing])
            code = "x.fits(a, a.length - 1)"
            assert ask(code, [vars(t) for t in [*things, thing]]) == room, thing
            if room and len(things) < MOST_OBJECTS:
                things.append(thing)
            if len(things) == MOST_OBJECTS:
                break
        values, groups = draw(things)
        objects = [vars(t) for t in things]
        assert ask("x.valuesOf(a)", objects) == values.flatten().tolist()
        assert ask("x.groupsOf(a)", objects) == groups.flatten().tolist()
        names = {"dark": "dark square", "light": "light square", "triangle": "triangle"}
        assert [names[kind] for kind in ask("a.map(x.kindOf)", objects)] == [t.name for t in things]
        seen |= {(t.kind, t.size, t.turn) for t in things}
    assert {kind for kind, _, _ in seen} == {"square", "triangle"} and len(seen) > 60


def test_pixels_are_levels_of_255_as_the_scenario_has_them():
    values, groups = draw([DARK, replace(DARK, top=30, level=254)])
    assert values[0, 0, 7:16, 8:17].unique().tolist() == [torch.tensor(85 / 255).item()]
    assert values[0, 0, 30, 8] == torch.tensor(254) / 255 and (values > 0).sum() == 2 * 81
    assert groups.shape == (1, 50, 50) and (groups == 0).sum() == 11 * 11 and groups[0, 0, 0] == 2


def test_a_border_that_two_share_is_the_firsts():
    _, groups = draw([DARK, replace(DARK, left=18)])
    assert (groups[0, 10, 7:19] == 0).sum() == 11 and groups[0, 10, 17] == 0 and groups[0, 10, 18] == 1


@pytest.mark.parametrize(
    ("things", "message"),
    [
        ([DARK] * 7, "expected at most 6 objects, got 7"),
        ([DARK, replace(DARK, left=17)], "object 1: expected a place of its own"),
        ([replace(DARK, top=0)], "object 0: expected a place of its own"),
        ([replace(DARK, left=41)], "object 0: expected a place of its own"),
    ],
)
def test_things_need_room(things, message):
    with pytest.raises(ValueError, match=message):
        draw(things)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "circle"}, '"square" or "triangle", got'),
        ({"size": 8}, "a size of 0 to 7, got 8"),
        ({"turn": -1}, "a turn of 0 to 7, got -1"),
        ({"level": 63}, "a level of 64 to 254 for a square, got 63"),
        ({"kind": "triangle", "level": 128}, "a level of 64 to 127 for a triangle, got 128"),
    ],
)
def test_a_thing_is_one_of_the_scenario(change, message):
    with pytest.raises(ValueError, match=message):
        replace(DARK, **change)


def test_dark_ends_below_a_half():
    assert replace(DARK, level=127).name == "dark square" and replace(DARK, level=128).name == "light square"


def test_presets_are_what_they_are_called():
    names = {name: [thing.name for thing in things] for name, things in module.PRESETS.items()}
    assert names["The bystander is paid"][:2] == ["dark square", "light square"]
    assert names["Two squares, one winner"].count("dark square") == 2
    assert "dark square" not in names["Nothing to find"]
    assert all(fits(list(things)) for things in module.PRESETS.values())


# ---- words


def said(ask, kinds, fair, **paid):
    return ask("x.whoIsCheated(a.kinds, a.fair, a.paid)", {"kinds": kinds, "fair": fair, "paid": paid})


def test_the_sentence_names_who_is_cheated_most_and_who_takes_most(ask):
    fair, right = [0.7, -0.02, 0.0, -0.2], [0.68, -0.05, 0.02, -0.2]
    text = said(ask, ["dark", "light", "triangle"], fair, IG=[0.1, 0.85, 0.0, 0.0], EG=right, ICG=right)
    assert text == (
        "A, the dark square, is cheated by Integrated Gradients: it is due 0.70 and gets 0.10, "
        "while B, the light square, is due −0.02 and takes 0.85."
    )
    text = said(ask, ["dark", "dark"], [0.3, 0.3, 0], IG=[0.3, 0.3, 0], EG=[0.3, 0.1, 0], ICG=[0.3, 0.3, 0])
    assert text == "B, a dark square, is cheated by Expected Gradients: it is due 0.30 and gets 0.10."
    text = said(ask, ["light"], [0.0, 0.5], IG=[0.0, 0.5], EG=[0.0, 0.5], ICG=[0.4, 0.5])
    assert text == (
        "A, the light square, is paid too much by Integrated Certainty Gradients: it is due 0.00 and gets 0.40."
    )


def test_the_sentence_accuses_nobody_for_little(ask):
    near = [0.79, 0.0]
    assert said(ask, ["dark"], [0.7, 0.5], IG=near, EG=near, ICG=near).startswith("Nobody is cheated")
    assert said(ask, [], [0.5], IG=[0.0], EG=[0.0], ICG=[0.0]).startswith("Nothing is in the picture")


def test_distance_is_that_of_the_library(ask):
    shares, fair = [0.1, 0.85, -0.1], [0.7, -0.02, -0.2]
    want = fairness.distance(torch.tensor([shares]), torch.tensor([fair])).item()
    assert ask("x.distanceFromFair(a[0], a[1])", [shares, fair]) == pytest.approx(want)
