"""Several models of one backend: a prediction of each, and no prediction twice."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic_settings import SettingsConfigDict
from starlette.testclient import TestClient

from shared.backend import registry
from shared.backend.claim import Claim, ModelSpec
from shared.backend.registry import choose_backends, group_by_prediction
from shared.errors import ModelError, SettingError
from shared.label_studio.label_config import Control, LabelConfig
from shared.pipeline.command_plans import load_plans
from shared.pipeline.runtime import runtime
from shared.results import Region, TextSpan, region
from shared.server.app import create_app
from shared.server.backend_service import BackendService
from shared.settings import BackendSettings, Settings, read_settings
from tests.tiny import TEXT_CONFIG, WordBackend, tasks

IMAGE = """<View><Image name="i" value="$i"/>
<RectangleLabels name="l" toName="i"><Label value="Word"/></RectangleLabels></View>"""


class SizedSettings(BackendSettings):
    model_config = SettingsConfigDict(env_prefix="SIZED_", env_ignore_empty=True, extra="ignore")
    model: str = "3"


class SizedBackend(WordBackend):
    """Marks as many characters as its model's name says. `not by 5: …` fails with that model."""

    name = "sized"
    interactive = True
    settings_class: ClassVar[type[BackendSettings]] = SizedSettings

    def spec(self, control: Control) -> ModelSpec:
        return ModelSpec(self.name, self.settings.model)

    def weights(self, spec: ModelSpec) -> Iterable[Path]:
        if spec.model == "lost":
            raise ModelError("SIZED_MODEL=lost is not there")
        return ()

    def load(self, spec: ModelSpec) -> Any:
        return spec.model

    def infer(self, model: Any, items: list[Any]) -> Sequence[Any]:
        return [(model, text) for text in items]

    def regions(self, output: Any, claim: Claim) -> Iterable[Region]:
        model, text = output
        if text.startswith(f"not by {model}:"):
            raise KeyError(model)
        yield region(TextSpan(0, int(model)), {claim.control: ["Word"]}, source=text, score=0.5)


@pytest.fixture(autouse=True)
def backends(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {cls.name: cls for cls in (WordBackend, SizedBackend)}
    monkeypatch.setattr(registry, "find_backends", lambda: found)


@contextmanager
def serving(*names: str) -> Iterator[TestClient]:
    service = BackendService(
        choose_backends(names), named=[name.partition(":")[0] for name in names]
    )
    with TestClient(create_app(service, read_settings(Settings))) as client:
        yield client


def predict(client: TestClient, sent: Sequence[Any], path: str = "", **params: Any) -> list[Any]:
    body = {"tasks": sent, "label_config": TEXT_CONFIG, "project": "1.1", "params": params}
    results: list[Any] = client.post(path + "/predict", json=body).json()["results"]
    return results


def setup(client: TestClient) -> str:
    version: str = client.post("/setup", json={"schema": TEXT_CONFIG}).json()["model_version"]
    return version


def with_predictions(task: Any, *versions: str) -> Any:
    return {**task, "predictions": [{"model_version": version} for version in versions]}


def lengths(answer: list[Any]) -> list[int]:
    return [prediction["result"][0]["value"]["end"] for prediction in answer]


def test_each_model_gives_a_prediction_with_its_version_and_score() -> None:
    with serving("sized:3", "sized:5") as client:
        for answer in predict(client, tasks("a long text", "another text")):
            assert lengths(answer) == [3, 5]
            one, other = (prediction["model_version"] for prediction in answer)
            assert one.startswith("sized-3-")
            assert other.startswith("sized-5-")
            assert other == setup(client)
            assert [prediction["score"] for prediction in answer] == [0.5, 0.5]
        assert client.get("/versions").json()["versions"] == [other, one]
        assert client.get("/").json()["backends"] == ["sized"]


def test_what_a_task_has_already_is_not_said_again() -> None:
    with serving("sized:3", "sized:5") as client:
        [task] = tasks("a long text")
        [[one, other]] = predict(client, [task])
        had = [with_predictions(task, one["model_version"]), task]
        assert list(map(lengths, predict(client, had))) == [[5], [3, 5]]
        all_of_them = with_predictions(task, one["model_version"], other["model_version"])
        assert predict(client, [all_of_them]) == [[]]
        odd = [{**task, "predictions": value} for value in (None, 3, [None, {"model_version": 7}])]
        assert list(map(lengths, predict(client, odd))) == [[3, 5]] * 3


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("not by 3: x", [4]),
        ("not by 4: x", [3]),
        ("not by 5: x", [3, 4]),
        ("read: x", []),
    ],
)
def test_a_task_is_asked_for_until_it_has_them_all(text: str, found: list[int]) -> None:
    """The last prediction, which Label Studio looks for, waits for the others."""
    with serving("sized:3", "sized:4", "sized:5") as client:
        good, bad, last = predict(client, tasks("a long text", text, "a long text"))
        assert lengths(good) == lengths(last) == [3, 4, 5]
        assert lengths(bad) == found


@pytest.mark.parametrize("names", [("sized:lost", "sized:5"), ("sized:5", "sized:lost")])
def test_a_model_that_is_not_there_takes_no_part(names: tuple[str, str]) -> None:
    with serving(*names) as client:
        [[prediction]] = predict(client, tasks("a long text"))
        assert prediction["model_version"].startswith("sized-5-")
        assert setup(client) == prediction["model_version"]


def test_the_version_changes_with_the_models_before_it() -> None:
    versions = []
    for names in (["sized:3"], ["sized:4"], ["sized:3", "sized:5"], ["sized:4", "sized:5"]):
        with serving(*names) as client:
            versions.append(setup(client))
    assert len(set(versions)) == 4
    with serving("sized:3", "sized:5", "sized:4") as client:
        [[one, other, _]] = predict(client, tasks("a long text"))
    assert [one["model_version"], other["model_version"]] == [versions[0], versions[2]]


def test_the_editor_gets_one_answer() -> None:
    with serving("sized:3", "sized:5") as client:
        context = {"result": [{"id": "a"}]}
        [answer] = predict(client, tasks("a long text"), context=context)
        assert lengths([answer]) == [3]


def test_further_models_go_beside_all_the_other_backends() -> None:
    classes = choose_backends(["word", "sized:3", "sized:5", "sized:3"])
    assert [
        [(cls.name, cls.model_name) for cls in group] for group in group_by_prediction(classes)
    ] == [
        [("word", None), ("sized", "3")],
        [("sized", "5")],
    ]


def test_a_backend_that_is_named_twice_is_one() -> None:
    with serving("sized", "sized") as client:
        [answer] = predict(client, tasks("a long text"))
        assert lengths([answer]) == [3]


def test_models_are_chosen_where_there_is_a_choice() -> None:
    with pytest.raises(SettingError, match="word has no choice of models"):
        choose_backends(["word:x"])


def test_the_command_gives_the_versions_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    config = LabelConfig.parse(TEXT_CONFIG)
    with serving("sized:3", "sized:5") as client:
        [answer] = predict(client, tasks("a long text"))
        versions = [prediction["model_version"] for prediction in answer]
        assert [
            r.version() for r in load_plans(runtime(), config, ["sized:3", "sized:5"])
        ] == versions
        monkeypatch.setenv("BACKENDS", "sized:3,sized:5")
        read_settings.cache_clear()
    with serving("sized:3"):
        assert [route.version() for route in load_plans(runtime(), config, [])] == versions
        with pytest.raises(SettingError, match="Nothing in this label config"):
            load_plans(runtime(), LabelConfig.parse(IMAGE), [])
