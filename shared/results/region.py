"""Regions: one shape, the control tags that describe it, one id."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, TypeAlias

import orjson

from shared.label_studio.label_config import Control
from shared.results.types import Result, Shape

# What each control tag says of a region: {bbox: None, label: ["Text"], area: ["TOTAL"]}.
# The first control tag draws the region; one with `None` adds nothing but the shape.
ControlValues: TypeAlias = Mapping[Control, Any]

# Keys whose values are so long that an id hashes them directly, not as JSON.
LONG_KEYS = ("rle", "imageDataURL")

# The rule of an omission where a request had no time to finish a region: a job may.
UNFINISHED = "unfinished"

# How DateTime writes without a `format` (the editor's tags/control/DateTime.jsx).
DATE_TIME_FORMAT, DATE_FORMAT, TIME_FORMAT, YEAR_FORMAT = (
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d",
    "%H:%M",
    "%Y",
)


@dataclass(frozen=True)
class Region:
    """The results that make up one region: one for each control tag, all with the same id."""

    id: str
    results: tuple[Result, ...]

    @property
    def score(self) -> float | None:
        """The model's confidence in this region, from 0 to 1."""
        score = self.results[0].get("score")
        return None if score is None else float(score)


@dataclass(frozen=True)
class Omission:
    """Something that a model answered and that no region can hold, such as a label of its own.

    `rule` is the short name under which it is counted, `message` names what was found and what
    was expected. A task of which nothing but omissions is left has failed.
    """

    rule: str
    message: str


def region(
    shape: Shape,
    values: ControlValues,
    source: Any = None,
    score: float | None = None,
    **region_keys: Any,
) -> Region:
    """Build a region: a shape in the model's units becomes results in Label Studio's.

    `source` is what the shape lies on, and what converts its units:

    - shapes on images: the `ImageSize` in pixels (pixels in, percent out)
    - `TextSpan`: the text (code points)
    - `HyperTextSpan`: the HTML or its `Document` (code points in, XPaths and UTF-16 out)
    - `ParagraphSpan`: the `Dialogue` (code points in, UTF-16 out)
    - `AudioSpan`: the recording's length in seconds, if known (seconds)
    - `VideoTrack`, `TimelineSpan`: the `Video` (frames from 0 in, from 1 out)
    - `TimeSeriesSpan`: the tag's `timeFormat`, if it has one
    - `PageBox`: the sizes of all pages, in the box's unit
    - `ChatMessage`: nothing

    `score` is the model's confidence from 0 to 1. `region_keys` are further keys of the region:
    `parentID` (or the parent region itself as `parent`), `item_index`, `readonly`, `hidden`,
    `meta`, and `id`. Without `id` the id is a hash of the region, so that the same region gets
    the same id in every prediction.

    The format is that of Label Studio 1.23 (https://labelstud.io/guide/predictions).
    """
    parent = region_keys.pop("parent", None)
    if parent is not None:
        region_keys["parentID"] = parent.id
    value, shape_keys = shape.to_value(source)
    region_id = region_keys.pop("id", None) or region_id_of(value, values, region_keys)
    keys = shape_keys | region_keys
    if score is not None:
        keys["score"] = round(float(score), 4)
    results = (
        _build_result(control, answer, region_id, value) | keys
        for control, answer in values.items()
    )
    return Region(region_id, tuple(results))


def region_id_of(
    value: Mapping[str, Any], values: ControlValues, region_keys: Mapping[str, Any]
) -> str:
    """Return twelve hexadecimal digits: a hash of the shape, the control tags and the labels."""
    labels = [
        [control.name, answer if control.names_labels else None]
        for control, answer in values.items()
    ]
    to_name = next(iter(values)).to_name
    is_long = not value.keys().isdisjoint(LONG_KEYS)
    short = {key: value[key] for key in value if key not in LONG_KEYS} if is_long else value
    parts = [to_name, labels, short, region_keys.get("item_index")]
    packed = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS, default=str)
    digest = hashlib.blake2b(packed, digest_size=6)
    if is_long:
        digest.update(bytes(value.get("rle", ())))
        digest.update(value.get("imageDataURL", "").encode())
    return digest.hexdigest()


def _build_result(
    control: Control, answer: Any, region_id: str, value: Mapping[str, Any]
) -> Result:
    own = {} if answer is None else {control.value_key: format_answer(control, answer)}
    return {
        "id": region_id,
        "from_name": control.name,
        "to_name": control.name if control.type == "pairwise" else control.to_name,
        "type": control.type,
        "value": {**value, **own},
    }


def time_format(control: Control) -> str:
    """Return the strftime format in which a DateTime tag writes its dates."""
    only = {part.strip() for part in control.attrs.get("only", "").split(",") if part.strip()}
    if only == {"time"}:
        return TIME_FORMAT
    if only == {"year"}:
        return YEAR_FORMAT
    default = DATE_FORMAT if only and "time" not in only else DATE_TIME_FORMAT
    return control.attrs.get("format") or default


def format_answer(control: Control, answer: Any) -> Any:
    """Return a model's answer in the form of the control tag's results.

    A single name becomes a list, a path a list of paths, a date a text, an order a bucket.
    """
    if control.has_nested_choices:
        return _as_paths(answer)
    if control.names_labels or control.type == "textarea":
        return list(_as_list(answer))
    if control.type == "datetime" and isinstance(answer, date | datetime | time):
        return answer.strftime(time_format(control))
    if control.type == "ranker" and not isinstance(answer, Mapping):
        return {control.name: list(_as_list(answer))}
    return answer


def _as_list(answer: Any) -> Any:
    return answer if isinstance(answer, list | tuple | set | frozenset) else [answer]


def _as_paths(answer: Any) -> list[list[str]]:
    """Return a name, one path or a list of paths as a list of paths."""
    parts = list(_as_list(answer))
    if not isinstance(answer, str) and parts and all(isinstance(part, str) for part in parts):
        return [parts]
    return [[part] if isinstance(part, str) else list(part) for part in parts]
