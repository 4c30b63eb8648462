"""Any image classifier made certainty-aware: unchanged at certainty 1, and blind to the values at certainty 0."""

from copy import deepcopy

import torch
from torch import Tensor, nn

from .arguments import check_number, check_positive, is_single
from .certainty import is_certainty_aware, join
from .question import quiet

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class CertaintyAware(nn.Module):
    """An image classifier that takes a certainty: see :func:`make_certainty_aware`.

    Input: joined ``(N, C + 1, H, W)``. Output: logits ``(N, K)``.

    Values are normalised and multiplied by their certainty: at certainty 0 nothing of them passes, before training and
    after it. ``front``, a 1x1 convolution with ReLU, mixes values and certainty into more channels, and the network's
    first convolution takes these; or ``back``, another 1x1 convolution, makes C channels of them again.

    Attributes:
        network: the classifier, a copy. how: "convolution" or "adapter". input_shape: ``(C + 1, H, W)``.
    """

    certainty_aware = True

    def __init__(self, network: nn.Module, input_shape, mean: Tensor, std: Tensor, front: int, first: str | None):
        super().__init__()
        c = input_shape[0]
        like = next(network.parameters(), torch.empty(0))
        self.how, self.input_shape = "adapter" if first is None else "convolution", (c + 1, *input_shape[1:])
        self.register_buffer("mean", mean.to(like), persistent=False)
        self.register_buffer("std", std.to(like), persistent=False)
        self.front = new_front(c + 1, front).to(like)
        self.network, self.training = network, network.training
        if first is None:
            self.back = nn.Conv2d(front, c, 1, bias=False).to(like)
            self.back.weight = nn.Parameter(open_front(self.front, torch.eye(c).view(c, c, 1, 1).to(like)))
        else:
            stem = network.get_submodule(first)
            stem.weight, stem.in_channels = nn.Parameter(open_front(self.front, stem.weight)), front

    def forward(self, joined: Tensor) -> Tensor:
        if joined.ndim != 4 or joined.shape[1] != self.input_shape[0]:
            expected = f"(N, {self.input_shape[0]}, H, W), certainty last along dim 1"
            raise ValueError(f"expected joined inputs of shape {expected}, got {tuple(joined.shape)}")
        values, certainty = joined[:, :-1], joined[:, -1:]
        mixed = self.front(torch.cat([(values - self.mean) / self.std * certainty, certainty], 1)).relu()
        return _logits(self.network(mixed if self.how == "convolution" else self.back(mixed)))


def new_front(channels: int, front: int) -> nn.Conv2d:
    """A 1x1 convolution of values and their certainty, for a ReLU behind it, untrained."""
    convolution = nn.Conv2d(channels, front, 1)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    nn.init.zeros_(convolution.bias)
    return convolution


@torch.no_grad()
def open_front(front: nn.Conv2d, stem: Tensor, gate: float = 0.0) -> Tensor:
    """Let a front pass the values: relu(x) - relu(-x) = x, and both are 0 where the next convolution pads with 0.

    Args:
        front: 1x1 convolution of C values and their certainty; its first 2 C channels are set.
        stem: weights ``(out, C, h, w)`` of the convolution that took the values.
        gate: is subtracted from both at certainty 0; more than any value, and nothing passes there.

    Returns:
        Weights ``(out, front, h, w)`` for the convolution that takes the front. What the other channels bring is to be
        learnt.
    """
    c, n = stem.shape[1], front.out_channels
    eye = torch.eye(c).to(stem)
    gates = torch.full((2 * c, 1), gate).to(stem)
    front.weight[: 2 * c] = torch.cat([torch.cat([eye, -eye]), gates], dim=1).view(2 * c, c + 1, 1, 1)
    front.bias[: 2 * c] = -gate
    return torch.cat([stem, -stem, stem.new_zeros(len(stem), n - 2 * c, *stem.shape[2:])], dim=1)


