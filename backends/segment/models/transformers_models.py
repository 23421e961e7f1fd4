"""SAM, SAM-HQ, SAM 2 and SAM 3 as transformers has them: from a folder of safetensors."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from backends._inference.network_part import PartSource
from backends.segment.models.frames import Frame, Normalization, PaddedFrame, StretchedFrame
from backends.segment.models.sam_examples import (
    decoder_examples,
    encoder_examples,
    feature_examples,
    projection_examples,
)
from backends.segment.models.sam_model import SamSource
from shared.errors import ModelError

# Model types of `config.json`, and the class that reads the part for images.
MODEL_CLASSES = {
    "sam": "SamModel",
    "sam_hq": "SamHQModel",
    "sam2": "Sam2Model",
    "sam2_video": "Sam2Model",
    "sam3_tracker": "Sam3TrackerModel",
    "sam3_tracker_video": "Sam3TrackerModel",
    "sam3_video": "Sam3TrackerModel",
}
# Those whose image is padded to a square, not stretched.
PADDED_TYPES = ("sam", "sam_hq")
# SAM 3 is trained on colours from -1 to 1, the others on ImageNet's mean and deviation.
_HALF = (127.5, 127.5, 127.5)


def read_model_type(folder: Path, name: str) -> str:
    """Return the model type of a folder; ModelError if it is none that takes prompts."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        found = str(config["model_type"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{name} has no config.json with a model_type ({type(error).__name__}): it is not a"
            " model of transformers"
        ) from None
    if found not in MODEL_CLASSES:
        raise ModelError(
            f"{name} is a model of type {found}, which takes no clicks or boxes; supported:"
            f" {', '.join(MODEL_CLASSES)}"
        )
    return found


def describe_folder(folder: Path, name: str, key: str) -> SamSource:
    """Return how the model of a folder is loaded; `key` names its conversions."""
    import transformers

    model_type = read_model_type(folder, name)
    config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False)
    return describe_network(config, lambda: _read_network(folder, model_type, name), key)


def describe_network(config: Any, read: Callable[[], Any], key: str) -> SamSource:
    """Return how a network of transformers is loaded: `read` reads it, if it is needed."""
    network = cache(read)

    def build_encoder() -> Any:
        from backends.segment.models.mask_decoder import TokenEncoder
        from backends.segment.models.sam_networks import TransformersEncoder

        encoder = TransformersEncoder(network())
        return TokenEncoder(encoder) if has_tokens else encoder

    def build_projection() -> Any:
        from backends.segment.models.sam_networks import transformers_projection

        return transformers_projection(network())

    def build_decoder(multimask: bool) -> Any:
        from backends.segment.models.sam_networks import transformers_decoder

        return transformers_decoder(network(), frame.side, multimask)

    prompts = _prompt_config(config)
    side, patch = _length(prompts.image_size), _length(prompts.patch_size)
    is_padded = config.model_type in PADDED_TYPES
    frame = frame_of_config(config)
    has_tokens = config.model_type != "sam_hq"
    features = feature_examples(frame, build_encoder)
    examples = decoder_examples(
        frame, features, build_projection if has_tokens else None, mask_side=4 * side // patch
    )
    projection = PartSource(f"{key}-projection", build_projection, projection_examples(features))
    encoder_key = f"{key}-token-encoder" if has_tokens else f"{key}-encoder"
    return SamSource(
        frame,
        PartSource(encoder_key, build_encoder, encoder_examples(frame)),
        projection if has_tokens else None,
        (
            PartSource(f"{key}-mask", lambda: build_decoder(False), examples),
            PartSource(f"{key}-masks-of-click", lambda: build_decoder(True), examples),
        ),
        mask_side=4 * side // patch,
        pads_boxes=not is_padded,
    )


def frame_of_config(config: Any) -> Frame:
    """Return how images are fitted into the input of a network."""
    model_type, side = config.model_type, _length(_prompt_config(config).image_size)
    if model_type in PADDED_TYPES:
        return PaddedFrame(side, Normalization())
    is_sam3 = model_type.startswith("sam3")
    return StretchedFrame(side, Normalization(_HALF, _HALF) if is_sam3 else Normalization())


def _prompt_config(config: Any) -> Any:
    return getattr(config, "tracker_config", config).prompt_encoder_config


def _length(size: Any) -> int:
    return int(size if isinstance(size, int) else size[0])


def _read_network(folder: Path, model_type: str, name: str) -> Any:
    import transformers

    reader = getattr(transformers, MODEL_CLASSES[model_type])
    try:
        # Other weights are pickles, which can contain code.
        return reader.from_pretrained(
            folder, dtype="float32", trust_remote_code=False, use_safetensors=True
        ).eval()
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(f"{name} cannot be read as {reader.__name__}: {error}") from error
