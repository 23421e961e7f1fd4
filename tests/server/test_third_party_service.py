"""A third-party LabelStudioMLBase subclass, served unchanged."""

import threading
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from shared.backend.example import Example
from shared.backend.registry import find_backends
from shared.errors import SettingError
from shared.server.app import create_app
from shared.server.third_party_service import open_model
from shared.settings import Settings

MODEL = '''
from label_studio_ml.model import LabelStudioMLBase

class Upper(LabelStudioMLBase):
    """Labels words in capitals. Some texts make it fail as third-party models do."""

    fitted = []

    def predict(self, tasks, context=None, **kwargs):
        name, info = next(iter(self.parsed_label_config.items()))
        answers = []
        for task in tasks:
            text = task["data"][info["inputs"][0]["value"]]
            if text == "crash":
                raise RuntimeError("secret path /etc/passwd")
            if text == "leave":
                raise SystemExit("bye SECRET123")
            if text == "drop":
                continue
            if text == "odd answer":
                answers.append({"regions": []})
                continue
            if text == "results":
                return {"results": answers}
            result = []
            for word in text.split():
                if word.isupper():
                    start = text.index(word) + 99 * (word == "FAR")
                    result.append({
                        "id": word, "from_name": name, "to_name": info["to_name"][0],
                        "type": "labels",
                        "value": {"start": start, "end": start + len(word), "text": word,
                                  "labels": ["Nonsense" if word == "ODD" else "Fact"]},
                    })
            answers.append({"result": result, "score": "high" if text == "SCORE" else 0.5,
                            "model_version": None})
        return answers

    def setup(self):
        if "leave" in self.label_config:
            raise SystemExit("bye SECRET123")

    def fit(self, *args, **kwargs):
        Upper.fitted.append(kwargs.get("event") or args)
        return {}
'''


@pytest.fixture
def client(tmp_path: Path) -> Any:
    file = tmp_path / "upper_model.py"
    file.write_text(MODEL)
    with TestClient(create_app(open_model(f"{file}:Upper"), Settings())) as client:
        yield client


def predict(client: TestClient, *texts: Any) -> list[Any]:
    config = Example.load(find_backends()["pattern"]).label_config
    tasks = [{"id": number, "data": {"text": text}} for number, text in enumerate(texts)]
    body = {"tasks": tasks, "label_config": config, "project": "3.1"}
    answer = client.post("/predict", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


def test_prediction(client: TestClient) -> None:
    [answer] = predict(client, "a BIG day")
    assert answer["result"][0]["value"]["labels"] == ["Fact"]
    assert answer["score"] == 0.5
    assert "model_version" not in answer, "null would make Label Studio refuse the batch"


def test_results_are_in_order_whatever_tasks_fail(client: TestClient) -> None:
    answers = predict(client, "ONE", "crash", "drop", "TWO")
    assert [answer and answer["result"][0]["id"] for answer in answers] == ["ONE", [], [], "TWO"]
    recent = client.get("/status").json()["failures"]["recent"]
    assert {failure["task"] for failure in recent} == {1, 2}
    assert "passwd" not in client.get("/status").text


def test_region_with_an_unknown_label_is_dropped(client: TestClient) -> None:
    [answer] = predict(client, "ODD but GOOD")
    assert [result["id"] for result in answer["result"]] == ["GOOD"]


def test_region_outside_the_text_is_dropped(client: TestClient) -> None:
    [answer] = predict(client, "a FAR BIG day")
    assert [result["id"] for result in answer["result"]] == ["BIG"]


def test_score_that_is_not_a_number_is_left_out(client: TestClient) -> None:
    [answer] = predict(client, "SCORE")
    assert "score" not in answer


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("drop", "Upper returned 0 predictions for 1 task"),
        (
            "results",
            "Upper returned an object with the keys results; expected a list of predictions, or"
            ' such a list under the key "predictions"',
        ),
        (
            "odd answer",
            "Upper returned an object with the keys regions; expected an object with a list"
            ' "result"',
        ),
        ("SCORE", 'Upper returned a value of type str as "score", which is left out'),
        ("crash", "RuntimeError in its predict"),
        ("leave", "SystemExit in its predict"),
    ],
)
def test_status_tells_what_is_wrong_with_an_answer(
    text: str, message: str, client: TestClient
) -> None:
    predict(client, text)
    [failure] = client.get("/status").json()["failures"]["recent"]
    assert (failure["task"], failure["message"]) == (0, message)


def test_setup_answers_a_version(client: TestClient) -> None:
    config = Example.load(find_backends()["pattern"]).label_config
    answer = client.post("/setup", json={"project": "3.1", "schema": config})
    assert answer.json() == {"model_version": "INITIAL"}


def test_event_starts_training(client: TestClient) -> None:
    config = Example.load(find_backends()["pattern"]).label_config
    event = {"action": "ANNOTATION_CREATED", "project": {"id": 3, "label_config": config}}
    answer = client.post("/webhook", json=event)
    assert answer.json() == {"status": "accepted"}
    import upper_model  # type: ignore[import-not-found]

    done = threading.Event()
    for _ in range(50):
        if upper_model.Upper.fitted:
            break
        done.wait(0.05)
    assert upper_model.Upper.fitted == ["ANNOTATION_CREATED"]


def test_our_own_backend_by_its_path() -> None:
    backend = find_backends()["pattern"]
    module = Path(str(__import__("backends.pattern.backend", fromlist=["x"]).__file__))
    service = open_model(f"{module}:{backend.__name__}")
    assert service.names == ["pattern"]


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("nowhere.py:Model", "there is no such file"),
        ("{here}:Nothing", "has no class Nothing"),
        ("{here}:Path", "has no class Path that is a LabelStudioMLBase"),
    ],
)
def test_wrong_reference(reference: str, message: str, tmp_path: Path) -> None:
    here = tmp_path / "some_model.py"
    here.write_text("from pathlib import Path\n")
    with pytest.raises(SettingError, match=message):
        open_model(reference.format(here=here))


TEMPLATE = """
from label_studio_ml.model import LabelStudioMLBase
from label_studio_ml.response import ModelResponse

class NewModel(LabelStudioMLBase):
    def predict(self, tasks, context=None, **kwargs):
        return ModelResponse(predictions=[])
"""


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            TEMPLATE,
            r"needs more than label-studio-ml 1\.0\.9, which is installed \(No module named"
            r" 'label_studio_ml\.response'\); the 2\.x line, which no registry has, is installed by"
            r' \S*uv pip install "label-studio-ml @ git\+https://\S+\.git" in'
            r" prelabel's own folder, whose pyproject\.toml has the overrides for it$",
        ),
        ("import no_such_thing", "needs no_such_thing, which is not installed here$"),
        (
            "raise SystemExit('bye')",
            r"ends the program \(SystemExit\) instead of defining the class$",
        ),
        ("1 / 0", "cannot be imported: ZeroDivisionError: division by zero$"),
    ],
)
def test_file_that_cannot_be_imported(code: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "their_model.py"
    file.write_text(code)
    with pytest.raises(SettingError, match=message):
        open_model(f"{file}:NewModel")
