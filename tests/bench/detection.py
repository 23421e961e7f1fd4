"""Images a second through HTTP, YOLO11n at 640 pixels: python -m tests.bench.detection [--quick]

Ours beside the loop of the official YOLO example, one `predict(path)` a task in PyTorch, both
under gunicorn as they are started in their images; and beside the engine alone, fed with
pictures that are decoded and scaled already. The cache of answers is off.

Which precision `auto` takes depends on what a network has learned. So this one knows the drawn
shapes that the starter knows, and is exported with pictures of others to calibrate int8 with. The
precisions that `auto` does not take are measured beside it, each asked for by name.
"""

import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import httpx
import numpy as np

from backends._inference.openvino import supports_bf16
from backends.detection.model.converted_network import MODEL_FILES
from backends.detection.model.detector import Detector, RunOptions
from backends.detection.model.letterbox import frame_for
from backends.detection.model.loader import EXPORTED_SUFFIX, load_detector
from backends.detection.starter.shapes import CLASSES, draw_picture
from shared.media.image import Image
from shared.settings import Settings
from tests.bench.table import WANTED_SHARE, Row, Size, in_turns, rate, show, size_of, sized
from tests.bench.trained_yolo import FILE, SIZE, save_trained_yolo
from tests.serving import children, free_port, served

IMAGES, ROUNDS, CLIENTS = 100, 3, 16
CALIBRATION = 150
"""Pictures that tell whether the network may run in int8: a third of them is held out."""
QUALITY = 95
"""Of the JPEGs."""
WANTED = 4.0
"""How many times as fast as the official example it should be, where the engine alone is."""
OFFICIAL = "the official example's loop"
Ask = Callable[[], float]


def rows(size: Size = "whole") -> Iterator[Row]:
    """The rates, and whether memory is flat."""
    os.environ["YOLO_OFFLINE"] = "true"
    with tempfile.TemporaryDirectory() as name:
        yield from each_precision(Path(name), size)
    with tempfile.TemporaryDirectory() as name:
        yield from memory(Path(name), *sized(size, (1000, 5000), (200, 600), (8, 16)))


# Images a second


def each_precision(folder: Path, size: Size) -> Iterator[Row]:
    draw_pictures(folder, range(sized(size, IMAGES, 32, 2)))
    weights = save_trained_yolo(folder)
    if size == "smallest":  # nothing is converted
        yield from rates(Server(weights, "torch"), size)
        return
    chosen = Server(export(weights), "auto")
    sys.stderr.write(f"auto: {chosen.detector.describe_engine()}\n")
    yield from rates(chosen, size)
    for precision in ("bf16", "f32"):
        taken = chosen.detector.engine.name.endswith(precision)
        if not taken and (precision == "f32" or supports_bf16()):
            yield from rates(Server(weights, "auto", precision), size)


def export(weights: Path) -> Path:
    """The network as `prelabel export` writes it for pictures such as those to come."""
    folder = weights.parent
    draw_pictures(folder / "calibration", range(1_000_000, 1_000_000 + CALIBRATION))
    command = [sys.executable, "-m", "shared.cli", "export", f"detection:{weights.name}"]
    command += ["--calibrate", str(folder / "calibration"), "--output", str(folder / "exported")]
    variables = os.environ | {"MODEL_DIR": str(folder)}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=variables)
    return folder / "exported" / MODEL_FILES["openvino"]


class Server:
    """What a server is told about a network, and the same network in this process."""

    def __init__(self, file: Path, engine: str, precision: str = "auto") -> None:
        is_exported = file.suffix == EXPORTED_SUFFIX
        self.folder = file.parent.parent if is_exported else file.parent
        self.precision = precision
        self.detector = load_detector(file, RunOptions(), Settings(engine=engine), precision)
        self.settings = {
            "MODEL_DIR": str(self.folder),
            "DETECTION_MODEL": file.parent.name if is_exported else file.name,
            "ENGINE": engine,
            "DETECTION_PRECISION": precision,
            "LOCAL_FILES_ROOT": str(self.folder),
            "ANSWER_CACHE_MB": "0",
        }


def rates(server: Server, size: Size) -> Iterator[Row]:
    detector, folder = server.detector, server.folder
    rounds, count = sized(size, ROUNDS, 1, 1), sized(size, IMAGES, 32, 2)
    images = [decoded(folder / f"{number}.jpg") for number in range(count)]
    labels = "".join(f'<Label value="{label}"/>' for label in detector.class_names)
    config = f'<View><Image name="image" value="$image"/><RectangleLabels name="box"' \
             f' toName="image">{labels}</RectangleLabels></View>'  # fmt: skip
    trained = "detection (a trained network, auto precision)"
    named = trained if server.precision == "auto" else f"detection in {server.precision}"
    with (
        served("detection", log=folder / "ours.log", **server.settings) as ours,
        official(folder, folder / FILE, config) as theirs,
    ):
        ours.wait("/ready", 300)
        for title, ask in (("1 request of %d tasks", at_once), ("%d clients", by_clients)):

            def through(url: str, ask: Any = ask) -> Ask:
                return lambda: rate(count, lambda: ask(url, config, count))

            figures = in_turns(
                rounds, through(ours.url), through(theirs), lambda: engine_alone(detector, images)
            )
            what = f"{named}: images, " + title % (count if ask is at_once else CLIENTS)
            server_rate, loop, bare = figures
            yield Row(what, "1/s", server_rate, loop, OFFICIAL, at_least=WANTED, ceiling=bare)
            beside = f"{detector.engine.name} alone"
            yield Row(what, "1/s", server_rate, bare, beside, at_least=WANTED_SHARE)


