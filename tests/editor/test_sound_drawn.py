"""Segments of both channels, transcripts and choices of regions are drawn as they were sent."""

import io
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.speech.backend import SpeechBackend
from shared.editor.browser import EditorBrowser
from shared.editor.comparison import find_differences
from shared.editor.drawn import read_drawing
from shared.label_studio.label_config import LabelConfig
from shared.pipeline import runtime, standalone
from shared.results import AudioSpan, region
from shared.settings import Settings, changed_environment
from tests.backends.speech.conftest import samples_of
from tests.media.sound import encode_wav

from .conftest import PATIENCE_SECONDS, label_studio_folder

SEGMENTS = """<View>
<Labels name="label" toName="audio"><Label value="Speech"/><Label value="Noise"/></Labels>
<Audio name="audio" value="$audio" splitchannels="true"/>
<TextArea name="text" toName="audio" perRegion="true" editable="true"/>
<TextArea name="whole" toName="audio"/>
</View>"""
UNLABELED = SEGMENTS.replace("Speech", "Speaker 1").replace("Noise", "Speaker 2")
INTENT = """<View>
<Labels name="labels" toName="audio"><Label value="Segment"/></Labels>
<Audio name="audio" value="$audio"/>
<Choices name="intent" toName="audio" perRegion="true">
  <Choice value="Question"/><Choice value="Request"/>
</Choices></View>"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two who speak after each other, each on a channel."""
    one, other = samples_of("greeting.flac"), samples_of("numbers.mp3")
    both = np.zeros((2, len(one) + len(other)))
    both[1, : len(one)], both[0, len(one) :] = one, other
    made = tmp_path_factory.mktemp("sound")
    (made / "both.wav").write_bytes(encode_wav(both))
    return made


@pytest.fixture(scope="module")
def browser(folder: Path) -> Iterator[EditorBrowser]:
    settings = Settings(label_studio_assets=label_studio_folder(), local_files_root=folder)
    with EditorBrowser(settings, timeout=PATIENCE_SECONDS) as opened:
        yield opened


TASK = {"id": 1, "data": {"audio": "/data/local-files/?d=both.wav"}}


def predict(folder: Path, xml: str) -> list[Any]:
    settings = {"SPEECH_ENGINE": "pocketsphinx", "SPEECH_MODEL": "starter"}
    with changed_environment({"LOCAL_FILES_ROOT": str(folder), **settings}):
        runtime.reset_runtime()
        [answer] = standalone.predict(SpeechBackend(label_config=xml, served=True), [TASK])
    return list(answer["result"])


def drawn(browser: EditorBrowser, xml: str, results: list[Any]) -> tuple[list[str], Any]:
    config = LabelConfig.parse(xml)
    browser.show(config, {**TASK, "predictions": [{"result": results}]})
    drawing = read_drawing(browser, 0, results)
    return find_differences(results, drawing, config), drawing


def given_back(results: Any) -> dict[tuple[str, str], Any]:
    """Values by region and tag: channels, texts and choices, which drawings lack."""
    return {(one["id"], one["from_name"]): one["value"] for one in results}


@pytest.mark.parametrize("xml", [SEGMENTS, UNLABELED], ids=["labels", "no label fits"])
def test_segments_of_two_channels(browser: EditorBrowser, folder: Path, xml: str) -> None:
    results = predict(folder, xml)
    channels = [
        r["value"]["channel"] for r in results if "start" in r["value"] and "text" in r["value"]
    ]
    assert channels == [1, 0, 0]
    [whole] = [result["value"] for result in results if result["from_name"] == "whole"]
    assert whole == {"text": ["good morning nine one three thank you"]}
    differences, drawing = drawn(browser, xml, results)
    assert differences == []
    assert [one.kind for one in drawing.regions.values()].count("audioregion") == 3
    assert given_back(drawing.given_back) == given_back(results)


def test_choices_of_a_region(browser: EditorBrowser, folder: Path) -> None:
    config = LabelConfig.parse(INTENT)
    labels, intent = config.controls
    with wave.open(io.BytesIO((folder / "both.wav").read_bytes())) as file:
        length = file.getnframes() / file.getframerate()
    found = region(
        AudioSpan(0.123456, 1.987654), {labels: ["Segment"], intent: ["Request"]}, length, 0.5
    )
    differences, drawing = drawn(browser, INTENT, list(found.results))
    assert differences == []
    assert [one.kind for one in drawing.regions.values()] == ["audioregion"]
    assert given_back(drawing.given_back) == given_back(found.results)
