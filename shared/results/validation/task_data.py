"""Checks results against the task's data: does what they refer to exist?"""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.errors import DecodeError, TaskError
from shared.label_studio import variables
from shared.label_studio.encoded_text import decode_text
from shared.label_studio.label_config import LabelConfig, ObjectTag
from shared.label_studio.tags import TEXT_TAGS
from shared.label_studio.task import Task
from shared.label_studio.task_labels import with_task_labels
from shared.results.validation.documents import document_of, document_problems, path_problems
from shared.results.validation.finding import RuleViolation, Value, quote, suggest_name
from shared.results.validation.rules import ControlRules

# Control tags with labels for whose value Label Studio 1.23.2 imports only a string.
NO_LABEL_LIST = frozenset({"BitmaskLabels", "TimelineLabels", "VectorLabels"})

# Missing keys of one object tag that are reported at most.
MAX_MISSING_KEYS = 10


def task_data_problems(config: LabelConfig, data: Mapping[str, Any]) -> Iterator[RuleViolation]:
    """Check that the data has what object tags show, and labels that the editor can display."""
    for control in with_task_labels(config, data).controls:
        yield from (RuleViolation("labels", fault) for fault in control.label_faults)
    yield from _refused_label_lists(config)
    task = Task(None, data)
    for target in config.objects.values():
        if "{" not in target.value:  # else it stands for one tag per item of a list
            yield from _shown_value_problems(task, target)


def _refused_label_lists(config: LabelConfig) -> Iterator[RuleViolation]:
    """Check that an import accepts a list of labels: of tags with one value the last decides."""
    last = {control.attrs.get("value", ""): control for control in config.dynamic_controls}
    for value, control in last.items():
        if control.tag in NO_LABEL_LIST and "[" not in value:
            what = (
                f"{control} takes its labels from {value}, but Label Studio imports no task with a"
                f" list there, as it does for Labels: write the labels as Label tags"
            )
            yield RuleViolation("labels_refused", what)


def _shown_value_problems(task: Task, target: ObjectTag) -> Iterator[RuleViolation]:
    """Return the problems of an object tag's value in the editor."""
    lacking = variables.missing_keys(target.value, task.data)
    if lacking and variables.unreadable_key(target.value, task.data) is None:
        for key in lacking[:MAX_MISSING_KEYS]:
            what = f'{target} shows "{key}", which the task\'s data lacks'
            yield RuleViolation("missing_data", what + suggest_name(key, map(str, task.data)))
        return
    try:
        shown_text(task, target)
    except DecodeError as error:
        yield RuleViolation("encoding", str(error))
    except TaskError as error:
        yield RuleViolation("missing_data", str(error))


def shown_text(task: Task, target: ObjectTag) -> str | None:
    """Return the text of a Text or HyperText; None if it is at an address or not a text.

    TaskError if the editor cannot show it.
    """
    value = task.object_value(target)
    if target.tag not in TEXT_TAGS or target.value_is_url:
        return None
    return None if isinstance(value, list | dict) else decode_text(task.text_value(target), target)


def result_data_problems(
    found: ControlRules, result: Value, data: Mapping[str, Any]
) -> Iterator[RuleViolation]:
    """Check that a result, valid by itself, lies within what the task shows."""
    target = found.target
    if target is None:
        return
    task = Task(None, data)
    if found.on_text and found.shape_check is not None and "start" in result["value"]:
        yield from _span_problems(result["value"], target, task)
        return
    try:
        shows = task.object_value(target)
    except TaskError:
        return  # reported by `task_data_problems`
    if shows is not None:
        yield from _item_problems(found, target, result, shows)


def _item_problems(
    found: ControlRules, target: ObjectTag, result: Value, shows: Any
) -> Iterator[RuleViolation]:
    index = result.get("item_index")
    if index is not None and isinstance(shows, list) and target.is_list and index >= len(shows):
        what = f'"item_index" is {index}, the task has {len(shows)} items'
        yield RuleViolation("past_the_end", what)
    placed = found.shape_check is not None and "start" in result["value"]
    if found.control.type == "ranker" and isinstance(shows, list):
        yield from _ranker_problems(result["value"]["ranker"], shows)
    elif target.tag == "Paragraphs" and isinstance(shows, list) and placed:
        yield from _paragraph_problems(target, result["value"], shows)


def _span_problems(value: Value, target: ObjectTag, task: Task) -> Iterator[RuleViolation]:
    """Check a span of a text or document, as far as that is known."""
    try:
        text = shown_text(task, target)
    except TaskError:
        text = None  # reported by `task_data_problems`
    if text is None or text.startswith(("http://", "https://")):
        yield from path_problems(value)
    elif target.tag == "HyperText" or "startOffset" in value:
        yield from _document_problems(value, target, text)
    else:
        yield from _plain_text_problems(value, text)


def _document_problems(value: Value, target: ObjectTag, text: str) -> Iterator[RuleViolation]:
    try:
        document = document_of(target, text)
    except DecodeError as error:
        yield RuleViolation("document", str(error), "warning")
    else:
        yield from document_problems(value, document)


def _plain_text_problems(value: Value, text: str) -> Iterator[RuleViolation]:
    start, end = value["start"], value["end"]
    if end > len(text):
        what = f'"end" is {end}, the text has {len(text)} characters'
        yield RuleViolation("past_the_end", what + _offset_unit_remedy(value, text))
    elif isinstance(value.get("text"), str) and value["text"] != text[start:end]:
        what = f"{start} to {end} is {quote(text[start:end])}, not {quote(value['text'])}"
        yield RuleViolation("text", what + _offset_unit_remedy(value, text), "warning")


def _ranker_problems(ranker: Mapping[str, Any], shows: list[Any]) -> Iterator[RuleViolation]:
    known = {str(item.get("id")) for item in shows if isinstance(item, dict)}
    for bucket, items in ranker.items():
        for item in items:
            if item not in known:
                what = f"bucket {quote(bucket)} has {quote(item)}, the task has no such item"
                yield RuleViolation("unknown_item", what + suggest_name(item, sorted(known)))


def _offset_unit_remedy(value: Value, text: str) -> str:
    """Return the remedy if another kind of offsets explains the value."""
    start, end, said = value["start"], value["end"], value.get("text")
    for encoding, size, name in (("utf-16-le", 2, "UTF-16 code units"), ("utf-8", 1, "bytes")):
        data = text.encode(encoding, "surrogatepass")
        there = data[start * size : end * size].decode(encoding, "ignore")
        if said == there and not text.isascii():
            first = len(data[: start * size].decode(encoding, "ignore"))
            last = first + len(there)
            return f"; the offsets count {name}, in characters they are {first} and {last}"
    return ""


def _paragraph_problems(
    target: ObjectTag, value: Value, shows: list[Any]
) -> Iterator[RuleViolation]:
    key = target.attrs.get("textKey", "text")
    for index, offset in (("start", "startOffset"), ("end", "endOffset")):
        place = int(value[index])
        if place >= len(shows):
            what = f'"{index}" is {quote(value[index])}, the task has {len(shows)} paragraphs'
            yield RuleViolation("past_the_end", what)
            continue
        text = shows[place].get(key) if isinstance(shows[place], dict) else None
        if isinstance(text, str) and value[offset] > len(text.encode("utf-16-le", "replace")) // 2:
            what = f'"{offset}" is {value[offset]}, paragraph {place} has {len(text)} characters'
            yield RuleViolation("past_the_end", what)
