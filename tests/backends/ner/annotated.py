"""Datasets of annotated sentences, built as a training's are, and runs on them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shared.backend.training import TrainingRun
from shared.cli.demo.training_data.sentences import LABEL_CONFIG, LABELS, Sentence, write_sentence
from shared.label_studio.label_config import LabelConfig
from tests.evaluation.dataset.building import build, task


def write_dataset(
    folder: Path, sentences: Sequence[Sentence], split: tuple[float, ...] = (0.85, 0.15)
) -> Path:
    """Build the dataset of annotated sentences, and return its folder."""
    raws = [
        task(number, {"text": one.text}, one.results()) for number, one in enumerate(sentences, 1)
    ]
    return build(folder, LABEL_CONFIG, raws, "jsonl", split=split, near_duplicates=False).folder


def run_on(dataset: Path, output: Path, **options: Any) -> TrainingRun:
    """Return a run for the sentences' labels."""
    output.mkdir(parents=True, exist_ok=True)
    config = LabelConfig.parse(LABEL_CONFIG)
    options = {"labels": LABELS, "base": None} | options
    return TrainingRun(config, config.controls[0], dataset=dataset, output=output, **options)


def sentences(count: int, start: int = 0) -> list[Sentence]:
    """Return sentences of which no two are the same."""
    found: dict[str, Sentence] = {}
    while len(found) < count:
        one = write_sentence(start)
        found.setdefault(one.text, one)
        start += 1
    return list(found.values())
