"""Checks of the chapter on a network of one's own."""

import torch
from checking import shared_tests

from icg_book.own_network import checks


def gate(values, certainty):
    return torch.cat([values * certainty, certainty], 1)


def by_loop(values, certainty):
    found = torch.zeros(len(values), values.shape[1] + 1, *values.shape[2:], dtype=values.dtype)
    for k in range(values.shape[1]):
        found[:, k] = values[:, k] * certainty[:, 0]
    found[:, -1] = certainty[:, 0]
    return found


GATE_WRONG = {
    "You don't gate the values": lambda v, c: torch.cat([v, c], dim=1),
    "lets pass what is": lambda v, c: torch.cat([v - v * c, c], 1),
    "you put it first": lambda v, c: torch.cat([c, c * v], 1),
    "has to be told the certainty, too": lambda v, c: c * v,
    "Only the values are gated": lambda v, c: gate(v, c) * torch.cat([torch.ones_like(v), c], 1),
    "The network is told the certainty": lambda v, c: torch.cat([v * c, 1 - c], 1),
    "a part of the value passes": lambda v, c: torch.cat([torch.where(c > 0.5, v, 0.0), c], 1),
    "That enlarges what is hardly known": lambda v, c: torch.cat([v / c.clamp(min=1e-6), c], 1),
    "the value is still in the sum": lambda v, c: torch.cat([c + v, c], 1),
    "the square of the certainty": lambda v, c: torch.cat([v * c**2, c], 1),
    "Colours share one|along dimension 1|the gated values, then": lambda v, c: torch.cat([v * c, c.expand_as(v)], 1),
    "Each position has its own": lambda v, c: torch.cat([v * c.mean(), c], 1),
    "Multiply the values by their certainty": lambda v, c: torch.cat([v * c + 0.3, c], 1),
    "NaN or infinity": lambda v, c: gate(v, c) / 0,
    "changes a tensor": lambda v, c: gate(v.mul_(2), c),
}

ALL = {checks.check_gated: ([gate, by_loop], GATE_WRONG)}
globals().update(shared_tests(ALL))
