"""Loads a network on the fastest engine that detects what PyTorch does, or on the requested one."""

import logging
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from backends._inference.device import choose_device
from backends._inference.openvino import supports_bf16
from backends.detection.model import conversion, parity
from backends.detection.model.architecture import NetworkSpec
from backends.detection.model.detector import Detector, RunOptions
from backends.detection.model.engines import Engine, OnnxEngine, OpenVinoEngine, TorchEngine
from backends.detection.model.postprocess import OutputDecoder
from backends.detection.model.shared_weights import WeightsKey, share_weights
from shared.backend.installation import extra_command
from shared.errors import ModelError
from shared.settings import Settings

logger = logging.getLogger(__name__)

# Tasks whose whole output is compared with PyTorch. Masks, keypoints and angles are not, so the
# others run in bf16 only where DETECTION_PRECISION asks for it.
FULLY_COMPARED_TASKS = ("detect", "classify")
ENGINE_PACKAGES = {"openvino": ("openvino",), "onnx": ("onnx", "onnxruntime")}


def load_detector(
    weights: Path, run: RunOptions, settings: Settings, precision: str = "auto"
) -> Detector:
    """Load a network; models of the same weights share it.

    Raises ModelError if the engine that was asked for cannot run it.
    """

    def build_engine(network: Any, spec: NetworkSpec) -> Engine:
        engine = _build_engine(weights, network, spec, settings, precision)
        logger.info("%s runs on %s", weights.name, engine.name)
        return engine

    shared = share_weights(WeightsKey.for_file(weights, settings, precision))
    spec, engine = shared.get_or_load(weights, run.image_size, build_engine)
    return Detector(spec, engine, OutputDecoder(spec, run.min_score, run.iou), shared)


def _build_engine(
    weights: Path, network: Any, spec: NetworkSpec, settings: Settings, precision: str
) -> Engine:
    device, requested = _choose_device(settings), settings.engine
    if requested == "torch" or (requested == "auto" and device != "cpu"):
        return TorchEngine(network, device, half=device.startswith("cuda"))
    name = "onnx" if requested == "onnx" else "openvino"
    try:
        return _build_converted_engine(name, weights, network, spec, settings.cache_dir, precision)
    except Exception as error:  # a converter raises many kinds
        reason = str(error) if isinstance(error, ModelError) else type(error).__name__
        if requested == "auto":
            logger.warning(
                "%s runs on PyTorch: %s; ENGINE=%s logs the full reason, ENGINE=torch skips the"
                " conversion",
                weights.name,
                reason,
                name,
            )
            return TorchEngine(network, device, half=False)
        logger.error("%s cannot run %s", name, weights.name, exc_info=error)
        raise ModelError(
            f"ENGINE={requested} cannot run {weights.name}: {reason}; ENGINE=torch runs it"
        ) from None


def _choose_device(settings: Settings) -> str:
    device = choose_device(settings)
    if device == "cpu" and settings.device not in {"auto", "cpu"}:
        raise ModelError(
            f"ENGINE={settings.engine} runs on the CPU, and DEVICE={settings.device}:"
            " leave out one of them"
        )
    return device


def _build_converted_engine(
    name: str, weights: Path, network: Any, spec: NetworkSpec, cache_dir: Path, precision: str
) -> Engine:
    """Convert a network and compare it with PyTorch; ModelError if it differs too far."""
    _require_packages(name)
    folder = conversion.conversion_folder(weights, spec, name, cache_dir)
    reference = _detect_all_boxes(spec, TorchEngine(network, "cpu", half=False))
    expected = reference(parity.comparison_images())
    if name == "onnx":
        onnx = OnnxEngine(conversion.convert_to_onnx(network, spec, folder))
        parity.check_parity(_detect_all_boxes(spec, onnx), expected)
        return onnx
    path = conversion.convert_to_openvino(network, spec, folder)
    shapes = conversion.common_shapes(spec)
    single = OpenVinoEngine(path, shapes, "f32")
    parity.check_parity(_detect_all_boxes(spec, single), expected)
    if precision == "f32" or not supports_bf16():
        return single
    if precision == "auto" and spec.task not in FULLY_COMPARED_TASKS:
        return single
    faster = OpenVinoEngine(path, shapes, "bf16")
    try:
        parity.check_parity(_detect_all_boxes(spec, faster), expected, less_precise=True)
    except ModelError as error:
        if precision == "auto":
            logger.info("%s does not run in bf16: %s", weights.name, error)
            return single
        logger.warning("%s runs in bf16 as requested, but %s", weights.name, error)
    return faster


def _require_packages(engine: str) -> None:
    missing = [package for package in ENGINE_PACKAGES[engine] if find_spec(package) is None]
    if missing:
        extra = "onnx" if engine == "onnx" else "detection"
        raise ModelError(
            f"{', '.join(missing)} is not installed: install the extra, e.g. {extra_command(extra)}"
        )


def _detect_all_boxes(spec: NetworkSpec, engine: Engine) -> Callable[..., Any]:
    """Return a `detect` that keeps all boxes of an object, which NMS would otherwise merge."""
    # Half the score that is compared: an object may have a lower score on the other engine.
    decoder = OutputDecoder(spec, parity.MIN_SCORE / 2, iou_threshold=1.0, max_objects=10_000)
    return Detector(spec, engine, decoder).detect
