"""What a network of texts runs on: OpenVINO or PyTorch, in the precision that is true enough."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from backends._transformers import conversion
from backends._transformers.conversion import Inputs, Logits, NetworkRunner
from shared.backend.converted_model_cache import fresh_folder
from shared.errors import ModelError
from shared.settings import Settings

logger = logging.getLogger(__name__)

# Kinds of network that OpenVINO runs by itself; ModernBERT, for one, says other things there.
CONVERTED = ("bert", "distilbert", "roberta", "xlm-roberta", "electra", "camembert")
# How far 99 % of the chances of OpenVINO may lie from those of PyTorch, on random tokens: there
# networks are less sure than on texts.
AGREEMENT = 0.02
# Says in the place of a converted network why there is none.
REFUSED = "refused.txt"


class Source(NamedTuple):
    """Where a network is loaded from: the class that reads it, its folder, where it is kept.

    `model` is its name in messages: the folder of a hub's model is called by a hash.
    """

    kind: str
    folder: Path
    kept: Path
    model: str = ""

    @property
    def name(self) -> str:
        """Its name in messages."""
        return self.model or self.folder.name

    def network(self, half: bool = False) -> Any:
        """The PyTorch network; code beside it is not run."""
        import transformers

        reader = getattr(transformers, self.kind)
        dtype = "float16" if half else "float32"
        return reader.from_pretrained(self.folder, dtype=dtype, trust_remote_code=False).eval()


def device_of(settings: Settings) -> str:
    """Where PyTorch would run it: what ENGINE and DEVICE say, else a GPU if there is one."""
    import torch

    if settings.engine == "openvino":
        return "cpu"
    if settings.device != "auto":
        return settings.device
    return "cuda" if torch.cuda.is_available() else "cpu"


def choose(
    config: Any, inputs: Sequence[str], room: int, source: Source, device: str, settings: Settings
) -> tuple[str, NetworkRunner]:
    """OpenVINO where it is asked for or can be; PyTorch is the reference.

    `room` is how many tokens fit the network at once.
    """
    name = source.name
    if settings.engine == "onnx":
        raise ModelError(f"ENGINE=onnx: {name} runs on openvino or torch (auto: the faster one)")
    tried = config.model_type in CONVERTED
    if device == "cpu" and (settings.engine == "openvino" or (settings.engine == "auto" and tried)):
        try:
            return "openvino", _converted(int(config.vocab_size), inputs, room, source)
        except Exception as error:  # a converter raises many kinds
            if settings.engine == "openvino":
                logger.error("OpenVINO cannot run %s", name, exc_info=error)
                raise ModelError(
                    f"ENGINE=openvino: {name} could not be converted"
                    f" ({type(error).__name__}); ENGINE=torch runs it"
                ) from None
            logger.warning(
                "%s runs on PyTorch, which is slower here: %s. ENGINE=openvino logs the whole"
                " reason; ENGINE=torch leaves out the trial",
                name,
                _reason(error),
            )
    return "torch", TorchRunner(source.network(half=device.startswith("cuda")), device)


def _reason(error: Exception) -> str:
    """Return an error's first line, with its kind where it is not one of ours."""
    line = (str(error).strip().splitlines() or [""])[0].rstrip(".")
    return line if isinstance(error, ModelError) else f"{type(error).__name__}: {line}"


def _converted(vocabulary: int, inputs: Sequence[str], room: int, source: Source) -> NetworkRunner:
    """The network in OpenVINO, in the fastest precision in which it says what PyTorch's says.

    What is found out is kept: later the PyTorch network is not even loaded.
    """
    trial, why = None, ""
    for precision in conversion.precisions():
        kept = source.kept / precision
        if (kept / REFUSED).is_file():
            why = (kept / REFUSED).read_text(encoding="utf-8")
        elif kept.is_dir():
            return conversion.load(inputs, kept)
        else:
            trial = trial or ParityTrial.of(source.network(), inputs, vocabulary, room)
            with fresh_folder(kept) as made:
                conversion.make(trial.network, inputs, room, precision, made)
                forward = conversion.load(inputs, made)
                why = trial.differs(forward)
                if why:  # nobody should find the network without it, nor keep it
                    for file in made.iterdir():
                        file.unlink()
                    (made / REFUSED).write_text(why, encoding="utf-8")
            if not why:
                return forward
            logger.warning("%s does not run in %s: %s", source.name, precision, why)
    raise ModelError(why)


class ParityTrial(NamedTuple):
    """A network of PyTorch, tokens, and what it says of them."""

    network: Any
    given: Sequence[Inputs]
    expected: Sequence[Logits]

    @classmethod
    def of(cls, network: Any, inputs: Sequence[str], vocabulary: int, room: int) -> "ParityTrial":
        """Rows of random tokens, of several lengths up to `room`, some of them filled up."""
        given = list(_drawn(inputs, vocabulary, room))
        return cls(network, given, TorchRunner(network, "cpu")(given))

    def differs(self, forward: NetworkRunner) -> str:
        """How another engine's chances differ, in words; empty if they agree: some do not."""
        differences = []
        found = forward(self.given)
        for inputs, reference, logits in zip(self.given, self.expected, found, strict=True):
            apart = np.abs(softmax(logits) - softmax(reference)).max(axis=-1)
            seen = inputs["attention_mask"].astype(bool)
            differences.append(apart[seen] if apart.ndim == 2 else apart)
        worst = float(np.quantile(np.concatenate(differences), 0.99))
        if worst <= AGREEMENT:
            return ""
        return f"1 % of its chances differ from PyTorch's by {worst:.2g} and more"


def _drawn(inputs: Sequence[str], vocabulary: int, room: int) -> Iterator[Inputs]:
    draw = np.random.default_rng(0)
    for rows, longest in ((1, 7), (2, 48), (3, 160)):
        width = min(longest, room)
        given = {name: np.zeros((rows, width), np.int64) for name in inputs}
        given["input_ids"][:] = draw.integers(1, vocabulary, (rows, width))
        ends = np.array([[width], [5], [width // 2]])[:rows]
        given["attention_mask"][:] = np.arange(width) < ends
        yield given


def softmax(logits: Logits) -> Logits:
    """Logits to chances that add up to 1, along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    found: Logits = powers / powers.sum(axis=-1, keepdims=True)
    return found


class TorchRunner:
    """A network of PyTorch on a device."""

    at_once = 1

    def __init__(self, network: Any, device: str) -> None:
        self._network = network.to(device)
        self._device = device

    def __call__(self, batches: Iterable[Inputs]) -> list[Logits]:
        """The logits of each batch."""
        import torch

        with torch.inference_mode():
            return [self._logits(torch, batch) for batch in batches]

    def _logits(self, torch: Any, batch: Inputs) -> Logits:
        given = {name: torch.from_numpy(ids).to(self._device) for name, ids in batch.items()}
        found: Logits = self._network(**given).logits.float().cpu().numpy()
        return found
