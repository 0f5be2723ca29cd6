"""Base class of reporters, which report the phases, steps, epochs and result of long work.

`keras_seq.train.outputs` has those that print. While one of them is open, it reports at least every
`INTERVAL` seconds, whatever the work does.
"""

import contextlib
import dataclasses
import math
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from keras_seq.train.metrics import Metrics

INTERVAL = 30.0
"""Maximum number of seconds without a report."""


@dataclasses.dataclass
class Task:
    """Counted work, such as the steps of a training.

    >>> task = Task("step", total=100, done=10, start_time=0.0, loss=0.5, epoch=1, epochs=2)
    >>> task.done = 30
    >>> task.remaining(now=4.0)
    14.0

    Args:
        unit: Name of what is counted.
        total: Number of all, or None if it is unknown.
        done: Number of those done, at first before `start_time`.
        start_time: Time of the clock.
        epoch: Current epoch of a training, from 1.
        epochs: Number of epochs.
        loss: Running loss.
        is_evaluating: Whether a step is followed by an evaluation.
    """

    unit: str
    total: int | None
    done: float
    start_time: float
    epoch: int = 0
    epochs: int = 0
    loss: float = math.nan
    is_evaluating: bool = False

    def __post_init__(self) -> None:
        self._done_before = self.done
        self._first_epoch_end: tuple[float, float] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what is done as a JSON object."""
        names = ["unit", "done", "total"]
        names += ["epoch", "epochs", "loss", "is_evaluating"] if self.epochs else []
        return {name: getattr(self, name) for name in names}

    def end_epoch(self, now: float) -> None:
        """Note the end of an epoch.

        Args:
            now: Time of the clock.
        """
        if self._first_epoch_end is None:
            self._first_epoch_end = now, self.done

    def remaining(self, now: float) -> float | None:
        """Return the expected seconds until the end, or None if nothing is known about it.

        The first epoch, which compiles the evaluation, counts until a second one has ended.

        Args:
            now: Time of the clock.
        """
        start, done_before = self.start_time, self._done_before
        if self._first_epoch_end is not None:
            first_end, first_done = self._first_epoch_end
            if self.done - first_done >= first_done - done_before:
                start, done_before = first_end, first_done
        count = self.done - done_before
        if self.total is None or count <= 0:
            return None
        return (now - start) * (self.total - self.done) / count


class Reporter:
    """Reporter that prints nothing, and base class of the others.

    >>> with Reporter() as reporter:
    ...     reporter.start_phase("reading the data")

    Args:
        clock: Function that returns the time in seconds.
    """

    reports_progress = False
    """True if the reporter writes the progress every `INTERVAL` seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.start_time = self.last_time = self.phase_start = clock()
        self.phase: str | None = None
        self.task: Task | None = None
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "Reporter":
        if self.reports_progress:
            self._thread = threading.Thread(target=self._keep_reporting, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closed.set()
        if self._thread is not None:
            self._thread.join()
        self.end_phase(is_complete=error is None)

    def start_phase(self, name: str) -> None:
        """Report that a phase begins, which ends the one before.

        Args:
            name: What is being done, such as "reading the data".
        """
        with self._lock:
            self.end_phase()
            self.phase, self.phase_start = name, self.clock()
            self._report("phase", phase=name)

    def report_text(self, text: str) -> None:
        """Report a line of text."""
        self._report("message", text=text)

    def warn(self, text: str) -> None:
        """Report a warning."""
        self._report("warning", text=text)

    def start_task(self, unit: str, total: int | None, done: float = 0, epochs: int = 0) -> None:
        """Report from now on how much of a task is done.

        Args:
            unit: Name of what is counted.
            total: Number of all, or None if it is unknown.
            done: Number of those done already.
            epochs: Number of epochs of a training.
        """
        with self._lock:
            self.task = Task(unit, total, done, self.clock(), epochs=epochs)

    def advance(self, done: float, **changes: Any) -> None:
        """Set how much of the task is done.

        Args:
            done: Number of those done.
            **changes: Other attributes of the `Task` that change.
        """
        with self._lock:
            if self.task is not None:
                for name, value in {"done": done, **changes}.items():
                    setattr(self.task, name, value)

    def report_epoch(self, metrics: Metrics, seconds: float) -> None:
        """Report the end of an epoch of the task.

        Args:
            metrics: Metrics of the epoch.
            seconds: Duration of the epoch.
        """
        assert self.task is not None
        self.task.end_epoch(self.clock())
        epoch = {"epoch": self.task.epoch, "epochs": self.task.epochs}
        self._report("epoch", **epoch, metrics=metrics, seconds=seconds, **self._times())

    def report_result(self, run: Path, metrics: Metrics) -> None:
        """Report the result of a run.

        Args:
            run: Folder of the run.
            metrics: Content of its `metrics.json`.
        """
        self.end_phase()
        self._report("result", run=str(run), metrics=metrics)

    def tick(self) -> float:
        """Report the progress if the last report was `INTERVAL` seconds ago.

        Returns:
            Seconds until the next call.
        """
        with self._lock:
            waited = self.clock() - self.last_time
            if waited < INTERVAL:
                return INTERVAL - waited
            if self.task is not None:
                self._report("progress", **self.task.to_json(), **self._times())
            elif self.phase is not None:
                self._report("wait", phase=self.phase, seconds=self.clock() - self.phase_start)
            self.last_time = self.clock()  # also if there is nothing to report
            return INTERVAL

    def _keep_reporting(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # the output is closed
            while not self._closed.wait(self.tick()):
                pass

    def end_phase(self, is_complete: bool = True) -> None:
        """Report that the phase has ended.

        Args:
            is_complete: Whether the phase is complete. If not, nothing is reported.
        """
        with self._lock:
            self._end_task()
            if self.phase is not None and is_complete:
                seconds = self.clock() - self.phase_start
                self._report("phase_end", phase=self.phase, seconds=seconds)
            self.phase = None

    def _end_task(self) -> None:
        self.task = None

    def _times(self) -> dict[str, float | None]:
        """Return the seconds since the start, and those expected until the end of the task."""
        now = self.clock()
        remaining = self.task.remaining(now) if self.task is not None else None
        return {"elapsed": now - self.start_time, "remaining": remaining}

    def _report(self, event: str, **values: Any) -> None:
        with self._lock:
            self.last_time = self.clock()
            self.write(event, values)

    def write(self, event: str, values: Mapping[str, Any]) -> None:
        """Print an event. Subclasses override this.

        Args:
            event: Name of the event.
            values: Facts about it.
        """


SILENT = Reporter()
"""Reporter that prints nothing, the default of functions that report."""
