"""From a file of weights to a network on the engine that is fastest here, or that is asked for."""

import logging
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from backends._inference.openvino import supports_bf16
from backends.detection.model import conversion, parity
from backends.detection.model.architecture import NetworkSpec
from backends.detection.model.detector import Detector, Run
from backends.detection.model.engines import Engine, Onnx, OpenVino, Torch
from backends.detection.model.held import Key, held
from backends.detection.model.postprocess import OutputDecoder
from shared.backend.installation import install_extra
from shared.errors import ModelError
from shared.settings import Settings

logger = logging.getLogger(__name__)

# Tasks of which all that a network finds is compared: others run in bf16 only if asked to.
COMPARED = ("detect", "classify")
PACKAGES = {"openvino": ("openvino",), "onnx": ("onnx", "onnxruntime")}


def load(weights: Path, run: Run, settings: Settings, precision: str = "auto") -> Detector:
    """The network, which is loaded once for all models of the same weights.

    ModelError if the engine that is asked for cannot run it.
    """

    def make(ready: Any, kind: NetworkSpec) -> Engine:
        made = _engine(weights, ready, kind, settings, precision)
        logger.info("%s runs on %s", weights.name, made.name)
        return made

    shared = held(Key.of(weights, settings, precision))
    kind, engine = shared.engine(weights, run.image_size, make)
    return Detector(kind, engine, OutputDecoder(kind, run.least, run.iou), shared)


def _engine(
    weights: Path, ready: Any, kind: NetworkSpec, settings: Settings, precision: str
) -> Engine:
    device, asked = _device(settings), settings.engine
    if asked == "torch" or (asked == "auto" and device != "cpu"):
        return Torch(ready, device, half=device.startswith("cuda"))
    name = "onnx" if asked == "onnx" else "openvino"
    try:
        return _converted(name, weights, ready, kind, settings.cache_dir, precision)
    except Exception as error:  # a converter raises many kinds
        reason = str(error) if isinstance(error, ModelError) else type(error).__name__
        if asked == "auto":
            logger.warning(
                "%s runs on PyTorch: %s; ENGINE=%s logs the whole reason, ENGINE=torch leaves out"
                " the trial",
                weights.name,
                reason,
                name,
            )
            return Torch(ready, device, half=False)
        logger.error("%s cannot run %s", name, weights.name, exc_info=error)
        raise ModelError(
            f"ENGINE={asked} cannot run {weights.name}: {reason}; ENGINE=torch runs it"
        ) from None


def _device(settings: Settings) -> str:
    import torch

    if settings.engine in PACKAGES:
        if settings.device not in {"auto", "cpu"}:
            raise ModelError(
                f"ENGINE={settings.engine} runs on the CPU, and DEVICE={settings.device}:"
                " leave out one of them"
            )
        return "cpu"
    if settings.device != "auto":
        return settings.device
    return "cuda" if torch.cuda.is_available() else "cpu"


def _converted(
    name: str, weights: Path, ready: Any, kind: NetworkSpec, cache: Path, precision: str
) -> Engine:
    """The network in another format, which is held against PyTorch; ModelError if it differs."""
    missing = [package for package in PACKAGES[name] if find_spec(package) is None]
    if missing:
        extra = "onnx" if name == "onnx" else "detection"
        raise ModelError(
            f"{', '.join(missing)} is not installed: install the extra, e.g. {install_extra(extra)}"
        )
    folder = conversion.kept(weights, kind, name, cache)
    expected = _comparable(kind, Torch(ready, "cpu", half=False))(parity.pictures())
    if name == "onnx":
        onnx = Onnx(conversion.onnx_model(ready, kind, folder))
        parity.check(_comparable(kind, onnx), expected)
        return onnx
    path, shapes = conversion.openvino_model(ready, kind, folder), conversion.shapes(kind)
    single = OpenVino(path, shapes, "f32")
    parity.check(_comparable(kind, single), expected)
    if precision == "f32" or not supports_bf16():
        return single
    if precision == "auto" and kind.task not in COMPARED:
        return single
    faster = OpenVino(path, shapes, "bf16")
    try:
        parity.check(_comparable(kind, faster), expected, less_precise=True)
    except ModelError as error:
        if precision == "auto":
            logger.info("%s does not run in bf16: %s", weights.name, error)
            return single
        logger.warning("%s runs in bf16 as asked for, but %s", weights.name, error)
    return faster


def _comparable(kind: NetworkSpec, engine: Engine) -> Callable[..., Any]:
    """With all boxes of an object, of which only one stays otherwise."""
    return Detector(kind, engine, OutputDecoder(kind, parity.SURE / 2, iou=1.0, most=10_000)).detect
