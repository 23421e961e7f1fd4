"""How fast recordings are transcribed: python -m tests.bench.speech [--quick]

A Whisper of the size of `tiny` with random weights reads recordings of sentences and pauses. The
speed is that of `/predict` through HTTP; beside it that of its own batches, called directly with
the same parts; and that of the official NeMo example's way: one file after the other, whole, in
the request. All in turns, since machines drift, and the cache of answers is off.
"""

import itertools
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from backends._sound.spoken import encode
from backends._sound.voice_detector import shared_detector
from backends.speech.engines.faster_whisper import FasterWhisperEngine
from backends.speech.inputs import read_speech
from backends.speech.transcript import SpeechOptions, SpeechPart
from shared.media.audio import AudioFile, AudioLimits
from shared.settings import Settings
from tests.backends.speech.conftest import samples_of
from tests.backends.speech.tiny_whisper import convert_whisper, write_whisper
from tests.bench.table import Row, Size, in_turns, rate, show, size_of, sized
from tests.serving import Served, served

CONFIG = """<View><Labels name="label" toName="audio"><Label value="Speech"/></Labels>
<Audio name="audio" value="$audio"/>
<TextArea name="text" toName="audio" perRegion="true"/></View>"""
RECORDINGS, ROUNDS, BATCH = 16, 3, 16
RATE = 16_000
OPTIONS = SpeechOptions("en")
# Whisper's `tiny`: openai/whisper, model.py and the paper's table 1.
SHAPE = {"width": 384, "layers": 4, "heads": 6}
# Random weights say as much in each window of 30 s, however much is spoken in it: three tokens a
# second of speech, which fills two thirds of it. So parts cost what windows do.
TOKENS = 60


def rows(size: Size = "whole") -> Iterator[Row]:
    """Seconds of sound a second, beside the engine's own batches and one file at a time."""
    count, rounds = sized(size, RECORDINGS, 3, 1), sized(size, ROUNDS, 1, 1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "whisper"
        source.mkdir()
        write_whisper(source, **({} if size == "smallest" else SHAPE), tokens=TOKENS)
        model = convert_whisper(source, folder / "converted")
        seconds = write_recordings(folder, count)
        yield from speed(folder, model, count, seconds, rounds)


def speed(folder: Path, model: Path, count: int, seconds: int, rounds: int) -> Iterator[Row]:
    engine = FasterWhisperEngine(str(model), Settings(device="cpu"), "default", 1)
    parts = all_parts(folder, count, engine)
    with served("speech", log=folder / "log", **server_settings(folder, model)) as server:
        server.wait("/ready")
        ours, bare, alone = in_turns(
            rounds,
            lambda: rate(seconds, lambda: through_http(server, count)),
            lambda: rate(seconds, lambda: in_batches(engine, parts)),
            lambda: rate(seconds, lambda: one_at_a_time(engine, folder, count)),
        )
    title = f"speech: {count} recordings of {seconds / count:.0f} s"
    yield Row(title, "s/s", ours, bare, "the engine's batches", at_least=0.9)
    # On a CPU of two cores the network's encoder takes most of the time, whatever the batch.
    yield Row(title, "s/s", ours, alone, "one file at a time, whole", at_least=1.2)


def server_settings(folder: Path, model: Path) -> dict[str, str]:
    return {
        "LOCAL_FILES_ROOT": str(folder),
        "ANSWER_CACHE_MB": "0",
        "SPEECH_MODEL": str(model),
        "SPEECH_LANGUAGE": "en",
        "SPEECH_BEAM_SIZE": "1",
        "DEVICE": "cpu",
        "PREDICT_DEADLINE": "3600",
    }


def write_recordings(folder: Path, count: int) -> int:
    """Write recordings of sentences between pauses; return how many seconds they are together."""
    sentences = [samples_of(name) for name in ("orders.flac", "numbers.mp3", "greeting.flac")]
    seconds = 0.0
    for number in range(count):
        random = np.random.default_rng(number)
        chosen = [sentences[place] for place in random.integers(0, 3, 8)]
        pauses = [np.zeros(round(length * RATE), np.float32) for length in random.uniform(1, 6, 8)]
        whole = np.concatenate([one for pair in zip(chosen, pauses, strict=True) for one in pair])
        (folder / f"{number}.flac").write_bytes(encode(whole, "flac"))
        seconds += len(whole) / RATE
    return round(seconds)


def opened(folder: Path, number: int) -> AudioFile:
    return AudioFile.open((folder / f"{number}.flac").read_bytes(), AudioLimits(600.0))


def all_parts(folder: Path, count: int, engine: FasterWhisperEngine) -> list[SpeechPart]:
    """The parts with speech of all recordings."""
    return [
        SpeechPart(part.samples / np.float32(32_768), OPTIONS)
        for number in range(count)
        for part in read_speech(opened(folder, number), False, shared_detector(), engine.limits)[0]
    ]


def in_batches(engine: FasterWhisperEngine, parts: Sequence[SpeechPart]) -> None:
    for start in range(0, len(parts), BATCH):
        engine.transcribe(parts[start : start + BATCH])


def one_at_a_time(engine: Any, folder: Path, count: int) -> None:
    """The whole of each file, as the library by itself transcribes it."""
    for number in range(count):
        samples = opened(folder, number).read(RATE)
        # Without times it goes from window to window; random times would send it back. What it
        # said in the last window would count among the tokens of the next.
        found, _ = engine._model.transcribe(
            samples,
            language="en",
            beam_size=1,
            temperature=0.0,
            without_timestamps=True,
            condition_on_previous_text=False,
        )
        for _ in found:
            pass


def through_http(server: Served, count: int) -> None:
    tasks = [
        {"id": number, "data": {"audio": f"/data/local-files/?d={number}.flac"}}
        for number in range(count)
    ]
    body = {"tasks": tasks, "label_config": CONFIG, "project": "1.1", "params": {}}
    answer = httpx.post(f"{server.url}/predict", json=body, timeout=3600).json()
    assert all(isinstance(found, dict) for found in itertools.islice(answer["results"], count))


if __name__ == "__main__":
    show(rows(size_of(sys.argv)))
