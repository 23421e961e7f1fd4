"""What a network of texts runs on: OpenVINO or PyTorch, in the precision that is true enough."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backends._text import converted
from shared.errors import ModelError
from shared.settings import Settings

logger = logging.getLogger(__name__)

CONVERTED = ("bert", "distilbert", "roberta", "xlm-roberta", "electra", "camembert")
"""Kinds of network that OpenVINO runs by itself; ModernBERT, for one, says other things there."""
AGREEMENT = 0.01
"""How far the chances of OpenVINO and PyTorch may lie apart in the mean; 99 % of them, 5 times."""

Logits = NDArray[np.float32]
Inputs = Mapping[str, NDArray[np.int64]]
Forward = Callable[[Inputs], Logits]


class Source(NamedTuple):
    """Where a network is loaded from: the class that reads it, its folder, where it is kept."""

    kind: str
    folder: Path
    kept: Path


def device_of(settings: Settings) -> str:
    """Where PyTorch would run it: what ENGINE and DEVICE say, else a GPU if there is one."""
    import torch

    if settings.engine == "openvino":
        return "cpu"
    if settings.device != "auto":
        return settings.device
    return "cuda" if torch.cuda.is_available() else "cpu"


def choose(
    network: Any, inputs: Sequence[str], source: Source, device: str, settings: Settings
) -> tuple[str, Forward]:
    """OpenVINO where it is asked for or can be; PyTorch is the reference."""
    name = source.folder.name
    if settings.engine == "onnx":
        raise ModelError(f"ENGINE=onnx: {name} runs on openvino or torch (auto: the faster one)")
    tried = network.config.model_type in CONVERTED
    if device == "cpu" and (settings.engine == "openvino" or (settings.engine == "auto" and tried)):
        try:
            return "openvino", _converted(network, inputs, source)
        except Exception as error:  # a converter raises many kinds
            if settings.engine == "openvino":
                logger.error("OpenVINO cannot run %s", name, exc_info=error)
                raise ModelError(
                    f"ENGINE=openvino: {name} could not be converted"
                    f" ({type(error).__name__}); ENGINE=torch runs it"
                ) from None
            logger.warning("%s runs on PyTorch: %s", name, error)
    network.to(device)
    return "torch", _torch(network, device)


def _converted(network: Any, inputs: Sequence[str], source: Source) -> Forward:
    """The network in OpenVINO, in the fastest precision in which it says what PyTorch's says."""
    converted.make(network, inputs, source.kept)
    given = list(_trials(inputs, int(network.config.vocab_size)))
    expected = list(map(_torch(network, "cpu"), given))
    apart = ""
    for precision in converted.PRECISIONS:
        forward = converted.load(inputs, source.kept, precision)
        apart = _apart(given, expected, list(map(forward, given)))
        if not apart:
            return forward
        logger.info("%s in OpenVINO, %s: %s", source.folder.name, precision, apart)
    raise ModelError(apart)


def _trials(inputs: Sequence[str], vocabulary: int) -> Iterator[Inputs]:
    """Rows of random tokens, of several lengths, some of them filled up."""
    draw = np.random.default_rng(0)
    for rows, width in ((1, 7), (2, 48), (3, 160)):
        given: dict[str, NDArray[np.int64]] = {
            name: np.zeros((rows, width), np.int64) for name in inputs
        }
        given["input_ids"][:] = draw.integers(1, vocabulary, (rows, width))
        ends = np.array([[width], [5], [width // 2]])[:rows]
        given["attention_mask"][:] = np.arange(width) < ends
        yield given


def _apart(given: Sequence[Inputs], expected: Sequence[Logits], found: Sequence[Logits]) -> str:
    """How chances differ, in words; empty if they agree: some networks do not survive it."""
    differences = []
    for inputs, reference, logits in zip(given, expected, found, strict=True):
        apart = np.abs(chances(logits) - chances(reference)).max(axis=-1)
        seen = inputs["attention_mask"].astype(bool)
        differences.append(apart[seen] if apart.ndim == 2 else apart)
    all_of_them = np.concatenate(differences)
    middle, worst = float(all_of_them.mean()), float(np.quantile(all_of_them, 0.99))
    if middle <= AGREEMENT and worst <= 5 * AGREEMENT:
        return ""
    return f"its chances differ from PyTorch's by {middle:.2g}, and by {worst:.2g} and more at 1 %"


def chances(logits: Logits) -> Logits:
    """Logits to chances that add up to 1, along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    found: Logits = powers / powers.sum(axis=-1, keepdims=True)
    return found


def _torch(network: Any, device: str) -> Forward:
    import torch

    def forward(inputs: Inputs) -> Logits:
        with torch.inference_mode():
            given = {name: torch.from_numpy(value).to(device) for name, value in inputs.items()}
            found: Logits = network(**given).logits.float().cpu().numpy()
        return found

    return forward
