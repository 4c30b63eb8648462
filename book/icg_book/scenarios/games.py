"""Small cooperative games: who can achieve how much together.

A game is a function of coalitions, given as boolean masks ``(M, n)`` (True: the player is there), to values ``(M,)``,
as the engine of `icg.shapley` takes it. Where the fair division has a closed form, it comes with the game.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Game:
    """What every coalition of some players achieves.

    Attributes:
        name: short label.
        players: one name for each player; ``n`` is their number.
        function: masks ``(M, n)`` bool to values ``(M,)``.
        story: one or two sentences that say what the values are.
        shapley: the Shapley values in closed form, ``n`` numbers, or None where there is none.
    """

    name: str
    players: tuple[str, ...]
    function: Callable[[Tensor], Tensor]
    story: str
    shapley: tuple[float, ...] | None = None

    @property
    def n(self) -> int:
        return len(self.players)

    def __call__(self, masks: Tensor) -> Tensor:
        """Values of coalitions ``(M, n)`` bool, as ``(M,)`` float64."""
        if masks.dtype != torch.bool or masks.ndim != 2 or masks.shape[1] != self.n:
            raise ValueError(f"expected boolean masks of shape (M, {self.n}), got {masks.dtype} {tuple(masks.shape)}")
        return self.function(masks).double()

    def worth(self, coalition: Iterable[int]) -> float:
        """Value of one coalition, given by the numbers of its players: ``game.worth({0, 2})``."""
        members = sorted(set(coalition))
        if not all(isinstance(i, int) and 0 <= i < self.n for i in members):
            raise ValueError(f"expected numbers of players from 0 to {self.n - 1}, got {members}")
        mask = torch.zeros(1, self.n, dtype=torch.bool)
        mask[0, members] = True
        return self(mask).item()


def glove(left: int = 2, right: int = 1) -> Game:
    """``left`` players with a left-hand glove each, then ``right`` with a right-hand one; a pair is worth 1.

    Raises:
        ValueError: not at least one player on each side.
    """
    if left < 1 or right < 1:
        raise ValueError(f"expected at least one left and one right glove, got {left} and {right}")
    n, shapley = left + right, None
    if left == right:
        shapley = (0.5,) * n
    elif 1 in (left, right):  # the lonely glove makes a pair unless it comes first
        many = max(left, right)
        each, lonely = (1 / (many * n),) * many, (many / n,)
        shapley = each + lonely if right == 1 else lonely + each
    return Game(
        "gloves",
        ("Ann", "Bo", "Cy") if (left, right) == (2, 1) else _numbered("Left", left) + _numbered("Right", right),
        lambda masks: torch.minimum(masks[:, :left].sum(1), masks[:, left:].sum(1)),
        "Ann and Bo have a left-hand glove each, Cy has a right-hand one. A pair sells for 1, one glove for nothing."
        if (left, right) == (2, 1)
        else "Some players have a left-hand glove, the others a right-hand one. A pair sells for 1.",
        shapley,
    )


def airport(costs: Sequence[float], players: Sequence[str] | None = None) -> Game:
    """One runway for several planes: a coalition costs what its most demanding plane costs.

    The closed form is that of Littlechild and Owen (1973): all pay equally for the first stretch, all who need the
    second stretch for that, and so on.

    Raises:
        ValueError: no plane, a negative cost, or not one name for each plane.
    """
    if not len(costs) or min(costs) < 0:
        raise ValueError(f"expected at least one cost, none negative, got {list(costs)}")
    n = len(costs)
    players = _names(players, "Plane", n)
    need = torch.tensor(costs, dtype=torch.float64)
    order = need.argsort()
    stretches = need[order].diff(prepend=torch.zeros(1, dtype=torch.float64))
    shapley = torch.empty_like(need)
    shapley[order] = (stretches / torch.arange(n, 0, -1)).cumsum(0)
    return Game(
        "airport",
        players,
        lambda masks: (masks * need).amax(1),
        "Planes share a runway. A group of them pays for the length that its largest plane needs.",
        tuple(shapley.tolist()),
    )


def majority(seats: Sequence[int], players: Sequence[str] | None = None) -> Game:
    """A vote: a coalition achieves 1 with more than half of the seats, else 0 (the Shapley-Shubik index of power).

    Raises:
        ValueError: no party, a negative number of seats, or not one name for each party.
    """
    if not len(seats) or min(seats) < 0:
        raise ValueError(f"expected at least one party, no negative seats, got {list(seats)}")
    held = torch.tensor(seats)
    return Game(
        "majority",
        _names(players, "Party", len(seats)),
        lambda masks: 2 * (masks * held).sum(1) > held.sum(),
        f"Parties with {_listed(seats)} seats. A coalition achieves 1 if it has more than half of all seats.",
    )


def additive(shares: Sequence[float], players: Sequence[str] | None = None) -> Game:
    """Players who do not influence each other: a coalition achieves the sum of its members' shares."""
    share = torch.tensor(shares, dtype=torch.float64)
    return Game(
        "additive",
        _names(players, "Worker", len(shares)),
        lambda masks: masks.double() @ share,
        f"Workers who make {_listed(shares)} pieces an hour, each at a bench of their own.",
        tuple(share.tolist()),
    )


def snack_network(features: Tensor) -> Tensor:
    """A tiny network on four detectors (dark, square, triangle, large) in [0, 1]: is a burnt snack in the picture?

    Four inputs, three ReLU units ("a dark square", "a dark triangle", "a large square"), one sigmoid. The weights are
    chosen, not trained, so that the units can be read.

    Args:
        features: ``(N, 4)``.

    Returns:
        Probability that there is a burnt snack, ``(N,)``.
    """
    if features.ndim != 2 or features.shape[1] != 4:
        raise ValueError(f"expected features of shape (N, 4), got {tuple(features.shape)}")
    first = features.new_tensor([[1, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1]])
    hidden = torch.relu(features @ first.T - 1)  # each unit needs both of its features
    return torch.sigmoid(hidden @ features.new_tensor([4.5, -1.5, 1.0]) - 2)


def network() -> Game:
    """`snack_network` as a game: a feature that is present is 1, one that is missing is 0."""
    return Game(
        "small network",
        ("Dark", "Square", "Triangle", "Large"),
        lambda masks: snack_network(masks.double()),
        "A small network says how likely a burnt snack (a dark square) is; missing features are set to 0. "
        "With none of them it still says something.",
    )


def _numbered(what: str, n: int) -> tuple[str, ...]:
    return tuple(f"{what} {i + 1}" for i in range(n))


def _names(players, what: str, n: int) -> tuple[str, ...]:
    if players is not None and len(players) != n:
        raise ValueError(f"expected {n} names of players, got {len(players)}")
    return _numbered(what, n) if players is None else tuple(players)


def _listed(numbers) -> str:
    words = [f"{x:g}" for x in numbers[:5]] + (["…"] if len(numbers) > 5 else [])
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


GAMES = {
    "glove": glove(),
    "airport": airport((2, 4, 8, 12), ("Glider", "Prop", "Jet", "Heavy")),
    "majority": majority((49, 48, 3), ("Ash", "Birch", "Cedar")),
    "network": network(),
    "additive": additive((3, 2, 0), ("Uma", "Vic", "Will")),
}
