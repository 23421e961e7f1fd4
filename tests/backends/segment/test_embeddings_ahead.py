"""Images are embedded ahead of the first click: of a whole project, and of a task on opening."""

import json
import shutil
from pathlib import Path

import cv2
import pytest

from backends.pattern import PatternBackend
from backends.segment.kept_images import kept_images
from backends.segment.settings import SegmentSettings
from shared.backend import registry
from shared.backend.example import backend_folder
from shared.backend.process_resources import shared_resources
from shared.pipeline.runtime import reset_runtime
from tests.backends.segment.drawing import CONFIG, click, context
from tests.backends.segment.flood import FloodBackend, FloodModel
from tests.backends.segment.test_backend import ask, data_url, model, picture
from tests.cli.conftest import Command, Ran, prelabel

__all__ = ["model", "prelabel"]

COUNT = 12
EXAMPLE = backend_folder(PatternBackend)


@pytest.fixture
def embed(prelabel: Command, tmp_path: Path) -> Command:
    """Run `prelabel predict --embeddings` with the label config of these tests."""
    (tmp_path / "config.xml").write_text(CONFIG)

    def run(*arguments: object) -> Ran:
        return prelabel("predict", "--embeddings", "--label-config", "config.xml", *arguments)

    return run


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "find_backends", lambda: {"segment": FloodBackend})


def test_the_first_click_after_embedding_ahead_is_a_decoders(
    embed: Command, tmp_path: Path, model: FloodModel
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(COUNT):
        cv2.imwrite(str(folder / f"{number}.png"), picture(255 - number)[:, :, ::-1])
    ran = embed(folder)
    assert (ran.status, model.encoded, model.decoded) == (0, COUNT, 0)
    assert f"{COUNT} tasks ready for clicks" in ran.out
    embed(folder)
    assert model.encoded == COUNT  # all are known
    reset_runtime()  # another process, as it were
    answer = ask(context(click(20, 30)), image=data_url(picture(255 - 3)))
    assert len(answer["result"]) == 1
    assert model.encoded == COUNT


def test_bounds_of_memory_and_disk_hold_and_what_has_left_memory_is_on_disk(
    embed: Command, tmp_path: Path, model: FloodModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image takes 16 KB here: two fit into memory, and then four onto the disk."""
    folder, stored = tmp_path / "pictures", tmp_path / "embeddings"
    folder.mkdir()
    pictures = [picture(255 - number) for number in range(6)]
    for number, pixels in enumerate(pictures):
        cv2.imwrite(str(folder / f"{number}.png"), pixels[:, :, ::-1])
    monkeypatch.setenv("SEGMENT_EMBEDDING_MEMORY_MB", "0.04")
    assert embed(folder).status == 0
    sizes = [file.stat().st_size for file in stored.glob("*/*.npz")]
    assert len(sizes) == 6
    assert all(16_000 <= size <= 17_000 for size in sizes)
    for pixels in pictures:
        assert ask(context(click(20, 30)), image=data_url(pixels))["result"]
    assert model.encoded == 6
    kept = kept_images(shared_resources(), SegmentSettings()).embeddings
    assert 0 < kept.memory_bytes <= 40_000
    shutil.rmtree(stored)
    monkeypatch.setenv("SEGMENT_EMBEDDING_CACHE_MB", "0.07")
    reset_runtime()
    assert embed(folder).status == 0
    assert sum(file.stat().st_size for file in stored.glob("*/*.npz")) <= 70_000
    assert model.encoded == 12


def test_an_unreadable_image_costs_itself(
    embed: Command, tmp_path: Path, model: FloodModel
) -> None:
    tasks = [{"data": {"image": data_url(picture())}}, {"data": {}}, {"data": {"image": "data:,x"}}]
    (tmp_path / "tasks.json").write_text(json.dumps(tasks))
    ran = embed("tasks.json")
    assert ran.status == 1
    assert "1 task ready for clicks" in ran.out
    assert "1 failed: Not a readable image" in ran.err
    assert model.encoded == 1


def test_a_label_config_without_clicks_is_refused(
    embed: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "find_backends", lambda: {"pattern": PatternBackend})
    ran = embed(
        EXAMPLE / "tasks.json",
        "--label-config",
        EXAMPLE / "label_config.xml",
        "--backend",
        "pattern",
    )
    assert ran.status == 2
    assert "--embeddings: no model answers clicks" in ran.err
