"""SAM, MobileSAM and SAM 2 as Ultralytics publishes them: a file of weights without code."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from backends._inference.network_part import PartSource
from backends.segment.models.frames import GreyPaddedFrame, Normalization
from backends.segment.models.sam_examples import (
    decoder_examples,
    encoder_examples,
    feature_examples,
    projection_examples,
)
from backends.segment.models.sam_model import SamSource
from shared.errors import ModelError

SIDE = 1024
# Builders in ultralytics.models.sam.build, by the channels of the encoder, and in SAM 2 also by
# its number of blocks.
SAM_BUILDERS = {768: "build_sam_vit_b", 1024: "build_sam_vit_l", 1280: "build_sam_vit_h"}
SAM2_BUILDERS = {
    (96, 12): "build_sam2_t",
    (96, 16): "build_sam2_s",
    (112, 24): "build_sam2_b",
    (144, 48): "build_sam2_l",
}
_SAM_EMBEDDING = "image_encoder.pos_embed"
_SAM2_EMBEDDING = "image_encoder.trunk.patch_embed.proj.weight"
_MOBILE_EMBEDDING = "image_encoder.patch_embed.seq.0.c.weight"
# What SAM 2 has for videos alone.
_OF_VIDEOS = ("memory_", "maskmem_", "no_mem_pos", "no_obj", "obj_ptr", "mask_downsample")

State = Mapping[str, Any]


def read_weights(path: Path) -> State | None:
    """Return the tensors of a file; None if it holds more than tensors, such as a whole model."""
    import torch

    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError:
        return None
    except (OSError, RuntimeError, EOFError) as error:
        raise ModelError(f"{path.name} cannot be read as weights: {error}") from error
    inner = found.get("model", found) if isinstance(found, Mapping) else None
    if not isinstance(inner, Mapping):
        raise ModelError(f"{path.name} holds no named weights")
    return inner


def describe_weights(state: State, name: str, key: str) -> SamSource:
    """Return how a SAM is loaded from tensors; ModelError if they are of another network."""
    builder = builder_of(state, name)
    is_sam2 = builder in SAM2_BUILDERS.values()
    return describe_network(lambda: _build_network(builder, state, name), SIDE, is_sam2, key)


def describe_network(read: Callable[[], Any], side: int, is_sam2: bool, key: str) -> SamSource:
    """Return how a network of Ultralytics is loaded: `read` builds it, if it is needed."""
    network = cache(read)

    def build_encoder() -> Any:
        from backends.segment.models.mask_decoder import TokenEncoder
        from backends.segment.models.sam_networks import UltralyticsEncoder

        return TokenEncoder(UltralyticsEncoder(network()))

    def build_projection() -> Any:
        from backends.segment.models.sam_networks import ultralytics_projection

        return ultralytics_projection(network())

    def build_decoder(multimask: bool) -> Any:
        from backends.segment.models.sam_networks import ultralytics_decoder

        return ultralytics_decoder(network(), side, multimask)

    frame = GreyPaddedFrame(side, Normalization())
    features = feature_examples(frame, build_encoder)
    examples = decoder_examples(frame, features, build_projection, side // 4)
    return SamSource(
        frame,
        PartSource(f"{key}-token-encoder", build_encoder, encoder_examples(frame)),
        PartSource(f"{key}-projection", build_projection, projection_examples(features)),
        (
            PartSource(f"{key}-mask", lambda: build_decoder(False), examples),
            PartSource(f"{key}-masks-of-click", lambda: build_decoder(True), examples),
        ),
        mask_side=side // 4,
        pads_boxes=is_sam2,
    )


def builder_of(state: State, name: str) -> str:
    """Return the function that builds the network of these weights, by their shapes."""
    if _MOBILE_EMBEDDING in state:
        return "build_mobile_sam"
    if _SAM_EMBEDDING in state:
        found = SAM_BUILDERS.get(int(state[_SAM_EMBEDDING].shape[-1]))
    elif _SAM2_EMBEDDING in state:
        blocks = {key.split(".")[3] for key in state if key.startswith("image_encoder.trunk.bl")}
        found = SAM2_BUILDERS.get((int(state[_SAM2_EMBEDDING].shape[0]), len(blocks)))
    else:
        found = None
    if found is None:
        known = ", ".join(sorted(state)[:3])
        raise ModelError(
            f"{name} holds weights of no SAM, MobileSAM or SAM 2 (it begins with {known}): SAM 3"
            " and SAM-HQ are loaded from a folder of transformers, FastSAM from its own file"
        )
    return found


def _build_network(builder: str, state: State, name: str) -> Any:
    from ultralytics.models.sam import build

    network = getattr(build, builder)()
    try:
        missing = network.load_state_dict(dict(state), strict=False).missing_keys
    except RuntimeError as error:
        raise ModelError(f"{name} does not fit its network: {error}") from error
    lacking = [key for key in missing if not key.startswith(_OF_VIDEOS)]
    if lacking:
        raise ModelError(f"{name} lacks {len(lacking)} weights, such as {lacking[0]}")
    return network.float().eval()
