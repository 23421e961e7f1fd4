"""A network of transformers for images, with what prepares texts and images for it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from backends._transformers.hub import describe_folder
from shared.backend.extras import require
from shared.backend.installation import extra_command
from shared.errors import ModelError
from shared.media.image import Image

EXTRA = "detr"
WEIGHTS_FILES = "*.safetensors"
# Either says how images are prepared: the second is that of a model for images and texts.
PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")


class LoadedModel(NamedTuple):
    """A network of transformers, its image processor, and its tokenizer if it reads texts."""

    network: Any
    image_processor: Any
    device: str
    tokenizer: Any = None

    def prepare_images(self, images: Sequence[Image]) -> Mapping[str, Any]:
        """Return images of one size as the network takes them."""
        inputs = self.image_processor(
            [np.require(image.pixels, requirements="W") for image in images],  # torch warns else
            return_tensors="pt",
            input_data_format="channels_last",
        )
        return {name: value.to(self.device) for name, value in inputs.items()}


def load_model(
    folder: Path, class_name: str, device: str, text_files: Sequence[str] = ()
) -> LoadedModel:
    """Load a model by a class of transformers; code in its folder is not run.

    `text_files` are what its folder has to have for texts. ModelError names what is missing, and
    SettingError an extra that is not installed.
    """
    transformers: Any = require("transformers", EXTRA)
    _check_files(folder, class_name, text_files)
    try:
        network = getattr(transformers, class_name).from_pretrained(
            folder, dtype="float32", trust_remote_code=False, use_safetensors=True
        )
    except ImportError as error:  # such as of timm, which some backbones need
        command = extra_command(EXTRA)
        reason = next((line for line in str(error).splitlines() if line.strip()), "")
        raise ModelError(
            f"{folder.name} cannot be loaded: {reason.strip()} The extra has timm: {command}"
        ) from None
    network.eval().requires_grad_(False)
    read = {"trust_remote_code": False}
    return LoadedModel(
        network.to(device),
        transformers.AutoImageProcessor.from_pretrained(folder, **read),
        device,
        transformers.AutoTokenizer.from_pretrained(folder, **read) if text_files else None,
    )


def _check_files(folder: Path, class_name: str, text_files: Sequence[str]) -> None:
    missing = [] if any(folder.glob(WEIGHTS_FILES)) else ["model.safetensors"]
    if not any((folder / name).is_file() for name in PROCESSOR_FILES):
        missing.append(PROCESSOR_FILES[0])
    missing += [name for name in text_files if not (folder / name).is_file()]
    if missing:
        raise ModelError(
            f"{folder.name} lacks {missing[0]}, which belongs to {class_name}; it has"
            f" {describe_folder(folder)}"
        )
