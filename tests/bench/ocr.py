"""How fast and how well documents are read: python -m tests.bench.ocr [--quick]

The speed is that of `/predict` through HTTP, beside RapidOCR called page by page in its default
settings; both in turns, since machines drift. Every round has pages of its own, of other lines
than those before, and the cache of answers is off: each page is really read.
"""

import itertools
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

from backends.ocr.backend import OcrBackend
from shared.backend.claim import ModelSpec
from tests.backends.ocr.accuracy import CLEAN, HARD, distance, measure
from tests.backends.ocr.drawing import Drawn, page
from tests.bench.table import Row, Size, in_turns, rate, show, size_of, sized
from tests.serving import Served, served

CONFIG = """<View><Image name="image" value="$image"/>
<Rectangle name="box" toName="image"/>
<TextArea name="text" toName="image" perRegion="true"/></View>"""
PAGES, ROUNDS = 12, 3


def rows(size: Size = "whole") -> Iterator[Row]:
    """Pages a second and that the text is the same; then errors and word boxes of each engine."""
    yield from speed(sized(size, PAGES, 4, 1), sized(size, ROUNDS, 2, 1))
    step = sized(size, 1, 4, 100)
    for name in ("rapidocr", "tesseract") if shutil.which("tesseract") else ("rapidocr",):
        model = OcrBackend().load(ModelSpec("ocr", name))
        for kind, pages, most in (("clean", CLEAN, 2), ("noisy and turned", HARD, 5)):
            score = measure(model, pages[::step])
            title = f"{name}, {kind} ({len(pages[::step])} pages)"
            most_here = most if name == "rapidocr" else None
            errors, found = (score.error_rate * 100,), (score.recall * 100,)
            yield Row(f"{title}: character errors", "%", errors, at_most=most_here)
            yield Row(f"{title}: word boxes found", "%", found)


def speed(count: int, rounds: int) -> Iterator[Row]:
    """The first round, which warms both, has pages of its own too."""
    from rapidocr import RapidOCR

    batches = [[drawn(n * count + at) for at in range(count)] for n in range(rounds + 1)]
    plain = RapidOCR(params={"Global.log_level": "error"})
    texts: dict[str, list[str]] = {"ours": [], "theirs": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, one in enumerate(itertools.chain(*batches)):
            one.image.save(folder / f"{number}.png")
        settings = {"LOCAL_FILES_ROOT": name, "ANSWER_CACHE_MB": "0"}
        with served("ocr", log=folder / "log", **settings) as server:
            server.wait("/ready")
            starts = {key: itertools.count(0, count) for key in texts}

            def ours() -> None:
                texts["ours"] += through_http(server, next(starts["ours"]), count)

            def theirs() -> None:
                texts["theirs"] += page_by_page(plain, folder, next(starts["theirs"]), count)

            figures = in_turns(rounds, lambda: rate(count, ours), lambda: rate(count, theirs))
    pages = list(itertools.chain(*batches))
    yield Row(f"OCR, {count} pages", "pages/s", *figures, "RapidOCR page by page", at_least=3)
    errors = [(error_rate(pages, texts[key]) * 100,) for key in ("ours", "theirs")]
    yield Row(f"OCR, {len(pages)} pages: character errors", "%", *errors, "RapidOCR's")
    apart = sum(one != other for one, other in zip(texts["ours"], texts["theirs"], strict=True))
    yield Row(f"OCR, of {len(pages)} pages: text not RapidOCR's", "", (float(apart),))


def drawn(number: int) -> Drawn:
    """A clean page of another seed each, of the three sizes in turn."""
    return page(1000 + number, size=(16, 24, 40)[number % 3])


def error_rate(pages: Sequence[Drawn], texts: Sequence[str]) -> float:
    wrong = sum(
        distance("\n".join(drawn.lines), text) for drawn, text in zip(pages, texts, strict=True)
    )
    return wrong / sum(len("\n".join(drawn.lines)) for drawn in pages)


def through_http(server: Served, start: int, count: int) -> list[str]:
    """The text of each page, one request for all."""
    tasks = [
        {"id": number, "data": {"image": f"/data/local-files/?d={number}.png"}}
        for number in range(start, start + count)
    ]
    body = {"tasks": tasks, "label_config": CONFIG, "project": "1.1", "params": {}}
    answer = httpx.post(f"{server.url}/predict", json=body, timeout=300).json()
    return [
        "\n".join(
            result["value"]["text"][0] for result in found["result"] if result["type"] == "textarea"
        )
        for found in answer["results"]
    ]


def page_by_page(plain: Any, folder: Path, start: int, count: int) -> list[str]:
    """The text of each page, as RapidOCR by itself gives it."""
    numbers = range(start, start + count)
    return ["\n".join(plain(str(folder / f"{number}.png")).txts or ()) for number in numbers]


if __name__ == "__main__":
    show(rows(size_of(sys.argv)))
