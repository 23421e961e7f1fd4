"""`prelabel train --backend prompt`: examples serve only where the held-out score rises."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backends.prompt import PromptBackend
from shared.backend.training import TrainingError
from shared.label_studio.label_config import LabelConfig
from shared.media.sample_files import sample_picture, to_data_url
from shared.pipeline.runtime import reset_runtime, runtime
from shared.training import leavings
from tests.prompt.fault_server import FaultServer
from tests.training.conftest import KEY, Trainings
from tests.training.words import CONFIG, WordsBackend, annotated, choice, text_about, texts

from .nearest import answer_as_nearest, examples_of

TWO_TAGS = CONFIG.replace(
    "</View>",
    """<Choices name="mood" toName="text"><Choice value="Good"/><Choice value="Bad"/></Choices>
    <Image name="image" value="$image"/>
    <Choices name="look" toName="image"><Choice value="Dark"/><Choice value="Light"/></Choices>
    </View>""",
)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as opened:
        opened.answer = answer_as_nearest
        yield opened


@pytest.fixture
def trainings(server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trainings:
    monkeypatch.setenv("TRAIN_DIR", str(tmp_path / "training"))
    monkeypatch.setenv("PROMPT_MODEL", "any")
    monkeypatch.setenv("PROMPT_BASE_URL", server.url)
    monkeypatch.setenv("PROMPT_TRAIN_QUESTIONS", "120")
    monkeypatch.setattr(leavings, "draw_pictures", lambda *_: [])  # test_leavings.py draws them
    reset_runtime()
    return Trainings(tmp_path, backends=(PromptBackend,))


def predict(trainings: Trainings, text: str) -> dict[str, Any]:
    """What the versions that serve predict of a text."""
    weights = {
        name: version.weights for name, version in trainings.store.serving_versions(KEY).items()
    }
    [plan] = runtime().planner.plan_all(LabelConfig.parse(CONFIG), [PromptBackend], [], weights)
    [outcome] = runtime().pipeline.run(plan, [{"id": 1, "data": {"text": text}}])
    assert outcome.prediction is not None
    return outcome.prediction.to_json()


def test_examples_that_help_serve(trainings: Trainings, server: FaultServer) -> None:
    before = predict(trainings, text_about("Music", 999))
    assert before["result"][0]["value"]["choices"] == ["Sport"]  # the first of all
    outcome = trainings.outcome(texts(60))
    assert outcome["state"] == "serving"
    assert "where nothing serves" not in outcome["reason"]
    [version] = trainings.store.list_versions(KEY)
    assert (version.folder / "weights" / "prompt.json").is_file()
    after = predict(trainings, text_about("Music", 999))
    assert after["result"][0]["value"]["choices"] == ["Music"]
    assert after["model_version"] != before["model_version"]
    # the most similar example comes last
    assert examples_of(server.chats()[-1])[-1][1] == {"topic": "Music"}


def test_examples_that_do_not_help_stay_a_candidate(trainings: Trainings) -> None:
    # the choice has nothing to do with the text: no example tells it
    labels = ("Sport", "Food", "Music", "Food", "Sport", "Music", "Music", "Sport", "Food")
    tasks = [
        annotated(number, text_about("Music", number), choice(labels[number * 7 % 9]))
        for number in range(60)
    ]
    outcome = trainings.outcome(tasks)
    assert outcome["state"] == "candidate"
    assert trainings.store.serving_versions(KEY) == {}


def test_each_control_tag_learns_by_itself(trainings: Trainings) -> None:
    tasks, picture = texts(60), to_data_url(sample_picture(), "image/png")
    for task in tasks:
        mood = choice("Good" if "a" in task["data"]["text"][:9] else "Bad", "mood")
        task["annotations"][0]["result"].append(mood)
        task["data"]["image"] = picture
    result = trainings.run(tasks, TWO_TAGS)
    found = {one["control"]: one for one in result["controls"]}
    assert found["topic"]["state"] == "serving"
    assert found["mood"]["version"]
    assert "learns from texts, and Image" in found["look"]["reason"]


def test_a_server_that_refuses_is_named(trainings: Trainings, server: FaultServer) -> None:
    server.key = "secret"
    with pytest.raises(TrainingError, match="the model has answered no question"):
        trainings.run(texts(60))


def test_a_damaged_version_costs_its_control_tag_and_is_named(trainings: Trainings) -> None:
    trainings.run(texts(60))
    version = trainings.store.serving_versions(KEY)["topic"]
    (version.weights.folder / "prompt.json").write_text("{")
    reset_runtime()
    from backends.prompt.learning.learned_prompt import read_learned

    read_learned.cache_clear()
    config = LabelConfig.parse(CONFIG)
    weights = {"topic": version.weights}
    [plan] = runtime().planner.plan_all(config, [PromptBackend], [], weights)
    assert plan.filled_by() == {}
    assert "prompt.json of" in plan.problems[0]


def test_another_backend_than_the_one_that_fills_the_tag_learns_it(trainings: Trainings) -> None:
    trainings.backends = (WordsBackend, PromptBackend)
    [outcome] = trainings.run(texts(60), backends=["prompt"])["controls"]
    assert (outcome["backend"], outcome["state"]) == ("prompt", "serving")
    version = trainings.store.serving_versions(KEY)["topic"]
    plans = runtime().planner.plan_all(
        LabelConfig.parse(CONFIG), trainings.backends, [], {"topic": version.weights}
    )
    assert plans[0].filled_by() == {"topic": "prompt"}
    with pytest.raises(TrainingError, match=r"ner does not serve here; what serves: words, prompt"):
        trainings.run(texts(60), backends=["ner"])
