"""The engine that a network runs on: OpenVINO or PyTorch."""

import importlib.util
import logging
from pathlib import Path

from backends._inference.checksums import DamagedFileError, check_files
from backends._inference.device import choose_device
from backends._inference.parity import (
    describe_lack_of_int8,
    read_rejection,
    report_broken_copy,
)
from backends._inference.short_process import ProcessFailedError, call_in_process
from backends._transformers.conversion import available_precisions
from backends._transformers.converted_model import (
    INT8_FOLDER,
    VERDICT_FILE,
    is_converted,
    read_model_files,
)
from backends._transformers.model_source import ModelSource
from backends._transformers.network import Network
from backends._transformers.runners import OpenVinoRunner
from backends._transformers.tokenizer import Tokenizer
from shared.errors import ModelError
from shared.settings import Settings

logger = logging.getLogger(__name__)

# Model types that are tried on OpenVINO unasked. Others may give other outputs there.
OPENVINO_MODEL_TYPES = frozenset(
    {"bert", "distilbert", "roberta", "xlm-roberta", "electra", "camembert", "modernbert"}
)
TORCH_PACKAGES = ("torch", "transformers")
NO_BF16 = "this CPU has no bf16"

TextModel = tuple[Tokenizer, Network]


def load_text_model(source: ModelSource, settings: Settings) -> TextModel:
    """Load the tokenizer and the network on the engine and device that ENGINE and DEVICE say.

    By default that is OpenVINO on a CPU, and PyTorch on a GPU. A network that was converted before
    is loaded without PyTorch and transformers.

    Raises:
        ModelError: ENGINE names an engine that cannot run the network, or it cannot be loaded.
    """
    if settings.engine == "onnx":
        raise ModelError(
            f"ENGINE=onnx: {source.name} runs on openvino or torch (auto: the faster one)"
        )
    if source.is_exported:
        return load_exported(source, settings.cache_dir)
    device, note = choose_device(settings), ""
    if device == "cpu" and _tries_openvino(source, settings):
        try:
            return _load_converted(source, settings.cache_dir)
        except Exception as error:  # a converter raises many kinds
            _report_failure(source, settings, error)
            note = _describe_failure(error)
    elif device == "cpu" and settings.engine == "auto":
        kind = source.model_type or "this kind of model"
        note = f"{kind} is tried on OpenVINO by ENGINE=openvino alone"
    return _load_on_torch(source, device, note)


def export_text_model(source: ModelSource) -> str:
    """Convert a model into its `cache_folder`, for any machine; return on what it runs here.

    ModelError if no conversion gives what PyTorch gives.
    """
    try:
        _convert(source, every=True)
    except ProcessFailedError as error:
        raise ModelError(f"{source.name} could not be converted: {error}") from None
    network = load_exported(source._replace(folder=source.cache_folder))[1]
    return network.runner.name


def convert_text_model(
    auto_class: str, folder: str, cache_folder: str, label: str, every: bool
) -> None:
    """Convert a model as far as that was not tried before: `ModelSource` has the arguments."""
    from backends._transformers.parity_trial import ParityTrial

    source = ModelSource(auto_class, Path(folder), Path(cache_folder), label)
    ParityTrial.of(source).convert(every)


def _load_converted(source: ModelSource, cache_dir: Path) -> TextModel:
    """Load the converted network; convert it first, in a process of its own, if it is new."""
    try:
        found = _open_converted(source, cache_dir)
    except (ModelError, ImportError):  # which no conversion mends
        raise
    except Exception:  # a file is damaged: converting it again finds which, and logs it
        found = None
    if found is None:
        _convert(source)
        found = _open_converted(source, cache_dir)
    if found is None:
        raise ModelError("its conversion left nothing in CACHE_DIR")
    return found


def _convert(source: ModelSource, every: bool = False) -> None:
    _require_torch(source)
    arguments = source._asdict() | {
        "folder": str(source.folder),
        "cache_folder": str(source.cache_folder),
        "every": every,
    }
    call_in_process(f"{__name__}:convert_text_model", arguments)


