"""Silero VAD says what its own package says; spans and parts are cut at pauses."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from backends._inference.device import available_cores
from backends._sound.speech_spans import (
    PartLimits,
    SpeechSpan,
    cut_parts,
    find_speech,
    pack_parts,
)
from backends._sound.voice_detector import (
    VoiceDetector,
    find_weights,
    shared_detector,
)
from tests.backends.speech.conftest import samples_of

FRAME = 0.032


def test_probabilities_are_those_of_the_package() -> None:
    own = pytest.importorskip("faster_whisper.vad").get_vad_model()
    samples = samples_of("orders.flac")
    expected = np.ravel(own(np.pad(samples, (0, -len(samples) % 512))))
    found = shared_detector().probabilities([samples])
    assert found == pytest.approx(expected, abs=1e-6)
    pieces = np.array_split(samples, 7)
    assert shared_detector().probabilities(pieces) == pytest.approx(expected, abs=1e-6)


def test_threads_share_half_of_the_cores() -> None:
    """The same is found however many read, and no more run at a time."""
    detector, free = VoiceDetector(find_weights()), max(1, available_cores() // 2)
    session, running, most = detector._session, [0], [0]
    lock = threading.Lock()

    class Counting:
        def run(self, names: Any, given: Any) -> Any:
            with lock:
                running[0] += 1
                most[0] = max(most[0], running[0])
            try:
                return session.run(names, given)
            finally:
                with lock:
                    running[0] -= 1

    samples = samples_of("orders.flac")
    expected = detector.probabilities([samples])
    detector._session = Counting()
    with ThreadPoolExecutor(free + 3) as pool:
        found = list(pool.map(detector.probabilities, [[samples]] * (free + 6)))
    assert all(one == pytest.approx(expected, abs=1e-6) for one in found)
    assert 1 <= most[0] <= free


def test_an_empty_recording_has_no_probability() -> None:
    assert len(shared_detector().probabilities([])) == 0


def test_the_weights_are_part_of_a_package() -> None:
    assert find_weights().name.endswith(".onnx")


def frames(*runs: tuple[float, int]) -> Any:
    """Probabilities: each so many times."""
    return np.concatenate([np.full(count, value, np.float32) for value, count in runs])


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        pytest.param([(0.0, 50)], [], id="silence"),
        pytest.param([(0.0, 20), (0.9, 20), (0.0, 20)], [(20, 40)], id="one"),
        pytest.param([(0.9, 20)], [(0, 20)], id="from the start to the end"),
        pytest.param([(0.0, 20), (0.9, 5), (0.0, 20)], [], id="too short"),
        pytest.param([(0.9, 20), (0.0, 2), (0.9, 20)], [(0, 42)], id="short pause"),
        pytest.param([(0.9, 20), (0.0, 20), (0.9, 20)], [(0, 20), (40, 60)], id="two"),
        pytest.param([(0.4, 10), (0.9, 10), (0.4, 10), (0.0, 9)], [(10, 30)], id="fades out"),
        pytest.param([(0.4, 40)], [], id="never sure"),
    ],
)
def test_spans_of_speech(runs: list[tuple[float, int]], expected: list[tuple[int, int]]) -> None:
    probabilities = frames(*runs)
    length = len(probabilities) * FRAME
    found = find_speech(probabilities, length)
    wanted = [(max(a * FRAME - 0.1, 0), min(b * FRAME + 0.1, length)) for a, b in expected]
    assert [(span.start, span.end) for span in found] == [pytest.approx(w) for w in wanted]


def test_the_margins_of_neighbours_meet_in_the_middle() -> None:
    first, second = find_speech(frames((0.9, 20), (0.0, 5), (0.9, 20)), 45 * FRAME)
    assert first.end == pytest.approx(22.5 * FRAME)
    assert second.start == pytest.approx(22.5 * FRAME)


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        pytest.param([], [], id="none"),
        pytest.param([(0, 1), (1.5, 2)], [(0, 2)], id="short pause"),
        pytest.param([(0, 1), (2.5, 3)], [(0, 1), (2.5, 3)], id="long pause"),
        pytest.param([(0, 6), (6.5, 12)], [(0, 6), (6.5, 12)], id="too long together"),
    ],
)
def test_parts(spans: list[tuple[float, float]], expected: list[tuple[float, float]]) -> None:
    given = [SpeechSpan(*span) for span in spans]
    found = cut_parts(given, np.ones(1000, np.float32), PartLimits(10.0, 1.0))
    assert [(part.start, part.end) for part in found] == expected


def test_long_speech_is_cut_where_it_is_least_likely() -> None:
    probabilities = np.ones(1000, np.float32)
    probabilities[250] = 0.6  # second 8
    found = cut_parts([SpeechSpan(0.0, 15.0)], probabilities, PartLimits(10.0, 1.0))
    assert [(part.start, part.end) for part in found] == [(0.0, 8.0), (8.0, 15.0)]


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        pytest.param([], [], id="none"),
        pytest.param([(0, 2), (5, 7)], [[(0, 2.5), (4.5, 7)]], id="together"),
        pytest.param(
            [(0, 2), (5, 6), (9, 11)],
            [[(0, 2.5), (4.5, 6.5), (8.5, 11)]],
            id="one in the middle",
        ),
        pytest.param([(0, 2), (12, 14)], [[(0, 2)], [(12, 14)]], id="too far away"),
        pytest.param([(0, 6), (8, 12)], [[(0, 6)], [(8, 12)]], id="too long together"),
    ],
)
def test_packed_parts(spans: list[tuple[float, float]], expected: list[Any]) -> None:
    packs = pack_parts([SpeechSpan(*span) for span in spans], PartLimits(10.0, 1.0, 8.0))
    assert [[(span.start, span.end) for span in pack] for pack in packs] == expected
