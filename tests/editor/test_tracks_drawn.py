"""A box that is drawn on a video becomes a track, which the editor draws in the box's place."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

from shared.editor.browser import EditorBrowser
from shared.editor.comparison import find_differences
from shared.editor.drawn import read_drawing
from shared.label_studio.label_config import LabelConfig
from shared.pipeline.runtime import reset_runtime, runtime
from shared.settings import Settings
from tests.backends.segment.video.moving import (
    CONFIG,
    RED,
    ColourBackend,
    box_of,
    drawn,
    iou,
    key,
    swing,
    track_boxes,
    video,
)
from tests.tiny import made, routed

from .conftest import PATIENCE_SECONDS, label_studio_folder
from .test_user_regions_drawn import ACCEPT

TASK = {"id": 1, "data": {"video": "/data/local-files/?d=ball.webm"}}
PARSED = LabelConfig.parse(CONFIG)
FRAMES = 300
# Frames on which the editor is looked at: each takes it a quarter of a second.
LOOKED_AT = (1, 40, 111, 150, 222, 300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of 300 frames, in which a disc moves over a textured ground."""
    made_folder = tmp_path_factory.mktemp("video")
    (made_folder / "ball.webm").write_bytes(video(FRAMES, {RED: swing}))
    return made_folder


@pytest.fixture(scope="module")
def browser(folder: Path) -> Iterator[EditorBrowser]:
    settings = Settings(label_studio_assets=label_studio_folder(), local_files_root=folder)
    with EditorBrowser(settings, timeout=PATIENCE_SECONDS) as opened:
        yield opened


@pytest.fixture(autouse=True)
def fresh(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("SEGMENT_MODEL", "colours")
    monkeypatch.setenv("CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("LOCAL_FILES_ROOT", str(folder))
    reset_runtime()
    yield
    monkeypatch.undo()
    reset_runtime()


def test_a_drawn_box_is_replaced_by_its_track(browser: EditorBrowser) -> None:
    region = drawn(key(1, box_of(0)))
    browser.show(PARSED, {**TASK, "annotations": [{"result": [region]}]}, "annotations")
    sent_by_editor = browser.select(0)
    plan = routed(made(ColourBackend, CONFIG), xml=CONFIG)
    [outcome] = runtime().pipeline.run(plan, [TASK], {"result": sent_by_editor})
    assert outcome.prediction is not None, outcome.error
    [track] = outcome.prediction.results
    places = track_boxes(track)
    assert list(places) == list(range(FRAMES))
    assert np.mean([iou(box, box_of(frame)) for frame, box in places.items()]) > 0.9

    [after] = browser.ask(ACCEPT, [track])["results"]  # the drawn box is gone
    assert after["id"] == region["id"]
    assert after["value"]["labels"] == ["Ball"]
    assert after["value"]["sequence"] == track["value"]["sequence"]
    shown = browser.ask("(frames) => prelabelDrawn.tracks(frames)", list(LOOKED_AT))
    for frame in LOOKED_AT:
        corners = np.array(shown["places"]["drawn"][str(frame)])
        box: Any = (*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist())
        assert np.abs(np.array(box) - places[frame - 1]).max() < 0.2
        assert iou(box, box_of(frame - 1)) > 0.8


def test_the_track_as_a_prediction_is_drawn_as_it_was_sent(browser: EditorBrowser) -> None:
    plan = routed(made(ColourBackend, CONFIG), xml=CONFIG)
    context = {"result": [drawn(key(251, box_of(250)))]}
    [outcome] = runtime().pipeline.run(plan, [TASK], context)
    assert outcome.prediction is not None, outcome.error
    results = list(outcome.prediction.results)
    browser.show(PARSED, {**TASK, "predictions": [{"result": results}]})
    assert find_differences(results, read_drawing(browser, 0, results), PARSED) == []


# Notes what the editor would send to the server.
LISTEN = """() => {
  window.asked = null;
  Htx.setAutoAnnotation(true);
  Htx.$treenode.environment.events.on("regionFinishedDrawing", (region, group) => {
    const ids = group.map(({ cleanId }) => cleanId);
    const all = Htx.annotationStore.selected.serializeAnnotation();
    window.asked = JSON.parse(JSON.stringify(all.filter(({ id }) => ids.includes(id))));
  }); }"""
# Where the upper left pixel of the video is on the screen, and how wide a pixel is.
VIDEO_ON_SCREEN = """() => {
  const [stage] = Konva.stages;
  const { x, y } = stage.container().getBoundingClientRect();
  const matrix = stage.getLayers()[0].getAbsoluteTransform().getMatrix();
  return [x + matrix[4], y + matrix[5], matrix[0]]; }"""
SELECT = """() => {
  const { selected } = Htx.annotationStore;
  selected.selectArea(selected.regions[0]); }"""


def draw_and_label(page: Page) -> tuple[Any, Any]:
    """Draw a box with the mouse and press its label's key: what is asked before, and then."""
    page.evaluate(LISTEN)
    left, top, scale = page.evaluate(VIDEO_ON_SCREEN)
    first_x, first_y, last_x, last_y = (place * scale for place in box_of(0))
    page.mouse.move(left + first_x, top + first_y)
    page.mouse.down()
    page.mouse.move(left + (first_x + last_x) / 2, top + (first_y + last_y) / 2)
    page.mouse.move(left + last_x, top + last_y)
    page.mouse.up()
    page.wait_for_function("() => Htx.annotationStore.selected.regions.length === 1")
    before = page.evaluate("() => window.asked")
    page.evaluate(SELECT)
    page.keyboard.press("1")
    page.wait_for_function("() => window.asked")
    return before, page.evaluate("() => window.asked")


def test_the_editor_asks_when_a_drawn_box_gets_its_label(browser: EditorBrowser) -> None:
    """As the readme says: a box without a label, then its label, and there is the track."""
    browser.show(PARSED, {**TASK, "annotations": [{"result": []}]}, "annotations")
    browser.select(0)
    before, asked = browser._do(lambda: draw_and_label(browser._page))
    assert before is None
    plan = routed(made(ColourBackend, CONFIG), xml=CONFIG)
    [outcome] = runtime().pipeline.run(plan, [TASK], {"result": asked})
    assert outcome.prediction is not None, outcome.error
    results = list(outcome.prediction.results)
    after = browser.ask(ACCEPT, results)["results"]
    assert {one["id"] for one in after} == {asked[0]["id"]}
    assert {tuple(one["value"]["labels"]) for one in after} == {("Ball",)}
    places = track_boxes(after[0])
    assert list(places) == list(range(FRAMES))
    assert np.mean([iou(box, box_of(frame)) for frame, box in places.items()]) > 0.9
