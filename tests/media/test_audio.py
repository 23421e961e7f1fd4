"""Recordings: what is read of them, in time and by channel, and what is refused."""

import io
import struct
from typing import Any

import numpy as np
import pytest

from shared.errors import DecodeError
from shared.media.audio import BLOCK_SECONDS, AudioFile, AudioLimits
from tests.backends.detection.clip import encode_video
from tests.media.sound import FORMATS, encode_sound, encode_wav, tones

pytest.importorskip("av")

LIMITS = AudioLimits(60.0)
RATE = 16_000
# AAC and MP3 begin with silence of their own, which browsers play as well.
CODEC_DELAY = {"m4a": 0.03, "aac": 0.06, "mp3": 0.03}


def opened(data: bytes) -> AudioFile:
    return AudioFile.open(data, LIMITS, task=7)


def pitch(samples: Any) -> float:
    """The loudest frequency between seconds 0.8 and 1.8."""
    part = samples[int(0.8 * RATE) : int(1.8 * RATE)]
    return float(np.argmax(np.abs(np.fft.rfft(part))) / (len(part) / RATE))


def onset(samples: Any) -> float:
    """The second in which a tone begins."""
    return float(np.argmax(np.abs(samples) > 0.1) / RATE)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("kind", FORMATS)
def test_what_browsers_play_is_read(kind: str, channels: int) -> None:
    rate = FORMATS[kind][2]
    file = opened(encode_sound(tones([400, 700][:channels], rate=rate), kind))
    assert (file.rate, file.channels) == (rate, channels)
    assert kind == "aac" or file.duration == pytest.approx(2, abs=0.07)
    for channel, hertz in enumerate([400, 700][:channels]):
        samples = file.read(RATE, channel=channel)
        assert samples.dtype == np.float32
        assert len(samples) / RATE == pytest.approx(2, abs=0.05)
        assert pitch(samples) == pytest.approx(hertz, abs=2)
        assert onset(samples) == pytest.approx(0.5, abs=CODEC_DELAY.get(kind, 0.005))


def test_the_sound_of_a_video_is_read() -> None:
    import av

    out, tone = io.BytesIO(), tones([400.0], rate=44_100)
    with av.open(out, "w", format="mp4") as file:
        pictures = file.add_stream("mpeg4", rate=25, width=96, height=64)
        sound = file.add_stream("aac", rate=44_100, layout="mono")
        for _ in range(50):
            picture = av.VideoFrame.from_ndarray(np.full((64, 96, 3), 90, np.uint8), "rgb24")
            file.mux(pictures.encode(picture))
        frame = av.AudioFrame.from_ndarray(tone, "fltp", "mono")
        frame.sample_rate = 44_100
        for packet in (*pictures.encode(None), *sound.encode(frame), *sound.encode(None)):
            file.mux(packet)
    samples = opened(out.getvalue()).read(RATE)
    assert pitch(samples) == pytest.approx(400, abs=2)
    assert onset(samples) == pytest.approx(0.5, abs=CODEC_DELAY["m4a"])


def test_a_video_without_sound_is_named() -> None:
    picture = np.full((64, 96, 3), 90, np.uint8)
    with pytest.raises(DecodeError, match="The file has no sound, only pictures or text"):
        opened(encode_video([picture] * 5, "mp4"))


def test_channels_are_mixed_unless_one_is_asked_for() -> None:
    both = np.stack([np.full(RATE, 0.5), np.full(RATE, -0.25)])
    file = opened(encode_wav(both))
    assert file.read(RATE)[100] == pytest.approx(0.125, abs=1e-4)
    assert file.read(RATE, channel=1)[100] == pytest.approx(-0.25, abs=1e-4)
    with pytest.raises(DecodeError, match=r"Channel 2 is not in the recording, which has 2"):
        file.read(RATE, channel=2)


def test_eight_channels() -> None:
    samples = np.stack([np.full(8000, n / 10) for n in range(8)])
    file = opened(encode_wav(samples, 8000))
    assert file.channels == 8
    found = [file.read(8000, channel=n)[4000] for n in range(8)]
    assert found == pytest.approx([n / 10 for n in range(8)], abs=1e-4)


def test_samples_at_the_files_own_rate_are_exact() -> None:
    numbers = np.arange(-16_000, 16_000, dtype=np.int16)
    file = opened(encode_wav(numbers[None] / 32767.0))
    assert np.array_equal(file.read(RATE) * 32768, numbers)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        pytest.param(0.5, 0.75, 4000, id="inside"),
        pytest.param(1.9, 9.0, 1600, id="over the end"),
        pytest.param(5.0, 6.0, 0, id="behind the end"),
        pytest.param(1.0, 1.0, 0, id="no length"),
        pytest.param(1.0, 1e308, 16_000, id="to a time that is too large for samples"),
        pytest.param(-1.0, 0.25, 4000, id="before the start"),
    ],
)
def test_a_part(start: float, end: float, expected: int) -> None:
    file = opened(encode_wav(tones([400])))
    part = file.read(RATE, start, end)
    assert len(part) == expected
    first = max(round(start * RATE), 0)
    assert np.array_equal(part, file.read(RATE)[first : first + expected])


