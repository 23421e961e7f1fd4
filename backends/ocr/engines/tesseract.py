"""Tesseract, as the program of its own package: `tesseract - - -l eng tsv`."""

import csv
import io
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from PIL import Image as Pillow

from backends.ocr.layout.page import Corners, Engine, Line, Page, Word
from backends.ocr.layout.reading_order import in_order
from shared.errors import InferenceError, ModelError
from shared.media.image import Image
from shared.settings import child_environment

PROGRAM = "tesseract"
# A page that takes longer has failed.
SECONDS = 120


def packs() -> tuple[Path, list[str]]:
    """The folder of the language packs and their names; ModelError without Tesseract."""
    if shutil.which(PROGRAM) is None:
        raise ModelError(
            'OCR_ENGINE="tesseract": the program is not installed, e.g. apt-get install'
            " tesseract-ocr"
        )
    head, *names = _listed().splitlines()
    return Path(head.split('"')[1]), [name.strip() for name in names if name.strip()]


def weights(languages: str) -> list[Path]:
    """The language packs' files; ModelError names the missing one."""
    folder, names = packs()
    for language in languages.split("+"):
        if language not in names:
            raise ModelError(
                f'OCR_LANG="{languages}": Tesseract has no "{language}" pack (it has'
                f" {', '.join(names) or 'none'}), e.g. apt-get install"
                f" tesseract-ocr-{language.replace('_', '-')}"
            )
    return [folder / f"{language}.traineddata" for language in languages.split("+")]


class TesseractEngine(Engine):
    """One process a page; upright pages, whose lines are not turned."""

    def __init__(self, languages: str) -> None:
        weights(languages)
        self._languages = languages

    def read(self, image: Image) -> Page:
        """The lines of an upright image."""
        file = io.BytesIO()
        Pillow.fromarray(image.pixels).save(file, "BMP")
        command = [PROGRAM, "-", "-", "-l", self._languages, "--psm", "3", "tsv"]
        try:
            run = subprocess.run(  # noqa: S603
                command,
                input=file.getvalue(),
                capture_output=True,
                timeout=SECONDS,
                check=True,
                env=child_environment({"OMP_THREAD_LIMIT": "1"}),  # pages at once instead
            )
        except (subprocess.SubprocessError, OSError) as error:
            raise InferenceError(f"Tesseract failed: {type(error).__name__}") from None
        table = csv.DictReader(
            io.StringIO(run.stdout.decode()), delimiter="\t", quoting=csv.QUOTE_NONE
        )
        return Page(image.size, tuple(in_order(list(_lines(table)))))


@cache
def _listed() -> str:
    run = subprocess.run(  # noqa: S603
        [PROGRAM, "--list-langs"], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    return run.stdout or run.stderr


def _lines(rows: Iterable[Mapping[str, str]]) -> Iterable[Line]:
    """The words of each line (level 5 of the table), joined."""
    lines: dict[tuple[str, ...], list[Word]] = {}
    for row in rows:
        text = (row["text"] or "").strip()
        if row["level"] == "5" and text:
            key = row["block_num"], row["par_num"], row["line_num"]
            lines.setdefault(key, []).append(
                Word(_corners(row), text, max(0.0, float(row["conf"]) / 100))
            )
    for words in lines.values():
        xs, ys = ([float(point[n]) for word in words for point in word.corners] for n in (0, 1))
        corners = _quad(min(xs), min(ys), max(xs), max(ys))
        score = sum(word.score for word in words) / len(words)
        yield Line(corners, " ".join(word.text for word in words), score, words)


def _corners(row: Mapping[str, str]) -> Corners:
    left, top, width, height = (float(row[key]) for key in ("left", "top", "width", "height"))
    return _quad(left, top, left + width, top + height)


def _quad(left: float, top: float, right: float, bottom: float) -> Corners:
    return [[left, top], [right, top], [right, bottom], [left, bottom]]
