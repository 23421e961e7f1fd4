"""Where the editor draws each track and span that `validate` knows of, right and wrong ones."""

from typing import Any

import pytest

from .editor_alone import EditorAlone
from .label_studio import LabelStudio
from .media import write_video
from .tracks import CONFIG, ROWS

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def drawn(
    label_studio: LabelStudio, editor_alone: EditorAlone, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What is on the canvas, or on the timeline, by the row: a task's predictions."""
    path = tmp_path_factory.mktemp("media") / "clip.webm"
    write_video(path)
    project = label_studio.create_project("Tracks", CONFIG)
    [uploaded] = label_studio.upload(project, [path])
    predictions = [
        {"model_version": name, "score": 0.5, "result": [row.result()]}
        for name, row in ROWS.items()
    ]
    data = label_studio.task(uploaded)["data"]
    [task] = label_studio.import_tasks(project, [{"data": data, "predictions": predictions}])
    frames = [list(row.drawn) for row in ROWS.values()]
    return dict(zip(ROWS, editor_alone.drawn(project, task, frames), strict=True))


@pytest.mark.parametrize("name", ROWS)
def test_the_editor_draws_what_the_row_says(name: str, drawn: dict[str, Any]) -> None:
    row = ROWS[name]
    assert drawn[name] == (row.drawn or [list(bar) for bar in row.bars])
