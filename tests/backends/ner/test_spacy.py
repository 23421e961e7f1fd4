"""Pipelines of spaCy mark what spaCy marks when it is called directly."""

import random
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.ner import NerBackend, spacy_pipeline
from backends.ner.entities import Entity
from backends.ner.spacy_pipeline import SpacyPipeline, find_pipeline, split_text
from shared.errors import ModelError
from shared.pipeline import runtime, standalone
from shared.settings import Settings, changed_environment
from tests.backends.engine_conformance import EngineConformance
from tests.backends.ner.spacy_models import sample, save_pipeline

spacy = pytest.importorskip("spacy")

Make = Callable[[str], Path]
XML = """<View><Labels name="label" toName="text"><Label value="Person"/>
<Label value="Company"/><Label value="E-mail" predicted_values="E-MAIL"/></Labels>
<Text name="text" value="$text"/></View>"""


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Return a function that saves a pipeline by its kind, once."""
    root = tmp_path_factory.mktemp("spacy")
    return cache(lambda kind: save_pipeline(kind, root / kind))


def texts() -> list[str]:
    draw = random.Random(1)
    sentences = [sample(draw)[0] for _ in range(30)]
    return [*sentences, " ".join(sentences), "", "  ", "Ann Lee \ud800 😀 works for Globex.\n"]


@pytest.mark.parametrize("kind", ["ner", "rules"])
def test_entities_are_those_of_the_library(kind: str, pipeline: Make) -> None:
    found = SpacyPipeline.load(pipeline(kind), Settings()).find_entities(texts())
    nlp = spacy.load(pipeline(kind))
    for text, entities in zip(texts(), found, strict=True):
        doc = nlp(text.replace("\ud800", "\ufffd"))
        expected = [Entity(e.start_char, e.end_char, e.label_, None) for e in doc.ents]
        assert entities == expected
    assert sum(map(len, found)) >= 10


def test_spans_have_the_scores_of_the_library(pipeline: Make) -> None:
    found = SpacyPipeline.load(pipeline("spancat"), Settings()).find_entities(texts())
    nlp = spacy.load(pipeline("spancat"))
    for text, entities in zip(texts(), found, strict=True):
        doc = nlp(text.replace("\ud800", "\ufffd"))
        spans = doc.spans["sc"]
        expected = {
            (span.start_char, span.end_char, span.label_): score
            for span, score in zip(spans, spans.attrs.get("scores", ()), strict=True)
            if span.text.strip()  # a region of white space shows nothing
        }
        assert {(e.start, e.end, e.type): e.score for e in entities} == pytest.approx(
            expected, abs=1e-4
        )
    assert sum(map(len, found)) > 20


@pytest.fixture
def predict(pipeline: Make) -> Iterator[Callable[..., dict[str, Any]]]:
    """Return a function that predicts a text by a pipeline."""
    runtime.reset_runtime()

    def answer(kind: str, text: str, xml: str = XML, **settings: str) -> dict[str, Any]:
        with changed_environment({"NER_MODEL": str(pipeline(kind)), **settings}):
            backend = NerBackend(label_config=xml, served=True)
            [answered] = standalone.predict(backend, [{"id": 1, "data": {"text": text}}])
        assert isinstance(answered, dict)
        return answered

    yield answer
    runtime.reset_runtime()


def test_types_fill_labels_of_their_other_names(predict: Any) -> None:
    """PERSON is a Person, ORG a Company; without scores no threshold leaves anything out."""
    [person, firm] = predict("ner", "Ann Lee works for Globex.", NER_SCORE_THRESHOLD="1")["result"]
    assert (person["value"]["text"], person["value"]["labels"]) == ("Ann Lee", ["Person"])
    assert (firm["value"]["text"], firm["value"]["labels"]) == ("Globex", ["Company"])
    assert "score" not in person


def test_a_type_with_a_hyphen_is_whole(predict: Any) -> None:
    """`E-MAIL` is no tag of the scheme B-I-E-S."""
    [result] = predict("rules", "Write to 😀 ann@example.org, please.")["result"]
    assert result["value"]["labels"] == ["E-mail"]
    assert result["value"]["text"] == "ann@example.org"
    assert result["value"]["start"] == 11


def test_scores_of_spans_have_a_threshold(predict: Any) -> None:
    text = "Ann Lee works for Globex."
    kept = predict("spancat", text, NER_SCORE_THRESHOLD="0.3")["result"]
    assert kept
    assert all(0.3 <= one["score"] <= 1 for one in kept)
    assert predict("spancat", text, NER_SCORE_THRESHOLD="1")["result"] == []


def test_a_text_longer_than_spacy_takes(pipeline: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read in pieces of whole sentences, and places are those in the whole text."""
    text = " ".join(texts()[:30]) + "\n" + texts()[0]
    whole = SpacyPipeline.load(pipeline("rules"), Settings()).find_entities([text])
    monkeypatch.setattr(spacy_pipeline, "MAX_CHARACTERS", 200)
    model = SpacyPipeline.load(pipeline("rules"), Settings())
    model.nlp.max_length = 210
    assert model.find_entities([text]) == whole
    assert whole[0]


