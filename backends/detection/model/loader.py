"""Loads a network on the fastest engine that detects what PyTorch does, or on the requested one."""

import logging
import shutil
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from backends._inference.checksums import DamagedFileError, check_files
from backends._inference.device import choose_device
from backends._inference.openvino import supports_bf16
from backends._inference.parity import describe_lack_of_int8, report_broken_copy
from backends._inference.short_process import ProcessFailedError, call_in_process
from backends.detection.model import architecture, conversion
from backends.detection.model.architecture import NetworkSpec
from backends.detection.model.converted_network import (
    DESCRIPTION_FILE,
    INT8_FILE,
    MODEL_FILES,
    ConversionCache,
    ConvertedNetwork,
    files_of,
)
from backends.detection.model.detector import Detector, RunOptions
from backends.detection.model.engines import OnnxEngine, OpenVinoEngine, TorchEngine
from backends.detection.model.postprocess import OutputDecoder
from backends.detection.model.shared_weights import OpenedEngine, WeightsKey, share_weights
from backends.detection.open_vocabulary.text_encoder import load_text_encoder
from backends.detection.open_vocabulary.visual_encoder import VisualEncoder
from backends.detection.open_vocabulary.word_table import WordTable
from shared.backend.installation import extra_command
from shared.errors import ModelError
from shared.settings import Settings

logger = logging.getLogger(__name__)

# Tasks whose whole output is compared with PyTorch. Masks, keypoints and angles are not, so the
# others run in bf16 only where DETECTION_PRECISION asks for it.
FULLY_COMPARED_TASKS = ("detect", "classify")
# Of the file that stands for the folder of an exported network.
EXPORTED_SUFFIX = ".xml"
ENGINE_PACKAGES = {"openvino": ("openvino",), "onnx": ("onnx", "onnxruntime")}
TORCH_PACKAGES = ("torch", "torchvision", "ultralytics")


def load_detector(
    weights: Path,
    run: RunOptions,
    settings: Settings,
    precision: str = "auto",
    text_encoder: str = "",
) -> Detector:
    """Load a network; models of the same weights share it.

    Raises ModelError if the engine that was asked for cannot run it, or `text_encoder`, the name
    of the one for words, cannot be loaded.
    """
    key = WeightsKey.for_file(weights, settings, precision, text_encoder)
    shared = share_weights(key)

    def open_engine(image_size: int) -> OpenedEngine:
        opened = load_engine(weights, image_size, settings, precision)
        if opened.trained.word_dimensions:
            shared.words = _load_words(weights, opened, text_encoder, settings)
        logger.info("%s runs on %s", weights.name, opened.engine.name)
        return opened

    spec, engine = shared.get_or_load(run.image_size, open_engine)
    decoder = OutputDecoder(spec, run.min_score, run.iou)
    detector = Detector(spec, engine, decoder, shared, shared.words)
    # Without other words, such as on videos, a network finds those in its file.
    has_stored = shared.words is not None and shared.words.known_words(spec.class_names)
    return detector.with_words(spec.class_names) if has_stored else detector


def _load_words(
    weights: Path, opened: OpenedEngine, text_encoder: str, settings: Settings
) -> WordTable:
    """Load the words in a network's file, and the layers that words and boxes pass: PyTorch's."""
    network, _ = opened.network or architecture.load_network(weights, 0)
    encoder = load_text_encoder(text_encoder, settings)
    words = WordTable.of_network(weights.name, network.network, encoder)
    if words.refine is not None:  # YOLOE's head looks at boxes, too
        words.visual = VisualEncoder(weights)
    return words


def load_engine(weights: Path, image_size: int, settings: Settings, precision: str) -> OpenedEngine:
    """Load a network on the engine that ENGINE and DEVICE say, by default the fastest.

    A network that was converted before is loaded without PyTorch.
    """
    if weights.suffix == EXPORTED_SUFFIX:
        return open_exported(weights, image_size, precision, settings.cache_dir)
    device, requested = _choose_device(settings), settings.engine
    if requested == "torch" or (requested == "auto" and device != "cpu"):
        return _load_on_torch(weights, device)
    name = "onnx" if requested == "onnx" else "openvino"
    try:
        return _load_converted(
            ConversionCache(weights, name, settings.cache_dir), image_size, precision
        )
    except Exception as error:  # a converter raises many kinds
        is_ours = isinstance(error, ModelError | ProcessFailedError)
        reason = str(error) if is_ours else type(error).__name__
        if requested == "auto":
            _require_torch(weights)
            logger.warning(
                "%s runs on PyTorch: %s; ENGINE=%s logs the full reason, ENGINE=torch skips the"
                " conversion",
                weights.name,
                reason,
                name,
            )
            return _load_on_torch(weights, device, note=reason)
        logger.error("%s cannot run %s", name, weights.name, exc_info=error)
        raise ModelError(
            f"ENGINE={requested} cannot run {weights.name}: {reason}; ENGINE=torch runs it"
        ) from None


