"""The schema of what is said with one control tag: of the whole task, or of one region."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from backends.prompt.answer_schema.dates import describe_date
from backends.prompt.answer_schema.keywords import (
    Schema,
    allow_null,
    closed_object,
    list_of,
    one_of,
)
from backends.prompt.answer_schema.names import choice_paths
from backends.prompt.content.pictures import SentPictures
from shared.backend import Control, LabelConfig
from shared.errors import ConfigError

# Stars that are listed; more are given by their bounds.
MAX_LISTED_STARS = 10
DEFAULT_MAX_RATING = 5
# Whole numbers up to this one are exact in JSON (RFC 8259, 6).
MAX_BOUND = 2.0**53
# The keys of what is said of one picture of a list.
PICTURE, VALUE = "picture", "value"


def describe_whole_task(
    control: Control, config: LabelConfig, sources: Mapping[str, Any]
) -> Schema | None:
    """Return the schema of a value for the whole task; None if there is nothing to choose from.

    It takes null unless the tag is `required` and always shown. With `perItem` it is a list, of a
    value for each picture. `sources` are what the object
    tags show, by name: a List brings the items that a Ranker orders.
    """
    schema = describe_value(control, sources)
    pictures = picture_indices(control, sources)
    if schema is not None and pictures:
        number = {"type": "integer", "minimum": 1, "maximum": len(pictures)}
        return list_of(closed_object({PICTURE: number, VALUE: schema}))
    if schema is None or (control.get_flag("required") and not control.conditions):
        return schema
    return allow_null(schema)


def describe_value(control: Control, sources: Mapping[str, Any]) -> Schema | None:
    """Return the schema of a control tag's value; None if there is nothing to choose from."""
    return _FIELDS[control.tag](control, sources) if control.tag in _FIELDS else None


def picture_indices(control: Control, sources: Mapping[str, Any]) -> Sequence[int]:
    """Return the pictures of a list that a tag with `perItem` describes one by one, by index."""
    shown = sources.get(control.to_name)
    if not control.get_flag("perItem") or not isinstance(shown, SentPictures):
        return ()
    return [sent.item_index for sent in shown.pictures if sent.item_index is not None]


def takes_several(control: Control) -> bool:
    """Return whether a Choices or Taxonomy tag takes more than one choice (`choice`, `maxUsages`).

    The editor takes a single one in Choices unless told otherwise, and any number in Taxonomy.
    """
    if control.tag == "Taxonomy":
        return control.attrs.get("maxUsages", "").strip() != "1"
    return control.attrs.get("choice") == "multiple"


def max_rating(control: Control) -> int:
    """Return how many stars a Rating tag has."""
    stars = int(_bound(control, "maxRating") or DEFAULT_MAX_RATING)
    return stars if stars > 0 else DEFAULT_MAX_RATING


def _describe_choices(control: Control, sources: Mapping[str, Any]) -> Schema | None:
    names = list(choice_paths(control))
    if not names:
        return None
    return list_of(one_of(names)) if takes_several(control) else one_of(names)


def _describe_rating(control: Control, sources: Mapping[str, Any]) -> Schema:
    most = max_rating(control)
    if most <= MAX_LISTED_STARS:
        return one_of(range(1, most + 1), "integer")
    return {"type": "integer", "minimum": 1, "maximum": most}


def _describe_number(control: Control, sources: Mapping[str, Any]) -> Schema:
    bounds = {"minimum": _bound(control, "min"), "maximum": _bound(control, "max")}
    low, high = bounds["minimum"], bounds["maximum"]
    if low is not None and high is not None and low > high:  # no number fits
        bounds = {}
    step = _bound(control, "step")
    whole = step is not None and step.is_integer() and (low or 0.0).is_integer()
    given = {
        key: int(bound) if bound.is_integer() else bound
        for key, bound in bounds.items()
        if bound is not None
    }
    return {"type": "integer" if whole else "number", **given}


def _bound(control: Control, key: str) -> float | None:
    """Return a number among the attributes; None without one (the doctor names a wrong one).

    JSON has no larger ones that every server reads.
    """
    try:
        value = control.get_number(key, math.nan, -MAX_BOUND, MAX_BOUND)
    except ConfigError:
        return None
    return None if math.isnan(value) else value


def _describe_text(control: Control, sources: Mapping[str, Any]) -> Schema:
    return list_of({"type": "string"}) if takes_several_texts(control) else {"type": "string"}


def takes_several_texts(control: Control) -> bool:
    """Return whether a TextArea is asked for several texts: `maxSubmissions` says so."""
    return (_bound(control, "maxSubmissions") or 1) > 1


def _describe_pairwise(control: Control, sources: Mapping[str, Any]) -> Schema | None:
    return one_of(["left", "right"]) if len(control.to_names) == 2 else None


def _describe_ranker(control: Control, sources: Mapping[str, Any]) -> Schema:
    """Return the schema of an order of item ids, or of one in each bucket."""
    ids = list(sources.get(control.to_name) or ())
    items = list_of(one_of(ids) if ids else {"type": "string"})
    return closed_object(dict.fromkeys(control.buckets, items)) if control.buckets else items


_FIELDS: Mapping[str, Callable[[Control, Mapping[str, Any]], Schema | None]] = {
    "Choices": _describe_choices,
    "Taxonomy": _describe_choices,
    "Rating": _describe_rating,
    "Number": _describe_number,
    "DateTime": describe_date,
    "TextArea": _describe_text,
    "Pairwise": _describe_pairwise,
    "Ranker": _describe_ranker,
}
