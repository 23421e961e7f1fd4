"""Word lists from text files: "[name]" on a line, then the items, separated by commas."""

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent


@cache
def read_lists(name: str) -> dict[str, list[str]]:
    """Return the lists of a file in this folder by their names."""
    lists: dict[str, list[str]] = {}
    items: list[str] = []
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            items = lists.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            items += [item.strip() for item in line.split(",") if item.strip()]
    return lists
