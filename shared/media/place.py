"""Files that a command or setting names: on this machine, or in an object store."""

import glob
import os
from pathlib import Path
from typing import BinaryIO, cast

from shared.media.object_address import StoreAddress, parse_place

# The place of a file: its path here, or its address in a store.
Place = StoreAddress | Path


def is_file(place: Place) -> bool:
    """Return whether there is such a file; SettingError if its store cannot be asked."""
    if isinstance(place, Path):
        return place.is_file()
    from shared.media.object_store import ObjectStore

    return ObjectStore(place).find(place) is not None


def is_folder_or_glob(name: str) -> bool:
    """Return whether a name means several files; SettingError if its store cannot be asked."""
    place = parse_place(name)
    if isinstance(place, Path):
        return place.is_dir() or (glob.has_magic(name) and not place.exists())
    from shared.media.object_store import ObjectStore

    store = ObjectStore(place)
    if glob.has_magic(place.key):
        return store.find(place) is None
    return name.endswith("/") or not place.key or store.is_folder(place)


def open_file(place: Place) -> BinaryIO:
    """Open a file for reading; OSError if it cannot be read, at once or later.

    SettingError if it is in a store.
    """
    if isinstance(place, Path):
        return place.open("rb")
    from shared.media.object_store import ObjectStore

    return cast(BinaryIO, ObjectStore(place).open(place))


def file_size(file: BinaryIO) -> int:
    """Return the bytes of a file that `open_file` has opened."""
    stored: int | None = getattr(getattr(file, "raw", None), "size", None)
    return os.fstat(file.fileno()).st_size if stored is None else stored
