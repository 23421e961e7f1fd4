"""Loads each file of weights once per process, however many models use it.

A label config may ask for other image sizes or thresholds, and for videos: each makes a model of
its own, with its own queue. They share the network here, which is unloaded with the last of them.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from backends.detection.model import architecture, conversion
from backends.detection.model.architecture import NetworkSpec
from backends.detection.model.engines import Engine, OpenVinoEngine, TorchEngine
from backends.detection.open_vocabulary.word_table import WordTable
from shared.settings import Settings

# The key of an engine that takes any image size.
ANY_SIZE = 0


class OpenedEngine(NamedTuple):
    """The engine of a network, and what the network is at the image size it was trained at.

    `network` is the torch module with its spec where it was loaded for the engine.
    """

    trained: NetworkSpec
    engine: Engine
    network: tuple[Any, NetworkSpec] | None = None


# Opens the engine of a network for an image size.
OpenEngine = Callable[[int], OpenedEngine]


class WeightsKey(NamedTuple):
    """What two models must have in common to share weights: the file, and how it is run."""

    path: Path
    modified_ns: int
    engine: str
    device: str
    precision: str
    cache_dir: Path
    text_encoder: str = ""

    @classmethod
    def for_file(
        cls, weights: Path, settings: Settings, precision: str, text_encoder: str = ""
    ) -> "WeightsKey":
        """Build the key of a file as it is now: one that is replaced is loaded again."""
        path = weights.resolve()
        modified_ns = path.stat().st_mtime_ns if path.exists() else 0
        engine, device = settings.engine, settings.device
        cache_dir = settings.cache_dir
        return cls(path, modified_ns, engine, device, precision, cache_dir, text_encoder)


@dataclass(eq=False)
class SharedWeights:
    """The engines of a file of weights: one for all image sizes if the network takes any.

    Each model keeps it alive, and the engine that it runs on. `words` are the embeddings for a
    network that takes any.
    """

    trained_spec: NetworkSpec | None = None
    words: WordTable | None = None
    _engines: "WeakValueDictionary[int, Any]" = field(default_factory=WeakValueDictionary)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get_or_load(self, image_size: int, open_engine: OpenEngine) -> tuple[NetworkSpec, Engine]:
        """Return the network's spec at an image size and its engine; load it the first time."""
        with self._lock:
            if self.trained_spec is None:
                return self._load(image_size, open_engine)
            spec = architecture.with_image_size(self.trained_spec, image_size)
            engine = self._engines.get(ANY_SIZE, self._engines.get(spec.image_size))
            if engine is None:
                return self._load(image_size, open_engine)
            return spec, _with_shapes_of(engine, spec)

    def _load(self, image_size: int, open_engine: OpenEngine) -> tuple[NetworkSpec, Engine]:
        opened = open_engine(image_size)
        self.trained_spec, engine = opened.trained, opened.engine
        spec = architecture.with_image_size(self.trained_spec, image_size)
        takes_any = conversion.takes_any_size(spec) or isinstance(engine, TorchEngine)
        self._engines[ANY_SIZE if takes_any else spec.image_size] = engine
        return spec, _with_shapes_of(engine, spec)


def _with_shapes_of(engine: Engine, spec: NetworkSpec) -> Engine:
    if isinstance(engine, OpenVinoEngine):
        engine.add_shapes(conversion.common_shapes(spec))
    return engine


_loaded_weights: "WeakValueDictionary[WeightsKey, SharedWeights]" = WeakValueDictionary()
_lock = threading.Lock()


def share_weights(key: WeightsKey) -> SharedWeights:
    """Return the weights of a key: those that a model uses already, or new ones."""
    with _lock:
        weights = _loaded_weights.get(key)
        if weights is None:
            weights = _loaded_weights[key] = SharedWeights()
        return weights
