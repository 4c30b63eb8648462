"""A model while it is asked: all networks behind it in eval mode with frozen weights, and afterwards as they were."""

import gc
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from types import CodeType, FunctionType, ModuleType

import torch
from torch import Tensor, nn

MOST_THINGS = 20_000  # that are looked through for networks, and the longest list
_PLAIN = (bool, int, float, complex, str, bytes, type(None), Tensor, CodeType, ModuleType, torch.device, torch.dtype)
_INSTALLED = re.compile(r"[/\\]((site|dist)-packages|lib[/\\]python3[^/\\]*)[/\\]")  # names no network of the user's

# How many blocks hold something of a network, by the thing's id and a name, and what puts it back.
_HELD: dict[tuple[int, str], tuple[int, Callable]] = {}
_LOCK = threading.RLock()


@contextmanager
def quiet(model):
    """All networks behind ``model`` in eval mode with frozen parameters, and afterwards exactly as they were.

    Frozen parameters save memory: without them a layer keeps its input for a weight gradient that nobody wants. Blocks
    may be nested and may overlap in several threads: the last one that ends puts things back.
    """
    found = networks(model)
    own = [module for module in found if not _of_torch(type(module))]
    kept = {id(tensor) for module in own for _, _, tensor in _activations(vars(module))}
    with ExitStack() as stack:  # all of it is undone, even if some of that fails
        for module in found:
            parameters = module._parameters
            for store in (parameters, module._buffers):
                for name, tensor in store.items():
                    if (id(store), name) in _HELD or (tensor is not None and tensor.is_inference()):
                        _hold(stack, store, name, partial(_copied, store, name))  # autograd takes no such tensors
                    elif tensor is not None and store is parameters:
                        _lower(stack, tensor, "requires_grad")
            _lower(stack, module, "training")
        with torch.inference_mode(False), torch.no_grad():
            yield
        for module in own:  # what it keeps of a pass would hold that one's memory, and can't be copied with the module
            for store, name, tensor in [*_activations(vars(module))]:
                if id(tensor) not in kept:
                    store[name] = tensor.detach()


def thaw(model) -> None:
    """Inside of :func:`quiet`: weights take gradients again, for a model that differentiates by them, until it ends."""
    for store in (module._parameters for module in networks(model)):
        for name, tensor in store.items():
            if (id(tensor), "requires_grad") in _HELD or (id(store), name) in _HELD:
                tensor.requires_grad = True


def _activations(store: dict | list, depth: int = 2) -> Iterator[tuple[dict | list, object, Tensor]]:
    for name, value in store.items() if isinstance(store, dict) else enumerate(store):
        if isinstance(value, Tensor):
            if value.grad_fn is not None:
                yield store, name, value
        elif depth and type(value) in (dict, list) and len(value) <= MOST_THINGS:
            yield from _activations(value, depth - 1)


def _lower(stack: ExitStack, thing, flag: str) -> None:
    if getattr(thing, flag, False) or (id(thing), flag) in _HELD:  # frozen TorchScript has no mode
        _hold(stack, thing, flag, partial(_lowered, thing, flag))


def _lowered(thing, flag: str) -> Callable:
    setattr(thing, flag, False)
    return partial(setattr, thing, flag, True)


def _copied(store: dict, name: str) -> Callable:
    before = store[name]
    with torch.inference_mode(False):
        store[name] = before.detach().clone()
    return partial(store.__setitem__, name, before)


def _hold(stack: ExitStack, thing, name: str, change: Callable) -> None:
    """Make a change, unless another block has; what it returns undoes it when no block holds it any more."""
    key = id(thing), name

    def release():
        with _LOCK:
            count, undo = _HELD.pop(key)
            if count > 1:
                _HELD[key] = count - 1, undo
            else:
                undo()

    with _LOCK:
        count, undo = _HELD.get(key) or (0, change())
        _HELD[key] = count + 1, undo
    stack.callback(release)


def networks(model) -> list[nn.Module]:
    """Every network that a callable may reach: behind wrappers, methods, partials, closures, and names in its code.

    >>> layer = nn.Linear(2, 2)
    >>> networks(lambda x: layer(x).sum(1)) == [layer]
    True
    """
    found, seen = [], {}
    parts, waiting, late = [], [model], []  # a network's own parts come first
    while (parts or waiting or late) and len(seen) < MOST_THINGS:
        thing = (parts or waiting or late).pop()
        if id(thing) in seen or isinstance(thing, _PLAIN):
            continue
        if isinstance(thing, type) and waiting:  # whatever is in classes, of which there is no end, comes last
            late.append(thing)
            continue
        seen[id(thing)] = thing
        if isinstance(thing, nn.Module):
            found.append(thing)
            parts += thing._modules.values()
        waiting += _behind(thing)
    return found


def _behind(thing) -> Iterable:
    """What may be, or lead to, a network of the user's."""
    if isinstance(thing, nn.Module) and _of_torch(type(thing)):  # quickly: there is nothing else in it
        return *thing._forward_hooks.values(), *thing._forward_pre_hooks.values(), vars(thing).get("forward")
    if isinstance(thing, FunctionType):
        return thing.__closure__, thing.__defaults__, thing.__kwdefaults__, thing.__dict__, *_named_in(thing)
    if isinstance(thing, type):
        return () if _installed(thing) else (*vars(thing).values(), *thing.__bases__)
    if isinstance(thing, (list, tuple, set, dict)) and len(thing) > MOST_THINGS:
        return ()
    return gc.get_referents(thing)


def _of_torch(kind: type) -> bool:
    return str(kind.__module__).startswith("torch.")


def _installed(kind: type) -> bool:
    """Whether a class is not the user's own."""
    module = str(kind.__module__)
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return module.partition(".")[0] in (*sys.stdlib_module_names, __package__) or bool(_INSTALLED.search(file))


def _named_in(function: FunctionType) -> list:
    """What the global names in a function's code mean, those of "library.network" included."""
    if _INSTALLED.search(function.__code__.co_filename):
        return []
    codes, names, known = [function.__code__], set(), function.__globals__
    for code in codes:
        names.update(code.co_names)
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    meant = [known[name] for name in names if name in known]
    modules = [vars(thing) for thing in meant if isinstance(thing, ModuleType)]
    return meant + [module[name] for module in modules for name in names if name in module]
