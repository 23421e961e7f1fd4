"""What our server predicts for every tag of detection, the editor of a real Label Studio shows."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PIL import Image

from tests.backends.detection.clip import make_clip
from tests.backends.detection.conftest import PICTURE
from tests.backends.detection.every_tag import OBJECTS, ROWS, SCENES, Row
from tests.backends.detection.networks import save_network
from tests.serving import Served, served

from .compare import comparable, differences
from .editor import Editor
from .editor_alone import EditorAlone
from .label_studio import LabelStudio

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

Result = dict[str, Any]
# A project and its task, what was predicted, and what the editor displays of it.
Scenes = Callable[[str], tuple[tuple[int, int], list[Result], list[Result]]]
FRAMES = 30
# Scenes that are opened in Label Studio's own page, too.
SAMPLE = ("boxes", "a video")


@pytest.fixture(scope="module")
def server(label_studio: LabelStudio, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    pytest.importorskip("lap")
    folder = tmp_path_factory.mktemp("models")
    for name in {scene.network for scene in SCENES.values()}:
        save_network(name, folder)
    environment = {
        "MODEL_DIR": str(folder),
        "DETECTION_MODEL": "starter",
        "ENGINE": "torch",  # what converted networks find is compared without an editor
        "LABEL_STUDIO_URL": label_studio.url,
        "LABEL_STUDIO_API_KEY": label_studio.token,
    }
    with served("detection", log=folder / "log", **environment) as running:
        running.wait("/ready", 300)
        yield running


@pytest.fixture(scope="module")
def data(
    label_studio: LabelStudio, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str | list[str]]:
    """A picture, two of them, and a film, uploaded once: a task's data."""
    folder = tmp_path_factory.mktemp("media")
    Image.fromarray(PICTURE).save(folder / "picture.png")
    Image.fromarray(PICTURE[:, ::-1]).save(folder / "mirrored.png")
    (folder / "film.webm").write_bytes(make_clip(FRAMES)[0])
    project = label_studio.create_project("media", f"<View>{OBJECTS['image']}</View>")
    names = ("picture.png", "mirrored.png", "film.webm")
    tasks = label_studio.upload(project, [folder / name for name in names])
    picture, mirrored, film = (
        next(iter(label_studio.task(task)["data"].values())) for task in tasks
    )
    return {"image": picture, "images": [picture, mirrored], "video": film}


@pytest.fixture(scope="module")
def scene(
    label_studio: LabelStudio, editor_alone: EditorAlone, server: Served, data: dict[str, Any]
) -> Scenes:
    """What was predicted for a scene, as Label Studio keeps it, and what the editor displays."""
    known: dict[str, tuple[tuple[int, int], list[Result], list[Result]]] = {}

    def ask(name: str) -> tuple[tuple[int, int], list[Result], list[Result]]:
        if name not in known:
            asked = SCENES[name]
            project = label_studio.create_project(f"Detection: {name}", asked.config)
            label_studio.connect_backend(project, server.url)
            value = {asked.key: data[asked.key]}
            [task] = label_studio.import_tasks(project, [{"data": value}])
            label_studio.retrieve_predictions(project)
            [prediction] = label_studio.predictions(task_id=task)
            [displayed] = editor_alone.predictions(project, task)
            known[name] = (project, task), prediction["result"], displayed
        return known[name]

    return ask


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_tag_is_displayed_as_it_was_predicted(row: Row, scene: Scenes) -> None:
    _, sent, displayed = scene(row.scene)
    ids = {result["id"] for result in sent if result["from_name"] == row.control}
    ours, shown = (
        [comparable(result) for result in results if result["id"] in ids]
        for results in (sent, displayed)
    )
    assert differences(ours, shown) == []
    assert {result["type"] for result in shown} == {row.type, row.beside} - {""}
    for result in shown:
        assert row.keys <= result.keys()


@pytest.mark.parametrize("name", SCENES)
def test_nothing_else_is_displayed(name: str, scene: Scenes) -> None:
    _, sent, displayed = scene(name)
    assert sorted(r["id"] for r in displayed) == sorted(r["id"] for r in sent)


@pytest.mark.parametrize("name", SAMPLE)
def test_label_studios_own_page_displays_the_same(name: str, scene: Scenes, editor: Editor) -> None:
    place, _, alone = scene(name)
    [displayed] = editor.predictions(*place)
    assert displayed
    assert differences(map(comparable, alone), map(comparable, displayed)) == []
