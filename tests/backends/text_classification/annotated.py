"""Datasets of annotated messages, built as a training's are, and runs on them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shared.backend.training import TrainingRun
from shared.cli.demo.training_data.messages import LABEL_CONFIG, LABELS, Message, write_message
from shared.label_studio.label_config import LabelConfig
from tests.evaluation.dataset.building import build, task


def write_dataset(
    folder: Path, messages: Sequence[Message], split: tuple[float, ...] = (0.85, 0.15)
) -> Path:
    """Build the dataset of annotated messages, and return its folder."""
    raws = [
        task(number, {"text": one.text}, one.results()) for number, one in enumerate(messages, 1)
    ]
    return build(folder, LABEL_CONFIG, raws, "jsonl", split=split, near_duplicates=False).folder


def run_on(dataset: Path, output: Path, xml: str = LABEL_CONFIG, **options: Any) -> TrainingRun:
    """Return a run for the messages' labels."""
    output.mkdir(parents=True, exist_ok=True)
    config = LabelConfig.parse(xml)
    options = {"labels": LABELS, "base": None} | options
    return TrainingRun(config, config.controls[0], dataset=dataset, output=output, **options)


def messages(count: int, start: int = 0) -> list[Message]:
    """Return messages of which no two are the same."""
    found: dict[str, Message] = {}
    while len(found) < count:
        one = write_message(start)
        found.setdefault(one.text, one)
        start += 1
    return list(found.values())
