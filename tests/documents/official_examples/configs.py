"""The label configs of the official examples' READMEs, in words of our own.

Each has the control tags, object tags and attributes that the example reads, and other labels.
Those that differ in nothing that a model could tell are written down once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from xml.sax.saxutils import quoteattr

# The file in MODEL_DIR that a label config names.
OWN_WEIGHTS = "my_weights.pt"
_NOTHING: Mapping[str, str] = MappingProxyType({})
LANGUAGE_MODEL = {"PROMPT_MODEL": "starter"}
CLASSIFIER = {"TEXT_CLASSIFICATION_MODEL": "starter"}
CLICKS = {"SEGMENT_MODEL": "mobile_sam.pt"}
OPEN_VOCABULARY = {"DETECTION_MODEL": "IDEA-Research/grounding-dino-tiny"}


@dataclass(frozen=True, eq=False)
class ExampleConfig:
    """A label config of an example.

    - `sets`: the variables of ours that fill all of it; those that the planner then needs
    - `typed`: the control tags that hold what the annotator asks for, and are not to be filled
    - `left`: those that are left, with the reason
    """

    example: str
    tags: str
    sets: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    typed: tuple[str, ...] = ()
    left: Mapping[str, str] = field(default_factory=lambda: _NOTHING)

    @property
    def xml(self) -> str:
        """The label config."""
        return f"<View>{self.tags}</View>"


def shows(tag: str, name: str, **attrs: str) -> str:
    """Return an object tag that shows the task's value of its name."""
    return f'<{tag} name="{name}" value="${name}"{_write(attrs)}/>'


def takes(tag: str, name: str, to_name: str, *labels: str, **attrs: str) -> str:
    """Return a control tag with labels, each a name, or the inside of a Label tag."""
    kind = "Choice" if tag in {"Choices", "Taxonomy"} else "Label"
    inside = "".join(
        f"<{kind} {label}/>" if "=" in label else f"<{kind} value={quoteattr(label)}/>"
        for label in labels
    )
    return f'<{tag} name="{name}" toName="{to_name}"{_write(attrs)}>{inside}</{tag}>'


def _write(attrs: Mapping[str, str]) -> str:
    return "".join(f" {name}={quoteattr(value)}" for name, value in attrs.items())


_TEXT, _IMAGE = shows("Text", "text"), shows("Image", "image", zoom="true")
_VIDEO = shows("Video", "video", frameRate="25.0")
_ENTITIES = _TEXT + takes("Labels", "spans", "text", "PER", "ORG", "LOC", "MISC")
_CLASSES = _TEXT + takes("Choices", "topic", "text", "praise", "blame", choice="single")
_PROMPT_TEXT = takes("TextArea", "prompt", "text", maxSubmissions="1", editable="true")
_ANSWER_TEXT = takes("TextArea", "response", "text", smart="false", maxSubmissions="1")
_PROMPT_IMAGE = takes("TextArea", "prompt", "image", maxSubmissions="1", showSubmitButton="true")
_BOXES = takes("RectangleLabels", "boxes", "image", "dogs", "roof")
_READ = takes("TextArea", "transcription", "image", perRegion="true", displayMode="region-list")
_KINDS_OF_TEXT = takes("Labels", "kind", "image", "Text", "Handwriting")
_SMART = (
    takes("BrushLabels", "masks", "image", "Apple", "Pear")
    + takes("KeyPointLabels", "clicks", "image", "Apple", "Pear", smart="true")
    + takes("RectangleLabels", "frames", "image", "Apple", "Pear", smart="true")
)
_POSE = {"model_path": "yolov8n-pose.pt", "model_score_threshold": "0.7"}
_POSE_LABELS = tuple(
    f'value="{label}" predicted_values="person" model_index="{number}"'
    for number, label in enumerate(("nose", "left_eye", "right_eye"))
)
_TRAINABLE = {
    "model_trainable": "true",
    "model_classifier_epochs": "500",
    "model_classifier_sequence_size": "16",
    "model_classifier_hidden_size": "32",
    "model_classifier_num_layers": "1",
    "model_classifier_f1_threshold": "0.9",
    "model_classifier_accuracy_threshold": "0.9",
}


