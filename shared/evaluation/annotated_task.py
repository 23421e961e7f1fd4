"""Annotated tasks: a task's annotations and predictions, read into the units of models."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from shared.backend.passages import read_dialogue
from shared.errors import PrelabelError
from shared.evaluation.problems import ProblemLog
from shared.evaluation.result_faults import find_fault
from shared.label_studio.label_config import Control, LabelConfig, ObjectTag
from shared.label_studio.task import Task, describe_type
from shared.label_studio.task_labels import with_task_labels
from shared.media.image_size import ImageSize
from shared.media.reader import MediaReader
from shared.results import Document, ParsedRegion, Video
from shared.results.parse import BrokenRegion, parse_each_region
from shared.results.whole_task import WholeTask

# The size that stands for a video's frames, which results do not tell: coordinates stay percent.
PERCENT_SIZE = ImageSize(100, 100)


@dataclass(frozen=True)
class Annotation:
    """What one annotator made of a task.

    `annotator` is the user's id or name (`completed_by`); `updated_at` is an ISO 8601 text, or
    empty; `lead_time` is in seconds. `parent_prediction` is the id of the prediction that the
    annotator began with, if Label Studio knows one. No regions: nothing is in the task.
    """

    regions: tuple[ParsedRegion, ...]
    id: Any = None
    annotator: str = ""
    updated_at: str = ""
    ground_truth: bool = False
    lead_time: float | None = None
    parent_prediction: Any = None
    results: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class StoredPrediction:
    """A prediction that stands in a task."""

    regions: tuple[ParsedRegion, ...]
    version: str
    id: Any = None
    score: float | None = None
    results: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class AnnotatedTask:
    """A task with the annotations that count (see `shared.evaluation.truth`) and predictions.

    `config` is the label config with the labels that the task brings. `sources` holds, by object
    tag, what regions lie on where results do not tell it: a document, a dialogue.
    `stored_predictions` is how many predictions the task has, read or not; None where its source
    does not tell.
    """

    number: int
    id: Any
    data: Mapping[str, Any]
    config: LabelConfig
    annotations: tuple[Annotation, ...] = ()
    predictions: tuple[StoredPrediction, ...] = ()
    sources: Mapping[str, Any] | None = None
    stored_predictions: int | None = None

    @property
    def name(self) -> str:
        """How messages name the task: by its id, or by its place in the file."""
        return f"task {self.id}" if self.id is not None else f"task number {self.number}"

    def prediction_of(self, version: str) -> StoredPrediction | None:
        """Return the last prediction of a model version."""
        found = (one for one in reversed(self.predictions) if one.version == version)
        return next(found, None)


class TaskReader:
    """Reads tasks as an export or the API gives them; what cannot be read goes to `problems`.

    `needs_predictions`: whether stored predictions that a file lacks are a problem.
    """

    def __init__(
        self,
        config: LabelConfig,
        media: MediaReader,
        problems: ProblemLog,
        needs_predictions: bool = True,
    ) -> None:
        self._config = config
        self._media = media
        self._problems = problems
        self._needs_predictions = needs_predictions

    def read(self, raw: Any, number: int) -> AnnotatedTask | None:
        """Return the task; None if it is not one."""
        try:
            task = Task.parse(raw)
        except PrelabelError as error:
            self._problems.add(str(error), f"task number {number}")
            return None
        config = with_task_labels(self._config, task.data)
        name = f"task {task.id}" if task.id is not None else f"task number {number}"
        parser = _RegionParser(config, _read_sources(config, task, self._media), self._problems)
        annotations = tuple(
            parser.read_annotation(one, name)
            for one in self._with_results(_annotations_of(raw, name, self._problems), name)
        )
        predictions = tuple(
            parser.read_prediction(one, name)
            for one in self._with_results(self._full_predictions(raw, name), name)
        )
        return AnnotatedTask(
            number,
            task.id,
            task.data,
            config,
            annotations,
            predictions,
            parser.sources,
            _count_stored(raw.get("predictions")),
        )

    def parse_results(
        self, task: AnnotatedTask, results: Sequence[Mapping[str, Any]], where: str
    ) -> tuple[ParsedRegion, ...]:
        """Read the results of a new prediction of a task; `where` names it in messages."""
        parser = _RegionParser(task.config, task.sources or {}, self._problems)
        return parser.parse(results, where, task.name)

    def _full_predictions(self, raw: Mapping[str, Any], name: str) -> Iterable[Any]:
        found = _list_under(raw, "predictions", name, self._problems)
        if self._needs_predictions and any(isinstance(one, int) for one in found):
            self._problems.add(
                "the file has only the ids of predictions, as Label Studio's JSON export writes"
                " them: read them with --project, or predict now with --backend",
                name,
            )
        return [one for one in found if not isinstance(one, int)]

    def _with_results(self, found: Iterable[Any], name: str) -> Iterator[Mapping[str, Any]]:
        """Yield annotations or predictions that have a list of results."""
        for one in found:
            if not isinstance(one, Mapping):
                what = f"an annotation or prediction is {describe_type(one)}, expected an object"
                self._problems.add(what, name)
            elif not isinstance(one.get("result"), list):
                found_type = describe_type(one["result"]) if "result" in one else "missing"
                what = f'"result" is {found_type}, expected a list: it does not count'
                self._problems.add(what, f"{name}, {_describe_origin(one)}")
            else:
                yield one


@dataclass
class _RegionParser:
    """Reads the regions of one task."""

    config: LabelConfig
    sources: Mapping[str, Any]
    problems: ProblemLog

    def read_annotation(self, raw: Mapping[str, Any], name: str) -> Annotation:
        number = raw.get("id")
        return Annotation(
            self.parse(raw["result"], _describe_origin(raw), name),
            number,
            _annotator_name(raw.get("completed_by")),
            str(raw.get("updated_at") or raw.get("created_at") or ""),
            bool(raw.get("ground_truth")),
            _seconds(raw.get("lead_time")),
            raw.get("parent_prediction"),
            [result for result in raw["result"] if isinstance(result, Mapping)],
        )

    def read_prediction(self, raw: Mapping[str, Any], name: str) -> StoredPrediction:
        version = _version_of(raw)
        return StoredPrediction(
            self.parse(raw["result"], f"the prediction of {version}", name),
            version,
            raw.get("id"),
            _finite(raw.get("score")),
            [result for result in raw["result"] if isinstance(result, Mapping)],
        )

    def parse(self, results: Sequence[Any], where: str, name: str) -> tuple[ParsedRegion, ...]:
        regions = []
        usable = [result for result in results if self._is_usable(result, where, name)]
        self._report_doubled_ids(usable, f"{name}, {where}")
        for found in parse_each_region(usable, self.config, self.sources):
            if isinstance(found, BrokenRegion):
                what = f"a region of {found.control} cannot be read: {found.reason}"
                self.problems.add(what, f"{name}, {where}, region {found.id}")
            elif _lacks_place(found):
                control = next(iter(found.values))
                what = f"{control} speaks of a region, but a result of it does not say of which"
                self.problems.add(f"{what}: JSON-MIN leaves that out, JSON has it", name)
            elif self._has_known_labels(found, where, name):
                regions.append(_with_track_labels(found))
        return tuple(regions)

    def _report_doubled_ids(self, results: Iterable[Mapping[str, Any]], where: str) -> None:
        """Report several results of a control tag with one id: the editor shows one region."""
        counts = Counter((one["from_name"], one["id"]) for one in results if one.get("id"))
        for (control, _), count in counts.items():
            if count > 1:
                what = f'results of "{control}" have the same id: they are read as one region'
                self.problems.add(f"{what}, and the shape is that of the first", where)

    def _is_usable(self, result: Any, where: str, name: str) -> bool:
        if not isinstance(result, Mapping):
            what = f"a result is {describe_type(result)}, expected an object"
            self.problems.add(what, f"{name}, {where}")
            return False
        if result.get("type") == "relation":
            return False
        control = result.get("from_name")
        if not isinstance(control, str) or self.config.find_control(control) is None:
            has = self.config.describe_controls()
            what = f'results are of "{control}", which the label config does not have: it has {has}'
            self.problems.add(what, f"{name}, {where}")
            return False
        if not isinstance(result.get("value"), Mapping):
            what = f'a result of "{control}" has no object under "value"'
            self.problems.add(what, f"{name}, {where}")
            return False
        fault = find_fault(result)
        if fault is not None:
            self.problems.add(
                f'a result of "{control}" cannot be used: {fault}', f"{name}, {where}"
            )
        return fault is None

    def _has_known_labels(self, region: ParsedRegion, where: str, name: str) -> bool:
        for control, value in region.values.items():
            for label in labels_of(control, value):
                if not _knows_label(control, label):
                    what = f'the label config has no label "{label}" in {control} (any more)'
                    self.problems.add(f"{what}: such regions are left out", f"{name}, {where}")
                    return False
        return True


def _with_track_labels(region: ParsedRegion) -> ParsedRegion:
    """Return a track with its labels in VideoRectangle, as the editor writes them.

    In predictions they stand in a result of the Labels tag.
    """
    track = next((tag for tag in region.values if tag.type == "videorectangle"), None)
    if track is None or len(region.values) == 1:
        return region
    labels = [value for tag, value in region.values.items() if tag.type == "labels" and value]
    others = {tag: value for tag, value in region.values.items() if tag.type != "labels"}
    return replace(region, values={**others, track: labels[0] if labels else others[track]})


def _lacks_place(region: ParsedRegion) -> bool:
    """Return whether a result says something of a region that cannot be found."""
    if not isinstance(region.shape, WholeTask) or "item_index" in region.region_keys:
        return False
    return all(control.per_region for control in region.values)


def labels_of(control: Control, value: Any) -> list[str]:
    """Return the names of labels or choices in a control tag's value; nested ones as "A/B"."""
    if value is None or not (control.names_labels or control.has_nested_choices):
        return []
    names = value if isinstance(value, list | tuple) else [value]
    return ["/".join(map(str, one)) if isinstance(one, list) else str(one) for one in names]


