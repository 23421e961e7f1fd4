"""Datasets of whole videos, and which of their frames have which labels.

    videos/3f….mp4                 each video as it is, under the digest of its address
    train.jsonl, val.jsonl, …      a line for each video:

    {"task": "task 12", "id": 12, "object": "video", "video": "videos/3f….mp4", "frame_rate": 25.0,
     "spans": [{"start": 0, "end": 40, "labels": {"when": ["Run"]}}]}

Frames are the editor's, counted from 0; the end of a span is exclusive. `labels` are by control
tag.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from shared.errors import SettingError
from shared.evaluation.dataset.json_lines import PartLines
from shared.evaluation.dataset.sample import Sample
from shared.evaluation.dataset.workspace import place_file
from shared.evaluation.dataset.writer import SampleFile, WriterContext
from shared.label_studio.label_config import LabelConfig

VIDEO_FOLDER = "videos"
SPAN_TAG = "TimelineLabels"


def check_timelines(config: LabelConfig) -> None:
    """SettingError if a label config labels no frames of videos."""
    if not any(
        control.tag == SPAN_TAG and target.tag == "Video" for control, target in config.tag_pairs()
    ):
        raise SettingError(
            f"--format video needs {SPAN_TAG} on a Video, but the label config has"
            f" {config.describe_controls()}"
        )


class LabelledVideoWriter(PartLines):
    """Writes PART.jsonl and videos/."""

    def __init__(self, context: WriterContext) -> None:
        super().__init__(context)
        self._folder = context.folder

    def add(self, part: str, sample: Sample, files: Sequence[SampleFile]) -> None:
        """Write a line for each video of the sample."""
        for file in files:
            shown = f"{VIDEO_FOLDER}/{file.stored.file}"
            if not (self._folder / shown).exists():
                place_file(file.path, self._folder / shown)
            line = {
                "task": sample.task,
                "id": sample.id,
                "object": file.object,
                "video": shown,
                "frame_rate": sample.objects[file.object]["frame_rate"],
                "spans": list(_spans_of(sample, file.object)),
            }
            packed = orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE)
            self.write(part, packed)


def _spans_of(sample: Sample, name: str) -> Iterator[dict[str, Any]]:
    """Yield the spans of frames on an object tag."""
    for region in sample.regions:
        shape = region["shape"]
        if region["object"] == name and shape["type"] == "frames":
            labels = {control: labels for control, labels in region["values"].items() if labels}
            yield {"start": shape["start"], "end": shape["end"], "labels": labels}
