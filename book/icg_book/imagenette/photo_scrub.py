"""Explorable "scrub certainty over a photograph": what a network makes of it as it may rely on it more and more.

Nothing is computed in the page: a ResNet is too large for it. :func:`photo_frames` follows the path of Integrated
Certainty Gradients on the real network, and the page goes along what it found.
"""

import base64
from io import BytesIO
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from icg.arguments import check_unit
from icg.attribution import integrated_gradients
from icg.certainty import is_certainty_aware, join
from icg.quadrature import refine
from icg.question import quiet
from icg_book.kit.figures import as_array, bare, show_map, signed_limit, signed_lut
from icg_book.kit.page.explorable import Explorable, pack, png_bytes, quantise_signed, script_beside, step_difference
from icg_book.scenarios.imagenette import CLASSES

MAP, PICTURE = 64, 160  # pixels of the longer side, at most: of a map and of a photograph in the page
COARSE = 8  # cells that the first sweep along the path divides it into
GAP = 0.01  # of completeness, on the whole path, that is worth more steps


class PhotoFrames(NamedTuple):
    """One photograph on its way from certainty 0 to certainty 1 everywhere, at ``K`` stops.

    Attributes:
        name: of the photograph.
        picture: ``(h, w, 3)`` uint8, for looking at.
        classes: the names of the ``M`` classes. target: the number of the class that is explained.
        certainty: ``(K,)`` from 0 to 1.
        probabilities: ``(K, M)`` of all classes at each stop.
        maps: ``(K, H, W)``, the attribution gathered up to each stop, H and W at most 64. The last one is the map of
            Integrated Certainty Gradients, summed over the pixels that fall together.
        sums: ``(K, 2)``, what is for the class and what is against it in each map, in the network's own pixels.
    """

    name: str
    picture: np.ndarray
    classes: tuple[str, ...]
    target: int
    certainty: np.ndarray
    probabilities: np.ndarray
    maps: np.ndarray
    sums: np.ndarray

    @property
    def gap(self) -> float:
        """The largest difference, over all stops c, between the sum of the map and p(c) - p(0)."""
        own = self.probabilities[:, self.target]
        return float(np.abs(self.sums.sum(1) - (own - own[0])).max())


def photo_frames(
    model,
    photograph: Tensor,
    name: str,
    *,
    classes=CLASSES,
    target: int | None = None,
    n_frames: int = 31,
    n_steps: int = 3,
    picture: np.ndarray | None = None,
    progress: bool = False,
) -> PhotoFrames:
    """Follow one photograph along the path of Integrated Certainty Gradients (paper, section 4).

    The stops lie closer where the probabilities change more. Between two stops the integral has ``n_steps`` Gauss-
    Legendre points, and five times as many where the completeness gap says that these were too few: a little more than
    ``n_frames * n_steps`` gradients.

    Args:
        model: certainty-aware, logits ``(N, M)`` of ``(N, C + 1, H, W)``.
        photograph: ``(3, H, W)`` or ``(1, H, W)`` in [0, 1], as the network takes it.
        name: of the photograph, told apart from others by it.
        classes: names of the M classes. target: number of the class to explain; the one predicted at certainty 1.
        n_frames: number of stops, 17 or more.
        picture: the same photograph in ``(h, w, 3)`` uint8, if there is a finer one to look at.
        progress: show a bar.

    Raises:
        ValueError: a model without certainty; a photograph, a picture or a number out of range; names of classes that
            are more or fewer than the logits.
    """
    if not is_certainty_aware(model):
        raise ValueError("expected a certainty-aware model, got one without certainty")
    if not isinstance(photograph, Tensor) or photograph.ndim != 3 or photograph.shape[0] not in (1, 3):
        got = tuple(photograph.shape) if isinstance(photograph, Tensor) else type(photograph).__name__
        raise ValueError(f"expected a photograph as a tensor of shape (3, H, W) or (1, H, W), got {got}")
    check_unit("the photograph's values", photograph)
    if not isinstance(n_frames, int) or n_frames <= 2 * COARSE:
        raise ValueError(f"expected n_frames to be a whole number > {2 * COARSE}, got {n_frames!r}")
    start, end = join(photograph[None], 0.0), join(photograph[None])
    classes = tuple(classes)

    def points(certainty: Tensor) -> Tensor:
        return start + certainty.to(start).view(-1, 1, 1, 1) * (end - start)

    def probabilities(certainty: Tensor) -> Tensor:
        with quiet(model), torch.no_grad():
            logits = torch.cat([model(part) for part in points(certainty).split(16)])
        if logits.ndim != 2 or logits.shape[1] != len(classes):
            raise ValueError(f"expected logits of {len(classes)} classes, got {tuple(logits.shape[1:])}")
        return logits.double().softmax(1).cpu()

    certainty = torch.linspace(0, 1, COARSE + 1, dtype=torch.float64)
    p = probabilities(certainty)
    for n in (2 * COARSE, n_frames - 1):
        certainty = refine(certainty[None], p[None], n)[0]
        p = probabilities(certainty)
    target = int(p[-1].argmax()) if target is None else target
    if not 0 <= target < len(classes):
        raise ValueError(f"expected target in 0 to {len(classes) - 1}, got {target}")

    path = points(certainty)
    options = {"target": target, "method": "gausslegendre", "dtype": torch.float64, "progress": progress}
    pieces = integrated_gradients(model, path[1:], path[:-1], n_steps=n_steps, **options)[:, -1]
    rough = (pieces.sum((1, 2)).cpu() - p[:, target].diff()).abs() > GAP / (n_frames - 1)
    if rough.any():
        again = integrated_gradients(model, path[1:][rough], path[:-1][rough], n_steps=5 * n_steps, **options)
        pieces[rough] = again[:, -1]
    gathered = torch.cat([torch.zeros_like(pieces[:1]), pieces.cumsum(0)]).cpu()
    sums = torch.stack([gathered.clamp(min=0).sum((1, 2)), gathered.clamp(max=0).sum((1, 2))], 1)
    if picture is None:
        picture = (255 * photograph).round().byte().expand(3, -1, -1).permute(1, 2, 0).cpu().numpy()
    maps = smaller(gathered.numpy())
    return PhotoFrames(name, picture, classes, target, certainty.numpy(), p.numpy(), maps, sums.numpy())


