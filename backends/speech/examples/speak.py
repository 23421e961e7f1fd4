"""Speak the recordings of the example: python -m backends.speech.examples.speak.

They are spoken by espeak-ng, which must be installed.
"""

from pathlib import Path

from backends._sound.spoken import Part, encode, record

FOLDER = Path(__file__).parent
RECORDINGS: dict[str, tuple[Part, ...]] = {
    "orders.flac": (
        0.6,
        "open the door",
        1.1,
        "turn off the light",
        1.4,
        "go forward five steps",
        0.7,
    ),
    "numbers.mp3": (0.5, "nine one three", 1.3, "thank you", 0.6),
    "greeting.flac": (1.0, "good morning", 0.8),
}

if __name__ == "__main__":
    for name, parts in RECORDINGS.items():
        (FOLDER / name).write_bytes(encode(record(parts), name.partition(".")[2]))
