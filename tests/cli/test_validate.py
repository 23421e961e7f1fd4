"""`prelabel validate` on files of every kind, whole and broken."""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import REPO, TEXT_CONFIG, Command, start

GUIDE = REPO / "tests" / "e2e" / "guide"


def span(**changes: Any) -> dict[str, Any]:
    value = {"start": 0, "end": 5, "text": "Hello", "labels": ["Person"]}
    result = {"id": "a", "from_name": "label", "to_name": "text", "type": "labels", "value": value}
    return result | changes


def task(**prediction: Any) -> dict[str, Any]:
    whole = {"model_version": "one", "score": 0.5, "result": [span()]} | prediction
    return {"data": {"text": "Hello there"}, "predictions": [whole]}


def lines(*values: Any) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def found(out: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The findings and the summary of `--format json`."""
    *findings, last = map(json.loads, out.splitlines())
    return findings, last["summary"]


GOOD = task()
KINDS: dict[str, tuple[bytes, int]] = {
    "list": (json.dumps([GOOD, GOOD]).encode(), 2),
    "list over lines": (json.dumps([GOOD, GOOD], indent=2).encode(), 2),
    "empty list": (b" [ ]\n", 0),
    "one object": (json.dumps(GOOD).encode(), 1),
    "one object over lines": (json.dumps(GOOD, indent=1).encode(), 1),
    "objects over lines": (2 * json.dumps(GOOD, indent=1).encode(), 2),
    "JSON Lines": (lines(GOOD, GOOD, GOOD), 3),
    "JSON Lines, blank ones between": (b"\n" + lines(GOOD) + b"\r\n \n" + lines(GOOD), 2),
    "JSON Lines without the last end": (lines(GOOD, GOOD).strip(), 2),
    "byte order mark before a list": (b"\xef\xbb\xbf" + json.dumps([GOOD]).encode(), 1),
    "byte order mark before lines": (b"\xef\xbb\xbf" + lines(GOOD, GOOD), 2),
    "data without a key of its own": (lines({"text": "Hello"}), 1),
    "large values": (json.dumps([task() | {"meta": {"x": "é" * 700_000}}, GOOD]).encode(), 2),
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file(kind: str, packed: bool, prelabel: Command, tmp_path: Path) -> None:
    content, tasks = KINDS[kind]
    file = tmp_path / "a file"
    file.write_bytes(gzip.compress(content) if packed else content)
    ran = prelabel("validate", file, "--label-config", TEXT_CONFIG, "--format", "json")
    findings, summary = found(ran.out)
    assert (findings, ran.status) == ([], 0)
    assert summary["tasks"] == tasks


BROKEN: dict[str, tuple[bytes, list[tuple[int, int, str]], int]] = {
    # the file, the findings as task, line and what the message holds, the whole tasks
    "line": (lines(GOOD) + b'{"data":\n' + lines(GOOD), [(1, 2, "end of data (column 9)")], 2),
    "first line": (b'{"da\n' + lines(GOOD, GOOD), [(0, 1, "Not JSON")], 2),
    "line that is not UTF-8": (b'{"data":"\xff"}\n' + lines(GOOD), [(0, 1, "UTF-8")], 1),
    "NaN in a line": (b'{"data": NaN}\n' + lines(GOOD), [(0, 1, "column 10")], 1),
    "NaN in a list": (b'[{"data": NaN},\n{"text": "a"}]', [(0, 1, "NaN is not a JSON number")], 1),
    "list, cut off in a task": (
        b"[" + json.dumps(GOOD).encode() + b',\n{"data": {"text": "Hel',
        [(1, 2, "Unterminated string")],
        1,
    ),
    "list, cut off after a task": (
        b"[" + json.dumps(GOOD).encode() + b"\n",
        [(1, 2, 'Expected a comma or the list\'s "]", the file ends (line 2, column 1)')],
        1,
    ),
    "list without a comma": (
        b'[{"text": "a"}\n{"text": "b"}]',
        [(1, 2, 'found "{" (line 2, column 1)')],
        1,
    ),
    "list with one comma more": (b'[{"text": "a"},\n]', [(1, 2, "(line 2, column 1)")], 1),
    "two lists": (b'[{"text": "a"}]\n[]', [(1, 2, "more after the list's end")], 1),
    "list that is not UTF-8": (b'[{"text": "a"}, {"text": "\xe9"}]', [(1, 1, "0xe9")], 1),
    "empty": (b"", [(0, 1, "The file is empty")], 0),
    "spaces": (b" \n ", [(0, 1, "The file is empty")], 0),
    "no JSON": (b"text,label\na,b\n", [(0, 1, "The file is not JSON")], 0),
    "deep": (b"[" + 100_000 * b"[", [(0, 1, "nested too deep")], 0),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_file(kind: str, prelabel: Command, tmp_path: Path) -> None:
    content, expected, tasks = BROKEN[kind]
    (tmp_path / "file").write_bytes(content)
    ran = prelabel("validate", "file", "--label-config", TEXT_CONFIG, "--format", "json")
    findings, summary = found(ran.out)
    assert ran.status == 1
    assert summary["tasks"] == tasks
    for finding, (number, line, message) in zip(findings, expected, strict=True):
        assert (finding["task"], finding["line"], finding["rule"]) == (number, line, "broken")
        assert message in finding["message"]


@pytest.mark.parametrize("kind", ["list", "lines"])
def test_gzip_cut_off(kind: str, prelabel: Command, tmp_path: Path) -> None:
    tasks = [task() | {"id": number} for number in range(5000)]
    content = json.dumps(tasks).encode() if kind == "list" else lines(*tasks)
    (tmp_path / "file").write_bytes(gzip.compress(content)[:-2000])
    ran = prelabel("validate", "file", "--label-config", TEXT_CONFIG, "--format", "json")
    [finding], summary = found(ran.out)
    assert ran.status == 1
    assert "ended before the end-of-stream marker" in finding["message"]
    assert 2000 < summary["tasks"] == finding["task"] < 5000


SILENT: dict[str, tuple[Any, str, str]] = {
    # what Label Studio stores, drops or refuses without telling the user (contract, 1, 3 and 5)
    "result null": (task(result=None), "error", "result"),
    "score is a word": (task(score="high"), "error", "score"),
    "score of 7": (task(score=7), "error", "score"),
    "model_version null": (task(model_version=None), "error", "model_version"),
    "unknown from_name": (task(result=[span(from_name="x")]), "error", "unknown_from_name"),
    "unknown label": (
        task(result=[span(value={"start": 0, "end": 5, "labels": ["Nobody"]})]),
        "error",
        "unknown_label",
    ),
    "wrong type": (task(result=[span(type="choices")]), "error", "wrong_type"),
    "wrong to_name": (task(result=[span(to_name="x")]), "error", "wrong_to_name"),
    "past the end": (
        task(result=[span(value={"start": 0, "end": 50, "labels": ["Person"]})]),
        "error",
        "past_the_end",
    ),
    "no data key": (task() | {"data": {"txt": "a"}}, "error", "missing_data"),
    "predictions null in it": (task() | {"predictions": [None]}, "error", "not_an_object"),
    "predictions no list": (task() | {"predictions": {"result": []}}, "error", "predictions"),
    "task no object": (3, "error", "not_an_object"),
    "data no object": ({"data": "x"}, "error", "data"),
    "predictions without data": ({"predictions": [{"result": []}]}, "error", "data"),
    "no result": (
        {"data": {"text": "a"}, "predictions": [{"model_version": "1"}]},
        "error",
        "result",
    ),
    "no model_version": (
        {"data": {"text": "a"}, "predictions": [{"result": []}]},
        "warning",
        "model_version",
    ),
}


@pytest.mark.parametrize("name", SILENT)
def test_silent_failures_of_label_studio(name: str, prelabel: Command, tmp_path: Path) -> None:
    value, severity, rule = SILENT[name]
    (tmp_path / "file").write_bytes(lines(GOOD, value))
    ran = prelabel("validate", "file", "--label-config", TEXT_CONFIG, "--format", "json")
    findings, summary = found(ran.out)
    assert (severity, rule) in [(found["severity"], found["rule"]) for found in findings]
    assert {found["task"] for found in findings} == {1}
    assert ran.status == (1 if severity == "error" else 0)
    assert summary["errors"] + summary["warnings"] == len(findings)


def test_finding_says_where(prelabel: Command, tmp_path: Path) -> None:
    good, bad = {"model_version": "1", "result": []}, span(from_name="lable")
    value = {"id": 7, "data": {"text": "Hello"}, "predictions": [good, good | {"result": [bad]}]}
    (tmp_path / "file").write_bytes(b"\n" + lines(value))
    ran = prelabel("validate", "file", "--label-config", TEXT_CONFIG, "--format", "json")
    [finding], summary = found(ran.out)
    message = finding.pop("message")
    assert 'did you mean "label"' in message
    assert finding == {
        "task": 0,
        "line": 2,
        "id": 7,
        "prediction": 1,
        "result": 0,
        "region": "a",
        "severity": "error",
        "rule": "unknown_from_name",
    }
    assert summary == {
        "tasks": 1,
        "predictions": 2,
        "results": 1,
        "errors": 1,
        "warnings": 0,
        "rules": {"unknown_from_name": 1},
    }


@pytest.mark.parametrize(
    ("name", "status", "rules"),
    [
        ("02-bbox-and-choices", 0, {}),
        ("03-unlabeled-regions", 1, {"wrong_type": 1}),
        ("04-text-spans", 0, {"score_in_value": 9}),
        ("05-ocr", 0, {}),
    ],
)
def test_examples_of_the_guide(
    name: str, status: int, rules: dict[str, int], prelabel: Command
) -> None:
    config = GUIDE / f"{name}.xml"
    ran = prelabel("validate", GUIDE / f"{name}.json", "--label-config", config, "--format=json")
    findings, summary = found(ran.out)
    assert (ran.status, summary["rules"]) == (status, rules)
    for finding in findings:
        if finding["severity"] == "error":
            assert finding["region"] == "DEF"
            assert '"kp" is the KeyPoint tag' in finding["message"]


def test_table(prelabel: Command, tmp_path: Path) -> None:
    bad = [task(result=[span(from_name="x")]) | {"id": number} for number in range(150)]
    (tmp_path / "file").write_bytes(lines(*bad))
    ran = prelabel("validate", "file", "--label-config", TEXT_CONFIG)
    assert ran.status == 1
    assert ran.out.count("error: unknown_from_name") == 100
    assert "and 50 more; --limit 0 shows all" in ran.out
    assert "150 tasks, 150 predictions, 150 results, 150 errors, 0 warnings" in ran.out
    assert "unknown_from_name: 150" in ran.out
    few = prelabel("validate", "file", "--label-config", TEXT_CONFIG, "--limit", 3)
    assert few.out.count("error: unknown_from_name") == 3
    everything = prelabel("validate", "file", "--label-config", TEXT_CONFIG, "--limit", 0)
    assert everything.out.count("error: unknown_from_name") == 150


def test_table_shows_any_text(prelabel: Command, tmp_path: Path) -> None:
    names = ["[red]", "\x1b[31m", "a\nb", "\ud800", "日本"]
    (tmp_path / "file").write_bytes(
        lines(*(task(result=[span(id=name, type="x")]) for name in names))
    )
    ran = prelabel("validate", "file", "--label-config", TEXT_CONFIG)
    assert ran.out.count("wrong_type") == len(names) + 1
    assert "[red]" in ran.out
    assert "\x1b" not in ran.out


def test_limit_of_json_keeps_the_summary_whole(prelabel: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(lines(*[task(score="high")] * 5))
    ran = prelabel("validate", "file", "--label-config", TEXT_CONFIG, "--format=json", "--limit=2")
    findings, summary = found(ran.out)
    assert (len(findings), summary["errors"]) == (2, 5)


BOXES = """<View><Image name="image" value="$image"/><RectangleLabels name="label" toName="image">
  <Label value="Person"/></RectangleLabels></View>"""


@pytest.mark.parametrize("form", ["list", "lines"])
def test_a_file_of_fractions_is_named_once(form: str, prelabel: Command, tmp_path: Path) -> None:
    (tmp_path / "config.xml").write_text(BOXES)
    value = {"x": 0.24, "y": 0.6, "width": 0.31, "height": 0.3, "rectanglelabels": ["Person"]}
    box = {"from_name": "label", "to_name": "image", "type": "rectanglelabels", "value": value}
    tasks = [
        {
            "data": {"image": f"/{number}.jpg"},
            "predictions": [
                {"model_version": "yolo", "result": [{**box, "id": f"{number}-{n}"} for n in "ab"]}
            ],
        }
        for number in range(20)
    ]
    text = json.dumps(tasks) if form == "list" else "\n".join(map(json.dumps, tasks))
    (tmp_path / "tasks.json").write_text(text)
    arguments = ("tasks.json", "--label-config", "config.xml", "--format", "json")
    ran = prelabel("validate", *arguments)
    [finding], summary = found(ran.out)
    assert ran.status == 0
    assert "are they fractions? Label Studio counts in percent, × 100" in finding["message"]
    assert (finding["rule"], finding["severity"]) == ("fractions", "warning")
    assert {finding[key] for key in ("task", "line", "id", "prediction", "region")} == {None}
    assert summary["rules"] == {"fractions": 1}
    table = prelabel("validate", *arguments[:3])
    assert table.out.count("warning: fractions") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no such file", "--label-config", TEXT_CONFIG], "file not found"),
        (["file"], "--label-config"),
        (["file", "--label-config", "no such file"], "does not exist"),
        (["file", "--label-config", "file"], "not well-formed"),
        (["file", "--label-config", TEXT_CONFIG, "--format", "xml"], "--format"),
        (["file", "--label-config", TEXT_CONFIG, "--limit", "-1"], "--limit"),
    ],
)
def test_unusable_arguments(
    arguments: list[Any], message: str, prelabel: Command, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"{}")
    ran = prelabel("validate", *arguments)
    assert ran.status == 2
    assert message in ran.err


def test_standard_input_in_a_light_process(tmp_path: Path) -> None:
    """Through a pipe, in a process that imports no model library, no arrays, no fetching."""
    code = (
        "import sys; from shared.cli import main\n"
        "heavy = ('torch', 'label_studio_ml', 'cv2', 'numpy', 'PIL', 'httpx')\n"
        "heavy = (*heavy, 'pydantic_settings')\n"
        "try: main()\n"
        "finally: print([name for name in heavy if name in sys.modules])"
    )
    arguments = ["validate", "-", "--label-config", str(TEXT_CONFIG), "--format", "json"]
    ran = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        input=gzip.compress(lines(GOOD, task(score=3))),
        capture_output=True,
        cwd=REPO,
        timeout=120,
    )
    *output, modules = ran.stdout.decode().splitlines()
    findings, summary = found("\n".join(output))
    assert (ran.returncode, summary["tasks"], len(findings)) == (1, 2, 1)
    assert modules == "[]"


def test_reader_that_goes_away(tmp_path: Path) -> None:
    """`| head` gets what it wants, and no traceback follows."""
    (tmp_path / "file").write_bytes(lines(*[task(score="high")] * 20_000))
    arguments = ["validate", "file", "--label-config", TEXT_CONFIG, "--format", "json"]
    with start(tmp_path, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["rule"] == "score"
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()


def test_help(prelabel: Command) -> None:
    ran = prelabel("validate", "--help")
    assert ran.status == 0
    assert [
        word for word in ("FILE", "--label-config", "--format", "--limit") if word not in ran.out
    ] == []
