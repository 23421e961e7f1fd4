"""Parses results to regions in the units of models, for training, evaluation and tests."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.label_studio.label_config import Control, LabelConfig
from shared.results.audio import AudioSpan
from shared.results.chat import ChatMessage
from shared.results.hypertext import HyperTextSpan
from shared.results.image import Ellipse, KeyPoint, Rectangle
from shared.results.mask import Bitmask, Brush
from shared.results.paragraphs import ParagraphSpan
from shared.results.pdf import PageBox
from shared.results.percent import read_image_size
from shared.results.polygon import Polygon, Vector
from shared.results.region import ControlValues, Region, region
from shared.results.relation import Relation
from shared.results.text import TextSpan
from shared.results.timeseries import TimeSeriesSpan
from shared.results.types import Shape
from shared.results.video import TimelineSpan, Video, VideoTrack
from shared.results.whole_task import WholeTask

# Shapes on images by the key of `value` that identifies them, in the order in which the editor
# asks for these keys.
IMAGE_SHAPES: Mapping[str, Any] = {
    "points": Polygon,
    "vertices": Vector,
    "rle": Brush,
    "imageDataURL": Bitmask,
    "radiusX": Ellipse,
    "height": Rectangle,
    "width": KeyPoint,
}

# Shapes on the object tags that have a single one.
OBJECT_SHAPES: Mapping[str, Any] = {
    "Text": TextSpan,
    "HyperText": HyperTextSpan,
    "Paragraphs": ParagraphSpan,
    "Audio": AudioSpan,
    "AudioPlus": AudioSpan,
    "TimeSeries": TimeSeriesSpan,
    "Chat": ChatMessage,
    "Pdf": PageBox,
}

# Keys of `value`, one of which every shape has.
GEOMETRY_KEYS = frozenset((*IMAGE_SHAPES, "start", "ranges", "sequence", "chatmessage"))
# Keys beside `value` that a region keeps when it is parsed and built again.
REGION_KEYS = ("parentID", "item_index", "readonly", "hidden", "meta", "origin", "is_positive")
# What reading a broken region raises.
BROKEN = (KeyError, ValueError, TypeError, AttributeError, IndexError, OverflowError)


@dataclass(frozen=True)
class ParsedRegion:
    """A parsed region: its shape, each control tag's value, and what it lies on."""

    id: str
    shape: Shape
    values: ControlValues
    source: Any = None
    score: float | None = None
    region_keys: Mapping[str, Any] = field(default_factory=dict)

    def to_region(self) -> Region:
        """Build the region again, with its id and further keys."""
        keys = {**self.region_keys, "id": self.id} if self.id else dict(self.region_keys)
        return region(self.shape, self.values, self.source, self.score, **keys)


@dataclass(frozen=True)
class BrokenRegion:
    """A region that cannot be read, the control tag of its first result, and the reason."""

    id: str
    control: Control
    reason: str


def parse_regions(
    results: Iterable[Mapping[str, Any]],
    config: LabelConfig,
    sources: Mapping[str, Any] | None = None,
) -> list[ParsedRegion]:
    """Read the regions of a prediction's or annotation's `result` list, in their order.

    `sources` maps an object tag's name to what its regions lie on: the `source` of
    `shared.results.region`. Images need none: their size stands in the results. Relations are
    skipped (see `parse_relations`), and so are results of control tags that the label config
    lacks. KeyError or ValueError if a `value` lacks what its shape needs.
    """
    return [
        _parse_region(name, group, config, sources or {})
        for name, group in _group_results(results, config)
    ]


def parse_each_region(
    results: Iterable[Mapping[str, Any]],
    config: LabelConfig,
    sources: Mapping[str, Any] | None = None,
) -> Iterator["ParsedRegion | BrokenRegion"]:
    """Read regions as `parse_regions` does, but a broken one costs only itself."""
    for name, group in _group_results(results, config):
        try:
            yield _parse_region(name, group, config, sources or {})
        except BROKEN as error:
            yield BrokenRegion(name, group[0][0], describe_broken(error))


def describe_broken(error: Exception) -> str:
    """Say what is wrong with a region, by the error (of BROKEN) that reading it has raised."""
    if isinstance(error, KeyError):
        return f"{error} is missing"
    if isinstance(error, TypeError | AttributeError):
        return f"a part of it is of another kind than expected: {error}"
    return str(error)


def _group_results(
    results: Iterable[Mapping[str, Any]], config: LabelConfig
) -> Iterator[tuple[str, list[tuple[Control, Mapping[str, Any]]]]]:
    """Yield the results of each region, by its id; a result without an id is a region itself."""
    groups: dict[Any, list[tuple[Control, Mapping[str, Any]]]] = {}
    for place, result in enumerate(results):
        control = config.find_control(result.get("from_name", ""), result.get("to_name", ""))
        if control is not None:
            groups.setdefault(result.get("id") or place, []).append((control, result))
    for name, group in groups.items():
        yield (name if isinstance(name, str) else ""), group


def parse_relations(results: Iterable[Mapping[str, Any]]) -> list[Relation]:
    """Read the relations of a `result` list."""
    return [Relation.from_result(result) for result in results if result.get("type") == "relation"]


def _parse_region(
    name: str,
    group: list[tuple[Control, Mapping[str, Any]]],
    config: LabelConfig,
    sources: Mapping[str, Any],
) -> ParsedRegion:
    control, result = next(
        ((control, result) for control, result in group if GEOMETRY_KEYS & result["value"].keys()),
        group[0],
    )
    target = config.object_of(control)
    shape_class = _shape_class(target.tag if target else "", result["value"])
    source = sources.get(control.to_name)
    if "original_width" in result and not isinstance(source, Video):
        source = read_image_size(result)
    elif source is None and shape_class is AudioSpan:
        source = result.get("original_length")
    return ParsedRegion(
        name,
        shape_class.from_value(result["value"], source),
        {control: result["value"].get(control.value_key) for control, result in group},
        source,
        result.get("score"),
        {key: result[key] for key in REGION_KEYS if key in result},
    )


def _shape_class(tag: str, value: Mapping[str, Any]) -> Any:
    """Return the class of the shape that a `value` on an object tag has."""
    if not GEOMETRY_KEYS & value.keys():
        return WholeTask
    if tag == "Video":
        return VideoTrack if "sequence" in value else TimelineSpan
    if tag in OBJECT_SHAPES:
        return OBJECT_SHAPES[tag]
    return next((shape for key, shape in IMAGE_SHAPES.items() if key in value), WholeTask)
