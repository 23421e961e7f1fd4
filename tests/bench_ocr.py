"""How well the OCR engines read drawn pages, and how fast: python -m tests.bench_ocr [engine …]

The speed is that of `/predict` through HTTP, beside RapidOCR called page by page in its default
settings; both in turns, since machines drift.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import httpx

from backends.ocr.backend import OcrBackend
from backends.ocr.page import Engine
from shared.claim import ModelSpec
from tests.ocr.accuracy import CLEAN, HARD, distance, measure
from tests.ocr.drawing import Drawn, page
from tests.serving import Served, served

CONFIG = """<View><Image name="image" value="$image"/>
<Rectangle name="box" toName="image"/>
<TextArea name="text" toName="image" perRegion="true"/></View>"""
PAGES, ROUNDS = 12, 3


def main(names: Iterable[str]) -> None:
    for name in names:
        accuracy(name, engine(name))
    speed([page(**kind) for kind in CLEAN[:PAGES]])


def engine(name: str) -> Engine:
    return OcrBackend().load(ModelSpec("ocr", name))


def accuracy(name: str, model: Engine) -> None:
    sets: dict[str, list[dict[str, Any]]] = {"clean": CLEAN, "noisy and turned": HARD}
    for kind, pages in sets.items():
        score = measure(model, pages)
        print(  # noqa: T201
            f"{name}, {kind}: {len(pages)} pages, {score.characters} characters;"
            f" error rate {score.error_rate:.2%}, word boxes found {score.recall:.1%}"
        )


def speed(pages: Sequence[Drawn]) -> None:
    from rapidocr import RapidOCR

    plain = RapidOCR(params={"Global.log_level": "error"})
    with tempfile.TemporaryDirectory() as folder:
        for number, drawn in enumerate(pages):
            drawn.image.save(Path(folder) / f"{number}.png")
        log = Path(folder) / "log"
        with served("ocr", log=log, LOCAL_FILES_ROOT=folder) as server:
            server.wait("/ready")
            ours, theirs = [], []
            for _ in range(ROUNDS + 1):
                ours.append(timed(lambda: through_http(server, len(pages))))
                theirs.append(timed(lambda: page_by_page(plain, Path(folder), len(pages))))
    report(pages, ours[1:], theirs[1:])  # the first round warms both


def timed(work: Any) -> tuple[float, list[str]]:
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


def through_http(server: Served, count: int) -> list[str]:
    """The text of each page, one request for all."""
    tasks = [
        {"id": number, "data": {"image": f"/data/local-files/?d={number}.png"}}
        for number in range(count)
    ]
    body = {"tasks": tasks, "label_config": CONFIG, "project": "1.1", "params": {}}
    answer = httpx.post(f"{server.url}/predict", json=body, timeout=300).json()
    return [
        "\n".join(
            result["value"]["text"][0] for result in found["result"] if result["type"] == "textarea"
        )
        for found in answer["results"]
    ]


def page_by_page(plain: Any, folder: Path, count: int) -> list[str]:
    """The text of each page, as RapidOCR by itself gives it."""
    return ["\n".join(plain(str(folder / f"{number}.png")).txts or ()) for number in range(count)]


def report(
    pages: Sequence[Drawn],
    ours: Sequence[tuple[float, list[str]]],
    theirs: Sequence[tuple[float, list[str]]],
) -> None:
    ratios = [other / own for (own, _), (other, _) in zip(ours, theirs, strict=True)]
    for name, rounds in {"prelabel through HTTP": ours, "RapidOCR page by page": theirs}.items():
        seconds = statistics.median(taken for taken, _ in rounds)
        wrong = sum(
            distance("\n".join(drawn.lines), text)
            for drawn, text in zip(pages, rounds[-1][1], strict=True)
        )
        characters = sum(len("\n".join(drawn.lines)) for drawn in pages)
        print(  # noqa: T201
            f"{name}: {len(pages) / seconds:.2f} pages/s, error rate {wrong / characters:.2%}"
        )
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    print(f"{statistics.median(ratios):.2f} times as fast ({spread})")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:] or ["rapidocr", "tesseract"])
