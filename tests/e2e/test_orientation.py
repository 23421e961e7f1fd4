"""Photos that lie on their side: the editor shows the starter's boxes where the shapes are."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backends.detection.starter.shapes import CLASSES, Picture, draw_picture
from tests.backends.detection.turned import turned_jpeg
from tests.serving import Served

from .compare import differences
from .editor import Editor
from .editor_alone import EditorAlone
from .label_studio import LabelStudio

Seen = Callable[[int, int], list[tuple[str, Any]]]

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

LABELS = "".join(f'<Label value="{name}"/>' for name in CLASSES)
CONFIG = f"""<View><Image name="image" value="$image"/>
  <RectangleLabels name="label" toName="image" model_score_threshold="0.4">{LABELS}
  </RectangleLabels></View>"""
SEED, PICTURES, SHAPES, SIZE = 20261125, 4, 5, (320, 240)
"""The pictures are the first of their seed."""
ORIENTATIONS = range(1, 9)
NEAR = 2.0
"""Pixels within which all boxes are at all four edges; of 500 on other such pictures 499."""
SAMPLE = (3, 5, 6)
"""Upside down, mirrored and on its side."""
SAME = 0.5
"""Pixels by which turning a picture may move a box: it is another JPEG, no more."""


def drawn(number: int) -> Picture:
    return draw_picture(np.random.default_rng([SEED, number]), SIZE, "clean", SHAPES)


@pytest.fixture(scope="module")
def tasks(
    label_studio: LabelStudio, shapes_server: Served, tmp_path_factory: pytest.TempPathFactory
) -> tuple[int, dict[tuple[int, int], int]]:
    """The project, and the task of each picture in each orientation; all are predicted."""
    folder = tmp_path_factory.mktemp("photos")
    places = [(number, turn) for number in range(PICTURES) for turn in ORIENTATIONS]
    paths = [folder / f"photo-{number}-{turn}.jpg" for number, turn in places]
    for (number, turn), path in zip(places, paths, strict=True):
        path.write_bytes(turned_jpeg(drawn(number).image, turn))
    project = label_studio.create_project("Orientations", CONFIG)
    label_studio.connect_backend(project, shapes_server.url)
    made = label_studio.upload(project, paths)
    label_studio.retrieve_predictions(project)
    return project, dict(zip(places, made, strict=True))


@pytest.fixture(scope="module")
def seen(label_studio: LabelStudio, editor_alone: EditorAlone, tasks: Any) -> Seen:
    """Of a picture in an orientation what the editor shows, each box by its label and place."""
    project, by_place = tasks
    known: dict[tuple[int, int], list[tuple[str, Any]]] = {}

    def look(number: int, turn: int) -> list[tuple[str, Any]]:
        if (number, turn) not in known:
            task = by_place[number, turn]
            [prediction] = label_studio.predictions(task_id=task)
            [displayed] = editor_alone.predictions(project, task)
            assert differences(prediction["result"], displayed) == []
            shown = editor_alone.boxes()
            assert (shown["width"], shown["height"]) == SIZE
            _check_colours(shown["regions"], drawn(number).image)
            boxes = {region["id"]: np.array(region["box"]) for region in shown["regions"]}
            known[number, turn] = [
                (r["value"]["rectanglelabels"][0], boxes[r["id"]]) for r in displayed
            ]
        return known[number, turn]

    return look


def _check_colours(regions: list[dict[str, Any]], image: Any) -> None:
    """In the middle of each box the browser shows what was drawn there."""
    for region in regions:
        left, top, right, bottom = region["box"]
        x, y = int((left + right) / 2), int((top + bottom) / 2)
        around = image[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].astype(int)
        assert np.abs(around - region["colour"]).max(axis=2).min() < 24


def apart(name: str, box: Any, found: list[tuple[str, Any]]) -> float:
    """Pixels between the edges of a box and those of the nearest that was found of its class."""
    return min(
        (float(np.abs(box - one).max()) for label, one in found if label == name), default=99
    )


@pytest.mark.parametrize("turn", ORIENTATIONS)
def test_boxes_are_where_the_browser_shows_the_shapes(turn: int, seen: Seen) -> None:
    off = [
        apart(name, true, seen(number, turn))
        for number in range(PICTURES)
        for name, true in zip(drawn(number).names, drawn(number).boxes, strict=True)
    ]
    assert len(off) == PICTURES * SHAPES
    assert max(off) <= NEAR


@pytest.mark.parametrize("turn", ORIENTATIONS[1:])
def test_turning_a_photo_moves_no_box(turn: int, seen: Seen) -> None:
    for number in range(PICTURES):
        upright, turned = seen(number, 1), seen(number, turn)
        sure = [(name, box) for name, box in upright if apart(name, box, turned) <= SAME]
        assert len(sure) >= SHAPES
        assert abs(len(turned) - len(upright)) <= 1, "one may be at the threshold"


@pytest.mark.parametrize("turn", SAMPLE)
def test_label_studios_own_page_shows_the_same(
    turn: int, seen: Seen, tasks: Any, editor: Editor
) -> None:
    project, by_place = tasks
    [displayed] = editor.predictions(project, by_place[0, turn])
    shown = editor.boxes()
    assert (shown["width"], shown["height"]) == SIZE
    _check_colours(shown["regions"], drawn(0).image)
    boxes = {region["id"]: np.array(region["box"]) for region in shown["regions"]}
    alone = seen(0, turn)
    assert len(displayed) == len(alone)
    for result, (name, box) in zip(displayed, alone, strict=True):
        assert result["value"]["rectanglelabels"] == [name]
        assert np.abs(boxes[result["id"]] - box).max() < 1e-6
