"""All that this backend draws: label configs, and the results of each control tag."""

from dataclasses import dataclass

LABELS = '<Label value="Circle"/><Label value="square"/><Label value="A" predicted_values="car"/>'
CHOICES = LABELS.replace("<Label", "<Choice")
POINTS = "".join(
    f'<Label value="p{i}" predicted_values="car,circle,Square" model_index="{i}"/>'
    for i in range(3)
)
SHARED_LABELS = f'<Labels name="Labels" toName="image">{LABELS}</Labels>'
# Object tags by the key of the task's data. All have the same name, so that every tag fits each.
OBJECTS = {
    "image": '<Image name="image" value="$image"/>',
    "images": '<Image name="image" valueList="$images"/>',
    "video": '<Video name="image" value="$video" frameRate="25"/>',
}


def control_tag(
    kind: str, model: str, more: str = "", labels: str = LABELS, conf: float = 0.3, name: str = ""
) -> str:
    """Return a control tag that a network fills, named like its kind."""
    return (
        f'<{kind} name="{name or kind}" toName="image" model_path="{model}.pt"'
        f' model_score_threshold="{conf}" {more}>{labels}</{kind}>'
    )


# Scores that only a few objects of the untrained networks reach on the tests' picture.
MIN_SCORES = {
    "yolo11n": 0.385,
    "yolo11n-obb": 0.3,
    "yolo11n-seg": 0.385,
    "yolov8n-pose": 0.47,
    "yolo11n-cls": 0.1,
}


@dataclass(frozen=True)
class Scene:
    """A label config for one network, and the key of the media in its tasks."""

    name: str
    network: str
    tags: str
    key: str = "image"

    @property
    def config(self) -> str:
        return f"<View>{OBJECTS[self.key]}{self.tags}</View>"


@dataclass(frozen=True)
class Row:
    """A control tag of a scene, the `type` of its results, and the keys that all of them have.

    `beside` is the type of a second result with the same id.
    """

    scene: str
    control: str
    type: str
    beside: str = ""
    keys: frozenset[str] = frozenset({"score"})

    @property
    def name(self) -> str:
        return f"{self.control} ({self.scene})"


def _confident_tag(
    kind: str, model: str, more: str = "", labels: str = LABELS, name: str = ""
) -> str:
    """Return a control tag that gets only a few objects of an untrained network."""
    return control_tag(kind, model, more, labels, MIN_SCORES[model], name)


def _confident_tags(kinds: str, model: str, more: str = "", labels: str = LABELS) -> str:
    return "".join(_confident_tag(kind, model, more, labels) for kind in kinds.split())


_BOXES = f'<RectangleLabels name="%s" toName="image" model_skip="true">{LABELS}</RectangleLabels>'
_CLASSES = (
    _confident_tag("Choices", "yolo11n-cls", labels=CHOICES, name="one")
    + _confident_tag("Choices", "yolo11n-cls", 'choice="multiple"', CHOICES, "several")
    + _confident_tag("Taxonomy", "yolo11n-cls", labels=CHOICES)
)

