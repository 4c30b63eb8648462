"""The kitchen alarm: a small network on three sensors, of which one decides."""

import torch
from torch import nn

SENSORS = ("smoke", "heat", "hum")


def train_alarm(activation: type[nn.Module], seed: int = 0) -> tuple[nn.Module, float]:
    """Train an alarm to ring when there is much smoke, a little earlier when it is hot; the hum means nothing.

    Args:
        activation: of both hidden layers, such as ``nn.ReLU``.

    Returns:
        The network in float64 (so that the gaps found with it are those of the rules), readings ``(N, 3)`` in [0, 1] to
        logits ``(N, 2)``, class 1 for "ring"; and the share of its training data on which it is right.
    """
    generator = torch.Generator().manual_seed(seed)
    readings = torch.rand(2000, 3, generator=generator)
    rings = (readings[:, 0] + 0.3 * readings[:, 1] > 0.5).long()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        one, two, three = nn.Linear(3, 32), nn.Linear(32, 32), nn.Linear(32, 2)
    network = nn.Sequential(one, activation(), two, activation(), three)
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(100):
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(readings), rings).backward()
        optimiser.step()
    right = (network(readings).argmax(1) == rings).float().mean().item()
    return network.double(), right