def smaller(maps: np.ndarray, most: int = MAP) -> np.ndarray:
    """Maps ``(K, H, W)`` with at most ``most`` pixels a side, with the same sums: pixels that are cut are shared."""
    height, width = maps.shape[1:]
    scale = max(1.0, max(height, width) / most)

    def shares(n: int) -> np.ndarray:
        m = max(1, round(n / scale))
        edges = np.arange(m + 1) * n / m
        pixel = np.arange(n)
        return np.clip(np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel), 0, None)

    return shares(height) @ maps @ shares(width).T


def photo_scrub(
    frames,
    *,
    title: str = "Scrub certainty over a photograph",
    alt: str | None = None,
    fallback=None,
) -> Explorable:
    """Drag the certainty of a photograph from 0 to 1: prediction, attribution so far, and their sum follow.

    Args:
        frames: what :func:`photo_frames` returns, of one photograph or a list of several to choose from.
        title, alt: heading and description of the static picture; by default it says what the first photograph shows.
        fallback: static picture (PNG bytes, path or figure); by default the first photograph at five certainties.

    The page holds the photographs as JPEG of at most 160 pixels a side, the maps with 8 bits a pixel.

    Raises:
        ValueError: no frames, a name twice, or fields of the wrong shape or range; the message names the photograph.
    """
    frames = [frames] if isinstance(frames, PhotoFrames) else list(frames)
    if not frames:
        raise ValueError("expected at least one photograph, got none")
    packed, seen = [], set()
    for number, one in enumerate(frames):
        if not isinstance(one, PhotoFrames):
            raise ValueError(f"expected PhotoFrames, as photo_frames returns them, got {type(one).__name__}")
        if not isinstance(one.name, str) or not one.name or one.name in seen:
            raise ValueError(f"photograph {number}: expected a name of its own, got {one.name!r}")
        seen.add(one.name)
        packed.append(_pack(one, f"photograph {number} ({one.name})"))
    alt = _alt(frames[0]) if alt is None else alt
    fallback = _static(frames[0]) if fallback is None else fallback
    return Explorable(script_beside(__file__), {"photographs": packed}, title, alt, fallback)


