"""Datasets of whole time series, and what was said of them.

    series/3f….series              each series as it is, CSV or JSON
    train.jsonl, val.jsonl, …      a line for each series:

    {"task": "task 12", "id": 12, "object": "ts", "series": "series/3f….series",
     "spans": [{"start": 0.0, "end": 40.0, "labels": {"label": ["Run"]}}], "answers": {"stars": 3}}

Times are as the editor counts: in the unit of the time column, and for dates in milliseconds since
1970. `labels` and `answers` are by control tag.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson

from shared.errors import SettingError
from shared.evaluation.dataset.json_lines import PartLines
from shared.evaluation.dataset.sample import Sample
from shared.evaluation.dataset.workspace import place_file, write_file
from shared.evaluation.dataset.writer import SampleFile, WriterContext
from shared.label_studio.label_config import LabelConfig
from shared.results.time_format import EPOCH

SERIES_FOLDER = "series"


def check_series(config: LabelConfig) -> None:
    """SettingError if a label config says nothing of time series."""
    if not any(target.tag == "TimeSeries" for _, target in config.tag_pairs()):
        raise SettingError(
            "--format series needs a control tag on a TimeSeries, but the label config has"
            f" {config.describe_controls()}"
        )


class LabelledSeriesWriter(PartLines):
    """Writes PART.jsonl and series/."""

    def __init__(self, context: WriterContext) -> None:
        super().__init__(context)
        self._folder = context.folder

    def add(self, part: str, sample: Sample, files: Sequence[SampleFile]) -> None:
        """Write a line for each series of the sample."""
        fetched = {file.object: file for file in files}
        for name, shows in sample.objects.items():
            if shows["tag"] != "TimeSeries":
                continue
            file = fetched.get(name)
            if file is None and not isinstance(shows["value"], Mapping):
                continue  # its file could not be fetched
            line = {
                "task": sample.task,
                "id": sample.id,
                "object": name,
                "series": self._place(file, shows["value"]),
                "spans": list(_spans_of(sample, name)),
                "answers": sample.answers,
            }
            packed = orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE)
            self.write(part, packed)

    def _place(self, file: SampleFile | None, columns: Any) -> str:
        """Put a series into the folder, unless it is there; return its name."""
        if file is not None:
            shown = f"{SERIES_FOLDER}/{file.stored.file}"
            if not (self._folder / shown).exists():
                place_file(file.path, self._folder / shown)
            return shown
        data = orjson.dumps(columns)
        digest = hashlib.blake2b(data, digest_size=16).hexdigest()
        shown = f"{SERIES_FOLDER}/{digest}.series"
        (self._folder / SERIES_FOLDER).mkdir(exist_ok=True)
        write_file(self._folder / shown, data)
        return shown


def _spans_of(sample: Sample, name: str) -> Iterator[dict[str, Any]]:
    """Yield the spans on an object tag whose times are such."""
    for region in sample.regions:
        shape = region["shape"]
        if region["object"] != name or shape["type"] != "time_span":
            continue
        start, end = _time_number(shape["start"]), _time_number(shape["end"])
        if start is not None and end is not None:
            labels = {control: labels for control, labels in region["values"].items() if labels}
            yield {"start": min(start, end), "end": max(start, end), "labels": labels}


def _time_number(time: Any) -> float | None:
    """Return a time as the editor counts; dates stand in samples as ISO 8601 has them."""
    try:
        return float(time)
    except (TypeError, ValueError):
        pass
    try:
        return (datetime.fromisoformat(str(time)) - EPOCH) / timedelta(milliseconds=1)
    except (TypeError, ValueError):
        return None
