"""Loads an Ultralytics network from its weights, ready to run on any engine."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backends.detection.model import trained_network
from shared.errors import ModelError

# Ultralytics' names of what a network does; it has others, for which there is no control tag.
TASKS = ("detect", "segment", "pose", "obb", "classify")
# Image sizes of networks whose weights do not say at which they were trained; others have 640.
DEFAULT_IMAGE_SIZES = {"classify": 224}


@dataclass(frozen=True)
class NetworkSpec:
    """What preparing a network's input and decoding its output depends on.

    `image_size` is the longer side of the input in pixels, a multiple of `stride`. An `end_to_end`
    network outputs finished objects, others a score for each anchor and class, which need NMS. If
    it `stretches_image`, the image fills a square, and boxes are fractions of that.
    `keypoint_shape` is (k, 2) or (k, 3), None without keypoints. A network that finds what words
    name takes their embeddings, of `word_dimensions` numbers each, as a second input; its classes
    are the words, by default those in its file.
    """

    task: str
    class_names: tuple[str, ...]
    image_size: int
    stride: int
    end_to_end: bool
    stretches_image: bool
    keypoint_shape: tuple[int, int] | None
    keypoint_names: tuple[str, ...] = ()
    word_dimensions: int = 0


@dataclass(frozen=True)
class LoadedNetwork:
    """A torch module as Ultralytics builds it, what it does, and the image size that it had.

    `image_size` is 0 where the weights do not say it; `keypoint_names` are the labels of the key
    points of a network that was trained on them.
    """

    network: Any
    task: str
    image_size: int
    keypoint_names: tuple[str, ...] = ()

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of its classes."""
        found = self.network.names
        names = found if isinstance(found, Mapping) else dict(enumerate(found))
        return tuple(str(names[index]) for index in sorted(names))


def load_network(weights: Path, image_size: int) -> tuple[Any, NetworkSpec]:
    """Load a network as a torch module, and what has to be known of it.

    The module maps RGB pixels, uint8 (n, height, width, 3), to a tuple of float arrays; with
    `word_dimensions`, pixels and the embeddings of words, float (1, words, dimensions).
    `image_size` 0 is the size it was trained at.
    """
    loaded = read_network(weights)
    network = loaded.network.float().eval()
    channels = int(network.yaml.get("channels", 3))
    if channels != 3:
        raise ModelError(f"{weights.name} takes images of {channels} channels; supported: 3")
    from backends.detection.model.export_wrapper import ExportWrapper  # imports torch
    from backends.detection.open_vocabulary.word_network import WordNetwork

    spec = _describe_network(loaded, image_size)
    return (WordNetwork if spec.word_dimensions else ExportWrapper)(network), spec


def read_network(weights: Path) -> LoadedNetwork:
    """Read a network as it was trained; ModelError if there is no control tag for what it does."""
    if weights.name == trained_network.FILE_NAME:
        network, described = trained_network.load_trained_network(weights)
        return LoadedNetwork(
            network, described.task, described.image_size, described.keypoint_names
        )
    from ultralytics import YOLO

    loaded = YOLO(weights)
    if loaded.task not in TASKS:
        raise ModelError(
            f"{weights.name} is a network for {loaded.task}; supported: {', '.join(TASKS)}"
        )
    trained = (loaded.ckpt or {}).get("train_args", {}).get("imgsz")
    trained = max(trained) if isinstance(trained, list | tuple) else trained
    return LoadedNetwork(loaded.model, loaded.task, int(trained or 0))


def with_image_size(spec: NetworkSpec, image_size: int) -> NetworkSpec:
    """Return the spec of the same network at another image size; 0 keeps the one it has."""
    return replace(spec, image_size=_round_up(image_size or spec.image_size, spec.stride))


def _describe_network(loaded: LoadedNetwork, image_size: int) -> NetworkSpec:
    network = loaded.network
    image_size = image_size or loaded.image_size or DEFAULT_IMAGE_SIZES.get(loaded.task, 640)
    is_rtdetr = type(network.model[-1]).__name__ == "RTDETRDecoder"
    stride = 1 if loaded.task == "classify" else max(int(network.stride.max()), 32)
    keypoints = getattr(network, "kpt_shape", None) if loaded.task == "pose" else None
    from backends.detection.open_vocabulary.word_network import word_dimensions

    end_to_end = is_rtdetr or _is_end_to_end(network)
    return NetworkSpec(
        loaded.task,
        loaded.class_names,
        _round_up(image_size, stride),
        stride,
        end_to_end=end_to_end,
        stretches_image=is_rtdetr,
        keypoint_shape=(int(keypoints[0]), int(keypoints[1])) if keypoints else None,
        keypoint_names=loaded.keypoint_names,
        word_dimensions=0 if end_to_end else word_dimensions(network),
    )


def _round_up(image_size: int, stride: int) -> int:
    return -(-image_size // stride) * stride


def _is_end_to_end(network: Any) -> bool:
    """Return whether the network has only a head without NMS.

    If it has both heads, take the one with NMS, as Ultralytics does by default.
    """
    head = network.model[-1]
    if hasattr(head, "end2end") and getattr(head, "cv2", None) is not None:
        head.end2end = False
    return bool(getattr(head, "end2end", False))
