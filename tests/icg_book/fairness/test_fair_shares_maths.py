"""The maths of "fair shares" without a page: coalitions, paths and measures are those of Python."""

import numpy as np
import pytest
import torch
from fair_pictures import objects
from pages import Script, payload

from icg import fairness
from icg.artifacts import load_model
from icg.attribution import integrated_certainty_gradients, integrated_gradients
from icg.certainty import join
from icg.shapley import certainty_game
from icg_book.fairness import fair_shares as module
from icg_book.kit.page.explorable import script_beside
from icg_book.kit.page.networks import as_in_page
from icg_book.scenarios import glyphs

SCRIPT = script_beside(module.__file__).with_name("fair_shares_maths.js")
DIVIDE = """(values => {
  const job = x.live.divide(Float64Array.from(values));
  let calls = 0;
  while (!job.go(performance.now() + 5)) calls++;
  return { ...job, calls, work: null };
})(a)"""


@pytest.fixture(scope="module")
def explorable():
    return module.fair_shares(shown=[objects()], fallback=b"\x89PNG")


@pytest.fixture(scope="module")
def ask(explorable):
    parts = "{ live: liveMaths(data.live), outlinesOf, distanceFrom, correlationWith, sumOf }"
    with Script(SCRIPT, parts, payload(explorable)) as ask:
        yield ask


@pytest.mark.parametrize("network", ["glyphs-gated", "glyphs-certainty"])
def test_shares_of_a_drawing_are_pythons(ask, explorable, network):
    """Of two glyphs, a noisy one and black; by the network that the page carries by default, and another."""
    model = as_in_page(load_model(network)).double()
    generator = torch.Generator().manual_seed(5)
    pictures = [*glyphs.examples().images[[0, 4]], *glyphs.generate(1, generator=generator).images]
    pictures += [torch.zeros(1, 16, 16)]
    live = payload(explorable)["live"]
    groups = torch.tensor(live["groups"]).view(1, 16, 16)
    if network != "glyphs-gated":
        other = payload(module.fair_shares(model=load_model(network), shown=[objects()], fallback=b"\x89PNG"))
        asked = Script(SCRIPT, "{ live: liveMaths(data.live) }", other)
        pictures = pictures[:2]
    else:
        asked = ask
    for values in pictures:
        job = asked(DIVIDE, values.flatten().double().tolist())
        values = values[None].double()
        with torch.no_grad():
            p = model(join(values)).softmax(1)[0]
        assert np.abs(np.array(job["p"]) - p.numpy()).max() < 1e-3 and job["target"] == p.argmax()
        options = {"target": job["target"], "output": "probability"}
        division = fairness.fair_division(certainty_game(model, values, groups=groups, **options))
        assert job["fair"] == pytest.approx(division.shares[0].tolist(), abs=1e-3)
        assert sum(job["fair"]) == pytest.approx(job["everybody"] - job["nobody"], abs=1e-9)
        rule = {"n_steps": live["steps"], "method": "riemann_middle"}
        maps = {
            "ICG": integrated_certainty_gradients(model, join(values), **rule, **options),
            "zero IG": integrated_gradients(model, join(values), **rule, **options)[:, :1],
        }
        assert set(job["shares"]) == set(maps)
        for name, found in maps.items():
            want = fairness.by_player(found, groups)[0]
            assert job["shares"][name] == pytest.approx(want.tolist(), abs=1e-3), name
        assert job["count"] == 512 and job["calls"] > 3  # it gave way in between
    if asked is not ask:
        asked.__exit__()


def test_measures_are_those_of_the_library(ask):
    shares, fair = torch.randn(2, 20, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for code, measure in (("distanceFrom", fairness.distance), ("correlationWith", fairness.correlation)):
        found = ask(f"a[0].map((s, i) => x.{code}(s, a[1][i]))", [shares.tolist(), fair.tolist()])
        assert found == pytest.approx(measure(shares, fair).tolist(), abs=1e-12)
    assert ask("x.correlationWith([0.2, 0.2, 0.2], [1, 2, 3])") is None  # whose mean isn't 0.2 in floats


def test_shapley_values_of_a_known_game(ask):
    """Each alone counts 0, 1, 2 …; and players 0 and 1 win 6 together."""
    table = [sum(i for i in range(9) if mask >> i & 1) + 6 * (mask & 3 == 3) for mask in range(512)]
    assert ask("x.live.shapley(a)", table) == pytest.approx([3, 4, 2, 3, 4, 5, 6, 7, 8])


def test_outlines_go_around_each_player(ask):
    """A square of four pixels in a corner of 3 x 3, one pixel alone, and the rest."""
    found = ask("x.outlinesOf([0, 0, 2, 0, 0, 2, 1, 2, 2], 3, 3, 3)")
    edges = [one["edge"].replace("M", " M").split() for one in found]
    assert [one["edge"].count("M") for one in found] == [8, 4, 10]
    assert "M0" in edges[0] and [one["area"].count("M") for one in found] == [4, 1, 4]
    assert [one["box"] for one in found] == [[0, 0, 2, 2], [0, 2, 1, 3], [1, 0, 3, 3]]
    assert sorted(found[1]["edge"].split("M")[1:]) == ["0 2h1", "0 2v1", "0 3h1", "1 2v1"]
