"""Burnt Snacks: the generator follows the description of the authors' images, and its ground truth is exact."""

from collections import Counter

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn

from icg.artifacts import load_model
from icg.measures import probabilities
from icg_book.scenarios import burnt_snacks as bs

# The authors' shapes (tight box height x width, lit pixels), written down once more so that a slip is noticed.
AUTHORS_TRIANGLES = """3x3:6 4x4:10 5x5:15 5x5:13 6x6:21 6x6:21 6x6:21 7x5:21 7x7:28 7x7:31 7x7:25 7x8:32 8x8:36
    9x9:45 9x9:41 9x9:23 7x9:20 10x10:55 10x10:52 10x10:47"""
AUTHORS_RECTANGLES = "5x5 6x6 6x7 7x7 8x8 9x9 9x10 11x11"
EIGHT = np.ones((3, 3))  # neighbours in eight directions


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def data():
    return bs.generate(3000, generator=generator(11))


@pytest.fixture(scope="module")
def wide():
    return bs.generate(1500, wide=True, generator=generator(12))


def objects_of(masks, n):
    """(shorter side, longer side, lit pixels) of every object in the first ``n`` masks."""
    for mask in masks[:n, 0].numpy():
        for number in np.unique(mask[mask > 0]):
            rows, columns = np.nonzero(mask == number)
            yield (*sorted((np.ptp(rows) + 1, np.ptp(columns) + 1)), len(rows))


# ---- statistics of the authors' 20,000 images


def test_statistics_are_those_of_the_authors_images(data):
    assert data.labels.double().mean() == pytest.approx(0.5, abs=0.04)
    lit = (data.images > 0).double().mean((1, 2, 3))
    assert lit[data.labels == 0].mean() == pytest.approx(0.0945, abs=0.003)
    assert lit[data.labels == 1].mean() == pytest.approx(0.1238, abs=0.003)
    assert lit.mean() == pytest.approx(0.109, abs=0.003)
    assert data.images.mean() == pytest.approx(0.055, abs=0.002)


def test_a_light_square_is_likely_but_not_certain(data):
    without = ~(data.light > 0).flatten(1).any(1)
    assert without[data.labels == 0].double().mean() == pytest.approx(0.12, abs=0.03)
    assert without[data.labels == 1].double().mean() == pytest.approx(0.20, abs=0.03)


def test_one_to_three_dark_squares_and_four_to_five_triangles(data):
    dark = torch.tensor([len(m.unique()) - 1 for m in data.dark[data.labels == 1]])
    share = torch.bincount(dark, minlength=4) / len(dark)
    assert share[0] == 0 and len(share) == 4 and (share[1:] - 1 / 3).abs().max() < 0.04
    assert 4 < np.mean([len(m.unique()) - 1 for m in data.triangles]) < 5


# ---- ground truth


def test_labels_agree_with_the_dark_squares(data):
    assert torch.equal(data.labels == 1, (data.dark > 0).flatten(1).any(1))


def test_masks_are_disjoint_and_cover_exactly_what_is_lit(data):
    covered = (data.dark > 0).int() + (data.light > 0).int() + (data.triangles > 0).int()
    assert torch.equal(covered, (data.images > 0).int())


def test_object_numbers_are_unique_in_an_image(data):
    for masks in zip(data.dark[:300], data.light[:300], data.triangles[:300], strict=True):
        numbers = [n for mask in masks for n in mask.unique().tolist() if n]
        assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("family", ["data", "wide"])
def test_gaps_between_shapes_so_that_connected_pixels_are_the_objects(family, request):
    data = request.getfixturevalue(family)
    for i in range(300):
        objects = (data.dark[i] + data.light[i] + data.triangles[i])[0].numpy()
        components, count = ndimage.label(objects > 0, EIGHT)
        pairs = set(zip(components[objects > 0], objects[objects > 0], strict=True))
        assert len(pairs) == count == len(np.unique(objects)) - 1  # one to one


