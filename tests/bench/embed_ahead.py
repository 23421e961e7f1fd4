"""A project that is embedded before anybody clicks: python -m tests.bench.embed_ahead [--quick]

The images are a project's of a real Label Studio (with --smallest a folder's), the networks those
of `tests.bench.segment`. Each image gets two clicks by a server that was started afterwards, so
that nothing but the folder of embeddings is known; and as many others, which nobody embedded, one.
"""

import importlib
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from typer.testing import CliRunner

from shared.cli import app
from shared.pipeline.runtime import reset_runtime
from shared.settings import changed_environment
from tests.bench.detection import resident
from tests.bench.segment import BUILDERS, CONFIG, MODELS, click, draw_images, save_random_weights
from tests.bench.table import Row, Size, show, size_of, sized
from tests.e2e.conftest import DEFAULT_ENVIRONMENT
from tests.e2e.label_studio import LabelStudio
from tests.serving import served

STRANGERS = 10
"""Images that are not embedded ahead."""
COUNTS = {"SAM 2.1 tiny": 40}
"""Images of networks that take 7 s for each on two cores: 200 would take half an hour."""
LEAST_BOUNDED = 20
"""Images of which times and bounds can be told: of fewer only the command is run."""
MB = 1_000_000


@dataclass(frozen=True)
class Pictures:
    """The tasks of a project or folder, those of `strangers`, and what the command reads."""

    tasks: Sequence[dict[str, Any]]
    strangers: Sequence[dict[str, Any]]
    arguments: Sequence[str]
    variables: Mapping[str, str]


def rows(size: Size = "whole") -> Iterator[Row]:
    """For each network: the first clicks, and what an image takes in memory and on disk."""
    models = {"starter": "starter"} | sized(size, MODELS, {}, {})
    with ExitStack() as stack:
        smallest = size == "smallest"
        studio = None if smallest else stack.enter_context(LabelStudio(DEFAULT_ENVIRONMENT))
        for title, name in models.items():
            count = sized(size, COUNTS.get(title, 200), 40, 2)
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            pictures = _pictures(folder, count, studio)
            yield from _rows_of(f"{title}: {count} images embedded ahead", name, folder, pictures)


def _pictures(folder: Path, count: int, label_studio: LabelStudio | None) -> Pictures:
    """Draw the pictures; they are tasks of projects, or of no project without Label Studio."""
    strangers = STRANGERS if label_studio else 1
    files = folder / "pictures"
    files.mkdir()
    draw_images(files, count + strangers)
    paths = [files / f"{number}.jpg" for number in range(count + strangers)]
    if label_studio is None:
        config = folder / "config.xml"
        config.write_text(CONFIG)
        tasks = [_task(n, f"/data/local-files/?d={path.name}") for n, path in enumerate(paths)]
        known = [str(path) for path in paths[:count]]
        arguments = ["--label-config", str(config), *known]
        return Pictures(tasks[:count], tasks[count:], arguments, {"LOCAL_FILES_ROOT": str(files)})
    projects = [label_studio.create_project(f"embedded {n}", CONFIG) for n in range(2)]
    parts = paths[:count], paths[count:]
    made = [label_studio.upload(*pair) for pair in zip(projects, parts, strict=True)]
    tasks, others = ([_stored(label_studio, number) for number in numbers] for numbers in made)
    variables = {"LABEL_STUDIO_URL": label_studio.url, "LABEL_STUDIO_API_KEY": label_studio.token}
    return Pictures(tasks, others, ["--project", str(projects[0])], variables)


def _stored(label_studio: LabelStudio, number: int) -> dict[str, Any]:
    return _task(number, label_studio.task(number)["data"]["image"])


def _task(number: int, address: str) -> dict[str, Any]:
    return {"id": number, "data": {"image": address}}


