"""Fills $control on $object."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from shared.backend import (
    Backend,
    Claim,
    Context,
    Control,
    Image,
    ModelSpec,
    Passages,
    Task,
    TrainingError,
    TrainingRun,
    ValueTypeError,
    select_choices,
)
from shared.results import (
    AudioSpan,
    Bitmask,
    Brush,
    Ellipse,
    KeyPoint,
    Polygon,
    Rectangle,
    Region,
    TimelineSpan,
    TimeSeriesSpan,
    Vector,
    VideoBox,
    VideoTrack,
    mask_to_polygons,
    region,
    whole_task,
)

from .clip import Clip
from .model import Detection, Model
from .series import Series
from .sound import Sound
from .trained_model import TrainedModel

EPOCHS = 100


class NewBackend(Backend):
    """Fills $control on $object."""

    name = "$name"
    fills = frozenset({("$control", "$object")})
    modules = ()
    dataset_format__trainable = "jsonl"

    def options__choices(self, control: Control) -> Mapping[str, Any]:
        return {"score_threshold": control.get_number("model_score_threshold", 0.5, 0.0, 1.0)}

    def spec__trainable(self, control: Control) -> ModelSpec:
        return self.trained_spec(control) or ModelSpec(self.name, self.name)

    def weights__trainable(self, spec: ModelSpec) -> Iterable[Path]:
        return [Path(spec.model) / TrainedModel.file] if spec.trained_version else []

    def load__fixed(self, spec: ModelSpec) -> Model:
        """Called once per process: what takes time, such as reading weights, belongs here."""
        return Model()

    def load__trainable(self, spec: ModelSpec) -> Model | TrainedModel:
        """Called once per process: what takes time, such as reading weights, belongs here."""
        return TrainedModel.load(Path(spec.model)) if spec.trained_version else Model()

    def train__trainable(self, run: TrainingRun) -> None:
        """Learn from the annotated examples; called in a process of its own."""
        items, labels = self.read_examples__trainable(run, "train")
        if len(set(labels)) < 2:
            found = ", ".join(sorted(set(labels))) or "none"
            raise TrainingError(f"{run.control} needs examples of two labels; there are: {found}")
        model = TrainedModel.untrained(list(run.labels))
        epochs = run.max_epochs or EPOCHS
        for epoch in range(1, epochs + 1):
            if not run.report(epoch, epochs, loss=model.learn(items, labels)):
                break
        model.save(run.output)

    def read_examples__trainable(self, run: TrainingRun, part: str) -> tuple[list[Any], list[str]]:
        """Return the items of a part of the dataset that have one label, and that label."""
        name, to_name = run.control.name, run.control.to_name
        with (run.dataset / f"{part}.jsonl").open(encoding="utf-8") as file:
            samples = [json.loads(line) for line in file]
        samples = [one for one in samples if len(one["answers"].get(name) or ()) == 1]
        items = [self.read_example__image(one["id"], one["objects"][to_name]) for one in samples]
        return items, [one["answers"][name][0] for one in samples]

    def read_example__image(self, task_id: Any, shown: dict[str, Any]) -> Image:
        return self.media.read_image(shown["addresses"][0], task_id)

    def read_example__text(self, task_id: Any, shown: dict[str, Any]) -> Passages:
        return Passages.from_text(shown["text"])

    def read__text(self, task: Task, claim: Claim, context: Context | None) -> Passages:
        return Passages.read(task, claim.object, self.media)

    def read__audio(self, task: Task, claim: Claim, context: Context | None) -> Sound:
        return Sound.decode(self.media.fetch(task.text_value(claim.object), task.id))

    def read__video(self, task: Task, claim: Claim, context: Context | None) -> Clip:
        return Clip.read(task, claim.object, self.media)

    def read__timeseries(self, task: Task, claim: Claim, context: Context | None) -> Series:
        return Series.read(task, claim.object, self.media)

    def read__text_pair(self, task: Task, claim: Claim, context: Context | None) -> list[str]:
        names = (name.strip() for name in claim.control.attrs["toName"].split(","))
        sides = [self.config.objects[name] for name in names]
        return [task.read_text(side, self.media) for side in sides]

    def read__image_pair(self, task: Task, claim: Claim, context: Context | None) -> list[Image]:
        names = (name.strip() for name in claim.control.attrs["toName"].split(","))
        sides = [self.config.objects[name] for name in names]
        return [self.media.read_image(task.text_value(side), task.id) for side in sides]

    def read__list(self, task: Task, claim: Claim, context: Context | None) -> list[dict[str, Any]]:
        items = task.object_value(claim.object)
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise ValueTypeError(f"{claim.object.shown_value} should be a list of objects")
        return items

    def infer__fixed(self, model: Model, items: list[Any]) -> Sequence[Any]:
        return model.predict__choices(items)

    def infer__trainable(self, model: Model | TrainedModel, items: list[Any]) -> Sequence[Any]:
        return model.predict__choices(items)

    def regions__choices(self, output: Any, claim: Claim) -> Iterable[Region]:
        selection = select_choices(output, claim, one=True)
        if selection is not None:
            yield whole_task(claim.control, selection.answer, selection.score)

    def regions__rating(self, output: Any, claim: Claim) -> Iterable[Region]:
        stars = claim.control.get_number("maxRating", 5, 1, 100)
        yield whole_task(claim.control, 1 + round(output * (stars - 1)))

    def regions__number(self, output: Any, claim: Claim) -> Iterable[Region]:
        low = claim.control.get_number("min", 0, -1e9, 1e9)
        high = claim.control.get_number("max", low + 100, low, 1e9)
        yield whole_task(claim.control, round(low + output * (high - low), 2))

    def regions__value(self, output: Any, claim: Claim) -> Iterable[Region]:
        yield whole_task(claim.control, output)

    def regions__labelled(self, output: Any, claim: Claim) -> Iterable[Region]:
        labels = claim.labels_for(Model.classes__image_regions)
        for detection in output:
            if detection.name in labels:
                values = {claim.control: [labels[detection.name]]}
                yield region(shape__box(detection), values, detection.size, detection.score)

    def regions__unlabelled(self, output: Any, claim: Claim) -> Iterable[Region]:
        for detection in output:
            values = {claim.control: None}
            yield region(shape__box(detection), values, detection.size, detection.score)

    def regions__text_spans(self, output: Any, claim: Claim) -> Iterable[Region]:
        text, entities = output
        labels = claim.labels_for(Model.classes__text_spans)
        for entity in entities:
            if entity.name in labels:
                span = text.to_shape(entity.passage, entity.start, entity.end)
                yield region(
                    span, {claim.control: [labels[entity.name]]}, text.source, entity.score
                )

    def regions__audio_spans(self, output: Any, claim: Claim) -> Iterable[Region]:
        sound, segments = output
        labels = claim.labels_for(Model.classes__audio_spans)
        for segment in segments:
            if segment.name in labels:
                span = AudioSpan(segment.start, segment.end)
                values = {claim.control: [labels[segment.name]]}
                yield region(span, values, sound.seconds, segment.score)

    def regions__timeseries_spans(self, output: Any, claim: Claim) -> Iterable[Region]:
        labels = claim.labels_for(Model.classes__timeseries_spans)
        for segment in output:
            if segment.name in labels:
                span = TimeSeriesSpan(segment.start, segment.end)
                values = {claim.control: [labels[segment.name]]}
                time_format = claim.object.attrs.get("timeFormat")
                yield region(span, values, time_format, segment.score)

    def regions__video_track(self, output: Any, claim: Claim) -> Iterable[Region]:
        clip, boxes = output
        track = [VideoBox(box.frame, Rectangle.from_xyxy(box.xyxy)) for box in boxes]
        if track:
            yield region(VideoTrack(track), {claim.control: None}, clip.video)

    def regions__video_spans(self, output: Any, claim: Claim) -> Iterable[Region]:
        clip, segments = output
        labels = claim.labels_for(Model.classes__video_spans)
        for segment in segments:
            if segment.name in labels:
                span = TimelineSpan(segment.start, segment.end)
                values = {claim.control: [labels[segment.name]]}
                yield region(span, values, clip.video, segment.score)


def shape__box(detection: Detection) -> Rectangle:
    """Return the detection's box."""
    return Rectangle.from_xyxy(detection.xyxy)


def shape__ellipse(detection: Detection) -> Ellipse:
    """Return the ellipse that fills the detection's box."""
    left, top, right, bottom = detection.xyxy
    center = (left + right) / 2, (top + bottom) / 2
    return Ellipse(*center, (right - left) / 2, (bottom - top) / 2)


def shape__key_point(detection: Detection) -> KeyPoint:
    """Return the center of the detection's box."""
    left, top, right, bottom = detection.xyxy
    return KeyPoint((left + right) / 2, (top + bottom) / 2)


def shape__polygon(detection: Detection) -> Polygon:
    """Return the outline of the mask's largest part."""
    return mask_to_polygons(detection.mask)[0]


def shape__brush(detection: Detection) -> Brush:
    """Return the detection's mask."""
    return Brush(detection.mask)


def shape__bitmask(detection: Detection) -> Bitmask:
    """Return the detection's mask."""
    return Bitmask(detection.mask)


def shape__vector(detection: Detection) -> Vector:
    """Return a diagonal through the detection's box."""
    left, top, right, bottom = detection.xyxy
    return Vector([(left, top), (right, bottom)])