@pytest.mark.parametrize("family", ["data", "wide"])
def test_a_black_frame_stays_around_the_image(family, request):
    lit = (request.getfixturevalue(family).images > 0).any(0)[0]
    rows, columns = lit.any(1).nonzero().flatten(), lit.any(0).nonzero().flatten()
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (1, 47, 1, 47)


# ---- shapes and lightness


def test_triangles_have_the_authors_boxes_and_sizes(data):
    table = set()
    for entry in AUTHORS_TRIANGLES.split():
        box, count = entry.split(":")
        table.add((*sorted(map(int, box.split("x"))), int(count)))
    assert set(objects_of(data.triangles, 600)) == table


def test_squares_have_the_authors_sizes(data):
    boxes = {tuple(map(int, entry.split("x"))) for entry in AUTHORS_RECTANGLES.split()}
    for masks in (data.dark, data.light):
        seen = Counter(objects_of(masks, 600))
        assert {box[:2] for box in seen} == boxes
        assert all(h * w == lit for h, w, lit in seen)


def test_dark_squares_are_chosen_uniformly(data):
    # The first dark square of an image always fits, so its size shows the choice itself.
    seen = Counter(next(objects_of(mask[None], 1))[:2] for mask in data.dark[data.labels == 1])
    assert len(seen) == 8
    share = np.array(list(seen.values())) / sum(seen.values())
    assert abs(share - 1 / 8).max() < 0.035


def test_shapes_are_transposed_and_flipped_in_both_directions(data):
    # Whatever small triangle is seen, its mirror images are seen as well.
    seen, boxes = set(), Counter()
    for mask in data.triangles[:, 0].numpy():
        for number, where in enumerate(ndimage.find_objects(mask), 1):
            if where is not None:
                boxes[mask[where].shape] += 1
                if mask[where].shape == (3, 3):
                    seen.add((mask[where] == number).tobytes())
    for tall, flat in (((7, 5), (5, 7)), ((8, 7), (7, 8))):
        assert boxes[tall] == pytest.approx(boxes[flat], rel=0.25)
    bitmaps = [np.frombuffer(b, bool).reshape(3, 3) for b in seen]
    for turned in (lambda b: b.T, np.flipud, np.fliplr):
        assert {turned(b).tobytes() for b in bitmaps} == seen


def test_lightness_is_in_range_in_steps_of_1_255_and_flat_in_each_object(data):
    levels = (255 * data.images).round()
    assert data.images.dtype == torch.float32 and (255 * data.images - levels).abs().max() < 1e-4
    for mask, low, high in ((data.dark, 63, 127), (data.triangles, 63, 127), (data.light, 127, 254)):
        inside = levels[mask > 0]
        assert (inside.min(), inside.max()) == (low, high)  # .25 to .5 and .5 to 1, rounded down
        assert inside.mean() == pytest.approx((low + high + 1) / 2, rel=0.02)
    for image, objects in zip(levels[:300], data.dark[:300] + data.light[:300] + data.triangles[:300], strict=True):
        assert all(len(image[objects == number].unique()) == 1 for number in objects.unique())


# ---- the training family


def test_the_training_family_is_wider_and_still_alike(data, wide):
    lit = (wide.images > 0).double().mean((1, 2, 3))
    assert lit[wide.labels == 0].mean() == pytest.approx(0.0945, abs=0.012)
    assert set(objects_of(wide.triangles, 600)) > set(objects_of(data.triangles, 600))

    def near_the_border(d):
        inside = d.images[d.dark > 0]
        return (inside > 111.5 / 255).double().mean().item()  # 112 is what .44 is stored as

    assert near_the_border(data) == pytest.approx(0.24, abs=0.04)
    assert near_the_border(wide) == pytest.approx(0.25 + 0.75 * 0.24, abs=0.05)
    assert wide.images[wide.light > 0].min() >= 0.498 and wide.images[wide.dark > 0].max() <= 0.5


