"""The progress of a command: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress

# How often the bar is drawn again, and how often a line is written where there is no terminal.
BAR_INTERVAL_SECONDS = 0.1
LINE_INTERVAL_SECONDS = 10.0


class Measured(Protocol):
    """Work whose progress is known."""

    @property
    def fraction(self) -> float | None:
        """How much of it is done, from 0 to 1; None if that is not known."""


class Meter:
    """Shows the tasks done, their rate and the remaining time on standard error."""

    def __init__(self, work: Measured, label: str) -> None:
        self._work = work
        self._label = label
        self._bar: Progress | None = None
        self._row: Any = None
        self._done = 0
        # The fraction that was done before the first task, such as by an earlier run.
        self._first_fraction = 0.0
        self._start = self._last_shown = time.monotonic()

    def __enter__(self) -> "Meter":
        if sys.stderr.isatty():
            self._bar, self._row = _create_bar(self._label)
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._show()
            self._bar.stop()

    def report_done(self, done: int) -> None:
        """Take the number of tasks done, and show it if the last time is long enough ago."""
        if self._done == 0:  # what an earlier run has done passes before the first task
            self._first_fraction = self._work.fraction or 0.0
        self._done = done
        now = time.monotonic()
        interval = LINE_INTERVAL_SECONDS if self._bar is None else BAR_INTERVAL_SECONDS
        if now - self._last_shown >= interval:
            self._last_shown = now
            self._show()

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._start

    def _show(self) -> None:
        rate = self._done / max(self.seconds, 1e-3)
        remaining = self._remaining_seconds()
        if self._bar is None:
            rest = "" if remaining is None else f", about {format_duration(remaining)} left"
            tasks = format_count(self._done)
            sys.stderr.write(f"{self._label}: {tasks}, {format_rate(rate)} per second{rest}\n")
            sys.stderr.flush()
            return
        fraction = self._work.fraction
        self._bar.update(
            self._row,
            total=None if fraction is None else 1.0,
            completed=fraction or 0.0,
            numbers=f"{format_count(self._done)}  {format_rate(rate)}/s",
            left="" if remaining is None else f"{format_duration(remaining)} left",
        )

    def _remaining_seconds(self) -> float | None:
        fraction = self._work.fraction
        if fraction is None or fraction <= self._first_fraction:
            return None
        return self.seconds / (fraction - self._first_fraction) * (1 - fraction)


def format_count(tasks: int) -> str:
    """Return a number of tasks in words: 1 task, 2,000 tasks."""
    return f"{tasks:,} task" + ("" if tasks == 1 else "s")


def format_rate(rate: float) -> str:
    """Return a number of tasks per second: 0.04, 2.5, 2,000."""
    decimals = 0 if rate >= 10 else 1 if rate >= 1 else 2
    return f"{rate:,.{decimals}f}"


def format_duration(seconds: float) -> str:
    """Return a duration in two units at most: 45 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def format_bytes(size: float) -> str:
    """Return a size as people read it: 812 bytes, 4.2 kB, 36 MB, 1.5 GB."""
    if size < 999.5:
        return f"{size:.0f} byte" + ("" if round(size) == 1 else "s")
    power, unit = next(
        (one for one in ((1e3, "kB"), (1e6, "MB")) if size < 999.5 * one[0]), (1e9, "GB")
    )
    size /= power
    return f"{size:,.{0 if size >= 10 else 1}f} {unit}"


def _create_bar(label: str) -> "tuple[Progress, Any]":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[numbers]}"),
        TextColumn("{task.fields[left]}"),
    )
    bar = Progress(*columns, console=Console(stderr=True))
    return bar, bar.add_task(label, total=None, numbers="", left="")
