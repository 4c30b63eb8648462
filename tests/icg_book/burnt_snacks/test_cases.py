"""The cases of the explorable: four ways to each of three images, each ending at what the library attributes."""

import pytest
import torch
from torch import nn

import icg
from icg.certainty import join
from icg_book.burnt_snacks import cases
from icg_book.burnt_snacks.scrub import scrub_path
from icg_book.burnt_snacks.tracing import trace_draws, trace_path
from icg_book.scenarios import burnt_snacks

METHODS = ["IG, black baseline", "Expected Gradients", "ICG, probability", "ICG, logit"]


@pytest.fixture(scope="module")
def made():
    """A small smooth network, the chapter's images, data, and the cases."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(2, 3, 5, stride=5), nn.Tanh(), nn.Flatten(), nn.Linear(300, 2))
    model.certainty_aware = True
    examples = burnt_snacks.examples()
    data = burnt_snacks.generate(20, generator=torch.Generator().manual_seed(0)).images
    return model, examples, data, cases.scrub_cases(model, examples, data)


def test_every_image_meets_every_method_and_all_can_be_shown(made):
    *_, found = made
    assert [(c["image"], c["method"]) for c in found] == [(i, m) for i in cases.IMAGES for m in METHODS]
    assert scrub_path(found).data["cases"]


def test_the_paths_end_at_the_attributions_of_the_library(made):
    model, examples, _, found = made
    image = join(examples["one dark, one light"].images)
    icg_of = icg.integrated_certainty_gradients
    options = {"target": 1, "method": "riemann_middle", "n_steps": 1024}
    expected = {
        "IG, black baseline": icg.integrated_gradients(model, image, **options)[0, 0],
        "ICG, probability": icg_of(model, image, **options)[0, 0],
        "ICG, logit": icg_of(model, image, output="logit", **options)[0, 0],
    }
    for case in found[:4]:
        if case["method"] in expected:
            torch.testing.assert_close(case["gathered"][-1], expected[case["method"]], atol=1e-5, rtol=1e-3)


def test_the_estimate_of_expected_gradients_is_scaled_to_all_draws(made):
    model, examples, data, found = made
    case, image = found[1], join(examples["one dark, one light"].images)
    assert case["positions"].tolist()[:9] == [1, 2, 3, 4, 5, 6, 7, 8, 10] and case["positions"][-1] == cases.DRAWS
    drawn = {"n": cases.DRAWS, "generator": torch.Generator().manual_seed(3)}
    gathered = trace_draws(model, image, join(data), target=1, output="probability", **drawn).gathered[:, 0]
    torch.testing.assert_close(case["gathered"][-1], gathered[-1])
    torch.testing.assert_close(case["gathered"][8], gathered[9] * cases.DRAWS / 10)


def test_marks_and_captions_name_the_squares():
    image = burnt_snacks.examples()["three dark, one light"]
    assert [mark["label"] for mark in cases.marks(image)] == ["dark square"] * 3 + ["light square"]
    level = image.images[image.light > 0].max().item()
    assert [at for at, _ in cases.captions(image)] == pytest.approx([0, 0.25 / level, 0.5 / level, 1])


def test_steps_are_saved_only_where_the_output_stands_still(made):
    """On a path whose output leaps, as good as with the most steps everywhere, at less than half of their number."""
    _, examples, *_ = made
    image, asked = examples["one dark, one light"], 0

    def model(joined):
        nonlocal asked
        asked += len(joined) * joined.requires_grad
        bright = joined[:, 0].flatten(1).amax(1)
        return torch.stack([torch.zeros_like(bright), 60 * (bright - 0.4)], 1)

    model.certainty_aware = True
    found = cases.scrub_cases(model, examples, made[2])[0]
    asked, black = 0, join(torch.zeros_like(image.images))
    options = {"target": 1, "output": "probability", "n_steps": 32}
    everywhere = trace_path(model, black, join(image.images), cases.POSITIONS, **options)
    all_of_it = asked
    gathered = everywhere.gathered[:, 0]
    assert (found["gathered"] - gathered).abs().max() < 0.005 * gathered.abs().max()
    assert gathered[-1].sum() == pytest.approx(1, abs=0.01)
    asked = 0
    cases.scrub_cases(model, {name: image for name in examples}, made[2])
    values = asked - len(cases.IMAGES) * (cases.DRAWS + 2 * (8 * 32 + 33))  # Expected Gradients, and ICG twice
    assert 0 < values < len(cases.IMAGES) * all_of_it / 2
