"""`prelabel predict`: inputs of every kind, failures, several models, being stopped anywhere."""

import csv
import errno
import gzip
import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

from shared.backend import registry
from shared.backend.base import Backend
from shared.backend.claim import Claim
from shared.label_studio.import_file import ImportFile
from shared.label_studio.label_config import LabelConfig
from shared.results import ImageSize, Rectangle, Region, region
from shared.results.validation import check_task

from .conftest import REPO, TEXT_CONFIG, Command, start

PATTERN = ("--label-config", TEXT_CONFIG, "--backend", "pattern")
IMAGE_CONFIG = """<View>
  <RectangleLabels name="label" toName="image"><Label value="Wide"/><Label value="Tall"/>
  </RectangleLabels><Image name="image" value="$photo"/>
</View>"""


class FormatBackend(Backend):
    """Says of an image whether it is wide or tall. A model of its name says the other."""

    name = "format"
    fills = frozenset({("RectangleLabels", "Image")})

    def infer(self, model: Any, items: list[Any]) -> Sequence[Any]:
        return [image.size for image in items]

    def regions(self, output: ImageSize, claim: Claim) -> Iterable[Region]:
        label = "Wide" if output.width > output.height else "Tall"
        box = Rectangle.from_xyxy((0, 0, output.width, output.height))
        yield region(box, {claim.control: [label]}, source=output, score=0.5)


