"""Datasets for Ultralytics: what its own classes read is what was annotated."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from shared.errors import SettingError
from shared.results import Brush, ImageSize

from .building import Built, box, build, data_url, image_result, noise, task

data_module = pytest.importorskip("ultralytics.data.dataset")

SIZE = (60, 40)
BOXES = """<View><Image name="image" value="$image"/>
  <RectangleLabels name="rectanglelabels" toName="image">
    <Label value="Red"/><Label value="Other: 1"/></RectangleLabels></View>"""
OUTLINES = """<View><Image name="image" value="$image"/>
  <RectangleLabels name="rectanglelabels" toName="image"><Label value="Red"/></RectangleLabels>
  <PolygonLabels name="polygonlabels" toName="image"><Label value="Red"/></PolygonLabels>
  <EllipseLabels name="ellipselabels" toName="image"><Label value="Red"/></EllipseLabels>
  <BrushLabels name="brushlabels" toName="image"><Label value="Brush"/></BrushLabels></View>"""
POSES = """<View><Image name="image" value="$image"/>
  <RectangleLabels name="rectanglelabels" toName="image"><Label value="Person"/></RectangleLabels>
  <KeyPointLabels name="keypointlabels" toName="image">
    <Label value="Nose"/><Label value="Hand"/></KeyPointLabels></View>"""
CLASSES = """<View><Image name="image" value="$image"/><Choices name="kind" toName="image">
  <Choice value="../up"/><Choice value="a/b"/><Choice value="😀"/><Choice value="A/B"/>
  <Choice value="CON"/></Choices></View>"""
# How EXIF's orientations store an upright picture: (numpy's axes swapped, flipped across, down).
ORIENTATIONS = {
    1: (False, False, False),
    2: (False, True, False),
    3: (False, True, True),
    4: (False, False, True),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


def load(built: Built, kind: str = "detect", part: str = "train", **options: Any) -> Any:
    """What Ultralytics' own dataset class reads."""
    from ultralytics.utils import YAML

    data = YAML.load(built.folder / "data.yaml")
    return data_module.YOLODataset(
        img_path=str(built.folder / data[part]),
        data={"names": data["names"], "channels": 3, **options, **pose_shape(data)},
        task=kind,
        imgsz=64,
        augment=False,
        rect=False,
    )


def pose_shape(data: dict[str, Any]) -> dict[str, Any]:
    return {"kpt_shape": data["kpt_shape"]} if "kpt_shape" in data else {}


def read_boxes(dataset: Any, number: int) -> tuple[Any, Any]:
    """The picture as Ultralytics reads it, RGB, and its boxes as xyxy in pixels."""
    label = dataset.labels[number]
    height, width = label["shape"]
    import ultralytics.utils.patches as patches

    pixels = patches.imread(label["im_file"])[..., ::-1]
    x, y, w, h = label["bboxes"].T
    boxes = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=1)
    return pixels, boxes * (width, height, width, height)


def with_red(xyxy: tuple[int, int, int, int], seed: int = 0) -> Any:
    pixels = noise(seed, SIZE)
    left, top, right, bottom = xyxy
    pixels[top:bottom, left:right] = (250, 10, 10)
    return pixels


def red_box(pixels: Any) -> Any:
    """The box around what is red in a picture, by its pixels' edges."""
    red = (pixels[..., 0] > 170) & (pixels[..., 1] < 100)
    rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_boxes_fit_the_picture_in_all_orientations(kind: str, tmp_path: Path) -> None:
    """The box that Ultralytics reads lies on what is red in the picture that it reads."""
    drawn, tasks = (8, 5, 31, 17), []
    for orientation, (swapped, across, down) in ORIENTATIONS.items():
        upright = with_red(drawn, orientation)
        stored = upright.transpose(1, 0, 2) if swapped else upright
        stored = stored[:, ::-1] if across else stored
        stored = stored[::-1] if down else stored
        exif = Pillow.Exif()
        exif[274] = orientation
        options = {"quality": 95} if kind != "PNG" else {}
        url = data_url(np.ascontiguousarray(stored), kind, exif=exif, **options)
        tasks.append(task(orientation, {"image": url}, [box("Red", drawn, SIZE)]))
    built = build(tmp_path, BOXES, tasks, "yolo")
    dataset = load(built)
    assert len(dataset.labels) == 8
    for number in range(8):
        pixels, boxes = read_boxes(dataset, number)
        assert pixels.shape == (40, 60, 3), dataset.im_files[number]
        assert np.abs(boxes - red_box(pixels)).max() <= 1, dataset.im_files[number]
        assert np.abs(boxes - drawn).max() < 0.01
    assert built.problems == []


