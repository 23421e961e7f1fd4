"""Poses: key points with the boxes that they belong to."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.evaluation.dataset.pictures import Picture, PictureRegion
from shared.evaluation.problems import ProblemLog


@dataclass
class Pose:
    """A box, and its key points in pixels by their labels."""

    box: PictureRegion
    points: dict[str, tuple[float, float]] = field(default_factory=dict)


def find_poses(picture: Picture, names: Sequence[str], problems: ProblemLog) -> list[Pose]:
    """Return each box with its key points of these names.

    A key point belongs to the region that is its parent in the editor's list of regions, or else to
    the only box around it; others are reported and left out.
    """
    poses = [Pose(region) for region in picture.regions if region.shape.point() is None]
    for region in picture.regions:
        point = region.shape.point()
        if point is None:
            continue
        pose = _pose_of(region, point, poses)
        if pose is None:
            problems.add(
                "a key point is left out: it has no parent region, and is not inside exactly one"
                " box",
                picture.task,
            )
            continue
        for label in region.labels:
            if label in pose.points:
                what = f'a second key point "{label}" of the same box is left out'
                problems.add(what, picture.task)
            elif label in names:
                pose.points[label] = point
    return poses


def _pose_of(
    region: PictureRegion, point: tuple[float, float], poses: Sequence[Pose]
) -> Pose | None:
    if region.parent:
        return next((pose for pose in poses if pose.box.id == region.parent), None)
    around = [pose for pose in poses if _is_inside(point, pose.box)]
    return around[0] if len(around) == 1 else None


def _is_inside(point: tuple[float, float], region: PictureRegion) -> bool:
    box = region.shape.box()
    if box is None:
        return False
    return box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]
