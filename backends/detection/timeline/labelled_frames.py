"""The videos of a dataset (format `video`), and which labels hold on each of their frames."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from shared.backend.training import TrainingError, TrainingRun
from shared.errors import DecodeError
from shared.media.video import VideoFile, VideoLimits
from shared.results import Video

# Tolerance of the times of frames, in seconds: the millisecond to which WebM rounds.
TIME_TOLERANCE = 1e-3

Labels = NDArray[np.float32]


@dataclass(frozen=True)
class LabelledVideo:
    """A video of a dataset, the rate at which the editor counts its frames, and its spans."""

    task: str
    path: Path
    frame_rate: float
    spans: Sequence[Mapping[str, Any]]

    def open(self, limits: VideoLimits) -> VideoFile:
        """Open the file; DecodeError if it cannot be read."""
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise DecodeError(f"The video cannot be read: {error.strerror}") from None
        return VideoFile.open(data, limits, self.task)

    def labels_at(
        self, file: VideoFile, times: Sequence[float], control: str, labels: Sequence[str]
    ) -> Labels:
        """Return 1 where a label of a control tag holds, shape (frames, labels).

        `times` are those of the file's frames, in seconds from the first one; the spans count as
        the editor does, by its own rate.
        """
        shown = Video.at_rate(file, self.frame_rate).frames
        frames = np.floor((np.asarray(times) + TIME_TOLERANCE) * self.frame_rate)
        frames = np.minimum(frames.astype(np.int64), shown - 1)
        found = np.zeros((len(frames), len(labels)), np.float32)
        for span in self.spans:
            held = (frames >= span["start"]) & (frames < span["end"])
            for label in span["labels"].get(control, ()):
                if label in labels:
                    found[held, labels.index(label)] = 1
        return found


def read_videos(run: TrainingRun, part: str) -> Iterator[LabelledVideo]:
    """Yield the videos of a part on the object tag of the trained control tag.

    There are none if the dataset lacks the part; TrainingError if it is no dataset of videos.
    """
    file = run.dataset / f"{part}.jsonl"
    if not file.is_file():
        return
    with file.open("rb") as lines:
        for line in lines:
            found = orjson.loads(line)
            if "video" not in found:
                raise TrainingError(
                    f"{run.control}: {file.name} holds no videos; expected a dataset of the format"
                    ' "video"'
                )
            if found["object"] in run.control.to_names:
                path = run.dataset / found["video"]
                yield LabelledVideo(found["task"], path, found["frame_rate"], found["spans"])
