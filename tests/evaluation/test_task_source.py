import gzip
import json
from pathlib import Path

import pytest

from shared.backend.process_resources import shared_resources
from shared.errors import SettingError
from shared.evaluation.annotated_task import TaskReader
from shared.evaluation.problems import ProblemLog
from shared.evaluation.task_source import AnnotatedTasks, open_exports
from shared.label_studio.label_config import LabelConfig
from tests.evaluation.tasks import annotation, raw_task

CONFIG = LabelConfig.parse(
    '<View><Text name="text" value="$text"/><Choices name="choice" toName="text">'
    '<Choice value="a"/></Choices></View>'
)
TASKS = [raw_task({"text": str(number)}, [annotation()], task_id=number) for number in range(3)]


def write(file: Path) -> str:
    lines = "".join(json.dumps(task) + "\n" for task in TASKS)
    text = lines if ".jsonl" in file.name else json.dumps(TASKS)
    packed = gzip.compress(text.encode()) if file.suffix == ".gz" else text.encode()
    file.write_bytes(packed)
    return str(file)


def read(names: list[str], problems: ProblemLog) -> list[object]:
    source = open_exports(names, CONFIG)
    tasks = AnnotatedTasks(source, TaskReader(CONFIG, shared_resources().media, problems), problems)
    found = [(task.number, task.id) for task in tasks]
    assert tasks.fraction == 1.0
    return found


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.json.gz", "a.jsonl.gz"])
def test_exports_of_every_kind(name: str, tmp_path: Path) -> None:
    problems = ProblemLog()
    assert read([write(tmp_path / name)], problems) == [(0, 0), (1, 1), (2, 2)]
    assert not list(problems)


def test_files_follow_each_other(tmp_path: Path) -> None:
    names = [write(tmp_path / name) for name in ("a.json", "b.jsonl")]
    assert [number for number, _ in read(names, ProblemLog())] == [0, 1, 2, 3, 4, 5]


def test_broken_line_costs_itself(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(f"{json.dumps(TASKS[0])}\n{{broken\n{json.dumps(TASKS[2])}\n")
    problems = ProblemLog()
    assert read([str(file)], problems) == [(0, 0), (2, 2)]
    [problem] = problems
    assert "task 1 (line 2)" in str(problem)


def test_empty_file_is_a_problem(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text("")
    problems = ProblemLog()
    assert read([str(file)], problems) == []
    assert "The file is empty" in str(next(iter(problems)))


def test_half_characters_and_endless_numbers_cost_nothing(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    tasks = [raw_task({"text": "\ud800", "n": 10**400}, [annotation(lead_time=10**400)], task_id=0)]
    deep: list[object] = []
    for _ in range(400):
        deep = [deep]
    tasks += [raw_task({"text": deep}, task_id=1), raw_task({"text": "x"}, task_id=2)]
    file.write_text(json.dumps(tasks))
    problems = ProblemLog()
    assert read([str(file)], problems) == [(0, 0), (2, 2)]
    [problem] = problems
    assert str(problem).startswith(f"The value is nested too deep ({file}: task 1")


def test_standard_input_is_read_once() -> None:
    with pytest.raises(SettingError, match="only once"):
        open_exports(["-", "-"], CONFIG)


def test_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="file not found"):
        open_exports([str(tmp_path / "none.json")], CONFIG)
