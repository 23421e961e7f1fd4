"""Videos of shapes that move over a textured ground, with their exact boxes, and a fast model."""

import base64
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import cv2
import numpy as np

from backends.segment import SegmentBackend
from backends.segment.models.promptable_model import Embedding, MaskPrediction
from backends.segment.prompts import ObjectPrompt
from backends.segment.segmenter import Segmenter
from backends.segment.video.tags import is_video_spec
from backends.segment.video.video_model import VideoModel
from shared.backend import ModelSpec, Pixels
from shared.results import ImageSize
from tests.backends.detection.clip import encode_video

Json = dict[str, Any]
Box = tuple[float, float, float, float]
# The centre and radius of a disc on a frame from 0 on; None while it is away.
Place = Callable[[int], tuple[float, float, float] | None]

WIDTH, HEIGHT, FPS = 160, 120, 25
RED, BLUE = (220, 30, 30), (30, 40, 220)
LABELS = '<Label value="Ball"/><Label value="Car"/>'
CONFIG = f"""<View><Labels name="label" toName="video">{LABELS}</Labels>
<Video name="video" value="$video" frameRate="{FPS}"/>
<VideoRectangle name="box" toName="video" smart="true"/></View>"""


def swing(frame: int) -> tuple[float, float, float]:
    """A disc that moves on an ellipse, and breathes."""
    return 80 + 50 * np.cos(frame / 25), 60 + 30 * np.sin(frame / 18), 14 + 3 * np.sin(frame / 20)


