"""Pages with known text: fonts, sizes, angles and noise from fixed seeds."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

FONTS = sorted(Path("/usr/share/fonts/truetype/dejavu").glob("DejaVuS*.ttf"))
TEXT = """
invoice total amount date paid customer street number garden window yellow market price bread
apples morning evening station platform ticket return address delivery quantity weight order
2024 17.50 3.10 12 480 99.95 Berlin Oslo Madrid Thursday April signed below above between
"""
WORDS = TEXT.split()


@dataclass(frozen=True)
class Drawn:
    """A page, its lines of text, and a box (4 corners) for each word."""

    image: Image.Image
    lines: list[str]
    words: list[tuple[str, Any]]

    @property
    def url(self) -> str:
        return data_url(self.image)


def data_url(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def font(size: int, seed: int = 0) -> Any:
    """Return a DejaVu font if Debian's package is installed, else Pillow's own."""
    choice = [None, *FONTS][seed % (len(FONTS) + 1)]
    return ImageFont.load_default(size) if choice is None else ImageFont.truetype(str(choice), size)


def page(seed: int, lines: int = 12, size: int = 24, degrees: float = 0, noise: float = 0) -> Drawn:
    """Draw a page of `lines` lines; turned clockwise and noisy on request."""
    random = np.random.default_rng(seed)
    letters = font(size, seed)
    image = Image.new("RGB", (size * 26, int(size * 1.9 * lines + 3 * size)), "white")
    pen, texts, boxes = ImageDraw.Draw(image), [], []
    for row in range(lines):
        x, y = 1.5 * size, 1.5 * size + row * 1.9 * size
        chosen = [str(word) for word in random.choice(WORDS, random.integers(2, 5))]
        top, bottom = pen.textbbox((x, y), "Alpg", font=letters)[1::2]
        for word in chosen:
            left, _, right, _ = pen.textbbox((x, y), word, font=letters)
            pen.text((x, y), word, font=letters, fill="black")
            boxes.append((word, [[left, top], [right, top], [right, bottom], [left, bottom]]))
            x += pen.textlength(word + " ", font=letters)
        texts.append(" ".join(chosen))
    return _photographed(Drawn(image, texts, boxes), degrees, noise, random)


def _photographed(page: Drawn, degrees: float, noise: float, random: Any) -> Drawn:
    """Turn a page clockwise about its center, and add gray noise of a standard deviation."""
    image = page.image.rotate(-degrees, Image.Resampling.BICUBIC, expand=True, fillcolor="white")
    angle = np.radians(degrees)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle, target = np.array(page.image.size) / 2, np.array(image.size) / 2
    words = [(word, (np.array(box) - middle) @ matrix.T + target) for word, box in page.words]
    pixels = np.asarray(image, dtype=float) + random.normal(0, noise, (*image.size[::-1], 1))
    return Drawn(Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)), page.lines, words)