def value_of(region: ParsedRegion, control: str) -> Any:
    """Return what a region says by the control tag of a name; None if it says nothing."""
    return next((v for tag, v in region.values.items() if tag.name == control), None)


def annotated_by(region: ParsedRegion, control: str) -> bool:
    """Return whether a region has a result of the control tag of a name."""
    return any(tag.name == control for tag in region.values)


def _knows_label(control: Control, label: str) -> bool:
    if control.dynamic or control.is_remote or not control.labels:
        return True
    if control.has_nested_choices:
        path = tuple(label.split("/"))
        return path in control.paths or label in control.labels or not control.paths
    return label in control.labels


def _annotations_of(raw: Mapping[str, Any], name: str, problems: ProblemLog) -> Iterator[Any]:
    """Yield the annotations of a task that were not skipped (`was_cancelled`)."""
    for one in _list_under(raw, "annotations", name, problems):
        if not (isinstance(one, Mapping) and one.get("was_cancelled")):
            yield one


def _describe_origin(raw: Mapping[str, Any]) -> str:
    """Return how messages name an annotation or a prediction."""
    if "model_version" in raw:
        return f"the prediction of {_version_of(raw)}"
    number = raw.get("id")
    return "an annotation" if number is None else f"annotation {number}"


def _version_of(raw: Mapping[str, Any]) -> str:
    return str(raw.get("model_version") or "undefined")


