"""Photos of receipts and signs with known text: drawn, tilted, shaded and noisy."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw

from tests.backends.ocr.drawing import font

SHOPS = ("HARBOUR STORES", "NORTH BAKERY", "GREEN CORNER", "RIVER BOOKS")
GOODS = ("Candle", "Garden hose", "Batteries", "Olive oil", "Notebook", "Lamp", "Coffee", "Rope")
SIGNS = (
    ("EXIT 24", "City centre", "Keep left"),
    ("TRACK 7", "Trains to Bergen", "Mind the step"),
    ("MUSEUM", "Open daily", "Tickets inside"),
    ("QUIET STREET", "Speed limit 20", "No parking"),
)
COLOURS = (("#7a1f1f", "white"), ("#f3d34a", "#1a1a1a"), ("#1f4d2e", "#f2f2e8"), ("white", "#222"))
# How a camera stores an upright picture, by the EXIF orientation that it writes.
TURNED = {
    6: Image.Transpose.ROTATE_90,
    3: Image.Transpose.ROTATE_180,
    8: Image.Transpose.ROTATE_270,
}


@dataclass(frozen=True)
class Photo:
    """An upright photo, and for each line its text and its corners in percent of the image."""

    image: Image.Image
    lines: list[tuple[str, Any]]

    def save(self, path: Path, orientation: int = 1) -> None:
        """Save it as JPEG, as a camera does that was held in this orientation."""
        exif = Image.Exif()
        exif[0x0112] = orientation
        turn = TURNED.get(orientation)
        stored = self.image if turn is None else self.image.transpose(turn)
        stored.save(path, quality=88, exif=exif)


def receipt(seed: int) -> Photo:
    """Draw goods and prices on paper on a dark table."""
    random = np.random.default_rng(seed)
    goods = random.choice(GOODS, 5, replace=False)
    prices = [f"{random.integers(1, 60)}.{random.integers(10, 99)}" for _ in goods]
    paper = Image.new("RGB", (480, 600), "#faf8f1")
    rows = [(str(random.choice(SHOPS)), ""), *zip(map(str, goods), prices, strict=True)]
    rows.append(("TOTAL", f"{sum(map(float, prices)):.2f}"))
    lines = []
    for row, (left, right) in enumerate(rows):
        letters = font(34 if row in (0, 6) else 28)
        lines += [_text(paper, (45, 40 + row * 78), left, letters)]
        lines += [_text(paper, (435, 40 + row * 78), right, letters, "ra")] if right else []
    return _photographed(paper, lines, "#4a3a2e", random)


def sign(seed: int) -> Photo:
    """Draw a sign in front of a gray wall."""
    random = np.random.default_rng(seed)
    back, front = COLOURS[seed % len(COLOURS)]
    board = Image.new("RGB", (640, 400), back)
    lines = [
        _text(board, (50, 50 + row * 112), text, font(62 if row == 0 else 44), fill=front)
        for row, text in enumerate(SIGNS[seed % len(SIGNS)])
    ]
    return _photographed(board, lines, "#8d9096", random)


def _text(
    image: Image.Image,
    at: tuple[int, int],
    text: str,
    letters: Any,
    anchor: str = "la",
    fill: Any = "#222",
) -> tuple[str, Any]:
    pen = ImageDraw.Draw(image)
    pen.text(at, text, fill, letters, anchor=anchor)
    left, top, right, bottom = pen.textbbox(at, text, letters, anchor=anchor)
    return text, np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


def _photographed(
    flat: Image.Image, lines: list[tuple[str, Any]], around: str, random: Any
) -> Photo:
    """Show it from slightly aside, in uneven light, with noise."""
    width, height = flat.width + 160, flat.height + 160
    corners = np.array([[0, 0], [flat.width, 0], [flat.width, flat.height], [0, flat.height]])
    target = corners + 80 + random.uniform(-30, 30, (4, 2))
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), target.astype(np.float32))
    behind = np.asarray(Image.new("RGB", (width, height), around))
    seen = cv2.warpPerspective(np.asarray(flat), matrix, (width, height), flags=cv2.INTER_CUBIC)
    inside = cv2.warpPerspective(np.ones(flat.size[::-1], np.float32), matrix, (width, height))
    pixels = behind * (1 - inside[:, :, None]) + seen * inside[:, :, None]
    light = np.linspace(*random.uniform(0.75, 1.0, 2), width)[None, :, None]
    pixels = pixels * light + random.normal(0, 6, (height, width, 1))
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    return Photo(image, [(text, _percent(quad, matrix, image.size)) for text, quad in lines])


def _percent(quad: Any, matrix: Any, size: tuple[int, int]) -> Any:
    return cv2.perspectiveTransform(quad[None], matrix)[0] * 100 / np.array(size)
