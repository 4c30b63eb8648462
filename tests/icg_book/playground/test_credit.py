"""The page's network and shares, in WebAssembly and in plain JavaScript, are PyTorch's and the library's."""

from functools import cache

import pytest
import torch
from pages import Script, payload

import icg
from icg.artifacts import load_model
from icg.certainty import join
from icg.fairness import by_player
from icg.measures import probabilities
from icg.shapley import certainty_game
from icg_book.kit.networks import BurntSnacksEquivariantNet
from icg_book.kit.page.explorable import script_beside
from icg_book.kit.page.networks import as_in_page
from icg_book.playground import playground as module
from icg_book.playground.scene import MOST_OBJECTS, Thing, draw

SCRIPT = script_beside(module.__file__).with_name("credit.js")
SCENES = {
    **module.PRESETS,
    "nothing": (),
    "six, at the edges": (
        Thing("square", 7, 1, 1, 64),
        Thing("square", 0, 1, 43, 127),
        Thing("triangle", 7, 38, 1, 127, 6),
        Thing("square", 6, 38, 38, 254),
        Thing("square", 2, 20, 20, 128, 1),
        Thing("triangle", 0, 28, 20, 64, 4),
    ),
}
CREDIT = """(() => {
  const found = { paid: {}, quick: {}, sums: {} };
  for (const step of x.maths.credit(a)) {
    if (!step) continue;
    if (step.fair) Object.assign(found, step);
    if (step.quick) Object.assign(found.quick, found.paid);
    if (step.method) {
      found.paid[step.method] = step.shares;
      found.sums[step.method] = step.map.reduce((sum, v) => sum + v, 0);
    }
  }
  return found;
})()"""


@pytest.fixture(scope="module")
def trained():
    """The weights of the page, in double precision: what is compared is the arithmetic."""
    return as_in_page(load_model(module.WEIGHTS)).double()


@pytest.fixture(scope="module")
def ask():
    data = payload(module.playground(fallback=b"\x89PNG"))
    parts = "({ maths: creditMaths(data), network: openCredit(data.network), plain: openCredit(data.network, true) })"
    with Script(SCRIPT, parts, data) as ask:
        yield ask


@pytest.fixture(scope="module")
def credit(ask):
    """What the page finds for a scene, asked once."""
    return cache(lambda scene: ask(CREDIT, things(scene)))


def things(scene):
    return [vars(thing) for thing in SCENES[scene]]


def test_both_kernels_are_there(ask):
    assert ask("[x.network.wasm, x.plain.wasm]") == [True, False]


@pytest.mark.parametrize("engine", ["network", "plain"])
def test_answers_and_gradients_are_those_of_pytorch(ask, trained, engine):
    generator = torch.Generator().manual_seed(1)
    for k in range(4):
        values, certainty = torch.rand(2, 1, 1, 50, 50, generator=generator)
        certainty = certainty if k else torch.zeros_like(certainty)
        inputs = torch.cat([values, certainty], 1).double().requires_grad_()
        p = trained(inputs).softmax(1)[0, 1]
        (by_values, by_certainty) = torch.autograd.grad(p, inputs)[0][0].flatten(1)
        code = f"""(() => {{
          const n = x.{engine}, p = n.probability(a.values, a.certainty);
          return [p, ...n.toPixels(n.slope(p))];
        }})()"""
        found = ask(code, {"values": values.flatten().tolist(), "certainty": certainty.flatten().tolist()})
        assert found[0] == pytest.approx(p.item(), abs=1e-5)
        gated, known = torch.tensor(found[1]), torch.tensor(found[2])  # by values times certainty, and by certainty
        size = by_certainty.abs().max().item()
        assert (gated * certainty.flatten() - by_values).abs().max() < 1e-3 * size
        assert (known + gated * values.flatten() - by_certainty).abs().max() < 1e-3 * size


def test_rounding_the_weights_for_the_page_is_not_seen(trained):
    exact = load_model(module.WEIGHTS).double()
    pictures, certainty = module.references().double(), torch.linspace(0, 1, module.REFERENCES, dtype=torch.float64)
    inputs = torch.cat([pictures, certainty.view(-1, 1, 1, 1).expand_as(pictures)], 1)
    with torch.no_grad():
        torch.testing.assert_close(trained(inputs).softmax(1), exact(inputs).softmax(1), rtol=0, atol=1e-3)