@given(st.text(alphabet="a. \n😀", max_size=80), st.integers(1, 20))
def test_pieces_are_the_text(text: str, limit: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spacy_pipeline, "MAX_CHARACTERS", limit)
        pieces = list(split_text(text))
    assert "".join(text[start:end] for start, end in pieces) == text


def test_components_that_entities_do_not_need_are_left_out(pipeline: Make) -> None:
    """Beside `ner` alone; rules may look at what a tagger says."""
    load = SpacyPipeline.load
    assert load(pipeline("tagger-ner"), Settings()).nlp.pipe_names == ["ner"]
    assert "tagger" in load(pipeline("tagger-rules"), Settings()).nlp.pipe_names


def test_a_pipeline_is_found_by_its_package(
    pipeline: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `python -m spacy package` lays it out; its code is not run."""
    package = tmp_path / "en_people_sm"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    nlp = spacy.load(pipeline("rules"))
    nlp.to_disk(package / "en_people_sm-1.0.0")
    monkeypatch.syspath_prepend(tmp_path)
    found = find_pipeline("en_people_sm", Settings())
    assert found == package / "en_people_sm-1.0.0"
    assert SpacyPipeline.load(found, Settings()).types == ("E-MAIL", "ORG")


@pytest.mark.parametrize("model", ["starter", "dslim/bert-base-NER", "json", "os", ""])
def test_other_models_are_no_pipelines(model: str) -> None:
    assert find_pipeline(model, Settings()) is None


def test_a_published_pipeline_that_is_missing_says_how_to_get_it() -> None:
    with pytest.raises(ModelError, match="python -m spacy download xx_ent_wiki_sm"):
        find_pipeline("xx_ent_wiki_sm", Settings())


def _spoil_config(folder: Path) -> None:
    (folder / "config.cfg").write_text("[nlp")


def _unknown_factory(folder: Path) -> None:
    config = (folder / "config.cfg").read_text()
    (folder / "config.cfg").write_text(
        config.replace('factory = "entity_ruler"', 'factory = "ner2"')
    )


@pytest.mark.parametrize(
    ("kind", "spoil", "message"),
    [
        ("tagger", None, r"with the components tagger, which find no entities; expected: .*ner"),
        ("rules", _spoil_config, r"config\.cfg is no configuration of a pipeline of spaCy"),
        ("rules", _unknown_factory, r"with the components entity_ruler, which find no entities"),
    ],
    ids=["no-entities", "no-config", "unknown-component"],
)
def test_a_wrong_folder_says_what_it_has(
    kind: str, spoil: Any, message: str, tmp_path: Path
) -> None:
    folder = save_pipeline(kind, tmp_path / kind)
    if spoil:
        spoil(folder)
    with pytest.raises(ModelError, match=message):
        SpacyPipeline.load(folder, Settings())


def test_a_folder_of_no_known_kind_says_what_it_has(tmp_path: Path) -> None:
    """Such as one of pickled weights."""
    (tmp_path / "tagger").mkdir()
    (tmp_path / "tagger" / "weights.bin").touch()
    with changed_environment({"NER_MODEL": "tagger", "MODEL_DIR": str(tmp_path)}):
        backend = NerBackend(label_config=XML, served=True)
        with pytest.raises(ModelError, match=r"folder with weights\.bin; expected: .*config\.cfg"):
            backend.weights(backend.claim(backend.config)[0].spec)


def test_a_tagger_of_flair_is_refused_with_what_helps(tmp_path: Path) -> None:
    """Its only file is a pickle of the classes of flair."""
    (tmp_path / "tagger").mkdir()
    (tmp_path / "tagger" / "final-model.pt").touch()
    with changed_environment({"NER_MODEL": "tagger", "MODEL_DIR": str(tmp_path)}):
        backend = NerBackend(label_config=XML, served=True)
        with pytest.raises(ModelError, match=r"final-model\.pt; .*of Flair is a pickle.*train a"):
            backend.weights(backend.claim(backend.config)[0].spec)


def test_a_pipeline_is_not_trained(pipeline: Make) -> None:
    with changed_environment({"NER_MODEL": str(pipeline("rules"))}):
        backend = NerBackend(label_config=XML, served=True)
        [claim] = backend.claim(backend.config)
        assert "NER_TRAIN_BASE" in (backend.training_obstacle(claim) or "")


class TestConformance(EngineConformance):
    """The example of the backend by a pipeline of spaCy."""

    kind = NerBackend

    @classmethod
    def make_model(cls, folder: Path) -> dict[str, str]:
        return {"NER_MODEL": str(save_pipeline("rules", folder / "rules"))}
