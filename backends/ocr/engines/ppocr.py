"""The three networks of PP-OCR: pixels to boxes, which way up, and text.

The weights, the numbers and what is done with the networks' outputs are RapidOCR's.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from backends.ocr.engines.onnx_network import Array, Network
from backends.ocr.layout.quad import READ_HEIGHT, Pixels, Quad

# Pixels of the shorter side up to which a page is enlarged before text is looked for.
LEAST_SIDE = 608
# Widths and heights are multiples of it: the detector wants that, and a size that a network has
# seen before costs it less than a new one.
STEP = 32
# Pixels of width that a short line is filled up to.
NARROWEST = 128
# The probability from which on what the recognizer almost took for a space between two characters
# is one: by itself it leaves out some, between numbers most of all.
LIKELY_SPACE = 0.02


class Detector:
    """Where on a page there is text."""

    def __init__(self, network: Network, numbers: Any) -> None:
        """`numbers`: RapidOCR's of detection."""
        from rapidocr.ch_ppocr_det.utils import DBPostProcess

        names = ("thresh", "box_thresh", "max_candidates", "unclip_ratio", "score_mode")
        dilation = {"use_dilation": numbers["use_dilation"]}
        self._boxes = DBPostProcess(**{name: numbers[name] for name in names}, **dilation)
        self._network = network

    def __call__(self, pixels: Pixels) -> list[Quad]:
        """A quadrilateral a line, in pixels."""
        height, width = pixels.shape[:2]
        ratio = max(1.0, LEAST_SIDE / min(height, width))
        size = [max(1, round(int(side * ratio) / STEP)) * STEP for side in (width, height)]
        heat = self._network(_blob(cv2.resize(pixels, size)))
        boxes, _ = self._boxes(heat, (height, width))
        return [np.asarray(box, dtype=np.float32) for box in boxes]


class Direction:
    """Whether a line stands on its head."""

    SIZE = (192, 48)

    def __init__(self, network: Network, numbers: Any) -> None:
        """`numbers`: RapidOCR's of the classifier."""
        self._upside_down = list(numbers["label_list"]).index("180")
        self._network = network

    def __call__(self, cut: Pixels) -> bool:
        """Of a line's pixels."""
        heads = self._network(_line(cut, *self.SIZE))
        return int(heads[0].argmax()) == self._upside_down


@dataclass(frozen=True)
class Said:
    """The text of a line and its score; place and score of each character that is no space.

    A place is a part of the line's width, from 0 to 1.
    """

    text: str
    score: float
    places: Sequence[float] = ()
    scores: Sequence[float] = ()


class Recognizer:
    """What a line says. Each is read by itself, so that its text depends on no neighbour."""

    def __init__(self, network: Network) -> None:
        from rapidocr.ch_ppocr_rec.utils import CTCLabelDecode

        self._decode = CTCLabelDecode(character=network.note("character").splitlines())
        self._network = network

    def __call__(self, cut: Pixels) -> Said:
        """What a line's pixels say."""
        ratio = cut.shape[1] / cut.shape[0]
        width = max(NARROWEST, math.ceil(READ_HEIGHT * ratio / STEP) * STEP)
        output = self._network(_line(cut, width, READ_HEIGHT))
        [(text, score)], [info] = self._decode(
            output,
            return_word_box=True,
            wh_ratio_list=[ratio],
            max_wh_ratio=width / READ_HEIGHT,
        )
        columns = [column for group in info.word_cols for column in group]
        places = [(column + 0.5) / info.line_txt_len for column in columns] if columns else []
        scores = [s for s, char in zip(info.confs, text, strict=False) if not char.isspace()]
        return Said(_spaced(text.strip(), columns, output[0, :, -1]), score, places, scores)


def _spaced(text: str, columns: Sequence[int], spaces: Array) -> str:
    """A text with the spaces that the recognizer left out, shape (columns,) their probabilities.

    `columns` are those of the characters that are no spaces.
    """
    found, place, before = "", 0, " "
    for char in text:
        if not char.isspace():
            between = spaces[columns[place - 1] + 1 : columns[place]] if place else spaces[:0]
            if not before.isspace() and between.max(initial=0) >= LIKELY_SPACE:
                found += " "
            place += 1
        found += char
        before = char
    return found


def _line(cut: Pixels, width: int, height: int) -> Array:
    """As high as the network wants it, and filled up to its width on the right."""
    across = min(width, math.ceil(height * cut.shape[1] / cut.shape[0]))
    batch = np.zeros((1, 3, height, width), dtype=np.float32)
    batch[:, :, :, :across] = _blob(cv2.resize(cut, (across, height)))
    return batch


def _blob(pixels: Any) -> Array:
    """Pixels from 0 to 255, shape (height, width, 3), as -1 to 1, shape (1, 3, height, width)."""
    return np.asarray(cv2.dnn.blobFromImage(pixels, 1 / 127.5, mean=(127.5,) * 3))