def _rows_of(title: str, name: str, folder: Path, pictures: Pictures) -> Iterator[Row]:
    if name in BUILDERS:
        save_random_weights(name, folder)
    cache, count = folder / f"cache of {name}", len(pictures.tasks)
    settings = {"MODEL_DIR": str(folder), "SEGMENT_MODEL": name, "CACHE_DIR": str(cache)}
    settings |= {"ANSWER_CACHE_MB": "0", **pictures.variables}
    if count < LEAST_BOUNDED:
        settings["ENGINE"] = "torch"  # converting it would take longer than all the rest
    seconds = _embed(pictures, settings)
    yield Row(f"{title}, each", "s", (seconds / count,))
    each = _stored_bytes(cache) / count
    yield Row(f"{title}, each on disk and in memory", "MB", (each / MB,))
    if count < LEAST_BOUNDED:  # the rest is compared by `tests/backends/segment`, too
        return
    with served("segment", log=folder / "log", **settings) as server:
        server.wait("/ready", 600)
        cold = _click_on(server.url, pictures.strangers, 1)
        first, further = _first_and_further(_click_on(server.url, pictures.tasks, 2))
    # The starter embeds nearly as quickly as a picture is fetched.
    like_further, unlike_new = (2.0, 0.34) if name in BUILDERS else (None, None)
    what, unknown = f"{title}: the first click", statistics.median(cold)
    yield Row(what, "s", (first,), (further,), "a further one", at_most=like_further)
    yield Row(what, "s", (first,), (unknown,), "not embedded", at_most=unlike_new)
    yield from _bounds(title, each * count / MB, settings, pictures, folder)


def _bounds(
    title: str, total_mb: float, settings: dict[str, str], pictures: Pictures, folder: Path
) -> Iterator[Row]:
    """A tenth of the embeddings in memory, and half of them on disk."""
    memory_mb, disk_mb = total_mb / 10, total_mb / 2
    limited = settings | {"SEGMENT_EMBEDDING_MEMORY_MB": f"{memory_mb:.3f}"}
    with served("segment", log=folder / "log of limits", **limited) as server:
        server.wait("/ready", 600)
        _click_on(server.url, pictures.tasks, 1)  # which fills other caches, too
        before = resident(server.process.pid)
        _click_on(server.url, pictures.tasks, 1)
        after = resident(server.process.pid)
    what = f"{title}: memory after all twice, {memory_mb:.0f} MB of embeddings allowed"
    yield Row(what, "MB", (after,), (before,), "after all once", at_most=1.05)
    if settings["SEGMENT_MODEL"] in BUILDERS:  # it would take as long again
        return
    cache = Path(settings["CACHE_DIR"])
    shutil.rmtree(cache / "embeddings")
    _embed(pictures, settings | {"SEGMENT_EMBEDDING_CACHE_MB": f"{disk_mb:.3f}"})
    kept = _stored_bytes(cache) / MB
    yield Row(f"{title}: on disk", "MB", (kept,), (disk_mb,), "allowed", at_most=1.0)


def _embed(pictures: Pictures, settings: Mapping[str, str]) -> float:
    """Run the command in this process; return how many seconds it takes."""
    importlib.import_module("shared.cli.predict")  # which registers the command
    words = ["predict", "--embeddings", "--backend", "segment", *pictures.arguments]
    with changed_environment(dict(settings)):
        reset_runtime()
        start = time.perf_counter()
        ran = CliRunner().invoke(app, words, obj=[])
        seconds = time.perf_counter() - start
    reset_runtime()
    if ran.exit_code:
        raise AssertionError(ran.output[-3000:])
    return seconds


def _stored_bytes(cache: Path) -> int:
    return sum(file.stat().st_size for file in (cache / "embeddings").glob("*/*.npz"))


def _click_on(url: str, tasks: Sequence[dict[str, Any]], clicks: int) -> list[float]:
    """Return the seconds of each click, those of an image one after the other."""
    seconds = []
    with httpx.Client(base_url=url, timeout=600) as client:
        for task in tasks:
            results = []
            for number in range(clicks):
                results.append(click(number))
                params = {"context": {"result": list(results)}}
                body = {"tasks": [task], "label_config": CONFIG, "project": "1.1", "params": params}
                start = time.perf_counter()
                client.post("/predict", json=body).raise_for_status()
                seconds.append(time.perf_counter() - start)
    return seconds


def _first_and_further(seconds: Sequence[float]) -> tuple[float, float]:
    return statistics.median(seconds[::2]), statistics.median(seconds[1::2])


if __name__ == "__main__":
    show(rows(size_of(sys.argv)))
