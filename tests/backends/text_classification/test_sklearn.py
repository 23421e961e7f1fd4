"""Pipelines of scikit-learn in files of skops choose what scikit-learn chooses."""

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.text_classification import TextClassificationBackend
from backends.text_classification.sequence_classifier import ClassifierInput
from backends.text_classification.sklearn_pipeline import SklearnPipeline, find_file
from shared.errors import ModelError
from shared.pipeline import runtime, standalone
from shared.settings import Settings, changed_environment
from tests.backends.engine_conformance import EngineConformance

pytest.importorskip("sklearn")
# Its skops.io looks for types in all modules: with those of all tests that takes seconds.
pytest.importorskip("skops")

TEXTS = {
    "Sports": ["the goalkeeper saved a penalty", "they won the match", "a goal in the second half"],
    "Business": ["the bank reported a loan", "profit in the annual report", "shares of the bank"],
    "Weather": ["thick fog and strong wind", "rain reached the coast", "a cold wind overnight"],
}
UNSEEN = [
    "a late goal won it",
    "the bank's annual profit",
    "wind at the coast",
    "",
    "\ud800 fog 😀",
]


class Shout:
    """A step that is not scikit-learn's."""

    def fit(self, texts: Any, classes: Any = None) -> "Shout":
        return self

    def transform(self, texts: Any) -> list[str]:
        return [text.upper() for text in texts]


def samples() -> tuple[list[str], list[str]]:
    pairs = [(text, name) for name, texts in TEXTS.items() for text in texts]
    return [text for text, _ in pairs], [name for _, name in pairs]


def pipeline_of(*steps: Any, classes: Any = None) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    texts, names = samples()
    return make_pipeline(TfidfVectorizer(), *steps).fit(
        texts, names if classes is None else classes
    )


def save(folder: Path, pipeline: Any, name: str = "topics.skops") -> Path:
    import skops.io

    skops.io.dump(pipeline, folder / name)
    return folder / name


def logistic() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression()


def chances(path: Path, trusted: tuple[str, ...] = ()) -> Any:
    """Return what our model says of the texts that are not blank, as arrays (texts, classes)."""
    model = SklearnPipeline.load(path, Settings(), trusted)
    found = model.classify([ClassifierInput(text, (), "") for text in UNSEEN])
    assert found[3].classes == ()  # a blank text
    several = model.kind == "several"
    scored = [one.score_classes(model.classes, several) for one in found if one.classes]
    return np.array([[scores[name] for name in model.classes] for scores in scored])


def unseen() -> list[str]:
    return [text.replace("\ud800", "\ufffd") for text in UNSEEN if text]


def test_chances_are_predict_proba(tmp_path: Path) -> None:
    pipeline = pipeline_of(logistic())
    expected = pipeline.predict_proba(unseen())
    np.testing.assert_allclose(chances(save(tmp_path, pipeline)), expected, atol=1e-5)


def test_several_classes_have_their_own_chances(tmp_path: Path) -> None:
    from sklearn.multiclass import OneVsRestClassifier

    _, names = samples()
    truth = np.array([[name == "Sports", name != "Weather"] for name in names]).astype(int)
    pipeline = pipeline_of(OneVsRestClassifier(logistic()), classes=truth)
    expected = pipeline.predict_proba(unseen())
    np.testing.assert_allclose(chances(save(tmp_path, pipeline)), expected, atol=1e-5)


@pytest.mark.parametrize("count", [2, 3])
def test_decisions_keep_their_order(count: int, tmp_path: Path) -> None:
    """The surest class of LinearSVC, which has no probabilities; of two classes as well."""
    from sklearn.svm import LinearSVC

    _, names = samples()
    classes = [name if count == 3 else str(name == "Sports") for name in names]
    pipeline = pipeline_of(LinearSVC(), classes=classes)
    found = chances(save(tmp_path, pipeline))
    assert found.sum(axis=1) == pytest.approx(1)
    assert pipeline.classes_[found.argmax(axis=1)].tolist() == pipeline.predict(unseen()).tolist()


