"""The columns of a Hugging Face dataset, by the label config."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from shared.backend.extras import require
from shared.errors import SettingError
from shared.evaluation.annotated_task import labels_of
from shared.evaluation.dataset.file_names import UniqueNames
from shared.evaluation.dataset.pictures import names_regions
from shared.evaluation.dataset.sample import Sample
from shared.evaluation.dataset.sampler import TEXT_TAGS
from shared.evaluation.dataset.text_spans import read_spans, span_controls
from shared.evaluation.dataset.writer import SampleFile, WriterContext
from shared.label_studio.label_config import Control, ObjectTag

# What a column of each kind of object tag is called, unless there are several.
OBJECT_COLUMNS = {"Image": "image", "Audio": "audio", **dict.fromkeys(TEXT_TAGS, "text")}
NUMBER_TAGS = ("Rating", "Number")


@dataclass(frozen=True)
class Row:
    """What a row is made of: a sample, and the picture or recording if it has one."""

    sample: Sample
    file: SampleFile | None

    @property
    def answers(self) -> dict[str, Any]:
        """The values for the whole task, or for the picture's place in a list."""
        return self.sample.answers_for(self.file.item if self.file else None)


@dataclass(frozen=True)
class Column:
    """A column: its name, its type (a feature of `datasets`), and how a row's value is read."""

    name: str
    feature: Any
    read: Callable[[Row], Any]


class ColumnMaker:
    """Makes the columns: id, what object tags show, spans, and values for the whole task."""

    def __init__(self, context: WriterContext) -> None:
        self._context = context
        self._datasets = require("datasets", "dataset")
        self._names = UniqueNames()

    def make(self) -> list[Column]:
        """Return the columns; SettingError if the label config has nothing for them."""
        config = self._context.config
        shown = [one for one in config.objects.values() if _column_kind(one) in OBJECT_COLUMNS]
        if not shown:
            raise SettingError(
                "--format hf is for texts, images and recordings; the label config shows"
                f" {', '.join(map(str, config.objects.values())) or 'nothing'}"
            )
        columns = [Column(self._names.take("id"), self._value("string"), _read_id)]
        for target in shown:
            columns += self._object_columns(target, shown)
        whole = [one for one in config.controls if one.answers_once]
        return columns + [self._answer_column(control) for control in whole]

    def _object_columns(self, target: ObjectTag, shown: Sequence[ObjectTag]) -> Iterator[Column]:
        kind = _column_kind(target)
        alike = [one for one in shown if OBJECT_COLUMNS[_column_kind(one)] == OBJECT_COLUMNS[kind]]
        alone = len(alike) == 1
        name = self._names.take(OBJECT_COLUMNS[kind] if alone else target.name)
        controls = span_controls(self._context.config, target.name)
        if kind in TEXT_TAGS:
            yield Column(name, self._value("string"), lambda row: _text_of(row, target.name))
            if controls:
                spans = self._names.take("spans" if alone else f"{target.name}_spans")
                yield self._spans_column(spans, target, controls)
        else:
            feature = self._datasets.Image() if kind == "Image" else self._datasets.Audio()
            yield Column(name, feature, lambda row: _file_of(row, target.name))
            if kind == "Audio" and controls:
                segments = self._names.take("segments" if alone else f"{target.name}_segments")
                yield self._segments_column(segments, target, controls)

    def _spans_column(self, name: str, target: ObjectTag, controls: list[Control]) -> Column:
        labels = self._labels_of(controls)
        config = self._context.config

        def read(row: Row) -> list[dict[str, Any]]:
            return [
                {"start": span.start, "end": span.end, "label": labels.index(span.label)}
                for span in read_spans(row.sample, target.name, config)
                if span.label in labels
            ]

        feature = {"start": self._value("int64"), "end": self._value("int64")}
        return Column(name, [{**feature, "label": self._class_label(labels)}], read)

    def _segments_column(self, name: str, target: ObjectTag, controls: list[Control]) -> Column:
        labels = self._labels_of(controls)
        names = {control.name: control for control in controls}
        texts = [c.name for c in self._context.config.controls_on(target.name) if _is_text(c)]

        def read(row: Row) -> list[dict[str, Any]]:
            found = [_segment(one, names, texts) for one in _audio_regions(row, target.name)]
            for segment in found:
                label = segment["label"]
                segment["label"] = labels.index(label) if label in labels else None
            return sorted(found, key=lambda segment: (segment["start"], segment["end"]))

        feature = {key: self._value("float64") for key in ("start", "end")}
        feature |= {"channel": self._value("int32"), "label": self._class_label(labels)}
        return Column(name, [{**feature, "text": self._value("string")}], read)

    def _answer_column(self, control: Control) -> Column:
        name = self._names.take(control.name)
        if control.tag in NUMBER_TAGS:
            return Column(name, self._value("float64"), lambda row: row.answers.get(control.name))
        if control.tag == "Choices" and not control.has_nested_choices:
            return self._choice_column(name, control)
        if control.tag in {"Taxonomy", "Choices"}:
            feature = [self._value("string")]
            return Column(
                name, feature, lambda row: labels_of(control, row.answers.get(control.name))
            )
        return Column(
            name, self._value("string"), lambda row: _as_text(row.answers.get(control.name))
        )

    def _choice_column(self, name: str, control: Control) -> Column:
        labels = list(self._context.labels[control.name])
        feature = self._class_label(labels)
        multiple = control.attrs.get("choice") == "multiple"

        def read(row: Row) -> Any:
            chosen = labels_of(control, row.answers.get(control.name))
            numbers = [labels.index(label) for label in chosen if label in labels]
            if multiple:
                return numbers
            if len(numbers) > 1:
                what = f"{control} takes one choice but has {len(numbers)}: the first is written"
                self._context.problems.add(what, row.sample.task)
            return numbers[0] if numbers else None

        return Column(name, [feature] if multiple else feature, read)

    def _labels_of(self, controls: Sequence[Control]) -> list[str]:
        labels = self._context.labels
        return list(dict.fromkeys(one for c in controls for one in labels[c.name]))

    def _class_label(self, labels: Sequence[str]) -> Any:
        return self._datasets.ClassLabel(names=list(labels))

    def _value(self, kind: str) -> Any:
        return self._datasets.Value(kind)


