"""What OWL makes of an image before it knows what is looked for: in PyTorch, or in OpenVINO."""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch

from backends._inference.openvino import InferRequestPool, import_openvino, openvino_core
from backends._inference.parity import load_verified
from backends.detection.model import parity
from backends.detection.model.transformers_model import LoadedModel
from shared.errors import ModelError
from shared.settings import Settings

logger = logging.getLogger(__name__)

# Increase it when the conversion changes: networks converted before are then converted again.
CONVERSION_VERSION = 1
OPENVINO_FILE = "model.xml"
# Photographs on which a conversion is compared, and how far 99.9 % of its outputs may lie from
# PyTorch's, as a fraction of their spread.
COMPARED_IMAGES = 2
MAX_DEVIATION = 0.01


class Patches(NamedTuple):
    """The patches of images: `embeddings` (images, patches, dimensions) of length 1.

    The likeness of one with a query, plus `shifts` and times `scales` (images, patches, 1), is
    its logit. `boxes` (images, patches, 4) are centres and sizes as fractions of the input.
    """

    embeddings: torch.Tensor
    shifts: torch.Tensor
    scales: torch.Tensor
    boxes: torch.Tensor


class Trunk(Protocol):
    """Looks at images. `name` says on what it runs, and why on nothing faster."""

    name: str

    def look(self, pixels: torch.Tensor) -> Patches:
        """Return the patches of images as the image processor gives them."""


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


class TorchTrunk:
    """PyTorch: the reference."""

    def __init__(self, network: Any, device: str, reason: str = "") -> None:
        self._network = PatchNetwork(network)
        self.name = f"PyTorch on {device}" + (f": {reason}" if reason else "")

    def look(self, pixels: torch.Tensor) -> Patches:
        """Return the patches of images as the image processor gives them."""
        with torch.inference_mode():
            return Patches(*(found.float() for found in self._network(pixels)))


class OpenVinoTrunk:
    """OpenVINO on a CPU, in single precision, an image at a time."""

    name = "OpenVINO in f32"

    def __init__(self, folder: Path) -> None:
        hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        core = openvino_core()
        compiled = core.compile_model(core.read_model(folder / OPENVINO_FILE), "CPU", hints)
        self._requests = InferRequestPool(compiled)

    def look(self, pixels: torch.Tensor) -> Patches:
        """Return the patches of images as the image processor gives them."""
        found: list[list[Any]] = []
        for image in pixels.split(1):
            with self._requests.infer([np.ascontiguousarray(image.numpy())]) as outputs:
                found.append([torch.from_numpy(np.array(output)) for output in outputs])
        return Patches(*(torch.cat(parts) for parts in zip(*found, strict=True)))


@dataclass(frozen=True)
class ConvertedTrunk:
    """The conversion of a network, which is used if it gives what PyTorch gives."""

    loaded: LoadedModel
    folder: Path

    def load(self) -> OpenVinoTrunk:
        """Return the converted trunk; ModelError if it differs too far from PyTorch's."""
        return load_verified(self.folder, self._convert, OpenVinoTrunk, self._describe_deviation)

    def _examples(self) -> Sequence[torch.Tensor]:
        images = parity.comparison_images()[:COMPARED_IMAGES]
        return [self.loaded.prepare_images([image])["pixel_values"] for image in images]

    def _convert(self, folder: Path) -> None:
        package, example = import_openvino(), self._examples()[0]
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the tracer's, about the library's code
            model = package.convert_model(
                PatchNetwork(self.loaded.network).eval(),
                example_input=example,
                input=[package.PartialShape(list(example.shape))],
            )
        package.save_model(model, folder / OPENVINO_FILE, compress_to_fp16=False)

    def _describe_deviation(self, trunk: OpenVinoTrunk) -> str:
        reference = TorchTrunk(self.loaded.network, "cpu")
        worst = 0.0
        for pixels in self._examples():
            pairs = zip(trunk.look(pixels), reference.look(pixels), strict=True)
            for one, other in pairs:
                spread = float(other.std()) or 1.0
                away = np.quantile((one - other).abs().numpy(), 0.999)
                worst = max(worst, float(away) / spread)
        if worst <= MAX_DEVIATION:
            return ""
        return f"1 in 1000 of its outputs differ from PyTorch's by {worst:.2g} of their spread"


def load_trunk(loaded: LoadedModel, key: str, settings: Settings) -> Trunk:
    """Load the trunk on the engine that ENGINE names: by default OpenVINO on a CPU.

    `key` names it in the cache, and is different for other weights. ModelError if ENGINE names an
    engine that cannot run it.
    """
    if settings.engine == "torch" or loaded.device != "cpu":
        return TorchTrunk(loaded.network, loaded.device)
    try:
        packages = "-".join(version(name) for name in ("openvino", "torch", "transformers"))
        folder = settings.cache_dir / "openvino" / f"{key}-{packages}-{CONVERSION_VERSION}"
        return ConvertedTrunk(loaded, folder).load()
    except Exception as error:  # a converter raises many kinds
        reason = str(error) if isinstance(error, ModelError) else type(error).__name__
        if settings.engine == "openvino":
            logger.error("OpenVINO cannot run %s", key, exc_info=error)
            raise ModelError(
                f"ENGINE=openvino cannot run {key}: {reason}; ENGINE=torch runs it"
            ) from None
        logger.warning(
            "%s runs on PyTorch: %s; ENGINE=openvino logs the full reason, ENGINE=torch skips the"
            " conversion",
            key,
            reason,
        )
        return TorchTrunk(loaded.network, loaded.device, reason)
