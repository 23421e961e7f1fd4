"""Datasets in COCO's format, read by pycocotools."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.results import Brush, ImageSize

from .building import Built, box, build, data_url, image_result, noise, task
from .test_yolo import BOXES, OUTLINES, POSES, SIZE

pytest.importorskip("pycocotools")


def load(built: Built) -> Any:
    from pycocotools.coco import COCO

    return COCO(str(built.folder / "annotations" / "train.json"))


def by_category(coco: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for annotation in coco.dataset["annotations"]:
        name = coco.cats[annotation["category_id"]]["name"]
        found.setdefault(name, []).append(annotation)
    return found


def test_boxes_and_negatives(tmp_path: Path) -> None:
    tasks = [
        task(1, {"image": data_url(noise(1))}, [box("Other: 1", (8, 5, 31, 17), SIZE)]),
        task(2, {"image": data_url(noise(2))}, []),
    ]
    built = build(tmp_path, BOXES, tasks, "coco")
    coco = load(built)
    assert [(image["task"], image["width"], image["height"]) for image in coco.imgs.values()] == [
        (1, 60, 40),
        (2, 60, 40),
    ]
    assert all(
        (built.folder / "images/train" / i["file_name"]).exists() for i in coco.imgs.values()
    )
    [annotation] = coco.anns.values()
    assert annotation["bbox"] == [8, 5, 23, 12]
    assert annotation["area"] == 23 * 12
    assert coco.annToMask(annotation).sum() == 23 * 12
    assert coco.getAnnIds(imgIds=[2]) == []
    assert [cat["name"] for cat in coco.cats.values()] == ["Red", "Other: 1"]


def test_turned_boxes_and_masks(tmp_path: Path) -> None:
    mask = np.zeros((40, 60), np.uint8)
    mask[0:30, 30:50] = 255
    mask[10:20, 35:40] = 0  # a hole, which a polygon would not have
    brush, keys = Brush(mask).to_value(ImageSize(*SIZE))
    results = [
        box("Red", (30, 10, 50, 20), SIZE, rotation=90),
        image_result("brushlabels", {**brush, "brushlabels": ["Brush"]}, SIZE, **keys),
    ]
    tasks = [task(1, {"image": data_url(noise(1))}, results)]
    coco = load(build(tmp_path, OUTLINES, tasks, "coco"))
    found = by_category(coco)
    [turned], [painted] = found["Red"], found["Brush"]
    # 20 × 10 turned about (30, 10): 10 wide and 20 high to the left of it
    assert turned["bbox"] == [20, 10, 10, 20]
    assert turned["segmentation"] == [[30, 10, 30, 30, 20, 30, 20, 10]]
    assert painted["bbox"] == [30, 0, 20, 30]
    assert (coco.annToMask(painted) == (mask > 0)).all()
    assert painted["area"] == 30 * 20 - 10 * 5


def test_key_points(tmp_path: Path) -> None:
    value = {"x": 50, "y": 25, "width": 1, "keypointlabels": ["Hand"]}
    results = [
        box("Person", (0, 0, 60, 40), SIZE, id="one"),
        image_result("keypointlabels", value, SIZE, parentID="one"),
    ]
    coco = load(build(tmp_path, POSES, [task(1, {"image": data_url(noise(1))}, results)], "coco"))
    [annotation] = coco.anns.values()
    assert coco.cats[1]["keypoints"] == ["Nose", "Hand"]
    assert annotation["keypoints"] == [0, 0, 0, 30, 10, 2]
    assert annotation["num_keypoints"] == 1
