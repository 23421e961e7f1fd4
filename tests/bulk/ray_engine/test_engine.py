"""`prelabel predict --engine ray` on a real Ray: the local engine's files, whatever is killed."""

import gzip
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import psutil
import pyarrow
import pyarrow.parquet

from backends.detection.starter.shapes import CLASSES, draw_picture
from shared.bulk.ray_engine.run_folder import FinishedPart, RunFolder
from tests.cli.conftest import TEXT_CONFIG, Command, Ran

PATTERN = ("--label-config", TEXT_CONFIG, "--backend", "pattern")
BOXES = "".join(f'<Label value="{label}"/>' for label in CLASSES)
BOX_CONFIG = f"""<View><Image name="image" value="$image"/>
<RectangleLabels name="box" toName="image">{BOXES}</RectangleLabels></View>"""


def text_tasks(count: int) -> list[dict[str, Any]]:
    return [{"data": {"text": f"Order {n} of 3 May came to $5."}} for n in range(count)]


def as_lines(tasks: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(task).encode() + b"\n" for task in tasks)


def write_inputs(folder: Path) -> list[str]:
    """Inputs of all kinds, with what is wrong with some: a line, a task, the end of a list."""
    with_id = {"id": 9, "data": {"note": "no text"}, "predictions": [{"model_version": "old"}, 5]}
    lines = as_lines(text_tasks(90)) + b"\nbroken\n" + as_lines([with_id]) + b"[]\n"
    (folder / "a.jsonl").write_bytes(lines)
    (folder / "b.json").write_bytes(json.dumps(text_tasks(40)).encode()[:-20])
    (folder / "c.csv").write_text("text,note\n3 May,x\none cell\n$5,y\n")
    (folder / "d.jsonl.gz").write_bytes(gzip.compress(as_lines(text_tasks(20))))
    table = pyarrow.table({"text": ["at 5 p.m.", None], "n": [1, 2]})
    pyarrow.parquet.write_table(table, folder / "e.parquet")
    return ["a.jsonl", "b.json", "c.csv", "d.jsonl.gz", "e.parquet"]


def test_files_are_those_of_the_local_engine(
    local_ray: Any,
    prelabel: Command,
    tmp_path: Path,
) -> None:
    inputs = write_inputs(tmp_path)
    local = prelabel("predict", *inputs, *PATTERN, "-o", "local.json")
    ran = prelabel("predict", *inputs, *PATTERN, "-o", "ray.json", "--engine", "ray")
    assert (local.status, ran.status) == (1, 1), ran.err
    for end in ("", ".failures.jsonl"):
        ours, theirs = (tmp_path / f"{name}.json{end}" for name in ("ray", "local"))
        assert ours.read_bytes() == theirs.read_bytes()
    assert "ray.json: 154 tasks in" in ran.out
    assert said(ran).replace("ray.json", "local.json") == said(local)  # and nothing of Ray's
    names = {path.name for path in tmp_path.iterdir()} - set(inputs)
    assert names == {
        f"{name}.json{end}" for name in ("ray", "local") for end in ("", ".failures.jsonl")
    }


def said(ran: Ran) -> str:
    """What a command said, without its progress."""
    lines = ran.err.splitlines()
    return "\n".join(line for line in lines if not line.startswith("predict: "))


