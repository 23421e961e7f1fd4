"""Engines say what their libraries say when they are called directly."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends._sound.voice_detector import shared_detector
from backends.speech.engines.faster_whisper import FasterWhisperEngine, model_reference
from backends.speech.engines.pocketsphinx import PocketSphinxEngine
from backends.speech.engines.transformers_asr import TransformersEngine
from backends.speech.inputs import read_speech
from backends.speech.transcript import Segment, SpeechOptions, SpeechPart
from shared.errors import InferenceError, ModelError
from shared.media.audio import AudioFile, AudioLimits
from shared.settings import Settings

from .conftest import EXAMPLES, Predict

ENGLISH = SpeechOptions(language="en")
SEGMENTS = """<View><Labels name="l" toName="a"><Label value="Speech"/></Labels>
<Audio name="a" value="$audio"/><TextArea name="t" toName="a" perRegion="true"/></View>"""


@pytest.fixture(scope="module")
def engine(converted_whisper: Path) -> FasterWhisperEngine:
    return FasterWhisperEngine(str(converted_whisper), Settings(device="cpu"), "default", 2)


def own_segments(engine: Any, samples: Any, **options: Any) -> list[Any]:
    """What faster-whisper says of one recording."""
    found, _ = engine._batched.transcribe(
        samples, vad_filter=False, without_timestamps=False, beam_size=2, **options
    )
    return list(found)


@pytest.mark.parametrize(
    ("task", "words"), [("transcribe", False), ("translate", True)], ids=["sentences", "words"]
)
def test_faster_whisper_agrees_with_its_library(
    engine: FasterWhisperEngine,
    spoken: Any,
    task: str,
    words: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("backends.speech.engines.faster_whisper.MIN_LOG_PROBABILITY", -100.0)
    options = SpeechOptions("en", task, "prelabel, Label Studio", words)
    heard = engine.transcribe([SpeechPart(samples, options) for samples in spoken.values()])
    assert sum(map(len, heard)) >= 3
    for samples, segments in zip(spoken.values(), heard, strict=True):
        hot = options.hot_words
        expected = own_segments(
            engine, samples, language="en", task=task, hotwords=hot, word_timestamps=words
        )
        assert [one.text for one in segments] == [one.text.strip() for one in expected]
        # The library may cut a first word that is too long for its taste, by a limit that rounding
        # decides here: the network is random. So the start of a first word is left out.
        if not words:
            starts = [one.start for one in segments]
            assert starts == pytest.approx([one.start for one in expected], abs=0.02)
        ends = [one.end for one in segments]
        assert ends == pytest.approx([one.end for one in expected], abs=0.02)
        scores = [np.exp(one.avg_logprob) for one in expected]
        assert [one.score for one in segments] == pytest.approx(scores, abs=1e-3)
        if words:
            found = [(w.text, w.start, w.end) for one in segments for w in one.words]
            own = [(w.word.strip(), w.start, w.end) for one in expected for w in one.words]
            assert [word[0] for word in found] == [word[0] for word in own]
            assert [w[2] for w in found] == pytest.approx([w[2] for w in own], abs=0.02)
            later = [
                index for index, w in enumerate(found) if index and w[1] >= found[index - 1][2]
            ]
            for index in later:
                assert found[index][1] == pytest.approx(own[index][1], abs=0.02)


def test_different_wishes_share_a_call(
    engine: FasterWhisperEngine, spoken: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backends.speech.engines.faster_whisper.MIN_LOG_PROBABILITY", -100.0)
    samples = spoken["orders"]
    wishes = [ENGLISH, SpeechOptions("en", words=True), ENGLISH]
    heard = engine.transcribe([SpeechPart(samples, wish) for wish in wishes])
    assert heard[0] == heard[2]
    assert [one.text for one in heard[1]] == [one.text for one in heard[0]]
    assert heard[1][0].words
    assert not heard[0][0].words


def test_what_whisper_is_not_sure_of_is_left_out(engine: FasterWhisperEngine, spoken: Any) -> None:
    part = SpeechPart(spoken["orders"], ENGLISH)
    likely = {"text": " a", "no_speech_prob": 0.9, "avg_logprob": -0.1, "start": 0.0, "end": 1.0}
    rows = [likely, {**likely, "avg_logprob": -2.0}, {**likely, "text": "  "}]
    engine._batched.forward, forward = (lambda *_: [rows]), engine._batched.forward
    try:
        assert engine.transcribe([part]) == [
            [Segment(0.0, 1.0, "a", pytest.approx(0.905, abs=1e-3), "en")]
        ]
    finally:
        engine._batched.forward = forward


def test_tasks_get_what_the_library_says_of_their_parts(
    predict: Predict,
    engine: FasterWhisperEngine,
    converted_whisper: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("backends.speech.engines.faster_whisper.MIN_LOG_PROBABILITY", -100.0)
    files = [(EXAMPLES / name).read_bytes() for name in ("orders.flac", "greeting.flac")]
    settings = {"SPEECH_MODEL": str(converted_whisper), "SPEECH_LANGUAGE": "en", "DEVICE": "cpu"}
    answers = predict(SEGMENTS, files, **settings, SPEECH_BEAM_SIZE="2")
    for data, answer in zip(files, answers, strict=True):
        file = AudioFile.open(data, AudioLimits(60.0))
        parts, length = read_speech(file, False, shared_detector(), engine.limits)
        expected = [
            ((start, end), one.text.strip())
            for part in parts
            for one in own_segments(engine, part.samples / np.float32(32_768), language="en")
            for start, end in [
                (part.timeline.place_start(one.start), part.timeline.place_end(one.end))
            ]
            if one.text.strip() and start < end
        ]
        texts = [result["value"] for result in answer["result"] if result["type"] == "textarea"]
        assert [value["text"][0] for value in texts] == [text for _, text in expected]
        times = [(value["start"], value["end"]) for value in texts]
        assert times == [pytest.approx(time, abs=0.02) for time, _ in expected]
        assert expected or length < 3


@pytest.mark.parametrize("words", [False, True], ids=["sentences", "words"])
def test_whisper_of_transformers_agrees_with_its_pipeline(
    whisper: Path, spoken: Any, words: bool
) -> None:
    engine = TransformersEngine(str(whisper), Settings(device="cpu"))
    options = SpeechOptions("en", words=words)
    samples = [spoken["orders"], spoken["greeting"]]
    heard = engine.transcribe([SpeechPart(one, options) for one in samples])
    for one, segments in zip(samples, heard, strict=True):
        expected = engine._pipeline(
            {"raw": one, "sampling_rate": 16_000},
            return_timestamps="word" if words else True,
            generate_kwargs={"task": "transcribe", "language": "en"},
        )
        text = "".join(segment.text for segment in segments)
        assert "".join(text.split()) == "".join(expected["text"].split()) != ""


def test_wav2vec_tells_words(wav2vec: Path, spoken: Any) -> None:
    engine = TransformersEngine(str(wav2vec), Settings(device="cpu"))
    samples = spoken["greeting"]
    [[segment]] = engine.transcribe([SpeechPart(samples, SpeechOptions())])
    expected = engine._pipeline({"raw": samples, "sampling_rate": 16_000}, return_timestamps="word")
    assert segment.text == expected["text"].strip()
    assert (segment.start, segment.end) == (0.0, len(samples) / 16_000)
    found = [(word.text, word.start, word.end) for word in segment.words]
    assert found == [(one["text"], *one["timestamp"]) for one in expected["chunks"]]


def test_pocketsphinx_hears_what_was_said(spoken: Any) -> None:
    engine = PocketSphinxEngine("starter", Settings())
    [[segment]] = engine.transcribe([SpeechPart(spoken["greeting"], SpeechOptions())])
    assert (segment.text, segment.language) == ("good morning", "en")
    assert [word.text for word in segment.words] == ["good", "morning"]
    good, morning = segment.words
    assert 0.8 < good.start < good.end <= morning.start < morning.end < 2.2


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("", "Systran/faster-whisper-small"),
        ("tiny.en", "Systran/faster-whisper-tiny.en"),
        ("large", "Systran/faster-whisper-large-v3"),
        ("turbo", "mobiuslabsgmbh/faster-whisper-large-v3-turbo"),
        ("distil-large-v3", "Systran/faster-distil-whisper-large-v3"),
        ("me/my-whisper", "me/my-whisper"),
    ],
)
def test_sizes_are_names_on_the_hub(model: str, name: str) -> None:
    assert model_reference(model).model == name


def test_an_unknown_language_is_named(
    engine: FasterWhisperEngine, spoken: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Multilingual:
        is_multilingual = True

    monkeypatch.setattr(engine._model, "model", Multilingual())
    part = SpeechPart(spoken["greeting"], SpeechOptions("klingon"))
    with pytest.raises(InferenceError, match='does not know the language "klingon"; it knows af,'):
        engine.transcribe([part])


def test_a_missing_grammar_is_named() -> None:
    with pytest.raises(ModelError, match=r"SPEECH_MODEL=commands\.gram: there is no such grammar"):
        PocketSphinxEngine("commands.gram", Settings())