def _load_on_torch(weights: Path, device: str, note: str = "") -> OpenedEngine:
    _require_torch(weights)
    network, trained = architecture.load_network(weights, 0)
    engine = TorchEngine(network, device, half=device.startswith("cuda"))
    engine.note = note
    return OpenedEngine(trained, engine, (network, trained))


def _choose_device(settings: Settings) -> str:
    device = choose_device(settings)
    if device == "cpu" and settings.device not in {"auto", "cpu"}:
        raise ModelError(
            f"ENGINE={settings.engine} runs on the CPU, and DEVICE={settings.device}:"
            " leave out one of them"
        )
    return device


def _load_converted(cache: ConversionCache, image_size: int, precision: str) -> OpenedEngine:
    """Open a converted network; convert it first, in a process of its own, if it is new.

    Raises:
        ModelError: it differs too far from PyTorch's, or cannot be converted.
    """
    _require_runtime(cache.engine)
    try:
        found = cache.find(image_size)
        if found is not None:
            return _open_converted(found, cache, image_size, precision)
    except (ModelError, ProcessFailedError):
        raise
    except Exception as error:  # what is damaged; engines raise many kinds
        cache.remove(image_size, error)
    found = _convert(cache, image_size, _tries_bf16(cache.engine, precision))
    return _open_converted(found, cache, image_size, precision)


def _open_converted(
    found: ConvertedNetwork, cache: ConversionCache, image_size: int, precision: str
) -> OpenedEngine:
    """Open a converted network; compare it in bf16 first if that comes into question."""
    if cache.engine == "onnx":
        found.check()
        return OpenedEngine(found.trained, OnnxEngine(found.path))
    obstacle = _obstacle_to_bf16(found.trained, precision)
    if not obstacle and found.read_bf16_obstacle() is None:
        found = _convert(cache, image_size, with_bf16=True)
    name = cache.weights.name
    return _open_on_openvino(found, name, image_size, precision, cache.cache_dir)


def export_network(weights: Path, folder: Path, precision: str) -> str:
    """Convert a network into a folder, at the image size it was trained at; return its engine.

    ModelError if the conversion does not detect what PyTorch does.
    """
    if weights.suffix == EXPORTED_SUFFIX:
        raise ModelError(f"{weights.parent.name} is exported already")
    _require_runtime("openvino")
    with TemporaryDirectory() as name:
        cache = ConversionCache(weights, "openvino", Path(name))
        try:
            found = _convert(cache, 0, _tries_bf16("openvino", precision))
        except ProcessFailedError as error:
            raise ModelError(f"{weights.name} could not be converted: {error}") from None
        if found.trained.word_dimensions:
            raise ModelError(
                f"{weights.name} takes words, which are read by PyTorch: it serves here"
            )
        for path in files_of(found.folder):
            shutil.copy(path, folder / path.name)
    return open_exported(folder / MODEL_FILES["openvino"], 0, precision).engine.name


def open_exported(
    path: Path, image_size: int, precision: str, cache_dir: Path | None = None
) -> OpenedEngine:
    """Open a network that was exported; one of a fixed image size has no other.

    With `cache_dir`, what compiling it works out is kept there.
    """
    name = path.parent.name
    try:
        check_files(path.parent, (DESCRIPTION_FILE,))
        found = ConvertedNetwork.open(path.parent, "openvino")
        if found is None:
            raise ModelError(f"{name} lacks what `prelabel export` writes beside {path.name}")
        spec = found.spec_at(image_size)
        if spec != found.trained and not conversion.takes_any_size(spec):
            raise ModelError(
                f"{name} was exported for images of {found.trained.image_size} pixels, and"
                f" {spec.image_size} are asked for"
            )
        return _open_on_openvino(found, name, image_size, precision, cache_dir)
    except DamagedFileError as error:
        raise ModelError(f"{name}: {error}; export it again") from None