def draw_pictures(folder: Path, numbers: Sequence[int]) -> None:
    """Drawn shapes as JPEG, each number its own, which cost about what photos cost to decode."""
    folder.mkdir(exist_ok=True)
    for place, number in enumerate(numbers):
        drawn = draw_picture(np.random.default_rng([7, number]), SIZE).image
        file = str(folder / f"{place}.jpg")
        cv2.imwrite(file, drawn[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


def decoded(path: Path) -> Image:
    return Image(np.ascontiguousarray(cv2.imread(str(path))[:, :, ::-1]))


@contextmanager
def official(folder: Path, weights: Path, config: str) -> Iterator[str]:
    """Its address: 1 worker with 8 threads, as its Dockerfile says."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--workers", "1", "--threads", "8"]
    command += ["--timeout", "300", "--bind", f"127.0.0.1:{port}"]
    command += ["tests.bench.official_yolo:application()"]
    variables = {"WEIGHTS": str(weights), "FILES": str(folder), "LOG_LEVEL": "ERROR"}
    with (folder / "theirs.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | variables)
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(600):
            try:
                httpx.get(f"{url}/health").raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.2)
        httpx.post(f"{url}/setup", json={"project": "1.1", "schema": config}).raise_for_status()
        yield url
    finally:
        process.terminate()
        process.wait()


def at_once(url: str, config: str, count: int) -> None:
    with closing(connected(url)) as connection:
        predicted(connection, config, range(count))


def by_clients(url: str, config: str, count: int) -> None:
    """Each sends its next task when it has the answer to the last one."""
    numbers = iter(range(count))

    def ask() -> None:
        with closing(connected(url)) as connection:
            for number in numbers:
                predicted(connection, config, [number])

    with ThreadPoolExecutor(CLIENTS) as clients:
        for asked in [clients.submit(ask) for _ in range(CLIENTS)]:
            asked.result()


def connected(url: str) -> HTTPConnection:
    """The lightest of clients: it runs on the server's cores."""
    address = urlsplit(url)
    return HTTPConnection(str(address.hostname), address.port, timeout=600)


def predicted(
    connection: HTTPConnection, config: str, numbers: Sequence[int], end: str = "jpg"
) -> None:
    tasks = [
        {"id": number, "data": {"image": f"/data/local-files/?d={number}.{end}"}}
        for number in numbers
    ]
    body = {"tasks": tasks, "label_config": config, "project": "1.1", "params": {}}
    head = {"Content-Type": "application/json"}
    connection.request("POST", "/predict", json.dumps(body), head)
    answer = connection.getresponse()
    text = answer.read()
    assert answer.status == 200, text
    results = json.loads(text)["results"]
    assert len(results) == len(tasks), text
    assert all(isinstance(one, dict) for one in results), text


def engine_alone(detector: Detector, images: Sequence[Image]) -> float:
    """Images a second of the engine, in as many threads as it has."""
    frames = [frame_for(detector.spec, image.size).apply(image.pixels)[None] for image in images]

    def run(frame: Any) -> None:
        with detector.engine.run(frame, *detector.inputs):
            pass

    with ThreadPoolExecutor(detector.engine.concurrency) as threads:
        return rate(len(frames), lambda: list(threads.map(run, frames)))


# Memory


def memory(folder: Path, first: int, last: int) -> Iterator[Row]:
    """Of the server's processes, after so many different images and after so many more."""
    starter = {"DETECTION_MODEL": "starter", "LOCAL_FILES_ROOT": str(folder)}
    labels = "".join(f'<Label value="{label}"/>' for label in CLASSES)
    config = f'<View><Image name="image" value="$image"/><RectangleLabels name="box"' \
             f' toName="image">{labels}</RectangleLabels></View>'  # fmt: skip
    picture = draw_picture(np.random.default_rng(0), (320, 240), "clean", 4).image
    _, file = cv2.imencode(".png", picture)
    held, step = [], min(first, 100)
    with served("detection", log=folder / "log", **starter) as server:
        server.wait("/ready", 300)
        for start in range(0, last, step):
            for number in range(start, start + step):  # the same picture, in a file of its own
                (folder / f"{number}.png").write_bytes(file.tobytes() + b"%d" % number)
            with closing(connected(server.url)) as connection:
                predicted(connection, config, range(start, start + step), "png")
            if start + step in {first, last}:
                held.append(resident(server.process.pid))
    name = f"detection: memory after {last} images"
    yield Row(name, "MB", held[1:], held[:1], f"after {first}", at_most=1.05)


def resident(process: int) -> float:
    """MB of a process and of those that it started."""
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", status)
    own = int(found[1]) / 1024 if found else 0.0
    return own + sum(itertools.chain(resident(child) for child in children(process)))


if __name__ == "__main__":
    show(rows(size_of(sys.argv)))