def make_certainty_aware(
    model: nn.Module, input_shape: tuple[int, int, int], *, mean=0.0, std=1.0, front: int = 16, how: str | None = None
) -> CertaintyAware:
    """A copy of an image classifier that takes a certainty: to be trained on (:func:`icg.damage.certainty_batch`).

    At certainty 1 it computes what the model computes, at certainty 0 nothing of the values passes. Of what is in
    between it knows nothing yet.

    Args:
        model: takes values ``(N, C, H, W)`` and returns logits ``(N, K)``, or an object that has them as ``logits``
            (Hugging Face). It is left as it is.
        input_shape: ``(C, H, W)`` of what it takes.
        mean, std: numbers, or one for each channel. Values are normalised by them inside: for a model that was trained
            on normalised images, so that inputs are in [0, 1].
        front: channels that values and certainty are mixed into, at least 2 C.
        how: "convolution" lets the network's first convolution take these channels; "adapter" turns them into C
            channels in front of the whole network, which fits every network. Default: the first, where it fits.

    Raises:
        ValueError: a model that is no module, is certainty-aware already, or doesn't take ``input_shape``; a first
            convolution that is not there or not the only one to take the input, if ``how`` asks for one.

    >>> network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 6 * 6, 2))
    >>> make_certainty_aware(network, (3, 8, 8))(torch.zeros(1, 4, 8, 8)).shape
    torch.Size([1, 2])
    """
    input_shape = tuple(check_positive("input_shape (C, H, W)", side) for side in input_shape)
    c, kind, front = input_shape[0], type(model).__name__, check_positive("front", front)
    mean, std = _numbers("mean", mean, "to be a finite number"), _numbers("std", std, "> 0")
    for ok, expected, got in (
        (isinstance(model, nn.Module), "a torch.nn.Module", kind),
        (not is_certainty_aware(model), "a model without certainty", f"{kind}, which has one already"),
        (how in (None, "convolution", "adapter"), "how to be 'convolution' or 'adapter'", repr(how)),
        (len(input_shape) == 3, "input_shape (C, H, W)", input_shape),
        (front >= 2 * c, f"front >= 2 C = {2 * c}", front),
        ({len(mean), len(std)} <= {1, c}, f"mean and std to be one or {c}", f"{len(mean)} and {len(std)}"),
    ):
        if not ok:
            raise ValueError(f"expected {expected}, got {got}")
    mean, std = (x.expand(c).clone().view(c, 1, 1) for x in (mean, std))
    like = next(model.parameters(), torch.empty(0))
    probe = torch.rand(2, *input_shape, generator=torch.Generator().manual_seed(0)).to(like)
    shown = (probe - mean.to(like)) / std.to(like)
    name, wanted = _first_convolution(model, shown)
    if how != "adapter" and name is not None:
        aware = CertaintyAware(deepcopy(model), input_shape, mean, std, front, name)
        try:  # other parts may look at the input, or at how many channels it has
            with quiet(aware), torch.no_grad():
                if (aware(join(probe)) - wanted).abs().max() <= 1e-3 * wanted.abs().max():
                    return aware
        except Exception:
            pass
    if how == "convolution":
        found = "no convolution takes the input" if name is None else f"the input is taken not by {name!r} alone"
        raise ValueError(f"{found} of {kind}: expected how='adapter'")
    return CertaintyAware(deepcopy(model), input_shape, mean, std, front, None)


def _numbers(name: str, given, bound: str) -> Tensor:
    return torch.tensor([check_number(name, number, bound) for number in ([given] if is_single(given) else given)])


def _first_convolution(model: nn.Module, inputs: Tensor) -> tuple[str | None, Tensor]:
    """The name of the convolution that takes ``inputs``, and the logits."""
    found = []

    def look(module, given):
        if given[0].shape == inputs.shape and torch.equal(given[0], inputs):
            found.append(module)

    plain = {m: name for name, m in model.named_modules() if isinstance(m, nn.Conv2d) and m.groups == 1}
    handles = [m.register_forward_pre_hook(look) for m in plain if "weight" in dict(m.named_parameters(recurse=False))]
    try:
        with quiet(model), torch.no_grad():
            logits = _logits(model(inputs))
    except Exception as error:
        said = " ".join(str(error).split())[:200]
        raise ValueError(f"the model doesn't take inputs (N, {str(tuple(inputs.shape[1:]))[1:]}: {said}") from None
    finally:
        for handle in handles:
            handle.remove()
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(inputs):
        got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(f"expected a model that returns logits (N, K), got {got}")
    return (plain[found[0]] if found else None), logits


def _logits(found):
    return found if isinstance(found, Tensor) else getattr(found, "logits", found)
