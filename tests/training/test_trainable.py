"""Which control tags can be trained, by which backend, and why others cannot."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import pytest

from backends.text_classification import TextClassificationBackend
from shared.backend.claim import Claim
from shared.label_studio.label_config import LabelConfig
from shared.pipeline.runtime import runtime
from shared.settings import Settings
from shared.training import device
from shared.training.trainable import ServingBackends, describe_obstacles, find_trainable
from tests.tiny import WordBackend

from .words import WordsBackend

XML = """<View>
  <Choices name="topic" toName="text"{topic}><Choice value="Sport"/><Choice value="Food"/></Choices>
  <Labels name="label" toName="text"><Label value="Word"/></Labels>
  <Rating name="stars" toName="text"/>
  <Text name="text" value="$text"/>
</View>"""


class Choosy(WordsBackend):
    """Cannot be trained for some claims."""

    name = "choosy"
    opt_in = True

    def training_obstacle(self, claim: Claim) -> str | None:
        return "choosy does not learn short names" if len(claim.control.name) < 6 else None


class Formats(WordsBackend):
    """Has a format for some claims only."""

    name = "formats"
    opt_in = True
    dataset_format = None

    def dataset_format_for(self, claim: Claim) -> str | None:
        return "jsonl" if claim.control.name == "topic" else None


@pytest.mark.parametrize(
    ("topic", "backend", "obstacle"),
    [
        pytest.param("", "words", None, id="the first that fills it"),
        pytest.param(' model_skip="true"', None, 'it has model_skip="true"', id="skipped"),
        pytest.param(
            ' model_backend="choosy"',
            "choosy",
            "choosy does not learn short names",
            id="an obstacle of the backend",
        ),
        pytest.param(' model_backend="formats"', "formats", None, id="a format for the claim"),
        pytest.param(
            ' model_backend="pattern"',
            None,
            'no backend that serves here fills it; Choices "topic" is left to the backend'
            ' "pattern", which does not serve here',
            id="a backend that does not serve",
        ),
    ],
)
def test_trainable(topic: str, backend: str | None, obstacle: str | None) -> None:
    backends = ServingBackends([WordsBackend, WordBackend, Choosy, Formats])
    config = LabelConfig.parse(XML.format(topic=topic))
    first, *others = find_trainable(backends.plan(runtime().planner, config, {}))
    assert first.control.name == "topic"
    assert (first.backend.name if first.backend else None) == backend
    assert first.obstacle == obstacle
    assert first.can_train is (obstacle is None)
    assert describe_obstacles(others) == (
        'Labels "label": word, which fills it, cannot be trained;'
        ' Rating "stars": no backend that serves here fills it'
    )


def test_a_backend_says_what_it_needs_to_be_trained() -> None:
    """Nothing fills the tag until a model is named: the backend's own words say which setting."""
    backends = ServingBackends([TextClassificationBackend])
    config = LabelConfig.parse(XML.format(topic=""))
    topic, label, stars = find_trainable(backends.plan(runtime().planner, config, {}))
    assert topic.obstacle == (
        'no backend that serves here fills it; text_classification: Choices "topic" needs a'
        " model: set TEXT_CLASSIFICATION_MODEL, or TEXT_CLASSIFICATION_TRAIN_BASE and train one"
    )
    nothing_said = "no backend that serves here fills it"
    assert (label.obstacle, stars.obstacle) == (nothing_said, nothing_said)


def test_backends_of_the_settings() -> None:
    backends = ServingBackends.from_settings(Settings(backends=("pattern",)))
    assert [cls.name for cls in backends.classes] == ["pattern"]
    assert backends.named == ["pattern"]


@pytest.mark.parametrize("name", ["cpu", "cuda:1"])
def test_the_device_of_the_settings(name: str) -> None:
    assert device.choose_device(Settings(device=name)) == name


@pytest.mark.parametrize("has_gpu", [False, True])
def test_the_device_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_gpu: bool
) -> None:
    """PyTorch is not imported for it, but its build tells whether it can use a GPU."""
    monkeypatch.setattr(device, "GPU_FOLDERS", tmp_path)
    if has_gpu:
        (tmp_path / "0000:01:00.0").mkdir()
    can_use = has_gpu and "+cpu" not in version("torch")
    assert device.choose_device(Settings()) == ("cuda:0" if can_use else "cpu")


class Together(WordsBackend):
    """Fills all Choices in one claim, and trains each by itself."""

    name = "together"

    def claim(self, config: LabelConfig) -> list[Claim]:
        controls = tuple(one for one in config.controls if one.tag == "Choices")
        return [Claim(controls, config.objects["text"], self.spec(controls[0]))]

    def training_claims(self, claim: Claim) -> Sequence[Claim]:
        return [Claim((one,), claim.object, claim.spec) for one in claim.controls]


def test_control_tags_of_one_claim_can_be_trained_apart() -> None:
    config = LabelConfig.parse("""<View><Text name="text" value="$text"/>
      <Choices name="topic" toName="text"><Choice value="Sport"/><Choice value="Food"/></Choices>
      <Choices name="mood" toName="text"><Choice value="Good"/><Choice value="Bad"/></Choices>
    </View>""")
    plan = ServingBackends([Together]).plan(runtime().planner, config, {})
    found = find_trainable(plan)
    assert [(tag.control.name, tag.can_train) for tag in found] == [("topic", True), ("mood", True)]
    assert [tag.claim.controls for tag in found if tag.claim] == [(c,) for c in config.controls]
