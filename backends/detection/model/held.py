"""Networks that are loaded: one of each file of weights, however many models are made of it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from backends.detection.model import architecture, conversion
from backends.detection.model.architecture import NetworkSpec
from backends.detection.model.engines import Engine, OpenVino, Torch
from shared.settings import Settings

# Stands for the image size of an engine that takes any.
ANY_SIZE = 0
# From a network as a torch module, and its kind, to an engine that runs it.
Make = Callable[[Any, NetworkSpec], Engine]


class Key(NamedTuple):
    """What makes two loaded networks the same: the file as it is now, and how it is run."""

    weights: Path
    changed: int
    engine: str
    device: str
    precision: str
    cache: Path

    @classmethod
    def of(cls, weights: Path, settings: Settings, precision: str) -> "Key":
        """Of a file of weights."""
        path = weights.resolve()
        changed = path.stat().st_mtime_ns if path.exists() else 0
        return cls(path, changed, settings.engine, settings.device, precision, settings.cache_dir)


@dataclass(eq=False)
class Held:
    """A file of weights, and its engines: one for all image sizes where the network takes any.

    It stays as long as a model of it does, and an engine as long as a model that it runs.
    """

    trained: NetworkSpec | None = None
    engines: "WeakValueDictionary[int, Any]" = field(default_factory=WeakValueDictionary)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def engine(self, weights: Path, image_size: int, make: Make) -> tuple[NetworkSpec, Engine]:
        """The network's kind at an image size, and what runs it; it is loaded if need be."""
        with self.lock:
            if self.trained is None:
                return self._loaded(weights, image_size, make)
            kind = architecture.sized(self.trained, image_size)
            known = self.engines.get(ANY_SIZE, self.engines.get(kind.side))
            if known is None:
                return self._loaded(weights, image_size, make)
            return kind, _expecting(known, kind)

    def _loaded(self, weights: Path, image_size: int, make: Make) -> tuple[NetworkSpec, Engine]:
        """Load it: one that takes any size is tried at the one that it was trained at."""
        ready, self.trained = architecture.load(weights, 0)
        kind = architecture.sized(self.trained, image_size)
        flexible = conversion.is_flexible(kind)
        made = make(ready, self.trained if flexible else kind)
        self.engines[ANY_SIZE if flexible or isinstance(made, Torch) else kind.side] = made
        return kind, _expecting(made, kind)


def _expecting(engine: Engine, kind: NetworkSpec) -> Engine:
    if isinstance(engine, OpenVino):
        engine.expect(conversion.shapes(kind))
    return engine


_held: "WeakValueDictionary[Key, Held]" = WeakValueDictionary()
_lock = threading.Lock()


def held(key: Key) -> Held:
    """The weights, which are kept by whoever has them."""
    with _lock:
        found = _held.get(key)
        if found is None:
            found = _held[key] = Held()
        return found
