"""A small real trainable backend, and export files of annotated texts that it learns from."""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from shared.backend import Backend, Claim, Control, ModelSpec
from shared.backend.training import TrainingRun
from shared.results import Region, whole_task

WEIGHTS = "words.json"
CONFIG = """<View>
  <Text name="text" value="$text"/>
  <Choices name="topic" toName="text">
    <Choice value="Sport"/><Choice value="Food"/><Choice value="Music"/>
  </Choices>
</View>"""
WORDS: dict[str, list[str]] = {
    label: words.split()
    for label, words in {
        "Sport": "goal match team race ball player league coach stadium score",
        "Food": "bread soup cheese dinner spoon kitchen recipe salt butter plate",
        "Music": "song violin choir melody drum piano concert opera rhythm tune",
    }.items()
}
FILLERS = [f"{a}{b}" for a in "bcdfghjklm" for b in ("ale", "ove", "int", "ust", "ear", "old")]
# What a test lets the trainer do before it learns, or after it has written its weights.
Trick = Callable[[TrainingRun], None]


class WordsBackend(Backend):
    """Gives a text the choice with which most of its words came in the training."""

    name = "words"
    fills = frozenset({("Choices", "Text")})
    dataset_format = "jsonl"
    runs: ClassVar[list[TrainingRun]] = []
    before: ClassVar[Trick | None] = None
    after: ClassVar[Trick | None] = None
    epochs: ClassVar[int] = 3

    def spec(self, control: Control) -> ModelSpec:
        return self.trained_spec(control) or ModelSpec(self.name, self.name)

    def weights(self, spec: ModelSpec) -> Iterable[Path]:
        return (Path(spec.model) / WEIGHTS,) if spec.trained_version else ()

    def load(self, spec: ModelSpec) -> Mapping[str, Mapping[str, int]]:
        if not spec.trained_version:
            return {}
        found: dict[str, dict[str, int]] = json.loads((Path(spec.model) / WEIGHTS).read_text())
        return found

    def infer(self, model: Mapping[str, Mapping[str, int]], items: list[Any]) -> Sequence[Any]:
        return [(sorted(model), _choose(model, item)) for item in items]

    def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
        classes, best = output
        labels = claim.labels_for(classes)
        if best in labels:
            yield whole_task(claim.control, labels[best], score=0.9)

    def train(self, run: TrainingRun) -> None:
        self.runs.append(run)
        if type(self).before is not None:
            type(self).before(run)
        name = run.control.name
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for line in (run.dataset / "train.jsonl").read_text().splitlines():
            sample = json.loads(line)
            for label in _as_list(sample["answers"].get(name, [])):
                counts[label].update(sample["objects"]["text"]["text"].split())
        for epoch in range(1, self.epochs + 1):
            if not run.report(epoch, self.epochs, loss=1 / epoch, accuracy=1 - 0.5 / epoch):
                break
        (run.output / WEIGHTS).write_text(json.dumps(counts))
        if type(self).after is not None:
            type(self).after(run)


def _choose(model: Mapping[str, Mapping[str, int]], text: str) -> str | None:
    scores = {
        label: sum(counts.get(word, 0) for word in text.split()) for label, counts in model.items()
    }
    best = max(scores, key=lambda label: (scores[label], label), default=None)
    return best if best is not None and scores[best] else None


def _as_list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def text_about(label: str, seed: int) -> str:
    """A text like no other: four words of its label among fillers."""
    drawn = random.Random(f"{label}{seed}")
    words = drawn.sample(WORDS[label], 4) + drawn.sample(FILLERS, 8)
    drawn.shuffle(words)
    return " ".join(words)


def choice(label: str, name: str = "topic") -> dict[str, Any]:
    return {
        "id": f"{name}-{label}",
        "type": "choices",
        "from_name": name,
        "to_name": "text",
        "value": {"choices": [label]},
    }


def annotated(number: int, text: str, *results: Mapping[str, Any], **keys: Any) -> dict[str, Any]:
    annotation = {"id": 1000 + number, "result": list(results), "was_cancelled": False, **keys}
    return {"id": number, "data": {"text": text}, "annotations": [annotation]}


def texts(count: int, labels: Sequence[str] = ("Sport", "Food", "Music")) -> list[dict[str, Any]]:
    """So many annotated texts, whose labels take turns."""
    found = []
    for number in range(count):
        label = labels[number % len(labels)]
        found.append(annotated(number + 1, text_about(label, number), choice(label)))
    return found


def write_export(folder: Path, tasks: Sequence[Mapping[str, Any]], name: str = "export") -> Path:
    file = folder / f"{name}.json"
    file.write_text(json.dumps(list(tasks)))
    return file