def _list_under(raw: Mapping[str, Any], key: str, name: str, problems: ProblemLog) -> Sequence[Any]:
    found = raw.get(key) or []
    if isinstance(found, list):
        return found
    problems.add(f'"{key}" is {describe_type(found)}, expected a list', name)
    return []


def _count_stored(predictions: Any) -> int | None:
    return len(predictions) if isinstance(predictions, list) else None


def _annotator_name(completed_by: Any) -> str:
    if isinstance(completed_by, Mapping):
        return str(completed_by.get("email") or completed_by.get("id") or "")
    return "" if completed_by is None else str(completed_by)


def _finite(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and abs(value) <= sys.float_info.max
    return float(value) if is_number else None


def _seconds(value: Any) -> float | None:
    number = _finite(value)
    return number if number is not None and number >= 0 else None


def _read_sources(config: LabelConfig, task: Task, media: MediaReader) -> dict[str, Any]:
    """Return what regions lie on, by object tag, where results do not tell it.

    A tag whose value cannot be read has none: its regions are reported one by one.
    """
    sources: dict[str, Any] = {}
    for name, target in config.objects.items():
        try:
            source = _read_source(target, task, media)
        except PrelabelError:
            continue
        if source is not None:
            sources[name] = source
    return sources


def _read_source(target: ObjectTag, task: Task, media: MediaReader) -> Any:
    if target.tag == "Text" and not target.value_is_url:  # only a text that costs no fetch
        return task.read_text(target, media)
    if target.tag == "HyperText":
        return Document.parse(task.read_text(target, media), target.is_inline)
    if target.tag == "Paragraphs":
        return read_dialogue(task, target, media)
    if target.tag == "Video":
        return Video(PERCENT_SIZE, 1)
    if target.tag == "TimeSeries":
        return target.attrs.get("timeFormat")
    return None
