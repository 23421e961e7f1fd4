"""Which part of the split a content came into before, so that it comes there in later datasets."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from shared.errors import SettingError
from shared.evaluation.dataset.options import SPLIT_NAMES
from shared.evaluation.dataset.workspace import write_file


class PlacedTask(NamedTuple):
    """A task of the dataset that is being built: its content's digest, and its group."""

    content: bytes
    group: int


class KnownParts:
    """Parts by the digests of contents, which no annotation changes.

    A split of tasks by themselves depends a little on the order of their annotations and on their
    labels (see `split`). With the parts of before, no task leaves the part that it is in.
    """

    def __init__(self, parts: Mapping[bytes, str] | None = None) -> None:
        self._before = dict(parts or {})
        self._parts = dict(self._before)
        self._placed: dict[str, PlacedTask] = {}
        self._moved: set[bytes] = set()
        self._contents: dict[int, set[bytes]] = {}

    @classmethod
    def read(cls, path: Path) -> "KnownParts":
        """Read what `write` wrote; nothing is known if there is no file.

        SettingError if it is damaged: with another split, tasks that were held out would be learned
        from, and the figures of versions could not be compared.
        """
        try:
            written = orjson.loads(path.read_bytes())
            return cls({bytes.fromhex(one): part for part in SPLIT_NAMES for one in written[part]})
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SettingError(
                f"{path}, which says what is held out, cannot be read ({type(error).__name__}):"
                " restore it, or remove it to split the tasks anew"
            ) from None

    def write(self, path: Path) -> None:
        """Replace the file as a whole: the digests of each part."""
        found: dict[str, list[str]] = {part: [] for part in SPLIT_NAMES}
        for digest, part in sorted(self._parts.items()):
            found[part].append(digest.hex())
        write_file(path, orjson.dumps(found))

    def find(self, contents: Iterable[bytes]) -> str | None:
        """Return the part of contents that stay together.

        Where they were in several, it is the last of train, val, test: what was held out stays so.
        """
        known = [self._parts[one] for one in contents if one in self._parts]
        return max(known, key=SPLIT_NAMES.index, default=None)

    def begin(self) -> None:
        """Forget which tasks are in the dataset, as another is built. Their parts stay known."""
        self._placed.clear()
        self._contents.clear()

    def place(self, task: Any, placed: PlacedTask, part: str) -> None:
        """Remember the part of a task that is in the dataset."""
        self._parts[placed.content] = part
        self._placed[str(task)] = placed
        self._contents.clear()

    def digest_of(self, task: Any) -> bytes:
        """Return the digest of a task that was placed: an order that no annotation changes."""
        return self._placed[str(task)].content

    def move(self, task: Any, part: str) -> bool:
        """Let the next build put a task into another part, with those that stay with it.

        Returns False, and moves nothing, if one of them was in a part before, or was moved already:
        a group that is all that a label has would go to and fro.
        """
        contents = self._contents_of_group(self._placed[str(task)].group)
        if not contents.isdisjoint(self._before) or not contents.isdisjoint(self._moved):
            return False
        self._moved |= contents
        self._parts |= dict.fromkeys(contents, part)
        return True

    def _contents_of_group(self, group: int) -> set[bytes]:
        """Return the digests of a group's tasks; all groups are listed once for each build."""
        if not self._contents:
            for placed in self._placed.values():
                self._contents.setdefault(placed.group, set()).add(placed.content)
        return self._contents[group]
