"""``python -m icg attribute FOLDER``: maps of all pictures in a folder, by any number of processes.

What :mod:`icg_book.explain` does for one picture, :mod:`icg.datasets` does with it for many: shards, and an index.
``icg.datasets.read(OUT, "cats/1.jpg")["maps"]`` reads a map.
"""

import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from icg.arguments import OUTPUTS, check_one_of
from icg.artifacts import atomic_write, claimed, load_card, tidy
from icg.certainty import join
from icg.datasets import attribute_dataset, read
from icg.question import quiet
from icg_book.explain import class_names, class_number, samples, settings, trained, trainer, with_certainty
from icg_book.imagenette.lab import blurred as softened
from icg_book.kit import contenders
from icg_book.kit.figures import signed_limit
from icg_book.kit.pictures import open_picture, prepare
from icg_book.kit.result_figures import MOST, laid_over
from icg_book.own_network.folder import LISTED, digest_of, picture_files

BATCH = 16  # pictures that are attributed together


class Files(Dataset):
    """Picture files as a network takes them: values ``(C, H, W)``, and what is wrong with the file, or ""."""

    def __init__(self, paths: list[Path], shape: tuple[int, int, int]):
        self.paths, self.shape = paths, shape

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> tuple[Tensor, str]:
        try:
            return prepare(open_picture(self.paths[number]), self.shape).values[0], ""
        except ValueError as error:
            return torch.zeros(self.shape), str(error)


def attribute_folder(
    folder: Path,
    out: Path,
    *,
    model: str,
    method: str = "icg",
    baseline: str = "zero",
    target: str | None = None,
    output: str = "probability",
    steps: int | None = None,
    noise: float | None = None,
    batch_size: int = BATCH,
    workers: int = 0,
    device: str | torch.device = "cpu",
    skip_broken: bool = False,
    overlay: bool = False,
    blurred: bool = False,
    say=print,
    progress: bool = True,
) -> dict:
    """Maps of all pictures in a folder and the folders in it; see :func:`icg.datasets.attribute_dataset`.

    Every input has ``maps`` ``(H, W)`` float32, ``predicted`` (a class), ``probability`` (of it) and ``target``, the
    class that is explained. The same maps come out, however many processes there are.

    Args:
        folder, out: of the pictures, and of the maps.
        model, method, baseline, target, output, steps, noise: see :func:`icg_book.explain.explain`.
        batch_size: pictures at once. workers: processes that decode pictures.
        skip_broken: a file that can't be read gets NaN for a map and -1 for a class; without, it is an error.
        overlay: draw each map over its picture, into ``OUT/overlays``. blurred: draw it blurred.

    Returns:
        The index.

    Raises:
        ValueError: anything wrong with options or files; maps that are done are kept.
    """
    folder, out = Path(folder), Path(out)
    check_one_of("output", output, OUTPUTS)
    chosen, n, noise = settings(method, baseline, steps, noise)
    if blurred and not overlay:
        raise ValueError("--blurred says how --overlay draws: expected both")
    if batch_size < 1 or workers < 0:
        raise ValueError(f"expected batch_size >= 1 and workers >= 0, got {batch_size} and {workers}")
    if out.exists() and not out.is_dir():
        raise ValueError(f"expected --out to be a folder, got the file {out}")
    paths = [path for path in picture_files(folder) if out.resolve() not in path.resolve().parents]
    names = [path.relative_to(folder).as_posix() for path in paths]
    network, shape = trained(model)
    network = with_certainty(network.to(device), chosen, model)
    module = trainer(model)
    with quiet(network), torch.no_grad():
        classes = class_names(module, network(torch.zeros(1, shape[0] + 1, *shape[1:], device=device)).shape[1])
    number = None if target is None else class_number(target, classes, 0)
    data = samples(module, shape).to(device) if chosen.data else None

    def attribute(values: Tensor, problems: list[str]) -> dict[str, Tensor]:
        bad = [problem for problem in problems if problem]
        if bad and not skip_broken:
            raise ValueError(f"{bad[0]} (--skip-broken does without such files)")
        joined, broken = join(values.to(device)), torch.tensor([bool(problem) for problem in problems])
        with quiet(network), torch.no_grad():
            p, predicted = network(joined).float().softmax(1).max(1)
        explained = predicted if number is None else torch.full_like(predicted, number)
        told = contenders.told(chosen, n, noise)
        maps, _ = contenders.attribute(
            chosen, network, joined, told, data=lambda: data, output=output, target=explained
        )
        maps = contenders.one_map(maps)[:, 0].float().cpu()
        maps[broken] = torch.nan
        found = {"maps": maps, "predicted": predicted.cpu(), "probability": p.cpu(), "target": explained.cpu()}
        found["predicted"][broken] = -1
        return found

    key = {"model": Path(model).stem, "weights": load_card(model)["sha256"], "classes": list(classes)}
    key |= {"method": method, "baseline": baseline, "steps": n, "noise": noise, "output": output, "target": target}
    key["pictures"] = digest_of(*(path.stat().st_size for path in paths))
    loader = DataLoader(Files(paths, shape), batch_size, num_workers=workers)
    index = attribute_dataset(attribute, loader, out, key=key, names=names, progress=progress)
    if overlay:
        _overlays(paths, names, out, shape, blurred)
    broken = [name for name in names if read(out, name)["predicted"] < 0] if skip_broken else []
    for name in broken[:LISTED]:
        say(f"skipped: {name}")
    if len(broken) > LISTED:
        say(f"and {len(broken) - LISTED} more")
    return index


def _overlays(paths: list[Path], names: list[str], out: Path, shape: tuple[int, int, int], blurred: bool) -> None:
    """Draw what is not drawn yet; processes share it."""
    from PIL import Image

    files, folder = list(zip(paths, names, strict=True)), out / "overlays" / ("blurred" if blurred else "raw")
    parts = range(0, len(files), BATCH)
    first = int(os.environ.get("RANK", 0)) * len(parts) // int(os.environ.get("WORLD_SIZE", 1))
    for part in (*parts[first:], *parts[:first]):
        with claimed(folder / f"{part:07d}") as mine:
            for path, name in files[part : part + BATCH] if mine else ():
                place, found = folder / f"{name}.png", read(out, name)["maps"]
                if place.exists() or found.isnan().any():
                    continue
                tidy(place)
                found = softened(found) if blurred else found
                limit = signed_limit(found.numpy(), MOST)
                shown = prepare(open_picture(path), shape).shown
                picture = laid_over(shown, found.numpy(), limit, grey=0.4, smooth=blurred)
                with atomic_write(place) as temporary:
                    Image.fromarray((255 * picture).round().astype(np.uint8)).save(temporary, "png")
