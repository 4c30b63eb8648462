"""Glyphs: the class is a matter of shape alone, the ground truth is exact, and the shipped network knows the shapes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from icg import artifacts
from icg.training import train
from icg_book.kit.networks import GlyphsNet
from icg_book.scenarios import glyphs
from icg_book.scenarios.glyphs import CLASSES, CONTRAST, EXAMPLES, evaluate, examples, generate, paint


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def flat():
    return generate(3000, noise=0.0, generator=generator(5))


@pytest.fixture(scope="module")
def model():
    return artifacts.load_model("glyphs")


# ---- pictures


def test_pictures_are_two_whole_greys_and_the_mask_says_which(flat):
    assert flat.images.shape == flat.ink.shape == (3000, 1, 16, 16)
    whole = (flat.images * 100).round()
    assert torch.equal(whole / 100, flat.images) and whole.min() == 0 and whole.max() == 100
    expected = torch.where(flat.ink, flat.ink_grey.view(-1, 1, 1, 1), flat.ground_grey.view(-1, 1, 1, 1))
    assert torch.equal(flat.images, expected)
    assert (flat.ink.flatten(1).any(1) == (flat.labels > 0)).all()


def test_greys_are_equal_to_what_torch_makes_of_the_number():
    """So that a baseline of 0.35 is the very grey 0.35 of a picture: blindness is exact or it is nothing."""
    for level in range(101):
        grey = level / 100
        picture = paint(torch.zeros(1, 1, 16, 16, dtype=torch.bool), 0.0, grey)
        assert torch.equal(picture, torch.full((1, 1, 16, 16), grey))


def test_greys_tell_nothing_of_the_class(flat):
    apart = flat.ink_grey - flat.ground_grey
    assert apart.abs().min() >= CONTRAST - 1e-6
    assert (apart > 0).double().mean() == pytest.approx(0.5, abs=0.03)  # either polarity
    for label in range(1, 5):
        chosen = flat.labels == label
        assert chosen.double().mean() == pytest.approx(0.2, abs=0.03)
        assert flat.ink_grey[chosen].mean() == pytest.approx(0.5, abs=0.05)
        assert flat.ground_grey[chosen].mean() == pytest.approx(0.5, abs=0.05)
    assert torch.histc(flat.ink_grey, 10, 0, 1).min() > 150  # every lightness


def shape_of(ink):
    """The class of a mask, found another way: by holes, by its slimness, by where its arms point."""
    assert ndimage.label(ink, np.ones((3, 3)))[1] == 1
    if ndimage.label(~ink)[1] > 1:
        return "ring"
    y, x = np.nonzero(ink)
    thick, long = np.linalg.eigvalsh(np.cov(y, x))
    if long > 4 * thick:
        return "bar"
    angle = np.arctan2(y - (y.min() + y.max()) / 2, x - (x.min() + x.max()) / 2)
    far = np.hypot(y - y.mean(), x - x.mean()) > 2
    return "plus" if np.cos(4 * angle[far]).mean() > 0 else "cross"


def test_shapes_are_what_their_labels_say_and_stay_clear_of_the_border(flat):
    glyph = (flat.labels > 0).nonzero().squeeze(1)[:1500]
    found = [shape_of(ink[0].numpy()) for ink in flat.ink[glyph]]
    assert np.mean([name == CLASSES[k] for name, k in zip(found, flat.labels[glyph], strict=True)]) > 0.985
    assert not flat.ink[:, :, [0, -1]].any() and not flat.ink[:, :, :, [0, -1]].any()
    reach = flat.ink.any(0)[0]
    assert reach[4:-4, 1:-1].all() and reach[1:-1, 4:-4].all()  # and come everywhere else, save the corners


def test_noise_is_small_and_keeps_whole_greys():
    data = generate(500, generator=generator(3))
    clean = paint(data.ink, data.ink_grey, data.ground_grey)
    inside = (clean > 0.1) & (clean < 0.9)
    assert (data.images - clean)[inside].std() == pytest.approx(glyphs.NOISE, rel=0.06)
    assert torch.equal((data.images * 100).round() / 100, data.images)
    assert data.images.min() >= 0 and data.images.max() <= 1


def test_same_seed_same_pictures_and_selection():
    a, b, c = (
        generate(9, generator=generator(1)),
        generate(9, generator=generator(1)),
        generate(9, generator=generator(2)),
    )
    assert torch.equal(a.images, b.images) and not torch.equal(a.images, c.images)
    some = a[torch.tensor([2, 5])]
    assert len(some) == 2 and torch.equal(some.ink, a.ink[[2, 5]]) and torch.equal(some.ink_grey, a.ink_grey[[2, 5]])
    assert (generate(20, label=3, generator=generator()).labels == 3).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "n >= 1 images, got 0"),
        ({"n": 2, "label": 5}, "0 to 4, got 5"),
        ({"n": 2, "noise": -0.1}, "noise >= 0, got -0.1"),
    ],
)
def test_generate_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        generate(**arguments)


def test_examples_are_as_listed(model):
    shown = examples()
    for k, (name, ink, ground) in enumerate(EXAMPLES):
        assert CLASSES[shown.labels[k]] == name
        assert set(shown.images[k].unique().tolist()) == {torch.tensor(ink).item(), torch.tensor(ground).item()}
        assert (shown.images[k][shown.ink[k]] == ink).all()
    assert len({mask.numpy().tobytes() for mask in shown.ink}) == len(EXAMPLES)
    assert (model(shown.images).softmax(1).gather(1, shown.labels[:, None]) > 0.9).all()


# ---- the network


def test_the_network_refuses_other_shapes():
    with pytest.raises(ValueError, match=r"\(N, 1, 16, 16\), got \(2, 16, 16\)"):
        GlyphsNet()(torch.zeros(2, 16, 16))


def test_shipped_weights_are_as_good_as_their_card_says(model):
    card = artifacts.load_card("glyphs")
    assert card["metrics"]["accuracy"]["all"] >= 0.98 and card["command"] == "python -m icg train glyphs"
    measured = evaluate(model, n=4000, seed=77)["accuracy"]
    assert measured["images"] == 4000 and set(measured) == set(card["metrics"]["accuracy"])
    assert measured["all"] == pytest.approx(card["metrics"]["accuracy"]["all"], abs=0.006)


def test_the_network_looks_at_shape_only(model):
    data = generate(2000, noise=0.0, generator=generator(8))
    inverted = 1 - data.images
    assert (model(inverted).argmax(1) == data.labels).double().mean() > 0.98
    glyph = data.ink.flatten(1).any(1)
    erased = paint(torch.zeros_like(data.ink), 0.0, data.ground_grey)
    assert (model(erased)[glyph].argmax(1) == 0).double().mean() > 0.99


def test_recipe_learns_and_batches_depend_on_the_generator_alone():
    images, labels = glyphs.training_batch(0, generator(4))
    again, _ = glyphs.training_batch(99, generator(4))
    assert images.shape == (glyphs.RECIPE.batch_size, 1, 16, 16) and labels.shape == (glyphs.RECIPE.batch_size,)
    assert torch.equal(images, again)
    recipe = replace(glyphs.RECIPE, steps=400, warmup=20, average=0.9)
    learnt = train(GlyphsNet, glyphs.training_batch, recipe, progress=False)
    assert evaluate(learnt, n=1000)["accuracy"]["all"] > 0.45  # chance is 0.2
