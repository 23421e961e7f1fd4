"""A film in a real Label Studio: tracks and spans are predicted by our server, and displayed."""

from pathlib import Path
from typing import Any

import pytest

from tests.backends.detection.clip import ACTORS, FPS, FRAMES, SIZE, make_clip
from tests.backends.detection.playback import box_iou, shown_box
from tests.serving import Served

from .compare import differences
from .editor import Editor
from .label_studio import LabelStudio

pytestmark = pytest.mark.e2e

LABELS = "".join(f'<Label value="{actor.name.title()}"/>' for actor in ACTORS)
CONFIG = f"""
<View>
  <Video name="video" value="$video" frameRate="25" timelineHeight="160"/>
  <VideoRectangle name="box" toName="video" model_score_threshold="0.5"/>
  <Labels name="label" toName="video">{LABELS}</Labels>
  <TimelineLabels name="when" toName="video"><Label value="Triangle"/></TimelineLabels>
</View>
"""


@pytest.mark.slow
def test_tracks_and_spans_are_displayed(
    label_studio: LabelStudio, editor: Editor, shapes_server: Served, tmp_path: Path
) -> None:
    """WebM and MP4 with H.264; a broken one between them costs nothing but itself."""
    data, truth = make_clip(FRAMES, kind="webm")
    names = ["film.webm", "broken.mp4", "short.mp4"]
    for name, content in zip(names, (data, data[:200], make_clip(60, kind="mp4")[0]), strict=True):
        (tmp_path / name).write_bytes(content)
    project = label_studio.create_project("film", CONFIG)
    backend = label_studio.connect_backend(project, shapes_server.url)
    assert label_studio.backend_state(backend["id"])["readable_state"] == "Connected"
    tasks = label_studio.upload(project, [tmp_path / name for name in names])
    label_studio.retrieve_predictions(project)
    by_task = {found["task"]: found["result"] for found in label_studio.predictions(project)}
    assert set(by_task) == {tasks[0], tasks[2]}
    for task, frames in ((tasks[2], 60), (tasks[0], FRAMES)):
        [displayed] = editor.predictions(project, task)
        assert differences(by_task[task], displayed) == []
        counts = {r["value"]["framesCount"] for r in displayed if r["from_name"] == "box"}
        assert counts == {frames}
    _check(displayed, truth)
    picture = tmp_path / "film.png"
    editor.screenshot(project, tasks[0], picture)
    assert picture.stat().st_size > 10_000


def _check(results: list[dict[str, Any]], truth: list[dict[str, Any]]) -> None:
    """What the editor gives back is where the shapes are."""
    spans = [r["value"]["ranges"][0] for r in results if r["from_name"] == "when"]
    assert sorted((s["start"], s["end"]) for s in spans) == [(1, 90), (161, FRAMES)]
    tracks = [r["value"] for r in results if r["from_name"] == "box"]
    assert sorted(value["duration"] for value in tracks) == pytest.approx([FRAMES / FPS] * 6)
    for value in tracks:
        name = value["labels"][0].lower()
        for number, boxes in enumerate(truth, 1):
            box = shown_box(value["sequence"], number, SIZE)
            assert box is None or box_iou(box, boxes[name]) >= 0.8
