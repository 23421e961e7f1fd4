"""Make the recordings of the example: python -m backends.audio.examples.record.

What is said is spoken by espeak-ng, which must be installed.
"""

from pathlib import Path

from backends._sound.spoken import Part, encode, record

FOLDER = Path(__file__).parent
RECORDINGS: dict[str, tuple[Part, ...]] = {
    "call.mp3": (1.0, "hello, who is there?", 0.8, ("noise", 1.2), 0.9, "please call again", 1.0),
    "drill.mp3": (0.7, ("noise", 2.0), 1.3),
}

if __name__ == "__main__":
    for name, parts in RECORDINGS.items():
        (FOLDER / name).write_bytes(encode(record(parts), name.partition(".")[2]))
