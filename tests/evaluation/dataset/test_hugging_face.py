"""Datasets for Hugging Face: what `datasets.load_from_disk` reads."""

import base64
import io
import wave
from pathlib import Path
from typing import Any

import pytest

from .building import Built, build, data_url, noise, task

datasets = pytest.importorskip("datasets")

TEXTS = """<View><Text name="text" value="$text"/>
  <Labels name="entity" toName="text"><Label value="Person"/><Label value="City"/></Labels>
  <Choices name="mood" toName="text"><Choice value="Good"/><Choice value="Bad"/></Choices>
  <Choices name="topics" toName="text" choice="multiple">
    <Choice value="Work"/><Choice value="Home"/></Choices>
  <Rating name="stars" toName="text"/></View>"""
AUDIO = """<View><Audio name="sound" value="$sound"/>
  <Labels name="speaker" toName="sound"><Label value="Ann"/><Label value="Bob"/></Labels>
  <TextArea name="said" toName="sound" perRegion="true"/>
  <TextArea name="transcript" toName="sound"/></View>"""
IMAGES = """<View><Image name="picture" valueList="$pictures"/>
  <Choices name="kind" toName="picture" perItem="true">
    <Choice value="Cat"/><Choice value="Dog"/></Choices></View>"""


def load(built: Built) -> Any:
    return datasets.load_from_disk(str(built.folder))


def span(label: str, start: int, end: int) -> dict[str, Any]:
    return {
        "id": f"{label}{start}",
        "type": "labels",
        "from_name": "entity",
        "to_name": "text",
        "value": {"start": start, "end": end, "text": "", "labels": [label]},
    }


def answer(name: str, kind: str, value: Any, to_name: str = "text", **keys: Any) -> dict[str, Any]:
    key = "text" if kind == "textarea" else kind
    return {"type": kind, "from_name": name, "to_name": to_name, "value": {key: value}, **keys}


def test_texts_with_spans_and_choices(tmp_path: Path) -> None:
    tasks = [
        task(
            7,
            {"text": "😀 Ann in Rome"},
            [
                span("City", 9, 13),
                span("Person", 2, 5),
                answer("mood", "choices", ["Bad"]),
                answer("topics", "choices", ["Home", "Work"]),
                answer("stars", "rating", 3),
            ],
        ),
        task(8, {"text": "Nothing"}, []),
    ]
    built = build(tmp_path, TEXTS, tasks, "hf", split=(0.5, 0.5))
    loaded = load(built)
    assert sorted(loaded) == ["train", "val"]
    rows = {row["id"]: row for part in loaded.values() for row in part}
    features = loaded["train"].features
    assert features["mood"].names == ["Good", "Bad"]
    assert rows["7"]["mood"] == 1
    assert rows["7"]["topics"] == [1, 0]
    assert rows["7"]["stars"] == 3.0
    spans = rows["7"]["spans"]
    text = rows["7"]["text"]
    names = ["Person", "City"]
    found = [(text[one["start"] : one["end"]], names[one["label"]]) for one in spans]
    assert found == [("Ann", "Person"), ("Rome", "City")]
    assert rows["8"] == {
        "id": "8",
        "text": "Nothing",
        "spans": [],
        "mood": None,
        "topics": [],
        "stars": None,
    }


def test_images_of_a_list_are_rows(tmp_path: Path) -> None:
    urls = [data_url(noise(1)), data_url(noise(2, (40, 60)))]
    results = [
        answer("kind", "choices", ["Dog"], "picture", item_index=1),
        answer("kind", "choices", ["Cat"], "picture", item_index=0),
    ]
    loaded = load(build(tmp_path, IMAGES, [task(1, {"pictures": urls}, results)], "hf"))["train"]
    assert [row["image"].size for row in loaded] == [(60, 40), (40, 60)]
    assert [loaded.features["kind"].int2str(row["kind"]) for row in loaded] == ["Cat", "Dog"]


def test_audio_with_segments_and_transcript(tmp_path: Path) -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))
    url = "data:audio/wav;base64," + base64.b64encode(file.getvalue()).decode()

    def segment(name: str, kind: str, key: str, value: Any) -> dict[str, Any]:
        place = {"start": 0.25, "end": 0.5, "channel": 0}
        return {
            "id": "one",
            "type": kind,
            "from_name": name,
            "to_name": "sound",
            "original_length": 1,
            "value": {**place, key: value},
        }

    results = [
        segment("speaker", "labels", "labels", ["Bob"]),
        segment("said", "textarea", "text", ["Good", "morning"]),
        answer("transcript", "textarea", ["Good morning."], "sound"),
    ]
    loaded = load(build(tmp_path, AUDIO, [task(1, {"sound": url}, results)], "hf"))["train"]
    # Decoding needs torchcodec; the file is there without it.
    [row] = loaded.cast_column("audio", datasets.Audio(decode=False))
    assert row["audio"]["bytes"] == file.getvalue()
    assert row["transcript"] == "Good morning."
    [found] = row["segments"]
    assert loaded.features["segments"].feature["label"].int2str(found["label"]) == "Bob"
    assert {**found, "label": None} == {
        "start": 0.25,
        "end": 0.5,
        "channel": 0,
        "label": None,
        "text": "Good\nmorning",
    }


def test_an_empty_part_can_be_loaded(tmp_path: Path) -> None:
    tasks = [task(1, {"text": "One"}, [])]
    built = build(tmp_path, TEXTS, tasks, "hf", split=(0.8, 0.1, 0.1))
    loaded = load(built)
    assert sorted(len(part) for part in loaded.values()) == [0, 0, 1]
    assert any("is empty" in problem for problem in built.problems)
