"""What an actor does, without Ray: parts become files, and what is wrong becomes a sentence."""

import errno
import json
import os
import platform
from dataclasses import replace
from pathlib import Path

import pytest

from shared.bulk.ray_engine.division import EntryList, Part
from shared.bulk.ray_engine.part_file import part_path
from shared.bulk.ray_engine.part_predictor import PartPredictor, PartRequest, own_variables
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.task_file import TaskEntry
from shared.pipeline.command_plans import fetch_plans
from shared.pipeline.runtime import runtime
from tests.cli.conftest import TEXT_CONFIG

PART = Part(3, (EntryList((TaskEntry(40, 7, {"text": "on 3 May"}, source="in.json"),)),), "ab", 0.5)


@pytest.fixture
def request_(tmp_path: Path) -> PartRequest:
    xml = TEXT_CONFIG.read_text()
    [plan] = fetch_plans(runtime(), LabelConfig.parse(xml), ["pattern"])
    return PartRequest(xml, ("pattern",), (plan.version(),), tmp_path)


def test_a_part_becomes_a_file(request_: PartRequest, tmp_path: Path) -> None:
    outcome = PartPredictor(request_)(PART)
    [task] = map(json.loads, part_path(tmp_path, 3).read_bytes().splitlines())
    assert task["data"] == {"text": "on 3 May"}
    [prediction] = task["predictions"]
    assert prediction["model_version"] == request_.versions[0]
    assert outcome.problem == ""
    assert outcome.finished is not None
    assert outcome.finished.to_json() == {
        "part": 3,
        "tasks": 1,
        "bytes": part_path(tmp_path, 3).stat().st_size,
        "input": "ab",
    }
    assert outcome.progress == 0.5


def test_the_end_and_a_problem_of_the_reader_are_passed_on(request_: PartRequest) -> None:
    predictor = PartPredictor(request_)
    assert predictor(Part(4, is_end=True)).is_end
    assert predictor(Part(4, problem="in.json cannot be read")).problem == "in.json cannot be read"


def test_other_models_on_this_machine(request_: PartRequest, tmp_path: Path) -> None:
    outcome = PartPredictor(replace(request_, versions=("pattern-00000000",)))(PART)
    assert outcome.problem == (
        f"the machine {platform.node()} has other models: its predictions would be of"
        f" {request_.versions[0]}, those of the command are of pattern-00000000"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_backend_that_is_not_on_this_machine(request_: PartRequest) -> None:
    outcome = PartPredictor(replace(request_, backends=("nothing",)))(PART)
    assert "nothing" in outcome.problem


def test_output_that_is_not_on_this_machine(request_: PartRequest, tmp_path: Path) -> None:
    outcome = PartPredictor(replace(request_, folder=tmp_path / "elsewhere"))(PART)
    assert "elsewhere is not on the machine" in outcome.problem
    assert "a folder that all machines share" in outcome.problem


def test_a_full_disk(
    request_: PartRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    predictor = PartPredictor(request_)
    monkeypatch.setattr(os, "fsync", fail)
    said = f"{tmp_path}: No space left on device; continue with --resume"
    assert predictor(PART).problem == said
    assert list(tmp_path.iterdir()) == []


def test_settings_travel_but_are_not_shown(
    request_: PartRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "secret")
    asked = replace(request_, variables=own_variables())
    assert asked.variables["LABEL_STUDIO_API_KEY"] == "secret"
    assert "secret" not in repr(asked)