@pytest.fixture
def predict(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Return a function that predicts texts by a pipeline, for choices."""
    runtime.reset_runtime()

    def answer(model: str, choices: str, *texts: str, **settings: str) -> list[Any]:
        xml = f'<View><Text name="text" value="$text"/>{choices}</View>'
        named = {"TEXT_CLASSIFICATION_MODEL": model, "MODEL_DIR": str(tmp_path), **settings}
        with changed_environment(named):
            backend = TextClassificationBackend(label_config=xml, served=True)
            tasks = [{"id": n, "data": {"text": text}} for n, text in enumerate(texts)]
            return standalone.predict(backend, tasks)

    yield answer
    runtime.reset_runtime()


CHOICES = """<Choices name="topic" toName="text"><Choice value="Sport" predicted_values="Sports"/>
<Choice value="business"/><Choice value="Weather"/></Choices>"""


@pytest.mark.parametrize("as_folder", [False, True], ids=["file", "folder"])
def test_choices_by_a_file_or_its_folder(as_folder: bool, predict: Any, tmp_path: Path) -> None:
    folder = tmp_path / "topics"
    folder.mkdir()
    save(folder, pipeline_of(logistic()))
    model = "topics" if as_folder else "topics/topics.skops"
    answers = predict(model, CHOICES, *unseen()[:3], TEXT_CLASSIFICATION_SCORE_THRESHOLD="0.2")
    chosen = [answer["result"][0]["value"]["choices"] for answer in answers]
    assert chosen == [["Sport"], ["business"], ["Weather"]]


def test_classes_that_are_numbers(predict: Any, tmp_path: Path) -> None:
    _, names = samples()
    save(tmp_path, pipeline_of(logistic(), classes=[int(name == "Sports") for name in names]))
    choices = '<Choices name="topic" toName="text"><Choice value="Other" predicted_values="0"/>'
    choices += '<Choice value="Sports" predicted_values="1"/></Choices>'
    [answer] = predict("topics.skops", choices, "the bank reported a loan")
    assert answer["result"][0]["value"]["choices"] == ["Other"]


def test_types_that_are_not_trusted_are_named(tmp_path: Path) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    texts, names = samples()
    pipeline = make_pipeline(Shout(), TfidfVectorizer(lowercase=False), logistic())
    path = save(tmp_path, pipeline.fit(texts, names))
    own = f"{Shout.__module__}.Shout"
    with pytest.raises(ModelError, match=rf"not trusted: {own}\. .*CLASSIFICATION_TRUSTED_TYPES"):
        SklearnPipeline.load(path, Settings())
    expected = pipeline.predict_proba(unseen())
    np.testing.assert_allclose(chances(path, (own,)), expected, atol=1e-5)


def _regressor() -> Any:
    from sklearn.linear_model import Ridge

    return pipeline_of(Ridge(), classes=list(range(9)))


def _of_numbers() -> Any:
    return logistic().fit([[0.0], [1.0]], ["a", "b"])


def _centroids() -> Any:
    from sklearn.neighbors import NearestCentroid

    return pipeline_of(NearestCentroid(metric="manhattan"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_regressor, r"topics\.skops is a Pipeline without classes of texts; expected: a Pipeline"),
        (_of_numbers, r"topics\.skops takes no texts \(LogisticRegression\).*TfidfVectorizer"),
        (_centroids, r"topics\.skops has neither predict_proba nor decision_function"),
    ],
    ids=["regressor", "numbers", "no-scores"],
)
def test_a_pipeline_of_another_kind_says_what_it_is(
    make: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=message):
        SklearnPipeline.load(save(tmp_path, make()), Settings())


def test_a_wrong_file_or_folder_says_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "no.skops").write_bytes(pickle.dumps({}))
    settings = Settings(model_dir=tmp_path)
    with pytest.raises(ModelError, match=r"no\.skops is no file of skops"):
        SklearnPipeline.load(tmp_path / "no.skops", settings)
    with pytest.raises(ModelError, match=r"model\.pkl is a pickle.*skops\.io\.dump.*model\.skops"):
        find_file("model.pkl", settings)
    with pytest.raises(ModelError, match=r"gone\.skops: no such file"):
        find_file("gone.skops", settings)
    save(tmp_path, _of_numbers(), "one.skops")
    with pytest.raises(ModelError, match=r"holds no\.skops, one\.skops; expected one"):
        find_file(str(tmp_path), settings)


def test_a_folder_of_no_known_kind_says_what_it_has(predict: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    xml = f'<View><Text name="text" value="$text"/>{CHOICES}</View>'
    named = {"TEXT_CLASSIFICATION_MODEL": "empty", "MODEL_DIR": str(tmp_path)}
    with changed_environment(named):
        backend = TextClassificationBackend(label_config=xml, served=True)
        [claim] = backend.claim(backend.config)
        with pytest.raises(ModelError, match=r"folder with nothing in it; expected: .*\.skops"):
            backend.weights(claim.spec)


class TestConformance(EngineConformance):
    """The example of the backend by a pipeline of scikit-learn."""

    kind = TextClassificationBackend

    @classmethod
    def make_model(cls, folder: Path) -> dict[str, str]:
        path = save(folder, pipeline_of(logistic()))
        threshold = {"TEXT_CLASSIFICATION_SCORE_THRESHOLD": "0.2"}
        return {"TEXT_CLASSIFICATION_MODEL": str(path), **threshold}
