"""The network that a training starts from."""

import logging
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.detection.model.architecture import DEFAULT_IMAGE_SIZES, LoadedNetwork, read_network
from backends.detection.model.trained_network import FILE_NAME, head_name
from backends.detection.model.weights import find_local_weights
from backends.detection.settings import DetectionSettings
from backends.detection.tags import tag_options
from shared.backend.training import TrainingError, TrainingRun
from shared.errors import ModelError
from shared.settings import Settings

logger = logging.getLogger(__name__)

# The last layer of each task, and its arguments, in Ultralytics' descriptions.
HEADS: Mapping[str, tuple[str, list[Any]]] = {
    "detect": ("Detect", ["nc"]),
    "segment": ("Segment", ["nc", 32, 256]),
    "pose": ("Pose", ["nc", "kpt_shape"]),
    "obb": ("OBB", ["nc", 1]),
}
# Heads of YOLO26, which has others for all tasks but boxes.
HEADS_26 = {"segment": "Segment26", "pose": "Pose26", "obb": "OBB26"}
FILE_SUFFIXES = {"detect": "", "classify": "-cls", **tag_options.TASK_SUFFIXES}
# What is built where there are no weights at all.
SMALLEST = "yolo11n"


@dataclass(frozen=True)
class BaseNetwork:
    """Where a training starts.

    - `name`: for the log
    - `layers`: Ultralytics' description of the network to be trained
    - `network`: the torch module that its weights are taken from, as far as they fit; None if there
      is none, so that everything has to be learnt
    - `image_size`: the one that it was trained at
    """

    name: str
    layers: Mapping[str, Any]
    network: Any
    image_size: int


def choose_base(
    run: TrainingRun, task: str, settings: DetectionSettings, server: Settings
) -> BaseNetwork:
    """Return the first that there is of these:

    1. the version that serves now (`run.base`);
    2. DETECTION_TRAIN_BASE;
    3. the weights that fill the control tag without a training, and those of DETECTION_MODEL;
    4. a network of the smallest size, or that of DETECTION_MODEL's name, without weights.

    Nothing is downloaded. A network of another task gives the layers that both have.
    """
    for name, path in _candidates(run, settings, server):
        base = _read_base(name, path, task)
        if base is not None:
            return base
    name = _published_name(task, settings)
    logger.warning(
        "%s: there are no weights to start from, so all of %s has to be learnt, which takes many"
        " more pictures: put pretrained weights into MODEL_DIR and name them in"
        " DETECTION_TRAIN_BASE",
        run.control,
        name,
    )
    return BaseNetwork(name, _published_layers(name), None, DEFAULT_IMAGE_SIZES.get(task, 640))


def _candidates(
    run: TrainingRun, settings: DetectionSettings, server: Settings
) -> Iterator[tuple[str, Path]]:
    if run.base is not None:
        yield "the version that serves", run.base / FILE_NAME
    if settings.train_base:
        path = find_local_weights(settings.train_base, server)
        if path is None:
            raise TrainingError(
                f"DETECTION_TRAIN_BASE={settings.train_base}: no such file in MODEL_DIR, and it"
                " was not downloaded before"
            )
        yield settings.train_base, path
    serving = tag_options.choose_model(run.control, settings, server).model
    for name in dict.fromkeys((serving, settings.model)):
        path = find_local_weights(name, server)
        if path is not None:
            yield name, path


def _read_base(name: str, path: Path, task: str) -> BaseNetwork | None:
    """Return the base of a file; None, with the reason in the log, if it gives nothing."""
    try:
        loaded = read_network(path)
    except ModelError as error:
        logger.warning("The training does not start from %s: %s", name, error)
        return None
    layers = adapt_layers(loaded, task)
    if layers is None:
        logger.info("The training does not start from %s, a network for %s", name, loaded.task)
        return None
    size = loaded.image_size if (loaded.task == "classify") is (task == "classify") else 0
    return BaseNetwork(
        name, layers, loaded.network.float(), size or DEFAULT_IMAGE_SIZES.get(task, 640)
    )


def adapt_layers(loaded: LoadedNetwork, task: str) -> dict[str, Any] | None:
    """Return the description of a network for a task, with all layers that fit.

    None if the task's head cannot be put on it: a classifier has no layers for objects.
    """
    layers: dict[str, Any] = deepcopy(dict(loaded.network.yaml))
    layers.pop("yaml_file", None)  # a path
    if loaded.task == task:
        return layers
    if loaded.task == "classify" or head_name(layers) == "RTDETRDecoder":
        return None
    if task == "classify":
        return {**layers, "head": [[-1, 1, "Classify", ["nc"]]]}
    name, arguments = HEADS[task]
    if layers.get("end2end"):
        name = HEADS_26.get(task, name)
    sources, repeats = layers["head"][-1][:2]
    return {**layers, "head": [*layers["head"][:-1], [sources, repeats, name, arguments]]}


def _published_name(task: str, settings: DetectionSettings) -> str:
    known = tag_options.PRETRAINED.fullmatch(settings.model)
    return f"{known[1] if known else SMALLEST}{FILE_SUFFIXES[task]}.yaml"


def _published_layers(name: str) -> dict[str, Any]:
    """Return the description that is part of Ultralytics' package."""
    from ultralytics.nn.tasks import yaml_model_load

    layers: dict[str, Any] = yaml_model_load(name)
    layers.pop("yaml_file", None)
    return layers
