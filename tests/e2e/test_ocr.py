"""What OCR says, in a real Label Studio and its editor: boxes on the words, one region a line."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from shared.cli import app, pages  # noqa: F401  # it adds its command
from tests.backends.ocr.drawing import font
from tests.backends.ocr.drawing import page as drawn_page
from tests.backends.ocr.photos import Photo, receipt, sign
from tests.backends.ocr.test_pages import huge
from tests.serving import Served, served

from .compare import differences
from .editor import Editor
from .editor_alone import EditorAlone
from .label_studio import LabelStudio

pytestmark = pytest.mark.e2e

GUIDE = Path(__file__).parent / "guide"
CONFIG = (GUIDE / "05-ocr.xml").read_text()
LIST = CONFIG.replace('value="$ocr"', 'valueList="$pages"')


@pytest.fixture(scope="module")
def server(label_studio: LabelStudio, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    log = tmp_path_factory.mktemp("server") / "log"
    variables = {"LABEL_STUDIO_URL": label_studio.url, "LABEL_STUDIO_API_KEY": label_studio.token}
    with served("ocr", log=log, **variables) as running:
        running.wait("/ready", 300)
        yield running


def connected(
    label_studio: LabelStudio, server: Served, config: str = CONFIG, interactive: bool = False
) -> tuple[int, int]:
    """A new project and its backend."""
    project = label_studio.create_project("ocr project", config)
    backend = label_studio.connect_backend(project, server.url, interactive=interactive)
    return project, int(backend["id"])


def regions(results: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """By region id: the results by type."""
    found: dict[str, dict[str, Any]] = {}
    for result in results:
        found.setdefault(result["id"], {})[result["type"]] = result
    return found


def shown(
    label_studio: LabelStudio, editor: Editor | EditorAlone, project: int, task: int
) -> dict[str, Any]:
    """The regions of the task's only prediction as the editor displays them."""
    [prediction] = label_studio.predictions(task_id=task)
    [displayed] = editor.predictions(project, task)
    assert differences(prediction["result"], displayed) == []
    return regions(displayed)


def corners(result: dict[str, Any]) -> Any:
    """Of a displayed rectangle, in percent of the upright image: turned about its top left."""
    value = result["value"]
    width, height = result["original_width"], result["original_height"]
    turn = math.radians(value["rotation"])
    across = np.array([math.cos(turn), math.sin(turn)]) * value["width"] * width / 100
    down = np.array([-math.sin(turn), math.cos(turn)]) * value["height"] * height / 100
    start = np.array([value["x"] * width / 100, value["y"] * height / 100])
    quad = np.array([start, start + across, start + across + down, start + down])
    return quad * 100 / np.array([width, height])


def overlap(one: Any, other: Any) -> float:
    """Intersection over union."""
    first, second = (np.asarray(quad, np.float32) for quad in (one, other))
    inside, _ = cv2.intersectConvexConvex(first, second)
    return float(inside / (cv2.contourArea(first) + cv2.contourArea(second) - inside))


def example(path: Path) -> dict[str, Any]:
    """The guide's receipt, with TOTAL where its fifth example has it; that example's prediction."""
    [task] = json.loads((GUIDE / "05-ocr.json").read_text())
    [prediction] = task["predictions"]
    box = prediction["result"][0]
    image = Image.new("RGB", (box["original_width"], box["original_height"]), "white")
    pen = ImageDraw.Draw(image)
    left, top = (
        box["value"][axis] * size / 100 for axis, size in zip("xy", image.size, strict=True)
    )
    middle = top + box["value"]["height"] * image.height / 200
    pen.text((left + 2, middle), "TOTAL", "black", font(25), anchor="lm")
    pen.text((left + 200, middle), "12.80", "black", font(25), anchor="lm")
    pen.text((120, 200), "CORNER MARKET", "black", font(40))
    image.save(path)
    return dict(prediction)


def test_example_5_of_the_guide(
    label_studio: LabelStudio, editor: Editor, server: Served, tmp_path: Path
) -> None:
    wanted = regions(example(tmp_path / "receipt_00523.png")["result"])["bb1"]
    project, _ = connected(label_studio, server)
    [task] = label_studio.upload(project, [tmp_path / "receipt_00523.png"])
    label_studio.retrieve_predictions(project)
    displayed = shown(label_studio, editor, project, task)
    texts = [region["textarea"]["value"]["text"] for region in displayed.values()]
    assert texts == [["CORNER MARKET"], ["TOTAL"], ["12.80"]], "one region a text"
    [found] = [r for r in displayed.values() if r["textarea"]["value"]["text"] == ["TOTAL"]]
    assert list(found) == list(wanted) == ["rectangle", "labels", "textarea"]
    assert found["labels"]["value"]["labels"] == wanted["labels"]["value"]["labels"] == ["Text"]
    for kind, result in found.items():
        for key in ("from_name", "to_name", "original_width", "original_height", "image_rotation"):
            assert result[key] == wanted[kind][key]
        assert result["value"].keys() == wanted[kind]["value"].keys()
        assert overlap(corners(result), corners(wanted[kind])) >= 0.5