def test_boxes_on_a_folder_of_images(
    local_ray: Any,
    prelabel: Command,
    tmp_path: Path,
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "config.xml").write_text(BOX_CONFIG)
    for number in range(20):
        picture = draw_picture(np.random.default_rng(number), (160, 120), "clean", 3).image
        cv2.imwrite(str(tmp_path / "photos" / f"{number}.png"), picture)
    (tmp_path / "photos" / "17.png").write_bytes(b"no picture")
    command = ("predict", "photos", "--label-config", "config.xml", "--backend", "detection")
    os.environ["DETECTION_MODEL"] = "starter"
    try:
        prelabel(*command, "-o", "local.jsonl")
        ran = prelabel(*command, "-o", "parts", "--engine", "ray", "--actors", "1")
    finally:
        del os.environ["DETECTION_MODEL"]
    assert ran.status == 1
    assert "photos/17.png, task 9: detection: " in ran.err  # 17.png follows 0, 1 and 10 to 16
    parts = sorted((tmp_path / "parts").iterdir())
    assert [path.name for path in parts] == [f"part-0000{n}.jsonl" for n in range(2)]
    joined = b"".join(path.read_bytes() for path in parts)
    assert joined == (tmp_path / "local.jsonl").read_bytes()
    assert joined.count(b'"rectanglelabels"') > 20


@contextmanager
def at_first_part(act: Callable[[], None]) -> Iterator[list[int]]:
    """Call a function once, when a run of this process has noted a finished part.

    The run waits for it: a thread that watched the journal came too late on a busy machine. What
    is yielded gets the part's number.
    """
    add, noted = RunFolder.add, list[int]()

    def add_and_act(folder: RunFolder, part: FinishedPart) -> None:
        add(folder, part)
        if not noted:
            noted.append(part.number)
            act()

    with patch.object(RunFolder, "add", add_and_act):
        yield noted


def actor_processes() -> list[psutil.Process]:
    """The actors of this process's Ray."""
    below = psutil.Process().children(recursive=True)
    return [one for one in below if one.name().startswith("ray::Map") or _is_actor(one)]


def _is_actor(process: psutil.Process) -> bool:
    try:
        return "MapWorker" in " ".join(process.cmdline())
    except psutil.Error:
        return False


def test_a_killed_actor_costs_time_only(
    local_ray: Any,
    prelabel: Command,
    tmp_path: Path,
) -> None:
    (tmp_path / "in.jsonl").write_bytes(as_lines(text_tasks(1500)))
    prelabel("predict", "in.jsonl", *PATTERN, "-o", "local.jsonl")
    killed: list[int] = []

    def kill() -> None:
        victim = actor_processes()[0]
        victim.send_signal(signal.SIGKILL)
        killed.append(victim.pid)

    with at_first_part(kill) as noted:
        ran = prelabel("predict", "in.jsonl", *PATTERN, "-o", "ray.jsonl", "--engine", "ray")
    assert noted
    assert len(killed) == 1
    assert ran.status == 0, ran.err
    assert (tmp_path / "ray.jsonl").read_bytes() == (tmp_path / "local.jsonl").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "in.jsonl",
        "local.jsonl",
        "ray.jsonl",
    ]


def test_a_run_that_was_interrupted_is_continued(
    local_ray: Any,
    prelabel: Command,
    tmp_path: Path,
) -> None:
    (tmp_path / "in.jsonl").write_bytes(as_lines(text_tasks(1200)))
    command = ("predict", "in.jsonl", *PATTERN, "-o", "ray.jsonl", "--engine", "ray")
    # In the background of a shell, which ignores Ctrl-C, it would come to nothing.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    with at_first_part(lambda: signal.raise_signal(signal.SIGINT)):
        ran = prelabel(*command)
    signal.signal(signal.SIGINT, handler)
    assert ran.status == 130
    assert "Interrupted; continue with --resume" in ran.err
    parts = {path: path.stat().st_mtime_ns for path in (tmp_path / "ray.jsonl.parts").glob("part*")}
    ran = prelabel(*command)
    assert ran.status == 2
    assert "ray.jsonl.parts is left from an interrupted run: use --resume" in ran.err
    ran = prelabel(*command, "--resume")
    assert ran.status == 0
    assert "tasks done already" in ran.err
    prelabel("predict", "in.jsonl", *PATTERN, "-o", "local.jsonl")
    assert (tmp_path / "ray.jsonl").read_bytes() == (tmp_path / "local.jsonl").read_bytes()
    assert parts
    assert prelabel(*command, "--resume").out == "ray.jsonl is finished already\n"


