"""The checks of the chapter on photographs accept right answers and name typical mistakes."""

import re
from pathlib import Path

import pytest
import torch
from checking import shared_tests

from icg_book.imagenette import checks
from icg_book.kit.answers import NotYet

NOTEBOOK = Path(__file__).parents[3] / "book" / "imagenette.ipynb"

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


def size(a):
    return a.flatten(1).abs()


HALF_WRONG = {
    "how many positions": lambda a: half_area(a) * 48,
    "One position is missing": lambda a: half_area(a, more=0),
    "a number of positions, not a share": lambda a: half_area(a, more=0) * 48,
    "begin with the smallest": lambda a: half_area(a, descending=False),
    "not needed": lambda a: 1 - half_area(a),
    "add signed values": lambda a: half_area(a, change=lambda x: x),
    "speaks for the class only": lambda a: half_area(a, change=lambda x: x.clamp(min=0)),
    "add squares": lambda a: half_area(a, change=lambda x: x**2),
    "half of the largest value": lambda a: (size(a) >= size(a).amax(1, keepdim=True) / 2).double().mean(1),
    "compare with the mean": lambda a: (size(a) > size(a).mean(1, keepdim=True)).double().mean(1),
    "compare with the median": lambda a: (size(a) > size(a).median(1, keepdim=True).values).double().mean(1),
    "mix the maps": lambda a: half_area(a.flatten()[None, None]).expand(4),
    "over the whole batch": lambda a: (
        ((size(a).sort(1, descending=True).values.cumsum(1) < size(a).sum() / 2).sum(1) + 1).clamp(max=48) / 48
    ),
    "an even map has one half": lambda a: half_area(a, change=lambda x: x.abs().sqrt()),
    r"shape \(4,\)": lambda a: half_area(a).mean(),
    "Return a tensor": lambda a: half_area(a).tolist(),
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


def in_place(method, inputs, noise):
    found = []
    for one in noise:
        inputs[:, :3] += one
        found.append(method(inputs))
    return sum(found) / len(found)


NOISY_WRONG = {
    "You average the noise": lambda m, x, n: noisy(m, x, n.mean(0, keepdim=True)),
    "You add the maps": lambda m, x, n: len(n) * noisy(m, x, n),
    "map without noise": lambda m, x, n: m(x),
    "make everything certain": lambda m, x, n: noisy(m, x, n, certain=lambda c, one: torch.ones_like(c)),
    "add noise to the certainty": lambda m, x, n: noisy(m, x, n, certain=lambda c, one: c + one[:1]),
    "says how well a value is known": lambda m, x, n: noisy(m, x, n, certain=lambda c, one: c + one.mean(0)),
    "clip the noisy values": lambda m, x, n: noisy(m, x, n, change=lambda v, one: (v + one).clamp(0, 1)),
    "piles up": lambda m, x, n: noisy(m, x, n.cumsum(0)),
    "take the noise away": lambda m, x, n: noisy(m, x, -n),
    "the noise alone": lambda m, x, n: noisy(m, x, n, change=lambda v, one: one[None]),
    "multiply with the noise": lambda m, x, n: noisy(m, x, n, change=lambda v, one: v * (1 + one)),
    "three colours get the same": lambda m, x, n: noisy(m, x, n[:, :1]),
    "take no absolute values": lambda m, x, n: noisy(m, x, n, read=torch.abs),
    "map of the first copy": lambda m, x, n: noisy(m, x, n[:1]),
    "map of the last copy": lambda m, x, n: noisy(m, x, n[-1:]),
    "without noise as a copy": lambda m, x, n: noisy(m, x, torch.cat([torch.zeros_like(n[:1]), n])),
    "median of the maps": lambda m, x, n: torch.cat([noisy(m, x, one[None]) for one in n]).median(0, True).values,
    "one map for each": lambda m, x, n: torch.cat([noisy(m, x, one[None]) for one in n]),
    "changes the tensors": in_place,
    "with noise of zeros": lambda m, x, n: noisy(m, x, n / 2),
    "stopped with RuntimeError": lambda m, x, n: noisy(m, x, n[..., :-1]),
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


BORDER_WRONG = {
    "below the border": lambda p, t: int((difference(p) <= t).all(2).all(0).sum()),
    "but of": lambda p, t: until(((p - p[:, :, :1]).abs() <= t).all(2).all(0)),
    "with the one above": lambda p, t: 1 + until(((p[:, 1:] - p[:, :-1]).abs() <= t).all(2).all(0)),
    "look for black": lambda p, t: until((p <= t).all(2).all(0)),
    "means of rows": lambda p, t: until((difference(p.mean(2, keepdim=True)) <= t).all(2).all(0)),
    "means of the three colours": lambda p, t: border(p.mean(0, keepdim=True), t),
    "one colour only": lambda p, t: border(p[:1], t),
    "one of the colours is the same": lambda p, t: until((difference(p) <= t).all(2).any(0)),
    "one pixel of a row": lambda p, t: until((difference(p) <= t).all(0).any(1)),
    "first pixel of each row": lambda p, t: border(p[:, :, :1], t),
    "exactly the same": lambda p, t: border(p, 0),
    "count columns": lambda p, t: border(p.transpose(1, 2), t),
    "from the bottom": lambda p, t: until((difference(p) <= t).all(2).all(0).flip(0)),
    "One row too many": lambda p, t: border(p, t) + 1,
    "One row is missing": lambda p, t: max(0, border(p, t) - 1),
    "share of the height": lambda p, t: border(p, t) / 9,
    "how many pixels": lambda p, t: border(p, t) * 10,
    "Not these numbers": lambda p, t: 3,
    "changes the picture": lambda p, t: border(p.mul_(2), t),
    "a whole number": lambda p, t: "three",
    "yours is a bool": lambda p, t: border(p, t) > 0,
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


GATE_WRONG = {
    "wrong sign": lambda g: gate(g, signs=-SIGNS),
    "negative values are lost": lambda g: gate(g, signs=torch.cat([torch.eye(3), torch.zeros(3, 3)])),
    "What of the minus": lambda g: gate(g, signs=torch.cat([torch.eye(3), torch.eye(3)])),
    "nothing gets through": lambda g: gate(g, lift=0.0),
    "colours change places": lambda g: gate(g, signs=SIGNS[:, [2, 1, 0]]),
    "doubled": lambda g: gate(g, press=0.0),
    "colours are mixed": lambda g: gate(g, signs=torch.cat([torch.ones(3, 3), -torch.ones(3, 3)])),
    "not the values yet": lambda g: gate(g, lift=0.5),
    "large values still get through": lambda g: gate(g, lift=0.6, press=0.6),
    "has to hold the ReLU": lambda g: gate(g, lift=0.0, press=0.0),
    "something gets through": lambda g: (
        torch.cat([SIGNS / 2, torch.full((6, 1), 1.0 * g)], 1),
        torch.full((6,), -0.1 * g),
    ),
    "Return two tensors": lambda g: gate(g)[0],
    r"shape \(6, 4\)": lambda g: (gate(g)[0].T, gate(g)[1]),
    "your bias is a float": lambda g: (gate(g)[0], 0.0),
    "not finite": lambda g: (gate(g)[0] / 0, gate(g)[1]),
    "stopped with RuntimeError": lambda g: torch.eye(3) @ torch.eye(4),
}

ALL = {
    checks.check_half_area: ((half_area, half_area_in_a_loop), HALF_WRONG),
    checks.check_noisy_average: ((noisy, noisy_at_once), NOISY_WRONG),
    checks.check_top_border: ((border, border_in_a_loop, border_as_a_tensor), BORDER_WRONG),
    checks.check_gate: ((gate, stronger_gate, gate_of_lists, halves), GATE_WRONG),
}
globals().update(shared_tests(ALL))


@pytest.mark.parametrize("check", ALL)
def test_messages_name_no_number_of_the_answer(check):
    for hint, function in ALL[check][1].items():
        if hint.startswith(("shape", "stopped", "your bias", "changes")):
            continue  # these say a shape, or what Python said
        try:
            check(function)
        except NotYet as error:
            told = re.findall(r"\d+\.\d+", str(error))
            assert told == [], (hint, told)


def test_the_library_agrees():
    """The front of a network that starts from a checkpoint is what the exercise's check calls right."""
    from icg.resnet import GATE, certainty_resnet

    ordinary = certainty_resnet("resnet18", front=6).resnet.state_dict()
    ordinary["conv1.weight"] = torch.randn(64, 3, 7, 7)
    front = certainty_resnet("resnet18", checkpoint=ordinary, front=6).front
    weight, bias = front.weight.detach().view(6, 4), front.bias.detach()
    ours = gate(GATE)
    assert torch.equal(weight, ours[0]) and torch.equal(bias, ours[1])
    checks.check_gate(lambda largest: (weight, bias))
