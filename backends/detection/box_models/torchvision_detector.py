"""Detectors of torchvision: `config.json` with the builder's name, and weights in safetensors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backends._inference.device import batch_images, choose_torch_device, require_torch_engine
from backends._transformers.hub import describe_folder
from backends.detection.model.detections import FoundObjects
from backends.detection.model.kinds import CONFIG_FILE, read_config
from shared.backend.extras import require
from shared.errors import ModelError, truncate
from shared.media.image import Image
from shared.settings import Settings

WEIGHTS_FILE = "model.safetensors"


@dataclass(frozen=True)
class TorchvisionDetector:
    """The network, which prepares images and merges boxes by itself, and its classes by number."""

    network: Any
    class_names: tuple[str, ...]
    device: str

    @classmethod
    def load(cls, folder: Path, settings: Settings) -> "TorchvisionDetector":
        """Build it by its name, and load its weights.

        Raises:
            ModelError: a file or key is missing or wrong, or ENGINE cannot run it.
        """
        require_torch_engine(folder.name, settings)
        config = read_config(folder)
        classes = _read_classes(config, folder)
        network = _build(config, len(classes), folder)
        _load_weights(network, folder)
        device = choose_torch_device(settings)
        return cls(network.eval().requires_grad_(False).to(device), classes, device)

    @property
    def engine(self) -> str:
        """What it runs on."""
        return f"PyTorch on {self.device}"

    @property
    def batch_size(self) -> int:
        """Images that share a run."""
        return batch_images(self.device)

    def find(self, images: Sequence[Image], min_score: float) -> list[FoundObjects]:
        """Return the objects on images, those over the network's own least score."""
        import torch

        inputs = [
            torch.from_numpy(np.ascontiguousarray(image.pixels.transpose(2, 0, 1)))
            .to(self.device)
            .float()
            / 255
            for image in images
        ]
        with torch.inference_mode():
            found = self.network(inputs)
        keys = "boxes", "scores", "labels"
        return [FoundObjects(*(one[key].cpu().numpy() for key in keys)) for one in found]


def _read_classes(config: Mapping[str, Any], folder: Path) -> tuple[str, ...]:
    names = config.get("classes")
    if not isinstance(names, list) or not names or not all(isinstance(one, str) for one in names):
        raise ModelError(
            f'{folder.name}: {CONFIG_FILE} should list the classes by their numbers, as "classes":'
            ' ["__background__", "cat", …]'
        )
    return tuple(names)


def _build(config: Mapping[str, Any], class_count: int, folder: Path) -> Any:
    """Build the network with weights of no meaning: none are downloaded."""
    from torchvision import models

    name, known = config["torchvision"], models.list_models(module=models.detection)
    if name not in known:
        raise ModelError(
            f'{folder.name}: "{name}" is no detector of torchvision; it has {", ".join(known)}'
        )
    options = config.get("options", {})
    if not isinstance(options, dict):
        raise ModelError(f'{folder.name}: "options" of {CONFIG_FILE} should be an object')
    try:
        return models.get_model(
            name, weights=None, weights_backbone=None, num_classes=class_count, **options
        )
    except (TypeError, ValueError) as error:
        raise ModelError(
            f'{folder.name}: {name} takes no such "options": {truncate(str(error), 200)}'
        ) from None


def _load_weights(network: Any, folder: Path) -> None:
    safetensors: Any = require("safetensors.torch", "detection")
    if not (folder / WEIGHTS_FILE).is_file():
        raise ModelError(
            f"{folder.name} lacks {WEIGHTS_FILE}; it has {describe_folder(folder)}."
            " safetensors.torch.save_file(model.state_dict(), …) writes it"
        )
    try:
        network.load_state_dict(safetensors.load_file(folder / WEIGHTS_FILE))
    except Exception as error:  # safetensors and PyTorch raise several kinds
        reason = " ".join(str(error).split())
        raise ModelError(
            f"{WEIGHTS_FILE} of {folder.name} are no weights of what {CONFIG_FILE} names:"
            f" {truncate(reason, 300)}"
        ) from None
