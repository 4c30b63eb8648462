"""``python -m icg explain PHOTO``: what a network of the book sees in a picture of yours, and where.

Any picture that Pillow reads: it is turned as its EXIF data say, put on white where it is transparent, and its middle,
in the proportions of the network's input, becomes the input; in grey for networks that see grey.
"""

import io
import os
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from icg.artifacts import atomic_write, find, load_model
from icg.certainty import is_certainty_aware, join, split
from icg.question import quiet


class Method(NamedTuple):
    """How a method is called in :mod:`icg_book.kit.lab`, and what it is given when the command line says nothing."""

    name: str
    steps: int | None
    noise: float | None = None


METHODS = {
    "icg": Method("Integrated Certainty Gradients", 100, 0.0),
    "ig": Method("Integrated Gradients", 64),
    "eg": Method("Expected Gradients", 512),
    "smoothgrad": Method("SmoothGrad", 50, 0.15),
    "gradient": Method("Gradient", None),
}
NOISE = 0.1  # of the baseline that is noise
SAMPLES = 500  # training images for Expected Gradients and the mean baseline
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".pdf", ".svg")  # what can be written
LEAST, MOST = 16, 90_000_000  # pixels: of the shorter side, and in all (where Pillow begins to suspect a bomb)
SHOWN = 480  # pixels of the longer side as it is drawn