def test_files_that_need_no_change_are_kept(tmp_path: Path) -> None:
    import base64

    url = data_url(noise(1, SIZE), "JPEG")
    built = build(tmp_path, BOXES, [task(1, {"image": url}, [])], "yolo")
    [image] = (built.folder / "images" / "train").iterdir()
    assert image.read_bytes() == base64.b64decode(url.partition(",")[2])


def test_negatives_and_tasks_without_annotation(tmp_path: Path) -> None:
    tasks = [
        task(1, {"image": data_url(noise(1))}, []),
        task(2, {"image": data_url(noise(2))}, None),
        task(3, {"image": data_url(noise(3))}, [box("Other: 1", (0, 0, 6, 4), SIZE)]),
    ]
    built = build(tmp_path, BOXES, tasks, "yolo")
    labels = sorted((built.folder / "labels" / "train").iterdir())
    assert [path.read_text() for path in labels] == [
        "",
        # the box of 6 × 4 in 60 × 40 at the corner: centre 3/60 and 2/40
        "1 0.050000 0.050000 0.100000 0.100000\n",
    ]
    assert built.manifest.left_out == {"no annotation": 1}
    dataset = load(built)
    assert dataset.data["names"] == {0: "Red", 1: "Other: 1"}
    assert [len(label["cls"]) for label in dataset.labels] == [0, 1]


def test_what_lies_outside_is_clipped_or_reported(tmp_path: Path) -> None:
    results = [box("Red", (-6, -4, 6, 4), SIZE), box("Red", (70, 10, 80, 20), SIZE)]
    built = build(tmp_path, BOXES, [task(7, {"image": data_url(noise(1))}, results)], "yolo")
    _, boxes = read_boxes(load(built), 0)
    assert boxes == pytest.approx(np.array([[0, 0, 6, 4]]), abs=1e-3)
    what = "a region without an area inside the picture is left out (task 7)"
    assert built.problems == [what]


def test_annotated_on_another_size(tmp_path: Path) -> None:
    """Percent are of the picture as it is, whatever size the result has."""
    drawn = box("Red", (16, 10, 62, 34), (120, 80))
    url = data_url(with_red((8, 5, 31, 17)))
    built = build(tmp_path, BOXES, [task(1, {"image": url}, [drawn])], "yolo")
    assert read_boxes(load(built), 0)[1] == pytest.approx(np.array([[8, 5, 31, 17]]), abs=1e-3)


def test_each_image_of_a_list_has_its_own(tmp_path: Path) -> None:
    config = BOXES.replace('value="$image"', 'valueList="$images"')
    results = [box("Red", (0, 0, 6, 4), SIZE, item_index=1)]
    urls = [data_url(noise(1)), data_url(noise(2))]
    built = build(tmp_path, config, [task(5, {"images": urls}, results)], "yolo")
    labels = {path.name: path.read_text() for path in (built.folder / "labels/train").iterdir()}
    assert labels == {"task-5-0.txt": "", "task-5-1.txt": "0 0.050000 0.050000 0.100000 0.100000\n"}


def test_segments(tmp_path: Path) -> None:
    mask = np.zeros((40, 60), np.uint8)
    mask[20:30, 30:50] = 255
    brush, keys = Brush(mask).to_value(ImageSize(*SIZE))
    triangle = {"points": [[10, 10], [50, 10], [10, 50]], "closed": True}
    ellipse = {"x": 50, "y": 50, "radiusX": 10, "radiusY": 25, "rotation": 90}
    results = [
        box("Red", (0, 0, 6, 4), SIZE),
        image_result("polygonlabels", {**triangle, "polygonlabels": ["Red"]}, SIZE),
        image_result("ellipselabels", {**ellipse, "ellipselabels": ["Red"]}, SIZE),
        image_result("brushlabels", {**brush, "brushlabels": ["Brush"]}, SIZE, **keys),
    ]
    built = build(tmp_path, OUTLINES, [task(1, {"image": data_url(noise(1))}, results)], "yolo")
    dataset = load(built, "segment")
    assert dataset.data["names"] == {0: "Red", 1: "Brush"}
    found = {
        (int(number), *np.round(read_boxes(dataset, 0)[1][place]).tolist())
        for place, [number] in enumerate(dataset.labels[0]["cls"])
    }
    # The ellipse's radii are 6 and 10 pixels; turned by 90 degrees it is 20 wide and 12 high.
    assert found == {(0, 0, 0, 6, 4), (0, 6, 4, 30, 20), (0, 20, 14, 40, 26), (1, 30, 20, 50, 30)}
    assert len(dataset.labels[0]["segments"]) == 4


