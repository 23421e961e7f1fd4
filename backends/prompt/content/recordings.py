"""Audio as a WAV file, and Video as some of its frames."""

import io
import wave
from contextlib import closing

import numpy as np

from backends.prompt.content.pictures import encode_picture
from backends.prompt.content.reading import ObjectContent, Reading
from backends.prompt.question import AudioPart, ContentPart, TextPart
from shared.backend import DecodeError, ObjectTag
from shared.media.audio import AudioFile
from shared.results import Video

# Samples a second of what is sent: models for speech take 16,000.
SENT_RATE = 16_000
SAMPLE_BYTES = 2
FULL_SCALE = 32767


def read_sound(reading: Reading, target: ObjectTag) -> ObjectContent:
    """Read the sound of an Audio tag as one channel, its beginning if it is long.

    Its source is the recording's length in seconds, if known.
    """
    reading.require("audio", target)
    audio = reading.media.read_audio(reading.task.text_value(target), reading.task.id)
    most = reading.limits.audio_seconds
    part = AudioPart(target.name, encode_wav(audio, most), "wav")
    if audio.duration is None or audio.duration <= most:
        return ObjectContent((part,), audio.duration)
    omitted = (
        f"{target}: the first {most:g} of {audio.duration:.0f} seconds are sent"
        " (PROMPT_MAX_AUDIO_SECONDS)"
    )
    note = TextPart(target.name, f"(What follows after {most:g} seconds is not heard.)")
    return ObjectContent((part, note), audio.duration, (omitted,))


def encode_wav(audio: AudioFile, seconds: float) -> bytes:
    """Return the mean of all channels as a WAV file of 16 bits, its first seconds at most."""
    made, left = io.BytesIO(), round(seconds * SENT_RATE)
    with wave.open(made, "wb") as file, closing(audio.blocks(SENT_RATE)) as blocks:
        file.setnchannels(1)
        file.setsampwidth(SAMPLE_BYTES)
        file.setframerate(SENT_RATE)
        for block in blocks:
            samples = np.clip(audio.pick_channel(block, None)[:left], -1.0, 1.0)
            file.writeframes((samples * FULL_SCALE).astype("<i2").tobytes())
            left -= len(samples)
            if left <= 0:
                break
    return made.getvalue()


def read_frames(reading: Reading, target: ObjectTag) -> ObjectContent:
    """Read frames of a Video tag, spread evenly over it, after a line that says when each is.

    Its source is the `Video` as the editor counts it.
    """
    reading.require("image", target)
    file = reading.media.read_video(reading.task.text_value(target), reading.task.id)
    times: list[str] = []
    pictures = []
    with closing(file.sample(reading.limits.frames)) as frames:
        for number, frame in enumerate(frames):
            times.append(f"{frame.time:.2f}")
            pictures.append(encode_picture(target.name, frame.decode(), reading.limits, number))
    if not pictures:
        raise DecodeError(f"{target}: the video has no frame that can be read")
    line = (
        f"(A video of {file.duration:.2f} seconds; its pictures are of second {', '.join(times)})"
    )
    parts: tuple[ContentPart, ...] = (TextPart(target.name, line), *pictures)
    return ObjectContent(parts, Video.of_file(file, target, reading.task))
