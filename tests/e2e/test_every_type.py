"""Every result type, imported into a real Label Studio, comes back from its editor as sent."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.editor.browser import EditorBrowser
from shared.label_studio.label_config import LabelConfig
from shared.media.named_file import LocalPath
from shared.results.validation import check_prediction
from shared.settings import Settings

from .compare import comparable, differences
from .conftest import label_studio_environment
from .editor import Editor
from .every_type import ROWS, SCENES, Row
from .label_studio import LabelStudio
from .media import FILES

pytestmark = pytest.mark.e2e

Result = dict[str, Any]
Shown = Callable[[Row], list[Result]]


def of_scene(scene: str) -> list[Row]:
    return [row for row in ROWS if row.scene == scene]


def results(row: Row) -> list[Result]:
    return [result for region in row.regions() for result in region.results]


@pytest.fixture(scope="module")
def shown(
    label_studio: LabelStudio, editor: Editor, tmp_path_factory: pytest.TempPathFactory
) -> Shown:
    """What the editor makes of a row. The rows of a scene are the predictions of one task."""
    answers: dict[str, list[list[Result]]] = {}
    folder = tmp_path_factory.mktemp("media")

    def ask(row: Row) -> list[Result]:
        if row.scene not in answers:
            scene = SCENES[row.scene]
            project = label_studio.create_project(f"Types: {row.scene}", scene.config)
            predictions = [
                {"model_version": other.name, "score": 0.5, "result": results(other)}
                for other in of_scene(row.scene)
            ]
            data = uploaded(label_studio, project, scene.data(), folder)
            [task] = label_studio.import_tasks(
                project, [{"data": data, "predictions": predictions}]
            )
            answers[row.scene] = editor.predictions(project, task)
        return answers[row.scene][of_scene(row.scene).index(row)]

    return ask


def uploaded(
    server: LabelStudio, project: int, data: dict[str, object], folder: Path
) -> dict[str, object]:
    """The data with the names of files as the addresses under which the server has them."""
    found = {}
    for key, name in data.items():
        if isinstance(name, str) and name in FILES:
            path = folder / name
            FILES[path.name](path)
            [task] = server.upload(project, [path])
            found[key] = next(iter(server.task(task)["data"].values()))
    return {**data, **found}


@pytest.fixture(scope="module")
def shown_alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """What the editor makes of a row where there is no Label Studio around it."""
    answers: dict[str, list[list[Result]]] = {}
    folder = tmp_path_factory.mktemp("media")
    settings = Settings(label_studio_assets=label_studio_environment())
    with EditorBrowser(settings, timeout=90) as browser:

        def ask(row: Row) -> list[Result]:
            if row.scene not in answers:
                rows = of_scene(row.scene)
                predictions = [{"result": results(other)} for other in rows]
                data = with_local_files(SCENES[row.scene].data(), folder)
                config = LabelConfig.parse(SCENES[row.scene].config)
                browser.show(config, {"data": data, "predictions": predictions})
                answers[row.scene] = [browser.select(index) for index in range(len(rows))]
            return answers[row.scene][of_scene(row.scene).index(row)]

        yield ask


def with_local_files(data: dict[str, object], folder: Path) -> dict[str, object]:
    """The data with the files themselves in place of their names."""
    found = dict(data)
    for key, name in data.items():
        if isinstance(name, str) and name in FILES:
            FILES[name](folder / name)
            found[key] = LocalPath.from_file(name, folder / name)
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_type_is_displayed_as_it_was_sent(row: Row, shown: Shown) -> None:
    sent = results(row)
    lines = differences(map(comparable, sent), map(comparable, shown(row)))
    assert tuple(lines) == row.differs
    assert bool(row.differs) == bool(row.why)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_is_displayed_is_found_without_fault(row: Row) -> None:
    config = LabelConfig.parse(SCENES[row.scene].config)
    assert check_prediction(config, {"result": results(row)}, SCENES[row.scene].data()) == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_the_editor_writes_is_found_without_fault(row: Row, shown: Shown) -> None:
    config = LabelConfig.parse(SCENES[row.scene].config)
    assert check_prediction(config, {"result": shown(row)}, SCENES[row.scene].data()) == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_editor_alone_displays_the_same(row: Row, shown: Shown, shown_alone: Shown) -> None:
    found = differences(map(comparable, shown(row)), map(comparable, shown_alone(row)))
    assert list(found) == []
