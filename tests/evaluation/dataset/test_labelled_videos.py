"""Datasets of whole videos with the labels of their frames."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from shared.errors import SettingError
from tests.backends.detection.clip import encode_video
from tests.evaluation.dataset.building import Raw, build, task

XML = """<View><Video name="video" value="$video" frameRate="12.5"/>
<TimelineLabels name="when" toName="video">
<Label value="Dark"/><Label value="Light"/></TimelineLabels>
<Choices name="kind" toName="video"><Choice value="calm"/></Choices></View>"""


def video_bytes(level: int) -> bytes:
    pytest.importorskip("av")
    return encode_video([np.full((48, 64, 3), level, np.uint8)] * 6, "mp4")


def address_of(data: bytes) -> str:
    return "data:video/mp4;base64," + base64.b64encode(data).decode()


def span(label: str, start: int, end: int) -> dict[str, Any]:
    value = {"ranges": [{"start": start, "end": end}], "timelinelabels": [label]}
    return {
        "id": f"{label}{start}",
        "type": "timelinelabels",
        "from_name": "when",
        "to_name": "video",
        "value": value,
    }


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in file.read_bytes().splitlines()]


def test_videos_are_kept_with_the_spans_of_their_frames(tmp_path: Path) -> None:
    data = video_bytes(40)
    choice = {"id": "c", "type": "choices", "from_name": "kind", "to_name": "video"}
    choice |= {"value": {"choices": ["calm"]}}
    results = [span("Dark", 1, 2), span("Light", 3, 3), choice]
    built = build(tmp_path, XML, [task(7, {"video": address_of(data)}, results)], "video")
    [line] = lines_of(built.folder / "train.jsonl")
    assert (line["id"], line["object"], line["frame_rate"]) == (7, "video", 12.5)
    assert line["spans"] == [
        {"start": 0, "end": 2, "labels": {"when": ["Dark"]}},
        {"start": 2, "end": 3, "labels": {"when": ["Light"]}},
    ]
    assert Path(line["video"]).parent == Path("videos")
    assert Path(line["video"]).suffix == ".mp4"
    assert (built.folder / line["video"]).read_bytes() == data
    assert built.manifest.labels["when"] == {"Dark": {"train": 1}, "Light": {"train": 1}}


def test_a_video_without_spans_says_that_nothing_is_there(tmp_path: Path) -> None:
    built = build(tmp_path, XML, [task(1, {"video": address_of(video_bytes(90))}, [])], "video")
    [line] = lines_of(built.folder / "train.jsonl")
    assert line["spans"] == []


def test_one_file_for_tasks_that_show_the_same(tmp_path: Path) -> None:
    data = {"video": address_of(video_bytes(120))}
    raws: list[Raw] = [task(1, data, [span("Dark", 1, 2)]), task(2, data, [span("Light", 1, 1)])]
    built = build(tmp_path, XML, raws, "video")
    assert len({line["video"] for line in lines_of(built.folder / "train.jsonl")}) == 1
    assert len(list((built.folder / "videos").iterdir())) == 1


def test_what_is_no_video_costs_only_its_task(tmp_path: Path) -> None:
    good, bad = address_of(video_bytes(60)), address_of(b"not a video at all")
    raws = [task(1, {"video": bad}, []), task(2, {"video": good}, [span("Dark", 1, 2)])]
    built = build(tmp_path, XML, raws, "video")
    assert [line["id"] for line in lines_of(built.folder / "train.jsonl")] == [2]
    [failure] = lines_of(built.folder / "failures.jsonl")
    assert (failure["task"], failure["tag"]) == ("task 1", "Video")
    assert "Not a readable video" in failure["message"]


def test_a_label_config_without_timelines_is_refused(tmp_path: Path) -> None:
    xml = '<View><Video name="video" value="$video"/><Choices name="kind" toName="video">'
    xml += '<Choice value="calm"/></Choices></View>'
    with pytest.raises(SettingError, match=r"needs TimelineLabels on a Video, but .* Choices"):
        build(tmp_path, xml, [task(1, {"video": "x"}, [])], "video")
