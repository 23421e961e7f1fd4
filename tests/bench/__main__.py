"""All benchmarks in one table: python -m tests.bench [--quick] [--markdown] [name …]"""

import importlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.bench.table import Row, show

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The modules here that have `rows`."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if "\ndef rows(" in path.read_text())


def rows(chosen: Sequence[str], quick: bool) -> Iterator[Row]:
    for name in chosen:
        yield from importlib.import_module(f"tests.bench.{name}").rows(quick)


def main(*words: str) -> int:
    """The exit status is 1 where a bound is not held."""
    flags = {word for word in words if word.startswith("--")}
    chosen = [word for word in words if word not in flags] or names()
    unknown = [name for name in chosen if name not in names()]
    if unknown or flags - {"--quick", "--markdown"}:
        sys.stderr.write(f"{__doc__}\nThere are: {', '.join(names())}\n")
        return 2
    made = show(rows(chosen, "--quick" in flags), "--markdown" in flags)
    return 0 if all(row.held for row in made) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
