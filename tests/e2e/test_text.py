"""Entities and classes of texts, by the real server, in the real Label Studio and its editor."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serving import Served, served

from .compare import differences
from .editor_alone import EditorAlone
from .label_studio import LabelStudio

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
GUIDE = Path(__file__).with_name("guide")
STARTER = ROOT / "backends" / "ner" / "starter" / "weights"
CLASSES = """<View><Text name="text" value="$text"/>
  <Choices name="topic" toName="text"><Choice value="Sports"/><Choice value="Weather"/>
    <Choice value="Food"/><Choice value="Business"/></Choices>
  <Taxonomy name="tree" toName="text"><Choice value="Free time"><Choice value="Sports"/>
    <Choice value="Food"/></Choice><Choice value="Other"><Choice value="Weather"/>
    <Choice value="Business"/></Choice></Taxonomy></View>"""


LABELS = '<Label value="Person"/><Label value="Location"/>'
SCORES = f"""<View>
  <Labels name="a" toName="text" model_token_scores="true">{LABELS}</Labels>
  <Text name="text" value="$text"/>
  <HyperTextLabels name="b" toName="page" model_token_scores="true">{LABELS}</HyperTextLabels>
  <HyperText name="page" value="$page"/>
  <ParagraphLabels name="c" toName="talk" model_token_scores="true">{LABELS}</ParagraphLabels>
  <Paragraphs name="talk" value="$talk" nameKey="who" textKey="says" layout="dialogue"/>
</View>"""


@pytest.fixture(scope="module")
def server(label_studio: LabelStudio, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Two models of entities, of other weights; rules; and the classes of texts."""
    folder = tmp_path_factory.mktemp("models")
    second = shutil.copytree(STARTER, folder / "second")
    shifted(second / "model.safetensors")
    variables = {
        "MODEL_DIR": str(folder),
        "TEXT_CLASSIFICATION_MODEL": "starter",
        "LABEL_STUDIO_URL": label_studio.url,
        "LABEL_STUDIO_API_KEY": label_studio.token,
    }
    names = "ner:starter", "ner:second", "pattern", "text_classification"
    with served(*names, log=folder / "log", **variables) as running:
        running.wait("/ready", 300)
        yield running


def shifted(path: Path) -> None:
    """Make all of a model's tags a little less sure."""
    from safetensors.numpy import load_file, save_file

    weights = load_file(path)
    name = next(name for name in weights if name.startswith("classifier") and "weight" in name)
    weights[name] = weights[name] * weights[name].dtype.type(0.8)
    save_file(weights, path, metadata={"format": "pt"})


def project_of(
    label_studio: LabelStudio, url: str, config: str, data: list[dict[str, Any]]
) -> tuple[int, list[int]]:
    """A connected project with predictions of its tasks."""
    project = label_studio.create_project("texts", config)
    backend = label_studio.connect_backend(project, url)
    state = label_studio.backend_state(backend["id"])
    assert state["readable_state"] == "Connected", state
    tasks = label_studio.import_tasks(project, [{"data": one} for one in data])
    label_studio.retrieve_predictions(project)
    return project, tasks


def test_two_models_on_the_guides_config_and_tasks(
    label_studio: LabelStudio, editor_alone: EditorAlone, server: Served
) -> None:
    """Example 4: a prediction of each model, with its own version and score, all displayed."""
    config = (GUIDE / "04-text-spans.xml").read_text()
    given = json.loads((GUIDE / "04-text-spans.json").read_text())
    data = [task["data"] for task in given]
    data.append({"text": "On 3 May Angela Berg of Microsoft paid $5 million in Jerusalem."})
    project, tasks = project_of(label_studio, f"{server.url}/ner", config, data)
    for task in tasks:
        stored = label_studio.predictions(task_id=task)
        versions = {prediction["model_version"] for prediction in stored}
        assert len(stored) == len(versions) == 2
        for name in ("ner-starter-", "ner-second-"):
            assert sum(version.startswith(name) for version in versions) == 1
        shown = editor_alone.predictions(project, task)
        for prediction in stored:
            apart = [differences(prediction["result"], results) for results in shown]
            assert [] in apart
    scores = [prediction["score"] for prediction in label_studio.predictions(task_id=tasks[-1])]
    assert scores[0] != scores[1]
    label_studio.retrieve_predictions(project)
    assert len(label_studio.predictions(project)) == 2 * len(tasks), "again: nothing is doubled"


def test_rules_beside_a_model(
    label_studio: LabelStudio, editor_alone: EditorAlone, server: Served
) -> None:
    """The rules fill the guide's config when they are asked for, by their address."""
    config = (GUIDE / "04-text-spans.xml").read_text()
    text = "The first of 3 May 2024, at 10:30, cost $5 million or 7%."
    project, [task] = project_of(label_studio, f"{server.url}/pattern", config, [{"text": text}])
    [prediction] = label_studio.predictions(task_id=task)
    [shown] = editor_alone.predictions(project, task)
    assert differences(prediction["result"], shown) == []
    found = {r["value"]["labels"][0]: r["value"]["text"] for r in prediction["result"]}
    assert found == {
        "Ordinal": "first",
        "Date": "3 May 2024",
        "Time": "10:30",
        "Money": "$5 million",
        "Percent": "7%",
    }


def test_scores_of_tokens_are_kept(
    label_studio: LabelStudio, editor_alone: EditorAlone, server: Served
) -> None:
    """The editor gives them back as they were sent, on each text tag."""
    text = "Angela Berg flew to Jerusalem."
    talk = [{"who": "Ann", "says": text}]
    data = {"text": text, "page": f"<p><b>{text}</b></p>", "talk": talk}
    project, [task] = project_of(label_studio, f"{server.url}/ner", SCORES, [data])
    stored = label_studio.predictions(task_id=task)
    shown = editor_alone.predictions(project, task)
    assert len(stored) == 2
    for prediction in stored:
        apart = [differences(prediction["result"], results) for results in shown]
        assert [] in apart
        scores = [result["meta"]["token_scores"] for result in prediction["result"]]
        assert len(scores) == 6
        assert {"".join(one["text"] for one in tokens) for tokens in scores} == {
            "AngelaBerg",
            "Jerusalem",
        }


def test_classes_of_a_text(
    label_studio: LabelStudio, editor_alone: EditorAlone, server: Served
) -> None:
    """Choices and Taxonomy on one text."""
    text = "The goalkeeper saved a penalty and the team won the final match."
    url = f"{server.url}/text_classification"
    project, [task] = project_of(label_studio, url, CLASSES, [{"text": text}])
    [prediction] = label_studio.predictions(task_id=task)
    [shown] = editor_alone.predictions(project, task)
    assert differences(prediction["result"], shown) == []
    assert {r["from_name"]: r["value"].get("choices") or r["value"]["taxonomy"] for r in shown} == {
        "topic": ["Sports"],
        "tree": [["Free time", "Sports"]],
    }
