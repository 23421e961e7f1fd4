"""RapidOCR, with the weights of its own package: detection, direction, recognition."""

import importlib.util
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np

from backends.ocr.layout import in_order
from backends.ocr.page import Line, Page
from backends.ocr.quad import READ_HEIGHT, Pixels, Quad, crop, rolled, stretched, thickness, width
from backends.ocr.tiles import merged, scaled, tiles, widened
from backends.ocr.words import words
from shared.errors import ModelError
from shared.image import Image

SAMPLE = 8
"""The longest lines of a page that say which way it is turned."""
NARROWEST = 128
"""Pixels of width that a short line is filled up to. Each is recognized by itself, so that its text
does not depend on its neighbours; that costs no more than batches filled up to the longest line."""
TALL = 1.5
"""A line is as many times taller than wide if it runs up or down."""


def weights() -> list[Path]:
    """The files of the models, as RapidOCR's package brings them."""
    folder = Path(str(files("rapidocr"))) / "models"
    return sorted(folder.glob("*.onnx"))


class RapidEngine:
    """On `openvino`, `onnx` or, for `auto`, the faster of those that are installed."""

    def __init__(self, engine: str, language: str = "") -> None:
        from rapidocr import EngineType, RapidOCR

        _check(language)
        if engine not in {"openvino", "onnx"}:
            engine = "openvino" if importlib.util.find_spec("openvino") else "onnx"
        kind = EngineType.OPENVINO if engine == "openvino" else EngineType.ONNXRUNTIME
        options = {f"{part}.engine_type": kind for part in ("Det", "Cls", "Rec")}
        options |= {"Global.log_level": "error", "Global.use_vertical_padding": False}
        options |= {"Rec.rec_batch_num": 1, "Rec.rec_img_shape": [3, READ_HEIGHT, NARROWEST]}
        self._rapid = RapidOCR(params=options | {"Global.return_word_box": True})

    def read(self, image: Image) -> Page:
        """The lines of an upright image, whichever way its page is turned."""
        pixels = stretched(np.ascontiguousarray(image.pixels[:, :, ::-1]))
        quads = self._detect(pixels)
        if not quads:
            return Page(image.size)
        turn = self._turn(pixels, quads)
        lines = self._lines(pixels, [rolled(quad, turn) for quad in quads])
        return Page(image.size, tuple(in_order(lines)))

    def _detect(self, pixels: Pixels) -> list[Quad]:
        found: list[list[Quad]] = []
        for left, top, tile in tiles(pixels):
            small, ratio = scaled(tile)
            boxes = self._boxes(widened(small))
            found.append([box / ratio + (left, top) for box in boxes])
        return merged(found)

    def _boxes(self, pixels: Pixels) -> Sequence[Quad]:
        from rapidocr.main import RapidOCRError

        try:
            _, found = self._rapid.detect_and_crop(pixels, {})
        except RapidOCRError:  # so it says that there is no text
            return ()
        return [np.asarray(box, dtype=np.float32) for box in found.boxes]

    def _turn(self, pixels: Pixels, quads: Sequence[Quad]) -> int:
        """Quarter turns, clockwise, by which the page is turned.

        Most lines say whether they run across or down; the direction classifier, and where it
        doubts the better reading, which way up.
        """
        long = sorted(quads, key=lambda quad: max(width(quad), thickness(quad)))[-SAMPLE:]
        down = sum(max(width(q), thickness(q)) * (1 if _is_tall(q) else -1) for q in long)
        first = 1 if down > 0 else 0
        ways = [[crop(pixels, rolled(quad, turn)) for quad in long] for turn in (first, first + 2)]
        _, classes = self._rapid.cls_and_rotate(ways[0])
        if all(label != "180" for label, _ in classes.cls_res):
            return first
        scores = [self._score(crops) for crops in ways]
        return first if scores[0] >= scores[1] else first + 2

    def _score(self, crops: list[Pixels]) -> float:
        found = self._rapid.recognize_txt(crops)
        sizes = [len(text) for text in found.txts]
        return float(np.dot(found.scores, sizes)) / max(1, sum(sizes))

    def _lines(self, pixels: Pixels, quads: Sequence[Quad]) -> list[Line]:
        straight = self._recognized(pixels, [quad for quad in quads if not _is_tall(quad)])
        lines = [line for line in straight if line is not None]
        tall = [quad for quad in quads if _is_tall(quad)]
        ways = [self._recognized(pixels, [rolled(q, turn) for q in tall]) for turn in (0, 1, 3)]
        for read in zip(*ways, strict=True):
            best = max((line for line in read if line), key=lambda x: x.score, default=None)
            lines += [best] if best else []
        return lines

    def _recognized(self, pixels: Pixels, quads: Sequence[Quad]) -> list[Line | None]:
        if not quads:
            return []
        crops = [crop(pixels, quad) for quad in quads]
        found = self._rapid.recognize_txt(crops)
        rows = zip(quads, crops, found.txts, found.scores, found.word_results, strict=True)
        return [
            Line(quad.tolist(), text.strip(), float(score), words(quad, part, text, info))
            if text.strip()
            else None
            for quad, part, text, score, info in rows
        ]


def _is_tall(quad: Quad) -> bool:
    return thickness(quad) > TALL * width(quad)


def _check(language: str) -> None:
    from rapidocr import RapidOCR

    known = RapidOCR.list_supported_langs("rec", "PP-OCRv6", "small")
    if language and language not in known:
        raise ModelError(
            f'OCR_LANG="{language}": the weights in RapidOCR\'s package do not read it;'
            f" they read {', '.join(sorted(known))}"
        )
