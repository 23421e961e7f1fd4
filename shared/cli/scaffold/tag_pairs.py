"""Every pair of a control tag and an object tag that `prelabel new` can make a backend for."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from shared.cli.scaffold import example_data

Example = Callable[[Path, Callable[[str], str]], list[dict[str, Any]]]


@dataclass(frozen=True)
class TagPair:
    """What is made for a pair: the example's tags and tasks, and the template's variants.

    `objects` are the object tags in XML, `content` what stands in the control tag, `requires` the
    packages that reading the media takes.
    """

    objects: str
    example: Example
    variants: tuple[str, ...]
    content: str = ""
    requires: tuple[str, ...] = ()

    def label_config(self, control: str) -> str:
        """Return the example's label config."""
        names = ",".join(re.findall(r'<\w+ name="(\w+)"', self.objects))
        name = "label" if "<Label" in self.content else control.lower()
        tag = f'<{control} name="{name}" toName="{names}"'
        content = self.content.replace("><", ">\n    <")
        tag = f"{tag}>\n    {content}\n  </{control}>" if content else f"{tag}/>"
        objects = self.objects.replace("><", ">\n  <")
        return f"<View>\n  {objects}\n  {tag}\n</View>\n"


# The object tags, each with the variant that reads and measures it.
OBJECTS = {
    "Image": TagPair('<Image name="image" value="$image"/>', example_data.images, ("image",)),
    "Text": TagPair('<Text name="text" value="$text"/>', example_data.texts, ("text",)),
    "HyperText": TagPair(
        '<HyperText name="hypertext" value="$hypertext"/>', example_data.hypertexts, ("text",)
    ),
    "Paragraphs": TagPair(
        '<Paragraphs name="paragraphs" value="$paragraphs" nameKey="author" textKey="text"'
        ' layout="dialogue"/>',
        example_data.paragraphs,
        ("text",),
    ),
    "Audio": TagPair('<Audio name="audio" value="$audio"/>', example_data.sounds, ("audio",)),
    "Video": TagPair(
        '<Video name="video" value="$video" frameRate="24"/>',
        example_data.videos,
        ("video",),
        requires=("av>=14",),
    ),
    "TimeSeries": TagPair(
        '<TimeSeries name="timeseries" value="$timeseries" valueType="json" timeColumn="time">'
        '<Channel column="value"/></TimeSeries>',
        example_data.series,
        ("timeseries",),
    ),
}

CHOICES = '<Choice value="Low"/><Choice value="High"/>'
# Control tags about whole tasks, which go on every object tag: their variants and content.
WHOLE_TASK = {
    "Choices": (("choices",), CHOICES),
    "Taxonomy": (("choices",), f'<Choice value="Level">{CHOICES}</Choice>'),
    "Rating": (("fraction", "rating"), ""),
    "Number": (("fraction", "number"), ""),
    "DateTime": (("date", "value"), ""),
    "TextArea": (("sentence", "value"), ""),
}

# Control tags for regions on images, and the variants of `shape`.
IMAGE_SHAPES = {
    "Rectangle": "box",
    "Polygon": "polygon",
    "Ellipse": "ellipse",
    "KeyPoint": "key_point",
    "Brush": "brush",
    "Bitmask": "bitmask",
    "Vector": "vector",
}


def _add_control(target: TagPair, *variants: str, content: str = "") -> TagPair:
    return replace(target, variants=(*target.variants, *variants), content=content)


def _spans(target: str, variant: str, label: str = "") -> TagPair:
    content = f'<Label value="{label}"/>' if label else ""
    return _add_control(OBJECTS[target], variant, content=content)


def _comparison(tag: str, example: Example, *variants: str) -> TagPair:
    sides = "".join(f'<{tag} name="{side}" value="${side}"/>' for side in ("left", "right"))
    return TagPair(sides, example, ("preference", "value", *variants))


PAIRS: dict[tuple[str, str], TagPair] = {
    **{
        (tag, "Image"): _add_control(OBJECTS["Image"], "image_regions", "unlabelled", shape)
        for tag, shape in IMAGE_SHAPES.items()
    },
    **{
        (f"{tag}Labels", "Image"): _add_control(
            OBJECTS["Image"], "image_regions", "labelled", shape, content='<Label value="Spot"/>'
        )
        for tag, shape in IMAGE_SHAPES.items()
    },
    ("Labels", "Text"): _spans("Text", "text_spans", "Word"),
    ("HyperTextLabels", "HyperText"): _spans("HyperText", "text_spans", "Word"),
    ("ParagraphLabels", "Paragraphs"): _spans("Paragraphs", "text_spans", "Word"),
    ("Labels", "Audio"): _spans("Audio", "audio_spans", "Loud"),
    ("TimeSeriesLabels", "TimeSeries"): _spans("TimeSeries", "timeseries_spans", "High"),
    ("VideoRectangle", "Video"): _spans("Video", "video_track"),
    ("TimelineLabels", "Video"): _spans("Video", "video_spans", "Bright"),
    ("Pairwise", "Text"): _comparison("Text", example_data.text_pairs, "text_pair", "plain_text"),
    ("Pairwise", "Image"): _comparison("Image", example_data.image_pairs, "image_pair", "image"),
    ("Ranker", "List"): TagPair(
        '<List name="list" value="$list"/>', example_data.lists, ("list", "ranking", "value")
    ),
    **{
        (control, tag): _add_control(target, *variants, content=content)
        for tag, target in OBJECTS.items()
        for control, (variants, content) in WHOLE_TASK.items()
    },
}

# The pairs for which there is a stand-in that learns from annotations.
TRAINABLE = [("Choices", target) for target in ("Text", "HyperText", "Paragraphs", "Image")]
