"""A detector from 60 annotated pictures: python -m tests.bench.train_detection [--quick]

Three drawn shapes that the starter has never seen are annotated on 60 pictures; the training goes
through the dataset of Label Studio's annotations and Ultralytics' trainer, as a job's does, on one
thread. Then its version predicts 100 other pictures. A benchmark of the accuracy that a user gets
for an afternoon of annotating, and of the time that it takes on two cores.
"""

import base64
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from backends.detection import DetectionBackend
from shared.backend.training import TrainedWeights, TrainingRun
from shared.cli.demo.training_data.shapes import LABEL_CONFIG, LABELS, draw_picture
from shared.evaluation.annotated_task import TaskReader
from shared.evaluation.evaluation import Evaluation
from shared.evaluation.problems import ProblemLog
from shared.label_studio.label_config import LabelConfig
from shared.media.reader import MediaReader
from shared.settings import Settings, changed_environment
from tests.bench.table import Row, Size, show, size_of, sized
from tests.evaluation.dataset.building import build, task

TRAINED, UNSEEN, THREADS = 60, 100, 1
FIRST_UNSEEN = 1_000_000
TAG, VERSION = "shape", "v1-00000000"
# Average precision is about all boxes, not only those that a user would be shown.
SETTINGS = {"DETECTION_MODEL": "starter", "DETECTION_SCORE_THRESHOLD": "0.01"}


def rows(size: Size = "whole") -> Iterator[Row]:
    """The precision on unseen pictures, and the time of the training."""
    annotated, unseen = sized(size, TRAINED, TRAINED, 8), sized(size, UNSEEN, UNSEEN, 4)
    with tempfile.TemporaryDirectory() as name, changed_environment(SETTINGS):
        output = Path(name) / "weights"
        start, cpu_start = time.monotonic(), time.process_time()
        train(Path(name), output, annotated, epochs=sized(size, 0, 20, 1))
        minutes = (time.monotonic() - start) / 60
        cpu_minutes = (time.process_time() - cpu_start) / 60
        precision = average_precision(output, unseen)
    what = f"detection trained on {annotated} pictures of new shapes: "
    yield Row(f"{what}mAP50 on {unseen} others", "", (precision,), at_least=0.8)
    yield Row(f"{what}time", "minutes", (minutes,), at_most=15)
    # What it takes where nothing else runs.
    yield Row(f"{what}time of the processor", "minutes", (cpu_minutes,))


def train(folder: Path, output: Path, count: int, epochs: int) -> None:
    """Train on the annotations of so many pictures."""
    tasks = annotated_tasks(range(count))
    dataset = build(folder, LABEL_CONFIG, tasks, "yolo", split=(0.9, 0.1)).folder
    config = LabelConfig.parse(LABEL_CONFIG)
    output.mkdir()
    run = TrainingRun(
        config, config.controls[0], LABELS, dataset, None, output,
        threads=THREADS, max_epochs=epochs, on_epoch=report,
    )  # fmt: skip
    DetectionBackend(label_config=LABEL_CONFIG).train(run)


def report(epoch: int, epochs: int, metrics: dict[str, float]) -> bool:
    sys.stderr.write(f"\repoch {epoch} of {epochs}: {metrics}")
    return True


def average_precision(output: Path, count: int) -> float:
    """Return AP50 of the version in `output` on so many unseen pictures, by our own metric."""
    weights = {TAG: TrainedWeights("detection", output, VERSION)}
    backend = DetectionBackend(label_config=LABEL_CONFIG, trained_weights=weights)
    tasks = annotated_tasks(range(FIRST_UNSEEN, FIRST_UNSEEN + count))
    made = backend.predict([{"id": one["id"], "data": one["data"]} for one in tasks])
    config, problems = LabelConfig.parse(LABEL_CONFIG), ProblemLog()
    evaluation, media = Evaluation(config, versions=[VERSION]), MediaReader(Settings())
    reader = TaskReader(config, media, problems)
    for number, (one, predicted) in enumerate(zip(tasks, made, strict=True)):
        predictions = [{**dict(predicted), "model_version": VERSION}]
        read = reader.read({**one, "predictions": predictions}, number)
        assert read is not None
        evaluation.add(read)
    media.close()
    figures = evaluation.report()["versions"][VERSION]["controls"][TAG]
    return float(figures["ap50"])


def annotated_tasks(seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Tasks whose pictures stand in them, with an annotation each."""
    pictures = [(seed, draw_picture(seed)) for seed in seeds]
    return [
        task(
            seed,
            {"image": "data:image/png;base64," + base64.b64encode(picture.png()).decode()},
            picture.results(),
        )
        for seed, picture in pictures
    ]


if __name__ == "__main__":
    show(rows(size_of(sys.argv[1:])), "--markdown" in sys.argv)