class Photo(NamedTuple):
    """What becomes of a picture file.

    Attributes:
        values: ``(1, C, H, W)`` in [0, 1], the network's input without certainty.
        shown: ``(h, w, 3)`` or ``(h, w)`` uint8: the same part of the picture, finer.
        notes: sentences about what was done to it.
    """

    values: Tensor
    shown: np.ndarray
    notes: list[str]


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
        model: name of trained weights. scenario: module of :mod:`icg_book.scenarios` that names its classes and has
            images for what needs them.
        method: of ``METHODS``. baseline: of Integrated Gradients, one of :data:`icg_book.kit.lab.BASELINES`.
        target: the class to explain, by name or number; the predicted one if not given.
        output: "probability", "log_probability" or "logit".
        steps, noise: of the method; ICG with noise is averaged over five noisy inputs (paper, A.4.1).

    Raises:
        ValueError: anything wrong with picture, names or options; what can be seen early is said before the work.
    """
    from icg.question import OUTPUTS
    from icg_book.kit.lab import BASELINES, attribute

    path, out = Path(path), Path(out)
    for name, value, known in (
        ("method", method, METHODS),
        ("baseline", baseline, BASELINES),
        ("output", output, OUTPUTS),
    ):
        if value not in known:
            raise ValueError(f"expected {name} to be one of {', '.join(known)}, got {value!r}")
    chosen = _settings(method, baseline, steps, noise)
    _check_out(out, path)
    picture = open_picture(path)  # before the weights, which may have to be downloaded
    network, shape = _network(model)
    module = import_module(f"icg_book.scenarios.{scenario}") if scenario else None
    photo = prepare(picture, shape)
    for note in photo.notes:
        say(f"{path.name}: {note}")
    if not is_certainty_aware(network):
        if method == "icg":
            others = ", ".join(name for name in METHODS if name != "icg")
            raise ValueError(f"{model} knows no certainty: expected --method to be one of {others}, got 'icg'")
        network = _with_certainty(network)

    with quiet(network), torch.no_grad():
        p = network(join(photo.values)).softmax(1)[0]
    classes = getattr(module, "CLASSES", ())
    classes = classes if len(classes) == len(p) else tuple(str(k) for k in range(len(p)))
    number = _class(target, classes, int(p.argmax()))
    first, second = p.topk(2).indices.tolist()
    known = f"({model}, {len(p)} classes)"
    say(f"{path.name}: {classes[first]}, {p[first]:.1%}; next {classes[second]}, {p[second]:.1%} {known}")

    needs_data = method == "eg" or (method, baseline) == ("ig", "mean")
    data = samples(module, shape) if needs_data else None
    maps, delta = attribute(
        network,
        photo.values,
        data,
        method=METHODS[method].name,
        baseline=baseline,
        output=output,
        target=number,
        progress=progress,
        return_convergence_delta=True,
        **chosen,
    )
    total, what = maps.sum().item(), output.replace("_", " ")
    summed = f"the map adds up to {total:+.4f}"
    if delta is not None:
        summed += f", and the {what} changes by {total - delta.item():+.4f} along the way"
    by = METHODS[method].name + (f", {baseline} baseline" if method == "ig" else "")
    if chosen["noise_std"]:
        by += f", noise {chosen['noise_std']:g}"
    say(f"{classes[number]}, {p[number]:.1%}: its {what} explained by {by}; {summed}")
    figure = draw(photo.shown, maps[0, 0].numpy(), title=f"{classes[number]}, {p[number]:.1%}", by=f"{by}\n{what}")
    with atomic_write(out) as temporary:
        figure.savefig(temporary, format=out.suffix.lower()[1:], dpi=130)
    say(f"wrote {out}")


def _settings(method: str, baseline: str, steps: int | None, noise: float | None) -> dict:
    """Steps and noise as :func:`icg_book.kit.lab.attribute` takes them."""
    default = METHODS[method]
    least = default.noise
    if (method, baseline) == ("ig", "Gaussian noise"):
        least = NOISE
    for name, value, usual in (("--steps", steps, default.steps), ("--noise", noise, least)):
        if value is not None and usual is None:
            raise ValueError(f"{default.name} takes no {name}")
    if method != "ig" and baseline != "zero":
        raise ValueError(f"{default.name} takes no --baseline")
    steps = default.steps if steps is None else steps
    noise = least if noise is None else noise
    if steps is not None and steps < 1:
        raise ValueError(f"expected --steps >= 1, got {steps}")
    if noise is not None and not 0 <= noise <= 1:
        raise ValueError(f"expected --noise in [0, 1], got {noise:g}")
    return {"n_steps": steps or 1, "noise_std": noise or 0.0}


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


def _network(name: str) -> tuple[torch.nn.Module, tuple[int, int, int]]:
    """A trained network, and the shape ``(C, H, W)`` of its input without certainty."""
    import json

    manifest = json.loads(find("manifest.json").read_text())
    known = sorted(Path(file).stem for file in manifest if file.endswith(".safetensors"))
    if name not in known:
        raise ValueError(f"there are no weights {name!r}; there are {', '.join(known) or 'none'}")
    network = load_model(name)
    channels, *size = network.input_shape
    if is_certainty_aware(network):
        channels -= 1
    if len(size) != 2 or channels not in (1, 3):
        raise ValueError(f"{name} takes no pictures (its input is {tuple(network.input_shape)})")
    return network, (channels, *size)


def _with_certainty(network) -> Callable[[Tensor], Tensor]:
    """A plain network as one that is given a certainty, and does nothing with it."""

    def model(joined: Tensor) -> Tensor:
        return network(split(joined)[0])

    model.certainty_aware = True
    return model


def _class(target: str | None, classes: tuple[str, ...], predicted: int) -> int:
    if target is None:
        return predicted
    names = [name.casefold() for name in classes]
    if target.casefold() in names:
        return names.index(target.casefold())
    if target.isdecimal() and int(target) < len(classes):
        return int(target)
    raise ValueError(f"expected --target to be one of {', '.join(classes)}, got {target!r}")


def samples(scenario, shape: tuple[int, int, int], n: int = SAMPLES) -> Tensor:
    """Training images of a scenario at random, ``(n, C, H, W)``, the same at every call.

    Raises:
        ValueError: a scenario without any, or whose data set is missing (nothing is downloaded).
    """
    from icg_book.scenarios import imagenette, mnist, mnist_in_space

    generator = torch.Generator().manual_seed(0)

    def some(images):
        return images[torch.randperm(len(images), generator=generator)[:n]]

    if scenario is imagenette:
        data = imagenette.photographs("train", download=False)
        return imagenette.resize(some(data.images), shape[-1])
    if scenario is mnist:
        return some(mnist.load("train", download=False).images)
    if scenario is mnist_in_space:
        return some(mnist_in_space.load("train", "left", generator=generator, download=False).images)
    if hasattr(scenario, "generate"):
        return scenario.generate(n, generator=generator).images
    raise ValueError("there are no training images for this network; choose a method that needs none")


# ---------------------------------------------------------------------------------------------------------------
# The picture
# ---------------------------------------------------------------------------------------------------------------


def open_picture(path: Path, content: bytes | None = None):
    """A picture file as a Pillow image, decoded, upright, and notes about it.

    Args:
        content: what is in the file, for one that is not on the disk; then ``path`` only names it.

    Raises:
        ValueError: not there, not a picture, broken, or of an absurd size.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    if content is None:
        if not path.exists():
            raise ValueError(f"{path} is not there")
        if not path.is_file():
            raise ValueError(f"expected a picture, got {'the folder' if path.is_dir() else 'something else:'} {path}")
    if (path.stat().st_size if content is None else len(content)) == 0:
        raise ValueError(f"{path} is empty")
    notes = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of bombs, which are refused here, and of odd metadata
            with Image.open(path if content is None else io.BytesIO(content)) as image:
                width, height = image.size
                if width * height <= MOST and min(width, height) >= LEAST:
                    if (frames := getattr(image, "n_frames", 1)) > 1:
                        notes.append(f"holds {frames} pictures; this is the first")
                        image.seek(0)
                    image.load()
                    return ImageOps.exif_transpose(image), notes
        size = f"{width} x {height} pixels"
    except UnidentifiedImageError:
        raise ValueError(f"{path} is not a picture that can be read; JPEG, PNG, WebP, GIF, TIFF and BMP can") from None
    except Image.DecompressionBombError:
        size = "many more"
    except Exception as error:  # Pillow's readers raise anything when a file is broken
        raise ValueError(f"can't decode {path}: {type(error).__name__}: {error}") from None
    raise ValueError(f"expected a picture with sides of {LEAST} pixels or more and {MOST:,} in all, got {size}: {path}")


