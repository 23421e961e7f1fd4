"""Lists of words from text files: "[list]" on a line, then its items between commas."""

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent


@cache
def read_lists(name: str) -> dict[str, list[str]]:
    """The lists of a file in this folder, by what stands in their brackets."""
    lists: dict[str, list[str]] = {}
    items: list[str] = []
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            items = lists.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            items += [item.strip() for item in line.split(",") if item.strip()]
    return lists
