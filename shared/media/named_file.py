"""Values of tasks that stand for what the command line names: a file, an object of a store."""

from pathlib import Path

from shared.media.object_address import StoreAddress


class LocalPath(str):
    """A task's value for a file that the command line names, which is read at `path`.

    JSON cannot hold one, so that clients cannot open files this way.
    """

    path: Path

    @classmethod
    def from_file(cls, value: str, path: Path) -> "LocalPath":
        """Build the value that the task shows, for the file at `path`."""
        named = cls(value)
        named.path = path
        return named


class StoredObject(str):
    """A task's value for an object of a store that the command line names, which is read there.

    As with `LocalPath`, clients cannot open objects this way.
    """

    address: StoreAddress

    @classmethod
    def from_address(cls, value: str, address: StoreAddress) -> "StoredObject":
        """Build the value that the task shows, for the object at an address."""
        named = cls(value)
        named.address = address
        return named
