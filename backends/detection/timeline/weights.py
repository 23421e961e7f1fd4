"""A trained temporal network on disk: `network.safetensors`, and `timeline.json` about it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from backends.detection.model.weights import find_weights
from backends.detection.timeline.attributes import NetworkSize
from shared.backend.claim import ModelSpec
from shared.backend.extras import require
from shared.backend.weights import hash_files
from shared.errors import ModelError
from shared.settings import Settings

DESCRIPTION_FILE, WEIGHTS_FILE = "timeline.json", "network.safetensors"


@dataclass(frozen=True)
class FeatureSource:
    """The network whose features are used: its name, image size, and the hash of its weights."""

    model: str
    image_size: int
    digest: str

    @classmethod
    def find(cls, model: str, image_size: int, settings: Settings) -> "FeatureSource":
        """Return a network as its weights are now."""
        return cls(model, image_size, hash_files((find_weights(model, settings),)))

    def find_weights(self, settings: Settings) -> Path:
        """Return the file of the weights; ModelError if they have changed since the training."""
        path = find_weights(self.model, settings)
        if hash_files((path,)) != self.digest:
            raise ModelError(
                f"the weights of {path.name} are others than those on whose features the timeline"
                " was trained: train it again"
            )
        return path


@dataclass(frozen=True)
class TimelineDescription:
    """What a temporal network was made for: its labels, its size, and the features it takes."""

    labels: tuple[str, ...]
    source: FeatureSource
    size: NetworkSize
    frame_step: int
    features: int
    components: tuple[int, int, int]

    def fits(self, wanted: "TimelineDescription") -> bool:
        """Return whether this network can go on learning what another one would.

        It may have another number of principal components, which depends on the videos.
        """
        return replace(self, components=wanted.components) == wanted

    def build_network(self) -> Any:
        """Return the torch module, with random weights."""
        from backends.detection.timeline.network import TemporalNetwork

        return TemporalNetwork(self.features, self.components, self.size, len(self.labels))


def is_timeline(spec: ModelSpec) -> bool:
    """Return whether a model is a trained temporal network."""
    return bool(spec.trained_version) and holds_timeline(Path(spec.model))


def holds_timeline(folder: Path) -> bool:
    """Return whether a folder holds a trained temporal network."""
    return (folder / DESCRIPTION_FILE).is_file()


def timeline_files(folder: Path, settings: Settings) -> Sequence[Path]:
    """Return the files of a trained temporal network, and the weights whose features it takes."""
    source = read_description(folder).source
    return folder / DESCRIPTION_FILE, folder / WEIGHTS_FILE, source.find_weights(settings)


def save_timeline(folder: Path, description: TimelineDescription, network: Any) -> None:
    """Write a trained network into a folder."""
    save_file = require("safetensors.torch", "train").save_file
    state = {name: tensor.contiguous().cpu() for name, tensor in network.state_dict().items()}
    save_file(state, folder / WEIGHTS_FILE)
    written = orjson.dumps(
        {**asdict(description), "size": description.size._asdict()}, option=orjson.OPT_INDENT_2
    )
    (folder / DESCRIPTION_FILE).write_bytes(written)


def load_timeline(folder: Path) -> tuple[TimelineDescription, Any]:
    """Load a trained network; ModelError if its files do not fit each other."""
    load_file = require("safetensors.torch", "train").load_file
    safetensors_error = require("safetensors", "train").SafetensorError
    description = read_description(folder)
    network = description.build_network()
    try:
        network.load_state_dict(load_file(folder / WEIGHTS_FILE))
    except (OSError, RuntimeError, safetensors_error) as error:
        raise ModelError(f"{WEIGHTS_FILE} of {folder.name} cannot be loaded: {error}") from None
    return description, network.eval()


def read_description(folder: Path) -> TimelineDescription:
    """Read what a folder says of its network; ModelError if it says nothing."""
    try:
        found = orjson.loads((folder / DESCRIPTION_FILE).read_bytes())
        source, size = FeatureSource(**found.pop("source")), NetworkSize(**found.pop("size"))
        for key in ("labels", "components"):
            found[key] = tuple(found[key])
        return TimelineDescription(**found, source=source, size=size)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{DESCRIPTION_FILE} of {folder.name} cannot be read: {error}") from None
