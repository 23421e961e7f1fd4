"""Converts a network, and keeps whether it detects what PyTorch does.

It needs PyTorch and Ultralytics: a server calls `convert_network` in a process of its own.
"""

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from backends._inference.checksums import write_checksums
from backends.detection.model import architecture, conversion, parity
from backends.detection.model.architecture import NetworkSpec
from backends.detection.model.converted_network import (
    ConversionCache,
    ConvertedNetwork,
    write_description,
    write_rejection,
)
from backends.detection.model.detections import Detections
from backends.detection.model.detector import Detector
from backends.detection.model.engines import Engine, OnnxEngine, OpenVinoEngine, TorchEngine
from backends.detection.model.letterbox import Floats, frame_for
from backends.detection.model.postprocess import OutputDecoder
from shared.backend.converted_model_cache import fresh_folder
from shared.errors import ModelError


def convert_network(
    weights: str, image_size: int, engine: str, cache_dir: str, with_bf16: bool
) -> None:
    """Convert a network and compare it with PyTorch, as far as that was not done before.

    `with_bf16` compares it in that precision, too. The verdicts are in the conversion's folder:
    `ConversionCache` finds it.
    """
    cache = ConversionCache(Path(weights), engine, Path(cache_dir))
    trial = ConversionTrial(cache, image_size)
    with suppress(ModelError):  # which is kept
        found = cache.find(image_size)
        if found is None:
            trial.convert()
            found = cache.find(image_size)
        if found is not None and with_bf16 and found.read_bf16_obstacle() is None:
            found.write_bf16_obstacle(trial.find_bf16_obstacle(found))


@dataclass
class ConversionTrial:
    """One network on PyTorch, and on the engine that it is converted for."""

    cache: ConversionCache
    image_size: int

    @cached_property
    def loaded(self) -> tuple[Any, NetworkSpec]:
        """The network as a torch module, and what it is at the image size it was trained at."""
        return architecture.load_network(self.cache.weights, 0)

    @property
    def spec(self) -> NetworkSpec:
        """What the network is at the image size that it is compared at.

        One that takes any is compared at the size that it was trained at.
        """
        trained = self.loaded[1]
        takes_any = conversion.takes_any_size(trained)
        return architecture.with_image_size(trained, 0 if takes_any else self.image_size)

    @cached_property
    def inputs(self) -> tuple[Floats, ...]:
        """What the network gets besides images: words that fit them."""
        spec = self.spec
        if not spec.word_dimensions:
            return ()
        from backends.detection.open_vocabulary.word_network import fitting_embeddings

        images = parity.comparison_images()
        frames = [frame_for(spec, image.size).apply(image.pixels) for image in images]
        return (fitting_embeddings(self.loaded[0], frames, spec.word_dimensions),)

    @cached_property
    def expected(self) -> list[Detections]:
        """What PyTorch detects on the images that are compared."""
        detect = detect_all_boxes(
            self.spec, TorchEngine(self.loaded[0], "cpu", half=False), self.inputs
        )
        return list(detect(parity.comparison_images()))

    def convert(self) -> None:
        """Convert the network into its folder, or write there why it cannot be used."""
        network, trained = self.loaded
        to_onnx = self.cache.engine == "onnx"
        convert = conversion.convert_to_onnx if to_onnx else conversion.convert_to_openvino
        # The folder takes its final name only with the verdict in it: another process that starts
        # meanwhile must not use a network that nobody has compared yet.
        with fresh_folder(self.cache.folder_of(trained, self.image_size)) as draft:
            made = draft / "made"
            path = convert(network, self.spec, made)
            try:
                parity.check_parity(self._detect(path), self.expected)
            except ModelError as error:
                write_rejection(draft, str(error))
            else:
                write_description(draft, trained)
                for file in made.iterdir():
                    file.rename(draft / file.name)
                write_checksums(draft)
            shutil.rmtree(made, ignore_errors=True)

    def find_bf16_obstacle(self, found: ConvertedNetwork) -> str:
        """Return why the network must not run in bf16; "" if it may."""
        try:
            detect = self._detect(found.path, "bf16")
            parity.check_parity(detect, self.expected, less_precise=True)
        except ModelError as error:
            return str(error)
        return ""

    def _detect(self, path: Path, precision: str = "f32") -> Callable[..., Any]:
        spec = self.spec
        engine: Engine
        if self.cache.engine == "onnx":
            engine = OnnxEngine(path)
        else:
            engine = OpenVinoEngine(path, conversion.common_shapes(spec), precision)
        return detect_all_boxes(spec, engine, self.inputs)


def detect_all_boxes(
    spec: NetworkSpec, engine: Engine, inputs: tuple[Floats, ...] = ()
) -> Callable[..., Any]:
    """Return a `detect` that keeps all boxes of an object, which NMS would otherwise merge."""
    if inputs:
        names = tuple(f"word {number}" for number in range(inputs[0].shape[1]))
        spec = replace(spec, class_names=names)
    return Detector(spec, engine, all_boxes_decoder(spec), inputs=inputs).detect


def all_boxes_decoder(spec: NetworkSpec) -> OutputDecoder:
    """Return what decodes outputs without merging the boxes of an object."""
    # Half the score that is compared: an object may have a lower score on the other engine.
    return OutputDecoder(spec, parity.MIN_SCORE / 2, iou_threshold=1.0, max_objects=10_000)
