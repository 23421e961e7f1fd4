"""What a dataset is made of and how: the options of `prelabel dataset`."""

import math
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from shared.errors import SettingError
from shared.evaluation.annotation_choice import AnnotationChoice

SPLIT_NAMES = ("train", "val", "test")
# What a JSON number of the manifest can hold.
MAX_SEED = 2**63 - 1


class DatasetFormat(str, Enum):
    """Whose loader opens the dataset.

    - `yolo`: Ultralytics
    - `coco`: what pycocotools opens
    - `hf`: Hugging Face `datasets`
    - `spacy`: spaCy
    - `video`: whole videos, and which frames have which labels
    - `series`: whole time series, and which spans of each have which labels
    - `jsonl`: one JSON object a line, for anything else
    """

    yolo = "yolo"
    coco = "coco"
    hf = "hf"
    spacy = "spacy"
    video = "video"
    series = "series"
    jsonl = "jsonl"


class YoloTask(str, Enum):
    """The tasks that Ultralytics' models are trained for."""

    detect = "detect"
    segment = "segment"
    pose = "pose"
    obb = "obb"
    classify = "classify"


@dataclass(frozen=True)
class DatasetOptions:
    """The options of a dataset.

    `split` holds the shares of train, val and test, of which the last may lack. Of videos every
    `frame_step`-th frame is a picture. `language` is a code of spaCy, for its tokenizer. With
    `near_duplicates` tasks that are nearly the same come into the same part.
    """

    output: Path
    format: DatasetFormat
    task: YoloTask | None = None
    annotations: AnnotationChoice = AnnotationChoice.latest
    split: tuple[float, ...] = (0.8, 0.1, 0.1)
    seed: int = 0
    frame_step: int = 10
    language: str = "xx"
    near_duplicates: bool = True
    resume: bool = False

    def __post_init__(self) -> None:
        check_split(self.split)
        if self.frame_step < 1:
            raise SettingError(f"--frame-step {self.frame_step}: expected 1 or more")
        if abs(self.seed) > MAX_SEED:
            raise SettingError(f"--seed {self.seed}: expected at most {MAX_SEED}")
        if self.annotations is AnnotationChoice.all:
            raise SettingError(
                "--annotations all would put a task into the dataset once for each annotator, with"
                " answers that contradict each other: use latest or consensus"
            )

    @property
    def split_names(self) -> tuple[str, ...]:
        """The names of the parts."""
        return SPLIT_NAMES[: len(self.split)]

    def to_json(self) -> dict[str, Any]:
        """Return what decides on the dataset's content, for the manifest."""
        return {
            "format": self.format.value,
            "task": self.task.value if self.task else None,
            "annotations": self.annotations.value,
            "split": list(self.split),
            "seed": self.seed,
            "frame_step": self.frame_step,
            "language": self.language,
            "near_duplicates": self.near_duplicates,
        }


def parse_split(text: str) -> tuple[float, ...]:
    """Read shares such as 0.8,0.1,0.1; SettingError if they are none."""
    try:
        return check_split(tuple(float(part) for part in text.split(",")))
    except ValueError:
        raise SettingError(f'--split "{text}": expected numbers, such as 0.8,0.1,0.1') from None


def check_split(shares: tuple[float, ...]) -> tuple[float, ...]:
    """Return the shares of train, val and test; SettingError if they do not add up to 1."""
    written = ",".join(f"{share:g}" for share in shares)
    if not 1 <= len(shares) <= len(SPLIT_NAMES):
        raise SettingError(
            f"--split {written}: {len(shares)} shares, expected one to three: of"
            f" {', '.join(SPLIT_NAMES)}"
        )
    if not all(0 < share <= 1 for share in shares) or not math.isclose(sum(shares), 1):
        raise SettingError(
            f"--split {written}: the shares add up to {sum(shares):g}; expected shares above 0 that"
            " add up to 1, such as 0.8,0.1,0.1"
        )
    return shares
