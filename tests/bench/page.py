"""Measured rows in docs/benchmarks.md: `python -m tests.bench --page` writes them."""

import datetime
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.bench.machine import machine
from tests.bench.table import HEAD, Cells, Row

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)
# A new machine's section goes before this one.
LAST_SECTION = "\n## More measurements\n"


def write(rows: Sequence[Row]) -> None:
    """Write the rows into the section of this machine and day."""
    heading = f"{machine()}, {datetime.datetime.now(tz=datetime.timezone.utc):%d %B %Y}"
    PAGE.write_text(merge(PAGE.read_text("utf-8"), heading, rows), "utf-8")


def merge(page: str, heading: str, rows: Iterable[Row]) -> str:
    """Return the page with the rows below the heading: the same ones replaced, new ones added."""
    mark = f"\n## {heading}\n"
    if mark not in page:
        page = page.replace(LAST_SECTION, f"{mark}\n{markdown(())}{LAST_SECTION}", 1)
    before, _, section = page.partition(mark)
    table = TABLE.search(section)
    assert table is not None, f"no table below {heading}"
    known = {_key(cells): cells for cells in map(_cells, table[0].splitlines()[2:])}
    known |= {_key(row.cells()): row.cells() for row in rows}
    above, below = section[: table.start()], section[table.end() :]
    return f"{before}{mark}{above}{markdown(known.values())}{below}"


def markdown(rows: Iterable[Cells]) -> str:
    """Return a Markdown table below the usual head."""
    lines = [HEAD, ("---",) * len(HEAD), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _cells(line: str) -> Cells:
    return tuple(cell.strip() for cell in line.removeprefix("|").removesuffix("|").split("|"))


def _key(cells: Cells) -> tuple[str, str, str]:
    """Return what a row measures: its name, its unit, and what stands beside it."""
    return cells[0], cells[1].partition(" ")[2], cells[2].partition(" ")[2]
