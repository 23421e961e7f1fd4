"""What a process keeps of images between two clicks: digests by address, and embeddings."""

import threading
from typing import NamedTuple
from weakref import WeakKeyDictionary

from backends.segment.embedding_cache import EmbeddingCache
from backends.segment.opened_images import ImageOpener
from backends.segment.settings import SegmentSettings
from shared.backend.process_resources import Resources

MB = 1_000_000
FOLDER = "embeddings"


class KeptImages(NamedTuple):
    """The memory of addresses and that of embeddings."""

    opener: ImageOpener
    embeddings: EmbeddingCache


_kept: WeakKeyDictionary[Resources, KeptImages] = WeakKeyDictionary()
_lock = threading.Lock()


def kept_images(resources: Resources, settings: SegmentSettings) -> KeptImages:
    """Return what is kept with a process's resources: all backend objects share it."""
    with _lock:
        if resources not in _kept:
            embeddings = EmbeddingCache(
                resources.settings.cache_dir / FOLDER,
                int(settings.embedding_memory_mb * MB),
                int(settings.embedding_cache_mb * MB),
            )
            resources.cache_sizes.append(lambda: embeddings.memory_bytes)
            _kept[resources] = KeptImages(ImageOpener(), embeddings)
        return _kept[resources]
