"""Of every result type the editor draws what the result says."""

from pathlib import Path
from typing import Any

import pytest

from shared.editor.browser import EditorBrowser
from shared.editor.comparison import find_differences
from shared.editor.drawn import read_drawing
from shared.label_studio.label_config import LabelConfig
from shared.media.named_file import LocalPath
from tests.e2e.every_type import ROWS, SCENES, Row
from tests.e2e.media import FILES


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("media")
    for name, write in FILES.items():
        write(found / name)
    return found


def results(row: Row) -> list[dict[str, Any]]:
    return [result for region in row.regions() for result in region.results]


def data(scene: str, folder: Path) -> dict[str, Any]:
    found = SCENES[scene].data()
    return {
        key: LocalPath.from_file(value, folder / value)
        if isinstance(value, str) and value in FILES
        else value
        for key, value in found.items()
    }


@pytest.mark.parametrize("scene", SCENES)
def test_what_is_drawn_is_what_was_said(scene: str, browser: EditorBrowser, folder: Path) -> None:
    rows = [row for row in ROWS if row.scene == scene]
    config = LabelConfig.parse(SCENES[scene].config)
    task = {"data": data(scene, folder), "predictions": [{"result": results(row)} for row in rows]}
    assert browser.show(config, task) == len(rows)
    found = {}
    for index, row in enumerate(rows):
        drawing = read_drawing(browser, index, results(row))
        found[row.name] = find_differences(results(row), drawing, config)
        assert drawing.regions
    assert found == {row.name: [] for row in rows}
