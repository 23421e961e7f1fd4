"""RapidOCR's networks, with the weights of its package: any page, whichever way it is turned."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path

import numpy as np

from backends._inference.device import available_cores
from backends.ocr.engines.base import OcrEngine
from backends.ocr.engines.onnx_network import load_network
from backends.ocr.engines.ppocr import Detector, DirectionClassifier, Recognizer
from backends.ocr.layout.ink_bounds import ink_bounds
from backends.ocr.layout.page import Line, Page
from backends.ocr.layout.quad import (
    Pixels,
    Quad,
    crop_quad,
    roll_corners,
    stretch_contrast,
    sub_quad,
    text_height,
    text_length,
)
from backends.ocr.layout.reading_order import sort_lines
from backends.ocr.layout.tiles import limit_size, merge_tiles, pad_strip, split_tiles
from backends.ocr.layout.word_boxes import locate_words
from shared.backend.model_folder import find_model
from shared.errors import ModelError, short_path
from shared.media.image import Image
from shared.settings import Settings

WEIGHT_FILES = (
    "PP-OCRv6_det_small.onnx",
    "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
    "PP-OCRv6_rec_small.onnx",
)
MODEL_SETTING = "OCR_PPOCR_MODEL"
# The longest lines of a page tell which way it is turned; this many are asked.
DIRECTION_SAMPLE_LINES = 8
# A line that is this many times higher than wide runs up or down.
TALL_RATIO = 1.5


def find_weights(model: str = "", settings: Settings | None = None) -> list[Path]:
    """Return the weights of the detector, the direction classifier and the recognizer.

    Those in RapidOCR's package, or those of a folder, in MODEL_DIR or elsewhere, with other
    networks of PP-OCR; one without a direction classifier has that of the package.
    """
    folder = Path(str(files("rapidocr"))) / "models"
    paths = [folder / name for name in WEIGHT_FILES]
    for path in paths:
        if not path.is_file():
            raise ModelError(f"RapidOCR's package lacks {path.name}, which its release 3.10 has")
    if not model or settings is None:
        return paths
    own = _find_folder(model, settings)
    found = [_find_network(own, part) for part in ("det", "cls", "rec")]
    if found[0] is None or found[2] is None:
        names = ", ".join(sorted(path.name for path in own.iterdir())[:8]) or "nothing in it"
        raise ModelError(
            f"{MODEL_SETTING}={short_path(model)} is a folder with {names}; expected: one ONNX file"
            " with det in its name and one with rec, as RapidOCR publishes for PP-OCRv5"
        )
    return [one or default for one, default in zip(found, paths, strict=True)]


def _find_folder(model: str, settings: Settings) -> Path:
    for folder in (find_model(model, settings), Path(model).expanduser()):
        if folder.is_dir():
            return folder
    raise ModelError(
        f"{MODEL_SETTING}={short_path(model)}: there is no such folder, neither here nor in"
        " MODEL_DIR"
    )


def _find_network(folder: Path, part: str) -> Path | None:
    """Return the only network of a part; None if there is none, or more than one."""
    found = [path for path in folder.glob("*.onnx") if part in path.stem.casefold().split("_")]
    return found[0] if len(found) == 1 else None


class RapidOcrEngine(OcrEngine):
    """Runs on "openvino" or "onnx"; for "auto", on the faster one that is installed.

    `weights` are other networks of PP-OCR than those of RapidOCR's package. In `cache_dir` is kept
    what compiling them works out.
    """

    def __init__(
        self,
        engine: str,
        language: str = "",
        weights: Sequence[Path] = (),
        cache_dir: Path | None = None,
    ) -> None:
        if language and not weights:
            _check_language(language)
        detector, classifier, recognizer = (
            load_network(path, engine, cache_dir) for path in weights or find_weights()
        )
        self._engine_name = recognizer.name
        self._detector = Detector(detector)
        self._direction = DirectionClassifier(classifier)
        self._recognizer = Recognizer(recognizer)
        # One more than there are cores prepares a line, or reads its characters, meanwhile.
        threads = available_cores() + 1
        self._line_threads = ThreadPoolExecutor(threads, thread_name_prefix="line")

    def read(self, image: Image) -> Page:
        """Return the lines of an upright image, whichever way its page is turned."""
        lines = self.read_lines(stretch_contrast(np.ascontiguousarray(image.pixels[:, :, ::-1])))
        return Page(image.size, tuple(sort_lines([line for line in lines if line.text])))

    def describe_engine(self) -> str:
        """Return what its networks run on, and in which precision."""
        return self._engine_name

    def read_lines(self, pixels: Pixels) -> list[Line]:
        """Return all lines on BGR pixels, in no order; the text of some may be empty."""
        quads = self.find_lines(pixels)
        if not quads:
            return []
        lines = _PageLines(self._recognizer, self._line_threads, pixels, quads)
        return lines.read_all(self._find_page_turn(lines))

    def find_lines(self, pixels: Pixels) -> list[Quad]:
        """Return where lines of text are on BGR pixels, whichever way up each is."""
        quads_by_tile: list[list[Quad]] = []
        for left, top, tile in split_tiles(pixels):
            scaled, ratio = limit_size(tile)
            quads = self._detector.find_lines(pad_strip(scaled))
            quads_by_tile.append([quad / ratio + (left, top) for quad in quads])
        return merge_tiles(quads_by_tile)

    def _find_page_turn(self, lines: "_PageLines") -> int:
        """Return by how many quarter turns, clockwise, the page is turned.

        Whether most lines are wide or tall leaves two directions. The classifier decides between
        them; if it takes any line to be upside down, the direction that reads better does.
        """
        sample = lines.longest(DIRECTION_SAMPLE_LINES)
        tall_length = sum(lines.length(n) * (1 if lines.is_tall(n) else -1) for n in sample)
        turn = 1 if tall_length > 0 else 0
        crops = [lines.crop(n, turn) for n in sample]
        if not any(self._line_threads.map(self._direction.is_upside_down, crops)):
            return turn
        scores = [lines.mean_score(sample, option) for option in (turn, turn + 2)]
        return turn if scores[0] >= scores[1] else turn + 2


class _PageLines:
    """The lines of one page by their numbers; each is read once for each turn."""

    def __init__(
        self,
        recognizer: Recognizer,
        threads: ThreadPoolExecutor,
        pixels: Pixels,
        quads: Sequence[Quad],
    ) -> None:
        self._recognizer, self._threads = recognizer, threads
        self._pixels, self._quads = pixels, quads
        self._read: dict[tuple[int, int], Line] = {}

    def length(self, number: int) -> float:
        """Return the longer side of a line, along which its text runs."""
        return max(text_length(self._quads[number]), text_height(self._quads[number]))

    def longest(self, count: int) -> list[int]:
        """Return the numbers of the longest lines."""
        return sorted(range(len(self._quads)), key=self.length)[-count:]

    def is_tall(self, number: int, turn: int = 0) -> bool:
        """Return whether a line runs up or down on a page that is turned by `turn` quarters."""
        quad = roll_corners(self._quads[number], turn)
        return text_height(quad) > TALL_RATIO * text_length(quad)

    def crop(self, number: int, turn: int) -> Pixels:
        """Return a line's pixels as they read after `turn` quarter turns."""
        return crop_quad(self._pixels, roll_corners(self._quads[number], turn))

    def mean_score(self, numbers: Sequence[int], turn: int) -> float:
        """Return the mean score of the lines' characters after `turn` quarter turns."""
        lines = self.read_lines(numbers, turn)
        characters = sum(len(line.text) for line in lines)
        return sum(line.score * len(line.text) for line in lines) / max(1, characters)

    def read_all(self, turn: int) -> list[Line]:
        """Return all lines; those that run up or down on the page in the way that reads best."""
        numbers = range(len(self._quads))
        tall = [number for number in numbers if self.is_tall(number, turn)]
        lines = self.read_lines([number for number in numbers if number not in tall], turn)
        readings = [self.read_lines(tall, turn + quarter) for quarter in (0, 1, 3)]
        best = [max(lines, key=lambda line: line.score) for lines in zip(*readings, strict=True)]
        return lines + best

    def read_lines(self, numbers: Sequence[int], turn: int) -> list[Line]:
        """Return lines as they read after `turn` quarter turns; an empty text scores 0."""
        keys = [(number, turn % 4) for number in numbers]
        unread = [key for key in keys if key not in self._read]
        self._read.update(zip(unread, self._threads.map(self._read_line, unread), strict=True))
        return [self._read[key] for key in keys]

    def _read_line(self, key: tuple[int, int]) -> Line:
        number, turn = key
        quad, pixels = roll_corners(self._quads[number], turn), self.crop(number, turn)
        recognition = self._recognizer.recognize(pixels)
        if not recognition.text:
            return Line(quad.tolist(), "", 0.0)
        left, top, right, bottom = ink_bounds(pixels)
        words = locate_words(sub_quad(quad, (0, top, 1, bottom)), pixels, recognition)
        ink_corners = sub_quad(quad, (left, top, right, bottom)).tolist()
        return Line(quad.tolist(), recognition.text, recognition.score, words, ink_corners)


def _check_language(language: str) -> None:
    from rapidocr import RapidOCR

    languages = RapidOCR.list_supported_langs("rec", "PP-OCRv6", "small")
    if language not in languages:
        raise ModelError(
            f'OCR_LANG="{language}": the weights in RapidOCR\'s package do not read it; they read'
            f" {', '.join(sorted(languages))}"
        )