SCENES = {
    scene.name: scene
    for scene in (
        Scene(
            "boxes",
            "yolo11n",
            _confident_tags("RectangleLabels EllipseLabels", "yolo11n")
            + _confident_tag("Choices", "yolo11n", 'choice="multiple"', CHOICES)
            + _confident_tag("Taxonomy", "yolo11n", 'maxUsages="1"', CHOICES),
        ),
        Scene(
            "Labels beside",
            "yolo11n",
            _confident_tags("Rectangle Ellipse", "yolo11n", labels="") + SHARED_LABELS,
        ),
        Scene("no labels", "yolo11n", _confident_tags("Rectangle Ellipse", "yolo11n", labels="")),
        Scene(
            "oriented boxes",
            "yolo11n-obb",
            _confident_tags(
                "RectangleLabels PolygonLabels EllipseLabels", "yolo11n-obb", 'model_obb="true"'
            )
            + _confident_tag("RectangleLabels", "yolo11n-obb", 'model_obb="false"', name="upright"),
        ),
        Scene(
            "masks",
            "yolo11n-seg",
            _confident_tags(
                "RectangleLabels PolygonLabels BrushLabels BitmaskLabels EllipseLabels",
                "yolo11n-seg",
            ),
        ),
        Scene(
            "masks, Labels beside",
            "yolo11n-seg",
            _confident_tags("Polygon Brush Bitmask", "yolo11n-seg", labels="") + SHARED_LABELS,
        ),
        Scene(
            "key points",
            "yolov8n-pose",
            _confident_tag("KeyPointLabels", "yolov8n-pose", 'model_point_threshold="0.2"', POINTS)
            + _BOXES % "KeyPointLabels_bbox",
        ),
        Scene(
            "key points, another tag's boxes",
            "yolov8n-pose",
            _confident_tag("KeyPointLabels", "yolov8n-pose", 'model_point_size="4"', POINTS)
            + _BOXES % "boxes",
        ),
        Scene(
            "key points alone",
            "yolov8n-pose",
            _confident_tag("KeyPoint", "yolov8n-pose", 'model_add_bboxes="false"', "")
            + SHARED_LABELS,
        ),
        Scene("classes", "yolo11n-cls", _CLASSES),
        Scene(
            "an image list",
            "yolo11n",
            _confident_tag("RectangleLabels", "yolo11n")
            + _confident_tag("Choices", "yolo11n", 'choice="multiple" perItem="true"', CHOICES),
            "images",
        ),
        Scene(
            "a video",
            "yolo11n",
            _confident_tag("VideoRectangle", "yolo11n", labels="")
            + SHARED_LABELS
            + _confident_tag("TimelineLabels", "yolo11n")
            + _confident_tag("Choices", "yolo11n", 'choice="multiple"', CHOICES)
            + _confident_tag("Taxonomy", "yolo11n", labels=CHOICES),
            "video",
        ),
        Scene(
            "a video, no labels",
            "yolo11n",
            _confident_tag("VideoRectangle", "yolo11n", labels=""),
            "video",
        ),
    )
}

_CHILD = frozenset({"score", "parentID"})
_ITEM = frozenset({"score", "item_index"})

ROWS = (
    Row("boxes", "RectangleLabels", "rectanglelabels"),
    Row("boxes", "EllipseLabels", "ellipselabels"),
    Row("boxes", "Choices", "choices"),
    Row("boxes", "Taxonomy", "taxonomy"),
    Row("Labels beside", "Rectangle", "rectangle", "labels"),
    Row("Labels beside", "Ellipse", "ellipse", "labels"),
    Row("no labels", "Rectangle", "rectangle"),
    Row("no labels", "Ellipse", "ellipse"),
    Row("oriented boxes", "RectangleLabels", "rectanglelabels"),
    Row("oriented boxes", "upright", "rectanglelabels"),
    Row("oriented boxes", "PolygonLabels", "polygonlabels"),
    Row("oriented boxes", "EllipseLabels", "ellipselabels"),
    Row("masks", "RectangleLabels", "rectanglelabels"),
    Row("masks", "PolygonLabels", "polygonlabels"),
    Row("masks", "BrushLabels", "brushlabels"),
    Row("masks", "BitmaskLabels", "bitmasklabels"),
    Row("masks", "EllipseLabels", "ellipselabels"),
    Row("masks, Labels beside", "Polygon", "polygon", "labels"),
    Row("masks, Labels beside", "Brush", "brush", "labels"),
    Row("masks, Labels beside", "Bitmask", "bitmask", "labels"),
    Row("key points", "KeyPointLabels", "keypointlabels", keys=_CHILD),
    Row("key points", "KeyPointLabels_bbox", "rectanglelabels"),
    Row("key points, another tag's boxes", "KeyPointLabels", "keypointlabels", keys=_CHILD),
    Row("key points, another tag's boxes", "boxes", "rectanglelabels"),
    Row("key points alone", "KeyPoint", "keypoint", "labels"),
    Row("classes", "one", "choices"),
    Row("classes", "several", "choices"),
    Row("classes", "Taxonomy", "taxonomy"),
    Row("an image list", "RectangleLabels", "rectanglelabels", keys=_ITEM),
    Row("an image list", "Choices", "choices", keys=_ITEM),
    Row("a video", "VideoRectangle", "videorectangle"),
    Row("a video", "TimelineLabels", "timelinelabels"),
    Row("a video", "Choices", "choices"),
    Row("a video", "Taxonomy", "taxonomy"),
    Row("a video, no labels", "VideoRectangle", "videorectangle"),
)
