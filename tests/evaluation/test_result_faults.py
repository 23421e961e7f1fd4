from typing import Any

import pytest

from shared.evaluation.problems import ProblemLog
from shared.evaluation.result_faults import find_fault
from tests.evaluation.tasks import annotation, raw_task, read_task

CONFIG = "<View><Text name='t' value='$t'/><Labels name='c' toName='t'><Label value='A'/></Labels></View>"  # noqa: E501
RESULT = {
    "id": "a",
    "from_name": "c",
    "to_name": "t",
    "type": "labels",
    "score": 0.5,
    "value": {"start": 0, "end": 3, "labels": ["A"]},
}


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"score": None, "item_index": None, "id": None},
        {"score": 1, "item_index": 0, "id": 17, "original_width": 640.0},
        {"value": {"start": 1_764_321_000_000_000_000, "end": -3.5}},
    ],
    ids=["all right", "null", "other kinds of numbers", "nanoseconds"],
)
def test_what_is_right_has_no_fault(keys: dict[str, Any]) -> None:
    assert find_fault({**RESULT, **keys}) is None


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({"score": "high"}, '"score" is a string, expected a number'),
        ({"score": float("inf")}, '"score" is inf, expected at most 1e+20'),
        ({"id": ["a"]}, '"id" is a list, expected a text'),
        ({"item_index": [1]}, '"item_index" is a list, expected a number'),
        ({"original_width": "640"}, '"original_width" is a string, expected a number'),
        ({"original_width": 1e308}, '"original_width" is 1e+308, expected at most 1e+20'),
        ({"score": 10**400}, '"score" is an integer of hundreds of digits, expected at most 1e+20'),
        ({"original_height": 0}, '"original_height" is 0, expected at least a pixel'),
        ({"value": {"x": 1e308}}, '"x" is 1e+308, expected at most 1e+20'),
        ({"value": {"sequence": [{"x": -1e308}]}}, '"x" is -1e+308, expected at most 1e+20'),
        ({"value": {"imageDataURL": "data:"}}, '"original_width" is missing'),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_faults_name_the_key_and_what_was_expected(keys: dict[str, Any], fault: str) -> None:
    assert find_fault({**RESULT, **keys}) == fault


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"score": "high"}, '"score" is a string'),
        ({"value": {"start": None, "end": 3, "labels": ["A"]}}, "cannot be read"),
        ({"value": {"start": "x", "end": 3, "labels": ["A"]}}, "cannot be read"),
    ],
    ids=["score", "no offset", "offset"],
)
def test_a_fault_costs_its_region_only(broken: dict[str, Any], message: str) -> None:
    problems = ProblemLog()
    made = annotation(result=[{**RESULT, "id": "b", **broken}, RESULT])
    task = read_task(raw_task({"t": "text"}, [made], task_id=12), CONFIG, problems)
    assert [one.id for one in task.annotations[0].regions] == ["a"]
    (problem,) = problems
    assert message in str(problem)
    assert "task 12" in str(problem)