def load_exported(source: ModelSource, cache_dir: Path | None = None) -> TextModel:
    """Load a model that was exported, in the fastest precision that it has for this processor.

    With `cache_dir`, what compiling it works out is kept there.
    """
    copy = source.folder / INT8_FOLDER
    int8_refusal = read_rejection(copy)
    if int8_refusal is None and copy.is_dir():
        try:
            verdict = (copy / VERDICT_FILE).read_text(encoding="utf-8")
            return _open_folder(copy, "int8", verdict, cache_dir)
        except Exception as error:  # of OpenVINO, of tokenizers, of files
            int8_refusal = report_broken_copy(source.name, error)
    precisions = available_precisions()
    reason = "" if "bf16" in precisions else NO_BF16
    for precision in dict.fromkeys((*precisions, "f32")):
        folder = source.folder / precision
        if is_converted(folder):
            reasons = _reasons(reason, int8_refusal)
            try:
                return _open_folder(folder, precision, reasons, cache_dir)
            except DamagedFileError as error:
                raise ModelError(f"{source.name}: {precision}/{error}; export it again") from None
        reason = f"in {precision} {read_rejection(folder) or 'it was not exported'}"
    raise ModelError(f"{source.name} cannot be used: {reason}")


def _open_folder(folder: Path, precision: str, reason: str, cache_dir: Path | None) -> TextModel:
    """Load a converted network; `reason` is why it is in this precision."""
    check_files(folder)
    description, tokenizer = read_model_files(folder)
    runner = OpenVinoRunner(folder, description.input_names, cache_dir)
    runner.name, runner.note = f"OpenVINO in {precision}", reason
    return tokenizer, Network.of_runner(runner, description, "openvino", precision=precision)


def _reasons(of_bf16: str, int8_refusal: str | None) -> str:
    """Return why a network runs neither in int8 nor, if there is a reason, in bf16."""
    return "; ".join(filter(None, (of_bf16, describe_lack_of_int8(int8_refusal))))


def _open_converted(source: ModelSource, cache_dir: Path) -> TextModel | None:
    """Return the fastest converted network that gives what PyTorch gives; None if none was tried.

    ModelError if none does.
    """
    precisions = available_precisions()
    reason = "" if "bf16" in precisions else NO_BF16
    for precision in precisions:
        folder = source.cache_folder / precision
        rejection = read_rejection(folder)
        if rejection is not None:
            reason = f"in {precision} {rejection}"
        elif is_converted(folder):
            return _open_folder(folder, precision, _reasons(reason, None), cache_dir)
        else:
            return None
    raise ModelError(reason)


def _load_on_torch(source: ModelSource, device: str, note: str) -> TextModel:
    _require_torch(source)
    tokenizer = Tokenizer.load(source.folder, source.name)
    network = source.load_network(half=device.startswith("cuda"))
    found = Network.of_torch(network.to(device), tokenizer)
    found.runner.note = note
    return tokenizer, found


def _require_torch(source: ModelSource) -> None:
    """Raise ModelError where a model would be loaded as it is, and nothing can read it."""
    missing = [name for name in TORCH_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ModelError(
            f"{source.name} has not been converted, and {' and '.join(missing)} to read it with"
            f" {'is' if len(missing) == 1 else 'are'} not installed: convert it by `prelabel"
            " export` where they are, and name the folder that it writes"
        )


def _tries_openvino(source: ModelSource, settings: Settings) -> bool:
    known = source.model_type in OPENVINO_MODEL_TYPES
    return settings.engine == "openvino" or (settings.engine == "auto" and known)


def _report_failure(source: ModelSource, settings: Settings, error: Exception) -> None:
    """Log why PyTorch runs the network instead; raise ModelError if OpenVINO was asked for."""
    if settings.engine == "openvino":
        logger.error("OpenVINO cannot run %s", source.name, exc_info=error)
        raise ModelError(
            f"ENGINE=openvino: {source.name} could not be converted"
            f" ({_first_line(error)}); ENGINE=torch runs it"
        ) from None
    logger.warning(
        "%s runs on PyTorch, which is slower here: %s. ENGINE=openvino logs the full reason;"
        " ENGINE=torch skips the attempt",
        source.name,
        _first_line(error),
    )


def _describe_failure(error: Exception) -> str:
    """Return why a network does not run on OpenVINO, for `/status`: without names of files."""
    if isinstance(error, ModelError):
        return f"on OpenVINO {_first_line(error)}"
    return "it could not be converted to OpenVINO, as the log says"


def _first_line(error: Exception) -> str:
    """Return the first line of an error, with its type unless it is one of ours."""
    line = (str(error).strip().splitlines() or [""])[0].rstrip(".")
    is_ours = isinstance(error, ModelError | ProcessFailedError)
    return line if is_ours else f"{type(error).__name__}: {line}"