def test_oriented_boxes(tmp_path: Path) -> None:
    turned = box("Red", (30, 10, 50, 20), SIZE, rotation=90)
    tasks = [task(1, {"image": data_url(noise(1))}, [turned])]
    built = build(tmp_path, BOXES, tasks, "yolo", task="obb")
    segment = load(built, "obb").labels[0]["segments"][0] * SIZE
    # 20 × 10, turned clockwise about its first corner (30, 10): to the left and down
    assert segment == pytest.approx(np.array([[30, 10], [30, 30], [20, 30], [20, 10]]), abs=1e-3)


def test_poses(tmp_path: Path) -> None:
    def point(label: str, x: float, y: float, **keys: Any) -> dict[str, Any]:
        value = {"x": x, "y": y, "width": 1, "keypointlabels": [label]}
        return image_result("keypointlabels", value, SIZE, **keys)

    results = [
        box("Person", (0, 0, 30, 40), SIZE, id="left"),
        box("Person", (20, 0, 60, 40), SIZE, id="right"),
        point("Nose", 40, 50, parentID="left"),  # inside both boxes
        point("Nose", 90, 50),  # inside the right one
        point("Hand", 40, 50),  # inside both, without a parent
    ]
    built = build(tmp_path, POSES, [task(3, {"image": data_url(noise(1))}, results)], "yolo")
    dataset = load(built, "pose")
    assert dataset.data["kpt_shape"] == [2, 3]
    keypoints = dataset.labels[0]["keypoints"][np.argsort(dataset.labels[0]["bboxes"][:, 0])]
    # Nose at 40 % and 90 % of the width, with visibility 2; no hand
    expected = [[[0.4, 0.5, 2], [0, 0, 0]], [[0.9, 0.5, 2], [0, 0, 0]]]
    assert keypoints == pytest.approx(np.array(expected), abs=1e-5)
    [problem] = built.problems
    assert problem.startswith("a key point is left out")
    assert problem.endswith("(task 3)")


def test_classes_have_safe_folders(tmp_path: Path) -> None:
    from torchvision.datasets import ImageFolder

    names = ["../up", "a/b", "😀", "A/B", "CON"]
    tasks = [
        task(number, {"image": data_url(noise(number))}, [choice(name)])
        for number, name in enumerate(names)
    ]
    tasks.append(task(9, {"image": data_url(noise(9))}, []))
    built = build(tmp_path, CLASSES, tasks, "yolo")
    read = ImageFolder(str(built.folder / "train"))
    labels = json.loads((built.folder / "classes.json").read_text())
    by_task = {Path(path).stem: labels[read.classes[number]] for path, number in read.samples}
    assert by_task == {f"task-{number}": name for number, name in enumerate(names)}
    assert len({folder.casefold() for folder in labels}) == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dataset"], "nothing is outside"
    assert built.problems == [
        'a picture with no Choices "kind" is left out: a folder stands for exactly one (task 9)'
    ]


def choice(name: str) -> dict[str, Any]:
    return {
        "type": "choices",
        "from_name": "kind",
        "to_name": "image",
        "value": {"choices": [name]},
    }


@pytest.mark.parametrize(
    ("config", "kind", "message"),
    [
        (BOXES, "pose", "--task pose needs KeyPointLabels.*what fits: detect, segment, obb"),
        (BOXES, "classify", "--task classify needs Choices.*what fits: detect, segment, obb"),
        (CLASSES, "detect", "--task detect needs a control tag that draws.*fits: classify"),
        (
            '<View><Text name="text" value="$t"/><Labels name="l" toName="text">'
            '<Label value="A"/></Labels></View>',
            None,
            "for which there is no task of Ultralytics",
        ),
    ],
    ids=["no key points", "no choices", "no boxes", "text"],
)
def test_what_does_not_fit(config: str, kind: str | None, message: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=message):
        build(tmp_path, config, [], "yolo", task=kind)
    assert not (tmp_path / "dataset").exists()