def _open_on_openvino(
    found: ConvertedNetwork,
    name: str,
    image_size: int,
    precision: str,
    cache_dir: Path | None,
) -> OpenedEngine:
    shapes = conversion.common_shapes(found.spec_at(image_size))
    verdict = found.read_int8_verdict() if precision == "auto" else None
    int8_refusal = found.read_int8_refusal()
    if verdict is not None:
        try:  # in f32 is all that is not in int8
            found.check_int8()
            engine = OpenVinoEngine(found.folder / INT8_FILE, shapes, "f32", cache_dir)
            engine.name, engine.note = "OpenVINO in int8", verdict
            return OpenedEngine(found.trained, engine)
        except Exception as error:  # OpenVINO raises RuntimeError for most
            int8_refusal = report_broken_copy(name, error)
    obstacle = _obstacle_to_bf16(found.trained, precision)
    obstacle = obstacle or _measured_obstacle(name, found, precision)
    found.check()
    chosen = "f32" if obstacle else "bf16"
    engine = OpenVinoEngine(found.path, shapes, chosen, cache_dir)
    lack_of_int8 = _describe_lack_of_int8(found.trained, precision, int8_refusal)
    engine.note = "; ".join(filter(None, (obstacle, lack_of_int8)))
    return OpenedEngine(found.trained, engine)


def _convert(cache: ConversionCache, image_size: int, with_bf16: bool) -> ConvertedNetwork:
    _require_torch(cache.weights)
    arguments = {
        "weights": str(cache.weights.resolve()),
        "image_size": image_size,
        "engine": cache.engine,
        "cache_dir": str(cache.cache_dir.resolve()),
        "with_bf16": with_bf16,
    }
    call_in_process("backends.detection.model.conversion_trial:convert_network", arguments)
    found = cache.find(image_size)
    if found is None:
        raise ModelError("its conversion left nothing in CACHE_DIR")
    return found


def _tries_bf16(engine: str, precision: str) -> bool:
    """Return whether bf16 may come into question, as far as that is known before converting."""
    return engine == "openvino" and precision != "f32" and supports_bf16()


def _measured_obstacle(name: str, found: ConvertedNetwork, precision: str) -> str:
    """Return what the comparison in bf16 says against it; "" if nothing, or if it is asked for."""
    obstacle = found.read_bf16_obstacle()
    if obstacle is None:
        obstacle = "it was not compared with PyTorch"
    if not obstacle:
        return ""
    if precision == "auto":
        logger.info("%s does not run in bf16: %s", name, obstacle)
        return f"in bf16 {obstacle}"
    logger.warning("%s runs in bf16 as requested, but %s", name, obstacle)
    return ""


def _describe_lack_of_int8(spec: NetworkSpec, precision: str, refusal: str | None) -> str:
    """Return why it does not run in int8; "" where that is never tried."""
    if precision != "auto" or spec.task not in FULLY_COMPARED_TASKS or spec.word_dimensions:
        return ""
    return describe_lack_of_int8(refusal)


def _obstacle_to_bf16(spec: NetworkSpec, precision: str) -> str:
    """Return why bf16 is not even tried; "" if it is."""
    if precision == "f32":
        return "DETECTION_PRECISION=f32"
    if not supports_bf16():
        return "this CPU has no bf16"
    if precision == "auto" and spec.task not in FULLY_COMPARED_TASKS:
        return "DETECTION_PRECISION=auto tries bf16 for boxes and classes alone"
    return ""


def _require_runtime(engine: str) -> None:
    """Raise ModelError with all that converting and running on an engine takes, if it cannot."""
    packages = ENGINE_PACKAGES[engine]
    missing = [package for package in packages if find_spec(package) is None]
    if packages[-1] in missing:
        extra = "onnx" if engine == "onnx" else "detection"
        raise ModelError(
            f"{', '.join(missing)} is not installed: install the extra, e.g. {extra_command(extra)}"
        )


def _require_torch(weights: Path) -> None:
    """Raise ModelError where a network would be read as it is, and nothing can read it."""
    missing = [name for name in TORCH_PACKAGES if find_spec(name) is None]
    if missing:
        raise ModelError(
            f"{weights.name} has not been converted, and {' and '.join(missing)} to read it with"
            f" {'is' if len(missing) == 1 else 'are'} not installed: convert it by `prelabel"
            " export` where they are, and name the folder that it writes"
        )
