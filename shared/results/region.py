"""The envelope of a region: one shape, the control tags that speak of it, one id."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from shared.label_studio.label_config import Control
from shared.results.control_value import names_labels, value_key, written

# One entry of a prediction's `result` list, as Label Studio reads it.
Result = dict[str, Any]

# What each control tag says of a region: {bbox: None, label: ["Text"], area: ["TOTAL"]}.
#
# The first control draws the region. `None` says nothing but the shape.
Marks = Mapping[Control, Any]

# Keys of a value that are long: they go into an id as they are, not through JSON.
HASHED = ("rle", "imageDataURL")


class Shape(Protocol):
    """Where a region is, in the units of models (pixels, characters, seconds, frames)."""

    def value(self, on: Any) -> tuple[dict[str, Any], dict[str, Any]]:
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
    shape: Shape, marks: Marks, source: Any = None, score: float | None = None, **envelope: Any
) -> Region:
    """Build a region.

    `on` is what the shape lies on: an `ImageSize` for image shapes, the text itself for text
    spans, and what their modules say for the others. `envelope` holds further keys of the
    region, such as `parentID` (or the parent region itself as `parent`), `item_index`,
    `readonly`, `hidden` or `meta`; `id` sets the id, which is otherwise made from what the
    region is, so that the same region has the same id wherever and whenever it is predicted.
    """
    parent = envelope.pop("parent", None)
    if parent is not None:
        envelope["parentID"] = parent.id
    value, beside = shape.value(source)
    region_id = envelope.pop("id", None) or region_id_of(value, marks, envelope)
    return Region(
        region_id,
        tuple(
            _result(control, mark, region_id, value, beside | envelope, score)
            for control, mark in marks.items()
        ),
    )


def region_id_of(value: Mapping[str, Any], marks: Marks, envelope: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits from the place, the control tags and the labels."""
    labels = [
        [control.name, mark if names_labels(control) else None] for control, mark in marks.items()
    ]
    to_name = next(iter(marks)).to_name
    short = {key: part for key, part in value.items() if key not in HASHED}
    what = [to_name, labels, short, envelope.get("item_index")]
    packed = orjson.dumps(what, option=orjson.OPT_SORT_KEYS, default=str)
    digest = hashlib.blake2b(packed, digest_size=6)
    digest.update(bytes(value.get("rle", ())))
    digest.update(value.get("imageDataURL", "").encode())
    return digest.hexdigest()


def _result(
    control: Control,
    mark: Any,
    region_id: str,
    value: Mapping[str, Any],
    beside: Mapping[str, Any],
    score: float | None,
) -> Result:
    own = {} if mark is None else {value_key(control): written(control, mark)}
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
