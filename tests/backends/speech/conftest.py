"""The example's recordings, and tiny models of each engine."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.speech.backend import SpeechBackend
from shared.backend.example import backend_folder
from shared.media.audio import AudioFile, AudioLimits, Samples
from shared.pipeline import runtime, standalone
from shared.settings import changed_environment

from .tiny_whisper import convert_whisper, write_wav2vec, write_whisper

EXAMPLES = backend_folder(SpeechBackend) / "examples"
Predict = Callable[..., list[Any]]


def samples_of(name: str) -> Samples:
    """An example's samples at 16 kHz."""
    return AudioFile.open((EXAMPLES / name).read_bytes(), AudioLimits(60.0)).read(16_000)


@pytest.fixture(scope="session")
def spoken() -> Mapping[str, Any]:
    """What is said in the examples: samples by file."""
    return {path.stem: samples_of(path.name) for path in EXAMPLES.glob("*.*3")} | {
        path.stem: samples_of(path.name) for path in EXAMPLES.glob("*.flac")
    }


@pytest.fixture(scope="session")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Whisper for transformers."""
    return write_whisper(tmp_path_factory.mktemp("whisper"))


@pytest.fixture(scope="session")
def converted_whisper(whisper: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same for faster-whisper."""
    return convert_whisper(whisper, tmp_path_factory.mktemp("converted") / "tiny-whisper")


@pytest.fixture(scope="session")
def wav2vec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random wav2vec 2 that spells."""
    return write_wav2vec(tmp_path_factory.mktemp("wav2vec"))


@pytest.fixture
def predict(tmp_path: Path) -> Iterator[Predict]:
    """Predict recordings (bytes) with a label config, under settings."""

    def run(
        xml: str,
        files: list[bytes],
        context: Mapping[str, Any] | None = None,
        **settings: str,
    ) -> list[Any]:
        tasks = []
        for number, data in enumerate(files, start=1):
            (tmp_path / f"{number}.bin").write_bytes(data)
            tasks.append({"id": number, "data": {"audio": f"/data/local-files/?d={number}.bin"}})
        with changed_environment({"LOCAL_FILES_ROOT": str(tmp_path), **settings}):
            runtime.reset_runtime()
            backend = SpeechBackend(label_config=xml, served=True)
            return standalone.predict(backend, tasks, context)

    yield run
    runtime.reset_runtime()


def silence(seconds: float) -> Samples:
    """Nothing, at 16 kHz."""
    return np.zeros(round(seconds * 16_000), np.float32)
