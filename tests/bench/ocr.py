"""How well the OCR engines read drawn pages, and how fast: python -m tests.bench.ocr [engine …]

The speed is that of `/predict` through HTTP, beside RapidOCR called page by page in its default
settings; both in turns, since machines drift.
"""

import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

from backends.ocr.backend import OcrBackend
from backends.ocr.page import Engine
from shared.claim import ModelSpec
from tests.bench.table import Row, in_turns, rate, show
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
    show(rows())


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


def rows(quick: bool = False) -> Iterator[Row]:
    """Pages a second, and that the text is the same."""
    from rapidocr import RapidOCR

    pages = [page(**kind) for kind in CLEAN[: 4 if quick else PAGES]]
    plain = RapidOCR(params={"Global.log_level": "error"})
    texts: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, drawn in enumerate(pages):
            drawn.image.save(folder / f"{number}.png")
        with served("ocr", log=folder / "log", LOCAL_FILES_ROOT=name) as server:
            server.wait("/ready")

            def ours() -> None:
                texts["ours"] = through_http(server, len(pages))

            def theirs() -> None:
                texts["theirs"] = page_by_page(plain, folder, len(pages))

            figures = in_turns(
                2 if quick else ROUNDS,
                lambda: rate(len(pages), ours),
                lambda: rate(len(pages), theirs),
            )
    yield Row(f"OCR, {len(pages)} pages", "pages/s", *figures, "RapidOCR page by page", at_least=3)
    errors = [(error_rate(pages, texts[key]) * 100,) for key in ("ours", "theirs")]
    yield Row("OCR, character errors", "%", *errors, "RapidOCR's")


def error_rate(pages: Sequence[Drawn], texts: Sequence[str]) -> float:
    wrong = sum(
        distance("\n".join(drawn.lines), text) for drawn, text in zip(pages, texts, strict=True)
    )
    return wrong / sum(len("\n".join(drawn.lines)) for drawn in pages)


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


if __name__ == "__main__":
    main(sys.argv[1:] or ["rapidocr", "tesseract"])
