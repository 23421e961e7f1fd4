"""Result builders: pixels, characters and seconds in; the JSON that the editor displays out."""

from shared.media.image_size import ImageSize
from shared.results.audio import AudioSpan
from shared.results.chat import ChatMessage
from shared.results.hypertext import Document, HyperTextSpan
from shared.results.image import Ellipse, KeyPoint, Rectangle
from shared.results.mask import Bitmask, Brush
from shared.results.mask_to_polygon import mask_to_polygons
from shared.results.paragraphs import Dialogue, ParagraphSpan
from shared.results.parse import ParsedRegion, parse_regions, parse_relations
from shared.results.pdf import PageBox, PageSize
from shared.results.polygon import Polygon, Vector
from shared.results.region import UNFINISHED, Omission, Region, region
from shared.results.relation import Relation, relation
from shared.results.text import TextSpan
from shared.results.timeseries import TimeSeriesSpan
from shared.results.types import Result
from shared.results.video import TimelineSpan, Video, VideoBox, VideoTrack
from shared.results.whole_task import whole_task

__all__ = [
    "UNFINISHED",
    "AudioSpan",
    "Bitmask",
    "Brush",
    "ChatMessage",
    "Dialogue",
    "Document",
    "Ellipse",
    "HyperTextSpan",
    "ImageSize",
    "KeyPoint",
    "Omission",
    "PageBox",
    "PageSize",
    "ParagraphSpan",
    "ParsedRegion",
    "Polygon",
    "Rectangle",
    "Region",
    "Relation",
    "Result",
    "TextSpan",
    "TimeSeriesSpan",
    "TimelineSpan",
    "Vector",
    "Video",
    "VideoBox",
    "VideoTrack",
    "mask_to_polygons",
    "parse_regions",
    "parse_relations",
    "region",
    "relation",
    "whole_task",
]
