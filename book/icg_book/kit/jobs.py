"""Work that may be stopped at any moment and goes on from where it was.

- :class:`Job`: rows of numbers, one for each input, in chunks.
- :class:`Kept`: a value under a key.
- :class:`Curve`: the points of a learning curve, as they come.
- :class:`TrainingJob`: a network that is trained and watched, and what is found of it.

All are tied to a *key*, everything that they depend on, as JSON: what was saved with another one is not used. Several
processes can work in one folder on different things.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from icg.artifacts import atomic_write
from icg.training import Recipe
from icg_book.kit.records import write_json
from icg_book.kit.trainings import Stage, train_stages


class Job:
    """Numbers for the first ``n`` inputs, computed and saved some at a time.

    A job over more inputs goes on from one over fewer.

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

    def count(self, folder: Path) -> int:
        """How many of the ``n`` inputs are done."""
        return min(self.n, _length(self.saved(folder)))

    def path(self, folder: Path) -> Path:
        """Where the rows are kept."""
        return Path(folder) / f"{_stem(self.name)}.pt"

    def saved(self, folder: Path) -> dict[str, Tensor]:
        """The rows that are there, of more inputs than ``n`` or of fewer; of none if the key is another one."""
        try:
            content = torch.load(self.path(folder), weights_only=True)
            return content["rows"] if content["key"] == self.key else {}
        except Exception:  # none, or cut short
            return {}


class Kept:
    """A value in a JSON file, under the key of everything that it depends on."""

    def __init__(self, path: Path, key: dict):
        self.path, self.key = Path(path), json.loads(json.dumps(key))  # as it will be read: lists, no tuples

    def read(self):
        """The value, or None if there is none with this key."""
        try:
            content = json.loads(self.path.read_text())
            return content["content"] if content["key"] == self.key else None
        except (FileNotFoundError, ValueError, KeyError, TypeError):  # none, cut short, or something else
            return None

    def write(self, value) -> None:
        """Keep a value that can be written as JSON, instead of what was there."""
        write_json(self.path, {"key": self.key, "content": value})

    def forget(self) -> None:
        """Remove the file, if there is one."""
        self.path.unlink(missing_ok=True)


class Curve:
    """What was measured of a network while it learnt, by the number of steps; kept from one call to the next.

    Attributes:
        points: ``{steps: what was measured}``. found: whether there was a file with this key.
    """

    def __init__(self, path: Path, key: dict):
        self.kept = Kept(path, key)
        content = self.kept.read()
        self.found = content is not None
        self.points = {int(step): value for step, value in (content or {}).items()}

    def watch(self, measure: Callable[[nn.Module], object], *, before: int = 0, at=None) -> Callable:
        """For :func:`icg.training.train`: measure, and keep it.

        Args:
            measure: gives something that can be written as JSON.
            before: steps of earlier stages. at: steps of this stage that count; default: all at which it is called.
        """

        def watch(step: int, model: nn.Module) -> None:
            if at is None or step in at:
                self.points[before + step] = measure(model)
                self.save()

        return watch

    def save(self) -> None:
        """Write the points that there are."""
        self.kept.write({str(step): self.points[step] for step in sorted(self.points)})


class TrainingJob:
    """A network that is trained and watched from its first step, and what is found of it in the end.

    Checkpoint and curve are removed once it is done. A checkpoint without its curve, or of other settings, is not used.

    Args:
        name: of the files; unique in their folder.
        key: everything that the outcome depends on; can be written as JSON.
        make, batch, recipe: see :func:`icg.training.train`.
        measure: of the network while it learns, for the curve. every: steps between two points.
        at: steps that count; default: all of these.
        finish: ``(model, {steps: measured}) -> outcome``, which can be written as JSON.
    """

    def __init__(
        self,
        name: str,
        key: dict,
        *,
        make: Callable[[], nn.Module],
        batch: Callable,
        recipe: Recipe,
        measure: Callable[[nn.Module], object],
        finish: Callable[[nn.Module, dict], dict],
        every: int = 1,
        at=None,
    ):
        self.stem, self.key, self.make, self.finish = _stem(name), key, make, finish
        self.batch, self.recipe, self.measure, self.every, self.at = batch, recipe, measure, every, at

    def work(self, folder: Path, *, progress: bool = True) -> dict:
        """Train, or go on with it, unless it is done; returns the outcome.

        Raises:
            KeyboardInterrupt: stopped by SIGTERM or Ctrl-C; the work so far is kept.
        """
        if (outcome := self.done(folder)) is not None:
            return outcome
        checkpoint = Path(folder) / f"{self.stem}.pt"
        curve = Curve(Path(folder) / f"{self.stem}-curve.json", self.key)
        if not curve.found:  # of other settings, or nothing: then the checkpoint is not this network's either
            checkpoint.unlink(missing_ok=True)
            curve.save()
        stage = Stage(self.recipe, self.batch, curve.watch(self.measure, at=self.at), self.every)
        model = train_stages(self.make, [stage], checkpoint, progress=progress)
        outcome = self.finish(model, dict(sorted(curve.points.items())))
        self._outcome(folder).write(outcome)
        checkpoint.unlink(missing_ok=True)
        curve.kept.forget()
        return outcome

    def done(self, folder: Path) -> dict | None:
        """The outcome, or None if there is none yet."""
        return self._outcome(folder).read()

    def _outcome(self, folder: Path) -> Kept:
        return Kept(Path(folder) / f"{self.stem}.json", self.key)


def _stem(name: str) -> str:
    return re.sub(r"\W+", "-", name).strip("-")


def _length(rows: dict[str, Tensor]) -> int:
    return min((len(values) for values in rows.values()), default=0)
