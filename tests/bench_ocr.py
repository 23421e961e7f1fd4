"""How well and how fast the OCR engines read drawn pages: python -m tests.bench_ocr [engine …]"""

import sys
import time
from collections.abc import Iterable
from typing import Any

from backends.ocr.backend import OcrBackend
from backends.ocr.page import Engine
from shared.claim import ModelSpec
from tests.ocr.accuracy import CLEAN, HARD, measure


def engine(name: str) -> Engine:
    return OcrBackend().load(ModelSpec("ocr", name))


def main(names: Iterable[str]) -> None:
    sets: dict[str, list[dict[str, Any]]] = {"clean": CLEAN, "noisy and turned": HARD}
    for name in names:
        model = engine(name)
        for kind, pages in sets.items():
            start = time.perf_counter()
            score = measure(model, pages)
            print(  # noqa: T201
                f"{name}, {kind}: {len(pages)} pages, {score.characters} characters;"
                f" error rate {score.error_rate:.2%}, word boxes found {score.recall:.1%},"
                f" {len(pages) / (time.perf_counter() - start):.2f} pages/s"
            )


if __name__ == "__main__":
    main(sys.argv[1:] or ["rapidocr"])
