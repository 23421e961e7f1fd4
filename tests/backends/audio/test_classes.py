"""Choices, ratings and events by networks: they say what transformers' own pipelines say."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.audio.backend import AudioBackend
from backends.audio.models.classifier import SoundClassifier
from shared.errors import ConfigError
from shared.label_studio.label_config import LabelConfig
from shared.pipeline import runtime, standalone
from shared.settings import Settings
from tests.backends.speech.conftest import EXAMPLES, samples_of

from .tiny_models import CLASSES, write_clap, write_classifier

ORDERS = "orders.flac"


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classifier(tmp_path_factory.mktemp("ast"))


@pytest.fixture(scope="module")
def clap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clap(tmp_path_factory.mktemp("clap"))


def softmax(logits: Mapping[str, float]) -> dict[str, float]:
    values = np.exp(list(logits.values()))
    return dict(zip(logits, values / values.sum(), strict=True))


def test_a_classifier_agrees_with_its_pipeline(classifier: Path) -> None:
    from transformers import pipeline

    samples = samples_of(ORDERS)
    model = SoundClassifier(str(classifier), Settings(device="cpu"))
    assert (model.named, model.exclusive, tuple(model.classes)) == (False, True, CLASSES)
    first, _ = model.classify([samples, samples[:100]], {})
    own = pipeline("audio-classification", model=str(classifier))
    expected = {
        one["label"]: one["score"] for one in own({"raw": samples, "sampling_rate": 16_000})
    }
    assert softmax(first) == pytest.approx(expected, abs=1e-4)


def test_clap_agrees_with_its_pipeline(clap: Path) -> None:
    from transformers import pipeline

    samples = np.repeat(samples_of(ORDERS), 3)
    model = SoundClassifier(str(clap), Settings(device="cpu"))
    assert (model.named, model.rate) == (True, 48_000)
    names = ["dog", "cat", "rain"]
    sentences = {name: f"This is a sound of {name}." for name in names}
    first, _ = model.classify([samples, samples[:100_000]], sentences)
    own = pipeline("zero-shot-audio-classification", model=str(clap))
    answer = own(samples, candidate_labels=names, hypothesis_template="This is a sound of {}.")
    expected = {one["label"]: one["score"] for one in answer}
    assert softmax(first) == pytest.approx(expected, abs=1e-4)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_FILES_ROOT", str(EXAMPLES))
    monkeypatch.setenv("DEVICE", "cpu")


def predict(
    monkeypatch: pytest.MonkeyPatch, model: Path, inside: str, context: Any = None
) -> list[Any]:
    """The results for orders.flac."""
    monkeypatch.setenv("AUDIO_MODEL", str(model))
    runtime.reset_runtime()
    xml = f'<View>{inside}<Audio name="a" value="$a"/></View>'
    backend = AudioBackend(label_config=xml, served=True)
    task = {"id": 1, "data": {"a": f"/data/local-files/?d={ORDERS}"}}
    [answer] = standalone.predict(backend, [task], context)
    assert answer, runtime.runtime().failures.recent()
    return list(answer["result"])


def choices(tag: str = "Choices", more: str = "", names: tuple[str, ...] = CLASSES) -> str:
    inside = "".join(f'<Choice value="{name}"/>' for name in names)
    return f'<{tag} name="c" toName="a" model_score_threshold="0.1" {more}>{inside}</{tag}>'


def test_choices_of_the_networks_classes(monkeypatch: pytest.MonkeyPatch, classifier: Path) -> None:
    [result] = predict(monkeypatch, classifier, choices())
    assert result["value"] == {"choices": ["siren"]}
    assert result["score"] == pytest.approx(0.365, abs=0.01)
    [result] = predict(monkeypatch, classifier, choices(more='choice="multiple"'))
    assert set(result["value"]["choices"]) == set(CLASSES)


@pytest.mark.parametrize("tag", ["Choices", "Taxonomy"])
def test_choices_that_clap_is_told(monkeypatch: pytest.MonkeyPatch, clap: Path, tag: str) -> None:
    [result] = predict(monkeypatch, clap, choices(tag, 'maxUsages="1"', ("dog", "cat", "rain")))
    [found] = result["value"][tag.lower()]
    assert (found if tag == "Choices" else found[0]) in {"dog", "cat", "rain"}


def test_a_rating_of_named_classes(monkeypatch: pytest.MonkeyPatch, classifier: Path) -> None:
    rating = '<Rating name="r" toName="a" maxRating="10" model_ratings="dog=2, siren=10"/>'
    [result] = predict(monkeypatch, classifier, rating)
    # dog 0.347 and siren 0.365 of what is rated: (2 × 0.347 + 10 × 0.365) / 0.712 = 6.1
    assert result["value"] == {"rating": 6}


def test_events_by_clap_and_by_a_classifier(
    monkeypatch: pytest.MonkeyPatch, classifier: Path, clap: Path
) -> None:
    labels = '<Labels name="l" toName="a" model_score_threshold="{}">{}</Labels>'
    inside = "".join(f'<Label value="{name}"/>' for name in CLASSES)
    for model, least in ((classifier, "0.34"), (clap, "0.05")):
        results = predict(monkeypatch, model, labels.format(least, inside))
        assert results
        for result in results:
            value = result["value"]
            assert set(value["labels"]) <= set(CLASSES)
            assert 0 <= value["start"] < value["end"] <= result["original_length"]
            assert result["score"] >= float(least)


INTENT = '<Labels name="l" toName="a"><Label value="Segment"/></Labels>' + choices(
    more='perRegion="true"'
)


def test_speech_gets_the_choices_of_each_region(
    monkeypatch: pytest.MonkeyPatch, classifier: Path
) -> None:
    results = predict(monkeypatch, classifier, INTENT)
    labels = [result for result in results if result["type"] == "labels"]
    chosen = {result["id"]: result["value"] for result in results if result["type"] == "choices"}
    assert [result["value"]["labels"] for result in labels] == [["Segment"]] * 3
    assert [result["id"] for result in labels] == list(chosen)
    assert all(value["choices"][0] in CLASSES for value in chosen.values())


def test_a_drawn_region_gets_its_choices(monkeypatch: pytest.MonkeyPatch, classifier: Path) -> None:
    value = {"start": 0.5, "end": 1.8, "channel": 0, "labels": ["Segment"]}
    drawn = {"id": "mine", "from_name": "l", "to_name": "a", "type": "labels", "value": value}
    label, chosen = predict(monkeypatch, classifier, INTENT, {"result": [drawn]})
    assert (label["id"], label["value"]) == ("mine", value)
    assert chosen["id"] == "mine"
    assert chosen["value"]["choices"][0] in CLASSES


def claimed(inside: str, **settings: str) -> dict[str, str]:
    """The kind of claim of each control tag."""
    config = LabelConfig.parse(f'<View>{inside}<Audio name="a" value="$a"/></View>')
    backend = AudioBackend(label_config=config.xml, served=True)
    return {
        control.name: str(claim.options["kind"])
        for claim in backend.claim(config)
        for control in claim.controls
    }


def labels(*names: str, more: str = "") -> str:
    inside = "".join(f'<Label value="{name}"/>' for name in names)
    return f'<Labels name="l" toName="a" {more}>{inside}</Labels>'


TRANSCRIPT = '<TextArea name="t" toName="a" perRegion="true"/>'
NOTES = '<TextArea name="notes" toName="a" perRegion="true"/>'


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        pytest.param(labels("Speech", "Noise"), {"l": "activity"}, id="activity"),
        pytest.param(labels("Dog", "Siren"), {"l": "events"}, id="events"),
        pytest.param(labels("Speaker 1", "Speaker two"), {}, id="speakers, no pipeline"),
        pytest.param(labels("Speech") + TRANSCRIPT, {}, id="transcribed segments are speech's"),
        pytest.param(labels("Speech") + NOTES, {"l": "activity"}, id="notes on segments"),
        pytest.param(
            labels("Speech", more='model_backend="audio"') + TRANSCRIPT,
            {"l": "activity"},
            id="by hand",
        ),
        pytest.param(choices(), {"c": "whole"}, id="choices"),
        pytest.param(choices(more='perRegion="true"'), {}, id="choices of no regions"),
        pytest.param('<Choices name="c" toName="a" value="$c"/>', {}, id="the task's choices"),
        pytest.param('<Rating name="r" toName="a"/>', {}, id="rating without a mapping"),
    ],
)
def test_what_is_claimed(inside: str, expected: dict[str, str]) -> None:
    assert claimed(inside) == expected


def test_speakers_are_claimed_where_a_pipeline_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIO_SPEAKER_MODEL", "pyannote/speaker-diarization-community-1")
    runtime.reset_runtime()
    assert claimed(labels("Speaker 1", "Speaker two")) == {"l": "speakers"}


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        ('<Rating name="r" toName="a"/>', 'model_ratings="noisy=1, clear=5" says which is which'),
        (labels("Speaker 1", "Speaker 2"), "which AUDIO_SPEAKER_MODEL names"),
        ('<Choices name="c" toName="a" value="$c"/>', "does not read the labels of tasks"),
    ],
)
def test_what_is_left_empty_is_explained(inside: str, message: str) -> None:
    config = LabelConfig.parse(f'<View>{inside}<Audio name="a" value="$a"/></View>')
    [said] = AudioBackend(label_config=config.xml, served=True).explain_unfilled(config)
    assert message in said


@pytest.mark.parametrize("ratings", ["good", "good=", "=3", "good=many", "good=-1"])
def test_ratings_that_cannot_be_read_are_named(ratings: str) -> None:
    with pytest.raises(ConfigError, match="expected a class and its stars"):
        claimed(f'<Rating name="r" toName="a" model_ratings="{ratings}"/>')


def test_ratings_that_cannot_be_read_cost_their_tag_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rating = '<Rating name="r" toName="a" model_ratings="noisy"/>'
    results = predict(monkeypatch, tmp_path, rating + labels("Speech", "Silence"))
    assert results
    assert {result["from_name"] for result in results} == {"l"}
