"""The front matter of a model card: what Hugging Face reads of a `README.md`.

Keys: https://huggingface.co/docs/hub/model-cards#model-card-metadata; `model-index` as Papers with
Code defined it, and as `huggingface_hub.ModelCard` reads it.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared.evaluation.figures import FigureRow, figure_name
from shared.label_studio.label_config import Control, ObjectTag

# What Hugging Face calls the task of a model, by its control tag and object tag; "" is any object
# tag. Those that it has no name for are left out, such as labels of time series.
PIPELINE_TAGS: Mapping[tuple[str, str], str] = {
    ("RectangleLabels", ""): "object-detection",
    ("Rectangle", ""): "object-detection",
    ("VideoRectangle", ""): "object-detection",
    ("PolygonLabels", ""): "image-segmentation",
    ("BrushLabels", ""): "image-segmentation",
    ("BitmaskLabels", ""): "image-segmentation",
    ("EllipseLabels", ""): "object-detection",
    ("KeyPointLabels", ""): "keypoint-detection",
    ("TimelineLabels", ""): "video-classification",
    ("Labels", "Text"): "token-classification",
    ("Labels", "Audio"): "audio-classification",
    ("HyperTextLabels", ""): "token-classification",
    ("ParagraphLabels", ""): "token-classification",
    ("Choices", "Image"): "image-classification",
    ("Choices", "Text"): "text-classification",
    ("Choices", "HyperText"): "text-classification",
    ("Choices", "Paragraphs"): "text-classification",
    ("Choices", "Audio"): "audio-classification",
    ("Choices", "Video"): "video-classification",
    ("Taxonomy", "Text"): "text-classification",
    ("Taxonomy", "Image"): "image-classification",
    ("Number", "Text"): "text-classification",
}
# What Hugging Face calls a metric that has another key here.
METRIC_TYPES: Mapping[str, str] = {"ap50": "map", "ap": "map", "macro_f1": "f1", "micro_f1": "f1"}
# Characters that YAML does not take as they are: https://yaml.org/spec/1.2.2/#51-character-set
_UNPRINTABLE = re.compile(r"[\x7f-\x9f\ufeff\ufffe\uffff\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def find_pipeline_tag(control: Control, target: ObjectTag) -> str | None:
    """Return what Hugging Face calls the task; None if it has no name for it."""
    known = PIPELINE_TAGS.get((control.tag, target.tag))
    return known or PIPELINE_TAGS.get((control.tag, ""))


def build_model_index(name: str, task: str, row: FigureRow) -> list[dict[str, Any]]:
    """Return the `model-index` with the figures of a control tag on the held-out tasks."""
    metrics = [
        {
            "type": METRIC_TYPES.get(key, key),
            "name": figure_name(key),
            "value": round(float(figure.value), 4),
        }
        for key, figure in row.figures.items()
    ]
    dataset: dict[str, Any] = {
        "type": "label-studio",
        "name": "annotated tasks of Label Studio, held out of the training",
        "split": "test",
    }
    if row.tasks is not None:
        dataset["args"] = {"tasks": row.tasks}
    result = {"task": {"type": task}, "dataset": dataset, "metrics": metrics}
    return [{"name": name, "results": [result]}]


def render_front_matter(values: Mapping[str, Any]) -> str:
    """Return the front matter with its two lines of dashes; values that are None are left out."""
    known = {key: value for key, value in values.items() if value not in (None, [], "")}
    return "---\n" + "".join(f"{line}\n" for line in _yaml_lines(known)) + "---\n"


def _yaml_lines(value: Any) -> Iterator[str]:
    """Yield mappings and sequences as blocks of YAML, and all else as JSON, which is YAML, too."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(inner, Mapping | Sequence) and not isinstance(inner, str):
                yield f"{key}:"
                yield from (f"  {line}" for line in _yaml_lines(inner))
            else:
                yield f"{key}: {_yaml_scalar(inner)}"
    else:
        for inner in value:
            if isinstance(inner, Mapping):
                first, *rest = _yaml_lines(inner)
                yield f"- {first}"
                yield from (f"  {line}" for line in rest)
            else:
                yield f"- {_yaml_scalar(inner)}"


def _yaml_scalar(value: Any) -> str:
    """Return a scalar; a float never as 1e-05, which YAML 1.1 takes for a text."""
    if isinstance(value, float):
        return f"{value:.4f}"
    text = _SURROGATE.sub("\ufffd", json.dumps(value, ensure_ascii=False))
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
