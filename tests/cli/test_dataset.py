"""`prelabel dataset`: files to datasets, what is said of them, and being killed anywhere."""

import base64
import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.evaluation.dataset.building import box, data_url, noise, task
from tests.evaluation.dataset.test_hugging_face import TEXTS, answer, span
from tests.evaluation.dataset.test_yolo import BOXES, SIZE
from tests.media.web import Visit, Web, web

from .conftest import Command, start

ENTITIES = [span("City", 0, 4)]


def write(folder: Path, config: str, tasks: list[dict[str, Any]]) -> tuple[str, ...]:
    """Write both files; the arguments that name them."""
    (folder / "config.xml").write_text(config)
    (folder / "in.json").write_text(json.dumps(tasks))
    return ("dataset", "in.json", "--label-config", "config.xml", "-o", "out", "--format")


def test_from_a_file(prelabel: Command, tmp_path: Path) -> None:
    tasks = [task(number, {"text": f"Text {number}"}, ENTITIES) for number in range(30)]
    arguments = write(tmp_path, TEXTS, [*tasks, task(99, {"text": "Later"}, None)])
    ran = prelabel(*arguments, "jsonl", "--split", "0.5,0.5", "--seed", 1)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    lines = {
        part: (tmp_path / "out" / f"{part}.jsonl").read_text().count("\n")
        for part in ("train", "val")
    }
    assert ran.status == 0
    assert lines == manifest["splits"]
    train, val = lines["train"], lines["val"]
    assert train + val == 30
    said = f"out: 30 tasks (train {train}, val {val}), version {manifest['version']}\n"
    assert ran.out == said
    assert "out: 1 task left out: no annotation" in ran.err


@pytest.mark.parametrize(
    ("content", "messages"),
    [
        ("a,b\n1,2\n", ["The file is not JSON", "there are no tasks"]),
        ("[]", ["there are no tasks"]),
        (json.dumps([task(1, {"text": "One"}, None)]), ["1 left out: no annotation"]),
        (json.dumps([task(1, {"other": "One"}, [])]), ["(task 1)", "1 left out: nothing can be"]),
    ],
    ids=["a table", "empty list", "no annotation", "no text"],
)
def test_nothing_to_write_leaves_the_folder_empty(
    content: str, messages: list[str], prelabel: Command, tmp_path: Path
) -> None:
    arguments = write(tmp_path, TEXTS, [])
    (tmp_path / "in.json").write_text(content)
    ran = prelabel(*arguments, "jsonl")
    assert ran.status == 2
    assert [message for message in messages if message not in ran.err] == []
    assert list((tmp_path / "out").iterdir()) == []
    write(tmp_path, TEXTS, [task(1, {"text": "One"}, ENTITIES)])
    assert prelabel(*arguments, "jsonl").status == 0


def test_ids_of_predictions_are_no_problem(prelabel: Command, tmp_path: Path) -> None:
    """Label Studio's JSON export has only these; a dataset needs no predictions."""
    tasks = [task(1, {"text": "Text"}, ENTITIES) | {"predictions": [11]}]
    ran = prelabel(*write(tmp_path, TEXTS, tasks), "jsonl", "--split", "1")
    assert ran.status == 0
    assert "predictions" not in ran.err


def test_what_failed_is_named(prelabel: Command, tmp_path: Path) -> None:
    tasks = [
        task(1, {"image": data_url(noise(1))}, [box("Red", (0, 0, 6, 4), SIZE)]),
        task(2, {"image": "http://127.0.0.1:1/none.png"}, []),
    ]
    arguments = write(tmp_path, BOXES, tasks)
    ran = prelabel(*arguments, "coco")
    assert ran.status == 1
    assert "(task 2)" in ran.err
    assert "1 media could not be used: see out/failures.jsonl" in ran.err
    again = prelabel(*arguments, "coco", "--resume")
    assert (again.status, "out is finished already" in again.out) == (1, True)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("jsonl", "--split", "0.8"), "--split 0.8: the shares add up to 0.8"),
        (("jsonl", "--task", "pose"), "--task pose is for --format yolo, not jsonl"),
        (("yolo",), "--format yolo: the label config has"),
        (("coco",), "no control tag on an Image or Video"),
        (("spacy", "--language", "nowhere"), "--language nowhere: spaCy cannot use it"),
        (("jsonl", "--annotations", "all"), "use latest or consensus"),
        (("jsonl", "--seed", 10**30), "expected at most"),
    ],
    ids=["split", "task", "yolo", "coco", "language", "annotations", "seed"],
)
def test_what_cannot_be(
    more: tuple[str, ...], message: str, prelabel: Command, tmp_path: Path
) -> None:
    ran = prelabel(*write(tmp_path, TEXTS, [task(1, {"text": "One"}, [])]), *more)
    assert ran.status == 2
    assert message in ran.err


def test_consensus(prelabel: Command, tmp_path: Path) -> None:
    """Two of three annotators say Good; the last one does not."""
    results = [[answer("mood", "choices", [mood])] for mood in ("Good", "Good", "Bad")]
    annotations = [
        {"id": number, "result": result, "completed_by": number, "updated_at": f"2026-01-0{number}"}
        for number, result in enumerate(results, 1)
    ]
    tasks = [{"id": 1, "data": {"text": "One"}, "annotations": annotations}]
    arguments = write(tmp_path, TEXTS, tasks)
    for choice, mood in (("latest", "Bad"), ("consensus", "Good")):
        ran = prelabel(
            *arguments, "jsonl", "--annotations", choice, "--split", 1, "-o", tmp_path / choice
        )
        assert ran.status == 0
        line = json.loads((tmp_path / choice / "train.jsonl").read_text())
        assert line["answers"] == {"mood": [mood]}


def slow_pictures(server: Web, count: int) -> list[dict[str, Any]]:
    """Tasks whose pictures take a twentieth of a second each."""
    tasks = []
    for number in range(count):
        body = base64.b64decode(data_url(noise(number)).partition(",")[2])

        def page(visit: Visit, body: bytes = body) -> None:
            time.sleep(0.05)
            visit.send(200, body)

        server.pages[f"/{number}.png"] = page
        tasks.append(task(number, {"image": f"{server.url}/{number}.png"}, []))
    return tasks


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_killed_while_fetching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed twice and continued: each picture is there once, and none is fetched again."""
    monkeypatch.setenv("ALLOWED_NETWORKS", "127.0.0.1")
    with web() as server:
        arguments = [*write(tmp_path, BOXES, slow_pictures(server, 80)), "yolo", "--resume"]
        media = tmp_path / "out" / ".work" / "media"
        for wanted in (10, 40):
            with start(tmp_path, *arguments) as process:
                until = time.monotonic() + 60
                while not media.exists() or len(list(media.glob("*.json"))) < wanted:
                    assert process.poll() is None
                    assert time.monotonic() < until
                    time.sleep(0.01)
                process.send_signal(signal.SIGKILL)
        assert not (tmp_path / "out" / "manifest.json").exists()
        known = len(list(media.glob("*.json")))
        before = len(server.visits)
        with start(tmp_path, *arguments) as process:
            assert process.wait(60) == 0
        assert len(server.visits) - before == 80 - known
        whole = [*arguments[:5], "whole", "--format", "yolo"]
        with start(tmp_path, *whole) as process:
            assert process.wait(60) == 0
    assert content(tmp_path / "out") == content(tmp_path / "whole")
    assert len(list((tmp_path / "out" / "images").rglob("*.png"))) == 80
