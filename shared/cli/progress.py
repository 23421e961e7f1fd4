"""How far a command is: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress

# Seconds between two looks of the bar, and two lines.
OFTEN, SELDOM = 0.1, 10.0


class Measured(Protocol):
    """What is worked through."""

    @property
    def fraction(self) -> float | None:
        """How much of it is done; None if that is not known."""


class Meter:
    """Shows tasks, their rate, and the time that remains, on standard error."""

    def __init__(self, work: Measured, what: str) -> None:
        self._work = work
        self._what = what
        self._bar: Progress | None = None
        self._row: Any = None
        self._done, self._origin = 0, 0.0
        self._start = self._shown = time.monotonic()

    def __enter__(self) -> "Meter":
        if sys.stderr.isatty():
            self._bar, self._row = _bar(self._what)
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

    def show(self, done: int) -> None:
        """Say that so many tasks are done; cheap."""
        if self._done == 0:
            self._origin = self._work.fraction or 0.0
        self._done = done
        now = time.monotonic()
        if now - self._shown >= (OFTEN if self._bar is not None else SELDOM):
            self._shown = now
            self._show()

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._start

    def _show(self) -> None:
        rate = self._done / max(self.seconds, 1e-3)
        left = self._left()
        if self._bar is None:
            rest = "" if left is None else f", about {duration(left)} left"
            line = f"{self._what}: {counted(self._done)}, {rate:,.0f} a second{rest}\n"
            sys.stderr.write(line)
            sys.stderr.flush()
            return
        fraction = self._work.fraction
        self._bar.update(
            self._row,
            total=None if fraction is None else 1.0,
            completed=fraction or 0.0,
            numbers=f"{counted(self._done)}  {rate:,.0f}/s",
            left="" if left is None else f"{duration(left)} left",
        )

    def _left(self) -> float | None:
        """Seconds, by how much of the work passed since the first task."""
        fraction = self._work.fraction
        if fraction is None or fraction <= self._origin:
            return None
        return self.seconds / (fraction - self._origin) * (1 - fraction)


def counted(tasks: int) -> str:
    """A number of tasks in words."""
    return f"{tasks:,} task" + ("" if tasks == 1 else "s")


def duration(seconds: float) -> str:
    """A time in two units at most: 45 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _bar(what: str) -> "tuple[Progress, Any]":
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
    return bar, bar.add_task(what, total=None, numbers="", left="")
