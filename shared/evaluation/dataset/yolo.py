"""Datasets for Ultralytics: detect, segment, pose, obb (docs.ultralytics.com/datasets)."""

import json
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from shared.evaluation.dataset.image_classes import class_names, point_names
from shared.evaluation.dataset.options import YoloTask
from shared.evaluation.dataset.outlines import Points, clip_box, clip_points
from shared.evaluation.dataset.pictures import Picture, PictureReader, PictureRegion
from shared.evaluation.dataset.poses import Pose, find_poses
from shared.evaluation.dataset.sample import Sample
from shared.evaluation.dataset.workspace import place_file, write_file
from shared.evaluation.dataset.writer import SampleFile, WriterContext

# Decimals of shares of the width or height: a hundredth of a pixel of a picture 10,000 pixels wide.
DECIMALS = 6
# A key point that was marked; 1 would be one that is hidden, 0 stands for one that is not marked.
VISIBLE = 2


class YoloWriter:
    """Writes images/PART/NAME.jpg, labels/PART/NAME.txt and data.yaml."""

    def __init__(self, context: WriterContext, task: YoloTask) -> None:
        self._context, self._task = context, task
        self._pictures = PictureReader(context.config)
        self._classes = class_names(context.config, context.labels)
        self._points = point_names(context.config, context.labels)
        self._numbers = {name: number for number, name in enumerate(self._classes)}
        for part in context.options.split_names:
            (context.folder / "images" / part).mkdir(parents=True)
            (context.folder / "labels" / part).mkdir(parents=True)

    def add(self, part: str, sample: Sample, files: Sequence[SampleFile]) -> None:
        """Write the sample's pictures with their labels."""
        for picture in self._pictures.read(sample, files):
            lines = "".join(f"{line}\n" for line in self._lines(picture))
            place_file(picture.path, self._context.folder / "images" / part / picture.name)
            label = (self._context.folder / "labels" / part / picture.name).with_suffix(".txt")
            label.write_text(lines, "utf-8")

    def finish(self) -> None:
        """Write data.yaml, with paths relative to itself. JSON's texts are YAML's, too."""
        parts = self._context.options.split_names
        lines = [f"{part}: images/{part}" for part in parts]
        if "val" not in parts:  # Ultralytics needs one
            lines.append("val: images/train")
        lines.append("names:")
        for number, name in enumerate(self._classes):
            lines.append(f"  {number}: {json.dumps(name, ensure_ascii=False)}")
        if self._task is YoloTask.pose:
            lines.append(f"kpt_shape: [{len(self._points)}, 3]")
            names = json.dumps(self._points, ensure_ascii=False)
            lines.append("kpt_names:")
            lines += [f"  {number}: {names}" for number in range(len(self._classes))]
        write_file(self._context.folder / "data.yaml", "\n".join([*lines, ""]).encode())

    def _lines(self, picture: Picture) -> Iterator[str]:
        if self._task is YoloTask.pose:
            for pose in find_poses(picture, self._points, self._context.problems):
                yield from self._pose_lines(picture, pose)
            return
        write: Callable[[Picture, PictureRegion], Iterator[Sequence[float]]] = {
            YoloTask.detect: _box_rows,
            YoloTask.segment: _polygon_rows,
            YoloTask.obb: _corner_rows,
        }[self._task]
        for region in picture.regions:
            if region.shape.point() is not None:
                continue
            rows = list(write(picture, region))
            if not rows:
                self._report_empty(picture)
            yield from self._labelled(picture, region, rows)

    def _labelled(
        self, picture: Picture, region: PictureRegion, rows: Sequence[Sequence[float]]
    ) -> Iterator[str]:
        if not region.labels:
            self._context.problems.add("a region without a label is left out", picture.task)
        for label in region.labels:
            number = self._numbers.get(label)
            for row in rows if number is not None else ():
                yield " ".join([str(number), *(f"{value:.{DECIMALS}f}" for value in row)])

    def _pose_lines(self, picture: Picture, pose: Pose) -> Iterator[str]:
        rows = list(_box_rows(picture, pose.box))
        if not rows:
            self._report_empty(picture)
        points: list[float] = []
        for name in self._points:
            found = pose.points.get(name)
            if found is None:
                points += [0.0, 0.0, 0]
            else:
                x, y = clip_points(np.array([found]), picture.width, picture.height)[0]
                points += [x / picture.width, y / picture.height, VISIBLE]
        yield from self._labelled(picture, pose.box, [[*row, *points] for row in rows])

    def _report_empty(self, picture: Picture) -> None:
        what = "a region without an area inside the picture is left out"
        self._context.problems.add(what, picture.task)


def _box_rows(picture: Picture, region: PictureRegion) -> Iterator[Sequence[float]]:
    """Yield centre, width and height as shares of the picture's."""
    box = region.shape.box()
    inside = box and clip_box(box, picture.width, picture.height)
    if inside:
        left, top, right, bottom = inside
        yield (
            (left + right) / 2 / picture.width,
            (top + bottom) / 2 / picture.height,
            (right - left) / picture.width,
            (bottom - top) / picture.height,
        )


def _polygon_rows(picture: Picture, region: PictureRegion) -> Iterator[Sequence[float]]:
    """Yield x and y of each point as shares; each separate part of a mask is an object."""
    for points in region.shape.polygons():
        yield from _share_rows(picture, clip_points(points, picture.width, picture.height))


def _corner_rows(picture: Picture, region: PictureRegion) -> Iterator[Sequence[float]]:
    """Yield x and y of four corners as shares.

    Corners of a turned box may lie outside the picture; where the upright box around it does, too,
    Ultralytics would refuse the picture: they are moved to its edge.
    """
    corners = region.shape.corners()
    if corners is None:
        return
    shares = corners / (picture.width, picture.height)
    low, high = shares.min(axis=0), shares.max(axis=0)
    fits = (low >= 0).all() and (high <= 1).all()
    yield from _share_rows(
        picture, corners if fits else clip_points(corners, picture.width, picture.height)
    )


def _share_rows(picture: Picture, points: Points) -> Iterator[Sequence[float]]:
    extent = np.ptp(points, axis=0)
    if (extent > 0).all():
        row: list[float] = (points / (picture.width, picture.height)).ravel().tolist()
        yield row
