"""What a model said with one control tag, read as the builders take it; what is wrong is named."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from backends.prompt.answer_schema import check_answer, describe_value
from backends.prompt.answer_schema.dates import date_kind, parse_date
from backends.prompt.answer_schema.names import choice_paths
from backends.prompt.regions.rankings import read_ranking
from shared.backend import Control
from shared.label_studio.label_config import ChoicePath
from shared.results import Omission
from shared.results.validation.finding import quote


@dataclass(frozen=True)
class ReadValue:
    """What is left of a value, as `whole_task` and `region` take it; None if nothing is.

    `places` are those of what is left in a list, for its scores.
    """

    answer: Any = None
    omissions: tuple[Omission, ...] = ()
    places: tuple[int, ...] = ()


def read_value(control: Control, value: Any, pointer: str, sources: Mapping[str, Any]) -> ReadValue:
    """Read what was said with a control tag; null and empty texts say nothing.

    A wrong entry costs itself: a label that the label config lacks, a number out of range, another
    type than was asked for. `pointer` is where the value stands in the answer.
    """
    schema = describe_value(control, sources)
    if value is None or schema is None:
        return ReadValue()
    if control.tag == "Ranker":
        answer, omissions = read_ranking(control, value, pointer, sources.get(control.to_name))
        return ReadValue(answer, tuple(omissions))
    if schema["type"] == "array":
        return _read_list(control, value, pointer, schema["items"])
    if isinstance(value, list) and len(value) == 1:  # as models without schemas like to write
        value = value[0]
    return _read_one(control, value, pointer, schema)


def _read_one(control: Control, value: Any, pointer: str, schema: Mapping[str, Any]) -> ReadValue:
    value = _meant_choice(control, value)
    if isinstance(value, str) and not value.strip():
        return ReadValue()
    problems = check_answer(schema, value, pointer)
    if problems:
        return ReadValue(omissions=tuple(_omit(control, problem) for problem in problems))
    try:
        answer = _ANSWERS[control.tag](control, value)
    except (ValueError, KeyError):  # a 30 February, a choice beyond those that a schema lists
        return ReadValue(omissions=(_omit(control, f"{pointer}: there is no {quote(value)}"),))
    return ReadValue(answer)


def _read_list(control: Control, value: Any, pointer: str, items: Mapping[str, Any]) -> ReadValue:
    """Read a list: each entry for itself, equal ones once, and no more than the tag takes."""
    entries = value if isinstance(value, list) else [value]
    answers: dict[Any, int] = {}
    omissions: list[Omission] = []
    most = _most_entries(control)
    for place, entry in enumerate(entries):
        read = _read_one(control, entry, f"{pointer}/{place}", items)
        omissions += read.omissions
        if read.answer is None or read.answer in answers:
            continue
        if len(answers) < most:
            answers[read.answer] = place
        else:
            omissions.append(_omit(control, f"{pointer}/{place}: one more than {most}"))
    if not answers:
        return ReadValue(omissions=tuple(omissions))
    return ReadValue(list(answers), tuple(omissions), tuple(answers.values()))


def _most_entries(control: Control) -> int:
    key = "maxSubmissions" if control.tag == "TextArea" else "maxUsages"
    text = control.attrs.get(key, "").strip()
    return int(text) if text.isdecimal() and int(text) else 1_000_000


def _meant_choice(control: Control, value: Any) -> Any:
    """Return the choice that a model means which saw no schema: in another case, or by alias."""
    if control.tag not in {"Choices", "Taxonomy"} or not isinstance(value, str):
        return value
    paths = choice_paths(control)
    if value in paths:
        return value
    alias = [name for name, path in paths.items() if path[-1] == value]
    folded = value.strip().casefold()
    alike = alias or [name for name in paths if name.casefold() == folded]
    return alike[0] if len(alike) == 1 else value


def _choice(control: Control, name: str) -> str | ChoicePath:
    path = choice_paths(control)[name]
    return path if control.has_nested_choices else path[-1]


def _date(control: Control, text: str) -> Any:
    return parse_date(date_kind(control), text)


def _number(control: Control, number: float) -> float:
    return int(number) if control.tag == "Rating" else number


def _text(control: Control, text: str) -> str:
    return text.strip()


def _side(control: Control, side: str) -> str:
    return side


_ANSWERS: Mapping[str, Callable[[Control, Any], Any]] = {
    "Choices": _choice,
    "Taxonomy": _choice,
    "Rating": _number,
    "Number": _number,
    "DateTime": _date,
    "TextArea": _text,
    "Pairwise": _side,
}


def _omit(control: Control, problem: str) -> Omission:
    return Omission("answer", f"{control}: the model's answer at {problem}")