@cache
def ground(width: int = WIDTH, height: int = HEIGHT) -> Any:
    """Grey noise of several sizes: a texture without the colours of the discs."""
    rng = np.random.default_rng(0)
    layers = [
        cv2.resize(rng.uniform(0, 60, (height // n, width // n)), (width, height))
        for n in (1, 4, 16)
    ]
    return np.repeat((60 + sum(layers) / 2)[..., None], 3, 2).clip(0, 255).astype(np.uint8)


def draw(frame: int, discs: Mapping[tuple[int, int, int], Place]) -> tuple[Any, list[Box | None]]:
    """Return a frame's pixels, RGB, and the exact box of each disc."""
    pixels, boxes = ground().copy(), list[Box | None]()
    for colour, place in discs.items():
        at = place(frame)
        boxes.append(at and (at[0] - at[2], at[1] - at[2], at[0] + at[2], at[1] + at[2]))
        if at is not None:
            middle = (round((at[0] - 0.5) * 16), round((at[1] - 0.5) * 16))
            cv2.circle(pixels, middle, round(at[2] * 16), colour, -1, cv2.LINE_AA, 4)
    return pixels, boxes


def video(frames: int, discs: Mapping[tuple[int, int, int], Place], **more: Any) -> bytes:
    return encode_video([draw(frame, discs)[0] for frame in range(frames)], **more)


@cache
def clip(frames: int = 40, kind: str = "webm") -> bytes:
    """One red disc that swings, on 40 frames by default."""
    return video(frames, {RED: swing}, kind=kind)


def url(data: bytes, kind: str = "webm") -> str:
    return f"data:video/{kind};base64,{base64.b64encode(data).decode()}"


def key(frame: int, box: Sequence[float], enabled: bool = True, rotation: float = 0) -> Json:
    """A key frame, counted from 1, with a box in pixels."""
    left, top, right, bottom = box
    place = {"x": left / WIDTH, "y": top / HEIGHT}
    place |= {"width": (right - left) / WIDTH, "height": (bottom - top) / HEIGHT}
    percent = {name: 100 * part for name, part in place.items()}
    more = {"frame": frame, "enabled": enabled, "rotation": rotation, "time": frame / FPS}
    return {**percent, **more}


def drawn(*sequence: Json, name: str = "drawn", label: str | None = "Ball", **more: Any) -> Json:
    """A region as the editor sends it."""
    value = {"framesCount": 40, "duration": 1.6, "sequence": list(sequence)}
    value |= {"labels": [label]} if label else {}
    return {"id": name, "from_name": "box", "to_name": "video", "type": "videorectangle",
            "origin": "manual", "value": value, **more}  # fmt: skip


def box_of(frame: int, place: Place = swing) -> Box:
    at = place(frame)
    assert at is not None
    x, y, radius = at
    return x - radius, y - radius, x + radius, y + radius


def track_boxes(result: Json) -> dict[int, Box]:
    """Return where the editor draws a track, in pixels, by frame from 0."""
    sequence = result["value"]["sequence"]
    found: dict[int, Box] = {}
    for one, following in zip(sequence, [*sequence[1:], None], strict=True):
        found[one["frame"] - 1] = _pixels(one)
        if one["enabled"] and following is not None:
            for frame in range(one["frame"] + 1, following["frame"]):
                part = (frame - one["frame"]) / (following["frame"] - one["frame"])
                pairs = zip(_pixels(one), _pixels(following), strict=True)
                left, top, right, bottom = (a + part * (b - a) for a, b in pairs)
                found[frame - 1] = left, top, right, bottom
    return found


def _pixels(keyframe: Json) -> Box:
    left, top = keyframe["x"] * WIDTH / 100, keyframe["y"] * HEIGHT / 100
    return (left, top, left + keyframe["width"] * WIDTH / 100,
            top + keyframe["height"] * HEIGHT / 100)  # fmt: skip


def iou(one: Box, other: Box) -> float:
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    both = max(across, 0) * max(down, 0)
    areas = [(right - left) * (bottom - top) for left, top, right, bottom in (one, other)]
    return both / (sum(areas) - both)


class ColourModel:
    """A segmenter without weights: what has the colour in the middle of the prompt, and is strong.

    See `PromptableModel`. It counts the pictures that it is shown, and how large they were.
    """

    def __init__(self) -> None:
        self.encoded = 0
        self.before_frame: Callable[[int], None] = lambda number: None

    def encode(self, image: Pixels, leaves_core: bool = False) -> Embedding:
        self.before_frame(self.encoded)
        self.encoded += 1
        return Embedding(
            {"pixels": image.astype(np.float32)}, ImageSize(image.shape[1], image.shape[0])
        )

    def decode(
        self, embedding: Embedding, prompts: Sequence[ObjectPrompt], leaves_core: bool = False
    ) -> list[MaskPrediction]:
        return [self._predict(embedding.arrays["pixels"], prompt) for prompt in prompts]

    def _predict(self, pixels: Any, prompt: ObjectPrompt) -> MaskPrediction:
        height, width = pixels.shape[:2]
        x, y = (
            (prompt.points[0].x, prompt.points[0].y)
            if prompt.points
            else (
                (prompt.box.left + prompt.box.right) / 2,
                (prompt.box.top + prompt.box.bottom) / 2,
            )
            if prompt.box
            else (0, 0)
        )
        colour = pixels[min(int(y), height - 1), min(int(x), width - 1)]
        strength = pixels.max(2) - pixels.min(2)
        alike = np.abs(pixels - colour).max(2) < 60
        mask = alike & (strength > 90) if np.ptp(colour) > 90 else np.zeros((height, width), bool)
        return MaskPrediction(mask, np.where(mask, 9, -9).astype(np.float32), 0.9)

    def describe_engine(self) -> str:
        return "colours"


class ColourBackend(SegmentBackend):
    """The segment backend with that model."""

    made: ColourModel

    def weights(self, spec: ModelSpec) -> Any:
        return ()

    def load(self, spec: ModelSpec) -> Segmenter | VideoModel:
        type(self).made = ColourModel()
        segmenter = Segmenter(self.made, self._kept.embeddings, self.weights_hash(spec))
        return VideoModel(segmenter) if is_video_spec(spec) else segmenter
