"""The tags of Label Studio's editor, and the object tags that each control tag is for."""

from collections.abc import Mapping

# Those of release 1.23.2, as its guide writes them.
TAGS = (
    "View", "Header", "Style", "Collapse", "Panel", "Filter", "Dialog", "Markdown", "PagedView",
    "Repeater", "Shortcut", "CustomInterface",
    "Audio", "AudioPlus", "Image", "HyperText", "List", "Paragraphs", "Pdf", "Table", "Text",
    "TimeSeries", "Channel", "MultiChannel", "Video",
    "Bitmask", "BitmaskLabels", "Brush", "BrushLabels", "Bucket", "Choice", "Choices", "DateTime",
    "Ellipse", "EllipseLabels", "HyperTextLabels", "KeyPoint", "KeyPointLabels", "Label", "Labels",
    "MagicWand", "Number", "Pairwise", "ParagraphLabels", "Polygon", "PolygonLabels", "Ranker",
    "Rating", "Rectangle", "RectangleLabels", "Relation", "Relations", "Taxonomy", "TextArea",
    "TimelineLabels", "TimeSeriesLabels", "Vector", "VectorLabels", "VideoRectangle",
)  # fmt: skip

# Tags that the guide describes and the editor of the open-source 1.23.2 does not have.
OTHER_EDITIONS: Mapping[str, str] = {
    "Chat": "only Label Studio Enterprise has it",
    "OcrLabels": "only Label Studio Enterprise has it",
    "ReactCode": "only Label Studio Enterprise has it",
    "VideoVector": "only other editions or later releases have it",
    "VideoVectorLabels": "only other editions or later releases have it",
}

# The one object tag, to the letter, on which the editor allows a control tag (controlledTags).
REQUIRED_OBJECTS: Mapping[str, str] = dict.fromkeys(
    ("BitmaskLabels", "BrushLabels", "KeyPointLabels", "Polygon", "PolygonLabels",
     "RectangleLabels", "Vector", "VectorLabels"), "Image",
) | {"HyperTextLabels": "HyperText"}  # fmt: skip

# The one object tag on which the editor draws a control tag's regions.
DRAWN_ON: Mapping[str, str] = {
    **REQUIRED_OBJECTS,
    **dict.fromkeys(("Bitmask", "Brush", "Ellipse", "EllipseLabels", "KeyPoint"), "Image"),
    **dict.fromkeys(("MagicWand", "Rectangle"), "Image"),
    "ParagraphLabels": "Paragraphs",
    "TimelineLabels": "Video",
    "TimeSeriesLabels": "TimeSeries",
    "VideoRectangle": "Video",
}

# The tags of which one must stand around a tag (parentTypes).
PARENT_TAGS: Mapping[str, tuple[str, ...]] = {
    "Choice": ("Choices", "Taxonomy"),
    "Channel": ("TimeSeries",),
    "MultiChannel": ("TimeSeries",),
}

# Object tags that take answers, too: with `toName`, which names themselves.
SELF_REFERENCING_TAGS = ("Chat",)

# The object tags that show a text: it may be encoded, or at an address.
TEXT_TAGS = ("Text", "HyperText")

_SPELLING = {tag.lower(): tag for tag in (*TAGS, *OTHER_EDITIONS)}


def canonical_name(tag: str) -> str:
    """Return a tag's name as the guide writes it; the editor accepts any case."""
    return _SPELLING.get(tag.lower(), tag)


def is_known(tag: str) -> bool:
    """Return whether any edition of Label Studio has a tag of that name."""
    return tag.lower() in _SPELLING
