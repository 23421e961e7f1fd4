"""RapidOCR's way of reading a page, with the weights of its package."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path

import numpy as np

from backends.ocr.engines.onnx_network import cores, network
from backends.ocr.engines.ppocr import Detector, Direction, Recognizer
from backends.ocr.layout.ink_bounds import bounds
from backends.ocr.layout.page import Engine, Line, Page
from backends.ocr.layout.quad import Pixels, Quad, crop, rolled, stretched, thickness, width, within
from backends.ocr.layout.reading_order import in_order
from backends.ocr.layout.tiles import merged, scaled, tiles, widened
from backends.ocr.layout.word_boxes import words
from shared.errors import ModelError
from shared.media.image import Image

FILES = {
    "det": "PP-OCRv6_det_small.onnx",
    "cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
    "rec": "PP-OCRv6_rec_small.onnx",
}
# The longest lines of a page that say which way it is turned.
SAMPLE = 8
# A line is as many times taller than wide if it runs up or down.
TALL = 1.5


def weights() -> list[Path]:
    """The files of the models, as RapidOCR's package brings them."""
    folder = Path(str(files("rapidocr"))) / "models"
    found = [folder / name for name in FILES.values()]
    for path in found:
        if not path.is_file():
            raise ModelError(f"RapidOCR's package has no {path.name}; its release 3.10 has it")
    return found


class RapidEngine(Engine):
    """On `openvino`, `onnx` or, for `auto`, the faster of those that are installed."""

    def __init__(self, engine: str, language: str = "") -> None:
        from rapidocr import RapidOCR

        _check(language)
        det, cls, rec = (network(path, engine) for path in weights())
        numbers = RapidOCR(params={"Global.log_level": "error"}).cfg
        self._detector = Detector(det, numbers.Det)
        self._direction = Direction(cls, numbers.Cls)
        self._recognizer = Recognizer(rec)
        self._pool = ThreadPoolExecutor(cores(), thread_name_prefix="line")

    def read(self, image: Image) -> Page:
        """The lines of an upright image, whichever way its page is turned."""
        lines = self.lines(stretched(np.ascontiguousarray(image.pixels[:, :, ::-1])))
        return Page(image.size, tuple(in_order([line for line in lines if line.text])))

    def lines(self, pixels: Pixels) -> list[Line]:
        """All lines on BGR pixels, in no order; the text of some may be empty."""
        quads = self.detect(pixels)
        if not quads:
            return []
        lines = _Lines(self._recognizer, self._pool, pixels, quads)
        return lines.best(self._turn(lines))

    def detect(self, pixels: Pixels) -> list[Quad]:
        """Where lines of text are on BGR pixels, whichever way up each is."""
        found: list[list[Quad]] = []
        for left, top, tile in tiles(pixels):
            small, ratio = scaled(tile)
            boxes = self._detector(widened(small))
            found.append([box / ratio + (left, top) for box in boxes])
        return merged(found)

    def _turn(self, lines: "_Lines") -> int:
        """Quarter turns, clockwise, by which the page is turned.

        Most lines say whether they run across or down; the direction classifier, and where it
        doubts the better reading, which way up.
        """
        long = lines.longest(SAMPLE)
        first = 1 if sum(lines.length(n) * (1 if lines.is_tall(n) else -1) for n in long) > 0 else 0
        if not any(self._pool.map(self._direction, [lines.cut(n, first) for n in long])):
            return first
        scores = [lines.score(long, turn) for turn in (first, first + 2)]
        return first if scores[0] >= scores[1] else first + 2


class _Lines:
    """The lines of one page. What was read once is not read again."""

    def __init__(
        self,
        recognizer: Recognizer,
        pool: ThreadPoolExecutor,
        pixels: Pixels,
        quads: Sequence[Quad],
    ) -> None:
        self._recognizer, self._pool = recognizer, pool
        self._pixels, self._quads = pixels, quads
        self._known: dict[tuple[int, int], Line] = {}

    def length(self, number: int) -> float:
        """Along the text, or what seems to be so."""
        return max(width(self._quads[number]), thickness(self._quads[number]))

    def longest(self, count: int) -> list[int]:
        """The numbers of the longest lines."""
        return sorted(range(len(self._quads)), key=self.length)[-count:]

    def is_tall(self, number: int, turn: int = 0) -> bool:
        """Whether a line runs up or down on a page that is turned by `turn` quarters."""
        quad = rolled(self._quads[number], turn)
        return thickness(quad) > TALL * width(quad)

    def cut(self, number: int, turn: int) -> Pixels:
        """A line's pixels, as they are read after that many quarter turns."""
        return crop(self._pixels, rolled(self._quads[number], turn))

    def score(self, numbers: Sequence[int], turn: int) -> float:
        """How sure the lines' characters are if the page is turned so."""
        read = self.read(numbers, turn)
        characters = sum(len(line.text) for line in read)
        return sum(line.score * len(line.text) for line in read) / max(1, characters)

    def best(self, turn: int) -> list[Line]:
        """All lines; those that run up or down as they read best."""
        every = range(len(self._quads))
        tall = [number for number in every if self.is_tall(number, turn)]
        lines = self.read([number for number in every if number not in tall], turn)
        ways = [self.read(tall, turn + quarter) for quarter in (0, 1, 3)]
        lines += [max(ways_of, key=lambda line: line.score) for ways_of in zip(*ways, strict=True)]
        return lines

    def read(self, numbers: Sequence[int], turn: int) -> list[Line]:
        """What lines say after that many quarter turns; an empty text scores 0."""
        keys = [(number, turn % 4) for number in numbers]
        new = [key for key in keys if key not in self._known]
        self._known.update(zip(new, self._pool.map(self._line, new), strict=True))
        return [self._known[key] for key in keys]

    def _line(self, key: tuple[int, int]) -> Line:
        number, turn = key
        quad, cut = rolled(self._quads[number], turn), self.cut(number, turn)
        said = self._recognizer(cut)
        if not said.text:
            return Line(quad.tolist(), "", 0.0)
        left, top, right, bottom = bounds(cut)
        found = words(within(quad, (0, top, 1, bottom)), cut, said)
        close = within(quad, (left, top, right, bottom)).tolist()
        return Line(quad.tolist(), said.text, said.score, found, close)


def _check(language: str) -> None:
    from rapidocr import RapidOCR

    known = RapidOCR.list_supported_langs("rec", "PP-OCRv6", "small")
    if language and language not in known:
        raise ModelError(
            f'OCR_LANG="{language}": the weights in RapidOCR\'s package do not read it;'
            f" they read {', '.join(sorted(known))}"
        )
