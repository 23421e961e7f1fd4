"""The engine that a network runs on: OpenVINO or PyTorch."""

import logging
from typing import Any

from backends._transformers.model_source import ModelSource
from backends._transformers.parity_trial import ParityTrial
from backends._transformers.runners import NetworkRunner, TorchRunner
from shared.errors import ModelError
from shared.settings import Settings

logger = logging.getLogger(__name__)

# Model types that are tried on OpenVINO unasked. Others, such as ModernBERT, give other outputs
# there.
OPENVINO_MODEL_TYPES = ("bert", "distilbert", "roberta", "xlm-roberta", "electra", "camembert")


def choose_runner(trial: ParityTrial, device: str, settings: Settings) -> tuple[str, NetworkRunner]:
    """Return the engine's name and the runner: OpenVINO if asked for or possible, else PyTorch.

    Raises:
        ModelError: ENGINE names an engine that cannot run the network.
    """
    source = trial.source
    if settings.engine == "onnx":
        raise ModelError(
            f"ENGINE=onnx: {source.name} runs on openvino or torch (auto: the faster one)"
        )
    if device == "cpu" and _tries_openvino(trial.config, settings):
        try:
            return "openvino", trial.load()
        except Exception as error:  # a converter raises many kinds
            _report_failure(source, settings, error)
    return "torch", TorchRunner(source.load_network(half=device.startswith("cuda")), device)


def _tries_openvino(config: Any, settings: Settings) -> bool:
    known = config.model_type in OPENVINO_MODEL_TYPES
    return settings.engine == "openvino" or (settings.engine == "auto" and known)


def _report_failure(source: ModelSource, settings: Settings, error: Exception) -> None:
    """Log why PyTorch runs the network instead; raise ModelError if OpenVINO was asked for."""
    if settings.engine == "openvino":
        logger.error("OpenVINO cannot run %s", source.name, exc_info=error)
        raise ModelError(
            f"ENGINE=openvino: {source.name} could not be converted"
            f" ({type(error).__name__}); ENGINE=torch runs it"
        ) from None
    logger.warning(
        "%s runs on PyTorch, which is slower here: %s. ENGINE=openvino logs the full reason;"
        " ENGINE=torch skips the attempt",
        source.name,
        _first_line(error),
    )


def _first_line(error: Exception) -> str:
    """Return the first line of an error, with its type unless it is one of ours."""
    line = (str(error).strip().splitlines() or [""])[0].rstrip(".")
    return line if isinstance(error, ModelError) else f"{type(error).__name__}: {line}"
