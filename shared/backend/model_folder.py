"""Models below MODEL_DIR, which may be an address in an object store, or at addresses of their own.

What is in a store is copied to `CACHE_DIR/stores/ADDRESS/STATE/NAME` when it is first needed. A
process keeps what it has found: weights that change meanwhile serve after a restart, with another
version. Addresses are a matter of settings; what a label config names has to be in MODEL_DIR.
"""

import hashlib
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from shared.backend.converted_model_cache import fresh_folder
from shared.errors import ModelError, SettingError
from shared.media.object_address import StoreAddress, parse_place
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.media.object_store import ObjectInfo, ObjectStore

# Seconds for an answer where somebody waits for a plan.
QUICK_SECONDS = 5.0


def find_model(name: str, settings: Settings) -> Path:
    """Return the path of a file or folder of MODEL_DIR, which need not exist.

    A setting may also name a model by the address of its own. ModelError if the store that has it
    cannot be used.
    """
    address = StoreAddress.parse(name) or _address_in_model_dir(name, settings)
    found = None
    if address is not None and address.key:
        try:
            found = _fetch_once(address, settings.cache_dir)
        except _NotThereError:
            pass
        except (SettingError, OSError) as error:
            why = error if isinstance(error, SettingError) else error.strerror
            raise ModelError(f"{address.shown} cannot be fetched: {why}") from None
    return found or settings.model_dir / name


def has_model_file(name: str, settings: Settings, is_setting: bool = False) -> bool:
    """Return whether MODEL_DIR has a file of this name; nothing is fetched.

    A name that comes from a setting may also be an address elsewhere. SettingError if the
    store that it is in cannot be asked.
    """
    address = _address_in_model_dir(name, settings)
    if address is None and is_setting:
        address = StoreAddress.parse(name)
    if settings.model_store is None and address is None:
        root = settings.model_dir.resolve()
        try:
            path = (root / name).resolve()
            return path.is_relative_to(root) and path.is_file()
        except OSError:  # no name of a file: it is too long
            return False
    if address is None or not address.key:
        return False
    from shared.media.object_store import ObjectStore

    return ObjectStore(address, QUICK_SECONDS).find(address) is not None


def _address_in_model_dir(name: str, settings: Settings) -> StoreAddress | None:
    """Return the address of a name below MODEL_DIR, if that is in a store."""
    root = parse_place(settings.model_store) if settings.model_store is not None else None
    if not isinstance(root, StoreAddress) or not name or name.startswith(("/", "~")):
        return None
    address = StoreAddress.parse(name) or root / name
    return address if address.is_below(root) and address != root else None


class _NotThereError(Exception):
    """There is no such object or folder: it may be there next time."""


@cache
def _fetch_once(address: StoreAddress, cache_dir: Path) -> Path:
    """Copy an object or folder into the cache, unless it has this state of it."""
    from shared.media.object_store import ObjectStore

    store = ObjectStore(address)
    objects = _list_objects(store, address)
    if not objects:
        raise _NotThereError
    place = cache_dir / "stores" / _digest([str(address)]) / _digest(map(str, objects))
    if not place.is_dir():
        with fresh_folder(place) as made:
            for one in objects:
                below = one.address.key[len(address.key) :].strip("/")
                _copy_object(store, one, made / address.name / below)
            if _list_objects(store, address) != objects:
                raise ModelError(f"{address.shown} changed while it was fetched: try again")
    return place / address.name


def _list_objects(store: "ObjectStore", address: StoreAddress) -> "Sequence[ObjectInfo]":
    """Return the object at an address, or those below it."""
    found = store.find(address)
    if found is not None:
        return [found]
    below = store.walk(address) if store.is_folder(address) else ()
    return [one for one in below if one.address.is_below(address)]


def _copy_object(store: "ObjectStore", one: "ObjectInfo", target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    store.download(one.address, target)


def _digest(texts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