RECEIPT = """<View><Image name="image" value="$ocr"/>
<RectangleLabels name="what" toName="image">
  <Label value="Shop"/><Label value="Total"/>
</RectangleLabels>
<TextArea name="transcription" toName="image" perRegion="true"/></View>"""


def test_a_line_without_a_fitting_label_is_a_box_with_its_text(
    label_studio: LabelStudio, editor_alone: EditorAlone, server: Served, tmp_path: Path
) -> None:
    """Which of the labels it is, the annotator says: the text area alone draws it."""
    example(tmp_path / "receipt.png")
    project, _ = connected(label_studio, server, RECEIPT)
    [task] = label_studio.upload(project, [tmp_path / "receipt.png"])
    label_studio.retrieve_predictions(project)
    displayed = shown(label_studio, editor_alone, project, task).values()
    assert [list(region) for region in displayed] == [["textarea"]] * 3
    areas = [region["textarea"]["value"] for region in displayed]
    assert [area["text"] for area in areas] == [["CORNER MARKET"], ["TOTAL"], ["12.80"]]
    assert {box["id"] for box in editor_alone.boxes()["regions"]} == {
        region["textarea"]["id"] for region in displayed
    }


PHOTOS = [(kind, seed, (1, 6, 3, 8)[seed % 4]) for kind in (receipt, sign) for seed in (1, 2, 3)]


def test_held_out_photos_have_their_boxes_on_the_words(
    label_studio: LabelStudio, editor_alone: EditorAlone, server: Served, tmp_path: Path
) -> None:
    """Receipts and signs, most of them stored on their side or head, with EXIF to say so.

    They are drawn, as a camera would see them (see photos.py): no photos are at hand whose words
    and places are known.
    """
    photos: list[Photo] = [kind(seed) for kind, seed, _ in PHOTOS]
    paths = [tmp_path / f"{kind.__name__}-{seed}.jpg" for kind, seed, _ in PHOTOS]
    for photo, path, (_, _, orientation) in zip(photos, paths, PHOTOS, strict=True):
        photo.save(path, orientation)
    project, _ = connected(label_studio, server)
    tasks = label_studio.upload(project, paths)
    label_studio.retrieve_predictions(project)
    for photo, task in zip(photos, tasks, strict=True):
        displayed = shown(label_studio, editor_alone, project, task).values()
        on = {(r["original_width"], r["original_height"]) for d in displayed for r in d.values()}
        assert on == {photo.image.size}, "percent of the upright image"
        for text, quad in photo.lines:
            box = max((d["rectangle"] for d in displayed), key=lambda r: overlap(corners(r), quad))
            [region] = [d for d in displayed if d["rectangle"] is box]
            assert overlap(corners(box), quad) >= 0.5, text
            assert region["textarea"]["value"]["text"] == [text]


@pytest.mark.parametrize("degrees", [90, 180])
def test_a_turned_page_shows_its_degrees(
    label_studio: LabelStudio,
    editor_alone: EditorAlone,
    server: Served,
    tmp_path: Path,
    degrees: int,
) -> None:
    drawn = drawn_page(4, lines=3, degrees=degrees)
    drawn.image.save(tmp_path / "turned.png")
    project, _ = connected(label_studio, server)
    [task] = label_studio.upload(project, [tmp_path / "turned.png"])
    label_studio.retrieve_predictions(project)
    displayed = list(shown(label_studio, editor_alone, project, task).values())
    assert [d["textarea"]["value"]["text"][0] for d in displayed] == drawn.lines
    turns = [d["rectangle"]["value"]["rotation"] for d in displayed]
    assert turns == pytest.approx([degrees] * 3, abs=1.5)