def test_chosen_tasks_are_those_of_the_local_engine(
    local_ray: Any,
    prelabel: Command,
    tmp_path: Path,
) -> None:
    """--only, --sample, --replace and --min-score at once, over two inputs."""
    older = [
        {"model_version": "pattern-00000000", "result": []},
        {"model_version": "mine", "result": []},
    ]
    tasks = [{**task, "predictions": older} for task in text_tasks(60)]
    for task in tasks[::3]:
        task["annotations"] = [{"result": [], "completed_by": 1}]
    tasks[5]["data"] = {"note": "no text"}
    (tmp_path / "a.jsonl").write_bytes(as_lines(tasks[:40]) + b"broken\n")
    (tmp_path / "b.jsonl").write_bytes(as_lines(tasks[40:]))
    chosen = ("--only", "unannotated", "--sample", "38", "--replace", "--min-score", "0.5")
    command = ("predict", "a.jsonl", "b.jsonl", *PATTERN, *chosen)
    local = prelabel(*command, "-o", "local.jsonl")
    ran = prelabel(*command, "-o", "ray.jsonl", "--engine", "ray")
    assert (local.status, ran.status) == (1, 1), ran.err
    for end in ("", ".failures.jsonl"):
        ours, theirs = (tmp_path / f"{name}.jsonl{end}" for name in ("ray", "local"))
        assert ours.read_bytes() == theirs.read_bytes()
    written = [json.loads(line) for line in (tmp_path / "ray.jsonl").read_bytes().splitlines()]
    assert 36 <= len(written) < 60 * 2 / 3
    assert {one.get("model_version") for one in written[0]["predictions"]} > {"mine"}
    assert b"pattern-00000000" not in (tmp_path / "ray.jsonl").read_bytes()


def test_failed_tasks_are_predicted_again_in_their_places(
    local_ray: Any,
    prelabel: Command,
    tmp_path: Path,
) -> None:
    lines = as_lines(text_tasks(50)).splitlines(True)
    lines[20], lines[30] = b"broken\n", b'{"data":{"note":"no text"}}\n'
    (tmp_path / "in.jsonl").write_bytes(b"".join(lines))
    prelabel("predict", "in.jsonl", *PATTERN, "-o", "local.json")
    for end in ("", ".failures.jsonl"):
        (tmp_path / f"ray.json{end}").write_bytes((tmp_path / f"local.json{end}").read_bytes())
    lines[20] = as_lines([{"data": {"text": "mended on 3 May"}}])
    (tmp_path / "in.jsonl").write_bytes(b"".join(lines))
    command = ("predict", "in.jsonl", *PATTERN, "--only", "failed")
    local = prelabel(*command, "-o", "local.json")
    ran = prelabel(*command, "-o", "ray.json", "--engine", "ray")
    assert (local.status, ran.status) == (1, 1), ran.err
    for end in ("", ".failures.jsonl"):
        ours, theirs = (tmp_path / f"{name}.json{end}" for name in ("ray", "local"))
        assert ours.read_bytes() == theirs.read_bytes()
    tasks = json.loads((tmp_path / "ray.json").read_bytes())
    assert [len(tasks), tasks[20]["data"]["text"]] == [50, "mended on 3 May"]
    assert sorted(path.name for path in tmp_path.glob("ray*")) == [
        "ray.json",
        "ray.json.failures.jsonl",
    ]


def test_failed_tasks_of_a_folder_of_parts(prelabel: Command, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(as_lines(text_tasks(1)))
    command = ("predict", "in.jsonl", *PATTERN, "--only", "failed", "--engine", "ray")
    ran = prelabel(*command, "-o", "parts")
    assert ran.status == 2
    assert "--only failed with --engine ray needs an OUTPUT that is one file, such as" in ran.err
