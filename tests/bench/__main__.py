"""All benchmarks in one table: python -m tests.bench [--quick] [--markdown] [--page] [name …]

With --page the rows of each go into docs/benchmarks.md when it ends, below this machine, with day
and commit. One that fails costs only its own rows.
With --smallest each does as little as it can: that shows that it runs, and no bound is checked.
"""

import importlib
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.bench import page
from tests.bench.table import Row, Size, show, size_of

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The modules here that have `rows`, but for this one."""
    found = (path for path in FOLDER.glob("*.py") if "\ndef rows(" in path.read_text())
    return sorted(path.stem for path in found if not path.stem.startswith("__"))


class Run:
    """Runs benchmarks one after the other; `failed` has the names of those that raised an error."""

    def __init__(self, size: Size, is_for_page: bool) -> None:
        self.failed: list[str] = []
        self._size = size
        self._is_for_page = is_for_page

    def rows(self, chosen: Sequence[str]) -> Iterator[Row]:
        """Yield the rows as they come."""
        for name in chosen:
            start, made = time.monotonic(), list[Row]()
            try:
                for row in importlib.import_module(f"tests.bench.{name}").rows(self._size):
                    made.append(row)
                    yield row
            except Exception:
                self.failed.append(name)
                traceback.print_exc()
            if self._is_for_page:
                page.write(made)
            sys.stderr.write(f"{name}: {(time.monotonic() - start) / 60:.1f} min\n")


def main(*words: str) -> int:
    """The exit status is 1 where a bound is not held, or a benchmark failed."""
    flags = {word for word in words if word.startswith("--")}
    chosen = [word for word in words if word not in flags] or names()
    unknown = [name for name in chosen if name not in names()]
    if unknown or flags - {"--quick", "--smallest", "--markdown", "--page"}:
        sys.stderr.write(f"{__doc__}\nThere are: {', '.join(names())}\n")
        return 2
    size = size_of(flags)
    run = Run(size, "--page" in flags)
    made = show(run.rows(chosen), "--markdown" in flags)
    missed = [row.name for row in made if not row.held and size != "smallest"]
    for what, which in (("missed", missed), ("failed", run.failed)):
        if which:
            sys.stderr.write(f"{what}: {', '.join(which)}\n")
    return 1 if missed or run.failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