def test_a_drawn_region_gets_its_text(
    label_studio: LabelStudio, editor: Editor, server: Served, tmp_path: Path
) -> None:
    """A turned rectangle and a polygon, as the editor sends them; the answer under their ids."""
    photo = receipt(11)
    photo.save(tmp_path / "receipt.jpg", 6)
    config = CONFIG.replace("strokeWidth", 'smart="true" strokeWidth')
    project, backend = connected(label_studio, server, config, interactive=True)
    [task] = label_studio.upload(project, [tmp_path / "receipt.jpg"])
    (width, height), answers = photo.image.size, []
    for kind, (text, quad) in {"rectangle": photo.lines[0], "polygon": photo.lines[1]}.items():
        drawn = {"id": f"drawn-{kind}", "type": kind, "to_name": "image", "image_rotation": 0}
        drawn |= {"original_width": width, "original_height": height}
        drawn |= (
            around(quad, width, height)
            if kind == "rectangle"
            else {
                "from_name": "poly",
                "value": {"points": quad.tolist(), "closed": True},
            }
        )
        context = {"result": [drawn]}
        first, second = (label_studio.interactive(backend, task, context) for _ in range(2))
        assert first["data"] == second["data"]
        found = first["data"]["result"]
        assert {result["id"] for result in found} == {drawn["id"]}
        [area] = [result for result in found if result["type"] == "textarea"]
        assert area["value"]["text"] == [text]
        answers += found
    label_studio.request(
        "POST",
        "/api/predictions/",
        json={"task": task, "result": answers, "model_version": "drawn"},
    )
    displayed = regions(editor.predictions(project, task)[-1])
    assert [sorted(region) for region in displayed.values()] == [
        ["rectangle", "textarea"],
        ["polygon", "textarea"],
    ]


def around(quad: Any, width: int, height: int) -> dict[str, Any]:
    """A rectangle turned as the line is, a little larger than it, as a user draws it."""
    points = quad * np.array([width, height]) / 100
    along = points[1] - points[0]
    turn = math.atan2(along[1], along[0])
    to_right = np.array([math.cos(turn), math.sin(turn)])
    down = np.array([-to_right[1], to_right[0]])
    start = points[0] - 6 * to_right - 6 * down
    value = {
        "x": start[0] * 100 / width,
        "y": start[1] * 100 / height,
        "width": (float(np.linalg.norm(along)) + 12) * 100 / width,
        "height": (float(np.linalg.norm(points[3] - points[0])) + 12) * 100 / height,
        "rotation": math.degrees(turn),
    }
    return {"from_name": "bbox", "value": {key: float(number) for key, number in value.items()}}


def test_blank_corrupt_and_enormous_pages(
    label_studio: LabelStudio, editor_alone: EditorAlone, server: Served, tmp_path: Path
) -> None:
    from base64 import b64decode

    names = ["blank.png", "corrupt.png", "enormous.png", "good.png"]
    blank, corrupt, enormous, good = (tmp_path / name for name in names)
    Image.new("RGB", (400, 500), "white").save(blank)
    drawn_page(9, lines=2).image.save(good)
    corrupt.write_bytes(good.read_bytes()[:300])
    enormous.write_bytes(b64decode(huge().partition(",")[2]))
    project, _ = connected(label_studio, server)
    tasks = label_studio.upload(project, [blank, corrupt, enormous, good])
    label_studio.retrieve_predictions(project)
    results = {p["task"]: p["result"] for p in label_studio.predictions(project)}
    assert set(results) == {tasks[0], tasks[3]}, "the others are asked for again"
    assert results[tasks[0]] == []
    assert editor_alone.predictions(project, tasks[0]) == [[]]
    assert len(shown(label_studio, editor_alone, project, tasks[3])) == 2
    recent = httpx.get(f"{server.url}/status", timeout=60).json()["failures"]["recent"]
    reasons = {failure["task"]: failure for failure in recent}
    assert "damaged" in reasons[tasks[1]]["message"]
    assert (
        "200 megapixels (20000 × 10000); MAX_MEGAPIXELS allows 100" in reasons[tasks[2]]["message"]
    )


def test_a_scanned_document_is_shown_page_by_page(
    label_studio: LabelStudio, editor: Editor, server: Served, tmp_path: Path
) -> None:
    """TIFF to images by `prelabel pages`, uploaded, and regions on each of the task's pages."""
    drawn = [drawn_page(seed, lines=2) for seed in (20, 21)]
    first, second = (one.image for one in drawn)
    first.save(tmp_path / "scan.tiff", save_all=True, append_images=[second])
    made = CliRunner().invoke(app, ["pages", str(tmp_path / "scan.tiff"), "-o", str(tmp_path)])
    assert made.exit_code == 0, made.output
    uploads = label_studio.create_project("uploads", CONFIG)
    images = label_studio.upload(uploads, sorted((tmp_path / "scan").glob("*.png")))
    urls = [label_studio.task(image)["data"]["ocr"] for image in images]
    project, _ = connected(label_studio, server, LIST)
    [task] = label_studio.import_tasks(project, [{"data": {"pages": urls}}])
    label_studio.retrieve_predictions(project)
    displayed = shown(label_studio, editor, project, task).values()
    for number, one in enumerate(drawn):
        here = [d["textarea"] for d in displayed if d["rectangle"]["item_index"] == number]
        assert [area["value"]["text"][0] for area in here] == one.lines
        assert {area["item_index"] for area in here} == {number}
