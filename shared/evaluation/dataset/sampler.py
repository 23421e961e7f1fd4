"""Makes samples of annotated tasks."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import orjson

from shared.backend.passages import Passages
from shared.errors import PrelabelError, TaskError
from shared.evaluation.annotated_task import AnnotatedTask
from shared.evaluation.annotation_choice import AnnotationChoice
from shared.evaluation.dataset.sample import Sample
from shared.evaluation.dataset.shape_json import shape_to_json
from shared.evaluation.problems import ProblemLog
from shared.evaluation.truth import Truth, read_truths
from shared.label_studio.label_config import ObjectTag
from shared.label_studio.task import Task
from shared.media.reader import MediaReader
from shared.results import Dialogue, Document, ParsedRegion
from shared.results.video import frame_rate
from shared.results.whole_task import WholeTask

TEXT_TAGS = ("Text", "HyperText", "Paragraphs")
# A page that `prelabel pages` wrote: the folder before it has the document's name.
PAGE = re.compile(r"(.+)/page-\d+\.png$")


@dataclass(frozen=True)
class Sampler:
    """Makes a sample of each annotated task; what cannot be used goes to `problems`.

    `left_out` counts the tasks that have no sample, by the reason.
    """

    choice: AnnotationChoice
    media: MediaReader
    problems: ProblemLog
    left_out: Counter[str] = field(default_factory=Counter)

    def read(self, task: AnnotatedTask) -> Sample | None:
        """Return the task's sample; None if it has no annotation, or is turned in the editor."""
        truths = read_truths(task, self.choice)
        if not truths:
            self.left_out["no annotation"] += 1
            return None
        turn = turned_degrees(truths[0])
        if turn:
            self.left_out["turned in the editor"] += 1
            self.problems.add(
                f"the picture was annotated while the editor showed it turned by {turn:g} degrees:"
                " such tasks are left out; turn the picture itself, and annotate it again",
                task.name,
            )
            return None
        objects = self._read_objects(task)
        if not objects:
            self.left_out["nothing can be read"] += 1
            return None
        builder = _RegionSorter(task, objects)
        for region in truths[0].regions:
            if next(iter(region.values)).to_name in objects:
                builder.add(region)
        return Sample(
            task.name, task.id, objects, builder.regions, builder.answers, builder.item_answers
        )

    def _read_objects(self, task: AnnotatedTask) -> dict[str, dict[str, Any]]:
        """Return what the object tags show; one that cannot be read is left out and reported."""
        objects = {}
        for name, target in task.config.objects.items():
            try:
                objects[name] = _read_object(task, target, self.media)
            except PrelabelError as error:
                self.problems.add(f"{target} is left out: {error}", task.name)
        return objects


class _RegionSorter:
    """Sorts a truth into regions, answers for the task, and answers for items of a list."""

    def __init__(self, task: AnnotatedTask, objects: Mapping[str, Any]) -> None:
        self._task = task
        self.regions: list[dict[str, Any]] = []
        self.answers: dict[str, Any] = {}
        self.item_answers: dict[str, dict[str, Any]] = {}

    def add(self, region: ParsedRegion) -> None:
        values = {control.name: value for control, value in region.values.items()}
        item = region.region_keys.get("item_index")
        if not isinstance(region.shape, WholeTask):
            self.regions.append(self._region_json(region, values, item))
        elif item is None:
            self.answers.update(values)
        else:
            self.item_answers.setdefault(str(item), {}).update(values)

    def _region_json(
        self, region: ParsedRegion, values: dict[str, Any], item: Any
    ) -> dict[str, Any]:
        to_name = next(iter(region.values)).to_name
        source = (self._task.sources or {}).get(to_name)
        written: dict[str, Any] = {"object": to_name, "shape": shape_to_json(region.shape, source)}
        if region.id:
            written["id"] = region.id
        if region.region_keys.get("parentID"):
            written["parent"] = region.region_keys["parentID"]
        if item is not None:
            written["item"] = item
        if hasattr(region.source, "width"):  # the size of a picture
            written["size"] = [region.source.width, region.source.height]
        return {**written, "values": values}


def turned_degrees(truth: Truth) -> float:
    """Return how far the editor showed a picture turned when it was annotated; mostly 0."""
    turns = (result.get("image_rotation") for one in truth.annotations for result in one.results)
    return next((turn for turn in turns if isinstance(turn, int | float) and turn % 360), 0)


def content_digest_of(sample: Sample, media: Mapping[str, str]) -> bytes:
    """Return what identifies what a task shows, whatever its annotations.

    `media` holds the digests of the files at addresses, as far as they were fetched. Who speaks
    in a dialogue is left out: samples did not have it once, and tasks stay in their parts.
    """
    shown = [
        [name, {key: _by_content(value, media) for key, value in shows.items() if key != "names"}]
        for name, shows in sorted(sample.objects.items())
    ]
    packed = orjson.dumps(shown, option=orjson.OPT_SORT_KEYS, default=str)
    return hashlib.blake2b(packed, digest_size=16).digest()


def document_of(sample: Sample) -> str | None:
    """Return the document whose page a task shows, by the address that `prelabel pages` writes."""
    for shows in sample.objects.values():
        for address in shows.get("addresses", ()):
            found = PAGE.match(address.partition("#")[0])
            return found[1] if found else None
    return None


def _by_content(value: Any, media: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_by_content(one, media) for one in value]
    return media.get(value, value) if isinstance(value, str) else value


def _read_object(task: AnnotatedTask, target: ObjectTag, media: MediaReader) -> dict[str, Any]:
    plain = Task(task.id, task.data)
    if target.tag in TEXT_TAGS:
        shown = {"tag": target.tag, "text": _read_text(task, target, media)}
        return shown | _read_passages((task.sources or {}).get(target.name))
    if target.tag == "Image":
        addresses = [str(address) for _, address in plain.media_addresses(target)]
        return {"tag": "Image", "addresses": addresses, "is_list": target.is_list}
    if target.tag == "Video":
        rate = frame_rate(target, plain)
        return {"tag": "Video", "address": plain.text_value(target), "frame_rate": rate}
    if target.tag in {"Audio", "AudioPlus"}:
        return {"tag": "Audio", "address": plain.text_value(target)}
    return {"tag": target.tag, "value": plain.object_value(target)}


def _read_passages(source: Any) -> dict[str, Any]:
    """Return where the passages of a document or dialogue are, which a model reads one by one.

    A text that is one passage has none.
    """
    if isinstance(source, Document):
        passages = Passages.from_document(source).passages
        return {"passages": [[one.start, one.start + len(one.text)] for one in passages]}
    if isinstance(source, Dialogue):
        ends = list(accumulate(len(text) + 1 for text in source.texts))
        pairs = zip(ends, source.texts, strict=True)
        places = [[end - 1 - len(text), end - 1] for end, text in pairs]
        return {"passages": places, "names": list(source.names)}
    return {}


def _read_text(task: AnnotatedTask, target: ObjectTag, media: MediaReader) -> str:
    source = (task.sources or {}).get(target.name)
    if isinstance(source, Dialogue):
        return "\n".join(source.texts)
    if isinstance(source, str):
        return source
    if isinstance(source, Document):
        return source.text
    if target.tag == "Text":
        return Task(task.id, task.data).read_text(target, media)
    raise TaskError(f"what {target} shows by {target.shown_value} cannot be read")
