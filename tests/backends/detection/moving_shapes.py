"""Draws videos of a circle that moves to the left, to the right, or not at all, with the spans."""

from dataclasses import dataclass

import numpy as np

from tests.backends.detection.clip import FPS, Actor, draw_frame, encode_video

LABELS = ("Left", "Right")
FRAMES, WAY_FRAMES, SPEED = 72, 24, 4.0
# Where the centre of a shape may be, in pixels.
LEFT_END, RIGHT_END = 35.0, 285.0


@dataclass(frozen=True)
class MovingShape:
    """A video, and for each label and frame whether it holds, shape (labels, frames)."""

    data: bytes
    held: np.ndarray

    def results(self) -> list[dict[str, object]]:
        """The spans as an annotator draws them."""
        found: list[dict[str, object]] = []
        for label, frames in zip(LABELS, self.held, strict=True):
            edges = np.flatnonzero(np.diff([0, *frames.astype(int), 0])).tolist()
            found += [
                {
                    "id": f"{label}{start}",
                    "type": "timelinelabels",
                    "from_name": "when",
                    "to_name": "video",
                    "value": {
                        "ranges": [{"start": start + 1, "end": end}],
                        "timelinelabels": [label],
                    },
                }
                for start, end in zip(edges[::2], edges[1::2], strict=True)
            ]
        return found


def draw_moving_shape(seed: int) -> MovingShape:
    """Draw a circle somewhere, which changes its way twice."""
    rng = np.random.default_rng(seed)
    x, y, radius = rng.uniform(110, 210), rng.uniform(60, 180), rng.uniform(18, 28)
    places, ways = [], []
    for _ in range(FRAMES // WAY_FRAMES):
        way = int(rng.choice([one for one in (-1, 0, 1) if not ways or one != ways[-1]]))
        if not LEFT_END <= x + way * SPEED * WAY_FRAMES <= RIGHT_END:
            way = -way
        for _ in range(WAY_FRAMES):
            x += way * SPEED
            places.append(x)
            ways.append(way)
    shape = Actor("circle", (200, 40, 40), lambda frame: (places[frame], y, radius))
    frames = [draw_frame(number, [shape])[0] for number in range(FRAMES)]
    return MovingShape(encode_video(frames, "mp4", FPS), np.array([ways]) == [[-1], [1]])