def prepare(picture, shape: tuple[int, int, int]) -> Photo:
    """The network's input from a Pillow image and notes about it; see :class:`Photo`."""
    image, notes = picture
    channels, height, width = shape
    (w, h), ratio = image.size, width / height
    box_w, box_h = (w, max(1, round(w / ratio))) if w / h < ratio else (max(1, round(h * ratio)), h)
    box = ((w - box_w) // 2, (h - box_h) // 2, (w - box_w) // 2 + box_w, (h - box_h) // 2 + box_h)
    if (box_w, box_h) != (w, h):
        notes = [*notes, f"the middle {box_w} x {box_h} pixels of {w} x {h}"]
    image = _plain(image, "RGB" if channels == 3 else "L")
    scale = min(1.0, SHOWN / max(box_w, box_h))
    shown = np.asarray(_resized(image, (max(1, round(box_w * scale)), max(1, round(box_h * scale))), box))
    if channels == 3:
        from icg_book.scenarios.imagenette import SIDE, resize

        # By way of the stored size, as the photographs of training and validation.
        side = max(SIDE, height)
        values = resize(torch.tensor(np.asarray(_resized(image, (side, side), box)))[None], height)
    else:
        values = torch.tensor(np.asarray(_resized(image, (width, height), box)))[None, None].float() / 255
    return Photo(values, shown, notes)


def _resized(image, size: tuple[int, int], box: tuple[int, int, int, int]):
    from PIL import Image

    return image.resize(size, Image.Resampling.BICUBIC, box=box)


def _plain(image, mode: str):
    """Any Pillow image as 8 bits, "RGB" or "L", on white where it is transparent."""
    from PIL import Image

    if image.mode[0] in "IF":  # more than 8 bits: Pillow would cut off what is above 255
        levels = np.nan_to_num(np.asarray(image, dtype=np.float64)).clip(0)
        white = [65535] if image.mode.startswith("I;16") else [1, 255, 65535, levels.max()]
        levels /= next(level for level in white if levels.max() <= level)
        image = Image.fromarray((255 * levels).round().astype(np.uint8))
    if "transparency" in image.info or {"A", "a"} & set(image.getbands()):
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(mode)


def draw(shown: np.ndarray, attribution: np.ndarray, *, title: str, by: str):
    """Picture, map, and the map laid over the picture side by side, with the scale, as a matplotlib figure.

    Args:
        shown: ``(h, w, 3)`` or ``(h, w)`` uint8. attribution: ``(H, W)`` of the same part of the picture.
    """
    from matplotlib.figure import Figure
    from PIL import Image

    from icg_book.kit.figures import bare, colour_bar, show_map, signed_cmap, signed_limit, signed_norm

    h, w = shown.shape[:2]
    panel = 3.3
    beside = w <= 1.5 * h
    size = (3 * panel, panel * h / w + 1.0) if beside else (1.6 * panel, 3 * (1.6 * panel * h / w + 0.3) + 0.7)
    figure = Figure(figsize=size, facecolor="white", layout="constrained")
    if beside:
        mosaic, heights = [["picture", "map", "both"], [".", "bar", "."]], (1, 0.045)
    else:
        mosaic, heights = [["picture"], ["map"], ["both"], ["bar"]], (1, 1, 1, 0.06)
    axes = figure.subplot_mosaic(mosaic, height_ratios=heights)
    limit = signed_limit(attribution, 99.5)  # one pixel in 200 would wash out the rest
    show_map(axes["map"], attribution, limit=limit)
    fine = Image.fromarray(attribution.astype(np.float32)).resize((w, h), Image.Resampling.NEAREST)
    colours = signed_cmap()(signed_norm([limit])(np.asarray(fine)))[..., :3]
    grey = np.asarray(Image.fromarray(shown).convert("L"))[..., None] / 255
    for name, image in (("picture", shown), ("both", colours * (0.6 + 0.4 * grey))):
        bare(axes[name]).imshow(image, cmap="gray", vmin=0, vmax=255)
    for name, text in (("picture", title), ("map", by), ("both", "the map over the picture")):
        axes[name].set_title(text, fontsize=10)
    colour_bar(axes["bar"], limit, label="each pixel, against the class and for it (beyond: the end colours)")
    return figure
