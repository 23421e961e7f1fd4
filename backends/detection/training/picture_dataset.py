"""The pictures of a dataset, with the labels of one control tag in the form that one task needs.

A dataset holds what all control tags of a label config drew, in the form that fits most of them. A
network learns one of them: the others' labels are left out, and outlines become boxes for a
detector, and boxes outlines for a segmenter. Ultralytics gets a folder of its own, with links to
the pictures, and leaves its cache files there.
"""

import json
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from shared.backend.training import TrainingError

logger = logging.getLogger(__name__)

# Formats that Ultralytics reads from every installation; others are converted.
READ_FORMATS = frozenset((".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"))
# The end of a whole JPEG. Ultralytics would write a cut off one again, in its place.
JPEG_END = b"\xff\xd9"
CLASSES, DATA = "classes.json", "data.yaml"

Shares = tuple[float, ...]


class LabelRow(NamedTuple):
    """A line of a label file: the class, what was drawn, and key points (x, y, visibility).

    `shape` is centre, width and height of a box, or x and y of each point of an outline.
    """

    class_number: int
    shape: Shares
    points: Shares = ()


@dataclass(frozen=True)
class PictureDataset:
    """A dataset for one task.

    `data` is what Ultralytics' trainer wants to know of it; `class_names` are the labels, in the
    order of the network's classes.
    """

    class_names: tuple[str, ...]
    data: Mapping[str, Any]
    train_count: int
    keypoint_names: tuple[str, ...] = ()


def prepare_dataset(source: Path, task: str, labels: Sequence[str], folder: Path) -> PictureDataset:
    """Write a dataset for a task into `folder`; TrainingError if it has nothing to learn from."""
    if task == "classify":
        return _prepare_classes(source, labels, folder)
    return _prepare_objects(source, task, labels, folder)


# A folder of pictures for each choice


def _prepare_classes(source: Path, labels: Sequence[str], folder: Path) -> PictureDataset:
    label_of = _read_json(source / CLASSES)
    names = tuple(label for label in labels if label in label_of.values())
    if not names:
        raise _nothing_to_learn(labels, label_of.values())
    # Ultralytics numbers the classes by the names of their folders.
    numbers = {label: f"{number:05}" for number, label in enumerate(names)}
    for part in ("train", "val"):
        for number in numbers.values():
            (folder / part / number).mkdir(parents=True)
        for name, label in label_of.items():
            for picture in _files(source / part / name) if label in numbers else ():
                _link_picture(picture, folder / part / numbers[label])
    counts = {part: len(list((folder / part).glob("*/*"))) for part in ("train", "val")}
    _check_count(counts["train"])
    data = {
        "path": str(folder),
        "train": str(folder / "train"),
        "val": str(folder / ("val" if counts["val"] else "train")),
        "names": dict(enumerate(numbers.values())),
        "nc": len(names),
        "channels": 3,
    }
    return PictureDataset(names, data, counts["train"])


# Pictures with a file of labels each


def _prepare_objects(
    source: Path, task: str, labels: Sequence[str], folder: Path
) -> PictureDataset:
    described = _read_data(source)
    found = tuple(str(name) for _, name in sorted(described["names"].items()))
    # The labels of key points are no classes: those are the labels of the boxes.
    names = found if task == "pose" else tuple(label for label in labels if label in found)
    if not names:
        raise _nothing_to_learn(labels, found)
    numbers = {number: names.index(name) for number, name in enumerate(found) if name in names}
    points = int(described.get("kpt_shape", (0,))[0])
    if task == "pose" and not points:
        raise TrainingError(
            f"{DATA} of the dataset has no key points: its format is of another task"
        )
    counts = {
        part: _write_part(source, folder, part, _LabelForm(task, numbers, points))
        for part in ("train", "val")
    }
    _check_count(counts["train"])
    data: dict[str, Any] = {
        "path": str(folder),
        "train": str(folder / "images" / "train"),
        "val": str(folder / "images" / ("val" if counts["val"] else "train")),
        "names": dict(enumerate(names)),
        "nc": len(names),
        "channels": 3,
    }
    if task != "pose":
        return PictureDataset(names, data, counts["train"])
    keypoints = tuple(described["kpt_names"][0])
    data |= {"kpt_shape": [points, 3], "kpt_names": dict.fromkeys(range(len(names)), keypoints)}
    return PictureDataset(names, data, counts["train"], keypoints)


