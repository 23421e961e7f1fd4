"""Pictures that have vanished, and boxes: the labels that are left decide what can be learned."""

import base64
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import pytest

from shared.backend import Backend, Claim
from shared.backend.training import TrainingError, TrainingRun
from shared.results import Region
from tests.evaluation.dataset.building import box, data_url, image_result, noise
from tests.media.web import Web, says, web

from .conftest import Trainings
from .test_held_out import parts_of

SIZE = (60, 40)
BOXES = """<View><Image name="image" value="$image"/>
  <RectangleLabels name="rectanglelabels" toName="image">
    <Label value="Red"/><Label value="Blue"/></RectangleLabels></View>"""


class BoxesBackend(Backend):
    """Finds nothing, and notes which pictures it was to learn from."""

    name = "boxes"
    fills = frozenset({("RectangleLabels", "Image")})
    dataset_format = "yolo"
    learned: ClassVar[list[str]] = []

    def infer(self, model: Any, items: list[Any]) -> Sequence[Any]:
        return [None for _ in items]

    def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
        return ()

    def train(self, run: TrainingRun) -> None:
        files = (run.dataset / "images" / "train").iterdir()
        type(self).learned = sorted(path.stem for path in files)
        run.report(1, 1, loss=0.1)
        (run.output / "weights.bin").write_bytes(b"weights")


def serve_pictures(server: Web, count: int) -> list[dict[str, Any]]:
    """Annotated pictures of a server, whose labels take turns."""
    tasks = []
    for number in range(count):
        server.pages[f"/{number}.png"] = says(png(number))
        result = box(("Red", "Blue")[number % 2], (4, 4, 30, 20), SIZE, id="one")
        annotation = {"id": number + 1, "result": [result]}
        data = {"image": f"{server.url}/{number}.png"}
        tasks.append({"id": number + 1, "data": data, "annotations": [annotation]})
    return tasks


def png(seed: int) -> bytes:
    return base64.b64decode(data_url(noise(seed)).partition(",")[2])


@pytest.fixture
def boxes_trainings(trainings: Trainings, monkeypatch: pytest.MonkeyPatch) -> Trainings:
    monkeypatch.setenv("ALLOWED_NETWORKS", "127.0.0.1")
    trainings.reset()
    trainings.backends = (BoxesBackend,)
    return trainings


def test_pictures_that_vanished_cost_only_themselves(boxes_trainings: Trainings) -> None:
    with web() as server:
        tasks = serve_pictures(server, 30)
        del server.pages["/3.png"]
        outcome = boxes_trainings.outcome(tasks, BOXES)
    assert outcome["labels"] == ["Red", "Blue"]
    assert [note for note in outcome["notes"] if note.startswith("Image cannot be used: ")]
    parts = parts_of(boxes_trainings)
    assert 4 not in parts
    learned = {int(name.removeprefix("task-")) for name in BoxesBackend.learned}
    assert learned == {number for number, part in parts.items() if part == "train"}


def test_all_pictures_vanished(boxes_trainings: Trainings) -> None:
    with web() as server:
        tasks = serve_pictures(server, 12)
        server.pages.clear()
        with pytest.raises(TrainingError) as error:
            boxes_trainings.run(tasks, BOXES)
    said = str(error.value)
    assert 'label "Red" has 0 examples to learn from and 0 held out, 3 and 1 are needed' in said
    assert "12 tasks were left out: media cannot be fetched (Image cannot be used: " in said
    assert "404" in said


def test_a_label_whose_pictures_vanished_is_left_out(boxes_trainings: Trainings) -> None:
    with web() as server:
        tasks = serve_pictures(server, 40)
        for number in range(1, 40, 2):
            del server.pages[f"/{number}.png"]
        outcome = boxes_trainings.outcome(tasks, BOXES)
    assert outcome["labels"] == ["Red"]
    assert outcome["notes"][0] == (
        'not learned: label "Blue" has 0 examples to learn from and 0 held out, 3 and 1 are needed'
    )


def test_what_the_comparison_lacks_is_said_before_the_training(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OutlinesBackend(BoxesBackend):
        name = "outlines"
        fills = frozenset({("PolygonLabels", "Image")})

        def train(self, run: TrainingRun) -> None:
            raise AssertionError("it would be lost")

    corners = {"points": [[10, 10], [50, 10], [30, 60]], "polygonlabels": ["Red"]}
    tasks = []
    for number in range(12):
        result = image_result("polygonlabels", corners, SIZE)
        data = {"image": data_url(noise(number))}
        annotation = {"id": number, "result": [result]}
        tasks.append({"id": number, "data": data, "annotations": [annotation]})
    trainings.backends = (OutlinesBackend,)
    monkeypatch.setitem(sys.modules, "shapely", None)  # as without the extra
    with pytest.raises(TrainingError, match="shapely is not installed: install the extra"):
        trainings.run(tasks, BOXES.replace("Rectangle", "Polygon").replace("rectangle", "polygon"))


def test_entries_that_are_no_tasks_cost_only_themselves(trainings: Trainings) -> None:
    trainings.backends = (BoxesBackend,)
    tasks: list[Any] = ["text", None]
    with pytest.raises(TrainingError, match="none of 2 tasks has an annotation"):
        trainings.run(tasks, BOXES)


def test_each_picture_is_fetched_once_for_all_tags(boxes_trainings: Trainings) -> None:
    """And once more for the comparison, which reads the held-out ones as the server does."""
    tag = '<RectangleLabels name="second" toName="image"><Label value="Red"/></RectangleLabels>'
    second = BOXES.replace("</View>", f"{tag}</View>")
    with web() as server:
        tasks = serve_pictures(server, 12)
        for task in tasks:
            [result] = task["annotations"][0]["result"]
            value = {**result["value"], "rectanglelabels": ["Red"]}
            other = {**result, "id": "two", "from_name": "second", "value": value}
            task["annotations"][0]["result"].append(other)
        result = boxes_trainings.run(tasks, second)
        visits = Counter(path for path, _ in server.visits)
    assert [one["state"] for one in result["controls"]] == ["candidate", "candidate"]
    parts = parts_of(boxes_trainings)
    assert set(visits) == {f"/{number}.png" for number in range(12)}
    for number, part in parts.items():
        assert visits[f"/{number - 1}.png"] == 1 or part == "test"
