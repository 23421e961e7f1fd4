"""The gate: by hand-made scores, by worse models, and what is said."""

from collections.abc import Mapping
from typing import Any

import pytest

from shared.training.gate import ModelScores, compare

from .conftest import KEY, Trainings
from .words import WordsBackend, texts


def scores_of(values: list[float], version: str = "v", **figures: Any) -> ModelScores:
    scores = {str(number): value for number, value in enumerate(values)}
    return ModelScores(version, scores, figures)


def recalls(**found: tuple[float, int]) -> Mapping[str, Any]:
    """Recall and true cases by label."""
    return {
        label: {"recall": recall, "regions": {"truth": cases}}
        for label, (recall, cases) in found.items()
    }


@pytest.mark.parametrize(
    ("candidate", "serving", "is_better", "said"),
    [
        pytest.param([1.0] * 10, [0.0] * 10, True, "changes by +1.000 (+1.000 to +1.000)", id="1"),
        pytest.param([0.5] * 10, [0.5] * 10, False, "it is not better", id="equal"),
        pytest.param([0.4] * 10, [0.5] * 10, False, "it is not better", id="worse"),
        # 6 won, 5 lost of 11: a resample is about as likely below 0 as above
        pytest.param(
            [1.0] * 6 + [0.0] * 5, [0.0] * 6 + [1.0] * 5, False, "that may be chance", id="chance"
        ),
        # 1 won of 10: 0.9^10 = 35 % of the resamples draw it never, and have a gain of 0
        pytest.param([1.0] + [0.5] * 9, [0.5] * 10, False, "that may be chance", id="one task"),
        # 10 won of 20 and none lost: 0.5^20 of the resamples have a gain of 0
        pytest.param([1.0] * 10 + [0.5] * 10, [0.5] * 20, True, "+0.250", id="half of the tasks"),
        pytest.param([1.0] * 4, [0.5] * 4, False, "5 held-out tasks are needed", id="few tasks"),
        pytest.param([1.0] * 1, [0.0] * 1, True, "on 1 held-out task,", id="where nothing was"),
        pytest.param([], [], False, "it is not better", id="no tasks"),
    ],
)
def test_scores(candidate: list[float], serving: list[float], is_better: bool, said: str) -> None:
    result = compare(scores_of(candidate), scores_of(serving))
    assert result.is_better is is_better
    assert said in result.reason
    assert result.figures["is_better"] is is_better


@pytest.mark.parametrize(
    ("before", "after", "is_better"),
    [
        pytest.param((0.9, 20), 0.79, False, id="falls by 0.11"),
        pytest.param((0.9, 20), 0.81, True, id="falls by 0.09"),
        pytest.param((0.9, 19), 0.0, True, id="of 19 cases"),
        pytest.param((0.9, 20), None, False, id="is not predicted any more"),
        pytest.param((0.5, 20), 0.9, True, id="rises"),
    ],
)
def test_a_label_that_collapses(
    before: tuple[float, int], after: float | None, is_better: bool
) -> None:
    labels = {} if after is None else recalls(Car=(after, before[1]))
    result = compare(
        scores_of([1.0] * 30, f1=0.9, labels=labels),
        scores_of([0.5] * 30, f1=0.8, labels=recalls(Car=before)),
    )
    assert result.is_better is is_better
    fall = f'the recall of "Car" falls from {before[0]:.2f} to {after or 0:.2f} (20 cases)'
    assert (fall in result.reason) is not is_better


def test_the_reason_is_a_sentence() -> None:
    candidate = scores_of([0.8] * 40, f1=0.81, interval={"f1": [0.78, 0.84]})
    serving = scores_of([0.83] * 40, f1=0.83, interval={"f1": [0.8, 0.85]})
    assert compare(candidate, serving).reason == (
        "F1 0.81 (0.78 to 0.84) on 40 held-out tasks, the serving model 0.83; a task's score"
        " changes by -0.030 (-0.030 to -0.030); it is not better"
    )


def test_nothing_serves() -> None:
    result = compare(scores_of([0.8] * 4, accuracy=0.8), scores_of([0.0] * 4, version=""))
    assert result.reason.startswith("accuracy 0.80 on 4 held-out tasks, where nothing serves;")
    assert "serving" not in result.figures


# With models


def test_a_worse_model_is_not_served(trainings: Trainings) -> None:
    trainings.run(texts(90))
    [good] = trainings.store.list_versions(KEY)

    def spoil(run: Any) -> None:
        """Learn from labels that are shuffled, while the held-out tasks keep theirs."""
        file = run.dataset / "train.jsonl"
        names = dict(zip(run.labels, (*run.labels[1:], run.labels[0]), strict=True))
        text = file.read_text()
        for label, other in names.items():
            text = text.replace(f'"topic":["{label}"]', f'"topic":["!{other}"]')
        file.write_text(text.replace('"!', '"'))

    WordsBackend.before = spoil
    outcome = trainings.outcome(texts(90))
    assert outcome["state"] == "candidate"
    assert "accuracy 0.00" in outcome["reason"]
    assert trainings.store.serving_versions(KEY) == {"topic": good}


def test_a_better_model_is_served(trainings: Trainings) -> None:
    WordsBackend.before = lambda run: (run.dataset / "train.jsonl").write_text(
        "".join((run.dataset / "train.jsonl").read_text().splitlines(keepends=True)[:2])
    )
    first = trainings.outcome(texts(200))
    WordsBackend.before = None
    second = trainings.outcome(texts(200))
    assert [first["state"], second["state"]] == ["serving", "serving"]
    assert trainings.store.serving_state(KEY).previous == {"topic": (first["version"], "")}
    figures = trainings.store.serving_versions(KEY)["topic"].figures
    assert figures["candidate"]["accuracy"] > figures["serving"]["accuracy"]
    assert figures["gain_interval"][0] > 0


def test_without_the_gate_all_are_served(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAIN_GATE", "false")
    trainings.reset()
    trainings.run(texts(60))
    second = trainings.outcome(texts(60))
    assert second["state"] == "serving"
    assert second["reason"].endswith(
        "it is not better; served nevertheless, since TRAIN_GATE is off"
    )
    assert "candidate" in trainings.store.serving_versions(KEY)["topic"].figures


def test_a_model_that_cannot_be_loaded_is_not_served(trainings: Trainings) -> None:
    trainings.run(texts(60))
    WordsBackend.after = lambda run: (run.output / "words.json").write_text("{")
    outcome = trainings.outcome(texts(60))
    assert outcome["state"] == "candidate"
    assert "it could not predict everything: words: words-candidate-" in outcome["reason"]
    assert "could not be loaded" in outcome["reason"]


def test_other_models_are_not_loaded_for_the_comparison(trainings: Trainings) -> None:
    class Marker(WordsBackend):
        name = "marker"
        fills = frozenset({("Labels", "Text")})
        dataset_format = None
        loads = 0

        def load(self, spec: Any) -> Any:
            type(self).loads += 1
            return {}

    trainings.backends = (WordsBackend, Marker)
    xml = """<View><Text name="text" value="$text"/>
      <Choices name="topic" toName="text"><Choice value="Sport"/><Choice value="Food"/></Choices>
      <Labels name="entity" toName="text"><Label value="Person"/></Labels></View>"""
    result = trainings.run(texts(60, ["Sport", "Food"]), xml)
    assert [one["state"] for one in result["controls"]] == ["serving", "not trained"]
    assert result["controls"][1]["reason"] == "marker, which fills it, cannot be trained"
    assert Marker.loads == 0
