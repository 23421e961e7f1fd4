"""How quick a click is: python -m tests.bench.segment [--quick]

Networks of their real size with random weights, through HTTP. A session is so many clicks on each
of so many images, in turns with a server that embeds the image on every click, as the official
example does; other images are embedded in bulk beside it. The cache of answers is off. Masks are
compared with those of Ultralytics' own predictor on the same weights.
"""

import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np

from backends.segment.models.loader import load_model
from backends.segment.models.ultralytics_models import SIDE
from backends.segment.prompts import Box, ObjectPrompt, Point
from shared.backend import ModelSpec
from shared.settings import Settings
from tests.backends.segment.library_masks import by_ultralytics
from tests.bench.table import Row, Size, show, size_of, sized
from tests.serving import Served, served

WIDTH, HEIGHT = 1024, 768
MODELS = {"MobileSAM": "mobile_sam.pt", "SAM 2.1 tiny": "sam2.1_t.pt"}
BUILDERS = {"mobile_sam.pt": "build_mobile_sam", "sam2.1_t.pt": "build_sam2_t"}
CLICK = Point(300, 200)
PROMPTS = (
    ObjectPrompt([CLICK]),
    ObjectPrompt([CLICK, Point(420.5, 260), Point(700, 90, is_positive=False)]),
    ObjectPrompt(box=Box(200, 120, 640, 500)),
)
CONFIG = """<View><Image name="image" value="$image"/>
<KeyPointLabels name="point" toName="image" smart="true"><Label value="A"/></KeyPointLabels>
<BrushLabels name="mask" toName="image"><Label value="A"/></BrushLabels></View>"""


def rows(size: Size = "whole") -> Iterator[Row]:
    """The second click beside the first, its 95th percentile, and a session of clicks."""
    images, clicks = sized(size, 10, 3, 1), sized(size, 10, 4, 2)
    models = {"starter": "starter"} if size == "smallest" else MODELS
    for title, name in models.items():
        with tempfile.TemporaryDirectory() as folder:
            yield from _rows_of(title, name, Path(folder), images, clicks)


def _rows_of(title: str, name: str, folder: Path, images: int, clicks: int) -> Iterator[Row]:
    draw_images(folder, 4 * images)
    if name in BUILDERS:
        network = save_random_weights(name, folder)
        least = least_agreement(network, name, folder, images)
        yield Row(
            f"{title}: masks beside the library's own, least IoU", "", (least,), at_least=0.999
        )
    settings = {"LOCAL_FILES_ROOT": str(folder), "MODEL_DIR": str(folder), "SEGMENT_MODEL": name}
    settings |= {"ANSWER_CACHE_MB": "0"}
    with served("segment", log=folder / "log", **settings) as server:
        server.wait("/ready", 600)
        first, later = session(server, range(images), clicks)
        yield Row(
            f"{title}: a further click", "s", (statistics.median(later),),
            (statistics.median(first),), "the first click", at_most=0.1,
        )  # fmt: skip
        with bulk_request(server, range(2 * images, 4 * images)):
            _, busy = session(server, range(images), clicks)
        worst = statistics.quantiles(busy, n=20)[-1] * 1000 if len(busy) > 1 else busy[0] * 1000
        yield Row(f"{title}: clicks beside bulk, p95", "ms", (worst,), at_most=150)
    forgetful = settings | {"SEGMENT_EMBEDDING_CACHE_MB": "0", "SEGMENT_EMBEDDING_MEMORY_MB": "0"}
    with served("segment", log=folder / "log2", **forgetful) as server:
        server.wait("/ready", 600)
        theirs = sum(map(sum, session(server, range(images), clicks)))
    ours = sum(first) + sum(later)
    yield Row(
        f"{title}: {clicks} clicks on {images} images", "s", (ours,), (theirs,),
        "embedded on every click", at_most=1 / 3,
    )  # fmt: skip


def save_random_weights(name: str, folder: Path) -> Any:
    """Save a network of Ultralytics at its real size, with random weights; return it."""
    import torch
    from ultralytics.models.sam import build

    torch.manual_seed(0)
    network = getattr(build, BUILDERS[name])()
    torch.save({"model": network.state_dict()} if "sam2" in name else network.state_dict(),
               folder / name)  # fmt: skip
    return network.eval()


def least_agreement(network: Any, name: str, folder: Path, images: int) -> float:
    """Return the least IoU of our masks and those of the library, for clicks and boxes."""
    library = by_ultralytics(network, SIDE)
    ours = load_model(ModelSpec("segment", name), Settings(model_dir=folder))
    agreement = 1.0
    for number in range(images):
        pixels = cv2.imread(str(folder / f"{number}.jpg"))[..., ::-1]
        embedding = ours.encode(pixels)
        for prompt in PROMPTS:
            masks, scores = library(pixels, [prompt], prompt is PROMPTS[0])
            best = masks[0][int(scores[0].argmax())]
            (found,) = ours.decode(embedding, [prompt])
            union = max(1, int((found.mask | best).sum()))
            agreement = min(agreement, float((found.mask & best).sum() / union))
    return agreement


def draw_images(folder: Path, count: int) -> None:
    """Draw images of coloured tiles that no earlier run has embedded."""
    rng = np.random.default_rng()
    for number in range(count):
        tiles = rng.integers(0, 256, (6, 8, 3), np.uint8)
        pixels = cv2.resize(tiles, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
        cv2.imwrite(str(folder / f"{number}.jpg"), pixels)


def session(server: Served, images: range, clicks: int) -> tuple[list[float], list[float]]:
    """Click on images; return the seconds of the first clicks, and those of the further ones."""
    first: list[float] = []
    later: list[float] = []
    with httpx.Client(base_url=server.url, timeout=600) as client:
        for image in images:
            results: list[dict[str, Any]] = []
            for number in range(clicks):
                results.append(click(number))
                start = time.perf_counter()
                _ask(client, image, results)
                (later if number else first).append(time.perf_counter() - start)
    return first, later


def click(number: int) -> dict[str, Any]:
    """A further click on an object, as the editor sends it."""
    value = {"x": 10 + 7 * number, "y": 20 + 5 * number, "width": 0.3, "keypointlabels": ["A"]}
    names = {"from_name": "point", "to_name": "image", "type": "keypointlabels"}
    size = {"original_width": WIDTH, "original_height": HEIGHT}
    return {"id": f"click{number}", "value": value, "is_positive": True, **names, **size}


def _ask(client: httpx.Client, image: int, results: list[dict[str, Any]]) -> None:
    task = {"id": image, "data": {"image": f"/data/local-files/?d={image}.jpg"}}
    params = {"context": {"result": results}}
    body = {"tasks": [task], "label_config": CONFIG, "project": "1.1", "params": params}
    client.post("/predict", json=body).raise_for_status()


@contextmanager
def bulk_request(server: Served, images: range) -> Iterator[None]:
    """Let a bulk request look for all objects of other images during the block."""
    config = CONFIG.replace('name="mask"', 'name="mask" model_segment="everything" model_grid="8"')
    tasks = [{"id": n, "data": {"image": f"/data/local-files/?d={n}.jpg"}} for n in images]
    body = {"tasks": tasks, "label_config": config, "project": "2.1", "params": {}}

    def ask() -> None:
        httpx.post(f"{server.url}/predict", json=body, timeout=600)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    yield
    asking.join()


if __name__ == "__main__":
    show(rows(size_of(sys.argv)))
