"""An Ultralytics network as its weights hold it, made ready to run on any engine."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from shared.errors import ModelError

# Ultralytics' words for what a network does; it has others, which no control tag shows.
TASKS = ("detect", "segment", "pose", "obb", "classify")
# Image size of a network that does not say at which it was trained; 640 for other tasks.
SIDES = {"classify": 224}


@dataclass(frozen=True)
class NetworkSpec:
    """What has to be known of a network to prepare its images and read its outputs.

    `side` is the longer side of its input in pixels, a multiple of `stride`. `selects`: it gives
    rows of objects and not a score for each place and class; `stretches`: images fill a square,
    and boxes are in parts of it. `points` is the shape of its key points, (k, 2) or (k, 3).
    """

    task: str
    names: tuple[str, ...]
    side: int
    stride: int
    selects: bool
    stretches: bool
    points: tuple[int, int] | None


def load(weights: Path, image_size: int) -> tuple[Any, NetworkSpec]:
    """The network as a torch module, pixels in and outputs out, and its kind.

    The module takes RGB pixels, uint8 of shape (n, height, width, 3), and gives a tuple of
    float arrays. `image_size` 0 is the one it was trained at.
    """
    from ultralytics import YOLO

    loaded = YOLO(weights)
    if loaded.task not in TASKS:
        raise ModelError(
            f"{weights.name} is a network for {loaded.task}; those for {', '.join(TASKS)} are used"
        )
    network = loaded.model.float().eval()
    channels = int(network.yaml.get("channels", 3))
    if channels != 3:
        raise ModelError(f"{weights.name} takes images of {channels} channels; 3 are used")
    from backends.detection.model.export_wrapper import ExportWrapper  # imports torch

    kind = _kind(loaded, image_size)
    return ExportWrapper(network), kind


def sized(kind: NetworkSpec, image_size: int) -> NetworkSpec:
    """Return the kind of the same network at another image size; 0 is the one it has."""
    side = image_size or kind.side
    return replace(kind, side=-(-side // kind.stride) * kind.stride)


def _kind(loaded: Any, image_size: int) -> NetworkSpec:
    network, trained = loaded.model, (loaded.ckpt or {}).get("train_args", {}).get("imgsz")
    trained = max(trained) if isinstance(trained, list | tuple) else trained
    side = image_size or int(trained or SIDES.get(loaded.task, 640))
    head = type(network.model[-1]).__name__
    stride = 1 if loaded.task == "classify" else max(int(network.stride.max()), 32)
    points = getattr(network, "kpt_shape", None)
    names = network.names if isinstance(network.names, Mapping) else dict(enumerate(network.names))
    return NetworkSpec(
        loaded.task,
        tuple(str(names[index]) for index in sorted(names)),
        -(-side // stride) * stride,
        stride,
        selects=head == "RTDETRDecoder" or _one_to_one(network),
        stretches=head == "RTDETRDecoder",
        points=(int(points[0]), int(points[1])) if points and loaded.task == "pose" else None,
    )


def _one_to_one(network: Any) -> bool:
    """Whether only the head is left that finds each object once; else Ultralytics takes the other
    one, unless told otherwise, and so does this.
    """
    head = network.model[-1]
    if hasattr(head, "end2end") and getattr(head, "cv2", None) is not None:
        head.end2end = False
    return bool(getattr(head, "end2end", False))
