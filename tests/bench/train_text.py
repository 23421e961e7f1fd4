"""Trainings of texts from few annotations: quality on unseen texts, and minutes.

Each training runs in a process of its own, as in a job, on one thread, the default.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from typing import Any

from backends.ner import NerBackend
from backends.text_classification import TextClassificationBackend
from shared.backend import Backend
from shared.backend.training import TrainedWeights, TrainingRun
from shared.cli.demo.training_data import messages, sentences
from shared.label_studio.label_config import LabelConfig
from shared.pipeline.runtime import runtime
from tests.bench.table import Row, Size, show, size_of, sized
from tests.evaluation.dataset.building import build, task

BACKENDS: dict[str, type[Backend]] = {
    "ner": NerBackend,
    "text_classification": TextClassificationBackend,
}
SPLIT = (0.85, 0.15)
UNSEEN, UNSEEN_FROM = 100, 1_000_000
ENVIRONMENT = {"NER_MODEL": "starter", "TEXT_CLASSIFICATION_MODEL": "starter", "DEVICE": "cpu"}


def rows(size: Size) -> Iterator[Row]:
    """The figures that trainings are held to, where the whole is done."""
    epochs = sized(size, 0, 0, 1)
    whole = size != "smallest"
    with tempfile.TemporaryDirectory() as folder:
        shown = list(islice(_distinct(sentences.write_sentence), sized(size, 200, 200, 20)))
        seconds, memory = train("ner", sentences.LABEL_CONFIG, shown, Path(folder) / "ner", epochs)
        f1 = entity_f1(Path(folder) / "ner" / "out", shown)
        name = f"Entities from {len(shown)} sentences, {UNSEEN} with unseen names"
        yield Row(name, "F1", (f1,), at_least=0.85 if whole else None)
        yield Row(name, "s", (seconds,), at_most=600)
        yield Row(name, "MB at the most", (memory,))
    for number in sized(size, (60, 200), (60,), (30,)):
        yield from class_rows(number, "linear", whole and number == 60)
    if size == "whole":
        yield from class_rows(200, "full", bound=False)


def class_rows(number: int, method: str, bound: bool) -> Iterator[Row]:
    """The figures of a training on so many messages."""
    with tempfile.TemporaryDirectory() as folder:
        shown = list(islice(_distinct(messages.write_message), number))
        output = Path(folder) / "classes"
        os.environ["TEXT_CLASSIFICATION_TRAIN"] = method
        seconds, memory = train("text_classification", messages.LABEL_CONFIG, shown, output, 0)
        name = f"Three classes from {number} texts ({method}), {UNSEEN} unseen"
        accuracy = class_accuracy(output / "out", shown)
        yield Row(name, "accuracy", (accuracy,), at_least=0.9 if bound else None)
        yield Row(name, "s", (seconds,), at_most=120 if bound else None)
        yield Row(name, "MB at the most", (memory,))


def train(
    name: str, xml: str, shown: Sequence[Any], folder: Path, epochs: int
) -> tuple[float, float]:
    """Train in another process; return the seconds, its start with them, and its memory in MB."""
    folder.mkdir()
    raws = [task(number, {"text": one.text}, one.results()) for number, one in enumerate(shown, 1)]
    dataset = build(folder, xml, raws, "jsonl", split=SPLIT, near_duplicates=False).folder
    order = {"backend": name, "xml": xml, "dataset": str(dataset), "epochs": epochs}
    start = time.perf_counter()
    ran = subprocess.run(
        [sys.executable, "-m", "tests.bench.train_text", "--train"],
        input=json.dumps(order | {"output": str(folder / "out")}),
        env=os.environ | ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    return time.perf_counter() - start, int(ran.stdout.split()[-1]) / 1024


def train_here(order: dict[str, Any]) -> None:
    """Train as the order says, and write the memory in KB."""
    config = LabelConfig.parse(order["xml"])
    [control] = config.controls
    Path(order["output"]).mkdir()
    run = TrainingRun(
        config,
        control,
        tuple(control.labels),
        Path(order["dataset"]),
        None,
        Path(order["output"]),
        max_epochs=order["epochs"],
    )
    BACKENDS[order["backend"]](label_config=config.xml, served=True).train(run)
    sys.stdout.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))


def entity_f1(folder: Path, shown: Sequence[Any]) -> float:
    """Return the F1 of spans in sentences whose medicines the training has not seen."""
    seen = {one.text[start:end] for one in shown for start, end, _ in one.spans}
    fresh = (
        one
        for one in _distinct(sentences.write_sentence, UNSEEN_FROM)
        if not any(one.text[s:e] in seen for s, e, label in one.spans if label == "Medicine")
    )
    unseen = list(islice(fresh, UNSEEN))
    hits = due = 0
    found = predict("ner", sentences.LABEL_CONFIG, folder, [one.text for one in unseen])
    for one, results in zip(unseen, found, strict=True):
        values = [result["value"] for result in results]
        spans = {(value["start"], value["end"], *value["labels"]) for value in values}
        hits += len(spans & set(one.spans))
        due += len(spans) + len(one.spans)
    return 2 * hits / due


def class_accuracy(folder: Path, shown: Sequence[Any]) -> float:
    """Return the share of right choices for messages that the training has not seen."""
    seen = {one.text for one in shown}
    fresh = (one for one in _distinct(messages.write_message, UNSEEN_FROM) if one.text not in seen)
    unseen = list(islice(fresh, UNSEEN))
    texts = [one.text for one in unseen]
    found = predict("text_classification", messages.LABEL_CONFIG, folder, texts)
    choices = [[one["value"]["choices"] for one in results] for results in found]
    return sum(one == [[m.label]] for one, m in zip(choices, unseen, strict=True)) / UNSEEN


def predict(name: str, xml: str, folder: Path, texts: Sequence[str]) -> list[list[Any]]:
    """Return the results of the trained weights, by the pipeline that serves them."""
    config = LabelConfig.parse(xml)
    own = {config.controls[0].name: TrainedWeights(name, folder, "v1-0a1b2c3d")}
    backend = BACKENDS[name](label_config=xml, served=True, trained_weights=own)
    plan = runtime().planner.plan(config, [backend], [name])
    tasks = [{"id": number, "data": {"text": text}} for number, text in enumerate(texts)]
    return [one.to_response()["result"] for one in runtime().pipeline.run(plan, tasks)]


def _distinct(write: Any, start: int = 0) -> Iterator[Any]:
    """Yield what is written for the seeds from `start` on, each text once."""
    seen: set[str] = set()
    for seed in count(start):
        one = write(seed)
        if one.text not in seen:
            seen.add(one.text)
            yield one


if __name__ == "__main__":
    if "--train" in sys.argv:
        train_here(json.loads(sys.stdin.read()))
    else:
        sys.exit(0 if all(row.held for row in show(rows(size_of(sys.argv)))) else 1)
