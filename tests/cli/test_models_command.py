"""`prelabel models`: the list of versions, and which of them serve."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.settings import Settings, read_settings
from shared.training.version_store import TrainedVersion, VersionStore

from .conftest import REPO, Command

Add = Callable[..., TrainedVersion]


def control_part(f1: float, interval: list[float]) -> dict[str, Any]:
    return {"tag": "RectangleLabels", "tasks": 12, "f1": f1, "interval": {"f1": interval}}


BETTER = {
    "candidate": control_part(0.9, [0.85, 0.95]),
    "serving": control_part(0.5, [0.4, 0.6]),
    "serving_version": "detection-1a2b",
    "is_better": True,
    "reason": "F1 rose by 0.400",
}
WORSE = {
    "candidate": control_part(0.1, [0.05, 0.2]),
    "serving": control_part(0.9, [0.85, 0.95]),
    "serving_version": "v1-abcdef01",
    "is_better": False,
    "reason": "F1 fell by 0.800: kept as a candidate",
}


@pytest.fixture
def add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Add:
    """Add a version to TRAIN_DIR, which is `training` in the test's folder."""
    monkeypatch.setenv("TRAIN_DIR", str(tmp_path / "training"))
    read_settings.cache_clear()
    store = VersionStore(read_settings(Settings).train_dir)

    def add_version(
        project: str = "7.1700000000", control: str = "shape", figures: Any = BETTER
    ) -> TrainedVersion:
        staged = tmp_path / "staged"
        (staged / "weights").mkdir(parents=True)
        (staged / "weights" / "model.bin").write_bytes(b"weights")
        details = {
            "snapshot": "abcdef0123",
            "created": "2026-11-28T10:00:00+00:00",
            "figures": figures,
        }
        return store.add(staged, project, "detection", control, details)

    return add_version


def store() -> VersionStore:
    return VersionStore(read_settings(Settings).train_dir)


def test_list(prelabel: Command, add: Add) -> None:
    first, second = add(), add(figures=WORSE)
    store().promote(first)
    ran = prelabel("models", "--project", 7)
    assert ran.status == 0, ran.err
    lines = [" ".join(line.split()) for line in ran.out.splitlines() if line.strip()]
    assert lines[0] == "Project 7.1700000000"
    assert lines[1] == "shape backend trained tasks F1"
    assert lines[3:] == [
        "v2-abcdef01 candidate detection 2026-11-28 10:00 12 0.100",
        "0.050–0.200",
        "beside v1-abcdef01 0.900",
        "0.850–0.950",
        "v1-abcdef01 serves detection 2026-11-28 10:00 12 0.900",
        "0.850–0.950",
        "beside detection-1a2b 0.500",
        "0.400–0.600",
        "v2-abcdef01: F1 fell by 0.800: kept as a candidate",
        "v1-abcdef01: F1 rose by 0.400",
    ]
    written = json.loads(prelabel("models", "--project", 7, "--format", "json").out)
    assert [(v["version"], v["state"]) for v in written["7.1700000000"]] == [
        (second.name, "candidate"),
        (first.name, "serves"),
    ]
    assert written["7.1700000000"][1]["figures"] == BETTER


def test_figures_that_do_not_fit_are_named(
    prelabel: Command, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(figures={"candidate": control_part(0.9, [0.85, 0.95]) | {"precision": 0.5, "ap50": 0.25}})
    monkeypatch.setattr("shared.cli.tables.TABLE_WIDTH", 90)
    ran = prelabel("models", "--project", 7)
    assert "not shown: AP50 (--format json has all)" in ran.out
    assert "0.250" not in ran.out


def test_all_projects_are_listed_without_one(prelabel: Command, add: Add) -> None:
    add(figures={})
    add("photos", "kind")
    ran = prelabel("models")
    assert ran.status == 0, ran.err
    assert "Project 7.1700000000" in ran.out
    assert "Project photos" in ran.out
    assert store().list_projects() == ["7.1700000000", "photos"]


def test_promote_and_roll_back(prelabel: Command, add: Add) -> None:
    first, second = add(), add(figures=WORSE)
    key = "7.1700000000"
    assert prelabel("models", "promote", "--project", 7, "v1").out.startswith(
        "shape: v1-abcdef01 serves, in running servers within 10 s"
    )
    assert store().serving_versions(key) == {"shape": first}
    assert prelabel("models", "promote", "--project", key).status == 0, "the newest"
    assert store().serving_versions(key) == {"shape": second}
    assert (
        prelabel("models", "promote", first.name, "--project", 7, "--control", "shape").status == 0
    )
    ran = prelabel("models", "rollback", "--project", 7)
    assert "shape: v2-abcdef01 serves again" in ran.out
    assert "served before" not in prelabel("models", "--project", 7).out
    prelabel("models", "rollback", "--project", 7)
    ran = prelabel("models", "rollback", "--project", 7)
    assert (ran.status, ran.err) == (
        2,
        'prelabel: project 7.1700000000: no trained version serves "shape"\n',
    )


def test_rollback_is_quick(prelabel: Command, add: Add) -> None:
    """Under 5 s with the start of Python, as a user waits for it; of the processor's time."""
    store().promote(add())
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = subprocess.run(
        [sys.executable, "-m", "shared.cli", "models", "rollback", "--project", "7"],
        env=os.environ | {"PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    assert "the model without training serves again" in ran.stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--project", "8"), 'there is no project "8"; there are: 7.1700000000, 9.1, 9.2'),
        (("--project", "9"), 'project "9" is one of 9.1, 9.2'),
        (("promote", "--project", "7", "v9"), 'no version "v9" of "shape"; there are: v1-abcdef01'),
        (
            ("promote", "--project", "7", "--control", "x"),
            'has no versions of "x"; it has of shape',
        ),
        (("promote", "--project", "9.1"), "has versions of kind, shape: say --control"),
        (("rollback", "--project", "7"), 'no trained version serves "shape"'),
    ],
    ids=["project", "two Label Studios", "version", "control tag", "which tag", "nothing serves"],
)
def test_what_is_not_there(
    arguments: tuple[str, ...], message: str, prelabel: Command, add: Add
) -> None:
    for project, control in (
        ("7.1700000000", "shape"),
        ("9.1", "shape"),
        ("9.1", "kind"),
        ("9.2", "shape"),
    ):
        add(project, control)
    ran = prelabel("models", *arguments)
    assert ran.status == 2
    assert message in ran.err


@pytest.mark.parametrize("arguments", [(), ("--project", "7"), ("rollback", "--project", "7")])
def test_nothing_trained_yet(
    arguments: tuple[str, ...], prelabel: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAIN_DIR", "nowhere")
    read_settings.cache_clear()
    ran = prelabel("models", *arguments)
    assert ran.status == 2
    assert "TRAIN_DIR (nowhere) has no trained versions: train with `prelabel train`" in ran.err


def test_version_without_weights_is_not_promoted(prelabel: Command, add: Add) -> None:
    version = add()
    (version.folder / "weights" / "model.bin").unlink()
    (version.folder / "weights").rmdir()
    ran = prelabel("models", "promote", "--project", 7)
    assert "v1-abcdef01 of shape has no weights any more" in ran.err
    assert ran.status == 2
