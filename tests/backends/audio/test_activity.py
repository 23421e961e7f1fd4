"""Voice activity: speech, other sounds and silence, where they are in a recording."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends._sound.voice_detector import shared_detector
from backends.audio.activity import ActivitySpan, find_activity
from backends.audio.backend import AudioBackend
from backends.audio.models.speakers import SpeakerModel, name_by_order
from backends.audio.sound import Recording
from shared.media.audio import AudioFile, AudioLimits
from shared.pipeline import runtime, standalone
from tests.backends.speech.conftest import samples_of
from tests.media.sound import encode_wav

RATE = 16_000
NOISE = np.random.default_rng(0).normal(0, 0.1, 2 * RATE).astype(np.float32)
QUIET = np.zeros(RATE, np.float32)


def recording(*channels: Any) -> Recording:
    """Channels of samples as a recording of a file."""
    file = AudioFile.open(encode_wav(np.clip(np.stack(channels), -1, 1)), AudioLimits(60.0))
    return Recording.read(file, RATE, len(channels) > 1)


def kinds(spans: list[ActivitySpan]) -> list[str]:
    return [span.kind for span in spans]


def near(kind: str, start: float, end: float) -> Any:
    return (kind, pytest.approx(start, abs=0.1), pytest.approx(end, abs=0.1))


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param([QUIET], [near("silence", 0, 1)], id="silence"),
        pytest.param([NOISE], [near("noise", 0, 2)], id="noise"),
        pytest.param(
            [QUIET, NOISE, QUIET],
            [near("silence", 0, 1), near("noise", 1, 3), near("silence", 3, 4)],
            id="noise between silence",
        ),
        pytest.param([NOISE[:100]], [], id="a click"),
        pytest.param([], [], id="no sample"),
    ],
)
def test_without_speech(parts: list[Any], expected: list[Any]) -> None:
    if not parts:
        assert find_activity(Recording.empty(), shared_detector()) == []
        return
    found = find_activity(recording(np.concatenate(parts)), shared_detector())
    assert [(span.kind, span.start, span.end) for span in found] == expected
    assert all(0.5 < span.score <= 1 for span in found)


def test_speech_goes_before_noise() -> None:
    spoken = samples_of("greeting.flac")[RATE : int(1.9 * RATE)]
    found = find_activity(
        recording(np.concatenate([QUIET, spoken, QUIET, NOISE])), shared_detector()
    )
    assert kinds(found) == ["silence", "speech", "silence", "noise"]
    for before, after in pairwise(found):
        assert before.end <= after.start + 1e-6


XML = """<View><Labels name="l" toName="a">{}</Labels><Audio name="a" value="$a" {}/></View>"""


def predict(tmp_path: Path, data: bytes, labels: str, more: str = "") -> list[Any]:
    (tmp_path / "a.wav").write_bytes(data)
    backend = AudioBackend(label_config=XML.format(labels, more), served=True)
    task = {"id": 1, "data": {"a": "/data/local-files/?d=a.wav"}}
    [answer] = standalone.predict(backend, [task])
    return [result["value"] for result in answer["result"]] if answer else [answer]


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_FILES_ROOT", str(tmp_path))
    runtime.reset_runtime()


def test_only_what_has_a_label_is_drawn(tmp_path: Path) -> None:
    data = encode_wav(np.concatenate([QUIET, NOISE, QUIET])[None])
    labels = '<Label value="Talk" predicted_values="speech"/><Label value="Background"/>'
    [value] = predict(tmp_path, data, labels)
    assert value["labels"] == ["Background"]
    assert (value["start"], value["end"]) == (
        pytest.approx(1.0, abs=0.1),
        pytest.approx(3.0, abs=0.1),
    )


def test_channels_of_which_each_is_shown(tmp_path: Path) -> None:
    both = np.stack([np.concatenate([QUIET, QUIET]), np.concatenate([NOISE[:RATE], QUIET])])
    labels = '<Label value="Noise"/><Label value="Speech"/>'
    [value] = predict(tmp_path, encode_wav(both), labels, 'splitchannels="true"')
    assert (value["channel"], value["labels"]) == (1, ["Noise"])
    [mixed] = predict(tmp_path, encode_wav(both), labels)
    assert mixed["channel"] == 0


def test_the_first_label_is_for_who_speaks_first() -> None:
    turns = [("B", 0.5), ("A", 0.1), ("B", 2.0), ("C", 3.0)]
    spans = [ActivitySpan(name, start, start + 0.5, 1.0) for name, start in turns]
    assert name_by_order(spans, ["One", "Two"]) == {"A": "One", "B": "Two"}


def test_speakers_are_what_a_pipeline_says() -> None:
    class Turn:
        start, end = 0.25, 0.75

    class Diarization:
        def itertracks(self, yield_label: bool) -> Any:
            return [(Turn, "track", "SPEAKER_01")] if yield_label else []

    def pipeline(file: dict[str, Any], max_speakers: int) -> Any:
        assert file["waveform"].shape == (1, RATE)
        assert (file["sample_rate"], max_speakers) == (RATE, 2)
        return Diarization()

    found = SpeakerModel(pipeline, 2).find_speakers(recording(QUIET))
    assert found == [ActivitySpan("SPEAKER_01", 0.25, 0.75, 1.0)]
