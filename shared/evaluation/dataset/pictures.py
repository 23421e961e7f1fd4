"""Pictures of samples with their regions: images, items of lists, and frames of videos."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.evaluation.annotated_task import labels_of
from shared.evaluation.dataset.file_names import UniqueNames, safe_file_name
from shared.evaluation.dataset.frames import box_at
from shared.evaluation.dataset.outlines import PictureShape
from shared.evaluation.dataset.sample import Sample
from shared.evaluation.dataset.shape_json import shape_from_json
from shared.evaluation.dataset.writer import SampleFile
from shared.label_studio.label_config import Control, LabelConfig
from shared.results import Rectangle, VideoTrack

PICTURE_TAGS = frozenset(("Image", "Video"))


@dataclass(frozen=True)
class PictureRegion:
    """A region on a picture; `labels` are those of control tags that draw or name regions."""

    shape: PictureShape
    labels: tuple[str, ...]
    id: str = ""
    parent: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture; `name` is that of its file, and differs between all pictures."""

    task: str
    name: str
    path: Path
    width: int
    height: int
    regions: tuple[PictureRegion, ...]
    answers: Mapping[str, Any]


class PictureReader:
    """Makes the pictures of samples."""

    def __init__(self, config: LabelConfig) -> None:
        self._config = config
        self._names = UniqueNames()

    def read(self, sample: Sample, files: Sequence[SampleFile]) -> Iterator[Picture]:
        """Yield the sample's pictures: one for each image of a list and each frame of a video."""
        for file in files:
            if sample.objects[file.object]["tag"] in PICTURE_TAGS:
                yield self._read_picture(sample, file)

    def _read_picture(self, sample: Sample, file: SampleFile) -> Picture:
        stem = safe_file_name(sample.task.replace(" ", "-"))
        many = [name for name, shows in sample.objects.items() if shows["tag"] in PICTURE_TAGS]
        if len(many) > 1:
            stem += f"-{safe_file_name(file.object)}"
        if file.item is not None:
            stem += f"-{file.item}"
        if file.stored.frame is not None:
            stem += f"-frame-{file.stored.frame}"
        return Picture(
            sample.task,
            self._names.take(stem) + file.path.suffix,
            file.path,
            file.stored.width,
            file.stored.height,
            tuple(self._read_regions(sample, file)),
            sample.answers_for(file.item),
        )

    def _read_regions(self, sample: Sample, file: SampleFile) -> Iterator[PictureRegion]:
        for region in sample.regions:
            if region["object"] != file.object or not _is_on_item(region, file.item):
                continue
            shape = _shape_on(region, file)
            if shape is not None:
                yield PictureRegion(
                    shape,
                    tuple(self._labels_of(region["values"])),
                    region.get("id", ""),
                    region.get("parent", ""),
                )

    def _labels_of(self, values: Mapping[str, Any]) -> Iterator[str]:
        for name, value in values.items():
            control = self._config.find_control(name)
            if control is not None and names_regions(control):
                yield from labels_of(control, value)


def names_regions(control: Control) -> bool:
    """Return whether a control tag's labels are those of regions, not choices about them."""
    return control.type.endswith("labels") or control.type == "videorectangle"


def _is_on_item(region: Mapping[str, Any], item: int | None) -> bool:
    return item is None or region.get("item", 0) == item


def _shape_on(region: Mapping[str, Any], file: SampleFile) -> PictureShape | None:
    """Return a region's shape on a picture or frame; None if it is not there."""
    stored = file.stored
    if region["shape"]["type"] == "frames":
        return None
    if stored.frame is None:
        return PictureShape.read(region["shape"], region.get("size"), stored.width, stored.height)
    track = shape_from_json(region["shape"])
    box = box_at(track.boxes, stored.frame) if isinstance(track, VideoTrack) else None
    if box is None:
        return None
    return PictureShape(_percent_to_pixels(box, stored.width / 100, stored.height / 100))


def _percent_to_pixels(box: Rectangle, across: float, down: float) -> Rectangle:
    """Return a track's box, which is in percent of the frame; it is turned in pixels."""
    return Rectangle(
        box.x * across, box.y * down, box.width * across, box.height * down, box.rotation
    )
