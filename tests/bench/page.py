"""Measured rows in docs/benchmarks.md: `python -m tests.bench --page` writes them."""

import datetime
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.bench.machine import machine
from tests.bench.table import HEAD, Cells, Row

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "benchmarks.md"
TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)
# A new machine's section goes before this one.
LAST_SECTION = "\n## More measurements\n"


def write(rows: Sequence[Row]) -> None:
    """Write the rows into the section of this machine, with the day and the commit."""
    day = f"{datetime.datetime.now(tz=datetime.timezone.utc):%d %b %Y}"
    when = ", ".join(part for part in (day, commit()) if part)
    PAGE.write_text(merge(PAGE.read_text("utf-8"), machine(), when, rows), "utf-8")


def commit() -> str:
    """Return the commit that is measured, marked with `+` where files differ from it."""
    paths = ["--", ".", f":!{PAGE.relative_to(ROOT)}"]
    return _git("rev-parse", "--short", "HEAD") + ("+" if _git("diff", "HEAD", *paths) else "")


def merge(page: str, machine: str, when: str, rows: Iterable[Row]) -> str:
    """Return the page with the rows of a machine: the same ones replaced, new ones added."""
    mark = f"\n## {machine}\n"
    if mark not in page:
        page = page.replace(LAST_SECTION, f"{mark}\n{markdown(())}{LAST_SECTION}", 1)
    before, _, section = page.partition(mark)
    table = TABLE.search(section)
    assert table is not None, f"no table below {machine}"
    known = {_key(cells): cells for cells in map(_cells, table[0].splitlines()[2:])}
    known |= {_key(row.cells()): (*row.cells(), when) for row in rows}
    above, below = section[: table.start()], section[table.end() :]
    return f"{before}{mark}{above}{markdown(known.values())}{below}"


def markdown(rows: Iterable[Cells]) -> str:
    """Return a Markdown table below the usual head."""
    head = (*HEAD, "measured")
    return "".join(f"| {' | '.join(cells)} |\n" for cells in [head, ("---",) * len(head), *rows])


def _git(*words: str) -> str:
    """Return what Git says; nothing without Git, as in an image."""
    try:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return done.stdout.strip()


def _cells(line: str) -> Cells:
    return tuple(cell.strip() for cell in line.removeprefix("|").removesuffix("|").split("|"))


def _key(cells: Cells) -> tuple[str, str, str]:
    """Return what a row measures: its name, its unit, and what stands beside it."""
    return cells[0], cells[1].partition(" ")[2], cells[2].partition(" ")[2]
