"""Converts networks for OpenVINO and ONNX Runtime, once for each file of weights."""

import re
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from backends._inference.openvino import import_openvino, save_network
from backends._inference.torch_conversion import trace_to_openvino
from backends.detection.model.architecture import NetworkSpec
from backends.detection.model.letterbox import Letterbox
from shared.backend.converted_model_cache import fresh_folder
from shared.results import ImageSize

# Increase it when the conversion changes: networks converted before are then converted again.
CONVERSION_VERSION = 4
# Aspect ratios (width, height) of images for which OpenVINO is compiled ahead.
COMMON_ASPECT_RATIOS = ((1, 1), (4, 3), (3, 4), (3, 2), (2, 3), (16, 9), (9, 16))

_LAYER_STAGE = re.compile(r"network\.model\.(\d+)\.(.*)")
_LOW_PRECISION_LAYERS = re.compile(r"(one2one_)?cv2\.\d+\.[01]\b|proto\b")


def takes_any_size(spec: NetworkSpec) -> bool:
    """Return whether its input may have any shape of whole strides; otherwise it has one shape."""
    return spec.task != "classify" and not spec.stretches_image


def common_shapes(spec: NetworkSpec) -> Collection[tuple[int, int]]:
    """Return height and width of the inputs for which OpenVINO is to be compiled."""
    if not takes_any_size(spec):
        return {(spec.image_size, spec.image_size)}
    frames = [
        Letterbox.fit_longer_side(ImageSize(*ratio), spec.image_size, spec.stride)
        for ratio in COMMON_ASPECT_RATIOS
    ]
    return {(frame.height, frame.width) for frame in frames}


def convert_to_openvino(network: Any, spec: NetworkSpec, folder: Path) -> Path:
    """Return the network's OpenVINO model in `folder`; convert it if it is not there."""
    path = folder / "model.xml"
    if not path.is_file():
        package = import_openvino()
        side = -1 if takes_any_size(spec) else spec.image_size
        shape = [([-1, side, side, 3], package.Type.u8)]
        if spec.word_dimensions:
            shape.append(([1, -1, spec.word_dimensions], package.Type.f32))
        with fresh_folder(folder) as target:
            model = trace_to_openvino(network, _example_input(spec), shape)
            save_network(model, target / path.name)
            _mark_precise_layers(target / path.name)
    return path


def _mark_precise_layers(path: Path) -> None:
    """Mark the layers that stay in single precision when the engine runs in bf16.

    They are those of the head, without the first convolutions to boxes and mask prototypes, which
    take most of the head's time and matter little for its precision. `precise` is OpenVINO's own
    mark (its class DisableFP16Compression), which the CPU plugin respects for bf16, too. It
    changes nothing in single precision.
    """
    tree = ElementTree.parse(path)  # noqa: S314 - OpenVINO has just written it
    layers = [(layer, _LAYER_STAGE.search(layer.get("name", ""))) for layer in tree.iter("layer")]
    head = max((int(stage[1]) for _, stage in layers if stage), default=0)
    for layer, stage in layers:
        if stage and int(stage[1]) == head and not _LOW_PRECISION_LAYERS.match(stage[2]):
            info = layer.find("rt_info")
            if info is None:
                info = ElementTree.Element("rt_info")
                layer.insert(0 if layer.find("data") is None else 1, info)
            ElementTree.SubElement(info, "attribute", name="precise", version="0")
    tree.write(path)


def convert_to_onnx(network: Any, spec: NetworkSpec, folder: Path) -> Path:
    """Return the network's ONNX model in `folder`; convert it if it is not there."""
    import torch

    path = folder / "model.onnx"
    if not path.is_file():
        axes = {0: "images"} | ({1: "height", 2: "width"} if takes_any_size(spec) else {})
        with fresh_folder(folder) as target, _without_tracer_warnings():
            torch.onnx.export(
                network,
                _example_input(spec),
                target / path.name,
                input_names=["pixels", "embeddings"][: 2 if spec.word_dimensions else 1],
                dynamic_axes={"pixels": axes, "embeddings": {1: "words"}}
                if spec.word_dimensions
                else {"pixels": axes},
                opset_version=18,
                dynamo=False,  # the other exporter needs one more package
            )
    return path


def _example_input(spec: NetworkSpec) -> tuple[Any, ...]:
    import torch

    shape, random = (1, spec.image_size, spec.image_size, 3), np.random.default_rng(0)
    pixels = torch.from_numpy(random.integers(0, 256, shape, np.uint8))
    if not spec.word_dimensions:
        return (pixels,)
    embeddings = random.standard_normal((1, 5, spec.word_dimensions), np.float32)
    return pixels, torch.nn.functional.normalize(torch.from_numpy(embeddings), dim=-1)


@contextmanager
def _without_tracer_warnings() -> Iterator[None]:
    """Silence the tracer, which warns about Ultralytics' code."""
    import torch

    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