def _yolo(tags: str, **options: object) -> ExampleConfig:
    return ExampleConfig("yolo", tags, **options)  # type: ignore[arg-type]


CONFIGS = (
    ExampleConfig("bert_classifier", _CLASSES, CLASSIFIER),
    ExampleConfig(
        "deepgram",
        shows("Audio", "audio") + takes("TextArea", "say", "audio", maxSubmissions="1"),
    ),
    ExampleConfig(
        "easyocr",
        _IMAGE
        + _KINDS_OF_TEXT
        + takes("Rectangle", "box", "image")
        + takes("Polygon", "outline", "image")
        + _READ,
        left={"outline": 'left beside `Rectangle`, unless that has `model_skip="true"`'},
    ),
    ExampleConfig("flair", _ENTITIES),
    ExampleConfig("gliner", _ENTITIES),
    ExampleConfig(
        "grounding_dino", _PROMPT_IMAGE + _IMAGE + _BOXES, OPEN_VOCABULARY, typed=("prompt",)
    ),
    ExampleConfig(
        "grounding_sam",
        _IMAGE + _PROMPT_IMAGE + _BOXES + takes("BrushLabels", "masks", "image", "dogs", "roof"),
        OPEN_VOCABULARY | CLICKS,
        typed=("prompt",),
    ),
    ExampleConfig(
        "huggingface_llm", _TEXT + takes("TextArea", "generated", "text"), LANGUAGE_MODEL
    ),
    ExampleConfig("huggingface_ner", _ENTITIES),
    ExampleConfig("interactive_substring_matching", _ENTITIES),
    ExampleConfig(
        "langchain_search_agent",
        _TEXT
        + _PROMPT_TEXT
        + takes("TextArea", "response", "text", maxSubmissions="1")
        + takes("TextArea", "snippets", "text")
        + takes("Choices", "verdict", "text", "Right", "Wrong", choice="single"),
        LANGUAGE_MODEL,
        typed=("prompt",),
    ),
    ExampleConfig(
        "llm_interactive",
        _TEXT
        + _PROMPT_TEXT
        + _ANSWER_TEXT
        + '<Taxonomy name="faults" toName="text" leafsOnly="true"><Choice value="Facts">'
        + '<Choice value="Invented"/><Choice value="Missing"/></Choice><Choice value="Tone">'
        + '<Choice value="Rude"/></Choice></Taxonomy>'
        + takes("Rating", "stars", "text"),
        LANGUAGE_MODEL,
        typed=("prompt",),
    ),
    ExampleConfig(
        "llm_interactive",
        _TEXT
        + _PROMPT_TEXT
        + _ANSWER_TEXT
        + takes("Choices", "tone", "text", "Ironic", "Plain", choice="multiple"),
        LANGUAGE_MODEL,
        typed=("prompt",),
    ),
    ExampleConfig(
        "llm_interactive",
        shows("Paragraphs", "text", layout="dialogue", textKey="content", nameKey="role")
        + _PROMPT_TEXT
        + _ANSWER_TEXT,
        LANGUAGE_MODEL,
        typed=("prompt",),
    ),
    ExampleConfig(
        "llm_interactive",
        _IMAGE
        + takes("TextArea", "prompt", "image", required="true")
        + takes("Choices", "shop", "image", "Food", "Clothes", smart="false")
        + takes("TextArea", "summary-response", "image", smart="false"),
        LANGUAGE_MODEL,
        typed=("prompt",),
    ),
    ExampleConfig(
        "mmdetection-3", _IMAGE + takes("RectangleLabels", "boxes", "image", "Airplane", "Car")
    ),
    ExampleConfig(
        "mmdetection-3",
        _IMAGE
        + takes("RectangleLabels", "boxes", "image", 'value="Vehicle" predicted_values="car,bus"'),
    ),
    ExampleConfig(
        "nemo_asr",
        shows("Audio", "audio") + takes("TextArea", "transcription", "audio", editable="true"),
    ),
    ExampleConfig("ppocr", _IMAGE + _KINDS_OF_TEXT + takes("Polygon", "outline", "image") + _READ),
    ExampleConfig("ppocr", _IMAGE + _KINDS_OF_TEXT + takes("Rectangle", "box", "image") + _READ),
    ExampleConfig("segment_anything_2_image", _IMAGE + _SMART, CLICKS),
    ExampleConfig(
        "segment_anything_2_video",
        takes("Labels", "who", "video", "Player", "Ball")
        + _VIDEO
        + takes("VideoRectangle", "track", "video", smart="true"),
        CLICKS,
    ),
    ExampleConfig("segment_anything_model", _IMAGE + _SMART, CLICKS),
    ExampleConfig(
        "segment_anything_video_interactive",
        _VIDEO + takes("VideoRectangle", "track", "video"),
        CLICKS,
    ),
    ExampleConfig("sklearn_text_classifier", _CLASSES, CLASSIFIER),
    ExampleConfig(
        "spacy",
        _TEXT + takes("Labels", "spans", "text", "PERSON", "ORG", "GPE", "LOC", "DATE", "TIME"),
    ),
    ExampleConfig(
        "tesseract",
        _IMAGE + takes("RectangleLabels", "box", "image", "Title", "Price", smart="true") + _READ,
    ),
    ExampleConfig(
        "timeseries_segmenter",
        takes("TimeSeriesLabels", "spans", "series", "Rest", "Move")
        + '<TimeSeries name="series" valueType="url" value="$series"><Channel column="value"/>'
        + "</TimeSeries>",
    ),
    ExampleConfig(
        "watsonx_llm",
        _TEXT + _PROMPT_TEXT + _ANSWER_TEXT + takes("Rating", "stars", "text"),
        LANGUAGE_MODEL,
        typed=("prompt",),
    ),
    _yolo(
        _IMAGE
        + takes(
            "RectangleLabels",
            "boxes",
            "image",
            'value="Vehicle" predicted_values="car,truck"',
            model_score_threshold="0.25",
        )
    ),
    _yolo(
        shows("Image", "image")
        + takes("RectangleLabels", "boxes", "image", "person", model_score_threshold="0.1")
        + shows("Image", "other")
        + takes("Choices", "what", "other", "airship", "minivan", model_score_threshold="0.1")
    ),
    _yolo(
        _IMAGE
        + takes("RectangleLabels", "small", "image", "car", model_path="yolov8n.pt")
        + takes("RectangleLabels", "medium", "image", "car", model_path="yolov8m.pt")
    ),
    _yolo(
        _IMAGE + takes("RectangleLabels", "boxes", "image", "Hen", model_path=OWN_WEIGHTS),
    ),
    _yolo(
        _IMAGE
        + takes("Choices", "what", "image", 'value="Car" predicted_values="limousine,minivan"')
    ),
    _yolo(
        _IMAGE + takes("PolygonLabels", "outlines", "image", "Car", model_score_threshold="0.25")
    ),
    _yolo(
        takes("RectangleLabels", "points_bbox", "image", "person", model_skip="true")
        + takes(
            "KeyPointLabels",
            "points",
            "image",
            *_POSE_LABELS,
            **_POSE,
            model_point_threshold="0.5",
            model_add_bboxes="true",
            model_point_size="1",
        )
        + _IMAGE,
        left={"points_bbox": 'the boxes of `KeyPointLabels` only (`model_skip="true"`)'},
    ),
    _yolo(
        takes("KeyPointLabels", "points", "image", *_POSE_LABELS, **_POSE, model_add_bboxes="false")
        + _IMAGE
    ),
    _yolo(
        _VIDEO
        + takes("VideoRectangle", "track", "video", model_tracker="botsort", model_conf="0.25")
        + takes("Labels", "who", "video", "Person", "Car")
    ),
    _yolo(
        _VIDEO
        + takes(
            "TimelineLabels",
            "scenes",
            "video",
            'value="Ball" predicted_values="soccer_ball"',
            model_trainable="false",
        )
    ),
    _yolo(takes("TimelineLabels", "scenes", "video", "Kick", "Throw", **_TRAINABLE) + _VIDEO),
    _yolo(takes("TimelineLabels", "scenes", "video", "Kick", "Throw") + _VIDEO),
)
"""Without docling, which answers in tags that no label config has."""