@pytest.mark.parametrize("scene", SCENES)
def test_fair_shares_are_exact(credit, trained, scene):
    values, groups = draw(list(SCENES[scene]))
    values, found = values.double(), credit(scene)
    game = certainty_game(trained, values, groups=groups, target=1, output="probability")
    assert found["fair"] == pytest.approx(game.shapley().flatten().tolist(), abs=1e-5)
    assert len(found["fair"]) == len(SCENES[scene]) + 1 <= MOST_OBJECTS + 1
    for name, certainty in (("nobody", 0.0), ("everybody", 1.0)):
        assert found[name] == pytest.approx(float(probabilities(trained, values, certainty)[0, 1]), abs=1e-5)
    # Paths are integrated: what a method hands out is the change along its path.
    black, references = torch.zeros_like(values), module.references().double()
    start = {
        "IG": probabilities(trained, black)[:, 1],
        "EG": probabilities(trained, references)[:, 1],
        "ICG": probabilities(trained, values, 0.0)[:, 1],
    }
    for method, p in start.items():
        assert found["sums"][method] == pytest.approx(found["everybody"] - p.mean().item(), abs=2e-3)
        assert found["paid"][method] == pytest.approx(found["quick"][method], abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("scene", module.PRESETS)
def test_shares_are_those_of_the_library(credit, trained, scene):
    values, groups = draw(list(SCENES[scene]))
    inputs, found = join(values.double()), credit(scene)["paid"]
    options = {"target": 1, "output": "probability", "n_steps": 4096, "method": "adaptive"}
    maps = {
        "IG": icg.integrated_gradients(trained, inputs, **options)[:, :1],
        "ICG": icg.integrated_certainty_gradients(trained, inputs, **options),
    }
    for method, map_ in maps.items():
        assert found[method] == pytest.approx(by_player(map_, groups[None])[0].tolist(), abs=1e-3), method


@pytest.mark.slow
def test_expected_gradients_are_the_mean_over_whole_paths(credit, trained):
    scene = next(iter(module.PRESETS))  # one of them: it takes a minute
    values, groups = draw(list(SCENES[scene]))
    start, options = icg.baselines.every(module.references().double()), {"target": 1, "output": "probability"}
    map_ = icg.integrated_gradients(trained, join(values.double()), start, n_steps=2048, method="adaptive", **options)[
        :, :1
    ]
    assert credit(scene)["paid"]["EG"] == pytest.approx(by_player(map_, groups[None])[0].tolist(), abs=1e-3)


def test_presets_tell_their_story(credit):
    """What the front page says of them, with these weights."""
    bystander, squares, nothing = map(credit, module.PRESETS)
    assert bystander["everybody"] > 0.9 and squares["everybody"] > 0.99 and nothing["everybody"] < 0.05
    assert bystander["fair"][0] > 0.5 > 0.1 > abs(bystander["fair"][1])
    assert bystander["paid"]["IG"][1] > 0.6 > 0.3 > bystander["paid"]["IG"][0]
    assert abs(squares["fair"][0] - squares["fair"][1]) < 0.1
    assert squares["paid"]["IG"][1] - squares["paid"]["IG"][0] > 0.5
    assert max(map(abs, nothing["fair"][:3])) < 0.1 and min(nothing["paid"]["IG"]) < -0.4
    for found in (bystander, squares, nothing):  # not exactly fair, but never the farthest
        off = {m: sum(abs(a - b) for a, b in zip(s, found["fair"], strict=True)) for m, s in found["paid"].items()}
        assert max(off, key=off.get) != "ICG"


def test_a_moving_hand_gets_answers():
    """Pictures that come faster than answers: each gets its probability, some get all, the last gets all."""
    code = """(() => {
      const said = [], server = x((message) => said.push(message));
      for (let number = 1; number <= 30; number++) {
        server.take({ number, things: a });
        server.work(performance.now() + 20);
      }
      while (server.work(performance.now() + 100));
      return said.map((m) => [m.number, ["p", "quick", "done"].find((kind) => m[kind] !== undefined) || null]);
    })()"""
    data = payload(module.playground(fallback=b"\x89PNG"))
    with Script(SCRIPT, "(post) => openServer(data, post)", data) as ask:
        said = ask(code, things("The bystander is paid"))
    kinds = [kind for _, kind in said]
    assert kinds.count("p") == 30 and said[-1] == [30, "done"] and [30, "quick"] in said
    assert kinds.count("done") == 1 and 1 < kinds.count("quick") <= 30
    quick = [number for number, kind in said if kind == "quick"]
    assert quick == sorted(quick)


def test_another_network_is_refused():
    with pytest.raises(ValueError, match="expected a BurntSnacksSmallNet.*got BurntSnacksEquivariantNet"):
        module.playground(BurntSnacksEquivariantNet())
