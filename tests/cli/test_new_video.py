"""What `prelabel new` makes for Video: it counts frames as the editor does, and reads few."""

import base64
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.backend.base import Backend
from shared.cli.scaffold.create import create_backend, import_backend
from shared.cli.scaffold.files import Scaffold
from shared.label_studio.task import Task
from shared.pipeline import runtime
from shared.settings import changed_environment

from ..backends.detection.clip import encode_video
from .conftest import Command

pytest.importorskip("av")

CONTROLS = {"VideoRectangle": "", "TimelineLabels": '<Label value="Bright"/>'}
FILM_FPS, FILM_FRAMES = 12, 24


def film(width: int = 96, height: int = 64, frames: int = FILM_FRAMES) -> str:
    """Two seconds; from the middle on its right half is white."""
    pictures = np.full((frames, height, width, 3), 30, np.uint8)
    pictures[frames // 2 :, :, width // 2 :] = 255
    return (
        "data:video/mp4;base64,"
        + base64.b64encode(encode_video(pictures, "mp4", FILM_FPS)).decode()
    )


@pytest.fixture(scope="module")
def created(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, type[Backend]]]:
    root, before = tmp_path_factory.mktemp("films"), list(sys.path)
    made = {}
    for control in CONTROLS:
        scaffold = Scaffold(f"film_{control.lower()}", control, "Video", f"film_{control.lower()}")
        create_backend(scaffold, root)
        made[control] = import_backend(scaffold, root)
    yield made
    sys.path[:] = before


def value(
    created: dict[str, type[Backend]], control: str, attributes: str, **data: Any
) -> dict[str, Any]:
    """The `value` of the one result."""
    xml = xml_of(control, attributes)
    [answer] = created[control](label_config=xml).predict([{"id": 1, "data": data}])
    assert isinstance(answer, dict), runtime.runtime().failures.recent()
    [result] = answer["result"]
    found: dict[str, Any] = result["value"]
    return found


RATES = [
    ('frameRate="24"', 24),
    ('frameRate="12"', 12),
    ('frameRate="$fps"', 30),
    ('framerate="24.0"', 24),
    ('frameRate="0.04"', 25),
    ("", 24),
]


@pytest.mark.parametrize(("attributes", "rate"), RATES)
def test_a_track_goes_on_to_the_end(
    attributes: str, rate: int, created: dict[str, type[Backend]]
) -> None:
    """The editor counts frames of its own rate, whatever the film has."""
    found = value(created, "VideoRectangle", attributes, video=film(), fps=30)
    assert (found["framesCount"], found["duration"]) == (2 * rate, 2.0)
    sequence = found["sequence"]
    assert [box["frame"] for box in sequence] == list(range(rate + 1, 2 * rate + 1))
    for box in sequence:
        assert box["time"] == pytest.approx(box["frame"] / rate, abs=1e-5)
        place = [box[side] for side in ("x", "y", "width", "height")]
        assert place == pytest.approx([50, 0, 50, 100], abs=3)


@pytest.mark.parametrize(("attributes", "rate"), RATES)
def test_a_span_is_of_the_editors_frames(
    attributes: str, rate: int, created: dict[str, type[Backend]]
) -> None:
    found = value(created, "TimelineLabels", attributes, video=film(), fps=30)
    assert found["ranges"] == [{"start": rate + 1, "end": 2 * rate}]


def test_a_long_and_narrow_film_takes_little_memory(created: dict[str, type[Backend]]) -> None:
    backend = created["VideoRectangle"](label_config=xml_of("VideoRectangle"))
    [claim] = backend.claim(backend.config)
    clip = backend.read(Task(1, {"video": film(16, 2048, 4)}), claim, None)
    assert clip.video.frames == len(clip.frames) == 8
    assert clip.frames.nbytes < 8 * 100 * 100


def xml_of(control: str, attributes: str = "") -> str:
    labels = CONTROLS[control]
    return (
        f'<View><Video name="video" value="$video" {attributes}/>'
        f'<{control} name="c" toName="video">{labels}</{control}></View>'
    )


PLAYLIST = "#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n"


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize(
    ("settings", "address", "attributes", "message"),
    [
        ({"MAX_VIDEO_FRAMES": "20"}, film(), "", "MAX_VIDEO_FRAMES allows 20"),
        ({"MAX_VIDEO_FRAMES": "50"}, film(), 'frameRate="50"', "MAX_VIDEO_FRAMES allows 50"),
        ({"MAX_MEGAPIXELS": "0.005"}, film(), "", "MAX_MEGAPIXELS allows 0.005"),
        (
            {},
            "data:text/plain;base64," + base64.b64encode(PLAYLIST.encode()).decode(),
            "",
            "Not a readable video",
        ),
    ],
    ids=["frames", "frames of the editor", "megapixels", "a play list"],
)
def test_what_is_over_the_limits_costs_its_own_task(
    control: str,
    settings: dict[str, str],
    address: str,
    attributes: str,
    message: str,
    created: dict[str, type[Backend]],
) -> None:
    xml = xml_of(control, attributes)
    with changed_environment(settings):
        runtime.reset_runtime()
        answers = created[control](label_config=xml).predict(
            [{"id": 1, "data": {"video": address}}]
        )
        recent = runtime.runtime().failures.recent()
        runtime.reset_runtime()
    assert answers == [[]]
    assert message in recent[-1]["message"]


def test_the_package_that_reads_videos_is_required(
    prelabel: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    arguments = ["--control", "TimelineLabels", "--object", "Video", "--requires", "scikit-learn"]
    ran = prelabel("new", "film_spans", *arguments, "--into", tmp_path)
    assert ran.status == 0, ran.err
    project = (tmp_path / "pyproject.toml").read_text()
    assert '"av>=14", "scikit-learn"' in project
    code = (tmp_path / "film_spans" / "backend.py").read_text()
    assert 'modules = ("av", "sklearn")' in code
