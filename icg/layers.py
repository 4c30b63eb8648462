"""Attribution at a layer: from there on, a model is a model of the layer's activations.

So every method runs at every layer; a network of words, whose numbers have no gradient, is asked where it embeds them.
The forward pass runs as ever, on the inputs; only what the layer gives is replaced.

>>> import icg, torch
>>> from torch import nn
>>> net = nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(12, 2))
>>> words = torch.tensor([[3, 1, 4], [1, 5, 2]])
>>> head, activations = from_layer(net, net[0], words)
>>> start = head.activations(torch.zeros_like(words))  # of an empty sentence, if that's what 0 means
>>> icg.integrated_gradients(head, activations, start, additional_forward_args=words).shape
torch.Size([2, 3, 4])
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain

from torch import Tensor, nn

from .arguments import check_one_of
from .modes import quiet


class FromLayer:
    """A model from a layer on, ``(*activations, *inputs) -> outputs``; of several layers, all are replaced at once.

    Args:
        model: any callable that runs each layer once in a pass. layer: a module of it, or several.
        of: "output" of the layer, or its "input".

    Attributes:
        counts: of tensors that each layer gives, known once :meth:`activations` has been called.
    """

    def __init__(self, model, layer: nn.Module | Sequence[nn.Module], of: str = "output"):
        self.model, self.layers, self.of = model, layer if isinstance(layer, (list, tuple)) else [layer], of
        for each in self.layers or [None]:
            if not isinstance(each, nn.Module):
                raise ValueError(f"expected layer to be a module of the model, or several, got {type(each).__name__}")
        check_one_of("of", of, ("output", "input"))
        self.counts = [1] * len(self.layers)

    def __call__(self, *activations_and_inputs):
        rest = iter(activations_and_inputs)
        new = [[next(rest) for _ in range(count)] for count in self.counts]
        with self._changing(lambda number, found: new[number]):
            return self.model(*rest)

    def activations(self, inputs) -> Tensor | tuple[Tensor, ...]:
        """What the layer gives for these inputs of the model, a tensor or a tuple; baselines are made of it, too.

        Raises ``ValueError`` unless each layer runs once, and gives floating tensors, by themselves or in a tuple.
        """
        kept = [[] for _ in self.layers]

        def keep(number, found):
            kept[number] = [each.detach().clone() for each in found]  # a later layer may write into them
            return found

        inputs = inputs if isinstance(inputs, tuple) else (inputs,)
        with quiet(self.model), self._changing(keep):
            self.model(*inputs)
        self.counts = [len(each) for each in kept]
        tensors = tuple(chain(*kept))
        return tensors if len(tensors) > 1 else tensors[0]

    def by_layer(self, attributions: Tensor | tuple[Tensor, ...]) -> list:
        """What belongs to each of several layers: a tensor, or a tuple where a layer gives several."""
        rest = iter(attributions if isinstance(attributions, tuple) else (attributions,))
        each = [tuple(next(rest) for _ in range(count)) for count in self.counts]
        return [tensors if len(tensors) > 1 else tensors[0] for tensors in each]

    @contextmanager
    def _changing(self, change: Callable) -> Iterator[None]:
        """A block in which each layer gives ``change(its number, its floating tensors)``, if asked by this thread."""
        thread, runs = threading.get_ident(), [0] * len(self.layers)

        def hook(number, module, arguments, output=None):
            if threading.get_ident() != thread:
                return None
            runs[number] += 1
            found = arguments if self.of == "input" else output
            single = isinstance(found, Tensor)
            tensors = [each for each in ((found,) if single else found or ()) if _floats(each)]
            if not tensors or not (single or type(found) in (tuple, list)):
                raise ValueError(f"expected the layer's {self.of} to be floating tensors, got {type(found).__name__}")
            new = iter(change(number, tensors))
            return next(new) if single else type(found)(next(new) if _floats(each) else each for each in found)

        with ExitStack() as stack:
            for number, layer in enumerate(self.layers):
                put = layer.register_forward_pre_hook if self.of == "input" else layer.register_forward_hook
                stack.callback(put(partial(hook, number)).remove)
            yield
        if any(count != 1 for count in runs):
            raise ValueError(f"expected each layer to run once in a pass of the model, in its thread, got {runs} runs")


def _floats(thing) -> bool:
    return isinstance(thing, Tensor) and thing.is_floating_point()


def from_layer(model, layer: nn.Module | Sequence[nn.Module], inputs, *, of: str = "output"):
    """The model from a layer on, a :class:`FromLayer`, and the activations at ``inputs``, which are to be attributed.

    Args:
        model, layer, of: those of :class:`FromLayer`. inputs: what the model takes, a tensor or a tuple. The methods
            need them as ``additional_forward_args``.
    """
    head = FromLayer(model, layer, of)
    return head, head.activations(inputs)
