"""Detectors of transformers with fixed classes: RT-DETR, D-FINE, DETR, YOLOS and others."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from backends._inference.device import batch_images, choose_torch_device, require_torch_engine
from backends.detection.model.detections import FoundObjects
from backends.detection.model.kinds import WORD_MODEL_CLASSES, read_config
from backends.detection.model.transformers_model import LoadedModel, load_model
from shared.errors import ModelError
from shared.media.image import Image
from shared.settings import Settings

AUTO_CLASS = "AutoModelForObjectDetection"


@dataclass(frozen=True)
class TransformersDetector:
    """The network with its image processor, which also reads its outputs."""

    loaded: LoadedModel
    class_names: tuple[str, ...]

    @classmethod
    def load(cls, folder: Path, settings: Settings) -> "TransformersDetector":
        """Load it from its folder; code in it is not run.

        Raises:
            ModelError: it is no detector, a file is missing, or ENGINE cannot run it.
        """
        require_torch_engine(folder.name, settings)
        _check_type(folder)
        loaded = load_model(folder, AUTO_CLASS, choose_torch_device(settings))
        if not hasattr(loaded.image_processor, "post_process_object_detection"):
            processor = type(loaded.image_processor).__name__
            raise ModelError(
                f"{folder.name} names the image processor {processor}, which reads no boxes; a"
                " detector's has post_process_object_detection"
            )
        return cls(loaded, _class_names(loaded.network.config.id2label))

    @property
    def engine(self) -> str:
        """What it runs on."""
        return f"PyTorch on {self.loaded.device}"

    @property
    def batch_size(self) -> int:
        """Images that share a run."""
        return batch_images(self.loaded.device)

    def find(self, images: Sequence[Image], min_score: float) -> list[FoundObjects]:
        """Return the objects on images of one size."""
        outputs = self._run(self.loaded.prepare_images(images))
        found = self.loaded.image_processor.post_process_object_detection(
            outputs,
            threshold=min_score,
            target_sizes=[(image.size.height, image.size.width) for image in images],
        )
        return [_to_objects(one) for one in found]

    def _run(self, inputs: Any) -> Any:
        import torch

        with torch.inference_mode():
            outputs = self.loaded.network(**inputs)
        return SimpleNamespace(
            logits=outputs.logits.float().cpu(), pred_boxes=outputs.pred_boxes.float().cpu()
        )


def _to_objects(found: Any) -> FoundObjects:
    boxes, scores, classes = (found[key].numpy() for key in ("boxes", "scores", "labels"))
    return FoundObjects(boxes.astype(np.float32), scores, classes)


def _class_names(names: dict[int, str]) -> tuple[str, ...]:
    """Return the names by their numbers; one that is missing has its number as a name."""
    by_number = {int(number): str(name) for number, name in names.items()}
    return tuple(by_number.get(n, str(n)) for n in range(max(by_number, default=-1) + 1))


def _check_type(folder: Path) -> None:
    from transformers.models.auto import modeling_auto

    found = read_config(folder).get("model_type", "")
    names = modeling_auto.MODEL_FOR_OBJECT_DETECTION_MAPPING_NAMES
    if found not in names:
        raise ModelError(
            f'{folder.name} is a model of the type "{found}", which finds no boxes; supported:'
            f" detectors ({', '.join(sorted(names))}), and models that find what words name"
            f" ({', '.join(WORD_MODEL_CLASSES)})"
        )