def _pack(one: PhotoFrames, where: str) -> dict:
    """Check one photograph's frames and make them small."""
    certainty = as_array(one.certainty, f"{where}: certainty", 1)
    k, m = len(certainty), len(one.classes)
    if k < 2 or certainty[0] != 0 or certainty[-1] != 1 or not (np.diff(certainty) > 0).all():
        raise ValueError(f"{where}: expected certainty to increase from 0 to 1, got {certainty.tolist()[:8]}")
    p = as_array(one.probabilities, f"{where}: probabilities", 2)
    if p.shape != (k, m) or p.min() < 0 or np.abs(p.sum(1) - 1).max() > 1e-4:
        raise ValueError(f"{where}: expected probabilities of shape {(k, m)} that sum to 1, got {p.shape}")
    maps, sums = as_array(one.maps, f"{where}: maps", 3), as_array(one.sums, f"{where}: sums", 2)
    if len(maps) != k or 0 in maps.shape or max(maps.shape[1:]) > MAP:
        raise ValueError(f"{where}: expected maps of shape ({k}, H, W), H and W at most {MAP}, got {maps.shape}")
    if sums.shape != (k, 2):
        raise ValueError(f"{where}: expected sums of shape {(k, 2)}, got {sums.shape}")
    if np.abs(sums.sum(1) - maps.sum((1, 2))).max() > 1e-4:
        raise ValueError(f"{where}: expected sums of the maps, got other numbers")
    if not 0 <= one.target < m:
        raise ValueError(f"{where}: expected target in 0 to {m - 1}, got {one.target}")
    picture = np.asarray(one.picture)
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
        raise ValueError(f"{where}: expected picture (h, w, 3) uint8, got {picture.shape} {picture.dtype}")
    scale = float(np.abs(maps).max())
    return {
        "name": one.name,
        "picture": _jpeg(picture),
        "classes": list(one.classes),
        "target": int(one.target),
        "certainty": [round(float(c), 6) for c in certainty],
        "probabilities": [[round(float(v), 5) for v in row] for row in p],
        "sums": [[round(float(v), 5) for v in row] for row in sums],
        "height": maps.shape[1],
        "width": maps.shape[2],
        "scale": float(f"{scale:.7g}"),
        "maps": pack(step_difference(quantise_signed(maps, scale))),
    }


def _jpeg(picture: np.ndarray) -> str:
    """A data address of the photograph."""
    from PIL import Image

    image = Image.fromarray(picture)
    image.thumbnail((PICTURE, PICTURE), Image.Resampling.LANCZOS)
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=88, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _alt(one: PhotoFrames) -> str:
    first, last = one.probabilities[0], one.probabilities[-1]
    name, best = one.classes[one.target], int(last.argmax())
    return (
        f"The photograph “{one.name}” at five certainties from 0 to 1, under a veil that lifts. Below it the "
        f"attribution gathered so far for {name}, from an empty map to the whole one, and the probabilities of the "
        f"classes: that of {name} goes from {first[one.target]:.2f} to {last[one.target]:.2f}; at certainty 1 the "
        f"network says {one.classes[best]} ({last[best]:.2f})."
    )


def _static(one: PhotoFrames):
    """Five certainties of one photograph: the veiled photograph, the map so far, and the probabilities below."""
    from matplotlib.figure import Figure

    own = one.probabilities[:, one.target]
    change = np.concatenate([[0], np.abs(np.diff(own)).cumsum()]) + 1e-9 * np.arange(len(own))
    stops = [int(np.abs(change - share * change[-1]).argmin()) for share in (0, 0.25, 0.5, 0.75, 1)]
    figure = Figure(figsize=(7.2, 5.0), facecolor="white", layout="constrained")
    parts = figure.add_gridspec(3, len(stops), height_ratios=(1, 1, 1.25))
    limit = max(signed_limit(one.maps[k], 99.5) for k in stops[1:])
    for column, k in enumerate(stops):
        c = one.certainty[k]
        axes = [bare(figure.add_subplot(parts[row, column])) for row in range(2)]
        axes[0].imshow((c * one.picture + (1 - c) * 184).round().astype(np.uint8))
        axes[0].set_title(f"certainty {c:.2f}", fontsize=9)
        show_map(axes[1], one.maps[k], limit=limit)
        axes[1].set_xlabel(f"sum {one.sums[k].sum():+.2f}", fontsize=8)
    ax = figure.add_subplot(parts[2, :])
    for m in np.argsort(one.probabilities.max(0)):
        known = one.probabilities[:, m].max() >= 0.2 or m == one.target  # as in the page
        colour = "#1d2733" if m == one.target else "#7a8894" if known else "#cfd6dc"
        width = 2.2 if m == one.target else 1.2
        ax.plot(one.certainty, one.probabilities[:, m], color=colour, lw=width, label=one.classes[m] if known else None)
    ax.plot(one.certainty[stops], own[stops], "o", color="#1d2733", markersize=5)
    ax.set(xlim=(0, 1), ylim=(-0.02, 1.02), xlabel="certainty of every pixel", ylabel="probability")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8, reverse=True)
    return _few_colours(png_bytes(figure))


def _few_colours(png: bytes) -> bytes:
    """The same picture with 256 colours: a photograph in true colour would be three times as large."""
    from PIL import Image

    image = Image.open(BytesIO(png)).convert("RGB")
    frequent = image.quantize(120).getpalette()[: 3 * 120]  # which hardly has the map's colours: those are rare
    palette = Image.new("P", (1, 1))
    palette.putpalette([*frequent, *signed_lut()[1::2].ravel().tolist()])
    buffer = BytesIO()
    image.quantize(palette=palette).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
