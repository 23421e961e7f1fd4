"""Which part of the split a content came into before, so that it comes there in later datasets."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import orjson

from shared.evaluation.dataset.options import SPLIT_NAMES
from shared.evaluation.dataset.workspace import write_file


class KnownParts:
    """Parts by the digests of contents, which no annotation changes.

    A split of tasks by themselves depends a little on the order of their annotations and on their
    labels (see `split`). With the parts of before, no task leaves the part that it is in.
    """

    def __init__(self, parts: Mapping[bytes, str] | None = None) -> None:
        self._parts = dict(parts or {})
        self._seen: set[bytes] = set()

    @classmethod
    def read(cls, path: Path) -> "KnownParts":
        """Read what `write` wrote; nothing is known if there is no file."""
        try:
            written = orjson.loads(path.read_bytes())
        except FileNotFoundError:
            return cls()
        return cls({bytes.fromhex(one): part for part, found in written.items() for one in found})

    def write(self, path: Path) -> None:
        """Replace the file as a whole: the digests of each part."""
        found = {part: [] for part in SPLIT_NAMES} if self._parts else dict[str, list[str]]()
        for digest, part in sorted(self._parts.items()):
            found[part].append(digest.hex())
        write_file(path, orjson.dumps(found))

    def find(self, contents: Iterable[bytes]) -> str | None:
        """Return the part of contents that stay together.

        Where they were in several, it is the last of train, val, test: what was held out stays so.
        """
        known = [self._parts[one] for one in contents if one in self._parts]
        return max(known, key=SPLIT_NAMES.index, default=None)

    def add(self, content: bytes, part: str) -> None:
        """Remember the part of a content that is there now."""
        self._parts[content] = part
        self._seen.add(content)

    def move_one(self, origin: str, target: str) -> bool:
        """Give one of the contents that are there now another part; return whether there was one.

        It is always the same one, by its digest.
        """
        found = min((one for one in self._seen if self._parts[one] == origin), default=None)
        if found is not None:
            self._parts[found] = target
        return found is not None
