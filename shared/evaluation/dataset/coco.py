"""Datasets in COCO's format (cocodataset.org/#format-data): boxes, polygons, masks, key points."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import orjson

from shared.evaluation.dataset.image_classes import class_names, point_names
from shared.evaluation.dataset.outlines import Points, clip_box, clip_points, polygon_area
from shared.evaluation.dataset.pictures import Picture, PictureReader, PictureRegion
from shared.evaluation.dataset.poses import Pose, find_poses
from shared.evaluation.dataset.sample import Sample
from shared.evaluation.dataset.shape_json import encode_runs
from shared.evaluation.dataset.workspace import place_file
from shared.evaluation.dataset.writer import SampleFile, WriterContext

DECIMALS = 3
# A key point that was marked; 0 stands for one that is not.
VISIBLE = 2


class CocoWriter:
    """Writes images/PART/NAME.jpg and annotations/PART.json."""

    def __init__(self, context: WriterContext) -> None:
        self._context = context
        self._pictures = PictureReader(context.config)
        self._classes = class_names(context.config, context.labels)
        self._points = point_names(context.config, context.labels)
        self._numbers = {name: number for number, name in enumerate(self._classes, 1)}
        (context.folder / "annotations").mkdir()
        self._parts = {part: self._open_part(part) for part in context.options.split_names}

    def _open_part(self, part: str) -> "_PartFile":
        (self._context.folder / "images" / part).mkdir(parents=True)
        categories = [
            {"id": number, "name": name, "supercategory": ""}
            | ({"keypoints": self._points, "skeleton": []} if self._points else {})
            for name, number in self._numbers.items()
        ]
        return _PartFile(self._context.folder / "annotations" / f"{part}.json", categories)

    def add(self, part: str, sample: Sample, files: Sequence[SampleFile]) -> None:
        """Write the sample's pictures with their annotations."""
        for picture in self._pictures.read(sample, files):
            place_file(picture.path, self._context.folder / "images" / part / picture.name)
            image = {"file_name": picture.name, "width": picture.width, "height": picture.height}
            annotations = self._annotations(picture)
            self._parts[part].add({**image, "task": sample.id}, annotations)

    def finish(self) -> None:
        """Complete the JSON files."""
        for part in self._parts.values():
            part.finish()

    def _annotations(self, picture: Picture) -> Iterator[dict[str, Any]]:
        if self._points:
            poses = find_poses(picture, self._points, self._context.problems)
        else:
            poses = [Pose(one) for one in picture.regions if one.shape.point() is None]
        for pose in poses:
            found = self._annotation(picture, pose)
            if found is None:
                what = "a region without an area inside the picture is left out"
                self._context.problems.add(what, picture.task)
            elif not pose.box.labels:
                self._context.problems.add("a region without a label is left out", picture.task)
            else:
                for label in pose.box.labels:
                    if label in self._numbers:
                        yield {"category_id": self._numbers[label], **found}

    def _annotation(self, picture: Picture, pose: Pose) -> dict[str, Any] | None:
        box = pose.box.shape.box()
        inside = box and clip_box(box, picture.width, picture.height)
        if not inside:
            return None
        left, top, right, bottom = inside
        sides = (left, top, right - left, bottom - top)
        bbox = [round(float(value), DECIMALS) for value in sides]
        found = {"bbox": bbox, "iscrowd": 0, **_segmentation(picture, pose.box)}
        return {**found, **self._keypoints(pose)} if self._points else found

    def _keypoints(self, pose: Pose) -> dict[str, Any]:
        written: list[float] = []
        for name in self._points:
            point = pose.points.get(name)
            if point is None:
                written += [0, 0, 0]
            else:
                written += [*(round(float(value), DECIMALS) for value in point), VISIBLE]
        return {"keypoints": written, "num_keypoints": len(pose.points)}


def _segmentation(picture: Picture, region: PictureRegion) -> dict[str, Any]:
    """Return `segmentation` and `area`: run lengths of a mask, or polygons of other shapes."""
    mask = region.shape.mask(picture.width, picture.height)
    if mask is not None:
        runs = {"size": [picture.height, picture.width], "counts": encode_runs(mask)}
        return {"segmentation": runs, "area": int(np.count_nonzero(mask))}
    polygons = [
        clip_points(points, picture.width, picture.height) for points in region.shape.polygons()
    ]
    area = sum(polygon_area(points) for points in polygons)
    return {"segmentation": [_flat(points) for points in polygons], "area": round(area, DECIMALS)}


def _flat(points: Points) -> list[float]:
    values: list[float] = points.round(DECIMALS).ravel().tolist()
    return values


class _PartFile:
    """One JSON file, whose lists of images and annotations are written as they come."""

    def __init__(self, path: Path, categories: Sequence[Mapping[str, Any]]) -> None:
        self._path = path
        self._images: BinaryIO = path.with_suffix(".images").open("w+b")
        self._annotations: BinaryIO = path.with_suffix(".annotations").open("w+b")
        self._categories = categories
        self._image_count = self._annotation_count = 0

    def add(self, image: Mapping[str, Any], annotations: Iterator[Mapping[str, Any]]) -> None:
        """Write an image and its annotations, with new ids."""
        self._image_count += 1
        _write_item(self._images, self._image_count, image)
        for annotation in annotations:
            self._annotation_count += 1
            written = {"image_id": self._image_count, **annotation}
            _write_item(self._annotations, self._annotation_count, written)

    def finish(self) -> None:
        """Join both lists to one file."""
        with self._path.open("wb") as file:
            file.write(b'{"info":{"description":"prelabel dataset"},"licenses":[],"categories":')
            file.write(orjson.dumps(self._categories))
            for name, items in (("images", self._images), ("annotations", self._annotations)):
                file.write(b',"%s":[' % name.encode())
                items.seek(0)
                while piece := items.read(1 << 20):
                    file.write(piece)
                file.write(b"\n]")
                items.close()
                Path(items.name).unlink()
            file.write(b"}\n")


def _write_item(file: BinaryIO, number: int, values: Mapping[str, Any]) -> None:
    file.write((b"" if number == 1 else b",") + b"\n")
    file.write(orjson.dumps({"id": number, **values}))