def test_training_starts_undamaged_and_ends_with_damage_and_absence():
    inputs, targets = bs.training_batch(0, generator(1))
    assert inputs.shape == (64, 2, 50, 50) and (inputs[:, 1] == 1).all()
    assert set(targets.unique().tolist()) == {0, 1}
    inputs, targets = bs.training_batch(5000, generator(1))
    undamaged, absent = ((inputs[:, 1] == c).flatten(1).all(1) for c in (1, 0))
    assert 8 <= undamaged.sum() <= 20 and 5 <= absent.sum() <= 8
    assert (targets[absent] == 0.5).sum() >= 2 * 5 and (targets[undamaged].amax(1) == 1).all()
    again = bs.training_batch(5000, generator(1))
    assert torch.equal(inputs, again[0]) and torch.equal(targets, again[1])


def test_the_third_stage_is_mostly_blocks_with_certainties_of_their_own():
    inputs, targets = bs.blocks_batch(0, generator(1))
    levels = torch.tensor([len(c.unique()) for c in inputs[:, 1]])
    assert inputs.shape == (64, 2, 50, 50) and targets.shape == (64, 2)
    blocked = levels[8:52]  # behind the damaged, before the undamaged and the absent
    assert ((blocked > 1) & (blocked <= 81)).sum() >= 12 and (blocked <= 81).all()
    assert (inputs[-4:, 1] == 0).all() and (targets[-4:] == 0.5).all()


def test_the_equivariant_network_meets_damage_after_its_first_steps():
    inputs, _ = bs.equivariant_batch(0, generator(1))
    assert (inputs[:, 1] == 1).all()
    inputs, _ = bs.equivariant_batch(1500, generator(1))
    undamaged, absent = ((inputs[:, 1] == c).flatten(1).all(1) for c in (1, 0))
    assert 10 <= undamaged.sum() <= 22 and 4 <= absent.sum() <= 6


def test_the_small_network_learns_from_the_equivariant_one_where_objects_differ_in_certainty():
    inputs, targets = bs.pupil_batch(0, generator(1))
    assert inputs.shape == (64, 2, 50, 50) and not targets.requires_grad
    with torch.no_grad():
        torch.testing.assert_close(targets, load_model("burnt-snacks-equivariant")(inputs).softmax(1))
    values, certainty = inputs[: bs.INTACT].unbind(1)
    assert certainty.min() >= 0 and certainty.max() <= 1
    for picture, known in zip(values, certainty, strict=True):
        lit, n_objects = ndimage.label(picture.numpy() > 0, EIGHT)
        for k in range(1, n_objects + 1):  # an object that touches no other has one certainty, its border too
            own = ndimage.binary_dilation(lit == k, EIGHT)
            if not (ndimage.binary_dilation(own, EIGHT) & (lit > 0) & (lit != k)).any():
                assert len(known[torch.from_numpy(own)].unique()) == 1
    several = [len(known.unique()) for known in certainty]
    assert sum(n > 3 for n in several) > 30 and max(several) <= 14
    absent = (inputs[bs.INTACT :, 1] == 0).flatten(1).all(1)
    assert 1 <= absent.sum() <= 3  # and some of each kind of damage
    assert (inputs[bs.INTACT :, 1].flatten(1).std(1) > 0).sum() >= 4


def test_bitmaps_are_shapes_of_the_scenario():
    squares, triangles = bs.bitmaps("square"), bs.bitmaps("triangle")
    assert " ".join(f"{h}x{w}" for h, w in (b.shape for b in squares)) == AUTHORS_RECTANGLES
    assert all(b.all() for b in squares)
    shapes, boxes = bs._shape_table(False)
    known = {
        (tuple((box - 2).tolist()), b[1 : box[0] - 1, 1 : box[1] - 1].numpy().tobytes())
        for b, box in zip(shapes.flatten(0, 1), boxes.flatten(0, 1), strict=True)
    }
    assert {(tuple(b.shape), b.numpy().tobytes()) for b in triangles + squares} <= known
    assert [len(b) for b in triangles] == [3, 4, 5, 6, 7, 8, 9, 10]
    with pytest.raises(ValueError, match='"square" or "triangle", got \'circle\''):
        bs.bitmaps("circle")


