"""What OWL makes of an image before it knows what is looked for: in PyTorch, or in OpenVINO."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray

from backends._inference.network_part import Part, PartSource, load_part
from backends.detection.model import parity
from backends.detection.model.transformers_model import LoadedModel
from shared.settings import Settings

# Photographs on which a conversion is compared.
COMPARED_IMAGES = 2


class Patches(NamedTuple):
    """The patches of images: `embeddings` (images, patches, dimensions) of length 1.

    The likeness of one with a query, plus `shifts` and times `scales` (images, patches, 1), is
    its logit. `boxes` (images, patches, 4) are centres and sizes as fractions of the input.
    """

    embeddings: torch.Tensor
    shifts: torch.Tensor
    scales: torch.Tensor
    boxes: torch.Tensor


class PatchNetwork(torch.nn.Module):
    """The part of a network of transformers that knows no query."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Do what `class_predictor` and `box_predictor` do with an image alone."""
        maps = self.network.image_embedder(pixel_values=pixels)[0]
        features, head = maps.flatten(1, 2), self.network.class_head
        found = head.dense0(features)
        embeddings = found / (torch.linalg.norm(found, dim=-1, keepdim=True) + 1e-6)
        shifts, scales = head.logit_shift(features), head.elu(head.logit_scale(features)) + 1
        return embeddings, shifts, scales, self.network.box_predictor(features, maps)


@dataclass(frozen=True)
class Trunk:
    """The part on its engine. On a CPU it gets an image at a time, see `batch_images`."""

    part: Part

    def look(self, pixels: torch.Tensor) -> Patches:
        """Return the patches of images as the image processor gives them, on the CPU."""
        return Patches(*map(torch.from_numpy, self.part.run([pixels.cpu().numpy()])))


def load_trunk(loaded: LoadedModel, key: str, settings: Settings) -> Trunk:
    """Load the trunk on the engine that ENGINE names: by default OpenVINO on a CPU.

    `key` names it in the cache, and is different for other weights. ModelError if ENGINE names an
    engine that cannot run it.
    """

    def examples() -> Sequence[Sequence[NDArray[Any]]]:
        images = parity.comparison_images()[:COMPARED_IMAGES]
        prepared = (loaded.prepare_images([image])["pixel_values"] for image in images)
        return [[pixels.cpu().numpy()] for pixels in prepared]

    named = f"{key}-{version('transformers')}"
    source = PartSource(named, lambda: PatchNetwork(loaded.network), examples)
    return Trunk(load_part(source, settings))
