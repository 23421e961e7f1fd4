"""Example tasks of a new backend, and the media that they show."""

import shutil
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

Data = dict[str, Any]
# Returns the value by which a task refers to a file of the folder `examples/`.
AddressOf = Callable[[str], str]

VIDEO = Path(__file__).parent / "spot.webm"
TEXTS = ("An extraordinary neighbourhood, isn't it?", "We met on the bridge")


def images(folder: Path, address_of: AddressOf, key: str = "image") -> list[Data]:
    """Draw a spot on a gray ground, once dark and once bright."""
    for name, colour in (("spot-1.png", 20), ("spot-2.png", 250)):
        pixels = np.full((64, 96, 3), 130, np.uint8)
        cv2.circle(pixels, (40, 30), 18, (colour, colour, 255 - colour), -1)
        (folder / name).write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    return [{key: address_of("spot-1.png")}, {key: address_of("spot-2.png")}]


def texts(folder: Path, address_of: AddressOf) -> list[Data]:
    """Return a text with a long word, and one without."""
    return [{"text": text} for text in TEXTS]


def hypertexts(folder: Path, address_of: AddressOf) -> list[Data]:
    """Return the same texts in HTML."""
    first = "<h1>Today</h1><p>An <b>extra</b>ordinary neighbourhood, isn't it?</p>"
    return [{"hypertext": first}, {"hypertext": f"<p>{TEXTS[1]}</p>"}]


def paragraphs(folder: Path, address_of: AddressOf) -> list[Data]:
    """Return a dialogue, and its first turn alone."""
    turns = [{"author": "Ann", "text": TEXTS[1]}, {"author": "Bob", "text": TEXTS[0]}]
    return [{"paragraphs": turns}, {"paragraphs": turns[:1]}]


def sounds(folder: Path, address_of: AddressOf) -> list[Data]:
    """Write a tone between half a second of silence each, and silence."""
    time = np.arange(4000) / 8000
    tone = (16000 * np.sin(time * 2 * np.pi * 440)).astype("<i2")
    silence = np.zeros(4000, "<i2")
    for name, parts in (("tone.wav", (silence, tone, silence)), ("silence.wav", (silence,))):
        with wave.open(str(folder / name), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(np.concatenate(parts).tobytes())
    return [{"audio": address_of("tone.wav")}, {"audio": address_of("silence.wav")}]


def videos(folder: Path, address_of: AddressOf) -> list[Data]:
    """Copy a video of 24 frames: a bright spot goes from left to right in 12 of them."""
    shutil.copy(VIDEO, folder / VIDEO.name)
    return [{"video": address_of("spot.webm")}]


def series(folder: Path, address_of: AddressOf) -> list[Data]:
    """Return a step, and a flat line."""
    times = list(range(20))
    step = [5 if 8 <= time < 14 else 1 for time in times]
    return [
        {"timeseries": {"time": times, "value": step}},
        {"timeseries": {"time": times, "value": [1] * 20}},
    ]


def lists(folder: Path, address_of: AddressOf) -> list[Data]:
    """Return a list of three titles."""
    titles = {"a": "The longest of the three", "b": "Short", "c": "Longer"}
    return [{"list": [{"id": name, "title": title} for name, title in titles.items()]}]


def text_pairs(folder: Path, address_of: AddressOf) -> list[Data]:
    """Return two texts, the longer one left and then right."""
    one, other = TEXTS
    return [{"left": one, "right": other}, {"left": other, "right": one}]


def image_pairs(folder: Path, address_of: AddressOf) -> list[Data]:
    """Draw two images, the darker one left and then right."""
    dark, bright = (data["image"] for data in images(folder, address_of))
    return [{"left": dark, "right": bright}, {"left": bright, "right": dark}]