@pytest.mark.parametrize(
    "name",
    [
        "burnt-snacks",
        "burnt-snacks-blocks",
        "burnt-snacks-equivariant",
        "burnt-snacks-equivariant-blocks",
        "burnt-snacks-small",
    ],
)
def test_shipped_networks_tell_fresh_images_and_know_nothing_at_certainty_0(name):
    model, fresh = load_model(name), bs.generate(500, generator=generator(77))
    assert (probabilities(model, fresh.images).argmax(1) == fresh.labels).double().mean() >= 0.985
    assert (probabilities(model, fresh.images[:100], 0.0)[:, 1] - 0.5).abs().max() < 0.1


# ---- interface


def test_the_same_seed_gives_the_same_images_and_the_global_state_is_untouched():
    before = torch.get_rng_state()
    first, again, other = (bs.generate(20, generator=generator(seed)) for seed in (1, 1, 2))
    for name in ("images", "labels", "dark", "light", "triangles"):
        assert torch.equal(getattr(first, name), getattr(again, name))
    assert not torch.equal(first.images, other.images)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_only(label):
    data = bs.generate(30, label=label, generator=generator())
    assert data.labels.tolist() == [label] * 30
    assert (data.dark > 0).flatten(1).any(1).tolist() == [bool(label)] * 30


def test_more_test_images_begin_with_the_same_ones():
    many, few = bs.test_images(13, 1), bs.test_images(4, 1)
    assert len(many) == 13 and (many.labels == 1).all() and torch.equal(few.images, many[:4].images)
    assert not torch.equal(many[:3].images, many[10:].images)  # each ten from a seed of their own
    assert (bs.test_images(4, 0).labels == 0).all()
    assert not torch.equal(bs.test_images(4, 1, seed=1).images, few.images)


def test_selection_keeps_images_and_ground_truth_together(data):
    for index in (slice(3, 6), data.labels == 1, torch.tensor([5, 2])):
        part = data[index]
        assert len(part) == len(data.labels[index])
        for name in ("images", "labels", "dark", "light", "triangles"):
            assert torch.equal(getattr(part, name), getattr(data, name)[index])


@pytest.mark.parametrize(("n", "label", "expected"), [(0, None, "n >= 1"), (-3, 1, "n >= 1"), (3, 2, "label 0, 1")])
def test_bad_arguments_are_refused(n, label, expected):
    with pytest.raises(ValueError, match=f"expected {expected}.* got {label if n > 0 else n}"):
        bs.generate(n, label=label)


class Guess(nn.Module):
    """Says class 1 with probability 0.6, whatever it sees."""

    certainty_aware = True

    def forward(self, joined):
        score = torch.log(torch.tensor(1.5)) + 0 * joined.flatten(1).sum(1)
        return torch.stack([torch.zeros_like(score), score], 1)


def test_evaluation_of_a_model_that_guesses():
    metrics = bs.evaluate(Guess(), n=300, n_absence=50)
    share = bs.generate(300, generator=generator(1)).labels.double().mean()
    assert metrics["accuracy"]["all"] == pytest.approx(share.item())
    assert metrics["accuracy"]["no dark square"] == 0 and metrics["accuracy"]["dark square"] == 1
    assert len(metrics["accuracy under damage"]) == 4
    assert all(value == pytest.approx(share.item()) for value in metrics["accuracy under damage"].values())
    assert len(metrics["at certainty 0"]) == 4
    for absence in metrics["at certainty 0"].values():
        assert absence["mean"] == pytest.approx(0.6, abs=1e-6) and absence["sd"] == pytest.approx(0, abs=1e-6)
    assert metrics["neutrality"] == pytest.approx(0.1, abs=1e-6)
    assert all(p == pytest.approx(0.6, abs=1e-6) for p in metrics["mean probability along certainty"].values())
    for shares in metrics["share of IG in a band at certainty 0"].values():
        assert shares == {"masked": 0, "unmasked": 0}
