"""The three networks of PP-OCR: where lines are, which way up they are, and what they say."""

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from backends.ocr.engines.onnx_network import Array, Network
from backends.ocr.engines.ppocr_outputs import find_quads, read_characters, read_guesses
from backends.ocr.layout.page import Recognition
from backends.ocr.layout.quad import LINE_HEIGHT_PIXELS, Pixels, Quad

# A page whose shorter side has fewer pixels is enlarged to this before lines are searched.
MIN_SIDE_PIXELS = 608
# Widths and heights are multiples of this: the detector requires it, and an engine prepares itself
# for every size that it has not seen before.
SIZE_STEP_PIXELS = 32
# Shorter lines are padded to this width.
MIN_LINE_WIDTH_PIXELS = 128
# Between two characters, the recognizer's best guess is often "nothing" though there is a space,
# most of all between numbers. A space is inserted where its probability reaches this.
MIN_SPACE_PROBABILITY = 0.02


class Detector:
    """Finds lines of text on a page."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def find_lines(self, pixels: Pixels) -> list[Quad]:
        """Return a quadrilateral for each line, in pixels."""
        height, width = pixels.shape[:2]
        ratio = max(1.0, MIN_SIDE_PIXELS / min(height, width))
        size = [
            max(1, round(int(side * ratio) / SIZE_STEP_PIXELS)) * SIZE_STEP_PIXELS
            for side in (width, height)
        ]
        heatmap = self._network.run(_normalize_pixels(cv2.resize(pixels, size)))
        return list(find_quads(heatmap[0, 0], (height, width)))


class DirectionClassifier:
    """Tells lines that are upside down."""

    SIZE = (192, 48)
    LABELS = ("0", "180")  # of RapidOCR's config.yaml

    def __init__(self, network: Network) -> None:
        self._network = network

    def is_upside_down(self, line: Pixels) -> bool:
        """Return whether the line's pixels are turned by 180 degrees."""
        scores = self._network.run(_pad_line(line, *self.SIZE))
        return self.LABELS[int(scores[0].argmax())] == "180"


class Recognizer:
    """Reads lines, each by itself, so that its text does not depend on its neighbours."""

    def __init__(self, network: Network) -> None:
        # The guess "nothing" stands before the characters of the file, a space after them.
        self._characters = ("", *network.read_metadata("character").splitlines(), " ")
        self._network = network

    def recognize(self, line: Pixels) -> Recognition:
        """Return the text of a line's pixels, and where its characters are."""
        ratio = line.shape[1] / line.shape[0]
        steps = math.ceil(LINE_HEIGHT_PIXELS * ratio / SIZE_STEP_PIXELS)
        width = max(MIN_LINE_WIDTH_PIXELS, steps * SIZE_STEP_PIXELS)
        # An output is megabytes: a chance for each column and each of thousands of characters.
        guesses = self._network.read(
            _pad_line(line, width, LINE_HEIGHT_PIXELS), lambda output: read_guesses(output[0])
        )
        read = read_characters(guesses, self._characters)
        score = round(sum(read.chances) / len(read.chances), 5) if read.text else 0.0
        # So many columns are the line's; those that follow are its padding.
        line_columns = len(guesses.numbers) * ratio * LINE_HEIGHT_PIXELS / width
        shown = [
            (column, chance)
            for char, column, chance in zip(*read, strict=True)
            if not char.isspace()
        ]
        columns = [column for column, _ in shown]
        positions = [(column + 0.5) / line_columns for column in columns]
        spaced = _insert_spaces(read.text.strip(), columns, guesses.space_chances)
        return Recognition(spaced, score, positions, [chance for _, chance in shown])


def _insert_spaces(text: str, columns: Sequence[int], space_chances: Array) -> str:
    """Insert the spaces that the recognizer left out.

    `columns` are the output columns of the characters other than spaces; `space_chances`
    has the shape (columns,).
    """
    spaced, index, previous = "", 0, " "
    for char in text:
        if not char.isspace():
            gap = slice(columns[index - 1] + 1, columns[index]) if index else slice(0)
            between = space_chances[gap]
            if not previous.isspace() and between.max(initial=0) >= MIN_SPACE_PROBABILITY:
                spaced += " "
            index += 1
        spaced += char
        previous = char
    return spaced


def _pad_line(line: Pixels, width: int, height: int) -> Array:
    """Scale a line to the height, and pad it to the width on its right."""
    scaled_width = min(width, math.ceil(height * line.shape[1] / line.shape[0]))
    batch = np.zeros((1, 3, height, width), dtype=np.float32)
    batch[:, :, :, :scaled_width] = _normalize_pixels(cv2.resize(line, (scaled_width, height)))
    return batch


def _normalize_pixels(pixels: Any) -> Array:
    """Turn 0 … 255, shape (height, width, 3), into -1 … 1, shape (1, 3, height, width)."""
    return np.asarray(cv2.dnn.blobFromImage(pixels, 1 / 127.5, mean=(127.5,) * 3))