@dataclass(frozen=True)
class _LabelForm:
    """How label files are written: for a task, with classes renumbered, from so many points."""

    task: str
    numbers: Mapping[int, int]
    point_count: int

    def convert(self, text: str) -> Iterator[str]:
        """Yield the lines of a label file."""
        for row in read_rows(text, self.point_count):
            number = self.numbers.get(row.class_number)
            if number is not None:
                shares = CONVERTERS[self.task](row)
                yield " ".join([str(number), *(f"{share:.6f}" for share in shares)]) + "\n"


def read_rows(text: str, point_count: int) -> Iterator[LabelRow]:
    """Yield the lines of a label file of Ultralytics; with key points if the dataset has any."""
    for line in text.splitlines():
        number, *shares = line.split()
        values = tuple(map(float, shares))
        if point_count and len(values) > 4:
            yield LabelRow(int(number), values[:4], values[4:])
        else:
            yield LabelRow(int(number), values)


def box_of(row: LabelRow) -> Shares:
    """Return centre, width and height of the upright box around what was drawn."""
    if len(row.shape) == 4:
        return row.shape
    xs, ys = row.shape[::2], row.shape[1::2]
    left, right, top, bottom = min(xs), max(xs), min(ys), max(ys)
    return (left + right) / 2, (top + bottom) / 2, right - left, bottom - top


def outline_of(row: LabelRow) -> Shares:
    """Return x and y of each point of the outline; the corners of a box."""
    return row.shape if len(row.shape) > 4 else _corners(row.shape)


def corners_of(row: LabelRow) -> Shares:
    """Return x and y of four corners: those of a turned box, or of the box around an outline."""
    return row.shape if len(row.shape) == 8 else _corners(box_of(row))


def _corners(box: Shares) -> Shares:
    x, y, width, height = box
    left, right, top, bottom = x - width / 2, x + width / 2, y - height / 2, y + height / 2
    return left, top, right, top, right, bottom, left, bottom


CONVERTERS: Mapping[str, Callable[[LabelRow], Shares]] = {
    "detect": box_of,
    "segment": outline_of,
    "obb": corners_of,
    "pose": lambda row: (*box_of(row), *row.points),
}


def _write_part(source: Path, folder: Path, part: str, form: _LabelForm) -> int:
    """Write the pictures and labels of a part, and return how many pictures it has."""
    images, labels = folder / "images" / part, folder / "labels" / part
    images.mkdir(parents=True)
    labels.mkdir(parents=True)
    pictures = _files(source / "images" / part)
    for picture in pictures:
        _link_picture(picture, images)
        written = source / "labels" / part / f"{picture.stem}.txt"
        text = written.read_text("utf-8") if written.is_file() else ""
        (labels / written.name).write_text("".join(form.convert(text)), "utf-8")
    return len(pictures)


def _link_picture(picture: Path, folder: Path) -> None:
    """Link a picture into a folder; one that Ultralytics cannot read as it is becomes a PNG."""
    if picture.suffix.lower() not in READ_FORMATS:
        from PIL import Image

        with Image.open(picture) as image:
            image.convert("RGB").save(folder / f"{picture.stem}.png")
    elif picture.suffix.lower() in {".jpg", ".jpeg"} and not _is_whole_jpeg(picture):
        shutil.copyfile(picture, folder / picture.name)
    else:
        (folder / picture.name).symlink_to(picture.resolve())


def _is_whole_jpeg(picture: Path) -> bool:
    with picture.open("rb") as file:
        file.seek(max(picture.stat().st_size - len(JPEG_END), 0))
        return file.read() == JPEG_END


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.is_file())


def _read_json(path: Path) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise TrainingError(
            f"the dataset has no {path.name}: it is not one of pictures in a folder for each choice"
        ) from None
    return found


def _read_data(source: Path) -> dict[str, Any]:
    from ultralytics.utils import YAML

    if not (source / DATA).is_file():
        raise TrainingError(f"the dataset has no {DATA}: it is not one of pictures with objects")
    found: dict[str, Any] = YAML.load(source / DATA)
    return found


def _check_count(train_count: int) -> None:
    if not train_count:
        raise TrainingError("no picture is in the part of the dataset for training: annotate more")


def _nothing_to_learn(labels: Sequence[str], found: Any) -> TrainingError:
    return TrainingError(
        f"the dataset has no label to learn: expected {', '.join(labels) or 'some'}, found"
        f" {', '.join(found) or 'none'}"
    )
