"""`prelabel next` of files: the order by each strategy, and what it says where it knows nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.backend import Backend

from .conftest import TEXT_CONFIG, Command

TEXT = "On 3 May 2024 we paid $5 million."


def span(score: float | None = None, label: str = "Money") -> dict[str, Any]:
    result = {
        "id": label,
        "from_name": "label",
        "to_name": "text",
        "type": "labels",
        "value": {"start": 22, "end": 32, "text": TEXT[22:32], "labels": [label]},
    }
    return result if score is None else result | {"score": score}


def task(number: int, predictions: dict[str, list[Any]], annotated: bool = False) -> dict[str, Any]:
    return {
        "id": number,
        "data": {"text": TEXT},
        "annotations": [{"result": [span()]}] if annotated else [],
        "predictions": [
            {"model_version": version, "result": result} for version, result in predictions.items()
        ],
    }


def write(tasks: list[Any]) -> Path:
    path = Path("tasks.json")
    path.write_text(json.dumps(tasks))
    return path


def test_uncertain_tasks_come_first(prelabel: Command) -> None:
    tasks = [
        task(7, {"v1": [span(0.9)]}),
        task(8, {"v1": [span(0.6)]}),
        task(9, {"v1": [span(0.5)]}, annotated=True),
        task(10, {}),
    ]
    ran = prelabel("next", write(tasks), "--label-config", TEXT_CONFIG)
    assert ran.status == 0
    rows = [line.split() for line in ran.out.splitlines()]
    assert rows[:4] == [
        ["rank", "task", "margin"],
        ["1", "8", "0.200"],
        ["2", "7", "0.800"],
        ["3", "10", "unknown"],
    ]
    assert ran.out.splitlines()[-1] == "3 of 3 tasks without annotation are in the order"
    assert "prelabel: tasks have no prediction: they come last (task 10)" in ran.err


def test_order_is_written(prelabel: Command) -> None:
    source = write([task(n, {"v1": [span(0.5 + n / 100)]}) for n in range(30)])
    arguments = ("--label-config", TEXT_CONFIG, "--limit", 20, "-o", "orders/next.jsonl")
    ran = prelabel("next", source, *arguments)
    written = [json.loads(line) for line in Path("orders/next.jsonl").read_text().splitlines()]
    assert [one["task"] for one in written] == list(range(20))
    assert written[3] == {
        "rank": 4,
        "task": 3,
        "number": 3,
        "score": pytest.approx(0.06),
    }
    assert ran.out.count("\n") == 12, "the table shows the first ten"
    assert "20 of 30 tasks" in ran.out


def test_disagreement_of_versions(prelabel: Command) -> None:
    tasks = [
        task(1, {"v1": [span()], "v2": [span()]}),
        task(2, {"v1": [span()], "v2": [span(label="Date")]}),
    ]
    arguments = ("--label-config", TEXT_CONFIG, "--strategy", "disagreement")
    ran = prelabel("next", write(tasks), *arguments)
    rows = [line.split() for line in ran.out.splitlines()[1:3]]
    assert rows == [["1", "2", "1.000"], ["2", "1", "0.000"]]
    alone = prelabel("next", write([task(1, {"v1": [span()]})]), *arguments)
    assert alone.status == 2
    assert 'no task without annotation has two; stored are: "v1"' in alone.err
    assert "two --backend" in alone.err


def test_diverse_tasks_come_first(prelabel: Command) -> None:
    texts = [
        TEXT,
        TEXT.replace("we", "they"),
        "The cat has not been seen.",
        "The cat was not seen.",
    ]
    tasks = [{"id": n, "data": {"text": text}} for n, text in enumerate(texts)]
    tasks.append({"id": 4, "data": {"txt": "a typo in the key"}})
    arguments = ("--label-config", TEXT_CONFIG, "--strategy", "diverse", "--backend", "pattern")
    ran = prelabel("next", write(tasks), *arguments)
    assert ran.status == 0, ran.err
    order = [int(line.split()[1]) for line in ran.out.splitlines()[1:-1]]
    assert sorted(place // 2 for place in order[:2]) == [0, 1]
    assert order[-1] == 4
    assert "(task 4)" in ran.err


def test_predictions_of_now(prelabel: Command) -> None:
    # Pattern's regions have no scores: the rule for such is named.
    source = write([{"id": 1, "data": {"text": TEXT}}, task(2, {}, annotated=True)])
    ran = prelabel("next", source, "--label-config", TEXT_CONFIG, "--backend", "pattern")
    assert ran.status == 0, ran.err
    assert ran.out.splitlines()[1].split() == ["1", "1", "unknown"]
    assert "nothing tells how sure they are" in ran.err
    assert "task 2" not in ran.err


@pytest.mark.parametrize(
    ("tasks", "status", "said"),
    [
        pytest.param([], 2, "there are no tasks", id="no tasks"),
        pytest.param(
            [task(1, {}, annotated=True)],
            0,
            "all of 1 tasks have annotations: nothing is left to label",
            id="all are annotated",
        ),
        pytest.param(
            [task(1, {})],
            2,
            "no task without annotation has a prediction: store some with `prelabel predict",
            id="no predictions",
        ),
    ],
)
def test_nothing_to_order(prelabel: Command, tasks: list[Any], status: int, said: str) -> None:
    ran = prelabel("next", write(tasks), "--label-config", TEXT_CONFIG)
    assert ran.status == status
    assert said in ran.out + ran.err


def test_nothing_is_embedded_unasked(prelabel: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise AssertionError("embedded unasked")

    monkeypatch.setattr(Backend, "embed", fail)
    source = write([{"id": 1, "data": {"text": TEXT}}])
    ran = prelabel("next", source, "--label-config", TEXT_CONFIG, "--backend", "pattern")
    assert ran.status == 0, ran.err
