"""``python -m icg explain PHOTO``: what a network of the book sees in a picture of yours, and where.

Any picture that Pillow reads: it is turned as its EXIF data say, put on white where it is transparent, and its middle,
in the proportions of the network's input, becomes the input; in grey for networks that see grey.
"""

import json
import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor

from icg.arguments import OUTPUTS, check_one_of
from icg.artifacts import atomic_write, find, load_card, load_model
from icg.certainty import is_certainty_aware, join, split
from icg.question import quiet
from icg_book.kit import contenders
from icg_book.kit.contenders import BASELINES, KEYS, OFFERED, Method
from icg_book.kit.lab import attribute
from icg_book.kit.pictures import open_picture, prepare, resize
from icg_book.kit.result_figures import picture_and_map
from icg_book.own_network.folder import read_folder
from icg_book.scenarios import scenario_of

SAMPLES = 500  # training images for Expected Gradients and the mean baseline
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".pdf", ".svg")  # what can be written


def explain(
    path: Path,
    out: Path,
    *,
    model: str,
    scenario: str | None = None,
    method: str = "icg",
    baseline: str = "zero",
    target: str | None = None,
    output: str = "probability",
    steps: int | None = None,
    noise: float | None = None,
    say: Callable[[str], None] = print,
    progress: bool = True,
) -> None:
    """Say what the network sees in a picture, and write the picture, the attribution map and both together to ``out``.

    Args:
        model: name of trained weights, or path of weights of your own.
        scenario: module of :mod:`icg_book.scenarios` that names its classes and has images for what needs them;
            default: the one that trains the network.
        method: of :data:`icg_book.kit.contenders.KEYS`. baseline: of Integrated Gradients.
        target: the class to explain, by name or number; the predicted one if not given.
        output: "probability", "log_probability" or "logit".
        steps, noise: of the method; ICG with noise is averaged over five noisy inputs (paper, A.4.1).

    Raises:
        ValueError: anything wrong with picture, names or options; what can be seen early is said before the work.
    """
    path, out = Path(path), Path(out)
    check_one_of("output", output, OUTPUTS)
    chosen, n, noise = settings(method, baseline, steps, noise)
    _check_out(out, path)
    picture = open_picture(path)  # before the weights, which may have to be downloaded
    network, shape = trained(model)
    module = (
        import_module(f"icg_book.scenarios.{scenario}") if scenario else scenario_of(model) or Own(load_card(model))
    )
    photo = prepare(picture, shape)
    for note in photo.notes:
        say(f"{path.name}: {note}")
    network = with_certainty(network, chosen, model)

    with quiet(network), torch.no_grad():
        p = network(join(photo.values)).softmax(1)[0]
    classes = class_names(module, len(p))
    number = class_number(target, classes, int(p.argmax()))
    first, second = p.topk(2).indices.tolist()
    known = f"({model}, {len(p)} classes)"
    say(f"{path.name}: {classes[first]}, {p[first]:.1%}; next {classes[second]}, {p[second]:.1%} {known}")

    maps, delta = attribute(
        network,
        photo.values,
        samples(module, shape) if chosen.data else None,
        method=method,
        baseline=baseline,
        n_steps=n,
        noise_std=noise,
        output=output,
        target=number,
        progress=progress,
        return_convergence_delta=True,
    )
    total, what = maps.sum().item(), output.replace("_", " ")
    summed = f"the map adds up to {total:+.4f}"
    if delta is not None:
        summed += f", and the {what} changes by {total - delta.item():+.4f} along the way"
    by = chosen.title + (f", noise {noise:g}" if noise else "")
    say(f"{classes[number]}, {p[number]:.1%}: its {what} explained by {by}; {summed}")
    title = f"{classes[number]}, {p[number]:.1%}"
    figure = picture_and_map(photo.shown, maps[0, 0].numpy(), title=title, by=f"{by}\n{what}")
    with atomic_write(out) as temporary:
        if out.suffix.lower() == ".svg":
            Path(temporary).write_text(figure.svg(), "utf-8")
        else:
            figure.savefig(temporary, format=out.suffix.lower()[1:], dpi=160)
    say(f"wrote {out}")


def trainer(model: str):
    """What trained a network: a module of :mod:`icg_book.scenarios`, or an :class:`Own` for weights of your own."""
    return Own(load_card(model)) if model.endswith(".safetensors") else scenario_of(model)


def class_names(module, n: int) -> tuple[str, ...]:
    """Names of ``n`` classes: the module's, if it has as many, or their numbers."""
    names = getattr(module, "CLASSES", ())
    return names if len(names) == n else tuple(map(str, range(n)))


