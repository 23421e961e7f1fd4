"""`prelabel evaluate` of files; tests/e2e has those of a project."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

import shared.cli.evaluate  # noqa: F401  # registers the command
from shared.cli import app
from shared.errors import SettingError
from tests.evaluation.tasks import annotation, prediction, raw_task

TEXT = "It cost $5 million on 3 May 2024."
CONFIG = """<View><Text name="text" value="$text"/><Labels name="label" toName="text">
<Label value="Money"/><Label value="Date"/></Labels></View>"""


def span(label: str, text: str) -> dict[str, Any]:
    start = TEXT.index(text)
    value = {"start": start, "end": start + len(text), "text": text, "labels": [label]}
    return {"id": label, "from_name": "label", "to_name": "text", "type": "labels", "value": value}


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """A file with one annotated task, whose stored prediction lacks the date, and the config."""
    truth = annotation(result=[span("Money", "$5 million"), span("Date", "3 May 2024")])
    stored = prediction(result=[span("Money", "$5 million")])
    tasks = [raw_task({"text": TEXT}, [truth], [stored]), raw_task({"text": "x"}, task_id=2)]
    (tmp_path / "tasks.json").write_text(json.dumps(tasks))
    (tmp_path / "config.xml").write_text(CONFIG)
    return [str(tmp_path / "tasks.json"), "--label-config", str(tmp_path / "config.xml")]


def run(*words: str) -> Result:
    result = CliRunner().invoke(app, ["evaluate", *words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_stored_predictions(files: list[str]) -> None:
    report = json.loads(run(*files, "--format", "json").stdout)
    assert report["tasks"] == {"read": 2, "annotated": 1}
    label = report["versions"]["v1"]["controls"]["label"]
    assert (label["precision"], label["recall"]) == (1, 0.5)


def test_predictions_of_a_run_now(files: list[str]) -> None:
    report = json.loads(run(*files, "--backend", "pattern", "--format", "json").stdout)
    assert report["tasks"] == {"read": 2, "annotated": 1}
    [(version, found)] = report["versions"].items()
    assert version.startswith("pattern-")
    assert found["controls"]["label"]["f1"] == 1


def test_tables_and_the_report(files: list[str], tmp_path: Path) -> None:
    result = run(*files, "-o", str(tmp_path / "report"))
    assert "v1: 1 task with a prediction" in result.stdout
    assert (tmp_path / "report" / "report.html").is_file()
    written = json.loads((tmp_path / "report" / "report.json").read_text())
    assert written["versions"]["v1"]["controls"]["label"]["recall"] == 0.5


def test_unknown_version_names_those_that_are_stored(files: list[str]) -> None:
    with pytest.raises(SettingError, match='of version "v2"; stored are: "v1"'):
        run(*files, "--version", "v2")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to read"),
        (["tasks.json"], "--label-config is missing"),
        (["tasks.json", "--push"], "need --project"),
    ],
    ids=["no input", "no label config", "push of a file"],
)
def test_wrong_options(words: list[str], message: str) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
