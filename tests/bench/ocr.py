"""How fast and how well documents are read: python -m tests.bench.ocr [--quick]

The speed is that of `/predict` through HTTP, beside RapidOCR called page by page in its default
settings, and beside the networks alone on the same engine, which bound what a server can do; in
turns, since machines drift. Every round has pages of its own, of other lines than those before,
and the cache of answers is off: each page is really read.
"""

import itertools
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import numpy as np

from backends._inference.device import available_cores
from backends.ocr.backend import OcrBackend
from backends.ocr.engines import rapidocr
from backends.ocr.engines.onnx_network import Array, Network, load_network
from shared.backend.claim import ModelSpec
from shared.media.image import Image
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

            alone = iter(networks_alone(batches))
            ours_rates, theirs_rates, engine = in_turns(
                rounds,
                lambda: rate(count, ours),
                lambda: rate(count, theirs),
                lambda: rate(count, next(alone)),
            )
    pages = list(itertools.chain(*batches))
    name, beside = f"OCR, {count} pages", "RapidOCR page by page"
    yield Row(name, "pages/s", ours_rates, theirs_rates, beside, at_least=4, ceiling=engine)
    yield Row(name, "pages/s", ours_rates, engine, "the networks alone")
    errors = [(error_rate(pages, texts[key]) * 100,) for key in ("ours", "theirs")]
    yield Row(f"OCR, {len(pages)} pages: character errors", "%", *errors, "RapidOCR's")
    apart = sum(one != other for one, other in zip(texts["ours"], texts["theirs"], strict=True))
    yield Row(f"OCR, of {len(pages)} pages: text not RapidOCR's", "pages", (float(apart),))


class RecordedNetwork:
    """A network that keeps what it is asked."""

    def __init__(self, network: Network) -> None:
        self._network, self.name = network, network.name
        self.inputs: list[Array] = []

    def run(self, batch: Array) -> Array:
        self.inputs.append(batch)
        return self._network.run(batch)

    def read(self, batch: Array, reader: Callable[[Array], Any]) -> Any:
        self.inputs.append(batch)
        return self._network.read(batch, reader)

    def run_all(self, inputs: Sequence[Array]) -> list[Array]:
        return self._network.run_all(inputs)

    def read_metadata(self, key: str) -> str:
        return self._network.read_metadata(key)


def networks_alone(batches: Sequence[Sequence[Drawn]]) -> list[Callable[[], object]]:
    """For each batch of pages, what runs the three networks on all that they are asked for it."""
    networks: list[tuple[Network, RecordedNetwork]] = []

    def load(path: Path, engine: str, _: Path | None) -> RecordedNetwork:
        network = load_network(path, engine)
        networks.append((network, RecordedNetwork(network)))
        return networks[-1][1]

    with patch.object(rapidocr, "load_network", load):
        engine = rapidocr.RapidOcrEngine("auto")
    threads = ThreadPoolExecutor(available_cores())

    def run(call: tuple[Network, Array]) -> None:
        call[0].read(call[1], lambda output: None)

    def asked_for(pages: Sequence[Drawn]) -> Callable[[], object]:
        for one in pages:
            engine.read(Image(np.asarray(one.image.convert("RGB"))))
        calls = [(network, batch) for network, kept in networks for batch in kept.inputs]
        for _, kept in networks:
            kept.inputs = []
        return lambda: list(threads.map(run, calls))

    return [asked_for(pages) for pages in batches]


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
