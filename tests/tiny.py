"""Backends of a few lines: what they do depends on the text of the task."""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from shared.backend.base import Backend, Context
from shared.backend.claim import Claim, ModelSpec
from shared.errors import FetchError, ModelError
from shared.label_studio.label_config import Control, LabelConfig
from shared.label_studio.task import Task
from shared.pipeline.models import ModelRegistry
from shared.pipeline.plan import PredictionPlan
from shared.pipeline.runtime import runtime
from shared.results import Region, TextSpan, region

TEXT_CONFIG = """<View>
  <Labels name="label" toName="text"><Label value="Word"/><Label value="Other"/></Labels>
  <Text name="text" value="$text"/>
</View>"""


class WordBackend(Backend):
    """Marks the first word. `fetch: …`, `read: …`, `infer: …` and `regions: …` fail there."""

    name = "word"
    fills = frozenset({("Labels", "Text")})
    label: ClassVar[str] = "Word"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.batches: list[list[str]] = []
        self.reads = 0
        self.gate = threading.Event()
        self.gate.set()
        self._lock = threading.Lock()

    def read(self, task: Task, claim: Claim, context: Context | None) -> Any:
        with self._lock:
            self.reads += 1
        text = task.text_value(claim.object)
        if text.startswith("fetch:"):
            raise FetchError("The file is not there")
        if text.startswith("read:"):
            raise TimeoutError("/secret/path")
        return text

    def max_batch_size(self, spec: ModelSpec) -> int:
        return 4

    def infer(self, model: Any, items: list[Any]) -> Sequence[Any]:
        self.gate.wait(60)
        self.batches.append(items)
        if any(item.startswith("infer:") for item in items):
            raise RuntimeError("/secret/path")
        if any(item.startswith("slow:") for item in items):
            time.sleep(0.2)
        return items

    def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
        if output.startswith("regions:"):
            raise KeyError("/secret/path")
        label = "Unheard of" if output.startswith("unknown:") else self.label
        span = TextSpan(0, len(output.split(" ")[0]))
        yield region(span, {claim.control: [label]}, source=output, score=0.5)


class PromptBackend(WordBackend):
    """Answers what the user has just drawn."""

    name = "prompt"
    interactive = True


class BrokenBackend(WordBackend):
    """Its model cannot be loaded."""

    name = "broken"

    def default_specs(self) -> Iterable[ModelSpec]:
        return (ModelSpec("broken", "weights.bin"),)

    def spec(self, control: Control) -> ModelSpec:
        return ModelSpec("broken", "weights.bin")

    def load(self, spec: ModelSpec) -> Any:
        raise ModelError("weights.bin was not found in MODEL_DIR")


class FileBackend(WordBackend):
    """Its version depends on a file, on options of the model and on options of the regions."""

    name = "file"
    file: ClassVar[Path]
    size: ClassVar[int] = 1
    threshold: ClassVar[float] = 0.5

    def spec(self, control: Control) -> ModelSpec:
        return ModelSpec("file", str(self.file), (("size", self.size),))

    def options(self, control: Control) -> Mapping[str, Any]:
        return {"threshold": self.threshold}

    def weights(self, spec: ModelSpec) -> Iterable[Path]:
        return (self.file,)


def made(backend_class: type[Backend], xml: str = TEXT_CONFIG) -> Any:
    """An object of the class, as the server makes it."""
    return backend_class(label_config=xml, served=True)


def routed(*backends: Backend, xml: str = TEXT_CONFIG) -> PredictionPlan:
    """The route of a label config through these backends."""
    return runtime().planner.plan(
        LabelConfig.parse(xml), backends, [backend.name for backend in backends]
    )


def close_models(registry: ModelRegistry) -> None:
    """Close a registry, and wait until the memory of its models is free."""
    queues = [entry.queue for entry in registry.all_models() if entry.queue is not None]
    registry.close()
    for queue in queues:
        queue.join(60)


def tasks(*texts: Any) -> list[Any]:
    """A task for each text, with ids from 1 on."""
    return [{"id": number, "data": {"text": text}} for number, text in enumerate(texts, start=1)]
