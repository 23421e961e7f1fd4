"""What is transcribed of a recording: speech alone, cut at pauses; a region that was drawn."""

from typing import Any

import numpy as np
import pytest

from backends._sound.speech_spans import PartLimits
from backends._sound.voice_detector import shared_detector
from backends.speech.inputs import SampleBlocks, SpeechInput, SpeechOutput, read_speech
from backends.speech.transcript import Piece, Segment, SpeechOptions, Timeline, Word, join_text
from shared.errors import DecodeError
from shared.media.audio import AudioFile, AudioLimits
from shared.pipeline import runtime
from tests.media.sound import encode_wav, tones

from .conftest import EXAMPLES, Predict, silence

LIMITS = PartLimits(seconds=30.0, pause=0.5)
ORDERS = (EXAMPLES / "orders.flac").read_bytes()
SEGMENTS = """<View>
<Labels name="l" toName="a"><Label value="Speech"/><Label value="Noise"/></Labels>
<Audio name="a" value="$audio"/><TextArea name="t" toName="a" perRegion="true"/></View>"""
WHOLE = '<View><Audio name="a" value="$audio"/><TextArea name="t" toName="a"/></View>'
SPHINX = {"SPEECH_ENGINE": "pocketsphinx", "SPEECH_MODEL": "starter"}


def spans(data: bytes, limits: PartLimits = LIMITS, split: bool = False) -> list[Any]:
    file = AudioFile.open(data, AudioLimits(600.0))
    parts, _ = read_speech(file, split, shared_detector(), limits)
    return [(part.channel, part.timeline.start, part.timeline.end) for part in parts]


def near(start: float, end: float, channel: int = 0) -> Any:
    return (channel, pytest.approx(start, abs=0.15), pytest.approx(end, abs=0.15))


# Where espeak-ng speaks in orders.flac, by the lengths of its sentences and pauses.
SENTENCES = [near(0.6, 1.7), near(2.75, 3.9), near(5.25, 7.0)]


def test_speech_is_found_and_silence_is_not_kept() -> None:
    assert spans(ORDERS) == SENTENCES


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        pytest.param(PartLimits(30.0, 2.0), [near(0.6, 7.0)], id="full parts"),
        pytest.param(PartLimits(4.0, 2.0), [near(0.6, 3.9), near(5.25, 7.0)], id="short parts"),
    ],
)
def test_parts_are_as_long_as_the_engine_takes(limits: PartLimits, expected: list[Any]) -> None:
    assert spans(ORDERS, limits) == expected


def test_speech_without_a_pause_is_cut(spoken: Any) -> None:
    breathless = np.tile(spoken["orders"][int(0.6 * 16_000) : int(1.7 * 16_000)], 8)
    found = spans(encode_wav(breathless[None]), PartLimits(3.0, 0.5))
    assert len(found) >= 3
    assert all(end - start <= 3.0 for _, start, end in found)


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(silence(3.0)[None], id="silence"),
        pytest.param(np.random.default_rng(0).normal(0, 0.1, (1, 48_000)), id="noise"),
        pytest.param(tones([440.0], 3.0), id="a tone"),
        pytest.param(np.zeros((1, 1)), id="one sample"),
    ],
)
def test_without_speech_there_is_nothing(samples: Any, predict: Predict) -> None:
    data = encode_wav(np.clip(samples, -1, 1))
    assert spans(data) == []
    [answer] = predict(SEGMENTS, [data], **SPHINX)
    assert answer["result"] == []


def test_channels_are_heard_apart(spoken: Any, predict: Predict) -> None:
    one, other = spoken["greeting"], spoken["numbers"]
    length = len(one) + len(other)
    both = np.zeros((2, length))
    both[1, : len(one)], both[0, len(one) :] = one, other
    data = encode_wav(both)
    assert [channel for channel, *_ in spans(data, split=True)] == [0, 0, 1]
    xml = SEGMENTS.replace("<Audio", '<Audio splitchannels="true"')
    [answer] = predict(xml, [data], **SPHINX)
    values = [result["value"] for result in answer["result"] if "text" in result["value"]]
    found = [(value["channel"], value["text"]) for value in values]
    assert found == [(1, ["good morning"]), (0, ["nine one three"]), (0, ["thank you"])]
    [mixed] = predict(SEGMENTS, [data], **SPHINX)
    assert {result["value"]["channel"] for result in mixed["result"]} == {0}


def test_channels_together_must_not_be_too_long() -> None:
    data = encode_wav(np.zeros((8, 16_000 * 2)))
    file = AudioFile.open(data, AudioLimits(10.0))
    assert read_speech(file, False, shared_detector(), LIMITS)[1] == 2
    with pytest.raises(DecodeError, match="16 seconds or more; MAX_AUDIO_SECONDS allows 10"):
        read_speech(file, True, shared_detector(), LIMITS)


