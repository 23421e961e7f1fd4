"""Networks in other formats: converted once from the PyTorch weights, kept in the cache."""

import hashlib
import re
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from backends._inference.openvino import import_openvino
from backends.detection.model.architecture import NetworkSpec
from backends.detection.model.letterbox import Letterbox
from shared.backend.converted_model_cache import fresh_folder
from shared.pipeline.models import hash_files
from shared.results import ImageSize

# To be raised when what is converted here changes: what is kept by then is made anew.
FORM = 3
# Width to height of images for which OpenVINO is compiled on their own.
SHAPES = ((1, 1), (4, 3), (3, 4), (3, 2), (2, 3), (16, 9), (9, 16))

_STAGE = re.compile(r"network\.model\.(\d+)\.(.*)")
_COARSE = re.compile(r"(one2one_)?cv2\.\d+\.[01]\b|proto\b")


def kept(weights: Path, kind: NetworkSpec, tool: str, cache: Path) -> Path:
    """The folder of a converted network: its name holds all that the conversion depends on."""
    made_by = [f"{name} {version(name)}" for name in (tool, "torch", "ultralytics")]
    square = kind.side if not is_flexible(kind) else 0
    parts = (FORM, hash_files([weights]), square, *made_by)
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()
    return cache / tool / f"{weights.stem}-{digest[:20]}"


def is_flexible(kind: NetworkSpec) -> bool:
    """Whether its input has any shape of whole strides; others have one."""
    return kind.task != "classify" and not kind.stretches


def shapes(kind: NetworkSpec) -> Collection[tuple[int, int]]:
    """Height and width of the inputs for which OpenVINO is compiled on their own."""
    if not is_flexible(kind):
        return {(kind.side, kind.side)}
    frames = [Letterbox.around(ImageSize(*shape), kind.side, kind.stride) for shape in SHAPES]
    return {(frame.height, frame.width) for frame in frames}


def openvino_model(ready: Any, kind: NetworkSpec, folder: Path) -> Path:
    """The file of the network for OpenVINO, which is made if it is not there."""
    path = folder / "model.xml"
    if not path.is_file():
        package = import_openvino()
        side = -1 if is_flexible(kind) else kind.side
        shape = [([-1, side, side, 3], package.Type.u8)]
        with fresh_folder(folder) as made, _quiet():
            model = package.convert_model(ready, example_input=_example(kind), input=shape)
            package.save_model(model, made / path.name, compress_to_fp16=False)
            _keep_precise(made / path.name)
    return path


def _keep_precise(path: Path) -> None:
    """Mark what stays in single precision in an engine that runs in less: of the head, all but
    the first convolutions to boxes and mask prototypes, which cost much and matter little.

    `precise` is OpenVINO's own mark (its class DisableFP16Compression), which its CPU plugin
    honours in bf16 too. In single precision it changes nothing.
    """
    tree = ElementTree.parse(path)  # noqa: S314 - it was written a moment ago
    layers = [(layer, _STAGE.search(layer.get("name", ""))) for layer in tree.iter("layer")]
    last = max((int(stage[1]) for _, stage in layers if stage), default=0)
    for layer, stage in layers:
        if stage and int(stage[1]) == last and not _COARSE.match(stage[2]):
            info = layer.find("rt_info")
            if info is None:
                info = ElementTree.Element("rt_info")
                layer.insert(0 if layer.find("data") is None else 1, info)
            ElementTree.SubElement(info, "attribute", name="precise", version="0")
    tree.write(path)


def onnx_model(ready: Any, kind: NetworkSpec, folder: Path) -> Path:
    """The file of the network for ONNX Runtime, which is made if it is not there."""
    import torch

    path = folder / "model.onnx"
    if not path.is_file():
        axes = {0: "images"} | ({1: "height", 2: "width"} if is_flexible(kind) else {})
        with fresh_folder(folder) as made, _quiet():
            torch.onnx.export(
                ready,
                (_example(kind),),
                made / path.name,
                input_names=["pixels"],
                dynamic_axes={"pixels": axes},
                opset_version=18,
                dynamo=False,  # the other one needs one more package
            )
    return path


def _example(kind: NetworkSpec) -> Any:
    import torch

    noise = np.random.default_rng(0).integers(0, 256, (1, kind.side, kind.side, 3), np.uint8)
    return torch.from_numpy(noise)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the tracer's warnings, which are about code that is not ours."""
    import torch

    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
