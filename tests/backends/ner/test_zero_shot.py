"""A tiny GLiNER with random weights finds nonsense, but the same nonsense as the library."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gliner")

from backends.ner import NerBackend
from backends.ner.gliner import CONFIG_FILE, MIN_SCORE, GlinerModel
from shared.errors import ModelError
from shared.label_studio.label_config import LabelConfig
from shared.pipeline.plan import PredictionPlan
from shared.pipeline.runtime import reset_runtime, runtime
from shared.settings import Settings, read_settings

from .test_objects import HTML, TEXT
from .tiny_gliner import save_tiny_gliner

CPU = Settings(device="cpu")
SENTENCES = ["Angela Berg met Thomas Hill in Lisbon.", "😀 It rained in Ulm\r\n", "", "x"]
TYPES = ("person", "place")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as users have it: saved by the library, with its tokenizer."""
    return save_tiny_gliner(tmp_path_factory.mktemp("encoder"), tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def model(folder: Path) -> GlinerModel:
    return GlinerModel.load(folder, CPU)


def told(model: GlinerModel, text: str, types: tuple[str, ...]) -> list[tuple[int, int, str]]:
    """Return the entities that the library itself finds."""
    found = model.inner.inference([text], list(types), threshold=MIN_SCORE)[0] if text else []
    return [(entity["start"], entity["end"], entity["label"]) for entity in found]


def spans(entities: list[Any]) -> list[tuple[int, int, str]]:
    return [(entity.start, entity.end, entity.type) for entity in entities]


def test_entities_are_those_of_the_library(model: GlinerModel) -> None:
    prompts = [TYPES, ("place",), TYPES, TYPES]
    found = model.find_entities(SENTENCES, prompts)
    assert sum(map(len, found)) > 3
    for text, types, entities in zip(SENTENCES, prompts, found, strict=True):
        assert spans(entities) == told(model, text, types)
        assert {entity.type for entity in entities} <= set(types)


def test_long_texts_are_read_in_windows(model: GlinerModel) -> None:
    text = " ".join(SENTENCES[:1] * 30)
    [entities] = model.find_entities([text], [TYPES])
    assert max(entity.end for entity in entities) > len(text) - 50
    assert spans(entities) == sorted(set(spans(entities)))
    assert all(text[start:end].strip() == text[start:end] for start, end, _ in spans(entities))


def test_without_types_there_are_no_entities(model: GlinerModel) -> None:
    assert model.find_entities(["Ulm"], [()]) == [[]]


@pytest.fixture
def route(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Build the plan of a label config, with the model named by its folder."""
    for name, value in {
        "NER_MODEL": "tiny",
        "MODEL_DIR": str(folder.parent),
        "DEVICE": "cpu",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NER_SCORE_THRESHOLD", "0")
    reset_runtime()

    def build(xml: str) -> PredictionPlan:
        backend = NerBackend(label_config=xml, served=True)
        return runtime().planner.plan(LabelConfig.parse(xml), [backend], ["ner"])

    yield build
    reset_runtime()


def predicted(route: PredictionPlan, *data: Any) -> list[Any]:
    tasks = [{"id": number, "data": one} for number, one in enumerate(data)]
    return [outcome.to_response() for outcome in runtime().pipeline.run(route, tasks)]


def test_labels_of_the_config_are_the_prompt(route: Any, model: GlinerModel) -> None:
    xml = TEXT.replace('"Person"/>', '"Person" predicted_values="human being, somebody"/>')
    config = route(xml)
    prompt = ("human being", "somebody", "Location", "Organization")
    assert config.steps[0].claims[0].options["prompt"] == prompt
    texts = [text for text in SENTENCES if text]
    for text, answer in zip(texts, predicted(config, *({"t": t} for t in texts)), strict=True):
        expected = told(model, text, prompt)
        labels = {"human being": "Person", "somebody": "Person"}
        assert [
            (r["value"]["start"], r["value"]["end"], r["value"]["labels"]) for r in answer["result"]
        ] == [(start, end, [labels.get(kind, kind)]) for start, end, kind in expected]
    html, broken = predicted(route(HTML), {"h": f"<p>{SENTENCES[0]}</p>"}, {"h": {}})
    assert html["result"]
    assert broken == []


def test_other_labels_are_another_version(route: Any) -> None:
    versions = [route(TEXT).version(wait=True), route(TEXT.replace("Location", "City")).version()]
    assert versions[0].startswith("ner-tiny-")
    assert len(set(versions)) == 2


def test_two_controls_on_one_text_share_a_prompt(route: Any) -> None:
    more = '<Labels name="two" toName="t"><Label value="City"/></Labels><Text name="t"'
    built = route(TEXT.replace('<Text name="t"', more))
    assert len(built.steps) == 1
    prompts = [claim.options["prompt"] for claim in built.steps[0].claims]
    assert prompts == [("Person", "Location", "Organization", "City")] * 2
    [answer] = predicted(built, {"t": SENTENCES[0]})
    assert {result["from_name"] for result in answer["result"]} <= {"ner", "two"}


@pytest.mark.parametrize(
    ("change", "settings", "why"),
    [
        ({"auto_map": {"AutoModel": "code.py"}}, CPU, '"auto_map" in gliner_config.json'),
        ({}, Settings(engine="onnx"), "ENGINE=onnx: copy runs on torch alone"),
        (None, CPU, "has no model.safetensors"),
    ],
    ids=["code", "engine", "pickle"],
)
def test_errors_name_what_is_not_loaded(
    change: Any, settings: Settings, why: str, folder: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    if change is None:
        (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    else:
        config = json.loads((copy / CONFIG_FILE).read_text())
        (copy / CONFIG_FILE).write_text(json.dumps(config | change))
    with pytest.raises(ModelError, match=why):
        GlinerModel.load(copy, settings)


def test_gliner_is_known_by_its_name_before_it_is_downloaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, zero_shot in {
        "urchade/gliner_small-v2.1": True,
        "dslim/bert-base-NER": False,
    }.items():
        monkeypatch.setenv("NER_MODEL", name)
        read_settings.cache_clear()
        [claim] = NerBackend(label_config=TEXT, served=True).claim(LabelConfig.parse(TEXT))
        assert ("prompt" in claim.options) == zero_shot


def test_labels_of_a_task_are_asked_for(route: Any, model: GlinerModel) -> None:
    listed = '<Labels name="ner" toName="t" value="$labels"/>'
    built = route(f'<View>{listed}<Text name="t" value="$t"/></View>')
    own = [
        [{"value": "human being"}, {"value": "Town", "alias": "T"}],
        [{"value": "Place", "predicted_values": "place, area"}],
    ]
    prompts = [("human being", "Town"), ("place", "area")]
    names = {"Town": "T", "place": "Place", "area": "Place"}
    answers = predicted(built, *({"t": SENTENCES[0], "labels": labels} for labels in own))
    for prompt, answer in zip(prompts, answers, strict=True):
        expected = told(model, SENTENCES[0], prompt)
        assert expected
        assert [
            (r["value"]["start"], r["value"]["end"], r["value"]["labels"]) for r in answer["result"]
        ] == [(start, end, [names.get(kind, kind)]) for start, end, kind in expected]
    assert {answer["model_version"] for answer in answers} == {built.version()}