class OtherBackend(FormatBackend):
    name = "other"


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of images and other files, and the backends that know images."""
    found = {"format": FormatBackend, "other": OtherBackend}
    monkeypatch.setattr(registry, "find_backends", lambda: found)
    (tmp_path / "config.xml").write_text(IMAGE_CONFIG)
    folder = tmp_path / "my photos"
    (folder / "more").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    Pillow.new("RGB", (40, 20)).save(folder / "wide.png")
    Pillow.new("RGB", (20, 40)).save(folder / "more" / "tall.JPG")
    Pillow.new("RGB", (20, 40)).save(folder / ".hidden" / "not this.png")
    (folder / "notes.txt").write_text("no image")
    return folder


def lines(*values: Any) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def texts(count: int) -> list[dict[str, Any]]:
    return [{"data": {"text": f"{number} dollars on 3 May"}} for number in range(count)]


def read(path: Path) -> list[dict[str, Any]]:
    """The tasks of an import file."""
    data = path.read_bytes()
    data = gzip.decompress(data) if path.suffix == ".gz" else data
    if ".json" in path.suffixes:
        return list(json.loads(data))
    return [json.loads(line) for line in data.splitlines()]


def failures(path: Path) -> list[dict[str, Any]]:
    file = path.with_name(path.name + ".failures.jsonl")
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def table(rows: list[list[str]], delimiter: str) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue().encode("utf-8-sig")


ROWS = [["text", "note"], ["3 May", "a, b; c"], ["no\ndate", 'é "q"']]
INPUTS = {
    "tasks.json": json.dumps([{"data": {"text": "3 May", "note": "a, b; c"}}]).encode(),
    "tasks.jsonl": lines({"data": {"text": "3 May", "note": "a, b; c"}}),
    "flat.jsonl": lines({"text": "3 May", "note": "a, b; c"}),
    "tasks.jsonl.gz": gzip.compress(lines({"data": {"text": "3 May", "note": "a, b; c"}})),
    "table.csv": table(ROWS[:2], ","),
    "table.tsv": table(ROWS[:2], "\t"),
    "excel.csv": table(ROWS[:2], ";"),
    "table": table(ROWS[:2], ","),
    "table.csv.gz": gzip.compress(table(ROWS[:2], ",")),
}


@pytest.mark.parametrize("name", INPUTS)
def test_tasks_files(name: str, prelabel: Command, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(INPUTS[name])
    ran = prelabel("predict", name, *PATTERN, "-o", "out.json")
    assert ran.status == 0
    [task] = read(tmp_path / "out.json")
    assert task["data"] == {"text": "3 May", "note": "a, b; c"}
    [prediction] = task["predictions"]
    [result] = prediction["result"]
    assert result["value"] == {"start": 0, "end": 5, "text": "3 May", "labels": ["Date"]}
    assert re.fullmatch(r"pattern-[0-9a-f]{8}", prediction["model_version"])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "out.json"])


@pytest.mark.parametrize("out", ["o.json", "o.jsonl", "o.json.gz", "o.jsonl.gz", "new/o.json"])
def test_output_keeps_all_tasks_in_order(out: str, prelabel: Command, tmp_path: Path) -> None:
    given = [task | {"id": number, "meta": {"é": 1}} for number, task in enumerate(texts(300))]
    (tmp_path / "in.jsonl").write_bytes(lines(*given))
    ran = prelabel("predict", "in.jsonl", *PATTERN, "-o", out)
    assert ran.status == 0
    assert f"{out}: 300 tasks in" in ran.out
    tasks = read(tmp_path / out)
    config = LabelConfig.parse(TEXT_CONFIG.read_text())
    assert [check_task(config, task) for task in tasks] == [[]] * 300
    assert [len(task.pop("predictions")[0]["result"]) for task in tasks] == [2] * 300
    assert tasks == given


def test_empty_input(prelabel: Command, tmp_path: Path) -> None:
    (tmp_path / "in.json").write_bytes(b"[]")
    assert prelabel("predict", "in.json", *PATTERN, "-o", "out.json").status == 0
    assert read(tmp_path / "out.json") == []


def test_several_inputs(prelabel: Command, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines({"text": "a"}, "broken", {"text": "b"}))
    (tmp_path / "b.json").write_bytes(json.dumps([{"text": "c"}, {"txt": "d"}]).encode())
    ran = prelabel("predict", "a.jsonl", "b.json", *PATTERN, "-o", "out.json")
    assert ran.status == 1
    data = [task["data"] for task in read(tmp_path / "out.json")]
    assert data == [{"text": "a"}, {"text": "b"}, {"text": "c"}, {"txt": "d"}]
    places = [(failure["index"], failure["source"]) for failure in failures(tmp_path / "out.json")]
    assert places == [(1, "a.jsonl"), (4, "b.json")]


def test_failures_cost_only_themselves(prelabel: Command, tmp_path: Path) -> None:
    given = [{"id": 7, "data": {"text": "3 May"}}, {"id": 8, "data": {"txt": "3 May"}}]
    (tmp_path / "in.jsonl").write_bytes(
        lines(given[0]) + b"{broken\n" + lines(given[1], 3, given[0])
    )
    ran = prelabel("predict", "in.jsonl", *PATTERN, "-o", "out.json")
    assert ran.status == 1
    tasks = read(tmp_path / "out.json")
    assert [task["id"] for task in tasks] == [7, 8, 7]
    assert [len(task["predictions"]) for task in tasks] == [1, 0, 1]
    found = failures(tmp_path / "out.json")
    assert [(f["index"], f["line"], f["task"], f["backend"], f["reason"]) for f in found] == [
        (1, 2, None, "input", "bad_task"),
        (2, 3, 8, "pattern", "missing_key"),
        (3, 4, None, "input", "bad_task"),
    ]
    assert "Not JSON" in found[0]["message"]
    assert '"text" is missing' in found[1]["message"]
    assert "3 tasks failed (bad_task 2, missing_key 1): see out.json.failures.jsonl" in ran.err
    assert "in.jsonl, line 3, task 2, id 8: pattern: " in ran.err


def test_predictions_of_others_are_kept(prelabel: Command, tmp_path: Path) -> None:
    other = {"model_version": "other", "result": []}
    (tmp_path / "in.json").write_bytes(
        json.dumps([texts(1)[0] | {"predictions": [other]}]).encode()
    )
    assert prelabel("predict", "in.json", *PATTERN, "-o", "one.json").status == 0
    assert prelabel("predict", "one.json", *PATTERN, "-o", "two.json").status == 0
    [task] = read(tmp_path / "one.json")
    assert task["predictions"][0] == other
    assert len(task["predictions"]) == 2
    assert read(tmp_path / "two.json") == [task], "predicted again by the same model"


RESULT = {"id": "a", "from_name": "label", "to_name": "text", "type": "labels"} | {
    "value": {"start": 0, "end": 2, "text": "On", "labels": ["Date"]}
}
EXPORTED: dict[str, Any] = {
    "id": 12,
    "annotations": [
        {"id": 5, "completed_by": 7, "result": [RESULT], "parent_prediction": 286},
        {"id": 6, "completed_by": {"id": 8, "email": "b@c.de"}, "result": [RESULT]},
        9,
        {"id": 10},
    ],
    "drafts": [{"id": 3, "user": "b@c.de", "result": [RESULT], "annotation": None}],
    "predictions": [286, {"id": 287, "model_version": "other", "result": [RESULT]}, {"id": 288}],
    "data": {"text": "On 3 May"},
    "meta": None,
    "file_upload": "8a-t.json",
    "file_upload_id": 4,
    "inner_id": 1,
    "project": 3,
    "updated_by": 1,
}
"""A task as exports of Label Studio 1.23 have it, and more that imports refuse."""


def test_an_export_comes_out_as_an_import_takes_it(prelabel: Command, tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text(json.dumps([EXPORTED, {"data": {"text": "On 4 May"}}]))
    ran = prelabel("predict", "in.json", *PATTERN, "-o", "out.json")
    assert ran.status == 0
    task, _ = read(tmp_path / "out.json")
    *others, ours = task.pop("predictions")
    assert others == EXPORTED["predictions"][1:2]
    assert len(ours["result"]) == 1
    first, second = EXPORTED["annotations"][:2]
    assert task.pop("annotations") == [
        {key: value for key, value in first.items() if key != "completed_by"},
        second,
    ]
    left = {"annotations", "predictions", "meta", "file_upload_id"}
    assert task == {key: value for key, value in EXPORTED.items() if key not in left}
    assert (
        "left out, as Label Studio's import refuses them: predictions that are numbers or have no"
        " results (2), annotations that are numbers or have no results (2), users without an email"
        " address in completed_by (1), meta that is no object (1), file_upload_id (1)"
    ) in ran.err


def test_nothing_is_said_of_what_an_import_takes(prelabel: Command, tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text(json.dumps([{"data": {"text": "On"}, "meta": {}}]))
    ran = prelabel("predict", "in.json", *PATTERN, "-o", "out.json")
    assert "left out" not in ran.err + ran.out


@pytest.mark.parametrize("out", ["out.json", "out.jsonl"])
def test_half_surrogates_come_out_as_they_were(out: str, prelabel: Command, tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text(r'[{"text": "\ud83d on 3 May"}, {"text": "\ud83d\ude00"}]')
    assert prelabel("predict", "in.json", *PATTERN, "-o", out).status == 0
    found = [task["data"]["text"] for task in read(tmp_path / out)]
    assert found == ["\ud83d on 3 May", "\U0001f600"]


@pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare(1) is not installed")
def test_disk_that_is_full(tmp_path: Path) -> None:
    """In earnest: a disk of 64 KB, which is made larger before the run is continued."""
    (tmp_path / "in.jsonl").write_bytes(lines(*texts(500)))
    disk = tmp_path / "disk"
    disk.mkdir()
    words = (sys.executable, "-m", "shared.cli", "predict", "in.jsonl", *map(str, PATTERN))
    command = shlex.join([*words, "-o", "disk/out.jsonl"])
    script = f"""mount -t tmpfs -o size=64k tmpfs disk || exit 77
{command} 2>first; echo $? >status; ls disk >left
mount -o remount,size=20m disk || exit 77
{command} --resume && cp disk/out.jsonl ."""
    ran = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    if ran.returncode == 77 or "unshare" in ran.stderr:
        pytest.skip(f"no mount namespace here: {ran.stderr.strip()}")
    assert ran.returncode == 0, ran.stderr
    said = "prelabel: disk/out.jsonl: No space left on device; continue with --resume"
    assert said in (tmp_path / "first").read_text()
    assert (tmp_path / "status").read_text() == "2\n"
    assert "out.jsonl\n" not in (tmp_path / "left").read_text()
    assert "tasks done already" in ran.stderr
    written = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    found = [int(task["data"]["text"].split()[0]) for task in written]
    assert found == list(range(500))


def test_disk_that_is_full_once_all_is_predicted(prelabel: Command, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(lines(*texts(5)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ImportFile, "finish", full)
        ran = prelabel("predict", "in.jsonl", *PATTERN, "-o", "out.json")
    assert ran.status == 2
    assert "No space left on device; continue with --resume" in ran.err
    assert prelabel("predict", "in.jsonl", *PATTERN, "-o", "out.json", "--resume").status == 0
    assert len(read(tmp_path / "out.json")) == 5


def full(file: ImportFile) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_folder_of_images(images: Path, prelabel: Command, tmp_path: Path) -> None:
    ran = prelabel("predict", "my photos", "--label-config", "config.xml", "-o", "out.json")
    assert ran.status == 0, ran.err
    tasks = read(tmp_path / "out.json")
    assert [task["data"] for task in tasks] == [
        {"photo": "/data/local-files/?d=my%20photos/wide.png"},
        {"photo": "/data/local-files/?d=my%20photos/more/tall.JPG"},
    ]
    results = [task["predictions"][0]["result"][0] for task in tasks]
    assert [result["value"]["rectanglelabels"] for result in results] == [["Wide"], ["Tall"]]
    assert [result["original_width"] for result in results] == [40, 20]


@pytest.mark.parametrize(
    ("inputs", "options", "root", "expected"),
    [
        (["my photos/*"], [], None, ["/data/local-files/?d=my%20photos/wide.png"]),
        (["my photos/**/*"], [], None, ["more/tall.JPG", "my%20photos/wide.png"]),
        (["my photos/wide.png"], [], None, ["/data/local-files/?d=my%20photos/wide.png"]),
        (["my photos/more"], [], ".", ["/data/local-files/?d=my%20photos/more/tall.JPG"]),
        (["my photos/more"], [], "my photos", ["/data/local-files/?d=more/tall.JPG"]),
        (["my photos/more"], [], "my photos/more", ["/data/local-files/?d=tall.JPG"]),
        (["my photos/more"], ["--url-prefix", "https://x/"], ".", ["https://x/tall.JPG"]),
    ],
)
def test_addresses_of_files(
    inputs: list[str],
    options: list[str],
    root: str | None,
    expected: list[str],
    images: Path,
    prelabel: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if root is not None:
        monkeypatch.setenv("LOCAL_FILES_ROOT", root)
    arguments = ["--label-config", "config.xml", "--backend", "format", "-o", "out.json"]
    assert prelabel("predict", *inputs, *options, *arguments).status == 0
    found = [task["data"]["photo"] for task in read(tmp_path / "out.json")]
    assert all(value.endswith(end) for value, end in zip(found, expected, strict=True)), found


def test_tasks_open_no_file_that_the_command_line_does_not_name(
    images: Path, prelabel: Command, tmp_path: Path
) -> None:
    tasks = [
        {"photo": "/data/local-files/?d=my%20photos/wide.png"},
        {"photo": str(images / "wide.png")},
    ]
    (tmp_path / "in.jsonl").write_bytes(lines(*tasks))
    ran = prelabel("predict", "my photos", "in.jsonl", "--label-config=config.xml", "-o", "o.json")
    assert ran.status == 1
    assert [bool(task["predictions"]) for task in read(tmp_path / "o.json")] == [
        True,
        True,
        False,
        False,
    ]


def test_broken_image_costs_only_itself(images: Path, prelabel: Command, tmp_path: Path) -> None:
    (images / "broken.png").write_bytes(b"\x89PNG no more")
    ran = prelabel("predict", "my photos", "--label-config=config.xml", "-o", "out.jsonl")
    assert ran.status == 1
    assert [len(task["predictions"]) for task in read(tmp_path / "out.jsonl")] == [0, 1, 1]
    [failure] = failures(tmp_path / "out.jsonl")
    assert (failure["reason"], failure["source"]) == ("decode", "my photos/broken.png")
    assert "my photos/broken.png, task 0: " in ran.err


def test_folder_of_texts(prelabel: Command, tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("\ufeffOn 3 May")
    (folder / "b.txt").write_bytes(b"\xff")
    ran = prelabel("predict", "texts", *PATTERN, "-o", "out.json")
    assert ran.status == 1
    [task] = read(tmp_path / "out.json")
    assert task["data"] == {"text": "On 3 May"}
    assert len(task["predictions"][0]["result"]) == 1
    assert "b.txt cannot be read" in failures(tmp_path / "out.json")[0]["message"]


VALUES = """<View><Labels name="label" toName="text"><Label value="Date"/></Labels>
  <Text name="text" {}/></View>"""


@pytest.mark.parametrize(
    ("attrs", "data", "span"),
    [
        ('value="$a: $b"', {"a": "Due", "b": "2026-11-27"}, (5, 15)),
        ('value="Due $when."', {"when": "2026-11-27"}, (4, 14)),
        ('VALUE="$x.days[1]"', {"x": {"days": ["", "2026-11-27"]}}, (0, 10)),
        ('value="$t" encoding="base64"', {"t": "MjAyNi0xMS0yNw=="}, (0, 10)),
    ],
)
def test_spans_count_in_what_the_editor_shows(
    attrs: str, data: dict[str, Any], span: tuple[int, int], prelabel: Command, tmp_path: Path
) -> None:
    (tmp_path / "config.xml").write_text(VALUES.format(attrs))
    (tmp_path / "tasks.json").write_text(json.dumps([{"data": data}]))
    arguments = ("--label-config", "config.xml", "--backend", "pattern", "-o", "out.json")
    assert prelabel("predict", "tasks.json", *arguments).status == 0
    [task] = json.loads((tmp_path / "out.json").read_text())
    [result] = task["predictions"][0]["result"]
    assert (result["value"]["start"], result["value"]["end"]) == span
    assert result["value"]["text"] == "2026-11-27"
    assert task["data"] == data


@pytest.mark.parametrize(
    ("attrs", "data"),
    [
        ('value="$meta.text"', {"meta": {"text": "2026-11-27 ë"}}),
        ('value="$t" encoding="base64unicode"', {"t": "MjAyNi0xMS0yNyDDqw=="}),
    ],
)
def test_files_become_what_the_tag_shows(
    attrs: str, data: dict[str, Any], prelabel: Command, tmp_path: Path
) -> None:
    (tmp_path / "config.xml").write_text(VALUES.format(attrs))
    (tmp_path / "one.txt").write_text("2026-11-27 ë", "utf-8")
    arguments = ("--label-config", "config.xml", "--backend", "pattern", "-o", "out.json")
    assert prelabel("predict", "one.txt", *arguments).status == 0
    [task] = json.loads((tmp_path / "out.json").read_text())
    assert task["data"] == data
    assert len(task["predictions"][0]["result"]) == 1


@pytest.mark.parametrize("written", ["From: $who", "$a[0]", "$a $b"])
def test_files_that_make_no_such_task(written: str, prelabel: Command, tmp_path: Path) -> None:
    value = f'value="{written}"'
    (tmp_path / "config.xml").write_text(VALUES.format(value))
    (tmp_path / "one.txt").write_text("2026-11-27")
    arguments = ("--label-config", "config.xml", "--backend", "pattern", "-o", "out.json")
    ran = prelabel("predict", "one.txt", *arguments)
    assert ran.status == 2
    assert "write a file of tasks" in ran.err


SERIES_CONFIG = """<View><TimeSeries name="s" value="$csv" valueType="url" timeColumn="time">
<Channel column="flow"/></TimeSeries><TimeSeriesLabels name="l" toName="s"><Label value="Spike"/>
</TimeSeriesLabels></View>"""


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("series/a.csv", 'these have no "csv", which TimeSeries "s" shows'),
        ("series", None),
        ("series/*.csv", None),
        ("tasks.csv", None),
    ],
    ids=["series", "its-folder", "glob", "table-of-tasks"],
)
def test_a_series_is_no_table_of_tasks(
    name: str,
    found: str | None,
    prelabel: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOCAL_FILES_ROOT", str(tmp_path))
    rows = [["time", "flow"], *([str(i), "9" if i == 20 else str(i % 2)] for i in range(40))]
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / "a.csv").write_bytes(table(rows, ","))
    own = [["csv"], ["/data/local-files/?d=series/a.csv"]]
    (tmp_path / "tasks.csv").write_bytes(table(own, ","))
    (tmp_path / "series.xml").write_text(SERIES_CONFIG)
    arguments = ("--label-config", "series.xml", "--backend", "timeseries", "-o", "out.json")
    ran = prelabel("predict", name, *arguments)
    if found is not None:
        assert ran.status == 2
        assert found in ran.err
        assert "give its folder or a glob: prelabel predict series" in ran.err
        return
    assert ran.status == 0, ran.err
    [task] = read(tmp_path / "out.json")
    [spike] = task["predictions"][0]["result"]
    assert spike["value"]["start"] == 20


def test_failures_of_one_line_are_told_apart(prelabel: Command, tmp_path: Path) -> None:
    given = [{"data": {"text": "3 May"}}, {"data": {"a": 1}}, {"data": {"b": 1}}]
    (tmp_path / "in.json").write_text(json.dumps(given))
    ran = prelabel("predict", "in.json", *PATTERN, "-o", "out.json")
    assert ran.status == 1
    assert "in.json, line 1, task 1: pattern: " in ran.err
    assert "in.json, line 1, task 2: pattern: " in ran.err


def test_each_named_backend_gives_its_own_prediction(
    images: Path, prelabel: Command, tmp_path: Path
) -> None:
    arguments = ["--label-config", "config.xml", "--backend", "format", "--backend", "other"]
    assert prelabel("predict", "my photos", *arguments, "-o", "two.json").status == 0
    for task in read(tmp_path / "two.json"):
        versions = [prediction["model_version"] for prediction in task["predictions"]]
        assert [version.split("-")[0] for version in versions] == ["format", "other"]
    assert prelabel("predict", "my photos", *arguments[:2], "-o", "one.json").status == 0
    for task in read(tmp_path / "one.json"):
        assert [p["model_version"].split("-")[0] for p in task["predictions"]] == ["format"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to predict"),
        (["in.json"], "--label-config is missing"),
        (["in.json", *PATTERN], "-o OUTPUT"),
        (["in.json", *PATTERN, "-o", "out.txt"], "should end with .json"),
        (["in.json", *PATTERN, "-o", "out.json.zip"], "should end with .json"),
        (["in.json", *PATTERN, "-o", "in.json/out.json"], "cannot be written"),
        (["no.json", *PATTERN, "-o", "out.json"], "file not found"),
        (["in.json", *PATTERN, "--backend", "x", "-o", "out.json"], "Unknown backend x"),
        (["in.json", *PATTERN, "--backend", "pattern:x", "-o", "o.json"], "no choice of models"),
        (["in.json", *PATTERN, "-o", "out.json", "--push"], "--push needs --project"),
        (["--project", "1", *PATTERN, "-o", "out.json"], "LABEL_STUDIO_URL"),
        (["in.json", "--label-config", "in.json", "-o", "out.json"], "not well-formed"),
        (["in.json", "--label-config", "i.xml", "--backend=pattern", "-o=o.json"], "Nothing in"),
        (["here", "--label-config", TEXT_CONFIG, "--backend=pattern", "-o=o.json"], "no files of"),
        (["here", "--label-config", "two.xml", "--backend=pattern", "-o=o.json"], "one medium"),
    ],
)
def test_unusable_arguments(
    arguments: list[Any], message: str, prelabel: Command, tmp_path: Path
) -> None:
    (tmp_path / "in.json").write_bytes(b"[]")
    (tmp_path / "i.xml").write_text(IMAGE_CONFIG)
    (tmp_path / "two.xml").write_text(
        TEXT_CONFIG.read_text().replace("</View>", '<Text name="b" value="$b"/></View>')
    )
    (tmp_path / "here").mkdir()
    ran = prelabel("predict", *arguments)
    assert ran.status == 2
    assert message in " ".join(ran.err.replace("│", " ").split())
    assert not (tmp_path / "out.json.part").exists()


# Being stopped


def finished(folder: Path, name: str = "in.jsonl", out: str = "out.json") -> tuple[bytes, bytes]:
    """What an undisturbed run makes: the file, and its failures."""
    with start(folder, "predict", name, *PATTERN, "-o", f"whole-{out}") as process:
        process.wait(120)
    failed = folder / f"whole-{out}.failures.jsonl"
    return (folder / f"whole-{out}").read_bytes(), failed.read_bytes() if failed.exists() else b""


def test_killed_at_several_moments(tmp_path: Path) -> None:
    given = texts(6000)
    for number in range(0, 6000, 300):
        given[number] = {"data": {"none": number}}
    (tmp_path / "in.jsonl").write_bytes(b"{broken\n" + lines(*given))
    whole = finished(tmp_path)
    out, part = tmp_path / "out.json", tmp_path / "out.json.part"
    done = []
    for share in (0.0, 0.2, 0.5):
        arguments = ["predict", "in.jsonl", *PATTERN, "-o", "out.json", "--resume"]
        with start(tmp_path, *arguments) as process:
            until = time.monotonic() + 120
            while not part.exists() or part.stat().st_size < share * len(whole[0]):
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
        assert not out.exists()
        done.append(part.read_bytes().count(b"\n"))
    assert done == sorted(done)
    assert 1000 < done[-1] < 6000
    with start(tmp_path, *arguments) as process:
        assert process.wait(120) == 1
    failed = tmp_path / "out.json.failures.jsonl"
    assert (out.read_bytes(), failed.read_bytes()) == whole
    assert whole[1].count(b"\n") == 21
    assert not part.exists()


def test_two_runs_on_one_output(prelabel: Command, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(lines(*texts(5)))
    arguments = ["predict", "in.jsonl", *PATTERN, "-o", "out.json"]
    head = {"label_config": "", "model_versions": []}
    with ImportFile(tmp_path / "out.json", head, resume=False):
        ran = prelabel(*arguments, "--resume")
        assert ran.status == 2
        assert "out.json.part is being written by another process" in ran.err
        assert "is left from an interrupted run" in prelabel(*arguments).err


def test_journal_cut_anywhere(prelabel: Command, tmp_path: Path) -> None:
    """What a kill leaves is a beginning of the journal, and the failures up to there or more."""
    given = [*texts(3), {"data": {}}, *texts(2)]
    (tmp_path / "in.jsonl").write_bytes(lines(*given[:2]) + b"broken\n" + lines(*given[2:], 3))
    arguments = ["predict", "in.jsonl", *PATTERN, "-o", "out.json"]
    assert prelabel(*arguments).status == 1
    whole, failed = (tmp_path / "out.json").read_bytes(), tmp_path / "out.json.failures.jsonl"
    wrong = failed.read_bytes()
    journal = whole_journal(tmp_path, prelabel)
    for end in range(0, len(journal), 97):
        (tmp_path / "out.json").unlink()
        (tmp_path / "out.json.part").write_bytes(journal[:end])
        failed.write_bytes(wrong + b'{"index": 6, "rea')
        assert prelabel(*arguments, "--resume").status == 1
        assert (tmp_path / "out.json").read_bytes() == whole, end
        assert failed.read_bytes() == wrong, end


def whole_journal(folder: Path, prelabel: Command) -> bytes:
    """The journal of a run, caught before it is made into the file."""
    kept: list[bytes] = []
    finish = ImportFile.finish

    def keep(file: ImportFile) -> None:
        file.flush()
        kept.append(file.part.read_bytes())
        finish(file)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ImportFile, "finish", keep)
        prelabel("predict", "in.jsonl", *PATTERN, "-o", "out.json")
    return kept[0]


def test_killed_while_the_file_is_made(prelabel: Command, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(lines(*texts(5)))
    journal = whole_journal(tmp_path, prelabel)
    whole = (tmp_path / "out.json").read_bytes()
    (tmp_path / "out.json.part").write_bytes(journal)
    (tmp_path / "out.json.new").write_bytes(whole[:50])
    ran = prelabel("predict", "in.jsonl", *PATTERN, "-o", "out.json", "--resume")
    assert ran.status == 0
    assert "5 tasks done already" in ran.err
    assert (tmp_path / "out.json").read_bytes() == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.json"]


def test_resume_of_what_is_finished_or_never_begun(prelabel: Command, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(lines(*texts(2), {"data": {}}))
    arguments = ["predict", "in.jsonl", *PATTERN, "-o", "out.jsonl", "--resume"]
    assert prelabel(*arguments).status == 1
    before = (tmp_path / "out.jsonl").stat()
    ran = prelabel(*arguments)
    assert ran.status == 1, "a task failed in the run that finished it"
    assert "finished already" in ran.out
    assert (tmp_path / "out.jsonl").stat() == before


def test_interrupted_run_is_not_thrown_away(prelabel: Command, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(lines(*texts(2)))
    journal = whole_journal(tmp_path, prelabel)
    (tmp_path / "out.json.part").write_bytes(journal)
    ran = prelabel("predict", "in.jsonl", *PATTERN, "-o", "out.json")
    assert ran.status == 2
    assert "use --resume to continue it, or delete it to start over" in ran.err
    assert (tmp_path / "out.json.part").read_bytes() == journal


@pytest.mark.parametrize(
    ("tasks", "config", "message"),
    [
        (texts(3)[1:], None, "task 0 (line 1) is not what out.json.part was begun with"),
        (texts(1), None, "the input, which ends here, is not what"),
        (texts(2), "Date", "label_config was"),
    ],
)
def test_resume_with_another_input_or_config(
    tasks: list[Any], config: str | None, message: str, prelabel: Command, tmp_path: Path
) -> None:
    (tmp_path / "in.jsonl").write_bytes(lines(*texts(2)))
    journal = whole_journal(tmp_path, prelabel)
    (tmp_path / "out.json.part").write_bytes(journal)
    (tmp_path / "in.jsonl").write_bytes(lines(*tasks))
    (tmp_path / "c.xml").write_text(TEXT_CONFIG.read_text().replace(config or "-", "Dates"))
    arguments = ["--label-config", "c.xml" if config else TEXT_CONFIG, "--backend", "pattern"]
    ran = prelabel("predict", "in.jsonl", *arguments, "-o", "out.json", "--resume")
    assert ran.status == 2
    assert message in ran.err
    assert (tmp_path / "out.json.part").read_bytes() == journal


def test_interrupt_says_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(lines(*texts(20_000)))
    arguments = ["predict", "in.jsonl", *PATTERN, "-o", "out.jsonl"]
    with start(tmp_path, *arguments, stderr=-1) as process:
        part = tmp_path / "out.jsonl.part"
        while process.poll() is None and not (part.exists() and part.stat().st_size > 100_000):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        output = process.stderr.read().decode()
    assert process.returncode == 130
    assert "Interrupted; continue with --resume" in output
    assert "Traceback" not in output


def test_help(prelabel: Command) -> None:
    ran = prelabel("predict", "--help")
    assert ran.status == 0
    assert [
        word
        for word in ("INPUT", "--resume", "--push", "--url-prefix", "FOLDER")
        if word not in ran.out
    ] == []


def test_what_is_not_filled_is_said_once(prelabel: Command, tmp_path: Path) -> None:
    """Each sentence in a line of its own, and not in the log, too."""
    (tmp_path / "in.json").write_bytes(lines({"data": {"text": "3 May", "photo": "a.png"}}))
    (tmp_path / "image.xml").write_text(IMAGE_CONFIG)
    other = '<Labels name="other" toName="text" model_backend="nobody"><Label value="A"/></Labels>'
    (tmp_path / "text.xml").write_text(
        TEXT_CONFIG.read_text().replace("</View>", f"{other}</View>")
    )
    nothing = prelabel(
        "predict", "in.json", "--label-config", "image.xml", "--backend=pattern", "-o=o.json"
    )
    assert nothing.err.startswith("prelabel: Nothing in this label config can be filled")
    assert len(nothing.err.splitlines()) == 1
    ran = prelabel("predict", "in.json", *PATTERN[2:], "--label-config", "text.xml", "-o=o.json")
    assert ran.status == 0
    [output] = [line for line in ran.err.splitlines() if "nobody" in line]
    assert output.startswith('prelabel: Labels "other" is left to the backend "nobody"')


EXAMPLES_CONFIG = """<View><Image name="image" value="$image"/>
  <RectangleLabels name="label" toName="image" model_examples="annotated">
    <Label value="Wide"/></RectangleLabels></View>"""


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("tasks.json", "no box with a label of it is annotated in the project yet"),
        ("-", "its examples are in the inputs, which are read twice, so name a file instead of -"),
    ],
)
def test_examples_that_are_not_there_are_named(
    source: str,
    message: str,
    prelabel: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DETECTION_MODEL", "yoloe-11s-seg.pt")
    (tmp_path / "config.xml").write_text(EXAMPLES_CONFIG)
    (tmp_path / "tasks.json").write_text('[{"data": {"image": "https://example.com/a.png"}}]')
    asked = ("--label-config", "config.xml", "--backend", "detection", "-o", "out.json")
    ran = prelabel("predict", source, *asked)
    assert ran.status == 2
    assert message in ran.err
