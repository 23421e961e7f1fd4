"""The texts of a training's dataset, as `shared.evaluation.dataset` writes JSON Lines."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from shared.backend.training import TrainingError, TrainingRun
from shared.evaluation.annotated_task import labels_of
from shared.evaluation.dataset.sample import Sample


class LabelledSpan(NamedTuple):
    """Code points `start` to `end` (exclusive) of a text, and a label."""

    start: int
    end: int
    label: str


class AnnotatedText(NamedTuple):
    """A text; where its passages are, which are read one by one; its spans and its classes.

    `classes` is None where nothing was chosen. All ends are exclusive.
    """

    text: str
    passages: Sequence[tuple[int, int]]
    spans: Sequence[LabelledSpan]
    classes: Sequence[str] | None


def read_texts(run: TrainingRun, part: str) -> Iterator[AnnotatedText]:
    """Yield the texts of a part, `train` or `val`, with what its control tag says of them.

    Labels that the run does not name are left out. TrainingError if there is no such part.
    """
    path = run.dataset / f"{part}.jsonl"
    if not path.is_file():
        raise TrainingError(f"the dataset has no part {part}.jsonl")
    with path.open("rb") as file:
        for line in file:
            sample = Sample.from_line(line)
            shown = sample.objects.get(run.control.to_name)
            if shown is not None and str(shown["text"]).strip():
                yield _read_text(sample, shown, run)


def _read_text(sample: Sample, shown: Mapping[str, Any], run: TrainingRun) -> AnnotatedText:
    text = shown["text"]
    passages = [(start, end) for start, end in shown.get("passages", [(0, len(text))])]
    answer = sample.answers.get(run.control.name)
    classes = [one for one in labels_of(run.control, answer) if one in run.labels]
    return AnnotatedText(
        text, passages, list(_read_spans(sample, run)), classes if answer is not None else None
    )


def _read_spans(sample: Sample, run: TrainingRun) -> Iterator[LabelledSpan]:
    for region in sample.regions:
        value = region["values"].get(run.control.name)
        if value is not None and region["shape"]["type"] == "span":
            start, end = region["shape"]["start"], region["shape"]["end"]
            for label in labels_of(run.control, value):
                if label in run.labels and start < end:
                    yield LabelledSpan(start, end, label)
