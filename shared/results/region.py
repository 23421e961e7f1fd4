"""The envelope of a region: one shape, the control tags that speak of it, one id."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from shared.label_studio.label_config import Control
from shared.results.control_value import format_answer, names_labels, value_key

# One entry of a prediction's `result` list, as Label Studio reads it.
Result = dict[str, Any]

# What each control tag says of a region: {bbox: None, label: ["Text"], area: ["TOTAL"]}.
#
# The first control draws the region. `None` says nothing but the shape.
ControlValues = Mapping[Control, Any]

# Keys of a value that are long: they go into an id as they are, not through JSON.
LONG_KEYS = ("rle", "imageDataURL")


class Shape(Protocol):
    """Where a region is, in the units of models (pixels, characters, seconds, frames)."""

    def to_value(self, on: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The result's `value`, and what stands beside it, in Label Studio's units."""


@dataclass(frozen=True)
class Region:
    """The results that make one region: one a control tag, all under one id."""

    id: str
    results: tuple[Result, ...]

    @property
    def score(self) -> float | None:
        """The model's confidence in this region, from 0 to 1."""
        score = self.results[0].get("score")
        return None if score is None else float(score)


def region(
    shape: Shape,
    values: ControlValues,
    source: Any = None,
    score: float | None = None,
    **region_keys: Any,
) -> Region:
    """Build a region.

    `on` is what the shape lies on: an `ImageSize` for image shapes, the text itself for text
    spans, and what their modules say for the others. `envelope` holds further keys of the
    region, such as `parentID` (or the parent region itself as `parent`), `item_index`,
    `readonly`, `hidden` or `meta`; `id` sets the id, which is otherwise made from what the
    region is, so that the same region has the same id wherever and whenever it is predicted.
    """
    parent = region_keys.pop("parent", None)
    if parent is not None:
        region_keys["parentID"] = parent.id
    value, beside = shape.to_value(source)
    region_id = region_keys.pop("id", None) or region_id_of(value, values, region_keys)
    return Region(
        region_id,
        tuple(
            _build_result(control, mark, region_id, value, beside | region_keys, score)
            for control, mark in values.items()
        ),
    )


def region_id_of(
    value: Mapping[str, Any], marks: ControlValues, envelope: Mapping[str, Any]
) -> str:
    """Twelve hexadecimal digits from the place, the control tags and the labels."""
    labels = [
        [control.name, mark if names_labels(control) else None] for control, mark in marks.items()
    ]
    to_name = next(iter(marks)).to_name
    short = {key: part for key, part in value.items() if key not in LONG_KEYS}
    what = [to_name, labels, short, envelope.get("item_index")]
    packed = orjson.dumps(what, option=orjson.OPT_SORT_KEYS, default=str)
    digest = hashlib.blake2b(packed, digest_size=6)
    digest.update(bytes(value.get("rle", ())))
    digest.update(value.get("imageDataURL", "").encode())
    return digest.hexdigest()


def _build_result(
    control: Control,
    mark: Any,
    region_id: str,
    value: Mapping[str, Any],
    beside: Mapping[str, Any],
    score: float | None,
) -> Result:
    own = {} if mark is None else {value_key(control): format_answer(control, mark)}
    result: Result = {
        "id": region_id,
        "from_name": control.name,
        "to_name": control.name if control.type == "pairwise" else control.to_name,
        "type": control.type,
        "value": {**value, **own},
        **beside,
    }
    if score is not None:
        result["score"] = round(float(score), 4)
    return result
