"""The envelope of a region: one shape, the control tags that speak of it, one id."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from shared.label_config import Control

Result = dict[str, Any]
"""One entry of a prediction's `result` list, as Label Studio reads it."""

Marks = Mapping[Control, Any]
"""What each control tag says of a region: {bbox: None, label: ["Text"], area: ["TOTAL"]}.

The first control draws the region. `None` says nothing but the shape.
"""

VALUE_KEYS = {"textarea": "text", "pairwise": "selected"}
"""The key of a control's own value where it is not the result's type."""


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
    shape: Shape, marks: Marks, on: Any = None, score: float | None = None, **envelope: Any
) -> Region:
    """Build a region.

    `on` is what the shape lies on: an `ImageSize` for image shapes, the text itself for text
    spans. `envelope` holds further keys of the region, such as `parentID`, `item_index`,
    `readonly`, `hidden` or `meta`; `id` sets the id, which is otherwise made from what the
    region is, so that the same region has the same id wherever and whenever it is predicted.
    """
    value, beside = shape.value(on)
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
    labels = [[control.name, mark if _names_labels(control) else None] for control, mark in marks.items()]
    to_name = next(iter(marks)).to_name
    what = [to_name, labels, {k: v for k, v in value.items() if k != "rle"}, envelope.get("item_index")]
    packed = orjson.dumps(what, option=orjson.OPT_SORT_KEYS, default=str)
    digest = hashlib.blake2b(packed, digest_size=6)
    digest.update(bytes(value.get("rle", ())))
    return digest.hexdigest()


def _names_labels(control: Control) -> bool:
    return control.type.endswith("labels") or control.type == "choices"


def _result(
    control: Control,
    mark: Any,
    region_id: str,
    value: Mapping[str, Any],
    beside: Mapping[str, Any],
    score: float | None,
) -> Result:
    own = {} if mark is None else {value_key(control): _listed(control, mark)}
    result: Result = {
        "id": region_id,
        "from_name": control.name,
        "to_name": control.to_name,
        "type": control.type,
        "value": {**value, **own},
        **beside,
    }
    if score is not None:
        result["score"] = round(float(score), 4)
    return result


def value_key(control: Control) -> str:
    """The key in `value` under which a control tag's own answer stands."""
    if control.type == "videorectangle":
        return "labels"
    return VALUE_KEYS.get(control.type, control.type)


def _listed(control: Control, mark: Any) -> Any:
    is_list = _names_labels(control) or control.type == "textarea"
    if is_list and (isinstance(mark, str) or not isinstance(mark, Sequence)):
        return [mark]
    return list(mark) if is_list else mark
