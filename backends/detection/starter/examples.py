"""Draws the pictures of the demo: `python -m backends.detection.starter.examples`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from backends.detection.starter.shapes import draw_picture

FOLDER = Path(__file__).parents[1] / "examples"
SIZE_WH = (480, 360)
# One number, while the seeds of training pictures have three: no example was trained on.
SEEDS = (7, 3, 0)


def main(argv: Sequence[str] | None = None) -> None:
    """Write shapes-1.png, shapes-2.png, and so on."""
    parser = argparse.ArgumentParser(description="Draw the example pictures of the demo.")
    parser.add_argument("--out", type=Path, default=FOLDER)
    folder: Path = parser.parse_args(argv).out
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS, start=1):
        picture = draw_picture(np.random.default_rng(seed), SIZE_WH, style="clean", count=6)
        path = folder / f"shapes-{number}.png"
        Image.fromarray(picture.image).save(path, optimize=True)
        print(f"{path}: {', '.join(picture.names)}")


if __name__ == "__main__":
    main()
