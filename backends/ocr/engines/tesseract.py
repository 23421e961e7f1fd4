"""Tesseract, run as the system's own program: `tesseract - - -l eng tsv`."""

import csv
import io
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from PIL import Image as Pillow

from backends.ocr.engines.base import OcrEngine
from backends.ocr.layout.page import Corners, Line, Page, Word
from backends.ocr.layout.reading_order import sort_lines
from shared.errors import InferenceError, ModelError
from shared.media.image import Image
from shared.settings import child_environment

PROGRAM = "tesseract"
# A page that takes longer counts as failed.
TIMEOUT_SECONDS = 120


def find_language_packs() -> tuple[Path, list[str]]:
    """Return the folder and the names of the language packs; ModelError without Tesseract."""
    if shutil.which(PROGRAM) is None:
        raise ModelError(
            'OCR_ENGINE="tesseract": the program is not installed, e.g. apt-get install'
            " tesseract-ocr"
        )
    head, *names = _list_languages().splitlines()
    return Path(head.split('"')[1]), [name.strip() for name in names if name.strip()]


def find_weights(languages: str) -> list[Path]:
    """Return the files of language packs ("eng+deu"); ModelError names a missing one."""
    folder, names = find_language_packs()
    for language in languages.split("+"):
        if language not in names:
            raise ModelError(
                f'OCR_LANG="{languages}": Tesseract has no "{language}" pack (it has'
                f" {', '.join(names) or 'none'}), e.g. apt-get install"
                f" tesseract-ocr-{language.replace('_', '-')}"
            )
    return [folder / f"{language}.traineddata" for language in languages.split("+")]


class TesseractEngine(OcrEngine):
    """Runs one process for each page. Only upright pages are read well."""

    def __init__(self, languages: str) -> None:
        find_weights(languages)
        self._languages = languages

    def read(self, image: Image) -> Page:
        """Return the lines of an upright image."""
        file = io.BytesIO()
        Pillow.fromarray(image.pixels).save(file, "BMP")
        command = [PROGRAM, "-", "-", "-l", self._languages, "--psm", "3", "tsv"]
        try:
            run = subprocess.run(  # noqa: S603
                command,
                input=file.getvalue(),
                capture_output=True,
                timeout=TIMEOUT_SECONDS,
                check=True,
                env=child_environment({"OMP_THREAD_LIMIT": "1"}),  # pages run at once instead
            )
        except (subprocess.SubprocessError, OSError) as error:
            raise InferenceError(f"Tesseract failed: {type(error).__name__}") from None
        table = csv.DictReader(
            io.StringIO(run.stdout.decode()), delimiter="\t", quoting=csv.QUOTE_NONE
        )
        return Page(image.size, tuple(sort_lines(list(_group_lines(table)))))


@cache
def _list_languages() -> str:
    run = subprocess.run(  # noqa: S603
        [PROGRAM, "--list-langs"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    return run.stdout or run.stderr


def _group_lines(rows: Iterable[Mapping[str, str]]) -> Iterable[Line]:
    """Join the words (level 5 of Tesseract's table) of each line."""
    lines: dict[tuple[str, ...], list[Word]] = {}
    for row in rows:
        text = (row["text"] or "").strip()
        if row["level"] == "5" and text:
            key = row["block_num"], row["par_num"], row["line_num"]
            lines.setdefault(key, []).append(
                Word(_word_corners(row), text, max(0.0, float(row["conf"]) / 100))
            )
    for words in lines.values():
        xs, ys = ([float(point[n]) for word in words for point in word.corners] for n in (0, 1))
        corners = _box_corners(min(xs), min(ys), max(xs), max(ys))
        score = sum(word.score for word in words) / len(words)
        yield Line(corners, " ".join(word.text for word in words), score, words)


def _word_corners(row: Mapping[str, str]) -> Corners:
    left, top, width, height = (float(row[key]) for key in ("left", "top", "width", "height"))
    return _box_corners(left, top, left + width, top + height)


def _box_corners(left: float, top: float, right: float, bottom: float) -> Corners:
    return [[left, top], [right, top], [right, bottom], [left, bottom]]
