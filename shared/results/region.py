"""Regions: one shape, the control tags that describe it, one id."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson

from shared.label_studio.label_config import Control
from shared.results.control_value import format_answer, names_labels, value_key
from shared.results.types import Result, Shape

# What each control tag says of a region: {bbox: None, label: ["Text"], area: ["TOTAL"]}.
# The first control tag draws the region; one with `None` adds nothing but the shape.
ControlValues: TypeAlias = Mapping[Control, Any]

# Keys whose values are so long that an id hashes them directly, not as JSON.
LONG_KEYS = ("rle", "imageDataURL")


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
        [control.name, answer if names_labels(control) else None]
        for control, answer in values.items()
    ]
    to_name = next(iter(values)).to_name
    short = {key: part for key, part in value.items() if key not in LONG_KEYS}
    parts = [to_name, labels, short, region_keys.get("item_index")]
    packed = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS, default=str)
    digest = hashlib.blake2b(packed, digest_size=6)
    digest.update(bytes(value.get("rle", ())))
    digest.update(value.get("imageDataURL", "").encode())
    return digest.hexdigest()


def _build_result(
    control: Control, answer: Any, region_id: str, value: Mapping[str, Any]
) -> Result:
    own = {} if answer is None else {value_key(control): format_answer(control, answer)}
    return {
        "id": region_id,
        "from_name": control.name,
        "to_name": control.name if control.type == "pairwise" else control.to_name,
        "type": control.type,
        "value": {**value, **own},
    }