def _column_kind(target: ObjectTag) -> str:
    return "Audio" if target.tag == "AudioPlus" else target.tag


def _read_id(row: Row) -> str:
    return row.sample.task if row.sample.id is None else str(row.sample.id)


def _text_of(row: Row, name: str) -> str | None:
    shown = row.sample.objects.get(name)
    return str(shown["text"]) if shown else None


def _file_of(row: Row, name: str) -> dict[str, Any] | None:
    if row.file is None or row.file.object != name:
        return None
    return {"bytes": row.file.path.read_bytes(), "path": row.file.path.name}


def _audio_regions(row: Row, name: str) -> Iterator[dict[str, Any]]:
    for region in row.sample.regions:
        if region["object"] == name and region["shape"]["type"] == "audio_span":
            yield dict(region)


def _segment(
    region: dict[str, Any], controls: dict[str, Control], texts: Sequence[str]
) -> dict[str, Any]:
    values = region["values"]
    labels = [
        one
        for name, control in controls.items()
        if name in values and names_regions(control)
        for one in labels_of(control, values[name])
    ]
    text = next((_as_text(values[name]) for name in texts if name in values), None)
    shape = {key: region["shape"][key] for key in ("start", "end", "channel")}
    return {**shape, "label": labels[0] if labels else None, "text": text}


def _is_text(control: Control) -> bool:
    return control.tag == "TextArea" and control.per_region


def _as_text(value: Any) -> str | None:
    """Return a text area's texts as lines, and other values as they are or as JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return "\n".join(value)
    import orjson

    return orjson.dumps(value, default=str).decode()