def test_broken_files_cost_only_themselves(predict: Predict) -> None:
    cut = ORDERS[: len(ORDERS) // 2]
    whole, web_page, half = predict(WHOLE, [ORDERS, b"<html>", cut], **SPHINX)
    assert web_page == []
    text = "open the door turn off the light go forward five steps"
    assert whole["result"][0]["value"] == {"text": [text]}
    assert half["result"][0]["value"]["text"][0].startswith("open the door")


def test_the_same_again_is_the_same(predict: Predict) -> None:
    one, again = predict(SEGMENTS, [ORDERS, ORDERS], **SPHINX)
    assert one == again


def drawn(start: float, end: float) -> Any:
    value = {"start": start, "end": end, "channel": 0}
    label = {"id": "mine", "from_name": "l", "to_name": "a", "type": "labels"}
    return {"result": [{**label, "value": {**value, "labels": ["Noise"]}}]}


def test_a_drawn_region_gets_its_text(predict: Predict) -> None:
    [answer] = predict(SEGMENTS, [ORDERS], drawn(2.6, 4.2), **SPHINX)
    label, text = answer["result"]
    assert label["id"] == text["id"] == "mine"
    assert label["value"] == {"start": 2.6, "end": 4.2, "channel": 0, "labels": ["Noise"]}
    assert text["value"]["text"] == ["turn off the light"]


@pytest.mark.parametrize(
    ("context", "message"),
    [
        pytest.param(drawn(2.6, 2.6), '"mine" is too short to hold a word', id="no length"),
        pytest.param(drawn(99.0, 100.0), '"mine" begins at 99 s, behind the end', id="behind"),
        pytest.param(
            {"result": [{"id": "x", "from_name": "l", "to_name": "a", "type": "labels"}]},
            "Invalid drawn region",
            id="nonsense",
        ),
    ],
)
def test_a_region_that_holds_nothing_is_an_error(
    predict: Predict, context: Any, message: str
) -> None:
    assert predict(SEGMENTS, [ORDERS], context, **SPHINX) == [{"result": []}]
    assert message in runtime.runtime().failures.recent()[-1]["message"]


def test_without_a_drawn_region_nothing_is_filled(predict: Predict) -> None:
    [answer] = predict(SEGMENTS, [ORDERS], {"result": []}, **SPHINX)
    assert answer["result"] == []


def test_parts_join_by_time() -> None:
    later, sooner = Segment(2.0, 3.0, "b", channel=1), Segment(0.5, 1.0, "a")
    joined = SpeechOutput.join([SpeechOutput((later,), 4.0), SpeechOutput((sooner,), 4.0)])
    assert joined.segments == (sooner, later)


def test_an_input_without_parts_is_one_part() -> None:
    empty = SpeechInput((), 1.0, SpeechOptions(), "x")
    assert list(empty.split_parts()) == [empty]
    assert empty.with_segments([]).segments == ()


@pytest.mark.parametrize(
    ("language", "expected"),
    [("en", "good morning"), (None, "good morning"), ("ja", "goodmorning")],
)
def test_text_has_spaces_where_its_language_has_them(language: str | None, expected: str) -> None:
    segments = [Segment(0, 1, word, language=language) for word in (" good ", "", "morning")]
    assert join_text(segments) == expected


def test_segments_stay_inside_their_part() -> None:
    moved = Segment(0.5, 29.0, "a").moved(Timeline((Piece(0.0, 10.0, 2.0),)), 1)
    assert (moved.start, moved.end, moved.channel) == (10.5, 12.0, 1)


PIECES = Timeline((Piece(0.0, 10.0, 2.0), Piece(2.0, 20.0, 3.0), Piece(5.0, 60.0, 1.0)))


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        pytest.param((0.0, 2.0), (10.0, 12.0), id="the whole of the first"),
        pytest.param((2.0, 5.0), (20.0, 23.0), id="the whole of the second"),
        pytest.param((1.5, 2.5), (11.5, 20.5), id="over a pause"),
        pytest.param((5.5, 30.0), (60.5, 61.0), id="behind the end"),
        pytest.param((5.0, 5.0), (60.0, 60.0), id="of no length"),
    ],
)
def test_times_are_those_of_the_recording(
    times: tuple[float, float], expected: tuple[float, float]
) -> None:
    moved = Segment(*times, "a", words=(Word(*times, "a"),)).moved(PIECES, 0)
    assert (moved.start, moved.end) == expected
    assert (moved.words[0].start, moved.words[0].end) == expected


@pytest.mark.parametrize("lengths", [(100,), (7, 30, 1, 62), (50, 50)], ids=str)
def test_samples_are_cut_from_blocks_which_are_let_go(lengths: tuple[int, ...]) -> None:
    every, samples = np.arange(sum(lengths), dtype=np.int16), SampleBlocks()
    for block in np.split(every, np.cumsum(lengths)[:-1]):
        samples.append(block)
    assert samples.length == 100
    assert np.concatenate([*samples.floats()]) == pytest.approx(every / 32_768)
    for first, last in ((0, 5), (3, 40), (40, 40), (49, 51), (90, 200)):
        assert samples.cut(first, last).tolist() == [*range(first, min(last, 100))]
    assert sum(map(len, samples.floats())) <= lengths[-1], "those before the last cut are gone"
    assert samples.cut(100, 120).tolist() == []


def test_long_pauses_are_shortened_where_parts_cost_the_same(spoken: Any) -> None:
    speech = spoken["orders"][int(0.6 * 16_000) : int(1.7 * 16_000)]
    pause = np.zeros(int(6.0 * 16_000), np.float32)
    recording = np.concatenate([speech, pause, speech, pause, speech])
    file = AudioFile.open(encode_wav(recording[None]), AudioLimits(600.0))
    [part], _ = read_speech(file, False, shared_detector(), PartLimits(30.0, 2.0, 25.0))
    starts = [piece.in_recording for piece in part.timeline.pieces]
    assert starts == pytest.approx([0.0, 6.6, 13.7], abs=0.15)
    for piece in part.timeline.pieces:  # each second is where the timeline says that it is
        first, place = round(piece.in_part * 16_000), round(piece.in_recording * 16_000)
        count = round(piece.seconds * 16_000)
        heard = part.samples[first : first + count] / 32_768
        assert np.abs(heard - recording[place : place + count]).max() < 1e-4
    assert part.seconds == pytest.approx(3 * 1.1 + 2 * 1.0, abs=0.4)
