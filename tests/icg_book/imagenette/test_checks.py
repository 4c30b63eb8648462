"""The checks of the chapter on photographs accept right answers and name typical mistakes."""

import numpy as np
import pytest
import torch
from checking import shared_tests

from icg_book.imagenette import checks

# --- half area -----------------------------------------------------------------------------------------------------


def half_area(a, change=lambda x: x.abs(), descending=True, more=1):
    x = change(a.flatten(1))
    held = x.sort(1, descending=descending).values.cumsum(1)
    return ((held < x.sum(1, keepdim=True) / 2).sum(1) + more) / x.shape[1]


def half_area_in_a_loop(a):
    found = []
    for one in a:
        values = sorted(one.abs().flatten().tolist(), reverse=True)
        total, held, count = sum(values), 0.0, 0
        while held < total / 2:
            held += values[count]
            count += 1
        found.append(count / len(values))
    return torch.tensor(found)


def half_area_in_numpy(a):
    x = np.sort(np.abs(a.numpy().reshape(len(a), -1).astype(float)), axis=1)[:, ::-1]
    share = x / x.sum(1, keepdims=True)
    return [1 + int(np.searchsorted(np.cumsum(row), 0.5)) for row in share] / np.float64(x.shape[1])


def half_area_by_top(a):
    """Ask for ever more of the largest ones."""
    found = []
    for one in a.double().flatten(1).abs():
        held = (float(one.topk(k).values.sum()) for k in range(1, len(one) + 1))
        found.append(next(k for k, part in enumerate(held, 1) if 2 * part >= float(one.sum())) / len(one))
    return found


def half_area_from_below(a):
    """Take away the smallest ones as long as half is left."""
    x = a.abs().double().flatten(1).sort(1).values
    left = x.sum(1, keepdim=True) - x.cumsum(1)
    return 1 - (left >= x.sum(1, keepdim=True) / 2).double().mean(1)


def size(a):
    return a.flatten(1).abs()


def at_most_half(a):
    held = size(a).double().sort(1, descending=True).values.cumsum(1)
    return ((held <= held[:, -1:] / 2).sum(1) + 1) / held.shape[1]


def in_order(a):
    held = size(a).cumsum(1)
    return ((held < held[:, -1:] / 2).sum(1) + 1) / held.shape[1]


def by_threshold(a):
    """Everything as large as the last one that is needed."""
    needed = (half_area(a) * a[0].numel()).round().long()
    least = size(a).sort(1, descending=True).values.gather(1, needed[:, None] - 1)
    return (size(a) >= least).double().mean(1)


