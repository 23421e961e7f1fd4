"""The harness proves itself: the editor gives the guide's examples back as they were sent."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from .compare import differences
from .editor import Editor, EditorError
from .label_studio import LabelStudio

pytestmark = pytest.mark.e2e

GUIDE = Path(__file__).parent / "guide"
Json = dict[str, Any]


def example(name: str) -> tuple[str, list[Json]]:
    """Label config and tasks of an example of the pre-annotations guide."""
    config = (GUIDE / f"{name}.xml").read_text(encoding="utf-8")
    return config, json.loads((GUIDE / f"{name}.json").read_text(encoding="utf-8"))


def draw(path: Path, results: list[Json]) -> Path:
    """An image of the size that the results name, with something where their boxes are."""
    sized = [result for result in results if "original_width" in result]
    width, height = sized[0]["original_width"], sized[0]["original_height"]
    image = Image.new("RGB", (width, height), "white")
    for value in (result["value"] for result in sized if "width" in result["value"]):
        corner = value["x"] / 100 * width, value["y"] / 100 * height
        size = value["width"] / 100 * width, value.get("height", 1) / 100 * height
        ends = corner[0] + size[0], corner[1] + size[1]
        ImageDraw.Draw(image).rectangle((*corner, *ends), "lightgray", "gray")
    image.save(path)
    return path


class Desk:
    """The guide's examples, each with its images, as tasks in a project."""

    def __init__(self, server: LabelStudio, editor: Editor, folder: Path) -> None:
        self.server, self.editor, self.folder = server, editor, folder

    def put(self, config: str, tasks: list[Json]) -> tuple[int, list[int]]:
        """Uploads an image for each task of images, and imports the tasks with predictions."""
        project = self.server.create_project("An example", config)
        for number, task in enumerate(tasks):
            results = task["predictions"][0]["result"]
            if any("original_width" in result for result in results):
                image = draw(self.folder / f"{number}.png", results)
                [uploaded] = self.server.upload(project, [image])
                task["data"] = self.server.task(uploaded)["data"]
        return project, self.server.import_tasks(project, tasks)

    def differences(self, config: str, tasks: list[Json]) -> list[str]:
        project, ids = self.put(config, tasks)
        lines = []
        for task, task_id in zip(tasks, ids, strict=True):
            shown = self.editor.predictions(project, task_id)
            for prediction, results in zip(task["predictions"], shown, strict=True):
                lines += differences(prediction["result"], results)
            lines += self.editor.errors
        return lines


@pytest.fixture
def desk(label_studio: LabelStudio, editor: Editor, tmp_path: Path) -> Desk:
    return Desk(label_studio, editor, tmp_path)


@pytest.mark.parametrize("name", ["02-bbox-and-choices", "04-text-spans", "05-ocr"])
def test_the_guide_is_displayed_as_it_is_written(desk: Desk, name: str) -> None:
    assert desk.differences(*example(name)) == []


def test_the_mistake_of_the_guide_is_noticed(desk: Desk) -> None:
    """Its third example has a key point under the Rectangle tag's name."""
    assert desk.differences(*example("03-unlabeled-regions")) == [
        "DEF rect keypoint: not displayed",
        "DEF rect rectangle: displayed, but never sent",
    ]


WRONG = [
    pytest.param({"value": {"rectanglelabels": ["Boat"]}}, id="unknown label"),
    pytest.param({"from_name": "nobody"}, id="unknown from_name"),
    pytest.param({"to_name": "nobody"}, id="unknown to_name"),
    pytest.param({"original_width": 1200}, id="size of another image"),
    pytest.param({"type": "labels"}, id="type of another tag"),
]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_region_is_noticed(desk: Desk, wrong: Json) -> None:
    """The server stores each of them."""
    config, tasks = example("02-bbox-and-choices")
    region = tasks[0]["predictions"][0]["result"][1]
    region.update({**wrong, "value": {**region["value"], **wrong.get("value", {})}})
    lines = desk.differences(config, tasks)
    assert any("result2" in line for line in lines), lines


def test_a_screenshot_shows_the_regions(desk: Desk) -> None:
    project, [task] = desk.put(*example("02-bbox-and-choices"))
    path = desk.folder / "screenshot.png"
    desk.editor.screenshot(project, task, path)
    with Image.open(path) as picture:
        assert picture.size == (1400, 900)


def test_an_image_that_does_not_load_is_an_error(desk: Desk) -> None:
    config, tasks = example("02-bbox-and-choices")
    tasks[0]["data"]["image"] = "/data/upload/1/none.png"
    project = desk.server.create_project("No image", config)
    [task] = desk.server.import_tasks(project, tasks)
    with pytest.raises(EditorError, match="is not loaded"):
        desk.editor.predictions(project, task)


def test_uploads_keep_their_order(desk: Desk) -> None:
    config, tasks = example("02-bbox-and-choices")
    results = tasks[0]["predictions"][0]["result"]
    paths = [draw(desk.folder / name, results) for name in ("b.png", "a.png", "c.png")]
    project = desk.server.create_project("Uploads", config)
    tasks = [desk.server.task(task) for task in desk.server.upload(project, paths)]
    uploaded = [task["data"]["image"] for task in tasks]
    assert [url.rpartition("-")[2] for url in uploaded] == ["b.png", "a.png", "c.png"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the SDK
def test_the_sdk_client_is_logged_in(label_studio: LabelStudio) -> None:
    assert label_studio.client.users.whoami().email
