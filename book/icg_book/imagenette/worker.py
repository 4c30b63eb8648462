"""How the lab runs its network: in a thread of its own, where a newer choice or the reader can stop it."""

import atexit
import threading
from collections.abc import Callable

from torch import Tensor

from icg_book.kit.lab import Counted


class Stopped(Exception):
    """A newer choice, or the reader, has ended this run."""


class Worker:
    """Runs the newest job in a thread; one that is still running is told to stop, one that waits is forgotten."""

    def __init__(self):
        self._changed = threading.Condition()
        self._job, self._turn, self._running = None, 0, False

    def submit(self, job: Callable[[Callable[[], bool]], None]) -> None:
        """Run ``job(stopped)`` as soon as the one before has ended; ``stopped()`` says whether to give up."""
        with self._changed:
            self._job, self._turn = job, self._turn + 1
            if not self._running:
                self._running = True
                # Python must not end in the midst of a computation.
                atexit.register(self._finish)
                threading.Thread(target=self._loop, daemon=True).start()

    def drop(self) -> None:
        """Nothing is to run."""
        with self._changed:
            self._job, self._turn = None, self._turn + 1

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing runs; whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._running, timeout)

    def _finish(self) -> None:
        self.drop()
        self.wait(10)

    def _loop(self) -> None:
        while True:
            with self._changed:
                job, turn, self._job = self._job, self._turn, None
                if job is None:
                    self._running = False
                    atexit.unregister(self._finish)
                    self._changed.notify_all()
                    return
            job(lambda turn=turn: self._turn != turn)


class Watched(Counted):
    """Counts, says how far it is, and stops when it should."""

    def __init__(self, model, stopped: Callable[[], bool] = lambda: False, tell=lambda done: None):
        super().__init__(model)
        self.stopped, self.tell = stopped, tell

    def forward(self, points: Tensor) -> Tensor:
        if self.stopped():
            raise Stopped
        logits = super().forward(points)
        self.tell(self.with_gradient)
        return logits
