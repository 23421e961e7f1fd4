"""Builds datasets of a few tasks, whose media stand in the tasks themselves."""

import base64
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from shared.evaluation.annotated_task import AnnotatedTask, TaskReader
from shared.evaluation.dataset.build import BuildTools, build_dataset
from shared.evaluation.dataset.manifest import Manifest
from shared.evaluation.dataset.options import DatasetFormat, DatasetOptions, YoloTask
from shared.evaluation.problems import ProblemLog
from shared.label_studio.label_config import LabelConfig
from shared.media.reader import MediaReader
from shared.settings import Settings

Raw = dict[str, Any]


@dataclass(frozen=True)
class Built:
    """A dataset, and what was reported."""

    folder: Path
    manifest: Manifest
    problems: list[str]

    def parts(self) -> dict[Any, str]:
        """The part of each task."""
        return {entry.id: entry.part for entry in self.manifest.entries}


def read_tasks(
    raws: Iterable[Raw], config: LabelConfig, media: MediaReader, problems: ProblemLog
) -> Iterator[AnnotatedTask]:
    reader = TaskReader(config, media, problems)
    for number, raw in enumerate(raws):
        task = reader.read(raw, number)
        assert task is not None
        yield task


def build(
    folder: Path,
    xml: str,
    raws: Iterable[Raw],
    kind: str,
    settings: Mapping[str, Any] | None = None,
    **options: Any,
) -> Built:
    """Build a dataset in `folder`/dataset, all of it in train if no `split` is given."""
    config, problems = LabelConfig.parse(xml), ProblemLog()
    media = MediaReader(Settings(**(settings or {})))
    options.setdefault("split", (1.0,))
    output = options.pop("output", folder / "dataset")
    if options.get("task"):
        options["task"] = YoloTask(options["task"])
    chosen = DatasetOptions(output, DatasetFormat(kind), **options)
    try:
        tasks = read_tasks(raws, config, media, problems)
        manifest = build_dataset(tasks, config, chosen, BuildTools(media, problems))
    finally:
        media.close()
    return Built(output, manifest, [str(problem) for problem in problems])


def task(
    number: int, data: Mapping[str, Any], results: Sequence[Mapping[str, Any]] | None, **keys: Any
) -> Raw:
    """A task with an annotation, or with none if there are no `results`."""
    annotations = [] if results is None else [{"id": number, "result": list(results)}]
    return {"id": number, "data": dict(data), "annotations": annotations, **keys}


def image_result(
    kind: str, value: Mapping[str, Any], size: tuple[int, int], **keys: Any
) -> dict[str, Any]:
    """A result on the image `image` of a control tag that is named like its type."""
    return {
        "id": f"{kind}-{sorted(map(str, value.values()))}",
        "type": kind,
        "from_name": kind,
        "to_name": "image",
        "original_width": size[0],
        "original_height": size[1],
        "image_rotation": 0,
        "value": dict(value),
        **keys,
    }


def box(
    label: str, xyxy: tuple[float, float, float, float], size: tuple[int, int], **keys: Any
) -> dict[str, Any]:
    """A result of RectangleLabels by pixels."""
    left, top, right, bottom = xyxy
    value = {
        "x": left / size[0] * 100,
        "y": top / size[1] * 100,
        "width": (right - left) / size[0] * 100,
        "height": (bottom - top) / size[1] * 100,
        "rotation": keys.pop("rotation", 0),
        "rectanglelabels": [label],
    }
    return image_result("rectanglelabels", value, size, **keys)


def noise(seed: int, size: tuple[int, int] = (60, 40)) -> Any:
    """A picture like no other: coarse noise, which is dark, so that red stands out."""
    coarse = np.random.default_rng(seed).integers(0, 90, (size[1] // 4, size[0] // 4, 3), np.uint8)
    return np.kron(coarse, np.ones((4, 4, 1), np.uint8))


def data_url(pixels: Any, kind: str = "PNG", **options: Any) -> str:
    """The address of a picture that holds it."""
    file = io.BytesIO()
    Pillow.fromarray(pixels).save(file, kind, **options)
    return f"data:image/{kind.lower()};base64," + base64.b64encode(file.getvalue()).decode()
