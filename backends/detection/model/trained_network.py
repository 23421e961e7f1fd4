"""A network that was trained here, in a file without code: safetensors and a description.

`network.safetensors` holds the weights in half precision, and in its metadata, under `network`, as
JSON, what the network is built from: Ultralytics' description of its layers, the class names, and
the image size. Other weights of Ultralytics are pickles, which can contain code.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.backend.extras import require
from shared.errors import ModelError

FILE_NAME = "network.safetensors"
METADATA_KEY = "network"
# Ultralytics evaluates this text of a description.
_ACTIVATION = re.compile(r"(torch\.)?nn\.[A-Za-z0-9]+\(\)")


@dataclass(frozen=True)
class NetworkDescription:
    """What a network is built from, besides its weights.

    - `layers`: Ultralytics' description (`yaml`) of its layers
    - `head_width`: the channels of the hidden layers for class scores, which stay those of the
      network that it was trained from; 0 where they follow from `layers`
    - `keypoint_names`: the label of each key point
    """

    task: str
    layers: Mapping[str, Any]
    class_names: tuple[str, ...]
    image_size: int
    head_width: int = 0
    keypoint_names: tuple[str, ...] = ()


def save_network(weights: Mapping[str, Any], description: NetworkDescription, folder: Path) -> Path:
    """Write a network's weights, a state dict, into a folder."""
    torch_file = require("safetensors.torch", "train")
    halves = {
        name: (value.half() if value.is_floating_point() else value).contiguous().cpu()
        for name, value in weights.items()
    }
    path = folder / FILE_NAME
    metadata = {"format": "pt", METADATA_KEY: json.dumps(vars(description), ensure_ascii=False)}
    torch_file.save_file(halves, path, metadata=metadata)
    return path


def load_trained_network(path: Path) -> tuple[Any, NetworkDescription]:
    """Build the network of a file as a torch module; ModelError if the file is not one of ours."""
    torch_file = require("safetensors.torch", "train")
    try:
        description = _read_description(path)
        network = build_network(description)
        network.load_state_dict({k: v.float() for k, v in torch_file.load_file(path).items()})
    except ModelError:
        raise
    except Exception as error:  # safetensors and Ultralytics raise many kinds
        raise ModelError(
            f"{path.name} of a trained version cannot be read ({type(error).__name__}):"
            " train again, or roll back to the version before"
        ) from error
    network.names = dict(enumerate(description.class_names))
    return network, description


def _read_description(path: Path) -> NetworkDescription:
    safetensors = require("safetensors", "train")
    with safetensors.safe_open(path, framework="pt") as file:
        found = json.loads(file.metadata()[METADATA_KEY])
    activation = found["layers"].get("activation")
    if activation is not None and not _ACTIVATION.fullmatch(activation):
        raise ModelError(f"{path.name} names an activation that is not one of torch.nn")
    names = {key: tuple(found[key]) for key in ("class_names", "keypoint_names")}
    return NetworkDescription(**{**found, **names})


def build_network(description: NetworkDescription) -> Any:
    """Build the torch module of a description, with weights of no meaning."""
    layers, count = dict(description.layers), len(description.class_names)
    network = _build(description.task, layers, count)
    if description.head_width and description.head_width != head_width(network):
        # The width of these layers follows from the number of classes: take them from a network
        # that has the same width.
        network.load(_build(description.task, layers, description.head_width), verbose=False)
    return network


def head_width(network: Any) -> int:
    """Return the channels of the hidden layers for class scores; 0 for other heads."""
    branches = getattr(network.model[-1], "cv3", None)
    return int(branches[0][-1].in_channels) if branches is not None else 0


def head_name(layers: Mapping[str, Any]) -> str:
    """Return the class of a network's last layer, by its description."""
    parts: Sequence[Any] = [*layers["backbone"], *layers["head"]]
    return str(parts[-1][2])


def _build(task: str, layers: dict[str, Any], class_count: int) -> Any:
    from ultralytics.nn import tasks

    if head_name(layers) == "RTDETRDecoder":
        return tasks.RTDETRDetectionModel(layers, ch=3, nc=class_count, verbose=False)
    network_class = {
        "detect": tasks.DetectionModel,
        "segment": tasks.SegmentationModel,
        "pose": tasks.PoseModel,
        "obb": tasks.OBBModel,
        "classify": tasks.ClassificationModel,
    }[task]
    return network_class(layers, ch=3, nc=class_count, verbose=False)
