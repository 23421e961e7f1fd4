"""Grounding DINO on OpenVINO: converted once, and used if it finds what PyTorch finds."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cachetools import LRUCache
from numpy.typing import NDArray

from backends._inference.network_part import (
    OpenVinoPart,
    part_folder,
    runs_converted,
    try_conversion,
)
from backends._inference.openvino import (
    InferRequestPool,
    import_openvino,
    openvino_core,
    save_network,
)
from backends._inference.parity import load_verified
from backends._inference.short_process import call_in_process
from backends._inference.torch_conversion import trace_to_openvino
from backends.detection.model import parity
from backends.detection.model.transformers_model import LoadedModel, load_model
from backends.detection.open_vocabulary.families import TEXT_FILES
from backends.detection.open_vocabulary.grounding_network import GroundingBackbone, GroundingMixer
from backends.detection.open_vocabulary.grounding_outputs import (
    Outputs,
    Runner,
    describe_deviation,
)
from backends.detection.open_vocabulary.grounding_tables import GroundingTables, sizes_of
from backends.detection.open_vocabulary.grounding_torch import TorchRunner
from shared.media.image import Image
from shared.settings import Settings

BACKBONE_FILE, MIXER_FILE = "backbone.xml", "mixer.xml"
# Photographs on which a conversion is compared.
COMPARED_IMAGES = 2
# Sizes of inputs for which the mixer is compiled at a time; each takes half a gigabyte.
KEPT_COMPILED = 2
# Networks of more numbers are converted in a process of their own: a Grounding DINO of 170 million
# takes 5 GB for that, which this one would keep.
MAX_NUMBERS_HERE = 20_000_000
# Patches of the picture with which a backbone is traced: in every stage of a Swin transformer there
# is something to be padded, so that no padding is left out of the trace.
TRACED_PATCHES = (33, 41)

Arrays = list[NDArray[Any]]


class OpenVinoMixer:
    """The mixer, compiled for each number of pixels that feature maps have together.

    OpenVINO sums the pixels of deformable attention only where it knows how many there are.
    Pictures of one shape have one number, lying or standing.
    """

    def __init__(self, folder: Path) -> None:
        self._model = openvino_core().read_model(folder / MIXER_FILE)
        self._compiled: LRUCache[int, InferRequestPool] = LRUCache(KEPT_COMPILED)
        self._lock = threading.Lock()

    def run(self, inputs: Arrays) -> Arrays:
        """Return logits and boxes for the inputs of `GroundingMixer`."""
        with self._compile_for(inputs[0].shape[1]).infer(inputs) as outputs:
            return [np.array(output) for output in outputs]

    def _compile_for(self, pixels: int) -> InferRequestPool:
        with self._lock:
            found = self._compiled.get(pixels)
            if found is None:
                found = self._compiled[pixels] = self._compile(pixels)
            return found

    def _compile(self, pixels: int) -> InferRequestPool:
        model = self._model.clone()  # which shares the weights
        image, positions, places, proposals = model.inputs[:4]
        channels = image.get_partial_shape()[2]
        model.reshape(
            {
                image: [1, pixels, channels],
                positions: [1, pixels, channels],
                places: [pixels, 2],
                proposals: [pixels, 5],
            }
        )
        hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        return InferRequestPool(openvino_core().compile_model(model, "CPU", hints))


class OpenVinoRunner:
    """Backbone and mixer. The text encoder stays in PyTorch: it reads each text once."""

    def __init__(self, folder: Path, loaded: LoadedModel, tables: GroundingTables) -> None:
        self._loaded, self._tables = loaded, tables
        self._backbone = OpenVinoPart(folder, BACKBONE_FILE)
        self._mixer = OpenVinoMixer(folder)
        self.name = self._backbone.name

    def run(self, images: Sequence[Image], texts: Sequence[tuple[int, ...]]) -> list[Outputs]:
        """Return the outputs for each text, of images of one size."""
        pixels = self._loaded.prepare_images(images)["pixel_values"].cpu().numpy()
        by_image = [self._run(one[None], texts) for one in pixels]
        return [
            Outputs(*(np.stack(arrays) for arrays in zip(*of_text, strict=True)))
            for of_text in zip(*by_image, strict=True)
        ]

    def _run(self, pixels: NDArray[Any], texts: Sequence[tuple[int, ...]]) -> list[Arrays]:
        maps = self._backbone.run([_pad(pixels, self._tables.patch)])
        tables = self._tables.of_image(sizes_of(maps))
        image = np.concatenate([one.reshape(*one.shape[:2], -1) for one in maps], axis=2)
        seen = [np.ascontiguousarray(image.transpose(0, 2, 1)), *tables]
        found = []
        for text in texts:
            logits, boxes = self._mixer.run([*seen, *self._tables.of_text(text)])
            found.append([torch.from_numpy(logits).sigmoid().numpy(), boxes])
        return found


def _pad(pixels: NDArray[Any], patch: int) -> NDArray[Any]:
    """Fill the last patches of images with zeros, as the backbone itself does in PyTorch."""
    missing = [(0, -length % patch) for length in pixels.shape[2:]]
    return np.pad(pixels, [(0, 0), (0, 0), *missing])


@dataclass(frozen=True)
class Conversion:
    """The conversion of a network into a folder of the cache, compared on some text."""

    loaded: LoadedModel
    tables: GroundingTables
    folder: Path
    text: tuple[int, ...]

    def load(self) -> OpenVinoRunner:
        """Return the converted network; ModelError if it finds something else."""
        return load_verified(self.folder, self._convert, self._load, self._describe_deviation)

    def make_elsewhere(self) -> None:
        """Convert and compare it in a process of its own; ModelError as from `load`."""
        network = self.loaded.network
        arguments = {
            "model": str(Path(network.name_or_path).resolve()),
            "class_name": type(network).__name__,
            "folder": str(self.folder.resolve()),
            "text": self.text,
        }
        call_in_process(f"{__name__}:convert_network", arguments, beside_torch=True)

    def _load(self, folder: Path) -> OpenVinoRunner:
        return OpenVinoRunner(folder, self.loaded._replace(network=None), self.tables)

    def _convert(self, folder: Path) -> None:
        network, patch = self.loaded.network, self.tables.patch
        pixels = torch.randn(1, 3, *(patch * count for count in TRACED_PATCHES))
        _convert(GroundingBackbone(network), (pixels,), folder / BACKBONE_FILE, {0: (2, 3)})
        inputs = self._example_inputs(network.config)
        free = {0: (1,), 1: (1,), 2: (0,), 3: (0,), 5: (1,), 6: (1,), 7: (2, 3)}
        _convert(GroundingMixer(network), inputs, folder / MIXER_FILE, free)

    def _example_inputs(self, config: Any) -> tuple[torch.Tensor, ...]:
        side = int(config.num_queries**0.5) + 2  # so many pixels as queries at least
        halves = [(side >> level) or 1 for level in range(config.num_feature_levels)]
        tables = self.tables.of_image(tuple((half, half) for half in halves))
        image = torch.randn(1, tables[0].shape[1], config.d_model)
        arrays = [*tables, *self.tables.of_text(self.text)]
        return image, *map(torch.from_numpy, arrays)

    def _describe_deviation(self, runner: OpenVinoRunner) -> str:
        reference = TorchRunner(self.loaded)
        for image in parity.comparison_images()[:COMPARED_IMAGES]:
            [found], [expected] = (one.run([image], [self.text]) for one in (runner, reference))
            if deviation := describe_deviation(found, expected, image.size):
                return deviation
        return ""


def _convert(
    network: Any, inputs: tuple[torch.Tensor, ...], path: Path, free: dict[int, tuple[int, ...]]
) -> None:
    """Convert a network; `free` are by the number of an input its dimensions of any length."""
    package = import_openvino()
    shapes = [
        [-1 if axis in free.get(number, ()) else length for axis, length in enumerate(one.shape)]
        for number, one in enumerate(inputs)
    ]
    described = [(shape, package.Type.f32) for shape in shapes]
    model = trace_to_openvino(network.eval(), inputs, described)
    save_network(model, path)


def convert_network(model: str, class_name: str, folder: str, text: Sequence[int]) -> None:
    """Convert the network of a folder into one of the cache, and compare it."""
    loaded = load_model(Path(model), class_name, "cpu", TEXT_FILES)
    Conversion(loaded, GroundingTables(loaded.network), Path(folder), tuple(text)).load()


def load_runner(loaded: LoadedModel, key: str, text: tuple[int, ...], settings: Settings) -> Runner:
    """Load a network on the engine that ENGINE names: by default OpenVINO on a CPU.

    `key` names it in the cache, and is different for other weights; a conversion is compared on
    `text`. ModelError if ENGINE names an engine that cannot run it.
    """
    if not runs_converted(settings):
        return TorchRunner(loaded)
    named = f"{key}-{version('transformers')}"
    folder = part_folder(named, settings.cache_dir)

    def convert() -> OpenVinoRunner:
        conversion = Conversion(loaded, GroundingTables(loaded.network), folder, text)
        if not folder.is_dir() and loaded.network.num_parameters() > MAX_NUMBERS_HERE:
            conversion.make_elsewhere()
        return conversion.load()

    converted, reason = try_conversion(named, convert, settings)
    if converted is not None:
        return converted
    runner = TorchRunner(loaded)
    runner.name += f": {reason}"
    return runner
