"""Pictures of hearts, moons and arrows, with their exact boxes."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

LABELS = ("Heart", "Moon", "Arrow")
LABEL_CONFIG = """<View>
  <Image name="image" value="$image"/>
  <RectangleLabels name="shape" toName="image">
    <Label value="Heart" background="#d6336c"/>
    <Label value="Moon" background="#1971c2"/>
    <Label value="Arrow" background="#2f9e44"/>
  </RectangleLabels>
</View>
"""

WIDTH, HEIGHT = 320, 240
MAX_SHAPES = 4
SIDES_PIXELS = (36, 96)  # the longer side of a shape
MIN_CONTRAST = 110  # distance of a shape's colour to the background's, in RGB levels
GAP_PIXELS = 4  # between boxes
TRIES = 40  # places tried for a shape before it is left out
FINE = 4  # shapes are drawn so many times larger and then averaged

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DrawnPicture:
    """`pixels`: uint8 (height, width, 3), RGB. `boxes`: float64 (n, 4), xyxy in pixels."""

    pixels: NDArray[np.uint8]
    boxes: Floats
    labels: tuple[str, ...]

    def png(self) -> bytes:
        """Return the picture as a PNG file."""
        return cv2.imencode(".png", cv2.cvtColor(self.pixels, cv2.COLOR_RGB2BGR))[1].tobytes()

    def results(self) -> list[dict[str, Any]]:
        """Return the boxes as an annotator's results for `LABEL_CONFIG`."""
        height, width = self.pixels.shape[:2]
        percent = self.boxes * 100 / np.array([width, height, width, height])
        return [
            {
                "id": f"shape{number}",
                "type": "rectanglelabels",
                "from_name": "shape",
                "to_name": "image",
                "original_width": width,
                "original_height": height,
                "image_rotation": 0,
                "value": {
                    "x": left,
                    "y": top,
                    "width": right - left,
                    "height": bottom - top,
                    "rotation": 0,
                    "rectanglelabels": [label],
                },
            }
            for number, ((left, top, right, bottom), label) in enumerate(
                zip(percent.tolist(), self.labels, strict=True)
            )
        ]


def draw_picture(seed: int) -> DrawnPicture:
    """Draw a picture with one to four shapes on a soft gradient with a little noise."""
    rng = np.random.default_rng(seed)
    ground = _random_color(rng)
    canvas = _draw_ground(rng, ground)
    boxes: list[Floats] = []
    labels = []
    for _ in range(int(rng.integers(1, MAX_SHAPES + 1))):
        label = LABELS[int(rng.integers(len(LABELS)))]
        corners = _place(rng, label, boxes)
        if corners is not None:
            boxes.append(paint_shape(canvas, corners, _contrasting_color(rng, ground)))
            labels.append(label)
    canvas += rng.normal(0, rng.uniform(0, 8), canvas.shape)
    pixels = np.clip(np.rint(canvas), 0, 255).astype(np.uint8)
    return DrawnPicture(pixels, np.array(boxes).reshape(-1, 4), tuple(labels))


def outline(label: str) -> Floats:
    """Return the corners of a shape, float64 (n, 2), around (0, 0)."""
    turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    if label == "Heart":
        across = 16 * np.sin(turn) ** 3
        down = -13 * np.cos(turn) + 5 * np.cos(2 * turn) + 2 * np.cos(3 * turn) + np.cos(4 * turn)
        return np.stack([across, down], axis=1) / 16
    if label == "Moon":
        outer = np.linspace(0.3 * np.pi, 1.7 * np.pi, 40)
        tip = np.cos(outer[0]), np.sin(outer[0])
        radius = np.hypot(tip[0] - 0.65, tip[1])
        half = np.arctan2(tip[1], tip[0] - 0.65)
        inner = np.linspace(2 * np.pi - half, half, 40)
        return np.concatenate(
            [
                np.stack([np.cos(outer), np.sin(outer)], axis=1),
                np.stack([0.65 + radius * np.cos(inner), radius * np.sin(inner)], axis=1),
            ]
        )
    half_arrow = np.array([[1.0, 0.0], [0.25, 0.6], [0.25, 0.22], [-1.0, 0.22]])
    return np.concatenate([half_arrow, half_arrow[::-1] * (1, -1)])


def _place(rng: Generator, label: str, boxes: list[Floats]) -> Floats | None:
    """Return the corners of a shape, turned by any angle, at a free place if there is one."""
    for _ in range(TRIES):
        angle = rng.uniform(0, 2 * np.pi)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        corners: Floats = outline(label) @ turn.T
        corners *= rng.uniform(*SIDES_PIXELS) / np.ptp(corners, axis=0).max()
        room = np.array([WIDTH, HEIGHT]) - np.ptp(corners, axis=0) - 2
        corners += rng.uniform(1, room) - corners.min(axis=0)
        low, high = corners.min(axis=0) - GAP_PIXELS, corners.max(axis=0) + GAP_PIXELS
        if all((high < box[:2]).any() or (low > box[2:]).any() for box in boxes):
            return corners
    return None


def paint_shape(canvas: Floats, corners: Floats, color: Floats) -> Floats:
    """Paint a filled shape and return the box around what is painted."""
    fine = np.zeros((HEIGHT * FINE, WIDTH * FINE), np.uint8)
    # cv2 counts centres of pixels
    cv2.fillPoly(fine, [np.rint(corners * FINE - 0.5).astype(np.int32)], 255)
    left, top, width, height = cv2.boundingRect(fine)
    alpha = cv2.resize(fine, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)[:, :, None] / 255
    canvas[:] = (1 - alpha) * canvas + alpha * color
    return np.array([left, top, left + width, top + height]) / FINE


def _draw_ground(rng: Generator, color: Floats) -> Floats:
    other = np.clip(color + rng.uniform(-35, 35, 3), 0, 255)
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    along = np.cos(angle) * columns + np.sin(angle) * rows
    mix = ((along - along.min()) / np.ptp(along))[:, :, None]
    return np.asarray((1 - mix) * color + mix * other)


def _random_color(rng: Generator) -> Floats:
    return rng.uniform(0, 255, 3)


def _contrasting_color(rng: Generator, ground: Floats) -> Floats:
    while True:
        color = _random_color(rng)
        if np.linalg.norm(color - ground) >= MIN_CONTRAST:
            return color
