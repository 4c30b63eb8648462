"""Work that may be stopped: rows of numbers, one for each input, that are kept from one call to the next."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from icg.artifacts import atomic_write


class Job:
    """Numbers for the first ``n`` inputs, computed and saved some at a time.

    What is saved is tied to ``key``. A job over more inputs goes on from one over fewer. Several processes can work on
    different jobs in one folder.

    Args:
        name: of the file; unique in its folder.
        n: inputs.
        key: everything that the numbers depend on; can be written as JSON.
        compute: ``(first, last) -> {name: (last - first, ...)}``. Random draws belong to the whole chunk that begins at
            ``first``.
        chunk: inputs between two saves.
    """

    def __init__(self, name: str, n: int, key: dict, compute: Callable[[int, int], dict[str, Tensor]], *, chunk: int):
        self.name, self.n, self.compute, self.chunk = name, n, compute, chunk
        self.key = json.dumps({"name": name, "chunk": chunk, **key}, sort_keys=True)

    def work(self, folder: Path, bar=None) -> dict[str, Tensor]:
        """Do what is left to do; returns the rows of all ``n`` inputs."""
        rows = self.saved(folder)
        done = min(self.n, _length(rows))
        if done < self.n:  # draws belong to whole chunks: one that was cut short is done again
            done = done // self.chunk * self.chunk
        if bar is not None:
            bar.update(done)
        for first in range(done, self.n, self.chunk):
            last = min(self.n, first + self.chunk)
            new = {name: values.detach().cpu() for name, values in self.compute(first, last).items()}
            rows = {name: torch.cat([rows[name][:first], values]) if first else values for name, values in new.items()}
            with atomic_write(self.path(folder)) as temporary:
                torch.save({"key": self.key, "rows": rows}, temporary)
            if bar is not None:
                bar.update(last - first)
        return {name: values[: self.n] for name, values in rows.items()}

    def done(self, folder: Path) -> dict[str, Tensor] | None:
        """The rows of all ``n`` inputs, or None if they are not complete."""
        rows = self.saved(folder)
        return {name: values[: self.n] for name, values in rows.items()} if _length(rows) >= self.n else None

    def path(self, folder: Path) -> Path:
        """Where the rows are kept."""
        return Path(folder) / (re.sub(r"\W+", "-", self.name).strip("-") + ".pt")

    def saved(self, folder: Path) -> dict[str, Tensor]:
        """The rows that are there, of more inputs than ``n`` or of fewer; of none if the key is another one."""
        try:
            content = torch.load(self.path(folder), weights_only=True)
            return content["rows"] if content["key"] == self.key else {}
        except Exception:  # none, or cut short
            return {}


def _length(rows: dict[str, Tensor]) -> int:
    return min((len(values) for values in rows.values()), default=0)
