"""Attributions for a whole data set: in shards, resumed after any interruption, by any number of processes."""

import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.utils.data import DataLoader, SequentialSampler
from tqdm.auto import tqdm

from .arguments import check_positive
from .artifacts import atomic_write, claimed, tidy

NAME = "maps-{:05d}.safetensors"
KEPT = ("num_workers", "collate_fn", "pin_memory", "timeout", "worker_init_fn", "prefetch_factor")


def attribute_dataset(
    attribute: Callable, loader: DataLoader, folder: Path, *, key: dict, names=None, batches: int = 8, progress=True
) -> dict:
    """Attribute every input of a data set; ``folder`` gets ``index.json``, ``maps-00000.safetensors`` and so on.

    Any number of processes, of ``torchrun`` or side by side, may do it together: each takes shards that nobody else
    works on, and all return when all is done. Of one that is killed others, or the next call, take what it was at.

    Args:
        attribute: is called with each batch of the loader (``attribute(*batch)``, if that is a tuple or a list), and
            returns attributions ``(n, ...)``, or a dictionary of tensors of n rows.
        loader: without shuffling, over a data set that has a length.
        key: all that the maps depend on (weights, method, settings), as JSON: ``folder`` takes no others.
        names: of the inputs, for the index. batches: of the loader in a shard.

    Returns:
        The index; :func:`read` finds a row.

    Raises:
        ValueError: a loader that shuffles; a folder with other maps; a result that has not a row for each input.
    """
    if not isinstance(loader.sampler, SequentialSampler) or loader.batch_size is None or loader.drop_last:
        raise ValueError("expected a loader with a batch size, shuffle=False and drop_last=False")
    n, size, shard = len(loader.dataset), loader.batch_size, loader.batch_size * check_positive("batches", batches)
    paths = [Path(folder) / NAME.format(k) for k in range(-(-n // shard))]
    index = {"key": key, "inputs": n, "batch": size, "shard": shard, "names": names and list(names)}
    place, index = Path(folder) / "index.json", json.loads(json.dumps(index))
    while not place.exists():  # the first writes it
        with claimed(place) as mine:
            if mine and not place.exists():
                tidy(place)
                with atomic_write(place) as temporary:
                    temporary.write_text(json.dumps(index, indent=1) + "\n", "utf-8")
    other = json.loads(place.read_text("utf-8"))
    a, b = ({**given, **given["key"]} for given in (index, other))
    if changed := sorted(name for name in {*a, *b} - {"key"} if a.get(name) != b.get(name)):
        raise ValueError(f"{folder} has maps of something else (different: {', '.join(changed)})")
    first = int(os.environ.get("RANK", 0)) * len(paths) // int(os.environ.get("WORLD_SIZE", 1))
    waiting, held, rows = deque(), {}, []

    def claims() -> Iterator[range]:
        """What each batch consists of. Claims its shard: with workers, some time before it is attributed."""
        for k in (*range(first, len(paths)), *range(first)):
            with ExitStack() as claim:
                if _done(paths[k]) or not claim.enter_context(claimed(paths[k])) or _done(paths[k]):
                    continue
                tidy(paths[k])
                held[k] = claim.pop_all()
            last = min(n, (k + 1) * shard)
            for start in range(k * shard, last, size):
                waiting.append((k, min(size, last - start), start + size >= last))
                yield range(start, min(last, start + size))

    options = {name: getattr(loader, name) for name in KEPT}
    try:
        with tqdm(total=n, initial=min(n, shard * sum(map(_done, paths))), unit="input", disable=not progress) as bar:
            while not all(map(_done, paths)):
                for batch in DataLoader(loader.dataset, batch_sampler=claims(), **options):
                    k, length, ends = waiting.popleft()
                    rows.append(_rows(attribute, batch, length))
                    bar.update(length)
                    if ends:
                        with atomic_write(paths[k]) as temporary:
                            save_file({name: torch.cat([part[name] for part in rows]) for name in rows[0]}, temporary)
                        held.pop(k).close()
                        rows.clear()
                        bar.n = max(bar.n, min(n, shard * sum(map(Path.exists, paths))))  # others are at work, too
                options |= {"num_workers": 0, "timeout": 0, "prefetch_factor": None}  # for what others may leave
                time.sleep(0 if all(map(_done, paths)) else 1)
            bar.update(n - bar.n)
    finally:
        for claim in held.values():
            claim.close()
    return index


def read(folder: Path, which: int | str) -> dict[str, Tensor]:
    """The tensors of one input, by its number or name. Raises ``ValueError`` if there are none, or not yet."""
    try:
        index = json.loads((Path(folder) / "index.json").read_text("utf-8"))
        number = index["names"].index(which) if isinstance(which, str) else range(index["inputs"])[which]
        with safe_open(Path(folder) / NAME.format(number // index["shard"]), "pt") as file:
            return {name: file.get_slice(name)[number % index["shard"]] for name in file.keys()}
    except (OSError, LookupError, AttributeError, TypeError, ValueError):
        raise ValueError(f"there are no maps of {which!r} in {folder}") from None


def _rows(attribute, batch, n: int) -> dict[str, Tensor]:
    found = attribute(*batch) if isinstance(batch, (tuple, list)) else attribute(batch)
    found = found if isinstance(found, dict) else {"attributions": found}
    for name, values in found.items():
        if values.shape[:1] != (n,):
            raise ValueError(f"expected {name} of {n} rows for as many inputs, got {tuple(values.shape)}")
    return {name: values.detach().cpu() for name, values in found.items()}


def _done(path: Path) -> bool:
    try:
        with safe_open(path, "pt"):  # complete: its header says how long it is
            return True
    except Exception:
        return False
