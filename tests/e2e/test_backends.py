"""Our server connected to a real Label Studio, whose editor shows what was predicted."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from backends.detection.starter.shapes import draw_picture
from shared.backend.example import Example
from shared.backend.registry import find_backends
from tests.serving import Served, served

from .compare import differences
from .editor import Editor
from .label_studio import LabelStudio

pytestmark = pytest.mark.e2e

SEED = 20261123
"""Of the images: none of them is in the repository."""


@pytest.fixture(scope="module")
def server(label_studio: LabelStudio, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    log = tmp_path_factory.mktemp("server") / "log"
    variables = {
        "DETECTION_MODEL": "starter",
        "NER_MODEL": "starter",
        "LABEL_STUDIO_URL": label_studio.url,
        "LABEL_STUDIO_API_KEY": label_studio.token,
    }
    with served("detection", "ner", "ocr", "pattern", log=log, **variables) as running:
        running.wait("/ready", 300)
        yield running


def config_of(name: str) -> str:
    return Example.load(find_backends()[name]).label_config


def connected(label_studio: LabelStudio, name: str, config: str, url: str) -> int:
    project = label_studio.create_project(f"{name} project", config)
    backend = label_studio.connect_backend(project, url)
    state = label_studio.backend_state(backend["id"])
    assert state["readable_state"] == "Connected", state
    return project


def shown(label_studio: LabelStudio, editor: Editor, project: int, task: int) -> dict[str, Any]:
    """The task's only prediction, which the editor must display as it was sent."""
    [prediction] = label_studio.predictions(task_id=task)
    [displayed] = editor.predictions(project, task)
    assert differences(prediction["result"], displayed) == []
    return prediction


def receipt(path: Path) -> list[str]:
    """A receipt with words that only this test knows; its lines."""
    rng = np.random.default_rng(SEED)
    words = ["Paper", "Lamp", "Coffee", "Candle", "Garden hose", "Batteries"]
    lines = [
        "HARBOUR STORES",
        *(f"{word} {rng.integers(1, 90)}.{rng.integers(10, 99)}" for word in words),
    ]
    image = Image.new("RGB", (500, 90 + 60 * len(lines)), "white")
    pen = ImageDraw.Draw(image)
    for row, line in enumerate(lines):
        pen.text((50, 45 + row * 60), line, "black", ImageFont.load_default(30))
    image.save(path)
    return lines


def photo(path: Path, seed: int) -> Any:
    """A drawn photo, its true boxes and their classes."""
    drawn = draw_picture(np.random.default_rng(seed), (400, 300), "clean")
    Image.fromarray(drawn.image).save(path)
    return drawn


def test_receipt(label_studio: LabelStudio, editor: Editor, server: Served, tmp_path: Path) -> None:
    lines = receipt(tmp_path / "receipt.png")
    project = connected(label_studio, "ocr", config_of("ocr"), server.url)
    [task] = label_studio.upload(project, [tmp_path / "receipt.png"])
    label_studio.retrieve_predictions(project)
    prediction = shown(label_studio, editor, project, task)
    read = [r["value"]["text"][0] for r in prediction["result"] if r["type"] == "textarea"]
    assert read == lines
    ids = [r["id"] for r in prediction["result"]]
    assert len(ids) == 3 * len(lines), "box, label and text area"
    assert len(set(ids)) == len(lines), "under one id a line"
    assert prediction["model_version"].startswith("ocr-rapidocr-")
    assert prediction["score"] > 0.9


def test_ten_photos_of_which_one_is_broken(
    label_studio: LabelStudio, editor: Editor, server: Served, tmp_path: Path
) -> None:
    paths = [tmp_path / f"photo-{number}.png" for number in range(10)]
    drawn = [photo(path, SEED + number) for number, path in enumerate(paths)]
    paths[4].write_bytes(paths[4].read_bytes()[:200])
    project = connected(label_studio, "detection", config_of("detection"), server.url)
    tasks = label_studio.upload(project, paths)
    label_studio.retrieve_predictions(project)
    by_task = {found["task"]: found for found in label_studio.predictions(project)}
    assert set(by_task) == set(tasks) - {tasks[4]}
    for number in (0, 9):
        prediction = shown(label_studio, editor, project, tasks[number])
        labels = [r["value"]["rectanglelabels"][0].lower() for r in prediction["result"]]
        assert sorted(labels) == sorted(drawn[number].names)
    reasons = json.loads(_get(server, "/status"))["failures"]["recent"]
    assert any(f["task"] == tasks[4] and f["reason"] == "decode" for f in reasons)


def test_text(label_studio: LabelStudio, editor: Editor, server: Served) -> None:
    text = "Maria Lindqvist of Blue Fjord Ltd flew from Oslo to Porto."
    project = connected(label_studio, "ner", config_of("ner"), server.url)
    [task] = label_studio.import_tasks(project, [{"data": {"text": text}}])
    label_studio.retrieve_predictions(project)
    prediction = shown(label_studio, editor, project, task)
    found = {r["value"]["text"]: r["value"]["labels"][0] for r in prediction["result"]}
    assert found["Maria Lindqvist"] == "Person"
    assert found["Porto"] == "Location"


def test_second_retrieval_stores_nothing_twice(label_studio: LabelStudio, server: Served) -> None:
    project = connected(label_studio, "pattern", config_of("pattern"), f"{server.url}/pattern")
    label_studio.import_tasks(project, Example.load(find_backends()["pattern"]).tasks)
    for _ in range(2):
        label_studio.retrieve_predictions(project)
    found = label_studio.predictions(project)
    assert len(found) == len(Example.load(find_backends()["pattern"]).tasks)


def test_everything_on_one_page(
    label_studio: LabelStudio, editor: Editor, server: Served, tmp_path: Path
) -> None:
    """Boxes, choices, text spans and OCR in one label config: one prediction has them all."""
    config = """
    <View>
      <Image name="photo" value="$photo"/>
      <RectangleLabels name="shape" toName="photo">
        <Label value="Circle"/><Label value="Square"/><Label value="Triangle"/>
        <Label value="Star"/><Label value="Cross"/>
      </RectangleLabels>
      <Choices name="has" toName="photo" choice="multiple">
        <Choice value="circle"/><Choice value="square"/><Choice value="triangle"/>
        <Choice value="star"/><Choice value="cross"/>
      </Choices>
      <Image name="page" value="$page"/>
      <Rectangle name="bbox" toName="page"/>
      <TextArea name="read" label="Text" toName="page" perRegion="true" editable="true"/>
      <Labels name="who" toName="text"><Label value="Person"/><Label value="Location"/></Labels>
      <Text name="text" value="$text"/>
    </View>
    """
    photo(tmp_path / "photo.png", SEED)
    receipt(tmp_path / "page.png")
    uploads = label_studio.create_project("uploads", config_of("detection"))
    tasks = label_studio.upload(uploads, [tmp_path / "photo.png", tmp_path / "page.png"])
    photo_url, page_url = (label_studio.task(task)["data"]["image"] for task in tasks)
    project = connected(label_studio, "everything", config, server.url)
    data = {"photo": photo_url, "page": page_url, "text": "Anna Berg lives in Lisbon."}
    [task] = label_studio.import_tasks(project, [{"data": data}])
    label_studio.retrieve_predictions(project)
    prediction = shown(label_studio, editor, project, task)
    assert {r["from_name"] for r in prediction["result"]} == {"shape", "has", "bbox", "read", "who"}
    assert prediction["model_version"].count("+") == 2


def _get(server: Served, path: str) -> str:
    import httpx

    return httpx.get(server.url + path, timeout=60).text
