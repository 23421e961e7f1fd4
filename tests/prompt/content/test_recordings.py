"""Sound and videos as a model gets them."""

import io
import wave
from typing import Any

import numpy as np
import pytest

from backends.prompt.question import AudioPart
from shared.backend import DecodeError, UnfillableError
from shared.results import Video
from tests.backends.detection.clip import encode_video
from tests.media.sound import encode_wav, tones
from tests.prompt.content.shown import data_url, opened, pictures, read, texts

AUDIO = '<Audio name="a" value="$v"/><Choices name="c" toName="a"><Choice value="x"/></Choices>'
VIDEO = '<Video name="v" value="$v" frameRate="10"/><Rating name="r" toName="v"/>'


def recorded(seconds: float, rate: int = 8000, channels: int = 2) -> dict[str, str]:
    samples = tones([440.0] * channels, seconds, rate)
    return {"v": data_url(encode_wav(samples, rate), "audio/wav")}


def heard(part: Any) -> tuple[int, int, int, Any]:
    """Channels, bytes of a sample, samples a second, and the samples from -1 to 1."""
    assert isinstance(part, AudioPart)
    assert part.format == "wav"
    with wave.open(io.BytesIO(part.file)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32767
        return file.getnchannels(), file.getsampwidth(), file.getframerate(), samples


def test_sound_is_one_channel_of_sixteen_thousand_samples() -> None:
    content = read(AUDIO, recorded(1.5))
    [part] = content.parts
    channels, width, rate, samples = heard(part)
    assert (channels, width, rate) == (1, 2, 16_000)
    assert len(samples) == pytest.approx(24_000, abs=50)
    assert 0.1 < np.abs(samples).max() <= 1
    assert content.sources["a"] == pytest.approx(1.5, abs=0.01)
    assert content.omitted == ()


def test_long_sound_is_cut() -> None:
    content = read(AUDIO, recorded(12), audio_seconds=10.5)
    assert len(heard(content.parts[0])[3]) == 168_000
    assert texts(content) == ["(What follows after 10.5 seconds is not heard.)"]
    assert content.omitted == (
        'Audio "a": the first 10.5 of 12 seconds are sent (PROMPT_MAX_AUDIO_SECONDS)',
    )


def test_a_model_without_ears() -> None:
    with pytest.raises(UnfillableError, match=r'Audio "a" shows sound.*PROMPT_MODALITIES=text'):
        read(AUDIO, recorded(0.5), modalities=frozenset({"text"}))


def filmed(frames: int = 20) -> dict[str, str]:
    shades = [np.full((64, 96, 3), 10 * n, np.uint8) for n in range(frames)]
    return {"v": data_url(encode_video(shades, "mp4"), "video/mp4")}


def test_frames_of_a_video() -> None:
    content = read(VIDEO, filmed(), frames=5, image_pixels=2_000)
    shown = pictures(content)
    assert [part.item_index for part in shown] == [0, 1, 2, 3, 4]
    assert all(part.size.width * part.size.height <= 2_000 for part in shown)
    # Frames 2, 6, 10 … of 20 at 25 a second.
    assert texts(content) == [
        "(A video of 0.80 seconds; its pictures are of second 0.08, 0.24, 0.40, 0.56, 0.72)"
    ]
    shades = [np.asarray(opened(part)).mean() for part in shown]
    assert shades == pytest.approx([20, 60, 100, 140, 180], abs=8)
    assert content.sources["v"] == Video((96, 64), 8, 10.0, 0.8)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("xml", "data", "words"),
    [
        (AUDIO, b"no sound", "Not a readable recording"),
        (VIDEO, b"no film", "Not a readable video"),
        (VIDEO, b"\x1a\x45\xdf\xa3" + b"\0" * 50, "damaged|no video stream"),
    ],
    ids=["sound", "video", "half a header"],
)
def test_what_cannot_be_read(xml: str, data: bytes, words: str) -> None:
    with pytest.raises(DecodeError, match=words):
        read(xml, {"v": data_url(data, "application/octet-stream")})