class Own:
    """A network of your own in the place of a scenario: what its card says of its classes and pictures."""

    def __init__(self, card: dict):
        self.CLASSES, self.folder = tuple(card.get("classes", ())), card.get("training", {}).get("images")

    def samples(self, n: int, shape: tuple[int, int, int], *, generator: torch.Generator) -> Tensor:
        if self.folder is None:
            raise ValueError("there are no training images for this network; choose a method that needs none")
        images = read_folder(Path(self.folder), shape[-1], skip_broken=True)["train"].images
        return resize(images[torch.randperm(len(images), generator=generator)[:n]], shape[-1])


def settings(method: str, baseline: str, steps: int | None, noise: float | None) -> tuple[Method, int, float]:
    """The method of a name, with steps and noise as :func:`icg_book.kit.lab.attribute` takes them.

    Raises:
        ValueError: unknown names, and what the method doesn't take.
    """
    check_one_of("method", method, KEYS)
    check_one_of("baseline", baseline, BASELINES)
    chosen = contenders.find(method, baseline)
    usual = {"--steps": chosen.settings.get(chosen.counted), "--noise": chosen.settings.get("noise")}
    for name, value in (("--steps", steps), ("--noise", noise)):
        if value is not None and usual[name] is None:
            raise ValueError(f"{chosen.name} takes no {name}")
    if chosen.baseline is None and baseline != "zero":
        raise ValueError(f"{chosen.name} takes no --baseline")
    steps = usual["--steps"] if steps is None else steps
    noise = usual["--noise"] if noise is None else noise
    if steps is not None and steps < 1:
        raise ValueError(f"expected --steps >= 1, got {steps}")
    if noise is not None and not 0 <= noise <= 1:
        raise ValueError(f"expected --noise in [0, 1], got {noise:g}")
    return chosen, steps or 1, noise or 0.0


def _check_out(out: Path, photo: Path) -> None:
    if out.suffix.lower() not in PICTURES:
        raise ValueError(f"expected --out to end in {', '.join(PICTURES)}, got {out}")
    if out.is_dir():
        raise ValueError(f"expected --out to be a file, got the folder {out}")
    if out.exists() and photo.exists() and os.path.samefile(out, photo):
        raise ValueError(f"--out {out} is the picture itself; it is not overwritten")
    if not out.parent.is_dir():
        raise ValueError(f"expected --out in a folder that exists, got {out}")
    if not os.access(out.parent, os.W_OK):
        raise ValueError(f"can't write to {out.parent}")


def trained(name: str) -> tuple[torch.nn.Module, tuple[int, int, int]]:
    """A trained network, and the shape ``(C, H, W)`` of its input without certainty.

    Args:
        name: of weights that are shipped, or the path of weights of your own, which ends in ``.safetensors``.
    """
    if not name.endswith(".safetensors"):
        manifest = json.loads(find("manifest.json").read_text())
        known = sorted(Path(file).stem for file in manifest if file.endswith(".safetensors"))
        if name not in known:
            there = f"there are {', '.join(known) or 'none'}; those of your own are a path that ends in .safetensors"
            raise ValueError(f"there are no weights {name!r}; {there}")
    network = load_model(name)
    channels, *size = network.input_shape
    if is_certainty_aware(network):
        channels -= 1
    if len(size) != 2 or channels not in (1, 3):
        raise ValueError(f"{name} takes no pictures (its input is {tuple(network.input_shape)})")
    return network, (channels, *size)


def with_certainty(network, method: Method, name: str) -> Callable[[Tensor], Tensor]:
    """A network for a method; a plain one becomes one that is given a certainty, and does nothing with it.

    Raises:
        ValueError: the method needs a certainty that the network ``name`` doesn't know.
    """
    if is_certainty_aware(network):
        return network
    if method.certainty:
        others = ", ".join(dict.fromkeys(other.key for other in OFFERED if not other.certainty))
        raise ValueError(f"{name} knows no certainty: expected --method to be one of {others}, got {method.key!r}")

    def model(joined: Tensor) -> Tensor:
        return network(split(joined)[0])

    model.certainty_aware = True
    return model


def class_number(target: str | None, classes: tuple[str, ...], predicted: int) -> int:
    """The class that is meant by its name or its number, as text; ``predicted`` if none is."""
    if target is None:
        return predicted
    names = [name.casefold() for name in classes]
    if target.casefold() in names:
        return names.index(target.casefold())
    if target.isdecimal() and int(target) < len(classes):
        return int(target)
    raise ValueError(f"expected --target to be one of {', '.join(classes)}, got {target!r}")


def samples(scenario, shape: tuple[int, int, int], n: int = SAMPLES) -> Tensor:
    """Training images of a scenario's module at random, ``(n, C, H, W)``, the same at every call.

    Raises:
        ValueError: no scenario, or one whose data set is missing (nothing is downloaded).
    """
    if scenario is None:
        raise ValueError("there are no training images for this network; choose a method that needs none")
    return scenario.samples(n, shape, generator=torch.Generator().manual_seed(0))
