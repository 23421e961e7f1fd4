"""All benchmarks in one table: python -m tests.bench [--quick] [--markdown] [--page] [name …]

With --page the rows also go into docs/benchmarks.md, below this machine, with day and commit.
With --smallest each does as little as it can: that shows that it runs, and no bound is checked.
"""

import importlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.bench import page
from tests.bench.table import Row, Size, show, size_of

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The modules here that have `rows`, but for this one."""
    found = (path for path in FOLDER.glob("*.py") if "\ndef rows(" in path.read_text())
    return sorted(path.stem for path in found if not path.stem.startswith("__"))


def rows(chosen: Sequence[str], size: Size) -> Iterator[Row]:
    for name in chosen:
        yield from importlib.import_module(f"tests.bench.{name}").rows(size)


def main(*words: str) -> int:
    """The exit status is 1 where a bound is not held."""
    flags = {word for word in words if word.startswith("--")}
    chosen = [word for word in words if word not in flags] or names()
    unknown = [name for name in chosen if name not in names()]
    if unknown or flags - {"--quick", "--smallest", "--markdown", "--page"}:
        sys.stderr.write(f"{__doc__}\nThere are: {', '.join(names())}\n")
        return 2
    size = size_of(flags)
    made = show(rows(chosen, size), "--markdown" in flags)
    if "--page" in flags:
        page.write(made)
    return 0 if size == "smallest" or all(row.held for row in made) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
