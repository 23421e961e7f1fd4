"""JSON-MIN files are made by Label Studio's own converter."""

import json
from pathlib import Path

import pytest
from label_studio_sdk.converter import Converter

from shared.evaluation.annotated_task import AnnotatedTask, TaskReader
from shared.evaluation.problems import ProblemLog
from shared.evaluation.task_source import AnnotatedTasks, open_exports
from shared.label_studio.json_min import read_json_min
from shared.label_studio.label_config import LabelConfig
from shared.label_studio.task_file import TaskFile
from tests.e2e.every_type import ROWS, SCENES, Row
from tests.evaluation.tasks import Raw, annotation, raw_task

# The converter writes nothing of a region but its value, so that these are other regions then.
LOST = {"readonly, hidden, meta, parentID", "relations"}
# The editor writes the labels of a track into one result with it: two belong together by their id.
LOST |= {"videorectangle and labels"}
# The converter finds no control tag of a Pairwise's result.
UNKNOWN = {"pairwise"}
# It writes a single choice without its region.
PLACELESS = {"choices of a region", "nested of a region", "choices on hypertext"}


def convert(tasks: list[Raw], config: str, folder: Path) -> Path:
    """Return the file that Label Studio's JSON-MIN export of the tasks gives."""
    source = folder / "tasks.json"
    source.write_text(json.dumps(tasks), "utf-8")
    Converter(config, str(folder)).convert_to_json_min(str(source), str(folder / "min"), False)
    return folder / "min" / "result.json"


def read(file: Path, config: str, problems: ProblemLog) -> list[AnnotatedTask]:
    from shared.backend.process_resources import shared_resources

    parsed = LabelConfig.parse(config)
    source = open_exports([str(file)], parsed)
    return list(
        AnnotatedTasks(source, TaskReader(parsed, shared_resources().media, problems), problems)
    )


ROWS_KEPT = [row for row in ROWS if row.name not in LOST | UNKNOWN | PLACELESS]


@pytest.mark.parametrize("row", ROWS_KEPT, ids=lambda row: row.name)
def test_shapes_and_values_are_those_of_the_full_export(row: Row, tmp_path: Path) -> None:
    scene, problems = SCENES[row.scene], ProblemLog()
    raw = raw_task(scene.data(), [annotation(row.regions(), created_at="2026-11-28")])
    full = tmp_path / "full.json"
    full.write_text(json.dumps([raw]), "utf-8")
    [expected] = read(full, scene.config, problems)
    [task] = read(convert([raw], scene.config, tmp_path), scene.config, problems)
    assert not list(problems)
    assert (task.id, task.data) == (expected.id, expected.data)
    assert sorted(_values(task)) == sorted(_values(expected))


@pytest.mark.parametrize("name", sorted(PLACELESS))
def test_choices_without_their_region_are_reported(name: str, tmp_path: Path) -> None:
    [row] = [row for row in ROWS if row.name == name]
    scene, problems = SCENES[row.scene], ProblemLog()
    raw = raw_task(scene.data(), [annotation(row.regions())])
    [task] = read(convert([raw], scene.config, tmp_path), scene.config, problems)
    [problem] = problems
    assert "but a result of it does not say of which" in str(problem)
    assert all(
        not control.name.startswith(("choices", "nested"))
        for region in task.annotations[0].regions
        for control in region.values
    )


def _values(task: AnnotatedTask) -> list[str]:
    """Return each control tag's values with their shapes; regions are told apart no more."""
    return [
        f"{control.name} {value} {_shape(region.shape)}"
        for region in task.annotations[0].regions
        for control, value in region.values.items()
    ]


def _shape(shape: object) -> str:
    mask = getattr(shape, "mask", None)
    return str(shape) if mask is None else f"mask of {int(mask.astype(bool).sum())} pixels"


def test_annotations_of_one_task_are_one_task(tmp_path: Path) -> None:
    config = SCENES["text"].config
    [row] = [row for row in ROWS if row.name == "labels on text"]
    made = [
        annotation(row.regions(), id=number, completed_by=number, created_at=f"2026-11-2{number}")
        for number in (1, 2)
    ]
    tasks = [
        raw_task({"data": "a b c"}, made, task_id=1),
        raw_task({"data": "d e f"}, [made[0]], task_id=2),
    ]
    found = read(convert(tasks, config, tmp_path), config, ProblemLog())
    assert [[one.id for one in task.annotations] for task in found] == [[2, 1], [1]]
    assert [one.annotator for one in found[0].annotations] == ["2", "1"]


def test_tasks_without_annotations_are_unknown(tmp_path: Path) -> None:
    config = SCENES["text"].config
    [task] = read(convert([raw_task({"data": "a"})], config, tmp_path), config, ProblemLog())
    assert (task.data, task.annotations) == ({"data": "a"}, ())


def test_other_files_stay_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "tasks.jsonl"
    file.write_text('{"id": 1, "data": {"text": "a"}, "annotations": []}\nbroken\n{"text": "b"}\n')
    config = LabelConfig.parse(SCENES["text"].config)
    entries = list(TaskFile(str(file)))
    assert list(read_json_min(entries, config)) == entries
