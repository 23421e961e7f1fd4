"""EasyOCR: print in more than eighty languages, on upright pages."""

import sys
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from backends._inference.device import choose_torch_device
from backends.ocr.engines.base import OcrEngine
from backends.ocr.layout.page import Line, Page
from backends.ocr.layout.reading_order import sort_lines
from shared.backend.extras import require
from shared.errors import ModelError
from shared.media.image import Image
from shared.settings import Settings

EXTRA = "easyocr"
DETECTOR = "craft"
DEFAULT_LANGUAGE = "en"


def find_weights(languages: str, settings: Settings) -> Sequence[Path]:
    """Return the files of the detector and the recognizer, downloaded to CACHE_DIR if need be.

    Raises:
        ModelError: a language is not known, or a file is missing and cannot be downloaded.
        SettingError: EasyOCR is not installed.
    """
    own = settings.cache_dir / "easyocr"
    names = _file_names(tuple(_split(languages)), own)
    folder = _find_folder(names, settings, own)
    if folder is None:
        folder = own
        _download(languages, own, names)
    return [folder / name for name in names]


def _split(languages: str) -> list[str]:
    return languages.replace("+", ",").replace(" ", "").split(",")


def _find_folder(names: Sequence[str], settings: Settings, own: Path) -> Path | None:
    """Return the folder that has all files: MODEL_DIR, its folder `easyocr`, or the cache."""
    folders = (settings.model_dir, settings.model_dir / "easyocr", own)
    return next((one for one in folders if all((one / name).is_file() for name in names)), None)


@cache
def _file_names(languages: tuple[str, ...], folder: Path) -> Sequence[str]:
    """Return the names of the files that EasyOCR would choose for languages."""
    config: Any = require("easyocr.config", EXTRA)
    reader = _make_reader(languages, folder, detector=False, recognizer=False)
    models = [m for era in ("gen2", "gen1") for m in config.recognition_models[era].values()]
    chosen = next(
        model
        for model in models
        if model["characters"] == reader.character and model["model_script"] == reader.model_lang
    )
    return config.detection_models[DETECTOR]["filename"], chosen["filename"]


def _make_reader(languages: Sequence[str], folder: Path, **options: Any) -> Any:
    """Return EasyOCR's reader; ModelError if it does not know the languages together."""
    easyocr: Any = require("easyocr", EXTRA)
    settings = {"download_enabled": False, "verbose": False, "gpu": False, **options}
    try:
        return easyocr.Reader(
            list(languages),
            model_storage_directory=str(folder),
            user_network_directory=str(folder),
            **settings,
        )
    except ValueError as error:
        reason = " ".join(str(part) for part in error.args)
        raise ModelError(f"OCR_LANG={','.join(languages)}: EasyOCR says {reason}") from None
    finally:  # where it looks for networks of users: code that is not asked for
        if str(folder) in sys.path:
            sys.path.remove(str(folder))


def _download(languages: str, folder: Path, names: Sequence[str]) -> None:
    try:
        _make_reader(_split(languages), folder, download_enabled=True)
    except ModelError:
        raise
    except Exception as error:  # its client raises many kinds
        raise ModelError(
            f"EasyOCR's weights for {languages} could not be downloaded ({type(error).__name__}):"
            f" check the network, or put {' and '.join(names)} into MODEL_DIR"
        ) from None


def check_weights(path: Path) -> None:
    """Raise ModelError if a file holds more than weights.

    EasyOCR reads it as a pickle, which can contain code; PyTorch's own reader of weights does not.
    """
    import torch

    try:
        torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # PyTorch raises many kinds
        raise ModelError(
            f"{path.name} is not read: it holds more than weights, or is damaged"
            f" ({type(error).__name__})"
        ) from None


class EasyOcrEngine(OcrEngine):
    """EasyOCR's reader, one page at a time."""

    def __init__(self, languages: str, settings: Settings) -> None:
        paths = find_weights(languages, settings)
        for path in paths:
            check_weights(path)
        device = choose_torch_device(settings)
        try:
            self._reader = _make_reader(
                _split(languages), paths[0].parent, gpu=False if device == "cpu" else device
            )
        except FileNotFoundError as error:  # of another digest than those that are published
            raise ModelError(
                f"{' or '.join(path.name for path in paths)} is not the file that EasyOCR"
                f" publishes: {str(error).partition(' for ')[0]}"
            ) from None
        self._lock = threading.Lock()

    def read(self, image: Image) -> Page:
        """Return the lines of an upright image, in reading order."""
        pixels = np.ascontiguousarray(image.pixels)
        with self._lock:
            found = self._read_pixels(pixels)
        lines = [
            Line([[float(x), float(y)] for x, y in corners], text, float(score))
            for corners, text, score in found
            if text.strip()
        ]
        return Page(image.size, tuple(sort_lines(lines)))

    def _read_pixels(self, pixels: Any) -> list[Any]:
        """Do what `readtext` does with a file: colours for the detector, grays to recognize."""
        [boxes], [free] = self._reader.detect(pixels)
        gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        return list(self._reader.recognize(gray, boxes, free))
