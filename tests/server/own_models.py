"""A backend whose trained weights are a word, and versions of it on disk."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from shared.backend.base import Backend
from shared.backend.claim import Claim, ModelSpec
from shared.errors import ModelError
from shared.label_studio.control_tag import Control
from shared.results import Region, TextSpan, region
from shared.training.version_store import TrainedVersion, VersionStore

XML = """<View>
  <Labels name="label" toName="text"><Label value="Word"/></Labels>
  <Text name="text" value="$text"/>
</View>"""


class LearnedWordBackend(Backend):
    """Says its word of the start of a text: `base`, or that in the file `word` of its weights.

    The word `broken` cannot be loaded; `hold` only when `gate` is open.
    """

    name = "learned"
    fills = frozenset({("Labels", "Text")})
    gate: ClassVar[threading.Event] = threading.Event()
    loads: ClassVar[list[str]] = []

    def spec(self, control: Control) -> ModelSpec:
        return self.trained_spec(control) or ModelSpec(self.name, "base")

    def weights(self, spec: ModelSpec) -> Iterable[Path]:
        if not spec.trained_version:
            return ()
        file = Path(spec.model) / "word"
        if not file.is_file():
            raise ModelError("word is missing")
        return (file,)

    def load(self, spec: ModelSpec) -> Any:
        files = list(self.weights(spec))
        word = files[0].read_text() if files else "base"
        self.loads.append(word)
        if word == "broken":
            raise ModelError("word cannot be read")
        if word == "hold":
            self.gate.wait(30)
        return word

    def infer(self, model: Any, items: list[Any]) -> Sequence[Any]:
        if items[0].startswith("slow"):
            time.sleep(0.5)
        return [(model, item) for item in items]

    def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
        word, text = output
        shape = TextSpan(0, 4)
        yield region(shape, {claim.control: ["Word"]}, text, 0.5, meta={"text": [word]})


class OtherBackend(LearnedWordBackend):
    """Fills the same, and was not trained."""

    name = "other"


def add_version(
    store: VersionStore, project: str, word: str, backend: str = "learned", control: str = "label"
) -> TrainedVersion:
    """Add a version whose weights are a word."""
    staged = store.project_folder(project) / f"staged-{word}"
    (staged / "weights").mkdir(parents=True)
    (staged / "weights" / "word").write_text(word)
    details = {"snapshot": word.ljust(8, "0"), "created": "2026-11-28T10:00:00Z"}
    return store.add(staged, project, backend, control, details)


def wait_until(condition: Callable[[], Any], seconds: float = 20.0) -> float:
    """Wait until a condition holds; return the seconds that it took."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, "it did not come about"
        time.sleep(0.01)
    return time.monotonic() - start