HALF_WRONG = {
    "how many positions": lambda a: half_area(a) * a[0].numel(),
    "One position is missing": lambda a: half_area(a, more=0),
    "a number of positions, not a share": lambda a: half_area(a, more=0) * a[0].numel(),
    "One position too many": lambda a: half_area(a, more=2),
    "At least half is enough": at_most_half,
    "begin with the smallest": lambda a: half_area(a, descending=False),
    "in the order of the picture": in_order,
    "not needed": lambda a: 1 - half_area(a),
    "add signed values": lambda a: half_area(a, change=lambda x: x),
    "half of the signed sum": lambda a: (
        ((size(a).sort(1, descending=True).values.cumsum(1) < a.flatten(1).sum(1, True) / 2).sum(1) + 1) / a[0].numel()
    ),
    "speaks for the class only": lambda a: half_area(a, change=lambda x: x.clamp(min=0)),
    "add squares": lambda a: half_area(a, change=lambda x: x**2),
    "half of the largest value": lambda a: (size(a) >= size(a).amax(1, keepdim=True) / 2).double().mean(1),
    "compare with the mean": lambda a: (size(a) > size(a).mean(1, keepdim=True)).double().mean(1),
    "compare with the median": lambda a: (size(a) > size(a).median(1, keepdim=True).values).double().mean(1),
    "first half of the positions hold": lambda a: (
        size(a).sort(1, descending=True).values[:, : a[0].numel() // 2].sum(1) / size(a).sum(1)
    ),
    "mix the maps": lambda a: half_area(a.flatten()[None, None]).expand(len(a)),
    "over the whole batch": lambda a: (
        ((size(a).sort(1, descending=True).values.cumsum(1) < size(a).sum() / 2).sum(1) + 1).clamp(max=a[0].numel())
        / a[0].numel()
    ),
    r"an even map has one half.*\nFor attribution = \[\[\[\[": lambda a: half_area(a, change=lambda x: x.abs().sqrt()),
    "one spike in an empty map": by_threshold,
    "Not these areas": lambda a: half_area(a) * a[0].numel() / 48,
    "areas. Test yourself": lambda a: half_area(a.round()),
    "map a single": lambda a: torch.ones(len(a)) / 4,
    "single position": lambda a: half_area(a, change=lambda x: (x - x.mean(1, keepdim=True)).abs()),
    r"shape \(2,\); yours has shape \(\)": lambda a: half_area(a).mean(),
    r"one share for each map, shape \(2,\)": lambda a: half_area(a[:1]),
    "yours is a dict": lambda a: dict(enumerate(half_area(a))),
    "NaN or infinity": lambda a: half_area(a) / 0,
    "changes a tensor": lambda a: half_area(a.abs_()),
    "stopped with RuntimeError": lambda a: a.view(7, 7),
}

# --- noisy average -------------------------------------------------------------------------------------------------


def noisy(method, inputs, noise, change=lambda x, one: x + one, certain=lambda c, one: c, read=lambda m: m):
    copies = [torch.cat([change(inputs[:, :3], one), certain(inputs[:, 3:], one)], 1) for one in noise]
    return torch.cat([read(method(copy)) for copy in copies]).mean(0, keepdim=True)


def noisy_at_once(method, inputs, noise):
    batch = inputs.repeat(len(noise), 1, 1, 1)
    batch[:, :3] += noise
    return method(batch).mean(0, keepdim=True)


def noisy_in_lists(method, inputs, noise):
    maps = []
    for k in range(noise.shape[0]):
        copy = inputs.clone()
        copy[0, 0:3] = copy[0, 0:3] + noise[k]
        maps.append(method(copy)[0, 0].tolist())
    return [[sum(m[i][j] for m in maps) / len(maps) for j in range(len(maps[0][0]))] for i in range(len(maps[0]))]


def noisy_so_far(method, inputs, noise):
    """The running mean, with the noise continued by zeros for the certainty."""
    mean = torch.zeros_like(inputs[:, :1])
    for k, one in enumerate(torch.nn.functional.pad(noise, (0, 0, 0, 0, 0, 1)), start=1):
        mean = mean + (method(inputs + one) - mean) / k
    return mean.numpy()


def in_place(method, inputs, noise):
    found = []
    for one in noise:
        inputs[:, :3] += one
        found.append(method(inputs))
    return sum(found) / len(found)


def maps_of(m, x, n):
    return torch.cat([noisy(m, x, one[None]) for one in n])


NOISY_WRONG = {
    "You average the noise": lambda m, x, n: noisy(m, x, n.mean(0, keepdim=True)),
    "add the noise up before": lambda m, x, n: noisy(m, x, n.sum(0, keepdim=True)),
    "You add the maps": lambda m, x, n: len(n) * noisy(m, x, n),
    "map without noise": lambda m, x, n: m(x),
    "make everything certain": lambda m, x, n: noisy(m, x, n, certain=lambda c, one: torch.ones_like(c)),
    "set the certainty to 0": lambda m, x, n: noisy(m, x, n, certain=lambda c, one: 0 * c),
    "add noise to the certainty": lambda m, x, n: noisy(m, x, n, certain=lambda c, one: c + one[:1]),
    "says how well a value is known": lambda m, x, n: noisy(m, x, n, certain=lambda c, one: c + one.mean(0)),
    "clip the noisy values": lambda m, x, n: noisy(m, x, n, change=lambda v, one: (v + one).clamp(0, 1)),
    "piles up": lambda m, x, n: noisy(m, x, n.cumsum(0)),
    "take the noise away": lambda m, x, n: noisy(m, x, -n),
    "the noise alone": lambda m, x, n: noisy(m, x, n, change=lambda v, one: one[None]),
    "multiply with the noise": lambda m, x, n: noisy(m, x, n, change=lambda v, one: v * (1 + one)),
    "three colours get the same": lambda m, x, n: noisy(m, x, n[:, :1]),
    "take no absolute values": lambda m, x, n: noisy(m, x, n, read=torch.abs),
    "and no squares": lambda m, x, n: noisy(m, x, n, read=torch.square),
    "map of the first copy": lambda m, x, n: noisy(m, x, n[:1]),
    "map of the last copy": lambda m, x, n: noisy(m, x, n[-1:]),
    "leave out a copy": lambda m, x, n: noisy(m, x, n[: max(1, len(n) - 1)]),
    "without noise as a copy": lambda m, x, n: noisy(m, x, torch.cat([torch.zeros_like(n[:1]), n])),
    "what the noise changes": lambda m, x, n: noisy(m, x, n) - m(x),
    "median of the maps": lambda m, x, n: maps_of(m, x, n).median(0, True).values,
    "spread of the maps": lambda m, x, n: maps_of(m, x, n).std(0, correction=0),
    "one map for each": maps_of,
    "leave the map a map": lambda m, x, n: noisy(m, x, n).mean(),
    "changes a tensor": in_place,
    r"with noise of zeros.*\nFor method = a toy method, inputs = \[\[\[\[": lambda m, x, n: noisy(m, x, n / 2),
    "Not this average": lambda m, x, n: noisy(m, x, n) * len(n) / 5,
    "average. Test yourself": lambda m, x, n: noisy(m, x, n.flip(3)),
    "the method's own map": lambda m, x, n: noisy(m, x, n.abs()),
    "it is the method's": lambda m, x, n: noisy(m, x, n - n.mean(0)),
    "own map": lambda m, x, n: noisy(m, x.clamp(0.1, 0.9), n),
    "takes joined inputs": lambda m, x, n: m(x[:, :3] + n),
    r"\(1, 4, 1, 2\); it was given \(2, 3, 1, 2\)": lambda m, x, n: m(x[:, :3] + n).mean(0),
    "stopped with RuntimeError": lambda m, x, n: noisy(m, x, n[:, :2]),
}

# --- the border ----------------------------------------------------------------------------------------------------


def difference(p):
    return (p - p[:, :1, :1]).abs()


def until(same):
    return int(same.long().cumprod(0).sum())


def border(p, t):
    return until((difference(p) <= t).all(2).all(0))


def border_in_a_loop(p, t):
    corner = p[:, 0, 0]
    for row in range(p.shape[1]):
        for column in range(p.shape[2]):
            if ((p[:, row, column] - corner).abs() > t).any():
                return row
    return p.shape[1]


def border_as_a_tensor(p, t):
    return torch.tensor([border_in_a_loop(p, t)])


def border_in_numpy(p, t):
    differs = np.abs(p.numpy() - p.numpy()[:, 0, 0].reshape(3, 1, 1)).max(axis=(0, 2)) > t
    return np.argmax(differs) if differs.any() else np.int64(p.shape[1])


def border_by_isclose(p, t):
    rows = torch.isclose(p, p[:, :1, :1], rtol=0, atol=t).all(dim=0).all(dim=1).tolist()
    return float([*rows, False].index(False))


def reds(p):
    return p[:1, :1, :1]


BORDER_WRONG = {
    "below the border": lambda p, t: int((difference(p) <= t).all(2).all(0).sum()),
    "but of": lambda p, t: until(((p - p[:, :, :1]).abs() <= t).all(2).all(0)),
    "with the one above": lambda p, t: 1 + until(((p[:, 1:] - p[:, :-1]).abs() <= t).all(2).all(0)),
    "top of its column": lambda p, t: until(((p - p[:, :1]).abs() <= t).all(2).all(0)),
    "top row's mean": lambda p, t: until(((p - p[:, :1].mean(2, keepdim=True)).abs() <= t).all(2).all(0)),
    "top row's median": lambda p, t: until(((p - p[:, :1].median(2, True).values).abs() <= t).all(2).all(0)),
    "the red of the corner": lambda p, t: until(((p - reds(p)).abs() <= t).all(2).all(0)),
    "look for black": lambda p, t: until((p <= t).all(2).all(0)),
    "lighter or darker": lambda p, t: until((p - p[:, :1, :1] <= t).all(2).all(0)),
    "both directions": lambda p, t: until((p[:, :1, :1] - p <= t).all(2).all(0)),
    "means of rows": lambda p, t: until((difference(p.mean(2, keepdim=True)) <= t).all(2).all(0)),
    "have the right mean": lambda p, t: until((difference(p).mean(2) <= t).all(0)),
    "means of the three colours": lambda p, t: border(p.mean(0, keepdim=True), t),
    "add up the differences": lambda p, t: until((difference(p).sum(0) <= t).all(1)),
    "one colour only": lambda p, t: border(p[:1], t),
    "All three have to be the same": lambda p, t: border(p[2:], t),
    "one of the colours is the same": lambda p, t: until((difference(p) <= t).all(2).any(0)),
    "one pixel of a row": lambda p, t: until((difference(p) <= t).all(0).any(1)),
    "forgive a few pixels": lambda p, t: until((difference(p) <= t).double().mean((0, 2)) > 0.9),
    "first pixel of each row": lambda p, t: border(p[:, :, :1], t),
    "exactly the same": lambda p, t: border(p, 0),
    "exactly the tolerance is still": lambda p, t: until((difference(p) < t).all(2).all(0)),
    "count columns": lambda p, t: border(p.transpose(1, 2), t),
    "from the bottom": lambda p, t: until((difference(p) <= t).all(2).all(0).flip(0)),
    "Begin at the top": lambda p, t: border(p.flip(1), t),
    "that are not border": lambda p, t: p.shape[1] - border(p, t),
    "One row too many": lambda p, t: border(p, t) + 1,
    "differs is not part": lambda p, t: min(p.shape[1], border(p, t) + 1),
    "One row is missing": lambda p, t: max(0, border(p, t) - 1),
    "border all over": lambda p, t: int((difference(p) > t).any(2).any(0).long().argmax()),
    "share of the height": lambda p, t: border(p, t) / p.shape[1],
    "how many pixels": lambda p, t: border(p, t) * p.shape[2],
    r"Not these numbers.*\nFor picture = \[\[\[.*it returned 3": lambda p, t: 3,
    "a picture of one colour": lambda p, t: border(p, 4 / 64),
    "one of noise has none": lambda p, t: border(p, 2 * t),
    "is all border": lambda p, t: border(p[:, :, :4], t),
    "Not these numbers": lambda p, t: border(p[:, :5], t),
    "numbers. Test yourself": lambda p, t: border(p, t) > 0,
    "changes a tensor": lambda p, t: border(p.mul_(2), t),
    "a whole number; yours is a str": lambda p, t: "three",
    "a whole number; yours has shape": lambda p, t: (difference(p) <= t).all(2).all(0),
    "stopped with": lambda p, t: border(p[0], t),
}

# --- the gate ------------------------------------------------------------------------------------------------------

SIGNS = torch.cat([torch.eye(3), -torch.eye(3)])


def gate(largest, signs=SIGNS, lift=1.0, press=1.0):
    return torch.cat([signs, torch.full((6, 1), lift * largest)], 1), torch.full((6,), -press * largest)


def stronger_gate(largest):
    return gate(3 * largest)


def gate_of_lists(largest):
    g = float(largest)
    rows = [[float(i == k) * sign for i in range(3)] + [g] for sign in (1, -1) for k in range(3)]
    return [torch.tensor(rows, dtype=torch.float64), torch.tensor([-g] * 6)]


def halves(largest):
    """Another way: two halves, shifted so far that no ReLU bends at certainty 1."""
    return torch.cat([SIGNS / 2, torch.full((6, 1), 2.0 * largest)], 1), torch.full((6,), -largest)


def gate_in_numpy(largest):
    weight = np.zeros((6, 4))
    for k in range(3):
        weight[k, k], weight[k + 3, k] = 1, -1
    weight[:, 3] = 2 * largest
    return weight, np.full((6, 1), -2 * largest)


def gate_of_halves(largest):
    return gate(float(largest))[0].half(), gate(float(largest))[1].half()


def gate_by_channel(largest):
    """Each channel with a strength of its own."""
    strength = largest * torch.tensor([1.0, 2.0, 3.0, 1.0, 2.0, 3.0])
    return torch.cat([SIGNS, strength[:, None]], 1), -strength


GATE_WRONG = {
    "wrong sign": lambda g: gate(g, signs=-SIGNS),
    "negative values are lost": lambda g: gate(g, signs=torch.cat([torch.eye(3), torch.zeros(3, 3)])),
    "positive values are lost": lambda g: gate(g, signs=torch.cat([torch.zeros(3, 3), -torch.eye(3)])),
    "What of the minus": lambda g: gate(g, signs=torch.cat([torch.eye(3), torch.eye(3)])),
    "nothing gets through": lambda g: gate(g, lift=0.0),
    "colours change places": lambda g: gate(g, signs=SIGNS[:, [2, 1, 0]]),
    "The colours change": lambda g: gate(g, signs=SIGNS[:, [1, 2, 0]]),
    "doubled": lambda g: gate(g, press=0.0),
    "halved": lambda g: gate(g, signs=SIGNS / 2),
    "colours are mixed": lambda g: gate(g, signs=torch.cat([torch.ones(3, 3), -torch.ones(3, 3)])),
    "not the values yet: with largest = 1, .* became": lambda g: gate(g, lift=0.5),
    "the values yet": lambda g: gate(g, lift=1.1),
    "three are not the values": lambda g: gate(g, press=1.001),
    "less the last three": lambda g: tuple(1.0001 * part for part in gate(g)),
    "large values still get through": lambda g: gate(g, lift=0.6, press=0.6),
    "How strong has the gate": lambda g: gate(g, lift=0.99, press=0.99),
    "Right for largest = 1, .* not for .*4": lambda g: gate(1.0),
    "not for .*4096": lambda g: gate(100.0),
    "how does the gate depend": lambda g: gate(max(g, 1.0) if g < 20 else 20.0),
    "4096: how does": lambda g: gate(g**0.5) if g > 100 else gate(g),
    "so strong that float32": lambda g: gate(1e6),
    "float32 rounds the values": lambda g: gate(1e7 * g),
    "has to hold the ReLU": lambda g: gate(g, lift=0.0, press=0.0),
    "something gets through": lambda g: (
        torch.cat([SIGNS / 2, torch.full((6, 1), 1.0 * g)], 1),
        torch.full((6,), -0.1 * g),
    ),
    "Return two things": lambda g: gate(g)[0],
    "two things: weight and bias": lambda g: (*gate(g), 0),
    "First the weight": lambda g: gate(g)[::-1],
    r"shape \(6, 4\)": lambda g: (gate(g)[0].T, gate(g)[1]),
    r"shape \(6,\); yours has \(\)": lambda g: (gate(g)[0], 0.0),
    "not finite": lambda g: (gate(g)[0] / 0, gate(g)[1]),
    "stopped with RuntimeError": lambda g: torch.eye(3) @ torch.eye(4),
}

ALL = {
    checks.check_half_area: (
        (half_area, half_area_in_a_loop, half_area_in_numpy, half_area_by_top, half_area_from_below),
        HALF_WRONG,
    ),
    checks.check_noisy_average: ((noisy, noisy_at_once, noisy_in_lists, noisy_so_far), NOISY_WRONG),
    checks.check_top_border: (
        (border, border_in_a_loop, border_as_a_tensor, border_in_numpy, border_by_isclose),
        BORDER_WRONG,
    ),
    checks.check_gate: (
        (gate, stronger_gate, gate_of_lists, halves, gate_in_numpy, gate_of_halves, gate_by_channel),
        GATE_WRONG,
    ),
}
FAMILY = {checks.check_gate: (lambda seed: [(1.0,), (2.5,), (seed + 0.25,)], lambda answer: answer)}
globals().update(shared_tests(ALL, family=FAMILY))


@pytest.mark.parametrize("check", ALL)
def test_no_sentence_gives_the_answer_away(check):
    secrets = {
        checks.check_half_area: ["sort(", "cumsum"],
        checks.check_noisy_average: ["cat(", ":3"],
        checks.check_top_border: ["cumprod", ".all("],
        checks.check_gate: ["eye", "-largest"],
    }
    for said in [*check.hints, getattr(check, "otherwise", "")]:
        assert not any(secret in said for secret in secrets[check]), said


def test_the_library_agrees():
    """The front of a network that starts from a checkpoint is what the exercise's check calls right."""
    from icg.resnet import GATE, certainty_resnet

    ordinary = certainty_resnet("resnet18", front=6).resnet.state_dict()
    ordinary["conv1.weight"] = torch.randn(64, 3, 7, 7)
    front = certainty_resnet("resnet18", checkpoint=ordinary, front=6).front
    ours = checks.check_gate.reference(GATE)
    assert torch.equal(front.weight.detach().view(6, 4), ours[0]) and torch.equal(front.bias.detach(), ours[1])