def test_a_part_from_a_time_on_that_is_too_large_for_samples() -> None:
    assert len(opened(encode_wav(tones([400]))).read(RATE, 1e308, 1.5e308)) == 0


def test_a_long_recording_comes_in_blocks() -> None:
    file = opened(encode_wav(tones([400], seconds=25.0)))
    sizes = [block.shape for block in file.blocks(RATE)]
    assert len(sizes) == 3
    assert all(count <= (BLOCK_SECONDS + 1) * RATE for _, count in sizes)
    assert sum(count for _, count in sizes) == 25 * RATE


@pytest.mark.parametrize("kind", ["wav", "mp3", "flac"])
def test_a_truncated_recording_is_used_as_far_as_it_goes(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    whole = encode_sound(tones([400], 10.0, FORMATS[kind][2]), kind)
    file = opened(whole[: len(whole) // 2])
    seconds = len(file.read(RATE)) / RATE
    assert 0 < seconds < 8
    if kind != "wav":  # of which FFmpeg itself corrects the declared length
        assert f"Task 7: {seconds:.1f} of 10.0 seconds of the recording" in caplog.text


@pytest.mark.parametrize("rate", [44_100, 16_000, 8_000])
@pytest.mark.parametrize("missing", [1, 777, 0.5])
def test_mp3_that_begins_inside_a_frame_is_read_from_the_next(
    rate: int, missing: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FORMATS, "mp3", ("mp3", "libmp3lame", rate))
    whole = encode_sound(tones([400], 4.0, rate), "mp3")
    first = round(len(whole) * missing) if missing < 1 else round(missing)
    seconds = len(opened(whole).read(RATE)) / RATE
    found = opened(whole[first:])
    assert (found.container, found.rate) == ("mp3", rate)
    expected = seconds * (1 - first / len(whole))  # roughly: the first bytes are no sound
    assert len(found.read(RATE)) / RATE == pytest.approx(expected, abs=0.5)


def test_noise_is_no_mp3() -> None:
    noise = np.random.default_rng(0).integers(0, 256, 1_000_000, np.uint8).tobytes()
    for start in range(0, len(noise), 10_000):
        with pytest.raises(DecodeError, match="Not a readable recording"):
            opened(b"\0" + noise[start : start + 10_000])


def test_a_file_may_begin_with_a_tag_and_have_any_name() -> None:
    tag = b"ID3\x04\x00\x00\x00\x00\x02\x00" + b"\0" * 256
    assert opened(tag + encode_sound(tones([400], rate=44_100), "mp3")).container == "mp3"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it is empty"),
        (b"<html>log in</html>", "a web page"),
        (b"#EXTM3U\nhttp://127.0.0.1/secret.ts\n", "Not a readable recording"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "Not a readable recording"),
        (b"\x1a\x45\xdf\xa3" + b"a" * 500, "The recording is damaged"),
        (b"\xff\xfb" + b"abc" * 100, "The recording is damaged"),
        (encode_wav(tones([400], 0.0)), "The recording (is damaged|has no sample)"),
        (encode_sound(tones([400], rate=44_100), "m4a")[:3000], "The recording is damaged"),
    ],
    ids=["empty", "web page", "play list", "list of files", "matroska", "mp3", "no sample", "m4a"],
)
def test_what_is_no_recording(data: bytes, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        opened(data).read(RATE)


def test_a_long_recording_is_refused_before_it_is_read() -> None:
    with pytest.raises(DecodeError, match="MAX_AUDIO_SECONDS allows 1") as caught:
        AudioFile.open(encode_wav(tones([400])), AudioLimits(1.0))
    assert caught.value.cause == "too_large"


def test_a_recording_that_lies_about_its_length_is_refused_while_it_is_read() -> None:
    data = bytearray(encode_sound(tones([400], 30.0, 44_100), "flac"))
    # STREAMINFO: the number of samples is in the last 36 of the 64 bits from byte 18 on.
    (head,) = struct.unpack_from(">Q", data, 18)
    struct.pack_into(">Q", data, 18, head & ~((1 << 36) - 1) | 44_100)
    file = AudioFile.open(bytes(data), AudioLimits(10.0))
    assert file.duration == pytest.approx(1.0)
    with pytest.raises(DecodeError, match="MAX_AUDIO_SECONDS allows 10"):
        file.read(RATE)


def test_channels_that_are_kept_apart_are_as_long_as_allowed_together() -> None:
    data = bytearray(encode_sound(tones([400, 700], 8.0, 44_100), "flac"))
    (head,) = struct.unpack_from(">Q", data, 18)
    struct.pack_into(">Q", data, 18, head & ~((1 << 36) - 1))
    file = AudioFile.open(bytes(data), AudioLimits(10.0))
    assert sum(block.shape[1] for block in file.blocks(RATE)) == 8 * RATE
    with pytest.raises(DecodeError, match="lasts 16 seconds or more"):
        list(file.blocks(RATE, by_channel=True))


def test_one_sample_a_second_is_no_bomb() -> None:
    data = bytearray(encode_wav(tones([400], 10.0)))
    struct.pack_into("<I", data, 24, 1)
    with pytest.raises(DecodeError, match="MAX_AUDIO_SECONDS"):
        opened(bytes(data))
